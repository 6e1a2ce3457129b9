"""The header of a model file: from bytes to nested tuples and lists, under limits.

Every size is compared with a limit before anything is done with it, so that work and
memory stay in proportion to the file, whoever wrote it.
"""

import json
import math
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from skad.persistence._dtypes import read_dtype

# Digits of an integer: Python's own conversion takes time with their square.
_MAX_DIGITS = 320
_MAX_DIMENSIONS = 32

# Bytes that reading and building may take beside the file and its arrays. What a
# header of 4 MB that `save` has written takes is below this.
ALLOWANCE = 52 * 2**20

# Bytes of memory for each of these bytes in a header, at most: a list, a pair (without
# its key, which is kept once), an item, half a text.
_COSTS = {b"[": 64, b"{": 50, b",": 42, b'"': 30}


class Budget:
    """What reading may take of memory, counted before it is taken."""

    def __init__(self, n_bytes: int):
        self._left = ALLOWANCE + n_bytes

    def spend(self, n_bytes: int) -> None:
        """Count bytes that are about to be needed; refuse them if there are none."""
        self._left -= n_bytes
        if self._left < 0:
            raise ValueError(
                "it is made of too many small objects: opening it would take far more "
                "memory than it has bytes"
            )


def parse(text: bytes, budget: Budget) -> Any:
    """Read JSON: lists as lists, objects as tuples of (key, value)."""
    budget.spend(sum(cost * text.count(byte) for byte, cost in _COSTS.items()))
    return json.loads(
        text.decode("ascii"),
        object_pairs_hook=tuple,
        parse_int=_read_int,
        parse_float=_read_float,
        parse_constant=_refuse,
    )


def _read_int(digits):
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"an integer has {len(digits)} digits, over {_MAX_DIGITS}")
    return int(digits)


def _read_float(digits):
    value = float(digits)
    if not math.isfinite(value):
        _refuse(digits)
    return value


def _refuse(digits) -> NoReturn:
    raise ValueError(f"{digits[:20]} is no number of JSON")


def is_int(value: Any, low: int, high: int) -> bool:
    """Whether a value of JSON is an integer from `low` to `high`."""
    return type(value) is int and low <= value <= high


def read_shape(shape: Any) -> tuple[int, ...]:
    """Check the shape of an array."""
    if (
        type(shape) is not list
        or len(shape) > _MAX_DIMENSIONS
        or not all(is_int(n, 0, 2**40) for n in shape)
    ):
        raise ValueError(
            f"the shape of an array is {str(shape)[:60]}; expected up to "
            f"{_MAX_DIMENSIONS} lengths"
        )
    return tuple(shape)


def view_arrays(described: Any, data: memoryview, budget: Budget) -> list[NDArray]:
    """View the arrays in the bytes that follow a header; together they are all of it.

    A view takes no memory for the values, which are copied when something is built.
    """
    if type(described) is not list:
        raise ValueError(f"`arrays` is {type(described).__name__}; expected a list")
    views, start = [], 0
    for item in described:
        budget.spend(200)
        if type(item) is not list or len(item) != 3 or item[2] not in ("C", "F"):
            raise ValueError(
                f"an array is described by {str(item)[:60]}; expected a dtype, a shape "
                "and 'C' or 'F'"
            )
        dtype, shape = read_dtype(item[0]), read_shape(item[1])
        if dtype.itemsize * math.prod(max(n, 1) for n in shape) >= 2**62:
            raise ValueError(f"an array of shape {shape} is too large")
        stop = start + dtype.itemsize * math.prod(shape)
        if stop > len(data):
            break
        views.append(np.ndarray(shape, dtype, data, start, order=item[2]))
        start = stop
    if len(views) != len(described) or start != len(data):
        raise ValueError(
            f"the shapes of the arrays do not fit the {len(data)} bytes after the "
            "header"
        )
    return views
