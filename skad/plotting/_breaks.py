"""Long gaps in time, which are cut out of the axis: scale, marks and ticks."""

from typing import Any

import numpy as np
import pandas as pd

from skad.plotting._style import inches, number, palette

# Gaps are cut if rows cover less than this share of the axis ...
_COVERED = 0.5
# ... and the gap is longer than this share of what they cover.
_LONG = 0.05
# A cut takes this share of the axis, all of them at most the other.
_CUT, _ALL_CUTS = 0.02, 0.25
# Inches from one tick label to the next.
_LABELS_APART = 0.85
# Points of a mark, at most.
_MARK = 7.0


class Breaks:
    """Places of times on an axis without its long gaps.

    Between the gaps, a place is a time, moved; a gap is as wide as a mark needs. `ends`
    are the times where the pieces between gaps begin and end, (n_pieces, 2), `step` is
    the time from row to row.
    """

    def __init__(self, ends, step):
        self.ends = ends
        self.step = step
        self.n_gaps = len(ends) - 1
        lengths = ends[:, 1] - ends[:, 0]
        share = min(_CUT * self.n_gaps, _ALL_CUTS)
        cut = share / (1 - share) * lengths.sum() / max(1, self.n_gaps)
        steps = np.column_stack([lengths, np.full(len(ends), cut)]).ravel()
        self._times = ends.ravel()
        self._places = ends[0, 0] + np.concatenate([[0.0], steps[:-1].cumsum()])

    def places(self, times) -> np.ndarray:
        """Where times are on the axis; those outside of all rows as far as they are."""
        return _interpolate(times, self._times, self._places)

    def times(self, places) -> np.ndarray:
        """Which times are at some places of the axis."""
        return _interpolate(places, self._places, self._times)

    def set_scale(self, ax) -> None:
        """Cut the gaps out of the axis, that of all panels that share it."""
        if self.n_gaps:
            ax.set_xscale("function", functions=(self.places, self.times))

    def mark(self, ax) -> None:
        """Draw two strokes through the lower border at each gap."""
        from matplotlib.path import Path

        left, right = self._places[1:-1:2], self._places[2:-1:2]
        middle = self.times((left + right) / 2)
        share = (right - left)[0] / (self._places[-1] - self._places[0])
        size = min(_MARK, 0.7 * 72 * share * inches(ax)[0])
        corners = [(-1.0, -1.0), (0.2, 1.0), (1.0, 1.0), (-0.2, -1.0)]
        style = {"linestyle": "none", "markersize": size, "clip_on": False}
        style |= {"transform": ax.get_xaxis_transform(), "zorder": 4}
        base = np.zeros(len(middle))
        background = ax.figure.get_facecolor()
        ax.plot(middle, base, marker=Path(corners), mfc=background, mew=0, **style)
        strokes = Path(corners, [Path.MOVETO, Path.LINETO] * 2)
        ax.plot(middle, base, marker=strokes, mec=palette().text, mfc="none", **style)

    def ticks(self, ax, times_between) -> tuple[np.ndarray, float]:
        """Choose times to label; also return about how far apart they are.

        They are those where pieces begin and, if there is room, round ones in them, of
        which `times_between` finds about so many between two.
        """
        n_ticks = max(2, int(inches(ax)[0] / _LABELS_APART))
        starts = self.ends[:, 0] + self.step / 2  # where the first rows are
        apart = float(self._places[-1] - self._places[0]) / n_ticks
        if len(starts) >= n_ticks:
            return starts[:: -(-len(starts) // n_ticks)], apart
        found: list[float] = []
        for start, end in zip(starts, self.ends[:, 1], strict=True):
            n_inside = int((end - start) / apart)
            inside = times_between(start, end, n_inside) if n_inside > 1 else []
            for tick in [start, *inside]:
                place = self.places(np.array([*found[-1:], tick]))
                if start <= tick <= end and (not found or np.ptp(place) > 0.9 * apart):
                    found.append(float(tick))
        return np.array(found), apart


def find_breaks(x, is_break, step) -> Breaks:
    """Find the gaps to cut, if any, between rows at x with borders after some."""
    half = step / 2
    after = np.flatnonzero(is_break)
    left, right = x[after] + half, x[after + 1] - half
    span = x[-1] - x[0] + step
    covered = span - (right - left).sum()
    is_cut = (covered < _COVERED * span) & (right - left > _LONG * covered)
    first = np.concatenate([[x[0] - half], right[is_cut]])
    last = np.concatenate([left[is_cut], [x[-1] + half]])
    return Breaks(np.column_stack([first, last]), step)


def date_labels(dates: pd.DatetimeIndex, apart: pd.Timedelta) -> list[str]:
    """Write dates with all that differs from the one before; `apart` is how far."""
    if apart >= pd.Timedelta("1D"):
        upper, lower = dates.strftime("%b-%d"), dates.strftime("%Y")
    else:
        is_fine = apart < pd.Timedelta("2min")
        upper = dates.strftime("%H:%M:%S" if is_fine else "%H:%M")
        lower = dates.strftime("%Y-%m-%d")
    is_new = np.concatenate([[True], lower[1:] != lower[:-1]])
    lines = zip(upper, lower, is_new, strict=True)
    return [f"{a}\n{b}" if new else a for a, b, new in lines]


def number_labels(ticks) -> list[str]:
    """Write numbers, whole if they are."""
    whole = np.equal(np.round(ticks), ticks)
    return [f"{t:.0f}" if w else number(t) for t, w in zip(ticks, whole, strict=True)]


def _interpolate(values, known, targets) -> Any:
    values = np.asarray(values, dtype=float)
    if len(known) == 2:
        return values
    inside = np.interp(values, known, targets)
    return inside + np.minimum(values - known[0], 0) + np.maximum(values - known[-1], 0)
