"""JSON and arrays to objects, by the tables of names. The reverse of `_encode`."""

import itertools
import math
from collections.abc import Iterator
from datetime import timedelta, timezone
from functools import cache
from inspect import signature
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import sklearn
from numpy.typing import NDArray

from skad.persistence._dtypes import read_dtype
from skad.persistence._names import (
    ITSELF,
    NET,
    OBJECT,
    Names,
    is_estimator_of_skad,
    name_of,
    opens_pickles,
)


def used_names(encoded: Any) -> Iterator[tuple[str, str]]:
    """Yield (name, use) for each name in what an `Encoder` has made."""
    if isinstance(encoded, list):
        for item in encoded:
            yield from used_names(item)
    elif isinstance(encoded, dict):
        tag, content = _tagged(encoded)
        if tag == "name":
            yield _text(content), ITSELF
        elif tag in ("object", "namedtuple"):
            yield _text(content[0]), OBJECT
            yield from used_names(content[1:])
        elif tag not in _WITHOUT_VALUES:
            yield from used_names(content)


def read_arrays(described: list, view: memoryview) -> list[NDArray]:
    """Copy arrays out of the bytes that follow a header, all of them or none."""
    kinds = [(read_dtype(dtype), shape, order) for dtype, shape, order in described]
    sizes = [math.prod(shape) * dtype.itemsize for dtype, shape, _ in kinds]
    if min(sizes, default=0) < 0 or sum(sizes) != len(view):
        raise ValueError(
            f"The shapes of the arrays do not fit the {len(view)} bytes after the "
            "header."
        )
    starts = itertools.accumulate(sizes, initial=0)
    return [
        np.ndarray(shape, dtype, view, start, order=order).copy(order="K")
        for (dtype, shape, order), start in zip(kinds, starts, strict=False)
    ]


class Decoder:
    """Builds the objects that an `Encoder` has encoded.

    `arrays` are those of `read_arrays`; `names` says what may be looked up.
    """

    def __init__(self, arrays: list[NDArray], names: Names):
        self._arrays = arrays
        self._names = names
        self._objects: list = []  # by their numbers, None while being built

    def decode(self, encoded: Any) -> Any:
        """Build a value with all that is in it."""
        if isinstance(encoded, list):
            return [self.decode(item) for item in encoded]
        if not isinstance(encoded, dict):
            return encoded
        tag, content = _tagged(encoded)
        return _DECODERS[tag](self, content)

    def _reserve_number(self):
        self._objects.append(None)
        return len(self._objects) - 1

    def _decode_object(self, content):
        name, state, *args = content
        number = self._reserve_number()
        cls = self._names.look_up(name, OBJECT)
        if args and not self._names.is_trusted(name):
            raise ValueError(f"{name} takes no arguments in a file unless trusted.")
        made = cls(*self.decode(args[0])) if args else cls.__new__(cls)
        self._objects[number] = made
        self._set_state(made, name, self._decode_dict(state))
        return made

    def _set_state(self, made, name, state):
        if opens_pickles(name, state):
            raise ValueError(
                f"{name} has memory={state['memory']!r}, and would open the pickles in "
                "this folder."
            )
        if name == NET:
            _check_weights(state, self._names)
        if is_estimator_of_skad(name):
            # Parameters that the class has been given since the file was written.
            defaults = _defaults(type(made))
            state = {k: v for k, v in defaults.items() if k not in state} | state
        if not hasattr(made, "__setstate__"):
            vars(made).update(state)
            return
        if type(made).__module__.startswith("sklearn."):
            # `load` has compared the version in the header, once for all objects.
            state["_sklearn_version"] = sklearn.__version__
        made.__setstate__(state)

    def _decode_namedtuple(self, content):
        name, values = content
        number = self._reserve_number()
        cls = self._names.look_up(name, OBJECT)
        if not issubclass(cls, tuple):
            raise ValueError(f"{name} is not a named tuple.")
        made = cls(*self.decode(values))
        self._objects[number] = made
        return made

    def _decode_same(self, number):
        made = self._objects[number]
        if made is None:
            raise ValueError(f"Object {number} is needed to build itself.")
        return made

    def _decode_dict(self, pairs):
        return {self.decode(key): self.decode(value) for key, value in pairs}

    def _decode_objects(self, content):
        shape, values = content
        if math.prod(shape) != len(values):
            raise ValueError(f"{len(values)} values do not fill an array of {shape}.")
        flat = np.empty(len(values), dtype=object)
        for i, value in enumerate(values):
            flat[i] = self.decode(value)
        return flat.reshape(shape)

    def _decode_random_state(self, pairs):
        made = np.random.RandomState(np.random.MT19937())
        state = self._decode_dict(pairs)
        position, length = state["state"]["pos"], len(made.get_state()[1])
        if not 0 <= position <= length:  # set_state would believe any
            raise ValueError(
                f"A RandomState is at position {position} of its {length} numbers."
            )
        made.set_state(state)
        self._objects.append(made)
        return made


