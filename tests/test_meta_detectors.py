"""Detectors with another threshold, and detectors as classifiers."""

from collections import Counter
from contextlib import nullcontext

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from instances import META_ESTIMATORS
from sklearn import config_context
from sklearn.base import BaseEstimator, OutlierMixin, clone, is_classifier
from sklearn.callback import FitCallback
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import SGDOneClassSVM
from sklearn.metrics import RocCurveDisplay, get_scorer, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
    cross_val_score,
)
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.utils import get_tags

from skad import (
    DetectorClassifier,
    FBetaThreshold,
    FixedThresholdDetector,
    LinearAutoencoder,
    MLPAutoencoder,
    QuantileThreshold,
    SlidingWindow,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    make_outlier_scorer,
)
from skad._validation import check_outlier_labels

KEPT = "threshold of the inner detector is kept"

# What a detector is told of labels is tested where it is looked at.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.* is taken as the anomaly:UserWarning",
    "ignore:There is no X_val, and cv is None:UserWarning",
)


def planted(n_normal=90, n_anomalies=12, seed=0):
    """Rows near a plane, anomalies off it, in random order; y is 1 for anomalies."""
    rng = np.random.default_rng(seed)
    plane = np.linalg.qr(np.random.default_rng(99).normal(size=(6, 6)))[0]
    X = rng.normal(size=(n_normal + n_anomalies, 6)) * [3, 2, 0.2, 0.2, 0.2, 0.2]
    y = np.repeat([0, 1], [n_normal, n_anomalies])
    X[y == 1, 2:] += rng.normal(size=(n_anomalies, 4))
    order = rng.permutation(len(y))
    return (X @ plane.T)[order], y[order]


X, Y = planted()
X_VAL, Y_VAL = planted(40, 20, seed=1)
LINEAR = LinearAutoencoder(2)
SKLEARN_DETECTORS = [
    IsolationForest(n_estimators=20, random_state=0),
    OneClassSVM(nu=0.1),
    LocalOutlierFactor(novelty=True),
    EllipticEnvelope(random_state=0),
    SGDOneClassSVM(random_state=0),
]


def mlp(**params):
    defaults = {"linear_path": None, "max_epochs": 2, "random_state": 0}
    return MLPAutoencoder((4,), 2, **(defaults | params))


def held_out_scores(detector, X, y, cv):
    """Score each row with a detector fitted on the other folds."""
    scores = np.empty(len(X))
    for train, test in cv.split(X, y):
        scores[test] = clone(detector).fit(X[train]).score_samples(X[test])
    return scores


@pytest.fixture(params=SKLEARN_DETECTORS, ids=lambda detector: type(detector).__name__)
def sklearn_detector(request):
    """A detector of scikit-learn's; what two of them draw globally is undone."""
    state = np.random.get_state()  # noqa: NPY002
    yield request.param
    if isinstance(request.param, (OneClassSVM, SGDOneClassSVM)):
        np.random.set_state(state)  # noqa: NPY002


def assert_same_detector(one, other):
    np.testing.assert_array_equal(one.score_samples(X_VAL), other.score_samples(X_VAL))


class Spy(OutlierMixin, BaseEstimator):
    """Knows the rows (by their first value) that it was fitted on and has scored.

    `log` outlives clones: one entry a detector that was fitted.
    """

    log: list

    def __init__(self, offset=-1.0):
        self.offset = offset

    def fit(self, X, y=None):
        self.entry_ = {"y": y, "fitted": list(X[:, 0]), "scored": []}
        self.log.append(self.entry_)
        self.offset_ = self.offset
        return self

    def score_samples(self, X):
        self.entry_["scored"] += list(X[:, 0])
        return X[:, 1]


@pytest.fixture
def spy():
    """A class of detectors that keep a log."""

    class FreshSpy(Spy):
        log = []  # noqa: RUF012

    return FreshSpy


class Failing(OutlierMixin, BaseEstimator):
    """Fits, or raises what it is told to."""

    def __init__(self, error=None):
        self.error = error

    def fit(self, X, y=None):
        if self.error is not None:
            raise self.error
        self.offset_ = -2.0
        return self

    def score_samples(self, X):
        return -np.abs(X).max(axis=1)


class FailingRule(BaseEstimator):
    """Raises what it is told to, when the detector is fitted already."""

    def __init__(self, error):
        self.error = error

    def fit(self, scores, y=None):
        raise self.error


# TunedThresholdDetector: validation rows given


@pytest.mark.parametrize("beta", [0.1, 1.0, 3.0])
def test__tuned__validation_rows__threshold_of_the_rule(beta):
    tuned = TunedThresholdDetector(LINEAR, FBetaThreshold(beta))
    assert tuned.fit(X, X_val=X_VAL, y_val=Y_VAL) is tuned
    inner = clone(LINEAR).fit(X)
    rule = FBetaThreshold(beta).fit(inner.score_samples(X_VAL), Y_VAL)
    assert tuned.offset_ == tuned.rule_.threshold_ == rule.threshold_
    assert type(tuned.offset_) is float
    assert_same_detector(tuned, inner)
    np.testing.assert_array_equal(
        tuned.predict(X_VAL),
        np.where(inner.score_samples(X_VAL) < tuned.offset_, -1, 1),
    )
    np.testing.assert_array_equal(
        tuned.decision_function(X_VAL), tuned.score_samples(X_VAL) - tuned.offset_
    )


@pytest.mark.parametrize(
    "recode",
    [
        lambda y: np.where(y, -1, 1),
        lambda y: y == 1,
        list,
        pd.Series,
        lambda y: pd.Series(y == 1, dtype="boolean"),
        lambda y: pd.Series(y == 1, dtype=object),
        lambda y: pd.Series(y, dtype="Int64"),
    ],
    ids=["signs", "bools", "list", "series", "nullable", "objects", "integers"],
)
def test__tuned__validation_labels_in_other_coding__same_threshold(recode):
    tuned = TunedThresholdDetector(LINEAR)
    expected = tuned.fit(X, X_val=X_VAL, y_val=Y_VAL).offset_
    assert tuned.fit(X, X_val=X_VAL, y_val=recode(Y_VAL)).offset_ == expected


