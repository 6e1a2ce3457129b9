"""From windows back to rows: what all windows that cover a row say of it."""

import numpy as np
from sklearn.utils import gen_batches

# What is worked on at once, so that memory stays far below that of the scores.
_ROWS_AT_ONCE = 2**14
_VALUES_AT_ONCE = 2**20


def aggregate_windows(errors, starts, window_length, n_rows, how) -> np.ndarray:
    """Error of each row from one error a window.

    Parameters
    ----------
    errors : ndarray of shape (n_windows,)
        Error of each window.
    starts : ndarray of shape (n_windows,)
        First row of each window, ascending; every row is covered.
    window_length, n_rows : int
        Rows a window, and rows in all.
    how : {"mean", "median", "max", "last"}
        "last" takes the window in which the row stands latest: for stride 1 the one
        that ends there, so that nothing behind the row counts.

    Returns
    -------
    row_errors : ndarray of shape (n_rows,)
        Error of each row.
    """
    row_errors = np.empty(n_rows)
    for part in gen_batches(n_rows, _ROWS_AT_ONCE):
        first, behind = _covering(part, starts, window_length)
        lowest = first[0]
        row_errors[part] = _REDUCE[how](
            errors[lowest : behind[-1]], first - lowest, behind - lowest
        )
    return row_errors


def _covering(part, starts, window_length):
    """Windows ``first[i]`` to ``behind[i]`` cover the rows of a slice."""
    rows = np.arange(part.start, part.stop)
    first = np.searchsorted(starts, rows - window_length, side="right")
    return first, np.searchsorted(starts, rows, side="right")


def _reduce_ranges(ufunc, errors, first, behind):
    """``ufunc.reduce(errors[first[i]:behind[i]])`` for each i, exactly so."""
    bounds = np.column_stack([first, behind]).ravel()
    return ufunc.reduceat(np.append(errors, 0.0), bounds)[::2]


def _means(errors, first, behind):
    return _reduce_ranges(np.add, errors, first, behind) / (behind - first)


def _largest(errors, first, behind):
    return _reduce_ranges(np.maximum, errors, first, behind)


def _earliest(errors, first, behind):
    return errors[first]


