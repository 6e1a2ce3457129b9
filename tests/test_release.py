"""What is said in several files of a release agrees."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import skad

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = yaml.safe_load((ROOT / "conda/recipe.yaml").read_text())
NAMES = {"torch": "pytorch"}  # in conda


def test_version__is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    released = re.findall(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert citation["version"] == RECIPE["context"]["version"] == skad.__version__
    assert released[0] == skad.__version__


def test_conda_recipe__asks_for_what_pip_asks_for():
    wanted = [re.fullmatch(r"([\w-]+)(.*)", one) for one in PROJECT["dependencies"]]
    wanted = [f"{NAMES.get(one[1], one[1])} {one[2]}" for one in wanted]
    python = PROJECT["requires-python"].removeprefix(">=")
    assert RECIPE["requirements"]["run"][1:] == wanted
    assert RECIPE["context"]["python_min"] == python


def test_pythons__of_classifiers_are_those_that_are_tested():
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    tested = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    told = [one.split(" :: ")[-1] for one in PROJECT["classifiers"]]
    assert [one for one in told if re.fullmatch(r"3\.\d+", one)] == tested


@pytest.mark.parametrize(
    "file", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda file: file.name
)
def test_files_of_github__are_yaml(file):
    assert isinstance(yaml.safe_load(file.read_text()), dict)
