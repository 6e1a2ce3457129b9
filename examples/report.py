"""Two HTML pages of what detectors make of new rows, to look at or to send on.

The first is of a synthetic machine: scores over time, events, the sensors behind them
and what they should have read. The second is of heartbeats: the worst of them beside
their reconstructions, and the training of the net. Labels and the rows of fit are
given, too, so both pages say how the detector compares with simple references. It takes
a minute; the pages open in any browser without a network.

Run: python examples/report.py [--epochs N] [--out FOLDER]
"""

import argparse
from pathlib import Path

from skad import (
    ConvAutoencoder,
    make_heartbeats,
    make_sensors,
    report,
    sensor_pipeline,
)


def report_machine(folder):
    """Fit the default detector on the first days of a machine; report the others."""
    X, y = make_sensors(12_000, n_faults=10, n_sensors=8, random_state=3)
    table = X.reset_index(names="time")  # as it comes from a file
    learn, new = slice(0, 6000), slice(6000, None)
    pipeline = sensor_pipeline(time="time", window=30).fit(table[learn])
    path = folder / "report.html"
    return report(pipeline, table[new], y[new], path=path, X_fit=table[learn])


def report_heartbeats(folder, n_epochs):
    """Fit a net on normal heartbeats; report others."""
    learn, _ = make_heartbeats(1000, 0, random_state=0)
    new, kinds = make_heartbeats(400, 60, random_state=1)
    net = ConvAutoencoder(max_epochs=n_epochs, random_state=0).fit(learn)
    path = folder / "report_heartbeats.html"
    return report(net, new, kinds > 0, path=path, X_fit=learn)


def main():
    """Write the pages, and print where they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for path in (report_machine(args.out), report_heartbeats(args.out, args.epochs)):
        print(f"{path}, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
