"""Fuzzing of ONNX models: a documented error, or decisions that are the estimator's.

SKAD_FUZZ_EXAMPLES does what it does in test_fuzz.py.
"""

import copy
from itertools import compress

import numpy as np
import pandas as pd
import pytest
from faults_tally import case
from hypothesis import strategies as st
from instances import AUTOENCODERS, ESTIMATORS
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from test_fuzz import FLOAT32_MAX, ODD_ONES, VALUES, fuzz, outcome_of

from skad import (
    ConvAutoencoder,
    EncDecAD,
    FixedThresholdDetector,
    HybridErrors,
    LinearAutoencoder,
    LSTMAutoencoder,
    MahalanobisErrors,
    MLPAutoencoder,
    SlidingWindow,
    StandardizedErrors,
    TunedThresholdDetector,
    WindowedDetector,
    WindowNormalizer,
    sliding_windows,
    to_onnx,
)
from skad.detectors._modules import ACTIVATIONS

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in reduce"),
    pytest.mark.filterwarnings("ignore:overflow encountered in cast"),
    # numpy, while scikit-learn's scalers look for the range of what is missing
    pytest.mark.filterwarnings("ignore:All-NaN slice encountered"),
]


FLOAT32_TINY = float(np.finfo(np.float32).tiny)

# Models -------------------------------------------------------------------------------

activations = st.sampled_from(list(ACTIVATIONS))
latent_dims = st.sampled_from([1, 1, 2, 3, 100, 0.5, 0.9, 0.999])
floors = st.sampled_from([0.01, 1e-9, 100.0])
MODELS_OF_ERRORS = st.one_of(
    st.sampled_from(["mse", "rmse", "mae", "std", "mahalanobis", "hybrid"]),
    st.builds(StandardizedErrors, floors),
    st.builds(
        MahalanobisErrors,
        st.sampled_from(["timestep", "window"]),
        shrinkage=st.sampled_from(["ledoit-wolf", 0, 0.5, 1]),
    ),
    st.builds(
        HybridErrors,
        st.sampled_from([1, 3, 100]),
        standardize=st.booleans(),
        floor=floors,
        max_codes=st.sampled_from([2, 5, 5000]),
    ),
)


def detectors(n_channels):
    """Tiny detectors of every kind."""
    shared = {
        "n_channels": st.just(n_channels),
        "error_model": MODELS_OF_ERRORS,
        "contamination": st.sampled_from(["auto", 0.1, 0.5]),
    }
    training = {
        "max_epochs": st.just(1),
        "random_state": st.just(0),
        "lr": st.sampled_from([1e-3, 1.0]),
        "early_stopping": st.booleans(),
    } | shared
    dense = {"hidden_dims": st.sampled_from([(), (4,), (5, 3)]), **training}
    return st.one_of(
        st.builds(LinearAutoencoder, latent_dims, **shared),
        st.builds(
            MLPAutoencoder, latent_dim=latent_dims, activation=activations, **dense
        ),
        st.builds(
            MLPAutoencoder,
            latent_dim=latent_dims,
            linear_path=st.none(),
            activation=activations,
            latent_activation=activations,
            output_activation=activations,
            **dense,
        ),
        st.builds(
            ConvAutoencoder,
            st.sampled_from([(2,), (2, 3)]),
            st.sampled_from([1, 2, 3, 4, 7]),
            latent_dims,
            linear_path=st.sampled_from([None, "pca"]),
            **training,
        ),
        st.builds(
            LSTMAutoencoder,
            st.sampled_from([1, 3]),
            teacher_forcing=st.booleans(),
            reverse=st.booleans(),
            feedback=st.sampled_from(["output", "logit"]),
            output_activation=activations,
            **training,
        ),
        st.builds(EncDecAD, st.sampled_from([1, 3]), **training),
    )


