"""From anomalous rows to events: ranges of rows, and the sensors behind each."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._fitting import with_standard_numbers
from skad._validation import (
    check_array,
    check_consistent_length,
    check_outlier_labels,
    column_or_1d,
)
from skad.series._borders import trim_events
from skad.series._rows import MaxGap, index_of, read_index

_SHARED = """
    y : array-like of shape (n_timestamps,)
        Labels, either -1 (anomaly) and +1 (normal), as `predict` returns them, or 0
        (normal) and 1 (anomaly). Booleans mean anomaly where they are True, so
        ``scores < threshold`` works, too. Ones alone are read as normal.
    merge_gap : int, default=0
        Largest number of rows between two events that are merged.
    min_length : int, default=1
        Smallest number of rows of an event; shorter ones are dropped after merging.
    index : array-like of shape (n_timestamps,), default=None
        Times of the rows: dates, durations or numbers; the last level of a MultiIndex,
        whose other levels name the series. If None, the index of `y`, or else of
        `scores` or `contributions`, if one of them has any; else rows are numbered.
    max_gap : number or timedelta-like, default=None
        A longer step in the time index is a border. None: 5 times the median step.

    Raises
    ------
    ValueError
        If labels are in neither coding, there are no rows, or times are missing,
        doubled or out of order within a series.
