"""Torch's settings around training and scoring: those of a new process.

Only what belongs to a thread is changed, and restored: other threads see none of it.
The exception is the number of threads in training.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch

from skad.training._factories import StandardFactories
from skad.training._private import (
    count_function_modes,
    count_modes,
    leave_modes,
    without_function_modes,
)

_AUTOCAST = ("cpu", "cuda", "mps")  # kinds of devices

_lock = threading.Lock()
_inside: dict[object, int] = {}  # fits, and their threads
_threads_outside = 1


def standard_torch(*, inference: bool = False) -> AbstractContextManager:
    """Enter float32, the CPU, no autocast, and gradients or inference mode."""
    # restores gradients as well, unlike enable_grad
    contexts: list = [torch.inference_mode(inference)]
    if torch.get_default_dtype() is not torch.float32:
        contexts.append(StandardFactories())  # microseconds an operation
    elif count_function_modes():  # a default device is one
        contexts.append(without_function_modes())
    for kind in _AUTOCAST:
        if torch.is_autocast_enabled(kind):
            contexts.append(torch.autocast(kind, enabled=False))
    return contexts[0] if len(contexts) == 1 else _enter(contexts)


@contextmanager
def _enter(contexts):
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        yield


@contextmanager
def training_state() -> Iterator[None]:
    """Run torch on one thread (training on two is slower), and in standard settings.

    The number of threads is global to the process, so concurrent fits sign in and out,
    and each restores the number from before the first, unless it is within another.
    Torch turns gradients off and on in every step, and a Ctrl-C there would leave them
    off for good; one while a mode is entered or left would leave it to all that the
    thread does later.
    """
    global _threads_outside
    fit = object()
    n_modes = count_modes()
    try:
        with _lock:
            if not _inside:
                _threads_outside = torch.get_num_threads()
            _inside[fit] = threading.get_ident()
            torch.set_num_threads(1)
        with standard_torch():
            yield
    finally:
        try:
            _leave(fit, n_modes)
        except KeyboardInterrupt:  # a Ctrl-C just here must not leave it half done
            _leave(fit, n_modes)
            raise


def _leave(fit, n_modes):
    leave_modes(n_modes)
    with _lock:
        if fit in _inside:
            around = {_inside[other] for other in _inside if other is not fit}
            is_within_another = threading.get_ident() in around
            torch.set_num_threads(1 if is_within_another else _threads_outside)
            del _inside[fit]


def _begin_in_forked_child():
    """Let torch work there: it would wait forever for threads that a fork lacks."""
    global _lock
    _lock = threading.Lock()
    _inside.clear()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_forked_child)
