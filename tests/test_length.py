"""The length of windows: by the data, by a duration, or as told."""

import pickle
from datetime import timedelta
from unittest import mock

import naive_series
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import waves
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    LinearAutoencoder,
    SlidingWindow,
    TimeSeriesImputer,
    WindowedDetector,
    drift_report,
    evaluate,
    expected_values,
    load,
    make_sensors,
    recalibrate,
    save,
    suggest_window_length,
    to_onnx,
)
from skad.series import _length
from skad.series._windows import windows_view

RNG = np.random.default_rng(0)


def cycle(n_rows, period, n_channels=2, noise=0.0, seed=0):
    t = np.arange(n_rows)[:, None] + 5 * np.arange(n_channels)
    values = np.sin(2 * np.pi * t / period)
    return values + noise * np.random.default_rng(seed).normal(size=values.shape)


def on_minutes(table, start="2024-03-01", freq="min"):
    index = pd.date_range(start, periods=len(table), freq=freq)
    columns = [f"sensor_{i}" for i in range(table.shape[1])]
    return pd.DataFrame(table, index=index, columns=columns)


# The rule -----------------------------------------------------------------------------


@st.composite
def segments(draw):
    """Lists of rows: of noise, cycles, steps, ramps and constants."""
    lengths = draw(st.lists(st.integers(1, 130), min_size=1, max_size=4))
    n_channels = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    t = np.concatenate([np.arange(n) + rng.integers(99) for n in lengths])[:, None]
    values = np.zeros((len(t), n_channels))
    for channel in range(n_channels):
        period = draw(st.integers(2, 60))
        values[:, [channel]] = {
            "noise": rng.normal(size=t.shape),
            "cycle": np.sin(2 * np.pi * t / period) + 0.3 * rng.normal(size=t.shape),
            "steps": t // 3 % max(1, period // 3),
            "ramp": 7.1 + 0.3 * t,
            "constant": np.full(t.shape, 7.1),
            "walk": rng.normal(size=t.shape).cumsum(axis=0),
        }[
            draw(
                st.sampled_from(["noise", "cycle", "steps", "ramp", "constant", "walk"])
            )
        ]
    return np.split(values, np.cumsum(lengths)[:-1])


@given(segments=segments(), stretch=st.integers(20, 90), most_rows=st.integers(50, 400))
@settings(max_examples=150)
def test_length__equals_the_loop(segments, stretch, most_rows):
    table = np.concatenate(segments)
    series = np.repeat(np.arange(len(segments)), [len(part) for part in segments])
    lists = [part.tolist() for part in segments]
    found = suggest_window_length(table, series=series)
    assert found == naive_series.window_length(lists)
    sizes = {"_STRETCH": 3 * stretch, "_ROWS_LOOKED_AT": most_rows}
    with mock.patch.multiple(_length, **sizes):
        found = suggest_window_length(table, series=series)
    assert found == naive_series.window_length(lists, 3 * stretch, most_rows)


@pytest.mark.parametrize("period", [10, 11, 24, 48, 96, 150, 290])
@pytest.mark.parametrize("n_periods", [5, 12])
def test_sine__gives_its_period(period, n_periods):
    table = cycle(n_periods * period + 1, period)
    assert suggest_window_length(table) == period
    trend = np.linspace(0, 20, len(table))[:, None]
    assert suggest_window_length(table - trend) == period
    assert suggest_window_length(1e-20 * table) == period
    assert suggest_window_length(1e20 * table) == period


@pytest.mark.parametrize("n_rows", [300, 400, 700, 1000, 5000])
@pytest.mark.parametrize("n_channels", [1, 5])
def test_white_noise__gives_sixty(n_rows, n_channels):
    for seed in range(5):
        table = np.random.default_rng(seed).normal(size=(n_rows, n_channels))
        assert suggest_window_length(table) == 60


