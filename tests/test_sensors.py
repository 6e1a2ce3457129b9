"""make_sensors: a table with the promised layout, faults and gaps, easy for no one."""

import time
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skad import make_sensors

SENSOR_FAULTS = ["level_shift", "stuck_sensor", "lost_correlation", "noise_burst"]
KINDS = [*SENSOR_FAULTS, "failure"]
WHOLE = {"missing_fraction": 0, "dead_sensors": False}


def everything(*args, **params):
    return make_sensors(*args, return_status=True, return_faults=True, **params)


# -- layout -------------------------------------------------------------------


def test_make_sensors__defaults__layout_of_the_pump_table():
    X, y = make_sensors(random_state=0)
    assert X.shape == (20_000, 12)
    assert list(X) == [f"sensor_{number:02d}" for number in range(12)]
    assert (X.dtypes == np.float64).all()
    assert isinstance(X.index, pd.DatetimeIndex)
    assert X.index.name == "timestamp"
    assert X.index[0] == pd.Timestamp("2018-04-01")
    assert (np.diff(X.index) == np.timedelta64(1, "m")).all()
    assert y.dtype == np.int64
    assert y.index is X.index or y.index.equals(X.index)
    assert set(y) == {0, 1}
    assert not y[:10_000].any()
    assert 0.15 < y[10_000:].mean() < 0.4


def test_make_sensors__52_sensors__empty_ones_are_those_of_the_pump_table():
    X, _ = make_sensors(2000, 52, n_faults=0, random_state=0)
    missing = X.isna().mean()
    assert missing["sensor_15"] == 1
    assert 0.4 < missing["sensor_50"] < 0.8
    assert missing.drop(["sensor_15", "sensor_50"]).max() < 0.1


