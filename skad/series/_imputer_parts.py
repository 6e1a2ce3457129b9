"""A table that comes in parts, filled as it would be as a whole."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._fitting import detached
from skad.series._imputer import TimeSeriesImputer, _Tail, find_tails
from skad.series._parts_of_tables import join, rows_at
from skad.series._rows import Rows


class FilledParts:
    """Rows of one series, filled part by part by a fitted imputer.

    It remembers how the rows so far have ended, as `carry_tail` does those of fit, and
    holds back rows that are filled from later ones.
    """

    def __init__(self, imputer: TimeSeriesImputer):
        self._imputer = imputer = detached(imputer)
        self._carried = imputer._tails_by_series() if imputer.carry_tail else {}
        self._imputer.carry_tail = True
        self._tail: _Tail | None = None  # of the rows before those that are held
        self._held: Any = None
        self._n_given = 0  # of the rows held, whose filled values were handed on

    def push(self, table: Any, *, is_last: bool = False) -> Any:
        """Return the next rows that are known, in the order in which they came.

        None stands for no rows.
        """
        table = join([self._held, table])
        if table is None:
            return None
        values, rows = self._read(table)
        if self._tail is None:
            self._tail = self._first_tail(rows, values.shape[1])
        elif self._held is None:
            _check_goes_on(self._tail, rows)
        name = None if rows.series is None else rows.series[0]
        self._imputer._tails = {name: self._tail}
        filled = self._imputer.transform(table)
        missing = np.isnan(values)
        n_known = len(values) if is_last else self._count_known(missing, rows)
        known = rows_at(filled, slice(self._n_given, n_known))
        self._hold(table, missing, n_known)
        return known

    def _read(self, table) -> tuple[NDArray, Rows]:
        """Values of the columns that are kept, and the rows."""
        values = self._imputer._read(table, reset=False)[:, self._imputer._kept]
        return values, self._imputer._read_rows(table)

    @property
    def _looks_at_two(self) -> bool:
        """Whether a value is filled from those on either side."""
        return self._imputer.method in ("linear", "time")

    def _first_tail(self, rows, n_columns) -> _Tail:
        """How the series ended in fit, if that is carried on; else no value does."""
        name = None if rows.series is None else rows.series[0]
        nothing = _Tail(np.full(n_columns, np.nan), np.zeros(n_columns), None)
        return self._carried.get(name, nothing)

    def _count_known(self, missing: NDArray, rows: Rows) -> int:
        """Count the rows, from the first, that no later row can change."""
        if self._imputer.method == "ffill":
            return len(missing)
        segment = missing[rows.bounds[-1, 0] :]
        is_empty = segment.all(axis=0)
        n_last = np.where(is_empty, len(segment), np.argmax(~segment[::-1], axis=0))
        if self._looks_at_two:
            n_last[is_empty] = 0  # what nothing precedes is not filled
        elif self._imputer.limit is not None:
            n_last = np.minimum(n_last, self._imputer.limit)
        return len(missing) - int(n_last.max(initial=0))

    def _hold(self, table, missing, n_known) -> None:
        """Keep the rows to fill later, and those before that these are filled from."""
        first = n_known
        if self._looks_at_two and n_known:
            # of each column, the last value; but for those without any
            is_seen = ~missing[:n_known]
            n_after = np.argmax(is_seen[::-1], axis=0)
            if n_known < len(missing):  # what begins with a value needs none before
                n_after = n_after[missing[n_known]]
            first -= 1 + int(n_after.max(initial=0))
        if first:
            self._tail = self._next_tail(*self._read(rows_at(table, slice(0, first))))
        self._n_given = n_known - first
        is_any = first < len(table)
        self._held = rows_at(table, slice(first, None)) if is_any else None

    def _next_tail(self, values, rows) -> _Tail:
        """How the series ends after these rows."""
        _, found = find_tails(values, rows)
        last, ages = found.values[0], found.ages[0]
        time = None if found.time is None else found.time[0]
        before = self._tail
        goes_on = len(rows.bounds) == 1 and self._imputer._follows(before, rows.time, 0)
        is_seen = ~np.isnan(last)
        if self._imputer.method != "ffill":
            last = np.full_like(last, np.nan)  # only what is missing so far is carried
        if goes_on:
            last = np.where(is_seen, last, before.values)
            ages = np.where(is_seen, ages, before.ages + len(values))
        return _Tail(last, ages, time)


def _check_goes_on(tail, rows) -> None:
    """Refuse rows that are no later than those before."""
    if tail.time is not None and not rows.time[0] > _as_time(tail.time, rows.time):
        raise ValueError(
            f"Time goes back from one table to the next: {rows.time[0]} comes after "
            f"{_as_time(tail.time, rows.time)}. Pass the rows of each series in the "
            "order of time."
        )


def _as_time(then, times) -> Any:
    """Give a time as numpy has it, in UTC, the zone of the times of an index."""
    zone = getattr(times, "tz", None)
    then = pd.Timestamp(then) if isinstance(then, np.datetime64) else then
    return then if zone is None else then.tz_localize("UTC").tz_convert(zone)
