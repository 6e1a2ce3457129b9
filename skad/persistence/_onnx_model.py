"""The ONNX model of an estimator: steps, detector, error model, threshold."""

import json

import numpy as np

from skad._version import __version__
from skad.detectors._linear import LinearAutoencoder
from skad.persistence._onnx_errors import add_errors
from skad.persistence._onnx_graph import Graph, to_bytes
from skad.persistence._onnx_nets import add_net
from skad.persistence._onnx_steps import add_steps, at_most

_FLOAT32_MAX = float(np.finfo(np.float32).max)


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
    X = graph("Where", at_most(graph, X, _FLOAT32_MAX), X, np.float64(np.nan))
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
    errors = add_errors(
        graph, detector.error_model_, residuals, codes, detector.window_length_
    )
    return graph("Neg", errors)
