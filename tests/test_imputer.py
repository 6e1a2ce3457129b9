"""TimeSeriesImputer: against plain loops, and what scikit-learn's checks do not feed.

Those checks give an imputer that allows NaN no NaN; missing values are tested here.
"""

import pickle

import naive_series as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import TimeSeriesImputer

NAN = np.nan
METHODS = ["ffill", "bfill", "linear", "time"]


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


@settings(max_examples=300)
@given(st.data())
@pytest.mark.filterwarnings("ignore:max_gap=.* has no effect:UserWarning")
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
        rest = naive.fallbacks_of(column, series, fallback)
        done = naive.fill_column(column, segments, time, method, limit)
        expected.append(
            [r if v is None else v for v, r in zip(done, rest, strict=True)]
        )
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


@settings(max_examples=200)
@given(st.data())
@pytest.mark.filterwarnings("ignore:max_gap=.* has no effect:UserWarning")
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


# ---------------------------------------------------------------------------
# The method: time, ends, borders
# ---------------------------------------------------------------------------


def test_time__follows_the_index_and_linear_the_rows():
    X = table([3.0, NAN, 5.0], minutes(0, 2, 3))
    assert fit_filled(TimeSeriesImputer("time"), X)[1] == pytest.approx(4 + 1 / 3)
    assert fit_filled(TimeSeriesImputer("linear"), X)[1] == 4.0
    assert fit_filled(TimeSeriesImputer("time"), X.to_numpy())[1] == 4.0


@pytest.mark.parametrize(
    "index",
    [
        minutes(0, 2, 3).tz_localize("Europe/Berlin"),
        minutes(0, 2, 3).to_period("min"),
        pd.to_timedelta([0, 2, 3], unit="min"),
        pd.Index([0.0, 2.0, 3.0]),
        pd.Index([0, 2, 3], dtype="uint8"),
        pd.Index([0, 2, 3], dtype="Int64"),
    ],
    ids=["zoned", "period", "timedelta", "float", "uint8", "nullable"],
)
def test_time__knows_every_index_of_time(index):
    imputer = TimeSeriesImputer("time", carry_tail=True, fallback=0.0)
    X = table([3.0, NAN, 5.0], index)
    assert_allclose(fit_filled(imputer, X), [3.0, 13 / 3, 5.0])
    assert filled(imputer, table([NAN], index[-1:] + (index[1] - index[0]))) == [5.0]
    assert filled(imputer, table([NAN], index[-1:])) == [0.0]


@pytest.mark.filterwarnings("ignore:.*is no time:UserWarning")
def test_index_without_time__is_one_contiguous_series():
    X = table([3.0, NAN, NAN, 6.0], list("abba"))
    assert fit_filled(TimeSeriesImputer("time"), X) == [3.0, 4.0, 5.0, 6.0]


def test_time__of_narrow_integers__does_not_overflow():
    index = pd.Index([-120, -100, 0, 100, 120], dtype="int8")
    X = table([0.0, NAN, NAN, NAN, 240.0], index)
    assert fit_filled(TimeSeriesImputer("time"), X) == [0.0, 20.0, 120.0, 220.0, 240.0]


@pytest.mark.parametrize("method", ["linear", "time"])
def test_interpolation__extends_no_line_beyond_the_ends(method):
    X = table([NAN, 1.0, NAN, 5.0, NAN], minutes(0, 1, 2, 3, 4))
    imputer = TimeSeriesImputer(method, fallback=-7.0)
    assert fit_filled(imputer, X) == [-7.0, 1.0, 3.0, 5.0, -7.0]


@pytest.mark.parametrize("method", ["linear", "time"])
def test_interpolation__of_equal_values_is_that_value(method):
    X = table([0.1, NAN, NAN, 0.1], minutes(0, 1, 3, 4))
    assert fit_filled(TimeSeriesImputer(method), X) == [0.1] * 4


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("ffill", [1.0, 1.0, 1.0, -1.0, 5.0]),
        ("bfill", [1.0, -1.0, 5.0, 5.0, 5.0]),
        ("linear", [1.0, 2.0, 3.0, -1.0, 5.0]),
        ("time", [1.0, 2.0, 3.0, -1.0, 5.0]),
    ],
)
def test_limit__counts_from_where_the_method_starts(method, expected):
    X = table([1.0, NAN, NAN, NAN, 5.0])
    assert fit_filled(TimeSeriesImputer(method, limit=2, fallback=-1.0), X) == expected


