"""Single runs: fit on one part, threshold from the second, figures from the third."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import average_precision_score, roc_auc_score

from skad._nesting import core_of, find_layer
from skad._validation import is_3d, safe_indexing
from skad.evaluation._given_away import find_place, may_remember
from skad.evaluation._parts import Part
from skad.evaluation._references import FLAG_ALL, make_references
from skad.metrics._event_scores import (
    detection_delay,
    event_fbeta_score,
    false_alarms_per_day,
)
from skad.metrics._report import detection_report
from skad.series._rows import Rows
from skad.thresholds._tuned import TunedThresholdDetector


@dataclass(frozen=True, eq=False)
class Task:
    """What every detector is given."""

    train: Part
    val: Part | None  # None if detectors keep their own thresholds
    test: Part
    rule: Any  # finds the threshold
    truth: np.ndarray  # whether the rows of the test part are anomalies
    rows: Rows | None  # those of the test part, if they are points of a series


def run_all(detectors, task, seeds, *, references) -> tuple[pd.DataFrame, dict]:
    """Run detectors and references; return the runs and the fitted detectors."""
    runs: list[dict[str, Any]] = []
    fitted: dict[str, Any] = {}
    for name, detector in detectors.items():
        fitted[name] = _run(name, detector, task, seeds, runs)
    if references:
        first = next(iter(detectors.values()))
        flat = _for_references(task, core_of(first))
        for name, detector in make_references(first).items():
            fitted[name] = _run(name, detector, flat, seeds, runs)
        flags = np.ones(len(task.truth), dtype=bool)
        figures = _figures(task, np.zeros(len(flags)), flags)
        runs.append({"detector": FLAG_ALL, "seed": None, **figures})
    return pd.DataFrame(runs).astype({"seed": "Int64"}), fitted


def _for_references(task, core) -> Task:
    """Give references the rows that a detector learns from, flattened to 2-D."""
    train, val, test = map(_flatten, (task.train, task.val, task.test))
    normal_label = core.get_params(deep=False).get("normal_label")
    if normal_label is not None:
        rows = np.flatnonzero(np.asarray(train.y) == normal_label)
        X, y = safe_indexing(train.X, rows), safe_indexing(train.y, rows)
        train = Part("train", X, y)
    return replace(task, train=train, val=val, test=test)


def _flatten(part):
    if part is None or not is_3d(part.X):
        return part
    return replace(part, X=np.reshape(part.X, (len(part), -1)))


def _run(name, detector, task, seeds, runs):
    """Add one run for each seed; return the detector fitted with the first."""
    names = [p for p in detector.get_params() if p.split("__")[-1] == "random_state"]
    first = None
    for seed in seeds if names else [None]:
        new = clone(detector)
        if names:
            new.set_params(**dict.fromkeys(names, seed))
        try:
            fitted, figures = _judge(new, task)
        except Exception as error:
            error.add_note(f"This happened in {name!r}, evaluated with seed {seed}.")
            raise
        runs.append({"detector": name, "seed": seed, **figures})
        first = fitted if first is None else first
    return first


def _judge(detector, task) -> tuple[Any, dict[str, float]]:
    """Fit a detector, find its threshold, and compute its figures."""
    start = time.perf_counter()
    detector.fit(task.train.X, task.train.y)
    seconds = time.perf_counter() - start
    if task.rule is not None:
        detector = TunedThresholdDetector(detector, task.rule, cv="prefit")
        detector.fit(task.val.X, task.val.y)
    scores = detector.score_samples(task.test.X)
    threshold = float(np.squeeze(find_layer(detector, "offset_").offset_))
    if may_remember(detector, task.rule):
        _check_threshold(threshold, scores, task, detector)
    figures = _figures(task, scores, scores - threshold < 0)
    return detector, {**figures, "fit_seconds": seconds, "threshold": threshold}


def _figures(task, scores, is_flagged) -> dict[str, float]:
    """Compute the figures of one run; undefined ones are nan."""
    report = detection_report(task.truth, is_flagged)
    figures: dict[str, Any] = {"roc_auc": np.nan, "average_precision": np.nan}
    if 0 < report.n_anomalies < report.n_samples:
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
    return figures


def _check_threshold(threshold, scores, task, detector) -> None:
    """Refuse a threshold that has a place among the test scores."""
    parts = [task.train] if task.val is None else [task.train, task.val]
    usual = np.concatenate([np.ravel(detector.score_samples(p.X)) for p in parts])
    if place := find_place(threshold, np.ravel(scores), task.truth, usual):
        raise ValueError(
            f"The threshold {threshold!r} lies {place} of the test rows (or is "
            "that but for rounding): it was found on them. Pass a rule, and rows for "
            "it as X_val."
        )
