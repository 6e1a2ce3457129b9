"""Events and their metrics: against slow loops, over borders, inside searches."""

import naive_events
import naive_series
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, GroupKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    LinearAutoencoder,
    WindowedDetector,
    detection_delay,
    event_fbeta_score,
    event_precision_score,
    event_recall_score,
    false_alarms_per_day,
    find_events,
    make_outlier_scorer,
    make_sensors,
    merge_events,
    point_adjusted_fbeta_score,
)
from skad.series._rows import read_index, read_rows

METRICS = [
    event_precision_score,
    event_recall_score,
    event_fbeta_score,
    point_adjusted_fbeta_score,
    detection_delay,
    false_alarms_per_day,
]
RANGE_METRICS = METRICS[:4]


def minutes(n_rows, start="2018-04-01"):
    return pd.date_range(start, periods=n_rows, freq="min")


def in_series(*lengths):
    """Index of several series, each with times from the same start."""
    names = np.repeat([f"pump {i}" for i in range(len(lengths))], lengths)
    time = np.concatenate([minutes(n) for n in lengths])
    return pd.MultiIndex.from_arrays([names, time], names=["pump", "time"])


@st.composite
def tables(draw, max_rows=25):
    """Truth and flags, an index or None, max_gap, and the segments by slow loops."""
    n_rows = draw(st.integers(1, max_rows))
    bools = st.lists(st.booleans(), min_size=n_rows, max_size=n_rows)
    truth, judged = draw(bools), draw(bools)
    steps = draw(
        st.lists(st.sampled_from([1, 1, 1, 2, 9]), min_size=n_rows, max_size=n_rows)
    )
    is_new = draw(bools) if draw(st.booleans()) else [False] * n_rows
    series = np.cumsum(is_new).tolist()
    kind = draw(st.sampled_from(["none", "numbers", "dates", "durations", "strings"]))
    max_gap = draw(st.sampled_from([None, 0, 2, 100]))
    time = np.cumsum(steps).tolist()
    index, limit = None, max_gap
    if kind == "none":
        index, time, series = None, None, [0] * n_rows
    elif kind == "strings":
        index, time = pd.Index([f"row {i}" for i in range(n_rows)]), None
    elif kind == "numbers":
        index = pd.Index(time)
    else:
        index = pd.to_timedelta(time, unit="min")
        index = (
            pd.Timestamp("2018-04-01", tz="UTC") + index if kind == "dates" else index
        )
        max_gap = None if limit is None else pd.Timedelta(limit, "min")
    if limit is None and time is not None:
        limit = naive_series.usual_gap(time, series)
    segments = naive_series.segment_rows(time, series, limit)
    if len(set(series)) > 1:
        index = pd.MultiIndex.from_arrays([series, series, index])
    if kind == "none":
        max_gap = None
    return truth, judged, index, max_gap, segments


def signs(flags):
    # 1 alone is read as normal, so that bits could not say "all are anomalies"
    return np.where(flags, -1, 1)


# find_events: which rows


@given(table=tables(), merge_gap=st.integers(0, 3), min_length=st.integers(1, 4))
def test_events_are_those_of_a_loop(table, merge_gap, min_length):
    flags, _, index, max_gap, segments = table
    expected = naive_events.events(flags, segments, merge_gap, min_length)
    found = find_events(
        signs(flags),
        index=index,
        merge_gap=merge_gap,
        min_length=min_length,
        max_gap=max_gap,
    )
    rows = found[["start_row", "end_row", "n_rows"]].to_numpy().tolist()
    assert rows == [[e[0], e[-1], len(e)] for e in expected]
    labels = pd.RangeIndex(len(flags)) if index is None else index
    if isinstance(labels, pd.MultiIndex):
        assert found["series"].tolist() == [labels[e[0]][:-1] for e in expected]
        labels = labels.get_level_values(-1)
    assert found["start"].tolist() == [labels[e[0]] for e in expected]
    assert found["end"].tolist() == [labels[e[-1]] for e in expected]
    has_time = isinstance(labels, pd.DatetimeIndex | pd.TimedeltaIndex)
    assert ("duration" in found) == has_time
    if has_time:
        assert (found["duration"] == found["end"] - found["start"]).all()


