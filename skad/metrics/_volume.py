"""Volumes under the surfaces of range-based curves (VUS)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._fitting import with_standard_numbers
from skad.metrics._inputs import read_scores
from skad.series._events import find_ranges
from skad.series._rows import MaxGap, Rows

SHARED = """
    y_true : array-like of shape (n_timestamps,)
        True labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1
        (anomaly). Ones alone are read as normal.
    y_score : array-like of shape (n_timestamps,)
        Scores, higher = more anomalous, as in scikit-learn's `roc_auc_score`: pass
        ``-detector.score_samples(X)``. Only their order counts.
    window : int, default=100
        Longest buffer, in rows: slopes of `window // 2` rows on both sides of each
        event. A period of the series, or twice as many as labels may be off.
    n_thresholds : int or None, default=250
        Number of thresholds, at least 2: scores at evenly spaced ranks. None: all
        distinct scores, which is exact; see the warning at `vus_pr_score`.
    index : array-like of shape (n_timestamps,), default=None
        Times of the rows: dates, durations or numbers; the last level of a MultiIndex,
        whose other levels name the series. If None, the index of `y_true` if it has
        one. Events and slopes cross neither series nor gaps in time.
        docs/measured/metrics.md says what else holds for all metrics.
    max_gap : number or timedelta-like, default=None
        A longer step in the time index is a gap. None: 5 times the median step.

    Raises
    ------
    ValueError
        If labels are in neither coding, scores are missing or infinite, there are no
        rows, lengths differ, the times of a series are missing, doubled or out of
        order, or another parameter is not as described above.
"""


@with_standard_numbers
@add_parameters(SHARED)
def vus_pr_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    window: int = 100,
    n_thresholds: int | None = 250,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Volume under the surface of range-based precision and recall (VUS-PR).

    The area under the curve of precision against recall, averaged over the buffers
    0, 1, ..., `window`: rows near an event count in part, and recall is also that of
    events, however long they are.

    .. warning::
       250 thresholds are too coarse for few anomalies in a long table: the first one
       predicts 1 row, the second already n / 249. Perfect scores, all different, of one
       event of 50 rows in 100,000 get 0.14, and the same scores rounded to 0 and 1 get
       1. Use ``n_thresholds=None`` unless you compare with published figures.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What to return if no row is an anomaly.

    Returns
    -------
    volume : float
        In [0, 1], higher = better. 1 if all rows are anomalies, whatever the scores.

    See Also
    --------
    vus_roc_score : The same for true and false positive rates.
    range_auc_pr_score : For one buffer, which is far faster.
    event_fbeta_score : Judges predictions rather than scores.
    sklearn.metrics.average_precision_score : Without buffers and events.

    Notes
    -----
    With a buffer of w rows, a normal row that is d <= w // 2 rows away from an event
    has the weight sqrt(1 - d / w); those of several events add up to at most 1. With P
    anomalies, and S the sum of the weights of the normal rows that a threshold
    predicts, there are P_w = P + S / 2 positives and TP = (predicted anomalies) + S
    true ones. Then

    - recall = min(TP / P_w, 1) * (share of the events, extended by w // 2 rows, of
      which any row is predicted; extended events that have rows in common are one);
    - precision = TP / (number of predicted rows);

    and the area is the sum of precision times the step in recall, over falling
    thresholds. Rows of equal scores are predicted together. With ``window=0``, all
    thresholds and a single event it is the average precision. Several series are judged
    together, with one threshold.

    This is the definition of the authors' optimised code, which the leaderboard TSB-AD
    uses, too [1]_ [2]_; in their first one, S in P_w is the sum over all rows. The
    window of TSB-AD is the period of each series, which `suggest_window_length` may
    find, too.

    *Random scores* get about the mean weight of the rows, anomalies included, and equal
    scores get just that: ``vus_pr_score(y_true, np.zeros(n))`` is the value to beat. It
    is far above the share of anomalies if events are short. Measured with 20,000 rows
    and a window of 100:

    ==============  =====  =====  =====  =====
    anomalies          1%     5%    10%    20%
    ==============  =====  =====  =====  =====
    events of 1      0.41   0.86   0.93   0.97
    events of 20     0.03   0.16   0.31   0.58
    events of 100    0.01   0.07   0.14   0.28
    events of 1000      -   0.05   0.10   0.21
    ==============  =====  =====  =====  =====

    Reasons not to use it: figures with different windows cannot be compared; alarms
    that begin only after an event are rewarded, within half a window; and it says
    nothing of the threshold that will be used.

    References
    ----------
    .. [1] J. Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation
       Measure for Time-Series Anomaly Detection", PVLDB 15(11), 2022,
       doi:10.14778/3551793.3551830.
    .. [2] Q. Liu and J. Paparrizos, "The Elephant in the Room: Towards A Reliable
       Time-Series Anomaly Detection Benchmark", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import vus_pr_score
    >>> y_true = np.repeat([0, 1, 0], [60, 10, 50])
    >>> late = np.repeat([0.1, 0.9, 0.1], [65, 10, 45])
    >>> round(vus_pr_score(y_true, late, window=20), 3)
    0.621
    >>> round(vus_pr_score(y_true, late, window=0), 3)
    0.292
    >>> round(vus_pr_score(y_true, np.zeros(120), window=20), 3)
    0.15
    """
    truth, level, rows = read_levels(
        y_true, y_score, window, n_thresholds, index, max_gap
    )
    if not truth.any():
        return float(zero_division)
    return mean_area_pr(truth, level, rows, range(window + 1))


