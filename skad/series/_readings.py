"""What the sensors of a table read and how far a detector of windows is off."""

from dataclasses import replace
from typing import Any

import numpy as np

from skad._nesting import input_of, layers
from skad._validation import knowing_finite
from skad.calibration._fit import CalibratedThreshold
from skad.calibration._usual import gather_windows, step_of
from skad.series._rows import ReadsRows
from skad.series._table_windows import TableWindows
from skad.series._windows import window_starts


class ReadsTables(ReadsRows, CalibratedThreshold):
    """Mixin of `WindowedDetector`: what its calibration keeps for `drift_report`."""

    estimator_: Any
    window_length_: int
    _check_table: Any

    def _readings_of(self, windows):
        apart = _apart(windows)
        return gather_windows(apart.view, apart.starts, self.window_length_)

    def _errors_of(self, windows):
        return errors_of_windows(self.estimator_, _apart(windows))

    def _compared(self, X) -> TableWindows:
        table = self._check_table(X, reset=False)
        rows = self._read_rows(X)
        longest = int(np.diff(rows.bounds, axis=1).max(initial=0))
        if longest < self.window_length_:
            raise ValueError(
                f"X holds no whole window of {self.window_length_} rows: its longest "
                f"segment has {longest}. Pass more rows."
            )
        starts = window_starts(rows.bounds, self.window_length_, 1)
        judged = np.ones(len(table), dtype=bool)
        return TableWindows(
            rows.group(table), rows, self.window_length_, starts, judged
        )


def errors_of_folds(folds, windows) -> list[np.ndarray | None]:
    """Measure what each fold is off by in its own block."""
    apart = _apart(windows)
    firsts = [first for first, _ in folds] + [len(windows.table)]
    errors = []
    for (first, fold), stop in zip(folds, firsts[1:], strict=True):
        is_own = (apart.starts >= first) & (apart.starts < stop)
        own = replace(apart, starts=apart.starts[is_own])
        errors.append(errors_of_windows(fold, own))
    return errors


def _apart(windows) -> TableWindows:
    """Windows to judge, of those that overlap."""
    step = step_of(windows.window_length)
    _, firsts = np.unique(windows.starts // step, return_index=True)
    return replace(windows, starts=windows.starts[firsts])


def errors_of_windows(detector, windows) -> np.ndarray | None:
    """Mean absolute residuals by window and sensor, if the detector has such."""
    teller = next(
        (one for one in layers(detector) if hasattr(one, "reconstruction_errors")), None
    )
    shape = windows.window_length, windows.table.shape[1]
    if teller is None or (teller.window_length_, teller.n_channels_) != shape:
        return None
    if teller is detector and hasattr(detector, "_errors_at"):
        return detector._errors_at(windows.view, windows.starts)
    errors = [np.empty((0, shape[1]))]
    for block in gather_windows(windows.view, windows.starts, shape[0]):
        inner = input_of(teller, detector, block.reshape(len(block), -1))
        found = knowing_finite(teller.reconstruction_errors, inner)
        errors.append(found.mean(axis=1))
    return np.concatenate(errors)
