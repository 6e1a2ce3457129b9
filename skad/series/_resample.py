"""Tables brought into shape: long ones made wide, and rates made one."""

from __future__ import annotations

import re
from collections.abc import Hashable
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad.series._table_parts import Parts, as_names

_MOST_MISSING = 5  # a longer step than this many bins is a gap, as everywhere


def find_repeats(
    parts: Parts, time: pd.Index, groups: NDArray, long: Any
) -> NDArray[np.bool_]:
    """Mark rows of a long table that repeat a value: same series, time and sensor."""
    _, sensor, value = long
    columns = {"sensor": parts.sensors[sensor], "value": parts.sensors[value]}
    rows = pd.DataFrame({"group": groups, "time": time} | columns)
    return rows.duplicated().to_numpy()


def pivot(
    parts: Parts, time: pd.Index, groups: NDArray, how: Any, known: Any
) -> tuple[Parts, pd.Index, NDArray[np.int64]]:
    """Make a table wide that has a row for each value: one column for each sensor.

    `how.long` names the columns of time, sensor and value; `known` holds the sensors of
    fit, and those that it dropped. Rows come series by series, sorted by time. Several
    values of a sensor at a time become several rows, if bins are averaged later. Raises
    ValueError if they are not, or sensors of fit are not those that are there.
    """
    _, sensor, value = as_names(how.long, parts.sensors.columns)
    names, at = _find_sensors(parts.sensors[sensor], known, parts.rows)
    cells = pd.DataFrame({"group": groups, "time": time, "sensor": at})
    again = cells.groupby(["group", "time", "sensor"]).cumcount().to_numpy()
    if how.every is None:
        _check_once(parts, time, at, again, names)
    keys = ["group", "time", "again"]
    rows = cells.assign(again=again).groupby(keys, sort=True).ngroup().to_numpy()
    values = parts.sensors[value].to_numpy(dtype=object, na_value=np.nan)
    if pd.api.types.is_numeric_dtype(parts.sensors[value].dtype):
        values = parts.sensors[value].to_numpy(dtype=np.float64, na_value=np.nan)
    wide = np.full((rows.max() + 1, len(names)), np.nan, dtype=values.dtype)
    wide[rows, at] = values
    first = np.unique(rows, return_index=True)[1]
    made = parts.take(first)
    made.sensors = pd.DataFrame(wide, columns=pd.Index(names, dtype=object))
    return made, time[first], groups[first]


def _find_sensors(column, known, rows) -> tuple[list[Hashable], NDArray[np.int64]]:
    if column.isna().any():
        row = rows[np.argmax(column.isna())]
        raise ValueError(f"Column {column.name!r} names no sensor in row {row}.")
    at, names = pd.factorize(column)
    if known is None:
        return list(names), at
    sensors, dropped = known
    all_known = [*sensors, *dropped]
    new = [name for name in names if name not in all_known]
    gone = [name for name in sensors if name not in set(names)]
    if new or gone:
        there = [f"{new} are new"] if new else []
        there += [f"{gone} are missing"] if gone else []
        raise ValueError(
            f"The sensors in column {column.name!r} should be those of the table given "
            f"to fit, but {' and '.join(there)}."
        )
    place = {name: i for i, name in enumerate(all_known)}
    return all_known, np.array([place[name] for name in names])[at]


def _check_once(parts, time, at, again, names) -> None:
    """Refuse two values of one sensor at one time."""
    if again.any():
        row = int(np.argmax(again > 0))
        raise ValueError(
            f"Row {parts.rows[row]}{parts.name_of(row)} holds another value of sensor "
            f"{names[at[row]]!r} at {time[row]} ({int((again > 0).sum())} such rows). "
            "If they are of several series, name what tells them apart with series=; "
            'else drop one of each, or take means with every="1min".'
        )


