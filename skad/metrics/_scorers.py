"""Scorers for searching and cross-validating outlier detectors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pandas as pd
from sklearn import metrics
from sklearn.metrics import make_scorer

from skad._series_names import refuse_series
from skad._validation import MIXED_FOLDS, check_outlier_labels, column_or_1d
from skad.metrics import _event_scores as events
from skad.metrics import _range_auc as areas
from skad.metrics import _range_scores as ranges
from skad.metrics import _volume as volume
from skad.metrics._affiliation import affiliation_figure
from skad.metrics._best_scores import best_fbeta_score, composite_fbeta_score
from skad.metrics._nab import nab_score
from skad.series._rows import index_of

# In a search an undefined metric counts as the worst value: nan would take the
# candidate out of the ranking, and a warning per fold would bury all others.
_WORST = {"zero_division": 0.0}
_FBETA = {"beta": 1.0, **_WORST}

# name: (function, what it reads, changed defaults)
_METRICS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "accuracy": (metrics.accuracy_score, "predict", {}),
    "affiliation_f1": (affiliation_figure, "predict", _WORST),
    "affiliation_fbeta": (affiliation_figure, "predict", _FBETA),
    "affiliation_precision": (
        affiliation_figure,
        "predict",
        {"figure": "precision", **_WORST},
    ),
    "affiliation_recall": (
        affiliation_figure,
        "predict",
        {"figure": "recall", **_WORST},
    ),
    "average_precision": (metrics.average_precision_score, "score", {}),
    "balanced_accuracy": (metrics.balanced_accuracy_score, "predict", {}),
    "best_f1": (best_fbeta_score, "score", _WORST),
    "best_fbeta": (best_fbeta_score, "score", _FBETA),
    "composite_f1": (composite_fbeta_score, "predict", _WORST),
    "composite_fbeta": (composite_fbeta_score, "predict", _FBETA),
    "event_f1": (events.event_fbeta_score, "predict", _WORST),
    "event_fbeta": (events.event_fbeta_score, "predict", _FBETA),
    "event_precision": (events.event_precision_score, "predict", _WORST),
    "event_recall": (events.event_recall_score, "predict", _WORST),
    "f1": (metrics.f1_score, "predict", _WORST),
    "fbeta": (metrics.fbeta_score, "predict", _FBETA),
    "matthews_corrcoef": (metrics.matthews_corrcoef, "predict", {}),
    "nab": (nab_score, "predict", _WORST),
    "point_adjusted_f1": (events.point_adjusted_fbeta_score, "predict", _WORST),
    "point_adjusted_fbeta": (events.point_adjusted_fbeta_score, "predict", _FBETA),
    "precision": (metrics.precision_score, "predict", _WORST),
    "range_auc_pr": (areas.range_auc_pr_score, "score", _WORST),
    "range_auc_roc": (areas.range_auc_roc_score, "score", _WORST),
    "range_f1": (ranges.range_fbeta_score, "predict", _WORST),
    "range_fbeta": (ranges.range_fbeta_score, "predict", _FBETA),
    "range_precision": (ranges.range_precision_score, "predict", _WORST),
    "range_recall": (ranges.range_recall_score, "predict", _WORST),
    "recall": (metrics.recall_score, "predict", _WORST),
    "roc_auc": (metrics.roc_auc_score, "score", {}),
    "vus_pr": (volume.vus_pr_score, "score", _WORST),
    "vus_roc": (volume.vus_roc_score, "score", _WORST),
}

_LOWER_IS_BETTER = (events.detection_delay, events.false_alarms_per_day)

# The plain string is refused by make_scorer, a list is not.
_RESPONSE_METHODS = {
    "score": ["score_samples", "decision_function"],
    "predict": "predict",
}


_REMEDY = (
    "In a search or cross-validation these are the validation rows of one split (or, "
    f"for a train score, its training rows): use {MIXED_FOLDS}."
)
_Scorer: Any = type(make_scorer(metrics.accuracy_score))  # which has a private name


class _OutlierScorer(_Scorer):
    """Scorer that says what is missing where a search was given no labels."""

    def __call__(self, estimator, X, y_true=None, *args, **kwargs):
        return super().__call__(estimator, X, y_true, *args, **kwargs)

    def set_score_request(self, **requests):
        """Request metadata; refuse what neither estimator nor metric can use."""
        metric = self._score_func.metric
        known = _parameters(metric) or {}
        for name, request in requests.items():
            is_wanted = request is not None and request is not False
            if is_wanted and name != "series" and name not in list(known)[2:]:
                raise ValueError(
                    f"{name}={request!r}, but this scorer has no use for {name!r}: it "
                    "hands `series` on to the estimator, and what else there is to "
                    f"{_name(metric)}. Groups are for splitters, such as GroupKFold, "
                    "and for the fit of TunedThresholdDetector."
                )
        return super().set_score_request(**requests)

    def _score(
        self, method_caller, estimator, X, y_true=None, *, series=None, **kwargs
    ):
        if y_true is None:
            raise ValueError(
                f"y is None, but {_name(self._score_func)} compares with labels: pass "
                "y to the fit of the search, to cross_val_score or to the scorer."
            )
        if series is not None:
            method_caller = partial(_respond, series)
            kwargs = self._score_func.with_index(y_true, series, kwargs)
        return super()._score(method_caller, estimator, X, y_true, **kwargs)


def _respond(series, estimator, method, X, **_):
    """Call a method of the estimator with the series of the rows."""
    names = [method]
    if method == "score_samples":  # which takes nothing else in pipelines
        names.append("decision_function")
    for name in names:
        parameters = _parameters(getattr(estimator, name, None)) or {}
        kinds = [one.kind for one in parameters.values()]
        if "series" in parameters or inspect.Parameter.VAR_KEYWORD in kinds:
            return getattr(estimator, name)(X, series=series)
    return refuse_series(estimator, method)


class _OutlierMetric:
    """Metric of labels, 1 = anomaly, and anomaly scores or predictions, 1 = anomaly."""

    def __init__(self, metric, response):
        self.metric = metric
        self.response = response
        self.__name__ = f"outlier_{_name(metric)}"  # shown by the repr of the scorer

    def with_index(self, y_true, series, params):
        """Tell a metric of events, too, that rows are of several series."""
        if not reads_index(self.metric) or "index" in params:
            return params
        index = index_of(y_true)
        labels = pd.RangeIndex(len(series)) if index is None else index
        levels = [labels.get_level_values(level) for level in range(labels.nlevels)]
        return params | {"index": pd.MultiIndex.from_arrays([series, *levels])}

    def __call__(self, y_true, y_pred, sample_weight=None, **params):
        """Compare labels in either coding with the response of the estimator."""
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        index = index_of(y_true)
        if index is not None and reads_index(self.metric):
            params.setdefault("index", index)
        truth = check_outlier_labels(
            y_true, both_classes=True, name="y_true", remedy=_REMEDY
        )
        if self.response == "score":
            judged = -column_or_1d(y_pred)
        else:
            judged = check_outlier_labels(y_pred, name="predict(X)")
            # metrics of events read ones alone as normal, True alone as anomalies
            judged = judged if reads_index(self.metric) else judged.astype(int)
        return self.metric(truth.astype(int), judged, **params)


def make_outlier_scorer(
    metric: str | Callable,
    *,
    response: Literal["auto", "score", "predict"] = "auto",
    greater_is_better: bool | None = None,
    **metric_params: Any,
) -> Callable[..., float]:
    """Make a scorer for outlier detectors, for search and cross-validation.

    scikit-learn's own scorers go wrong on outlier detectors: with labels in {0, 1 =
    anomaly}, ``scoring="roc_auc"`` silently returns one minus the area, as detectors
    score normal rows higher. This scorer reads labels in either coding. It passes the
    metric 0 for normal rows and 1 for anomalies, together with predictions in the same
    coding, or with scores turned so that higher is more anomalous.

    Parameters
    ----------
    metric : str or callable
        A function ``metric(y_true, y_score)`` or ``metric(y_true, y_pred)`` that
        returns a number, or a name. Read from scores: "roc_auc", "average_precision";
        of events: "vus_pr", "vus_roc", "range_auc_pr", "range_auc_roc", "best_f1",
        "best_fbeta". Read from predictions, with the anomaly as the positive class:
        "accuracy", "balanced_accuracy", "precision", "recall", "f1", "fbeta" (give
        `beta`, 1 by default), "matthews_corrcoef"; of events: "nab", and "precision",
        "recall", "f1" or "fbeta" after "event_", "range_" or "affiliation_", "f1"
        or "fbeta" after "composite_" or "point_adjusted_".
    response : {"auto", "score", "predict"}, default="auto"
        What the metric reads. "score": ``-score_samples(X)``, floats of shape
        (n_samples,), higher = more anomalous, or ``-decision_function(X)`` if there is
        no `score_samples`. "predict": 0 or 1 = predicted anomaly, from ``predict(X)``.
        "auto": what the named metric needs; for a callable, predictions if its second
        argument is called `y_pred`, as in scikit-learn's metrics, else scores.
    greater_is_better : bool, default=None
        Whether a high value of the metric is good. If not, the scorer returns its
        negative. None: True, except for `detection_delay` and `false_alarms_per_day`.
    **metric_params : dict
        Further keyword arguments of the metric, such as ``beta=0.5`` for "fbeta" or
        ``max_fpr=0.1`` for "roc_auc".

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` returns a float, higher = better. It pickles if the
        metric does.

    Raises
    ------
    ValueError
        If `metric` or `response` is not one of the known names. When the scorer is
        called: if there are no labels, if they are in neither coding, or if the rows
        to be scored lack anomalies or normal rows.
    TypeError
        If `metric` is neither a name nor a callable, or has no such parameter.

    See Also
    --------
    detection_report : All figures at once.
    sklearn.metrics.make_scorer : The function that this builds on.

    Notes
    -----
    Labels of one class are an error with every metric: ranking metrics are undefined
    for them, and 1 alone could mean either class. A search turns the error into nan and
    a warning. An integer `cv` does not stratify for outlier detectors, and series may
    have long stretches without anomalies, so choose the folds yourself, for instance
    ``cv=StratifiedKFold()``, or ``cv=StratifiedGroupKFold()`` with the days or series
    of the rows as `groups`, which keeps these together.

    Metrics with a parameter `index`, such as those of events, get the index of `y` if
    `y` is a Series: put series and times there, so that events do not cross them, and
    cut folds by whole series or by time, not by rows.

    Where series are an array, metadata routing brings it here: with
    ``set_score_request(series=True)`` the scorer hands `series` on to the methods of
    the estimator, and to metrics of events. A pipeline hands it on only from `predict`
    and `decision_function`, which is what is then called, and only to steps that
    request it; a search does not. An index needs none of that.

    "precision", "f1" and the like are 0, without a warning, if no row is predicted to
    be an anomaly; set ``zero_division`` for another value. For classifiers, which do
    not predict +1 and -1, use the scorers of scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.model_selection import StratifiedKFold, cross_val_score
    >>> from skad import make_outlier_scorer
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(90, 2)), rng.normal(6, 1, size=(10, 2))])
    >>> y = np.repeat([0, 1], [90, 10])
    >>> forest = IsolationForest(random_state=0)
    >>> cv = StratifiedKFold(3)
    >>> scorer = make_outlier_scorer("roc_auc")
    >>> cross_val_score(forest, X, y, cv=cv, scoring=scorer).min() > 0.9
    np.True_
    >>> cross_val_score(forest, X, y, cv=cv, scoring="roc_auc").max() < 0.1
    np.True_
    """
    function, needed, defaults = find_metric(metric)
    params = {**defaults, **metric_params}
    _check_metric_params(function, params)
    response = needed if response == "auto" else response
    if response not in _RESPONSE_METHODS:
        raise ValueError(
            f"response={response!r}; expected 'auto', 'score' or 'predict'."
        )
    if greater_is_better is None:
        greater_is_better = function not in _LOWER_IS_BETTER
    scorer = make_scorer(
        _OutlierMetric(function, response),
        response_method=_RESPONSE_METHODS[response],
        greater_is_better=greater_is_better,
        **params,
    )
    # Made as scikit-learn makes it, whose constructor is private.
    scorer.__class__ = _OutlierScorer
    return scorer


def find_metric(metric) -> tuple[Any, Any, dict[str, Any]]:
    """Look up the function of a metric, what it reads, and its changed defaults."""
    if callable(metric):
        arguments = list(_parameters(metric) or ())
        return metric, "predict" if arguments[1:2] == ["y_pred"] else "score", {}
    if not isinstance(metric, str):
        raise TypeError(f"metric={metric!r}; expected a name or a callable.")
    if metric not in _METRICS:
        names = ", ".join(map(repr, sorted(_METRICS)))
        raise ValueError(
            f"metric={metric!r} is unknown; expected one of {names}, or a callable."
        )
    return _METRICS[metric]


def _check_metric_params(metric, params) -> None:
    # A search would turn a TypeError at the first call into a score of nan.
    known = _parameters(metric)
    if known is None or any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return
    if unknown := sorted(set(params) - set(known)):
        raise TypeError(
            f"{_name(metric)} has no parameter {', '.join(map(repr, unknown))}."
        )


def _name(metric) -> str:
    return getattr(metric, "__name__", repr(metric))


def _parameters(metric):
    """Return the parameters of a callable, or None if it has no signature."""
    try:
        return inspect.signature(metric).parameters
    except (TypeError, ValueError):
        return None


def reads_index(metric) -> bool:
    """Whether a metric has a parameter for the series and times of the rows."""
    return "index" in (_parameters(metric) or ())
