"""What scoring beyond memory costs: time, memory, workers, and kills.

Rows of ten sensors of eight machines, with gaps, in Parquet files that this writes:

- memory: `score_parquet`, and `score_samples` of the whole table, in a process each:
  the peak above what the imports take, and CPU time a row;
- workers: the wall time of two Dask workers, without and with Dask's own setting of
  malloc, and of one process (two idle cores!);
- pass: the pass through the files that comes before, on a cluster;
- kills: `score_parquet` killed at random moments, then resumed: rows that differ from
  an uninterrupted run, that are there twice, or lacking;
- stream: CPU microseconds of `StreamScorer.update`, one row a call, by windows of 100
  rows of ten sensors; and, in turns with it, those of `score_samples` of the detector
  inside for one window, which scores a whole block of 64.
- fit: `fit_parquet`, and `fit` of the whole table, in a process each: the peak of the
  memory that belongs to the process (not of mapped files), CPU time, and how far the
  thresholds and scores are apart.

Run: python benchmarks/scale.py --rows 10000000 --only memory workers kills
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import dask
import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    LinearAutoencoder,
    MLPAutoencoder,
    StreamScorer,
    TimeSeriesImputer,
    WindowedDetector,
    fit_parquet,
    score_parquet,
)
from skad.scale._flows import Flows
from skad.scale._parquet import Job, push_range
from skad.scale._path import path_of
from skad.scale._ranges import columns_to_read, open_parquet, ranges_of

N_SENSORS, N_MACHINES, ROWS_IN_FILE = 10, 8, 500_000


def machine(number, n_rows):
    """Make the rows of a machine: slow waves and noise, a gap, missing values."""
    rng = np.random.default_rng(number)
    phases = 2 * np.pi * (np.arange(n_rows)[:, None] / 90 + rng.random(N_SENSORS))
    X = np.sin(phases) + 0.3 * rng.normal(size=phases.shape)
    X[rng.random(len(X)) < 0.001] = np.nan
    steps = np.full(n_rows, 1)
    steps[rng.integers(1, n_rows, 5)] = 3600
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum(steps), unit="s")
    table = pd.DataFrame(X, columns=[f"sensor_{i}" for i in range(N_SENSORS)])
    return table.assign(time=time, machine=f"m{number}")


def write_files(folder, n_rows):
    """Write machines one after the other, file by file."""
    for number in range(N_MACHINES):
        table = machine(number, n_rows // N_MACHINES)
        for first in range(0, len(table), ROWS_IN_FILE):
            part = table[first : first + ROWS_IN_FILE]
            part.to_parquet(folder / f"m{number}-{first:09d}.parquet", index=False)


def fitted():
    """Fit a pipeline as users have it, on an hour of each machine."""
    train = pd.concat([machine(number, 3600) for number in range(N_MACHINES)])
    steps = (
        TimeSeriesImputer(),
        StandardScaler(),
        WindowedDetector(LinearAutoencoder(error_model="std"), 60),
    )
    pipeline = make_pipeline(*steps).set_output(transform="pandas")
    return pipeline.fit(train.set_index(["machine", "time"]))


def cpu():
    """CPU seconds of this process."""
    return time.process_time()


def peak():
    """Largest memory of this process until now, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


NAMED = {"time": "time", "series": "machine"}


def child(what, model, source, target):
    """Do one thing in a process of its own, and print what it took."""
    estimator = joblib.load(model)
    score_parquet_of_little(estimator)
    peak_before, cpu_before = peak(), cpu()
    if what == "parquet":
        score_parquet(estimator, source, target, **NAMED)
    else:
        table = pd.read_parquet(source).set_index(["machine", "time"])
        scores = pd.Series(estimator.score_samples(table), table.index)
        joblib.dump(scores, target)
    print(peak() - peak_before, cpu() - cpu_before)


def score_parquet_of_little(estimator):
    """Have all imports done."""
    with tempfile.TemporaryDirectory() as folder:
        machine(0, 200).to_parquet(f"{folder}/x.parquet")
        score_parquet(estimator, f"{folder}/x.parquet", f"{folder}/y", **NAMED)


def in_child(what, *args):
    """Run `child`; return the peak in MB and CPU seconds."""
    line = [sys.executable, "-W", "ignore", __file__, "--child", what, *map(str, args)]
    told = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    return [float(value) for value in told.split()]


