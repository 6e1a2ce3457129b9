"""The windows that cover one segment of a table, and what they say of its rows."""

from dataclasses import dataclass

import numpy as np

from skad.series._aggregate import (
    aggregate_shares,
    aggregate_timesteps,
    aggregate_windows,
)
from skad.series._windows import as_slice, window_starts, windows_view

# Values of windows that are scored at once; detectors of others copy them.
_VALUES_AT_ONCE = 2**20


@dataclass(frozen=True, eq=False)
class CoveredSegment:
    """Windows that cover consecutive rows; `cover_segment` cuts them."""

    view: np.ndarray  # the windows from every row on, as rows
    starts: np.ndarray  # first rows of those that are scored
    n_rows: int
    window_length: int
    n_padded: int  # rows put in front of a segment shorter than a window
    how: str
    level: str

    @property
    def _block(self) -> int:
        """Windows at once: whole blocks of skad's detectors, which score 64 at once."""
        return max(64, _VALUES_AT_ONCE // self.view.shape[1] // 64 * 64)

    @property
    def _shape(self) -> tuple[np.ndarray, int, int]:
        return self.starts, self.window_length, self.n_rows

    def _windows(self, i, j) -> np.ndarray:
        return self.view[as_slice(self.starts[i:j])]

    def scores(self, detector) -> np.ndarray:
        """Score the rows with a detector of windows."""
        aggregate, score = aggregate_windows, detector.score_samples
        if self.level == "timestep":
            aggregate, score = aggregate_timesteps, detector.score_timesteps

        def errors_of(i, j):
            return -score(self._windows(i, j))

        errors = aggregate(errors_of, *self._shape, self.how, self._block)
        errors = errors[self.n_padded :]
        return np.negative(errors, out=errors)  # no second array of the table's length

    def contributions(self, detector) -> np.ndarray:
        """Share out the scores of the rows to channels."""

        def shares_of(i, j):
            return detector.explain(self._windows(i, j))

        shares = aggregate_shares(
            shares_of, *self._shape, self.how, self.level, self._block
        )
        return shares[self.n_padded :]


def cover_segment(rows, window_length, stride, how, level) -> CoveredSegment:
    """Cut one segment; a short one is padded in front with its first row."""
    n_missing = max(0, window_length - len(rows))
    if n_missing:
        rows = np.concatenate([np.repeat(rows[:1], n_missing, axis=0), rows])
    starts = window_starts([(0, len(rows))], window_length, stride)
    view = windows_view(rows, window_length)
    return CoveredSegment(view, starts, len(rows), window_length, n_missing, how, level)
