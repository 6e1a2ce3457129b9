"""Memory and speed of WindowedDetector on a long table.

A (1,000,000, 10) float32 table, windows of 100, stride 1, mean over all windows that
cover a row. Printed for each net, in a process of its own and on one thread: what
scoring and fitting add to the memory of the process at their peak, and windows a second
of CPU time over those of the bare net on contiguous blocks of the same size. "mlp" and
"lstm" score by mean squared errors, as much work beside the net as must be; "hybrid" is
the MLP with the error model of the default, and is trained again on all windows.

Linux with glibc only, where a process may set back its peak.

Run: python benchmarks/windows_memory.py [--rows N] [--nets mlp hybrid lstm]
"""

import argparse
import ctypes
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from skad import LinearAutoencoder, LSTMAutoencoder, MLPAutoencoder, WindowedDetector
from skad.detectors._base import BLOCK

WINDOW_LENGTH, N_CHANNELS = 100, 10
EPOCH = {"max_epochs": 1, "contamination": 0.01, "random_state": 0}
BARE = {**EPOCH, "error_model": "mse", "refit": False}
NETS = {
    "linear": lambda: LinearAutoencoder(32),
    "mlp": lambda: MLPAutoencoder((100,), 32, linear_path=None, **BARE),
    "hybrid": lambda: MLPAutoencoder((100,), 32, linear_path=None, **EPOCH),
    "lstm": lambda: LSTMAutoencoder(20, linear_path=None, batch_size=256, **BARE),
}


def make_table(n_rows):
    """Return cycles with noise, made without temporaries of its size."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((n_rows, N_CHANNELS), dtype=np.float32)
    table *= 0.1
    for channel in range(N_CHANNELS):
        phase = np.arange(n_rows, dtype=np.float32) / (7 + channel)
        table[:, channel] += np.sin(phase, out=phase)
    return table


def peak_mb():
    """Peak memory of this process since it was last set back."""
    # Not ru_maxrss, which starts at the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def added_mb(function):
    """Peak memory that a call adds, and the CPU seconds that it takes."""
    # What was freed goes back, or it would be used again unseen; peaks are forgotten.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before, start = peak_mb(), time.process_time()
    function()
    return peak_mb() - before, time.process_time() - start


def bare_seconds(detector, n_windows):
    """CPU seconds of the net alone, on a block that it is given again and again."""
    inner = detector.estimator_
    shape = (BLOCK, WINDOW_LENGTH, N_CHANNELS)
    if not hasattr(inner, "net_"):
        block = np.zeros(shape)
        start = time.process_time()
        for _ in range(n_windows // BLOCK):
            inner._reconstruct_block(block)
        return time.process_time() - start
    module, block = inner.net_.module_.eval(), torch.zeros(shape)
    with torch.inference_mode():
        start = time.process_time()
        for _ in range(n_windows // BLOCK):
            module(block)
        return time.process_time() - start


def measure(name, n_rows):
    """Print the row of one net."""
    torch.set_num_threads(1)
    detector = WindowedDetector(NETS[name](), WINDOW_LENGTH)
    table = make_table(n_rows)
    detector.fit(table[:20_000])  # imports and buffers are no cost of scoring
    detector.score_samples(table[:2_000])
    extra, seconds = added_mb(lambda: detector.score_samples(table))
    bare = bare_seconds(detector, n_rows)
    fit_extra, _ = added_mb(lambda: detector.fit(table))
    print(
        f"{name:8s} {extra:12.1f} {n_rows / seconds:14.0f} {bare / seconds:14.2f} "
        f"{fit_extra:14.1f}",
        flush=True,
    )


def main():
    """Print the table, each row from a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--nets", nargs="+", choices=NETS, default=["mlp", "hybrid", "lstm"]
    )
    parser.add_argument("--measure", choices=NETS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure, args.rows)
        return
    nominal = args.rows * WINDOW_LENGTH * N_CHANNELS * 4 / 2**20
    print(
        f"{args.rows} rows of {N_CHANNELS}; the windows as an array: {nominal:.0f} MB"
    )
    print(
        f"{'':8s} {'score: + MB':>12s} {'windows / s':>14s} {'of bare net':>14s} "
        f"{'fit: + MB':>14s}",
        flush=True,
    )
    for name in args.nets:
        command = [
            sys.executable,
            __file__,
            "--measure",
            name,
            "--rows",
            str(args.rows),
        ]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
