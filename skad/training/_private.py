"""The only uses of private names of torch and skorch."""

from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _get_current_dispatch_mode_stack,
    _pop_mode,
)

__all__ = ["TorchDispatchMode", "count_dispatch_modes", "initialize", "leave_modes"]


def count_dispatch_modes() -> int:
    """Count the dispatch modes that this thread is in."""
    return len(_get_current_dispatch_mode_stack())


def leave_modes(n_kept: int) -> None:
    """Leave the innermost dispatch modes, until `n_kept` are left."""
    while count_dispatch_modes() > n_kept:
        _pop_mode()


def initialize(net) -> None:
    """Initialize a skorch net for scoring: without optimizer and callbacks."""
    net._initialize_virtual_params()
    net._initialize_module()
    net._initialize_criterion()
    net._initialize_history()
    net.callbacks_ = []
    net.initialized_ = True
