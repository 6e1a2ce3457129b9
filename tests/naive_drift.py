"""What sensors read, and how far they moved, in plain loops."""

import math

import numpy as np
from scipy import stats

from skad.calibration._usual import MIN_STRETCHES, MOST


def variances(values):
    """Variance of means of 1, 2, 4, ... values in a row, down to 8 stretches."""
    found, size = [], 1
    while len(values) // size >= MIN_STRETCHES:
        means = [
            np.mean(values[first : first + size])
            for first in range(0, len(values) // size * size, size)
        ]
        found.append(np.var(means, ddof=1))
        size *= 2
    return found


def margin(values, n_new, ratio, risk):
    """Widest of the intervals that the scales give."""
    widest, n = 0.0, len(values)
    for scale, variance in enumerate(variances(values)):
        size = 2**scale
        if size <= n_new:
            quantile = stats.t.ppf(1 - risk / 2, n // size - 1)
            square = variance * size * (1 / n + ratio**2 / n_new)
            widest = max(widest, quantile * math.sqrt(square))
    return widest


def quantities(windows, level=None):
    """Level and spread of each window of one sensor, (n_windows, window_length)."""
    levels = [float(np.mean(window)) for window in windows]
    if len(windows[0]) == 1:
        level = np.mean(levels) if level is None else level
        return levels, [abs(value - level) for value in levels]
    spreads = [
        float(np.mean([abs(reading - np.mean(window)) for reading in window]))
        for window in windows
    ]
    return levels, spreads


def effects(windows, later, errors, later_errors, risk):
    """(effect, low, high) of level, spread and error of one sensor that varies."""
    level, spread = quantities(windows)
    level_now, spread_now = quantities(later, np.mean(level))
    unit = np.std(np.ravel(windows))
    ratio = np.clip(np.mean(spread_now) / np.mean(spread), 1 / MOST, MOST)
    found = {}
    effect = (np.mean(level_now) - np.mean(level)) / unit
    around = margin(level, len(later), max(ratio, 1), risk) / unit
    found["level"] = effect, effect - around, effect + around
    pairs = {"spread": (spread, spread_now), "error": (errors, later_errors)}
    for name, (usual, now) in pairs.items():
        effect = math.log(np.mean(now) / np.mean(usual))
        around = margin(usual, len(now), 1.0, risk) / np.mean(usual)
        found[name] = effect, effect - around, effect + around
    return found
