"""Scorers of events by name: in searches over series, saved, and what they call."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.model_selection import GridSearchCV, GroupKFold
from test_events import in_series

import skad
from skad import affiliation_scores, load, make_outlier_scorer, save

BY_NAME = {
    "best_f1": "best_fbeta_score",
    "best_fbeta": "best_fbeta_score",
    "composite_f1": "composite_fbeta_score",
    "composite_fbeta": "composite_fbeta_score",
    "nab": "nab_score",
    "point_adjusted_f1": "point_adjusted_fbeta_score",
    "point_adjusted_fbeta": "point_adjusted_fbeta_score",
    "range_auc_pr": "range_auc_pr_score",
    "range_auc_roc": "range_auc_roc_score",
    "range_f1": "range_fbeta_score",
    "range_fbeta": "range_fbeta_score",
    "range_precision": "range_precision_score",
    "range_recall": "range_recall_score",
}
AFFILIATION = {
    "affiliation_precision": "precision",
    "affiliation_recall": "recall",
    "affiliation_f1": "fbeta",
    "affiliation_fbeta": "fbeta",
}
NAMES = [*BY_NAME, *AFFILIATION]
OF_SCORES = ["best_f1", "best_fbeta", "range_auc_pr", "range_auc_roc"]


class Scores(OutlierMixin, BaseEstimator):
    """Scores rows by the first column, turned the right way or not."""

    def __init__(self, flip=False):
        self.flip = flip

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        return X[:, 0] if self.flip else -X[:, 0]

    def predict(self, X):
        return np.where(self.score_samples(X) < -1.5, -1, 1)


@pytest.fixture
def pumps():
    """Three pumps, and what a detector says of them."""
    y = pd.Series(np.tile(np.repeat([0, 1, 0, 1, 0], [60, 10, 35, 10, 5]), 3))
    y.index = in_series(120, 120, 120)
    noise = np.random.default_rng(0).normal(size=360)
    return (3 * y.to_numpy() + noise)[:, None], y


def value_of(name, X, y):
    """Value of the function behind a name, for the detector above."""
    response = X[:, 0] if name in OF_SCORES else X[:, 0] > 1.5
    if name in AFFILIATION:
        return getattr(affiliation_scores(y, response), AFFILIATION[name])
    return getattr(skad, BY_NAME[name])(y, response)


@pytest.mark.parametrize("name", NAMES)
def test_scorers_call_the_function_of_their_name(name, pumps, tmp_path):
    X, y = pumps
    scorer = make_outlier_scorer(name)
    assert scorer(Scores(), X, y) == value_of(name, X, y)
    assert load(save(scorer, tmp_path / "a.skad"))(Scores(), X, y) == scorer(
        Scores(), X, y
    )


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith("fbeta")])
def test_scorers_take_beta(name, pumps):
    X, y = pumps
    y = y.to_numpy()
    values = [make_outlier_scorer(name, beta=b)(Scores(), X, y) for b in (0.2, 1, 5)]
    assert len(set(values)) == 3


def test_search_by_every_name(pumps):
    X, y = pumps
    scoring = {name: make_outlier_scorer(name) for name in NAMES}
    cv, groups = GroupKFold(3), y.index.codes[0]
    search = GridSearchCV(
        Scores(), {"flip": [True, False]}, scoring=scoring, refit=False, cv=cv
    ).fit(X, y, groups=groups)
    for name in NAMES:
        means = search.cv_results_[f"mean_test_{name}"]
        assert means[1] > means[0] or name.endswith("recall")
        for fold, (_, test) in enumerate(cv.split(X, y, groups)):
            found = search.cv_results_[f"split{fold}_test_{name}"][1]
            assert found == value_of(name, X[test], y.iloc[test])


def test_what_is_undefined_counts_as_nothing(pumps):
    X, y = pumps
    for name in set(NAMES) - set(OF_SCORES):
        assert make_outlier_scorer(name)(Scores(), X * 0, y) == 0.0


def test_all_flagged_is_not_read_as_none(pumps):
    X, y = pumps  # predictions of 1 alone would be
    for name in set(NAMES) - set(OF_SCORES) | {"event_f1", "event_recall"}:
        value = make_outlier_scorer(name)(Scores(), X * 0 + 9, y)
        assert value > 0 if name != "nab" else value < 0
    assert make_outlier_scorer("event_f1")(Scores(), X * 0 + 9, y) == 1
