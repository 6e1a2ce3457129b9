"""Rows without anomalies in searches: whose they are, how many, and what to do."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)

from skad import (
    DetectorClassifier,
    FBetaThreshold,
    LinearAutoencoder,
    QuantileThreshold,
    TunedThresholdDetector,
    WindowedDetector,
    detection_delay,
    load,
    make_outlier_scorer,
    save,
)
from skad._validation import check_outlier_labels
from skad.metrics._scorers import _METRICS

# A series with faults at its end.
rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
X[100:] += 4
Y = np.repeat([0, 1], [100, 20])
FOREST = IsolationForest(n_estimators=5, random_state=0)
GRID = {"max_samples": [0.5, 0.9]}
BETAS = {"rule__beta": [0.5, 2.0]}
FOLDS = "cv=StratifiedKFold.*StratifiedGroupKFold"
WHOSE = "validation rows of one split"
NO_LABELS = "a rule that needs no labels, such as QuantileThreshold"
KEPT = "the threshold of the inner detector is kept"


def messages_of(function):
    """Texts of the warnings of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [str(warning.message) for warning in caught]


def tuned(cv, rule=None, detector=FOREST):
    return TunedThresholdDetector(
        detector, rule or FBetaThreshold(), cv=cv, random_state=0
    )


# Scorers


@pytest.mark.parametrize("metric", sorted(_METRICS))
@pytest.mark.parametrize(
    ("cv", "n"), [(3, 40), (KFold(4), 30), (TimeSeriesSplit(3), 30)], ids=str
)
def test_scorer__fold_without_anomalies__tells_whose_rows(metric, cv, n):
    scorer = make_outlier_scorer(metric)
    says = f"0 of {n} rows of y_true are anomalies.*{WHOSE}.*{FOLDS}"
    with pytest.raises(ValueError, match=says):
        cross_val_score(FOREST, X, Y, scoring=scorer, cv=cv, error_score="raise")


def test_scorer__fold_without_normal_rows__tells_whose_rows():
    scorer = make_outlier_scorer(detection_delay)
    splits = [(np.arange(100), np.arange(110, 120))]
    for y, says in [
        (np.where(Y, -1, 1), "10 of 10 rows of y_true are anomalies;"),
        (Y > 0, "10 of 10 rows of y_true are anomalies;"),
        (Y, r"0 of 10 rows of y_true .*all labels are 1, which alone is read as norm"),
    ]:
        with pytest.raises(ValueError, match=f"{says}.*{WHOSE}"):
            cross_val_score(
                FOREST, X, y, scoring=scorer, cv=splits, error_score="raise"
            )


SEARCHES = {
    "grid": lambda s, e: GridSearchCV(FOREST, GRID, scoring=s, cv=3, error_score=e),
    "several": lambda s, e: GridSearchCV(
        FOREST, GRID, scoring={"a": s}, refit="a", cv=3, error_score=e
    ),
    "random": lambda s, e: RandomizedSearchCV(
        FOREST, GRID, n_iter=1, scoring=s, cv=3, error_score=e, random_state=0
    ),
    "halving": lambda s, e: HalvingGridSearchCV(
        FOREST, GRID, scoring=s, cv=3, error_score=e, random_state=0
    ),
}


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("error_score", ["raise", np.nan], ids=str)
@pytest.mark.parametrize(
    ("y", "says"),
    [
        (Y, "0 of 40 rows of y_true are anomalies"),
        (np.zeros(120), "0 of 40 rows of y_true are anomalies"),
        (Y.astype(bool), "0 of 40 rows of y_true are anomalies"),
        (np.where(Y, "fault", "normal"), "y_true holds the labels 'normal'; expected"),
        (None, "y is None, but outlier_f1_score compares with labels: pass y"),
    ],
    ids=["faults at the end", "all normal", "booleans", "texts", "no labels"],
)
def test_search__says_what_is_wrong(kind, error_score, y, says):
    search = SEARCHES[kind](make_outlier_scorer("f1"), error_score)
    if error_score == "raise":
        with pytest.raises(ValueError, match=says):
            search.fit(X, y)
    else:
        assert any(says in text for text in messages_of(lambda: search.fit(X, y)))


