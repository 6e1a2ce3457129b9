"""What displays read: labels, the rows of one series, names, and windows."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from skad._nesting import as_read, reader_of
from skad._validation import (
    check_consistent_length,
    check_outlier_labels,
    list_some,
    num_samples,
    take,
)
from skad.plotting._scales import check_numbers
from skad.plotting._style import as_text
from skad.series._events import find_ranges
from skad.series._rows import index_of, read_index


def check_choice(name, value, choices) -> None:
    """Refuse a value that is not one of the choices."""
    if value not in choices:
        raise ValueError(f"{name}={value!r}; expected one of {', '.join(choices)}.")


def read_labels(y, n_rows, name="y_true") -> np.ndarray | None:
    """Whether rows are anomalies; None without labels."""
    if y is None:
        return None
    is_anomaly = check_outlier_labels(y, name=name)
    check_consistent_length(is_anomaly, range(n_rows))
    return is_anomaly


def read_series(index, n_rows, series, y) -> tuple[Any, dict[str, Any]]:
    """Find the rows of one series; rows without times are numbered.

    Returns their positions, and their times, labels and name as displays keep them.
    """
    is_anomaly = read_labels(y, n_rows)
    table = read_index(index, n_rows)
    own: Any = slice(None)
    name = None
    if table.series is not None:
        own, name = _find_series(table.series, series)
    elif series is not None:
        raise ValueError(f"series={series!r}, but the index names no series.")
    labels: Any = table.time if table.has_dates else table.labels
    time, rows = labels[own], table.place(own)
    return rows, {
        "index": time if _is_time(time) else pd.RangeIndex(len(time)),
        "is_anomaly": None if is_anomaly is None else is_anomaly[rows],
        "name": name,
    }


def rows_of_series(estimator, X, series) -> tuple[Any, Any]:
    """Find the rows of the series given, before they are scored.

    Returns them, and the table as the first step of a pipeline reads it. They are all
    rows if no series is given, the index of the table names none, or reading it moves
    rows.
    """
    table, reader = as_read(estimator, X), reader_of(estimator)
    index = index_of(table)
    is_moved = reader is not None and (reader.long, reader.every) != (None, None)
    is_moved = is_moved or num_samples(table) != num_samples(X)
    if series is None or is_moved or not isinstance(index, pd.MultiIndex):
        return slice(None), table
    rows = read_index(index, num_samples(X))
    own, _ = _find_series(rows.series, series)
    return rows.place(own), table


def take_rows(rows, *tables) -> list[Any]:
    """Rows of tables, by what `rows_of_series` has found."""
    return list(tables) if isinstance(rows, slice) else take(rows, *tables)


def _find_series(names, series) -> tuple[np.ndarray, Any]:
    codes, uniques = pd.factorize(names)
    known = list(uniques)
    if series is None and len(known) == 1:
        series = known[0]
    if series not in known:
        raise ValueError(
            f"series={series!r}; choose one of the {len(known)} series of the index: "
            f"{list_some(known)}."
        )
    return np.flatnonzero(codes == known.index(series)), series


def is_dates(index) -> bool:
    """Whether an index holds dates or durations."""
    return isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)


def _is_time(index) -> bool:
    return is_dates(index) or index.dtype.kind in "iuf"


def check_rows(index, numbers, name, *others) -> None:
    """Refuse rows that cannot be drawn, however the display was made."""
    check_numbers(numbers, name)
    check_consistent_length(index, numbers, *others)
    if not _is_time(index):
        raise ValueError("The index holds neither dates, durations nor numbers.")
    if not is_dates(index):
        check_numbers(index, "The index")


def find_rows(index, start, stop) -> slice:
    """Find the rows from one label or position to another, both included."""
    first = 0 if start is None else _find_row(index, start, "start")
    last = len(index) if stop is None else _find_row(index, stop, "stop")
    if first >= last:
        ends = f"from {index[0]} to {index[-1]}" if len(index) else "nowhere"
        raise ValueError(
            f"start={start!r} and stop={stop!r} leave no row; the index goes {ends}."
        )
    return slice(first, last)


def _find_row(index, label, name) -> int:
    """Position of a label: of the first row for start, after the last for stop."""
    is_stop = name == "stop"
    if is_dates(index) and isinstance(label, Integral):
        if label < 0:
            raise ValueError(f"{name}={label!r}; expected a position from 0 on.")
        return min(int(label) + is_stop, len(index))
    if not is_dates(index) and not isinstance(label, Real):
        raise ValueError(f"{name}={label!r}; expected a number, as in the index.")
    try:
        bounds = {"end": label} if is_stop else {"start": label}
        return int(index.slice_locs(**bounds)[is_stop])
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f"{name}={label!r} is no label of the index, which goes from {index[0]} to "
            f"{index[-1]}."
        ) from error


def ranges_of(index, flags) -> pd.DataFrame | None:
    """First and last time of every range of flags, both included."""
    if flags is None:
        return None
    first, last = find_ranges(flags, read_index(index, len(index)).segments)
    return pd.DataFrame({"start": index[first], "end": index[last]})


def find_names(wanted, names, parameter) -> list[int]:
    """Positions of one or more names, each given as a name or a position."""
    is_one = isinstance(wanted, str | Integral) or (
        isinstance(wanted, tuple) and wanted in list(names)  # series and sensor
    )
    return [
        _find_name(name, list(names), parameter)
        for name in ([wanted] if is_one else wanted)
    ]


def choose_channels(names, channels, max_channels, order) -> np.ndarray:
    """Positions of the channels given by name or position, or the first in an order."""
    if channels is not None:
        chosen = find_names(channels, names, "channels")
        if len(chosen) == 0:
            raise ValueError("channels is empty; expected at least one.")
        return np.array(chosen, dtype=int)
    if not isinstance(max_channels, Integral) or max_channels < 1:
        raise ValueError(f"max_channels={max_channels!r}; expected an int >= 1.")
    return order[:max_channels]


def _find_name(wanted, names, parameter) -> int:
    if wanted in names:
        return names.index(wanted)
    if isinstance(wanted, Integral) and int(wanted) in range(len(names)):
        return int(wanted)
    raise ValueError(
        f"{parameter} holds {wanted!r}; expected one of {list_some(names)}, or a "
        f"position from 0 to {len(names) - 1}."
    )


def check_names(names, n_channels) -> None:
    """Refuse names unless there is one for each channel."""
    if names is not None and len(names) != n_channels:
        raise ValueError(
            f"channel_names has {len(names)} names; expected {n_channels}, one for "
            "each channel."
        )


def name_channels(names, n_channels) -> list[str]:
    """Names of channels as texts; they are counted if there are none."""
    return [as_text(name) for name in (range(n_channels) if names is None else names)]


def read_tables(scores) -> dict[str, Any]:
    """Scores of each detector, by name."""
    if not isinstance(scores, Mapping | pd.DataFrame):
        raise TypeError(
            f"scores is a {type(scores).__name__}; expected a dict with the scores of "
            "each detector, or a DataFrame."
        )
    tables = dict(scores.items())
    if not tables:
        raise ValueError("scores is empty; expected those of at least one detector.")
    return tables


def pick_columns(X, columns) -> pd.DataFrame:
    """Columns of a table by name or position."""
    table = X
    if not hasattr(X, "iloc"):
        table = pd.DataFrame(np.asarray(X).reshape(num_samples(X), -1))
    return table.iloc[:, find_names(columns, table.columns, "columns")]
