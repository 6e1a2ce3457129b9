"""Scores over time, with the events in them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._nesting import find_layer
from skad._validation import check_consistent_length, num_samples
from skad.plotting import _reading
from skad.plotting._event_labels import EventLabels, events_in
from skad.plotting._explained import check_columns
from skad.plotting._panels import Axes, TimeDisplay
from skad.plotting._shared_docs import MAKE, PLOT_TIME, TIME
from skad.plotting._style import as_text, import_pyplot, palette
from skad.series._events import in_ranges
from skad.series._expected import expected_as_read
from skad.series._rows import index_of
from skad.thresholds._cuts import check_scores


@add_parameters(TIME)
@dataclass(eq=False, repr=False, kw_only=True)
class AnomalyScoreDisplay(TimeDisplay):
    """Scores over time, with the threshold, the predicted and the true ranges.

    The line is the error, which is ``-score``, so that anomalies are peaks. Rows below
    the threshold are shaded; ranges labelled as anomalies are bars in a strip above. If
    there are `events`, they are shaded instead, each with the name of its first sensor.
    Lines stop at gaps in time, which are steps longer than 5 times the median step.
    Long series are thinned to the lowest and the highest value of every visible column,
    so that no peak is lost.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    scores : ndarray of shape (n_timestamps,)
        Scores, higher = more normal.
    sensors : DataFrame of shape (n_timestamps, n_sensors), default=None
        Readings to draw above the scores; missing values are gaps.
    expected : DataFrame of shape (n_timestamps, n_sensors), default=None
        What the sensors should have read, to draw with the readings.
    events : DataFrame of shape (n_events, n_columns), default=None
        Events as `find_events` returns them; `start_row` and `end_row` are positions in
        `scores`. If None, the rows below the threshold are shaded.

    Attributes
    ----------
    axes_ : ndarray of shape (n_sensors + 1,)
        The panels; that of the scores is the last.
    score_line_ : matplotlib Line2D
        The errors.
    sensor_lines_, expected_lines_ : list of matplotlib Line2D
        The readings, and what they should have been.
    threshold_line_ : matplotlib Line2D or None
        The threshold.
    flagged_bars_ : list of matplotlib PolyCollection
        The predicted ranges or the events, in each panel; empty if none is shown.
    event_ax_, event_labels_ : matplotlib Axes or None, and list of Annotation
        The strip of the events, if any is shown, and the names of their sensors.

    See Also
    --------
    find_events : The events, as a table.
    DetectorComparisonDisplay : Several detectors on one series.
    ContributionDisplay : The sensors that the errors come from.
    ThresholdDisplay : What each threshold would make of the scores.

    Notes
    -----
    If there is no room to name all events, those with the lowest scores are named.

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

    scores: NDArray
    index: pd.Index
    is_anomaly: NDArray | None = None
    threshold: float | None = None
    sensors: pd.DataFrame | None = None
    expected: pd.DataFrame | None = None
    events: pd.DataFrame | None = None
    name: object = None

    @classmethod
    @add_parameters(MAKE)
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        columns: str | int | list | None = None,
        expected: bool = False,
        events: pd.DataFrame | None = None,
        series: object = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the scores that a fitted outlier detector gives to the rows of a table.

        Parameters
        ----------
        columns : str, int or list of these, default=None
            Columns of `X` to draw above the scores, by name or position, as they are
            in `X`: neither imputed nor scaled.
        expected : bool, default=False
            Whether to draw, with these, what they should have read; see
            `expected_values`.

        Raises
        ------
        TypeError
            If there is no detector with `offset_`, or no expected values are known.
        ValueError
            If a column or a series is not in `X`, or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        threshold = find_layer(estimator, "offset_").offset_
        rows, table = _reading.rows_of_series(estimator, X, series)
        if events is not None:
            events = events_in(events, rows, num_samples(table))
        X, y, table = _reading.take_rows(rows, X, y, table)
        sensors = None if columns is None else _reading.pick_columns(table, columns)
        told = None
        if expected and columns is not None:
            told = _reading.pick_columns(expected_as_read(estimator, X), columns)
        return cls.from_predictions(
            estimator.score_samples(X),
            index=index_of(table),
            y_true=y,
            threshold=threshold,
            sensors=sensors,
            expected=told,
            events=events,
            series=series,
            ax=ax,
            **kwargs,
        )

    @classmethod
    @add_parameters(MAKE)
    def from_predictions(
        cls,
        scores: ArrayLike,
        *,
        index: ArrayLike | None = None,
        y_true: ArrayLike | None = None,
        threshold: float | None = None,
        sensors: ArrayLike | None = None,
        expected: ArrayLike | None = None,
        events: pd.DataFrame | None = None,
        series: object = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot given scores.

        Parameters
        ----------
        sensors : array-like of shape (n_timestamps, n_sensors), default=None
            Readings to draw above the scores.
        expected : array-like of shape (n_timestamps, n_sensors), default=None
            What these sensors should have read.

        Raises
        ------
        ValueError
            If scores are not finite, labels are in neither coding, lengths differ,
            time is out of order, events lie in other rows or the series is not there.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        index = index_of(scores) if index is None else index
        scores = check_scores(scores)
        readings = None if sensors is None else pd.DataFrame(sensors)
        told = None if expected is None else pd.DataFrame(expected)
        check_consistent_length(scores, readings, told)
        rows, shown = _reading.read_series(index, len(scores), series, y_true)
        return cls(
            scores=scores[rows],
            threshold=None if threshold is None else float(threshold),
            sensors=None if readings is None else readings.iloc[rows],
            expected=None if told is None else told.iloc[rows],
            events=None if events is None else events_in(events, rows, len(scores)),
            **shown,
        ).plot(ax=ax, **kwargs)

    @property
    def is_flagged(self) -> NDArray | None:
        """Whether the score of a row is below the threshold, or None without one."""
        return None if self.threshold is None else self.scores < self.threshold

    @property
    def flagged_ranges(self) -> pd.DataFrame | None:
        """First and last time of every predicted range: a table, or None."""
        return _reading.ranges_of(self.index, self.is_flagged)

    @add_parameters(PLOT_TIME)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        start: object = None,
        stop: object = None,
        yscale: str = "auto",
        n_names: int = 1,
        score_kwargs: dict[str, Any] | None = None,
        threshold_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        n_names : int, default=1
            Number of sensors to name for each event, as far as its table has them.
        """
        if not isinstance(n_names, Integral) or n_names < 0:
            raise ValueError(f"n_names={n_names!r}; expected an int >= 0.")
        drawn = self.scores, self.sensors, self.expected
        self._choose_rows(self.index, start, stop, yscale, "scores", *drawn)
        n_sensors = 0 if self.sensors is None else self.sensors.shape[1]
        check_columns(self.expected, n_sensors)
        panels = self._open(ax, self.index, 0.7 * n_sensors + 2.8)
        labels = EventLabels.of(panels, self.events, self.rows_, n_names)
        in_event = self._in_event()
        self.event_ax_: Any = self._divide(
            panels, [1.0] * n_sensors + [2.0], events=in_event, above=labels.height / 72
        )
        self._draw_sensors(panels)
        self.score_line_, self.threshold_line_ = panels.draw_errors(
            self.axes_[-1],
            self.scores[self.rows_],
            self.threshold,
            yscale,
            score_kwargs,
            threshold_kwargs,
        )
        panels.label(self.axes_[-1:], ["error (\N{MINUS SIGN}score)"])
        flags, label = self.is_flagged, "flagged"
        if in_event is not None:
            flags, label = in_event, "event"
        self._mark(panels, flags, label)
        self.event_labels_ = []
        if self.event_ax_ is not None:
            self.event_labels_ = labels.draw(self.event_ax_)
        marks = [self.threshold_line_], self.flagged_bars_
        return self._finish(panels, *marks, self.expected_lines_)

    def _in_event(self) -> np.ndarray | None:
        """Whether rows are of an event; None without events."""
        if self.events is None:
            return None
        first, last = self.events[["start_row", "end_row"]].to_numpy().T
        return in_ranges(first, last, len(self.scores))

    def _draw_sensors(self, panels) -> None:
        self.expected_lines_ = self._draw_columns(self.expected, panels.draw_expected)
        self.sensor_lines_ = self._draw_columns(self.sensors, panels.draw_readings)
        names = [] if self.sensors is None else [*map(as_text, self.sensors)]
        if names:
            panels.label(self.axes_[:-1], names)

    def _draw_columns(self, table, draw) -> list[Any]:
        """Draw each column of a table in its panel; the lines."""
        columns = [] if table is None else [column for _, column in table.items()]
        return [
            draw(ax, column.to_numpy(dtype=float)[self.rows_])
            for ax, column in zip(self.axes_, columns, strict=False)
        ]

    def _mark(self, panels, flags, label) -> None:
        """Shade events or flagged rows in all panels, and fill the strip of events."""
        flags = None if flags is None else flags[self.rows_]
        bars = [panels.shade(ax, flags, label) for ax in self.axes_]
        self.flagged_bars_ = [bar for bar in bars if bar is not None]
        if self.event_ax_ is not None:
            panels.fill_strip(self.event_ax_, flags, palette().anomaly, label)
