"""Searches, ensembles and selections of columns that users fit come back from files."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from test_hostile_files import NET, attributes, forged, refusal, setting

from skad import (
    DetectorClassifier,
    LinearAutoencoder,
    MLPAutoencoder,
    TimeSeriesImputer,
    audit,
    load,
    save,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] > 0.8).astype(int)  # 1 = anomaly
SPLITS = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
LINEAR = LinearAutoencoder(2, normal_label=0)
MODELS = [("a", LogisticRegression()), ("b", "drop"), ("c", LogisticRegression(C=2))]
DETECTOR = DetectorClassifier(LinearAutoencoder(2))
PIPELINE = make_pipeline(StandardScaler(), LINEAR)


def grid(estimator, values, **options):
    return GridSearchCV(
        estimator, values, **({"cv": 2, "scoring": "roc_auc"} | options)
    )


SEARCHES = {
    "texts": grid(LINEAR, {"error_model": ["mse", "mae"]}),
    "objects": grid(PIPELINE, {"standardscaler": [MinMaxScaler(), "passthrough"]}),
    "two grids": grid(LINEAR, [{"error_model": ["mae"]}, {"latent_dim": [1]}]),
    "range": grid(LINEAR, {"latent_dim": range(1, 3)}),
    "own score": grid(DETECTOR, {"estimator__latent_dim": [1, 2]}, scoring=None),
    "splits": grid(LINEAR, {"latent_dim": [1, 2]}, cv=SPLITS),
    "repeated": grid(
        LINEAR,
        {"latent_dim": [1]},
        cv=RepeatedStratifiedKFold(n_splits=2, random_state=0),
    ),
    "repeated, plain": grid(
        LINEAR, {"latent_dim": [1]}, cv=RepeatedKFold(n_splits=2, random_state=0)
    ),
    "scorers": grid(
        LINEAR,
        {"latent_dim": np.array([1, 2])},
        scoring={"a": "roc_auc", "b": "average_precision"},
        refit="a",
    ),
    "distributions": RandomizedSearchCV(
        LINEAR,
        {
            "latent_dim": scipy.stats.randint(1, high=3),
            "contamination": scipy.stats.loguniform(0.01, 0.1),
        },
        n_iter=2,
        cv=StratifiedKFold(2),
        scoring="roc_auc",
        random_state=0,
    ),
    "threshold": TunedThresholdClassifierCV(
        LogisticRegression(), scoring=make_scorer(f1_score), cv=2
    ),
    "voting": VotingClassifier(MODELS),
    "stacking": StackingClassifier(MODELS, cv=2),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SEARCHES)
def test_fitted_search__comes_back_and_can_be_fitted_again(name, tmp_path):
    fitted = SEARCHES[name].fit(X, Y)
    path = save(fitted, tmp_path / "a.skad")
    again = load(path)
    assert audit(path)["place"][0] == ""
    assert np.array_equal(again.predict(X), fitted.predict(X))
    assert str(getattr(again, "cv_results_", 0)) == str(
        getattr(fitted, "cv_results_", 0)
    )
    assert path.read_bytes() == save(again, tmp_path / "b.skad").read_bytes()
    again.fit(X, Y)


def test_columns_that_are_selected_by_dtype__come_back(tmp_path):
    table = pd.DataFrame(X).add_prefix("c").assign(text="a")
    selected = make_column_selector("c", dtype_include=np.number)
    fitted = make_column_transformer((StandardScaler(), selected)).fit(table)
    again = load(save(fitted, tmp_path / "a.skad"))
    assert np.array_equal(again.transform(table), fitted.transform(table))
    assert np.array_equal(again.fit_transform(table), fitted.transform(table))


def test_parameters_of_other_types__come_back(tmp_path):
    detector = MLPAutoencoder(
        [np.int64(3)],
        np.int32(2),
        batch_size=np.int32(7),
        max_epochs=np.int64(1),
        lr=np.float32(0.01),
        device=torch.device("cpu"),
    ).fit(X)
    again = load(save(detector, tmp_path / "a.skad"))
    assert np.array_equal(again.score_samples(X), detector.score_samples(X))
    assert again.device == torch.device("cpu")
    for gap in (datetime.timedelta(-3, 1, 7), datetime.timedelta.max):
        again = load(save(TimeSeriesImputer(max_gap=gap), tmp_path / "a.skad"))
        assert type(again.max_gap) is datetime.timedelta
        assert again.max_gap == gap


def test_function_of_numpy__needs_trust(tmp_path):
    clipped = FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}).fit(X)
    path = save(clipped, tmp_path / "a.skad")
    assert "numpy.clip" in refusal(path)
    assert load(path, trusted=[np.clip]).func is np.clip


@pytest.mark.parametrize(
    "thing",
    [PIPELINE.fit, (i for i in range(3)), ...],
    ids=["method", "generator", "ellipsis"],
)
def test_what_has_no_name__is_refused_with_its_type(thing, tmp_path):
    with pytest.raises(ValueError, match=r"type \w+ cannot be saved: no name leads"):
        save([thing], tmp_path / "a.skad")


# Forged ones --------------------------------------------------------------------------

SCALER = {"object": ["sklearn.preprocessing.StandardScaler", []]}


@pytest.mark.parametrize(
    "encoded",
    [
        {"bunch": [["fit", SCALER]]},
        {"dict": [["named_estimators_", {"bunch": [["fit", {"name": "numpy.exp"}]]}]]},
        {"dict": [["named_estimators_", {"bunch": [[1, SCALER]]}]]},
        {"range": [0, 1, 0]},
        {"range": [0, 2**80, 1]},
        {"range": [0, "a", 1]},
        {"duration": 10**300},
        {"duration": 1.5},
        {"distribution": ["scipy.stats.rv_histogram", {"tuple": []}, {"dict": []}]},
        {"distribution": ["scipy.stats.norm", {"tuple": ["a"]}, {"dict": []}]},
        {"distribution": ["scipy.stats.norm", {"tuple": [1] * 9}, {"dict": []}]},
        {"distribution": ["scipy.stats.norm", {"tuple": []}, {"dict": [["seed", 1]]}]},
        {"distribution": ["numpy.exp", {"tuple": [1]}, {"dict": []}]},
    ],
    ids=json.dumps,
)
def test_values_of_the_grammar_that_are_none__are_refused(encoded, tmp_path):
    assert refusal(forged(tmp_path / "a.skad", [1], lambda e: e.append(encoded)))


def test_class_that_is_no_splitter__is_not_repeated(tmp_path):
    change = setting(
        "sklearn.model_selection.RepeatedKFold",
        "cv",
        {"name": "sklearn.model_selection.GridSearchCV"},
    )
    said = refusal(forged(tmp_path / "a.skad", RepeatedKFold(), change))
    assert "a splitter to be repeated" in said


def test_memory_behind_a_mask__is_refused(tmp_path):
    masked = np.ma.array(["/tmp/cache"], mask=True, dtype=object)
    search = grid(PIPELINE, {"memory": masked})
    assert "pickles" in refusal(forged(tmp_path / "a.skad", search))


def test_callbacks_in_a_file__are_refused(tmp_path):
    change = setting("sklearn.preprocessing.StandardScaler", "_skl_callbacks", [SCALER])
    assert refusal(forged(tmp_path / "a.skad", StandardScaler(), change))


def test_one_array_as_two_weights__is_refused(tmp_path):
    """A net of a hundred equal layers would take a hundred times its file."""
    fitted = MLPAutoencoder([2, 2], 2, max_epochs=1, linear_path=None).fit(X)

    def change(encoded):
        pairs = dict(map(tuple, attributes(encoded, NET)))["weights"]["dict"]
        pairs[1][1] = pairs[0][1]

    assert "one array" in refusal(forged(tmp_path / "a.skad", fitted, change))
