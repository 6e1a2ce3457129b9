"""Rows of one segment of a table, scored by the windows that cover them."""

import numpy as np
from sklearn.utils import gen_batches

from skad._nesting import explain_inside
from skad.series._aggregate import (
    aggregate_shares,
    aggregate_timesteps,
    aggregate_windows,
)
from skad.series._windows import as_slice, window_starts, windows_view

# Values of windows that are scored at once; detectors of others copy them.
_VALUES_AT_ONCE = 2**20


def score_segment(rows, detector, window_length, stride, how, level) -> np.ndarray:
    """Score the rows with a detector of windows.

    Or with several: a list of (first row, detector), ascending, each for the windows
    that start from its row on.
    """
    view, starts, n_padded = _cut(rows, window_length, stride)
    detectors = detector if isinstance(detector, list) else [(0, detector)]
    method, aggregate = "score_samples", aggregate_windows
    if level == "timestep":
        method, aggregate = "score_timesteps", aggregate_timesteps

    def errors_of(i, j):
        at = starts[i:j]
        parts = np.split(at, np.searchsorted(at, [row for row, _ in detectors[1:]]))
        return -np.concatenate(
            [
                getattr(one, method)(view[as_slice(part)])
                for part, (_, one) in zip(parts, detectors, strict=True)
                if len(part)
            ]
        )

    n_rows = n_padded + len(rows)
    errors = aggregate(errors_of, starts, window_length, n_rows, how, _block(view))
    errors = errors[n_padded:]
    return np.negative(errors, out=errors)  # no second array of the table's length


def explain_segment(rows, detector, window_length, stride, how, level) -> np.ndarray:
    """Share out the scores of the rows to channels."""
    view, starts, n_padded = _cut(rows, window_length, stride)

    def shares_of(i, j):
        return explain_inside(detector, view[as_slice(starts[i:j])])

    shape = starts, window_length, n_padded + len(rows)
    return aggregate_shares(shares_of, *shape, how, level, _block(view))[n_padded:]


def expect_segment(rows, expect, window_length) -> np.ndarray:
    """Average the expected values of a row over windows that cover it.

    ``expect(windows)`` returns those of windows. A quarter of a window apart, they give
    nearly the mean over all windows.
    """
    view, starts, n_padded = _cut(rows, window_length, max(1, window_length // 4))
    n_rows, n_channels = n_padded + len(rows), rows.shape[1]
    sums, counts = np.zeros((n_rows, n_channels)), np.zeros((n_rows, 1))
    for at in gen_batches(len(starts), _block(view)):
        windows = expect(view[starts[at]]).reshape(-1, window_length, n_channels)
        for step in range(window_length):  # in which no two windows meet
            sums[starts[at] + step] += windows[:, step]
            counts[starts[at] + step] += 1
    return (sums / counts)[n_padded:]


def average_of_lags(windows, bounds) -> np.ndarray:
    """Average each row over the windows that cover it, of which one ends at each.

    (n_rows, window_length, n_channels) -> (n_rows, n_channels); bounds of segments.
    """
    n_rows, window_length, n_channels = windows.shape
    sums, counts = np.zeros((n_rows, n_channels)), np.zeros((n_rows, 1))
    for first, stop in bounds:
        for lag in range(min(window_length, stop - first)):
            rows = slice(first, stop - lag)
            sums[rows] += windows[first + lag : stop, window_length - 1 - lag]
            counts[rows] += 1
    return sums / counts


def _cut(rows, window_length, stride) -> tuple[np.ndarray, np.ndarray, int]:
    """Windows from every row on, first rows of those to score, number of padded rows.

    A segment shorter than a window is padded in front with its first row.
    """
    n_padded = max(0, window_length - len(rows))
    if n_padded:
        rows = np.concatenate([np.repeat(rows[:1], n_padded, axis=0), rows])
    starts = window_starts([(0, len(rows))], window_length, stride)
    return windows_view(rows, window_length), starts, n_padded


def _block(view) -> int:
    return windows_at_once(view.shape[1])


def windows_at_once(n_values: int) -> int:
    """Windows of so many values to score in one call of the detector.

    Whole blocks of skad's detectors, which score 64 at once.
    """
    return max(64, _VALUES_AT_ONCE // n_values // 64 * 64)
