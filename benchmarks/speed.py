"""Speed of skad beside hand-written loops, naive skorch and the peers: the whole table.

Both sides of a row have the same net, epochs, batch size and data. To do the same work
as the other side, skad trains once (``refit=False``), scores by mean squared errors
(``error_model="mse"``) and, where the other side holds nothing out, neither does skad
(``early_stopping=False``). One thread, process CPU time, the two sides in turn after
one call of each; printed are the median of the paired ratios and their spread, the goal
of the row, the median CPU seconds of either side, and how good both are: the ROC-AUC on
beats from records that were not trained on. Rows of detectors as users call them, with
thresholds, and of threads, are in speed_usual.py. With --data FOLDER
beats are real ones (normal_train.csv.gz and dev_valid.csv.gz), else synthetic.

Peers run in processes of their own virtual environments, which benchmarks/make_peers.sh
makes in a folder. ``--short`` measures small, without peers: CI shows so that all of it
runs. No figure fails it, as machines differ and are shared.

Run: python benchmarks/speed.py [--data FOLDER] [--peers FOLDER] [--short]
         [--rounds N] [--epochs N] [--only NAME ...]
"""

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import lstm
import numpy as np
import speed_usual
import study
import torch
from loops import hand_written_fit, naive_skorch_fit
from speed_rows import HEADER, Beats, Kept, Row, Settings, areas
from timing import alternate, cpu_seconds, machine, run, use_one_thread

from skad import (
    ConvAutoencoder,
    LSTMAutoencoder,
    MLPAutoencoder,
    load_heartbeats,
    make_heartbeats,
)
from skad.series._aggregate import aggregate_timesteps

HERE = Path(__file__).parent
PEERS = {
    "pyod": "pyod",
    "dtaianomaly": "dtaianomaly",
    "merlion": "salesforce-merlion",
}


# Rows ---------------------------------------------------------------------------------


def hand_written(settings):
    """Fit against a loop written by hand that does the same work.

    That both sides end with the same validation loss is checked.
    """
    X, n_epochs = settings.beats.X_train, settings.n_epochs
    n_held_out = len(X) // 10
    same_work = {
        "max_epochs": n_epochs,
        "n_iter_no_change": n_epochs,
        "validation_fraction": n_held_out / len(X),
        "refit": False,
        "error_model": "mse",
        "contamination": 0.01,  # no side leaves windows out for its threshold
        "random_state": 0,
    }
    nets = {
        "MLP": MLPAutoencoder((500, 100), **same_work),
        "Conv": ConvAutoencoder(**same_work),
        "LSTM": LSTMAutoencoder(20, linear_path=None, lr=1e-3, **same_work),
    }
    for name, detector in nets.items():
        detector.fit(X)
        arguments = (*_module_of(detector.net_), X, n_epochs, n_held_out)
        theirs = Kept(hand_written_fit, *arguments)
        pairs = alternate(partial(detector.fit, X), theirs, settings.n_rounds)
        module, loss = theirs.result
        kept = detector.history_["valid_loss"].min()
        assert abs(loss - kept) <= 1e-4 * kept, (name, loss, kept)
        note = _both_areas(settings.beats, detector, module)
        yield Row.of_pairs(f"fit / hand-written loop: {name}", pairs, 1.05, note)


def _module_of(net):
    """Class and arguments of the module of a skorch net, for windows of any shape."""
    params = {
        name.removeprefix("module__"): value
        for name, value in vars(net).items()
        if name.startswith("module__")
    }
    del params["window_length"], params["n_channels"]
    return net.module, params


def _both_areas(beats, detector, module):
    """How good a detector is, and the module of the other side."""
    theirs = beats.area(study.errors_of(module, beats.X_test))
    return areas(beats.area(-detector.score_samples(beats.X_test)), theirs)


