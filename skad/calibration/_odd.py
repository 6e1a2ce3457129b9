"""Stretches of the rows of fit that are unlike the rest."""

from itertools import pairwise

import numpy as np
from scipy.ndimage import binary_opening, binary_propagation, label
from scipy.stats import norm

# Chosen on made tables, see benchmarks/decisions.py.
_SURELY, _LASTING, _LIKELY = 5.0, 3.5, 2.0  # standard deviations
_MOST, _MOST_STRETCHES = 0.15, 3
_LONGEST = 0.05


def find_odd(scores, reach, known=None) -> np.ndarray:
    """Find stretches of scores that do not belong with the others: a mask.

    Seeds are errors 5 standard deviations above the median, or 3.5 for as long as two
    windows; of logarithms where all are positive, and by upper quantiles of those that
    are not yet `known` to be odd. Stretches are extended to what is 2 above, and over
    what lies between two of them, up to 5 % of the scores: where a level moves, and
    moves back. Long ones are odd unless there are more than three of them, and so are
    short ones, that a single row may have made (but not these rows themselves, where
    windows do not overlap), up to 15 % of the scores together.
    """
    errors = -np.asarray(scores)
    values = np.log(errors) if errors.min() > 0 else errors
    middle, high = np.quantile(values if known is None else values[~known], [0.5, 0.8])
    spread = (high - middle) / norm.ppf(0.8)
    surely, lasting, likely = (
        values > middle + by * spread for by in (_SURELY, _LASTING, _LIKELY)
    )
    run = max(10, 2 * reach)
    surely |= binary_opening(lasting, np.ones(run, dtype=bool))
    odd = np.zeros(len(values), dtype=bool)
    if spread == 0 or not surely.any():
        return odd
    found = binary_propagation(surely, mask=likely)
    numbers, _ = label(found)
    is_long = found & (np.bincount(numbers) >= run)[numbers]
    is_short = found & ~is_long & (reach > 1)
    gap = max(reach, _LONGEST * len(odd))
    for stretches in (is_long, is_short):
        filled = _filled(odd | stretches, gap)
        is_few = label(_filled(stretches, gap))[1] <= _MOST_STRETCHES
        if is_few and filled.mean() <= _MOST:
            odd = filled
    return odd


def _filled(flags, gap) -> np.ndarray:
    """Flag what lies between two flags that are at most `gap` apart."""
    at = np.flatnonzero(flags)
    filled = flags.copy()
    for one, two in pairwise(at):
        if 1 < two - one <= gap:
            filled[one:two] = True
    return filled


def stretches_of(odd, rows) -> list[tuple[int, int]]:
    """List first and last rows of the stretches of a mask of ascending rows."""
    numbers, n_stretches = label(odd)
    found = [rows[numbers == number] for number in range(1, n_stretches + 1)]
    return [(int(one[0]), int(one[-1])) for one in found]
