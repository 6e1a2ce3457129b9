"""The axis of time: where the rows of a series lie on it, thinned if they are many."""

from typing import Any

import numpy as np
import pandas as pd

from skad.plotting._breaks import date_labels, find_breaks, number_labels
from skad.plotting._scales import drawable
from skad.plotting._style import inches
from skad.plotting._texts import points
from skad.series._events import find_ranges
from skad.series._rows import read_index

# Columns into which long series are thinned: more than a screen or a page shows.
_N_COLUMNS = 4000

# Ranges are drawn at least this share of the axis wide, so that single rows are seen.
_NARROWEST = 1 / 600

# Dates are numbers of days on an axis, too coarse for one that is shorter than this.
_SHORTEST = pd.Timedelta("0.1s")


def _is_short(index, rows) -> bool:
    """Whether the dates shown are so close together that an axis of days blurs them."""
    if not isinstance(index, pd.DatetimeIndex) or len(index) == 1:
        return False
    first, last = index[rows][[0, -1]]
    return last - first + (index[1:] - index[:-1]).median() < _SHORTEST


def find_peaks(column, y) -> np.ndarray:
    """Positions of the lowest and the highest value of each column."""
    order = np.lexsort((y, column))
    is_new = np.diff(column[order]) > 0
    return np.unique(order[np.r_[True, is_new] | np.r_[is_new, True]])


def farthest_of_cells(values, first) -> np.ndarray:
    """Values farthest from 0 of cells, by the first row of each."""
    high = np.maximum.reduceat(values, first, axis=0)
    low = np.minimum.reduceat(values, first, axis=0)
    return np.where(high >= -low, high, low)


def mean_of_cells(values, first) -> np.ndarray:
    """Means of cells, by the first row of each."""
    sums = np.add.reduceat(values, first, axis=0, dtype=float)
    return sums / np.diff([*first, len(values)])[:, None]


