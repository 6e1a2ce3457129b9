"""Thirty fitted pipelines that skad 0.1.0 wrote, and what they answered then.

``python tests/old_models.py`` opens the files in tests/data/0.1.0, fits the same
pipelines anew with the skad of today, and prints how many answers are equal bit for
bit. Another processor may round differently; tests/test_old_models.py allows for that.

The files stay as they are. They were written, with ``--write``, by the last skad 0.1.0
(commit 5bcb0a3), before anything was moved.
"""

import argparse
import pickle
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from instances import Bottleneck
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

import skad

FOLDER = Path(__file__).parent / "data" / "0.1.0"
FAST = {"max_epochs": 3, "random_state": 0}
# scikit-learn's forests hold trees, which model files do not.
NOT_IN_MODEL_FILES = ("windowed-forest", "tuned-cv-forest")


def waves(seed, n_rows=240, n_channels=3):
    """Sines and noise, float64; the last twelfth is odd in the second channel."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_rows)[:, None] / (5 + 3 * np.arange(n_channels))
    X = np.sin(t) + 0.1 * rng.normal(size=(n_rows, n_channels))
    X[-n_rows // 12 :, 1] += 1.5
    return X


def table(seed, *, holes=False, n_series=1):
    """Waves as a DataFrame: a row a minute, one gap, maybe holes and series."""
    X = waves(seed)
    if holes:
        X[np.random.default_rng(seed).random(X.shape) < 0.05] = np.nan
    minutes = np.arange(len(X)) + 90 * (np.arange(len(X)) > 100)
    time = pd.Timestamp("2018-04-01") + pd.to_timedelta(minutes, unit="min")
    index = pd.DatetimeIndex(time, name="time")
    if n_series > 1:
        names = np.repeat([f"pump {i}" for i in range(n_series)], len(X) // n_series)
        index = pd.MultiIndex.from_arrays([names, index], names=["pump", "time"])
    return pd.DataFrame(X, index=index, columns=["flow", "heat", "level"])


def beats(seed):
    """Windows of one channel, and their labels (0 is normal)."""
    X, y = skad.make_heartbeats(90, 20, random_state=seed)
    return X[:, ::4], y


def _mlp():
    return skad.MLPAutoencoder((8,), 2, **FAST)


def _in_pandas(*steps):
    return make_pipeline(*steps).set_output(transform="pandas")


def _windows(error_model="hybrid", **params):
    linear = skad.LinearAutoencoder(0.9, error_model=error_model)
    return skad.WindowedDetector(linear, 12, **params)


def models():
    """Unfitted pipelines by name, each with the kind of data that it takes."""
    searched = GridSearchCV(
        make_pipeline(StandardScaler(), skad.LinearAutoencoder()),
        {"linearautoencoder__latent_dim": [2, 0.8]},
        scoring=skad.make_outlier_scorer("roc_auc"),
        cv=StratifiedKFold(2),
    )
    forest = IsolationForest(n_estimators=5, random_state=0)
    neighbours = LocalOutlierFactor(5, novelty=True, algorithm="brute")
    return {
        "linear": (skad.LinearAutoencoder(), "beats"),
        "linear-std": (skad.LinearAutoencoder(5, error_model="std"), "beats"),
        "linear-mahalanobis": (
            skad.LinearAutoencoder(
                error_model=skad.MahalanobisErrors("window", shrinkage=0.2),
                contamination=0.05,
            ),
            "beats",
        ),
        "linear-hybrid": (skad.LinearAutoencoder(error_model="hybrid"), "beats"),
        "mlp": (_mlp(), "beats"),
        "mlp-scaled": (make_pipeline(MinMaxScaler(), _mlp()), "beats"),
        "mlp-study": (
            skad.MLPAutoencoder(
                (8,),
                3,
                linear_path=None,
                activation=("relu", "tanh"),
                latent_activation="softmax",
                loss_reduction="sum",
                kl_weight=1.0,
                kl_prior="random",
                max_grad_norm=5.0,
                error_model="mse",
                normal_label=0,
                **FAST,
            ),
            "beats",
        ),
        "mlp-float-contamination": (
            skad.MLPAutoencoder((), 2, contamination=0.1, input_noise=0.1, **FAST),
            "beats",
        ),
        "mlp-no-validation": (
            skad.MLPAutoencoder((8,), 2, early_stopping=False, **FAST),
            "beats",
        ),
        "mlp-warm": (
            skad.MLPAutoencoder((8,), 2, warm_start=True, refit=False, **FAST),
            "beats",
        ),
        "conv": (skad.ConvAutoencoder((4,), 3, 2, **FAST), "beats"),
        "conv-plain": (
            skad.ConvAutoencoder((4, 4), 4, 2, linear_path=None, **FAST),
            "beats",
        ),
        "lstm": (skad.LSTMAutoencoder(4, latent_dim=2, **FAST), "beats"),
        "lstm-feedback": (
            skad.LSTMAutoencoder(
                4, linear_path=None, output_activation="sigmoid", **FAST
            ),
            "beats",
        ),
        "encdec-ad": (skad.EncDecAD(4, **FAST), "beats"),
        "custom": (skad.Autoencoder(Bottleneck, error_model="std", **FAST), "beats"),
        "tuned-fbeta": (
            skad.TunedThresholdDetector(_mlp(), skad.FBetaThreshold(0.5), cv=2),
            "labelled beats",
        ),
        "tuned-conformal": (
            skad.TunedThresholdDetector(
                skad.LinearAutoencoder(),
                skad.ConformalThreshold(0.05),
                cv=0.4,
                refit=False,
                random_state=0,
            ),
            "beats",
        ),
        "tuned-cv-forest": (
            skad.TunedThresholdDetector(forest, skad.CostThreshold(), cv=2),
            "labelled beats",
        ),
        "fixed-frozen": (
            skad.FixedThresholdDetector(
                FrozenEstimator(skad.LinearAutoencoder().fit(beats(0)[0])), -0.002
            ),
            "beats",
        ),
        "classifier": (
            skad.DetectorClassifier(skad.LinearAutoencoder(error_model="mae")),
            "labelled beats",
        ),
        "search": (searched, "labelled beats"),
        "windowed-pipeline": (
            _in_pandas(skad.TimeSeriesImputer("linear"), StandardScaler(), _windows()),
            "holes",
        ),
        "windowed-timestep": (
            _windows("std", stride=5, level="timestep", aggregate="median"),
            "table",
        ),
        "windowed-series": (_windows("mahalanobis", contamination=0.1), "series"),
        "windowed-net": (skad.WindowedDetector(_mlp(), 6, aggregate="max"), "table"),
        "windowed-encdec": (
            skad.WindowedDetector(skad.EncDecAD(3, **FAST), 6, aggregate="last"),
            "array",
        ),
        "windowed-forest": (skad.WindowedDetector(forest, 8, stride=3), "table"),
        "windowed-neighbours": (
            _in_pandas(
                ColumnTransformer([("scale", RobustScaler(), ["flow", "heat"])]),
                skad.WindowedDetector(make_pipeline(PCA(4), neighbours), 8),
            ),
            "table",
        ),
        "windowed-tuned": (
            skad.TunedThresholdDetector(
                _windows("hybrid"), skad.AlertBudgetThreshold(3, per=100), cv=KFold(2)
            ),
            "table",
        ),
        "sliding": (
            _in_pandas(
                skad.TimeSeriesImputer(carry_tail=True, max_missing=0.5),
                skad.SlidingWindow(6),
                skad.LinearAutoencoder(error_model="std", n_channels=3),
            ),
            "holes",
        ),
        "tuned-sigma-net": (
            skad.TunedThresholdDetector(
                skad.WindowedDetector(_mlp(), 6), skad.SigmaThreshold(2.0), cv=0.3
            ),
            "table",
        ),
    }


def data(kind, seed):
    """X and y (None where nothing is labelled)."""
    if kind == "beats":
        X, y = beats(seed)
        return (X, y) if seed == 0 else (X, None)
    if kind == "labelled beats":
        X, y = beats(seed)
        return X, (y > 0).astype(int)
    if kind == "array":
        return waves(seed), None
    made = {"holes": {"holes": True}, "series": {"n_series": 3}, "table": {}}
    return table(seed, **made[kind]), None


def fit_one(name):
    """Fit a pipeline."""
    model, kind = models()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return model.fit(*data(kind, 0))


def fit_all():
    """Fit every pipeline."""
    return {name: fit_one(name) for name in models()}


def threshold_of(model):
    """Threshold of the detector inside; NaN where there is none."""
    while not hasattr(model, "offset_"):
        inner = getattr(model, "best_estimator_", getattr(model, "estimator_", None))
        model = model[-1] if inner is None else inner
    return np.asarray(model.offset_, dtype=float)


def answers(name, model):
    """What a fitted pipeline says of new rows, by what was asked."""
    X, _ = data(models()[name][1], 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        said = {
            "decision": np.asarray(model.decision_function(X)),
            "label": np.asarray(model.predict(X)),
            "threshold": threshold_of(model),
        }
        if hasattr(model, "score_samples"):
            said["score"] = np.asarray(model.score_samples(X))
        with suppress(TypeError):  # a detector that explains nothing
            said["contribution"] = skad.explain(model, X).to_numpy()
    return said


def generated():
    """Every seventh value of what the generators make, which must not change either."""
    made = {
        "make_sensors": skad.make_sensors(500, n_faults=3, random_state=0),
        "make_heartbeats": skad.make_heartbeats(50, 20, random_state=0),
    }
    return {
        name: np.concatenate([np.ravel(part) for part in parts])[::7]
        for name, parts in made.items()
    }


def load_kinds(name):
    """Yield (kind of file, opened model)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of other versions
        with (FOLDER / f"{name}.pickle").open("rb") as file:
            yield "pickle", pickle.load(file)
        yield "joblib", joblib.load(FOLDER / f"{name}.joblib")
        if name not in NOT_IN_MODEL_FILES:
            path = FOLDER / f"{name}.skad"
            yield "model file", skad.load(path, trusted=[Bottleneck])


