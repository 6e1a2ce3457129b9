"""Slow, obvious references for tables of timestamps: plain loops over plain lists.

A missing value is None here, so that no arithmetic can pass over it.
"""

import statistics


def usual_gap(time, series):
    """Five times the median step within the series; None without any step."""
    steps = [
        time[row] - time[row - 1]
        for row in range(1, len(time))
        if series[row] == series[row - 1]
    ]
    return 5 * statistics.median(steps) if steps else None


def segment_rows(time, series, max_gap):
    """Lists of the rows that belong together; `time` may be None."""
    segments = [[0]]
    for row in range(1, len(series)):
        new = series[row] != series[row - 1]
        if time is not None and max_gap is not None and not new:
            new = time[row] - time[row - 1] > max_gap
        if new:
            segments.append([])
        segments[-1].append(row)
    return segments


def fill_column(column, segments, time, method, limit):
    """Fill one column, a list with None where it is missing, segment by segment."""
    limit = len(column) if limit is None else limit
    filled = list(column)
    for rows in segments:
        for row in rows:
            if column[row] is not None:
                continue
            before = [r for r in rows if r < row and column[r] is not None]
            behind = [r for r in rows if r > row and column[r] is not None]
            if method == "ffill" and before and row - before[-1] <= limit:
                filled[row] = column[before[-1]]
            if method == "bfill" and behind and behind[0] - row <= limit:
                filled[row] = column[behind[0]]
            if method not in ("linear", "time") or not before or not behind:
                continue
            start, stop = before[-1], behind[0]
            if row - start <= limit:
                by_time = method == "time" and time is not None
                clock = time if by_time else range(len(column))
                share = (clock[row] - clock[start]) / (clock[stop] - clock[start])
                filled[row] = column[start] + share * (column[stop] - column[start])
    return filled


def carry_tail(train, train_segments, column, filled, segments, limit):
    """Fill the start of a column forwards from the end of its training column.

    Both are of one series. Returns a new column.
    """
    last = [r for r in train_segments[-1] if train[r] is not None]
    if not last:
        return filled
    limit = len(train) + len(column) if limit is None else limit
    filled = list(filled)
    for row in segments[0]:
        if column[row] is not None:
            break
        age = (len(train) - last[-1]) + row
        if filled[row] is None and age <= limit:
            filled[row] = train[last[-1]]
    return filled


def fallback_of(column, fallback):
    """Return what the values that stay missing become."""
    if fallback in ("median", "mean"):
        observed = [value for value in column if value is not None]
        return getattr(statistics, fallback)(observed) if observed else None
    return fallback
