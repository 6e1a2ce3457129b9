"""Floors under the quality on real beats; the figures are in benchmarks/.

Nets learn from every second or fourth beat, which is faster and not easier.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skad import (
    ConvAutoencoder,
    ConvLSTMAutoencoder,
    HybridErrors,
    LinearAutoencoder,
    MLPAutoencoder,
)

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def ecg5000(data_folder):
    data = np.load(data_folder / "ecg5000" / "ecg5000_dev.npz")
    normal = data["X_train"][data["y_train5"] == 1]
    return normal, data["X_dev"], data["y_dev_bin"]


@pytest.mark.parametrize("kind", [MLPAutoencoder, ConvAutoencoder, ConvLSTMAutoencoder])
def test_ecg5000__defaults(ecg5000, kind):
    X_train, X, is_anomaly = ecg5000
    detector = kind(random_state=0).fit(X_train)
    assert roc_auc_score(is_anomaly, -detector.score_samples(X)) >= 0.985


def test_beats__linear_reference(real_beats):
    X_train, X, y = real_beats
    areas = {
        error_model: roc_auc_score(
            y > 0,
            -LinearAutoencoder(error_model=error_model).fit(X_train).score_samples(X),
        )
        for error_model in ("mse", "std", "hybrid")
    }
    assert 0.84 < areas["mse"] < areas["std"] < areas["hybrid"]
    assert areas["hybrid"] > 0.93


@pytest.mark.slow
def test_beats__default_conv(real_beats):
    X_train, X, y = real_beats
    detector = ConvAutoencoder(random_state=0).fit(X_train[::4])
    assert roc_auc_score(y > 0, -detector.score_samples(X)) >= 0.90


@pytest.mark.slow
def test_beats__best_setting_on_the_half_that_chose_nothing(real_beats, data_folder):
    X_train, X, y = real_beats
    records = pd.read_csv(data_folder / "ecg_heartbeat" / "dev_valid.meta.csv.gz")
    chose = np.isin(records["record"], np.unique(records["record"])[::2])
    detector = MLPAutoencoder(
        (1000, 250),
        lr=3e-3,
        error_model=HybridErrors(1, standardize=False),
        random_state=0,
    ).fit(X_train[::2])
    scores = -detector.score_samples(X[~chose])
    assert roc_auc_score(y[~chose] > 0, scores) >= 0.94


@pytest.mark.slow
def test_beats__default_mlp_is_ahead_of_the_reference(real_beats):
    X_train, X, y = real_beats
    detector = MLPAutoencoder(random_state=0).fit(X_train[::2])
    assert roc_auc_score(y > 0, -detector.score_samples(X)) >= 0.92
    # What it was not trained on is flagged no more often than it says, by a factor 2.
    assert np.mean(detector.predict(X_train) == -1) < 0.02
