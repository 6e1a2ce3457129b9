"""The code of the README runs as it stands there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_code__runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    namespace = {}
    for block in blocks:
        exec(block, namespace)
    assert namespace["search"].best_score_ > 0.5


def test_commands__are_two():
    commands = re.findall(r"```\n(python3 .*?)\n```", README.read_text(), re.DOTALL)
    assert len(commands) == 2
    for command in commands:
        assert "-c constraints.txt" in command


def test_links__are_absolute_and_lead_to_files():
    # A package page shows them, and knows no folder that they are relative to.
    root = README.parent
    links = re.findall(r"\]\((.*?)\)", README.read_text())
    assert len(links) > 10
    for link in links:
        assert link.startswith("https://"), link
        _, _, place = link.partition("/main/")
        assert (root / place).is_file(), link
