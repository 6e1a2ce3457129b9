"""Objects to JSON and arrays, and back, by the tables of names."""

import copyreg
import math
import re
from datetime import timedelta, timezone
from functools import cache
from inspect import signature
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import sklearn

import skad
from skad.persistence._names import ITSELF, OBJECT, Names, name_of

# Booleans, numbers, text, times and bytes; neither objects nor nested types.
_DTYPE = re.compile(r"[<>|][biufcSUVmM]\d+(\[\d*[a-zA-Z]+\])?")

# State that stays behind: scikit-learn's callbacks belong to a run, the versions stand
# once in a file.
_LEFT_OUT = ("_skl_callbacks", "_sklearn_version", "_skad_versions")


# Objects to JSON ----------------------------------------------------------------------


class Encoder:
    """Turns an object into what JSON can hold; its arrays are collected beside.

    None, bool, int, str, list and finite floats stand for themselves, all else is
    ``{tag: content}``.

    Attributes
    ----------
    buffers : list of memoryview
        The arrays' bytes.
    arrays : list of [dtype, shape, order]
        How to read them.
    """

    def __init__(self):
        self.buffers = []
        self.arrays = []
        self._arrays_seen = {}
        self._objects_seen = {}  # holds them, so that no id is given out twice

    def encode(self, value):
        """Encode one value with all that is in it."""
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
            return {"scalar": self._array(np.asarray(value))}
        if isinstance(value, type) or kind.__name__ in _KINDS_OF_FUNCTIONS:
            return {"name": name_of(value)}
        if isinstance(value, np.dtype):
            return {"dtype": _describe(value)}
        if (kind.__module__, kind.__name__) == ("torch", "device"):
            return {"device": str(value)}
        return self._object(value)

    def _object(self, value):
        if id(value) in self._objects_seen:
            return {"same": self._objects_seen[id(value)][0]}
        self._objects_seen[id(value)] = len(self._objects_seen), value
        name = name_of(type(value))
        if isinstance(value, tuple):
            return {"namedtuple": [name, [self.encode(item) for item in value]]}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self._pairs(_state_of_generator(value))}
        args, state = _take_apart(value, name)
        # Arguments first, as they are read: objects are numbered on the way.
        encoded = [] if args is None else [[self.encode(item) for item in args]]
        return {"object": [name, self._state(name, state), *encoded]}

    def _state(self, name, state):
        kept = {key: value for key, value in state.items() if key not in _LEFT_OUT}
        if _may_open_pickles(name, kept):
            kept["memory"] = None
        if name == "skad.ReconstructionNet":  # in another order once it was loaded
            kept["params"] = dict(sorted(kept["params"].items()))
        return self._pairs(kept)

    def _pairs(self, mapping):
        return [[self.encode(key), self.encode(item)] for key, item in mapping.items()]

    def _array(self, array):
        """Put an array among the buffers; returns its number."""
        if id(array) not in self._arrays_seen:
            columns_first = array.flags.f_contiguous and not array.flags.c_contiguous
            order = "F" if columns_first else "C"
            described = [_describe(array.dtype), list(array.shape), order]
            flat = np.ascontiguousarray(array.T if columns_first else array)
            if flat.dtype.names:
                flat = _without_gaps(flat)
            self._arrays_seen[id(array)] = len(self.arrays), array
            self.arrays.append(described)
            self.buffers.append(memoryview(flat.reshape(-1).view(np.uint8)))
        return self._arrays_seen[id(array)][0]

    def _encode_array(self, array):
        if array.dtype != object:
            return {"array": self._array(array)}
        values = [self.encode(item) for item in array.reshape(-1)]
        return {"objects": [list(array.shape), values]}

    def _encode_masked(self, array):
        parts = [np.asarray(array.data), np.ma.getmaskarray(array)]
        return {"masked": [self._encode_array(part) for part in parts]}

    def _encode_set(self, value):
        # Sets of text come in another order in every process.
        return {"set": sorted((self.encode(item) for item in value), key=repr)}

    def _encode_time(self, value):
        content = [int(value.asm8.astype(np.int64)), value.unit]
        if isinstance(value, pd.Timedelta):
            return {"timedelta": content}
        return {"timestamp": [*content, _describe_zone(value.tzinfo)]}


