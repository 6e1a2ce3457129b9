"""Batches: how many there are, and a last one that is too small for a module."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from skad import Autoencoder
from skad.detectors._windows import all_windows
from skad.training._batches import BatchIterator, WindowDataset


class Normalised(nn.Module):
    """A module with batch normalisation."""

    def __init__(self, window_length, n_channels):
        super().__init__()
        n_values = window_length * n_channels
        self.layers = nn.Sequential(
            nn.Linear(n_values, 3), nn.BatchNorm1d(3), nn.Linear(3, n_values)
        )

    def forward(self, X):
        return self.layers(X.flatten(1)).view_as(X)


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_batch_of_one__is_named_where_a_module_cannot_be_trained_on_it(batch_size):
    X = np.random.default_rng(0).normal(size=(65, 4))
    detector = Autoencoder(
        Normalised, batch_size=batch_size, early_stopping=False, max_epochs=2
    )
    with pytest.raises(ValueError, match=f"batch_size={batch_size} .*drop_last"):
        detector.fit(X)


@pytest.mark.parametrize("batch_size", [8, 64])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_drop_last__leaves_out_the_smaller_batch(batch_size, early_stopping):
    X = np.random.default_rng(0).normal(size=(72 if early_stopping else 65, 4))
    detector = Autoencoder(
        Normalised,
        batch_size=batch_size,
        early_stopping=early_stopping,
        max_epochs=2,
        net_params={"iterator_train__drop_last": True},
        random_state=0,
    ).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()


def test_drop_last__without_a_whole_batch__says_so():
    detector = Autoencoder(
        Normalised,
        early_stopping=False,
        net_params={"iterator_train__drop_last": True},
    )
    with pytest.raises(ValueError, match=r"no batch of the 20 windows.*batch_size=64"):
        detector.fit(np.zeros((20, 4)))


@given(st.integers(1, 40), st.integers(1, 12), st.booleans())
def test_batches__are_as_many_as_they_say(n_windows, batch_size, drop_last):
    windows = all_windows(np.arange(2.0 * n_windows).reshape(-1, 2))
    dataset = WindowDataset(windows, (2, 1))
    if drop_last and n_windows < batch_size:
        with pytest.raises(ValueError, match="leaves no batch"):
            BatchIterator(dataset, batch_size, drop_last=True)
        return
    batches = BatchIterator(dataset, batch_size, drop_last=drop_last)
    sizes = [len(X) for X, _ in batches]
    n_kept = n_windows - n_windows % batch_size if drop_last else n_windows
    assert len(batches) == len(sizes)
    assert sum(sizes) == n_kept
