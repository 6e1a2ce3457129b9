"""What is fitted stays so: parameters that are changed count at the next fit."""

import copy
import pickle

import numpy as np
import pytest
from instances import (
    AUTOENCODERS,
    ERROR_MODELS,
    ESTIMATORS,
    FAST,
    RULES,
    Bottleneck,
)
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_state import X_NEW, X, Y, answers, assert_equal
from torch import nn

import skad
from skad import (
    Autoencoder,
    HybridErrors,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    MLPAutoencoder,
    SlidingWindow,
    TunedThresholdDetector,
    WindowedDetector,
    load,
    save,
    to_onnx,
)
from skad._fitting import after_fit, as_fitted, fit_method

pytestmark = pytest.mark.filterwarnings("ignore")  # other values may warn
RNG = np.random.default_rng(1)
SCORES = np.sort(RNG.normal(size=60))
LABELS = np.arange(60) < 12
RESIDUALS, CODES = RNG.normal(size=(50, 4, 2)), RNG.normal(size=(50, 3))
NEW_RESIDUALS, NEW_CODES = RNG.normal(size=(9, 4, 2)), RNG.normal(size=(9, 3))

# Valid values by the name of the parameter; the first that differs is taken.
OTHERS = {
    "dayfirst": [True],
    "every": [2],
    "format": ["s"],
    "long": [("a", "b", "c")],
    "missing": [[0.0]],
    "series": ["machine"],
    "time": ["when"],
    "activation": ["tanh"],
    "add_indicator": [True, False],
    "aggregate": ["max", "median"],
    "alpha": [0.1],
    "batch_size": [7],
    "beta": [0.5],
    "budget": [2.0],
    "callbacks": [[]],
    "carry_tail": [True, False],
    "contamination": [0.3],
    "count": ["events", "rows"],
    "cv": [3, 4],
    "device": ["cpu"],
    "early_stopping": [False, True],
    "error_model": ["mae", "mse"],
    "estimator": [IsolationForest(n_estimators=3, random_state=1)],
    "estimators": [[("near", LocallyLinearAutoencoder(2))]],
    "fallback": [1.5],
    "feedback": ["logit"],
    "false_alarm_cost": [3.0],
    "floor": [0.5, 0.25],
    "gates": [{"near": 0.5}],
    "hidden_channels": [(3,)],
    "hidden_dim": [3],
    "hidden_dims": [(4,)],
    "input_noise": [0.3],
    "kernel_length": [3],
    "kernel_size": [2],
    "kl_prior": ["uniform", "random"],
    "kl_weight": [0.2],
    "k": [1.0],
    "latent_activation": ["tanh"],
    "latent_dim": [2, 1],
    "level": ["window", "timestep"],
    "limit": [1],
    "linear_path": [None, "pca"],
    "loss_reduction": ["sum"],
    "lr": [0.01],
    "lr_schedule": [None],
    "max_codes": [9],
    "max_epochs": [1],
    "max_features": [0.5],
    "max_gap": [3],
    "max_grad_norm": [0.5],
    "max_missing": [0.3],
    "mask_probability": [0.5],
    "max_samples": [9],
    "max_steps": [2, None],
    "max_windows": [9],
    "method": ["bfill", "ffill"],
    "min_precision": [0.5],
    "miss_cost": [2.0],
    "module_params": [{"width": 3}],
    "n_channels": [5],
    "n_components": [1],
    "n_estimators": [4],
    "n_iter_no_change": [2],
    "n_jobs": [1],
    "n_kernels": [5],
    "n_neighbors": [2],
    "new_series": ["pool", "raise"],
    "n_parts": [3],
    "n_segments": [2, 1],
    "net_params": [{"iterator_train__shuffle": False}],
    "normal_label": [0],
    "optimizer": ["sgd"],
    "outlier_label": [0],
    "output_activation": ["tanh", "identity"],
    "pad": ["zero", "edge"],
    "per": [20],
    "quantile": [0.2],
    "random_state": [1],
    "refit": [False, True],
    "reg": [0.5],
    "residual_block": [False],
    "reverse": [True, False],
    "risk": [0.02],
    "rule": [skad.SigmaThreshold()],
    "shrinkage": [0.5],
    "standardize": [False],
    "stride": [2],
    "teacher_forcing": [True, False],
    "threshold": [-0.1],
    "validation_fraction": [0.3],
    "vector": ["timestep", "window"],
    "trim": [0.2],
    "weights": [{"plane": 2.0}],
    "units": [{"near": "rms"}],
    "verbose": [0],
    "warm_start": [False],
    "weight_decay": [0.1],
    "window_length": [3, 1],
}


def changes(estimator):
    """Each parameter, nested ones too, with another valid value."""
    params = estimator.get_params()
    # members last: with them their parameters go
    for name, value in sorted(params.items(), key=lambda p: p[0] == "estimators"):
        # POTThreshold has a level, too: a number
        others = OTHERS.get(name.rpartition("__")[2], [])
        for other in [0.7] if type(value) is float and name == "level" else others:
            if repr(other) != repr(value):
                yield name, other
                break


