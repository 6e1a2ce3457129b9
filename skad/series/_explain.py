"""Scores split into the contributions of sensors, through pipelines."""

from __future__ import annotations

import re
from typing import Any, Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline

from skad._fitting import with_standard_numbers
from skad._nesting import as_read, find_layer, input_of, layers, reader_of
from skad.series._expected import expect
from skad.series._rows import index_of


@overload
def explain(
    estimator: Any,
    X: ArrayLike,
    *,
    timesteps: bool = False,
    return_deviations: Literal[False] = False,
) -> pd.DataFrame: ...


@overload
def explain(
    estimator: Any,
    X: ArrayLike,
    *,
    timesteps: bool = False,
    return_deviations: Literal[True],
) -> tuple[pd.DataFrame, pd.DataFrame]: ...


@with_standard_numbers
def explain(
    estimator: Any,
    X: ArrayLike,
    *,
    timesteps: bool = False,
    return_deviations: bool = False,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]:
    """Split the score of every row into the contributions of its sensors.

    The detector may be at the end of a pipeline, in a search or in a wrapper: names and
    times are always those of the table.

    Parameters
    ----------
    estimator : estimator instance
        Fitted detector with `explain`, or a pipeline, search or wrapper around one.
    X : array-like of shape (n_timestamps, n_channels)
        Table as the estimator takes it, raw if it begins with a `TableReader`; for a
        detector of windows, windows as it takes them, or a table that an earlier step
        cuts into windows.
    timesteps : bool, default=False
        Whether to keep the timesteps of windows apart instead of summing over them. Not
        for a `WindowedDetector`, which scores single rows.
    return_deviations : bool, default=False
        Whether to also return by how much each sensor reads too high or too low.

    Returns
    -------
    contributions : DataFrame of shape (n_timestamps, n_channels)
        Parts of the error of each row, higher = more anomalous. They add up, over
        columns, to ``-estimator.score_samples(X)``.

        - Its index is that of `X`, as it was read; rows are numbered if it has none.
        - Its columns are the sensors that reach the detector, named as in `X`: without
          those that an imputer has dropped, with the indicators that it has added. They
          are numbered if a step cannot name its output.
        - With `timesteps` there is a column for each value of a window, shape
          (n_windows, window_length * n_channels), time major, and columns have two
          levels, "timestep" and "sensor".
    deviations : DataFrame of the shape of `contributions`
        Readings minus `expected_values`, above 0 where a sensor reads too high, in the
        units that the detector sees; the mean over the timesteps of a window, unless
        `timesteps` is True. Only if `return_deviations` is True.

    Raises
    ------
    TypeError
        If there is no detector with `explain`, or, with `return_deviations`, it is not
        one of skad.
    ValueError
        If `timesteps` is True for a detector of rows.

    See Also
    --------
    find_events : Names the sensors behind each event, from both.
    expected_values : What the sensors should have read, in the units of `X`.
    ContributionDisplay : Plots the contributions.

    Notes
    -----
    The contributions add up exactly to the error that the detector scores by, whichever
    error model it has. It is not shared out by the residuals of the detector, which
    follows a fault and so blames others, but by how each sensor fits those that agree
    with one another: sqrt((h + 0.01) (d + 0.01)), with the excess h of its error beside
    a robust projection of the window, and d of its distance from the most similar
    normal window, both in multiples of what is usual. All shares are positive. In a
    window, a sensor has the same share in all timesteps, and the parts of a timestep
    add up to its error; so windows of one channel are divided among timesteps alone.
    (With ``MahalanobisErrors("window")`` the error of a timestep, not that of a window,
    may be negative.)

    Sensors that depend on each other are told apart, also if several fail together.
    That of an independent one is seen if it reads what it never does, not if it is
    stuck at a usual value. Detectors that were fitted by skad 0.1.0, and those of your
    own, share out as they did: by residuals.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skad import LinearAutoencoder, TimeSeriesImputer, WindowedDetector
    >>> from skad import explain, find_events, make_sensors
    >>> X, y = make_sensors(2000, n_faults=2, random_state=0)
    >>> pipeline = make_pipeline(TimeSeriesImputer(max_missing=0.5), StandardScaler(),
    ...                          WindowedDetector(LinearAutoencoder(6), 30))
    >>> contributions = explain(pipeline.fit(X[:1000]), X)
    >>> np.allclose(contributions.sum(axis=1), -pipeline.score_samples(X))
    True
    >>> find_events(y, contributions=contributions)["sensor_1"].tolist()
    ['sensor_02', 'sensor_02']
    """
    detector, inner = find_explainer(estimator, X)
    X = as_read(estimator, X)
    tables = [detector.explain(inner)]
    parts = tables[0]
    if return_deviations:
        tables.append(deviations_of(detector, inner, parts.shape))
    names = channel_names(estimator, detector, X, inner, parts.shape)
    if names is None:
        names = pd.RangeIndex(parts.shape[-1])
    if parts.ndim == 3 and timesteps:
        names = pd.MultiIndex.from_product(
            [range(parts.shape[1]), names], names=["timestep", "sensor"]
        )
        tables = [table.reshape(len(parts), -1) for table in tables]
    elif parts.ndim == 3:
        tables = [tables[0].sum(axis=1), *(table.mean(axis=1) for table in tables[1:])]
    elif timesteps:
        raise ValueError(
            f"timesteps=True, but {type(detector).__name__} explains single rows, not "
            "windows; use timesteps=False."
        )
    index = index_of(X)
    contributions, *rest = [pd.DataFrame(t, index=index, columns=names) for t in tables]
    return (contributions, *rest) if return_deviations else contributions


