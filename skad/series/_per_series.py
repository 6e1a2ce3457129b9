"""One detector for each series."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from skad._base import MetaDetector, SeriesThresholdMixin, calibrated
from skad._docs import add_parameters
from skad._fitting import after_fit, fit_method
from skad._nesting import parts
from skad._series_names import rows_by_series, takes_series
from skad._validation import (
    HasMethods,
    StrOptions,
    available_if,
    check_is_fitted,
    list_some,
    num_samples,
    take,
)
from skad._warnings import overhear
from skad.calibration._recalibrate import recalibrate
from skad.series._expected import expect
from skad.series._of_series import (
    explains_rows,
    judge,
    say_of,
    scale_of,
    shares_by_column,
    spread_of,
    warn_together,
)
from skad.series._rows import index_of

_ROWS = """
    X : array-like
        Rows as the detector takes them: a table, or windows. The first levels of a
        MultiIndex name the series of each.
    y : array-like of shape (n_samples,), default=None
        Passed to the detectors.
    series : array-like of shape (n_samples,), default=None
        Series that each row belongs to, in addition to those of the index.
"""


# What the rows of all series, or of new ones, are called.
_POOL = "pool of all series"


class _Part(NamedTuple):
    """Rows of one series, or of several new ones, and the detector for them."""

    name: Any
    detector: Any
    spread: float  # see `scale_of`
    rows: NDArray  # positions
    X: Any
    series: Any = None

    @property
    def params(self) -> dict[str, Any]:
        """What methods of the detector are to be told beside the rows."""
        return {} if self.series is None else {"series": self.series}


def _fit(detector, X, y, params) -> None:
    detector.fit(X, y, **params)


def _score(part) -> NDArray[np.float64]:
    """Score rows so that -1 is the threshold of their detector."""
    scores = np.asarray(part.detector.score_samples(part.X, **part.params), np.float64)
    shift, unit = scale_of(part.detector, part.spread)
    return (scores - shift) / unit


def _explains(detector) -> bool:
    return explains_rows(getattr(detector, "estimator_", detector.estimator))


@dataclass(eq=False, repr=False)
class PerSeriesDetector(SeriesThresholdMixin, MetaDetector):
    """One detector for each series, such as each machine of a plant.

    Each learns from the rows of its series alone and judges those, by its own
    threshold: what is usual for one machine may be a fault of another.

    Parameters
    ----------
    estimator : estimator
        Outlier detector with ``score_samples``, of skad or of scikit-learn, or a
        pipeline that ends in one, such as imputer, scaler and `WindowedDetector`;
        cloned for each series.
    new_series : {"raise", "pool"}, default="raise"
        What becomes of rows to score whose series was not there in fit: an error that
        names it, or "pool", a detector fitted on the rows of all series.
    n_jobs : int, default=None
        Series that are fitted, or scored, at once: in threads, or where
        ``joblib.parallel_config`` says, such as "dask". None: 1, unless within that;
        -1: all processors. Results are the same.

    Attributes
    ----------
    estimators_ : dict
        The fitted detectors, by the names of their series: tuples where several levels
        of the index name them, None in a table that names none.
    pooled_ : estimator or None
        The one fitted on all series; None unless ``new_series="pool"``.
    offset_ : float
        A score below it is an anomaly: -1.0, the threshold of each series in its unit.
    n_features_in_ : int
        Number of columns, where the detector knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where `X` has them.

    See Also
    --------
    WindowedDetector : One detector for all series, which windows do not cross.
    DetectorUnion : Several detectors of the same rows.

    Notes
    -----
    **Scores** of detectors that have learnt different things cannot be compared, so
    those of each series are divided by the size of its own threshold: -1.0 is as far
    off as what is just flagged, -2.0 twice as far, whatever the series. That keeps the
    order of scores within a series, and the labels. (A threshold that is not below 0,
    as of OneClassSVM, is no such unit: there 0.0 is the median of the rows of fit.)
    Rules, metrics and displays then see scores of one kind. `explain` shares them out
    in the same unit. ``estimators_[name]`` gives those of one detector in its own.

    What belongs to one detector, such as ``contamination`` or ``max_epochs``, is set on
    `estimator`, as ``estimator__contamination`` in a search. The threshold of each is
    always looked for, also within `TunedThresholdDetector`, as it is the unit.

    Warnings of the detectors are given once for each kind, with the series they are of.
    A table that names no series is one series. To find out whether one detector for all
    series does as well, compare with it in `evaluate`: it has more rows to learn from.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import LinearAutoencoder, PerSeriesDetector, WindowedDetector
    >>> from skad import make_sensors
    >>> X, _ = make_sensors(1000, n_faults=0, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> plant = pd.concat({"pump": X, "fan": 3.0 + 2.0 * X})
    >>> detector = PerSeriesDetector(WindowedDetector(LinearAutoencoder(4), 20))
    >>> scores = detector.fit(plant).score_samples(plant)
    >>> list(detector.estimators_), scores.shape
    (['pump', 'fan'], (2000,))
    """

    estimator: Any
    _: KW_ONLY
    new_series: Literal["raise", "pool"] = "raise"
    n_jobs: int | None = None

    splits_series = True  # what is inside is one of several, see `refuse_several`

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "new_series": [StrOptions({"raise", "pool"})],
        "n_jobs": [Integral, None],
    }

    @property
    def estimator_(self) -> Any:
        """A fitted detector, the first one: by it others see of which kind all are."""
        return next(iter(self.estimators_.values()))

    # fit ------------------------------------------------------------------------------

    @fit_method
    @add_parameters(_ROWS)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        series: ArrayLike | None = None,
    ) -> Self:
        """Fit a detector on the rows of each series.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If the name of a series is missing, or a detector cannot learn from its
            rows: the message names the series.
        """
        X, y, series = indexable(X, y, series)
        tasks = [
            (name, *take(rows, X, y), None)
            for name, rows in self._split(X, series).items()
        ]
        names = [name for name, *_ in tasks]
        if self.new_series == "pool":
            tasks.append((_POOL, X, y, self._for_pool(series)))
        context = self._init_callback_context(
            max_subtasks=len(tasks), sequential_subtasks=False
        )
        context.call_on_fit_task_begin(estimator=self)
        fitted = self._run(self._fit_one, [(context, *t) for t in enumerate(tasks)])
        context.call_on_fit_task_end(estimator=self)
        self.estimators_ = dict(zip(names, (one for one, _ in fitted), strict=False))
        self.pooled_ = fitted[-1][0] if self.new_series == "pool" else None
        self._spreads = [spread for _, spread in fitted]
        self.offset_ = -1.0
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def _for_pool(self, series) -> Any:
        """Series as the pooled detector is to be told of them."""
        if series is None or takes_series(self.estimator.fit):
            return series
        if any(getattr(part, "needs_order", False) for part in parts(self.estimator)):
            raise TypeError(
                "new_series='pool' fits one detector on all series, but "
                f"{type(self.estimator).__name__}.fit cannot be told of `series`: rows "
                "of one would run into those of the next. Name the series in the index "
                "of X (a MultiIndex of series and time)."
            )
        return None

    def _fit_one(self, context, number, task) -> tuple[Any, float]:
        """Fit the detector of one series; return it, and its `spread`."""
        _, X, y, series = task
        detector = clone(self.estimator)
        params = {} if series is None else {"series": series}
        with self._fit_task(context, "fit-series", detector, X, y, task_id=number):
            calibrated(_fit, detector, X, y, params)
        return detector, spread_of(detector, X, params)

    # Series ---------------------------------------------------------------------------

    def _split(self, X, series) -> dict[Any, NDArray[np.int64]]:
        return rows_by_series(index_of(X), series, num_samples(X))

    def _parts(self, X, series=None) -> list[_Part]:
        """Divide rows to score among the detectors."""
        check_is_fitted(self)
        X, series = indexable(X, series)
        by_name = self._split(X, series)
        spreads = dict(zip(self.estimators_, self._spreads, strict=False))
        found = [
            _Part(n, self.estimators_[n], spreads[n], rows, *take(rows, X))
            for n, rows in by_name.items()
            if n in self.estimators_
        ]
        if unknown := [name for name in by_name if name not in self.estimators_]:
            self._refuse(unknown)
            rows = np.sort(np.concatenate([by_name[name] for name in unknown]))
            told = self._for_pool(series)
            given = rows, *take(rows, X, told)
            found.append(_Part(_POOL, self.pooled_, self._spreads[-1], *given))
        return found

    def _refuse(self, unknown) -> None:
        """Refuse series that there is no detector for."""
        if unknown == [None]:
            raise ValueError(
                "X names no series, as the rows given to fit did, so that nothing "
                "tells which detector they are for. Name it in the index (a MultiIndex "
                "of series and time, as in X.loc[['a']] instead of X.loc['a']), or "
                "pass series."
            )
        if self.pooled_ is None and None in self.estimators_:
            raise ValueError(
                f"X names series, {list_some(unknown)}, but the rows given to fit "
                "named none; name them there, too, or nowhere."
            )
        if self.pooled_ is None:
            raise ValueError(
                f"X holds {len(unknown)} series that were not there in fit: "
                f"{list_some(unknown)}; known are {list_some(list(self.estimators_))}"
                ". Fit on them, too, or set new_series='pool' for a detector of all "
                "series that judges new ones."
            )

    def _detector_of(self, name) -> tuple[Any, float]:
        """Return the detector of a series, and its `spread`."""
        if name not in self.estimators_:
            self._refuse([name])
            return self.pooled_, self._spreads[-1]
        return self.estimators_[name], self._spreads[[*self.estimators_].index(name)]

    def _run(self, call, tasks) -> list[Any]:
        """Call for each series, at once; give warnings once, with their series.

        The last item of a task, or the first of that, is the name of its series.
        """
        names = [task[-1][0] for task in tasks]
        if len(tasks) == 1 and names[0] is None:  # nothing to name
            return [call(*tasks[0])]
        # What comes and goes can be sent: a cluster that joblib is told of takes it.
        run = Parallel(n_jobs=self.n_jobs, prefer="threads")
        told = run(
            delayed(say_of)(name, overhear, call, *task)
            for name, task in zip(names, tasks, strict=True)
        )
        warn_together(names, [heard for _, heard in told])
        return [result for result, _ in told]

    def _gather(self, call, X, series=None) -> NDArray:
        """Call for the rows of each series; put results in the order of the rows."""
        found = self._parts(X, series)
        results = self._run(call, [(part,) for part in found])
        for part, result in zip(found, results, strict=True):
            expected = len(part.rows), *results[0].shape[1:]
            if result.shape != expected:
                raise ValueError(
                    f"Series {part.name!r}: the detector gives results of shape "
                    f"{result.shape}, where {expected} is expected. Steps that add or "
                    "drop rows or columns, as TableReader(every=...) does, belong "
                    "before PerSeriesDetector."
                )
        whole = np.empty((num_samples(X), *results[0].shape[1:]))
        for part, result in zip(found, results, strict=True):
            whole[part.rows] = result
        return whole

    # Scores ---------------------------------------------------------------------------

    @after_fit
    @add_parameters(_ROWS)
    def score_samples(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Score each row with the detector of its series.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            In multiples of the threshold of each series, in the order of the rows;
            higher = more normal.

        Raises
        ------
        ValueError
            If a series is new and ``new_series="raise"``, or none is named.
        """
        return self._gather(_score, X, series)

    @after_fit
    @add_parameters(_ROWS)
    def predict(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Label rows, each by the threshold of its series.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int
            -1 for anomalies, where `decision_function` is below zero; else +1.
        """
        labels = np.where(self.decision_function(X, series=series) < 0, -1, 1)
        heard, names = [], []
        for name, rows in self._split(X, series).items():
            detector = self.estimators_.get(name, self.pooled_)
            _, told = overhear(judge, detector, labels[rows])
            heard.append(told)
            names.append(name)
        warn_together(names, heard)
        return labels

    @available_if(_explains)
    @after_fit
    @add_parameters(_ROWS)
    def explain(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Share out the score of each row to the columns of `X`.

        Returns
        -------
        contributions : ndarray of shape (n_timestamps, n_channels) or (n_windows, \
                window_length, n_channels)
            Parts of the error of each row; higher = more anomalous. They add up to
            ``-score_samples(X, series=series)``. Columns that a step before the
            detector of a series has dropped have none.
        """
        return self._gather(self._explain_part, X, series)

    def _explain_part(self, part) -> NDArray[np.float64]:
        n_columns = self.n_features_in_
        shares = shares_by_column(part.detector, part.X, n_columns, part.params)
        shift, unit = scale_of(part.detector, part.spread)
        return (shares + shift / shares[0].size) / unit

    # What functions ask ---------------------------------------------------------------

    @after_fit
    def _expect(self, X) -> NDArray[np.float64]:
        """Tell what rows should have read, in units of X."""
        return self._gather(lambda part: expect(part.detector, part.X), X)

    @after_fit
    def _detectors_for(self, X) -> list[tuple[Any, Any, Any]]:
        """List names of series, their detectors and rows."""
        return [(part.name, part.detector, part.X) for part in self._parts(X)]

    def _recalibrate(self, X) -> None:
        """Replace detectors by ones with a threshold from later rows."""
        found = self._parts(X)
        detectors = self._run(
            lambda part: recalibrate(part.detector, part.X), [(one,) for one in found]
        )
        for part, detector in zip(found, detectors, strict=True):
            if part.detector is self.pooled_:
                self.pooled_ = detector
            else:
                self.estimators_[part.name] = detector
