"""Tables that come in chunks, scored as they would be as a whole."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from skad._fitting import with_standard_numbers
from skad.scale._flows import Flows, gather
from skad.scale._path import names_given, path_of, threshold_of
from skad.series._rows import index_of
from skad.series._tables import as_frame


@with_standard_numbers
def score_chunks(
    estimator: Any,
    chunks: Iterable[Any],
    *,
    time: Hashable | None = None,
    series: Hashable | list[Hashable] | None = None,
    labels: bool = False,
) -> Iterator[Any]:
    """Score a table that comes in chunks, such as a file that is larger than memory.

    Scores are those of the whole table, bit for bit: windows, gaps, series and what is
    filled go on from chunk to chunk.

    Parameters
    ----------
    estimator : estimator
        Fitted detector of tables, or a pipeline that ends in one: `sensor_pipeline`,
        `WindowedDetector`, `DetectorUnion`, `PerSeriesDetector`, in a search or a
        wrapper that chooses the threshold, too; or a detector of rows.
    chunks : iterable of tables
        Each of shape (n_timestamps, n_channels), with one row or more, as `estimator`
        takes tables: of pandas, polars, pyarrow or arrays. Rows follow one another, in
        order of time within each series, such as those of
        ``pandas.read_csv(..., chunksize=100_000)`` or
        ``pyarrow.dataset.dataset(...).to_batches()``. Rows that are only numbered are
        numbered on.
    time : str, default=None
        Column of times, dates or numbers, if neither the index of chunks nor a
        `TableReader` in the pipeline tells it.
    series : str or list of str, default=None
        Columns that tell the series of each row, likewise.
    labels : bool, default=False
        Whether to give labels as well.

    Returns
    -------
    scores : iterator of Series, or of DataFrames if `labels`
        Each holds the scores of the next rows that are known; higher = more normal.
        The index is that of the rows: series and time, as they were read, or numbers.
        With labels, tables of columns "score" and "label" (-1 for anomalies, else +1).

    Raises
    ------
    ValueError
        If a step needs the rows around and is not `TimeSeriesImputer`; or `TableReader`
        makes a row of several (``every``, ``long``); or time goes back from one chunk
        to the next.
    TypeError
        If `chunks` is a table itself.

    See Also
    --------
    sensor_pipeline : A pipeline for tables as they are.

    Notes
    -----
    A row is scored when the rows behind it are there that its windows cover, and some
    thousands are worth a call; the last ones when the chunks are at an end. So each
    series is in order, but of several series those come first that are known first:
    ``pandas.concat(score_chunks(...))`` has all of them, by their names.

    **Memory** is that of a chunk, and of some windows or some thousand rows of each
    series. An imputer with method "bfill", "linear" or "time" holds rows back until a
    value comes; `limit` bounds that for "bfill".

    **Bits** are those of the whole table for detectors of skad, and all others that
    score a row, or window, alone. Detectors and steps of others that multiply matrices
    may round differently where rows are not in windows.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skad import LinearAutoencoder, WindowedDetector, make_sensors, score_chunks
    >>> X, _ = make_sensors(2000, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detector = WindowedDetector(LinearAutoencoder(4), 20).fit(X)
    >>> chunks = (X[first : first + 300] for first in range(0, 2000, 300))
    >>> scores = pd.concat(score_chunks(detector, chunks))
    >>> np.array_equal(scores, detector.score_samples(X))
    True
    """
    path = path_of(estimator)
    named = names_given(path.reader, time, series)
    if isinstance(chunks, np.ndarray | str | bytes) or hasattr(chunks, "columns"):
        raise TypeError(
            f"chunks is of type {type(chunks).__name__}, a single table; expected "
            "tables one after another, such as [X], or a generator."
        )
    threshold = threshold_of(estimator) if labels else None
    return _score(path, chunks, named, threshold)


def _score(path, chunks, named, threshold) -> Iterator[Any]:
    flows = Flows(path)
    n_before = 0
    for chunk in chunks:
        table = read_chunk(path.reader, chunk, named, n_before)
        if len(table):
            labels = labels_of(table, n_before)
            n_before += len(table)
            yield from _given(flows.push(table, labels), threshold)
    yield from _given(flows.finish(), threshold)


def read_chunk(reader: Any, chunk: Any, named: tuple, n_before: int) -> Any:
    """Read a chunk as the steps behind the reader take it."""
    series, time = named
    if isinstance(chunk, np.ndarray) and reader is None:
        return chunk
    frame = chunk if isinstance(chunk, pd.DataFrame) else as_frame(chunk, "A chunk")
    if not len(frame):
        return frame
    if series or time:
        frame = _with_index(frame, series, time)
    elif _is_numbered(frame.index):
        numbers = pd.RangeIndex(n_before, n_before + len(frame))
        frame = frame.set_axis(numbers, axis=0)
    return frame if reader is None else reader.transform(frame)


def _with_index(frame, series, time) -> pd.DataFrame:
    lacking = [name for name in [*series, *time] if name not in frame.columns]
    if lacking:
        raise ValueError(
            f"A chunk has no columns {lacking}, as time= and series= say; it has "
            f"{list(frame.columns)}."
        )
    if not time:
        return frame.set_index(series, append=True).reorder_levels(
            [*range(1, len(series) + 1), 0]
        )
    return frame.set_index([*series, *time])


def _is_numbered(index) -> bool:
    """Whether an index is the one that pandas gives rows without any."""
    is_range = isinstance(index, pd.RangeIndex) and index.name is None
    return is_range and index.equals(pd.RangeIndex(len(index)))


def labels_of(table: Any, n_before: int) -> pd.Index:
    """Index of the rows of a chunk: numbers, from `n_before` on, where it has none."""
    index = index_of(table)
    numbers = pd.RangeIndex(n_before, n_before + len(table))
    return numbers if index is None else index


def _given(found, threshold) -> Iterator[Any]:
    """Yield the scores that there are, together, with labels if wanted."""
    if found:
        yield with_labels(gather(found), threshold)


def with_labels(scores: pd.Series, threshold: float | None) -> Any:
    """Put labels beside scores, if there is a threshold."""
    if threshold is None:
        return scores
    labels = np.where(scores - threshold < 0, -1, 1)
    return pd.DataFrame({"score": scores, "label": labels})