@settings(max_examples=40, deadline=None)
@given(
    n_timestamps=st.integers(1, 1500),
    n_sensors=st.integers(1, 30),
    kinds=st.sets(st.sampled_from(KINDS), min_size=1).map(sorted),
    normal_fraction=st.floats(0, 0.9),
    missing_fraction=st.floats(0, 0.9),
    dead_sensors=st.booleans(),
    freq=st.sampled_from(["s", "min", "7min", "h"]),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_make_sensors__any_arguments__layout(
    n_timestamps, n_sensors, kinds, normal_fraction, dead_sensors, seed, data, **others
):
    n_sensors += 2 * dead_sensors
    first = int(np.ceil(normal_fraction * n_timestamps))
    places = (n_timestamps - first) // (80 if "failure" in kinds else 20)
    n_faults = data.draw(st.integers(0, places))
    X, y, status, faults = everything(
        n_timestamps,
        n_sensors,
        n_faults=n_faults,
        fault_kinds=kinds,
        normal_fraction=normal_fraction,
        dead_sensors=dead_sensors,
        random_state=seed,
        **others,
    )
    assert X.shape == (n_timestamps, n_sensors)
    assert not np.isinf(X.to_numpy()).any()
    assert X.index.is_monotonic_increasing
    assert X.index.is_unique
    assert not y[:first].any()
    assert status.isin(["NORMAL", "BROKEN", "RECOVERING"]).all()
    expected = [sum(i % len(kinds) == k for i in range(n_faults)) for k in range(5)]
    counts = faults.kind.value_counts()
    assert [counts.get(kind, 0) for kind in kinds] == expected[: len(kinds)]
    # y is the union of the faults, which do not touch.
    marked = pd.Series(0, X.index)
    for fault in faults.itertuples():
        marked.loc[fault.start : fault.end] += 1
    np.testing.assert_array_equal(marked, y)
    for one, next_one in pairwise(faults.itertuples()):
        assert (y.loc[one.end : next_one.start] == 0).any()
    assert (faults.start <= faults.broken).all()
    assert (faults.broken <= faults.end).all()


# -- labels -------------------------------------------------------------------


@pytest.fixture(scope="module")
def run():
    return everything(30_000, 14, n_faults=15, random_state=3)


def test_make_sensors__status__says_normal_while_a_failure_draws_near(run):
    _, y, status, faults = run
    for fault in faults.itertuples():
        phases = status.loc[fault.start : fault.end]
        in_order = list(phases[phases != phases.shift()])
        if fault.kind == "failure":
            assert in_order == ["NORMAL", "BROKEN", "RECOVERING"]
            assert phases.index[phases == "BROKEN"][0] == fault.broken
            assert 200 <= (phases == "NORMAL").sum() <= 600
        else:
            assert in_order == ["BROKEN"]
            assert fault.broken == fault.start
            assert 60 <= len(phases) <= 180
    assert (status[y == 0] == "NORMAL").all()


def test_make_sensors__faults__are_shared_out_and_hit_live_sensors(run):
    X, _, _, faults = run
    assert faults.kind.value_counts().to_dict() == dict.fromkeys(KINDS, 3)
    live = set(X.columns[X.notna().mean() > 0.9])
    assert len(live) == 12
    for fault in faults.itertuples():
        assert set(fault.sensors) <= live
        if fault.kind == "failure":
            assert set(fault.sensors) == live
        else:
            assert 1 <= len(fault.sensors) <= 2
    # Not the order of the kinds: that would give them away.
    assert list(faults.kind) != [KINDS[i % 5] for i in range(15)]


@pytest.mark.parametrize(
    ("given_kinds", "n_faults", "expected"),
    [
        ("all", 7, [2, 2, 1, 1, 1]),
        ("failure", 2, [0, 0, 0, 0, 2]),
        (["noise_burst"], 3, [0, 0, 0, 3, 0]),
        (("failure", "level_shift"), 3, [1, 0, 0, 0, 2]),
        ([], 0, [0, 0, 0, 0, 0]),
        ("all", 0, [0, 0, 0, 0, 0]),
    ],
)
def test_make_sensors__fault_kinds__counts(given_kinds, n_faults, expected):
    _, y, faults = make_sensors(
        4000, n_faults=n_faults, fault_kinds=given_kinds, return_faults=True
    )
    assert [sum(faults.kind == kind) for kind in KINDS] == expected
    assert list(faults) == ["start", "broken", "end", "kind", "sensors"]
    assert faults.start.dtype == y.index.dtype
    assert y.any() == (n_faults > 0)


# -- one generator for each purpose -------------------------------------------


def test_make_sensors__without_faults__same_readings_elsewhere():
    X, _, faults = make_sensors(
        n_faults=8, fault_kinds=SENSOR_FAULTS, return_faults=True, random_state=5
    )
    clean, y_clean = make_sensors(n_faults=0, random_state=5)
    assert not y_clean.any()
    hit = pd.DataFrame(False, X.index, X.columns)
    for fault in faults.itertuples():
        hit.loc[fault.start : fault.end, list(fault.sensors)] = True
        changed = (clean != X) & X.notna()
        there = changed.loc[fault.start : fault.end, list(fault.sensors)]
        # Holding still is no change where nothing moves.
        assert there.mean().min() > (0.5 if fault.kind == "stuck_sensor" else 0.9)
    assert_frame_equal(X.where(~hit), clean.where(~hit))


def test_make_sensors__gaps__leave_the_readings():
    X, y = make_sensors(5000, random_state=2)
    fewer, y_fewer = make_sensors(5000, missing_fraction=0, random_state=2)
    live = X.columns[X.notna().mean() > 0.9]
    assert fewer[live].notna().all(axis=None)
    assert_frame_equal(X[live], fewer[live].where(X.notna()))
    assert_series_equal(y, y_fewer)
    # Where all sensors live, faults may hit any.
    whole, y_whole = make_sensors(5000, random_state=2, **WHOLE)
    assert whole.notna().all(axis=None)
    assert_frame_equal(whole.loc[y == 0, live], fewer.loc[y == 0, live])
    assert_series_equal(y, y_whole)


def test_make_sensors__more_sensors__first_ones_stay_alike():
    few, _ = make_sensors(10_000, 5, n_faults=0, random_state=0, **WHOLE)
    many, _ = make_sensors(10_000, 24, n_faults=0, random_state=1, **WHOLE)
    mean, spread = few.mean(), few.std()
    assert ((many[list(few)].mean() - mean).abs() < spread / 2).all()
    # The 13th measures what the first does, but is another one.
    correlation = many.corr()
    assert (np.diag(correlation.iloc[:12, 12:]) > 0.9).mean() > 0.8
    assert not np.isclose(many.iloc[:, :12].mean(), many.iloc[:, 12:].mean()).any()


def test_make_sensors__same_seed__same_table():
    one, other = (everything(3000, random_state=7) for _ in range(2))
    assert_frame_equal(one[0], other[0])
    assert_series_equal(one[1], other[1])
    assert_series_equal(one[2], other[2])
    assert_frame_equal(one[3], other[3])
    assert not make_sensors(3000, random_state=8)[0].equals(one[0])


def test_make_sensors__random_state_instance__advanced():
    rng = np.random.RandomState(0)
    one, other = (make_sensors(1000, n_faults=1, random_state=rng)[0] for _ in "ab")
    assert not one.equals(other)
    again = make_sensors(1000, n_faults=1, random_state=np.random.RandomState(0))[0]
    assert_frame_equal(one, again)


def test_make_sensors__no_seed__fresh_and_no_global_state():
    before = np.random.get_state()  # noqa: NPY002 - looked at, not drawn from
    one, other = (make_sensors(500, n_faults=0)[0] for _ in "ab")
    after = np.random.get_state()  # noqa: NPY002
    assert not one.equals(other)
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


# -- a machine ----------------------------------------------------------------


@pytest.fixture(scope="module")
def normal_table():
    X, _ = make_sensors(40_000, n_faults=0, random_state=0, **WHOLE)
    names = "flow pressure current speed vibration bearing motor outlet level valve "
    return X.set_axis((names + "voltage room").split(), axis=1)


def test_normal_table__sensors__hang_together(normal_table):
    correlation = normal_table.corr()
    assert correlation.loc["speed", ["flow", "pressure", "current"]].min() > 0.8
    assert correlation.loc["bearing", "motor"] > 0.7
    assert correlation.loc["voltage", "current"] < -0.5
    assert abs(correlation.loc["speed", "valve"]) < 0.2
    # Far fewer things happen than there are sensors.
    explained = PCA().fit((normal_table / normal_table.std()).to_numpy())
    assert 3 < (explained.explained_variance_ratio_.cumsum() < 0.95).sum() + 1 < 9


def test_normal_table__machine__runs_and_idles(normal_table):
    speed = normal_table["speed"]
    middle = (speed.quantile(0.001) + speed.quantile(0.5)) / 2
    idle = speed < middle
    assert 0.07 < idle.mean() < 0.25
    n_idles = (idle & ~idle.shift(fill_value=False)).sum()
    assert 100 < 40_000 / n_idles < 300  # minutes from one to the next
    # Temperatures are slower than the load that heats them.
    steps = normal_table.diff().abs().quantile(0.99) / normal_table.std()
    assert steps["motor"] < 0.3 * steps["speed"]


def test_normal_table__room__follows_the_day(normal_table):
    by_hour = normal_table["room"].groupby(normal_table.index.hour).mean()
    assert 12 < by_hour.idxmax() < 21
    assert by_hour.idxmin() < 9


def test_normal_table__sensors__drift(normal_table):
    """What links the sensors moves: a fit to one week is worse in the fourth."""
    Z = ((normal_table - normal_table.mean()) / normal_table.std()).to_numpy()
    others = np.column_stack([np.delete(Z, 3, axis=1), Z[:, 0] ** 2, Z[:, 9] * Z[:, 0]])
    week = slice(0, 7 * 1440)
    weights = np.linalg.lstsq(others[week], Z[week, 3])[0]
    error = np.abs(Z[:, 3] - others @ weights)
    assert error[-7 * 1440 :].mean() > 1.1 * error[week].mean()


@pytest.mark.parametrize("freq", ["10s", "15min", pd.Timedelta(hours=1)])
def test_make_sensors__freq__same_machine(freq, normal_table):
    X, _ = make_sensors(20_000, n_faults=0, freq=freq, random_state=0, **WHOLE)
    assert (np.diff(X.index) == pd.Timedelta(freq).to_timedelta64()).all()
    ratio = X.std().to_numpy() / normal_table.std().to_numpy()
    assert (ratio[:5] > 0.4).all()
    assert (ratio < 3).all()


def test_make_sensors__start__is_the_first_row():
    X, _ = make_sensors(10, n_faults=0, start=pd.Timestamp("2020-02-29 13:07"))
    assert X.index[0] == pd.Timestamp("2020-02-29 13:07")


# -- faults -------------------------------------------------------------------


def hits(kind):
    """Yield what a hit sensor shows and should show, both standardised, and when."""
    params = {"random_state": 1, **WHOLE}
    X, _, faults = make_sensors(
        30_000, n_faults=12, fault_kinds=kind, return_faults=True, **params
    )
    clean, _ = make_sensors(30_000, n_faults=0, **params)
    Z, Z_clean = X / clean.std(), clean / clean.std()
    for fault in faults.itertuples():
        for name in fault.sensors:
            when = slice(fault.start, fault.end)
            yield Z.loc[when, name], Z_clean[name], when


def test_level_shift__jumps_and_stays():
    for shown, true, when in hits("level_shift"):
        change = shown - true[when]
        assert change.std() < 0.05
        assert 0.4 < abs(change.mean()) < 2


def test_stuck_sensor__shows_its_last_reading():
    for shown, true, when in hits("stuck_sensor"):
        assert shown.nunique() == 1
        assert shown.iloc[0] == true[: when.start].iloc[-2]


def test_lost_correlation__shows_another_time():
    changes = []
    for shown, true, when in hits("lost_correlation"):
        assert shown.isin(true).all()
        changes.append((shown - true[when]).abs().mean())
    assert np.median(changes) > 0.5


def test_noise_burst__is_noise():
    for shown, true, when in hits("noise_burst"):
        change = shown - true[when]
        assert abs(change.mean()) < 3 * change.std() / np.sqrt(len(change))
        assert abs(change.autocorr()) < 0.4
        assert 0.05 < change.std() < 1


@pytest.mark.parametrize("kind", SENSOR_FAULTS)
def test_fault_of_a_sensor__no_reading_tells_by_its_size(kind):
    for shown, true, _ in hits(kind):
        spread = np.ptp(true.to_numpy())
        assert shown.max() < true.max() + spread / 3
        assert shown.min() > true.min() - spread / 3


def test_failure__drifts_first_slowly_then_faster_then_stands_still():
    params = {"fault_kinds": "failure", "random_state": 4, **WHOLE}
    X, _, faults = make_sensors(30_000, n_faults=4, return_faults=True, **params)
    clean, _ = make_sensors(30_000, **{**params, "n_faults": 0})
    change = ((X - clean) / clean.std())["sensor_05"]  # bearing temperature
    for fault in faults.itertuples():
        drift = change.loc[fault.start : fault.broken][:-1]
        quarters = np.array([q.mean() for q in np.array_split(drift, 4)])
        assert (np.diff(quarters) > 0).all()
        assert quarters[0] < 0.15
        assert drift[-30:].mean() > 0.7
        assert quarters[3] - quarters[2] > quarters[1] - quarters[0]
        flow = X.loc[fault.broken : fault.end, "sensor_00"]
        assert flow[20:60].max() < clean["sensor_00"].quantile(0.02)
        assert flow[-5:].mean() > flow[20:60].mean()
    # Hours later all is forgotten.
    later = X.index.searchsorted(faults.end[:-1]) + 1000
    assert change.iloc[later].abs().max() < 0.1


def test_make_sensors__missing_fraction__is_met():
    for fraction in (0.0, 0.02, 0.3, 0.8):
        X, _ = make_sensors(
            20_000, n_faults=0, missing_fraction=fraction, dead_sensors=False,
            random_state=0,
        )  # fmt: skip
        assert X.isna().mean().mean() == pytest.approx(fraction, rel=0.15)


def test_make_sensors__missing_values__single_stretches_and_whole_rows():
    X, _ = make_sensors(n_faults=0, random_state=0, dead_sensors=False)
    missing = X.isna()
    lengths = [
        length
        for name in X
        for is_missing, length in zip(*run_lengths(missing[name]), strict=True)
        if is_missing
    ]
    assert lengths.count(1) > 500
    assert 30 < sum(length > 10 for length in lengths) < 300
    assert max(lengths) < 300
    assert missing.all(axis=1).any()
    assert (
        missing.iloc[0].any() or missing.iloc[-1].any() or missing[:100].any(axis=None)
    )


def run_lengths(values):
    values = np.asarray(values)
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    return values[starts], np.diff([*starts, len(values)])


# -- neither easy nor hopeless ------------------------------------------------


def mean_over_windows(errors, length, n):
    total = np.convolve(errors, np.ones(length))
    return total[:n] / np.convolve(np.ones(len(errors)), np.ones(length))[:n]


@pytest.fixture(scope="module")
def roc_auc():
    """ROC-AUC of simple detectors on the second half, by kind; mean of two tables."""
    found = []
    for seed in range(2):
        X, _, status, faults = everything(random_state=seed)
        kind = pd.Series("normal", X.index)
        for fault in faults.itertuples():
            kind.loc[fault.start : fault.end] = fault.kind
        kind[(kind == "failure") & (status == "NORMAL")] = "drift"
        train, length = len(X) // 2, 60
        X = X.dropna(axis=1, thresh=len(X) // 2).ffill().bfill()
        Z = ((X - X[:train].mean()) / X[:train].std()).to_numpy()
        windows = np.lib.stride_tricks.sliding_window_view(Z, length, axis=0)
        windows = windows.reshape(len(windows), -1)
        pca = PCA(0.9).fit(windows[: train - length : 10])
        pca_errors = windows - pca.inverse_transform(pca.transform(windows))
        forest = IsolationForest(random_state=0).fit(Z[:train])
        errors = {
            "range": np.abs(Z).max(axis=1),
            "pca": mean_over_windows((pca_errors**2).mean(axis=1), length, len(Z)),
            "forest": -forest.score_samples(Z),
            "random": np.random.default_rng(seed).uniform(size=len(Z)),
        }
        judged = pd.DataFrame(errors)[train:].assign(kind=kind[train:].to_numpy())
        for name in errors:
            for which in [*SENSOR_FAULTS, "drift", "failure", "all"]:
                rows = judged[judged.kind.isin(["normal", which])]
                rows = judged if which == "all" else rows
                auc = roc_auc_score(rows.kind != "normal", rows[name])
                found.append((name, which, auc))
    found = pd.DataFrame(found, columns=["detector", "kind", "auc"])
    return found.pivot_table(values="auc", index="detector", columns="kind")


def test_roc_auc__windows_beat_rows_and_chance(roc_auc):
    overall = roc_auc["all"]
    assert overall["pca"] > overall["forest"] + 0.02
    assert overall["pca"] > overall["range"] + 0.02
    assert overall["forest"] > overall["random"] + 0.1
    assert overall["pca"] < 0.9


def test_roc_auc__random__finds_none(roc_auc):
    assert (roc_auc.loc["random"] - 0.5).abs().max() < 0.05


def test_roc_auc__thresholds_of_rows__see_little_but_the_standstill(roc_auc):
    rows = roc_auc.loc[["range", "forest"]]
    assert rows["failure"].min() > 0.85
    assert rows[SENSOR_FAULTS].max(axis=None) < 0.75
    assert rows["drift"].max() < 0.85


def test_roc_auc__windowed_pca__finds_some_kinds_and_misses_others(roc_auc):
    pca = roc_auc.loc["pca"]
    assert pca[["lost_correlation", "level_shift", "failure"]].min() > 0.75
    assert pca[["stuck_sensor", "noise_burst"]].max() < 0.75


# -- bad parameters, cost -----------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_timestamps": 0}, r"n_timestamps=0; expected an int >= 1"),
        ({"n_timestamps": 1e4}, r"n_timestamps=10000\.0; expected an int >= 1"),
        ({"n_sensors": 2}, r"n_sensors=2; expected an int >= 3"),
        ({"n_sensors": 0, "dead_sensors": False}, r"n_sensors=0; .* int >= 1"),
        ({"n_faults": -1}, r"n_faults=-1; expected an int >= 0"),
        ({"n_faults": True}, r"n_faults=True; expected an int >= 0"),
        ({"fault_kinds": "spike"}, r"fault_kinds=\['spike'\]; expected 'all' or some"),
        ({"fault_kinds": ["failure", "x"]}, r"\['failure', 'x'\]; expected 'all' or"),
        ({"fault_kinds": []}, r"fault_kinds=\[\]; expected 'all' or some of 'level"),
        ({"normal_fraction": 1}, r"normal_fraction=1; expected a number in \[0, 1\)"),
        ({"normal_fraction": "0.5"}, r"normal_fraction='0\.5'; expected a number"),
        ({"missing_fraction": -0.1}, r"missing_fraction=-0\.1; expected a number"),
        ({"missing_fraction": np.nan}, r"missing_fraction=nan; expected a number"),
        ({"n_timestamps": 600}, r"n_faults=10 need 320 rows .*; found 300"),
        (
            {"normal_fraction": 0.99},
            r"need 320 rows .*; found 200\. Raise n_timestamps",
        ),
        ({"freq": "2h"}, r"freq='2h'; expected a step of at most one hour"),
        ({"freq": "-1min"}, r"freq='-1min'; expected a step of at most one hour"),
        ({"freq": "often"}, r"start='2018-04-01', freq='often': "),
        ({"start": "now or never"}, r"start='now or never', freq='min': "),
        ({"random_state": -1}, "Seed must be between 0"),
    ],
)
def test_make_sensors__bad_parameter__value_error(params, message):
    with pytest.raises(ValueError, match=message):
        make_sensors(**params)


def test_make_sensors__20000_rows__under_a_second():
    start = time.process_time()
    make_sensors(20_000, 12, random_state=0)
    assert time.process_time() - start < 1
