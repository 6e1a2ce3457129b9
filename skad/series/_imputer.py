"""Missing values of tables of timestamps."""

from __future__ import annotations

import datetime
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches

from skad._base import VersionedMixin
from skad._docs import add_parameters
from skad._fitting import after_fit, fit_method
from skad._on_disk import rows_at_once
from skad._validation import (
    Interval,
    StrOptions,
    check_is_fitted,
    feature_names_in,
    native,
    validate_data,
)
from skad._warnings import warn
from skad.series._rows import MaxGap, ReadsRows

# Values of columns that are learnt from at once.
_VALUES = 2**22

_TABLE = """
    X : array-like of shape (n_timestamps, n_channels)
        Table; NaN, None and NA are missing.
    y : None
        Ignored.

    Raises
    ------
    ValueError
        If values are infinite, or time does not increase within a series.
"""


@dataclass(eq=False, repr=False)
class TimeSeriesImputer(ReadsRows, VersionedMixin, TransformerMixin, BaseEstimator):
    """Fill the missing values of each channel from its neighbours in time.

    First by `method`, which never looks across the border of a series or a gap in time;
    what is still missing then becomes the `fallback` learnt in `fit`. All rows stay.

    Parameters
    ----------
    method : {"ffill", "bfill", "linear", "time"}, default="ffill"
        "ffill" repeats the last value before, "bfill" the next one after. "linear"
        interpolates between the two by row, "time" by time; both need a value on either
        side. All but "ffill" look into the future, so they do not suit streams.
    limit : int or None, default=None
        Largest number of consecutive missing values that the method fills: the first
        ones, for "bfill" the last ones. None: all.
    max_missing : float, default=1.0
        Columns with a larger share of missing values in `fit` are dropped.
    carry_tail : bool, default=False
        Whether the last values of the training table fill the start of the next table.
    fallback : {"median", "mean"}, float or None, default="median"
        Values that the method leaves missing become the median or the mean of the
        training values of their series (of all series, if it has none or is new), or
        this number. None: they stay missing.
    add_indicator : bool, default=False
        Whether to append a column ``missingindicator_<column>``, 1 where a value was
        missing, for each column that is kept and has missing values in `fit`. A scaler
        after the imputer scales these as well.
    max_gap : float, timedelta, str or None, default=None
        A longer step in time is a gap. A number for numeric indices, else a timedelta
        or a string such as "10min". None: 5 times the median step.

    Attributes
    ----------
    statistics_ : ndarray of shape (n_features_in_,)
        The fallback of each column, over all series; NaN where there is none.
    series_ : list
        Names of the series that have a fallback of their own; empty if the index names
        none, or `fallback` is a number or None.
    series_statistics_ : ndarray of shape (n_series + 1, n_features_in_)
        That of each of them, and in the last row that of any other series.
    dropped_ : list of str
        Names of the columns that are dropped.
    max_gap_ : float, timedelta64 or None
        Longest step in time that is no gap; None if the training table has no time.
    n_features_in_ : int
        Columns of the training table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if they are strings.

    See Also
    --------
    clean_table : Makes the table of numbers and timestamps that this needs.
    sklearn.impute.SimpleImputer : Fills with a statistic, without regard to time.

    Notes
    -----
    **Time and borders** come from the index of a pandas table: DatetimeIndex or numbers
    are time, the levels of a MultiIndex before the last name the series. In a Pipeline,
    ``set_output(transform="pandas")`` passes the index on; else the next step gets an
    array, which counts as one contiguous series at unit spacing.

    **A column without any observed value in** `fit` has neither median nor mean and is
    dropped: silently if `max_missing` < 1, else with a warning. With `max_missing` = 1
    and a number or None as `fallback` it is kept.

    **Filled values look normal**, and are scored so: a table in which all sensors have
    gone silent may show no anomaly. If silence is a fault, count missing values in
    addition to the score, or keep them as columns with `add_indicator`.

    **The tail.** With `carry_tail`, values that the method leaves missing at the start
    of a table, up to the first observed value, become the last observed value of the
    last training segment, separately for each series. Rows already missing at the end
    of the training table count towards `limit`. A table with a time must start after
    the training table, without a gap in between. Without time, every table is taken to
    continue it; for the training table use `fit_transform`, which carries nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import TimeSeriesImputer
    >>> nan = float("nan")
    >>> time = pd.to_datetime(["2018-04-01 00:00", "2018-04-01 00:01",
    ...                        "2018-04-01 00:04", "2018-04-01 00:05"])
    >>> X = pd.DataFrame({"pressure": [2.0, nan, 8.0, nan], "empty": nan}, index=time)
    >>> imputer = TimeSeriesImputer("time", max_missing=0.9)
    >>> imputer.set_output(transform="pandas").fit_transform(X)
                         pressure
    2018-04-01 00:00:00       2.0
    2018-04-01 00:01:00       3.5
    2018-04-01 00:04:00       8.0
    2018-04-01 00:05:00       5.0
    >>> imputer.dropped_
    ['empty']
    """

    method: Literal["ffill", "bfill", "linear", "time"] = "ffill"
    _: KW_ONLY
    limit: int | None = None
    max_missing: float = 1.0
    carry_tail: bool = False
    fallback: Literal["median", "mean"] | float | None = "median"
    add_indicator: bool = False
    max_gap: MaxGap = None

    needs_order = True  # of rows, see `TunedThresholdDetector`

    _parameter_constraints: ClassVar[dict] = {
        "method": [StrOptions({"ffill", "bfill", "linear", "time"})],
        "limit": [None, Interval(Integral, 1, None, closed="left")],
        "max_missing": [Interval(Real, 0, 1, closed="both")],
        "carry_tail": ["boolean"],
        "fallback": [
            None,
            StrOptions({"median", "mean"}),
            Interval(Real, None, None, closed="neither"),
        ],
        "add_indicator": ["boolean"],
        "max_gap": [
            None,
            Interval(Real, 0, None, closed="neither"),
            *(datetime.timedelta, np.timedelta64, str),
        ],
    }

    @fit_method
    @add_parameters(_TABLE)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn the fallback of each column, the columns to drop, and the tail.

        Returns
        -------
        self : object
            The fitted imputer.

        Raises
        ------
        ValueError
            If every column would be dropped.
        """
        values = self._read(X, reset=True)
        rows = self._learn_rows(X)
        codes, self.series_ = self._number_series(rows)
        parts = [
            self._learn_part(rows.group(values[:, at]), rows, codes)
            for at in gen_batches(values.shape[1], max(1, _VALUES // len(values)))
        ]
        statistics, shares, tails = zip(*parts, strict=True)
        self.series_statistics_ = np.hstack(statistics)
        self.statistics_ = self.series_statistics_[-1].copy()
        self._learn_columns(np.concatenate(shares))
        names, (_, _, time) = tails[0]
        last, ages = (
            np.take(np.hstack([t[k] for _, t in tails]), self._kept, axis=1)
            for k in (0, 1)
        )
        self._tails: Any = names, _Tail(last, ages, time)
        return self

    @add_parameters(_TABLE)
    def fit_transform(
        self, X: ArrayLike, y: ArrayLike | None = None
    ) -> NDArray | pd.DataFrame:
        """Fit, then fill the training table, without carrying its own tail.

        Returns
        -------
        filled : ndarray or DataFrame of shape (n_timestamps, n_features_out)
            The table without its missing values.
        """
        return self.fit(X, y)._impute(X, carry_tail=False)

    @after_fit
    @add_parameters(_TABLE)
    def transform(self, X: ArrayLike) -> NDArray | pd.DataFrame:
        """Fill a table, which must have the columns of the training table.

        Returns
        -------
        filled : ndarray or DataFrame of shape (n_timestamps, n_features_out)
            The kept columns without missing values, then the indicators; float32 if X
            is, else float64.

        Raises
        ------
        ValueError
            If columns are unknown or missing.
        """
        check_is_fitted(self)
        return self._impute(X, carry_tail=self.carry_tail)

    @after_fit
    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Name the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of the table; None: those seen in `fit`, or x0, x1, ...

        Returns
        -------
        names : ndarray of str
            Names of the kept columns, then of their indicators.
        """
        check_is_fitted(self)
        names = feature_names_in(self, input_features)
        indicators = "missingindicator_" + names[self._indicated]
        return np.concatenate([names[self._kept], indicators])

    def _read(self, X, *, reset):
        """Check a table and return its values, NaN where they are missing."""
        kinds = [np.float64, np.float32]
        values = validate_data(
            self, X, reset=reset, dtype=kinds, ensure_all_finite=False
        )
        at_once = gen_batches(len(values), rows_at_once(values.shape[1]))
        if any(np.isinf(values[at]).any() for at in at_once):
            infinite = np.isinf(values)
            row, column = np.argwhere(infinite)[0]
            names = getattr(self, "feature_names_in_", None)
            name = column if names is None else repr(str(names[column]))
            raise ValueError(
                f"Input X contains infinity in row {row}, column {name}; "
                f"{infinite.sum()} such values in {infinite.any(axis=1).sum()} of "
                f"{len(values)} rows. Set them to NaN to have them filled."
            )
        return native(values)

    def _learn_part(self, values, rows, codes):
        """Learn of some columns: fallbacks, shares of missing values, and tails.

        Fallbacks are those of each series, where it has one, and of all series.
        """
        statistics = self._learn_statistics(values)[np.newaxis]
        if codes is not None:
            table = pd.DataFrame(values, dtype=np.float64)
            found = table.groupby(codes).agg(self.fallback).to_numpy()
            found = np.where(np.isnan(found), statistics, found)
            statistics = np.vstack([found, statistics])
        return statistics, np.isnan(values).mean(axis=0), find_tails(values, rows)

    def _learn_statistics(self, values):
        if self.fallback in ("median", "mean"):
            return pd.DataFrame(values, dtype=np.float64).agg(self.fallback).to_numpy()
        number = np.nan if self.fallback is None else float(self.fallback)
        return np.full(values.shape[1], number)

    def _number_series(self, rows) -> tuple[NDArray | None, list[Any]]:
        """Numbers and names of the series, where each has a fallback of its own."""
        if rows.series is None or self.fallback not in ("median", "mean"):
            return None, []
        codes, names = pd.factorize(rows.series)
        return codes, list(names)

    def _fallbacks(self, rows):
        """Return the fallback of each kept column, or of each row and column."""
        if rows.series is None or not hasattr(self, "series_"):  # skad 0.1.0
            return self.statistics_[self._kept]
        codes, names = pd.factorize(rows.series)
        places = {name: at for at, name in enumerate(self.series_)}
        at = np.array([places.get(name, -1) for name in names])
        return self.series_statistics_[at][:, self._kept][codes]

    def _learn_columns(self, shares):
        too_many = shares > self.max_missing
        no_fallback = np.isnan(self.statistics_) & (self.fallback is not None)
        drop = too_many | no_fallback
        names = feature_names_in(self)
        if drop.all():
            raise ValueError(
                f"No column of X is left: each of the {len(drop)} lacks all of its "
                f"values or more than max_missing={self.max_missing} of them; the "
                f"fullest lacks {shares.min():.3g}."
            )
        unexpected = names[drop & ~too_many]
        if len(unexpected):
            shown = ", ".join(map(repr, unexpected))
            warn(
                f"Columns without any observed value are dropped: {shown}. They have "
                f"no {self.fallback} to fill them with; max_missing < 1 drops them "
                "without this warning, a number as fallback keeps them.",
                about=shown,
            )
        self.dropped_ = names[drop].tolist()
        self._kept = np.flatnonzero(~drop)
        self._indicated = np.flatnonzero(~drop & (shares > 0) & self.add_indicator)

    @after_fit
    def _impute(self, X, carry_tail):
        values = self._read(X, reset=False)
        rows = self._read_rows(X)
        indicators = np.isnan(values[:, self._indicated])
        values = rows.group(values[:, self._kept])  # a copy
        missing = np.isnan(values)
        filled = self._fill(values, missing, rows)
        if carry_tail:
            self._carry_tails(filled, missing, rows)
        np.copyto(filled, self._fallbacks(rows), where=np.isnan(filled))
        # row by row in memory, whatever pandas has made of it
        filled = rows.restore(filled)
        return np.ascontiguousarray(np.hstack([filled, indicators], dtype=values.dtype))

    def _fill(self, values, missing, rows):
        """Fill within segments by `method`; may write into `values`."""
        if self.method in ("ffill", "bfill"):
            groups = pd.DataFrame(values).groupby(rows.segments, sort=False)
            return getattr(groups, self.method)(limit=self.limit).to_numpy(copy=True)
        numbers = np.where(missing, np.nan, np.arange(len(values))[:, np.newaxis])
        groups = pd.DataFrame(numbers).groupby(rows.segments, sort=False)
        before = groups.ffill(limit=self.limit).to_numpy()
        after = groups.bfill().to_numpy()
        # For each value to fill, its row and those of the two values around it.
        between = missing & ~np.isnan(before) & ~np.isnan(after)
        row, column = np.nonzero(between)
        start, stop = before[between].astype(int), after[between].astype(int)
        time = None if self.method == "linear" else rows.time
        time = np.arange(len(values)) if time is None else (time - time[0]).to_numpy()
        weights = (time[row] - time[start]) / (time[stop] - time[start])
        first, last = values[start, column], values[stop, column]
        values[between] = first + weights * (last - first)
        return values

    def _carry_tails(self, filled, missing, rows):
        """Fill the start of each series that continues one of the training table."""
        limit = np.inf if self.limit is None else self.limit
        tails = self._tails_by_series()
        # reversed, so that the first segment of each series stays in the dict
        for series, (start, stop) in _by_series(rows, rows.bounds[::-1]).items():
            tail = tails.get(series)
            if tail is None or not self._follows(tail, rows.time, start):
                continue
            block = filled[start:stop]
            leading = np.logical_and.accumulate(missing[start:stop], axis=0)
            ages = tail.ages + np.arange(1, stop - start + 1)[:, np.newaxis]
            carried = leading & np.isnan(block) & (ages <= limit)
            filled[start:stop] = np.where(carried, tail.values, block)

    def _tails_by_series(self) -> dict[Any, _Tail]:
        """How each series of the training table ends, by its name."""
        if isinstance(self._tails, dict):  # of skad 0.1.0
            return self._tails
        names, (values, ages, time) = self._tails
        times = [None] * len(names) if time is None else time
        return dict(zip(names, map(_Tail, values, ages, times), strict=True))

    def _follows(self, tail, time, row):
        """Whether a row continues the training table without a gap."""
        if tail.time is None or time is None:
            return True
        now, then = as_numpy(time[row]), as_numpy(tail.time)
        return now > then and (self.max_gap_ is None or now - then <= self.max_gap_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class _Tail(NamedTuple):
    """How a series of the training table ends; how all do, one a row, for a fit."""

    values: np.ndarray  # last observed value of each column in the last segment, or NaN
    ages: np.ndarray  # rows after it
    time: Any  # of the last row, as numpy has it; None if the rows have none


def as_numpy(time) -> Any:
    """Return times as numpy has them, in UTC if they have a zone."""
    if getattr(time, "tz", None) is not None:
        time = time.tz_convert(None)
    return time.to_numpy() if hasattr(time, "to_numpy") else time


def find_tails(values, rows) -> tuple[list[Any], _Tail]:
    """Names of the series, and their tails."""
    found = _by_series(rows, rows.bounds)
    last, ages = np.empty((2, len(found), values.shape[1]))
    for at, (start, stop) in enumerate(found.values()):
        block = values[start:stop]
        ages[at] = np.argmax(~np.isnan(block[::-1]), axis=0)
        rows_before = len(block) - 1 - ages[at].astype(int)
        last[at] = block[rows_before, np.arange(block.shape[1])]
    ends = np.array([stop - 1 for _, stop in found.values()])
    times = None if rows.time is None else as_numpy(rows.time[ends])
    return list(found), _Tail(last, ages, times)


def _by_series(rows, bounds):
    """Bounds of the last one of the given segments of each series."""
    if rows.series is None:
        return {None: bounds[-1]}
    return dict(zip(rows.series[bounds[:, 0]], bounds, strict=True))
