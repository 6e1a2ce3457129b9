"""Which windows are left out in turn."""

import numpy as np


def consecutive_blocks(starts, reach, n_blocks) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split windows by their first rows (ascending) into blocks that follow each other.

    Returns positions of (windows to learn from, windows left out) for each block. A
    window that starts less than `reach` rows from one that is left out overlaps it, and
    is in neither. Blocks that would leave fewer than two windows to learn from are
    dropped.
    """
    blocks = []
    for out in np.array_split(np.arange(len(starts)), min(n_blocks, len(starts))):
        first, last = starts[out[0]], starts[out[-1]]
        train = np.flatnonzero((starts <= first - reach) | (starts >= last + reach))
        if len(train) >= 2:
            blocks.append((train, out))
    return blocks


def random_blocks(n_windows, n_blocks) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split windows that do not overlap at random, the same way at every call."""
    order = np.random.default_rng(0).permutation(n_windows)
    blocks = []
    for out in np.array_split(order, min(n_blocks, n_windows)):
        train = np.setdiff1d(np.arange(n_windows), out)
        if len(train) >= 2:
            blocks.append((train, np.sort(out)))
    return blocks


def overlap_of_rows(X, n_channels) -> int:
    """How many windows on, at least, a row of `X` shares nothing with this one.

    1 for rows that do not overlap. Windows that were cut from a table row by row, or in
    steps, repeat the end of the one before as their beginning.
    """
    n_values = X.shape[1]
    some = X[: min(len(X), 64)]
    for step in range(n_channels, n_values, n_channels):
        if len(some) > 2 and np.array_equal(some[1:, :-step], some[:-1, step:]):
            return -(-n_values // step)
    return 1
