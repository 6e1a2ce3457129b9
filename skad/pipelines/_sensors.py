"""The front door for tables of sensors."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import timedelta
from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skad._fitting import with_standard_numbers
from skad._nesting import layers
from skad.detectors._linear import LinearAutoencoder
from skad.detectors._locally_linear import LocallyLinearAutoencoder
from skad.features._normalizer import WindowNormalizer
from skad.features._summary import WindowSummary
from skad.series._imputer import TimeSeriesImputer
from skad.series._length import WindowLength, read_duration
from skad.series._reader import TableReader
from skad.series._union import DetectorUnion
from skad.series._windowed import WindowedDetector

# Chosen on SKAB, discords, UCR and the field tables, see docs/measured/quality.md.
_UNITS: dict[str, Literal["std", "rms", "gain"]] = {
    "nearest": "rms",
    "half_shape": "gain",
    "shape": "gain",
    "double_shape": "gain",
}


@with_standard_numbers
def sensor_pipeline(
    detector: Any = None,
    *,
    time: Hashable | list[Hashable] | None = None,
    series: Hashable | list[Hashable] | None = None,
    missing: Any = (),
    dayfirst: bool | None = None,
    long: Sequence[Hashable] | None = None,
    every: str | timedelta | np.timedelta64 | float | None = None,
    window: WindowLength = "auto",
    contamination: Literal["auto"] | float = "auto",
    normal_label: Any = None,
    n_jobs: int | None = None,
) -> Pipeline:
    """Make a pipeline from a raw table to labels: reader, imputer, scaler, detector.

    Parameters
    ----------
    detector : estimator, default=None
        Detector of windows, of skad or scikit-learn, or a pipeline that ends in one; or
        a `WindowedDetector` or `DetectorUnion` of such, which is taken as it is. None:
        six detectors, whose errors are added up, see Notes.
    time : str or list of str, default=None
        Column of times; a list is joined, such as a date and a time of day. None: the
        index holds them, or nothing does.
    series : str or list of str, default=None
        Column that tells the machine, or run, of each row. None: one series, or those
        of a MultiIndex.
    missing : number, str, or list or set of these, default=()
        Values that stand for missing ones, such as ``[-200, 9999]``.
    dayfirst : bool, default=None
        Whether 04/05/2018 is in May. None: as the whole column tells.
    long : (str, str, str), default=None
        Columns of time, sensor and value of a table with a row for each value.
    every : str, timedelta or number, default=None
        Length of bins that become rows, such as "1min", for sensors of mixed rates.
    window : int, "auto", float, str or timedelta-like, default="auto"
        Length of windows, see `WindowedDetector`.
    contamination : "auto" or float, default="auto"
        Where the threshold lies, see `WindowedDetector`.
    normal_label : object, default=None
        Label in `y` of the rows to learn from. None learns from all of them.
    n_jobs : int, default=None
        Parts of the default detector that are fitted at once.

    Returns
    -------
    pipeline : Pipeline
        Not fitted; steps "read" (`TableReader`), "impute" (`TimeSeriesImputer`, which
        drops sensors of which more than half is missing), "scale" (StandardScaler) and
        "detect". They hand on DataFrames, so that windows cross neither series nor gaps
        in time.

    Raises
    ------
    ValueError
        If `contamination`, `normal_label` or `window` is given with a detector that
        cuts windows itself and has its own.

    See Also
    --------
    DetectorUnion, WindowedDetector : What it is made of.
    TableReader : Reads the table; its other parameters are those of step "read".
    find_events, explain : What broke, and which sensors show it.

    Notes
    -----
    The default detector adds up the errors of six members in units of rows that were
    left out (`DetectorUnion`), w being the window length:

    - "error": `LinearAutoencoder` with standardised errors on windows of w rows;
    - "level": `LocallyLinearAutoencoder` on means and spreads of windows of w rows
      (`WindowSummary`);
    - "nearest": distance to the nearest normal window of w rows, in units of its size;
    - "half_shape", "shape", "double_shape": distance to the nearest normal window of
      w / 2, w and 2 w rows, after `WindowNormalizer`, in units of its gain, so that
      they speak where cycles repeat, and are silent where nothing does.

    Windows of 2 w rows see a fault from 2 w - 1 rows away. That is the length to trim
    events by: ``find_events(..., window_length=int(pipeline[-1].calibration_.reach))``.

    It is meant for tables of which nothing is known: drifting levels, broken
    couplings and odd cycles show in one member or another. Where it is known what goes
    wrong, the one detector that sees it ranks better (docs/measured/quality.md).

    Examples
    --------
    >>> from skad import explain, find_events, make_sensors, sensor_pipeline
    >>> X, y = make_sensors(3000, n_faults=2, random_state=0)
    >>> pipeline = sensor_pipeline(window=20).fit(X[:1500])
    >>> events = find_events(
    ...     pipeline.predict(X), contributions=explain(pipeline, X), merge_gap=20
    ... )
    >>> "sensor_1" in events.columns
    True

    A file with a column of times and one of machines goes in as it was read:

    >>> import pandas as pd
    >>> file = pd.concat({"A": X[:1500], "B": X[1500:]}, names=["pump", "time"])
    >>> pipeline = sensor_pipeline(time="time", series="pump", window=20)
    >>> pipeline.fit(file.reset_index()).predict(file.reset_index()).shape
    (3000,)
    """
    last = _last_step(detector, window, contamination, normal_label, n_jobs)
    reader = TableReader(
        time,
        series=series,
        missing=missing,
        dayfirst=dayfirst,
        long=long,
        every=every,
    )
    steps = [
        ("read", reader),
        ("impute", TimeSeriesImputer(max_missing=0.5)),
        ("scale", StandardScaler()),
        ("detect", last),
    ]
    return Pipeline(steps).set_output(transform="pandas")


def _last_step(detector, window, contamination, normal_label, n_jobs) -> Any:
    """Detector of tables: the one given, in windows if it cuts none, or the default."""
    if _cuts_windows(detector):
        told = {"contamination": contamination, "window": window}
        if any(value != "auto" for value in told.values()) or normal_label is not None:
            raise ValueError(
                f"detector={type(detector).__name__} cuts windows itself; set window, "
                "contamination and normal_label on it."
            )
        return detector
    if detector is None:
        return DetectorUnion(
            _members(window),
            units=dict(_UNITS),
            contamination=contamination,
            normal_label=normal_label,
            n_jobs=n_jobs,
        )
    return WindowedDetector(
        detector, window, contamination=contamination, normal_label=normal_label
    )


def _cuts_windows(detector) -> bool:
    """Whether a detector, or a member of a union, takes tables."""
    members = [one for _, one in getattr(detector, "estimators", None) or ()]
    return any(
        isinstance(layer, WindowedDetector)
        for one in (detector, *members)
        for layer in layers(one)
    )


def _members(window) -> list[tuple[str, WindowedDetector]]:
    """Names and detectors of the default composition."""
    shape = make_pipeline(WindowNormalizer(), LocallyLinearAutoencoder(1))
    level = make_pipeline(
        WindowSummary(), StandardScaler(), LocallyLinearAutoencoder(1)
    )
    return [
        ("error", WindowedDetector(LinearAutoencoder(error_model="std"), window)),
        ("level", WindowedDetector(level, window)),
        ("nearest", WindowedDetector(LocallyLinearAutoencoder(1), window)),
        ("half_shape", WindowedDetector(shape, _scaled(window, 0.5))),
        ("shape", WindowedDetector(shape, window)),
        ("double_shape", WindowedDetector(shape, _scaled(window, 2))),
    ]


def _scaled(window, factor) -> WindowLength:
    """Multiply a window length, as it may be given."""
    if isinstance(window, str) and window == "auto":
        return float(factor)
    if isinstance(window, str | timedelta | np.timedelta64):
        return read_duration(window) * factor
    if isinstance(window, Integral):
        return max(1, round(window * factor))
    return min(4.0, window * factor)
