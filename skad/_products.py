"""Matrix products in which a row's result does not depend on its place.

A library of linear algebra may round a row by where it stands in a matrix: OpenBLAS
does on processors with AVX-512, in some shapes. So a shape is tried when it first
comes, with the same row in all places, and the first form of the product is taken that
gives the same bits in all of them. The last one cannot fail.

It may also round a row by how many there are. `FewRows` finds a way to multiply a few
rows as if they were among many, which takes a part of the time of all of them.
"""

from collections.abc import Callable
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from skad._proven import first_proven


def multiply_rows(rows: NDArray, matrix: NDArray) -> NDArray:
    """Multiply float64 rows (n_rows, n) by a matrix (n, m), each as if it were alone.

    That holds for products of as many rows: detectors pass blocks of one size.
    """
    rows = np.ascontiguousarray(rows)
    forms = _as_it_stands, _turned, _one_by_one
    shape = len(rows), *matrix.shape, matrix.flags.c_contiguous
    return first_proven(forms, _is_even, *shape)(rows, matrix)


def _as_it_stands(rows, matrix):
    return rows @ matrix


def _turned(rows, matrix):
    return np.ascontiguousarray((matrix.T @ rows.T).T)


def _one_by_one(rows, matrix):
    """Add up multiples of the matrix's rows, in their order."""
    by_rows = np.ascontiguousarray(matrix)
    product = np.empty((len(rows), by_rows.shape[1]))
    for row, out in zip(rows, product, strict=True):
        np.add.reduce(row[:, None] * by_rows, axis=0, out=out)
    return product


def _is_even(form, n_rows, n, m, is_by_rows):
    """Whether a form rounds equal rows alike in all places."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(n, m) if is_by_rows else (m, n))
    matrix = matrix if is_by_rows else matrix.T
    for _ in range(8):
        product = form(np.tile(rng.normal(size=n), (n_rows, 1)), matrix)
        if not (product == product[:1]).all():
            return False
    return True


class FewRows:
    """A matrix by which few rows are multiplied with the bits of `multiply_rows`.

    Parameters
    ----------
    matrix : ndarray of shape (n, m)
        The matrix.
    n_like : int
        The result for a row is that of a product of so many rows.
    """

    def __init__(self, matrix: NDArray, n_like: int):
        self._matrix, self._n_like = matrix, n_like
        # by the number of rows, see `_form`
        self._forms: dict[int, Callable] = {}

    def __call__(self, rows: NDArray) -> NDArray:
        """Multiply rows, at most `n_like`."""
        n_rows = len(rows)
        if n_rows not in self._forms:
            self._forms[n_rows] = self._form(n_rows)
        return self._forms[n_rows](rows)

    def _form(self, n_rows):
        """Find the fastest form that gives the bits of many rows, here and now.

        Different orders of adding up differ in most of the thousands of results that
        are compared, so that equal ones are a proof.
        """
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(self._n_like, len(self._matrix)))
        expected = multiply_rows(rows, self._matrix)
        firsts = range(0, self._n_like - n_rows + 1, n_rows)
        parts = [slice(first, first + n_rows) for first in firsts]
        same = [
            form
            for form in self._forms_to_try(n_rows)
            if all(np.array_equal(form(rows[at]), expected[at]) for at in parts)
        ]
        whole = _padded(lambda few: multiply_rows(few, self._matrix), self._n_like)
        return min([*same, whole], key=lambda form: _seconds(form, rows[:n_rows]))

    def _forms_to_try(self, n_rows):
        """Yield ways to multiply rows, with some zeros behind them."""
        sizes = [size for size in _SIZES if n_rows <= size < self._n_like]
        for size in sizes:
            yield _padded(lambda few: few @ self._matrix, size)
        n, m = self._matrix.shape
        wide = np.zeros((n, -(-m // _WIDTH) * _WIDTH))
        wide[:, :m] = self._matrix
        cuts = {_cuts(n, depth, unit) for depth in (n, *_DEPTHS) for unit in _UNITS}
        for size in sizes[:2]:
            for bounds in sorted(cuts):
                parts = [(slice(*pair), wide[slice(*pair)]) for pair in bounds]
                yield _padded(_by_parts(parts, m), size)


# Numbers of rows that libraries may multiply in another way.
_SIZES = (1, 2, 4, 8, 16, 32)
# OpenBLAS adds up so many products in a row, by processor, and puts the sums together;
# it rounds the length of the last ones up to such a unit. Columns are done so many at
# once.
_DEPTHS, _UNITS, _WIDTH = (384, 256, 320, 512, 128), (1, 4, 8, 16, 24), 16


def _seconds(form, rows) -> float:
    """Time that a form takes, the least of several."""
    taken = []
    for _ in range(9):
        begin = perf_counter()
        form(rows)
        taken.append(perf_counter() - begin)
    return min(taken)


def _cuts(n, depth, unit) -> tuple[tuple[int, int], ...]:
    """Bounds of the sums that OpenBLAS puts together, which are at most so long."""
    ends = [0]
    while (left := n - ends[-1]) > 0:
        half = -(-(left // 2) // unit) * unit if unit > 1 else -(-left // 2)
        step = depth if left >= 2 * depth else half if left > depth else left
        ends.append(ends[-1] + step)
    return tuple(pairwise(ends))


def _by_parts(parts, n_columns):
    def form(rows):
        total = None
        for at, matrix in parts:
            product = rows[:, at] @ matrix
            total = product if total is None else np.add(total, product, out=total)
        return total[:, :n_columns]

    return form


def _padded(form, n_rows):
    """Multiply so many rows, those that lack being zeros."""

    def padded(rows):
        if len(rows) == n_rows:
            return form(rows)
        block = np.zeros((n_rows, rows.shape[1]))
        block[: len(rows)] = rows
        return form(block)[: len(rows)]

    return padded
