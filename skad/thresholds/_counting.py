"""Rules that count scores: a share of the rows, or a budget of alerts."""

from __future__ import annotations

from fractions import Fraction
from numbers import Real
from typing import ClassVar, Literal

import numpy as np

from skad._validation import (
    Interval,
    StrOptions,
    ceil_of_share,
    floor_of_share,
)
from skad._warnings import warn
from skad.thresholds._cuts import threshold_above, threshold_below
from skad.thresholds._rule import POSITIVE, ThresholdRule


class QuantileThreshold(ThresholdRule):
    """Threshold at a quantile of the scores; no labels needed.

    Parameters
    ----------
    quantile : float, default=0.01
        Share of the scores that should lie below the threshold, in [0, 1).

    See Also
    --------
    ConformalThreshold : With a guarantee for new rows.
    AlertBudgetThreshold : The same, in alerts a day.
    POTThreshold : For shares too small to be counted.
    FBetaThreshold : The threshold with the best F-beta, from labels.

    Notes
    -----
    The ``ceil(quantile * (n - 1))`` lowest of n scores lie below the threshold, as with
    NumPy's linear quantile; it is the midpoint between two neighbouring distinct
    scores. If the detector was not trained on the rows, and new ones are like them, the
    quantile is the share of false alarms to expect.

    Examples
    --------
    >>> from skad import QuantileThreshold
    >>> QuantileThreshold(0.25).fit([-4.0, -1.0, -2.0, -3.0, -1.5]).threshold_
    -3.5
    """

    _parameter_constraints: ClassVar = {
        "quantile": [Interval(Real, 0, 1, closed="left")]
    }

    def __init__(self, quantile: float = 0.01):
        self.quantile = quantile

    def _find(self, scores, is_anomaly):
        n_below = ceil_of_share(self.quantile, len(scores) - 1)
        return threshold_below(np.sort(scores), n_below)


class AlertBudgetThreshold(ThresholdRule):
    """Threshold that keeps to a budget of alerts; no labels needed.

    Parameters
    ----------
    budget : float, default=1.0
        Number of alerts allowed every `per` rows, > 0 and below `per`.
    per : float, default=1000
        Number of rows that the budget is for, > 0: 1440 for a budget of alerts a day,
        with a row a minute.
    count : {"rows", "events"}, default="rows"
        What counts as an alert: every row below the threshold, or every run of
        consecutive ones ("events"), which needs the scores in the order of time.

    See Also
    --------
    QuantileThreshold : The same, as a share of the rows.
    ConformalThreshold : With a guarantee for new rows.

    Notes
    -----
    Of n scores, ``floor(budget * n / per)`` alerts are within the budget. The threshold
    is the highest one within it, found exactly over all thresholds between two distinct
    scores. Ties are never separated, and the highest score is never below the
    threshold. If the scores are too few for a single alert, the threshold lies below
    all of them, and the rule warns.

    A higher threshold may raise fewer events, because runs of rows merge. The rule
    stops below the first threshold that raises too many, so that all lower ones are
    within the budget, too; and where half of the rows would be flagged, so that a long
    drift does not pass as one event. A run that crosses from one series into the next
    counts once, and a table of events that joins runs over gaps holds fewer.

    The budget is kept on the scores of the fit, and can be expected on rows like these:
    the detector must not have been trained on them, and anomalies among them use up the
    budget, too. With few alerts, the rate is only known roughly: where k are expected,
    k ± 2 sqrt(k) are nothing unusual, or more if alerts come in bursts.

    Examples
    --------
    >>> from skad import AlertBudgetThreshold
    >>> scores = [-1.0, -7.0, -8.0, -2.0, -1.0, -6.0, -9.0, -1.0, -5.0, -1.0]
    >>> AlertBudgetThreshold(2, per=10).fit(scores).threshold_
    -7.5
    >>> AlertBudgetThreshold(2, per=10, count="events").fit(scores).threshold_
    -5.5
    """

    _parameter_constraints: ClassVar = {
        "budget": [POSITIVE],
        "per": [POSITIVE],
        "count": [StrOptions({"rows", "events"})],
    }

    def __init__(
        self,
        budget: float = 1.0,
        *,
        per: float = 1000,
        count: Literal["rows", "events"] = "rows",
    ):
        self.budget = budget
        self.per = per
        self.count = count

    @property
    def needs_order(self) -> bool:
        """Whether the scores must be those of consecutive rows."""
        return self.count == "events"

    def _find(self, scores, is_anomaly):
        n_allowed = self._n_alerts_allowed(len(scores))
        distinct = np.unique(scores)
        n_rows, n_events = _count_alerts(scores, distinct)
        if self.count == "rows":
            exceeds = n_rows > n_allowed
        else:
            exceeds = (n_events > n_allowed) | (n_rows > len(scores) / 2)
        exceeds[-1] = True  # even if rounding says that a budget just below `per` fits
        return threshold_above(distinct, int(np.argmax(exceeds)) - 1)

    def _n_alerts_allowed(self, n_scores):
        if self.budget >= self.per:
            raise ValueError(
                f"budget={self.budget} alerts per {self.per} rows are an alert for "
                "every row; expected budget < per."
            )
        # of the numbers as they are written: 0.3 / 3 falls short of 0.1
        share = float(Fraction(str(self.budget + 0)) / Fraction(str(self.per + 0)))
        n_allowed = floor_of_share(share, n_scores)
        if n_allowed == 0:
            warn(
                f"budget={self.budget} per {self.per} rows allows no alert in "
                f"{n_scores} rows; the threshold is put below all scores. Fit on at "
                f"least {np.ceil(self.per / self.budget):.0f} rows."
            )
        return n_allowed


def _count_alerts(scores, levels):
    """Count the rows, and the runs of them, below thresholds right above each level."""
    n_rows = np.searchsorted(np.sort(scores), levels, side="right")
    # a row that follows another one below the threshold starts no run
    followers = np.sort(np.maximum(scores[:-1], scores[1:]))
    return n_rows, n_rows - np.searchsorted(followers, levels, side="right")
