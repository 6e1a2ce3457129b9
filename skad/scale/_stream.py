"""Rows scored as they come, one by one."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from skad._fitting import with_standard_numbers
from skad.calibration._drift import DriftReport
from skad.scale._chunks import with_labels
from skad.scale._path import names_given, threshold_of
from skad.scale._stream_drift import pooled, report_of, shares_flagged_so_far
from skad.scale._stream_lanes import Lanes
from skad.scale._stream_rows import Given, check_order, read_update
from skad.scale._stream_scores import Found
from skad.series._drift import calibrated_layer
from skad.series._table_parts import as_names


class StreamScorer:
    """Score rows as they come, one by one, by a fitted detector of tables.

    It remembers what the next row needs of those before: the rows of a window, and the
    last value of each sensor. So a row gets the score that it has in the whole table,
    bit for bit, for the time of one window.

    Parameters
    ----------
    estimator : estimator
        Fitted detector of tables, or a pipeline that ends in one: `sensor_pipeline`,
        `WindowedDetector`, `DetectorUnion`, `PerSeriesDetector`, in a search or a
        wrapper that chooses the threshold, too; or a detector of rows. Its windows are
        cut with ``stride=1``; an imputer in it has ``method="ffill"``.
    time : str, default=None
        Column of times, dates or numbers, if neither the index of rows nor a
        `TableReader` in the pipeline tells it.
    series : str or list of str, default=None
        Columns that tell the series of each row, likewise.

    Attributes
    ----------
    drift_detected : bool
        Whether far more of the rows so far are flagged than calibration promises.

    Raises
    ------
    ValueError
        If a step needs rows around that is no `TimeSeriesImputer`, or one that fills
        from later rows; if windows have another stride; or `TableReader` makes a row of
        several (``every``, ``long``).

    See Also
    --------
    score_chunks : For tables that come in large parts.
    drift_report : The same for a table.

    Notes
    -----
    **Scores** are those of the whole table with ``aggregate="last"``, whatever the
    detector was fitted with: a row is judged by the window that ends with it. The first
    window_length - 1 rows of each series, and after each gap, have no such window, and
    the score NaN. (In a table they have that of the first window, which looks ahead.)
    Set ``aggregate="last"`` before fit: then the threshold is placed for such scores.

    **Time.** Rows of a series come in the order of time. One that is no later than the
    one before is refused, and nothing of that update counts. A step in time longer than
    ``max_gap_`` is a gap. Rows that are arrays or dicts have no time: they follow one
    another without gaps.

    **Bits** are those of the whole table for detectors of skad, and all others that
    score a window alone, such as IsolationForest; others may round differently. With
    the first window a detector of skad finds out, in a fraction of a second, how small
    a block gives the bits of whole ones here, with as many threads as there are then.

    **For those who know river**: nothing learns here, so there is no ``learn_one``, and
    `score_one` takes the row in. A higher score is more normal, as everywhere in skad,
    where river's is more anomalous.

    **Files and copies** (`save`, pickle, copy.deepcopy) hold what is remembered, so
    that a stream goes on elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import LinearAutoencoder, StreamScorer, WindowedDetector, make_sensors
    >>> X, _ = make_sensors(2000, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detector = WindowedDetector(LinearAutoencoder(4), 20, aggregate="last")
    >>> stream = StreamScorer(detector.fit(X[:1000]))
    >>> scores = [stream.update(row) for row in X[1000:].to_numpy()]
    >>> np.array_equal(scores[19:], detector.score_samples(X[1000:])[19:])
    True
    >>> stream.update(X[-1:], labels=True).columns.tolist()
    ['score', 'label']
    """

    def __init__(
        self,
        estimator: Any,
        *,
        time: Hashable | None = None,
        series: Hashable | list[Hashable] | None = None,
    ):
        self.estimator, self.time, self.series = estimator, time, series
        self._made: Lanes | None = None
        names_given(self._lanes.reader, time, series)
        self.reset()

    def __repr__(self):
        told = {"time": self.time, "series": self.series}
        given = [f"{k}={v!r}" for k, v in told.items() if v is not None]
        return f"StreamScorer({', '.join([repr(self.estimator), *given])})"

    def __getstate__(self):
        return {k: v for k, v in vars(self).items() if k != "_made"}

    def __setstate__(self, state):
        vars(self).update(state)
        self._made = None

    @property
    def _lanes(self) -> Lanes:
        """What depends on the estimator alone, and on this machine."""
        if self._made is None:
            self._made = Lanes(self.estimator)
        return self._made

    @property
    def _named(self) -> tuple[list, list]:
        return as_names(self.series), as_names(self.time)

    def reset(self) -> None:
        """Forget all rows, as if none had come."""
        self._n_rows = 0
        self._states: dict[Any, Any] = {}  # by the names of series

    @with_standard_numbers
    def update(
        self, rows: Any, *, labels: bool = False, contributions: bool = False
    ) -> Any:
        """Take in the next rows, and score them.

        Parameters
        ----------
        rows : array, dict, Series or table
            One row: an array of shape (n_channels,), in the order of the columns of
            fit, which takes least time; a dict {sensor: value}; or a Series, as
            ``X.iloc[i]`` is. Or several, of one series or more, as the estimator takes
            tables.
        labels : bool, default=False
            Whether to give labels as well.
        contributions : bool, default=False
            Whether to share out scores to sensors as well, see `explain`.

        Returns
        -------
        scores : float, Series or DataFrame
            Scores; higher = more normal, NaN where there is no whole window yet. A
            float for one row, a Series with the index of the rows for a table. If more
            is wanted, a DataFrame of the columns "score"; "label" (-1 for anomalies,
            else +1, also where there is no score); and one for each sensor, which add
            up to ``-score``.

        Raises
        ------
        ValueError
            If rows do not fit the table of fit, hold missing values that no step fills,
            or infinite ones, or are no later than those before; or labels are wanted
            and windows have another `aggregate` than "last". Nothing has changed then.
        """
        lanes, threshold = self._lanes, None
        if labels:
            self._check_last("Labels")
            threshold = threshold_of(self.estimator)
        given = read_update(lanes, rows, self._named, self._n_rows)
        first, found = self._n_rows, self._push(given, contributions)
        if given.is_one and found and not (labels or contributions):
            return float(found[0].scores[0])
        index = given.labels
        if index is None:
            index = pd.RangeIndex(first, self._n_rows)
        return self._table(given, index, found, threshold, contributions)

    def _push(self, given: Given, explain: bool) -> list[Found]:
        """Take rows in, all or none, and score them."""
        states, found = {}, []
        for name, _, part in given.parts:
            lane = self._lanes.of(name)
            last, state = self._states.get(name, (None, None))
            check_order(name, part.times, last)
            state = lane.lane.start() if state is None else state
            state, told = lane.push(state, part, explain)
            states[name] = None if part.times is None else part.times[-1], state
            found.append(told)
        self._states |= states
        self._n_rows += sum(len(told.scores) for told in found)
        return found

    @with_standard_numbers
    def score_one(self, x: Any) -> float:
        """Take in the next row, and score it, as `update` does.

        Parameters
        ----------
        x : dict, array or Series
            The row, as for `update`.

        Returns
        -------
        score : float
            Higher = more normal; NaN where there is no whole window yet.
        """
        given = read_update(self._lanes, x, self._named, self._n_rows)
        if not given.is_one:
            raise TypeError(
                f"x is of type {type(x).__name__}; expected one row: a dict, a Series "
                "or an array of one dimension. `update` takes tables."
            )
        return float(self._push(given, explain=False)[0].scores[0])

    def _table(self, given: Given, index, found, threshold, explain) -> Any:
        """Put scores, and what else is wanted, by the rows."""
        scores = np.empty(len(index))
        for (_, at, _), told in zip(given.parts, found, strict=True):
            scores[at] = told.scores
        scores = pd.Series(scores, index, name="score")
        if threshold is None and not explain:
            return scores
        table = with_labels(scores, threshold)
        table = scores.to_frame() if threshold is None else table
        if not explain:
            return table
        return pd.concat([table, self._contributions(given, index, found)], axis=1)

    def _contributions(self, given, index, found) -> pd.DataFrame:
        """Make a table of all shares; 0 for sensors that a series has none of."""
        names = [self._lanes.of(name).names for name, _, _ in given.parts]
        columns = list(dict.fromkeys(name for own in names for name in own))
        places = {name: place for place, name in enumerate(columns)}
        shares = np.zeros((len(index), len(columns)))
        for (_, at, _), told, own in zip(given.parts, found, names, strict=True):
            block = np.zeros((len(told.scores), len(columns)))
            block[:, [places[name] for name in own]] = told.shares
            block[np.isnan(told.scores)] = np.nan
            shares[at] = block
        return pd.DataFrame(shares, index, columns)

    # Drift ----------------------------------------------------------------------------

    @property
    def drift_detected(self) -> bool:
        """Whether far more of the rows so far are flagged than calibration promises.

        By the rule of `DriftWarning`, over all rows since `reset`; False before the
        first score.
        """
        counts = self._counts()
        if not sum(one["n_rows"] for _, _, one, _ in counts):
            return False
        told = shares_flagged_so_far(counts)
        return told["flagged"] > told["allowed"]

    @with_standard_numbers
    def drift_report(self, *, confidence: float = 0.99) -> DriftReport:
        """Tell what has moved since fit, by the rows since `reset`.

        Parameters
        ----------
        confidence : float, default=0.99
            Probability with which all intervals hold together where nothing has moved.

        Returns
        -------
        report : DriftReport
            That of the function `drift_report` for these rows, but for rounding. Rows
            without a score count for nothing.

        Raises
        ------
        ValueError
            If windows have another `aggregate` than "last", there are too few rows yet,
            or `confidence` is not between 0 and 1; or as for the function.
        TypeError
            If the detector is no `WindowedDetector` or `DetectorUnion` of such.
        """
        if not isinstance(confidence, Real) or not 0 < confidence < 1:
            raise ValueError(f"confidence={confidence!r}; expected a float in (0, 1).")
        counts = [one for one in self._counts() if one[2]["n_windows"]]
        if not counts:
            raise ValueError(
                "There are no rows to report on: no whole window has come since the "
                "start, or since reset."
            )
        return report_of(counts, confidence)

    def _counts(self) -> list[tuple[Any, Any, Any, list]]:
        """List counts: those of each series with its own detector, or of all rows."""
        self._check_last("Drift")
        lanes = self._lanes
        names = [*self._states] or ([] if lanes.splits_series else [None])
        watches = {name: lanes.of(name).lane.watch for name in names}
        for name, watch in watches.items():
            if watch is None:
                calibrated_layer(lanes.detector_of(name))  # which says why
                raise TypeError(
                    "Drift is told of rows that a WindowedDetector, or a DetectorUnion "
                    "of such, scores; use the function drift_report for others."
                )
        counts = {name: state["watch"] for name, (_, state) in self._states.items()}
        if not lanes.splits_series and counts:
            counts = {None: pooled([*counts.values()])}
        found = []
        for name, own in counts.items():
            lane = lanes.of(name if lanes.splits_series else names[0])
            calibration = lane.lane.watch.calibration
            found.append((name, calibration, own, lane.names))
        return found

    def _check_last(self, what) -> None:
        if others := self._lanes.others_than_last():
            raise ValueError(
                f"{what} need a threshold for scores by the last window, but this "
                f"detector was fitted with aggregate={', '.join(map(repr, others))}: "
                'its threshold is for other scores. Fit it with aggregate="last".'
            )
