"""What every detector is: scores become labels, pickles carry versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import get_tags

from skad._docs import add_parameters
from skad._fitting import KeepsParams, after_fit
from skad._nesting import explain_inside, explains_channels
from skad._validation import available_if, check_is_fitted
from skad._version import __version__
from skad._warnings import warn

_ROWS = """
    X : array-like
        Rows, as for `fit`.
"""

# Versions ---------------------------------------------------------------------------


@cache
def current_versions() -> dict[str, str]:
    """Look up the versions of what computes a score, without importing it.

    The part after a plus sign says how torch was built ("+cpu", "+cu128"); a model may
    move between builds.
    """
    others = {name: version(name).split("+")[0] for name in ("scikit-learn", "torch")}
    return {"skad": __version__} | others


def warn_of_other_versions(saved: dict[str, str], what: str) -> None:
    """Warn if `what` was made with versions other than the installed ones."""
    now = current_versions()
    others = [
        f"{name} {then} (now {now[name]})"
        for name, then in saved.items()
        if name in now and then != now[name]
    ]
    if others:
        warn(
            f"{what} was made with {', '.join(others)}. Its scores may differ from "
            "those it gave then; fit it again, or install those versions."
        )


class VersionedMixin(KeepsParams):
    """Mixin for estimators: pickles carry versions, and warn if opened with others.

    scikit-learn's `BaseEstimator` does so for its own classes only.
    """

    def __getstate__(self):
        return dict(super().__getstate__()) | {"_skad_versions": current_versions()}

    def __setstate__(self, state):
        state = dict(state)
        versions = state.pop("_skad_versions", {})  # a copy in memory has none
        warn_of_other_versions(versions, f"This {type(self).__name__}")
        super().__setstate__(state)


# Thresholds -------------------------------------------------------------------------

T = TypeVar("T")
Purpose = Literal["labels", "scores", "errors"]
# What a detector that is fitted now is for: to label rows itself, to be asked for
# scores by one around it, or to tell errors of what was left out and be forgotten.
_purpose: ContextVar[Purpose] = ContextVar("purpose", default="labels")


def is_calibrating() -> bool:
    """Whether a detector that is fitted now has to look for its threshold."""
    return _purpose.get() == "labels"


def is_kept() -> bool:
    """Whether a detector that is fitted now is more than a fold, soon forgotten.

    A fold needs neither a threshold, however simple, nor what explains errors.
    """
    return _purpose.get() != "errors"


def uncalibrated(call: Callable[..., T], *args: Any) -> T:
    """Call what fits detectors whose thresholds will not be used: none are looked for.

    In a context of its own, which no Ctrl-C can leave behind.
    """
    return _for("scores" if is_kept() else "errors", call, *args)


def calibrated(call: Callable[..., T], *args: Any) -> T:
    """Call what fits detectors whose thresholds are needed, whatever is around."""
    return _for("labels", call, *args)


def as_fold(call: Callable[..., T], *args: Any) -> T:
    """Call what fits detectors that tell errors of what was left out, and are gone."""
    return _for("errors", call, *args)


def _for(purpose: Purpose, call, *args):
    context = copy_context()
    context.run(_purpose.set, purpose)
    return context.run(call, *args)


# Detectors --------------------------------------------------------------------------

_ROWS_OF_SERIES = """
    X : array-like
        Rows, as for `fit`.
    y : array-like of shape (n_samples,), default=None
        Passed to `fit`.
    series : array-like of shape (n_samples,), default=None
        Series that each row belongs to, in addition to those of the index.
