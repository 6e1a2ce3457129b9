"""Whole pipelines in GridSearchCV: the search repeats, survives, keeps borders."""

import itertools
import subprocess
import sys
from typing import ClassVar

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.callback import ProgressBar
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    EncDecAD,
    FBetaThreshold,
    LinearAutoencoder,
    MLPAutoencoder,
    SlidingWindow,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    make_outlier_scorer,
    make_sensors,
    sliding_windows,
)

SCORING = {
    "average_precision": make_outlier_scorer("average_precision"),
    "f1": make_outlier_scorer("f1"),
}
WINDOW_LENGTHS = [6, 9]


def make_runs(seeds, n_rows=120):
    """Runs of one machine as series of one table, and labels."""
    runs = {
        f"run {seed}": make_sensors(
            n_rows,
            5,
            n_faults=2,
            fault_kinds=["level_shift", "noise_burst"],
            normal_fraction=0.4,
            start=f"2018-04-{seed + 1:02d}",
            random_state=seed,
        )
        for seed in seeds
    }
    X = pd.concat({name: X for name, (X, _) in runs.items()}, names=["series"])
    y = pd.concat({name: y for name, (_, y) in runs.items()}, names=["series"])
    return X, y


def make_pipeline(*last_steps, transform="pandas"):
    steps = [
        ("impute", TimeSeriesImputer(max_missing=0.4)),
        ("scale", StandardScaler()),
        *last_steps,
    ]
    return Pipeline(steps).set_output(transform=transform)


def make_encdec_ad():
    """The tuner outside: its validation rows are imputed and scaled."""
    net = EncDecAD(3, lr=1e-2, max_epochs=1, random_state=0)
    detector = WindowedDetector(net, 6, normal_label=0)
    pipeline = make_pipeline(("detect", detector))
    tuner = TunedThresholdDetector(pipeline, FBetaThreshold(), cv=KFold(2))
    values = {
        "estimator__impute__method": ("ffill", "time"),
        "estimator__impute__max_missing": (0.4, 0.7),
        "estimator__detect__window_length": WINDOW_LENGTHS,
        "estimator__detect__estimator__hidden_dim": (3, 4),
        "estimator__detect__estimator__error_model": ("std", "mahalanobis"),
        "estimator__detect__level": ("timestep", "window"),
        "estimator__detect__aggregate": ("mean", "max"),
        "rule__beta": (0.5, 2.0),
    }
    # Of the 256 candidates one, its eight neighbours, and the one farthest from it.
    one = {name: [first] for name, (first, _) in values.items()}
    other = {name: [second] for name, (_, second) in values.items()}
    return tuner, [one, *({**one, name: other[name]} for name in one), other]


def make_rows_of_windows(detector, grid):
    pipeline = make_pipeline(("window", SlidingWindow(6)), ("detect", detector))
    return pipeline, {
        "impute__method": ["ffill", "time"],
        "window__window_length": WINDOW_LENGTHS,
        **grid,
    }


def make_search(name, folds, n_jobs=1):
    estimator, grid = {
        "encdec-ad": make_encdec_ad,
        "mlp": lambda: make_rows_of_windows(
            MLPAutoencoder(
                (8,), normal_label=0, contamination=0.05, max_epochs=1, random_state=0
            ),
            {"detect__latent_dim": [2, 0.9]},
        ),
        "forest": lambda: make_rows_of_windows(
            IsolationForest(n_estimators=20, random_state=0),
            {"detect__contamination": [0.1, 0.3]},
        ),
    }[name]()
    cv = {
        "time": TimeSeriesSplit(2, gap=max(WINDOW_LENGTHS) - 1),
        "series": GroupKFold(2),
    }[folds]
    return GridSearchCV(
        estimator, grid, scoring=SCORING, refit="f1", cv=cv, n_jobs=n_jobs
    )


def groups_of(search, X):
    by_series = isinstance(search.cv, GroupKFold)
    return X.index.get_level_values("series") if by_series else None


def fit(search, X, y):
    return search.fit(X, y, groups=groups_of(search, X))


SEARCHES = [
    (name, f) for name in ["encdec-ad", "mlp", "forest"] for f in ["time", "series"]
]


@pytest.fixture(scope="module")
def runs():
    """Four runs to search on."""
    return make_runs(range(4))


@pytest.fixture(scope="module")
def new_runs():
    """Two runs that no search has seen."""
    return make_runs(range(4, 6))[0]


