"""The ONNX model of an estimator: steps, detector, error model, threshold."""

import json

import numpy as np

from skad._fitting import as_fitted
from skad._version import __version__
from skad.detectors._linear import LinearAutoencoder
from skad.error_models._models import (
    HybridErrors,
    MahalanobisErrors,
    MeanAbsoluteErrors,
    MeanSquaredErrors,
    RootMeanSquaredErrors,
    StandardizedErrors,
)
from skad.persistence._onnx_graph import Graph, to_bytes
from skad.persistence._onnx_nets import add_net
from skad.persistence._onnx_steps import add_steps, refuse


def build_model(estimator, steps, detector, threshold) -> bytes:
    """Build the model of an estimator, which has been taken apart."""
    graph = Graph()
    shape, windows = add_steps(graph, steps, detector)
    score = _add_score(graph, detector, windows)
    # Not "below, then -1": a comparison with NaN is false.
    is_normal = graph("GreaterOrEqual", score, np.float64(threshold))
    label = graph("Where", is_normal, np.int64(1), np.int64(-1))
    metadata = {
        "skad_version": __version__,
        "estimator": type(estimator).__name__,
        "window_length": str(shape[0]),
        "n_channels": str(shape[1]),
        "threshold": repr(float(threshold)),
    }
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        metadata["feature_names"] = json.dumps(list(map(str, names)))
    return to_bytes(graph, shape[0] * shape[1], score, label, metadata)


def _add_score(graph, detector, X):
    """Add net, residuals and error model; windows that skad refuses score NaN."""
    shape = np.array([0, detector.window_length_, detector.n_channels_])
    X = refuse(graph, X)
    if isinstance(detector, LinearAutoencoder):
        deviation = graph("Sub", X, detector.mean_)
        codes = graph("MatMul", deviation, detector.components_.T)
        spanned = graph("MatMul", codes, detector.components_)
        reconstruction = graph("Add", spanned, detector.mean_)
        residuals = graph("Reshape", graph("Sub", X, reconstruction), shape)
    else:
        X = graph("Reshape", X, shape)
        reconstruction, codes = add_net(graph, detector, X)
        residuals = graph("Sub", X, reconstruction)
    model, length = detector.error_model_, detector.window_length_
    return graph("Neg", _add_errors(graph, model, residuals, codes, length))


# Error models -------------------------------------------------------------------------


def _add_errors(graph, model, residuals, codes, window_length):
    """Add an error model, (n_windows, window_length, n_channels) -> (n_windows,)."""
    model = as_fitted(model)
    if type(model) not in _ERRORS:  # a subclass may do something else
        names = ", ".join(cls.__name__ for cls in _ERRORS)
        raise NotImplementedError(
            f"The error model {type(model).__name__} cannot be exported to ONNX. "
            f"Supported are {names}."
        )
    return _ERRORS[type(model)](graph, model, residuals, codes, window_length)


def _add_mean_squares(graph, model, residuals, codes, window_length):
    return _mean(graph, graph("Mul", residuals, residuals))


def _add_root_mean_squares(graph, model, residuals, codes, window_length):
    return graph("Sqrt", _mean(graph, graph("Mul", residuals, residuals)))


def _add_mean_absolutes(graph, model, residuals, codes, window_length):
    return _mean(graph, graph("Abs", residuals))


def _add_standardized(graph, model, residuals, codes, window_length):
    squares = graph("Mul", residuals, residuals)
    return _mean(graph, graph("Div", squares, model.scale_))


def _mean(graph, X):
    return graph("ReduceMean", X, np.array([1, 2]), keepdims=0)


def _add_mahalanobis(graph, model, residuals, codes, window_length):
    # An error vector is a timestep or a window. Their number is given, for ONNX cannot
    # infer it (-1) from no windows.
    n_vectors = window_length if model.vector == "timestep" else 1
    vectors = np.array([0, n_vectors, len(model.location_)])
    sizes = graph("Reshape", graph("Abs", residuals), vectors)
    deviation = graph("Sub", sizes, model.location_)
    shares = graph("Mul", graph("MatMul", deviation, model.precision_), deviation)
    sums = graph("ReduceSum", shares, np.array([1, 2]), keepdims=0)
    return graph("Div", sums, np.float64(window_length))


def _add_hybrid(graph, model, residuals, codes, window_length):
    inner = model.residual_errors_
    errors = _add_errors(graph, inner, residuals, codes, window_length)
    errors = graph("Div", errors, np.float64(model.error_unit_))
    distances = _add_distances(graph, model, codes)
    distances = graph("Div", distances, np.float64(model.distance_unit_))
    return graph("Add", errors, distances)


def _add_distances(graph, model, codes):
    """Add the mean distance to the nearest codes but a window's own, in float64."""
    codes = graph("Div", graph("Sub", codes, model.code_means_), model.code_units_)
    bank, last = model.codes_, np.array([1])
    lengths = graph("ReduceSum", graph("Mul", codes, codes), last, keepdims=1)
    products = graph("MatMul", codes, -2 * bank.T)
    squares = graph("Add", products, np.vecdot(bank, bank))
    n = min(model.n_neighbors, len(bank) - 1)
    nearest, _ = graph("TopK", squares, np.array([n + 1]), n_outputs=2, largest=0)
    squares = graph("Add", nearest, lengths)  # ascending
    least = graph("Slice", squares, np.array([0]), np.array([1]), last)
    own = graph("Mul", graph("Add", lengths, 1.0), model.own_distance_**2)
    squares = graph(
        "Where",
        graph("LessOrEqual", least, own),
        graph("Slice", squares, np.array([1]), np.array([n + 1]), last),
        graph("Slice", squares, np.array([0]), np.array([n]), last),
    )
    distances = graph("Sqrt", graph("Max", squares, 0.0))
    return graph("ReduceMean", distances, last, keepdims=0)


_ERRORS = {
    MeanSquaredErrors: _add_mean_squares,
    RootMeanSquaredErrors: _add_root_mean_squares,
    MeanAbsoluteErrors: _add_mean_absolutes,
    StandardizedErrors: _add_standardized,
    MahalanobisErrors: _add_mahalanobis,
    HybridErrors: _add_hybrid,
}
