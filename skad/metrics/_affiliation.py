"""Precision and recall by the distance between predictions and events.

By A. Huet, J. M. Navarro and D. Rossi, "Local Evaluation of Time Series Anomaly
Detection Algorithms", KDD 2022.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._fitting import with_standard_numbers
from skad.metrics._inputs import SHARED, check_beta, harmonic_mean, read_labels
from skad.series._events import find_ranges
from skad.series._rows import MaxGap


class AffiliationScores(NamedTuple):
    """Affiliation precision, recall and F-beta."""

    precision: float
    recall: float
    fbeta: float


@with_standard_numbers
@add_parameters(SHARED)
def affiliation_scores(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    beta: float = 1.0,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> AffiliationScores:
    """Precision and recall by how near predictions are to events, and the reverse.

    Distances are turned into chances: a predicted row counts as the share of all places
    around its event that are no nearer to it.

    .. warning::
       Random predictions get about 0.5 in precision and more in recall, up to 1 if they
       are many: see Notes. Report it next to those of a random detector.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What precision is if nothing was predicted, recall if there is no true event,
        and F-beta if both hold. If only one of the two holds, F-beta is 0.

    Returns
    -------
    scores : AffiliationScores
        A named tuple of `precision`, `recall` and `fbeta`, each in [0, 1], higher =
        better.

    See Also
    --------
    range_fbeta_score : Asks how much of each event was predicted.
    event_fbeta_score : Asks whether each event was detected.

    Notes
    -----
    Each true event has a zone that ends halfway to the next one, or with the series or
    at a gap. A row takes the time from its number to the next one, and distances are in
    rows, whatever the steps of the index. With Y a random place of the zone [1]_,

    - precision of an event: the mean, over the predicted time x in its zone, of the
      chance that Y is at least as far from the event as x (1 within the event);
    - recall of an event: the mean, over its time y, of the chance that Y is at least as
      far from y as the nearest prediction in the zone; 0 if the zone holds none.

    Precision is the mean over zones with predictions, recall that over all events. The
    integrals are exact. They are those of the authors' package, which refuses labels
    without events and knows a single series: here, a series or stretch between gaps
    without true events is a zone of precision 0 if anything is predicted in it.

    *Random predictions* of single rows get a precision of about (1 + p^2) / 2, p being
    the share of anomalies, and a recall that nears 1 with their number. Flagging all
    rows gets just that precision and a recall of 1: an F1 of 0.67 or more.

    Reasons not to use it: the figures of good and of random detectors are close
    together; a detector that predicts too much is hardly punished; a single event in a
    long series makes "near" mean hundreds of rows; and one false alarm in a zone
    without other predictions weighs as much as a hundred in another.

    References
    ----------
    .. [1] A. Huet, J. M. Navarro and D. Rossi, "Local Evaluation of Time Series Anomaly
       Detection Algorithms", KDD 2022, arXiv:2206.13167.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import affiliation_scores
    >>> y_true = np.repeat([0, 1, 0], [40, 10, 50])
    >>> late = np.roll(y_true, 10)
    >>> precision, recall, f1 = affiliation_scores(y_true, late)
    >>> round(precision, 3), round(recall, 3), round(f1, 3)
    (0.8, 0.9, 0.847)
    >>> round(affiliation_scores(y_true, np.ones(100) > 0).precision, 3)
    0.505
    """
    check_beta(beta)
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    without = float(zero_division)
    if not truth.any():
        value = 0.0 if judged.any() else without
        return AffiliationScores(value, without, value)
    if not judged.any():
        return AffiliationScores(without, 0.0, 0.0)
    zones = _make_zones(truth, rows)
    pieces = _cut(judged, zones, rows)
    precision = float(np.mean(_precisions(pieces, zones, judged, rows)))
    recall = float(np.mean(_recalls(pieces, zones)))
    return AffiliationScores(precision, recall, harmonic_mean(precision, recall, beta))


def affiliation_figure(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    figure: Literal["precision", "recall", "fbeta"] = "fbeta",
    beta: float = 1.0,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Return one of `affiliation_scores`, as scorers need it."""
    where: dict[str, Any] = {
        "index": index,
        "max_gap": max_gap,
        "zero_division": zero_division,
    }
    return getattr(affiliation_scores(y_true, y_pred, beta=beta, **where), figure)


class _Zones(NamedTuple):
    """Events and the zones around them, as intervals of time; (n_events,) each."""

    start: NDArray[np.float64]  # of the event
    stop: NDArray[np.float64]
    begin: NDArray[np.float64]  # of the zone
    end: NDArray[np.float64]


