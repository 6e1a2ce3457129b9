"""What drift is told by, counted while rows come: in constant memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skad.calibration._drift import DriftReport, sensors_moved, shares_of_counts
from skad.calibration._usual import UsualReadings, WindowMeans, step_of
from skad.scale._stream_steps import Part, State, as_values, borders
from skad.series._drift import join_series
from skad.series._readings import errors_of_windows
from skad.series._table_windows import TableWindows
from skad.series._windows import windows_view


class Watch:
    """Counts of flagged rows, and sums of what `drift_report` compares, of one series.

    Parameters
    ----------
    detector : WindowedDetector or DetectorUnion
        What finds its threshold itself.
    reach : int
        Rows of its longest window.
    few : callable
        Returns the inner detector to measure residuals by, or None.
    """

    def __init__(self, detector: Any, reach: int, few: Any):
        self._detector, self._few = detector, few
        self.calibration = detector.calibration_
        self._reach, self._apart = reach, step_of(reach)
        self._offset = detector.offset_

    def start(self) -> State:
        """Count nothing yet."""
        n_channels = len(self.calibration.usual.units)
        counts = dict.fromkeys(("n_seen", "n_rows", "n_flagged", "n_windows"), 0)
        nothing = {"rows": None, "time": None, "place": -1, "tells_errors": True}
        return counts | nothing | {"sums": np.zeros((3, n_channels))}

    def push(self, state: State, part: Part, scores: NDArray) -> State:
        """Count rows and their scores."""
        rows = as_values(self._detector, part.values)
        state = dict(state)
        state["n_rows"] += int(np.count_nonzero(scores == scores))
        state["n_flagged"] += int(np.count_nonzero(scores < self._offset))
        max_gap = getattr(self._detector, "max_gap_", None)
        is_new = borders(part.times, state["time"], max_gap)
        for at in range(len(rows)):
            if is_new[at if part.times is not None else 0]:
                state["rows"] = None
            self._count(state, rows[at : at + 1])
        state["time"] = None if part.times is None else part.times[-1]
        return state

    def _count(self, state, row) -> None:
        """Count the window that ends with a row, if it is one of those to judge."""
        before = state["rows"]
        rows = row if before is None else np.concatenate([before, row])
        state["n_seen"] += 1
        first = state["n_seen"] - self._reach
        if len(rows) == self._reach:
            if first // self._apart != state["place"]:
                state["place"] = first // self._apart
                self._measure(state, rows)
            rows = rows[1:]
        state["rows"] = rows

    def _measure(self, state, window) -> None:
        mean = window.mean(axis=0, dtype=np.float64)
        level = self.calibration.usual.level.mean if self._reach == 1 else mean
        told = [mean, np.abs(window - level).mean(axis=0), np.zeros(len(mean))]
        inner, errors = self._few(), None
        if inner is not None:
            view, starts = windows_view(window, self._reach), np.zeros(1, dtype=int)
            rows: Any = None  # of which nothing is asked
            windows = TableWindows(window, rows, self._reach, starts, view)
            errors = errors_of_windows(inner, windows)
        if errors is None:
            state["tells_errors"] = False
        else:
            told[2] = errors[0]
        state["sums"] = state["sums"] + np.array(told)
        state["n_windows"] += 1


def pooled(states: list[State]) -> State:
    """Put the counts of several series together."""
    names = ("n_rows", "n_flagged", "n_windows", "sums")
    found = {name: sum(one[name] for one in states) for name in names}
    return found | {"tells_errors": all(one["tells_errors"] for one in states)}


def report_of(found: list[tuple[Any, Any, State, list]], confidence) -> DriftReport:
    """Report on series: name, calibration, counts and names of sensors of each."""
    each = confidence if len(found) == 1 else 1 - (1 - confidence) / len(found)
    tables = []
    for _, calibration, counts, names in found:
        tables.append(sensors_moved(calibration.usual, _now(counts), names, each))
    return DriftReport(
        sensors=join_series([name for name, *_ in found], tables),
        n_rows=sum(counts["n_rows"] for _, _, counts, _ in found),
        n_windows=sum(counts["n_windows"] for _, _, counts, _ in found),
        confidence=float(confidence),
        **shares_flagged_so_far(found),
    )


def shares_flagged_so_far(found) -> dict[str, float]:
    """Share of rows flagged, its interval, and what is promised and allowed."""
    calibrations = [calibration for _, calibration, _, _ in found]
    n_rows = [counts["n_rows"] for _, _, counts, _ in found]
    n_flagged = sum(counts["n_flagged"] for _, _, counts, _ in found)
    return shares_of_counts(calibrations, n_rows, n_flagged)


def _now(counts) -> UsualReadings:
    n_windows = counts["n_windows"]
    means = [
        WindowMeans(n_windows, mean, np.empty((0, len(mean))))
        for mean in counts["sums"] / n_windows
    ]
    level, spread, error = means
    told = error if counts["tells_errors"] else None
    return UsualReadings(level, spread, told, np.ones(len(level.mean)))
