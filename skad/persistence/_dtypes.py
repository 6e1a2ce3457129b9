"""The dtypes of arrays in model files, as text."""

import re
from typing import Any

import numpy as np

# Booleans, numbers, text, times and bytes; neither objects nor nested types.
_DTYPE = re.compile(r"[<>|][biufcSUVmM]\d+(\[\d*[a-zA-Z]+\])?")


def describe_dtype(dtype: np.dtype) -> str | list:
    """Describe a dtype as numpy's own files do."""
    described = np.lib.format.dtype_to_descr(dtype) if dtype.names else dtype.str
    _check(described)
    return described


def read_dtype(described: str | list) -> np.dtype:
    """Make the dtype of a description."""
    _check(described)
    fields: Any = described
    if isinstance(described, list):
        fields = [tuple(field) for field in described]
    dtype = np.lib.format.descr_to_dtype(fields)
    if not dtype.itemsize:
        raise ValueError(f"Values of dtype {described} take no bytes.")
    return dtype


def _check(described):
    fields = described if isinstance(described, list) else [["", described]]
    if not all(
        len(field) == 2
        and all(isinstance(text, str) for text in field)
        and _DTYPE.fullmatch(field[1])
        for field in fields
    ):
        raise ValueError(
            f"Model files do not hold arrays of dtype {described}, only booleans, "
            "numbers, text of fixed length, bytes and times."
        )
