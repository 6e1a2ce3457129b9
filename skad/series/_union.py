"""Several detectors of the same rows as one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, get_tags, indexable
from sklearn.utils.parallel import Parallel, delayed

from skad._base import ThresholdMixin
from skad._docs import add_parameters
from skad._fitting import after_fit, as_fitted, fit_method
from skad._nesting import core_of, explain_inside, learners
from skad._validation import (
    BaseComposition,
    Interval,
    StrOptions,
    available_if,
    check_is_fitted,
    rows_with_label,
)
from skad._warnings import in_threads, silently
from skad.calibration._blocks import LeftOut
from skad.calibration._fit import N_BLOCKS, CalibratedThreshold
from skad.calibration._odd import stretches_of
from skad.series._expected import expect, knows_expected_values
from skad.series._members import (
    all_rows,
    check_explain,
    check_members,
    check_settings,
    errors_of,
    fit_like,
    fit_member,
    is_dropped,
    judge_left_out,
    reach_of,
    readings,
    unit_of,
    windows_at,
)

_ROWS = """
    X : array-like
        Rows, as for `fit`.
"""


def _all_explain(union) -> bool:
    """Whether all members explain the columns of X; else say which do not."""
    union = as_fitted(union)
    check_explain([name for name, _ in union._kept()], union._members())
    return True


@dataclass(eq=False, repr=False)
class DetectorUnion(CalibratedThreshold, ThresholdMixin, BaseComposition):
    """Several detectors of the same rows as one: their errors are added up.

    Detectors that see different things, such as values, shapes and textures, find more
    together than the best of them alone. Members see the same windows, or the same
    table: `WindowedDetector` of several lengths, detectors of rows, or pipelines.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Names, and outlier detectors with ``score_samples``; cloned. Pipelines may end
        in them. "drop" leaves a member out.
    weights : dict of {str: float}, default=None
        Weights of members in the sum, by their names; 1.0 for what is not there.
    gates : dict of {str: float}, default=None
        For a member named here, only what exceeds so many times the 99 % quantile of
        its left-out errors counts: for a member that only speaks of what is far outside
        of all that was learnt. Not for errors that may be negative.
    units : dict of {str: {"std", "rms", "gain"}}, default=None
        What a member's errors are divided by: their standard deviation over what was
        left out, the default; the root of their mean square ("rms"); or that divided by
        the square of the member's gain ("gain"), see Notes.
    contamination : "auto" or float, default="auto"
        Where the threshold of the sum lies: see `WindowedDetector`. Those of members do
        not count, and are not looked for.
    normal_label : object, default=None
        Label in `y` of the rows to learn from; windows of a table do not cross the
        others. None learns from all of them. Set it here, not on members.
    n_jobs : int, default=None
        Members and blocks fitted, and members scored, at once, in threads. None: 1,
        unless within ``joblib.parallel_config``; -1: all processors.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members.
    named_estimators_ : Bunch
        The same by name.
    units_ : ndarray of shape (n_members,)
        What the errors of each member are divided by, from left-out errors.
    limits_ : ndarray of shape (n_members,)
        What errors count beyond, for those with a gate; 0.0 without.
    offset_ : float
        A score below it is an anomaly.
    calibration_ : object
        What the threshold rests on, and what it promises; print it.
    n_features_in_ : int
        Number of columns, as the first member has it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where `X` has them.

    See Also
    --------
    WindowedDetector : Makes a detector of windows one of the rows of a table.

    Notes
    -----
    The error of a row is sum_m w_m max(0, e_m - k_m q_m) / u_m over members m, with
    their errors e_m = -score_samples, weights w_m and units u_m; without a gate, just
    w_m e_m / u_m. Units u_m and 99 % quantiles q_m are those of rows that were left
    out: blocks of consecutive rows in turn (5; 3 if a net is among the members), or of
    random ones if rows are windows that do not overlap, by detectors fitted on the
    others. Errors of learnt rows would not do: detectors remember to different degrees.
    So pipelines inside are fitted anew for each block; a step that all members share
    is cheaper, and as good, before the union.

    The gain of a member is how many times larger its error of windows were, in the
    median, if it rebuilt all of them as their mean, minus 1; 0 if it is none. Distances
    hardly vary where nothing repeats, and divided by their small spread they would
    drown the others. With "gain", a member speaks the louder the better it tells what
    it has not learnt, and is silent where that is no better than the mean. It needs a
    detector of skad with errors that grow as distances do, such as
    `LocallyLinearAutoencoder`.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from skad import DetectorUnion, LinearAutoencoder, LocallyLinearAutoencoder
    >>> from skad import make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> union = DetectorUnion(
    ...     [("plane", LinearAutoencoder()), ("near", LocallyLinearAutoencoder())],
    ...     weights={"near": 2.0},
    ... )
    >>> union.fit(X[y == 0]).predict(X[:5]).shape
    (5,)
    """

    estimators: Sequence[tuple[str, Any]]
    _: KW_ONLY
    weights: dict[str, float] | None = None
    gates: dict[str, float] | None = None
    units: dict[str, Literal["std", "rms", "gain"]] | None = None
    contamination: Literal["auto"] | float = "auto"
    normal_label: Any = None
    n_jobs: int | None = None

    _parameter_constraints: ClassVar[dict] = {
        "estimators": [list, tuple],
        "weights": [dict, None],
        "gates": [dict, None],
        "units": [dict, None],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "normal_label": "no_validation",
        "n_jobs": [Integral, None],
    }

    # Members --------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return parameters, with those of members as ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include members and their parameters.

        Returns
        -------
        params : dict
            Values by name.
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``name=`` replaces a member, ``name__parameter=`` sets its.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : object
            The union.
        """
        self._set_params("estimators", **params)
        return self

    def _kept(self) -> list[tuple[str, Any]]:
        """Names and members but dropped ones."""
        return [pair for pair in self.estimators if not is_dropped(pair[1])]

    def _check_params(self):
        check_members(self.estimators)
        names = [name for name, _ in self.estimators]
        self._validate_names(names)
        check_settings(self.weights, self.gates, self.units, self.estimators)

    def _members(self) -> list[Any]:
        """Fitted members, or those that will be."""
        return getattr(self, "estimators_", [detector for _, detector in self._kept()])

    @property
    def named_estimators_(self) -> Bunch:
        """The fitted members by name."""
        names = [name for name, _ in as_fitted(self)._kept()]
        return Bunch(**dict(zip(names, self.estimators_, strict=True)))

    def _of_members(self, given, default) -> NDArray[np.float64]:
        values = given or {}
        return np.array([values.get(name, default) for name, _ in self._kept()], float)

    def _run(self, calls) -> list[Any]:
        """Call functions with arguments, at once."""
        run = delayed(in_threads(lambda call, *args: call(*args)))
        parallel = Parallel(n_jobs=self.n_jobs, require="sharedmem")
        return parallel([run(*call) for call in calls])

    # fit ------------------------------------------------------------------------------

    @fit_method
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Fit all members on the same rows, and learn their units.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels), (n_windows, \
                window_length, n_channels) or (n_timestamps, n_channels)
            What the members take: windows, or a table.
        y : array-like of shape (n_samples,), default=None
            Ignored, unless `normal_label` is set.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If a member, weight or gate is none, or a member cannot learn from `X`.
        """
        self._check_params()
        (X,) = indexable(X)
        rows = all_rows(X, [detector for _, detector in self._kept()])
        if self.normal_label is not None:
            n_rows = len(rows.positions)
            learnt = rows_with_label(y, self.normal_label, n_rows, "rows")
            rows = rows.at(np.flatnonzero(np.isin(rows.places, learnt)))
        self._fit_and_calibrate(rows)
        return self

    def _learn(self, windows, held_out):
        members = [member for _, member in self._kept()]
        fitted = self._run((fit_member, member, windows) for member in members)
        self.estimators_ = fitted
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(fitted[0], name):
                setattr(self, name, getattr(fitted[0], name))

    def _left_out_scores(self, windows, learnt):
        """Learn the units from what is left out, and score it."""
        blocks = windows.blocks(self._n_blocks, self._reach_of(windows), learnt)
        parts = self._run(
            (silently, judge_left_out, one, windows.at(train), windows.at(judged))
            for train, judged in blocks
            for one in self.estimators_
        )
        n_members = len(self.estimators_)
        errors = np.full((len(windows.positions), n_members), np.nan)
        numbers = np.full(len(errors), -1)
        for place, part in enumerate(parts):
            number, member = divmod(place, n_members)
            rows = np.searchsorted(windows.positions, blocks[number][1])
            errors[rows, member], numbers[rows] = part, number
        is_known = (numbers >= 0) & np.isin(windows.positions, learnt.positions)
        usual = errors[is_known] if blocks else self._errors(learnt.gather())
        kinds = [(self.units or {}).get(name, "std") for name, _ in self._kept()]
        given = zip(self.estimators_, usual.T, kinds, strict=True)
        self.units_ = np.array(
            [unit_of(one, learnt, e, kind) for one, e, kind in given]
        )
        gates = self._of_members(self.gates, 0.0)
        self.limits_ = gates * np.quantile(usual, 0.99, axis=0)
        if blocks:
            errors = self._in_units(errors)
        return LeftOut(-errors.sum(axis=1), numbers, [None] * len(blocks))

    @property
    def _n_blocks(self) -> int:
        """Blocks to leave out: as few as one of the members takes."""
        cores = [core_of(detector) for _, detector in self._kept()]
        return min(getattr(core, "_n_blocks", N_BLOCKS) for core in cores)

    def _place_threshold(self, windows, held_out):
        self._left_out_scores(windows, windows)  # for the units
        super()._place_threshold(windows, held_out)

    def _scores_of(self, windows):
        # In a table, rows are scored with those around them.
        if windows.is_table:
            scores = self._score(windows.X)
            return scores[windows.positions]
        return self._score(windows.gather())

    @property
    def _remembers_windows(self):
        cores = map(core_of, self.estimators_)
        return any(getattr(core, "_remembers_windows", False) for core in cores)

    def _reach_of(self, windows):
        return reach_of(windows, self.estimators_)

    def _without(self, windows, odd):
        return windows.at(windows.positions[~odd])

    def _rows_of(self, windows):
        return windows.positions

    def _stretches_of(self, windows, odd):
        return stretches_of(odd, windows.places[windows.positions])

    def _refitted(self):
        return [name for one in self.estimators_ for name in learners(one)]

    # Inside WindowedDetector ----------------------------------------------------------

    @fit_method
    def _fit_positions(self, X, positions, held_out) -> None:
        """Fit on the windows at some positions of X; it holds out none itself."""
        self._check_params()
        windows = windows_at(X, positions)
        self._learn(windows, None)
        self._left_out_scores(windows, windows)

    def _fold_at(self, X, positions) -> Self:
        """Fit a union like this one, in its units, on windows at positions of X."""
        fold = copy.copy(self)
        windows = windows_at(X, positions)
        fold.estimators_ = [fit_like(one, windows) for one in self.estimators_]
        return fold

    # What drift_report asks -----------------------------------------------------------

    def _usual_readings(self, windows, errors):
        values = np.asarray(windows.gather())
        is_known = values.dtype.kind in "biuf" and np.isfinite(values).all()
        return super()._usual_readings(windows, errors) if is_known else None

    def _readings_of(self, windows):
        return readings(windows, self.estimators_)

    def _compared(self, X):
        return all_rows(X, self.estimators_)

    # Scores ---------------------------------------------------------------------------

    def _errors(self, X) -> NDArray[np.float64]:
        """Errors of members, (n_samples, n_members)."""
        return np.column_stack(
            self._run((errors_of, one, X) for one in self.estimators_)
        )

    def _in_units(self, errors) -> NDArray[np.float64]:
        """Errors of members as they are added up."""
        gated = np.maximum(errors - self.limits_, 0.0)
        counted = np.where(self._of_members(self.gates, 0.0) > 0, gated, errors)
        return counted * (self._of_members(self.weights, 1.0) / self.units_)

    def _score(self, X) -> NDArray[np.float64]:
        return -self._in_units(self._errors(X)).sum(axis=1)

    @after_fit
    @add_parameters(_ROWS)
    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            Minus the sum of the members' errors in their units; higher = more normal.
        """
        check_is_fitted(self)
        return self._score(X)

    @available_if(_all_explain)
    @after_fit
    @add_parameters(_ROWS)
    def explain(self, X: ArrayLike) -> NDArray[np.float64]:
        """Break down the score of every row, if all members can.

        Returns
        -------
        contributions : ndarray of shape (n_timestamps, n_channels) or (n_windows, \
                window_length, n_channels)
            Parts of the error of each row; higher = more anomalous. They add up to
            ``-score_samples(X)``.
        """
        check_is_fitted(self)
        errors = self._errors(X)
        counted = self._in_units(errors)
        factors = np.divide(
            counted, errors, out=np.zeros_like(errors), where=errors != 0
        )
        parts = []
        for one, factor in zip(self.estimators_, factors.T, strict=True):
            shares = explain_inside(one, X)
            parts.append(shares * factor.reshape(-1, *[1] * (shares.ndim - 1)))
        if len({part.shape for part in parts}) > 1:
            shapes = [part.shape for part in parts]
            raise TypeError(
                f"The members {[name for name, _ in self._kept()]} explain X in "
                f"different shapes, {shapes}, which cannot be added up."
            )
        return np.sum(parts, axis=0)

    @after_fit
    def _expect(self, X) -> NDArray[np.float64]:
        """Tell what rows should have read, by the first member that knows."""
        for one in self.estimators_:
            if knows_expected_values(one):
                return expect(one, X)
        raise TypeError(
            "No member of this DetectorUnion knows expected values; use a detector of "
            "skad such as LinearAutoencoder."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        members = self._kept()
        if members:
            tags.input_tags = get_tags(members[0][1]).input_tags
        return tags