"""


@with_standard_numbers
@add_parameters(_SHARED)
def find_events(
    y: ArrayLike,
    *,
    scores: ArrayLike | None = None,
    contributions: ArrayLike | None = None,
    deviations: ArrayLike | None = None,
    window_length: int | None = None,
    index: ArrayLike | None = None,
    channel_names: Sequence[Any] | pd.Index | None = None,
    n_sensors: int = 3,
    merge_gap: int = 0,
    min_length: int = 1,
    max_gap: MaxGap = None,
) -> pd.DataFrame:
    """List the events in a table: ranges of rows that are anomalies.

    Consecutive rows with the label of anomalies form an event. It never crosses series
    or gaps in time.

    Parameters
    ----------
    scores : array-like of shape (n_timestamps,), default=None
        Scores as `score_samples` or `decision_function` returns them, higher = more
        normal. If None, those of `score_samples`: minus the sums of `contributions`.
    contributions : array-like of shape (n_timestamps, n_channels) or \
            (n_windows, window_length, n_channels), default=None
        Parts of the errors as `explain`, the function or a method, returns them, higher
        = more anomalous. Those of the timesteps of a window are summed.
    deviations : array-like of shape (n_timestamps, n_channels), default=None
        Readings minus expected readings, above 0 where a sensor reads too high: from
        ``explain(..., return_deviations=True)``, or ``X - expected_values(...)``. They
        have the columns of `contributions`, which are needed too, by name or place;
        missing ones (NaN) do not count.
    window_length : int, default=None
        Rows of a window of the detector. With it, and `deviations`, events are trimmed
        to where they happen: flags begin up to window_length - 1 rows too early and end
        as much too late. None leaves events as they are flagged.
    channel_names : list of str, default=None
        Names of the channels. If None, the columns of `contributions` if they have any,
        else channels are counted from 0.
    n_sensors : int, default=3
        Number of sensors to name for each event: those with the largest contributions.

    Returns
    -------
    events : DataFrame of shape (n_events, n_columns)
        The events in the order of the rows or, where the rows of several series
        are interleaved, series by series in the order of their names; with the columns

        - "series": name of the series, a tuple if several levels name it; only with a
          MultiIndex;
        - "start", "end": times of the first and the last row;
        - "duration": between the two, 0 for a single row; only if the index holds dates
          or durations;
        - "start_row", "end_row", "n_rows": positions of the first and the last row, and
          the number of rows, both included; in a table of interleaved series, rows of
          others that stand between the two do not count;
        - "flagged_start", "flagged_end", "flagged_start_row", "flagged_end_row": the
          same of the event as it was flagged; "reach": by how many rows at most each
          end was trimmed, window_length - 1; only with `window_length`;
        - "peak", "peak_score", "mean_score": time and value of the (first) lowest
          score, and mean score; only with `scores` or `contributions`;
        - "sensor_1", "share_1", "sensor_2", ...: sensors, from the largest contribution
          down, and their shares of the error; only with `contributions`;
        - "deviation_1", ...: by how much the sensors read too high (above 0) or too low
          (below 0), in units of `deviations`, mean over the event; only with these.

    Raises
    ------
    ValueError
        If scores or contributions are not finite, lengths or channels differ, or
        what `deviations` or `window_length` need is not there.

    See Also
    --------
    explain : The contributions and deviations, behind a pipeline too.
    expected_values : For deviations in the units of the table.
    merge_events : The events as labels, for metrics.
    event_recall_score : How many events were detected.
    AnomalyScoreDisplay : Plots the events.

    Notes
    -----
    The score and the sensors of an event come from all rows from its first to its last,
    including those between merged events. The share of a sensor is its contribution,
    summed over these rows, divided by that of all sensors; nan if that is not above 0.
    Scores and shares are those of the event as it was flagged, deviations those of
    the trimmed one.

    Events are trimmed by the squared deviations of single rows, in multiples of what is
    usual in rows without a label of anomalies, weighted by the shares of the event, the
    mean of three rows, as logarithms z. With the median z0 and the 95 % quantile of
    rows without a label, and the 90 % quantile z1 of the event, the border is at
    z0 + (z1 - z0) / 4, or at the 95 % quantile if that is higher. The event is the run
    of rows with the largest sum of z minus the border, cut to the distance of z0 or z1
    from it, whichever is nearer. It stays as it is if the 95 % quantile is above the
    middle of z0 and z1, or fewer than 20 rows have no label. Where a drift or a stuck
    sensor begins cannot be seen. `merge_events` and metrics know nothing of it.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import find_events
    >>> contributions = pd.DataFrame(
    ...     {"flow": [0.0, 0.0, 2.0, 0.0, 1.0, 0.0], "heat": [0, 0, 2, 0, 4, 3]},
    ...     index=pd.date_range("2018-04-01 08:00", periods=6, freq="min"),
    ... )
    >>> y_pred = [1, 1, -1, 1, -1, -1]
    >>> events = find_events(y_pred, contributions=contributions, merge_gap=1)
    >>> for name, value in events.loc[0].items():
    ...     print(name, value)
    start 2018-04-01 08:02:00
    end 2018-04-01 08:05:00
    duration 0 days 00:03:00
    start_row 2
    end_row 5
    n_rows 4
    peak 2018-04-01 08:04:00
    peak_score -5.0
    mean_score -3.0
    sensor_1 heat
    share_1 0.75
    sensor_2 flow
    share_2 0.25
    """
    _check_count("n_sensors", n_sensors, 1)
    if index is None:
        index = index_of(y, scores, contributions)
    flags = check_outlier_labels(y)
    parts, names = _read_contributions(contributions, channel_names)
    values = None if parts is None else -parts.sum(axis=1)
    if scores is not None:
        values = check_array(
            column_or_1d(scores), ensure_2d=False, dtype=np.float64, input_name="scores"
        )
    apart = _read_deviations(deviations, contributions, parts)
    check_consistent_length(flags, values, parts, apart)
    rows = read_index(index, len(flags), max_gap)
    flags = rows.group(flags)
    given = values, parts, apart
    values, parts, apart = (v if v is None else rows.group(v) for v in given)

    flagged = found = _merged_ranges(flags, rows, merge_gap, min_length)
    if window_length is not None:
        _check_count("window_length", window_length, 1)
        found = _trimmed(flagged, flags, rows.segments, apart, parts, window_length)
    columns = _locate(rows, *found)
    if window_length is not None:
        columns |= _locate_flags(rows, *flagged, window_length)
    if values is not None:
        columns |= _describe_scores(values, rows.labels, *flagged)
    if parts is not None:
        columns |= _rank_sensors(parts, names, n_sensors, *flagged, apart, found)
    return pd.DataFrame(columns)


@with_standard_numbers
@add_parameters(_SHARED)
def merge_events(
    y: ArrayLike,
    *,
    merge_gap: int = 0,
    min_length: int = 1,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
) -> NDArray[np.int64]:
    """Merge events and drop short ones, as `find_events` does, but return labels.

    Metrics of these labels are those of the events that `find_events` lists.

    Parameters
    ----------
    index : array-like of shape (n_timestamps,), default=None
        Times of the rows, as for `find_events`; None: the index of `y`, if it has one.

    Returns
    -------
    labels : ndarray of shape (n_timestamps,), dtype int
        -1 in all rows of an event, including those between merged events; else +1.

    See Also
    --------
    find_events : The events as a table.
    false_alarms_per_day : Shows what merging saves.

    Examples
    --------
    >>> from skad import false_alarms_per_day, merge_events
    >>> y_true, y_pred = [0, 0, 0, 0, 0, 0, 1, 1], [1, 0, 1, 0, 0, 0, 1, 1]
    >>> merge_events(y_pred, merge_gap=1)
    array([-1, -1, -1,  1,  1,  1, -1, -1])
    >>> false_alarms_per_day(y_true, y_pred, rows_per_day=6)
    2.0
    >>> merged = merge_events(y_pred, merge_gap=1)
    >>> false_alarms_per_day(y_true, merged, rows_per_day=6)
    1.0
    """
    flags = check_outlier_labels(y)
    rows = read_index(index_of(y) if index is None else index, len(flags), max_gap)
    first, last = _merged_ranges(rows.group(flags), rows, merge_gap, min_length)
    return rows.restore(np.where(in_ranges(first, last, len(flags)), -1, 1))


def _merged_ranges(flags, rows, merge_gap, min_length) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of every event, after merging and dropping short ones."""
    _check_count("merge_gap", merge_gap, 0)
    _check_count("min_length", min_length, 1)
    first, last = find_ranges(flags, rows.segments, merge_gap)
    is_long = last - first + 1 >= min_length
    return first[is_long], last[is_long]


