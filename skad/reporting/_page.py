"""The page: sections in their order of reading, filled into a template."""

import base64
import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np

from skad.plotting._style import number
from skad.reporting import _charts, _pictures
from skad.reporting._detector import table_of_drift
from skad.reporting._facts import Facts
from skad.reporting._lists import table_of_events, table_of_sensors, table_of_series
from skad.reporting._tables import Absent, as_label, as_name, count, percent

# Series that can be chosen in the chart.
_N_CHARTS = 24


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
    """Make what tells the browser that a script is one of the page's own."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _sections(facts: Facts) -> dict[str, Any]:
    """Fill each section of the template, by name."""
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
        "events": table_of_events(facts, shown, timelines),
        "expected": facts.explained.expected,
        "gallery": _pictures.draw_gallery(record),
        "sensors": table_of_sensors(facts),
        "drift": drift,
        "curves": curves,
        "history": history,
    }
    return named | {
        "title": f"{facts.detector.name}: anomaly report",
        "facts": facts,
        "verdict": _verdict(facts),
        "charts": ["" if one.name is None else as_name(one.name) for one in shown],
        "figures": {"scores": charts} | _figures(curves=curves, history=history),
        "n_series": len(record.series),
        "series": table_of_series(record),
        "panels": _pictures.draw_events(record, facts.explained),
        "absent": _reasons(named, judged),
        "made": _made(facts),
    }


def _figures(**figures) -> dict[str, Any]:
    return {n: one for n, one in figures.items() if not isinstance(one, Absent)}


# Sections that may be absent, and what they are called where it is said why.
_NAMES = {
    "events": "Events",
    "expected": "Expected values",
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
        figure = f"{len(drift.moved)} of {len(drift.sensors)}"
        note = "sensors moved since fit; "
        if len(drift.moved) or drift.labels_can_be_trusted:
            note += drift.verdict
        else:
            note += "flagged beyond what is promised: anomalies, or normal has moved on"
        told.append({"name": "Drift", "figure": figure, "note": note})
    # a number stays with its unit
    return [
        one | {"note": one["note"].replace(" %", "\N{NO-BREAK SPACE}%")}
        for one in told
        if one
    ]


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
    if not facts.record.is_in_time:
        return {}
    recall = facts.judged.event_recall
    note = "runs of flagged rows"
    if recall is not None:
        note += f"; {percent(recall)} of the labelled ones were found"
    return {"name": "Events", "figure": f"{explained.n_events:,}", "note": note}


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
