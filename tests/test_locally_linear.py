"""Windows rebuilt from their nearest ones, exactly."""

import pickle

import naive_neighbors as naive
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import uniform_filter1d
from sklearn.manifold import LocallyLinearEmbedding
from sklearn.manifold._locally_linear import barycenter_weights
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

import skad
from skad import HybridErrors, LocallyLinearAutoencoder, WindowedDetector
from skad._neighbors import NearestRows, _smallest

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 20))
NUMBERS = st.floats(-1e3, 1e3, width=32) | st.sampled_from([0.0, 1.0, 1e6, -1e6])


@st.composite
def tables(draw):
    """Rows, perhaps with repeated ones, and rows to judge, perhaps some of them."""
    n_rows, n_values = draw(SIZES)
    rows = draw(hnp.arrays(float, (n_rows, n_values), elements=NUMBERS))
    block = draw(hnp.arrays(float, (3, n_values), elements=NUMBERS))
    if draw(st.booleans()):
        rows = np.concatenate([rows, rows[:5]])
        block[0] = rows[-1]
    return rows, block


# Nearest rows -----------------------------------------------------------------------


@given(table=tables(), n=st.integers(1, 6))
@example(table=(np.zeros((5, 2)), np.zeros((3, 2))), n=3)
@example(table=(np.full((30, 4), 1e200), np.zeros((3, 4))), n=2)
def test_nearest_rows__any_rows__are_those_of_a_loop(table, n):
    rows, block = table
    index = NearestRows(rows)
    np.testing.assert_array_equal(index.rows, naive.distinct(rows))
    n = min(n, max(1, len(index.rows) - 1))
    positions, squares = index.nearest(block, n)
    for row, found, apart in zip(block, positions, squares, strict=True):
        with np.errstate(over="ignore"):
            expected, lengths = naive.nearest(row, index.rows, n)
        assert found.tolist() == expected
        assert apart.tolist() == lengths  # to the last bit


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e15])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_nearest_rows__many_rows__are_those_of_scikit_learn(scale, offset):
    rng = np.random.default_rng(0)
    rows, block = rng.normal(size=(2000, 7)), rng.normal(size=(64, 7))
    rows, block = scale * (rows + offset), scale * (block + offset)
    positions, squares = NearestRows(rows).nearest(block, 10)
    usual = NearestNeighbors(n_neighbors=10, algorithm="kd_tree").fit(rows)
    distances, expected = usual.kneighbors(block)
    np.testing.assert_array_equal(positions, expected)
    np.testing.assert_allclose(np.sqrt(squares), distances)


def test_nearest_rows__beyond_float32__are_found_in_float64():
    """A sieve in float32 sees no difference between these; or only infinities."""
    block = np.zeros((1, 2))
    close = np.column_stack([1e6 + np.arange(50) * 1e-4, np.ones(50)])[::-1]
    huge = close * 1e150
    for rows in (close, huge):
        with np.errstate(over="ignore"):
            assert NearestRows(rows).nearest(block, 3).positions.tolist() == [
                [49, 48, 47] if rows is close else [0, 1, 2]  # all at infinity
            ]


@pytest.mark.parametrize("scales", [(1e-30, 1e-30), (1e-120, 1e-120), (1.0, 1e39)])
def test_nearest_rows__where_float32_vanishes_or_overflows__are_those_of_a_loop(scales):
    rng = np.random.default_rng(0)
    rows = scales[0] * rng.normal(size=(500, 10))
    block = scales[1] * rng.normal(size=(20, 10))
    found = NearestRows(rows).nearest(block, 3)
    for row, positions in zip(block, found.positions, strict=True):
        assert positions.tolist() == naive.nearest(row, rows, 3)[0]


@given(
    n=st.integers(1, 20),
    n_columns=st.integers(22, 3000),
    n_values=st.sampled_from([2, 1000]),
)
def test_smallest__are_those_of_a_sort(n, n_columns, n_values):
    rng = np.random.default_rng(n_columns)
    values = rng.integers(n_values, size=(3, n_columns)).astype(np.float32)
    positions, beside = _smallest(values, n)
    ordered = np.sort(values, axis=1)
    found = np.take_along_axis(values, positions, axis=1)
    np.testing.assert_array_equal(np.sort(found, axis=1), ordered[:, :n])
    np.testing.assert_array_equal(beside, ordered[:, n])
    assert all(len(set(row)) == n for row in positions.tolist())


def test_nearest_rows__row_among_others__has_the_bits_it_has_alone():
    rng = np.random.default_rng(0)
    rows, block = rng.normal(size=(500, 13)), rng.normal(size=(64, 13))
    index = NearestRows(rows)
    together = index.nearest(block, 5)
    for place in (0, 17, 63):
        alone = index.nearest(block[[place]], 5)
        np.testing.assert_array_equal(together.positions[[place]], alone.positions)
        np.testing.assert_array_equal(together.squares[[place]], alone.squares)


