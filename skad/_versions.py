"""Versions that a model was made with, and the warning where they are others now."""

import warnings
from functools import cache
from importlib.metadata import version

from skad import __version__


@cache
def current_versions() -> dict[str, str]:
    """Look up what computes a score, without importing it.

    What follows a plus sign says how torch was built ("+cpu", "+cu128"), and a model
    moves between the two.
    """
    others = {name: version(name).split("+")[0] for name in ("scikit-learn", "torch")}
    return {"skad": __version__} | others


def warn_of_other_versions(saved, what, stacklevel=3):
    """Warn where `what` was made with other versions than those of today."""
    now = current_versions()
    others = [
        f"{name} {then} (now {now[name]})"
        for name, then in saved.items()
        if name in now and then != now[name]
    ]
    if others:
        warnings.warn(
            f"{what} was made with {', '.join(others)}. Its scores may differ from "
            "those of then; fit it anew, or install those versions.",
            UserWarning,
            stacklevel=stacklevel,
        )


class VersionedMixin:
    """Mixin for estimators: pickles carry versions, and warn if opened with others.

    scikit-learn's `BaseEstimator` does so for its own classes only.
    """

    def __getstate__(self):
        return dict(super().__getstate__()) | {"_skad_versions": current_versions()}

    def __setstate__(self, state):
        state = dict(state)
        versions = state.pop("_skad_versions", {})  # a copy in memory has none
        warn_of_other_versions(versions, f"This {type(self).__name__}", stacklevel=2)
        super().__setstate__(state)
