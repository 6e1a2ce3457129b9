"""Docstrings: complete, true to the signatures, and equal where they are shared."""

import dataclasses
import inspect
import re

import numpy as np
import pytest
from instances import ERROR_MODELS, ESTIMATORS, RULES
from numpydoc.docscrape import ClassDoc, NumpyDocString
from sklearn.base import BaseEstimator

import skad
from skad.detectors._neural import BaseNeuralAutoencoder

PUBLIC = {name: getattr(skad, name) for name in skad.__all__}
for name in ("CalibrationWarning", "DriftWarning"):  # nobody calls them
    assert PUBLIC.pop(name).__doc__
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}
FUNCTIONS = {name: f for name, f in PUBLIC.items() if not inspect.isclass(f)}
# A base class, and what functions return: nobody calls them.
NOT_CALLED = ["BaseErrorModel", "DetectionReport", "DriftReport", "TableReport"]
NETS = [
    *("MLPAutoencoder", "ConvAutoencoder", "LSTMAutoencoder", "EncDecAD"),
    *("ConvLSTMAutoencoder", "Autoencoder"),
]
# What each of them says for itself.
OWN = {
    *("activation", "hidden_dims", "latent_activation", "latent_dim", "linear_path"),
    *("output_activation", "residual_block"),
}
# Of which nets have defaults of their own.
OWN_DEFAULTS = {"error_model", "lr", "max_epochs", "refit"}


def methods():
    for name, cls in CLASSES.items():
        for method, function in inspect.getmembers(cls, inspect.isroutine):
            home = inspect.getmodule(function)
            ours = home is not None and home.__name__.startswith("skad")
            if ours and not method.startswith("_"):
                yield pytest.param(function, id=f"{name}.{method}")


def documented(thing):
    """Return name, type and description of every documented parameter."""
    return NumpyDocString(inspect.getdoc(thing))["Parameters"]


@pytest.mark.parametrize("name", PUBLIC)
def test_parameters__are_those_of_the_signature(name):
    thing = PUBLIC[name]
    if name in NOT_CALLED or not inspect.signature(thing).parameters:
        return
    written = [p.name for p in documented(thing)]
    parameters = inspect.signature(thing).parameters.values()
    names = [f"**{p.name}" if p.kind is p.VAR_KEYWORD else p.name for p in parameters]
    others = ["LocallyLinearAutoencoder", "MaskedFeatureAutoencoder"]
    if name not in [*NETS, *others]:
        assert written == names
        return
    # Autoencoders document their own first; keywords have no order.
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert written[: len(positional)] == positional
    assert sorted(written) == sorted(names)


@pytest.mark.parametrize("name", PUBLIC)
def test_defaults__are_those_of_the_signature(name):
    thing = PUBLIC[name]
    if name in NOT_CALLED:
        return
    defaults = {
        parameter.name: parameter.default
        for parameter in inspect.signature(thing).parameters.values()
        if parameter.default is not parameter.empty
    }
    for parameter in documented(thing):
        match = re.search(r"default=(.*)$", parameter.type)
        assert (match is not None) == (parameter.name in defaults), parameter.name
        if match:
            value = eval(match.group(1))
            default = defaults[parameter.name]
            assert value is default or value == default, parameter.name  # nan


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring__has_its_sections(name):
    doc = NumpyDocString(inspect.getdoc(PUBLIC[name]))
    assert doc["Summary"][0].endswith(".")
    if name not in NOT_CALLED:
        assert doc["Examples"], "an example that runs"
        assert f"import {name}" in "".join(doc["Examples"]) or re.search(
            rf"import .*\b{name}\b", "\n".join(doc["Examples"])
        )


@pytest.mark.parametrize("function", list(methods()))
def test_methods__document_their_parameters(function):
    doc = inspect.getdoc(function)
    parameters = [p for p in inspect.signature(function).parameters if p != "self"]
    if not parameters or "; see `" in doc.replace("\n", " "):
        return
    names = {
        n.strip(" *")
        for p in NumpyDocString(doc)["Parameters"]
        for n in p.name.split(",")
    }
    assert set(parameters) <= names


@pytest.mark.parametrize("name", NETS)
def test_shared_parameters__have_one_text(name):
    def texts(cls):
        for p in documented(cls):
            kind = p.type
            if p.name in OWN_DEFAULTS:
                kind = kind.partition("default=")[0]
            yield p.name, (kind, p.desc)

    theirs, shared = dict(texts(CLASSES[name])), dict(texts(CLASSES[NETS[0]]))
    for parameter in set(shared) - OWN:
        assert theirs[parameter] == shared[parameter], parameter


@pytest.mark.parametrize("name", NETS)
def test_shared_parameters__have_one_default(name):
    theirs = inspect.signature(CLASSES[name]).parameters
    for parameter in inspect.signature(CLASSES[NETS[0]]).parameters.values():
        if parameter.name in theirs and parameter.name not in OWN | OWN_DEFAULTS:
            assert theirs[parameter.name].default == parameter.default


@pytest.mark.parametrize(
    "estimator",
    ESTIMATORS.values(),
    ids=[type(e).__name__ for e in ESTIMATORS.values()],
)
@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
@pytest.mark.filterwarnings("ignore:There is no X_val:UserWarning")
@pytest.mark.filterwarnings("ignore:Only .* windows would remain:UserWarning")
def test_attributes__are_documented(estimator):
    X = np.random.default_rng(0).normal(size=(30, 4))
    estimator.fit(X, np.repeat([0, 1], [25, 5]))
    doc = NumpyDocString(inspect.getdoc(estimator))
    written = {n.strip() for a in doc["Attributes"] for n in a.name.split(",")}
    fitted = {n for n in vars(estimator) if n.endswith("_") and n[0] != "_"}
    assert fitted - {"feature_names_in_"} <= written


def test_tables_of_instances__are_complete():
    instances = [*ESTIMATORS.values(), *ERROR_MODELS, *RULES]
    covered = {type(instance).__name__ for instance in instances}
    estimators = {
        name for name, cls in CLASSES.items() if issubclass(cls, BaseEstimator)
    }
    assert estimators - covered == {"BaseErrorModel"}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions__document_what_they_return(function):
    assert NumpyDocString(inspect.getdoc(function))["Returns"]


@pytest.mark.parametrize(
    "name", [*NETS, "LinearAutoencoder", "LocallyLinearAutoencoder"]
)
def test_autoencoders__are_dataclasses_with_keywords_by_keyword(name):
    cls = CLASSES[name]
    # a forgotten decorator would leave fields of its own without a parameter
    own = {n for n in vars(cls)["__annotations__"] if n[0] != "_"}
    assert "__dataclass_fields__" in vars(cls)
    assert own <= set(inspect.signature(cls).parameters)
    # a default that is changed must not become positional
    for field in dataclasses.fields(BaseNeuralAutoencoder):
        if field.name in cls.__dataclass_fields__:
            assert cls.__dataclass_fields__[field.name].kw_only, field.name


@pytest.mark.parametrize(
    "name", [*NETS, "LinearAutoencoder", "LocallyLinearAutoencoder"]
)
def test_class_attributes__are_not_listed_as_fitted_ones(name):
    """Defaults of a dataclass are class attributes, which numpydoc would list."""
    listed = {a.name for a in ClassDoc(CLASSES[name])["Attributes"]}
    assert not listed & set(inspect.signature(CLASSES[name]).parameters)
