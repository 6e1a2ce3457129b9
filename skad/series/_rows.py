"""Rows of a table: the series and the time of each, and where the table is cut."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._on_disk import is_on_disk, take_on_disk
from skad._series_names import (
    check_named,
    named_by,
    names_in,
    number_series,
    order_of_series,
)
from skad._validation import native, num_samples
from skad._warnings import warn
from skad.series._table_parts import check_levels
from skad.series._time_kinds import NOT_DRAWN, as_time, check_numbers, is_like_date

# A step in time longer than this many usual ones is a gap; jitter is not.
_GAP_IN_STEPS = 5

# What `max_gap` may be.
MaxGap: TypeAlias = float | str | timedelta | np.timedelta64 | None


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table as its index describes them; made by `read_rows`.

    Attributes
    ----------
    labels : Index of shape (n_rows,)
        The index without the levels that name the series; positions if there is none.
    time : Index of shape (n_rows,) or None
        The labels as dates, durations, int64 or float64, which can be subtracted;
        periods as their starts. None if the labels are no time.
    series : Index of shape (n_rows,) or None
        Names of the series, from the index; None if it names none.
    series_codes : ndarray of shape (n_rows,), dtype int
        A number for the series of each row; zeros if there is only one.
    max_gap : number, timedelta64 or None
        A longer step in time is a border; None: no step is.
    named_by : str
        What names the series: "index", "series" (the argument), both ("index series")
        or nothing ("").
    order : ndarray of shape (n_rows,), dtype int, or None
        Where these rows are in the table, whose series are interleaved: here they stand
        series by series. None: as they are. `group` and `restore` go to and fro.
    """

    labels: pd.Index
    time: pd.Index | None
    series: pd.Index | None
    series_codes: NDArray[np.int64]
    max_gap: Any = None
    named_by: str = ""
    order: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def group(self, values: Any) -> Any:
        """Put an array of the rows of the table into the order that they have here."""
        if self.order is None:
            return values
        if values.ndim == 2 and is_on_disk(values):
            return take_on_disk(values, self.order)
        return values[self.order]

    def restore(self, values: Any) -> Any:
        """Put an array of the rows as they are here back into that of the table."""
        if self.order is None:
            return values
        restored = np.empty_like(values)
        restored[self.order] = values
        return restored

    def place(self, rows: Any) -> Any:
        """Positions in the table of rows, by their positions here."""
        return rows if self.order is None else self.order[rows]

    @property
    def has_dates(self) -> bool:
        """Whether time has a unit."""
        return isinstance(self.time, pd.DatetimeIndex | pd.TimedeltaIndex)

    @cached_property
    def steps(self) -> NDArray | None:
        """Time from each row to the next, (n_rows - 1,); None without time."""
        time = self.time
        if isinstance(time, pd.DatetimeIndex):
            time = time - time[0]
        return None if time is None else np.diff(time.to_numpy())

    @cached_property
    def begins_series(self) -> NDArray[np.bool_]:
        """Whether each row but the first is of another series than the one before."""
        codes = self.series_codes
        return codes[1:] != codes[:-1]

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """First row of each segment, and the row after its last; (n_segments, 2).

        A segment is a stretch of rows of one series without a gap in time.
        """
        self.check_order()
        is_border = self.begins_series
        if self.steps is not None and self.max_gap is not None:
            is_border = is_border | (self.steps > self.max_gap)
        at = np.flatnonzero(np.concatenate([[True], is_border, [True]]))
        return np.column_stack([at[:-1], at[1:]])

    @cached_property
    def segments(self) -> NDArray[np.int64]:
        """Number of the segment of each row, ascending; (n_rows,)."""
        return np.repeat(np.arange(len(self.bounds)), np.diff(self.bounds).ravel())

    @property
    def step(self) -> pd.Timedelta | None:
        """Median step in time within the series; None if there is none with a unit."""
        if not self.has_dates:
            return None
        steps = pd.Series(self.time).diff().iloc[1:][~self.begins_series].dropna()
        return steps.median() if len(steps) else None

    def rows_per_day(self) -> float:
        """Divide a day by the median step, or raise if there is none with a unit."""
        if self.step is None:
            raise ValueError(
                "The number of rows per day is only known from an index of dates or "
                "durations with at least two rows; pass the index of the table, or "
                "rows_per_day."
            )
        return float(pd.Timedelta(1, "D") / self.step)

    @cached_property
    def _is_late(self) -> NDArray[np.bool_]:
        """Whether a row but the first is no later than the one before in its series.

        Empty without time.
        """
        steps = self.steps
        if steps is None:
            return np.empty(0, dtype=bool)
        return ~self.begins_series & ~(steps > steps.dtype.type(0))

    @property
    def is_in_order(self) -> bool:
        """Whether time increases within each series; True without time."""
        return not self._is_late.any()

    def check_order(self) -> None:
        """Refuse time that does not increase within a series."""
        if not self.is_in_order:
            wrong = self._is_late
            row = np.argmax(wrong) + 1
            before, after = self.labels[row - 1], self.labels[row]
            kind = "is there twice" if before == after else "is out of order"
            raise ValueError(
                f"The time index of X must increase: {after} in row "
                f"{self.place(row)} {kind}, "
                f"after {before} ({int(wrong.sum())} such rows). Sort the rows and "
                "drop doubled timestamps, e.g. with skad.clean_table. Several series "
                "in one table need a MultiIndex (series, time), or series= where "
                f"there is one. {NOT_DRAWN}"
            )


