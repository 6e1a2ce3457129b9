"""Whether normal has moved on: what is kept in fit, and what is said of later rows."""

import pickle
import warnings

import naive_drift
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import ONE_EPOCH
from made_tables import noise
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    DriftWarning,
    FixedThresholdDetector,
    LinearAutoencoder,
    MLPAutoencoder,
    QuantileThreshold,
    SlidingWindow,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    drift_report,
    load,
    recalibrate,
    save,
)
from skad.calibration._drift import QUANTITIES
from skad.calibration._usual import UsualReadings, WindowMeans

pytestmark = [
    pytest.mark.filterwarnings("ignore::skad.CalibrationWarning"),
    pytest.mark.filterwarnings("ignore::skad.DriftWarning"),
]

LENGTH = 10
NAMES = list("abc")


def frame(X):
    index = pd.date_range("2018-04-01", periods=len(X), freq="min")
    return pd.DataFrame(100 + 20 * X, index=index, columns=NAMES)


@pytest.fixture(scope="module")
def table():
    """Three sensors with a memory, 2400 rows; nothing drifts."""
    return frame(noise(2400))


@pytest.fixture(scope="module")
def pipeline(table):
    detector = WindowedDetector(LinearAutoencoder(), LENGTH)
    pipeline = make_pipeline(StandardScaler(), detector)
    return pipeline.set_output(transform="pandas").fit(table[:1200])


def raised(table, name="b", by=2.0):
    later = table[1200:].copy()
    later[name] += by * table[name].std()
    return later


# The calculation, against loops -------------------------------------------------------