@pytest.mark.parametrize("dtype", [bool, "boolean", object])
def test__labels__all_true__are_all_anomalies(dtype):
    assert check_outlier_labels(pd.Series([True, True], dtype=dtype)).all()
    assert not check_outlier_labels(pd.Series([1, 1])).any()


def test__tuned__fit_predict__passes_the_validation_rows():
    tuned = TunedThresholdDetector(LINEAR)
    labels = clone(tuned).fit_predict(X, X_val=X_VAL, y_val=Y_VAL)
    expected = tuned.fit(X, X_val=X_VAL, y_val=Y_VAL).predict(X)
    np.testing.assert_array_equal(labels, expected)


def test__tuned__no_rule__is_f1():
    by_default = TunedThresholdDetector(LINEAR).fit(X, X_val=X_VAL, y_val=Y_VAL)
    assert by_default.rule is None
    assert by_default.rule_.get_params() == {"beta": 1.0}


def test__tuned__rule_without_labels__needs_no_y_val():
    tuned = TunedThresholdDetector(LINEAR, QuantileThreshold(0.2))
    tuned.fit(X, X_val=X_VAL)
    scores = clone(LINEAR).fit(X).score_samples(X_VAL)
    assert tuned.offset_ == QuantileThreshold(0.2).fit(scores).threshold_


def test__tuned__labels_of_the_training_rows__do_not_matter_without_cv():
    tuned = TunedThresholdDetector(LINEAR)
    expected = tuned.fit(X, X_val=X_VAL, y_val=Y_VAL).offset_
    for y in (Y, np.arange(len(X)), ["a", "b", "c"] * (len(X) // 3)):
        assert tuned.fit(X, y, X_val=X_VAL, y_val=Y_VAL).offset_ == expected


@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        (np.zeros(60), "0 of 60 rows of y_val are anomalies"),
        (np.ones(60), "0 of 60 rows of y_val are anomalies"),
        (-np.ones(60), "60 of 60 rows of y_val are anomalies"),
        (np.arange(60) % 3, "y_val holds the labels 0, 1, 2; expected"),
        (["a", "b"] * 30, "y_val holds the labels 'a', 'b'; expected"),
        ([0, 1] * 20, "inconsistent"),
        (None, "FBetaThreshold needs labels: pass y_val"),
    ],
)
def test__tuned__bad_y_val__refused_before_any_training(spy, y_val, message):
    with pytest.raises(ValueError, match=message):
        TunedThresholdDetector(spy()).fit(X, X_val=X_VAL, y_val=y_val)
    assert spy.log == []


def test__tuned__cv_and_validation_rows__refused():
    with pytest.raises(ValueError, match=r"Both cv=0\.3 and X_val"):
        TunedThresholdDetector(LINEAR, cv=0.3).fit(X, Y, X_val=X_VAL, y_val=Y_VAL)


@pytest.mark.parametrize("cv", [None, 0.3, "prefit"])
def test__tuned__y_val_without_rows__refused(cv):
    tuned = TunedThresholdDetector(clone(LINEAR).fit(X), cv=cv, random_state=0)
    with pytest.raises(ValueError, match="y_val"):
        tuned.fit(X, Y, y_val=Y_VAL)


# TunedThresholdDetector: validation rows from cv


@pytest.mark.parametrize(
    ("cv", "folds"),
    [
        (3, StratifiedKFold(3)),
        (StratifiedKFold(4, shuffle=True, random_state=0), None),
        (KFold(5), None),
        (list(KFold(3).split(X)), KFold(3)),
    ],
    ids=["int", "stratified", "plain", "list"],
)
def test__tuned__folds__threshold_of_the_pooled_scores(cv, folds):
    tuned = TunedThresholdDetector(LINEAR, cv=cv).fit(X, Y)
    scores = held_out_scores(LINEAR, X, Y, folds or cv)
    assert tuned.offset_ == FBetaThreshold().fit(scores, Y).threshold_
    assert_same_detector(tuned, clone(LINEAR).fit(X))  # kept: fitted on all rows


def test__tuned__groups__reach_the_splitter():
    groups = np.arange(len(X)) // 7
    tuned = TunedThresholdDetector(LINEAR, cv=GroupKFold(3)).fit(X, Y, groups=groups)
    folds = list(GroupKFold(3).split(X, Y, groups))
    scores = held_out_scores(LINEAR, X, Y, check_cv(folds))
    # pooled in the order of the folds, which no rule minds
    assert tuned.offset_ == FBetaThreshold().fit(scores, Y).threshold_


def test__tuned__groups_in_a_search__come_by_metadata_routing():
    groups = np.arange(len(X)) // 7
    with config_context(enable_metadata_routing=True):
        tuned = TunedThresholdDetector(LINEAR, cv=GroupKFold(2))
        search = GridSearchCV(
            tuned.set_fit_request(groups=True),
            {"rule": [FBetaThreshold(0.5)]},
            scoring=make_outlier_scorer("f1"),
            cv=GroupKFold(3),
            error_score="raise",
        )
        search.fit(X, Y, groups=groups)
    alone = TunedThresholdDetector(LINEAR, FBetaThreshold(0.5), cv=GroupKFold(2))
    alone.fit(X, Y, groups=groups)
    assert search.best_estimator_.offset_ == alone.offset_


@pytest.mark.parametrize("cv", [None, "prefit"])
def test__tuned__groups_without_a_splitter__refused(cv):
    with pytest.raises(ValueError, match="splits nothing"):
        TunedThresholdDetector(LINEAR, cv=cv).fit(X, Y, groups=np.zeros(len(X)))


@pytest.fixture
def series():
    """A cycle with some of its rows, as normal as all others, labelled as anomalies."""
    t = np.arange(900)
    noise = np.random.default_rng(0).normal(0, 0.05, (900, 2))
    y = np.zeros(900, dtype=int)
    for start in range(500, 860, 60):
        y[start : start + 9] = 1
    return np.column_stack([np.sin(t / 8), np.cos(t / 8)]) + noise, y


ORDERED = [
    WindowedDetector(LinearAutoencoder(2), 20),
    make_pipeline(StandardScaler(), SlidingWindow(20), LinearAutoencoder(2)),
    make_pipeline(TimeSeriesImputer(), IsolationForest(random_state=0)),
]


