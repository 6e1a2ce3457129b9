"""What transformers of windows share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches

from skad._base import VersionedMixin
from skad._docs import add_parameters
from skad._fitting import fit_method
from skad._validation import check_windows

WINDOWS = """
    X : array-like of shape (n_windows, window_length * n_channels) or \
            (n_windows, window_length, n_channels)
        Windows. A 2-D row is time major: all channels of the first timestep, then of
        the second. A 3-D array brings its own `n_channels`.
    y : None
        Ignored.
"""
# Values (8 MB as float64) that are worked on at once.
VALUES_AT_ONCE = 2**20


class WindowTransformer(VersionedMixin, TransformerMixin, BaseEstimator):
    """Base of transformers of windows, which learn at least the shape of a window."""

    n_channels: int
    window_length_: int
    n_channels_: int

    @fit_method
    @add_parameters(WINDOWS)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn the shape of a window.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If values are missing, infinite or not numbers, or shapes do not fit.
        """
        check_windows(self, X, reset=True, min_windows=1)
        return self

    def _moments(self, rows) -> Iterator[tuple[slice, NDArray, NDArray, NDArray]]:
        """Yield slices of rows, with the deviations from the means of their windows.

        Then these means, and spreads: (n, window_length or 1, n_channels).
        """
        for at in gen_batches(len(rows), max(1, VALUES_AT_ONCE // rows.shape[1])):
            # Cast first: numpy's sums over mixed types depend on where a buffer ends.
            windows = rows[at].astype(np.float64)
            windows = windows.reshape(-1, self.window_length_, self.n_channels_)
            means = windows.mean(axis=1, keepdims=True)
            deviations = windows - means
            spreads = np.sqrt(np.square(deviations).mean(axis=1, keepdims=True))
            yield at, deviations, means, spreads

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