@pytest.mark.parametrize("method", METHODS)
def test_no_method__crosses_series(method):
    index = pd.MultiIndex.from_product([["b", "a"], minutes(0, 1, 2)])
    X = table([1.0, 2.0, NAN, NAN, 5.0, 6.0], index)
    expected = [1.0, 2.0, -1.0, -1.0, 5.0, 6.0]
    if method == "ffill":
        expected[2] = 2.0
    if method == "bfill":
        expected[3] = 5.0
    assert fit_filled(TimeSeriesImputer(method, fallback=-1.0), X) == expected


@pytest.mark.parametrize("method", METHODS)
def test_no_method__crosses_a_gap(method):
    X = table([1.0, 2.0, NAN, NAN, 5.0, 6.0], minutes(0, 1, 2, 8, 9, 10))
    expected = [1.0, 2.0, -1.0, -1.0, 5.0, 6.0]
    if method == "ffill":
        expected[2] = 2.0
    if method == "bfill":
        expected[3] = 5.0
    imputer = TimeSeriesImputer(method, fallback=-1.0)
    assert fit_filled(imputer, X) == expected
    assert imputer.max_gap_ == pd.Timedelta("5min")
    imputer.set_params(max_gap="6min")
    assert -1.0 not in fit_filled(imputer, X)


def test_gap__is_the_training_tables_own():
    imputer = TimeSeriesImputer(fallback=-1.0).fit(table([1.0, 2.0], minutes(0, 1)))
    assert filled(imputer, table([1.0, NAN], minutes(0, 60))) == [1.0, -1.0]


def test_training_fold_around_a_held_out_block__is_not_bridged():
    X = table(np.arange(30.0), minutes(*range(30)))
    X.iloc[20] = NAN
    train = X.iloc[[*range(10), *range(20, 30)]]
    imputer = TimeSeriesImputer(fallback=-1.0)
    assert fit_filled(imputer, train)[10] == -1.0


# ---------------------------------------------------------------------------
# The tail
# ---------------------------------------------------------------------------


def test_tail__is_carried_on_request_only():
    train, X = [[3.0], [8.0]], [[NAN], [4.0]]
    assert filled(TimeSeriesImputer().fit(train), X) == [5.5, 4.0]
    assert filled(TimeSeriesImputer(carry_tail=True).fit(train), X) == [8.0, 4.0]


def test_tail__never_fills_the_head_of_the_training_table():
    X = np.array([[NAN], [3.0], [8.0]])
    imputer = TimeSeriesImputer(carry_tail=True)
    assert fit_filled(imputer, X) == [5.5, 3.0, 8.0]
    chain = make_pipeline(imputer, StandardScaler(with_std=False)).fit(X)
    assert chain[-1].mean_ == pytest.approx([5.5])
    assert_allclose(chain.transform([[NAN]]), [[2.5]])


def test_tail__needs_a_table_that_starts_after_the_training_table():
    X = table([1.0, NAN, NAN, 8.0, NAN, 3.0, NAN, 4.0], minutes(*range(8)))
    imputer = TimeSeriesImputer(carry_tail=True, fallback=-1.0).fit(X.iloc[3:6])
    assert filled(imputer, X.iloc[6:]) == [3.0, 4.0]  # a fold after
    assert filled(imputer, X.iloc[1:3]) == [-1.0, -1.0]  # a fold before
    assert filled(imputer, X.iloc[4:6]) == [-1.0, 3.0]  # a part of itself


