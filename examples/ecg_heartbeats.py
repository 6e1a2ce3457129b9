"""Heartbeats: the six nets of the ECG study, the one it wished for, and skad's own.

The study closes with the wish to combine convolutions and LSTMs: "ConvLSTM" is trained
as it trained its nets, "skad's ConvLSTM" with skad's defaults. "skad's textures" are no
net: distances to normal beats among features of random convolutions. PCA, a forest and
neighbours are the references. Every detector learns from normal beats only. The
threshold is tuned for F1 on a validation part, and all figures come from a test part
that nothing has seen. Without arguments it runs on synthetic beats, small, in less than
two minutes. With ``--data FOLDER`` it runs on real ones: normal_train.csv.gz to learn
from, dev_valid.csv.gz to judge, whose records (dev_valid.meta.csv.gz) are shared out
between validation and test.

Run: python examples/ecg_heartbeats.py [--data FOLDER] [--epochs N] [--out FOLDER]
"""

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from torch import nn

from skad import (
    Autoencoder,
    ConvLSTMAutoencoder,
    FBetaThreshold,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    LSTMAutoencoder,
    MLPAutoencoder,
    RandomConvolutions,
    ReconstructionDisplay,
    ThresholdDisplay,
    TrainingHistoryDisplay,
    TunedThresholdDetector,
    detection_report,
    load_heartbeats,
    make_heartbeats,
)


class StudyConv(nn.Module):
    """Convolutional net of the study, for windows of 187 samples and one channel.

    (B, 187, 1) -> (B, 187, 1) and the latent code (B, 32).
    """

    def __init__(self, window_length, n_channels, softmax_code=False):
        super().__init__()
        if (window_length, n_channels) != (187, 1):
            raise ValueError(f"made for (187, 1), got {(window_length, n_channels)}")
        self.encoder = nn.Sequential(
            *(nn.Conv1d(1, 2, 8), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(2, 4, 11), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(4, 8, 11), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(8, 16, 6), nn.ReLU(), nn.MaxPool1d(2)),
            nn.Conv1d(16, 32, 5),
            nn.Flatten(),
        )
        self.latent_activation = nn.Softmax(dim=1) if softmax_code else nn.ReLU()
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (32, 1)),
            *(nn.ConvTranspose1d(32, 16, 15), nn.ReLU()),
            *(nn.ConvTranspose1d(16, 8, 12, stride=2), nn.ReLU()),
            *(nn.ConvTranspose1d(8, 4, 12, stride=2), nn.Sigmoid()),
            *(nn.ConvTranspose1d(4, 2, 12, stride=2, padding=5), nn.Sigmoid()),
            *(nn.ConvTranspose1d(2, 1, 8), nn.Sigmoid()),
        )

    def forward(self, X):
        """Reconstruct."""
        latent = self.encoder(X.transpose(1, 2))
        code = self.latent_activation(latent)
        return self.decoder(code).transpose(1, 2), latent


class NearestNeighborDetector(OutlierMixin, BaseEstimator):
    """Reference: the mean distance to the five nearest training beats."""

    def fit(self, X, y=None):
        """Keep the training beats."""
        self.neighbors_ = NearestNeighbors(n_neighbors=5).fit(X)
        return self

    def score_samples(self, X):
        """Negative distance, higher = more normal."""
        return -self.neighbors_.kneighbors(X)[0].mean(axis=1)


def study_settings(n_epochs):
    """Loss, optimizer and stopping of the study."""
    return {
        "loss_reduction": "sum",
        "lr": 1e-3,
        "lr_schedule": None,
        "weight_decay": 1e-2,
        "max_grad_norm": 5.0,
        "max_epochs": n_epochs,
        "n_iter_no_change": 50,
        "refit": False,
        "error_model": "mse",
        "random_state": 0,
    }


def study_nets(n_epochs):
    """Make the six nets of the study."""
    study = study_settings(n_epochs)
    mlp = {
        "linear_path": None,
        "activation": ("relu", "softmax", "relu", "relu"),
        "latent_activation": "softmax",
        "output_activation": "sigmoid",
    }
    lstm = {"linear_path": None, "output_activation": "sigmoid"}
    kl = {"kl_weight": 1.0, "kl_prior": "random"}
    softmax_code = {"module_params": {"softmax_code": True}}
    return {
        "MLP": MLPAutoencoder((500, 100), 32, **mlp, **study),
        "LSTM": LSTMAutoencoder(20, **lstm, **study),
        "Conv": Autoencoder(StudyConv, **study),
        "KL-MLP": MLPAutoencoder((500, 100), 32, **mlp, **kl, **study),
        "KL-LSTM": LSTMAutoencoder(20, **lstm, **kl, **study),
        "KL-Conv": Autoencoder(StudyConv, **softmax_code, **kl, **study),
    }


def study_wish(n_epochs):
    """Make the net that the study wished for, trained as it trained its own."""
    return {
        "ConvLSTM": ConvLSTMAutoencoder(
            latent_dim=32, linear_path=None, **study_settings(n_epochs)
        )
    }


