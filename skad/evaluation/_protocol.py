"""How the figures were obtained, in words."""

import numpy as np
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline

from skad._nesting import core_of, layers
from skad._validation import check_outlier_labels
from skad.evaluation._figures import describe_metrics
from skad.series._events import find_ranges
from skad.series._length import WindowLength
from skad.series._windowed import WindowedDetector
from skad.series._windows import SlidingWindow
from skad.thresholds._rule import needs_labels


def find_windows(estimator) -> WindowLength | None:
    """Return the length of the windows that an estimator cuts; None if it cuts none.

    Before fit it is what the estimator was told: a number of rows or, say, "auto".
    """
    for layer in layers(estimator):
        is_pipeline = isinstance(layer, Pipeline)
        for step in layer.named_steps.values() if is_pipeline else [layer]:
            if isinstance(step, WindowedDetector | SlidingWindow):
                return getattr(step, "window_length_", step.window_length)
    return None


def describe(task, detectors, seeds, *, references) -> list[str]:
    """Say what was done, in one line per topic."""
    names = [("train", task.train), ("validation", task.val), ("test", task.test)]
    return [
        *(f"{name}: {_describe_part(p, task)}" for name, p in names if p is not None),
        f"threshold: {_describe_threshold(task)}",
        f"rows: {_describe_rows(detectors, is_series=task.rows is not None)}",
        f"seeds: {_describe_seeds(seeds)}",
        f"references: {_describe_references(detectors, references)}",
        *([f"metrics: {describe_metrics(task.metrics)}"] if task.metrics else []),
    ]


def _describe_part(part, task) -> str:
    text = _count(len(part), "row")
    is_anomaly = _read_labels(part)
    if part.y is None:
        return f"{text}, no labels given"
    if is_anomaly is None:
        return f"{text}, labels of other codings"
    text += f", {is_anomaly.mean():.1%} anomalies".replace("%", " %")
    if part is not task.test:
        return text
    if task.rows is not None:
        first, _ = find_ranges(task.rows.group(is_anomaly), task.rows.segments)
        text += f" in {_count(len(first), 'event')}"
    flag_all = f1_score(is_anomaly, np.ones(len(part)), zero_division=np.nan)
    return f"{text}; flagging all rows has F1 {flag_all:.3f}"


def _read_labels(part):
    """Whether rows are anomalies; None without labels in one of the two codings."""
    labels = None if part.y is None else set(np.asarray(part.y).tolist())
    if labels is None or not (labels <= {-1, 1} or labels <= {0, 1}):
        return None
    return check_outlier_labels(part.y)


def _describe_threshold(task) -> str:
    if task.rule is None:
        return "each detector's own, from fit; no validation rows were given"
    source = "scores and labels" if needs_labels(task.rule) else "scores"
    rule = " ".join(repr(task.rule).split())
    return f"found by {rule} on {source} of the validation rows, for each run"


def _describe_rows(detectors, *, is_series) -> str:
    if not is_series:  # then no detector cuts windows
        return "each by itself, no order in time"
    lengths = {name: find_windows(detector) for name, detector in detectors.items()}
    windows = [f"{name!r} by windows of {n} rows" for name, n in lengths.items() if n]
    alone = [f"{name!r} row by row" for name, n in lengths.items() if n is None]
    return ", ".join(["points of a series", *windows, *alone])


def _describe_seeds(seeds) -> str:
    text = f"{', '.join(map(str, seeds))} for random detectors"
    if len(seeds) == 1:
        return f"{text}; one run has no spread"
    return f"{text}; means, and in the line below (±) the standard deviation (n - 1)"


def _describe_references(detectors, references) -> str:
    if not references:
        return "none, as requested"
    name, detector = next(iter(detectors.items()))
    core = type(core_of(detector)).__name__
    return f"in the place of the {core} of {name!r}, on the same training rows"


def find_doubts(task, runs) -> list[str]:
    """Say which figures are undefined, and what makes them look too good."""
    doubts = []
    share = task.truth.mean()
    if share in (0, 1):
        *names, last = "ROC-AUC", "average precision", *map(repr, task.metrics)
        doubts.append(
            f"The test rows are all {'anomalies' if share else 'normal'}: "
            f"{', '.join(names)} and {last} are undefined (nan)"
            + ("." if share else ", and so are figures that count anomalies.")
        )
    elif share > 0.5:
        doubts.append(
            "More than half of the test rows are anomalies: compare F1 with that of "
            "'flag all', and average precision with that of 'random'."
        )
    if task.rows is not None:
        doubts.append(
            "One flagged row is enough to find an event, so 'flag all' finds all of "
            "them; delay is the median number of rows until then, and a missed event "
            "counts with its length."
        )
    if task.rule is not None and not needs_labels(task.rule):
        doubts += _find_blindness(task)
    for name, precisions in runs.groupby("detector", sort=False)["precision"]:
        if n_silent := int(precisions.isna().sum()):
            of_runs = f"{n_silent} of {_count(len(precisions), 'run')}"
            doubts.append(
                f"{name!r} flagged nothing in {of_runs}: precision is undefined there "
                "(nan), and the mean is over the others."
            )
    return doubts


def _find_blindness(task) -> list[str]:
    """Say that a rule without labels may have taken anomalies for normal rows."""
    is_anomaly = _read_labels(task.val)
    rule = type(task.rule).__name__
    if is_anomaly is None:
        return [f"{rule} took all validation rows for normal; no labels confirm it."]
    n = _count(int(is_anomaly.sum()), "anomaly")
    text = f"{rule} reads no labels: it took {n} among the validation rows for normal."
    return [text] if is_anomaly.any() else []


def _count(n, noun) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n} {noun if n == 1 else plural}"
