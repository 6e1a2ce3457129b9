"""Tables brought into shape: long ones made wide, and rates made one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad.series._table_parts import Parts

_MOST_MISSING = 5  # a longer step than this many bins is a gap, as everywhere


def pivot(
    parts: Parts, time: pd.Index, long: Any, known: list[Hashable] | None
) -> tuple[Parts, pd.Index]:
    """Make a table wide that has a row for each value: one column for each sensor.

    `long` names the columns of time, sensor and value; `known` are the sensors of fit.
    Rows come series by series, sorted by time. Raises ValueError if a sensor has two
    values at a time, or `known` are not those that are there.
    """
    _, sensor, value = long
    names, at = _find_sensors(parts.sensors[sensor], known)
    groups = parts.groups()
    keys = pd.DataFrame({"group": groups, "time": time})
    rows = keys.groupby(["group", "time"], sort=True).ngroup().to_numpy()
    values = parts.sensors[value].to_numpy(dtype=object, na_value=np.nan)
    if pd.api.types.is_numeric_dtype(parts.sensors[value].dtype):
        values = parts.sensors[value].to_numpy(dtype=np.float64, na_value=np.nan)
    _check_once(parts, time, rows, at, values, names)
    wide = np.full((rows.max() + 1, len(names)), np.nan, dtype=values.dtype)
    wide[rows, at] = values
    first = np.unique(rows, return_index=True)[1]
    table = pd.DataFrame(wide, columns=pd.Index(names, dtype=object))
    series = [level[first] for level in parts.series]
    made = replace(parts, series=series, sensors=table, rows=parts.rows[first])
    made.time = parts.time[first]
    return made, time[first]


def _find_sensors(column, known) -> tuple[list[Hashable], NDArray[np.int64]]:
    if column.isna().any():
        row = int(np.argmax(column.isna()))
        raise ValueError(f"Column {column.name!r} names no sensor in row {row}.")
    at, names = pd.factorize(column)
    if known is None:
        return list(names), at
    new = [name for name in names if name not in known]
    gone = [name for name in known if name not in set(names)]
    if new or gone:
        there = [f"{new} are new"] if new else []
        there += [f"{gone} are missing"] if gone else []
        raise ValueError(
            f"The sensors in column {column.name!r} should be those of the table given "
            f"to fit, but {' and '.join(there)}."
        )
    place = {name: i for i, name in enumerate(known)}
    return known, np.array([place[name] for name in names])[at]


def _check_once(parts, time, rows, at, values, names) -> None:
    """Refuse two values of one sensor at one time, unless they are equal."""
    cells = pd.DataFrame({"row": rows, "sensor": at, "value": values})
    differ = cells.drop_duplicates()[["row", "sensor"]].duplicated()
    if differ.any():
        row = int(differ.index[np.argmax(differ)])
        raise ValueError(
            f"Row {parts.rows[row]}{parts.name_of(row)} holds another value of sensor "
            f"{names[at[row]]!r} at {time[row]} ({int(differ.sum())} such rows). If "
            "they are of several series, name what tells them apart with series=; else "
            "drop one of each."
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
        return np.floor(time.to_numpy() / every).astype(np.int64), every
    try:
        step = pd.Timedelta(every)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"every={every!r} is no duration; expected one such as '1min'."
        ) from error
    if isinstance(every, Real) or not step > pd.Timedelta(0):
        raise ValueError(f"every={every!r}; expected a duration above 0, as '1min'.")
    step = step.as_unit("ns")
    return _since_epoch(time) // step.value, step


def _since_epoch(time) -> NDArray[np.int64]:
    """Nanoseconds since 1970, of UTC where times have a zone."""
    if isinstance(time, pd.DatetimeIndex) and time.tz is not None:
        time = time.tz_convert("UTC").tz_localize(None)
    return time.as_unit("ns").asi8


def _labels(bins, step, time) -> pd.Index:
    if not isinstance(time, pd.DatetimeIndex | pd.TimedeltaIndex):
        return pd.Index(bins * step, name=time.name)
    stamps = bins * step.value
    if isinstance(time, pd.TimedeltaIndex):
        return pd.TimedeltaIndex(stamps.astype("m8[ns]"), name=time.name)
    labels = pd.DatetimeIndex(stamps.astype("M8[ns]"), name=time.name)
    if time.tz is not None:
        labels = labels.tz_localize("UTC").tz_convert(time.tz)
    return labels.as_unit(time.unit) if step.value % 1000 == 0 else labels
