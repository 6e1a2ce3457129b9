"""A raw table read: what is learnt of it once, and every table read alike."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._warnings import warn
from skad.series._numbers import Column, check_decimals, find_sentinels, read_column
from skad.series._resample import find_repeats, pivot, resample
from skad.series._table_parts import (
    Parts,
    as_names,
    check_long,
    drop_empty_end,
    find_units,
    split_table,
)
from skad.series._table_report import TableReport, counted
from skad.series._time_kinds import NOT_DRAWN, goes_back, kind_of, shown
from skad.series._times import TimeStyle, format_of_numbers, learn_times, read_times


@dataclass
class Learnt:
    """What is learnt of the table given to fit.

    `sensors` are names in the raw table, in the order in which they are handed on;
    `dropped` other columns; `decimals` the decimal sign of columns whose texts have
    told it.
    """

    style: TimeStyle
    sensors: list[Hashable] = field(default_factory=list)
    dropped: list[Hashable] = field(default_factory=list)
    decimals: dict[Hashable, str] = field(default_factory=dict)
    units: dict[Hashable, str] = field(default_factory=dict)


def read_table(
    frame: pd.DataFrame, how: Any, learnt: Learnt | None = None
) -> tuple[pd.DataFrame, TableReport, Learnt]:
    """Read a table; `how` has the parameters of `TableReader`.

    Without `learnt` it is learnt from this table. Returns the readings, float64, with
    an index of series and time.
    """
    is_fit = learnt is None
    learnt = learnt or Learnt(TimeStyle("", how.dayfirst, how.format))
    report = TableReport(n_rows=len(frame))
    long = as_names(how.long, frame.columns)
    time_name = how.time if how.long is None else long[0]
    check_long(long, as_names(how.series, frame.columns), frame.columns)
    missing = _missing(how)
    parts = _take_apart(frame, time_name, how, learnt, report, is_fit)
    groups = parts.groups()
    time = _read_time(parts, groups, long, learnt, is_fit)
    if long:
        is_kept = ~find_repeats(parts, time, groups, long)
        parts, time, groups = parts.take(is_kept), time[is_kept], groups[is_kept]
        report.n_doubled = int((~is_kept).sum())
        known = None if is_fit else (learnt.sensors, learnt.dropped)
        parts, time, groups = pivot(parts, time, groups, how, known)
    values = _read_numbers(parts, missing, learnt, report, is_fit)
    is_again, is_doubled = _find_doubled(values, time, groups)
    if is_doubled.any():
        is_kept = ~is_doubled
        parts, time, groups = parts.take(is_kept), time[is_kept], groups[is_kept]
        values, is_again = values[is_kept], is_again[is_kept]
        report.n_doubled += int(is_doubled.sum())
    if report.n_doubled:
        warn(
            f"{report.n_doubled} rows repeat an earlier row of their series, with the "
            "same time and values, and were dropped."
        )
    _check_order(parts, time, groups, is_again, how, learnt.style)
    levels = parts.series
    if how.every is not None:
        values, time, first = resample(values, time, groups, how.every)
        levels = [level[first] for level in levels]
    table = _assemble(values, time, levels, learnt.sensors)
    report.series = [str(level.name) for level in levels]
    report.n_series = int(groups.max()) + 1
    _describe(report, table, parts.what, learnt, how)
    return table, report, learnt


def _take_apart(frame, time_name, how, learnt, report, is_fit) -> Parts:
    """Take a table apart, without rows that hold no readings."""
    parts = split_table(frame, time_name, how.series)
    n_rows = len(parts.time)
    parts = drop_empty_end(parts)
    report.n_empty = n_rows - len(parts.time)
    _check_series(parts)
    if is_fit:
        parts, learnt.units = find_units(parts, _missing(how))
    elif learnt.units:
        parts, units = find_units(parts, _missing(how))
        _check_units(units, learnt.units)
    n_columns = parts.sensors.shape[1]
    if not len(parts.time) or not n_columns:
        raise ValueError(f"The table is empty: {len(frame)} rows, {n_columns} columns.")
    return parts


# Time and series --------------------------------------------------------------------


def _check_series(parts) -> None:
    for level in parts.series:
        if level.hasnans:
            row = int(np.argmax(level.isna()))
            raise ValueError(
                f"The series {level.name!r} is missing in row {parts.rows[row]} "
                f"({int(level.isna().sum())} such rows); drop or correct them."
            )


def _read_time(parts, groups, long, learnt, is_fit) -> pd.Index:
    if not is_fit:
        return read_times(parts.time, learnt.style, parts.where)
    if long:
        sensors = pd.factorize(parts.sensors[long[1]])[0]
        groups = groups * (sensors.max() + 1) + sensors
    time, learnt.style = learn_times(parts.time, groups, learnt.style, parts.where)
    return time


def _find_doubled(values, time, groups) -> tuple[NDArray, NDArray]:
    """Mark rows with a time that their series has had before, and those that repeat it.

    The latter have the values of an earlier one, too.
    """
    keys = pd.DataFrame({"group": groups, "time": time})
    is_again = keys.duplicated().to_numpy()
    is_doubled = np.zeros(len(keys), dtype=bool)
    if is_again.any():
        at = np.flatnonzero(keys.duplicated(keep=False))
        rows = pd.concat(
            [keys.iloc[at].reset_index(drop=True), pd.DataFrame(values[at])], axis=1
        )
        is_doubled[at] = rows.duplicated()
    return is_again, is_doubled


def _check_order(parts, time, groups, is_again, how, style) -> None:
    """Refuse time that goes backwards, or stands still, within a series."""
    again = np.flatnonzero(is_again)
    if len(again) and how.every is None:
        row = again[0]
        first = np.flatnonzero((groups == groups[row]) & (time == time[row]))[0]
        raise ValueError(
            f"Rows {parts.rows[first]} and {parts.rows[row]}{parts.name_of(row)} have "
            f"the same timestamp, {time[row]}, but different values ({len(again)} such "
            "rows). If they are of several series, name what tells them apart with "
            "series=; else decide which to keep, e.g. with drop_duplicates(..., "
            f'keep="last"), or take means with every="1min".{_number_hint(parts, how)}'
        )
    n_back, at, before = goes_back(time, groups)
    if n_back:
        row, above = at[0], before[0]
        raise ValueError(
            f"Row {parts.rows[row]}{parts.name_of(row)} is out of order: {time[row]} "
            f"comes after {time[above]} of row {parts.rows[above]} ({n_back} such "
            f"rows). {_how_to_sort(parts, how)} {NOT_DRAWN}{_years_hint(style)}"
        )


def _how_to_sort(parts, how) -> str:
    series = "" if parts.series else ", or name what tells series apart with series="
    times = as_names(how.time)
    if not times:
        line = 'X.sort_index(kind="stable")'
    elif len(times) == 1 and not isinstance(parts.time[0], str):
        columns = [*as_names(how.series), *times]
        line = f'X.sort_values({columns}, kind="stable")'
    else:
        return (
            "Sort the rows by time, as dates, not as texts, e.g. with "
            f"X.sort_values(..., key=pd.to_datetime){series}."
        )
    return f"Sort the rows: {line}{series}.{_number_hint(parts, how)}"


def _years_hint(style) -> str:
    years = style.say_years()
    return f" Dates were read with their {years}." if years else ""


def _number_hint(parts, how) -> str:
    if how.time is not None or not pd.api.types.is_numeric_dtype(parts.time.dtype):
        return ""
    return (
        " The index was read as time; if a column holds it, name it with time=, and if "
        "rows are only numbered, use reset_index(drop=True)."
    )


# Numbers ----------------------------------------------------------------------------


def _missing(how) -> list[Any]:
    """Values that stand for missing ones: numbers and texts, of numbers both."""
    given = how.missing
    if given is None:
        return []
    is_one = np.ndim(given) == 0 and not isinstance(given, set)
    values = [given] if is_one else list(given)
    for value in values:
        is_known = isinstance(value, str | Real) and not isinstance(value, bool)
        if not is_known and (np.ndim(value) or not pd.isna(value)):
            raise ValueError(
                f"missing holds {shown(value)}; expected numbers and texts that stand "
                'for missing values in any column, such as missing=[-200, "Bad"].'
            )
    texts = [value for value in values if isinstance(value, str)]
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").dropna()
    return [*values, *numbers]


def _read_numbers(parts, missing, learnt, report, is_fit) -> NDArray[np.float64]:
    """Read the sensors, and learn in fit which they are."""
    raw = parts.sensors if is_fit else parts.sensors[learnt.sensors]
    known = learnt.decimals
    columns = {n: read_column(raw[n], missing, known.get(n)) for n in raw.columns}
    decimal = check_decimals(columns, raw)
    for name, column in columns.items():
        if column.decimal in ("?", "?."):  # points alone are decimal
            columns[name] = read_column(raw[name], missing, decimal or ".")
            columns[name].decimal = decimal or "."
    if is_fit:
        learnt.sensors = [n for n, c in columns.items() if c.kind == "numbers"]
        _drop_columns(columns, learnt, report)
        learnt.decimals = {
            n: columns[n].decimal for n in learnt.sensors if columns[n].decimal
        }
        report.units = {n: u for n, u in learnt.units.items() if n in learnt.sensors}
    kept = {name: columns[name] for name in learnt.sensors}
    _check_kinds(kept, is_fit)
    report.decimal_commas = [n for n, c in kept.items() if c.decimal == ","]
    report.missing = {n: c.n_missing for n, c in kept.items() if c.n_missing}
    report.unreadable = {n: c.flags for n, c in kept.items() if c.flags}
    if is_fit:
        found = {n: find_sentinels(c.values) for n, c in kept.items()}
        report.sentinels = {n: values for n, values in found.items() if values}
    _warn(report, len(raw))
    values = np.column_stack([column.values for column in kept.values()])
    _check_finite(values, learnt.sensors, parts.rows)
    return values


def _check_finite(values, names, rows) -> None:
    if not np.isinf(values).any():
        return
    row, column = np.argwhere(np.isinf(values))[0]
    raise ValueError(
        f"Column {names[column]!r} contains infinity in row {rows[row]} "
        f"({int(np.isinf(values).sum())} such values in all). If they stand for "
        'missing ones, say missing=[float("inf")], with a minus where they have one.'
    )


def _drop_columns(columns: dict[Hashable, Column], learnt, report) -> None:
    for name, column in columns.items():
        if column.kind != "numbers":
            learnt.dropped.append(name)
            what = "" if column.kind == "empty" else f" such as {column.first!r}"
            report.dropped[name] = f"{column.kind}{what}"
    if not learnt.sensors:
        raise ValueError(
            f"No column of the table holds numbers; the others are "
            f"{report.dropped or 'not there'}. Was the file read with the right "
            "separator and decimal sign?"
        )


def _check_kinds(kept, is_fit) -> None:
    wrong = [n for n, c in kept.items() if c.kind == "dates"]
    if wrong and not is_fit:
        raise ValueError(
            f"Column {wrong[0]!r} holds dates, {kept[wrong[0]].first!r}, ..., but held "
            "numbers in the table given to fit."
        )


def _warn(report, n_rows) -> None:
    """Warn once of texts, and once of values that look like missing ones."""
    texts = {n: what for n, what in report.dropped.items() if what != "empty"}
    said = []
    if texts:
        listed = "; ".join(f"{name!r}: {what}" for name, what in texts.items())
        said.append(
            f"Columns without any number were dropped: {listed}. If one names the "
            "series, say series=; map labels to numbers first."
        )
    if report.unreadable:
        listed = "; ".join(
            f"{name!r}: {sum(flags.values())} of {n_rows}, {counted(flags)}"
            for name, flags in report.unreadable.items()
        )
        said.append(
            "Some values are not numbers and became missing (column: how many of its "
            f"rows, and which): {listed}."
        )
    if said:
        warn(" ".join(said))
    if report.sentinels:
        listed = "; ".join(
            f"{name!r}: {counted(values)}" for name, values in report.sentinels.items()
        )
        values = sorted({v for found in report.sentinels.values() for v in found})
        warn(
            "Some values are far from all others and repeated, as if they stood for "
            f"missing ones: {listed}. They were kept; if so, say missing={values}."
        )


# Units, and what comes out ----------------------------------------------------------


def _check_units(units, in_fit) -> None:
    for name, unit in units.items():
        known = in_fit.get(name)
        if known is not None and known != unit:
            raise ValueError(
                f"Column {name!r} is in {unit!r}, but was in {known!r} in the table "
                "given to fit; convert it."
            )


def _assemble(values, time, levels, sensors) -> pd.DataFrame:
    """Make a table of readings with an index of series and time."""
    index = time
    if levels:
        names = [*(level.name for level in levels), time.name]
        index = pd.MultiIndex.from_arrays([*levels, time], names=names)
    names = [str(name) for name in sensors]
    if len(set(names)) < len(names):
        raise ValueError(f"Several sensors have one name as texts: {sorted(names)}.")
    return pd.DataFrame(values, index=index, columns=names)


def _describe(report, table, what, learnt, how) -> None:
    report.n_rows_out = len(table)
    time = table.index.get_level_values(-1)
    style = learnt.style
    if style.kind == "numbers" and how.time is None and isinstance(time, pd.RangeIndex):
        report.time = "none, rows are numbered"
    else:
        order = {True: "day first", False: "month first", None: ""}[style.order]
        shown_format = "" if style.format is None else f"format {style.format!r}"
        said = [what, kind_of(time), order, style.say_years(), shown_format]
        if style.kind == "numbers" and (format := format_of_numbers(time)):
            said.append(f"which seem to be dates (if so, say format={format!r})")
        said.append(f"{time.min()} to {time.max()}")
        report.time = ", ".join(filter(None, said))
