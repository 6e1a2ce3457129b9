"""Stretches of the rows of fit that are unlike the rest."""

import pickle

import joblib
import naive_calibration
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import waves, with_fault
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    CalibrationWarning,
    LinearAutoencoder,
    MLPAutoencoder,
    SlidingWindow,
    WindowedDetector,
    load,
    save,
)
from skad.calibration._odd import find_odd, stretches_of

pytestmark = pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")


def odd_of(scores, reach):
    """Odd scores where none is known yet."""
    return find_odd(scores, reach, np.zeros(len(scores), dtype=bool))


# Which scores are odd -----------------------------------------------------------------


@given(
    seed=st.integers(0, 10_000),
    reach=st.integers(1, 12),
    n_faults=st.integers(0, 5),
    length=st.integers(1, 40),
    is_signed=st.booleans(),
)
@settings(max_examples=150)
def test_odd_scores__are_those_of_plain_loops(seed, reach, n_faults, length, is_signed):
    rng = np.random.default_rng(seed)
    errors = np.exp(0.5 * rng.normal(size=300) + 0.3 * rng.standard_t(3, size=300))
    for first in rng.integers(0, 300, n_faults):
        errors[first : first + length] *= rng.choice([3.0, 10.0, 100.0])
    scores = 20 - errors if is_signed else -errors
    expected = naive_calibration.odd(scores, reach)
    np.testing.assert_array_equal(odd_of(scores, reach), expected)


def test_scores_that_are_all_alike__are_not_odd():
    assert not odd_of(np.full(50, -1.0), 3).any()
    mostly = np.full(50, -1.0)
    mostly[7] = -100.0  # nothing tells how much 99 is
    assert not odd_of(mostly, 3).any()


def test_stretches__are_named_by_their_rows():
    odd = np.array([1, 1, 0, 0, 1, 0, 1], dtype=bool)
    rows = np.array([3, 4, 5, 6, 9, 10, 11])
    assert stretches_of(odd, rows) == [(3, 4), (9, 9), (11, 11)]


# What becomes of them -----------------------------------------------------------------

DETECTORS = {
    "mse": LinearAutoencoder(),
    "hybrid": LinearAutoencoder(error_model="hybrid"),
    "forest": IsolationForest(n_estimators=30, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), LinearAutoencoder()),
    "mlp": MLPAutoencoder((16,), max_epochs=10, random_state=0),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_odd_day_in_fit__is_not_learnt_and_found_when_it_comes_again(name):
    inner = DETECTORS[name]
    X, later = np.split(with_fault(waves(3000), 2200, 2260), 2)
    with pytest.warns(CalibrationWarning, match=r"Rows \d+ to \d+ of fit are unlike"):
        detector = WindowedDetector(inner, 15).fit(with_fault(X, 500, 560))
    ((first, last),) = detector.calibration_.odd_stretches
    assert 480 <= first <= 505
    assert 555 <= last <= 580
    labels = detector.predict(later)
    clean = WindowedDetector(inner, 15).fit(X).predict(later)
    assert (labels[700:760] < 0).mean() >= 0.9 * (clean[700:760] < 0).mean() > 0.5
    assert (np.delete(labels, np.s_[685:775]) < 0).mean() < 0.035
    assert f"unlike the rest: rows {first} to {last}" in repr(detector.calibration_)


@pytest.mark.parametrize("inner", ["mse", "forest"])
def test_model__is_that_of_the_other_windows(inner):
    X = with_fault(waves(1000), 500, 540)
    detector = WindowedDetector(DETECTORS[inner], 10).fit(X)
    ((first, last),) = detector.calibration_.odd_stretches
    is_odd = np.zeros(len(X), dtype=bool)
    is_odd[first : last + 1] = True
    starts = np.array([s for s in range(991) if is_odd[s : s + 10].sum() < 5])
    kept = np.array([X[s : s + 10].ravel() for s in starts])
    alone = type(detector.estimator_)(**detector.estimator_.get_params()).fit(kept)
    some = kept[:20]
    np.testing.assert_allclose(
        detector.estimator_.score_samples(some), alone.score_samples(some), rtol=1e-6
    )
    assert detector.calibration_.n_scores == (~is_odd).sum()


def test_windows_in_order__without_a_table():
    windows = SlidingWindow(10).fit_transform(with_fault(waves(800), 300, 330))
    detector = LinearAutoencoder(n_channels=4).fit(windows)
    ((first, last),) = detector.calibration_.odd_stretches
    assert 295 <= first <= last <= 345
    shuffled = np.random.default_rng(0).permutation(windows)
    assert not LinearAutoencoder(n_channels=4).fit(shuffled).calibration_.odd_stretches


def test_windows_filled_up_in_front__are_left_out_without_a_word(recwarn):
    windows = SlidingWindow(20).fit_transform(waves(1000))
    detector = LinearAutoencoder(n_channels=4).fit(windows)
    assert all(last < 20 for _, last in detector.calibration_.odd_stretches)
    assert not [one for one in recwarn if "unlike the rest" in str(one.message)]


def test_rows_without_order__are_all_learnt():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 6))
    X[rng.choice(500, 20, replace=False)] += 8
    detector = LinearAutoencoder(2).fit(X)
    assert detector.calibration_.odd_stretches == []


