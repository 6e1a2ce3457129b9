"""The protocol of the leaderboard TSB-AD, over a folder of its files.

A file is named <index>_<dataset>_id_<n>_<domain>_tr_<train>_1st_<anomaly>.csv and has a
column a channel, then "Label"; rows with missing values are left out. A detector learns
from the first `train` rows, without labels, or with --unsupervised from the whole
series, and all rows are judged. Windows are of the length that
`suggest_window_length` finds in what is learnt; settings are those of quality.py,
except that no thresholds are calibrated, which no figure needs.

With --unsupervised, each fifth of the rows is scored by what was learnt from the others
(as "left out" in unlabelled.py), and what remembers windows forgets a tenth of them
(trim=0.1): windows overlap, and would find themselves.

Figures are those of TSB-AD 1.5: VUS-PR and VUS-ROC with buffers up to the period of the
first channel (its first release took two periods) and 250 thresholds; AUC; Standard-F1
with the best threshold; the other F1 with the best of 100 evenly spaced ones, found on
the judged rows. What failed counts as 0 in the means, as there. It departs from TSB-AD
in this:

- Standard-F1 adds no 1e-5 to its denominator; Event-based-F1 counts the last row of an
  event at the end of a series, and PA-F1 its first row at the beginning;
- scores are not scaled to [0, 1], which changes no figure;
- seconds are CPU time at one thread, of fit and scoring;
- nothing was tuned, where it tuned each detector on files of their own.

Detectors are those of quality.py. Each result goes to a CSV file as soon as it is
there; a later run does what is missing or failed. With trim, a fit of sensor_pipeline
takes several times as long: choose --detectors for long files.

Q. Liu and J. Paparrizos, "The Elephant in the Room: Towards A Reliable Time-Series
Anomaly Detection Benchmark", NeurIPS 2024.

Run: python benchmarks/tsb_ad.py FOLDER [--results FILE.csv] [--detectors PCA ...]
         [--unsupervised] [--jobs N] [--files LIST.csv] [--max-rows N]
"""

import argparse
import csv
import re
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from quality import DETECTORS, in_windows
from quality_sets import Task
from scipy.signal import argrelextrema
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timing import use_one_thread

from skad import (
    CalibrationWarning,
    affiliation_scores,
    best_fbeta_score,
    composite_fbeta_score,
    point_adjusted_fbeta_score,
    range_fbeta_score,
    suggest_window_length,
    vus_pr_score,
    vus_roc_score,
)

NAME = re.compile(
    r"(?P<index>\d+)_(?P<dataset>.+)_id_(?P<id>\d+)_(?P<domain>[^_]+)"
    r"_tr_(?P<train>\d+)_1st_(?P<anomaly>\d+)\.csv"
)
USUAL = (
    *("random", "IsolationForest", "PCA", "neighbours"),
    *("sensor_pipeline", "texture", "MLP"),
)
TRIM = 0.1
N_THRESHOLDS = 100


# Files --------------------------------------------------------------------------------


def read_name(path):
    """Read what the name of a file tells: dataset, domain and so on, as texts."""
    found = NAME.fullmatch(path.name)
    if found is None:
        raise ValueError(
            f"{path.name} is not named "
            "<index>_<dataset>_id_<n>_<domain>_tr_<train>_1st_<anomaly>.csv."
        )
    return found.groupdict()


def read_task(path, unsupervised):
    """Read a file: what to learn from, and all rows, which are judged."""
    n_train = int(read_name(path)["train"])
    table = pd.read_csv(path).dropna().reset_index(drop=True)
    if table.columns[-1] != "Label" or table.shape[1] < 2:
        raise ValueError(f"Columns are {[*table]}; expected channels, then 'Label'.")
    X, y = table.iloc[:, :-1].astype(float), table["Label"].to_numpy()
    if not 0 < n_train <= len(X):
        raise ValueError(f"tr_{n_train} in the name, but the file has {len(X)} rows.")
    if set(np.unique(y)) != {0, 1}:
        raise ValueError(f"Labels are {np.unique(y)[:5]}; expected 0 and 1, both.")
    X.columns = [f"x{i}" for i in range(X.shape[1])]
    learnt = X if unsupervised else X.iloc[:n_train]
    length = suggest_window_length(learnt)
    return Task(path.name, learnt, X, y.astype(int), window_length=length)


