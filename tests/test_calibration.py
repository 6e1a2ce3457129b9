"""Thresholds from windows that were left out, what they promise, and what warns."""

import pickle
import warnings

import naive_calibration
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import ONE_EPOCH
from made_tables import noise
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    CalibrationWarning,
    DriftWarning,
    FixedThresholdDetector,
    LinearAutoencoder,
    MLPAutoencoder,
    QuantileThreshold,
    SlidingWindow,
    TunedThresholdDetector,
    WindowedDetector,
    evaluate,
    load,
    make_outlier_scorer,
    recalibrate,
    save,
)
from skad.calibration import _blocks
from skad.calibration._threshold import promised_threshold, within_reach

pytestmark = [
    pytest.mark.filterwarnings("error::skad.DriftWarning"),
    pytest.mark.filterwarnings("ignore::skad.CalibrationWarning"),
]


# Blocks and thresholds, against loops -------------------------------------------------


def test_left_out_rows__are_scored_by_detectors_that_lack_them():
    X = np.random.default_rng(0).normal(size=(60, 6))
    detector = LinearAutoencoder(0.7).fit(X)
    scores = naive_calibration.left_out_scores(
        detector, X, _blocks.random_blocks(len(X), 5)
    )
    expected = naive_calibration.threshold(scores, 0.01, len(X))
    expected = within_reach(expected, detector.score_samples(X), scores)
    assert detector.offset_ == pytest.approx(expected, rel=1e-9)
    assert detector.calibration_.n_scores == 60
    assert detector.calibration_.source == "left-out blocks"


@pytest.mark.parametrize(
    "inner", [LinearAutoencoder(2), IsolationForest(n_estimators=5, random_state=0)]
)
@pytest.mark.parametrize("stride", [1, 3])
def test_left_out_windows__share_no_row_with_what_is_learnt(inner, stride):
    X, length = noise(91), 10
    detector = WindowedDetector(inner, length, stride=stride).fit(X)
    starts = np.arange(0, len(X) - length + 1, stride)
    windows = np.array([X[s : s + length].ravel() for s in starts])
    inner = detector.estimator_
    scores = naive_calibration.left_out_scores(
        inner, windows, naive_calibration.blocks_of(starts, length)
    )
    rows = naive_calibration.row_scores(scores, starts, length, len(X))
    expected = naive_calibration.threshold(rows, 0.01, len(X) / length)
    expected = within_reach(expected, detector.score_samples(X), rows)
    assert detector.offset_ == pytest.approx(expected, rel=1e-9)


def test_windows_that_overlap__are_left_out_in_blocks():
    X = noise(150)
    windows = SlidingWindow(10).fit_transform(X)
    alone = LinearAutoencoder(2, n_channels=3).fit(windows)
    assert alone.calibration_.n_independent == len(windows) / 10
    shuffled = np.random.default_rng(0).permutation(len(windows))
    again = LinearAutoencoder(2, n_channels=3).fit(windows[shuffled])
    assert again.calibration_.n_independent == len(windows)


@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 7))
@settings(max_examples=60)
def test_blocks__leave_out_each_window_once_and_learn_no_neighbour(n, reach, n_blocks):
    starts = np.cumsum(np.random.default_rng(n).integers(1, 4, n))
    for train, out in _blocks.consecutive_blocks(starts, reach, n_blocks):
        distances = np.abs(starts[train][:, None] - starts[out][None])
        assert distances.min() >= reach
        assert len(train) >= 2
    blocks = _blocks.random_blocks(n, n_blocks)
    if len(blocks) == min(n_blocks, n):
        assert sorted(np.concatenate([out for _, out in blocks])) == list(range(n))


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=5, max_size=300),
    st.floats(3, 9_000),
)
def test_threshold__equals_the_plain_formula(errors, n_independent):
    scores = -np.array(errors)
    found = promised_threshold(scores, 0.01, n_independent)
    expected = naive_calibration.threshold(scores, 0.01, n_independent)
    assert found == pytest.approx(expected, rel=1e-6)


