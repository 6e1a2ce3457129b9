"""Where a table of timestamps may not be bridged: other series, and gaps in time."""

from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from skad._validation import check_consistent_length, column_or_1d, num_samples, warn

# A step in time longer than so many usual ones is a gap; jitter is none.
_GAP_IN_STEPS = 5

_NOT_DRAWN = (
    "If a splitter has drawn the rows at random, take KFold or TimeSeriesSplit instead."
)


def learn_max_gap(X, series=None, max_gap=None, *, warns=False) -> Any:
    """Longest step in time that is no gap; None where the rows have no time.

    Parameters
    ----------
    X : array-like of shape (n_timestamps, n_channels)
        Table; only the index of a pandas object tells time.
    series : array-like of shape (n_timestamps,) or None
        Series that each row belongs to.
    max_gap : None, number or timedelta-like
        None: 5 times the median step.
    warns : bool, default=False
        Whether to warn of an index that is no time, or of a `max_gap` without effect.
    """
    time, ids = _time_and_series(X, series)
    if time is None:
        if warns:
            _warn_of_no_time(X, max_gap)
        return None
    if max_gap is None:
        steps = np.diff(time)[_same(ids)]
        return _GAP_IN_STEPS * np.median(steps) if len(steps) else None
    return _check_max_gap(max_gap, of_time=time.dtype.kind == "m")


def _warn_of_no_time(X, max_gap):
    """Warn where the user seems to think that the rows have a time."""
    index = getattr(X, "index", None)
    if isinstance(index, pd.Index) and len(index):
        warn(
            f"The index of X, of dtype {index.get_level_values(-1).dtype}, tells no "
            "time, so gaps are not seen. Make it one of times, e.g. with "
            "skad.clean_table or pd.to_datetime, or drop it."
        )
    elif max_gap is not None:
        warn(
            f"max_gap={max_gap!r} has no effect: X has no time index. In a pipeline "
            'set_output(transform="pandas") keeps it.'
        )


def _check_max_gap(max_gap, *, of_time):
    """Read a gap in the kind of the index: a timedelta, or a number."""
    is_number = isinstance(max_gap, Real) and not isinstance(max_gap, np.timedelta64)
    expected = "a number in its unit"
    if of_time:
        expected = "a timedelta such as '10min'"
        if not is_number:
            with suppress(ValueError, TypeError, AttributeError):  # the last one: NaT
                max_gap = pd.Timedelta(max_gap).to_timedelta64()
    is_right = isinstance(max_gap, np.timedelta64) if of_time else is_number
    if not is_right or not max_gap >= max_gap * 0:
        kind = "time" if of_time else "numeric"
        raise ValueError(
            f"max_gap={max_gap!r} does not fit the {kind} index of X; expected "
            f"{expected}, not negative, or None."
        )
    return max_gap


def find_segments(X, series=None, max_gap=None) -> np.ndarray:
    """Find the stretches of rows that belong together.

    Parameters
    ----------
    X : array-like of shape (n_timestamps, n_channels)
        Table. The index of a pandas object tells the time (DatetimeIndex,
        TimedeltaIndex or numbers; the last level of a MultiIndex) and the series (the
        levels before). Other tables are one contiguous series.
    series : array-like of shape (n_timestamps,) or None
        Series that each row belongs to, in addition to those of the index.
    max_gap : number, timedelta or None
        A longer step in time is a border, as `learn_max_gap` returns it.

    Returns
    -------
    bounds : ndarray of shape (n_segments, 2)
        First row of each segment, and the row behind its last.

    Raises
    ------
    ValueError
        If timestamps are doubled or out of order within a series, or the rows of a
        series do not stand together.
    """
    n_rows = num_samples(X)
    time, ids = _time_and_series(X, series)
    borders = np.ones(n_rows + 1, dtype=bool)
    borders[1:-1] = ~_same(ids) if ids is not None else False
    if ids is not None:
        _check_together(ids, borders[:-1])
    if time is not None:
        steps = np.diff(time)
        _check_order(X, steps, borders[1:-1])
        if max_gap is not None:
            if isinstance(max_gap, np.timedelta64) != (steps.dtype.kind == "m"):
                kinds = ("times", "numbers")
                now, then = kinds if steps.dtype.kind == "m" else kinds[::-1]
                raise ValueError(
                    f"The index of X tells {now}, but that of the table of fit told "
                    f"{then}; give an index of the same kind. A table made without one "
                    "has the numbers 0, 1, 2 and so on."
                )
            borders[1:-1] |= steps > max_gap
    at = np.flatnonzero(borders)
    return np.column_stack([at[:-1], at[1:]])


def series_of(X, series=None) -> np.ndarray:
    """Return a number for the series of each row; zeros where there is one only."""
    _, ids = _time_and_series(X, series)
    return np.zeros(num_samples(X), dtype=int) if ids is None else ids


def _time_and_series(X, series):
    """Time as numbers or timedeltas, series as codes; None where there is neither."""
    index = getattr(X, "index", None)
    index = index if isinstance(index, pd.Index) else pd.RangeIndex(0)
    codes = []
    if isinstance(index, pd.MultiIndex):
        if index.nlevels > 1:
            codes.append(pd.factorize(index.droplevel(-1))[0])
        index = index.get_level_values(-1)
    if series is not None:
        series = column_or_1d(series)
        check_consistent_length(X, series)
        codes.append(pd.factorize(series)[0])
    ids = None
    if codes:
        ids = np.unique(np.column_stack(codes), axis=0, return_inverse=True)[1]
        ids = ids.ravel()
    return index_as_numbers(index), ids


def index_as_numbers(index):
    """Make times timedeltas since the first, numbers int64 or float64, else None."""
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        if isinstance(index, pd.PeriodIndex):
            index = index.to_timestamp()
        if index.hasnans:
            row = int(np.flatnonzero(index.isna())[0])
            raise ValueError(f"The time index of X is missing (NaT) in row {row}.")
        return (index - index[0]).to_numpy() if len(index) else None
    if isinstance(index, pd.TimedeltaIndex):
        return index.to_numpy()
    is_real = pd.api.types.is_any_real_numeric_dtype(index.dtype)
    if not len(index) or not is_real:
        return None
    if not pd.api.types.is_float_dtype(index.dtype) and not index.hasnans:
        return index.to_numpy(dtype=np.int64)
    numbers = index.to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ValueError(f"The index of X is {numbers[row]} in row {row}.")
    return numbers


def _same(ids):
    """Whether each row but the first is of the same series as the row before."""
    return slice(None) if ids is None else ids[1:] == ids[:-1]


def _check_together(ids, begins):
    """Refuse series whose rows are interleaved with those of others."""
    n_runs, n_series = int(begins.sum()), len(np.unique(ids))
    if n_runs != n_series:
        raise ValueError(
            f"The rows of {n_series} series come in {n_runs} runs; the rows of each "
            f"must stand together. Sort by series, then by time. {_NOT_DRAWN}"
        )


def _check_order(X, steps, is_border):
    """Refuse time that stands still or runs backwards within a series."""
    wrong = ~is_border & ~(steps > steps.dtype.type(0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0]) + 1
        before, after = X.index[row - 1], X.index[row]
        kind = "is there twice" if before == after else "is out of order"
        raise ValueError(
            f"The time index of X must increase: {after} in row {row} {kind}, after "
            f"{before} ({int(wrong.sum())} such rows). Sort the rows and drop doubled "
            "timestamps, e.g. with skad.clean_table. Several series in one table need "
            "a MultiIndex (series, time), or series= where there is one. "
            f"{_NOT_DRAWN}"
        )
