"""A complete decision as an ONNX model: raw windows in, scores and labels out."""

import json
from importlib.util import find_spec
from numbers import Real
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

import skad
from skad._validation import check_is_fitted
from skad.persistence._files import write_atomically

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_FLOAT64_MAX = float(np.finfo(np.float64).max)


def to_onnx(estimator, path):
    """Export a fitted detector, or a pipeline that ends in one, as an ONNX model.

    The model makes the complete decision of the estimator: it scales, reconstructs,
    scores and compares with the threshold. It runs wherever ONNX does, without Python
    or torch. Needs ``pip install "skad[onnx]"``.

    Parameters
    ----------
    estimator : estimator
        A fitted `LinearAutoencoder`, `MLPAutoencoder`, `ConvAutoencoder`,
        `LSTMAutoencoder`, `EncDecAD`, or an `Autoencoder` whose module torch can trace,
        with any error model of skad; alone or in a `TunedThresholdDetector`,
        `FixedThresholdDetector`, FrozenEstimator, search, or at the end of a Pipeline
        of StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler and SimpleImputer.
        A table may be cut to windows by `SlidingWindow`, or by `WindowedDetector` with
        ``aggregate="last"``, see Notes.
    path : str or Path
        File to write, by custom with the ending ".onnx". A file that is there stays
        whole until the new one is complete.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    NotImplementedError
        If a part of it cannot be exported; the message names the part. No file is
        written.
    ImportError
        If onnx (or, for `Autoencoder`, onnxscript) is not installed.
    OSError
        If the file cannot be written. One that was there before stays as it was.

    See Also
    --------
    save : Keeps all of an estimator, to be opened by skad again.

    Notes
    -----
    Input ``X``, double, of shape (n_windows, window_length * n_channels): raw windows,
    time major, any number of them. Outputs ``score``, double, and ``label``, int64, of
    shape (n_windows,): as `score_samples` and `predict` give them for float64 input.
    Scores agree to about 1e-7 of their size (LSTMs over hundreds of timesteps: 1e-6),
    which is the rounding of nets in float32. Where a score itself hangs on rounding,
    they agree no better than those of two processors: with a reconstruction that is
    nearly perfect, or ("hybrid") codes that lie far closer to each other than to zero.
    LSTMs are computed in float64. A window with a value that is missing, or
    too large for float32, is refused by skad; a graph cannot refuse, and gives it the
    score NaN and the label -1.

    Behind a table, one window holds the rows t - window_length + 1 to t, not scaled,
    and score and label are those of row t, as soon as the table has so many rows.
    `WindowedDetector` gives row t a score from this window alone only with
    ``aggregate="last", stride=1`` and not ``level="timestep"``.

    The metadata of the model holds skad's version, the estimator's class,
    window_length, n_channels, threshold and, where they are known, feature_names (a
    JSON list). The opset is 18; an `Autoencoder` may need a newer one.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skad import LinearAutoencoder, make_heartbeats, to_onnx
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = make_pipeline(StandardScaler(), LinearAutoencoder()).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(detector, Path(folder) / "beats.onnx").name
    'beats.onnx'
    """
    check_is_fitted(estimator)
    steps, detector, threshold = _take_apart(estimator)
    _check_installed("onnx", *["onnxscript"] * isinstance(detector, skad.Autoencoder))
    from skad.persistence import _onnx_graph as onnx_graph

    graph = onnx_graph.Graph()
    shape, windows = _add_steps(graph, steps, detector)
    score = _add_score(graph, detector, windows)
    # Not "below, then -1": a comparison with NaN is false.
    is_normal = graph("GreaterOrEqual", score, np.float64(threshold))
    label = graph("Where", is_normal, np.int64(1), np.int64(-1))
    metadata = {
        "skad_version": skad.__version__,
        "estimator": type(estimator).__name__,
        "window_length": str(shape[0]),
        "n_channels": str(shape[1]),
        "threshold": repr(float(threshold)),
    }
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        metadata["feature_names"] = json.dumps(list(map(str, names)))
    content = onnx_graph.to_bytes(graph, shape[0] * shape[1], score, label, metadata)
    path = Path(path)
    write_atomically(path, [content])
    return path


def _check_installed(*packages):
    for package in packages:
        if find_spec(package) is None:
            raise ImportError(
                f'to_onnx needs {package}; install it with pip install "skad[onnx]".'
            )


# Taking apart -------------------------------------------------------------------------


