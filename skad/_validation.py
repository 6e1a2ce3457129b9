"""Input checks, and the only imports of private names of scikit-learn."""

import operator
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import _fit_context as sklearn_fit_context
from sklearn.utils import _safe_indexing as sklearn_safe_indexing
from sklearn.utils import check_array as sklearn_check_array
from sklearn.utils import check_random_state as sklearn_check_random_state
from sklearn.utils import gen_batches, metaestimators
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.validation import _check_feature_names_in as feature_names_in
from sklearn.utils.validation import _num_samples as num_samples
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
)
from sklearn.utils.validation import column_or_1d as sklearn_column_or_1d
from sklearn.utils.validation import validate_data as sklearn_validate_data

from skad._on_disk import is_on_disk, take_on_disk

__all__ = [
    "MIXED_FOLDS",
    "BaseComposition",
    "HasMethods",
    "Hidden",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "available_if",
    "ceil_of_share",
    "check_array",
    "check_consistent_length",
    "check_finite",
    "check_is_fitted",
    "check_outlier_labels",
    "check_random_state",
    "check_windows",
    "column_or_1d",
    "feature_names_in",
    "fit_context",
    "floor_of_share",
    "is_3d",
    "knowing_finite",
    "list_some",
    "native",
    "num_samples",
    "rows_with_label",
    "safe_indexing",
    "take",
    "validate_data",
    "validate_parameter_constraints",
]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_knows_finite: ContextVar[bool] = ContextVar("knows_finite", default=False)
_FLOAT32_MAX = float(np.finfo(np.float32).max)
# what to do where folds lack anomalies, or normal rows
MIXED_FOLDS = (
    "cv=StratifiedKFold() or, for rows that must stay together, such as those of a day "
    "or of a series, cv=StratifiedGroupKFold() with groups"
)
_NO_NUMBERS = (
    "drop it, map it to numbers, or begin the pipeline with skad.TableReader, which "
    "takes it as time= or series=."
)
_CODINGS = "{-1 = anomaly, +1 = normal} or {0 = normal, 1 = anomaly}"


def take(rows, *tables) -> list[Any]:
    """Take some rows of each table, without a copy where these are all.

    None stays None.
    """

    def take_from(table):
        is_whole = table is None or len(rows) == num_samples(table)
        return table if is_whole else safe_indexing(table, rows)

    return [*map(take_from, tables)]


def list_some(names) -> str:
    """List the first of some names."""
    return ", ".join(map(repr, names[:6])) + ", ..." * (len(names) > 6)


def native(data) -> Any:
    """Bring arrays and pandas objects to the byte order of the machine.

    pandas cannot work with another one, such as that of files read by `np.memmap`. What
    is in order, and what is neither, is returned as it is.
    """
    if isinstance(data, np.ndarray):
        is_native = data.dtype.isnative
        return data if is_native else data.astype(data.dtype.newbyteorder("="))
    if isinstance(data, pd.Index) and not _is_native(data.dtype):
        return pd.Index(native(data.to_numpy()), name=data.name)
    if isinstance(data, pd.Series | pd.DataFrame):
        return _native_table(data)
    return data


def _is_native(dtype) -> bool:
    return getattr(dtype, "isnative", True)  # dtypes of pandas are


def _native_table(data):
    axes = [native(axis) for axis in data.axes]
    is_frame = isinstance(data, pd.DataFrame)
    dtypes = list(data.dtypes) if is_frame else [data.dtype]
    wrong = [place for place, dtype in enumerate(dtypes) if not _is_native(dtype)]
    if not wrong and all(map(operator.is_, axes, data.axes)):
        return data
    if not is_frame:
        return pd.Series(native(data.to_numpy()), axes[0], name=data.name)
    changed = data.copy(deep=False)
    for place in wrong:
        changed.isetitem(place, native(data.iloc[:, place].to_numpy()))
    changed.index, changed.columns = axes
    return changed


def column_or_1d(y, **options) -> np.ndarray:
    """Check as scikit-learn does, and return an array that pandas can work with."""
    return native(sklearn_column_or_1d(native(y), **options))


def safe_indexing(X, indices, **options) -> Any:
    """Take rows as scikit-learn does, whatever the byte order of a table.

    Those of a table on disk stay there.
    """
    X = native(X) if isinstance(X, pd.Series | pd.DataFrame) else X
    is_rows = isinstance(indices, np.ndarray) and indices.dtype.kind == "i"
    if is_rows and not options and np.ndim(X) == 2 and is_on_disk(X):
        return take_on_disk(X, indices)
    return sklearn_safe_indexing(X, indices, **options)


def check_array(X, **options) -> np.ndarray:
    """Check as scikit-learn does, and refuse strings that it lets through."""
    with _naming_columns(X):
        return _without_strings(sklearn_check_array(X, **options))


