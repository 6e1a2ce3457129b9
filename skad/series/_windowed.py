"""Any detector of windows as a detector of the rows of a table."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import InputTags

from skad._base import MetaDetector, SeriesThresholdMixin, inner_explains, uncalibrated
from skad._docs import add_parameters
from skad._fitting import after_fit, fit_method
from skad._nesting import tell_n_channels
from skad._validation import (
    HasMethods,
    Interval,
    StrOptions,
    available_if,
    check_consistent_length,
    check_finite,
    check_is_fitted,
    column_or_1d,
    knowing_finite,
    validate_data,
)
from skad.series._cover import expect_segment, explain_segment, score_segment
from skad.series._expected import expect
from skad.series._folds import LeavesOutRows, learns_positions
from skad.series._length import (
    WINDOW_LENGTHS,
    CutsWindows,
    WindowLength,
    check_long_enough,
    check_stride,
    rows_in_window,
)
from skad.series._rows import MaxGap, Rows
from skad.series._table_windows import (
    TableWindows,
    refuse_too_few,
    warn_of_short_segments,
)
from skad.series._windows import count_in_window, window_starts

_TABLE = """
    X : array-like of shape (n_timestamps, n_channels)
        Table.
    y : array-like of shape (n_timestamps,), default=None
        Ignored, unless `normal_label` is set.
    series : array-like of shape (n_timestamps,), default=None
        Series that each row belongs to, in addition to those of the index.
