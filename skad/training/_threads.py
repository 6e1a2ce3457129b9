"""One torch thread inside fit, set and restored."""

import threading
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_depth = 0
_threads_outside = 1


@contextmanager
def one_thread():
    """Run torch on one thread; training these small nets on two is slower.

    The setting is global to the process, so that concurrent fits count themselves in
    and out, and every one of them leaves the number that stood before the first.
    """
    global _depth, _threads_outside
    with _lock:
        if _depth == 0:
            _threads_outside = torch.get_num_threads()
        _depth += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            torch.set_num_threads(_threads_outside)