def test_nearest_rows__copied__answer_alike():
    rng = np.random.default_rng(0)
    index = NearestRows(rng.normal(size=(50, 3)))
    copied = pickle.loads(pickle.dumps(index))
    block = rng.normal(size=(4, 3))
    for one, other in zip(
        index.nearest(block, 2), copied.nearest(block, 2), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(index.sieve, copied.sieve)


# The detector -----------------------------------------------------------------------


@given(
    table=tables().filter(lambda table: len(table[0]) > 1),
    n_neighbors=st.integers(1, 12),
    reg=st.sampled_from([1e-3, 0.1, 1.0, 10.0]),
)
@pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")
def test_reconstruction__any_windows__is_that_of_a_loop(table, n_neighbors, reg):
    rows, block = table
    detector = LocallyLinearAutoencoder(n_neighbors, reg=reg, contamination=0.1)
    rebuilt = detector.fit(rows).reconstruct(block)
    remembered = naive.distinct(rows)
    expected = [naive.rebuild(row, remembered, n_neighbors, reg) for row in block]
    tolerance = 1e-8 * max(1.0, np.abs(rows).max(), np.abs(block).max())
    np.testing.assert_allclose(rebuilt, expected, atol=tolerance)


def test_weights__are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    rows, block = rng.normal(size=(100, 5)), rng.normal(size=(8, 5))
    detector = LocallyLinearAutoencoder().fit(rows)
    found = NearestNeighbors(n_neighbors=10).fit(rows).kneighbors(block)[1]
    reg = LocallyLinearAutoencoder().reg
    weights = barycenter_weights(block, rows, found, reg=reg)
    expected = np.vecdot(weights, rows[found].transpose(2, 0, 1)).T
    np.testing.assert_allclose(detector.reconstruct(block), expected)
    assert LocallyLinearEmbedding().reg < reg  # there it only makes them unique


@pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")
def test_one_neighbour__scores_by_distance_and_leaves_its_own_out():
    rng = np.random.default_rng(0)
    rows, block = rng.normal(size=(60, 4)), rng.normal(size=(5, 4))
    detector = LocallyLinearAutoencoder(1).fit(rows)
    usual = NearestNeighbors(n_neighbors=1).fit(rows)
    root = np.sqrt(rows.shape[1])
    np.testing.assert_allclose(
        -detector.score_samples(block) * root, usual.kneighbors(block)[0][:, 0]
    )
    np.testing.assert_allclose(
        -detector.score_samples(rows) * root, usual.kneighbors()[0][:, 0]
    )


def test_many_windows__evenly_spaced_ones_are_remembered():
    X = np.arange(100.0)[:, None] + np.zeros(3)
    detector = LocallyLinearAutoencoder(max_windows=11, contamination=0.1).fit(X)
    assert (
        detector.nearest_.rows[:, 0].tolist() == np.linspace(0, 99, 11).round().tolist()
    )


@pytest.mark.parametrize("share", [0.0, 0.07, 0.5])
def test_trim__forgets_the_rare_ones(share):
    rows = np.random.default_rng(0).standard_t(2, size=(100, 3))
    detector = LocallyLinearAutoencoder(trim=share, contamination=0.1).fit(rows)
    expected = naive.without_rare(rows, share)
    assert len(expected) == round(100 * (1 - share))
    np.testing.assert_array_equal(detector.nearest_.rows, expected)


def test_recording_without_labels__is_judged_by_itself():
    """Anomalies of one kind recur; each is the neighbour of the others."""
    rng = np.random.default_rng(0)
    X = np.sin(np.arange(3000) / 5)[:, None] + 0.05 * rng.normal(size=(3000, 1))
    y = np.zeros(3000, dtype=bool)
    for start in (300, 900, 1500, 2100, 2700):
        y[start : start + 30] = True
        X[start : start + 30] = 0.3 * X[start : start + 30]
    areas = {}
    for trim in (0.0, 0.15):
        detector = WindowedDetector(LocallyLinearAutoencoder(1, trim=trim), 30)
        how = {"cv": KFold(5), "method": "decision_function"}
        areas[trim] = roc_auc_score(y, -cross_val_predict(detector, X, **how))
    assert areas[0.15] > 0.97 > areas[0.0]


@pytest.mark.filterwarnings("ignore::skad.CalibrationWarning")
def test_constant_windows__are_rebuilt_and_others_are_not():
    X = np.full((20, 4), 3.0)
    detector = LocallyLinearAutoencoder(contamination=0.1).fit(X)
    assert (detector.score_samples(X) == 0).all()
    assert (detector.score_samples(X + 1) == -1).all()


def test_errors_that_need_codes__are_refused():
    X = np.random.default_rng(0).normal(size=(50, 4))
    for error_model in ("hybrid", HybridErrors()):
        detector = LocallyLinearAutoencoder(error_model=error_model)
        with pytest.raises(ValueError, match="needs latent codes, which Locally"):
            detector.fit(X)
    assert not hasattr(detector, "transform")
    assert not hasattr(LocallyLinearAutoencoder, "fit_transform")


def test_onnx__is_refused_by_name(tmp_path):
    pytest.importorskip("onnx")
    X = np.random.default_rng(0).normal(size=(200, 4))
    detector = LocallyLinearAutoencoder().fit(X)
    with pytest.raises(NotImplementedError, match="LocallyLinearAutoencoder cannot"):
        skad.to_onnx(detector, tmp_path / "a.onnx")


def test_in_windows__labels_keep_their_promise_without_a_warning(recwarn):
    """Windows of fit overlap, so their errors are far below those of new ones."""
    t = np.arange(12_000)[:, None]
    noise = np.random.default_rng(0).normal(size=(12_000, 3))
    X = uniform_filter1d(noise, 30, axis=0) + np.sin(t / 8 + np.arange(3))
    detector = WindowedDetector(LocallyLinearAutoencoder(), 10).fit(X[:6000])
    assert detector.calibration_.learnt_flagged < 1e-3
    flagged = detector.predict(X[6000:]) < 0
    assert 0.001 < flagged.mean() < 0.03
    assert not [w for w in recwarn if "No row of fit" in str(w.message)]
