"""What the objects in a file may be made of: types and limits of their attributes.

Parameters are held to what their class itself accepts: the constraints that
scikit-learn and skad declare for every estimator, and check at `fit`.
"""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from numbers import Number
from reprlib import repr as shown
from typing import Any

import numpy as np
import pandas as pd

from skad._validation import HasMethods, Hidden, validate_parameter_constraints
from skad.calibration._usual import UsualReadings, WindowMeans
from skad.persistence._names import IMPUTER_TAIL, NET, PRIVATE_OBJECTS, REFERENCE
from skad.persistence._plans import DistributionPlan, Plan, class_of
from skad.series._table_report import TableReport

_MAX_WORKERS = 1024
_TIMES = (Number, np.generic, pd.Timestamp, pd.Timedelta)
_NEVER_KEPT = {"_skl_callbacks", "_skl_callbacks_to_teardown", "_parent_callback_ctx"}
_RESPONSES = {"predict", "predict_proba", "decision_function", "score_samples"}


def check_set_later(name: str, value: Any) -> None:
    """Check what a parameter of this name is set to, now or later.

    A search sets parameters by what stands in its grid, a pipeline hands them on, so
    that the last part of a name counts wherever it stands.
    """
    is_wrong, reason = SET_LATER[name]
    if any(is_wrong(leaf) or _hides_values(leaf) for leaf in _leaves(value)):
        raise ValueError(f"{name}={shown(value)} {reason}")


def _hides_values(leaf):
    """Whether a search could draw values from it: a distribution, an ensemble.

    An imputer's dict may well have a series of such a name.
    """
    is_object = isinstance(leaf, Plan) and leaf.name != IMPUTER_TAIL
    return is_object or isinstance(leaf, DistributionPlan)


def _holds_text(leaf):
    return isinstance(leaf, str) or (
        isinstance(leaf, np.ndarray) and leaf.dtype.kind in "US"
    )


def _is_true(leaf):
    return isinstance(leaf, Number | str) and bool(leaf)


def _exceeds(limit):
    def is_wrong(leaf):
        if isinstance(leaf, np.ndarray):
            return leaf.size > 1000 or any(
                is_wrong(n) for n in leaf.reshape(-1).tolist()
            )
        is_number = isinstance(leaf, Number) and not isinstance(leaf, bool)
        return is_number and not -limit <= leaf <= limit

    return is_wrong


SET_LATER = {
    "memory": (_holds_text, "names a folder of pickles, which `fit` would open"),
    "n_jobs": (_exceeds(_MAX_WORKERS), f"is more than {_MAX_WORKERS} processes"),
    "num_workers": (_exceeds(0), "would start processes"),
    "compile": (_is_true, "would start a compiler"),
}


def _leaves(value):
    """Yield what lists, tuples, sets, dicts and object arrays hold at any depth."""
    if isinstance(value, dict):
        value = value.values()
    elif isinstance(value, np.ndarray) and value.dtype == object:
        value = np.ma.getdata(value).reshape(-1).tolist()  # what a mask hides, too
    elif isinstance(value, range):
        value = (value.start, value.stop)
    elif not isinstance(value, list | tuple | set):
        yield value
        return
    for item in value:
        yield from _leaves(item)


