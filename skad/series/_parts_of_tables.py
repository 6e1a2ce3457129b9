"""Rows of tables that come in parts: pandas DataFrames with their index, or arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def join(parts: Sequence[Any]) -> Any:
    """Put tables one below the other; None stands for no rows, also where all are."""
    tables = [part for part in parts if part is not None]
    if len(tables) < 2:
        return tables[0] if tables else None
    if isinstance(tables[0], pd.DataFrame):
        return pd.concat(tables)
    return np.concatenate(tables)


def rows_at(table: Any, rows: slice) -> Any:
    """Return consecutive rows of a table; None if there are none."""
    found = table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]
    return found if len(found) else None
