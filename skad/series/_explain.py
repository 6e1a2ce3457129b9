"""Scores split into the contributions of sensors, through pipelines."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline

from skad._fitting import with_standard_numbers
from skad._nesting import find_layer, input_of, layers
from skad.series._rows import index_of


@with_standard_numbers
def explain(estimator: Any, X: ArrayLike, *, timesteps: bool = False) -> pd.DataFrame:
    """Split the score of every row into the contributions of its sensors.

    The detector may be at the end of a pipeline, in a search or in a wrapper: names and
    times are always those of the table.

    Parameters
    ----------
    estimator : estimator instance
        Fitted detector with `explain`, or a pipeline, search or wrapper around one.
    X : array-like of shape (n_timestamps, n_channels)
        Table as the estimator takes it; for a detector of windows, windows as it takes
        them, or a table that an earlier step cuts into windows.
    timesteps : bool, default=False
        Whether to keep the timesteps of windows apart instead of summing over them. Not
        for a `WindowedDetector`, which scores single rows.

    Returns
    -------
    contributions : DataFrame of shape (n_timestamps, n_channels)
        Parts of the error of each row, higher = more anomalous. They add up, over
        columns, to ``-estimator.score_samples(X)``.

        - Its index is that of `X`; rows are numbered if it has none.
        - Its columns are the sensors that reach the detector, named as in `X`: without
          those that an imputer has dropped, with the indicators that it has added. They
          are numbered if a step cannot name its output.
        - With `timesteps` there is a column for each value of a window, shape
          (n_windows, window_length * n_channels), time major, and columns have two
          levels, "timestep" and "sensor".

    Raises
    ------
    TypeError
        If there is no detector with `explain`.
    ValueError
        If `timesteps` is True for a detector of rows.

    See Also
    --------
    find_events : Names the sensors behind each event, from the contributions.
    ContributionDisplay : Plots the contributions.

    Notes
    -----
    The contributions add up exactly to the error that the detector scores by: squared,
    absolute, standardised or Mahalanobis errors; the last may have negative parts. The
    distance of codes in hybrid errors belongs to no sensor, and is split in the same
    proportions as the rest of the error. Contributions are in the units that the
    detector sees: after a scaler, not those of the table.

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
    ['sensor_10', 'sensor_02']
    """
    detector, inner = find_explainer(estimator, X)
    parts = detector.explain(inner)
    names = channel_names(estimator, detector, X, inner, parts.shape)
    if names is None:
        names = pd.RangeIndex(parts.shape[-1])
    if parts.ndim == 3 and timesteps:
        names = pd.MultiIndex.from_product(
            [range(parts.shape[1]), names], names=["timestep", "sensor"]
        )
        parts = parts.reshape(len(parts), -1)
    elif parts.ndim == 3:
        parts = parts.sum(axis=1)
    elif timesteps:
        raise ValueError(
            f"timesteps=True, but {type(detector).__name__} explains single rows, not "
            "windows; use timesteps=False."
        )
    return pd.DataFrame(parts, index=index_of(X), columns=names)


# Shared with ContributionDisplay ----------------------------------------------------


def find_explainer(estimator, X) -> tuple[Any, Any]:
    """Find the detector with `explain`, and X as it reaches the detector."""
    detector = find_layer(estimator, "explain")
    return detector, input_of(detector, estimator, X)


def channel_names(estimator, detector, X, inner, shape) -> list | None:
    """Names of the channels that reach a detector; None if they are unknown.

    Columns of `X` that a step has kept have the same names there, of the same type.
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
    for layer in layers(estimator):
        if layer is detector:
            break
        if isinstance(layer, Pipeline) and len(layer) > 1:
            try:
                names = layer[:-1].get_feature_names_out(names)
            except (AttributeError, ValueError):  # a step that cannot name its output
                return None
    return names
