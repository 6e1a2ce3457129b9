"""Names in a model file: what a file may hold, and what only if its reader says so.

A name is looked up in the tables below, never imported because a file holds it. In a
file public classes go by their public names, and what is not public by a name of its
own, so that they can move within their packages.
"""

import importlib
import inspect
import pkgutil

import numpy as np
from sklearn import metrics
from sklearn.base import BaseEstimator
from sklearn.utils import metadata_routing

import skad

# What a name stands for in a file: the class of an object, or the thing itself.
OBJECT, ITSELF = "object", "itself"

# What is not public in skad: how a file uses it, and where it lives.
_INSIDE_SKAD = {
    "skad.ReconstructionNet": (OBJECT, "skad.training._net", "ReconstructionNet"),
    "skad.ImputerTail": (OBJECT, "skad.series._imputer", "_Tail"),
    "skad.OutlierMetric": (OBJECT, "skad.metrics._scorers", "_OutlierMetric"),
    "skad.BatchIterator": (ITSELF, "skad.training._batches", "BatchIterator"),
    "skad.ReconstructionLoss": (ITSELF, "skad.training._losses", "ReconstructionLoss"),
    "skad.Dataset": (ITSELF, "skorch.dataset", "Dataset"),
    "skad.MLPModule": (ITSELF, "skad.detectors._mlp", "MLPModule"),
    "skad.MLPWithLinearPath": (ITSELF, "skad.detectors._mlp", "mlp_with_linear_path"),
    "skad.ConvModule": (ITSELF, "skad.detectors._conv", "ConvModule"),
    "skad.ConvWithLinearPath": (
        ITSELF,
        "skad.detectors._conv",
        "conv_with_linear_path",
    ),
    "skad.LSTMModule": (ITSELF, "skad.detectors._lstm", "LSTMModule"),
    "skad.LSTMWithLinearPath": (
        ITSELF,
        "skad.detectors._lstm",
        "lstm_with_linear_path",
    ),
}

# Classes that scikit-learn does not export, by what it does.
_INSIDE_SKLEARN = {
    "sklearn.Scorer": type(metrics.make_scorer(metrics.accuracy_score)),
    "sklearn.MetadataRequest": metadata_routing.MetadataRequest,
    "sklearn.MethodMetadataRequest": type(metadata_routing.MetadataRequest("").fit),
}

# Where public functions live that only compute.
_FUNCTIONS_OF_SKAD = ("skad.metrics.", "skad.series._events", "skad.series._explain")

# Where the steps around a detector live in scikit-learn, splitters, and metrics. It has
# functions that fetch and read files, too; none of them is here.
_ESTIMATOR_HOMES = (
    *("compose", "covariance", "decomposition", "ensemble", "feature_selection"),
    *("frozen", "impute", "kernel_approximation", "linear_model", "mixture"),
    *("model_selection", "neighbors", "pipeline", "preprocessing"),
    *("random_projection", "svm", "tree"),
)
_FUNCTION_HOMES = ("feature_selection", "metrics")

# Their compiled code believes the arrays of a fitted model, and reads beyond them where
# a file lies. Trees are left out by the class that holds their nodes.
_UNCHECKED = {
    "decomposition": (
        *("DictionaryLearning", "LatentDirichletAllocation"),
        *("MiniBatchDictionaryLearning", "MiniBatchNMF", "NMF", "SparseCoder"),
    ),
    "neighbors": ("KNeighborsClassifier", "RadiusNeighborsClassifier"),
    "svm": ("NuSVC", "NuSVR", "OneClassSVM", "SVC", "SVR"),
}
_NODES = "sklearn.tree._tree.Tree"

# Types that estimators take as parameters, such as dtype=float.
_TYPES = (bool, int, float, str, object)


def name_of(thing) -> str:
    """Name a class or function the way files do.

    Raises
    ------
    ValueError
        If it could not be found again by its name.
    """
    attribute = getattr(thing, "__name__", "")
    home = getattr(thing, "__module__", None) or ""
    for name, (_, module, inside) in _INSIDE_SKAD.items():
        if (home, attribute) == (module, inside):
            return name
    for name, cls in _INSIDE_SKLEARN.items():
        if thing is cls:
            return name
    parts = home.split(".")
    name = {
        "skad": f"skad.{attribute}",
        "sklearn": f"sklearn.{''.join(parts[1:2])}.{attribute}",
        "torch": f"torch.optim.{attribute}",
        "builtins": f"builtins.{attribute}",
    }.get(parts[0], f"numpy.{attribute}")  # a ufunc does not tell its module
    if _known(name, OBJECT) is thing or _known(name, ITSELF) is thing:
        return name
    return _name_of_other(thing)


