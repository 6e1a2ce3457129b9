"""What every autoencoder promises beyond scikit-learn's checks."""

import copy
import pickle
import warnings

import joblib
import naive_nets
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import AUTOENCODERS, FAST, ONE_EPOCH, Bottleneck
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from skorch.callbacks import Callback

from skad import (
    Autoencoder,
    ConvAutoencoder,
    ConvLSTMAutoencoder,
    HybridErrors,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    LSTMAutoencoder,
    MahalanobisErrors,
    MLPAutoencoder,
    StandardizedErrors,
    WindowedDetector,
)

NETS = [MLPAutoencoder, ConvAutoencoder, ConvLSTMAutoencoder, LSTMAutoencoder]
TRAINED = {name: d for name, d in AUTOENCODERS.items() if hasattr(d, "max_epochs")}
every_autoencoder = pytest.mark.parametrize(
    "detector", AUTOENCODERS.values(), ids=AUTOENCODERS
)
every_net = pytest.mark.parametrize("detector", TRAINED.values(), ids=TRAINED)


def windows(n_windows, width, seed=0):
    """Correlated windows: few factors, little noise."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_windows, 2))
    mixing = np.random.default_rng(1).normal(size=(2, width))
    return factors @ mixing + 0.1 * rng.normal(size=(n_windows, width))


# Scores ---------------------------------------------------------------------------


@every_autoencoder
def test_planted_anomalies__score_lower(detector):
    X = windows(200, 12)
    anomalies = 8 * np.random.default_rng(2).normal(size=(50, 12))
    detector = clone(detector).fit(X)
    scores = detector.score_samples(np.concatenate([X, anomalies]))
    assert roc_auc_score(np.repeat([1, 0], [200, 50]), scores) > 0.9


@every_autoencoder
def test_outputs__shapes_and_agreement(detector):
    X = windows(70, 12)
    detector = clone(detector).fit(X)
    errors = detector.reconstruction_errors(X)
    assert errors.shape == (70, 12, 1)
    np.testing.assert_allclose(
        errors[..., 0], np.abs(X - detector.reconstruct(X)), atol=1e-12
    )
    assert detector.score_timesteps(X).shape == (70, 12)
    np.testing.assert_allclose(
        detector.score_timesteps(X).mean(axis=1), detector.score_samples(X), rtol=1e-10
    )
    shares = detector.explain(X)
    assert shares.shape == (70, 12, 1)
    np.testing.assert_allclose(
        shares.sum(axis=(1, 2)), -detector.score_samples(X), rtol=1e-9
    )
    np.testing.assert_allclose(
        12 * shares.sum(axis=2), -detector.score_timesteps(X), rtol=1e-9, atol=1e-12
    )
    if not isinstance(detector, LocallyLinearAutoencoder):  # has no codes
        assert detector.transform(X).shape == (70, detector.latent_dim_)
    decision = detector.decision_function(X)
    np.testing.assert_array_equal(decision < 0, detector.predict(X) == -1)
    np.testing.assert_array_equal(detector.fit_predict(X), detector.fit(X).predict(X))


@pytest.mark.parametrize("width", [1, 3, 17, 33, 50, 65, 187])
@pytest.mark.parametrize(
    "detector",
    [
        LinearAutoencoder(1),
        LinearAutoencoder(1, error_model="hybrid"),
        MLPAutoencoder((65,), 3, linear_path=None, **ONE_EPOCH),
        MLPAutoencoder((7,), 3, error_model="mahalanobis", **ONE_EPOCH),
        ConvAutoencoder((3, 5), 5, 3, **ONE_EPOCH),
        ConvLSTMAutoencoder((3, 5), 5, 3, 2, **ONE_EPOCH),
        ConvLSTMAutoencoder((6, 7), 4, 17, 3, linear_path=None, **ONE_EPOCH),
        ConvLSTMAutoencoder((8, 33), 7, 33, 3, linear_path=None, **ONE_EPOCH),
        LSTMAutoencoder(3, latent_dim=2, **ONE_EPOCH),
        LSTMAutoencoder(3, linear_path=None, output_activation="tanh", **ONE_EPOCH),
        LSTMAutoencoder(17, linear_path=None, **ONE_EPOCH),
        LSTMAutoencoder(33, linear_path=None, **ONE_EPOCH),
    ],
    ids=[
        *("linear", "hybrid", "plain", "mahalanobis", "conv"),
        *("conv-lstm", "conv-lstm-17", "conv-lstm-33", "lstm", "lstm-steps"),
        *("lstm-17", "lstm-33"),
    ],
)
@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
@pytest.mark.filterwarnings("ignore:output_activation=:UserWarning")
def test_score__does_not_depend_on_the_rows_beside(detector, width):
    X = windows(150, width)
    detector = clone(detector).fit(X)
    scores = detector.score_samples(X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(detector.score_samples(X[order]), scores[order])
    one_by_one = [detector.score_samples(X[i : i + 1])[0] for i in range(0, 150, 7)]
    np.testing.assert_array_equal(one_by_one, scores[::7])
    np.testing.assert_array_equal(detector.score_samples(X[70:]), scores[70:])


@pytest.mark.parametrize("hidden_dim", [17, 18, 33, 65])
@pytest.mark.parametrize("n_channels", [3, 5, 7])
def test_lstm_score__does_not_depend_on_the_rows_beside(hidden_dim, n_channels):
    X = windows(130, 6 * n_channels)
    detector = LSTMAutoencoder(
        hidden_dim, linear_path=None, n_channels=n_channels, **ONE_EPOCH
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "latent_dim=")
        scores = detector.fit(X).score_samples(X)
    one_by_one = [detector.score_samples(X[i : i + 1])[0] for i in range(0, 130, 9)]
    np.testing.assert_array_equal(one_by_one, scores[::9])


@every_autoencoder
def test_three_dimensional_windows__as_flat_ones(detector):
    X = windows(60, 12)
    flat = clone(detector).set_params(n_channels=3).fit(X)
    deep = clone(detector).fit(X.reshape(60, 4, 3))
    assert deep.n_features_in_ == 12
    assert (deep.window_length_, deep.n_channels_) == (4, 3)
    expected = flat.score_samples(X)
    for fitted in (flat, deep):
        np.testing.assert_array_equal(fitted.score_samples(X), expected)
        np.testing.assert_array_equal(
            fitted.score_samples(X.reshape(60, 4, 3)), expected
        )
    assert deep.reconstruct(X.reshape(60, 4, 3)).shape == (60, 4, 3)


def test_linear__is_pca():
    X = windows(100, 12)
    detector = LinearAutoencoder(2).fit(X)
    pca = PCA(2).fit(X)
    expected = pca.inverse_transform(pca.transform(X))
    np.testing.assert_allclose(detector.reconstruct(X), expected, atol=1e-10)
    assert LinearAutoencoder(0.95).fit(X).latent_dim_ == PCA(0.95).fit(X).n_components_


@pytest.mark.parametrize("kind", NETS)
def test_linear_path__starts_as_pca(kind, normal_beats):
    settings = {"max_epochs": 1, "lr": 1e-12, "early_stopping": False}
    detector = kind(latent_dim=10, random_state=0, **settings).fit(normal_beats)
    linear = LinearAutoencoder(10).fit(normal_beats)
    np.testing.assert_allclose(
        detector.reconstruct(normal_beats), linear.reconstruct(normal_beats), atol=1e-5
    )


@given(
    n_windows=st.integers(2, 70),
    window_length=st.integers(1, 20),
    n_channels=st.integers(1, 3),
    dtype=st.sampled_from(["f4", "f8", ">f4", "f2", "i2", "u1", "?"]),
    layout=st.sampled_from(["C", "F", "strided", "reversed", "readonly"]),
)
@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
@pytest.mark.parametrize(
    "detector",
    [LinearAutoencoder(1), MLPAutoencoder((3,), 1, max_epochs=1, random_state=0)],
    ids=["linear", "mlp"],
)
def test_any_dtype_and_layout__equals_float64(
    detector, n_windows, window_length, n_channels, dtype, layout
):
    width = window_length * n_channels
    X = (20 * windows(n_windows, width) ** 2).astype(dtype)
    as_given = {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "reversed": X[::-1].copy()[::-1],
        "readonly": np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    }[layout]
    detector = clone(detector).set_params(n_channels=n_channels).fit(as_given)
    scores = detector.score_samples(as_given)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    plain = clone(detector).fit(X.astype(np.float64))
    expected = plain.score_samples(X.astype(np.float64))
    # Residuals of narrow floats are as narrow as the net's reconstruction.
    rtol = 1e-5 if np.dtype(dtype).kind == "f" else 0
    np.testing.assert_allclose(scores, expected, rtol=rtol)


def test_strided_windows__are_not_copied():
    series = windows(2000, 5).ravel()
    X = np.lib.stride_tricks.sliding_window_view(series, 50)
    detector = MLPAutoencoder((4,), 1, max_epochs=1, random_state=0).fit(X)
    expected = detector.score_samples(X.copy())
    np.testing.assert_array_equal(detector.score_samples(X), expected)


# Threshold ------------------------------------------------------------------------


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.25, 0.5])
def test_contamination__is_the_share_flagged(contamination):
    X = windows(200, 12)
    for detector in (LinearAutoencoder(1), MLPAutoencoder((3,), 1, **FAST)):
        detector.set_params(contamination=contamination).fit(X)
        share = np.mean(detector.predict(X) == -1)
        assert abs(share - contamination) <= 1 / 200


def test_contamination_auto__about_one_percent_of_what_was_not_learnt():
    X, X_val = windows(300, 12), windows(200, 12, seed=5)
    detector = MLPAutoencoder((3,), 1, **FAST).fit(X, X_val=X_val)
    assert 1 <= np.sum(detector.predict(X_val) == -1) <= 3
    detector = LinearAutoencoder(1).fit(X)
    assert 1 <= np.sum(detector.predict(X) == -1) <= 4


def test_normal_label__learns_from_that_label_only(beats):
    X, y = beats
    chosen = MLPAutoencoder((8,), 4, normal_label=0, contamination=0.1, **FAST)
    alone = clone(chosen).set_params(normal_label=None)
    np.testing.assert_array_equal(
        chosen.fit(X, y).score_samples(X), alone.fit(X[y == 0]).score_samples(X)
    )
    assert chosen.offset_ == alone.offset_
    assert np.mean(chosen.fit_predict(X, y)[y == 0] == -1) == pytest.approx(0.1)


def test_y_val__leaves_anomalies_out():
    X, X_val = windows(100, 12), windows(40, 12, seed=3)
    labels = np.repeat([1, -1], [25, 15])
    detector = MLPAutoencoder((8,), 2, **FAST)
    for y_val in (labels, labels == -1, (labels == -1).astype(int)):
        detector.fit(X, X_val=X_val, y_val=y_val)
        expected = clone(detector).fit(X, X_val=X_val[:25])
        assert detector.offset_ == expected.offset_


def test_few_windows__none_held_out():
    detector = MLPAutoencoder((8,), 2, **FAST).fit(windows(9, 12))
    assert "valid_loss" not in detector.history_
    detector.fit(windows(10, 12))
    assert "valid_loss" in detector.history_


# Randomness and copies --------------------------------------------------------------


@every_net
def test_seed__repeats_bit_for_bit(detector, tmp_path):
    X = windows(60, 12)
    expected = clone(detector).fit(X).score_samples(X)
    fitted = clone(detector).fit(X)
    np.testing.assert_array_equal(fitted.score_samples(X), expected)
    np.testing.assert_array_equal(fitted.fit(X).score_samples(X), expected)
    other = clone(detector).set_params(random_state=1).fit(X)
    assert not np.array_equal(other.score_samples(X), expected)
    for copied in (
        pickle.loads(pickle.dumps(fitted)),
        copy.deepcopy(fitted),
        joblib.load(joblib.dump(fitted, tmp_path / "detector.joblib")[0]),
    ):
        np.testing.assert_array_equal(copied.score_samples(X), expected)
        assert copied.offset_ == fitted.offset_
        pd.testing.assert_frame_equal(copied.history_, fitted.history_)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_seed__repeats_under_joblib(backend):
    X = windows(60, 12)
    detectors = (
        [clone(d) for d in TRAINED.values()]
        if backend == "threading"
        else [MLPAutoencoder((8,), 1, input_noise=0.1, **FAST) for _ in range(2)]
    )
    serial = [clone(d).fit(X).score_samples(X) for d in detectors]
    parallel = Parallel(n_jobs=2, backend=backend)(
        delayed(clone(d).fit)(X) for d in detectors
    )
    for fitted, expected in zip(parallel, serial, strict=True):
        np.testing.assert_array_equal(fitted.score_samples(X), expected)


def test_random_state__none_is_fresh_and_instance_is_advanced():
    X = windows(60, 12)
    detector = MLPAutoencoder((8,), 1, max_epochs=1)
    fresh = [clone(detector).fit(X).score_samples(X) for _ in range(2)]
    assert not np.array_equal(*fresh)
    rng = np.random.RandomState(0)
    detector.set_params(random_state=rng)
    first, second = (detector.fit(X).score_samples(X) for _ in range(2))
    assert not np.array_equal(first, second)


def test_many_threads__score_one_detector():
    X = windows(500, 12)
    detector = ConvAutoencoder((4,), 3, 1, **FAST).fit(X)
    expected = detector.score_samples(X)
    scores = Parallel(n_jobs=8, backend="threading")(
        delayed(detector.score_samples)(X) for _ in range(20)
    )
    for got in scores:
        np.testing.assert_array_equal(got, expected)


def test_joblib_file__is_hardly_larger_than_its_weights(beats, tmp_path):
    X, y = beats
    detector = MLPAutoencoder(normal_label=0, max_epochs=2, random_state=0).fit(X, y)
    path = tmp_path / "detector.joblib"
    joblib.dump(detector, path)
    weights = detector.net_.module_.state_dict().values()
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in weights)
    assert path.stat().st_size < 1.3 * n_bytes


def test_pickle__set_params_after_fit_does_not_break_it():
    X = windows(60, 12)
    detector = MLPAutoencoder((8,), 2, **FAST).fit(X)
    expected = detector.score_samples(X)
    detector.set_params(latent_dim=1, hidden_dims=(3,))
    loaded = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(loaded.score_samples(X), expected)


def test_residual_block__adds_to_the_code():
    X = windows(60, 12)
    detector = clone(AUTOENCODERS["mlp-residual"]).fit(X)
    weights = {n: w.double() for n, w in detector.net_.module_.state_dict().items()}
    expected, code = naive_nets.residual_autoencoder(
        weights, torch.tensor(X)[..., None]
    )
    reconstruction = detector.reconstruct(X)
    np.testing.assert_allclose(reconstruction, expected.flatten(1), atol=1e-5)
    np.testing.assert_allclose(detector.transform(X), code, atol=1e-5)


def test_weights_copied_into_the_module__count_at_the_next_score():
    X = windows(60, 12)
    params = {"linear_path": None, "error_model": "mse", "max_epochs": 1}
    one, other = (
        MLPAutoencoder((8,), 2, random_state=seed, **params).fit(X) for seed in (0, 1)
    )
    other.net_.module_.load_state_dict(one.net_.module_.state_dict())
    np.testing.assert_array_equal(other.score_samples(X), one.score_samples(X))


# Bad input --------------------------------------------------------------------------


@every_autoencoder
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"NaN in row 3, column 5"),
        (np.inf, r"infinity in row 3, column 5"),
        (-np.inf, r"infinity in row 3, column 5"),
        (1e39, r"too large for dtype\('float32'\), 1e\+39 in row 3, column 5"),
    ],
)
def test_values_that_are_not_finite__are_named(detector, value, message):
    X = windows(60, 12)
    detector = clone(detector).fit(X)
    before = detector.score_samples(X)
    bad = X.copy()
    bad[3, 5] = value
    with pytest.raises(ValueError, match=message):
        detector.fit(bad)
    with pytest.raises(ValueError, match=message):
        detector.score_samples(bad)
    np.testing.assert_array_equal(detector.score_samples(X), before)


def test_missing_value_in_a_frame__names_the_column():
    table = pd.DataFrame(windows(30, 3), columns=["flow", "pressure", "heat"])
    table.loc[4, "pressure"] = np.nan
    with pytest.raises(ValueError, match=r"row 4, column 'pressure'"):
        LinearAutoencoder(1).fit(table)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((20, 4), "a"), "not compatible with arrays of bytes/strings"),
        (windows(1, 4), "minimum of 2 is required"),
        (np.empty((0, 4)), "Found array with 0 sample"),
        (windows(20, 4)[0], "Expected 2D array"),
        (np.zeros((2, 2, 2, 2)), "dim 4|4D|expected <= 2"),
        (windows(20, 5), r"5 values a row, which n_channels=2 does not divide"),
    ],
)
def test_bad_windows__are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        LinearAutoencoder(1, n_channels=2).fit(X)


def test_other_width_at_predict__is_refused():
    detector = LinearAutoencoder(1).fit(windows(20, 12).reshape(20, 4, 3))
    with pytest.raises(ValueError, match="X has 10 features, but LinearAutoencoder is"):
        detector.predict(windows(5, 10))
    with pytest.raises(ValueError, match=r"shape \(3, 4\), but .* shape \(4, 3\)"):
        detector.predict(windows(5, 12).reshape(5, 3, 4))


@pytest.mark.parametrize(
    "params",
    [
        {"contamination": 0.7},
        {"error_model": "median"},
        {"n_channels": 0},
        {"latent_dim": 0},
        {"latent_dim": 1.5},
        {"lr": 0},
        {"optimizer": "newton"},
        {"loss_reduction": "none"},
        {"kl_prior": "normal"},
        {"kl_weight": -1},
        {"lr_schedule": "step"},
        {"max_epochs": 0},
        {"max_steps": 0},
        {"input_noise": -1.0},
        {"validation_fraction": 1.0},
        {"activation": "relu6"},
        {"linear_path": "svd"},
        {"random_state": "seed"},
    ],
    ids=str,
)
def test_unknown_option__is_refused(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"'{name}' parameter of MLPAutoencoder"):
        MLPAutoencoder(**params).fit(windows(20, 4))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"activation": ("relu", "tanh", "relu")}, "one name, or 2, one for each"),
        ({"activation": ("relu", "what")}, "out of"),
        ({"hidden_dims": (8, 0)}, "positive ints"),
        ({"output_activation": "sigmoid"}, "cannot start as PCA"),
        ({"residual_block": True}, "needs a latent_activation, such as 'silu'"),
        ({"input_noise": (0.5, 0.1)}, r"input_noise=\(0.5, 0.1\) must be"),
        ({"input_noise": (0.1, 0.2, 0.3)}, "a pair"),
        ({"input_noise": (-0.1, 0.2)}, "0 <= low <= high"),
        ({"net_params": {"module": None}}, r"net_params holds \['module'\]"),
        ({"net_params": {"module__latent_dim": 1}}, "module__latent_dim"),
        ({"callbacks": ["nope"]}, "expected skorch callbacks"),
        ({"device": "abacus"}, "device='abacus' is not available"),
        ({"net_params": {"no_such_option": 1}}, "no_such_option"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:output_activation=:UserWarning")
def test_options_that_do_not_fit__are_refused(params, message):
    settings = {"hidden_dims": (8,), "latent_dim": 2, **FAST} | params
    with pytest.raises((ValueError, TypeError), match=message):
        MLPAutoencoder(**settings).fit(windows(20, 12))


@pytest.mark.parametrize(
    "params",
    [{"teacher_forcing": True}, {"output_activation": "tanh"}],
    ids=str,
)
def test_lstm__what_cannot_go_beside_pca__is_refused(params):
    with pytest.raises(ValueError, match="do not work with linear_path='pca'; use"):
        LSTMAutoencoder(2, latent_dim=2, **params, **FAST).fit(windows(20, 12))


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        ({"y": None}, "y is None"),
        ({"y": np.ones(20)}, "Found 0 of 20 windows with the label normal_label=0"),
        ({"y": np.zeros(19)}, "inconsistent numbers of samples"),
        (
            {"y": np.zeros(20), "X_val": windows(4, 6), "y_val": [1, 2, 1, 2]},
            r"y_val holds the labels 1, 2; expected",
        ),
        ({"y": np.zeros(20), "y_val": [1] * 4}, "y_val was given without X_val"),
        (
            {"y": np.zeros(20), "X_val": np.full((4, 6), np.nan)},
            "Input X_val contains NaN in row 0, column 0; 24 such values in 4 of",
        ),
        (
            {"y": np.zeros(20), "X_val": windows(4, 6), "y_val": [-1] * 4},
            "All 4 windows of X_val are labelled as anomalies",
        ),
        (
            {"y": np.zeros(20), "X_val": windows(4, 6), "y_val": [1, 1]},
            "inconsistent numbers of samples",
        ),
    ],
)
def test_bad_labels__are_refused(fit, message):
    with pytest.raises(ValueError, match=message):
        LinearAutoencoder(1, normal_label=0).fit(windows(20, 6), **fit)


@pytest.mark.parametrize(
    "error_model",
    [
        StandardizedErrors(-1.0),
        MahalanobisErrors("foo"),
        MahalanobisErrors(shrinkage=7),
        HybridErrors(0),
        HybridErrors(standardize="no"),
    ],
    ids=str,
)
def test_error_model_that_is_wrong__is_refused_before_training(error_model):
    class NoTraining(Callback):
        def on_train_begin(self, net, **kwargs):
            raise AssertionError("trained")

    for detector in (
        LinearAutoencoder(1, error_model=error_model),
        MLPAutoencoder((4,), 1, error_model=error_model, callbacks=[NoTraining()]),
    ):
        with pytest.raises(ValueError, match=f"of {type(error_model).__name__} must"):
            detector.fit(windows(20, 4))


def test_sigmoid_output__scaled_data_does_not_warn():
    for seed in range(20):
        X = MinMaxScaler().fit_transform(windows(40, 5, seed))
        LSTMAutoencoder(
            2, linear_path=None, output_activation="sigmoid", max_epochs=1
        ).fit(X)


def test_traps__warn():
    X = windows(30, 4)
    with pytest.warns(UserWarning, match="latent_dim=4 is not below the 4 values"):
        MLPAutoencoder((3,), 4, **FAST).fit(X)
    with pytest.warns(UserWarning, match=r"in \[0, 1\], but X ranges from"):
        LSTMAutoencoder(2, linear_path=None, output_activation="sigmoid", **FAST).fit(X)


# Modules of one's own ---------------------------------------------------------------


def test_custom__without_latent_has_no_transform():
    X = windows(40, 6)
    detector = Autoencoder(
        Bottleneck, module_params={"returns_latent": False}, **FAST
    ).fit(X)
    assert not hasattr(detector, "transform")
    assert np.isfinite(detector.score_samples(X)).all()
    assert hasattr(Autoencoder(Bottleneck, **FAST).fit(X), "transform")
    for params in ({"kl_weight": 1.0}, {"error_model": "hybrid"}):
        with pytest.raises(ValueError, match=r"\(reconstruction, latent\)"):
            clone(detector).set_params(**params).fit(X)


class RandomInEvaluation(Bottleneck):
    def forward(self, X):
        return X + torch.randn_like(X)


class WrongShape(Bottleneck):
    def forward(self, X):
        return X.flatten(1)


class WrongLatent(Bottleneck):
    def forward(self, X):
        return X * self.decoder.bias.mean(), X


class ThreeOutputs(Bottleneck):
    def forward(self, X):
        return X, X, X


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (RandomInEvaluation, "random numbers in evaluation mode"),
        (WrongShape, r"in the shape of its input"),
        (WrongLatent, r"must be \(n_windows, latent_dim\)"),
        (ThreeOutputs, r"returned 3 values"),
        (Bottleneck(6, 1), "is an instance of Bottleneck; pass its class"),
    ],
)
def test_custom__module_that_cannot_work_is_refused(module, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(module, **FAST).fit(windows(40, 6))


def conv_block(window_length, n_channels):
    """Return a factory's module: no class, batch norm, no code."""
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(window_length * n_channels, 3),
        torch.nn.BatchNorm1d(3),
        torch.nn.Linear(3, window_length * n_channels),
        torch.nn.Unflatten(1, (window_length, n_channels)),
    )