def test_fallback__is_that_of_the_series():
    big = table([500.0, NAN, 510.0, 490.0], minutes(*range(4)))
    small = table([1.0, 1.2, NAN, 1.1], minutes(*range(4)))
    X = pd.concat({"big": big, "small": small})
    imputer = TimeSeriesImputer().fit(X)
    assert imputer.series_ == ["big", "small"]
    assert imputer.series_statistics_.ravel().tolist() == [500.0, 1.1, 245.6]
    new = table([NAN], minutes(100))
    both = pd.concat({"small": new, "big": new, "other": new})
    pooled = np.median([500.0, 510.0, 490.0, 1.0, 1.2, 1.1])
    assert filled(imputer, both) == [1.1, 500.0, pooled]
    # a series of which nothing was observed has none of its own
    X.loc["small"] = NAN
    assert filled(TimeSeriesImputer().fit(X), both) == [500.0] * 3
    assert filled(TimeSeriesImputer(fallback=7.0).fit(X), both) == [7.0] * 3


def test_tail__is_not_carried_across_a_gap():
    imputer = TimeSeriesImputer(carry_tail=True, fallback=-1.0)
    imputer.fit(table([1.0, 2.0], minutes(0, 1)))
    assert filled(imputer, table([NAN], minutes(6))) == [2.0]
    assert filled(imputer, table([NAN], minutes(7))) == [-1.0]
    imputer.set_params(max_gap="1h").fit(table([1.0, 2.0], minutes(0, 1)))
    assert filled(imputer, table([NAN, NAN], minutes(7, 100))) == [2.0, -1.0]


def test_tail__of_the_last_segment_only():
    train = table([1.0, 2.0, NAN, NAN], minutes(0, 1, 20, 21))
    imputer = TimeSeriesImputer(carry_tail=True, fallback=-1.0).fit(train)
    assert filled(imputer, table([NAN], minutes(22))) == [-1.0]


def test_tail__has_an_age_that_counts_towards_limit():
    imputer = TimeSeriesImputer(carry_tail=True, limit=3, fallback=-1.0)
    imputer.fit([[1.0], [NAN], [NAN]])
    assert filled(imputer, [[NAN], [NAN], [4.0]]) == [1.0, -1.0, 4.0]
    imputer.set_params(limit=2).fit([[1.0], [NAN], [NAN]])
    assert filled(imputer, [[NAN], [NAN], [4.0]]) == [-1.0, -1.0, 4.0]


@pytest.mark.parametrize("method", METHODS)
def test_tail__stands_behind_the_method(method):
    imputer = TimeSeriesImputer(method, carry_tail=True).fit([[1.0], [2.0]])
    head = 9.0 if method == "bfill" else 2.0
    assert filled(imputer, [[NAN], [NAN], [9.0]]) == [head, head, 9.0]
    assert filled(imputer, [[NAN], [NAN]]) == [2.0, 2.0]


def test_tail__of_each_series_alone():
    index = pd.MultiIndex.from_product([["b", "a"], minutes(0, 1)])
    train = table([1.0, 2.0, 3.0, 4.0], index)
    imputer = TimeSeriesImputer(carry_tail=True, fallback=-1.0).fit(train)
    index = pd.MultiIndex.from_arrays(
        [list("aabbcc"), minutes(2, 3, 2, 100, 2, 3)], names=["series", "time"]
    )
    X = table([NAN] * 6, index)
    assert filled(imputer, X) == [4.0, 4.0, 2.0, -1.0, -1.0, -1.0]


# ---------------------------------------------------------------------------
# Columns: dropped, empty, indicators, names
# ---------------------------------------------------------------------------


@pytest.fixture
def pump():
    """Three sensors as in the pump table: one empty, one often missing."""
    return pd.DataFrame(
        {
            "sensor_00": [1.0, NAN, 3.0, 4.0, 6.0],
            "sensor_15": NAN,
            "sensor_50": [NAN, NAN, NAN, 1.0, 2.0],
            "sensor_51": [5.0, 5.0, 6.0, 7.0, 8.0],
        },
        index=minutes(0, 1, 2, 3, 4).rename("timestamp"),
    )