def _medians(errors, first, behind):
    """Medians of ranges, those of equal length at once."""
    medians = np.empty(len(first))
    counts = behind - first
    for count in np.unique(counts):
        at = np.flatnonzero(counts == count)
        for part in gen_batches(len(at), max(1, _VALUES_AT_ONCE // int(count))):
            windows = first[at[part]][:, None] + np.arange(count)
            medians[at[part]] = np.median(errors[windows], axis=1)
    return medians


_REDUCE = {"mean": _means, "median": _medians, "max": _largest, "last": _earliest}


def aggregate_timesteps(
    score_block, starts, window_length, n_rows, how, block
) -> np.ndarray:
    """Error of each row from the errors of the timesteps of all windows that cover it.

    Parameters
    ----------
    score_block : callable
        ``score_block(i, j)`` returns the errors of windows i to j,
        (j - i, window_length); asked for a block of windows at a time.
    starts, window_length, n_rows, how
        See `aggregate_windows`.
    block : int
        Windows asked for at once.

    Returns
    -------
    row_errors : ndarray of shape (n_rows,)
        Error of each row.
    """
    if how == "median":
        return _timestep_medians(score_block, starts, window_length, n_rows, block)
    fold = {"mean": _add, "max": _keep_larger, "last": _keep_first}[how]
    rows = np.full(n_rows, -np.inf if how == "max" else 0.0)
    filled = 0
    for i in range(0, len(starts), block):
        errors = score_block(i, min(i + block, len(starts)))
        for part, stride in _evenly_spaced(starts[i : i + len(errors)]):
            filled = fold(rows, errors[part], starts[i + part.start], stride, filled)
    if how == "mean":
        for part in gen_batches(n_rows, _ROWS_AT_ONCE):
            first, behind = _covering(part, starts, window_length)
            rows[part] /= behind - first
    return rows


def _evenly_spaced(starts):
    """Split windows into runs of one stride; only the last window breaks it."""
    steps = np.diff(starts)
    if len(steps) < 2 or steps[-1] == steps[0]:
        yield slice(0, len(starts)), int(steps[0]) if len(steps) else 1
    else:
        yield slice(0, len(starts) - 1), int(steps[0])
        yield slice(len(starts) - 1, len(starts)), 1


def _columns(rows, errors, start, stride):
    """Yield the rows that timestep t of all windows falls on, and its errors."""
    n_windows, window_length = errors.shape
    for t in range(window_length):
        stop = start + t + (n_windows - 1) * stride + 1
        yield rows[start + t : stop : stride], errors[:, t]


def _add(rows, errors, start, stride, filled):
    for target, column in _columns(rows, errors, start, stride):
        target += column
    return filled


def _keep_larger(rows, errors, start, stride, filled):
    for target, column in _columns(rows, errors, start, stride):
        np.maximum(target, column, out=target)
    return filled


def _keep_first(rows, errors, start, stride, filled):
    """Keep the first window that covers a row: the one in which it stands latest."""
    for k, row_errors in enumerate(errors):
        first = start + k * stride
        stop = first + len(row_errors)
        if stop > filled:
            rows[max(first, filled) : stop] = row_errors[max(0, filled - first) :]
            filled = stop
    return filled


def _timestep_medians(score_block, starts, window_length, n_rows, block):
    """Medians need all errors of a row at once: blocks of rows, with their windows."""
    medians = np.empty(n_rows)
    for part in gen_batches(n_rows, block):
        first, behind = _covering(part, starts, window_length)
        errors = score_block(first[0], behind[-1])
        for at, windows in _by_count(first, behind):
            steps = part.start + at[:, None] - starts[windows]
            medians[part.start + at] = np.median(
                errors[windows - first[0], steps], axis=1
            )
    return medians


def _by_count(first, behind):
    """Yield rows that the same number of windows cover, and these windows."""
    counts = behind - first
    for count in np.unique(counts):
        at = np.flatnonzero(counts == count)
        yield at, first[at][:, None] + np.arange(count)


def aggregate_shares(
    shares_of, starts, window_length, n_rows, how, level, block
) -> np.ndarray:
    """Share of every channel in the error of each row.

    Parameters
    ----------
    shares_of : callable
        ``shares_of(i, j)`` returns the contributions of windows i to j, (j - i,
        window_length, n_channels), which add up to the error of each window.
    starts, window_length, n_rows, how
        See `aggregate_windows`.
    level : {"timestep", "window"}
        Whether the errors of a row are those of its own timestep or of whole windows.
    block : int
        Rows that are worked on at once.

    Returns
    -------
    shares : ndarray of shape (n_rows, n_channels)
        They add up, over channels, to the aggregated error of each row.
    """
    result = []
    for part in gen_batches(n_rows, block):
        first, behind = _covering(part, starts, window_length)
        shares = shares_of(first[0], behind[-1])
        if level == "window":
            shares = shares.sum(axis=1)
        result.append(np.empty((part.stop - part.start, shares.shape[-1])))
        for at, windows in _by_count(first, behind):
            own = windows - first[0]
            if level == "window":
                values = shares[own]
            else:
                steps = part.start + at[:, None] - starts[windows]
                values = window_length * shares[own, steps]
            result[-1][at] = _choose(values, how)
    return np.concatenate(result)


def _choose(values, how):
    """Aggregate (n_rows, n_windows, n_channels) as their sums over channels are."""
    if how == "mean":
        return values.mean(axis=1)
    if how == "last":
        return values[:, 0]
    order = np.argsort(values.sum(axis=2), axis=1)
    count = values.shape[1]
    middle = {"max": [-1], "median": [(count - 1) // 2, count // 2]}[how]
    chosen = np.take_along_axis(values, order[:, middle, None], axis=1)
    return chosen.mean(axis=1)
