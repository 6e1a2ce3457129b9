"""Events, and the sensors behind them: what they read and what was expected."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._nesting import reader_of
from skad._validation import num_samples, safe_indexing
from skad._warnings import silently
from skad.reporting._record import Record
from skad.reporting._tables import Absent
from skad.series._events import find_events
from skad.series._expected import expected_as_read
from skad.series._explain import explain

# Values (rows times sensors) up to which all rows are explained: beyond, only those
# around the worst events are.
MOST_EXPLAINED = 1_000_000
# Events that are listed, and of these those whose neighbourhood is explained.
N_LISTED, N_AROUND = 200, 50
# Windows before and after an event that are explained with it.
_MARGIN = 4


@dataclass(frozen=True, eq=False)
class Explained:
    """Events of a record, and their sensors.

    Attributes
    ----------
    events : DataFrame or Absent
        The listed events as `find_events` makes them, in the order of time.
    n_events : int
        Number of all events.
    contributions : DataFrame or Absent
        Parts of the errors of the rows in `rows`.
    readings : DataFrame or None
        Of the same rows, in the units and with the names of the table.
    expected : DataFrame or Absent
        What they should have been.
    rows : ndarray
        Positions in the table of the rows that are explained, ascending.
    """

    events: Any
    n_events: int
    contributions: Any
    readings: Any
    expected: Any
    rows: NDArray[np.intp]


def explain_record(record: Record) -> Explained:
    """Find events, and the sensors behind them as far as the detector tells."""
    nothing = np.arange(0)
    if not record.is_in_time:
        why = Absent(
            "Rows have no times and no order, so neighbouring ones make no events."
        )
        return Explained(why, 0, why, None, why, nothing)
    rows: Any = record.rows
    found = find_events(record.is_flagged, scores=record.scores, index=rows)
    if not len(found):
        why = Absent("No row is below the threshold, so there are no events.")
        return Explained(why, 0, why, None, why, nothing)
    listed = worst_first(found)[:N_LISTED]
    rows = _rows_to_explain(record, listed)
    parts = _explain(record, rows)
    if isinstance(parts, Absent):
        return Explained(_numbered(listed), len(found), parts, None, parts, nothing)
    contributions, deviations, readings, expected = parts
    listed = _name_sensors(record, listed, rows, contributions, deviations)
    return Explained(
        _numbered(listed), len(found), contributions, readings, expected, rows
    )


def _numbered(events) -> pd.DataFrame:
    """Sort events by their rows, and number them."""
    return events.sort_values("start_row", kind="stable").reset_index(drop=True)


def worst_first(events) -> pd.DataFrame:
    """Order events by their lowest score."""
    return events.sort_values("peak_score", kind="stable")


def _rows_to_explain(record, events) -> NDArray[np.intp]:
    """Positions of all rows, or of those around the worst events, if rows are many."""
    n_rows = record.n_rows
    width = getattr(record.table, "shape", (n_rows, 1))[-1]
    reader = reader_of(record.estimator)
    moves = num_samples(record.X) != n_rows or (
        reader is not None and (reader.long, reader.every) != (None, None)
    )
    if n_rows * width <= MOST_EXPLAINED or moves:
        return np.arange(n_rows)
    near = np.zeros(n_rows, dtype=bool)
    margin = _MARGIN * (record.window_length or 1)
    # positions in the order of series and time, where events are stretches
    at = record.rows.restore(np.arange(n_rows))
    segments, left = record.rows.segments, MOST_EXPLAINED // width
    for event in events[:N_AROUND].itertuples():
        first, last = at[event.start_row], at[event.end_row]
        low = max(first - margin, np.searchsorted(segments, segments[first]))
        high = min(
            last + margin, np.searchsorted(segments, segments[last], "right") - 1
        )
        if high - low >= left:
            break
        near[low : high + 1] = True
        left -= high - low + 1
    return np.sort(record.rows.place(np.flatnonzero(near)))


def _explain(record, rows) -> Any:
    """Contributions, deviations, readings and expected values; or why not."""
    X, table = record.X, record.table
    if len(rows) == 0:
        return Absent("The events are too long for their sensors to be found.")
    if len(rows) < record.n_rows:
        X, table = safe_indexing(X, rows), safe_indexing(table, rows)
    # in rows that are no windows of a table, columns take the place of timesteps
    by_column = record.window_length is None and getattr(table, "ndim", 0) == 2
    try:
        explained = silently(_explain_both, record.estimator, X, by_column)
    except (TypeError, ValueError) as error:
        return Absent(str(error))
    contributions, deviations = explained
    readings = None
    expected: Any = Absent("Rows are windows of several channels.")
    if by_column and contributions.shape[1] == table.shape[1]:
        names = getattr(table, "columns", pd.RangeIndex(table.shape[1]))
        contributions, deviations = (one.set_axis(names, axis=1) for one in explained)
    if record.window_length is not None or by_column:
        readings = pd.DataFrame(table).reset_index(drop=True)
        try:
            told = silently(expected_as_read, record.estimator, X)
            expected = pd.DataFrame(np.asarray(told), columns=readings.columns)
        except (TypeError, ValueError) as error:  # a step cannot be taken back
            expected = Absent(str(error))
    tables = contributions.reset_index(drop=True), deviations.reset_index(drop=True)
    return *tables, readings, expected


def _explain_both(estimator, X, timesteps) -> tuple[pd.DataFrame, pd.DataFrame]:
    return explain(estimator, X, timesteps=timesteps, return_deviations=True)


def _name_sensors(record, listed, rows, contributions, deviations) -> pd.DataFrame:
    """Find the listed events again among the explained rows, with their sensors."""
    has_time = record.rows.time is not None and record.index is not None
    events = find_events(
        record.is_flagged[rows],
        scores=record.scores[rows],
        contributions=contributions,
        deviations=deviations,
        window_length=record.window_length,
        # positions have gaps, too, where rows were left out
        index=record.index[rows] if has_time else pd.Index(rows),
    )
    places = [name for name in events if name.endswith("_row")]
    events[places] = rows[events[places].to_numpy()]
    key = "start_row" if record.window_length is None else "flagged_start_row"
    # those without an explanation keep their place in the list
    known = events.set_index(key, drop=False)
    known = known[known.index.isin(listed["start_row"])]
    rest = listed[~listed["start_row"].isin(known.index)]
    named = pd.concat([known, rest.set_index("start_row", drop=False)])
    return named.rename_axis(None)
