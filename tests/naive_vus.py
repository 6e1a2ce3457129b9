"""Slow, obvious reference for volumes under the surface: loops over plain lists.

Anomalies are a list of booleans, a segment is a list of the rows between two borders.
Scores are higher for anomalies.
"""

import math

import numpy as np
from naive_events import events


def soft_labels(truth, segments, buffer):
    """Weight of each row: 1 in events, and on the slopes beside them, added up."""
    weights = [float(flag) for flag in truth]
    for event, segment in _placed(truth, segments):
        for row in segment:
            distance = max(event[0] - row, row - event[-1])
            if 0 < distance <= buffer // 2:
                weights[row] += math.sqrt(1 - distance / buffer)
    return [min(weight, 1.0) for weight in weights]


def extended_events(truth, segments, buffer):
    """Sets of the rows of events and slopes; those with rows in common are one."""
    found = []
    for event, segment in _placed(truth, segments):
        reach = range(event[0] - buffer // 2, event[-1] + buffer // 2 + 1)
        rows = set(reach) & set(segment)
        if found and found[-1] & rows:
            found[-1] |= rows
        else:
            found.append(rows)
    return found


def curve(truth, scores, segments, buffer, thresholds):
    """Recall, false positive rate and precision at each threshold."""
    weights = soft_labels(truth, segments, buffer)
    extended = extended_events(truth, segments, buffer)
    points = []
    for threshold in thresholds:
        predicted = [row for row, score in enumerate(scores) if score >= threshold]
        slopes = math.fsum(weights[row] for row in predicted if not truth[row])
        positives = (sum(truth) + sum(truth) + slopes) / 2
        true = math.fsum(weights[row] for row in predicted)
        found = sum(not rows.isdisjoint(predicted) for rows in extended)
        recall = min(true / positives, 1) * found / len(extended)
        negatives = len(truth) - positives
        rate = (len(predicted) - true) / negatives if negatives else math.nan
        points.append((recall, rate, true / len(predicted)))
    return points


def volumes(truth, scores, segments, window, n_thresholds):
    """VUS-PR and VUS-ROC; None for what is undefined."""
    buffers = range(window + 1)
    found = [areas(truth, scores, segments, b, n_thresholds) for b in buffers]
    means = []
    for values in zip(*found, strict=True):
        means.append(None if None in values else math.fsum(values) / len(values))
    return tuple(means)


def areas(truth, scores, segments, buffer, n_thresholds):
    """R-AUC-PR and R-AUC-ROC of one buffer; None for what is undefined."""
    ordered = sorted(scores, reverse=True)
    thresholds = sorted(set(scores), reverse=True)
    if n_thresholds is not None:
        ranks = np.linspace(0, len(scores) - 1, n_thresholds).astype(int)
        thresholds = [ordered[rank] for rank in ranks]
    if not any(truth):
        return None, None
    points = curve(truth, scores, segments, buffer, thresholds)
    area_pr, before = 0, 0
    for recall, _, precision in points:
        area_pr += (recall - before) * precision
        before = recall
    if all(truth):
        return area_pr, None
    area_roc, before = 0, (0, 0)
    for recall, rate, _ in [*points, (1, 1, None)]:
        area_roc += (rate - before[1]) * (recall + before[0]) / 2
        before = recall, rate
    return area_pr, area_roc


def _placed(truth, segments):
    """Every event, and the segment that it is in."""
    return [(e, s) for s in segments for e in events(truth, [s])]
