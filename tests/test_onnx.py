"""skad.to_onnx: the model decides as the estimator does, or there is no model."""

import copy
import json
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import AUTOENCODERS, FAST, Bottleneck
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from torch import nn

import skad
from skad import (
    Autoencoder,
    BaseErrorModel,
    ConvAutoencoder,
    ConvLSTMAutoencoder,
    DetectorClassifier,
    EncDecAD,
    FixedThresholdDetector,
    HybridErrors,
    LinearAutoencoder,
    LSTMAutoencoder,
    MahalanobisErrors,
    MeanAbsoluteErrors,
    MLPAutoencoder,
    QuantileThreshold,
    RandomConvolutions,
    RootMeanSquaredErrors,
    SlidingWindow,
    StandardizedErrors,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    WindowNormalizer,
    sliding_windows,
    to_onnx,
)
from skad.detectors._modules import ACTIVATIONS
from skad.persistence import _onnx, _onnx_nets

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

N_CHANNELS = 3


@pytest.fixture(scope="module")
def windows():
    """Windows of 7 timesteps and 3 channels: to fit on; these and others to score."""
    rng = np.random.default_rng(0)
    waves = rng.normal(size=(4, 21))
    X = rng.normal(size=(200, 4)) @ waves + rng.normal(size=(200, 21))
    scale = np.repeat([1.0, 3.0], [150, 50])
    return X[:80], X * scale[:, None]


@pytest.fixture(scope="module")
def table():
    """Rows of 3 channels: to fit on, and others to score."""
    rng = np.random.default_rng(0)
    X = np.sin(np.arange(300)[:, None] / [3, 5, 8]) + rng.normal(0, 0.1, (300, 3))
    return 5 + 3 * X[:150], 5 + 4 * X[150:]


