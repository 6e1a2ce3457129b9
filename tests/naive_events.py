"""Slow, obvious references for events and their metrics: loops over plain lists.

Anomalies and flags are lists of booleans. A segment is a list of the rows between two
borders; an event is a list of rows.
"""

import math
import operator
import statistics
from fractions import Fraction
from itertools import pairwise


def events(flags, segments, merge_gap=0, min_length=1):
    """Events of each segment: runs of flags, merged, then those that are long."""
    found = []
    for segment in segments:
        runs = []
        for row in segment:
            if flags[row] and (row == segment[0] or not flags[row - 1]):
                runs.append([])
            if flags[row]:
                runs[-1].append(row)
        place = 0
        while place + 1 < len(runs):
            between = range(runs[place][-1] + 1, runs[place + 1][0])
            if len(between) <= merge_gap:
                runs[place] += [*between, *runs.pop(place + 1)]
            else:
                place += 1
        found += [run for run in runs if len(run) >= min_length]
    return found


def lowest(scores, event):
    """Row of the lowest score of an event, the first of equal ones."""
    return min(event, key=lambda row: (scores[row], row))


def sensors(contributions, event):
    """Channels from the largest to the smallest sum over an event, and their shares."""
    n_channels = len(contributions[0])
    sums = [math.fsum(contributions[r][c] for r in event) for c in range(n_channels)]
    order = sorted(range(n_channels), key=lambda c: (-sums[c], c))
    whole = math.fsum(sums)
    return [(c, sums[c] / whole if whole > 0 else math.nan) for c in order]


def precision(truth, judged, segments):
    """Predicted events with a true row, of all predicted events; None without any."""
    hits = [any(truth[row] for row in event) for event in events(judged, segments)]
    return Fraction(sum(hits), len(hits)) if hits else None


def recall(truth, judged, segments):
    """True events with a flagged row, of all true events; None without any."""
    return precision(judged, truth, segments)


def fbeta(truth, judged, segments, beta):
    """F-beta of both; 0 if one of them is undefined, None if both are."""
    return _fbeta(
        precision(truth, judged, segments), recall(truth, judged, segments), beta
    )


def _fbeta(precision, recall, beta):
    if precision is None and recall is None:
        return None
    if not precision or not recall:
        return Fraction(0)
    weight = Fraction(str(beta)) ** 2
    return (1 + weight) * precision * recall / (weight * precision + recall)


def delays(truth, judged, segments):
    """Rows from the start of each true event to its first flag; None if missed."""
    found = []
    for event in events(truth, segments):
        flagged = [row for row in event if judged[row]]
        found.append(flagged[0] - event[0] if flagged else None)
    return found


def average_delay(truth, judged, segments, average):
    """Average of the delays; a missed event counts with its length."""
    lengths = [len(event) for event in events(truth, segments)]
    found = [
        length if delay is None else delay
        for length, delay in zip(lengths, delays(truth, judged, segments), strict=True)
    ]
    return getattr(statistics, average)(found) if found else None


def false_alarms(truth, judged, segments):
    """Predicted events without a true row."""
    return sum(
        not any(truth[row] for row in event) for event in events(judged, segments)
    )


def point_adjusted_fbeta(truth, judged, segments, beta, k):
    """F-beta of rows, after whole events were flagged that are flagged by over k %."""
    adjusted = list(judged)
    for event in events(truth, segments):
        share = Fraction(sum(judged[row] for row in event), len(event))
        if share > Fraction(k, 100):
            for row in event:
                adjusted[row] = True
    n_hits = sum(t and a for t, a in zip(truth, adjusted, strict=True))
    precision = Fraction(n_hits, sum(adjusted)) if any(adjusted) else None
    recall = Fraction(n_hits, sum(truth)) if any(truth) else None
    return _fbeta(precision, recall, beta)


def trimmed(event, flags, segments, deviations, weights, window_length):
    """First and last row of an event, trimmed by the deviations of single rows.

    `deviations` and `weights` are lists over channels; a missing value is None.
    """
    rows, channels = range(len(flags)), range(len(weights))
    normal = [row for row in rows if not flags[row]]
    if len(normal) < 20:
        return event[0], event[-1]
    sizes = [[abs(d or 0.0) for d in deviations[row]] for row in rows]
    squares = [[0.0 for _ in channels] for _ in rows]
    for c in channels:
        usual = statistics.median(sizes[row][c] for row in normal) / 0.6745
        if usual == 0:
            usual = statistics.fmean(sizes[row][c] for row in normal) or 1.0
        for row in rows:
            squares[row][c] = (sizes[row][c] / usual) ** 2

    def error(row):
        (segment,) = [s for s in segments if row in s]
        near = [r for r in (row - 1, row, row + 1) if r in segment]
        means = [statistics.fmean(squares[r][c] for r in near) for c in channels]
        return math.log(sum(map(operator.mul, means, weights)) + 1e-3)

    usual = sorted(error(row) for row in normal)
    own = [error(row) for row in event]
    low, high, top = quantile(usual, 0.5), quantile(usual, 0.95), quantile(own, 0.9)
    if (low + top) / 2 <= high:
        return event[0], event[-1]
    border = max(low + (top - low) / 4, high)
    half = min(border - low, top - border)
    heights = [max(-half, min(half, e - border)) for e in own]
    runs = [(i, j) for i in range(len(own)) for j in range(i, len(own))]
    first, last = max(runs, key=lambda run: math.fsum(heights[run[0] : run[1] + 1]))
    most = window_length - 1
    return event[min(first, most)], event[max(last, len(event) - 1 - most)]


def quantile(ordered, share):
    """Quantile by linear interpolation."""
    ordered = sorted(ordered)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def point_adjusted_area(truth, judged, segments, beta):
    """Area under `point_adjusted_fbeta` over k: a step at the share of each event."""
    shares = {
        Fraction(sum(judged[row] for row in event), len(event))
        for event in events(truth, segments)
    }
    steps = sorted({Fraction(0), Fraction(1), *shares})
    if point_adjusted_fbeta(truth, judged, segments, beta, 0) is None:
        return None
    return sum(
        (end - begin) * point_adjusted_fbeta(truth, judged, segments, beta, 100 * begin)
        for begin, end in pairwise(steps)
    )