def validate_data(estimator, X, **options) -> np.ndarray:
    """Check as scikit-learn does, and refuse strings that it lets through."""
    with _naming_columns(X):
        return _without_strings(sklearn_validate_data(estimator, X, **options))


@contextmanager
def _naming_columns(X):
    """Refuse columns of dates and of texts by their names, or what no number is."""
    if not isinstance(X, pd.DataFrame):
        try:
            yield
        except (TypeError, ValueError) as error:
            is_objects = isinstance(X, np.ndarray) and X.dtype.kind == "O"
            values = X.flat if is_objects else ()
            odd = next((value for value in values if not _is_number(value)), None)
            if odd is None:
                raise
            # what scikit-learn's checks want to read, and then what to do
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                f"{error}: X is an array and holds {odd!r}. Pass dates and texts as "
                "columns of a DataFrame, which TableReader reads by name."
            ) from error
        return
    for name, dtype in X.dtypes.items():
        if getattr(dtype, "kind", "") in "mM" or isinstance(dtype, pd.PeriodDtype):
            raise ValueError(f"Column {name!r} holds dates or durations; {_NO_NUMBERS}")
    try:
        yield
    except (TypeError, ValueError) as error:
        name, value = _find_text(X)
        if name is None:
            raise
        raise ValueError(
            f"Column {name!r} holds {value!r}, which is no number; {_NO_NUMBERS}"
        ) from error


def _find_text(table) -> tuple[Any, Any]:
    """Find the first column with a value that is no number, and this value."""
    for name, column in table.items():
        if pd.api.types.is_numeric_dtype(column.dtype):
            continue
        objects = column.astype(object)
        is_lost = pd.to_numeric(objects, errors="coerce").isna() & column.notna()
        if is_lost.any():
            return name, objects[is_lost].iloc[0]
    return None, None


def _without_strings(X):
    # Categories of strings, beside columns of numbers, arrive as objects.
    return X.astype(np.float64) if X.dtype == object else X


