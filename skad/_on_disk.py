"""Tables that lie on disk, memory-mapped, and rows taken of them.

The files have no names: nothing is left behind, whatever becomes of the process.
"""

import mmap
import tempfile
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import gen_batches

# Values that are held in memory at once; so many or fewer are never put on disk.
_VALUES = 2**20


def rows_at_once(n_columns: int) -> int:
    """Rows of a table that are held in memory at once."""
    return max(1, _VALUES // max(1, n_columns))


def empty_on_disk(shape: tuple[int, ...], dtype: Any) -> NDArray:
    """Return an array of zeros in a new file, which is gone when the array is."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile() as file:
        file.truncate(n_bytes)
        return np.ndarray(shape, dtype, buffer=mmap.mmap(file.fileno(), n_bytes))


def is_on_disk(table: Any) -> bool:
    """Whether the values of an array, or of the columns of a DataFrame, are mapped."""
    if isinstance(table, pd.DataFrame):
        table = table.iloc[:, 0].to_numpy() if table.shape[1] else None
    while table is not None and not isinstance(table, mmap.mmap):
        table = getattr(table, "base", None)
    return table is not None


def take_on_disk(table: Any, rows: NDArray) -> Any:
    """Take some rows of a table on disk: a view if they follow one another.

    Else a copy on disk, or in memory if it is small.
    """
    is_frame = isinstance(table, pd.DataFrame)
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        part = slice(rows[0], rows[-1] + 1)
        return table.iloc[part] if is_frame else table[part]
    if len(rows) <= rows_at_once(table.shape[1]):
        return table.iloc[rows] if is_frame else table[rows]
    values = table.to_numpy() if is_frame else table
    taken = empty_on_disk((len(rows), *values.shape[1:]), values.dtype)
    for at in gen_batches(len(rows), rows_at_once(values.shape[1])):
        taken[at] = values[rows[at]]
    if not is_frame:
        return taken
    return pd.DataFrame(taken, table.index[rows], table.columns, copy=False)