def _name_of_other(thing):
    name = f"{thing.__module__}.{getattr(thing, '__qualname__', thing.__name__)}"
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if found is not thing:
        raise ValueError(
            f"{thing!r} cannot be saved: it is not what its name, {name}, leads to. "
            "Define it at the top level of a module."
        )
    return name


def is_unchecked(name) -> bool:
    """Whether compiled code of scikit-learn believes what a file says of this."""
    home, _, attribute = name.removeprefix("sklearn.").partition(".")
    return name == _NODES or attribute in _UNCHECKED.get(home, ())


class Names:
    """The names that may be looked up.

    Parameters
    ----------
    trusted : list of str, class or function
        What is allowed in addition, by name or as it is.
    """

    def __init__(self, trusted=()):
        if isinstance(trusted, str | type | bool):
            raise TypeError(
                f"trusted={trusted!r} must be a list of classes, functions or their "
                "names."
            )
        self._trusted = {
            item if isinstance(item, str) else name_of(item): item for item in trusted
        }

    def is_trusted(self, name) -> bool:
        """Whether the reader of the file has allowed this name."""
        return name in self._trusted

    def allows(self, name, use) -> bool:
        """Whether a file may use a name so."""
        return self.is_trusted(name) or (
            not is_unchecked(name) and _known(name, use) is not None
        )

    def look_up(self, name):
        """Find what a name that is allowed stands for."""
        if not self.is_trusted(name):
            known = _known(name, OBJECT)
            return _known(name, ITSELF) if known is None else known
        item = self._trusted[name]
        if not isinstance(item, str):
            return item
        known = _known(name, OBJECT)  # one of those that scikit-learn reads unchecked
        return pkgutil.resolve_name(name) if known is None else known


def _known(name, use):
    """Find what is known by a name, None for nothing."""
    if name in _INSIDE_SKAD:
        needed, module, attribute = _INSIDE_SKAD[name]
        if use != needed:
            return None
        return getattr(importlib.import_module(module), attribute)
    if name in _INSIDE_SKLEARN:
        return _INSIDE_SKLEARN[name] if use == OBJECT else None
    home, _, attribute = name.rpartition(".")
    if use == OBJECT:
        return _known_class(home, attribute)
    return _known_thing(home, attribute)


def _known_class(home, attribute):
    if home == "skad":
        known = getattr(skad, attribute) if attribute in skad.__all__ else None
        return known if _is_class(known, BaseEstimator) else None
    if home not in [f"sklearn.{name}" for name in _ESTIMATOR_HOMES]:
        return None
    known = _exported(home, attribute)
    base = object if home == "sklearn.model_selection" else BaseEstimator
    return known if _is_class(known, base) else None


def _known_thing(home, attribute):
    if home == "skad":
        known = getattr(skad, attribute) if attribute in skad.__all__ else None
        is_function = inspect.isfunction(known)
        is_safe = is_function and known.__module__.startswith(_FUNCTIONS_OF_SKAD)
        return known if is_safe else None
    if home in [f"sklearn.{name}" for name in _FUNCTION_HOMES]:
        known = _exported(home, attribute)
        return known if inspect.isfunction(known) else None
    if home == "torch.optim":
        import torch

        known = vars(torch.optim).get(attribute)
        return known if _is_class(known, torch.optim.Optimizer) else None
    if home == "numpy":
        known = vars(np).get(attribute)
        is_known = isinstance(known, np.ufunc) or _is_class(known, np.generic)
        return known if is_known else None
    types = {cls.__name__: cls for cls in _TYPES if home == "builtins"}
    return types.get(attribute)


def _exported(home, attribute):
    module = importlib.import_module(home)
    return getattr(module, attribute) if attribute in module.__all__ else None


def _is_class(thing, base) -> bool:
    return isinstance(thing, type) and issubclass(thing, base)
