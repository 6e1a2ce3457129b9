"""The closed-form autoencoder: principal components, no training, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

import numpy as np

from skad._products import FewRows, multiply_rows
from skad._validation import Interval
from skad.detectors._base import BLOCK, BaseAutoencoder
from skad.detectors._checks import warn_if_not_narrower
from skad.detectors._components import principal_components
from skad.detectors._encoding import Encoder


@dataclass(eq=False, repr=False)
class LinearAutoencoder(Encoder, BaseAutoencoder):
    """Linear autoencoder in closed form: the reference that every net must beat.

    The best linear autoencoder under squared error spans the principal components, so
    that no training is needed. Its error is the residual of PCA. Given more than 2**22
    values, it learns from evenly spaced windows; but from all, if they overlap in
    memory, as those of `WindowedDetector` do, and hold up to 2048 values each. It holds
    out no windows but `X_val`.

    Parameters
    ----------
    latent_dim : int or float, default=0.9
        Number of components, or, for a float in (0, 1), the share of variance that
        they explain; where that takes all of them, it is one fewer.

    Attributes
    ----------
    latent_dim_ : int
        Number of components.
    components_ : ndarray of shape (latent_dim_, window_length_ * n_channels_)
        Principal components, by decreasing variance.
    mean_ : ndarray of shape (window_length_ * n_channels_,)
        Mean window.
    explained_variance_ : ndarray of shape (latent_dim_,)
        Variance of the training windows along each component.

    See Also
    --------
    MLPAutoencoder : Starts as this one and learns what is not linear.

    Notes
    -----
    x' = mu + V^T V (x - mu), V the components. A detector that loses to this one is not
    worth its training.

    References
    ----------
    P. Baldi and K. Hornik, "Neural networks and principal component analysis: Learning
    from examples without local minima", Neural Networks 2(1), 1989,
    doi:10.1016/0893-6080(89)90014-2.

    Examples
    --------
    >>> from skad import LinearAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = LinearAutoencoder(normal_label=0).fit(X, y)
    >>> detector.predict(X[:5]).shape
    (5,)
    """

    latent_dim: int | float = 0.9

    _parameter_constraints: ClassVar[dict] = {
        **BaseAutoencoder._parameter_constraints,
        "latent_dim": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
    }

    # Of a copy for a few windows, see `_for_few`.
    _products = None  # type: list[FewRows] | None

    def _learn(self, windows, held_out):
        self._learn_plane(windows, held_out, self.latent_dim)
        warn_if_not_narrower(self.latent_dim_, self.n_features_in_)
        return held_out

    def _learn_fold(self, windows):
        self._learn_plane(windows, None, self.latent_dim_)

    def _learn_plane(self, windows, held_out, latent_dim):
        error_model = self._new_error_model()
        pca = principal_components(windows, latent_dim)
        self.latent_dim_ = int(pca.n_components_)
        self.mean_ = pca.mean_
        self.components_ = pca.components_.copy(order="K")  # as a file returns it
        self.explained_variance_ = pca.explained_variance_
        self._fit_error_model(error_model, windows, held_out)

    def _reconstruct_block(self, block):
        flat = block.reshape(len(block), -1)
        deviation = np.subtract(flat, self.mean_, dtype=np.float64)
        if self._products is not None:
            encode, decode = self._products
            codes = encode(deviation)
            reconstruction = self.mean_ + decode(codes)
        else:
            codes = multiply_rows(deviation, self.components_.T)
            reconstruction = self.mean_ + multiply_rows(codes, self.components_)
        return reconstruction.reshape(block.shape), codes

    def _in_blocks_of(self, n_windows):
        few = super()._in_blocks_of(n_windows)
        matrices = self.components_.T, self.components_
        few._products = [FewRows(matrix, BLOCK) for matrix in matrices]
        return few