def references():
    """Make the detectors that every net must beat."""
    return {
        "PCA(20)": LinearAutoencoder(20),
        "IsolationForest": IsolationForest(random_state=0),
        "5 neighbours": NearestNeighborDetector(),
    }


def skads_own(n_epochs):
    """Make skad's default, the net that the study wished for, and what ranks best."""
    params = {"max_epochs": min(30, n_epochs), "random_state": 0}
    return {
        "skad's ConvLSTM": ConvLSTMAutoencoder(**params),
        "skad's default": MLPAutoencoder(**params),
        "skad's textures": make_pipeline(
            RandomConvolutions(random_state=0), LocallyLinearAutoencoder()
        ),
    }


def load(folder):
    """Return training beats, and beats with labels for validation and for test."""
    if folder is None:
        X_train, _ = make_heartbeats(1000, 0, random_state=0)
        X, y = make_heartbeats(600, 400, random_state=1)
        to_validate = np.arange(len(X)) < len(X) // 2
    else:
        X_train, _ = load_heartbeats(folder / "normal_train.csv.gz")
        X, y = load_heartbeats(folder / "dev_valid.csv.gz")
        records = pd.read_csv(folder / "dev_valid.meta.csv.gz")["record"]
        to_validate = np.isin(records, np.unique(records)[::2])
    return (
        X_train,
        (X[to_validate], y[to_validate]),
        (X[~to_validate], y[~to_validate]),
    )


def judge(name, detector, X_train, validation, test):
    """Fit a detector and its threshold; return it and its row of the table."""
    X_val, y_val = validation
    X_test, y_test = test
    tuner = TunedThresholdDetector(detector, FBetaThreshold(beta=1.0))
    start = time.perf_counter()
    tuner.fit(X_train, X_val=X_val, y_val=y_val > 0)
    seconds = time.perf_counter() - start
    report = detection_report(y_test > 0, tuner.predict(X_test))
    anomaly_scores = -tuner.score_samples(X_test)
    return tuner, {
        "": name,
        "seconds": seconds,
        "threshold": -tuner.offset_,
        "F1": report.fbeta,
        "anomalies %": 100 * report.accuracy_anomalies,
        "normals %": 100 * report.accuracy_normals,
        "ROC-AUC": roc_auc_score(y_test > 0, anomaly_scores),
        "AP": average_precision_score(y_test > 0, anomaly_scores),
    }


def draw(fitted, test, out):
    """Write the pictures."""
    from matplotlib import pyplot as plt

    X_test, y_test = test
    out.mkdir(parents=True, exist_ok=True)
    own = fitted["skad's default"]
    shown = [np.flatnonzero(y_test == 0)[0], np.flatnonzero(y_test == 2)[0]]
    display = ReconstructionDisplay.from_estimator(
        own, X_test, y_test > 0, windows=shown
    )
    display.figure_.savefig(out / "reconstructions.png", dpi=150)
    display = ThresholdDisplay.from_estimator(own, X_test, y_test > 0)
    display.figure_.savefig(out / "threshold.png", dpi=150)
    nets = {n: d for n, d in fitted.items() if hasattr(d.estimator_, "history_")}
    figure, axes = plt.subplots(
        2, -(-len(nets) // 2), figsize=(13, 6), layout="constrained"
    )
    for ax in axes.flat[len(nets) :]:
        ax.remove()
    for ax, (name, detector) in zip(axes.flat, nets.items(), strict=False):
        TrainingHistoryDisplay.from_estimator(detector, ax=ax)
        ax.set_title(name)
    figure.savefig(out / "losses.png", dpi=150)


def main():
    """Print the table and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of real beats")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args()
    mpl.use("Agg")
    X_train, validation, test = load(args.data)
    print(
        f"{len(X_train)} normal beats to learn from, {len(validation[0])} labelled to "
        f"tune the threshold, {len(test[0])} to judge; {args.epochs} epochs\n"
    )
    detectors = study_nets(args.epochs) | study_wish(args.epochs)
    detectors |= references() | skads_own(args.epochs)
    fitted, rows = {}, []
    for name, detector in detectors.items():
        fitted[name], row = judge(name, detector, X_train, validation, test)
        rows.append(row)
    table = pd.DataFrame(rows).set_index("")
    formats = dict.fromkeys(table, "{:.3f}".format) | {
        "seconds": "{:.1f}".format,
        "threshold": "{:.3g}".format,
        "anomalies %": "{:.1f}".format,
        "normals %": "{:.1f}".format,
    }
    print(table.to_string(formatters=formats))
    print("\nskad's default, kind by kind (0 is normal):")
    X_test, y_test = test
    labels = fitted["skad's default"].predict(X_test)
    print(detection_report(y_test > 0, labels, class_labels=y_test))
    draw(fitted, test, args.out)
    print(f"\nPictures are in {args.out}/")


if __name__ == "__main__":
    main()