_KINDS_OF_FUNCTIONS = ("function", "builtin_function_or_method", "ufunc")
_ENCODERS = {
    tuple: lambda self, value: {"tuple": [self.encode(item) for item in value]},
    dict: lambda self, value: {"dict": self._pairs(value)},
    set: Encoder._encode_set,
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
    """State of a RandomState, which must be one of the usual kind."""
    state = random_state.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise ValueError(
            f"A RandomState on {state['bit_generator']} cannot be saved; use "
            "np.random.RandomState(seed)."
        )
    return state


def _take_apart(value, name):
    """Arguments (None for none) and state of an object, as pickle would have them."""
    try:
        made_by, args, state, *items = (*value.__reduce_ex__(2), None)[:5]
    except TypeError as error:
        raise ValueError(f"Objects of type {name} cannot be saved: {error}.") from error
    is_plain = made_by is copyreg.__newobj__ and args == (type(value),)
    by_class = made_by is type(value)
    has_state = state is None or type(state) is dict
    if not (is_plain or by_class) or not has_state or any(i is not None for i in items):
        raise ValueError(f"Objects of type {name} cannot be saved.")
    return None if is_plain else args, state or {}


def _may_open_pickles(name, state) -> bool:
    """Whether `memory` names a folder: a fit would open the pickles in it."""
    return name.startswith("sklearn.") and state.get("memory") is not None


def _without_gaps(array):
    """Copy a structured array; between its fields may stand anything, so make it zero.

    Otherwise scraps of memory would reach the file.
    """
    copied = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        copied[name] = array[name]
    return copied


def _describe(dtype):
    """Write a dtype down as numpy's own files do."""
    described = np.lib.format.dtype_to_descr(dtype) if dtype.names else dtype.str
    _check_dtype(described)
    return described


def _check_dtype(described):
    fields = described if isinstance(described, list) else [["", described]]
    if not all(
        len(field) == 2
        and all(isinstance(text, str) for text in field)
        and _DTYPE.fullmatch(field[1])
        for field in fields
    ):
        raise ValueError(f"Arrays of dtype {described} are not held by model files.")


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


# JSON to objects ----------------------------------------------------------------------


def used_names(encoded):
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
        elif tag not in _CONTENT_IS_NO_VALUE:
            yield from used_names(content)


class Decoder:
    """Builds the objects that an `Encoder` has written down.

    Parameters
    ----------
    arrays : list of ndarray
        See `read_arrays`.
    names : Names
        What may be looked up.
    """

    def __init__(self, arrays, names: Names):
        self._arrays = arrays
        self._names = names
        self._objects: list = []  # by their numbers, None while being built

    def decode(self, encoded):
        """Build one value with all that is in it."""
        if isinstance(encoded, list):
            return [self.decode(item) for item in encoded]
        if not isinstance(encoded, dict):
            return encoded
        tag, content = _tagged(encoded)
        return _DECODERS[tag](self, content)

    def _decode_object(self, content):
        name, state, *args = content
        number = len(self._objects)
        self._objects.append(None)
        cls = self._names.look_up(name)
        if args and not self._names.is_trusted(name):
            raise ValueError(f"{name} is not made from arguments.")
        made = cls(*self.decode(args[0])) if args else cls.__new__(cls)
        self._objects[number] = made
        self._set_state(made, name, self._decode_dict(state))
        return made

    def _set_state(self, made, name, state):
        if _may_open_pickles(name, state):
            raise ValueError(f"{name} names a folder of pickles, {state['memory']!r}.")
        if name == "skad.ReconstructionNet":
            _check_weights(state, self._names)
        if name.removeprefix("skad.") in skad.__all__:
            # Parameters that the class has been given since the file was written.
            defaults = _defaults(type(made))
            state = {k: v for k, v in defaults.items() if k not in state} | state
        if not hasattr(made, "__setstate__"):
            vars(made).update(state)
            return
        if type(made).__module__.startswith("sklearn."):
            # That of the file has been compared, once for all steps.
            state["_sklearn_version"] = sklearn.__version__
        made.__setstate__(state)

    def _decode_namedtuple(self, content):
        name, values = content
        number = len(self._objects)
        self._objects.append(None)
        cls = self._names.look_up(name)
        if not issubclass(cls, tuple):
            raise ValueError(f"{name} is no named tuple.")
        made = cls(*self.decode(values))
        self._objects[number] = made
        return made

    def _decode_same(self, number):
        made = self._objects[number]
        if made is None:
            raise ValueError("An object is made of itself.")
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
        if not 0 <= state["state"]["pos"] <= len(made.get_state()[1]):
            raise ValueError("A RandomState stands outside its numbers.")
        made.set_state(state)  # would believe any position
        self._objects.append(made)
        return made


@cache
def _defaults(cls):
    return {
        name: parameter.default
        for name, parameter in signature(cls).parameters.items()
        if parameter.default is not parameter.empty
    }


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
    "dtype": lambda self, described: _read_dtype(described),
    "name": lambda self, name: self._names.look_up(name),
    "object": Decoder._decode_object,
    "namedtuple": Decoder._decode_namedtuple,
    "same": Decoder._decode_same,
    "random_state": Decoder._decode_random_state,
    "device": _decode_device,
    "timestamp": _decode_timestamp,
    "timedelta": lambda self, content: pd.Timedelta(np.timedelta64(*content)),
}
_CONTENT_IS_NO_VALUE = ("float", "array", "scalar", "dtype", "device", "same")


