"""Error models that look at the residuals alone."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from skad._fitting import after_fit, fit_method
from skad._products import multiply_rows
from skad._validation import Interval, StrOptions
from skad._warnings import warn
from skad.error_models._base import BaseErrorModel, Codes, Errors

# Divided by it, the square of the largest float32 residual is still finite.
_LEAST_SCALE = 1e-200


class MeanSquaredErrors(BaseErrorModel):
    """Mean of the squared residuals, in squared units of the input ("mse").

    Examples
    --------
    >>> import numpy as np
    >>> from skad import MeanSquaredErrors
    >>> residuals = np.array([[[3.0], [1.0]]])
    >>> MeanSquaredErrors().fit(residuals).window_errors(residuals)
    array([5.])
    """

    @after_fit
    def contributions(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Squared residuals over the number of channels; see `BaseErrorModel`."""
        return np.square(residuals) / residuals.shape[2]

    @after_fit
    def window_errors(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Mean over timesteps and channels, in one pass; see `BaseErrorModel`."""
        flat = residuals.reshape(len(residuals), -1)
        return np.vecdot(flat, flat) / flat.shape[1]


class RootMeanSquaredErrors(BaseErrorModel):
    """Root of the mean of the squared residuals, in units of the input ("rmse").

    A Euclidean distance over the root of the number of values. It ranks windows as
    `MeanSquaredErrors` does; the errors of rows that several windows cover are means of
    distances, not of their squares, so that one bad window among them counts less.

    Notes
    -----
    e = sqrt(mean_{t,c} r(t, c)^2); a place has the share r(t, c)^2 / mean r^2 of it.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import RootMeanSquaredErrors
    >>> residuals = np.array([[[7.0], [1.0]]])
    >>> RootMeanSquaredErrors().fit(residuals).window_errors(residuals)
    array([5.])
    """

    @after_fit
    def contributions(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Share out the root by squared residuals; see `BaseErrorModel`."""
        n_channels = residuals.shape[2]
        whole = self.window_errors(residuals)[:, None, None] * n_channels
        squares = np.square(residuals)
        return np.divide(squares, whole, out=np.zeros_like(squares), where=whole > 0)

    @after_fit
    def window_errors(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Root of the mean over timesteps and channels; see `BaseErrorModel`."""
        flat = residuals.reshape(len(residuals), -1)
        return np.sqrt(np.vecdot(flat, flat) / flat.shape[1])


class MeanAbsoluteErrors(BaseErrorModel):
    """Mean of the absolute residuals, in units of the input ("mae").

    Examples
    --------
    >>> import numpy as np
    >>> from skad import MeanAbsoluteErrors
    >>> residuals = np.array([[[3.0], [-1.0]]])
    >>> MeanAbsoluteErrors().fit(residuals).window_errors(residuals)
    array([2.])
    """

    @after_fit
    def contributions(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Absolute residuals over the number of channels; see `BaseErrorModel`."""
        return np.abs(residuals) / residuals.shape[2]


class StandardizedErrors(BaseErrorModel):
    """Squared residuals in units of their usual size at each place ("std").

    A place (timestep and channel) that is always hard to reconstruct, such as the
    steep flank of a heartbeat, no longer hides the others.

    Parameters
    ----------
    floor : float, default=0.01
        Share of the mean squared residual that is added to that of each place, > 0, so
        that errors do not explode where the reconstruction was always perfect.

    Attributes
    ----------
    scale_ : ndarray of shape (window_length, n_channels)
        Usual squared residual of each place, including the floor.

    Notes
    -----
    e(t, c) = r(t, c)^2 / s(t, c)^2 with
    s(t, c)^2 = mean_n r_n(t, c)^2 + floor * mean_{n,t,c} r^2, over the held-out windows
    or, if there are none, the training windows: too small if the net has overfitted.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import StandardizedErrors
    >>> usual = np.array([[[10.0], [0.1]], [[-10.0], [0.1]]])
    >>> model = StandardizedErrors().fit(usual)
    >>> model.timestep_errors(np.array([[[10.0], [5.0]]])).round(1)
    array([[ 1., 49.]])
    """

    _parameter_constraints: ClassVar = {
        "floor": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, floor: float = 0.01):
        self.floor = floor

    @fit_method
    def fit(
        self, residuals: NDArray, codes: Codes = None, train_codes: Codes = None
    ) -> Self:
        """Learn the usual squared residual of each place; see `BaseErrorModel`."""
        squares = np.mean(np.square(residuals), axis=0)
        scale = squares + self.floor * squares.mean()
        # A perfect reconstruction has no scale: then residuals count as they are.
        perfect = scale.max() < _LEAST_SCALE
        scale = np.maximum(scale, _LEAST_SCALE)
        self.scale_ = np.ones_like(scale) if perfect else scale
        return self

    @after_fit
    def contributions(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Scaled squares over the number of channels; see `BaseErrorModel`."""
        return np.square(residuals) / (self.scale_ * residuals.shape[2])

    @after_fit
    def window_errors(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Mean of the scaled squares, in one pass; see `BaseErrorModel`."""
        flat = residuals.reshape(len(residuals), -1)
        return np.vecdot(flat * (1 / self.scale_.ravel()), flat) / flat.shape[1]


@dataclass(eq=False, repr=False)
class MahalanobisErrors(BaseErrorModel):
    """Mahalanobis distance of the error vectors from those of normal windows.

    Large errors that often come together count less than the same errors where they
    never do ("mahalanobis").

    Parameters
    ----------
    vector : {"timestep", "window"}, default="timestep"
        What one error vector is: the channels of one timestep (EncDec-AD), or all
        values of a window, which suits aligned windows such as heartbeats.
    shrinkage : "ledoit-wolf" or float, default="ledoit-wolf"
        How far the covariance is shrunk towards a multiple of the identity: the optimum
        of Ledoit and Wolf, or a share in [0, 1]. 0 is the maximum likelihood estimate
        of the paper, which needs many more vectors than a vector has values.

    Attributes
    ----------
    location_ : ndarray of shape (n_values,)
        Mean error vector mu.
    precision_ : ndarray of shape (n_values, n_values)
        Inverse of the covariance Sigma. Where Sigma is singular (constant or identical
        channels, fewer vectors than values), its eigenvalues are raised to 1e-9 of the
        largest: what never varied has a large weight, but not an infinite one. The
        identity if nothing varied.

    Notes
    -----
    (e - mu)^T Sigma^-1 (e - mu) with e = abs(r), a squared distance without unit; mu
    and Sigma come from the held-out windows (v_N1 of the paper) or, if there are none,
    the training windows. With ``vector="window"`` it is divided by the window length,
    and the error of timestep t is its share sum_c d(t, c) (Sigma^-1 d)(t, c), where
    d = e - mu. The contribution of a channel is its term, which can be negative.

    References
    ----------
    P. Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection",
    2016, section 2.2, arXiv:1607.00148. The shrinkage is not in the paper.

    O. Ledoit and M. Wolf, "A Well-Conditioned Estimator for Large-Dimensional
    Covariance Matrices", Journal of Multivariate Analysis 88(2), 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import MahalanobisErrors
    >>> residuals = np.random.default_rng(0).normal(size=(50, 4, 2))
    >>> model = MahalanobisErrors().fit(residuals)
    >>> model.window_errors(residuals).shape
    (50,)
    """

    vector: Literal["timestep", "window"] = "timestep"
    _: KW_ONLY
    shrinkage: Literal["ledoit-wolf"] | float = "ledoit-wolf"

    _parameter_constraints: ClassVar = {
        "vector": [StrOptions({"timestep", "window"})],
        "shrinkage": [StrOptions({"ledoit-wolf"}), Interval(Real, 0, 1, closed="both")],
    }

    @fit_method
    def fit(
        self, residuals: NDArray, codes: Codes = None, train_codes: Codes = None
    ) -> Self:
        """Estimate mean and covariance of the error vectors; see `BaseErrorModel`."""
        # Here, as it takes the linear models of scikit-learn along.
        from sklearn.covariance import LedoitWolf, ShrunkCovariance

        _, window_length, n_channels = residuals.shape
        width = n_channels if self.vector == "timestep" else window_length * n_channels
        vectors = np.abs(residuals).reshape(-1, width)
        if len(vectors) == 1:
            warn(
                "A single held-out window has no covariance; its Mahalanobis distance "
                "will be the Euclidean one. Pass X_val, or raise validation_fraction."
            )
            self.location_, self.precision_ = vectors[0], np.eye(width)
            return self
        estimator = (
            LedoitWolf(store_precision=False)
            if self.shrinkage == "ledoit-wolf"
            else ShrunkCovariance(store_precision=False, shrinkage=self.shrinkage)
        ).fit(vectors)
        self.location_ = estimator.location_
        self.precision_ = _inverse(estimator.covariance_)
        return self

    @after_fit
    def contributions(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Terms d (Sigma^-1 d) of the squared distance; see `BaseErrorModel`."""
        deviation = np.abs(residuals).reshape(-1, len(self.location_)) - self.location_
        shares = multiply_rows(deviation, self.precision_) * deviation
        return shares.reshape(residuals.shape)


def _inverse(covariance):
    """Invert a covariance, after raising eigenvalues that are nearly zero."""
    variances, directions = eigh(covariance)
    if variances[-1] <= 0:
        return np.eye(len(covariance))
    return (directions / np.maximum(variances, 1e-9 * variances[-1])) @ directions.T
