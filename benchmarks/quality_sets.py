"""The development sets: what detectors learn from, and what they are judged on."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.signal import decimate
from sklearn.preprocessing import StandardScaler

from skad import (
    load_heartbeats,
    load_keogh_discords,
    load_skab,
    suggest_window_length,
)


@dataclass(frozen=True)
class Task:
    """One file of a set: what to learn from, what to judge."""

    name: str
    X_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    y_train: np.ndarray | None = None
    window_length: int | None = None  # None: rows are windows already
    train_series: np.ndarray | None = None  # which windows must not cross
    test_series: np.ndarray | None = None


# Sets -------------------------------------------------------------------------------


def beats(data):
    """Patients of the judged beats are those learnt from."""
    X_train, _, X, y, _ = _read_beats(data)
    yield Task("beats", X_train, X, y > 0)


def unseen_patients(data):
    """Four folds of records; judged are beats of records that were not learnt from."""
    X_train, records, X, y, test_records = _read_beats(data)
    for fold in range(4):
        left_out = np.unique(records)[fold::4]
        paced = ~np.isin(test_records, records)
        judged = np.isin(test_records, left_out) | paced
        learnt = ~np.isin(records, left_out)
        yield Task(f"fold {fold}", X_train[learnt], X[judged], y[judged] > 0)


def _read_beats(data):
    folder = data / "ecg_heartbeat"
    X_train, _ = load_heartbeats(folder / "normal_train.csv.gz")
    X, y = load_heartbeats(folder / "dev_valid.csv.gz")
    records, test_records = (
        pd.read_csv(folder / f"{name}.meta.csv.gz")["record"].to_numpy()
        for name in ("normal_train", "dev_valid")
    )
    return X_train, records, X, y, test_records


def ecg5000(data):
    """Learn from the normal rows of the official training part."""
    arrays = np.load(data / "ecg5000" / "ecg5000_dev.npz")
    normal = arrays["X_train"][arrays["y_train5"] == 1]
    yield Task("ecg5000", normal, arrays["X_dev"], arrays["y_dev_bin"] == 1)


def skab(data):
    """Learn from the first 400 rows of each file, as its authors do."""
    X, y = load_skab(data / "skab")
    for name, table in X.groupby(level="series", sort=False):
        values, labels = table.to_numpy(), y.loc[table.index].to_numpy()
        yield Task(
            name, values[:400], values[400:], labels[400:] == 1, window_length=60
        )


def keogh(data):
    """Learn from the longest normal stretch (half of a very long one)."""
    for name, (X, y) in load_keogh_discords(data / "keogh_discords").items():
        labels = y.to_numpy()
        edges = np.flatnonzero(np.diff(np.concatenate([[1], labels, [1]])))
        stretches = [(b - a, a, b) for a, b in pairwise(edges) if labels[a] == 0]
        length, start, stop = max(stretches)
        if length > 0.6 * len(labels):  # leave normal rows to judge
            stop = start + length // 2
        learnt = np.zeros(len(labels), dtype=bool)
        learnt[start:stop] = True
        values = X.to_numpy(dtype=float)
        yield Task(
            name,
            values[learnt],
            values[~learnt],
            labels[~learnt] == 1,
            window_length=suggest_window_length(values[learnt]),
            test_series=(np.flatnonzero(~learnt) >= stop).astype(int),
        )


def power_weeks(data):
    """Learn from the weeks between the holidays of May and December."""
    X, y = load_keogh_discords(data / "keogh_discords")["power_demand__power_data"]
    days = X.to_numpy(dtype=float).reshape(-1, 96)
    holiday = y.to_numpy().reshape(-1, 96).any(axis=1)
    learnt = slice(140, 358)  # May 21 to December 24
    weeks = np.lib.stride_tricks.sliding_window_view(days.ravel(), 7 * 96)[::96]
    starts = [d for d in range(0, len(weeks), 7) if d + 7 <= 140 or d + 7 > 358]
    yield Task(
        "weeks",
        weeks[learnt][: 358 - 140 - 6],
        weeks[starts],
        np.array([holiday[d : d + 7].any() for d in starts]),
    )


def ucr(data):
    """Learn from the archive's own training part."""
    for path in sorted((data / "ucr_archive").glob("*.csv.gz")):
        table = pd.read_csv(path)
        learnt = table["is_train"] == 1
        values = table[["value"]].to_numpy()
        yield Task(
            path.name[:3],
            values[learnt],
            values[~learnt],
            table["label"].to_numpy()[~learnt] == 1,
            window_length=suggest_window_length(values[learnt]),
        )


