"""The autoencoder that nearest neighbours are a case of: no training, no torch."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.metrics import pairwise_distances_chunked

from skad._neighbors import NearestRows
from skad._sampling import evenly_spaced
from skad._validation import Interval, floor_of_share
from skad.detectors._base import BaseAutoencoder, ErrorModel


@dataclass(eq=False, repr=False)
class LocallyLinearAutoencoder(BaseAutoencoder):
    """Rebuild each window from the normal windows that are nearest to it.

    It remembers windows and learns nothing else: a window is the better reconstructed
    the nearer it is to the flat patch on which its nearest normal windows lie. That
    follows a curved manifold, where `LinearAutoencoder` needs a plane. It has no latent
    code, so no `transform`, and no ``error_model="hybrid"``.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of nearest windows to rebuild a window from; fewer if there are no more.
        1 takes the nearest window as the reconstruction: the score is the distance from
        it.
    reg : float, default=0.1
        Regularisation, in multiples of the trace of the neighbours' Gram matrix. The
        larger, the more alike are the weights of all neighbours.
    max_windows : int, default=5000
        Largest number of windows to remember, evenly spaced; time and memory of
        scoring grow with it.
    trim : float, default=0.0
        Share of these, in [0, 0.5], that is forgotten again: those farthest from the
        nearest twentieth of the others. For rows of fit that hold anomalies which
        recur, and so are near to one another.

    Attributes
    ----------
    nearest_ : object
        The remembered windows (``nearest_.rows``), equal ones once.

    See Also
    --------
    LinearAutoencoder : The other reference that is not trained.
    RandomConvolutions : Features in which neighbours say more than in raw windows.

    Notes
    -----
    x' = x + w N, where the rows of N are the n nearest windows minus x, and the weights
    w minimise |w N|^2 + reg tr(N N^T) |w|^2 with sum(w) = 1, as in locally linear
    embedding [1]_; the error w N is the score here, and there only a step on the way. A
    remembered window at distance zero is taken to be the window itself and left out, so
    that windows of fit have errors like new ones (unless these overlap them: hence
    thresholds by blocks that are left out). Neighbours are exact, so that the score
    of a window depends on nothing beside it.

    To judge the very rows of fit, as of a recording without labels, score each fifth by
    the others: ``cross_val_predict(WindowedDetector(...), X, cv=KFold(5),
    method="decision_function")`` of scikit-learn.

    References
    ----------
    .. [1] S. T. Roweis and L. K. Saul, "Nonlinear dimensionality reduction by locally
       linear embedding", Science 290, 2000, doi:10.1126/science.290.5500.2323.

    Examples
    --------
    >>> from skad import LocallyLinearAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = LocallyLinearAutoencoder(normal_label=0).fit(X, y)
    >>> detector.reconstruct(X[:5]).shape == X[:5].shape
    True
    """

    n_neighbors: int = 10
    _: KW_ONLY
    reg: float = 0.1
    max_windows: int = 5000
    trim: float = 0.0
    error_model: ErrorModel = "rmse"

    _parameter_constraints: ClassVar[dict] = {
        **BaseAutoencoder._parameter_constraints,
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "reg": [Interval(Real, 0, None, closed="neither")],
        "max_windows": [Interval(Integral, 2, None, closed="left")],
        "trim": [Interval(Real, 0, 0.5, closed="both")],
    }

    _remembers_windows = True  # type: ignore[assignment]

    def _learn(self, windows, held_out):
        error_model = self._new_error_model()
        if getattr(error_model, "uses_codes", False):
            raise ValueError(
                f"error_model={self.error_model!r} needs latent codes, which "
                f"{type(self).__name__} has none of; use 'rmse', 'mse', 'mae', 'std' "
                "or 'mahalanobis'."
            )
        self._learn_fold(windows)
        self._fit_error_model(error_model, windows, held_out)
        return held_out

    def _learn_fold(self, windows):
        at = evenly_spaced(len(windows), self.max_windows)
        rows = windows.gather(at).astype(np.float64)
        if n_rare := floor_of_share(self.trim, len(rows)):
            rows = _without_rare(rows, n_rare)
        self.nearest_ = NearestRows(rows)

    def _reconstruct_block(self, block):
        flat = block.reshape(len(block), -1).astype(np.float64)
        rows = self.nearest_.rows
        n_neighbors = min(self.n_neighbors, max(1, len(rows) - 1))
        found = self.nearest_.nearest(flat, n_neighbors).positions
        apart = rows[found] - flat[:, None, :]
        reconstruction = flat + (_weights(apart, self.reg) @ apart)[:, 0]
        return reconstruction.reshape(block.shape), None


def _without_rare(rows, n_rare) -> np.ndarray:
    """Drop the rows that are farthest from the nearest twentieth of the others."""
    place = max(1, round(0.05 * (len(rows) - 1)))  # the row itself is at place 0

    def near(distances, start):
        return np.partition(distances, place, axis=1)[:, place]

    distances = np.concatenate(list(pairwise_distances_chunked(rows, reduce_func=near)))
    kept = np.argsort(distances, kind="stable")[: len(rows) - n_rare]
    return rows[np.sort(kept)]


def _weights(apart, reg) -> np.ndarray:
    """Weights of neighbours whose sum is nearest to zero, (n, 1, n_neighbors)."""
    n_windows, n_neighbors, _ = apart.shape
    if n_neighbors == 1:
        return np.ones((n_windows, 1, 1))
    gram = apart @ apart.transpose(0, 2, 1)
    trace = np.trace(gram, axis1=1, axis2=2)
    # As scikit-learn does where all neighbours are the window itself.
    added = np.where(trace > 0, reg * trace, reg)
    gram[:, range(n_neighbors), range(n_neighbors)] += added[:, None]
    weights = np.linalg.solve(gram, np.ones((n_windows, n_neighbors, 1)))
    return (weights / weights.sum(axis=1, keepdims=True)).transpose(0, 2, 1)
