"""The page: sections in their order of reading, filled into a template."""

import base64
import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np

from skad.plotting._explained import direction_of
from skad.plotting._style import as_text, number
from skad.reporting import _charts, _pictures
from skad.reporting._detector import table_of_drift
from skad.reporting._explained import N_AROUND, N_LISTED
from skad.reporting._facts import Facts
from skad.reporting._tables import (
    Absent,
    Cell,
    Table,
    as_label,
    cell,
    count,
    percent,
    share_cell,
)

# Series that can be chosen in the chart, and rows of the table of series.
_N_CHARTS, _N_SERIES = 24, 500


def write_page(facts: Facts) -> str:
    """Fill the template with what has been found."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("skad.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["absent"] = lambda value: isinstance(value, Absent)
    library, script = get_plotlyjs(), _read("_page.js")
    return environment.get_template("_page.html").render(
        library=library,
        script=script,
        style=_read("_page.css"),
        hashes=[_hash(library), _hash(script)],
        width=_pictures.WIDTH,
        height=_pictures.HEIGHT,
        **_sections(facts),
    )


def _read(name) -> str:
    return files("skad.reporting").joinpath(name).read_text(encoding="utf-8")


def _hash(script) -> str:
    """What tells the browser that a script is one of the page's own."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _sections(facts: Facts) -> dict[str, Any]:
    """What each section of the template shows, by name."""
    record, judged = facts.record, facts.judged
    shown = _series_shown(record)
    timelines = _timelines(shown)
    curves, history = judged.curves, facts.detector.history
    if not isinstance(curves, Absent):
        curves = _charts.draw_curves(curves, record.threshold)
    if not isinstance(history, Absent):
        history = _charts.draw_history(history, facts.detector.best_epoch)
    drift = facts.drift
    if not isinstance(drift, Absent):
        drift = table_of_drift(drift)
    charts = [
        _charts.draw_scores(record, one, timeline)
        for one, timeline in zip(shown, timelines, strict=True)
    ]
    named: dict[str, Any] = {
        "events": _table_of_events(facts, shown, timelines),
        "gallery": _pictures.draw_gallery(record),
        "sensors": _table_of_sensors(facts),
        "drift": drift,
        "curves": curves,
        "history": history,
    }
    return named | {
        "title": f"{facts.detector.name}: anomaly report",
        "facts": facts,
        "verdict": _verdict(facts),
        "charts": ["" if one.name is None else as_label(one.name) for one in shown],
        "figures": {"scores": charts} | _figures(curves=curves, history=history),
        "n_series": len(record.series),
        "series": _table_of_series(record),
        "panels": _pictures.draw_events(record, facts.explained),
        "absent": _reasons(named, judged),
        "made": _made(facts),
    }


def _figures(**figures) -> dict[str, Any]:
    return {n: one for n, one in figures.items() if not isinstance(one, Absent)}


# Sections that may be absent, and what they are called where it is said why.
_NAMES = {
    "events": "Events",
    "gallery": "Worst windows",
    "sensors": "Sensors",
    "drift": "Drift",
    "figures": "Labels",
    "curves": "Threshold curves",
    "history": "Training",
    "references": "References",
}


def _reasons(named, judged) -> list[tuple[str, str]]:
    """Why sections are not there; what two of them share is said once."""
    told: dict[str, list[str]] = {}
    all_of_them = vars(judged) | named
    for key, name in _NAMES.items():
        if isinstance(all_of_them[key], Absent):
            told.setdefault(all_of_them[key].reason, []).append(name)
    return [(", ".join(names), reason) for reason, names in told.items()]


def _series_shown(record) -> list[Any]:
    """Series with a chart: those with the lowest scores, the lowest first."""
    lowest = [one.scores.min() for one in record.series]
    return [record.series[at] for at in np.argsort(lowest, kind="stable")[:_N_CHARTS]]


def _timelines(shown) -> list[_charts.PageTimeline]:
    n_columns = _charts.columns_of_each(len(shown))
    return [_charts.PageTimeline(one.index, n_columns) for one in shown]


