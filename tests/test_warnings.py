"""Every warning points at the user's line, whatever lies between."""

import functools
import pickle
import re
import sys
import types
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skad
from skad import _base

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
COPIES = skad.LinearAutoencoder(4)  # its code is as wide as its input
FAST = {"max_epochs": 1, "random_state": 0}
TEXTS = pd.DataFrame(X, index=[f"row {i}" for i in range(60)]).rename(columns=str)
SHORT = pd.DataFrame(X[:3], index=pd.date_range("2018-04-01", periods=3)).rename(
    columns=str
)


def in_pipeline(detector):
    return make_pipeline(StandardScaler(), detector).set_output(transform="pandas")


def windowed():
    index = pd.date_range("2018-04-01", periods=60)
    detector = skad.WindowedDetector(skad.LinearAutoencoder(2), 10)
    table = pd.DataFrame(X, index=index).rename(columns=str)
    return in_pipeline(detector).fit(table)


def search(detector, **params):
    grid = {"normal_label": [None]}
    scoring = skad.make_outlier_scorer("roc_auc")
    search = GridSearchCV(detector, grid, scoring=scoring, cv=2, **params)
    return search.fit(X, np.tile([0, 1], 30))


def pickled_by_other_versions(monkeypatch):
    then = _base.current_versions() | {"scikit-learn": "1.5.0"}
    with monkeypatch.context() as patch:
        patch.setattr(_base, "current_versions", lambda: then)
        return pickle.dumps(skad.LinearAutoencoder(2).fit(X))


CALLS = {
    "fit": lambda: COPIES.fit(X),
    "fit of a net": lambda: skad.MLPAutoencoder((), 4, **FAST).fit(X),
    "output activation": lambda: skad.MLPAutoencoder(
        (), 1, linear_path=None, output_activation="sigmoid", **FAST
    ).fit(X),
    "fit in a pipeline": lambda: in_pipeline(COPIES).fit(X),
    "fit_predict": lambda: COPIES.fit_predict(X),
    "fit in a wrapper": lambda: skad.FixedThresholdDetector(COPIES, -1.0).fit(X),
    "fit in a search": lambda: search(COPIES),
    "cross-validation": lambda: cross_validate(
        COPIES, X, cv=KFold(2), scoring=lambda estimator, X, y=None: 0.0
    ),
    "tuner": lambda: skad.TunedThresholdDetector(skad.LinearAutoencoder(2)).fit(
        X, np.ones(60)
    ),
    "classifier": lambda: skad.DetectorClassifier(skad.LinearAutoencoder(2)).fit(
        X, np.repeat([1, 2], 30)
    ),
    "index of texts": lambda: skad.WindowedDetector(skad.LinearAutoencoder(2), 5).fit(
        TEXTS
    ),
    "short segment in predict": lambda: windowed().predict(SHORT),
    "short segment in score_samples": lambda: windowed().score_samples(SHORT),
    "short segment in decision_function": lambda: windowed().decision_function(SHORT),
    "sliding_windows": lambda: skad.sliding_windows(TEXTS, window_length=5),
    "SlidingWindow": lambda: make_pipeline(skad.SlidingWindow(5)).fit(TEXTS),
    "imputer": lambda: make_pipeline(skad.TimeSeriesImputer()).fit_transform(
        np.c_[X, np.full(60, np.nan)]
    ),
    "clean_table": lambda: skad.clean_table(pd.DataFrame({"a": ["1", "x"]})),
    "too few for conformal": lambda: skad.ConformalThreshold().fit(X[:, 0]),
    "too few for a tail": lambda: skad.POTThreshold().fit(X[:, 0]),
    "no budget": lambda: skad.AlertBudgetThreshold().fit(X[:, 0]),
    "precision": lambda: skad.PrecisionFloorThreshold().fit([1.0, 2.0, 3.0], [0, 1, 0]),
    "one residual": lambda: skad.MahalanobisErrors("window").fit(np.ones((1, 2, 2))),
    "evaluate": lambda: skad.evaluate(
        skad.LinearAutoencoder(2),
        X[:30],
        X_test=X[30:],
        y_test=np.tile([0, 1], 15),
        groups_train=np.zeros(30),
        groups_test=np.zeros(30),
        references=False,
    ),
}