# Shared with ContributionDisplay ----------------------------------------------------


def find_explainer(estimator, X) -> tuple[Any, Any]:
    """Find the detector with `explain`, and X as it reaches the detector."""
    detector = find_layer(estimator, "explain")
    return detector, input_of(detector, estimator, X)


def deviations_of(detector, inner, shape) -> NDArray[np.float64]:
    """Take expected readings from readings, in the shape of contributions."""
    deviations = np.asarray(inner, dtype=np.float64) - expect(detector, inner)
    return deviations.reshape(shape)


def channel_names(estimator, detector, X, inner, shape) -> list | None:
    """Names of the channels that reach a detector; None if they are unknown.

    Columns of `X`, as it was read, that a step has kept have the same names there, of
    the same type.
    """
    columns = list(getattr(X, "columns", []))
    by_text = {str(column): column for column in columns}
    candidates = [
        getattr(detector, "feature_names_in_", None),
        getattr(inner, "columns", None),
        _names_of_steps(estimator, detector, list(map(str, columns)) or None),
    ]
    for names in candidates:
        if names is not None:
            names = _names_of_channels([str(name) for name in names], shape)
        if names is not None:
            return [by_text.get(name, name) for name in names]
    return None


def _names_of_channels(names, shape) -> list[str] | None:
    """Names of channels from those of columns, for windows by dropping the lags."""
    n_channels = shape[-1]
    if len(shape) == 3:
        lags = [re.fullmatch(r"(.*)\[t(-\d+)?\]", name) for name in names]
        if len(names) == shape[1] * n_channels and all(lags):
            names = [lag[1] for lag in lags[-n_channels:] if lag]
    return names if len(names) == n_channels else None


def _names_of_steps(estimator, detector, names) -> Any:
    """Follow names through the pipelines on the way to the detector."""
    if reader_of(estimator) is not None:
        names = None  # it gives its own
    for layer in layers(estimator):
        if layer is detector:
            break
        if isinstance(layer, Pipeline) and len(layer) > 1:
            try:
                names = layer[:-1].get_feature_names_out(names)
            except (AttributeError, ValueError):  # a step that cannot name its output
                return None
    return names
