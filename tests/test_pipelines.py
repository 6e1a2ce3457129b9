"""The front door: whole pipelines for tables of sensors."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV

import skad
from skad import (
    DetectorUnion,
    LinearAutoencoder,
    WindowedDetector,
    drift_report,
    expected_values,
    explain,
    find_events,
    make_sensors,
    sensor_pipeline,
)

pytestmark = pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")


@pytest.fixture(scope="module")
def table():
    return make_sensors(2500, n_faults=2, random_state=0)


@pytest.fixture(scope="module")
def fitted(table):
    X, _ = table
    return sensor_pipeline(window=20).fit(X[:1500])


@pytest.mark.filterwarnings("ignore::skad.DriftWarning")
def test_default__finds_faults_and_names_sensors(table, fitted):
    X, y = table
    later = X[1500:]
    assert roc_auc_score(y[1500:], -fitted.score_samples(later)) > 0.8
    contributions = explain(fitted, later)
    np.testing.assert_allclose(
        contributions.sum(axis=1), -fitted.score_samples(later), rtol=1e-9
    )
    events = find_events(fitted.predict(later), contributions=contributions)
    assert set(events["sensor_1"]) <= set(X.columns)
    assert expected_values(fitted, later).shape == later.shape
    assert len(drift_report(fitted, later).sensors) == contributions.shape[1]


def test_default__has_windows_of_three_lengths(fitted):
    members = fitted[-1].named_estimators_
    lengths = {name: one.window_length_ for name, one in members.items()}
    assert lengths == {
        "error": 20,
        "level": 20,
        "nearest": 20,
        "half_shape": 10,
        "shape": 20,
        "double_shape": 40,
    }


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("auto", (0.5, "auto", 2.0)),
        (1, (1, 1, 2)),
        (1.5, (0.75, 1.5, 3.0)),
        ("2h", (pd.Timedelta("1h"), "2h", pd.Timedelta("4h"))),
    ],
)
def test_window__may_be_anything_that_a_detector_takes(window, expected):
    members = dict(sensor_pipeline(window=window)[-1].estimators)
    names = ("half_shape", "shape", "double_shape")
    assert tuple(members[name].window_length for name in names) == expected


def test_window_that_is_none__is_refused_by_name():
    with pytest.raises(ValueError, match="window_length='soon'; expected a number"):
        sensor_pipeline(window="soon")


def test_times_and_series__are_borders(table):
    X, _ = table
    parts = {"a": X[:700], "b": X[700:1500]}
    pipeline = sensor_pipeline(window=10).fit(pd.concat(parts))
    with pytest.warns(UserWarning, match="rows are taken for those of one series"):
        apart = [pipeline.score_samples(part) for part in parts.values()]
    together = pipeline.score_samples(pd.concat(parts))
    np.testing.assert_allclose(together[715:], apart[1][15:], rtol=1e-9)
    chunk = pd.concat({"a": X[:100]})
    assert pipeline.score_samples(chunk).shape == (100,)


def test_other_detector__is_put_into_windows(table):
    X, _ = table
    pipeline = sensor_pipeline(
        IsolationForest(n_estimators=5, random_state=0), window=15, contamination=0.1
    ).fit(X[:500])
    assert isinstance(pipeline["detect"], WindowedDetector)
    assert pipeline["detect"].window_length_ == 15
    assert pipeline["detect"].contamination == 0.1
    own = WindowedDetector(LinearAutoencoder(), 12)
    for detector in (own, DetectorUnion([("own", own)])):
        assert sensor_pipeline(detector)["detect"] is detector
        with pytest.raises(ValueError, match="cuts windows itself; set window"):
            sensor_pipeline(detector, window=10)


def test_search__reaches_everything(table):
    X, _ = table
    search = GridSearchCV(
        sensor_pipeline(window=10),
        {"detect__weights": [None, {"error": 3.0}], "impute__method": ["ffill"]},
        scoring=lambda estimator, X, y=None: estimator.score_samples(X).mean(),
        cv=2,
    ).fit(X[:400])
    assert len(search.cv_results_["params"]) == 2
    assert clone(search.estimator).get_params()["detect__shape__window_length"] == 10


def test_file__scores_alike(table, fitted, tmp_path):
    X, _ = table
    skad.save(fitted, tmp_path / "a.skad")
    again = skad.load(tmp_path / "a.skad")
    np.testing.assert_array_equal(again.score_samples(X), fitted.score_samples(X))
