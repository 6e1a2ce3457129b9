"""Borders and windows of tables."""

import naive_windows
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline

from skad import (
    LinearAutoencoder,
    SlidingWindow,
    TimeSeriesImputer,
    WindowedDetector,
    sliding_windows,
    split_roles,
)
from skad.series._rows import read_rows


def minutes(n_rows, start="2024-03-01", **options):
    return pd.date_range(start, periods=n_rows, freq="min", **options)


def segments_of(table, series=None, max_gap=None):
    return read_rows(table, series, max_gap=max_gap, warns=True).bounds.tolist()


# Borders ------------------------------------------------------------------------------


def test_array__is_one_series():
    assert segments_of(np.zeros((7, 2))) == [[0, 7]]
    assert segments_of([[1.0], [2.0]]) == [[0, 2]]


def test_series__is_a_border():
    table = np.zeros((6, 1))
    assert segments_of(table, series=["a", "a", "b", "b", "b", "c"]) == [
        [0, 2],
        [2, 5],
        [5, 6],
    ]


@pytest.mark.parametrize(
    "index",
    [
        minutes(10),
        minutes(10, tz="Europe/Zurich"),
        pd.timedelta_range("0s", periods=10, freq="min"),
        pd.RangeIndex(10),
        pd.Index(np.arange(10.0)),
        pd.period_range("2024-03-01", periods=10, freq="min"),
    ],
    ids=lambda index: type(index).__name__ + str(index.dtype),
)
def test_long_step__is_a_border(index):
    table = pd.DataFrame({"flow": np.arange(10.0)}, index=index)
    assert segments_of(table) == [[0, 10]]
    step = index[1] - index[0] if not isinstance(index, pd.PeriodIndex) else None
    cut = table.iloc[[0, 1, 2, 3, 9]]
    assert segments_of(cut) == [[0, 4], [4, 5]]
    if step is not None:
        assert segments_of(cut, max_gap=10 * step) == [[0, 5]]


def test_jitter__is_no_gap():
    rng = np.random.default_rng(0)
    seconds = np.cumsum(60 + rng.uniform(-30, 120, size=200))
    index = pd.Timestamp("2024-03-01") + pd.to_timedelta(seconds, unit="s")
    assert segments_of(pd.DataFrame({"flow": 0.0}, index=index)) == [[0, 200]]


def test_daylight_saving__is_no_gap():
    index = pd.date_range("2024-03-31", periods=300, freq="min", tz="Europe/Zurich")
    assert segments_of(pd.DataFrame({"flow": 0.0}, index=index)) == [[0, 300]]


def test_multi_index__series_and_gaps():
    index = pd.MultiIndex.from_product([["a", "b"], minutes(5)])
    table = pd.DataFrame({"flow": np.arange(10.0)}, index=index)
    assert segments_of(table) == [[0, 5], [5, 10]]
    assert segments_of(table.iloc[[0, 1, 2, 3, 5, 6, 7, 8, 9]]) == [[0, 4], [4, 9]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 1, 3, 2], r"00:02:00 in row 3 is out of order, after .*00:03:00"),
        ([0, 1, 1, 2], r"00:01:00 in row 2 is there twice"),
        ([3, 2, 1, 0], r"\(3 such rows\)"),
    ],
)
def test_time_that_does_not_increase__is_refused(rows, message):
    table = pd.DataFrame({"flow": np.arange(4.0)}, index=minutes(4)).iloc[rows]
    with pytest.raises(ValueError, match=message):
        segments_of(table)


def test_missing_time__is_refused():
    index = minutes(4).insert(2, pd.NaT)
    with pytest.raises(ValueError, match=r"NaT\) in row 2"):
        segments_of(pd.DataFrame({"flow": np.arange(5.0)}, index=index))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_number_that_is_no_time__is_refused(value):
    index = [0.0, 1.0, value, 3.0, 4.0]
    with pytest.raises(ValueError, match=f"index of X is {value} in row 2"):
        segments_of(pd.DataFrame({"flow": np.arange(5.0)}, index=index))


