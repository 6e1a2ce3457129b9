"""Windows without level and size, and features of random convolutions."""

import pickle

import naive_features as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

import skad
from skad import (
    FixedThresholdDetector,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    RandomConvolutions,
    WindowedDetector,
    WindowNormalizer,
    WindowSummary,
)
from skad._nesting import core_of, inside
from skad.features import _convolutions
from skad.features._components import principal_components

DTYPES = ["f8", "f4", "f2", "i4", "u1", ">f4"]


def random_windows(n, length, n_channels, dtype="f8", seed=0):
    rng = np.random.default_rng(seed)
    walks = rng.normal(size=(n, length, n_channels)).cumsum(axis=1)
    return np.abs(10 * walks).astype(dtype)


windows_of_any_kind = st.builds(
    random_windows,
    st.integers(2, 9),
    st.integers(1, 40),
    st.integers(1, 6),
    st.sampled_from(DTYPES),
    st.integers(0, 99),
)


# WindowNormalizer ---------------------------------------------------------------------


@given(windows_of_any_kind, st.sampled_from([0.5, 1e-6, 1e3]))
@settings(max_examples=60)
def test_normalizer__is_the_formula(X, floor):
    expected = np.array([naive.shape_of_window(window, floor) for window in X])
    got = WindowNormalizer(floor).fit_transform(X)
    assert got.dtype == (np.float32 if X.dtype.str[1:] == "f4" else np.float64)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@given(windows_of_any_kind)
@settings(max_examples=30)
def test_normalizer__keeps_the_shape_of_its_input(X):
    normalizer = WindowNormalizer(n_channels=X.shape[2])
    flat = X.reshape(len(X), -1)
    expected = normalizer.fit_transform(flat)
    assert expected.shape == flat.shape
    shaped = normalizer.fit_transform(X)
    np.testing.assert_array_equal(shaped, expected.reshape(X.shape))
    listed = normalizer.transform(X.tolist())
    np.testing.assert_allclose(listed, shaped, rtol=1e-6)


def test_normalizer__takes_one_window_and_names_its_columns():
    table = pd.DataFrame([[1, 2, 3]], columns=list("abc"), index=[7])
    normalizer = WindowNormalizer().set_output(transform="pandas")
    got = normalizer.fit_transform(table)
    assert got.columns.tolist() == list("abc")
    assert got.index.tolist() == [7]


def test_still_channel__becomes_zeros_and_small_moves_stay_small():
    X = np.full((3, 8, 2), 0.1)
    X[:, :, 1] = 1e8 + 1e-3 * np.arange(8)
    got = WindowNormalizer().fit_transform(X)
    assert np.abs(got[:, :, 0]).max() < 1e-12
    assert 0 < np.abs(got[:, :, 1]).max() < 0.01


def test_normalizer__in_blocks__is_the_same(monkeypatch):
    X = random_windows(50, 7, 3)
    expected = WindowNormalizer().fit_transform(X)
    monkeypatch.setattr("skad.features._base.VALUES_AT_ONCE", 50)
    np.testing.assert_array_equal(WindowNormalizer().fit_transform(X), expected)


# WindowSummary ------------------------------------------------------------------------


@given(windows_of_any_kind, st.sampled_from([0.05, 1e-6, 1e3]))
@settings(max_examples=60)
def test_summary__is_the_formula(X, floor):
    expected = [naive.summary_of_window(window, floor) for window in X]
    summary = WindowSummary(floor).fit(X)
    got = summary.transform(X)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert len(summary.get_feature_names_out()) == got.shape[1] == 2 * X.shape[2]
    flat = WindowSummary(floor, n_channels=X.shape[2]).fit_transform(
        X.reshape(len(X), -1)
    )
    np.testing.assert_array_equal(flat, got)


def test_summary__keeps_channels_for_the_detector_behind_it():
    X = random_windows(400, 1, 3)[:, 0]
    inner = make_pipeline(
        WindowSummary(), StandardScaler(), LocallyLinearAutoencoder(1)
    )
    detector = WindowedDetector(inner, 8).fit(X)
    assert [detector.estimator_[i].n_channels for i in (0, 2)] == [3, 3]
    broken = X.copy()
    broken[200:230, 1] += 9
    shares = detector.explain(broken)
    np.testing.assert_allclose(shares.sum(axis=1), -detector.score_samples(broken))
    assert shares[205:225].mean(axis=0).argmax() == 1


