"""Whether drift_report is silent where nothing drifts, and speaks where something does.

``python benchmarks/drift.py --data FOLDER`` fits detectors inside WindowedDetector with
windows of 10, 30 and 60 rows on made stationary tables of 3000 rows, and reports on the
4000 rows after: in how many draws (of 100, seeds from 1000 on) it says that labels
cannot be trusted, and in how many it names a sensor that moved. The same tables with
one sensor raised by 1 standard deviation, or spread 1.5 times as far: how often that
sensor is named first. With --data: what it says of files that drift, or do not.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from decision_tables import MADE, NORMAL, STATIONARY, field_case, skab_cases
from decisions import DETECTORS

from skad import WindowedDetector, drift_report

FIELD = ("air_quality", "aep_load", "occupancy", "tennessee_eastman")


def moved_tables(X, learnt):
    """Later rows as they are, and with one sensor that moved."""
    spread = learnt.std(axis=0)
    raised, wider = X.copy(), X.copy()
    raised[:, 1] += spread[1]
    wider[:, 1] = 1.5 * X[:, 1]
    return X, raised, wider


def judge_made(name, detector, window_length, seeds):
    """Share of draws: not trusted, a sensor named, the raised one, the wider one."""
    told = []
    for seed in seeds:
        X = MADE[name](np.random.default_rng(seed), 7000)
        fitted = WindowedDetector(detector, window_length).fit(X[:3000])
        tables = moved_tables(X[3000:], X[:3000])
        plain, raised, wider = (drift_report(fitted, table) for table in tables)
        told.append(
            [
                not plain.labels_can_be_trusted,
                bool(plain.moved),
                raised.moved[:1] == [1],
                wider.moved[:1] == [1],
            ]
        )
    return np.mean(told, axis=0)


def parts_of(case, n_least):
    """Judged rows of each series, if they are that many."""
    series = case.judged_series
    parts = [case.judged[series == one] for one in np.unique(series)]
    return [part for part in parts if len(part) >= n_least]


def say(name, window_length, case, detector):
    """Print what the reports on the parts of one file say."""
    parts = parts_of(case, 8 * window_length)
    start = time.perf_counter()
    fitted = WindowedDetector(detector, window_length)
    fitted.fit(case.learnt, series=case.learnt_series)
    fit_time = time.perf_counter() - start
    start = time.perf_counter()
    reports = [drift_report(fitted, X) for X in parts]
    report_time = time.perf_counter() - start
    n_untrusted = sum(not report.labels_can_be_trusted for report in reports)
    moved = [len(report.moved) for report in reports]
    flagged = " ".join(f"{100 * report.flagged:.1f}" for report in reports)
    print(
        f"{name:18} {window_length:3} not trusted {n_untrusted} of {len(parts)}, "
        f"flagged {flagged} %, sensors moved {moved} of {case.learnt.shape[1]} "
        f"(fit {fit_time:.2f} s, report {report_time:.2f} s)",
        flush=True,
    )


def say_all(data, window_length, detector):
    """Print what is said of all files."""
    for name in FIELD:
        case = field_case(data / "field" / f"{name}.csv.gz")
        say(name, window_length, case, detector)
    if window_length > 50:  # SKAB has 400 rows of fit, too few for eight windows
        return
    told = []
    for case in skab_cases(data):
        fitted = WindowedDetector(detector, window_length).fit(case.learnt)
        report = drift_report(fitted, case.judged[case.label == NORMAL])
        told.append((not report.labels_can_be_trusted, bool(report.moved)))
    untrusted, moved = 100 * np.mean(told, axis=0)
    print(
        f"{'SKAB, normal rows':18} {window_length:3} of {len(told)} files not trusted "
        f"{untrusted:.0f} %, a sensor moved {moved:.0f} %",
        flush=True,
    )


def main():
    """Print all lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--detector", default="PCA", choices=DETECTORS)
    parser.add_argument("--windows", nargs="+", type=int, default=(10, 30, 60))
    parser.add_argument("--tables", nargs="*", default=(*STATIONARY, "three sines"))
    parser.add_argument("--draws", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    detector, seeds = DETECTORS[options.detector], range(1000, 1000 + options.draws)
    for name in options.tables:
        for window_length in options.windows:
            shares = judge_made(name, detector, window_length, seeds)
            untrusted, moved, raised, wider = 100 * shares
            print(
                f"{name:18} {window_length:3} not trusted {untrusted:.0f} %, a sensor "
                f"moved {moved:.0f} %; named first: raised {raised:.0f} %, wider "
                f"{wider:.0f} %",
                flush=True,
            )
    for window_length in options.windows if options.data else ():
        say_all(options.data, window_length, detector)


if __name__ == "__main__":
    sys.exit(main())
