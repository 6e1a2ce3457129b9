"""Charts that can be zoomed, as figures of plotly; their colours come from the page.

Each trace names the part that it plays in its `meta`, by which the page finds a colour
that suits paper or a dark screen.
"""

import json
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from skad.plotting._scales import drawable, drawable_threshold, is_heavy_tailed
from skad.plotting._style import number
from skad.plotting._timeline import Timeline, find_peaks
from skad.reporting._record import Record, Series
from skad.series._events import find_ranges

# Columns of all charts of scores together: several times as many as a screen shows.
_N_COLUMNS = 8_000
# Columns of a threshold curve.
_N_STEPS = 1000
# Ranges in the strip above the scores; more of them are merged to what can be seen.
_N_RANGES = 1000
_STEEP = 20.0


class PageTimeline(Timeline):
    """An axis of time on the page: dates in milliseconds since 1970."""

    def __init__(self, index, n_columns):
        self.n_columns = n_columns
        super().__init__(index, slice(0, len(index)))

    @staticmethod
    def _positions(index, rows) -> tuple[np.ndarray, str]:
        if isinstance(index, pd.DatetimeIndex):
            since = index.to_numpy() - np.datetime64(0, index.unit)
            return since / np.timedelta64(1, "ms"), ""
        return Timeline._positions(index, rows)

    @property
    def is_dates(self) -> bool:
        """Whether the axis shows dates."""
        return isinstance(self.index, pd.DatetimeIndex)

    def ends(self, first, last) -> tuple[float, float]:
        """Left end of a row, and right end of another."""
        return float(self.x[first] - self.step / 2), float(self.x[last] + self.step / 2)

    def ranges(self, flags) -> tuple[np.ndarray, np.ndarray]:
        """Draw a line from end to end of every range of flags, with gaps between."""
        first, last = find_ranges(flags, self.segments)
        bars = np.column_stack([self.x[first], self.x[last]])
        if len(bars) > _N_RANGES:
            bars = self.bars(flags)
        x = np.column_stack([bars, np.full(len(bars), np.nan)]).ravel()
        return x, np.where(np.isnan(x), np.nan, 0.0)