def test_custom__factory_with_buffers_survives_pickle():
    X = windows(100, 6)
    detector = Autoencoder(conv_block, n_channels=2, **FAST).fit(X)
    loaded = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))


# In pipelines -----------------------------------------------------------------------


def test_pipeline__routes_x_val_through_its_steps():
    X, X_val = windows(60, 12), 3 + windows(40, 12, seed=3)
    detector = MLPAutoencoder((8,), 2, **FAST)
    with config_context(enable_metadata_routing=True):
        requesting = clone(detector).set_fit_request(X_val=True, y_val=True)
        steps = [("scale", StandardScaler()), ("detect", requesting)]
        pipeline = Pipeline(steps, transform_input=["X_val"])
        pipeline.fit(X, X_val=X_val, y_val=np.ones(40, dtype=int))
    scaler = StandardScaler().fit(X)
    detector.fit(scaler.transform(X), X_val=scaler.transform(X_val))
    np.testing.assert_array_equal(
        pipeline.score_samples(X), detector.score_samples(scaler.transform(X))
    )


def test_pipeline__sets_output_to_pandas():
    X = windows(60, 12)
    pipeline = make_pipeline(StandardScaler(), MLPAutoencoder((8,), 2, **FAST))
    codes = pipeline.set_output(transform="pandas").fit(X).transform(X)
    assert list(codes) == ["mlpautoencoder0", "mlpautoencoder1"]


@pytest.mark.parametrize(
    "model", ["mse", "rmse", "mae", "std", "mahalanobis", "hybrid"]
)
def test_a_wave_that_goes_flat__is_found_by_hybrid_alone(model):
    """As the docstring of error_model says."""
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.normal(size=(4000, 1))
    wave = np.sin(np.arange(4000) / 7)[:, None] + noise
    new = wave[3000:].copy()
    new[400:600] = noise[3400:3600]
    detector = WindowedDetector(LinearAutoencoder(error_model=model), 40)
    labels = detector.fit(wave[:3000]).predict(new)[450:550]
    assert (labels == -1).mean() == (model == "hybrid")
