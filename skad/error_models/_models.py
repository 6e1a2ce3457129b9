"""Error models: from residuals to one error a timestep and one a window.

An error model is any object with the three methods of `BaseErrorModel`. The error of
a window is the mean of the errors of its timesteps, for every model here.
"""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from scipy.linalg import eigh
from sklearn.base import BaseEstimator
from sklearn.covariance import LedoitWolf, ShrunkCovariance
from sklearn.utils import gen_batches

from skad._validation import Interval, StrOptions, fit_context, warn

# Over it the square of the largest residual of float32 values is finite.
_LEAST_SCALE = 1e-200


class BaseErrorModel(BaseEstimator):
    """What a detector asks of an error model.

    A model of your own inherits this and writes `contributions`, and `fit` if it learns
    something. One that cannot be shared out to channels writes `timestep_errors`.
    """

    # Whether fit wants the codes of the training windows as well.
    uses_codes = False

    def fit(self, residuals, codes=None, train_codes=None):
        """Learn from the residuals of normal windows.

        Parameters
        ----------
        residuals : ndarray of shape (n_windows, window_length, n_channels)
            ``X - reconstruct(X)`` of the windows that were held out, or of those that
            were trained on if none were.
        codes : ndarray of shape (n_windows, latent_dim) or None
            Their latent codes.
        train_codes : ndarray of shape (n_train, latent_dim) or None
            Codes of the windows that were trained on, for models with ``uses_codes``;
            None if `codes` are these.

        Returns
        -------
        self : object
            The fitted model.
        """
        return self

    def contributions(self, residuals, codes=None):
        """Share of every channel in the error of every timestep.

        Parameters
        ----------
        residuals : ndarray of shape (n_windows, window_length, n_channels)
            ``X - reconstruct(X)``.
        codes : ndarray of shape (n_windows, latent_dim) or None
            Latent codes of the windows.

        Returns
        -------
        shares : ndarray of shape (n_windows, window_length, n_channels)
            They add up, over channels, to `timestep_errors`.
        """
        raise NotImplementedError(f"{type(self).__name__} lacks contributions.")

    def timestep_errors(self, residuals, codes=None):
        """Error of every timestep.

        Parameters
        ----------
        residuals : ndarray of shape (n_windows, window_length, n_channels)
            ``X - reconstruct(X)``.
        codes : ndarray of shape (n_windows, latent_dim) or None
            Latent codes of the windows.

        Returns
        -------
        errors : ndarray of shape (n_windows, window_length)
            Higher = more anomalous.
        """
        return self.contributions(residuals, codes).sum(axis=2)

    def window_errors(self, residuals, codes=None):
        """Error of every window, the mean over its timesteps; see `timestep_errors`."""
        return self.timestep_errors(residuals, codes).mean(axis=1)


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

    def contributions(self, residuals, codes=None):
        """Squared residuals over the number of channels; see `BaseErrorModel`."""
        return np.square(residuals) / residuals.shape[2]

    def window_errors(self, residuals, codes=None):
        """Mean over timesteps and channels, in one pass; see `BaseErrorModel`."""
        flat = residuals.reshape(len(residuals), -1)
        return np.vecdot(flat, flat) / flat.shape[1]


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

    def contributions(self, residuals, codes=None):
        """Absolute residuals over the number of channels; see `BaseErrorModel`."""
        return np.abs(residuals) / residuals.shape[2]


