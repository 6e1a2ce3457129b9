"""Rows of one part that are in another, but for rounding or noise.

A copy is much nearer to its original than the other neighbours of that are. The ratio
of the two distances needs neither a unit nor a tolerance: of rounded rows, casts to
float32 or float16, and tiny offsets it is small. Rows that repeat by nature, as those
of coarse sensors do, are as near to each other within a part as between two.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial import KDTree
from scipy.stats import binom
from sklearn.utils import gen_batches

# Rows are compared by their projections on so many random directions, if wider.
_N_DIRECTIONS = 6

# The neighbour whose distance is the yardstick: rows may be in a part a few times.
_YARDSTICK = 5

# Ratios of distances to count below. Of independent rows in d dimensions, a share of
# about 4 * ratio ** d has one.
_RATIOS = (0.001, 0.01, 0.1)

# At most so many rows are looked up: evenly spaced ones.
_MOST_ROWS = 5000

# A lower share is not many.
_FEW = 0.03

# A count with a lower probability is no chance.
_CHANCE = 1e-6

# Points of a lower dimension lie on a curve.
_CURVE = 1.5

# Distances below are rounding, in standard deviations of the columns.
_NOTHING = 1e-9

# Number of values to project at once.
_VALUES_AT_ONCE = 2**22


def project_rows(tables) -> list[np.ndarray | None]:
    """Give each row a few coordinates in which copies stay together.

    Columns are in units of their spread; missing values are put at the mean. Returns an
    array (n_rows, n_coordinates) for each table; None if they do not all hold numbers,
    and as many in a row.
    """
    widths = {int(np.prod(np.shape(table)[1:])) for table in tables}
    if len(widths) > 1 or not all(map(_holds_numbers, tables)):
        return [None for _ in tables]
    (width,) = widths
    with np.errstate(all="ignore"):  # of huge numbers
        centre, spread = _centre_and_spread(tables, width)
        is_constant = ~(spread > 1e-12 * np.abs(centre)) | ~np.isfinite(spread)
        weights = np.where(is_constant, 0.0, 1 / spread)[:, np.newaxis]
        directions = np.eye(width)
        if width > _N_DIRECTIONS:
            normal = np.random.RandomState(0).standard_normal
            directions = normal((width, _N_DIRECTIONS)) / np.sqrt(width)
        return [_project(table, centre, weights * directions) for table in tables]


def _centre_and_spread(tables, width) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; 0 for those that show nothing.

    The smallest of the parts' deviations: of a column that is constant in one part, a
    copy holds but noise.
    """
    centres, spreads = [], []
    for table in sorted(tables, key=len)[-2:]:
        sample = _take(table, _evenly(len(table)), width)
        sample = np.where(np.isfinite(sample), sample, np.nan)
        sample[:, np.isnan(sample).all(axis=0)] = 0.0
        centres.append(np.nanmean(sample, axis=0))
        spreads.append(np.nanstd(sample, axis=0))
    return centres[-1], np.min(spreads, axis=0)


def _holds_numbers(table) -> bool:
    if isinstance(table, pd.DataFrame):
        return table.select_dtypes(["number", "bool"]).shape == table.shape
    return np.asarray(table).dtype.kind in "biuf"


def _evenly(n_rows) -> np.ndarray:
    return np.linspace(0, n_rows - 1, min(n_rows, _MOST_ROWS)).astype(int)


def _take(table, rows, width) -> np.ndarray:
    """Take rows of a table as float64, flattened to 2-D."""
    if isinstance(table, pd.DataFrame):
        return table.iloc[rows].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(table)[rows].reshape(-1, width).astype(np.float64)


def _project(table, centre, matrix) -> np.ndarray:
    blocks = []
    for block in gen_batches(len(table), max(1, _VALUES_AT_ONCE // len(matrix))):
        rows = _take(table, block, len(matrix)) - centre
        blocks.append(np.where(np.isfinite(rows), rows, 0.0) @ matrix)
    return np.nan_to_num(np.concatenate(blocks))


class Prints(NamedTuple):
    """What tells the rows of a part from others."""

    hashes: np.ndarray  # of their values, (n_rows,)
    points: np.ndarray | None  # projections, as `project_rows` makes them


def count_near(one, other) -> int:
    """Count the rows of `other` near those of `one`, if these are many; else return 0.

    The rows of the smaller part are looked up in the larger one; equal ones do not
    count. As many as are near rows of their own part, or equal, may be so by nature: a
    few, and what twice their share may give by chance, count as none.
    """
    if one.points is None:
        return 0
    few, many = sorted((one, other), key=lambda part: len(part.hashes))
    n_few, n_many = len(few.hashes), len(many.hashes)
    if n_many <= _YARDSTICK + 1:
        return 0
    is_equal = np.isin(few.hashes[_evenly(n_few)], many.hashes, kind="sort")
    tree = KDTree(many.points)
    found = np.where(is_equal, 1.0, _ratios(tree, few.points))
    trees = [tree, KDTree(few.points)] if n_few > _YARDSTICK + 1 else [tree]
    usual = [_ratios(own, own.data, n_own=1) for own in trees]
    for ratio in _RATIOS[: 1 if _is_curve(tree) else None]:
        n_found = int((found < ratio).sum())
        expected = max(float((own < ratio).mean()) for own in usual)
        expected = max(expected, 1 / n_many)  # that none was seen says little
        chance = binom.sf(n_found - 1, len(found), min(1, 2 * expected))
        if n_found > _FEW * len(found) and chance < _CHANCE:
            share = n_found / len(found)
            return min(len(other.hashes), round(share * n_few))
    return 0


def _is_curve(tree) -> bool:
    """Whether points lie on a line, such as windows of a wave without noise.

    Such a wave comes back as near as it likes. The dimension is that of Levina and
    Bickel (2004), from up to 20 neighbours.
    """
    rows = tree.data[_evenly(tree.n)]
    distances = tree.query(rows, k=min(21, tree.n))[0][:, 2:]
    distances = distances[distances[:, 0] > _NOTHING]
    if not len(distances):
        return True
    return bool(np.log(distances[:, -1:] / distances).mean() > 1 / _CURVE)


def _ratios(tree, points, n_own=0) -> np.ndarray:
    """Distance to the nearest point by that to a farther one, beside the own ones."""
    rows = points[_evenly(len(points))]
    distances = tree.query(rows, k=_YARDSTICK + n_own)[0]
    distances[distances < _NOTHING] = 0
    nearest, farther = distances[:, n_own], distances[:, -1]
    # where even the farther ones are equal, nothing is near in particular
    return np.divide(nearest, farther, out=np.ones(len(rows)), where=farther > 0)


def are_near(one, other) -> bool:
    """Whether each of the projected rows is near the one at the same place."""
    return bool((np.linalg.norm(one - other, axis=1) < _RATIOS[1]).all())