@pytest.mark.parametrize(
    ("index", "max_gap"),
    [
        (range(4), "5min"),
        (range(4), -1),
        (minutes(4), 5),
        (minutes(4), "five"),
        (minutes(4), "-5min"),
        (range(4), np.timedelta64(5, "m")),
    ],
)
def test_max_gap__of_the_wrong_kind_is_refused(index, max_gap):
    table = pd.DataFrame({"flow": 0.0}, index=index)
    with pytest.raises(ValueError, match=r"max_gap=.* does not fit the"):
        segments_of(table, max_gap=max_gap)


@pytest.mark.parametrize("indexes", [(range(4), minutes(4)), (minutes(4), range(4))])
def test_index_of_another_kind_than_in_fit__is_refused(indexes):
    first, second = (pd.DataFrame({"flow": np.arange(4.0)}, index=i) for i in indexes)
    transformer = SlidingWindow(2).fit(first)
    with pytest.raises(ValueError, match="that of the table given to fit held"):
        transformer.transform(second)


def test_unsigned_and_bool_index():
    table = pd.DataFrame({"flow": 0.0}, index=pd.Index([5, 3, 4], dtype="uint64"))
    with pytest.raises(ValueError, match="3 in row 1 is out of order"):
        segments_of(table)
    table.index = [True, False, True]
    with pytest.warns(UserWarning, match="dtype bool, is no time"):
        assert segments_of(table) == [[0, 3]]


@pytest.mark.parametrize("index", [list("abc"), pd.CategoricalIndex(list("abc"))])
def test_index_of_texts__is_no_time_which_a_warning_says(index):
    table = pd.DataFrame({"flow": np.arange(3.0)}, index=index)
    for fit in (
        SlidingWindow(2).fit,
        TimeSeriesImputer().fit,
        WindowedDetector(LinearAutoencoder(1), 2).fit,
        lambda X: sliding_windows(X, window_length=2),
    ):
        with pytest.warns(UserWarning, match="is no time, so gaps are not se") as w:
            fit(table)
        assert w[0].filename == __file__


@pytest.mark.parametrize("kind", ["str", "object", "category"])
def test_index_of_dates_as_texts__is_refused_at_fit_and_at_scoring(kind):
    table = pd.DataFrame({"flow": np.arange(9.0)}, index=minutes(9))
    as_texts = table.set_axis(table.index.astype(str).astype(kind))
    message = "The index of X holds times as texts, '2024-.*pd.to_datetime"
    steps = (
        SlidingWindow(2),
        TimeSeriesImputer(),
        WindowedDetector(LinearAutoencoder(1), 2),
    )
    for step in steps:
        with pytest.raises(ValueError, match=message):
            step.fit(as_texts)
        step.fit(table)
        call = getattr(step, "score_samples", None) or step.transform
        with pytest.raises(ValueError, match=message):
            call(as_texts)
        with pytest.raises(
            ValueError, match=r"'r0', .* is no time, but that of the ta"
        ):
            call(table.set_axis([f"r{i}" for i in range(9)]))


@pytest.mark.parametrize(
    "index",
    [
        minutes(6).astype("timestamp[ns][pyarrow]"),
        minutes(6).astype(object),
        pd.CategoricalIndex(minutes(6)),
        pd.Index(pd.array(range(6), dtype="int64[pyarrow]")),
        pd.Index(minutes(6) - minutes(6)[0]).astype("duration[us][pyarrow]"),
    ],
    ids=["Arrow", "objects", "categories", "Arrow numbers", "Arrow durations"],
)
def test_time_of_any_type__shows_its_gaps(index):
    table = pd.DataFrame({"flow": 0.0}, index=index).iloc[[0, 1, 4, 5]]
    max_gap = 1 if "int64" in str(index.dtype) else "1min"
    assert segments_of(table, max_gap=max_gap) == [[0, 2], [2, 4]]


