"""Several detectors as one: units, gates, blocks, members of all kinds."""

import joblib
import naive_union as naive
import numpy as np
import pandas as pd
import pytest
from made_tables import noise, waves, with_fault
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler

import skad
from skad import (
    CalibrationWarning,
    DetectorUnion,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    MLPAutoencoder,
    TunedThresholdDetector,
    WindowedDetector,
    WindowNormalizer,
    drift_report,
    expected_values,
    explain,
)
from skad.calibration._blocks import random_blocks
from skad.series._members import all_rows, unit_of

PLANE, NEAR = LinearAutoencoder(2), LocallyLinearAutoencoder(3)
PAIR = [("plane", PLANE), ("near", NEAR)]
FOREST = ("forest", IsolationForest(n_estimators=10, random_state=0))
LONG = WindowedDetector(LinearAutoencoder(3, error_model="std"), 20)
SHORT = WindowedDetector(LocallyLinearAutoencoder(1), 8)
TABLES = [("long", LONG), ("short", SHORT)]


def rows(n=200, width=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, width)) + 0.1 * rng.normal(
        size=(n, width)
    )


# Scores -----------------------------------------------------------------------------


@pytest.mark.parametrize("others", [[], [FOREST]], ids=["ours", "forest"])
@pytest.mark.parametrize("weights", [None, {"near": 2.5}])
@pytest.mark.parametrize("gates", [None, {"plane": 0.5}])
@pytest.mark.parametrize("units", [None, {"near": "rms"}, {"near": "gain"}])
def test_scores__are_those_of_a_loop(others, weights, gates, units):
    X, X_new = rows(), rows(seed=1)
    pairs = PAIR + others
    union = DetectorUnion(pairs, weights=weights, gates=gates, units=units).fit(X)
    expected = naive.scores(
        [member for _, member in pairs],
        X,
        X_new,
        random_blocks(len(X), 5),
        [(weights or {}).get(name, 1.0) for name, _ in pairs],
        [(gates or {}).get(name, 0.0) for name, _ in pairs],
        [(units or {}).get(name, "std") for name, _ in pairs],
    )
    np.testing.assert_allclose(union.score_samples(X_new), expected, rtol=1e-9)


def test_units__are_of_rows_that_were_left_out():
    """A detector that remembers all rows has no errors on them."""
    X = rows()
    union = DetectorUnion([("near", NEAR), ("plane", PLANE)]).fit(X)
    blocks = random_blocks(len(X), 5)
    expected = naive.left_out_errors([NEAR, PLANE], X, blocks).std(axis=0)
    np.testing.assert_allclose(union.units_, expected)
    assert union.calibration_.source == "left-out blocks"
    assert len(union.calibration_.block_thresholds) == 5


def test_gate__is_silent_within_what_training_showed():
    X = rows()
    gated = DetectorUnion(PAIR, gates={"plane": 3.0}).fit(X)
    alone = DetectorUnion([("near", NEAR)]).fit(X)
    np.testing.assert_allclose(gated.score_samples(X), alone.score_samples(X))
    far = X[:5] + 20 * np.random.default_rng(0).normal(size=(5, X.shape[1]))
    assert (gated.score_samples(far) < alone.score_samples(far)).all()


def test_dropped_member__takes_no_part():
    X = rows()
    union = DetectorUnion([*PAIR, FOREST]).set_params(forest="drop").fit(X)
    assert list(union.named_estimators_) == ["plane", "near"]
    expected = DetectorUnion(PAIR).fit(X)
    np.testing.assert_array_equal(union.score_samples(X), expected.score_samples(X))


def test_jobs__change_no_bit():
    X = rows()
    one, two = (DetectorUnion([*PAIR, FOREST], n_jobs=n).fit(X) for n in (None, 2))
    np.testing.assert_array_equal(one.score_samples(X), two.score_samples(X))
    assert one.offset_ == two.offset_


def test_contamination__flags_that_share_of_the_rows_of_fit():
    X = rows()
    union = DetectorUnion(PAIR, contamination=0.1).fit(X)
    assert (union.predict(X) < 0).mean() == 0.1
    np.testing.assert_array_equal(
        union.score_samples(X), DetectorUnion(PAIR).fit(X).score_samples(X)
    )


def test_normal_label__leaves_other_rows_out():
    X = rows()
    odd = np.arange(len(X)) % 7 == 3
    X[odd] += 5
    labelled = DetectorUnion(PAIR, normal_label=0).fit(X, odd.astype(int))
    expected = DetectorUnion(PAIR).fit(X[~odd])
    np.testing.assert_array_equal(labelled.score_samples(X), expected.score_samples(X))
    assert labelled.offset_ == expected.offset_


@pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")
def test_gain__silences_a_member_that_tells_nothing():
    # Noise repeats nowhere: its nearest window is farther off than the mean.
    X = noise(1000, 6, phi=0)
    union = DetectorUnion(TABLES, units={"short": "gain"}).fit(X)
    assert union.units_[1] == np.inf
    alone = DetectorUnion(TABLES, weights={"short": 0.0}).fit(X)
    np.testing.assert_allclose(union.score_samples(X), alone.score_samples(X))
    assert np.isfinite(explain(union, X).to_numpy()).all()


def test_gain__of_what_is_mostly_told_exactly_is_large_not_infinite():
    X = rows()
    fitted = clone(PLANE).fit(X)
    errors = np.zeros(len(X))
    errors[:5] = 1.0
    assert 0 < unit_of(fitted, all_rows(X, [fitted]), errors, "gain") < 1e-3


def test_gain__is_of_what_the_detector_sees():
    # Behind a scaler, and a normalizer inside the windows, as without the scaler.
    shape = make_pipeline(WindowNormalizer(), LocallyLinearAutoencoder(1))
    X = StandardScaler().fit_transform(waves(1000))
    cut = WindowedDetector(shape, 20)
    pairs = [("plain", cut), ("scaled", make_pipeline(StandardScaler(), cut))]
    union = DetectorUnion(pairs, units=dict.fromkeys(("plain", "scaled"), "gain"))
    first, second = union.fit(X).units_
    assert 0 < first < np.inf
    assert second == pytest.approx(first, rel=1e-3)


