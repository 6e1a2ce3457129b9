"""Error models: against plain loops, and what all of them promise."""

import pickle
from unittest import mock

import naive
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from instances import ERROR_MODELS, Bottleneck
from sklearn.base import BaseEstimator, clone

from skad import (
    Autoencoder,
    BaseErrorModel,
    HybridErrors,
    LinearAutoencoder,
    MahalanobisErrors,
    MeanAbsoluteErrors,
    MeanSquaredErrors,
    MLPAutoencoder,
    RootMeanSquaredErrors,
    StandardizedErrors,
)

# Residuals, (n_windows, window_length, n_channels)


@st.composite
def residuals_of(draw, min_windows=1, max_windows=6, n_sets=1):
    """Sets of residuals of one shape; sizes 0 or 1/8 to 100, some places constant."""
    shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 3)))
    value = st.integers(-800, 800).map(lambda i: i / 8)
    sets = []
    for _ in range(n_sets):
        n = draw(st.integers(min_windows, max_windows))
        sets.append(draw(arrays(np.float64, (n, *shape), elements=value)))
    if draw(st.booleans()):
        t, c = (draw(st.integers(0, size - 1)) for size in shape)
        sets[0][:, t, c] = draw(value)
    return sets


@st.composite
def normal_residuals(draw, max_windows=9, n_sets=2, max_length=5, max_channels=3):
    """Sets of normal noise of one shape, some channels zero or constant in the first.

    Where matrices are inverted, adversarial digits would only measure rounding.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    window_length = draw(st.integers(1, max_length))
    n_channels = draw(st.integers(1, max_channels))
    sets = []
    for _ in range(n_sets):
        n = draw(st.integers(2, max_windows))
        sets.append(rng.normal(size=(n, window_length, n_channels)))
    if n_channels > 1 and draw(st.booleans()):
        sets[0][..., 0] = draw(st.sampled_from([0.0, 1.0, -0.3]))
    return sets


def noise(n_windows=40, window_length=5, n_channels=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_windows, window_length, n_channels))


def codes_for(residuals, latent_dim=3, seed=1):
    return np.random.default_rng(seed).normal(size=(len(residuals), latent_dim))


# Each against its definition


@given(sets=residuals_of())
@example(sets=[np.zeros((1, 1, 1))])
@example(sets=[np.full((3, 17, 1), -2.0)])
def test__mse__any_residuals__as_defined(sets):
    (residuals,) = sets
    model = MeanSquaredErrors().fit(residuals)
    expected = naive.squared_errors(residuals)
    np.testing.assert_allclose(model.timestep_errors(residuals), expected)
    np.testing.assert_allclose(
        model.window_errors(residuals), naive.window_errors(expected)
    )


@given(sets=residuals_of())
@example(sets=[np.zeros((1, 1, 1))])
def test__rmse__any_residuals__as_defined(sets):
    (residuals,) = sets
    model = RootMeanSquaredErrors().fit(residuals)
    expected = naive.root_squared_errors(residuals)
    np.testing.assert_allclose(model.timestep_errors(residuals), expected)
    np.testing.assert_allclose(
        model.window_errors(residuals), naive.window_errors(expected)
    )


@given(sets=residuals_of())
@example(sets=[np.zeros((1, 1, 1))])
def test__mae__any_residuals__as_defined(sets):
    (residuals,) = sets
    model = MeanAbsoluteErrors().fit(residuals)
    expected = naive.absolute_errors(residuals)
    np.testing.assert_allclose(model.timestep_errors(residuals), expected)
    np.testing.assert_allclose(
        model.window_errors(residuals), naive.window_errors(expected)
    )


@given(
    sets=residuals_of(n_sets=2).filter(lambda sets: sets[0].any()),
    floor=st.sampled_from([1e-6, 0.01, 1, 10.0]),
)
def test__std__any_residuals__as_defined(sets, floor):
    fitted_on, residuals = sets
    model = StandardizedErrors(floor).fit(fitted_on)
    expected = naive.standardized_errors(fitted_on, residuals, floor)
    np.testing.assert_allclose(model.timestep_errors(residuals), expected)
    np.testing.assert_allclose(
        model.window_errors(residuals), naive.window_errors(expected)
    )


@pytest.mark.parametrize("vector", ["timestep", "window"])
@given(
    sets=normal_residuals(),
    shrinkage=st.sampled_from(["ledoit-wolf", 0.05, 0.5, 1, 1.0]),
)
def test__mahalanobis__any_residuals__as_defined(vector, sets, shrinkage):
    fitted_on, residuals = sets
    model = MahalanobisErrors(vector, shrinkage=shrinkage).fit(fitted_on)
    expected = naive.mahalanobis_errors(fitted_on, residuals, vector, shrinkage)
    # where shrinkage is all but nothing, few vectors leave an ill-conditioned matrix
    tolerance = {"rtol": 1e-6, "atol": 1e-6 * max(1.0, np.abs(expected).max())}
    np.testing.assert_allclose(model.timestep_errors(residuals), expected, **tolerance)
    np.testing.assert_allclose(
        model.window_errors(residuals), naive.window_errors(expected), **tolerance
    )


@pytest.mark.parametrize("vector", ["timestep", "window"])
def test__mahalanobis__no_shrinkage__mean_distance_is_the_dimension(vector):
    residuals = noise(200, 3, 2)
    model = MahalanobisErrors(vector, shrinkage=0).fit(residuals)
    expected = naive.mahalanobis_errors(residuals, residuals[:3], vector, 0)
    np.testing.assert_allclose(model.timestep_errors(residuals[:3]), expected)
    # trace(Sigma^-1 Sigma): 2 channels a timestep, or 6 values over 3 timesteps
    assert model.timestep_errors(residuals).mean() == pytest.approx(2.0)


def test__mahalanobis__correlated_channels__unusual_pair_stands_out():
    rng = np.random.default_rng(0)
    size = np.abs(rng.normal(size=(300, 1, 1))) + 0.1
    usual = size * [1.0, 1.0] + 0.01 * rng.normal(size=(300, 1, 2))
    model = MahalanobisErrors().fit(usual)
    together, alone = model.window_errors(np.array([[[2.0, 2.0]], [[1.0, 0.1]]]))
    assert alone > 10 * together
    squared = MeanSquaredErrors().window_errors(np.array([[[2.0, 2.0]], [[1.0, 0.1]]]))
    assert squared[0] > squared[1]


@pytest.mark.parametrize("shrinkage", ["ledoit-wolf", 0, 0.1])
def test__mahalanobis__channel_that_never_varied__counts_when_it_does(shrinkage):
    fitted_on = noise(100, 3, 2)
    fitted_on[..., 1] = 0.0
    model = MahalanobisErrors(shrinkage=shrinkage).fit(fitted_on)
    usual, in_the_other, in_it = np.zeros((3, 1, 3, 2))
    in_the_other[..., 0], in_it[..., 1] = 3.0, 3.0
    errors = model.window_errors(np.concatenate([usual, in_the_other, in_it]))
    assert errors[0] < errors[1] < errors[2] < np.inf


@given(
    sets=normal_residuals(),
    latent_dim=st.integers(1, 4),
    n_train=st.one_of(st.none(), st.integers(2, 9)),
    n_neighbors=st.integers(1, 10),
    floor=st.sampled_from([0.01, 1.0, None]),
    seed=st.integers(0, 10**6),
    dead_unit=st.sampled_from([None, 0.0, 0.1, -7.3]),
)
def test__hybrid__any_residuals__as_defined(
    sets, latent_dim, n_train, n_neighbors, floor, seed, dead_unit
):
    fitted_on, residuals = sets
    codes = codes_for(fitted_on, latent_dim, seed)
    new_codes = codes_for(residuals, latent_dim, seed + 1)
    train_codes = None
    if n_train is not None:
        train_codes = codes_for(range(n_train), latent_dim, seed + 2)
    if dead_unit is not None:
        (codes if train_codes is None else train_codes)[:, 0] = dead_unit
    params = {"standardize": False} if floor is None else {"floor": floor}
    model = HybridErrors(n_neighbors, **params).fit(fitted_on, codes, train_codes)
    expected = naive.hybrid_errors(
        fitted_on, codes, train_codes, residuals, new_codes, n_neighbors, floor
    )
    got = model.timestep_errors(residuals, new_codes)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    np.testing.assert_allclose(
        model.window_errors(residuals, new_codes),
        naive.window_errors(expected),
        rtol=1e-6,
    )


@given(sets=normal_residuals(), seed=st.integers(0, 10**6))
def test__hybrid__distance__is_shared_out_to_channels_like_the_residuals(sets, seed):
    fitted_on, residuals = sets
    codes, new_codes = codes_for(fitted_on, 2, seed), codes_for(residuals, 2, seed + 1)
    model = HybridErrors().fit(fitted_on, codes)
    shares = model.residual_errors_.contributions(residuals) / model.error_unit_
    distances = model._distances(new_codes) / model.distance_unit_
    expected = [
        naive.shared_distance(*pair) for pair in zip(shares, distances, strict=True)
    ]
    got = model.contributions(residuals, new_codes)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(
        got.sum(axis=2), model.timestep_errors(residuals, new_codes), rtol=1e-9
    )


def test__hybrid__channel_without_error__bears_no_distance():
    residuals = noise()
    residuals[:, :, 0] = 0.0
    model = HybridErrors().fit(residuals, codes_for(residuals))
    shares = model.contributions(residuals, codes_for(residuals, seed=1))
    assert not shares[:, :, 0].any()


@pytest.mark.parametrize("n_windows", [2, 3, 5, 7, 10, 20, 33])
@pytest.mark.parametrize("size", [0.0, 0.1, 0.3, 1.0])
def test__hybrid__errors_without_spread__are_not_blown_up(n_windows, size):
    residuals = np.full((n_windows, 3, 2), size)
    codes = codes_for(residuals)
    model = HybridErrors().fit(residuals, codes)
    assert model.error_unit_ == 1.0  # a spread by rounding is none
    assert model.window_errors(residuals, codes).max() < 100


@pytest.mark.parametrize("n_windows", [3, 7, 20])
def test__hybrid__unit_without_spread__does_not_drown_the_others(n_windows):
    residuals = noise(n_windows)
    codes = codes_for(residuals)
    codes[:, 0] = 0.1
    new_codes = codes.copy()
    new_codes[:, 0] += 1e-6
    model = HybridErrors().fit(residuals, codes)
    np.testing.assert_allclose(
        model.window_errors(residuals, new_codes),
        model.window_errors(residuals, codes),
        rtol=1e-3,
    )


def test__hybrid__equal_codes__finite():
    residuals = noise(20)
    codes = np.ones((20, 3))
    model = HybridErrors().fit(residuals, codes)
    near, far = model.window_errors(residuals[:2] * 0, np.array([[1.0] * 3, [9.0] * 3]))
    assert near == 0
    assert near < far < np.inf


def test__hybrid__more_codes_than_kept__evenly_spaced():
    residuals = noise(50)
    codes = np.arange(50.0)[:, None] ** 2
    train_codes = np.arange(1000.0)[:, None]
    model = HybridErrors(1, max_codes=11).fit(residuals, codes, train_codes)
    kept = (model.codes_ * model.code_units_ + model.code_means_).ravel().round(9)
    assert len(kept) == 11
    assert kept[0] == 0
    assert kept[-1] == 999
    assert np.ptp(np.diff(kept)) <= 1


def test__hybrid__own_code__is_no_neighbour_of_itself():
    residuals = noise(30)
    codes = codes_for(residuals)
    model = HybridErrors(1).fit(residuals, codes)
    errors = model.residual_errors_.window_errors(residuals) / model.error_unit_
    distances = (model.window_errors(residuals, codes) - errors) * model.distance_unit_
    scaled = codes / codes.std(axis=0)
    for i, distance in enumerate(distances):
        others = np.delete(scaled, i, axis=0) - scaled[i]
        assert distance == pytest.approx(np.linalg.norm(others, axis=1).min())


@given(
    n_codes=st.integers(3, 300),
    latent_dim=st.integers(1, 64),
    spread=st.sampled_from([1.0, 1e-2, 1e-4]),
    n_neighbors=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test__hybrid__order_of_the_rows_in_a_block__changes_no_bit(
    n_codes, latent_dim, spread, n_neighbors, seed
):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(3, latent_dim))
    bank, codes = (
        centers[rng.integers(3, size=n)] + spread * rng.normal(size=(n, latent_dim))
        for n in (n_codes, 64)
    )
    residuals, order = rng.normal(size=(64, 2, 1)), rng.permutation(64)
    model = HybridErrors(n_neighbors).fit(residuals, codes, bank)
    errors = model.window_errors(residuals, codes)
    again = model.window_errors(residuals[order], codes[order])
    np.testing.assert_array_equal(again, errors[order])


@pytest.mark.parametrize("floor", [1e-300, 0.01])
@pytest.mark.parametrize("size", [1e-150, 1e-90, 1e-30])
def test__std__tiny_usual_residuals__largest_ones_stay_finite(floor, size):
    usual = np.full((3, 4, 2), size)
    usual[:, 0] = 0.0
    model = StandardizedErrors(floor).fit(usual)
    largest = np.full((1, 4, 2), np.finfo(np.float32).max, dtype=float)
    assert np.isfinite(model.window_errors(largest)).all()


def test__hybrid__own_code_of_another_device__recognised():
    residuals = noise(30)
    codes = 1 + 1e-3 * codes_for(residuals)  # float32 keeps four digits of them
    model = HybridErrors(1).fit(residuals, codes.astype(np.float32).astype(float))
    rounded = np.nextafter(codes.astype(np.float32), np.float32(9)).astype(float)
    np.testing.assert_allclose(
        model.window_errors(residuals, rounded),
        model.window_errors(residuals, codes),
        rtol=1e-2,
    )


def test__hybrid__collapsed_codes__weigh_nothing():
    residuals = noise(30)
    codes = np.ones((30, 3))
    codes[::2] += 1.0  # two places: every distance but rounding is zero
    model = HybridErrors(1).fit(residuals, codes + 1e-9 * codes_for(residuals))
    assert model.distance_unit_ == 1.0


@pytest.mark.parametrize("detector", [LinearAutoencoder, MLPAutoencoder])
def test__hybrid__share_of_learnt_rows__flags_as_many_new_ones(detector):
    learnt, new = np.random.default_rng(0).normal(size=(2, 500, 6))
    params = {"contamination": 0.1, "error_model": "hybrid", "latent_dim": 3}
    if detector is MLPAutoencoder:
        params |= {"max_epochs": 2, "random_state": 0}
    flagged = detector(**params).fit(learnt).predict(new) == -1
    assert 0.05 < flagged.mean() < 0.17


@pytest.mark.parametrize("train_codes", [None, np.zeros((5, 3))], ids=["none", "some"])
def test__hybrid__fit_without_codes__refused(train_codes):
    with pytest.raises(ValueError, match="needs latent codes"):
        HybridErrors().fit(noise(), None, train_codes)


def test__hybrid__errors_without_codes__refused():
    residuals = noise()
    model = HybridErrors().fit(residuals, codes_for(residuals))
    with pytest.raises(ValueError, match="codes"):
        model.window_errors(residuals)


@pytest.mark.parametrize("train_codes", [None, np.zeros((1, 3))], ids=["none", "one"])
def test__hybrid__a_single_code__refused(train_codes):
    residuals = noise(1 if train_codes is None else 4)
    with pytest.raises(ValueError, match=r"(?i)at least 2|two"):
        HybridErrors().fit(residuals, codes_for(residuals), train_codes)


# Degenerate residuals


@pytest.mark.parametrize("vector", ["timestep", "window"])
@pytest.mark.parametrize("shrinkage", ["ledoit-wolf", 0, 0.1, 1])
@pytest.mark.parametrize(
    "fitted_on",
    [
        np.zeros((5, 3, 2)),
        np.full((5, 3, 2), 0.7),
        noise(5, 3, 1) * [1.0, 2.0],
        noise(3, 7, 2),
    ],
    ids=["zeros", "constant", "collinear", "few"],
)
def test__mahalanobis__singular_covariance__finite(vector, shrinkage, fitted_on):
    model = MahalanobisErrors(vector, shrinkage=shrinkage).fit(fitted_on)
    residuals = 10 * noise(4, *fitted_on.shape[1:], seed=2)
    errors = model.window_errors(residuals)
    assert np.isfinite(errors).all()
    assert (errors >= -1e-6 * np.abs(errors).max()).all()


@pytest.mark.parametrize("model", ERROR_MODELS, ids=repr)
@pytest.mark.parametrize("size", [0.0, 1e-8, 0.7])
def test__any_model__fitted_on_constant_errors__larger_ones_still_rank(model, size):
    """A perfect reconstruction of the training windows blinds no model."""
    fitted_on = np.full((20, 3, 2), size)
    codes = codes_for(fitted_on)
    model = clone(model).fit(fitted_on, codes)
    residuals = fitted_on[:3] + np.array([0.0, 1.0, 1000.0])[:, None, None]
    errors = model.window_errors(residuals, codes[[0, 0, 0]])
    assert np.isfinite(errors).all()
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "model", [m for m in ERROR_MODELS if not isinstance(m, HybridErrors)], ids=repr
)
@pytest.mark.parametrize("shape", [(1, 3, 2), (1, 5, 1)], ids=str)
def test__any_model__fitted_on_one_window__larger_errors_still_rank(model, shape):
    """12 windows hold out a single one."""
    (fitted_on,) = [np.random.default_rng(0).normal(size=shape)]
    model = clone(model).fit(fitted_on)
    small, large = model.window_errors(np.concatenate([2 * fitted_on, 9 * fitted_on]))
    assert 0 < small < large < np.inf


# What every error model promises

models = pytest.mark.parametrize("model", ERROR_MODELS, ids=repr)


def fitted(model, seed=0):
    residuals = noise(seed=seed)
    return clone(model).fit(residuals, codes_for(residuals))


@models
def test__any_model__window_errors__are_means_over_timesteps(model):
    for shape in [(1, 1, 1), (4, 17, 1), (5, 3, 3), (2, 65, 2)]:
        fitted_on, residuals = noise(12, *shape[1:]), noise(*shape, seed=1)
        codes = codes_for(residuals)
        model = clone(model).fit(fitted_on, codes_for(fitted_on))
        timesteps = model.timestep_errors(residuals, codes)
        windows = model.window_errors(residuals, codes)
        assert timesteps.shape == residuals.shape[:2]
        assert windows.shape == residuals.shape[:1]
        assert windows.dtype == timesteps.dtype == np.float64
        np.testing.assert_allclose(windows, timesteps.mean(axis=1), rtol=1e-9)


@models
def test__any_model__rows__do_not_depend_on_each_other(model):
    model, residuals = fitted(model), noise(seed=3)
    codes = codes_for(residuals)
    rows = [7, 3, 30]
    np.testing.assert_allclose(
        model.window_errors(residuals, codes)[rows],
        model.window_errors(residuals[rows], codes[rows]),
        rtol=1e-9,
    )


@models
def test__any_model__direction__larger_residuals_larger_errors(model):
    model, residuals = fitted(model), noise(seed=3)
    codes = codes_for(residuals)
    errors = [
        model.window_errors(size * residuals, codes).mean() for size in (3, 10, 100)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]


@models
def test__any_model__clone_and_params__round_trip(model):
    params = model.get_params()
    copied = clone(fitted(model))
    assert type(copied) is type(model)
    assert copied.get_params() == params
    assert set(vars(copied)) == set(params)
    assert clone(model).set_params(**params).get_params() == params


@models
def test__any_model__fit__parameters_and_residuals_unchanged(model):
    model, residuals = clone(model), noise()
    codes = codes_for(residuals)
    before = residuals.copy(), codes.copy()
    residuals.flags.writeable = codes.flags.writeable = False
    params = model.get_params()
    assert model.fit(residuals, codes) is model
    model.timestep_errors(residuals, codes)
    model.window_errors(residuals, codes)
    assert model.get_params() == params
    assert all(name.endswith("_") for name in set(vars(model)) - set(params))
    np.testing.assert_array_equal(residuals, before[0])
    np.testing.assert_array_equal(codes, before[1])


@models
def test__any_model__pickle__equal_errors(model):
    model, residuals = fitted(model), noise(seed=3)
    codes = codes_for(residuals)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        loaded.timestep_errors(residuals, codes),
        model.timestep_errors(residuals, codes),
    )


@models
def test__any_model__refit__forgets(model):
    residuals = noise(30, 4, 3, seed=5)
    codes = codes_for(residuals, 2)
    refitted = fitted(model).fit(residuals, codes)
    fresh = clone(model).fit(residuals, codes)
    assert set(vars(refitted)) == set(vars(fresh))
    np.testing.assert_array_equal(
        refitted.window_errors(residuals, codes), fresh.window_errors(residuals, codes)
    )


@models
def test__any_model__memory_layout__does_not_matter(model):
    model, residuals = fitted(model), noise(seed=3)
    codes = codes_for(residuals)
    expected = model.window_errors(residuals, codes)
    for laid_out in (
        np.asfortranarray(residuals),
        np.repeat(residuals, 2, axis=0)[::2],
        residuals.transpose(2, 1, 0).copy().transpose(2, 1, 0),
    ):
        np.testing.assert_allclose(model.window_errors(laid_out, codes), expected)


@pytest.mark.parametrize(
    "model",
    [
        StandardizedErrors(0),
        StandardizedErrors("low"),
        MahalanobisErrors("channel"),
        MahalanobisErrors(shrinkage=1.5),
        MahalanobisErrors(shrinkage="oas"),
        HybridErrors(0),
        HybridErrors(floor=-1.0),
        HybridErrors(max_codes=1),
    ],
    ids=repr,
)
def test__any_model__bad_parameter__refused_in_fit(model):
    residuals = noise()
    with pytest.raises(ValueError, match=f"of {type(model).__name__} must be"):
        model.fit(residuals, codes_for(residuals))


def test__base__without_timestep_errors__says_so():
    class Empty(BaseErrorModel):
        pass

    with pytest.raises(NotImplementedError, match="Empty does not divide its errors"):
        Empty().fit(noise()).window_errors(noise())


# Inside a detector


class WorstChannel(BaseErrorModel):
    """Largest absolute residual of the channels, over its usual size."""

    def __init__(self, power=1):
        self.power = power

    def fit(self, residuals, codes=None, train_codes=None):
        self.usual_ = np.abs(residuals).mean()
        return self

    def timestep_errors(self, residuals, codes=None):
        return (np.abs(residuals).max(axis=2) / self.usual_) ** self.power


class ThreeMethods(BaseEstimator):
    """No heir of `BaseErrorModel`: just the three methods."""

    def fit(self, residuals, codes=None, train_codes=None):
        return self

    def timestep_errors(self, residuals, codes=None):
        return np.abs(residuals).max(axis=2)

    def window_errors(self, residuals, codes=None):
        return np.abs(residuals).max(axis=(1, 2))


def table(n_rows=60, n_values=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, 2)) @ rng.normal(size=(2, n_values)) + 0.1 * (
        rng.normal(size=(n_rows, n_values))
    )


@pytest.mark.parametrize("model", [WorstChannel(2), ThreeMethods()], ids=repr)
@pytest.mark.parametrize("with_validation", [False, True])
def test__own_model__in_a_detector__decides_the_scores(model, with_validation):
    X, X_val = table(), table(seed=1) if with_validation else None
    params = model.get_params()
    detector = LinearAutoencoder(2, n_channels=3, error_model=model)
    detector.fit(X, X_val=X_val)
    assert detector.error_model_ is not model
    assert vars(model) == params  # the caller's object is only cloned
    errors = detector.reconstruction_errors(X)
    own = clone(model).fit(
        detector.reconstruction_errors(X_val if with_validation else X)
    )
    np.testing.assert_allclose(detector.score_samples(X), -own.window_errors(errors))
    np.testing.assert_allclose(
        detector.score_timesteps(X), -own.timestep_errors(errors)
    )


def test__own_model__nested_parameter__can_be_set():
    detector = LinearAutoencoder(2, error_model=WorstChannel())
    detector.set_params(error_model__power=3)
    assert detector.fit(table()).error_model_.power == 3


def test__detector__validation_windows__fit_the_error_model():
    X, X_val = table(), 3 * table(seed=1)
    detector = LinearAutoencoder(2, error_model="std").fit(X, X_val=X_val)
    residuals = (X_val - detector.reconstruct(X_val))[:, :, None]
    own = StandardizedErrors().fit(residuals)
    np.testing.assert_allclose(detector.error_model_.scale_, own.scale_)


@pytest.mark.parametrize("with_validation", [False, True])
def test__detector__hybrid__codes_of_both_parts(with_validation):
    X, X_val = table(), table(20, seed=1)
    detector = LinearAutoencoder(2, error_model=HybridErrors(3))
    fit_params = {"X_val": X_val} if with_validation else {}
    with mock.patch.object(HybridErrors, "fit", autospec=True) as fit:
        fit.side_effect = InterruptedError
        with pytest.raises(InterruptedError):
            detector.fit(X, **fit_params)
    _, residuals, codes, train_codes = fit.call_args.args
    plain = LinearAutoencoder(2).fit(X)
    held_out = X_val if with_validation else X
    np.testing.assert_allclose(codes, plain.transform(held_out))
    assert residuals.shape == (len(held_out), 6, 1)
    if with_validation:
        np.testing.assert_allclose(train_codes, plain.transform(X))
    else:
        assert train_codes is None


@pytest.mark.parametrize("early_stopping", [True, False])
def test__detector__hybrid_without_codes__refused(early_stopping):
    detector = Autoencoder(
        Bottleneck,
        module_params={"returns_latent": False},
        error_model="hybrid",
        early_stopping=early_stopping,
        max_epochs=1,
        random_state=0,
    )
    with pytest.raises(ValueError, match="needs the latent code"):
        detector.fit(table())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("n_rows", [9, 10, 12, 14])
@pytest.mark.parametrize("model", ERROR_MODELS, ids=repr)
def test__detector__few_rows__scores_still_differ(model, n_rows):
    X = table(n_rows)
    detector = MLPAutoencoder((), 1, error_model=model, max_epochs=1, random_state=0)
    scores = detector.fit(X).score_samples(np.concatenate([X, 50 + X]))
    assert len(np.unique(scores)) == len(scores)
    assert scores[:n_rows].min() > scores[n_rows:].max()


@pytest.mark.parametrize("model", ERROR_MODELS, ids=repr)
def test__detector__constant_windows__scores_finite(model):
    detector = LinearAutoencoder(1, error_model=model).fit(np.ones((20, 4)))
    # one component cannot hold it, whichever it is
    X = 1 + np.outer([0, 1, 1e3], [1.0, -2.0, 3.0, -1.5])
    scores = detector.score_samples(X)
    assert np.isfinite(scores).all()
    assert scores[0] > scores[1] > scores[2]
