"""What thresholds without labels reach on real series, and whether promises hold.

Each series is split as in `quality.py`. The last 30 % of its normal stretch, which the
detector has not learnt, is for the rule, and nothing else: no label, no row that is
judged. For each rule, mean over the files of a set: F1 of the rows, share of the true
events that are hit, and false alarms in 1000 normal rows, beside those that the rule
promises. "best possible" is the threshold with the best F1 on the judged rows, which no
rule can know.

Run: python benchmarks/thresholds.py --data FOLDER [--sets SKAB ...] [--detector MLP]
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from quality import SETS
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    AlertBudgetThreshold,
    ConformalThreshold,
    FBetaThreshold,
    IQRThreshold,
    LinearAutoencoder,
    MADThreshold,
    MLPAutoencoder,
    POTThreshold,
    QuantileThreshold,
    SigmaThreshold,
    WindowedDetector,
    event_recall_score,
)

# Rule, and the false alarms in 1000 normal rows that it promises.
RULES = {
    "QuantileThreshold(0.01)": (QuantileThreshold(0.01), 10.0),
    "SigmaThreshold(3)": (SigmaThreshold(3.0), 1.35),
    "MADThreshold(3)": (MADThreshold(3.0), 1.35),
    "IQRThreshold(1.5)": (IQRThreshold(1.5), 3.5),
    "POTThreshold(1e-3)": (POTThreshold(1e-3), 1.0),
    "AlertBudgetThreshold(1)": (AlertBudgetThreshold(1.0), 1.0),
    "ConformalThreshold(0.01)": (ConformalThreshold(0.01), 10.0),
}
DETECTORS = {
    "PCA": lambda: LinearAutoencoder(error_model="std"),
    "MLP": lambda: MLPAutoencoder(random_state=0),
}
SERIES = ["SKAB", "NAB", "keogh", "UCR", "SMAP/MSL"]


def score(task, make):
    """Scores of the rows for the rule, and of the judged ones."""
    cut = int(0.7 * len(task.X_train))
    stride = max(1, min(cut // 2000, task.window_length // 5))
    detector = make_pipeline(
        StandardScaler(), WindowedDetector(make(), task.window_length, stride=stride)
    )
    detector.fit(task.X_train[:cut])
    return tuple(map(detector.score_samples, (task.X_train[cut:], task.X_test)))


def judge(is_flagged, is_anomaly):
    """F1, share of the events hit, and false alarms in 1000 normal rows."""
    return (
        f1_score(is_anomaly, is_flagged, zero_division=0.0),
        event_recall_score(is_anomaly.astype(int), is_flagged.astype(int)),
        1000 * is_flagged[~is_anomaly].mean(),
    )


def judge_rules(task, make):
    """Judge every rule on one file."""
    calibration, scores = score(task, make)
    best = FBetaThreshold().fit(scores, task.y_test.astype(int))
    yield "best possible", *judge(scores < best.threshold_, task.y_test)
    for name, (rule, _) in RULES.items():
        with warnings.catch_warnings():  # too few rows for the promise: it shows below
            warnings.simplefilter("ignore", UserWarning)
            threshold = rule.fit(calibration).threshold_
        yield name, *judge(scores < threshold, task.y_test)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SKAD_DATA"))
    parser.add_argument("--sets", nargs="+", choices=SERIES, default=SERIES)
    parser.add_argument("--detector", choices=DETECTORS, default="PCA")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        (set_name, *row)
        for set_name in args.sets
        for task in SETS[set_name](Path(args.data))
        if task.window_length < 0.3 * len(task.X_train)
        for row in judge_rules(task, DETECTORS[args.detector])
    ]
    columns = ["set", "rule", "F1", "events hit", "false alarms"]
    means = pd.DataFrame(rows, columns=columns).groupby(["set", "rule"], sort=False)
    table = means.mean()
    promised = {name: promise for name, (_, promise) in RULES.items()}
    table["promised"] = table.index.get_level_values("rule").map(promised)
    table = table.round({"F1": 2, "events hit": 2, "false alarms": 1})
    print(f"{args.detector}, thresholds without labels; false alarms in 1000 rows")
    for name in args.sets:
        print(f"\n{name}")
        print(table.loc[name].replace(np.nan, "").to_string())


if __name__ == "__main__":
    main()
