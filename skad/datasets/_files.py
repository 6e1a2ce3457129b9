"""Shared by generators and readers: checks, and reading tables from text files."""

import csv
import gzip
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd

from skad._validation import InvalidParameterError

# Kinds of columns, in the words of the messages. A tuple of labels, all of them text or
# all whole numbers, is a kind too.
NUMBER = "a finite number"
NUMBER_OR_NOTHING = "a finite number or nothing"
WHOLE_NUMBER = "a whole number"
TIME = "a date and time such as 2018-04-01 00:00:00"

# For the docstrings of readers.
FAULTY_FILE = """
    ValueError
        If a file has another header or separator, a line has more or fewer columns, a
        value cannot be read, there are no rows, or the compressed data are damaged. The
        message names the file, the line and the column, both counted from 1, what was
        found there and what was expected.
"""

_MISSING = ("", "NA", "NaN", "nan")
# The folders of real data also hold lists of their files, under these names.
_LISTS = ("files", "verify")

Layout = Mapping[str, str | tuple]


def check_count(name, value, lowest) -> None:
    """Raise unless `value` is a whole number that is not below `lowest`."""
    is_int = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_int or value < lowest:
        raise InvalidParameterError(f"{name}={value!r}; expected an int >= {lowest}.")


def find_tables(folder) -> dict[str, Path]:
    """Find the files .csv and .csv.gz of a folder and of the folders in it.

    Their names are the paths within the folder without the ending, sorted, 9 before 10.
    """
    folder = Path(folder).expanduser()
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; expected a folder of tables.")
    found: dict[str, Path] = {}
    for path in folder.rglob("*.csv*"):
        match = re.fullmatch(r"([^.].*)\.csv(\.gz)?", path.name)
        if match is None or match[1] in _LISTS:
            continue
        name = path.relative_to(folder).with_name(match[1]).as_posix()
        if name in found:
            raise ValueError(
                f"{folder} holds both {found[name].name} and {path.name}; expected one "
                f"file for {name}."
            )
        found[name] = path
    if not found:
        raise FileNotFoundError(f"{folder} holds no file *.csv or *.csv.gz.")
    return {name: found[name] for name in sorted(found, key=_number_aware)}


def _number_aware(name):
    parts = re.split(r"(\d+)", name)
    return [int(part) if part.isdecimal() else part for part in parts]


def read_table(
    path,
    layouts: Sequence[Layout] | Callable[[list[str]], Sequence[Layout]],
    *,
    delimiter=",",
    has_header=True,
) -> pd.DataFrame:
    """Read a table in one of several layouts; without a header, in the first of them.

    Where channels may have any names, a function makes the layouts from the header.

    A layout says what the columns hold, by name and in order. The last one must not
    allow missing values: that is how short lines are noticed. Numbers and whole numbers
    are read as float64, times as datetime64, labels as str.
    """
    path = Path(path).expanduser()
    try:
        layout = (
            _find_layout(path, layouts, delimiter) if has_header else layouts[0]  # type: ignore[index]
        )
        table = _parse(path, layout, delimiter, int(has_header))
        if table is None:
            fault = _find_fault(path, layout, delimiter, int(has_header))
            raise ValueError(f"{path}, {fault}")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged or cut off: {error}") from error
    return table


def _open_text(path):
    opened = gzip.open if path.suffix == ".gz" else open
    return opened(path, "rt", encoding="utf-8-sig", errors="replace")


def _rows(file, n_skipped):
    """Yield the rows after the header and their line numbers, which start at 1."""
    for number, line in enumerate(file, start=1):
        if number > n_skipped and line.strip():  # pandas skips blank lines, too
            yield number, line


def _split(line, delimiter) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\n")], delimiter=delimiter))
    except csv.Error:
        return line.split(delimiter)


def _find_layout(path, layouts, delimiter) -> Layout:
    with _open_text(path) as file:
        line = file.readline()
    header = _split(line, delimiter)
    layouts = layouts(header) if callable(layouts) else layouts
    for layout in layouts:
        if list(layout) == header:
            return layout
    fault = _find_fault_in_header(line, layouts, delimiter)
    raise ValueError(f"{path}, line 1, {fault}")


def _is_text(kind) -> bool:
    return kind == TIME or (isinstance(kind, tuple) and isinstance(kind[0], str))