@cache
def defaults_of(cls: type) -> dict[str, Any]:
    """Parameters of a constructor that have a default."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is not parameter.empty
    }


def is_of_skad(name: str) -> bool:
    """Whether a name is that of a public estimator of skad."""
    return name.startswith("skad.") and name not in PRIVATE_OBJECTS


def cost_of(cls: type, state: dict) -> int:
    """Bytes that an object takes beside the values in it."""
    if cls.__name__ == "ReconstructionNet":
        return 30_000  # torch's modules and skorch's callbacks, however small it is
    n_defaults = 30 if cls.__module__.startswith("skad.") else 0
    return 600 + 100 * (len(state) + n_defaults)


def check_object(name: str, cls: type, state: dict[str, Any]) -> None:
    """Check the attributes of an object of the table."""
    if name == NET:
        from skad.persistence._nets import check_net

        check_net(state)
    elif name == REFERENCE:
        _check_reference(state)
    elif name in _FIELDS:
        _check_fields(name, state, _FIELDS[name])
    elif name in PRIVATE_OBJECTS:
        raise ValueError(f"{name} is not made of attributes")
    else:
        _check_estimator(name, cls, state)


def check_random_state(state: dict[str, Any]) -> None:
    """Check the state of a RandomState, whose own check believes any position."""
    inner = state.get("state")
    keys = {"bit_generator", "state", "has_gauss", "gauss"}
    if (
        state.keys() != keys
        or not isinstance(inner, dict)
        or inner.keys() != {"key", "pos"}
        or state["bit_generator"] != "MT19937"
        or state["has_gauss"] not in (0, 1)
        or not isinstance(state["gauss"], float)
    ):
        raise ValueError(f"a RandomState has the state {shown(state)}")
    numbers, position = inner["key"], inner["pos"]
    if getattr(numbers, "dtype", None) != np.uint32 or numbers.shape != (624,):
        raise ValueError(f"a RandomState has the numbers {shown(numbers)}")
    if type(position) is not int or not 0 <= position <= len(numbers):
        raise ValueError(f"a RandomState is at position {shown(position)} of 624")


def check_tail(values: Any, ages: Any, time: Any) -> None:
    """Check how series of an imputer end: values, their ages, and times.

    Files of 0.1.0 have one for each series, later ones one for all, in rows.
    """
    arrays = [a for a in (values, ages) if isinstance(a, np.ndarray)]
    if (
        len(arrays) < 2
        or any(a.dtype.kind not in "iuf" or a.ndim not in (1, 2) for a in arrays)
        or values.shape != ages.shape
        or not (time is None or _are_times(time, values))
    ):
        raise ValueError("the end of a series is no values, ages and time")


def _are_times(time, values) -> bool:
    """Whether there is a time for each row of values, or one for the only row."""
    if values.ndim == 1:
        return isinstance(time, _TIMES)
    is_array = isinstance(time, np.ndarray) and time.dtype.kind in "iufmM"
    return is_array and time.shape == values.shape[:1]


def _check_reference(state):
    """Check that what explains errors is made of arrays of numbers that fit."""
    letters = {
        "mean": "lc",
        "units": "c",
        "components": "klc",
        "shrinkage": "k",
        "codes": "nk",
        "usual_residuals": "c",
        "usual_distances": "c",
        "largest_distances": "c",
    }
    sizes: dict[str, int] = {}
    for name, axes in letters.items():
        array = state.get(name)
        dtype = np.float32 if name == "codes" else np.float64
        is_right = isinstance(array, np.ndarray) and array.dtype == dtype
        if not is_right or array.ndim != len(axes):
            raise ValueError(f"a reference has {name}={shown(array)}")
        for axis, size in zip(axes, array.shape, strict=True):
            if size == 0 or sizes.setdefault(axis, size) != size:
                raise ValueError(f"a reference has {name} of shape {array.shape}")
    if state.keys() != letters.keys():
        raise ValueError(f"a reference has {sorted(state.keys() - letters.keys())}")


def _check_estimator(name, cls, state):
    parameters = inspect.signature(cls).parameters
    if lacking := parameters.keys() - state.keys() - defaults_of(cls).keys():
        raise ValueError(f"{name} lacks the parameters {sorted(lacking)}")
    for key, value in state.items():
        if key in parameters:
            _check_parameter(cls, key, value)
        elif key == "_fit_params_":  # what `fit` was told, and is no longer set
            if not isinstance(value, dict) or not value.keys() <= parameters.keys():
                raise ValueError(f"{name} was not told {shown(value)}")
            for told in value:
                _check_parameter(cls, told, value[told])
        elif key.startswith("__") or hasattr(cls, key) or key in _NEVER_KEPT:
            raise ValueError(f"{name} keeps no attribute {key!r}")


def _check_parameter(cls, name, value):
    constraints = getattr(cls, "_parameter_constraints", {}).get(name)
    if constraints is None or isinstance(constraints, str):  # "no_validation"
        return
    made = class_of(value)
    if made is not None:
        if not any(_accepts(constraint, made) for constraint in constraints):
            raise ValueError(f"{name} of {cls.__name__} cannot be a {made.__name__}")
        return
    validate_parameter_constraints({name: constraints}, {name: value}, cls.__name__)


def _accepts(constraint, cls):
    """Whether a constraint is satisfied by objects of a class."""
    if isinstance(constraint, Hidden):
        constraint = constraint.constraint
    if isinstance(constraint, HasMethods):  # or has those of what is inside
        return constraint.is_satisfied_by(cls) or hasattr(cls, "__getattr__")
    if isinstance(constraint, type):
        return issubclass(cls, constraint)
    if constraint == "cv_object":
        return HasMethods(["split", "get_n_splits"]).is_satisfied_by(cls)
    if constraint == "random_state":
        return cls is np.random.RandomState
    return constraint is callable and hasattr(cls, "__call__")  # noqa: B004, a class is


def _check_fields(name, state, fields):
    for key, value in state.items():
        if key not in fields or not fields[key](value):
            raise ValueError(f"{name} has {key}={shown(value)}, which it cannot have")
    if name == "skad.OutlierMetric":
        expected = f"outlier_{getattr(state.get('metric'), '__name__', '')}"
        if state.get("__name__") != expected:
            raise ValueError(f"{name} is called {shown(state.get('__name__'))}")


def is_plain(value: Any) -> bool:
    """Whether a value is None, a number, text, array, or lists or dicts of them."""
    return all(
        leaf is None or isinstance(leaf, str | Number | np.bool_ | np.ndarray)
        for leaf in _leaves(value)
    )


def is_number(value: Any) -> bool:
    """Whether a value is a number, of Python or numpy."""
    return isinstance(value, Number) and not isinstance(value, complex)


def _is_text(value):
    return isinstance(value, str)


def _is_owner(value):
    return isinstance(value, str) or class_of(value) is not None


def _is_function(value):
    return callable(value) or class_of(value) is not None


def _is_number(value):
    return isinstance(value, Number) and not isinstance(value, bool)


def _is_number_or_none(value):
    return value is None or _is_number(value)


def is_pair(value: Any) -> bool:
    """Whether a value is a tuple of two numbers."""
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))


def _is_requests(value):
    return isinstance(value, dict) and is_plain(value)


def _is_means(value):
    return class_of(value) is WindowMeans


def _is_floats(value):
    return isinstance(value, np.ndarray) and value.dtype == np.float64


_METHODS: dict[str, Callable[[Any], bool]] = {
    method: lambda value: class_of(value) is not None
    for method in (
        *("fit", "partial_fit", "predict", "predict_proba", "predict_log_proba"),
        *("decision_function", "score", "split", "transform", "inverse_transform"),
        "fit_resample",  # added by imbalanced-learn, once it is imported
    )
}
_FIELDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "sklearn.Scorer": {
        "_score_func": _is_function,
        "_sign": lambda value: value in (1, -1),
        "_kwargs": lambda value: isinstance(value, dict) and is_plain(value),
        "_response_method": lambda value: _RESPONSES.issuperset(
            [value] if isinstance(value, str) else value
        ),
        "_metadata_request": lambda value: class_of(value) is not None,
    },
    "sklearn.Splits": {"cv": lambda value: isinstance(value, list) and is_plain(value)},
    "sklearn.PassthroughScorer": {
        "_estimator": lambda value: class_of(value) is not None,
        "_metadata_request": lambda value: class_of(value) is not None,
    },
    "sklearn.MetadataRequest": {"owner": _is_owner, **_METHODS},
    "sklearn.MethodMetadataRequest": {
        "owner": _is_owner,
        "method": _is_text,
        "_requests": _is_requests,
    },
    "skad.Calibration": {
        "source": _is_text,
        "n_scores": _is_number,
        "threshold": _is_number,
        "promised": _is_number_or_none,
        "reach": _is_number,
        "learnt_flagged": _is_number_or_none,
        "block_thresholds": lambda value: (
            isinstance(value, list) and all(map(_is_number, value))
        ),
        "odd_stretches": lambda value: (
            isinstance(value, list) and all(map(is_pair, value))
        ),
        "refitted": lambda value: isinstance(value, list) and all(map(_is_text, value)),
        "disagreement": _is_number_or_none,
        "usual": lambda value: value is None or class_of(value) is UsualReadings,
    },
    "skad.UsualReadings": {
        "level": _is_means,
        "spread": _is_means,
        "error": lambda value: value is None or _is_means(value),
        "units": _is_floats,
    },
    "skad.TableReport": {field.name: is_plain for field in fields(TableReport)},
    "skad.FeatureErrors": {},
    "skad.NearestRows": {
        "rows": lambda value: _is_floats(value) and value.ndim == 2 and value.size > 0
    },
    "skad.WindowMeans": {
        "n_windows": _is_number,
        "mean": _is_floats,
        "variances": _is_floats,
    },
    "skad.OutlierMetric": {
        "metric": callable,
        "response": lambda value: value in ("score", "predict"),
        "__name__": _is_text,
    },
}
_FIELDS["skad.OutlierScorer"] = _FIELDS["sklearn.Scorer"]
_FIELDS["sklearn.CurveScorer"] = _FIELDS["sklearn.Scorer"] | {"_thresholds": is_plain}
