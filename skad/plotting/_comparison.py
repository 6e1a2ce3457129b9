"""Scores of several detectors on one series, below each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._nesting import find_layer
from skad._validation import check_consistent_length
from skad.plotting._panels import Axes, TimeDisplay
from skad.plotting._reading import (
    read_series,
    read_tables,
    rows_of_series,
    take_rows,
)
from skad.plotting._shared_docs import MAKE, PLOT_TIME, TIME
from skad.plotting._style import import_pyplot
from skad.series._rows import index_of
from skad.thresholds._cuts import check_scores


@add_parameters(TIME)
@dataclass(eq=False, repr=False, kw_only=True)
class DetectorComparisonDisplay(TimeDisplay):
    """Scores of several detectors on one series, each in its own panel.

    Each panel shows the errors, which are ``-score``, in the unit of the detector, with
    its threshold and the rows below it shaded. Ranges labelled as anomalies are bars in
    a strip above all panels.

    Use :meth:`from_estimators` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    scores : DataFrame of shape (n_timestamps, n_detectors)
        Scores, higher = more normal; columns are the names of the detectors, the index
        is the time of the rows, increasing: dates, durations or numbers.
    thresholds : dict of str to float, default=None
        Threshold of each detector. A detector that is missing here has none, and no row
        of it is shaded.

    Attributes
    ----------
    axes_ : ndarray of shape (n_detectors,)
        The panels, in the order of the columns.
    score_lines_ : list of matplotlib Line2D
        The errors.
    threshold_lines_, flagged_bars_ : list of matplotlib artist or None
        Thresholds and predicted ranges; None for a detector that has none.

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

    scores: pd.DataFrame
    is_anomaly: NDArray | None = None
    thresholds: dict[str, float] | None = None
    name: object = None

    @classmethod
    @add_parameters(MAKE)
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        series: object = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the scores that fitted outlier detectors give to the rows of a table.

        Parameters
        ----------
        estimators : dict of str to estimator instance
            Fitted outlier detectors with `score_samples` and `offset_`, or pipelines,
            searches or wrappers with such a detector inside, by the names to show.

        Raises
        ------
        TypeError
            If one of them has no detector with `offset_` inside.
        ValueError
            If there is no detector, a series is not in `X`, or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_estimators")
        thresholds = {
            name: find_layer(estimator, "offset_").offset_
            for name, estimator in estimators.items()
        }
        first = next(iter(estimators.values()), None)
        rows, table = rows_of_series(first, X, series)
        X, y, table = take_rows(rows, X, y, table)
        return cls.from_predictions(
            {name: e.score_samples(X) for name, e in estimators.items()},
            index=index_of(table),
            y_true=y,
            thresholds=thresholds,
            series=series,
            ax=ax,
            **kwargs,
        )

    @classmethod
    @add_parameters(MAKE)
    def from_predictions(
        cls,
        scores: Mapping[str, ArrayLike] | pd.DataFrame,
        *,
        index: ArrayLike | None = None,
        y_true: ArrayLike | None = None,
        thresholds: Mapping[str, float] | None = None,
        series: object = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot given scores.

        Parameters
        ----------
        scores : dict of str to array-like of shape (n_timestamps,), or DataFrame
            Scores of each detector as `score_samples` or `decision_function` returns
            them, higher = more normal.
        thresholds : dict of str to float, default=None
            Threshold in use of each detector, on the scale of its scores. Nothing is
            shaded for a detector that is missing here.

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
        tables = read_tables(scores)
        thresholds = {} if thresholds is None else dict(thresholds)
        unknown = [name for name in thresholds if name not in tables]
        if unknown:
            raise ValueError(
                f"thresholds names {unknown[0]!r}; expected one of "
                f"{', '.join(map(repr, tables))}, as in scores."
            )
        index = index_of(scores, *tables.values()) if index is None else index
        columns = {key: check_scores(values) for key, values in tables.items()}
        check_consistent_length(*columns.values())
        n_rows = len(next(iter(columns.values())))
        rows, shown = read_series(index, n_rows, series, y_true)
        columns = {key: values[rows] for key, values in columns.items()}
        return cls(
            scores=pd.DataFrame(columns, index=shown.pop("index")),
            thresholds={name: float(value) for name, value in thresholds.items()},
            **shown,
        ).plot(ax=ax, **kwargs)

    @property
    def is_flagged(self) -> pd.DataFrame | None:
        """Whether the scores of rows are below the threshold: a table, or None."""
        if not self.thresholds:
            return None
        return self.scores[list(self.thresholds)].lt(pd.Series(self.thresholds))

    @property
    def index(self) -> pd.Index:
        """Times of the rows."""
        return self.scores.index

    @add_parameters(PLOT_TIME)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        start: object = None,
        stop: object = None,
        yscale: str = "auto",
        score_kwargs: dict[str, Any] | None = None,
        threshold_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display, with a scale for each detector if `yscale` is "auto"."""
        index, n_detectors = self.scores.index, self.scores.shape[1]
        self._choose_rows(index, start, stop, yscale, "scores", self.scores)
        panels = self._open(ax, index, 1.1 * n_detectors + 1.0)
        self._divide(panels, [1.0] * n_detectors, strip=0.06 * n_detectors)
        self._draw_scores(panels, yscale, score_kwargs, threshold_kwargs)
        return self._finish(panels, self.threshold_lines_, self.flagged_bars_)

    def _draw_scores(self, panels, yscale, kwargs, threshold_kwargs) -> None:
        self.score_lines_: list[Any] = []
        self.threshold_lines_: list[Any] = []
        self.flagged_bars_: list[Any] = []
        style = {"label": "threshold", **(threshold_kwargs or {})}
        for ax, (name, column) in zip(self.axes_, self.scores.items(), strict=True):
            scores = column.to_numpy()[self.rows_]
            threshold = (self.thresholds or {}).get(name)
            line, level = panels.draw_errors(
                ax, scores, threshold, yscale, kwargs, style
            )
            self.score_lines_.append(line)
            self.threshold_lines_.append(level)
            self.flagged_bars_.append(panels.shade_below(ax, scores, threshold))
        panels.name_inside(self.axes_, [str(name) for name in self.scores])
        for ax in self.axes_:
            panels.label([ax], ["error"])
