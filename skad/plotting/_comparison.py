"""Scores of several detectors on one series, below each other."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from skad._nesting import find_layer
from skad._validation import check_consistent_length
from skad.plotting._style import (
    add_legend,
    divide,
    fitting_size,
    get_axes,
    import_pyplot,
    inches,
    is_constrained,
    outline,
)
from skad.plotting._timeline import (
    YSCALES,
    Timeline,
    check_rows,
    check_scale,
    draw_errors,
    draw_flagged,
    draw_truth,
    figure_size,
    find_rows,
    has_any,
    leave_room,
    ranges_of,
    read_index,
    read_labels,
    set_name,
)
from skad.series._rows import index_of
from skad.thresholds._cuts import check_scores

__all__ = ["DetectorComparisonDisplay"]


class DetectorComparisonDisplay:
    """Scores of several detectors on one series, each in a panel of its own.

    Drawn are the errors, which are ``-score``, in the unit of each detector, with its
    threshold and the rows below it. Ranges that are labelled as anomalies are bars in a
    strip above all panels.

    Use :meth:`from_estimators` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    scores : DataFrame of shape (n_timestamps, n_detectors)
        Scores, higher = more normal; columns are the names of the detectors, the index
        is the time of the rows, increasing: dates, durations or numbers.
    is_anomaly : ndarray of shape (n_timestamps,), dtype bool, default=None
        Whether a row is an anomaly. If None, there is no strip.
    thresholds : dict of str to float, default=None
        Threshold of each detector; one that is not there has none, and no row of it is
        shaded.
    name : object, default=None
        Name of the series, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes given to :meth:`plot`, or made by it; the frame of the panels.
    axes_ : ndarray of shape (n_detectors,)
        The panels, in the order of the columns.
    truth_ax_ : matplotlib Axes or None
        The strip of the true ranges, if any is shown.
    figure_ : matplotlib Figure
        Figure of the panels.
    rows_ : slice
        The rows shown.
    score_lines_ : list of matplotlib Line2D
        The errors.
    threshold_lines_, flagged_bars_ : list of matplotlib artist or None
        Thresholds and predicted ranges; None for a detector that has none.
    true_bars_ : matplotlib PolyCollection or None
        The true ranges, if any is shown.

    See Also
    --------
    AnomalyScoreDisplay : One detector, with readings and events.
    event_recall_score : How many events a detector finds.

    Notes
    -----
    Errors of different detectors have different units: compare where they rise, not how
    high.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from skad import DetectorComparisonDisplay, LinearAutoencoder
    >>> from skad import WindowedDetector, make_sensors
    >>> X, y = make_sensors(2000, n_faults=2, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detectors = {
    ...     "windowed PCA": WindowedDetector(LinearAutoencoder(8), 30),
    ...     "forest of rows": IsolationForest(random_state=0),
    ... }
    >>> for detector in detectors.values():
    ...     detector = detector.fit(X[:1000])
    >>> display = DetectorComparisonDisplay.from_estimators(detectors, X, y)
    >>> list(display.scores), len(display.axes_)
    (['windowed PCA', 'forest of rows'], 2)
    """

    def __init__(self, *, scores, is_anomaly=None, thresholds=None, name=None):
        self.scores = scores
        self.is_anomaly = is_anomaly
        self.thresholds = thresholds
        self.name = name

    @classmethod
    def from_estimators(cls, estimators, X, y=None, *, series=None, ax=None, **kwargs):
        """Plot the scores that fitted outlier detectors give to the rows of a table.

        Parameters
        ----------
        estimators : dict of str to estimator instance
            Fitted outlier detectors with `score_samples` and `offset_`, or pipelines,
            searches or wrappers with such a detector inside, by the names to show.
        X : array-like of shape (n_timestamps, n_channels)
            Table, as the estimators take it. Its index, if it is a pandas table, tells
            the time, and the levels of a MultiIndex before the last the series; other
            tables are numbered.
        y : array-like of shape (n_timestamps,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
        series : object, default=None
            The series to show, where the index names several; a tuple if several
            levels name it. All are scored.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`, such as `start` and `stop`.

        Returns
        -------
        display : DetectorComparisonDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If there is no detector with `offset_` in one of them.
        ValueError
            If there is no detector, a series is not in `X`, or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_estimators")
        thresholds = {
            name: find_layer(estimator, "offset_").offset_
            for name, estimator in estimators.items()
        }
        scores = {name: e.score_samples(X) for name, e in estimators.items()}
        return cls.from_predictions(
            scores,
            index=index_of(X),
            y_true=y,
            thresholds=thresholds,
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
        thresholds=None,
        series=None,
        ax=None,
        **kwargs,
    ):
        """Plot scores that are there already.

        Parameters
        ----------
        scores : dict of str to array-like of shape (n_timestamps,), or DataFrame
            Scores of each detector as `score_samples` or `decision_function` returns
            them, higher = more normal.
        index : array-like of shape (n_timestamps,), default=None
            Times of the rows: dates, durations or numbers; the last level of a
            MultiIndex. If None, the index of `scores`, or of the first of them, if it
            has one, else rows are numbered, as they are where the index holds anything
            else.
        y_true : array-like of shape (n_timestamps,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
        thresholds : dict of str to float, default=None
            Threshold in use of each detector, on the scale of its scores. For one that
            is not there nothing is shaded.
        series : object, default=None
            The series to show, where the index names several.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`, such as `start` and `stop`.

        Returns
        -------
        display : DetectorComparisonDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If `scores` is neither a dict nor a DataFrame.
        ValueError
            If there is no detector, thresholds are of others, scores are not finite,
            labels are in neither coding, lengths differ, time is out of order or the
            series is not there.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        if not isinstance(scores, Mapping | pd.DataFrame):
            raise TypeError(
                f"scores is a {type(scores).__name__}; expected a dict with the scores "
                "of each detector, or a DataFrame."
            )
        tables = dict(scores.items())
        if not tables:
            raise ValueError(
                "scores is empty; expected those of at least one detector."
            )
        thresholds = {} if thresholds is None else dict(thresholds)
        unknown = [name for name in thresholds if name not in tables]
        if unknown:
            raise ValueError(
                f"thresholds names {unknown[0]!r}; expected one of "
                f"{', '.join(map(repr, tables))}, as in scores."
            )
        index = index_of(scores, *tables.values()) if index is None else index
        columns = [check_scores(values) for values in tables.values()]
        check_consistent_length(*columns)
        is_anomaly = read_labels(y_true, columns[0])
        rows, index, name = read_index(index, len(columns[0]), series)
        parts = {key: c[rows] for key, c in zip(tables, columns, strict=True)}
        display = cls(
            scores=pd.DataFrame(parts, index=index),
            is_anomaly=None if is_anomaly is None else is_anomaly[rows],
            thresholds={name: float(value) for name, value in thresholds.items()},
            name=name,
        )
        return display.plot(ax=ax, **kwargs)

    @property
    def is_flagged(self):
        """Whether the scores of rows are below the threshold: a table, or None."""
        if not self.thresholds:
            return None
        return self.scores[list(self.thresholds)].lt(pd.Series(self.thresholds))

    @property
    def true_ranges(self):
        """First and last time of every labelled range: a table, or None."""
        return ranges_of(self.scores.index, self.is_anomaly)

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
            the detectors.
        start, stop : label or int, default=None
            First and last row to show, both included. Labels of the index, a part of a
            date too (``start="2018-04-07", stop="2018-04"``); where the index is no
            number, an int is the position of a row. None is the end.
        yscale : {"auto", "linear", "log", "symlog"}, default="auto"
            Scale of the errors. "auto" is linear, unless the farthest is more than 10
            times the median one: then logarithmic, on both sides of a linear middle
            ("symlog") where some errors are negative. For each detector alone.
        score_kwargs, threshold_kwargs : dict, default=None
            Keyword arguments of the lines.

        Returns
        -------
        display : DetectorComparisonDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no row from `start` to `stop`, or scores are too large to draw.
        """
        check_scale(yscale, YSCALES, "yscale")
        check_rows(self.scores.index, self.scores, "scores", self.is_anomaly)
        index = self.scores.index
        self.rows_ = find_rows(index, start, stop)
        caller = f"{type(self).__name__}.plot"
        n_detectors = self.scores.shape[1]
        self.ax_ = get_axes(ax, caller, figure_size(caller, 1.1 * n_detectors + 1.0))
        self.figure_ = self.ax_.figure
        has_truth = has_any(self.is_anomaly, self.rows_)
        panels, legend_ax = divide(
            self.ax_,
            [0.06 * n_detectors] * has_truth + [1.0] * n_detectors,
            headroom=0.45 if self.name is None else 0.65,
        )
        self.truth_ax_ = panels[0, 0] if has_truth else None
        self.axes_ = panels[has_truth:, 0]
        time = Timeline(index, self.rows_)
        self._draw_scores(time, yscale, score_kwargs, threshold_kwargs)
        self.true_bars_ = None
        if self.truth_ax_ is not None:
            flags = self.is_anomaly[self.rows_]
            self.true_bars_ = draw_truth(self.truth_ax_, time, flags)
        set_name(panels[0, 0], self.name)
        time.set_axis(panels[:, 0])
        self._name_panels()
        handles = [
            next((line for line in self.threshold_lines_ if line is not None), None),
            next((bars for bars in self.flagged_bars_ if bars is not None), None),
            self.true_bars_,
        ]
        handles = [handle for handle in handles if handle is not None]
        self.legend_ = add_legend(legend_ax, handles)
        return self

    def _draw_scores(self, time, yscale, kwargs, threshold_kwargs) -> None:
        self.score_lines_: list[Any] = []
        self.threshold_lines_: list[Any] = []
        self.flagged_bars_: list[Any] = []
        style = {"label": "threshold", **(threshold_kwargs or {})}
        for ax, (name, scores) in zip(self.axes_, self.scores.items(), strict=True):
            scores = scores.to_numpy()[self.rows_]
            threshold = (self.thresholds or {}).get(name)
            line, level = draw_errors(
                ax, time, -scores, threshold, yscale, kwargs, style
            )
            bars = None
            if threshold is not None:
                bars = draw_flagged(ax, time, scores < threshold)
            self.score_lines_.append(line)
            self.threshold_lines_.append(level)
            self.flagged_bars_.append(bars)

    def _name_panels(self) -> None:
        """Write the name of each detector into its panel, above its line."""
        share = 0.75 if is_constrained(self.figure_) else 1.0
        for ax, name in zip(self.axes_, self.scores, strict=True):
            width, height = inches(ax)
            space = 1.15 * share * height
            ax.set_ylabel("error", fontsize=fitting_size(["error"], space))
            size = fitting_size([str(name)], 0.9 * width)
            size = min(size, 0.22 * 72 * share * height)
            leave_room(ax, (1.4 * size + 3) / (72 * share * height))
            ax.annotate(
                str(name),
                xy=(0, 1),
                xycoords="axes fraction",
                xytext=(4, -3),
                textcoords="offset points",
                va="top",
                fontsize=size,
                path_effects=[outline(ax)],
            )
        self.figure_.align_ylabels(list(self.axes_))
