"""Whether normal has moved on since a detector was fitted."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._fitting import as_fitted, with_standard_numbers
from skad._nesting import as_read, input_of, layers
from skad._validation import check_is_fitted
from skad.calibration._drift import DriftReport, sensors_moved, shares_flagged
from skad.calibration._fit import CalibratedThreshold
from skad.calibration._usual import MIN_STRETCHES
from skad.series._explain import channel_names


@with_standard_numbers
def drift_report(
    estimator: Any, X: ArrayLike, *, confidence: float = 0.99
) -> DriftReport:
    """Tell which sensors moved since fit, and whether labels can still be trusted.

    Parameters
    ----------
    estimator : estimator instance
        Fitted detector of skad with ``contamination="auto"``, or a pipeline, search or
        wrapper around one.
    X : array-like of shape (n_timestamps, n_channels)
        Later rows as the estimator takes them, in the order of time; for a detector of
        windows, windows as it takes them, or a table that an earlier step cuts. They
        are compared as a whole: faults among them count as moves, so leave known ones
        out. The more rows, the smaller a move that can be told from chance.
    confidence : float, default=0.99
        Probability with which all intervals hold together where nothing has moved.

    Returns
    -------
    report : DriftReport
        Its `sensors` is a table of how far level, spread and error of every sensor
        moved, `labels_can_be_trusted` a verdict, `reason` a sentence; print it.

    Raises
    ------
    TypeError
        If there is no detector of skad inside that finds its threshold itself.
    ValueError
        If the detector was fitted with a float for `contamination`, on fewer than 8
        windows, or by skad 0.1.0; if `X` does not fit it, holds no whole window or
        missing values; or if `confidence` is not between 0 and 1.

    See Also
    --------
    DriftDisplay : Draws the report.
    recalibrate : A new threshold for a normal that has moved.
    DriftWarning : What `predict` gives by the same rule.

    Notes
    -----
    Rows of fit and of `X` are cut into windows like the detector's, 0.62 of their
    length apart (which sweeps over the phases of cycles), and compared sensor by
    sensor, as they reach the detector:

    - level: mean of `X` minus that of fit, in standard deviations of fit (in units of
      the detector's input for a sensor that stood still);
    - spread: logarithm of the ratio of the mean absolute deviations from the mean of a
      window (for windows of one row: from the level of fit);
    - error: logarithm of the ratio of the mean absolute residuals, of `X` over windows
      of fit that were left out when the threshold was placed. It counts only upwards.
      NaN where the detector has no residuals, as IsolationForest.

    Readings remember those before, so that means wander without any drift. How far is
    learnt in fit from means of 1, 2, 4, ... windows in a row, down to 8 stretches: the
    widest of the intervals that these scales give, by Student's t, is taken, with
    ``(1 - confidence) / (3 * n_channels)`` for each. Cycles longer than an eighth of
    the rows of fit are not known, and look like drift. Other things do not show: what
    changed together, or in time, while level and spread of each sensor stay.

    Of a `PerSeriesDetector`, each series is compared with its own rows of fit. The
    report holds sensors of all of them, named (series, sensor), and counts rows as a
    whole.

    Labels can be trusted while the share of rows flagged is at most ``0.03 + 1.5 /
    n_independent of fit + 1 / n_independent of X``, the rule of `DriftWarning`. Sensors
    may move without that, and labels may fail without a sensor that moved.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skad import LinearAutoencoder, WindowedDetector
    >>> from skad import drift_report, make_sensors
    >>> X, y = make_sensors(4000, n_faults=0, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(),
    ...                          WindowedDetector(LinearAutoencoder(6), 30))
    >>> pipeline = pipeline.set_output(transform="pandas").fit(X[:2000])
    >>> later = X[2000:].copy()
    >>> later["sensor_01"] += 3 * X["sensor_01"].std()
    >>> report = drift_report(pipeline, later)
    >>> report.moved[0], report.labels_can_be_trusted
    ('sensor_01', False)
    """
    if not isinstance(confidence, Real) or not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r}; expected a float in (0, 1).")
    check_is_fitted(estimator)
    detectors = _detectors_for(estimator, X)
    n = len(detectors)  # whose intervals are to hold together
    each = confidence if n == 1 else 1 - (1 - confidence) / n
    found = [_compare(one, rows, each) for _, one, rows in detectors]
    return DriftReport(
        sensors=join_series(
            [name for name, *_ in detectors], [f.sensors for f in found]
        ),
        n_rows=sum(len(one.is_flagged) for one in found),
        n_windows=sum(one.n_windows for one in found),
        confidence=float(confidence),
        **shares_flagged(
            [one.calibration for one in found], [one.is_flagged for one in found]
        ),
    )


class _Compared(NamedTuple):
    """What one detector makes of later rows."""

    sensors: pd.DataFrame
    n_windows: int
    calibration: Any
    is_flagged: NDArray[np.bool_]


def _detectors_for(estimator, X) -> list[tuple[Any, Any, Any]]:
    """List the detectors of the series in X, with names and rows; (None, one, all)."""
    for outer in layers(estimator):
        if hasattr(outer, "_detectors_for"):
            return outer._detectors_for(input_of(outer, estimator, X))
    return [(None, estimator, X)]


def _compare(estimator, X, confidence) -> _Compared:
    layer = calibrated_layer(estimator)
    usual = layer.calibration_.usual
    inner = input_of(layer, estimator, X)
    detector = as_fitted(layer)
    now = detector._read_now(inner)
    is_flagged = np.asarray(detector.decision_function(inner)) < 0
    table = as_read(estimator, X)
    names = _sensor_names(estimator, layer, table, inner, len(usual.units))
    sensors = sensors_moved(usual, now, names, confidence)
    return _Compared(sensors, now.level.n_windows, layer.calibration_, is_flagged)


def join_series(names, tables) -> pd.DataFrame:
    """Join the tables of series, those that moved farthest first."""
    if names == [None]:
        return tables[0]
    joined = pd.concat(
        dict(zip(map(_as_label, names), tables, strict=True)), names=["series"]
    )
    return joined.sort_values("certain", ascending=False, kind="stable")


def _as_label(name) -> Any:
    """One label for a series, whose names in several levels would become several."""
    return str(name) if isinstance(name, tuple) else name


def calibrated_layer(estimator) -> Any:
    """Find the detector that knows what to promise, and what it learnt from."""
    found = [one for one in layers(estimator) if isinstance(one, CalibratedThreshold)]
    if not found:
        raise TypeError(
            f"{type(estimator).__name__} has no detector of skad inside that finds its "
            "threshold itself; put the detector into WindowedDetector, or use one such "
            "as LinearAutoencoder."
        )
    layer = found[0]
    name, calibration = type(layer).__name__, getattr(layer, "calibration_", None)
    if calibration is None:
        raise ValueError(
            f"This {name} was fitted by skad 0.1.0, which did not learn what is usual; "
            "fit it again."
        )
    if calibration.promised is None:
        raise ValueError(
            f"The threshold of this {name} promises nothing that later rows could be "
            "judged by: it was fitted with a float for contamination, or inside a "
            'wrapper that places the threshold. Fit it with contamination="auto", '
            "outside of such a wrapper."
        )
    usual = calibration.usual
    if usual is None or not len(usual.level.variances):
        n_windows = 0 if usual is None else usual.level.n_windows
        raise ValueError(
            f"This {name} knows {n_windows} windows of fit; at least "
            f"{MIN_STRETCHES} are needed to tell drift from chance. Fit it again "
            "on more rows, or with a shorter window."
        )
    return layer


def _sensor_names(estimator, layer, X, inner, n_sensors) -> Any:
    shape = _shape_of_names(layer, n_sensors)
    names = channel_names(estimator, layer, X, inner, shape)
    return pd.RangeIndex(n_sensors) if names is None else names


def _shape_of_names(layer, n_sensors) -> tuple[int, ...]:
    """Shape of what the layer explains: rows of a table, or windows."""
    if hasattr(layer, "window_length_"):
        return 1, layer.window_length_, n_sensors
    return 1, n_sensors
