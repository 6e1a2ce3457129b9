"""Covariance of overlapping windows from products of rows."""

import tracemalloc

import naive_windows
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skad import LinearAutoencoder, WindowedDetector, _window_sums
from skad._window_sums import WindowSums, runs_of, step_between
from skad.detectors._components import principal_components
from skad.detectors._windows import Windows, all_windows
from skad.series._windows import windows_view


def assert_is_covariance(sums, windows):
    mean, covariance = sums.covariance()
    expected_mean, expected = naive_windows.covariance(windows)
    size = np.abs(windows).max()
    np.testing.assert_allclose(mean, expected_mean, rtol=0, atol=1e-13 * size)
    atol = 1e-13 * (np.abs(expected).max() + 1e-13 * size**2)
    np.testing.assert_allclose(np.triu(covariance), np.triu(expected), 0, atol)


@pytest.mark.parametrize("at_once", [2**17, 8])
@settings(max_examples=30, deadline=None)
@given(
    n_rows=st.integers(4, 60),
    n_channels=st.integers(1, 4),
    length=st.integers(2, 20),
    width=st.integers(1, 20),
    dtype=st.sampled_from(["float64", "float32", "int16"]),
    offset=st.sampled_from([0.0, 1000.0]),
    seed=st.integers(0, 99),
)
def test_covariance__of_any_runs_is_that_of_loops(
    at_once, n_rows, n_channels, length, width, dtype, offset, seed
):
    rng = np.random.default_rng(seed)
    length = min(length, n_rows - 2)
    table = (100 * rng.normal(size=(n_rows, n_channels)) + offset).astype(dtype)
    view = windows_view(table, length)
    rows = np.flatnonzero(rng.uniform(size=len(view)) < 0.7)
    rows = rows if len(rows) > 1 else np.arange(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_window_sums, "_WIDTH", width)
        patch.setattr(_window_sums, "_VALUES_AT_ONCE", at_once)
        assert step_between(view) == n_channels
        sums = WindowSums(view.shape[1], np.median(table, axis=0))
        sums.add(view, *runs_of(rows))
        assert_is_covariance(sums, view[rows].astype(float))


def test_covariance__of_a_table_in_chunks_is_that_of_the_whole():
    table = np.random.default_rng(0).normal(size=(500, 3)).cumsum(axis=0)
    view = windows_view(table, 20)
    sums = WindowSums(view.shape[1], table[0])
    for first in range(0, len(view), 100):
        chunk = windows_view(table[first : first + 119].copy(), 20)
        sums.add(chunk, np.array([0]), np.array([len(chunk) - 1]))
    assert_is_covariance(sums, view)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((5, 6)),
        np.zeros((5, 6))[::-1],
        np.zeros((5, 12))[:, ::2],
        np.broadcast_to(np.zeros(6), (5, 6)),
        np.asfortranarray(np.zeros((5, 6))),
        windows_view(np.zeros((20, 2)), 3)[:, 1:],
        windows_view(np.zeros((20, 1)), 5)[::2],
    ],
)
def test_windows__that_are_no_rows_of_a_table_have_no_step(X):
    assert step_between(X) == 0


@pytest.mark.parametrize("latent_dim", [1, 7, 200, 0.5, 0.99])
@pytest.mark.parametrize(
    "shape", [(300, 40), (40, 300), (41, 40), (40, 41), (40, 40), (2, 5), (2, 1)]
)
def test_components__are_those_of_singular_values(shape, latent_dim):
    rng = np.random.default_rng(0)
    spread = np.exp(-np.arange(shape[1]) / 10)
    X = 5 + rng.normal(size=shape) * spread
    found = principal_components(all_windows(X), latent_dim)
    _, lengths, axes = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    variances = lengths**2 / (len(X) - 1)
    ratios = variances / variances.sum()
    n = min(latent_dim, *shape)
    if latent_dim < 1:
        n = int(np.count_nonzero(np.cumsum(ratios) <= latent_dim)) + 1
    assert found.n_components_ == n
    np.testing.assert_allclose(found.mean_, X.mean(axis=0))
    np.testing.assert_allclose(found.explained_variance_, variances[:n], atol=1e-12)
    np.testing.assert_allclose(found.explained_variance_ratio_, ratios[:n], atol=1e-12)
    products = found.components_ @ found.components_.T
    np.testing.assert_allclose(products, np.eye(n), atol=1e-9)
    is_real = variances[:n] > 1e-9 * variances[0]  # the rest has no direction
    cosines = np.abs(np.vecdot(found.components_, axes[:n]))
    np.testing.assert_allclose(cosines[is_real], 1, atol=1e-6)
    assert (
        found.components_.max(axis=1) == np.abs(found.components_).max(axis=1)
    ).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 + 0.1])
@pytest.mark.parametrize("latent_dim", [3, 0.9])
@pytest.mark.parametrize("is_view", [True, False])
def test_components__of_windows_all_alike_are_one(value, latent_dim, is_view):
    X = windows_view(np.full((99, 2), value), 5)
    X = X if is_view else X[:8].copy()
    found = principal_components(all_windows(X), latent_dim)
    assert found.components_.shape == (1, 10)
    assert found.explained_variance_.tolist() == [0.0]


@pytest.mark.parametrize("spike", [0.0, 1e6])
def test_components__of_views_and_of_copies_score_alike(spike):
    rng = np.random.default_rng(0)
    table = 100 + rng.normal(size=(400, 2)).cumsum(axis=0)
    table[200] += spike
    view = windows_view(table, 12)
    rows = np.r_[0:150, 260:380]
    of_view = principal_components(Windows(view, rows), 5)
    of_copy = principal_components(all_windows(view[rows].copy()), 5)
    for name in ("mean_", "components_", "explained_variance_"):
        one, other = getattr(of_view, name), getattr(of_copy, name)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_many_short_segments__are_learnt_like_an_array():
    rng = np.random.default_rng(0)
    table, series = rng.normal(size=(600, 2)), np.repeat(np.arange(30), 20)
    detector = WindowedDetector(LinearAutoencoder(3), 12).fit(table, series=series)
    view = windows_view(table, 12)
    rows = np.arange(len(view))
    rows = rows[rows % 20 <= 8]
    expected = LinearAutoencoder(3).fit(view[rows].copy())
    inner = detector.estimator_
    np.testing.assert_allclose(inner.components_, expected.components_, atol=1e-12)


def test_components__of_many_windows_take_the_memory_of_their_products():
    table = np.random.default_rng(0).normal(size=(100_000, 5)).astype(np.float32)
    windows = all_windows(windows_view(table, 100))  # 400 MB as float64
    tracemalloc.start()
    principal_components(windows, 10)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 24 * 2**20


@pytest.mark.parametrize("n_values", [2, 3, 8])
def test_share_of_variance__never_takes_all_components(n_values):
    X = np.random.default_rng(0).normal(size=(200, n_values))  # each explains the same
    detector = LinearAutoencoder(0.999).fit(X)
    assert detector.latent_dim_ == n_values - 1
    assert np.ptp(detector.score_samples(X)) > 1e-3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_values", [1, 2, 5])
@pytest.mark.parametrize("latent_dim", [1, 2, 0.9])
def test_components_of_a_single_window__have_no_variance(n_values, latent_dim):
    X = np.arange(1.0, n_values + 1)[None]
    found = principal_components(all_windows(X), latent_dim)
    np.testing.assert_array_equal(found.mean_, X[0])
    np.testing.assert_array_equal(found.explained_variance_, 0.0)
