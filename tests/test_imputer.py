"""TimeSeriesImputer: against plain loops, and what scikit-learn's checks do not feed.

Those checks give an imputer that allows NaN no NaN; missing values are tested here.
"""

import pickle
import statistics

import naive_series as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skad.series._imputer import TimeSeriesImputer

NAN = np.nan
METHODS = ["ffill", "bfill", "linear", "time"]

IMPUTERS = {
    "ffill": TimeSeriesImputer(),
    "bfill": TimeSeriesImputer("bfill", fallback="mean"),
    "linear": TimeSeriesImputer("linear", limit=2, add_indicator=True),
    "time": TimeSeriesImputer("time", fallback=0.0, max_gap=3.0),
    "tail": TimeSeriesImputer(carry_tail=True, limit=3, max_missing=0.5),
    "no-fallback": TimeSeriesImputer("linear", fallback=None, max_missing=0.5),
}


@parametrize_with_checks(list(IMPUTERS.values()))
def test_sklearn_checks(estimator, check):
    state = np.random.get_state()  # noqa: NPY002, some checks of scikit-learn move it
    check(estimator)
    np.random.set_state(state)  # noqa: NPY002


def minutes(*at):
    return pd.Timestamp("2018-04-01") + pd.to_timedelta(at, unit="min")


def table(values, index=None, name="a"):
    return pd.DataFrame({name: np.array(values, dtype=float)}, index=index)


def filled(imputer, X):
    """The first column of X, filled."""
    return np.asarray(imputer.transform(X))[:, 0].tolist()


def fit_filled(imputer, X):
    return np.asarray(imputer.fit_transform(X))[:, 0].tolist()


# ---------------------------------------------------------------------------
# Against the loops
# ---------------------------------------------------------------------------

VALUE = st.floats(-1e6, 1e6, width=32)
COLUMN_VALUE = st.none() | VALUE
LAYOUTS = ["C", "F", "strided", "read-only"]
INDICES = ["numpy", "range", "time", "series", "two series levels"]


@st.composite
def columns_of(draw, n_rows, n_columns):
    """Columns as lists with None; often long runs are missing."""
    columns = []
    for _ in range(n_columns):
        column = draw(st.lists(COLUMN_VALUE, min_size=n_rows, max_size=n_rows))
        start, stop = sorted(draw(st.tuples(*2 * [st.integers(0, n_rows)])))
        if draw(st.booleans()):
            column[start:stop] = [None] * (stop - start)
        columns.append(column)
    return columns


@st.composite
def rows_of(draw, n_rows, kind):
    """Times in minutes (None without), and the series of each row."""
    if kind == "numpy":
        return None, [0] * n_rows
    if kind == "range":
        return list(range(n_rows)), [0] * n_rows
    steps = st.lists(st.sampled_from([1, 1, 1, 2, 3, 9, 40]), min_size=n_rows)
    time = np.cumsum(draw(steps))[:n_rows].tolist()
    if kind == "time":
        return time, [0] * n_rows
    cuts = draw(st.lists(st.integers(0, 4), min_size=n_rows, max_size=n_rows))
    series = np.cumsum([cut == 0 for cut in cuts]).tolist()
    # each series begins anew, so that time runs backwards between them
    first = {s: time[series.index(s)] for s in series}
    return [t - first[s] for t, s in zip(time, series, strict=True)], series


def as_table(columns, time, series, kind, dtype, layout):
    values = np.array(columns, dtype=dtype).T.copy()  # None becomes NaN
    if layout == "F":
        values = np.asfortranarray(values)
    if layout == "strided":
        values = np.repeat(values, 2, axis=0)[::2]
    if layout == "read-only":
        values.flags.writeable = False
    if kind == "numpy":
        return values
    stamps = minutes(*time)
    index = {
        "range": lambda: None,
        "time": lambda: stamps,
        "series": lambda: pd.MultiIndex.from_arrays([series, stamps]),
        "two series levels": lambda: pd.MultiIndex.from_arrays(
            [series, ["line 1"] * len(series), stamps]
        ),
    }[kind]()
    return pd.DataFrame(values, index=index)


def as_gap(number, kind):
    timed = kind not in ("numpy", "range")
    return pd.Timedelta(number, "min") if timed and number is not None else number


