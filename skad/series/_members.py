"""Members of a union: detectors fitted on some rows, of a table or of windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skad._base import as_fold, uncalibrated
from skad._nesting import core_of, explains_channels, input_of, layers, members
from skad._series_names import Runs, takes_series
from skad._validation import num_samples, safe_indexing
from skad.calibration._blocks import blocks_of, consecutive_blocks, overlap_of_rows
from skad.calibration._fit import CalibratedThreshold
from skad.calibration._usual import gather_windows, step_of
from skad.series._folds import learns_positions
from skad.series._rows import read_rows
from skad.series._windowed import WindowedDetector
from skad.series._windows import window_starts, windows_view

# What the errors of a member may be divided by.
UNITS = ("std", "rms", "gain")
# Median errors below this share of their size are as good as none.
_LEAST_TYPICAL = 1e-3


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table, or windows as rows, that are learnt or judged.

    `is_table` tells whether detectors cut windows from them, which must not cross what
    is left out. Interleaved series then stand one after another here; `places` are
    where the rows of X are in the table that was given.
    """

    X: Any
    positions: NDArray
    is_table: bool
    places: NDArray

    def at(self, positions) -> Rows:
        """Other rows of the same table."""
        return replace(self, positions=positions)

    def gather(self) -> Any:
        """Take the rows: all of X, or a copy."""
        if len(self.positions) == num_samples(self.X):
            return self.X
        return safe_indexing(self.X, self.positions)

    def runs(self) -> NDArray | None:
        """Give each run of rows, with none left out between, a number; None for one."""
        numbers = np.cumsum(np.diff(self.positions, prepend=self.positions[:1]) > 1)
        return numbers if self.is_table and numbers[-1:].any() else None

    def blocks(self, n_blocks, reach, learnt) -> list[tuple[NDArray, NDArray]]:
        """Split into blocks: positions in X to learn from, and to judge.

        `learnt` are those of these rows that are learnt at all.
        """
        own = self.positions
        is_learnt = np.isin(own, learnt.positions)
        if not self.is_table:
            found = blocks_of(own, is_learnt, reach, n_blocks)
            return [(own[train], own[judged]) for train, judged in found]
        n_blocks = min(n_blocks, len(own) // (2 * reach))
        if n_blocks < 2:  # there would be no window in one
            return []
        found = [*consecutive_blocks(np.arange(len(own)), 1, n_blocks)]
        return [(own[train[is_learnt[train]]], own[judged]) for train, judged in found]


# Checks -----------------------------------------------------------------------------


def check_members(estimators) -> None:
    """Refuse what are no pairs of a name and a detector of all rows."""
    wrong = [pair for pair in estimators if not _is_member(pair)]
    kept = [] if wrong else [p for p in estimators if not is_dropped(p[1])]
    if wrong or not kept:
        raise ValueError(
            f"estimators {f'holds {wrong[0]!r}' if wrong else 'has no detector'}; "
            "expected pairs of a name and a detector with fit and score_samples, or "
            '"drop".'
        )
    for name, member in kept:
        labels = [getattr(one, "normal_label", None) for one in layers(member)]
        if any(label is not None for label in labels):
            raise ValueError(
                f"Set normal_label on DetectorUnion, not on {name!r}: what is not "
                "normal is left out for all members."
            )


def _is_member(pair) -> bool:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        return False
    name, member = pair
    is_detector = hasattr(member, "fit") and hasattr(member, "score_samples")
    return isinstance(name, str) and (is_detector or is_dropped(member))


def is_dropped(member) -> bool:
    """Whether a member takes no part."""
    return isinstance(member, str) and member == "drop"


def check_settings(weights, gates, units, estimators) -> None:
    """Refuse weights, gates and units of nobody, and others than there are."""
    names = [name for name, _ in estimators]
    _check_numbers("weights", weights, names)
    _check_numbers("gates", gates, names)
    _check_units(units, dict(estimators))


def _check_numbers(parameter, given, names) -> None:
    given = given or {}
    if unknown := sorted(given.keys() - set(names)):
        raise ValueError(f"{parameter} names {unknown}, but the members are {names}.")
    for name, value in given.items():
        if not isinstance(value, Real) or not 0 <= float(value) < np.inf:
            raise ValueError(
                f"{parameter}[{name!r}]={value!r}; expected a number >= 0."
            )


def check_explain(names, members) -> None:
    """Refuse members that do not explain the columns of X, in one shape."""
    silent = [n for n, one in zip(names, members, strict=True) if not _explains(one)]
    if silent:
        raise AttributeError(
            f"DetectorUnion cannot explain rows, because its members {silent} cannot."
        )
    shapes = {shape for one in members if (shape := _shape_of_core(one))}
    if len(shapes) > 1:
        raise AttributeError(
            f"DetectorUnion cannot explain rows, because its members {names} see them "
            f"as windows of different shapes, {sorted(shapes)}; set n_channels."
        )


def _explains(member) -> bool:
    """Whether a member explains: windows by their columns, tables behind any steps."""
    is_table = any(hasattr(one, "explain") for one in _cutters(member))
    return is_table or explains_channels(member)


def _check_units(given, estimators) -> None:
    given = given or {}
    if unknown := sorted(given.keys() - estimators.keys()):
        members = list(estimators)
        raise ValueError(f"units names {unknown}, but the members are {members}.")
    for name, kind in given.items():
        if kind not in UNITS:
            raise ValueError(f"units[{name!r}]={kind!r}; expected one of {UNITS}.")
        core = core_of(estimators[name])
        if kind == "gain" and not hasattr(core, "error_model"):
            raise ValueError(
                f"units[{name!r}]='gain' needs a detector of skad with an error_model, "
                f"but its detector is {core!r}; take 'std' or 'rms'."
            )


# Rows -------------------------------------------------------------------------------


def all_rows(X, detectors) -> Rows:
    """Take all rows of what detectors see."""
    positions = np.arange(num_samples(X))
    if not any(_cutters(one) for one in detectors):
        return Rows(X, positions, False, positions)
    rows = read_rows(X)
    if rows.order is not None:
        X = safe_indexing(X, rows.order)
    return Rows(X, positions, True, rows.place(positions))


def windows_at(X, positions) -> Rows:
    """Take the windows at some positions of X."""
    return Rows(X, positions, False, np.arange(len(X)))


def reach_of(rows: Rows, fitted) -> int:
    """How many rows tell the same: the longest window, or what windows share."""
    if rows.is_table:
        return max(one.window_length_ for member in fitted for one in _cutters(member))
    some = np.asarray(safe_indexing(rows.X, rows.positions[:64]))
    n_channels = some.shape[2] if some.ndim == 3 else _shape_of(some, fitted)[1]
    some = some.reshape(len(some), -1)
    return overlap_of_rows(some, n_channels) if some.dtype.kind in "biuf" else 1


def readings(rows: Rows, fitted) -> Iterator[NDArray]:
    """Yield windows to judge: (n_windows, window_length, n_channels)."""
    reach = reach_of(rows, fitted)
    values = np.asarray(rows.gather())
    if not rows.is_table:
        length, _ = _shape_of(values, fitted)
        flat = values.reshape(len(values), -1)
        yield from gather_windows(flat, np.arange(0, len(flat), step_of(reach)), length)
        return
    bounds = read_rows(rows.gather(), rows.runs()).bounds
    starts = window_starts(bounds, reach, step_of(reach))
    yield from gather_windows(windows_view(values, reach), starts, reach)


def _shape_of(windows, fitted) -> tuple[int, int]:
    """Timesteps and channels of windows, as a member has them."""
    if windows.ndim == 3:
        return windows.shape[1:]
    n_values = windows.shape[1]
    shapes = [shape for one in fitted if (shape := _shape_of_core(one))]
    return next((s for s in shapes if np.prod(s) == n_values), (n_values, 1))


def _shape_of_core(member) -> tuple[int, int] | None:
    """Timesteps and channels of the windows a fitted member sees, if it knows them."""
    core = core_of(member)
    if _cutters(member) or not hasattr(core, "n_channels_"):
        return None
    return core.window_length_, core.n_channels_


def _cutters(detector) -> list[WindowedDetector]:
    return [one for one in layers(detector) if isinstance(one, WindowedDetector)]


def fit_member(detector, rows: Rows) -> Any:
    """Fit a clone of a detector, without a threshold of its own."""
    runs, params = rows.runs(), {}
    if runs is not None and (name := _name_of_series(detector)):
        params[name] = runs.view(Runs)
    return uncalibrated(_fit, clone(detector), rows.gather(), params)


def _fit(detector, X, params):
    # it is the step of the pipeline that is told, whatever it has requested
    with config_context(enable_metadata_routing=False):
        return detector.fit(X, None, **params)  # FrozenEstimator demands a y


def fit_like(fitted, rows: Rows) -> Any:
    """Fit a detector like a fitted one, and of its sizes, on other rows."""
    if learns_positions(fitted):
        X = rows.X if np.ndim(rows.X) == 2 else np.reshape(rows.X, (len(rows.X), -1))
        return fitted._fold_at(np.asarray(X), rows.positions)
    return (as_fold if _needs_no_threshold(fitted) else uncalibrated)(
        fit_member, fitted, rows
    )


def _needs_no_threshold(detector) -> bool:
    """Whether all that is around detectors of skad does without their thresholds.

    A wrapper of others may ask for labels when it is asked for scores.
    """
    *around, core = layers(detector)
    are_own = all(isinstance(one, Pipeline | CalibratedThreshold) for one in around)
    return are_own and all(map(_needs_no_threshold, members(core)))


def judge_left_out(fitted, learnt: Rows, judged: Rows) -> NDArray[np.float64]:
    """Errors of rows by a detector like a fitted one, that has learnt others."""
    return errors_of(fit_like(fitted, learnt), judged.gather())


def errors_of(detector, X) -> NDArray[np.float64]:
    """Errors of rows, by themselves."""
    return -np.asarray(detector.score_samples(X), dtype=np.float64)


def _name_of_series(detector) -> str | None:
    """Name under which a detector of tables is told, in fit, what is contiguous."""
    prefix = ""
    while isinstance(detector, Pipeline):
        prefix += f"{detector.steps[-1][0]}__"
        detector = detector.steps[-1][1]
    # Those inside PerSeriesDetector each see one series, which runs would cut.
    is_told = takes_series(detector.fit) and not hasattr(detector, "splits_series")
    return f"{prefix}series" if is_told else None


# Units ------------------------------------------------------------------------------


def unit_of(detector, rows: Rows, errors, kind) -> float:
    """Find what to divide errors of a fitted detector by; `errors` were left out."""
    if kind == "std":
        return _or_one(errors.std(), errors)
    unit = _or_one(np.sqrt(np.square(errors).mean()), errors)
    if kind == "rms":
        return unit
    # Where most of it repeats exactly, the gain is large, not infinite.
    typical = max(np.median(errors), _LEAST_TYPICAL * unit)
    gain = error_of_mean(detector, rows) / typical - 1
    return unit / gain**2 if gain > 0 else np.inf


def _or_one(unit, errors) -> float:
    """Return the unit, or 1 where it is rounding."""
    return float(unit) if unit > 1e-9 * np.abs(errors).max(initial=0.0) else 1.0


def error_of_mean(detector, rows: Rows) -> float:
    """Median error of windows if each were rebuilt as their mean."""
    core, inner = core_of(detector), detector
    if cutters := _cutters(detector):
        table = input_of(cutters[0], detector, rows.X)
        inner = cutters[0].estimator_
        windows = np.concatenate([*readings(replace(rows, X=table), cutters)])
    else:
        windows = np.asarray(rows.gather())
    seen = np.asarray(input_of(core, inner, windows.reshape(len(windows), -1)))
    residuals = (seen - seen.mean(axis=0)).reshape(len(seen), *_shape_of(seen, [core]))
    return float(np.median(core.error_model_.window_errors(residuals)))
