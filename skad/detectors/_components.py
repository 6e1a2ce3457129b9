"""Principal components of windows, exact: what a linear autoencoder is made of."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd

from skad._sampling import evenly_spaced
from skad._window_sums import WindowSums, runs_of, step_between
from skad.features._components import leading, turned_up

# Windows in a run that is worth to be summed up as one.
_LEAST_RUN = 16
# Of the largest power. Axes of smaller ones, from products of rows, are imprecise.
_LEAST_POWER = 1e-5


@dataclass(frozen=True)
class Components:
    """Principal components; names are those of scikit-learn's PCA."""

    mean_: NDArray[np.float64]
    components_: NDArray[np.float64]
    explained_variance_: NDArray[np.float64]
    explained_variance_ratio_: NDArray[np.float64]

    @property
    def n_components_(self) -> int:
        """Number of components."""
        return len(self.components_)


def principal_components(windows, latent_dim) -> Components:
    """PCA of windows: of all that overlap in memory, else of a sample.

    `latent_dim` is a number of components, cut to the possible ones, or a share of
    variance to explain.
    """
    sample = windows.sample()
    n_values = windows.X.shape[1]
    if len(sample) < n_values:
        mean, rows = _centred(sample)
        return _of_few(mean, rows, latent_dim)
    found = _of_all(windows)
    if found is None:
        mean, rows = _centred(sample)
        found = mean, rows.T @ rows / max(1, len(rows) - 1)
    mean, covariance = found
    total = float(np.trace(covariance))
    # only the lower triangle is read
    variances, axes = _leading(covariance.T, latent_dim, total, n_values)
    return _in_order(mean, axes.T, np.maximum(variances, 0.0), total)


def _of_all(windows):
    """Mean and covariance of windows that overlap; None for others."""
    X, rows = windows.X, windows.rows
    step = step_between(X)
    if not step:
        return None
    firsts, lasts = runs_of(rows)
    if len(rows) < _LEAST_RUN * len(firsts):
        return None
    # Of an odd number, so that nothing is left of windows that are all alike.
    some = rows[evenly_spaced(len(rows), min(len(rows) - 1 | 1, 999))]
    sums = WindowSums(X.shape[1], np.median(X[some, :step], axis=0))
    sums.add(X, firsts, lasts)
    return sums.covariance()


def _centred(sample):
    """Mean of windows and deviations from it, exactly 0 if they are all alike."""
    rows = sample.gather(slice(None)).astype(np.float64)
    mean = rows[0].copy() if (rows == rows[0]).all() else rows.mean(axis=0)
    rows -= mean
    return mean, rows


def _of_few(mean, rows, latent_dim) -> Components:
    """Components of fewer rows than these have values, from products of rows."""
    products = rows @ rows.T
    total = float(np.trace(products))
    powers, vectors = _leading(products, latent_dim, total, len(rows))
    if powers[-1] > _LEAST_POWER * powers[0]:
        axes = vectors.T @ rows / np.sqrt(powers)[:, None]
    else:
        _, lengths, axes = svd(rows, full_matrices=False)
        powers, axes = lengths[: len(powers)] ** 2, axes[: len(powers)]
    n_free = max(1, len(rows) - 1)  # a window alone has variance zero
    return _in_order(mean, axes, powers / n_free, total / n_free)


def _leading(products, latent_dim, total, n_most):
    """Largest powers and their vectors: a number of them, or a share of the total."""
    if total == 0:  # windows that are all alike
        return leading(products, 1)
    if isinstance(latent_dim, Integral):
        return leading(products, min(int(latent_dim), n_most))
    # Few are found in half the time of all, and are mostly enough.
    for n_tried in (max(1, n_most // 16), n_most):
        powers, vectors = leading(products, n_tried)
        reached = np.cumsum(np.maximum(powers, 0.0)) / total
        n_needed = 1 + int(np.searchsorted(reached, latent_dim, side="right"))
        if n_needed <= n_tried:
            break
    # All of them would rebuild whatever there is.
    n_needed = min(n_needed, max(1, n_most - 1))
    return powers[:n_needed], vectors[:, :n_needed]


def _in_order(mean, axes, variances, total) -> Components:
    ratios = variances / total if total else np.full(len(variances), np.nan)
    return Components(mean, turned_up(axes), variances, ratios)