def memory(folder, model, n_rows):
    """Print peaks and CPU time of both ways, and whether the scores are equal."""
    source = folder / "source"
    rows = {"in memory": in_child("memory", model, source, folder / "whole")}
    rows["score_parquet"] = in_child("parquet", model, source, folder / "scores")
    for name, (megabytes, seconds) in rows.items():
        per_row = 1e6 * seconds / n_rows
        print(f"{name}: {megabytes:.0f} MB above imports, {per_row:.2f} CPU us a row")
    ratio = rows["score_parquet"][1] / rows["in memory"][1]
    print(f"CPU time, score_parquet / in memory: {ratio:.2f}")
    whole = joblib.load(folder / "whole")
    found = pd.read_parquet(folder / "scores").set_index(["machine", "time"])["score"]
    same = found.index.equals(whole.index) and (found == whole).all()
    print(f"rows in the same order, equal bits: {same}")


MALLOC = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"


def workers(folder, model, n_rows):
    """Print wall and CPU times here, and on two workers of either environment."""
    import distributed  # noqa: F401 (it has settings of its own)

    estimator, source = joblib.load(model), folder / "source"
    wall, cpu_before = time.perf_counter(), cpu()
    here = score_parquet(estimator, source, folder / "here", **NAMED)
    wall = time.perf_counter() - wall
    print(f"one process: {wall:.1f} s, {cpu() - cpu_before:.1f} CPU s")
    # in this order: Dask leaves its setting of malloc in this process, and to workers
    for name, setting in {"without": None, "with": 65536}.items():
        target = folder / name
        with dask.config.set({MALLOC: setting}):
            both, seconds = on_two_workers(estimator, source, target)
        same = all(
            pd.read_parquet(one).equals(pd.read_parquet(target / one.name))
            for one in here.glob("part-*")
        )
        print(
            f"two Dask workers, {name} MALLOC_TRIM_THRESHOLD_: {both:.1f} s, "
            f"{both / wall:.2f} of one process; {seconds:.1f} CPU s of workers; equal "
            f"bits: {same}"
        )


