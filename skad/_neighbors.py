"""Nearest rows, exactly: found in float32, proven in float64.

A product of matrices in float32 finds candidates at a quarter of the cost of exact
distances, but rounds, and by what stands beside a row. So distances of the candidates
are computed again in float64, a row at a time. Where all other rows are farther than
the candidates by more than rounding can explain, these are the nearest; else they are
looked for in the same way by a product in float64, and where ties leave that open, too,
the row is compared with all rows. What is found depends on nothing beside the row.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Columns of a group of which the smallest value is found first.
_GROUP = 16
# Candidates beside the rows that are looked for: own rows, and near ties.
_N_SPARE = 4
# Numbers (16 MB) in the largest array while one row is compared with all.
_NUMBERS_AT_ONCE = 2**21


class Neighbors(NamedTuple):
    """Positions of the nearest rows and squared distances from them, nearest first."""

    positions: NDArray[np.intp]
    squares: NDArray[np.float64]


class NearestRows:
    """Rows among which the nearest ones are found, equal ones kept once.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_values)
        The rows, float64. Everything else follows from them.
    center : ndarray of shape (n_values,)
        Their mean.
    farthest : float
        Squared distance of the row that is farthest from it.
    sieve : ndarray of shape (n_values + 1, n_rows)
        Minus twice the centred rows, and their squared lengths, float32.
    """

    def __init__(self, rows: NDArray):
        rows = np.asarray(rows, dtype=np.float64)
        _, first = np.unique(rows, axis=0, return_index=True)
        self.__setstate__({"rows": rows[np.sort(first)]})

    def __getstate__(self):
        return {"rows": self.rows}

    def __setstate__(self, state):
        self.rows: NDArray[np.float64] = state["rows"]
        self.center: NDArray[np.float64] = self.rows.mean(axis=0)
        with np.errstate(over="ignore"):  # to infinity, where nothing is proven
            fine = self._make_sieve()
            self.farthest = float(fine[-1].max())
            self.sieve = fine.astype(np.float32)

    @cached_property
    def fine_sieve(self) -> NDArray[np.float64]:
        """The sieve in float64, made when the first row asks for it."""
        return self._make_sieve()

    def _make_sieve(self):
        centred = self.rows - self.center
        return np.vstack([-2 * centred.T, np.vecdot(centred, centred)])

    def nearest(self, block: NDArray[np.float64], n: int) -> Neighbors:
        """Find the n nearest rows of each row of a block, equal ones left out.

        A row at distance zero is taken to be the row itself, unless there is no other.
        Of rows at the same distance the first ones are taken.
        """
        shape = len(block), min(n, len(self.rows))
        positions, squares = np.empty(shape, dtype=np.intp), np.empty(shape)
        left = np.arange(len(block))
        with np.errstate(over="ignore", invalid="ignore"):
            for name in ("sieve", "fine_sieve"):
                rows, sieve = block[left], getattr(self, name)
                candidates, least = self._sift(rows, n + _N_SPARE, sieve)
                positions[left], squares[left] = self._closest(rows, candidates, n)
                left = left[~(squares[left, -1] < least)]
                if not len(left):
                    break
        for row in left:
            positions[row], squares[row] = self._among_all(block[row], n)
        return Neighbors(positions, squares)

    def _sift(self, block, n, sieve):
        """Find candidates, and how near the other rows can be at least."""
        n_rows = len(self.rows)
        if n >= n_rows:
            everything = np.tile(np.arange(n_rows), (len(block), 1))
            return everything, np.full(len(block), np.inf)
        centred = block - self.center
        lengths = np.vecdot(centred, centred)
        extended = np.column_stack([centred, np.ones(len(block))])
        near = extended.astype(sieve.dtype) @ sieve
        candidates, others = _smallest(near, n)
        longest = (np.sqrt(lengths) + np.sqrt(self.farthest)) ** 2
        limits = np.finfo(sieve.dtype)
        # What the sieve may be wrong by: each term and each sum by half an eps of it,
        # as long as none overflows, nor all of them nearly vanish.
        wrong = (block.shape[1] + 8) * limits.eps * longest
        is_safe = longest < limits.max / 2
        is_safe &= longest > 2 * limits.smallest_normal / limits.eps
        return candidates, np.where(is_safe, others + lengths - wrong, -np.inf)

    def _closest(self, block, candidates, n):
        """Find the n nearest of the candidates of each row."""
        apart = self.rows[candidates] - block[:, None, :]
        squares = self._without_own(np.vecdot(apart, apart))
        order = np.lexsort((candidates, squares), axis=1)[:, :n]
        return (
            np.take_along_axis(candidates, order, axis=1),
            np.take_along_axis(squares, order, axis=1),
        )

    def _among_all(self, row, n):
        """Find the n nearest of all rows."""
        squares = np.empty(len(self.rows))
        n_at_once = max(1, _NUMBERS_AT_ONCE // len(row))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(squares), n_at_once):
                apart = self.rows[start : start + n_at_once] - row
                squares[start : start + n_at_once] = np.vecdot(apart, apart)
        squares = self._without_own(squares)
        order = np.argsort(squares, kind="stable")[:n]
        return order, squares[order]

    def _without_own(self, squares):
        if len(self.rows) == 1:
            return squares
        return np.where(squares == 0, np.inf, squares)


def _smallest(values, n):
    """Positions of the n smallest values of each row, and the smallest one beside them.

    They are in n + 1 groups of columns, those with the smallest minima, and minima of
    groups are found much faster than the order of all columns.
    """
    positions = None
    n_groups = -(-values.shape[1] // _GROUP)
    if 4 * (n + 1) < n_groups:
        groups = np.argpartition(_minima(values, n_groups), n, axis=1)[:, : n + 1]
        positions = groups[:, :, None] + n_groups * np.arange(_GROUP)
        positions = positions.reshape(len(values), -1)
        is_there = positions < values.shape[1]
        positions = np.where(is_there, positions, 0)
        values = np.take_along_axis(values, positions, axis=1)
        values[~is_there] = np.inf
    order = np.argpartition(values, n, axis=1)[:, : n + 1]
    beside = np.take_along_axis(values, order[:, n:], axis=1)[:, 0]
    if positions is not None:
        order = np.take_along_axis(positions, order, axis=1)
    return order[:, :n], beside


def _minima(values, n_groups):
    """Minima of groups of columns, each of those that are `n_groups` apart."""
    minima = values[:, :n_groups].copy()
    for start in range(n_groups, values.shape[1], n_groups):
        part = values[:, start : start + n_groups]
        own = minima[:, : part.shape[1]]
        np.minimum(own, part, out=own)
    return minima
