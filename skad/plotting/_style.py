"""What the displays share: colours, panels, legends, and the way to a detector."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np


def import_pyplot(caller) -> ModuleType:
    """Return matplotlib.pyplot, or say how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{caller} needs matplotlib; install it with pip install "skad[plot]".'
        ) from error
    return plt


class Palette(NamedTuple):
    """Colours of one picture."""

    text: Any
    normal: str
    anomaly: str
    best: str


def palette() -> Palette:
    """Return colours that go with the style in force, dark or light.

    They are from the palette of Okabe and Ito, told apart with every kind of colour
    vision, and have a contrast of at least 3 to white or to black.
    """
    import matplotlib as mpl
    from matplotlib.colors import to_rgb

    text = mpl.rcParams["text.color"]
    if sum(to_rgb(text)) > 1.5:
        return Palette(text, "#56B4E9", "#E69F00", "#009E73")
    return Palette(text, "#0072B2", "#D55E00", "#009E73")


def heat_colours(*, diverging) -> Any:
    """Colour map from the background, at 0, to the colour of anomalies and beyond.

    A diverging one goes to the colour of normal rows on the other side. Brightness is
    monotone on each side, so that a print in grey keeps the sizes.
    """
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    zero = mpl.rcParams["axes.facecolor"]
    dark = sum(to_rgb(mpl.rcParams["text.color"])) > 1.5
    above = ["#6B3A00", "#E69F00", "#FFF0C2"] if dark else ["#F6B98F", "#D55E00"]
    below = ["#123F5C", "#56B4E9", "#DDF1FF"] if dark else ["#93C3E3", "#0072B2"]
    if not dark:
        above, below = [*above, "#541F00"], [*below, "#00283F"]
    colours = [*below[::-1], zero, *above] if diverging else [zero, *above]
    return LinearSegmentedColormap.from_list("skad", colours)


def with_defaults(kwargs, **defaults) -> dict:
    """Style given by the caller over our own, whichever way matplotlib spells it."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(kwargs or {}, Line2D)}


def get_axes(ax, caller, figsize=None) -> Any:
    """Return the axes given, or those of a new figure."""
    plt = import_pyplot(caller)
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    if not hasattr(ax, "get_subplotspec"):
        raise TypeError(f"ax={ax!r}; expected one matplotlib Axes, or None.")
    return ax


def divide(
    ax, height_ratios, n_columns=1, *, headroom, margins=(0.0, 0.0)
) -> tuple[np.ndarray, Any]:
    """Divide the place of an axes into panels, below a strip for the legend.

    The strip and the titles below it need `headroom` inches where no constrained
    layout makes room for them, and what stands left and right of the panels `margins`.

    Returns the panels, of shape (len(height_ratios), n_columns), with x shared by all
    and y by those of a row, and the axes of the strip. The axes given stay as an empty
    frame, so that a title set on them still shows.
    """
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    figure, n_rows = ax.figure, len(height_ratios)
    constrained = is_constrained(figure)
    strip = 0.01 if constrained else min(headroom / inches(ax)[1], 0.5)
    total = sum(height_ratios)
    place = _place(ax)
    if any(margins) and not constrained:
        width = inches(ax)[0]
        left, right = (min(margin / width, 0.4) for margin in margins)
        ratios = [left, 1 - left - right, right]
        place = GridSpecFromSubplotSpec(
            1, 3, subplot_spec=place, width_ratios=ratios, wspace=0
        )[1]
    ax.set_axis_off()
    grid = GridSpecFromSubplotSpec(
        n_rows + 1,
        n_columns,
        subplot_spec=place,
        height_ratios=[strip, *((1 - strip) * h / total for h in height_ratios)],
        hspace=0.03 if constrained else 0.15,
        wspace=0.03 if constrained else 0.1,
    )
    panels = np.empty((n_rows, n_columns), dtype=object)
    for row, column in np.ndindex(panels.shape):
        panels[row, column] = figure.add_subplot(
            grid[row + 1, column],
            sharex=panels[0, 0],
            sharey=panels[row, 0],
        )
    legend_ax = figure.add_subplot(grid[0, :])
    legend_ax.set_axis_off()
    return panels, legend_ax


def _place(ax) -> Any:
    place = ax.get_subplotspec()
    if place is not None:
        return place
    box = ax.get_position()
    grid = ax.figure.add_gridspec(left=box.x0, right=box.x1, bottom=box.y0, top=box.y1)
    return grid[0]


def inches(ax) -> tuple[float, float]:
    """Width and height of an axes."""
    return ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi


def is_constrained(figure) -> bool:
    """Whether the layout of a figure makes room for titles and legends."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)


