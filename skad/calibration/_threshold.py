"""A threshold that new rows will be below as often as is promised."""

import numpy as np
from scipy.stats import norm, t

from skad.thresholds._counting import QuantileThreshold
from skad.thresholds._cuts import threshold_below

# Share of new normal rows that contamination="auto" promises to flag.
PROMISED = 0.01


def promised_threshold(scores, share, n_independent) -> float:
    """Place a threshold below scores that were not learnt.

    With many independent scores it is their quantile; with few, one of a log-normal
    distribution of the errors, with the uncertainty of its parameters, as of a new
    observation. In between the two are mixed, by how many scores the quantile rests on.
    Errors that are not positive are taken as they are, as of a normal distribution.
    """
    counted = QuantileThreshold(share).fit(scores).threshold_
    n_beyond = share * n_independent
    if n_independent < 3 or n_beyond > 100:
        return counted
    errors = -np.asarray(scores)
    is_positive = errors.min() > 0 and counted < 0
    values = np.log(errors) if is_positive else errors
    middle, high = np.quantile(values, [0.5, 0.9])
    spread = (high - middle) / norm.ppf(0.9)
    quantile = t.ppf(1 - share, n_independent - 1) * np.sqrt(1 + 1 / n_independent)
    predicted = middle + spread * quantile
    weight = n_beyond / (1 + n_beyond)
    mixed = weight * (np.log(-counted) if is_positive else -counted)
    mixed += (1 - weight) * predicted
    return float(-np.exp(mixed) if is_positive else -mixed)


def within_reach(threshold, learnt, scores) -> float:
    """Raise a threshold that no learnt row is below, until one is.

    Unless that would flag more than twice the promised share of the scores that were
    not learnt: a model that remembers what it has learnt scores it too high to compare.
    """
    if (learnt < threshold).any():
        return threshold
    raised = threshold_below(np.sort(learnt), 1)
    return raised if (scores < raised).mean() <= 2 * PROMISED else threshold
