"""Imputer, scaler, windows, net, error model and threshold in one grid search.

Six runs of a machine, with gaps and faults, are one table; its index names run and
time, so that nothing looks across a border. EncDec-AD with a tuned threshold is
searched with folds in the order of time, and with whole runs left out. So are, with
windows as rows, a dense net, and as references PCA and an IsolationForest. The winners
are judged on six runs that no search has seen. It takes two to three minutes.

Run: python examples/grid_search_pipeline.py [--quick] [--progress] [--n-jobs N]
"""

import argparse
import time

import pandas as pd
from sklearn.callback import ProgressBar
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ParameterGrid,
    ParameterSampler,
    TimeSeriesSplit,
)
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
PCA = "PCA on windows"


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


def make_encdec_ad(max_epochs):
    """Make EncDec-AD with a tuned threshold, and its grid.

    The tuner is outside, so that its validation rows are imputed and scaled. Its folds
    are blocks of time: a share of rows drawn at random would tear the windows apart.
    """
    net = EncDecAD(lr=5e-3, max_epochs=max_epochs, random_state=0)
    detector = WindowedDetector(net, 30, stride=3, normal_label=0)
    pipeline = make_pipeline(("detect", detector))
    return TunedThresholdDetector(pipeline, FBetaThreshold(), cv=KFold(2)), {
        "estimator__impute__method": ["ffill", "linear"],
        "estimator__impute__max_missing": [0.4, 0.7],
        "estimator__detect__window_length": WINDOW_LENGTHS,
        "estimator__detect__estimator__hidden_dim": [16, 32],
        "estimator__detect__estimator__error_model": ["std", "mahalanobis"],
        "estimator__detect__level": ["timestep", "window"],
        "estimator__detect__aggregate": ["mean", "max"],
        "rule__beta": [0.5, 1.0],
    }


def make_rows_of_windows(detector, grid):
    """Make a pipeline in which each row is the window that ends there, and its grid.

    There is no tuner: the threshold lies at a share of the scores.
    """
    pipeline = make_pipeline(("window", SlidingWindow(30)), ("detect", detector))
    return pipeline, {
        "impute__method": ["ffill", "linear"],
        "window__window_length": WINDOW_LENGTHS,
        "detect__contamination": [0.1, 0.2],
        **grid,
    }


def draw_candidates(grid, n_candidates):
    """Draw some candidates of a grid, each a grid of its own.

    The 256 of EncDec-AD take half an hour. `RandomizedSearchCV` draws in the same way.
    """
    n_candidates = min(n_candidates, len(ParameterGrid(grid)))
    drawn = ParameterSampler(grid, n_candidates, random_state=0)
    return [{name: [value] for name, value in params.items()} for params in drawn]


def make_searches(n_candidates, max_epochs, n_jobs):
    """Make the searches, by name."""
    in_time = TimeSeriesSplit(3, gap=max(WINDOW_LENGTHS) - 1)
    whole_runs = GroupKFold(3)
    # Nets and PCA learn from the normal rows; a forest knows no labels. The error is
    # "mse": windows that overlap are near each other, whatever they hold, so that the
    # nearest training codes of "hybrid" say little.
    shared = {"error_model": "mse", "normal_label": 0}
    mlp = MLPAutoencoder((64,), max_epochs=max_epochs, random_state=0, **shared)
    pca = LinearAutoencoder(**shared)
    forest = IsolationForest(random_state=0)
    latent_dims = {"detect__latent_dim": [0.8, 0.95]}
    max_features = {"detect__max_features": [0.3, 1.0]}
    searched = {
        "EncDec-AD (folds in time)": (*make_encdec_ad(max_epochs), in_time),
        "EncDec-AD": (*make_encdec_ad(max_epochs), whole_runs),
        "MLP on windows": (*make_rows_of_windows(mlp, latent_dims), whole_runs),
        PCA: (*make_rows_of_windows(pca, latent_dims), whole_runs),
        "forest on windows": (*make_rows_of_windows(forest, max_features), whole_runs),
    }
    return {
        name: GridSearchCV(
            estimator,
            draw_candidates(grid, n_candidates),
            scoring=SCORING,
            refit="f1",
            cv=cv,
            n_jobs=n_jobs,
        )
        for name, (estimator, grid, cv) in searched.items()
    }