@pytest.mark.parametrize("params", [{"contamination": 0.05}, {"normal_label": 1}])
def test_odd_stretches__are_looked_for_among_labelled_rows_not_for_a_share(params):
    X, y = with_fault(waves(800), 300, 340), np.ones(800)
    detector = WindowedDetector(LinearAutoencoder(), 10, **params).fit(X, y)
    is_auto = "contamination" not in params
    assert bool(detector.calibration_.odd_stretches) == is_auto


def test_detectors_that_go_on__are_fitted_once_or_anew():
    X = with_fault(waves(800), 300, 340)
    windows = SlidingWindow(10).fit_transform(X)
    warm = {"warm_start": True, "early_stopping": False, "max_epochs": 3}
    net = MLPAutoencoder((8,), n_channels=4, random_state=0, **warm).fit(windows)
    assert net.calibration_.odd_stretches == []  # what is learnt cannot be unlearnt
    assert net.n_iter_ == 3
    forest = IsolationForest(n_estimators=20, random_state=0, warm_start=True)
    fitted = WindowedDetector(forest, 10).fit(X)
    assert fitted.calibration_.odd_stretches
    cold = WindowedDetector(forest.set_params(warm_start=False), 10).fit(X)
    np.testing.assert_array_equal(fitted.score_samples(X), cold.score_samples(X))


def test_rows_of_series__count_from_the_start_of_the_table():
    X = pd.DataFrame(with_fault(waves(1000), 700, 740))
    X.index = pd.MultiIndex.from_arrays([np.repeat([0, 1], 500), np.arange(1000)])
    detector = WindowedDetector(LinearAutoencoder(), 10).fit(X)
    ((first, last),) = detector.calibration_.odd_stretches
    assert 685 <= first <= last <= 755


def test_stationary_tables__have_no_odd_stretches():
    found = []
    for seed in range(20):
        detector = WindowedDetector(LinearAutoencoder(), 10).fit(waves(800, seed))
        found += detector.calibration_.odd_stretches
    assert not found


# The report ---------------------------------------------------------------------------


def test_report__tells_what_was_fitted_anew_and_what_it_can_promise(tmp_path):
    inner = make_pipeline(StandardScaler(), LinearAutoencoder())
    detector = WindowedDetector(inner, 10).fit(with_fault(waves(900), 400, 440))
    calibration = detector.calibration_
    assert calibration.refitted == ["StandardScaler", "LinearAutoencoder"]
    low, high = calibration.promised_interval
    assert 0 < low < 0.01 < high < 0.08
    loaded = load(save(detector, tmp_path / "a.skad"))
    for again in (loaded, pickle.loads(pickle.dumps(detector))):
        assert repr(again.calibration_) == repr(calibration)
        assert again.calibration_.odd_stretches == calibration.odd_stretches


def test_blocks_that_disagree__are_told():
    X = waves(1500)
    still = WindowedDetector(LinearAutoencoder(2), 10).fit(X)
    assert "disagree" not in repr(still.calibration_)
    moving = X * np.linspace(1, 4, 1500)[:, None]
    moved = WindowedDetector(LinearAutoencoder(2), 10).fit(moving)
    assert moved.calibration_.disagreement > 9
    assert "The blocks disagree" in repr(moved.calibration_)


class Remembering(LinearAutoencoder):
    """Scores what it has learnt far too high."""

    def _scores_of(self, windows):
        scores = super()._scores_of(windows)
        return scores if hasattr(self, "is_fold") else scores / 1e6

    def _learn_fold(self, windows):
        self.is_fold = True
        super()._learn_fold(windows)


def test_no_learnt_row_below__warns_unless_that_may_be_chance(recwarn):
    X = np.random.default_rng(0).normal(size=(600, 6))
    Remembering(2).fit(X[:200])
    assert not [one for one in recwarn if "No row" in str(one.message)]
    with pytest.warns(CalibrationWarning, match="No row of fit is below"):
        Remembering(2).fit(X)


@pytest.mark.parametrize("name", ["mse", "forest", "mlp"])
def test_blocks_at_once__give_the_same_threshold(name):
    X = with_fault(waves(600), 200, 230)
    one = WindowedDetector(DETECTORS[name], 8).fit(X)
    windows = SlidingWindow(8).fit_transform(X)
    with joblib.parallel_config(n_jobs=2):
        two = WindowedDetector(DETECTORS[name], 8).fit(X)
    assert one.offset_ == two.offset_
    if name == "mlp":
        alone = MLPAutoencoder((16,), max_epochs=3, random_state=0, n_channels=4)
        offset = alone.fit(windows).offset_
        with joblib.parallel_config(n_jobs=2):
            assert alone.fit(windows).offset_ == offset


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_blocks__run_in_threads_whatever_joblib_is_told(backend):
    X = waves(300)
    one = WindowedDetector(DETECTORS["mlp"], 8).fit(X)
    with joblib.parallel_config(backend, n_jobs=2):
        two = WindowedDetector(DETECTORS["mlp"], 8).fit(X)
    assert one.offset_ == two.offset_
