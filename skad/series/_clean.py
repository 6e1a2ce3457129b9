"""Raw tables: numbers, timestamps, and each row once."""

from __future__ import annotations

import re
from collections.abc import Hashable

import numpy as np
import pandas as pd
from pandas.api import types
from pandas.tseries.api import guess_datetime_format

from skad._fitting import with_standard_numbers
from skad._validation import native, warn

_CLOCK = re.compile(r"\d:\d\d")
_OFFSET = re.compile(r"\d:\d\d\S*?(Z|[+-]\d\d(?::?\d\d)?)$")


@with_standard_numbers
def clean_table(
    table: pd.DataFrame, *, timestamp: Hashable | None = None
) -> pd.DataFrame:
    """Turn a raw table into numbers with increasing timestamps.

    For tables as read from a file, before they are split: it learns nothing. Values
    that are no numbers become missing, text timestamps become a DatetimeIndex, and
    duplicate rows are dropped. Nothing is filled, sorted or averaged.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        Raw table of one series. A column of numeric labels may stay in, so that it
        loses the same rows; map texts first, e.g. ``table["label"] == "BROKEN"``.
    timestamp : str or None, default=None
        Column that becomes the index. None: the index of the table holds the times.

    Returns
    -------
    cleaned : DataFrame of shape (n_timestamps, n_channels)
        A new table with the rows in the same order. Columns of numbers keep their
        dtype, all others are float64. Its ``attrs`` count what was done:
        ``"n_unreadable"``, a dict, the values of each column that could not be read (if
        any); ``"n_doubled"`` the dropped rows.

    Raises
    ------
    TypeError
        If `table` is not a DataFrame.
    ValueError
        If the table is empty, `timestamp` is not a column, a timestamp is missing,
        unreadable, out of order, or doubled with different values, or numbers are
        complex. The message names rows, counted from 0, and timestamps.

    Warns
    -----
    UserWarning
        If values could not be read; it names columns and counts.

    See Also
    --------
    TimeSeriesImputer : Fills missing values; it learns, so use it after the split.

    Notes
    -----
    Rows are dropped if their timestamps and all their values are equal to those of an
    earlier row; missing values count as equal. Equal values at different times stay: a
    steady machine measures them, and without them the series would have holes.

    Timestamps are read as ISO 8601, or else all in the format of the first;
    ``04/05/2018`` is read month first. If they hold several offsets from UTC, as around
    a change of clocks, the index is in UTC. Numbers stay numbers, as their unit is
    unknown: for seconds since 1970, give ``pd.to_datetime(seconds, unit="s")``. Clean
    several series one by one: ``pd.concat({name: clean_table(t) for name, t in ts})``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import clean_table
    >>> raw = pd.DataFrame(
    ...     {
    ...         "time": ["2018-04-01 00:00", "2018-04-01 00:01", "2018-04-01 00:01"],
    ...         "pressure": ["2.5", "2.5", "2.5"],
    ...     }
    ... )
    >>> table = clean_table(raw, timestamp="time")
    >>> table
                         pressure
    time
    2018-04-01 00:00:00       2.5
    2018-04-01 00:01:00       2.5
    >>> table.attrs
    {'n_unreadable': {}, 'n_doubled': 1}
    """
    _check_table(table, timestamp)
    table = native(table)
    cleaned = table.copy() if timestamp is None else table.set_index(timestamp)
    cleaned.index = _read_timestamps(cleaned.index)
    n_unreadable = _read_numbers(cleaned)
    doubled = _find_doubled(cleaned)
    cleaned = cleaned[~doubled]
    _check_order(cleaned.index, np.flatnonzero(~doubled))
    counts = {"n_unreadable": n_unreadable, "n_doubled": int(doubled.sum())}
    cleaned.attrs = table.attrs | counts
    return cleaned


def _check_table(table, timestamp):
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"table is of type {type(table).__name__}; a pandas DataFrame is needed, "
            "e.g. from pd.read_csv."
        )
    columns = list(table.columns)
    if isinstance(table.index, pd.MultiIndex):
        raise ValueError(
            f"The index of the table has {table.index.nlevels} levels; clean each "
            "series by itself, then join them with pd.concat({name: table, ...})."
        )
    if not table.columns.is_unique:
        doubled = sorted({str(c) for c in table.columns[table.columns.duplicated()]})
        raise ValueError(f"Several columns have the same name: {doubled}.")
    if timestamp is not None and timestamp not in columns:
        raise ValueError(
            f"timestamp={timestamp!r} is not a column of the table; its columns are "
            f"{columns}. Was the file read with the right separator?"
        )
    n_channels = len(columns) - (timestamp is not None)
    if not len(table) or not n_channels:
        size = f"{len(table)} rows, {n_channels} columns of values"
        raise ValueError(f"The table is empty: {size}.")


