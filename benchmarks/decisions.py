"""How well the labels of default thresholds can be trusted.

``python benchmarks/decisions.py --data FOLDER`` fits default detectors inside
WindowedDetector with windows of 10, 30 and 60 rows, on made tables (several draws), on
files that skad had never seen and on benchmarks; on beats and ECG5000, whose rows are
windows, without. It prints for each: ROC-AUC of rows, share of normal judged rows
flagged (in %; mean and worst of the draws), share of anomalous rows flagged, that share
at the best threshold with as many false alarms, share of events hit (runs of anomalous
rows of which any is flagged), and how often a DriftWarning spoke.

In tables called "odd", some of the rows of fit are a fault, which the judged rows hold,
too: "of those without" is the share of its rows flagged, relative to the same detector
that was fitted without it. At the end it says how often a DriftWarning spoke where more
than 10 % of the normal rows were flagged, and on stationary tables without faults.

``--tables``, ``--detectors`` and ``--windows`` choose, the first by patterns such as
"*odd*". Conv and sensor_pipeline, 10 s of CPU time a fit, and textures, alone and with
all steps fitted anew for each left-out block, are judged only if asked for.
Without --data only made tables are judged.
"""

import argparse
import sys
import warnings
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from decision_tables import ANOMALY, NORMAL, NOT_COUNTED, STATIONARY, all_tables
from quality import with_series
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline

import skad
from skad import (
    DetectorUnion,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    MLPAutoencoder,
    RandomConvolutions,
    WindowedDetector,
    sensor_pipeline,
)

TEXTURE = make_pipeline(RandomConvolutions(random_state=0), LocallyLinearAutoencoder())
DETECTORS = {
    "PCA": LinearAutoencoder(),
    "PCA std": LinearAutoencoder(error_model="std"),
    "PCA hybrid": LinearAutoencoder(error_model="hybrid"),
    "LocallyLinear": LocallyLinearAutoencoder(),
    "sensor_pipeline": sensor_pipeline,
    "IsolationForest": IsolationForest(random_state=0),
    "MLP": MLPAutoencoder((64,), random_state=0),
    "Conv": skad.ConvAutoencoder(random_state=0),
    "texture": TEXTURE,  # its first step has seen the windows that are left out
    "texture, refitted": DetectorUnion([("texture", TEXTURE)]),
}
# Not judged on windows: thresholds of another library's detector are not ours, and the
# pipeline reads tables.
ON_TABLES = ("IsolationForest", "sensor_pipeline")
IF_ASKED = ("Conv", "sensor_pipeline", "texture", "texture, refitted")
DEFAULT = [name for name in DETECTORS if name not in IF_ASKED]
WINDOWS = (10, 30, 60)


def judge(detector, window_length, case):
    """Figures of one fit, by name."""
    fitted = fit(detector, window_length, case)
    judged = with_series(case.judged, case.judged_series)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        flagged = fitted.predict(judged) < 0
    is_drift = [issubclass(warning.category, skad.DriftWarning) for warning in caught]
    alarms = flagged[case.label == NORMAL].mean()
    figures = {"warned": any(is_drift), "alarms": alarms}
    if not (case.label == ANOMALY).any():
        return figures
    figures["recall"] = flagged[case.label == ANOMALY].mean()
    figures["events"] = events_hit(flagged, case)
    errors = -fitted.decision_function(judged)
    is_counted = case.label != NOT_COUNTED
    label, errors = case.label[is_counted], errors[is_counted]
    shares, recalls, _ = roc_curve(label, errors)
    figures["best"] = recalls[shares <= alarms].max(initial=0.0)
    figures["auc"] = roc_auc_score(label, errors)
    if case.without is not None:
        figures["without"] = judge(detector, window_length, case.without)["recall"]
    return figures


def events_hit(flagged, case):
    """Share of the runs of anomalous rows, within a series, of which any is flagged."""
    if case.holds_windows:
        return np.nan
    series = case.judged_series
    series = np.zeros(len(flagged), int) if series is None else series
    index = pd.MultiIndex.from_arrays([series, np.arange(len(flagged))])
    return skad.event_recall_score(case.label == ANOMALY, flagged, index=index)


def fit(detector, window_length, case):
    """Fit on windows, or on a table."""
    if case.holds_windows:
        return clone(detector).fit(case.learnt)
    if detector is sensor_pipeline:
        whole = sensor_pipeline(window=window_length)
    else:
        whole = WindowedDetector(detector, window_length)
    return whole.fit(with_series(case.learnt, case.learnt_series))


def report(name, cases, options):
    """Print a line for each detector and window; return the figures of all fits."""
    cases = list(cases)
    results = []
    for detector_name in options.detectors:
        detector, windows = DETECTORS[detector_name], options.windows
        if cases[0].holds_windows:
            windows = [] if detector_name in ON_TABLES else [0]
        for window_length in windows:
            rows = pd.DataFrame([judge(detector, window_length, c) for c in cases])
            start = f"{name:28} {detector_name:16} {window_length or '-':3}"
            print(start, describe(rows), flush=True)
            about = {"detector": detector_name, "is_stationary": name in STATIONARY}
            results.append(rows.assign(**about))
    return results


def describe(rows):
    """Put the figures of all draws, or files, into a line."""
    mean, alarms = rows.mean(numeric_only=True), 100 * rows["alarms"]
    line = f"false alarms {alarms.mean():5.1f} worst {alarms.max():5.1f} "
    if "recall" in rows:
        line += (
            f"auc {mean['auc']:.3f} recall {mean['recall']:.2f} of {mean['best']:.2f} "
            f"events {mean['events']:.2f} "
        )
    if "without" in rows:
        share = mean["recall"] / mean["without"] if mean["without"] else np.nan
        line += f"{share:4.0%} of those without "
    return f"{line}warned {mean['warned']:.0%}"


def summarize(results):
    """Say what the goals are about: odd stretches and drift, over all fits."""
    rows = pd.concat(results)
    odd = rows[rows["without"].notna()] if "without" in rows else rows[:0]
    for name, part in odd.groupby("detector", sort=False):
        print(f"odd stretches, {name}: {describe(part)}")
    drifted = rows[rows["alarms"] > 0.1]
    stationary = rows[rows["is_stationary"]]
    for name, part in (("> 10 % false alarms", drifted), ("stationary", stationary)):
        share = f"{part['warned'].mean():.1%}" if len(part) else "none"
        print(f"DriftWarning, {name}: {share} of {len(part)} fits")


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--detectors", nargs="+", default=DEFAULT, choices=DETECTORS)
    parser.add_argument("--windows", nargs="+", type=int, default=WINDOWS)
    parser.add_argument("--tables", nargs="+", default=["*"], help="patterns of names")
    parser.add_argument("--rows", type=int, default=3000, help="rows of made tables")
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    results = []
    for name, cases in all_tables(options.data, options.rows, options.draws).items():
        if any(fnmatchcase(name, pattern) for pattern in options.tables):
            results += report(name, cases, options)
    if not results:
        parser.error(f"no table fits --tables {' '.join(options.tables)}")
    summarize(results)


if __name__ == "__main__":
    sys.exit(main())