@pytest.mark.parametrize("detector", ORDERED, ids=repr)
def test__tuned__rows_scored_with_neighbours__int_cuts_no_seams(detector, series):
    tuned = TunedThresholdDetector(detector, cv=3).fit(*series)
    by_hand = TunedThresholdDetector(detector, cv=KFold(3)).fit(*series)
    assert tuned.offset_ == by_hand.offset_
    # nothing is there to be found; stratified folds find their own seams (0.7)
    assert tuned.rule_.best_score_ < 0.3


@pytest.mark.parametrize("detector", ORDERED, ids=repr)
def test__tuned__rows_scored_with_neighbours__float_holds_out_the_end(detector, series):
    X, y = series
    tuned = TunedThresholdDetector(detector, cv=0.3, refit=False).fit(X, y)
    alone = TunedThresholdDetector(detector).fit(X[:630], X_val=X[630:], y_val=y[630:])
    assert tuned.offset_ == alone.offset_
    frame = pd.DataFrame(X, index=pd.date_range("2024", periods=900, freq="min"))
    TunedThresholdDetector(detector, cv=0.3).fit(frame, y)


def test__tuned__rows_scored_with_neighbours__whole_short_series_are_folds(series):
    X, y = series
    groups = np.arange(len(X)) // 6
    index = pd.MultiIndex.from_arrays([groups, np.arange(len(X))])
    tuned = TunedThresholdDetector(
        WindowedDetector(LinearAutoencoder(1), 3), cv=GroupKFold(3)
    )
    tuned.fit(pd.DataFrame(X, index=index), y, groups=groups)
    assert hasattr(tuned, "rule_")


@pytest.mark.parametrize(
    "cv",
    [ShuffleSplit(1, random_state=0), KFold(3, shuffle=True, random_state=0)],
    ids=repr,
)
def test__tuned__rows_scored_with_neighbours__drawn_rows_are_refused(cv, series):
    with pytest.raises(ValueError, match="scores rows with their neighbours"):
        TunedThresholdDetector(ORDERED[0], cv=cv).fit(*series)


def test__tuned__float__held_out_share_is_stratified():
    tuned = TunedThresholdDetector(LINEAR, cv=0.25, random_state=7).fit(X, Y)
    split = StratifiedShuffleSplit(
        1, test_size=0.25, random_state=np.random.RandomState(7)
    )
    ((train, test),) = split.split(X, Y)
    scores = clone(LINEAR).fit(X[train]).score_samples(X[test])
    assert tuned.offset_ == FBetaThreshold().fit(scores, Y[test]).threshold_
    assert_same_detector(tuned, clone(LINEAR).fit(X))


@pytest.mark.parametrize(
    "cv",
    [
        0.3,
        ShuffleSplit(1, random_state=0),
        PredefinedSplit(np.where(np.arange(len(X)) % 3, -1, 0)),
        [(np.arange(70), np.arange(70, 102))],
    ],
    ids=["float", "splitter", "predefined", "list"],
)
def test__tuned__no_refit__keeps_the_detector_of_the_training_part(spy, cv):
    tuned = TunedThresholdDetector(spy(), cv=cv, refit=False, random_state=0)
    tuned.fit(X, Y)
    (entry,) = spy.log
    assert tuned.estimator_.entry_ is entry
    assert 0 < len(entry["fitted"]) < len(X)
    assert set(entry["fitted"]) | set(entry["scored"]) <= set(X[:, 0])


@pytest.mark.parametrize("cv", [2, KFold(3), ShuffleSplit(2, random_state=0)])
def test__tuned__no_refit_with_several_splits__refused_before_any_training(spy, cv):
    with pytest.raises(ValueError, match="refit=False needs a single split"):
        TunedThresholdDetector(spy(), cv=cv, refit=False).fit(X, Y)
    assert spy.log == []


@pytest.mark.parametrize(
    ("cv", "n_splits", "refit"),
    [
        (0.3, 1, True),
        (0.3, 1, False),
        (StratifiedShuffleSplit(1, random_state=0), 1, False),
        (2, 2, True),
        (5, 5, True),
        (KFold(3), 3, True),
        (ShuffleSplit(4, random_state=0), 4, True),
    ],
    ids=str,
)
def test__tuned__any_cv__never_scores_rows_it_was_trained_on(spy, cv, n_splits, refit):
    TunedThresholdDetector(spy(), cv=cv, refit=refit, random_state=0).fit(X, Y)
    assert len(spy.log) == n_splits + refit
    for entry in spy.log[:n_splits]:
        assert entry["scored"]
        assert not set(entry["fitted"]) & set(entry["scored"])
        assert len(entry["y"]) == len(entry["fitted"])
    if refit:
        assert spy.log[-1]["fitted"] == list(X[:, 0])
        assert spy.log[-1]["scored"] == []
    if isinstance(cv, (int, KFold)):
        scored = Counter(row for entry in spy.log for row in entry["scored"])
        assert scored == Counter(X[:, 0])  # every row once


def test__tuned__validation_rows__are_all_that_is_scored(spy):
    TunedThresholdDetector(spy()).fit(X, X_val=X_VAL, y_val=Y_VAL)
    (entry,) = spy.log
    assert entry["fitted"] == list(X[:, 0])
    assert entry["scored"] == list(X_VAL[:, 0])


def test__tuned__normal_label__trained_on_normal_rows_judged_on_all():
    detector = LinearAutoencoder(2, normal_label=0)
    folds = StratifiedKFold(3)
    tuned = TunedThresholdDetector(detector, cv=folds).fit(X, Y)
    assert_same_detector(tuned, clone(LINEAR).fit(X[Y == 0]))
    scores = np.empty(len(X))
    for train, test in folds.split(X, Y):
        normal = train[Y[train] == 0]
        scores[test] = clone(LINEAR).fit(X[normal]).score_samples(X[test])
    assert tuned.offset_ == FBetaThreshold().fit(scores, Y).threshold_


def test__tuned__prefit__keeps_the_detector_itself():
    inner = clone(LINEAR).fit(X)
    before = vars(inner).copy()
    tuned = TunedThresholdDetector(inner, cv="prefit").fit(X_VAL, Y_VAL)
    assert tuned.estimator_ is inner
    assert vars(inner) == before
    expected = FBetaThreshold().fit(inner.score_samples(X_VAL), Y_VAL).threshold_
    assert tuned.offset_ == expected


