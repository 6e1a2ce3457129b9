"""Files and functions stay short enough to be read in one go."""

import ast
from pathlib import Path

import pytest

import skad

PACKAGE = Path(skad.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
DISPLAYS = (
    *("comparison", "contributions", "drift", "history", "missing"),
    *("reconstruction", "scores", "threshold"),
)


def length_without_docstring(function):
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - (docstring.end_lineno - docstring.lineno + 1)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_file_and_functions__are_short(path):
    text = path.read_text()
    is_display = path.stem.strip("_") in DISPLAYS
    assert text.count("\n") < (300 if is_display else 450)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert length_without_docstring(node) < 45, node.name
