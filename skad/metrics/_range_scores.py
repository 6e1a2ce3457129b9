"""Precision and recall of ranges: how much of each event, where, and in how many parts.

By N. Tatbul et al., "Precision and Recall for Time Series", NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._fitting import with_standard_numbers
from skad.metrics._inputs import SHARED, check_beta, harmonic_mean, read_labels
from skad.series._events import find_ranges
from skad.series._rows import MaxGap

Bias = Literal["flat", "front", "middle", "back"] | Callable[..., ArrayLike]
Cardinality = Literal["one", "reciprocal"] | Callable[..., ArrayLike]

_BIASES: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "flat": lambda place, length: np.ones(len(place)),
    "front": lambda place, length: length - place + 1.0,
    "middle": lambda place, length: np.where(
        place <= length / 2, place, length - place + 1.0
    ),
    "back": lambda place, length: place.astype(float),
}
_CARDINALITIES: dict[str, Callable[[NDArray], NDArray]] = {
    "one": lambda n_parts: np.ones(len(n_parts)),
    "reciprocal": lambda n_parts: 1 / n_parts,
}

_OWN = """
    alpha : float, default=0.0
        Weight of existence, in [0, 1]: what a true event gets for having any predicted
        row. The rest is for how much of it is predicted.
    bias : {"flat", "front", "middle", "back"} or callable, default="flat"
        Which rows of an event count most. Of those at the places i = 1, ..., n, "flat":
        all alike; "front": n - i + 1, so that early detection pays; "back": i;
        "middle": i in the first half, then n - i + 1. A callable ``bias(i, n)`` gets
        two arrays of integers and returns as many weights >= 0.
    cardinality : {"one", "reciprocal"} or callable, default="reciprocal"
        What an event keeps of its overlap if it lies in x > 1 parts: "one": all;
        "reciprocal": 1 / x. A callable ``cardinality(x)`` gets an array of integers > 1
        and returns as many factors in [0, 1].
"""


@with_standard_numbers
@add_parameters(_OWN + SHARED)
def range_precision_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    bias: Bias = "flat",
    cardinality: Cardinality = "reciprocal",
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Mean share of each predicted event that lies in true ones.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What to return if no event was predicted.

    Returns
    -------
    precision : float
        In [0, 1], higher = better.

    See Also
    --------
    range_recall_score : The same for true events.
    range_fbeta_score : Precision and recall in one figure.
    event_precision_score : Counts any overlap as a whole one.

    Notes
    -----
    A predicted event gets (sum of the weights of its anomalous rows) / (sum of those of
    all its rows), times `cardinality` of the number of true events that it overlaps;
    precision is the mean over predicted events [1]_. The weights are those of `bias`;
    the source advises "flat" for precision, since a false alarm is as bad in any place.

    *Random predictions* get the share of anomalies; so does one event that holds all
    rows, or 1 / x of that if there are x true ones.

    Reasons not to use it: an event counts as much as another one, however long: many
    single rows that are right make up for a false alarm of hours. One long alarm that
    covers two events loses half of its precision with "reciprocal".

    References
    ----------
    .. [1] N. Tatbul et al., "Precision and Recall for Time Series", NeurIPS 2018,
       arXiv:1803.03639.

    Examples
    --------
    >>> from skad import range_precision_score
    >>> y_true = [0, 1, 1, 0, 1, 1, 0, 0]
    >>> y_pred = [1, 1, 1, 1, 0, 0, 0, 1]
    >>> range_precision_score(y_true, y_pred)
    0.25
    """
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    segments = rows.segments
    return _mean_reward(judged, truth, segments, 0.0, bias, cardinality, zero_division)


