"""The error of a detector that tells features of windows, not windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skad._fitting import after_fit
from skad.error_models._base import BaseErrorModel, Codes, Errors


class FeatureErrors(BaseErrorModel):
    """Root of the mean of squared codes that are residuals of features ("features").

    Features belong to no timestep: the error is shared out by the squares of the
    residuals of the window, evenly if there are none.
    """

    @after_fit
    def contributions(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Share out the error of the window; see `BaseErrorModel`."""
        shares = np.square(residuals)
        total = shares.sum(axis=(1, 2), keepdims=True)
        _, window_length, n_channels = residuals.shape
        even = np.full_like(shares, 1 / (window_length * n_channels))
        shares = np.divide(shares, total, out=even, where=total > 0)
        whole = self.window_errors(residuals, codes)
        return shares * (window_length * whole[:, None, None])

    @after_fit
    def window_errors(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Root of the mean over features; see `BaseErrorModel`."""
        assert codes is not None
        return np.sqrt(np.vecdot(codes, codes) / codes.shape[1])