@given(table=tables())
def test_borders_are_those_of_the_detectors(table):
    flags, _, index, max_gap, _ = table
    X = pd.DataFrame({"x": np.zeros(len(flags))}, index=index)
    bounds = read_rows(X, max_gap=max_gap).bounds
    expected = np.repeat(np.arange(len(bounds)), np.diff(bounds).ravel())
    found = read_index(index, len(flags), max_gap).segments
    assert found.tolist() == expected.tolist()


def test_short_events_are_dropped_after_merging():
    y = [0, 1, 0, 1, 0, 0, 0, 1]
    found = find_events(y, merge_gap=1, min_length=3)
    assert found[["start_row", "end_row"]].to_numpy().tolist() == [[1, 3]]


@pytest.mark.parametrize("merge_gap", [0, 100])
def test_events_cross_neither_series_nor_gaps(merge_gap):
    y = np.full(6, -1)
    kwargs = {"merge_gap": merge_gap}
    one = find_events(y, index=in_series(2, 4), **kwargs)
    assert one["series"].tolist() == ["pump 0", "pump 1"]
    assert one["end_row"].tolist() == [1, 5]
    time = minutes(6).to_series().to_numpy().copy()
    time[4:] += np.timedelta64(5, "m")
    assert len(find_events(y, index=time, **kwargs)) == 2
    assert len(find_events(y, index=time, max_gap="6min", **kwargs)) == 1
    time[:4] += np.timedelta64(1, "m")  # a step of 5 usual ones is none too long
    assert len(find_events(y, index=time, **kwargs)) == 1
    assert len(find_events(y, index=time, max_gap="299s", **kwargs)) == 2


def test_index_comes_from_the_first_pandas_object():
    y = pd.Series([1, -1, 1], index=minutes(3))
    scores = pd.Series([0.0, -1, 0], index=minutes(3, "2019-01-01"))
    assert find_events(y, scores=scores)["start"][0] == y.index[1]
    assert find_events(y.to_list(), scores=scores)["start"][0] == scores.index[1]
    parts = pd.DataFrame({"a": -scores})
    found = find_events(scores.to_numpy() < 0, contributions=parts)
    assert found["start"][0] == scores.index[1]
    assert find_events(y, index=[3, 5, 7])["start"][0] == 5
    assert find_events(y.to_numpy())["start"][0] == 1


def test_periods_and_time_zones_are_kept():
    found = find_events([1, -1, -1], index=pd.period_range("2018-04", periods=3))
    assert found["start"][0] == pd.Period("2018-04-02", "D")
    assert found["duration"][0] == pd.Timedelta("1D")
    zoned = pd.date_range("2018-10-28", periods=6, freq="h", tz="Europe/Berlin")
    found = find_events([-1] * 6, index=zoned)  # over the end of summer time
    assert len(found) == 1
    assert found["end"][0] == zoned[-1]
    assert found["duration"][0] == pd.Timedelta("5h")


# find_events: what about them

numbers = st.integers(-3, 3)  # so that scores tie


@given(table=tables(), data=st.data(), merge_gap=st.integers(0, 2))
def test_peaks_and_sensors_are_those_of_a_loop(table, data, merge_gap):
    flags, _, index, max_gap, segments = table
    n_rows, n_channels = len(flags), data.draw(st.integers(1, 4))
    scores = data.draw(st.lists(numbers, min_size=n_rows, max_size=n_rows))
    row = st.lists(numbers, min_size=n_channels, max_size=n_channels)
    parts = data.draw(st.lists(row, min_size=n_rows, max_size=n_rows))
    found = find_events(
        signs(flags),
        scores=scores,
        contributions=parts,
        index=index,
        n_sensors=3,
        merge_gap=merge_gap,
        max_gap=max_gap,
    )
    labels = np.arange(n_rows) if index is None else index
    expected = naive_events.events(flags, segments, merge_gap)
    assert len(found) == len(expected)
    for event, (_, row) in zip(expected, found.iterrows(), strict=True):
        peak = naive_events.lowest(scores, event)
        label = labels[peak][-1] if "series" in found else labels[peak]
        assert row["peak"] == label
        assert row["peak_score"] == scores[peak]
        assert row["mean_score"] == pytest.approx(np.mean([scores[r] for r in event]))
        shares = naive_events.sensors(parts, event)[:3]
        for place, (channel, share) in enumerate(shares, 1):
            assert row[f"sensor_{place}"] == channel
            assert row[f"share_{place}"] == pytest.approx(share, nan_ok=True)
    assert f"sensor_{min(3, n_channels)}" in found
    assert f"sensor_{min(3, n_channels) + 1}" not in found


