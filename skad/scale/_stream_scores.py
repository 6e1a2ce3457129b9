"""Scores of the newest rows, from windows that end at them.

As in `_stream_steps`, what is remembered is a dict of arrays.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from skad._fitting import as_fitted
from skad._nesting import explain_inside, members
from skad._validation import check_finite, knowing_finite
from skad.scale._flows import LOST_INDEX
from skad.scale._path import cutters, open_path
from skad.scale._stream_steps import (
    Part,
    State,
    as_table,
    as_values,
    borders,
    names_behind,
    step_of,
)
from skad.series._cover import windows_at_once
from skad.series._windowed import WindowedDetector
from skad.series._windows import windows_view

# So few windows are scored one by one, if the detector has a way for that.
_FEW = 6


class Found(NamedTuple):
    """Scores of rows; NaN where there is no whole window."""

    scores: NDArray[np.float64]  # (n_rows,)
    shares: NDArray[np.float64] | None = None  # (n_rows, n_channels), if asked for


class LastWindows:
    """Rows scored by a fitted `WindowedDetector`, each by the window that ends there.

    It remembers the rows of the segment that the next window holds.
    """

    def __init__(self, detector: WindowedDetector, steps: list[Any]):
        self.detector = detector
        self._detector = detector = as_fitted(detector)
        self._length = self.reach = detector.window_length_
        self._timesteps = detector.level == "timestep"
        self._inner = detector.estimator_
        self._few: Any = None
        self.names = names_behind(steps, detector, detector.n_features_in_)

    def start(self) -> State:
        """Remember no rows."""
        return {"rows": None, "time": None}

    def push(self, state: State, part: Part, explain: bool) -> tuple[State, Found]:
        """Score rows."""
        detector = self._detector
        rows = as_values(detector, part.values)
        if not np.isfinite(rows).all():
            check_finite(rows, getattr(detector, "feature_names_in_", None))
        before, found = state["rows"], []
        for run, is_new in _runs(part.times, state["time"], detector.max_gap_, rows):
            before = None if is_new else before
            joined = run if before is None else np.concatenate([before, run])
            found.append(self._score(joined, len(run), explain))
            before = joined[max(0, len(joined) - self._length + 1) :]
        if len(rows) > 1:
            before = before.copy()  # not all rows of the update
        time = None if part.times is None else part.times[-1]
        return {"rows": before, "time": time}, _join(found)

    def _score(self, rows, n_new, explain) -> Found:
        """Score the last rows of a segment."""
        scores = np.full(n_new, np.nan)
        n_known = min(n_new, len(rows) - self._length + 1)
        shares = np.full((n_new, rows.shape[1]), np.nan) if explain else None
        if n_known > 0:
            rows = rows[-(n_known + self._length - 1) :]
            windows = rows.reshape(1, -1) if n_known == 1 else None
            if windows is None:
                windows = windows_view(rows, self._length)
            scores[n_new - n_known :] = self._scores_of(windows)
            if shares is not None:
                shares[n_new - n_known :] = self._shares_of(windows)
        return Found(scores, shares)

    def few(self) -> Any:
        """Return the detector inside, for few windows; it is made at first use."""
        if self._few is None:
            can = hasattr(self._inner, "_for_few")
            self._few = self._inner._for_few() if can else self._inner
        return self._few

    def _scores_of(self, windows) -> NDArray[np.float64]:
        if len(windows) <= _FEW and hasattr(self._inner, "_for_few"):
            errors = self.few()._errors_of_few(windows, timesteps=self._timesteps)
            return -(errors[:, -1] if self._timesteps else errors)
        method = "score_timesteps" if self._timesteps else "score_samples"
        score, scores = getattr(self._inner, method), np.empty(len(windows))
        for at in gen_batches(len(windows), windows_at_once(windows.shape[1])):
            told = knowing_finite(score, windows[at])
            scores[at] = told[:, -1] if self._timesteps else told
        return scores

    def _shares_of(self, windows) -> NDArray[np.float64]:
        shares = knowing_finite(explain_inside, self._inner, windows)
        if self._timesteps:
            return self._length * shares[:, -1]
        return shares.sum(axis=1)


class LastRows:
    """Rows scored by a detector that sees each alone."""

    def __init__(self, detector: Any, steps: list[Any]):
        self.detector = self._detector = detector
        self.reach = 1
        self._before = steps[-1] if steps else None
        n_channels = getattr(detector, "n_features_in_", 0)
        self.names = names_behind(steps, detector, n_channels)

    def start(self) -> State:
        """Remember nothing."""
        return {}

    def push(self, state: State, part: Part, explain: bool) -> tuple[State, Found]:
        """Score rows."""
        rows = as_table(self._detector, self._before, part)
        scores = np.asarray(self._detector.score_samples(rows), np.float64)
        shares = explain_inside(self._detector, rows) if explain else None
        return state, Found(scores, shares)


class LastOfUnion:
    """Rows scored by the members of a fitted `DetectorUnion`, each in its way."""

    def __init__(self, union: Any, steps: list[Any]):
        self.detector = union
        self._union = as_fitted(union)
        opened = [open_path(one) for one in members(self._union)]
        self._members = [Lane(steps, end_of(one, steps), None) for steps, one in opened]
        self.names = self._members[0].end.names
        self.reach = max(one.end.reach for one in self._members)

    def start(self) -> State:
        """Remember what members do."""
        return {"members": [one.start() for one in self._members]}

    def few(self) -> None:
        """Tell that there is no one detector inside."""

    def push(self, state: State, part: Part, explain: bool) -> tuple[State, Found]:
        """Score rows."""
        states, found = [], []
        for member, one in zip(self._members, state["members"], strict=True):
            one, told = member.push(one, part, explain)
            states.append(one)
            found.append(told)
        errors = np.column_stack([-one.scores for one in found])
        counted = self._union._in_units(errors)
        shares = None
        if explain:
            factors = np.divide(
                counted, errors, out=np.zeros_like(errors), where=errors != 0
            )
            pairs = zip(found, factors.T, strict=True)
            shares = np.sum([one.shares * by[:, None] for one, by in pairs], axis=0)
        return {"members": states}, Found(-counted.sum(axis=1), shares)


class Lane:
    """Steps, what scores the rows behind them, and what watches these for drift."""

    def __init__(self, steps: list[Any], end: Any, name: Any, watch: Any = None):
        firsts = [None, *steps[:-1]]
        pairs = zip(steps, firsts, strict=False)
        self._steps = [step_of(step, before, name) for step, before in pairs]
        self.end, self.watch = end, watch

    def start(self) -> State:
        """Remember what steps and the detector do of no rows."""
        state = {"steps": [s.start() for s in self._steps], "end": self.end.start()}
        if self.watch is not None:
            state["watch"] = self.watch.start()
        return state

    def push(self, state: State, part: Part, explain: bool) -> tuple[State, Found]:
        """Take rows through all steps, and score them."""
        states = []
        is_named = part.labels is not None and part.labels.nlevels > 1
        for step, one in zip(self._steps, state["steps"], strict=True):
            one, part = step.push(one, part)
            states.append(one)
        if is_named and part.labels is None:
            raise ValueError(LOST_INDEX)
        end, found = self.end.push(state["end"], part, explain)
        after = {"steps": states, "end": end}
        if self.watch is not None:
            after["watch"] = self.watch.push(state["watch"], part, found.scores)
        return after, found


def end_of(detector, steps) -> Any:
    """Make what scores rows behind steps by a fitted detector."""
    if isinstance(detector, WindowedDetector):
        return LastWindows(detector, steps)
    kind = LastOfUnion if cutters(detector) else LastRows
    return kind(detector, steps)


def _runs(times, last, max_gap, rows):
    """Yield rows of one segment after those of another, and whether it is a new one."""
    if len(rows) == 1:
        yield rows, bool(borders(times, last, max_gap)[0])
        return
    begins = borders(times, last, max_gap)
    bounds = np.unique([0, *np.flatnonzero(begins), len(rows)])
    for first, stop in pairwise(bounds):
        yield rows[first:stop], bool(begins[first if times is not None else 0])


def _join(found: list[Found]) -> Found:
    if len(found) == 1:
        return found[0]
    shares = [one.shares for one in found if one.shares is not None]
    scores = np.concatenate([one.scores for one in found])
    return Found(scores, np.concatenate(shares) if shares else None)
