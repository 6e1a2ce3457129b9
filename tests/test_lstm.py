"""The LSTM's decoders against the cell-by-cell loop, and training in parts."""

import naive_nets
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skad.detectors._lstm import LSTMCodeModule, LSTMModule, lstm_with_linear_path
from skad.detectors._lstm_feedback import feed_back
from skad.training._net import ReconstructionNet
from skad.training._random import make_generator, torch_generator

# Every way to feed back: what, through which activation, and whether with a teacher.
MODES = [
    ("output", "identity", False),
    ("logit", "sigmoid", False),
    ("output", "identity", True),
    ("output", "sigmoid", True),
    *(("output", name, False) for name in ("sigmoid", "tanh", "leaky_relu", "gelu")),
    ("output", "softmax", False),
]


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


def assert_equal_gradients(module, fast, slow, X, tolerance):
    parameters = list(module.parameters())
    fast_gradients = gradients(fast, X, parameters)
    slow_gradients = gradients(slow, X, parameters)
    scale = max(float(g.abs().max()) for g in slow_gradients)
    for got, expected in zip(fast_gradients, slow_gradients, strict=True):
        assert float((got - expected).abs().max()) <= tolerance * scale


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
    mode=st.sampled_from(MODES),
)
@settings(max_examples=80, deadline=None)
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
    loop = {"feedback": feedback, "starts_from_state": starts_from_state}
    slow, slow_code = naive_nets.lstm_autoencoder(
        module, X, reverse=reverse, teacher=teacher, **loop
    )
    assert relative_difference(fast, slow) <= tolerance
    assert relative_difference(code, slow_code) <= tolerance
    assert_equal_gradients(module, fast, slow, X, tolerance)
    with torch.no_grad():
        got = module.eval()(X)[0]
    expected, _ = naive_nets.lstm_autoencoder(module, X, reverse=reverse, **loop)
    assert relative_difference(got, expected) <= tolerance


@given(
    n_windows=st.integers(1, 5),
    n_timesteps=st.integers(1, 12),
    n_channels=st.integers(1, 3),
    latent_dim=st.integers(1, 6),
    reverse=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_code_module__equals_the_loop(
    n_windows, n_timesteps, n_channels, latent_dim, reverse
):
    with torch_generator(torch.Generator().manual_seed(0)):
        module = LSTMCodeModule(n_timesteps, n_channels, 5, latent_dim, reverse)
        X = torch.rand(n_windows, n_timesteps, n_channels, dtype=torch.float64)
    module.double()
    fast, code = module(X)
    slow, slow_code = naive_nets.lstm_autoencoder(
        module, X, feedback="output", reverse=reverse
    )
    assert code.shape == (n_windows, latent_dim)
    assert relative_difference(fast, slow) <= 1e-12
    assert relative_difference(code, slow_code) <= 1e-12
    assert_equal_gradients(module, fast, slow, X, 1e-12)


def test_linear_path__has_the_branch_trained_in_parts():
    params = {"latent_dim": 2, "hidden_dim": 64, "reverse": True}
    with torch_generator(torch.Generator()):
        module = lstm_with_linear_path(187, 1, **params)
        assert module.micro_batch == LSTMModule(187, 1, 64).micro_batch == 43


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)]
)
@pytest.mark.parametrize("shape", [(64, 187, 1, 20), (65, 40, 7, 33)])
def test_sigmoid_feedback__equals_the_loop_at_full_size(shape, dtype, tolerance):
    n_windows, *sizes = shape
    options = {"output_activation": "sigmoid"}
    module = make_module(*sizes, dtype, **options)
    X = torch.rand(n_windows, *sizes[:2], dtype=dtype, generator=make_generator(1))
    fast = module(X)[0]
    slow, _ = naive_nets.lstm_autoencoder(module, X, feedback="output")
    assert relative_difference(fast, slow) <= tolerance
    assert_equal_gradients(module, fast, slow, X, tolerance)


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.Tanh(), nn.SiLU()])
@pytest.mark.parametrize(("n_steps", "n_channels"), [(1, 1), (4, 3)])
def test_feed_back__passes_gradcheck(n_steps, n_channels, activation):
    module = make_module(n_steps, n_channels, 3, torch.float64)
    n_windows, generator = 2, make_generator(0)
    first, *state = (
        torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in [(n_windows, 1, n_channels), *2 * [(1, n_windows, 3)]]
    )

    def outputs(first, hidden, cell, *weights):
        layers = (module.decoder, module.output_layer, activation)
        return feed_back(*layers, first, (hidden, cell), n_steps)

    weights = (*module.decoder.parameters(), *module.output_layer.parameters())
    assert torch.autograd.gradcheck(outputs, (first, *state, *weights))


