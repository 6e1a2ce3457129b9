"""What `StreamScorer.update` is given: rows, as parts of series."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._series_names import check_named, rows_by_series
from skad._validation import take, validate_data
from skad.scale._chunks import labels_of, read_chunk
from skad.scale._stream_steps import Part
from skad.series._imputer import as_numpy
from skad.series._rows import index_of, read_rows


class Given(NamedTuple):
    """Rows of an update."""

    parts: list[tuple[Any, NDArray | slice, Part]]  # names, positions, rows
    labels: pd.Index | None  # None: a single row that is only numbered
    is_one: bool


def read_update(lanes, rows: Any, named, n_before: int) -> Given:
    """Read one row, or a table."""
    is_plain = lanes.reader is None and not any(named)
    if is_plain and type(rows) is np.ndarray and rows.ndim == 1:
        return _alone(lanes, rows)
    if is_plain and isinstance(rows, dict) and _is_row(rows):
        return _alone(lanes, _row_of_dict(lanes, rows))
    is_one = True
    if isinstance(rows, dict) and _is_row(rows):
        rows = pd.DataFrame([rows])
    elif isinstance(rows, pd.Series):
        rows = rows.to_frame().T.infer_objects()
    else:
        rows = np.asarray(rows) if isinstance(rows, list | tuple) else rows
        is_one = isinstance(rows, np.ndarray) and rows.ndim == 1
        rows = rows[None] if is_one else rows
    table = read_chunk(lanes.reader, rows, named, n_before)
    return Given(_parts_of(lanes, table), labels_of(table, n_before), is_one)


def _is_row(row: dict) -> bool:
    return all(np.ndim(value) == 0 for value in row.values())


def _alone(lanes, row) -> Given:
    """Take one row without time and series."""
    if row.dtype.kind != "f":
        row = row.astype(np.float64)
    if lanes.n_columns is not None and len(row) != lanes.n_columns:
        raise ValueError(
            f"The row has {len(row)} values, but {lanes.n_columns} are expected, one "
            "for each column of the table given to fit."
        )
    if lanes.named_in_fit:
        check_named(lanes.named_in_fit, "", None)
    return Given([(None, slice(None), Part(row[None]))], None, True)


def _row_of_dict(lanes, row) -> NDArray:
    """Values of a row in the order of fit."""
    names = lanes.names
    if names is None:
        raise ValueError(
            "The row is a dict, but the table given to fit had no names of columns; "
            "pass an array of their values, in their order."
        )
    if len(row) != len(names) or not row.keys() >= set(names):
        lacking = [name for name in names if name not in row]
        unknown = [name for name in row if name not in set(names)]
        raise ValueError(
            f"The row lacks {lacking}, and has {unknown}, which the table given to fit "
            f"had not; expected {names}."
        )
    try:
        return np.array([row[name] for name in names], dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"The row {row!r} holds what is no number; expected a float for each "
            "sensor, NaN where it is missing."
        ) from error


def _parts_of(lanes, table) -> list[tuple[Any, NDArray | slice, Part]]:
    """Rows of each series of a table."""
    if not len(table):
        return []
    index = index_of(table)
    if index is None:
        if lanes.named_in_fit:
            check_named(lanes.named_in_fit, "", None)
        return [(None, slice(None), Part(table))]
    _check_columns(lanes, table)
    told = {"max_gap": lanes.max_gap, "learn": False}
    rows = read_rows(index, named_in_fit=lanes.named_in_fit, **told)
    rows.check_order()
    times = None if rows.time is None else rows.restore(as_numpy(rows.time))
    parts: list[tuple[Any, NDArray | slice, Part]] = []
    for name, at in rows_by_series(index, None, len(table)).items():
        (own,) = take(at, table)
        own_times = None if times is None else times[at]
        parts.append((name, at, Part(own, own.index, own_times)))
    return parts


def _check_columns(lanes, table) -> None:
    """Refuse other columns than those of fit, also where a step would not."""
    if lanes.names is not None and list(table.columns) != lanes.names:
        validate_data(lanes.first, table, reset=False, dtype=None)


def check_order(name, times, last) -> None:
    """Refuse rows of a series that are no later than those before."""
    if times is None or last is None:
        return
    kinds = times.dtype.kind, np.asarray(last).dtype.kind
    if ("m" in kinds or "M" in kinds) and len({*kinds}) > 1:
        raise ValueError(
            f"The time of a row is {times[0]!r}, of another kind than {last!r} before."
        )
    if not times[0] > last:
        of = "" if name is None else f" of series {name!r}"
        raise ValueError(
            f"The time of rows{of} must increase, but {times[0]} comes after {last}. "
            "Leave out rows that come twice, and sort late ones in before you pass "
            "those behind them."
        )