def _parse(path, layout, delimiter, n_skipped) -> pd.DataFrame | None:
    """Parse the table in one go; None if anything is wrong with it."""
    kinds = list(layout.values())
    with _open_text(path) as file:
        _, first = next(_rows(file, n_skipped), (0, ""))
    if first.count(delimiter) >= len(kinds):  # a column costs pandas a kilobyte
        return None
    try:
        table = pd.read_csv(
            path,
            sep=delimiter,
            header=None,
            skiprows=n_skipped,
            dtype={i: str if _is_text(kind) else float for i, kind in enumerate(kinds)},
            keep_default_na=False,
            na_values=list(_MISSING),
            compression="gzip" if path.suffix == ".gz" else None,
        )
        if table.shape[1] != len(kinds):
            return None
        table.columns = list(layout)
        for name, kind in layout.items():
            if kind == TIME:
                table[name] = pd.to_datetime(table[name], format="ISO8601")
    except ValueError:
        # pandas' messages name neither the file nor, mostly, the line.
        return None
    sound = all(_is_sound(table[name], kind) for name, kind in layout.items())
    return table if sound else None


def _is_sound(column, kind) -> bool:
    if isinstance(kind, tuple):
        return bool(column.isin(kind).all())
    if kind == TIME:
        return not column.isna().any()
    values = column.to_numpy()
    if kind == WHOLE_NUMBER:
        return bool(_is_whole(values).all())
    wrong = np.isinf(values) if kind == NUMBER_OR_NOTHING else ~np.isfinite(values)
    return not wrong.any()


def _is_whole(values):
    # Beyond 2**53 a float holds no exact whole number.
    return (values == np.rint(values)) & (np.abs(values) < 2**53)


# What follows only runs when something is wrong, and says where and what.


def _find_fault_in_header(line, layouts, delimiter) -> str:
    header = _split(line, delimiter)
    layout = max(layouts, key=lambda x: _count_alike(header, x))
    names, n_shared = list(layout), _count_alike(header, layout)[1]
    shown = f"{len(names)} columns, {', '.join(names[:3])}, ..., {names[-1]}"
    column = f"column {n_shared + 1}"
    if not line:
        return f"column 1: found an empty file; expected a header of {shown}."
    n_columns, mark = max((len(_split(line, mark)), mark) for mark in "|\t;,")
    if len(header) == 1 < n_columns:
        return (
            f"column 1: found {n_columns} columns separated by {mark!r}; expected them "
            f"to be separated by {delimiter!r}."
        )
    if n_shared == len(header):
        return (
            f"{column} is missing: found {len(header)} columns; expected "
            f"{names[n_shared]!r} here, and {len(names)} columns in all."
        )
    if n_shared == len(names):
        found = header[n_shared]
        return f"{column} is one too many: found {found!r}; expected {shown}."
    found, expected = header[n_shared], names[n_shared]
    return f"{column}: found {found!r} in the header; expected {expected!r}."


def _count_alike(header, layout) -> tuple[int, int]:
    """Count the names that two headers share at all, and up to the first difference."""
    same = [found == name for found, name in zip(header, layout, strict=False)]
    return len(set(header) & set(layout)), [*same, False].index(False)


def _find_fault(path, layout, delimiter, n_skipped) -> str:
    """Say where the first fault in a row is, and what it is."""
    is_empty = True
    with _open_text(path) as file:
        for number, line in _rows(file, n_skipped):
            is_empty = False
            if fault := _find_fault_in_line(line, layout, delimiter):
                return f"line {number}, {fault}"
    if is_empty:
        where = f"line {n_skipped + 1}, column 1"
        return f"{where}: found no rows; expected at least one."
    return "pandas cannot read it as a table of this layout."


def _find_fault_in_line(line, layout, delimiter) -> str | None:
    fields = _split(line, delimiter)
    names = list(layout)
    if len(fields) != len(names):
        column = min(len(fields), len(names)) + 1
        short = len(fields) < len(names)
        what = f"({names[column - 1]}) is missing" if short else "is one too many"
        found = f"found {len(fields)} columns; expected {len(names)}"
        return f"column {column} {what}: {found}."
    for column, (field, name) in enumerate(zip(fields, names, strict=True), start=1):
        if not _fits(field, layout[name]):
            expected = _in_words(layout[name])
            return f"column {column} ({name}): found {field!r}; expected {expected}."
    return None


def _fits(field, kind) -> bool:
    if kind == TIME:
        return _is_time(field)
    if _is_text(kind):
        return field in kind
    if field in _MISSING:
        return kind == NUMBER_OR_NOTHING
    try:
        value = float(field)
    except ValueError:
        return False
    if isinstance(kind, tuple):
        return value in kind
    return bool(_is_whole(value)) if kind == WHOLE_NUMBER else math.isfinite(value)


def _is_time(field) -> bool:
    try:
        datetime.fromisoformat(field)
    except ValueError:  # pandas reads a little more, but slowly
        return not pd.isna(pd.to_datetime(field, format="ISO8601", errors="coerce"))
    return True


def _in_words(kind) -> str:
    if not isinstance(kind, tuple):
        return kind
    *first, last = map(str, kind)
    return f"{', '.join(first)} or {last}"
