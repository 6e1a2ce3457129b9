"""Volumes under the surface: against slow loops, other figures, inside searches."""

import pickle

import naive_vus
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from test_events import in_series, signs, tables, undefined

from skad import (
    LinearAutoencoder,
    load,
    make_outlier_scorer,
    range_auc_pr_score,
    range_auc_roc_score,
    save,
    vus_pr_score,
    vus_roc_score,
)

VOLUMES = [vus_pr_score, vus_roc_score]
AREAS = [range_auc_pr_score, range_auc_roc_score]
METRICS = VOLUMES + AREAS

# Against the definition


@given(
    table=tables(40),
    window=st.integers(0, 25),
    n_thresholds=st.sampled_from([None, 2, 3, 7, 250]),
    data=st.data(),
)
def test_volumes_are_those_of_a_loop(table, window, n_thresholds, data):
    truth, _, index, max_gap, segments = table
    values = data.draw(st.sampled_from([st.floats(-1e300, 1e300), st.integers(0, 4)]))
    scores = data.draw(st.lists(values, min_size=len(truth), max_size=len(truth)))
    kwargs = {"window": window, "n_thresholds": n_thresholds}
    expected = naive_vus.volumes(truth, scores, segments, **kwargs)
    kwargs_of_area = {"buffer": window, "n_thresholds": n_thresholds}
    expected += naive_vus.areas(truth, scores, segments, **kwargs_of_area)
    for metric, value in zip(METRICS, expected, strict=True):
        found = metric(signs(truth), scores, index=index, max_gap=max_gap, **kwargs)
        assert found == pytest.approx(undefined(value), nan_ok=True)
        assert np.isnan(found) or 0 <= found <= 1


@given(
    starts=st.lists(st.integers(0, 170), min_size=1, max_size=12),
    length=st.integers(1, 30),
    window=st.sampled_from([1, 40, 101]),
)
def test_equal_scores_get_the_mean_weight(starts, length, window):
    truth = np.zeros(200, dtype=bool)
    for start in starts:
        truth[start : start + length] = True
    labels = truth.tolist(), [list(range(200))]
    weights = [naive_vus.soft_labels(*labels, buffer) for buffer in range(window + 1)]
    found = vus_pr_score(signs(truth), np.zeros(200), window=window)
    assert found == pytest.approx(np.mean(weights))


# window: VUS-PR and VUS-ROC by `generate_curve(y, scores, window, "opt", 250)` of
# TSB_AD 1.5; vus 0.0.6 gives the same.
AUTHORS = {
    0: (0.4761801192125643, 0.8260179924242425),
    1: (0.4761801192125643, 0.8260179924242425),
    10: (0.5119142866690664, 0.861147165560508),
    37: (0.5981742303966113, 0.9021866785333835),
    100: (0.7011245180308069, 0.9359830763729059),
    300: (0.8885680125107668, 0.976996342084309),
}


