"""Precision and recall of ranges: against slow loops, the paper, and bad input."""

import naive_metrics
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_events import signs, tables, undefined

from skad import (
    event_recall_score,
    range_fbeta_score,
    range_precision_score,
    range_recall_score,
)

BIASES = ["flat", "front", "middle", "back"]
METRICS = [range_precision_score, range_recall_score, range_fbeta_score]


@given(
    table=tables(),
    alpha=st.sampled_from([0, 0.25, 1]),
    biases=st.tuples(st.sampled_from(BIASES), st.sampled_from(BIASES)),
    cardinality=st.sampled_from(["one", "reciprocal"]),
    beta=st.sampled_from([0.5, 1, 2]),
)
def test_rewards_are_those_of_a_loop(table, alpha, biases, cardinality, beta):
    truth, judged, index, max_gap, segments = table
    labels, where = (signs(truth), signs(judged)), {"index": index, "max_gap": max_gap}
    of_recall, of_precision = biases
    recall = naive_metrics.range_recall(
        truth, judged, segments, alpha, of_recall, cardinality
    )
    precision = naive_metrics.range_precision(
        truth, judged, segments, of_precision, cardinality
    )
    shared = {"cardinality": cardinality, **where}
    found = range_recall_score(*labels, alpha=alpha, bias=of_recall, **shared)
    assert found == pytest.approx(undefined(recall), nan_ok=True)
    found = range_precision_score(*labels, bias=of_precision, **shared)
    assert found == pytest.approx(undefined(precision), nan_ok=True)
    options = {"alpha": alpha, "bias": of_recall, "precision_bias": of_precision}
    found = range_fbeta_score(*labels, beta=beta, **options, **shared)
    expected = naive_metrics.fbeta(precision, recall, beta)
    assert found == pytest.approx(undefined(expected), nan_ok=True)


@given(table=tables(), bias=st.sampled_from(BIASES))
def test_callables_do_what_names_do(table, bias):
    truth, judged, index, max_gap, _ = table

    def by_hand(places, lengths):
        pairs = zip(places.tolist(), lengths.tolist(), strict=True)
        return [float(naive_metrics.delta(bias, i, n)) for i, n in pairs]

    where = {"index": index, "max_gap": max_gap, "zero_division": 0.5}
    labels = signs(truth), signs(judged)
    for metric in METRICS:
        named = metric(*labels, bias=bias, cardinality="reciprocal", **where)
        given = metric(*labels, bias=by_hand, cardinality=lambda x: 1 / x, **where)
        assert given == named
        assert 0 <= named <= 1


@given(table=tables())
def test_existence_alone_is_recall_of_events(table):
    truth, judged, index, max_gap, _ = table
    labels, where = (signs(truth), signs(judged)), {"index": index, "max_gap": max_gap}
    found = range_recall_score(*labels, alpha=1, **where)
    assert found == pytest.approx(event_recall_score(*labels, **where), nan_ok=True)


def test_early_detection_pays_with_a_bias_to_the_front():
    y = np.repeat([0, 1, 0], [5, 10, 5])
    early, late = (np.isin(np.arange(20), rows) for rows in ([5, 6], [13, 14]))
    assert range_recall_score(y, early) == range_recall_score(y, late) == 0.2
    values = [range_recall_score(y, x, bias="front") for x in (early, late)]
    assert values == [19 / 55, 3 / 55]
    values = [range_recall_score(y, x, bias="back") for x in (early, late)]
    assert values == [3 / 55, 19 / 55]


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_true_or_predicted(metric):
    assert np.isnan(metric([0, 0, 0], [0, 0, 0]))
    assert metric([0, 0, 0], [0, 0, 0], zero_division=1) == 1.0
    only_true, only_judged = metric([0, 1, 0], [0, 0, 0]), metric([0, 0], [0, 1])
    if metric is range_precision_score:
        assert np.isnan(only_true)
        assert only_judged == 0.0
    elif metric is range_recall_score:
        assert only_true == 0.0
        assert np.isnan(only_judged)
    else:
        assert only_true == only_judged == 0.0
    assert metric([-1, -1], [-1, -1]) == 1.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"bias": "Front"}, "bias='Front'; expected one of 'flat', 'front', 'middle'"),
        ({"bias": None}, "bias=None; expected one of"),
        ({"bias": lambda i, n: i[:1]}, r"shape \(1,\); expected \(2,\)"),
        ({"bias": lambda i, n: -i}, "expected finite numbers >= 0"),
        ({"bias": lambda i, n: i * np.inf}, "expected finite numbers >= 0"),
        ({"bias": lambda i, n: 0 * i}, "all rows of an event the weight 0"),
        ({"cardinality": 2}, "cardinality=2; expected one of 'one', 'reciprocal'"),
        ({"index": [0, 0, 1, 2, 3]}, "is there twice"),
    ],
)
def test_ranges_refuse(kwargs, message):
    for metric in METRICS:
        with pytest.raises(ValueError, match=message):
            metric([0, 1, 1, 0, 0], [0, 1, 1, 0, 0], **kwargs)


def test_ranges_refuse_shares_and_factors():
    y, flags = [1, 1, 1, 0], [1, 0, 1, 0]
    for alpha in (-0.1, 1.1, "1", None, np.nan):
        for metric in METRICS[1:]:
            with pytest.raises(ValueError, match="expected a number from 0 to 1"):
                metric(y, flags, alpha=alpha)
    with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
        range_recall_score(y, flags, cardinality=lambda x: x)
    with pytest.raises(ValueError, match="beta=0"):
        range_fbeta_score(y, flags, beta=0)
