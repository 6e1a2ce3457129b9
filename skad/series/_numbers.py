"""Columns of numbers: of any type, or written in any usual way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from skad.series._time_kinds import is_like_date

# Texts that say that a value is missing.
MISSING_TEXTS = {"", "nan", "na", "n/a", "#n/a", "null", "none", "nat", "<na>"}
_BOOLEANS = {"true": 1.0, "false": 0.0}

_EXPONENT = r"(?:[eE][+-]?\d+)?"
# 2,5 and 1.234,5; 1,234 and 1,234.5; 2.5
_DECIMAL_COMMA = re.compile(
    rf"[+-]?(?:\d+|[1-9]\d{{0,2}}(?:\.\d{{3}})+)?,\d+{_EXPONENT}"
)
_COMMA_GROUPS = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d*)?{_EXPONENT}")
_POINT_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
_DECIMAL_POINT = re.compile(rf"[+-]?\d*\.\d*{_EXPONENT}")
_SPACES = re.compile("(?<=\\d)[ \u00a0\u202f'](?=\\d{3}(?:\\D|$))")

# Values that often stand for missing ones.
_USUAL_SENTINELS = {-200.0, 32767.0, 65535.0, -32768.0, 2147483647.0, -2147483648.0}
_USUAL_SENTINELS |= {s * (10.0**n - 1) for n in range(2, 7) for s in (1, -1)}
_LEAST_REPEATS = 3
_LEAST_VALUES = 10  # others, of which one can say what is far from them


@dataclass
class Column:
    """A column that was read.

    `kind` is "numbers", "empty", "texts" or "dates", the last two without any number;
    `flags` counts the texts among the numbers, `n_missing` what was said to stand for
    missing values; `decimal` is "," or "." where texts tell, "?" where commas could be
    read either way, "?." where points could.
    """

    values: NDArray[np.float64]
    kind: str = "numbers"
    flags: dict[str, int] = field(default_factory=dict)
    n_missing: int = 0
    decimal: str | None = None
    first: Any = None


def read_column(
    raw: pd.Series, missing: Iterable[Any], decimal: str | None = None
) -> Column:
    """Read one column; `missing` holds numbers and texts that stand for nothing.

    `decimal` is what is known of it from other columns or from fit. Raises ValueError
    for complex numbers.
    """
    if isinstance(raw.dtype, pd.CategoricalDtype):
        raw = raw.astype(raw.cat.categories.dtype)
    _check_real(raw)
    if _holds_dates(raw):
        first = next(iter(raw.dropna()), None)
        kind = "empty" if first is None else "dates"
        return Column(np.full(len(raw), np.nan), kind, first=first)
    if types.is_numeric_dtype(raw.dtype) or types.is_bool_dtype(raw.dtype):
        column = Column(raw.to_numpy(dtype=np.float64, na_value=np.nan))
    else:
        column = _read_texts(raw, missing, decimal)
    _drop_missing(column, missing)
    if column.kind == "numbers" and np.isnan(column.values).all():
        texts = list(column.flags)
        is_date = texts and all(map(is_like_date, texts[:5]))
        column.kind = "dates" if is_date else "texts" if texts else "empty"
        column.first = texts[0] if texts else None
    return column


def _check_real(column) -> None:
    if types.is_complex_dtype(column.dtype):
        raise ValueError(
            f"Column {column.name!r} holds complex numbers; drop it, or split it into "
            "two columns, real and imaginary parts."
        )


def _holds_dates(raw) -> bool:
    if types.is_datetime64_any_dtype(raw.dtype) or types.is_timedelta64_dtype(
        raw.dtype
    ):
        return True
    if isinstance(raw.dtype, pd.PeriodDtype):
        return True
    if isinstance(raw.dtype, pd.ArrowDtype):
        return raw.dtype.kind in "mM" or str(raw.dtype).startswith(("date", "time"))
    kinds = ("date", "datetime", "datetime64", "time", "timedelta", "timedelta64")
    is_object = raw.dtype == object
    return is_object and types.infer_dtype(raw, skipna=True) in (*kinds, "period")


def _drop_missing(column, missing) -> None:
    values = column.values
    for value in missing:
        if isinstance(value, Number) and not isinstance(value, bool):
            is_missing = values == float(value)  # type: ignore[arg-type]
            column.n_missing += int(is_missing.sum())
            if is_missing.any():
                column.values = values = np.where(is_missing, np.nan, values)


# Texts ------------------------------------------------------------------------------


def _read_texts(raw, missing, decimal) -> Column:
    """Read a column of texts, or of objects of which some are numbers."""
    objects = raw.astype(object)
    numbers = pd.to_numeric(objects, errors="coerce")
    _check_real(numbers)
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan).copy()
    is_text = objects.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    column = Column(values)
    if not is_text.any():
        odd = np.isnan(values) & raw.notna().to_numpy()
        column.flags = dict(Counter(map(str, objects[odd])))
        return column
    codes, texts = pd.factorize(objects[is_text].str.strip())
    counts = np.bincount(codes, minlength=len(texts))
    plain = [_SPACES.sub("", text) for text in texts]
    column.decimal = _decimal_of(plain)
    if column.decimal not in (",", "."):
        column.decimal = decimal or column.decimal
    read = _read_distinct(plain, column.decimal)
    told = {str(value).strip() for value in missing if isinstance(value, str)}
    is_told = np.array([text in told for text in texts], dtype=bool)
    read[is_told] = np.nan
    column.n_missing = int(counts[is_told].sum())
    values[is_text] = read[codes]
    lost = np.flatnonzero(np.isnan(read) & ~is_told)
    column.flags = {
        texts[i]: int(counts[i]) for i in lost if texts[i].lower() not in MISSING_TEXTS
    }
    return column


def _decimal_of(texts) -> str | None:
    """Whether texts have decimal commas or points; see `Column`."""
    commas = [text for text in texts if "," in text]
    as_decimal = [bool(_DECIMAL_COMMA.fullmatch(text)) for text in commas]
    as_groups = [bool(_COMMA_GROUPS.fullmatch(text)) for text in commas]
    pairs = list(zip(as_decimal, as_groups, strict=True))
    has_points = any(
        _DECIMAL_POINT.fullmatch(text) and not _POINT_GROUPS.fullmatch(text)
        for text in texts
        if "." in text and "," not in text and any(c.isdigit() for c in text)
    )
    groups = [text.count(".") for text in texts if _POINT_GROUPS.fullmatch(text)]
    if has_points or (False, True) in pairs:
        return "."
    if (True, False) in pairs or max(groups, default=0) > 1:  # 1.234.567
        return ","
    return "?" if (True, True) in pairs else "?." if groups else None


def _read_distinct(texts, decimal) -> NDArray[np.float64]:
    """Numbers of distinct texts, NaN where they are none."""
    plain = pd.Series(texts, dtype=object)
    if decimal == ",":
        plain = plain.map(_from_commas)
    elif decimal == ".":
        is_grouped = plain.map(lambda text: bool(_COMMA_GROUPS.fullmatch(text)))
        plain = plain.where(~is_grouped, plain.str.replace(",", ""))
    read = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64).copy()
    for i, text in enumerate(texts):
        if np.isnan(read[i]):
            read[i] = _BOOLEANS.get(text.lower(), np.nan)
    return read


def _from_commas(text) -> str:
    if _DECIMAL_COMMA.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    return text.replace(".", "") if _POINT_GROUPS.fullmatch(text) else text


def check_decimals(columns: dict[Hashable, Column], raw: pd.DataFrame) -> str | None:
    """Decimal sign of a table, by the columns that tell; None if none does.

    Raises ValueError if there is a column that could be read either way, and no other
    one tells.
    """
    told = {c.decimal for c in columns.values()} & {",", "."}
    if not told and any(_is_fraction(column) for _, column in raw.items()):
        told = {"."}  # pandas has read them
    unsure = [name for name, column in columns.items() if column.decimal == "?"]
    if unsure and len(told) != 1:
        name = unsure[0]
        text = next(t for t in columns[name].flags if "," in t)
        raise ValueError(
            f"Column {name!r} can be read in two ways: {text!r} is "
            f"{text.replace(',', '.')} with decimal commas and {text.replace(',', '')} "
            "with commas between thousands. Read the file so that one is told, e.g. "
            "with pd.read_csv(..., decimal=',') or thousands=','."
        )
    unsure = [name for name, column in columns.items() if column.decimal == "?."]
    if unsure and len(told) == 2:
        raise ValueError(
            f"Column {unsure[0]!r} can be read in two ways, as its points may stand "
            "before decimals or between thousands, and other columns have decimal "
            "commas as well as points. Make it numbers first, e.g. with "
            "X[...].astype(float)."
        )
    return next(iter(told)) if len(told) == 1 else None


def _is_fraction(column) -> bool:
    if not types.is_float_dtype(column.dtype):
        return False
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    return bool((values != np.round(values)).any())


# Sentinels --------------------------------------------------------------------------


def find_sentinels(values: NDArray[np.float64]) -> dict[float, int]:
    """Count values that seem to stand for missing ones: far from all others, repeated.

    It is the least or the largest value, at least 3 times, and farther from the next
    one than twice the range of the others; half of it for a number that is known for
    it, such as -200, -999 or 9999. Never 0.
    """
    found: dict[float, int] = {}
    rest = values[np.isfinite(values)]
    for _ in range(3):
        ends = [] if not len(rest) else [rest.min(), rest.max()]
        counts = {float(end): int((rest == end).sum()) for end in ends}
        ends = [end for end in counts if counts[end] >= _LEAST_REPEATS]
        new = {}
        for end in ends:
            others = rest[(rest != end) & ~np.isin(rest, [*_USUAL_SENTINELS & {*ends}])]
            if _is_far(end, others):
                new[end] = counts[end]
        if not new:
            break
        found |= new
        rest = rest[~np.isin(rest, [*new])]
    return found


def _is_far(value, others) -> bool:
    if value == 0 or len(others) < _LEAST_VALUES:
        return False
    least, most = others.min(), others.max()
    gap = least - value if value < least else value - most
    factor = 0.5 if value in _USUAL_SENTINELS else 2.0
    return gap > factor * (most - least) > 0 and len(np.unique(others)) >= _LEAST_VALUES