def test__tuned__prefit_but_not_fitted__refused():
    with pytest.raises(NotFittedError):
        TunedThresholdDetector(LINEAR, cv="prefit").fit(X_VAL, Y_VAL)


@pytest.mark.parametrize("cv", [None, "prefit"])
def test__tuned__frozen_detector__is_not_trained_again(spy, cv):
    inner = spy().fit(X)
    tuned = TunedThresholdDetector(FrozenEstimator(inner), cv=cv)
    validation = {"X_val": X_VAL, "y_val": Y_VAL} if cv is None else {}
    tuned.fit(X_VAL, Y_VAL, **validation)
    assert spy.log == [inner.entry_]
    assert tuned.offset_ == FBetaThreshold().fit(X_VAL[:, 1], Y_VAL).threshold_


# TunedThresholdDetector: nothing to tune on


@pytest.mark.parametrize("cv", [0.3, 3, KFold(2), "prefit"], ids=str)
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.arange(len(X)) % 3, "y holds the labels 0, 1, 2; expected"),
        (np.linspace(0, 1, len(X)), "y holds the labels"),
        (["a", "b", "c"] * (len(X) // 3), "y holds the labels 'a', 'b', 'c'"),
        (np.zeros(len(X)), f"0 of {len(X)} rows given to fit are anomalies"),
        (np.ones(len(X)), f"0 of {len(X)} rows given to fit are anomalies"),
    ],
    ids=["classes", "numbers", "strings", "zeros", "ones"],
)
def test__tuned__labels_that_say_nothing__inner_threshold_with_a_warning(
    cv, y, message
):
    inner = clone(LINEAR).fit(X)
    tuned = TunedThresholdDetector(inner, cv=cv, random_state=0)
    with pytest.warns(UserWarning, match=f"(?s){message}.*{KEPT}") as warned:
        tuned.fit(X, y)
    assert [w.filename for w in warned] == [__file__]  # it points at the call
    assert tuned.offset_ == inner.offset_
    assert not hasattr(tuned, "rule_")
    np.testing.assert_array_equal(tuned.predict(X_VAL), inner.predict(X_VAL))


@pytest.mark.parametrize("cv", [None, 0.3, "prefit"])
def test__tuned__no_labels__inner_threshold(cv):
    inner = clone(LINEAR).fit(X)
    tuned = TunedThresholdDetector(inner, cv=cv, random_state=0)
    says = pytest.warns(UserWarning, match=f"y is None, .*; the {KEPT}")
    with nullcontext() if cv is None else says:
        tuned.fit(X)
    assert tuned.offset_ == inner.offset_
    assert_same_detector(tuned, inner)


def test__tuned__no_labels_and_a_rule_without__held_out_rows():
    tuned = TunedThresholdDetector(
        LINEAR, QuantileThreshold(0.1), cv=KFold(3), refit=True
    ).fit(X)
    scores = held_out_scores(LINEAR, X, None, KFold(3))
    assert tuned.offset_ == QuantileThreshold(0.1).fit(scores).threshold_
    share = TunedThresholdDetector(
        LINEAR, QuantileThreshold(0.1), cv=0.3, random_state=0
    ).fit(X)
    assert share.offset_ != clone(LINEAR).fit(X).offset_


def test__tuned__anomalies_alone__refused():
    with pytest.raises(ValueError, match=f"{len(X)} of {len(X)} rows that"):
        TunedThresholdDetector(LINEAR, cv=KFold(3)).fit(X, -np.ones(len(X)))


@pytest.mark.parametrize("coding", ["signs", "bits"])
def test__tuned__held_out_rows_all_anomalies__said_right(coding):
    fold = np.where(Y == 1, 0, -1)
    y = np.where(Y, -1, 1) if coding == "signs" else Y
    with pytest.raises(ValueError, match=r"12 of 12 rows that cv=.* are anom"):
        TunedThresholdDetector(LINEAR, cv=PredefinedSplit(fold)).fit(X, y)


def test__tuned__refit_without_labels__forgets_the_rule():
    tuned = TunedThresholdDetector(LINEAR)
    assert hasattr(tuned.fit(X, X_val=X_VAL, y_val=Y_VAL), "rule_")
    assert not hasattr(tuned.fit(X), "rule_")


def test__tuned__inner_threshold_kept__predicts_as_the_detector(sklearn_detector):
    detector = sklearn_detector
    inner = clone(detector).fit(X)
    for wrapped in (
        detector,
        make_pipeline("passthrough", detector),
        FrozenEstimator(inner),
        FrozenEstimator(make_pipeline("passthrough", detector).fit(X)),
        TunedThresholdDetector(detector),
    ):
        tuned = TunedThresholdDetector(wrapped).fit(X)
        np.testing.assert_array_equal(tuned.predict(X_VAL), inner.predict(X_VAL))


def test__tuned__inner_search__its_best_threshold_is_kept():
    search = GridSearchCV(
        LINEAR,
        {"contamination": [0.1, 0.3]},
        scoring=make_outlier_scorer("f1"),
        cv=StratifiedKFold(2),
    )
    tuned = TunedThresholdDetector(search).fit(X, Y)
    assert tuned.offset_ == tuned.estimator_.best_estimator_.offset_


# TunedThresholdDetector: what it wraps


def test__tuned__sklearn_detectors__best_f1_on_the_validation_rows(sklearn_detector):
    detector = sklearn_detector
    tuned = TunedThresholdDetector(make_pipeline(StandardScaler(), detector))
    tuned.fit(X[Y == 0], X_val=X_VAL, y_val=Y_VAL)
    by_itself = TunedThresholdDetector(make_pipeline(StandardScaler(), detector))
    by_itself.fit(X[Y == 0])
    f1 = make_outlier_scorer("f1")
    assert f1(tuned, X_VAL, Y_VAL) == pytest.approx(tuned.rule_.best_score_)
    assert f1(tuned, X_VAL, Y_VAL) >= f1(by_itself, X_VAL, Y_VAL)
    scores = held_out_scores(detector, X, Y, StratifiedKFold(3))
    by_folds = TunedThresholdDetector(detector, cv=3).fit(X, Y)
    assert by_folds.offset_ == FBetaThreshold().fit(scores, Y).threshold_
    assert by_folds.score_samples(X_VAL).shape == (len(X_VAL),)


