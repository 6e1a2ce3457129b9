"""The grammar of a header: from what JSON holds to a plan of what is to be built.

Everything is checked here, so that a plan can be shown (`audit`) or carried out
(`_build`), and a wrong file gets the same error from both. Nothing is built but plain
values.
"""

import math
import re
from datetime import timedelta, timezone
from reprlib import repr as shown
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skad.persistence._dtypes import read_dtype
from skad.persistence._header import Budget, is_int, read_shape
from skad.persistence._names import (
    CRITERION,
    DATASET,
    DISTRIBUTION,
    IMPUTER_TAIL,
    ITERATOR,
    MODULE,
    OBJECT,
    OPTIMIZER,
    SPLITTER,
    VALUE,
    Names,
)
from skad.persistence._plans import DevicePlan, DistributionPlan, GeneratorPlan, Plan
from skad.persistence._types import (
    SET_LATER,
    check_object,
    check_random_state,
    check_set_later,
    check_tail,
    cost_of,
    is_number,
)

_MAX_DEPTH = 120
# Numbers can be chosen so that all fall into one place of a hash table, where each is
# compared with all before it; texts cannot, as Python salts their hashes. The second
# limit is for the comparisons in all dicts and sets of a file.
_MAX_NUMBERS_AS_KEYS = 10_000
_MAX_COMPARISONS = 2 * _MAX_NUMBERS_AS_KEYS**2
_MAX_KEY = 2**64
_DEVICE = re.compile(r"(cpu|cuda|mps|xpu|meta)(:\d{1,3})?")
_UNITS = ("s", "ms", "us", "ns")
_NAMED = ("name", "object", "namedtuple", "distribution")

# What a name may stand for depends on the parameter that it is the value of.
_USES = {
    "module": MODULE,
    "criterion": CRITERION,
    "iterator_train": ITERATOR,
    "iterator_valid": ITERATOR,
    "dataset": DATASET,
    "optimizer": OPTIMIZER,
    "cv": SPLITTER,
}


def used_names(node: Any) -> set[str]:
    """Collect all names in a header."""
    names: set[str] = set()
    todo = [node]
    while todo:
        node = todo.pop()
        if type(node) is list:
            todo.extend(item for item in node if type(item) in (list, tuple))
        elif type(node) is tuple:
            for tag, content in node:
                if tag == "name":
                    content = [content]
                if tag in _NAMED and type(content) is list:
                    names.update(n for n in content[:1] if type(n) is str)
                todo.append(content)
    return names


