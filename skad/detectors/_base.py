"""The scikit-learn contract of every autoencoder."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from skad._base import ThresholdMixin, is_kept
from skad._docs import add_parameters, inherit_sections
from skad._fitting import after_fit, as_fitted, detached, fit_method
from skad._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_is_fitted,
    check_windows,
    rows_with_label,
)
from skad.detectors._checks import check_outputs, normal_validation_rows
from skad.detectors._few import blocks_of_one, in_small_blocks, padded
from skad.detectors._folds import LeavesOut
from skad.detectors._reference import RobustReference
from skad.detectors._windows import Windows, all_windows
from skad.error_models._models import ERROR_MODELS, BaseErrorModel

# Windows that a model scores at once: always exactly this many, the last block padded
# with zeros. How a matrix product is rounded depends on its shape, so only then does
# the score of a window not depend on the windows beside it. Nets reconstruct more at
# once, where it is proven that no bit changes.
BLOCK = 64

WINDOWS = """
    X : array-like of shape (n_windows, window_length * n_channels) or \
            (n_windows, window_length, n_channels)
        Windows.
"""

ErrorModel = (
    Literal["mse", "rmse", "mae", "std", "mahalanobis", "hybrid"] | BaseErrorModel
)


@dataclass(eq=False, repr=False, kw_only=True)
class BaseAutoencoder(LeavesOut, ThresholdMixin, BaseEstimator):
    """Base of all autoencoders: windows in, errors, scores and labels out.

    A subclass learns in `_learn` and reconstructs one block in `_reconstruct_block`;
    everything else is here. It is a dataclass: its fields are its parameters. It
    documents its own, and those below are added to its docstring when it is made.

    Parameters
    ----------
    n_channels : int, default=1
        Channels of a 2-D row, see `fit`.
    error_model : {"mse", "rmse", "mae", "std", "mahalanobis", "hybrid"} or object, \
            default="mse"
        How residuals become errors: `MeanSquaredErrors`, `RootMeanSquaredErrors`,
        `MeanAbsoluteErrors`, `StandardizedErrors`, `MahalanobisErrors`, `HybridErrors`,
        or an object with their methods. A wave that goes flat at its mean passes for
        normal with all but the last; "hybrid" finds it. Fitted on the held-out windows;
        on the training windows if none are held out or the detector has ``refit=True``.
    contamination : "auto" or float, default="auto"
        Where the threshold lies. "auto": where about 1 % of new normal windows are
        below it, judged by windows that were left out: blocks of them in turn, by
        models that have learnt the others, or `X_val`. See `calibration_`. A float in
        (0, 0.5]: that share of the scores of all windows of fit is; it promises
        nothing of new ones.
    normal_label : object, default=None
        Label in `y` of the windows to learn from; None learns from all of them.

    Attributes
    ----------
    window_length_, n_channels_ : int
        Timesteps and channels.
    error_model_ : object
        The fitted error model.
    reference_ : object
        What `explain` and `expected_values` compare windows with.
    offset_ : float
        A score below it is an anomaly.
    calibration_ : object
        Where the threshold comes from, and what it promises; print it.
    n_features_in_ : int
        Values of a row, ``window_length_ * n_channels_``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where `X` has them.
    """

    n_channels: int = 1
    error_model: ErrorModel = "mse"
    contamination: Literal["auto"] | float = "auto"
    normal_label: Any = None

    _parameter_constraints: ClassVar[dict] = {
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "error_model": [
            StrOptions(set(ERROR_MODELS)),
            HasMethods(["fit", "timestep_errors", "window_errors"]),
        ],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "normal_label": "no_validation",
    }

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        inherit_sections(cls, BaseAutoencoder)

    _error_models: ClassVar[dict[str, type[BaseErrorModel]]] = ERROR_MODELS
    _block = BLOCK  # windows in a block, see `_for_few`

    # What a subclass writes, beside `_learn` and `_learn_fold` -----------------------

    @abstractmethod
    def _reconstruct_block(self, block) -> tuple[np.ndarray, np.ndarray | None]:
        """Reconstruct (BLOCK, window_length, n_channels); return it and the codes.

        Or as many windows as `_n_at_once` tells.
        """

    def _n_at_once(self, n_windows) -> int:
        """Choose how many of n windows are reconstructed at once: a multiple of BLOCK.

        No bit may depend on it.
        """
        return BLOCK

    # fit ------------------------------------------------------------------------------

    @fit_method
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Learn to reconstruct normal windows.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows, mostly normal. A 2-D row is time major: all channels of the first
            timestep, then of the second. A 3-D array brings its own `n_channels`.
        y : array-like of shape (n_windows,), default=None
            Ignored, unless `normal_label` is set: then only the windows with that
            label are learnt from.
        X_val : array-like like `X`, default=None
            Normal windows for early stopping, the threshold and, unless the detector
            has ``refit=True``, the error model. Without it a part of `X` is held out,
            if the detector has a use for one. In a pipeline no step transforms it
            unless metadata routing says so; GridSearchCV cuts it like `X` if it has as
            many rows.
        y_val : array-like of shape (n_val,), default=None
            Labels of `X_val`, {-1 = anomaly, +1} or {0, 1 = anomaly}; its anomalies are
            left out.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If values are missing, infinite or not numbers, if shapes do not fit, if
            labels cannot be read, or if training diverges. A detector that was fitted
            before is left as it was.
        """
        checked = check_windows(self, X, reset=True)
        windows = Windows(checked, self._normal_rows(checked, y))
        held_out = None
        if X_val is not None:
            checked = check_windows(self, X_val, reset=False, name="X_val")
            held_out = Windows(checked, normal_validation_rows(checked, y_val))
        elif y_val is not None:
            raise ValueError("y_val was given without X_val, whose labels it holds.")
        with self._learning():
            self._fit_and_calibrate(windows, held_out)
        return self

    @fit_method
    def _fit_positions(self, X, positions, held_out) -> None:
        """Fit on the windows at some positions of X, without learning those held out.

        For a detector around this one, which calls `_refit_positions` afterwards if
        `_refits`, and has the only threshold: none is placed here.
        """
        X = check_windows(self, X, reset=True)
        held_out = None if held_out is None else Windows(X, held_out)
        with self._learning():
            self._learn(Windows(X, positions), held_out)

    @fit_method
    def _refit_positions(self, X, positions) -> None:
        """Learn again, from all windows at some positions of X."""
        with self._learning():
            self._learn_again(Windows(X, positions))

    def _normal_rows(self, X, y):
        """Positions of the windows that fit may learn from."""
        if self.normal_label is None:
            return np.arange(len(X))
        return rows_with_label(y, self.normal_label, len(X), "windows")

    def _new_error_model(self):
        """Make the error model, and check its parameters before the training."""
        if isinstance(self.error_model, str):
            return self._error_models[self.error_model]()
        model = clone(self.error_model)
        if hasattr(model, "_parameter_constraints"):
            model._validate_params()
        return model

    def _fit_error_model(self, model, trained_on, held_out):
        """Fit the error model on the held-out windows, or on all if there are none.

        Learn the reference, too, by which errors are explained.
        """
        shape = self.window_length_, self.n_channels_
        if self._learns_reference and is_kept():
            self.reference_ = RobustReference.learn(trained_on, *shape)
        if type(model).fit is not BaseErrorModel.fit:  # which learns nothing
            residuals, codes = self._collect((held_out or trained_on).sample())
            train_codes = None
            if getattr(model, "uses_codes", False) and held_out and codes is not None:
                train_codes = self._collect_codes(trained_on.sample())
            model = model.fit(residuals, codes, train_codes)
        self.error_model_ = model

    # Blocks ---------------------------------------------------------------------------

    def _blocks(self, windows):
        """Yield (slice, residuals, codes) of BLOCK rows; the last ones are padded."""
        if self._block < BLOCK:
            yield from blocks_of_one(self, windows)
            return
        for at in _cuts(len(windows), self._n_at_once(len(windows))):
            block = padded(windows.gather(at), BLOCK)
            block = block.reshape(-1, self.window_length_, self.n_channels_)
            reconstruction, codes = self._reconstruct_block(block)
            for start in range(0, len(block), BLOCK):
                part = slice(start, start + BLOCK)
                here = slice(at.start + start, min(at.start + part.stop, at.stop))
                # Cast after the subtraction: casting inside it takes twice as long.
                residuals = np.subtract(block[part], reconstruction[part])
                own = None if codes is None else codes[part]
                check_outputs(residuals, own, here)
                yield here, residuals.astype(np.float64, copy=False), own

    def _measure(self, windows, measure, shape=()) -> NDArray[np.float64]:
        """Apply ``measure(residuals, codes)`` to all blocks: (n_windows, *shape)."""
        values = np.empty((len(windows), *shape))
        for at, residuals, codes in self._blocks(windows):
            values[at] = measure(residuals, codes)[: at.stop - at.start]
        return values

    def _scores_of(self, windows) -> NDArray[np.float64]:
        return -self._measure(windows, self.error_model_.window_errors)

    def _collect(self, windows):
        """Residuals and codes (None if the model has none), at once."""
        residuals = np.empty((len(windows), self.window_length_, self.n_channels_))
        codes = []
        for at, block, block_codes in self._blocks(windows):
            residuals[at] = block[: at.stop - at.start]
            if block_codes is not None:
                codes.append(block_codes[: at.stop - at.start])
        return residuals, np.concatenate(codes) if codes else None

    def _collect_codes(self, windows):
        """Codes alone."""
        return np.concatenate(
            [codes[: at.stop - at.start] for at, _, codes in self._blocks(windows)]
        )

    # A few windows --------------------------------------------------------------------

    def _for_few(self) -> Self:
        """Return a copy that scores a single window in less time than a block.

        One by one, in the smallest blocks that are seen to give the bits of whole ones
        on this machine, for what calls `_errors_of_few` with checked windows. Not to be
        kept in files or pickles: other machines may round otherwise.
        """
        return in_small_blocks(as_fitted(self))

    def _in_blocks_of(self, n_windows: int) -> Self:
        """Return a copy that puts each window at the front of a block of so many."""
        copied = detached(self)
        copied._block = n_windows
        return copied

    def _errors_of_few(self, X, *, timesteps: bool) -> NDArray[np.float64]:
        """Errors of finite windows (n_windows, n_values), or of their timesteps."""
        windows, model = all_windows(X), self.error_model_
        if timesteps:
            return self._measure(windows, model.timestep_errors, (self.window_length_,))
        return self._measure(windows, model.window_errors)

    # After fit ------------------------------------------------------------------------

    def _fitted_windows(self, X):
        check_is_fitted(self)
        return all_windows(check_windows(self, X, reset=False))

    @after_fit
    @add_parameters(WINDOWS)
    def reconstruct(self, X: ArrayLike) -> NDArray[np.float64]:
        """Reconstruct windows.

        Returns
        -------
        X_reconstructed : ndarray of the shape of `X`, dtype float64
            Their reconstructions, in units of the input.
        """
        windows = self._fitted_windows(X)
        residuals, _ = self._collect(windows)
        reconstruction = windows.X - residuals.reshape(windows.X.shape)
        return reconstruction.reshape(np.shape(X))

    @after_fit
    @add_parameters(WINDOWS)
    def reconstruction_errors(self, X: ArrayLike) -> NDArray[np.float64]:
        """Absolute error of every value.

        Returns
        -------
        errors : ndarray of shape (n_windows, window_length, n_channels)
            ``abs(X - reconstruct(X))``, in units of the input; higher = more anomalous.
        """
        return np.abs(self._collect(self._fitted_windows(X))[0])

    @after_fit
    @add_parameters(WINDOWS)
    def score_timesteps(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score of every timestep, before it is averaged to that of the window.

        Returns
        -------
        scores : ndarray of shape (n_windows, window_length)
            Negative errors in the unit of the error model; higher = more normal.
        """
        windows, measure = self._fitted_windows(X), self.error_model_.timestep_errors
        errors = self._measure(windows, measure, (self.window_length_,))
        return np.negative(errors, out=errors)

    @after_fit
    @add_parameters(WINDOWS)
    def explain(self, X: ArrayLike) -> NDArray[np.float64]:
        """Break down the score of every window by timestep and channel.

        Returns
        -------
        contributions : ndarray of shape (n_windows, window_length, n_channels)
            Parts of the error, in the unit of the error model; higher = more
            anomalous. They add up to ``-score_samples(X)``, and window_length times
            their sums over channels are ``-score_timesteps(X)``. A channel has the
            same share in all timesteps of a window.
        """
        windows = self._fitted_windows(X)
        shape = (self.window_length_, self.n_channels_)
        if not hasattr(self, "reference_"):  # fitted by skad 0.1.0
            parts = self._measure(windows, self.error_model_.contributions, shape)
            return parts / self.window_length_
        errors = self._measure(windows, self.error_model_.timestep_errors, shape[:1])
        shares = self.reference_.shares(windows.X)
        return (errors / self.window_length_)[:, :, None] * shares[:, None, :]

    @after_fit
    def _expect(self, X) -> NDArray[np.float64]:
        """Tell what windows should have read, in shape and units of X."""
        windows = self._fitted_windows(X)
        if not hasattr(self, "reference_"):
            raise ValueError(
                f"This {type(self).__name__} was fitted by skad 0.1.0, which did not "
                "learn what windows should read; fit it again."
            )
        return self.reference_.expect(windows.X).reshape(np.shape(X))

    @after_fit
    @add_parameters(WINDOWS)
    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score windows.

        Returns
        -------
        scores : ndarray of shape (n_windows,), dtype float64
            Negative errors in the unit of the error model; higher = more normal. The
            score of a window does not depend on the windows it is scored with.
        """
        return self._scores_of(self._fitted_windows(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _cuts(n_windows, n_at_once):
    """Cut windows into parts: of n while as many remain, then of BLOCK at most."""
    start = 0
    while start < n_windows:
        n = n_at_once if n_windows - start >= n_at_once else BLOCK
        yield slice(start, min(start + n, n_windows))
        start += n