# RandomConvolutions: what is computed -------------------------------------------------


@given(
    windows_of_any_kind,
    st.integers(1, 13),
    st.integers(2, 11),
    st.sampled_from(["auto", 1, 3]),
)
@settings(max_examples=60)
def test_strengths__are_those_of_loops(X, n_kernels, kernel_length, n_segments):
    if n_segments != "auto":
        n_segments = min(n_segments, X.shape[1])
    convolutions = RandomConvolutions(
        n_kernels,
        kernel_length=kernel_length,
        n_segments=n_segments,
        n_components=None,
        random_state=0,
    ).fit(X)
    kernels, dilations = convolutions.kernels_, convolutions.dilations_
    sizes = naive.sizes(X, kernels, dilations)
    np.testing.assert_allclose(convolutions.sizes_, sizes, rtol=1e-9)
    expected = naive.strengths(X, kernels, dilations, sizes, convolutions.n_segments_)
    got = convolutions.transform(X)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    assert got.shape == (len(X), n_kernels * convolutions.n_segments_)


@given(st.integers(1, 300), st.integers(1, 70), st.integers(2, 12), st.integers(1, 9))
@settings(max_examples=60)
def test_kernels__are_as_documented(n_kernels, length, kernel_length, n_channels):
    X = random_windows(2, length, n_channels)
    options = {"kernel_length": kernel_length, "n_components": None}
    fitted = RandomConvolutions(n_kernels, **options, random_state=0).fit(X)
    assert fitted.kernels_.shape == (n_kernels, kernel_length, n_channels)
    np.testing.assert_allclose(fitted.kernels_.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(fitted.kernels_, axis=(1, 2)), 1)
    n_seen = (fitted.kernels_ != 0).any(axis=1).sum(axis=1)
    assert n_seen.min() >= 1
    assert n_seen.max() <= min(4, n_channels)
    possible = [d for d in (1, 2, 4, 8, 16) if (kernel_length - 1) * d + 1 <= length]
    used, counts = np.unique(fitted.dilations_, return_counts=True)
    assert set(used) <= set(possible or [1])
    assert np.ptp(counts) <= 1
    assert len(used) == min(n_kernels, len(possible or [1]))


def test_seen_channels__are_all_kinds_of_them():
    fitted = RandomConvolutions(random_state=0).fit(random_windows(5, 20, 6))
    seen = (fitted.kernels_ != 0).any(axis=1)
    assert np.unique(seen.sum(axis=1)).tolist() == [1, 2, 3, 4]
    assert seen.any(axis=0).all()


@pytest.mark.parametrize(
    ("length", "n_segments"),
    [(1, 1), (3, 3), (9, 4), (24, 4), (25, 5), (119, 23), (120, 24), (187, 24)],
)
def test_segments__are_a_fifth_of_the_window(length, n_segments):
    fitted = RandomConvolutions(5, random_state=0).fit(random_windows(6, length, 1))
    assert fitted.n_segments_ == n_segments


# Components ---------------------------------------------------------------------------


@given(
    st.integers(2, 40),
    st.integers(1, 40),
    st.sampled_from([0.5, 0.9, 0.995, 1, 3, 300]),
)
@settings(max_examples=80)
def test_components__are_those_of_pca(n, width, n_components):
    rng = np.random.default_rng(n * width)
    rows = rng.normal(size=(n, width)) * np.arange(1, width + 1)
    mean, components, variances = principal_components(rows, n_components, 20)
    full = PCA(svd_solver="full").fit(rows)
    n_most = min(n - 1, width)
    if n_components >= 1:
        assert len(components) == min(n_components, n_most)
    else:
        ratios = np.cumsum(full.explained_variance_ratio_)
        expected = np.count_nonzero(ratios < n_components) + 1
        assert len(components) == min(expected, 20)
    at = slice(len(components))
    np.testing.assert_allclose(mean, rows.mean(axis=0))
    np.testing.assert_allclose(variances, full.explained_variance_[at], rtol=1e-6)
    alike = np.abs(np.vecdot(components, full.components_[at]))
    np.testing.assert_allclose(alike, 1, atol=1e-6)
    largest = np.abs(components).argmax(axis=1)
    assert (components[np.arange(len(components)), largest] > 0).all()