def test_feed_back__has_a_gradient_twice_but_no_second_derivative():
    module = make_module(5, 2, 3, torch.float64, output_activation="sigmoid")
    X = torch.rand(4, 5, 2, dtype=torch.float64, generator=make_generator(0))
    loss = module(X)[0].square().sum()
    weight = module.decoder.weight_hh_l0
    once = torch.autograd.grad(loss, weight, retain_graph=True)[0]
    again = torch.autograd.grad(loss, weight, create_graph=True)[0]
    torch.testing.assert_close(again, once, rtol=0, atol=0)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        again.sum().backward()


@pytest.mark.parametrize("activation", ["identity", "sigmoid", "elu", "softmax"])
@pytest.mark.parametrize("starts_from_state", [False, True])
@pytest.mark.parametrize("hidden", [1, 2, 3, 7, 17, 33, 50, 65])
@pytest.mark.parametrize("n_channels", [1, 2, 3, 5, 10])
def test_reconstruction__is_the_same_at_any_place_of_a_block(
    n_channels, hidden, starts_from_state, activation
):
    options = {"output_activation": activation, "starts_from_state": starts_from_state}
    module = make_module(4, n_channels, hidden, torch.float32, **options).eval()
    X = torch.rand(64, 4, n_channels, generator=make_generator(0))
    with torch.inference_mode():
        expected = module(X)[0]
        for shift in (1, 7, 32):
            got = module(X.roll(shift, dims=0))[0].roll(-shift, dims=0)
            assert torch.equal(got, expected)


def test_teacher__is_for_training_only():
    module = make_module(6, 2, 3, torch.float64, teacher_forcing=True).eval()
    X = torch.rand(4, 6, 2, dtype=torch.float64, generator=torch.Generator())
    expected, _ = naive_nets.lstm_autoencoder(module, X, feedback="output")
    assert relative_difference(module(X)[0], expected) <= 1e-12


def test_parameters__stand_in_data_flow_order():
    module = make_module(6, 2, 3, torch.float32)
    names = [name.split(".")[0] for name, _ in module.named_parameters()]
    assert names == ["encoder"] * 4 + ["decoder"] * 4 + ["output_layer"] * 2


class InParts(LSTMModule):
    micro_batch = 3


class DenseInParts(nn.Module):
    """A user's module without a code."""

    micro_batch = 4

    def __init__(self, window_length, n_channels):
        super().__init__()
        self.layer = nn.Linear(window_length * n_channels, window_length * n_channels)

    def forward(self, X):
        return self.layer(X.flatten(1)).view_as(X)


def make_net(module, **options):
    if issubclass(module, LSTMModule):
        options |= {
            "module__latent_dim": 3,
            "module__teacher_forcing": False,
            "module__reverse": True,
            "module__feedback": "output",
            "module__output_activation": "sigmoid",
        }
    net = ReconstructionNet(
        module,
        generator=make_generator(0),
        module__window_length=4,
        module__n_channels=2,
        **options,
    ).initialize()
    net.module_.double()
    return net


def train_step(net, X):
    """Loss, outputs and gradients of one step."""
    step = net.train_step_single((X, X))
    outputs = step["y_pred"] if isinstance(step["y_pred"], tuple) else [step["y_pred"]]
    gradients = [parameter.grad for parameter in net.module_.parameters()]
    return [step["loss"], *outputs, *gradients]


@pytest.mark.parametrize(
    ("module", "kl"),
    [(InParts, None), (InParts, "uniform"), (InParts, "random"), (DenseInParts, None)],
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("n_windows", [1, 3, 8, 9, 10])
def test_train_step__is_the_same_in_parts(
    n_windows, reduction, module, kl, monkeypatch
):
    options = {"criterion__reduction": reduction, "input_noise": 0.1}
    if kl:
        options |= {"criterion__kl_weight": 0.7, "criterion__kl_prior": kl}
    X = torch.rand(n_windows, 4, 2, dtype=torch.float64, generator=make_generator(1))
    in_parts = make_net(module, **options)
    parts = train_step(in_parts, X)
    monkeypatch.setattr(module, "micro_batch", None)
    at_once = make_net(module, **options)
    for got, expected in zip(parts, train_step(at_once, X), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-14)
    states = [net.generator.get_state() for net in (in_parts, at_once)]
    assert torch.equal(*states)


def test_train_step__runs_no_more_than_micro_batch():
    net, sizes = make_net(InParts), []
    net.module_.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    net.train_step_single(2 * (torch.zeros(10, 4, 2, dtype=torch.float64),))
    assert sizes == [3, 3, 3, 1]


def test_micro_batch__of_nothing__is_refused(monkeypatch):
    monkeypatch.setattr(DenseInParts, "micro_batch", 0)
    with pytest.raises(ValueError, match="micro_batch=0 of DenseInParts"):
        make_net(DenseInParts).train_step_single(2 * (torch.zeros(4, 4, 2).double(),))


def test_micro_batch__shrinks_with_what_an_lstm_keeps():
    sizes = [(187, 20), (187, 64), (100, 64), (10**6, 64)]
    modules = [make_module(length, 1, n, torch.float32) for length, n in sizes]
    assert [module.micro_batch for module in modules] == [87, 43, 81, 1]
    assert modules[0].to("meta").micro_batch is None
