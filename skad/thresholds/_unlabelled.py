"""Rules that find a threshold from scores alone."""

from math import floor, pi, sqrt
from numbers import Real
from typing import ClassVar

import numpy as np
from scipy.stats import median_abs_deviation
from sklearn.base import BaseEstimator

from skad._validation import Interval, StrOptions, fit_context, warn
from skad.thresholds._cuts import (
    check_scores,
    from_units,
    in_units,
    threshold_above,
    threshold_below,
)


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
    ConformalThreshold : With a guarantee for new rows.
    AlertBudgetThreshold : The same, in alerts a day.
    POTThreshold : For shares too small to be counted.
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


class AlertBudgetThreshold(BaseEstimator):
    """Threshold that spends a budget of alerts; no labels needed.

    Parameters
    ----------
    budget : float, default=1.0
        Number of alerts that may be raised every `per` rows, > 0 and below `per`.
    per : float, default=1000
        Number of rows that the budget is for, > 0: 1440 for a budget of alerts a day,
        with a row a minute.
    count : {"rows", "events"}, default="rows"
        What an alert is. "rows": every row below the threshold. "events": every run of
        consecutive rows below it, however long; the scores must be in the order of
        time.

    Attributes
    ----------
    threshold_ : float
        A score below it is an anomaly.

    See Also
    --------
    QuantileThreshold : The share of the rows itself.
    ConformalThreshold : With a guarantee for new rows.

    Notes
    -----
    Of n scores, ``floor(budget * n / per)`` alerts are within the budget. The threshold
    is the highest one that stays within it; scores that tie are never parted, and the
    highest score is never below. Exact over all thresholds between two distinct scores.

    A higher threshold may raise fewer events, as runs of rows grow together. The rule
    stops below the first threshold that raises too many, so that all lower ones are
    within the budget, too; and where half of the rows would be flagged, lest a drift be
    one event. A run that crosses from one series into the next counts once, and a table
    of events that joins runs over gaps holds fewer.

    The budget is kept on the scores that the rule is fitted on, and to be expected on
    rows like these: the scores must not come from rows that the detector was trained
    on, and anomalies among them spend budget, too. A budget spent on few alerts is
    known roughly only: where k are expected, k ± 2 sqrt(k) are nothing unusual, more if
    alerts come in bursts.

    Examples
    --------
    >>> from skad import AlertBudgetThreshold
    >>> scores = [-1.0, -7.0, -8.0, -2.0, -1.0, -6.0, -9.0, -1.0, -5.0, -1.0]
    >>> AlertBudgetThreshold(2, per=10).fit(scores).threshold_
    -7.5
    >>> AlertBudgetThreshold(2, per=10, count="events").fit(scores).threshold_
    -5.5
    """

    _parameter_constraints: ClassVar = {
        "budget": [Interval(Real, 0, None, closed="neither")],
        "per": [Interval(Real, 0, None, closed="neither")],
        "count": [StrOptions({"rows", "events"})],
    }

    def __init__(self, budget=1.0, *, per=1000, count="rows"):
        self.budget = budget
        self.per = per
        self.count = count

    @property
    def needs_order(self):
        """Whether the scores must be those of consecutive rows."""
        return self.count == "events"

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, scores, y=None):
        """Find the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or (n_samples, 1)
            Scores, higher = more normal; in the order of time if events are counted.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted rule.

        Raises
        ------
        ValueError
            If the budget is an alert for every row, or more.

        Warns
        -----
        UserWarning
            If the scores are too few for a single alert; the threshold is then below
            all of them.
        """
        if self.budget >= self.per:
            raise ValueError(
                f"budget={self.budget} alerts per {self.per} rows are an alert for "
                "every row; expected budget < per."
            )
        scores = check_scores(scores)
        # rounded, as 0.29 * 100 falls short of 29
        n_allowed = floor(round(self.budget / self.per * len(scores), 9))
        if n_allowed == 0:
            warn(
                f"budget={self.budget} per {self.per} rows allows no alert in "
                f"{len(scores)} rows; the threshold is put below all scores. Fit on at "
                f"least {np.ceil(self.per / self.budget):.0f} rows."
            )
        distinct = np.unique(scores)
        n_rows, n_events = _count_alerts(scores, distinct)
        if self.count == "rows":
            exceeds = n_rows > n_allowed
        else:
            exceeds = (n_events > n_allowed) | (n_rows > len(scores) / 2)
        exceeds[-1] = True  # whatever rounding made of a budget next to `per`
        self.threshold_ = threshold_above(distinct, int(np.argmax(exceeds)) - 1)
        return self


