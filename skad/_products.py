"""Matrix products in which a row's result does not depend on its place.

A library of linear algebra may round a row by where it stands in a matrix: OpenBLAS
does on processors with AVX-512, in some shapes. So a shape is tried when it first
comes, with the same row in all places, and the first form of the product is taken that
gives the same bits in all of them. The last one cannot fail.
"""

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
