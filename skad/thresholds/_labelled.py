"""Rules that find a threshold from scores and labels."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from skad._validation import Interval, fit_context, warn
from skad.thresholds._cuts import (
    alarm_counts,
    check_labelled_scores,
    fbeta_curve,
    first_best,
    threshold_above,
    threshold_between,
)


class FBetaThreshold(BaseEstimator):
    """Threshold with the best F-beta on labelled scores.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of recall against precision, > 0; 0.1 counts false alarms, 2 misses.

    Attributes
    ----------
    threshold_ : float
        A score below it is an anomaly.
    best_score_ : float
        F-beta at the threshold, on the scores that the rule was fitted on.

    See Also
    --------
    PrecisionFloorThreshold : Bounds the share of false alarms among the alarms.
    CostThreshold : Weighs false alarms against misses in one's own units.
    QuantileThreshold : Needs no labels.
    TunedThresholdDetector : Applies a rule to a detector.

    Notes
    -----
    F_beta = (1 + beta^2) P R / (beta^2 P + R), anomalies being the positive class. The
    search is exact: it looks at every threshold between two distinct scores. A grid of
    evenly spaced thresholds, as the ECG study and scikit-learn's
    ``TunedThresholdClassifierCV`` use, misses the best one where scores are
    heavy-tailed. Among equally good thresholds it takes the lowest: fewest alarms.

    References
    ----------
    C. J. van Rijsbergen, Information Retrieval, 2nd ed., chapter 7, 1979.

    Examples
    --------
    >>> from skad import FBetaThreshold
    >>> rule = FBetaThreshold(beta=1.0).fit([-9.0, -5.0, -2.0, -1.0], [1, 1, 0, 0])
    >>> rule.threshold_, rule.best_score_
    (-3.5, 1.0)
    """

    _parameter_constraints: ClassVar = {
        "beta": [Interval(Real, 0, None, closed="neither")]
    }
    # Tells the tuner that y must hold both classes.
    needs_labels = True

    def __init__(self, beta=1.0):
        self.beta = beta

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, scores, y):
        """Find the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or (n_samples, 1)
            Scores, higher = more normal.
        y : array-like of shape (n_samples,)
            Labels of both classes, {-1 = anomaly, +1} or {0, 1 = anomaly}.

        Returns
        -------
        self : object
            The fitted rule.

        Raises
        ------
        ValueError
            If `y` is in neither coding, or holds one class only.
        """
        scores, is_anomaly = check_labelled_scores(scores, y)
        thresholds, fbeta = fbeta_curve(scores, is_anomaly, self.beta)
        best = first_best(fbeta)
        self.best_score_ = float(fbeta[best])
        self.threshold_ = threshold_between(thresholds[best - 1], thresholds[best])
        return self


class PrecisionFloorThreshold(BaseEstimator):
    """Threshold with the best recall whose precision does not fall below a floor.

    Parameters
    ----------
    min_precision : float, default=0.9
        Share of the alarms that must be anomalies, in (0, 1].

    Attributes
    ----------
    threshold_ : float
        A score below it is an anomaly.
    precision_ : float
        Share of anomalies among the rows below the threshold, on the scores that the
        rule was fitted on.
    recall_ : float
        Share of the anomalies that lie below the threshold, on the same scores.

    See Also
    --------
    FBetaThreshold : Trades precision for recall at a fixed rate.
    ConformalThreshold : Bounds the false alarms among normal rows, without labels.

    Notes
    -----
    max recall subject to TP / (TP + FP) >= min_precision, anomalies being the positive
    class. The search is exact: it looks at every threshold between two distinct scores,
    and above them all. Among thresholds with the same recall it takes the lowest:
    fewest alarms.

    If no threshold reaches the floor, it takes the best precision there is (and of the
    thresholds that reach it the one with the best recall), and a warning says so.

    Precision depends on how common anomalies are: the floor holds for rows in which
    they are as common as in those that the rule was fitted on. With few alarms it is
    known roughly only: nine right alarms of nine are compatible with a precision of 0.7
    (95 %, one-sided).

    Examples
    --------
    >>> from skad import PrecisionFloorThreshold
    >>> rule = PrecisionFloorThreshold(min_precision=0.7)
    >>> rule.fit([-9.0, -5.0, -4.0, -3.0, -1.0], [1, 0, 1, 1, 0]).threshold_
    -2.0
    >>> rule.precision_, rule.recall_
    (0.75, 1.0)
    """

    _parameter_constraints: ClassVar = {
        "min_precision": [Interval(Real, 0, 1, closed="right")]
    }
    # Tells the tuner that y must hold both classes.
    needs_labels = True

    def __init__(self, min_precision=0.9):
        self.min_precision = min_precision

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, scores, y):
        """Find the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or (n_samples, 1)
            Scores, higher = more normal.
        y : array-like of shape (n_samples,)
            Labels of both classes, {-1 = anomaly, +1} or {0, 1 = anomaly}.

        Returns
        -------
        self : object
            The fitted rule.

        Raises
        ------
        ValueError
            If `y` is in neither coding, or holds one class only.

        Warns
        -----
        UserWarning
            If no threshold reaches `min_precision`.
        """
        scores, is_anomaly = check_labelled_scores(scores, y)
        distinct, n_flagged, n_detected = alarm_counts(scores, is_anomaly)
        precision = n_detected / n_flagged
        is_allowed = precision >= self.min_precision
        if not is_allowed.any():
            warn(
                f"No threshold reaches min_precision={self.min_precision}; the one "
                f"with the best precision, {precision.max():.3g}, is taken."
            )
            is_allowed = precision == precision.max()
        best = int(np.argmax(np.where(is_allowed, n_detected, -1)))
        self.precision_ = float(precision[best])
        self.recall_ = float(n_detected[best] / is_anomaly.sum())
        self.threshold_ = threshold_above(distinct, best)
        return self


class CostThreshold(BaseEstimator):
    """Threshold with the lowest total cost of false alarms and misses.

    Parameters
    ----------
    false_alarm_cost : float, default=1.0
        Cost of a normal row below the threshold, > 0.
    miss_cost : float, default=10.0
        Cost of an anomaly that is not below the threshold, > 0, in the same unit.

    Attributes
    ----------
    threshold_ : float
        A score below it is an anomaly.
    best_cost_ : float
        Total cost at the threshold, on the scores that the rule was fitted on.

    See Also
    --------
    FBetaThreshold : Weighs precision against recall.

    Notes
    -----
    cost = false_alarm_cost * FP + miss_cost * FN. The search is exact: it looks at
    every threshold between two distinct scores, below them all and above them all. Only
    the ratio of the two costs counts. Among equally cheap thresholds it takes the
    lowest: fewest alarms.

    Rows are counted, not events, and a hit is free. The threshold is the cheapest on
    rows in which anomalies are as common as in those that the rule was fitted on; if
    validation rows hold `a` times as many as there are in use, divide `miss_cost` by
    `a`.

    References
    ----------
    C. Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001, sections 1-2.

    Examples
    --------
    >>> from skad import CostThreshold
    >>> scores, y = [-9.0, -5.0, -4.0, -3.0, -1.0], [1, 0, 0, 1, 0]
    >>> rule = CostThreshold(false_alarm_cost=1.0, miss_cost=10.0).fit(scores, y)
    >>> rule.threshold_, rule.best_cost_
    (-2.0, 2.0)
    >>> CostThreshold(miss_cost=1.5).fit(scores, y).threshold_
    -7.0
    """

    _parameter_constraints: ClassVar = {
        "false_alarm_cost": [Interval(Real, 0, None, closed="neither")],
        "miss_cost": [Interval(Real, 0, None, closed="neither")],
    }
    # Tells the tuner that y must hold both classes.
    needs_labels = True

    def __init__(self, false_alarm_cost=1.0, miss_cost=10.0):
        self.false_alarm_cost = false_alarm_cost
        self.miss_cost = miss_cost

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, scores, y):
        """Find the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or (n_samples, 1)
            Scores, higher = more normal.
        y : array-like of shape (n_samples,)
            Labels of both classes, {-1 = anomaly, +1} or {0, 1 = anomaly}.

        Returns
        -------
        self : object
            The fitted rule.

        Raises
        ------
        ValueError
            If `y` is in neither coding, or holds one class only.
        """
        scores, is_anomaly = check_labelled_scores(scores, y)
        distinct, n_flagged, n_detected = alarm_counts(scores, is_anomaly)
        n_false = np.append(0, n_flagged - n_detected)
        n_missed = is_anomaly.sum() - np.append(0, n_detected)
        costs = self.false_alarm_cost * n_false + self.miss_cost * n_missed
        # the lowest of the cheapest: costs equal but for rounding
        best = int(np.argmax(costs <= costs.min() * (1 + 1e-12)))
        self.best_cost_ = float(costs[best])
        self.threshold_ = threshold_above(distinct, best - 1)
        return self
