"""Detectors like one inside a table's, that have not learnt a block of its windows."""

from typing import Any

from sklearn import config_context
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skad._base import uncalibrated
from skad.calibration._blocks import consecutive_blocks
from skad.calibration._fit import N_BLOCKS
from skad.series._table_windows import TableWindows


def learns_positions(detector) -> bool:
    # Of its class: FrozenEstimator passes on every attribute of what it must not fit.
    return hasattr(type(detector), "_fit_positions")


def folds_of(inner: Any, windows: TableWindows) -> list[tuple[int, Any]]:
    """Fit detectors like a fitted one, each on the windows beside a block.

    Returns the first row of each block, and the detector that has not learnt it.
    """
    if isinstance(inner, FrozenEstimator):  # has learnt none of these windows
        return [(0, inner)]
    n_blocks = getattr(inner, "_n_blocks", N_BLOCKS)
    starts = windows.starts
    return [
        (int(starts[out[0]]), _fold_of(inner, windows.view, starts[train], len(starts)))
        for train, out in consecutive_blocks(starts, windows.window_length, n_blocks)
    ]


def _fold_of(inner, view, starts, n_all):
    with config_context(assume_finite=True):
        if learns_positions(inner):
            return inner._fold_at(view, starts, n_all)
        return uncalibrated(clone(inner).fit, view[starts])
