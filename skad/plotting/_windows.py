"""Windows: which to show, their titles, and the drawing of signals and errors."""

from numbers import Integral

import numpy as np

from skad.plotting._reading import read_labels
from skad.plotting._scales import drawable
from skad.plotting._style import number, palette, with_defaults
from skad.plotting._texts import fit_texts, points, text_width

# Windows that are shown if none are chosen.
_N_WINDOWS = 4


def fold(X, n_channels, name) -> np.ndarray:
    """Windows as floats of shape (n_windows, window_length, n_channels)."""
    X = np.asarray(X, dtype=float)
    if not isinstance(n_channels, Integral) or n_channels < 1:
        raise ValueError(f"n_channels={n_channels!r}; expected an int >= 1.")
    if X.ndim == 3:
        return X
    if X.ndim != 2 or X.shape[1] % n_channels:
        raise ValueError(
            f"{name} has the shape {X.shape}; expected (n_windows, window_length * "
            f"{n_channels}) or (n_windows, window_length, n_channels)."
        )
    return X.reshape(len(X), X.shape[1] // n_channels, n_channels)


def choose_windows(windows, n_windows, y) -> tuple[np.ndarray, list[str]]:
    """Positions and names of the windows to show, with labels if there are any."""
    is_anomaly = read_labels(y, n_windows, "y")
    if n_windows == 0:
        raise ValueError("X holds no windows; at least one is needed.")
    if windows is not None:
        positions = check_positions(windows, n_windows, "windows")
    elif is_anomaly is None or is_anomaly.all() or not is_anomaly.any():
        positions = np.arange(min(n_windows, _N_WINDOWS))
    else:
        rows = (np.flatnonzero(is_anomaly == kind) for kind in (0, 1))
        positions = np.concatenate([kind[: _N_WINDOWS // 2] for kind in rows])
    names = [f"window {position}" for position in positions]
    if is_anomaly is not None:
        kinds = np.where(is_anomaly[positions], "anomaly", "normal")
        names = [f"{name}: {kind}" for name, kind in zip(names, kinds, strict=True)]
    return positions, names


def check_positions(positions, n, name) -> np.ndarray:
    """Positions as an array; refuse those that are not from 0 to n - 1."""
    positions = np.atleast_1d(positions)
    is_right = positions.ndim == 1 and positions.dtype.kind in "iu" and positions.size
    if not is_right or positions.min() < 0 or positions.max() >= n:
        raise ValueError(
            f"{name}={positions.tolist()!r}; expected one or more positions from 0 to "
            f"{n - 1}."
        )
    return positions


def read_window(window, n_windows, y, series) -> bool | None:
    """Check the position of a window; whether it is labelled as an anomaly."""
    if series is not None:
        raise ValueError(
            f"series={series!r}, but windows belong to no series; use window."
        )
    if not isinstance(window, Integral) or int(window) not in range(n_windows):
        raise ValueError(
            f"window={window!r}; expected a position from 0 to {n_windows - 1}."
        )
    is_anomaly = read_labels(y, n_windows)
    return None if is_anomaly is None else bool(is_anomaly[window])


def name_window(window, is_anomaly, score, threshold) -> str:
    """Title of one window, with its label, score and the threshold if there are any."""
    kind = "" if is_anomaly is None else ", anomaly" if is_anomaly else ", normal"
    limit = "" if threshold is None else f", threshold {number(threshold)}"
    return f"window {window}{kind}: score {number(score)}{limit}"


def title_of(window, names, scores, is_flagged) -> str:
    """Title of one of several windows, with score and verdict if there are any."""
    title = f"window {window}" if names is None else names[window]
    if scores is None:
        return title
    title += f"\nscore {number(scores[window])}"
    if is_flagged is not None:
        title += ", flagged" if is_flagged[window] else ", passed"
    return title


def fit_titles(titles, width) -> tuple[list[str], float]:
    """Titles side by side on so many inches, in more lines if narrow; and font size."""
    space = 0.95 * width / len(titles)
    widest = max(text_width(title, points("small")) for title in titles)
    if 0.8 * widest > 72 * space:
        breaks = str.maketrans({":": "\n", ",": "\n"})
        titles = [title.translate(breaks).replace("\n ", "\n") for title in titles]
    lines, size = fit_texts([line for t in titles for line in t.split("\n")], space)
    rest = iter(lines)
    return ["\n".join(next(rest) for _ in t.split("\n")) for t in titles], size


def draw_signals(axes, values, signal_kwargs, kwargs, area) -> np.ndarray:
    """Draw signal and reconstruction, and shade the area between them; the lines.

    `values` are both, of shape (2, n_windows, window_length, n_channels).
    """
    colours = palette()
    dashes = {"color": colours.normal, "linewidth": 1.6, "linestyle": (0, (4, 1.2))}
    solid = {"color": colours.text, "linewidth": 1.2}
    signal_style = with_defaults(signal_kwargs, label="signal", **solid)
    style = with_defaults(kwargs, label="reconstruction", **dashes)
    lines = np.empty((2, *axes.shape), dtype=object)
    for row, window in np.ndindex(axes.shape):
        ax, (signal, back) = axes[row, window], drawable(values[:, window, :, row])
        (lines[0, row, window],) = ax.plot(signal, **signal_style)
        (lines[1, row, window],) = ax.plot(back, **style)
        ax.fill_between(np.arange(len(signal)), signal, back, **area)
    return lines


def draw_expected(axes, values) -> np.ndarray:
    """Draw expected values (n_windows, window_length, n_channels); the lines."""
    lines = np.empty(axes.shape, dtype=object)
    style = {"color": palette().best, "linewidth": 1.6, "linestyle": ":"}
    for row, window in np.ndindex(axes.shape):
        told = drawable(values[window, :, row])
        (lines[row, window],) = axes[row, window].plot(told, label="expected", **style)
    return lines


def draw_mean_errors(axes, error, style, area) -> np.ndarray:
    """Draw the errors of windows, means over channels; the lines."""
    lines = np.empty(len(axes), dtype=object)
    for window, ax in enumerate(axes):
        mean = drawable(error[window]).mean(axis=1)
        ax.fill_between(np.arange(len(mean)), 0, mean, **area)
        (lines[window],) = ax.plot(mean, **style)
    axes[0].set_ylim(bottom=0)
    return lines
