"""Scores of normal rows and anomalies, and what each threshold would make of them."""

from numbers import Real
from typing import Any

import numpy as np

from skad._validation import (
    check_consistent_length,
    check_outlier_labels,
    find_detector,
)
from skad.plotting._style import (
    add_legend,
    divide,
    get_axes,
    import_pyplot,
    palette,
    tidy,
    with_defaults,
)
from skad.thresholds._rules import (
    check_scores,
    fbeta_curve,
    first_best,
    threshold_between,
)

__all__ = ["ThresholdDisplay"]

# Farthest score over median score at which a linear axis would show one bar and air.
_HEAVY_TAIL = 10.0


class ThresholdDisplay:
    """Histograms of scores, the threshold, and F-beta against the threshold.

    Above, how the scores of normal rows and of anomalies are spread: bars are shares
    of each class, so few anomalies are seen beside many normal rows. Below, the
    F-beta that each threshold would reach on these rows, with the best one marked. A
    row is judged anomalous if its score is below the threshold.

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
        Where F-beta changes, ascending: each distinct score and, last, the float above
        the highest.
    fbeta : ndarray of shape (n_thresholds,), default=None
        F-beta of a threshold above ``thresholds[k - 1]``, up to ``thresholds[k]``. If
        None, there is no lower panel.

    Attributes
    ----------
    best_threshold : float or None
        The lowest threshold with the highest F-beta, midway between two scores. Chosen
        on the rows shown, it promises nothing for other rows.
    best_fbeta : float or None
        F-beta at `best_threshold`.
    ax_ : matplotlib Axes
        The axes given to :meth:`plot`, or made by it; the frame of the panels.
    axes_ : ndarray of shape (n_panels,)
        Panel of the histograms and, with `fbeta`, panel of the curve.
    figure_ : matplotlib Figure
        Figure of the panels.
    normal_patch_, anomaly_patch_ : matplotlib StepPatch or None
        The histograms. Without labels `normal_patch_` shows all rows.
    threshold_lines_ : list of matplotlib Line2D
        The threshold in each panel; empty without threshold.
    fbeta_line_, best_point_ : matplotlib Line2D or None
        The curve and its highest point.

    See Also
    --------
    detection_report : Figures at the threshold in use.

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

    def __init__(
        self,
        *,
        scores,
        is_anomaly=None,
        threshold=None,
        beta=1.0,
        thresholds=None,
        fbeta=None,
    ):
        self.scores = scores
        self.is_anomaly = is_anomaly
        self.threshold = threshold
        self.beta = beta
        self.thresholds = thresholds
        self.fbeta = fbeta

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, beta=1.0, ax=None, **kwargs):
        """Plot the scores of a fitted outlier detector.

        Parameters
        ----------
        estimator : estimator instance
            Fitted outlier detector with `score_samples` and `offset_`, or a pipeline,
            search or wrapper with such a detector inside.
        X : array-like
            Rows or windows to score, as the estimator takes them.
        y : array-like of shape (n_samples,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
            If None, one histogram shows all rows, and there is no curve.
        beta : float, default=1.0
            Weight of recall against precision in F-beta.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ThresholdDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If there is no detector with `offset_`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        detector, _ = find_detector(estimator, "offset_")
        return cls.from_predictions(
            y,
            estimator.score_samples(X),
            threshold=detector.offset_,
            beta=beta,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls, y_true, scores, *, threshold=None, beta=1.0, ax=None, **kwargs
    ):
        """Plot scores that are there already.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
            If None, one histogram shows all rows, and there is no curve; nor is there
            where one class is missing.
        scores : array-like of shape (n_samples,)
            Scores as `score_samples` or `decision_function` returns them, higher =
            more normal.
        threshold : float, default=None
            Threshold in use, on the same scale: `offset_` for `score_samples`, 0 for
            `decision_function`. If None, none is drawn.
        beta : float, default=1.0
            Weight of recall against precision in F-beta.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ThresholdDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If scores are not finite, labels are in neither coding, lengths differ or
            `beta` is negative.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        scores = check_scores(scores)
        if not isinstance(beta, Real) or not beta >= 0:
            raise ValueError(f"beta={beta!r}; expected a number >= 0.")
        is_anomaly = thresholds = fbeta = None
        if y_true is not None:
            is_anomaly = check_outlier_labels(y_true, name="y_true")
            check_consistent_length(is_anomaly, scores)
            if 0 < is_anomaly.sum() < len(scores):
                thresholds, fbeta = fbeta_curve(scores, is_anomaly, beta)
        display = cls(
            scores=scores,
            is_anomaly=is_anomaly,
            threshold=None if threshold is None else float(threshold),
            beta=beta,
            thresholds=thresholds,
            fbeta=fbeta,
        )
        return display.plot(ax=ax, **kwargs)

    @property
    def best_threshold(self):
        """Threshold with the highest F-beta, or None without a curve."""
        if self.fbeta is None:
            return None
        best = first_best(self.fbeta)
        if best == 0:
            return float(self.thresholds[0])
        return threshold_between(self.thresholds[best - 1], self.thresholds[best])

    @property
    def best_fbeta(self):
        """Highest F-beta, or None without a curve."""
        return None if self.fbeta is None else float(np.max(self.fbeta))

    def plot(
        self,
        ax=None,
        *,
        bins=40,
        xscale="auto",
        threshold_kwargs=None,
        curve_kwargs=None,
    ):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        bins : int, default=40
            Number of bins, of equal width on the axis as drawn.
        xscale : {"auto", "linear", "symlog"}, default="auto"
            Scale of the scores. "symlog" is logarithmic on both sides of a linear
            middle. "auto" takes it where the farthest score is more than 10 times as
            far from 0 as the median one, as Mahalanobis scores are.
        threshold_kwargs : dict, default=None
            Keyword arguments of the threshold's lines.
        curve_kwargs : dict, default=None
            Keyword arguments of the F-beta curve.

        Returns
        -------
        display : ThresholdDisplay
            The display itself.
        """
        if xscale not in ("auto", "linear", "symlog"):
            raise ValueError(
                f"xscale={xscale!r}; expected 'auto', 'linear' or 'symlog'."
            )
        self.ax_ = get_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = self.ax_.figure
        ratios = [1] if self.fbeta is None else [2, 1]
        panels, legend_ax = divide(self.ax_, ratios, headroom=0.4)
        self.axes_ = panels[:, 0]
        self._scale(xscale)
        self._draw_histograms(bins)
        self._draw_curve(curve_kwargs)
        self._draw_threshold(threshold_kwargs)
        self._finish(legend_ax)
        return self

    def _scale(self, xscale) -> None:
        sizes = np.abs(self.scores)
        farthest = max(sizes.max(), abs(self._drawn_threshold() or 0.0))
        if xscale == "auto":
            is_heavy = farthest > _HEAVY_TAIL * np.median(sizes)
            xscale = "symlog" if is_heavy else "linear"
        if xscale == "symlog":
            # scores on both sides of 0 keep their bulk in the linear middle
            crosses = self.scores.min() < 0 < self.scores.max()
            linear = np.quantile(sizes, 0.5 if crosses else 0.01)
            linear = max(linear, farthest * 1e-6) or 1.0
            self.axes_[0].set_xscale("symlog", linthresh=linear)

    def _drawn_threshold(self) -> float | None:
        # an infinite threshold flags all rows or none, and has no place on the axis
        if self.threshold is None or not np.isfinite(self.threshold):
            return None
        return self.threshold

    def _draw_histograms(self, bins) -> None:
        is_anomaly = self.is_anomaly
        edges = self._bin_edges(bins)
        colours = palette()
        self.anomaly_patch_ = None
        if is_anomaly is None:
            self.normal_patch_ = self._bars(
                self.scores, edges, colours.normal, "all rows"
            )
        else:
            self.normal_patch_ = self._bars(
                self.scores[~is_anomaly], edges, colours.normal, "normal"
            )
            self.anomaly_patch_ = self._bars(
                self.scores[is_anomaly], edges, colours.anomaly, "anomaly"
            )

    def _bin_edges(self, bins) -> np.ndarray:
        transform = self.axes_[0].xaxis.get_transform()
        lowest, highest = self.scores.min(), self.scores.max()
        if lowest == highest:
            half = abs(lowest) / 20 or 0.5
            lowest, highest = lowest - half, highest + half
        ends = transform.transform(np.array([lowest, highest]))
        edges = transform.inverted().transform(np.linspace(ends[0], ends[1], bins + 1))
        # the way there and back may lose the outermost rows to rounding
        edges[[0, -1]] = lowest, highest
        return edges

    def _bars(self, scores, edges, color, label) -> Any:
        if len(scores) == 0:
            return None
        counts, _ = np.histogram(scores, edges)
        return self.axes_[0].stairs(
            counts / len(scores),
            edges,
            fill=True,
            facecolor=(color, 0.5),
            edgecolor=color,
            linewidth=1.2,
            label=f"{label} (n={len(scores)})",
        )

    def _draw_curve(self, kwargs) -> None:
        self.fbeta_line_ = self.best_point_ = None
        if self.fbeta is None:
            return
        ax = self.axes_[1]
        style = with_defaults(kwargs, color=palette().text, linewidth=1.4)
        (self.fbeta_line_,) = ax.plot(
            self.thresholds, self.fbeta, drawstyle="steps-pre", **style
        )
        (self.best_point_,) = ax.plot(
            self.best_threshold,
            self.best_fbeta,
            linestyle="none",
            marker="o",
            markersize=7,
            color=palette().best,
            clip_on=False,
            zorder=3,
            label=f"best F{self.beta:g} {self.best_fbeta:.2f} "
            f"at {self.best_threshold:.3g}",
        )
        ax.set(ylim=(-0.05, 1.08), ylabel=f"F{self.beta:g}")

    def _draw_threshold(self, kwargs) -> None:
        self.threshold_lines_ = []
        threshold = self._drawn_threshold()
        if threshold is None:
            return
        style = with_defaults(
            kwargs, color=palette().text, linestyle="--", linewidth=1.4
        )
        style.setdefault("label", f"threshold {threshold:.3g}")
        self.threshold_lines_ = [ax.axvline(threshold, **style) for ax in self.axes_]

    def _finish(self, legend_ax) -> None:
        for ax in self.axes_:
            tidy(ax)
            ax.label_outer()
        self.axes_[0].set_ylabel(
            "share of rows" if self.is_anomaly is None else "share of class"
        )
        self.axes_[-1].set_xlabel("score (higher = more normal)")
        handles = [
            self.normal_patch_,
            self.anomaly_patch_,
            *self.threshold_lines_[:1],
            self.best_point_,
        ]
        self.legend_ = add_legend(legend_ax, [h for h in handles if h is not None])
