"""Slow, obvious versions: nearest rows, and windows rebuilt from them."""

import numpy as np


def distinct(rows):
    """Rows without those that stand there before."""
    kept = []
    for row in rows:
        if not any((row == other).all() for other in kept):
            kept.append(row)
    return np.array(kept, dtype=float)


def nearest(row, rows, n):
    """Positions of the nearest rows, of distance above zero, and squared distances."""
    found = [(float(np.vecdot(r - row, r - row)), i) for i, r in enumerate(rows)]
    if len(rows) > 1:
        found = [(square, i) for square, i in found if square > 0]
    found = sorted(found)[:n]
    return [i for _, i in found], [square for square, _ in found]


def rebuild(window, rows, n_neighbors, reg):
    """Rebuild a window from its nearest rows, with weights as in scikit-learn's LLE."""
    found, _ = nearest(window, rows, min(n_neighbors, max(1, len(rows) - 1)))
    apart = rows[found] - window
    gram = apart @ apart.T
    trace = np.trace(gram)
    gram += (reg * trace if trace > 0 else reg) * np.eye(len(found))
    weights = np.linalg.solve(gram, np.ones(len(found)))
    return window + weights / weights.sum() @ apart


def without_rare(rows, share):
    """Rows but those farthest from the nearest twentieth of the others."""
    distances = []
    for row in rows:
        others = sorted(np.sqrt(((rows - row) ** 2).sum(axis=1)))[1:]
        distances.append(others[max(1, round(0.05 * len(others))) - 1])
    n_rare = int(share * len(rows) + 1e-9)
    order = sorted(range(len(rows)), key=lambda i: distances[i])
    return rows[sorted(order[: len(rows) - n_rare])]


def nearest_and_own(row, rows, n):
    """Positions of the nearest rows, at any distance, and squared distances."""
    with np.errstate(over="ignore"):
        squares = [float(np.vecdot(r - row, r - row)) for r in rows]
    found = sorted(zip(squares, range(len(rows)), strict=True))[:n]
    return [i for _, i in found], [square for square, _ in found]
