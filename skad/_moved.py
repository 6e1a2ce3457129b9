"""Where things of skad 0.1.0 live now, so that its pickles still open.

A pickle names modules and classes. In the place of each module that is gone stands one
that looks its names up where they are today. Model files name things by public names,
and need none of this.
"""

import importlib
import sys
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


def install() -> None:
    """Put the modules that have moved where Python finds them."""
    for name, homes in MOVED.items():
        sys.modules.setdefault(name, _stand_in(name, homes))


def _stand_in(module_name, homes) -> ModuleType:
    module = ModuleType(module_name, "Moved; see skad._moved.")

    def find(name):
        if name not in homes:
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    module.__getattr__ = find  # type: ignore[method-assign]
    return module
