"""The LSTM's decoders against the cell-by-cell loop."""

import naive_nets
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skad.detectors._lstm import LSTMModule
from skad.training._random import torch_generator


def make_module(n_timesteps, n_channels, hidden, dtype, **options):
    options = {
        "teacher_forcing": False,
        "reverse": True,
        "feedback": "output",
        "output_activation": "identity",
    } | options
    with torch_generator(torch.Generator().manual_seed(0)):
        return LSTMModule(n_timesteps, n_channels, hidden, **options).to(dtype)


def gradients(output, X, parameters):
    loss = (output - X).square().sum()
    return torch.autograd.grad(loss, parameters, materialize_grads=True)


def relative_difference(got, expected):
    got, expected = got.detach(), expected.detach()
    return float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-30))


@given(
    n_windows=st.integers(1, 5),
    n_timesteps=st.integers(1, 12),
    n_channels=st.integers(1, 3),
    hidden=st.integers(1, 6),
    reverse=st.booleans(),
    starts_from_state=st.booleans(),
    mode=st.sampled_from(
        [
            ("output", "identity", False),
            ("output", "sigmoid", False),
            ("logit", "sigmoid", False),
            ("output", "identity", True),
            ("output", "sigmoid", True),
        ]
    ),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)]
)
def test_decoder__equals_the_loop(
    dtype,
    tolerance,
    n_windows,
    n_timesteps,
    n_channels,
    hidden,
    reverse,
    starts_from_state,
    mode,
):
    feedback, activation, teacher = mode
    module = make_module(
        n_timesteps,
        n_channels,
        hidden,
        dtype,
        teacher_forcing=teacher,
        reverse=reverse,
        feedback=feedback,
        output_activation=activation,
        starts_from_state=starts_from_state,
    )
    generator = torch.Generator().manual_seed(1)
    X = torch.rand(n_windows, n_timesteps, n_channels, dtype=dtype, generator=generator)
    module.train()
    fast, code = module(X)
    slow, slow_code = naive_nets.lstm_autoencoder(
        module,
        X,
        feedback=feedback,
        reverse=reverse,
        teacher=teacher,
        starts_from_state=starts_from_state,
    )
    assert relative_difference(fast, slow) <= tolerance
    assert relative_difference(code, slow_code) <= tolerance
    parameters = list(module.parameters())
    fast_gradients = gradients(fast, X, parameters)
    slow_gradients = gradients(slow, X, parameters)
    scale = max(float(g.abs().max()) for g in slow_gradients)
    for got, expected in zip(fast_gradients, slow_gradients, strict=True):
        assert float((got - expected).abs().max()) <= tolerance * scale


def test_teacher__is_for_training_only():
    module = make_module(6, 2, 3, torch.float64, teacher_forcing=True).eval()
    X = torch.rand(4, 6, 2, dtype=torch.float64, generator=torch.Generator())
    expected, _ = naive_nets.lstm_autoencoder(module, X, feedback="output")
    assert relative_difference(module(X)[0], expected) <= 1e-12


def test_parameters__stand_in_data_flow_order():
    module = make_module(6, 2, 3, torch.float32)
    names = [name.split(".")[0] for name, _ in module.named_parameters()]
    assert names == ["encoder"] * 4 + ["decoder"] * 4 + ["output_layer"] * 2