@with_standard_numbers
@add_parameters(SHARED)
def vus_roc_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    window: int = 100,
    n_thresholds: int | None = 250,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Volume under the surface of range-based ROC curves (VUS-ROC).

    The area under the curve of true against false positive rates, averaged over the
    buffers 0, 1, ..., `window`: rows near an event count in part, and the true positive
    rate is also that of events, however long they are.

    .. warning::
       Random scores do not get 0.5, but up to 0.99: see Notes. Report it next to those
       of random scores, or use `vus_pr_score`.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What to return if no row is an anomaly, or all are.

    Returns
    -------
    volume : float
        In [0, 1], higher = better.

    See Also
    --------
    vus_pr_score : Precision and recall, which fit rare anomalies better.
    range_auc_roc_score : For one buffer, which is far faster.
    sklearn.metrics.roc_auc_score : Without buffers and events.

    Notes
    -----
    The true positive rate is the recall of `vus_pr_score`, whose symbols are used here,
    with the source and the definition. The false positive rate is (predicted rows - TP)
    / (n - P_w), n being the number of rows. The area is that of trapezoids between the
    thresholds, (0, 0) and (1, 1). With ``window=0``, all thresholds and a single event
    it is the area under the ROC curve.

    *Random scores* find each extended event soon, since any row of it is enough, and
    rows near events count twice as much in TP as in P_w. Measured with 20,000 rows and
    a window of 100, scores of rows being independent, and 1 to 20% anomalies: 0.95 to
    0.98 for events of 1 row, 0.76 to 0.84 of 20, 0.59 to 0.63 of 100, and 0.52 of 1000.
    Smooth random scores get less, 0.82 to 0.98 for events of 1 row.

    Further reasons not to use it: a false alarm costs next to nothing if nearly all
    rows are normal; and those of `vus_pr_score`, other than the coarse thresholds.

    References
    ----------
    .. [1] J. Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation
       Measure for Time-Series Anomaly Detection", PVLDB 15(11), 2022,
       doi:10.14778/3551793.3551830.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import vus_roc_score
    >>> y_true = np.repeat([0, 1, 0], [60, 10, 50])
    >>> late = np.repeat([0.1, 0.9, 0.1], [65, 10, 45])
    >>> round(vus_roc_score(y_true, late, window=20), 3)
    0.843
    >>> round(vus_roc_score(y_true, late, window=0), 3)
    0.727
    """
    truth, level, rows = read_levels(
        y_true, y_score, window, n_thresholds, index, max_gap
    )
    if truth.all() or not truth.any():
        return float(zero_division)
    return mean_area_roc(truth, level, rows, range(window + 1))


def mean_area_pr(truth, level, rows, buffers) -> float:
    """Average the areas under the curves of precision and recall of some buffers."""
    n_predicted = np.cumsum(np.bincount(level))
    areas = [
        np.diff(curve.recall, prepend=0.0) @ (curve.n_true / n_predicted)
        for curve in _curves(truth, level, rows, buffers)
    ]
    return float(np.mean(areas))


def mean_area_roc(truth, level, rows, buffers) -> float:
    """Average the areas under the ROC curves of some buffers."""
    n_predicted = np.cumsum(np.bincount(level))
    areas = []
    for curve in _curves(truth, level, rows, buffers):
        false_share = (n_predicted - curve.n_true) / (len(truth) - curve.n_positives)
        areas.append(np.trapezoid(np.r_[0, curve.recall, 1], np.r_[0, false_share, 1]))
    return float(np.mean(areas))


def read_levels(
    y_true, y_score, window, n_thresholds, index, max_gap
) -> tuple[NDArray[np.bool_], NDArray[np.int64], Rows]:
    """Read labels as booleans, scores as levels, and the rows that they belong to."""
    if not isinstance(window, Integral) or window < 0:
        raise ValueError(f"window={window!r}; expected an integer >= 0.")
    truth, scores, rows = read_scores(y_true, y_score, index, max_gap)
    return truth, _levels(scores, n_thresholds), rows


def _levels(scores, n_thresholds) -> NDArray[np.int64]:
    """Find the first threshold, counted from the top, that predicts each row."""
    if n_thresholds is None:
        thresholds, place = np.unique(scores, return_inverse=True)
        return len(thresholds) - 1 - place
    if not isinstance(n_thresholds, Integral) or n_thresholds < 2:
        raise ValueError(
            f"n_thresholds={n_thresholds!r}; expected an integer >= 2, or None."
        )
    ranks = np.linspace(0, len(scores) - 1, n_thresholds).astype(int)
    thresholds = np.sort(scores)[::-1][ranks][::-1]
    return n_thresholds - np.searchsorted(thresholds, scores, side="right")


class _Curve(NamedTuple):
    """At each threshold: recall, true positives, and positives (TPR, TP and P_w)."""

    recall: NDArray[np.float64]
    n_true: NDArray[np.float64]
    n_positives: NDArray[np.float64]


def _curves(truth, level, rows, buffers) -> Iterator[_Curve]:
    """Compute the curve of each of some ascending buffers."""

    def predicted(levels, weights=None):
        return np.cumsum(np.bincount(levels, weights, minlength=n_levels))

    n_levels, n_anomalies = level.max() + 1, truth.sum()
    first, last = find_ranges(truth, rows.segments)
    reach = buffers[-1] // 2
    near, nearest, second = _near_events(truth, first, last, rows, reach)
    near, n_hits = level[near], predicted(level[truth])
    events = _best_of_events(truth, level, first, last, rows)
    slope, extended = np.zeros(reach + 1), -1
    for buffer in buffers:
        half = buffer // 2
        if extended < half:
            best = next(islice(events, half - extended - 1, None))
            share_found = predicted(best) / len(best)
            extended = half
        distance = np.arange(1, half + 1)
        slope[distance] = np.sqrt(1 - distance / buffer)
        # No slope is below sqrt(1 / 2), so that two of them always reach 1.
        weights = np.where(second <= half, 1.0, slope[nearest])
        n_near = predicted(near, weights)
        n_true, n_positives = n_hits + n_near, n_anomalies + n_near / 2
        recall = np.minimum(n_true / n_positives, 1) * share_found
        yield _Curve(recall, n_true, n_positives)


def _near_events(truth, first, last, rows, reach) -> tuple[NDArray[np.int64], ...]:
    """Find the normal rows near events, and how near the two nearest events are."""
    n_rows, n_events = len(truth), len(first)
    normal = np.flatnonzero(~truth)
    n_normal = np.r_[first, n_rows] - np.r_[-1, last] - 1  # before each event
    at = np.repeat(np.arange(n_events + 1), n_normal)  # the event after each row
    # Segments are moved apart, and no event lies within reach of the ends.
    place = np.arange(n_rows) + rows.segments * reach
    starts = np.r_[place[first], [place[-1] + reach + 1] * 2]
    ends = np.r_[[-reach - 1] * 2, place[last]]
    place = place[normal]
    before, after = place - ends[at + 1], starts[at] - place
    nearest = np.minimum(before, after)
    second = np.minimum(place - ends[at], starts[at + 1] - place)
    second = np.minimum(second, np.maximum(before, after))
    is_near = nearest <= reach
    return normal[is_near], nearest[is_near], second[is_near]


def _best_of_events(truth, level, first, last, rows) -> Iterator[NDArray[np.int64]]:
    """Find the lowest level of each event, extended by 0, 1, ... rows and merged."""
    begin, end = rows.bounds[rows.segments[first]].T
    gaps = first[1:] - last[:-1]
    gaps[begin[1:] != begin[:-1]] = np.iinfo(gaps.dtype).max  # never bridged
    lengths = last - first + 1
    best = np.minimum.reduceat(level[truth], np.cumsum(lengths) - lengths)
    for reach in count():
        for row in (
            np.maximum(first - reach, begin),
            np.minimum(last + reach, end - 1),
        ):
            best = np.minimum(best, level[row])
        is_apart = np.r_[True, gaps > 2 * reach]
        yield np.minimum.reduceat(best, np.flatnonzero(is_apart))
