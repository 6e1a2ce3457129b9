"""Rows of an array of windows, without copying them."""

from dataclasses import dataclass

import numpy as np

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
