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

from skad._base import MetaDetector, ThresholdMixin, uncalibrated
from skad._fitting import after_fit, fit_method
from skad._nesting import find_layer, parts
from skad._validation import (
    MIXED_FOLDS,
    HasMethods,
    Interval,
    StrOptions,
    available_if,
    check_consistent_length,
    check_is_fitted,
    check_outlier_labels,
    check_random_state,
    num_samples,
    safe_indexing,
)
from skad._warnings import warn
from skad.thresholds._labelled import FBetaThreshold
from skad.thresholds._rule import NO_LABELS, needs_labels

# what to do about rows of fit without anomalies, or without normal rows
_EACH_ONCE = "Use an int for cv, which holds out every row once."
_ELSE = (
    f"Give more labelled rows, X_val with y_val, or {NO_LABELS}. In a search or "
    "cross-validation, the rows given to fit are the training rows of one split: use "
    f"{MIXED_FOLDS}."
)
_NOT_FITTED = (
    "This %(name)s instance is not fitted yet, but cv='prefit' needs a fitted one. Fit "
    "it first; in a search, which clones what it fits, wrap the fitted detector in "
    "FrozenEstimator."
)


def _rule_has_p_values(tuner):
    rule = tuner.rule_ if hasattr(tuner, "estimator_") else tuner.rule
    return hasattr(rule, "p_values")


