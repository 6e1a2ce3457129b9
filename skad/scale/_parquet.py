"""Partitioned Parquet files scored, in bounded memory, here or on a cluster."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import pandas as pd

from skad._fitting import with_standard_numbers
from skad.scale._chunks import labels_of, read_chunk, with_labels
from skad.scale._flows import Flows, Scores, gather
from skad.scale._path import names_given, path_of, threshold_of
from skad.scale._ranges import (
    RowRange,
    columns_to_read,
    last_ranges,
    open_parquet,
    ranges_of,
    read_range,
)
from skad.series._table_parts import as_names

_PLAN = "_plan.json"


@dataclass(frozen=True)
class Job:
    """What is the same for all ranges of the rows of a dataset.

    Attributes
    ----------
    estimator : estimator
        The fitted estimator.
    source : str or list of str
        The files.
    target : Path
        Folder of the parts.
    columns : list of str
        Columns to read.
    named : (list, list)
        Columns of series and of time that no `TableReader` reads.
    labels : bool
        Whether labels are written.
    schema : Schema
        Columns of the files, and their types.
    """

    estimator: Any
    source: Any
    target: Path
    columns: list[str]
    named: tuple[list, list]
    labels: bool
    schema: Any

    def part(self, number: int) -> Path:
        """File for the scores of a range."""
        return self.target / f"part-{number:05d}.parquet"


@with_standard_numbers
def score_parquet(
    estimator: Any,
    source: str | os.PathLike | Sequence[str],
    target: str | os.PathLike,
    *,
    time: Hashable | None = None,
    series: Hashable | list[Hashable] | None = None,
    columns: Sequence[str] | None = None,
    labels: bool = False,
    engine: Literal["local", "dask"] = "local",
    client: Any = None,
    progress: bool = False,
) -> Path:
    """Score Parquet files in bounded memory, here or on a cluster.

    Scores are those of the whole table, bit for bit, whatever the engine. A run that
    was interrupted goes on where it was, if it is called once more.

    Parameters
    ----------
    estimator : estimator
        Fitted, as for `score_chunks`.
    source : str, path or list of str
        A file, or a folder of files, in subfolders such as ``pump=7``, too, which are
        columns. They are read in the order of their names, and within each series rows
        must be in the order of time.
    target : str or path
        Folder for files "part-00000.parquet" and on, of columns series, time and
        "score"; made if it is not there. It must be empty, or hold parts of the same
        call. On a cluster all workers must see it.
    time : str, default=None
        Column of times. None: the index that pandas has written, or what a
        `TableReader` in the pipeline reads; else rows are numbered.
    series : str or list of str, default=None
        Columns that tell the series of each row, likewise.
    columns : list of str, default=None
        Sensors to read. None: those that the estimator knows by name, or all.
    labels : bool, default=False
        Whether to write a column "label", too: -1 for anomalies, else +1.
    engine : {"local", "dask"}, default="local"
        Where to score: in this process, or in those of `client`.
    client : distributed.Client, default=None
        For "dask". None: the one that runs. Workers should have one thread each.
    progress : bool, default=False
        Whether to show a progress bar (extra `progress`).

    Returns
    -------
    target : Path
        The folder; ``pandas.read_parquet`` reads all of it.

    Raises
    ------
    ValueError
        If `target` holds something else, columns are lacking, or as `score_chunks`.
    ImportError
        If pyarrow, or distributed, is not installed (extra `scale`).

    See Also
    --------
    score_chunks : The same for tables from anywhere.

    Notes
    -----
    Row groups are put together to ranges of some 260,000 rows, or are one each if they
    are larger: one file of the target, one task on a cluster. What a range needs to
    know of the rows before, such as the last window_length - 1 of each series, is found
    by reading them without scoring, which takes a small part of the time. Parts are
    written under another name, and renamed when they are complete.

    Rows stand in the order of the source, but for interleaved series, of which a few
    rows stand in the next part.

    Workers that Dask starts give memory back with each block of windows, and take more
    than twice as long, unless the setting
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_" is None before.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from skad import LinearAutoencoder, WindowedDetector, make_sensors
    >>> from skad import score_parquet
    >>> X, _ = make_sensors(2000, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detector = WindowedDetector(LinearAutoencoder(4), 20).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X.to_parquet(f"{folder}/sensors.parquet")
    ...     target = score_parquet(detector, f"{folder}/sensors.parquet",
    ...                            f"{folder}/scores")
    ...     pd.read_parquet(target)["score"].shape
    (2000,)
    """
    if engine not in ("local", "dask"):
        raise ValueError(f"engine={engine!r}; expected 'local' or 'dask'.")
    path = path_of(estimator)
    # as workers see them, wherever they run
    source, target = _absolute(source), Path(target).absolute()
    files = open_parquet(source)
    given = names_given(path.reader, time, series)
    known = columns if columns is not None else _names_known(estimator)
    to_read, named = columns_to_read(files, given, known)
    job = Job(estimator, source, target, to_read, named, labels, files.schema)
    ranges = ranges_of(files)
    _begin(job, files, ranges)
    in_series = as_names(path.reader.series) if path.reader is not None else named[0]
    ends = last_ranges(files, ranges, in_series)
    todo = [n for n in range(len(ranges)) if not job.part(n).exists()]
    run = _run_here if engine == "local" else _run_on_dask
    deque(_shown(run(job, ranges, ends, todo, client), len(todo), progress), maxlen=0)
    for left in job.target.glob(".part-*"):
        left.unlink(missing_ok=True)
    return job.target


def _absolute(source) -> Any:
    """Make the name of a local file or folder absolute; leave others as they are."""
    if isinstance(source, str | os.PathLike):
        return os.path.abspath(source) if os.path.exists(source) else source
    return [_absolute(one) for one in source]


def _names_known(estimator) -> list[str] | None:
    """Names of the columns that an estimator has learnt from, if it knows any."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else list(names)


def _shown(steps, n_steps, progress) -> Iterable[None]:
    if not progress:
        return steps
    from rich.progress import track

    return track(steps, "Scoring", total=n_steps)


# The folder of the parts --------------------------------------------------------------


def _begin(job, files, ranges) -> None:
    """Make the folder and note what it is for, or check that it is for this."""
    _check_apart(job)
    plan = {
        "files": [[one.path, *_state_of(files, one)] for one in files.get_fragments()],
        "ranges": [rows.groups for rows in ranges],
        "columns": job.columns,
        "labels": job.labels,
        "scores": _first_scores(job, files, ranges),
    }
    plan = json.loads(json.dumps(plan, default=str))
    noted = job.target / _PLAN
    if noted.exists():
        before = json.loads(noted.read_text())
        others = [name for name in plan if plan[name] != before.get(name)]
        if others:
            what = " and ".join(others).replace("scores", "estimator")
            raise ValueError(
                f"{job.target} holds parts of another call, with other {what}; give "
                "another folder, or remove it."
            )
        return
    unfinished = noted.with_name(f"{_PLAN}.tmp")
    if job.target.exists() and {*job.target.iterdir()} - {unfinished}:
        raise ValueError(
            f"{job.target} is not empty, and holds no {_PLAN} of an earlier call; give "
            "another folder."
        )
    job.target.mkdir(parents=True, exist_ok=True)
    unfinished.write_text(json.dumps(plan))
    unfinished.replace(noted)


def _check_apart(job) -> None:
    """Refuse a folder from which a later call would read scores as sensors."""
    is_folder = isinstance(job.source, str) and os.path.isdir(job.source)
    if is_folder and Path(job.source).resolve() in job.target.resolve().parents:
        raise ValueError(
            f"target {job.target} lies inside of source {job.source}, of which all "
            "files are read; give a folder beside it."
        )


def _state_of(files, fragment) -> tuple[int, int | None]:
    """Size and time of change of a file."""
    info = files.filesystem.get_file_info(fragment.path)
    return info.size, info.mtime_ns


def _first_scores(job, files, ranges) -> str:
    """Digest of the scores of the first rows, by which to know the estimator again."""
    path = path_of(job.estimator)
    for frame in read_range(files, ranges[0], job.columns):
        table = read_chunk(path.reader, frame[:200], job.named, 0)
        flows = Flows(path)
        found = [*flows.push(table, labels_of(table, 0)), *flows.finish()]
        threshold = threshold_of(job.estimator) if job.labels else None
        scores = gather(found)
        _as_columns(with_labels(scores, threshold))  # whether that can be
        values = np.append(scores, [] if threshold is None else threshold)
        return hashlib.sha256(values.tobytes()).hexdigest()
    raise ValueError(f"The files {job.source} hold no rows.")


# Ranges -------------------------------------------------------------------------------


def push_range(job: Job, flows: Flows, rows: RowRange, ended: Any = ()) -> pd.Series:
    """Push the rows of a range, and return the scores of those that are known then.

    `ended` are the series that end in the range; None: all.
    """
    path, files = path_of(job.estimator), open_parquet(job.source, job.schema)
    found: list[Scores] = []
    n_before, labels = rows.first, pd.RangeIndex(0)
    flows.touched = {}
    for frame in read_range(files, rows, job.columns):
        table = read_chunk(path.reader, frame, job.named, n_before)
        labels = labels_of(table, n_before)
        n_before += len(frame)
        found += flows.push(table, labels)
    found += [*flows.settle(), *flows.finish(ended)]
    if not found:
        return pd.Series([], labels[:0], dtype=float, name="score")
    return gather(found, flows.touched)


def _ended_in(number, ranges, ends) -> Any:
    """Series that end in a range; None for all, in the last one."""
    if number == len(ranges) - 1:
        return None
    return {name for name, last in ends.items() if last == number}


def _run_here(job, ranges, ends, todo, client=None) -> Iterator[None]:
    flows = Flows(path_of(job.estimator))
    for number, rows in enumerate(ranges[: max(todo, default=-1) + 1]):
        flows.scores = number in todo
        scores = push_range(job, flows, rows, _ended_in(number, ranges, ends))
        if flows.scores:
            write_part(job, number, scores)
            yield


def score_range(
    job: Job, states: dict[Any, bytes], number: int, rows: RowRange, ended: Any
) -> None:
    """Score a range, on a worker; `states` are of the series when it begins."""
    flows = {name: pickle.loads(state) for name, state in states.items()}
    going_on = Flows(path_of(job.estimator), flows)
    write_part(job, number, push_range(job, going_on, rows, ended))


def _run_on_dask(job, ranges, ends, todo, client) -> Iterator[None]:
    from distributed import as_completed, get_client

    client = get_client() if client is None else client
    sent = client.scatter(job, broadcast=True, hash=False)
    futures = [
        client.submit(score_range, sent, *task, pure=False)
        for task in _tasks(job, ranges, ends, set(todo))
    ]
    for future in as_completed(futures):
        future.result()
        yield


def _tasks(job, ranges, ends, todo) -> Iterator[tuple]:
    """Find the state of the series at the beginning of each range, without scoring."""
    flows = Flows(path_of(job.estimator), scores=False)
    states: dict[Any, bytes] = {}  # after the last range with rows of a series
    for number, rows in enumerate(ranges[: max(todo, default=-1) + 1]):
        ended = _ended_in(number, ranges, ends)
        push_range(job, flows, rows, set())
        needed = states if ended is None else flows.touched
        if number in todo:
            before = {name: states[name] for name in states if name in needed}
            yield before, number, rows, ended
        new = {name: pickle.dumps(flows.flows[name]) for name in flows.touched}
        flows.finish(ended)
        states = {n: one for n, one in (states | new).items() if n in flows.flows}


def write_part(job: Job, number: int, scores: pd.Series) -> None:
    """Write the scores of a range, all or nothing."""
    import pyarrow as pa
    from pyarrow import parquet

    threshold = threshold_of(job.estimator) if job.labels else None
    frame = with_labels(scores, threshold)
    table = pa.Table.from_pandas(_as_columns(frame), preserve_index=False)
    part = job.part(number)
    unfinished = part.with_name(f".{part.stem}-{uuid4().hex}.tmp")
    parquet.write_table(table, unfinished)
    unfinished.replace(part)


def _as_columns(frame) -> pd.DataFrame:
    """Make columns of the levels of the index."""
    frame = frame.to_frame() if isinstance(frame, pd.Series) else frame
    default = [f"series_{level}" for level in range(frame.index.nlevels - 1)] + ["row"]
    given = zip(frame.index.names, default, strict=True)
    # as pandas calls columns of levels without names
    names = [
        other if name is None or str(name).startswith("__index_level_") else name
        for name, other in given
    ]
    if len({*names, *frame.columns}) < len(names) + frame.shape[1]:
        raise ValueError(
            f"The columns of series and time are called {names}, and those beside them "
            f"{[*frame.columns]}; rename the former, so that none is there twice."
        )
    columns = frame.reset_index(names=names)
    for name in names:
        if isinstance(columns[name].dtype, pd.CategoricalDtype):
            kind = columns[name].cat.categories.dtype
            columns[name] = columns[name].astype(kind)
    return columns
