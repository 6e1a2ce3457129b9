"""Detectors compared on rows that are new to them and to their thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone

from skad._fitting import with_standard_numbers
from skad._nesting import core_of, reader_of
from skad._validation import (
    HasMethods,
    check_outlier_labels,
    num_samples,
)
from skad._warnings import silently, warn
from skad.evaluation._figures import read_metrics
from skad.evaluation._parts import Part, check_parts
from skad.evaluation._protocol import describe, find_doubts, find_windows
from skad.evaluation._references import REFERENCES
from skad.evaluation._report import EvaluationReport
from skad.evaluation._runs import Task, run_all
from skad.series._rows import Rows, index_of, read_index, read_rows
from skad.thresholds._labelled import FBetaThreshold
from skad.thresholds._rule import NO_LABELS, needs_labels


@with_standard_numbers
def evaluate(
    detectors: Any,
    X_train: ArrayLike,
    y_train: ArrayLike | None = None,
    *,
    X_test: ArrayLike,
    y_test: ArrayLike,
    X_val: ArrayLike | None = None,
    y_val: ArrayLike | None = None,
    rule: Any = None,
    metrics: Sequence[str] | Mapping[str, str | Callable[..., float]] = (),
    references: bool = True,
    seeds: int | Sequence[int] = 5,
    groups_train: ArrayLike | None = None,
    groups_val: ArrayLike | None = None,
    groups_test: ArrayLike | None = None,
) -> EvaluationReport:
    """Compare detectors, and references, on rows that none of them has seen.

    Each detector is cloned, fitted on the training part, given a threshold by `rule` on
    the validation part, and judged on the test part, once for each seed if it is
    random. The test part is only scored.

    Parameters
    ----------
    detectors : estimator or dict of str to estimator
        Outlier detectors with ``score_samples``, or pipelines that end in one; a dict
        names them. They are not changed. Wrap one that must not be fitted in
        `sklearn.frozen.FrozenEstimator`.
    X_train : array-like of shape (n_train, ...)
        Rows to fit on: windows, samples, or points of a series.
    y_train : array-like of shape (n_train,), default=None
        Passed to ``fit``.
    X_test : array-like of shape (n_test, ...)
        Rows to judge.
    y_test : array-like of shape (n_test,)
        Their labels, {-1 = anomaly, +1} or {0, 1 = anomaly}.
    X_val : array-like of shape (n_val, ...), default=None
        Rows for the threshold.
    y_val : array-like of shape (n_val,), default=None
        Their labels, in either coding.
    rule : rule object, default=None
        Finds the threshold from the scores of `X_val`, and `y_val` if it reads labels;
        see `TunedThresholdDetector`. None: ``FBetaThreshold(beta=1.0)`` if `y_val` is
        given; without `X_val`, the threshold that each detector has learnt in fit.
    metrics : list of str, or dict of str to str or callable, default=()
        Further figures: names that `make_outlier_scorer` knows, such as "vus_pr" or
        "affiliation_f1", or what it takes as a metric, with a name of yours, such as
        ``{"VUS": partial(vus_pr_score, window=50)}``. Those of events, which have a
        parameter `index`, get the series and times of the test rows.
    references : bool, default=True
        Whether to add detectors that every other one must beat; see Notes.
    seeds : int or sequence of int, default=5
        Seeds for the runs of random detectors; an int n means 0 to n - 1. Every
        ``random_state`` in a detector is set to the seed. Others run once.
    groups_train : array-like of shape (n_train,), default=None
        Patient, machine or the like of each row; groups in two parts cause a warning.
    groups_val : array-like of shape (n_val,), default=None
        The same for `X_val`.
    groups_test : array-like of shape (n_test,), default=None
        The same for `X_test`.

    Returns
    -------
    report : EvaluationReport
        It prints as a table, and how the figures were obtained. ``report.table`` is a
        DataFrame of means and standard deviations, ``report.runs`` one of single runs,
        ``report.protocol`` a tuple of str, ``report.detectors`` the detectors fitted
        with the first seed, with their thresholds, and ``report.scores`` the scores of
        the test rows.

    Raises
    ------
    ValueError
        If two parts share rows (the same memory, the same index labels with the same
        values, or many more equal or nearly equal rows than repeat within the parts), a
        threshold that came with a detector or a rule was found on the test rows, labels
        are in neither coding or lack a class that `rule` needs, validation rows and
        `rule` do not fit, or `metrics` holds an unknown one, or one of events where the
        rows are no points of a series.

    Warns
    -----
    UserWarning
        If parts share groups, windows that share timesteps, or many equal or nearly
        equal rows with different index labels.

    See Also
    --------
    detection_report : The figures of one detector in detail.
    TunedThresholdDetector : Finds the threshold.

    Notes
    -----
    The references replace the innermost detector of the first entry of `detectors`,
    with the same steps and windows, and learn from the same rows (those with
    `normal_label`, if it has one; 3-D windows are flattened):

    - "PCA": ``LinearAutoencoder()``;
    - "5 neighbours": mean distance to the five nearest training rows, of 5,000 evenly
      spaced ones if there are more;
    - "isolation forest": scikit-learn's, with its defaults;
    - "random": random scores, with a threshold found like all others;
    - "flag all": every row predicted to be an anomaly. Its F1 is high if anomalies are
      common, and its event F1 is 1, as it finds every event.

    Events and delays are reported only if rows are points of a series: a detector cuts
    windows from them (`WindowedDetector` or `SlidingWindow`), or their index holds
    times that ascend in each series. Figures that cannot be computed are nan, and the
    protocol says why: the area under the curve if all test rows are of one class,
    precision if nothing was flagged. A mean over seeds leaves out nan. What a metric is
    worth shows beside "random" and "flag all", which many of them reward.

    **What it sees.** Rows count as nearly equal if they are much nearer to a row of the
    other part than that one's other neighbours are, as after rounding, a cast to
    float32 or float16, or a tiny offset, in any order. Thresholds are looked for at the
    places that rules give them: halfway between two test scores, at one of them, round
    numbers of spreads below their centre, and where `POTThreshold` with common
    parameters puts them; to about seven digits, and rounded ones to their last digit
    where that is little beside the distances between scores.

    **What it cannot see.** Parameters, or a threshold, chosen by eye with the test
    labels in view; the best of many evaluations; a frozen detector that was fitted on
    test rows, or code of your own that remembers them; the same rows scaled
    differently, in several copies, changed by more than they differ from others, or
    fewer than about 3 in 100; copies of windows that overlap; thresholds among scores
    that mostly tie, as of coarse sensors, or that were rounded to few digits.

    Examples
    --------
    >>> from skad import LinearAutoencoder, evaluate, make_heartbeats
    >>> X_train, _ = make_heartbeats(300, 0, random_state=0)
    >>> X_val, y_val = make_heartbeats(100, 50, random_state=1)
    >>> X_test, y_test = make_heartbeats(120, 80, random_state=2)
    >>> report = evaluate(
    ...     {"PCA(5)": LinearAutoencoder(5)}, X_train, X_val=X_val, y_val=y_val > 0,
    ...     X_test=X_test, y_test=y_test > 0, seeds=2)
    >>> for line in report.protocol[:4]:
    ...     print(line)
    train: 300 rows, no labels given
    validation: 150 rows, 33.3 % anomalies
    test: 200 rows, 40.0 % anomalies; flagging all rows has F1 0.571
    threshold: found by FBetaThreshold() on scores and labels ...
    >>> report.table.index.tolist()
    ['PCA(5)', 'PCA', '5 neighbours', 'isolation forest', 'random', 'flag all']
    >>> report.table.loc["PCA(5)", "f1"] > report.table.loc["flag all", "f1"]
    np.True_
    """
    seeds = _check_seeds(seeds)
    detectors = _check_detectors(detectors, references)
    rule = _check_rule(rule, X_val, y_val)
    read = _reader(detectors, X_train)
    test = Part("test", X_test, y_test, groups_test, read(X_test))
    val = None if X_val is None else Part("val", X_val, y_val, groups_val, read(X_val))
    rows = _read_points(detectors, test.seen, y_test)
    task = Task(
        train=Part("train", X_train, y_train, groups_train, read(X_train)),
        val=val,
        test=test,
        rule=rule,
        truth=check_outlier_labels(y_test, name="y_test"),
        rows=rows,
        metrics=read_metrics(metrics, is_series=rows is not None),
    )
    parts = [part for part in (task.train, val, test) if part is not None]
    findings = check_parts(parts, is_series=rows is not None)
    for text in (finding.text for finding in findings if finding.is_warning):
        warn(text, about=text)
    outcome = run_all(detectors, task, seeds, references=references)
    own = {name: outcome.fitted[name] for name in detectors}
    said = describe(task, own, seeds, references=references)
    doubts = [*find_doubts(task, outcome.table), *(found.text for found in findings)]
    return _report(outcome, (*said, *doubts), detectors)


def _check_seeds(seeds) -> list[int]:
    if hasattr(seeds, "tolist"):  # numpy's integers and arrays
        seeds = seeds.tolist()
    if isinstance(seeds, int) and seeds > 0:
        return list(range(seeds))
    is_list = isinstance(seeds, Sequence) and len(seeds) > 0
    if not is_list or not all(isinstance(seed, int) for seed in seeds):
        raise ValueError(
            f"seeds={seeds!r}; expected an integer > 0, or a sequence of integers."
        )
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={seeds!r} holds a seed twice; give each once.")
    return list(seeds)


def _check_detectors(detectors, references) -> dict[str, Any]:
    is_dict = isinstance(detectors, Mapping)
    named = dict(detectors) if is_dict else {"detectors": detectors}
    if not named:
        raise ValueError("detectors is empty; give at least one.")
    needed = HasMethods(["fit", "score_samples", "get_params"])
    for name, detector in named.items():
        if isinstance(detector, type) or not needed.is_satisfied_by(detector):
            raise TypeError(
                f"{name!r} is {detector!r}; expected an outlier detector with fit, "
                "score_samples and get_params."
            )
    # Unfitted: what was fitted before, such as a search, has other layers.
    named = {name: clone(detector) for name, detector in named.items()}
    if not is_dict:
        return {type(core_of(d)).__name__: d for d in named.values()}
    taken = ", ".join(repr(name) for name in named if name in REFERENCES)
    if references and taken:
        raise ValueError(
            f"{taken} of detectors is the name of a reference; use another name."
        )
    return named


def _check_rule(rule, X_val, y_val):
    """Choose the rule; refuse validation rows that do not fit it, or missing ones."""
    if X_val is None:
        if y_val is not None:
            raise ValueError("y_val was given without X_val, the rows it belongs to.")
        if rule is not None:
            raise ValueError(
                f"rule={rule!r} needs rows to find the threshold on, which are used "
                "neither for training nor for testing; pass X_val."
            )
        return None
    if rule is None and y_val is None:
        raise ValueError(
            "X_val was given without y_val and without a rule. Pass y_val, or a rule "
            "that needs no labels, such as ConformalThreshold()."
        )
    rule = FBetaThreshold() if rule is None else rule
    if y_val is not None:
        check_outlier_labels(
            y_val,
            both_classes=needs_labels(rule),
            name="y_val",
            remedy=f"Pass other validation rows, or {NO_LABELS}.",
        )
    elif needs_labels(rule):
        raise ValueError(
            f"{type(rule).__name__} needs labels: pass y_val with X_val, or "
            f"{NO_LABELS}."
        )
    return rule


def _reader(detectors, X) -> Callable[[Any], Any]:
    """Read tables as the first detector does that begins with a `TableReader`.

    Returns None for each if there is none.
    """
    found = (reader_of(detector) for detector in detectors.values())
    reader = next((one for one in found if one is not None), None)
    if reader is None:
        return lambda table: None
    fitted = silently(clone(reader).fit, X)
    return lambda table: silently(fitted.transform, table)


def _read_points(detectors, X, y) -> Rows | None:
    """Read series and times of rows; None if they are not points of a series."""
    index = index_of(X, y)
    return read_index(index, num_samples(X)) if _is_series(detectors, index) else None


def _is_series(detectors, index) -> bool:
    """Whether rows follow each other in time: they are windowed, or have times."""
    if any(find_windows(detector) for detector in detectors.values()):
        return True
    if index is None or index.has_duplicates:
        return False
    time = index.get_level_values(-1)
    if not isinstance(time, pd.DatetimeIndex | pd.TimedeltaIndex | pd.PeriodIndex):
        return False
    return not time.hasnans and read_rows(index).is_in_order


def _report(outcome, protocol, detectors) -> EvaluationReport:
    runs = outcome.table
    return EvaluationReport(
        table=_summarize(runs, detectors),
        runs=runs,
        protocol=protocol,
        detectors=outcome.fitted,
        scores=outcome.scores,
    )


def _summarize(runs, detectors) -> pd.DataFrame:
    """Compute means and standard deviations over the runs of each detector."""
    by_name = runs.groupby("detector", sort=False)
    figures = by_name[[n for n in runs if n not in ("detector", "seed", "threshold")]]
    table = figures.mean().join(figures.std().add_suffix("_std"))
    table["n_runs"] = by_name.size()
    table["is_reference"] = ~table.index.isin(list(detectors))
    return table.rename_axis(None)
