"""Axes: which numbers fit on them, which scale suits, and their tick labels."""

import numpy as np

from skad.plotting._style import number

# Products of larger numbers overflow where matplotlib lays out an axis, those of
# smaller ones become 0.
LARGEST, SMALLEST = 1e200, 1e-200

YSCALES = ("auto", "linear", "log", "symlog")

# Farthest over median size from which a linear axis would show little but one peak.
_HEAVY_TAIL = 10.0

# Inches from one tick label to the next, one above the other.
_LABELS_APART = 0.2


def drawable(values) -> np.ndarray:
    """Replace numbers too large for an axis by gaps (NaN), too small ones by 0."""
    sizes = np.abs(values)
    return np.where(sizes < SMALLEST, 0.0, np.where(sizes <= LARGEST, values, np.nan))


def drawable_threshold(threshold) -> float | None:
    """Return a threshold if it fits on an axis, else None."""
    is_drawn = threshold is not None and abs(threshold) <= LARGEST
    return threshold if is_drawn else None


def check_numbers(values, name) -> None:
    """Refuse numbers that do not fit on an axis."""
    sizes = np.abs(np.asarray(values, dtype=float))
    if sizes.size == 0:
        raise ValueError(f"{name} is empty; there is nothing to draw.")
    if not sizes.max() <= LARGEST:
        raise ValueError(
            f"{name} holds NaN, infinity or numbers beyond {LARGEST:g}, which cannot "
            "be drawn on an axis."
        )


def is_heavy_tailed(sizes, farthest) -> bool:
    """Whether the farthest number dwarfs the usual ones."""
    return bool(farthest > _HEAVY_TAIL * np.median(sizes))


def linear_middle(usual, farthest) -> float:
    """Where a symlog axis turns linear: at the usual size, but not too far inside."""
    return max(float(usual), farthest * 1e-6) if farthest > SMALLEST else 1.0


def spread(lowest, highest) -> tuple[float, float]:
    """Move the ends of a range apart if they are equal."""
    half = (abs(lowest) / 20 or 0.5) if lowest == highest else 0.0
    return lowest - half, highest + half


def leave_room(ax, share) -> None:
    """Leave a share of the height of a panel free, above what is drawn."""
    transform = ax.yaxis.get_transform()
    ax.set_ylim(_widened(transform, ax.get_ylim(), 0.0, share / (1 - share)))


def _widened(transform, limits, below, above) -> np.ndarray:
    """Widen limits by shares of their distance on the axis."""
    ends = transform.transform(np.array(limits))
    ends += np.array([-below, above]) * (ends[1] - ends[0])
    return transform.inverted().transform(ends)


def scale_errors(ax, errors, level, yscale, height) -> None:
    """Set scale, limits and tick labels of a panel of errors, so many inches high.

    `level` is the error at the threshold, or None.
    """
    sizes = np.abs(errors)
    ends = errors if level is None else np.append(errors, level)
    lowest, highest = ends.min(), ends.max()
    farthest = max(abs(lowest), abs(highest))
    if yscale == "auto":
        yscale = "linear"
        if sizes.any() and is_heavy_tailed(sizes, farthest):
            yscale = "symlog" if lowest < 0 else "log"
    if yscale == "log":
        if lowest < 0 or not sizes.any():
            raise ValueError(
                "yscale='log' needs errors above 0, which are scores below 0; use "
                "'symlog' or 'linear'."
            )
        # errors of next to nothing would take the room of all others
        floor = max(farthest * 1e-6, np.quantile(sizes, 0.01) / 3)
        lowest = max(lowest, min(floor, highest))
        ax.set_yscale("log", nonpositive="clip")
    elif yscale == "symlog":
        linear = linear_middle(np.median(sizes), farthest)
        ax.set_yscale("symlog", linthresh=linear)
    if lowest == highest:
        ax.set_ylim(spread(lowest, highest))
    else:
        transform = ax.yaxis.get_transform()
        ax.set_ylim(_widened(transform, [lowest, highest], 0.05, 0.08))
    label_axis(ax.yaxis, height)


def label_axis(axis, length, apart=_LABELS_APART) -> None:
    """Write as many tick labels as an axis of so many inches has room for."""
    from matplotlib.ticker import NullLocator

    n_labels = int(length / apart)
    if axis.get_scale() == "log":
        _label_log(axis, n_labels)
    elif axis.get_scale() == "symlog":
        lowest, highest = axis.get_view_interval()
        n_ticks = max(3, length / apart)
        ticks = symlog_ticks(axis.get_transform(), lowest, highest, n_ticks)
        axis.set_ticks(ticks, labels=[number(tick) for tick in ticks])
        axis.set_minor_locator(NullLocator())
    else:
        axis.get_major_locator().set_params(nbins=int(np.clip(n_labels, 1, 5)))
        if length < 1.6 * apart:
            # the numbers at both ends would overlap
            axis.set_tick_params(labelleft=False)


def _label_log(axis, n_labels) -> None:
    """Write plain numbers, except very large and very small ones."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    lowest, highest = sorted(axis.get_view_interval())
    steps = (1, 2, 5) if 3 * np.log10(highest / lowest) < n_labels else (1,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=max(2, n_labels)))
    if lowest > 1e-5 and highest < 1e5:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    if n_labels < 5:
        axis.set_minor_locator(NullLocator())


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
