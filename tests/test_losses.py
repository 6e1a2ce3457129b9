"""Losses: against their definitions, and finite gradients at the extremes."""

import math

import naive
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skad.training._losses import ReconstructionLoss, latent_kl, split_output
from skad.training._random import make_generator


def shapes(n_dims):
    return st.tuples(*[st.integers(1, 5)] * n_dims)


@st.composite
def windows_twice(draw):
    """Reconstruction and target, (B, T, C) each."""
    values = arrays(np.float64, draw(shapes(3)), elements=st.floats(-100, 100))
    first = draw(values)
    return first, draw(arrays(np.float64, first.shape, elements=st.floats(-100, 100)))


LATENTS = shapes(2).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-50, 50))
)

reductions = pytest.mark.parametrize("reduction", ["mean", "sum"])
priors = pytest.mark.parametrize("prior", ["uniform", "random"])


@reductions
@given(windows=windows_twice())
def test__loss__no_penalty__as_defined(reduction, windows):
    reconstruction, target = windows
    loss = ReconstructionLoss(reduction)
    expected = pytest.approx(naive.squared_loss(*windows, reduction), rel=1e-9)
    output = torch.from_numpy(reconstruction), torch.from_numpy(target)
    assert loss(*output).item() == expected
    assert loss((output[0], None), output[1]).item() == expected


@reductions
@given(latent=LATENTS, kl_weight=st.floats(0.01, 100))
def test__loss__uniform_prior__adds_the_weighted_divergence(
    reduction, latent, kl_weight
):
    target = torch.zeros(len(latent), 3, 2, dtype=torch.float64)
    reconstruction = torch.ones_like(target)
    loss = ReconstructionLoss(reduction, kl_weight, "uniform")
    expected = naive.squared_loss(
        reconstruction.numpy(), target.numpy(), reduction
    ) + kl_weight * naive.kl_from_uniform(latent)
    output = reconstruction, torch.from_numpy(latent)
    assert loss(output, target).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test__loss__random_prior__draws_anew_from_its_generator():
    latent = torch.linspace(-2, 2, 12, dtype=torch.float64).view(3, 4)
    target = torch.zeros(3, 5, 1, dtype=torch.float64)
    loss = ReconstructionLoss("mean", 0.5, "random", make_generator(0))
    generator = make_generator(0)
    values = []
    for _ in range(2):
        noise = torch.rand(3, 4, generator=generator).numpy()
        expected = 0.5 * naive.kl_from_noise(latent.tolist(), noise.tolist())
        values.append(loss((target, latent), target).item())
        assert values[-1] == pytest.approx(expected, rel=1e-6)
    assert values[0] != values[1]


def test__loss__no_weight__latent_and_generator_untouched():
    generator = make_generator(0)
    before = generator.get_state()
    latent = torch.full((2, 3), torch.nan, requires_grad=True)
    target = torch.zeros(2, 4, 1)
    loss = ReconstructionLoss("mean", 0.0, "random", generator)
    assert loss((target, latent), target) == 0
    assert torch.equal(generator.get_state(), before)


def test__split_output__tuple_or_tensor__always_two():
    reconstruction, latent = torch.zeros(2, 3, 1), torch.zeros(2, 2)
    assert split_output((reconstruction, latent)) == (reconstruction, latent)
    assert split_output(reconstruction) == (reconstruction, None)


@given(latent=LATENTS)
def test__kl_uniform__as_defined(latent):
    got = latent_kl(torch.from_numpy(latent), "uniform", None).item()
    assert got == pytest.approx(naive.kl_from_uniform(latent), rel=1e-9, abs=1e-9)
    assert got >= -1e-12


@given(latent=LATENTS, seed=st.integers(0, 1000))
def test__kl_random__as_defined(latent, seed):
    got = latent_kl(torch.from_numpy(latent), "random", make_generator(seed)).item()
    noise = torch.rand(latent.shape, generator=make_generator(seed)).tolist()
    expected = naive.kl_from_noise(latent, noise)
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-6)


@priors
def test__kl__shifted_latent__the_same(prior):
    latent = torch.linspace(-1, 1, 10, dtype=torch.float64).view(2, 5)
    values = [
        latent_kl(z, prior, make_generator(0)).item() for z in (latent, latent + 7.0)
    ]
    assert values[0] == pytest.approx(values[1])


@priors
def test__kl__batch__is_a_mean(prior):
    row = torch.linspace(-1, 1, 5, dtype=torch.float64)[None]
    small, large = (
        np.mean(
            [
                latent_kl(row.expand(n, -1), prior, make_generator(seed)).item()
                for seed in range(600 // n)
            ]
        )
        for n in (2, 6)
    )
    assert small == pytest.approx(large, rel=0.05)


def test__kl_uniform__equal_latent__zero_and_flat():
    latent = torch.full((3, 4), 1.5, dtype=torch.float64, requires_grad=True)
    loss = latent_kl(latent, "uniform", None)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert latent.grad.abs().max() < 1e-12


@pytest.mark.parametrize("n_units", [1, 2, 8, 32])
def test__kl_random__expected_gradient__half_d_times_that_of_uniform(n_units):
    n_draws = 40_000
    row = torch.linspace(-1.5, 1.5, n_units, dtype=torch.float64)
    gradients = {}
    for prior in ("uniform", "random"):
        latent = row.expand(n_draws, -1).clone().requires_grad_()
        latent_kl(latent, prior, make_generator(0)).backward()
        gradients[prior] = latent.grad * n_draws  # of every row by itself
    expected = n_units / 2 * gradients["uniform"][0]
    error = gradients["random"].std(dim=0) / math.sqrt(n_draws)
    assert ((gradients["random"].mean(dim=0) - expected).abs() <= 5 * error).all()
    if n_units > 1:  # so that the bound above says something
        assert expected.abs().max() > 50 * error.max()


@pytest.mark.parametrize(
    "row",
    [
        [1e4, -1e4, 0.0],
        [1e30, -1e30, 0.0],
        [-1e30, -1e30, -1e30],
        [1e-30, -1e-30, 0.0],
        [3e38, 3e38, 3e38],
        [200.0, 0.0, 0.0],
    ],
    ids=str,
)
@priors
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test__kl__extreme_latent__loss_and_gradient_finite(row, prior, dtype):
    latent = torch.tensor([row, row[::-1]], dtype=dtype, requires_grad=True)
    target = torch.zeros(2, 3, 1, dtype=dtype)
    criterion = ReconstructionLoss("mean", 1.0, prior, make_generator(0))
    loss = criterion((target, latent), target)
    loss.backward()
    assert loss.isfinite()
    assert latent.grad.isfinite().all()
    assert latent.grad.abs().max() <= 3  # noise sums to D at most


@priors
def test__kl__follows_its_gradient__to_equal_shares(prior):
    latent = torch.tensor([[30.0, -30.0, 5.0, 0.0]], requires_grad=True)
    generator = make_generator(0)
    optimizer = torch.optim.Adam([latent], lr=0.5)
    for _ in range(300):
        optimizer.zero_grad()
        latent_kl(latent, prior, generator).backward()
        optimizer.step()
    shares = latent.detach().softmax(1)
    assert shares.min() > (0.2 if prior == "uniform" else 0.05)
    assert naive.kl_from_uniform(latent.tolist()) < (
        1e-3 if prior == "uniform" else 0.5
    )
