"""Scores of normal rows and anomalies, and what each threshold would make of them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._nesting import as_read, find_layer
from skad._validation import check_consistent_length
from skad.plotting import _curves
from skad.plotting._panels import Axes, Panels
from skad.plotting._reading import check_choice, read_labels
from skad.plotting._scales import check_numbers, drawable_threshold
from skad.plotting._shared_docs import MAKE, PANELS, PLOT
from skad.plotting._style import import_pyplot
from skad.series._rows import index_of
from skad.thresholds._cuts import check_scores, first_best, threshold_between


@add_parameters(PANELS)
@dataclass(eq=False, repr=False, kw_only=True)
class ThresholdDisplay:
    """Histograms of scores, and what each threshold would make of them.

    Above, how the scores of normal rows and of anomalies are spread: bars are shares
    of each class, so few anomalies are seen beside many normal rows. Below, if there
    are labels of both classes, the precision, recall and F-beta that each threshold
    would reach on these rows, with the best F-beta marked; and, where the rows have
    dates, how many alerts a day it would raise, labels or not. A row is judged
    anomalous if its score is below the threshold; an alert is a run of such rows.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Scores, higher = more normal.
    is_anomaly : ndarray of shape (n_samples,), dtype bool, default=None
        Whether a row is an anomaly. If None, one histogram shows all rows.
    threshold : float, default=None
        Threshold in use. If None or infinite, none is drawn.
    beta : float, default=1.0
        Weight of recall against precision in F-beta.
    thresholds : ndarray of shape (n_thresholds,), default=None
        Where the curves change, ascending: each distinct score and, last, the float
        above the highest.
    precision : ndarray of shape (n_thresholds,), default=None
        Precision of a threshold above ``thresholds[k - 1]``, up to ``thresholds[k]``;
        the first is nan, as nothing is flagged.
    recall : ndarray of shape (n_thresholds,), default=None
        Recall of such a threshold.
    fbeta : ndarray of shape (n_thresholds,), default=None
        F-beta of such a threshold. If None, there is no panel of the three.
    alerts_per_day : ndarray of shape (n_thresholds,), default=None
        Alerts a day of such a threshold. If None, there is no panel.

    Attributes
    ----------
    best_threshold : float or None
        The lowest threshold with the highest F-beta, midway between two scores. Chosen
        on the rows shown, it promises nothing for other rows.
    best_fbeta : float or None
        F-beta at `best_threshold`.
    axes_ : ndarray of shape (n_panels,)
        Panel of the histograms and, with `fbeta`, panel of the curves, and, with
        `alerts_per_day`, panel of the alerts.
    normal_patch_, anomaly_patch_ : matplotlib StepPatch or None
        The histograms. Without labels `normal_patch_` shows all rows.
    threshold_lines_ : list of matplotlib Line2D
        The threshold in each panel; empty without threshold.
    precision_line_, recall_line_, fbeta_line_, best_point_, alerts_line_ : \
            matplotlib Line2D or None
        The curves of labels, the highest F-beta, and alerts a day.

    See Also
    --------
    detection_report : Figures at the threshold in use.
    AlertBudgetThreshold : The threshold that raises so many alerts.

    Notes
    -----
    Alerts cross neither series nor gaps in time, and are counted for each day of rows,
    not of the time from first to last. They become fewer again where the threshold is
    so high that runs grow together. Long curves are thinned to the lowest and the
    highest value of every visible column.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skad import ThresholdDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(90, 2)), rng.normal(6, 1, size=(10, 2))])
    >>> y = np.repeat([1, -1], [90, 10])
    >>> forest = IsolationForest(random_state=0).fit(X[:60])
    >>> display = ThresholdDisplay.from_estimator(forest, X, y)
    >>> bool(display.threshold == forest.offset_)
    True
    >>> print(f"best F1 {display.best_fbeta:.2f}")
    best F1 0.95
    """

    scores: NDArray
    is_anomaly: NDArray | None = None
    threshold: float | None = None
    beta: float = 1.0
    thresholds: NDArray | None = None
    precision: NDArray | None = None
    recall: NDArray | None = None
    fbeta: NDArray | None = None
    alerts_per_day: NDArray | None = None

    @classmethod
    @add_parameters(MAKE)
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        beta: float = 1.0,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the scores of a fitted outlier detector.

        Parameters
        ----------
        X : array-like
            Rows or windows to score, as the estimator takes them. If it is a pandas
            table with dates or durations as index, alerts a day are shown.

        Raises
        ------
        TypeError
            If there is no detector with `offset_`.
        ValueError
            If labels are in neither coding, or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        threshold = find_layer(estimator, "offset_").offset_
        return cls.from_predictions(
            y,
            estimator.score_samples(X),
            threshold=threshold,
            beta=beta,
            index=index_of(as_read(estimator, X)),
            ax=ax,
            **kwargs,
        )

    @classmethod
    @add_parameters(MAKE)
    def from_predictions(
        cls,
        y_true: ArrayLike | None,
        scores: ArrayLike,
        *,
        threshold: float | None = None,
        beta: float = 1.0,
        index: ArrayLike | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot given scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
        index : array-like of shape (n_samples,), default=None
            Times of the rows; the last level of a MultiIndex, the others give the
            series. If None, the index of `scores` or `y_true`, whichever has one first.
            Alerts a day are shown if it holds dates or durations.

        Raises
        ------
        ValueError
            If scores are not finite, labels are in neither coding, lengths differ,
            `beta` is negative or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        index = index_of(scores, y_true) if index is None else index
        scores = check_scores(scores)
        if not isinstance(beta, Real) or not beta >= 0:
            raise ValueError(f"beta={beta!r}; expected a number >= 0.")
        is_anomaly = read_labels(y_true, len(scores))
        curves = _curves.label_curves(scores, is_anomaly, beta)
        curves |= _curves.alert_curve(scores, index)
        return cls(
            scores=scores,
            is_anomaly=is_anomaly,
            threshold=None if threshold is None else float(threshold),
            beta=beta,
            **curves,
        ).plot(ax=ax, **kwargs)

    @property
    def best_threshold(self) -> float | None:
        """Threshold with the highest F-beta, or None without a curve."""
        if self.fbeta is None or self.thresholds is None:
            return None
        best = first_best(self.fbeta)
        if best == 0:
            return float(self.thresholds[0])
        return threshold_between(self.thresholds[best - 1], self.thresholds[best])

    @property
    def best_fbeta(self) -> float | None:
        """Highest F-beta, or None without a curve."""
        return None if self.fbeta is None else float(np.max(self.fbeta))

    @add_parameters(PLOT)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        bins: int = 40,
        xscale: str = "auto",
        threshold_kwargs: dict[str, Any] | None = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        bins : int, default=40
            Number of bins, of equal width on the axis as drawn.
        xscale : {"auto", "linear", "symlog"}, default="auto"
            Scale of the scores. "symlog" is logarithmic on both sides of a linear
            middle. "auto" chooses it if the farthest score is more than 10 times as far
            from 0 as the median one, as with Mahalanobis scores.
        threshold_kwargs, curve_kwargs : dict, default=None
            Keyword arguments of the threshold's lines, and of the curves of F-beta and
            alerts.

        Raises
        ------
        ValueError
            If `bins` or `xscale` is none of these, or scores are too large to draw.
        """
        check_choice("xscale", xscale, ("auto", "linear", "symlog"))
        if not isinstance(bins, Integral) or bins < 1:
            raise ValueError(f"bins={bins!r}; expected an int >= 1.")
        self._check_curves()
        has_curves, has_alerts = self.fbeta is not None, self.alerts_per_day is not None
        heights = [2.0] + [1.4] * has_curves + [1.0] * has_alerts
        panels = Panels(self, ax, 1.2 * sum(heights) + 0.7)
        self.ax_, self.figure_ = panels.ax, panels.figure
        # with curves, the legend may need a second row
        self.axes_: Any = panels.divide(heights, above=0.1 * has_curves)[:, 0]
        threshold = drawable_threshold(self.threshold)
        _curves.scale_scores(self.axes_[0], self.scores, threshold, xscale)
        self.normal_patch_, self.anomaly_patch_ = _curves.draw_histograms(
            self.axes_[0], self.scores, self.is_anomaly, bins
        )
        self._draw_curves(panels, threshold, curve_kwargs)
        self.threshold_lines_ = _curves.draw_threshold(
            self.axes_, threshold, threshold_kwargs
        )
        _curves.label_panels(panels, self.axes_, self.is_anomaly is None)
        patches = [self.normal_patch_, self.anomaly_patch_, *self.threshold_lines_[:1]]
        lines = [self.precision_line_, self.recall_line_, self.fbeta_line_]
        self.legend_ = panels.add_legend([*patches, *lines, self.best_point_])
        return self

    def _check_curves(self) -> None:
        check_numbers(self.scores, "scores")
        check_consistent_length(self.scores, self.is_anomaly)
        curves = (self.precision, self.recall, self.fbeta, self.alerts_per_day)
        check_consistent_length(self.thresholds, *curves)
        for name in ("thresholds", "fbeta", "alerts_per_day"):
            if getattr(self, name) is not None:
                check_numbers(getattr(self, name), name)

    def _draw_curves(self, panels, threshold, kwargs) -> None:
        curves: list[Any] = [None] * 4
        if self.fbeta is not None:
            curves = _curves.draw_label_curves(self.axes_[1], self, kwargs)
        self.precision_line_, self.recall_line_ = curves[:2]
        self.fbeta_line_, self.best_point_ = curves[2:]
        self.alerts_line_ = None
        if self.alerts_per_day is not None:
            ax, alerts = self.axes_[-1], self.alerts_per_day
            self.alerts_line_ = _curves.draw_alerts(
                ax, panels.height(ax), self.thresholds, alerts, threshold, kwargs
            )
