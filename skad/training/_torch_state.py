"""Torch's global state inside fit: one thread and gradients, restored afterwards."""

import os
import threading
from contextlib import contextmanager

import torch

from skad.training._private import count_dispatch_modes, leave_modes

_lock = threading.Lock()
_inside: set[object] = set()
_threads_outside = 1


@contextmanager
def training_state():
    """Run torch on one thread (training on two is slower), and with gradients.

    The number of threads is global to the process, so concurrent fits sign in and out,
    and each restores the number from before the first. Gradients are a setting of each
    thread. Torch turns them off and on in every step, and a Ctrl-C there would leave
    them off for good; one while `torch_generator` is entered or left would leave its
    generator to all later draws of the thread.
    """
    global _threads_outside
    fit = object()
    n_modes = count_dispatch_modes()
    try:
        with _lock:
            if not _inside:
                _threads_outside = torch.get_num_threads()
            _inside.add(fit)
            torch.set_num_threads(1)
        with torch.inference_mode(False):  # restores both modes, unlike enable_grad
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
            torch.set_num_threads(_threads_outside)
            _inside.discard(fit)


def _begin_in_forked_child():
    """Let torch work there: it would wait forever for threads that a fork lacks."""
    global _lock
    _lock = threading.Lock()
    _inside.clear()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_forked_child)
