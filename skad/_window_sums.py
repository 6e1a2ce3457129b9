"""Sums and products over all windows of a table, from products of rows.

Values that are the same lag apart in windows that overlap are the same pairs of rows,
but for those at both ends: of n windows of L rows and C channels, products of all pairs
of values take n L C^2 multiplications in place of n L^2 C^2, and as exact.
"""

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray
from sklearn.utils import gen_batches

# Values of rows that are multiplied as one: the width of a product of matrices.
_WIDTH = 128
# Values (1 MB) that are multiplied at once.
_VALUES_AT_ONCE = 2**17


def step_between(X) -> int:
    """Values from one row of X to the next in memory, if they overlap; else 0."""
    down, right = X.strides
    step = down // X.itemsize
    is_overlapping = right == X.itemsize and 0 < step < X.shape[1]
    return step if is_overlapping and X.shape[1] % step == 0 else 0


def runs_of(rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last positions of runs of rows that follow each other."""
    ends = np.flatnonzero(np.diff(rows) != 1)
    return rows[np.r_[0, ends + 1]], rows[np.r_[ends, len(rows) - 1]]


class WindowSums:
    """Sums of windows, and products of their values, of any number of runs.

    Values count from `origin`, one for each channel: the nearer to their means, the
    less rounding.
    """

    def __init__(self, n_values: int, origin: NDArray):
        self.origin: NDArray[np.float64] = np.asarray(origin, dtype=np.float64)
        self.n_channels = n_channels = len(origin)
        self.length = n_values // n_channels
        # Rows that are multiplied as one, and how many such further on the lags reach.
        self.group = max(1, min(self.length, _WIDTH // n_channels))
        n_further = 1 + (self.group + self.length - 2) // self.group
        width = self.group * n_channels
        self.n_windows = 0
        self.first = np.zeros(n_channels)
        self.lagged = np.zeros((n_further, width, width))
        # What comes in, less what goes out, from each row of the windows to the next.
        n_beside = n_values - n_channels
        self.moved = np.zeros(n_beside)
        self.moved_products = np.zeros((n_beside, n_beside))

    def add(self, X: NDArray, firsts, lasts) -> None:
        """Add windows of X, an overlapping view, from some positions to others."""
        n_channels = self.n_channels
        strides = n_channels * X.itemsize, X.itemsize
        table = as_strided(X, (len(X) + self.length - 1, n_channels), strides)
        n_rows = max(self.group, _VALUES_AT_ONCE // n_channels)
        for first, last in zip(firsts, lasts, strict=True):
            n_windows = int(last - first) + 1
            self.n_windows += n_windows
            for at in gen_batches(n_windows, n_rows // self.group * self.group):
                stop = at.stop + self.length - 1
                self._add_lags(table[first + at.start : first + stop])
        beside = np.tile(self.origin, self.length - 1)
        for at in gen_batches(len(firsts), max(1, _VALUES_AT_ONCE // X.shape[1])):
            after = X[lasts[at], n_channels:] - beside
            before = X[firsts[at], :-n_channels] - beside
            self.moved += after.sum(axis=0) - before.sum(axis=0)
            self.moved_products += after.T @ after
            self.moved_products -= before.T @ before

    def _add_lags(self, rows):
        """Add products of the first rows of windows with all their rows."""
        deviations = rows - self.origin
        n_windows = len(rows) - self.length + 1
        self.first += deviations[:n_windows].sum(axis=0)
        n_further, width, _ = self.lagged.shape
        n_groups = -(-n_windows // self.group)
        left = np.zeros((n_groups, width))
        left.ravel()[: n_windows * self.n_channels] = deviations[:n_windows].ravel()
        right = np.zeros((n_groups + n_further - 1, width))
        kept = deviations.ravel()[: right.size]
        right.ravel()[: len(kept)] = kept
        further = sliding_window_view(right, n_groups, axis=0)
        self.lagged += left.T @ further.transpose(0, 2, 1)

    def covariance(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean window, and covariance of windows: only its upper triangle is right."""
        n_channels, n_windows = self.n_channels, self.n_windows
        sums = np.concatenate([self.first, self.moved]).reshape(-1, n_channels)
        mean = np.cumsum(sums, axis=0).ravel() / n_windows
        products = np.zeros((len(mean), len(mean)))
        products[n_channels:, n_channels:] = self.moved_products
        by_lag = self._of_lags().transpose(1, 0, 2)
        products[:n_channels] = by_lag.reshape(n_channels, -1)
        rows = [slice(r, r + n_channels) for r in range(0, len(mean), n_channels)]
        for above, row in pairwise(rows):
            products[row, row.start :] += products[above, above.start : -n_channels]
        for row in rows:
            of_means = n_windows * np.outer(mean[row], mean[row.start :])
            products[row, row.start :] -= of_means
            products[row, row.start :] /= n_windows - 1
        return np.tile(self.origin, self.length) + mean, products

    def _of_lags(self) -> NDArray[np.float64]:
        """Add up products by lag, (length, n_channels, n_channels)."""
        group, n_channels = self.group, self.n_channels
        lags = np.zeros((self.length, n_channels, n_channels))
        shape = -1, group, n_channels, group, n_channels
        for further, products in enumerate(self.lagged.reshape(shape)):
            for place in range(group):
                start = further * group - place  # lag of the first row of the group
                low, high = max(0, start), min(self.length, start + group)
                if low < high:
                    part = products[place, :, low - start : high - start]
                    lags[low:high] += part.transpose(1, 0, 2)
        return lags
