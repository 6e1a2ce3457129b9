"""ROC-AUC of every detector and reference over the development sets.

Beats and ECG5000 are windows already. A series is scored row by row: scaled and fitted
on its normal stretch, windows of the length that its autocorrelation gives, judged on
the rest. Each result goes to a CSV file as soon as it is there, and a run goes on from
it; the table holds complete seeds only: mean over the files of a set, then mean and
standard deviation over seeds. NAB and SMAP/MSL stand there for sanity: their labels
are too coarse to tell good detectors apart.

For the discord series it also counts in how many of them the row with the worst score
lies in a marked range. "power weeks" are the weeks of a year of power demand, those
with one of nine holidays marked: an area of 1 says that they rank above all others.

Run: python benchmarks/quality.py --data FOLDER --results FILE.csv
         [--sets beats skab ...] [--detectors "MLP" ...] [--seeds N] [--table]
"""

import argparse
import os
import time
import zlib
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.signal import decimate
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    ConvAutoencoder,
    EncDecAD,
    LinearAutoencoder,
    LSTMAutoencoder,
    MaskedFeatureAutoencoder,
    MLPAutoencoder,
    RandomConvolutions,
    WindowedDetector,
    load_heartbeats,
    load_keogh_discords,
    load_skab,
    suggest_window_length,
)
from skad.evaluation._references import NeighborDetector, RandomDetector

MOST_TRAINING_WINDOWS = 2000


@dataclass(frozen=True)
class Task:
    """One file of a set: what to learn from, what to judge."""

    name: str
    X_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    y_train: np.ndarray | None = None
    window_length: int | None = None  # None: rows are windows already
    test_series: np.ndarray | None = None  # where windows must not cross


# Unlike in `evaluate`, with every training row.
neighbors = partial(NeighborDetector, max_rows=np.inf)


def denoiser():
    """Make a net that takes noise off random convolutional features."""
    return make_pipeline(
        RandomConvolutions(),
        MLPAutoencoder(
            (),
            512,
            linear_path=None,
            latent_activation="silu",
            residual_block=True,
            input_noise=(0.2, 1.5),
            optimizer="adamw",
            batch_size=128,
            max_steps=1200,
            early_stopping=False,
            error_model="rmse",
        ),
    )


# name: (detector, whether it sees windows or single rows of a series; "timestep" is
# windows, of which only the row's own errors count)
DETECTORS = {
    "random": (RandomDetector, "row"),
    "IsolationForest row": (IsolationForest, "row"),
    "IsolationForest": (IsolationForest, "window"),
    "PCA row": (LinearAutoencoder, "row"),
    "PCA": (LinearAutoencoder, "window"),
    "PCA std": (partial(LinearAutoencoder, error_model="std"), "window"),
    "PCA hybrid": (partial(LinearAutoencoder, error_model="hybrid"), "window"),
    "neighbours row": (neighbors, "row"),
    "neighbours": (neighbors, "window"),
    "MLP": (MLPAutoencoder, "window"),
    "PCA timestep": (LinearAutoencoder, "timestep"),
    "MLP timestep": (MLPAutoencoder, "timestep"),
    "MLP mse": (partial(MLPAutoencoder, error_model="mse"), "window"),
    "MLP std": (partial(MLPAutoencoder, error_model="std"), "window"),
    "MLP no refit": (partial(MLPAutoencoder, refit=False), "window"),
    "MLP 100 epochs": (partial(MLPAutoencoder, max_epochs=100), "window"),
    "MLP no linear path": (partial(MLPAutoencoder, linear_path=None), "window"),
    "dae": (denoiser, "window"),
    "masked features": (MaskedFeatureAutoencoder, "window"),
    "Conv": (ConvAutoencoder, "window"),
    "LSTM": (LSTMAutoencoder, "window"),
    "LSTM lr 1e-3": (partial(LSTMAutoencoder, lr=1e-3), "window"),
    "LSTM no linear path": (partial(LSTMAutoencoder, linear_path=None), "window"),
    "EncDecAD": (EncDecAD, "window"),
}


# Sets -------------------------------------------------------------------------------


def beats(data):
    """Patients of the judged beats are those learnt from."""
    X_train, _, X, y, _ = _read_beats(data)
    yield Task("beats", X_train, X, y > 0)


def unseen_patients(data):
    """Four folds of records; judged are beats of records that were not learnt from."""
    X_train, records, X, y, test_records = _read_beats(data)
    for fold in range(4):
        left_out = np.unique(records)[fold::4]
        paced = ~np.isin(test_records, records)
        judged = np.isin(test_records, left_out) | paced
        learnt = ~np.isin(records, left_out)
        yield Task(f"fold {fold}", X_train[learnt], X[judged], y[judged] > 0)


def _read_beats(data):
    folder = data / "ecg_heartbeat"
    X_train, _ = load_heartbeats(folder / "normal_train.csv.gz")
    X, y = load_heartbeats(folder / "dev_valid.csv.gz")
    records, test_records = (
        pd.read_csv(folder / f"{name}.meta.csv.gz")["record"].to_numpy()
        for name in ("normal_train", "dev_valid")
    )
    return X_train, records, X, y, test_records


