"""From windows back to rows: each row from all windows that cover it."""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from sklearn.utils import gen_batches

# Sizes of blocks: memory stays far below that of the scores, and values stay in the
# cache.
_ROWS_AT_ONCE = 2**14
_VALUES_AT_ONCE = 2**15
_SHIFTS_AT_ONCE = 128


def aggregate_windows(
    score_block, starts, window_length, n_rows, how, block
) -> np.ndarray:
    """Error of each row, (n_rows,), from one error per window.

    ``score_block(i, j)`` returns the errors of windows i to j, (j - i,); it is asked
    for `block` windows at a time. `starts` holds the first row of each window: 0, and
    on in even steps, at most `window_length`; the last window ends at the last row and
    may break the step. The errors of the windows that cover a row become their "mean",
    "median" or "max", or that of the earliest of them, "last": for stride 1 the one
    that ends there, so that no later row counts.
    """
    rows = np.empty(n_rows)
    # Errors of windows share the memory of those of rows: window i starts at row i or
    # later, so that from the last row backwards none is overwritten before its use.
    errors = rows[: len(starts)]
    for windows in gen_batches(len(starts), block):
        errors[windows] = score_block(windows.start, windows.stop)
    for part in reversed(list(gen_batches(n_rows, _ROWS_AT_ONCE))):
        first, stop = _covering(part, starts, window_length)
        low = first[0]
        rows[part] = _reduce(how, errors[low : stop[-1]], first - low, stop - low)
    return rows