def add_legend(ax, handles) -> Any:
    """Put a legend in the strip above the panels, in one row or in two."""
    size = points("small")
    widths = [text_width(handle.get_label(), size) for handle in handles]
    # the handle and the spaces around an entry, in units of the font size
    n_entries, gaps = len(handles), 3.4
    space = inches(ax)[0] * 72
    if is_constrained(ax.figure):
        # the layout will widen the axes, which have the default margins so far
        space *= 1.2
    if sum(widths) + n_entries * gaps * size > space:
        n_columns = -(-n_entries // 2)
        # columns are filled from above
        columns = [max(widths[i : i + 2]) for i in range(0, n_entries, 2)]
        size *= min(1.0, space / (sum(columns) + n_columns * gaps * size))
    else:
        n_columns = n_entries
    return ax.legend(
        handles=handles,
        loc="upper center",
        ncols=n_columns,
        fontsize=size,
        frameon=False,
        borderaxespad=0.0,
        handlelength=1.6,
        handletextpad=0.5,
        columnspacing=1.2,
    )


def points(size) -> float:
    """Font size in points, of a number or a word such as "small"."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(size=size).get_size_in_points()


def text_width(text, size) -> float:
    """Width in points of the longest line of a text."""
    from matplotlib.textpath import TextPath

    lines = [line for line in text.splitlines() if line.strip()]
    # drawn text is hinted, and a little wider than its outlines
    return max(
        (1.05 * TextPath((0, 0), line, size).get_extents().width for line in lines),
        default=0.0,
    )


def fitting_size(texts, space, size="small") -> float:
    """Font size, at most `size`, at which the longest text fits a space in inches."""
    wanted = points(size)
    width = max((text_width(text, wanted) for text in texts), default=0.0)
    return wanted if width <= 0 else min(wanted, wanted * space * 72 / width)


def label_log_axis(axis, length) -> None:
    """Write plain numbers, and as many as an axis of so many inches has room for."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    lowest, highest = sorted(axis.get_view_interval())
    room = length / 0.25
    steps = (1, 2, 5) if 3 * np.log10(highest / lowest) < room else (1,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=max(3, int(room))))
    if lowest > 1e-5 and highest < 1e5:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    if length < 1:
        axis.minorticks_off()


def symlog_ticks(transform, lowest, highest, n_ticks) -> list[float]:
    """0 and powers of ten on both sides, at most so many and evenly far apart."""
    farthest = max(abs(lowest), abs(highest))
    powers = 10.0 ** np.arange(np.floor(np.log10(farthest)), np.log10(farthest) - 7, -1)
    ends = transform.transform(np.array([lowest, highest], dtype=float))
    apart = (ends[1] - ends[0]) / n_ticks
    ticks = [0.0]
    for power in powers[::-1]:
        places = transform.transform(np.array([ticks[-1], power]))
        if places[1] - places[0] >= apart:
            ticks.append(float(power))
    ticks = [-tick for tick in ticks[:0:-1]] + ticks
    return [tick for tick in ticks if lowest <= tick <= highest]


def number(value) -> str:
    """Write a number in a text, with a minus that is as long as a plus."""
    text = f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    # the sign of an exponent stays as it is
    return "\N{MINUS SIGN}" + text[1:] if text.startswith("-") else text


def tidy(ax) -> None:
    """Leave out the upper and right borders and add faint lines at the ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
