"""A detector as a classifier."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets

from skad._base import MetaDetector, VersionedMixin
from skad._fitting import after_fit, fit_method
from skad._validation import (
    MIXED_FOLDS,
    HasMethods,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)
from skad._warnings import warn


class DetectorClassifier(VersionedMixin, ClassifierMixin, MetaDetector):
    """Outlier detector as a binary classifier.

    Makes scikit-learn's classification tools work with it: scorers by name with the
    right sign, ``RocCurveDisplay``, ``PrecisionRecallDisplay``,
    ``CalibratedClassifierCV``.

    Parameters
    ----------
    estimator : estimator
        A detector with ``decision_function`` and ``predict``; cloned.
    outlier_label : object, default=None
        The label in `y` that means anomaly. None: -1 of {-1, +1}, else the greater
        label, as in {0, 1 = anomaly}.

    Attributes
    ----------
    estimator_ : estimator
        The fitted detector.
    classes_ : ndarray of shape (2,)
        The labels, sorted.
    outlier_label_ : object
        The label that means anomaly.
    n_features_in_ : int
        Number of features, where the detector knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where the detector knows them.

    See Also
    --------
    make_outlier_scorer : Scores detectors as they are.

    Notes
    -----
    The labels name the classes; the detector learns from them only if it does so by
    itself (`normal_label`).

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from skad import DetectorClassifier, LinearAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> classifier = DetectorClassifier(LinearAutoencoder())
    >>> cross_val_score(classifier, X, y > 0, scoring="roc_auc", cv=3).shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "decision_function", "predict"])],
        "outlier_label": "no_validation",
    }

    def __init__(self, estimator: Any, outlier_label: Any = None):
        self.estimator = estimator
        self.outlier_label = outlier_label

    @fit_method
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the detector and learn the names of the classes.

        Parameters
        ----------
        X : array-like
            Rows for the detector.
        y : array-like of shape (n_samples,)
            Labels of two classes; passed to the detector.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If `y` does not have two classes, or none of them is `outlier_label`.
        """
        if y is None:
            raise ValueError(
                "DetectorClassifier requires y to be passed, but the target y is None."
            )
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(X, y)
        classes = np.unique(y)
        outlier_label = self._find_outlier_label(classes)
        self._fit_clone(X, y)
        self.classes_ = classes
        self.outlier_label_ = outlier_label
        return self

    def _find_outlier_label(self, classes):
        """Which of the classes means anomaly; there must be two."""
        labels = classes.tolist()
        if len(labels) != 2:
            got = f"{len(labels)} class{'es' * (len(labels) != 1)}: {labels[:6]}."
            if len(labels) == 1:
                got += (
                    " These are the labels of the rows given to fit; in a search or "
                    "cross-validation, the training rows of one split: use "
                    f"{MIXED_FOLDS}."
                )
            raise ValueError(
                "Only binary classification is supported: y must hold two classes, got "
                + got
            )
        if self.outlier_label is not None:
            if self.outlier_label not in classes:
                raise ValueError(
                    f"outlier_label={self.outlier_label!r} is not a label of y, which "
                    f"holds {labels}."
                )
            return self.outlier_label
        if labels == [-1, 1]:
            return classes[0]
        if labels != [0, 1]:
            warn(
                f"{labels[1]!r}, the greater label of {labels}, is taken as the "
                "anomaly; set outlier_label to choose."
            )
        return classes[1]

    @after_fit
    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Confidence in the class ``classes_[1]``.

        Parameters
        ----------
        X : array-like
            Rows, as the detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The detector's decision function, with its sign reversed if ``classes_[1]``
            is the anomaly.
        """
        check_is_fitted(self)
        decision = self.estimator_.decision_function(X)
        return -decision if self.classes_[1] == self.outlier_label_ else decision

    @after_fit
    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Label rows with the classes of `y`.

        Parameters
        ----------
        X : array-like
            Rows, as the detector takes them.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Members of ``classes_``.
        """
        check_is_fitted(self)
        is_outlier = self.estimator_.predict(X) == -1
        outlier_is_second = self.classes_[1] == self.outlier_label_
        return self.classes_[np.where(is_outlier == outlier_is_second, 1, 0)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True  # it is not trained on the labels
        return tags