ranges = st.sampled_from([(0, 1), (-1, 1), (-1e6, 1e-6), (0, 1e30)])
STEPS = st.one_of(
    st.builds(StandardScaler, with_mean=st.booleans(), with_std=st.booleans()),
    st.builds(MinMaxScaler, ranges, clip=st.booleans()),
    st.builds(MaxAbsScaler, clip=st.booleans()),
    st.builds(
        RobustScaler,
        with_centering=st.booleans(),
        with_scaling=st.booleans(),
        unit_variance=st.booleans(),
    ),
    st.builds(
        SimpleImputer,
        strategy=st.sampled_from(["mean", "median", "most_frequent", "constant"]),
        fill_value=st.sampled_from([None, 1e30]),
        keep_empty_features=st.booleans(),
        add_indicator=st.sampled_from([False, False, True]),
        missing_values=st.sampled_from([np.nan, np.nan, np.nan, None, pd.NA, 0]),
    ),
    st.builds(WindowNormalizer, st.sampled_from([0.5, 1e-3, 1e6])),
)
THRESHOLDS = [-np.inf, np.inf, -1.0, 0.0, -1e300, -1e-300]


@st.composite
def estimators(draw, n_timesteps, n_channels):
    """A detector with steps before and thresholds around it; and what it takes."""
    detector = draw(detectors(n_channels))
    cut = draw(st.sampled_from(["no", "no", "no", "step", "windowed"]))
    steps = draw(st.lists(STEPS, max_size=2))
    if cut == "step":
        place = draw(st.integers(0, len(steps)))
        steps.insert(place, SlidingWindow(n_timesteps))
    elif cut == "windowed":
        detector = WindowedDetector(detector, n_timesteps, aggregate="last")
    inside = draw(st.booleans())
    if steps and inside:
        detector = make_pipeline(*steps, detector)
    threshold = draw(st.sampled_from(["own", "own", "fixed", "tuned"]))
    if threshold == "fixed":
        detector = FixedThresholdDetector(detector, draw(st.sampled_from(THRESHOLDS)))
    elif threshold == "tuned":
        detector = TunedThresholdDetector(detector)
    if steps and not inside:
        detector = make_pipeline(*steps, detector)
    return detector, cut != "no"