def test_max_missing__drops_columns(pump):
    imputer = TimeSeriesImputer(max_missing=0.4, add_indicator=True)
    result = imputer.set_output(transform="pandas").fit_transform(pump)
    expected = pd.DataFrame(
        {
            "sensor_00": [1.0, 1.0, 3.0, 4.0, 6.0],
            "sensor_51": pump["sensor_51"],
            "missingindicator_sensor_00": [0.0, 1.0, 0.0, 0.0, 0.0],
        },
        index=pump.index,
    )
    pd.testing.assert_frame_equal(result, expected)
    assert imputer.dropped_ == ["sensor_15", "sensor_50"]
    assert imputer.get_feature_names_out().tolist() == list(expected.columns)
    pump.iloc[:, 1:] = NAN  # what is missing later drops nothing and adds no indicator
    result = imputer.transform(pump)
    assert list(result.columns) == list(expected.columns)
    assert result["sensor_51"].tolist() == [6.0] * 5


def test_max_missing__is_a_share_that_may_be_reached():
    X = np.array([[1.0, 1.0], [NAN, 2.0], [NAN, 3.0], [4.0, NAN]])
    assert TimeSeriesImputer(max_missing=0.5).fit(X).dropped_ == []
    assert TimeSeriesImputer(max_missing=0.25).fit(X).dropped_ == ["x0"]
    with pytest.raises(ValueError, match=r"each of the 2 .* the fullest lacks 0.25"):
        TimeSeriesImputer(max_missing=0).fit(X)


def test_empty_column__is_dropped_with_a_warning(pump):
    imputer = TimeSeriesImputer()
    with pytest.warns(UserWarning, match=r"dropped: 'sensor_15'.*no median") as caught:
        imputer.fit(pump)
    assert caught[0].filename == __file__
    assert imputer.dropped_ == ["sensor_15"]
    assert np.isnan(imputer.statistics_[1])
    assert not np.isnan(imputer.transform(pump)).any()
    assert TimeSeriesImputer(max_missing=0.99).fit(pump).dropped_ == ["sensor_15"]


@pytest.mark.parametrize("fallback", [3, None])
def test_empty_column__stays_where_the_fallback_needs_no_values(pump, fallback):
    imputer = TimeSeriesImputer(fallback=fallback).fit(pump)
    assert imputer.dropped_ == []
    expected = [3.0] * 5 if fallback == 3 else [NAN] * 5
    assert_array_equal(imputer.transform(pump)[:, 1], expected)
    # and is filled where it is there later
    pump["sensor_15"] = [NAN, 1.0, NAN, NAN, NAN]
    assert imputer.transform(pump)[1:, 1].tolist() == [1.0] * 4


def test_only_empty_columns__are_refused():
    with pytest.raises(ValueError, match=r"No column of X is left.*fullest lacks 1"):
        TimeSeriesImputer().fit([[NAN, NAN]])


def test_column_empty_at_transform__gets_the_fallback():
    imputer = TimeSeriesImputer(fallback="mean").fit([[1.0], [2.0], [6.0]])
    assert filled(imputer, [[NAN], [NAN]]) == [3.0, 3.0]


def test_fallback__is_learnt_from_what_was_observed_in_fit():
    X = [[1.0], [NAN], [NAN], [2.0], [9.0]]  # filled forward its median would be 1
    assert TimeSeriesImputer().fit(X).statistics_.tolist() == [2.0]
    assert TimeSeriesImputer(fallback="mean").fit(X).statistics_.tolist() == [4.0]
    assert TimeSeriesImputer(fallback=-1).fit(X).statistics_.tolist() == [-1.0]


def test_default__leaves_nothing_missing():
    X = np.random.default_rng(0).normal(size=(200, 3))
    X[np.random.default_rng(1).random(X.shape) < 0.7] = NAN
    for method in METHODS:
        imputer = TimeSeriesImputer(method, limit=1).fit(X[:100])
        assert not np.isnan(imputer.transform(X)).any()


def test_output__is_a_table_with_the_index_if_asked_for(pump):
    imputer = TimeSeriesImputer(max_missing=0.9)
    assert type(imputer.fit_transform(pump)) is np.ndarray
    index = pd.MultiIndex.from_product([["a"], pump.index])
    for X in (pump, pump.set_index(index), pump.reset_index(drop=True)):
        result = imputer.set_output(transform="pandas").fit_transform(X)
        pd.testing.assert_index_equal(result.index, X.index)
        pd.testing.assert_index_equal(imputer.transform(X).index, X.index)
    chain = make_pipeline(imputer, StandardScaler()).set_output(transform="pandas")
    pd.testing.assert_index_equal(chain.fit_transform(pump).index, pump.index)


