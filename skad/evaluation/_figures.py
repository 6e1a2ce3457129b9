"""The figures of one run: those of every report, and those that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from skad.evaluation._report import FIGURES
from skad.metrics._best_scores import best_fbeta_score
from skad.metrics._event_scores import (
    detection_delay,
    event_fbeta_score,
    false_alarms_per_day,
)
from skad.metrics._report import detection_report
from skad.metrics._scorers import find_metric, reads_index

_OTHER_COLUMNS = ("detector", "seed", "threshold", "n_runs", "is_reference")


class Metric(NamedTuple):
    """A figure that was asked for."""

    called: str  # how it was given
    function: Callable[..., Any]
    response: str  # "score" or "predict": what it reads
    params: dict[str, Any]
    of_events: bool  # whether it has a parameter for the rows of series


def read_metrics(metrics, *, is_series) -> dict[str, Metric]:
    """Look up metrics by their names; refuse those that the rows are not made for."""
    if isinstance(metrics, str) or callable(metrics):
        raise TypeError(
            f"metrics={metrics!r}; expected a list of names, or a dict of names and "
            "metrics."
        )
    is_dict = isinstance(metrics, Mapping)
    given = dict(metrics) if is_dict else {name: name for name in metrics or ()}
    found = {}
    for name, metric in given.items():
        taken = name in FIGURES or name in _OTHER_COLUMNS or str(name).endswith("_std")
        if not isinstance(name, str) or taken:
            raise ValueError(
                f"{name!r} cannot name a metric: "
                + ("it is a figure or column of every report." if taken else "no text.")
            )
        function, response, defaults = find_metric(metric)
        of_events = reads_index(function)
        if of_events and not is_series and function is not best_fbeta_score:
            raise ValueError(
                f"metrics holds {name!r}, which judges events, but the test rows are "
                "no points of a series: no detector cuts windows from them, and they "
                "have no index of times that ascend. Give y_test, or X_test, such an "
                "index, or leave the metric out."
            )
        # a search needs a number, a table may say that there is none
        undefined = dict.fromkeys(defaults.keys() & {"zero_division"}, np.nan)
        found[name] = Metric(
            _name_of(metric), function, response, defaults | undefined, of_events
        )
    return found


def compute_figures(task, scores, is_flagged) -> dict[str, float]:
    """Compute the figures of one run; undefined ones are nan."""
    report = detection_report(task.truth, is_flagged)
    figures: dict[str, Any] = {"roc_auc": np.nan, "average_precision": np.nan}
    has_both = 0 < report.n_anomalies < report.n_samples
    if has_both:
        figures["roc_auc"] = roc_auc_score(task.truth, -scores)
        figures["average_precision"] = average_precision_score(task.truth, -scores)
    figures |= {"precision": report.precision, "recall": report.recall}
    figures["f1"] = report.fbeta
    if task.rows is not None:
        labels, index = (task.truth, is_flagged), task.rows
        figures["event_f1"] = event_fbeta_score(*labels, index=index)
        figures["delay"] = detection_delay(*labels, index=index)
        if task.rows.step is not None:
            rate = false_alarms_per_day(*labels, index=index)
            figures["false_alarms_per_day"] = rate
    for name, metric in task.metrics.items():
        figures[name] = (
            _compute(metric, task, scores, is_flagged) if has_both else np.nan
        )
    return figures


def _compute(metric, task, scores, is_flagged) -> float:
    params = dict(metric.params)
    if metric.of_events and task.rows is not None:
        params.setdefault("index", task.rows)
    response = -np.ravel(scores) if metric.response == "score" else is_flagged
    return float(metric.function(task.truth, response, **params))


def describe_metrics(metrics) -> str:
    """Say which metrics were asked for, and what they read."""
    reads = {"score": "scores", "predict": "flagged rows"}
    texts = []
    for name, metric in metrics.items():
        called = "" if metric.called == name else f" by {metric.called}"
        texts.append(f"{name!r}{called} of {reads[metric.response]}")
    return ", ".join(texts)


def _name_of(metric) -> str:
    """Name a metric as it was given: a name, or a function with its parameters."""
    if isinstance(metric, str):
        return metric
    function, keywords = metric, dict[str, Any]()
    while isinstance(function, partial):
        keywords = function.keywords | keywords
        function = function.func
    shown = ", ".join(f"{name}={value!r}" for name, value in keywords.items())
    return f"{getattr(function, '__name__', repr(function))}({shown})"
