"""Panels in the place of one axes: layout, labels, legend, and errors and ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skad.plotting import _scales, _style, _texts
from skad.plotting._reading import check_choice, check_rows, find_rows, ranges_of
from skad.plotting._timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:  # for annotations; matplotlib is imported where it draws
    Axes = Any

# Inches above the panels that the legend needs, and the ticks of the panel below it.
_LEGEND = 0.45

# Inches that the name of a series needs above the panels.
_TITLE = 0.2

# Share of the height of a panel that a name inside may take.
_NAME = 0.5

# Share of its height that a panel keeps where a constrained layout makes room for the
# legend and the axis of x.
_KEPT = 0.75


def get_axes(ax, caller, figsize=None) -> Any:
    """Return the axes given, or those of a new figure."""
    plt = _style.import_pyplot(caller)
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    if not hasattr(ax, "get_subplotspec"):
        raise TypeError(f"ax={ax!r}; expected one matplotlib Axes, or None.")
    return ax


class Panels:
    """Panels in the place of one axes, below a strip for the legend.

    The axes stay as an empty frame, so that a title set on them still shows. Without
    `ax`, a new figure is made, of at least the `height` and `width` in inches.
    """

    def __init__(self, display, ax, height, width=0.0):
        caller = f"{type(display).__name__}.plot"
        usual = _style.import_pyplot(caller).rcParams["figure.figsize"]
        size = max(usual[0], width), max(usual[1], height)
        self.ax = get_axes(ax, caller, size)
        self.figure = self.ax.figure

    def divide(
        self, heights, n_columns=1, *, above=0.0, margins=(0.0, 0.0), share_x=True
    ) -> np.ndarray:
        """Make the panels, with x shared by all (or a column) and y by those of a row.

        `heights` are relative to each other; `above` is the room in inches for titles
        below the legend, and `margins` that for labels on the left and on the right,
        which a constrained layout finds by itself.
        """
        height = _style.inches(self.ax)[1]
        constrained = self._is_constrained()
        self._kept = _KEPT - above / height if constrained else 1.0
        strip = 0.01 if constrained else min((_LEGEND + above) / height, 0.5)
        ratios = (1 - strip) * np.array(heights) / np.sum(heights)
        grid = self._place(margins).subgridspec(
            len(heights) + 1,
            n_columns,
            height_ratios=[strip, *ratios],
            hspace=0.03 if constrained else 0.15,
            wspace=0.03 if constrained else 0.1,
        )
        self.ax.set_axis_off()
        panels = np.empty((len(heights), n_columns), dtype=object)
        for row, column in np.ndindex(panels.shape):
            panels[row, column] = ax = self.figure.add_subplot(
                grid[row + 1, column],
                sharex=panels[0, 0 if share_x else column],
                sharey=panels[row, 0],
            )
            ax.tick_params(labelsize=_texts.points("small"))
            ax.xaxis.offsetText.set_fontsize(_texts.points("small"))
            ax.label_outer()
        self._legend_ax = self.figure.add_subplot(grid[0, :])
        self._legend_ax.set_axis_off()
        return panels

    def _place(self, margins) -> Any:
        """Place of the axes in the figure, without the margins."""
        place = self.ax.get_subplotspec()
        if place is None:
            box = self.ax.get_position()
            place = self.figure.add_gridspec(
                left=box.x0, right=box.x1, bottom=box.y0, top=box.y1
            )[0]
        if not any(margins) or self._is_constrained():
            return place
        width = _style.inches(self.ax)[0]
        left, right = (min(margin / width, 0.4) for margin in margins)
        ratios = [left, 1 - left - right, right]
        return place.subgridspec(1, 3, width_ratios=ratios, wspace=0)[1]

    def _is_constrained(self) -> bool:
        """Whether the layout of the figure makes room for titles and legends."""
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        return isinstance(self.figure.get_layout_engine(), ConstrainedLayoutEngine)

    def height(self, ax) -> float:
        """Inches that a panel will be high once the figure is laid out."""
        return self._kept * _style.inches(ax)[1]

    def label(self, axes, texts) -> None:
        """Write a text beside each panel or, if one has no room there, into each."""
        fitted = [
            # a little of the space between the panels is free, too
            _texts.fit_texts([text], 1.1 * self.height(ax))
            for ax, text in zip(axes, texts, strict=True)
        ]
        if [text for (text,), _ in fitted] != list(texts):
            self.name_inside(axes, [" ".join(text.split()) for text in texts])
            return
        for ax, text, (_, size) in zip(axes, texts, fitted, strict=True):
            ax.set_ylabel(text, fontsize=size, parse_math=False)
        self.figure.align_ylabels(list(axes))

    def name_inside(self, axes, names) -> None:
        """Write a name into each panel, above what is drawn."""
        space = 0.9 * min(_style.inches(ax)[0] for ax in axes)
        names, size = _texts.fit_texts(names, space)
        lowest = 72 * min(self.height(ax) for ax in axes)
        size = max(min(size, 0.22 * lowest), _texts.points(1))
        for ax, name in zip(axes, names, strict=True):
            share = (1.4 * size + 3) / (72 * self.height(ax))
            if share < _NAME:  # else the name, which has an outline, lies on the lines
                _scales.leave_room(ax, share)
            ax.annotate(
                name,
                xy=(0, 1),
                xycoords="axes fraction",
                xytext=(4, -3),
                textcoords="offset points",
                va="top",
                fontsize=size,
                path_effects=[_style.outline(ax)],
                parse_math=False,
            )

    def add_legend(self, handles) -> Any:
        """Put a legend above the panels, in a few rows; None without handles."""
        handles = [handle for handle in handles if handle is not None]
        if not handles:
            return None
        size, smallest = _texts.points("small"), _texts.points(1)
        space = 72 * _style.inches(self._legend_ax)[0]
        if self._is_constrained():
            # the layout will widen the axes, but for the numbers and names beside them
            space = 1.29 * space - 36
        labels = [str(handle.get_label()) for handle in handles]
        widths = [_texts.text_width(label, size) for label in labels]
        for n_rows in range(1, len(handles) + 1):
            # columns are filled from above
            starts = range(0, len(widths), n_rows)
            columns = [max(widths[start : start + n_rows]) for start in starts]
            # the handle and the spaces around an entry, in units of the font size
            width = sum(columns) + 3.4 * len(columns) * size
            # a little smaller rather than a further row
            if max(0.85, smallest / size) * width <= space:
                break
        else:
            size, width = smallest, space
            labels = _texts.shorten(labels, space - 3.4 * size, size)
        return self._legend_ax.legend(
            handles=handles,
            labels=labels,
            loc="upper center",
            ncols=len(columns),
            fontsize=size * min(1.0, space / width),
            frameon=False,
            borderaxespad=0.0,
            handlelength=1.6,
            handletextpad=0.5,
            columnspacing=1.2,
        )


class TimePanels(Panels):
    """Panels that share an axis of time, for some rows of a series."""

    def __init__(self, display, ax, height, index, rows):
        super().__init__(display, ax, height)
        self.time = Timeline(index, rows)

    def draw_errors(
        self, ax, scores, threshold, yscale, kwargs=None, threshold_kwargs=None
    ) -> tuple[Any, Any]:
        """Draw errors, which are minus scores, and threshold; return the lines."""
        errors = _scales.drawable(-scores)
        style = _style.with_defaults(
            kwargs,
            color=_style.palette().normal,
            linewidth=1.2 if len(errors) < 2000 else 0.8,
            label="error",
        )
        (line,) = ax.plot(*self.time.line(errors), **style)
        threshold = _scales.drawable_threshold(threshold)
        level = None if threshold is None else 0.0 - threshold
        _scales.scale_errors(ax, errors, level, yscale, self.height(ax))
        _style.tidy(ax)
        if level is None:
            return line, None
        style = _style.threshold_style(threshold_kwargs, level)
        return line, ax.axhline(level, **style)

    def draw_expected(self, ax, values) -> Any:
        """Draw what a sensor should have read; return the line."""
        style = {"color": _style.palette().normal, "linewidth": 1.6}
        dashes, place = (0, (4, 1.2)), self.time.line(values)
        (line,) = ax.plot(*place, linestyle=dashes, label="expected", **style)
        return line

    def draw_readings(self, ax, values) -> Any:
        """Draw the readings of a sensor; return the line."""
        style = {"color": _style.palette().text, "linewidth": 0.9}
        (line,) = ax.plot(*self.time.line(values), **style)
        _style.tidy(ax)
        ax.margins(y=0.1)
        _scales.label_axis(ax.yaxis, self.height(ax))
        return line

    def shade(self, ax, flags, label="flagged") -> Any:
        """Shade the ranges of flags behind the lines; None if there are none."""
        if flags is None:
            return None
        style = {"facecolor": _style.palette().shade, "zorder": 0.8}
        return self._draw_bars(ax, flags, label, style)

    def shade_below(self, ax, scores, threshold) -> Any:
        """Shade rows below a threshold; None if there are none."""
        return None if threshold is None else self.shade(ax, scores < threshold)

    def fill_strip(self, ax, flags, colour, label) -> Any:
        """Draw the ranges of flags as bars in a strip; None if there are none."""
        ax.set(yticks=[], ylim=(0, 1))
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="x", length=0)
        return self._draw_bars(ax, flags, label, {"facecolor": colour})

    def _draw_bars(self, ax, flags, label, style) -> Any:
        from matplotlib.collections import PolyCollection

        bars = self.time.bars(flags)
        if len(bars) == 0:
            return None
        corners = np.repeat(bars, 2, axis=1)
        heights = np.broadcast_to([0, 1, 1, 0], corners.shape)
        collection = PolyCollection(
            list(np.stack([corners, heights], axis=2)),
            transform=ax.get_xaxis_transform(),
            linewidth=0,
            label=label,
            **style,
        )
        return ax.add_collection(collection, autolim=False)


class TimeDisplay:
    """Base of the displays over time: one way to set out the panels of the rows shown.

    A subclass calls `_open`, `_divide` and `_finish`, and draws its panels in between.
    """

    index: Any
    is_anomaly: Any
    name: Any
    rows_: slice
    axes_: Any

    @property
    def true_ranges(self) -> Any:
        """First and last time of every labelled range: a table, or None."""
        return ranges_of(self.index, self.is_anomaly)

    def _choose_rows(self, index, start, stop, yscale, name, *values) -> None:
        """Find the rows to draw; refuse a scale, values or rows that cannot be drawn.

        `name` is that of the first of the values.
        """
        check_choice("yscale", yscale, _scales.YSCALES)
        check_rows(index, values[0], name, self.is_anomaly, *values[1:])
        self.rows_ = find_rows(index, start, stop)

    def _open(self, ax, index, height) -> TimePanels:
        """Take or make the axes, for the rows in `rows_`."""
        panels = TimePanels(self, ax, height, index, self.rows_)
        self.ax_, self.figure_ = panels.ax, panels.figure
        return panels

    def _divide(
        self, panels, heights, *, strip=0.12, events=None, above=0.0, margins=(0.0, 0.0)
    ) -> Any:
        """Make the panels, below strips for the events and labels that are shown.

        `strip` is the height of a strip in the unit of `heights`; `events` tells which
        rows belong to an event; `above` and `margins` are as in `Panels.divide`.
        Returns the strip of the events, or None.
        """
        shown = [
            flags is not None and bool(flags[self.rows_].any())
            for flags in (events, self.is_anomaly)
        ]
        grid = panels.divide(
            [strip] * sum(shown) + heights,
            above=above + (_TITLE if self.name is not None else 0.0),
            margins=margins,
        )[:, 0]
        strips, self.axes_ = list(grid[: sum(shown)]), grid[sum(shown) :]
        event_ax, self.truth_ax_ = (
            strips.pop(0) if is_shown else None for is_shown in shown
        )
        self.true_bars_ = None
        if self.truth_ax_ is not None:
            flags = self.is_anomaly[self.rows_]
            self.true_bars_ = panels.fill_strip(
                self.truth_ax_, flags, _style.palette().text, "labelled"
            )
        if self.name is not None:
            names = self.name if isinstance(self.name, tuple) else [self.name]
            title = ", ".join(map(str, names))
            space = 0.9 * _style.inches(grid[0])[0]
            (title,), size = _texts.fit_texts([title], space)
            grid[0].set_title(
                title, fontsize=size, pad=6 + 72 * above, parse_math=False
            )
        panels.time.set_axis(grid)
        return event_ax

    def _finish(self, panels, threshold_lines, flagged_bars, others=()) -> Self:
        """Explain the first line and the first bars that are there in a legend."""
        drawn = (others, threshold_lines, flagged_bars, [self.true_bars_])
        firsts = [next((a for a in kind if a is not None), None) for kind in drawn]
        self.legend_ = panels.add_legend(firsts)
        return self