def resample(
    values: NDArray[np.float64], time: pd.Index, groups: NDArray, every: Any
) -> tuple[NDArray[np.float64], pd.Index, NDArray[np.int64]]:
    """Bring each series to one rate: the mean of each bin, labelled by its start.

    Empty bins are rows of NaN where there are fewer than 5 in a row; more of them are
    left out and stay a gap. Returns values, times and, for each row, one of the rows of
    its series. Rows come series by series.
    """
    bins, step = _bins(time, every)
    keys = pd.DataFrame({"group": groups, "bin": bins})
    means = pd.DataFrame(values).groupby([keys["group"], keys["bin"]]).mean()
    group, at = (means.index.get_level_values(i).to_numpy() for i in range(2))
    n_steps = np.diff(at, append=at[-1:])
    is_short = np.r_[group[1:] == group[:-1], False] & (n_steps <= _MOST_MISSING)
    repeats = np.where(is_short, n_steps, 1)
    rows = np.repeat(np.arange(len(at)), repeats)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    filled = means.to_numpy()[rows]
    filled[offsets > 0] = np.nan
    first = np.unique(groups, return_index=True)[1]
    labels = _labels(at[rows] + offsets, step, time)
    return filled, labels, first[np.searchsorted(np.unique(groups), group[rows])]


def _bins(time, every) -> tuple[NDArray[np.int64], Any]:
    """Give each row the number of its bin; and the length of bins."""
    if not isinstance(time, pd.DatetimeIndex | pd.TimedeltaIndex):
        is_number = isinstance(every, Real) and not isinstance(every, bool)
        if not is_number or not 0 < every < np.inf:
            raise ValueError(
                f"every={every!r} does not fit times that are numbers; expected a "
                "number above 0 in their unit."
            )
        return _bins_of_numbers(time.to_numpy(), every), every
    try:
        if isinstance(every, str) and not re.search(r"[^\W\d_]|:", every):
            raise ValueError("a number without a unit")
        step = pd.Timedelta(every)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"every={every!r} is no duration; expected one such as '1min'."
        ) from error
    if isinstance(every, Real) or not step > pd.Timedelta(0):
        raise ValueError(f"every={every!r}; expected a duration above 0, as '1min'.")
    try:
        step, stamps = step.as_unit("ns"), time.as_unit("ns").asi8
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta) as error:
        raise ValueError(
            f"every={every!r} takes bins of times from 1677 to 2262 only, or durations "
            f"of up to 292 years; these are {time.min()} to {time.max()}."
        ) from error
    return (stamps + _offset_of(time)) // step.value, step


def _bins_of_numbers(time, every) -> NDArray[np.int64]:
    if isinstance(every, Integral) and time.dtype.kind == "i":
        return time // every
    bins = np.floor(np.round(time / every, 6))  # 0.3 / 0.1 is a bit less than 3
    if np.abs(bins).max() >= 2**53:
        raise ValueError(
            f"every={every!r} is too short for times from {time.min()} to {time.max()}."
        )
    return bins.astype(np.int64)


def _offset_of(time) -> int:
    """Offset from UTC of the first time, in ns, so that bins start at its midnight."""
    if getattr(time, "tz", None) is None:
        return 0
    return pd.Timedelta(time.min().utcoffset()).as_unit("ns").value


def _labels(bins, step, time) -> pd.Index:
    if not isinstance(time, pd.DatetimeIndex | pd.TimedeltaIndex):
        return pd.Index(bins * step, name=time.name)
    stamps = bins * step.value - _offset_of(time)
    if isinstance(time, pd.TimedeltaIndex):
        return pd.TimedeltaIndex(stamps.astype("m8[ns]"), name=time.name)
    labels = pd.DatetimeIndex(stamps.astype("M8[ns]"), name=time.name)
    if time.tz is not None:
        labels = labels.tz_localize("UTC").tz_convert(time.tz)
    return labels.as_unit(time.unit) if step.value % 1000 == 0 else labels