@pytest.fixture(scope="module")
def fitted(runs):
    """Every search, fitted with one job, by name and folds."""
    return {key: fit(make_search(*key), *runs) for key in SEARCHES}


def scores_of(results):
    """The columns of cv_results_ that are no times."""
    return {k: v for k, v in results.items() if "test" in k and "time" not in k}


@pytest.mark.parametrize("key", SEARCHES, ids="-".join)
def test_search__runs(key, fitted, new_runs):
    search = fitted[key]
    for metric in SCORING:
        scores = search.cv_results_[f"mean_test_{metric}"]
        assert np.isfinite(scores).all()
        assert (scores >= 0).all()
        assert (scores <= 1).all()
    assert search.cv_results_["rank_test_f1"][search.best_index_] == 1
    assert search.best_score_ > 0
    assert set(search.predict(new_runs)) <= {-1, 1}


@pytest.mark.parametrize("key", SEARCHES, ids="-".join)
def test_every_parameter__makes_a_difference(key, fitted):
    results = fitted[key].cv_results_
    scores = np.column_stack([v for k, v in scores_of(results).items() if "split" in k])
    params = results["params"]
    makes_one = dict.fromkeys(params[0], False)
    for (i, a), (j, b) in itertools.combinations(enumerate(params), 2):
        changed = [name for name in a if a[name] != b[name]]
        if len(changed) == 1:
            makes_one[changed[0]] |= (scores[i] != scores[j]).any()
    assert all(makes_one.values()), makes_one


def score_by_hand(pipeline, X, y, X_test):
    """Scores of test rows by the steps one by one, and the last threshold."""
    for _, step in pipeline.steps[:-1]:
        fitted = clone(step).fit(X)
        X, X_test = fitted.transform(X), fitted.transform(X_test)
    detector = clone(pipeline[-1]).fit(X, y)
    return detector.score_samples(X_test), detector.offset_


def tune_by_hand(tuner, X, y):
    """Each half of the rows gets its scores from the other."""
    half = len(X) // 2
    halves = [(X[:half], y[:half]), (X[half:], y[half:])]
    scores = [
        score_by_hand(tuner.estimator, *learn, rows)[0]
        for (rows, _), learn in zip(halves, halves[::-1], strict=True)
    ]
    return clone(tuner.rule).fit(np.concatenate(scores), y).threshold_


@pytest.mark.parametrize("key", SEARCHES, ids="-".join)
def test_figures_of_the_best__are_those_by_hand(key, fitted, runs):
    search, (X, y) = fitted[key], runs
    best = search.best_estimator_
    is_tuned = isinstance(best, TunedThresholdDetector)
    for fold, (train, test) in enumerate(search.cv.split(X, y, groups_of(search, X))):
        learn, truth = (X.iloc[train], y.iloc[train]), y.iloc[test]
        pipeline = best.estimator if is_tuned else best
        scores, threshold = score_by_hand(pipeline, *learn, X.iloc[test])
        if is_tuned:
            threshold = tune_by_hand(best, *learn)
        expected = {
            "average_precision": average_precision_score(truth, -scores),
            "f1": f1_score(truth, scores < threshold),
        }
        for metric, value in expected.items():
            figures = search.cv_results_[f"split{fold}_test_{metric}"]
            assert figures[search.best_index_] == pytest.approx(value, abs=1e-12)


# Every pipeline and both kinds of folds.
PARALLEL = [("encdec-ad", "time"), ("mlp", "series"), ("forest", "time")]


@pytest.mark.slow
@pytest.mark.parametrize("key", PARALLEL, ids="-".join)
def test_two_jobs__equal_one_bit_for_bit(key, fitted, runs, new_runs):
    one, two = fitted[key], fit(make_search(*key, n_jobs=2), *runs)
    expected, actual = scores_of(one.cv_results_), scores_of(two.cv_results_)
    assert expected.keys() == actual.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(actual[name], values, err_msg=name)
    assert two.best_params_ == one.best_params_
    np.testing.assert_array_equal(
        two.best_estimator_.score_samples(new_runs),
        one.best_estimator_.score_samples(new_runs),
    )
    np.testing.assert_array_equal(two.predict(new_runs), one.predict(new_runs))


