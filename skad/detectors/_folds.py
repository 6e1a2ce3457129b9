"""Windows that are left out in turn, and scored by models that have not learnt them."""

import copy
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Self

import numpy as np

from skad.calibration._blocks import blocks_of, overlap_of_rows, run_blocks
from skad.calibration._fit import N_BLOCKS, CalibratedThreshold
from skad.detectors._windows import Windows


class LeavesOut(CalibratedThreshold):
    """Mixin of detectors of windows: how blocks of these are left out.

    A subclass writes `_learn_fold`.
    """

    n_channels_: int
    error_model_: Any

    _learns_reference = True  # which what is left out needs none of

    def _learning(self) -> AbstractContextManager:
        """Enter what surrounds `_learn` and the threshold."""
        return nullcontext()

    _n_blocks: ClassVar[int] = N_BLOCKS

    def _left_out_scores(self, windows, learnt):
        blocks = blocks_of(
            windows.rows,
            np.isin(windows.rows, learnt.rows),
            self._reach_of(windows),
            self._n_blocks,
        )
        folds = run_blocks(
            self._scores_of_fold,
            [(windows, train, judged, len(learnt)) for train, judged in blocks],
        )
        scores, numbers = np.full(len(windows), np.nan), np.full(len(windows), -1)
        for number, (_, judged) in enumerate(blocks):
            scores[judged], numbers[judged] = folds[number], number
        return scores, numbers

    def _scores_of_fold(self, windows, train, judged, n_all):
        fold = self._fold_at(windows.X, windows.rows[train], n_all)
        return fold._scores_of(Windows(windows.X, windows.rows[judged]))

    def _reach_of(self, windows):
        first = windows.rows[0]
        return overlap_of_rows(windows.X[first : first + 64], self.n_channels_)

    def _without(self, windows, odd):
        return Windows(windows.X, windows.rows[~odd])

    def _rows_of(self, windows):
        return windows.rows

    def _fold_at(self, X, positions, n_all) -> Self:
        """Fit such a fold on windows at positions of X, for a detector around this."""
        one = copy.copy(self)  # which keeps what belongs to a run
        with one._learning():
            return one._fold_from(Windows(X, positions), n_all)

    def _fold_from(self, windows, n_all) -> Self:
        """Fit a detector like this one, and of its sizes, on some of the windows.

        Its errors are in the units of this one.
        """
        fold = copy.copy(self)
        fold._learns_reference = False
        fold._learn_fold(windows, n_all)
        own = self.error_model_
        if hasattr(own, "_with_codes_of"):
            fold.error_model_ = own._with_codes_of(fold.error_model_)
        return fold

    def _learn_fold(self, windows, n_all) -> None:
        """Learn from some of `n_all` windows, in sizes that were learnt from all."""
        raise NotImplementedError(f"{type(self).__name__} lacks _learn_fold.")
