"""What the threshold rules share: reading scores, counting alarms, cutting between."""

import numpy as np

from skad._validation import (
    ceil_of_share,
    check_array,
    check_consistent_length,
    check_outlier_labels,
    column_or_1d,
    floor_of_share,
)


def check_scores(scores) -> np.ndarray:
    """Scores as a finite float64 vector; (n, 1) is read too."""
    scores = np.asarray(scores)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    return check_array(
        column_or_1d(scores), ensure_2d=False, dtype=np.float64, input_name="scores"
    )


def check_labelled_scores(scores, y, *, remedy="") -> tuple[np.ndarray, np.ndarray]:
    """Scores as `check_scores` reads them, and whether each row is an anomaly."""
    scores = check_scores(scores)
    is_anomaly = check_outlier_labels(y, both_classes=True, remedy=remedy)
    check_consistent_length(scores, is_anomaly)
    return scores, is_anomaly


def threshold_below(ordered, n_below) -> float:
    """Put a threshold above the `n_below` lowest of the scores in ascending order.

    It is the midpoint between two neighbouring distinct scores, so that rounding cannot
    move a row across it. Scores that tie are never separated: all of them stay above.
    """
    n_below = int(np.searchsorted(ordered, ordered[n_below], side="left"))
    if n_below == 0:
        return _next_float(ordered[0], -np.inf)
    return threshold_between(ordered[n_below - 1], ordered[n_below])


def threshold_above(distinct, position) -> float:
    """Put a threshold right above one of the distinct scores in ascending order.

    At position -1 it lies below them all.
    """
    if position < 0:
        return _next_float(distinct[0], -np.inf)
    if position == len(distinct) - 1:
        return _next_float(distinct[-1], np.inf)
    return threshold_between(distinct[position], distinct[position + 1])


def threshold_between(below, above) -> float:
    """Midpoint of two scores; of neighbouring floats the upper one."""
    middle = below / 2 + above / 2  # their difference may overflow
    return float(middle if below < middle < above else above)


def _next_float(value, towards) -> float:
    # infinity follows the largest float, a subnormal number zero
    with np.errstate(over="ignore", under="ignore"):
        return float(np.nextafter(value, towards))


def alarm_counts(scores, is_anomaly) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct scores, ascending, and what thresholds above each would flag.

    That is the number of rows, and of anomalies among them.
    """
    distinct, positions = np.unique(scores, return_inverse=True)
    n_flagged = np.cumsum(np.bincount(positions))
    n_detected = np.cumsum(np.bincount(positions, weights=is_anomaly))
    return distinct, n_flagged, n_detected


def fbeta_curve(scores, is_anomaly, beta) -> tuple[np.ndarray, np.ndarray]:
    """Return the thresholds at which F-beta changes, and F-beta up to each of them.

    From counts, not from precision and recall, so that equal values are equal:
    F-beta = (1 + beta^2) TP / (beta^2 (TP + FN) + TP + FP). Up to the lowest score,
    which is not below itself, nothing is flagged and F-beta is 0.
    """
    distinct, n_flagged, n_detected = alarm_counts(scores, is_anomaly)
    fbeta = (1 + beta**2) * n_detected / (beta**2 * is_anomaly.sum() + n_flagged)
    above_all = _next_float(distinct[-1], np.inf)
    return np.append(distinct, above_all), np.append(0.0, fbeta)


def first_best(fbeta) -> int:
    """Position of the lowest of the best thresholds: values equal but for rounding."""
    return int(np.argmax(fbeta >= fbeta.max() * (1 - 1e-12)))


def quantile(ordered, share) -> float:
    """Quantile between scores in ascending order, interpolated linearly.

    One that is a score is exactly that score, whatever the sizes of the others.
    """
    n = len(ordered) - 1
    low = floor_of_share(share, n)
    weight = min(max(share * n - low, 0.0), 1.0)
    if low == ceil_of_share(share, n):
        return float(ordered[low])
    below, above = ordered[low], ordered[low + 1]
    return float(np.clip(below * (1 - weight) + above * weight, below, above))


def distances(scores, centre) -> tuple[np.ndarray, int]:
    """Distances from a centre in the units of `in_units`, and the exponent of these."""
    # differences of the largest floats overflow
    halvings = int(np.abs(scores).max(initial=0) > 1e300)
    halves = np.ldexp(scores, -halvings) - np.ldexp(centre, -halvings)
    scaled, exponent = in_units(halves)
    return np.abs(scaled), exponent + halvings


def in_units(scores) -> tuple[np.ndarray, int]:
    """Scores as multiples of a power of two, below 1 in size, and its exponent.

    Sums and squares of these are finite. Scaling by a power of two rounds nothing, but
    for numbers that are nothing beside the largest.
    """
    exponent = int(np.frexp(np.abs(scores).max(initial=0))[1])
    return np.ldexp(scores, -exponent), exponent


def from_units(value, exponent) -> float:
    """Undo `in_units`; what is too large for a float becomes infinite."""
    with np.errstate(over="ignore"):
        return float(np.ldexp(value, exponent))