def ecg5000(data):
    """Learn from the normal rows of the official training part."""
    arrays = np.load(data / "ecg5000" / "ecg5000_dev.npz")
    normal = arrays["X_train"][arrays["y_train5"] == 1]
    yield Task("ecg5000", normal, arrays["X_dev"], arrays["y_dev_bin"] == 1)


def skab(data):
    """Learn from the first 400 rows of each file, as its authors do."""
    X, y = load_skab(data / "skab")
    for name, table in X.groupby(level="series", sort=False):
        values, labels = table.to_numpy(), y.loc[table.index].to_numpy()
        yield Task(
            name, values[:400], values[400:], labels[400:] == 1, window_length=60
        )


def keogh(data):
    """Learn from the longest normal stretch (half of a very long one)."""
    for name, (X, y) in load_keogh_discords(data / "keogh_discords").items():
        labels = y.to_numpy()
        edges = np.flatnonzero(np.diff(np.concatenate([[1], labels, [1]])))
        stretches = [(b - a, a, b) for a, b in pairwise(edges) if labels[a] == 0]
        length, start, stop = max(stretches)
        if length > 0.6 * len(labels):  # leave normal rows to judge
            stop = start + length // 2
        learnt = np.zeros(len(labels), dtype=bool)
        learnt[start:stop] = True
        values = X.to_numpy(dtype=float)
        yield Task(
            name,
            values[learnt],
            values[~learnt],
            labels[~learnt] == 1,
            window_length=suggest_window_length(values[learnt]),
            test_series=(np.flatnonzero(~learnt) >= stop).astype(int),
        )


def power_weeks(data):
    """Learn from the weeks between the holidays of May and December."""
    X, y = load_keogh_discords(data / "keogh_discords")["power_demand__power_data"]
    days = X.to_numpy(dtype=float).reshape(-1, 96)
    holiday = y.to_numpy().reshape(-1, 96).any(axis=1)
    learnt = slice(140, 358)  # May 21 to December 24
    weeks = np.lib.stride_tricks.sliding_window_view(days.ravel(), 7 * 96)[::96]
    starts = [d for d in range(0, len(weeks), 7) if d + 7 <= 140 or d + 7 > 358]
    yield Task(
        "weeks",
        weeks[learnt][: 358 - 140 - 6],
        weeks[starts],
        np.array([holiday[d : d + 7].any() for d in starts]),
    )


def ucr(data):
    """Learn from the archive's own training part."""
    for path in sorted((data / "ucr_archive").glob("*.csv.gz")):
        table = pd.read_csv(path)
        learnt = table["is_train"] == 1
        values = table[["value"]].to_numpy()
        yield Task(
            path.name[:3],
            values[learnt],
            values[~learnt],
            table["label"].to_numpy()[~learnt] == 1,
            window_length=suggest_window_length(values[learnt]),
        )


def long_ecg(data):
    """Learn from the normal rows of the first third."""
    arrays = np.load(data / "tsb_uad_mba" / "MBA_ECG805_data.npz")
    series = {"MBA805": (arrays["value"].astype(float), arrays["label"] == 1)}
    for path in sorted((data / "mitbih_continuous").glob("*.npz")):
        arrays = np.load(path)
        beat = np.isin(arrays["ann_symbol"], list("NLRejAaJSVEF/fQ"))
        odd = beat & ~np.isin(arrays["ann_symbol"], list("NLR"))
        labels = np.zeros(len(arrays["signal"]), dtype=bool)
        for sample in arrays["ann_sample"][odd]:
            labels[max(0, sample - 72) : sample + 144] = True  # 0.2 s and 0.4 s
        values = decimate(arrays["signal"][:, 0].astype(float), 3)
        series[path.stem] = (values, labels[::3][: len(values)])
    for name, (values, labels) in series.items():
        cut = len(values) // 3
        yield Task(
            name,
            values[:cut, None],
            values[cut:, None],
            labels[cut:],
            y_train=labels[:cut].astype(int),
            window_length=suggest_window_length(values[:cut, None]),
        )


def nab(data):
    """Learn from the first 15 % of each file, as its authors do."""
    for path in sorted((data / "nab").glob("*__*.csv.gz")):
        table = pd.read_csv(path)
        cut = int(0.15 * len(table))
        labels = table["label"].to_numpy() == 1
        if labels[cut:].any():
            yield Task(
                path.name[:-7],
                table[["value"]].to_numpy(dtype=float)[:cut],
                table[["value"]].to_numpy(dtype=float)[cut:],
                labels[cut:],
                window_length=48,
            )


def smap_msl(data):
    """Learn from the training part."""
    for path in sorted((data / "smap_msl").glob("*.npz")):
        arrays = np.load(path)
        yield Task(
            path.stem,
            arrays["train"].astype(float),
            arrays["test"].astype(float),
            arrays["label"].ravel() == 1,
            window_length=30,
        )


SETS = {
    "beats": beats,
    "unseen patients": unseen_patients,
    "ECG5000": ecg5000,
    "SKAB": skab,
    "keogh": keogh,
    "power weeks": power_weeks,
    "UCR": ucr,
    "long ECG": long_ecg,
    "NAB": nab,
    "SMAP/MSL": smap_msl,
}


