"""What was found in a raw table, and done to it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass
class TableReport:
    """What `TableReader` or `clean_table` has found in a table, and done to it.

    Print it to read it.

    Attributes
    ----------
    n_rows, n_rows_out : int
        Rows of the table, and of what was made of it.
    time : str
        Where the time was found and how it was read.
    series : list of str
        Names of what names the series.
    n_series : int
        Number of series.
    n_doubled : int
        Rows that were dropped, since they repeat an earlier one of their series.
    n_empty : int
        Rows that were dropped at the end, since they hold nothing.
    units : dict
        Units of sensors, from a row under the header.
    dropped : dict
        Columns without any number that were dropped, and what they hold.
    unreadable : dict of dict
        For each sensor, the texts that became missing, and how often each was there.
    missing : dict
        For each sensor, how many values were told by `missing`.
    sentinels : dict of dict
        For each sensor, values that look like ones that stand for missing values, and
        how often each is there. They were kept.
    decimal_commas : list
        Sensors that were read with decimal commas.
    """

    n_rows: int = 0
    n_rows_out: int = 0
    time: str = ""
    series: list[str] = field(default_factory=list)
    n_series: int = 1
    n_doubled: int = 0
    n_empty: int = 0
    units: dict[Hashable, str] = field(default_factory=dict)
    dropped: dict[Hashable, str] = field(default_factory=dict)
    unreadable: dict[Hashable, dict[str, int]] = field(default_factory=dict)
    missing: dict[Hashable, int] = field(default_factory=dict)
    sentinels: dict[Hashable, dict[float, int]] = field(default_factory=dict)
    decimal_commas: list[Hashable] = field(default_factory=list)

    def __repr__(self) -> str:
        lines = [f"Table of {self.n_rows} rows, read as {self.n_rows_out}"]
        lines += [f"  time: {self.time}"] if self.time else []
        if self.series:
            lines.append(f"  series: {self.n_series}, by {', '.join(self.series)}")
        if self.n_doubled:
            lines.append(f"  dropped, repeat an earlier row: {self.n_doubled} rows")
        if self.n_empty:
            lines.append(f"  dropped, empty at the end: {self.n_empty} rows")
        by_title = {
            "units": _listed(self.units),
            "dropped columns": _listed(self.dropped),
            "became missing, since they are no numbers": "; ".join(
                f"{name}: {counted(flags)}" for name, flags in self.unreadable.items()
            ),
            "became missing, as told": _listed(self.missing),
            "may stand for missing values": "; ".join(
                f"{name}: {counted(values)}" for name, values in self.sentinels.items()
            ),
            "decimal commas": ", ".join(map(str, self.decimal_commas)),
        }
        lines += [f"  {title}: {text}" for title, text in by_title.items() if text]
        return "\n".join(lines)


def counted(counts: dict, most: int = 4) -> str:
    """List values with how often each is there, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{value!r} x {n}" for value, n in ordered[:most])
    return shown + (f", {len(counts) - most} others" if len(counts) > most else "")


def _listed(entries) -> str:
    return ", ".join(f"{name}: {value}" for name, value in entries.items())
