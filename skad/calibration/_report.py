"""What a detector knows of its threshold."""

from dataclasses import dataclass, field

from scipy.stats import beta

from skad.calibration._usual import UsualReadings

# Blocks whose medians lie further apart, in standard errors, are told.
_DISAGREE = 9.0


@dataclass(eq=False, repr=False)
class Calibration:
    """Where a threshold comes from, and what can be expected of it.

    Attributes
    ----------
    source : str
        Whose scores placed it: "left-out blocks", "held-out windows" (`X_val`, or those
        that stopped a training without ``refit``), "later rows" (`recalibrate`), or
        "learnt windows", whose scores are higher than those of new ones.
    n_scores : int
        Number of these scores.
    threshold : float
        The threshold, `offset_`.
    promised : float or None
        Share of new normal rows to be flagged; None where nothing is promised.
    reach : float
        Scores that tell the same, because their windows overlap.
    n_independent : float
        Independent windows that the scores amount to.
    learnt_flagged : float or None
        Share of what was learnt that lies below the threshold.
    block_thresholds : list of float
        The same quantile of the scores of each block that was left out.
    promised_interval : (float, float) or None
        Where the share of new normal rows may well lie, for all that so many
        independent windows can tell: Jeffreys' 95 % interval [1]_.
    disagreement : float or None
        How far apart the medians of the blocks lie, in standard errors. Above 9 normal
        has moved on already during fit.
    odd_stretches : list of (int, int)
        First and last rows (of `X` in fit, from 0) of stretches unlike the rest, which
        the detector has not learnt and the threshold does not rest on.
    refitted : list of str
        What was fitted anew for each block. The steps of a pipeline before the detector
        were not: they have seen all rows.
    usual : UsualReadings or None
        What `drift_report` compares later rows with.

    References
    ----------
    .. [1] L. D. Brown, T. T. Cai and A. DasGupta, "Interval estimation for a binomial
       proportion", Statistical Science 16(2), 2001, doi:10.1214/ss/1009213286.
    """

    source: str
    n_scores: int
    threshold: float
    promised: float | None = None
    reach: float = 1.0
    learnt_flagged: float | None = None
    block_thresholds: list[float] = field(default_factory=list)
    disagreement: float | None = None
    odd_stretches: list[tuple[int, int]] = field(default_factory=list)
    refitted: list[str] = field(default_factory=list)
    usual: UsualReadings | None = None

    @property
    def n_independent(self) -> float:
        """Independent windows that the scores amount to."""
        return self.n_scores / self.reach

    @property
    def promised_interval(self) -> tuple[float, float] | None:
        """Where the share of new normal rows that are flagged may well lie."""
        if self.promised is None:
            return None
        n_below = self.promised * self.n_independent
        n_above = self.n_independent - n_below
        low, high = beta.ppf([0.025, 0.975], n_below + 0.5, n_above + 0.5)
        return float(low), float(high)

    def __repr__(self):
        lines = [
            f"Threshold {self.threshold:.4g} from {self.n_scores:,} scores of "
            f"{self.source}"
        ]
        if self.promised_interval is None:
            lines.append(
                "It cuts off a share of these: nothing is promised of new rows"
            )
        else:
            low, high = self.promised_interval
            lines.append(
                f"{100 * self.promised:g} % of new normal rows are to be flagged; by "
                f"{self.n_independent:,.0f} independent windows it may be "
                f"{100 * low:.2g} to {100 * high:.2g} %"
            )
        if self.learnt_flagged is not None:
            lines.append(
                f"{100 * self.learnt_flagged:.2g} % of the learnt rows lie below it"
            )
        if self.block_thresholds:
            shown = ", ".join(f"{value:.4g}" for value in self.block_thresholds)
            lines.append(f"Thresholds of the blocks alone: {shown}")
        if self.disagreement is not None and self.disagreement > _DISAGREE:
            lines.append(
                f"The blocks disagree: their medians are {self.disagreement:.0f} "
                "standard errors apart, so normal moves on"
            )
        if self.odd_stretches:
            lines.append(f"Left out, because unlike the rest: rows {self.odd_rows}")
        if self.refitted:
            lines.append(f"Fitted anew for each block: {', '.join(self.refitted)}")
            lines.append("Steps of a pipeline before the detector were not fitted anew")
        return "\n".join(lines)

    @property
    def odd_rows(self) -> str:
        """The odd stretches as text."""
        return ", ".join(f"{first} to {last}" for first, last in self.odd_stretches)
