"""Detectors fitted on Parquet files, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, TypeVar

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skad._fitting import with_standard_numbers
from skad._nesting import inside, members, reader_of
from skad._warnings import silently
from skad.scale._chunks import read_chunk
from skad.scale._fit_steps import check_step, learn_step
from skad.scale._path import check_reader, names_given
from skad.scale._ranges import columns_to_read, open_parquet, ranges_of, read_range
from skad.scale._stored import StoredTable
from skad.series._table_parts import as_names
from skad.series._windowed import WindowedDetector

E = TypeVar("E")


@with_standard_numbers
def fit_parquet(
    estimator: E,
    source: str | os.PathLike | Sequence[str],
    *,
    time: Hashable | None = None,
    series: Hashable | list[Hashable] | None = None,
    columns: Sequence[str] | None = None,
) -> E:
    """Fit a detector on Parquet files that are larger than memory.

    The table is copied to disk and fitted there, by what `fit` does with a table in
    memory: the results are those of that.

    Parameters
    ----------
    estimator : estimator
        Cloned; it stays as it is. A `WindowedDetector`, a `DetectorUnion` of such, a
        `PerSeriesDetector` or a detector of rows; or a pipeline that ends in one, such
        as `sensor_pipeline`, see Notes.
    source : str, path or list of str
        A file, or a folder of files, as for `score_parquet`.
    time : str, default=None
        Column of times. None: the index that pandas has written, or what a
        `TableReader` in the pipeline reads; else rows are numbered.
    series : str or list of str, default=None
        Columns that tell the series of each row, likewise.
    columns : list of str, default=None
        Sensors to learn from. None: all columns but those of time and series.

    Returns
    -------
    fitted : estimator
        The fitted clone.

    Raises
    ------
    ValueError
        If a step or a wrapper cannot learn in bounded memory, the message says which
        and what to do; if `normal_label` is set, columns are lacking or hold no
        numbers; or as `fit` of the estimator.
    ImportError
        If pyarrow is not installed (extra `scale`).

    See Also
    --------
    score_parquet : Score files by what was fitted.

    Notes
    -----
    **Steps** that learn here: `TimeSeriesImputer` and RobustScaler, column by column;
    StandardScaler, MinMaxScaler and MaxAbsScaler, part by part; FunctionTransformer and
    Normalizer, which learn nothing; and any other in a ``FrozenEstimator``, fitted
    before. `TableReader` learns from the first rows, some 260,000, how the table is
    written, and its report tells of these; rows that do not go with it are an error.
    A `DetectorUnion` has no steps of its own before its members; inside
    `WindowedDetector`, and `PerSeriesDetector`, anything may be.

    **Equal** to `fit` on the whole table: bit for bit, but for StandardScaler, which
    adds up in other parts, and what stands behind it (some 1e-12 of the values). The
    order of rows is that of `source`.

    **Memory** is that of some row-long arrays, such as times and scores: some 140 bytes
    a row, however many columns. Detectors of skad take windows from disk, batch by
    batch. What others, and pipelines inside `WindowedDetector`, get is an array of all
    windows, and may be copied; and `PerSeriesDetector` fits each series in memory.

    **Disk**: the values of the table, twice while a step transforms them, in files
    without names in the folder for temporary files (``tempfile.gettempdir()``, such as
    the environment variable TMPDIR says; it should not be in memory itself).

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skad import LinearAutoencoder, WindowedDetector, make_sensors
    >>> from skad import fit_parquet
    >>> X, _ = make_sensors(2000, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detector = WindowedDetector(LinearAutoencoder(4), 20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X.to_parquet(f"{folder}/sensors.parquet")
    ...     fitted = fit_parquet(detector, f"{folder}/sensors.parquet")
    >>> bool(fitted.offset_ == detector.fit(X).offset_)
    True
    """
    _check_labels(estimator)
    check_fits(estimator)
    fitted = clone(estimator)
    reader = reader_of(fitted)
    given = names_given(reader, time, series)
    if reader is not None:
        check_reader(reader)
        if columns is not None:
            own: list[Any] = as_names(reader.series) + as_names(reader.time)
            columns = [*own, *columns]
    files = open_parquet(source)
    to_read, named = columns_to_read(files, given, columns)
    ranges = ranges_of(files)
    if reader is not None:
        _learn_reader(reader, _read(files, ranges[0], to_read, named))
    stored = StoredTable(files.count_rows())
    for rows in ranges:
        for frame in _read(files, rows, to_read, named):
            stored.append(_as_read(reader, frame))
    _fit(fitted, stored.finish(), reader)
    return fitted


def _fit(estimator: Any, table: Any, reader: Any) -> None:
    """Fit in place on a table that is on disk; the reader has read it."""
    if not isinstance(estimator, Pipeline):
        estimator.fit(table)
        return
    for _, step in estimator.steps[:-1]:
        if step is not reader and step not in (None, "passthrough"):
            table = learn_step(step, table)
    _fit(estimator.steps[-1][1], table, reader)


# Reading ------------------------------------------------------------------------------


def _read(files, rows, columns, named) -> Iterator[pd.DataFrame]:
    """Yield the rows of a range, part by part, with their index."""
    n_before = rows.first
    for frame in read_range(files, rows, columns):
        yield read_chunk(None, frame, named, n_before)
        n_before += len(frame)


def _learn_reader(reader, frames) -> None:
    """Fit a reader on the first rows, if there are any."""
    if parts := [*frames]:
        reader.fit(pd.concat(parts))


def _as_read(reader, frame) -> pd.DataFrame:
    if reader is None:
        return frame
    _check_dropped(reader, frame)
    return silently(reader.transform, frame)


def _check_dropped(reader, frame) -> None:
    """Refuse numbers in columns that were empty where the reader has learnt."""
    names = [n for n, what in reader.report_.dropped.items() if what == "empty"]
    names = [n for n in names if n in frame.columns and frame[n].notna().any()]
    if names and (found := set(names) & {*clone(reader).fit(frame).sensors_}):
        raise ValueError(
            f"Columns {sorted(found)} hold numbers, but none in the first rows, from "
            "which the TableReader has learnt its sensors. Choose the sensors with "
            "columns=, or begin the files with rows that show all of them."
        )


# Checks -------------------------------------------------------------------------------


def _check_labels(estimator) -> None:
    params = estimator.get_params()
    given = [n for n in params if n.split("__")[-1] == "normal_label"]
    for name in given:
        if params[name] is not None:
            raise ValueError(
                f"{name}={params[name]!r}, but fit_parquet reads no labels; set it to "
                "None, and give files without the other rows."
            )


def check_fits(estimator: Any) -> None:
    """Refuse what cannot be fitted in bounded memory, by its name."""
    reader = reader_of(estimator)
    while isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            if step is not reader and step not in (None, "passthrough"):
                check_step(step)
        estimator = estimator.steps[-1][1]
    _check_detector(estimator)


def _check_detector(detector) -> None:
    if hasattr(detector, "splits_series"):
        if detector.new_series == "pool" and isinstance(detector.estimator, Pipeline):
            raise ValueError(
                'PerSeriesDetector(new_series="pool") would fit a pipeline on all rows '
                "at once; put its steps before PerSeriesDetector."
            )
        return
    for member in members(detector):
        if isinstance(member, Pipeline):
            raise ValueError(
                "A member of DetectorUnion is a pipeline, whose steps would transform "
                "all rows at once; put them before the union, or inside "
                "WindowedDetector, where they see windows."
            )
        _check_detector(member)
    if members(detector) or isinstance(detector, WindowedDetector):
        return
    if inside(detector) is not None:
        raise ValueError(
            f"{type(detector).__name__} is not fitted in bounded memory. Fit what is "
            "inside of it, estimator = fit_parquet(...), and put that into it as "
            "sklearn.frozen.FrozenEstimator(estimator), with rows that fit into "
            "memory; a search takes such rows from the start."
        )
