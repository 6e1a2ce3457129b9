"""Nearest rows, exactly: found in float32, proven in float64.

A product of matrices in float32 finds candidates at a quarter of the cost of exact
distances, but rounds, and by what stands beside a row. So distances of the candidates
are computed again in float64, a row at a time. Where all other rows are farther than
the candidates by more than rounding can explain, these are the nearest; else those that
may be as near are compared, too, and where that would be many, a product in float64
rules out most of them first. What is found depends on nothing beside the row.
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
# So few are found fastest one after the other.
_FEW = 4
# Rows that are compared in float64 where the product leaves so many open.
_MOST_OPEN = 256
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
        self.__setstate__({"rows": distinct(rows)[0]})

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

    def nearest(
        self, block: NDArray[np.float64], n: int, own: NDArray | None = None
    ) -> Neighbors:
        """Find the n nearest rows of each row of a block, without its own.

        A row at distance zero is taken to be the row itself, unless there is no other.
        With `own`, squared distances (n_block,), none is left out: one more than n is
        found, the last of them surely only where the first is within that distance. Of
        rows at the same distance the first ones are taken.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            found, left = self._sift(block, n, own, self.sieve, _MOST_OPEN)
            if len(left):
                within = None if own is None else own[left]
                sieve, most = self.fine_sieve, len(self.rows)
                finely, _ = self._sift(block[left], n, within, sieve, most)
                found.positions[left], found.squares[left] = finely
        return found

    def _sift(self, block, n, own, sieve, most_open):
        """Find nearest rows by a product; tell where too many may be as near."""
        if n + _N_SPARE >= len(self.rows):
            everything = np.tile(np.arange(len(self.rows)), (len(block), 1))
            return self._closest(block, everything, n, own), []
        centred = block - self.center
        lengths = np.vecdot(centred, centred)
        extended = np.empty((len(block), len(sieve)), sieve.dtype)
        extended[:, :-1], extended[:, -1] = centred, 1
        near = extended @ sieve
        n_candidates = n + 1 if n < _FEW else n + _N_SPARE
        candidates, others = _smallest(near, n_candidates)
        found = self._closest(block, candidates, n, own)
        last = found.squares[:, n - 1]
        if own is not None:
            last = np.where(found.squares[:, 0] <= own, found.squares[:, n], last)
        # Others are farther than the candidates if this is less for them.
        limits = last - lengths + self._wrong_by(lengths, sieve.dtype)
        left = []
        for row in np.flatnonzero(~(limits < others)):
            candidates = np.flatnonzero(~(near[row] > limits[row]))
            if len(candidates) > most_open:
                left.append(row)
                continue
            one = self._closest(block[[row]], candidates[None], n, own)
            n_found = one.positions.shape[1]
            found.positions[row, :n_found], found.squares[row, :n_found] = one
        return found, left

    def _wrong_by(self, lengths, dtype):
        """How far a product may be off, for rows of such lengths from the center.

        Each term and each sum by half an eps of it, as long as none overflows, nor all
        of them nearly vanish.
        """
        longest = (np.sqrt(lengths) + np.sqrt(self.farthest)) ** 2
        limits = np.finfo(dtype)
        is_safe = longest < limits.max / 2
        is_safe &= longest > 2 * limits.smallest_normal / limits.eps
        wrong = (self.rows.shape[1] + 8) * limits.eps * longest
        return np.where(is_safe, wrong, np.inf)

    def _closest(self, block, candidates, n, own):
        """Find the n nearest of the candidates of each row, or one more."""
        squares = np.empty(candidates.shape)
        n_at_once = max(1, _NUMBERS_AT_ONCE // block.size)
        for start in range(0, candidates.shape[1], n_at_once):
            some = slice(start, start + n_at_once)
            apart = self.rows[candidates[:, some]] - block[:, None, :]
            squares[:, some] = np.vecdot(apart, apart)
        if own is None and len(self.rows) > 1:
            squares[squares == 0] = np.inf
        order = np.lexsort((candidates, squares), axis=1)
        order = order[:, : n + (own is not None)]
        return Neighbors(
            np.take_along_axis(candidates, order, axis=1),
            np.take_along_axis(squares, order, axis=1),
        )


def distinct(rows: NDArray) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Keep the first of equal rows, and tell how many there are of each."""
    rows = np.asarray(rows, dtype=np.float64)
    _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    return rows[first[order]], counts[order]


def _smallest(values, n):
    """Positions of the n smallest values of each row, and the smallest one beside them.

    Many are in n + 1 groups of columns, those with the smallest minima, and minima of
    groups are found much faster than the order of all columns.
    """
    if n <= _FEW:
        return _by_turns(values, n)
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


def _by_turns(values, n):
    """Find the n smallest values of each row one after the other."""
    rows = np.arange(len(values))
    positions = np.empty((n, len(values)), dtype=np.intp)
    found = np.empty(positions.shape, dtype=values.dtype)
    for turn, columns in enumerate(positions):
        values.argmin(axis=1, out=columns)
        found[turn] = values[rows, columns]
        values[rows, columns] = np.inf
    beside = values.min(axis=1)
    values[rows, positions] = found
    return positions.T, beside


def _minima(values, n_groups):
    """Minima of groups of columns, each of those that are `n_groups` apart."""
    minima = values[:, :n_groups].copy()
    for start in range(n_groups, values.shape[1], n_groups):
        part = values[:, start : start + n_groups]
        own = minima[:, : part.shape[1]]
        np.minimum(own, part, out=own)
    return minima