def find_files(folder, listed=None, max_rows=None):
    """Find the files of a folder, or those listed; names those that are too long."""
    if listed is None:
        paths = sorted(folder.glob("*.csv"))
    else:
        paths = [folder / name for name in pd.read_csv(listed)["file_name"]]
    short = [path for path in paths if max_rows is None or not is_long(path, max_rows)]
    for path in paths:
        if path not in short:
            print(f"left out, over {max_rows} rows: {path.name}")
    return short


def is_long(path, max_rows):
    """Whether a file is there and has more rows, without the header."""
    if not path.is_file():
        return False
    with path.open("rb") as lines:
        return sum(1 for _ in lines) - 1 > max_rows


# Figures ------------------------------------------------------------------------------


def period(channel):
    """Period of a channel as TSB-AD finds it, 125 where it finds none.

    It is the lag of the highest peak of the autocorrelation of the first 20,000 rows,
    from 6 to 303.
    """
    values = channel[:20_000] - np.mean(channel[:20_000])
    spectrum = np.fft.rfft(values, 2 * len(values))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: min(401, len(values))][3:]
    peaks = argrelextrema(correlation, np.greater)[0]
    if not np.ptp(channel) or not len(peaks):
        return 125
    highest = peaks[np.argmax(correlation[peaks])]
    return int(highest) + 3 if 3 <= highest <= 300 else 125


def affiliation_f1(truth, flags, zero_division):
    """F1 of affiliation."""
    return affiliation_scores(truth, flags, zero_division=zero_division).fbeta


OF_FLAGS = {
    "PA-F1": point_adjusted_fbeta_score,
    "Event-based-F1": composite_fbeta_score,
    "R-based-F1": partial(range_fbeta_score, alpha=0.2),
    "Affiliation-F": affiliation_f1,
}


def figures(truth, errors, window):
    """Judge anomaly scores: figures by TSB-AD's names."""
    found = {
        "VUS-PR": vus_pr_score(truth, errors, window=window),
        "VUS-ROC": vus_roc_score(truth, errors, window=window),
        "AUC-PR": average_precision_score(truth, errors),
        "AUC-ROC": roc_auc_score(truth, errors),
        "Standard-F1": best_fbeta_score(truth, errors),
    }
    thresholds = np.linspace(errors.min(), errors.max(), N_THRESHOLDS)
    flagged = [(errors > threshold).astype(int) for threshold in thresholds]
    for name, metric in OF_FLAGS.items():
        found[name] = max(metric(truth, flags, zero_division=0) for flags in flagged)
    return found


FIGURES = (
    *("VUS-PR", "VUS-ROC", "AUC-PR", "AUC-ROC", "Standard-F1"),
    *OF_FLAGS,
)
COLUMNS = ("file", "detector", "track", *FIGURES, "seconds", "rows", "failure")


# Running ------------------------------------------------------------------------------


def build(task, name, unsupervised):
    """Make a detector for the rows of a series, scaled."""
    make, view = DETECTORS[name]
    detector = make()
    if view in ("window", "timestep"):
        detector = in_windows(detector, task, view)
    # thresholds are of no use here, and calibrated ones take fits of their own
    settings = {"random_state": 0, "contamination": 0.01}
    if unsupervised:
        settings["trim"] = TRIM
    for parameter in detector.get_params():
        last = parameter.split("__")[-1]
        if last in settings:
            detector.set_params(**{parameter: settings[last]})
    return make_pipeline(StandardScaler().set_output(transform="pandas"), detector)


def judge(path, name, unsupervised):
    """Judge one detector on one file: a row of the results."""
    use_one_thread()
    row = {"file": path.name, "detector": name, "track": track(unsupervised)}
    try:
        with warnings.catch_warnings(action="ignore", category=CalibrationWarning):
            task = read_task(path, unsupervised)
            row |= {"rows": len(task.X_test)}
            detector = build(task, name, unsupervised)
            start = time.process_time()
            errors = -score(detector, task, unsupervised)
            seconds = time.process_time() - start
        row |= figures(task.y_test, errors, period(task.X_test["x0"].to_numpy()))
        row |= {"seconds": seconds}
    except Exception as error:  # it is reported, and the other files are judged
        row |= {"failure": " ".join(f"{type(error).__name__}: {error}".split())}
    return row