def _is_number(value) -> bool:
    try:
        float(np.nan if value is None else value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def check_outlier_labels(y, *, both_classes=False, name="y", remedy="") -> np.ndarray:
    """Read outlier labels in one of the two codings.

    Labels are either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly). Ones
    alone are read as normal, as `predict` of an outlier detector returns them. Booleans
    mean anomaly where they are True. Returns booleans, True for anomalies.
    `both_classes` refuses labels of one class, and `remedy` says what to do about it;
    `name` is that of `y` in messages.
    """
    # pandas' nullable dtype, which scikit-learn would read as numbers
    is_nullable = getattr(getattr(y, "dtype", None), "name", "") == "boolean"
    y = column_or_1d(y.astype(object) if is_nullable else y)
    labels = set(y.tolist())
    if not labels <= {-1, 1} and not labels <= {0, 1}:
        shown = ", ".join(sorted(set(map(repr, labels)))[:6])  # nan may be many
        raise ValueError(
            f"{name} holds the labels {shown}{', ...' if len(labels) > 6 else ''}; "
            f"expected {_CODINGS}. Map other labels to one of these first."
        )
    # True alone means anomaly, 1 alone does not
    is_bool = any(isinstance(label, bool) for label in labels)
    is_anomaly = y == 1 if 0 in labels or is_bool else y == -1
    n_anomalies = int(is_anomaly.sum())
    if both_classes and not 0 < n_anomalies < len(y):
        ones = " (all labels are 1, which alone is read as normal)"
        raise ValueError(
            f"{n_anomalies} of {len(y)} rows of {name} are anomalies"
            f"{ones if labels == {1} and not is_bool else ''}; at least one anomaly "
            f"and one normal row are needed. {remedy}".rstrip()
        )
    return is_anomaly


def floor_of_share(share, n) -> int:
    """Count the whole items in a share of n: 29 in 0.29 of 100.

    Shares are compared, not multiplied: the product falls short of 29, and 0.07 * 100
    exceeds 7.
    """
    nearest = round(float(share) * n)
    return nearest if nearest == 0 or nearest / n <= share else nearest - 1


def ceil_of_share(share, n) -> int:
    """Count the items that a share of n takes, begun ones too: 7 for 0.07 of 100."""
    nearest = round(float(share) * n)
    return nearest if n == 0 or nearest / n >= share else nearest + 1


def knowing_finite(call: Callable[..., T], *args: Any) -> T:
    """Call what would look once more whether values are finite.

    In a context of its own: scikit-learn's setting, `assume_finite`, could stay behind
    after a Ctrl-C.
    """
    context = copy_context()
    context.run(_knows_finite.set, True)
    return context.run(call, *args)


def check_finite(X, feature_names=None, name="X") -> None:
    """Refuse values that are missing, infinite or too large for float32.

    The extremes show whether there are any, in two passes and without a mask of the
    size of `X` (windows over a series share their memory; a mask of them would not).
    """
    is_known = _knows_finite.get() or get_config()["assume_finite"]
    if X.dtype.kind in "biu" or is_known:
        return
    if -_FLOAT32_MAX <= float(X.min()) <= float(X.max()) <= _FLOAT32_MAX:
        return
    places: list[tuple[int, int]] = []
    n_faults = n_rows = 0
    for block in gen_batches(len(X), 1024):
        is_fault = ~(np.abs(X[block].astype(float)) <= _FLOAT32_MAX)
        n_faults += int(is_fault.sum())
        n_rows += int(is_fault.any(axis=1).sum())
        if len(places) < 5 and is_fault.any():
            places += [(block.start + r, c) for r, c in np.argwhere(is_fault)[:5]]
    row, column = places[0]
    value = X[row, column]
    kind = (
        "NaN"
        if np.isnan(value)
        else "infinity"
        if np.isinf(value)
        else f"a value too large for dtype('float32'), {value:g}"
    )
    label = column if feature_names is None else repr(str(feature_names[column]))
    shown = ", ".join(f"({r}, {c})" for r, c in places[:5])
    raise ValueError(
        f"Input {name} contains {kind} in row {row}, column {label}; {n_faults} such "
        f"values in {n_rows} of {len(X)} rows, at (row, column) {shown}"
        f"{', ...' if n_faults > 5 else ''}. Every value must be finite: impute or "
        "drop them first, e.g. with skad.TimeSeriesImputer or "
        "sklearn.impute.SimpleImputer."
    )


def check_windows(estimator, X, *, reset, name="X", min_windows=2) -> np.ndarray:
    """Read windows, 2-D or 3-D, as a finite 2-D array.

    A 2-D row is time major; the estimator's `n_channels` says how it folds. A 3-D array
    brings its own. `reset`, in fit, sets `window_length_` and `n_channels_`, and asks
    for at least `min_windows`.
    """
    n_channels = estimator.n_channels
    if is_3d(X) and len(X):
        X = np.asarray(X)
        if not reset:
            _check_shape(estimator, X, name)
        n_channels = X.shape[2]
        X = X.reshape(len(X), -1)
    X = validate_data(
        estimator,
        X,
        reset=reset,
        dtype="numeric",
        ensure_all_finite=False,
        ensure_min_samples=min_windows if reset else 1,
    )
    check_finite(X, getattr(estimator, "feature_names_in_", None), name)
    if reset:
        if X.shape[1] % n_channels:
            raise ValueError(
                f"X has {X.shape[1]} values a row, which n_channels={n_channels} does "
                "not divide; a row holds window_length * n_channels values."
            )
        estimator.window_length_ = X.shape[1] // n_channels
        estimator.n_channels_ = n_channels
    return X


def is_3d(X) -> bool:
    """Whether windows come as (n_windows, window_length, n_channels), or lists."""
    if isinstance(X, list | tuple):
        return np.ndim(X[:1]) == 3
    return getattr(X, "ndim", None) == 3


def _check_shape(estimator, X, name):
    """Refuse 3-D windows of another shape than those of fit."""
    shape = estimator.window_length_, estimator.n_channels_
    if X.shape[1:] != shape:
        raise ValueError(
            f"{name} has windows of shape {tuple(X.shape[1:])}, but "
            f"{type(estimator).__name__} was fitted on windows of shape {shape} "
            "(timesteps, channels)."
        )


def rows_with_label(y, label, n_rows, what) -> np.ndarray:
    """Positions of the rows with a label, at least 2; `what` they are, in messages."""
    if y is None:
        raise ValueError(
            f"normal_label={label!r} selects {what} by their labels, but y is None; "
            "pass y to fit, or set normal_label=None."
        )
    y = column_or_1d(y)
    check_consistent_length(range(n_rows), y)
    rows = np.flatnonzero(y == label)
    if len(rows) < 2:
        raise ValueError(
            f"Found {len(rows)} of {len(y)} {what} with the label "
            f"normal_label={label!r}; at least 2 are needed. y holds "
            f"{np.unique(y)[:6].tolist()}. In a search or cross-validation these are "
            f"the training rows of one split: use {MIXED_FOLDS}."
        )
    return rows


def fit_context(fit: F) -> F:
    """Decorate `fit` as scikit-learn does, and keep its type."""
    return sklearn_fit_context(prefer_skip_nested_validation=False)(fit)


def available_if(check: Callable[[Any], bool]) -> Callable[[F], F]:
    """Decorate a method as scikit-learn does, and keep its type."""
    return metaestimators.available_if(check)


def check_random_state(random_state) -> np.random.RandomState:
    """Turn `random_state` into a RandomState, without numpy's global generator.

    None takes a fresh seed from the operating system, where scikit-learn would take the
    global generator.
    """
    if random_state is None or random_state is np.random:
        return np.random.RandomState(np.random.MT19937())
    return sklearn_check_random_state(random_state)