def test_multiindex_whose_last_level_is_no_time__is_refused():
    index = pd.MultiIndex.from_product([minutes(4), [1, 2]], names=["time", "unit"])
    table = pd.DataFrame({"flow": np.arange(8.0)}, index=index)
    message = r"reorder_levels\(\['unit', 'time'\]\)"
    good = table.swaplevel().sort_index()
    detector = WindowedDetector(LinearAutoencoder(1), 2).fit(good)
    for call in (
        TimeSeriesImputer().fit,
        SlidingWindow(2).fit,
        detector.fit,
        detector.score_samples,
        TimeSeriesImputer().fit(good).transform,
    ):
        with pytest.raises(ValueError, match=message):
            call(table)


def test_max_gap__without_time__has_no_effect_which_a_warning_says():
    with pytest.warns(UserWarning, match="max_gap='5min' has no effect: X has no time"):
        SlidingWindow(2, max_gap="5min").fit(np.zeros((4, 1)))


def test_categories_of_texts__are_no_numbers():
    table = pd.DataFrame({"flow": np.arange(4.0)})
    table["state"] = pd.Categorical(list("xyxy"))
    for use in (
        lambda: sliding_windows(table, window_length=2),
        lambda: SlidingWindow(2).fit(table),
        lambda: LinearAutoencoder(1).fit(table),
    ):
        with pytest.raises(ValueError, match=r"Column 'state' holds 'x', which is no"):
            use()


def test_index_of_one_level__is_read_as_it_is():
    index = pd.MultiIndex.from_arrays([minutes(4)])
    assert segments_of(pd.DataFrame({"flow": np.arange(4.0)}, index=index)) == [[0, 4]]


def test_nullable_index__missing_number__is_refused():
    index = pd.Index([0, 1, None], dtype="Int64")
    with pytest.raises(ValueError, match="index of X is nan in row 2"):
        segments_of(pd.DataFrame({"flow": np.arange(3.0)}, index=index))
    index = pd.Index([0, 1, 3], dtype="Int64")
    assert segments_of(pd.DataFrame({"flow": np.arange(3.0)}, index=index)) == [[0, 3]]


# sliding_windows ----------------------------------------------------------------------


@given(
    n_rows=st.integers(1, 30),
    n_channels=st.integers(1, 3),
    window_length=st.integers(1, 8),
    stride=st.integers(1, 5),
    dtype=st.sampled_from(["f4", "f8", "i4", ">f8"]),
    order=st.sampled_from(["C", "F"]),
)
def test_sliding_windows__equal_the_loop(
    n_rows, n_channels, window_length, stride, dtype, order
):
    rng = np.random.default_rng(0)
    table = rng.integers(0, 99, (n_rows, n_channels)).astype(dtype, order=order)
    if n_rows < window_length:
        with pytest.raises(ValueError, match="longer than every segment"):
            sliding_windows(table, window_length=window_length, stride=stride)
        return
    y = rng.random(n_rows) < 0.2
    windows, labels = sliding_windows(
        table, y, window_length=window_length, stride=stride
    )
    np.testing.assert_array_equal(
        windows, naive_windows.windows_of(table, window_length, stride)
    )
    anomalous = naive_windows.windows_of(y[:, None], window_length, stride).any(axis=1)
    np.testing.assert_array_equal(labels, np.where(anomalous, -1, 1))
    assert windows.dtype == table.dtype


def test_sliding_windows__are_a_view_and_cross_no_border():
    table = np.arange(200.0).reshape(100, 2)
    view = sliding_windows(table, window_length=10)
    assert np.shares_memory(view, table)
    assert not view.flags.writeable
    series = np.repeat([0, 1], [40, 60])
    windows = sliding_windows(table, window_length=10, series=series)
    assert len(windows) == 31 + 51
    assert np.ptp(windows[:, ::2], axis=1).max() == 18


@pytest.mark.parametrize("params", [{"window_length": 0}, {"window_length": 2.0}])
def test_sliding_windows__bad_length_is_refused(params):
    with pytest.raises(ValueError, match="expected an int >= 1"):
        sliding_windows(np.zeros((4, 1)), **params)


# SlidingWindow ------------------------------------------------------------------------


