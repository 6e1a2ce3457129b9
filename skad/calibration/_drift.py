"""How far sensors have moved since a detector was fitted, and what labels are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta

from skad.calibration._usual import MOST, UsualReadings
from skad.calibration._warnings import most_allowed

QUANTITIES = ("level", "spread", "error")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DriftReport:
    """What has moved since a detector was fitted, as plain attributes.

    Made by :func:`drift_report`. It prints as text.

    Attributes
    ----------
    sensors : DataFrame
        One row for each sensor, those that moved farthest first, those of which only
        the error moved last (a model may pass on faults of others), with the columns

        - "moved": "level", "spread" or "error", whichever moved farthest; "" where
          chance explains all,
        - "certain": by how much that one moved at least: the end of its interval that
          is nearer to 0; 0.0 where nothing moved,
        - "level", "spread", "error": by how much each moved, and "level_low",
          "level_high" and so on, the interval of that.

        Levels are in standard deviations of fit, spreads and errors are natural
        logarithms of ratios (of 1000 at most): 0.7 is twice as much, -0.7 is half.
        Errors are missing (NaN) where the detector has none.
    n_rows, n_windows : int
        Rows (or windows) that were judged, and windows of them that were compared.
    flagged, flagged_low, flagged_high : float
        Share of rows below the threshold, and the interval of that share (confidence
        95 %), as of so many independent windows.
    promised, allowed : float
        Share that calibration promises, and the largest that chance explains.
    confidence : float
        Probability with which all intervals of `sensors` hold together.

    See Also
    --------
    drift_report : Make a report.
    DriftDisplay : Draw one.
    """

    sensors: pd.DataFrame
    n_rows: int
    n_windows: int
    flagged: float
    flagged_low: float
    flagged_high: float
    promised: float
    allowed: float
    confidence: float

    @property
    def moved(self) -> list:
        """Names of the sensors that moved, the farthest first."""
        return list(self.sensors.index[self.sensors["certain"].to_numpy() > 0])

    def is_certain(self, quantity: str) -> NDArray[np.bool_]:
        """Tell which sensors moved by more than chance explains.

        Parameters
        ----------
        quantity : {"level", "spread", "error"}
            What may have moved.

        Returns
        -------
        is_certain : ndarray of shape (n_sensors,), dtype bool
            One for each row of `sensors`.
        """
        ends = (self.sensors[quantity + end].to_numpy() for end in ("_low", "_high"))
        return _certain(quantity, *ends) > 0

    @property
    def labels_can_be_trusted(self) -> bool:
        """Whether no more rows are flagged than chance explains, as for `predict`."""
        return self.flagged <= self.allowed

    @property
    def verdict(self) -> str:
        """How many rows are flagged, and what labels are worth, in a line."""
        shares = self.flagged, self.flagged_low, self.flagged_high, self.promised
        flagged, low, high, promised = map(_percent, shares)
        can = "can" if self.labels_can_be_trusted else "cannot"
        return (
            f"{flagged} of rows flagged ({low} to {high}), {promised} promised: "
            f"labels {can} be trusted"
        )

    @property
    def reason(self) -> str:
        """Why labels can be trusted, or cannot."""
        shares = (
            f"{_percent(self.flagged)} of {self.n_rows:,} rows are flagged "
            f"({_percent(self.flagged_low)} to {_percent(self.flagged_high)} by "
            f"independent windows), where {_percent(self.promised)} of rows like those "
            "of fit would be"
        )
        if self.labels_can_be_trusted:
            limit = f"up to {_percent(min(1.0, self.allowed))} by chance"
            few = ": too few rows to tell otherwise" if self.allowed >= 1 else ""
            return f"Labels can be trusted: {shares}, and {limit}{few}."
        return (
            f"Labels cannot be trusted: {shares}. Unless these rows are full of "
            "anomalies, normal has moved on: fit again on rows that are normal now, or "
            "place the threshold by them (skad.recalibrate)."
        )

    def __repr__(self):
        moved = self.moved
        n_sensors = len(self.sensors)
        if not moved:
            told = f"None of {n_sensors} sensors moved by more than chance explains."
            return f"{self.reason}\n{told}"
        lines = [
            self.reason,
            f"{len(moved)} of {n_sensors} sensors moved since fit (in brackets: with "
            f"{_percent(self.confidence)} confidence for all of them):",
        ]
        shown = self.sensors[: min(len(moved), _N_SHOWN)]
        width = max(len(str(name)) for name in shown.index)
        for name, row in shown.iterrows():
            told = [_tell(quantity, row) for quantity in QUANTITIES]
            text = "; ".join(one for one in told if one)
            if not any(told[:2]):
                text += ", maybe because of others"
            lines.append(f"  {name!s:{width}}  {text}")
        if len(moved) > len(shown):
            lines.append(f"  and {len(moved) - len(shown)} others; see `sensors`")
        if self.labels_can_be_trusted:
            lines.append(
                "The model follows them: it flags no more rows, but may no longer see "
                "their faults."
            )
        return "\n".join(lines)


# Sensors that a report prints.
_N_SHOWN = 12


def _percent(share) -> str:
    """Write a share in per cent."""
    return f"{100 * share:.{0 if share > 0.095 else 1}f}".removesuffix(".0") + " %"


def _tell(quantity, row) -> str:
    """Say how one quantity of a sensor moved; nothing if it may not have."""
    effect, low, high = (row[quantity + part] for part in ("", "_low", "_high"))
    if _certain(quantity, low, high) == 0:
        return ""
    if quantity == "level":
        return f"level {effect:+.2g} sd ({low:+.2g} to {high:+.2g})"
    effect, low, high = np.exp([effect, low, high])
    if quantity == "spread" and effect < 1.01 / MOST:
        return "stands still"
    return f"{quantity} x {effect:.2g} ({low:.2g} to {high:.2g})"


def _certain(quantity, low, high):
    """Distance of intervals from 0; errors move upwards only.

    Left-out errors are those of models that have learnt less, and so are larger than
    new ones of the final model.
    """
    above = np.maximum(low, 0)
    below = np.zeros_like(above) if quantity == "error" else np.maximum(-high, 0)
    return np.nan_to_num(np.maximum(above, below))


def sensors_moved(
    usual: UsualReadings, now: UsualReadings, names, confidence
) -> pd.DataFrame:
    """Table of effects for `DriftReport`, those that are certain first.

    Errors alone count for less: what a sensor is expected to read follows others, too.
    """
    n_intervals = len(QUANTITIES) * len(usual.units)
    effects = usual.effects(now, (1 - confidence) / n_intervals)
    columns: dict[str, np.ndarray] = {}
    certain = []
    for quantity in QUANTITIES:
        effect, low, high = effects[quantity]
        columns |= {quantity: effect, f"{quantity}_low": low, f"{quantity}_high": high}
        certain.append(_certain(quantity, low, high))
    farthest, readings = np.max(certain, axis=0), np.max(certain[:2], axis=0)
    which = np.array(QUANTITIES, dtype=object)[np.argmax(certain, axis=0)]
    first = {"moved": np.where(farthest > 0, which, ""), "certain": farthest}
    table = pd.DataFrame(first | columns, index=pd.Index(names, name="sensor"))
    sizes = table[list(QUANTITIES)].abs().max(axis=1).to_numpy()
    return table.iloc[np.lexsort((-sizes, -farthest, readings == 0))]


def shares_flagged(calibrations, flags) -> dict[str, float]:
    """Share of rows flagged, its interval, and what is promised and allowed.

    Of the rows of one detector or, as a whole, of several: one item for each.
    """
    n_flagged = sum(int(np.count_nonzero(one)) for one in flags)
    return shares_of_counts(calibrations, [len(one) for one in flags], n_flagged)


def shares_of_counts(calibrations, n_rows, n_flagged) -> dict[str, float]:
    """Find the same from numbers of rows, and of flagged ones among all of them."""
    n_rows = np.array(n_rows)
    share = float(n_flagged / n_rows.sum())
    n_independent = float((n_rows / [one.reach for one in calibrations]).sum())
    n = max(1.0, n_independent)
    hits = share * n
    promised = max(one.promised for one in calibrations)  # which is that of all
    n_in_fit = sum(one.n_independent for one in calibrations)
    return {
        "flagged": share,
        "flagged_low": float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0,
        "flagged_high": float(beta.ppf(0.975, hits + 1, n - hits))
        if share < 1
        else 1.0,
        "promised": float(promised),
        "allowed": float(most_allowed(promised, n_in_fit, n_independent)),
    }