@pytest.mark.parametrize("cv", [StratifiedKFold(3), StratifiedGroupKFold(2)], ids=str)
def test_search__what_the_message_tells_to_do__helps(cv):
    by_group = isinstance(cv, StratifiedGroupKFold)
    detector = WindowedDetector(FOREST, 5) if by_group else FOREST
    groups = np.arange(120) // 10 if by_group else None
    search = GridSearchCV(
        tuned(2, detector=detector), BETAS, scoring=make_outlier_scorer("f1"), cv=cv
    )
    assert search.fit(X, Y, groups=groups).best_score_ > 0.5


def test_scorer__without_labels__called_alone():
    scorer = make_outlier_scorer("roc_auc")
    forest = FOREST.fit(X)
    for call in (lambda: scorer(forest, X), lambda: scorer(forest, X, None)):
        with pytest.raises(ValueError, match="y is None, but outlier_roc_auc_score"):
            call()


def test_scorer__in_a_file__comes_back(tmp_path):
    scorer = make_outlier_scorer("roc_auc")
    grid = {"latent_dim": [1, 2]}
    detector = LinearAutoencoder(1)
    search = GridSearchCV(detector, grid, scoring=scorer, cv=StratifiedKFold(2))
    save(search.fit(X, Y), tmp_path / "search.skad")
    read = load(tmp_path / "search.skad")
    assert type(read.scoring) is type(scorer)
    assert read.score(X, Y) == search.score(X, Y)


# TunedThresholdDetector


@pytest.mark.parametrize(
    "cv", [0.3, 3, StratifiedKFold(3), KFold(3), "prefit"], ids=str
)
def test__tuned__no_anomalies__keeps_the_threshold_and_says_why(cv):
    detector = FrozenEstimator(FOREST.fit(X))
    says = (
        f"0 of 120 rows given to fit are.*{KEPT}.*{NO_LABELS}.*one split: use {FOLDS}"
    )
    with pytest.warns(UserWarning, match=says):
        tuned(cv, detector=detector).fit(X, 0 * Y)
    says = f"y is None, but FBetaThreshold needs the labels.*{KEPT}.*{NO_LABELS}"
    with pytest.warns(UserWarning, match=says):
        tuned(cv, detector=detector).fit(X)
    says = f"y holds the labels 'fault', 'normal'; expected.*{KEPT}"
    with pytest.warns(UserWarning, match=says):
        tuned(cv, detector=detector).fit(X, np.where(Y, "fault", "normal"))


def test__tuned__nothing_to_tune_on__says_what_to_set():
    with pytest.warns(UserWarning, match="no X_val.*Pass X_val and y_val, or set cv"):
        tuned(None).fit(X, Y)


@pytest.mark.parametrize("cv", [0.3, 3, "prefit"])
def test__tuned__in_a_search__names_its_training_rows(cv):
    detector = FrozenEstimator(FOREST.fit(X))
    search = GridSearchCV(
        tuned(cv, detector=detector),
        BETAS,
        scoring=make_outlier_scorer("f1"),
        cv=3,
    )
    texts = messages_of(lambda: search.fit(X, Y))
    # the last fold holds all anomalies, so nothing is learnt of them
    assert any("0 of 80 rows given to fit are anomalies" in text for text in texts)
    assert any("0 of 40 rows of y_true are anomalies" in text for text in texts)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (Y[::-1], "0 of 36 rows"),
        (np.repeat([0, 1], [84, 36]), "36 of 36 rows"),
    ],
    ids=["faults at the start", "faults at the end"],
)
def test__tuned__end_of_a_series_of_one_class__named_before_any_training(y, says):
    detector = WindowedDetector(FOREST, window_length=1000)  # its fit would fail
    says = rf"{says} that cv=0\.3 holds out, of 120 given to fit, are.*an int for cv"
    with pytest.raises(ValueError, match=says):
        tuned(0.3, detector=detector).fit(X, y)
    tuned(2, detector=WindowedDetector(FOREST, 5)).fit(X, y)  # as it says