def _trimmed(flagged, flags, segments, deviations, parts, window_length) -> Any:
    """First and last row of every event, where it happens by the rows' deviations."""
    if deviations is None:
        raise ValueError(
            "window_length trims events by deviations, but there are none; pass "
            "deviations, as explain(..., return_deviations=True) gives them."
        )
    first, last = flagged
    weights = _shares(_sums(np.maximum(parts, 0), first, last))
    where = flags, segments, deviations, weights, window_length
    return trim_events(first, last, *where)


def _check_count(name, value, least) -> None:
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}={value!r}; expected an integer >= {least}.")


def _read_contributions(contributions, names) -> tuple[Any, Any]:
    """Return contributions as (n_rows, n_channels), and the names of the channels."""
    if contributions is None:
        return None, None
    parts = check_array(
        contributions, dtype=np.float64, allow_nd=True, input_name="contributions"
    )
    if parts.ndim == 3:
        parts = parts.sum(axis=1)
    n_channels = parts.shape[1]
    if names is None:
        names = getattr(contributions, "columns", range(n_channels))
    if len(names) != n_channels:
        raise ValueError(
            f"channel_names has {len(names)} names; expected {n_channels}, one for "
            "each channel."
        )
    return parts, pd.Index(names)


def _read_deviations(deviations, contributions, parts) -> NDArray | None:
    """Return deviations (n_rows, n_channels), with the channels of contributions."""
    if deviations is None:
        return None
    if parts is None:
        raise ValueError(
            "deviations were given without contributions, which say whose count; pass "
            "both, as from explain(..., return_deviations=True)."
        )
    if hasattr(deviations, "columns") and hasattr(contributions, "columns"):
        deviations = deviations.reindex(columns=contributions.columns)
    options: Any = {"ensure_all_finite": "allow-nan", "input_name": "deviations"}
    deviations = check_array(deviations, dtype=np.float64, **options)
    if deviations.shape[1] != parts.shape[1]:
        raise ValueError(
            f"deviations have {deviations.shape[1]} columns; expected those of the "
            f"{parts.shape[1]} channels of contributions."
        )
    return deviations


