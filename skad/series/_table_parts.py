"""What stands where in a raw table: time, series, sensors, units, empty rows."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from skad.series._numbers import MISSING_TEXTS
from skad.series._time_kinds import as_time, is_like_date, kind_of, shown
from skad.series._times import Where, join_columns

_MOST_UNIT_ROWS = 3


@dataclass
class Parts:
    """A raw table, taken apart.

    `time` and `series` are labels of the rows as they were given, `sensors` all other
    columns with rows numbered from 0; `rows` are the numbers of the rows in the table.
    """

    time: pd.Index
    series: list[pd.Index]
    sensors: pd.DataFrame
    rows: NDArray[np.int64]
    what: str  # the name of the time, in messages

    @property
    def where(self) -> Where:
        """What messages say of the times."""
        return Where(self.what, self.rows)

    def take(self, kept: Any) -> Parts:
        """Keep some rows."""
        sensors = self.sensors.iloc[kept].reset_index(drop=True)
        series = [level[kept] for level in self.series]
        return replace(
            self,
            time=self.time[kept],
            series=series,
            sensors=sensors,
            rows=self.rows[kept],
        )

    def groups(self) -> NDArray[np.int64]:
        """Give each row the number of its series."""
        if not self.series:
            return np.zeros(len(self.time), dtype=np.int64)
        codes = [pd.factorize(level)[0] for level in self.series]
        return pd.factorize(pd.MultiIndex.from_arrays(codes))[0].astype(np.int64)

    def name_of(self, row: int) -> str:
        """Say in which series a row is, for messages."""
        names = ", ".join(shown(level[row]) for level in self.series)
        return f" of series {names}" if names else ""


def as_names(given: Any, columns: Iterable[Hashable] = ()) -> list[Hashable]:
    """Read a parameter that names one column or several, or numbers them."""
    if given is None:
        return []
    columns = list(columns)
    is_list = isinstance(given, list)
    is_list = is_list or (isinstance(given, tuple) and given not in columns)
    return [_by_number(n, columns) for n in (given if is_list else [given])]


def _by_number(name, columns) -> Hashable:
    """Name of a column of a table that has only numbers; else what was given."""
    is_number = isinstance(name, Integral) and name not in columns
    return f"x{name}" if is_number and f"x{name}" in columns else name


def split_table(frame: pd.DataFrame, time: Any, series: Any) -> Parts:
    """Take a table apart. `time` and `series` name columns, or levels of the index.

    Raises ValueError if they are not there, or the index is neither.
    """
    times = as_names(time, frame.columns)
    names = as_names(series, frame.columns)
    _check_names(frame, times, names)
    levels = [n for n in (*times, *names) if n not in frame.columns]
    labels = {n: frame.index.get_level_values(n) for n in levels}
    index = _without(frame.index, levels)

    def column(name) -> pd.Index:
        return labels[name] if name in labels else _as_index(frame[name])

    found = [column(name) for name in names]
    if isinstance(index, pd.MultiIndex):
        found, index = _levels_of(index, times, series)
    elif times:
        _check_left_over(index)
    raw = index
    if len(times) == 1:
        raw = column(times[0])
    elif times:
        raw = join_columns([pd.Series(column(name)) for name in times], times)
    used = [n for n in (*times, *names) if n not in labels]
    sensors = frame.drop(columns=used).reset_index(drop=True)
    what = "the index" if not times else " and ".join(map(repr, times))
    if not times:
        _check_index(raw, sensors)
    return Parts(raw, found, sensors, np.arange(len(frame)), what)


def check_long(long: list[Hashable], series: Any, columns: pd.Index) -> None:
    """Refuse names of a long table that are not there, or name one column twice."""
    lacking = [name for name in long[1:] if name not in columns]
    if lacking:
        raise ValueError(
            f"long={tuple(long)}, but {lacking[0]!r} is not a column of the table; its "
            f"columns are {list(columns)}."
        )
    if doubled := [n for n in long if [*long, *series].count(n) > 1]:
        raise ValueError(
            f"Column {doubled[0]!r} is named twice: long={tuple(long)}, series="
            f"{series}. Time, sensor, value and series are columns of their own."
        )


def _as_index(column) -> pd.Index:
    if column.dtype == np.float16:  # of which pandas has no index
        column = column.astype(np.float64)
    return pd.Index(column)


def _check_names(frame, times, names) -> None:
    """Refuse names that are neither columns nor levels of the index."""
    levels = [n for n in frame.index.names if n is not None]
    for parameter, given in (("time", times), ("series", names)):
        lacking = [n for n in given if n not in frame.columns and n not in levels]
        if lacking:
            raise ValueError(
                f"{parameter}={lacking[0]!r} is not a column of the table; its columns "
                f"are {list(frame.columns)}"
                f"{f', the levels of its index {levels}' if levels else ''}. Was the "
                "file read with the right separator?"
            )
    if both := [n for n in times if n in names]:
        raise ValueError(f"Column {both[0]!r} is both time and series; name it once.")


def _without(index, levels) -> pd.Index:
    """Return an index without some of its levels; rows are numbered if none is left."""
    if len(levels) == index.nlevels:
        return pd.RangeIndex(len(index))
    return index.droplevel(levels) if levels else index


def _levels_of(index, times, series) -> tuple[list[pd.Index], pd.Index]:
    """Split a MultiIndex into the series, and the time, if that is no column."""
    if series is not None:
        raise ValueError(
            f"The index has the levels {list(index.names)} beside series={series!r}; "
            "name all that make up the series, or move the others with reset_index()."
        )
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    if times:
        return levels, levels[-1]
    check_levels(index)
    return levels[:-1], levels[-1]


def check_levels(index: pd.MultiIndex) -> None:
    """Refuse an index whose last level is no time, while another one is."""
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    if _is_date(levels[-1]):
        return
    times = [i for i, level in enumerate(levels) if _is_date(level)]
    if times:
        shown = [name if name is not None else i for i, name in enumerate(index.names)]
        order = [n for i, n in enumerate(shown) if i != times[0]] + [shown[times[0]]]
        raise ValueError(
            f"The levels of the index are {shown}: the last one is the time, those "
            f"before it name the series, but times are in {shown[times[0]]!r}. Put it "
            f"last: X.reorder_levels({order}), or name both for skad.TableReader, "
            f"time={shown[times[0]]!r}, series={shown[-1]!r}. If they are names of "
            "series, such as days, make them texts."
        )


def _is_date(level) -> bool:
    time = as_time(level[:100])
    if time is not None:
        return kind_of(time) != "numbers"
    return len(level) > 0 and is_like_date(level[0])


def _check_left_over(index) -> None:
    """Refuse an index that is not time, if it may well name the series."""
    is_number = types.is_numeric_dtype(index.dtype)
    if is_number and (index.name is None or index.is_unique):
        return
    if as_time(index) is not None and not is_number:
        return
    name = repr(index.name) if index.name is not None else "of the table"
    raise ValueError(
        f"The index {name} is neither time nor series: it holds {shown(index[0])}, "
        f"... Name the series with series={index.name!r}, or leave it out with "
        "reset_index(drop=True)."
    )


def _check_index(raw, sensors) -> None:
    """Refuse an index that is no time, and one of numbers beside columns of dates."""
    time = as_time(raw)
    if time is not None and kind_of(time) != "numbers":
        return
    dates = [name for name, column in sensors.items() if _is_date(_first(column))]
    if dates:
        raise ValueError(
            f"Column {dates[0]!r} holds dates, {_first(sensors[dates[0]])[0]!r}, ..., "
            f"but no column is named as time; say time={dates[0]!r}, or drop it."
        )
    if time is None and len(raw) and not _is_text_time(raw):
        raise ValueError(
            f"The index holds {shown(raw[0])}, ..., of dtype {raw.dtype}, which is no "
            "time. Name the column that holds the time with time=, or leave the index "
            "out with reset_index(drop=True)."
        )


def _first(column) -> pd.Index:
    """First values that are there."""
    return _as_index(column[column.notna()].iloc[:20])


def _is_text_time(raw) -> bool:
    return any(isinstance(v, str) and any(c.isdigit() for c in v) for v in raw[:5])


# Rows that hold no readings ---------------------------------------------------------


def drop_empty_end(parts: Parts) -> Parts:
    """Drop rows at the end without a time and without any value."""
    n_rows = len(parts.time)
    if not n_rows or not _is_blank(parts.time[-1]):
        return parts
    is_full = ~_are_blank(parts.time)
    for _, column in parts.sensors.items():
        is_full |= ~_are_blank(column)
    last = int(np.flatnonzero(is_full)[-1]) + 1 if is_full.any() else 0
    return parts.take(np.arange(last))


def _are_blank(values) -> NDArray[np.bool_]:
    """Mark what is missing, and texts without a letter."""
    blank = np.array(values.isna(), dtype=bool)
    if not (types.is_numeric_dtype(values.dtype) or values.dtype.kind in "mM"):
        filled = values[~blank].astype(object)
        blank[~blank] = [isinstance(v, str) and not v.strip() for v in filled]
    return blank


def _is_blank(value) -> bool:
    return bool(pd.isna(value)) or (isinstance(value, str) and not value.strip())


def find_units(
    parts: Parts, missing: Iterable[Any]
) -> tuple[Parts, dict[Hashable, str]]:
    """Drop rows under the header that hold units, and return what they say.

    Such a row has no number in any sensor, some text in one, and, where times are
    texts, no digit in its time; its texts are not those of the next rows, nor among
    those that say that a value is missing.
    """
    told = {text.strip() for text in missing if isinstance(text, str)}
    units: dict[Hashable, str] = {}
    n = 0
    while n < min(_MOST_UNIT_ROWS, len(parts.time) - 1):
        texts = _unit_row(parts, n, told)
        if texts is None:
            break
        units = {**texts, **units}
        n += 1
    return (parts.take(np.arange(n, len(parts.time))), units) if n else (parts, units)


def _unit_row(parts, row, told) -> dict[Hashable, str] | None:
    stamp = parts.time[row]
    is_counted = isinstance(parts.time, pd.RangeIndex)
    is_time = not isinstance(stamp, str) or any(c.isdigit() for c in stamp)
    if is_time and not is_counted and not _is_blank(stamp):
        return None
    texts = {}
    for name, column in parts.sensors.items():
        value = column.iloc[row]
        is_text = isinstance(value, str) and value.strip() not in told
        if is_text and value.strip().lower() not in MISSING_TEXTS:
            if not _is_unit(value) or (column.iloc[row + 1 :] == value).any():
                return None
            texts[name] = value.strip()
        elif is_counted or not (isinstance(value, str) or _is_blank(value)):
            return None
    return texts or None


def _is_unit(text) -> bool:
    """Whether a text may be a unit: no number, comparison or truth value."""
    text = text.strip()
    is_number = re.fullmatch(r"[\d.,\s'\u00a0\u202feE+-]+|[<>].*", text) is not None
    return not is_number and text.lower() not in ("true", "false")
