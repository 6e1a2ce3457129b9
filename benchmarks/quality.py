"""ROC-AUC of every detector and reference over the development sets.

Beats and ECG5000 are windows already. A series is scored row by row: scaled and fitted
on its normal stretch, windows of the length that its autocorrelation gives, judged on
the rest. Each result goes to a CSV file as soon as it is there, and a run goes on from
it; the table holds complete seeds only: mean over the files of a set, then mean and
standard deviation over seeds. NAB and SMAP/MSL stand there for sanity: their labels
are too coarse to tell good detectors apart.

For series it also prints VUS-PR, with buffers up to a window and 250 thresholds as
TSB-AD has them, and counts in how many of them the row with the worst score lies in a
marked range. "power weeks" are the weeks of a year of power demand, those with one of
nine holidays marked: an area of 1 says that they rank above all others. "ADBench" are
plain rows, of which half of the normal ones are learnt; "field" are other tables.

Run: python benchmarks/quality.py --data FOLDER --results FILE.csv
         [--sets beats skab ...] [--detectors "MLP" ...] [--seeds N] [--table]
"""

import argparse
import os
import time
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from quality_sets import SETS
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    ConvAutoencoder,
    ConvLSTMAutoencoder,
    DetectorUnion,
    EncDecAD,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    LSTMAutoencoder,
    MaskedFeatureAutoencoder,
    MLPAutoencoder,
    RandomConvolutions,
    WindowedDetector,
    sensor_pipeline,
    vus_pr_score,
)
from skad.evaluation._references import NeighborDetector, RandomDetector

MOST_TRAINING_WINDOWS = 2000
SERIES = ("SKAB", "keogh", "UCR", "long ECG", "NAB", "SMAP/MSL", "field")


# Unlike in `evaluate`, with every training row.
neighbors = partial(NeighborDetector, max_rows=np.inf)


def texture(random_state=None, n_segments="auto"):
    """Nearest windows in random-convolution features."""
    features = RandomConvolutions(n_segments=n_segments, random_state=random_state)
    return make_pipeline(features, LocallyLinearAutoencoder())


def wholes(random_state=None):
    """Add textures of whole windows, half as loud, to those of their parts."""
    parts, whole = texture(random_state), texture(random_state, n_segments=1)
    return DetectorUnion([("parts", parts), ("whole", whole)], weights={"whole": 0.5})


def texture_and_net():
    """Add up distances among features and the error of a net that tells them."""
    return DetectorUnion([("texture", texture()), ("net", MaskedFeatureAutoencoder())])


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
    "locally linear": (LocallyLinearAutoencoder, "window"),
    "texture": (texture, "window"),
    "texture, whole": (wholes, "window"),
    "texture and masked features": (texture_and_net, "window"),
    "sensor_pipeline": (sensor_pipeline, "table"),
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
    "ConvLSTM": (ConvLSTMAutoencoder, "window"),
    "EncDecAD": (EncDecAD, "window"),
}


# Results ----------------------------------------------------------------------------


def judge(task, make, view, seed):
    """Judge one detector on one file: figures by name."""
    detector = make()
    detector.set_params(**dict.fromkeys(seeds_of(detector), seed))
    X_train, y_train, X_test = task.X_train, task.y_train, task.X_test
    if task.window_length is not None:
        X_train, X_test = (
            with_series(X_train, task.train_series),
            with_series(X_test, task.test_series),
        )
        if view == "row" and y_train is not None:
            X_train, y_train = X_train[y_train == 0], None
        elif view in ("window", "timestep"):
            detector = in_windows(detector, task, view)
        if view == "table" and y_train is not None:
            detector.set_params(detect__normal_label=0)
        scaler = StandardScaler().set_output(transform="pandas")
        detector = make_pipeline(scaler, detector)
    start = time.process_time()
    detector.fit(X_train, *[] if y_train is None else [y_train])
    seconds = time.process_time() - start
    errors = -detector.score_samples(X_test)
    figures = {
        "auc": roc_auc_score(task.y_test, errors),
        "ap": average_precision_score(task.y_test, errors),
        "vus": np.nan,
        "seconds": seconds,
        "hit": int(task.y_test[np.argmax(errors)]),
    }
    if task.window_length is not None:
        figures["vus"] = vus_pr_score(task.y_test, errors, window=task.window_length)
    return figures


def with_series(X, series):
    """Put series into an index, which windows do not cross."""
    if series is None:
        return X
    index = pd.MultiIndex.from_arrays([series, np.arange(len(X))])
    return pd.DataFrame(X, index=index, columns=[f"x{i}" for i in range(X.shape[1])])


def in_windows(detector, task, view):
    """Put a detector into windows, of which at most some thousand are learnt."""
    n_windows = len(task.X_train) - task.window_length + 1
    stride = max(1, n_windows // MOST_TRAINING_WINDOWS)
    return WindowedDetector(
        detector,
        task.window_length,
        stride=min(stride, max(1, task.window_length // 5)),
        level="timestep" if view == "timestep" else "auto",
        normal_label=None if task.y_train is None else 0,
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
                    row += [f"{v:.5g}" for v in judge(task, make, view, seed).values()]
                    with args.results.open("a") as file:
                        file.write(",".join(map(str, row)) + "\n")
            print(f"{set_name}: seed {seed} done", flush=True)


def read_results(path):
    """Results so far."""
    if not path.exists():
        path.write_text("set,file,detector,seed,auc,ap,vus,seconds,hit\n")
    return pd.read_csv(path, dtype={"file": str})


def half_of(results, which):
    """Files, or folds, of one half of each set; a set of one file is in both."""
    n_files = results.groupby("set")["file"].transform("nunique")
    side = results["file"].map(lambda name: zlib.crc32(str(name).encode()) % 2)
    return results[(n_files == 1) | (side == which)]


def table(results, sets, figure="auc"):
    """Mean and standard deviation over complete seeds of the mean over files."""
    rows = {}
    for name in DETECTORS:
        cells = {}
        for set_name in sets:
            part = results[(results["set"] == set_name)]
            n_files = part["file"].nunique()
            own = part[part["detector"] == name].groupby("seed")
            complete = own[figure].mean()[own["file"].nunique() == n_files]
            if complete.notna().any():
                spread = f" ± {complete.std(ddof=0):.3f}" if len(complete) > 1 else ""
                cells[set_name] = f"{complete.mean():.3f}{spread} ({len(complete)})"
        rows[name] = cells
    frame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=sets)
    return frame.dropna(how="all").astype(object).fillna("")


def hits(results, sets):
    """Files in which the worst row lies in a marked range, mean over complete seeds."""
    part = results[results["set"].isin(sets)]
    per_seed = part.groupby(["detector", "set", "seed"])
    n_files = part.groupby("set")["file"].nunique()
    counts = per_seed.agg(n=("file", "nunique"), hits=("hit", "sum")).reset_index()
    complete = counts[counts["n"] == counts["set"].map(n_files)]
    return complete.groupby(["detector", "set"])["hits"].mean().unstack().round(1)


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
        series = [name for name in args.sets if name in SERIES]
        print("\nVUS-PR of rows, buffers up to a window")
        print(table(results, series, "vus").to_string())
        print("\nAverage precision")
        print(table(results, args.sets, "ap").to_string())
        seconds = results.groupby(["detector", "set"])["seconds"].mean().unstack()
        print("\nCPU seconds of a fit, mean over files")
        print(seconds.round(2).to_string())
        print("\nSeries of which the worst row lies in a marked range")
        print(hits(results, series).to_string())


if __name__ == "__main__":
    main()
