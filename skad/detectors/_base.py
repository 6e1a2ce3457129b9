"""The scikit-learn contract of every detector, once."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.callback import with_callbacks

from skad._base import ThresholdMixin
from skad._validation import (
    HasMethods,
    Interval,
    StrOptions,
    all_or_nothing,
    check_consistent_length,
    check_finite,
    check_is_fitted,
    check_outlier_labels,
    column_or_1d,
    fit_context,
    validate_data,
    warn,
)
from skad.detectors._windows import Windows, all_windows
from skad.error_models._models import ERROR_MODELS, BaseErrorModel
from skad.thresholds._unlabelled import QuantileThreshold

# Rows a model sees at once when it scores. Always exactly so many, the last block
# padded with zeros: matrix products round by the shape of the whole product, so only
# then does the score of a row not depend on the rows beside it.
BLOCK = 64


class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ThresholdMixin, BaseEstimator
):
    """Base of all detectors: windows in, errors, scores and labels out.

    A subclass learns in `_fit_model` and reconstructs one block in
    `_reconstruct_block`; everything else is here.
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "error_model": [
            StrOptions(set(ERROR_MODELS)),
            HasMethods(["fit", "timestep_errors", "window_errors"]),
        ],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "normal_label": "no_validation",
    }

    def __init__(
        self,
        *,
        n_channels=1,
        error_model="mse",
        contamination="auto",
        normal_label=None,
    ):
        self.n_channels = n_channels
        self.error_model = error_model
        self.contamination = contamination
        self.normal_label = normal_label

    # What a subclass writes -----------------------------------------------------------

    def _fit_model(self, windows, held_out):
        """Learn to reconstruct windows.

        `held_out` is None if the caller gave no validation windows. Returns the windows
        that were trained on and those that were held out (may be none: None).
        """
        raise NotImplementedError(f"{type(self).__name__} lacks _fit_model.")

    def _reconstruct_block(self, block):
        """Reconstruct (BLOCK, window_length, n_channels); return it and the codes."""
        raise NotImplementedError(f"{type(self).__name__} lacks _reconstruct_block.")

    # fit ------------------------------------------------------------------------------

    @all_or_nothing
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, *, X_val=None, y_val=None):
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
            where the detector has use for one. In a pipeline nothing
            transforms it unless metadata routing says so; GridSearchCV cuts it like `X`
            if it has as many rows.
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
        X = self._check_windows(X, reset=True)
        windows = Windows(X, self._normal_rows(X, y))
        held_out = None
        if X_val is None and y_val is not None:
            raise ValueError(
                "y_val was given without X_val, the windows it belongs to."
            )
        if X_val is not None:
            X_val = self._check_windows(X_val, reset=False, name="X_val")
            held_out = Windows(X_val, _normal_validation_rows(X_val, y_val))
        self._learn(windows, held_out)
        return self

    def _learn(self, windows, held_out):
        """Fit model, error model and threshold."""
        error_model = self._new_error_model()
        trained_on, held_out = self._fit_model(windows, held_out)
        self._fit_error_model(error_model, trained_on, held_out)
        self._fit_offset(windows, held_out)

    def _check_windows(self, X, *, reset, name="X"):
        """Windows as a finite 2-D array; sets the shape of a window if `reset`."""
        n_channels = self.n_channels
        if isinstance(X, list | tuple) and np.ndim(X[:1]) == 3:
            X = np.asarray(X)
        if getattr(X, "ndim", None) == 3 and len(X):
            if not reset and X.shape[1:] != (self.window_length_, self.n_channels_):
                raise ValueError(
                    f"{name} has windows of shape {tuple(X.shape[1:])}, but "
                    f"{type(self).__name__} was fitted on windows of shape "
                    f"{(self.window_length_, self.n_channels_)} (timesteps, channels)."
                )
            n_channels = X.shape[2]
            X = np.asarray(X).reshape(len(X), -1)
        X = validate_data(
            self,
            X,
            reset=reset,
            dtype="numeric",
            ensure_all_finite=False,
            ensure_min_samples=2 if reset else 1,
        )
        check_finite(X, getattr(self, "feature_names_in_", None), name)
        if reset:
            if X.shape[1] % n_channels:
                raise ValueError(
                    f"X has {X.shape[1]} values a row, which n_channels={n_channels} "
                    "does not divide; a row holds window_length * n_channels values."
                )
            self.window_length_ = X.shape[1] // n_channels
            self.n_channels_ = n_channels
        return X

    def _normal_rows(self, X, y):
        """Positions of the windows that fit may learn from."""
        if self.normal_label is None:
            return np.arange(len(X))
        if y is None:
            raise ValueError(
                f"normal_label={self.normal_label!r} selects windows by their labels, "
                "but y is None; pass y to fit, or set normal_label=None."
            )
        y = column_or_1d(y)
        check_consistent_length(X, y)
        rows = np.flatnonzero(y == self.normal_label)
        if len(rows) < 2:
            raise ValueError(
                f"Found {len(rows)} of {len(y)} windows with the label "
                f"normal_label={self.normal_label!r}; at least 2 are needed. y holds "
                f"{np.unique(y)[:6].tolist()}."
            )
        return rows

    def _new_error_model(self):
        """Make the error model; a wrong parameter of it shows before the training."""
        if isinstance(self.error_model, str):
            return ERROR_MODELS[self.error_model]()
        model = clone(self.error_model)
        if hasattr(model, "_parameter_constraints"):
            model._validate_params()
        return model

    def _fit_error_model(self, model, trained_on, held_out):
        """Fit the error model on the held-out windows, or on all if there are none."""
        if type(model).fit is BaseErrorModel.fit:  # learns nothing
            self.error_model_ = model
            return
        residuals, codes = self._collect((held_out or trained_on).sample())
        train_codes = None
        if getattr(model, "uses_codes", False) and held_out and codes is not None:
            train_codes = self._collect_codes(trained_on.sample())
        self.error_model_ = model.fit(residuals, codes, train_codes)

    def _fit_offset(self, windows, held_out):
        """Put the threshold where `contamination` says."""
        auto = self.contamination == "auto"
        scores = self._score(held_out if auto and held_out else windows)
        if not np.isfinite(scores).all():
            raise ValueError(
                f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} scores are "
                "not finite: the training has diverged. Use a smaller lr, set "
                "max_grad_norm, or scale the data first, e.g. with StandardScaler."
            )
        rule = QuantileThreshold() if auto else QuantileThreshold(self.contamination)
        self.offset_ = rule.fit(scores).threshold_

    # Blocks ---------------------------------------------------------------------------

    def _blocks(self, windows):
        """Yield (slice, residuals, codes); the last block has BLOCK rows as well."""
        shape = (BLOCK, self.window_length_, self.n_channels_)
        for start in range(0, len(windows), BLOCK):
            at = slice(start, min(start + BLOCK, len(windows)))
            block = windows.gather(at)
            if block.dtype.kind != "f":
                block = block.astype(np.float64)
            if len(block) < BLOCK:
                padding = np.zeros((BLOCK - len(block), block.shape[1]), block.dtype)
                block = np.concatenate([block, padding])
            block = block.reshape(shape)
            reconstruction, codes = self._reconstruct_block(block)
            # Cast after the subtraction: casting inside it takes twice as long.
            residuals = np.subtract(block, reconstruction)
            _check_outputs(residuals, codes, at)
            yield at, residuals.astype(np.float64, copy=False), codes

    def _score(self, windows):
        scores = np.empty(len(windows))
        for at, residuals, codes in self._blocks(windows):
            errors = self.error_model_.window_errors(residuals, codes)
            scores[at] = -errors[: at.stop - at.start]
        return scores

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

    # What a user asks -----------------------------------------------------------------

    def _fitted_windows(self, X):
        check_is_fitted(self)
        return all_windows(self._check_windows(X, reset=False))

    def reconstruct(self, X):
        """Reconstruct windows.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows.

        Returns
        -------
        X_reconstructed : ndarray of the shape of `X`, dtype float64
            What the autoencoder makes of them, in units of the input.
        """
        windows = self._fitted_windows(X)
        residuals, _ = self._collect(windows)
        reconstruction = windows.X - residuals.reshape(windows.X.shape)
        return reconstruction.reshape(np.shape(X))

    def reconstruction_errors(self, X):
        """Absolute error of every value.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows.

        Returns
        -------
        errors : ndarray of shape (n_windows, window_length, n_channels)
            ``abs(X - reconstruct(X))``, in units of the input; higher = more anomalous.
        """
        return np.abs(self._collect(self._fitted_windows(X))[0])

    def score_timesteps(self, X):
        """Score of every timestep, before it is averaged to that of the window.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows.

        Returns
        -------
        scores : ndarray of shape (n_windows, window_length)
            Negative errors in the unit of the error model; higher = more normal.
        """
        windows = self._fitted_windows(X)
        scores = np.empty((len(windows), self.window_length_))
        for at, residuals, codes in self._blocks(windows):
            errors = self.error_model_.timestep_errors(residuals, codes)
            scores[at] = -errors[: at.stop - at.start]
        return scores

    def explain(self, X):
        """Share out the score of every window to its timesteps and channels.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows.

        Returns
        -------
        contributions : ndarray of shape (n_windows, window_length, n_channels)
            Parts of the error, in the unit of the error model; higher = more
            anomalous. They add up to ``-score_samples(X)``, and window_length times
            their sums over channels are ``-score_timesteps(X)``.
        """
        windows = self._fitted_windows(X)
        shares = np.empty((len(windows), self.window_length_, self.n_channels_))
        for at, residuals, codes in self._blocks(windows):
            part = self.error_model_.contributions(residuals, codes)
            shares[at] = part[: at.stop - at.start] / self.window_length_
        return shares

    def score_samples(self, X):
        """Score windows.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows.

        Returns
        -------
        scores : ndarray of shape (n_windows,), dtype float64
            Negative errors in the unit of the error model; higher = more normal. The
            score of a window does not depend on the windows it is scored with.
        """
        return self._score(self._fitted_windows(X))

    def transform(self, X):
        """Encode windows.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows.

        Returns
        -------
        codes : ndarray of shape (n_windows, latent_dim), dtype float64
            Latent codes, before their activation.
        """
        return self._collect_codes(self._fitted_windows(X))

    @property
    def _n_features_out(self):
        return self.latent_dim_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _check_outputs(residuals, codes, at):
    """Refuse windows of which a net makes NaN or infinity, and say which.

    A code may overflow and the reconstruction not, behind an activation such as tanh.
    """
    n_windows = at.stop - at.start  # the rest is padding
    outputs = [residuals[:n_windows].reshape(n_windows, -1)]
    if codes is not None:
        outputs.append(codes[:n_windows])
    if all(np.isfinite(output).all() for output in outputs):
        return
    is_finite = [np.isfinite(output).all(axis=1) for output in outputs]
    rows = at.start + np.flatnonzero(~np.all(is_finite, axis=0))
    raise ValueError(
        f"The code or reconstruction of {len(rows)} windows is not finite, the first "
        f"of them is window {rows[0]}: their values are so large that float32 in the "
        "net overflows, or its training has diverged. Scale X first, e.g. with "
        "StandardScaler, clip what is far from the data of fit, or use a smaller lr."
    )


def _normal_validation_rows(X, y):
    """Positions of the validation windows, without those labelled as anomalies."""
    if y is None:
        return np.arange(len(X))
    is_anomaly = check_outlier_labels(y, name="y_val")
    check_consistent_length(X, is_anomaly)
    if is_anomaly.all():
        raise ValueError(
            f"All {len(X)} windows of X_val are labelled as anomalies in y_val; normal "
            "ones are needed to stop training and to fit the error model."
        )
    return np.flatnonzero(~is_anomaly)


def warn_if_not_narrower(latent_dim, n_inputs):
    """Warn of a code that can simply copy its input."""
    if latent_dim >= n_inputs:
        warn(
            f"latent_dim={latent_dim} is not below the {n_inputs} values of a window: "
            "the autoencoder can copy its input, anomalies included. Use a smaller "
            "latent_dim."
        )
