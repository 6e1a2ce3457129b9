"""Detectors like one inside a table's, that have not learnt a block of its windows."""

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skad._base import uncalibrated
from skad._nesting import core_of, learners
from skad._validation import knowing_finite
from skad.calibration._blocks import LeftOut, consecutive_blocks, run_blocks
from skad.calibration._fit import N_BLOCKS
from skad.calibration._odd import stretches_of
from skad.series._readings import ReadsTables, errors_of_folds
from skad.series._table_windows import TableWindows


class LeavesOutRows(ReadsTables):
    """Mixin of a detector of rows: how blocks of the windows of a table are left out.

    A subclass writes `_score_table`.
    """

    @abstractmethod
    def _score_table(self, table, bounds, folds=None) -> np.ndarray:
        """Score rows by `estimator_`, or by folds: (first row, detector) of each."""

    def _left_out_scores(self, windows, learnt):
        rows = self._rows_of(windows)
        folds = folds_of(self.estimator_, learnt)
        if not folds:
            return LeftOut.at_once(np.full(len(rows), np.nan), None)
        scores = self._score_table(windows.table, windows.rows.bounds, folds)
        firsts = [row for row, _ in folds[1:]]
        numbers = np.searchsorted(firsts, rows, side="right")
        return LeftOut(scores[rows], numbers, errors_of_folds(folds, learnt))

    @property
    def _remembers_windows(self):
        return getattr(core_of(self.estimator_), "_remembers_windows", False)

    def _reach_of(self, windows):
        return self.window_length_

    def _without(self, windows, odd):
        return windows.without(self._rows_of(windows)[odd])

    def _rows_of(self, windows):
        return np.flatnonzero(windows.judged)

    def _stretches_of(self, windows, odd):
        places = windows.rows.place(np.arange(len(windows.table)))
        return stretches_of(odd, places[self._rows_of(windows)])

    def _refitted(self):
        return learners(self.estimator_)


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
    firsts = []

    def to_learn():
        for train, out in consecutive_blocks(starts, windows.window_length, n_blocks):
            firsts.append(int(starts[out[0]]))
            yield inner, windows.view, starts[train]

    folds = run_blocks(_fold_of, to_learn())
    return list(zip(firsts, folds, strict=True))


def _fold_of(inner, view, starts):
    if learns_positions(inner):
        return knowing_finite(inner._fold_at, view, starts)
    return knowing_finite(uncalibrated, clone(inner).fit, view[starts])