def _take_apart(estimator):
    """Find the steps before the detector, the detector, and the threshold that counts.

    Steps are pairs of name and step; what cuts windows is among them.
    """
    steps, threshold = [], None
    while not isinstance(estimator, _detectors()):
        if isinstance(estimator, Pipeline):
            *before, (_, estimator) = _flatten(estimator)
            steps += before
            continue
        if threshold is None:
            threshold = getattr(estimator, "offset_", None)
        if isinstance(estimator, skad.WindowedDetector):
            _check_windowed(estimator)
            steps.append(("", estimator))
        estimator = _inner(estimator)
    return steps, estimator, estimator.offset_ if threshold is None else threshold


def _flatten(pipeline):
    """Yield the steps of a pipeline, and those of pipelines in it."""
    for name, step in pipeline.steps:
        if isinstance(step, Pipeline):
            yield from _flatten(step)
        elif step is not None and step != "passthrough":
            yield name, step


def _detectors():
    """Detectors that can be exported; named at the call, for torch comes with them."""
    return (
        skad.LinearAutoencoder,
        skad.MLPAutoencoder,
        skad.ConvAutoencoder,
        skad.LSTMAutoencoder,
        skad.EncDecAD,
        skad.Autoencoder,
    )


def _inner(estimator):
    """Look into what stands around a detector and changes no score."""
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    if hasattr(estimator, "best_estimator_"):
        return estimator.best_estimator_
    wrappers = (
        skad.TunedThresholdDetector,
        skad.FixedThresholdDetector,
        skad.WindowedDetector,
    )
    if isinstance(estimator, wrappers):
        return estimator.estimator_
    names = [cls.__name__ for cls in (*_detectors(), *wrappers)]
    advice = (
        "export its `estimator_`, with labels -1 and +1"
        if isinstance(estimator, skad.DetectorClassifier)
        else f"what can are {', '.join(names)}, and pipelines and searches of them"
    )
    raise NotImplementedError(
        f"{type(estimator).__name__} cannot be exported to ONNX; {advice}."
    )


def _check_windowed(detector):
    """Refuse one whose score of a row is not that of the window which ends there."""
    aggregate, stride, level = detector.aggregate, detector.stride, detector.level
    if aggregate != "last" or stride != 1 or level == "timestep":
        raise NotImplementedError(
            f"WindowedDetector with aggregate={aggregate!r}, stride={stride}, level="
            f"{level!r} cannot be exported to ONNX: a row gets its score from several "
            "windows, or from a part of one. Use aggregate='last', stride=1, "
            "level='window'; or export its `estimator_`, which scores windows and has "
            "a threshold for these."
        )


# Steps --------------------------------------------------------------------------------


def _add_steps(graph, steps, detector):
    """Add all steps before the detector; returns the shape of a window, and windows.

    Scalers before the cut learnt from rows of channels, those behind it from windows.
    """
    shape = detector.window_length_, detector.n_channels_
    cuts = (skad.SlidingWindow, skad.WindowedDetector)
    widths = [step.n_features_in_ for _, step in steps if isinstance(step, cuts)]
    if len(widths) > 1:
        raise NotImplementedError(
            "A pipeline that cuts windows twice cannot be exported to ONNX."
        )
    X, flat = "X", np.array([0, detector.n_features_in_])  # 0 leaves n_windows
    if widths:
        shape = detector.n_features_in_ // widths[0], widths[0]
        X = graph("Reshape", X, np.array([0, *shape]))
    for name, step in steps:
        if isinstance(step, cuts):
            X = graph("Reshape", X, flat)
        else:
            X = _add_step(graph, name, step, X)
    return shape, X


