"""Torch generators from random_state: no draw ever touches torch's global state."""

from functools import cache

import numpy as np
import torch

from skad._validation import check_random_state
from skad.training._private import DispatchMode


def make_generator(random_state) -> torch.Generator:
    """Seed a torch generator.

    None takes a fresh seed from the operating system (scikit-learn would take numpy's
    global generator, which skad never touches); an int repeats; a RandomState
    instance is advanced.
    """
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return torch.Generator().manual_seed(int(seed))


def draw_seed(generator: torch.Generator) -> int:
    """Draw a seed for another generator."""
    return int(torch.randint(2**31 - 1, (), generator=generator))


class torch_generator(DispatchMode):
    """Hand a generator to every random torch operation of this thread.

    Modules of others draw from torch's global generator (parameter initialisation,
    dropout, ``torch.randn_like``); inside this context they draw from ours. Dispatch
    modes are local to a thread, so fits in several threads do not disturb each other.

    The generator is on the CPU. Draws on another device come from a generator there,
    seeded from this one. `used` tells whether any random number has been drawn so far.
    """

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.used = False
        self._generators = {torch.device("cpu"): generator}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        if func is torch.ops.aten.native_dropout.default:
            return self._native_dropout(*args)
        seeded = _overload_with_generator(func)
        if seeded is None:
            _refuse_hidden_dropout(func, args, kwargs)
            return func(*args, **kwargs)
        if kwargs.get("generator") is None:
            kwargs["generator"] = self._generator_for(args, kwargs)
        self.used = True
        return seeded(*args, **kwargs)

    def _generator_for(self, args, kwargs) -> torch.Generator:
        tensors = (a.device for a in args if isinstance(a, torch.Tensor))
        device = torch.device(kwargs.get("device") or next(tensors, "cpu"))
        if device not in self._generators:
            seed = draw_seed(self._generators[torch.device("cpu")])
            self._generators[device] = torch.Generator(device).manual_seed(seed)
        return self._generators[device]

    def _native_dropout(self, x, p, train):
        """Fused dropout (CUDA) takes no generator: the same from its parts."""
        keep = torch.empty_like(x, dtype=torch.bool)
        if not train or p == 0:
            return x.clone(), keep.fill_(True)
        self.used = True
        keep.bernoulli_(1 - p, generator=self._generator_for((x,), {}))
        return x * keep * (0.0 if p == 1 else 1 / (1 - p)), keep


@cache
def _overload_with_generator(func):
    """Find the overload of `func` with the same arguments and a generator."""

    def names(overload):
        return [argument.name for argument in overload._schema.arguments]

    if "generator" in names(func):
        return func
    packet = func.overloadpacket
    for overload in (getattr(packet, name) for name in packet.overloads()):
        if sorted(names(overload)) == sorted([*names(func), "generator"]):
            return overload
    return None


def _refuse_hidden_dropout(func, args, kwargs):
    """Raise where a fused operation would draw from torch's global generator."""
    positional = zip(func._schema.arguments, args, strict=False)
    values = {argument.name: value for argument, value in positional} | kwargs
    if values.get("dropout_p", 0):
        raise RuntimeError(
            f"{func} draws its dropout (dropout_p={values['dropout_p']}) from torch's "
            "global random state, which skad does not touch; use torch.nn.Dropout "
            "instead."
        )
