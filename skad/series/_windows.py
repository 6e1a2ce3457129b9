"""Windows over a table, without copying them."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from skad._base import VersionedMixin
from skad._fitting import after_fit, fit_method, with_standard_numbers
from skad._validation import (
    StrOptions,
    check_array,
    check_consistent_length,
    check_is_fitted,
    check_outlier_labels,
    feature_names_in,
    validate_data,
)
from skad.series._length import (
    WINDOW_LENGTHS,
    CutsWindows,
    check_long_enough,
    rows_in_window,
)
from skad.series._rows import MaxGap, ReadsRows, read_rows


def windows_view(table, window_length) -> np.ndarray:
    """Return all windows of a table as a read-only view, one window per row.

    ``(n, C) -> (n - window_length + 1, window_length * C)``, time major. Overlapping
    windows share their memory.
    """
    n_channels = table.shape[1]
    values = np.ascontiguousarray(table).ravel()
    return sliding_window_view(values, window_length * n_channels)[::n_channels]


def window_starts(bounds, window_length, stride) -> np.ndarray:
    """First rows of the windows in each segment; the last one covers its end.

    Segments shorter than a window have none.
    """
    found = []
    for first, stop in bounds:
        last = stop - window_length
        if last >= first:
            starts = np.arange(first, last + stride, stride)
            starts[-1] = last
            found.append(starts)
    # without a copy where there is one
    return found[0] if len(found) == 1 else np.concatenate([np.empty(0, int), *found])


def count_in_window(flags, starts, window_length) -> np.ndarray:
    """Count the flagged rows of each window."""
    before = np.concatenate([[0], np.cumsum(flags)])
    return before[starts + window_length] - before[starts]


@with_standard_numbers
def sliding_windows(
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    window_length: int,
    stride: int = 1,
    series: ArrayLike | None = None,
    max_gap: MaxGap = None,
) -> NDArray | tuple[NDArray, NDArray[np.int64]]:
    """Cut a table into windows.

    Parameters
    ----------
    X : array-like of shape (n_timestamps, n_channels)
        Table. Windows cross neither series nor gaps: a pandas index tells the time
        (DatetimeIndex, TimedeltaIndex, numbers) and, by the first levels of a
        MultiIndex, the series. A numpy array is one contiguous series.
    y : array-like of shape (n_timestamps,), default=None
        Labels of the rows, {-1 = anomaly, +1} or {0, 1 = anomaly}.
    window_length : int
        Number of rows per window.
    stride : int, default=1
        Rows from one window to the next; a last one covers the end of each segment.
    series : array-like of shape (n_timestamps,), default=None
        Series that each row belongs to, in addition to those of the index.
    max_gap : number or timedelta-like, default=None
        A longer step in time is a border. None: 5 times the median step.

    Returns
    -------
    windows : ndarray of shape (n_windows, window_length * n_channels)
        Windows, time major, series by series. A read-only view of the table if that is
        one segment and all its windows are `stride` rows apart; else a copy.
    labels : ndarray of shape (n_windows,), dtype int
        Only if `y` is given: -1 for a window that holds an anomaly, else +1.

    Raises
    ------
    ValueError
        If timestamps are out of order or doubled, or no segment is as long as a window.

    See Also
    --------
    SlidingWindow : Transformer that makes one window for each row.
    WindowedDetector : Detector of windows that gives one score for each row.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import sliding_windows
    >>> sliding_windows(np.arange(5)[:, None], window_length=3)
    array([[0, 1, 2],
           [1, 2, 3],
           [2, 3, 4]])
    """
    table = check_array(X, ensure_all_finite=False, dtype="numeric")
    for name, value in {"window_length": window_length, "stride": stride}.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}={value!r}; expected an int >= 1.")
    rows = read_rows(X, series, max_gap=max_gap, warns=True)
    bounds = rows.bounds
    check_long_enough(bounds, window_length)
    starts = window_starts(bounds, window_length, stride)
    windows = windows_view(rows.group(table), window_length)[as_slice(starts)]
    if y is None:
        return windows
    is_anomaly = check_outlier_labels(y)
    check_consistent_length(X, is_anomaly)
    n_anomalies = count_in_window(rows.group(is_anomaly), starts, window_length)
    return windows, np.where(n_anomalies > 0, -1, 1)


def as_slice(positions):
    """Turn evenly spaced ascending positions into a slice, which needs no copy."""
    steps = np.diff(positions)
    if len(steps) and (steps != steps[0]).any():
        return positions
    step = int(steps[0]) if len(steps) else 1
    return slice(int(positions[0]), int(positions[-1]) + 1, step)


class SlidingWindow(
    ReadsRows, CutsWindows, VersionedMixin, TransformerMixin, BaseEstimator
):
    """Transformer that turns row t of a table into the window that ends at t.

    Rows stay aligned with `y`: it works in cross-validation, before any detector.

    Parameters
    ----------
    window_length : int, "auto", float, str or timedelta-like
        Number of rows per window, including row t; what `suggest_window_length` says of
        the table of fit, for "auto"; a float up to 4.0 is a multiple of that; or a
        duration such as "2h".
    pad : {"edge", "zero"}, default="edge"
        What to put before the first row of a segment: copies of that row, or zeros.
    max_gap : number or timedelta-like, default=None
        A longer step in the time index is a border. None: 5 median steps of fit.

    Attributes
    ----------
    window_length_ : int
        Number of rows per window.
    max_gap_ : number, timedelta or None
        Longest step in time that is no gap; None if the table has no time index.
    n_features_in_ : int
        Number of channels.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the channels, if the table has any.

    See Also
    --------
    sliding_windows : Windows without padding, not aligned with rows.
    WindowedDetector : Averages over all windows that cover a row.

    Notes
    -----
    Columns are time major: all channels of the oldest row first, named
    ``pressure[t-3]``, and those of row t last, named ``pressure[t]``.

    The windows are a read-only strided view: they take the memory of the table, not
    window_length times as much. Several series or gaps cost a copy. Later steps of a
    pipeline may copy: all scalers, PCA, IsolationForest (float32) and nearest
    neighbours do, the detectors of skad do not, but set their `n_channels` yourself.

    A detector with `normal_label` after it only sees the label of the last row: a
    window with an anomaly in its past counts as normal. A net after it holds out
    windows at random, which overlap those that it is trained on: it stops late and
    flags more new rows than it promises. `WindowedDetector` drops such windows, and
    holds out the end of each series.

    Where the rows of several series are interleaved, each window holds rows of its own
    series, and windows come in the order of the rows; a detector after it sees them in
    that order, so that what it holds out or learns from first is not what it would be
    in the sorted table. `WindowedDetector` takes series one after another.

    A scaler before it returns an array without the time index, and so without gaps,
    unless the pipeline has ``set_output(transform="pandas")``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import SlidingWindow
    >>> table = pd.DataFrame({"flow": [1.0, 2.0, 3.0]})
    >>> SlidingWindow(2).set_output(transform="pandas").fit_transform(table)
       flow[t-1]  flow[t]
    0        1.0      1.0
    1        1.0      2.0
    2        2.0      3.0
    """

    needs_order = True  # of rows, see `TunedThresholdDetector`

    _parameter_constraints: ClassVar[dict] = {
        "window_length": WINDOW_LENGTHS,
        "pad": [StrOptions({"edge", "zero"})],
        "max_gap": "no_validation",
    }

    def __init__(self, window_length, *, pad="edge", max_gap=None):
        self.window_length = window_length
        self.pad = pad
        self.max_gap = max_gap

    @fit_method
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn the channels, and how long windows and gaps are.

        Parameters
        ----------
        X : array-like of shape (n_timestamps, n_channels)
            Table; missing values pass through.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        table = validate_data(self, X, ensure_all_finite=False, dtype="numeric")
        rows = self._learn_rows(X)
        self.window_length_ = rows_in_window(
            self.window_length, rows.group(table), rows
        )
        return self

    @after_fit
    def transform(self, X: ArrayLike) -> NDArray:
        """Cut one window for each row.

        Parameters
        ----------
        X : array-like of shape (n_timestamps, n_channels)
            Table.

        Returns
        -------
        windows : ndarray of shape (n_timestamps, window_length * n_channels)
            Row t is the window that ends at row t. Read-only if it is a view.
        """
        check_is_fitted(self)
        options = {"ensure_all_finite": False, "dtype": "numeric"}
        table = validate_data(self, X, reset=False, **options)
        rows = self._read_rows(X)
        table = rows.group(table)
        mode: Any = "edge" if self.pad == "edge" else "constant"
        before = [(self.window_length_ - 1, 0), (0, 0)]
        padded = (np.pad(table[a:b], before, mode) for a, b in rows.bounds)
        parts = [windows_view(one, self.window_length_) for one in padded]
        return parts[0] if len(parts) == 1 else rows.restore(np.concatenate(parts))

    @after_fit
    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Name the columns of `transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the channels; None takes those seen in fit, or x0, x1, ...

        Returns
        -------
        names : ndarray of str
            Names such as ``pressure[t-3]``.
        """
        check_is_fitted(self)
        names = feature_names_in(self, input_features)
        lags = [f"[t-{lag}]" for lag in range(self.window_length_ - 1, 0, -1)]
        return np.array([f"{n}{at}" for at in [*lags, "[t]"] for n in names], object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
