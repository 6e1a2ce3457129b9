"""The only uses of private names of torch and skorch."""

from torch._C import DisableTorchFunction as without_function_modes
from torch.overrides import _len_torch_function_stack as count_function_modes
from torch.overrides import _pop_mode as leave_function_mode
from torch.utils._device import _device_constructors as tensor_makers
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _get_current_dispatch_mode_stack,
    _pop_mode,
)

__all__ = [
    "DispatchMode",
    "count_function_modes",
    "count_modes",
    "initialize",
    "leave_modes",
    "tensor_makers",
    "without_function_modes",
]


class DispatchMode(TorchDispatchMode):
    """A dispatch mode of torch's that does not import its compiler, to keep out of it.

    Torch imports that (torch._dynamo, sympy) at the first operation in a mode.
    """

    @classmethod
    def _should_skip_dynamo(cls):
        return False


def count_modes() -> tuple[int, int]:
    """Count the dispatch and function modes that this thread is in."""
    return len(_get_current_dispatch_mode_stack()), count_function_modes()


def leave_modes(n_kept: tuple[int, int]) -> None:
    """Leave the innermost modes, until as many as before are left."""
    while count_modes()[0] > n_kept[0]:
        _pop_mode()
    while count_modes()[1] > n_kept[1]:
        leave_function_mode()


def initialize(net) -> None:
    """Initialize a skorch net for scoring: without optimizer and callbacks."""
    net._initialize_virtual_params()
    net._initialize_module()
    net._initialize_criterion()
    net._initialize_history()
    net.callbacks_ = []
    net.initialized_ = True
