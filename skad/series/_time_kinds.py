"""Kinds of times: dates, durations and numbers, of any type."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from skad._validation import native

NOT_DRAWN = (
    "If a splitter has drawn the rows at random, take KFold or TimeSeriesSplit instead."
)
_LOOKS_LIKE_DATE = re.compile(r"^\d{1,4}([-/.])\d{1,2}\1\d{1,4}(\D|$)|^\d{4}-\d\d")


def as_time(labels: pd.Index) -> pd.Index | None:
    """Return labels as dates, durations or numbers if their type says so, else None.

    Periods become their starts, objects of Python and Arrow types dates of pandas.
    Texts are None, whatever they say. What is missing stays so: NaT or NaN. Raises
    ValueError for dates of which only some have an offset from UTC.
    """
    labels = native(labels)
    if isinstance(labels, pd.DatetimeIndex | pd.TimedeltaIndex):
        return labels
    if isinstance(labels, pd.PeriodIndex):
        return labels.to_timestamp()
    if isinstance(labels.dtype, pd.CategoricalDtype):
        values = native(labels.categories)
        inner = as_time(values)
        return None if inner is None else inner.take(labels.codes, fill_value=np.nan)
    if isinstance(labels.dtype, pd.ArrowDtype):
        return _from_arrow(labels)
    if labels.dtype == object:
        return _from_objects(labels)
    is_number = types.is_any_real_numeric_dtype(labels.dtype)
    return labels if is_number else None


def _from_arrow(labels) -> pd.Index | None:
    kind = labels.dtype.kind
    if kind in "iu":
        return labels
    if kind == "f" or str(labels.dtype).startswith("decimal"):
        return pd.Index(labels.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind == "M":
        return pd.DatetimeIndex(labels)
    if kind == "m":
        return pd.TimedeltaIndex(labels)
    return _from_objects(labels.astype(object))  # date32 among them


def _from_objects(labels) -> pd.Index | None:
    kind = types.infer_dtype(labels, skipna=True)
    name = labels.name
    if kind in ("date", "datetime", "datetime64"):
        return pd.to_datetime(labels, utc=_have_several_zones(labels)).rename(name)
    if kind in ("timedelta", "timedelta64"):
        return pd.to_timedelta(labels).rename(name)
    if kind == "period":
        return pd.PeriodIndex(labels, name=name).to_timestamp()
    if kind in ("integer", "floating", "mixed-integer-float", "decimal"):
        return pd.Index(pd.to_numeric(labels.map(_plain)), name=name)
    return None


def _have_several_zones(labels) -> bool:
    """Whether dates have several offsets from UTC; all must have one, or none."""
    dates = labels[~labels.isna()]
    zones = [getattr(value, "utcoffset", lambda: None)() for value in dates]
    if None in zones and any(zone is not None for zone in zones):
        bare = zones.index(None)
        other = next(i for i, zone in enumerate(zones) if zone is not None)
        name = "The index" if labels.name is None else repr(labels.name)
        raise ValueError(
            f"{name} holds dates with an offset from UTC, such as {dates[other]}, and "
            f"without one, such as {dates[bare]}. Give all of them one, or none."
        )
    return len(set(zones)) > 1


def _plain(value) -> Any:
    return float(value) if type(value).__name__ == "Decimal" else value


def kind_of(time: pd.Index) -> str:
    """Say what times are: dates, durations or numbers."""
    if isinstance(time, pd.DatetimeIndex):
        return "dates"
    return "durations" if isinstance(time, pd.TimedeltaIndex) else "numbers"


def is_like_date(value: Any) -> bool:
    """Whether a text looks like a date."""
    return isinstance(value, str) and bool(_LOOKS_LIKE_DATE.match(value.strip()))


def check_numbers(time: pd.Index, what: str, rows: Any = None) -> pd.Index:
    """Return times that are numbers as int64 or float64.

    `what` names them in messages, `rows` gives the numbers of their rows. Raises
    ValueError for what is missing, infinite or beyond int64.
    """
    if isinstance(time, pd.RangeIndex):
        return time
    is_whole = not types.is_float_dtype(time.dtype) and not time.hasnans
    if is_whole:
        kind = np.uint64 if time.dtype.kind == "u" else np.int64
        numbers = time.to_numpy(dtype=kind)
        is_wrong = numbers > np.iinfo(np.int64).max
    else:
        numbers = time.to_numpy(dtype=np.float64, na_value=np.nan)
        is_wrong = ~np.isfinite(numbers)
    if is_wrong.any():
        at = int(np.argmax(is_wrong))
        row = at if rows is None else rows[at]
        expected = "numbers below 2**63" if is_whole else "a finite number"
        raise ValueError(f"{what} is {numbers[at]} in row {row}; expected {expected}.")
    return pd.Index(numbers.astype(np.int64) if is_whole else numbers)


def goes_back(time: Any, groups: NDArray) -> tuple[int, NDArray, NDArray]:
    """Find times that are before that of the row above in the same series.

    Returns how many there are, and the positions of their rows and of those above.
    """
    order = np.argsort(groups, kind="stable")
    values = np.asarray(time)[order]
    same = groups[order][1:] == groups[order][:-1]
    at = np.flatnonzero(same & (values[1:] < values[:-1]))
    return len(at), order[at + 1], order[at]


def shown(value: Any) -> str:
    """Show a value in a message: numbers of numpy as those of Python."""
    is_plain = isinstance(value, np.number | np.bool_) and not isinstance(
        value, np.timedelta64
    )
    return repr(value.item() if is_plain else value)