class StandardizedErrors(BaseErrorModel):
    """Squared residuals in units of their usual size at each place ("std").

    A place (timestep and channel) that is always hard to reconstruct, such as the
    steep flank of a heartbeat, no longer drowns the others.

    Parameters
    ----------
    floor : float, default=0.01
        Share of the mean squared residual over all places that is added to that of
        each place, > 0, so that a place that was always perfect does not explode.

    Attributes
    ----------
    scale_ : ndarray of shape (window_length, n_channels)
        Usual squared residual of each place, floored.

    Notes
    -----
    e(t, c) = r(t, c)^2 / s(t, c)^2 with
    s(t, c)^2 = mean_n r_n(t, c)^2 + floor * mean_{n,t,c} r^2. The means are taken over
    the held-out windows; where a detector holds none out, over the windows it was
    trained on, which is too small a scale if the net has overfitted them.

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

    def __init__(self, floor=0.01):
        self.floor = floor

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, residuals, codes=None, train_codes=None):
        """Learn the usual squared residual of each place; see `BaseErrorModel`."""
        squares = np.mean(np.square(residuals), axis=0)
        scale = squares + self.floor * squares.mean()
        # A perfect reconstruction has no usual size: then residuals count as they are.
        perfect = scale.max() < _LEAST_SCALE
        scale = np.maximum(scale, _LEAST_SCALE)
        self.scale_ = np.ones_like(scale) if perfect else scale
        return self

    def contributions(self, residuals, codes=None):
        """Scaled squares over the number of channels; see `BaseErrorModel`."""
        return np.square(residuals) / (self.scale_ * residuals.shape[2])


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
        How far the covariance is shrunk towards a multiple of the identity: the
        optimum of Ledoit and Wolf, or a share in [0, 1]. 0 is the maximum likelihood
        of the paper, which needs many more vectors than they have values.

    Attributes
    ----------
    location_ : ndarray of shape (n_values,)
        Mean error vector mu.
    precision_ : ndarray of shape (n_values, n_values)
        Inverse of the covariance Sigma. Where Sigma is singular (constant or identical
        channels, fewer vectors than values), its eigenvalues are raised to 1e-9 of the
        largest: what never varied weighs heavily, but not infinitely. The identity
        where nothing varied.

    Notes
    -----
    (e - mu)^T Sigma^-1 (e - mu) with e = abs(r), mu and Sigma estimated on the held-out
    windows (the part v_N1 of the paper); where a detector holds none out, on those it
    was trained on. It is a squared distance, without unit. With ``vector="window"`` it
    is divided by the window length, and the error of timestep t is its share
    sum_c d(t, c) (Sigma^-1 d)(t, c) of the sum, d = e - mu. The contribution of one
    channel is its term of the sum, which can be negative.

    References
    ----------
    P. Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection",
    2016, section 2.2, arXiv:1607.00148. We depart in the shrinkage.

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

    _parameter_constraints: ClassVar = {
        "vector": [StrOptions({"timestep", "window"})],
        "shrinkage": [
            StrOptions({"ledoit-wolf"}),
            Interval(Real, 0, 1, closed="both"),
        ],
    }

    def __init__(self, vector="timestep", *, shrinkage="ledoit-wolf"):
        self.vector = vector
        self.shrinkage = shrinkage

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, residuals, codes=None, train_codes=None):
        """Estimate mean and covariance of the error vectors; see `BaseErrorModel`."""
        _, window_length, n_channels = residuals.shape
        width = n_channels if self.vector == "timestep" else window_length * n_channels
        vectors = np.abs(residuals).reshape(-1, width)
        if len(vectors) == 1:
            warn(
                "One held-out window has no covariance, so its Mahalanobis distance is "
                "the Euclidean one; pass X_val, or raise validation_fraction."
            )
            self.location_, self.precision_ = vectors[0], np.eye(width)
            return self
        estimator = (
            LedoitWolf(store_precision=False)
            if self.shrinkage == "ledoit-wolf"
            else ShrunkCovariance(store_precision=False, shrinkage=self.shrinkage)
        )
        estimator.fit(vectors)
        self.location_ = estimator.location_
        self.precision_ = _inverse(estimator.covariance_)
        return self

    def contributions(self, residuals, codes=None):
        """Terms d (Sigma^-1 d) of the squared distance; see `BaseErrorModel`."""
        deviation = np.abs(residuals).reshape(-1, len(self.location_)) - self.location_
        shares = (deviation @ self.precision_) * deviation
        return shares.reshape(residuals.shape)


class HybridErrors(BaseErrorModel):
    """Error of the residuals plus distance to the nearest training codes ("hybrid").

    The reconstruction error sees what leaves the manifold of normal windows, the
    distance of codes sees what lies on it but far from any normal window. Near the
    manifold the distance decides, far from it the (squared) error does.

    Parameters
    ----------
    n_neighbors : int, default=1
        Number of nearest training codes whose mean distance counts.
    standardize : bool, default=True
        Whether the first part is the error of `StandardizedErrors`, or that of
        `MeanSquaredErrors`.
    floor : float, default=0.01
        See `StandardizedErrors`.
    max_codes : int, default=5000
        Most training codes that are kept, evenly spaced over the training windows;
        time and memory of scoring grow with it.

    Attributes
    ----------
    residual_errors_ : StandardizedErrors or MeanSquaredErrors
        The first part.
    codes_ : ndarray of shape (n_codes, latent_dim)
        The training codes, scaled to zero mean and unit variance.
    bank_ : ndarray of shape (latent_dim + 1, n_codes)
        Minus twice the training codes; in the last row their squared lengths.
    code_means_, code_units_ : ndarray of shape (latent_dim,)
        Their means and standard deviations before.
    own_distance_ : float
        A code that is no farther is taken for the row's own.
    error_unit_, distance_unit_ : float
        Standard deviations of the two parts over normal windows, by which they are
        divided before they are added up.

    Notes
    -----
    e / std(e) + k / std(k), e the error of the residuals, k the mean Euclidean distance
    to the nearest training codes, codes scaled to unit variance. The units are taken
    over the held-out windows; where a detector holds none out, over those it was
    trained on. A training code at no distance is taken for the row's own, and left out
    once: else a row that was learnt would look nearer than a new one, and a threshold
    at a share of the learnt rows would flag too many new ones.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import HybridErrors
    >>> rng = np.random.default_rng(0)
    >>> residuals, codes = rng.normal(size=(50, 4, 2)), rng.normal(size=(50, 3))
    >>> model = HybridErrors().fit(residuals, codes)
    >>> model.window_errors(residuals, codes).shape
    (50,)
    """

    _parameter_constraints: ClassVar = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "standardize": ["boolean"],
        "floor": [Interval(Real, 0, None, closed="neither")],
        "max_codes": [Interval(Integral, 2, None, closed="left")],
    }
    uses_codes = True

    def __init__(self, n_neighbors=1, *, standardize=True, floor=0.01, max_codes=5000):
        self.n_neighbors = n_neighbors
        self.standardize = standardize
        self.floor = floor
        self.max_codes = max_codes

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, residuals, codes=None, train_codes=None):
        """Keep the training codes and take both units; see `BaseErrorModel`."""
        if codes is None:
            raise ValueError(
                "HybridErrors needs latent codes; the module must return "
                "(reconstruction, latent)."
            )
        self.residual_errors_ = (
            StandardizedErrors(self.floor) if self.standardize else MeanSquaredErrors()
        ).fit(residuals)
        bank = codes if train_codes is None else train_codes
        if len(bank) < 2:
            raise ValueError(
                f"HybridErrors got {len(bank)} training code; at least 2 are needed."
            )
        bank = bank[_evenly_spaced(len(bank), self.max_codes)]
        # Centred, so that little is lost where squares are subtracted.
        self.code_means_ = bank.mean(axis=0)
        self.code_units_ = np.array([_unit(values) for values in bank.T])
        scaled = (bank - self.code_means_) / self.code_units_
        # (codes, 1) times this, one product, is what tells distances apart.
        self.bank_ = np.vstack([-2 * scaled.T, np.vecdot(scaled, scaled)])
        # A net computes codes in float32, and not alike on every device.
        rounding = 2.0**-18 * np.abs(bank).max(axis=0) / self.code_units_
        self.own_distance_ = max(1e-6, float(np.linalg.norm(rounding)))
        errors = self.residual_errors_.window_errors(residuals)
        batches = gen_batches(len(codes), 64)
        distances = np.concatenate([self._distances(codes[at]) for at in batches])
        self.error_unit_ = _unit(errors)
        self.distance_unit_ = _unit(distances, least=1e-6)  # codes have variance 1
        return self

    @property
    def codes_(self):
        """Training codes, scaled to zero mean and unit variance."""
        return self.bank_[:-1].T / -2

    def contributions(self, residuals, codes=None):
        """Share out residuals, and the distance like them; see `BaseErrorModel`.

        A distance of codes belongs to no place. Every timestep bears the same part of
        it, and of that every channel as much as of the residual error of the window.
        """
        distances = self._distance_errors(codes)
        shares = self.residual_errors_.contributions(residuals) / self.error_unit_
        of_channels = shares.sum(axis=1)
        totals = of_channels.sum(axis=1, keepdims=True)
        weights = np.full_like(of_channels, 1 / residuals.shape[2])
        np.divide(of_channels, totals, out=weights, where=totals > 0)
        return shares + (distances[:, None] * weights)[:, None, :]

    def timestep_errors(self, residuals, codes=None):
        """Error of every timestep, the distance in each; see `BaseErrorModel`."""
        distances = self._distance_errors(codes)
        errors = self.residual_errors_.timestep_errors(residuals) / self.error_unit_
        return errors + distances[:, None]

    def window_errors(self, residuals, codes=None):
        """Error of every window, the mean over its timesteps; see `BaseErrorModel`."""
        distances = self._distance_errors(codes)
        errors = self.residual_errors_.window_errors(residuals) / self.error_unit_
        return errors + distances

    def _distance_errors(self, codes):
        """Distances in their unit."""
        if codes is None:
            raise ValueError("HybridErrors needs the latent codes of the windows.")
        return self._distances(codes) / self.distance_unit_

    def _distances(self, codes):
        """Mean distance to the nearest training codes, its own left out.

        By one matrix product, a third of the time of NearestNeighbors. Detectors always
        give 64 rows, so that a row is not rounded by the rows beside it. In float32,
        which is faster, it would be: OpenBLAS rounds it by its place in the block.
        """
        codes = (codes - self.code_means_) / self.code_units_
        lengths = np.vecdot(codes, codes)
        squares = np.column_stack([codes, np.ones(len(codes))]) @ self.bank_
        least = squares.min(axis=1) + lengths
        is_own = least <= self.own_distance_**2 * (1 + lengths)
        if is_own.any():
            squares[is_own, squares[is_own].argmin(axis=1)] = np.inf
        n = min(self.n_neighbors, squares.shape[1] - 1)
        nearest = (
            squares.min(axis=1, keepdims=True)
            if n == 1
            else np.partition(squares, n - 1, axis=1)[:, :n]
        )
        return np.sqrt(np.maximum(nearest + lengths[:, None], 0.0)).mean(axis=1)


def _evenly_spaced(n, n_most):
    """At most `n_most` positions out of n, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, n_most)).round().astype(int))


def _unit(values, least=0.0):
    """Take the standard deviation, or 1 where there is no spread but rounding."""
    spread = values.std()
    return float(spread) if spread > max(least, 1e-7 * np.abs(values).max()) else 1.0


def _inverse(covariance):
    """Invert a covariance, whose eigenvalues are kept from vanishing."""
    variances, directions = eigh(covariance)
    if variances[-1] <= 0:
        return np.eye(len(covariance))
    return (directions / np.maximum(variances, 1e-9 * variances[-1])) @ directions.T


ERROR_MODELS = {
    "mse": MeanSquaredErrors,
    "mae": MeanAbsoluteErrors,
    "std": StandardizedErrors,
    "mahalanobis": MahalanobisErrors,
    "hybrid": HybridErrors,
}