"""


class ThresholdMixin(VersionedMixin, OutlierMixin):
    """`decision_function` and `predict` from ``score_samples`` and ``offset_``."""

    @after_fit
    @add_parameters(_ROWS)
    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score rows, shifted so that anomalies are below zero.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            ``score_samples(X) - offset_``; higher = more normal.
        """
        return self._above_offset(self.score_samples(X))

    @after_fit
    @add_parameters(_ROWS)
    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Label rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int
            -1 for anomalies, where `decision_function` is below zero; else +1.
        """
        labels = np.where(self.decision_function(X) < 0, -1, 1)
        self._judge(labels)
        return labels

    def _above_offset(self, scores):
        if not hasattr(self, "offset_"):
            raise AttributeError(
                f"This {type(self).__name__} has no threshold of its own: a detector "
                "around it scores rows, and has one for these. Ask that one, or use "
                "score_samples."
            )
        return scores - self.offset_

    def _judge(self, labels) -> None:
        """Say where labels may not be trusted."""

    def fit_predict(
        self, X: ArrayLike, y: ArrayLike | None = None, **params: Any
    ) -> NDArray[np.int64]:
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


class SeriesThresholdMixin(ThresholdMixin):
    """The same for detectors that can be told of the series of rows."""

    @after_fit
    @add_parameters(_ROWS_OF_SERIES)
    def decision_function(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Score rows, shifted so that anomalies are below zero.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            ``score_samples(X, series=series) - offset_``; higher = more normal.
        """
        return self._above_offset(self.score_samples(X, series=series))

    @after_fit
    @add_parameters(_ROWS_OF_SERIES)
    def predict(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Label rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int
            -1 for anomalies, where `decision_function` is below zero; else +1.
        """
        labels = np.where(self.decision_function(X, series=series) < 0, -1, 1)
        self._judge(labels)
        return labels

    @add_parameters(_ROWS_OF_SERIES)
    def fit_predict(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        series: ArrayLike | None = None,
        **params: Any,
    ) -> NDArray[np.int64]:
        """Fit, then label the same rows.

        Parameters
        ----------
        **params : dict
            Passed to `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int
            +1 for normal rows, -1 for anomalies.
        """
        return self.fit(X, y, series=series, **params).predict(X, series=series)


def inner_explains(detector) -> bool:
    """Whether the detector inside a meta-detector explains the columns it is given."""
    return explains_channels(getattr(detector, "estimator_", detector.estimator))


class MetaDetector(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
    """Base of detectors around another detector, `estimator`."""

    @contextmanager
    def _fit_task(
        self, context, task_name, detector, X, y=None, task_id=None
    ) -> Iterator[None]:
        """Surround the fit of an inner detector, which inherits our callbacks."""
        task = context.subcontext(task_name=task_name, task_id=task_id)
        with task.propagate_callback_context(detector):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            yield
            task.call_on_fit_task_end(estimator=self, X=X, y=y)

    def _fit_inner(self, context, task_name, detector, X, y=None, series=None) -> Any:
        params = {} if series is None else {"series": series}
        with self._fit_task(context, task_name, detector, X, y):
            detector.fit(X, y, **params)
        return detector

    def _fit_clone(self, X, y, series=None) -> None:
        """Fit a clone of `estimator` and keep it."""
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        detector = clone(self.estimator)
        self._keep(self._fit_inner(context, "fit-estimator", detector, X, y, series))
        context.call_on_fit_task_end(estimator=self)

    def _keep(self, detector) -> None:
        """Take over a fitted inner detector."""
        self.estimator_ = detector
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(detector, name):
                setattr(self, name, getattr(detector, name))

    @after_fit
    @add_parameters(_ROWS)
    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score rows with the inner detector.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Higher = more normal.
        """
        check_is_fitted(self)
        return self.estimator_.score_samples(X)

    @available_if(inner_explains)
    @after_fit
    @add_parameters(_ROWS)
    def explain(self, X: ArrayLike) -> NDArray[np.float64]:
        """Break down the scores of rows with the inner detector, if it can.

        Returns
        -------
        contributions : ndarray
            Parts of the errors, in the shape that the inner detector gives them; higher
            = more anomalous. Those of a row add up to ``-score_samples(X)``.
        """
        check_is_fitted(self)
        return explain_inside(self.estimator_, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags
