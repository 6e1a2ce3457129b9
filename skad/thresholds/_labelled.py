"""Rules that find a threshold from scores and labels."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

import numpy as np

from skad._validation import Interval
from skad._warnings import warn
from skad.thresholds import _cuts
from skad.thresholds._rule import POSITIVE, ThresholdRule


class FBetaThreshold(ThresholdRule):
    """Threshold with the best F-beta on labelled scores.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of recall against precision, > 0: 0.1 is strict about false alarms, 2
        about misses.

    Attributes
    ----------
    best_score_ : float
        F-beta at the threshold, on the scores that the rule was fitted on.

    See Also
    --------
    PrecisionFloorThreshold : Bounds the share of false alarms among the alarms.
    CostThreshold : Weighs false alarms against misses by their costs.
    QuantileThreshold : Needs no labels.
    TunedThresholdDetector : Applies a rule to a detector.

    Notes
    -----
    F_beta = (1 + beta^2) P R / (beta^2 P + R), with anomalies as the positive class.
    The search is exact: it looks at every threshold between two distinct scores. A grid
    of evenly spaced ones, as in the ECG study and scikit-learn's
    ``TunedThresholdClassifierCV``, misses the best where scores are heavy-tailed. Among
    equally good thresholds, the rule takes the lowest: fewest alarms.

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

    _parameter_constraints: ClassVar = {"beta": [POSITIVE]}
    needs_labels = True

    def __init__(self, beta: float = 1.0):
        self.beta = beta

    def _find(self, scores, is_anomaly):
        thresholds, fbeta = _cuts.fbeta_curve(scores, is_anomaly, self.beta)
        best = _cuts.first_best(fbeta)
        self.best_score_ = float(fbeta[best])
        return _cuts.threshold_between(thresholds[best - 1], thresholds[best])


class PrecisionFloorThreshold(ThresholdRule):
    """Threshold with the best recall among those that reach a precision.

    Parameters
    ----------
    min_precision : float, default=0.9
        Share of the alarms that must be anomalies, in (0, 1].

    Attributes
    ----------
    precision_ : float
        Share of anomalies among the rows of the fit below the threshold.
    recall_ : float
        Share of the anomalies of the fit that lie below the threshold.

    See Also
    --------
    FBetaThreshold : Trades precision for recall at a fixed rate.
    ConformalThreshold : Bounds the false alarms among normal rows, without labels.

    Notes
    -----
    max recall subject to TP / (TP + FP) >= min_precision, with anomalies as the
    positive class. The search is exact: it looks at every threshold between two
    distinct scores, and above all of them. Among thresholds with the same recall, the
    rule takes the lowest: fewest alarms. If none reaches the floor, it takes the one
    with the best precision (of several, the one with the best recall), and warns.

    The floor holds for rows in which anomalies are as common as in those of the fit.
    With few alarms, precision is only known roughly: nine correct alarms out of nine
    are compatible with a precision of 0.7 (95 %, one-sided).

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
    needs_labels = True

    def __init__(self, min_precision: float = 0.9):
        self.min_precision = min_precision

    def _find(self, scores, is_anomaly):
        distinct, n_flagged, n_detected = _cuts.alarm_counts(scores, is_anomaly)
        precision = n_detected / n_flagged
        is_allowed = precision >= self.min_precision
        if not is_allowed.any():
            warn(
                f"No threshold reaches min_precision={self.min_precision}; using the "
                f"one with the best precision, {precision.max():.3g}."
            )
            is_allowed = precision == precision.max()
        best = int(np.argmax(np.where(is_allowed, n_detected, -1)))
        self.precision_ = float(precision[best])
        self.recall_ = float(n_detected[best] / is_anomaly.sum())
        return _cuts.threshold_above(distinct, best)


class CostThreshold(ThresholdRule):
    """Threshold with the lowest total cost of false alarms and misses.

    Parameters
    ----------
    false_alarm_cost : float, default=1.0
        Cost of a normal row below the threshold, > 0.
    miss_cost : float, default=10.0
        Cost of an anomaly that is not below the threshold, > 0, in the same unit.

    Attributes
    ----------
    best_cost_ : float
        Total cost at the threshold, on the scores that the rule was fitted on.

    See Also
    --------
    FBetaThreshold : Weighs precision against recall.

    Notes
    -----
    cost = false_alarm_cost * FP + miss_cost * FN; only the ratio of the two costs
    counts. The search is exact: it looks at every threshold between two distinct
    scores, below all and above all of them. Among equally cheap thresholds, the rule
    takes the lowest: fewest alarms.

    Rows are counted, not events, and a correct alarm costs nothing. If anomalies are
    `a` times as common in the rows of the fit as in use, divide `miss_cost` by `a`.

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
        "false_alarm_cost": [POSITIVE],
        "miss_cost": [POSITIVE],
    }
    needs_labels = True

    def __init__(self, false_alarm_cost: float = 1.0, miss_cost: float = 10.0):
        self.false_alarm_cost = false_alarm_cost
        self.miss_cost = miss_cost

    def _find(self, scores, is_anomaly):
        distinct, n_flagged, n_detected = _cuts.alarm_counts(scores, is_anomaly)
        n_false = np.append(0, n_flagged - n_detected)
        n_missed = is_anomaly.sum() - np.append(0, n_detected)
        costs = self.false_alarm_cost * n_false + self.miss_cost * n_missed
        # the lowest of the cheapest: costs equal but for rounding
        best = int(np.argmax(costs <= costs.min() * (1 + 1e-12)))
        self.best_cost_ = float(costs[best])
        return _cuts.threshold_above(distinct, best - 1)
