"""Pages of several versions side by side."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "publish.py"
SPEC = importlib.util.spec_from_file_location("publish", FILE)
publish = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(publish)


def pages(folder, text):
    folder.mkdir()
    (folder / "index.html").write_text(text)
    return folder


def test_stable__is_the_newest_release(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    for version in ("dev", "0.9.0", "0.10.0", "0.9.1"):
        publish.publish(pages(tmp_path / version, version), site, version)
    assert (site / "stable/index.html").read_text() == "0.10.0"
    assert (site / "0.9.1/index.html").read_text() == "0.9.1"
    assert "url=stable/" in (site / "index.html").read_text()
    listed = json.loads((site / "switcher.json").read_text())
    assert [one["version"] for one in listed] == ["0.10.0", "0.9.1", "0.9.0", "dev"]
    assert [one.get("preferred") for one in listed] == [True, None, None, None]
    assert listed[0]["url"].endswith("/stable/")


def test_pages_of_before__are_replaced_whole(tmp_path):
    site, old = tmp_path / "site", pages(tmp_path / "old", "old")
    site.mkdir()
    (old / "gone.html").touch()
    publish.publish(old, site, "dev")
    assert "url=dev/" in (site / "index.html").read_text()
    publish.publish(pages(tmp_path / "new", "new"), site, "dev")
    assert [one.name for one in (site / "dev").iterdir()] == ["index.html"]


def test_refuses(tmp_path):
    with pytest.raises(ValueError, match=r"holds no index\.html"):
        publish.publish(tmp_path, tmp_path, "0.2.0")
    with pytest.raises(ValueError, match=r"version 'v0\.2'; expected"):
        publish.publish(pages(tmp_path / "a", ""), tmp_path, "v0.2")


@pytest.mark.parametrize(
    ("tag", "has_pages"),
    [("v0.2.0", True), ("v10.20.30", True), ("v0.2.0rc1", False), ("v1", False)],
)
def test_workflow__runs_for_tags_that_have_pages(tag, has_pages, tmp_path):
    workflow = yaml.safe_load((ROOT / ".github/workflows/docs.yml").read_text())
    (pattern,) = workflow[True]["push"]["tags"]  # YAML reads "on" as true
    # in such patterns of GitHub only the dot means something else than in re
    assert bool(re.fullmatch(pattern.replace(".", r"\."), tag)) == has_pages
    if has_pages:
        publish.publish(pages(tmp_path / "a", ""), tmp_path, tag.removeprefix("v"))


def test_folders_of_other_names__are_no_releases(tmp_path):
    for name in ("2024", "1.", "..0", "0.1.0"):
        (tmp_path / name).mkdir()
    assert publish.releases(tmp_path) == ["0.1.0"]