@pytest.mark.parametrize("n_rows", [*range(1, 33), 60, 299])
def test_short_table__gives_a_fifth(n_rows):
    assert suggest_window_length(RNG.normal(size=(n_rows, 2))) == max(1, n_rows // 5)
    assert suggest_window_length(np.ones((n_rows, 2))) == max(1, n_rows // 5)


@pytest.mark.parametrize(
    "convert",
    [
        np.ndarray.tolist,
        np.asfortranarray,
        lambda X: X.astype(np.float32),
        lambda X: np.round(100 * X).astype(np.int16),
        lambda X: X > 0,
        lambda X: X.astype(object),
        lambda X: X.astype(">f8"),
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        pd.DataFrame,
        lambda X: pd.DataFrame(np.round(100 * X)).convert_dtypes(),
        lambda X: on_minutes(X.astype(np.float32)),
        lambda X: on_minutes(np.where(RNG.random(X.shape) < 0.1, np.nan, X)),
        lambda X: pd.DataFrame(X).mask(RNG.random(X.shape) < 0.1).convert_dtypes(),
        lambda X: np.where(RNG.random(X.shape) < 0.1, np.inf, X),
        lambda X: np.where(RNG.random(X.shape) < 0.1, -1e300, X),
    ],
)
def test_kind_of_table__does_not_matter(convert):
    table = cycle(600, 48)
    table.flags.writeable = False
    assert suggest_window_length(convert(table)) == 48


def test_channels_that_tell_nothing__do_not_count():
    table = cycle(600, 48)
    t = np.arange(600.0)
    others = [np.full(600, 7.1), 0.1 * t, np.zeros(600), np.full(600, np.nan), 1e6 - t]
    assert suggest_window_length(np.column_stack([*others, table])) == 48
    assert suggest_window_length(np.column_stack(others)) == 60


def test_slow_drift__does_not_hide_the_cycle():
    walk = np.random.default_rng(0).normal(size=(50_000, 1)).cumsum(axis=0)
    assert suggest_window_length(cycle(50_000, 48) + 0.05 * walk) == 48
    shifts = np.repeat(5 * RNG.normal(size=(10, 2)), 5000, axis=0)
    assert suggest_window_length(cycle(50_000, 48) + shifts) == 48


def test_long_table__is_looked_at_in_parts():
    table = np.tile(cycle(48, 48), (50_000, 1))
    with mock.patch.object(_length, "detrend", wraps=_length.detrend) as parts:
        assert suggest_window_length(table) == 48
    looked_at = [len(call.args[0]) for call in parts.call_args_list]
    assert 100_000 < sum(looked_at) <= 120_000
    assert set(looked_at) == {3000}


# Borders ------------------------------------------------------------------------------


def test_series_and_gaps__are_not_crossed():
    """Ever new phases: only within segments is there a period."""
    parts = [cycle(100, 25)[phase:][:60] for phase in RNG.integers(40, size=30)]
    table = np.concatenate(parts)
    series = np.repeat(np.arange(30), 60)
    assert suggest_window_length(table, series=series) == 60 // 5
    parts = [cycle(250, 25)[phase:][:200] for phase in RNG.integers(50, size=30)]
    table, series = np.concatenate(parts), np.repeat(np.arange(30), 200)
    assert suggest_window_length(table, series=series) == 25
    index = pd.MultiIndex.from_arrays([series, np.arange(len(table))])
    assert suggest_window_length(pd.DataFrame(table, index=index)) == 25
    minutes = np.arange(len(table)) + 1000 * series
    index = pd.Timestamp("2024-03-01") + pd.to_timedelta(minutes, unit="min")
    gaps = pd.DataFrame(table, index=index)
    assert suggest_window_length(gaps) == 25
    assert suggest_window_length(gaps, max_gap="5min") == 25


def test_many_short_segments__keep_the_length_short():
    """One long segment must not choose a length that no other has."""
    table = cycle(4000, 150)
    series = np.r_[np.zeros(1000, int), 1 + np.arange(3000) // 50]
    assert suggest_window_length(table[:1000]) == 150
    assert suggest_window_length(table, series=series) == 50 // 5


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.empty((0, 2)), "0 sample"),
        (np.zeros(9), "Expected 2D array"),
        ([["a"], ["b"]], "could not convert|dtype='numeric'"),
        (pd.DataFrame({"a": [1.0, 2.0]}, index=[1, 0]), "0 in row 1 is out of order"),
    ],
)
def test_bad_table__is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        suggest_window_length(table)


