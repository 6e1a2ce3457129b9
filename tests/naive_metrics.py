"""Slow, obvious references for metrics of ranges, from the definitions in the papers.

Anomalies and flags are lists of booleans. A segment is a list of the rows between two
borders; an event is a list of rows.
"""

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
