"""Series of the development sets as files of TSB-AD, for tsb_ad.py.

A file is <index>_<dataset>_id_<n>_<domain>_tr_<train>_1st_<anomaly>.csv: a column a
channel, then "Label", 1 for anomalies. The first `train` rows are for detectors to
learn from, and row `anomaly`, from 0 on, is the first that is labelled. UCR keeps the
archive's own training part. For the others `train` is as in the names that TSB-AD
publishes: a quarter of the rows, and 100 rows fewer than lie before the first anomaly,
if that is less; at most 50,000, at least 500. "made" needs no data: a table of six
sensors, and one of them alone.

Run: python benchmarks/tsb_ad_layout.py FOLDER --data FOLDER [--sets UCR MBA ...]
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

from skad import load_keogh_discords, make_sensors

DOMAINS = {
    "ecg": "Medical",
    "respiration": "Medical",
    "power_demand": "Facility",
    "space_shuttle": "Sensor",
}


def ucr(data):
    """Yield domain, table, labels and training rows of what the archive has."""
    for path in sorted((data / "ucr_archive").glob("*.csv.gz")):
        table = pd.read_csv(path)
        yield "Medical", table[["value"]], table["label"], table["is_train"].sum()


def mba(data):
    """Yield the same of the long ECG of TSB-UAD."""
    arrays = np.load(data / "tsb_uad_mba" / "MBA_ECG805_data.npz")
    labels = pd.Series(arrays["label"])
    yield "Medical", pd.DataFrame({"value": arrays["value"]}), labels, None


def keogh(data):
    """Yield the same of the discord series that are labelled."""
    for name, (X, y) in load_keogh_discords(data / "keogh_discords").items():
        yield DOMAINS[name.split("__")[0]], X, y, None


def made(data):
    """Yield the same of a made table of six sensors, and of one of them."""
    sensors = {"n_sensors": 6, "missing_fraction": 0.0, "dead_sensors": False}
    X, y = make_sensors(4000, n_faults=4, random_state=0, **sensors)
    yield "Sensor", X, y, None
    yield "Sensor", X.iloc[:, :1], y, None


SETS = {"UCR": ucr, "MBA": mba, "Keogh": keogh, "made": made}


def train_rows(labels):
    """Length of the training part by the rule of TSB-AD."""
    before = int(np.argmax(labels == 1)) - 100
    return min(max(500, min(before, len(labels) // 4, 50_000)), len(labels))


def write(folder, data, names):
    """Write the files of some sets, numbered through."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in names:
        for place, (domain, X, y, n_train) in enumerate(SETS[name](data), start=1):
            labels = y.to_numpy()
            n_train = train_rows(labels) if n_train is None else n_train
            file = f"{len(paths) + 1:03d}_{name}_id_{place}_{domain}_tr_{n_train}"
            paths.append(folder / f"{file}_1st_{np.argmax(labels == 1)}.csv")
            X.assign(Label=labels).to_csv(paths[-1], index=False)
    return paths


def main():
    """Write the files, and print their names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKAD_DATA"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    args = parser.parse_args()
    for path in write(args.folder, args.data and Path(args.data), args.sets):
        print(path)


if __name__ == "__main__":
    main()
