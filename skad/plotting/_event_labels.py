"""Events in a picture: the rows they cover, and the names of their sensors above."""

import itertools
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from skad.plotting._explained import direction_of
from skad.plotting._style import as_text, inches, number, palette
from skad.plotting._texts import points, shorten, text_width

# Names are written in at most so many levels above each other, and fill at most this
# share of the height of the picture.
_N_LEVELS = 5
_HIGHEST = 0.25

# Names of sensors are cut to this share of the width of the picture, if there are
# several events.
_LONGEST = 0.25

# Only so many events may get a name, the first of the table.
_N_TRIED = 200


def events_in(events, rows, n_rows) -> pd.DataFrame:
    """Events in the rows of one series, with positions counted from its first row.

    `rows` is a slice of all rows, or the ascending positions of the rows of a series.
    """
    for name in ("start_row", "end_row"):
        if name not in events:
            raise ValueError(
                f"events has no column {name!r}; expected a table from find_events."
            )
    places = events[["start_row", "end_row"]]
    places = places if len(events) else places.astype(int)
    is_whole = all(kind.kind in "iu" for kind in places.dtypes)
    if not is_whole or (places["start_row"] > places["end_row"]).any():
        raise ValueError(
            "start_row and end_row of events are not positions of a first and a last "
            "row; expected a table from find_events."
        )
    events = events.assign(**places)
    if len(events) and not 0 <= events["start_row"].min() <= events["end_row"].max() < (
        n_rows
    ):
        raise ValueError(
            f"events lie in the rows {events['start_row'].min()} to "
            f"{events['end_row'].max()}, but there are {n_rows} rows; expected events "
            "in the rows that are drawn."
        )
    if isinstance(rows, slice):
        return events.reset_index(drop=True)
    own = events[events["start_row"].isin(rows)]
    places = {
        "start_row": np.searchsorted(rows, own["start_row"]),
        "end_row": np.searchsorted(rows, own["end_row"], side="right") - 1,
    }
    return own.assign(**places).reset_index(drop=True)


class _Label(NamedTuple):
    """A text on a pole; places in points from the left end of the axis."""

    pole: float
    left: float
    right: float
    level: int
    text: str


class EventLabels:
    """Names above events, in levels, so that no name and no pole crosses another.

    The size of the picture is in points; each of the `n_names` of an event has a line.
    """

    def __init__(self, width: float, height: float, n_names: int):
        self.width = width
        self.n_names = n_names
        self.size = points("x-small")
        self._level_height = (1.2 * n_names + 0.3) * self.size
        n_levels = int(_HIGHEST * height / self._level_height)
        self._levels = range(min(max(1, n_levels), _N_LEVELS))
        self.labels: list[_Label] = []

    @classmethod
    def of(cls, panels, events, rows, n_names) -> Self:
        """Find places for the names of the sensors of the events in the rows shown."""
        width, height = inches(panels.ax)
        labels = cls(72 * width, 72 * height, n_names)
        if events is not None:
            starts = events["start_row"].clip(lower=rows.start)
            shown = events[(events["end_row"] >= rows.start) & (starts < rows.stop)]
            if "peak_score" in shown:
                shown = shown.sort_values("peak_score", kind="stable")
            labels.fill(shown, panels.time.places(starts[shown.index] - rows.start))
        return labels

    @property
    def height(self) -> float:
        """Points that the names need above the panels."""
        n_levels = 1 + max((label.level for label in self.labels), default=-1)
        return n_levels * self._level_height + 3 * (n_levels > 0)

    def fill(self, events, places) -> None:
        """Name the sensors of each event that has room, in the order of the table.

        `places` are shares of the axis.
        """
        wanted: list[tuple[float, float, str]] = []
        tried = events[:_N_TRIED].to_dict("records")
        names = self._short_names(events)
        for place, event in zip(places[:_N_TRIED], tried, strict=True):
            text = _describe_sensors(event, names, self.n_names)
            one = place * self.width, text_width(text, self.size) + self.size, text
            labels = self._arrange(sorted([*wanted, one], reverse=True))
            if text and labels is not None:
                wanted.append(one)
                self.labels = labels

    def _short_names(self, events) -> dict[Any, str]:
        """Names to write for the sensors of events, by what the table has."""
        columns = [f"sensor_{place}" for place in range(1, self.n_names + 1)]
        named = [events[column] for column in columns if column in events]
        found = list(dict.fromkeys(itertools.chain(*named)))
        longest = self.width * max(_LONGEST, 0.8 / max(1, len(events)))
        short = shorten([as_text(name) for name in found], longest, self.size)
        return dict(zip(found, short, strict=True))

    def _arrange(self, wanted) -> list[_Label] | None:
        """Find a level for each pole, length and text, from the right, or None."""
        labels: list[_Label] = []
        for pole, length, text in wanted:
            left = max(0.0, min(pole, self.width - length))
            for level in self._levels:
                label = _Label(pole, left, left + length, level, text)
                if not any(_cross(label, other) for other in labels):
                    labels.append(label)
                    break
            else:
                return None
        return labels

    def draw(self, ax) -> list[Any]:
        """Write the names above an axes, on their poles."""
        return [self._draw_one(ax, label) for label in self.labels]

    def _draw_one(self, ax, label) -> Any:
        height, colour = 3 + label.level * self._level_height, palette().text
        foot = {"xy": (label.pole / self.width, 1), "xycoords": "axes fraction"}
        foot |= {"textcoords": "offset points", "color": colour}
        pole = {"arrowstyle": "-", "color": colour, "linewidth": 0.6}
        pole |= {"shrinkA": 0, "shrinkB": 0}
        ax.annotate("", xytext=(0, height), arrowprops=pole, **foot)
        return ax.annotate(
            label.text,
            xytext=(label.left - label.pole, height),
            va="bottom",
            fontsize=self.size,
            parse_math=False,
            **foot,
        )


def _cross(one, other) -> bool:
    """Whether a name lies over another, or a pole goes through a name."""
    if one.level == other.level:
        return one.left < other.right and other.left < one.right
    low, high = sorted((one, other), key=lambda label: label.level)
    return low.left < high.pole < low.right


def _describe_sensors(event, names, n_names) -> str:
    """Write the first sensors of an event, directions and shares, one a line."""
    lines = []
    for place in range(1, n_names + 1):
        if f"sensor_{place}" in event:
            share = event[f"share_{place}"]
            percent = f" {number(round(100 * share))} %" if np.isfinite(share) else ""
            arrow = direction_of(event.get(f"deviation_{place}", 0))
            name = names[event[f"sensor_{place}"]]
            lines.append(f"{name} {arrow}".rstrip() + percent)
    return "\n".join(lines)
