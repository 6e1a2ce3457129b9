"""Any detector of windows as a detector of the rows of a table."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import OneToOneFeatureMixin, clone
from sklearn.callback import with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import InputTags
from sklearn.utils.metaestimators import available_if

from skad._base import MetaDetector, ThresholdMixin, inner_explains
from skad._validation import (
    HasMethods,
    Interval,
    StrOptions,
    all_or_nothing,
    check_consistent_length,
    check_finite,
    check_is_fitted,
    column_or_1d,
    fit_context,
    validate_data,
    warn,
)
from skad.series._aggregate import (
    aggregate_shares,
    aggregate_timesteps,
    aggregate_windows,
)
from skad.series._segments import find_segments, learn_max_gap, series_of
from skad.series._windows import (
    any_in_window,
    as_slice,
    check_long_enough,
    window_starts,
    windows_view,
)
from skad.thresholds._unlabelled import QuantileThreshold

# Values of windows that are scored at once; detectors of others copy them.
_VALUES_AT_ONCE = 2**20


class WindowedDetector(ThresholdMixin, MetaDetector):
    """Detector of windows, applied to a table: one score for each row.

    Parameters
    ----------
    estimator : estimator
        Outlier detector with ``score_samples``, of skad or of scikit-learn, or a
        pipeline that ends in one; cloned. It is fitted on windows as rows,
        window_length * n_channels values each. One of skad is told its `n_channels`,
        also inside a wrapper, or behind steps that keep the columns, such as scalers.
    window_length : int
        Rows a window.
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
        the row stands latest, so that (with ``stride=1``) no later row counts, but for
        the first window_length - 1 rows of a segment. Take it where the newest row is
        to be judged: the others average fewer windows there than elsewhere.
    contamination : "auto" or float, default="auto"
        Where the threshold lies. "auto": 1 % of the scores of the held-out rows, one of
        them at least, are below (of all rows if none are held out: of a detector that
        remembers what it has learnt more new rows are then below). A float in (0, 0.5]:
        that share of the scores of all rows is. The threshold of the detector inside
        does not count, nor its own `contamination`.
    normal_label : object, default=None
        Label in `y` of the rows to learn from: windows that hold a row with another
        label are dropped after cutting. None learns from all windows.
    max_gap : number or timedelta-like, default=None
        A longer step in the time index is a border. None: 5 times the median step of
        the table seen in fit.

    Attributes
    ----------
    estimator_ : estimator
        The fitted detector of windows.
    offset_ : float
        A score below it is an anomaly.
    max_gap_ : number, timedelta or None
        Longest step in time that is no gap; None where the table has no time index.
    n_features_in_ : int
        Number of channels.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the channels, where the table has them.

    See Also
    --------
    SlidingWindow : A transformer, for detectors that need no aggregation.

    Notes
    -----
    Windows cross neither series nor gaps: a pandas index tells the time
    (DatetimeIndex, TimedeltaIndex, numbers) and, as the first levels of a MultiIndex,
    the series; or `series` of fit and `score_samples` does. A numpy array is one
    contiguous series. scikit-learn's scorers pass no `series`: use an index in
    cross-validation. Segments shorter than a window are left out of fit with a warning,
    and padded in front with their first row, with a warning, when they are scored: to
    judge new rows, give at least the window_length - 1 rows before them, too. A scaler
    or imputer before it drops the index, and so the borders, unless the pipeline has
    ``set_output(transform="pandas")``.

    A detector with ``early_stopping=True`` validates on the tail of each series:
    `validation_fraction` of its windows, at least 2. The window_length - 1 windows
    before are dropped, so that no row is shared. If fewer than half of the windows
    would remain to train on, it trains on all without early stopping, and a warning
    says so. With ``refit=True`` it is then trained anew on all windows, for as many
    epochs as were best, and the threshold found on the tails stays. A net in a pipeline
    inside holds out windows at random, which overlap those it learns: put the pipeline
    around the `WindowedDetector`.

    Detectors of skad gather windows batch by batch from the table. Others get them as
    an array, window_length times the table in fit, and block by block in scoring.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import LinearAutoencoder, WindowedDetector
    >>> t = np.arange(500)
    >>> X = np.column_stack([np.sin(t / 8), np.cos(t / 8)])
    >>> X[300:310] = 0.0
    >>> detector = WindowedDetector(LinearAutoencoder(2), 20).fit(X[:250])
    >>> int(np.argmin(detector.score_samples(X))) in range(300, 310)
    True
    """

    needs_order = True  # of rows, see `TunedThresholdDetector`

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "window_length": [Interval(Integral, 1, None, closed="left")],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "level": [StrOptions({"auto", "timestep", "window"})],
        "aggregate": [StrOptions({"mean", "median", "max", "last"})],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "normal_label": "no_validation",
        "max_gap": "no_validation",
    }

    def __init__(
        self,
        estimator,
        window_length,
        *,
        stride=1,
        level="auto",
        aggregate="mean",
        contamination="auto",
        normal_label=None,
        max_gap=None,
    ):
        self.estimator = estimator
        self.window_length = window_length
        self.stride = stride
        self.level = level
        self.aggregate = aggregate
        self.contamination = contamination
        self.normal_label = normal_label
        self.max_gap = max_gap

    # fit ------------------------------------------------------------------------------

    @all_or_nothing
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, *, series=None):
        """Fit the detector on windows.

        Parameters
        ----------
        X : array-like of shape (n_timestamps, n_channels)
            Table, mostly normal.
        y : array-like of shape (n_timestamps,), default=None
            Ignored, unless `normal_label` is set.
        series : array-like of shape (n_timestamps,), default=None
            Series that each row belongs to, in addition to those of the index.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If timestamps are out of order or doubled, values are missing or infinite,
            or no segment is as long as a window.
        """
        if self.stride > self.window_length:
            raise ValueError(
                f"stride={self.stride} leaves rows between windows without a score; "
                f"use a stride of at most window_length={self.window_length}."
            )
        table = self._check_table(X, reset=True)
        is_normal = self._normal_rows(table, y)
        self.max_gap_ = learn_max_gap(X, series, self.max_gap, warns=True)
        bounds = find_segments(X, series, self.max_gap_)
        check_long_enough(bounds, self.window_length)
        self._warn_of_short_segments(bounds, "not learnt from")
        starts = window_starts(bounds, self.window_length, self.stride)
        starts = starts[~any_in_window(~is_normal, starts, self.window_length)]
        if len(starts) < 2:
            self._refuse(starts, is_normal, y)
        detector = self._new_detector()
        train, held_out = self._hold_out(detector, starts, series_of(X, series))
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        self.estimator_ = self._fit_windows(context, detector, table, train, held_out)
        self._fit_offset(table, bounds, is_normal, held_out)
        if len(held_out) and getattr(detector, "refit", False):
            again = clone(detector).set_params(
                early_stopping=False, max_epochs=detector.best_epoch_
            )
            none = starts[:0]
            self.estimator_ = self._fit_windows(context, again, table, starts, none)
            # As where a net refits by itself, the history is that of the first one.
            again.net_.history_ = detector.net_.history_
            again.best_epoch_ = detector.best_epoch_
            if self.contamination != "auto":
                self._fit_offset(table, bounds, is_normal, none)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _check_table(self, X, *, reset):
        table = validate_data(
            self,
            X,
            reset=reset,
            dtype="numeric",
            ensure_all_finite=False,
            ensure_min_samples=2 if reset else 1,
        )
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

    def _warn_of_short_segments(self, bounds, consequence):
        lengths = np.diff(bounds, axis=1).ravel()
        short = lengths[lengths < self.window_length]
        if len(short):
            warn(
                f"{len(short)} of {len(bounds)} segments, {short.sum()} of "
                f"{lengths.sum()} rows, are shorter than window_length="
                f"{self.window_length} and are {consequence}."
            )

    def _refuse(self, starts, is_normal, y):
        """Say why there are too few windows to learn from."""
        found = f"Only {len(starts)} windows of {self.window_length} rows"
        if self.normal_label is None:
            raise ValueError(f"{found} are there; at least 2 are needed.")
        hint = "Use a shorter window."
        if not is_normal.any():
            hint = f"y holds {pd.unique(column_or_1d(y))[:6].tolist()}."
        raise ValueError(
            f"{found} hold nothing but rows with normal_label={self.normal_label!r}; "
            f"at least 2 are needed. {hint}"
        )

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
        _tell_n_channels(detector, self.n_features_in_)
        return detector

    def _hold_out(self, detector, starts, series):
        """Split windows into those to train on and the tails to validate on."""
        if not getattr(detector, "early_stopping", False):
            return starts, starts[:0]
        train, held_out = [], []
        for one in np.unique(series[starts]):
            own = starts[series[starts] == one]
            n_held_out = max(2, round(detector.validation_fraction * len(own)))
            held_out.append(own[-n_held_out:])
            train.append(own[own + self.window_length <= held_out[-1][0]])
        n_train = sum(map(len, train))
        if 2 * n_train < len(starts) or n_train < 2:
            warn(
                f"Only {n_train} of {len(starts)} windows would remain to train on, "
                f"beside the tails to validate on and the {self.window_length - 1} "
                "windows before each that overlap them; training on all of them, "
                "without early stopping."
            )
            detector.set_params(early_stopping=False)
            return starts, starts[:0]
        return np.sort(np.concatenate(train)), np.sort(np.concatenate(held_out))

    def _fit_windows(self, context, detector, table, train, held_out):
        """Fit on a view with a label for each window, or on an array of windows.

        A detector with `normal_label` picks the windows by label, so that the view
        need not be cut into pieces, which would copy it.
        """
        view = windows_view(table, self.window_length)
        with config_context(assume_finite=True):
            if "normal_label" not in detector.get_params(deep=False):
                windows = view if len(train) == len(view) else view[train]
                return self._fit_inner(context, "fit-estimator", detector, windows)
            detector.set_params(normal_label=1)
            params = {}
            if len(held_out):
                params = {"X_val": view, "y_val": 1 - _marks(held_out, len(view))}
            marks = _marks(train, len(view))
            return self._fit_inner(
                context, "fit-estimator", detector, view, marks, **params
            )

    def _fit_offset(self, table, bounds, is_normal, held_out):
        """Put the threshold where `contamination` says, over the scores of rows."""
        auto = self.contamination == "auto"
        if auto and len(held_out):
            edges = np.zeros(len(table) + 1, dtype=int)
            np.add.at(edges, held_out, 1)
            np.add.at(edges, held_out + self.window_length, -1)
            is_normal = is_normal & (np.cumsum(edges[:-1]) > 0)
        # A window sees the rows around: scored is the whole table, then chosen from.
        scores = self._score_table(table, bounds)[is_normal]
        rule = QuantileThreshold() if auto else QuantileThreshold(self.contamination)
        self.offset_ = rule.fit(scores).threshold_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = InputTags()  # a table, whatever the inner detector takes
        return tags

    # Scores ---------------------------------------------------------------------------

    def score_samples(self, X, *, series=None):
        """Score the rows of a table.

        Parameters
        ----------
        X : array-like of shape (n_timestamps, n_channels)
            Table.
        series : array-like of shape (n_timestamps,), default=None
            Series that each row belongs to, in addition to those of the index.

        Returns
        -------
        scores : ndarray of shape (n_timestamps,), dtype float64
            One score for each row, in the order of the rows; higher = more normal.
        """
        check_is_fitted(self)
        table = self._check_table(X, reset=False)
        bounds = find_segments(X, series, self.max_gap_)
        self._warn_of_short_segments(bounds, "padded: their scores tell little")
        return self._score_table(table, bounds)

    def decision_function(self, X, *, series=None):
        """Score the rows of a table, shifted so that anomalies are below zero.

        Parameters
        ----------
        X : array-like of shape (n_timestamps, n_channels)
            Table.
        series : array-like of shape (n_timestamps,), default=None
            Series that each row belongs to, in addition to those of the index.

        Returns
        -------
        scores : ndarray of shape (n_timestamps,), dtype float64
            ``score_samples(X, series=series) - offset_``; higher = more normal.
        """
        return self.score_samples(X, series=series) - self.offset_

    def predict(self, X, *, series=None):
        """Label the rows of a table.

        Parameters
        ----------
        X : array-like of shape (n_timestamps, n_channels)
            Table.
        series : array-like of shape (n_timestamps,), default=None
            Series that each row belongs to, in addition to those of the index.

        Returns
        -------
        labels : ndarray of shape (n_timestamps,), dtype int
            -1 for anomalies, where `decision_function` is below zero; else +1.
        """
        return np.where(self.decision_function(X, series=series) < 0, -1, 1)

    def fit_predict(self, X, y=None, *, series=None):
        """Fit, then label the same rows.

        Parameters
        ----------
        X : array-like of shape (n_timestamps, n_channels)
            Table, mostly normal.
        y : array-like of shape (n_timestamps,), default=None
            Passed to `fit`.
        series : array-like of shape (n_timestamps,), default=None
            Series that each row belongs to, in addition to those of the index.

        Returns
        -------
        labels : ndarray of shape (n_timestamps,), dtype int
            +1 for normal rows, -1 for anomalies.
        """
        return self.fit(X, y, series=series).predict(X, series=series)

    @available_if(inner_explains)
    def explain(self, X, *, series=None):
        """Share out the score of every row to its channels.

        Parameters
        ----------
        X : array-like of shape (n_timestamps, n_channels)
            Table.
        series : array-like of shape (n_timestamps,), default=None
            Series that each row belongs to, in addition to those of the index.

        Returns
        -------
        contributions : ndarray of shape (n_timestamps, n_channels)
            Parts of the error of each row; higher = more anomalous. They add up, over
            channels, to ``-score_samples(X)``.
        """
        check_is_fitted(self)
        table = self._check_table(X, reset=False)
        bounds = find_segments(X, series, self.max_gap_)
        with config_context(assume_finite=True):
            parts = [self._explain_segment(table[a:b]) for a, b in bounds]
        return np.concatenate(parts)

    def _score_table(self, table, bounds):
        scores = np.empty(len(table))
        with config_context(assume_finite=True):
            for first, stop in bounds:
                scores[first:stop] = self._score_segment(table[first:stop])
        return scores

    def _score_segment(self, rows):
        """Score one segment."""
        n_missing, view, shape, block = self._windows_of(rows)
        starts = shape[0]
        if self.level == "timestep":
            score, aggregate = self.estimator_.score_timesteps, aggregate_timesteps
        else:
            score, aggregate = self.estimator_.score_samples, aggregate_windows

        def errors_of(i, j):
            return -score(view[as_slice(starts[i:j])])

        errors = aggregate(errors_of, *shape, block)[n_missing:]
        return np.negative(errors, out=errors)  # no second array of the table's length

    def _explain_segment(self, rows):
        """Share out the scores of one segment."""
        n_missing, view, shape, block = self._windows_of(rows)
        starts = shape[0]

        def shares_of(i, j):
            return self.estimator_.explain(view[as_slice(starts[i:j])])

        level = "timestep" if self.level == "timestep" else "window"
        return aggregate_shares(shares_of, *shape, level, block)[n_missing:]

    def _windows_of(self, rows):
        """Cut one segment; a short one is padded in front with its first row.

        Returns the number of padded rows, the view of all windows, what aggregation
        must know, and how many windows to score at once.
        """
        n_missing = max(0, self.window_length - len(rows))
        if n_missing:
            rows = np.concatenate([np.repeat(rows[:1], n_missing, axis=0), rows])
        view = windows_view(rows, self.window_length)
        starts = window_starts([(0, len(rows))], self.window_length, self.stride)
        # Whole blocks of the detectors of skad, which score 64 windows at once.
        block = max(64, _VALUES_AT_ONCE // view.shape[1] // 64 * 64)
        shape = (starts, self.window_length, len(rows), self.aggregate)
        return n_missing, view, shape, block


def _tell_n_channels(detector, n_channels):
    """Set it where there is one that sees the columns of a window as they are."""
    params = detector.get_params(deep=False)
    if isinstance(detector, Pipeline):
        before = [step for _, step in detector.steps[:-1] if step != "passthrough"]
        if all(isinstance(step, OneToOneFeatureMixin) for step in before):
            _tell_n_channels(detector[-1], n_channels)
    elif "n_channels" in params:
        detector.set_params(n_channels=n_channels)
    elif "estimator" in params and not isinstance(detector, FrozenEstimator):
        _tell_n_channels(params["estimator"], n_channels)


def _marks(positions, n):
    """0 and, at the positions, 1."""
    marks = np.zeros(n, dtype=np.int8)
    marks[positions] = 1
    return marks
