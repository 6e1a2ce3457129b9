"""How well the labels of default thresholds can be trusted.

``python benchmarks/decisions.py --data FOLDER`` fits default detectors inside
WindowedDetector with windows of 10, 30 and 60 rows, on made tables (several draws), on
files that skad had never seen and on benchmarks, and prints for each: ROC-AUC of rows,
share of normal judged rows flagged (in %; mean and worst of the draws), share of
anomalous rows flagged, that share at the best threshold with as many false alarms, and
how often a DriftWarning spoke. Without --data only the made tables are judged.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score, roc_curve

import skad
from skad import LinearAutoencoder, MLPAutoencoder, WindowedDetector

DETECTORS = {
    "PCA": LinearAutoencoder(),
    "PCA std": LinearAutoencoder(error_model="std"),
    "PCA hybrid": LinearAutoencoder(error_model="hybrid"),
    "IsolationForest": IsolationForest(random_state=0),
    "MLP": MLPAutoencoder((64,), random_state=0),
    "Conv": skad.ConvAutoencoder(random_state=0),
}
WINDOWS = (10, 30, 60)


def ar1(rng, n, n_channels=5, phi=0.9):
    """Autoregressive noise."""
    X, noise = np.zeros((n + 200, n_channels)), rng.normal(size=(n + 200, n_channels))
    for i in range(1, len(X)):
        X[i] = phi * X[i - 1] + noise[i]
    return X[200:]


def seasonal(rng, n, n_channels=5):
    """Daily waves with noise."""
    t = np.arange(n)[:, None]
    waves = np.sin(2 * np.pi * (t / 50 + rng.random(n_channels)))
    return waves + 0.3 * rng.normal(size=(n, n_channels))


def heavy_tails(rng, n, n_channels=5):
    """Independent rows of Student's t."""
    return rng.standard_t(4, size=(n, n_channels))


def coupled(rng, n, n_channels=5):
    """Sensors that follow two slow causes."""
    causes = ar1(rng, n, 2, 0.95)
    mixed = causes @ rng.normal(size=(2, n_channels))
    return mixed + 0.3 * rng.normal(size=(n, n_channels))


def sines(rng, n):
    """Three sines of periods that never meet: later rows are unlike those of fit."""
    t = np.arange(n) + rng.integers(10_000)
    waves = np.column_stack([np.sin(t / k) for k in (7, 11, 19)])
    return waves + 0.1 * rng.normal(size=(n, 3))


MADE = {
    "AR(1)": ar1,
    "seasonal": seasonal,
    "heavy tails": heavy_tails,
    "coupled": coupled,
    "three sines": sines,
}


def made_draws(make, n_fit, n_draws):
    """Tables to fit on and normal ones to judge, scaled by the first."""
    for seed in range(n_draws):
        X = make(np.random.default_rng(seed), n_fit + 4000)
        fit, judged = X[:n_fit], X[n_fit:]
        scale = fit.mean(axis=0), fit.std(axis=0)
        judged = (judged - scale[0]) / scale[1]
        yield (fit - scale[0]) / scale[1], [(judged, np.zeros(len(judged), dtype=bool))]


def field_table(path):
    """Rows to fit on, and judged parts with their labels, of a file of data/field."""
    table = pd.read_csv(path)
    names = table.columns.difference(["series", "time", "label", "part"], sort=False)
    values = table[names].interpolate(limit_direction="both")
    values = values.loc[:, values.notna().all() & (values.nunique() > 1)]
    learnt = (table["part"] == "fit") & (table["label"] == 0)
    mean, spread = values[learnt].mean(), values[learnt].std()
    spread[spread == 0] = 1.0
    X = ((values - mean) / spread).to_numpy()
    series = table.get("series", pd.Series("", index=table.index))
    judged = table["part"] != "fit"
    parts = [
        (X[judged & (series == one)], table["label"][judged & (series == one)] == 1)
        for one in series[judged].unique()
    ]
    return X[learnt], [(part, np.asarray(label)) for part, label in parts]


def skab_tables(folder):
    """Fit on the first 400 rows of each labelled file, judge the rest."""
    for path in sorted(set(folder.glob("*.csv.gz")) - set(folder.glob("anomaly*"))):
        table = pd.read_csv(path, sep=";")
        label = table["anomaly"].to_numpy() == 1
        names = table.columns.difference(["datetime", "anomaly", "changepoint"])
        X = table[names].to_numpy()
        mean, spread = X[:400].mean(axis=0), X[:400].std(axis=0) + 1e-9
        X = (X - mean) / spread
        yield X[:400], [(X[400:], label[400:])]


def judge(detector, window_length, learnt, parts):
    """Scores of one fit: AUC, false alarms, recall, recall at best, whether warned."""
    fitted = WindowedDetector(detector, window_length).fit(learnt)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decisions = np.concatenate([fitted.decision_function(X) for X, _ in parts])
        flagged = np.concatenate([fitted.predict(X) < 0 for X, _ in parts])
    warned = any(issubclass(w.category, skad.DriftWarning) for w in caught)
    label = np.concatenate([label for _, label in parts])
    false_alarms = flagged[~label].mean()
    if not label.any():
        return np.nan, false_alarms, np.nan, np.nan, warned
    alarms, recalls, _ = roc_curve(label, -decisions)
    best = recalls[alarms <= false_alarms].max(initial=0.0)
    auc = roc_auc_score(label, -decisions)
    return auc, false_alarms, flagged[label].mean(), best, warned


def report(name, draws, options):
    """Print a line for each detector and window."""
    draws = list(draws)
    for detector in options.detectors:
        for window_length in options.windows:
            rows = np.array(
                [judge(DETECTORS[detector], window_length, *draw) for draw in draws],
                dtype=float,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                auc, alarms, recall, best, warned = np.nanmean(rows, axis=0)
            print(
                f"{name:18} {detector:16} {window_length:3} auc {auc:.3f} "
                f"false alarms {100 * alarms:5.1f} worst {100 * rows[:, 1].max():5.1f} "
                f"recall {recall:.2f} of {best:.2f} warned {100 * warned:3.0f} %",
                flush=True,
            )


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--detectors", nargs="+", default=list(DETECTORS))
    parser.add_argument("--windows", nargs="+", type=int, default=WINDOWS)
    parser.add_argument("--tables", nargs="+", help="by default all")
    parser.add_argument("--rows", type=int, default=3000, help="rows of made tables")
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    tables = {
        name: made_draws(make, options.rows, options.draws)
        for name, make in MADE.items()
    }
    if options.data:
        for path in sorted((options.data / "field").glob("*.csv.gz")):
            tables[path.name.removesuffix(".csv.gz")] = [field_table(path)]
        tables["SKAB"] = skab_tables(options.data / "skab")
    for name in options.tables or tables:
        report(name, tables[name], options)


if __name__ == "__main__":
    sys.exit(main())
