"""Global state of others: answers are the same under it, and it stays as it was."""

import copy
import math
import pickle
import signal
import threading
import types
import warnings
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from instances import ERROR_MODELS, ESTIMATORS, RULES, Bottleneck
from sklearn.base import clone
from torch import nn

import skad
from skad import Autoencoder, LSTMAutoencoder, load, save, to_onnx
from skad.training._private import count_modes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).cumsum(axis=0)
Y = np.where(np.arange(40) % 7 == 0, 1, 0)
X_NEW = RNG.normal(size=(11, 5)).cumsum(axis=0)
METHODS = (
    *("score_samples", "decision_function", "predict", "transform", "reconstruct"),
    *("score_timesteps", "reconstruction_errors", "explain", "get_feature_names_out"),
)


# Settings -----------------------------------------------------------------------------


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def flush_denormal():
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def interrupts(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _refuse(kind, flag):
    raise AssertionError(f"numpy called: {kind}")


@contextmanager
def numpy_calls():
    before = np.seterrcall(_refuse)
    try:
        with np.errstate(all="call"):
            yield
    finally:
        np.seterrcall(before)


@contextmanager
def warnings_ignored():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def everything():
    stack = ExitStack()
    stack.enter_context(default_dtype(torch.float64))
    for name in ("device-meta", "autocast", "inference", "raise", "deterministic"):
        stack.enter_context(SETTINGS[name]())
    return stack


SETTINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "device-meta": lambda: default_device("meta"),
    "device-cpu": lambda: default_device("cpu"),
    "device-context": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "inference": torch.inference_mode,
    "no-grad": torch.no_grad,
    "deterministic": deterministic,
    "flush-denormal": flush_denormal,
    "raise": lambda: np.errstate(all="raise"),
    "call": numpy_calls,
    "sigint-ignored": lambda: interrupts(signal.SIG_IGN),
    "sigint-foreign": lambda: interrupts(lambda number, frame: None),
    "warnings": warnings_ignored,
    "everything": everything,
}


def state_of_others():
    """All that skad might have changed."""
    return {
        "dtype": torch.get_default_dtype(),
        "device": str(torch.get_default_device()),
        "autocast": torch.is_autocast_enabled("cpu"),
        "autocast dtype": torch.get_autocast_dtype("cpu"),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "modes": count_modes(),
        "errors": np.geterr(),
        "error call": np.geterrcall(),
        "sigint": signal.getsignal(signal.SIGINT),
        "filters": list(warnings.filters),
        "flushes": bool(np.float64(5e-324) == 0),
    }


# Answers ------------------------------------------------------------------------------


def answers(estimator, X):
    """All that a fitted estimator says of a table."""
    names = [name for name in METHODS if hasattr(estimator, name)]
    return {
        name: getattr(estimator, name)(*[X] * (name != "get_feature_names_out"))
        for name in names
    }


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def life(estimator, path):
    """Answers after fit, after a copy by pickle, and after save and load."""
    fitted = clone(estimator).fit(X, Y)
    trusted = [Bottleneck, "sklearn.tree._tree.Tree"]
    copies = {
        "fit": fitted,
        "pickle": pickle.loads(pickle.dumps(fitted)),
        "load": load(save(fitted, path), trusted=trusted),
    }
    return {
        f"{how}-{name}": value
        for how, copied in copies.items()
        for name, value in answers(copied, X_NEW).items()
    }


@pytest.fixture(scope="module")
def usual_life(tmp_path_factory):
    """Answers in a process as it starts, each computed once."""
    known = {}
    path = tmp_path_factory.mktemp("state") / "model.skad"

    def of(name, estimator):
        if name not in known:
            known[name] = life(estimator, path)
        return known[name]

    return of


@pytest.mark.filterwarnings("ignore:There is no X_val")
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_settings__change_no_bit_and_stay(name, setting, usual_life, tmp_path):
    expected = usual_life(name, ESTIMATORS[name])
    with SETTINGS[setting]():
        before = state_of_others()
        found = life(ESTIMATORS[name], tmp_path / "model.skad")
        after = state_of_others()
    assert after == before
    assert_equal(found, expected)


