"""Axes of time: the rows of one series, thinned lines and bars, panels of errors."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from skad._validation import check_consistent_length, check_outlier_labels
from skad.plotting._style import (
    LARGEST,
    SMALLEST,
    check_numbers,
    drawable,
    fitting_size,
    import_pyplot,
    inches,
    label_log_axis,
    linear_middle,
    number,
    palette,
    symlog_ticks,
    tidy,
    with_defaults,
)
from skad.series._events import find_ranges
from skad.series._rows import read_index as read_rows

# Columns into which long series are thinned: more than a screen or a page shows.
_N_COLUMNS = 4000

# Ranges are drawn at least this share of the axis wide, so that single rows are seen.
_NARROWEST = 1 / 600

# Farthest error over median error at which a linear axis would show peaks and a floor.
_HEAVY_TAIL = 10.0

# Dates are numbers of days on an axis, too coarse for one that is shorter than this.
_SHORTEST = pd.Timedelta("0.1s")

YSCALES = ("auto", "linear", "log", "symlog")


def read_labels(y, scores) -> np.ndarray | None:
    """Whether rows are anomalies; None without labels."""
    if y is None:
        return None
    is_anomaly = check_outlier_labels(y, name="y_true")
    check_consistent_length(is_anomaly, scores)
    return is_anomaly


def read_index(index, n_rows, series=None) -> tuple[Any, pd.Index, Any]:
    """Find the rows of one series, their times and the name of the series."""
    rows = read_rows(index, n_rows)
    chosen: Any = slice(None)
    name = None
    if rows.series is not None:
        chosen, name = _find_series(rows.series, series)
    elif series is not None:
        raise ValueError(f"series={series!r}, but the index names no series.")
    labels: Any = rows.time if rows.has_dates else rows.labels
    time = labels[chosen]
    # what is no time is numbered
    return chosen, time if _is_time(time) else pd.RangeIndex(len(time)), name


def check_rows(index, numbers, name, *others) -> None:
    """Refuse rows that cannot be drawn, however a display was made."""
    check_numbers(numbers, name)
    check_consistent_length(index, numbers, *others)
    if not _is_time(index):
        raise ValueError("The index holds neither dates, durations nor numbers.")
    if not _is_dates(index):
        check_numbers(index, "The index")


def _find_series(names, series) -> tuple[np.ndarray, Any]:
    codes, uniques = pd.factorize(names)
    known = list(uniques)
    if series is None and len(known) == 1:
        series = known[0]
    if series not in known:
        shown = ", ".join(map(repr, known[:6])) + ", ..." * (len(known) > 6)
        raise ValueError(
            f"series={series!r}; choose one of the {len(known)} series of the index: "
            f"{shown}."
        )
    return np.flatnonzero(codes == known.index(series)), series


def _is_dates(index) -> bool:
    return isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)


def _is_time(index) -> bool:
    return _is_dates(index) or index.dtype.kind in "iuf"


def _is_short(index, rows) -> bool:
    """Whether dates shown are so close together that an axis of days blurs them."""
    if not isinstance(index, pd.DatetimeIndex) or len(index) == 1:
        return False
    first, last = index[rows][[0, -1]]
    return last - first + (index[1:] - index[:-1]).median() < _SHORTEST


def find_rows(index, start, stop) -> slice:
    """Find the rows from one label or position to another, both included."""
    first = 0 if start is None else _find_row(index, start, "start")
    last = len(index) if stop is None else _find_row(index, stop, "stop")
    if first >= last:
        ends = f"from {index[0]} to {index[-1]}" if len(index) else "nowhere"
        raise ValueError(
            f"start={start!r} and stop={stop!r} leave no row; the index goes {ends}."
        )
    return slice(first, last)


def _find_row(index, label, name) -> int:
    """Position of a label: of the first row for start, behind the last for stop."""
    is_stop = name == "stop"
    if _is_dates(index) and isinstance(label, Integral):
        if label < 0:
            raise ValueError(f"{name}={label!r}; expected a position from 0 on.")
        return min(int(label) + is_stop, len(index))
    if not _is_dates(index) and not isinstance(label, Real):
        raise ValueError(f"{name}={label!r}; expected a number, as in the index.")
    try:
        bounds = {"end": label} if is_stop else {"start": label}
        return int(index.slice_locs(**bounds)[is_stop])
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f"{name}={label!r} is no label of the index, which goes from {index[0]} to "
            f"{index[-1]}."
        ) from error


def ranges_of(index, flags) -> pd.DataFrame | None:
    """First and last time of every range of flags, both included."""
    if flags is None:
        return None
    first, last = find_ranges(flags, read_rows(index, len(index)).segments)
    return pd.DataFrame({"start": index[first], "end": index[last]})


def _as_numbers(index) -> np.ndarray:
    if _is_dates(index):
        return (index - index[0]).total_seconds().to_numpy()
    return index.to_numpy(dtype=float)


def find_peaks(column, y) -> np.ndarray:
    """Positions of the lowest and the highest value of each column."""
    order = np.lexsort((y, column))
    is_new = np.diff(column[order]) > 0
    return np.unique(order[np.r_[True, is_new] | np.r_[is_new, True]])


class Timeline:
    """Rows shown: where they lie on the axis, and which belong together."""

    def __init__(self, index, rows):
        if _is_short(index, rows):
            start = index[rows][0]
            index = (index - start).rename(f"after {start}")
        self.index = index
        x, self.label = self._positions(index, rows)
        self.step = float(np.median(np.diff(x))) if len(x) > 1 else 1.0
        # steps that floats cannot tell apart would leave an axis without width
        self.step = max(self.step, 16 * float(np.spacing(np.abs(x).max())))
        self.segments = read_rows(index, len(index)).segments[rows]
        self.is_break = np.diff(self.segments) > 0
        self.x = x[rows]
        self.limits = self.x[0] - self.step / 2, self.x[-1] + self.step / 2

    @staticmethod
    def _positions(index, rows) -> tuple[np.ndarray, str]:
        """Numbers as matplotlib has them, and what they are called."""
        name = index.name
        if isinstance(index, pd.DatetimeIndex):
            from matplotlib.dates import date2num

            utc = index if index.tz is None else index.tz_convert(None)
            # dates speak for themselves
            return date2num(utc.to_numpy()), ""
        if isinstance(index, pd.TimedeltaIndex):
            seconds = index.total_seconds().to_numpy()
            span = np.ptp(seconds[rows])
            units = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0}
            units |= {"ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
            unit = next((u for u, size in units.items() if span > 2 * size), "s")
            return seconds / units[unit], f"{name or 'time'} ({unit})"
        is_range = isinstance(index, pd.RangeIndex)
        return _as_numbers(index), str(name or ("row" if is_range else "time"))

    def _columns(self, n_columns) -> tuple[np.ndarray, np.ndarray]:
        """Column of each row, counted without empty ones, and first row of each."""
        if len(self.x) <= n_columns:
            return np.arange(len(self.x)), np.arange(len(self.x))
        low, high = self.limits
        column = ((self.x - low) * (n_columns / (high - low))).astype(int)
        first = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
        return np.repeat(np.arange(len(first)), np.diff([*first, len(column)])), first

    def line(self, y) -> tuple[np.ndarray, np.ndarray]:
        """Points of a line with every peak that can be seen, and none over a gap."""
        is_there = np.isfinite(drawable(y))
        rows = np.flatnonzero(is_there)
        if len(rows) == 0:
            return np.empty(0), np.empty(0)
        stretch = np.cumsum(np.r_[0, self.is_break | ~(is_there[1:] & is_there[:-1])])
        shortest = 0.0
        if len(rows) > 2 * _N_COLUMNS:
            column, _ = self._columns(_N_COLUMNS)
            rows = rows[find_peaks(column[rows], y[rows])]
            shortest = (self.limits[1] - self.limits[0]) / _N_COLUMNS
        x, y, stretch = self.x[rows], y[rows], stretch[rows]
        begins = np.r_[True, (np.diff(stretch) > 0) & (np.diff(x) > shortest)]
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
        low, high = self.limits
        return (self.x[rows] - self.step / 2 - low) / (high - low)

    def bars(self, flags) -> np.ndarray:
        """Left and right ends of the runs of True, wide enough to be seen."""
        first, last = find_ranges(flags, self.segments)
        if len(first) == 0:
            return np.empty((0, 2))
        left, right = self.x[first] - self.step / 2, self.x[last] + self.step / 2
        missing = (self.limits[1] - self.limits[0]) * _NARROWEST - (right - left)
        left = left - np.maximum(missing, 0) / 2
        right = np.maximum.accumulate(right + np.maximum(missing, 0) / 2)
        is_new = left[1:] > right[:-1]
        bars = np.column_stack([left[np.r_[True, is_new]], right[np.r_[is_new, True]]])
        return np.clip(bars, *self.limits)

    def cells(self, values, n_columns) -> tuple[np.ndarray, np.ndarray]:
        """Edges and values of cells, one for each row or each of `n_columns` columns.

        Of the rows of a column it is the value farthest from 0. Gaps are cells of NaN.
        """
        _, first = self._columns(n_columns)
        last = np.r_[first[1:], len(self.x)] - 1
        high = np.maximum.reduceat(values, first, axis=0)
        low = np.minimum.reduceat(values, first, axis=0)
        peaks = np.where(high >= -low, high, low)
        half = self.step / 2
        left, right = self.x[first], self.x[last]
        is_gap = self.is_break[first[1:] - 1]
        middle = (right[:-1] + left[1:]) / 2
        ends = np.where(is_gap, right[:-1] + half, middle)
        edges = np.insert(ends, np.flatnonzero(is_gap) + 1, left[1:][is_gap] - half)
        grid = np.insert(peaks, np.flatnonzero(is_gap) + 1, np.nan, axis=0)
        return np.r_[self.limits[0], edges, self.limits[1]], grid

    def set_axis(self, panels) -> None:
        """Name the axis that the panels share, below the last."""
        from matplotlib.ticker import MaxNLocator

        ax = panels[-1]
        n_ticks = max(3, int(inches(ax)[0] / 0.65))
        if isinstance(self.index, pd.DatetimeIndex):
            from matplotlib.dates import ConciseDateFormatter

            zone = self.index.tz
            ax.xaxis_date(zone)
            dates = self._date_locator(n_ticks)
            ax.xaxis.set_major_locator(dates)
            ax.xaxis.set_major_formatter(ConciseDateFormatter(dates, tz=zone))
        else:
            is_count = isinstance(self.index, pd.RangeIndex)
            locator = MaxNLocator(n_ticks, steps=[1, 2, 2.5, 5, 10], integer=is_count)
            ax.xaxis.set_major_locator(locator)
        for panel in panels:
            panel.tick_params(labelsize="small")
            panel.xaxis.offsetText.set_fontsize("small")
            panel.label_outer()
        ax.set_xlabel(self.label, fontsize="small")
        ax.set_xlim(*self.limits)

    def _date_locator(self, n_ticks) -> Any:
        """Choose dates, about so many, but two at least if there are any."""
        from matplotlib import dates as mdates

        # with these it finds dates for every span, however few it may set
        whole = {
            mdates.SECONDLY: 60,
            mdates.MINUTELY: 60,
            mdates.HOURLY: 24,
            mdates.DAILY: 31,
            mdates.MONTHLY: 12,
        }
        low, high = self.limits
        for n in range(n_ticks, 3 * n_ticks):
            dates = mdates.AutoDateLocator(self.index.tz, minticks=2, maxticks=n)
            for unit, interval in whole.items():
                dates.intervald[unit] = [*dates.intervald[unit], interval]
            ticks = dates.tick_values(mdates.num2date(low), mdates.num2date(high))
            if np.count_nonzero((low <= ticks) & (ticks <= high)) > 1:
                break
        return dates


def has_any(flags, rows) -> bool:
    """Whether there are flags, and some among the rows."""
    return flags is not None and bool(flags[rows].any())


def set_name(ax, name, pad=6.0) -> None:
    """Write the name of a series above its panels, so many points away."""
    if name is not None:
        title = ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        size = fitting_size([title], 0.9 * inches(ax)[0])
        ax.set_title(title, fontsize=size, pad=pad)


def check_scale(scale, known, name) -> None:
    """Refuse a scale that is not known."""
    if scale not in known:
        raise ValueError(f"{name}={scale!r}; expected one of {', '.join(known)}.")


def figure_size(caller, height) -> tuple[float, float]:
    """Size of a new figure, at least so high."""
    width, usual = import_pyplot(caller).rcParams["figure.figsize"]
    return width, max(usual, height)


def draw_errors(
    ax, time, errors, threshold, yscale, kwargs=None, threshold_kwargs=None
) -> tuple[Any, Any]:
    """Draw errors and threshold; the lines."""
    errors = np.where(np.abs(errors) < SMALLEST, 0.0, errors)
    width = 1.2 if len(errors) < 2000 else 0.8
    style = with_defaults(
        kwargs, color=palette().normal, linewidth=width, label="error"
    )
    (line,) = ax.plot(*time.line(errors), **style)
    is_drawn = threshold is not None and abs(threshold) <= LARGEST
    level = 0.0 - threshold if is_drawn else None
    ends = errors if level is None else np.r_[errors, level]
    _scale_errors(ax, errors, ends.min(), ends.max(), yscale)
    tidy(ax)
    if level is None:
        return line, None
    style = with_defaults(
        threshold_kwargs,
        color=palette().text,
        linestyle="--",
        linewidth=1.2,
        label=f"threshold {number(level)}",
    )
    return line, ax.axhline(level, **style)


def _scale_errors(ax, errors, lowest, highest, yscale) -> None:
    sizes = np.abs(errors)
    farthest = max(abs(lowest), abs(highest))
    if yscale == "auto":
        is_heavy = farthest > _HEAVY_TAIL * np.median(sizes) and sizes.any()
        heavy = "symlog" if lowest < 0 else "log"
        yscale = heavy if is_heavy else "linear"
    if yscale == "log":
        if lowest < 0 or not sizes.any():
            raise ValueError(
                "yscale='log' needs errors above 0, which are scores below 0; use "
                "'symlog' or 'linear'."
            )
        # errors of next to nothing would take the room of all others
        floor = max(farthest * 1e-6, np.quantile(sizes, 0.01) / 3)
        lowest = max(lowest, min(floor, highest))
        ax.set_yscale("log", nonpositive="clip")
    elif yscale == "symlog":
        linear = linear_middle(np.median(sizes), farthest)
        ax.set_yscale("symlog", linthresh=linear)
    ax.set_ylim(*_padded(ax.yaxis.get_transform(), lowest, highest))
    height = inches(ax)[1]
    if yscale == "log":
        label_log_axis(ax.yaxis, height)
    elif yscale == "symlog":
        lowest, highest = ax.get_ylim()
        transform = ax.yaxis.get_transform()
        ticks = symlog_ticks(transform, lowest, highest, max(3, height / 0.25))
        ax.set_yticks(ticks, [number(tick) for tick in ticks])
        ax.minorticks_off()
    elif yscale == "linear":
        ax.locator_params(axis="y", nbins=int(np.clip(height / 0.25, 2, 5)))


def leave_room(ax, share) -> None:
    """Leave a share of the height of a panel free, above what is drawn."""
    transform = ax.yaxis.get_transform()
    low, high = transform.transform(np.array(ax.get_ylim()))
    top = transform.inverted().transform(np.array([low + (high - low) / (1 - share)]))
    ax.set_ylim(top=top[0])


def _padded(transform, lowest, highest) -> np.ndarray:
    """Limits a little beyond, by the same share of the axis on both sides."""
    if lowest == highest:
        half = abs(lowest) / 20 or 0.5
        return np.array([lowest - half, highest + half])
    ends = transform.transform(np.array([lowest, highest]))
    ends += np.array([-0.05, 0.08]) * (ends[1] - ends[0])
    return transform.inverted().transform(ends)


def draw_flagged(ax, time, flags, label="flagged") -> Any:
    """Shade the predicted ranges of a panel; None if there are none."""
    style = {"facecolor": palette().shade, "zorder": 0.8}
    return _draw_bars(ax, time, flags, label, style)


def draw_strip(ax, time, flags, colour, label) -> Any:
    """Fill a strip above the panels with ranges; None if there are none."""
    ax.set(yticks=[], ylim=(0, 1))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="x", length=0)
    return _draw_bars(ax, time, flags, label, {"facecolor": colour})


def draw_truth(ax, time, flags) -> Any:
    """Fill a strip with the true ranges; None if there are none."""
    return draw_strip(ax, time, flags, palette().text, "labelled")


def _draw_bars(ax, time, flags, label, style) -> Any:
    from matplotlib.collections import PolyCollection

    bars = time.bars(flags)
    if len(bars) == 0:
        return None
    corners = np.repeat(bars, 2, axis=1)
    heights = np.broadcast_to([0, 1, 1, 0], corners.shape)
    collection = PolyCollection(
        list(np.stack([corners, heights], axis=2)),
        transform=ax.get_xaxis_transform(),
        linewidth=0,
        label=label,
        **style,
    )
    return ax.add_collection(collection, autolim=False)


def as_text(name) -> str:
    """Name of a channel; a number is that of a channel without a name."""
    return f"channel {name}" if isinstance(name, Integral) else str(name)


def find_name(wanted, names, parameter) -> int:
    """Position of a name, or of a position."""
    if wanted in names:
        return names.index(wanted)
    if isinstance(wanted, Integral) and int(wanted) in range(len(names)):
        return int(wanted)
    shown = ", ".join(map(repr, names[:6])) + ", ..." * (len(names) > 6)
    raise ValueError(
        f"{parameter} holds {wanted!r}; expected one of {shown}, or a position from 0 "
        f"to {len(names) - 1}."
    )