# Results ----------------------------------------------------------------------------


def judge(task, make, view, seed):
    """Judge one detector on one file.

    Returns ROC-AUC, CPU seconds of the fit, and whether the worst row is an anomaly.
    """
    detector = make()
    detector.set_params(**dict.fromkeys(seeds_of(detector), seed))
    fit = (task.X_train,)
    if task.window_length is not None:
        if view != "row":
            n_windows = len(task.X_train) - task.window_length + 1
            stride = max(1, n_windows // MOST_TRAINING_WINDOWS)
            detector = WindowedDetector(
                detector,
                task.window_length,
                stride=min(stride, task.window_length // 5),
                level="timestep" if view == "timestep" else "auto",
                normal_label=None if task.y_train is None else 0,
            )
            if task.y_train is not None:
                fit = (task.X_train, task.y_train)
        elif task.y_train is not None:
            fit = (task.X_train[task.y_train == 0],)
        detector = make_pipeline(StandardScaler(), detector)
    start = time.process_time()
    detector.fit(*fit)
    seconds = time.process_time() - start
    errors = -detector.score_samples(task.X_test)
    hit = int(task.y_test[np.argmax(errors)])
    return (
        round(roc_auc_score(task.y_test, errors), 5),
        round(seconds, 2),
        hit,
    )


def is_random(make):
    """Whether seeds make a difference."""
    return bool(seeds_of(make()))


def seeds_of(detector):
    """Names of the parameters that are seeds."""
    return [name for name in detector.get_params() if name.endswith("random_state")]


def run(args):
    """Add to the file what is missing in it."""
    done = read_results(args.results)
    columns = ["set", "file", "detector", "seed"]
    done = set(done[columns].itertuples(index=False, name=None))
    for set_name in args.sets:
        tasks = list(SETS[set_name](args.data))
        for seed in range(args.seeds):
            for name in args.detectors:
                make, view = DETECTORS[name]
                if seed and not is_random(make):
                    continue
                for task in tasks:
                    needs_series = view != "window" and name != "random"
                    if needs_series and task.window_length is None:
                        continue
                    if (set_name, str(task.name), name, seed) in done:
                        continue
                    row = [set_name, task.name, name, seed]
                    row += judge(task, make, view, seed)
                    with args.results.open("a") as file:
                        file.write(",".join(map(str, row)) + "\n")
            print(f"{set_name}: seed {seed} done", flush=True)


def read_results(path):
    """Results so far."""
    if not path.exists():
        path.write_text("set,file,detector,seed,auc,seconds,hit\n")
    return pd.read_csv(path, dtype={"file": str})


def half_of(results, which):
    """Files, or folds, of one half of each set; a set of one file is in both."""
    n_files = results.groupby("set")["file"].transform("nunique")
    side = results["file"].map(lambda name: zlib.crc32(str(name).encode()) % 2)
    return results[(n_files == 1) | (side == which)]


def table(results, sets):
    """Mean and standard deviation over complete seeds of the mean over files."""
    rows = {}
    for name in DETECTORS:
        cells = {}
        for set_name in sets:
            part = results[(results["set"] == set_name)]
            n_files = part["file"].nunique()
            own = part[part["detector"] == name].groupby("seed")
            complete = own["auc"].mean()[own["file"].nunique() == n_files]
            if len(complete):
                spread = f" ± {complete.std(ddof=0):.3f}" if len(complete) > 1 else ""
                cells[set_name] = f"{complete.mean():.3f}{spread} ({len(complete)})"
        rows[name] = cells
    frame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=sets)
    return frame.dropna(how="all").astype(object).fillna("")


def discords(results):
    """Hits of each detector, mean over complete seeds."""
    part = results[results["set"] == "keogh"]
    per_seed = part.groupby(["detector", "seed"])
    n_files = part["file"].nunique()
    complete = per_seed["file"].nunique() == n_files
    hits = per_seed["hit"].sum()[complete].groupby("detector").mean()
    return hits.round(1).rename(f"of {n_files}")


def main():
    """Run what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SKAD_DATA"))
    parser.add_argument("--results", type=Path, default=Path("quality.csv"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument(
        "--detectors", nargs="+", choices=DETECTORS, default=list(DETECTORS)
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--table", action="store_true", help="print, run nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not args.table:
        args.data = Path(args.data)
        run(args)
    results = read_results(args.results)
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print("\nROC-AUC, mean over files, then mean ± spread over (n) seeds")
        print(table(results, args.sets).to_string())
        for which, half in enumerate(("to choose", "to report")):
            print(f"\nThe half of the files {half}")
            print(table(half_of(results, which), args.sets).to_string())
        seconds = results.groupby(["detector", "set"])["seconds"].mean().unstack()
        print("\nCPU seconds of a fit, mean over files")
        print(seconds.round(2).to_string())
        print("\nDiscord series in which the worst row lies in a marked range")
        print(discords(results).to_string())


if __name__ == "__main__":
    main()
