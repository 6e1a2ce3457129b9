"""Times of rows: of any type, or written in any usual way."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from pandas.tseries.api import guess_datetime_format

from skad._validation import native

UNITS = ("D", "h", "m", "s", "ms", "us", "ns")  # of numbers since 1970

_DATE = r"^(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:[T\s,]+(.*))?$"
_CLOCK = (
    r"^(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?"
    r"\s*([AaPp])?(?:\.?[Mm]\.?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
)
_OFFSET = re.compile(r"\d:\d\d\S*?\s?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$")
_MONTH = r"(?i)jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_TIME_OF_DAY = re.compile(r"^\d{1,2}[:.]\d{2}([:.]\d{2})?")
_LOOKS_LIKE_DATE = re.compile(r"^\d{1,4}([-/.])\d{1,2}\1\d{1,4}(\D|$)|^\d{4}-\d\d")


@dataclass(frozen=True)
class TimeStyle:
    """How the times of a table are given, learnt in fit.

    `kind` is "dates", "durations", "numbers" or, without any, "none". `dayfirst` is
    None where days need no order, `format` is what the user has given, or that of
    months in words; `zone` is that of dates with one.
    """

    kind: str
    dayfirst: bool | None = None
    format: str | None = None
    zone: str | None = None


# Types ------------------------------------------------------------------------------


def as_time(labels: pd.Index) -> pd.Index | None:
    """Return labels as dates, durations or numbers if their type says so, else None.

    Periods become their starts, objects of Python and Arrow types dates of pandas.
    Texts are None, whatever they say. What is missing stays so: NaT or NaN.
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
        zones = {getattr(value, "utcoffset", lambda: None)() for value in labels}
        several = len(zones) > 1
        return pd.to_datetime(labels, utc=several).rename(name)
    if kind in ("timedelta", "timedelta64"):
        return pd.to_timedelta(labels).rename(name)
    if kind == "period":
        return pd.PeriodIndex(labels, name=name).to_timestamp()
    if kind in ("integer", "floating", "mixed-integer-float", "decimal"):
        return pd.Index(pd.to_numeric(labels.map(_plain)), name=name)
    return None


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


# Reading ----------------------------------------------------------------------------


def learn_times(
    raw: pd.Index, groups: NDArray, style: TimeStyle, what: str
) -> tuple[pd.Index, TimeStyle]:
    """Read times, and learn how they are written.

    `groups` numbers the series of each row, `style` holds what the user has said of
    days and format, `what` names the times in messages. Raises ValueError if a time is
    missing or unreadable, or days and months can be told in two ways.
    """
    time, style = _read(raw, groups, style, what)
    zone = getattr(time, "tz", None)
    return time, replace(style, kind=kind_of(time), zone=_name_of(zone))


def read_times(raw: pd.Index, style: TimeStyle, what: str) -> pd.Index:
    """Read times as they were read in fit; refuse other ones."""
    time, _ = _read(raw, None, style, what)
    now = kind_of(time)
    if now != style.kind:
        raise ValueError(
            f"{what} holds {now}, but {style.kind} in the table given to fit."
        )
    if now != "dates":
        return time
    if (time.tz is None) != (style.zone is None):
        has, had = ("none", "one") if time.tz is None else ("one", "none")
        raise ValueError(
            f"{what} has {has} of the offsets from UTC, but had {had} in the table "
            "given to fit; give both one, e.g. by tz_localize, or none."
        )
    return time if style.zone is None else time.tz_convert(style.zone)


def _name_of(zone) -> str | None:
    """Name a time zone so that pandas finds it again."""
    if zone is None:
        return None
    offset = zone.utcoffset(None)
    name = getattr(zone, "key", getattr(zone, "zone", None))
    if name is not None or not offset:
        return name or "UTC"
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return f"UTC{sign}{hours:02}:{minutes:02}"


def _read(raw, groups, style, what) -> tuple[pd.Index, TimeStyle]:
    time = as_time(raw)
    if time is None or (style.format is not None and kind_of(time) == "numbers"):
        texts = raw.astype(object).map(_as_text)
        time, style = _read_texts(raw, texts, groups, style, what)
    unread = np.flatnonzero(time.isna())
    if len(unread):
        raise ValueError(_unreadable(raw, unread, what, style))
    if kind_of(time) == "numbers":
        time = _check_numbers(time, what)
    return time.rename(raw.name), style


def _as_text(value) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # 20240112.0, beside missing ones
    return str(value).strip()


def _check_numbers(time, what) -> pd.Index:
    if types.is_bool_dtype(time.dtype):
        raise ValueError(f"{what} holds True and False, which are no times.")
    if isinstance(time, pd.RangeIndex):
        return time
    if not types.is_float_dtype(time.dtype):
        return pd.Index(time.to_numpy(dtype=np.int64))
    numbers = time.to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(numbers).all():
        row = np.argmin(np.isfinite(numbers))
        raise ValueError(f"{what} is {numbers[row]} in row {row}.")
    return pd.Index(numbers)


