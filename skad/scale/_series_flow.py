"""Rows of one series on their way through an estimator, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skad.scale._path import RowPath, path_of
from skad.scale._segments import SegmentScores
from skad.series._imputer import TimeSeriesImputer
from skad.series._imputer_parts import FilledParts
from skad.series._of_series import scale_of


class TransformedParts:
    """Rows transformed part by part by a step that sees each row alone."""

    def __init__(self, step: Any):
        self._step = step

    def push(self, table: Any, *, is_last: bool = False) -> Any:
        """Transform the rows; None stands for no rows."""
        return None if table is None else self._step.transform(table)


class SeriesFlow:
    """Rows of one series, from a table that was read to their scores.

    Scores come out in the order of the rows, as soon as the rows that they depend on
    have come.
    """

    def __init__(self, path: RowPath, name: Any):
        self._name = name
        steps, detector, self._scale = path.steps, path.detector, (0.0, 1.0)
        if hasattr(detector, "splits_series"):
            one, spread = detector._detector_of(name)
            inner = path_of(one)
            reader = [] if inner.reader is None else [inner.reader]
            steps, detector = [*steps, *reader, *inner.steps], inner.detector
            self._scale = scale_of(one, spread)
        self._steps = [
            FilledParts(step)
            if isinstance(step, TimeSeriesImputer)
            else TransformedParts(step)
            for step in steps
        ]
        self._scores = SegmentScores(detector)
        self._labels: Any = None  # of rows that have no score yet

    def push(
        self, table: Any, labels: Any, *, is_last: bool = False, n_worth: int = 0
    ) -> pd.Series:
        """Return the scores of the next rows that are known, by their labels."""
        self._labels = join_indexes(self._labels, labels)
        for step in self._steps:
            table = step.push(table, is_last=is_last)
        if self._name is not None and isinstance(table, np.ndarray):
            raise ValueError(
                "A step has lost the index, so that all series look like one to the "
                'detector; keep it with set_output(transform="pandas") of the pipeline.'
            )
        scores = self._scores.push(table, is_last=is_last, n_worth=n_worth)
        shift, unit = self._scale
        n_new = len(scores)
        known, self._labels = self._labels[:n_new], self._labels[n_new:]
        return pd.Series((scores - shift) / unit, known, name="score")


def join_indexes(first: pd.Index | None, second: pd.Index | None) -> pd.Index:
    """Append one index to another; None stands for none."""
    if first is None or second is None:
        return second if first is None else first
    return first.append(second)
