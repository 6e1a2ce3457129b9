"""F-beta with the recall of events, and the best F-beta of all thresholds."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._fitting import with_standard_numbers
from skad.metrics._inputs import (
    SHARED,
    check_beta,
    count_inside,
    harmonic_mean,
    read_labels,
    read_scores,
)
from skad.series._events import find_ranges
from skad.series._rows import MaxGap


@with_standard_numbers
@add_parameters(SHARED)
def composite_fbeta_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    beta: float = 1.0,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """F-beta of the precision of rows and the recall of events.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What to return if no row is an anomaly and none is predicted to be one. If only
        one of the two holds, F-beta is 0.

    Returns
    -------
    fbeta : float
        In [0, 1], higher = better.

    See Also
    --------
    best_fbeta_score : The best over all thresholds, with ``recall="events"``.
    event_fbeta_score : Precision of events, too.

    Notes
    -----
    F_beta = (1 + beta^2) P R / (beta^2 P + R), P being the share of anomalies among the
    predicted rows, and R the share of the true events with any predicted row [1]_.

    *Random predictions* get a precision of p, the share of anomalies, and the recall of
    events nears 1 with their number: an F1 of up to 2 p / (1 + p), which flagging all
    rows gets, too.

    Reasons not to use it: a single row of each event is enough for 1, so that it tells
    nothing of how long, or how soon, events are found; see `detection_delay`.

    References
    ----------
    .. [1] A. Garg et al., "An Evaluation of Anomaly Detection and Diagnosis in
       Multivariate Time Series", IEEE TNNLS 33(6), 2022, arXiv:2109.11428.

    Examples
    --------
    >>> from skad import composite_fbeta_score
    >>> y_true = [0, 1, 1, 1, 1, 0, 1, 0]
    >>> y_pred = [0, 0, 1, 0, 0, 0, 0, 1]
    >>> composite_fbeta_score(y_true, y_pred)
    0.5
    """
    check_beta(beta)
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    if not (truth.any() or judged.any()):
        return float(zero_division)
    if not (truth.any() and judged.any()):
        return 0.0
    first, last = find_ranges(truth, rows.segments)
    recall = (count_inside(judged, first, last) > 0).mean()
    return harmonic_mean(truth[judged].mean(), recall, beta)


@with_standard_numbers
@add_parameters(SHARED)
def best_fbeta_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    beta: float = 1.0,
    recall: Literal["rows", "events"] = "rows",
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Find the highest F-beta of rows that any threshold of the scores gets.

    .. warning::
       The threshold is found on the rows that are judged: it is what a detector could
       get with a perfect threshold, not what it gets. Papers report it as if it were
       that. `evaluate` finds thresholds on other rows.

    Parameters
    ----------
    recall : {"rows", "events"}, default="rows"
        Whose recall: "rows", or "events" for the best `composite_fbeta_score`.
    zero_division : float, default=np.nan
        What to return if no row is an anomaly.

    Returns
    -------
    fbeta : float
        In [0, 1], higher = better.

    See Also
    --------
    FBetaThreshold : Finds a threshold that can be used on other rows.
    sklearn.metrics.average_precision_score : Averages over thresholds.

    Notes
    -----
    All thresholds are tried, and rows of equal scores are predicted together. Several
    series are judged together, with one threshold.

    *Random scores*, and equal ones, get the F-beta of flagging all rows, for beta = 1
    that is 2 p / (1 + p) with the share p of anomalies: never less, however bad the
    scores. With few anomalies random scores get more by luck.

    Reasons not to use it: the warning above; and it grows with the number of thresholds
    tried, which for detectors with few distinct scores is smaller.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import best_fbeta_score
    >>> y_true = [0, 1, 1, 1, 0, 0, 1, 0]
    >>> y_score = [1, 2, 5, 1, 0, 3, 4, 0]
    >>> best_fbeta_score(y_true, y_score)
    0.8
    >>> best_fbeta_score(y_true, y_score, recall="events")
    1.0
    >>> round(best_fbeta_score(y_true, np.zeros(8)), 3)  # flags all rows
    0.667
    """
    check_beta(beta)
    if recall not in ("rows", "events"):
        raise ValueError(f"recall={recall!r}; expected 'rows' or 'events'.")
    truth, scores, rows = read_scores(y_true, y_score, index, max_gap)
    if not truth.any():
        return float(zero_division)
    levels, level = np.unique(scores, return_inverse=True)
    n_hits = _count_from_top(level[truth], len(levels))
    precision = n_hits / _count_from_top(level, len(levels))
    n_found = n_hits
    if recall == "events":
        first, last = find_ranges(truth, rows.segments)
        starts = np.cumsum(last - first + 1) - (last - first + 1)
        n_found = _count_from_top(
            np.maximum.reduceat(level[truth], starts), len(levels)
        )
    share = n_found / n_found[0]
    total = beta**2 * precision + share
    found = total > 0
    values = (1 + beta**2) * precision[found] * share[found] / total[found]
    return float(values.max())


def _count_from_top(levels, n_levels) -> NDArray[np.int64]:
    """Count at each level what is there or above."""
    return np.cumsum(np.bincount(levels, minlength=n_levels)[::-1])[::-1]
