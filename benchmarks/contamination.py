"""What anomalies among the "normal" training beats cost, by error model.

2000 beats, of them 0, 1, 5 and 10 % abnormal, which nothing marks. The abnormal ones
are of one half of the judged records (every other one, in the order of their numbers);
judged are the beats of the other half. ROC-AUC, mean ± standard deviation over seeds,
which draw the beats too.

Run: python benchmarks/contamination.py --data FOLDER [--seeds N]
"""

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skad import (
    ConvAutoencoder,
    LinearAutoencoder,
    LSTMAutoencoder,
    MLPAutoencoder,
    load_heartbeats,
)
from skad.evaluation._references import NeighborDetector

SHARES = (0.0, 0.01, 0.05, 0.1)
N_NORMAL = 2000

DETECTORS = {
    "PCA": LinearAutoencoder,
    "PCA std": partial(LinearAutoencoder, error_model="std"),
    "PCA hybrid": partial(LinearAutoencoder, error_model="hybrid"),
    "neighbours": NeighborDetector,
    "IsolationForest": IsolationForest,
    "MLP": MLPAutoencoder,
    "MLP mse": partial(MLPAutoencoder, error_model="mse"),
    "MLP std": partial(MLPAutoencoder, error_model="std"),
    "Conv": ConvAutoencoder,
    "Conv mse": partial(ConvAutoencoder, error_model="mse"),
    "LSTM": partial(LSTMAutoencoder, 32, lr=5e-3, max_epochs=10),
}


def load(folder):
    """Training beats, judged beats, whether they are anomalies, and whose are mixed."""
    normal, _ = load_heartbeats(folder / "normal_train.csv.gz")
    X, y = load_heartbeats(folder / "dev_valid.csv.gz")
    records = pd.read_csv(folder / "dev_valid.meta.csv.gz")["record"].to_numpy()
    return normal, X, y > 0, np.isin(records, np.unique(records)[::2])


def mix(normal, abnormal, share, rng):
    """Draw training beats."""
    n_abnormal = round(share * N_NORMAL)
    rows = rng.choice(len(normal), N_NORMAL - n_abnormal, replace=False)
    odd = rng.choice(len(abnormal), n_abnormal, replace=False)
    return rng.permutation(np.concatenate([normal[rows], abnormal[odd]]))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SKAD_DATA"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=DETECTORS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    normal, X, is_anomaly, to_mix = load(Path(args.data) / "ecg_heartbeat")
    abnormal = X[to_mix & is_anomaly]
    X_test, y_test = X[~to_mix], is_anomaly[~to_mix]
    print(f"{len(abnormal)} abnormal beats to mix in, {len(X_test)} beats to judge")
    print(f"{'ROC-AUC':20s}" + "".join(f"{share:>16.0%}" for share in SHARES))
    for name in args.detectors:
        cells = []
        for share in SHARES:
            areas = []
            for seed in range(args.seeds):
                train = mix(normal, abnormal, share, np.random.default_rng(seed))
                detector = DETECTORS[name]()
                if "random_state" in detector.get_params():
                    detector.set_params(random_state=seed)
                scores = detector.fit(train).score_samples(X_test)
                areas.append(roc_auc_score(y_test, -scores))
            cells.append(f"{np.mean(areas):.3f} ± {np.std(areas):.3f}")
        print(f"{name:20s}" + "".join(f"{cell:>16s}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
