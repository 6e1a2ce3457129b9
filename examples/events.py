"""From a raw table of sensors to a list of events, with the sensors behind each.

The table has gaps in time, missing values and an empty sensor; a net learns from the
normal rows at its beginning, and the threshold comes from the alerts that it raises in
normal rows it has not seen: no labels are needed. Those of the other rows only judge
the events, before and after merging, with a closed form (PCA) beside the net. Without
arguments it runs on a synthetic machine, in half a minute. With ``--data FOLDER`` it
runs on the files of SKAB: one net learns from the first 300 rows of each, and the
threshold from the next 100; the pictures show the file with the highest error.

Run: python examples/events.py [--data FOLDER] [--epochs N] [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    AlertBudgetThreshold,
    AnomalyScoreDisplay,
    DetectorComparisonDisplay,
    LinearAutoencoder,
    MLPAutoencoder,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    event_precision_score,
    event_recall_score,
    explain,
    false_alarms_per_day,
    find_events,
    load_skab,
    make_sensors,
    merge_events,
)

# Alarms less than so many rows apart are one event; shorter ones are none.
MERGING = {"merge_gap": 60, "min_length": 5}


def find(autoencoder, learn, check, X):
    """Fit a detector, and list the events in other rows."""
    pipeline = make_pipeline(
        TimeSeriesImputer("time", max_missing=0.5),  # the empty sensor goes
        StandardScaler(),
        WindowedDetector(autoencoder, window_length=30),
    ).set_output(transform="pandas")
    # one alarm in 1440 normal rows, a day of minutes; a burst of rows is one alarm
    rule = AlertBudgetThreshold(1, per=1440, count="events")
    detector = TunedThresholdDetector(pipeline, rule).fit(learn, X_val=check)
    contributions, deviations = explain(detector, X, return_deviations=True)
    events = find_events(
        detector.predict(X),
        contributions=contributions,
        deviations=deviations,
        window_length=30,
        **MERGING,
    )
    return detector, events


def load(folder):
    """Return a table, labels, and the rows to learn from, to check and to judge."""
    if folder is None:
        X, y = make_sensors(30_000, n_faults=20, random_state=2)
        kept = np.ones(len(X), dtype=bool)
        for first in (4_000, 18_000, 24_000):  # the logger was off
            kept[first : first + 300] = False
        X, y = X[kept], y[kept]
        place = np.arange(len(X))
        return X, y, place < 10_000, (place >= 10_000) & (place < 14_000)
    X, y = load_skab(folder)
    place = X.groupby(level="series").cumcount().to_numpy()
    return X, y, place < 300, (place >= 300) & (place < 400)


def judge(name, y_true, y_pred):
    """Return a row of the table."""
    return {
        "": name,
        "events": len(find_events(y_pred, index=y_true.index)),
        "precision": event_precision_score(y_true, y_pred),
        "recall": event_recall_score(y_true, y_pred),
        "false alarms a day": false_alarms_per_day(y_true, y_pred),
    }


def main():
    """Print the tables and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of SKAB")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args()
    mpl.use("Agg")
    X, y, learn, check = load(args.data)
    new = ~(learn | check)
    net = MLPAutoencoder((128,), 16, max_epochs=args.epochs, random_state=0)
    found, table = {}, []
    for name, autoencoder in {"net": net, "PCA": LinearAutoencoder(16)}.items():
        detector, events = find(autoencoder, X[learn], X[check], X[new])
        found[name] = detector, events
        flags = detector.predict(X[new])
        merged = merge_events(flags, index=X[new].index, **MERGING)
        table.append(judge(name, y[new], flags))
        table.append(judge(f"{name}, merged", y[new], merged))
    detector, events = found["net"]
    columns = [c for c in ("series", "start", "n_rows", "peak_score") if c in events]
    columns += ["sensor_1", "share_1", "deviation_1", "sensor_2", "share_2"]
    print(events[columns].to_string(float_format="{:.2f}".format))
    print(f"\n{pd.DataFrame(table).set_index('').round(2).to_string()}")

    args.out.mkdir(parents=True, exist_ok=True)
    worst = events.loc[events["peak_score"].idxmin()]
    shown = {} if args.data is None else {"series": worst["series"]}
    display = AnomalyScoreDisplay.from_estimator(
        detector, X[new], y[new], events=events, **shown
    )
    display.figure_.savefig(args.out / "events.png", dpi=150)
    both = {name: detector for name, (detector, _) in found.items()}
    display = DetectorComparisonDisplay.from_estimators(both, X[new], y[new], **shown)
    display.figure_.savefig(args.out / "comparison.png", dpi=150)
    print(f"\nPictures are in {args.out}/")


if __name__ == "__main__":
    main()
