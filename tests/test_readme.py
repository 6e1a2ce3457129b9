"""The code of the README runs as it stands there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
SITE = "https://skad-dev.github.io/skad/stable/"


@pytest.mark.slow
def test_code__runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    namespace = {}
    for block in blocks:
        exec(block, namespace)
    assert len(namespace["events"])
    assert -1 in namespace["labels"]


def test_commands__are_two():
    commands = re.findall(r"```\n(python3 .*?)\n```", README.read_text(), re.DOTALL)
    assert len(commands) == 2
    for command in commands:
        assert "-c constraints.txt" in command


def test_links__are_absolute_and_lead_to_files():
    # A package page shows them, and knows no folder that they are relative to.
    links = re.findall(r"\]\((.*?)\)", README.read_text())
    assert len(links) > 10
    for link in links:
        assert link.startswith("https://"), link
        if link.startswith(SITE):
            assert is_page(link.removeprefix(SITE)), link
        else:
            _, _, place = link.partition("/main/")
            assert (README.parent / place).is_file(), link


def is_page(place):
    """Whether a page of the site is made from a file of docs."""
    place = re.sub(r"(^|/)$", r"\1index.html", place)
    page = README.parent / "docs" / place
    made = place == "gallery/index.html"  # of examples/gallery
    return made or any(page.with_suffix(kind).is_file() for kind in (".md", ".rst"))


def test_length__is_that_of_a_page_to_read():
    assert len(README.read_text().splitlines()) < 150
