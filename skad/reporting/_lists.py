"""Tables of series, of events and of sensors."""

from typing import Any

import numpy as np

from skad.plotting._explained import direction_of
from skad.plotting._style import as_text
from skad.reporting._explained import N_AROUND, N_LISTED
from skad.reporting._tables import (
    Absent,
    Cell,
    Table,
    as_label,
    as_name,
    cell,
    percent,
    share_cell,
)

# Rows of the table of series.
_N_SERIES = 500


def table_of_series(record) -> Table | None:
    """Rows, flags and lowest score of each series; None if there is only one."""
    if len(record.series) < 2:
        return None
    rows = [
        [
            cell(as_name(one.name)),
            cell(len(one.scores)),
            cell(int(one.is_flagged.sum())),
            share_cell(one.is_flagged.mean()),
            cell(float(one.scores.min())),
        ]
        for one in record.series[:_N_SERIES]
    ]
    columns = ["Series", "Rows", "Flagged", "Share", "Lowest score"]
    n_series = len(record.series)
    some = f"; the first {_N_SERIES} of {n_series:,}" if n_series > _N_SERIES else ""
    return Table(f"Series and their flagged rows{some}.", columns, rows)


def table_of_events(facts, shown, timelines) -> Any:
    """Events with their sensors, and where to find them in the chart."""
    explained, record = facts.explained, facts.record
    if isinstance(explained.events, Absent):
        return explained.events
    places = {
        one.name: (chart, timeline)
        for chart, (one, timeline) in enumerate(zip(shown, timelines, strict=True))
    }
    at = record.rows.restore(np.arange(record.n_rows))
    begins = np.flatnonzero(np.r_[True, record.rows.begins_series])
    rows, spans = [], list[dict[str, Any]]()
    for number_, event in explained.events.iterrows():
        rows.append(_row_of_event(number_, event, explained))
        chart, timeline = places.get(event.get("series"), (None, None))
        if timeline is None:
            spans.append({})
            continue
        first, last = at[int(event["start_row"])], at[int(event["end_row"])]
        start = begins[np.searchsorted(begins, first, "right") - 1]
        left, right = timeline.ends(first - start, last - start)
        spans.append({"chart": chart, "start": left, "end": right})
    return Table(
        _caption_of_events(explained),
        [name for name, _ in rows[0]],
        [[value for _, value in row] for row in rows],
        spans,
    )


def _caption_of_events(explained) -> str:
    n, listed = explained.n_events, len(explained.events)
    text = "Runs of flagged rows"
    if n > listed:
        text += f"; of {n:,}, the {listed:,} with the lowest scores"
    text += ". Scores: higher is more normal."
    if "sensor_1" in explained.events:
        text += (
            " Sensors stand with their share of the error; arrows say whether they "
            "read too high or too low. Reading and expected value of the first sensor "
            "are means over the event."
        )
        if explained.events["sensor_1"].isna().any():
            text += f" Only the {N_AROUND} worst events were explained."
    return text


def _row_of_event(number_, event, explained) -> list[tuple[str, Cell]]:
    found = [("Event", cell(int(number_) + 1))]
    if "series" in event:
        found.append(("Series", cell(as_name(event["series"]))))
    for name in ("Start", "End"):
        found.append((name, cell(event[name.lower()], as_label(event[name.lower()]))))
    if "duration" in event:
        found.append(("Duration", cell(event["duration"])))
    else:
        found.append(("Rows", cell(int(event["n_rows"]))))
    found += [("Lowest score", cell(float(event["peak_score"])))]
    if "sensor_1" in event:
        found.append(("Sensors", _cell_of_sensors(event)))
        if not isinstance(explained.expected, Absent):
            found += _readings_of(event, explained)
    return found


def _cell_of_sensors(event) -> Cell:
    told = []
    for place in range(1, 4):
        sensor = event.get(f"sensor_{place}")
        share = event.get(f"share_{place}", np.nan)
        if sensor is None or (np.isscalar(sensor) and sensor != sensor):
            continue
        arrow = direction_of(event.get(f"deviation_{place}", 0.0))
        told.append(f"{as_text(sensor)} {arrow}".rstrip() + f" {percent(share)}")
    return Cell("\n".join(told), told[0], "lines") if told else cell(None)


def _readings_of(event, explained) -> list[tuple[str, Cell]]:
    """Mean reading and mean expected value of the first sensor of an event."""
    ends = event["start_row"], event["end_row"]
    first, last = np.searchsorted(explained.rows, ends)
    means = []
    for table in (explained.readings, explained.expected):
        known = event["sensor_1"] in table.columns
        values = table[event["sensor_1"]].iloc[first : last + 1] if known else []
        values = np.asarray(values, dtype=float)
        values = values[np.isfinite(values)]
        means.append(cell(float(values.mean()) if len(values) else None))
    return list(zip(("Reading", "Expected"), means, strict=True))


def table_of_sensors(facts) -> Any:
    """Shares of the sensors in the errors of flagged rows."""
    explained, record = facts.explained, facts.record
    parts = explained.contributions
    if isinstance(parts, Absent):
        return parts
    flagged = record.is_flagged[explained.rows]
    sums = parts[flagged].sum().sort_values(ascending=False, kind="stable")
    first = explained.events.get("sensor_1")
    rows = [
        [
            cell(as_text(name)),
            share_cell(value / sums.sum()),
            cell(int((first == name).sum()) if first is not None else None),
        ]
        for name, value in sums.iloc[:N_LISTED].items()
    ]
    n_flagged = int(np.count_nonzero(record.is_flagged))
    of_all = "" if flagged.sum() == n_flagged else f" of {n_flagged:,}"
    caption = (
        f"Shares of the sensors in the errors of {int(flagged.sum()):,}{of_all} "
        "flagged rows, and in how many listed events a sensor comes first."
    )
    return Table(caption, ["Sensor", "Share of the error", "First in events"], rows)
