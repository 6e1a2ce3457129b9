"""Widths of the dense net: hidden_dims="auto" against (500, 100), quality and seconds.

Quality is that of benchmarks/quality.py: ROC-AUC, mean over the files of a set, then
mean and standard deviation over seeds. Where windows have 100 values or more, both
sides are the same net, bit for bit, and it is run once. Seconds are process CPU time of
a fit of 30 epochs on windows of noisy sines, on one thread, median of `--rounds`, both
sides in turn, without and with calibration; nothing stops early, so that both sides
train equally long.

Run: python benchmarks/widths.py --data FOLDER --results FILE.csv
         [--sets beats SKAB ...] [--seeds N] [--rounds N] [--only quality | seconds]
"""

import argparse
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import quality
from timing import machine, use_one_thread

from skad import MLPAutoencoder

SIDES = {
    "MLP 500-100": partial(MLPAutoencoder, (500, 100)),
    "MLP auto": partial(MLPAutoencoder, "auto"),
}
SHAPES = [(24, 1, 3000), (60, 1, 3000), (60, 8, 2000), (187, 1, 4000)]
SETS = ("beats", "unseen patients", "ECG5000", "SKAB", "keogh", "UCR", "long ECG")


def noisy_sines(window_length, n_channels, n_windows):
    """Overlapping windows, (n_windows, window_length * n_channels)."""
    n_rows = n_windows + window_length - 1
    noise = np.random.default_rng(0).normal(0, 0.1, size=(n_rows, n_channels))
    rows = np.arange(n_rows)[:, None] / np.linspace(3, 9, n_channels)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.sin(rows) + noise, window_length, axis=0
    )
    return windows.swapaxes(1, 2).reshape(n_windows, -1)


def seconds_of_fit(make, n_channels, contamination, X):
    """Process CPU time of a fit."""
    detector = make(
        n_channels=n_channels,
        contamination=contamination,
        early_stopping=False,
        random_state=0,
    )
    start = time.process_time()
    detector.fit(X)
    return time.process_time() - start


def print_quality(args):
    """Run what the file of results lacks, and print the table."""
    for name, make in SIDES.items():
        quality.DETECTORS[name] = make, "window"
    for set_name in args.sets:
        for name in SIDES:
            part = {"sets": [set_name], "detectors": [name]}
            quality.run(argparse.Namespace(**vars(args) | part))
            copy_equal(args, set_name)
    results = quality.read_results(args.results)
    results = results[results["detector"].isin(SIDES)]
    print("\nROC-AUC, mean over files, then mean ± spread over (n) seeds")
    print(quality.table(results, args.sets).to_string())


def copy_equal(args, set_name):
    """Copy the results of files where both sides have the same widths, hence bits."""
    wide = {str(t.name) for t in quality.SETS[set_name](args.data) if is_wide(t)}
    results = quality.read_results(args.results)
    theirs, ours = (
        results[(results["detector"] == name) & (results["set"] == set_name)]
        for name in SIDES
    )
    if wide and not ours["file"].isin(wide).any():
        copies = theirs[theirs["file"].isin(wide)].assign(detector=list(SIDES)[1])
        copies.to_csv(args.results, mode="a", header=False, index=False)


def is_wide(task):
    """Whether "auto" is (500, 100) for a file."""
    return task.X_train.shape[1] * (task.window_length or 1) >= 100


def print_seconds(args):
    """Fit both sides in turn, without and with calibration, and print the table."""
    rows = {}
    MLPAutoencoder(max_epochs=1).fit(noisy_sines(24, 1, 100))  # the first one is slow
    for window_length, n_channels, n_windows in SHAPES:
        X = noisy_sines(window_length, n_channels, n_windows)
        row = {}
        for contamination, label in ((0.01, ""), ("auto", ", calibrated")):
            for _ in range(args.rounds):
                for name, make in SIDES.items():
                    seconds = seconds_of_fit(make, n_channels, contamination, X)
                    row.setdefault(name + label, []).append(seconds)
        rows[f"{n_windows} of {window_length} x {n_channels}"] = {
            name: np.median(seconds) for name, seconds in row.items()
        }
    print(f"\nCPU seconds of a fit; {machine('skad', 'torch')}")
    print(pd.DataFrame.from_dict(rows, orient="index").round(1).to_string())


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SKAD_DATA"))
    parser.add_argument("--results", type=Path, default=Path("widths.csv"))
    parser.add_argument("--sets", nargs="+", choices=quality.SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=("quality", "seconds"))
    args = parser.parse_args()
    use_one_thread()
    with pd.option_context("display.width", 250, "display.max_columns", None):
        if args.only != "seconds":
            args.data = Path(args.data)
            print_quality(args)
        if args.only != "quality":
            print_seconds(args)


if __name__ == "__main__":
    main()
