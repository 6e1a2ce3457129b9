"""What windows should have read, and which channels are blamed."""

import tracemalloc

import naive_reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import AUTOENCODERS
from sklearn.base import clone

from skad import LinearAutoencoder, WindowedDetector, explain
from skad.detectors._reference import RobustReference
from skad.detectors._windows import Windows, all_windows


def machine(seed, n_rows=1500, n_channels=8):
    """Sensors that all measure three hidden quantities."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_rows)[:, None]
    hidden = np.sin(t / [7, 12, 31] + rng.uniform(0, 6, size=3))
    mixed = hidden @ rng.normal(size=(3, n_channels))
    return mixed / mixed.std(axis=0) + 0.2 * rng.normal(size=mixed.shape)


def learn(windows):
    n_windows, *shape = windows.shape
    return RobustReference.learn(all_windows(windows.reshape(n_windows, -1)), *shape)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**16),
    n_windows=st.integers(1, 30),
    window_length=st.integers(1, 6),
    n_channels=st.integers(1, 5),
    size=st.sampled_from([1e-6, 1.0, 1e5]),
    is_constant=st.booleans(),
)
def test_comparison__is_that_of_a_loop(
    seed, n_windows, window_length, n_channels, size, is_constant
):
    rng = np.random.default_rng(seed)
    windows = size * rng.normal(size=(n_windows, window_length, n_channels))
    windows[..., 0] *= 0.0 if is_constant else 1.0
    reference = learn(windows)
    judged = np.concatenate([windows[:1], 3 * size + windows[:1]])
    judged[-1, :, -1] += 50 * size
    flat = judged.reshape(2, -1)
    shares, expected = reference.shares(flat), reference.expect(flat)
    assert expected.shape == flat.shape
    for i, window in enumerate(judged):
        slow = naive_reference.expected(reference, window)
        atol = 1e-6 * max(size, np.abs(window).max())
        np.testing.assert_allclose(expected[i].reshape(slow.shape), slow, atol=atol)
        slow = naive_reference.shares(reference, window)
        np.testing.assert_allclose(shares[i], slow, rtol=1e-4, atol=1e-4)


@given(
    factors=st.lists(st.sampled_from([1e-3, 1.0, 1e4]), min_size=4, max_size=4),
    shift=st.sampled_from([0.0, -20.0, 1e3]),
)
def test_units_of_sensors__change_no_share(factors, shift):
    windows = np.random.default_rng(0).normal(size=(60, 5, 4))
    odd = windows[:9].copy()
    odd[:, :, 1] += 4
    factors = np.array(factors)
    shares = learn(windows).shares(odd.reshape(9, -1))
    other = learn(windows * factors + shift).shares(
        (odd * factors + shift).reshape(9, -1)
    )
    np.testing.assert_allclose(other, shares, rtol=1e-5)


@pytest.mark.parametrize(
    "error_model", ["mse", "rmse", "mae", "std", "mahalanobis", "hybrid"]
)
def test_faulty_sensors__are_blamed_whatever_the_errors(error_model):
    X = machine(0)
    X[1000:1100, [2, 5]] += [3.0, -3.0]
    inner = LinearAutoencoder(error_model=error_model)
    parts = explain(WindowedDetector(inner, 20).fit(X[:900]), X).to_numpy()
    assert (parts >= 0).all()
    of_event = parts[1000:1100].sum(axis=0)
    assert of_event[[2, 5]].sum() > 0.9 * of_event.sum()


def test_three_that_drift_together__are_blamed_and_not_the_others():
    rng = np.random.default_rng(1)
    t = np.arange(3000)[:, None]
    X = np.hstack(
        [np.sin(t / 60) + 0.1 * rng.normal(size=(3000, 3)), rng.normal(size=(3000, 4))]
    )
    X[2500:2700, :3] += 4
    for length in (10, 30, 60):
        inner = LinearAutoencoder(error_model="hybrid")
        parts = explain(WindowedDetector(inner, length).fit(X[:2000]), X)
        of_event = parts[2500:2700].sum()
        assert of_event[:3].sum() > 0.9 * of_event.sum()


def test_expectation__does_not_follow_a_fault():
    X = machine(2)
    windows = np.lib.stride_tricks.sliding_window_view(X, 20, axis=0).transpose(0, 2, 1)
    detector = LinearAutoencoder().fit(windows[:900])
    normal = windows[1000:1400:20]
    faulty = normal.copy()
    faulty[:, :, 4] += 3
    usual = detector._expect(normal)
    assert np.sqrt(np.mean((usual - normal) ** 2)) < 0.25
    assert np.abs(detector._expect(faulty) - usual)[:, :, 4].mean() < 0.05 * 3
    assert (detector.reconstruct(faulty) - detector.reconstruct(normal))[
        :, :, 4
    ].mean() > 0.5


def test_windows__are_learnt_from_where_they_lie():
    X = np.random.default_rng(0).normal(size=(40, 6))
    some = np.arange(3, 40, 2)
    reference = RobustReference.learn(Windows(X, some), 3, 2)
    again = RobustReference.learn(all_windows(X[some]), 3, 2)
    np.testing.assert_array_equal(reference.codes, again.codes)


@pytest.mark.parametrize("factor", [1e-300, 1e-30, 1e37])
def test_numbers_of_any_size__are_explained(factor):
    X = factor * np.random.default_rng(0).normal(size=(50, 4, 3))
    detector = LinearAutoencoder(2).fit(X)
    parts = detector.explain(X)
    assert np.isfinite(parts).all()
    np.testing.assert_allclose(parts.sum(axis=(1, 2)), -detector.score_samples(X))
    assert np.isfinite(detector._expect(X)).all()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", AUTOENCODERS)
def test_every_autoencoder__has_a_reference(name):
    X = machine(0, 60, 3).reshape(-1, 4 * 3)
    detector = clone(AUTOENCODERS[name]).set_params(n_channels=3).fit(X)
    plain = LinearAutoencoder(n_channels=3).fit(X)
    if not getattr(detector, "early_stopping", False):
        np.testing.assert_array_equal(detector._expect(X), plain._expect(X))
    shares = detector.explain(X).sum(axis=1) / -detector.score_samples(X)[:, None]
    np.testing.assert_allclose(shares, detector.reference_.shares(X), rtol=1e-8)


def test_wide_windows__are_compared_in_bounded_memory():
    X = np.random.default_rng(0).normal(size=(1000, 6000)).astype(np.float32)
    tracemalloc.start()
    try:
        reference = RobustReference.learn(all_windows(X), 2, 3000)
        reference.shares(X[:20])
        assert tracemalloc.get_traced_memory()[1] < 2e8
    finally:
        tracemalloc.stop()
