"""Objects to JSON and arrays. Each tag is read by its namesake in `_read`."""

import copyreg
import math
from datetime import timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skad.persistence._dtypes import describe_dtype, read_dtype
from skad.persistence._names import NET, name_of, name_of_distribution
from skad.training._seconds import unwrap_seconds

# State that is not saved: scikit-learn's callbacks belong to a run, and the versions
# are in the header of the file.
_LEFT_OUT = ("_skl_callbacks", "_sklearn_version", "_skad_versions")
_KINDS_OF_FUNCTIONS = (
    *("function", "builtin_function_or_method", "ufunc"),
    "_ArrayFunctionDispatcher",  # other functions of numpy
)


class Encoder:
    """Turns objects into what JSON can hold, and collects their arrays.

    None, bool, int, str, list and finite floats stand for themselves; all else is
    ``{tag: content}``.

    `buffers` holds the bytes of the arrays, and `arrays` how to read them: a list
    [dtype, shape, order] for each.
    """

    def __init__(self) -> None:
        self.buffers: list[memoryview] = []
        self.arrays: list[list] = []
        # id -> number and value; a value that is kept alive keeps its id
        self._arrays_seen: dict[int, tuple[int, Any]] = {}
        self._objects_seen: dict[int, tuple[int, Any]] = {}

    def encode(self, value: Any) -> Any:
        """Encode a value with all that is in it."""
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            return [self.encode(item) for item in value]
        if kind in _ENCODERS:
            return _ENCODERS[kind](self, value)
        if isinstance(value, np.generic):
            return {"scalar": self._add_array(np.asarray(value))}
        if isinstance(value, type) or kind.__name__ in _KINDS_OF_FUNCTIONS:
            return {"name": name_of(value)}
        if isinstance(value, np.dtype):
            return {"dtype": describe_dtype(value)}
        if (kind.__module__, kind.__name__) == ("torch", "device"):
            return {"device": str(value)}
        if name := name_of_distribution(value):
            return {"distribution": [name, *map(self.encode, (value.args, value.kwds))]}
        return self._encode_object(value)

    def views(self) -> list[np.ndarray]:
        """View the arrays in their buffers, as a reader of the file will."""
        return [
            np.ndarray(shape, read_dtype(dtype), buffer, order=order)
            for (dtype, shape, order), buffer in zip(
                self.arrays, self.buffers, strict=True
            )
        ]

    def _encode_object(self, value):
        if id(value) in self._objects_seen:
            return {"same": self._objects_seen[id(value)][0]}
        self._objects_seen[id(value)] = len(self._objects_seen), value
        name = name_of(type(value))
        if isinstance(value, tuple):
            return {"namedtuple": [name, [self.encode(item) for item in value]]}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self._encode_pairs(_state_of_generator(value))}
        args, state = _arguments_and_state(value, name)
        # Arguments first, as the decoder reads them: it counts objects in that order.
        encoded = [] if args is None else [[self.encode(item) for item in args]]
        return {"object": [name, self._encode_state(name, state), *encoded]}

    def _encode_state(self, name, state):
        kept = {key: value for key, value in state.items() if key not in _LEFT_OUT}
        if name.startswith("sklearn.") and "memory" in kept:
            kept["memory"] = None  # a folder of pickles, on one machine
        if name == NET:  # loading changes their order
            kept["params"] = dict(sorted(kept["params"].items()))
            kept["history"] = [unwrap_seconds(row) for row in kept["history"]]
        return self._encode_pairs(kept)

    def _encode_pairs(self, mapping):
        return [[self.encode(key), self.encode(item)] for key, item in mapping.items()]

    def _encode_array(self, array):
        if array.dtype != object:
            return {"array": self._add_array(array)}
        values = [self.encode(item) for item in array.reshape(-1)]
        return {"objects": [list(array.shape), values]}

    def _add_array(self, array):
        """Add an array to the buffers, once; returns its number."""
        if id(array) not in self._arrays_seen:
            columns_first = array.flags.f_contiguous and not array.flags.c_contiguous
            order = "F" if columns_first else "C"
            described = [describe_dtype(array.dtype), list(array.shape), order]
            flat = np.ascontiguousarray(array.T if columns_first else array)
            if flat.dtype.names:
                flat = _without_gaps(flat)
            self._arrays_seen[id(array)] = len(self.arrays), array
            self.arrays.append(described)
            self.buffers.append(memoryview(flat.reshape(-1).view(np.uint8)))
        return self._arrays_seen[id(array)][0]

    def _encode_masked(self, array):
        parts = [np.asarray(array.data), np.ma.getmaskarray(array)]
        return {"masked": [self._encode_array(part) for part in parts]}

    def _encode_set(self, value):
        # The order of a set of texts differs from process to process.
        return {"set": sorted((self.encode(item) for item in value), key=repr)}

    def _encode_time(self, value):
        content = [int(value.asm8.astype(np.int64)), value.unit]
        if isinstance(value, pd.Timedelta):
            return {"timedelta": content}
        return {"timestamp": [*content, _describe_zone(value.tzinfo)]}


_ENCODERS = {
    tuple: lambda self, value: {"tuple": [self.encode(item) for item in value]},
    dict: lambda self, value: {"dict": self._encode_pairs(value)},
    set: Encoder._encode_set,
    Bunch: lambda self, value: {"bunch": self._encode_pairs(value)},
    range: lambda self, value: {"range": [value.start, value.stop, value.step]},
    timedelta: lambda self, value: {"duration": value // timedelta(microseconds=1)},
    slice: lambda self, value: {
        "slice": [self.encode(part) for part in (value.start, value.stop, value.step)]
    },
    np.ndarray: Encoder._encode_array,
    np.memmap: Encoder._encode_array,
    np.ma.MaskedArray: Encoder._encode_masked,
    pd.Timestamp: Encoder._encode_time,
    pd.Timedelta: Encoder._encode_time,
}


def _state_of_generator(random_state):
    """State of a RandomState, which must be a Mersenne Twister."""
    state = random_state.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise ValueError(
            f"A RandomState with bit generator {state['bit_generator']} cannot be "
            "saved; use np.random.RandomState(seed)."
        )
    return state


def _arguments_and_state(value, name):
    """Take constructor arguments (None for none) and state, as pickle would."""
    try:
        made_by, args, state, *items = (*value.__reduce_ex__(2), None)[:5]
    except TypeError as error:
        raise ValueError(f"Objects of type {name} cannot be saved: {error}.") from error
    is_plain = made_by is copyreg.__newobj__ and args == (type(value),)
    by_class = made_by is type(value)
    has_state = state is None or type(state) is dict
    if not (is_plain or by_class) or not has_state or any(i is not None for i in items):
        raise ValueError(
            f"Objects of type {name} cannot be saved: they keep their state elsewhere "
            "than in attributes. Use pickle or joblib."
        )
    return None if is_plain else args, state or {}


def _without_gaps(array):
    """Copy a structured array with zeros between its fields.

    Otherwise scraps of memory would reach the file.
    """
    copied = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        copied[name] = array[name]
    return copied


def _describe_zone(zone):
    """Seconds from UTC, or the name of a time zone; None for no zone."""
    if isinstance(zone, timezone):
        return zone.utcoffset(None).total_seconds()
    # before pandas 3.0 a zone given by name is one of pytz, with its name in `zone`
    key = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if zone is not None and key is None:
        raise ValueError(
            f"The time zone {zone!r} cannot be saved; use zoneinfo.ZoneInfo(name)."
        )
    return key
