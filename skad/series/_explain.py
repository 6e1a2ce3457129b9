"""Scores shared out to the sensors of the user's table, through pipelines."""

import re
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from skad._nesting import find_layer, input_of, layers
from skad.series._rows import index_of

__all__ = ["explain"]


def explain(estimator, X, *, timesteps=False):
    """Share out the score of every row to its sensors.

    The detector may stand at the end of a pipeline, in a search or in a wrapper: the
    names and the times are those of the table all the same.

    Parameters
    ----------
    estimator : estimator instance
        Fitted detector with `explain`, or a pipeline, search or wrapper with such a
        detector inside.
    X : array-like of shape (n_timestamps, n_channels)
        Table, as the estimator takes it; for a detector of windows, the windows as it
        takes them, or a table that an earlier step cuts.
    timesteps : bool, default=False
        Whether the timesteps of windows are told apart, or summed. Only for detectors
        of windows: the scores of a `WindowedDetector` are those of single rows.

    Returns
    -------
    contributions : DataFrame of shape (n_timestamps, n_channels)
        Parts of the error of each row, higher = more anomalous. They add up, over
        columns, to ``-estimator.score_samples(X)``.

        - Its index is that of `X`; rows are counted if it has none.
        - Its columns have the names of the sensors that reach the detector, as they
          are in `X`, then those of indicators that an imputer has added. Columns that
          an imputer has dropped are not there: nobody has looked at them. If no step
          can name its output, columns are counted.
        - With `timesteps` there is a column for each value of a window, of shape
          (n_windows, window_length * n_channels), time major, and columns have two
          levels, "timestep" and "sensor".

    Raises
    ------
    TypeError
        If there is no detector with `explain`.
    ValueError
        If `timesteps` are asked of a detector of rows.

    See Also
    --------
    find_events : Takes the contributions, and names the sensors behind each event.
    ContributionDisplay : The contributions in a picture.

    Notes
    -----
    What adds up exactly is the error that the detector scores by: squared, absolute,
    standardised or Mahalanobis errors; the last may have negative parts. The distance
    of codes in hybrid errors belongs to no sensor, and is shared out like the other
    part of the error. It is the score of the detector as it is told: in units behind
    the scaler.

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
            f"timesteps=True, but {type(detector).__name__} shares out the score of a "
            "row to its sensors alone; use timesteps=False."
        )
    return pd.DataFrame(parts, index=index_of(X), columns=names)


# What this shares with the picture ---------------------------------------------------


def find_explainer(estimator, X) -> tuple[Any, Any]:
    """Return the detector with `explain`, and X as it reaches the detector."""
    detector = find_layer(estimator, "explain")
    return detector, input_of(detector, estimator, X)


def channel_names(estimator, detector, X, inner, shape) -> list | None:
    """Names of the channels that reach a detector; None if nobody knows.

    They are those of the columns of `X` where a step has kept them, as they are there.
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
    """Names of columns, or those without their lags of the columns of windows."""
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
            except (AttributeError, ValueError):  # a step that names nothing
                return None
    return names
