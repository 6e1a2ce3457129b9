"""Steps of a pipeline for rows that come one by one, and what they remember.

What a step remembers is a dict of arrays, made by `start`; `push` returns a new one, so
that an update that fails changes nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from skad._fitting import as_fitted
from skad._validation import feature_names_in, validate_data
from skad.series._imputer import TimeSeriesImputer

# What is remembered between updates.
State: TypeAlias = dict[str, Any]

# They treat each number alone, whatever names and index it comes with.
_SCALERS = (MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler)


class Part(NamedTuple):
    """Rows of one series on their way, that came with one update."""

    values: Any  # (n_rows, n_channels), or a DataFrame
    labels: pd.Index | None = None  # its index; None: arrays, and what has lost it
    times: NDArray | None = None  # as numpy has them


def step_of(step: Any, before: Any, name: Any) -> Any:
    """Make what pushes rows through a fitted step behind another one."""
    if isinstance(step, TimeSeriesImputer):
        return ForwardFill(step, name)
    return Scaler(step) if type(step) in _SCALERS else Alone(step, before)


def borders(times, last, max_gap) -> NDArray[np.bool_]:
    """Tell which rows begin a segment, behind one at time `last` (None: a first one).

    Without times, none does.
    """
    if times is None or max_gap is None:
        return np.zeros(1 if times is None else len(times), dtype=bool)
    if len(times) == 1:
        return np.array([last is not None and bool(times[0] - last > max_gap)])
    steps = np.diff(times) > max_gap
    return np.concatenate([borders(times[:1], last, max_gap), steps])


def as_values(step, rows: Any) -> NDArray:
    """Numbers of rows; checked as the step of a pipeline does, if they are no array."""
    is_ready = type(rows) is np.ndarray and rows.dtype.kind == "f"
    if is_ready and rows.shape[1] == getattr(step, "n_features_in_", rows.shape[1]):
        return rows
    how = {"dtype": "numeric", "ensure_all_finite": False}
    return validate_data(step, rows, reset=False, **how)


def _gives_frames(step) -> bool:
    config = getattr(step, "_sklearn_output_config", {})
    return config.get("transform", get_config()["transform_output"]) == "pandas"


def _passed_on(part: Part, values, step) -> Part:
    """Rows behind a step, with their index if it keeps that."""
    return Part(values, *(part[1:] if _gives_frames(step) else ()))


class ForwardFill:
    """Rows filled from the last ones before, as the imputer fills a whole table."""

    def __init__(self, imputer: TimeSeriesImputer, name: Any):
        self._imputer = as_fitted(imputer)
        self._name = name
        imputer = self._imputer
        self._limit = np.inf if imputer.limit is None else imputer.limit
        places = {one: at for at, one in enumerate(getattr(imputer, "series_", ()))}
        found = imputer.statistics_
        if places:
            found = imputer.series_statistics_[places.get(name, -1)]
        self._fallback = found[imputer._kept]

    def start(self) -> State:
        """Remember how the series ended in fit, if that is carried on."""
        n = len(self._imputer._kept)
        state = {"last": np.full(n, np.nan), "ages": np.zeros(n), "time": None}
        return state | {"is_first": True}

    def push(self, state: State, part: Part) -> tuple[State, Part]:
        """Fill rows."""
        imputer, times = self._imputer, part.times
        rows = part.values
        if not (type(rows) is np.ndarray and np.isfinite(rows).all()):
            rows = imputer._read(part.values, reset=False)
        elif rows.shape[1] != imputer.n_features_in_:
            rows = imputer._read(rows, reset=False)  # which refuses them
        rows = as_values(imputer, rows)
        values = rows[:, imputer._kept]
        missing = np.isnan(values)
        last, ages = self._before(state, times)
        begins = borders(times, state["time"], imputer.max_gap_)
        filled = np.empty_like(values)
        for at, (row, is_missing) in enumerate(zip(values, missing, strict=True)):
            if begins[at if times is not None else 0]:
                last, ages = np.full(len(last), np.nan), np.zeros(len(ages))
            last = np.where(is_missing, last, row)
            ages = np.where(is_missing, ages + 1, 0)
            known = np.where(ages > self._limit, np.nan, last)
            filled[at] = np.where(np.isnan(known), self._fallback, known)
        if len(imputer._indicated):
            indicators = np.isnan(rows[:, imputer._indicated])
            filled = np.hstack([filled, indicators], dtype=values.dtype)
        state = {"last": last, "ages": ages, "is_first": False}
        state["time"] = None if times is None else times[-1]
        return state, _passed_on(part, filled, imputer)

    def _before(self, state, times) -> tuple[NDArray, NDArray]:
        """Last values before the rows, and how many rows ago they were."""
        imputer = self._imputer
        if state["is_first"] and imputer.carry_tail:
            tail = imputer._tails_by_series().get(self._name)
            if tail is not None and imputer._follows(tail, times, 0):
                return tail.values, tail.ages
        return state["last"], state["ages"]


class Scaler:
    """Rows scaled, without names and index, which scaling does not need."""

    def __init__(self, scaler: Any):
        self._scaler = scaler
        left_out = ("feature_names_in_", "_sklearn_output_config")
        kept = {k: v for k, v in vars(scaler).items() if k not in left_out}
        self._bare = object.__new__(type(scaler))
        vars(self._bare).update(kept)
        self._bare.set_output(transform="default")

    def start(self) -> State:
        """Remember nothing."""
        return {}

    def push(self, state: State, part: Part) -> tuple[State, Part]:
        """Scale rows."""
        rows = as_values(self._scaler, part.values)
        return state, _passed_on(part, self._bare.transform(rows), self._scaler)


class Alone:
    """Rows transformed by any other step, which gets them as it does in a table."""

    def __init__(self, step: Any, before: Any):
        self._step, self._before = step, before

    def start(self) -> State:
        """Remember nothing."""
        return {}

    def push(self, state: State, part: Part) -> tuple[State, Part]:
        """Transform rows."""
        rows = as_table(self._step, self._before, part)
        table = self._step.transform(rows)
        index = table.index if isinstance(table, pd.DataFrame) else None
        is_kept = index is not None and part.labels is not None
        return state, Part(table, *(part[1:] if is_kept else ()))


def as_table(step, before, part: Part) -> Any:
    """Rows with the index and names that a step, or a detector, knows them by."""
    rows = part.values
    if isinstance(rows, pd.DataFrame):
        return rows
    names = getattr(step, "feature_names_in_", None)
    if names is None and part.labels is not None and before is not None:
        names = before.get_feature_names_out()
    if names is None and part.labels is None:
        return rows
    return pd.DataFrame(rows, part.labels, names)


def names_behind(steps, detector, n_channels) -> list[Any]:
    """Names of the sensors that reach a detector; numbers if they have none."""
    for one in [detector, *steps[::-1]]:
        names = getattr(one, "feature_names_in_", None)
        if one is not detector and hasattr(one, "get_feature_names_out"):
            names = one.get_feature_names_out() if names is not None else None
        if names is not None and len(names) == n_channels:
            return list(names)
    return list(range(n_channels))


def input_names(estimator) -> list[Any] | None:
    """Names of the columns that an estimator was fitted on; None if they had none."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else list(feature_names_in(estimator))
