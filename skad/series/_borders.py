"""Where an event begins and ends: flags reach further than what they are of.

A window is flagged for a few odd rows in it, so that flags begin up to a window length
before the first and end as much after the last. The errors of single rows tell where.
"""

from typing import NamedTuple

import numpy as np

# Fewer rows without a flag do not tell what is usual; more than so many are no use.
_FEWEST_NORMAL_ROWS = 20
_MOST_NORMAL_ROWS = 5000
# Smaller squares and larger deviations, in multiples of usual ones, are all the same.
_LEAST, _FARTHEST = 1e-3, 1e9


class _Levels(NamedTuple):
    """Error of a row at the border of an event, and how far from it errors count."""

    border: float
    half_height: float


def trim_events(
    first, last, flags, segments, deviations, weights, window_length
) -> tuple[np.ndarray, np.ndarray]:
    """Find the first and the last odd row of each event.

    `weights` (n_events, n_channels) say whose deviations (n_rows, n_channels) count. At
    most window_length - 1 rows are cut on either side.
    """
    normal = np.flatnonzero(~flags)
    if len(normal) < _FEWEST_NORMAL_ROWS:
        return first, last
    smooth = _smooth(_in_usual_squares(deviations, normal), segments)
    weights = np.nan_to_num(weights)  # of an event without an error
    some = np.linspace(0, len(normal) - 1, min(len(normal), _MOST_NORMAL_ROWS))
    usual = smooth[normal[some.round().astype(int)]]
    begin, end = first.copy(), last.copy()
    for event, (a, b) in enumerate(zip(first, last, strict=True)):
        errors = np.log(smooth[a : b + 1] @ weights[event] + _LEAST)
        levels = _find_levels(errors, np.log(usual @ weights[event] + _LEAST))
        if levels is not None:
            half = levels.half_height
            low, high = _largest_run(np.clip(errors - levels.border, -half, half))
            begin[event] = a + min(low, window_length - 1)
            end[event] = b - min(b - a - high, window_length - 1)
    return begin, end


def _in_usual_squares(deviations, normal) -> np.ndarray:
    """Square deviations in units of those that are usual; 0 where they are missing."""
    sizes = np.nan_to_num(np.abs(deviations), nan=0.0)
    usual = np.median(sizes[normal], axis=0) / 0.6745  # the median of a normal one
    usual = np.where(usual > 0, usual, sizes[normal].mean(axis=0))
    with np.errstate(over="ignore"):  # to infinity, which is cut
        sizes /= np.where(usual > 0, usual, 1.0)
    return np.square(np.minimum(sizes, _FARTHEST))


def _smooth(values, segments) -> np.ndarray:
    """Average each row with its neighbours in the same segment."""
    sums, counts = values.copy(), np.ones((len(values), 1))
    together = np.flatnonzero(segments[1:] == segments[:-1])
    sums[together] += values[together + 1]
    sums[together + 1] += values[together]
    counts[together] += 1
    counts[together + 1] += 1
    return sums / counts


def _find_levels(errors, usual) -> _Levels | None:
    """Place the levels of an event; None if its errors do not stand out of usual ones.

    That happens where other sensors are blamed than those that fail.
    """
    low, high = np.quantile(usual, [0.5, 0.95])
    top = np.quantile(errors, 0.9)
    if (low + top) / 2 <= high:
        return None
    border = max(low + 0.25 * (top - low), high)
    return _Levels(border, min(border - low, top - border))


def _largest_run(heights) -> tuple[int, int]:
    """First and last place of the run with the largest sum, the first of equal ones."""
    sums = np.concatenate([[0.0], np.cumsum(heights)])
    lowest_before = np.minimum.accumulate(sums[:-1])
    last = int(np.argmax(sums[1:] - lowest_before))
    return int(np.argmin(sums[: last + 1])), last