@dataclass(eq=False, repr=False)
class TunedThresholdDetector(ThresholdMixin, MetaDetector):
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
            both `cv` and `X_val` are given, or `groups` without a splitter, if
            ``refit=False`` with several splits, or if the rule or the detector needs
            the order of the rows and `cv` does not keep it.
        """
        self._check_sources(groups, X_val, y_val)
        rule = FBetaThreshold() if self.rule is None else clone(self.rule)
        if self.cv is None:
            self._fit_with_validation_rows(rule, X, y, X_val, y_val)
            return self
        labels, problem, remedy = _read_labels(y, rule)
        if problem and needs_labels(rule):
            self._fit_all(X, y)
            self._keep_offset(problem, remedy)
        elif self.cv == "prefit":
            _check_held_out(rule, labels, "given to fit", _ELSE)
            self._fit_all(X, y)
            self._apply(rule, self.estimator_.score_samples(X), labels)
        else:
            self._fit_with_splits(rule, X, y, labels, groups)
        return self

    def _check_sources(self, groups, X_val, y_val):
        """Refuse combinations of `cv` and arguments of `fit` that say two things."""
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

    def _fit_with_validation_rows(self, rule, X, y, X_val, y_val):
        if X_val is not None:
            y_val = _check_validation_labels(rule, X_val, y_val)
        if X_val is None:
            self._fit_all(X, y)
            problem = "" if y is None else "There is no X_val, and cv is None"
            self._keep_offset(problem, "Pass X_val and y_val, or set cv, as in cv=0.3.")
        else:
            uncalibrated(self._fit_all, X, y)
            self._apply(rule, self.estimator_.score_samples(X_val), y_val)

    def _fit_with_splits(self, rule, X, y, labels, groups):
        X, y, labels, groups = indexable(X, y, labels, groups)
        splits = self._make_splits(rule, X, labels, groups)
        context = self._init_callback_context(max_subtasks=len(splits) + self.refit)
        context.call_on_fit_task_begin(estimator=self)
        scores = []
        for train, test in splits:
            X_train = safe_indexing(X, train)
            y_train = None if y is None else safe_indexing(y, train)
            detector = clone(self.estimator)
            part = context, "fit-split", detector, X_train, y_train
            uncalibrated(self._fit_inner, *part)
            scores.append(detector.score_samples(safe_indexing(X, test)))
        if self.refit:
            part = context, "refit", clone(self.estimator), X, y
            detector = uncalibrated(self._fit_inner, *part)
        context.call_on_fit_task_end(estimator=self)
        self._keep(detector)
        if labels is not None:
            labels = np.concatenate([labels[test] for _, test in splits])
        self._apply(rule, np.concatenate(scores), labels)

    def _make_splits(self, rule, X, labels, groups):
        splitter = self._make_splitter(num_samples(X), labels, rule)
        splits = list(splitter.split(X, labels, groups))
        if not splits:
            raise ValueError(f"cv={self.cv!r} makes no splits; at least one is needed.")
        if not self.refit and len(splits) > 1:
            raise ValueError(
                f"refit=False needs a single split, but cv={self.cv!r} makes "
                f"{len(splits)}; use a float for cv, or refit=True."
            )
        _check_order(self.estimator, rule, splits, self.cv)
        if labels is not None:
            which = f"that cv={self.cv!r} holds out, of {len(labels)} given to fit,"
            held_out = np.concatenate([labels[test] for _, test in splits])
            _check_held_out(rule, held_out, which, f"{_EACH_ONCE} {_ELSE}")
        return splits

    def _make_splitter(self, n_rows, y, rule):
        in_order = _scores_in_order(self.estimator)
        if isinstance(self.cv, Real) and not isinstance(self.cv, Integral):
            if in_order:
                n_test = min(max(1, round(self.cv * n_rows)), n_rows - 1)
                return PredefinedSplit(np.repeat([-1, 0], [n_rows - n_test, n_test]))
            stratifies = _can_be_stratified(y, rule, self.cv)
            shuffle_split = StratifiedShuffleSplit if stratifies else ShuffleSplit
            return shuffle_split(
                1, test_size=self.cv, random_state=check_random_state(self.random_state)
            )
        return check_cv(self.cv, y, classifier=y is not None and not in_order)

    def _fit_all(self, X, y):
        if self.cv == "prefit":
            check_is_fitted(self.estimator, msg=_NOT_FITTED)
            self._keep(self.estimator)
        else:
            self._fit_clone(X, y)

    def _apply(self, rule, scores, y):
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
        self, X: ArrayLike, *, adjust: Literal["bh", "by"] | None = None
    ) -> NDArray[np.float64]:
        """Compute how unusual rows are among normal rows, if the rule can.

        Parameters
        ----------
        X : array-like
            Rows, as the detector takes them.
        adjust : {None, "bh", "by"}, default=None
            How to account for judging many rows at once; see `ConformalThreshold`.

        Returns
        -------
        p_values : ndarray of shape (n_samples,), dtype float64
            Lower = more anomalous.
        """
        check_is_fitted(self)
        return self.rule_.p_values(self.score_samples(X), adjust=adjust)


def _read_labels(y, rule):
    """Read y as booleans (None if it cannot be); say what is wrong, and what to do."""
    name = type(rule).__name__
    if y is None:
        problem = f"y is None, but {name} needs the labels of the rows given to fit"
        return None, problem, f"Pass y, or use {NO_LABELS}."
    try:
        is_anomaly = check_outlier_labels(y)
    except ValueError as error:
        return None, str(error), ""
    if is_anomaly.any():
        return is_anomaly, "", ""
    problem = (
        f"0 of {len(is_anomaly)} rows given to fit are anomalies; {name} needs some"
    )
    return is_anomaly, problem, _ELSE


def _check_held_out(rule, is_anomaly, which, remedy):
    """Refuse rows of one class before anything is trained, if the rule needs both."""
    if not needs_labels(rule):
        return
    n = int(is_anomaly.sum())
    if not 0 < n < len(is_anomaly):
        raise ValueError(
            f"{n} of {len(is_anomaly)} rows {which} are anomalies; "
            f"{type(rule).__name__} needs anomalies and normal rows. {remedy}"
        )


def _can_be_stratified(is_anomaly, rule, cv):
    """Whether each part of a split can hold rows of each class there is."""
    if is_anomaly is None:
        return False
    n_anomalies = int(is_anomaly.sum())
    alone = 1 in (n_anomalies, len(is_anomaly) - n_anomalies)
    if alone and needs_labels(rule):
        raise ValueError(
            f"{n_anomalies} of {len(is_anomaly)} rows given to fit are anomalies; "
            f"cv={cv!r} needs two anomalies and two normal rows at least, one of each "
            f"for either part. {_EACH_ONCE} {_ELSE}"
        )
    return not alone


def _scores_in_order(estimator):
    """Whether a row is scored with its neighbours, somewhere inside."""
    return any(getattr(part, "needs_order", False) for part in parts(estimator))


def _check_order(estimator, rule, splits, cv):
    """Refuse splits that separate neighbouring rows, where these are needed."""
    # Of rows drawn at random, the smaller part is consecutive at most half of the time;
    # stretches of rows and whole series, even of three rows, are so more often.
    if _scores_in_order(estimator) and any(
        (np.diff(rows) != 1).sum() > 0.4 * len(rows) for part in splits for rows in part
    ):
        raise ValueError(
            f"{type(estimator).__name__} scores rows with their neighbours, but cv="
            f"{cv!r} draws rows at random. Use X_val, a float, cv='prefit', KFold() or "
            "TimeSeriesSplit()."
        )
    if not getattr(rule, "needs_order", False):
        return
    rows = np.concatenate([test for _, test in splits])
    if (np.diff(rows) != 1).any():
        raise ValueError(
            f"{rule!r} needs the scores of consecutive rows, but the test folds of cv="
            f"{cv!r} do not follow each other. Use X_val, cv='prefit' or cv=KFold()."
        )


def _check_validation_labels(rule, X_val, y_val):
    """Whether the validation rows are anomalies; None if there are no labels."""
    if y_val is None:
        if needs_labels(rule):
            raise ValueError(
                f"{type(rule).__name__} needs labels: pass y_val with X_val, or "
                f"{NO_LABELS}."
            )
        return None
    check_consistent_length(X_val, y_val)
    return check_outlier_labels(
        y_val,
        both_classes=needs_labels(rule),
        name="y_val",
        remedy=f"Pass other validation rows, or use {NO_LABELS}.",
    )