def test__tuned__frame__names_are_known():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    tuned = TunedThresholdDetector(LINEAR, cv=0.3, random_state=0)
    tuned.fit(frame, pd.Series(Y, index=frame.index[::-1]))
    assert list(tuned.feature_names_in_) == list("abcdef")
    assert tuned.n_features_in_ == 6
    by_array = clone(tuned).fit(X, Y)
    assert by_array.offset_ == tuned.offset_
    assert not hasattr(by_array, "feature_names_in_")
    tuned.fit(X, Y)
    assert not hasattr(tuned, "feature_names_in_")


def test__tuned__windows_of_three_dimensions__as_flat_ones():
    detector = LinearAutoencoder(2, n_channels=2)
    tuned = TunedThresholdDetector(detector, cv=3)
    flat = clone(tuned).fit(X, Y)
    assert tuned.fit(X.reshape(-1, 3, 2), Y).offset_ == flat.offset_
    assert get_tags(tuned).input_tags.three_d_array


def test__tuned__lists__as_arrays():
    detector = IsolationForest(n_estimators=5, random_state=0)
    tuned = TunedThresholdDetector(detector, cv=0.3, random_state=0)
    expected = tuned.fit(X, Y).offset_
    assert tuned.fit(X.tolist(), Y.tolist()).offset_ == expected


def test__tuned__random_state__int_repeats_and_instance_advances():
    def offsets(random_state):
        tuned = TunedThresholdDetector(LINEAR, cv=0.3, random_state=random_state)
        return [tuned.fit(X, Y).offset_ for _ in range(4)]

    assert len(set(offsets(0))) == 1
    assert len(set(offsets(np.random.RandomState(0)))) > 1
    assert offsets(np.random.RandomState(0)) == offsets(np.random.RandomState(0))
    assert len(set(offsets(None))) > 1


def test__tuned__own_rule__needs_fit_and_threshold_alone():
    class Lowest(BaseEstimator):
        def fit(self, scores, y=None):
            self.threshold_ = np.float32(scores.min())
            return self

    tuned = TunedThresholdDetector(LINEAR, Lowest()).fit(X, X_val=X_VAL)
    assert tuned.offset_ == pytest.approx(tuned.score_samples(X_VAL).min())
    assert type(tuned.offset_) is float


@pytest.mark.parametrize(
    "params",
    [
        {"cv": 1},
        {"cv": 0.0},
        {"cv": 1.5},
        {"cv": "prefitted"},
        {"rule": "f1"},
        {"refit": "no"},
        {"estimator": StandardScaler()},
        {"random_state": "x"},
    ],
    ids=str,
)
def test__tuned__bad_parameter__refused_in_fit(params):
    tuned = TunedThresholdDetector(**({"estimator": LINEAR} | params))
    with pytest.raises(ValueError, match="of TunedThresholdDetector must be"):
        tuned.fit(X, Y)


# TunedThresholdDetector: searches


SEARCHES = {
    "linear": (
        LinearAutoencoder(),
        {
            "latent_dim": [1, 2],
            "error_model": ["mse", "std", "mahalanobis", "hybrid"],
        },
    ),
    "mlp": (
        mlp(max_epochs=1, early_stopping=False),
        {
            "latent_dim": [1, 2],
            "lr": [1e-3, 1e-2],
            "kl_weight": [0.0, 0.1],
            "error_model": ["mae", "hybrid"],
        },
    ),
}


@pytest.mark.parametrize(("detector", "grid"), SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()], ids=repr)
def test__tuned__search_through_the_pipeline__every_parameter_arrives(
    detector, grid, scaler
):
    tuned = TunedThresholdDetector(
        Pipeline([("scale", scaler), ("detect", detector)]),
        FBetaThreshold(),
        cv=0.4,
        random_state=0,
    )
    grid = {f"estimator__detect__{name}": values for name, values in grid.items()}
    grid["rule__beta"] = [0.3, 3.0]
    search = GridSearchCV(
        tuned,
        grid,
        scoring={
            "auc": make_outlier_scorer("roc_auc"),
            "f1": make_outlier_scorer("f1"),
        },
        refit="f1",
        cv=StratifiedKFold(2),
        error_score="raise",
    ).fit(X, Y)
    best = search.best_estimator_
    assert best.rule_.beta == search.best_params_["rule__beta"]
    fitted = best.estimator_["detect"].get_params()
    for name, value in search.best_params_.items():
        if name.startswith("estimator__detect__"):
            assert fitted[name.removeprefix("estimator__detect__")] == value
    results = pd.DataFrame(search.cv_results_)
    # beta moves the threshold alone, the rest moves the scores
    by_beta = results.groupby("param_rule__beta")["mean_test_auc"].apply(list)
    assert by_beta[0.3] == by_beta[3.0]
    assert results["mean_test_auc"].nunique() > 2
    assert set(search.predict(X)) <= {-1, 1}


def test__tuned__last_in_a_pipeline__searched_too():
    pipeline = Pipeline(
        [("scale", "passthrough"), ("tune", TunedThresholdDetector(LINEAR, cv=3))]
    )
    search = GridSearchCV(
        pipeline,
        {
            "scale": [StandardScaler(), MinMaxScaler()],
            "tune__rule": [FBetaThreshold(0.5), QuantileThreshold(0.2)],
            "tune__estimator__latent_dim": [1, 2],
            "tune__cv": [0.4, 2],
            "tune__random_state": [0],
        },
        scoring=make_outlier_scorer("balanced_accuracy"),
        cv=StratifiedKFold(2),
        error_score="raise",
    ).fit(X, Y)
    assert search.best_score_ > 0.8
    assert search.cv_results_["mean_test_score"].min() < search.best_score_


def test__tuned__search_in_threads__equal_to_serial():
    tuned = TunedThresholdDetector(mlp(), FBetaThreshold(), cv=0.4, random_state=0)
    search = GridSearchCV(
        tuned,
        {"estimator__lr": [1e-3, 1e-2], "rule__beta": [0.5, 2.0]},
        scoring=make_outlier_scorer("average_precision"),
        cv=StratifiedKFold(2),
    )
    serial = clone(search).fit(X, Y)
    with joblib.parallel_config("threading", n_jobs=4):
        threaded = clone(search).fit(X, Y)
    np.testing.assert_array_equal(
        serial.cv_results_["mean_test_score"], threaded.cv_results_["mean_test_score"]
    )
    assert serial.best_estimator_.offset_ == threaded.best_estimator_.offset_