def test_best_pipelines__survive_joblib_in_a_new_process(fitted, new_runs, tmp_path):
    best = {key: search.best_estimator_ for key, search in fitted.items()}
    joblib.dump((best, new_runs), tmp_path / "best.joblib")
    script = """if True:
        import sys, joblib
        best, X = joblib.load(sys.argv[1])
        answers = {k: (d.score_samples(X), d.predict(X)) for k, d in best.items()}
        joblib.dump(answers, sys.argv[2])
    """
    paths = [str(tmp_path / name) for name in ("best.joblib", "answers.joblib")]
    subprocess.run([sys.executable, "-c", script, *paths], check=True)
    answers = joblib.load(paths[1])
    for key, detector in best.items():
        scores, labels = answers[key]
        np.testing.assert_array_equal(scores, detector.score_samples(new_runs))
        np.testing.assert_array_equal(labels, detector.predict(new_runs))


# Borders ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", SEARCHES, ids="-".join)
def test_best_pipeline__scores_each_series_alone(key, fitted, new_runs):
    detector = fitted[key].best_estimator_
    alone = [
        detector.score_samples(part)
        for _, part in new_runs.groupby(level="series", sort=False)
    ]
    np.testing.assert_array_equal(
        detector.score_samples(new_runs), np.concatenate(alone)
    )


class WindowSpy(OutlierMixin, BaseEstimator):
    """A detector that keeps all windows it is fitted on or scores."""

    seen: ClassVar[list] = []

    def fit(self, X, y=None):
        self.seen.append(np.array(X))
        self.offset_ = 0.0
        return self

    def score_samples(self, X):
        self.seen.append(np.array(X))
        return np.zeros(len(X))

    def decision_function(self, X):
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        return np.where(self.decision_function(X) < 0, -1, 1)


@pytest.mark.parametrize("folds", ["time", "series"])
@pytest.mark.parametrize("transform", ["pandas", "default"])
@pytest.mark.parametrize("last_steps", ["windowed", "sliding"])
def test_windows_in_a_search__cross_no_series(
    last_steps, transform, folds, runs, monkeypatch
):
    X, y = runs
    # a channel that says which series it is
    X = X.assign(number=pd.factorize(X.index.get_level_values("series"))[0])
    steps = {
        "windowed": [("detect", WindowedDetector(WindowSpy(), 6))],
        "sliding": [("window", SlidingWindow(6)), ("detect", WindowSpy())],
    }[last_steps]
    search = make_search("forest", folds)
    search.estimator = make_pipeline(*steps, transform=transform)
    search.param_grid = {"impute__method": ["ffill", "time"]}
    monkeypatch.setattr(WindowSpy, "seen", [])
    fit(search, X, y)
    crosses = [
        np.ptp(windows.reshape(len(windows), 6, -1)[:, :, -1], axis=1).max() > 0
        for windows in WindowSpy.seen
    ]
    # Two candidates in each fold, and the winner at last: the spy was always there.
    assert len(crosses) >= 2 * search.n_splits_ + 1
    # Arrays between the steps lose the borders, which shows that the spy would see it.
    assert any(crosses) == (transform == "default")


@pytest.mark.parametrize("window_length", WINDOW_LENGTHS)
def test_detector_at_the_end__learns_from_windows_inside_series(window_length, runs):
    inner = LinearAutoencoder(2)
    pipeline = make_pipeline(("detect", WindowedDetector(inner, window_length)))
    pipeline.fit(runs[0])
    table = pipeline[:-1].transform(runs[0])
    windows = sliding_windows(table, window_length=window_length)
    assert len(windows) == len(table) - 4 * (window_length - 1)
    np.testing.assert_allclose(
        pipeline[-1].estimator_.mean_, inner.fit(windows).mean_, rtol=1e-9, atol=1e-12
    )


# Callbacks ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*does not support callbacks:UserWarning")
@pytest.mark.parametrize("depth", [0, None])
def test_progress_bar__leaves_the_results(depth, fitted, runs, capsys):
    expected = fitted["encdec-ad", "series"].cv_results_
    search = make_search("encdec-ad", "series")
    search.param_grid = search.param_grid[-2:]
    fit(search.set_callbacks(ProgressBar(max_propagation_depth=depth)), *runs)
    assert "GridSearchCV" in capsys.readouterr().out
    n = len(search.cv_results_["params"])
    assert search.cv_results_["params"] == expected["params"][-n:]
    for metric in SCORING:
        name = f"mean_test_{metric}"
        np.testing.assert_array_equal(search.cv_results_[name], expected[name][-n:])
