"""Optimizers without torch's compiler: the same bits, and hooks as before."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from instances import FAST
from sklearn.base import clone

from skad import MLPAutoencoder
from skad.training import _optimizers
from skad.training._optimizers import without_compiler
from skad.training._random import torch_generator

FUSED = [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.Adagrad]


def training(optimizer, n_steps=6, **options):
    """Weights after some steps of a small net, and the optimizer."""
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.utils.skip_init(torch.nn.Linear, 7, 5)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=generator)
    groups = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.1}]
    built = optimizer(groups, lr=0.01, fused=True, **options)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(built, n_steps)
    for _ in range(n_steps):
        X = torch.randn(9, 7, generator=generator)

        def closure(X=X):
            built.zero_grad()
            loss = layer(X).square().mean()
            loss.backward()
            return loss

        built.step(closure)
        schedule.step()
    return torch.cat([layer.weight.flatten(), layer.bias]), built


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1, "maximize": True}])
@pytest.mark.parametrize("optimizer", FUSED)
def test_step__gives_the_bits_of_torchs_own(optimizer, options):
    ours, here = training(without_compiler(optimizer), **options)
    theirs, torchs = training(optimizer, **options)
    assert type(here) is not optimizer
    assert torch.equal(ours, theirs)
    for one, other in zip(here.state.values(), torchs.state.values(), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert here.state_dict()["param_groups"] == torchs.state_dict()["param_groups"]
    assert torch.is_grad_enabled()


def test_every_fused_optimizer__is_here():
    assert [without_compiler(own).__base__ for own in FUSED] == FUSED
    assert len(_optimizers._WITHOUT_COMPILER) == len(FUSED)


def test_optimizer_of_a_user__is_taken_as_it_is():
    class Own(torch.optim.Adam):
        pass

    for optimizer in (Own, torch.optim.NAdam, lambda *args: None):
        assert without_compiler(optimizer) is optimizer
    X = np.random.default_rng(0).normal(size=(30, 6))
    detector = MLPAutoencoder((3,), 1, **FAST, warm_start=True, refit=False)
    own = clone(detector).set_params(optimizer=Own).fit(X)
    assert type(own.net_.optimizer_) is Own
    loop = clone(detector).set_params(net_params={"optimizer__fused": False}).fit(X)
    assert type(loop.net_.optimizer_) is torch.optim.Adam
    assert type(detector.fit(X).net_.optimizer_) is _optimizers.Adam
    assert detector.net_.optimizer is torch.optim.Adam  # which a file names


def test_hooks_copies_and_pickles__work_as_with_torchs_own():
    _, built = training(without_compiler(torch.optim.Adam), n_steps=1)
    called = []
    built.register_step_pre_hook(lambda *args: called.append("before"))
    built.register_step_post_hook(lambda *args: called.append("after"))
    built.step()
    assert called == ["before", "after"]
    for copied in (copy.deepcopy(built), pickle.loads(pickle.dumps(built))):
        assert copied.state_dict()["param_groups"] == built.state_dict()["param_groups"]
        copied.step()
    assert repr(built).startswith("Adam (")


FIT = """
import sys
import numpy as np
from skad import ConvAutoencoder, LSTMAutoencoder, MLPAutoencoder
before = set(sys.modules)
X = np.random.default_rng(0).normal(size=(200, 20))
few = {"max_epochs": 2, "random_state": 0}
for detector in (
    MLPAutoencoder(**few),
    MLPAutoencoder(optimizer="adamw", weight_decay=0.1, max_grad_norm=1.0, **few),
    MLPAutoencoder(optimizer="sgd", input_noise=0.1, warm_start=True, **few),
    ConvAutoencoder(**few),
    LSTMAutoencoder(4, **few),
):
    detector.fit(X).predict(X)
print(*{"torch._dynamo", "sympy"} & set(sys.modules), len(set(sys.modules) - before))
"""


def test_fit__does_not_import_the_compiler():
    """It is most of the time of the first fit of a process."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIT],
        capture_output=True,
        text=True,
        check=True,
    )
    n_modules = int(run.stdout)  # and no names before it
    assert n_modules < 100


def test_compiled_module__draws_from_the_generator_all_the_same():
    def noisy(X):
        return torch.nn.functional.dropout(X, 0.5) + torch.randn_like(X)

    def drawn(function):
        with torch_generator(torch.Generator().manual_seed(0)):
            return function(torch.ones(3, 4))

    assert torch.equal(drawn(torch.compile(noisy, backend="eager")), drawn(noisy))
