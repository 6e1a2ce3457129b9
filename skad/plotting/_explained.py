"""What displays of contributions ask a detector for."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skad._nesting import as_read, layers
from skad._validation import num_samples, safe_indexing
from skad._warnings import silently
from skad.plotting._windows import read_window
from skad.series._expected import expect, expected_as_read, has_reference
from skad.series._explain import channel_names, deviations_of, find_explainer

# Beside the name of a sensor that reads too high, or too low.
_TOO_HIGH, _TOO_LOW = (
    "\N{BLACK UP-POINTING TRIANGLE}",
    "\N{BLACK DOWN-POINTING TRIANGLE}",
)


class Explained(NamedTuple):
    """Contributions to the scores of rows, or of one window, and what comes with them.

    Shapes are (n_rows, n_channels), or (1, window_length, n_channels) with the position
    of a window. Deviations are None if the detector does not know them.
    """

    contributions: NDArray
    deviations: NDArray | None
    channel_names: list | None
    window: int | None = None
    is_anomaly: bool | None = None


def explain_shown(estimator, X, y, series, window) -> Explained:
    """Explain the rows of a table or, for a detector of windows, one of these.

    Without a position, that is the one with the lowest score.
    """
    detector, inner = find_explainer(estimator, X)
    if num_samples(inner) == 0:
        raise ValueError("X holds no rows; at least one is needed.")
    # one row is short for a detector of tables, which would say so
    first = silently(detector.explain, safe_indexing(inner, [0]))
    is_windows = first.ndim == 3
    shown, is_anomaly = inner, None
    if is_windows:
        if window is None:
            window = int(np.argmin(detector.score_samples(inner)))
        is_anomaly = read_window(window, num_samples(inner), y, series)
        shown = safe_indexing(inner, [window])
    parts = detector.explain(shown)
    table = as_read(estimator, X)
    names = channel_names(estimator, detector, table, inner, parts.shape)
    deviations = None
    if has_reference(detector):
        deviations = deviations_of(detector, shown, parts.shape)
    return Explained(parts, deviations, names, window, is_anomaly)


def takes_table(estimator) -> bool:
    """Whether an estimator cuts the windows of its detector from a table itself."""
    tellers = [layer for layer in layers(estimator) if hasattr(layer, "_expect")]
    return bool(tellers) and not hasattr(tellers[0], "reconstruct")


def table_as_window(estimator, X, windows, channel_names) -> dict[str, Any]:
    """Show a table as one window, beside what it should have read."""
    if windows is not None:
        raise ValueError(
            f"windows={windows!r}, but X is a table; pass the rows to show as X."
        )
    expected = np.asarray(expected_as_read(estimator, X))[None]
    X = as_read(estimator, X)
    signal = np.asarray(X, dtype=float)[None]
    error = np.abs(signal - expected)
    names = getattr(X, "columns", None) if channel_names is None else channel_names
    shown = {"signal": signal, "reconstruction": expected, "error": error}
    return shown | {"window_names": ["table"], "channel_names": names}


def expected_windows(detector, windows, shape) -> NDArray | None:
    """Find expected values of windows of several channels; None if there are none."""
    if shape[2] == 1 or not has_reference(detector):
        return None
    return expect(detector, windows).reshape(shape)


def check_columns(expected, n_sensors) -> None:
    """Refuse expected values unless there are some for each sensor."""
    if expected is not None and expected.shape[1] != n_sensors:
        raise ValueError(
            f"expected has {expected.shape[1]} columns; it needs {n_sensors}, one for "
            "each sensor that is drawn."
        )


def check_deviations(deviations, shape) -> NDArray | None:
    """Read deviations as floats, in the shape of the contributions."""
    if deviations is None:
        return None
    deviations = np.asarray(deviations, dtype=np.float64)
    if deviations.shape != shape:
        raise ValueError(
            f"deviations have the shape {deviations.shape}; expected {shape}, that of "
            "the contributions."
        )
    return deviations


def add_directions(names, channels, deviations, rows, contributions) -> list[str]:
    """Add arrows to names, of which the first are those of some channels.

    They say whether a channel reads too high or too low in some rows, of which those
    with large contributions count most.
    """
    if deviations is None:
        return names
    weights = np.abs(contributions[:, channels])
    sums = np.sum(np.nan_to_num(deviations[rows][:, channels]) * weights, axis=0)
    arrows = [direction_of(value) for value in sums] + [""] * len(names)
    return [
        f"{name} {arrow}".rstrip() for name, arrow in zip(names, arrows, strict=False)
    ]


def direction_of(deviation: Any) -> str:
    """Arrow for one deviation; nothing for 0 and what is missing."""
    return _TOO_HIGH if deviation > 0 else _TOO_LOW if deviation < 0 else ""