def warnings_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    for warning in caught:
        assert warning.filename == __file__, warning
    return [(warning.category, str(warning.message)) for warning in caught]


@pytest.mark.parametrize("name", CALLS)
def test_warning__points_here__once(name):
    told = warnings_of(CALLS[name])
    assert told
    assert {category for category, _ in told} <= {UserWarning, skad.CalibrationWarning}
    kinds = [re.sub(r"[0-9]+", "0", message) for _, message in told]
    assert len(set(kinds)) == len(kinds), kinds


# Series of which one is shorter than a window, in fit and afterwards
SERIES = pd.DataFrame(
    np.column_stack([np.sin(np.arange(200) / 4), np.cos(np.arange(200) / 4)])
    + 0.01 * RNG.normal(size=(200, 2)),
    index=pd.MultiIndex.from_arrays(
        [np.repeat(["a", "b", "c", "d"], [90, 4, 100, 6]), np.arange(200)]
    ),
    columns=["u", "v"],
)
LABELS = np.where(np.arange(200) % 20 == 0, -1, 1)


def of_windows(detector=None, **params):
    detector = skad.LinearAutoencoder(1) if detector is None else detector
    return skad.WindowedDetector(detector, 10, **params)


def union(n_jobs=None):
    members = [(f"d{n}", of_windows()) for n in range(5)]
    return skad.DetectorUnion(members, n_jobs=n_jobs)


def sensors(detector=None):
    steps = make_pipeline(StandardScaler(), detector or of_windows())
    return steps.set_output(transform="pandas")


@functools.cache
def fitted(make):
    with warnings.catch_warnings(action="ignore"):
        return make().fit(SERIES)


def searched(detector):
    scoring = skad.make_outlier_scorer("roc_auc")
    grid = {"contamination": [0.1, 0.2]}
    cv = PredefinedSplit(np.repeat([0, 1], [94, 106]))
    return GridSearchCV(detector, grid, scoring=scoring, cv=cv).fit(SERIES, LABELS)


def evaluated():
    return skad.evaluate(
        {"a": of_windows(), "b": of_windows(), "c": sensors()},
        SERIES,
        X_test=SERIES.rename(index=lambda name: f"new {name}", level=0),
        y_test=LABELS,
        references=False,
        seeds=(0,),
    )


def tuned(detector):
    cv = PredefinedSplit(np.repeat([0, 1], [94, 106]))
    return skad.TunedThresholdDetector(detector, skad.QuantileThreshold(), cv=cv)


SHORT_CALLS = {
    "fit": lambda: of_windows().fit(SERIES),
    "fit_predict": lambda: of_windows().fit_predict(SERIES),
    "fit in a pipeline": lambda: sensors().fit(SERIES),
    "fit of a union": lambda: union().fit(SERIES),
    "fit of a union in threads": lambda: union(2).fit(SERIES),
    "fit of windows of a union": lambda: of_windows(
        skad.DetectorUnion([(f"d{n}", skad.LinearAutoencoder(1)) for n in range(5)])
    ).fit(SERIES),
    "search": lambda: searched(of_windows()),
    "cross_validate": lambda: cross_validate(
        of_windows(), SERIES, cv=KFold(2), scoring=no_score
    ),
    "cross_val_predict": lambda: cross_val_predict(of_windows(), SERIES, cv=KFold(2)),
    "tuned threshold": lambda: tuned(of_windows()).fit(SERIES, LABELS),
    "fixed threshold": lambda: skad.FixedThresholdDetector(of_windows(), -1).fit(
        SERIES
    ),
    "classifier": lambda: skad.DetectorClassifier(of_windows()).fit(
        SERIES, np.where(LABELS < 0, 1, 0)
    ),
    "evaluate": evaluated,
    **{
        f"{method} of {name}": lambda method=method, make=make: getattr(
            fitted(make), method
        )(SERIES)
        for method in ("score_samples", "decision_function", "predict")
        for name, make in (
            *(("a detector", of_windows), ("a pipeline", sensors), ("a union", union)),
            ("a union in threads", functools.partial(union, 2)),
        )
    },
    "comparison": lambda: skad.DetectorComparisonDisplay.from_estimators(
        {"a": fitted(of_windows), "b": fitted(sensors), "c": fitted(union)},
        SERIES,
        series="b",
    ),
    "scores": lambda: skad.AnomalyScoreDisplay.from_estimator(
        fitted(sensors), SERIES, series="b", columns=["u"], expected=True
    ),
    "threshold": lambda: skad.ThresholdDisplay.from_estimator(
        fitted(sensors), SERIES, LABELS
    ),
}


