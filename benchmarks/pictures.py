"""How long pictures take, from the call to the file: seconds, the fastest of three.

Of a made table with a hundred rows for each event, the scores and events are drawn and
saved as PNG, with the first sensor of each event, or the first three, named; names have
36 characters. Then the contributions of 52 sensors to the errors of 20,000 rows, the
scores of ten detectors, and the missing values of 220,000 rows and 52 sensors.

Run: python benchmarks/pictures.py [--events 289 5000] [--repeats 3]
"""

import argparse
import io
import time
from functools import partial

import matplotlib as mpl
import numpy as np
import pandas as pd

import skad

mpl.use("Agg")
import matplotlib.pyplot as plt


def table(n_rows, n_sensors=52, missing=0.0):
    """Make readings by the minute, some of them missing in stretches."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n_rows, n_sensors)).cumsum(axis=0)
    if missing:
        for column in range(n_sensors):
            start = rng.integers(n_rows)
            values[start : start + int(missing * n_rows), column] = np.nan
            values[rng.random(n_rows) < missing / 10, column] = np.nan
    index = pd.date_range("2018-04-01", periods=n_rows, freq="min")
    names = [f"plant 4, pump {i:02d}, flow in litres/min" for i in range(n_sensors)]
    return pd.DataFrame(values, index=index, columns=names)


def events_of(n_events):
    """Make contributions with so many events, and list the events."""
    parts = np.abs(table(100 * n_events, 5).diff().fillna(0.0))
    flags = np.ones(len(parts), dtype=int)
    flags[np.arange(n_events) * 100 + 50] = -1
    return parts, skad.find_events(flags, contributions=parts)


def seconds(draw, repeats):
    """Measure the time from the call to a PNG file in memory."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        draw().figure_.savefig(io.BytesIO(), format="png")
        times.append(time.perf_counter() - start)
        plt.close("all")
    return min(times)


def pictures(n_events):
    """Yield the name of each picture, and a function that draws it."""
    for number in n_events:
        parts, events = events_of(number)
        draw = skad.AnomalyScoreDisplay.from_predictions
        scores = -parts.sum(axis=1)
        for n_names in (1, 3):
            kwargs = {"threshold": -8.0, "events": events, "n_names": n_names}
            yield f"{number} events, {n_names} names", partial(draw, scores, **kwargs)
    parts = table(20_000).diff().abs().fillna(0.0)
    draw = skad.ContributionDisplay.from_predictions
    yield "contributions", partial(draw, parts, threshold=-60.0, max_channels=52)
    scores = {name: -parts[name] for name in parts.columns[:10]}
    yield (
        "ten detectors",
        partial(skad.DetectorComparisonDisplay.from_predictions, scores),
    )
    yield (
        "missing",
        partial(skad.MissingValuesDisplay.from_table, table(220_000, 52, 0.1)),
    )


def main():
    """Print a line for each picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, nargs="+", default=[289, 5000])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    for name, draw in pictures(args.events):
        print(f"{name:24} {seconds(draw, args.repeats):6.2f} s")


if __name__ == "__main__":
    main()
