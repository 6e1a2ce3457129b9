"""Whom `explain` blames, where events begin and end, and what was expected.

Faults of known sensors and rows are put into made tables, of which the readings without
them are known: coupled sensors (8, which all measure three hidden quantities), the
machine of `make_sensors`, and three sensors that drift together beside four of white
noise. SKAB's files have labels only. Each detector is scaled, fitted on
the normal half, and flags 1 % of the normal rows of the other half (in SKAB: as many
rows as F1 is best with), so that the figures do not depend on a rule for thresholds.

- blame: share of the contributions that the faulty sensors have, in rows of faults that
  whole windows cover;
- direction: share of the faulty sensors whose mean deviation has the sign of the fault;
- followed: share of the fault by which the expectation moves; RMSE in standard
  deviations of each sensor: normal rows, faulty sensors, the other sensors meanwhile;
- IoU: rows in both of true and found event over rows in either, as flagged and trimmed;
  near: share of steps and bursts of noise whose ends are both within 5 rows, of those
  whose flags reach beyond both.

Run: python benchmarks/blame.py [--data FOLDER] [--seeds 5] [--lengths 20 60]
         [--detectors "PCA" "PCA hybrid" "MLP hybrid"]
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    LinearAutoencoder,
    MLPAutoencoder,
    WindowedDetector,
    expected_values,
    explain,
    find_events,
    load_skab,
    make_sensors,
)

N_ROWS = 6000
KINDS = ("shift", "ramp", "stuck", "lost", "noise")
ENDS_CAN_BE_SEEN = ("shift", "noise", "level_shift", "noise_burst")
DETECTORS = {
    "PCA": LinearAutoencoder,
    "PCA hybrid": partial(LinearAutoencoder, error_model="hybrid"),
    "MLP hybrid": partial(MLPAutoencoder, (64,), max_epochs=20, random_state=0),
}


# Tables: readings without faults, readings, faults (kind, first, stop, sensors) -------


def coupled(seed):
    """Eight sensors that measure three sums of sines, and noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(N_ROWS)[:, None, None]
    period, phase = rng.uniform(15, 150, (3, 4)), rng.uniform(0, 2 * np.pi, (3, 4))
    waves = rng.uniform(0.5, 1, (3, 4)) * np.sin(2 * np.pi * t / period + phase)
    hidden = waves.sum(axis=2)
    mixed = hidden / hidden.std(axis=0) @ rng.normal(size=(3, 8))
    clean = mixed / mixed.std(axis=0) + 0.2 * rng.normal(size=mixed.shape)
    return clean, *_with_faults(clean, rng)