def test__tuned__splits_without_anomalies__named():
    cv = TimeSeriesSplit(2)
    with pytest.raises(ValueError, match=f"0 of 80 rows that cv=TimeS.*{NO_LABELS}"):
        tuned(cv).fit(X, Y[::-1])
    tuned(cv, QuantileThreshold()).fit(X, Y[::-1])


def test__tuned__anomalies_alone__named():
    detector = FrozenEstimator(FOREST.fit(X))
    with pytest.raises(ValueError, match="120 of 120 rows given to fit are anomalies"):
        tuned("prefit", detector=detector).fit(X, -np.ones(120))
    with pytest.raises(ValueError, match="120 of 120 rows that cv=3 holds out"):
        tuned(3).fit(X, -np.ones(120))


@given(place=st.integers(0, 119), flip=st.booleans())
def test__tuned__one_row_of_a_class__cannot_be_shared_out(place, flip):
    y = (np.arange(120) == place) != flip
    with pytest.raises(ValueError, match=f"{y.sum()} of 120 rows given to fit.*an int"):
        tuned(0.3).fit(X, y)


def test__tuned__one_anomaly__does_not_matter_without_labels():
    one = np.arange(120) == 5
    rule = QuantileThreshold(0.1)
    expected = tuned(0.3, rule).fit(X).offset_  # neither is stratified
    assert tuned(0.3, rule).fit(X, one).offset_ == expected


def test__tuned__prefit_in_a_search__told_to_freeze():
    search = GridSearchCV(
        tuned("prefit", detector=FOREST.fit(X)),
        BETAS,
        scoring=make_outlier_scorer("f1"),
        cv=StratifiedKFold(2),
        error_score="raise",
    )
    with pytest.raises(NotFittedError, match="cv='prefit' needs a fitted one"):
        search.fit(X, Y)


def test__tuned__y_val__told_what_to_do():
    with pytest.raises(ValueError, match=f"0 of 120 rows of y_val.*{NO_LABELS}"):
        tuned(None).fit(X, X_val=X, y_val=0 * Y)


# Detectors and labels


def test__classifier__split_of_one_class__named():
    classifier = DetectorClassifier(FOREST)
    says = rf"got 1 class: \[0\].*training rows of one split: use {FOLDS}"
    with pytest.raises(ValueError, match=says):
        cross_val_score(
            classifier, X, Y, scoring="f1", cv=KFold(3), error_score="raise"
        )
    with pytest.raises(ValueError, match=r"got 3 classes: \[0, 1, 2\]\.$"):
        classifier.fit(X, np.arange(120) % 3)


@pytest.mark.parametrize(
    ("detector", "says"),
    [
        (
            LinearAutoencoder(2, normal_label=0),
            f"0 of 20 windows.*one split: use {FOLDS}",
        ),
        (
            WindowedDetector(LinearAutoencoder(2), 5, normal_label=0),
            r"Of the 20 rows given to fit \(in a search.*y holds \[1\]",
        ),
    ],
    ids=["rows", "windows"],
)
def test__split_without_normal_rows__named(detector, says):
    splits = [(np.arange(100, 120), np.arange(100))]
    with pytest.raises(ValueError, match=says):
        cross_val_score(
            detector,
            X,
            Y,
            scoring=make_outlier_scorer("f1"),
            cv=splits,
            error_score="raise",
        )


def test__labels__nan_is_shown_once():
    with pytest.raises(ValueError, match=r"y holds the labels 0\.0, nan"):
        check_outlier_labels(np.where(Y, np.nan, 0))