@pytest.mark.parametrize("setting", ["float64", "float16", "everything"])
@pytest.mark.parametrize("name", ["linear-hybrid", "mlp", "conv", "lstm", "encdec-ad"])
def test_settings__change_no_exported_model(name, setting, tmp_path):
    pytest.importorskip("onnx")
    fitted = clone(ESTIMATORS[name]).fit(X)
    expected = to_onnx(fitted, tmp_path / "usual.onnx").read_bytes()
    with SETTINGS[setting]():
        before = state_of_others()
        found = to_onnx(fitted, tmp_path / "model.onnx").read_bytes()
        after = state_of_others()
    assert after == before
    assert found == expected


@pytest.mark.parametrize("model", [*ERROR_MODELS, *RULES], ids=repr)
@pytest.mark.parametrize("setting", ["raise", "call", "flush-denormal"])
def test_settings_of_numpy__change_no_error_and_no_threshold(model, setting):
    values = [np.zeros((8, 3, 2)), RNG.normal(size=(8, 3, 2)) * 1e-160]

    def say():
        if not hasattr(model, "window_errors"):
            scores = np.repeat([0.0, 5e-324, 1e-310, 1.0], 10)
            return clone(model).fit(scores, scores > 0).threshold_
        fitted = clone(model).fit(values[1], values[1][:, :, 0])
        codes = values[0][:, :, 0]
        methods = fitted.window_errors, fitted.contributions
        parts = [method(v, codes).ravel() for method in methods for v in values]
        return np.concatenate(parts)

    with warnings.catch_warnings(action="ignore"):
        expected = say()
        with SETTINGS[setting]():
            np.testing.assert_array_equal(say(), expected)


@pytest.mark.parametrize("data", [np.ones((50, 4)), np.zeros((9, 3)), X * 1e-30])
@pytest.mark.parametrize("name", ["linear", "linear-mahalanobis", "mlp", "conv-plain"])
def test_numpy_that_raises__is_not_heard(name, data):
    with warnings.catch_warnings(action="ignore"), np.errstate(all="raise"):
        detector = clone(ESTIMATORS[name]).set_params(latent_dim=1).fit(data)
        assert np.isfinite(detector.score_samples(data)).all()


@pytest.mark.parametrize("name", skad.__all__)
def test_public_functions__do_not_hear_numpy(name):
    function = getattr(skad, name)
    without_numbers = ("audit", "load", "save", "to_onnx", "make_outlier_scorer")
    if isinstance(function, types.FunctionType) and name not in without_numbers:
        code = skad._fitting.with_standard_numbers(lambda: None).__code__
        assert function.__code__ is code


def test_functions_under_numpy_that_raises__return_what_they_do():
    def say():
        X, y = skad.make_heartbeats(30, 10, random_state=0)
        scores = np.array([0.0, 5e-324, 1e-310, -1.0, -2.0])
        labels = [1, 1, 1, -1, -1]
        report = skad.detection_report(labels, np.where(scores < 0, -1, 1))
        return X, y, [repr(report)]

    expected = say()
    with np.errstate(all="raise"):
        found = say()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


# A user's module ----------------------------------------------------------------------