def stored_answers():
    """What the pipelines said when they were written: name -> what was asked."""
    stored: dict = {}
    with np.load(FOLDER / "answers.npz") as file:
        for key in file:
            name, asked = key.split("/")
            stored.setdefault(name, {})[asked] = file[key]
    return stored


def write():
    """Write the files; for the version they are named after, once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    said = {}
    for name, model in fit_all().items():
        with (FOLDER / f"{name}.pickle").open("wb") as file:
            pickle.dump(model, file)
        joblib.dump(model, FOLDER / f"{name}.joblib", compress=3)
        if name not in NOT_IN_MODEL_FILES:
            skad.save(model, FOLDER / f"{name}.skad")
        for asked, values in answers(name, model).items():
            said[f"{name}/{asked}"] = values
    np.savez_compressed(FOLDER / "answers.npz", **said)
    np.savez_compressed(FOLDER / "generated.npz", **generated())


def compare(said, stored):
    """Largest relative difference of answers; 0 where all bits are the same."""
    if said.keys() != stored.keys():
        return np.inf
    worst = 0.0
    for asked, values in stored.items():
        if not np.array_equal(said[asked], values):
            size = np.abs(values).max() or 1.0
            worst = max(worst, float(np.abs(said[asked] - values).max() / size))
    return worst


def main():
    """Print what became of every pipeline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        write()
        return
    stored = stored_answers()
    differences = {"fitted anew": {n: answers(n, m) for n, m in fit_all().items()}}
    for name in models():
        for kind, model in load_kinds(name):
            differences.setdefault(kind, {})[name] = answers(name, model)
    for kind, said in differences.items():
        worst = {name: compare(said[name], stored[name]) for name in said}
        moved = {name: value for name, value in worst.items() if value}
        print(f"{kind}: {len(worst) - len(moved)} of {len(worst)} equal bit for bit")
        for name, value in moved.items():
            print(f"    {name}: {value:.2g} of the largest answer")
    with np.load(FOLDER / "generated.npz") as file:
        worst_generated = compare(generated(), dict(file))
    print(f"generated data: {worst_generated:.2g} of the largest value apart")


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
