"""How long an epoch took, which no two fits share."""

import numpy as np


class Seconds(np.ndarray):
    """A number in a pickle that ``joblib.hash`` passes over: equal fits have one hash.

    The hash reads class, dtype, shape and values of an array, and here there are none:
    the number is an attribute.
    """

    number: float = np.nan  # where arrays are copied without attributes, as by skops

    def __float__(self):
        return self.number

    def __reduce__(self):
        return seconds, (self.number,)


def seconds(number) -> Seconds:
    """Wrap a number."""
    made = np.empty(0).view(Seconds)
    made.number = float(number)
    return made


def wrap_seconds(row) -> dict:
    """Copy a row of a history for a pickle, without its batches."""
    row = dict(row) | {"batches": []}
    return row | {"dur": seconds(row["dur"])} if "dur" in row else row


def unwrap_seconds(row) -> dict:
    """Reverse `wrap_seconds`; files hold bare numbers."""
    return row | {"dur": float(row["dur"])} if "dur" in row else row