def _count_alerts(scores, levels):
    """Count the rows, and the runs of them, below thresholds right above each level."""
    n_rows = np.searchsorted(np.sort(scores), levels, side="right")
    # a row that follows another one below the threshold starts no run
    followers = np.sort(np.maximum(scores[:-1], scores[1:]))
    return n_rows, n_rows - np.searchsorted(followers, levels, side="right")


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
    MADThreshold : Not moved by anomalies among the scores.
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
        scores, exponent = in_units(check_scores(scores))
        # rounding may lift the mean of equal scores above all of them
        mean = min(scores.mean(), scores.max())
        self.threshold_ = from_units(mean - self.k * scores.std(), exponent)
        return self


class MADThreshold(BaseEstimator):
    """Threshold some median absolute deviations below the median; no labels needed.

    Parameters
    ----------
    k : float, default=3.0
        Number of scaled deviations, > 0; 3 is strict, 2 lenient.

    Attributes
    ----------
    threshold_ : float
        A score below it is an anomaly.

    See Also
    --------
    SigmaThreshold : Mean and standard deviation, which anomalies draw towards them.
    IQRThreshold : Quartiles, which follow skewed scores.

    Notes
    -----
    threshold = median - k * 1.4826 * MAD, where MAD = median(abs(scores - median)).
    The factor makes the deviation that of a normal distribution, of which k = 3 cuts
    off 0.13 %. Errors are mostly skewed, and then the share of false alarms is larger,
    often by far; but fewer than half of the rows being anomalies cannot move the
    threshold at will.

    Where more than half of the scores tie, MAD is 0. The mean absolute deviation from
    the median, times sqrt(pi / 2) to the same end, then takes the place of 1.4826 *
    MAD; anomalies do move it. Of equal scores none is flagged.

    References
    ----------
    C. Leys et al., "Detecting outliers: Do not use standard deviation around the mean,
    use absolute deviation around the median", Journal of Experimental Social Psychology
    49, 2013, doi:10.1016/j.jesp.2013.03.013.

    Examples
    --------
    >>> from skad import MADThreshold
    >>> scores = [-3.0, -1.0, -2.0, -90.0, -4.0]
    >>> round(MADThreshold(2.0).fit(scores).threshold_, 4)
    -5.9652
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
        scores, exponent = in_units(check_scores(scores))
        median = np.median(scores)
        deviation = median_abs_deviation(scores, scale="normal")
        if deviation == 0:
            deviation = sqrt(pi / 2) * np.abs(scores - median).mean()
        self.threshold_ = from_units(median - self.k * deviation, exponent)
        return self


class IQRThreshold(BaseEstimator):
    """Threshold some interquartile ranges below the first quartile; no labels needed.

    Parameters
    ----------
    k : float, default=1.5
        Number of interquartile ranges, > 0; Tukey's fences are 1.5 (outside) and 3
        (far out).

    Attributes
    ----------
    threshold_ : float
        A score below it is an anomaly.

    See Also
    --------
    MADThreshold : Takes deviations from the median to both sides alike.

    Notes
    -----
    threshold = Q1 - k * (Q3 - Q1), with linearly interpolated quartiles: the lower
    whisker of a box plot. Of a normal distribution 0.35 % lie below it for k = 1.5.
    Errors are mostly skewed, and then the share of false alarms is larger; but fewer
    than a quarter of the rows being anomalies cannot move the threshold at will.

    Where the middle half of the scores ties, the range is 0 and every score below Q1 is
    flagged. Of equal scores none is.

    References
    ----------
    J. W. Tukey, Exploratory Data Analysis, chapter 2, 1977.

    Examples
    --------
    >>> from skad import IQRThreshold
    >>> IQRThreshold().fit([-3.0, -1.0, -2.0, -90.0, -4.0]).threshold_
    -7.0
    """

    _parameter_constraints: ClassVar = {
        "k": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, k=1.5):
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
        scores, exponent = in_units(check_scores(scores))
        first, third = np.quantile(scores, [0.25, 0.75])
        self.threshold_ = from_units(first - self.k * (third - first), exponent)
        return self