@pytest.mark.parametrize("rows", [np.full((5, 9), 0.1), np.full((9, 5), 0.3)])
@pytest.mark.parametrize("noise", [0.0, 1e-17])
def test_components__of_what_does_not_vary__are_zero(rows, noise):
    rows = rows + noise * np.arange(len(rows))[:, None]
    _, components, variances = principal_components(rows, 0.99, 256)
    assert components.shape == (1, rows.shape[1])
    assert not components.any()
    assert not variances.any()


def test_features__are_whitened():
    X = random_windows(300, 60, 2)
    features = RandomConvolutions(40, random_state=0).fit_transform(X)
    np.testing.assert_allclose(np.cov(features.T), np.eye(features.shape[1]), atol=1e-8)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-8)


@pytest.mark.parametrize("n_components", [3, 10**6, 0.9])
def test_components__are_as_many_as_there_can_be(n_components):
    X = random_windows(12, 30, 1)
    convolutions = RandomConvolutions(20, n_components=n_components, random_state=0)
    features = convolutions.fit_transform(X)
    names = convolutions.get_feature_names_out()
    assert features.shape == (12, len(names))
    assert features.shape[1] == {3: 3, 10**6: 11}.get(n_components, features.shape[1])
    assert names[0] == "randomconvolutions0"


def test_components__are_at_most_256():
    X = np.random.default_rng(0).normal(size=(600, 80))
    features = RandomConvolutions(100, random_state=0).fit_transform(X)
    assert features.shape[1] == 256


def test_only_some_windows__are_learnt_from(monkeypatch):
    X = random_windows(50, 30, 1)
    expected = RandomConvolutions(9, random_state=0).fit(X[::7]).transform(X)
    monkeypatch.setattr(_convolutions, "_MOST_WINDOWS", 8)
    got = RandomConvolutions(9, random_state=0).fit(X).transform(X)
    np.testing.assert_array_equal(got, expected)


# Rows, blocks, dtypes -----------------------------------------------------------------


@given(
    st.integers(1, 45),
    st.integers(1, 5),
    st.integers(1, 30),
    st.sampled_from([0.995, None]),
    st.sampled_from(["f8", "f4", "i4"]),
)
@settings(max_examples=40)
def test_row__does_not_depend_on_the_rows_beside_it(
    length, n_channels, n_kernels, n_components, dtype
):
    X = random_windows(150, length, n_channels, dtype)
    rng = np.random.default_rng(0)
    for transformer in (
        RandomConvolutions(n_kernels, n_components=n_components, random_state=0),
        WindowNormalizer(),
    ):
        expected = transformer.fit(X).transform(X)
        order = rng.permutation(len(X))
        np.testing.assert_array_equal(transformer.transform(X[order]), expected[order])
        for at in (slice(7, 8), slice(1, 66), slice(149, 150)):
            np.testing.assert_array_equal(transformer.transform(X[at]), expected[at])


def test_long_windows__come_in_smaller_blocks(monkeypatch):
    X = random_windows(20, 50, 2).reshape(20, 100)
    convolutions = RandomConvolutions(20, n_channels=2, random_state=0)
    expected = clone(convolutions).fit(X).transform(X)
    monkeypatch.setattr(_convolutions, "_VALUES_AT_ONCE", 50 * 18 * 3)
    (_, block), *_ = convolutions.fit(X)._blocks(X, np.arange(20))
    assert len(block) == 3
    np.testing.assert_allclose(convolutions.transform(X), expected, atol=1e-8)
    alone = convolutions.transform(X[5:6])
    np.testing.assert_array_equal(alone, convolutions.transform(X)[5:6])


def test_input__of_any_kind__gives_the_same():
    X = random_windows(30, 12, 2, "i4")
    convolutions = RandomConvolutions(20, n_channels=2, random_state=0).fit(X)
    expected = convolutions.transform(X)
    flat = X.reshape(30, -1)
    fixed = flat.astype(float)
    fixed.flags.writeable = False
    wide = np.repeat(flat, 2, axis=1)[:, ::2]
    for rows in (flat, flat.astype("f4"), X.tolist(), fixed, wide, pd.DataFrame(flat)):
        np.testing.assert_array_equal(convolutions.transform(rows), expected)
        again = clone(convolutions).fit(rows).transform(rows)
        np.testing.assert_array_equal(again, expected)


