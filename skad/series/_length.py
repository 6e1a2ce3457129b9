"""How many rows a window has: as told, by a duration, or by the data themselves."""

from contextlib import suppress
from datetime import timedelta
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import fft
from scipy.signal import detrend, find_peaks
from sklearn.utils import gen_batches

from skad._fitting import as_fitted, with_standard_numbers
from skad._validation import Interval, check_array
from skad.series._rows import MaxGap, Rows, read_rows

# What `window_length` may be: rows, "auto", a multiple of that, or a duration.
WindowLength: TypeAlias = int | float | str | timedelta | np.timedelta64
WINDOW_LENGTHS: list[Any] = [
    *(str, timedelta, np.timedelta64),  # which passes for an Integral
    Interval(Integral, 1, None, closed="left"),
    # A larger one is a number of rows that some division has left a float.
    Interval(Real, 0, 4, closed="right"),
]

_SHORTEST, _LONGEST = 10, 300  # lags at which a period is looked for
_USUAL = 60
_RISE = 0.2
_NEARLY = 0.9
_STANDARD_ERRORS = 4  # of the autocorrelation of white noise
# Rows of a stretch: slow drift shows in longer ones only, where it would hide a cycle.
_STRETCH = 10 * _LONGEST
_ROWS_LOOKED_AT = 40 * _STRETCH
_FLOAT32 = np.finfo(np.float32)


@with_standard_numbers
def suggest_window_length(
    table: ArrayLike, *, series: ArrayLike | None = None, max_gap: MaxGap = None
) -> int:
    """Suggest a window length for a table: its period, if it has one, else 60 rows.

    This is what ``window_length="auto"`` stands for.

    Parameters
    ----------
    table : array-like of shape (n_timestamps, n_channels)
        Table of sensors, one row per time step. Missing and infinite values are
        interpolated.
    series : array-like of shape (n_timestamps,), default=None
        Series that each row belongs to, in addition to those of the index.
    max_gap : number or timedelta-like, default=None
        A longer step in time is a border. None: 5 times the median step.

    Returns
    -------
    window_length : int
        Number of rows, at least 1, and at most n / 5 where n is the number of rows.

    Raises
    ------
    ValueError
        If timestamps are out of order or doubled, or `max_gap` does not fit the index.

    See Also
    --------
    WindowedDetector : Detector of windows that gives one score for each row.
    SlidingWindow : Transformer that makes one window for each row.

    Notes
    -----
    It is a rule of thumb, found on recordings of ECG, traffic and machines. From the
    autocorrelation at lags of 10 to min(300, n / 3) rows, the mean of all channels, it
    takes the peaks that rise 0.2 above the lowest value before and are no chance, at 4
    standard errors of white noise. The length is the first of them within 90 % of the
    highest. A longer period, or one that most channels lack, is not found.

    The autocorrelation is that of stretches of 3,000 rows or whole segments, if these
    are shorter, without their linear trends. It crosses neither series nor gaps: a
    pandas index tells the time and, by the first levels of a MultiIndex, the series.
    With several segments, n is the length of the one that the median row lies in. Of
    more than 120,000 rows, evenly spaced stretches are looked at. Channels that are
    constant, or straight lines, do not count.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import suggest_window_length
    >>> t = np.arange(1000)
    >>> table = np.column_stack([np.sin(2 * np.pi * t / 48), t])
    >>> suggest_window_length(table)
    48
    """
    X = check_array(table, ensure_all_finite=False, dtype="numeric")
    rows = read_rows(table, series, max_gap=max_gap, warns=True)
    return _length_by_period(rows.group(X), rows.bounds)


def rows_in_window(window_length: WindowLength, table, rows: Rows) -> int:
    """Turn a length as the user gives it into a number of rows of a checked table.

    The table has the order of `rows`. Raises ValueError for text that is neither "auto"
    nor a duration, and for a duration that does not fit the time index.
    """
    if isinstance(window_length, str) and window_length == "auto":
        return _length_by_period(table, rows.bounds)
    if isinstance(window_length, str | timedelta | np.timedelta64):
        return _rows_in_duration(window_length, rows)
    if isinstance(window_length, Integral):
        return int(window_length)
    return max(1, round(window_length * _length_by_period(table, rows.bounds)))


class CutsWindows:
    """Mixin of what cuts windows, of `window_length_` rows after fit."""

    window_length: WindowLength
    window_length_: int

    def __setstate__(self, state):
        super().__setstate__(state)  # type: ignore[misc]
        if hasattr(self, "n_features_in_") and not hasattr(self, "window_length_"):
            # fitted by skad 0.1.0, where it was a number of rows
            self.window_length_ = as_fitted(self).window_length


def check_long_enough(bounds, window_length, given: Any = None) -> None:
    """Refuse a table in which no segment is as long as a window."""
    longest = int(np.diff(bounds, axis=1).max(initial=0))
    if longest < window_length:
        raise ValueError(
            f"{_describe(window_length, given)} is longer than every segment of "
            f"X (the longest of {len(bounds)} has {longest} rows); use window_length "
            f"<= {longest}, or a larger max_gap if gaps in time cut X too often. The "
            "last level of a MultiIndex is the time, the levels before are the series."
        )


