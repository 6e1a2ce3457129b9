"""What a table or windows should have read, in the user's units and names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skad._fitting import as_fitted, with_standard_numbers
from skad._nesting import as_read, core_of, inside, layers, reader_of
from skad._validation import check_is_fitted
from skad.series._cover import average_of_lags
from skad.series._windows import SlidingWindow


@with_standard_numbers
def expected_values(estimator: Any, X: ArrayLike) -> pd.DataFrame | NDArray[np.float64]:
    """Tell what every sensor should have read, judged by the others.

    Unlike a reconstruction, which follows a fault halfway, this comes from the sensors
    that agree with one another; a sensor that does not has no say.

    Parameters
    ----------
    estimator : estimator instance
        Fitted detector of skad, or a pipeline, search or wrapper around one.
    X : array-like of shape (n_timestamps, n_channels)
        Table as the estimator takes it; for a detector of windows, windows as it takes
        them, or a table that an earlier step cuts into windows.

    Returns
    -------
    expected : DataFrame or ndarray of the shape of `X`, dtype float64
        Expected readings, in the units of `X`; a DataFrame with index and columns of
        `X` if that is one; behind a `TableReader` its index of series and time, and
        the columns of sensors. Those that a step before the detector has dropped are
        missing (NaN).

    Raises
    ------
    TypeError
        If there is no detector of skad, or a step before it cannot be taken back.
    ValueError
        If the detector was fitted by skad 0.1.0.

    See Also
    --------
    explain : How much each sensor adds to the score; with ``return_deviations=True``,
        readings minus expected values as the detector sees them.
    ReconstructionDisplay : Draws readings and expected values.

    Notes
    -----
    A window of readings is projected on the principal components of normal windows (16
    at most), for which the sensors have weights: those that disagree with the
    projection, or with the most similar normal window, lose theirs, in eight rounds. A
    row is the mean over windows that cover it, a quarter of their length apart. It is
    the same behind every detector. A sensor that has nothing to do with the others is
    expected to read what it usually does.

    These steps can be taken back: scalers and others with ``inverse_transform`` (a
    FunctionTransformer needs ``inverse_func``), imputers, steps that select columns,
    and `SlidingWindow`. A ColumnTransformer cannot.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skad import LinearAutoencoder, TimeSeriesImputer, WindowedDetector
    >>> from skad import expected_values, make_sensors
    >>> X, y = make_sensors(2000, n_faults=0, random_state=0)
    >>> pipeline = make_pipeline(TimeSeriesImputer(max_missing=0.5), StandardScaler(),
    ...                          WindowedDetector(LinearAutoencoder(6), 30))
    >>> broken = X.copy()
    >>> broken.loc[X.index[1500:1600], "sensor_01"] += 2.0
    >>> expected = expected_values(pipeline.fit(X[:1000]), broken)
    >>> error = (expected - X)["sensor_01"][1500:1600].abs().mean()
    >>> bool(error < 0.5)
    True
    """
    expected = expected_as_read(estimator, X)
    reader = reader_of(estimator)
    return expected if reader is None else reader._with_dropped(expected)


def expected_as_read(estimator: Any, X: Any) -> pd.DataFrame | NDArray[np.float64]:
    """Find expected values of a table, in the columns that a reader hands on."""
    check_is_fitted(estimator)
    expected = expect(estimator, X)
    X = as_read(estimator, X)
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame(expected, index=X.index, columns=X.columns)
    return expected


def expect(estimator, X) -> NDArray[np.float64]:
    """Find expected values, in shape and units of X, through all layers."""
    if isinstance(estimator, Pipeline) and knows_expected_values(estimator):
        return _expect_behind(_steps_of(estimator.steps[:-1]), estimator[-1], X)
    if hasattr(estimator, "_expect"):
        return estimator._expect(X)
    if not knows_expected_values(estimator):
        raise TypeError(
            f"{type(estimator).__name__} knows no expected values, nor does any "
            "estimator inside it; use a detector of skad such as LinearAutoencoder."
        )
    return expect(inside(estimator), X)


def knows_expected_values(estimator) -> bool:
    """Whether there is a detector of skad inside."""
    return any(hasattr(layer, "_expect") for layer in layers(estimator))


def has_reference(estimator) -> bool:
    """Whether the detector inside has learnt, in fit, what to expect."""
    return hasattr(core_of(estimator), "reference_")


def _steps_of(steps) -> list[Any]:
    """List the transformers of named steps, also those of pipelines among them."""
    found = []
    for _, step in steps:
        if isinstance(step, Pipeline):
            found += _steps_of(step.steps)
        elif step is not None and step != "passthrough":
            found.append(step)
    return found


def _expect_behind(steps, last, X) -> NDArray[np.float64]:
    """Find expected values before some steps, and the estimator behind them."""
    if not steps:
        return expect(last, X)
    first, *others = steps
    expected = _expect_behind(others, last, first.transform(X))
    return _take_back(as_fitted(first), expected, X)


def _take_back(step, expected, X) -> NDArray[np.float64]:
    """Turn values behind a step into those before it, of the shape of X."""
    if getattr(step, "reads_tables", False):
        return expected  # of what was read
    if isinstance(step, SlidingWindow):
        rows = step._read_rows(X)
        shape = len(expected), step.window_length_, step.n_features_in_
        windows = rows.group(expected.reshape(shape))
        return rows.restore(average_of_lags(windows, rows.bounds))
    if hasattr(step, "add_indicator"):  # an imputer
        places = {name: at for at, name in enumerate(step.get_feature_names_out())}
        kept = [places.get(name, -1) for name in _names_before(step)]
        padded = np.column_stack([expected, np.full(len(expected), np.nan)])
        return padded[:, kept]
    if hasattr(step, "get_support"):
        before = np.full((len(expected), step.n_features_in_), np.nan)
        before[:, step.get_support()] = expected
        return before
    is_one_way = isinstance(step, FunctionTransformer) and (
        step.func is not None and step.inverse_func is None
    )
    if is_one_way or not hasattr(step, "inverse_transform"):
        raise TypeError(
            f"Expected values cannot be taken back through {step!r}. It needs an "
            "inverse_transform (a FunctionTransformer: inverse_func); imputers, "
            "steps that select columns and SlidingWindow need none."
        )
    return np.asarray(step.inverse_transform(expected), dtype=np.float64)


def _names_before(step) -> list[str]:
    numbered = [f"x{i}" for i in range(step.n_features_in_)]
    return list(getattr(step, "feature_names_in_", numbered))
