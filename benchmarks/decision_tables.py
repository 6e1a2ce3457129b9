"""Tables on which `decisions.py` judges labels: made ones, files, and odd stretches."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import quality_sets
from sklearn.preprocessing import StandardScaler

from skad import load_skab

NORMAL, ANOMALY, NOT_COUNTED = 0, 1, -1
N_JUDGED = 4000
# share of the rows of fit, and shift in standard deviations
ODD_STRETCHES = ((0.01, 5.0), (0.03, 3.0), (0.05, 5.0))


@dataclass(frozen=True)
class Case:
    """Rows to learn from and rows to judge; windows do not cross series."""

    learnt: np.ndarray
    judged: np.ndarray
    label: np.ndarray
    learnt_series: np.ndarray | None = None
    judged_series: np.ndarray | None = None
    holds_windows: bool = False
    without: "Case | None" = None  # the same, had fit held no odd stretch


def scaled(learnt, judged, *args, **kwargs):
    """Make a case of rows in units of those that are learnt."""
    scaler = StandardScaler().fit(learnt)
    return Case(scaler.transform(learnt), scaler.transform(judged), *args, **kwargs)


# Made tables ------------------------------------------------------------------------


def ar1(rng, n, n_channels=5, phi=0.9):
    """Autoregressive noise."""
    X, noise = np.zeros((n + 200, n_channels)), rng.normal(size=(n + 200, n_channels))
    for i in range(1, len(X)):
        X[i] = phi * X[i - 1] + noise[i]
    return X[200:]


def seasonal(rng, n, n_channels=5):
    """Daily waves with noise."""
    t = np.arange(n)[:, None]
    waves = np.sin(2 * np.pi * (t / 50 + rng.random(n_channels)))
    return waves + 0.3 * rng.normal(size=(n, n_channels))


def heavy_tails(rng, n, n_channels=5):
    """Independent rows of Student's t."""
    return rng.standard_t(4, size=(n, n_channels))


def coupled(rng, n, n_channels=5):
    """Sensors that follow two slow causes."""
    causes = ar1(rng, n, 2, 0.95)
    mixed = causes @ rng.normal(size=(2, n_channels))
    return mixed + 0.3 * rng.normal(size=(n, n_channels))


def sines(rng, n):
    """Three sines of periods that never meet: later rows are unlike those of fit."""
    t = np.arange(n) + rng.integers(10_000)
    waves = np.column_stack([np.sin(t / k) for k in (7, 11, 19)])
    return waves + 0.1 * rng.normal(size=(n, 3))


STATIONARY = {
    "AR(1)": ar1,
    "seasonal": seasonal,
    "heavy tails": heavy_tails,
    "coupled": coupled,
}
MADE = STATIONARY | {"three sines": sines}


def made_cases(make, n_fit, n_draws):
    """Make tables in which nothing is wrong."""
    for seed in range(n_draws):
        X = make(np.random.default_rng(seed), n_fit + N_JUDGED)
        yield scaled(X[:n_fit], X[n_fit:], np.full(N_JUDGED, NORMAL))


def odd_cases(make, n_fit, n_draws, share, size, n_episodes):
    """Shift two sensors in episodes of fit, and in five of the judged rows.

    Normal rows are counted in a copy of the judged rows that holds no fault: windows
    that reach into one may be flagged.
    """
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        X = make(rng, n_fit + N_JUDGED)
        learnt, judged = X[:n_fit], X[n_fit:]
        n_rows = round(share * n_fit / n_episodes)
        shift = size * learnt.std(axis=0)
        shift *= rng.permutation([-1, 1, *np.zeros(X.shape[1] - 2)])
        odd = episodes(rng, n_fit, n_episodes, n_rows)
        faults = episodes(rng, N_JUDGED, 5, n_rows)
        rest = (
            np.concatenate([judged, judged + np.outer(faults, shift)]),
            np.r_[np.full(N_JUDGED, NORMAL), np.where(faults, ANOMALY, NOT_COUNTED)],
            None,
            np.repeat([0, 1], N_JUDGED),
        )
        without = scaled(learnt, *rest)
        yield scaled(learnt + np.outer(odd, shift), *rest, without=without)


def episodes(rng, n, n_episodes, n_rows):
    """Mark one episode somewhere in each of equal parts of the rows."""
    marked = np.zeros(n, dtype=bool)
    for part in np.array_split(np.arange(n), n_episodes):
        start = part[0] + rng.integers(len(part) - n_rows + 1)
        marked[start : start + n_rows] = True
    return marked


# Files ------------------------------------------------------------------------------


def field_case(path):
    """Rows to fit on and rows to judge of a file of data/field."""
    X, y, is_fit, place = quality_sets.read_field(path)
    learnt = is_fit & ~y
    series = [quality_sets.stretches(place[rows]) for rows in (learnt, ~is_fit)]
    return scaled(X[learnt], X[~is_fit], y[~is_fit].astype(int), *series)


def skab_cases(data):
    """Learn the first 400 rows of each file."""
    X, y = load_skab(data / "skab")
    for _, table in X.groupby(level="series", sort=False):
        values, label = table.to_numpy(), y.loc[table.index].to_numpy()
        yield scaled(values[:400], values[400:], label[400:])


def keogh_cases(data):
    """Learn the longest normal stretch."""
    for task in quality_sets.keogh(data):
        label = task.y_test.astype(int)
        yield scaled(task.X_train, task.X_test, label, None, task.test_series)


def window_cases(tasks):
    """Make cases of rows that are windows already."""
    for task in tasks:
        label = task.y_test.astype(int)
        yield Case(task.X_train, task.X_test, label, holds_windows=True)


# All of them ------------------------------------------------------------------------


def all_tables(data, n_fit, n_draws):
    """Cases of each table, by its name."""
    tables = {name: made_cases(make, n_fit, n_draws) for name, make in MADE.items()}
    for (name, make), (share, size), n_episodes in product(
        STATIONARY.items(), ODD_STRETCHES, (1, 2, 3)
    ):
        full_name = f"{name}, odd {share:.0%} at {size:g} x{n_episodes}"
        tables[full_name] = odd_cases(make, n_fit, n_draws, share, size, n_episodes)
    if data is None:
        return tables
    for path in sorted((data / "field").glob("*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        tables[name] = (field_case(path) for path in [path])
    return tables | {
        "SKAB": skab_cases(data),
        "keogh": keogh_cases(data),
        "beats": window_cases(quality_sets.beats(data)),
        "ECG5000": window_cases(quality_sets.ecg5000(data)),
    }
