"""Detectors that every other one must beat, used with the same steps and windows."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline

from skad._base import ThresholdMixin
from skad._nesting import inside
from skad._validation import check_random_state, num_samples, safe_indexing
from skad.detectors._linear import LinearAutoencoder
from skad.series._per_series import PerSeriesDetector
from skad.series._windowed import WindowedDetector
from skad.thresholds._counting import QuantileThreshold
from skad.thresholds._tuned import TunedThresholdDetector


class NeighborDetector(ThresholdMixin, BaseEstimator):
    """Mean distance to the nearest training rows, or to the nearest of a sample."""

    def __init__(self, n_neighbors=5, max_rows=5000):
        self.n_neighbors = n_neighbors
        self.max_rows = max_rows

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Keep evenly spaced training rows."""
        n_rows = num_samples(X)
        rows = np.linspace(0, n_rows - 1, min(n_rows, self.max_rows)).astype(int)
        n_neighbors = min(self.n_neighbors, len(rows) - 1)
        self.neighbors_ = NearestNeighbors(n_neighbors=n_neighbors)
        self.neighbors_.fit(safe_indexing(X, rows))
        # called without rows, it leaves each row out of its own neighbours
        scores = -self.neighbors_.kneighbors()[0].mean(axis=1)
        self.offset_ = QuantileThreshold().fit(scores).threshold_
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Negative distance, higher = more normal."""
        return -self.neighbors_.kneighbors(X)[0].mean(axis=1)


class RandomDetector(ThresholdMixin, BaseEstimator):
    """Random scores, drawn anew in every call."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn nothing."""
        self.generator_ = check_random_state(self.random_state)
        self.offset_ = 0.01  # flags the same share of rows as the others do
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Draw scores from [0, 1)."""
        return self.generator_.random_sample(num_samples(X))


_CORES = {
    "PCA": LinearAutoencoder,
    "5 neighbours": NeighborDetector,
    "isolation forest": IsolationForest,
}

# The last one needs no detector: every row is flagged.
FLAG_ALL = "flag all"
REFERENCES = (*_CORES, "random", FLAG_ALL)


def make_references(estimator) -> dict[str, Any]:
    """Make the references, which replace the detector inside an estimator."""
    references = {n: replace_core(estimator, core()) for n, core in _CORES.items()}
    return {**references, "random": RandomDetector()}


def replace_core(estimator, core) -> Any:
    """Copy an estimator with another detector at its core.

    The steps of pipelines, windows, and the search for a threshold of its own are kept.
    Other wrappers make no sense for another detector and are dropped: a threshold for
    other scores, a grid of other parameters, frozen weights.
    """
    inner = inside(estimator)
    if inner is None:
        return core
    inner = replace_core(inner, core)
    if isinstance(estimator, Pipeline):
        return clone(estimator).set_params(**{estimator.steps[-1][0]: inner})
    if isinstance(estimator, PerSeriesDetector):
        return clone(estimator).set_params(estimator=inner)
    if isinstance(estimator, WindowedDetector):
        level = estimator.level if hasattr(inner, "score_timesteps") else "auto"
        return clone(estimator).set_params(estimator=inner, level=level)
    # whether validation rows are taken from the training part itself
    splits = getattr(estimator, "cv", None) not in (None, "prefit")
    if isinstance(estimator, TunedThresholdDetector) and splits:
        return clone(estimator).set_params(estimator=inner)
    return inner
