"""Dates that are written with numbers, in whatever order of year, month and day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad.series._time_kinds import goes_back

DATE = r"^(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:[T\s,]+(.*))?$"
_CLOCK = (
    r"^(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?"
    r"\s*([AaPp])?(?:\.?[Mm]\.?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
)


class Where(NamedTuple):
    """What names the times in messages, and the numbers of their rows."""

    what: str
    rows: NDArray[np.int64]


def read_dates(
    found: pd.DataFrame, texts: pd.Index, groups: Any, style: Any, where: Where
) -> tuple[pd.Index, Any]:
    """Read dates of numbers from their parts, in the order that fits all of them.

    `found` holds what `DATE` finds in `texts`, `style` is a `TimeStyle`. Without
    `groups` the order is that of fit.
    """
    clock, zone = _read_clock(found[4])
    if not np.isnan(zone).all():
        is_date = found[0].notna().to_numpy()
        check_all_have_offsets(is_date & np.isnan(zone), texts, where)
    year_first = found[[0, 2, 3]]
    has_long_first = found[0].str.len() >= 3
    if has_long_first.mean() > 0.5:
        style = replace(style, yearfirst=True)
        days = _days(year_first.where(has_long_first))
    elif style.yearfirst and (found[3].str.len() <= 2).mean() > 0.5:
        days = _days(year_first)
    else:
        year_last = found[[3, 2, 0]].where(~has_long_first)
        read = {True: year_last, False: year_last.iloc[:, [0, 2, 1]]}
        if groups is None:
            days = _days_as_in_fit(read, year_first, texts, style, where)
        else:
            days, style = _learn_order(
                read, year_first, clock, texts, groups, style, where
            )
    return _localize(days + clock, zone), style


def _days_as_in_fit(orders, year_first, texts, style, where) -> NDArray:
    """Read dates with their years last; refuse an order that fit has not told."""
    days = _days(orders[style.dayfirst is not False])
    if style.dayfirst is not None:
        return days
    others = [_days(orders[False])]
    if style.yearfirst is None and (year_first[3].str.len() <= 2).any():
        others.append(_days(year_first))
    is_other = [(days != d) & ~(np.isnat(days) & np.isnat(d)) for d in others]
    differ = np.flatnonzero(np.any(is_other, axis=0))
    if len(differ):
        row = differ[0]
        raise ValueError(
            f"Row {where.rows[row]} of {where.what} holds {texts[row]!r}, whose order "
            "of day and month the table given to fit did not tell; say it there with "
            "dayfirst=True or dayfirst=False, or give dates as in fit."
        )
    return days


def _learn_order(orders, year_first, clock, texts, groups, style, where):
    """Read dates with their years last, or first if only that fits."""
    style = replace(style, yearfirst=False)
    if style.dayfirst is not None:
        return _days(orders[style.dayfirst]), style
    read = {first: _days(order) for first, order in orders.items()}
    if all(np.isnat(days).any() for days in read.values()):
        days = _days(year_first)  # 99-12-31
        if not np.isnat(days).any():
            return days, replace(style, yearfirst=True)
    first = _choose(read, clock, texts, groups, where)
    days = read[first is not False]
    other = _format_of_years_first(year_first, days, texts)
    return days, replace(style, dayfirst=first, other_format=other)


def _format_of_years_first(parts, days, texts) -> str | None:
    """Format that reads years of two digits first, if dates are nearer then."""
    if not (parts[3].str.len() <= 2).all():
        return None
    others = _days(parts)
    if np.isnat(others).any() or not np.ptp(others) < np.ptp(days):
        return None
    sign = next(c for c in texts[0] if not c.isdigit())
    clock = {1: " %H:%M", 2: " %H:%M:%S"}.get(texts[0].count(":"), "")
    return f"%y{sign}%m{sign}%d{clock}"


def _choose(read, clock, texts, groups, where) -> bool | None:
    """Say whether days come first, if only that fits; None if both are the same."""
    lost = {first: np.isnat(days).sum() for first, days in read.items()}
    if lost[True] != lost[False]:
        return bool(lost[True] < lost[False])
    differ = np.flatnonzero(read[True] != read[False])
    if np.isnat(read[True]).any() or not len(differ):
        return None if not len(differ) else True  # rows without a date will be named
    backwards = {f: goes_back(d + clock, groups)[0] for f, d in read.items()}
    if backwards[True] != backwards[False]:
        return bool(backwards[True] < backwards[False])
    row = differ[0]
    one, other = (
        pd.Timestamp(read[f][row]).strftime("%d %b %Y") for f in (True, False)
    )
    raise ValueError(
        f"{where.what} can be read in two ways: {texts[row]!r} in row "
        f"{where.rows[row]} is {one} with dayfirst=True and {other} with "
        f"dayfirst=False, and no row tells which ({len(differ)} of {len(texts)} rows "
        "differ). Say it: dayfirst=True, dayfirst=False, or format=."
    )


def _days(parts) -> NDArray[np.datetime64]:
    """Dates of (year, month, day) as texts; NaT where there is no such date."""
    by = list(parts.columns)  # there are few distinct ones
    codes = parts.groupby(by, sort=False, dropna=False).ngroup().to_numpy()
    return _distinct_days(parts.drop_duplicates())[codes]


def _distinct_days(parts) -> NDArray[np.datetime64]:
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
    codes, distinct = pd.factorize(texts, use_na_sentinel=False)
    clock, minutes = _read_distinct_clocks(pd.Series(distinct, dtype=object))
    return clock[codes], minutes[codes]


def _read_distinct_clocks(texts) -> tuple[NDArray, NDArray]:
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


def check_all_have_offsets(is_without: Any, texts: pd.Index, where: Where) -> None:
    """Refuse texts without an offset from UTC where others have one."""
    without = np.flatnonzero(is_without)
    if len(without):
        raise ValueError(
            f"Row {where.rows[without[0]]} of {where.what} has no offset from UTC, "
            f"{texts[without[0]]!r}, but other rows do ({len(without)} of {len(texts)} "
            "do not). Give all of them one, or none."
        )