def _unreadable(raw, unread, what, style) -> str:
    row = unread[0]
    value = raw[row]
    advice = "Drop or correct these rows; was the file cut off?"
    if isinstance(value, str) and _TIME_OF_DAY.match(value.strip()):
        advice = "It has no date: join two columns with time=[date, time]."
    elif style.format is not None:
        advice = f"It was read with format={style.format!r}."
    elif style.dayfirst is not None and is_like_date(value):
        first = "day" if style.dayfirst else "month"
        advice = f"Others read {first} first; give all of them one order."
    return (
        f"Row {row} has no readable timestamp in {what}: {value!r} ({len(unread)} such "
        f"rows). {advice}"
    )


# Texts ------------------------------------------------------------------------------


def _read_texts(raw, texts, groups, style, what) -> tuple[pd.Index, TimeStyle]:
    texts = texts.where(~raw.isna(), "")
    if style.format is not None:
        return _read_format(texts, style), style
    numbers = pd.to_numeric(texts, errors="coerce")
    if not numbers.isna().any():
        return pd.Index(numbers), style
    # As texts, since pandas would read numbers among them as time since 1970.
    several = _have_several_offsets(texts, what)
    time = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=several)
    if not time.isna().any():
        return time, style
    found = texts.to_series(index=range(len(texts))).str.extract(_DATE)
    if found[0].notna().mean() > 0.5:
        return _read_parts(found, texts, groups, style, what)
    if time.isna().all():
        guess = _guess_format(texts)
        if guess is not None:
            style = replace(style, format=guess)
            time = _read_format(texts, style)
    return time, style


def _guess_format(texts) -> str | None:
    """Format of dates with months in words; None if there are none."""
    if not texts.str.contains(_MONTH).any():
        return None
    return guess_datetime_format(next(text for text in texts if text)) or "mixed"


def _read_format(texts, style) -> pd.Index:
    if style.format in UNITS:
        numbers = pd.to_numeric(texts, errors="coerce")
        utc = style.zone is not None
        return pd.to_datetime(numbers, unit=style.format, errors="coerce", utc=utc)
    utc = "%z" in style.format
    return pd.to_datetime(texts, format=style.format, errors="coerce", utc=utc)


def _have_several_offsets(texts, what) -> bool:
    """Whether texts hold several offsets from UTC; all must hold one, or none."""
    offsets = texts.str.extract(_OFFSET, expand=False)
    if offsets.isna().all():
        return False
    without = np.flatnonzero(offsets.isna() & texts.str.contains(r"\d:\d\d"))
    if len(without):
        raise ValueError(
            f"Row {without[0]} of {what} has no offset from UTC, "
            f"{texts[without[0]]!r}, but other rows do ({len(without)} of {len(texts)} "
            "do not). Give all of them one, or none."
        )
    return offsets.nunique() > 1


def _read_parts(found, texts, groups, style, what) -> tuple[pd.Index, TimeStyle]:
    """Read dates of numbers from their parts, in the order that fits all of them."""
    is_year_first = found[0].str.len() >= 3
    clock, zone = _read_clock(found[4])
    if is_year_first.mean() > 0.5:
        parts = found[[0, 2, 3]].where(is_year_first)
        return _localize(_days(parts) + clock, zone), style
    parts = found[[3, 2, 0]].where(~is_year_first)
    swapped = parts.iloc[:, [0, 2, 1]]
    orders = {True: parts, False: swapped}
    if style.dayfirst is not None:
        days = _days(orders[style.dayfirst])
    else:
        read = {first: _days(order) for first, order in orders.items()}
        if all(np.isnat(days).any() for days in read.values()):
            days = _days(found[[0, 2, 3]])  # 99-12-31
            if not np.isnat(days).any():
                return _localize(days + clock, zone), style
        style = replace(style, dayfirst=_choose(read, clock, texts, groups, what))
        days = read[style.dayfirst is not False]
    return _localize(days + clock, zone), style


def _choose(read, clock, texts, groups, what) -> bool | None:
    """Say whether days come first, if only that fits; None if both are the same."""
    lost = {first: np.isnat(days).sum() for first, days in read.items()}
    if lost[True] != lost[False]:
        return bool(lost[True] < lost[False])
    differ = np.flatnonzero(read[True] != read[False])
    if np.isnat(read[True]).any() or not len(differ):
        return None if not len(differ) else True  # rows without a date will be named
    if groups is not None:
        backwards = {f: goes_back(d + clock, groups)[0] for f, d in read.items()}
        if backwards[True] != backwards[False]:
            return bool(backwards[True] < backwards[False])
    row = differ[0]
    one, other = (
        pd.Timestamp(read[f][row]).strftime("%d %b %Y") for f in (True, False)
    )
    raise ValueError(
        f"{what} can be read in two ways: {texts[row]!r} in row {row} is {one} with "
        f"dayfirst=True and {other} with dayfirst=False, and no row tells which "
        f"({len(differ)} of {len(texts)} rows differ). Say it: dayfirst=True or "
        "dayfirst=False."
    )


