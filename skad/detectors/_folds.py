"""Windows that are left out in turn, and scored by models that have not learnt them."""

import copy
from abc import abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Self

import numpy as np

from skad.calibration._blocks import (
    LeftOut,
    blocks_of,
    overlap_of_rows,
    run_blocks,
)
from skad.calibration._fit import N_BLOCKS, CalibratedThreshold
from skad.calibration._usual import gather_windows, step_of
from skad.detectors._windows import Windows


class LeavesOut(CalibratedThreshold):
    """Mixin of detectors of windows: how blocks of these are left out.

    A subclass writes `_learn_fold`.
    """

    window_length_: int
    n_channels_: int
    error_model_: Any
    _measure: Any
    _fitted_windows: Any

    _learns_reference = True  # which what is left out needs none of

    def _learning(self) -> AbstractContextManager:
        """Enter what surrounds `_learn` and the threshold."""
        return self._computing()

    def _computing(self) -> AbstractContextManager:
        """Enter the settings to learn and score in."""
        return nullcontext()

    _n_blocks: ClassVar[int] = N_BLOCKS

    def _left_out_scores(self, windows, learnt):
        is_learnt = np.isin(windows.rows, learnt.rows)
        reach = self._reach_of(windows)
        blocks = blocks_of(windows.rows, is_learnt, reach, self._n_blocks)
        folds = run_blocks(
            self._judge_fold,
            [(windows, train, judged) for train, judged in blocks],
        )
        scores, numbers = np.full(len(windows), np.nan), np.full(len(windows), -1)
        errors = []
        for number, (_, judged) in enumerate(blocks):
            scores[judged], own = folds[number]
            numbers[judged] = number
            errors.append(own[is_learnt[judged]][:: step_of(reach)])
        return LeftOut(scores, numbers, errors)

    def _judge_fold(self, windows, train, judged):
        fold = self._fold_at(windows.X, windows.rows[train])
        return fold._judge_left_out(Windows(windows.X, windows.rows[judged]))

    def _reach_of(self, windows):
        first = windows.rows[0]
        return overlap_of_rows(windows.X[first : first + 64], self.n_channels_)

    def _without(self, windows, odd):
        return Windows(windows.X, windows.rows[~odd])

    def _rows_of(self, windows):
        return windows.rows

    def _apart(self, windows) -> Windows:
        """Windows to judge, of those that overlap."""
        step = step_of(self._reach_of(windows))
        return Windows(windows.X, windows.rows[::step])

    def _readings_of(self, windows):
        return gather_windows(windows.X, self._apart(windows).rows, self.window_length_)

    def _errors_of(self, windows):
        return self._errors_at(windows.X, self._apart(windows).rows)

    def _errors_at(self, X, positions) -> np.ndarray:
        """Mean absolute residuals of windows at positions of X, by channel."""
        shape = (self.n_channels_,)
        return self._measure(Windows(X, positions), _of_sensors, shape)

    def _judge_left_out(self, windows) -> tuple[np.ndarray, np.ndarray]:
        """Scores, and errors of sensors, in one pass over the windows."""

        def measure(residuals, codes):
            errors = self.error_model_.window_errors(residuals, codes)
            return np.column_stack([-errors, _of_sensors(residuals, codes)])

        both = self._measure(windows, measure, (1 + self.n_channels_,))
        return both[:, 0], both[:, 1:]

    def _compared(self, X):
        return self._fitted_windows(X)

    def _fold_at(self, X, positions) -> Self:
        """Fit a detector like this one, and of its sizes, on windows at positions of X.

        Its errors are in the units of this one.
        """
        fold = copy.copy(self)
        fold._learns_reference = False
        with self._computing():
            fold._learn_fold(Windows(X, positions))
        own = self.error_model_
        if hasattr(own, "_with_codes_of"):
            fold.error_model_ = own._with_codes_of(fold.error_model_)
        return fold

    @abstractmethod
    def _learn_fold(self, windows) -> None:
        """Learn from some of the windows, in sizes that were learnt from all."""


def _of_sensors(residuals, codes) -> np.ndarray:
    """Mean absolute residual of every channel, (n_windows, n_channels)."""
    return np.abs(residuals).mean(axis=1)
