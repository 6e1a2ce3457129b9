"""Times of rows: of any type, or written in any usual way."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.api import guess_datetime_format

from skad.series._time_kinds import as_time, check_numbers, is_like_date, kind_of, shown
from skad.series._written_dates import DATE, Where, check_all_have_offsets, read_dates

UNITS = ("D", "h", "m", "s", "ms", "us", "ns")  # of numbers since 1970

_OFFSET = re.compile(r"(?:\d:\d\d\S*?|T\d{2,6})\s?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$")
_MONTH = r"(?i)jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_TIME_OF_DAY = re.compile(
    r"^\d{1,2}[:.]\d{2}([:.]\d{2}(?!\d)|(?![.\d]))"  # 18.00.00 but not 31.02.2024
)


@dataclass(frozen=True)
class TimeStyle:
    """How the times of a table are given, learnt in fit.

    `kind` is "dates", "durations" or "numbers". `yearfirst` is whether years stand
    before days and months, None where no text has told; `dayfirst` what the user has
    said, or where years come last what was learnt, None where days need no order.
    `format` is what the user has given, or that of months in words; `zone` is that of
    dates with one. `other_format` would read years of two digits first, where they
    were read last.
    """

    kind: str
    dayfirst: bool | None = None
    format: str | None = None
    zone: str | None = None
    yearfirst: bool | None = None
    other_format: str | None = None

    @property
    def order(self) -> bool | None:
        """Whether days come first, or months; None where nothing depends on it."""
        return self.dayfirst if self.yearfirst is False else None

    def say_years(self) -> str:
        """Say what else the years of two digits may be."""
        if self.other_format is None:
            return ""
        return f"years last (if they come first, say format={self.other_format!r})"


# Reading ----------------------------------------------------------------------------


def learn_times(
    raw: pd.Index, groups: NDArray, style: TimeStyle, where: Where
) -> tuple[pd.Index, TimeStyle]:
    """Read times, and learn how they are written.

    `groups` numbers the series of each row, `style` holds what the user has said of
    days and format. Raises ValueError if a time is missing or unreadable, or days and
    months can be told in two ways.
    """
    time, style = _read(raw, groups, style, where)
    zone = getattr(time, "tz", None)
    return time, replace(style, kind=kind_of(time), zone=_name_of(zone))


def read_times(raw: pd.Index, style: TimeStyle, where: Where) -> pd.Index:
    """Read times as they were read in fit; refuse other ones."""
    time, _ = _read(raw, None, style, where)
    now, what = kind_of(time), where.what
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


def _read(raw, groups, style, where) -> tuple[pd.Index, TimeStyle]:
    time = as_time(raw)
    if time is None or (style.format is not None and kind_of(time) == "numbers"):
        texts = raw.astype(object).map(_as_text)
        time, style = _read_texts(raw, texts, groups, style, where)
    unread = np.flatnonzero(time.isna())
    if len(unread):
        raise ValueError(_unreadable(raw, unread, where, style))
    if kind_of(time) == "numbers":
        time = check_numbers(time, *where)
    return time.rename(raw.name), style


def _as_text(value) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # 20240112.0, beside missing ones
    return str(value).strip()


def _unreadable(raw, unread, where, style) -> str:
    value = raw[unread[0]]
    advice = "Drop or correct these rows; was the file cut off?"
    if isinstance(value, str) and _TIME_OF_DAY.match(value.strip()):
        advice = "It has no date: join two columns with time=[date, time]."
    elif isinstance(value, bool | np.bool_):
        advice = "True and False are no times."
    elif style.format is not None:
        advice = f"It was read with format={style.format!r}."
    elif style.order is not None and is_like_date(value):
        first = "day" if style.order else "month"
        advice = f"Others read {first} first; give all of them one order."
    return (
        f"Row {where.rows[unread[0]]} has no readable timestamp in {where.what}: "
        f"{shown(value)} ({len(unread)} such rows). {advice}"
    )


# Texts ------------------------------------------------------------------------------


def check_format(format: str | None, dayfirst: bool | None) -> None:
    """Refuse what is no format of times, and `dayfirst` beside one."""
    if format is None:
        return
    if format not in (*UNITS, "ISO8601", "mixed") and "%" not in format:
        raise ValueError(
            f"format={format!r}; expected a format such as '%d/%m/%Y', or for numbers "
            f"since 1970 their unit, one of {', '.join(map(repr, UNITS))}."
        )
    if dayfirst is not None:
        raise ValueError(
            f"dayfirst={dayfirst} is given with format={format!r}, which tells the "
            "order already; give one of them."
        )


def format_of_numbers(time: pd.Index) -> str | None:
    """Format with which numbers would be dates, if all look like it."""
    least, most = time.min(), time.max()
    if not (np.asarray(time) % 1 == 0).all():
        return None
    if least >= 19000101 and most <= 21001231:
        days = np.asarray(time).astype(np.int64).astype(str)
        days = pd.to_datetime(days, format="%Y%m%d", errors="coerce")
        return None if days.hasnans else "%Y%m%d"
    # between 2001 and 2033
    units = {"s": 10**9, "ms": 10**12, "us": 10**15, "ns": 10**18}
    return next((u for u, n in units.items() if n <= least and most < 2 * n), None)


def _read_texts(raw, texts, groups, style, where) -> tuple[pd.Index, TimeStyle]:
    texts = texts.where(~raw.isna(), "")
    if style.format is not None:
        return _read_format(texts, style.format), style
    numbers = pd.to_numeric(texts, errors="coerce")
    if not numbers.isna().any():
        return pd.Index(numbers), style
    # As texts, since pandas would read numbers among them as time since 1970.
    several = _have_several_offsets(texts, where)
    time = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=several)
    if not time.isna().any():
        return time, replace(style, yearfirst=True)
    found = texts.to_series(index=range(len(texts))).str.extract(DATE)
    if found[0].notna().mean() > 0.5:
        return read_dates(found, texts, groups, style, where)
    if time.isna().all():
        guess = _guess_format(texts)
        if guess is not None:
            return _read_format(texts, guess), replace(style, format=guess)
    return time, style


def _guess_format(texts) -> str | None:
    """Format of dates with months in words; None if there are none."""
    if not texts.str.contains(_MONTH).any():
        return None
    return guess_datetime_format(next(text for text in texts if text)) or "mixed"


def _read_format(texts, format) -> pd.Index:
    if format in UNITS:
        numbers = pd.to_numeric(texts, errors="coerce")
        return pd.to_datetime(numbers, unit=format, errors="coerce")
    utc = "%z" in format
    return pd.to_datetime(texts, format=format, errors="coerce", utc=utc)


def _have_several_offsets(texts, where) -> bool:
    """Whether texts hold several offsets from UTC; all must hold one, or none."""
    offsets = texts.str.extract(_OFFSET, expand=False)
    if offsets.isna().all():
        return False
    check_all_have_offsets(offsets.isna() & texts.str.contains(r"\d"), texts, where)
    return offsets.nunique() > 1


# Joining ----------------------------------------------------------------------------


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
