"""What the displays share: colours, panels, legends, and the way to a detector."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

# Products of larger numbers overflow where an axis is laid out, those of smaller ones
# are 0.
LARGEST, SMALLEST = 1e200, 1e-200


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
    precision: str
    recall: str

    @property
    def shade(self) -> tuple[str, float]:
        """Colour of anomalies, behind lines; stronger before a dark background."""
        return self.anomaly, 0.65 if is_dark() else 0.4


def is_dark() -> bool:
    """Whether the style in force writes in a light colour."""
    import matplotlib as mpl
    from matplotlib.colors import to_rgb

    return sum(to_rgb(mpl.rcParams["text.color"])) > 1.5


def palette() -> Palette:
    """Return colours that go with the style in force, dark or light.

    They are from the palette of Okabe and Ito, some of them darker before white, and
    have a contrast of at least 3 to the background. Those of one panel are told apart
    with every kind of colour vision; precision and recall have dashes of their own.
    """
    import matplotlib as mpl

    text = mpl.rcParams["text.color"]
    if is_dark():
        return Palette(text, "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442")
    return Palette(text, "#0072B2", "#D55E00", "#009E73", "#A8407F", "#8A6A00")


def heat_colours(*, diverging) -> Any:
    """Colour map from the background, at 0, to the colour of anomalies and beyond.

    A diverging one goes to the colour of normal rows on the other side. Brightness is
    monotone on each side, so that a print in grey keeps the sizes.
    """
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap

    zero = mpl.rcParams["axes.facecolor"]
    dark = is_dark()
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
    """Put a legend in the strip above the panels, in up to three rows."""
    if not handles:
        return None
    size = points("small")
    space = 72 * inches(ax)[0]
    if is_constrained(ax.figure):
        # the layout will widen the axes, but for the numbers and names beside them
        space = 1.29 * space - 36
    widths = [text_width(handle.get_label(), size) for handle in handles]
    for n_rows in (1, 2, 3):
        # columns are filled from above
        columns = [max(widths[i : i + n_rows]) for i in range(0, len(widths), n_rows)]
        # the handle and the spaces around an entry, in units of the font size
        width = sum(columns) + 3.4 * len(columns) * size
        if 0.85 * width <= space:  # a little smaller rather than a further row
            break
    return ax.legend(
        handles=handles,
        loc="upper center",
        ncols=len(columns),
        fontsize=size * min(1.0, space / width),
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
    axis.set_major_locator(LogLocator(subs=steps, numticks=max(2, int(room))))
    if lowest > 1e-5 and highest < 1e5:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    if length < 1:
        axis.minorticks_off()


def linear_middle(usual, farthest) -> float:
    """Where a symlog axis turns linear: at the usual size, but not too far inside."""
    return max(float(usual), farthest * 1e-6) if farthest > SMALLEST else 1.0


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


def drawable(values) -> np.ndarray:
    """Numbers, but gaps (NaN) where they have no place on an axis."""
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def check_numbers(values, name) -> None:
    """Refuse numbers that have no place on an axis."""
    sizes = np.abs(np.asarray(values, dtype=float))
    if sizes.size == 0:
        raise ValueError(f"{name} is empty; there is nothing to draw.")
    if not sizes.max() <= LARGEST:
        raise ValueError(
            f"{name} holds NaN, infinity or numbers beyond {LARGEST:g}, which have no "
            "place on an axis."
        )


def number(value) -> str:
    """Write a number in a text, with a minus that is as long as a plus."""
    text = f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    # the sign of an exponent stays as it is
    return "\N{MINUS SIGN}" + text[1:] if text.startswith("-") else text


def outline(ax) -> Any:
    """Outline of texts that stand on lines, in the colour of the background."""
    from matplotlib.patheffects import withStroke

    return withStroke(linewidth=3, foreground=ax.get_facecolor())


def tidy(ax) -> None:
    """Leave out the upper and right borders and add faint lines at the ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
