"""What a calibrated threshold costs: fits with contamination="auto" over those without.

``python benchmarks/calibration_cost.py`` prints, for made beats and a made table, the
median ratio of three pairs of fits, one thread, process CPU time; "without" is
``contamination=0.01``, whose threshold needs no windows left out. In the table "odd" a
stretch is found and left out, so that all is fitted again.
"""

import time
import warnings

import numpy as np
import torch
from sklearn.base import clone
from sklearn.ensemble import IsolationForest

from skad import (
    ConvAutoencoder,
    LinearAutoencoder,
    MLPAutoencoder,
    WindowedDetector,
    make_heartbeats,
    make_sensors,
)

HYBRID = LinearAutoencoder(error_model="hybrid")


def seconds(detector, X):
    """Process CPU time of a fit."""
    start = time.process_time()
    clone(detector).fit(X)
    return time.process_time() - start


def main():
    """Print a line for each detector."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    beats = make_heartbeats(2000, 1, random_state=0)[0]
    table = make_sensors(3000, 8, n_faults=0, missing_fraction=0, random_state=0)[0]
    table = ((table - table.mean()) / table.std()).fillna(0.0).to_numpy()
    odd = table.copy()
    odd[1000:1060, :3] += 5
    cases = [
        ("beats", LinearAutoencoder(), beats),
        ("beats", HYBRID, beats),
        ("beats", MLPAutoencoder(random_state=0), beats),
        ("beats", ConvAutoencoder(max_epochs=20, random_state=0), beats),
        ("table", WindowedDetector(HYBRID, 30), table),
        ("table", WindowedDetector(MLPAutoencoder((64,), random_state=0), 30), table),
        ("table", WindowedDetector(IsolationForest(random_state=0), 30), table),
        ("odd", WindowedDetector(HYBRID, 30), odd),
        ("odd", WindowedDetector(MLPAutoencoder((64,), random_state=0), 30), odd),
        ("odd", WindowedDetector(IsolationForest(random_state=0), 30), odd),
    ]
    for name, detector, X in cases:
        without = clone(detector).set_params(contamination=0.01)
        pairs = [(seconds(detector, X), seconds(without, X)) for _ in range(3)]
        ratio = np.median([one / other for one, other in pairs])
        print(f"{ratio:5.2f}  {name}  {' '.join(repr(detector).split())}", flush=True)


if __name__ == "__main__":
    main()