def waves():
    """Labels with events at both ends and close together, and scores with ties."""
    row = np.arange(400)
    y = np.isin(row // 8, [0, 11, 13, 14, 30, 49]).astype(int)
    scores = np.round(np.sin(row * 0.7) + np.cos(row * 0.11) + 0.9 * y, 2)
    return y, scores


@pytest.mark.parametrize("window", AUTHORS)
def test_values_of_the_authors_code(window):
    y, scores = waves()
    found = [metric(y, scores, window=window) for metric in VOLUMES]
    assert found == pytest.approx(AUTHORS[window], abs=1e-12)


@given(data=st.data(), n_rows=st.integers(2, 60))
def test_one_event_without_buffer_is_the_area_of_scikit_learn(data, n_rows):
    first = data.draw(st.integers(0, n_rows - 1))
    last = data.draw(st.integers(first, n_rows - 1))
    scores = data.draw(st.lists(st.integers(0, 9), min_size=n_rows, max_size=n_rows))
    row = np.arange(n_rows)
    truth = (row >= first) & (row <= last)
    kwargs = {"window": data.draw(st.integers(0, 1)), "n_thresholds": None}
    found = vus_pr_score(truth, scores, **kwargs)
    assert found == pytest.approx(average_precision_score(truth, scores))
    if not truth.all():
        found = vus_roc_score(truth, scores, **kwargs)
        assert found == pytest.approx(roc_auc_score(truth, scores))


# What they are of


@pytest.fixture
def noisy():
    """Labels, and scores that tell something."""
    rng = np.random.default_rng(0)
    y = np.isin(np.arange(600) // 15, [3, 4, 20, 33]).astype(int)
    return y, rng.normal(size=600) + y


@pytest.mark.parametrize("metric", METRICS)
def test_only_the_order_of_scores_counts(metric, noisy):
    y, scores = noisy
    value = metric(y, scores)
    assert metric(y, np.exp(scores)) == metric(y, 1e6 + scores * 1e3) == value
    assert metric(np.where(y, -1, 1), scores) == metric(y.astype(bool), scores) == value
    assert metric(y[::-1], scores[::-1]) == pytest.approx(value)
    assert metric(y, -scores) < value


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", ["f4", ">f8", "i8", "u1", ">i2", "?", "O"])
def test_scores_of_any_type(metric, dtype, noisy):
    y, scores = noisy
    whole = np.clip(np.round(scores * 2) + 5, 0, 200)
    given = whole.astype(dtype)
    expected = metric(y, given.astype(float))
    assert metric(y, given) == metric(y, given[:, None]) == expected
    assert metric(y, pd.Series(given)) == metric(y.tolist(), given.tolist()) == expected
    given.flags.writeable = False
    assert metric(y, np.repeat(given, 2)[::2]) == metric(y, given) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_perfect_scores(metric, noisy):
    y, scores = noisy
    perfect = scores + 100 * y
    assert metric(y, perfect, n_thresholds=None) == pytest.approx(1)
    assert metric(y, y) == pytest.approx(1)
    # normal rows near events count, too
    assert metric(y, -perfect) < (0.7 if metric in VOLUMES else 0.9)


def test_near_misses_count_in_part():
    y = np.repeat([0, 1, 0], [200, 50, 200])
    for metric in VOLUMES:
        values = [metric(y, np.roll(y, by)) for by in (0, 10, 25, 50, 100)]
        assert (np.diff(values) < -0.05).all()
        assert metric(y, np.roll(y, 25)) == pytest.approx(metric(y, np.roll(y, -25)))
        assert metric(y, np.roll(y, 25)) > metric(y, np.roll(y, 25), window=0)


def test_250_thresholds_are_coarse():
    # as the docstring warns: the second threshold predicts 402 rows
    y = np.zeros(100_000, dtype=int)
    y[50_000:50_050] = 1
    scores = np.random.default_rng(0).random(100_000) + 2 * y
    assert vus_pr_score(y, scores) < 0.2
    assert vus_pr_score(y, scores, n_thresholds=None) == pytest.approx(1)
    assert vus_pr_score(y, scores > 1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("length", "pr", "roc"), [(1, 0.93, 0.97), (20, 0.31, 0.80), (100, 0.14, 0.61)]
)
def test_random_scores_get_what_is_documented(length, pr, roc):
    rng = np.random.default_rng(0)
    y = np.zeros(20_000, dtype=int)
    for start in range(0, 20_000, 10 * length):
        start += rng.integers(9 * length)
        y[start : start + length] = 1
    scores = rng.random(20_000)
    assert vus_pr_score(y, scores) == pytest.approx(pr, abs=0.03)
    assert vus_pr_score(y, np.zeros(20_000)) == pytest.approx(pr, abs=0.03)
    assert vus_roc_score(y, scores) == pytest.approx(roc, abs=0.03)


@pytest.mark.parametrize("metric", METRICS)
def test_borders_part_events_and_slopes(metric):
    index = in_series(30, 30)
    y = pd.Series(np.repeat([0, 1, 0], [24, 6, 30]), index=index)
    scores = np.zeros(60)
    scores[30:36] = 1  # right after the event, but of the next series
    assert metric(y, scores) < metric(y.to_numpy(), scores)
    assert metric(y.to_numpy(), scores, index=index) == metric(y, scores)
    gap = pd.Index(np.r_[0:30, 1000:1030])
    assert metric(y.to_numpy(), scores, index=gap) == metric(y, scores)
    joined = metric(y.to_numpy(), scores, index=gap, max_gap=1000)
    assert joined == metric(y.to_numpy(), scores)


def test_volumes_are_means_of_areas(noisy):
    for volume, area in zip(VOLUMES, AREAS, strict=True):
        values = [area(*noisy, window=window) for window in range(31)]
        assert volume(*noisy, window=30) == pytest.approx(np.mean(values))


# Edges


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("y", [[1, 1, 1], [0, 0, 0], [0]])
def test_no_anomaly(metric, y):
    scores = np.arange(len(y))
    assert np.isnan(metric(y, scores))
    assert metric(y, scores, zero_division=0) == 0.0


@pytest.mark.parametrize("y", [[-1, -1, -1], [True], [-1]])
def test_all_anomaly(y):
    scores = np.arange(len(y))
    assert vus_pr_score(y, scores) == vus_pr_score(y, -scores) == 1.0
    assert range_auc_pr_score(y, scores) == 1.0
    for metric in (vus_roc_score, range_auc_roc_score):
        assert np.isnan(metric(y, scores))
        assert metric(y, scores, zero_division=0.5) == 0.5


def test_windows_beyond_the_table():
    expected = naive_vus.volumes([False, True, False], [0, 1, 2], [[0, 1, 2]], 50, 250)
    for metric, value in zip(VOLUMES, expected, strict=True):
        assert metric([0, 1, 0], [0, 1, 2], window=50) == pytest.approx(value)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (([0, 2], [0, 1]), {}, "y_true holds the labels 0, 2"),
        (([0, 1], [0, np.nan]), {}, "y_score contains NaN"),
        (([0, 1], [0, np.inf]), {}, "y_score contains infinity"),
        (([0, 1], [0, 1, 1]), {}, "inconsistent numbers of samples"),
        (([], []), {}, "no rows"),
        ((pd.Series([0, 1], index=[2, 1]), [0, 1]), {}, "must increase"),
        (([0, 1], [[0, 1], [0, 1]]), {}, "1d array"),
        (([0, 1], ["a", "b"]), {}, "could not convert string"),
        (([0, 1], [0, 1]), {"window": -1}, "window=-1; expected an integer >= 0"),
        (([0, 1], [0, 1]), {"window": 2.5}, "window=2.5; expected an integer"),
        (([0, 1], [0, 1]), {"window": None}, "window=None; expected an integer"),
        (([0, 1], [0, 1]), {"n_thresholds": 1}, "n_thresholds=1; expected an integer"),
        (([0, 1], [0, 1]), {"n_thresholds": "all"}, "n_thresholds='all'; expected"),
        (([0, 1], [0, 1]), {"index": [1, 2, 3]}, "index has 3 entries; expected 2"),
        (([0, 1], [0, 1]), {"max_gap": "x"}, "max_gap='x'"),
    ],
)
def test_volumes_refuse(metric, args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        metric(*args, **kwargs)


# Scorers


class Scores(OutlierMixin, BaseEstimator):
    """Scores rows by the first column, turned the right way or not."""

    def __init__(self, flip=False):
        self.flip = flip

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        return X[:, 0] if self.flip else -X[:, 0]


@pytest.fixture
def pumps():
    """Three pumps, and what a detector says of them."""
    y = pd.Series(np.tile(np.repeat([1, 0, 1, 0], [5, 60, 10, 45]), 3))
    y.index = in_series(120, 120, 120)
    noise = np.random.default_rng(0).normal(size=360)
    return (y.to_numpy() + noise)[:, None], y


@pytest.mark.parametrize("metric", METRICS)
def test_scorers_turn_scores_and_see_the_borders(metric, pumps):
    X, y = pumps
    name = metric.__name__.removesuffix("_score")
    assert make_outlier_scorer(name)(Scores(), X, y) == metric(y, X[:, 0])
    scorer = make_outlier_scorer(name, window=20, n_thresholds=None)
    expected = metric(y, X[:, 0], window=20, n_thresholds=None)
    assert scorer(Scores(), X, y) == expected
    assert make_outlier_scorer(metric)(Scores(), X, y) == metric(y, X[:, 0])
    plain = y.to_numpy()
    assert scorer(Scores(), X, plain) != scorer(Scores(), X, y)
    signs_of_y = np.where(plain, -1, 1)
    assert scorer(Scores(), X, signs_of_y) == scorer(Scores(), X, plain)


def test_search_by_volumes(pumps):
    X, y = pumps
    names = [metric.__name__.removesuffix("_score") for metric in METRICS]
    scoring = {name: make_outlier_scorer(name) for name in names}
    cv, groups = GroupKFold(3), y.index.codes[0]
    for refit in scoring:
        search = GridSearchCV(
            Scores(), {"flip": [True, False]}, scoring=scoring, refit=refit, cv=cv
        ).fit(X, y, groups=groups)
        assert search.best_params_ == {"flip": False}
    for fold, (_, test) in enumerate(cv.split(X, y, groups)):
        for metric in METRICS:
            name = metric.__name__.removesuffix("_score")
            found = search.cv_results_[f"split{fold}_test_{name}"][1]
            assert found == metric(y.iloc[test], X[test, 0])


def test_cross_validation(pumps):
    X, y = pumps
    scorer = make_outlier_scorer("vus_pr", window=30)
    copy = pickle.loads(pickle.dumps(scorer))
    X, y = np.hstack([X, X**2, 1 - X]), y.to_numpy()
    detector, cv = LinearAutoencoder(1), StratifiedKFold(3)
    values = cross_val_score(detector, X, y, cv=cv, scoring=scorer)
    again = cross_val_score(detector, X, y, cv=cv, scoring=copy)
    assert values.tolist() == again.tolist()
    for value, (train, test) in zip(values, cv.split(X, y), strict=True):
        scores = -detector.fit(X[train]).score_samples(X[test])
        assert value == pytest.approx(vus_pr_score(y[test], scores, window=30))


def test_scorers_are_saved(pumps, tmp_path):
    X, y = pumps
    for name in ("vus_pr", "vus_roc", "range_auc_pr", "range_auc_roc"):
        scorer = make_outlier_scorer(name, window=7)
        loaded = load(save(scorer, tmp_path / "a.skad"))
        assert loaded(Scores(), X, y) == scorer(Scores(), X, y)