def fit(search, X, y):
    """Fit a search; return its seconds."""
    by_run = isinstance(search.cv, GroupKFold)
    start = time.perf_counter()
    search.fit(X, y, groups=X.index.get_level_values("series") if by_run else None)
    return time.perf_counter() - start


def list_candidates(search, n_shown=5):
    """Return the best candidates of a search, a column each."""
    results = pd.DataFrame(search.cv_results_).sort_values("rank_test_f1")[:n_shown]
    table = pd.DataFrame(results["params"].tolist(), dtype=object)
    table.columns = [f"  {name.split('__')[-1]}" for name in table]
    for metric, label in [("f1", "F1"), ("average_precision", "AP")]:
        mean, std = results[f"mean_test_{metric}"], results[f"std_test_{metric}"]
        table[label] = show_means(mean, std)
    table["seconds of a fit"] = [f"{t:.2f}" for t in results["mean_fit_time"]]
    return table.set_index(pd.Index(range(1, len(table) + 1))).T


def show_means(means, stds):
    """Write means and standard deviations."""
    return [f"{m:.2f} ± {s:.2f}" for m, s in zip(means, stds, strict=True)]


def judge(search, X, y):
    """Return F1 and average precision in each run, (n_runs, 2)."""
    runs = [(part, y[part.index]) for _, part in X.groupby(level="series", sort=False)]
    names = {"F1": "f1", "AP": "average_precision"}
    return pd.DataFrame(
        {k: [SCORING[name](search, *run) for run in runs] for k, name in names.items()}
    )


def print_summary(judged, seconds, y):
    """Print how the winners do on new runs, and who wins."""
    shares = y.groupby(level="series").mean()
    flag_all = pd.DataFrame({"F1": 2 * shares / (1 + shares), "AP": shares})
    judged = {**judged, "(every row flagged)": flag_all.reset_index(drop=True)}
    means = pd.DataFrame({name: runs.mean() for name, runs in judged.items()}).T
    stds = pd.DataFrame({name: runs.std(ddof=0) for name, runs in judged.items()}).T
    table = pd.DataFrame({k: show_means(means[k], stds[k]) for k in means}, means.index)
    n_better = {k: (v["AP"] > judged[PCA]["AP"]).sum() for k, v in judged.items()}
    table["AP above PCA's"] = [f"{n} of {len(shares)} runs" for n in n_better.values()]
    table.loc[PCA, "AP above PCA's"] = ""
    table["search"] = [f"{seconds[k]:.0f} s" if k in seconds else "" for k in judged]
    print(f"\nThe winners on {len(shares)} runs that no search has seen, mean ± std:")
    print(table.to_string())
    for metric, metric_means in means.items():
        below = [k for k in seconds if metric_means[k] < metric_means[PCA]]
        print(
            f"\nBy {metric} {metric_means.idxmax()} wins; below PCA are "
            f"{', '.join(below) or 'none'}.",
            end="",
        )
    print()


def main():
    """Print the best candidates of each search, and how the winners do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument(
        "--quick", action="store_true", help="fewer runs, candidates and epochs"
    )
    parser.add_argument(
        "--progress", action="store_true", help="a bar for each search; needs rich"
    )
    args = parser.parse_args()
    n_runs, n_candidates, max_epochs = (3, 3, 2) if args.quick else (6, 12, 8)
    X, y = load(range(n_runs))
    X_new, y_new = load(range(n_runs, 2 * n_runs))
    print(f"{len(X)} rows to search on, {y.mean():.0%} of them anomalous")
    print("F1 and average precision (AP): mean ± standard deviation over the folds")
    judged, seconds = {}, {}
    for name, search in make_searches(n_candidates, max_epochs, args.n_jobs).items():
        if args.progress:
            search.set_callbacks(ProgressBar(max_propagation_depth=0))
        print(f"\n{name}: {len(search.param_grid)} candidates, the best by F1:")
        seconds[name] = fit(search, X, y)
        print(list_candidates(search).to_string())
        judged[name] = judge(search, X_new, y_new)
    print_summary(judged, seconds, y_new)


if __name__ == "__main__":
    main()
