"""A detector with a threshold that is given."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

from numpy.typing import ArrayLike

from skad._base import uncalibrated
from skad._fitting import fit_method
from skad._series_names import check_takes_series
from skad._validation import HasMethods, Interval
from skad.thresholds._other import OtherThreshold


class FixedThresholdDetector(OtherThreshold):
    """Outlier detector with a threshold that is given.

    Parameters
    ----------
    estimator : estimator
        A detector with ``score_samples``; cloned. Wrap one that is fitted already in
        `sklearn.frozen.FrozenEstimator`, and nothing is trained again.
    threshold : float
        A score below it is an anomaly, in units of the detector's ``score_samples``
        (higher = more normal). Minus infinity flags nothing.

    Attributes
    ----------
    estimator_ : estimator
        The fitted detector.
    offset_ : float
        The threshold.
    n_features_in_ : int
        Number of features, where the detector knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where the detector knows them.

    See Also
    --------
    TunedThresholdDetector : Finds the threshold on validation data.

    Examples
    --------
    >>> from skad import FixedThresholdDetector, LinearAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = FixedThresholdDetector(LinearAutoencoder(), threshold=-0.01)
    >>> detector.fit(X).predict(X[:5]).shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "threshold": [Interval(Real, None, None, closed="both")],
    }

    def __init__(self, estimator: Any, threshold: float):
        self.estimator = estimator
        self.threshold = threshold

    @fit_method
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        series: ArrayLike | None = None,
    ) -> Self:
        """Fit the detector.

        Parameters
        ----------
        X : array-like
            Rows for the detector.
        y : array-like of shape (n_samples,), default=None
            Passed to the detector.
        series : array-like of shape (n_samples,), default=None
            Series of each row, for a detector whose methods take that; to be given at
            scoring, too.

        Returns
        -------
        self : object
            The fitted detector.
        """
        check_takes_series(self.estimator, series)
        uncalibrated(self._fit_clone, X, y, series)
        self.offset_ = float(self.threshold)
        return self
