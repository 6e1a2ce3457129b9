"""The heat map of contributions: its rows, cells and colours."""

from typing import Any

import numpy as np

from skad.plotting._reading import choose_channels
from skad.plotting._scales import SMALLEST, is_heavy_tailed, symlog_ticks
from skad.plotting._style import inches, is_dark, number, palette
from skad.plotting._texts import points, shorten, text_width
from skad.plotting._timeline import Timeline

CSCALES = ("auto", "linear", "log")

# Names are cut to this share of the width of the picture.
_LONGEST = 0.3


def heat_colours(*, diverging) -> Any:
    """Colour map from the background, at 0, to the colour of anomalies and beyond.

    A diverging one goes to the colour of normal rows on the other side. Brightness is
    monotone on each side, so that a print in grey keeps the sizes.
    """
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap

    zero = mpl.rcParams["axes.facecolor"]
    if is_dark():
        above = ["#6B3A00", "#E69F00", "#FFF0C2"]
        below = ["#123F5C", "#56B4E9", "#DDF1FF"]
    else:
        above = ["#F6B98F", "#D55E00", "#541F00"]
        below = ["#93C3E3", "#0072B2", "#00283F"]
    colours = [*below[::-1], zero, *above] if diverging else [zero, *above]
    return LinearSegmentedColormap.from_list("skad", colours)


def choose_rows(
    contributions, names, channels, max_channels
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Positions of the channels shown, and names and values of the rows of the map."""
    largest = np.argsort(-contributions.sum(axis=0), kind="stable")
    chosen = choose_channels(names, channels, max_channels, largest)
    others = largest[len(chosen) :] if channels is None else largest[:0]
    rows = [names[channel] for channel in chosen]
    values = contributions[:, chosen]
    if len(others):
        rows.append(f"{len(others)} others")
        rest = contributions[:, others].sum(axis=1)
        values = np.column_stack([values, rest])
    return chosen, rows, values


def draw_map(ax, time: Timeline, values, cscale) -> tuple[Any, Any]:
    """Draw contributions, one row for each column of values; mesh and colour bar.

    The bar, with the values of the colours, is on the right of the map.
    """
    edges, grid = time.cells(values, n_cells(ax))
    norm, ticks = _choose_norm(values, cscale)
    drawn = np.where(np.isnan(grid), np.nan, np.maximum(grid, norm.vmin))
    colours = heat_colours(diverging=norm.vmin < 0)
    mesh = draw_cells(ax, edges, drawn, norm=norm, cmap=colours)
    is_cut = drawn[~np.isnan(grid)].min() > values.min()
    bar_ax = ax.inset_axes([1.015, 0, 0.022, 1])
    extend = "min" if is_cut else "neither"
    colorbar = ax.figure.colorbar(mesh, cax=bar_ax, extend=extend)
    colorbar.set_ticks(ticks, labels=[number(tick) for tick in ticks])
    colorbar.minorticks_off()
    colorbar.outline.set_visible(False)
    bar_ax.tick_params(labelsize=points("x-small"), length=2)
    bar_ax.set_ylabel("contribution to error", fontsize=points("x-small"))
    return mesh, colorbar


def n_cells(ax) -> int:
    """Into how many cells to thin a long series, so that each is a pixel at least."""
    # a constrained layout will make the panel narrower
    return int(max(100, 0.7 * inches(ax)[0] * ax.figure.dpi))


def draw_cells(ax, edges, grid, line=None, **colours) -> Any:
    """Draw cells (n_cells, n_rows) between edges, rows from the top; the mesh.

    Gaps, which are NaN, are hatched; a line, of the colour of 0, is between rows.
    """
    n_rows = grid.shape[1]
    borders = np.arange(n_rows + 1) - 0.5
    mesh = ax.pcolormesh(edges, borders, grid.T, rasterized=True, **colours)
    ax.set_ylim(n_rows - 0.5, -0.5)
    ax.spines[:].set_visible(False)
    for border in borders[1:-1]:
        ax.axhline(border, color=line or ax.get_facecolor(), linewidth=1)
    ax.patch.set(**gap_style())
    return mesh


def gap_style() -> dict[str, Any]:
    """Hatches of gaps, which are neither 0 nor anything else."""
    return {"hatch": "////", "edgecolor": (palette().text, 0.3), "linewidth": 0}


def name_rows(ax, names, height) -> None:
    """Write a name beside each row of the map, which is so many inches high.

    Where there is no room for all names, beside every second one, or third, ...
    """
    height_of_row, smallest = 0.85 * 72 * height / len(names), points(1)
    step = int(np.ceil(smallest / height_of_row)) if height_of_row < smallest else 1
    size = min(points("small"), step * height_of_row)
    shown = np.arange(len(names))[::step]
    labels = [names[row] for row in shown]
    ax.set_yticks(shown, labels, fontsize=size, parse_math=False)
    ax.tick_params(axis="y", length=0)


def margins_of(ax, names) -> tuple[list[str], tuple[float, float]]:
    """Names as they fit beside the map, and inches that they and its colours need."""
    size = points("small")
    names = shorten(names, _LONGEST * 72 * inches(ax)[0], size)
    widest = max(text_width(name, size) for name in names)
    # a usual axes has a margin already
    return names, (max(0.0, (widest + size) / 72 - 0.4), 0.75)


def _choose_norm(values, cscale) -> tuple[Any, list[float]]:
    """Scale and ticks of the colours: from 0, or on both sides of it."""
    from matplotlib.colors import LogNorm, Normalize, SymLogNorm
    from matplotlib.scale import SymmetricalLogTransform
    from matplotlib.ticker import MaxNLocator

    sizes = np.abs(values)
    usual, farthest = float(np.median(sizes)), float(sizes.max())
    if cscale == "auto":
        cscale = "log" if is_heavy_tailed(sizes, farthest) else "linear"
    farthest = farthest if farthest > SMALLEST else 1.0
    # a negative value that is a rounding error makes no second colour
    diverging = bool(values.min() < -1e-9 * farthest)
    smallest = max(usual, farthest * (1e-3 if diverging else 1e-4))
    if cscale == "linear" or smallest >= farthest:
        lowest = -farthest if diverging else 0.0
        ticks = MaxNLocator(4).tick_values(lowest, farthest)
        ticks = [float(tick) for tick in ticks if lowest <= tick <= farthest]
        return Normalize(lowest, farthest), ticks
    if not diverging:
        return LogNorm(smallest, farthest), _decades(smallest, farthest)
    transform = SymmetricalLogTransform(10, smallest, 0.5)
    norm = SymLogNorm(smallest, linscale=0.5, vmin=-farthest, vmax=farthest)
    return norm, symlog_ticks(transform, -farthest, farthest, 8)


def _decades(smallest, farthest) -> list[float]:
    """At most four round numbers in between."""
    low, high = np.log10([smallest, farthest])
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    if len(powers) < 2:
        powers = np.log10(
            [10.0**p * s for p in (np.floor(low), np.floor(high)) for s in (1, 2, 5)]
        )
        powers = np.unique(powers[(powers >= low) & (powers <= high)])
    return [float(10.0**p) for p in powers[:: -(-len(powers) // 4) or 1]]
