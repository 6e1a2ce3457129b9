"""Every warning points at the user's line, whatever lies between."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
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


@pytest.mark.parametrize("name", CALLS)
def test_warning__points_here(name):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CALLS[name]()
    assert caught
    for warning in caught:
        assert warning.filename == __file__, warning
        assert warning.category in (UserWarning, skad.CalibrationWarning)


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
