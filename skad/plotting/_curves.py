"""Histograms of scores, and curves of what each threshold would make of them."""

from typing import Any

import numpy as np

from skad.plotting import _style
from skad.plotting._scales import is_heavy_tailed, label_axis, linear_middle, spread
from skad.plotting._texts import points, text_width
from skad.plotting._timeline import find_peaks
from skad.series._rows import read_index
from skad.thresholds._cuts import alarm_counts, fbeta_curve, threshold_above

# Columns into which long curves are thinned: more than a screen or a page shows.
_N_COLUMNS = 2000


def scale_scores(ax, scores, threshold, xscale) -> None:
    """Set the scale of scores; "auto" shows their bulk and the threshold, if any."""
    sizes = np.abs(scores)
    farthest = max(sizes.max(), abs(threshold or 0.0))
    if xscale == "auto":
        xscale = "symlog" if is_heavy_tailed(sizes, farthest) else "linear"
    if xscale == "symlog":
        # scores on both sides of 0 keep their bulk in the linear middle
        usual = np.quantile(sizes, 0.5 if scores.min() < 0 < scores.max() else 0.01)
        ax.set_xscale("symlog", linthresh=linear_middle(usual, farthest))


def draw_histograms(ax, scores, is_anomaly, bins) -> tuple[Any, Any]:
    """Draw the shares of normal rows and of anomalies, or of all rows and None."""
    edges, colours = _bin_edges(ax, scores, bins), _style.palette()
    if is_anomaly is None:
        return _draw_shares(ax, scores, edges, colours.normal, "all rows"), None
    return (
        _draw_shares(ax, scores[~is_anomaly], edges, colours.normal, "normal"),
        _draw_shares(ax, scores[is_anomaly], edges, colours.anomaly, "anomaly"),
    )


def _bin_edges(ax, scores, bins) -> np.ndarray:
    """Edges of bins that are equally wide on the axis as drawn."""
    transform = ax.xaxis.get_transform()
    lowest, highest = spread(scores.min(), scores.max())
    ends = transform.transform(np.array([lowest, highest]))
    edges = transform.inverted().transform(np.linspace(ends[0], ends[1], bins + 1))
    # the way there and back may lose the outermost rows to rounding
    edges[[0, -1]] = lowest, highest
    return edges


def _draw_shares(ax, scores, edges, colour, label) -> Any:
    """Draw the share of scores in each bin; None without scores."""
    if len(scores) == 0:
        return None
    counts, _ = np.histogram(scores, edges)
    return ax.stairs(
        counts / len(scores),
        edges,
        fill=True,
        facecolor=(colour, 0.5),
        edgecolor=colour,
        linewidth=1.2,
        label=f"{label} (n={len(scores)})",
    )


def label_curves(scores, is_anomaly, beta) -> dict[str, np.ndarray]:
    """Where precision, recall and F-beta change, and their values up to there.

    There are none unless both classes are there.
    """
    if is_anomaly is None or not 0 < is_anomaly.sum() < len(scores):
        return {}
    thresholds, fbeta = fbeta_curve(scores, is_anomaly, beta)
    _, n_flagged, n_detected = alarm_counts(scores, is_anomaly)
    return {
        "thresholds": thresholds,
        "precision": np.append(np.nan, n_detected / n_flagged),
        "recall": np.append(0.0, n_detected / is_anomaly.sum()),
        "fbeta": fbeta,
    }


def alert_curve(scores, index) -> dict[str, np.ndarray]:
    """Where the number of alerts a day changes, and its values; none without dates."""
    rows = read_index(index, len(scores))
    scores = rows.group(scores)
    if rows.step is None:
        return {}
    distinct = np.unique(scores)
    n_rows = np.searchsorted(np.sort(scores), distinct, side="right")
    # a row that follows another one below the threshold starts no alert
    together = np.diff(rows.segments) == 0
    followers = np.sort(np.maximum(scores[:-1], scores[1:])[together])
    n_alerts = n_rows - np.searchsorted(followers, distinct, side="right")
    n_days = len(scores) / rows.rows_per_day()
    return {
        "thresholds": np.append(distinct, threshold_above(distinct, len(distinct) - 1)),
        "alerts_per_day": np.append(0, n_alerts) / n_days,
    }


