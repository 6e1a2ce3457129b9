"""Where events begin and end, and by how much their sensors deviate."""

import math

import naive_events
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_reference import machine

from skad import (
    LinearAutoencoder,
    WindowedDetector,
    expected_values,
    explain,
    find_events,
    merge_events,
)
from skad.series._borders import _largest_run


@st.composite
def flagged_tables(draw):
    """Flags, segments, deviations (None: missing) and contributions of two series."""
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    n_rows, n_channels = draw(st.integers(1, 60)), draw(st.integers(1, 3))
    flags = np.zeros(n_rows, dtype=bool)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, n_rows - 1))
        flags[start : start + draw(st.integers(1, 15))] = True
    deviations = rng.normal(size=(n_rows, n_channels))
    middle = flags & np.roll(flags, 3) & np.roll(flags, -2)
    deviations[middle] *= draw(st.sampled_from([0.0, 1.0, 5.0, 1e4]))
    if draw(st.booleans()):
        deviations[rng.random(deviations.shape) < 0.2] = np.nan
    if draw(st.booleans()):
        deviations[:, 0] = 0.0
    parts = rng.random((n_rows, n_channels)) * draw(st.sampled_from([0.0, 1.0]))
    cut = draw(st.integers(0, n_rows))
    return flags, cut, deviations, parts


@given(made=flagged_tables(), length=st.integers(1, 8), merge_gap=st.integers(0, 2))
def test_trimmed_events__are_those_of_a_loop(made, length, merge_gap):
    flags, cut, deviations, parts = made
    n_rows = len(flags)
    segments = [s for s in (range(cut), range(cut, n_rows)) if len(s)]
    series = np.arange(n_rows) >= cut
    index = pd.MultiIndex.from_arrays([series, range(n_rows)])
    found = find_events(
        np.where(flags, -1, 1),
        contributions=parts,
        deviations=deviations,
        window_length=length,
        index=index,
        merge_gap=merge_gap,
        max_gap=100,
    )
    events = naive_events.events(flags, segments, merge_gap)
    spans = found[["flagged_start_row", "flagged_end_row"]].to_numpy().tolist()
    assert spans == [[e[0], e[-1]] for e in events]
    assert (found["reach"] == length - 1).all()
    for event, row in zip(events, found.to_dict("records"), strict=True):
        sums = parts[event].sum(axis=0)
        weights = (sums / sums.sum() if sums.sum() else 0 * sums).tolist()
        values = [[None if math.isnan(d) else d for d in line] for line in deviations]
        first, last = naive_events.trimmed(
            event, flags, segments, values, weights, length
        )
        assert (row["start_row"], row["end_row"]) == (first, last)
        assert row["n_rows"] == last - first + 1
        for place in range(1, min(3, parts.shape[1]) + 1):
            own = deviations[first : last + 1, row[f"sensor_{place}"]]
            expected = np.nan if np.isnan(own).all() else np.nanmean(own)
            told = row[f"deviation_{place}"]
            assert told == pytest.approx(expected, nan_ok=True, rel=1e-9, abs=1e-12)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=12))
def test_largest_run__is_that_of_a_loop(heights):
    first, last = _largest_run(np.array(heights, dtype=float))
    n = len(heights)
    sums = [sum(heights[i : j + 1]) for i in range(n) for j in range(i, n)]
    assert 0 <= first <= last < n
    assert sum(heights[first : last + 1]) == max(sums)


@pytest.fixture(scope="module")
def broken():
    """A table with a step and a burst of noise, its explanation and its flags."""
    X = machine(3, 2400)
    X[1300:1400, 2] += 3.0
    X[1800:1900, [4, 6]] += 2 * np.random.default_rng(0).normal(size=(100, 2))
    X = pd.DataFrame(X, columns=list("abcdefgh"))
    detector = WindowedDetector(LinearAutoencoder(), 60).fit(X[:1100])
    scores = detector.score_samples(X)
    return X, detector, np.where(scores < np.quantile(scores[:1100], 0.001), -1, 1)