def score(detector, task, unsupervised):
    """Score all rows; in the unsupervised track each fifth by the others."""
    if not unsupervised:
        return detector.fit(task.X_train).decision_function(task.X_test)
    method = "decision_function"
    return cross_val_predict(detector, task.X_test, cv=KFold(5), method=method)


def track(unsupervised):
    """Name the track."""
    return "unsupervised" if unsupervised else "semi-supervised"


def run(paths, names, unsupervised, results, n_jobs=1):
    """Add to the results what is missing or failed; returns those asked for."""
    mend_results(results)
    asked = pd.MultiIndex.from_product([[p.name for p in paths], names])
    done = read_results(results, asked, unsupervised)
    done = set(done.index[done[[*FIGURES]].notna().all(axis=1)])
    jobs = [
        delayed(judge)(path, name, unsupervised)
        for path in paths
        for name in names
        if (path.name, name) not in done
    ]
    with results.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        parallel = Parallel(n_jobs, return_as="generator_unordered")
        for n_done, row in enumerate(parallel(jobs), start=1):
            writer.writerow(row)
            file.flush()
            place = f"{n_done} of {len(jobs)}"
            print(f"{place}: {row['file']}, {row['detector']}", flush=True)
    return read_results(results, asked, unsupervised)


def mend_results(path):
    """Begin the file of results, or cut off a line that a killed run left half."""
    head = (",".join(COLUMNS) + "\n").encode()
    found = path.read_bytes() if path.exists() else b""
    whole = found[: found.rfind(b"\n") + 1]
    if whole and not whole.startswith(head):
        raise ValueError(
            f"{path} holds other columns than {', '.join(COLUMNS)}. Give another file, "
            "or remove it."
        )
    with path.open("ab") as file:
        file.truncate(len(whole))
        if not whole:
            file.write(head)


def read_results(path, asked, unsupervised):
    """Last results of the asked (file, detector) pairs, by pair."""
    found = pd.read_csv(path, dtype={"failure": str})
    found = found[found["track"] == track(unsupervised)]
    found = found.drop_duplicates(["file", "detector"], keep="last")
    found = found.set_index(["file", "detector"])
    return found.loc[asked.intersection(found.index)]


# Tables -------------------------------------------------------------------------------


def summarise(results):
    """Figures of each detector, mean over files; failures count as 0."""
    rows = results[[*FIGURES]].fillna(0.0).groupby("detector", sort=False)
    table = rows.mean()
    own = results.groupby("detector", sort=False)
    table["seconds"] = own["seconds"].median()
    table["files"], table["failed"] = own.size(), own["failure"].count()
    return table


def summarise_groups(results):
    """VUS-PR of each detector and dataset, mean over files, and number of files."""
    results = results.reset_index()
    groups = [
        match["dataset"] if (match := NAME.fullmatch(name)) else "other"
        for name in results["file"]
    ]
    by = [pd.Series(groups, name="dataset"), results["detector"]]
    means = results["VUS-PR"].fillna(0.0).groupby(by, sort=False).mean().unstack()
    means = means[results["detector"].unique()]
    counts = results["file"].groupby(by[0]).nunique()
    return means.assign(files=counts)


def main():
    """Run what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--results", type=Path, default=Path("tsb_ad.csv"))
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=USUAL)
    parser.add_argument("--unsupervised", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--files", type=Path, help="CSV file with a column file_name")
    parser.add_argument("--max-rows", type=int, help="leave out longer files")
    args = parser.parse_args()
    paths = find_files(args.folder, args.files, args.max_rows)
    paths = [path for path in paths if path.resolve() != args.results.resolve()]
    if not paths:
        parser.error(f"{args.folder} has no such CSV files.")
    results = run(paths, args.detectors, args.unsupervised, args.results, args.jobs)
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print(f"\n{track(args.unsupervised)}: mean over files, median CPU seconds")
        print(summarise(results).round(3).to_string())
        print("\nVUS-PR, mean over the files of a dataset")
        print(summarise_groups(results).round(3).to_string())
    failed = results["failure"].dropna()
    for (file, detector), reason in failed.items():
        print(f"failed: {file}, {detector}: {reason}")
    sys.exit(1 if len(failed) else 0)


if __name__ == "__main__":
    main()