@st.composite
def rows(draw, shape, dtypes=("f8",), odd_ones=ODD_ONES):
    """Numbers, some of them odd."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = VALUES[draw(st.sampled_from(list(VALUES)))](rng, shape)
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        X.flat[draw(st.integers(0, X.size - 1))] = draw(st.sampled_from(odd_ones))
    with np.errstate(all="ignore"):
        return X.astype(draw(st.sampled_from(dtypes)))


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options)


def exported(estimator, path):
    """Session of the model; None where a message says what cannot be exported."""
    path.write_bytes(b"old")
    try:
        to_onnx(estimator, path)
    except NotImplementedError as error:
        if "cannot be exported to ONNX" not in str(error):
            raise
    assert list(path.parent.iterdir()) == [path]
    return None if path.read_bytes() == b"old" else session_of(path)


def find_autoencoder(estimator, X):
    """The autoencoder inside an estimator, and one window of X, as it reaches it."""
    while not hasattr(estimator, "error_model_"):
        if isinstance(estimator, Pipeline):
            estimator, X = estimator[-1], estimator[:-1].transform(X)
        else:
            if isinstance(estimator, WindowedDetector):
                X = X.reshape(1, -1)
            estimator = estimator.estimator_
    return estimator, X[-1]


def may_overflow(estimator, X):
    """Whether a window is so large that the order of terms decides what overflows."""
    found = outcome_of(find_autoencoder, estimator, X)
    return found is not None and 1e36 < np.abs(found[1]).max() <= FLOAT32_MAX


def rounding_of(detector, X):
    """How far scores move with the last digits of all that is computed."""
    scores = detector.score_samples(X)
    rng = np.random.default_rng(0)
    moved = [np.abs(rounded_scores(detector, X, rng) - scores) for _ in range(4)]
    return np.max(moved, axis=0)


def rounded_scores(detector, X, rng):
    """Scores where weights, windows, residuals and codes have other last digits."""
    unit = 1e-13 if isinstance(detector, LinearAutoencoder) else 1e-6

    def noise(values):
        return unit * rng.uniform(-1, 1, values.shape)

    other = copy.deepcopy(detector)
    if isinstance(detector, LinearAutoencoder):
        weights = [other.mean_, other.components_]
    else:
        module = other.net_.module_
        tensors = [*module.parameters(), *module.buffers()]
        weights = [tensor.detach().numpy() for tensor in tensors]
    for weight in weights:
        weight *= 1 + noise(weight)
    sizes = np.abs(X).max(axis=1, keepdims=True).clip(FLOAT32_TINY)
    nearby = (X + sizes * noise(X)).clip(-FLOAT32_MAX, FLOAT32_MAX)
    back = outcome_of(other.reconstruct, nearby)
    if back is None:  # so large that the net overflows or not by its last digits
        return np.full(len(X), np.inf)
    codes = other.transform(nearby)
    sizes = np.maximum(sizes, np.abs(back).max(axis=1, keepdims=True))
    residuals = X - back + sizes * noise(X)
    codes += np.abs(codes).max(axis=1, keepdims=True) * noise(codes)
    residuals = residuals.reshape(-1, detector.window_length_, detector.n_channels_)
    return -detector.error_model_.window_errors(residuals, codes)


SHAPES = [(1, 1), (1, 3), (2, 1), (3, 2), (5, 1), (6, 3)]


@fuzz(120, data=st.data())
def test_to_onnx(data, tmp_path_factory):
    n_timesteps, n_channels = data.draw(st.sampled_from(SHAPES))
    estimator, is_table = data.draw(estimators(n_timesteps, n_channels))
    n_rows = data.draw(st.sampled_from([2, 3, 12, 40, 40, 40]))
    width = n_channels if is_table else n_timesteps * n_channels
    n_rows += (n_timesteps - 1) * is_table
    X = data.draw(rows((n_rows, width), ["f8", "f8", "f4", "f2", "i8"], [np.nan, 0.0]))
    new = data.draw(rows((6, n_timesteps * n_channels)))
    if not is_table and data.draw(st.booleans()):
        new[:2] = X[:2]
    kind = data.draw(st.sampled_from(["array", "frame", "three"]))
    if kind == "frame":
        X = pd.DataFrame(X, columns=[f"c{i}" for i in range(width)])
    elif kind == "three" and not is_table:
        X = X.reshape(n_rows, n_timesteps, n_channels)
    with case("fuzz"), np.errstate(all="ignore"):
        if outcome_of(estimator.fit, X) is not None:
            folder = tmp_path_factory.mktemp("onnx")
            session = exported(estimator, folder / "model.onnx")
            if session is not None:
                shape = (-1, n_channels) if is_table else (1, -1)
                assert_decides_alike(session, estimator, new, shape)


def assert_decides_alike(session, estimator, windows, shape):
    """Compare scores and labels of windows, whose shape is that of rows or tables."""
    for n in (0, 1, len(windows)):
        scores, labels = session.run(["score", "label"], {"X": windows[:n]})
        assert scores.shape == labels.shape == (n,)
    inputs = [window.reshape(shape) for window in windows]
    is_read = [outcome_of(estimator.score_samples, X) is not None for X in inputs]
    for X, read, label in zip(inputs, is_read, labels, strict=True):
        assert read or label == -1 or may_overflow(estimator, X)
    inputs, scores, labels = (
        list(compress(inputs, is_read)),
        scores[is_read],
        labels[is_read],
    )
    if not inputs:
        return
    expected, margins, predicted = (
        np.array([method(X)[-1] for X in inputs])
        for method in (
            estimator.score_samples,
            estimator.decision_function,
            estimator.predict,
        )
    )
    detector, _ = find_autoencoder(estimator, inputs[0])
    seen = np.array([find_autoencoder(estimator, X)[1] for X in inputs])
    near = 1e-6 * np.abs(expected) + 4 * rounding_of(detector, seen)
    is_same = (scores == expected) | (np.abs(scores - expected) <= near)
    is_same |= np.isinf(near)
    assert is_same.all(), (scores, expected, near)
    is_clear = np.abs(margins) > near
    np.testing.assert_array_equal(labels[is_clear], predicted[is_clear])


OTHERS = {name: e for name, e in ESTIMATORS.items() if name not in AUTOENCODERS}


@pytest.mark.parametrize("name", OTHERS)
def test_to_onnx__of_any_estimator(name, tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    with case("fuzz"):
        estimator = clone(OTHERS[name]).fit(X, np.repeat([1, -1], 20))
        session = exported(estimator, tmp_path / "model.onnx")
        if session is not None:
            length = getattr(estimator, "window_length", 1)
            windows = sliding_windows(X, window_length=length).reshape(-1, 3 * length)
            assert_decides_alike(session, estimator, windows[:5], (-1, 3))


NO_DETECTORS = [None, 3, "x", [], np.zeros(3), object, LinearAutoencoder]
NO_DETECTORS += [LinearAutoencoder(), make_pipeline(StandardScaler(), EncDecAD())]
NO_FILES = [None, 3, b"x", 2.0, [], ".", "/", "missing/model.onnx", "a\0b"]


@pytest.mark.parametrize("estimator", NO_DETECTORS, ids=repr)
def test_to_onnx__of_no_fitted_detector(estimator, tmp_path):
    with case("fuzz"):
        assert outcome_of(to_onnx, estimator, tmp_path / "model.onnx") is None
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", NO_FILES, ids=repr)
def test_to_onnx__to_no_file(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    detector = LinearAutoencoder(1).fit(np.eye(3))
    with case("fuzz"):
        with pytest.raises((OSError, ValueError, TypeError)):
            to_onnx(detector, path)
        assert not list(tmp_path.iterdir())


# What fuzzing has found ---------------------------------------------------------------


def exported_from(estimator, X, folder):
    """The fitted estimator, and the session of its model."""
    return estimator.fit(X), exported(estimator, folder / "model.onnx")


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize("vector", ["timestep", "window"])
def test_found__no_windows__no_scores(vector, X, tmp_path):
    detector = LinearAutoencoder(1, error_model=MahalanobisErrors(vector))
    _, session = exported_from(detector, X, tmp_path)
    assert [len(out) for out in session.run(None, {"X": X[:0]})] == [0, 0]


@pytest.mark.parametrize("scaler", [MinMaxScaler(clip=True), MaxAbsScaler(clip=True)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_found__clip__hides_no_missing_value(scaler, value, X, tmp_path):
    pipeline = make_pipeline(scaler, LinearAutoencoder(1))
    _, session = exported_from(pipeline, X, tmp_path)
    X[1, 2] = value
    score, label = session.run(None, {"X": X[:2]})
    assert np.isnan(score[1])
    assert label[1] == -1
    assert np.isfinite(score[0])


def test_found__large_number_along_a_component__is_labelled_as_refused(X, tmp_path):
    X[:, 1:] = 0.0
    detector, session = exported_from(LinearAutoencoder(1), X, tmp_path)
    window = np.array([[1e39, 0.0, 0.0]])
    with pytest.raises(ValueError, match="too large for dtype"):
        detector.predict(window)
    assert session.run(["label"], {"X": window})[0] == -1


@pytest.mark.parametrize("value", [np.inf, 1e39])
def test_found__threshold_of_minus_infinity__passes_no_refused_window(
    value, X, tmp_path
):
    detector = FixedThresholdDetector(LinearAutoencoder(1, error_model="mae"), -np.inf)
    _, session = exported_from(detector, X, tmp_path)
    X[1, 0] = value
    assert session.run(["label"], {"X": X[:2]})[0].tolist() == [1, -1]


@pytest.mark.parametrize("value", [None, pd.NA, "x"])
def test_found__imputer_of_another_missing_value__is_refused(value, X, tmp_path):
    imputer = SimpleImputer().fit(X).set_params(missing_values=value)
    pipeline = make_pipeline(imputer, LinearAutoencoder(1).fit(X))
    with pytest.raises(NotImplementedError, match="missing_values"):
        to_onnx(pipeline, tmp_path / "model.onnx")