def test_index_that_is_no_time__warns():
    with pytest.warns(UserWarning, match="is no time, so gaps are not seen"):
        suggest_window_length(pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"]))


# Durations ----------------------------------------------------------------------------


def cut(window_length, table):
    """Rows in a window of each estimator that cuts windows."""
    detector = WindowedDetector(LinearAutoencoder(1), window_length).fit(table)
    assert detector.estimator_.window_length_ == detector.window_length_
    transformer = SlidingWindow(window_length).fit(table)
    assert transformer.transform(table).shape[1] == 2 * detector.window_length_
    assert transformer.window_length_ == detector.window_length_
    assert isinstance(detector.window_length_, int)
    return detector.window_length_


@pytest.mark.parametrize(
    ("window_length", "n_rows"),
    [
        ("20min", 20),
        ("PT20M", 20),
        (pd.Timedelta("20min"), 20),
        (timedelta(minutes=20), 20),
        (np.timedelta64(20, "m"), 20),
        (np.timedelta64(1200, "s"), 20),
        ("31s", 1),
        ("60s", 1),
        ("89s", 1),
        ("100s", 2),
        ("300min", 300),
        ("auto", 48),
        (np.int64(7), 7),
    ],
)
def test_duration__is_counted_in_median_steps(window_length, n_rows):
    table = cycle(300, 48, noise=0.05)
    assert cut(window_length, on_minutes(table)) == n_rows if n_rows != 300 else True
    jitter = RNG.uniform(-20, 20, size=300)
    seconds = np.arange(300) * 60 + jitter - jitter[:300].mean()
    index = pd.Timestamp("2024-03-01", tz="Europe/Zurich") + pd.to_timedelta(
        seconds, unit="s"
    )
    rows = _length.rows_in_window(
        window_length, table, _length.read_rows(pd.DataFrame(table, index=index))
    )
    assert abs(rows - n_rows) <= 0.02 * n_rows + (window_length == "89s")


@pytest.mark.parametrize(
    "index",
    [
        pd.timedelta_range("0s", periods=100, freq="15min"),
        pd.period_range("2024-03-01", periods=100, freq="15min"),
        pd.MultiIndex.from_product(
            [["a", "b"], pd.date_range("2024-03-01", periods=50, freq="15min")]
        ),
    ],
    ids=["durations", "periods", "series"],
)
def test_duration__in_every_index_of_times(index):
    assert cut("2h", pd.DataFrame(cycle(100, 20, noise=0.1), index=index)) == 8


@pytest.mark.parametrize(
    ("window_length", "table", "message"),
    [
        ("2h", cycle(50, 10), "'2h' is a duration, but X has no times in its index"),
        (
            timedelta(hours=2),
            pd.DataFrame(cycle(50, 10)),
            r"datetime.timedelta\(seconds=7200\) is a duration, but X has no times",
        ),
        ("29s", on_minutes(cycle(50, 10)), "'29s' holds no row of X, .* 00:01:00; use"),
        ("10", on_minutes(cycle(50, 10)), "'10' holds no row of X"),
        ("0s", on_minutes(cycle(50, 10)), "'0s' holds no row of X"),
        ("-2h", on_minutes(cycle(50, 10)), "'-2h' holds no row of X"),
        (
            "2h",
            on_minutes(cycle(50, 10)),
            r"'2h' \(120 rows\) is longer than every segment of X \(the longest of",
        ),
        ("3 moons", on_minutes(cycle(50, 10)), "'3 moons'; expected a number of rows,"),
        ("Auto", cycle(50, 10), "'Auto'; expected a number of rows, 'auto', or"),
        ("", cycle(50, 10), "''; expected a number of rows"),
        ("nat", on_minutes(cycle(50, 10)), "'nat'; expected a number of rows"),
        (np.timedelta64("NaT"), on_minutes(cycle(50, 10)), "expected a number of rows"),
        (timedelta.max, on_minutes(cycle(50, 10)), "expected a number of rows"),
        (
            "2h",
            on_minutes(cycle(50, 10)).set_index(
                pd.MultiIndex.from_product([range(50), [pd.Timestamp("2024-03-01")]])
            ),
            "no series of X has two rows",
        ),
        (0, cycle(50, 10), "window_length"),
        (20.0, cycle(50, 10), "window_length"),
        (None, cycle(50, 10), "window_length"),
        (pd.NaT, cycle(50, 10), "window_length"),
    ],
)
@pytest.mark.parametrize(
    "estimator", [WindowedDetector(LinearAutoencoder(1)), SlidingWindow(3)]
)
def test_length_that_fits_not__is_refused(estimator, window_length, table, message):
    estimator = clone(estimator).set_params(window_length=window_length)
    with pytest.raises(ValueError, match=message):
        estimator.fit(table)
    assert not hasattr(estimator, "window_length_")


def test_stride__is_held_against_the_length_found():
    detector = WindowedDetector(LinearAutoencoder(1), stride=49)
    message = r"stride=49 leaves .* at most window_length='auto' \(48 rows\)"
    with pytest.raises(ValueError, match=message):
        detector.fit(cycle(300, 48))
    assert detector.set_params(stride=48).fit(cycle(300, 48)).window_length_ == 48


# After fit ----------------------------------------------------------------------------


def test_default__is_auto_and_stays_so():
    detector = WindowedDetector(LinearAutoencoder(2))
    assert detector.get_params()["window_length"] == "auto"
    detector.fit(cycle(400, 48, noise=0.05))
    assert detector.window_length == "auto"
    assert clone(detector).window_length == "auto"
    assert not hasattr(clone(detector), "window_length_")
    assert detector.window_length_ == 48
    told = WindowedDetector(LinearAutoencoder(2), 48)
    told.fit(cycle(400, 48, noise=0.05))
    other = cycle(100, 20, noise=0.1)  # has another period
    np.testing.assert_array_equal(
        detector.score_samples(other), told.score_samples(other)
    )
    np.testing.assert_array_equal(detector.explain(other), told.explain(other))
    assert detector.offset_ == told.offset_
    assert detector.calibration_.reach == told.calibration_.reach == 48
    expected = detector.score_samples(other)
    detector.set_params(window_length=5)
    np.testing.assert_array_equal(detector.score_samples(other), expected)
    assert detector.fit(cycle(400, 48, noise=0.05)).window_length_ == 5


class Widths(LinearAutoencoder):
    """Remembers how wide the windows were, in all clones."""

    seen: list = []  # noqa: RUF012

    def _fit_positions(self, X, *others):
        self.seen.append(X.shape[1])
        return super()._fit_positions(X, *others)

    def _fold_at(self, X, positions):
        self.seen.append(X.shape[1])
        return super()._fold_at(X, positions)


@pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")
def test_blocks_and_odd_stretches__keep_the_length():
    table = waves(2000)
    table[700:760] += 30 * np.random.default_rng(0).normal(size=(60, table.shape[1]))
    Widths.seen.clear()
    find = mock.patch.object(_length, "_find_period", wraps=_length._find_period)
    with find as find_period:
        detector = WindowedDetector(Widths(2)).fit(table)
        detector.score_samples(table[:200])
    assert find_period.call_count == 1
    assert detector.calibration_.odd_stretches
    assert len(Widths.seen) >= 12  # two fits, each with five blocks
    assert set(Widths.seen) == {table.shape[1] * detector.window_length_}


def nearness(detector, X, y=None):
    """Scorer: how near the length is to 24."""
    return -abs(detector.window_length_ - 24.0)


def test_search__over_lengths_of_every_kind(tmp_path):
    table = on_minutes(cycle(600, 24, noise=0.05))
    search = GridSearchCV(
        WindowedDetector(LinearAutoencoder(2)),
        {"window_length": [10, "auto", "1h"]},
        scoring=nearness,
        cv=TimeSeriesSplit(2),
    ).fit(table)
    assert search.best_params_ == {"window_length": "auto"}
    assert search.best_estimator_.window_length_ == 24
    assert search.cv_results_["mean_test_score"].tolist() == [-14.0, 0.0, -36.0]
    loaded = load(save(search, tmp_path / "search.skad"), trusted=[nearness])
    assert loaded.best_params_ == search.best_params_
    np.testing.assert_array_equal(
        loaded.decision_function(table), search.decision_function(table)
    )


@pytest.mark.parametrize(
    "window_length",
    [
        *(10, "auto", "20min"),
        *(pd.Timedelta("20min"), timedelta(minutes=20), np.timedelta64(20, "m")),
    ],
    ids=repr,
)
@pytest.mark.parametrize("kind", [WindowedDetector, SlidingWindow])
def test_files_and_pickles__keep_both(kind, window_length, tmp_path):
    table = on_minutes(cycle(300, 24, noise=0.05))
    args = [LinearAutoencoder(2)] if kind is WindowedDetector else []
    estimator = kind(*args, window_length).fit(table)
    answer = "score_samples" if kind is WindowedDetector else "transform"
    for copied in (
        load(save(estimator, tmp_path / "model.skad")),
        pickle.loads(pickle.dumps(estimator)),
    ):
        assert copied.window_length == window_length
        assert type(copied.window_length) is type(window_length)
        assert copied.window_length_ == estimator.window_length_
        np.testing.assert_array_equal(
            getattr(copied, answer)(table[:80]), getattr(estimator, answer)(table[:80])
        )


@pytest.mark.parametrize(
    "estimator", [WindowedDetector(LinearAutoencoder(2), 12), SlidingWindow(12)]
)
def test_model_without_the_length__has_it_from_its_parameter(estimator):
    fitted = clone(estimator).fit(cycle(100, 20))
    state = fitted.__getstate__()
    del state["window_length_"]
    old = type(estimator).__new__(type(estimator))
    old.__setstate__(state)
    assert old.window_length_ == 12
    unfitted = pickle.loads(pickle.dumps(clone(estimator)))
    assert not hasattr(unfitted, "window_length_")


@pytest.mark.parametrize("window_length", [np.int8(-100), -1, 6, 2**62])
def test_length_of_a_forged_file__reads_no_memory_beyond_the_table(window_length):
    with (
        pytest.raises((ValueError, OverflowError)),
        np.errstate(over="ignore"),
    ):
        windows_view(np.zeros((5, 2)), window_length)


def test_whole_pipeline__works_by_default():
    X, _ = make_sensors(3000, n_faults=1, random_state=0)
    table, later = X[:1500], X[1500:]
    pipeline = make_pipeline(
        TimeSeriesImputer(max_missing=0.5),
        StandardScaler(),
        WindowedDetector(LinearAutoencoder(6)),
    ).set_output(transform="pandas")
    pipeline.fit(table)
    length = pipeline[-1].window_length_
    assert length == suggest_window_length(pipeline[:-1].transform(table))
    assert expected_values(pipeline, later).shape == later.shape
    assert len(drift_report(pipeline, later).sensors) > 0
    assert set(np.unique(pipeline.predict(later))) <= {-1, 1}
    assert recalibrate(pipeline, later)[-1].calibration_.reach == length


def test_sliding_window__by_default_of_the_data(tmp_path):
    table = cycle(400, 48, noise=0.05)
    pipeline = make_pipeline(
        StandardScaler(), SlidingWindow("auto"), LinearAutoencoder(2, n_channels=2)
    ).fit(table)
    names = pipeline[:-1].get_feature_names_out()
    assert (len(names), names[0]) == (96, "x0[t-47]")
    assert expected_values(pipeline, table).shape == table.shape
    holes = table.copy()
    holes[::9] = np.nan
    assert SlidingWindow("auto").fit(holes).window_length_ == 48
    pytest.importorskip("onnx")
    assert to_onnx(pipeline, tmp_path / "model.onnx").exists()


def test_evaluate__says_how_long_windows_were():
    table = on_minutes(cycle(400, 24, noise=0.05))
    lengths = {"auto": 24, "1h": 60, 10: 10}
    detectors = {
        str(told): WindowedDetector(LinearAutoencoder(2), told) for told in lengths
    }
    y = np.arange(400) % 100 < 5
    result = evaluate(
        detectors, table[:200], X_test=table[200:], y_test=y[200:], references=False
    )
    (text,) = [line for line in result.protocol if line.startswith("rows:")]
    told = [f"'{told}' by windows of {n} rows" for told, n in lengths.items()]
    assert text == f"rows: points of a series, {', '.join(told)}"


# Multiples ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
@pytest.mark.parametrize(
    "cut", [WindowedDetector, SlidingWindow], ids=lambda c: c.__name__
)
def test_float__is_a_multiple_of_the_suggested_length(cut):
    table = np.sin(2 * np.pi * np.arange(1000) / 48)[:, None]
    for factor, expected in ((0.5, 24), (1.0, 48), (np.float32(2.0), 96), (1e-9, 1)):
        fitted = make_cutter(cut, factor).fit(table)
        assert fitted.window_length_ == expected
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="window_length"):
            make_cutter(cut, wrong).fit(table)


def make_cutter(cut, window_length):
    if cut is SlidingWindow:
        return SlidingWindow(window_length)
    return WindowedDetector(LinearAutoencoder(1), window_length, contamination=0.1)
