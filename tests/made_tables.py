"""Tables in which nothing is wrong, and faults to put into them."""

import numpy as np


def noise(n, n_channels=3, seed=0, phi=0.8):
    """Stationary noise with a memory."""
    rng = np.random.default_rng(seed)
    X, shocks = np.zeros((n + 100, n_channels)), rng.normal(size=(n + 100, n_channels))
    for i in range(1, len(X)):
        X[i] = phi * X[i - 1] + shocks[i]
    return X[100:]


def waves(n, seed=0):
    """Four sensors with one cycle of 50 rows, and noise."""
    rng = np.random.default_rng(seed)
    phases = 2 * np.pi * (np.arange(n)[:, None] / 50 + rng.random(4))
    return np.sin(phases) + 0.3 * rng.normal(size=(n, 4))


def with_fault(X, first, stop, size=4.0):
    """Raise the first two sensors for some rows."""
    X = X.copy()
    X[first:stop, :2] += size
    return X