def long_ecg(data):
    """Learn from the normal rows of the first third."""
    arrays = np.load(data / "tsb_uad_mba" / "MBA_ECG805_data.npz")
    series = {"MBA805": (arrays["value"].astype(float), arrays["label"] == 1)}
    for path in sorted((data / "mitbih_continuous").glob("*.npz")):
        arrays = np.load(path)
        beat = np.isin(arrays["ann_symbol"], list("NLRejAaJSVEF/fQ"))
        odd = beat & ~np.isin(arrays["ann_symbol"], list("NLR"))
        labels = np.zeros(len(arrays["signal"]), dtype=bool)
        for sample in arrays["ann_sample"][odd]:
            labels[max(0, sample - 72) : sample + 144] = True  # 0.2 s and 0.4 s
        values = decimate(arrays["signal"][:, 0].astype(float), 3)
        series[path.stem] = (values, labels[::3][: len(values)])
    for name, (values, labels) in series.items():
        cut = len(values) // 3
        yield Task(
            name,
            values[:cut, None],
            values[cut:, None],
            labels[cut:],
            y_train=labels[:cut].astype(int),
            window_length=suggest_window_length(values[:cut, None]),
        )


def nab(data):
    """Learn from the first 15 % of each file, as its authors do."""
    for path in sorted((data / "nab").glob("*__*.csv.gz")):
        table = pd.read_csv(path)
        cut = int(0.15 * len(table))
        labels = table["label"].to_numpy() == 1
        if labels[cut:].any():
            yield Task(
                path.name[:-7],
                table[["value"]].to_numpy(dtype=float)[:cut],
                table[["value"]].to_numpy(dtype=float)[cut:],
                labels[cut:],
                window_length=48,
            )


def smap_msl(data):
    """Learn from the training part."""
    for path in sorted((data / "smap_msl").glob("*.npz")):
        arrays = np.load(path)
        yield Task(
            path.stem,
            arrays["train"].astype(float),
            arrays["test"].astype(float),
            arrays["label"].ravel() == 1,
            window_length=30,
        )


def adbench(data):
    """Learn from a random half of the normal rows, scaled; a row is a window."""
    for path in sorted((data / "adbench").glob("*.npz")):
        arrays = np.load(path)
        X, y = arrays["X"].astype(float), arrays["y"].ravel() == 1
        normal = np.flatnonzero(~y)
        np.random.default_rng(0).shuffle(normal)
        learnt = normal[: len(normal) // 2]
        judged = np.setdiff1d(np.arange(len(X)), learnt)
        X = StandardScaler().fit(X[learnt]).transform(X)
        yield Task(path.stem, X[learnt], X[judged], y[judged])


def field(data):
    """Learn from the normal rows of fit, in stretches that windows do not cross."""
    for name in ("occupancy", "tennessee_eastman"):
        X, y, is_fit, place = read_field(data / "field" / f"{name}.csv.gz")
        learnt = is_fit & ~y
        yield Task(
            name,
            X[learnt],
            X[~is_fit],
            y[~is_fit],
            window_length=30,
            train_series=stretches(place[learnt]),
            test_series=stretches(place[~is_fit]),
        )


def read_field(path):
    """Sensors, labels, rows of fit, and series and time of a file of data/field."""
    table = pd.read_csv(path)
    series = table.get("series", pd.Series("", index=table.index))
    names = table.columns.difference(["series", "time", "label", "part"], sort=False)
    values = table[names].groupby(series, sort=False, group_keys=False)
    values = values.apply(lambda part: part.interpolate(limit_direction="both"))
    values = values.loc[:, values.notna().all() & (values.nunique() > 1)]
    is_fit = (table["part"] == "fit").to_numpy()
    y = (table["label"] == 1).to_numpy()
    place = pd.DataFrame({"series": series, "time": table["time"]})
    return values.to_numpy(), y, is_fit, place


def stretches(place):
    """Give each stretch of one series without left out rows or gaps a number."""
    series, time = place["series"], place["time"]
    if time.dtype == object or pd.api.types.is_string_dtype(time):
        time = pd.to_datetime(time)
    step = time.diff()
    is_border = (series != series.shift()) | (series.index.diff() != 1)
    return (is_border | (step > 5 * step.median())).cumsum().to_numpy()


SETS = {
    "beats": beats,
    "unseen patients": unseen_patients,
    "ECG5000": ecg5000,
    "SKAB": skab,
    "keogh": keogh,
    "power weeks": power_weeks,
    "UCR": ucr,
    "long ECG": long_ecg,
    "NAB": nab,
    "SMAP/MSL": smap_msl,
    "ADBench": adbench,
    "field": field,
}
