"""What is known of a fitted detector: threshold, calibration, training and drift."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from skad._base import current_versions
from skad._nesting import find_layer, inside, layers, members
from skad._warnings import silently
from skad.calibration._drift import QUANTITIES
from skad.plotting._style import as_text, number
from skad.reporting._tables import Absent, Cell, Table, as_name, cell, share_cell
from skad.series._drift import drift_report


@dataclass(frozen=True, eq=False)
class Detector:
    """A fitted detector in words.

    Attributes
    ----------
    name : str
        Class of the innermost detector.
    layers : list of str
        Classes from the outermost estimator to the detector, steps of pipelines
        included.
    parameters : str
        The estimator as it prints.
    calibration : list of str
        Where the threshold comes from, in sentences.
    by_series : Table or None
        The same for each series, if each has a detector of its own.
    promised : float or None
        Share of new normal rows to be flagged, if the threshold in force promises one.
    history : DataFrame or Absent
        Losses of the epochs.
    best_epoch : int or None
        The epoch whose weights were kept, if it is known.
    versions : dict of str to str
        Of what computes the scores.
    """

    name: str
    layers: list[str]
    parameters: str
    calibration: list[str]
    by_series: Table | None
    promised: float | None
    history: Any
    best_epoch: int | None
    versions: dict[str, str]


def describe_detector(estimator) -> Detector:
    """Describe a fitted estimator."""
    layer = find_layer(estimator, "offset_")
    history, best_epoch = _read_history(estimator)
    core = _scorer_of(estimator)
    n_members, name = len(members(core)), type(core).__name__
    by_series = getattr(layer, "estimators_", None)
    is_split = getattr(layer, "splits_series", False)
    return Detector(
        name=f"{name} of {n_members} detectors" if n_members else name,
        layers=_list_layers(estimator),
        parameters=repr(estimator),
        calibration=_describe_threshold(layer),
        by_series=_table_of_series(by_series) if is_split else None,
        promised=getattr(getattr(layer, "calibration_", None), "promised", None),
        history=history,
        best_epoch=best_epoch,
        versions=current_versions(),
    )


def _scorer_of(estimator) -> Any:
    """Find the innermost layer that scores rows: ensembles hold what does not."""
    return [one for one in layers(estimator) if hasattr(one, "score_samples")][-1]


def _list_layers(estimator) -> list[str]:
    found: list[str] = []
    core = _scorer_of(estimator)
    for layer in layers(estimator):
        if found and layer is inside(core):
            break
        found.append(type(layer).__name__)
        if isinstance(layer, Pipeline):
            found += [type(step).__name__ for _, step in layer.steps[:-1]]
    return [name for name in found if name != "Pipeline"]


def _describe_threshold(layer) -> list[str]:
    calibration = getattr(layer, "calibration_", None)
    if calibration is not None:
        return [f"{line}." for line in repr(calibration).splitlines()]
    name = type(layer).__name__
    if getattr(layer, "splits_series", False):
        return [
            "Each series has a detector of its own, and scores are in multiples of the "
            "threshold of each: below -1 they are flagged."
        ]
    rule = getattr(layer, "rule_", None)
    source = f"that {rule!r} found" if rule is not None else f"of {name}"
    return [
        f"Threshold {number(layer.offset_)}, {source}.",
        "It was not calibrated on rows left out of training: nothing is promised of "
        "the share of new normal rows that it flags.",
    ]


def _table_of_series(estimators) -> Table:
    rows = []
    for name, one in estimators.items():
        found = find_layer(one, "offset_")
        calibration = getattr(found, "calibration_", None)
        cells = [cell(as_name("all rows" if name is None else name))]
        cells.append(cell(float(found.offset_)))
        cells.append(cell(getattr(calibration, "source", None)))
        promised = getattr(calibration, "promised", None)
        cells.append(cell(None) if promised is None else share_cell(promised))
        n_independent = getattr(calibration, "n_independent", None)
        cells.append(cell(None if n_independent is None else round(n_independent)))
        rows.append(cells)
    columns = ["Series", "Threshold", "From scores of", "Promised", "Independent"]
    return Table(
        "Threshold of each series in the unit of its detector, the share of new normal "
        "rows that it is to flag, and the independent windows that it rests on.",
        columns,
        rows,
    )


def _read_history(estimator) -> tuple[Any, int | None]:
    try:
        detector = find_layer(estimator, "history_")
    except TypeError:
        name = type(_scorer_of(estimator)).__name__
        why = f"{name} keeps no history of a training."
        return Absent(why), None
    history = pd.DataFrame(detector.history_)
    if not len(history) or "train_loss" not in history:
        return Absent("The training kept no losses."), None
    return history, getattr(detector, "best_epoch_", None)


def read_drift(estimator, X) -> Any:
    """Make the drift report of rows, or say why there is none."""
    try:
        return silently(drift_report, estimator, X)
    except (TypeError, ValueError) as error:
        return Absent(str(error))


def table_of_drift(report, n_most=100) -> Table:
    """Write how far sensors moved, the farthest first, as a table."""
    rows = []
    for name, row in report.sensors[:n_most].iterrows():
        moved = [_moved(row, quantity) for quantity in QUANTITIES]
        text = as_name(name) if isinstance(name, tuple) else as_text(name)
        rows.append([cell(text), cell(row["moved"] or "nothing"), *moved])
    return Table(
        "How far sensors moved since fit, those that moved farthest first. Levels are "
        "in standard deviations of fit, spreads and errors are natural logarithms of "
        "ratios: 0.7 is twice as much. In brackets: intervals that hold together with "
        f"{100 * report.confidence:g} % confidence.",
        ["Sensor", "Moved", "Level", "Spread", "Error"],
        rows,
    )


def _moved(row, quantity) -> Cell:
    value = float(row[quantity])
    ends = [number(row[f"{quantity}_{end}"]) for end in ("low", "high")]
    return cell(value, f"{number(value)} ({ends[0]} to {ends[1]})")