def test_contributions_are_what_explain_returns():
    X, y = make_sensors(
        1200, n_faults=2, missing_fraction=0, dead_sensors=False, random_state=0
    )
    windowed = WindowedDetector(LinearAutoencoder(8), 20).fit(X[:600])
    parts = windowed.explain(X)
    found = find_events(
        y, contributions=parts, index=X.index, channel_names=X.columns, n_sensors=12
    )
    told = find_events(y, scores=windowed.score_samples(X), contributions=parts)
    assert len(found) == 2
    assert set(found["sensor_1"]) <= set(X.columns)
    assert found["sensor_1"].tolist() == X.columns[told["sensor_1"]].tolist()
    shares = found[[f"share_{i}" for i in range(1, 13)]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1.0)
    for name in ("peak_score", "mean_score"):
        assert found[name].to_numpy() == pytest.approx(told[name].to_numpy())
    table = pd.DataFrame(parts, index=X.index, columns=X.columns)
    again = find_events(y.to_numpy(), contributions=table, n_sensors=12)
    pd.testing.assert_frame_equal(again, found)


def test_windows_are_explained_by_the_sum_over_their_timesteps(normal_beats):
    detector = LinearAutoencoder(8, contamination=0.1).fit(normal_beats)
    X = normal_beats[:40]
    found = find_events(detector.predict(X), contributions=detector.explain(X))
    told = find_events(detector.predict(X), scores=detector.score_samples(X))
    assert len(found) > 0
    assert found["peak_score"].to_numpy() == pytest.approx(told["peak_score"])
    assert (found["share_1"] == 1.0).all()


def test_no_events_keep_their_columns():
    kwargs = {"index": in_series(2, 2), "contributions": np.ones((4, 2))}
    none = find_events([1, 1, 1, 1], **kwargs)
    some = find_events([1, -1, 1, 1], **kwargs)
    assert len(none) == 0
    assert list(none.columns) == list(some.columns)
    for name in ("start", "duration", "n_rows", "peak_score", "share_1"):
        assert none[name].dtype == some[name].dtype, name


def test_names_of_any_kind():
    y, parts = [-1], [[1.0, 3.0]]
    columns = pd.MultiIndex.from_tuples([("oil", "heat"), ("oil", "flow")])
    found = find_events(y, contributions=pd.DataFrame(parts, columns=columns))
    assert found["sensor_1"][0] == ("oil", "flow")
    found = find_events(y, contributions=parts, channel_names=["a", "b"])
    assert found["sensor_2"][0] == "a"
    table = pd.DataFrame(parts, columns=["c", "d"])
    found = find_events(y, contributions=table, channel_names=["a", "b"])
    assert found["sensor_1"][0] == "b"


def test_a_threshold_of_ones_own():
    scores = np.array([-1.0, -5, -9, -1, -3])
    found = find_events(scores < -2, scores=scores)
    assert found["start_row"].tolist() == [1, 4]
    assert found["peak"].tolist() == [2, 4]
    assert found["mean_score"].tolist() == [-7.0, -3.0]
    assert len(find_events(scores < 0, scores=scores)) == 1  # True alone: all


