"""The names in a model file, and the table of what may be built from them.

A name is looked up in the tables below; nothing is imported because a file names it. In
files, public classes go by their public names, and private ones by a name given here,
so that they can move within their packages.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

# How a file uses a name: as the class of an object, or as a value itself.
OBJECT, ITSELF = "object", "itself"

# The net of a detector: the one class that needs torch, and that is checked for itself.
NET = "skad.ReconstructionNet"


def _is_subclass(thing, base) -> bool:
    return inspect.isclass(thing) and issubclass(thing, base)


def _is_estimator(thing) -> bool:
    return _is_subclass(thing, BaseEstimator)


def _is_computation(thing) -> bool:
    """Whether this is a function of skad that only computes."""
    modules = ("skad.metrics.", "skad.series._events", "skad.series._explain")
    return inspect.isfunction(thing) and thing.__module__.startswith(modules)


def _is_optimizer(thing) -> bool:
    import torch

    return _is_subclass(thing, torch.optim.Optimizer)


def _is_ufunc_or_scalar_type(thing) -> bool:
    return _is_subclass(thing, np.generic) or isinstance(thing, np.ufunc)


def _is_parameter_type(thing) -> bool:
    """Whether estimators take this type as a parameter, such as ``dtype=float``."""
    return inspect.isclass(thing) and thing in (bool, int, float, str, object)


def _place(cls):
    return f"{cls.__module__}:{cls.__name__}"


# Modules of scikit-learn with steps around a detector.
_MODULES_OF_STEPS = (
    *("compose", "covariance", "decomposition", "ensemble", "feature_selection"),
    *("frozen", "impute", "kernel_approximation", "linear_model", "mixture"),
    *("neighbors", "pipeline", "preprocessing", "random_projection", "svm", "tree"),
)

# What may be built of what is public: use -> module -> which of its exports. Of
# scikit-learn these are steps, splitters and metrics. It has functions that download
# and read files, too; none of them is here.
_PUBLIC: dict[str, dict[str, Callable[[Any], bool]]] = {
    OBJECT: {
        "skad": _is_estimator,
        **{f"sklearn.{module}": _is_estimator for module in _MODULES_OF_STEPS},
        "sklearn.model_selection": inspect.isclass,
    },
    ITSELF: {
        "skad": _is_computation,
        "sklearn.feature_selection": inspect.isfunction,
        "sklearn.metrics": inspect.isfunction,
        "torch.optim": _is_optimizer,
        "numpy": _is_ufunc_or_scalar_type,
        "builtins": _is_parameter_type,
    },
}

# What may be built of what is private: use -> name in files -> where it is.
_PRIVATE: dict[str, dict[str, str]] = {
    OBJECT: {
        NET: "skad.training._net:ReconstructionNet",
        "skad.ImputerTail": "skad.series._imputer:_Tail",
        "skad.OutlierMetric": "skad.metrics._scorers:_OutlierMetric",
        "sklearn.Scorer": _place(type(metrics.make_scorer(metrics.accuracy_score))),
        "sklearn.MetadataRequest": _place(MetadataRequest),
        "sklearn.MethodMetadataRequest": _place(type(MetadataRequest("").fit)),
    },
    ITSELF: {
        "skad.BatchIterator": "skad.training._batches:BatchIterator",
        "skad.ReconstructionLoss": "skad.training._losses:ReconstructionLoss",
        "skad.Dataset": "skorch.dataset:Dataset",
        "skad.MLPModule": "skad.detectors._mlp:MLPModule",
        "skad.MLPWithLinearPath": "skad.detectors._mlp:mlp_with_linear_path",
        "skad.ConvModule": "skad.detectors._conv:ConvModule",
        "skad.ConvWithLinearPath": "skad.detectors._conv:conv_with_linear_path",
        "skad.LSTMModule": "skad.detectors._lstm:LSTMModule",
        "skad.LSTMWithLinearPath": "skad.detectors._lstm:lstm_with_linear_path",
    },
}
_PRIVATE_NAMES = {
    place: name for names in _PRIVATE.values() for name, place in names.items()
}

# What is built only if it is trusted: compiled code of scikit-learn reads the arrays of
# these fitted models without checks, and beyond their ends if a file is crafted. Trees
# and forests are held back by the class of their nodes.
UNCHECKED = {
    "sklearn.decomposition.DictionaryLearning",
    "sklearn.decomposition.LatentDirichletAllocation",
    "sklearn.decomposition.MiniBatchDictionaryLearning",
    "sklearn.decomposition.MiniBatchNMF",
    "sklearn.decomposition.NMF",
    "sklearn.decomposition.SparseCoder",
    "sklearn.neighbors.KNeighborsClassifier",
    "sklearn.neighbors.RadiusNeighborsClassifier",
    "sklearn.svm.NuSVC",
    "sklearn.svm.NuSVR",
    "sklearn.svm.OneClassSVM",
    "sklearn.svm.SVC",
    "sklearn.svm.SVR",
    "sklearn.tree._tree.Tree",
}


def is_estimator_of_skad(name: str) -> bool:
    """Whether an allowed name of an object is that of a public estimator of skad."""
    return name.rpartition(".")[0] == "skad" and name not in _PRIVATE[OBJECT]


def opens_pickles(name: str, state: dict) -> bool:
    """Whether an object has a `memory`: a folder of pickles, which `fit` would open."""
    return name.startswith("sklearn.") and state.get("memory") is not None


def _find(name, use) -> Any:
    """Find what the tables allow under a name, None for nothing."""
    if name in _PRIVATE[use]:
        return pkgutil.resolve_name(_PRIVATE[use][name])
    home, _, attribute = name.rpartition(".")
    is_allowed = _PUBLIC[use].get(home)
    if is_allowed is None:
        return None
    module = importlib.import_module(home)
    # numpy's `__all__` lists modules, too, which getattr would import.
    has_all = home.startswith(("skad", "sklearn."))
    if attribute not in (module.__all__ if has_all else vars(module)):
        return None
    found = getattr(module, attribute)
    return found if is_allowed(found) else None


def name_of(thing: Any) -> str:
    """Name a class or function as files do, if it can be found again by its name."""
    attribute = getattr(thing, "__name__", "")
    module = getattr(thing, "__module__", None) or ""
    place = f"{module}:{attribute}"
    if place in _PRIVATE_NAMES:
        return _PRIVATE_NAMES[place]
    name = f"{_public_module(module)}.{attribute}"
    if any(_find(name, use) is thing for use in (OBJECT, ITSELF)):
        return name
    return _importable_name(thing)


def _public_module(module) -> str:
    """Guess the module in `_PUBLIC` that exports what is defined in another one."""
    package, *inside = module.split(".")
    if package == "sklearn":
        return ".".join([package, *inside[:1]])
    homes = {"skad": "skad", "torch": "torch.optim", "builtins": "builtins"}
    return homes.get(package, "numpy")  # not every ufunc has a module


def _importable_name(thing) -> str:
    name = f"{thing.__module__}.{getattr(thing, '__qualname__', thing.__name__)}"
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if found is not thing:
        raise ValueError(
            f"{thing!r} cannot be saved: importing {name} does not give it back. "
            "Define it at the top level of a module."
        )
    return name


class Names:
    """The names that a file may use: those of the tables, and the trusted ones.

    `trusted` holds names, or the classes and functions themselves.
    """

    def __init__(self, trusted: Iterable[str | Callable[..., Any]] = ()):
        if isinstance(trusted, str | type | bool):
            raise TypeError(
                "trusted must be a list of classes, functions or their names; got "
                f"{trusted!r}."
            )
        self._trusted = {
            item if isinstance(item, str) else name_of(item): item for item in trusted
        }

    def is_trusted(self, name: str) -> bool:
        """Whether the reader of the file trusts this name."""
        return name in self._trusted

    def allows(self, name: str, use: str) -> bool:
        """Whether a file may use a name in this way."""
        is_safe = name not in UNCHECKED and _find(name, use) is not None
        return is_safe or self.is_trusted(name)

    def look_up(self, name: str, use: str) -> Any:
        """Find what an allowed name stands for."""
        found = _find(name, use)
        if found is not None or not self.is_trusted(name):
            return found
        item = self._trusted[name]
        return pkgutil.resolve_name(item) if isinstance(item, str) else item
