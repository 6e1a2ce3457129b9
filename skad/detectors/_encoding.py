"""Autoencoders whose latent code can be had."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skad._docs import add_parameters
from skad._fitting import after_fit
from skad.detectors._base import WINDOWS


class Encoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Mixin of autoencoders: windows in, latent codes out."""

    latent_dim_: Any  # an int, or None if a module of the user's has no code
    _fitted_windows: Any
    _collect_codes: Any

    @after_fit
    @add_parameters(WINDOWS)
    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Encode windows.

        Returns
        -------
        codes : ndarray of shape (n_windows, latent_dim), dtype float64
            Latent codes, before their activation.
        """
        return self._collect_codes(self._fitted_windows(X))

    @property
    def _n_features_out(self):
        return self.latent_dim_