def on_two_workers(estimator, source, target):
    """Score on a cluster of two; return wall seconds, and CPU seconds of workers."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(score_parquet_of_little, estimator)
        before = sum(client.run(cpu).values())
        begin = time.perf_counter()
        score_parquet(estimator, source, target, engine="dask", client=client, **NAMED)
        wall = time.perf_counter() - begin
        return wall, sum(client.run(cpu).values()) - before


def kills(folder, model, n_rows, n_kills=20):
    """Kill a run at random moments, resume it, and compare with one that was not."""
    source, rng = folder / "source", np.random.default_rng(0)
    estimator = joblib.load(model)
    begin = time.perf_counter()
    whole = pd.read_parquet(
        score_parquet(estimator, source, folder / "unbroken", **NAMED)
    )
    seconds = time.perf_counter() - begin + 3.0  # of imports
    line = [
        sys.executable,
        "-W",
        "ignore",
        __file__,
        "--child",
        "parquet",
        model,
        source,
    ]
    n_killed = n_wrong = 0
    for number in range(n_kills):
        target = folder / f"broken-{number}"
        process = subprocess.Popen([*map(str, line), str(target)], stdout=-3)
        try:
            process.wait(rng.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            n_killed += 1
        found = pd.read_parquet(score_parquet(estimator, source, target, **NAMED))
        n_wrong += not found.equals(whole)
    print(f"{n_kills} runs, {n_killed} killed before their end: {n_wrong} differ")


def stream(folder, model, n_rows, n_calls=1000):
    """Print what a row costs, alone, by detector and by kind of row."""
    X = machine(0, 3000 + n_calls).drop(columns="machine").set_index("time").ffill()
    X, later = X.bfill()[:3000], X[3000:]
    nets = {
        "LinearAutoencoder": LinearAutoencoder(),
        "MLPAutoencoder": MLPAutoencoder(max_epochs=5, random_state=0),
    }
    for name, net in nets.items():
        last = WindowedDetector(net, 100, aggregate="last")
        steps = TimeSeriesImputer(), StandardScaler(), last
        pipeline = make_pipeline(*steps).set_output(transform="pandas").fit(X)
        arrays, names = later.to_numpy(), list(later)
        frames = [later[i : i + 1] for i in range(n_calls)]
        kinds = {
            "windows, an array": (clone(last).fit(X), arrays),
            "imputer, scaler, windows, an array": (pipeline, arrays),
            "the same, a dict": (
                pipeline,
                [dict(zip(names, row, strict=True)) for row in arrays],
            ),
            "the same, a DataFrame": (pipeline, frames),
        }
        for kind, (estimator, rows) in kinds.items():
            detector = getattr(estimator, "steps", [("", estimator)])[-1][1]
            window = arrays[:100].reshape(1, -1)
            score = partial(score_window, detector.estimator_, window)
            one, block = median_costs([StreamScorer(estimator).update, score], rows)
            size = detector.estimator_.latent_dim_
            costs = f"{one:.0f} us; a block of 64: {block:.0f} us"
            print(f"{name}, code of {size}: {kind}: {costs}")


def score_window(detector, window, row):
    """Score one window, as a detector of windows is asked to."""
    return detector.score_samples(window)


def median_costs(calls, rows, n_first=120, n_at_once=40):
    """CPU microseconds of calls that take turns, some at once; the first rows aside."""
    taken = []
    for first in range(0, len(rows), n_at_once):
        taken.append([])
        for call in calls:
            begin = cpu()
            for row in rows[first : first + n_at_once]:
                call(row)
            taken[-1].append((cpu() - begin) / n_at_once)
    return 1e6 * np.median(taken[n_first // n_at_once :], axis=0)


def first_pass(folder, model, n_rows):
    """Print what it costs to read files for the state of series in each range."""
    path = path_of(joblib.load(model))
    files = open_parquet(folder / "source")
    columns, named = columns_to_read(files, (["machine"], ["time"]), None)
    source, schema = folder / "source", files.schema
    job = Job(joblib.load(model), source, folder, columns, named, False, schema)
    flows, begin = Flows(path, scores=False), cpu()
    for rows in ranges_of(files):
        push_range(job, flows, rows, set())
    print(f"states of series, without scores: {1e6 * (cpu() - begin) / n_rows:.2f} us")


def own_memory():
    """Memory of this process but mapped files, in MB."""
    with open("/proc/self/status") as lines:
        return next(int(x.split()[1]) for x in lines if x.startswith("RssAnon")) / 1024


def child_fit(what, model, source, target):
    """Fit in a process of its own, and print what it took."""
    estimator = joblib.load(model)
    with tempfile.TemporaryDirectory() as folder:  # all imports
        machine(0, 400).to_parquet(f"{folder}/x.parquet")
        fit_parquet(estimator, f"{folder}/x.parquet", **NAMED)
    before, is_over = own_memory(), threading.Event()
    peaks = [before]

    def watch():
        while not is_over.wait(0.005):
            peaks.append(own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    cpu_before = cpu()
    if what == "fit_parquet":
        fitted = fit_parquet(estimator, source, **NAMED)
    else:
        table = pd.read_parquet(source).set_index(["machine", "time"])
        fitted = estimator.fit(table)
    took = cpu() - cpu_before
    is_over.set()
    watcher.join()
    joblib.dump(fitted, target)
    print(max(peaks) - before, took)


DETECTORS = {
    "LinearAutoencoder": LinearAutoencoder(),
    "MLPAutoencoder": MLPAutoencoder(max_epochs=1, random_state=0),
}


def fit(folder, model, n_rows, names):
    """Print peaks and CPU time of both fits, and how far their results are apart."""
    test = machine(0, 20_000).set_index(["machine", "time"])
    for name in names:
        detector = DETECTORS[name]
        steps = clone(joblib.load(model)).set_params(
            windoweddetector__estimator=detector
        )
        joblib.dump(steps, folder / "unfitted")
        results = []
        for what in ("fit_parquet", "fit"):
            target = folder / what
            megabytes, seconds = in_child(
                what, folder / "unfitted", folder / "source", target
            )
            print(f"{name}, {what}: {megabytes:.0f} MB, {seconds:.1f} CPU s")
            results.append(joblib.load(target))
        one, other = (result[-1].offset_ for result in results)
        scores = [result.score_samples(test) for result in results]
        apart = np.abs(scores[0] / scores[1] - 1).max()
        print(f"thresholds {abs(one / other - 1):.1e} apart, scores {apart:.1e}")


PARTS = {"memory": memory, "workers": workers, "kills": kills}
PARTS |= {"pass": first_pass, "stream": stream, "fit": fit}


def main():
    """Print the figures of the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument(
        "--detectors", nargs="+", choices=DETECTORS, default=[*DETECTORS]
    )
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of children
    if args.child:
        (child_fit if "fit" in args.child[0] else child)(*args.child)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "source").mkdir()
        if args.only != ["stream"]:
            write_files(folder / "source", args.rows)
            joblib.dump(fitted(), folder / "model")
        for part in args.only:
            more = [args.detectors] if part == "fit" else []
            PARTS[part](folder, folder / "model", args.rows, *more)


if __name__ == "__main__":
    main()