def _decode_device(self, text):
    import torch

    return torch.device(text)


def _decode_timestamp(self, content):
    number, unit, zone = content
    time = pd.Timestamp(np.datetime64(number, unit))
    if zone is None:
        return time
    known = ZoneInfo(zone) if isinstance(zone, str) else timezone(timedelta(0, zone))
    return time.tz_localize("UTC").tz_convert(known)


_DECODERS = {
    "float": lambda self, text: float(text),
    "tuple": lambda self, items: tuple(self.decode(items)),
    "set": lambda self, items: set(self.decode(items)),
    "slice": lambda self, parts: slice(*self.decode(parts)),
    "dict": Decoder._decode_dict,
    "array": lambda self, number: self._arrays[number],
    "scalar": lambda self, number: self._arrays[number][()],
    "objects": Decoder._decode_objects,
    "masked": lambda self, parts: np.ma.MaskedArray(*self.decode(parts)),
    "dtype": lambda self, described: read_dtype(described),
    "name": lambda self, name: self._names.look_up(name, ITSELF),
    "object": Decoder._decode_object,
    "namedtuple": Decoder._decode_namedtuple,
    "same": Decoder._decode_same,
    "random_state": Decoder._decode_random_state,
    "device": _decode_device,
    "timestamp": _decode_timestamp,
    "timedelta": lambda self, content: pd.Timedelta(np.timedelta64(*content)),
}
_WITHOUT_VALUES = ("float", "array", "scalar", "dtype", "device", "same")


def _tagged(encoded):
    """Tag and content of an encoded value."""
    if len(encoded) != 1 or not encoded.keys() <= _DECODERS.keys():
        raise ValueError(f"Expected one known tag, got {list(encoded)[:6]}.")
    ((tag, content),) = encoded.items()
    return tag, content


def _text(name):
    if not isinstance(name, str):
        raise ValueError(f"Expected a name, got {name!r}.")
    return name


@cache
def _defaults(cls):
    return {
        name: parameter.default
        for name, parameter in signature(cls).parameters.items()
        if parameter.default is not parameter.empty
    }


def _check_weights(state, names):
    """Refuse a net with weights that do not fit its architecture, before it is built.

    On the device "meta" a layer of any size takes no memory. A user's own module may
    not support that device; it is trusted to build what it likes.
    """
    import torch

    params, weights = state["params"], state["weights"]
    module_name = name_of(params["module"])
    if names.is_trusted(module_name):
        return
    if not module_name.startswith("skad."):
        raise ValueError(f"{module_name} is not a module of an autoencoder.")
    prefix = "module__"
    sizes = {k[len(prefix) :]: v for k, v in params.items() if k.startswith(prefix)}
    n_layers = max((len(v) for v in sizes.values() if isinstance(v, tuple)), default=0)
    if n_layers > len(weights):
        raise ValueError(f"{n_layers} layers need more than {len(weights)} weights.")
    with torch.device("meta"):
        module = params["module"](**sizes)
    needed = {name: tuple(w.shape) for name, w in module.state_dict().items()}
    if needed != {name: weight.shape for name, weight in weights.items()}:
        raise ValueError(f"The weights do not fit {module_name} with {sizes}.")