def _tagged(encoded):
    """Tag and content of an encoded value."""
    if len(encoded) != 1 or not encoded.keys() <= _DECODERS.keys():
        raise ValueError(f"{list(encoded)[:6]} says nothing that is known here.")
    ((tag, content),) = encoded.items()
    return tag, content


def _text(name):
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no name.")
    return name


def read_arrays(described, view):
    """Copy arrays out of the bytes behind a header, all of them or none."""
    dtypes = [_read_dtype(dtype) for dtype, _, _ in described]
    sizes = [math.prod(shape) for _, shape, _ in described]
    lengths = [n * dtype.itemsize for n, dtype in zip(sizes, dtypes, strict=True)]
    if min(sizes, default=0) < 0 or sum(lengths) != len(view):
        raise ValueError("Arrays and their bytes do not fit.")
    arrays, start = [], 0
    for (_, shape, order), dtype, length in zip(
        described, dtypes, lengths, strict=True
    ):
        flat = np.frombuffer(view[start : start + length], dtype)
        arrays.append(flat.reshape(shape, order=order).copy(order="K"))
        start += length
    return arrays


def _read_dtype(described):
    _check_dtype(described)
    if isinstance(described, list):
        described = [tuple(field) for field in described]
    dtype = np.lib.format.descr_to_dtype(described)
    if not dtype.itemsize:
        raise ValueError(f"Arrays of dtype {described} hold nothing.")
    return dtype


def _check_weights(state, names):
    """Refuse a net whose weights do not fit its architecture, before it is built.

    On the device "meta" a layer of any size takes no memory. A module of the user's own
    may not know that device; it is trusted to build what it likes.
    """
    import torch

    params, weights = state["params"], state["weights"]
    module_name = name_of(params["module"])
    if names.is_trusted(module_name):
        return
    if not module_name.startswith("skad."):
        raise ValueError(f"{module_name} is no module of an autoencoder.")
    sizes = {
        key.removeprefix("module__"): value
        for key, value in params.items()
        if key.startswith("module__")
    }
    n_layers = max((len(v) for v in sizes.values() if isinstance(v, tuple)), default=0)
    if n_layers > len(weights):
        raise ValueError(f"{len(weights)} weights are not those of {n_layers} layers.")
    with torch.device("meta"):
        module = params["module"](**sizes)
    needed = {name: tuple(w.shape) for name, w in module.state_dict().items()}
    if needed != {name: weight.shape for name, weight in weights.items()}:
        raise ValueError(f"The weights do not fit {module_name} with {sizes}.")
