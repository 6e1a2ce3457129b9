"""docs/measured/reliability.md names a test for each promise."""

import re
from pathlib import Path

import pytest


def test_promises__name_tests_that_are_there():
    root = Path(__file__).parents[1]
    page = root / "docs" / "measured" / "reliability.md"
    if not page.is_file():
        pytest.skip("docs/ is not part of this installation")
    named = re.findall(r"`(tests/\w+\.py)::(\w+)`", page.read_text())
    assert len(named) > 30
    for file, test in named:
        assert f"def {test}(" in (root / file).read_text(), f"{file}::{test}"
