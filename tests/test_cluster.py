"""Searches, and a detector for each series, on the workers of a cluster."""

import os
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from skad import (
    LinearAutoencoder,
    MLPAutoencoder,
    PerSeriesDetector,
    TimeSeriesImputer,
    WindowedDetector,
    make_sensors,
)

distributed = pytest.importorskip("distributed")
NET = MLPAutoencoder((8,), 2, max_epochs=2, random_state=0)


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as one,
    ):
        yield one


@pytest.fixture(scope="module")
def plant():
    X, _ = make_sensors(
        600, n_faults=0, missing_fraction=0.01, dead_sensors=False, random_state=0
    )
    return pd.concat({f"pump {number}": X + number for number in range(4)})


class Told(MLPAutoencoder):
    """A net that keeps where it was fitted, and on how many threads."""

    def fit(self, X, y=None):
        raise AssertionError("windows are given by their positions")

    def _fit_positions(self, X, positions, held_out):
        import torch
        from threadpoolctl import threadpool_info

        super()._fit_positions(X, positions, held_out)
        pools = [pool["num_threads"] for pool in threadpool_info()]
        self.told_ = os.getpid(), max([torch.get_num_threads(), *pools])


def a_pipeline(detector):
    steps = TimeSeriesImputer(), WindowedDetector(detector, 20, contamination=0.05)
    return make_pipeline(*steps).set_output(transform="pandas")


@pytest.mark.parametrize("n_jobs", [None, -1])
def test_per_series__is_fitted_by_the_workers(client, plant, n_jobs):
    detector = PerSeriesDetector(a_pipeline(NET), new_series="pool", n_jobs=n_jobs)
    local = detector.fit(plant).score_samples(plant)
    with joblib.parallel_config("dask"):
        there = detector.fit(plant)
        scores = there.score_samples(plant)
    np.testing.assert_array_equal(scores, local)
    np.testing.assert_array_equal(there.score_samples(plant), local)


def test_per_series__each_worker_computes_on_one_thread(client, plant):
    net = Told(**NET.get_params())
    with joblib.parallel_config("dask"):
        fitted = PerSeriesDetector(a_pipeline(net)).fit(plant)
    told = [one[-1].estimator_.told_ for one in fitted.estimators_.values()]
    workers = set(client.run(os.getpid).values())
    assert {process for process, _ in told} <= workers
    assert {n_threads for _, n_threads in told} == {1}


def test_per_series__warnings_and_errors_come_back_with_their_series(client, plant):
    short = plant.drop(index=plant.loc[["pump 2"]].index[15:])
    detector = PerSeriesDetector(a_pipeline(LinearAutoencoder(2)))
    with (
        joblib.parallel_config("dask"),
        pytest.raises(ValueError, match="Series 'pump 2': window_length=20 is longer"),
    ):
        detector.fit(short)
    detector = PerSeriesDetector(WindowedDetector(LinearAutoencoder(2), 20))
    few = plant.fillna(0.0).groupby(level=0).head(100)
    messages = []
    for config in ({"n_jobs": 1}, {"backend": "dask"}):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with joblib.parallel_config(**config):
                detector.fit(few)
        messages.append([str(one.message) for one in caught if "Series" in str(one)])
    assert messages[0] == messages[1]
    assert "Likewise: 'pump 1'" in messages[0][0]


@pytest.mark.parametrize("kind", ["search", "search of series"])
def test_search__has_local_scores(client, plant, kind):
    X = plant.fillna(0.0).sort_index(level=1, kind="stable")  # folds in time
    X = X.xs("pump 0") if kind == "search" else X
    detector = WindowedDetector(NET, 20, contamination=0.05)
    grid = {"window_length": [10, 20]}
    if kind != "search":
        detector = PerSeriesDetector(detector)
        grid = {"estimator__window_length": [10, 20]}
    search = GridSearchCV(
        detector, grid, scoring=mean_score, cv=KFold(2), error_score="raise"
    )
    local = search.fit(X).cv_results_["mean_test_score"]
    with joblib.parallel_config("dask"):
        there = search.fit(X)
    np.testing.assert_array_equal(there.cv_results_["mean_test_score"], local)


def mean_score(detector, X, y=None):
    return float(np.mean(detector.score_samples(X)))
