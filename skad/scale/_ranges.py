"""Partitioned Parquet files as ranges of rows, read batch by batch."""

from __future__ import annotations

import errno
import os
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skad._series_names import rows_by_series

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset, ParquetFileFragment

# Row groups are put together up to so many rows, and read so many at once.
_ROWS_IN_RANGE, _ROWS_IN_BATCH = 2**18, 2**16


@dataclass(frozen=True)
class RowRange:
    """Consecutive rows of a dataset, which are scored together.

    Attributes
    ----------
    groups : list of (str, list of int)
        Paths of files, and row groups of each.
    first : int
        Number of the first row in the dataset.
    """

    groups: list[tuple[str, list[int]]]
    first: int


def open_parquet(source: Any, schema: Any = None) -> Dataset:
    """Open a file or a folder of files; folders such as ``pump=7`` are columns.

    `schema` is that of a dataset opened before. None: all columns of all files, in
    types that hold what each file has; pyarrow alone takes those of the first file.
    """
    from pyarrow import dataset

    told = {"format": "parquet", "partitioning": "hive"}
    files = dataset.dataset(source, schema=schema, **told)
    if schema is not None or (whole := _schema_of(files)).equals(files.schema):
        return files
    return dataset.dataset(source, schema=whole, **told)


def _schema_of(files: Dataset) -> Any:
    import pyarrow as pa

    found = files.schema
    for fragment in fragments_of(files):
        for field in fragment.physical_schema:
            at = found.get_field_index(field.name)
            if at < 0:
                found = found.append(field)
            elif field.type != (before := found.field(at)).type:
                both = [pa.schema([before]), pa.schema([field])]
                # types without one that holds both are read as the first
                with suppress(pa.ArrowInvalid, pa.ArrowTypeError):
                    whole = pa.unify_schemas(both, promote_options="permissive")
                    found = found.set(at, whole.field(0))
    return found


def fragments_of(files: Dataset) -> list[ParquetFileFragment]:
    """List the files of a dataset, in the order of their names."""
    return sorted(files.get_fragments(), key=lambda one: one.path)


def ranges_of(files: Dataset) -> list[RowRange]:
    """Divide the rows of a dataset into ranges of whole row groups."""
    ranges: list[RowRange] = []
    groups: dict[str, list[int]] = {}
    n_rows = first = 0
    for fragment in fragments_of(files):
        for group in fragment.row_groups:
            if n_rows and n_rows + group.num_rows > _ROWS_IN_RANGE:
                ranges.append(RowRange([*groups.items()], first))
                groups, first, n_rows = {}, first + n_rows, 0
            groups.setdefault(fragment.path, []).append(group.id)
            n_rows += group.num_rows
    return [*ranges, RowRange([*groups.items()], first)]


def read_range(
    files: Dataset, rows: RowRange, columns: list[Any]
) -> Iterator[pd.DataFrame]:
    """Read the rows of a range, in batches."""
    fragments = {one.path: one for one in fragments_of(files)}
    for path, groups in rows.groups:
        if path not in fragments:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        part = fragments[path].subset(row_group_ids=groups)
        batches = part.to_batches(
            schema=files.schema,
            columns=columns,
            batch_size=_ROWS_IN_BATCH,
            batch_readahead=1,
            use_threads=False,
        )
        for batch in batches:
            if len(batch):
                yield batch.to_pandas(ignore_metadata=True)


def columns_to_read(
    files: Dataset, named: tuple[list, list], known: Any
) -> tuple[list[str], tuple[list, list]]:
    """Columns of series, of time, and the sensors; the former as files tell them.

    Where no names are given, the index that pandas has written is.
    """
    series, time = named
    told = (files.schema.pandas_metadata or {}).get("index_columns", [])
    index = [name for name in told if isinstance(name, str)]
    if not series and not time and index:
        series, time = index[:-1], index[-1:]
    lacking = {*series, *time, *(known or ())} - {*files.schema.names}
    if lacking:
        raise ValueError(
            f"The files have no columns {sorted(map(str, lacking))}; they have "
            f"{files.schema.names}."
        )
    beside = {*series, *time, *index}
    sensors = [name for name in files.schema.names if name not in beside]
    sensors = sensors if known is None else [n for n in known if n not in beside]
    return [*series, *time, *sensors], (series, time)


def last_ranges(
    files: Dataset, ranges: list[RowRange], series: list[Hashable]
) -> dict[Any, int]:
    """Find the range in which each series has its last row."""
    if not series:
        return {}
    last: dict[Any, int] = {}
    for number, rows in enumerate(ranges):
        for frame in read_range(files, rows, series):
            levels = [frame[name] for name in series]
            index = pd.MultiIndex.from_arrays([*levels, np.arange(len(frame))])
            last |= dict.fromkeys(rows_by_series(index, None, len(frame)), number)
    return last