def _with_faults(clean, rng):
    """Two faults of each kind in the second half, of one or two sensors."""
    X, faults = clean.copy(), []
    kinds = rng.permutation(np.repeat(KINDS, 2))
    for first, kind in zip(range(N_ROWS // 2, N_ROWS, 300), kinds, strict=True):
        start = first + int(rng.integers(80, 110))
        stop = start + int(rng.integers(80, 120))
        sensors = rng.choice(X.shape[1], rng.integers(1, 3), replace=False)
        for sensor in sensors:
            X[start:stop, sensor] = _misread(clean[:, sensor], start, stop, kind, rng)
        faults.append((str(kind), start, stop, sensors))
    return X, faults


def _misread(old, start, stop, kind, rng):
    n, spread, sign = stop - start, old.std(), rng.choice([-1, 1])
    if kind == "shift":
        return old[start:stop] + sign * rng.uniform(1.5, 3) * spread
    if kind == "ramp":
        return old[start:stop] + sign * np.linspace(0, 3, n) * spread
    if kind == "stuck":
        return np.full(n, old[start - 1])
    if kind == "lost":
        other = rng.integers(200, 2000)
        return old[other : other + n]
    return old[start:stop] + 1.5 * spread * rng.normal(size=n)


def machine(seed):
    """Ten faults of sensors of `make_sensors`."""
    whole = {"missing_fraction": 0.0, "dead_sensors": False, "random_state": seed}
    kinds = ["level_shift", "stuck_sensor", "lost_correlation", "noise_burst"]
    X, _, faults = make_sensors(
        N_ROWS, n_faults=10, fault_kinds=kinds, return_faults=True, **whole
    )
    clean, _ = make_sensors(N_ROWS, n_faults=0, **whole)
    rows = [
        (
            fault.kind,
            X.index.get_loc(fault.start),
            X.index.get_loc(fault.end) + 1,
            X.columns.get_indexer(fault.sensors),
        )
        for fault in faults.itertuples()
    ]
    return clean.to_numpy(), X.to_numpy(), rows


def three_of_seven(seed, ramp=False):
    """Three sensors that follow one sine drift together; four are white noise."""
    rng = np.random.default_rng(seed)
    sine = np.sin(np.arange(N_ROWS)[:, None] / 60)
    sines = sine + 0.1 * rng.normal(size=(N_ROWS, 3))
    clean = np.hstack([sines, rng.normal(size=(N_ROWS, 4))])
    X = clean.copy()
    X[4000:4200, :3] += np.linspace(0, 4, 200)[:, None] if ramp else 4
    return clean, X, [("ramp" if ramp else "shift", 4000, 4200, np.arange(3))]


TABLES = {
    "coupled": coupled,
    "make_sensors": machine,
    "3 of 7, step": three_of_seven,
    "3 of 7, ramp": partial(three_of_seven, ramp=True),
}


# Figures ------------------------------------------------------------------------------


def judge(table, detector, length):
    """Figures of one detector on one table, by name."""
    clean, X, faults = table
    half = len(X) // 2
    pipeline = make_pipeline(StandardScaler(), WindowedDetector(detector, length))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(X[:half])
    parts, deviations = explain(pipeline, X, return_deviations=True)
    parts, deviations = parts.to_numpy(), deviations.to_numpy()
    is_fault, near = np.zeros(X.shape, dtype=bool), np.zeros(len(X), dtype=bool)
    near[:half] = True
    for _, start, stop, sensors in faults:
        is_fault[start:stop, sensors] = True
        near[start - length : stop + length] = True
    scores = pipeline.score_samples(X)
    flags = scores < np.quantile(scores[~near], 0.01)
    flags[:half] = False
    units = X[:half].std(axis=0)
    blame = _judge_blame(parts, deviations, (X - clean) / units, faults, length)
    expected = _judge_expectation(pipeline, clean / units, X / units, is_fault, units)
    events = _judge_events(flags, parts, deviations, faults, length)
    return blame | expected | events


def _judge_blame(parts, deviations, change, faults, length):
    shares, hits = [], []
    for kind, start, stop, sensors in faults:
        reach = min(length, (stop - start) // 2)
        middle = parts[start + reach // 2 : stop - reach // 2].sum(axis=0)
        shares.append(middle[sensors].sum() / middle.sum())
        if kind in ("shift", "level_shift", "ramp"):
            told = np.sign(deviations[start:stop, sensors].mean(axis=0))
            hits += list(told == np.sign(change[start:stop, sensors].mean(axis=0)))
    return {"blame": np.mean(shares), "direction": np.mean(hits)}


def _judge_expectation(pipeline, clean, X, is_fault, units):
    told = expected_values(pipeline, X * units) / units
    without = expected_values(pipeline, clean * units) / units
    change = (X - clean)[is_fault]
    is_normal = ~is_fault.any(axis=1)
    is_normal[: len(X) // 2] = False
    others = is_fault.any(axis=1)[:, None] & ~is_fault

    def rmse(places):
        return np.sqrt(np.mean((told - clean)[places] ** 2))

    return {
        "followed": ((told - without)[is_fault] @ change) / (change @ change),
        "normal": rmse(is_normal),
        "faulty": rmse(is_fault),
        "others": rmse(others),
    }


def _judge_events(flags, parts, deviations, faults, length):
    """Compare events with faults, those that overlap just one another."""
    events = find_events(
        np.where(flags, -1, 1),
        contributions=parts,
        deviations=deviations,
        window_length=length,
        merge_gap=5,
        min_length=3,
    )
    flagged, trimmed, near = [], [], []
    for event in events.itertuples():
        first, stop = event.flagged_start_row, event.flagged_end_row + 1
        hits = [f for f in faults if f[1] < stop and f[2] > first]
        if len(hits) == 1:
            kind, *true = hits[0][:3]
            found = event.start_row, event.end_row + 1
            flagged.append(overlap((first, stop), true))
            trimmed.append(overlap(found, true))
            reaches = first <= true[0] and stop >= true[1]
            if kind in ENDS_CAN_BE_SEEN and reaches:
                near.append(np.abs(np.subtract(found, true)).max() <= 5)
    figures = {"IoU flagged": flagged, "IoU": trimmed, "near": near}
    return {name: np.mean(v) if v else np.nan for name, v in figures.items()}


def overlap(one, other):
    """Rows in both over rows from the first to the last of either."""
    inside = min(one[1], other[1]) - max(one[0], other[0])
    return max(inside, 0) / (max(one[1], other[1]) - min(one[0], other[0]))


def judge_skab(folder, length):
    """IoU of the longest event of each file of SKAB with the labelled range."""
    X, y = load_skab(Path(folder) / "skab")
    found = []
    for name, table in X.groupby(level="series"):
        table, truth = table.to_numpy(), y.loc[name].to_numpy()
        hybrid = WindowedDetector(LinearAutoencoder(error_model="hybrid"), length)
        pipeline = make_pipeline(StandardScaler(), hybrid).fit(table[:400])
        parts, deviations = explain(pipeline, table, return_deviations=True)
        errors = parts.to_numpy().sum(axis=1)
        precision, recall, cuts = precision_recall_curve(truth[400:], errors[400:])
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
        labels = np.where(errors >= cuts[f1[:-1].argmax()], -1, 1)
        labels[:400] = 1
        options = {"contributions": parts, "deviations": deviations}
        options |= {"window_length": length, "merge_gap": length}
        events = find_events(labels, **options)
        event = events.loc[events["n_rows"].idxmax()]
        flagged = event["flagged_start_row"], event["flagged_end_row"] + 1
        trimmed = event["start_row"], event["end_row"] + 1
        rows = np.flatnonzero(truth)
        true = rows[0], rows[-1] + 1
        found.append((overlap(flagged, true), overlap(trimmed, true)))
    return np.mean(found, axis=0)


def main(arguments=None):
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", help="folder with SKAB's files in skab/")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--lengths", type=int, nargs="+", default=[20, 60])
    parser.add_argument("--detectors", nargs="+", default=["PCA hybrid"])
    options = parser.parse_args(arguments)
    rows = {}
    for length in options.lengths:
        for name in TABLES:
            for detector in options.detectors:
                seeds = range(options.first_seed, options.first_seed + options.seeds)
                found = [
                    judge(TABLES[name](seed), DETECTORS[detector](), length)
                    for seed in seeds
                ]
                rows[length, name, detector] = pd.DataFrame(found).mean()
    print(pd.DataFrame(rows).T.round(2).to_string())
    for length in options.lengths if options.data else ():
        before, after = judge_skab(options.data, length)
        print(f"SKAB, L = {length}: IoU {before:.3f} as flagged, {after:.3f} trimmed")


if __name__ == "__main__":
    main()
