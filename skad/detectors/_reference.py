"""What windows should have read, found from the channels that can be believed.

A plain autoencoder follows a fault: it moves its reconstruction of all channels towards
what a faulty one shows, so that its residuals blame others. This reference does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from skad._sampling import evenly_spaced
from skad.detectors._windows import Windows
from skad.features._components import principal_components

# Windows that a reference is learnt from, their values and, beyond 100 of them, their
# channels: at most so many.
_MAX_WINDOWS, _MAX_VALUES, _MAX_CHANNELS = 1000, 2**21, 2**17
_MAX_COMPONENTS = 16
# Windows of these that are compared with the others to learn what is usual.
_MAX_JUDGED, _MIN_JUDGED = 100, 20
_N_ROUNDS = 8
# Numbers (8 MB) in the largest array while windows are compared.
_NUMBERS_AT_ONCE = 2**20
# What deviates by more usual deviations than this is as odd as can be.
_FARTHEST = 1e9
# Shares of blame that a channel without excess gets beside those with one.
_LEAST_EXCESS = 0.01


@dataclass(eq=False)
class RobustReference:
    """Principal components of normal windows, and codes of some of these windows.

    Windows are compared with both, channel by channel: with the *robust projection*,
    the code that fits the channels best which agree with one another, and with the
    *robust nearest window*, the learnt window that is nearest where the distances of
    single channels count only up to a limit.

    Attributes
    ----------
    mean : ndarray of shape (window_length, n_channels)
        Mean window, in units of the input.
    units : ndarray of shape (n_channels,)
        Standard deviation of each channel; all else is in these units.
    components : ndarray of shape (n_components, window_length, n_channels)
        Principal components.
    shrinkage : ndarray of shape (n_components,)
        Variance beside the components (per value), over that along each of them.
    codes : ndarray of shape (n_windows, n_components)
        Codes of learnt windows, float32; one, unused, if there is one channel.
    usual_residuals : ndarray of shape (n_channels,)
        Mean squared length of what the robust projection leaves of a normal channel.
    usual_distances : ndarray of shape (n_channels,)
        Mean squared distance of normal channels from the nearest other window.
    largest_distances : ndarray of shape (n_channels,)
        99 % quantile of the latter, over their mean: the limit in a comparison.
    """

    mean: NDArray
    units: NDArray
    components: NDArray
    shrinkage: NDArray
    codes: NDArray
    usual_residuals: NDArray
    usual_distances: NDArray
    largest_distances: NDArray

    @classmethod
    def learn(cls, windows: Windows, window_length: int, n_channels: int) -> Any:
        """Learn from evenly spaced ones of normal windows."""
        n_values = window_length * n_channels
        n = min(_MAX_WINDOWS, max(100, _MAX_CHANNELS // n_channels))
        n = max(2, min(len(windows), n, _MAX_VALUES // n_values))
        at = np.resize(evenly_spaced(len(windows), n), n)  # a single window twice
        sample = windows.gather(at).astype(np.float64)
        sample = sample.reshape(n, window_length, n_channels)
        mean, units = sample.mean(axis=0), sample.std(axis=(0, 1))
        units = np.where(units > 1e-12 * np.abs(mean).max(axis=0), units, 1.0)
        scaled = _scale(sample, mean, units).reshape(n, -1)
        n_components = min(_MAX_COMPONENTS, n - 1, n_values)
        centre, axes, variances = principal_components(scaled, n_components, n)
        noise = _noise(scaled, variances)
        # One channel has all blame, and nobody to be told by.
        codes = (scaled if n_channels > 1 else scaled[:1]) - centre
        codes = codes @ axes.T
        shape = -1, window_length, n_channels
        ones = np.ones(n_channels)
        reference = cls(
            mean,
            units,
            axes.reshape(shape),
            noise / np.maximum(variances, 1e-9),
            codes.astype(np.float32, order="C"),  # most of a file
            *(ones, ones, np.full(n_channels, np.inf)),
        )
        if n_channels > 1:
            most = max(_MIN_JUDGED, 4 * _NUMBERS_AT_ONCE // (n * n_channels))
            judged = evenly_spaced(n, min(n, _MAX_JUDGED, most))
            reference._learn_what_is_usual(sample[judged], windows.rows[at], judged)
        return reference

    def _learn_what_is_usual(self, windows, rows, judged) -> None:
        """Compare learnt windows with those that do not overlap them."""
        least = 1e-6 * len(self.mean)
        reach = min(len(self.mean), 1 + (rows.max() - rows.min()) // 4)
        overlaps = np.abs(rows[judged, None] - rows) < reach
        parts = _Parts(self, windows)
        distances = parts.distances()
        for _ in range(2):  # what is nearest depends on what is usual
            nearest = _nearest(self, distances, overlaps)
            self.usual_distances = np.maximum(nearest.mean(axis=0), least)
            relative = nearest / self.usual_distances
            self.largest_distances = np.quantile(relative, 0.99, axis=0)
        nearest = _nearest(self, distances, overlaps)
        _, residuals = parts.project(np.ones(nearest.shape), 1)
        self.usual_residuals = np.maximum(residuals.mean(axis=0), least)
        _, residuals = parts.project(_trust(nearest / self.usual_distances))
        self.usual_residuals = np.maximum(residuals.mean(axis=0), least)

    # What is asked -------------------------------------------------------------------

    def shares(self, windows: NDArray) -> NDArray[np.float64]:
        """Share out the blame for each window to channels; rows add up to 1.

        sqrt((h + 0.01) (d + 0.01)), where h is the excess of the residual of a channel
        from the robust projection over the usual one, in multiples of that, and d the
        same of its distance from the robust nearest window; (n_windows, n_channels).
        """
        shares = np.ones((len(windows), len(self.units)))
        if shares.shape[1] == 1:
            return shares
        for at, _, residuals, distances in self._compare(windows):
            excess = np.maximum(residuals / self.usual_residuals - 1, 0)
            apart = np.maximum(distances / self.usual_distances - 1, 0)
            shares[at] = np.sqrt((excess + _LEAST_EXCESS) * (apart + _LEAST_EXCESS))
        return shares / shares.sum(axis=1, keepdims=True)

    def expect(self, windows: NDArray) -> NDArray[np.float64]:
        """Robust projection of windows, in units and shape of the input."""
        expected = np.empty((len(windows), *self.mean.shape))
        for at, codes, _, _ in self._compare(windows):
            decoded = np.tensordot(codes, self.components, axes=1)
            expected[at] = decoded * self.units + self.mean
        return expected.reshape(windows.shape)

    def _compare(self, windows) -> Iterator[tuple[slice, NDArray, NDArray, NDArray]]:
        """Yield (slice, codes, residuals, distances) of some windows after others."""
        n_at_once = max(1, _NUMBERS_AT_ONCE // (len(self.codes) * len(self.units)))
        for at in gen_batches(len(windows), n_at_once):
            block = windows[at].astype(np.float64).reshape(-1, *self.mean.shape)
            parts = _Parts(self, block)
            distances = _nearest(self, parts.distances())
            trust = _trust(distances / self.usual_distances)
            yield at, *parts.project(trust), distances


class _Parts:
    """What comparing some windows takes, by channel.

    m windows, C channels, k components: squared lengths (m, C), and products with the
    components (m, C, k) and of these with one another (C, k, k).
    """

    def __init__(self, reference, windows):
        self.reference = reference
        scaled = _scale(windows, reference.mean, reference.units)
        by_channel = np.ascontiguousarray(scaled.transpose(2, 0, 1))
        components = reference.components.transpose(2, 0, 1)
        self.lengths = np.vecdot(by_channel, by_channel).T
        products = by_channel @ components.transpose(0, 2, 1)
        self.products = np.ascontiguousarray(products.transpose(1, 0, 2))
        self.grams = components @ components.transpose(0, 2, 1)

    def distances(self) -> np.ndarray:
        """Squared distances from every learnt window, (m, C, n_windows)."""
        codes = self.reference.codes.astype(np.float64)
        lengths = np.vecdot(codes, codes @ self.grams)
        squares = lengths - 2 * (self.products @ codes.T)
        squares += self.lengths[:, :, None]
        return np.maximum(squares, 0.0, out=squares)

    def project(self, trust, n_rounds=_N_ROUNDS) -> tuple[np.ndarray, np.ndarray]:
        """Codes that fit the trusted channels, and what they leave: (m, k), (m, C).

        Trust is what channels earn by fitting the code of the round before.
        """
        grams, k = self.grams, self.grams.shape[1]
        for _ in range(n_rounds):
            left = (trust @ grams.reshape(len(grams), -1)).reshape(-1, k, k)
            left[:, range(k), range(k)] += self.reference.shrinkage
            right = trust[:, None, :] @ self.products
            codes = np.linalg.solve(left, right.transpose(0, 2, 1))
            fits = (self.products @ codes)[..., 0]
            codes = codes[..., 0]
            squares = np.vecdot(codes, codes @ grams).T
            residuals = np.maximum(self.lengths - 2 * fits + squares, 0.0)
            trust = _trust(residuals / self.reference.usual_residuals)
        return codes, residuals


def _nearest(reference, distances, is_left_out=None) -> np.ndarray:
    """Squared distances of channels (m, C) from the robust nearest window."""
    relative = distances / reference.usual_distances[:, None]
    limit = reference.largest_distances[:, None]
    total = np.minimum(relative, limit, out=relative).sum(axis=1)
    if is_left_out is not None:
        total[is_left_out] = np.inf
    nearest = total.argmin(axis=1)
    return np.take_along_axis(distances, nearest[:, None, None], axis=2)[..., 0]


def _noise(scaled, variances) -> float:
    """Mean variance along the axes that are left out, as PCA by likelihood has it."""
    n_others = min(scaled.shape) - len(variances)
    left = scaled.var(axis=0, ddof=1).sum() - variances.sum()
    return max(float(left) / max(1, n_others), 1e-6)


def _trust(multiples) -> np.ndarray:
    """Weight of channels with so many times the usual error; a single one has all."""
    if multiples.shape[1] == 1:
        return np.ones_like(multiples)
    return (1 + multiples) ** -2.0


def _scale(windows, mean, units) -> np.ndarray:
    with np.errstate(over="ignore"):  # to infinity, which is cut
        return np.clip((windows - mean) / units, -_FARTHEST, _FARTHEST)
