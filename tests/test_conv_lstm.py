"""The convolutional LSTM against loops, in float64 and as it is scored."""

import naive_nets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from skad import ConvLSTMAutoencoder
from skad.detectors._convlstm import ConvLSTMModule
from skad.training._random import make_generator, torch_generator


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)]
)
@given(
    n_windows=st.integers(1, 5),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 3)),
    hidden_channels=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    kernel_size=st.integers(1, 8),
    hidden_dim=st.integers(1, 6),
    latent_dim=st.integers(1, 4),
)
@settings(max_examples=60)
def test_module__equals_the_loops(
    dtype,
    tolerance,
    n_windows,
    shape,
    hidden_channels,
    kernel_size,
    hidden_dim,
    latent_dim,
):
    sizes = (hidden_channels, kernel_size, hidden_dim, latent_dim)
    with torch_generator(torch.Generator().manual_seed(0)):
        module = ConvLSTMModule(*shape, *sizes).to(dtype)
        X = torch.rand(n_windows, *shape, dtype=dtype)
    fast, code = module(X)
    slow, slow_code = naive_nets.conv_lstm_autoencoder(module, X)
    assert fast.shape == X.shape
    assert code.shape == (n_windows, latent_dim)
    parameters = list(module.parameters())
    for got, expected in [
        (fast, slow),
        (code, slow_code),
        *zip(
            torch.autograd.grad(F.mse_loss(fast, X), parameters),
            torch.autograd.grad(F.mse_loss(slow, X), parameters),
            strict=True,
        ),
    ]:
        scale = max(1.0, float(expected.detach().abs().max()))
        assert float((got - expected).detach().abs().max()) <= tolerance * scale


@pytest.mark.parametrize("hidden_dim", [1, 3, 17, 33, 64, 65])
@pytest.mark.parametrize(("length", "n_channels"), [(4, 1), (60, 3), (187, 1), (24, 8)])
def test_reconstruction__is_the_same_at_any_place_of_a_block(
    length, n_channels, hidden_dim
):
    with torch_generator(make_generator(0)):
        module = ConvLSTMModule(length, n_channels, (5, 7), 7, hidden_dim, 3).eval()
        X = torch.rand(64, length, n_channels)
    with torch.inference_mode():
        expected = module(X)[0]
        for shift in (1, 7, 32):
            got = module(X.roll(shift, dims=0))[0].roll(-shift, dims=0)
            assert torch.equal(got, expected)


def test_scores__are_those_of_float64(beats):
    X, _ = beats
    detector = ConvLSTMAutoencoder(
        hidden_dim=16, error_model="mse", max_epochs=2, random_state=0
    ).fit(X)
    path = detector.net_.module_
    scores = detector.score_samples(X)
    reconstruction = path.double()(torch.from_numpy(X)[:, :, None])[0].detach().numpy()
    exact = -np.square(X - reconstruction[:, :, 0]).mean(axis=1)
    np.testing.assert_allclose(scores, exact, rtol=1e-5)


@pytest.mark.parametrize("kernel_size", [1, 2, 7, 8])
@pytest.mark.parametrize("window_length", [1, 2, 3, 5])
def test_short_windows__are_learnt(window_length, kernel_size):
    X = np.random.default_rng(0).normal(size=(40, window_length, 2))
    detector = ConvLSTMAutoencoder(
        kernel_size=kernel_size, hidden_dim=3, latent_dim=1, max_epochs=1
    ).fit(X)
    assert detector.reconstruct(X).shape == X.shape


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden_channels": ()}, "at least one positive ints"),
        ({"hidden_channels": (4, 0)}, r"hidden_channels=\(4, 0\)"),
        ({"hidden_dim": 0}, "hidden_dim"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"linear_path": "none"}, "linear_path"),
    ],
)
def test_sizes_that_make_no_net__are_named(params, message):
    with pytest.raises(ValueError, match=message):
        ConvLSTMAutoencoder(**params).fit(np.zeros((20, 8)))