def read_rows(
    X: ArrayLike | pd.Index,
    series: ArrayLike | None = None,
    *,
    max_gap: MaxGap = None,
    learn: bool = True,
    named_in_fit: str = "",
    warns: bool = False,
) -> Rows:
    """Read the series, the time and the borders of the rows of a table.

    The index of a pandas object tells the time (DatetimeIndex, TimedeltaIndex,
    PeriodIndex or numbers; the last level of a MultiIndex) and the series (the levels
    before), to which `series` adds. Other tables are one series without gaps. Where
    series are interleaved, as in a file sorted by time, their rows are read series by
    series, in the order of the names; see `Rows.order`. Raises ValueError if a time is
    missing or infinite, or `max_gap` does not fit the index.

    A step in time longer than `max_gap` is a border. If `learn`, it is what the user
    has given, and is checked, or learnt where it is None: 5 times the median step. Else
    it is `Rows.max_gap` of earlier rows. `named_in_fit` is `Rows.named_by` of these:
    what was told then and is not now is an error, or a warning. `warns` is whether to
    warn of an index that is no time, or of a `max_gap` without effect.
    """
    index = native(X) if isinstance(X, pd.Index) else index_of(X)
    if isinstance(index, pd.MultiIndex):
        check_levels(index)
    labels, names = _split_levels(index, num_samples(X))
    time = None if index is None else _read_time(labels)
    told = named_by(names, series)
    counted = isinstance(labels, pd.RangeIndex)  # by pandas, where there was no index
    check_named(named_in_fit, told, None if counted else time)
    codes = number_series(names, series, X)
    rows = _group_series(Rows(labels, time, names, codes, named_by=told))
    if warns and time is None:
        _warn_of_no_time(index, max_gap)
    if learn:
        max_gap = _learn_max_gap(rows, max_gap)
    else:
        _check_same_kind(rows, index, max_gap)
    return replace(rows, max_gap=max_gap)


def read_index(
    index: ArrayLike | Rows | None, n_rows: int, max_gap: MaxGap = None
) -> Rows:
    """Read series, time and borders from labels of rows, which are numbered if None.

    What an earlier call has read is returned as it is. Raises ValueError if there are
    no rows, or not one label for each, or they are out of order.
    """
    if isinstance(index, Rows):
        return index
    if n_rows == 0:
        raise ValueError("There are no rows; at least one is needed.")
    labels = pd.RangeIndex(n_rows) if index is None else native(index)
    if not isinstance(labels, pd.Index):
        labels = pd.Index(labels)
    if len(labels) != n_rows:
        raise ValueError(
            f"index has {len(labels)} entries; expected {n_rows}, one for each row."
        )
    rows = read_rows(labels, max_gap=max_gap)
    rows.check_order()
    return rows


class ReadsRows:
    """Mixin of what takes tables: how the rows of later ones are read, as in fit."""

    max_gap: Any
    max_gap_: Any
    _named_by: str

    def _learn_rows(self, X, series=None) -> Rows:
        """Read the rows of the table of fit, and remember what they tell."""
        rows = read_rows(X, series, max_gap=self.max_gap, warns=True)
        self.max_gap_, self._named_by = rows.max_gap, rows.named_by
        return rows

    def _read_rows(self, X, series=None) -> Rows:
        """Read the rows of another table, which must tell as much as that of fit."""
        told = getattr(self, "_named_by", "")  # skad 0.1.0 did not keep it
        return read_rows(
            X, series, max_gap=self.max_gap_, learn=False, named_in_fit=told
        )


