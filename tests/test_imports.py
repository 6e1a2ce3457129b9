"""Imports point one way, and come only when they are needed."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import skad
from skad._moved import MOVED

PACKAGE = Path(skad.__file__).parent
ROOMS = {
    # room: what it may import of skad
    "detectors": {"training", "error_models", "calibration", "features"},
    "training": set(),
    "error_models": set(),
    "thresholds": set(),
    "calibration": {"thresholds"},
    "series": {"calibration", "thresholds"},
    "metrics": {"series"},
    "evaluation": {"detectors", "metrics", "series", "thresholds"},
    "persistence": {
        *("calibration", "detectors", "error_models", "features", "series"),
        *("thresholds", "training"),
    },
    "plotting": {"series", "thresholds"},
    "reporting": {
        *("calibration", "evaluation", "metrics", "persistence", "plotting", "series"),
        "thresholds",
    },
    "datasets": set(),
    "scale": {"calibration", "series"},
    "pipelines": {"detectors", "features", "series"},
    "features": set(),
}
# What every room may import, from the bottom up.
SHARED = (
    *("_version", "_docs", "_proven", "_products", "_neighbors", "_sampling"),
    *(
        "_on_disk",
        "_window_sums",
        "_warnings",
        "_validation",
        "_series_names",
        "_fitting",
    ),
    *("_nesting", "_base"),
)
# The one file that may import private names of a library.
PRIVATE_NAMES = {
    "sklearn": "_validation.py",
    "torch": "_private.py",
    "skorch": "_private.py",
}
WITHOUT_TORCH = set(ROOMS) - {"detectors", "persistence", "training"}


def imported(path, *, top_level=False):
    """Yield the modules that a file imports, anywhere or at its top level only."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def files():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    folder = path.relative_to(PACKAGE).parts[0]
    return folder if folder in ROOMS else None


def test_every_folder__is_a_room():
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name[0] != "_"}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports__point_one_way(path):
    room = room_of(path)
    for module in imported(path):
        assert module not in MOVED, f"{path.name} imports {module}, which has moved"
        parts = module.split(".")
        if parts[0] == "skad" and room is not None and len(parts) > 1:
            allowed = {room, *SHARED} | ROOMS[room]
            assert parts[1] in allowed, f"{path.name} imports {module}"
        if parts[0] == "skorch":
            assert room == "training", f"{path.name} imports {module}"
        if parts[0] == "torch":
            assert room not in WITHOUT_TORCH, f"{path.name} imports {module}"
        if parts[0] in PRIVATE_NAMES and path.name != PRIVATE_NAMES[parts[0]]:
            assert not any(p.startswith("_") for p in parts), f"{path.name}: {module}"
    for module in imported(path, top_level=True):
        assert module.split(".")[0] != "matplotlib"


@pytest.mark.parametrize("place", range(len(SHARED)), ids=SHARED)
def test_what_all_rooms_share__imports_downwards_only(place):
    modules = imported(PACKAGE / f"{SHARED[place]}.py")
    inside = {m.split(".")[1] for m in modules if m.startswith("skad.")}
    assert inside <= set(SHARED[:place])


def modules_after(*statements):
    """Names of the modules that a new process holds after each of the statements."""
    code = "import sys\n" + "".join(f"{s}\nprint(*sys.modules)\n" for s in statements)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return [set(line.split()) for line in result.stdout.splitlines()]


def test_import_skad__loads_nothing_heavy():
    heavy = {"torch", "skorch", "sklearn", "pandas", "scipy", "matplotlib", "numpy"}
    (loaded,) = modules_after("import skad; dir(skad)")
    assert not heavy & loaded


def test_what_needs_no_torch__loads_none():
    names = [
        "LinearAutoencoder",
        "TunedThresholdDetector",
        "FBetaThreshold",
        "HybridErrors",
        "detection_report",
        "evaluate",
        "make_outlier_scorer",
        "make_heartbeats",
        "ThresholdDisplay",
    ]
    loaded = modules_after(*(f"from skad import {name}" for name in names))
    for name, modules in zip(names, loaded, strict=True):
        assert not {"torch", "skorch", "matplotlib"} & modules, name


def test_public_names__are_all_there():
    assert set(skad.__all__) == set(dir(skad))
    for name in skad.__all__:
        assert getattr(skad, name).__name__ == name
    with pytest.raises(AttributeError, match="No skad attribute MLP"):
        skad.MLP  # noqa: B018


def test_settings_of_scikit_learn__are_changed_in_fit_alone():
    """A Ctrl-C at a bad moment leaves them changed; `fit_method` puts them back."""
    users = {p.name for p in files() if "sklearn.config_context" in imported_names(p)}
    assert users == {"_members.py"}, "use knowing_finite"


def imported_names(path):
    """Yield what a file imports from modules, as module.name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SCRIPTS = sorted(
    path
    for folder in ("benchmarks", "examples")
    for path in (PACKAGE.parent / folder).glob("*.py")
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts__import_what_is_there(path):
    """CI does not run all of them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skad"):
            module = importlib.import_module(node.module)
            lacking = [a.name for a in node.names if not hasattr(module, a.name)]
            assert not lacking, f"{node.module} has no {lacking}"