def say(estimator):
    """Answers of any estimator of skad."""
    if isinstance(estimator, skad.BaseErrorModel):
        names = ["contributions", "timestep_errors", "window_errors"]
        return {n: getattr(estimator, n)(NEW_RESIDUALS, NEW_CODES) for n in names}
    if hasattr(estimator, "threshold_"):
        said = {"threshold_": estimator.threshold_}
        if hasattr(estimator, "p_values"):
            said["p_values"] = estimator.p_values(SCORES)
        return said
    return answers(estimator, X_NEW)


def fit(estimator):
    if isinstance(estimator, skad.BaseErrorModel):
        return estimator.fit(RESIDUALS, CODES)
    if hasattr(estimator, "_find"):
        return estimator.fit(SCORES, LABELS)
    return estimator.fit(X, Y)


def why_not(estimator):
    """Fit, and return the message of the error; None if all went well."""
    try:
        fit(estimator)
    except ValueError as error:
        return str(error)
    return None


ALL = ESTIMATORS | {repr(other): other for other in (*RULES, *ERROR_MODELS)}


@pytest.mark.parametrize("name", ALL)
def test_changed_parameters__count_at_the_next_fit(name, tmp_path):
    estimator = fit(clone(ALL[name]))
    expected, data = say(estimator), pickle.dumps(estimator)
    before = estimator.get_params(deep=False)
    path, trusted = tmp_path / "model.skad", [Bottleneck, "sklearn.tree._tree.Tree"]
    written = save(estimator, path).read_bytes()
    for param, other in changes(ALL[name]):
        estimator.set_params(**{param: other})
        assert_equal(say(estimator), expected)
    assert_equal(say(pickle.loads(pickle.dumps(estimator))), expected)
    assert_equal(say(copy.deepcopy(estimator)), expected)
    changed = save(estimator, path).read_bytes()
    loaded = load(path, trusted=trusted)
    assert_equal(say(loaded), expected)
    assert save(loaded, path).read_bytes() == changed
    assert repr(loaded.get_params(deep=False)) == repr(estimator.get_params(deep=False))
    estimator.set_params(**before)
    if not any("__" in param for param, _ in changes(ALL[name])):
        assert save(estimator, path).read_bytes() == written
    assert_equal(say(pickle.loads(data)), expected)


# Nets share their parameters: two of them stand for all.
QUICK = [*(set(ALL) - set(AUTOENCODERS)), "linear-hybrid", "mlp", "lstm-plain"]


@pytest.mark.parametrize("name", sorted(QUICK))
def test_changed_parameters__are_those_of_the_next_fit(name):
    for param, other in changes(ALL[name]):
        estimator = fit(clone(ALL[name])).set_params(**{param: other})
        new = clone(ALL[name]).set_params(**{param: other})
        if (error := why_not(new)) is None:
            assert_equal(say(fit(estimator)), say(new))
        else:  # it does not go with the others
            assert why_not(estimator) == error


def test_every_parameter__has_another_value():
    own = {p for e in ALL.values() for p in e.get_params(deep=False)}
    assert own <= {*OTHERS, "module"}


def public_methods():
    """Each public method of a class of skad that answers after fit."""
    classes = {c for e in ALL.values() for c in type(e).__mro__}
    for cls in sorted(classes, key=str):
        if not cls.__module__.startswith("skad.") or cls.__name__ == "Bottleneck":
            continue
        for name, value in vars(cls).items():
            method = getattr(value, "fn", value)  # of available_if
            if callable(method) and not name.startswith(("_", "fit_")):
                yield f"{cls.__name__}.{name}", method


def wrappers(method):
    """Code of a method and of what it wraps."""
    while method is not None:
        yield method.__code__
        method = getattr(method, "__wrapped__", None)


@pytest.mark.parametrize(("name", "method"), [*public_methods()])
def test_every_public_method__is_decorated(name, method):
    # One only says that it is missing, the others are about parameters.
    own = name in (
        "BaseErrorModel.contributions",
        "DetectorUnion.get_params",
        "DetectorUnion.set_params",
    )
    decorator = fit_method if name.endswith(".fit") else after_fit
    assert own or decorator(lambda self: self).__code__ in wrappers(method)


# Ways to change a parameter ----------------------------------------------------------


def test_attribute_and_inner_attribute__count_as_set_params():
    detector = WindowedDetector(LinearAutoencoder(error_model=HybridErrors()), 4).fit(X)
    expected = answers(detector, X_NEW)
    detector.stride, detector.window_length = 2, 3
    detector.estimator_.n_channels = 1
    detector.estimator_.error_model_.n_neighbors = 3
    detector.estimator = None
    assert_equal(answers(detector, X_NEW), expected)
    assert (detector.stride, detector.window_length) == (2, 3)


