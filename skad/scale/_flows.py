"""Rows of several series on their way through an estimator, part by part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from skad._series_names import rows_by_series
from skad._validation import take
from skad.scale._path import RowPath, path_of
from skad.scale._segments import Reach, SegmentScores
from skad.series._imputer import TimeSeriesImputer
from skad.series._imputer_parts import FilledParts
from skad.series._of_series import scale_of
from skad.series._rows import index_of

# Rows to wait for before they are scored: fewer cost more each. Of each series, and of
# all of them.
_ROWS_AT_ONCE, _ROWS_IN_ALL = 2**12, 2**17

LOST_INDEX = (
    "A step has lost the index, so that all series look like one to the detector; keep "
    'it with set_output(transform="pandas") of the pipeline.'
)

# The name of a series, and scores of some of its rows.
Scores: TypeAlias = tuple[Any, pd.Series]


class TransformedParts:
    """Rows transformed part by part by a step that sees each row alone."""

    def __init__(self, step: Any):
        self._step = step

    def push(self, table: Any, *, is_last: bool = False) -> Any:
        """Transform the rows; None stands for no rows."""
        return None if table is None else self._step.transform(table)


class SeriesWay:
    """What scores the rows of one series, behind the reader: steps and a detector."""

    def __init__(self, path: RowPath, name: Any):
        self.steps, self.detector, self.scale = path.steps, path.detector, (0.0, 1.0)
        if hasattr(path.detector, "splits_series"):
            one, spread = path.detector._detector_of(name)
            inner = path_of(one)
            reader = [] if inner.reader is None else [inner.reader]
            self.steps = [*path.steps, *reader, *inner.steps]
            self.detector, self.scale = inner.detector, scale_of(one, spread)

    def score(self, table: Any) -> Any:
        """Score rows that have gone through all steps."""
        shift, unit = self.scale
        return (self.detector.score_samples(table) - shift) / unit


class SeriesFlow:
    """Rows of one series: what has come, and what still waits for later rows.

    Scores come out in the order of the rows, as soon as the rows are there that they
    depend on. It can be pickled, and goes on elsewhere.
    """

    def __init__(self, way: SeriesWay, name: Any):
        self._name = name
        self._steps = [
            FilledParts(step)
            if isinstance(step, TimeSeriesImputer)
            else TransformedParts(step)
            for step in way.steps
        ]
        self.reach = Reach(way.detector)
        self._segments = SegmentScores(self.reach)
        self._labels: Any = None  # of rows that have no score yet

    def push(
        self, table: Any, labels: Any, score: Any, *, is_last=False, n_worth=1
    ) -> pd.Series:
        """Return the scores of the next rows that are known, by their labels."""
        self._labels = join_indexes(self._labels, labels)
        for step in self._steps:
            table = step.push(table, is_last=is_last)
        if self._name is not None and isinstance(table, np.ndarray):
            raise ValueError(LOST_INDEX)
        scores = self._segments.push(table, score, is_last=is_last, n_worth=n_worth)
        known, self._labels = self._labels[: len(scores)], self._labels[len(scores) :]
        return pd.Series(scores, known, name="score")


class Flows:
    """Rows of all series of a table that comes in chunks.

    Parameters
    ----------
    path : RowPath
        What they go through.
    flows : dict of SeriesFlow, default=None
        Series whose first rows have come already.
    scores : bool, default=True
        Whether to score; if not, rows only go as far as they would, and scores are NaN.
    """

    def __init__(self, path: RowPath, flows: Any = None, *, scores: bool = True):
        self.flows: dict[Any, SeriesFlow] = {} if flows is None else flows
        self.scores = scores
        # series of which rows have come, in this order; see `settle`
        self.touched: dict[Any, None] = {}
        self._path = path
        self._ways: dict[Any, SeriesWay] = {}

    def push(self, table: Any, labels: pd.Index) -> list[Scores]:
        """Return the scores of rows that are known, where they are worth a call."""
        found = []
        for name, rows in rows_by_series(index_of(table), None, len(table)).items():
            way = self._way(name)
            if name not in self.flows:
                self.flows[name] = SeriesFlow(way, name)
            flow = self.flows[name]
            self.touched[name] = None
            n_worth = min(_ROWS_AT_ONCE, _ROWS_IN_ALL // len(self.flows))
            n_worth = max(n_worth, flow.reach.n_around)
            (part,) = take(rows, table)
            score = way.score if self.scores else None
            scores = flow.push(part, labels[rows], score, n_worth=n_worth)
            found.append((name, scores))
        return [(name, scores) for name, scores in found if len(scores)]

    def settle(self) -> list[Scores]:
        """Return what else is known of touched series, worth a call or not.

        So their state depends on nothing but the rows that have come.
        """
        return self._push_nothing([*self.touched])

    def finish(self, names: Any = None) -> list[Scores]:
        """Return the last scores of series of which no rows will come; None: all."""
        ended = [name for name in self.flows if names is None or name in names]
        found = self._push_nothing(ended, is_last=True)
        self.flows = {n: flow for n, flow in self.flows.items() if n not in ended}
        return found

    def _push_nothing(self, names, *, is_last=False) -> list[Scores]:
        found = []
        for name in names:
            score = self._way(name).score if self.scores else None
            scores = self.flows[name].push(None, None, score, is_last=is_last)
            found.append((name, scores))
        return [(name, scores) for name, scores in found if len(scores)]

    def _way(self, name) -> SeriesWay:
        if not hasattr(self._path.detector, "splits_series"):
            name = None  # one for all
        if name not in self._ways:
            self._ways[name] = SeriesWay(self._path, name)
        return self._ways[name]


def gather(found: list[Scores], order: Iterable[Any] = ()) -> pd.Series:
    """Put scores one below the other, those of a series together; there are some.

    `order` are names of series that come first.
    """
    by_name: dict[Any, list] = {name: [] for name in order}
    for name, scores in found:
        by_name.setdefault(name, []).append(scores)
    return pd.concat([scores for parts in by_name.values() for scores in parts])


def join_indexes(first: pd.Index | None, second: pd.Index | None) -> Any:
    """Append one index to another; None stands for none."""
    if first is None or second is None:
        return second if first is None else first
    return first.append(second)
