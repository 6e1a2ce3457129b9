"""Rows of speed.py: detectors as users call them, and threads.

Here both sides need not do the same: a default fit leaves windows out for its threshold
and a bare one does not, and nearest neighbours give distances and no threshold at all.
"""

import os
import threading
import time
from functools import partial

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import NearestNeighbors
from speed_rows import Row
from threadpoolctl import threadpool_info
from timing import alternate

from skad import (
    ConvAutoencoder,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    LSTMAutoencoder,
    MLPAutoencoder,
    WindowedDetector,
    make_sensors,
    sensor_pipeline,
    sliding_windows,
)

LENGTH = 30


class _Neighbors:
    """The ten nearest learnt windows, by scikit-learn."""

    def fit(self, X):
        """Keep the windows."""
        self.nearest_ = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(X)
        return self

    def score_samples(self, X):
        """Minus the mean distance."""
        return -self.nearest_.kneighbors(X)[0].mean(axis=1)


class _Union:
    """What sensor_pipeline makes by default, fitted on a table instead of windows."""

    def __init__(self, table):
        self.table = table
        self.pipeline = sensor_pipeline(window=LENGTH)

    def fit(self, _):
        """Learn from the first half of the table."""
        self.pipeline.fit(self.table[: len(self.table) // 2])
        return self

    def score_samples(self, _):
        """Score the rows of the second half."""
        return self.pipeline.score_samples(self.table[len(self.table) // 2 :])


def without_training(settings):
    """Fit and score detectors beside nearest neighbours and the default net.

    Windows of 30 rows and 5 sensors. Neighbours and the plain net only score: neither
    side of a fit but skad's is asked for a threshold.
    """
    table, windows = _sensors(settings)
    half = len(windows) // 2
    learnt, judged = windows[:half], windows[half:]
    ours = {"LocallyLinear": LocallyLinearAutoencoder(), "Union": _Union(table)}
    others = {
        "neighbours": _Neighbors(),
        "default net": MLPAutoencoder(contamination=0.01, random_state=0),
    }
    for name, detector in ours.items():
        for other, theirs in others.items():
            title = f"{name} / {other}"
            pairs = alternate(
                partial(detector.fit, learnt),
                partial(theirs.fit, learnt),
                settings.n_rounds,
            )
            yield Row.of_pairs(f"fit: {title}", pairs, None)
            pairs = alternate(
                partial(detector.score_samples, judged),
                partial(theirs.score_samples, judged),
                settings.n_rounds,
            )
            yield Row.of_pairs(f"score: {title}", pairs, None)


def _sensors(settings):
    """Scaled table of five sensors, and its windows."""
    n_rows = 1500 if settings.short else 6000
    table, _ = make_sensors(n_rows, 5, n_faults=0, missing_fraction=0, random_state=0)
    table = ((table - table.mean()) / table.std()).fillna(0.0).to_numpy()
    windows = sliding_windows(table, window_length=LENGTH)
    return table, np.ascontiguousarray(windows)


def around(settings):
    """Fit a detector in windows of a table, and the same one on these windows."""
    table, windows = _sensors(settings)
    bare = LinearAutoencoder(contamination=0.01)
    outer = WindowedDetector(clone(bare), LENGTH, contamination=0.01)
    pairs = alternate(
        partial(outer.fit, table), partial(bare.fit, windows), settings.n_rounds
    )
    yield Row.of_pairs("fit: in windows / Linear, bare", pairs, None)


def defaults(settings):
    """Fit nets as users call them, and without blocks left out for a threshold."""
    X = settings.beats.X_train
    n_epochs = max(1, settings.n_epochs // 4)
    for kind in (MLPAutoencoder, ConvAutoencoder, LSTMAutoencoder):
        usual = kind(max_epochs=n_epochs, random_state=0)
        bare = clone(usual).set_params(contamination=0.01)
        pairs = alternate(
            partial(usual.fit, X), partial(bare.fit, X), min(3, settings.n_rounds)
        )
        name = kind.__name__.removesuffix("Autoencoder")
        yield Row.of_pairs(f"fit: {name}, default / bare", pairs, None)


# Threads ------------------------------------------------------------------------------


class _TellsThreads(LinearAutoencoder):
    """A detector whose score is the number of threads where it was fitted."""

    def fit(self, X, y=None):
        """Count threads of torch, and of linear algebra."""
        self.n_threads_ = most_threads()
        return super().fit(X)


def _count(detector, X, y=None):
    """Tell a search how many threads its worker has."""
    return detector.n_threads_


def most_threads():
    """Most threads that torch, or a library of linear algebra, would use here."""
    pools = [pool["num_threads"] for pool in threadpool_info()]
    return max([torch.get_num_threads(), *pools])


def workers(settings):
    """Threads of each worker of a search, as many as cores over workers, at most.

    Then how many cores a search, and two threads that score, keep busy.
    """
    X = settings.beats.X_train[:512]
    search = GridSearchCV(
        _TellsThreads(), {"latent_dim": [2, 4]}, scoring=_count, cv=KFold(2), n_jobs=2
    )
    counts = search.fit(X).cv_results_["mean_test_score"]
    goal = max(1, (os.cpu_count() or 1) // 2)
    yield Row("threads of a worker of a search", list(counts), goal)
    detector = MLPAutoencoder(max_epochs=1, contamination=0.01).fit(X)
    calls = [delayed(detector.score_samples)(X)] * (4 if settings.short else 100)
    wall, cpu = time.perf_counter(), time.process_time()
    Parallel(n_jobs=2, backend="threading")(calls)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    note = f"{threading.active_count()} threads of Python are left"
    yield Row("two scoring threads: cores busy", [cpu / wall], 2.2, (), note)


SECTIONS = {
    "untrained": without_training,
    "around": around,
    "defaults": defaults,
    "workers": workers,
}
