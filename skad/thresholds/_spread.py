"""Rules that put the threshold some spreads below the centre of the scores."""

from __future__ import annotations

from math import pi, sqrt
from typing import ClassVar

import numpy as np
from scipy.stats import norm

from skad.thresholds._cuts import distances, from_units, in_units, quantile
from skad.thresholds._rule import POSITIVE, ThresholdRule

# Of a normal distribution.
_MAD_TO_STD = float(1 / norm.ppf(0.75))


class _SpreadThreshold(ThresholdRule):
    """Threshold at centre - k * spread; a subclass says what these are."""

    _parameter_constraints: ClassVar = {"k": [POSITIVE]}

    def __init__(self, k: float = 3.0):
        self.k = k

    def _find(self, scores, is_anomaly):
        centre, spread, exponent = self._centre_and_spread(np.sort(scores))
        low = from_units(np.ldexp(centre, -exponent) - self.k * spread, exponent)
        return min(centre, low)  # a small centre is rounded in units of the spread


class SigmaThreshold(_SpreadThreshold):
    """Threshold some standard deviations below the mean score; no labels needed.

    Parameters
    ----------
    k : float, default=3.0
        Number of standard deviations, > 0.

    See Also
    --------
    MADThreshold : Not moved by anomalies among the scores.
    QuantileThreshold : Assumes no shape of the scores.

    Notes
    -----
    threshold = mean - k * std of the scores (std with n in the denominator). Meant for
    scores of normal rows that the detector was not trained on (v_N1 of EncDec-AD, which
    takes k = 1 where there is only one anomaly). The share of false alarms is that of a
    normal distribution only if the scores follow one; errors are mostly skewed, and
    then it is larger.

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

    def _centre_and_spread(self, scores):
        scaled, exponent = in_units(scores)
        # rounding may lift the mean of equal scores above all of them
        mean = min(from_units(scaled.mean(), exponent), float(scores[-1]))
        return mean, scaled.std(), exponent


class MADThreshold(_SpreadThreshold):
    """Threshold some median absolute deviations below the median; no labels needed.

    Parameters
    ----------
    k : float, default=3.0
        Number of scaled deviations, > 0; 3 is strict, 2 lenient.

    See Also
    --------
    SigmaThreshold : Mean and standard deviation, which anomalies pull towards them.
    IQRThreshold : Quartiles, which follow skewed scores.

    Notes
    -----
    threshold = median - k * 1.4826 * MAD, where MAD = median(abs(scores - median)).
    The factor turns MAD into the standard deviation for a normal distribution, of which
    k = 3 cuts off 0.13 %. Errors are mostly skewed, and then the share of false alarms
    is larger, often by far; but as long as fewer than half of the rows are anomalies,
    they can only move the threshold by a limited amount.

    Where more than half of the scores tie, MAD is 0. Then the mean absolute deviation
    from the median, times sqrt(pi / 2) for the same reason, replaces 1.4826 * MAD;
    anomalies do move that. Of equal scores, none is flagged.

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

    def _centre_and_spread(self, scores):
        median = quantile(scores, 0.5)
        deviations, exponent = distances(scores, median)
        deviation = np.median(deviations) * _MAD_TO_STD
        if deviation == 0:
            deviation = sqrt(pi / 2) * deviations.mean()
        return median, deviation, exponent


class IQRThreshold(_SpreadThreshold):
    """Threshold some interquartile ranges below the first quartile; no labels needed.

    Parameters
    ----------
    k : float, default=1.5
        Number of interquartile ranges, > 0; Tukey's fences are 1.5 (outside) and 3
        (far out).

    See Also
    --------
    MADThreshold : Treats deviations above and below the median alike.

    Notes
    -----
    threshold = Q1 - k * (Q3 - Q1), with linearly interpolated quartiles: the lower
    whisker of a box plot. Of a normal distribution, 0.35 % lie below it for k = 1.5.
    Errors are mostly skewed, and then the share of false alarms is larger; but as long
    as fewer than a quarter of the rows are anomalies, they can only move the threshold
    by a limited amount.

    Where the middle half of the scores ties, the range is 0 and every score below Q1 is
    flagged. Of equal scores, none is.

    References
    ----------
    J. W. Tukey, Exploratory Data Analysis, chapter 2, 1977.

    Examples
    --------
    >>> from skad import IQRThreshold
    >>> IQRThreshold().fit([-3.0, -1.0, -2.0, -90.0, -4.0]).threshold_
    -7.0
    """

    def __init__(self, k: float = 1.5):
        super().__init__(k)

    def _centre_and_spread(self, scores):
        first, third = quantile(scores, 0.25), quantile(scores, 0.75)
        spread, exponent = distances(np.array([third]), first)
        return first, spread[0], exponent