class Reader:
    """Reads values by the tag that each has."""

    def __init__(self, arrays: list[NDArray], names: Names, budget: Budget):
        self._arrays = arrays
        self._names = names
        self._budget = budget
        self._plans: list = []  # by their numbers; None while arguments are read
        self._depth = 0
        self._n_comparisons = 0
        self._set_later: set[str] = set()  # what is being read is to be a value of them

    def read(self, node: Any, key: str = "") -> Any:
        """Read a value; `key` is the parameter or entry that it belongs to."""
        if node is None or type(node) in (bool, int, float, str):
            return node
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError(f"it is nested more than {_MAX_DEPTH} deep")
        try:
            if type(node) is list:
                return self._items(node, key)
            tag, content = _tagged(node)
            return _READERS[tag](self, content, key)
        finally:
            self._depth -= 1

    def _items(self, content, key):
        if type(content) is not list:
            raise ValueError(f"expected a list, got {shown(content)}")
        for i, item in enumerate(content):  # in place: no list is needed twice
            content[i] = self.read(item, key)
        return content

    def _tuple(self, content, key):
        items = self._items(content, key)
        self._budget.spend(64 + 8 * len(items))
        return tuple(items)

    def _set(self, content, key):
        items = self._items(content, key)
        self._budget.spend(100 * len(items))
        for item in items:
            _check_key(item)
        self._check_collisions(items)
        return set(items)

    def _slice(self, content, key):
        self._budget.spend(100)
        return slice(*_of_length(self._items(content, key), 3))

    def _range(self, content, key):
        self._budget.spend(100)
        ends = _of_length(content, 3)
        if not all(is_int(end, -(2**62), 2**62) for end in ends):
            raise ValueError(f"{shown(content)} is no range")
        return range(*ends)

    def _bunch(self, pairs, key):
        """Read the one Bunch of a fitted estimator: elsewhere, its keys are methods."""
        self._budget.spend(64)
        made = dict(self._items(pair, "") for pair in _of_length(pairs, None))
        is_right = all(
            isinstance(name, str) and (value == "drop" or isinstance(value, Plan))
            for name, value in made.items()
        )
        if key != "named_estimators_" or not is_right:
            raise ValueError("a Bunch holds something else than named_estimators_")
        return Bunch(**made)

    def _distribution(self, content, key):
        name, args, options = _of_length(content, 3)
        self._budget.spend(60_000)  # scipy makes functions for each
        args, options = self.read(args), self.read(options)
        is_right = isinstance(args, tuple) and isinstance(options, dict)
        if not is_right or not all(map(is_number, (*args, *options.values()))):
            raise ValueError("a distribution of scipy is told numbers alone")
        made = self._look_up(name, DISTRIBUTION)(*args, **options)
        return DistributionPlan(name, made)

    def _pairs(self, pairs):
        """Yield key and node of each pair in the list of a dict."""
        for pair in _of_length(pairs, None):
            key, node = _of_length(pair, 2)
            self._budget.spend(100)
            yield self.read(key), node

    def _dict(self, pairs, key):
        self._budget.spend(64)
        keys, values = [], []
        for name, node in self._pairs(pairs):
            _check_key(name)
            keys.append(name)
            values.append(self._named(name, node))
        self._check_collisions(keys)
        made = dict(zip(keys, values, strict=True))
        if len(made) != len(pairs):
            raise ValueError("a dict has a key twice")
        return made

    def _named(self, name, node):
        """Read what a parameter has been set to, or will be by a search."""
        last = str(name).rpartition("__")[2] if isinstance(name, str) else ""
        if last not in SET_LATER or last in self._set_later:
            return self.read(node, last)  # checked with all around it
        self._set_later.add(last)
        value = self.read(node, last)
        self._set_later.discard(last)
        check_set_later(last, value)
        return value

    def _state(self, pairs, is_trusted):
        """Read the attributes of an object."""
        state = {}
        for name, node in self._pairs(pairs):
            if type(name) is not str or not name.isidentifier() or name in state:
                raise ValueError(f"{shown(name)} is no attribute, or is there twice")
            state[name] = self.read(node) if is_trusted else self._named(name, node)
        return state

    def _check_collisions(self, keys):
        """Refuse keys that could have been chosen to collide, before they can."""
        numbers = [key for key in keys if type(key) is not str]
        if len(numbers) > _MAX_NUMBERS_AS_KEYS:
            raise ValueError(
                f"a dict or set has {len(numbers)} keys that are no text; a file holds "
                f"at most {_MAX_NUMBERS_AS_KEYS}. Use texts as keys (such as the ids "
                "of series), or joblib"
            )
        for key in numbers:
            if type(key) is int and abs(key) > _MAX_KEY:
                raise ValueError(f"{shown(key)} is too large for a key")
        self._n_comparisons += len(numbers) ** 2
        if self._n_comparisons > _MAX_COMPARISONS:
            raise ValueError(
                "its dicts and sets have too many keys that are no text. Use texts as "
                "keys (such as the ids of series), or joblib"
            )

    def _array(self, number, key):
        if not is_int(number, 0, len(self._arrays) - 1):
            raise ValueError(f"there is no array {shown(number)}")
        return self._arrays[number]

    def _scalar(self, number, key):
        array = self._array(number, key)
        if array.ndim:
            raise ValueError(f"array {number} has the shape {array.shape}, no scalar's")
        self._budget.spend(array.nbytes + 100)
        return array[()]

    def _objects(self, content, key):
        shape, values = _of_length(content, 2)
        shape, values = read_shape(shape), self._items(values, key)
        if math.prod(shape) != len(values):
            raise ValueError(f"{len(values)} values do not fill an array of {shape}")
        self._budget.spend(200 + 8 * len(values))
        flat = np.empty(len(values), dtype=object)
        for i, value in enumerate(values):
            flat[i] = value
        return flat.reshape(shape)

    def _masked(self, parts, key):
        data, mask = (self.read(part) for part in _of_length(parts, 2))
        if not isinstance(data, np.ndarray) or not isinstance(mask, np.ndarray):
            raise ValueError("a masked array is made of two arrays")
        if mask.dtype != bool or mask.shape != data.shape:
            raise ValueError(f"a mask has dtype {mask.dtype} and shape {mask.shape}")
        self._budget.spend(2 * data.nbytes + 2 * mask.nbytes + 1000)
        return np.ma.MaskedArray(data, mask)

    def _name(self, name, key):
        use = _USES.get(key, VALUE)
        return self._look_up(name, *((VALUE, OPTIMIZER) if use == VALUE else (use,)))

    def _look_up(self, name, *uses):
        if type(name) is not str:
            raise ValueError(f"expected a name, got {shown(name)}")
        for use in uses:
            found = self._names.look_up(name, use)
            if found is not None:
                return found
        raise ValueError(f"{name} is not {uses[0]}")

    def _class(self, name):
        cls = self._look_up(name, OBJECT)
        if not isinstance(cls, type):
            raise ValueError(f"{name} is not a class")
        return cls

    def _object(self, content, key):
        if type(content) is not list or len(content) not in (2, 3):
            raise ValueError(f"an object is {shown(content)}")
        name, pairs, *rest = content
        number = self._reserve_number()
        cls = self._class(name)
        is_trusted = self._names.is_trusted(name)
        args = self._items(rest[0], "") if rest else None
        if args is not None and not is_trusted:
            raise ValueError(f"{name} takes no arguments in a file unless trusted")
        plan = self._plans[number] = Plan(name, cls, args=args)
        plan.state = self._state(pairs, is_trusted)
        self._budget.spend(cost_of(cls, plan.state))
        if not is_trusted:
            check_object(name, cls, plan.state)
        return plan

    def _namedtuple(self, content, key):
        name, values = _of_length(content, 2)
        number = self._reserve_number()
        cls = self._class(name)
        self._budget.spend(200)
        plan = Plan(name, cls, args=self._items(values, ""))
        fields = getattr(cls, "_fields", None)
        if not issubclass(cls, tuple) or fields is None:
            raise ValueError(f"{name} is not a named tuple")
        if len(fields) != len(plan.args):
            raise ValueError(f"{name} has {len(fields)} fields, not {len(plan.args)}")
        if name == IMPUTER_TAIL:
            check_tail(*plan.args)
        self._plans[number] = plan
        return plan

    def _reserve_number(self):
        self._plans.append(None)
        return len(self._plans) - 1

    def _same(self, number, key):
        if not is_int(number, 0, len(self._plans) - 1):
            raise ValueError(f"there is no object {shown(number)}")
        if self._plans[number] is None:
            raise ValueError(f"object {number} is needed to build itself")
        return self._plans[number]

    def _random_state(self, pairs, key):
        self._budget.spend(12_000)
        state = {name: self.read(node) for name, node in self._pairs(pairs)}
        check_random_state(state)
        made = GeneratorPlan(state)
        self._plans.append(made)
        return made

    def _device(self, text, key):
        if type(text) is not str or not _DEVICE.fullmatch(text):
            raise ValueError(f"{shown(text)} is no device")
        return DevicePlan(text)

    def _float(self, text, key):
        if text not in ("nan", "inf", "-inf"):
            raise ValueError(f"{shown(text)} is no float")
        return float(text)

    def _time(self, number, unit):
        self._budget.spend(200)
        if not is_int(number, -(2**63), 2**63 - 1) or unit not in _UNITS:
            raise ValueError(f"{shown(number)} {shown(unit)} is no time")
        return number, unit

    def _timestamp(self, content, key):
        number, unit, zone = _of_length(content, 3)
        time = pd.Timestamp(np.datetime64(*self._time(number, unit)))
        if zone is None:
            return time
        if type(zone) is str and len(zone) < 100:
            return time.tz_localize("UTC").tz_convert(ZoneInfo(zone))
        if type(zone) in (int, float) and abs(zone) < 86_400:
            known = timezone(timedelta(0, zone))
            return time.tz_localize("UTC").tz_convert(known)
        raise ValueError(f"{shown(zone)} is no time zone")

    def _duration(self, number, key):
        self._budget.spend(100)
        if not is_int(number, -(10**20), 10**20):
            raise ValueError(f"{shown(number)} is no count of microseconds")
        return timedelta(microseconds=number)

    def _timedelta(self, content, key):
        return pd.Timedelta(np.timedelta64(*self._time(*_of_length(content, 2))))