def _locate(rows, first, last) -> dict[str, Any]:
    """Columns with the place of each event."""
    columns: dict[str, Any] = {}
    if rows.series is not None:
        columns["series"] = rows.series[first]
    columns["start"], columns["end"] = rows.labels[first], rows.labels[last]
    if rows.has_dates:
        columns["duration"] = rows.time[last] - rows.time[first]
    places = {"start_row": rows.place(first), "end_row": rows.place(last)}
    return columns | places | {"n_rows": last - first + 1}


def _describe_scores(scores, labels, first, last) -> dict[str, Any]:
    """Columns with the lowest and the mean score of each event."""
    ranges = list(zip(first, last + 1, strict=True))
    peaks = np.array([a + np.argmin(scores[a:b]) for a, b in ranges], dtype=int)
    means = np.array([scores[a:b].mean() for a, b in ranges], dtype=float)
    return {"peak": labels[peaks], "peak_score": scores[peaks], "mean_score": means}


def _locate_flags(rows, first, last, window_length) -> dict[str, Any]:
    """Columns with the place of each event as it was flagged."""
    ends = {"flagged_start": rows.labels[first], "flagged_end": rows.labels[last]}
    places = {"flagged_start_row": rows.place(first)}
    places |= {"flagged_end_row": rows.place(last)}
    return ends | places | {"reach": np.full(len(first), window_length - 1)}


def _rank_sensors(
    parts, names, n_sensors, first, last, deviations, found
) -> dict[str, Any]:
    """Columns with the sensors that contribute most to each event."""
    sums = _sums(parts, first, last)
    order = np.argsort(-sums, axis=1, kind="stable")[:, :n_sensors]
    tables = {"share": _shares(sums)}
    if deviations is not None:
        with np.errstate(invalid="ignore"):  # none is there: 0 of 0
            n_there = _sums(~np.isnan(deviations), *found)
            tables["deviation"] = _sums(np.nan_to_num(deviations), *found) / n_there
    columns: dict[str, Any] = {}
    for place, channels in enumerate(order.T, 1):
        columns[f"sensor_{place}"] = names[channels]
        for name, table in tables.items():
            columns[f"{name}_{place}"] = table[np.arange(len(table)), channels]
    return columns


def _sums(parts, first, last) -> NDArray:
    """Add up the rows of each event: (n_events, n_channels)."""
    ranges = zip(first, last + 1, strict=True)
    sums = np.array([parts[a:b].sum(axis=0) for a, b in ranges], dtype=float)
    return sums.reshape(len(first), parts.shape[1])  # even if there are no events


def _shares(sums) -> NDArray:
    """Shares of channels; nan if their sum is not above 0."""
    whole = sums.sum(axis=1, keepdims=True)
    return np.divide(sums, whole, out=np.full_like(sums, np.nan), where=whole > 0)


# Ranges ------------------------------------------------------------------------------


def find_ranges(flags, segments, merge_gap=0) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of every run of flagged rows within one segment.

    Runs with at most `merge_gap` rows between them are one.
    """
    rows = np.flatnonzero(flags)
    is_apart = (np.diff(rows) > merge_gap + 1) | (np.diff(segments[rows]) > 0)
    first = rows[np.r_[True, is_apart][: len(rows)]]
    last = rows[np.r_[is_apart, True][: len(rows)]]
    return first, last


def in_ranges(first, last, n_rows) -> np.ndarray:
    """Whether each row is in one of the ranges."""
    begun = np.cumsum(np.bincount(first, minlength=n_rows + 1))
    ended = np.cumsum(np.bincount(last + 1, minlength=n_rows + 1))
    return (begun > ended)[:-1]
