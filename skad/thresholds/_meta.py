"""One detector around another."""

from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from skad._validation import check_is_fitted


def inner_explains(detector):
    """Whether the detector inside has `explain`."""
    return hasattr(getattr(detector, "estimator_", detector.estimator), "explain")


class MetaDetector(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
    """What the detectors around another detector share."""

    def _fit_inner(self, context, task_name, detector, X, y=None, **params):
        """Fit an inner detector, which hears of our callbacks of scikit-learn's."""
        task = context.subcontext(task_name=task_name)
        with task.propagate_callback_context(detector):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            detector.fit(X, y, **params)
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        return detector

    def _fit_one(self, X, y):
        """Fit a clone of the inner detector and make it ours."""
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        detector = clone(self.estimator)
        self._keep(self._fit_inner(context, "fit-estimator", detector, X, y))
        context.call_on_fit_task_end(estimator=self)

    def _keep(self, detector):
        """Make a fitted inner detector ours."""
        self.estimator_ = detector
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(detector, name):
                setattr(self, name, getattr(detector, name))

    def score_samples(self, X):
        """Score rows with the inner detector.

        Parameters
        ----------
        X : array-like
            Rows, as the inner detector takes them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Higher = more normal.
        """
        check_is_fitted(self)
        return self.estimator_.score_samples(X)

    @available_if(inner_explains)
    def explain(self, X):
        """Share out the scores of rows with the inner detector, if it can.

        Parameters
        ----------
        X : array-like
            Rows, as the inner detector takes them.

        Returns
        -------
        contributions : ndarray
            Parts of the errors, in the shape that the inner detector gives them; higher
            = more anomalous. Those of a row add up to ``-score_samples(X)``.
        """
        check_is_fitted(self)
        return self.estimator_.explain(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags
