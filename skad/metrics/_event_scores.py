"""How well predicted events meet the true ones."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._fitting import with_standard_numbers
from skad.metrics._inputs import (
    SHARED,
    check_beta,
    count_inside,
    harmonic_mean,
    read_labels,
)
from skad.series._events import find_ranges
from skad.series._rows import MaxGap


@with_standard_numbers
@add_parameters(SHARED)
def event_precision_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Share of the predicted events that overlap a true one.

    An event is a run of rows that are labelled as anomalies. Two events overlap if they
    have at least one row in common.

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
    false_alarms_per_day : How often false alarms occur.
    event_fbeta_score : Precision and recall in one figure.

    Notes
    -----
    A detector that flags all rows has precision and recall 1: its single event overlaps
    every true one. Report it together with the precision of rows.

    Examples
    --------
    >>> from skad import event_precision_score
    >>> y_true = [0, 0, 0, 1, 1, 1, 0, 0]
    >>> y_pred = [1, 0, 1, 1, 0, 1, 0, 1]
    >>> event_precision_score(y_true, y_pred)
    0.5
    """
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    return _share_with_any(judged, truth, rows, zero_division)


@with_standard_numbers
@add_parameters(SHARED)
def event_recall_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Share of the true events that were detected.

    An event is a run of rows that are labelled as anomalies. It is detected if any of
    its rows is predicted to be an anomaly.

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
    detection_delay : How late events were detected.
    event_fbeta_score : Precision and recall in one figure.

    Examples
    --------
    >>> from skad import event_recall_score
    >>> y_true = [0, 1, 1, 1, 0, 1, 0, 0]
    >>> y_pred = [0, 0, 0, 1, 1, 0, 0, 1]
    >>> event_recall_score(y_true, y_pred)
    0.5
    """
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    return _share_with_any(truth, judged, rows, zero_division)


@with_standard_numbers
@add_parameters(SHARED)
def event_fbeta_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    beta: float = 1.0,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """F-beta of events, from their precision and recall.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What to return if there is no true event and none was predicted. If only one of
        the two holds, F-beta is 0.

    Returns
    -------
    fbeta : float
        In [0, 1], higher = better.

    See Also
    --------
    event_precision_score : Which predicted events are right.
    event_recall_score : Which true events are detected.
    point_adjusted_fbeta_score : Often reported, but easily fooled.

    Notes
    -----
    F_beta = (1 + beta^2) P R / (beta^2 P + R). The two count different events: one
    predicted event may detect several true ones, and several may overlap one. A
    detector that flags all rows has F-beta 1; see `event_precision_score`. *Random
    predictions* of 5 % of the rows, with 5 % anomalies, get an F1 of 0.05 to 0.09, more
    for longer events.

    Examples
    --------
    >>> from skad import event_fbeta_score
    >>> y_true = [0, 0, 1, 1, 0, 0, 0, 1]
    >>> y_pred = [1, 0, 0, 1, 1, 0, 0, 0]
    >>> event_fbeta_score(y_true, y_pred)
    0.5
    """
    check_beta(beta)
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    if not (truth.any() or judged.any()):
        return float(zero_division)
    precision = _share_with_any(judged, truth, rows, 0.0)
    recall = _share_with_any(truth, judged, rows, 0.0)
    return harmonic_mean(precision, recall, beta)


@with_standard_numbers
@add_parameters(SHARED)
def detection_delay(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    average: Literal["median", "mean"] | None = "median",
    unit: str | None = None,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
) -> float | NDArray[np.float64]:
    """How long after the start of a true event its first row is flagged.

    Parameters
    ----------
    average : {"median", "mean"} or None, default="median"
        How the delays of the events are averaged. A missed event counts with its whole
        length. None returns the delay of each event, nan for missed ones.
    unit : str, default=None
        Unit of the delay, such as "s", "min", "h" or "D"; needs an index of dates or
        durations. If None, the delay is a number of rows.

    Returns
    -------
    delay : float or ndarray of shape (n_true_events,)
        Delay, 0 if the first row of the event is flagged; lower = better. An average is
        nan if there is no true event.

    See Also
    --------
    event_recall_score : How many events were detected at all.

    Notes
    -----
    An average over detected events alone, ``np.nanmedian(detection_delay(y_true,
    y_pred, average=None))``, would improve when an event that is found late is no
    longer found. The length of a missed event, in time, is from its first row to its
    last, plus the median step. If an alarm starts before the event and continues into
    it, the delay is 0; an alarm that ends before the event does not count.

    Examples
    --------
    >>> from skad import detection_delay
    >>> y_true = [0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1]
    >>> y_pred = [0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0]
    >>> detection_delay(y_true, y_pred, average=None)
    array([ 2.,  0., nan])
    >>> detection_delay(y_true, y_pred)
    2.0
    >>> detection_delay(y_true, y_pred, average="mean")
    2.0
    """
    if average not in ("median", "mean", None):
        raise ValueError(f"average={average!r}; expected 'median', 'mean' or None.")
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    first, last = find_ranges(truth, rows.segments)
    flagged = np.append(np.flatnonzero(judged), len(judged))
    first_flag = flagged[np.searchsorted(flagged, first)]
    is_missed = first_flag > last
    time, step = _times(rows, unit)
    delays = time[np.where(is_missed, last, first_flag)] - time[first]
    if average is None:
        return np.where(is_missed, np.nan, delays)
    if len(delays) == 0:
        return np.nan
    return float(getattr(np, average)(delays + step * is_missed))


@with_standard_numbers
@add_parameters(SHARED)
def false_alarms_per_day(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    rows_per_day: float | None = None,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
) -> float:
    """Count false alarms per day of normal rows.

    A predicted event is a run of rows that are predicted to be anomalies. It is a false
    alarm if all of its rows are normal.

    Parameters
    ----------
    rows_per_day : float, default=None
        Number of rows per day, above 0. If None, a day divided by the median step of
        the index, which must hold dates or durations.

    Returns
    -------
    rate : float
        False alarms per day, lower = better; nan without normal rows.

    See Also
    --------
    event_precision_score : Share of predicted events that are no false alarms.
    merge_events : Merges alarms that are close together.

    Notes
    -----
    Normal rows are counted rather than the time from first to last, so that gaps and
    anomalies do not dilute the rate: it is the number of alarms to expect on a day
    without anomalies. With several series it is the rate per series.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import false_alarms_per_day
    >>> index = pd.date_range("2018-04-01", periods=8, freq="6h")
    >>> y_true = pd.Series([0, 0, 0, 0, 0, 0, 1, 1], index=index)
    >>> false_alarms_per_day(y_true, [0, 1, 1, 0, 1, 0, 0, 1])
    1.3333333333333333
    """
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    if rows_per_day is None:
        rows_per_day = rows.rows_per_day()
    elif not isinstance(rows_per_day, Real) or not 0 < rows_per_day < np.inf:
        raise ValueError(f"rows_per_day={rows_per_day!r}; expected a number > 0.")
    n_normals = int((~truth).sum())
    if n_normals == 0:
        return np.nan
    n_hits = count_inside(truth, *find_ranges(judged, rows.segments))
    return int((n_hits == 0).sum()) / (n_normals / rows_per_day)


@with_standard_numbers
@add_parameters(SHARED)
def point_adjusted_fbeta_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    beta: float = 1.0,
    k: float | Literal["area"] = 0.0,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """F-beta of rows after point adjustment (PA), or PA%K with `k` above 0.

    All rows of a true event count as detected if more than `k` percent of them are
    predicted to be anomalies. False alarms stay as they are.

    .. warning::
       With ``k=0``, which is what most papers report, random scores beat honest
       detectors: one row of a long event is easily hit, and then all of them count
       [1]_. Report it only next to a random detector, or not at all.

    Parameters
    ----------
    k : float or "area", default=0.0
        Percentage of the rows of an event, in [0, 100]. At 0 a single row is enough
        (PA), at 100 nothing is adjusted, which is F-beta of rows. "area": the mean over
        all `k`, which needs no choice.
    zero_division : float, default=np.nan
        What to return if no row is an anomaly and none is predicted to be one. If only
        one of the two holds, F-beta is 0.

    Returns
    -------
    fbeta : float
        In [0, 1], higher = better.

    See Also
    --------
    event_fbeta_score : Counts each event once, however long it is.

    Notes
    -----
    Kim et al. take the area under the curve over `k` from sums over whole percents.
    Here it is exact: F-beta changes only where `k` passes the share of an event that is
    predicted.

    *Random predictions* of a share q of the rows find nearly every event at ``k=0`` if
    events are long: 50 events of 100 rows in 100,000, and q = 0.03, get an F1 of 0.75.
    With "area" they get 0.06, little more than the 0.04 of F1 of rows; flagging all
    rows gets 2 p / (1 + p) with the share p of anomalies, whatever `k`.

    Further reasons not to use it: an event counts as often as it has rows; and "area"
    is a mean over thresholds of detection that nobody would choose.

    References
    ----------
    .. [1] S. Kim et al., "Towards a Rigorous Evaluation of Time-Series Anomaly
       Detection", AAAI 2022, arXiv:2109.05257. PA itself: H. Xu et al., "Unsupervised
       Anomaly Detection via Variational Auto-Encoder for Seasonal KPIs in Web
       Applications", WWW 2018, arXiv:1802.03903.

    Examples
    --------
    >>> from skad import point_adjusted_fbeta_score
    >>> y_true = [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    >>> y_pred = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    >>> point_adjusted_fbeta_score(y_true, y_pred)
    1.0
    >>> round(point_adjusted_fbeta_score(y_true, y_pred, k=20), 3)
    0.222
    >>> round(point_adjusted_fbeta_score(y_true, y_pred, k="area"), 3)
    0.319
    """
    check_beta(beta)
    is_area = isinstance(k, str) and k == "area"
    if not is_area and (not isinstance(k, Real) or not 0 <= k <= 100):
        raise ValueError(f"k={k!r}; expected a percentage from 0 to 100, or 'area'.")
    truth, judged, rows = read_labels(y_true, y_pred, index, max_gap)
    if not (truth.any() or judged.any()):
        return float(zero_division)
    first, last = find_ranges(truth, rows.segments)
    n_hits, lengths = count_inside(judged, first, last), last - first + 1
    n_false = int((judged & ~truth).sum())
    if is_area:
        return _adjusted_area(n_hits, lengths, n_false, beta)
    n_true = np.where(100 * n_hits > k * lengths, lengths, n_hits).sum()
    return float(_fbeta_of_counts(n_true, lengths.sum(), n_false, beta))


def _adjusted_area(n_hits, lengths, n_false, beta) -> float:
    """Integrate F-beta over the share of an event, from 0 to 1, that counts as all."""
    share = n_hits / lengths
    order = np.argsort(share)
    # between two shares, events from the upper one on are found as a whole
    gained = np.r_[0, np.cumsum((lengths - n_hits)[order])]
    n_true = lengths.sum() - gained
    widths = np.diff(np.r_[0.0, share[order], 1.0])
    return float(widths @ _fbeta_of_counts(n_true, lengths.sum(), n_false, beta))


def _fbeta_of_counts(n_true, n_positives, n_false, beta) -> Any:
    """F-beta from numbers of rows, with true or false predictions > 0."""
    weighted = (1 + beta**2) * n_true
    return weighted / (n_true + n_false + beta**2 * n_positives)


def _share_with_any(events, flags, rows, without_events) -> float:
    """Share of events that hold a flag; `without_events` if there are none."""
    first, last = find_ranges(events, rows.segments)
    if len(first) == 0:
        return float(without_events)
    return float((count_inside(flags, first, last) > 0).mean())


def _times(rows, unit) -> tuple[np.ndarray, float]:
    """Express times since the first row, and the median step, in a unit (or rows)."""
    if unit is None:
        return np.arange(len(rows), dtype=float), 1.0
    if not rows.has_dates:
        raise ValueError(
            f"unit={unit!r} needs an index of dates or durations; pass that of the "
            "table as index, or unit=None to count rows."
        )
    size = pd.Timedelta(1, unit)
    time = np.asarray((rows.time - rows.time[0]) / size, dtype=float)
    step = rows.step
    return time, 0.0 if step is None else float(step / size)
