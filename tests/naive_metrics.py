"""Slow, obvious references for metrics of ranges, from the definitions in the papers.

Anomalies and flags are lists of booleans. A segment is a list of the rows between two
borders; an event is a list of rows.
"""

import math
from fractions import Fraction

from naive_events import events

# Ranges (Tatbul et al. 2018) ----------------------------------------------------------


def delta(bias, place, length):
    """Weight of a row, by its place in an event, from 1 on (figure 2b)."""
    if bias == "flat":
        return 1
    if bias == "front":
        return length - place + 1
    if bias == "back":
        return place
    return place if place <= Fraction(length, 2) else length - place + 1


def omega(event, overlap, bias):
    """Share of an event that is in the overlap (figure 2a)."""
    own, whole = 0, 0
    for place, row in enumerate(event, 1):
        weight = delta(bias, place, len(event))
        whole += weight
        own += weight if row in overlap else 0
    return Fraction(own, whole)


def range_recall(truth, judged, segments, alpha, bias, cardinality):
    """Mean reward of true events; None if there are none."""
    rewards = []
    for event in events(truth, segments):
        others = [o for o in events(judged, segments) if set(o) & set(event)]
        existence = 1 if others else 0
        factor = Fraction(1)
        if len(others) > 1 and cardinality == "reciprocal":
            factor = Fraction(1, len(others))
        overlap = factor * sum(omega(event, set(o) & set(event), bias) for o in others)
        weight = Fraction(str(alpha))
        rewards.append(weight * existence + (1 - weight) * overlap)
    return sum(rewards) / len(rewards) if rewards else None


def range_precision(truth, judged, segments, bias, cardinality):
    """Mean reward of predicted events; None if there are none."""
    return range_recall(judged, truth, segments, 0, bias, cardinality)


def fbeta(precision, recall, beta):
    """F-beta; None if both are, 0 if one is."""
    if precision is None and recall is None:
        return None
    if not precision or not recall:
        return Fraction(0)
    weight = Fraction(str(beta)) ** 2
    return (1 + weight) * precision * recall / (weight * precision + recall)


# Affiliation (Huet et al. 2022) -------------------------------------------------------


def affiliation(truth, judged, segments, n_cells):
    """Precision and recall, by sums over `n_cells` cells of each row.

    Time is cut into cells, and a chance is the share of cells. That of a place at the
    distance 0 is 1. None for what is undefined.
    """
    precisions, recalls = [], []
    for segment in segments:
        own = events(truth, [segment])
        if not own and any(judged[row] for row in segment):
            precisions.append(0)
        for begin, end, event in zones(own, segment):
            cells = range(round(begin * n_cells), round(end * n_cells))
            centres = [(cell + 0.5) / n_cells for cell in cells]
            predicted = [x for x in centres if judged[int(x)]]
            start, stop = event[0], event[-1] + 1
            inside = [y for y in centres if start <= y < stop]
            if not predicted:
                recalls.append(0)
                continue
            away = [max(start - x, x - stop, 0) for x in centres]
            rewards = []
            for x in predicted:
                distance = max(start - x, x - stop, 0)
                rewards.append(share_at_least(away, distance))
            precisions.append(sum(rewards) / len(rewards))
            rewards = []
            for y in inside:
                distance = min(
                    distance_to(y, row) for row in rows_near(judged, begin, end)
                )
                away_from_y = [abs(x - y) for x in centres]
                rewards.append(share_at_least(away_from_y, distance))
            recalls.append(sum(rewards) / len(rewards))
    mean = [sum(x) / len(x) if x else None for x in (precisions, recalls)]
    return mean[0], mean[1]


def zones(own, segment):
    """Begin and end of the zone of each event of a segment, and the event."""
    found = []
    for place, event in enumerate(own):
        begin, end = segment[0], segment[-1] + 1
        if place > 0:
            begin = (own[place - 1][-1] + 1 + event[0]) / 2
        if place + 1 < len(own):
            end = (event[-1] + 1 + own[place + 1][0]) / 2
        found.append((begin, end, event))
    return found


def rows_near(judged, begin, end):
    """Begin and end of the parts of predicted rows that are in a zone."""
    rows = [(max(r, begin), min(r + 1, end)) for r, flag in enumerate(judged) if flag]
    return [(start, stop) for start, stop in rows if start < stop]


def distance_to(y, row):
    return max(row[0] - y, y - row[1], 0)


def share_at_least(distances, least):
    return sum(d >= least - 1e-9 for d in distances) / len(distances)


# Best and composite F-beta (Garg et al. 2022) -----------------------------------------


def composite_fbeta(truth, judged, segments, beta):
    """F-beta of the precision of rows and the recall of events."""
    hits = [truth[row] for row, flag in enumerate(judged) if flag]
    found = [any(judged[row] for row in event) for event in events(truth, segments)]
    precision = Fraction(sum(hits), len(hits)) if hits else None
    recall = Fraction(sum(found), len(found)) if found else None
    return fbeta(precision, recall, beta)


def row_fbeta(truth, judged, segments, beta):
    """F-beta of rows."""
    n_hits = sum(t and j for t, j in zip(truth, judged, strict=True))
    precision = Fraction(n_hits, sum(judged)) if any(judged) else None
    recall = Fraction(n_hits, sum(truth)) if any(truth) else None
    return fbeta(precision, recall, beta)


def best_fbeta(truth, scores, segments, beta, metric):
    """Highest value of a metric over all thresholds; None without anomalies."""
    if not any(truth):
        return None
    judged = [[score >= least for score in scores] for least in set(scores)]
    return max(metric(truth, flags, segments, beta) for flags in judged)


# Numenta Anomaly Benchmark (Lavin and Ahmad 2015) -------------------------------------

PROFILES = {  # weights of found windows, false alarms and missed windows
    "standard": (1, 0.11, 1),
    "reward_low_fp": (1, 0.22, 1),
    "reward_low_fn": (1, 0.11, 2),
}


def scaled_sigmoid(place):
    return -1.0 if place >= 3 else 2 / (1 + math.exp(5 * place)) - 1


def nab(truth, judged, series, profile, probation):
    """Score, row by row as the benchmark's sweeper; None without windows to judge.

    `series` is a list of lists of segments, those of each series.
    """
    of_found, of_false, of_missed = PROFILES[profile]
    raw, n_windows = 0, 0
    for own in series:
        n_rows = sum(map(len, own))
        n_skipped = min(math.floor(probation * n_rows), probation * 5000)
        start = own[0][0]
        windows, best, previous = events(truth, own), {}, None
        for row in (row for segment in own for row in segment):
            inside = [window for window in windows if row in window]
            is_judged = row - start >= n_skipped
            if inside:
                (window,) = inside
                if is_judged:
                    best.setdefault(window[0], -of_missed)
                    place = -(window[-1] - row + 1) / len(window)
                    reward = of_found * scaled_sigmoid(place) / scaled_sigmoid(-1)
                    if judged[row]:
                        best[window[0]] = max(best[window[0]], reward)
                if row == window[-1]:
                    previous = window
            elif is_judged and judged[row]:
                reward = -1
                if previous is not None and len(previous) > 1:
                    place = (row - previous[-1]) / (len(previous) - 1)
                    reward = scaled_sigmoid(place)
                raw += of_false * reward
        raw += sum(best.values())
        n_windows += len(best)
    if n_windows == 0:
        return None
    null, perfect = -of_missed * n_windows, of_found * n_windows
    return 100 * (raw - null) / (perfect - null)
