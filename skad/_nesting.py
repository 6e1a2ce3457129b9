"""The way inwards: through pipelines, searches and wrappers to the detector."""

from collections.abc import Iterator
from typing import Any

from sklearn.base import OneToOneFeatureMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from skad._validation import check_is_fitted
from skad._warnings import silently


def layers(estimator) -> Iterator[Any]:
    """Yield an estimator and what it contains, from the outermost to the detector.

    A pipeline contains its last step. A search or a wrapper contains the estimator that
    it has fitted or, before fit, the one that it was given; so does FrozenEstimator.
    """
    while estimator is not None:
        yield estimator
        estimator = inside(estimator)


def inside(estimator) -> Any:
    """Return the next layer, or None for a detector that wraps nothing."""
    if isinstance(estimator, Pipeline):
        return estimator.steps[-1][1]
    if isinstance(estimator, FrozenEstimator):  # has the attributes of what is inside
        return estimator.estimator
    names = ("best_estimator_", "estimator_", "estimator")
    found = (getattr(estimator, name, None) for name in names)
    return next((inner for inner in found if inner is not None), None)


def members(estimator) -> list[Any]:
    """List the detectors of a union: those that it has fitted, or those it was given.

    Empty for anything else.
    """
    return estimator._members() if hasattr(type(estimator), "_members") else []


def core_of(estimator) -> Any:
    """Return the innermost layer, the detector itself."""
    *_, core = layers(estimator)
    return core


def learners(estimator) -> list[str]:
    """Name what a fit of an estimator fits: steps of pipelines, and the detector."""
    found: list[str] = []
    for layer in layers(estimator):
        if isinstance(layer, FrozenEstimator):
            return found
        if isinstance(layer, Pipeline):
            found += _steps_that_learn(layer.steps[:-1])
    return [*found, type(layer).__name__]


def _steps_that_learn(steps) -> list[str]:
    found: list[str] = []
    for _, step in steps:
        if isinstance(step, Pipeline):
            found += _steps_that_learn(step.steps)
        elif not (step is None or isinstance(step, str | FrozenEstimator)):
            found.append(type(step).__name__)
    return found


def find_layer(estimator, attribute) -> Any:
    """Return the outermost layer of a fitted estimator with an attribute."""
    check_is_fitted(estimator)
    for layer in layers(estimator):
        if hasattr(layer, attribute):
            return layer
        refuse_several(layer)
    raise TypeError(
        f"{type(estimator).__name__} has no `{attribute}`, nor has any estimator "
        "inside it."
    )


def refuse_several(estimator) -> None:
    """Refuse to look into what holds a detector for each series."""
    if getattr(estimator, "splits_series", False):
        raise TypeError(
            f"{type(estimator).__name__} holds a detector for each series; take that "
            "of one, from its `estimators_`, with the rows of that series."
        )


def input_of(layer, estimator, X) -> Any:
    """Transform X by all steps of pipelines on the way to a layer.

    A layer that cuts windows is refused: it does not transform X.
    """
    for outer in layers(estimator):
        if outer is layer:
            break
        refuse_several(outer)
        if isinstance(outer, Pipeline):
            X = outer[:-1].transform(X) if len(outer) > 1 else X
        elif hasattr(outer, "window_length"):
            raise TypeError(
                f"{type(outer).__name__} cuts windows itself. Cut them first, and pass "
                "the windows together with its inner detector, `estimator_`."
            )
    return X


def reader_of(estimator) -> Any:
    """Find the step that reads tables, the first of the outermost pipeline, or None.

    Behind it, rows have times and series, sensors are numbers, and there may be fewer
    rows.
    """
    found = (layer for layer in layers(estimator) if isinstance(layer, Pipeline))
    first = next(found, None)
    while isinstance(first, Pipeline):
        first = first.steps[0][1]
    return first if getattr(first, "reads_tables", False) else None


def as_read(estimator, X) -> Any:
    """Return a table as the first step of a fitted pipeline reads it, or as it is."""
    reader = reader_of(estimator)
    return X if reader is None else silently(reader.transform, X)


def explains_channels(estimator) -> bool:
    """Whether a detector inside explains the channels that the estimator takes."""
    for layer in layers(estimator):
        if hasattr(layer, "explain"):
            return True
        if isinstance(layer, Pipeline) and not keeps_channels(layer):
            return False
    return False


def keeps_channels(pipeline) -> bool:
    """Whether the detector at the end of a pipeline sees the channels it is given."""
    before = [step for _, step in pipeline.steps[:-1] if not isinstance(step, str)]
    return all(step is None or _keeps_channels(step) for step in before)


def _keeps_channels(step) -> bool:
    """Whether a step hands on its columns, or others of the same channels."""
    is_one_to_one = isinstance(step, OneToOneFeatureMixin)
    return is_one_to_one or getattr(step, "keeps_channels", False)


def explain_inside(estimator, X) -> Any:
    """Explain rows by the outermost layer that can."""
    layer = find_layer(estimator, "explain")
    return layer.explain(input_of(layer, estimator, X))


def tell_n_channels(estimator, n_channels) -> bool:
    """Set it on all that has it and sees the columns of windows as they are.

    These are the steps of a pipeline up to the first one that changes the columns, and
    what is inside of them. Returns whether a step behind sees the same columns.
    """
    if isinstance(estimator, Pipeline):
        return all(tell_n_channels(step, n_channels) for _, step in estimator.steps)
    if estimator is None or isinstance(estimator, str):  # "passthrough", "drop"
        return True
    if isinstance(estimator, FeatureUnion):
        for _, part in estimator.transformer_list:
            tell_n_channels(part, n_channels)
    elif within := members(estimator):
        for member in within:
            tell_n_channels(member, n_channels)
    elif isinstance(estimator, FrozenEstimator):  # knows it already
        return False
    elif "n_channels" in estimator.get_params(deep=False):
        estimator.set_params(n_channels=n_channels)
    elif (inner := inside(estimator)) is not None:
        tell_n_channels(inner, n_channels)
    return _keeps_channels(estimator)


def parts(estimator) -> list[Any]:
    """List an estimator and the values of all its parameters, at any depth."""
    return [estimator, *estimator.get_params().values()]