class Timeline:
    """Where the rows shown, a slice of a series, lie on the axis."""

    n_columns = _N_COLUMNS

    def __init__(self, index, rows):
        if _is_short(index, rows):
            start = index[rows][0]
            index = (index - start).rename(f"after {start}")
        self.index = index
        x, self.label = self._positions(index, rows)
        self.step = float(np.median(np.diff(x))) if len(x) > 1 else 1.0
        # steps that floats cannot tell apart would leave an axis without width
        self.step = max(self.step, 16 * float(np.spacing(np.abs(x).max())))
        self.segments = read_index(index, len(index)).segments[rows]
        self.is_break = np.diff(self.segments) > 0
        self.x = x[rows]
        self.limits = self.x[0] - self.step / 2, self.x[-1] + self.step / 2
        self.breaks = find_breaks(self.x, self.is_break, self.step)

    @staticmethod
    def _positions(index, rows) -> tuple[np.ndarray, str]:
        """Numbers as matplotlib has them, and what they are called."""
        name = index.name
        if isinstance(index, pd.DatetimeIndex):
            from matplotlib.dates import date2num

            utc = index if index.tz is None else index.tz_convert(None)
            # dates need no name
            return date2num(utc.to_numpy()), ""
        if isinstance(index, pd.TimedeltaIndex):
            seconds = index.total_seconds().to_numpy()
            span = np.ptp(seconds[rows])
            units = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0}
            units |= {"ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
            unit = next((u for u, size in units.items() if span > 2 * size), "s")
            return seconds / units[unit], f"{name or 'time'} ({unit})"
        name = name or ("row" if isinstance(index, pd.RangeIndex) else "time")
        return index.to_numpy(dtype=float), str(name)

    def _columns(self, n_columns) -> tuple[np.ndarray, np.ndarray]:
        """Column of each row, counted without empty ones, and first row of each."""
        if len(self.x) <= n_columns:
            return np.arange(len(self.x)), np.arange(len(self.x))
        # the last row may be rounded to the right end
        column = np.minimum(self._shares(self.x) * n_columns, n_columns - 1).astype(int)
        first = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
        return np.repeat(np.arange(len(first)), np.diff([*first, len(column)])), first

    def _shares(self, times) -> np.ndarray:
        """Places of times, as shares of the axis."""
        low, high = self.breaks.places(self.limits)
        return (self.breaks.places(times) - low) / (high - low)

    def line(self, y) -> tuple[np.ndarray, np.ndarray]:
        """Points of a line that keeps every visible peak, and stops at gaps."""
        is_there = np.isfinite(drawable(y))
        rows = np.flatnonzero(is_there)
        if len(rows) == 0:
            return np.empty(0), np.empty(0)
        stretch = np.cumsum(np.r_[0, self.is_break | ~(is_there[1:] & is_there[:-1])])
        shortest = 0.0
        if len(rows) > 2 * self.n_columns:
            column, _ = self._columns(self.n_columns)
            rows = rows[find_peaks(column[rows], y[rows])]
            shortest = 1 / self.n_columns
        x, y, stretch = self.x[rows], y[rows], stretch[rows]
        is_wide = np.diff(self._shares(x)) > shortest
        begins = np.r_[True, (np.diff(stretch) > 0) & is_wide]
        # a row alone between gaps is a dash, which a point of a line would not show
        alone = begins & np.r_[begins[1:], True]
        first = np.cumsum(1 + alone) - (1 + alone)
        x, y = np.repeat(x, 1 + alone), np.repeat(y, 1 + alone)
        x[first[alone]] -= self.step / 2
        x[first[alone] + 1] += self.step / 2
        cuts = first[begins][1:]
        return np.insert(x, cuts, np.nan), np.insert(y, cuts, np.nan)

    def places(self, rows) -> np.ndarray:
        """Left ends of rows, as shares of the axis."""
        return self._shares(self.x[rows] - self.step / 2)

    def bars(self, flags) -> np.ndarray:
        """Left and right ends of the runs of True, wide enough to be visible."""
        first, last = find_ranges(flags, self.segments)
        if len(first) == 0:
            return np.empty((0, 2))
        places, half = self.breaks.places, self.step / 2
        left, right = places(self.x[first] - half), places(self.x[last] + half)
        low, high = places(self.limits)
        missing = (high - low) * _NARROWEST - (right - left)
        left = left - np.maximum(missing, 0) / 2
        right = np.maximum.accumulate(right + np.maximum(missing, 0) / 2)
        is_new = left[1:] > right[:-1]
        bars = np.column_stack([left[np.r_[True, is_new]], right[np.r_[is_new, True]]])
        return self.breaks.times(np.clip(bars, low, high))

    def cells(
        self, values, n_columns, summary=farthest_of_cells
    ) -> tuple[np.ndarray, np.ndarray]:
        """Edges and values of cells, one for each row or each of `n_columns` columns.

        `summary` makes one value of the rows of a column. Gaps are cells of NaN.
        """
        first = self._whole_cells(self._columns(n_columns)[1], n_columns)
        last = np.r_[first[1:], len(self.x)] - 1
        half = self.step / 2
        left, right = self.x[first], self.x[last]
        is_gap = self.is_break[first[1:] - 1]
        middle = (right[:-1] + left[1:]) / 2
        ends = np.where(is_gap, right[:-1] + half, middle)
        edges = np.insert(ends, np.flatnonzero(is_gap) + 1, left[1:][is_gap] - half)
        grid = np.insert(
            summary(values, first), np.flatnonzero(is_gap) + 1, np.nan, axis=0
        )
        return np.r_[self.limits[0], edges, self.limits[1]], grid

    def _whole_cells(self, first, n_columns) -> np.ndarray:
        """Join cells that a gap cuts too short to be seen with their neighbours."""
        last = np.r_[first[1:], len(self.x)] - 1
        half, after = self.step / 2, np.r_[self.is_break, True]
        ends = self._shares(np.array([self.x[first] - half, self.x[last] + half]))
        is_narrow = np.diff(ends, axis=0)[0] < 0.6 / n_columns
        at_start, at_end = after[first - 1], after[last]  # the last row is before 0
        joins_next = np.roll(is_narrow & at_start & ~at_end, 1)
        return first[~joins_next & ~(is_narrow & at_end & ~at_start)]

    def set_axis(self, panels) -> None:
        """Set limits, ticks and name of the axis that panels share, below the last."""
        from matplotlib.dates import ConciseDateFormatter
        from matplotlib.ticker import MaxNLocator

        ax = panels[-1]
        n_ticks = max(3, int(inches(ax)[0] / 0.65))
        zone = getattr(self.index, "tz", None)
        is_dates = isinstance(self.index, pd.DatetimeIndex)
        if is_dates:
            ax.xaxis_date(zone)
        self.breaks.set_scale(ax)
        if self.breaks.n_gaps:
            self._label_pieces(ax)
            for panel in panels:
                self.breaks.mark(panel)
        elif is_dates:
            dates = self._date_locator(n_ticks, *self.limits)
            ax.xaxis.set_major_locator(dates)
            ax.xaxis.set_major_formatter(ConciseDateFormatter(dates, tz=zone))
        else:
            is_count = isinstance(self.index, pd.RangeIndex)
            locator = MaxNLocator(n_ticks, steps=[1, 2, 2.5, 5, 10], integer=is_count)
            ax.xaxis.set_major_locator(locator)
        ax.set_xlabel(self.label, fontsize=points("small"))
        ax.set_xlim(*self.limits)

    def _label_pieces(self, ax) -> None:
        """Set ticks where pieces between long gaps begin, and in them."""
        from matplotlib.dates import num2date
        from matplotlib.ticker import MaxNLocator

        if not isinstance(self.index, pd.DatetimeIndex):

            def numbers_between(start, end, n) -> Any:
                return MaxNLocator(n).tick_values(start, end)

            ticks, _ = self.breaks.ticks(ax, numbers_between)
            ax.set_xticks(ticks, number_labels(ticks))
            return
        zone = self.index.tz

        def dates_between(start, end, n) -> Any:
            locator = self._date_locator(n, start, end)
            return locator.tick_values(num2date(start), num2date(end))

        ticks, apart = self.breaks.ticks(ax, dates_between)
        dates = pd.DatetimeIndex(num2date(ticks, zone)).round("s")
        ax.set_xticks(ticks, date_labels(dates, pd.Timedelta(apart, "D")))

    def _date_locator(self, n_ticks, low, high) -> Any:
        """Choose about so many dates, and at least two if there are two."""
        from matplotlib import dates as mdates

        # these make it find dates for every span, however few it may set
        whole = {mdates.SECONDLY: 60, mdates.MINUTELY: 60, mdates.HOURLY: 24}
        whole |= {mdates.DAILY: 31, mdates.MONTHLY: 12}
        for n in range(n_ticks, 3 * n_ticks):
            dates = mdates.AutoDateLocator(self.index.tz, minticks=2, maxticks=n)
            for unit, interval in whole.items():
                dates.intervald[unit] = [*dates.intervald[unit], interval]
            ticks = dates.tick_values(mdates.num2date(low), mdates.num2date(high))
            if np.count_nonzero((low <= ticks) & (ticks <= high)) > 1:
                break
        return dates
