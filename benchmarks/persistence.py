"""Size and time of model files: skad.save, joblib, and the skorch net as it is.

Each detector learns from 400 beats of 187 timesteps, for as many epochs as asked; the
last is a pipeline over a table of five sensors. Printed for each: bytes of the weights
alone, of the file of `skad.save`, of that of joblib, and of a pickle of a plain skorch
net with the same module, trained as long; then milliseconds (the fastest of five) to
save and load with skad, and to dump and load with joblib.

Run: python benchmarks/persistence.py [--epochs N]
"""

import argparse
import pickle
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import skorch
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skad
from skad.training._losses import ReconstructionLoss


def detectors(epochs):
    """Unfitted detectors, by name."""
    params = {"max_epochs": epochs, "early_stopping": False, "random_state": 0}
    windowed = skad.WindowedDetector(skad.EncDecAD(32, **params), 20)
    return {
        "LinearAutoencoder": skad.LinearAutoencoder(),
        "MLPAutoencoder (64, 32)": skad.MLPAutoencoder((64, 32), 8, **params),
        "MLPAutoencoder": skad.MLPAutoencoder(**params),
        "ConvAutoencoder": skad.ConvAutoencoder(**params),
        "ConvLSTMAutoencoder": skad.ConvLSTMAutoencoder(**params),
        "LSTMAutoencoder": skad.LSTMAutoencoder(20, **params),
        "pipeline, EncDecAD": make_pipeline(
            skad.TimeSeriesImputer(), StandardScaler(), windowed
        ),
    }


def data(name):
    """Beats, or the table of sensors."""
    if name.startswith("pipeline"):
        return np.random.default_rng(0).normal(size=(1000, 5)).cumsum(axis=0)
    return skad.make_heartbeats(400, 0, random_state=0)[0]


def plain_pickle(net, X):
    """Bytes of a skorch net with the module of `net`, trained as long, pickled."""
    module_params = {k: v for k, v in vars(net).items() if k.startswith("module__")}
    plain = skorch.NeuralNet(
        net.module,
        criterion=ReconstructionLoss,
        optimizer=torch.optim.Adam,
        max_epochs=len(net.history),
        batch_size=net.batch_size,
        train_split=None,
        verbose=0,
        **module_params,
    )
    windows = X.astype(np.float32).reshape(-1, *net.window_shape)
    return len(pickle.dumps(plain.fit(windows, windows)))


def milliseconds(function):
    """Time a call, the fastest of five, and return what it returned."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times), result


def measure(name, detector, folder):
    """One row of the table."""
    X = data(name)
    detector.fit(X)
    inner = detector[-1].estimator_ if name.startswith("pipeline") else detector
    net = getattr(inner, "net_", None)
    weights = plain = "-"
    if net is not None:
        weights = sum(w.nbytes for w in net.module_.state_dict().values())
        length = net.window_shape[0] if name.startswith("pipeline") else 1
        plain = plain_pickle(net, X[: len(X) // length * length])
    path = folder / "model.skad"
    saving, _ = milliseconds(lambda: skad.save(detector, path))
    loading, loaded = milliseconds(lambda: skad.load(path))
    assert (loaded.score_samples(X) == detector.score_samples(X)).all()
    dumping, _ = milliseconds(lambda: joblib.dump(detector, folder / "model.joblib"))
    opening, _ = milliseconds(lambda: joblib.load(folder / "model.joblib"))
    sizes = [path.stat().st_size, (folder / "model.joblib").stat().st_size]
    print(f"{name:24}{weights:>9}{sizes[0]:>9}{sizes[1]:>9}{plain:>9}", end="")
    print("".join(f"{t:9.1f}" for t in (saving, loading, dumping, opening)))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=100)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    print(f"{'':24}{'weights':>9}{'skad':>9}{'joblib':>9}{'skorch':>9}", end="")
    print(f"{'ms: save':>9}{'load':>9}{'dump':>9}{'load':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, detector in detectors(epochs).items():
            measure(name, detector, Path(folder))


if __name__ == "__main__":
    main()
