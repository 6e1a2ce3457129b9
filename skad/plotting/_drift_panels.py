"""One panel of moves: points and intervals by sensor, and its axis."""

from typing import Any

import numpy as np

from skad.plotting._scales import drawable, symlog_ticks
from skad.plotting._style import inches, number, palette, tidy
from skad.plotting._texts import points

LABELS = {
    "level": "level (sd of fit)",
    "spread": "spread (ratio)",
    "error": "error (ratio)",
}
# Standard deviations beyond which levels are drawn on a scale that grows.
_FAR = 20.0
# Inches from one tick label to the next.
_LABELS_APART = 0.45
# Ratios that an axis shows, the fewest that are enough for its width.
_ROUND_RATIOS = (
    [10.0**power for power in range(-3, 4)],
    [0.1, 0.2, 0.5, 1, 2, 5, 10],
    [0.25, 0.5, 0.71, 1, 1.4, 2, 4],
    [0.5, 0.6, 0.8, 0.9, 1, 1.1, 1.25, 1.6, 2],
    [0.9, 0.95, 0.98, 0.99, 1, 1.01, 1.02, 1.05, 1.1],
)


def draw_moves(ax, quantity, table, is_certain) -> tuple[Any, Any, Any]:
    """Draw one quantity of all sensors.

    Returns the points, and the lines of certain moves and of others, or None.
    """
    values = [drawable(table[quantity + part]) for part in ("", "_low", "_high")]
    effects, lows, highs = values
    places, colours = np.arange(len(table)), palette()
    lines = []
    for chosen, colour, label in (
        (is_certain, colours.anomaly, "moved"),
        (~is_certain, colours.normal, "may be chance"),
    ):
        ends = lows[chosen], highs[chosen]
        line = ax.hlines(places[chosen], *ends, colors=colour, lw=2, label=label)
        lines.append(line if chosen.any() else None)
    (dots,) = ax.plot(effects, places, "o", ms=3.5, color=colours.text, zorder=3)
    ax.axvline(0, color=colours.text, linewidth=0.8)
    tidy(ax)
    ax.tick_params(axis="y", length=0)
    _scale(ax, quantity, np.concatenate([*values, [0.0]]))
    ax.set_xlabel(LABELS[quantity], fontsize=points("small"))
    return dots, *lines


def _scale(ax, quantity, values) -> None:
    """Choose limits and ticks that show all values."""
    low, high = np.nanmin(values), np.nanmax(values)
    pad = 0.06 * (high - low) or 0.1
    if quantity == "level":
        _scale_levels(ax, low, high, pad)
        return
    low, high = max(low - pad, -np.log(2000)), min(high + pad, np.log(2000))
    ticks = [1.0]
    for ratios in _ROUND_RATIOS:
        ticks = [ratio for ratio in ratios if low <= np.log(ratio) <= high]
        if len(ticks) >= 3:
            break
    step = -(-len(ticks) // _n_labels(ax))
    ticks = ticks[ticks.index(1) % step :: step]
    ax.set_xlim(low, high)
    ax.set_xticks(np.log(ticks), [number(tick) for tick in ticks])


def _n_labels(ax) -> int:
    """How many numbers have room below a panel."""
    return max(2, int(inches(ax)[0] / _LABELS_APART))


def _scale_levels(ax, low, high, pad) -> None:
    from matplotlib.scale import SymmetricalLogTransform
    from matplotlib.ticker import MaxNLocator

    if max(-low, high) <= _FAR:
        ax.set_xlim(low - pad, high + pad)
        ax.xaxis.set_major_locator(MaxNLocator(min(4, _n_labels(ax))))
        return
    ax.set_xscale("symlog", linthresh=1.0)
    ax.set_xlim(min(1.5 * low, -0.5), max(1.5 * high, 0.5))
    ticks = symlog_ticks(
        SymmetricalLogTransform(10, 1.0, 1.0), low, high, min(4, _n_labels(ax))
    )
    ax.set_xticks(ticks, [number(tick) for tick in ticks])
