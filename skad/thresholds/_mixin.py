"""From scores and a threshold to labels, the same for every detector of skad."""

import numpy as np
from sklearn.base import OutlierMixin

from skad._versions import VersionedMixin


class ThresholdMixin(VersionedMixin, OutlierMixin):
    """`decision_function` and `predict` from ``score_samples`` and ``offset_``."""

    def decision_function(self, X):
        """Score rows, shifted so that anomalies are below zero.

        Parameters
        ----------
        X : array-like
            Rows, as for `score_samples`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            ``score_samples(X) - offset_``; higher = more normal.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Label rows.

        Parameters
        ----------
        X : array-like
            Rows, as for `score_samples`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int
            -1 for anomalies, where `decision_function` is below zero; else +1.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def fit_predict(self, X, y=None, **params):
        """Fit, then label the same rows.

        Parameters
        ----------
        X : array-like
            Rows, as for `fit`.
        y : array-like of shape (n_samples,), default=None
            Passed to `fit`.
        **params : dict
            Passed to `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int
            +1 for normal rows, -1 for anomalies.
        """
        return self.fit(X, y, **params).predict(X)
