"""Nets that reconstruct many windows at once: no bit of a score changes."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import ONE_EPOCH

from skad import ConvAutoencoder, LinearAutoencoder, LSTMAutoencoder, MLPAutoencoder
from skad.detectors import _base
from skad.detectors._base import BLOCK
from skad.training import _at_once
from skad.training._at_once import windows_at_once

MANY = 512


def nets(width):
    """Nets that reconstruct more than a block at once, for windows of a width."""
    code = max(1, width // 4)
    yield MLPAutoencoder(latent_dim=code, **ONE_EPOCH)
    yield MLPAutoencoder(
        (33, 17), code, linear_path=None, error_model="mae", **ONE_EPOCH
    )
    yield ConvAutoencoder((5, 3), 3, code, error_model="mahalanobis", **ONE_EPOCH)


@pytest.mark.parametrize("width", [3, 17, 33, 65, 130])
def test_scores__are_those_of_small_blocks(width, monkeypatch):
    X = np.random.default_rng(0).normal(size=(2 * MANY + BLOCK + 7, width))
    for detector in nets(width):
        detector.fit(X[:100])
        assert detector._n_at_once(len(X)) in (BLOCK, MANY)
        scores, codes = detector.score_samples(X), detector.transform(X)
        errors = detector.reconstruction_errors(X)
        timesteps = detector.score_timesteps(X)
        with monkeypatch.context() as patch:
            patch.setattr(type(detector), "_most_at_once", BLOCK)
            assert (scores == detector.score_samples(X)).all()
            assert (codes == detector.transform(X)).all()
            assert (errors == detector.reconstruction_errors(X)).all()
            assert (timesteps == detector.score_timesteps(X)).all()
        for first, last in ((1, MANY + 1), (63, 64), (BLOCK, 2 * MANY + BLOCK)):
            assert (scores[first:last] == detector.score_samples(X[first:last])).all()


@given(st.integers(0, 3000), st.sampled_from([1, 2, 8]))
def test_cuts__are_large_ones_and_then_small_ones(n_windows, factor):
    cuts = list(_base._cuts(n_windows, factor * BLOCK))
    rows = [i for at in cuts for i in range(at.start, at.stop)]
    assert rows == list(range(n_windows))
    sizes = [at.stop - at.start for at in cuts]
    n_large = n_windows // (factor * BLOCK)
    assert sizes[:n_large] == [factor * BLOCK] * n_large
    assert all(size == BLOCK for size in sizes[n_large:-1])


@given(st.integers(2, 130), st.integers(1, 3), st.sampled_from(["relu", "tanh"]))
@settings(max_examples=15)
def test_proof__holds_for_the_net_itself(length, n_channels, activation):
    X = np.random.default_rng(0).normal(size=(MANY, length, n_channels))
    detector = MLPAutoencoder((9,), 1, activation=activation, **ONE_EPOCH).fit(X[:20])
    if detector._n_at_once(MANY) == BLOCK:
        return
    whole, codes = detector.net_.reconstruct(X)
    parts = [detector.net_.reconstruct(X[i : i + BLOCK]) for i in range(0, MANY, BLOCK)]
    assert (whole == np.concatenate([part[0] for part in parts])).all()
    assert (codes == np.concatenate([part[1] for part in parts])).all()


class Uneven(torch.nn.Module):
    """What it adds to a window depends on how many there are."""

    def __init__(self, window_length, n_channels, of="reconstruction"):
        super().__init__()
        self.layer = torch.nn.Linear(n_channels, n_channels)
        self.of = of

    def forward(self, X):
        """Reconstruct."""
        moved = 1e-7 * (len(X) > BLOCK)
        reconstruction, code = self.layer(X), X[:, 0]
        if self.of == "reconstruction":
            return reconstruction + moved
        return (reconstruction, code + moved) if self.of == "code" else reconstruction


class Net:
    """What is asked of a net, of one that never was."""

    module = Uneven
    device = "cpu"

    def __init__(self, **params):
        vars(self).update({"module__window_length": 4, "module__n_channels": 2})
        vars(self).update(params)


def test_module_that_fails_the_proof__is_run_in_small_blocks():
    assert windows_at_once(Net(module__of="reconstruction"), MANY, BLOCK) == BLOCK
    assert windows_at_once(Net(module__of="code"), MANY, BLOCK) == BLOCK
    assert windows_at_once(Net(module__of="nothing"), MANY, BLOCK) == MANY
    other_device = Net(module__of="nothing", device="cuda")
    assert windows_at_once(other_device, MANY, BLOCK) == BLOCK


def test_proof__is_made_once_for_an_architecture_and_number_of_threads(monkeypatch):
    asked = []

    def same_bits(*arguments):
        asked.append(arguments)
        return True

    monkeypatch.setattr(_at_once, "_same_bits", same_bits)
    one, other = Net(module__of="nothing"), Net(module__of="nothing")
    for net in (one, other, one):
        assert windows_at_once(net, MANY, BLOCK) == MANY
    assert len(asked) == 1
    windows_at_once(Net(module__of="nothing", module__n_channels=3), MANY, BLOCK)
    torch.set_num_threads(2)
    try:
        windows_at_once(one, MANY, BLOCK)
    finally:
        torch.set_num_threads(1)
    assert len(asked) == 3


def test_few_windows__need_no_proof(monkeypatch):
    monkeypatch.setattr(_at_once, "first_proven", None)
    X = np.random.default_rng(0).normal(size=(MANY - 1, 4))
    MLPAutoencoder((3,), 1, **ONE_EPOCH).fit(X).predict(X)


def test_wide_windows__are_fewer_at_once():
    for width, most in {256: 512, 257: 256, 1000: 128, 3000: BLOCK}.items():
        X = np.random.default_rng(0).normal(size=(MANY, width))
        detector = MLPAutoencoder((3,), 1, linear_path=None, **ONE_EPOCH).fit(X[:20])
        assert detector._n_at_once(most - 1) == BLOCK
        assert detector._n_at_once(MANY) in (BLOCK, most)


def test_recurrent_and_closed_form_models__stay_at_small_blocks():
    X = np.random.default_rng(0).normal(size=(600, 6))
    for detector in (LinearAutoencoder(2), LSTMAutoencoder(3, **ONE_EPOCH)):
        assert detector.fit(X[:70])._n_at_once(len(X)) == BLOCK


def test_scores_in_threads__are_those_of_one():
    X = np.random.default_rng(0).normal(size=(2 * MANY, 11))
    detector = MLPAutoencoder((7,), 2, **ONE_EPOCH).fit(X[:100])
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(detector.score_samples(X)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all((scores == detector.score_samples(X)).all() for scores in found)