def naive_skorch(settings):
    """Fit against skorch with its own loader and torch's default Adam.

    All of it but the order of batches and the start is the same: the nets of the study
    with its loss and weight decay, no windows held out, all scored at the end.
    """
    n_few = 1 if settings.short else 3
    rows = {
        "MLP": ("MLP", {}, 0.66, settings.n_epochs),
        "Conv": ("Conv", {}, 0.90, settings.n_epochs),
        "LSTM": ("LSTM", {}, 0.25, n_few),
        "LSTM, logit fed back": ("LSTM", {"feedback": "logit"}, 0.25, n_few),
    }
    X = settings.beats.X_train
    for name, (net, params, goal, n_epochs) in rows.items():
        detector = study.detectors(n_epochs)[net].set_params(
            early_stopping=False, max_grad_norm=None, **params
        )
        module = partial(study.NETS[net], **params)
        theirs = Kept(naive_skorch_fit, module, X, n_epochs)
        pairs = alternate(partial(detector.fit, X), theirs, settings.n_rounds)
        _check_same_net(detector, module(), settings.beats.X_test)
        note = _both_areas(settings.beats, detector, theirs.result.module_)
        yield Row.of_pairs(f"fit / naive skorch: {name}", pairs, goal, note)


def _check_same_net(detector, module, X):
    """With the weights of the one, the other makes the same reconstruction."""
    study.copy_weights(detector.net_.module_, module)
    with torch.inference_mode():
        reconstruction = module(study.as_windows(X))[0][:, :, 0].numpy()
    np.testing.assert_allclose(reconstruction, detector.reconstruct(X), atol=1e-5)


def cell_loops(settings):
    """LSTMs against the loops of the study, a batch of 64; see lstm.py."""
    reference = lstm.make_study(lstm.make_net(lstm.LSTMModule, "sigmoid"))
    X = study.as_windows(settings.beats.X_train[: lstm.N_WINDOWS])
    batches = X.split(64)
    goals = {"linear": 0.18, "logit": 0.18, "sigmoid": 0.32}
    for feedback, goal in goals.items():
        net = lstm.make_net(lstm.LSTMModule, feedback)
        pairs = alternate(
            partial(lstm.train, net, batches),
            partial(lstm.train_study, reference, batches),
            settings.n_rounds,
        )
        yield Row.of_pairs(f"LSTM train / study's cells: {feedback}", pairs, goal)
        pairs = alternate(
            partial(lstm.score, net.module_, batches),
            partial(lstm.score, reference, batches),
            settings.n_rounds,
        )
        note = ""
        if feedback == "sigmoid":
            study.copy_weights(net.module_, reference)
            ours = lstm.score(net.module_, batches)
            farthest = (ours - lstm.score(reference, batches)).abs().max()
            note = f"same weights: outputs at most {farthest:.0e} apart"
        name = f"LSTM score / study's cells: {feedback}"
        yield Row.of_pairs(name, pairs, goal, note)


def aggregation(settings):
    """Nanoseconds an error from windows to rows, of overlapping windows of 100 rows."""
    length, block = 100, 1024
    n_windows = 20_000 if settings.short else 200_000
    starts = np.arange(n_windows)
    errors = np.random.default_rng(0).random((block + length, length))
    for how, goal in {"mean": 1.2, "max": 1.2, "median": 12}.items():

        def aggregate(how=how):
            aggregate_timesteps(
                lambda i, j: errors[: j - i],
                *(starts, length, n_windows + length - 1, how, block),
            )

        aggregate()
        seconds = [cpu_seconds(aggregate) for _ in range(settings.n_rounds)]
        figures = [1e9 * s / (n_windows * length) for s in seconds]
        yield Row(f"aggregation: {how}, ns an error", figures, goal)