class Shifted(OutlierMixin, BaseEstimator):
    """A wrapper that scores by the threshold of the detector inside."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y=None):
        self.estimator_ = clone(self.estimator).fit(X)
        return self

    def score_samples(self, X):
        return self.estimator_.decision_function(X)


@pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")
def test_folds__have_thresholds_only_where_a_wrapper_asks(monkeypatch):
    X = pd.DataFrame(rows(400))
    placed = []
    place = WindowedDetector._scores_of
    monkeypatch.setattr(
        WindowedDetector,
        "_scores_of",
        lambda self, windows: placed.append(1) or place(self, windows),
    )
    alone = DetectorUnion(TABLES).fit(X)
    assert len(placed) == len(TABLES)
    placed.clear()
    wrapped = DetectorUnion([(n, Shifted(one)) for n, one in TABLES]).fit(X)
    assert len(placed) > len(TABLES)
    assert np.isfinite([one.offset_ for one in alone.estimators_]).all()
    assert wrapped.predict(X).shape == alone.predict(X).shape


def test_few_rows__have_units_all_the_same():
    union = DetectorUnion(TABLES).fit(noise(30))
    assert union.calibration_.source == "learnt windows"
    assert np.isfinite(union.score_samples(noise(30))).all()
    constant = DetectorUnion(PAIR).fit(np.ones((30, 4)))
    assert (constant.score_samples(np.ones((3, 4))) == 0).all()


# Tables -----------------------------------------------------------------------------


def test_windows_of_several_lengths__are_added_up():
    X = noise(4000, seed=1)
    union = DetectorUnion(TABLES, weights={"short": 2.0}).fit(X[:2000])
    long, short = union.estimators_
    units = union.units_
    expected = long.score_samples(X) / units[0] + 2 * short.score_samples(X) / units[1]
    np.testing.assert_allclose(union.score_samples(X), expected)
    assert 0.001 < (union.predict(X[2000:]) < 0).mean() < 0.05
    assert union.calibration_.reach == 20


def test_blocks_of_tables__are_not_bridged():
    """A detector that were told of one stretch would learn the jump over a block."""
    t = np.arange(1000)[:, None]
    X = np.sin(t / 7) + t / 100
    times = pd.date_range("2026-01-01", periods=len(t), freq="min")
    for table in (X, pd.DataFrame(X, index=times, columns=["a"])):
        pipeline = make_pipeline(StandardScaler(), SHORT)
        union = DetectorUnion([("a", pipeline), ("b", SHORT)], contamination=0.1)
        parts = []
        originals = WindowedDetector.fit

        def fit(self, X, y=None, *, series=None, parts=parts, fit=originals):
            parts.append(series)
            return fit(self, X, y, series=series)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(WindowedDetector, "fit", fit)
            union.fit(table)
        told = [series for series in parts if series is not None]
        assert len(parts) == 12
        assert len(told) == 6
        assert all(np.unique(series).tolist() == [0, 1] for series in told)


@pytest.mark.filterwarnings("error")
def test_short_series__are_told_once():
    X = noise(1200)
    series = np.repeat([0, 1, 2], [595, 600, 5])
    table = pd.DataFrame(X, index=pd.MultiIndex.from_arrays([series, np.arange(1200)]))
    with pytest.warns(UserWarning, match="1 of 3 segments") as caught:
        DetectorUnion(TABLES).fit(table)
    assert len({str(one.message) for one in caught}) == len(caught)


def test_odd_stretch_of_fit__is_not_learnt():
    X = with_fault(waves(3000), 1500, 1560, size=3.0)
    with pytest.warns(CalibrationWarning, match="are unlike the rest"):
        union = DetectorUnion(TABLES).fit(X)
    ((first, last),) = union.calibration_.odd_stretches
    assert 1470 < first < 1510
    assert 1550 < last < 1590
    assert (union.predict(with_fault(waves(3000, 1), 500, 560, 3.0)[505:555]) < 0).all()


def test_report__names_the_steps_that_were_fitted_anew():
    X = noise(300, seed=1)
    scaled = make_pipeline(StandardScaler(), "passthrough", LinearAutoencoder(2))
    frozen = FrozenEstimator(LinearAutoencoder(2).fit(X))
    union = DetectorUnion([("a", scaled), ("b", LinearAutoencoder(1)), ("c", frozen)])
    calibration = union.fit(X).calibration_
    named = ["StandardScaler", "LinearAutoencoder", "LinearAutoencoder"]
    assert calibration.refitted == named
    assert ", ".join(named) in str(calibration)


def test_report__names_no_steps_that_stayed_as_they_were():
    X = noise(300, seed=1)
    frozen = FrozenEstimator(StandardScaler().fit(X))
    steps = make_pipeline(make_pipeline(frozen, RobustScaler()), frozen)
    both = make_pipeline(steps, LinearAutoencoder(2))
    calibration = DetectorUnion([("a", both)]).fit(X).calibration_
    assert calibration.refitted == ["RobustScaler", "LinearAutoencoder"]


def test_inside_windows__members_are_told_their_channels_and_units_stay():
    X = noise(4000, seed=1)
    union = DetectorUnion([*PAIR, FOREST], gates={"plane": 1.0})
    windowed = WindowedDetector(union, 10).fit(X[:2000])
    inner = windowed.estimator_
    assert [one.n_channels for one in inner.estimators_[:2]] == [3, 3]
    assert windowed.calibration_.refitted == ["DetectorUnion"]
    views = np.lib.stride_tricks.sliding_window_view(X[:2000], 10, axis=0)
    flat = views.transpose(0, 2, 1).reshape(len(views), -1)
    pair = [("plane", clone(PLANE).set_params(n_channels=3)), ("near", NEAR), FOREST]
    alone = DetectorUnion(pair, gates={"plane": 1.0}).fit(flat)
    np.testing.assert_allclose(inner.units_, alone.units_)
    np.testing.assert_allclose(inner.score_samples(flat), alone.score_samples(flat))
    assert 0.001 < (windowed.predict(X[2000:]) < 0).mean() < 0.05


# What is asked afterwards -----------------------------------------------------------


@pytest.mark.parametrize("gates", [None, {"long": 1.0}])
def test_contributions__add_up(gates):
    X = with_fault(noise(1500), 1200, 1300)
    pipeline = make_pipeline(StandardScaler(), DetectorUnion(TABLES, gates=gates))
    contributions = explain(pipeline.fit(X[:1000]), X)
    np.testing.assert_allclose(
        contributions.sum(axis=1), -pipeline.score_samples(X), atol=1e-9
    )
    assert contributions[1220:1280].mean().to_numpy()[:2].sum() > 5


def test_contributions_of_windows__add_up_in_their_shape():
    X = rows(width=12)
    pair = [(name, clone(one).set_params(n_channels=3)) for name, one in PAIR]
    union = DetectorUnion(pair).fit(X)
    parts = union.explain(X)
    assert parts.shape == (200, 4, 3)
    np.testing.assert_allclose(parts.sum(axis=(1, 2)), -union.score_samples(X))


def test_members_that_cannot_explain__are_named():
    X = rows()
    union = DetectorUnion([*PAIR, FOREST]).fit(X)
    with pytest.raises(AttributeError) as error:
        union.explain(X)
    assert "['forest'] cannot" in str(error.value.__cause__ or error.value)
    mixed = [("plane", PLANE), ("near", clone(NEAR).set_params(n_channels=3))]
    with pytest.raises(AttributeError) as error:
        DetectorUnion(mixed).fit(X).explain(X)
    assert "different shapes" in str(error.value.__cause__ or error.value)


def test_expected_values_and_drift__are_told_of_tables():
    X = pd.DataFrame(waves(3000), columns=list("abcd"))
    union = DetectorUnion(TABLES).fit(X[:2000])
    broken = X[2000:].copy()
    broken["b"] += 5
    expected = expected_values(union, broken)
    assert (expected - X[2000:])["b"].abs().mean() < 1
    report = drift_report(union, broken)
    assert report.moved[0] == "b"
    assert not report.labels_can_be_trusted
    assert drift_report(union, X[2000:]).labels_can_be_trusted


# As part of other things ------------------------------------------------------------


def test_search__reaches_members():
    X = rows(300)
    X[::10] += 4
    y = (np.arange(300) % 10 == 0).astype(int)
    search = GridSearchCV(
        DetectorUnion([*PAIR, FOREST], normal_label=0),
        {
            "near__n_neighbors": [1, 5],
            "weights": [None, {"near": 3.0}],
            "forest": ["drop", FOREST[1]],
        },
        scoring=skad.make_outlier_scorer("roc_auc"),
        cv=KFold(3, shuffle=True, random_state=0),
    ).fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    assert search.best_score_ > 0.9


def test_copies__answer_alike(tmp_path):
    X = noise(800)
    union = DetectorUnion([*TABLES, ("rows", NEAR)], gates={"long": 1.0}).fit(X)
    expected = union.score_samples(X)
    joblib.dump(union, tmp_path / "a.joblib")
    skad.save(union, tmp_path / "a.skad")
    for copied in (joblib.load(tmp_path / "a.joblib"), skad.load(tmp_path / "a.skad")):
        np.testing.assert_array_equal(copied.score_samples(X), expected)
        assert copied.offset_ == union.offset_
        assert list(copied.named_estimators_) == ["long", "short", "rows"]


def test_net_among_members__has_as_many_blocks_as_alone():
    net = MLPAutoencoder((8,), 1, max_epochs=3, random_state=0)
    union = DetectorUnion([("net", net), ("plane", PLANE)]).fit(rows())
    assert len(union.calibration_.block_thresholds) == 3


def test_threshold_with_labels__goes_around_it():
    X = rows(300)
    X[::10] += 4
    y = (np.arange(300) % 10 == 0).astype(int)
    tuned = TunedThresholdDetector(DetectorUnion(PAIR), cv=3)
    scorer = skad.make_outlier_scorer("roc_auc")
    assert cross_val_score(tuned, X, y, scoring=scorer, cv=3).min() > 0.5


# Refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"estimators": []}, "has no detector; expected pairs"),
        ({"estimators": [("a", "drop")]}, "has no detector"),
        ({"estimators": [PLANE]}, "holds LinearAutoencoder"),
        ({"estimators": [("a", StandardScaler())]}, "holds .'a', StandardScaler"),
        ({"estimators": [("a", PLANE), ("a", NEAR)]}, "Names provided are not unique"),
        ({"estimators": [("a__b", PLANE)]}, "must not contain __"),
        ({"weights": {"far": 1.0}}, "weights names .'far'., but the members are"),
        ({"weights": {"near": -1.0}}, "'near'.=-1.0; expected a number >= 0"),
        ({"gates": {"near": "x"}}, "gates.'near'.='x'; expected a number"),
        ({"gates": {"near": np.nan}}, "expected a number >= 0"),
        ({"units": {"far": "std"}}, "units names .'far'., but the members are"),
        (
            {"estimators": [FOREST], "units": {"forest": "gain"}},
            "units.'forest'.='gain' needs a detector of",
        ),
        ({"units": {"near": 1.0}}, "units.'near'.=1.0; expected one of"),
        (
            {"estimators": [("a", clone(PLANE).set_params(normal_label=0))]},
            "Set normal_label on DetectorUnion, not on 'a'",
        ),
        ({"normal_label": 0}, "y is None; pass y"),
    ],
)
def test_bad_parameters__are_refused_by_name(params, message):
    with pytest.raises(ValueError, match=message):
        DetectorUnion(PAIR).set_params(**params).fit(rows())


def test_failed_fit__leaves_it_as_it_was():
    X = rows()
    union = DetectorUnion(PAIR).fit(X)
    expected = union.score_samples(X)
    bad = X.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN in row 3"):
        union.fit(bad)
    np.testing.assert_array_equal(union.score_samples(X), expected)
