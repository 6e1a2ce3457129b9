"""Slow, obvious references for the threshold rules: every threshold is tried."""

import itertools
import math
from fractions import Fraction

import numpy as np


def all_cuts(scores):
    """Every threshold: the greatest score below it and the smallest above it."""
    return itertools.pairwise([-math.inf, *sorted(set(scores)), math.inf])


def counts(scores, is_anomaly, below):
    """Hits, false alarms and misses, if scores up to `below` are flagged."""
    rows = list(zip(scores, is_anomaly, strict=True))
    hits = sum(1 for s, a in rows if s <= below and a)
    false_alarms = sum(1 for s, a in rows if s <= below and not a)
    misses = sum(1 for s, a in rows if s > below and a)
    return hits, false_alarms, misses


def precision_floor_cut(scores, is_anomaly, min_precision):
    """Best recall at a precision; if none has it, best recall at the best precision.

    Returns the greatest score below the threshold, the smallest above it, precision,
    recall, and whether the floor is reached. Of equal thresholds it is the lowest.
    """
    tried = []
    for below, above in all_cuts(scores):
        hits, false_alarms, misses = counts(scores, is_anomaly, below)
        if hits + false_alarms > 0:
            precision = Fraction(hits, hits + false_alarms)
            tried.append((below, above, precision, Fraction(hits, hits + misses)))
    highest = max(precision for _, _, precision, _ in tried)
    floor = Fraction(str(min_precision))
    allowed = [cut for cut in tried if cut[2] >= min(floor, highest)]
    best_recall = max(recall for _, _, _, recall in allowed)
    best = next(cut for cut in allowed if cut[3] == best_recall)
    return *best, highest >= floor


def cheapest_cut(scores, is_anomaly, false_alarm_cost, miss_cost):
    """Lowest of the cheapest thresholds: the scores around it, and the cost."""
    best = None
    for below, above in all_cuts(scores):
        _, false_alarms, misses = counts(scores, is_anomaly, below)
        cost = Fraction(str(false_alarm_cost)) * false_alarms
        cost += Fraction(str(miss_cost)) * misses
        if best is None or cost < best[2]:
            best = below, above, cost
    return best


def n_alerts(scores, below, count):
    """Rows, or runs of consecutive rows, that are not above `below`."""
    flagged = [score <= below for score in scores]
    if count == "rows":
        return sum(flagged)
    return sum(1 for is_flagged, _ in itertools.groupby(flagged) if is_flagged)


def budget_cut(scores, budget, per, count):
    """Raise the threshold as long as the alerts are within the budget."""
    allowed = Fraction(str(budget)) * len(scores) / Fraction(str(per))
    cuts = list(all_cuts(scores))[:-1]  # never all
    kept = cuts[0]
    for cut in cuts[1:]:
        if n_alerts(scores, cut[0], count) > allowed:
            break
        if count == "events" and 2 * n_alerts(scores, cut[0], "rows") > len(scores):
            break
        kept = cut
    return kept


def quantile(scores, share):
    """Linearly interpolated quantile, a Fraction."""
    ordered = sorted(map(Fraction, scores))
    place = Fraction(share) * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def n_in_share(share, n, *, begun):
    """Items in a share of n, as the share is written; begun ones count or do not."""
    exact = Fraction(str(share)) * n
    return math.ceil(exact) if begun else math.floor(exact)


def tail_start(scores, level):
    """Highest score that at most the share `1 - level` lies below, interpolated."""
    return -quantile([-s for s in scores], Fraction(str(level)))


def sigma_threshold(scores, k):
    exact = list(map(Fraction, scores))
    mean = sum(exact) / len(exact)
    variance = sum((s - mean) ** 2 for s in exact) / len(exact)
    return mean - Fraction(k) * root(variance)


def mad_threshold(scores, k):
    median = quantile(scores, 0.5)
    deviations = [abs(Fraction(s) - median) for s in scores]
    unit = Fraction(1.4826022185056018) * quantile(deviations, 0.5)
    if unit == 0:
        unit = Fraction(math.sqrt(math.pi / 2)) * sum(deviations) / len(deviations)
    return median - Fraction(k) * unit


def iqr_threshold(scores, k):
    first, third = quantile(scores, 0.25), quantile(scores, 0.75)
    return first - Fraction(k) * (third - first)


def root(value):
    """Square root of a Fraction, to 30 digits."""
    digits = 10**30 * 10**330  # of numbers as small as the floats go
    return Fraction(math.isqrt(int(value * digits**2)), digits)


def p_values(calibration, scores):
    """Share of calibration scores, and the new one, that are no higher; Fractions."""
    return [
        Fraction(1 + sum(c <= score for c in calibration), 1 + len(calibration))
        for score in scores
    ]


def benjamini_hochberg(p_values, by=False):
    """Adjusted p-values: the smallest q at which a step-up test flags each."""
    m = len(p_values)
    factor = sum(Fraction(1, i) for i in range(1, m + 1)) if by else 1
    ordered = sorted(p_values)
    return [
        min(
            Fraction(1),
            *(
                factor * m * ordered[rank] / (rank + 1)
                for rank in range(m)
                if ordered[rank] >= p
            ),
        )
        for p in p_values
    ]


def pareto_likelihood(excesses, shape, scale):
    """Log-likelihood of a generalised Pareto distribution."""
    if shape == 0:
        return -len(excesses) * math.log(scale) - sum(excesses) / scale
    total = sum(math.log1p(shape * x / scale) for x in excesses)
    return -len(excesses) * math.log(scale) - (1 + 1 / shape) * total


def best_pareto_likelihood(excesses):
    """Maximum over a fine grid of shape / scale, for shapes above -1.

    For a fixed ratio r the best shape is the mean of log(1 + r x) (Grimshaw 1993).
    """
    mean = sum(excesses) / len(excesses)
    negative = -(1 - np.logspace(-4, -0.001, 200)) / max(excesses)
    best = pareto_likelihood(excesses, 0, mean)
    for ratio in [*negative, *np.logspace(-4, 3, 400) / mean]:
        shape = float(np.log1p(ratio * np.asarray(excesses)).mean())
        if shape > -1:
            best = max(best, pareto_likelihood(excesses, shape, shape / ratio))
    return best


def tail_quantile(start, shape, scale, risk, n, n_excesses):
    """Siffer et al. 2017: the error that is passed with probability `risk`."""
    ratio = risk * n / n_excesses
    if shape == 0:
        return start - scale * math.log(ratio)
    return start + scale / shape * (ratio**-shape - 1)