@given(
    n=st.integers(8, 60),
    n_new=st.integers(1, 40),
    length=st.integers(1, 5),
    n_channels=st.integers(1, 3),
    dtype=st.sampled_from([np.float64, np.float32, np.int32]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_effects__equal_the_plain_formulas(n, n_new, length, n_channels, dtype, seed):
    rng = np.random.default_rng(seed)
    fit = (20 * rng.normal(size=(n, length, n_channels))).astype(dtype)
    new = (30 * rng.normal(size=(n_new, length, n_channels))).astype(dtype) + dtype(5)
    errors = rng.exponential(size=(n, n_channels))
    later_errors = rng.exponential(size=(n_new, n_channels))
    half = n // 2
    usual = UsualReadings.learn(
        [fit[:half], fit[half:]], [errors[:half], errors[half:]]
    )
    now = UsualReadings.learn([new], [later_errors], usual.level.mean)
    now.error = WindowMeans.of(later_errors)  # also of fewer than 8 windows
    found = usual.effects(now, 0.01)
    for channel in range(n_channels):
        expected = naive_drift.effects(
            fit[:, :, channel].astype(float),
            new[:, :, channel].astype(float),
            errors[:, channel],
            later_errors[:, channel],
            0.01,
        )
        for quantity in QUANTITIES:
            np.testing.assert_allclose(
                found[quantity][:, channel], expected[quantity], rtol=1e-4, atol=1e-5
            )


def wider(table, by=3.0):
    later = table[1200:].copy()
    later["c"] = later["c"].mean() + by * (later["c"] - later["c"].mean())
    return later


def test_what_is_kept__comes_from_windows_at_all_phases(table):
    X = table[:1200].to_numpy()
    detector = WindowedDetector(LinearAutoencoder(2), LENGTH).fit(X)
    usual = detector.calibration_.usual
    starts = range(0, len(X) - LENGTH + 1, 6)
    windows = np.array([X[first : first + LENGTH] for first in starts])
    level, spread = naive_drift.quantities(windows[:, :, 1])
    assert usual.level.n_windows == len(windows)
    assert usual.level.mean[1] == pytest.approx(np.mean(level))
    assert usual.spread.mean[1] == pytest.approx(np.mean(spread))
    assert usual.units[1] == pytest.approx(windows[:, :, 1].std())
    assert usual.level.variances[:, 1] == pytest.approx(naive_drift.variances(level))
    # errors are those of models that have not learnt the windows
    learnt = detector.estimator_.reconstruction_errors(windows).mean(axis=(0, 1))
    assert (usual.error.mean > 0.9 * learnt).all()
    assert usual.error.mean.sum() > learnt.sum()
    assert usual.error.n_windows == len(windows)


def test_windows_alone__are_compared_like_the_same_in_a_table(table):
    X = table.to_numpy()
    inside = WindowedDetector(LinearAutoencoder(2), LENGTH).fit(X[:1200])
    windows = np.lib.stride_tricks.sliding_window_view(X, LENGTH, axis=0)
    windows = windows.transpose(0, 2, 1).reshape(len(windows), -1)
    alone = LinearAutoencoder(2, n_channels=3).fit(windows[: 1200 - LENGTH + 1])
    of_table = drift_report(inside, X[1200:])
    of_windows = drift_report(alone, windows[1200:])
    assert of_windows.sensors.index.isin(range(3)).all()
    assert of_windows.n_windows == of_table.n_windows
    pd.testing.assert_frame_equal(
        of_windows.sensors.filter(regex="level|spread").sort_index(),
        of_table.sensors.filter(regex="level|spread").sort_index(),
    )


def test_still_sensors__are_told_without_a_division_by_zero():
    X = np.column_stack([noise(400, 1), np.full((400, 2), 7.0)])
    X = np.concatenate([X, X])
    X[400:, 1] += np.random.default_rng(0).normal(size=400)
    X[600:, 0] = X[600, 0]
    detector = WindowedDetector(LinearAutoencoder(), LENGTH).fit(X[:400])
    assert drift_report(detector, X[:400]).moved == []
    told = drift_report(detector, X[600:])
    assert told.moved[0] == 1  # which moves now
    assert "stands still" in repr(told)
    assert np.isfinite(told.sensors["spread"]).all()
    level = X[600:, 1].mean() - 7
    assert told.sensors["level"][1] == pytest.approx(level, abs=0.1)  # in its units


# What is said -------------------------------------------------------------------------


def test_nothing_moved__is_said_of_rows_like_those_of_fit(table, pipeline):
    report = drift_report(pipeline, table[1200:])
    assert report.moved == []
    assert report.labels_can_be_trusted
    assert "None of 3 sensors moved" in repr(report)
    assert "Labels can be trusted" in repr(report)
    assert report.n_rows == 1200
    assert report.n_windows == 199
    assert report.flagged_low <= report.flagged <= report.flagged_high


@pytest.mark.parametrize("by", [2.0, -2.0])
def test_raised_sensor__is_named_first_with_its_move(by, table, pipeline):
    report = drift_report(pipeline, raised(table, by=by))
    first = report.sensors.iloc[0]
    assert report.sensors.index[0] == "b"
    assert first["moved"] == "level"
    assert np.sign(first["level"]) == np.sign(by)
    assert first["level_low"] <= by <= first["level_high"]
    assert first["certain"] == min(abs(first["level_low"]), abs(first["level_high"]))
    assert report.sensors["certain"].is_monotonic_decreasing
    assert "b  level" in repr(report)


def test_wider_sensor__is_named_with_its_spread(table, pipeline):
    first = drift_report(pipeline, wider(table)).sensors.loc["c"]
    assert first["moved"] == "spread"
    assert first["spread"] == pytest.approx(np.log(3), abs=0.2)


def test_labels__are_trusted_as_predict_does(table, pipeline):
    for later in (table[1200:], raised(table, by=8), wider(table, 5.0)):
        report = drift_report(pipeline, later)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            labels = pipeline.predict(later)
        is_warned = any(issubclass(w.category, DriftWarning) for w in caught)
        assert report.flagged == np.mean(labels < 0)
        assert report.labels_can_be_trusted != is_warned
    assert not report.labels_can_be_trusted
    assert "recalibrate" in report.reason


def test_model_that_follows_a_sensor__may_hide_its_faults(table, pipeline):
    report = drift_report(pipeline, raised(table, by=8))
    assert report.labels_can_be_trusted
    assert "may no longer see their faults" in repr(report)


@pytest.mark.parametrize("phi", [0.0, 0.95])
def test_stationary_tables__move_in_no_draw(phi):
    for seed in range(10):
        X = noise(3000, seed=seed, phi=phi)
        detector = WindowedDetector(LinearAutoencoder(), LENGTH).fit(X[:1500])
        for later in (X[1500:1510], X[1500:1600], X[1500:]):
            assert drift_report(detector, later).moved == []


def test_cycles_of_two_windows__do_not_move_with_the_hour_of_the_first_row():
    t = np.arange(4000)
    X = np.column_stack([np.sin(np.pi * t / LENGTH), np.cos(np.pi * t / LENGTH)])
    X += 0.1 * np.random.default_rng(0).normal(size=X.shape)
    detector = WindowedDetector(LinearAutoencoder(), LENGTH).fit(X[:2000])
    for first in (2000, 2003, 2005):
        assert drift_report(detector, X[first:]).moved == []


def test_more_confidence__widens_intervals(table, pipeline):
    low, high = (
        drift_report(pipeline, raised(table), confidence=one).sensors.loc["b"]
        for one in (0.9, 0.999)
    )
    for quantity in QUANTITIES:
        assert low[quantity] == high[quantity]
        assert low[f"{quantity}_low"] > high[f"{quantity}_low"]


def test_many_sensors__are_shortened_when_printed():
    X = noise(1200, 20)
    detector = WindowedDetector(LinearAutoencoder(), LENGTH).fit(X[:600])
    report = drift_report(detector, X[600:] + 9)
    assert len(report.moved) == 20
    assert repr(report).endswith("and 8 others; see `sensors`")


# Layers -------------------------------------------------------------------------------


def test_names__come_through_imputers_and_searches(table):
    with_dead = table.assign(dead=np.nan)[["dead", *NAMES]]
    pipeline = make_pipeline(
        TimeSeriesImputer(max_missing=0.5),
        StandardScaler(),
        WindowedDetector(LinearAutoencoder(), LENGTH),
    )
    search = GridSearchCV(
        pipeline,
        {"windoweddetector__estimator__latent_dim": [2]},
        cv=TimeSeriesSplit(2),
        scoring=lambda *_: 0.0,
    ).fit(with_dead[:1200])
    report = drift_report(search, raised(table).assign(dead=np.nan)[list(with_dead)])
    assert report.moved[0] == "b"
    assert set(report.sensors.index) == set(NAMES)


@pytest.mark.parametrize(
    ("inner", "has_errors"),
    [
        (IsolationForest(n_estimators=10, random_state=0), False),
        (make_pipeline(StandardScaler(), LinearAutoencoder(n_channels=3)), True),
        (MLPAutoencoder((8,), 2, **ONE_EPOCH), True),
        (FrozenEstimator(IsolationForest(n_estimators=9, random_state=0)), False),
    ],
    ids=["forest", "pipeline", "net", "frozen"],
)
@pytest.mark.filterwarnings("ignore:There is no X_val:UserWarning")
def test_any_detector_inside__names_the_sensor(inner, has_errors, table):
    if isinstance(inner, FrozenEstimator):
        windows = SlidingWindow(LENGTH).fit_transform(table[:600].to_numpy())
        inner.estimator.fit(windows)
    detector = WindowedDetector(inner, LENGTH).fit(table[:1200].to_numpy())
    report = drift_report(detector, raised(table).to_numpy())
    assert report.moved[0] == 1
    assert report.sensors["error"].notna().all() == has_errors
    assert report.sensors["error"].isna().all() != has_errors


def test_wrappers__are_looked_through_to_what_is_calibrated(table, pipeline):
    outer = TunedThresholdDetector(pipeline, QuantileThreshold(), cv="prefit")
    outer.fit(table[1200:])
    own = drift_report(pipeline, raised(table))
    assert drift_report(outer, raised(table)).sensors.equals(own.sensors)
    again = WindowedDetector(LinearAutoencoder(), LENGTH).fit(table[:1200])
    assert drift_report(again, raised(table)).moved[0] == "b"


def test_segments__are_cut_apart(table):
    series = pd.Index(np.repeat(["x", "y"], 1200), name="machine")
    two = table.set_index([series, table.index])
    detector = WindowedDetector(LinearAutoencoder(), LENGTH).fit(two)
    assert detector.calibration_.usual.level.n_windows == 2 * 199
    short = pd.concat([two[:55], two[1200:1205]])
    with pytest.warns(UserWarning, match="1 of 2 segments"):
        assert drift_report(detector, short).n_windows == 8


def test_held_out_windows__give_the_errors():
    X = np.random.default_rng(0).normal(size=(200, 6))
    detector = LinearAutoencoder(2, n_channels=3).fit(X[:100], X_val=X[100:])
    usual = detector.calibration_.usual
    errors = detector.reconstruction_errors(X[100:]).mean(axis=(0, 1))
    np.testing.assert_allclose(usual.error.mean, errors)
    few = LinearAutoencoder(2, n_channels=3).fit(X[:100], X_val=X[100:105])
    assert drift_report(few, X[100:]).sensors["error"].isna().all()


def test_after_recalibrate__later_rows_are_usual(table, pipeline):
    later = raised(table)
    assert drift_report(pipeline, later).moved == ["b"]
    moved_on = recalibrate(pipeline, later[:600])
    report = drift_report(moved_on, later[600:])
    assert report.moved == []
    assert report.labels_can_be_trusted


def test_files__keep_what_is_usual(table, pipeline, tmp_path):
    save(pipeline, tmp_path / "a.skad")
    expected = drift_report(pipeline, raised(table))
    for copy in (load(tmp_path / "a.skad"), pickle.loads(pickle.dumps(pipeline))):
        report = drift_report(copy, raised(table))
        pd.testing.assert_frame_equal(report.sensors, expected.sensors)
        assert repr(report) == repr(expected)


def test_parameters_changed_after_fit__do_not_count(table, pipeline):
    changed = pickle.loads(pickle.dumps(pipeline))
    changed[-1].set_params(window_length=60)
    later = raised(table)
    assert drift_report(changed, later).n_windows == 199


# Refusals -----------------------------------------------------------------------------


def test_bad_rows__are_refused(table, pipeline):
    numbered = WindowedDetector(LinearAutoencoder(), LENGTH).fit(table.to_numpy())
    with pytest.raises(ValueError, match="features"):
        drift_report(numbered, table[NAMES[:2]].to_numpy())
    with pytest.raises(ValueError, match=r"no whole window of 10 rows.* has 9"):
        drift_report(pipeline, table[1200:1209])
    with pytest.raises(ValueError, match="NaN"):
        drift_report(pipeline, table.assign(a=np.nan))
    for confidence in (0, 1, 2.0, "0.9", None):
        with pytest.raises(ValueError, match="confidence"):
            drift_report(pipeline, table, confidence=confidence)


def test_detectors_without_a_promise__are_refused(table):
    X = table.to_numpy()
    windowed = WindowedDetector(LinearAutoencoder(), LENGTH)
    with pytest.raises(ValueError, match="not fitted"):
        drift_report(windowed, X)
    with pytest.raises(TypeError, match="no detector of skad"):
        drift_report(IsolationForest(random_state=0).fit(X), X)
    share = WindowedDetector(LinearAutoencoder(), LENGTH, contamination=0.1).fit(X)
    with pytest.raises(ValueError, match='contamination="auto"'):
        drift_report(share, X)
    fixed = FixedThresholdDetector(windowed, threshold=-1.0).fit(X)
    with pytest.raises(ValueError, match="inside a wrapper"):
        drift_report(fixed, X)
    few = WindowedDetector(LinearAutoencoder(), 60).fit(X[:220])
    with pytest.raises(ValueError, match=r"knows 5 windows.*at least 8"):
        drift_report(few, X)
    old = windowed.fit(X)
    old.calibration_.usual = None
    with pytest.raises(ValueError, match="knows 0 windows"):
        drift_report(old, X)
    del old.calibration_
    with pytest.raises(ValueError, match=r"0\.1\.0"):
        drift_report(old, X)


def test_few_rows__promise_no_more_than_all_rows(table, pipeline):
    report = drift_report(pipeline, table[:LENGTH])
    assert report.allowed > 1
    assert "up to 100 % by chance: too few rows to tell otherwise" in report.reason