def _add_step(graph, name, step, X):
    if type(step) in _STEPS:  # a subclass may do something else
        return _STEPS[type(step)](graph, step, X)
    reason = (
        "it fills a row from the rows before"
        if isinstance(step, skad.TimeSeriesImputer)
        else f"steps that can are {', '.join(cls.__name__ for cls in _STEPS)}"
    )
    raise NotImplementedError(
        f"Step {name!r} of the pipeline, {type(step).__name__}, cannot be exported to "
        f"ONNX: {reason}. Transform windows before they go into the model, and export "
        "the steps behind it, such as pipeline[1:]."
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
    """Clip X, but leave what came in as NaN or infinity, which skad refuses."""
    clipped = graph("Clip", X, _double(least), _double(most))
    return graph("Where", _at_most(graph, raw, _FLOAT64_MAX), clipped, raw)


def _add_simple_imputer(graph, imputer, X):
    fills = _double(imputer.statistics_)
    drops = np.isnan(fills).any()
    if drops or imputer.add_indicator or not _is_nan(imputer.missing_values):
        raise NotImplementedError(
            "SimpleImputer cannot be exported to ONNX with add_indicator=True, where "
            "it drops columns without values, or if missing_values is not NaN."
        )
    return graph("Where", graph("IsNaN", X), fills, X)


def _at_most(graph, X, size):
    """Whether values are no larger than a size, nor missing."""
    return graph("LessOrEqual", graph("Abs", X), np.float64(size))


def _is_nan(value):
    return isinstance(value, Real) and np.isnan(value)


def _double(values):
    """Convert to float64, as which the model computes; others may have learnt less."""
    return np.asarray(values, dtype=np.float64)


_STEPS = {
    StandardScaler: _add_standard_scaler,
    RobustScaler: _add_robust_scaler,
    MinMaxScaler: _add_min_max_scaler,
    MaxAbsScaler: _add_max_abs_scaler,
    SimpleImputer: _add_simple_imputer,
}


# Detector -----------------------------------------------------------------------------


def _add_score(graph, detector, X):
    """Add net, residuals and error model; what skad refuses to read scores NaN."""
    shape = np.array([0, detector.window_length_, detector.n_channels_])
    X = graph("Where", _at_most(graph, X, _FLOAT32_MAX), X, np.float64(np.nan))
    if isinstance(detector, skad.LinearAutoencoder):
        deviation = graph("Sub", X, detector.mean_)
        codes = graph("MatMul", deviation, detector.components_.T)
        spanned = graph("MatMul", codes, detector.components_)
        reconstruction = graph("Add", spanned, detector.mean_)
        residuals = graph("Reshape", graph("Sub", X, reconstruction), shape)
    else:
        from skad.persistence._onnx_nets import add_net

        X = graph("Reshape", X, shape)
        reconstruction, codes = add_net(graph, detector, X)
        residuals = graph("Sub", X, reconstruction)
    model = detector.error_model_
    if type(model) not in _ERRORS:
        names = ", ".join(cls.__name__ for cls in _ERRORS)
        raise NotImplementedError(
            f"The error model {type(model).__name__} cannot be exported to ONNX; those "
            f"that can are {names}."
        )
    add = _ERRORS[type(model)]
    return graph("Neg", add(graph, model, residuals, codes, detector.window_length_))


# Error models: (n_windows, window_length, n_channels) -> (n_windows,) -----------------


def _add_mean_squares(graph, model, residuals, codes, window_length):
    return _mean(graph, graph("Mul", residuals, residuals))


def _add_mean_absolutes(graph, model, residuals, codes, window_length):
    return _mean(graph, graph("Abs", residuals))


def _add_standardized(graph, model, residuals, codes, window_length):
    squares = graph("Mul", residuals, residuals)
    return _mean(graph, graph("Div", squares, model.scale_))


def _mean(graph, X):
    return graph("ReduceMean", X, np.array([1, 2]), keepdims=0)


def _add_mahalanobis(graph, model, residuals, codes, window_length):
    # An error vector is a timestep or a window; -1 could not be told of no windows.
    n_vectors = window_length if model.vector == "timestep" else 1
    vectors = np.array([0, n_vectors, len(model.location_)])
    sizes = graph("Reshape", graph("Abs", residuals), vectors)
    deviation = graph("Sub", sizes, model.location_)
    shares = graph("Mul", graph("MatMul", deviation, model.precision_), deviation)
    sums = graph("ReduceSum", shares, np.array([1, 2]), keepdims=0)
    return graph("Div", sums, np.float64(window_length))


def _add_hybrid(graph, model, residuals, codes, window_length):
    inner = model.residual_errors_
    errors = _ERRORS[type(inner)](graph, inner, residuals, codes, window_length)
    errors = graph("Div", errors, np.float64(model.error_unit_))
    distances = graph(
        "Div", _add_distances(graph, model, codes), np.float64(model.distance_unit_)
    )
    return graph("Add", errors, distances)


def _add_distances(graph, model, codes):
    """Mean distance to the nearest codes, a window's own left out, in float64."""
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
    skad.MeanSquaredErrors: _add_mean_squares,
    skad.MeanAbsoluteErrors: _add_mean_absolutes,
    skad.StandardizedErrors: _add_standardized,
    skad.MahalanobisErrors: _add_mahalanobis,
    skad.HybridErrors: _add_hybrid,
}
