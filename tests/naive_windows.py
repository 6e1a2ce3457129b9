"""Slow, obvious windows and aggregation, to compare with."""

import math

import numpy as np


def starts_of(n_rows, window_length, stride):
    starts = list(range(0, n_rows - window_length + 1, stride))
    if starts[-1] != n_rows - window_length:
        starts.append(n_rows - window_length)
    return starts


def windows_of(rows, window_length, stride=1):
    rows = np.asarray(rows)
    return np.array(
        [
            np.concatenate([rows[start + t] for t in range(window_length)])
            for start in starts_of(len(rows), window_length, stride)
        ]
    )


def past_windows(rows, window_length, pad):
    """Window that ends at each row, padded in front."""
    rows = np.asarray(rows)
    result = []
    for t in range(len(rows)):
        values = []
        for lag in range(window_length - 1, -1, -1):
            if t - lag >= 0:
                values.append(rows[t - lag])
            else:
                values.append(rows[0] if pad == "edge" else np.zeros_like(rows[0]))
        result.append(np.concatenate(values))
    return np.array(result)


def aggregate(values, how):
    """`values` of the covering windows, the earliest first."""
    return {
        "mean": np.mean,
        "median": np.median,
        "max": np.max,
        "last": lambda v: v[0],
    }[how](values)


def row_errors(errors, starts, window_length, n_rows, how):
    """From errors of windows, or of their timesteps, to those of rows."""
    result = []
    for row in range(n_rows):
        covering = [k for k, s in enumerate(starts) if s <= row < s + window_length]
        values = [
            errors[k] if np.ndim(errors) == 1 else errors[k][row - starts[k]]
            for k in covering
        ]
        result.append(aggregate(values, how))
    return np.array(result)


def segment_scores(detector, rows, window_length, stride, level, how):
    """Scores of the rows of one segment from a fitted detector of windows."""
    n_missing = max(0, window_length - len(rows))
    padded = np.concatenate([np.repeat(rows[:1], n_missing, axis=0), rows])
    windows = windows_of(padded, window_length, stride)
    starts = starts_of(len(padded), window_length, stride)
    score = detector.score_timesteps if level == "timestep" else detector.score_samples
    errors = -score(windows)
    return -row_errors(errors, starts, window_length, len(padded), how)[n_missing:]


def tails_by_loops(lengths, window_length, fraction):
    """Starts of windows to train on, and of those to validate on, or all and None.

    Of each series the last windows validate, at least two; those that share a row with
    them are dropped; and half of all, and two, must be left.
    """
    train, tails, first = [], [], 0
    for length in lengths:
        starts = list(range(first, first + length - window_length + 1))
        n_tail = max(2, round(fraction * len(starts)))
        rows_of_tail = {
            row for s in starts[-n_tail:] for row in range(s, s + window_length)
        }
        tails += starts[-n_tail:]
        train += [
            s for s in starts if not rows_of_tail & set(range(s, s + window_length))
        ]
        first += length
    n_all = sum(length - window_length + 1 for length in lengths)
    if len(train) < n_all / 2 or len(train) < 2:
        return None
    return train, tails


def covariance(windows):
    """Mean and covariance of windows, pair by pair of values."""
    n_windows, n_values = windows.shape
    mean = [math.fsum(windows[:, i]) / n_windows for i in range(n_values)]
    deviations = windows - mean
    result = np.zeros((n_values, n_values))
    for i in range(n_values):
        for j in range(n_values):
            products = deviations[:, i] * deviations[:, j]
            result[i, j] = math.fsum(products) / (n_windows - 1)
    return np.array(mean), result