def long_table(settings):
    """Score windows of 100 rows of a table of 10 channels; see windows_memory.py."""
    n_rows, n_rounds = (50_000, 1) if settings.short else (1_000_000, 3)
    command = [sys.executable, HERE / "windows_memory.py", "--measure", "mlp"]
    rounds = [
        run([*command, "--rows", str(n_rows)])[0].split() for _ in range(n_rounds)
    ]
    memory, rate, share = np.array([r[1:4] for r in rounds], dtype=float).T
    name = f"table of {n_rows:.0e} rows".replace("e+0", "e")
    yield Row(f"{name}: extra memory, MB", list(memory), 24)
    note = f"{np.median(rate):.0f} windows a CPU second"
    yield Row(f"{name}: of bare net", list(share), 0.85, (), note, at_least=True)


FIRST_FIT = """
import sys, time
from skad import MLPAutoencoder, make_heartbeats
X, _ = make_heartbeats(400, 0, random_state=0)
start = time.process_time()
MLPAutoencoder(max_epochs=1, random_state=0).fit(X)
print(time.process_time() - start, len(sys.modules))
"""


def first_fit(settings):
    """Fit once in a new process: seconds without imports, modules that it then has."""
    command = [sys.executable, "-W", "ignore", "-c", FIRST_FIT]
    rounds = [run(command)[0].split() for _ in range(settings.n_rounds)]
    seconds, n_modules = np.array(rounds, dtype=float).T
    yield Row("first fit of a process, s", list(seconds), 0.5)
    yield Row("first fit of a process, modules", list(n_modules), 2500)


def study_job(settings):
    """Train and judge the six nets of the study, against its own loops.

    Whole processes; the short form is too small for that, and stays in this one.
    """
    beats, n_epochs = settings.beats, 1 if settings.short else settings.n_epochs // 2
    arrays = beats.X_train, beats.X_test, beats.is_anomaly
    found = {}

    def measure(side):
        if settings.short:
            return cpu_seconds(
                lambda: found.update({side: study.run(side, *arrays, n_epochs)})
            )
        command = [sys.executable, HERE / "study.py", side, "--epochs", str(n_epochs)]
        output, seconds = run([*command, settings.folder / "beats.npz"])
        found[side] = json.loads(output)
        return seconds

    n_rounds = min(3, settings.n_rounds)
    pairs = [(measure("skad"), measure("loops")) for _ in range(n_rounds)]
    ours, theirs = (list(found[side].values()) for side in ("skad", "loops"))
    note = areas(np.mean(ours), np.mean(theirs)) + ", mean of six"
    yield Row.of_pairs(f"six nets, {n_epochs} epochs / loops", pairs, 0.25, note)


