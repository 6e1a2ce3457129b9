"""Torch's optimizers without its compiler, which takes longer to import than a fit.

Torch wraps methods of its optimizers so that ``torch.compile`` leaves them alone; the
wrappers import the compiler (torch._dynamo, sympy) when they are first called, and take
time in every step. Here are the methods themselves, on which the arithmetic rests.
"""

import inspect

import torch


def _unwrapped(optimizer):
    """Methods of an optimizer below torch's wrappers: step, zero_grad, add_param_group.

    `step` has its wrapper's other task still, to turn gradients off.
    """
    step = torch.no_grad()(inspect.unwrap(optimizer.step))
    others = (optimizer.zero_grad, optimizer.add_param_group)
    return step, *map(inspect.unwrap, others)


class Adam(torch.optim.Adam):
    """Adam."""

    step, zero_grad, add_param_group = _unwrapped(torch.optim.Adam)


class AdamW(torch.optim.AdamW):
    """Adam with decoupled weight decay."""

    step, zero_grad, add_param_group = _unwrapped(torch.optim.AdamW)


class SGD(torch.optim.SGD):
    """Stochastic gradient descent."""

    step, zero_grad, add_param_group = _unwrapped(torch.optim.SGD)


class Adagrad(torch.optim.Adagrad):
    """Adagrad."""

    step, zero_grad, add_param_group = _unwrapped(torch.optim.Adagrad)


# Those that have a fused step: one call for all parameters, where the default loops
# over them in Python (28 % of a training step of a small dense net).
_WITHOUT_COMPILER = (Adam, AdamW, SGD, Adagrad)
_FUSED = tuple(optimizer.__name__ for optimizer in _WITHOUT_COMPILER)


def has_fused_step(optimizer) -> bool:
    """Whether a class of this name has a fused step."""
    return getattr(optimizer, "__name__", "") in _FUSED


def without_compiler(optimizer):
    """Find the class here for one of torch's; any other is returned as it is."""
    here = (own for own in _WITHOUT_COMPILER if own.__base__ is optimizer)
    return next(here, optimizer)
