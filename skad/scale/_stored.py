"""A table that comes in parts, kept on disk, with its index in few bytes a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from skad._on_disk import empty_on_disk, rows_at_once


class StoredTable:
    """Rows that are appended: values on disk, in their own type, and their index.

    Parameters
    ----------
    n_most : int
        Rows that may come.
    """

    def __init__(self, n_most: int):
        self._n_most, self._n_rows = n_most, 0
        self._values: Any = None
        self._columns: Any = None
        self._index = _StoredIndex()

    def append(self, table: pd.DataFrame) -> None:
        """Append rows, of the same columns each time."""
        values = _numbers_of(table)
        stop = self._n_rows + len(values)
        if self._values is None:
            self._columns = table.columns
            self._values = empty_on_disk((self._n_most, values.shape[1]), values.dtype)
        dtype = np.result_type(self._values, values)
        if dtype != self._values.dtype:  # such as of integers, once a value is missing
            self._values = self._as_type(dtype)
        self._values[self._n_rows : stop] = values
        self._index.append(table.index)
        self._n_rows = stop

    def finish(self) -> pd.DataFrame:
        """Return the table; its values stay on disk."""
        if not self._n_rows:
            raise ValueError("The files hold no rows; at least one is needed.")
        values = self._values[: self._n_rows]
        return pd.DataFrame(values, self._index.finish(), self._columns, copy=False)

    def _as_type(self, dtype) -> NDArray:
        values = empty_on_disk(self._values.shape, dtype)
        for at in gen_batches(self._n_rows, rows_at_once(values.shape[1])):
            values[at] = self._values[at]
        return values


def _numbers_of(table: pd.DataFrame) -> NDArray:
    """Values of columns, in one type that holds them all."""
    empty = [name for name in table.columns if table[name].isna().all()]
    table = table.astype(
        {name: np.float64 for name in empty if table[name].dtype == object}
    )
    wrong = [
        name
        for name, dtype in table.dtypes.items()
        if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf"
    ]
    if wrong:
        raise ValueError(
            f"The columns {wrong} hold no numbers. Leave them out with columns=, name "
            "them with time= or series=, or begin the pipeline with skad.TableReader."
        )
    return table.to_numpy(dtype=np.result_type(*table.dtypes))


class _StoredIndex:
    """Index of rows that are appended: names of series as numbers, and times."""

    def __init__(self):
        self._names: list[Any] = []
        self._known: list[pd.Index] = []  # of each level that names series
        self._codes: list[list[NDArray]] = []
        self._times: list[pd.Index] = []

    def append(self, index: pd.Index) -> None:
        """Append the index of more rows, of the same levels each time."""
        *series, time = (
            index.get_level_values(level) for level in range(index.nlevels)
        )
        self._names = list(index.names)
        self._times.append(time)
        if not self._known:
            self._known = [_plain(level)[:0] for level in series]
            self._codes = [[] for _ in series]
        for place, level in enumerate(series):
            codes, names = pd.factorize(level)
            names, known = _plain(pd.Index(names)), self._known[place]
            known = known.append(names[~names.isin(known)])
            # the last one, of missing names
            numbers = np.append(known.get_indexer(names), -1).astype(np.int32)
            self._known[place] = known
            self._codes[place].append(numbers[codes])

    def finish(self) -> pd.Index:
        """Return the index of all rows."""
        first, *rest = self._times
        self._times = []
        if isinstance(first, pd.RangeIndex):
            n_rows = len(first) + sum(map(len, rest))
            return pd.RangeIndex(first.start, first.start + n_rows, name=first.name)
        time = first.append(rest)
        if not self._known:
            return time
        codes = [np.concatenate(parts) for parts in self._codes]
        # Times of several series may be there twice: nothing looks rows up by them.
        return pd.MultiIndex(
            levels=[*self._known, time],
            codes=[*codes, np.arange(len(time), dtype=np.int32)],
            names=self._names,
            verify_integrity=False,
        )


def _plain(names: pd.Index) -> pd.Index:
    """Return names without categories, which differ from part to part."""
    is_coded = isinstance(names.dtype, pd.CategoricalDtype)
    return names.astype(names.categories.dtype) if is_coded else names
