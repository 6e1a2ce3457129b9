"""What a detector knows of its threshold."""

from dataclasses import dataclass, field

from skad.calibration._usual import UsualReadings


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
        Share of the rows of fit below the threshold.
    block_thresholds : list of float
        The same quantile of the scores of each block that was left out.
    usual : UsualReadings or None
        What `drift_report` compares later rows with.
    """

    source: str
    n_scores: int
    threshold: float
    promised: float | None = None
    reach: float = 1.0
    learnt_flagged: float | None = None
    block_thresholds: list[float] = field(default_factory=list)
    usual: UsualReadings | None = None

    @property
    def n_independent(self) -> float:
        """Independent windows that the scores amount to."""
        return self.n_scores / self.reach

    def __repr__(self):
        lines = [
            f"Threshold {self.threshold:.4g} from {self.n_scores:,} scores of "
            f"{self.source}"
        ]
        if self.promised is None:
            lines.append(
                "It cuts off a share of these: nothing is promised of new rows"
            )
        else:
            lines.append(
                f"{100 * self.promised:g} % of new normal rows are to be flagged, "
                f"judged by {self.n_independent:,.0f} independent windows"
            )
        if self.learnt_flagged is not None:
            lines.append(
                f"{100 * self.learnt_flagged:.2g} % of the rows of fit lie below it"
            )
        if self.block_thresholds:
            shown = ", ".join(f"{value:.4g}" for value in self.block_thresholds)
            lines.append(f"Thresholds of the blocks alone: {shown}")
        return "\n".join(lines)
