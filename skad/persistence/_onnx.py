"""Export of a complete decision to ONNX: what can be exported, and the public function.

onnx is imported by `_onnx_model`, once it is known to be installed.
"""

from __future__ import annotations

from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skad._fitting import as_fitted, standard_numbers
from skad._nesting import inside
from skad._validation import check_is_fitted
from skad.detectors._conv import ConvAutoencoder
from skad.detectors._convlstm import ConvLSTMAutoencoder
from skad.detectors._custom import Autoencoder
from skad.detectors._encdec_ad import EncDecAD
from skad.detectors._linear import LinearAutoencoder
from skad.detectors._lstm import LSTMAutoencoder
from skad.detectors._mlp import MLPAutoencoder
from skad.persistence._files import write_atomically
from skad.series._windowed import WindowedDetector
from skad.thresholds._classifier import DetectorClassifier
from skad.thresholds._fixed import FixedThresholdDetector
from skad.thresholds._tuned import TunedThresholdDetector
from skad.training._torch_state import standard_torch

_DETECTORS = (
    LinearAutoencoder,
    MLPAutoencoder,
    ConvAutoencoder,
    ConvLSTMAutoencoder,
    LSTMAutoencoder,
    EncDecAD,
    Autoencoder,
)
_WRAPPERS = (TunedThresholdDetector, FixedThresholdDetector, WindowedDetector)


def to_onnx(estimator: Any, path: str | PathLike[str]) -> Path:
    """Export a fitted detector, or a pipeline that ends in one, as an ONNX model.

    The model makes the estimator's complete decision: it scales, reconstructs, scores
    and compares with the threshold. It runs wherever ONNX does, without Python or
    torch. Needs ``pip install "skad[onnx]"``.

    Parameters
    ----------
    estimator : estimator
        A fitted `LinearAutoencoder`, `MLPAutoencoder`, `ConvAutoencoder`,
        `LSTMAutoencoder`, `ConvLSTMAutoencoder`, `EncDecAD`, or an `Autoencoder` whose
        module torch can trace, with any error model of skad; alone or in a
        `TunedThresholdDetector`, `FixedThresholdDetector`, FrozenEstimator, search, or
        at the end of a Pipeline of StandardScaler, MinMaxScaler, MaxAbsScaler,
        RobustScaler, SimpleImputer and `WindowNormalizer`. A table may be cut to
        windows by `SlidingWindow`, or by `WindowedDetector` with ``aggregate="last"``,
        see Notes.
    path : str or Path
        File to write, usually with the extension ".onnx". An existing file is replaced
        only when the new one is complete.

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
        If the file cannot be written. An existing file stays as it was.

    See Also
    --------
    save : Saves all of an estimator, for `load`.

    Notes
    -----
    Input ``X``, double, of shape (n_windows, window_length * n_channels): raw windows,
    time major, any number of them. Outputs ``score``, double, and ``label``, int64, of
    shape (n_windows,): as `score_samples` and `predict` give them for float64 input.
    Scores agree to about 1e-7 of their size (LSTMs over hundreds of timesteps: 1e-6),
    which is the rounding of nets in float32. Where rounding decides the score itself,
    they agree no better than those of two processors: with a nearly perfect
    reconstruction, or ("hybrid") with codes far closer to each other than to zero.
    LSTMs are computed in float64. skad refuses a window with a value that is missing or
    too large for float32; a graph cannot refuse, and gives it the score NaN and the
    label -1.

    For a table, pass the unscaled rows t - window_length + 1 to t as one window: score
    and label are those of row t, from the window_length-th row on. `WindowedDetector`
    scores row t by this window alone only with ``aggregate="last"``, ``stride=1`` and
    a `level` other than "timestep".

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
    _check_installed("onnx", *["onnxscript"] * isinstance(detector, Autoencoder))
    from skad.persistence._onnx_model import build_model

    path = Path(path)
    with standard_numbers(), standard_torch():
        model = build_model(estimator, steps, detector, threshold)
    write_atomically(path, [model])
    return path


def _check_installed(*packages):
    for package in packages:
        if find_spec(package) is None:
            raise ImportError(
                f'to_onnx needs {package}; install it with pip install "skad[onnx]".'
            )


def _take_apart(estimator):
    """Find the steps before the detector, the detector, and the outermost threshold.

    Steps are pairs of name and step; what cuts windows is among them.
    """
    steps, threshold, layer = [], None, estimator
    while not isinstance(layer := as_fitted(layer), _DETECTORS):
        if isinstance(layer, Pipeline):
            *before, (_, layer) = _flatten(layer.steps)
            steps += before
            continue
        is_known = isinstance(layer, (FrozenEstimator, *_WRAPPERS))
        if not is_known and not hasattr(layer, "best_estimator_"):
            raise _no_export_of(layer)
        if threshold is None:
            threshold = getattr(layer, "offset_", None)
        if isinstance(layer, WindowedDetector):
            _check_windowed(layer)
            steps.append(("", layer))
        layer = inside(layer)
    return steps, layer, layer.offset_ if threshold is None else threshold


def _flatten(steps):
    """Yield steps, and the steps of pipelines among them."""
    for name, step in steps:
        if isinstance(step, Pipeline):
            yield from _flatten(step.steps)
        elif step is not None and step != "passthrough":
            yield name, step


def _check_windowed(detector):
    """Refuse one in which a row is not scored by the window that ends with it."""
    aggregate, stride, level = detector.aggregate, detector.stride, detector.level
    if aggregate != "last" or stride != 1 or level == "timestep":
        raise NotImplementedError(
            f"WindowedDetector with aggregate={aggregate!r}, stride={stride}, level="
            f"{level!r} cannot be exported to ONNX: the score of a row comes from "
            "several windows, or from a part of one. Use aggregate='last', stride=1, "
            "level='window'; or export its `estimator_`, which scores windows and has "
            "its own threshold for them."
        )


def _no_export_of(layer):
    """Make the error for something that cannot be exported."""
    names = [cls.__name__ for cls in (*_DETECTORS, *_WRAPPERS)]
    advice = (
        "Export its `estimator_`, which labels with -1 and +1."
        if isinstance(layer, DetectorClassifier)
        else f"Supported are {', '.join(names)}, and pipelines and searches of them."
    )
    return NotImplementedError(
        f"{type(layer).__name__} cannot be exported to ONNX. {advice}"
    )