def test_inputs_are_left_alone():
    y, scores = np.array([1, -1, -1]), np.array([0.0, -2, -1])
    parts = np.ones((3, 2))
    for array in (y, scores, parts):
        array.flags.writeable = False
    assert len(find_events(y, scores=scores, contributions=parts)) == 1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"y": [0, 2, 1]}, "y holds the labels 0, 1, 2"),
        ({"y": [0.3, -0.1, 2.0]}, "y holds the labels"),
        ({"y": [1, np.nan, 1]}, "y holds the labels"),
        ({"y": []}, "no rows"),
        ({"scores": [0.0, np.nan, 1.0]}, "scores contains NaN"),
        ({"scores": [0.0, np.inf, 1.0]}, "scores contains infinity"),
        ({"scores": [0.0, 1.0]}, "inconsistent numbers of samples"),
        ({"contributions": np.full((3, 2), np.nan)}, "contributions contains NaN"),
        ({"contributions": np.ones((2, 2))}, "inconsistent numbers of samples"),
        ({"contributions": np.ones(3)}, "Expected 2D array"),
        (
            {"contributions": np.ones((3, 2)), "channel_names": ["a"]},
            "channel_names has 1 names; expected 2",
        ),
        ({"merge_gap": -1}, "merge_gap=-1; expected an integer >= 0"),
        ({"merge_gap": 1.5}, "merge_gap=1.5"),
        ({"min_length": 0}, "min_length=0; expected an integer >= 1"),
        ({"n_sensors": 0}, "n_sensors=0"),
        ({"index": [1, 2]}, "index has 2 entries; expected 3"),
        ({"index": [1, 3, 2]}, "must increase: 2 in row 2 is out of order"),
        ({"index": np.array([1, 3, 2], dtype=np.uint8)}, "must increase"),
        ({"index": [1, 1, 2]}, "must increase: 1 in row 1 is there twice"),
        ({"index": [1.0, np.nan, 2.0]}, "index of X is nan in row 1"),
        ({"index": pd.DatetimeIndex(["2018", None, "2019"])}, r"\(NaT\) in row 1"),
        (
            {"index": pd.MultiIndex.from_arrays([list("aba"), [3, 2, 1]])},
            "must increase: 1 in row 2 is out of order, after 3",
        ),
        ({"index": minutes(3), "max_gap": 3}, "does not fit the time index"),
        ({"index": [1, 2, 3], "max_gap": "3min"}, "does not fit the numeric index"),
        ({"index": minutes(3), "max_gap": "-3min"}, "not negative"),
    ],
)
def test_find_events_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        find_events(**{"y": [1, -1, 1], **kwargs})


# merge_events


@given(table=tables(), merge_gap=st.integers(0, 3), min_length=st.integers(1, 4))
def test_merged_labels_are_those_of_a_loop(table, merge_gap, min_length):
    flags, _, index, max_gap, segments = table
    kwargs = {"merge_gap": merge_gap, "min_length": min_length}
    expected = np.ones(len(flags), dtype=int)
    for event in naive_events.events(flags, segments, **kwargs):
        expected[event] = -1
    kwargs |= {"index": index, "max_gap": max_gap}
    found = merge_events(signs(flags), **kwargs)
    assert found.tolist() == expected.tolist()
    # their events are those of the table
    again = find_events(found, index=index, max_gap=max_gap)
    pd.testing.assert_frame_equal(again, find_events(signs(flags), **kwargs))
    assert merge_events(found, **kwargs).tolist() == found.tolist()


def test_what_merging_saves():
    y = pd.Series([0, 1, 0, 1, 0, 0, 1, 0], index=minutes(8))
    truth = np.zeros(8, dtype=int)
    before = false_alarms_per_day(truth, y, rows_per_day=8)
    after = false_alarms_per_day(truth, merge_events(y, merge_gap=1), rows_per_day=8)
    assert (before, after) == (3, 2)
    y.index = y.index.delete(2).insert(2, pd.Timestamp("2018-04-01 00:01:30"))
    assert merge_events(y, merge_gap=1, max_gap="80s")[2] == 1  # by the index of y
    assert merge_events(y, merge_gap=1, index=range(8))[2] == -1


