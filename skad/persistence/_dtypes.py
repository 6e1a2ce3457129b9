"""The dtypes of arrays in model files, as text."""

import re
from typing import Any

import numpy as np

# Booleans, numbers, text, times and bytes; neither objects nor nested types.
_DTYPE = re.compile(r"[<>|][biufcSUVmM]\d{1,9}(\[\d{0,9}[a-zA-Z]{1,3}\])?")
_MAX_FIELDS = 256


def describe_dtype(dtype: np.dtype) -> str | list:
    """Describe a dtype as numpy's own files do."""
    described = np.lib.format.dtype_to_descr(dtype) if dtype.names else dtype.str
    _check(described)
    return described


def read_dtype(described: Any) -> np.dtype:
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
    is_list = isinstance(described, list)
    fields = described if is_list else [["", described]]
    if len(fields) > _MAX_FIELDS:
        raise ValueError(
            f"Model files do not hold arrays of {len(fields)} fields; up to "
            f"{_MAX_FIELDS} can be kept."
        )
    if not all(
        isinstance(field, list | tuple)
        and len(field) == 2
        and all(isinstance(text, str) for text in field)
        and _DTYPE.fullmatch(field[1])
        for field in fields
    ):
        raise ValueError(
            f"Model files do not hold arrays of dtype {str(described)[:80]}, only "
            "booleans, numbers, text of fixed length, bytes and times."
        )
