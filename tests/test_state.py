"""Global state of others: answers are the same under it, and it stays as it was."""

import pickle
import signal
import warnings
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from instances import ESTIMATORS, Bottleneck
from sklearn.base import clone

from skad import load, save
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
def all_warnings_shown():
    with warnings.catch_warnings():
        warnings.simplefilter("always")
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
    "warnings": all_warnings_shown,
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