def columns_of_each(n_series) -> int:
    """Columns of the chart of one of several series."""
    return max(400, _N_COLUMNS // n_series)


def draw_scores(record: Record, series: Series, timeline: PageTimeline) -> Any:
    """Draw the errors of one series, with the threshold and the labels."""
    import plotly.graph_objects as go

    errors = drawable(-series.scores)
    threshold = drawable_threshold(record.threshold)
    flagged = np.where(series.is_flagged, errors, np.nan)
    figure = go.Figure(layout=_layout(340))
    _add_line(figure, *timeline.line(errors), "error")
    if series.is_flagged.any():
        _add_line(figure, *timeline.line(flagged), "flagged", width=1.6)
    limits = timeline.limits
    if threshold is not None:
        level = 0.0 - threshold
        style = {"name": f"threshold {number(level)}", "width": 1.2, "dash": "dash"}
        _add_line(figure, limits, [level, level], "threshold", **style)
    _add_strips(figure, timeline, series)
    figure.update_xaxes(
        type="date" if timeline.is_dates else "linear",
        title_text=_axis_name(record, timeline),
        range=list(limits),
        anchor="y",
    )
    figure.update_layout(
        yaxis={
            "title": {"text": "error (\N{MINUS SIGN}score)"},
            **_scale(errors, threshold),
            "domain": [0.0, 0.84],
            "fixedrange": True,
        },
    )
    return _plain(figure)


def _axis_name(record, timeline) -> str:
    if timeline.is_dates:
        return escape(f"time ({record.zone})" if record.zone else "")
    return escape(timeline.label)


def _add_strips(figure, timeline, series) -> None:
    """Add a strip of flagged ranges, and one of labelled ones, above the scores."""
    strips = {"flagged": series.is_flagged}
    if series.is_anomaly is not None:
        strips["labelled"] = series.is_anomaly
    for place, (part, flags) in enumerate(strips.items()):
        if not flags.any():
            continue
        x, y = timeline.ranges(flags)
        figure.add_scatter(
            x=x,
            y=y + place,
            mode="lines+markers",
            name=f"{part} ranges",
            meta=part,
            yaxis="y2",
            line={"width": 7},
            marker={"size": 5, "symbol": "line-ns-open"},
            showlegend=False,
            hoverinfo="skip",
            connectgaps=False,
        )
    figure.update_layout(
        yaxis2={
            "domain": [0.87, 1.0],
            "range": [-0.6, len(strips) - 0.4],
            "tickvals": [*range(len(strips))],
            "ticktext": [*strips],
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "ticks": "",
        }
    )


def _scale(errors, threshold) -> dict[str, Any]:
    """Logarithmic where one peak would leave nothing of the rest to be seen."""
    errors = errors[np.isfinite(errors)]
    is_log = len(errors) and errors.min() > 0 and is_heavy_tailed(errors, errors.max())
    if not is_log or (threshold is not None and threshold >= 0):
        return {"type": "linear", "exponentformat": "power", "nticks": 6}
    return _log_axis(np.append(errors, [] if threshold is None else -threshold))


def _log_axis(values) -> dict[str, Any]:
    """Make a logarithmic axis with plain numbers: 1, 2 and 5 of each power of ten."""
    low, high = np.log10(values.min()), np.log10(values.max())
    powers = np.arange(np.floor(low), np.ceil(high) + 1)
    step = -(-len(powers) // 7)
    steps = [1, 2, 5] if len(powers) < 4 else [1]
    ticks = [float(n * 10**power) for power in powers[::step] for n in steps]
    room = 0.04 * (high - low) or 0.1
    return {
        "type": "log",
        "range": [float(low - room), float(high + room)],
        "tickvals": ticks,
        "ticktext": [number(tick) for tick in ticks],
    }


def draw_curves(curves, threshold) -> Any:
    """Draw precision, recall and F1 at every threshold."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(320))
    is_drawn = np.isfinite(drawable(curves["thresholds"]))
    curves = {name: np.asarray(one)[is_drawn] for name, one in curves.items()}
    x, threshold = curves["thresholds"], drawable_threshold(threshold)
    names = {"precision": "precision", "recall": "recall", "fbeta": "F1"}
    dashes = {"precision": "dashdot", "recall": "dot", "fbeta": "solid"}
    ends = _usual_range(x, threshold)
    for part, name in names.items():
        rows = _thinned(x, curves[part], ends)
        style = {"name": name, "dash": dashes[part], "shape": "vh", "width": 1.6}
        _add_line(figure, x[rows], curves[part][rows], part, **style)
    if threshold is not None:
        style = {"name": f"threshold {number(threshold)}", "width": 1.2, "dash": "dash"}
        _add_line(figure, [threshold] * 2, [0.0, 1.0], "threshold", **style)
    figure.update_xaxes(
        title_text="threshold (score; higher is more normal)", range=ends
    )
    figure.update_yaxes(range=[-0.03, 1.05], fixedrange=True)
    return _plain(figure)


def _usual_range(x, threshold) -> list[float]:
    """Leave out the lowest 2 % of thresholds, which are a zoom away."""
    ends = [] if threshold is None else [threshold]
    ends += [np.quantile(x, 0.02), x[-1]] if len(x) else [0.0]
    low, high = min(ends), max(ends)
    room = 0.02 * (high - low) or 0.5
    return [float(low - room), float(high + room)]


def _thinned(x, values, ends) -> np.ndarray:
    """Rows of a curve: the lowest and the highest value of every column."""
    rows = np.flatnonzero(np.isfinite(values))
    if len(rows) <= 2 * _N_STEPS:
        return rows
    share = np.clip((x[rows] - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)
    return rows[find_peaks((share * _N_STEPS).astype(int), values[rows])]


def draw_history(history, best_epoch) -> Any:
    """Draw the losses of the epochs, and mark the best one."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(280))
    epochs = history.get("epoch", pd.Series(np.arange(1, len(history) + 1)))
    epochs = epochs.to_numpy(dtype=float)
    lines = {"train_loss": "training", "valid_loss": "validation"}
    found = []
    for column, part in lines.items():
        if column not in history or not history[column].notna().any():
            continue
        losses = drawable(history[column].to_numpy(dtype=float))
        dash = "solid" if part == "training" else "dash"
        mode = "lines" if len(history) > 1 else "markers"
        style = {"width": 1.6, "dash": dash, "mode": mode}
        _add_line(figure, epochs, losses, part, **style)
        found.append(losses[np.isfinite(losses)])
    if best_epoch is not None:
        figure.add_vline(best_epoch, line={"dash": "dot", "width": 1.2})
        figure.add_annotation(
            x=best_epoch,
            y=1,
            yref="paper",
            yanchor="top",
            showarrow=False,
            xanchor="right" if best_epoch > epochs.mean() else "left",
            text=f" best epoch {best_epoch} ",
        )
    losses = np.concatenate([*found, np.empty(0)])
    is_steep = len(losses) and losses.max() > _STEEP * losses.min() > 0
    step = max(1, -(-len(history) // 10))
    figure.update_xaxes(title_text="epoch", dtick=step, tick0=0)
    scale = _log_axis(losses) if is_steep else {"type": "linear", "nticks": 6}
    figure.update_yaxes(title_text="loss", fixedrange=True, **scale)
    return _plain(figure)


def _plain(figure) -> dict[str, Any]:
    """Return what JSON can hold: plotly writes empty arrays, too, and no infinity."""
    return json.loads(figure.to_json())


def _layout(height) -> dict[str, Any]:
    return {
        "template": "none",
        "height": height,
        "margin": {"l": 64, "r": 12, "t": 34, "b": 40},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "x",
        "dragmode": "zoom",
        "showlegend": True,
    }


def _add_line(figure, x, y, part, *, mode="lines", name=None, shape="linear", **line):
    """Add a line that plays a part."""
    figure.add_scatter(
        x=np.asarray(x, dtype=float),
        y=_in_single_precision(np.asarray(y, dtype=float)),
        mode=mode,
        name=name or part,
        meta=part,
        line={"width": 1.0, "shape": shape, **line},
        connectgaps=False,
        hovertemplate="%{y:.4~g}<extra>%{fullData.name}</extra>",
    )


def _in_single_precision(values) -> np.ndarray:
    """Halve the size of values that are neither too large nor too small for that."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    fits = not len(sizes) or (sizes.max() < 1e30 and sizes.min() > 1e-30)
    return values.astype(np.float32) if fits else values
