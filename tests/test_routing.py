"""`series` and `groups` through scorers, searches and detectors around others."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    AlertBudgetThreshold,
    FBetaThreshold,
    FixedThresholdDetector,
    LinearAutoencoder,
    QuantileThreshold,
    TunedThresholdDetector,
    WindowedDetector,
    event_fbeta_score,
    make_outlier_scorer,
)

N_SERIES, LENGTH = 4, 60
SERIES = np.repeat(list("dbca"), LENGTH)
WINDOWED = WindowedDetector(LinearAutoencoder(2), 5, contamination=0.05)


def make_table():
    t = np.arange(len(SERIES))[:, None] + [0, 3, 7]
    X = np.sin(t / 5) + 0.1 * np.random.default_rng(0).normal(size=t.shape)
    y = np.zeros(len(X), dtype=int)
    for start in range(20, len(X), LENGTH):
        X[start : start + 5] += 3.0
        y[start : start + 5] = 1
    return X, y


X, Y = make_table()
ORDER = np.argsort(np.tile(np.arange(LENGTH), N_SERIES), kind="stable")
INDEX = pd.MultiIndex.from_arrays([SERIES, np.tile(np.arange(LENGTH), N_SERIES)])
FRAME = pd.DataFrame(X, INDEX)


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


# Scorers ------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["roc_auc", "f1", "event_f1", "vus_pr"])
def test_scorer__hands_series_on(metric, routing):
    scorer = make_outlier_scorer(metric).set_score_request(series=True)
    detector = clone(WINDOWED).fit(X, series=SERIES)
    found = scorer(detector, X, Y, series=SERIES)
    by_index = clone(WINDOWED).fit(FRAME)
    expected = make_outlier_scorer(metric)(by_index, FRAME, pd.Series(Y, INDEX))
    assert found == expected


@pytest.mark.parametrize("groups", [None, SERIES])
def test_search__with_series_of_each_fold(groups, routing):
    scorer = make_outlier_scorer("roc_auc").set_score_request(series=True)
    cv = KFold(2) if groups is None else GroupKFold(2)
    search = GridSearchCV(
        clone(WINDOWED).set_fit_request(series=True),
        {"window_length": [5, 8]},
        scoring=scorer,
        cv=cv,
        error_score="raise",
    )
    others = {} if groups is None else {"groups": groups}
    search.fit(X, Y, series=SERIES, **others)
    by_index = GridSearchCV(
        WINDOWED,
        {"window_length": [5, 8]},
        scoring=make_outlier_scorer("roc_auc"),
        cv=list(cv.split(X, Y, groups)),
    ).fit(FRAME, Y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], by_index.cv_results_["mean_test_score"]
    )


def test_several_scorers__each_call_with_series(routing):
    scorers = {
        name: make_outlier_scorer(name).set_score_request(series=True)
        for name in ("roc_auc", "average_precision", "f1", "event_f1")
    }
    found = cross_validate(
        clone(WINDOWED).set_fit_request(series=True),
        X,
        Y,
        params={"series": SERIES},
        scoring=scorers,
        cv=KFold(2),
        error_score="raise",
    )
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in scorers)


def test_series_by_another_name__and_beside_sample_weight(routing):
    scorer = make_outlier_scorer("f1")
    scorer.set_score_request(series="machine", sample_weight=True)
    found = cross_val_score(
        clone(WINDOWED).set_fit_request(series="machine"),
        X,
        Y,
        params={"machine": SERIES, "sample_weight": np.ones(len(X))},
        scoring=scorer,
        cv=KFold(2),
        error_score="raise",
    )
    assert np.isfinite(found).all()


def test_pipeline__hands_series_on_to_decision_function(routing):
    detector = clone(WINDOWED).set_fit_request(series=True)
    detector.set_decision_function_request(series=True)
    pipeline = make_pipeline(StandardScaler(), detector).fit(X, series=SERIES)
    scorer = make_outlier_scorer("roc_auc").set_score_request(series=True)
    scaled = StandardScaler().fit_transform(X)
    alone = clone(WINDOWED).fit(scaled, series=SERIES)
    assert scorer(pipeline, X, Y, series=SERIES) == scorer(
        alone, scaled, Y, series=SERIES
    )


@pytest.mark.parametrize(
    "detector",
    [
        IsolationForest(n_estimators=3, random_state=0),
        GridSearchCV(WINDOWED, {}, scoring=len),
    ],
)
def test_detectors_that_take_no_series__are_named(detector, routing):
    scorer = make_outlier_scorer("roc_auc").set_score_request(series=True)
    name = f"{type(detector).__name__}.score_samples takes none"
    if isinstance(detector, GridSearchCV):
        detector = detector.set_params(scoring=lambda *_: 0.0, cv=2)
    with pytest.raises(TypeError, match=name):
        scorer(detector.fit(FRAME, Y), FRAME, Y, series=SERIES)


@pytest.mark.parametrize("request_", [{"groups": True}, {"sries": "series"}])
def test_requests_that_cannot_be_served__are_refused(request_, routing):
    (name,) = request_
    with pytest.raises(ValueError, match=f"this scorer has no use for {name!r}"):
        make_outlier_scorer("roc_auc").set_score_request(**request_)
    make_outlier_scorer("roc_auc").set_score_request(**{name: False})


def test_request_of_the_metric__is_served(routing):
    scorer = make_outlier_scorer("event_f1").set_score_request(index=True)
    detector = clone(WINDOWED).fit(FRAME)
    found = scorer(detector, FRAME, Y, index=INDEX)
    assert found == event_fbeta_score(Y, detector.predict(FRAME), index=INDEX)
    with pytest.raises(ValueError, match="no use for 'sample_weight'"):
        scorer.set_score_request(sample_weight=True)


def test_scorer_that_is_told_no_series__says_so(routing):
    detector = clone(WINDOWED).fit(X, series=SERIES)
    with pytest.raises(ValueError, match="series was given to fit"):
        make_outlier_scorer("roc_auc")(detector, X, Y)


# Detectors around others --------------------------------------------------------------

CVS = {"float": 0.5, "int": 2, "splitter": KFold(4), "prefit": "prefit"}


@pytest.mark.parametrize("cv", CVS.values(), ids=CVS)
def test_tuned__hands_series_on(cv):
    by_array = TunedThresholdDetector(WINDOWED, cv=cv)
    by_index = TunedThresholdDetector(WINDOWED, cv=cv)
    if cv == "prefit":
        by_array.estimator = clone(WINDOWED).fit(X, series=SERIES)
        by_index.estimator = clone(WINDOWED).fit(FRAME)
    by_array.fit(X, Y, series=SERIES)
    by_index.fit(FRAME, Y)
    assert by_array.offset_ == by_index.offset_
    for method in ("score_samples", "decision_function", "predict", "explain"):
        np.testing.assert_array_equal(
            getattr(by_array, method)(X, series=SERIES),
            getattr(by_index, method)(FRAME),
        )
    with pytest.raises(ValueError, match="series was given to fit"):
        by_array.predict(X)


def test_tuned__series_and_groups_together():
    tuned = TunedThresholdDetector(WINDOWED, cv=GroupKFold(2))
    labels = tuned.fit_predict(X, Y, series=SERIES, groups=SERIES)
    folds = list(GroupKFold(2).split(X, Y, SERIES))
    other = TunedThresholdDetector(WINDOWED, cv=folds).fit(FRAME, Y)
    assert tuned.offset_ == other.offset_
    np.testing.assert_array_equal(labels, other.predict(FRAME))


def test_tuned__in_a_search__by_routing(routing):
    tuned = TunedThresholdDetector(WINDOWED, cv=GroupKFold(2))
    scorer = make_outlier_scorer("f1").set_score_request(series=True)
    search = GridSearchCV(
        tuned.set_fit_request(series=True, groups=True),
        {"rule": [FBetaThreshold(0.5), FBetaThreshold(2.0)]},
        scoring=scorer,
        cv=GroupKFold(2),
        error_score="raise",
    ).fit(X, Y, series=SERIES, groups=SERIES)
    assert search.best_score_ > 0


def test_tuned__series_with_validation_rows__refused():
    tuned = TunedThresholdDetector(WINDOWED)
    with pytest.raises(ValueError, match="tells nothing of the rows of X_val"):
        tuned.fit(X, series=SERIES, X_val=X, y_val=Y)


@pytest.mark.parametrize("wrap", [FixedThresholdDetector, TunedThresholdDetector])
@pytest.mark.parametrize(
    "detector", [IsolationForest(), make_pipeline(StandardScaler(), WINDOWED)]
)
def test_detectors_around_what_takes_no_series__refuse_them(wrap, detector):
    outer = (
        wrap(detector, threshold=0.0)
        if wrap is FixedThresholdDetector
        else (wrap(detector, QuantileThreshold(), cv=2))
    )
    name = f"{type(detector).__name__}.score_samples takes none"
    with pytest.raises(TypeError, match=name):
        outer.fit(X, Y, series=SERIES)


def test_fixed_in_tuned_and_frozen__hand_series_on():
    inner = clone(WINDOWED).fit(X, series=SERIES)
    fixed = FixedThresholdDetector(FrozenEstimator(inner), -1.0)
    tuned = TunedThresholdDetector(fixed, QuantileThreshold(0.1), cv="prefit")
    tuned.estimator = fixed.fit(X, series=SERIES)
    tuned.fit(X, series=SERIES)
    np.testing.assert_array_equal(
        tuned.score_samples(X, series=SERIES), inner.score_samples(X, series=SERIES)
    )
    assert (tuned.predict(X, series=SERIES) == -1).mean() == pytest.approx(
        0.1, abs=0.01
    )
    np.testing.assert_array_equal(
        fixed.fit_predict(X, series=SERIES), fixed.predict(X, series=SERIES)
    )


# Interleaved series -------------------------------------------------------------------

RULES = [FBetaThreshold(), AlertBudgetThreshold(2, per=LENGTH, count="events")]


@pytest.mark.parametrize("rule", RULES, ids=["rows", "events"])
@pytest.mark.parametrize("cv", ["groups", "prefit", "val"])
def test_tuned__interleaved_series__as_if_sorted(rule, cv):
    """Whole series in a fold are no rows drawn at random."""
    frame, order = FRAME.sort_index(), ORDER
    y = pd.Series(Y, INDEX).sort_index().to_numpy()
    names = frame.index.get_level_values(0)
    found = []
    for rows in (np.arange(len(X)), order):
        table, labels = frame.iloc[rows], y[rows]
        folds = PredefinedSplit(np.searchsorted(["b", "d"], names[rows], "left"))
        tuned = TunedThresholdDetector(WINDOWED, rule, cv=folds)
        if cv == "prefit":
            tuned.set_params(cv="prefit", estimator=clone(WINDOWED).fit(frame))
        if cv == "val":
            tuned.set_params(cv=None).fit(table, X_val=table, y_val=labels)
        else:
            tuned.fit(table, labels)
        found.append(tuned.offset_)
    assert found[0] == found[1]


def test_tuned__rows_of_interleaved_series_drawn_at_random__refused():
    tuned = TunedThresholdDetector(WINDOWED, cv=KFold(2, shuffle=True, random_state=0))
    with pytest.raises(ValueError, match="draws rows at random"):
        tuned.fit(FRAME.iloc[ORDER], Y[ORDER])
