"""Nearest rows with their own among them, as error models of codes ask for them."""

import naive_neighbors as naive
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skad import HybridErrors, _neighbors
from skad._neighbors import NearestRows, distinct

NUMBERS = st.floats(-1e3, 1e3, width=32) | st.sampled_from([0.0, 1.0, 1e6, -1e6])


@st.composite
def tables(draw):
    """Rows, perhaps with repeated ones, and rows to judge, perhaps some of them."""
    n_rows, n_values = draw(st.integers(2, 60)), draw(st.integers(1, 9))
    rows = draw(hnp.arrays(float, (n_rows, n_values), elements=NUMBERS))
    block = draw(hnp.arrays(float, (3, n_values), elements=NUMBERS))
    if draw(st.booleans()):
        rows = np.concatenate([rows, rows[:5], rows[:2]])
        block[0] = rows[-1]
        block[1] = rows[0] + 1e-9
    return rows, block


@pytest.mark.parametrize("most_open", [0, 256])
@given(table=tables(), n=st.integers(1, 6), own=st.sampled_from([0.0, 1e-12, 1e5]))
@example(table=(np.full((30, 4), 1e200), np.zeros((3, 4))), n=2, own=0.0)
def test_nearest_rows__with_own__are_those_of_a_loop(most_open, table, n, own):
    rows, block = table
    index = NearestRows(rows)
    n = min(n, len(index.rows) - 1)
    if n == 0:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_neighbors, "_MOST_OPEN", most_open)
        positions, squares = index.nearest(block, n, np.full(3, own))
    assert squares.shape == (3, n + 1)
    for row, found, apart in zip(block, positions, squares, strict=True):
        expected, lengths = naive.nearest_and_own(row, index.rows, n + 1)
        surely = n + (lengths[0] <= own)
        assert found.tolist()[:surely] == expected[:surely]
        assert apart.tolist()[:surely] == lengths[:surely]  # to the last bit


@given(table=tables())
def test_distinct__keeps_first_ones_and_counts(table):
    rows, counts = distinct(table[0])
    np.testing.assert_array_equal(rows, naive.distinct(table[0]))
    expected = [sum((row == other).all() for other in table[0]) for row in rows]
    assert counts.tolist() == expected


@given(table=tables(), n=st.integers(1, 6))
def test_hybrid__distances__are_those_of_all_codes_to_the_last_bit(table, n):
    bank, codes = table
    residuals = np.ones((len(codes), 2, 1))
    model = HybridErrors(n).fit(residuals, codes, bank)
    scaled = (codes - model.code_means_) / model.code_units_
    n = min(n, len(bank) - 1)
    for code, distance in zip(scaled, model._distances(codes), strict=True):
        _, squares = naive.nearest_and_own(code, model.codes_, len(bank))
        own = model.own_distance_**2 * (1 + np.vecdot(code, code))
        first = int(squares[0] <= own)
        assert distance == np.sqrt(squares[first : first + n]).mean()


@pytest.mark.parametrize("n_neighbors", [1, 5])
def test_hybrid__bits_of_a_row_do_not_depend_on_those_beside_it(n_neighbors):
    rng = np.random.default_rng(0)
    bank, codes = rng.normal(size=(3000, 19)), rng.normal(size=(512, 19))
    codes[::3] = bank[:171]
    model = HybridErrors(n_neighbors).fit(np.ones((512, 2, 1)), codes, bank)
    together = model._distances(codes)
    for at in (slice(64), slice(100, 101), slice(300, 512)):
        np.testing.assert_array_equal(model._distances(codes[at]), together[at])


def test_hybrid__codes_that_repeat_but_for_rounding__are_found():
    """A clean wave: each code has twenty others at the distance of rounding."""
    t = np.arange(2000)
    bank = np.column_stack([np.sin(t * k * np.pi / 50) for k in range(1, 9)])
    index = NearestRows(bank + 1e-15 * np.random.default_rng(0).normal(size=bank.shape))
    block = bank[:64] + 0.01
    positions, squares = index.nearest(block, 1, np.full(64, 1e-12))
    for row, found, apart in zip(block, positions, squares, strict=True):
        expected, lengths = naive.nearest_and_own(row, index.rows, 1)
        assert (found[0], apart[0]) == (expected[0], lengths[0])


def test_hybrid__of_files_of_old__answers_as_it_did():
    rng = np.random.default_rng(0)
    residuals, codes = rng.normal(size=(50, 4, 2)), rng.normal(size=(50, 3))
    codes[7] = codes[3]
    model = HybridErrors(2).fit(residuals, codes)
    state = dict(model.__getstate__())
    del state["nearest_"], state["code_counts_"]
    rows = (codes - model.code_means_) / model.code_units_
    state["bank_"] = np.vstack([-2 * rows.T, np.vecdot(rows, rows)])
    old = HybridErrors.__new__(HybridErrors)
    old.__setstate__(state)
    assert not hasattr(old, "bank_")
    expected = model.window_errors(residuals, codes)
    np.testing.assert_array_equal(old.window_errors(residuals, codes), expected)