def _days(parts) -> NDArray[np.datetime64]:
    """Dates of (year, month, day) as texts; NaT where there is no such date."""
    year, month, day = (
        pd.to_numeric(parts.iloc[:, i], errors="coerce").to_numpy(dtype=float)
        for i in range(3)
    )
    is_short = parts.iloc[:, 0].str.len().to_numpy(dtype=float) <= 2
    year = np.where(is_short, year + np.where(year < 69, 2000, 1900), year)
    wrong = ~((month >= 1) & (month <= 12) & (day >= 1) & (year >= 1))
    year, month, day = (
        np.where(wrong, 1, values).astype(np.int64) for values in (year, month, day)
    )
    first = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    days = first.astype("M8[D]") + (day - 1)
    wrong |= days.astype("M8[M]") != first  # 31 February
    days[wrong] = np.datetime64("NaT")
    return days.astype("M8[us]")


def _read_clock(texts) -> tuple[NDArray[np.timedelta64], NDArray[np.float64]]:
    """Read times of day, and minutes from UTC; NaT and NaN where there are none."""
    found = texts.str.strip().str.extract(_CLOCK)
    hour, minute, second = (
        pd.to_numeric(found[i], errors="coerce").to_numpy(dtype=float) for i in range(3)
    )
    second = np.where(np.isnan(second), 0, second)
    half = found[4].str.lower()
    hour = np.where(half.notna(), hour % 12 + 12 * (half == "p"), hour)
    fraction = pd.to_numeric("0." + found[3].fillna("0")).to_numpy(dtype=float)
    wrong = ~((hour < 24) & (minute < 60) & (second < 60))
    seconds = hour * 3600 + minute * 60 + second
    has_none = (texts.isna() | (texts == "")).to_numpy()
    seconds = np.where(has_none | wrong, 0, seconds) + np.where(wrong, 0, fraction)
    clock = np.round(seconds * 1e6).astype(np.int64).astype("m8[us]")
    clock[wrong & ~has_none] = np.timedelta64("NaT")
    return clock, _minutes_from_utc(found[5])


def _minutes_from_utc(offsets) -> NDArray[np.float64]:
    codes, names = pd.factorize(offsets)
    minutes = [0.0 if name in ("Z", "UTC", "GMT") else _minutes(name) for name in names]
    return np.array([*minutes, np.nan])[codes]


def _minutes(offset) -> float:
    digits = offset[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return float(-minutes if offset[0] == "-" else minutes)


def _localize(time, minutes) -> pd.DatetimeIndex:
    """Give times their offset from UTC, or make them UTC if there are several."""
    offsets = np.unique(minutes[~np.isnan(minutes)])
    index = pd.DatetimeIndex(time)
    if not len(offsets):
        return index
    shifts = np.where(np.isnan(minutes), 0, minutes)
    utc = (index - pd.to_timedelta(shifts, unit="min")).tz_localize("UTC")
    if len(offsets) > 1 or offsets[0] == 0:
        return utc
    hours, rest = divmod(abs(int(offsets[0])), 60)
    sign = "-" if offsets[0] < 0 else "+"
    return utc.tz_convert(f"UTC{sign}{hours:02}:{rest:02}")


# Order ------------------------------------------------------------------------------


def goes_back(time: Any, groups: NDArray) -> tuple[int, NDArray, NDArray]:
    """Find times that are before that of the row above in the same series.

    Returns how many there are, and the positions of their rows and of those above.
    """
    order = np.argsort(groups, kind="stable")
    values = np.asarray(time)[order]
    same = groups[order][1:] == groups[order][:-1]
    at = np.flatnonzero(same & (values[1:] < values[:-1]))
    return len(at), order[at + 1], order[at]


def join_columns(columns: list[pd.Series], names: list[Hashable]) -> pd.Index:
    """Join columns of a date and a time of day, or of year, month, ..., as texts."""
    texts = [_joinable(column) for column in columns]
    joined = texts[0]
    for other in texts[1:]:
        joined = joined + " " + other
    joined = joined.where(~pd.concat(columns, axis=1).isna().any(axis=1), None)
    return pd.Index(joined.astype(object), name=" ".join(map(str, names)))


def _joinable(column) -> pd.Series:
    """Texts of a column: of dates without a time of day only the date."""
    time = as_time(pd.Index(column))
    if isinstance(time, pd.DatetimeIndex):
        is_date = bool((time.normalize() == time)[~time.isna()].all())
        texts = time.strftime("%Y-%m-%d" if is_date else "%Y-%m-%dT%H:%M:%S.%f")
    elif isinstance(time, pd.TimedeltaIndex):
        texts = (pd.Timestamp(0) + time).strftime("%H:%M:%S.%f")
    else:
        texts = pd.Index(column).astype(object).map(_as_text)
    return pd.Series(texts.astype(object).fillna(""), index=column.index)
