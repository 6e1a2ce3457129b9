"""A rule that extrapolates the tail of the scores."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import numpy as np
from scipy.stats import genpareto

from skad._validation import floor_of_share
from skad._warnings import warn
from skad.thresholds._cuts import distances, from_units, quantile
from skad.thresholds._rule import SHARE, ThresholdRule

# Fewer different excesses than this are too few to estimate a shape.
_MIN_EXCESSES = 10


class POTThreshold(ThresholdRule):
    """Threshold from extreme value theory, by peaks over threshold; no labels needed.

    For risks too small for a quantile: one false alarm in 10,000 rows, from 5,000.

    Parameters
    ----------
    risk : float, default=1e-3
        Probability that a normal row is flagged, > 0 and below ``1 - level``.
    level : float, default=0.98
        Share of the scores outside the tail, in (0, 1). A higher one fits the theory
        better, but leaves fewer scores to fit.

    Attributes
    ----------
    tail_start_ : float
        Where the tail begins: the distribution is fitted to the scores below it.
    n_excesses_ : int
        Number of the scores below `tail_start_`.
    shape_ : float
        Shape of the generalised Pareto distribution. Above 0 the tail is heavy, 0 is an
        exponential tail, and below 0 it ends at a finite score.
    scale_ : float
        Its scale, in units of the scores.

    See Also
    --------
    QuantileThreshold : Counts, where there are enough scores.
    ConformalThreshold : Assumes nothing about the tail.

    Notes
    -----
    The excesses of the errors x = -score over a high t follow a generalised Pareto
    distribution, for nearly every distribution of x and the better the higher t is
    (Pickands, Balkema and de Haan). With its shape g and scale s, fitted by maximum
    likelihood (scipy), n scores and n_t excesses over their quantile t of `level`,

        threshold = -(t + s / g * ((risk * n / n_t)^-g - 1)),

    and ``-(t - s * log(risk * n / n_t))`` for g = 0. A fitted tail that ends (g < 0)
    puts the threshold before its end, however small the risk: a row beyond all that
    was seen is always flagged. The streaming versions of the paper (SPOT, DSPOT) are
    not implemented.

    With fewer than 10 different excesses, the rule assumes an exponential tail (g = 0,
    s the mean excess), and warns. If ties leave no excesses at all, the threshold is
    the lowest score, and no score of the fit is flagged; if they leave no more than the
    risk allows, it is `tail_start_`.

    The scores must come from normal rows that the detector was not trained on, and the
    tail must continue as it begins. Anomalies among the scores become the tail: the
    threshold moves below most of them. Few excesses err towards false alarms: over
    seven distributions, normal to heavy-tailed, 1,000 scores and the default risk gave
    1.5 times the risk on average (single fits 0.3 to 4 times), 5,000 scores 1.1 times
    (0.5 to 1.9); a risk of 1e-4 gave 7 and 2 times. Scores of neighbouring rows or
    overlapping windows repeat each other, and count as fewer.

    References
    ----------
    A. Siffer, P.-A. Fouque, A. Termier, C. Largouet, "Anomaly Detection in Streams with
    Extreme Value Theory", KDD 2017, doi:10.1145/3097983.3098144.

    S. Coles, An Introduction to Statistical Modeling of Extreme Values, sections 4.2
    and 4.3, 2001, doi:10.1007/978-1-4471-3675-0.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import POTThreshold
    >>> errors = np.random.default_rng(0).exponential(size=5000)
    >>> rule = POTThreshold(risk=1e-4).fit(-errors)
    >>> bool(-12 < rule.threshold_ < -7)  # the truth is log(1e-4) = -9.2
    True
    """

    _parameter_constraints: ClassVar = {
        "risk": [SHARE],
        "level": [SHARE],
    }

    def __init__(self, risk: float = 1e-3, level: float = 0.98):
        self.risk = risk
        self.level = level

    def _find(self, scores, is_anomaly):
        if Fraction(str(self.risk)) + Fraction(str(self.level)) >= 1:
            raise ValueError(
                f"risk={self.risk} is not below 1 - level={1 - self.level:.3g}, the "
                "share of the tail; lower level, or use QuantileThreshold(risk)."
            )
        errors = np.sort(-scores)
        start = quantile(errors, self.level)
        excesses, exponent = distances(errors[errors > start], start)
        shape, scale = self._fit_tail(excesses, len(errors))
        share = 1.0  # ties at the start may leave fewer excesses than the risk allows
        if len(excesses) > floor_of_share(self.risk, len(errors)):
            share = min(1.0, self.risk * len(errors) / len(excesses))
        with np.errstate(over="ignore"):  # the quantile may be too large for a float
            excess = scale * genpareto.isf(share, shape)
        self.tail_start_ = -start
        self.n_excesses_ = len(excesses)
        self.shape_ = shape
        self.scale_ = from_units(scale, exponent)
        low = from_units(-(np.ldexp(start, -exponent) + excess), exponent)
        return min(-start, low)  # a small start is rounded in units of the excesses

    def _fit_tail(self, excesses, n_scores):
        """Shape and scale of the excesses; scale 0 if there are none."""
        if len(np.unique(excesses)) < _MIN_EXCESSES:
            warn(
                f"The {len(excesses)} excesses of {n_scores} scores over level="
                f"{self.level} are too few, or tie too much, to fit their shape; an "
                "exponential tail is assumed. Fit on more scores, or lower the level."
            )
            return 0.0, float(excesses.mean()) if len(excesses) else 0.0
        # scipy's search starts and stops at sizes around 1
        unit = excesses.mean()
        shape, _, scale = genpareto.fit(excesses / unit, floc=0)
        return float(shape), float(scale * unit)