def _read_timestamps(raw):
    """Read the texts of an index as timestamps."""
    index = raw
    times = pd.DatetimeIndex | pd.TimedeltaIndex | pd.PeriodIndex
    if not (types.is_numeric_dtype(raw.dtype) or isinstance(raw, times)):
        # As texts, since pandas would read numbers among them as time since 1970.
        texts = raw.astype(object).map(str)
        utc = _have_several_offsets(texts)
        index = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=utc)
        if index.isna().all():
            # to_datetime alone would guess again for each odd row, and then mistake
            # days for months.
            style = guess_datetime_format(texts[0])
            if style is not None:
                index = pd.to_datetime(texts, format=style, errors="coerce")
    unread = np.flatnonzero(index.isna())
    if len(unread):
        raise ValueError(
            f"Row {unread[0]} has no readable timestamp: {raw[unread[0]]!r} "
            f"({len(unread)} such rows). Drop or correct these rows; was the file cut "
            "off?"
        )
    return index


def _have_several_offsets(texts) -> bool:
    """Whether texts hold several offsets from UTC; all must hold one, or none."""
    offsets = texts.str.extract(_OFFSET, expand=False)
    if offsets.isna().all():
        return False
    without = np.flatnonzero(offsets.isna() & texts.str.contains(_CLOCK))
    if len(without):
        raise ValueError(
            f"Row {without[0]} has no offset from UTC, {texts[without[0]]!r}, but "
            f"other rows do ({len(without)} of {len(texts)} do not). Give all of them "
            "one, or none."
        )
    return offsets.nunique() > 1


def _read_numbers(table):
    """Turn columns into numbers in place; count the values lost, and warn of them."""
    n_unreadable = {}
    shown = []
    for name, column in list(table.items()):
        is_numeric = types.is_numeric_dtype(column.dtype)
        objects = column if is_numeric else column.astype(object)
        numbers = pd.to_numeric(objects, errors="coerce")
        if types.is_complex_dtype(numbers.dtype):
            raise ValueError(
                f"Column {name!r} holds complex numbers; drop it, or split it into two "
                "columns, real and imaginary parts."
            )
        if is_numeric:
            continue
        table[name] = numbers.astype(np.float64)
        lost = objects[(numbers.isna() & column.notna()).to_numpy()]
        if len(lost):
            n_unreadable[name] = len(lost)
            shown.append(f"{name!r}: {len(lost)} of {len(column)}, {lost.iloc[0]!r}")
    if shown:
        warn(
            "Some values are not numbers and became missing (column: how many of its "
            f"rows, the first of them): {'; '.join(shown)}. Map labels to numbers "
            "first, name the column of timestamps with timestamp=..., and read decimal "
            "commas with pd.read_csv(..., decimal=','). The counts are in "
            "attrs['n_unreadable']."
        )
    return n_unreadable


def _find_doubled(table):
    """Mark rows that repeat an earlier one, with the same timestamp and values."""
    doubled = table.index.duplicated(keep=False)
    rows = table[doubled]
    rows = rows.set_axis(range(rows.shape[1]), axis=1).assign(time=rows.index)
    doubled[doubled] = rows.duplicated().to_numpy()
    return doubled


def _check_order(index, rows):
    """Refuse timestamps that do not increase; `rows` are their numbers in the table."""
    hint = (
        " The index was read as time; if a column holds it, name it with timestamp=..."
        if types.is_numeric_dtype(index.dtype)
        else ""
    )
    again = np.flatnonzero(index.duplicated())
    if len(again):
        stamp = index[again[0]]
        first = np.argmax(index == stamp)
        raise ValueError(
            f"Rows {rows[first]} and {rows[again[0]]} have the same timestamp, {stamp},"
            f" but different values ({len(again)} such rows). Decide which to keep, "
            f"e.g. with table.drop_duplicates(column, keep='last').{hint}"
        )
    later = np.flatnonzero(index[1:] < index[:-1]) + 1
    if len(later):
        row = later[0]
        raise ValueError(
            f"Row {rows[row]} is out of order: {index[row]} comes after "
            f"{index[row - 1]} ({len(later)} such rows). Sort the rows by time, or, if "
            f"these are several series, clean each by itself.{hint}"
        )
