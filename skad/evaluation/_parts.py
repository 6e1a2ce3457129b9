"""The parts of the data, and whether they share rows."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.utils import gen_batches

from skad._validation import (
    check_consistent_length,
    column_or_1d,
    native,
    num_samples,
)
from skad.evaluation._near import Prints, are_near, count_near, project_rows
from skad.series._rows import read_rows

# Number of consecutive rows to compare as one: single values repeat in many series,
# this many in the same order hardly ever do.
_STRETCH = 20

_RELABELLED = " under other index labels"

# Number of values to hash at once.
_VALUES_AT_ONCE = 2**22


@dataclass(frozen=True, eq=False)
class Part:
    """Rows with one role, as given."""

    name: str  # "train", "val" or "test"
    X: Any  # (n_rows, ...), what detectors are given
    y: Any = None  # labels of the rows
    groups: Any = None  # patient, machine or series of each row
    table: Any = None  # X as a TableReader reads it, if detectors begin with one

    def __post_init__(self):
        if isinstance(self.X, pd.DataFrame | pd.Series):  # arrays show their memory
            object.__setattr__(self, "X", native(self.X))
        check_consistent_length(self.seen, self.y, self.groups)
        if not len(self):
            raise ValueError(f"X_{self.name} holds no rows; at least one is needed.")

    def __len__(self) -> int:
        return num_samples(self.seen)

    @property
    def seen(self) -> Any:
        """Rows as numbers, which can be compared."""
        return self.X if self.table is None else self.table

    @property
    def index(self) -> pd.Index | None:
        """Index of the rows, if they have one."""
        return self.seen.index if isinstance(self.seen, pd.DataFrame) else None

    @property
    def group_names(self) -> pd.Index | None:
        """Distinct groups, or else series; None if neither is known."""
        if self.groups is not None:
            return pd.Index(column_or_1d(self.groups)).unique()
        if isinstance(self.index, pd.MultiIndex):
            return self.index.droplevel(-1).unique()
        return None


class Finding(NamedTuple):
    """What connects two parts, and whether that calls for a warning."""

    text: str
    is_warning: bool


def check_parts(parts, *, is_series) -> list[Finding]:
    """Refuse parts that share rows or labels; find what else connects them.

    Parts come in the order train, val, test; rows in that of time, if `is_series`.
    """
    findings = []
    prints = _fingerprint(parts)
    for one, other in combinations(parts, 2):
        findings += _check_pair(one, other, prints)
        findings += _find_overlapping_windows(one, other)
        findings += _find_shared_groups(one, other)
    if is_series:
        findings += [f for one in parts[1:-1] for f in _find_seams(one, parts[-1])]
    return findings


def _fingerprint(parts) -> dict[str, Prints]:
    """Describe the rows of each part."""
    points = project_rows([part.seen for part in parts])
    return {
        part.name: Prints(hash_rows(part.seen), place)
        for part, place in zip(parts, points, strict=True)
    }


def _check_pair(one, other, prints) -> list[Finding]:
    """Refuse two parts that share rows; a few equal ones are only a finding."""
    n_shared, how, is_many = _find_shared_rows(one, other, prints)
    if not n_shared:
        if _same_memory(one.y, other.y).any():  # one of the two was mixed up
            raise ValueError(
                f"y_{one.name} and y_{other.name} share memory: they are the same "
                "labels. Give each part its own rows and labels."
            )
        return []
    where = f"{n_shared} of {len(other)} rows of X_{other.name} are in X_{one.name} too"
    if is_many and not how.endswith(_RELABELLED):
        raise ValueError(
            f"{where} ({how}). A row may be in one part only: test rows must be new "
            "to the detector and to its threshold. Split again, or drop duplicates; if "
            "different rows have equal values, give each row its own index label."
        )
    return [Finding(f"{where} ({how}).", is_many)]


def _find_shared_rows(one, other, prints) -> tuple[int, str, bool]:
    """Count rows of `other` that are in `one`, say how we know, and if they are many.

    Labels of an index are trusted if no row has the same label as one of the other
    part, or if rows with the same label are equal. Else rows are compared by value.
    """
    n_shared = int(_same_memory(one.seen, other.seen).sum())
    if n_shared:
        return n_shared, "the same memory", True
    ours, theirs = prints[one.name], prints[other.name]
    how = "the same values"
    if _have_like_labels(one, other):
        has_label = other.index.isin(one.index)
        if not has_label.any():
            how += _RELABELLED
        elif _are_equal_by_label(one.index, other.index, has_label, ours, theirs):
            return int(has_label.sum()), "the same index labels and values", True
    n_shared, is_many = count_equal(ours.hashes, theirs.hashes)
    n_near = 0 if is_many else count_near(ours, theirs)
    if n_near:
        return n_near, how.replace("same values", "same values but for noise"), True
    return n_shared, how, is_many


def _are_equal_by_label(index, other, has_label, ours, theirs) -> bool:
    """Whether rows with labels of the other part have its values, but for rounding."""
    pairs = _hash_pairs(index, ours.hashes), _hash_pairs(other, theirs.hashes)
    if _is_hash_in(pairs[1], pairs[0])[has_label].all():
        return True
    if ours.points is None or not index.is_unique:
        return False
    places = index.get_indexer(other[has_label])
    return are_near(ours.points[places], theirs.points[has_label])


def _have_like_labels(one, other) -> bool:
    """Whether the indexes of two parts have the same kind of labels."""
    a, b = one.index, other.index
    if a is None or b is None or a.nlevels != b.nlevels:
        return False
    return a.get_level_values(-1).dtype == b.get_level_values(-1).dtype


def _hash_pairs(index, hashes) -> np.ndarray:
    """Hash rows together with their labels."""
    labels = pd.util.hash_pandas_object(index, index=False).to_numpy()
    return _hash(pd.DataFrame({"label": labels, "row": hashes}))


def count_equal(one, other) -> tuple[int, bool]:
    """Count the rows of `other` that are also in `one`, and say whether they are many.

    The rows of two parts come as hashes. Values that repeat within the parts may be in
    both by chance: with draws from one distribution there are on average no more equal
    pairs between two parts than within them. Up to twice as many as repeat count as
    none, and up to a hundredth of the rows is not many. Rows are compared one by one,
    and as stretches, which repeat less.
    """
    if np.array_equal(one, other) and (len(one) == 1 or (one != one[0]).any()):
        return len(other), True  # constant ones are equal by nature
    n_found, is_many = 0, False
    shorter = min(len(one), len(other))
    for length in (1, _STRETCH):
        if length > shorter:
            break
        views = (sliding_window_view(hashes, length) for hashes in (one, other))
        stretches = [_hash(pd.DataFrame(view)) for view in views]
        is_shared = _is_hash_in(stretches[1], stretches[0])
        n_repeats = sum(len(part) - len(np.unique(part)) for part in stretches)
        n_more = int(is_shared.sum()) - 2 * n_repeats
        if n_more > 0:
            is_many |= n_more > 0.01 * shorter
            n_rows = int((np.convolve(is_shared, np.ones(length)) > 0).sum())
            n_found = max(n_found, n_rows)
    return n_found, is_many


def hash_rows(X) -> np.ndarray:
    """Hash each row by its values, in arrays and tables alike; numbers as float64."""
    is_frame = isinstance(X, pd.DataFrame)
    X = X if is_frame else np.asarray(X)
    width = max(1, int(np.prod(X.shape[1:])))
    hashes = []
    for block in gen_batches(len(X), max(1, _VALUES_AT_ONCE // width)):
        rows = X.iloc[block] if is_frame else pd.DataFrame(X[block].reshape(-1, width))
        is_number = rows.select_dtypes("number").shape == rows.shape
        hashes.append(_hash(rows.astype(np.float64) if is_number else rows))
    return np.concatenate(hashes)


def _hash(frame) -> np.ndarray:
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()


def _is_hash_in(hashes, others) -> np.ndarray:
    """Whether each hash is one of the others."""
    # kind="sort": the table that numpy 2.0 may choose overflows for large hashes.
    return np.isin(hashes, others, kind="sort")


def _addresses(rows) -> np.ndarray:
    """Memory addresses of the rows of an array; none for other tables."""
    if isinstance(rows, pd.Series):
        rows = rows.to_numpy()
    if not isinstance(rows, np.ndarray):
        return np.empty(0, dtype=int)
    return byte_bounds(rows[:1])[0] + np.arange(len(rows)) * rows.strides[0]


def _same_memory(one, other) -> np.ndarray:
    """Whether each row of `other` is in the same memory as a row of `one`."""
    if getattr(one, "shape", [])[1:] != getattr(other, "shape", [])[1:]:
        return np.zeros(0, dtype=bool)
    return np.isin(_addresses(other), _addresses(one))


def _find_overlapping_windows(one, other) -> list[Finding]:
    """Find rows that share part of their memory: windows that share timesteps."""
    begins, others = np.sort(_addresses(one.seen)), _addresses(other.seen)
    # rows of arrays in column order interleave in memory without sharing any
    if not len(begins) or not len(others) or not other.seen[:1].flags.c_contiguous:
        return []
    low, high = byte_bounds(other.seen[:1])
    place = np.searchsorted(begins, others)
    after = begins[np.minimum(place, len(begins) - 1)]
    before = begins[np.maximum(place - 1, 0)]
    distance = np.minimum(np.abs(after - others), np.abs(others - before))
    n_overlapping = int((distance < high - low).sum())
    text = (
        f"{n_overlapping} of {len(other)} windows of X_{other.name} share timesteps "
        f"with windows of X_{one.name}; split the table first, then cut windows."
    )
    return [Finding(text, True)] if n_overlapping else []


def _find_shared_groups(one, other) -> list[Finding]:
    """Find groups, or series, that have rows in both parts."""
    names = one.group_names, other.group_names
    if names[0] is None or names[1] is None:
        return []
    n_shared = int(names[1].isin(names[0]).sum())
    kind = "series" if other.groups is None else "groups"
    text = (
        f"{n_shared} of {len(names[1])} {kind} of X_{other.name} are in X_{one.name}, "
        f"too: the figures do not show how detectors do on new {kind}."
    )
    # series are often cut in time on purpose; groups are given to be kept apart
    return [Finding(text, kind == "groups")] if n_shared else []


def _find_seams(one, other) -> list[Finding]:
    """Find places where one part follows the other without a gap in time."""
    if not _have_like_labels(one, other):
        return []
    index = one.index.append(other.index)
    if index.has_duplicates:
        return []
    order = index.argsort()
    rows = read_rows(index[order])
    is_other = order >= len(one)
    n_seams = int((np.diff(is_other) & (np.diff(rows.segments) == 0)).sum())
    text = (
        f"X_{one.name} and X_{other.name} border on each other in time "
        f"{'once' if n_seams == 1 else f'{n_seams} times'}: rows on both sides of a "
        "border are alike."
    )
    return [Finding(text, False)] if n_seams else []
