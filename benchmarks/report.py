"""What a page of `skad.report` weighs, and what it costs: `docs/guide/report.md`.

A table of synthetic sensors with faults is scored, explained and written to a page, for
several numbers of rows. Time is that of the processor, at one thread; "score" is that
of `score_samples` alone.

Run: python benchmarks/report.py [--rows N ...]
"""

import argparse
import tempfile
from pathlib import Path

from plotly.offline import get_plotlyjs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timing import cpu_seconds, machine, use_one_thread

from skad import LinearAutoencoder, WindowedDetector, make_sensors, report


def measure(n_rows, folder):
    """Print a row of the table."""
    X, y = make_sensors(
        n_rows + 5000,
        n_faults=max(2, n_rows // 1000),
        n_sensors=10,
        missing_fraction=0,
        dead_sensors=False,
        random_state=0,
    )
    detector = make_pipeline(
        StandardScaler(), WindowedDetector(LinearAutoencoder(4), 30)
    ).set_output(transform="pandas")
    detector.fit(X[:5000])
    X, y, path = X[5000:], y[5000:], folder / "page.html"
    score = cpu_seconds(lambda: detector.score_samples(X))
    whole = cpu_seconds(lambda: report(detector, X, y, path=path))
    size = path.stat().st_size / 1e6
    print(f"| {n_rows:,} | {size:.2f} | {whole:.1f} | {score:.2f} |", flush=True)


def main():
    """Print a table of sizes and times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000]
    )
    rows = parser.parse_args().rows
    use_one_thread()
    print(machine("skad", "plotly", "numpy", "torch"))
    library = len(get_plotlyjs().encode()) / 1e6
    print(f"plotly takes {library:.1f} MB of each page")
    print("\n| rows | page (MB) | report (CPU s) | score (CPU s) |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        # once, so that what is imported does not count
        for n_rows in [1000, *rows]:
            measure(n_rows, Path(folder))


if __name__ == "__main__":
    main()
