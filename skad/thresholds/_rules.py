"""Rules that turn scores, and labels where there are any, into a threshold."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from skad._validation import (
    Interval,
    check_array,
    check_consistent_length,
    check_outlier_labels,
    column_or_1d,
    fit_context,
)


def check_scores(scores) -> np.ndarray:
    """Scores as a finite float64 vector; (n, 1) is read too."""
    scores = np.asarray(scores)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    return check_array(
        column_or_1d(scores), ensure_2d=False, dtype=np.float64, input_name="scores"
    )


def threshold_below(ordered, n_below) -> float:
    """Put a threshold above the `n_below` lowest of the scores in ascending order.

    It is the midpoint between two neighbouring distinct scores, so that rounding cannot
    move a row across it. Scores that tie are never parted: all of them stay above.
    """
    n_below = int(np.searchsorted(ordered, ordered[n_below], side="left"))
    if n_below == 0:
        return _next_float(ordered[0], -np.inf)
    return threshold_between(ordered[n_below - 1], ordered[n_below])


def threshold_between(below, above) -> float:
    """Midpoint of two scores; of neighbouring floats the upper one."""
    middle = below / 2 + above / 2  # their difference may overflow
    return float(middle if below < middle < above else above)


def _next_float(value, towards) -> float:
    with np.errstate(over="ignore"):  # behind the largest float stands infinity
        return float(np.nextafter(value, towards))


def fbeta_curve(scores, is_anomaly, beta) -> tuple[np.ndarray, np.ndarray]:
    """Return the thresholds at which F-beta changes, and F-beta up to each of them.

    From counts, not from precision and recall, so that equal values are equal:
    F-beta = (1 + beta^2) TP / (beta^2 (TP + FN) + TP + FP). Up to the lowest score,
    which is not below itself, nothing is flagged and F-beta is 0.
    """
    distinct, positions = np.unique(scores, return_inverse=True)
    n_flagged = np.cumsum(np.bincount(positions))
    n_detected = np.cumsum(np.bincount(positions, weights=is_anomaly))
    fbeta = (1 + beta**2) * n_detected / (beta**2 * is_anomaly.sum() + n_flagged)
    above_all = _next_float(distinct[-1], np.inf)
    return np.append(distinct, above_all), np.append(0.0, fbeta)


def first_best(fbeta) -> int:
    """Position of the lowest of the best thresholds: values equal but for rounding."""
    return int(np.argmax(fbeta >= fbeta.max() * (1 - 1e-12)))


class QuantileThreshold(BaseEstimator):
    """Threshold at a quantile of the scores; no labels needed.

    Parameters
    ----------
    quantile : float, default=0.01
        Share of the scores that shall lie below the threshold, in [0, 1).

    Attributes
    ----------
    threshold_ : float
        A score below it is an anomaly.

    See Also
    --------
    FBetaThreshold : The threshold with the best F-beta, from labels.

    Notes
    -----
    Of n scores in ascending order, the ``ceil(quantile * (n - 1))`` lowest lie below,
    as with the linear quantile of numpy; the threshold is the midpoint between two
    neighbouring distinct scores. It assumes that the scores it is fitted on come from
    rows like those it will judge, and were not used to train the detector: then the
    quantile is the share of false alarms to expect.

    Examples
    --------
    >>> from skad import QuantileThreshold
    >>> QuantileThreshold(0.25).fit([-4.0, -1.0, -2.0, -3.0, -1.5]).threshold_
    -3.5
    """

    _parameter_constraints: ClassVar = {
        "quantile": [Interval(Real, 0, 1, closed="left")]
    }

    def __init__(self, quantile=0.01):
        self.quantile = quantile

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, scores, y=None):
        """Find the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or (n_samples, 1)
            Scores, higher = more normal.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted rule.
        """
        ordered = np.sort(check_scores(scores))
        n_below = int(np.ceil(self.quantile * (len(ordered) - 1)))
        self.threshold_ = threshold_below(ordered, n_below)
        return self


class SigmaThreshold(BaseEstimator):
    """Threshold some standard deviations below the mean score; no labels needed.

    Parameters
    ----------
    k : float, default=3.0
        Number of standard deviations, > 0.

    Attributes
    ----------
    threshold_ : float
        A score below it is an anomaly.

    See Also
    --------
    QuantileThreshold : Assumes no shape of the scores.

    Notes
    -----
    threshold = mean - k * std of the scores (std with n in the denominator). Meant for
    the scores of normal rows that the detector was not trained on (v_N1 of EncDec-AD,
    which takes k = 1 where there is one anomaly only). The share of false alarms is
    that of a normal distribution only if the scores have one; errors are mostly skewed,
    and then it is larger.

    References
    ----------
    P. Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection",
    2016, section 3, arXiv:1607.00148.

    Examples
    --------
    >>> from skad import SigmaThreshold
    >>> SigmaThreshold(2.0).fit([-1.0, -3.0, -1.0, -3.0]).threshold_
    -4.0
    """

    _parameter_constraints: ClassVar = {
        "k": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, k=3.0):
        self.k = k

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, scores, y=None):
        """Find the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or (n_samples, 1)
            Scores, higher = more normal.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted rule.
        """
        scores = check_scores(scores)
        with np.errstate(over="ignore"):  # a spread beyond the floats is infinite
            self.threshold_ = float(scores.mean() - self.k * scores.std())
        return self


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
        scores = check_scores(scores)
        is_anomaly = check_outlier_labels(y, both_classes=True)
        check_consistent_length(scores, is_anomaly)
        thresholds, fbeta = fbeta_curve(scores, is_anomaly, self.beta)
        best = first_best(fbeta)
        self.best_score_ = float(fbeta[best])
        self.threshold_ = threshold_between(thresholds[best - 1], thresholds[best])
        return self
