"""Single runs: fit on one part, threshold from the second, figures from the third."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from skad._nesting import core_of, find_layer
from skad._validation import is_3d, safe_indexing
from skad.evaluation._figures import Metric, compute_figures
from skad.evaluation._given_away import find_place, may_remember
from skad.evaluation._parts import Part
from skad.evaluation._references import FLAG_ALL, make_references
from skad.series._rows import Rows
from skad.thresholds._tuned import TunedThresholdDetector


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the runs so far came to; detectors and references by name."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    fitted: dict[str, Any] = field(default_factory=dict)  # with the first seed
    scores: dict[str, np.ndarray] = field(default_factory=dict)  # (n_test, n_runs)

    @property
    def table(self) -> pd.DataFrame:
        """The runs, one in each row."""
        return pd.DataFrame(self.runs).astype({"seed": "Int64"})


@dataclass(frozen=True, eq=False)
class Task:
    """What every detector is given."""

    train: Part
    val: Part | None  # None if detectors keep their own thresholds
    test: Part
    rule: Any  # finds the threshold
    truth: np.ndarray  # whether the rows of the test part are anomalies
    rows: Rows | None  # those of the test part, if they are points of a series
    metrics: dict[str, Metric]  # further figures, by name


def run_all(detectors, task, seeds, *, references) -> Outcome:
    """Run detectors and references."""
    outcome = Outcome()
    for name, detector in detectors.items():
        _run(name, detector, task, seeds, outcome)
    if references:
        first = next(iter(detectors.values()))
        flat = _for_references(task, core_of(first))
        for name, detector in make_references(first).items():
            _run(name, detector, flat, seeds, outcome)
        flags = np.ones(len(task.truth), dtype=bool)
        figures = compute_figures(task, np.zeros(len(flags)), flags)
        outcome.runs.append({"detector": FLAG_ALL, "seed": None, **figures})
    return outcome


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


def _run(name, detector, task, seeds, outcome) -> None:
    """Add one run for each seed, and the detector fitted with the first."""
    names = [p for p in detector.get_params() if p.split("__")[-1] == "random_state"]
    scores = []
    for seed in seeds if names else [None]:
        new = clone(detector)
        if names:
            new.set_params(**dict.fromkeys(names, seed))
        try:
            fitted, figures, found = _judge(new, task)
        except Exception as error:
            error.add_note(f"This happened in {name!r}, evaluated with seed {seed}.")
            raise
        outcome.runs.append({"detector": name, "seed": seed, **figures})
        outcome.fitted.setdefault(name, fitted)
        scores.append(np.ravel(found))
    outcome.scores[name] = np.column_stack(scores)


def _judge(detector, task) -> tuple[Any, dict[str, float], np.ndarray]:
    """Fit a detector, find its threshold, and compute its figures and scores."""
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
    figures = compute_figures(task, scores, scores - threshold < 0)
    figures |= {"fit_seconds": seconds, "threshold": threshold}
    return detector, figures, scores


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