def test_labels_of_any_coding_are_merged():
    expected = [-1, -1, -1, 1]
    for y in ([1, 0, 1, 0], [True, False, True, False], [-1, 1, -1, 1]):
        assert merge_events(y, merge_gap=1).tolist() == expected
    assert merge_events([1, 1, 1]).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"y": [0, 2, 1]}, "y holds the labels 0, 1, 2"),
        ({"y": []}, "no rows"),
        ({"merge_gap": -1}, "merge_gap=-1; expected an integer >= 0"),
        ({"min_length": 0}, "min_length=0; expected an integer >= 1"),
        ({"index": [1, 2]}, "index has 2 entries; expected 3"),
        ({"index": [1, 3, 2]}, "must increase"),
    ],
)
def test_merge_events_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        merge_events(**{"y": [1, -1, 1], **kwargs})


# Metrics


def undefined(value):
    return np.nan if value is None else float(value)


@given(
    table=tables(),
    beta=st.sampled_from([0.5, 1, 2]),
    k=st.sampled_from([0, 20, 25, 50, 99, 100]),
)
def test_metrics_are_those_of_a_loop(table, beta, k):
    truth, judged, index, max_gap, segments = table
    args = (signs(truth), signs(judged))
    kwargs = {"index": index, "max_gap": max_gap}

    def agree(found, reference, *extra):
        expected = reference(truth, judged, segments, *extra)
        assert found == pytest.approx(undefined(expected), nan_ok=True)

    agree(event_precision_score(*args, **kwargs), naive_events.precision)
    agree(event_recall_score(*args, **kwargs), naive_events.recall)
    agree(event_fbeta_score(*args, beta=beta, **kwargs), naive_events.fbeta, beta)
    found = point_adjusted_fbeta_score(*args, beta=beta, k=k, **kwargs)
    agree(found, naive_events.point_adjusted_fbeta, beta, k)
    found = point_adjusted_fbeta_score(*args, beta=beta, k="area", **kwargs)
    agree(found, naive_events.point_adjusted_area, beta)
    for average in ("median", "mean"):
        found = detection_delay(*args, average=average, **kwargs)
        agree(found, naive_events.average_delay, average)
    delays = detection_delay(*args, average=None, **kwargs)
    expected = naive_events.delays(truth, judged, segments)
    assert delays.tolist() == pytest.approx(list(map(undefined, expected)), nan_ok=True)
    found = false_alarms_per_day(*args, rows_per_day=24, **kwargs)
    n_normals = truth.count(False)
    n_alarms = naive_events.false_alarms(truth, judged, segments)
    expected = n_alarms / (n_normals / 24) if n_normals else np.nan
    assert found == pytest.approx(expected, nan_ok=True)


@given(table=tables())
def test_delay_in_time_is_that_between_the_rows(table):
    truth, judged, _, _, _ = table
    index = minutes(len(truth))
    rows = detection_delay(signs(truth), signs(judged), average=None)
    hours = detection_delay(
        signs(truth), signs(judged), average=None, unit="h", index=index
    )
    assert hours == pytest.approx(rows / 60, nan_ok=True)
    if len(truth) > 1:  # the step of a single row is not known
        found = detection_delay(signs(truth), signs(judged), unit="min", index=index)
        expected = detection_delay(signs(truth), signs(judged))
        assert found == pytest.approx(expected, nan_ok=True)


def test_delay_in_time_where_steps_differ():
    index = pd.to_timedelta([0, 1, 2, 5, 6, 7], unit="min")
    y_true = [0, 1, 1, 1, 1, 0]
    assert detection_delay(y_true, [0, 0, 0, 1, 0, 0], index=index, unit="s") == 240
    # missed: five minutes from the first row to the last, and a usual step
    assert detection_delay(y_true, [0] * 6, index=index, unit="min") == 6
    assert detection_delay(y_true, [0] * 6, index=index) == 4


