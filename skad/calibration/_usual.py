"""What sensors usually read, and how far that wanders without any drift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t
from sklearn.utils import gen_batches

# Means of fewer stretches than this do not tell how far means wander.
MIN_STRETCHES = 8
# Beside the size of readings, smaller numbers are rounding.
_ROUNDING = 1e-9
# A ratio farther from 1 tells no more: a sensor that is stuck, or no longer is.
MOST = 1000.0
# Values (8 MB) that are gathered at once.
_VALUES = 2**20


def step_of(reach) -> int:
    """Windows that are judged start so far apart, where `reach` windows overlap.

    Not exactly their length: a cycle of two windows would show them the same phases
    over and over, and others in rows that begin at another phase. The golden section
    sweeps over the phases of any cycle.
    """
    return max(1, round(0.62 * reach))


def gather_windows(X, positions, window_length) -> Iterator[np.ndarray]:
    """Yield rows of X in blocks, (n_windows, window_length, n_channels)."""
    for at in gen_batches(len(positions), max(1, _VALUES // X.shape[1])):
        windows = X[positions[at]]
        yield windows.reshape(len(windows), window_length, -1)


@dataclass(eq=False, repr=False)
class WindowMeans:
    """One quantity of windows in a row: its mean, and how it varies.

    Attributes
    ----------
    n_windows : int
        Number of windows.
    mean : ndarray of shape (n_channels,)
        Mean over windows.
    variances : ndarray of shape (n_scales, n_channels)
        Variance of the means of 1, 2, 4, ... windows in a row, down to 8 stretches; no
        scales if there are fewer windows.
    """

    n_windows: int
    mean: NDArray
    variances: NDArray

    @classmethod
    def of(cls, values: NDArray) -> WindowMeans:
        """Summarise values of windows in time, (n_windows, n_channels)."""
        n_windows, mean, variances = len(values), values.mean(axis=0), []
        while len(values) >= MIN_STRETCHES:
            variances.append(values.var(axis=0, ddof=1))
            even = len(values) // 2 * 2
            values = (values[:even:2] + values[1:even:2]) / 2
        return cls(n_windows, mean, np.reshape(variances, (-1, len(mean))))

    def margin(self, n_new, ratio, risk) -> NDArray[np.float64]:
        """How far the mean of new windows may be from this one without any drift.

        Readings that remember those before vary more in the mean than independent ones
        do, and cycles most over parts of a cycle: of all scales that the new windows
        can hold, the widest interval counts. New values vary `ratio` times as much.
        """
        margin = np.zeros_like(self.mean)
        for scale, variance in enumerate(self.variances):
            size = 2**scale
            if size > n_new:
                break
            quantile = t.isf(risk / 2, (self.n_windows >> scale) - 1)
            both = 1 / self.n_windows + ratio**2 / n_new
            np.maximum(margin, quantile * np.sqrt(size * variance * both), out=margin)
        return margin


@dataclass(eq=False, repr=False)
class UsualReadings:
    """Level, spread and error of every sensor over windows that are judged.

    Attributes
    ----------
    level : WindowMeans
        Of readings.
    spread : WindowMeans
        Of absolute deviations from the mean of a window; of windows of one row, from
        the level of fit.
    error : WindowMeans or None
        Of absolute residuals, of windows that were not learnt; None if there are none.
    units : ndarray of shape (n_channels,)
        Standard deviation of readings; 1.0 for a sensor that does not move.
    """

    level: WindowMeans
    spread: WindowMeans
    error: WindowMeans | None
    units: NDArray

    @classmethod
    def learn(
        cls, blocks: Iterable[NDArray], errors: list[Any], level: NDArray | None = None
    ) -> UsualReadings:
        """Learn from blocks of windows, (n_windows, window_length, n_channels) each.

        `errors` are those of windows, in blocks of (n_windows, n_channels) each; None
        among them says that the detector has none. `level` is that of fit.
        """
        levels, spreads, squares = [], [], []
        window_length = 0
        for windows in blocks:
            window_length = windows.shape[1]
            mean = windows.mean(axis=1, dtype=np.float64)
            deviations = windows - mean[:, None]
            levels.append(mean)
            spreads.append(np.abs(deviations).mean(axis=1))
            squares.append(np.square(deviations).mean(axis=1))
        means = np.concatenate(levels)
        spread = np.concatenate(spreads)
        if window_length == 1:
            spread = np.abs(means - (means.mean(axis=0) if level is None else level))
        units = np.sqrt(means.var(axis=0) + np.concatenate(squares).mean(axis=0))
        is_still = units <= _ROUNDING * np.abs(means).max(axis=0)
        known = None
        if errors and all(part is not None for part in errors):
            known = WindowMeans.of(np.concatenate(errors))
        return cls(
            WindowMeans.of(means),
            WindowMeans.of(spread),
            known if known is not None and len(known.variances) else None,
            np.where(is_still, 1.0, units),
        )

    def effects(self, now: UsualReadings, risk) -> dict[str, NDArray[np.float64]]:
        """How far a later stretch has moved: (effect, low, high) of each quantity.

        Arrays of shape (3, n_channels): levels in `units`, spreads and errors as
        natural logarithms of ratios, 1000 at most. An interval misses with a
        probability of `risk`.
        """
        least = _ROUNDING * (np.abs(self.level.mean) + self.units)
        ratios = _ratios(self.spread, now.spread, least)
        change = now.level.mean - self.level.mean
        change = np.where(np.abs(change) <= least, 0.0, change)
        margin = self.level.margin(now.level.n_windows, np.maximum(ratios, 1), risk)
        effects = {
            "level": _interval(change / self.units, margin / self.units),
            "spread": _log_interval(self.spread, now.spread, least, risk),
            "error": np.full((3, len(change)), np.nan),
        }
        if self.error is not None and now.error is not None:
            effects["error"] = _log_interval(self.error, now.error, least, risk)
        return effects


def _ratios(usual, now, least):
    ratios = np.maximum(now.mean, least) / np.maximum(usual.mean, least)
    return np.clip(ratios, 1 / MOST, MOST)


def _log_interval(usual, now, least, risk):
    margin = usual.margin(now.n_windows, 1.0, risk)
    ratios = _ratios(usual, now, least)
    return _interval(np.log(ratios), margin / np.maximum(usual.mean, least))


def _interval(effect, margin):
    return np.stack([effect, effect - margin, effect + margin])