# Odd windows --------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
@pytest.mark.parametrize("n_components", [0.995, None, 5])
def test_windows_that_never_move__have_finite_features(value, n_components):
    X = np.full((20, 15, 2), value)
    convolutions = RandomConvolutions(10, n_components=n_components, random_state=0)
    features = convolutions.fit_transform(X)
    assert np.isfinite(features).all()
    moved = X + np.random.default_rng(0).normal(size=X.shape)
    assert np.isfinite(convolutions.transform(moved)).all()
    assert n_components is None or features.shape[1] == 1


def test_still_channel_that_moves_later__is_seen_without_components():
    X = random_windows(30, 20, 2)
    X[:, :, 1] = 0.0
    convolutions = RandomConvolutions(20, n_components=None, random_state=0).fit(X)
    later = X.copy()
    later[:, :, 1] = np.random.default_rng(0).normal(size=(30, 20))
    assert (convolutions.transform(later) > convolutions.transform(X)).any()


@pytest.mark.parametrize("length", [1, 2, 8])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_windows_shorter_than_a_kernel__are_judged(length, n_channels):
    X = np.random.default_rng(0).normal(size=(40, length, n_channels))
    fitted = RandomConvolutions(30, random_state=0).fit(X)
    assert set(fitted.dilations_) == {1}
    odd = fitted.transform(X[:1] + 100)
    assert np.linalg.norm(odd) > 2 * np.linalg.norm(fitted.transform(X), axis=1).max()


def test_what_does_not_fit__is_refused_by_name():
    X = random_windows(10, 12, 1).reshape(10, 12)
    with pytest.raises(
        ValueError, match=r"n_segments=13 .* have 12\. Use n_seg.*<= 12"
    ):
        RandomConvolutions(n_segments=13).fit(X)
    with pytest.raises(ValueError, match="n_channels=5 does not divide"):
        RandomConvolutions(n_channels=5).fit(X)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        RandomConvolutions().fit(X[:1])
    X[3, 4] = np.nan
    for transformer in (RandomConvolutions(), WindowNormalizer()):
        with pytest.raises(ValueError, match="NaN in row 3, column 4"):
            transformer.fit(X)
        fitted = clone(transformer).fit(X[:3])
        with pytest.raises(ValueError, match="NaN in row 3, column 4"):
            fitted.transform(X)
        with pytest.raises(ValueError, match=r"shape \(3, 4\), but .* shape \(12, 1\)"):
            fitted.transform(np.zeros((2, 3, 4)))
    for wrong in ({"n_kernels": 0}, {"kernel_length": 1}, {"n_components": 1.0}):
        with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter"):
            RandomConvolutions(**wrong).fit(X[:3])
    with pytest.raises(ValueError, match="'floor' parameter"):
        WindowNormalizer(0.0).fit(X[:3])


# Random numbers -----------------------------------------------------------------------


def test_random_state__repeats_and_differs():
    X = random_windows(40, 30, 2)

    def features(random_state):
        return RandomConvolutions(10, random_state=random_state).fit_transform(X)

    np.testing.assert_array_equal(features(3), features(3))
    state = np.random.RandomState(3)
    np.testing.assert_array_equal(features(state), features(3))
    assert not np.array_equal(features(state)[:, 0], features(3)[:, 0])
    assert not np.array_equal(features(None)[:, 0], features(None)[:, 0])


def test_fits_in_threads_and_processes__are_equal():
    X = random_windows(40, 30, 2)
    convolutions = RandomConvolutions(10, random_state=0)
    expected = clone(convolutions).fit_transform(X)
    for backend in ("threading", "loky"):
        # One object must not be fitted twice at once.
        calls = [delayed(clone(convolutions).fit_transform)(X) for _ in range(2)]
        for got in Parallel(2, backend=backend)(calls):
            np.testing.assert_array_equal(got, expected)