def test_feature_names_out__are_checked(pump):
    imputer = TimeSeriesImputer(max_missing=0.4, add_indicator=True).fit(pump)
    with pytest.raises(ValueError, match="not equal to feature_names_in_"):
        imputer.get_feature_names_out(list("abcd"))
    imputer.fit(pump.to_numpy())
    assert imputer.get_feature_names_out(list("abcd")).tolist() == [
        *("a", "d", "missingindicator_a")
    ]
    assert imputer.dropped_ == ["x1", "x2"]


# ---------------------------------------------------------------------------
# What comes in
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pd.array([1, None, 3], dtype="Int64"), np.float64),
        (pd.array([1.0, None, 3.0], dtype="Float64"), np.float64),
        (np.array([1.0, None, 3.0], dtype=object), np.float64),
        (np.array([1.0, NAN, 3.0], dtype=np.float32), np.float32),
        (np.array([1.0, NAN, 3.0], dtype=np.float16), np.float64),
    ],
    ids=["Int64", "Float64", "object", "float32", "float16"],
)
def test_kinds_of_missing_values(values, dtype):
    X = pd.DataFrame({"a": values})
    result = TimeSeriesImputer("linear").fit_transform(X)
    assert result.dtype == dtype
    assert result.tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_whole_numbers__become_float64(dtype):
    X = np.array([[1, 0], [0, 1]], dtype=dtype)
    result = TimeSeriesImputer().fit_transform(X)
    assert result.dtype == np.float64
    assert_array_equal(result, X)


def test_precision__is_that_of_the_table_to_fill():
    X = np.array([[0.1], [NAN], [0.3], [0.2]])
    imputer = TimeSeriesImputer(limit=1).fit(X.astype(np.float32))
    result = imputer.transform(X)
    assert result.dtype == np.float64
    assert result[2, 0] == 0.3
    assert imputer.transform(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("method", METHODS)
def test_callers_table__is_untouched(pump, method):
    before = pump.copy()
    imputer = TimeSeriesImputer(method, max_missing=0.9, carry_tail=True)
    result = imputer.set_output(transform="pandas").fit_transform(pump)
    imputer.transform(pump)
    pd.testing.assert_frame_equal(pump, before)
    result.iloc[:, :] = 0.0
    pd.testing.assert_frame_equal(pump, before)
    params = imputer.get_params()
    imputer.fit(pump)
    assert imputer.get_params() == params


def test_one_row__is_a_table():
    imputer = TimeSeriesImputer("time", carry_tail=True)
    X = table([2.0], minutes(0))
    assert fit_filled(imputer, X) == [2.0]
    assert filled(imputer, table([NAN], minutes(50))) == [2.0]
    assert imputer.max_gap_ is None


def test_no_row__is_refused():
    imputer = TimeSeriesImputer().fit([[1.0]])
    for method in (imputer.fit, imputer.transform, imputer.fit_transform):
        for X in (np.empty((0, 1)), pd.DataFrame({0: []})):
            with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
                method(X)


def test_infinite_values__are_refused_by_row_and_column():
    X = pd.DataFrame({"a": [1.0, NAN, 2.0], "b": [1.0, np.inf, -np.inf]})
    with pytest.raises(ValueError, match=r"row 1, column 'b'; 2 such .* 2 of 3 rows"):
        TimeSeriesImputer().fit(X)
    imputer = TimeSeriesImputer().fit(X.fillna(0).replace(np.inf, 0)[:1].to_numpy())
    with pytest.raises(ValueError, match=r"row 1, column 1; 2 such"):
        imputer.transform(X.to_numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.assign(new=1.0), "(?s)unseen at fit time.*new"),
        (lambda X: X.drop(columns="sensor_15"), "(?s)now missing.*sensor_15"),
        (lambda X: X[X.columns[::-1]], "must be in the same order"),
        (lambda X: X.to_numpy()[:, 1:], "X has 3 features, but .* 4 features"),
    ],
    ids=["new", "missing", "other order", "array"],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_other_columns_at_transform__are_refused(pump, change, message):
    imputer = TimeSeriesImputer(max_missing=0.9).fit(pump)
    with pytest.raises(ValueError, match=message):
        imputer.transform(change(pump))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (minutes(0, 2, 1), "00:01:00 in row 2 is out of order"),
        (minutes(0, 1, 1), "00:01:00 in row 2 is there twice"),
        (minutes(0, 1, 2).where([True, False, True]), "NaT.* in row 1"),
        (pd.MultiIndex.from_arrays([[1, 1, 1], minutes(0, 2, 1)]), "out of order"),
        (pd.MultiIndex.from_arrays([[1, 2, 1], minutes(1, 2, 0)]), "in row 2 is out"),
    ],
    ids=["out of order", "doubled", "missing", "within a series", "interleaved"],
)
def test_disordered_time__is_refused(index, message):
    X = table([1.0, NAN, 2.0], index)
    imputer = TimeSeriesImputer().fit(table([1.0, 2.0], minutes(0, 1)))
    for method in (imputer.fit, imputer.transform):
        with pytest.raises(ValueError, match=message):
            method(X)