def no_score(estimator, X, y=None):
    return 0.0


@pytest.mark.parametrize("name", SHORT_CALLS)
def test_short_segments__are_told_once(name):
    if "threshold" in name or name in ("comparison", "scores"):
        pytest.importorskip("matplotlib").use("Agg")
    told = warnings_of(SHORT_CALLS[name])
    assert sum("shorter than" in message for _, message in told) == 1, told


# All other warnings of tables, through all that may lie between


def wrapped(detector):
    """A detector in what can be put around it, by name, with what fits it."""
    labels = np.where(np.arange(200) % 20 == 0, -1, 1)
    cv = PredefinedSplit(np.repeat([0, 1], 100))
    search = GridSearchCV(detector, {"stride": [1, 2]}, cv=cv, scoring=no_score)
    five = [(f"d{n}", detector) for n in range(5)]
    yield "alone", lambda X: detector.fit(X)
    yield "pipeline", lambda X: sensors(detector).fit(X)
    yield "union", lambda X: skad.DetectorUnion(five).fit(X)
    yield "threads", lambda X: skad.DetectorUnion(five, n_jobs=2).fit(X)
    yield "search", lambda X: search.fit(X)
    yield (
        "tuned",
        lambda X: skad.TunedThresholdDetector(
            detector, skad.QuantileThreshold(), cv=cv
        ).fit(X, labels),
    )
    yield "fixed", lambda X: skad.FixedThresholdDetector(detector, -1.0).fit(X)
    yield (
        "classifier",
        lambda X: skad.DetectorClassifier(detector).fit(X, np.where(labels < 0, 1, 0)),
    )


def waves(index=None):
    t = np.arange(200)
    X = np.column_stack([np.sin(t / 4), np.cos(t / 4)])
    X += 0.01 * np.random.default_rng(0).normal(size=X.shape)
    return X if index is None else pd.DataFrame(X, index=index, columns=["u", "v"])


DAYS = pd.date_range("2018-04-01", periods=200, freq="h")
TOLD_IN_FIT = {
    "no time": (of_windows(), waves([f"row {i}" for i in range(200)]), "is no time"),
    "max_gap": (of_windows(max_gap=3), waves(), "max_gap=3 has no effect"),
    "copies": (of_windows(skad.LinearAutoencoder(20)), waves(DAYS), "latent_dim=20"),
    "few": (of_windows(), waves(DAYS), "independent windows"),
}


@pytest.mark.parametrize("what", TOLD_IN_FIT)
@pytest.mark.parametrize("wrap", [name for name, _ in wrapped(of_windows())])
def test_warning_of_fit__is_given_once(what, wrap):
    detector, X, message = TOLD_IN_FIT[what]
    fit = dict(wrapped(detector))[wrap]
    told = warnings_of(lambda: fit(X))
    n_told = sum(message in text for _, text in told)
    # a threshold that is placed anew is not calibrated; pandas counts rows in an index
    may_be_silent = {("few", "tuned"), ("few", "fixed"), ("max_gap", "pipeline")}
    assert n_told == 1 or (n_told == 0 and (what, wrap) in may_be_silent), told


