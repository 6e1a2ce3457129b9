"""Scores over time, with the events in them."""

from numbers import Integral

import numpy as np
import pandas as pd

from skad._nesting import find_layer
from skad._validation import check_consistent_length, num_samples
from skad.plotting._event_labels import EventLabels, events_in
from skad.plotting._style import (
    add_legend,
    divide,
    fitting_size,
    get_axes,
    import_pyplot,
    inches,
    is_constrained,
    palette,
    tidy,
)
from skad.plotting._timeline import (
    YSCALES,
    Timeline,
    as_text,
    check_rows,
    check_scale,
    draw_errors,
    draw_flagged,
    draw_strip,
    draw_truth,
    figure_size,
    find_name,
    find_rows,
    has_any,
    ranges_of,
    read_index,
    read_labels,
    set_name,
)
from skad.series._events import in_ranges
from skad.series._rows import index_of
from skad.thresholds._cuts import check_scores

__all__ = ["AnomalyScoreDisplay"]


class AnomalyScoreDisplay:
    """Scores over time, with the threshold, the predicted and the true ranges.

    Drawn is the error, which is ``-score``, so that anomalies are peaks. Rows below
    the threshold are shaded; ranges that are labelled as anomalies are bars in a strip
    above. With `events` these are shaded instead, and each bears the name of its first
    sensor. Lines stop at gaps in time, steps longer than 5 times the median step. Long
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
    events : DataFrame of shape (n_events, n_columns), default=None
        Events as `find_events` returns them; `start_row` and `end_row` are positions in
        `scores`. If None, the rows below the threshold are shaded.
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
        The predicted ranges or the events, in each panel; empty if none is shown.
    event_ax_ : matplotlib Axes or None
        The strip of the events, if any is shown.
    event_labels_ : list of matplotlib Annotation
        The names of their sensors.
    true_bars_ : matplotlib PolyCollection or None
        The true ranges, if any is shown.

    See Also
    --------
    find_events : The events, as a table.
    DetectorComparisonDisplay : Several detectors on one series.
    ContributionDisplay : The sensors that the errors come from.
    ThresholdDisplay : What each threshold would make of the scores.

    Notes
    -----
    Where the names of all events have no room, those with the lowest scores have them.

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
    ['start', 'end']
    """

    def __init__(
        self,
        *,
        scores,
        index,
        is_anomaly=None,
        threshold=None,
        sensors=None,
        events=None,
        name=None,
    ):
        self.scores = scores
        self.index = index
        self.is_anomaly = is_anomaly
        self.threshold = threshold
        self.sensors = sensors
        self.events = events
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        columns=None,
        events=None,
        series=None,
        ax=None,
        **kwargs,
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
        events : DataFrame of shape (n_events, n_columns), default=None
            Events in the rows of `X`, as `find_events` returns them, to shade instead
            of the rows below the threshold.
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
        detector = find_layer(estimator, "offset_")
        return cls.from_predictions(
            estimator.score_samples(X),
            index=index_of(X),
            y_true=y,
            threshold=detector.offset_,
            sensors=None if columns is None else _pick_columns(X, columns),
            events=events,
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
        events=None,
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
        events : DataFrame of shape (n_events, n_columns), default=None
            Events in these rows, as `find_events` returns them, to shade instead of the
            rows below the threshold.
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
            time is out of order, events lie in other rows or the series is not there.
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
            events=None if events is None else events_in(events, rows, len(scores)),
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
        return ranges_of(self.index, self.is_flagged)

    @property
    def true_ranges(self):
        """First and last time of every labelled range: a table, or None."""
        return ranges_of(self.index, self.is_anomaly)

    def plot(
        self,
        ax=None,
        *,
        start=None,
        stop=None,
        yscale="auto",
        n_names=1,
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
        n_names : int, default=1
            Name so many sensors of each event, as far as its table has them.
        score_kwargs, threshold_kwargs : dict, default=None
            Keyword arguments of the lines.

        Returns
        -------
        display : AnomalyScoreDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no row from `start` to `stop`, or scores are too large to draw.
        """
        check_scale(yscale, YSCALES, "yscale")
        check_rows(self.index, self.scores, "scores", self.is_anomaly, self.sensors)
        self.rows_ = find_rows(self.index, start, stop)
        caller = f"{type(self).__name__}.plot"
        n_sensors = 0 if self.sensors is None else self.sensors.shape[1]
        self.ax_ = get_axes(ax, caller, figure_size(caller, 0.7 * n_sensors + 2.8))
        self.figure_ = self.ax_.figure
        time = Timeline(self.index, self.rows_)
        labels = self._place_labels(time, n_names)
        has_events = has_any(self._in_event(), self.rows_)
        has_truth = has_any(self.is_anomaly, self.rows_)
        panels, legend_ax = divide(
            self.ax_,
            [0.12] * (has_events + has_truth) + [1.0] * n_sensors + [2.0],
            headroom=(0.45 if self.name is None else 0.65) + labels.height / 72,
        )
        strips = list(panels[: has_events + has_truth, 0])
        self.event_ax_ = strips.pop(0) if has_events else None
        self.truth_ax_ = strips.pop(0) if has_truth else None
        self.axes_ = panels[has_events + has_truth :, 0]
        self._draw_sensors(time)
        self._draw_scores(time, yscale, score_kwargs, threshold_kwargs)
        self._size_names(labels)
        self._mark(time)
        self.event_labels_ = labels.draw(self.event_ax_) if has_events else []
        set_name(panels[0, 0], self.name, 6 + labels.height)
        time.set_axis(panels[:, 0])
        handles = [self.threshold_line_, *self.flagged_bars_[-1:], self.true_bars_]
        self.legend_ = add_legend(legend_ax, [h for h in handles if h is not None])
        return self

    def _in_event(self) -> np.ndarray | None:
        """Whether rows are of an event; None without events."""
        if self.events is None:
            return None
        first, last = self.events[["start_row", "end_row"]].to_numpy().T
        return in_ranges(first, last, len(self.scores))

    def _place_labels(self, time, n_names) -> EventLabels:
        """Find places for the names of the sensors of the events shown."""
        if not isinstance(n_names, Integral) or n_names < 0:
            raise ValueError(f"n_names={n_names!r}; expected an int >= 0.")
        width, height = inches(self.ax_)
        labels = EventLabels(72 * width, 72 * height, int(n_names))
        if self.events is not None:
            first, last = self.rows_.start, self.rows_.stop - 1
            starts = self.events["start_row"].clip(lower=first)
            shown = self.events[(self.events["end_row"] >= first) & (starts <= last)]
            if "peak_score" in shown:
                shown = shown.sort_values("peak_score", kind="stable")
            labels.fill(shown, time.places(starts[shown.index] - first))
        return labels

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
            ax.set_ylabel(as_text(name))

    def _draw_scores(self, time, yscale, kwargs, threshold_kwargs) -> None:
        ax = self.axes_[-1]
        errors = -self.scores[self.rows_]
        self.score_line_, self.threshold_line_ = draw_errors(
            ax, time, errors, self.threshold, yscale, kwargs, threshold_kwargs
        )
        ax.set_ylabel("error (\N{MINUS SIGN}score)")

    def _size_names(self, labels) -> None:
        """Fit the names of the panels to their heights."""
        share = 1.0
        if is_constrained(self.figure_):
            share = 0.75 - labels.height / 72 / inches(self.ax_)[1]
        for ax in self.axes_:
            space = 1.15 * share * inches(ax)[1]
            ax.yaxis.label.set_size(fitting_size([ax.get_ylabel()], space))
        self.figure_.align_ylabels(list(self.axes_))

    def _mark(self, time) -> None:
        flags, label = self._in_event(), "event"
        if flags is None:
            flags, label = self.is_flagged, "flagged"
        self.flagged_bars_ = []
        if flags is not None:
            flags = flags[self.rows_]
            bars = [draw_flagged(ax, time, flags, label) for ax in self.axes_]
            self.flagged_bars_ = [bar for bar in bars if bar is not None]
        if self.event_ax_ is not None:
            draw_strip(self.event_ax_, time, flags, palette().anomaly, label)
        self.true_bars_ = None
        if self.truth_ax_ is not None:
            flags = self.is_anomaly[self.rows_]
            self.true_bars_ = draw_truth(self.truth_ax_, time, flags)


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
