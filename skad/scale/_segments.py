"""Rows of one series scored as they come, segment by segment."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._base import VersionedMixin
from skad._nesting import core_of
from skad.scale._path import cutters
from skad.series._cover import windows_at_once
from skad.series._parts_of_tables import join, rows_at
from skad.series._rows import index_of, read_rows


class Reach:
    """Which rows of a segment must stand together for a detector to score some.

    Attributes
    ----------
    length : int
        Rows of its longest window.
    period : int
        A table that begins so many rows, or a multiple, after its segment has its
        windows, and the blocks of them that are scored in one call, at the same rows.
    max_gap : number, timedelta64 or None
        Longest step in time that is no border.
    """

    def __init__(self, detector: Any):
        found = cutters(detector)
        self.length = max((one.window_length_ for one in found), default=1)
        self.period = math.lcm(64, *map(_period_of, found))
        self.max_gap = found[0].max_gap_ if found else None

    @property
    def n_around(self) -> int:
        """Rows around that are scored once more in each call, at most."""
        return self.period + 2 * self.length

    def aligned(self, row: int) -> int:
        """Last row before that a table may begin at."""
        return max(0, row) // self.period * self.period

    def n_known(self, n_rows: int) -> int:
        """Count rows of a table that no later row can change, in whole periods."""
        return self.aligned(n_rows - self.length)


def _period_of(cutter) -> int:
    """Rows after which the windows, and blocks of them, of a detector repeat."""
    inner = cutter.estimator_
    if isinstance(core_of(inner), VersionedMixin):  # one of skad's
        return 64 * cutter.stride
    n_values = cutter.window_length_ * cutter.n_features_in_
    return windows_at_once(n_values) * cutter.stride


class SegmentScores:
    """Scores of the rows of one series, which come in parts.

    Rows are kept until those behind them have come, from an aligned row of the segment
    that runs, so that each is scored as it is in the whole table.
    """

    def __init__(self, reach: Reach):
        self._reach = reach
        self._waiting: list[Any] = []  # rows of the segment, from an aligned one on
        self._n_given = 0  # of them, those at the front that have their scores

    def push(
        self, table: Any, score: Any, *, is_last: bool = False, n_worth: int = 1
    ) -> NDArray[np.float64]:
        """Return the scores of the next rows that are known.

        But where a segment ends, fewer than `n_worth` are not worth a call yet.
        ``score(table)`` scores a table; None leaves that out, and all scores are NaN.
        """
        scores = [np.empty(0)]
        for number, part in enumerate(self._segments(table)):
            if number:
                scores.append(self._score(score, is_end=True))
            if part is not None:
                self._waiting.append(part)
        scores.append(self._score(score, is_end=is_last, n_worth=n_worth))
        return np.concatenate(scores)

    def _segments(self, table) -> list[Any]:
        """Split rows at the ends of segments; the first goes on the one that runs."""
        if table is None:
            return []
        if self._reach.max_gap is None or not isinstance(table, pd.DataFrame):
            return [table]
        index = index_of(table)
        n_before = 0
        if self._waiting:  # the last row tells whether there is a gap
            index = self._waiting[-1].index[-1:].append(index)
            n_before = 1
        rows = read_rows(index, max_gap=self._reach.max_gap, learn=False)
        bounds = np.maximum(rows.bounds - n_before, 0)
        return [rows_at(table, slice(*pair)) for pair in bounds]

    def _score(self, score, *, is_end, n_worth=1) -> NDArray[np.float64]:
        """Score the rows that are known, if they are worth a call."""
        reach, n_rows = self._reach, sum(map(len, self._waiting))
        n_known = n_rows if is_end else reach.n_known(n_rows)
        n_new = n_known - self._n_given
        if n_new < (1 if is_end else n_worth):
            return np.empty(0)
        table = join(self._waiting)
        scores = np.full(n_new, np.nan)
        if score is not None:
            stop = n_rows if is_end else n_known + reach.length
            scores = score(rows_at(table, slice(0, stop)))[self._n_given : n_known]
        first = n_rows if is_end else reach.aligned(n_known - reach.length + 1)
        rest = rows_at(table, slice(first, None))
        self._waiting = [] if rest is None else [rest]
        self._n_given = 0 if is_end else n_known - first
        return scores
