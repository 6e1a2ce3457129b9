"""The pages of docs: code runs, all that is public is named, no path is stale."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_imports import ROOMS

import skad

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# These have tests of their own, which know what else must be installed.
ELSEWHERE = {"guide/scale.md", "guide/interop.md"}
NEEDS = {"guide/saving.md": "onnxruntime", "guide/events.md": "matplotlib"}
NEEDS["guide/report.md"] = "plotly"
PAGES = sorted(
    str(page.relative_to(DOCS))
    for page in DOCS.rglob("*.md")
    if "```python\n" in page.read_text()
)


@pytest.mark.parametrize("name", [p for p in PAGES if p not in ELSEWHERE])
@pytest.mark.filterwarnings("ignore")  # pages tell of warnings, and cause some
def test_code__runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    if NEEDS.get(name) == "matplotlib":
        sys.modules["matplotlib"].use("agg")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for block in re.findall(
        r"^```python\n(.*?)^```", (DOCS / name).read_text(), re.DOTALL | re.MULTILINE
    ):
        exec(block, names)


def test_pages_with_code__are_there():
    assert len(PAGES) > 15
    assert set(PAGES) >= ELSEWHERE | set(NEEDS)


def test_reference__has_every_public_name_once():
    named = []
    for page in sorted((DOCS / "api").glob("*.rst")):
        for table in re.findall(
            r"\.\. autosummary::\n(?:   :.*\n)+\n((?:   \w+\n)+)", page.read_text()
        ):
            named += table.split()
    assert sorted(named) == sorted(set(skad.__all__) - {"__version__"})


def test_house__has_the_rooms_that_imports_are_tested_by():
    text = (DOCS / "developers" / "house.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", text, re.MULTILINE)
    assert {room: set(re.findall(r"\w+", others)) for room, others in rows} == ROOMS


def test_paths_of_pages__lead_to_files():
    """Of all tracked files: README, docstrings, tests, benchmarks, pages."""
    files = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.toml", "*.cff", ".ci/run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    if not files:
        pytest.skip("not a checkout")
    for file in files:
        text = (ROOT / file).read_text()
        for path in re.findall(r"\bdocs/[\w/]+\.(?:md|rst|png|csv|py)\b", text):
            assert (ROOT / path).is_file(), f"{file} names {path}"


def test_stories__are_short():
    stories = sorted((DOCS.parent / "examples/gallery").glob("plot_*.py"))
    lengths = {one.name: len(one.read_text("utf-8").splitlines()) for one in stories}
    assert len(lengths) > 9
    assert {name: n for name, n in lengths.items() if n > 60} == {}


def test_lines__are_no_comments():
    """MyST takes a line that begins with a percent sign for one, and drops it."""
    for page in DOCS.rglob("*.md"):
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        assert not re.search(r"^%", text, re.MULTILINE), page
