"""ROC-AUC on real heartbeats: the best setting, chosen on one half of the records.

Fit on ``ecg_heartbeat/normal_train``, judged on ``dev_valid``. The best setting is
chosen on one half of dev_valid's records (every other one, in the order of their
numbers) and reported on the other half; no row of that half decides anything. ECG5000
is for a short run: fit on the normal rows of X_train, judged on X_dev. Five seeds, mean
and spread. `benchmarks/quality.py` has the defaults, on all sets.

Run: python benchmarks/heartbeats_quality.py --data FOLDER [--seeds N] [--quick]
"""

import argparse
import os
import platform
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

import skad
from skad import (
    ConvAutoencoder,
    HybridErrors,
    LinearAutoencoder,
    MLPAutoencoder,
    load_heartbeats,
)

nearest_mse = HybridErrors(standardize=False)

REFERENCES = {
    "LinearAutoencoder": LinearAutoencoder,
    "LinearAutoencoder hybrid": partial(LinearAutoencoder, error_model="hybrid"),
}
# The best setting is one of these.
CANDIDATES = {
    "MLP": MLPAutoencoder,
    "MLP hybrid(mse)": partial(MLPAutoencoder, error_model=nearest_mse),
    "MLP (1000, 250) lr=3e-3": partial(MLPAutoencoder, (1000, 250), lr=3e-3),
    "MLP (1000, 250) lr=3e-3 hybrid(mse)": partial(
        MLPAutoencoder, (1000, 250), lr=3e-3, error_model=nearest_mse
    ),
    "Conv": ConvAutoencoder,
    "Conv hybrid(mse)": partial(ConvAutoencoder, error_model=nearest_mse),
}


def reference_scores(X_train, X_test):
    """Anomaly scores of the references, one array a seed where they have one."""
    pca = PCA(20).fit(X_train)
    left_over = X_test - pca.inverse_transform(pca.transform(X_test))
    neighbors = NearestNeighbors(n_neighbors=5).fit(X_train)
    yield "PCA(20)", [np.square(left_over).sum(axis=1)]
    yield "5 nearest neighbours", [neighbors.kneighbors(X_test)[0].mean(axis=1)]
    forests = (IsolationForest(random_state=s).fit(X_train) for s in range(5))
    yield "IsolationForest", [-forest.score_samples(X_test) for forest in forests]


def detector_scores(make, X_train, X_test, n_seeds):
    """Anomaly scores for each seed, and CPU seconds of a fit."""
    scores, seconds = [], []
    for seed in range(n_seeds):
        detector = make()
        is_random = "random_state" in detector.get_params()
        if is_random:
            detector.set_params(random_state=seed)
        start = time.process_time()
        detector.fit(X_train)
        seconds.append(time.process_time() - start)
        scores.append(-detector.score_samples(X_test))
        if not is_random:
            break
    return scores, np.mean(seconds)


def figure(is_anomaly, scores):
    """ROC-AUC, mean and spread over seeds."""
    areas = [roc_auc_score(is_anomaly, s) for s in scores]
    return np.mean(areas), f"{np.mean(areas):.4f} ± {np.std(areas):.4f}"


def load_real_beats(folder):
    """Training beats, judged beats, whether they are anomalies, and the halves."""
    X_train, _ = load_heartbeats(folder / "normal_train.csv.gz")
    X, y = load_heartbeats(folder / "dev_valid.csv.gz")
    records = pd.read_csv(folder / "dev_valid.meta.csv.gz")["record"].to_numpy()
    to_choose = np.isin(records, np.unique(records)[::2])
    return X_train, X, y > 0, to_choose


def load_ecg5000(folder):
    """Return training beats, judged beats, and whether these are anomalies."""
    data = np.load(folder / "ecg5000_dev.npz")
    X_train = data["X_train"][data["y_train5"] == 1]
    return X_train, data["X_dev"], data["y_dev_bin"] == 1


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SKAD_DATA"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="ECG5000 only")
    args = parser.parse_args()
    if args.data is None:
        parser.error("name the folder of the data with --data or SKAD_DATA")
    torch.set_num_threads(1)
    print(f"skad {skad.__version__}, {args.seeds} seeds, {platform.machine()}")
    if not args.quick:
        print_beats(args)
    print_ecg5000(args)


def print_beats(args):
    """Print the table of the beats, and the choice."""
    X_train, X, is_anomaly, to_choose = load_real_beats(args.data / "ecg_heartbeat")
    print(
        f"\n{'ROC-AUC on beats':42s} {'all records':17s} {'half to choose':17s} fit s"
    )

    def print_row(name, scores, seconds=None):
        halves = [s[to_choose] for s in scores]
        chosen_by, shown = figure(is_anomaly[to_choose], halves)
        cost = "" if seconds is None else f"{seconds:6.1f}"
        print(f"{name:42s} {figure(is_anomaly, scores)[1]} {shown} {cost}", flush=True)
        return chosen_by

    rest = {}
    for name, scores in reference_scores(X_train, X):
        print_row(name, scores)
        rest[name] = scores
    for name, make in REFERENCES.items():
        print_row(name, *detector_scores(make, X_train, X, args.seeds))
    best = (-np.inf, None, None)
    for name, make in CANDIDATES.items():
        scores, seconds = detector_scores(make, X_train, X, args.seeds)
        best = max(best, (print_row(name, scores, seconds), name, scores))
    rest[f"chosen: {best[1]}"] = best[2]
    print("\nROC-AUC on the half that chose nothing")
    for name, scores in rest.items():
        other = [s[~to_choose] for s in scores]
        print(f"{name:42s} {figure(is_anomaly[~to_choose], other)[1]}")


def print_ecg5000(args):
    """Print the table of ECG5000."""
    X_train, X, is_anomaly = load_ecg5000(args.data / "ecg5000")
    print(f"\n{'ROC-AUC on ECG5000':42s}")
    for name, scores in reference_scores(X_train, X):
        print(f"{name:42s} {figure(is_anomaly, scores)[1]}")
    for name, make in (REFERENCES | CANDIDATES).items():
        scores, _ = detector_scores(make, X_train, X, args.seeds)
        print(f"{name:42s} {figure(is_anomaly, scores)[1]}", flush=True)


if __name__ == "__main__":
    main()
