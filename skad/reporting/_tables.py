"""Tables of the page: cells with a text to read and a key to sort by."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from skad.plotting._style import number


@dataclass(frozen=True)
class Absent:
    """Why a part of the page is not there, in a sentence."""

    reason: str


@dataclass(frozen=True)
class Cell:
    """One value: how it is written, what it is sorted by, and what it is.

    `kind` is "number", "time", "lines" or, for other texts, "text".
    """

    text: str
    key: Any = ""
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """Columns and rows of cells, with a caption.

    `spans` are the places on the axis of time that the rows can be shown at: series,
    start and end of each; empty if there are none.
    """

    caption: str
    columns: list[str]
    rows: list[list[Cell]]
    spans: list[dict[str, Any]] = field(default_factory=list)


def cell(value, text=None) -> Cell:
    """Make a cell of any value; missing ones are dashes."""
    if value is None or value is pd.NaT or (np.isscalar(value) and pd.isna(value)):
        return Cell("\N{EN DASH}")
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no")
    if isinstance(value, int | np.integer):
        return Cell(text or f"{int(value):,}", int(value), "number")
    if isinstance(value, float | np.floating):
        return Cell(text or number(float(value)), float(value), "number")
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        return Cell(text or as_label(value), _seconds(value), "time")
    return Cell(text or as_name(value), str(value))


def _seconds(time) -> float:
    """Seconds of a duration, or since 1970; nanoseconds cannot count far dates."""
    start = 0 if isinstance(time, pd.Timedelta) else np.datetime64(0, time.unit)
    return float((time.to_numpy() - start) / np.timedelta64(1, "s"))


def percent(share) -> str:
    """Write a share in per cent, small ones with a digit more."""
    if not np.isfinite(share):
        return "undefined"
    n_digits = 0 if share >= 0.0995 else 1 if share >= 0.00995 else 2
    return f"{100 * share:.{n_digits}f}".removesuffix(".0") + " %"


def share_cell(share) -> Cell:
    """Make a cell of a share."""
    return cell(float(share), None if pd.isna(share) else percent(share))


def as_label(value) -> str:
    """Write a time, a duration, a number of a row or a time that is a number."""
    if isinstance(value, pd.Timestamp):
        is_whole = value == value.floor("min")
        return value.strftime("%Y-%m-%d %H:%M") if is_whole else str(value)
    if isinstance(value, pd.Timedelta):
        return str(value).removeprefix("0 days ")
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    # as many digits as tell seconds since 1970 apart
    return f"{value:.12g}" if isinstance(value, float | np.floating) else str(value)


def as_name(name) -> str:
    """Write the name of a series, which may be a tuple; numbers are names as well."""
    if isinstance(name, tuple):
        return ", ".join(map(as_name, name))
    return as_label(name) if isinstance(name, pd.Timestamp) else str(name)


def count(n, one, many=None) -> str:
    """Write a number of things."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
