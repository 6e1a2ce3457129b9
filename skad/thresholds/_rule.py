"""The base of all threshold rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Real
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from skad._docs import add_entries
from skad._fitting import KeepsParams, fit_method
from skad._validation import Interval, InvalidParameterError
from skad.thresholds._cuts import check_labelled_scores, check_scores

POSITIVE = Interval(Real, 0, None, closed="neither")
SHARE = Interval(Real, 0, 1, closed="neither")
NO_LABELS = "a rule that needs no labels, such as QuantileThreshold()"

_THRESHOLD = """
    threshold_ : float
        A score below it is an anomaly.
"""


class ThresholdRule(KeepsParams, BaseEstimator, ABC):
    """Find a threshold from scores, and from labels if the rule needs them.

    A subclass writes `_find`, and sets ``needs_labels = True`` if it reads labels.
    """

    _parameter_constraints: ClassVar[dict] = {}
    needs_labels: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        add_entries(Attributes=_THRESHOLD)(cls)

    @fit_method
    def fit(self, scores: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Find the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or (n_samples, 1)
            Scores, higher = more normal.
        y : array-like of shape (n_samples,), default=None
            Labels, {-1 = anomaly, +1} or {0, 1 = anomaly}. A rule with
            ``needs_labels=True`` requires labels of both classes; every other rule
            ignores them.

        Returns
        -------
        self : object
            The fitted rule.

        Raises
        ------
        ValueError
            If a score is not finite, if a parameter is out of its range, or if the rule
            needs labels and `y` is missing (also a TypeError), in neither coding or of
            one class only.
        """
        if not self.needs_labels:
            self.threshold_ = self._find(check_scores(scores), None)
        elif y is None:
            raise InvalidParameterError(  # ValueError and TypeError
                f"{type(self).__name__} needs labels, but y is None; pass y, or use "
                f"{NO_LABELS}."
            )
        else:
            self.threshold_ = self._find(
                *check_labelled_scores(scores, y, remedy=f"Use {NO_LABELS}.")
            )
        return self

    @abstractmethod
    def _find(
        self, scores: NDArray[np.float64], is_anomaly: NDArray[np.bool_] | None
    ) -> float:
        """Return the threshold, and set any other fitted attributes.

        `is_anomaly` is None unless the rule needs labels.
        """


def needs_labels(rule) -> bool:
    """Whether a rule reads labels; one that does not say so reads none."""
    return getattr(rule, "needs_labels", False)
