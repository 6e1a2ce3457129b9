"""A detector with a threshold that a rule finds."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import (
    PredefinedSplit,
    ShuffleSplit,
    StratifiedShuffleSplit,
    check_cv,
)
from sklearn.utils import indexable

from skad._base import uncalibrated
from skad._fitting import after_fit, fit_method
from skad._nesting import find_layer
from skad._series_names import call_with_series, check_takes_series
from skad._validation import (
    HasMethods,
    Interval,
    StrOptions,
    available_if,
    check_is_fitted,
    check_random_state,
    num_samples,
    take,
)
from skad._warnings import warn
from skad.thresholds._held_out import (
    EACH_ONCE,
    ELSE,
    can_be_stratified,
    check_held_out,
    check_order,
    check_validation_labels,
    places_of,
    read_labels,
    scores_in_order,
)
from skad.thresholds._labelled import FBetaThreshold
from skad.thresholds._other import OtherThreshold
from skad.thresholds._rule import needs_labels

_NOT_FITTED = (
    "This %(name)s instance is not fitted yet, but cv='prefit' needs a fitted one. Fit "
    "it first; in a search, which clones what it fits, wrap the fitted detector in "
    "FrozenEstimator."
)


def _rule_has_p_values(tuner):
    rule = tuner.rule_ if hasattr(tuner, "estimator_") else tuner.rule
    return hasattr(rule, "p_values")


@dataclass(eq=False, repr=False)
class TunedThresholdDetector(OtherThreshold):
    """Outlier detector with a threshold that a rule finds on validation data.

    For scikit-learn outlier detectors with ``score_samples``, and pipelines that end in
    one. The rule never sees the score of a row that the detector was trained on.

    Parameters
    ----------
    estimator : estimator
        The detector; cloned, unless ``cv="prefit"``.
    rule : rule object, default=None
        Finds the threshold: any estimator with ``fit(scores, y)`` and ``threshold_``.
        None is ``FBetaThreshold(beta=1.0)``; pass the object to search ``rule__beta``.
    cv : None, float, int, splitter or "prefit", default=None
        Where the validation rows come from.

        - None: `X_val` and `y_val` of `fit`. Without them, the threshold of the inner
          detector is kept.
        - float: share of `X` that is held out, stratified by `y`; where rows are scored
          with their neighbours (`WindowedDetector`, `SlidingWindow`,
          `TimeSeriesImputer`), the end of `X`.
        - int or splitter: the scores of all test folds, each from a detector fitted on
          the other folds, are pooled. An int is a number of folds: StratifiedKFold or,
          where rows are scored with their neighbours, KFold.
        - "prefit": `estimator` is fitted already, and all of `X` is for validation.
    refit : bool, default=True
        Whether to fit the detector that is kept on all rows. False keeps the one fitted
        on the training part, and needs a single split.
    random_state : int, RandomState instance or None, default=None
        Seed of the split if `cv` is a float. None takes one from the operating system.

    Attributes
    ----------
    estimator_ : estimator
        The fitted detector.
    rule_ : rule object
        The fitted rule; missing if the threshold of the detector was kept.
    offset_ : float
        A score below it is an anomaly.
    n_features_in_ : int
        Number of features, where the detector knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where the detector knows them.

    See Also
    --------
    FixedThresholdDetector : Uses a threshold that is given.
    sklearn.model_selection.TunedThresholdClassifierCV : The same for classifiers.

    Notes
    -----
    `y` is passed to the detector (which uses it if it has `normal_label`), and read
    here if `cv` is set. If a rule needs labels and cannot have them (`y` is None, in
    neither coding, or holds no anomaly), the threshold of the inner detector is kept,
    with a warning unless none of `cv`, `y` and `X_val` was given.

    Another threshold for a fitted detector costs no training: a rule finds one with
    ``cv="prefit"``, and ``FixedThresholdDetector(FrozenEstimator(detector),
    threshold)`` uses a given one. A search clones its estimator, and a clone is not
    fitted: to search over rules alone, freeze the detector, as in
    ``TunedThresholdDetector(FrozenEstimator(detector), cv="prefit")``.

    A rule that counts events needs the scores of consecutive rows: `X_val`, "prefit",
    or a splitter with consecutive test folds, such as KFold without shuffling. So does
    a detector that scores rows with their neighbours, as every seam between random
    folds looks like an anomaly. This also holds for the folds of a search or of
    cross-validation around it, and for a `DetectorClassifier`, for which scikit-learn
    stratifies an int.

    In a search, use `cv`: GridSearchCV cuts `X_val` like `X` if both have the same
    number of rows. Put the tuner around a pipeline, not in it, where nothing would
    transform `X_val`.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from skad import FBetaThreshold, TunedThresholdDetector, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = TunedThresholdDetector(
    ...     IsolationForest(random_state=0), FBetaThreshold(beta=0.5), cv=0.3,
    ...     random_state=0)
    >>> detector.fit(X, y > 0).predict(X[:5]).shape
    (5,)
    """

    estimator: Any
    rule: Any = None
    _: KW_ONLY
    cv: Any = None
    refit: bool = True
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "rule": [HasMethods(["fit", "get_params"]), None],
        "cv": [
            None,
            Interval(Real, 0, 1, closed="neither"),
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split", "get_n_splits"]),
            StrOptions({"prefit"}),
            "array-like",
        ],
        "refit": ["boolean"],
        "random_state": ["random_state"],
    }

    @fit_method
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        series: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the detector and find the threshold.

        Parameters
        ----------
        X : array-like
            Rows for the detector; with ``cv="prefit"`` those for the rule.
        y : array-like of shape (n_samples,), default=None
            Labels, {-1 = anomaly, +1} or {0, 1 = anomaly}; passed to the detector, and
            read here if `cv` is set.
        series : array-like of shape (n_samples,), default=None
            Series of each row, for a detector whose methods take that, such as
            `WindowedDetector`; to be given at scoring, too. In a search it comes here
            like `groups`. A pipeline takes none: name series in the index of `X`.
        groups : array-like of shape (n_samples,), default=None
            Patient, machine or series of each row, for a splitter that keeps them
            together, such as GroupKFold. In a search they come here if metadata
            routing is on and ``set_fit_request(groups=True)`` was called.
        X_val : array-like, default=None
            Rows for the rule, if `cv` is None.
        y_val : array-like of shape (n_val,), default=None
            Their labels, of both classes if the rule needs labels.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If `y_val` is in neither coding or lacks a class that the rule needs, if
            both `cv` and `X_val` are given, `groups` without a splitter, or `series`
            with `X_val`, if ``refit=False`` with several splits, or if the rule or the
            detector needs the order of the rows and `cv` does not keep it.
        TypeError
            If `series` is given and the detector cannot be told of it at scoring.
        """
        self._check_sources(series, groups, X_val, y_val)
        rule = FBetaThreshold() if self.rule is None else clone(self.rule)
        if self.cv is None:
            self._fit_with_validation_rows(rule, X, y, X_val, y_val, series)
            return self
        labels, problem, remedy = read_labels(y, rule)
        if problem and needs_labels(rule):
            self._fit_all(X, y, series)
            self._keep_offset(problem, remedy)
        elif self.cv == "prefit":
            check_held_out(rule, labels, "given to fit", ELSE)
            self._fit_all(X, y, series)
            scores = call_with_series(self.estimator_, "score_samples", X, series)
            self._apply(rule, scores, labels, places_of(X, series))
        else:
            self._fit_with_splits(rule, X, y, labels, series, groups)
        return self

    def _check_sources(self, series, groups, X_val, y_val):
        """Refuse combinations of `cv` and arguments of `fit` that say two things."""
        check_takes_series(self.estimator, series)
        if series is not None and X_val is not None:
            raise ValueError(
                "series was given, but tells nothing of the rows of X_val. Name the "
                "series in the index of both tables, or set cv and leave X_val out."
            )
        if X_val is None and y_val is not None:
            raise ValueError("y_val was given without X_val, the rows it belongs to.")
        if self.cv is not None and X_val is not None:
            raise ValueError(
                f"Both cv={self.cv!r} and X_val were given; validation rows come from "
                "one of them. Set cv=None to use X_val."
            )
        if groups is not None and (self.cv is None or self.cv == "prefit"):
            raise ValueError(
                f"groups was given, but cv={self.cv!r} splits nothing; pass a splitter "
                "for cv, such as GroupKFold()."
            )

    def _fit_with_validation_rows(self, rule, X, y, X_val, y_val, series):
        if X_val is not None:
            y_val = check_validation_labels(rule, X_val, y_val)
        if X_val is None:
            self._fit_all(X, y, series)
            problem = "" if y is None else "There is no X_val, and cv is None"
            self._keep_offset(problem, "Pass X_val and y_val, or set cv, as in cv=0.3.")
        else:
            uncalibrated(self._fit_all, X, y)
            scores = self.estimator_.score_samples(X_val)
            self._apply(rule, scores, y_val, places_of(X_val, None))

    def _fit_with_splits(self, rule, X, y, labels, series, groups):
        X, y, labels, series, groups = indexable(X, y, labels, series, groups)
        places = places_of(X, series)
        splits = self._make_splits(rule, X, labels, groups, places)
        context = self._init_callback_context(max_subtasks=len(splits) + self.refit)
        context.call_on_fit_task_begin(estimator=self)
        scores = []
        for train, test in splits:
            detector = clone(self.estimator)
            part = context, "fit-split", detector, *take(train, X, y, series)
            uncalibrated(self._fit_inner, *part)
            judged = take(test, X, series)
            scores.append(call_with_series(detector, "score_samples", *judged))
        if self.refit:
            part = context, "refit", clone(self.estimator), X, y, series
            detector = uncalibrated(self._fit_inner, *part)
        context.call_on_fit_task_end(estimator=self)
        self._keep(detector)
        held_out = np.concatenate([test for _, test in splits])
        labels = None if labels is None else labels[held_out]
        places = None if places is None else places[held_out]
        self._apply(rule, np.concatenate(scores), labels, places)

    def _make_splits(self, rule, X, labels, groups, places):
        splitter = self._make_splitter(num_samples(X), labels, rule)
        splits = list(splitter.split(X, labels, groups))
        if not splits:
            raise ValueError(f"cv={self.cv!r} makes no splits; at least one is needed.")
        if not self.refit and len(splits) > 1:
            raise ValueError(
                f"refit=False needs a single split, but cv={self.cv!r} makes "
                f"{len(splits)}; use a float for cv, or refit=True."
            )
        check_order(self.estimator, rule, splits, self.cv, places)
        if labels is not None:
            which = f"that cv={self.cv!r} holds out, of {len(labels)} given to fit,"
            held_out = np.concatenate([labels[test] for _, test in splits])
            check_held_out(rule, held_out, which, f"{EACH_ONCE} {ELSE}")
        return splits

    def _make_splitter(self, n_rows, y, rule):
        in_order = scores_in_order(self.estimator)
        if isinstance(self.cv, Real) and not isinstance(self.cv, Integral):
            if in_order:
                n_test = min(max(1, round(self.cv * n_rows)), n_rows - 1)
                return PredefinedSplit(np.repeat([-1, 0], [n_rows - n_test, n_test]))
            stratifies = can_be_stratified(y, rule, self.cv)
            shuffle_split = StratifiedShuffleSplit if stratifies else ShuffleSplit
            return shuffle_split(
                1, test_size=self.cv, random_state=check_random_state(self.random_state)
            )
        return check_cv(self.cv, y, classifier=y is not None and not in_order)

    def _fit_all(self, X, y, series=None):
        if self.cv == "prefit":
            check_is_fitted(self.estimator, msg=_NOT_FITTED)
            self._keep(self.estimator)
        else:
            self._fit_clone(X, y, series)

    def _apply(self, rule, scores, y, places):
        """Let the rule find a threshold; it sees interleaved series one by one."""
        if places is not None:
            order = np.argsort(places)
            scores, y = scores[order], None if y is None else y[order]
        self.rule_ = rule.fit(scores, y)
        self.offset_ = float(self.rule_.threshold_)

    def _keep_offset(self, problem, remedy):
        """Keep the threshold of the inner detector; say why if there is a problem."""
        if problem:
            kept = "the threshold of the inner detector is kept"
            warn(f"{problem.rstrip('.')}; {kept}. {remedy}".rstrip())
        vars(self).pop("rule_", None)
        detector = find_layer(self.estimator_, "offset_")
        self.offset_ = float(np.squeeze(detector.offset_))

    @available_if(_rule_has_p_values)
    @after_fit
    def p_values(
        self,
        X: ArrayLike,
        *,
        adjust: Literal["bh", "by"] | None = None,
        series: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """Compute how unusual rows are among normal rows, if the rule can.

        Parameters
        ----------
        X : array-like
            Rows, as the detector takes them.
        adjust : {None, "bh", "by"}, default=None
            How to account for judging many rows at once; see `ConformalThreshold`.
        series : array-like of shape (n_samples,), default=None
            Series of each row, as for `score_samples`.

        Returns
        -------
        p_values : ndarray of shape (n_samples,), dtype float64
            Lower = more anomalous.
        """
        check_is_fitted(self)
        scores = self.score_samples(X, series=series)
        return self.rule_.p_values(scores, adjust=adjust)
