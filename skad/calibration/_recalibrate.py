"""A new threshold for a model that stays as it is."""

from __future__ import annotations

import copy
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from skad._fitting import with_standard_numbers
from skad._nesting import find_layer, input_of, layers
from skad.calibration._report import Calibration
from skad.calibration._threshold import PROMISED, promised_threshold
from skad.calibration._warnings import warn_of_few

Detector = TypeVar("Detector")


@with_standard_numbers
def recalibrate(estimator: Detector, X: ArrayLike) -> Detector:
    """Place the threshold of a fitted detector anew, by rows that are normal now.

    Nothing is trained: scores stay as they are. For a machine whose normal has moved
    on, or a detector that was fitted elsewhere.

    Parameters
    ----------
    estimator : object
        Fitted detector of skad, or a pipeline that ends with one. It is not changed.
    X : array-like
        Rows as the estimator takes them, normal ones that it has not learnt, in the
        order of time where it needs that. The more, the better: see `calibration_`.

    Returns
    -------
    recalibrated : object
        A copy of the estimator with a new `offset_` and `calibration_`: about 1 % of
        new rows like these are below the threshold, and `drift_report` compares later
        rows with them.

    Raises
    ------
    TypeError
        If there is no detector of skad inside that finds its threshold itself.
    ValueError
        If `X` does not fit the estimator, or its scores are not finite.

    Warns
    -----
    CalibrationWarning
        If `X` holds too few independent windows.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import LinearAutoencoder, recalibrate
    >>> rng = np.random.default_rng(0)
    >>> X, X_later = rng.normal(size=(200, 5)), rng.normal(scale=2, size=(200, 5))
    >>> detector = LinearAutoencoder(2).fit(X)
    >>> later = recalibrate(detector, X_later)
    >>> bool((later.predict(X_later) < 0).mean() < 0.02)
    True
    """
    recalibrated = copy.deepcopy(estimator)
    for outer in layers(recalibrated):
        if hasattr(outer, "_recalibrate"):  # several detectors
            outer._recalibrate(input_of(outer, recalibrated, X))
            return recalibrated
    layer = find_layer(recalibrated, "calibration_")
    known = layer.calibration_
    scores = recalibrated.score_samples(X)  # type: ignore[attr-defined]
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} scores are not "
            "finite."
        )
    n_independent = len(scores) / known.reach
    usual = layer._read_now(input_of(layer, recalibrated, X))
    layer.offset_ = promised_threshold(scores, PROMISED, n_independent)
    layer.calibration_ = Calibration(
        "later rows",
        len(scores),
        layer.offset_,
        promised=PROMISED,
        reach=known.reach,
        usual=usual,
    )
    warn_of_few(layer.calibration_)
    return recalibrated
