"""Raw tables: numbers, timestamps, and each row once."""

import re

import numpy as np
import pandas as pd
from pandas.api import types
from pandas.tseries.api import guess_datetime_format

from skad._validation import warn

__all__ = ["clean_table"]

_CLOCK = re.compile(r"\d:\d\d")
_OFFSET = re.compile(r"\d:\d\d\S*?(Z|[+-]\d\d(?::?\d\d)?)$")


def clean_table(table, *, timestamp=None):
    """Turn a raw table into numbers over increasing timestamps.

    For tables as they come from a file, before anything is split: nothing is learnt
    here. What cannot be read as a number becomes missing, text timestamps become a
    DatetimeIndex, and rows that are there twice are dropped. Nothing is filled, sorted
    or averaged.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        Raw table of one series. Labels of numbers may stay in, and lose the same rows;
        those of texts are no numbers: map them, ``table["label"] == "BROKEN"``.
    timestamp : str or None, default=None
        Column that becomes the index. None: the index of the table tells time.

    Returns
    -------
    cleaned : DataFrame of shape (n_timestamps, n_channels)
        A new table in the order of the rows. Columns of numbers keep their dtype, all
        others are float64. Its ``attrs`` count what was done: ``"n_unreadable"`` is a
        dict from each column that held some to the number of its values that could not
        be read, ``"n_doubled"`` the number of rows that were dropped.

    Raises
    ------
    TypeError
        If `table` is no DataFrame.
    ValueError
        If the table is empty, `timestamp` is no column, a timestamp is missing or
        cannot be read, stands twice with different values, or is out of order, or
        numbers are complex. The message names rows, counted from 0, and timestamps.

    Warns
    -----
    UserWarning
        If values could not be read; it names columns and counts.

    See Also
    --------
    TimeSeriesImputer : Fills what is missing; it learns, so it follows the split.

    Notes
    -----
    Rows are dropped if their timestamps and all their values are equal, missing values
    being equal to each other. Equal values at different times stay, they are what a
    steady machine measures; dropping them would tear holes into the series.

    Timestamps are read as ISO 8601, or else all in the format of the first;
    ``04/05/2018`` is read month first. Where they tell several offsets from UTC, as
    over a change of clocks, the index is in UTC. Numbers stay numbers, their unit is
    not known: for seconds since 1970, give ``pd.to_datetime(seconds, unit="s")``. A
    file of several series is cleaned series by series, ``pd.concat({name:
    clean_table(part) for name, part in parts})``.

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
    cleaned = table.copy() if timestamp is None else table.set_index(timestamp)
    cleaned.index = _read_timestamps(cleaned.index)
    n_unreadable = _read_numbers(cleaned)
    doubled = _find_doubled(cleaned)
    cleaned = cleaned[~doubled]
    _check_order(cleaned.index, np.flatnonzero(~doubled))
    cleaned.attrs = {
        **table.attrs,
        "n_unreadable": n_unreadable,
        "n_doubled": int(doubled.sum()),
    }
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
            "series alone, then join them with pd.concat({name: table, ...})."
        )
    if not table.columns.is_unique:
        doubled = sorted({str(c) for c in table.columns[table.columns.duplicated()]})
        raise ValueError(f"Several columns have the same name: {doubled}.")
    if timestamp is not None and timestamp not in columns:
        raise ValueError(
            f"timestamp={timestamp!r} is no column of the table; its columns are "
            f"{columns}. Was the file read with the right separator?"
        )
    n_channels = len(columns) - (timestamp is not None)
    if not len(table) or not n_channels:
        raise ValueError(
            f"The table is empty: {len(table)} rows, {n_channels} columns of values."
        )


def _read_timestamps(raw):
    """Index whose texts are read as timestamps."""
    index = raw
    if not (types.is_numeric_dtype(raw.dtype) or _is_time(raw)):
        # Texts, as pandas would take numbers among them for seconds since 1970.
        texts = raw.astype(object).map(str)
        utc = _have_several_offsets(texts)
        index = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=utc)
        if index.isna().all():
            # Not left to to_datetime alone: it guesses anew for each odd row, and
            # then takes days for months.
            style = guess_datetime_format(texts[0])
            if style is not None:
                index = pd.to_datetime(texts, format=style, errors="coerce")
    unread = np.flatnonzero(index.isna())
    if len(unread):
        raise ValueError(
            f"Row {unread[0]} has no timestamp that can be read: {raw[unread[0]]!r} "
            f"({len(unread)} such rows). Drop or mend these rows; was the file cut off?"
        )
    return index


def _have_several_offsets(texts) -> bool:
    """Whether texts tell several offsets from UTC; all have to tell one, or none."""
    offsets = texts.str.extract(_OFFSET, expand=False)
    if offsets.isna().all():
        return False
    without = np.flatnonzero(offsets.isna() & texts.str.contains(_CLOCK))
    if len(without):
        raise ValueError(
            f"Row {without[0]} tells no offset from UTC, {texts[without[0]]!r}, but "
            f"other rows do ({len(without)} of {len(texts)} do not). Write all with "
            "one, or all without."
        )
    return offsets.nunique() > 1


def _is_time(index):
    return isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex | pd.PeriodIndex)


def _read_numbers(table):
    """Replace columns of other things by numbers; count what is lost, and warn."""
    n_unreadable = {}
    shown = []
    for name, column in list(table.items()):
        is_numeric = types.is_numeric_dtype(column.dtype)
        objects = column if is_numeric else column.astype(object)
        numbers = pd.to_numeric(objects, errors="coerce")
        if types.is_complex_dtype(numbers.dtype):
            raise ValueError(
                f"Column {name!r} holds complex numbers; take it out, or make two "
                "columns of their real and imaginary parts."
            )
        if is_numeric:
            continue
        numbers = numbers.astype(np.float64)
        lost = objects[(numbers.isna() & column.notna()).to_numpy()]
        table[name] = numbers
        if len(lost):
            n_unreadable[name] = len(lost)
            shown.append(f"{name!r}: {len(lost)} of {len(column)}, {lost.iloc[0]!r}")
    if shown:
        warn(
            "Some values are no numbers and became missing (column: how many of its "
            f"rows, the first of them): {'; '.join(shown)}. Labels must be mapped to "
            "numbers first, the column of timestamps be named, timestamp=..., decimal "
            "commas be told to pd.read_csv, decimal=','. The counts stand in "
            "attrs['n_unreadable']."
        )
    return n_unreadable


def _find_doubled(table):
    """Mark the rows that are there before, with the same timestamp and values."""
    doubled = table.index.duplicated(keep=False)
    rows = table[doubled]
    rows = rows.set_axis(range(rows.shape[1]), axis=1).assign(time=rows.index)
    doubled[doubled] = rows.duplicated().to_numpy()
    return doubled


def _check_order(index, rows):
    """Refuse timestamps that stand still or run backwards; `rows` are their numbers."""
    hint = (
        " The index was read as time; name the column that tells it, timestamp=..."
        if types.is_numeric_dtype(index.dtype)
        else ""
    )
    again = np.flatnonzero(index.duplicated())
    if len(again):
        stamp = index[again[0]]
        first = np.flatnonzero(index == stamp)[0]
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
            f"these are several series, clean each alone.{hint}"
        )