@pytest.mark.parametrize(
    "params",
    [
        {"method": "spline"},
        {"limit": 0},
        {"limit": 1.5},
        {"max_missing": 1.1},
        {"max_missing": 40},
        {"fallback": "mode"},
        {"fallback": NAN},
        {"fallback": np.inf},
        {"max_gap": 0},
        {"carry_tail": "yes"},
    ],
    ids=str,
)
def test_bad_parameters__are_named(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"The {name!r} parameter of"):
        TimeSeriesImputer(**params).fit([[1.0], [2.0]])


# ---------------------------------------------------------------------------
# An estimator
# ---------------------------------------------------------------------------


def test_refit__forgets(pump):
    imputer = TimeSeriesImputer(max_missing=0.4, add_indicator=True, carry_tail=True)
    imputer.fit(pump)
    X = np.array([[NAN, 1.0], [2.0, 3.0], [4.0, NAN]])
    other = clone(imputer).fit(X)
    imputer.fit(X)
    assert set(vars(imputer)) == set(vars(other))
    assert_array_equal(imputer.transform(X), other.transform(X))
    assert_array_equal(
        imputer.get_feature_names_out(), other.get_feature_names_out(), strict=True
    )


def test_failing_fit__leaves_the_imputer_as_it_was(pump):
    imputer = TimeSeriesImputer(max_missing=0.4).fit(pump)
    before, result = vars(imputer).copy(), imputer.transform(pump)
    with pytest.raises(ValueError, match="No column of X is left"):
        imputer.fit(pd.DataFrame({"other": [NAN, NAN]}))
    assert vars(imputer) == before
    assert_array_equal(imputer.transform(pump), result)


def test_pickle__keeps_everything(pump):
    imputer = TimeSeriesImputer(max_missing=0.4, carry_tail=True).fit(pump)
    again = pickle.loads(pickle.dumps(imputer))
    later = pump.set_index(pump.index + pd.Timedelta("5min"))
    later.iloc[0] = NAN
    assert_array_equal(again.transform(later), imputer.transform(later))
    assert again.transform(later)[0].tolist() == [6.0, 8.0]


def test_search__chooses_among_methods():
    rng = np.random.default_rng(0)
    t = np.arange(300)
    X = pd.DataFrame({"a": np.sin(t / 5), "b": np.cos(t / 9)}, index=minutes(*t))
    hidden = rng.random(X.shape) < 0.3
    search = GridSearchCV(
        TimeSeriesImputer(),
        {"method": METHODS, "limit": [1, None]},
        scoring=lambda imputer, part: (
            -np.abs(imputer.transform(part) - X.loc[part.index]).to_numpy().mean()
        ),
        cv=TimeSeriesSplit(3),
    ).fit(X.mask(hidden))
    assert search.best_params_ == {"method": "linear", "limit": None}
