"""New tensors as in a new process: float32 on the CPU, whatever defaults torch has.

The default dtype of torch belongs to all threads, so that it cannot be changed for a
while. Instead, functions that would ask for it are told float32.
"""

import sys
from contextlib import ExitStack

import torch
from torch.overrides import TorchFunctionMode

from skad.training._private import DispatchMode, tensor_makers

_TAKE_DATA = {torch.tensor, torch.as_tensor, torch.asarray}
_TAKE_NUMBERS = {torch.arange, torch.full}
_MAKE_INTEGERS = {
    *(torch.randint, torch.randperm, torch.tril_indices, torch.triu_indices),
}
_NAME_A_DTYPE = ("to", "type", "view", "double", "half", "bfloat16")
# These parts of torch ask for the default dtype, and pass it on by name.
_ASKING = ("torch.optim.", "torch.signal.", "torch.distributions.")


class StandardFactories(TorchFunctionMode):
    """Make new tensors of this thread on the CPU and, if no other is named, float32.

    For another default than float32.
    """

    def __init__(self):
        super().__init__()
        self.default = torch.get_default_dtype()
        self.depth = 0  # of the calls that are seen here
        self._stack = ExitStack()

    def __enter__(self):
        self._stack.enter_context(_LegacyConstructors(self))
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._stack.close()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller == "torch._ops":  # a dispatch mode hands on what it was asked for
            return func(*args, **kwargs)
        makes = func in tensor_makers()
        if makes and kwargs.get("device") is None:
            kwargs["device"] = "cpu"
        self._choose_dtype(func, makes, args, kwargs, caller)
        self.depth += 1
        try:
            result = func(*args, **kwargs)
            if not makes and self._is_promoted(func, args, kwargs, result):
                return func(*_as_floats(args), **_as_floats(kwargs))
            return result
        finally:
            self.depth -= 1

    def _choose_dtype(self, func, makes, args, kwargs, caller):
        """Set the dtype of a function that makes a tensor, where it is the default."""
        given = kwargs.get("dtype")
        if given is self.default and caller.startswith(_ASKING):
            kwargs["dtype"] = torch.float32
        if given is not None or func in _MAKE_INTEGERS:
            return
        values = [*args, *kwargs.values()]
        if func in _TAKE_DATA:
            data = args[0] if args else kwargs.get("data", kwargs.get("obj"))
            dtype = _dtype_of_data(data)
        elif func in _TAKE_NUMBERS:
            dtype = torch.float32 if any(map(_is_float, values)) else None
        elif makes or (func is torch.normal and not any(map(torch.is_tensor, values))):
            dtype = torch.float32
        else:
            dtype = None
        if dtype is not None:
            kwargs["dtype"] = dtype

    def _is_promoted(self, func, args, kwargs, result):
        """Whether integers have become numbers of the default dtype."""
        if not torch.is_tensor(result):
            return False
        values = [*args, *kwargs.values()]
        if func.__name__ in _NAME_A_DTYPE or any(
            isinstance(value, torch.dtype) for value in values
        ):
            return False
        tensors = [value for value in values if torch.is_tensor(value)]
        floats = [t for t in tensors if t.is_floating_point()]
        return result.dtype is self.default and bool(tensors) and not floats


class _LegacyConstructors(DispatchMode):
    """Make float32 of ``torch.Tensor(...)``, which no function mode sees."""

    def __init__(self, factories):
        super().__init__()
        self.factories = factories

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if self.factories.depth:
            return func(*args, **kwargs)
        default, aten = self.factories.default, torch.ops.aten
        if func is aten.empty.memory_format and kwargs.get("dtype") is default:
            kwargs["dtype"] = torch.float32
        made = func(*args, **kwargs)
        is_list = func is aten.lift_fresh.default and made.dtype is default
        return made.float() if is_list else made


def _dtype_of_data(data):
    """Choose the dtype of Python's numbers or of tensors; None leaves it to torch."""
    leaves = list(_leaves(data))
    if isinstance(data, list | tuple) and any(map(torch.is_tensor, leaves)):
        return getattr(leaves[0], "dtype", None)
    if any(hasattr(leaf, "dtype") for leaf in leaves):  # tensors and numpy's numbers
        return None
    return torch.float32 if not leaves or any(map(_is_float, leaves)) else None


def _leaves(data):
    if not isinstance(data, list | tuple):
        yield data
        return
    for item in data:
        yield from _leaves(item)


def _is_float(value):
    return isinstance(value, float)


def _as_floats(values):
    """Arguments with tensors of integers in float32."""
    if isinstance(values, dict):
        return dict(zip(values, _as_floats(values.values()), strict=True))
    return [value.float() if torch.is_tensor(value) else value for value in values]