def test_false_alarms_count_rows_not_gaps():
    # two days of minutes, a week apart; a day of them is anomalous
    index = minutes(1440).append(minutes(1440, "2018-04-08"))
    y_true = pd.Series(np.repeat([0, 1], 1440), index=index)
    y_pred = np.zeros(2880, dtype=int)
    y_pred[[5, 6, 100, 2000]] = 1
    assert false_alarms_per_day(y_true, y_pred) == 2.0
    assert false_alarms_per_day(y_true, y_pred, rows_per_day=144) == pytest.approx(0.2)
    assert false_alarms_per_day(y_true.to_numpy(), y_pred, rows_per_day=1440) == 2.0


def test_borders_part_the_events_of_metrics():
    index = in_series(2, 2)
    y_true = pd.Series([0, 1, 1, 0], index=index)
    y_pred = [0, 0, 1, 1]
    assert event_recall_score(y_true.to_numpy(), y_pred) == 1.0
    assert event_recall_score(y_true, y_pred) == 0.5
    assert event_recall_score(y_true.to_numpy(), y_pred, index=index) == 0.5
    assert point_adjusted_fbeta_score(y_true.to_numpy(), y_pred) == pytest.approx(0.8)
    assert point_adjusted_fbeta_score(y_true, y_pred) == pytest.approx(0.5)
    assert detection_delay(y_true, y_pred, average=None).tolist()[1] == 0.0
    # an alarm that goes on into the next series is two
    assert event_precision_score([0, 0, 1, 1], [0, 1, 1, 0], index=index) == 0.5
    assert false_alarms_per_day([0, 0, 1, 1], [0, 1, 1, 0], rows_per_day=2) == 0.0
    alarms = false_alarms_per_day(
        [0, 0, 1, 1], [0, 1, 1, 0], rows_per_day=2, index=index
    )
    assert alarms == 1.0


# Metrics: the edges


@pytest.mark.parametrize("metric", RANGE_METRICS)
def test_perfect_and_blind(metric):
    y_true = np.array([0, 1, 1, 0, 1])
    assert metric(y_true, y_true) == 1.0
    assert metric(y_true, np.where(y_true, -1, 1)) == 1.0
    assert metric(y_true.astype(bool), y_true) == 1.0
    # nothing predicted, which constant scores above the threshold come to
    blind = metric(y_true, np.ones(5))
    assert np.isnan(blind) if metric is event_precision_score else blind == 0.0


@pytest.mark.parametrize("metric", RANGE_METRICS)
def test_no_anomaly(metric):
    y_true = [1, 1, 1]
    found = metric(y_true, [1, -1, 1])
    assert np.isnan(found) if metric is event_recall_score else found == 0.0
    assert np.isnan(metric(y_true, y_true))
    assert metric(y_true, y_true, zero_division=1.0) == 1.0


@pytest.mark.parametrize("metric", RANGE_METRICS)
def test_all_anomaly(metric):
    y_true = [-1, -1, -1]
    assert metric(y_true, [1, -1, 1]) == 1.0
    assert metric(y_true, y_true) == 1.0


@pytest.mark.parametrize("metric", METRICS[:3])
def test_flagging_all_is_perfect_by_events(metric):
    # what the docstrings warn of; it is what constant scores below the threshold do
    assert metric([0, 0, 1, 0, 1, 0, 0], [-1] * 7) == 1.0
    assert f1_score([0, 0, 1, 0, 1, 0, 0], [1] * 7) < 0.5


def test_delays_at_the_edges():
    assert np.isnan(detection_delay([0, 0], [0, 1]))
    assert detection_delay([0, 0], [0, 1], average=None).shape == (0,)
    assert detection_delay([-1, -1, -1], [1, 1, 1]) == 3.0
    assert np.isnan(detection_delay([-1, -1], [1, 1], average=None)).all()
    assert detection_delay([-1, -1], [-1, -1]) == 0.0
    # an alarm that ends before the start is no early detection
    assert detection_delay([0, 0, 1, 1], [0, 1, 0, 1]) == 1.0
    assert detection_delay([0, 0, 1, 1], [0, 1, 1, 0]) == 0.0


def test_false_alarms_at_the_edges():
    assert np.isnan(false_alarms_per_day([-1, -1], [-1, 1], rows_per_day=2))
    assert false_alarms_per_day([0, 0, 1], [0, 0, 0], rows_per_day=2) == 0.0
    assert false_alarms_per_day([0, 0, 0, 0], [1, 0, 0, 1], rows_per_day=2) == 1.0