def session_of(path):
    """onnxruntime with a model, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def run(path, X):
    """Scores and labels of a model in onnxruntime."""
    return session_of(path).run(["score", "label"], {"X": X})


def assert_equal(model, X, expected, labels, *, rounding=0.0):
    """Compare scores and labels of some numbers of windows."""
    assert {*labels} == {-1, 1}
    for n in (1, 3, len(X)):
        score, label = run(model, X[:n])
        np.testing.assert_allclose(score, expected[:n], rtol=1e-6, atol=rounding)
        np.testing.assert_array_equal(label, labels[:n])
        assert (score.dtype, label.dtype) == (np.float64, np.int64)


def assert_exported(estimator, X, folder, **options):
    model = to_onnx(estimator, folder / "model.onnx")
    expected, labels = estimator.score_samples(X), estimator.predict(X)
    assert_equal(model, X, expected, labels, **options)


def fit(detector, X, X_test):
    """Fit, and set a threshold that half of the test windows are below."""
    detector.fit(X)
    detector.offset_ = float(np.median(detector.score_samples(X_test)))
    return detector


def rounding_of(detector, X):
    """How far float32 moves scores: those of the same net in float64."""
    if not hasattr(detector, "net_"):
        return 0.0
    module = copy.deepcopy(detector.net_.module_).double().eval()
    shape = (len(X), *detector.net_.window_shape)
    with torch.no_grad():
        output = module(torch.from_numpy(X.reshape(shape)))
    output = output if isinstance(output, tuple) else (output, torch.zeros(len(X), 1))
    reconstruction, codes = (part.numpy() for part in output)
    residuals = X.reshape(shape) - reconstruction
    exact = -detector.error_model_.window_errors(residuals, codes)
    return float(np.abs(exact - detector.score_samples(X)).max())


# Parity -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [n for n in AUTOENCODERS if "local" not in n and "masked" not in n]
)
@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
def test_detectors__decide_alike(name, windows, tmp_path):
    X, X_test = windows
    detector = clone(AUTOENCODERS[name]).set_params(n_channels=N_CHANNELS)
    fit(detector, X, X_test)
    rounding = 2 * rounding_of(detector, X_test)
    assert_exported(detector, X_test, tmp_path, rounding=rounding)


@pytest.mark.parametrize(
    "detector",
    [
        LinearAutoencoder(),
        MLPAutoencoder((64,), **FAST),
        ConvAutoencoder(**FAST),
        ConvLSTMAutoencoder(**FAST),
        LSTMAutoencoder(16, **FAST),
        LSTMAutoencoder(16, linear_path=None, error_model="mse", **FAST),
        LSTMAutoencoder(
            16, linear_path=None, output_activation="sigmoid", error_model="mse", **FAST
        ),
        EncDecAD(16, max_epochs=20, random_state=0),
    ],
    ids=[
        "linear",
        "mlp",
        "conv",
        "conv-lstm",
        "lstm",
        "lstm-plain",
        "lstm-sigmoid",
        "encdec-ad",
    ],
)
def test_beats__agree_within_a_millionth(detector, beats, tmp_path):
    X, y = beats
    fit(detector, X[y == 0][:100], X)
    # Where torch itself rounds by more: its float32 LSTMs of every state.
    rounding = isinstance(detector, ConvLSTMAutoencoder) and rounding_of(detector, X)
    assert_exported(detector, X, tmp_path, rounding=2.0 * rounding)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.filterwarnings("ignore:output_activation=:UserWarning")
def test_activations__are_those_of_torch(activation, windows, tmp_path):
    X, X_test = windows
    shared = {"output_activation": activation, "n_channels": N_CHANNELS, **FAST}
    dense = MLPAutoencoder(
        (8,),
        4,
        linear_path=None,
        activation=activation,
        latent_activation=activation,
        error_model="mse",
        **shared,
    )
    shared |= {"linear_path": None, "error_model": "mse"}
    recurrent = LSTMAutoencoder(4, **shared)
    logit = LSTMAutoencoder(4, feedback="logit", reverse=False, **shared)
    for detector in (dense, recurrent, logit):
        assert_exported(fit(detector, X, X_test), X_test, tmp_path)


@pytest.mark.parametrize(
    "error_model",
    [
        RootMeanSquaredErrors(),
        MeanAbsoluteErrors(),
        StandardizedErrors(floor=0.1),
        MahalanobisErrors(),
        MahalanobisErrors("window", shrinkage=0.5),
        HybridErrors(n_neighbors=3),
        HybridErrors(n_neighbors=100, standardize=False, max_codes=20),
    ],
    ids=repr,
)
def test_error_models__are_all_there(error_model, windows, tmp_path):
    X, X_test = windows
    options = {"n_channels": N_CHANNELS, "error_model": error_model}
    net = MLPAutoencoder((8,), **options, **FAST)
    for detector in (LinearAutoencoder(**options), net):
        fit(detector, X, X_test)
        rounding = 2 * rounding_of(detector, X_test)
        assert_exported(detector, X_test, tmp_path, rounding=rounding)


@given(
    window_length=st.integers(1, 9),
    n_channels=st.integers(1, 4),
    kind=st.sampled_from(
        [
            *(LinearAutoencoder, MLPAutoencoder, ConvAutoencoder, EncDecAD),
            ConvLSTMAutoencoder,
        ]
    ),
    dtype=st.sampled_from([np.float32, np.float64, np.int64]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=25)
@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
def test_windows__of_any_shape(
    tmp_path_factory, window_length, n_channels, kind, dtype, seed
):
    X = np.random.default_rng(seed).normal(size=(30, window_length * n_channels))
    X = (10 * X).astype(dtype)
    detector = kind(n_channels=n_channels, error_model="mae")
    if kind is not LinearAutoencoder:
        detector.set_params(**FAST)
    detector.fit(X)
    model = to_onnx(detector, tmp_path_factory.mktemp("any") / "model.onnx")
    X = X.astype(np.float64)
    rounding = 1e-6 * np.abs(X).max()  # an input that fits into the code is copied
    score = run(model, X)[0]
    np.testing.assert_allclose(score, detector.score_samples(X), 1e-6, rounding)


# Modules of others --------------------------------------------------------------------


class Attention(nn.Module):
    """Attention, batch normalisation, dropout: what skad has no operators for."""

    def __init__(self, window_length, n_channels):
        super().__init__()
        self.widen = nn.Linear(n_channels, 8)
        self.attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.norm = nn.BatchNorm1d(8)
        self.narrow = nn.Linear(8, n_channels)

    def forward(self, X):
        hidden = self.norm(self.attention(self.widen(X)).mT).mT
        return self.narrow(hidden), hidden.mean(dim=1)


class Dense(nn.Module):
    """One layer, and no code."""

    def __init__(self, window_length, n_channels):
        super().__init__()
        self.layer = nn.Linear(n_channels, n_channels)

    def forward(self, X):
        return self.layer(X)


class Branching(Bottleneck):
    """Does something else by what it is given."""

    def forward(self, X):
        return super().forward(X if X.mean() > 0 else 2 * X)


class ByWindow(Bottleneck):
    """Goes through the windows of a batch in Python."""

    def forward(self, X):
        parts = [super(ByWindow, self).forward(x[None])[0] for x in X]
        return torch.cat(parts)


class OtherLayers(MLPAutoencoder):
    """A known detector with another net."""

    def _architecture(self, windows):
        return Dense, {}, None


def test_other_modules__are_traced(windows, tmp_path):
    X, X_test = windows
    detector = Autoencoder(
        Attention, n_channels=N_CHANNELS, error_model="hybrid", **FAST
    )
    fit(detector, X, X_test)
    detector.net_.module_.train()  # a model is exported as it scores
    rounding = 2 * rounding_of(detector, X_test)
    assert_exported(detector, X_test, tmp_path, rounding=rounding)


def test_subclass__is_traced_in_silence(windows, tmp_path, capfd, caplog):
    X, X_test = windows
    level = logging.getLogger("torch").level
    caplog.set_level(logging.INFO)
    detector = OtherLayers(n_channels=N_CHANNELS, error_model="mse", **FAST)
    fit(detector, X, X_test)
    assert_exported(detector, X_test, tmp_path, rounding=rounding_of(detector, X_test))
    content = (tmp_path / "model.onnx").read_bytes()
    for part in (b"test_onnx", b"site-packages", b"Dense", b"stack_trace"):
        assert part not in content
    assert capfd.readouterr() == ("", "")
    assert all(record.levelno < logging.INFO for record in caplog.records)
    assert logging.getLogger("torch").level == level


def test_module_that_needs_a_newer_opset__gets_it(windows, tmp_path, monkeypatch):
    X, X_test = windows
    monkeypatch.setattr(_onnx_nets, "OPSET", 20)
    detector = fit(Autoencoder(Dense, n_channels=N_CHANNELS, **FAST), X, X_test)
    assert_exported(detector, X_test, tmp_path, rounding=rounding_of(detector, X_test))
    model = onnx.load(tmp_path / "model.onnx")
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 20)]


@pytest.mark.parametrize("module", [Branching, ByWindow])
def test_module_that_cannot_be_traced__is_refused(module, windows, tmp_path, capfd):
    detector = Autoencoder(module, **FAST).fit(windows[0])
    with pytest.raises(
        NotImplementedError, match=f"{module.__name__} cannot be .*trac"
    ):
        to_onnx(detector, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


# Around the detector ------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        [StandardScaler()],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [MinMaxScaler()],
        [MinMaxScaler((-1, 2), clip=True)],
        [MaxAbsScaler()],
        [MaxAbsScaler(clip=True)],
        [RobustScaler()],
        [RobustScaler(with_centering=False)],
        [RobustScaler(with_scaling=False)],
        ["passthrough", make_pipeline(StandardScaler(), MinMaxScaler()), None],
    ],
    ids=repr,
)
def test_scalers__are_included(steps, windows, tmp_path):
    X, X_test = (10 + 7 * windows for windows in windows)
    pipeline = make_pipeline(*steps, LinearAutoencoder(error_model="std")).fit(X)
    assert_exported(pipeline, X_test, tmp_path)
    pipeline = make_pipeline(*steps, MLPAutoencoder((8,), **FAST, error_model="mae"))
    assert_exported(pipeline.fit(X), X_test, tmp_path)


@pytest.mark.parametrize("last", ["passthrough", None])
def test_passthrough_at_the_end__is_left_out(last, windows, tmp_path):
    X, X_test = windows
    pipeline = make_pipeline(StandardScaler(), LinearAutoencoder(), last)
    model = to_onnx(pipeline.fit(X), tmp_path / "model.onnx")
    detector = pipeline[:-1]
    assert_equal(
        model, X_test, detector.score_samples(X_test), detector.predict(X_test)
    )


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
def test_imputer__fills(strategy, windows, tmp_path):
    rng = np.random.default_rng(0)
    X, X_test = (np.where(rng.random(X.shape) < 0.1, np.nan, X) for X in windows)
    imputer = SimpleImputer(strategy=strategy)
    pipeline = make_pipeline(imputer, StandardScaler(), LinearAutoencoder()).fit(X)
    assert_exported(pipeline, X_test, tmp_path)


def test_scaler_of_float32__is_included(windows, tmp_path):
    X, X_test = windows
    pipeline = make_pipeline(MinMaxScaler(), LinearAutoencoder())
    assert_exported(pipeline.fit(X.astype(np.float32)), X_test, tmp_path)


@pytest.mark.filterwarnings("ignore:There is no X_val:UserWarning")
def test_outermost_threshold__counts(windows, tmp_path):
    X, X_test = windows
    inner = make_pipeline(StandardScaler(), LinearAutoencoder(contamination=0.5))
    rule = QuantileThreshold(0.3)
    fixed = FixedThresholdDetector(inner, -0.9).fit(X)
    grid = {"linearautoencoder__latent_dim": [2, 3]}
    for estimator in (
        inner,
        TunedThresholdDetector(inner, rule, cv=0.3, random_state=0),
        FixedThresholdDetector(FixedThresholdDetector(inner, -np.inf), -0.8),
        make_pipeline(StandardScaler(), TunedThresholdDetector(inner, rule, cv=2)),
        FixedThresholdDetector(FrozenEstimator(clone(inner).fit(X)), -1.0),
        make_pipeline(FrozenEstimator(fixed)),
        GridSearchCV(inner, grid, scoring=lambda *_: 0.0, cv=2),
    ):
        assert_exported(estimator.fit(X), X_test, tmp_path)


def test_infinite_threshold__flags_nothing(windows, tmp_path):
    detector = FixedThresholdDetector(LinearAutoencoder(), -np.inf).fit(windows[0])
    model = to_onnx(detector, tmp_path / "model.onnx")
    assert (run(model, windows[1])[1] == 1).all()


@pytest.mark.parametrize("inner", [LinearAutoencoder(3), EncDecAD(4, **FAST)])
def test_windows_of_a_table__are_scored_raw(inner, table, tmp_path):
    X, X_test = table
    length = 6
    raw = sliding_windows(X_test, window_length=length).reshape(-1, length * 3)
    scaled = make_pipeline(MinMaxScaler(), inner)  # as a step behind the cut
    windowed = {"window_length": length, "aggregate": "last", "contamination": 0.1}
    cut = SlidingWindow(length)
    for pipeline in (
        make_pipeline(StandardScaler(), cut, clone(inner).set_params(n_channels=3)),
        make_pipeline(StandardScaler(), cut, scaled),
        make_pipeline(StandardScaler(), WindowedDetector(inner, **windowed)),
        make_pipeline(
            FrozenEstimator(WindowedDetector(clone(inner), **windowed).fit(X))
        ),
        WindowedDetector(scaled, level="window", **windowed),
        WindowedDetector(make_pipeline(WindowNormalizer(), inner), **windowed),
    ):
        model = to_onnx(pipeline.fit(X), tmp_path / "model.onnx")
        scores, labels = pipeline.score_samples(X_test), pipeline.predict(X_test)
        assert_equal(model, raw, scores[length - 1 :], labels[length - 1 :])
        metadata = session_of(model).get_modelmeta().custom_metadata_map
        assert metadata["window_length"] == str(length)
        assert metadata["n_channels"] == "3"


# What is not finite -------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("name", ["linear-hybrid", "mlp-hybrid", "conv", "lstm-steps"])
def test_values_that_skad_refuses__are_anomalies(name, value, windows, tmp_path):
    X, X_test = windows
    detector = clone(AUTOENCODERS[name]).set_params(n_channels=N_CHANNELS).fit(X)
    model = to_onnx(detector, tmp_path / "model.onnx")
    X_test = X_test.copy()
    expected = detector.score_samples(X_test)
    X_test[1, 4] = value
    score, label = run(model, X_test)
    assert (label[1], np.isnan(score[1])) == (-1, True)
    others = np.arange(len(X_test)) != 1
    np.testing.assert_allclose(score[others], expected[others], rtol=1e-4)


# The file -----------------------------------------------------------------------------


def test_file__tells_what_it_is(windows, tmp_path):
    X = pd.DataFrame(windows[0], columns=[f"é{i}" for i in range(21)])
    detector = LinearAutoencoder(n_channels=N_CHANNELS)
    pipeline = make_pipeline(StandardScaler(), detector).fit(X)
    path = to_onnx(pipeline, str(tmp_path / "model.onnx"))
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata.pop("feature_names")) == list(X.columns)
    assert float(metadata.pop("threshold")) == pipeline[-1].offset_
    assert metadata == {
        "skad_version": skad.__version__,
        "estimator": "Pipeline",
        "window_length": "7",
        "n_channels": "3",
    }
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    shapes = [
        [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert shapes == [["n_windows", 21], ["n_windows"], ["n_windows"]]


def test_export__changes_nothing_and_repeats(windows, tmp_path):
    X, X_test = windows
    for detector in (MLPAutoencoder((8,), **FAST), LSTMAutoencoder(3, **FAST)):
        detector.fit(X)
        before = detector.score_samples(X_test)
        first = to_onnx(detector, tmp_path / "first.onnx").read_bytes()
        again = to_onnx(detector, tmp_path / "again.onnx").read_bytes()
        assert first == again
        np.testing.assert_array_equal(detector.score_samples(X_test), before)
        detector.fit(X)  # gradients have not been switched off


def test_sigmoid_that_is_fed_back__is_a_loop_not_unrolled(beats, tmp_path):
    detector = LSTMAutoencoder(
        4, linear_path=None, output_activation="sigmoid", error_model="mse", **FAST
    )
    model = to_onnx(detector.fit(beats[0][:20]), tmp_path / "model.onnx")
    assert model.stat().st_size < 10_000


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_the_extra__it_is_named(package, windows, tmp_path, monkeypatch):
    monkeypatch.setattr(_onnx, "find_spec", lambda name: name != package or None)
    detector = Autoencoder(Bottleneck, **FAST).fit(windows[0])
    with pytest.raises(ImportError, match=rf"needs {package};.*skad\[onnx\]"):
        to_onnx(detector, tmp_path / "model.onnx")


# What cannot be exported --------------------------------------------------------------


class OwnErrors(BaseErrorModel):
    def contributions(self, residuals, codes=None):
        return np.square(residuals)


class OwnScaler(StandardScaler):
    def transform(self, X, copy=None):
        return super().transform(X, copy) ** 3


WINDOWED = {"window_length": 3}
REFUSED = {
    "forest": (
        IsolationForest(n_estimators=2, random_state=0),
        "IsolationForest cannot",
    ),
    "forest-tuned": (
        TunedThresholdDetector(IsolationForest(n_estimators=2, random_state=0)),
        "IsolationForest cannot",
    ),
    "classifier": (DetectorClassifier(LinearAutoencoder(2)), "Export its `estimator_`"),
    "step": (make_pipeline(PCA(3), LinearAutoencoder(1)), "'pca'.*PCA.*StandardScaler"),
    "convolutions": (
        make_pipeline(RandomConvolutions(4), LinearAutoencoder(1)),
        "'randomconvolutions'.*RandomConvolutions.*pipeline\\[1:\\]",
    ),
    "convolutions-in-windows": (
        WindowedDetector(
            make_pipeline(RandomConvolutions(4), LinearAutoencoder(1)),
            3,
            aggregate="last",
        ),
        "'randomconvolutions'.*RandomConvolutions",
    ),
    "own-step": (make_pipeline(OwnScaler(), LinearAutoencoder(1)), "OwnScaler"),
    "imputer": (
        make_pipeline(TimeSeriesImputer(), LinearAutoencoder(2)),
        "'timeseriesimputer'.*rows before.*pipeline\\[1:\\]",
    ),
    "indicator": (
        make_pipeline(SimpleImputer(add_indicator=True), LinearAutoencoder(2)),
        "add_indicator",
    ),
    "zeros": (
        make_pipeline(SimpleImputer(missing_values=0), LinearAutoencoder(2)),
        "missing_values",
    ),
    "errors": (LinearAutoencoder(2, error_model=OwnErrors()), "OwnErrors cannot"),
    "mean": (WindowedDetector(LinearAutoencoder(2), 3), "aggregate='mean'.*estimator_"),
    "stride": (
        WindowedDetector(LinearAutoencoder(2), 3, stride=2, aggregate="last"),
        "stride=2",
    ),
    "timestep": (
        WindowedDetector(LinearAutoencoder(2), 3, level="timestep", aggregate="last"),
        "level='timestep'",
    ),
    "twice": (
        make_pipeline(
            SlidingWindow(2),
            WindowedDetector(LinearAutoencoder(2), 3, aggregate="last"),
        ),
        "twice",
    ),
    "scaler": (StandardScaler(), "StandardScaler cannot"),
    "transformers": (
        make_pipeline(LinearAutoencoder(2), StandardScaler(), "passthrough"),
        "StandardScaler cannot",
    ),
    "no-last-step": (make_pipeline(StandardScaler(), None), "StandardScaler cannot"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
@pytest.mark.filterwarnings("ignore:There is no X_val:UserWarning")
def test_what_cannot_be_exported__is_named(name, tmp_path):
    estimator, message = REFUSED[name]
    X = np.random.default_rng(0).normal(size=(40, 4))
    X[0] = 0.0
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    with pytest.raises(NotImplementedError, match=message):
        to_onnx(estimator.fit(X, np.arange(40) % 2), path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    "estimator", [LinearAutoencoder(), make_pipeline(StandardScaler(), EncDecAD())]
)
def test_unfitted__is_refused(estimator, tmp_path):
    with pytest.raises(NotFittedError):
        to_onnx(estimator, tmp_path / "model.onnx")


def test_disk_that_fails__leaves_the_old_file(windows, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def fail(descriptor):
        raise OSError("no space")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        to_onnx(LinearAutoencoder().fit(windows[0]), path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]
