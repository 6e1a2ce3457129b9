"""What tests/data/format_1.skad was made of.

Run it (``python tests/persistence_fixture.py``) for a new format only, under a new
name: the file of an old format stays as it is, for later versions must open it.
"""

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skad

DATA = Path(__file__).parent / "data"
FAST = {"max_epochs": 2, "random_state": 0}


def table():
    """Make 90 rows of three channels, with a hole."""
    X = np.random.default_rng(0).normal(size=(90, 3)).cumsum(axis=0)
    X[10, 1] = np.nan
    return X


def estimators():
    """One fitted estimator of each kind that a file holds."""
    X = table()
    full = np.nan_to_num(X)
    y = np.repeat([1, -1], [80, 10])
    steps = skad.TimeSeriesImputer(carry_tail=True), StandardScaler()
    windowed = skad.WindowedDetector(skad.EncDecAD(2, **FAST), 6)
    conv = skad.ConvAutoencoder((4,), 3, 1, error_model="hybrid", **FAST)
    tuned = skad.TunedThresholdDetector(
        skad.LinearAutoencoder(error_model="std"), skad.FBetaThreshold(), cv=2
    )
    classifier = skad.DetectorClassifier(skad.LinearAutoencoder(1, error_model="mae"))
    return {
        "pipeline": make_pipeline(*steps, windowed).fit(X),
        "mlp": make_pipeline(PCA(2), skad.MLPAutoencoder((4,), 1, **FAST)).fit(full),
        "conv": conv.fit(full),
        "lstm": skad.LSTMAutoencoder(2, latent_dim=1, **FAST).fit(full),
        "tuned": tuned.fit(full, y),
        "classifier": classifier.fit(full, y),
    }


def decisions(fitted):
    """Apply each of them to the table."""
    X = table()
    return {
        name: estimator.decision_function(X if name == "pipeline" else np.nan_to_num(X))
        for name, estimator in fitted.items()
    }


if __name__ == "__main__":
    fitted = estimators()
    DATA.mkdir(exist_ok=True)
    skad.save(fitted, DATA / "format_1.skad")
    np.savez(DATA / "format_1_decisions.npz", **decisions(fitted))