def _verdict(facts) -> list[dict[str, str]]:
    """Name, figure and explanation of what one should know first."""
    record, drift = facts.record, facts.drift
    n_flagged = int(np.count_nonzero(record.is_flagged))
    told = [_verdict_of_rows(record), _verdict_of_events(facts)]
    note = f"{count(n_flagged, record.unit)} of {record.n_rows:,}"
    promised = facts.detector.promised
    if promised is None:
        note += "; the threshold promises no share"
    else:
        note += f"; calibration promised {percent(promised)} of normal ones"
    share = percent(n_flagged / record.n_rows)
    told.append({"name": "Flagged", "figure": share, "note": note})
    if isinstance(drift, Absent):
        told.append({"name": "Drift", "figure": "not known", "note": drift.reason})
    else:
        moved = f"{len(drift.moved)} of {count(len(drift.sensors), 'sensor')} moved"
        figure = "no" if drift.labels_can_be_trusted else "yes"
        note = f"{moved}. {drift.reason}"
        told.append({"name": "Drift", "figure": figure, "note": note})
    return [one for one in told if one]


def _verdict_of_rows(record) -> dict[str, str]:
    note = "all of one series"
    if len(record.series) > 1:
        note = f"in {count(len(record.series), 'series', 'series')}"
    elif not record.is_in_time:
        note = "without times, each judged alone"
    if record.rows.has_dates:
        time = record.rows.time
        note += f", {as_label(time.min())} to {as_label(time.max())}"
    name = f"{record.unit.capitalize()}s"
    return {"name": name, "figure": f"{record.n_rows:,}", "note": note}


def _verdict_of_events(facts) -> dict[str, str]:
    explained = facts.explained
    if isinstance(explained.events, Absent):
        return {}
    recall = facts.judged.event_recall
    note = "runs of flagged rows"
    if recall is not None:
        note += f"; {percent(recall)} of the labelled ones were found"
    return {"name": "Events", "figure": f"{explained.n_events:,}", "note": note}


def _table_of_series(record) -> Table | None:
    """Rows, flags and lowest score of each series; None if there is only one."""
    if len(record.series) < 2:
        return None
    rows = [
        [
            cell(as_label(one.name)),
            cell(len(one.scores)),
            cell(int(one.is_flagged.sum())),
            share_cell(one.is_flagged.mean()),
            cell(float(one.scores.min())),
        ]
        for one in record.series[:_N_SERIES]
    ]
    columns = ["Series", "Rows", "Flagged", "Share", "Lowest score"]
    return Table("Series and their flagged rows.", columns, rows)


def _table_of_events(facts, shown, timelines) -> Any:
    """Events with their sensors, and where to find them in the chart."""
    explained, record = facts.explained, facts.record
    if isinstance(explained.events, Absent):
        return explained.events
    if not explained.n_events:
        return Absent("No row is below the threshold, so there are no events.")
    places = {
        ("" if one.name is None else as_label(one.name)): (chart, timeline)
        for chart, (one, timeline) in enumerate(zip(shown, timelines, strict=True))
    }
    at = record.rows.restore(np.arange(record.n_rows))
    begins = np.flatnonzero(np.r_[True, record.rows.begins_series])
    rows, spans = [], []
    for number_, event in explained.events.iterrows():
        rows.append(_row_of_event(number_, event, explained))
        chart, timeline = places.get(as_label(event.get("series", "")), (None, None))
        if timeline is None:
            spans.append({})
            continue
        first, last = at[event["start_row"]], at[event["end_row"]]
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
        found.append(("Series", cell(as_label(event["series"]))))
    found += [(name, cell(event[name.lower()])) for name in ("Start", "End")]
    if "duration" in event:
        found.append(("Duration", cell(event["duration"])))
    found += [("Rows", cell(int(event["n_rows"])))]
    found += [("Lowest score", cell(float(event["peak_score"])))]
    if "sensor_1" in event:
        found.append(("Sensors", _cell_of_sensors(event)))
        if explained.expected is not None:
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
    return cell(", ".join(told) or None)


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


def _table_of_sensors(facts) -> Any:
    """Shares of the sensors in the errors of flagged rows."""
    explained, record = facts.explained, facts.record
    parts = explained.contributions
    if isinstance(parts, Absent):
        return parts
    flagged = record.is_flagged[explained.rows]
    if not flagged.any():
        return Absent("No row is flagged, so no sensor has a share in anything.")
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


def _made(facts) -> list[tuple[str, str]]:
    """How the page was made."""
    versions = facts.detector.versions | {"plotly": version("plotly")}
    now = datetime.now(UTC)
    return [
        ("Made", now.strftime("%Y-%m-%d %H:%M UTC")),
        ("Versions", ", ".join(f"{name} {of}" for name, of in versions.items())),
        ("Threshold", number(facts.record.threshold)),
        ("Estimator", " in ".join(reversed(facts.detector.layers))),
    ]
