"""From a raw file to events with sensors, whatever the file looks like.

Five layouts as they are found: three files of one room, with the names of columns
shifted by an index (UCI's occupancy data); runs of a plant without header, times or
names (the Tennessee Eastman process); decimal commas, a date with the day first beside
a time with dots, -200 for missing and empty columns (UCI's air quality data); polars;
and a folder of Parquet files, a machine in each part. The files are written first, from
synthetic machines; the recipes are what a user types: the functions of at most eight
lines below.

Run: python examples/tables.py [--rows N]
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl

from skad import explain, find_events, make_sensors, sensor_pipeline

# Recipes ----------------------------------------------------------------------------


def three_files(folder):
    """Learn from one file, and judge two others."""
    learn = pd.read_csv(folder / "datatraining.txt")
    files = {name: pd.read_csv(folder / name) for name in ("test.txt", "test2.txt")}
    later = pd.concat(files, names=["file"]).reset_index("file")
    pipeline = sensor_pipeline(time="date", series="file", window=20)
    pipeline.fit(learn.assign(file="training"))
    return find_events(pipeline.predict(later), contributions=explain(pipeline, later))


def plain_numbers(folder):
    """Read a table without names and times."""
    learn = pd.read_csv(folder / "d00.dat", sep=r"\s+", header=None)
    later = pd.read_csv(folder / "d01.dat", sep=r"\s+", header=None)
    pipeline = sensor_pipeline(window=20).fit(learn)
    return find_events(pipeline.predict(later), contributions=explain(pipeline, later))


def decimal_commas(folder):
    """Read the file as the UCI ships it."""
    table = pd.read_csv(folder / "AirQualityUCI.csv", sep=";")
    learn, later = table[: len(table) // 2], table[len(table) // 2 :]
    pipeline = sensor_pipeline(time=["Date", "Time"], missing=[-200], window=20)
    pipeline.fit(learn)
    return find_events(pipeline.predict(later), contributions=explain(pipeline, later))


def polars_frame(folder):
    """Read with polars, times as text."""
    table = pl.read_csv(folder / "pump.csv")
    learn, later = table[: len(table) // 2], table[len(table) // 2 :]
    pipeline = sensor_pipeline(time="timestamp", window=20).fit(learn)
    return find_events(pipeline.predict(later), contributions=explain(pipeline, later))


def parquet_folder(folder):
    """Learn several machines from a partitioned folder."""
    table = pd.read_parquet(folder / "machines")
    is_early = table["timestamp"] < table["timestamp"].median()
    learn, later = table[is_early], table[~is_early]
    pipeline = sensor_pipeline(time="timestamp", series="machine", window=20)
    pipeline.fit(learn)
    return find_events(pipeline.predict(later), contributions=explain(pipeline, later))


# Files ------------------------------------------------------------------------------


def machine(n_rows, seed, n_faults=2, freq="min"):
    """Make readings of six sensors, with faults in the second half."""
    table, _ = make_sensors(
        n_rows,
        6,
        n_faults=n_faults,
        fault_kinds=["level_shift", "lost_correlation"],
        missing_fraction=0.005,
        dead_sensors=False,
        freq=freq,
        random_state=seed,
    )
    return table


def write_files(folder, n_rows):
    """Write synthetic machines in the five layouts."""
    names = ["Temperature", "Humidity", "Light", "CO2", "HumidityRatio", "Pressure"]
    for seed, file in enumerate(["datatraining.txt", "test.txt", "test2.txt"]):
        room = machine(n_rows, 0, n_faults=2 * (seed > 0)).set_axis(names, axis=1)
        room = room.ffill().bfill().rename_axis("date").reset_index()
        room.index = [str(i + 1) for i in room.index]
        room.to_csv(folder / file, index=True, index_label=False)
    for seed, file in enumerate(["d00.dat", "d01.dat"]):
        plant = machine(n_rows, 0, n_faults=2 * seed).ffill().bfill()
        plant.to_csv(folder / file, sep=" ", header=False, index=False)
    air = machine(n_rows, 3, freq="h").fillna(-200)
    air.insert(0, "Date", air.index.strftime("%d/%m/%Y"))
    air.insert(1, "Time", air.index.strftime("%H.%M.%S"))
    text = air.to_csv(sep=";", decimal=",", index=False, lineterminator=";;\n")
    (folder / "AirQualityUCI.csv").write_text(text + ";" * (air.shape[1] + 1) + "\n")
    machine(n_rows, 4).to_csv(folder / "pump.csv")
    parts = {f"M{seed}": machine(n_rows // 2, seed) for seed in (5, 6)}
    table = pd.concat(parts, names=["machine"]).reset_index()
    table.to_parquet(folder / "machines", partition_cols=["machine"])


RECIPES = [three_files, plain_numbers, decimal_commas, polars_frame, parquet_folder]


def main():
    """Write the files, and print what the recipes find in them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    n_rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), n_rows)
        for recipe in RECIPES:
            events = recipe(Path(name))
            shown = ["series", "start", "end", "n_rows", "sensor_1", "share_1"]
            shown = [column for column in shown if column in events]
            longest = events.nlargest(3, "n_rows").sort_index()
            print(f"{recipe.__name__}: {len(events)} events, the longest")
            print(longest[shown].to_string(index=False), end="\n\n")


if __name__ == "__main__":
    main()