class _Pieces(NamedTuple):
    """Time in zones, cut so that each piece is predicted as a whole or not at all.

    Each is within an event as a whole, or before it, or after it; (n_pieces,) each.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    zone: NDArray[np.int64]
    is_predicted: NDArray[np.bool_]


def _make_zones(truth, rows) -> _Zones:
    first, last = find_ranges(truth, rows.segments)
    start, stop = first.astype(float), last + 1.0
    segment = rows.segments[first]
    begin, end = rows.bounds[segment].astype(float).T
    is_next = np.diff(segment) == 0  # of the same segment as the event before
    halfway = (stop[:-1] + start[1:]) / 2
    begin[1:] = np.where(is_next, halfway, begin[1:])
    end[:-1] = np.where(is_next, halfway, end[:-1])
    return _Zones(start, stop, begin, end)


def _cut(judged, zones, rows) -> _Pieces:
    first, last = find_ranges(judged, rows.segments)
    cuts = np.unique(np.concatenate([first, last + 1, *zones]))
    left, right = cuts[:-1], cuts[1:]
    zone = np.searchsorted(zones.begin, left, side="right") - 1
    is_inside = (zone >= 0) & (right <= zones.end[zone])
    is_predicted = judged[left.astype(np.int64)]
    kept = [x[is_inside] for x in (left, right, zone, is_predicted)]
    return _Pieces(*kept)


def _precisions(pieces, zones, judged, rows) -> NDArray[np.float64]:
    """Precision of each zone with predictions; 0 for segments without an event."""
    left, right, zone, _ = (x[pieces.is_predicted] for x in pieces)
    start, stop, begin, end = (x[zone] for x in zones)
    far_left, far_right = start - begin, end - stop
    is_before, is_after = right <= start, left >= stop
    near = np.where(is_before, start - right, left - stop)
    far = np.where(is_before, start - left, right - stop)
    chance = _area(near, far, far_left) + _area(near, far, far_right)
    is_outside = is_before | is_after
    rewards = np.where(is_outside, chance / (end - begin), right - left)
    n_zones = len(zones.start)
    lengths = np.bincount(zone, right - left, n_zones)
    rewards = np.bincount(zone, rewards, n_zones)
    segments = rows.segments
    has_event = np.zeros(len(rows.bounds), dtype=bool)
    has_event[segments[zones.start.astype(np.int64)]] = True
    is_flagged = np.zeros(len(rows.bounds), dtype=bool)
    is_flagged[segments[judged]] = True
    n_wrong = int((is_flagged & ~has_event).sum())
    found = lengths > 0
    return np.concatenate([rewards[found] / lengths[found], np.zeros(n_wrong)])


def _area(near, far, reach) -> NDArray[np.float64]:
    """Integrate max(0, reach - distance) over distances from near to far."""
    near, far = np.minimum(near, reach), np.minimum(far, reach)
    return (far - near) * (reach - (far + near) / 2)


def _recalls(pieces, zones) -> NDArray[np.float64]:
    """Recall of each event."""
    left, right, zone, is_predicted = pieces
    before = np.maximum.accumulate(np.where(is_predicted, right, -np.inf))
    after = np.where(is_predicted, left, np.inf)
    after = np.minimum.accumulate(after[::-1])[::-1]
    is_inside = (left >= zones.start[zone]) & (right <= zones.stop[zone])
    n_zones, hit = len(zones.start), is_inside & is_predicted
    rewards = np.zeros(n_zones) + np.bincount(zone[hit], (right - left)[hit], n_zones)

    missed = is_inside & ~is_predicted
    left, right, zone, before, after = (
        x[missed] for x in (left, right, zone, before, after)
    )
    begin, end = zones.begin[zone], zones.end[zone]
    before = np.where(before > begin, before, -np.inf)  # else of another zone
    after = np.where(after < end, after, np.inf)
    has_before, has_after = np.isfinite(before), np.isfinite(after)
    middle = np.where(has_before, right, left)
    both = has_before & has_after
    middle[both] = np.clip((before[both] + after[both]) / 2, left[both], right[both])
    # up to the middle the nearest prediction is the one before, then the one after
    chance = np.zeros(len(left))
    of = has_before
    chance[of] = _chances(left[of], middle[of], before[of], begin[of], end[of])
    of = has_after
    mirrored = (-x[of] for x in (right, middle, after, end, begin))
    chance[of] += _chances(*mirrored)
    rewards += np.bincount(zone, chance / (end - begin), n_zones)
    return rewards / (zones.stop - zones.start)


def _chances(left, right, nearest, begin, end) -> NDArray[np.float64]:
    """Integrate, from left to right, the time of a zone that is as far as a prediction.

    For y at the distance d = y - nearest, that is the time up to y - d, which is
    nearest - begin, and the time from y + d on, max(0, end - 2 y + nearest).
    """
    constant = (right - left) * (nearest - begin)
    at_left = np.maximum(end - 2 * left + nearest, 0)
    at_right = np.maximum(end - 2 * right + nearest, 0)
    return constant + (at_left - at_right) * (at_left + at_right) / 4
