"""A row's score does not depend on its place, with kernels of several processors."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skad import _products
from skad._products import FewRows, multiply_rows
from skad._proven import first_proven

# Kernels of OpenBLAS, and what a processor needs for them.
KERNELS = {"SkylakeX": "avx512vl", "Haswell": "avx2", "Nehalem": "sse4_2"}


@pytest.mark.parametrize("kernel", KERNELS)
def test_scores__do_not_depend_on_the_place_of_a_row(kernel):
    cpu = Path("/proc/cpuinfo")
    if not cpu.exists() or KERNELS[kernel] not in cpu.read_text():
        pytest.skip(f"this processor cannot run {kernel}")
    run = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "place_of_rows.py")],
        env=os.environ | {"OPENBLAS_CORETYPE": kernel},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def products(rows, matrix):
    forms = (_products._as_it_stands, _products._turned, _products._one_by_one)
    return [form(rows, matrix) for form in forms]


@given(
    st.integers(0, 70), st.integers(1, 40), st.integers(1, 40), st.sampled_from("CF")
)
@settings(max_examples=50)
def test_every_form__is_the_product(n_rows, n, m, order):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, n))
    matrix = np.asarray(rng.normal(size=(n, m)), order=order)
    expected = np.array([[sum(row * column) for column in matrix.T] for row in rows])
    for product in [*products(rows, matrix), _products.multiply_rows(rows, matrix)]:
        assert product.flags.c_contiguous
        np.testing.assert_allclose(
            product, expected.reshape(n_rows, m), rtol=1e-9, atol=1e-9
        )


def test_form_that_is_uneven__is_not_taken(monkeypatch):
    """The next one is, and the last one has nothing that could be uneven."""

    def uneven(rows, matrix):
        return rows @ matrix + np.arange(len(rows))[:, None]

    def also_uneven(rows, matrix):
        return uneven(rows, matrix)

    rows, matrix = np.ones((64, 5)), np.ones((5, 3))
    for name, form in {"_as_it_stands": uneven, "_turned": also_uneven}.items():
        monkeypatch.setattr(_products, name, form)
        assert (_products.multiply_rows(rows, matrix) == 5).all()
    forms = (uneven, also_uneven, _products._one_by_one)
    assert first_proven(forms, _products._is_even, 64, 5, 3, True) is forms[-1]


def test_form_that_is_proven__is_remembered_for_its_shape():
    asked = []

    def is_exact(form, n):
        asked.append((form, n))
        return form == "second"

    forms = ("first", "second", "third")
    assert [first_proven(forms, is_exact, n) for n in (1, 1, 2)] == ["second"] * 3
    assert asked == [("first", 1), ("second", 1), ("first", 2), ("second", 2)]
    assert first_proven(("first", "third"), is_exact, 1) == "third"  # untried


@pytest.mark.parametrize("n_rows", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("n", "m"), [(1000, 52), (1000, 10), (600, 31), (37, 3), (3, 500), (1, 1), (170, 2)]
)
def test_few_rows__have_the_bits_of_many(n_rows, order, n, m):
    rng = np.random.default_rng(1)
    matrix = np.array(rng.normal(size=(n, m)), order=order)
    rows = rng.normal(size=(64, n)) * np.geomspace(1e-5, 1e5, 64)[:, None]
    expected = multiply_rows(rows, matrix)
    multiply = FewRows(matrix, 64)
    for first in range(0, 65 - n_rows, n_rows):
        at = slice(first, first + n_rows)
        np.testing.assert_array_equal(multiply(rows[at]), expected[at])


def test_few_rows__where_no_form_fits(monkeypatch):
    monkeypatch.setattr(FewRows, "_forms_to_try", lambda self, n_rows: [])
    test_few_rows__have_the_bits_of_many(3, "C", 300, 20)