@given(st.data())
def test_transform__equals_loops(data):
    kind = data.draw(st.sampled_from(INDICES))
    n_rows, n_columns = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 3))
    columns = data.draw(columns_of(n_rows, n_columns))
    time, series = data.draw(rows_of(n_rows, kind))
    method = data.draw(st.sampled_from(METHODS))
    limit = data.draw(st.none() | st.integers(1, 4))
    fallback = data.draw(st.sampled_from(["median", "mean", None, 7.0]))
    max_missing = data.draw(st.sampled_from([0.3, 0.9]))
    max_gap = data.draw(st.sampled_from([None, 1.5, 10]))
    dtype = data.draw(st.sampled_from([np.float64, np.float32]))
    X = as_table(
        columns, time, series, kind, dtype, data.draw(st.sampled_from(LAYOUTS))
    )
    imputer = TimeSeriesImputer(
        method,
        limit=limit,
        fallback=fallback,
        max_missing=max_missing,
        add_indicator=data.draw(st.booleans()),
        max_gap=as_gap(max_gap, kind),
    )
    shares = [sum(v is None for v in column) / n_rows for column in columns]
    kept = [i for i, share in enumerate(shares) if share <= max_missing]
    if not kept:
        with pytest.raises(ValueError, match="No column of X is left"):
            imputer.fit(X)
        return
    result = imputer.fit_transform(X)

    gap = max_gap
    if max_gap is None and time is not None:
        gap = naive.usual_gap(time, series)
    segments = naive.segment_rows(time, series, gap)
    expected = []
    for column in (columns[i] for i in kept):
        rest = naive.fallback_of(column, fallback)
        done = naive.fill_column(column, segments, time, method, limit)
        expected.append([rest if value is None else value for value in done])
    indicators = [
        [value is None for value in columns[i]]
        for i in kept
        if imputer.add_indicator and shares[i] > 0
    ]
    assert imputer.dropped_ == [f"x{i}" for i in range(n_columns) if i not in kept]
    assert isinstance(result, np.ndarray)
    assert result.dtype == dtype
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert not np.shares_memory(result, np.asarray(X))
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    expected = np.array(expected + indicators, dtype=dtype).T
    assert_allclose(result, expected, rtol=rtol, atol=rtol * 1e6)
    # what was observed is exactly what it was
    observed = ~np.isnan(np.asarray(X)[:, kept])
    assert_array_equal(
        result[:, : len(kept)][observed], np.asarray(X)[:, kept][observed]
    )
    assert_array_equal(imputer.transform(X), result)


@given(st.data())
def test_carried_tail__equals_loops(data):
    kind = data.draw(st.sampled_from(INDICES))
    n_train, n_rows = data.draw(st.integers(2, 8)), data.draw(st.integers(1, 8))
    time, series = data.draw(rows_of(n_train + n_rows, kind))
    (column,) = data.draw(columns_of(n_train + n_rows, 1))
    method = data.draw(st.sampled_from(METHODS))
    limit = data.draw(st.none() | st.integers(1, 5))
    X = as_table([column], time, series, kind, np.float64, "C")
    imputer = TimeSeriesImputer(
        method, limit=limit, fallback=-5.0, max_gap=as_gap(3, kind), carry_tail=True
    )

    def loops(part):
        times = None if time is None else time[part]
        segments = naive.segment_rows(times, series[part], 3)
        done = naive.fill_column(column[part], segments, times, method, limit)
        return segments, done

    train, rest = slice(n_train), slice(n_train, None)
    train_segments, expected_train = loops(train)
    segments, expected_rest = loops(rest)
    across = None if time is None else time[n_train - 1 : n_train + 1]
    if len(naive.segment_rows(across, series[n_train - 1 : n_train + 1], 3)) == 1:
        expected_rest = naive.carry_tail(
            column[train], train_segments, column[rest], expected_rest, segments, limit
        )
    for result, expected in [
        (fit_filled(imputer, X[train]), expected_train),
        (filled(imputer, X[rest]), expected_rest),
    ]:
        expected = [-5.0 if value is None else value for value in expected]
        assert_allclose(result, expected, rtol=1e-12, atol=1e-6)