def _covering(part, starts, window_length):
    """For each row of a slice, the range of windows that cover it: first, stop."""
    rows = np.arange(part.start, part.stop)
    last = len(starts) - 1
    stride = starts[1] if last else 1
    first = np.clip((rows - window_length) // stride + 1, 0, last)
    return first, np.minimum(rows // stride + 1, last) + (rows >= starts[-1])


def _reduce(how, errors, first, stop):
    """Reduce ``errors[first[i]:stop[i]]`` for each i."""
    if how == "last":
        return errors[first]
    if how == "median":
        medians = np.empty(len(first))
        for at, count in _by_count(first, stop):
            medians[at] = _median(errors[_windows(first[at], count)])
        return medians
    bounds = np.column_stack([first, stop]).ravel()
    ufunc = np.maximum if how == "max" else np.add
    reduced = ufunc.reduceat(np.append(errors, 0.0), bounds)[::2]
    return reduced / (stop - first) if how == "mean" else reduced


def _by_count(first, stop):
    """Yield rows covered by the same number of windows, and this number."""
    counts = stop - first
    for count in np.unique(counts):
        at = np.flatnonzero(counts == count)
        for part in gen_batches(len(at), max(1, _VALUES_AT_ONCE // int(count))):
            yield at[part], int(count)


def _windows(first, count):
    """Positions of `count` windows from each first one: (n_rows, count)."""
    return first[:, None] + np.arange(count)


def _median(values):
    """``np.median(values, axis=1)``, in a sixth to a third of its time."""
    ordered = np.sort(values, axis=1)
    count = ordered.shape[1]
    medians = ordered[:, (count - 1) // 2 : count // 2 + 1].mean(axis=1)
    medians[np.isnan(ordered[:, -1])] = np.nan  # sorted to the end
    return medians


def aggregate_timesteps(
    score_block, starts, window_length, n_rows, how, block
) -> np.ndarray:
    """Error of each row from the errors of the timesteps of all windows that cover it.

    As `aggregate_windows`, but `score_block` returns (j - i, window_length).
    """
    if how in ("median", "last"):
        rows_of = {"median": _timestep_medians, "last": _latest_timesteps}[how]
        return rows_of(score_block, starts, window_length, n_rows, block)
    ufunc, neutral = {"mean": (np.add, 0.0), "max": (np.maximum, -np.inf)}[how]
    rows = np.full(n_rows, neutral)
    for windows in gen_batches(len(starts), block):
        errors = score_block(windows.start, windows.stop)
        for part, stride in _evenly_spaced(starts[windows]):
            first_row = starts[windows][part.start]
            _fold(ufunc, neutral, rows[first_row:], errors[part], stride)
    if how == "mean":
        for part in gen_batches(n_rows, _ROWS_AT_ONCE):
            first, stop = _covering(part, starts, window_length)
            rows[part] /= stop - first
    return rows


def _evenly_spaced(starts):
    """Split windows into runs of one stride; only the last window breaks it."""
    steps = np.diff(starts)
    n_even = len(starts) - (len(steps) > 1 and steps[-1] != steps[0])
    yield slice(0, n_even), int(steps[0]) if len(steps) else 1
    if n_even < len(starts):
        yield slice(n_even, len(starts)), 1


def _fold(ufunc, neutral, rows, errors, stride):
    """Fold errors of windows into the rows from the first window on.

    Each window is written below the one before and a stride further to the right, so
    that a column holds the errors of one row. This reads memory in order, where a pass
    over each timestep of all windows would jump from window to window. The first line
    holds what the rows held before, so that blocks of any size give the same result.
    """
    n_windows, window_length = errors.shape
    n_windows = min(n_windows, max(1, _SHIFTS_AT_ONCE // stride))
    width = window_length + (n_windows - 1) * stride
    columns = np.full((n_windows + 1, width), neutral)
    strides = columns.strides[0] + stride * columns.itemsize, columns.itemsize
    shifted = as_strided(columns[1:], (n_windows, window_length), strides)
    for part in gen_batches(len(errors), n_windows):
        count = part.stop - part.start
        covered = rows[part.start * stride :][: window_length + (count - 1) * stride]
        columns[0, : len(covered)] = covered
        shifted[:count] = errors[part]
        ufunc.reduce(columns[: count + 1, : len(covered)], axis=0, out=covered)


def _latest_timesteps(score_block, starts, window_length, n_rows, block):
    """Errors of rows in the first window that covers them."""
    rows = np.empty(n_rows)
    done = 0
    for windows in gen_batches(len(starts), block):
        errors = score_block(windows.start, windows.stop)
        part = slice(done, starts[windows.stop - 1] + window_length)
        first, _ = _covering(part, starts, window_length)
        steps = np.arange(part.start, part.stop) - starts[first]
        rows[part] = errors[first - windows.start, steps]
        done = part.stop
    return rows


def _timestep_medians(score_block, starts, window_length, n_rows, block):
    """Medians of the errors of rows, of which all must be kept at once."""
    medians = np.empty(n_rows)
    errors = np.empty((0, window_length))
    done = kept = 0  # rows that have their median, the first window in `errors`
    for new in gen_batches(len(starts), block):
        errors = np.concatenate([errors, score_block(new.start, new.stop)])
        end = starts[new.stop] if new.stop < len(starts) else n_rows
        first, stop = _covering(slice(done, end), starts, window_length)
        for at, count in _by_count(first, stop):
            if count == window_length:  # stride 1: diagonals, without index arrays
                down, right = errors.strides
                last_steps = errors[first[at[0]] - kept :, -1:]
                values = as_strided(last_steps, (len(at), count), (down, down - right))
            else:
                windows = _windows(first[at], count)
                steps = done + at[:, None] - starts[windows]
                values = errors[windows - kept, steps]
            medians[done + at] = _median(values)
        errors, done, kept = errors[first[-1] - kept :], end, first[-1]
    return medians


def aggregate_shares(
    shares_of, starts, window_length, n_rows, how, level, block
) -> np.ndarray:
    """Share of every channel in the error of each row, (n_rows, n_channels).

    ``shares_of(i, j)`` returns the contributions of windows i to j, (j - i,
    window_length, n_channels), which add up to the error of each window. With `level`
    "timestep" the error of a row comes from its own timesteps, else from whole windows.
    `block` is a number of rows; for the rest see `aggregate_windows`.
    """
    result = []
    for part in gen_batches(n_rows, block):
        first, stop = _covering(part, starts, window_length)
        shares = shares_of(first[0], stop[-1])
        if level != "timestep":
            shares = shares.sum(axis=1)
        result.append(np.empty((part.stop - part.start, shares.shape[-1])))
        for at, count in _by_count(first, stop):
            windows = _windows(first[at], count)
            if level == "timestep":
                steps = part.start + at[:, None] - starts[windows]
                values = window_length * shares[windows - first[0], steps]
            else:
                values = shares[windows - first[0]]
            result[-1][at] = _choose(values, how)
    return np.concatenate(result)


def _choose(values, how):
    """Aggregate (n_rows, n_windows, n_channels) so that sums over channels agree."""
    if how == "mean":
        return values.mean(axis=1)
    if how == "last":
        return values[:, 0]
    order = np.argsort(values.sum(axis=2), axis=1)
    count = values.shape[1]
    middle = {"max": [-1], "median": [(count - 1) // 2, count // 2]}[how]
    chosen = np.take_along_axis(values, order[:, middle, None], axis=1)
    return chosen.mean(axis=1)
