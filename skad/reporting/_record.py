"""Scores of all rows, series by series: what the page is about."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._nesting import as_read, core_of, find_layer, members
from skad._validation import check_is_fitted, num_samples
from skad._warnings import silently
from skad.evaluation._protocol import find_windows
from skad.plotting._reading import is_dates, read_labels
from skad.series._rows import Rows, index_of, read_index
from skad.thresholds._cuts import check_scores


@dataclass(frozen=True, eq=False)
class Series:
    """Rows of one series, in the order of time."""

    name: Any
    index: pd.Index
    scores: NDArray[np.float64]
    is_flagged: NDArray[np.bool_]
    is_anomaly: NDArray[np.bool_] | None


@dataclass(frozen=True, eq=False)
class Record:
    """Scores of a table, and what was read of its rows.

    Attributes
    ----------
    estimator, X : estimator and array-like
        As they were given.
    table : array-like
        `X` as the first step of a pipeline reads it.
    index : Index or None
        Series and times of the table, without time zones.
    zone : str
        Whose time that is; "" if there are no dates, or none with a zone.
    rows : Rows
        The index as it was read.
    scores, is_flagged, is_anomaly : ndarray of shape (n_rows,)
        In the order of the table; no labels are None.
    threshold : float
        Rows with a score below it are flagged.
    window_length : int or None
        Rows of a window where rows are points of a series; None where they are windows.
    """

    estimator: Any
    X: Any
    table: Any
    index: Any
    zone: str
    rows: Rows
    scores: NDArray[np.float64]
    is_anomaly: NDArray[np.bool_] | None
    threshold: float
    window_length: Any

    @property
    def n_rows(self) -> int:
        """Number of rows that have a score."""
        return len(self.scores)

    @cached_property
    def is_flagged(self) -> NDArray[np.bool_]:
        """Whether rows are below the threshold, as `predict` finds them."""
        return self.scores - self.threshold < 0

    @property
    def has_both_classes(self) -> bool:
        """Whether there are labels, of normal rows and of anomalies."""
        labels = self.is_anomaly
        return labels is not None and bool(labels.any() and not labels.all())

    @property
    def is_in_time(self) -> bool:
        """Whether neighbouring rows follow each other in time."""
        return self.window_length is not None or self.rows.has_dates

    @property
    def unit(self) -> str:
        """What a row is."""
        is_beat = self.window_length is None and find_reconstructor(self.estimator)
        return "window" if is_beat and not self.rows.has_dates else "row"

    @cached_property
    def series(self) -> list[Series]:
        """The rows of each series, in the order of the names."""
        rows, n_rows = self.rows, self.n_rows
        time: Any = rows.time if rows.has_dates else rows.labels
        starts = np.flatnonzero(np.r_[True, rows.begins_series, True])
        starts[-1] = n_rows
        found = []
        for first, stop in pairwise(starts):
            labels = time[first:stop]
            is_time = is_dates(labels) or labels.dtype.kind in "iuf"
            at = rows.place(np.arange(first, stop))
            labelled = None if self.is_anomaly is None else self.is_anomaly[at]
            found.append(
                Series(
                    name=None if rows.series is None else rows.series[first],
                    index=labels if is_time else pd.RangeIndex(len(labels)),
                    scores=self.scores[at],
                    is_flagged=self.is_flagged[at],
                    is_anomaly=labelled,
                )
            )
        return found


def read_record(estimator, X, y) -> Record:
    """Score the rows of a table, and read its index and labels."""
    check_is_fitted(estimator)
    threshold = float(np.squeeze(find_layer(estimator, "offset_").offset_))
    if num_samples(X) == 0:
        raise ValueError("X holds no rows; at least one is needed.")
    scores = check_scores(estimator.score_samples(X))
    table = silently(as_read, estimator, X)
    index, zone = without_zone(index_of(table))
    return Record(
        estimator=estimator,
        X=X,
        table=table,
        index=index,
        zone=zone,
        rows=read_index(index, len(scores)),
        scores=scores,
        is_anomaly=read_labels(y, len(scores), "y"),
        threshold=threshold,
        window_length=_find_windows(estimator),
    )


def _find_windows(estimator) -> Any:
    """Rows of the windows that an estimator, or members of a union, cut from a table.

    The longest; None if they take windows, or single rows.
    """
    found = [find_windows(one) for one in (estimator, *members(core_of(estimator)))]
    return max((length for length in found if length is not None), default=None)


def find_reconstructor(estimator) -> Any:
    """Find the layer that reconstructs windows, or None."""
    try:
        return find_layer(estimator, "reconstruct")
    except TypeError:  # there is none
        return None


def without_zone(index) -> tuple[Any, str]:
    """Dates by the clock of their zone or, where that is put forward, in UTC."""
    if index is None:
        return None, ""
    time = index.get_level_values(-1)
    zone = getattr(time, "tz", None)
    if zone is None:
        return index, ""
    local, utc = time.tz_localize(None), time.tz_convert(None)
    offsets = local - utc
    is_steady = offsets.nunique() == 1
    time, name = (local, str(zone)) if is_steady else (utc, "UTC")
    if isinstance(index, pd.MultiIndex):
        levels = [index.get_level_values(n) for n in range(index.nlevels - 1)]
        return pd.MultiIndex.from_arrays([*levels, time], names=index.names), name
    return time, name