def test_threshold__scores_above_zero_or_many__are_counted_or_normal():
    scores = np.random.default_rng(0).normal(5, 1, 200)
    assert 0 < promised_threshold(scores, 0.01, 200) < scores.mean() - 2
    counted = QuantileThreshold(0.01).fit(scores).threshold_
    assert promised_threshold(scores, 0.01, 20_000) == counted
    assert promised_threshold(np.full(50, -2.0), 0.01, 50) == pytest.approx(-2.0)


def test_threshold__is_raised_until_a_learnt_row_is_below():
    scores = -np.arange(1.0, 101.0)
    assert within_reach(-120.0, scores, scores) == -99.5
    assert within_reach(-99.2, scores, scores) == -99.2  # one is
    remembered = scores / 50  # would flag nearly all that was not learnt
    assert within_reach(-120.0, remembered, scores) == -120.0


# What is promised ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "inner",
    [
        LinearAutoencoder(),
        LinearAutoencoder(error_model="std"),
        LinearAutoencoder(error_model="hybrid"),
        IsolationForest(n_estimators=20, random_state=0),
        MLPAutoencoder((16,), max_epochs=15, random_state=0),
    ],
    ids=["mse", "std", "hybrid", "forest", "mlp"],
)
@pytest.mark.parametrize("window_length", [10, 30])
def test_new_normal_rows__are_flagged_about_as_often_as_promised(inner, window_length):
    shares = []
    for seed in range(3):
        X = noise(3500, seed=seed)
        detector = WindowedDetector(inner, window_length).fit(X[:1500])
        shares.append((detector.predict(X[1500:]) < 0).mean())
    assert np.mean(shares) < 0.04  # of 45 independent windows it may well be none
    if window_length == 10:
        assert np.mean(shares) > 0.0005


def test_scores__do_not_change_with_the_threshold():
    X = noise(300)
    auto = WindowedDetector(LinearAutoencoder(error_model="hybrid"), 10).fit(X)
    share = clone(auto).set_params(contamination=0.1).fit(X)
    np.testing.assert_array_equal(auto.score_samples(X), share.score_samples(X))
    assert np.mean(share.predict(X) < 0) == pytest.approx(0.1, abs=0.01)
    assert share.calibration_.promised is None
    assert "nothing is promised" in repr(share.calibration_)


def test_report__tells_where_the_threshold_comes_from():
    detector = WindowedDetector(LinearAutoencoder(), 10).fit(noise(800))
    text = repr(detector.calibration_)
    assert "800 scores of left-out blocks" in text
    assert "80 independent windows" in text
    assert text.count(",") >= 4  # five blocks
    detector = LinearAutoencoder(1).fit(noise(50), X_val=noise(60, seed=1))
    assert "60 scores of held-out windows" in repr(detector.calibration_)


def test_few_windows__warn_with_both_numbers():
    with pytest.warns(CalibrationWarning, match=r"20 independent windows.*need 40"):
        WindowedDetector(LinearAutoencoder(), 10).fit(noise(200))
    with pytest.warns(CalibrationWarning):
        LinearAutoencoder(1).fit(noise(2))


def test_frozen_detector__has_learnt_none_of_the_windows():
    X = noise(400)
    inner = LinearAutoencoder(2, n_channels=3).fit(SlidingWindow(10).fit_transform(X))
    later = noise(600, seed=1)
    detector = WindowedDetector(FrozenEstimator(inner), 10).fit(later)
    scores = detector.score_samples(later)
    assert detector.offset_ == within_reach(
        promised_threshold(scores, 0.01, 60), scores, scores
    )


def test_wrappers__calibrate_once_or_not_at_all(monkeypatch):
    X = noise(300)
    learnt = []
    learn = LinearAutoencoder._learn_plane

    def counted(self, *args):
        learnt.append(1)
        return learn(self, *args)

    monkeypatch.setattr(LinearAutoencoder, "_learn_plane", counted)
    rule = QuantileThreshold(0.05)
    for wrapper, n_fits in [
        (FixedThresholdDetector(LinearAutoencoder(2), -1.0), 1),
        (TunedThresholdDetector(LinearAutoencoder(2), rule, cv=3), 4),
        (TunedThresholdDetector(LinearAutoencoder(2)), 6),
        (WindowedDetector(LinearAutoencoder(2), 5), 6),
        (WindowedDetector(make_pipeline(StandardScaler(), LinearAutoencoder(2)), 5), 6),
        (LinearAutoencoder(2, contamination=0.1), 1),
    ]:
        learnt.clear()
        wrapper.fit(X)
        assert len(learnt) == n_fits


