"""Whole series without labels: learnt and judged are the same rows.

Windows overlap, so a window that is learnt lies beside itself: "learnt" shows what that
costs. "left out" scores each fifth of the rows by the others (scikit-learn's
cross_val_predict). Anomalies that recur are near to one another, and trim forgets the
windows that are far from a twentieth of all. Length of windows: the suggested one.

Run: python benchmarks/unlabelled.py --data FOLDER
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    WindowedDetector,
    WindowNormalizer,
    load_keogh_discords,
    suggest_window_length,
    vus_pr_score,
)


def shape(trim):
    """Distance to the nearest window, whatever its level and spread."""
    return make_pipeline(WindowNormalizer(), LocallyLinearAutoencoder(1, trim=trim))


# name: (detector of windows, whether rows are scored by the others)
DETECTORS = {
    "IsolationForest, learnt": (IsolationForest(random_state=0), False),
    "PCA std, learnt": (LinearAutoencoder(error_model="std"), False),
    "PCA std, left out": (LinearAutoencoder(error_model="std"), True),
    "neighbour, learnt": (LocallyLinearAutoencoder(1), False),
    "neighbour, left out": (LocallyLinearAutoencoder(1), True),
    "neighbour, left out, trim .1": (LocallyLinearAutoencoder(1, trim=0.1), True),
    "shape, left out": (shape(0.0), True),
    "shape, left out, trim .1": (shape(0.1), True),
}


def series(data):
    """Yield the name, the values and the labels of each series."""
    arrays = np.load(data / "tsb_uad_mba" / "MBA_ECG805_data.npz")
    yield "MBA805", arrays["value"].astype(float)[:, None], arrays["label"] == 1
    for name, (X, y) in load_keogh_discords(data / "keogh_discords").items():
        yield name, X.to_numpy(dtype=float), y.to_numpy() == 1


def judge(detector, left_out, X, y, length):
    """ROC-AUC and VUS-PR of a detector that learns and judges all rows."""
    windowed = WindowedDetector(detector, length, contamination=0.01)
    pipeline = make_pipeline(StandardScaler(), windowed)
    if left_out:
        scores = cross_val_predict(pipeline, X, cv=KFold(5), method="decision_function")
    else:
        scores = pipeline.fit(X).score_samples(X)
    return roc_auc_score(y, -scores), vus_pr_score(y, -scores, window=length)


def main():
    """Print a row a detector: MBA805, and the mean over the discord series."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SKAD_DATA"))
    args = parser.parse_args()
    rows = []
    for file, X, y in series(Path(args.data)):
        length = suggest_window_length(X)
        for name, (detector, left_out) in DETECTORS.items():
            area, volume = judge(detector, left_out, X, y, length)
            group = file if file == "MBA805" else "keogh"
            rows.append((group, name, area, volume))
    table = pd.DataFrame(rows, columns=["set", "detector", "ROC-AUC", "VUS-PR"])
    means = table.groupby(["detector", "set"], sort=False).mean().unstack()
    print(means.round(3).to_string())


if __name__ == "__main__":
    main()