def test_pickle_and_file__keep_every_bit(tmp_path):
    X = random_windows(40, 30, 2)
    for transformer in (
        RandomConvolutions(10, random_state=0),
        RandomConvolutions(10, n_components=None, random_state=0),
        WindowNormalizer(),
    ):
        expected = transformer.fit_transform(X)
        loaded = skad.load(skad.save(transformer, tmp_path / "t.skad"))
        for copy in (loaded, pickle.loads(pickle.dumps(transformer))):
            np.testing.assert_array_equal(copy.transform(X), expected)


# Before a detector --------------------------------------------------------------------


def waves(n_rows, n_channels=3, seed=0):
    t = np.arange(n_rows)[:, None] + 5 * np.arange(n_channels)
    rng = np.random.default_rng(seed)
    return np.sin(t / 4) + 0.05 * rng.normal(size=(n_rows, n_channels))


def find_steps(estimator):
    """An estimator and all that is inside of it, also beside the way inwards."""
    yield estimator
    named = getattr(estimator, "transformer_list", getattr(estimator, "steps", None))
    for step in [inside(estimator)] if named is None else dict(named).values():
        if step is not None and not isinstance(step, str):
            yield from find_steps(step)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda c, d: make_pipeline(c, d),
        lambda c, d: make_pipeline("passthrough", WindowNormalizer(), c, d),
        lambda c, d: make_pipeline(StandardScaler(), make_pipeline(c), d),
        lambda c, d: make_pipeline(FeatureUnion([("a", c), ("b", "drop")]), d),
        lambda c, d: make_pipeline(c, StandardScaler(), d),
        lambda c, d: FixedThresholdDetector(make_pipeline(c, d), -1.0),
        lambda c, d: GridSearchCV(
            make_pipeline(c, d),
            {"randomconvolutions__n_kernels": [4, 6]},
            scoring=lambda *_: 0.0,
            cv=2,
        ),
    ],
)
def test_windowed_detector__tells_who_sees_windows(wrap):
    convolutions = RandomConvolutions(8, random_state=0)
    inner = wrap(convolutions, LinearAutoencoder(2))
    detector = WindowedDetector(inner, 12).fit(waves(150))
    steps = list(find_steps(detector.estimator_))
    (fitted,) = (step for step in steps if isinstance(step, RandomConvolutions))
    assert (fitted.window_length_, fitted.n_channels_) == (12, 3)
    assert convolutions.n_channels == 1
    last = core_of(detector.estimator_)
    n_features = len(fitted.get_feature_names_out())
    assert (last.window_length_, last.n_channels_) == (n_features, 1)
    for step in steps:
        if isinstance(step, WindowNormalizer):
            assert step.n_channels_ == 3


def test_normalizer__and_the_detector_behind_it__are_told():
    inner = make_pipeline(WindowNormalizer(), LinearAutoencoder(2))
    fitted = WindowedDetector(inner, 12).fit(waves(150)).estimator_
    assert [step.n_channels_ for step in fitted] == [3, 3]


def test_broken_row__is_found_behind_features_and_shapes():
    X = waves(400)
    X[300:306, 1] += np.array([0.5, -0.5, 0.5, -0.5, 0.5, -0.5])
    local = LocallyLinearAutoencoder()
    for first in (RandomConvolutions(60, random_state=0), WindowNormalizer()):
        detector = WindowedDetector(make_pipeline(first, local), 20).fit(X[:250])
        worst = np.argmin(detector.score_samples(X))
        assert 295 <= worst < 311
        assert detector.calibration_.n_scores > 0


def test_search__chooses_their_parameters():
    X = random_windows(60, 20, 1).reshape(60, 20)
    y = np.repeat([1, -1], [50, 10])
    pipeline = make_pipeline(
        RandomConvolutions(random_state=0), LocalOutlierFactor(5, novelty=True)
    )
    grid = {
        "randomconvolutions__n_kernels": [5, 10],
        "randomconvolutions__n_components": [None, 0.9],
    }
    splits = StratifiedKFold(2, shuffle=True, random_state=0)
    scorer = skad.make_outlier_scorer("roc_auc")
    search = GridSearchCV(pipeline, grid, scoring=scorer, cv=splits).fit(X, y)
    chosen = search.best_estimator_[0]
    assert chosen.n_kernels == search.best_params_["randomconvolutions__n_kernels"]
    frame = pipeline[:1].set_output(transform="pandas").fit_transform(X)
    assert frame.columns[0] == "randomconvolutions0"
