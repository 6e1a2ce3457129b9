"""Left-out scores and thresholds in plain loops."""

import numpy as np
from scipy import stats
from sklearn.base import clone

from skad import LinearAutoencoder


def left_out_scores(detector, X, blocks):
    """Scores of rows by detectors, of the sizes of a fitted one, that lack a block."""
    scores = np.empty(len(X))
    for train, out in blocks:
        fold = clone(detector)
        if isinstance(detector, LinearAutoencoder):
            fold.set_params(latent_dim=detector.latent_dim_)
        fold.fit(X[train])
        for row in out:
            scores[row] = fold.score_samples(X[[row]])[0]
    return scores


def blocks_of(starts, window_length, n_blocks=5):
    """Positions of windows to learn from, and of those left out, block by block."""
    blocks = []
    for out in np.array_split(np.arange(len(starts)), n_blocks):
        train = [
            i
            for i, start in enumerate(starts)
            if all(abs(start - starts[j]) >= window_length for j in out)
        ]
        blocks.append((np.array(train), out))
    return blocks


def row_scores(window_scores, starts, window_length, n_rows):
    """Mean over the windows that cover each row."""
    covering = [
        [s for s, first in zip(window_scores, starts, strict=True)
         if first <= row < first + window_length]
        for row in range(n_rows)
    ]  # fmt: skip
    return np.array([np.mean(scores) for scores in covering])


def threshold(scores, share, n):
    """Mix the quantile with that of a log-normal distribution of few observations."""
    ordered = sorted(scores)
    n_below = int(np.ceil(share * (len(ordered) - 1)))
    counted = (ordered[n_below - 1] + ordered[n_below]) / 2
    logs = np.log(-np.asarray(scores))
    sd = (np.quantile(logs, 0.9) - np.median(logs)) / stats.norm.ppf(0.9)
    quantile = stats.t.ppf(1 - share, n - 1) * (1 + 1 / n) ** 0.5
    predicted = np.median(logs) + sd * quantile
    weight = share * n / (1 + share * n)
    return -np.exp(weight * np.log(-counted) + (1 - weight) * predicted)


def odd(scores, reach):
    """Odd stretches in plain loops: all rules of `find_odd`, one after the other."""
    errors = -np.asarray(scores)
    values = np.log(errors) if all(errors > 0) else errors
    middle, high = np.quantile(values, [0.5, 0.8])
    spread = (high - middle) / stats.norm.ppf(0.8)
    if spread == 0:
        return np.zeros(len(values), dtype=bool)
    z = (values - middle) / spread
    run = max(10, 2 * reach)
    is_seed = z > 5
    for first in range(len(z) - run + 1):
        if all(z[first : first + run] > 3.5):
            is_seed[first : first + run] = True
    found = [part for part in runs(z > 2) if any(is_seed[row] for row in part)]
    longest = int(0.06 * len(z)) + 2 * reach
    result = np.zeros(len(z), dtype=bool)
    for is_kind in (
        lambda part: len(part) >= run,
        lambda part: len(part) < run and reach > 1,
    ):
        flags = np.zeros(len(z), dtype=bool)
        for part in filter(is_kind, found):
            flags[part] = True
        more = joined(result | flags, longest)
        n_most = min(0.06 * len(z) + 2 * reach * len(runs(more)), 0.15 * len(z))
        if len(runs(joined(flags, longest))) <= 3 and more.sum() <= n_most:
            result = more
    return result


def runs(flags):
    """Positions of flags that follow each other."""
    found = []
    for row in np.flatnonzero(flags):
        if found and found[-1][-1] == row - 1:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def joined(flags, longest):
    """Flag all rows between parts, as many as are within `longest` from the first."""
    flags = flags.copy()
    parts = runs(flags)
    while parts:
        first, *others = parts
        within = [part for part in others if part[-1] - first[0] < longest]
        if within:
            flags[first[0] : within[-1][-1] + 1] = True
        parts = others[len(within) :]
    return flags