def index_of(*tables: Any) -> pd.Index | None:
    """Return the index of the first pandas object."""
    indexes = (getattr(table, "index", None) for table in tables)  # lists have a method
    found = (index for index in indexes if isinstance(index, pd.Index))
    return native(next(found, None))


# Reading ----------------------------------------------------------------------------


def _split_levels(index, n_rows) -> tuple[pd.Index, pd.Index | None]:
    """Labels of the rows, and names of their series if the index has any."""
    if index is None:
        return pd.RangeIndex(n_rows), None
    return index.get_level_values(-1), names_in(index)


def _group_series(rows: Rows) -> Rows:
    """Put interleaved series one after another; rows of one keep their order."""
    codes = rows.series_codes
    order = order_of_series(codes)
    if order is None:
        return rows
    parts = (rows.labels, rows.time, rows.series)
    labels, time, names = (None if one is None else one[order] for one in parts)
    return Rows(labels, time, names, codes[order], None, rows.named_by, order)


def _read_time(labels) -> pd.Index | None:
    """Dates, durations, int64 or float64 from labels; None if they are no time."""
    given, labels = labels, as_time(labels)
    if labels is None:
        _check_no_dates(given)
        return None
    if isinstance(labels, pd.DatetimeIndex):
        if labels.hasnans:
            row = labels.isna().argmax()
            raise ValueError(f"The time index of X is missing (NaT) in row {row}.")
        return labels
    if isinstance(labels, pd.TimedeltaIndex):
        return labels
    return check_numbers(labels, "The index of X")


def _check_no_dates(labels) -> None:
    """Refuse texts that look like dates: they would not be seen as time."""
    if len(labels) and is_like_date(labels[0]):
        raise ValueError(
            f"The index of X holds times as texts, {labels[0]!r}, ..., which are not "
            "read here. Make them dates, X.index = pd.to_datetime(X.index), or begin "
            "the pipeline with skad.TableReader()."
        )


# Gaps -------------------------------------------------------------------------------


def _learn_max_gap(rows, max_gap) -> Any:
    """Longest step in time that is no gap; None if the rows have no time."""
    if rows.steps is None:
        return None
    if max_gap is not None:
        return _check_max_gap(max_gap, is_time=rows.steps.dtype.kind == "m")
    steps = rows.steps[~rows.begins_series]
    return _GAP_IN_STEPS * np.median(steps) if len(steps) else None


def _check_max_gap(max_gap, *, is_time) -> Any:
    """Read a gap in the kind of the index: a timedelta, or a number."""
    is_number = isinstance(max_gap, Real) and not isinstance(max_gap, np.timedelta64)
    expected = "a number in its unit"
    if is_time:
        expected = "a timedelta such as '10min'"
        if not is_number:
            with suppress(ValueError, TypeError, AttributeError):  # the last one: NaT
                max_gap = pd.Timedelta(max_gap).to_timedelta64()
    is_right = isinstance(max_gap, np.timedelta64) if is_time else is_number
    if not is_right or not max_gap >= max_gap * 0:
        kind = "time" if is_time else "numeric"
        raise ValueError(
            f"max_gap={max_gap!r} does not fit the {kind} index of X; expected "
            f"{expected}, not negative, or None."
        )
    return max_gap


def _check_same_kind(rows, index, max_gap) -> None:
    """Refuse an index of times after one of numbers in fit, or the reverse."""
    if max_gap is None or index is None or not len(index):
        return
    if rows.steps is None:
        raise ValueError(
            f"The index of X holds {rows.labels[0]!r}, ..., of dtype "
            f"{rows.labels.dtype}, which is no time, but that of the table given to "
            "fit was; give an index of the same kind."
        )
    is_time = rows.steps.dtype.kind == "m"
    if isinstance(max_gap, np.timedelta64) != is_time:
        now, then = ("times", "numbers") if is_time else ("numbers", "times")
        raise ValueError(
            f"The index of X holds {now}, but that of the table given to fit held "
            f"{then}; give an index of the same kind. A table made without one has the "
            "numbers 0, 1, 2 and so on."
        )


def _warn_of_no_time(index, max_gap) -> None:
    """Warn where the user seems to think that the rows have a time."""
    if index is not None and len(index):
        warn(
            f"The index of X, of dtype {index.get_level_values(-1).dtype}, is no time, "
            "so gaps are not seen. Make it one of times, e.g. with skad.clean_table or "
            "pd.to_datetime, or drop it."
        )
    elif max_gap is not None:
        warn(
            f"max_gap={max_gap!r} has no effect: X has no time index. In a pipeline "
            'set_output(transform="pandas") keeps it.'
        )
