"""Raw tables as a function reads them, once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import timedelta
from typing import Any, Literal, overload

import numpy as np

from skad._fitting import with_standard_numbers
from skad.series._reader import TableReader
from skad.series._table_report import TableReport
from skad.series._tables import like


@overload
def clean_table(
    table: Any,
    time: Hashable | list[Hashable] | None = None,
    *,
    series: Hashable | list[Hashable] | None = None,
    dayfirst: bool | None = None,
    format: str | None = None,
    missing: Any = (),
    long: Sequence[Hashable] | None = None,
    every: str | timedelta | np.timedelta64 | float | None = None,
    return_report: Literal[False] = False,
) -> Any: ...


@overload
def clean_table(
    table: Any,
    time: Hashable | list[Hashable] | None = None,
    *,
    series: Hashable | list[Hashable] | None = None,
    dayfirst: bool | None = None,
    format: str | None = None,
    missing: Any = (),
    long: Sequence[Hashable] | None = None,
    every: str | timedelta | np.timedelta64 | float | None = None,
    return_report: Literal[True],
) -> tuple[Any, TableReport]: ...


@with_standard_numbers
def clean_table(
    table: Any,
    time: Hashable | list[Hashable] | None = None,
    *,
    series: Hashable | list[Hashable] | None = None,
    dayfirst: bool | None = None,
    format: str | None = None,
    missing: Any = (),
    long: Sequence[Hashable] | None = None,
    every: str | timedelta | np.timedelta64 | float | None = None,
    return_report: bool = False,
) -> Any:
    """Turn a raw table into numbers with times: `TableReader` as a function.

    For a whole table, before it is split. To read later tables alike, such as single
    days, put a `TableReader` in front of the pipeline instead.

    Parameters
    ----------
    table : table of shape (n_rows, n_columns)
        Of pandas, polars, pyarrow or xarray, or an array. A column of labels that are
        numbers may stay in, so that it loses the same rows; map texts first, e.g.
        ``table["label"] == "BROKEN"``.
    time : str or list of str, default=None
        Column, or level of the index, that holds the time; a list is joined. None: the
        index of the table.
    series : str or list of str, default=None
        Columns, or levels of the index, that tell which series a row belongs to.
    dayfirst : bool, default=None
        Whether 04/05/2018 is in May. None: the order that fits all rows.
    format : str, default=None
        Format of times, or unit of numbers since 1970, such as "s".
    missing : number, str, or list or set of these, default=()
        Values that stand for missing ones, such as ``[-200, 9999, "Bad"]``.
    long : (str, str, str), default=None
        Columns of time, sensor and value of a table that has a row for each value.
    every : str, timedelta or number, default=None
        Length of bins, such as "1min", that become one row each.
    return_report : bool, default=False
        Whether to also return what was found and done.

    Returns
    -------
    cleaned : table of shape (n_timestamps, n_sensors)
        A new table, float64. A DataFrame of pandas with an index of series and time;
        polars and Arrow tables come back as such, with series and time as the first
        columns. The ``attrs`` of a DataFrame count what was done: ``"n_unreadable"``,
        a dict, the values of each column that could not be read (if any);
        ``"n_doubled"`` the dropped rows.
    report : TableReport
        Only if `return_report` is True; print it to read it.

    Raises
    ------
    TypeError
        If `table` is no table.
    ValueError
        If the table is empty, columns are missing, times are missing, unreadable,
        ambiguous, out of order, or doubled with different values, or numbers are
        complex. The message names rows, counted from 0, and times.

    Warns
    -----
    UserWarning
        If values could not be read, look like ones that stand for missing, or rows
        repeat others and were dropped; it names columns and counts.

    See Also
    --------
    TableReader : The same as the first step of a pipeline; explains how it reads.
    TimeSeriesImputer : Fills missing values; it learns, so use it after the split.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import clean_table
    >>> raw = pd.DataFrame(
    ...     {
    ...         "time": ["2018-04-01 00:00", "2018-04-01 00:01", "2018-04-01 00:02"],
    ...         "pressure": ["2,5", "Bad", "3,5"],
    ...     }
    ... )
    >>> table, report = clean_table(raw, "time", missing="Bad", return_report=True)
    >>> table
                         pressure
    time
    2018-04-01 00:00:00       2.5
    2018-04-01 00:01:00       NaN
    2018-04-01 00:02:00       3.5
    >>> report
    Table of 3 rows, read as 3
      time: 'time', dates, 2018-04-01 00:00:00 to 2018-04-01 00:02:00
      became missing, as told: pressure: 1
      decimal commas: pressure
    """
    reader = TableReader(
        time,
        series=series,
        dayfirst=dayfirst,
        format=format,
        missing=missing,
        long=long,
        every=every,
    )
    cleaned = reader.fit_transform(table)
    report = reader.report_
    n_unreadable = {n: sum(flags.values()) for n, flags in report.unreadable.items()}
    counts = {"n_unreadable": n_unreadable, "n_doubled": report.n_doubled}
    cleaned.attrs = getattr(table, "attrs", {}) | counts
    unnamed = [f"series_{i}" for i in range(cleaned.index.nlevels - 1)] + ["time"]
    given = zip(cleaned.index.names, unnamed, strict=True)
    levels = [other if name is None else name for name, other in given]
    cleaned = like(cleaned, table, levels)
    return (cleaned, report) if return_report else cleaned
