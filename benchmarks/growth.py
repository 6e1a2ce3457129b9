"""How the cost of fit and score grows with windows, window length and channels.

2,000 windows of 64 timesteps and 1 channel, but for what grows. "fit" is one epoch on
all of them, with the start and the scores that the threshold needs; errors are mean
squares. One thread, process CPU time: the median of three calls, or one call where that
takes longer than a second. Writes growth.csv and, drawn from it, growth.png.

Run: python benchmarks/growth.py [--out FOLDER] [--most N] [--draw]
"""

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from timing import machine, use_one_thread

from skad import (
    ConvAutoencoder,
    LinearAutoencoder,
    LSTMAutoencoder,
    MLPAutoencoder,
)
from skad.plotting._style import palette, tidy

ONCE = {
    "error_model": "mse",
    "contamination": 0.01,
    "max_epochs": 1,
    "early_stopping": False,
    "refit": False,
    "random_state": 0,
}
DETECTORS = {
    "LinearAutoencoder": partial(LinearAutoencoder, 15),
    "MLPAutoencoder": partial(MLPAutoencoder, latent_dim=15, **ONCE),
    "ConvAutoencoder": partial(ConvAutoencoder, latent_dim=15, **ONCE),
    "LSTMAutoencoder(20)": partial(LSTMAutoencoder, 20, linear_path=None, **ONCE),
}
SIZES = {
    "n_windows": [10**3, 10**4, 10**5, 10**6],
    "window_length": [16, 32, 64, 128, 256, 512, 1024],
    "n_channels": [1, 2, 4, 8, 16, 32, 64, 128],
}
USUAL = {"n_windows": 2000, "window_length": 64, "n_channels": 1}
NAMES = {
    "n_windows": "windows",
    "window_length": "timesteps of a window",
    "n_channels": "channels",
}
TITLES = {
    "n_windows": "64 timesteps, 1 channel",
    "window_length": "2,000 windows, 1 channel",
    "n_channels": "2,000 windows of 64 timesteps",
}


def make_windows(n_windows, window_length, n_channels):
    """Rows of a smooth series: a view of overlapping windows, which takes no memory."""
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((n_windows + window_length - 1, n_channels))
    series = np.sin(np.cumsum(0.1 * steps, axis=0), dtype=np.float32)
    values = series.ravel()
    return sliding_window_view(values, window_length * n_channels)[::n_channels]


def cpu_seconds(function):
    """Median CPU time of three calls, or the time of one that takes long."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
        if seconds[0] > 1:
            break
    return float(np.median(seconds))


def warm_up():
    """Pay for what torch loads at the first fit of each kind."""
    for make in DETECTORS.values():
        detector = make().fit(make_windows(**USUAL))
        detector.score_samples(make_windows(**USUAL))


def measure(sizes):
    """Yield a row of the table for each detector and size."""
    for grows, values in sizes.items():
        for name, make in DETECTORS.items():
            for value in values:
                size = USUAL | {grows: value}
                X = make_windows(**size)
                detector = make(n_channels=size["n_channels"])
                fit = cpu_seconds(partial(detector.fit, X))
                score = cpu_seconds(partial(detector.score_samples, X))
                row = {"grows": grows, **size, "detector": name}
                yield row | {"fit_s": round(fit, 4), "score_s": round(score, 4)}


def draw(table, note):
    """Draw fit above score, a column for each thing that grows."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        2, 3, figsize=(11, 6.2), sharex="col", sharey="row", layout="constrained"
    )
    shades = palette()
    in_order = shades.text, shades.normal, shades.anomaly, shades.best
    colours = dict(zip(DETECTORS, in_order, strict=True))
    markers = dict(zip(DETECTORS, "so^D", strict=True))
    for grows, column in zip(SIZES, axes.T, strict=True):
        part = table[table["grows"] == grows]
        for ax, seconds in zip(column, ("fit_s", "score_s"), strict=True):
            for name, rows in part.groupby("detector", sort=False):
                style = {"color": colours[name], "marker": markers[name]}
                ax.plot(rows[grows], rows[seconds], label=name, markersize=4, **style)
            _draw_proportional(ax, part, grows, seconds)
            ax.set(xscale="log", yscale="log")
            tidy(ax)
        sizes = part[grows].unique()
        column[1].set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize="small")
        column[1].minorticks_off()
        column[0].set_title(TITLES[grows], fontsize="small")
        column[1].set_xlabel(NAMES[grows])
    axes[0, 0].set_ylabel("fit, one epoch: CPU s")
    axes[1, 0].set_ylabel("score: CPU s")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False)
    figure.supxlabel(note, fontsize="x-small")
    return figure


def _draw_proportional(ax, rows, grows, seconds):
    """Draw how a cost grows that is proportional to what grows."""
    x = np.array([rows[grows].min(), rows[grows].max()])
    start = rows.loc[rows[grows] == x[0], seconds].min()
    line = {"color": palette().text, "alpha": 0.5, "linestyle": ":", "linewidth": 1}
    ax.plot(x, start * x / x[0], label="proportional", **line)


def main():
    """Write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs", "measured"))
    parser.add_argument("--most", type=int, default=10**6, help="windows")
    parser.add_argument("--draw", action="store_true", help="only, from the table")
    args = parser.parse_args()
    mpl.use("Agg")
    warnings.filterwarnings("ignore", "latent_dim", UserWarning)  # 20 of 16 values
    use_one_thread()
    path = args.out / "growth.csv"
    if not args.draw:
        n_windows = [n for n in SIZES["n_windows"] if n <= args.most]
        rows = []
        warm_up()
        for row in measure(SIZES | {"n_windows": n_windows}):
            rows.append(row)
            print(*row.values(), flush=True)
        table = pd.DataFrame(rows).to_csv(index=False)
        path.write_text(f"# {machine('skad', 'torch')}\n{table}")
    note = path.read_text().splitlines()[0].removeprefix("# ")
    table = pd.read_csv(path, comment="#")
    draw(table, note).savefig(args.out / "growth.png", dpi=120)


if __name__ == "__main__":
    main()