def draw_label_curves(ax, display, kwargs) -> list[Any]:
    """Draw precision, recall, F-beta and the best F-beta of a display."""
    colours, x, name = _style.palette(), display.thresholds, f"F{display.beta:g}"
    dashes = {"label": "precision", "color": colours.precision, "linestyle": "-."}
    precision = _draw_steps(ax, x, display.precision, linewidth=1.4, **dashes)
    dots = {"label": "recall", "color": colours.recall, "linestyle": ":"}
    recall = _draw_steps(ax, x, display.recall, linewidth=1.4, **dots)
    style = _style.with_defaults(kwargs, color=colours.text, linewidth=1.4, label=name)
    fbeta = _draw_steps(ax, x, display.fbeta, **style)
    best, highest = display.best_threshold, display.best_fbeta
    label = f"best {name} {highest:.2f} at {_style.number(best)}"
    dot = {"linestyle": "none", "marker": "o", "markersize": 6, "zorder": 3}
    dot |= {"color": colours.best, "clip_on": False, "label": label}
    (point,) = ax.plot(best, highest, **dot)
    ax.set(ylim=(-0.05, 1.08), ylabel=f"precision,\nrecall, {name}")
    return [precision, recall, fbeta, point]


def draw_alerts(ax, height, thresholds, alerts, threshold, kwargs) -> Any:
    """Draw alerts a day, and write those at the threshold, if there is one, beside it.

    `height` is that of the panel in inches.
    """
    style = _style.with_defaults(kwargs, color=_style.palette().text, linewidth=1.4)
    line = _draw_steps(ax, thresholds, alerts, **style)
    if alerts.max() > 0:
        ax.set_yscale("log", nonpositive="clip")
        ax.set_ylim(alerts[alerts > 0].min() / 1.5, alerts.max() * 1.5)
        label_axis(ax.yaxis, height)
    ax.set_ylabel("alerts\na day")
    if threshold is not None:
        place = np.searchsorted(thresholds[:-1], threshold)
        _write_beside(ax, threshold, _style.number(alerts[place]))
    return line


def draw_threshold(axes, threshold, kwargs) -> list[Any]:
    """Draw the threshold in each panel; no lines without one."""
    if threshold is None:
        return []
    style = _style.threshold_style(kwargs, threshold)
    return [ax.axvline(threshold, **style) for ax in axes]


def label_panels(panels, axes, is_one_class) -> None:
    """Name the axes, of which the first shows shares of all rows or of classes."""
    first, share = axes[0], "share of rows" if is_one_class else "share of class"
    panels.label(axes, [share, *(ax.get_ylabel() for ax in axes[1:])])
    label_axis(first.yaxis, panels.height(first))
    for ax in axes:
        _style.tidy(ax)
    last = axes[-1]
    last.set_xlabel("score (higher = more normal)", fontsize=points("small"))
    if last.get_xscale() == "symlog":
        label_axis(last.xaxis, _style.inches(last)[0], apart=0.6)


def _draw_steps(ax, x, values, **style) -> Any:
    """Draw a curve of steps; of a long one, only the peaks."""
    rows = np.arange(len(values))
    if len(x) > 2 * _N_COLUMNS:
        places = ax.xaxis.get_transform().transform(x)
        share = (places - places[0]) / (places[-1] - places[0])
        rows = rows[~np.isnan(values)]
        column = (share[rows] * _N_COLUMNS).astype(int)
        rows = rows[find_peaks(column, values[rows])]
    return ax.plot(x[rows], values[rows], drawstyle="steps-pre", **style)[0]


def _write_beside(ax, x, text) -> None:
    """Write a text at the top of a panel beside a vertical line at x.

    It goes on the left, where curves of alerts are low, if there is room.
    """
    low, here, high = ax.xaxis.get_transform().transform(
        np.array([ax.get_xlim()[0], x, ax.get_xlim()[1]])
    )
    room = 72 * _style.inches(ax)[0] * (here - low) / (high - low)
    is_left = room > text_width(text, points("small")) + 8
    ax.annotate(
        text,
        xy=(x, 1),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-4 if is_left else 4, -1),
        textcoords="offset points",
        ha="right" if is_left else "left",
        va="top",
        fontsize=points("small"),
        path_effects=[_style.outline(ax)],
    )
