"""What is said where labels may not be trusted."""

import sys

from skad._warnings import warn

# Callers that judge labels themselves: many flagged rows are no news to them. (What a
# user has a fitted search predict, nobody judges.)
_JUDGES = ("sklearn.model_selection._validation", "sklearn.metrics", "skad.evaluation")
# What happens less often is not put down to chance.
_CHANCE = 0.01


class CalibrationWarning(UserWarning):
    """The rows of fit do not tell well where the threshold should lie.

    There are too few independent windows, or stretches unlike the rest, or those that
    are learnt have scores unlike those of new ones.
    """


class DriftWarning(UserWarning):
    """Far more rows are flagged than normal rows would be."""


def warn_of_few(calibration) -> None:
    """Warn of fewer independent windows than the promised share needs."""
    n_needed = 0.4 / calibration.promised
    if calibration.n_independent < n_needed:
        warn(
            f"The threshold rests on {calibration.n_independent:.0f} independent "
            f"windows, where {100 * calibration.promised:g} % of new normal rows need "
            f"{n_needed:.0f}: it may flag several times as many, or hardly any. Fit on "
            "more rows, use a shorter window, or set contamination.",
            CalibrationWarning,
        )


def warn_of_odd(calibration) -> None:
    """Warn of stretches that were left out.

    Not of less than a window at the start: such are windows that are filled up in
    front, or a machine that warms up.
    """
    stretches = calibration.odd_stretches
    if any(first > 0 or last >= calibration.reach for first, last in stretches):
        warn(
            f"Rows {calibration.odd_rows} of fit are unlike the rest: they were left "
            "out, and rows like them will be flagged. If they are normal, fit on more "
            "like them, or set contamination.",
            CalibrationWarning,
        )


def warn_of_none_below(calibration) -> None:
    """Warn of a threshold that no learnt row is below, unless that may be chance."""
    by_chance = (1 - calibration.promised) ** calibration.n_independent
    if calibration.learnt_flagged == 0 and by_chance < _CHANCE:
        warn(
            "No row of fit is below the threshold, where about "
            f"{100 * calibration.promised:g} % should be: the detector scores rows it "
            "has learnt higher than new ones by far. Fit on more rows, or give it less "
            "freedom, such as a smaller latent_dim or a shorter window.",
            CalibrationWarning,
        )


def most_allowed(promised, n_in_fit, n_now) -> float:
    """Share of rows like those of fit that chance may flag; more is drift.

    By the numbers of independent windows.
    """
    # Chosen on made tables (false in 1 to 2 %) and on tables that drift.
    return 3 * promised + 1.5 / n_in_fit + 1 / n_now


def warn_of_drift(calibration, n_flagged, n_rows) -> None:
    """Warn where far more rows are flagged than promised, by what chance allows."""
    if calibration.promised is None or _is_judged():
        return
    share = n_flagged / n_rows
    promised, n_in_fit = calibration.promised, calibration.n_independent
    if share > most_allowed(promised, n_in_fit, n_rows / calibration.reach):
        warn(
            f"{n_flagged} of {n_rows} rows ({100 * share:.0f} %) are flagged, where "
            f"{100 * calibration.promised:g} % of rows like those of fit would be. "
            "Unless these are full of anomalies, normal has moved on: fit again on "
            "rows that are normal now, or place the threshold by them "
            "(skad.recalibrate).",
            DriftWarning,
        )


def _is_judged():
    """Whether a scorer, a search or an evaluation is asking."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_JUDGES):
            return True
        frame = frame.f_back
    return False