def test_parameters_changed_inside_a_pipeline_or_frozen__count_at_the_next_fit():
    detector = WindowedDetector(LinearAutoencoder(), 4)
    pipe = make_pipeline(StandardScaler(), SlidingWindow(2), LinearAutoencoder()).fit(X)
    frozen = FrozenEstimator(detector.fit(X))
    tuned = TunedThresholdDetector(detector, cv="prefit", rule=skad.SigmaThreshold())
    tuned.fit(X)
    before = [answers(e, X_NEW) for e in (pipe, frozen, tuned)]
    pipe.set_params(slidingwindow__window_length=5, slidingwindow__pad="zero")
    detector.set_params(window_length=9, aggregate="max")
    for estimator, expected in zip((pipe, frozen, tuned), before, strict=True):
        assert_equal(answers(estimator, X_NEW), expected)


class Layers(nn.Module):
    """A module that keeps the list of widths it was given."""

    def __init__(self, window_length, n_channels, widths):
        super().__init__()
        n = window_length * n_channels
        self.widths = widths
        self.layers = nn.Sequential(nn.Linear(n, widths[0]), nn.Linear(widths[0], n))

    def forward(self, X):
        latent, decode = self.layers[0](X.flatten(1)), self.layers[1]
        return decode(latent).view_as(X) * len(self.widths), latent


@pytest.mark.parametrize(
    "make",
    [
        lambda mutable: Autoencoder(Layers, module_params={"widths": mutable}, **FAST),
        lambda mutable: MLPAutoencoder(mutable, 1, **FAST),
        lambda mutable: skad.ConvAutoencoder(mutable, 3, 1, **FAST),
        lambda mutable: skad.ConvLSTMAutoencoder(mutable, 3, 2, 1, **FAST),
        lambda mutable: MLPAutoencoder(
            (3,), 1, net_params={"optimizer__betas": mutable}, optimizer="adam", **FAST
        ),
    ],
    ids=["module_params", "hidden_dims", "hidden_channels", "conv-lstm", "net_params"],
)
def test_parameter_changed_in_place__counts_at_the_next_fit(make, tmp_path):
    mutable = [0.5, 0.5]
    detector = make(mutable)
    if not isinstance(detector, MLPAutoencoder) or detector.net_params is None:
        mutable[:] = [3, 4]
    detector.fit(X)
    expected, data = answers(detector, X_NEW), pickle.dumps(detector)
    mutable[:] = [2]
    assert_equal(answers(detector, X_NEW), expected)
    for copied in (
        pickle.loads(pickle.dumps(detector)),
        copy.deepcopy(detector),
        load(save(detector, tmp_path / "model.skad"), trusted=[Layers]),
    ):
        assert_equal(answers(copied, X_NEW), expected)
    assert_equal(answers(pickle.loads(data), X_NEW), expected)


def test_as_fitted__costs_nothing_where_nothing_changed():
    detector = LinearAutoencoder().fit(X)
    assert as_fitted(detector) is detector
    assert as_fitted(detector.set_params(n_channels=5)) is not detector
    assert as_fitted(IsolationForest(random_state=0).fit(X)) is not None
    assert as_fitted(detector.fit(X)) is detector


def test_failed_fit__keeps_the_parameters_of_the_last_one():
    detector = WindowedDetector(LinearAutoencoder(), 4).fit(X)
    expected = answers(detector, X_NEW)
    with pytest.raises(ValueError, match="window_length=100"):
        detector.set_params(window_length=100).fit(X)
    assert_equal(answers(detector, X_NEW), expected)


def test_model_files__hold_parameters_once(tmp_path):
    detector = WindowedDetector(LinearAutoencoder(), 4).fit(X)
    size = len(pickle.dumps(detector))
    del detector._fit_params_
    assert size - len(pickle.dumps(detector)) < 50


def test_model_of_skad_0_1_0__stays_fitted_too():
    detector = WindowedDetector(LinearAutoencoder(), 4).fit(X)
    expected = answers(detector, X_NEW)
    del detector._fit_params_
    state = detector.__getstate__()
    old = WindowedDetector.__new__(WindowedDetector)
    old.__setstate__(state)
    assert_equal(answers(old.set_params(window_length=3, stride=2), X_NEW), expected)


def test_to_onnx__exports_what_was_fitted(tmp_path):
    pytest.importorskip("onnx")
    inner = LinearAutoencoder(error_model=HybridErrors(n_neighbors=2))
    pipe = make_pipeline(
        StandardScaler(), WindowedDetector(inner, 4, aggregate="last")
    ).fit(X)
    expected = to_onnx(pipe, tmp_path / "model.onnx").read_bytes()
    detector = pipe[-1].set_params(window_length=3, stride=2, aggregate="max")
    detector.estimator_.set_params(latent_dim=1, n_channels=1)
    detector.estimator_.error_model_.set_params(n_neighbors=5, standardize=False)
    assert to_onnx(pipe, tmp_path / "model.onnx").read_bytes() == expected
