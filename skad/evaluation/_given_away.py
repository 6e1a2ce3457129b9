"""Thresholds that were found on the judged scores, and give themselves away.

Rules put thresholds at exact places among the scores that they are fitted on: midway
between two of them, on one, or some spreads below their centre. One from elsewhere
hardly ever lies there, even with a tolerance for float32 and tiny offsets. A threshold
with few digits is a rounded one, for which the tolerance is half of its last digit,
as long as that is little beside the distances between the scores.
"""

import warnings
from itertools import pairwise

import numpy as np
from scipy.stats import genpareto
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skad._nesting import parts
from skad.thresholds._conformal import ConformalThreshold
from skad.thresholds._counting import AlertBudgetThreshold, QuantileThreshold
from skad.thresholds._cuts import threshold_between
from skad.thresholds._fixed import FixedThresholdDetector
from skad.thresholds._labelled import (
    CostThreshold,
    FBetaThreshold,
    PrecisionFloorThreshold,
)
from skad.thresholds._rule import ThresholdRule
from skad.thresholds._spread import IQRThreshold, MADThreshold, SigmaThreshold
from skad.thresholds._tail import POTThreshold

# A tolerance must be smaller than this part of the distance between two scores, or
# of the range of all, so that an honest threshold is hardly ever within it.
_PART = 1e-3

# Spreads below the centre are tried in steps of this.
_STEP = 0.05

# Scores of which more tie, as those of coarse sensors, are shared by many tables.
_MOST_TIES = 0.1

_SPREADS = (SigmaThreshold, MADThreshold, IQRThreshold)
# Rules with common parameters: they are fitted, for thresholds that were rounded.
_COMMON: tuple[ThresholdRule, ...] = (
    *map(QuantileThreshold, (0.01, 0.05, 0.1)),
    *map(ConformalThreshold, (0.01, 0.05, 0.1)),
    *(rule() for rule in _SPREADS),
    *(rule(2.0) for rule in _SPREADS),
    AlertBudgetThreshold(),
)
_COMMON_LABELLED: tuple[ThresholdRule, ...] = (
    *map(FBetaThreshold, (0.5, 1.0, 2.0)),
    PrecisionFloorThreshold(),
    CostThreshold(),
)
_LEVELS = (0.9, 0.95, 0.98, 0.99)
_RISKS = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 1e-5)


def may_remember(detector, rule) -> bool:
    """Whether a threshold may come from elsewhere than from the rows of the run.

    So it may if it is brought along, or if code of the user's own finds it.
    """
    if rule is not None:
        return not _is_known(rule)
    steps = [part for part in parts(detector) if hasattr(part, "fit")]
    brought = FixedThresholdDetector | FrozenEstimator
    return any(isinstance(s, brought) or not _is_known(s) for s in steps)


def _is_known(part) -> bool:
    return type(part).__module__.split(".")[0] in ("skad", "sklearn")


def find_place(threshold, scores, is_anomaly, usual) -> str | None:
    """Say which place among the judged scores a threshold has; None if it has none.

    `usual` are scores of the other parts: those that are among the judged ones, too,
    pin nothing.
    """
    scores = scores[np.isfinite(scores)]
    if not np.isfinite(threshold) or len(scores) < 2 or scores.min() == scores.max():
        return None
    place = _Place(threshold, scores)
    if len(np.unique(scores)) < (1 - _MOST_TIES) * len(scores):
        return place.below_the_centre([SigmaThreshold])
    return (
        place.between_two(usual)
        or place.below_the_centre(_SPREADS)
        or place.of_common_rules(is_anomaly)
        or place.in_the_tail()
    )


class _Place:
    """Where a threshold is among scores."""

    def __init__(self, threshold, scores):
        self.threshold, self.scores = threshold, scores
        self.range = float(scores.max() / 2 - scores.min() / 2) * 2
        self.rounding = 1e-7 * abs(threshold) + 1e-9 * self.range
        digit = _last_digit(threshold)
        self.half_digits = digit / 20, digit / 2  # the last one may have been a 0

    def is_at(self, target, distance) -> bool:
        """Whether the threshold is a place, but for rounding far below a distance."""
        most = _PART * distance
        fitting = [half for half in self.half_digits if half <= most]
        tolerance = max(min(self.rounding, most), *fitting, 0)
        return bool(abs(self.threshold - target) <= tolerance * (1 + 1e-6))

    def between_two(self, usual) -> str | None:
        """Look halfway between two neighbouring scores, and at each."""
        distinct = np.unique(self.scores)
        place = int(np.searchsorted(distinct, self.threshold))
        around = distinct[max(0, place - 2) : place + 2]
        for below, above in pairwise(around):
            gap = above - below
            is_new = not _is_among([below, above], usual)
            if is_new and self.is_at(threshold_between(below, above), gap):
                return "halfway between two neighbouring scores"
        gap = float(np.diff(around).min())
        for score in around:
            if self.is_at(score, gap) and not _is_among([score], usual):
                return "at one of the scores"
        return None

    def below_the_centre(self, rules) -> str | None:
        """Look at round numbers of spreads below the centre."""
        for rule in rules:
            # the threshold is linear in k
            first, second = (rule(k).fit(self.scores).threshold_ for k in (1.0, 2.0))
            step = (first - second) * _STEP
            if not 0 < step < np.inf:
                continue
            k = round((first - self.threshold) / step)
            if k * _STEP > -1 and self.is_at(first - k * step, step):
                return _by(rule(round(1 + k * _STEP, 2)))
        return None

    def of_common_rules(self, is_anomaly) -> str | None:
        """Look where rules with common parameters put it."""
        both = 0 < is_anomaly.sum() < len(is_anomaly) == len(self.scores)
        for rule in (*_COMMON, *(_COMMON_LABELLED if both else ())):
            with warnings.catch_warnings(action="ignore"):  # of few scores
                found = clone(rule).fit(self.scores, is_anomaly).threshold_
            if self.is_at(found, self.range):
                return _by(rule)
        return None

    def in_the_tail(self) -> str | None:
        """Look where POTThreshold with common parameters puts it."""
        for level in _LEVELS:
            if self.threshold >= np.quantile(self.scores, 1 - level):
                continue
            with warnings.catch_warnings(action="ignore"):  # of few scores
                tail = POTThreshold(1e-6, level=level).fit(self.scores)
            n = len(self.scores) / max(1, tail.n_excesses_)
            excess = genpareto.isf(np.minimum(1, np.multiply(_RISKS, n)), tail.shape_)
            for risk, size in zip(_RISKS, excess, strict=True):
                if self.is_at(tail.tail_start_ - tail.scale_ * size, self.range):
                    return _by(POTThreshold(risk, level))
        return None


def _by(rule) -> str:
    return f"where {rule!r} puts it by the scores"


def _last_digit(value) -> float:
    """Say what the last digit of a short number is worth; 0 if it has many."""
    worth = [10.0**-n for n in range(10) if value == round(value, n)][:1]
    with np.errstate(over="ignore", under="ignore"):
        for kind in (np.float16, np.float32):
            short = kind(value)
            if np.isfinite(short) and float(short) == value:
                worth.append(float(np.spacing(np.abs(short))))
    return max(worth, default=0.0)


def _is_among(scores, others) -> bool:
    """Whether each score is among others, but for rounding."""
    ordered = np.sort(others)
    for score in scores:
        near = ordered[np.searchsorted(ordered, score) - 1 :][:2]
        if not np.isclose(near, score, rtol=1e-9, atol=0).any():
            return False
    return True
