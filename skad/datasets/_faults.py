"""Faults of a synthetic machine and of its sensors."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._validation import InvalidParameterError
from skad.datasets._files import check_count

_KINDS = ("level_shift", "stuck_sensor", "lost_correlation", "noise_burst", "failure")

# Fewest rows that a fault needs; a failure needs so many times as many.
_MIN_ROWS = 20
_FAILURE_SHARES = 4


class Fault(NamedTuple):
    """First rows of the phases of a fault; `end` is the row after the last."""

    kind: str
    start: int  # the log says NORMAL until somebody notices
    broken: int
    repaired: int
    end: int


def choose_kinds(n_faults, fault_kinds) -> list[str]:
    """Choose the kind of each fault: all kinds in turn."""
    check_count("n_faults", n_faults, 0)
    if isinstance(fault_kinds, str):
        fault_kinds = _KINDS if fault_kinds == "all" else [fault_kinds]
    kinds = list(fault_kinds)
    unknown = [kind for kind in kinds if kind not in _KINDS]
    if unknown or (n_faults and not kinds):
        raise InvalidParameterError(
            f"fault_kinds={fault_kinds!r}; expected 'all' or some of "
            f"{', '.join(map(repr, _KINDS))}."
        )
    return [kinds[i % len(kinds)] for i in range(n_faults)]


def plan_faults(n_timestamps, first, kinds, rng) -> list[Fault]:
    """Give each fault a separate stretch of the rows from `first` on."""
    kinds = rng.permutation(kinds)
    shares = _shares(kinds)
    borders = np.append(0, shares.cumsum()) / max(shares.sum(), 1)
    borders = (first + (n_timestamps - first) * borders).astype(int)
    faults = []
    for kind, begin, n in zip(kinds, borders, np.diff(borders), strict=False):
        longest = [0, min(180, n // 2), 0]
        if kind == "failure":
            longest = [min(600, n // 3), min(20, n // 16), min(420, n // 3)]
        phases = np.array(
            [rng.randint(max(x // 3, 1), x + 1) if x else 0 for x in longest]
        )
        margin = n // 10  # so that faults do not touch
        start = begin + rng.randint(margin, n - phases.sum() - margin + 1)
        ends = start + phases.cumsum()
        faults.append(Fault(str(kind), int(start), *map(int, ends)))
    return faults


def check_room(n_rows, kinds) -> None:
    """Raise unless `n_rows` rows are enough for all faults."""
    n_needed = _MIN_ROWS * int(_shares(kinds).sum())
    if n_rows < n_needed:
        raise InvalidParameterError(
            f"n_faults={len(kinds)} need {n_needed} rows after the normal part; found "
            f"{n_rows}. Raise n_timestamps, or lower n_faults or normal_fraction."
        )


def _shares(kinds) -> NDArray:
    return np.where(np.array(kinds, dtype=str) == "failure", _FAILURE_SHARES, 1)


def spoil(readings, faults, live, noise, rng) -> list[NDArray]:
    """Let the faults change readings; return the columns that each of them affects."""
    affected = []
    for fault in faults:
        columns = live
        if fault.kind != "failure":  # a failure is in the operation already
            n_columns = rng.randint(1, max(1, len(live) // 5) + 1)
            columns = np.sort(rng.choice(live, n_columns, replace=False))
            rows = np.arange(fault.start, fault.end)
            for column in columns:
                old = readings[:, column]
                readings[rows, column] = _misread(
                    old, rows, fault.kind, noise[column], rng
                )
        affected.append(columns)
    return affected


def _misread(old, rows, kind, noise, rng) -> NDArray:
    """Make what a faulty sensor shows in `rows` instead of its readings `old`."""
    n = len(rows)
    if kind == "level_shift":
        return old[rows] + rng.choice([-1, 1]) * rng.uniform(0.7, 1.5)
    if kind == "stuck_sensor":
        return np.full(n, old[max(rows[0] - 1, 0)])
    if kind == "lost_correlation":
        # The readings of another time: each of them is usual, but not now.
        return old[(rows + rng.randint(n, len(old) - n + 1)) % len(old)]
    return old[rows] + rng.uniform(4, 8) * noise * rng.standard_normal(n)


def label(index, faults) -> tuple[pd.Series, pd.Series]:
    """Return labels and status of the rows."""
    is_anomaly = np.zeros(len(index), dtype=np.int64)
    status = np.full(len(index), "NORMAL", dtype="<U10")
    for fault in faults:
        is_anomaly[fault.start : fault.end] = 1
        status[fault.broken : fault.repaired] = "BROKEN"
        status[fault.repaired : fault.end] = "RECOVERING"
    y = pd.Series(is_anomaly, index, name="anomaly")
    return y, pd.Series(status, index, name="machine_status", dtype=str)


def list_faults(X, faults, affected) -> pd.DataFrame:
    """Make a table with one row for each fault."""
    rows = {name: [getattr(f, name) for f in faults] for name in ("start", "broken")}
    rows["end"] = [fault.end - 1 for fault in faults]
    table = {name: X.index[np.array(at, dtype=int)] for name, at in rows.items()}
    table["kind"] = pd.Series([fault.kind for fault in faults], dtype=str)
    sensors = [tuple(X.columns[columns]) for columns in affected]
    table["sensors"] = pd.Series(sensors, dtype=object)
    return pd.DataFrame(table)