# All meta-estimators


meta_estimators = pytest.mark.parametrize(
    "estimator", META_ESTIMATORS.values(), ids=META_ESTIMATORS
)


def fit_any(estimator):
    estimator = clone(estimator)
    if isinstance(estimator, TunedThresholdDetector) and estimator.cv is None:
        return estimator.fit(X, X_val=X_VAL, y_val=Y_VAL)
    return estimator.fit(X, Y)


@meta_estimators
def test__meta__clone__same_parameters_unfitted(estimator):
    copied = clone(fit_any(estimator))
    assert repr(copied) == repr(clone(estimator))
    assert set(vars(copied)) == set(estimator.get_params(deep=False))


@meta_estimators
def test__meta__fit__parameters_unchanged(estimator):
    estimator = clone(estimator)
    params = estimator.get_params(deep=False)
    before = {name: joblib.hash(value) for name, value in params.items()}
    if isinstance(estimator, TunedThresholdDetector) and estimator.cv is None:
        estimator.fit(X, X_val=X_VAL, y_val=Y_VAL)
    else:
        estimator.fit(X, Y)
    after = estimator.get_params(deep=False)
    assert all(after[name] is value for name, value in params.items())
    assert {name: joblib.hash(value) for name, value in after.items()} == before
    if "estimator" in params:
        assert estimator.estimator_ is not params["estimator"]
        assert not any(name.endswith("_") for name in vars(params["estimator"]))


@meta_estimators
def test__meta__joblib_file__equal_answers(estimator, tmp_path):
    fitted = fit_any(estimator)
    joblib.dump(fitted, tmp_path / "detector.joblib")
    loaded = joblib.load(tmp_path / "detector.joblib")
    for method in ("score_samples", "decision_function", "predict"):
        np.testing.assert_array_equal(
            getattr(loaded, method)(X_VAL), getattr(fitted, method)(X_VAL)
        )


@meta_estimators
def test__meta__not_fitted__says_so(estimator):
    for method in ("score_samples", "decision_function", "predict"):
        with pytest.raises(NotFittedError):
            getattr(clone(estimator), method)(X)


FAILURES = {
    "single class": lambda t: t.fit(X, X_val=X_VAL, y_val=np.zeros(len(X_VAL))),
    "cv and X_val": lambda t: t.set_params(cv=2).fit(X, Y, X_val=X_VAL, y_val=Y_VAL),
    "several splits": lambda t: t.set_params(cv=2, refit=False).fit(X, Y),
    "detector": lambda t: t.set_params(estimator__error=OSError()).fit(X),
    "Ctrl-C": lambda t: t.set_params(estimator__error=KeyboardInterrupt()).fit(X),
    "rule": lambda t: t.set_params(rule=FailingRule(OSError())).fit(X, X_val=X_VAL),
    "Ctrl-C in the rule": lambda t: t.set_params(
        rule=FailingRule(KeyboardInterrupt())
    ).fit(X + 1, X_val=X_VAL),
    "anomalies alone": lambda t: t.set_params(cv=KFold(2)).fit(X, -np.ones(len(X))),
    "scores not finite": lambda t: t.fit(X, X_val=X_VAL * np.nan, y_val=Y_VAL),
    "prefit": lambda t: t.set_params(cv="prefit").fit(X, Y),
}


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test__tuned__failing_fit__leaves_it_as_it_was(fail):
    tuned = TunedThresholdDetector(Failing(), FBetaThreshold())
    tuned.fit(X, X_val=X_VAL, y_val=Y_VAL)
    fitted = {name: value for name, value in vars(tuned).items() if name[-1] == "_"}
    scores = tuned.decision_function(X_VAL)
    with pytest.raises((ValueError, OSError, KeyboardInterrupt, NotFittedError)):
        fail(tuned)
    assert {
        n: v for n, v in vars(tuned).items() if n not in tuned.get_params()
    } == fitted
    assert all(vars(tuned)[name] is value for name, value in fitted.items())
    np.testing.assert_array_equal(tuned.decision_function(X_VAL), scores)


