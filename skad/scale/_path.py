"""The way of rows through a fitted estimator: a reader, steps, and what scores them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from skad._nesting import find_layer, layers, members, parts
from skad._validation import check_is_fitted
from skad.series._imputer import TimeSeriesImputer
from skad.series._table_parts import as_names


@dataclass(frozen=True)
class RowPath:
    """What the rows of a table go through, from the first step to their score.

    Attributes
    ----------
    reader : TableReader or None
        The first step, which reads whole tables.
    steps : list of transformers
        Those behind it, which transform each row alone; and imputers.
    detector : estimator
        What scores the rows: it cuts windows, or does not, or is a union of such, or
        holds a detector for each series.
    """

    reader: Any
    steps: list[Any]
    detector: Any


def path_of(estimator) -> RowPath:
    """Take a fitted estimator apart; refuse steps that need the rows around.

    Searches, and wrappers that choose a threshold, are seen through: their scores are
    those of what is inside.
    """
    check_is_fitted(estimator)
    steps, detector = open_path(estimator)
    reader = None
    if steps and getattr(steps[0], "reads_tables", False):
        reader, *steps = steps
        check_reader(reader)
    for step in steps:
        _check_step(step)
    _check_detector(detector)
    return RowPath(reader, steps, detector)


def names_given(reader, time, series) -> tuple[list, list]:
    """Read names of the columns of series, and of time; a reader has its own."""
    given = as_names(series), as_names(time)
    if reader is not None and any(given):
        raise ValueError(
            f"time={time!r}, series={series!r}, but the pipeline begins with a "
            "TableReader, which has its own; leave them out here."
        )
    return given


def threshold_of(estimator) -> float:
    """Score below which a row is an anomaly."""
    return float(find_layer(estimator, "offset_").offset_)


def cutters(detector) -> list[Any]:
    """List the detectors of windows of which a detector of rows consists."""
    if hasattr(detector, "window_length_") and hasattr(detector, "max_gap_"):
        return [detector]  # not a detector of rows, which are windows of one row to it
    ends = [open_path(member)[1] for member in members(detector)]
    return [cutter for end in ends for cutter in cutters(end)]


def open_path(estimator) -> tuple[list[Any], Any]:
    """List the steps of pipelines on the way to what scores rows; return both."""
    steps: list[Any] = []
    end = estimator
    for layer in layers(estimator):
        if not hasattr(layer, "score_samples"):
            break  # a part of an ensemble
        end = layer
        if isinstance(layer, Pipeline):
            found = (step for _, step in layer.steps[:-1])
            steps += [one for one in found if one not in (None, "passthrough")]
        elif hasattr(layer, "window_length_") or hasattr(layer, "splits_series"):
            break
    return steps, end


# Checks -------------------------------------------------------------------------------


def _fills(step) -> bool:
    return isinstance(step, TimeSeriesImputer)


def check_reader(reader) -> None:
    """Refuse a reader that makes a row from several."""
    for name in ("every", "long"):
        if getattr(reader, name) is not None:
            raise ValueError(
                f"TableReader({name}={getattr(reader, name)!r}) makes a row from "
                "several, which may lie in different chunks. Put it before: chunks "
                "made by skad.clean_table, scored by a pipeline without it."
            )


def _check_step(step) -> None:
    """Refuse a transformer of rows that sees the rows around, unless it is known."""
    if _fills(step):
        return
    for part in parts(step):
        if getattr(part, "needs_order", False):
            raise ValueError(
                f"The step {type(part).__name__} makes a row from those around it, "
                "which may lie in another chunk; only TimeSeriesImputer may, as a step "
                "of its own. Windows are cut by WindowedDetector."
            )


def _check_detector(detector) -> None:
    for member in members(detector):
        steps, end = open_path(member)
        for step in steps:
            if _fills(step):
                raise ValueError(
                    "A member of the union begins with TimeSeriesImputer, which needs "
                    "the rows before; put it before the union."
                )
            _check_step(step)
        _check_detector(end)
    gaps = {str(cutter.max_gap_) for cutter in cutters(detector)}
    if len(gaps) > 1:
        raise ValueError(
            f"Members of the union see gaps where time makes steps of {sorted(gaps)}; "
            "expected the same max_gap for all."
        )
