"""What detectors with another threshold than their own share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._base import MetaDetector, SeriesThresholdMixin, inner_explains
from skad._docs import add_parameters
from skad._fitting import after_fit
from skad._nesting import explain_inside
from skad._series_names import call_with_series
from skad._validation import available_if, check_is_fitted

_ROWS = """
    X : array-like
        Rows, as the detector takes them.
    y : array-like of shape (n_samples,), default=None
        Passed to `fit`.
    series : array-like of shape (n_samples,), default=None
        Series of each row, for a detector inside whose methods take that, such as
        `WindowedDetector`; others read it from the index of `X`.
"""


class OtherThreshold(SeriesThresholdMixin, MetaDetector):
    """Base of detectors that put another threshold on a detector: `series` passes."""

    @after_fit
    @add_parameters(_ROWS)
    def score_samples(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Score rows with the inner detector.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Higher = more normal.
        """
        check_is_fitted(self)
        return call_with_series(self.estimator_, "score_samples", X, series)

    @available_if(inner_explains)
    @after_fit
    @add_parameters(_ROWS)
    def explain(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Break down the scores of rows with the inner detector, if it can.

        Returns
        -------
        contributions : ndarray
            Parts of the errors, in the shape that the inner detector gives them; higher
            = more anomalous. Those of a row add up to ``-score_samples(X)``.
        """
        check_is_fitted(self)
        if series is None:
            return explain_inside(self.estimator_, X)
        return call_with_series(self.estimator_, "explain", X, series)
