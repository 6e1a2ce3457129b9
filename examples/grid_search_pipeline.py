"""Imputer, scaler, windows, net, error model and threshold in one grid search.

Six runs of a machine, with gaps and faults, are one table; its index names run and
time, so that nothing looks across a border. Searched are EncDec-AD with a tuned
threshold, with folds in the order of time and with whole runs left out, and, with
windows as rows, a dense net, PCA and an IsolationForest, whose thresholds lie at a
share of the scores. The winners are judged on runs that no search has seen. It takes
two to three minutes.

Run: python examples/grid_search_pipeline.py [--n-jobs N] [--progress [DEPTH]]
"""

import argparse
import time

import pandas as pd
from sklearn.callback import ProgressBar
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    EncDecAD,
    FBetaThreshold,
    LinearAutoencoder,
    MLPAutoencoder,
    SlidingWindow,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    make_outlier_scorer,
    make_sensors,
)

SCORING = {
    "average_precision": make_outlier_scorer("average_precision"),
    "f1": make_outlier_scorer("f1"),
}
WINDOW_LENGTHS = [15, 30]
KINDS = ["level_shift", "stuck_sensor", "lost_correlation", "noise_burst"]


def load(seeds):
    """Return some runs of one machine, a day each, as one table, and its labels."""
    runs = {
        f"run {seed}": make_sensors(
            1440,
            n_faults=4,
            fault_kinds=KINDS,
            normal_fraction=0.3,
            start=f"2018-04-{seed + 1:02d}",
            random_state=seed,
        )
        for seed in seeds
    }
    X = pd.concat({name: X for name, (X, _) in runs.items()}, names=["series"])
    y = pd.concat({name: y for name, (_, y) in runs.items()}, names=["series"])
    return X, y


def make_pipeline(*last_steps):
    """Put imputer and scaler in front; the index is handed on from step to step."""
    steps = [
        ("impute", TimeSeriesImputer(max_missing=0.4)),
        ("scale", StandardScaler()),
        *last_steps,
    ]
    return Pipeline(steps).set_output(transform="pandas")


def make_encdec_ad():
    """Make EncDec-AD with a tuned threshold, and what to search of it.

    The tuner is outside, so that its validation rows are imputed and scaled. Its folds
    are blocks of time: a share of rows drawn at random would tear the windows apart.
    Each grid turns a few knobs and leaves the others.
    """
    net = EncDecAD(16, lr=5e-3, max_epochs=8, random_state=0)
    detector = WindowedDetector(net, 30, stride=3, normal_label=0)
    pipeline = make_pipeline(("detect", detector))
    tuner = TunedThresholdDetector(pipeline, FBetaThreshold(), cv=KFold(2))
    grids = [
        {
            "estimator__impute__method": ["ffill", "linear"],
            "estimator__impute__max_missing": [0.4, 0.7],
        },
        {
            "estimator__detect__window_length": WINDOW_LENGTHS,
            "estimator__detect__estimator__hidden_dim": [16, 32],
        },
        {
            "estimator__detect__estimator__error_model": ["std", "mahalanobis"],
            "estimator__detect__level": ["timestep", "window"],
            "estimator__detect__aggregate": ["mean", "max"],
        },
        {"rule__beta": [0.5, 2.0]},
    ]
    return tuner, grids


def make_rows_of_windows(detector, grid):
    """Make a pipeline in which each row is the window that ends there."""
    pipeline = make_pipeline(("window", SlidingWindow(30)), ("detect", detector))
    return pipeline, {
        "impute__method": ["ffill", "linear"],
        "window__window_length": WINDOW_LENGTHS,
        "detect__contamination": [0.1, 0.2],
        **grid,
    }


def make_searches(n_jobs):
    """Make the searches, by name."""
    in_time = TimeSeriesSplit(3, gap=max(WINDOW_LENGTHS) - 1)
    whole_runs = GroupKFold(3)
    mlp = MLPAutoencoder((64,), normal_label=0, max_epochs=8, random_state=0)
    pca = LinearAutoencoder(normal_label=0)
    forest = IsolationForest(random_state=0)
    latent_dims = {"detect__latent_dim": [0.8, 0.95]}
    searched = {
        "EncDec-AD, folds in time": (*make_encdec_ad(), in_time),
        "EncDec-AD, whole runs": (*make_encdec_ad(), whole_runs),
        "MLP on windows, whole runs": (
            *make_rows_of_windows(mlp, latent_dims),
            whole_runs,
        ),
        "PCA on windows, whole runs": (
            *make_rows_of_windows(pca, latent_dims),
            whole_runs,
        ),
        "forest on windows, whole runs": (
            *make_rows_of_windows(forest, {"detect__max_features": [0.3, 1.0]}),
            whole_runs,
        ),
    }
    return {
        name: GridSearchCV(
            estimator, grid, scoring=SCORING, refit="f1", cv=cv, n_jobs=n_jobs
        )
        for name, (estimator, grid, cv) in searched.items()
    }


def describe(params):
    """Name the parameters by their last words."""
    return ", ".join(f"{name.split('__')[-1]}={v}" for name, v in params.items())


def list_candidates(search, n_shown=6):
    """Return the best candidates of a search, and what they were given."""
    results = pd.DataFrame(search.cv_results_).sort_values("rank_test_f1")[:n_shown]
    table = results[["mean_test_f1", "std_test_f1", "mean_test_average_precision"]]
    table = table.set_axis(["F1", "std", "AP"], axis=1).round(3)
    return table.assign(seconds=results["mean_fit_time"].round(1)).set_index(
        results["params"].map(describe).rename("")
    )


def main():
    """Print the best candidates of each search, and how the winners do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument(
        "--progress",
        type=int,
        nargs="?",
        const=0,
        metavar="DEPTH",
        help="bars of the search (0, default) and of the fits inside (1, 2, ...), down to "
        "every epoch (9), which takes longer than the fits; needs rich",
    )
    args = parser.parse_args()
    X, y = load(range(6))
    X_test, y_test = load(range(6, 9))
    print(f"{len(X)} rows, {y.mean():.0%} anomalous; {len(X_test)} rows to judge")
    winners = {}
    for name, search in make_searches(args.n_jobs).items():
        if args.progress is not None:
            search.set_callbacks(ProgressBar(max_propagation_depth=args.progress))
        by_run = isinstance(search.cv, GroupKFold)
        start = time.perf_counter()
        search.fit(X, y, groups=X.index.get_level_values("series") if by_run else None)
        seconds = time.perf_counter() - start
        print(f"\n{name}: {len(search.cv_results_['params'])} candidates")
        print(list_candidates(search).to_string())
        winners[name] = {
            "F1": SCORING["f1"](search, X_test, y_test),
            "AP": SCORING["average_precision"](search, X_test, y_test),
            "seconds": seconds,
        }
    print("\nThe winners on three other runs, and seconds of the whole search:")
    print(pd.DataFrame(winners).T.round({"F1": 3, "AP": 3, "seconds": 1}).to_string())


if __name__ == "__main__":
    main()