def peers(settings):
    """Each peer with the same net, in processes of its own."""
    dense = {
        "pyod": ("PyOD AutoEncoder", 0.20, 0.50),
        "dtaianomaly": ("dtaianomaly AutoEncoder", 0.12, 0.05),
        "unscaled": ("dtaianomaly, windows unscaled", None, None),
    }
    for side, (name, *goals) in dense.items():
        pairs = _peer_pairs(settings, side, "beats", settings.n_epochs // 2)
        yield from _peer_rows(settings.beats, name, pairs, goals)
    pairs = _peer_pairs(settings, "merlion", "sensors", 2)
    yield from _peer_rows(None, "Merlion LSTMED, 10 x 100", pairs, (0.37, 0.26))
    pairs = _peer_pairs(settings, "merlion", "beats", 2)
    yield from _peer_rows(settings.beats, "Merlion LSTMED, beats", pairs, (None, None))


def _peer_pairs(settings, side, windows, n_epochs):
    """Run both sides in turn; returns what they printed."""
    venv = "dtaianomaly" if side == "unscaled" else side
    theirs = settings.peers / venv / "bin" / "python"
    options = [settings.folder / f"{windows}.npz", "--epochs", str(n_epochs)]
    script = HERE / "peers.py"
    return [
        [
            json.loads(run([sys.executable, script, f"skad-{side}", *options])[0]),
            json.loads(run([theirs, script, side, *options])[0]),
        ]
        for _ in range(settings.n_rounds)
    ]


def _peer_rows(beats, name, pairs, goals):
    """Make the rows of fit and score; without beats the scores are to be equal."""
    ours, theirs = (np.array(figures["scores"]) for figures in pairs[-1])
    if beats is None:
        note = f"same start: scores at most {np.abs(ours - theirs).max():.0e} apart"
    else:
        note = areas(beats.area(ours), beats.area(theirs))
    for what, goal in zip(("fit", "score"), goals, strict=True):
        seconds = [tuple(figures[what] for figures in pair) for pair in pairs]
        yield Row.of_pairs(f"{what} / {name}", seconds, goal, note)


SECTIONS = {
    "hand": hand_written,
    "skorch": naive_skorch,
    "cells": cell_loops,
    "peers": peers,
    "aggregation": aggregation,
    "table": long_table,
    "first": first_fit,
    "job": study_job,
    **speed_usual.SECTIONS,
}


# The table ----------------------------------------------------------------------------


def load_beats(folder, short):
    """Return real beats of a folder, or synthetic ones.

    Whole batches of 64 only, since PyOD drops the rest.
    """
    if folder is None:
        X_train, _ = make_heartbeats(4000, 0, random_state=0)
        X_test, y = make_heartbeats(400, 700, random_state=1)
    else:
        X_train, _ = load_heartbeats(folder / "normal_train.csv.gz")
        X_test, y = load_heartbeats(folder / "dev_valid.csv.gz")
    n_train = 1024 if short else len(X_train) // 64 * 64
    return Beats(X_train[:n_train], X_test, y > 0)


def write_windows(settings):
    """Write the files that other processes read."""
    beats = settings.beats
    np.savez(
        settings.folder / "beats.npz",
        X_train=beats.X_train,
        X_test=beats.X_test,
        is_anomaly=beats.is_anomaly,
    )
    rng = np.random.default_rng(0)
    n_train, n_test = len(beats.X_train), 256
    phases = rng.uniform(0, 2 * np.pi, (n_train + n_test, 1, 10))
    sensors = np.sin(np.arange(100)[:, None] / np.arange(7, 17) + phases)
    sensors += 0.1 * rng.standard_normal(sensors.shape)
    np.savez(
        settings.folder / "sensors.npz",
        X_train=sensors[:n_train],
        X_test=sensors[n_train:],
    )


def measure(name, settings):
    """Print the rows of a section."""
    for row in SECTIONS[name](settings):
        print(row, flush=True)


def print_head(settings):
    """Print machine, versions and sizes."""
    print(machine("skad", "torch", "skorch", "scikit-learn", "numpy"))
    if settings.peers:
        print(f"peers: {'; '.join(', '.join(_pins(name)) for name in PEERS)}")
    n_busy, n_cores = os.getloadavg()[0], os.cpu_count()
    X = settings.beats.X_train
    print(
        f"{len(X)} beats of {X.shape[1]} samples, {settings.n_epochs} epochs, "
        f"{settings.n_rounds} rounds; {n_busy:.1f} of {n_cores} cores busy before\n\n"
        f"{HEADER}"
    )


def _pins(name):
    """Versions of a peer, and of what it has beside skad."""
    pins = (HERE / f"peers-{name}.txt").read_text().splitlines()
    shown = (PEERS[name], "numpy", "torch")
    return [pin for pin in pins if pin.split("==")[0] in shown]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of real beats")
    parser.add_argument("--peers", type=Path, help="folder of make_peers.sh")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    args = parser.parse_args()
    use_one_thread()
    sections = [s for s in args.only if s != "peers" or (args.peers and not args.short)]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            load_beats(args.data, args.short),
            args.short,
            args.rounds or (3 if args.short else 5),
            args.epochs or (2 if args.short else 20),
            args.peers,
            Path(folder),
        )
        write_windows(settings)
        print_head(settings)
        for name in sections:
            measure(name, settings)
        if not args.short and not args.peers:
            print("without peers: make them with benchmarks/make_peers.sh FOLDER")


if __name__ == "__main__":
    main()