"""


@dataclass(eq=False, repr=False)
class WindowedDetector(CutsWindows, LeavesOutRows, SeriesThresholdMixin, MetaDetector):
    """Detector of windows, applied to a table: one score for each row.

    Parameters
    ----------
    estimator : estimator
        Outlier detector with ``score_samples``, of skad or of scikit-learn, or a
        pipeline that ends in one; cloned. It is fitted on windows as rows,
        window_length * n_channels values each. What sees windows in it is told its
        `n_channels`: a detector of skad, also inside a wrapper or union, or behind
        steps that keep the columns, such as scalers; and the first step that does not
        keep them, such as `RandomConvolutions`.
    window_length : int, "auto", float, str or timedelta-like, default="auto"
        Rows a window. "auto": the period of the table of fit, if it has one, else 60;
        see `suggest_window_length`. A float up to 4.0: so many times "auto".
        A duration such as "2h": as many rows as it has median steps of the time index.
    stride : int, default=1
        Rows from one window to the next, in fit and in scoring, at most
        `window_length`. The tail of each series is covered whatever the stride.
    level : {"auto", "timestep", "window"}, default="auto"
        What is aggregated to the score of a row: "timestep", the row's own errors in
        all windows that cover it, which localises better and needs a detector with
        ``score_timesteps``; "window", the scores of these windows, which is smoother.
        "auto" is "window", which has scored better on most sets.
    aggregate : {"mean", "median", "max", "last"}, default="mean"
        How, in terms of errors: "max" is the worst window; "last" the window in which
        the row comes latest, so that (with ``stride=1``) no later row counts, except
        for the first window_length - 1 rows of a segment. Use it to judge the
        newest row: the others average fewer windows there than elsewhere.
    contamination : "auto" or float, default="auto"
        Where the threshold lies. "auto": where about 1 % of new normal rows are below
        it, judged by blocks of windows that are left out in turn; see `calibration_`. A
        float in (0, 0.5]: that share of the scores of all rows of fit is; it promises
        nothing of new ones. That of the detector inside does not count.
    normal_label : object, default=None
        Label in `y` of the rows to learn from: windows that hold a row with another
        label are dropped after cutting. None learns from all windows.
    max_gap : number or timedelta-like, default=None
        A longer step in the time index is a border. None: 5 median steps of fit.

    Attributes
    ----------
    window_length_ : int
        Rows a window.
    estimator_ : estimator
        The fitted detector of windows.
    offset_ : float
        A score below it is an anomaly.
    calibration_ : object
        What the threshold rests on, and what it promises; print it.
    max_gap_ : number, timedelta or None
        Longest step in time that is no gap; None where the table has no time index.
    n_features_in_ : int
        Number of channels.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the channels, where the table has them.

    See Also
    --------
    SlidingWindow : A transformer, for detectors that need no aggregation.
    suggest_window_length : What "auto" stands for.

    Notes
    -----
    Windows cross neither series nor gaps: a pandas index tells the time
    (DatetimeIndex, TimedeltaIndex, numbers) and, by the first levels of a MultiIndex,
    the series; or `series` of the methods does, which pipelines do not pass on and
    scorers only by metadata routing: an index is simpler. What fit is told of series,
    scoring must be told. A numpy array is one contiguous series. Rows of several series
    may be interleaved, as in a file sorted by time.
    Segments shorter than a window are left out of fit, and padded in front with their
    first row when they are scored, both with a warning: to judge new rows, also give
    the window_length - 1 rows before them. A scaler or imputer before it drops the
    index, and so the borders, unless the pipeline has
    ``set_output(transform="pandas")``.

    A detector with ``early_stopping=True`` validates on the tail of each series:
    `validation_fraction` of its windows, at least 2. The window_length - 1 windows
    before are dropped, so that no row is shared. If that leaves fewer than half of the
    windows to train on, it trains on all, without early stopping and with a warning.
    With ``refit=True`` it is then trained anew on all windows, for as many epochs as
    were best. A net in a pipeline inside holds out random windows, which overlap those
    it learns: put the pipeline around.

    Detectors of skad gather windows batch by batch from the table. Others get them as
    an array, window_length times the table in fit, and block by block in scoring.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import LinearAutoencoder, WindowedDetector
    >>> t = np.arange(500)
    >>> X = np.column_stack([np.sin(t / 8), np.cos(t / 8)])
    >>> X[300:310] = 0.0
    >>> detector = WindowedDetector(LinearAutoencoder(2)).fit(X[:250])
    >>> detector.window_length_
    50
    >>> int(np.argmin(detector.score_samples(X))) in range(300, 310)
    True
    """

    estimator: Any
    window_length: WindowLength = "auto"
    _: KW_ONLY
    stride: int = 1
    level: Literal["auto", "timestep", "window"] = "auto"
    aggregate: Literal["mean", "median", "max", "last"] = "mean"
    contamination: Literal["auto"] | float = "auto"
    normal_label: Any = None
    max_gap: MaxGap = None

    needs_order = True  # of rows, see `TunedThresholdDetector`

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "window_length": WINDOW_LENGTHS,
        "stride": [Interval(Integral, 1, None, closed="left")],
        "level": [StrOptions({"auto", "timestep", "window"})],
        "aggregate": [StrOptions({"mean", "median", "max", "last"})],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "normal_label": "no_validation",
        "max_gap": "no_validation",
    }

    # fit ------------------------------------------------------------------------------

    @fit_method
    @add_parameters(_TABLE)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        series: ArrayLike | None = None,
    ) -> Self:
        """Fit the detector on windows of a table that is mostly normal.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If timestamps are out of order or doubled, values are missing or infinite,
            no segment is as long as a window, or `window_length` is a duration and
            the index has no times.
        """
        windows = self._cut(X, y, series)
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        self._fit_and_calibrate(windows)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _cut(self, X, y, series) -> TableWindows:
        """Find the windows to learn from."""
        table = self._check_table(X, reset=True)
        is_normal = self._normal_rows(table, y)
        rows = self._learn_rows(X, series)
        table, is_normal = rows.group(table), rows.group(is_normal)
        bounds = rows.bounds
        self.window_length_ = length = rows_in_window(self.window_length, table, rows)
        check_stride(self.stride, length, self.window_length)
        check_long_enough(bounds, length)
        warn_of_short_segments(bounds, length, "not learnt from")
        starts = window_starts(bounds, length, self.stride)
        starts = starts[count_in_window(~is_normal, starts, length) == 0]
        if len(starts) < 2:
            refuse_too_few(starts, length, is_normal, y, self.normal_label)
        return TableWindows(table, rows, length, starts, is_normal)

    def _check_table(self, X, *, reset):
        kind = {"dtype": "numeric", "ensure_min_samples": 2 if reset else 1}
        table = validate_data(self, X, reset=reset, ensure_all_finite=False, **kind)
        check_finite(table, getattr(self, "feature_names_in_", None))
        return np.ascontiguousarray(table)

    def _normal_rows(self, table, y):
        if self.normal_label is None:
            return np.ones(len(table), dtype=bool)
        if y is None:
            raise ValueError(
                f"normal_label={self.normal_label!r} selects windows by the labels of "
                "their rows, but y is None; pass y to fit, or set normal_label=None."
            )
        y = column_or_1d(y)
        check_consistent_length(table, y)
        return y == self.normal_label

    def _new_detector(self):
        """Clone the inner detector, and tell it the width of a row."""
        detector = clone(self.estimator)
        params = detector.get_params(deep=False)
        if params.get("normal_label") is not None:
            raise ValueError(
                "Set normal_label on WindowedDetector, not on the "
                f"{type(detector).__name__} inside: windows are cut before rows are "
                "dropped."
            )
        if self.level == "timestep" and not hasattr(detector, "score_timesteps"):
            raise ValueError(
                f"level='timestep' needs score_timesteps, which "
                f"{type(detector).__name__} lacks; use level='window'."
            )
        tell_n_channels(detector, self.n_features_in_)
        return detector

    def _learn(self, windows, held_out) -> TableWindows | None:
        """Fit a detector inside; return what was held out to stop its training."""
        # A new one: what is learnt without odd rows has not seen them.
        self.estimator_ = detector = self._new_detector()
        train = windows
        if getattr(detector, "early_stopping", False):
            train, held_out = windows.split_off_tails(detector.validation_fraction)
            if held_out is None:
                detector.set_params(early_stopping=False)
        if learns_positions(detector):
            tail = None if held_out is None else held_out.starts
            self._call_inner("_fit_positions", windows.view, train.starts, tail)
        else:
            self._call_inner("fit", train.gather(), None)
        return held_out

    def _refits(self) -> bool:
        inner = self.estimator_
        return learns_positions(inner) and inner._refits()

    def _learn_again(self, windows) -> None:
        self._call_inner("_refit_positions", windows.view, windows.starts)

    def _scores_of(self, windows) -> NDArray[np.float64]:
        return self._scores_of_each(windows)[0]

    def _scores_of_each(self, *parts) -> list[NDArray[np.float64]]:
        # A row is scored with those around: their table is, once, then chosen from.
        scores = self._score_table(parts[0].table, parts[0].rows.bounds)
        return [scores[part.judged] for part in parts]

    def _call_inner(self, method, X, *others) -> None:
        """Have the detector inside learn from windows."""
        inner, context = self.estimator_, self._callback_fit_ctx
        with self._fit_task(context, "fit-estimator", inner, X):
            knowing_finite(uncalibrated, getattr(inner, method), X, *others)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = InputTags()  # a table, whatever the inner detector takes
        return tags

    # Scores ---------------------------------------------------------------------------

    @after_fit
    @add_parameters(_TABLE)
    def score_samples(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Score the rows of a table.

        Returns
        -------
        scores : ndarray of shape (n_timestamps,), dtype float64
            One score for each row, in the order of the rows; higher = more normal.
        """
        table, rows = self._fitted_table(X, series)
        warn_of_short_segments(
            rows.bounds, self.window_length_, "padded: their scores tell little"
        )
        return rows.restore(self._score_table(table, rows.bounds))

    @available_if(inner_explains)
    @after_fit
    @add_parameters(_TABLE)
    def explain(
        self, X: ArrayLike, *, series: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Share out the score of every row to its channels.

        Returns
        -------
        contributions : ndarray of shape (n_timestamps, n_channels)
            Parts of the error of each row; higher = more anomalous. They add up, over
            channels, to ``-score_samples(X)``.
        """
        table, rows = self._fitted_table(X, series)
        segments = (table[first:stop] for first, stop in rows.bounds)
        how = self._how
        parts = [knowing_finite(explain_segment, one, *how) for one in segments]
        return rows.restore(np.concatenate(parts))

    @after_fit
    def _expect(self, X) -> NDArray[np.float64]:
        """Tell what rows should have read, in units of X."""
        table, rows = self._fitted_table(X, None)
        expected = np.empty(table.shape)
        how = partial(expect, self.estimator_), self.window_length_
        for first, stop in rows.bounds:
            segment = table[first:stop]
            expected[first:stop] = knowing_finite(expect_segment, segment, *how)
        return rows.restore(expected)

    def _fitted_table(self, X, series) -> tuple[np.ndarray, Rows]:
        """Check a table to score; return it series by series, and its rows."""
        check_is_fitted(self)
        table = self._check_table(X, reset=False)
        rows = self._read_rows(X, series)
        return rows.group(table), rows

    def _score_table(self, table, bounds, folds=None) -> NDArray[np.float64]:
        """Score rows by `estimator_`, or by folds: (first row, detector) of each."""
        detector, *how = self._how
        if folds is None and len(bounds) == 1:  # no second array of the table's length
            return knowing_finite(score_segment, table, detector, *how)
        scores = np.empty(len(table))
        for first, stop in bounds:
            if folds is not None:
                detector = [(row - first, fold) for row, fold in folds]
            what = table[first:stop], detector, *how
            scores[first:stop] = knowing_finite(score_segment, *what)
        return scores

    @property
    def _how(self) -> tuple[Any, int, int, str, str]:
        """How to score a segment."""
        windows = self.estimator_, self.window_length_, self.stride
        return *windows, self.aggregate, self.level
