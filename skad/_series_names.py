"""What names the series of rows: the index, an argument, or nothing."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._validation import check_consistent_length, column_or_1d, num_samples
from skad._warnings import warn


class Runs(np.ndarray):
    """Numbers of the runs of rows between which others are left out.

    As an argument `series` they make borders, and name nothing that a table to score
    would have to name, too.
    """


def names_in(index) -> pd.Index | None:
    """Names of the series of rows: the levels before the last; None without any."""
    is_told = isinstance(index, pd.MultiIndex) and index.nlevels > 1
    return index.droplevel(-1) if is_told else None


def number_series(names, series, X) -> NDArray[np.int64]:
    """Give each row the number of its series, by the index and by `series`."""
    levels = [] if names is None else _levels_of(names)
    if series is not None:
        series = column_or_1d(series)
        check_consistent_length(X, series)
        levels.append(series)
    if not levels:  # one number in memory
        return np.broadcast_to(np.int64(0), num_samples(X))
    numbers = np.zeros(num_samples(X), dtype=np.int64)
    for level in levels:  # a missing name comes first
        codes = _number_names(level) + 1
        joined = numbers * (codes.max(initial=0) + 1) + codes
        numbers = pd.factorize(joined, sort=True)[0]
    return numbers


def named_by(names, series) -> str:
    """Say what names the series: see `Rows`."""
    is_given = series is not None and not isinstance(series, Runs)
    told = {"index": names is not None, "series": is_given}
    return " ".join(name for name, is_there in told.items() if is_there)


def check_named(in_fit, now, time) -> None:
    """Refuse rows that do not tell their series as those of fit did.

    Those of one machine, cut out of a table by its name, have an index of times alone:
    that is taken for what it looks like, with a warning.
    """
    if len(now.split()) >= len(in_fit.split()):
        return
    if "series" in in_fit and "series" not in now:
        raise ValueError(
            "series was given to fit, but is not given with these rows: one series "
            "would run into the next. Pass series with them, too; or name the series "
            "in the index, in fit and here (a MultiIndex of series and time), which "
            "pipelines, searches and scorers hand on."
        )
    if time is None or now:
        raise ValueError(
            "The index of the table given to fit named the series, but that of this "
            "table does not: one series would run into the next. Give it an index, too "
            "(a MultiIndex of series and time); in a pipeline, "
            'set_output(transform="pandas") keeps it.'
        )
    warn(
        "The index of X names no series, as that of the table given to fit did: all "
        "rows are taken for those of one series. To say so, keep its name in the "
        "index, as in X.loc[['a']] instead of X.loc['a']."
    )


def rows_by_series(index, series, n_rows) -> dict[Any, NDArray[np.int64]]:
    """Positions of the rows of each series, by its name, in the order of their firsts.

    A name is that of the index, a tuple where several levels name it, or of `series`;
    of both, the latter comes last. {None: all rows} if nothing names series.
    """
    names = names_in(index)
    levels = [] if names is None else _levels_of(names)
    if series is not None:
        levels.append(pd.Index(column_or_1d(series)))
    if n_rows == 0:
        raise ValueError("X holds no rows; at least one is needed.")
    if not levels:
        return {None: np.arange(n_rows)}
    names = levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)
    is_missing = np.any([level.isna() for level in levels], axis=0)
    if is_missing.any():
        raise ValueError(
            f"The name of the series is missing in row {np.argmax(is_missing)}, and in "
            f"{is_missing.sum()} rows in all; name it, or drop them."
        )
    codes, uniques = pd.factorize(names)
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(uniques))
    parts = np.split(order, np.cumsum(counts)[:-1])
    return dict(zip(uniques.tolist(), parts, strict=True))


def order_of_series(codes) -> NDArray[np.int64] | None:
    """Order in which the rows of each series stand together; None if they do.

    `codes` are those of `number_series`. Rows of one series keep their order.
    """
    if not codes.any():
        return None
    n_runs = np.count_nonzero(np.diff(codes)) + 1
    if n_runs == 1 or n_runs == codes.max() + 1:
        return None
    return np.argsort(codes, kind="stable")


# Handing them on ----------------------------------------------------------------------


def takes_series(method: Callable) -> bool:
    """Whether a method has an argument `series`."""
    return "series" in inspect.signature(method).parameters


def call_with_series(estimator, name, X, series) -> Any:
    """Call a method with rows and their series, or with rows alone if that is None."""
    method = getattr(estimator, name)
    if series is None:
        return method(X)
    if not takes_series(method):
        refuse_series(estimator, name)
    return method(X, series=series)


def check_takes_series(estimator, series) -> None:
    """Refuse series for a detector that could not be told of them at scoring."""
    if series is not None and not takes_series(estimator.score_samples):
        refuse_series(estimator, "score_samples")


def refuse_series(estimator, name) -> None:
    """Say that a method takes no series, and how else they get there."""
    raise TypeError(
        f"series was given, but {type(estimator).__name__}.{name} takes none. Name the "
        "series in the index of X (a MultiIndex of series and time): pipelines, "
        "searches and wrappers hand it on."
    )


# Numbers ------------------------------------------------------------------------------


def _levels_of(names) -> list[Any]:
    return [names.get_level_values(level) for level in range(names.nlevels)]


def _number_names(names) -> NDArray[np.int64]:
    """Give each name the number of its place in their order, or of its first row."""
    try:
        return pd.factorize(names, sort=True)[0]
    except TypeError:  # names that cannot be compared
        return pd.factorize(names)[0]
