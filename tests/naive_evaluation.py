"""Slow, obvious references for the evaluation: rows as tuples, loops over pairs."""

import math
from itertools import pairwise


def equal_rows(one, other, stretch=20):
    """Rows of other in stretches that one holds, too, and whether they are many."""
    if one == other and (len(one) == 1 or len(set(one)) > 1):
        return len(other), True
    found, is_many = set(), False
    for length in (1, stretch):
        ours, theirs = _stretches(one, length), _stretches(other, length)
        if not ours or not theirs:
            continue
        starts = [i for i, s in enumerate(theirs) if s in ours]
        n_repeats = sum(len(part) - len(set(part)) for part in (ours, theirs))
        n_more = len(starts) - 2 * n_repeats
        if n_more > 0:
            is_many = is_many or n_more > 0.01 * min(len(one), len(other))
            rows = {i + k for i in starts for k in range(length)}
            found = max(found, rows, key=len)
    return len(found), is_many


def _stretches(rows, length):
    return [tuple(rows[i : i + length]) for i in range(len(rows) - length + 1)]


def overlapping(starts, others, window_length):
    """How many of the other windows share a timestep with one that begins at starts."""
    steps = {t for start in starts for t in range(start, start + window_length)}
    windows = [set(range(start, start + window_length)) for start in others]
    return sum(bool(window & steps) for window in windows)


def seams(one, other, longest):
    """How often the next time of either part, if not too late, is the other's."""
    times = sorted([(t, 0) for t in one] + [(t, 1) for t in other])
    return sum(a[1] != b[1] and b[0] - a[0] <= longest for a, b in pairwise(times))


def mean_distance(row, rows, n_neighbors):
    """Mean distance of a row to its nearest rows."""
    return sum(sorted(math.dist(row, r) for r in rows)[:n_neighbors]) / n_neighbors
