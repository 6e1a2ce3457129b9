"""Steps before a detector that learn from, and transform, a table on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import gen_batches

from skad._fitting import detached
from skad._on_disk import empty_on_disk, rows_at_once
from skad._series_names import rows_by_series
from skad._warnings import silently
from skad.scale._flows import LOST_INDEX
from skad.series._imputer import TimeSeriesImputer
from skad.series._imputer_parts import FilledParts
from skad.series._parts_of_tables import rows_at
from skad.series._rows import index_of


def learn_step(step: Any, table: Any) -> Any:
    """Fit a step in place, and return the table as it transforms it, on disk."""
    _way_to_learn(step)(step, table)
    values = columns = None
    for rows, part in (_filled if _fills(step) else _transformed)(step, table):
        found = np.asarray(part)
        if values is None:
            values = empty_on_disk((len(table), *found.shape[1:]), found.dtype)
            columns = getattr(part, "columns", None)
        values[rows] = found
    if columns is not None:
        return pd.DataFrame(values, index_of(table), columns, copy=False)
    if getattr(index_of(table), "nlevels", 1) > 1:
        raise ValueError(LOST_INDEX)
    return values


def check_step(step: Any) -> None:
    """Refuse a step that cannot learn part by part."""
    if _way_to_learn(step) is None:
        raise ValueError(
            f"The step {type(step).__name__} learns from all rows at once. Fit it on "
            "rows that fit into memory, and freeze it: "
            "sklearn.frozen.FrozenEstimator(step.fit(rows)). Part by part learn "
            "TimeSeriesImputer, StandardScaler, MinMaxScaler, MaxAbsScaler and "
            "RobustScaler; FunctionTransformer and Normalizer have nothing to learn."
        )


# Learning -----------------------------------------------------------------------------


def _way_to_learn(step) -> Any:
    ways: dict[type, Callable] = {
        FrozenEstimator: _learn_from_some,  # its `fit` learns nothing
        FunctionTransformer: _learn_from_some,
        MaxAbsScaler: _learn_by_parts,
        MinMaxScaler: _learn_by_parts,
        Normalizer: _learn_from_some,
        RobustScaler: _learn_by_column,
        StandardScaler: _learn_by_parts,
        TimeSeriesImputer: _learn_at_once,
    }
    return ways.get(type(step))  # a subclass may learn more


def _learn_from_some(step, table) -> None:
    step.fit(next(_parts(table))[1], None)  # FrozenEstimator demands y


def _learn_at_once(step, table) -> None:
    step.fit(table)


def _learn_by_parts(step, table) -> None:
    for _, part in _parts(table):
        step.partial_fit(part)


def _learn_by_column(step, table) -> None:
    """Fit a scaler that has a centre and a unit for each column alone."""
    step.fit(next(_parts(table))[1])  # checks, and learns the names
    columns = [
        clone(step).fit(np.asarray(table)[:, [column]])
        for column in range(table.shape[1])
    ]
    for name in ("center_", "scale_"):
        found = [getattr(one, name) for one in columns]
        setattr(step, name, None if found[0] is None else np.concatenate(found))


# Transforming -------------------------------------------------------------------------


def _parts(table) -> Iterator[tuple[Any, Any]]:
    """Yield places and rows, as many as are held in memory at once."""
    for at in gen_batches(len(table), rows_at_once(table.shape[1])):
        yield at, rows_at(table, at)


def _transformed(step, table) -> Iterator[tuple[Any, Any]]:
    for at, part in _parts(table):
        yield at, step.transform(part)


def _fills(step) -> bool:
    return isinstance(step, TimeSeriesImputer)


def _filled(imputer, table) -> Iterator[tuple[Any, Any]]:
    """Fill the rows of each series, part by part, as `fit_transform` does."""
    imputer = detached(imputer)
    imputer.carry_tail = False
    n_at_once = rows_at_once(table.shape[1])
    is_frame = isinstance(table, pd.DataFrame)
    for rows in rows_by_series(index_of(table), None, len(table)).values():
        filled, n_done = FilledParts(imputer), 0
        for at in gen_batches(len(rows), n_at_once):
            part = table.iloc[rows[at]] if is_frame else table[rows[at]]
            is_last = at.stop == len(rows)
            known = silently(_push, filled, part, is_last)
            if known is not None:
                yield rows[n_done : n_done + len(known)], known
                n_done += len(known)


def _push(filled, part, is_last) -> Any:
    return filled.push(part, is_last=is_last)
