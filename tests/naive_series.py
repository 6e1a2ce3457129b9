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


def fallbacks_of(column, series, fallback):
    """The fallback of each row: of its series, if that has any value, or of all."""
    pooled = fallback_of(column, fallback)
    if series is None or fallback not in ("median", "mean"):
        return [pooled] * len(column)
    of = {
        name: fallback_of(
            [v for v, s in zip(column, series, strict=False) if s == name], fallback
        )
        for name in set(series)
    }
    return [pooled if of[name] is None else of[name] for name in series]


def fallback_of(column, fallback):
    """Return what the values that stay missing become."""
    if fallback in ("median", "mean"):
        observed = [value for value in column if value is not None]
        return getattr(statistics, fallback)(observed) if observed else None
    return fallback


def without_trend(values):
    """What a straight line, fitted by least squares, leaves of a list of numbers."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    rise = sum((t - middle) * (value - mean) for t, value in enumerate(values))
    slope = rise / sum((t - middle) ** 2 for t in range(len(values)))
    return [value - mean - slope * (t - middle) for t, value in enumerate(values)]


def autocorrelation(parts, n_lags):
    """Mean of channels at each lag, and numbers of pairs; parts are lists of rows."""
    n_pairs = [sum(len(part) - lag for part in parts) for lag in range(n_lags)]
    curves = []
    for channel in range(len(parts[0][0])):
        columns = [[row[channel] for row in part] for part in parts]
        largest = max(abs(value) for column in columns for value in column)
        columns = [without_trend(column) for column in columns]
        products = [
            sum(
                column[t] * column[t + lag]
                for column in columns
                for t in range(len(column) - lag)
            )
            for lag in range(n_lags)
        ]
        if products[0] / n_pairs[0] > (2**-23 * largest) ** 2:
            covariances = [p / n for p, n in zip(products, n_pairs, strict=True)]
            curves.append([c / covariances[0] for c in covariances])
    mean = [round(sum(at) / len(curves), 9) for at in zip(*curves, strict=True)]
    return mean, n_pairs


def window_length(segments, stretch=3000, most_rows=120_000):
    """Length of windows for segments, which are lists of rows, as lists of channels."""
    by_length = sorted(len(segment) for segment in segments for _ in segment)
    n = by_length[(len(by_length) - 1) // 2]
    longest, found = min(300, n // 3), 60
    parts = [
        segment[first : first + stretch]
        for segment in segments
        for first in range(0, len(segment), stretch)
    ]
    parts = [part for part in parts if len(part) > longest + 1]
    n_rows = sum(len(part) for part in parts)
    parts = [part for i, part in enumerate(parts) if i % -(-n_rows // most_rows) == 0]
    if longest >= 10:
        curve, n_pairs = autocorrelation(parts, longest + 2)
        peaks = []
        for lag in range(10, longest + 1) if curve else []:
            # a flat top counts once, in its middle
            left, right = lag, lag
            while left > 0 and curve[left - 1] == curve[lag]:
                left -= 1
            while right < longest + 1 and curve[right + 1] == curve[lag]:
                right += 1
            is_top = left > 0 and right < longest + 1 and lag == (left + right) // 2
            if (
                is_top
                and curve[left - 1] < curve[lag] > curve[right + 1]
                and curve[lag] - min(curve[:lag]) >= 0.2
                and curve[lag] >= 4 / n_pairs[lag] ** 0.5
            ):
                peaks.append(lag)
        if peaks:
            most = max(curve[lag] for lag in peaks)
            found = next(lag for lag in peaks if curve[lag] >= 0.9 * most)
    return max(1, min(found, n // 5))
