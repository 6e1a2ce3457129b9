"""Small pictures: a signal beside what was expected, as points of an SVG."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skad._nesting import input_of
from skad._validation import safe_indexing
from skad._warnings import silently
from skad.plotting._explained import direction_of
from skad.plotting._reading import is_dates
from skad.plotting._scales import drawable
from skad.plotting._style import as_text, number
from skad.plotting._timeline import find_peaks
from skad.plotting._windows import fold
from skad.reporting._explained import worst_first
from skad.reporting._record import find_reconstructor
from skad.reporting._tables import Absent, as_label, as_name

# Width and height of a picture, in units of its SVG.
WIDTH, HEIGHT = 300, 110
# Windows in the gallery and channels of each; events that get pictures, and sensors.
N_WINDOWS, N_CHANNELS, N_EVENTS, N_SENSORS = 12, 3, 6, 2


@dataclass(frozen=True)
class Picture:
    """A signal, what was expected, and the part of it that is an event.

    `signal` and `expected` are lists of polylines, as SVG writes their points; `event`
    holds left end and width of the shaded part, or is None. `lowest` and `highest`
    are the readings at the lower and upper border.
    """

    title: str
    signal: list[str]
    expected: list[str]
    lowest: str
    highest: str
    event: tuple[float, float] | None = None
    first: str = ""
    last: str = ""


@dataclass(frozen=True)
class Panel:
    """Pictures of one window, or of one event."""

    title: str
    note: str
    pictures: list[Picture]


def draw(title, signal, expected, event=None, ends=("", "")) -> Picture:
    """Draw a signal and what was expected; missing values are gaps."""
    both = [drawable(np.asarray(values, dtype=float)) for values in (signal, expected)]
    known = np.concatenate([values[np.isfinite(values)] for values in both])
    lowest, highest = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    lines, dashes = (_points(values, lowest, highest) for values in both)
    if event is not None:
        first, last = event
        left = WIDTH * first / len(signal)
        event = round(left, 1), round(max(2.0, WIDTH * (last + 1) / len(signal) - left))
    span = number(lowest), number(highest)
    return Picture(title, lines, dashes, *span, event, *ends)


def _points(values, lowest, highest) -> list[str]:
    """Points of lines between gaps: the lowest and highest of each column."""
    rows = np.flatnonzero(np.isfinite(values))
    if len(rows) == 0:
        return []
    if len(rows) > 2 * WIDTH:
        column = (rows * WIDTH // len(values)).astype(int)
        kept = rows[find_peaks(column, values[rows])]
    else:
        kept = rows
    stretch = np.cumsum(np.diff(rows, prepend=rows[0]) > 1)
    stretch = stretch[np.searchsorted(rows, kept)]
    x = (kept + 0.5) * WIDTH / len(values)
    height = (highest - lowest) or 1.0
    y = 4 + (HEIGHT - 8) * (highest - values[kept]) / height
    return [
        " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[own], y[own], strict=True))
        for own in (stretch == number for number in np.unique(stretch))
    ]


def draw_events(record, explained) -> list[Panel]:
    """Draw the sensors of the worst events beside what was expected of them."""
    if isinstance(explained.expected, Absent) or "sensor_1" not in explained.events:
        return []
    panels = []
    for number_, event in worst_first(explained.events)[:N_EVENTS].iterrows():
        pictures = _pictures_of(record, explained, event)
        if pictures:
            start, end = as_label(event["start"]), as_label(event["end"])
            title = f"Event {number_ + 1}"
            if "series" in event:
                title += f", {as_name(event['series'])}"
            panels.append(Panel(title, f"{start} to {end}", pictures))
    return panels


def _pictures_of(record, explained, event) -> list[Picture]:
    """Draw the first sensors of an event, with some time before and after."""
    at = record.rows.restore(np.arange(record.n_rows))
    first, last = at[int(event["start_row"])], at[int(event["end_row"])]
    margin = max(2 * (record.window_length or 1), last - first + 1)
    low, high = max(0, first - margin), min(record.n_rows - 1, last + margin)
    segments = record.rows.segments
    around = np.arange(low, high + 1)
    around = around[segments[around] == segments[first]]
    table_rows = record.rows.place(around)
    is_known = np.isin(table_rows, explained.rows)
    around, table_rows = around[is_known], table_rows[is_known]
    places = np.searchsorted(explained.rows, table_rows)
    labels = record.rows.labels[around]
    ends = as_label(labels[0]), as_label(labels[-1])
    pictures = []
    for place in range(1, N_SENSORS + 1):
        sensor = event.get(f"sensor_{place}")
        if sensor not in explained.readings:
            continue
        read, told = (
            pd.to_numeric(table[sensor], errors="coerce").to_numpy(dtype=float)[places]
            for table in (explained.readings, explained.expected)
        )
        arrow = direction_of(event[f"deviation_{place}"])
        title = f"{as_text(sensor)} {arrow}".rstrip()
        span = np.searchsorted(around, [first, last])
        pictures.append(draw(title, read, told, tuple(span), ends))
    return pictures


def draw_gallery(record) -> Any:
    """Draw the windows with the lowest scores beside their reconstructions."""
    if record.window_length is not None:
        return Absent("Rows are points of a series, so there are no single windows.")
    layer = find_reconstructor(record.estimator)
    if layer is None:
        return Absent("The detector reconstructs nothing.")
    worst = np.argsort(record.scores, kind="stable")[:N_WINDOWS]
    windows = silently(input_of, layer, record.estimator, record.X)
    windows = safe_indexing(windows, worst)
    n_channels = layer.n_channels_
    back = fold(layer.reconstruct(windows), n_channels, "X")
    windows = fold(windows, n_channels, "X")
    return [
        Panel(
            f"Window {row:,}",
            _note(record, row),
            [
                draw(
                    "" if n_channels == 1 else f"channel {channel}",
                    signal[:, channel],
                    copy[:, channel],
                )
                for channel in _worst_channels(signal, copy)
            ],
        )
        for row, signal, copy in zip(worst, windows, back, strict=True)
    ]


def _worst_channels(signal, back) -> list[int]:
    errors = np.mean((signal - back) ** 2, axis=0)
    return sorted(np.argsort(-errors, kind="stable")[:N_CHANNELS].tolist())


def _note(record, row) -> str:
    """Score, verdict and label of a window."""
    told = ["flagged" if record.is_flagged[row] else "passed"]
    if record.is_anomaly is not None:
        told.append("labelled " + ("anomaly" if record.is_anomaly[row] else "normal"))
    if is_dates(record.rows.labels):
        told.insert(0, as_label(record.rows.labels[row]))
    return f"score {number(record.scores[row])}, {', '.join(told)}"
