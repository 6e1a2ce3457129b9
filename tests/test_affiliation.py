"""Affiliation: against sums over fine cells, the authors' package, and bad input."""

import naive_metrics
import numpy as np
import pytest
from hypothesis import given
from test_events import in_series, signs, tables, undefined

from skad import affiliation_scores

N_CELLS = 60


@given(table=tables(12))
def test_integrals_are_sums_over_cells(table):
    truth, judged, index, max_gap, segments = table
    expected = naive_metrics.affiliation(truth, judged, segments, N_CELLS)
    found = affiliation_scores(
        signs(truth), signs(judged), index=index, max_gap=max_gap
    )
    for value, of_cells in zip(found[:2], expected, strict=True):
        assert value == pytest.approx(undefined(of_cells), abs=2 / N_CELLS, nan_ok=True)
        assert np.isnan(value) or -1e-12 <= value <= 1 + 1e-12
    f1 = naive_metrics.fbeta(*expected, 1)
    assert found.fbeta == pytest.approx(undefined(f1), abs=2 / N_CELLS, nan_ok=True)


@given(table=tables(30))
def test_time_may_run_backwards(table):
    truth, judged, _, _, _ = table
    labels = signs(truth), signs(judged)
    found = affiliation_scores(*labels)
    mirrored = affiliation_scores(labels[0][::-1], labels[1][::-1])
    assert found == pytest.approx(mirrored, nan_ok=True)


def some_predictions():
    """Labels with events at both ends, and predictions that meet them or do not."""
    row = np.arange(400)
    y = np.isin(row // 8, [0, 11, 13, 14, 30, 49])
    scores = np.sin(row * 0.7) + np.cos(row * 0.11) + 0.9 * y
    predicted = [scores > 1.2, np.sin(row * 1.3) > 0.5, np.roll(y, 5)]
    return y, [*predicted, row // 100 == 1, row == 399]


# by `pr_from_events` of the authors' code, as in vus 0.0.6
AUTHORS = [
    (0.5830207106881214, 0.8632034111721613),
    (0.5111817956349206, 0.9866984317765567),
    (0.9264423076923076, 0.9721102335164835),
    (0.3742857142857143, 0.2742857142857143),
    (1.0, 0.1846875),
]


def test_values_of_the_authors_code():
    y, predicted = some_predictions()
    for flags, expected in zip(predicted, AUTHORS, strict=True):
        assert affiliation_scores(y, flags)[:2] == pytest.approx(expected, abs=1e-12)


def test_the_nearer_the_better():
    y = np.repeat([0, 1, 0], [100, 10, 100])
    found = [affiliation_scores(y, np.roll(y, by)) for by in (0, 5, 10, 30, 90)]
    assert found[0] == (1, 1, 1)
    assert (np.diff(np.array(found), axis=0) < 0).all()


def test_random_predictions_get_what_is_documented():
    rng = np.random.default_rng(0)
    y = np.arange(100_000) // 50 % 5 == 2
    precision, recall, _ = affiliation_scores(y, rng.random(100_000) < 0.1)
    assert precision == pytest.approx((1 + 0.2**2) / 2, abs=0.01)
    assert recall > 0.9
    precision, recall, _ = affiliation_scores(y, np.ones(100_000) > 0)
    assert precision == pytest.approx((1 + 0.2**2) / 2, abs=0.01)
    assert recall == 1


def test_nothing_true_or_predicted():
    nan = pytest.approx((np.nan, np.nan, np.nan), nan_ok=True)
    assert affiliation_scores([0, 0], [0, 0]) == nan
    assert affiliation_scores([0, 0], [0, 0], zero_division=1) == (1, 1, 1)
    assert affiliation_scores([0, 0], [0, 1], zero_division=1) == (0, 1, 0)
    assert affiliation_scores([0, 1], [0, 0], zero_division=1) == (1, 0, 0)
    assert affiliation_scores([-1, -1], [-1, -1]) == (1, 1, 1)
    assert affiliation_scores([-1, -1], [1, -1])[0] == 1


def test_series_without_events_are_zones_of_precision_0():
    index = in_series(20, 20)
    y = np.arange(40) == 5
    flags = y | (np.arange(40) == 30)
    assert affiliation_scores(y, flags, index=index) == (0.5, 1, pytest.approx(2 / 3))
    assert affiliation_scores(y, y, index=index) == (1, 1, 1)
    assert affiliation_scores(y, flags)[0] > 0.5


def test_the_order_of_series_does_not_count():
    y, predicted = some_predictions()
    index = in_series(100, 100, 100, 100)
    order = np.concatenate([np.arange(100) + 100 * i for i in (2, 0, 3, 1)])
    for flags in predicted:
        found = affiliation_scores(y[order], flags[order], index=index[order])
        assert found == pytest.approx(affiliation_scores(y, flags, index=index))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"beta": 0}, "beta=0"),
        ({"index": [2, 1]}, "must increase"),
        ({"max_gap": "x"}, "max_gap='x'"),
    ],
)
def test_affiliation_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        affiliation_scores([0, 1], [0, 1], **kwargs)
