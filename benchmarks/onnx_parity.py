"""Parity of ONNX models with the detectors they come from.

Each detector learns from 400 beats of 187 timesteps and scores 400 others, half of them
abnormal; the last rows are pipelines over a table of three sensors. Printed for each:
opset, size of the model, largest relative difference of a score in onnxruntime to that
of skad, how many labels differ, and seconds to export.

Run: python benchmarks/onnx_parity.py [--epochs N]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import skad

LENGTH = 20  # rows a window of the table


class Bottleneck(nn.Module):
    """A module of one's own."""

    def __init__(self, window_length, n_channels):
        super().__init__()
        self.encoder = nn.Linear(window_length * n_channels, 8)
        self.decoder = nn.Linear(8, window_length * n_channels)

    def forward(self, X):
        """Reconstruct."""
        latent = self.encoder(X.flatten(1))
        return self.decoder(latent.relu()).view_as(X), latent


def detectors(epochs):
    """Unfitted detectors of beats, by name."""
    params = {"max_epochs": epochs, "early_stopping": False, "random_state": 0}
    named = {
        "LinearAutoencoder": skad.LinearAutoencoder(),
        "MLPAutoencoder": skad.MLPAutoencoder(**params),
        "ConvAutoencoder": skad.ConvAutoencoder(**params),
        "ConvLSTMAutoencoder": skad.ConvLSTMAutoencoder(**params),
        "LSTMAutoencoder": skad.LSTMAutoencoder(**params),
        "LSTMAutoencoder, sigmoid": skad.LSTMAutoencoder(
            20,
            linear_path=None,
            output_activation="sigmoid",
            error_model="mse",
            **params,
        ),
        "EncDecAD": skad.EncDecAD(**params),
        "Autoencoder": skad.Autoencoder(Bottleneck, **params),
    }
    for error_model in ("mse", "mae", "std", "mahalanobis"):
        named[f"MLPAutoencoder, {error_model}"] = skad.MLPAutoencoder(
            error_model=error_model, **params
        )
    return named


def pipelines(epochs):
    """Unfitted pipelines of tables, by name."""
    params = {"max_epochs": epochs, "random_state": 0}
    windowed = skad.WindowedDetector(
        skad.EncDecAD(16, **params), LENGTH, aggregate="last"
    )
    net = skad.MLPAutoencoder((32,), n_channels=3, **params)
    return {
        "scaler, windowed EncDecAD": make_pipeline(StandardScaler(), windowed),
        "scaler, windows, MLP": make_pipeline(
            StandardScaler(), skad.SlidingWindow(LENGTH), net
        ),
    }


def measure(name, estimator, X, windows, n_skipped, folder):
    """Print a row; `windows` are those that end at the rows of `X` but the first."""
    start = time.perf_counter()
    path = skad.to_onnx(estimator, folder / "model.onnx")
    seconds = time.perf_counter() - start
    opset = onnx.load(path).opset_import[0].version
    session = onnxruntime.InferenceSession(path)
    score, label = session.run(["score", "label"], {"X": windows})
    expected = estimator.score_samples(X)[n_skipped:]
    difference = np.max(np.abs(score / expected - 1))
    n_other = np.count_nonzero(label != estimator.predict(X)[n_skipped:])
    size = path.stat().st_size / 1000
    print(f"{name:27}{opset:>6}{size:>9.1f}{difference:>12.1e}{n_other:>8}", end="")
    print(f"{seconds:>9.2f}", flush=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    normal, _ = skad.make_heartbeats(400, 0, random_state=0)
    beats, _ = skad.make_heartbeats(200, 200, random_state=1)
    noise = np.random.default_rng(0).normal(0, 0.1, size=(2000, 3))
    table = np.sin(np.arange(2000)[:, None] / [3, 5, 8]) + noise
    table[1500:1550] += 0.5
    windows = skad.sliding_windows(table, window_length=LENGTH).reshape(-1, LENGTH * 3)
    print(f"{'':27}{'opset':>6}{'kB':>9}{'difference':>12}{'labels':>8}{'seconds':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, detector in detectors(epochs).items():
            measure(name, detector.fit(normal), beats, beats, 0, Path(folder))
        for name, pipeline in pipelines(epochs).items():
            pipeline.fit(table[:1000])
            measure(name, pipeline, table, windows, LENGTH - 1, Path(folder))


if __name__ == "__main__":
    main()
