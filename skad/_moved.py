"""Where things of skad 0.1.0 live now, so that its pickles still open.

A pickle names modules and classes. The modules below no longer exist; they are made up
when an old pickle asks for one, and hand out the classes from where they are today.
Model files name things by public names and need none of this.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Old module -> name -> the module that has it now.
MOVED: dict[str, dict[str, str]] = {
    "skad.datasets._heartbeats": {
        "load_heartbeats": "skad.datasets._heartbeat_files",
        "make_heartbeats": "skad.datasets._make_heartbeats",
    },
    "skad.datasets._sensors": {
        "load_keogh_discords": "skad.datasets._sensor_files",
        "load_pump_sensors": "skad.datasets._sensor_files",
        "load_skab": "skad.datasets._sensor_files",
        "make_sensors": "skad.datasets._make_sensors",
    },
    "skad.metrics._events": {
        "find_events": "skad.series._events",
        "merge_events": "skad.series._events",
    },
    "skad.metrics._explain": {"explain": "skad.series._explain"},
    "skad.thresholds._detectors": {
        "DetectorClassifier": "skad.thresholds._classifier",
        "FixedThresholdDetector": "skad.thresholds._fixed",
        "TunedThresholdDetector": "skad.thresholds._tuned",
    },
    "skad.thresholds._unlabelled": {
        "AlertBudgetThreshold": "skad.thresholds._counting",
        "IQRThreshold": "skad.thresholds._spread",
        "MADThreshold": "skad.thresholds._spread",
        "QuantileThreshold": "skad.thresholds._counting",
        "SigmaThreshold": "skad.thresholds._spread",
    },
}


class _MovedModules(MetaPathFinder, Loader):
    """Find modules of `MOVED`, whose names are looked up in their new homes."""

    def find_spec(self, fullname, path=None, target=None):
        """Answer for modules that have moved, and for no others."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec):
        """Make a module that finds its names when they are asked for."""
        module = ModuleType(spec.name, "Moved; see skad._moved.")
        homes = MOVED[spec.name]

        def find(name):
            if name not in homes:
                raise AttributeError(f"module {spec.name!r} has no attribute {name!r}")
            return getattr(importlib.import_module(homes[name]), name)

        module.__getattr__ = find  # type: ignore[method-assign]
        return module

    def exec_module(self, module):
        """Do nothing: there is no code."""


def install() -> None:
    """Let Python find the modules that have moved."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(_MovedModules())
