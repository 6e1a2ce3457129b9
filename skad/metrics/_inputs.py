"""Labels, predictions and scores as metrics of events read them."""

from __future__ import annotations

from numbers import Real

import numpy as np

from skad._validation import (
    check_array,
    check_consistent_length,
    check_outlier_labels,
    column_or_1d,
)
from skad.series._rows import Rows, index_of, read_index

SHARED = """
    y_true : array-like of shape (n_timestamps,)
        True labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1
        (anomaly). Ones alone are read as normal.
    y_pred : array-like of shape (n_timestamps,)
        Predictions in either of the two codings.
    y_score : array-like of shape (n_timestamps,)
        Scores, higher = more anomalous, as in scikit-learn's `roc_auc_score`: pass
        ``-detector.score_samples(X)``. Only their order counts.
    beta : float, default=1.0
        Weight of recall, above 0: below 1 precision counts more, above 1 recall does.
    index : array-like of shape (n_timestamps,), default=None
        Times of the rows: dates, durations or numbers; the last level of a MultiIndex,
        whose other levels name the series. If None, the index of `y_true` if it has
        one. Events cross neither series nor gaps in time; those of all series are
        judged together. docs/measured/metrics.md says what else holds for all metrics.
    max_gap : number or timedelta-like, default=None
        A longer step in the time index is a gap. None: 5 times the median step.

    Raises
    ------
    ValueError
        If labels or predictions are in neither coding, scores are missing or infinite,
        there are no rows, lengths differ, the times of a series are missing, doubled or
        out of order, or another parameter is not as described above.
"""


def read_labels(y_true, y_pred, index, max_gap) -> tuple[np.ndarray, np.ndarray, Rows]:
    """Read labels as booleans, and the rows that they belong to."""
    truth = check_outlier_labels(y_true, name="y_true")
    judged = check_outlier_labels(y_pred, name="y_pred")
    check_consistent_length(truth, judged)
    index = index_of(y_true) if index is None else index
    rows = read_index(index, len(truth), max_gap)
    return rows.group(truth), rows.group(judged), rows


def read_scores(y_true, y_score, index, max_gap) -> tuple[np.ndarray, np.ndarray, Rows]:
    """Read labels as booleans, scores as floats, and the rows that they belong to."""
    truth = check_outlier_labels(y_true, name="y_true")
    scores = column_or_1d(y_score)
    check_consistent_length(truth, scores)
    index = index_of(y_true) if index is None else index
    rows = read_index(index, len(truth), max_gap)
    scores = check_array(
        scores, ensure_2d=False, dtype=np.float64, input_name="y_score"
    )
    return rows.group(truth), rows.group(scores), rows


def check_beta(beta) -> None:
    """Refuse what is no weight of recall."""
    if not isinstance(beta, Real) or not 0 < float(beta) < np.inf:
        raise ValueError(f"beta={beta!r}; expected a finite number > 0.")


def count_inside(flags, first, last) -> np.ndarray:
    """Count the flags in each range."""
    before = np.r_[0, np.cumsum(flags)]
    return before[last + 1] - before[first]


def harmonic_mean(precision, recall, beta) -> float:
    """F-beta of precision and recall, 0 if both are 0."""
    total = beta**2 * precision + recall
    return float((1 + beta**2) * precision * recall / total) if total > 0 else 0.0
