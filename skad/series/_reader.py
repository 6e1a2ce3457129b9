"""The first step of a pipeline: tables as people have them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import timedelta
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from skad._base import VersionedMixin
from skad._docs import add_parameters
from skad._fitting import after_fit, fit_method
from skad._validation import (
    check_is_fitted,
    feature_names_in,
    num_samples,
    sklearn_validate_data,
)
from skad.series._read_table import Learnt, read_table
from skad.series._table_parts import as_names
from skad.series._tables import as_frame, has_columns
from skad.series._times import TimeStyle, check_format

_TABLE = """
    X : table of shape (n_rows, n_columns)
        Of pandas, polars, pyarrow or xarray, or an array.
    y : array-like of shape (n_rows,), default=None
        Labels are not read; they must fit the rows that are handed on.
"""


@dataclass(eq=False, repr=False)
class TableReader(VersionedMixin, TransformerMixin, BaseEstimator):
    """Read a table as people have it: times, series, and sensors as numbers.

    The first step of a pipeline. It hands on a DataFrame of sensors, float64, whose
    index is the time or, with several series, the series and the time. What it learns
    in `fit`, such as the order of dates, holds for every table that is scored, however
    short. Nothing is filled, sorted or averaged unless `long` or `every` says so.

    Parameters
    ----------
    time : str or list of str, default=None
        Column, or level of the index, that holds the time. A list is joined: a date
        and a time of day. None: the index of the table.
    series : str or list of str, default=None
        Columns, or levels of the index, that tell which series (machine, run) a row
        belongs to. None: the levels of a MultiIndex before the time; else one series.
    dayfirst : bool, default=None
        Whether 04/05/2018 is in May. None: the order that fits all rows, see Notes.
    format : str, default=None
        Format of times, as for `pandas.to_datetime`; for numbers their unit since 1970:
        "D", "h", "m", "s", "ms", "us" or "ns". None: any usual way; numbers stay
        numbers. It tells the order of dates, so that `dayfirst` must be None.
    missing : number, str, or list or set of these, default=()
        Values that stand for missing ones in any sensor, such as
        ``[-200, 9999, "Bad"]``; texts of numbers count as numbers, too.
    long : (str, str, str), default=None
        Columns of time, sensor and value of a table that has a row for each value. It
        is made wide: series by series, each in the order of time.
    every : str, timedelta or number, default=None
        Length of bins, such as "1min", of which each becomes one row, the mean of what
        it holds, labelled by its start. Up to 4 empty bins in a row become rows of
        missing values, more of them stay a gap. A number if times are numbers. Where
        times have a zone, bins start at midnight there; days have 24 hours, even if
        clocks change.

    Attributes
    ----------
    sensors_ : list of str
        Names of the columns that are handed on.
    dropped_ : list
        Columns without any number in `fit`: empty ones, texts and dates.
    dayfirst_ : bool or None
        The order of dates; None where nothing depends on it.
    format_ : str or None
        `format`, or that of dates with months in words.
    units_ : dict
        Units of sensors, from a row under the header.
    report_ : TableReport
        What was found in the table given to `fit`; print it to read it.
    n_features_in_ : int
        Columns of that table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of these columns, if they are strings.

    Warns
    -----
    UserWarning
        If rows were dropped that repeat an earlier one; if texts became missing or
        columns without any number were dropped; and, in `fit`, if values look like ones
        that stand for missing: at least 3 times the same, and far from all others.

    See Also
    --------
    clean_table : The same as a function.
    TimeSeriesImputer : Fills missing values; the next step.
    sensor_pipeline : Reader, imputer, scaler, windows and detector.

    Notes
    -----
    **Rows** keep their number and order, except that rows which repeat another one of
    their series (same time, same values), empty rows at the end, and rows of units
    under the header are dropped. Labels no longer fit then, so that ``fit(X, y)``
    refuses it: use `clean_table` first, with the labels as a column. Interleaved series
    stay so. Time that goes backwards within a series is an error.

    **Dates** are read as ISO 8601, or with numbers in any order, with the separators
    "-", "/" and ".", two or four digits for the year, and any time of day. Both orders
    of day and month are tried on the whole column. If only one reads all rows, or only
    one never goes backwards within a series, it is taken; if both do, `dayfirst` must
    say it. Years of two digits are taken to come last, unless they are no dates then:
    in 24-01-31 the year is 2031, if ``format="%y-%m-%d"`` does not say otherwise.
    Tables to be scored have the order of `fit`; where that told none, they are refused.
    Several offsets from UTC become UTC; tables to be scored come in the zone of `fit`.

    **Numbers** may be texts, with decimal commas or with thousands apart. "1,234" is
    read as its column, or else other columns, tell, and refused if nothing does. Other
    texts become missing, and are counted in `report_`.

    **Columns** are checked by name and order. Sensors that are new or have disappeared,
    and those in another order, are errors that name them.

    **polars**: ``set_output(transform="polars")`` loses the index, and with it time and
    series. In a pipeline use ``set_output(transform="pandas")``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import TableReader
    >>> raw = pd.DataFrame({"when": ["12/01/2024", "13/01/2024", "14/01/2024"],
    ...                     "pump": ["A", "A", "A"], "bar": ["2,5", "-200", "3,5"]})
    >>> reader = TableReader("when", series="pump", missing=[-200]).fit(raw)
    >>> reader.transform(raw)
                      bar
    pump when
    A    2024-01-12   2.5
         2024-01-13   NaN
         2024-01-14   3.5
    >>> reader.report_
    Table of 3 rows, read as 3
      time: 'when', dates, day first, 2024-01-12 00:00:00 to 2024-01-14 00:00:00
      series: 1, by pump
      became missing, as told: bar: 1
      decimal commas: bar
    """

    time: Hashable | list[Hashable] | None = None
    _: KW_ONLY
    series: Hashable | list[Hashable] | None = None
    dayfirst: bool | None = None
    format: str | None = None
    missing: Any = ()
    long: Sequence[Hashable] | None = None
    every: str | timedelta | np.timedelta64 | float | None = None

    needs_order = True  # of rows, see `TunedThresholdDetector`
    keeps_channels = True
    reads_tables = True  # see `reader_of`

    _parameter_constraints: ClassVar[dict] = {
        "time": [None, str, Real, list, tuple],
        "series": [None, str, Real, list, tuple],
        "dayfirst": [None, "boolean"],
        "format": [None, str],
        "missing": [
            *(None, str, Real, list, tuple, set),
            *(np.ndarray, pd.Series, pd.Index),
        ],
        "long": [None, list, tuple],
        "every": [None, str, timedelta, np.timedelta64, Real],
    }

    @fit_method
    @add_parameters(_TABLE)
    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Learn how the table is written, and which sensors it has.

        Returns
        -------
        self : object
            The fitted reader.

        Raises
        ------
        ValueError
            If columns are missing, times are missing, unreadable, ambiguous or out of
            order, no column holds numbers, or rows are dropped and `y` is given.
        """
        self._learn(X, y)
        return self

    @fit_method
    @add_parameters(_TABLE)
    def fit_transform(self, X: Any, y: ArrayLike | None = None) -> pd.DataFrame:
        """Fit, and return the table as it was read.

        Returns
        -------
        table : DataFrame of shape (n_timestamps, n_sensors)
            The sensors, float64, by series and time.
        """
        return self._learn(X, y)

    @after_fit
    def transform(self, X: Any) -> pd.DataFrame:
        """Read a table as the one given to `fit` was read.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            With the columns of that table, those in `dropped_` excepted.

        Returns
        -------
        table : DataFrame of shape (n_timestamps, n_sensors)
            The sensors, float64, by series and time.

        Raises
        ------
        ValueError
            If columns are unknown or missing, or hold what they did not hold in `fit`.
        """
        check_is_fitted(self)
        frame = as_frame(X)
        frame = self._check_columns(frame, X)
        learnt = self._learnt | {"style": TimeStyle(**self._learnt["style"])}
        return read_table(frame, self, Learnt(**learnt))[0]

    @after_fit
    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Name the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of the table; None: those seen in `fit`.

        Returns
        -------
        names : ndarray of str
            Names of the sensors.
        """
        check_is_fitted(self)
        names = np.array(self.sensors_, dtype=object)
        if input_features is None:
            return names
        given = feature_names_in(self, input_features)
        sensors = set(self._learnt["sensors"])
        kept = [at for at, name in enumerate(self._columns) if name in sensors]
        return names if self.long is not None else given[kept]

    def _learn(self, X, y) -> pd.DataFrame:
        self._check_long()
        check_format(self.format, self.dayfirst)
        frame = as_frame(X)
        seen = frame if has_columns(X) else X
        if seen is frame and not all(isinstance(name, str) for name in frame.columns):
            seen = frame.set_axis(range(frame.shape[1]), axis=1)  # no names to keep
        sklearn_validate_data(self, seen, skip_check_array=True)
        table, report, learnt = read_table(frame, self)
        if y is not None and len(table) != num_samples(y):
            raise ValueError(
                f"X has {len(frame)} rows, of which {len(table)} are handed on, but y "
                f"has {num_samples(y)}: labels would not fit.\n{report!r}\nPass X "
                "through skad.clean_table first, with the labels as a column."
            )
        self.sensors_ = list(table.columns)
        self.dropped_ = learnt.dropped
        self.dayfirst_ = learnt.style.order
        self.format_ = learnt.style.format
        self.units_ = report.units
        self.report_ = report
        self._columns = list(frame.columns)
        self._learnt = vars(learnt) | {"style": asdict(learnt.style)}
        return table

    def _with_dropped(self, table) -> pd.DataFrame:
        """Add the columns that were dropped to those that were handed on, as NaN."""
        if self.long is not None:
            return table
        kept = {*self._learnt["sensors"], *self.dropped_}
        return table.reindex(columns=[str(n) for n in self._columns if n in kept])

    def _check_long(self) -> None:
        if self.long is None:
            return
        is_named = all(isinstance(name, Hashable) for name in self.long)
        if len(self.long) != 3 or not is_named or self.time not in (None, self.long[0]):
            raise ValueError(
                f"long={self.long!r} with time={self.time!r}; expected the names of "
                "three columns, time, sensor and value, and time=None."
            )

    def _check_columns(self, frame, X) -> pd.DataFrame:
        """Refuse columns that were not in fit, and the lack of those that were.

        Columns without names are those of fit, in their order.
        """
        if not has_columns(X):
            sklearn_validate_data(self, X, reset=False, skip_check_array=True)
            return frame.set_axis(self._columns, axis=1)
        long = as_names(self.long, self._columns)
        named = as_names(self.time if self.long is None else long[0], self._columns)
        named += as_names(self.series, self._columns)
        sensors = self._learnt["sensors"] if self.long is None else long[1:]
        there = [name for name in frame.columns if name not in named]
        new = [n for n in there if n not in {*sensors, *self.dropped_}]
        named = [name for name in named if name not in frame.index.names]
        gone = [n for n in named if n not in frame.columns]
        gone += [n for n in sensors if n not in set(there)]
        kept = [name for name in there if name in set(sensors)]
        if not new and set(gone) <= set(named) and kept == list(sensors):
            return frame
        # in the words of scikit-learn
        said = "The feature names should match those that were passed during fit.\n"
        if new:
            said += "Feature names unseen at fit time:\n" + _listed(new)
        if gone:
            said += "Feature names seen at fit time, yet now missing:\n" + _listed(gone)
        if not new and not gone:
            said += "Feature names must be in the same order as they were in fit.\n"
        columns = [n for n in named if n in self._columns] + list(sensors)
        raise ValueError(f"{said}Pass the columns {columns}, in this order.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []  # always float64
        return tags


def _listed(names) -> str:
    shown = "".join(f"- {name}\n" for name in sorted(map(str, names))[:5])
    return shown + ("- ...\n" if len(names) > 5 else "")