def test_point_adjustment_needs_more_than_k_percent():
    y_true, y_pred = [1, 1, 1, 1, 0], [1, 0, 0, 0, 0]
    assert point_adjusted_fbeta_score(y_true, y_pred, k=24) == 1.0
    assert point_adjusted_fbeta_score(y_true, y_pred, k=25) == pytest.approx(0.4)
    rows = f1_score(y_true, y_pred)
    assert point_adjusted_fbeta_score(y_true, y_pred, k=100) == pytest.approx(rows)
    area = point_adjusted_fbeta_score(y_true, y_pred, k="area")
    assert area == pytest.approx(0.25 + 0.75 * rows)


def test_point_adjusted_random_predictions_get_what_is_documented():
    y = np.zeros(100_000, dtype=int)
    for start in range(0, 100_000, 2000):
        y[start : start + 100] = 1
    predicted = np.random.default_rng(0).random(100_000) < 0.03
    assert point_adjusted_fbeta_score(y, predicted) == pytest.approx(0.75, abs=0.02)
    area = point_adjusted_fbeta_score(y, predicted, k="area")
    assert area == pytest.approx(0.06, abs=0.01)
    assert f1_score(y, predicted) == pytest.approx(0.04, abs=0.01)
    whole = [point_adjusted_fbeta_score(y, predicted, k=k) for k in range(101)]
    assert area == pytest.approx(np.mean(whole), abs=0.01)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([0, 2], [0, 1], "y_true holds the labels 0, 2"),
        ([0, 1], [0.5, 1], "y_pred holds the labels"),
        ([0, np.nan], [0, 1], "y_true holds the labels"),
        ([0, 1], [0, np.nan], "y_pred holds the labels"),
        ([0, 1], [0, 1, 1], "inconsistent numbers of samples"),
        ([], [], "no rows"),
        (pd.Series([0, 1], index=[2, 1]), [0, 1], "must increase"),
    ],
)
def test_metrics_refuse(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_pred)


@pytest.mark.parametrize(
    ("metric", "kwargs", "message"),
    [
        (event_fbeta_score, {"beta": 0}, "beta=0; expected"),
        (event_fbeta_score, {"beta": np.inf}, "beta=inf"),
        (point_adjusted_fbeta_score, {"beta": "1"}, "beta='1'"),
        (point_adjusted_fbeta_score, {"k": 101}, "k=101; expected a percentage"),
        (point_adjusted_fbeta_score, {"k": np.nan}, "k=nan"),
        (point_adjusted_fbeta_score, {"k": "Area"}, "k='Area'; expected a percentage"),
        (detection_delay, {"average": "max"}, "average='max'; expected 'median'"),
        (detection_delay, {"unit": "min"}, "unit='min' needs an index of dates"),
        (detection_delay, {"unit": "min", "index": [1, 2]}, "unit='min' needs"),
        (false_alarms_per_day, {}, "number of rows per day is only"),
        (
            false_alarms_per_day,
            {"index": in_series(1, 1)},
            "number of rows per day is only",
        ),
        (false_alarms_per_day, {"rows_per_day": 0}, "rows_per_day=0; expected"),
        (false_alarms_per_day, {"rows_per_day": "a"}, "rows_per_day='a'"),
    ],
)
def test_parameters_are_checked(metric, kwargs, message):
    with pytest.raises(ValueError, match=message):
        metric([0, 1], [0, 1], **kwargs)


# Metrics: which of them random scores win


@pytest.fixture(scope="module")
def judged_sensors():
    """Labels of sensors, the scores of an honest detector, and random ones."""
    X, y = make_sensors(
        9000, n_faults=6, missing_fraction=0, dead_sensors=False, random_state=0
    )
    detector = make_pipeline(
        StandardScaler(), WindowedDetector(LinearAutoencoder(8), 30)
    ).fit(X[:4500])
    scores = detector.score_samples(X)[4500:]
    return y[4500:], scores, np.random.default_rng(0).normal(size=4500)


