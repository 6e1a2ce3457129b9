"""Slow, obvious references for the robust comparison of windows: loops, one by one."""

import numpy as np


def scaled(reference, window):
    return (window - reference.mean) / reference.units


def decoded(reference, code):
    """Window of a code, in usual deviations."""
    return sum(z * part for z, part in zip(code, reference.components, strict=True))


def distances(reference, window):
    """Squared distance of each channel from the robust nearest learnt window."""
    window = scaled(reference, window)
    best, nearest = np.inf, None
    for code in reference.codes:
        apart = ((window - decoded(reference, code)) ** 2).sum(axis=0)
        relative = apart / reference.usual_distances
        total = sum(np.minimum(relative, reference.largest_distances))
        if total < best:
            best, nearest = total, apart
    return nearest


def trust(multiples):
    return 1 / (1 + multiples) ** 2 if len(multiples) > 1 else np.ones(1)


def projection(reference, window):
    """Code of a window, and the squared residual of each channel.

    Each round solves a weighted least squares problem, with one line for each value and
    one for each component, which draws the code towards 0.
    """
    flat = reference.components.reshape(len(reference.components), -1).T
    target = scaled(reference, window)
    weights = trust(distances(reference, window) / reference.usual_distances)
    for _ in range(8):
        of_values = np.sqrt(np.broadcast_to(weights, target.shape)).ravel()
        lines = np.vstack(
            [of_values[:, None] * flat, np.diag(reference.shrinkage**0.5)]
        )
        right = np.concatenate([of_values * target.ravel(), np.zeros(flat.shape[1])])
        code = np.linalg.lstsq(lines, right)[0]
        residuals = ((target - decoded(reference, code)) ** 2).sum(axis=0)
        weights = trust(residuals / reference.usual_residuals)
    return code, residuals


def expected(reference, window):
    code, _ = projection(reference, window)
    return decoded(reference, code) * reference.units + reference.mean


def shares(reference, window):
    """Blame of each channel."""
    excess = projection(reference, window)[1] / reference.usual_residuals - 1
    apart = distances(reference, window) / reference.usual_distances - 1
    blame = [
        ((max(h, 0) + 0.01) * (max(d, 0) + 0.01)) ** 0.5
        for h, d in zip(excess, apart, strict=True)
    ]
    return np.array(blame) / sum(blame)
