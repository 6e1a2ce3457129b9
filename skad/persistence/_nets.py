"""What a net in a file may be made of. Imports torch, so only nets ask for it."""

import inspect
from numbers import Integral, Real
from reprlib import repr as shown
from types import NoneType
from typing import Any

import numpy as np
import torch

from skad.persistence._names import CRITERION, MODULE, Names, name_of
from skad.persistence._types import is_pair, is_plain

_PARTS = ("module", "criterion", "optimizer", "iterator_train", "iterator_valid")
_CLASSES = (*_PARTS, "dataset")
_OPTIONS: dict[str, Any] = {
    "batch_size": Integral,
    "callbacks__print_log": NoneType,
    "compile": NoneType,
    "device": str,
    "input_noise": Real,
    "lr": Real,
    "max_epochs": Integral,
    "predict_nonlinearity": str | None,
    "random_module": bool | np.bool_,
    "settings": dict | None,
    "torch_load_kwargs": NoneType,
    "use_caching": str | bool,
    "verbose": Integral,
    "warm_start": bool,
}


def check_net(state: dict[str, Any]) -> None:
    """Check options, weights, random state and history of a net."""
    if state.keys() != {"params", "weights", "generator_state", "history"}:
        raise ValueError(f"a net has the attributes {sorted(state)}")
    params, weights, history = state["params"], state["weights"], state["history"]
    if not all(isinstance(value, dict) for value in (params, weights)):
        raise ValueError("params and weights of a net are dicts")
    _check_options(params)
    for name, weight in weights.items():
        if not isinstance(weight, np.ndarray) or weight.dtype.kind not in "fiub":
            raise ValueError(f"the weight {name!r} of a net is no array of numbers")
    if len({id(weight) for weight in weights.values()}) != len(weights):
        raise ValueError("two weights of a net are one array")
    if not isinstance(history, list) or not all(map(_is_epoch, history)):
        raise ValueError("the history of a net is a list of dicts")
    _check_generator(state["generator_state"])
    _check_weights(params, weights)


def _is_epoch(row):
    is_row = isinstance(row, dict) and all(isinstance(name, str) for name in row)
    return is_row and is_plain(row) and isinstance(row.get("dur", 0.0), Real)


def _check_options(params):
    for name, value in params.items():
        part, _, inside = str(name).partition("__")
        if name in _CLASSES:
            is_right = callable(value)
        elif name in _OPTIONS:
            is_right = (
                isinstance(value, _OPTIONS[name])
                or (name == "compile" and value is False)
                or (name == "input_noise" and is_pair(value))
            )
        else:
            is_own = part in ("module", "criterion", "optimizer")  # of a trusted class
            is_right = inside and part in _CLASSES and (is_own or is_plain(value))
        if not is_right:
            raise ValueError(f"a net has no option {name}={shown(value)}")
    if missing := {"device", *_PARTS} - params.keys():
        raise ValueError(f"a net lacks {sorted(missing)}")
    criterion = params["criterion"]
    if Names().look_up(name_of(criterion), CRITERION) is criterion:
        _call_fits(criterion, _options_of("criterion", params))


def _options_of(part, params):
    prefix = f"{part}__"
    return {k[len(prefix) :]: v for k, v in params.items() if k.startswith(prefix)}


def _call_fits(function, options):
    """Check the names of arguments as a call would."""
    try:
        inspect.signature(function).bind_partial(**options)
    except TypeError as error:
        raise ValueError(f"{function.__name__}: {error}") from error


def _check_generator(state):
    if not isinstance(state, np.ndarray) or state.dtype != np.uint8 or state.ndim != 1:
        raise ValueError("the state of a net's generator is no array of bytes")
    torch.Generator().set_state(torch.from_numpy(state.copy()))


def _check_weights(params, weights):
    """Refuse a net with weights that do not fit its architecture, before it is built.

    On the device "meta" a layer of any size takes no memory. A user's own module may
    not support that device; it is trusted to build what it likes.
    """
    module = params["module"]
    if Names().look_up(name_of(module), MODULE) is None:
        return
    sizes = _options_of("module", params)
    if not is_plain(sizes):
        raise ValueError("the sizes of a module are numbers and texts")
    n_layers = max((len(v) for v in sizes.values() if isinstance(v, tuple)), default=0)
    if n_layers > len(weights):
        raise ValueError(f"{n_layers} layers need more than {len(weights)} weights")
    with torch.device("meta"):
        needed = {n: _form(w) for n, w in module(**sizes).state_dict().items()}
    if needed != {name: _form(weight) for name, weight in weights.items()}:
        raise ValueError(f"the weights do not fit {name_of(module)} with {sizes}")


def _form(weight):
    """Shape and dtype of an array or tensor: a net takes no more than its file."""
    dtype = weight.dtype  # that of a net is float32, whatever torch's default is here
    dtype = "float32" if dtype is torch.get_default_dtype() else f"{dtype}"
    return tuple(weight.shape), dtype.removeprefix("torch.")