RAW = waves(DAYS).reset_index(names="time")
RAW.loc[[40, 80, 130, 177], "u"] = -200.0
RAW["note"] = "all is well"


@pytest.mark.parametrize("what", ["as if they stood", "without any number"])
def test_warning_of_a_table__is_given_once(what):
    pipeline = make_pipeline(
        skad.TableReader("time"), skad.TimeSeriesImputer(), of_windows()
    ).set_output(transform="pandas")
    cv = PredefinedSplit(np.repeat([0, 1], 100))
    grid = {"windoweddetector__stride": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=cv, scoring=no_score)
    for call in (lambda: pipeline.fit(RAW), lambda: search.fit(RAW)):
        told = warnings_of(call)
        assert sum(what in text for _, text in told) == 1, told


@pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")
@pytest.mark.parametrize("name", ["detector", "pipeline", "union", "threads", "search"])
def test_drift__is_told_once(name):
    with warnings.catch_warnings(action="ignore"):
        t = np.arange(3000)
        X = np.column_stack([np.sin(t / 4), np.cos(t / 4)])
        X += 0.1 * np.random.default_rng(0).normal(size=X.shape)
        five = [(f"d{n}", of_windows()) for n in range(5)]
        detector = {
            "detector": of_windows(),
            "pipeline": make_pipeline(StandardScaler(), of_windows()),
            "union": skad.DetectorUnion(five),
            "threads": skad.DetectorUnion(five, n_jobs=2),
            "search": GridSearchCV(
                of_windows(), {"stride": [1]}, cv=2, scoring=no_score
            ),
        }[name].fit(X)
    told = warnings_of(lambda: detector.predict(X + 3.0))
    assert [category for category, _ in told] == [skad.DriftWarning]


def test_findings_that_differ__are_all_given():
    told = warnings_of(
        lambda: skad.evaluate(
            skad.LinearAutoencoder(2),
            X[:20],
            X_val=X[20:40],
            y_val=np.tile([0, 1], 10),
            X_test=X[40:],
            y_test=np.tile([0, 1], 10),
            groups_train=np.zeros(20),
            groups_val=np.zeros(20),
            groups_test=np.zeros(20),
            references=False,
        )
    )
    told = [text for category, text in told if category is UserWarning]
    assert len(told) == len(set(told)) > 1


def test_odd_stretches__are_told_once():
    t = np.arange(3000)
    X = np.column_stack([np.sin(t / 4), np.cos(t / 4)])
    X += 0.1 * np.random.default_rng(0).normal(size=X.shape)
    X[1500:1540] += 20.0
    five = [(f"d{n}", of_windows()) for n in range(5)]
    for detector in (of_windows(), sensors(), skad.DetectorUnion(five)):
        told = warnings_of(lambda detector=detector: detector.fit(X))
        assert sum("unlike the rest" in text for _, text in told) == 1


def test_threads_of_others__are_not_lines_of_libraries():
    with (
        joblib.parallel_config("threading", n_jobs=2),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        searched(of_windows())
    assert caught
    for warning in caught:
        assert not re.search("skad/|sklearn/|joblib/", warning.filename)


def test_loop__warns_at_every_turn():
    detector = fitted(of_windows)

    def turns():
        for _ in range(3):
            detector.predict(SERIES)

    assert len(warnings_of(turns)) == 3


def test_warning_of_a_pickle__points_here(monkeypatch):
    data = pickled_by_other_versions(monkeypatch)
    with pytest.warns(UserWarning, match=r"scikit-learn 1\.5\.0") as caught:
        pickle.loads(data)
    assert {warning.filename for warning in caught} == {__file__}


def test_warning__where_no_frame_is_the_users__is_given_all_the_same():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(COPIES.fit, X).result()
    assert [warning.category for warning in caught] == [UserWarning]


def test_libraries_that_are_stubs__hinder_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    X = np.random.default_rng(0).normal(size=(200, 2))
    assert skad.WindowedDetector(skad.LinearAutoencoder(1), 10).fit(X).offset_ < 0
