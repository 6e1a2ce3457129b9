"""Metrics of events: what random scores get, and values and times beside the peers'.

First the table of random scores in docs/measured/metrics.md: 20,000 rows, 5 % anomalies
in events of 1, 20, 100 and 1000 rows; random scores with a threshold that flags 5 % of
the rows, smooth random ones (means of 20 rows) likewise, both the mean of ten draws,
and flagging all rows.

Then, for 10,000 rows and more, every metric of skad, with the CPU seconds of a call,
and those of the peers in an environment with benchmarks/peers-metrics.txt, which
benchmarks/make_peers.sh makes. What takes a peer over 20 seconds is not run with ten
times the rows.

Run: python benchmarks/metrics.py [--peers FOLDER] [--rows N ...] [--random]
"""

import argparse
import json
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from metric_peers import OF_SCORES, PEERS
from timing import machine, run, use_one_thread

import skad

HERE = Path(__file__).parent
PATIENCE = 20  # seconds
N_DRAWS = 10


def affiliation(truth, flags, part):
    """One of the three figures."""
    return getattr(skad.affiliation_scores(truth, flags), part)


METRICS = {
    "range_precision": skad.range_precision_score,
    "range_recall": skad.range_recall_score,
    "range_recall front": partial(skad.range_recall_score, bias="front"),
    "range_recall middle": partial(skad.range_recall_score, bias="middle"),
    "range_recall back": partial(skad.range_recall_score, bias="back"),
    "range_f1": partial(skad.range_fbeta_score, alpha=0.2),
    "affiliation_precision": partial(affiliation, part="precision"),
    "affiliation_recall": partial(affiliation, part="recall"),
    "affiliation_f1": partial(affiliation, part="fbeta"),
    "range_auc_pr": skad.range_auc_pr_score,
    "range_auc_roc": skad.range_auc_roc_score,
    "vus_pr": skad.vus_pr_score,
    "vus_roc": skad.vus_roc_score,
    "best_f1": skad.best_fbeta_score,
    "point_adjusted_f1": skad.point_adjusted_fbeta_score,
    "point_adjusted area": partial(skad.point_adjusted_fbeta_score, k="area"),
    "composite_f1": skad.composite_fbeta_score,
    "event_f1": skad.event_fbeta_score,
    "nab": skad.nab_score,
}


def make_labels(n_rows, length, share=0.05):
    """Events of a length at random places, far enough apart."""
    rng = np.random.default_rng(0)
    truth, step = np.zeros(n_rows, dtype=int), round(length / share)
    for start in range(0, n_rows - step + 1, step):
        place = start + rng.integers(1, step - length)
        truth[place : place + length] = 1
    return truth


def make_scores(truth, smooth, signal=0.0, seed=0):
    """Random scores, means of some rows, that tell something or nothing."""
    rng = np.random.default_rng(1 + seed)
    noise = rng.normal(size=len(truth) + smooth - 1)
    scores = np.convolve(noise, np.full(smooth, smooth**-0.5), "valid")
    return np.round(scores + signal * truth, 4)


def flag(scores, share=0.05):
    """Predict the highest scores to be anomalies."""
    return (scores > np.quantile(scores, 1 - share)).astype(int)


def show_random():
    """Print what random scores get."""
    lengths = (1, 20, 100, 1000)
    print(f"{'':24}" + "".join(f"{f'events of {n}':>23}" for n in lengths))
    print(f"{'':24}" + f"{'each':>9}{'smooth':>7}{'all':>7}" * len(lengths))
    for name, metric in METRICS.items():
        cells = []
        for length in lengths:
            truth = make_labels(20_000, length)
            for smooth in (1, 20):
                values = []
                for seed in range(N_DRAWS):
                    scores = make_scores(truth, smooth, seed=seed)
                    given = scores if name in OF_SCORES else flag(scores)
                    values.append(metric(truth, given))
                cells.append(f"{np.mean(values):.2f}")
            given = np.zeros(len(truth)) if name in OF_SCORES else truth * 0 == 0
            cells.append(f"{metric(truth, given):.2f}")
        groups = [cells[i : i + 3] for i in range(0, len(cells), 3)]
        line = "".join(f"{a:>9}{b:>7}{c:>7}" for a, b, c in groups)
        print(f"{name:24}{line}", flush=True)


def time_own(truth, scores, flags):
    """Value and CPU seconds of each metric."""
    found = {}
    for name, metric in METRICS.items():
        start = time.process_time()
        value = metric(truth, scores if name in OF_SCORES else flags)
        found[name] = [value, time.process_time() - start]
    return found


def time_peer(python, peer, path, names):
    """Value and CPU seconds of the metrics of a peer; `names` of [] means all."""
    output, _ = run([python, HERE / "metric_peers.py", peer, path, *names])
    return json.loads(output.splitlines()[-1])


def compare(sizes, folder):
    """Print values and times side by side."""
    names = {peer: [] for peer in PEERS} if folder else {}
    for n_rows in sizes:
        truth = make_labels(n_rows, 50)
        scores = make_scores(truth, 5, signal=1.0)
        flags = flag(scores)
        found = {"skad": time_own(truth, scores, flags)}
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "rows.npz"
            np.savez(path, truth=truth, scores=scores, flags=flags)
            for peer in list(names):
                python = folder / "metrics" / "bin" / "python"
                found[peer] = time_peer(python, peer, path, names[peer])
                quick = [n for n, (_, s) in found[peer].items() if s < PATIENCE / 10]
                names[peer] = quick
                if not quick:
                    del names[peer]
        print(f"\n{n_rows} rows, {truth.sum()} anomalies in events of 50")
        for name in METRICS:
            sides = [(side, *f[name]) for side, f in found.items() if name in f]
            texts = [
                f"{side} {value} ({seconds:.3g} s)"
                if isinstance(value, str)
                else f"{side} {value:.9f} ({seconds:.3g} s)"
                for side, value, seconds in sides
            ]
            print(f"{name:24}" + "; ".join(texts), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--random", action="store_true", help="the first table alone")
    arguments = parser.parse_args()
    use_one_thread()
    print(machine("numpy", "scikit-learn"))
    show_random()
    if not arguments.random:
        compare(arguments.rows, arguments.peers)
