"""The recipes of docs/guide/interop.md run as they stand there."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import skad

TEXT = (Path(__file__).parents[1] / "docs" / "guide" / "interop.md").read_text()
START, *SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)
RECIPES = {section.split("\n", 1)[0]: section for section in SECTIONS}
NEEDS = {"MLflow": "mlflow", "skops": "skops", "Optuna": "optuna"}
NEEDS["imbalanced-learn"] = "imblearn"

pytestmark = pytest.mark.filterwarnings("ignore")  # those of other libraries


def code(text):
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return block


@pytest.fixture(autouse=True)
def _quiet(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("DO_NOT_TRACK", "true")


@pytest.fixture(scope="module")
def start():
    names = {}
    with warnings.catch_warnings(action="ignore"):
        exec(code(START), names)
    return names


@pytest.mark.parametrize("name", RECIPES)
def test_recipe__runs(name, start):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    exec(code(RECIPES[name]), start.copy())


# skops --------------------------------------------------------------------------------

FAST = {"max_epochs": 1, "random_state": 0}
WINDOWS = np.random.default_rng(0).normal(size=(60, 16))
OF_WINDOWS = [
    skad.LinearAutoencoder(2, error_model="mahalanobis"),
    skad.LocallyLinearAutoencoder(),
    skad.MLPAutoencoder((8,), 2, **FAST),
    skad.ConvAutoencoder(**FAST),
    skad.LSTMAutoencoder(4, **FAST),
    skad.EncDecAD(4, **FAST),
    skad.DetectorUnion(
        [("a", skad.LinearAutoencoder(2)), ("b", skad.LocallyLinearAutoencoder())]
    ),
    skad.TunedThresholdDetector(
        skad.LinearAutoencoder(2), skad.QuantileThreshold(), cv=0.3
    ),
]


@pytest.mark.parametrize("detector", OF_WINDOWS, ids=lambda d: type(d).__name__)
def test_skops__reloads_detectors(detector):
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(detector.fit(WINDOWS))
    asked = skops.get_untrusted_types(data=data)
    others = {name for name in asked if not name.startswith("skad.")}
    assert others <= {"torch.optim.adam.Adam", "skorch.dataset.Dataset"}
    loaded = skops.loads(data, trusted=asked)
    scores = detector.score_samples(WINDOWS)
    np.testing.assert_array_equal(loaded.score_samples(WINDOWS), scores)
    np.testing.assert_array_equal(loaded.predict(WINDOWS), detector.predict(WINDOWS))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("kind", ["dates", "zone", "durations", "numbers"])
def test_skops__reloads_tables_of_every_kind(several, kind):
    skops = pytest.importorskip("skops.io")
    X = skad.make_sensors(600, n_faults=0, random_state=0)[0].iloc[:, :4]
    X.index = {
        "dates": X.index,
        "zone": X.index.tz_localize("Europe/Paris"),
        "durations": X.index - X.index[0],
        "numbers": pd.RangeIndex(len(X)),
    }[kind]
    X.iloc[-3:, 0] = np.nan
    train, test = X[:400], X[400:]
    if several:
        train, test = (pd.concat({"a": part, "b": part + 1}) for part in (train, test))
    pipeline = skad.sensor_pipeline(skad.LinearAutoencoder(2), window=20)
    pipeline.set_params(impute__carry_tail=True).fit(train)
    data = skops.dumps(pipeline)
    asked = skops.get_untrusted_types(data=data)
    loaded = skops.loads(data, trusted=asked)
    assert all(name.startswith("skad.") for name in asked)
    scores = pipeline.score_samples(test)
    np.testing.assert_array_equal(loaded.score_samples(test), scores)


# imbalanced-learn ---------------------------------------------------------------------


def test_imblearn__what_looks_inside_finds_the_detector():
    imblearn = pytest.importorskip("imblearn.pipeline")
    X = skad.make_sensors(1200, n_faults=0, random_state=0)[0].interpolate().fillna(0)
    X = X + np.random.default_rng(0).normal(0, 0.01, X.shape)
    detector = skad.WindowedDetector(skad.LinearAutoencoder(4), 20)
    pipeline = imblearn.make_pipeline(detector).fit(X)
    parts = skad.explain(pipeline, X)
    np.testing.assert_allclose(parts.sum(axis=1), -pipeline.score_samples(X))
    assert list(parts) == list(X)


def test_imblearn__once_imported_leaves_searches_to_be_saved(tmp_path):
    # It adds a method to what scikit-learn's scorers may request.
    pytest.importorskip("imblearn")
    from sklearn.model_selection import GridSearchCV

    y = np.where(np.arange(len(WINDOWS)) % 9, 1, -1)
    scoring = skad.make_outlier_scorer("roc_auc")
    grid = {"latent_dim": [1, 2]}
    search = GridSearchCV(skad.LinearAutoencoder(), grid, scoring=scoring, cv=2)
    loaded = skad.load(skad.save(search.fit(WINDOWS, y), tmp_path / "a.skad"))
    assert loaded.score(WINDOWS, y) == search.score(WINDOWS, y)
