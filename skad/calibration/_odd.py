"""Stretches of the rows of fit that are unlike the rest."""

import numpy as np
from scipy.ndimage import binary_opening, binary_propagation, find_objects, label
from scipy.stats import norm

# Chosen on made tables, see benchmarks/decisions.py.
_SURELY, _LASTING, _LIKELY = 5.0, 3.5, 2.0  # standard deviations
_MOST_STRETCHES, _MOST_ROWS, _MOST_SCORES = 3, 0.06, 0.15


def find_odd(scores, reach, known) -> np.ndarray:
    """Find stretches of scores that do not belong with the others: a mask.

    Seeds are errors 5 standard deviations above the median, or 3.5 for as long as two
    windows; of logarithms where all are positive, and by upper quantiles of those that
    are not yet `known` to be odd. Stretches are extended to what is 2 above, and over
    what lies between them: where a level moves, and moves back. Long ones are odd, and
    then short ones, that a single row may have made (but not these rows themselves,
    where windows do not overlap); unless there are more than three of a kind, or rows
    odd beyond the 6 % that we look for: then that is how the data are.
    """
    errors = -np.asarray(scores)
    values = np.log(errors) if errors.min() > 0 else errors
    middle, high = np.quantile(values[~known], [0.5, 0.8])
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
    longest = int(_MOST_ROWS * len(odd)) + 2 * reach
    for stretches in (is_long, is_short):
        more = _filled(odd | stretches, longest)
        n_new, n_all = (label(f)[1] for f in (_filled(stretches, longest), more))
        # Every stretch has odd scores for the windows around it, too.
        n_most = min(_MOST_ROWS * len(odd) + 2 * reach * n_all, _MOST_SCORES * len(odd))
        if n_new <= _MOST_STRETCHES and more.sum() <= n_most:
            odd = more
    return odd


def _filled(flags, longest) -> np.ndarray:
    """Flag what lies between stretches that are within `longest` together."""
    filled = flags.copy()
    start = -longest
    for (part,) in find_objects(label(flags)[0]):
        if part.stop - start <= longest:
            filled[start : part.stop] = True
        else:
            start = part.start
    return filled


def stretches_of(odd, rows) -> list[tuple[int, int]]:
    """List first and last rows of the stretches of a mask of ascending rows."""
    numbers, n_stretches = label(odd)
    found = [rows[numbers == number] for number in range(1, n_stretches + 1)]
    return [(int(one[0]), int(one[-1])) for one in found]
