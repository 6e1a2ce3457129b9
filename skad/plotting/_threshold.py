"""Scores of normal rows and anomalies, and what each threshold would make of them."""

from numbers import Integral, Real
from typing import Any

import numpy as np

from skad._nesting import find_layer
from skad._validation import (
    check_consistent_length,
    check_outlier_labels,
)
from skad.plotting._style import (
    LARGEST,
    add_legend,
    check_numbers,
    divide,
    fitting_size,
    get_axes,
    import_pyplot,
    inches,
    is_constrained,
    label_log_axis,
    linear_middle,
    number,
    outline,
    palette,
    points,
    symlog_ticks,
    text_width,
    tidy,
    with_defaults,
)
from skad.plotting._timeline import figure_size, find_peaks
from skad.series._rows import index_of, read_index
from skad.thresholds._cuts import (
    alarm_counts,
    check_scores,
    fbeta_curve,
    first_best,
    threshold_above,
    threshold_between,
)

__all__ = ["ThresholdDisplay"]

# Farthest score over median score at which a linear axis would show one bar and air.
_HEAVY_TAIL = 10.0

# Columns into which long curves are thinned: more than a screen or a page shows.
_N_COLUMNS = 2000


class ThresholdDisplay:
    """Histograms of scores, and what each threshold would make of them.

    Above, how the scores of normal rows and of anomalies are spread: bars are shares
    of each class, so few anomalies are seen beside many normal rows. Below, the
    precision, recall and F-beta that each threshold would reach on these rows, with
    the best F-beta marked; and, where the rows have dates, how many alerts a day it
    would raise, labels or not. A row is judged anomalous if its score is below the
    threshold; an alert is a run of such rows.

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
    ax_ : matplotlib Axes
        The axes given to :meth:`plot`, or made by it; the frame of the panels.
    axes_ : ndarray of shape (n_panels,)
        Panel of the histograms and, with `fbeta`, panel of the curves, and, with
        `alerts_per_day`, panel of the alerts.
    figure_ : matplotlib Figure
        Figure of the panels.
    normal_patch_, anomaly_patch_ : matplotlib StepPatch or None
        The histograms. Without labels `normal_patch_` shows all rows.
    threshold_lines_ : list of matplotlib Line2D
        The threshold in each panel; empty without threshold.
    precision_line_, recall_line_, fbeta_line_, best_point_ : matplotlib Line2D or None
        The curves, and the highest F-beta.
    alerts_line_ : matplotlib Line2D or None
        Alerts a day.

    See Also
    --------
    detection_report : Figures at the threshold in use.
    AlertBudgetThreshold : The threshold that raises so many alerts.

    Notes
    -----
    Alerts cross neither series nor gaps in time, and are counted for each day of rows,
    not of the time from first to last. They become fewer again where the threshold is
    so high that runs grow together. Long curves are thinned to the lowest and the
    highest value of every column that can be seen.

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
        precision=None,
        recall=None,
        fbeta=None,
        alerts_per_day=None,
    ):
        self.scores = scores
        self.is_anomaly = is_anomaly
        self.threshold = threshold
        self.beta = beta
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.fbeta = fbeta
        self.alerts_per_day = alerts_per_day

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, beta=1.0, ax=None, **kwargs):
        """Plot the scores of a fitted outlier detector.

        Parameters
        ----------
        estimator : estimator instance
            Fitted outlier detector with `score_samples` and `offset_`, or a pipeline,
            search or wrapper with such a detector inside.
        X : array-like
            Rows or windows to score, as the estimator takes them. If it is a pandas
            table with dates or durations as index, alerts a day are shown.
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
        ValueError
            If labels are in neither coding, or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        detector = find_layer(estimator, "offset_")
        return cls.from_predictions(
            y,
            estimator.score_samples(X),
            threshold=detector.offset_,
            beta=beta,
            index=index_of(X),
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        scores,
        *,
        threshold=None,
        beta=1.0,
        index=None,
        ax=None,
        **kwargs,
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
        index : array-like of shape (n_samples,), default=None
            Times of the rows; the last level of a MultiIndex, whose other levels tell
            the series. If None, the index of `scores` or `y_true`, whichever is the
            first to have one. Alerts a day are shown if it holds dates or durations.
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
            If scores are not finite, labels are in neither coding, lengths differ,
            `beta` is negative or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        index = index_of(scores, y_true) if index is None else index
        scores = check_scores(scores)
        if not isinstance(beta, Real) or not beta >= 0:
            raise ValueError(f"beta={beta!r}; expected a number >= 0.")
        is_anomaly, curves = None, {}
        if y_true is not None:
            is_anomaly = check_outlier_labels(y_true, name="y_true")
            check_consistent_length(is_anomaly, scores)
            if 0 < is_anomaly.sum() < len(scores):
                curves = _label_curves(scores, is_anomaly, beta)
        if index is not None:
            curves |= _alert_curve(scores, read_index(index, len(scores)))
        display = cls(
            scores=scores,
            is_anomaly=is_anomaly,
            threshold=None if threshold is None else float(threshold),
            beta=beta,
            **curves,
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
            Keyword arguments of the F-beta curve and of that of the alerts.

        Returns
        -------
        display : ThresholdDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `bins` or `xscale` is none of these, or scores are too large to draw.
        """
        if xscale not in ("auto", "linear", "symlog"):
            raise ValueError(
                f"xscale={xscale!r}; expected 'auto', 'linear' or 'symlog'."
            )
        if not isinstance(bins, Integral) or bins < 1:
            raise ValueError(f"bins={bins!r}; expected an int >= 1.")
        check_numbers(self.scores, "scores")
        check_consistent_length(self.scores, self.is_anomaly)
        self._check_curves()
        has_curves, has_alerts = self.fbeta is not None, self.alerts_per_day is not None
        ratios = [2.0] + [1.4] * has_curves + [1.0] * has_alerts
        caller = f"{type(self).__name__}.plot"
        self.ax_ = get_axes(ax, caller, figure_size(caller, 1.2 * sum(ratios) + 0.7))
        self.figure_ = self.ax_.figure
        panels, legend_ax = divide(
            self.ax_, ratios, headroom=0.55 if has_curves else 0.4
        )
        self.axes_ = panels[:, 0]
        self._scale(xscale)
        self._draw_histograms(bins)
        self._draw_curves(curve_kwargs)
        self._draw_alerts(curve_kwargs)
        self._draw_threshold(threshold_kwargs)
        self._finish(legend_ax)
        return self

    def _check_curves(self) -> None:
        curves = (self.precision, self.recall, self.fbeta, self.alerts_per_day)
        check_consistent_length(self.thresholds, *curves)
        for name in ("thresholds", "fbeta", "alerts_per_day"):
            if getattr(self, name) is not None:
                check_numbers(getattr(self, name), name)

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
            linear = linear_middle(linear, farthest)
            self.axes_[0].set_xscale("symlog", linthresh=linear)

    def _drawn_threshold(self) -> float | None:
        # an infinite threshold flags all rows or none, and has no place on the axis
        is_drawn = self.threshold is not None and abs(self.threshold) <= LARGEST
        return self.threshold if is_drawn else None

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

    def _draw_curves(self, kwargs) -> None:
        self.precision_line_ = self.recall_line_ = None
        self.fbeta_line_ = self.best_point_ = None
        if self.fbeta is None:
            return
        ax, colours = self.axes_[1], palette()
        styles = {
            "precision": {"color": colours.precision, "linestyle": "-."},
            "recall": {"color": colours.recall, "linestyle": ":"},
        }
        self.precision_line_, self.recall_line_ = (
            self._curve(ax, getattr(self, name), linewidth=1.4, label=name, **style)
            for name, style in styles.items()
        )
        name = f"F{self.beta:g}"
        style = with_defaults(kwargs, color=colours.text, linewidth=1.4, label=name)
        self.fbeta_line_ = self._curve(ax, self.fbeta, **style)
        (self.best_point_,) = ax.plot(
            self.best_threshold,
            self.best_fbeta,
            linestyle="none",
            marker="o",
            markersize=6,
            color=colours.best,
            clip_on=False,
            zorder=3,
            label=f"best {name} {self.best_fbeta:.2f} at {number(self.best_threshold)}",
        )
        ax.set(ylim=(-0.05, 1.08), ylabel=f"precision,\nrecall, {name}")

    def _draw_alerts(self, kwargs) -> None:
        self.alerts_line_ = None
        if self.alerts_per_day is None:
            return
        ax = self.axes_[-1]
        style = with_defaults(kwargs, color=palette().text, linewidth=1.4)
        alerts = self.alerts_per_day
        self.alerts_line_ = self._curve(ax, alerts, **style)
        if alerts.max() > 0:
            ax.set_yscale("log", nonpositive="clip")
            lowest, highest = alerts[alerts > 0].min(), alerts.max()
            ax.set_ylim(lowest / 1.5, highest * 1.5)
            label_log_axis(ax.yaxis, 0.7 * inches(ax)[1])
        ax.set_ylabel("alerts\na day")
        threshold = self._drawn_threshold()
        if threshold is not None:
            self._name_alerts(ax, threshold)

    def _name_alerts(self, ax, threshold) -> None:
        """Write the alerts a day of a threshold beside it."""
        place = np.searchsorted(self.thresholds[:-1], threshold)
        text = number(self.alerts_per_day[place])
        # on the left, where the curve is low, if there is room
        low, here, high = ax.xaxis.get_transform().transform(
            np.array([ax.get_xlim()[0], threshold, ax.get_xlim()[1]])
        )
        room = 72 * inches(ax)[0] * (here - low) / (high - low)
        is_left = room > text_width(text, points("small")) + 8
        ax.annotate(
            text,
            xy=(threshold, 1),
            xycoords=ax.get_xaxis_transform(),
            xytext=(-4 if is_left else 4, -1),
            textcoords="offset points",
            ha="right" if is_left else "left",
            va="top",
            fontsize="small",
            path_effects=[outline(ax)],
        )

    def _curve(self, ax, values, **style) -> Any:
        """Draw a curve of steps; a long one with its peaks alone."""
        x, rows = self.thresholds, np.arange(len(values))
        if len(x) > 2 * _N_COLUMNS:
            places = ax.xaxis.get_transform().transform(x)
            share = (places - places[0]) / (places[-1] - places[0])
            rows = rows[~np.isnan(values)]
            column = (share[rows] * _N_COLUMNS).astype(int)
            rows = rows[find_peaks(column, values[rows])]
        return ax.plot(x[rows], values[rows], drawstyle="steps-pre", **style)[0]

    def _draw_threshold(self, kwargs) -> None:
        self.threshold_lines_ = []
        threshold = self._drawn_threshold()
        if threshold is None:
            return
        style = with_defaults(
            kwargs, color=palette().text, linestyle="--", linewidth=1.4
        )
        style.setdefault("label", f"threshold {number(threshold)}")
        self.threshold_lines_ = [ax.axvline(threshold, **style) for ax in self.axes_]

    def _finish(self, legend_ax) -> None:
        self.axes_[0].set_ylabel(
            "share of rows" if self.is_anomaly is None else "share of class"
        )
        share = 0.7 if is_constrained(self.figure_) else 1.0
        sizes = []
        for ax in self.axes_:
            tidy(ax)
            ax.label_outer()
            ax.tick_params(labelsize="small")
            space = 1.15 * share * inches(ax)[1]
            sizes.append(fitting_size([ax.get_ylabel()], space))
        for ax in self.axes_:
            ax.yaxis.label.set_size(min(sizes))
        self.figure_.align_ylabels(list(self.axes_))
        self.axes_[0].locator_params(axis="y", nbins=4)
        ax = self.axes_[-1]
        ax.set_xlabel("score (higher = more normal)", fontsize="small")
        if ax.get_xscale() == "symlog":
            n_ticks = max(3, inches(ax)[0] / 0.6)
            low, high = ax.get_xlim()
            ticks = symlog_ticks(ax.xaxis.get_transform(), low, high, n_ticks)
            ax.set_xticks(ticks, [number(tick) for tick in ticks])
        handles = [
            self.normal_patch_,
            self.anomaly_patch_,
            *self.threshold_lines_[:1],
            self.precision_line_,
            self.recall_line_,
            self.fbeta_line_,
            self.best_point_,
        ]
        self.legend_ = add_legend(legend_ax, [h for h in handles if h is not None])


def _label_curves(scores, is_anomaly, beta) -> dict[str, np.ndarray]:
    """Where precision, recall and F-beta change, and their values up to there."""
    thresholds, fbeta = fbeta_curve(scores, is_anomaly, beta)
    _, n_flagged, n_detected = alarm_counts(scores, is_anomaly)
    return {
        "thresholds": thresholds,
        "precision": np.append(np.nan, n_detected / n_flagged),
        "recall": np.append(0.0, n_detected / is_anomaly.sum()),
        "fbeta": fbeta,
    }


def _alert_curve(scores, rows) -> dict[str, np.ndarray]:
    """Where the number of alerts a day changes, and its values; without dates none."""
    if rows.step is None:
        return {}
    distinct = np.unique(scores)
    n_rows = np.searchsorted(np.sort(scores), distinct, side="right")
    # a row that follows another one below the threshold starts no alert
    together = np.diff(rows.segments) == 0
    followers = np.sort(np.maximum(scores[:-1], scores[1:])[together])
    n_alerts = n_rows - np.searchsorted(followers, distinct, side="right")
    n_days = len(scores) / rows.rows_per_day()
    return {
        "thresholds": np.append(distinct, threshold_above(distinct, len(distinct) - 1)),
        "alerts_per_day": np.append(0, n_alerts) / n_days,
    }