def check_stride(stride, window_length, given) -> None:
    """Refuse steps from window to window that leave rows out."""
    if stride > window_length:
        raise ValueError(
            f"stride={stride} leaves rows between windows without a score; use a "
            f"stride of at most {_describe(window_length, given)}."
        )


def _describe(window_length, given) -> str:
    """Name the length, and what the user has given for it."""
    if given is None or given == window_length:
        return f"window_length={window_length}"
    return f"window_length={given!r} ({window_length} rows)"


# Durations ----------------------------------------------------------------------------


def _rows_in_duration(window_length, rows) -> int:
    duration, bounds = read_duration(window_length), rows.bounds
    if not rows.has_dates:
        raise ValueError(
            f"window_length={window_length!r} is a duration, but X has no times in its "
            "index; give it an index of dates or durations, or window_length as a "
            'number of rows. In a pipeline set_output(transform="pandas") keeps the '
            "index."
        )
    step = rows.step
    if step is None:
        raise ValueError(
            f"window_length={window_length!r} is a duration, but no series of X has "
            "two rows, whose step in time would tell how many rows that is; give "
            "window_length as a number of rows."
        )
    n_rows = round(duration / step)
    if n_rows < 1:
        raise ValueError(
            f"window_length={window_length!r} holds no row of X, where the median time "
            f"from one to the next is {step}; use a duration of at least that, or a "
            "number of rows."
        )
    check_long_enough(bounds, n_rows, window_length)
    return n_rows


def read_duration(window_length) -> pd.Timedelta:
    """Read a duration, or say what a window length may be."""
    with suppress(ValueError, TypeError, OverflowError):
        duration: Any = pd.Timedelta(window_length)
        if duration is not pd.NaT:
            return duration
    raise ValueError(
        f"window_length={window_length!r}; expected a number of rows, 'auto', or a "
        "duration that pandas.Timedelta reads, such as '2h' or '90s'."
    )


# Periods ------------------------------------------------------------------------------


def _length_by_period(table, bounds) -> int:
    lengths = np.diff(bounds, axis=1).ravel()
    n_rows = int(np.quantile(lengths, 0.5, weights=lengths, method="inverted_cdf"))
    period = _find_period(table, bounds, longest=min(_LONGEST, n_rows // 3))
    return max(1, min(period or _USUAL, n_rows // 5))


def _find_period(table, bounds, longest) -> int | None:
    """Lag of the first peak of the autocorrelation that is nearly the highest."""
    if longest < _SHORTEST:
        return None
    correlation, n_pairs = _autocorrelation(table, _stretches(bounds, longest), longest)
    peaks = find_peaks(correlation)[0]
    height = correlation[peaks]
    rise = height - np.minimum.accumulate(correlation)[peaks]
    is_period = (peaks >= _SHORTEST) & (rise >= _RISE)
    is_period &= height >= _STANDARD_ERRORS / np.sqrt(n_pairs[peaks])
    peaks, height = peaks[is_period], height[is_period]
    if not len(peaks):
        return None
    return int(peaks[height >= _NEARLY * height.max()][0])


def _stretches(bounds, longest) -> list[slice]:
    """Rows to look at: parts of segments in which every lag has a pair of rows."""
    parts = [
        slice(first + part.start, first + part.stop)
        for first, stop in bounds.tolist()
        for part in gen_batches(stop - first, _STRETCH)
        if part.stop - part.start > longest + 1
    ]
    n_rows = sum(part.stop - part.start for part in parts)
    return parts[:: -(-n_rows // _ROWS_LOOKED_AT)]


def _autocorrelation(table, stretches, longest) -> tuple[np.ndarray, np.ndarray]:
    """Mean over channels at lags up to one beyond the longest, and numbers of pairs.

    Sums over stretches of the products of rows and later rows, without their trends.
    """
    lags = np.arange(longest + 2)  # a peak has a neighbour on both sides
    products = np.zeros((len(lags), table.shape[1]))
    n_pairs = np.zeros(len(lags))
    largest = np.zeros(table.shape[1])
    for stretch in stretches:
        X = _interpolated(table[stretch])
        largest = np.maximum(largest, np.abs(X).max(axis=0))
        size = fft.next_fast_len(len(X) + len(lags), real=True)
        spectrum = fft.rfft(detrend(X, axis=0), size, axis=0)
        products += fft.irfft(np.abs(spectrum) ** 2, size, axis=0)[: len(lags)]
        n_pairs += len(X) - lags
    variance = products[0] / n_pairs[0]
    varies = variance > (_FLOAT32.eps * largest) ** 2  # as detectors see it
    if not varies.any():
        return np.zeros(len(lags)), n_pairs
    covariances = products[:, varies] / n_pairs[:, None]
    # rounded: errors of the transform must not choose between equal peaks
    return (covariances / variance[varies]).mean(axis=1).round(9), n_pairs


def _interpolated(rows) -> np.ndarray:
    """Fill what is missing, infinite, or infinite in float32; zeros if all is."""
    rows = rows.astype(np.float64)
    is_right = np.abs(rows) <= _FLOAT32.max
    if is_right.all():
        return rows
    filled = pd.DataFrame(np.where(is_right, rows, np.nan))
    return filled.interpolate(limit_direction="both").fillna(0.0).to_numpy()
