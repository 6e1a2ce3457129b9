"""Checks of what goes into a detector's fit, and of what comes out of its model."""

import numpy as np

from skad._validation import check_consistent_length, check_outlier_labels
from skad._warnings import warn


def check_outputs(residuals, codes, at) -> None:
    """Refuse windows that a net turns into NaN or infinity, and say which.

    A code may overflow while the reconstruction does not, before a tanh for instance.
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
        f"of them is window {rows[0]}: their values are so large that float32 "
        "overflows in the net, or its training has diverged. Scale X first, e.g. with "
        "StandardScaler, clip values far from the training data, or use a smaller lr."
    )


def normal_validation_rows(X, y) -> np.ndarray:
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


def warn_if_not_narrower(latent_dim, n_inputs) -> None:
    """Warn of a code that can simply copy its input."""
    if latent_dim >= n_inputs:
        warn(
            f"latent_dim={latent_dim} is not below the {n_inputs} values of a window: "
            "the autoencoder can copy its input, anomalies included. Use a smaller "
            "latent_dim."
        )
