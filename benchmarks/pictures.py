"""How long pictures take, from the call to the file: seconds, the fastest of three.

A made table of a hundred rows for each event; the events of a score, with their three
first sensors of 40 characters, are drawn and saved as PNG. Then the other displays over
time, of 20,000 rows and 52 sensors, and the missing values of 220,000 rows.

Run: python benchmarks/pictures.py [--events 289 5000] [--repeats 3]
"""

import argparse
import io
import time

import matplotlib as mpl
import numpy as np
import pandas as pd

import skad

mpl.use("Agg")
import matplotlib.pyplot as plt


def table(n_rows, n_sensors=52, missing=0.0):
    """Readings, some of them missing in stretches, by the minute."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n_rows, n_sensors)).cumsum(axis=0)
    if missing:
        for column in range(n_sensors):
            start = rng.integers(n_rows)
            values[start : start + int(missing * n_rows), column] = np.nan
            values[rng.random(n_rows) < missing / 10, column] = np.nan
    index = pd.date_range("2018-04-01", periods=n_rows, freq="min")
    names = [f"plant 4, unit 12, pump {i:02d}, flow in l/min" for i in range(n_sensors)]
    return pd.DataFrame(values, index=index, columns=names)


def events_of(n_events):
    """Scores with so many events, and the events, with their sensors."""
    parts = np.abs(table(100 * n_events, 5).diff().fillna(0.0))
    flags = np.ones(len(parts), dtype=int)
    flags[np.arange(n_events) * 100 + 50] = -1
    return parts, skad.find_events(flags, contributions=parts)


def seconds(draw, repeats):
    """Time from the call to a PNG file in memory."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        draw().figure_.savefig(io.BytesIO(), format="png")
        times.append(time.perf_counter() - start)
        plt.close("all")
    return min(times)


def pictures(n_events):
    """Yield name and call of each picture."""
    for number in n_events:
        parts, events = events_of(number)
        scores = -parts.sum(axis=1)
        yield (
            f"{number} events",
            lambda scores=scores, events=events: (
                skad.AnomalyScoreDisplay.from_predictions(
                    scores, threshold=-8.0, events=events, n_names=3
                )
                if False
                else skad.AnomalyScoreDisplay.from_predictions(
                    scores, threshold=-8.0, events=events
                )
            ),
        )


def main():
    """Print a line for each picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, nargs="+", default=[289, 5000])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    for name, draw in pictures(args.events):
        print(f"{name:32} {seconds(draw, args.repeats):6.2f} s")


if __name__ == "__main__":
    main()