@pytest.mark.parametrize("refit", [True, False])
def test_nets__are_trained_again_for_as_long_as_was_best(refit):
    X = np.random.default_rng(0).normal(size=(100, 8))
    detector = MLPAutoencoder((4,), 2, max_epochs=4, refit=refit, random_state=0).fit(X)
    source = "left-out blocks" if refit else "held-out windows"
    assert detector.calibration_.source == source
    again = clone(detector).fit(X)
    assert again.offset_ == detector.offset_


def test_calibration__is_kept_in_pickles_and_files(tmp_path):
    net = MLPAutoencoder((4,), 2, **ONE_EPOCH)
    detector = WindowedDetector(net, 5).fit(noise(90))
    loaded = load(save(detector, tmp_path / "a.skad"))
    for again in (loaded, pickle.loads(pickle.dumps(detector))):
        assert repr(again.calibration_) == repr(detector.calibration_)


# Drift --------------------------------------------------------------------------------


def test_rows_that_have_moved__warn_at_predict():
    detector = make_pipeline(
        StandardScaler(), WindowedDetector(LinearAutoencoder(), 10)
    )
    detector.fit(noise(1500))
    detector.predict(noise(1500, seed=1))
    with pytest.warns(DriftWarning, match=r"1500 rows \(\d+ %\) are flagged") as told:
        detector.predict(noise(1500, seed=1) + 9)
    assert told[0].filename == __file__


def test_judges__are_not_told(recwarn):
    X = np.concatenate([noise(300), noise(100, seed=1) * 20])
    y = np.repeat([1, -1], [300, 100])
    detector = LinearAutoencoder(1)
    cv = StratifiedKFold(2)
    scoring = make_outlier_scorer("f1")
    cross_val_score(detector, X, y, cv=cv, scoring=scoring, error_score="raise")
    search = GridSearchCV(detector, {"latent_dim": [1, 2]}, cv=cv, scoring=scoring)
    search.fit(X, y)
    evaluate(detector, X[:200], X_test=X[250:], y_test=y[250:], seeds=1)
    assert not [w for w in recwarn if issubclass(w.category, DriftWarning)]


def test_false_alarm_of_drift__is_rare():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for seed in range(20):
            X = noise(1400, seed=seed)
            WindowedDetector(LinearAutoencoder(), 10).fit(X[:700]).predict(X[700:])
    assert sum(issubclass(w.category, DriftWarning) for w in caught) <= 1


# Recalibration ------------------------------------------------------------------------


def test_recalibrate__keeps_scores_and_the_given_detector():
    X, later = noise(800), 3 * noise(800, seed=1)
    detector = make_pipeline(
        StandardScaler(), WindowedDetector(LinearAutoencoder(), 10)
    )
    detector.fit(X)
    before = detector[-1].offset_
    again = recalibrate(detector, later[:400])
    assert detector[-1].offset_ == before
    np.testing.assert_array_equal(
        again.score_samples(later), detector.score_samples(later)
    )
    assert again[-1].calibration_.source == "later rows"
    assert (again.predict(later[400:]) < 0).mean() < 0.1
    with pytest.warns(DriftWarning):
        detector.predict(later[400:])


def test_recalibrate__after_a_share__counts_independent_windows():
    X, later = noise(400), noise(400, seed=1)
    auto, share = (
        recalibrate(WindowedDetector(LinearAutoencoder(2), 8, **params).fit(X), later)
        for params in ({}, {"contamination": 0.1})
    )
    assert share.calibration_.n_independent == 50
    assert share.offset_ == auto.offset_


def test_recalibrate__without_a_calibration__says_so():
    forest = IsolationForest(n_estimators=5, random_state=0).fit(noise(50))
    with pytest.raises(TypeError, match="calibration_"):
        recalibrate(forest, noise(50))
