"""Print how many scores depend on the place of a row, or on its neighbours.

``python tests/place_of_rows.py``; OPENBLAS_CORETYPE, MKL_ENABLE_INSTRUCTIONS and
ATEN_CPU_CAPABILITY choose the kernels of other processors.
"""

import sys
import warnings

import numpy as np
import torch
from sklearn.pipeline import make_pipeline

from skad import (
    Autoencoder,
    ConvAutoencoder,
    ConvLSTMAutoencoder,
    EncDecAD,
    LinearAutoencoder,
    LSTMAutoencoder,
    MLPAutoencoder,
    RandomConvolutions,
)

FAST = {"max_epochs": 1, "random_state": 0, "refit": False}


class Dense(torch.nn.Module):
    """A module of a user, whose layers are not padded."""

    def __init__(self, window_length, n_channels):
        super().__init__()
        self.encoder = torch.nn.Linear(window_length * n_channels, 3)
        self.decoder = torch.nn.Linear(3, window_length * n_channels)

    def forward(self, X):
        latent = self.encoder(X.flatten(1))
        return self.decoder(latent).view_as(X), latent


def detectors(width):
    """Closed-form models with every error model, and nets, for windows of a width."""
    code = min(20, max(1, width // 3))
    for errors in ("mse", "rmse", "mae", "std", "mahalanobis", "hybrid"):
        yield LinearAutoencoder(code, error_model=errors)
    yield MLPAutoencoder((width,), code, **FAST)
    yield MLPAutoencoder((65,), 3, linear_path=None, error_model="mahalanobis", **FAST)
    yield ConvAutoencoder((5, 3), 3, code, **FAST)
    yield ConvLSTMAutoencoder((5, 3), 3, 5, code, **FAST)
    yield ConvLSTMAutoencoder(hidden_dim=33, linear_path=None, latent_dim=code, **FAST)
    yield LSTMAutoencoder(5, latent_dim=code, **FAST)
    yield LSTMAutoencoder(3, linear_path=None, **FAST)
    yield EncDecAD(3, **FAST)
    yield make_pipeline(RandomConvolutions(50, random_state=0), LinearAutoencoder())


def n_moved(detector, X):
    """How many scores change when rows are shifted, shuffled, reversed or alone."""
    scores = detector.score_samples(X)
    orders = [np.arange(shift, len(X)) for shift in (1, 7, 32, 33)]
    orders += [np.random.default_rng(0).permutation(len(X)), np.arange(len(X))[::-1]]
    orders += [np.array([i]) for i in range(0, len(X), 97)]
    moved = sum(
        int((detector.score_samples(X[at]) != scores[at]).sum()) for at in orders
    )
    if hasattr(detector, "_for_few"):
        few = detector._for_few()._errors_of_few(X[:200], timesteps=False)
        moved += int((few != -scores[:200]).sum())
    return moved


def main():
    """Exit with an error if a score of a built-in detector moves."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    n_wrong = 0
    for width in (3, 17, 33, 65, 187, 300):
        X = rng.normal(size=(400 if width < 300 else 1500, width)).astype(np.float32)
        for detector in detectors(width):
            moved = n_moved(detector.fit(X[:300]), X)
            if moved:
                print(f"{moved} scores move, width {width}: {detector}")
            n_wrong += moved
    print(f"{n_wrong} scores depend on their place")
    own = Autoencoder(Dense, **FAST).fit(X[:300])
    print(f"{n_moved(own, X)} of a module that skad has not made")
    sys.exit(bool(n_wrong))


if __name__ == "__main__":
    main()