class Greedy(nn.Module):
    """A module that leaves every dtype and device to the defaults."""

    def __init__(self, window_length, n_channels):
        super().__init__()
        n = window_length * n_channels
        self.legacy = nn.Parameter(torch.Tensor(n, n).uniform_(-0.1, 0.1))
        self.listed = nn.Parameter(torch.Tensor([0.25] * n))
        self.drawn = nn.Parameter(0.1 * torch.randn(n, 2))
        self.normal = nn.Parameter(torch.normal(0.0, 0.1, (2, n)))
        position = torch.arange(n) / n * math.pi
        exponents = torch.arange(0, n) * (-math.log(10000.0) / n)
        self.register_buffer("code", torch.sin(position * torch.exp(exponents)))
        self.register_buffer("scale", torch.tensor(0.7))
        self.register_buffer("full", torch.full((n,), 0.1) + torch.linspace(0, 1, n))
        self.register_buffer("table", torch.as_tensor(np.linspace(0, 1, n)).float())
        self.register_buffer("exact", torch.zeros(n, dtype=torch.float64))
        self.norm, self.drop = nn.LayerNorm(n), nn.Dropout(0.1)

    def forward(self, X):
        flat = self.drop(self.norm(X.flatten(1))) + torch.zeros(X.shape[1] * X.shape[2])
        code = flat @ self.drawn + torch.ones(2) * (torch.arange(2) + 1).sqrt()
        noise = torch.rand(1) if self.training else torch.tensor([0.5])
        out = code @ self.normal + flat @ self.legacy * self.scale + self.code * noise
        return (out + self.listed * self.full + self.table).view_as(X), code


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "rmsprop", "sgd"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_settings__change_no_bit_of_a_module_of_defaults(setting, optimizer):
    detector = Autoencoder(Greedy, optimizer=optimizer, max_epochs=2, random_state=0)
    expected = clone(detector).fit(X)
    with SETTINGS[setting]():
        before = state_of_others()
        fitted = clone(detector).fit(X)
        again = pickle.loads(pickle.dumps(expected))
        found = [d.score_samples(X_NEW) for d in (fitted, again, expected)]
        assert state_of_others() == before
    dtypes = {n: w.dtype for n, w in expected.net_.module_.state_dict().items()}
    assert {n: w.dtype for n, w in fitted.net_.module_.state_dict().items()} == dtypes
    for scores in found:
        np.testing.assert_array_equal(scores, expected.score_samples(X_NEW))


class Attention(nn.Module):
    """A module with a layer that torch computes in another way in evaluation."""

    def __init__(self, window_length, n_channels):
        super().__init__()
        self.into, self.out = nn.Linear(n_channels, 4), nn.Linear(4, n_channels)
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)

    def forward(self, X):
        hidden = self.layer(self.into(X))
        return self.out(hidden), hidden.mean(dim=1)


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings__change_nothing_of_attention(setting):
    detector = Autoencoder(Attention, max_epochs=2, random_state=0)
    expected = clone(detector).fit(X).score_samples(X_NEW)
    with SETTINGS[setting]():
        found = clone(detector).fit(X).score_samples(X_NEW)
    # Of two ways to compute the layer, torch takes the other one.
    rounding = 1e-4 if "float" in setting or setting == "everything" else 0.0
    np.testing.assert_allclose(found, expected, rtol=rounding)


class Failing(nn.Module):
    """A module whose training fails."""

    def __init__(self, window_length, n_channels):
        super().__init__()
        self.layer = nn.Linear(n_channels, n_channels)

    def forward(self, X):
        if self.training:
            raise RuntimeError("it fails")
        return self.layer(X)


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings__stay_after_an_error(setting):
    with SETTINGS[setting]():
        before = state_of_others()
        with pytest.raises(RuntimeError, match="it fails"):
            Autoencoder(Failing).fit(X)
        assert state_of_others() == before


@pytest.mark.parametrize("setting", ["float64", "everything"])
def test_other_threads__see_nothing(setting):
    seen, ends = [], threading.Event()

    class Watched(LSTMAutoencoder):
        def _architecture(self, windows):
            starts.set()
            return super()._architecture(windows)

    def watch():
        starts.wait()
        while not ends.is_set():
            state = torch.get_default_dtype(), np.geterr()["over"]
            seen.append((*state, torch.zeros(1).dtype, torch.zeros(1).device.type))

    starts = threading.Event()
    with SETTINGS[setting]():
        thread = threading.Thread(target=watch)
        thread.start()
        Watched(2, latent_dim=1, max_epochs=3, random_state=0).fit(X)
        ends.set()
        thread.join()
        dtype = torch.get_default_dtype()
    assert set(seen) == {(dtype, "warn", dtype, "cpu")}


def test_warm_start__goes_on_after_loading_in_inference_mode():
    detector = clone(ESTIMATORS["mlp"]).set_params(warm_start=True).fit(X)
    with torch.inference_mode():
        loaded = pickle.loads(pickle.dumps(detector))
        copied = copy.deepcopy(detector)
    assert loaded.fit(X).n_iter_ > detector.n_iter_  # without the optimizer's state
    expected = detector.fit(X).score_samples(X_NEW)
    np.testing.assert_array_equal(copied.fit(X).score_samples(X_NEW), expected)
