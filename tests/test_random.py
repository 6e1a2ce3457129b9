"""torch_generator: every draw from ours, none from torch's global generator.

That no test here moves a global generator is seen by the fixture in conftest.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skad.training._random import make_generator, torch_generator

ONES = torch.ones(6, 5, 8)
SHARES = torch.full((6, 8), 0.5)

# What draws, each a function of nothing that returns a tensor.
MODULES = {
    "linear": lambda: nn.Linear(8, 4),
    "bilinear": lambda: nn.Bilinear(4, 4, 2),
    "conv": lambda: nn.Conv1d(3, 4, 5),
    "conv_transpose": lambda: nn.ConvTranspose1d(3, 4, 5),
    "lstm": lambda: nn.LSTM(8, 4, num_layers=2, bidirectional=True),
    "lstm_cell": lambda: nn.LSTMCell(8, 4),
    "gru": lambda: nn.GRU(8, 4),
    "embedding": lambda: nn.Embedding(9, 4),
    "attention": lambda: nn.MultiheadAttention(8, 2),
    "transformer": lambda: nn.TransformerEncoderLayer(8, 2, 16),
}
IN_PLACE = {
    name: lambda fill=fill: fill(torch.empty(6, 8))
    for name, fill in {
        "xavier_uniform": nn.init.xavier_uniform_,
        "xavier_normal": nn.init.xavier_normal_,
        "kaiming_uniform": nn.init.kaiming_uniform_,
        "kaiming_normal": nn.init.kaiming_normal_,
        "orthogonal": nn.init.orthogonal_,
        "sparse": lambda w: nn.init.sparse_(w, 0.5),
        "trunc_normal": nn.init.trunc_normal_,
        "normal_": lambda w: w.normal_(),
        "uniform_": lambda w: w.uniform_(),
        "exponential_": lambda w: w.exponential_(),
        "cauchy_": lambda w: w.cauchy_(),
        "log_normal_": lambda w: w.log_normal_(),
        "geometric_": lambda w: w.geometric_(0.5),
        "random_": lambda w: w.random_(0, 10**6),
        "bernoulli_": lambda w: w.bernoulli_(0.5),
    }.items()
}
DRAWS = {
    "rand": lambda: torch.rand(20),
    "rand_float64": lambda: torch.rand(20, dtype=torch.float64),
    "randn": lambda: torch.randn(20),
    "randint": lambda: torch.randint(10**6, (20,)),
    "randint_from": lambda: torch.randint(5, 10**6, (20,)),
    "randperm": lambda: torch.randperm(50),
    "rand_like": lambda: torch.rand_like(ONES),
    "randn_like": lambda: torch.randn_like(ONES),
    "randint_like": lambda: torch.randint_like(ONES, 10**6),
    "randint_like_from": lambda: torch.randint_like(ONES, 5, 10**6),
    "bernoulli": lambda: torch.bernoulli(SHARES),
    "bernoulli_p": lambda: torch.bernoulli(SHARES, 0.5),
    "multinomial": lambda: torch.multinomial(torch.ones(3, 100), 20),
    "normal": lambda: torch.normal(SHARES, SHARES),
    "normal_of_sizes": lambda: torch.normal(0.0, 1.0, (20,)),
    "poisson": lambda: torch.poisson(100 * SHARES),
    "binomial": lambda: torch.binomial(1000 * SHARES, SHARES),
    "gumbel_softmax": lambda: F.gumbel_softmax(SHARES),
    "distributions_normal": lambda: torch.distributions.Normal(0.0, 1.0).sample((20,)),
    "distributions_gamma": lambda: torch.distributions.Gamma(1.0, 1.0).sample((20,)),
    "distributions_dirichlet": lambda: torch.distributions.Dirichlet(SHARES).sample(),
    "rrelu": lambda: F.rrelu(-ONES, training=True),
    "F.dropout": lambda: F.dropout(ONES),
    "F.dropout_in_place": lambda: F.dropout(ONES.clone(), inplace=True),
    "F.alpha_dropout": lambda: F.alpha_dropout(ONES, training=True),
    "F.feature_alpha_dropout": lambda: F.feature_alpha_dropout(ONES, training=True),
    "nn.Dropout": lambda: nn.Dropout()(ONES),
    "nn.Dropout1d": lambda: nn.Dropout1d()(ONES),
    "nn.Dropout2d": lambda: nn.Dropout2d()(ONES[None]),
    "lstm_dropout": lambda: nn.LSTM(8, 4, num_layers=2, dropout=0.5)(ONES)[0],
    "gru_dropout": lambda: nn.GRU(8, 4, num_layers=2, dropout=0.5)(ONES)[0],
    "transformer_dropout": lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.5)(ONES),
    "attention_dropout": lambda: F.scaled_dot_product_attention(
        ONES, ONES, torch.arange(240.0).view_as(ONES), dropout_p=0.5
    ),
    "attention_layer_dropout": lambda: nn.MultiheadAttention(8, 2, 0.5)(
        ONES, ONES, ONES
    )[0],
    **IN_PLACE,
    **{
        f"{name}_initialisation": lambda make=make: nn.utils.parameters_to_vector(
            make().parameters()
        )
        for name, make in MODULES.items()
    },
}


def drawn(draw, seed):
    """Draw under a fresh generator, detached."""
    with torch_generator(make_generator(seed)):
        return draw().detach()


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test__torch_generator__draw__from_ours_alone(draw):
    first = drawn(draw, 0)
    torch.rand(3, generator=make_generator(5))  # of no concern
    assert torch.equal(drawn(draw, 0), first)
    assert not torch.equal(drawn(draw, 1), first)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test__torch_generator__draw__is_noticed_and_advances(draw):
    generator = make_generator(0)
    before = generator.get_state()
    with torch_generator(generator) as mode:
        assert mode.used is False
        first = draw()
        assert mode.used is True
        second = draw()
    assert not torch.equal(generator.get_state(), before)
    assert not torch.equal(first, second)


def test__torch_generator__nothing_drawn__not_used():
    generator = make_generator(0)
    before = generator.get_state()
    layer = drawn_module(lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.5))
    lstm = drawn_module(lambda: nn.LSTM(8, 4, num_layers=2, dropout=0.5))
    X = ONES.clone().requires_grad_()
    with torch_generator(generator) as mode:
        output = lstm.eval()(layer.eval()(X))[0]
        output = F.dropout(output, training=False) + nn.Dropout(0.0)(output)
        output.sum().backward()
        torch.zeros(3).fill_(2.0).softmax(0)
    assert mode.used is False
    assert torch.equal(generator.get_state(), before)
    assert X.grad.isfinite().all()


def drawn_module(make):
    with torch_generator(make_generator(0)):
        return make()


def test__torch_generator__same_draw__as_torch_with_that_generator():
    generator = make_generator(3)
    with torch_generator(make_generator(3)):
        assert torch.equal(torch.randn(7), torch.randn(7, generator=generator))
        weight = torch.empty(4, 5).uniform_(-1, 1)
    assert torch.equal(weight, torch.empty(4, 5).uniform_(-1, 1, generator=generator))


def test__torch_generator__generator_given__is_left_alone():
    ours, theirs = make_generator(0), make_generator(1)
    before = ours.get_state()
    expected = torch.rand(5, generator=make_generator(1))
    with torch_generator(ours):
        assert torch.equal(torch.rand(5, generator=theirs), expected)
        torch.empty(5).normal_(generator=theirs)
        torch.randperm(5, generator=theirs)
    assert torch.equal(ours.get_state(), before)


def test__torch_generator__nested__inner_draws():
    outer, inner = make_generator(0), make_generator(1)
    before = outer.get_state()
    with torch_generator(outer):
        with torch_generator(inner):
            draw = torch.rand(5)
            dropped = F.dropout(ONES)
        assert torch.equal(outer.get_state(), before)
        after = torch.rand(5)
    expected = make_generator(1)
    assert torch.equal(draw, torch.rand(5, generator=expected))
    assert torch.equal(after, torch.rand(5, generator=make_generator(0)))
    with torch_generator(expected):
        assert torch.equal(dropped, F.dropout(ONES))


def test__torch_generator__left_by_an_exception__is_over():
    generator = make_generator(0)
    with pytest.raises(IndexError), torch_generator(generator):
        torch.rand(3)[7]
    before = generator.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.rand(3)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test__torch_generator__dropout__keeps_its_share_and_gradient(p):
    X = torch.ones(100, 100, requires_grad=True)
    with torch_generator(make_generator(0)):
        output = F.dropout(X, p)
        output.sum().backward()
    output = output.detach()
    assert torch.equal(X.grad, output)  # the same mask both ways
    assert (output == 0).float().mean() == pytest.approx(p, abs=0.02)
    assert output.mean() == pytest.approx(0.0 if p == 1 else 1.0, abs=0.03)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test__torch_generator__fused_dropout__as_from_its_parts(p):
    """The operation behind dropout on CUDA, which takes no generator."""
    X = torch.full((100, 100), 2.0)
    with torch_generator(make_generator(0)) as mode:
        output, keep = torch.native_dropout(X, p, True)
        as_is, all_kept = torch.native_dropout(X, p, False)
    assert mode.used is (p > 0)
    assert keep.float().mean() == pytest.approx(1 - p, abs=0.02)
    expected = torch.zeros_like(X) if p == 1 else X * keep / (1 - p)
    torch.testing.assert_close(output, expected)
    assert torch.equal(as_is, X)
    assert all_kept.all()


def test__torch_generator__operation_without_a_generator__refused():
    # tensors without data: the refusal comes before anything is computed
    query = torch.empty(1, 1, 4, 8, device="meta")
    attention = torch.ops.aten._scaled_dot_product_efficient_attention
    with torch_generator(make_generator(0)) as mode:
        with pytest.raises(RuntimeError, match=r"dropout_p=0\.5.*nn\.Dropout"):
            attention(query, query, query, None, True, dropout_p=0.5)
        with pytest.raises(RuntimeError, match=r"dropout_p=0\.5"):
            attention(query, query, query, None, True, 0.5)
        attention(query, query, query, None, True)
    assert mode.used is False


def small_training(seed):
    """Weights of a small net with dropout after a few steps."""
    with torch_generator(make_generator(seed)):
        net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 8))
        rows = torch.randn(32, 8)
        optimizer = torch.optim.Adam(net.parameters())
        for _ in range(5):
            optimizer.zero_grad()
            F.mse_loss(net(rows + torch.randn_like(rows)), rows).backward()
            optimizer.step()
    return nn.utils.parameters_to_vector(net.parameters()).detach()


def test__torch_generator__eight_threads__equal_to_serial():
    serial = [small_training(seed) for seed in range(8)]
    barrier = threading.Barrier(8)

    def train(seed):
        barrier.wait()
        return [small_training(seed) for _ in range(3)]

    with ThreadPoolExecutor(8) as pool:
        threaded = list(pool.map(train, range(8)))
    for seed, runs in enumerate(threaded):
        assert all(torch.equal(run, serial[seed]) for run in runs)
    assert not torch.equal(serial[0], serial[1])


def test__torch_generator__another_thread__is_not_ours():
    generator = make_generator(0)
    before = generator.get_state()
    theirs = make_generator(1)
    with torch_generator(generator) as mode, ThreadPoolExecutor(1) as pool:
        draw = pool.submit(lambda: torch.rand(5, generator=theirs)).result()
    assert mode.used is False
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(draw, torch.rand(5, generator=make_generator(1)))


# make_generator


def test__make_generator__int__repeats():
    states = [make_generator(seed).get_state() for seed in (0, 0, np.int64(0), 1)]
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])
    assert not torch.equal(states[0], states[3])


@pytest.mark.parametrize("random_state", [None, np.random])
def test__make_generator__none__fresh_every_time(random_state):
    seeds = {make_generator(random_state).initial_seed() for _ in range(5)}
    assert len(seeds) == 5


def test__make_generator__random_state__is_advanced():
    random_state = np.random.RandomState(0)
    first, second = make_generator(random_state), make_generator(random_state)
    assert first.initial_seed() != second.initial_seed()
    assert first.initial_seed() == make_generator(0).initial_seed()
    again = np.random.RandomState(0)
    assert make_generator(again).initial_seed() == first.initial_seed()
    assert make_generator(again).initial_seed() == second.initial_seed()


@pytest.mark.parametrize("random_state", ["0", -1, 0.5, np.random.default_rng(0)])
def test__make_generator__no_seed__refused(random_state):
    with pytest.raises(ValueError, match=r"(?i)seed"):
        make_generator(random_state)
