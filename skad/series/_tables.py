"""Tables of any library as pandas DataFrames, and back."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skad._validation import check_array, native


def as_frame(X: Any, name: str = "X") -> pd.DataFrame:
    """Return a table as a DataFrame with its columns as they are, nothing read yet.

    polars and Arrow tables have rows that are numbered; the index of an xarray Dataset
    or DataArray holds its coordinates, time last. Columns without names are x0, x1, ...
    Raises TypeError for what is no table, ValueError for columns of the same name.
    """
    frame = _as_frame(X, name)
    if not frame.columns.is_unique:
        doubled = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
        raise ValueError(f"Several columns of {name} have the same name: {doubled}.")
    return frame


def _as_frame(X, name) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        frame = native(X)
        return frame if has_columns(X) else frame.set_axis(_numbered(frame), axis=1)
    if isinstance(X, pd.Series):
        raise TypeError(
            f"{name} is a pandas Series; a table has columns: use {name}.to_frame()."
        )
    if _library(X) == "xarray":
        return _from_xarray(X, name)
    if issparse(X) or isinstance(X, np.ndarray | list | tuple):
        return _from_array(X)
    table = nw.from_native(X, pass_through=True)
    if isinstance(table, nw.LazyFrame):
        raise TypeError(f"{name} is a {_kind(X)}, not read yet; use {name}.collect().")
    if isinstance(table, nw.DataFrame):
        columns = {n: _to_pandas(table[n]) for n in table.columns}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(table)))
    is_array = hasattr(X, "__array__") or hasattr(X, "__len__")
    if not is_array or isinstance(X, Mapping | Set | str | bytes):
        raise TypeError(
            f"{name} is of type {_kind(X)}; a table is needed: a DataFrame of pandas "
            "or polars, a pyarrow Table, an xarray Dataset or an array."
        )
    return _from_array(X)


def _from_array(X) -> pd.DataFrame:
    values = native(check_array(X, dtype=None, ensure_all_finite=False))
    if values.dtype.kind == "S":  # texts as bytes, as of HDF5, which pandas lacks
        values = np.char.decode(values, "utf-8", "replace")
    return pd.DataFrame(values, columns=_numbered(values))


def _numbered(table) -> list[str]:
    return [f"x{i}" for i in range(table.shape[1])]


def _library(X) -> str:
    return type(X).__module__.partition(".")[0]


def _kind(X) -> str:
    return f"{_library(X)} {type(X).__name__}"


def has_columns(X: Any) -> bool:
    """Whether the columns of a table have names, not only numbers as in an array."""
    columns = getattr(X, "columns", None)
    # Other names that are numbers may be such an index, too, in pandas.
    is_counted = isinstance(columns, pd.RangeIndex) and (
        columns.equals(pd.RangeIndex(len(columns)))
    )
    is_named = hasattr(X, "columns") or _library(X) == "xarray"
    return is_named and not is_counted


def _to_pandas(column: nw.Series) -> Any:
    """One column of polars or Arrow; needs no pyarrow where polars has none."""
    arrow = column.to_native()
    if hasattr(getattr(arrow, "type", None), "value_type") and column.dtype in (
        nw.Categorical,
        nw.Enum,
    ):  # a dictionary, of which to_numpy would give nulls another row's value
        arrow = arrow.cast(arrow.type.value_type)
        column = nw.from_native(arrow, series_only=True)
    values = native(column.to_numpy())
    zone = getattr(column.dtype, "time_zone", None)
    if values.dtype.kind == "M":
        values = values if values.dtype != "M8[D]" else values.astype("M8[s]")
        if zone is not None:  # the values are in UTC
            return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone)
    is_object = values.dtype.kind in "OUT" or values.ndim > 1  # structs and arrays
    return pd.Series([*values], dtype=object) if is_object else values


# xarray -----------------------------------------------------------------------------


def _from_xarray(X, name) -> pd.DataFrame:
    """Rows by the coordinates of a Dataset or DataArray, its time last."""
    if not hasattr(X, "data_vars"):
        X = _as_dataset(X, name)
    lacking = [str(dim) for dim in X.dims if dim not in X.coords]
    times = [dim for dim in X.dims if dim in X.coords and _is_time(X.coords[dim])]
    if lacking or len(times) != 1:
        which = f"{lacking} has no coordinate" if lacking else f"times are in {times}"
        raise ValueError(
            f"{name} is an xarray object of dimensions {[str(d) for d in X.dims]}, of "
            f"which one must hold dates, but {which}. Give it one with "
            f"{name}.assign_coords(...), or select with {name}.isel(...)."
        )
    keys = [dim for dim in X.dims if dim not in times]
    frame = X.drop_vars([c for c in X.coords if c not in X.dims]).to_dataframe(
        dim_order=[*keys, *times]
    )
    # combinations of coordinates that are not there at all
    return frame.dropna(how="all") if keys else frame


def _as_dataset(X, name):
    """Turn the dimension of a DataArray that is no time into the sensors."""
    other = [d for d in X.dims if d not in X.coords or not _is_time(X.coords[d])]
    if X.ndim == 1 and not other:
        return X.to_dataset(name=X.name or "x0")
    if X.ndim != 2 or len(other) != 1:
        raise ValueError(
            f"{name} is an xarray DataArray of dimensions {[str(d) for d in X.dims]}; "
            "expected two, a coordinate of dates and one of sensors. Name that of the "
            f"sensors: {name}.to_dataset(dim=...)."
        )
    if other[0] not in X.coords:
        X = X.assign_coords({other[0]: [f"x{i}" for i in range(X.sizes[other[0]])]})
    return X.to_dataset(dim=other[0])


def _is_time(coordinate) -> bool:
    is_object = coordinate.dtype.kind == "O"
    return coordinate.dtype.kind in "mM" or (
        is_object
        and pd.api.types.infer_dtype(coordinate.values) in ("date", "datetime")
    )


# Back -------------------------------------------------------------------------------


def like(table: pd.DataFrame, X: Any, names: list[Any]) -> Any:
    """Return a table as one of the library of X: polars and Arrow have no index.

    `names` are those of the levels of the index, which become columns.
    """
    if _library(X) not in ("polars", "pyarrow"):
        return table
    backend = sys.modules[_library(X)]
    columns = {
        str(name): table.index.get_level_values(level)
        for level, name in enumerate(names)
    } | {str(name): column for name, column in table.items()}
    made = [_series_like(name, values, backend) for name, values in columns.items()]
    return made[0].to_frame().with_columns(*made[1:]).to_native()


def _series_like(name, values, backend) -> nw.Series:
    zone = getattr(values.dtype, "tz", None)
    if zone is not None:
        values = values.tz_convert("UTC").tz_localize(None)
    array = values.to_numpy()
    data = array.tolist() if array.dtype.kind == "O" else array
    series = nw.new_series(name, data, backend=backend)
    if array.dtype.kind == "f":
        return series.fill_nan(None)  # what is missing
    if zone is None:
        return series
    series = series.dt.replace_time_zone("UTC")
    named = getattr(zone, "key", getattr(zone, "zone", None))  # a fixed offset has none
    return series.dt.convert_time_zone(named) if named else series