@with_standard_numbers
@add_parameters(_OWN + SHARED)
def range_recall_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    alpha: float = 0.0,
    bias: Bias = "flat",
    cardinality: Cardinality = "reciprocal",
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Mean share of each true event that was predicted, and whether it was at all.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What to return if there is no true event.

    Returns
    -------
    recall : float
        In [0, 1], higher = better.

    See Also
    --------
    range_precision_score : The same for predicted events.
    range_fbeta_score : Precision and recall in one figure.
    event_recall_score : Counts any overlap; it is this with ``alpha=1``.
    detection_delay : How late events were detected, in rows or time.

    Notes
    -----
    A true event gets ``alpha * (any row is predicted) + (1 - alpha) *
    cardinality(number of predicted events that it overlaps) * (sum of the weights of
    its predicted rows) / (sum of those of all its rows)``; recall is the mean over true
    events [1]_. The weights are those of `bias`.

    *Random predictions* of a share q of the rows get about q, with any bias, at
    ``alpha=0`` and ``cardinality="one"``, and far less with "reciprocal" if events are
    long: they overlap many single rows. Flagging all rows gets 1.

    Reasons not to use it: figures with another `alpha`, `bias` or `cardinality` cannot
    be compared, and papers often do not tell theirs; labels whose borders are inexact
    make the bias meaningless; and "reciprocal" punishes a flicker within an event as
    hard as missing half of it.

    References
    ----------
    .. [1] N. Tatbul et al., "Precision and Recall for Time Series", NeurIPS 2018,
       arXiv:1803.03639.

    Examples
    --------
    >>> from skad import range_recall_score
    >>> y_true = [0, 1, 1, 1, 1, 0, 1, 0]
    >>> y_pred = [0, 1, 0, 0, 1, 0, 0, 0]
    >>> range_recall_score(y_true, y_pred)
    0.125
    >>> range_recall_score(y_true, y_pred, cardinality="one")
    0.25
    >>> range_recall_score(y_true, y_pred, alpha=0.5)
    0.3125
    """
    _check_share("alpha", alpha)
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    segments = rows.segments
    return _mean_reward(
        truth, judged, segments, alpha, bias, cardinality, zero_division
    )


@with_standard_numbers
@add_parameters(_OWN + SHARED)
def range_fbeta_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    beta: float = 1.0,
    alpha: float = 0.0,
    bias: Bias = "flat",
    precision_bias: Bias = "flat",
    cardinality: Cardinality = "reciprocal",
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """F-beta of ranges, from `range_precision_score` and `range_recall_score`.

    Parameters
    ----------
    bias : {"flat", "front", "middle", "back"} or callable, default="flat"
        Which rows of a true event count most in recall; see `range_recall_score`.
    precision_bias : {"flat", "front", "middle", "back"} or callable, default="flat"
        The same for predicted events, in precision.
    zero_division : float, default=np.nan
        What to return if there is no true event and none was predicted. If only one of
        the two holds, F-beta is 0.

    Returns
    -------
    fbeta : float
        In [0, 1], higher = better.

    See Also
    --------
    event_fbeta_score : Counts any overlap of events as a whole one.
    affiliation_scores : Asks how near predictions are to events.

    Notes
    -----
    F_beta = (1 + beta^2) P R / (beta^2 P + R) [1]_. For what random predictions get,
    and why one might not use it, see the two.

    References
    ----------
    .. [1] N. Tatbul et al., "Precision and Recall for Time Series", NeurIPS 2018,
       arXiv:1803.03639.

    Examples
    --------
    >>> from skad import range_fbeta_score
    >>> y_true = [0, 1, 1, 1, 1, 0, 0, 0]
    >>> y_pred = [0, 0, 0, 1, 1, 1, 1, 0]
    >>> range_fbeta_score(y_true, y_pred)
    0.5
    >>> round(range_fbeta_score(y_true, y_pred, bias="front"), 3)
    0.375
    """
    check_beta(beta)
    _check_share("alpha", alpha)
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    segments = rows.segments
    if not (truth.any() or judged.any()):
        return float(zero_division)
    precision = _mean_reward(
        judged, truth, segments, 0.0, precision_bias, cardinality, 0.0
    )
    recall = _mean_reward(truth, judged, segments, alpha, bias, cardinality, 0.0)
    return harmonic_mean(precision, recall, beta)


def _mean_reward(
    events, flags, segments, alpha, bias, cardinality, without_events
) -> float:
    """Mean reward of events for the flags in them; `without_events` if none are."""
    bias = _choose("bias", bias, _BIASES)
    cardinality = _choose("cardinality", cardinality, _CARDINALITIES)
    first, last = find_ranges(events, segments)
    if len(first) == 0:
        return float(without_events)
    rows, lengths = np.flatnonzero(events), last - first + 1
    starts = np.cumsum(lengths) - lengths
    flags = flags[rows]
    weights = _weights(bias, np.arange(len(rows)), starts, lengths)
    total = np.add.reduceat(weights, starts)
    if not (total > 0).all():
        raise ValueError("bias gives all rows of an event the weight 0; expected more.")
    share = np.add.reduceat(weights * flags, starts) / total
    begins = flags.copy()  # a part of an event that is flagged
    begins[1:] &= ~flags[:-1]
    begins[starts] = flags[starts]
    n_parts = np.add.reduceat(begins.astype(np.int64), starts)
    is_parted = n_parts > 1
    factors = np.asarray(cardinality(n_parts[is_parted]), dtype=float)
    _check_values("cardinality", factors, int(is_parted.sum()), 1.0)
    share[is_parted] *= factors
    return float(np.mean(alpha * (n_parts > 0) + (1 - alpha) * share))


def _weights(bias, places, starts, lengths) -> NDArray[np.float64]:
    """Weigh the rows of all events, which stand one after another."""
    each = np.repeat(lengths, lengths)
    places = places - np.repeat(starts, lengths) + 1
    weights = np.asarray(bias(places, each), dtype=float)
    _check_values("bias", weights, len(places), np.inf)
    return weights


def _choose(name, given, known) -> Any:
    """Look up a function by its name, or take one that is given."""
    if callable(given):
        return given
    if not isinstance(given, str) or given not in known:
        names = ", ".join(map(repr, known))
        raise ValueError(f"{name}={given!r}; expected one of {names}, or a callable.")
    return known[given]


def _check_share(name, value) -> None:
    if not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise ValueError(f"{name}={value!r}; expected a number from 0 to 1.")


def _check_values(name, values, n_expected, most) -> None:
    """Refuse what a callable should not return."""
    if values.shape != (n_expected,):
        raise ValueError(
            f"{name} returned an array of shape {values.shape}; expected ({n_expected},"
            "), one value for each that it was given."
        )
    if not ((values >= 0) & (values <= most) & (values < np.inf)).all():
        upper = "finite numbers >= 0" if most == np.inf else "numbers from 0 to 1"
        raise ValueError(
            f"{name} returned {values.tolist()[:5]}, ...; expected {upper}."
        )