@pytest.mark.parametrize(
    ("metric", "kwargs", "random_wins"),
    [
        (point_adjusted_fbeta_score, {}, True),
        (point_adjusted_fbeta_score, {"k": 20}, False),
        (point_adjusted_fbeta_score, {"k": 100}, False),
        (event_fbeta_score, {}, False),
    ],
)
def test_random_scores_win_point_adjustment_only(
    judged_sensors, metric, kwargs, random_wins
):
    y, *both = judged_sensors
    shares = np.linspace(0.002, 0.5, 50)
    honest, random = (
        # as in the papers: at the best threshold for each
        max(metric(y, scores < np.quantile(scores, q), **kwargs) for q in shares)
        for scores in both
    )
    if random_wins:
        assert random > honest + 0.05
    else:
        assert honest > random + 0.05


# Scorers


class Echo(OutlierMixin, BaseEstimator):
    """Predicts what the first column says, or the opposite."""

    def __init__(self, flip=False):
        self.flip = flip

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return np.where((X[:, 0] > 0) == self.flip, 1, -1)


@pytest.fixture
def pumps():
    """Three pumps with events at their very ends, and what a detector says."""
    rng = np.random.default_rng(0)
    index = in_series(40, 40, 40)
    y = pd.Series(np.tile(np.repeat([1, 0, 1, 0, 1], [5, 10, 10, 10, 5]), 3), index)
    flags = (y == 1) & (rng.random(120) < 0.4) | (rng.random(120) < 0.05)
    return flags.to_numpy(dtype=float)[:, None], y


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("event_f1", event_fbeta_score),
        ("event_precision", event_precision_score),
        ("event_recall", event_recall_score),
        (point_adjusted_fbeta_score, point_adjusted_fbeta_score),
    ],
)
def test_scorers_see_the_borders_in_the_index_of_y(pumps, name, metric):
    X, y = pumps
    flags = X[:, 0] > 0
    scorer = make_outlier_scorer(name)
    assert scorer(Echo(), X, y) == metric(y, flags)
    assert scorer(Echo(), X, y.to_numpy()) == metric(y.to_numpy(), flags)
    if metric is not event_precision_score:
        assert metric(y, flags) != metric(y.to_numpy(), flags)


@pytest.mark.parametrize("cv", [GroupKFold(2), TimeSeriesSplit(3)])
def test_search_hands_the_borders_to_the_scorer(pumps, cv):
    X, y = pumps
    groups = y.index.codes[0] if isinstance(cv, GroupKFold) else None
    scoring = {
        "f": make_outlier_scorer("event_fbeta", beta=0.5),
        "delay": make_outlier_scorer(detection_delay, unit="min"),
        "alarms": make_outlier_scorer(false_alarms_per_day),
    }
    search = GridSearchCV(
        Echo(), {"flip": [True, False]}, scoring=scoring, refit="f", cv=cv
    ).fit(X, y, groups=groups)
    assert search.best_params_ == {"flip": False}
    for fold, (_, test) in enumerate(cv.split(X, y, groups)):
        args = y.iloc[test], X[test, 0] > 0
        expected = {
            "f": event_fbeta_score(*args, beta=0.5),
            "delay": -detection_delay(*args, unit="min"),
            "alarms": -false_alarms_per_day(*args),
        }
        for name, value in expected.items():
            assert search.cv_results_[f"split{fold}_test_{name}"][1] == value
    assert search.score(X, y) == event_fbeta_score(y, X[:, 0] > 0, beta=0.5)


def test_scorer_of_a_detector_that_flags_nothing(pumps):
    X, y = pumps
    for name in ("event_f1", "event_fbeta", "event_precision", "event_recall"):
        assert make_outlier_scorer(name)(Echo(), np.zeros_like(X), y) == 0.0


def test_an_index_that_is_given_is_kept(pumps):
    X, y = pumps
    scorer = make_outlier_scorer("event_recall", index=pd.RangeIndex(len(y)))
    assert scorer(Echo(), X, y) == event_recall_score(y.to_numpy(), X[:, 0] > 0)