@pytest.mark.parametrize("error", [OSError(), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize(
    "estimator",
    [FixedThresholdDetector(Failing(), -1.0), DetectorClassifier(Failing())],
    ids=["fixed", "classifier"],
)
def test__meta__failing_fit__leaves_it_as_it_was(estimator, error):
    class Whole(Failing):
        def decision_function(self, X):
            return self.score_samples(X) - self.offset_

        def predict(self, X):
            return np.where(self.decision_function(X) < 0, -1, 1)

    estimator = clone(estimator).set_params(estimator=Whole()).fit(X, Y)
    before = vars(estimator).copy()
    labels = estimator.predict(X_VAL)
    with pytest.raises(type(error)):
        estimator.set_params(estimator__error=error).fit(X, Y + 5)
    assert vars(estimator) == before
    np.testing.assert_array_equal(estimator.predict(X_VAL), labels)


# scikit-learn's callbacks


class Recorder:
    """A callback that writes down every task, with the path that leads to it."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.events = []
        self.stop_after = stop_after

    def setup(self, estimator, context):
        self.events.append(("setup", type(estimator).__name__))

    def teardown(self, estimator, context):
        self.events.append(("teardown", type(estimator).__name__))

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", self.path(context)))

    def on_fit_task_end(self, estimator, context):
        self.events.append(("end", self.path(context)))
        return context.task_name == "epoch" and context.task_id == self.stop_after

    @staticmethod
    def path(context):
        path = []
        while context is not None:
            path.append((context.estimator_name, context.task_name, context.task_id))
            context = context.parent
        return tuple(reversed(path))

    def tasks(self, name):
        return [
            path
            for event, path in self.events
            if event == "begin" and path[-1][1] == name
        ]


def assert_nested(events):
    """Tasks begin inside their parent and end in the opposite order."""
    open_tasks = []
    for event, path in events:
        if event == "begin":
            open_tasks.append(path)
        elif event == "end":
            assert open_tasks.pop() == path
    assert open_tasks == []


@pytest.mark.parametrize(("cv", "n_fits"), [(0.3, 2), (3, 4)])
def test__callbacks__through_search_pipeline_and_tuner__reach_the_epochs(cv, n_fits):
    recorder = Recorder()
    assert isinstance(recorder, FitCallback)
    net = mlp(max_epochs=3, early_stopping=False)
    pipeline = make_pipeline(
        StandardScaler(), TunedThresholdDetector(net, cv=cv, random_state=0)
    )
    search = GridSearchCV(
        pipeline,
        {"tunedthresholddetector__estimator__lr": [1e-3, 1e-2]},
        scoring=make_outlier_scorer("f1"),
        cv=StratifiedKFold(2),
    ).set_callbacks(recorder)
    search.fit(X, Y)
    assert recorder.events[0] == ("setup", "GridSearchCV")
    assert recorder.events[-1] == ("teardown", "GridSearchCV")
    assert Counter(event for event, _ in recorder.events)["setup"] == 1
    assert_nested(recorder.events[1:-1])
    epochs = recorder.tasks("epoch")
    assert len(epochs) == len(set(epochs)) == (2 * 2 + 1) * n_fits * 3
    for path in epochs:
        # one estimator after the other: none of them breaks the chain
        names = list(dict.fromkeys(name for name, _, _ in path))
        assert names == [
            "GridSearchCV",
            "Pipeline",
            "TunedThresholdDetector",
            *names[3:],
        ]
        assert names[3:] == ["MLPAutoencoder"]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: FixedThresholdDetector(net, -1.0),
        DetectorClassifier,
        TunedThresholdDetector,
        lambda net: TunedThresholdDetector(net, cv=0.3, refit=False, random_state=0),
        lambda net: DetectorClassifier(TunedThresholdDetector(net)),
    ],
    ids=["fixed", "classifier", "tuned", "tuned-share", "nested"],
)
def test__callbacks__through_every_meta_estimator__reach_the_epochs(wrap):
    recorder = Recorder()
    estimator = wrap(mlp(max_epochs=3, early_stopping=False)).set_callbacks(recorder)
    estimator.fit(X, Y)
    assert_nested(recorder.events[1:-1])
    assert len(recorder.tasks("epoch")) == 3
    assert not hasattr(estimator.estimator_, "_skl_callbacks")  # let go after fit
    n_events = len(recorder.events)
    clone(estimator).set_callbacks().fit(X, Y)
    assert len(recorder.events) == n_events


def test__callbacks__asking_to_stop__ends_the_epochs():
    recorder = Recorder(stop_after=1)
    tuned = TunedThresholdDetector(mlp(max_epochs=9)).set_callbacks(recorder)
    assert tuned.fit(X).estimator_.n_iter_ == 2
    assert_nested(recorder.events[1:-1])


@pytest.mark.parametrize("error", [OSError(), KeyboardInterrupt()], ids=repr)
def test__callbacks__failing_fit__torn_down(error):
    class FailingNet(MLPAutoencoder):
        def _learn(self, *args):
            super()._learn(*args)
            raise error

    recorder = Recorder()
    net = FailingNet((4,), 2, max_epochs=1, random_state=0)
    tuned = TunedThresholdDetector(net).set_callbacks(recorder)
    with pytest.raises(type(error)):
        tuned.fit(X)
    assert recorder.events[-1] == ("teardown", "TunedThresholdDetector")
    assert set(vars(tuned)) == {*tuned.get_params(deep=False), "_skl_callbacks"}


# FixedThresholdDetector


def test__fixed__threshold__is_used_as_it_is():
    scores = clone(LINEAR).fit(X).score_samples(X_VAL)
    threshold = float(np.sort(scores)[7])
    fixed = FixedThresholdDetector(LINEAR, threshold).fit(X)
    assert fixed.offset_ == threshold
    np.testing.assert_array_equal(fixed.score_samples(X_VAL), scores)
    np.testing.assert_array_equal(fixed.decision_function(X_VAL), scores - threshold)
    # the row at the threshold is normal
    np.testing.assert_array_equal(
        fixed.predict(X_VAL), np.where(scores < threshold, -1, 1)
    )
    assert (fixed.predict(X_VAL) == -1).sum() == 7
    np.testing.assert_array_equal(fixed.fit_predict(X), fixed.predict(X))


def test__fixed__detectors_own_threshold__predicts_as_the_detector(sklearn_detector):
    detector = sklearn_detector
    inner = clone(detector).fit(X)
    fixed = FixedThresholdDetector(detector, float(np.squeeze(inner.offset_))).fit(X)
    np.testing.assert_array_equal(fixed.predict(X_VAL), inner.predict(X_VAL))


def test__fixed__frozen_detector__is_not_trained_again(spy):
    inner = spy().fit(X)
    fixed = FixedThresholdDetector(FrozenEstimator(inner), 0.5).fit(X_VAL)
    assert spy.log == [inner.entry_]
    np.testing.assert_array_equal(
        fixed.predict(X_VAL), np.where(X_VAL[:, 1] < 0.5, -1, 1)
    )
    assert clone(fixed).fit(X_VAL).estimator_.estimator is inner


def test__fixed__pipeline_and_labels__are_passed_on():
    detector = make_pipeline(StandardScaler(), LinearAutoencoder(2, normal_label=0))
    fixed = FixedThresholdDetector(detector, -1).fit(X, Y)
    assert_same_detector(fixed, clone(detector).fit(X, Y))


@pytest.mark.parametrize("threshold", ["auto", None, np.nan, [0.1]], ids=repr)
def test__fixed__no_number__refused_in_fit(threshold):
    with pytest.raises(ValueError, match="'threshold' parameter"):
        FixedThresholdDetector(LINEAR, threshold).fit(X)


def test__fixed__threshold__can_be_searched():
    scores = clone(LINEAR).fit(X).score_samples(X)
    search = GridSearchCV(
        FixedThresholdDetector(LINEAR, 0.0),
        {"threshold": np.quantile(scores, [0.01, 0.1, 0.5])},
        scoring=make_outlier_scorer("f1"),
        cv=StratifiedKFold(3),
    ).fit(X, Y)
    assert search.best_params_["threshold"] == np.quantile(scores, 0.1)


# DetectorClassifier


CODINGS = {
    "signs": (np.where(Y, -1, 1), None, -1),
    "bits": (Y, None, 1),
    "bools": (Y == 1, None, True),
    "strings": (np.where(Y, "sick", "healthy"), None, "sick"),
    "strings-named": (np.where(Y, "anomaly", "normal"), "anomaly", "anomaly"),
    "bits-turned": (1 - Y, 0, 0),
    "objects": (np.where(Y, "b", "a").astype(object), "b", "b"),
    "frame": (pd.Series(np.where(Y, "b", "a")), None, "b"),
    "list": (["sick" if flag else "healthy" for flag in Y], None, "sick"),
    "kinds": (np.where(Y, 7, 3), None, 7),
}
codings = pytest.mark.parametrize(("y", "label", "read"), CODINGS.values(), ids=CODINGS)


@codings
def test__classifier__any_coding__answers_in_its_words(y, label, read):
    classifier = DetectorClassifier(LINEAR, outlier_label=label).fit(X, y)
    inner = clone(LINEAR).fit(X)
    assert classifier.outlier_label_ == read
    assert set(classifier.classes_) == set(y)
    assert list(classifier.classes_) == sorted(set(y))
    judged = classifier.predict(X_VAL)
    np.testing.assert_array_equal(judged == read, inner.predict(X_VAL) == -1)
    assert set(judged) <= set(y)
    # the sign is that of classes_[1], as scikit-learn's tools expect
    decision = classifier.decision_function(X_VAL)
    sign = -1 if read == classifier.classes_[1] else 1
    np.testing.assert_array_equal(decision, sign * inner.decision_function(X_VAL))
    np.testing.assert_array_equal(decision > 0, judged == classifier.classes_[1])
    assert classifier.score(X, y) == np.mean(classifier.predict(X) == y)


@codings
def test__classifier__any_coding__roc_auc_by_name_has_the_right_sign(y, label, read):
    classifier = DetectorClassifier(LINEAR, outlier_label=label)
    expected = roc_auc_score(Y, -clone(LINEAR).fit(X).score_samples(X))
    assert expected > 0.9
    assert get_scorer("roc_auc")(classifier.fit(X, y), X, y) == pytest.approx(expected)
    scores = cross_val_score(classifier, X, y, scoring="roc_auc", cv=3)
    assert scores.min() > 0.8


@pytest.mark.parametrize("name", ["average_precision", "f1", "precision", "recall"])
def test__classifier__scorers_by_name__as_those_of_the_detector(name):
    inner = LinearAutoencoder(2, contamination=0.1)
    classifier = DetectorClassifier(inner).fit(X, Y)
    expected = make_outlier_scorer(name)(clone(inner).fit(X), X_VAL, Y_VAL)
    assert get_scorer(name)(classifier, X_VAL, Y_VAL) == pytest.approx(expected)
    assert expected > 0.5


@codings
def test__classifier__roc_display__area_of_the_anomalies(y, label, read):
    classifier = DetectorClassifier(LINEAR, outlier_label=label).fit(X, y)
    expected = roc_auc_score(Y, -clone(LINEAR).fit(X).score_samples(X))
    try:
        display = RocCurveDisplay.from_estimator(classifier, X, y, pos_label=None)
    finally:
        plt.close("all")
    assert display.roc_auc == pytest.approx(expected)


def test__classifier__is_one_for_sklearn():
    classifier = DetectorClassifier(LINEAR)
    assert is_classifier(classifier)
    assert not get_tags(classifier).classifier_tags.multi_class
    search = GridSearchCV(
        classifier,
        {"estimator__contamination": [0.01, 0.12, 0.5]},
        scoring="f1",
        cv=3,
        error_score="raise",
    ).fit(X, Y)
    assert search.best_params_ == {"estimator__contamination": 0.12}


def test__classifier__normal_label__learns_from_normal_rows():
    words = np.where(Y, "sick", "healthy")
    inner = LinearAutoencoder(2, normal_label="healthy")
    classifier = DetectorClassifier(inner).fit(X, words)
    assert_same_detector(classifier, clone(LINEAR).fit(X[Y == 0]))


def test__classifier__frozen_and_tuned__keep_their_threshold():
    tuned = TunedThresholdDetector(LINEAR).fit(X, X_val=X_VAL, y_val=Y_VAL)
    classifier = DetectorClassifier(FrozenEstimator(tuned)).fit(X_VAL, Y_VAL)
    np.testing.assert_array_equal(
        classifier.predict(X_VAL) == 1, tuned.predict(X_VAL) == -1
    )
    assert get_scorer("f1")(classifier, X_VAL, Y_VAL) == pytest.approx(
        tuned.rule_.best_score_
    )


def test__classifier__sklearn_detectors__rank_as_themselves(sklearn_detector):
    detector = sklearn_detector
    classifier = DetectorClassifier(detector).fit(X, np.where(Y, -1, 1))
    inner = clone(detector).fit(X)
    np.testing.assert_array_equal(
        classifier.decision_function(X_VAL), inner.decision_function(X_VAL)
    )
    np.testing.assert_array_equal(classifier.predict(X_VAL), inner.predict(X_VAL))


@pytest.mark.parametrize(
    ("y", "label", "message"),
    [
        (np.zeros(len(X)), None, "1 class"),
        (np.arange(len(X)) % 3, None, "3 classes"),
        (np.linspace(0, 1, len(X)), None, "continuous|Unknown label type"),
        (np.where(Y, np.nan, 1.0), None, "NaN"),
        (Y[:-1], None, "inconsistent"),
        (Y, 2, r"outlier_label=2 is not a label of y, which holds \[0, 1\]"),
        (Y, "sick", "outlier_label='sick' is not a label"),
        (np.where(Y, "a", "b"), 1, "outlier_label=1 is not a label"),
        (None, None, "requires y"),
    ],
    ids=[
        "one", "three", "numbers", "nan", "length", "bits", "word", "words", "none",
    ],
)  # fmt: skip
def test__classifier__bad_labels__refused_before_any_training(spy, y, label, message):
    class Whole(spy):
        decision_function = predict = Spy.score_samples

    with pytest.raises(ValueError, match=message):
        DetectorClassifier(Whole(), outlier_label=label).fit(X, y)
    assert spy.log == []
