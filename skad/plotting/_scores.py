"""Scores over time, and what the displays with an axis of time share."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from skad._validation import (
    check_consistent_length,
    check_outlier_labels,
    find_detector,
    num_samples,
)
from skad.plotting._style import (
    add_legend,
    divide,
    fitting_size,
    get_axes,
    import_pyplot,
    inches,
    is_constrained,
    label_log_axis,
    number,
    palette,
    symlog_ticks,
    tidy,
    with_defaults,
)
from skad.thresholds._rules import check_scores

__all__ = ["AnomalyScoreDisplay"]

# A step in time longer than so many usual ones is a gap, as for the detectors.
_GAP_IN_STEPS = 5

# Columns into which long series are thinned: more than a screen or a page shows.
_N_COLUMNS = 4000

# Ranges are drawn at least this share of the axis wide, so that single rows are seen.
_NARROWEST = 1 / 600

# Farthest error over median error at which a linear axis would show peaks and a floor.
_HEAVY_TAIL = 10.0

YSCALES = ("auto", "linear", "log", "symlog")


class AnomalyScoreDisplay:
    """Scores over time, with the threshold and the predicted and true ranges.

    Drawn is the error, which is ``-score``, so that anomalies are peaks. Rows below
    the threshold are shaded; ranges that are labelled as anomalies are bars in a strip
    above. Lines stop at gaps in time, steps longer than 5 times the median step. Long
    series are thinned to the lowest and the highest value of every column that can be
    seen, so that no peak is lost.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    scores : ndarray of shape (n_timestamps,)
        Scores, higher = more normal.
    index : pandas Index of shape (n_timestamps,)
        Times of the rows, increasing: dates, durations or numbers.
    is_anomaly : ndarray of shape (n_timestamps,), dtype bool, default=None
        Whether a row is an anomaly. If None, there is no strip.
    threshold : float, default=None
        Threshold in use. If None, nothing is shaded.
    sensors : DataFrame of shape (n_timestamps, n_sensors), default=None
        Readings to draw above the scores; missing values are gaps.
    name : object, default=None
        Name of the series, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes given to :meth:`plot`, or made by it; the frame of the panels.
    axes_ : ndarray of shape (n_sensors + 1,)
        The panels; that of the scores is the last.
    truth_ax_ : matplotlib Axes or None
        The strip of the true ranges, if any is shown.
    figure_ : matplotlib Figure
        Figure of the panels.
    rows_ : slice
        The rows shown.
    score_line_ : matplotlib Line2D
        The errors.
    sensor_lines_ : list of matplotlib Line2D
        The readings.
    threshold_line_ : matplotlib Line2D or None
        The threshold.
    flagged_bars_ : list of matplotlib PolyCollection
        The predicted ranges, in each panel; empty if none is shown.
    true_bars_ : matplotlib PolyCollection or None
        The true ranges, if any is shown.

    See Also
    --------
    ContributionDisplay : The sensors that the errors come from.
    ThresholdDisplay : What each threshold would make of the scores.

    Examples
    --------
    >>> from skad import AnomalyScoreDisplay, LinearAutoencoder, WindowedDetector
    >>> from skad import make_sensors
    >>> X, y = make_sensors(2000, n_faults=2, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detector = WindowedDetector(LinearAutoencoder(8), 30).fit(X[:1000])
    >>> display = AnomalyScoreDisplay.from_estimator(detector, X, y, start=900)
    >>> display.rows_
    slice(900, 2000, None)
    >>> list(display.true_ranges.columns)
    ['start', 'stop']
    """

    def __init__(
        self,
        *,
        scores,
        index,
        is_anomaly=None,
        threshold=None,
        sensors=None,
        name=None,
    ):
        self.scores = scores
        self.index = index
        self.is_anomaly = is_anomaly
        self.threshold = threshold
        self.sensors = sensors
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, columns=None, series=None, ax=None, **kwargs
    ):
        """Plot the scores that a fitted outlier detector gives to the rows of a table.

        Parameters
        ----------
        estimator : estimator instance
            Fitted outlier detector with `score_samples` and `offset_`, or a pipeline,
            search or wrapper with such a detector inside.
        X : array-like of shape (n_timestamps, n_channels)
            Table, as the estimator takes it. Its index, if it is a pandas table, tells
            the time, and the levels of a MultiIndex before the last the series; other
            tables are numbered.
        y : array-like of shape (n_timestamps,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
        columns : str, int or list of these, default=None
            Columns of `X` to draw above the scores, by name or position, as they are
            in `X`: neither imputed nor scaled.
        series : object, default=None
            The series to show, where the index names several; a tuple if several
            levels name it. All are scored.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`, such as `start` and `stop`.

        Returns
        -------
        display : AnomalyScoreDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If there is no detector with `offset_`.
        ValueError
            If a column or a series is not in `X`, or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        detector, _ = find_detector(estimator, "offset_")
        return cls.from_predictions(
            estimator.score_samples(X),
            index=index_of(X),
            y_true=y,
            threshold=detector.offset_,
            sensors=None if columns is None else _pick_columns(X, columns),
            series=series,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        scores,
        *,
        index=None,
        y_true=None,
        threshold=None,
        sensors=None,
        series=None,
        ax=None,
        **kwargs,
    ):
        """Plot scores that are there already.

        Parameters
        ----------
        scores : array-like of shape (n_timestamps,)
            Scores as `score_samples` or `decision_function` returns them, higher =
            more normal.
        index : array-like of shape (n_timestamps,), default=None
            Times of the rows: dates, durations or numbers; the last level of a
            MultiIndex. If None, the index of `scores` if they have one, else rows are
            numbered, as they are where the index holds anything else.
        y_true : array-like of shape (n_timestamps,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
        threshold : float, default=None
            Threshold in use, on the same scale: `offset_` for `score_samples`, 0 for
            `decision_function`. If None, nothing is shaded.
        sensors : array-like of shape (n_timestamps, n_sensors), default=None
            Readings to draw above the scores.
        series : object, default=None
            The series to show, where the index names several.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`, such as `start` and `stop`.

        Returns
        -------
        display : AnomalyScoreDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If scores are not finite, labels are in neither coding, lengths differ,
            time is out of order or the series is not there.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        index = index_of(scores) if index is None else index
        scores = check_scores(scores)
        is_anomaly = read_labels(y_true, scores)
        if sensors is not None:
            check_consistent_length(scores, sensors)
            sensors = pd.DataFrame(sensors)
        rows, index, name = read_index(index, len(scores), series)
        display = cls(
            scores=scores[rows],
            index=index,
            is_anomaly=None if is_anomaly is None else is_anomaly[rows],
            threshold=None if threshold is None else float(threshold),
            sensors=None if sensors is None else sensors.iloc[rows],
            name=name,
        )
        return display.plot(ax=ax, **kwargs)

    @property
    def is_flagged(self):
        """Whether the score of a row is below the threshold, or None without one."""
        return None if self.threshold is None else self.scores < self.threshold

    @property
    def flagged_ranges(self):
        """First and last time of every predicted range: a table, or None."""
        return _ranges(self.index, self.is_flagged)

    @property
    def true_ranges(self):
        """First and last time of every labelled range: a table, or None."""
        return _ranges(self.index, self.is_anomaly)

    def plot(
        self,
        ax=None,
        *,
        start=None,
        stop=None,
        yscale="auto",
        score_kwargs=None,
        threshold_kwargs=None,
    ):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made, high enough for
            the sensors.
        start, stop : label or int, default=None
            First and last row to show, both included. Labels of the index, a part of a
            date too (``start="2018-04-07", stop="2018-04"``); where the index is no
            number, an int is the position of a row. None is the end.
        yscale : {"auto", "linear", "log", "symlog"}, default="auto"
            Scale of the errors. "auto" is linear, unless the farthest is more than 10
            times the median one: then logarithmic, on both sides of a linear middle
            ("symlog") where some errors are negative.
        score_kwargs, threshold_kwargs : dict, default=None
            Keyword arguments of the lines.

        Returns
        -------
        display : AnomalyScoreDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no row from `start` to `stop`.
        """
        check_scale(yscale, YSCALES, "yscale")
        self.rows_ = find_rows(self.index, start, stop)
        caller = f"{type(self).__name__}.plot"
        n_sensors = 0 if self.sensors is None else self.sensors.shape[1]
        self.ax_ = get_axes(ax, caller, figure_size(caller, 0.7 * n_sensors + 2.8))
        self.figure_ = self.ax_.figure
        has_truth = has_any(self.is_anomaly, self.rows_)
        panels, legend_ax = divide(
            self.ax_,
            [0.12] * has_truth + [1.0] * n_sensors + [2.0],
            headroom=0.45 if self.name is None else 0.65,
        )
        self.truth_ax_ = panels[0, 0] if has_truth else None
        self.axes_ = panels[has_truth:, 0]
        time = Timeline(self.index, self.rows_)
        self._draw_sensors(time)
        self._draw_scores(time, yscale, score_kwargs, threshold_kwargs)
        self._mark(time)
        set_name(panels[0, 0], self.name)
        time.set_axis(panels[:, 0])
        handles = [self.threshold_line_, *self.flagged_bars_[-1:], self.true_bars_]
        self.legend_ = add_legend(legend_ax, [h for h in handles if h is not None])
        return self

    def _draw_sensors(self, time) -> None:
        self.sensor_lines_ = []
        if self.sensors is None:
            return
        style = {"color": palette().text, "linewidth": 0.9}
        for ax, (name, values) in zip(self.axes_, self.sensors.items(), strict=False):
            y = values.to_numpy(dtype=float)[self.rows_]
            self.sensor_lines_ += ax.plot(*time.line(y), **style)
            tidy(ax)
            ax.margins(y=0.1)
            height = (0.75 if is_constrained(self.figure_) else 1.0) * inches(ax)[1]
            ax.locator_params(axis="y", nbins=3 if height > 0.4 else 1)
            if height < 0.32:
                # two numbers would lie over each other
                ax.tick_params(labelleft=False)
            ax.set_ylabel(
                f"channel {name}" if isinstance(name, Integral) else str(name)
            )

    def _draw_scores(self, time, yscale, kwargs, threshold_kwargs) -> None:
        ax = self.axes_[-1]
        errors = -self.scores[self.rows_]
        self.score_line_, self.threshold_line_ = draw_errors(
            ax, time, errors, self.threshold, yscale, kwargs, threshold_kwargs
        )
        ax.set_ylabel("error (\N{MINUS SIGN}score)")
        share = 0.75 if is_constrained(self.figure_) else 1.0
        labels = [ax.get_ylabel() for ax in self.axes_]
        space = 1.15 * share * min(inches(ax)[1] for ax in self.axes_)
        for ax in self.axes_:
            ax.yaxis.label.set_size(fitting_size(labels, space))
        self.figure_.align_ylabels(list(self.axes_))

    def _mark(self, time) -> None:
        self.flagged_bars_ = []
        if self.is_flagged is not None:
            flags = self.is_flagged[self.rows_]
            bars = [draw_flagged(ax, time, flags) for ax in self.axes_]
            self.flagged_bars_ = [bar for bar in bars if bar is not None]
        self.true_bars_ = None
        if self.truth_ax_ is not None:
            flags = self.is_anomaly[self.rows_]
            self.true_bars_ = draw_truth(self.truth_ax_, time, flags)


# What the displays with an axis of time share ----------------------------------------


def index_of(X) -> pd.Index | None:
    """Return the index of a pandas object."""
    index = getattr(X, "index", None)
    return index if isinstance(index, pd.Index) else None


def read_labels(y, scores) -> np.ndarray | None:
    """Whether rows are anomalies; None without labels."""
    if y is None:
        return None
    is_anomaly = check_outlier_labels(y, name="y_true")
    check_consistent_length(is_anomaly, scores)
    return is_anomaly


def read_index(index, n_rows, series=None) -> tuple[Any, pd.Index, Any]:
    """Find the rows of one series, their times and the name of the series."""
    index = pd.RangeIndex(n_rows) if index is None else index
    index = index if isinstance(index, pd.Index) else pd.Index(index)
    if len(index) != n_rows:
        raise ValueError(
            f"index has {len(index)} entries; expected {n_rows}, one for each row."
        )
    rows: Any = slice(None)
    name = None
    if isinstance(index, pd.MultiIndex):
        rows, name = _find_series(index.droplevel(-1), series)
        index = index.get_level_values(-1)[rows]
    elif series is not None:
        raise ValueError(f"series={series!r}, but the index names no series.")
    return rows, _as_time(index), name


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


def _as_time(index) -> pd.Index:
    """Refuse time that is missing or runs backwards; number what is no time."""
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    is_number = pd.api.types.is_numeric_dtype(index.dtype) and index.dtype != bool
    if not is_number and not _is_dates(index):
        return pd.RangeIndex(len(index))
    if index.hasnans or not index.is_monotonic_increasing:
        raise ValueError(
            "The index must increase and hold no missing times. Sort the rows, e.g. "
            "with skad.clean_table, or choose one series of several."
        )
    return index


def _is_dates(index) -> bool:
    return isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)


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


def find_runs(flags, is_break) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of every run of True that no break parts."""
    together = flags[1:] & flags[:-1] & ~is_break
    first = np.flatnonzero(flags & ~np.r_[False, together])
    last = np.flatnonzero(flags & ~np.r_[together, False])
    return first, last


def find_breaks(x) -> tuple[np.ndarray, float]:
    """Whether time leaps from a row to the next, and the usual step."""
    steps = np.diff(x)
    usual = steps[steps > 0]
    step = float(np.median(usual)) if len(usual) else 1.0
    return steps > _GAP_IN_STEPS * step, step


def _ranges(index, flags) -> pd.DataFrame | None:
    if flags is None:
        return None
    first, last = find_runs(flags, find_breaks(_as_numbers(index))[0])
    return pd.DataFrame({"start": index[first], "stop": index[last]})


def _as_numbers(index) -> np.ndarray:
    if _is_dates(index):
        return (index - index[0]).total_seconds().to_numpy()
    return index.to_numpy(dtype=float)


class Timeline:
    """Rows shown: where they lie on the axis, and which belong together."""

    def __init__(self, index, rows):
        self.index = index
        x, self.label = self._positions(index)
        is_break, self.step = find_breaks(x)
        self.is_break = is_break[rows.start : rows.stop - 1]
        self.x = x[rows]
        self.limits = self.x[0] - self.step / 2, self.x[-1] + self.step / 2

    @staticmethod
    def _positions(index) -> tuple[np.ndarray, str]:
        """Numbers as matplotlib has them, and what they are called."""
        name = index.name
        if isinstance(index, pd.DatetimeIndex):
            from matplotlib.dates import date2num

            utc = index if index.tz is None else index.tz_convert(None)
            # dates speak for themselves
            return date2num(utc.to_numpy()), ""
        if isinstance(index, pd.TimedeltaIndex):
            seconds = index.total_seconds().to_numpy()
            span = np.ptp(seconds)
            units = {"d": 86400, "h": 3600, "min": 60, "s": 1}
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
        is_there = np.isfinite(y)
        rows = np.flatnonzero(is_there)
        if len(rows) == 0:
            return np.empty(0), np.empty(0)
        stretch = np.cumsum(np.r_[0, self.is_break | ~(is_there[1:] & is_there[:-1])])
        shortest = 0.0
        if len(rows) > 2 * _N_COLUMNS:
            rows = self._peaks(y, rows)
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

    def _peaks(self, y, rows) -> np.ndarray:
        """Rows of the lowest and the highest value of each column."""
        column, _ = self._columns(_N_COLUMNS)
        order = rows[np.lexsort((y[rows], column[rows]))]
        is_new = np.diff(column[order]) > 0
        return np.unique(order[np.r_[True, is_new] | np.r_[is_new, True]])

    def bars(self, flags) -> np.ndarray:
        """Left and right ends of the runs of True, wide enough to be seen."""
        first, last = find_runs(flags, self.is_break)
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
            from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

            zone = self.index.tz
            ax.xaxis_date(zone)
            dates = AutoDateLocator(tz=zone, minticks=2, maxticks=n_ticks)
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


def has_any(flags, rows) -> bool:
    """Whether there are flags, and some among the rows."""
    return flags is not None and bool(flags[rows].any())


def set_name(ax, name) -> None:
    """Write the name of a series above its panels."""
    if name is not None:
        title = ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        ax.set_title(title, fontsize=fitting_size([title], 0.9 * inches(ax)[0]))


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
    width = 1.2 if len(errors) < 2000 else 0.8
    style = with_defaults(
        kwargs, color=palette().normal, linewidth=width, label="error"
    )
    (line,) = ax.plot(*time.line(errors), **style)
    level = None if threshold is None or not np.isfinite(threshold) else 0.0 - threshold
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
        is_heavy = farthest > _HEAVY_TAIL * np.median(sizes)
        heavy = "symlog" if lowest < 0 else "log"
        yscale = heavy if is_heavy else "linear"
    if yscale == "log":
        if lowest < 0 or highest <= 0:
            raise ValueError(
                "yscale='log' needs errors above 0, which are scores below 0; use "
                "'symlog' or 'linear'."
            )
        # errors of next to nothing would take the room of all others
        floor = max(farthest * 1e-6, np.quantile(sizes, 0.01) / 3)
        lowest = max(lowest, min(floor, highest))
        ax.set_yscale("log", nonpositive="clip")
    elif yscale == "symlog":
        linear = max(np.quantile(sizes, 0.5), farthest * 1e-6) or 1.0
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


def _padded(transform, lowest, highest) -> np.ndarray:
    """Limits a little beyond, by the same share of the axis on both sides."""
    if lowest == highest:
        half = abs(lowest) / 20 or 0.5
        return np.array([lowest - half, highest + half])
    ends = transform.transform(np.array([lowest, highest]))
    ends += np.array([-0.05, 0.08]) * (ends[1] - ends[0])
    return transform.inverted().transform(ends)


def draw_flagged(ax, time, flags) -> Any:
    """Shade the predicted ranges of a panel; None if there are none."""
    style = {"facecolor": (palette().anomaly, 0.4), "zorder": 0.8}
    return _draw_bars(ax, time, flags, "flagged", style)


def draw_truth(ax, time, flags) -> Any:
    """Fill a strip with the true ranges; None if there are none."""
    ax.set(yticks=[], ylim=(0, 1))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="x", length=0)
    style = {"facecolor": palette().text}
    return _draw_bars(ax, time, flags, "labelled", style)


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


def _pick_columns(X, columns) -> pd.DataFrame:
    """Columns of a table by name or position."""
    n_rows = num_samples(X)
    table = X if hasattr(X, "iloc") else pd.DataFrame(np.asarray(X).reshape(n_rows, -1))
    is_one = isinstance(columns, str | Integral)
    places = [
        find_name(column, list(table.columns), "columns")
        for column in ([columns] if is_one else columns)
    ]
    return table.iloc[:, places]


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
