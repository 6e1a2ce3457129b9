"""An error model that looks at the residuals and at the latent codes."""

from __future__ import annotations

import copy
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from skad._fitting import after_fit, detached, fit_method
from skad._products import FewRows, multiply_rows
from skad._sampling import evenly_spaced
from skad._validation import Interval
from skad.error_models._base import BaseErrorModel, Codes, Errors
from skad.error_models._residuals import MeanSquaredErrors, StandardizedErrors


@dataclass(eq=False, repr=False)
class HybridErrors(BaseErrorModel):
    """Error of the residuals plus distance to the nearest training codes ("hybrid").

    The reconstruction error shows what leaves the manifold of normal windows, and the
    distance between codes shows what lies on it but far from any normal window. Near
    the manifold the distance dominates, far from it the (squared) error.

    Parameters
    ----------
    n_neighbors : int, default=1
        Number of nearest training codes whose mean distance counts.
    standardize : bool, default=True
        Whether the first part is that of `StandardizedErrors`, or `MeanSquaredErrors`.
    floor : float, default=0.01
        See `StandardizedErrors`.
    max_codes : int, default=5000
        Largest number of training codes to keep, evenly spaced; time and memory of
        scoring grow with it.

    Attributes
    ----------
    residual_errors_ : StandardizedErrors or MeanSquaredErrors
        The first part.
    codes_ : ndarray of shape (n_codes, latent_dim)
        The training codes, scaled to zero mean and unit variance.
    bank_ : ndarray of shape (latent_dim + 1, n_codes)
        Minus twice the training codes, with their squared lengths in the last row.
    code_means_, code_units_ : ndarray of shape (latent_dim,)
        Means and standard deviations of the training codes before scaling.
    own_distance_ : float
        A training code within this distance is taken to be the row's own.
    error_unit_, distance_unit_ : float
        Standard deviations of the two parts over normal windows; each part is divided
        by its own before they are added up.

    Notes
    -----
    e / std(e) + k / std(k), with the error e of the residuals and the mean Euclidean
    distance k to the nearest training codes, scaled to unit variance; both units come
    from the held-out windows or, if there are none, the training windows. A training
    code at distance zero is the window's own, and left out once: otherwise training
    windows would look nearer than new ones, and a threshold at a share of them would
    flag too many new ones.

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

    n_neighbors: int = 1
    _: KW_ONLY
    standardize: bool = True
    floor: float = 0.01
    max_codes: int = 5000

    _parameter_constraints: ClassVar = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "standardize": ["boolean"],
        "floor": [Interval(Real, 0, None, closed="neither")],
        "max_codes": [Interval(Integral, 2, None, closed="left")],
    }
    uses_codes = True

    @fit_method
    def fit(
        self, residuals: NDArray, codes: Codes = None, train_codes: Codes = None
    ) -> Self:
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
        bank = bank[evenly_spaced(len(bank), self.max_codes)]
        # Centred, so that subtracting squares loses little precision.
        self.code_means_ = bank.mean(axis=0)
        self.code_units_ = np.array([_unit(values) for values in bank.T])
        scaled = (bank - self.code_means_) / self.code_units_
        # (codes, 1) times this, in one product, orders the training codes by distance.
        self.bank_ = np.vstack([-2 * scaled.T, np.vecdot(scaled, scaled)])
        # A net computes codes in float32, and rounds differently on every device.
        rounding = 2.0**-18 * np.abs(bank).max(axis=0) / self.code_units_
        self.own_distance_ = max(1e-6, float(np.linalg.norm(rounding)))
        errors = self.residual_errors_.window_errors(residuals)
        batches = gen_batches(len(codes), 64)
        distances = np.concatenate([self._distances(codes[at]) for at in batches])
        self.error_unit_ = _unit(errors)
        self.distance_unit_ = _unit(distances, least=1e-6)  # codes have variance 1
        return self

    def _with_codes_of(self, other: Self) -> Self:
        """Return a model of these units and those codes; see `BaseErrorModel`."""
        model = copy.copy(self)
        for name in ("code_means_", "code_units_", "bank_", "own_distance_"):
            setattr(model, name, getattr(other, name))
        return model

    # Of a copy for a few windows.
    _by_bank = None  # type: FewRows | None

    def _for_few(self, n_like: int) -> Self:
        """Return a copy for fewer windows, with the bits that so many would have."""
        few = detached(self)
        few._by_bank = FewRows(self.bank_, n_like)
        return few

    @property
    def codes_(self) -> NDArray[np.float64]:
        """Training codes, scaled to zero mean and unit variance."""
        return self.bank_[:-1].T / -2

    @after_fit
    def contributions(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Divide both parts among timesteps and channels; see `BaseErrorModel`.

        A distance between codes is divided equally among the timesteps, and among
        channels in proportion to their residual errors in the window.
        """
        distances = self._distance_errors(codes)
        shares = self.residual_errors_.contributions(residuals) / self.error_unit_
        of_channels = shares.sum(axis=1)
        totals = of_channels.sum(axis=1, keepdims=True)
        weights = np.full_like(of_channels, 1 / residuals.shape[2])
        np.divide(of_channels, totals, out=weights, where=totals > 0)
        return shares + (distances[:, None] * weights)[:, None, :]

    @after_fit
    def timestep_errors(self, residuals: NDArray, codes: Codes = None) -> Errors:
        """Error of every timestep, the distance in each; see `BaseErrorModel`."""
        distances = self._distance_errors(codes)
        errors = self.residual_errors_.timestep_errors(residuals) / self.error_unit_
        return errors + distances[:, None]

    @after_fit
    def window_errors(self, residuals: NDArray, codes: Codes = None) -> Errors:
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

        One matrix product takes a third of the time of NearestNeighbors. Detectors pass
        64 rows, so that the rounding of a row does not depend on the others.
        """
        codes = (codes - self.code_means_) / self.code_units_
        lengths = np.vecdot(codes, codes)
        ones = np.ones(len(codes))
        extended = np.column_stack([codes, ones])
        if self._by_bank is not None:
            squares = self._by_bank(extended)
        else:
            squares = multiply_rows(extended, self.bank_)
        least = squares.min(axis=1) + lengths
        is_own = least <= self.own_distance_**2 * (1 + lengths)
        if is_own.any():
            squares[is_own, squares[is_own].argmin(axis=1)] = np.inf
        n = min(self.n_neighbors, squares.shape[1] - 1)
        if n == 1:
            nearest = squares.min(axis=1, keepdims=True)
        else:
            nearest = np.partition(squares, n - 1, axis=1)[:, :n]
        return np.sqrt(np.maximum(nearest + lengths[:, None], 0.0)).mean(axis=1)


def _unit(values, least=0.0):
    """Take the standard deviation, or 1 where all spread is rounding."""
    spread = values.std()
    return float(spread) if spread > max(least, 1e-7 * np.abs(values).max()) else 1.0