@given(
    n_rows=st.integers(1, 20),
    n_channels=st.integers(1, 3),
    window_length=st.integers(1, 8),
    pad=st.sampled_from(["edge", "zero"]),
    n_series=st.integers(1, 3),
    dtype=st.sampled_from(["f4", "f8", "i4"]),
)
def test_sliding_window__equals_the_loop(
    n_rows, n_channels, window_length, pad, n_series, dtype
):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 99, (n_rows * n_series, n_channels)).astype(dtype)
    index = pd.MultiIndex.from_product([range(n_series), minutes(n_rows)])
    transformer = SlidingWindow(window_length, pad=pad)
    expected = [
        naive_windows.past_windows(part, window_length, pad)
        for part in np.split(values, n_series)
    ]
    table = pd.DataFrame(values, index=index, columns=list("abc")[:n_channels])
    np.testing.assert_array_equal(
        transformer.fit_transform(table), np.concatenate(expected)
    )
    if n_series == 1:
        np.testing.assert_array_equal(transformer.fit_transform(values), expected[0])


def test_sliding_window__takes_the_memory_of_the_table_only():
    table = np.random.default_rng(0).normal(size=(5000, 4)).astype(np.float32)
    windows = SlidingWindow(50).fit_transform(table)
    assert windows.strides == (16, 4)
    assert windows.base is not None
    frame = SlidingWindow(50).set_output(transform="pandas").fit_transform(table)
    assert frame.to_numpy().strides == (16, 4)
    scores = LinearAutoencoder(3).fit(frame).score_samples(frame)
    assert scores.shape == (5000,)


def test_sliding_window__names_and_rows_stay():
    table = pd.DataFrame({"flow": [1.0, 2.0], "heat": [3.0, 4.0]}, index=minutes(2))
    windows = SlidingWindow(3).set_output(transform="pandas").fit_transform(table)
    assert list(windows) == [
        *("flow[t-2]", "heat[t-2]", "flow[t-1]", "heat[t-1]", "flow[t]", "heat[t]")
    ]
    assert windows.index.equals(table.index)
    names = SlidingWindow(2).fit(table.to_numpy()).get_feature_names_out()
    assert list(names) == ["x0[t-1]", "x1[t-1]", "x0[t]", "x1[t]"]


def test_sliding_window__gaps_learnt_in_fit_hold_in_transform():
    table = pd.DataFrame({"flow": np.arange(30.0)}, index=minutes(30))
    transformer = SlidingWindow(3).fit(table)
    cut = table.iloc[[0, 1, 2, 20, 21]]
    np.testing.assert_array_equal(
        transformer.transform(cut)[3:], [[20, 20, 20], [20, 20, 21]]
    )


def test_sliding_window__any_detector_follows():
    table = np.random.default_rng(0).normal(size=(100, 2))
    pipeline = make_pipeline(SlidingWindow(5), IsolationForest(random_state=0))
    assert pipeline.fit(table).score_samples(table).shape == (100,)


def test_sliding_window__channels_that_changed_are_refused():
    table = pd.DataFrame({"flow": [1.0, 2.0], "heat": [3.0, 4.0]})
    transformer = SlidingWindow(2).fit(table)
    for other, message in {
        "new": (table.assign(speed=0.0), "Feature names unseen at fit time"),
        "missing": (table[["flow"]], "Feature names seen at fit time, yet now missing"),
    }.values():
        with pytest.raises(ValueError, match=message):
            transformer.transform(other)


# split_roles --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "series",
    [
        [1.0, 1, 2, 2, 3, 3, np.nan, np.nan, 5, 5, 5, 5, 6, 6, 7, 7],
        ["a", "a", "b", "b", "c", "c", None, None, *"eeeeffgg"],
    ],
)
def test_roles__missing_name_of_a_series__is_a_series(series):
    roles = split_roles([0] * 12 + [1] * 4, series=series)
    assert sorted(np.concatenate(list(roles.values())).tolist()) == list(range(16))
    assert all(len(rows) for rows in roles.values())
