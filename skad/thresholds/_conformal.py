"""A rule with a guarantee on false alarms."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

from skad._fitting import after_fit
from skad._validation import check_is_fitted, floor_of_share
from skad._warnings import warn
from skad.thresholds._cuts import check_scores
from skad.thresholds._rule import SHARE, ThresholdRule


class ConformalThreshold(ThresholdRule):
    """Threshold with a guaranteed rate of false alarms; no labels needed.

    Split conformal detection: the calibration scores, those of normal rows that the
    detector was not trained on, show how low the score of another normal row may be.

    Parameters
    ----------
    alpha : float, default=0.01
        Highest probability that a normal row is flagged, in (0, 1). To flag anything
        takes at least ``1 / alpha - 1`` calibration scores.

    Attributes
    ----------
    calibration_scores_ : ndarray of shape (n_samples,)
        The scores that the rule was fitted on, ascending.

    See Also
    --------
    QuantileThreshold : About the same threshold, without a guarantee.
    POTThreshold : For rates below 1 / n_samples, if the tail is well-behaved.

    Notes
    -----
    The threshold is the k-th lowest of the n calibration scores, ``k = floor(alpha * (n
    + 1))``; neither that score nor a tie with it is flagged. If k is 0, it is minus
    infinity: nothing is flagged, and a warning says how many scores are needed.

    **The guarantee.** If a new normal row and the calibration rows are exchangeable
    (any order of them is equally probable, as for independent rows of one
    distribution), it is flagged with a probability of at most alpha, and at least
    ``alpha - 1 / (n + 1)`` if scores do not tie. Nothing else is assumed about scores
    or detector. It holds on average over calibration sets: with one set, the rate of
    false alarms varies like Beta(k, n + 1 - k), with a standard deviation of about
    ``sqrt(alpha / n)``; for alpha = 0.01 with 1,000 scores, 0.004 or 0.016 is possible.

    **What breaks it.** Rows that the detector was trained on (their scores are too
    high), drift, and *time*. Scores of overlapping windows, or of neighbouring rows,
    repeat each other: many say no more than a few independent ones. With 199 windows of
    50 rows of noise, each starting one row after the last, and alpha = 0.05, the rate
    of false alarms is 0.13 on average, above 0.1 in nearly half of the draws and below
    0.025 in a sixth; with 199 windows that do not overlap it is 0.05 ± 0.015, as
    guaranteed. So calibrate on windows that do not overlap (`stride` at least the
    window length, and a gap as long as the memory of the series), on a stretch of many
    hundred window lengths, or on other series of the same kind; and leave a gap between
    training and calibration rows. The same holds for row scores of WindowedDetector.

    Anomalies among the calibration rows make the rule flag less, not more. In
    TunedThresholdDetector the guarantee holds if the detector that is kept gave the
    scores: `X_val`, ``cv="prefit"``, or a float for `cv` with ``refit=False``. With
    scores pooled from folds and a refit, it holds approximately, without proof.

    References
    ----------
    V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, sections
    2.2 and 4.2, 2005, doi:10.1007/b106715.

    V. Vovk, "Conditional validity of inductive conformal predictors", 2012,
    arXiv:1209.2673 (the Beta distribution).

    S. Bates, E. Candès, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with
    conformal p-values", Annals of Statistics 51, 2023, arXiv:2104.08279.

    Examples
    --------
    >>> from skad import ConformalThreshold
    >>> rule = ConformalThreshold(alpha=0.25)
    >>> rule.fit([-4.0, -1.0, -2.0, -3.0, -1.5, -6.0, -2.5]).threshold_
    -4.0
    >>> rule.p_values([-5.0, -4.0, -1.2])
    array([0.25 , 0.375, 0.875])
    """

    _parameter_constraints: ClassVar = {"alpha": [SHARE]}

    def __init__(self, alpha: float = 0.01):
        self.alpha = alpha

    def _find(self, scores, is_anomaly):
        ordered = np.sort(scores)
        n_below = min(floor_of_share(self.alpha, len(ordered) + 1), len(ordered))
        if n_below == 0:
            warn(
                f"{len(ordered)} calibration scores are too few for alpha={self.alpha}:"
                " nothing will be flagged. At least "
                f"{np.ceil(round(1 / self.alpha, 9)) - 1:.0f} are needed."
            )
        self.calibration_scores_ = ordered
        return float(ordered[n_below - 1]) if n_below else -np.inf

    @after_fit
    def p_values(
        self, scores: ArrayLike, *, adjust: Literal["bh", "by"] | None = None
    ) -> NDArray[np.float64]:
        """Compute how unusual scores are among those of normal rows.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or (n_samples, 1)
            Scores of new rows, higher = more normal.
        adjust : {None, "bh", "by"}, default=None
            None: each row by itself; p <= alpha for at most a share alpha of the normal
            rows. "bh" (Benjamini and Hochberg) and "by" (Benjamini and Yekutieli): of
            the rows with p <= q, an expected share of at most q is normal. "bh" assumes
            independent rows; "by" allows any dependence, and finds less.

        Returns
        -------
        p_values : ndarray of shape (n_samples,), dtype float64
            ``(1 + number of calibration scores <= score) / (n + 1)``, adjusted; lower =
            more anomalous. Without adjustment, ``p <= alpha`` where ``score <
            threshold_``, and nowhere else.

        Raises
        ------
        ValueError
            If `adjust` is none of the three.
        """
        check_is_fitted(self)
        if adjust not in (None, "bh", "by"):
            raise ValueError(f"adjust={adjust!r}; expected None, 'bh' or 'by'.")
        calibration = self.calibration_scores_
        n_lower = np.searchsorted(calibration, check_scores(scores), side="right")
        p_values = (1 + n_lower) / (1 + len(calibration))
        return false_discovery_control(p_values, method=adjust) if adjust else p_values
