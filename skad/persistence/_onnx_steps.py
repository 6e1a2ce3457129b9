"""What comes before a detector, as ONNX operators: scalers, imputer, windows."""

from numbers import Real

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from skad._fitting import as_fitted
from skad.features._normalizer import WindowNormalizer
from skad.series._imputer import TimeSeriesImputer
from skad.series._windowed import WindowedDetector
from skad.series._windows import SlidingWindow

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_FLOAT64_MAX = float(np.finfo(np.float64).max)
_CUTS = (SlidingWindow, WindowedDetector)


def add_steps(graph, steps, detector) -> tuple[tuple[int, int], str]:
    """Add all steps before the detector; returns the shape of a window, and windows.

    Scalers before the cut have learnt from rows of channels, those after it from
    windows.
    """
    shape = detector.window_length_, detector.n_channels_
    widths = [step.n_features_in_ for _, step in steps if isinstance(step, _CUTS)]
    if len(widths) > 1:
        raise NotImplementedError(
            "A pipeline that cuts windows twice cannot be exported to ONNX. Use one "
            "SlidingWindow or WindowedDetector."
        )
    X, flat = "X", np.array([0, detector.n_features_in_])  # 0 keeps n_windows
    if widths:
        shape = detector.n_features_in_ // widths[0], widths[0]
        X = graph("Reshape", X, np.array([0, *shape]))
    for name, step in steps:
        if isinstance(step, _CUTS):
            X = graph("Reshape", X, flat)
        else:
            X = _add_step(graph, name, step, X)
    return shape, X


def _add_step(graph, name, step, X):
    if type(step) in _STEPS:  # a subclass may do something else
        return _STEPS[type(step)](graph, step, X)
    reason = (
        "it fills a row from the rows before"
        if isinstance(step, TimeSeriesImputer)
        else f"supported are {', '.join(cls.__name__ for cls in _STEPS)}"
    )
    raise NotImplementedError(
        f"Step {name!r} of the pipeline, {type(step).__name__}, cannot be exported to "
        f"ONNX: {reason}. Export the steps after it, such as pipeline[1:], and "
        "transform windows before they go into the model."
    )


def _add_standard_scaler(graph, scaler, X):
    X = graph("Sub", X, _double(scaler.mean_)) if scaler.with_mean else X
    return graph("Div", X, _double(scaler.scale_)) if scaler.with_std else X


def _add_robust_scaler(graph, scaler, X):
    X = graph("Sub", X, _double(scaler.center_)) if scaler.with_centering else X
    return graph("Div", X, _double(scaler.scale_)) if scaler.with_scaling else X


def _add_min_max_scaler(graph, scaler, raw):
    X = graph("Mul", raw, _double(scaler.scale_))
    X = graph("Add", X, _double(scaler.min_))
    return _clip(graph, X, raw, *scaler.feature_range) if scaler.clip else X


def _add_max_abs_scaler(graph, scaler, raw):
    X = graph("Div", raw, _double(scaler.scale_))
    return _clip(graph, X, raw, -1, 1) if scaler.clip else X


def _clip(graph, X, raw, least, most):
    """Clip X, but keep NaN and infinity, which skad refuses, as they came in."""
    clipped = graph("Clip", X, _double(least), _double(most))
    return graph("Where", at_most(graph, raw, _FLOAT64_MAX), clipped, raw)


def _add_simple_imputer(graph, imputer, X):
    fills = _double(imputer.statistics_)
    drops = np.isnan(fills).any()
    if drops or imputer.add_indicator or not _is_nan(imputer.missing_values):
        raise NotImplementedError(
            "SimpleImputer cannot be exported to ONNX with add_indicator=True, if it "
            "drops columns without values, or if missing_values is not NaN."
        )
    return graph("Where", graph("IsNaN", X), fills, X)


def _add_window_normalizer(graph, normalizer, X):
    to_values = np.eye(normalizer.n_channels_)
    to_values = np.tile(to_values, (1, normalizer.window_length_))
    to_means = to_values.T / normalizer.window_length_

    def means(values):
        return graph("MatMul", graph("MatMul", values, to_means), to_values)

    X = refuse(graph, X)
    deviations = graph("Sub", X, means(X))
    variances = means(graph("Mul", deviations, deviations))
    floor = _double(as_fitted(normalizer).floor ** 2)
    return graph("Div", deviations, graph("Sqrt", graph("Add", variances, floor)))


def refuse(graph, X) -> str:
    """Add what makes values NaN that skad refuses."""
    return graph("Where", at_most(graph, X, _FLOAT32_MAX), X, np.float64(np.nan))


def at_most(graph, X, size) -> str:
    """Add the test whether values are neither larger than a size nor missing."""
    return graph("LessOrEqual", graph("Abs", X), np.float64(size))


def _is_nan(value):
    return isinstance(value, Real) and np.isnan(value)


def _double(values):
    """Convert to float64, the dtype of the model; a scaler may have learnt float32."""
    return np.asarray(values, dtype=np.float64)


_STEPS = {
    StandardScaler: _add_standard_scaler,
    RobustScaler: _add_robust_scaler,
    MinMaxScaler: _add_min_max_scaler,
    MaxAbsScaler: _add_max_abs_scaler,
    SimpleImputer: _add_simple_imputer,
    WindowNormalizer: _add_window_normalizer,
}