def test_steps_and_noise__begin_and_end_where_they_do(broken):
    X, detector, labels = broken
    parts, deviations = explain(detector, X, return_deviations=True)
    kwargs = {"contributions": parts, "merge_gap": 20, "min_length": 30}
    events = find_events(labels, deviations=deviations, window_length=60, **kwargs)
    flagged = find_events(labels, **kwargs)
    assert len(events) == 2
    assert (events["start_row"] - flagged["start_row"] > 5).all()
    assert (flagged["end_row"] - events["end_row"] > 5).all()
    assert (events["start_row"] - [1300, 1800]).abs().max() <= 5
    assert (events["end_row"] - [1399, 1899]).abs().max() <= 5
    assert events["sensor_1"][0] == "c"
    assert events["deviation_1"][0] == pytest.approx(3.0, abs=0.5)
    assert set(events.loc[1, ["sensor_1", "sensor_2"]]) == {"e", "g"}
    # scores and shares are those of what was flagged
    same = ["peak", "peak_score", "mean_score", "sensor_1", "share_1", "share_3"]
    pd.testing.assert_frame_equal(events[same], flagged[same])
    renamed = {f"flagged_{n}": n for n in ("start", "end", "start_row", "end_row")}
    spans = events[list(renamed)].rename(columns=renamed)
    pd.testing.assert_frame_equal(spans, flagged[list(renamed.values())])


def test_deviations_in_units_of_the_table__find_the_same_borders(broken):
    X, detector, labels = broken
    factors = pd.Series([1, 50, 0.01, 3, 7, 1, 1000, 2], index=X.columns)
    parts = explain(detector, X)
    deviations = X - expected_values(detector, X)
    shuffled = (deviations * factors)[list("hgfedcba")]
    kwargs = {"contributions": parts, "window_length": 60}
    one = find_events(labels, deviations=deviations, **kwargs)
    other = find_events(labels, deviations=shuffled, **kwargs)
    assert (one["start_row"] == other["start_row"]).all()
    assert (one["end_row"] == other["end_row"]).all()
    expected = one["deviation_1"] * factors[one["sensor_1"]].to_numpy()
    np.testing.assert_allclose(other["deviation_1"], expected)


def test_labels__know_nothing_of_it(broken):
    X, detector, labels = broken
    parts, deviations = explain(detector, X, return_deviations=True)
    before = labels.copy()
    events = find_events(
        labels, contributions=parts, deviations=deviations, window_length=60
    )
    assert (labels == before).all()
    flagged = np.flatnonzero(merge_events(labels) == -1)
    spans = events[["flagged_start_row", "flagged_end_row"]].to_numpy()
    assert flagged.tolist() == [r for a, b in spans for r in range(a, b + 1)]


def test_columns_without_deviation__are_missing():
    parts = pd.DataFrame({"a": [0.0, 3.0], "missingindicator_a": [0.0, 1.0]})
    deviations = pd.DataFrame({"b": [1.0, 2.0], "a": [0.5, -2.0]})
    (event,) = find_events([1, -1], contributions=parts, deviations=deviations).to_dict(
        "records"
    )
    assert event["deviation_1"] == -2.0
    assert math.isnan(event["deviation_2"])


def test_no_events__keep_their_columns():
    kwargs = {"contributions": np.ones((30, 2)), "deviations": np.ones((30, 2))}
    none = find_events(np.ones(30), window_length=5, **kwargs)
    some = find_events(np.r_[-1, np.ones(29)], window_length=5, **kwargs)
    assert list(none.columns) == list(some.columns)
    for name in ("start", "flagged_start", "reach", "deviation_1"):
        assert none[name].dtype == some[name].dtype, name


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_deviations_of_any_size__trim(size):
    rng = np.random.default_rng(0)
    deviations = rng.normal(size=(200, 1))
    deviations[100:120] *= 9
    flags = np.isin(np.arange(200), range(90, 130))
    kwargs = {"contributions": np.ones((200, 1)), "window_length": 30}
    found = find_events(flags, deviations=deviations * (size / 50), **kwargs)
    usual = find_events(flags, deviations=deviations, **kwargs)
    assert found["start_row"].tolist() == usual["start_row"].tolist()
    assert 98 <= found["start_row"][0] <= 104


def test_what_does_not_fit__is_refused():
    parts = np.ones((4, 2))
    both = {"contributions": parts, "deviations": parts}
    with pytest.raises(ValueError, match="deviations were given without contributions"):
        find_events([1, -1, 1, 1], deviations=parts)
    with pytest.raises(ValueError, match="window_length trims events by deviations"):
        find_events([1, -1, 1, 1], contributions=parts, window_length=3)
    with pytest.raises(ValueError, match="deviations have 3 columns"):
        find_events([1, -1, 1, 1], contributions=parts, deviations=np.ones((4, 3)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        find_events([1, -1, 1, 1], contributions=parts, deviations=np.ones((3, 2)))
    with pytest.raises(ValueError, match="infinity"):
        find_events([1, -1], contributions=parts[:2], deviations=[[np.inf, 0], [0, 0]])
    with pytest.raises(ValueError, match="window_length=0"):
        find_events([1, -1, 1, 1], window_length=0, **both)