_READERS = {
    "float": Reader._float,
    "tuple": Reader._tuple,
    "set": Reader._set,
    "slice": Reader._slice,
    "range": Reader._range,
    "bunch": Reader._bunch,
    "distribution": Reader._distribution,
    "duration": Reader._duration,
    "dict": Reader._dict,
    "array": Reader._array,
    "scalar": Reader._scalar,
    "objects": Reader._objects,
    "masked": Reader._masked,
    "dtype": lambda self, described, key: read_dtype(described),
    "name": Reader._name,
    "object": Reader._object,
    "namedtuple": Reader._namedtuple,
    "same": Reader._same,
    "random_state": Reader._random_state,
    "device": Reader._device,
    "timestamp": Reader._timestamp,
    "timedelta": Reader._timedelta,
}


def _tagged(node):
    """Tag and content of an encoded value."""
    if len(node) != 1 or node[0][0] not in _READERS:
        raise ValueError(f"expected one known tag, got {[key for key, _ in node][:6]}")
    return node[0]


def _of_length(items, length):
    """Check that something is a list, of a length that may be None for any."""
    if type(items) is not list or length not in (None, len(items)):
        raise ValueError(f"expected a list of {length}, got {shown(items)}")
    return items


def _check_key(key):
    """Refuse an item of a set or a key of a dict that is not a plain value."""
    if isinstance(key, tuple):
        for item in key:
            _check_key(item)
    elif isinstance(key, Plan | GeneratorPlan | DevicePlan | DistributionPlan):
        raise ValueError("a dict or set has objects as keys")
