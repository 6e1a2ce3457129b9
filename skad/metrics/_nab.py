"""The score of the Numenta Anomaly Benchmark (NAB)."""

from __future__ import annotations

from numbers import Real
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._fitting import with_standard_numbers
from skad.metrics._inputs import SHARED, read_labels
from skad.series._events import find_ranges
from skad.series._rows import MaxGap


class _Weights(NamedTuple):
    """What a found window, a false alarm and a missed window weigh."""

    found: float
    false: float
    missed: float


_PROFILES = {
    "standard": _Weights(1.0, 0.11, 1.0),
    "reward_low_fp": _Weights(1.0, 0.22, 1.0),
    "reward_low_fn": _Weights(1.0, 0.11, 2.0),
}
_MOST_PROBATION = 5000  # rows of a series that the share of probation is taken of


@with_standard_numbers
@add_parameters(SHARED)
def nab_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    profile: Literal["standard", "reward_low_fp", "reward_low_fn"] = "standard",
    probation: float = 0.15,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Score early detection within windows, as the Numenta Anomaly Benchmark does.

    Parameters
    ----------
    profile : {"standard", "reward_low_fp", "reward_low_fn"}, default="standard"
        Weights of found windows, false alarms and missed windows: 1, 0.11 and 1; 1,
        0.22 and 1; or 1, 0.11 and 2.
    probation : float, default=0.15
        Share of the rows of each series, of 5000 at most, that are not judged, at its
        start, since the benchmark's detectors learn there; in [0, 1). Use 0 if
        detectors were fitted on other rows.
    zero_division : float, default=np.nan
        What to return if there is no true event after the probation.

    Returns
    -------
    score : float
        100 for a perfect detector, 0 for one that predicts nothing, below 0 for many
        false alarms, without bound; higher = better.

    See Also
    --------
    detection_delay : How early, in rows or time.
    false_alarms_per_day : How often false alarms occur.

    Notes
    -----
    True events are the windows of the benchmark, whose labels are made much longer than
    the anomalies, so that early detection can be told. With s(x) = 2 / (1 + exp(5 x)) -
    1, and -1 from x = 3 on, over all series [1]_:

    - a window of n rows whose first predicted row is its i-th gets the weight of found
      windows times s(-(n - i + 1) / n) / s(-1), from 1 in its first row down to nearly
      0 in its last; one without predicted rows gets minus that of missed windows;
    - a predicted row that is d rows after the last window of n rows in its series gets
      the weight of false alarms times s(d / (n - 1)), which is at most 0, and nears -1;
      times -1 before the first window, and after one of a single row.

    The sum is scaled so that no prediction is 0, and finding each window in its first
    row 100. Several series are judged together. A window that ends within the probation
    does not count; of one that begins in it only later rows are judged. Rows of a
    series count on after gaps. This is the arithmetic of the benchmark's code, which
    also chooses the best threshold over all files, and divides by zero where a window
    has one row.

    *Random predictions* pay for their false alarms: flagging all rows, with the share p
    of anomalies in windows of n rows, gets about 100 - 5.5 n (1 - p) / p, far below 0;
    few random alarms get about 0.

    Reasons not to use it: each predicted row is a false alarm, so that one long alarm
    costs as much as many; the score depends on how long the labelled windows are; its
    weights were made for the benchmark; and alarms soon after a window are free.

    References
    ----------
    .. [1] A. Lavin and S. Ahmad, "Evaluating Real-time Anomaly Detection Algorithms -
       the Numenta Anomaly Benchmark", ICMLA 2015, arXiv:1510.03336.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import nab_score
    >>> y_true = np.repeat([0, 1, 0, 1, 0], [50, 20, 30, 20, 30])
    >>> y_pred = np.isin(np.arange(150), [30, 55, 56])
    >>> round(nab_score(y_true, y_pred), 1)
    46.4
    >>> nab_score(y_true, y_true), nab_score(y_true, np.zeros(150))
    (100.0, 0.0)
    """
    if not isinstance(profile, str) or profile not in _PROFILES:
        names = ", ".join(map(repr, _PROFILES))
        raise ValueError(f"profile={profile!r}; expected one of {names}.")
    if not isinstance(probation, Real) or not 0 <= probation < 1:
        raise ValueError(
            f"probation={probation!r}; expected a share from 0 to below 1."
        )
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    weights = _PROFILES[profile]
    is_judged, starts = _after_probation(rows, probation)
    first, last = find_ranges(truth, rows.segments)
    is_window = is_judged[last]
    if not is_window.any():
        return float(zero_division)
    judged = judged & is_judged
    found = _found_windows(judged, first[is_window], last[is_window])
    reward = weights.found * found.sum() - weights.missed * (found == 0).sum()
    reward += weights.false * _false_alarms(judged & ~truth, first, last, starts).sum()
    n_windows = len(found)
    lowest, highest = -weights.missed * n_windows, weights.found * n_windows
    return float(100 * (reward - lowest) / (highest - lowest))


def _after_probation(rows, probation) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each row is judged, and the first row of its series."""
    begin = np.flatnonzero(np.r_[True, rows.begins_series])
    lengths = np.diff(np.r_[begin, len(rows)])
    starts = np.repeat(begin, lengths)
    n_skipped = np.minimum(np.floor(probation * lengths), probation * _MOST_PROBATION)
    place = np.arange(len(rows)) - starts
    return place >= np.repeat(n_skipped, lengths), starts


def _found_windows(judged, first, last) -> NDArray[np.float64]:
    """Reward of each window for its first predicted row, from 1 down; 0 if missed."""
    flagged = np.append(np.flatnonzero(judged), len(judged))
    row = flagged[np.searchsorted(flagged, first)]
    is_found = row <= last
    place = -(last - row + 1) / (last - first + 1)
    return np.where(is_found, _sigmoid(place) / _sigmoid(-1.0), 0.0)


def _false_alarms(is_false, first, last, starts) -> NDArray[np.float64]:
    """Reward of each false alarm, by how soon after a window it is; from 0 to -1."""
    row = np.flatnonzero(is_false)
    before = np.searchsorted(last, row) - 1  # the last window that ends before it
    has_window = (before >= 0) & (last[before] >= starts[row])
    length = np.where(has_window, last[before] - first[before] + 1, 1)
    is_long = length > 1
    place = np.full(len(row), np.inf)
    np.divide(row - last[before], length - 1, out=place, where=is_long)
    return _sigmoid(place)


def _sigmoid(place) -> NDArray[np.float64]:
    place = np.asarray(place, dtype=float)
    return np.where(place >= 3, -1.0, 2 / (1 + np.exp(5 * np.clip(place, -2, 4))) - 1)
