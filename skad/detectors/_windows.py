"""Rows of an array of windows, without copying them."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.decomposition import PCA

from skad._sampling import evenly_spaced

# Values (32 MB as float64) in a sample of windows, for what is learnt at once.
_MAX_VALUES = 2**22


@dataclass(frozen=True)
class Windows:
    """``X[rows]``, gathered only piece by piece.

    `X` may be a strided view of a series: as one array its windows take window_length
    times the memory of the series.
    """

    X: np.ndarray
    rows: np.ndarray

    def __len__(self):
        return len(self.rows)

    def gather(self, at) -> np.ndarray:
        """Windows at the given positions, a copy."""
        return self.X[self.rows[at]]

    def sample(self) -> "Windows":
        """Evenly spaced windows, as many as can be held at once."""
        n_most = max(2, _MAX_VALUES // self.X.shape[1])
        if len(self) <= n_most:
            return self
        return Windows(self.X, self.rows[evenly_spaced(len(self), n_most)])


def all_windows(X) -> Windows:
    """Every row of `X`."""
    return Windows(X, np.arange(len(X)))


def principal_components(windows, latent_dim) -> PCA:
    """PCA of (a sample of) windows, exact.

    `latent_dim` is a number of components, cut to the possible ones, or a share of
    variance to explain.
    """
    sample = windows.sample().gather(slice(None)).astype(np.float64)
    n_windows, n_values = sample.shape
    n_components: int | float
    if np.ptp(sample, axis=0).max() == 0:  # constant windows have no variance
        n_components = 1
    elif isinstance(latent_dim, Real) and not isinstance(latent_dim, Integral):
        n_components = float(latent_dim)
    else:
        n_components = min(latent_dim, n_windows, n_values)
    solver = "covariance_eigh" if n_windows >= n_values else "full"
    with np.errstate(invalid="ignore"):  # 0 of 0 explained by constant windows
        return PCA(n_components, svd_solver=solver).fit(sample)
