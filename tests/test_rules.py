"""Threshold rules: against trying every threshold, and what all rules promise."""

import itertools
import math
import pickle
from fractions import Fraction
from typing import ClassVar

import naive
import naive_rules
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from instances import RULES
from scipy import stats
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import fbeta_score, precision_score, recall_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

from skad import (
    AlertBudgetThreshold,
    ConformalThreshold,
    CostThreshold,
    FBetaThreshold,
    FixedThresholdDetector,
    IQRThreshold,
    LinearAutoencoder,
    MADThreshold,
    POTThreshold,
    PrecisionFloorThreshold,
    QuantileThreshold,
    SigmaThreshold,
    TunedThresholdDetector,
    make_outlier_scorer,
)
from skad.thresholds._rule import ThresholdRule

# What rules say of scores that are too few is tested where it is looked at.
pytestmark = pytest.mark.filterwarnings(
    "ignore:No threshold reaches:UserWarning",
    "ignore:.* allows no alert in:UserWarning",
    "ignore:.* too few, or tie too much:UserWarning",
    "ignore:.* too few for alpha:UserWarning",
)

LABELLED = ([-9.0, -8.0, -3.0, -2.0, -1.0, -0.5], [1, 1, 0, 1, 0, 0])


def neighbours_of(value, n):
    """Consecutive floats from `value` upwards."""
    floats = [value]
    while len(floats) < n:
        floats.append(math.nextafter(floats[-1], math.inf))
    return floats


# Scores that ties, heavy tails, one score, integers and neighbouring floats come from.
SCORES = st.one_of(
    st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, -0.0]), min_size=1, max_size=25),
    st.lists(st.floats(-1e308, 1e308, allow_subnormal=True), min_size=1, max_size=25),
    st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=25),
    st.lists(st.sampled_from(neighbours_of(-1.0, 4)), min_size=1, max_size=15),
    st.lists(st.sampled_from(neighbours_of(0.0, 4)), min_size=1, max_size=15),
)


@st.composite
def labelled_scores(draw):
    """Scores with at least one anomaly and one normal row."""
    scores = draw(SCORES.filter(lambda s: len(s) >= 2))
    flags = draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    flags[draw(st.integers(0, len(scores) - 2))] = True
    flags[-1] = False
    return scores, flags


def assert_cut(threshold, below, above):
    """The threshold is the midpoint, and parts the two scores (one may be infinite)."""
    assert below < threshold <= above
    if math.isfinite(below) and math.isfinite(above):
        middle = naive.midpoint(below, above)
        assert abs(threshold - middle) <= 2 * np.spacing(max(abs(below), abs(above)))
    elif math.isinf(below):
        assert threshold == math.nextafter(above, -math.inf)
    else:
        assert threshold == math.nextafter(below, math.inf)


# FBetaThreshold


@given(rows=labelled_scores(), beta=st.sampled_from([0.1, 0.5, 1, 2.0, 3]))
@example(rows=([-1.0, -1.0], [True, False]), beta=1)
@example(rows=([-1e308, 1e308], [True, False]), beta=1)
@example(rows=([5e-324, 1e-323, 1.5e-323], [True, True, False]), beta=1)
def test__fbeta__any_scores__best_of_every_threshold(rows, beta):
    scores, is_anomaly = rows
    below, above, fbeta = naive.best_fbeta_cut(scores, is_anomaly, beta)
    rule = FBetaThreshold(beta).fit(scores, is_anomaly)
    assert rule.best_score_ == pytest.approx(float(fbeta), rel=1e-12)
    assert_cut(rule.threshold_, below, above)


@given(rows=labelled_scores(), beta=st.sampled_from([0.5, 1.0, 2.0]))
def test__fbeta__best_score__is_that_of_sklearn_at_the_threshold(rows, beta):
    scores, is_anomaly = rows
    rule = FBetaThreshold(beta).fit(scores, is_anomaly)
    flagged = np.array(scores) < rule.threshold_
    assert rule.best_score_ == pytest.approx(
        fbeta_score(is_anomaly, flagged, beta=beta)
    )


@pytest.mark.parametrize(
    ("flags", "n_flagged"),
    [
        # F1: 2/3 of 1 flagged or of 4, with 2 anomalies
        ([1, 0, 0, 1, 0, 0], 1),
        # 1/2 of 1 flagged, of 5 and of 9, with 3 anomalies
        ([1, 0, 0, 0, 1, 0, 0, 0, 1, 0], 1),
        # all flagged is as good as one
        ([1, 0, 0, 1], 1),
    ],
)
def test__fbeta__equally_good_thresholds__fewest_alarms(flags, n_flagged):
    scores = np.arange(len(flags), dtype=float)
    rule = FBetaThreshold().fit(scores, flags)
    assert (scores < rule.threshold_).sum() == n_flagged


def test__fbeta__equal_but_for_rounding__fewest_alarms():
    # beta 0.1, 20 anomalies: 1.01 * 1 / (0.2 + 2) = 1.01 * 6 / (0.2 + 13), though
    # not in floats
    flags = [0, 1] + [0] * 6 + [1] * 5 + [0] * 300 + [1] * 14
    scores = np.arange(len(flags), dtype=float)
    below, _, _ = naive.best_fbeta_cut(scores.tolist(), flags, 0.1)
    assert below == 1.0
    rule = FBetaThreshold(beta=0.1).fit(scores, flags)
    assert (scores < rule.threshold_).sum() == 2


def test__fbeta__heavy_tailed_scores__separates_what_can_be_separated():
    rng = np.random.default_rng(0)
    normal, anomalous = -rng.random(200), -2 - np.abs(rng.standard_cauchy(20)) ** 4
    scores = np.concatenate([normal, anomalous])
    rule = FBetaThreshold().fit(scores, np.repeat([0, 1], [200, 20]))
    assert rule.best_score_ == 1.0
    assert anomalous.max() < rule.threshold_ < normal.min()


def test__fbeta__larger_beta__never_fewer_alarms():
    rng = np.random.default_rng(1)
    flags = np.repeat([0, 1], [150, 50])
    scores = rng.normal(size=200) - flags
    n_alarms = [
        (scores < FBetaThreshold(beta).fit(scores, flags).threshold_).sum()
        for beta in (0.1, 0.5, 1.0, 2.0, 10.0)
    ]
    assert n_alarms == sorted(n_alarms)
    assert n_alarms[0] < n_alarms[-1]


@pytest.mark.parametrize(
    "recode",
    [
        lambda y: np.where(y, -1, 1),
        lambda y: y == 1,
        lambda y: np.where(y, -1.0, 1.0),
        lambda y: [int(flag) for flag in y],
        lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
        lambda y: y[:, None],
    ],
    ids=["signs", "bools", "floats", "list", "series", "column"],
)
@pytest.mark.filterwarnings(
    "ignore:A column-vector:sklearn.exceptions.DataConversionWarning"
)
def test__fbeta__other_coding__same_threshold(recode):
    scores, flags = LABELLED
    expected = FBetaThreshold(2.0).fit(scores, flags)
    rule = FBetaThreshold(2.0).fit(scores, recode(np.array(flags)))
    assert rule.threshold_ == expected.threshold_
    assert rule.best_score_ == expected.best_score_


@pytest.mark.parametrize(
    "y", [[0, 0, 0], [1, 1, 1], [-1, -1, -1], [True] * 3, [False] * 3]
)
def test__fbeta__single_class__refused(y):
    with pytest.raises(ValueError, match="at least one anomaly"):
        FBetaThreshold().fit([-1.0, -2.0, -3.0], y)


@pytest.mark.parametrize(
    "y", [[0, 1, 2], [-1, 0, 1], [0.5, 1, 0], [0, 1, np.nan], ["a", "b", "a"]]
)
def test__fbeta__labels_outside_the_codings__refused(y):
    with pytest.raises(ValueError, match=r"y holds the labels .*expected"):
        FBetaThreshold().fit([-1.0, -2.0, -3.0], y)


def test__fbeta__y_of_another_length__refused():
    with pytest.raises(ValueError, match="inconsistent"):
        FBetaThreshold().fit([-1.0, -2.0, -3.0], [0, 1])


def test__fbeta__y_missing__refused():
    with pytest.raises(ValueError, match="needs labels"):
        FBetaThreshold().fit([-1.0, -2.0, -3.0], None)


# QuantileThreshold


@given(
    scores=SCORES,
    quantile=st.one_of(
        st.sampled_from([0, 0.01, 0.1, 0.25, 0.5, 0.9]),
        st.floats(0, 1, exclude_max=True),
    ),
)
@example(scores=[-3.0], quantile=0.5)
@example(scores=[-1e308, 1e308], quantile=0.5)
@example(scores=[0.0, -0.0, -0.0], quantile=0.9)
@example(scores=[-1.0, -1.0, -2.0], quantile=0.5)
def test__quantile__any_scores__as_counted(scores, quantile):
    rule = QuantileThreshold(quantile).fit(scores)
    assert_cut(rule.threshold_, *naive.quantile_cut(scores, quantile))


@given(
    scores=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40, unique=True),
    quantile=st.floats(0, 0.5),
)
def test__quantile__distinct_scores__that_share_is_below(scores, quantile):
    threshold = QuantileThreshold(quantile).fit(scores).threshold_
    n_below = (np.array(scores) < threshold).sum()
    n = len(scores) - 1
    assert n_below == naive_rules.n_in_share(quantile, n, begun=True)


@given(scores=SCORES, quantile=st.floats(0, 1, exclude_max=True))
def test__quantile__ties__never_parted(scores, quantile):
    threshold = QuantileThreshold(quantile).fit(scores).threshold_
    flagged = {score for score in scores if score < threshold}
    kept = {score for score in scores if score >= threshold}
    assert kept  # never all
    assert not flagged & kept


@pytest.mark.parametrize("scores", [[-3.0], [-3.0] * 9, [0.0, -0.0], [7, 7]])
@pytest.mark.parametrize("quantile", [0, 0.1, 0.99])
def test__quantile__all_tie__next_float_below(scores, quantile):
    threshold = QuantileThreshold(quantile).fit(scores).threshold_
    assert threshold == math.nextafter(scores[0], -math.inf)


def test__quantile__zero__below_the_lowest():
    scores = [-1.0, -5.0, -2.0]
    assert QuantileThreshold(0).fit(scores).threshold_ == math.nextafter(-5.0, -9.0)


def test__quantile__tie_reaches_down_to_the_lowest__nothing_flagged():
    threshold = QuantileThreshold(0.5).fit([-2.0, -2.0, -2.0, -1.0]).threshold_
    assert threshold == math.nextafter(-2.0, -9.0)


def test__quantile__y__is_ignored():
    scores = [-4.0, -1.0, -2.0, -3.0]
    expected = QuantileThreshold(0.3).fit(scores).threshold_
    for y in (None, [5, 5, 5, 5], ["a", "b", "c", "d"], [0, 1, 1, 0]):
        assert QuantileThreshold(0.3).fit(scores, y).threshold_ == expected


def test__quantile__larger__never_lower():
    scores = np.random.default_rng(0).normal(size=50).round(1)
    thresholds = [
        QuantileThreshold(q).fit(scores).threshold_ for q in np.arange(0, 1, 0.05)
    ]
    assert thresholds == sorted(thresholds)


# PrecisionFloorThreshold


@given(
    rows=labelled_scores(), floor=st.sampled_from([0.1, 0.5, 0.6, 0.75, 0.9, 0.95, 1])
)
@example(rows=([-1.0, -1.0], [True, False]), floor=0.5)
@example(rows=([-1.0, -1.0], [True, False]), floor=0.6)
@example(rows=([-1e308, 1e308], [True, False]), floor=1)
def test__precision_floor__any_scores__best_of_every_threshold(rows, floor):
    scores, is_anomaly = rows
    below, above, precision, recall, _ = naive_rules.precision_floor_cut(*rows, floor)
    rule = PrecisionFloorThreshold(floor).fit(scores, is_anomaly)
    assert rule.precision_ == float(precision)
    assert rule.recall_ == float(recall)
    assert_cut(rule.threshold_, below, above)


@settings(max_examples=25)
@given(rows=labelled_scores(), floor=st.sampled_from([0.3, 0.7]))
def test__precision_floor__figures__are_those_of_sklearn_at_the_threshold(rows, floor):
    scores, is_anomaly = rows
    rule = PrecisionFloorThreshold(floor).fit(scores, is_anomaly)
    flagged = np.array(scores) < rule.threshold_
    assert rule.precision_ == pytest.approx(precision_score(is_anomaly, flagged))
    assert rule.recall_ == pytest.approx(recall_score(is_anomaly, flagged))


@pytest.mark.parametrize(
    ("floor", "n_flagged"),
    # precision by rows flagged: 1, 1, 2/3, 3/4, 3/5, 4/6, 4/7
    [(1.0, 2), (0.9, 2), (0.75, 4), (0.67, 4), (2 / 3, 6), (0.5, 6)],
)
def test__precision_floor__known_answer(floor, n_flagged):
    scores = np.arange(7.0)
    rule = PrecisionFloorThreshold(floor).fit(scores, [1, 1, 0, 1, 0, 1, 0])
    assert rule.threshold_ == n_flagged - 0.5
    assert rule.precision_ >= floor


def test__precision_floor__nine_of_ten__reach_nine_tenths():
    rule = PrecisionFloorThreshold(0.9).fit(np.arange(11.0), [0] + [1] * 9 + [0])
    assert rule.threshold_ == 9.5


def test__precision_floor__out_of_reach__best_precision_and_a_warning():
    # precision by rows flagged: 0, 1/2, 1/3, 2/4, 2/5
    with pytest.warns(UserWarning, match=r"min_precision=0\.9.* best precision, 0\.5"):
        rule = PrecisionFloorThreshold().fit(np.arange(5.0), [0, 1, 0, 1, 0])
    assert rule.threshold_ == 3.5
    assert rule.precision_ == 0.5
    assert rule.recall_ == 1.0


def test__precision_floor__warning__points_at_the_caller():
    with pytest.warns(UserWarning, match="No threshold reaches") as caught:
        PrecisionFloorThreshold().fit([-2.0, -1.0], [0, 1])
    assert caught[0].filename == __file__


# CostThreshold


@given(
    rows=labelled_scores(),
    false_alarm_cost=st.sampled_from([0.1, 0.3, 1.0, 7]),
    miss_cost=st.sampled_from([0.1, 0.2, 1, 10.0, 100]),
)
@example(rows=([-1.0, -1.0], [True, False]), false_alarm_cost=1.0, miss_cost=1)
@example(rows=([-1e308, 1e308], [False, True]), false_alarm_cost=7, miss_cost=1)
@example(rows=([-1e308, 1e308], [False, True]), false_alarm_cost=1.0, miss_cost=10.0)
def test__cost__any_scores__cheapest_of_every_threshold(
    rows, false_alarm_cost, miss_cost
):
    below, above, cost = naive_rules.cheapest_cut(*rows, false_alarm_cost, miss_cost)
    rule = CostThreshold(false_alarm_cost, miss_cost).fit(*rows)
    assert rule.best_cost_ == pytest.approx(float(cost), rel=1e-12)
    assert_cut(rule.threshold_, below, above)


@pytest.mark.parametrize(
    ("miss_cost", "n_flagged", "cost"),
    # rows flagged: 0 to 6; false alarms 0 1 1 2 2 2 3; misses 3 3 2 2 1 0 0
    [(0.1, 0, 0.3), (0.6, 0, 1.8), (0.7, 5, 2.0), (10.0, 5, 2.0)],
)
def test__cost__known_answer(miss_cost, n_flagged, cost):
    scores = np.arange(6.0)
    rule = CostThreshold(miss_cost=miss_cost).fit(scores, [0, 1, 0, 1, 1, 0])
    assert (scores < rule.threshold_).sum() == n_flagged
    assert rule.best_cost_ == pytest.approx(cost)


def test__cost__equal_but_for_rounding__fewest_alarms():
    assert 0.1 * 3 > 0.3  # three misses cost as much as one false alarm
    rule = CostThreshold(0.3, 0.1).fit(np.arange(4.0), [0, 1, 1, 1])
    assert rule.threshold_ == math.nextafter(0.0, -1.0)


def test__cost__both_scaled__same_threshold():
    scores, y = LABELLED
    for factor in (1e-6, 3.0, 1e6):
        rule = CostThreshold(factor, 2 * factor).fit(scores, y)
        assert rule.threshold_ == CostThreshold(1, 2).fit(scores, y).threshold_


def test__cost__dearer_misses__never_fewer_alarms():
    rng = np.random.default_rng(1)
    flags = np.repeat([0, 1], [150, 50])
    scores = rng.normal(size=200) - flags
    n_alarms = [
        (scores < CostThreshold(1.0, cost).fit(scores, flags).threshold_).sum()
        for cost in (0.1, 1.0, 3.0, 10.0, 1000.0)
    ]
    assert n_alarms == sorted(n_alarms)
    assert n_alarms[0] < n_alarms[-1]


# AlertBudgetThreshold


@given(
    scores=SCORES,
    budget=st.sampled_from([0.29, 0.5, 1, 2.5, 7]),
    per=st.sampled_from([10, 12.5, 100]),
    count=st.sampled_from(["rows", "events"]),
)
@example(scores=[-3.0], budget=7, per=10, count="rows")
@example(scores=[-1.0] * 5, budget=7, per=10, count="events")
@example(scores=[3.0, 2.0, 1.0, 0.0], budget=7, per=10, count="events")
def test__budget__any_scores__highest_of_every_threshold(scores, budget, per, count):
    rule = AlertBudgetThreshold(budget, per=per, count=count).fit(scores)
    assert_cut(rule.threshold_, *naive_rules.budget_cut(scores, budget, per, count))


@given(scores=SCORES, count=st.sampled_from(["rows", "events"]))
def test__budget__any_scores__kept(scores, count):
    rule = AlertBudgetThreshold(3, per=10, count=count).fit(scores)
    below = math.nextafter(rule.threshold_, -math.inf)
    n_alerts = naive_rules.n_alerts(scores, below, count)
    assert n_alerts <= 0.3 * len(scores) + 1e-9


def test__budget__alerts_a_day__known_answer():
    # ten days of a row a minute: the 20 lowest
    scores = np.random.default_rng(0).permutation(14_400).astype(float)
    assert AlertBudgetThreshold(2, per=1440).fit(scores).threshold_ == 19.5


def test__budget__events__runs_count_once():
    scores = [0, -9, -9, -8, 0, -5, -5, 0, -3, -2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    budgets = {1: -6.5, 2: -4.0, 3: -1.0}
    for budget, threshold in budgets.items():
        rule = AlertBudgetThreshold(budget, per=20, count="events").fit(scores)
        assert rule.threshold_ == threshold
    assert AlertBudgetThreshold(3, per=20).fit(scores).threshold_ == -6.5


def test__budget__runs_that_grow_together__no_threshold_beyond_too_many():
    # three events up to -3, one up to -2
    scores = [-3, -2, -3, -2, -3, 0, 0, 0, 0, 0]
    rule = AlertBudgetThreshold(2, per=10, count="events").fit(scores)
    assert rule.threshold_ == math.nextafter(-3.0, -9.0)


def test__budget__product_that_falls_short_in_floats__counts_whole():
    assert 0.29 * 100 < 29
    rule = AlertBudgetThreshold(0.29, per=1).fit(np.arange(100.0))
    assert rule.threshold_ == 28.5


@pytest.mark.parametrize("count", ["rows", "events"])
def test__budget__too_few_rows_for_one_alert__warns(count):
    rule = AlertBudgetThreshold(2, per=1000, count=count)
    with pytest.warns(UserWarning, match=r"no alert in 499 rows.* least 500 rows"):
        rule.fit(np.random.default_rng(0).permutation(499))
    assert rule.threshold_ == math.nextafter(0.0, -1.0)
    rule.fit(np.random.default_rng(0).permutation(500))
    assert rule.threshold_ == 0.5


def test__budget__all_rows_but_for_rounding__highest_not_flagged():
    rule = AlertBudgetThreshold(10 - 1e-12, per=10).fit(np.arange(10.0))
    assert rule.threshold_ == 8.5


def test__budget__drift__is_no_event_of_all_rows():
    scores = -np.arange(1000.0)
    rule = AlertBudgetThreshold(count="events").fit(scores)
    assert (scores < rule.threshold_).sum() == 500


@pytest.mark.parametrize("budget", [1000, 1001.0])
def test__budget__alert_for_every_row__refused(budget):
    with pytest.raises(ValueError, match=r"expected budget < per"):
        AlertBudgetThreshold(budget).fit([-1.0, -2.0])


# SigmaThreshold, MADThreshold, IQRThreshold

SPREADS = {
    "sigma": (SigmaThreshold, naive_rules.sigma_threshold),
    "mad": (MADThreshold, naive_rules.mad_threshold),
    "iqr": (IQRThreshold, naive_rules.iqr_threshold),
}
spreads = pytest.mark.parametrize(("Rule", "oracle"), SPREADS.values(), ids=SPREADS)


@spreads
@given(scores=SCORES, k=st.sampled_from([0.5, 1.5, 3]))
@example(scores=[-1e308, 1e308, 1e308], k=3)
@example(scores=[5e-324, 0.0], k=3)
@example(scores=[-2.0, -2.0, -2.0, -7.0], k=3)
def test__spread__any_scores__as_by_definition(Rule, oracle, scores, k):
    expected = oracle(scores, k)
    got = Rule(k).fit(scores).threshold_
    if abs(expected) > np.finfo(float).max:
        assert got == -math.inf
    else:
        size = max(abs(float(s)) for s in scores)
        assert abs(got - float(expected)) <= 1e-13 * size + 1e-323


@spreads
@settings(max_examples=30)
@given(
    value=st.floats(-1e308, 1e308, allow_subnormal=True),
    n=st.integers(1, 40),
    k=st.floats(1e-3, 100),
)
@example(value=0.1, n=3, k=0.001)
@example(value=-0.1, n=6, k=0.001)
def test__spread__equal_scores__none_flagged(Rule, oracle, value, n, k):
    threshold = Rule(k).fit([value] * n).threshold_
    assert threshold <= value
    assert threshold == pytest.approx(value, rel=1e-13, abs=1e-322)


@pytest.mark.parametrize(
    ("rule", "share"),
    [
        (SigmaThreshold(2), stats.norm.sf(2)),
        (SigmaThreshold(3), stats.norm.sf(3)),
        (MADThreshold(2), stats.norm.sf(2)),
        (MADThreshold(3), stats.norm.sf(3)),
        (IQRThreshold(1.5), 0.00349),
    ],
    ids=repr,
)
def test__spread__normal_scores__known_share(rule, share):
    scores = stats.norm.ppf(np.arange(0.5, 20_000) / 20_000) * 0.3 - 7
    below = (scores < rule.fit(scores).threshold_).mean()
    assert below == pytest.approx(share, rel=0.03)


@pytest.mark.parametrize("rule", [MADThreshold(), IQRThreshold()], ids=repr)
def test__spread__a_fifth_far_off__moves_little(rule):
    scores = np.random.default_rng(0).normal(size=1000)
    clean = clone(rule).fit(scores).threshold_
    scores[:200] = -1e9
    assert clean - 3 < clone(rule).fit(scores).threshold_ < clean
    assert SigmaThreshold().fit(scores).threshold_ < -1e8


def test__mad__more_than_half_tie__mean_deviation_instead():
    # deviations 0 0 0 4: mean 1, times sqrt(pi / 2)
    threshold = MADThreshold(2.0).fit([-1.0, -1.0, -1.0, -5.0]).threshold_
    assert threshold == pytest.approx(-1 - 2 * 1.2533141373155)


def test__iqr__middle_half_ties__every_lower_score_flagged():
    assert IQRThreshold().fit([-1.0] * 8 + [-1.1, -2.0]).threshold_ == -1.0


# POTThreshold


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("n_excesses", [30, 200])
def test__pot__fit__as_likely_as_the_best_of_a_grid(shape, n_excesses):
    rng = np.random.default_rng(n_excesses)
    for _ in range(3):
        errors = stats.genpareto.rvs(shape, size=10 * n_excesses, random_state=rng)
        rule = POTThreshold(level=0.9).fit(-errors)
        excesses = errors[errors > -rule.tail_start_] + rule.tail_start_
        assert len(excesses) == rule.n_excesses_ == n_excesses
        likelihood = naive_rules.pareto_likelihood(excesses, rule.shape_, rule.scale_)
        assert likelihood > naive_rules.best_pareto_likelihood(excesses) - 0.01


@pytest.mark.parametrize("risk", [1e-2, 1e-3, 1e-6])
@pytest.mark.parametrize("distribution", [stats.expon(), stats.t(3), stats.uniform()])
def test__pot__fitted_tail__threshold_is_that_of_the_paper(distribution, risk):
    errors = distribution.rvs(size=1000, random_state=np.random.default_rng(0))
    rule = POTThreshold(risk, level=0.95).fit(-errors)
    assert -rule.tail_start_ == pytest.approx(np.quantile(errors, 0.95))
    assert rule.n_excesses_ == 50
    expected = naive_rules.tail_quantile(
        -rule.tail_start_, rule.shape_, rule.scale_, risk, 1000, 50
    )
    assert -rule.threshold_ == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "distribution",
    [
        stats.norm(),
        stats.expon(),
        stats.uniform(),
        stats.t(3),
        stats.lognorm(1),
        stats.genpareto(0.5),
    ],
    ids=lambda d: d.dist.name,
)
def test__pot__many_scores__false_alarms_near_the_risk(distribution):
    rng = np.random.default_rng(0)
    rates = [
        distribution.sf(
            -POTThreshold(1e-4)
            .fit(-distribution.rvs(size=20_000, random_state=rng))
            .threshold_
        )
        for _ in range(6)
    ]
    assert 0.5e-4 < np.mean(rates) < 2e-4


def test__pot__bounded_errors__end_point_before_infinity():
    errors = np.random.default_rng(0).uniform(size=5000)
    rule = POTThreshold(risk=1e-12).fit(-errors)
    assert rule.shape_ < -0.5
    assert -1.01 < rule.threshold_ < -0.99


def test__pot__smaller_risk__never_higher():
    scores = -np.random.default_rng(0).exponential(size=2000)
    thresholds = [
        POTThreshold(risk).fit(scores).threshold_ for risk in (1e-2, 1e-3, 1e-5, 1e-9)
    ]
    assert thresholds == sorted(thresholds, reverse=True)
    assert len(set(thresholds)) == 4


def test__pot__few_excesses__exponential_tail_and_a_warning():
    errors = np.arange(100.0)  # the quantile is 98.01
    with pytest.warns(UserWarning, match=r"1 excesses of 100 scores over level=0\.99"):
        rule = POTThreshold(1e-3, level=0.99).fit(-errors)
    assert (rule.n_excesses_, rule.shape_) == (1, 0.0)
    assert rule.scale_ == pytest.approx(0.99)
    expected = naive_rules.tail_quantile(98.01, 0.0, 0.99, 1e-3, 100, 1)
    assert -rule.threshold_ == pytest.approx(expected)


def test__pot__lowest_scores_tie__nothing_seen_is_flagged():
    scores = np.repeat([-5.0, -1.0], [20, 80])
    with pytest.warns(UserWarning, match="0 excesses"):
        rule = POTThreshold(0.01, level=0.9).fit(scores)
    assert rule.threshold_ == rule.tail_start_ == -5.0
    assert (rule.n_excesses_, rule.scale_) == (0, 0.0)


def test__pot__ties_leave_no_more_than_the_risk__start_of_the_tail():
    scores = np.repeat([-9.0, -5.0, -1.0], [3, 40, 57])
    with pytest.warns(UserWarning, match="3 excesses"):
        rule = POTThreshold(risk=0.05, level=0.9).fit(scores)
    assert rule.threshold_ == rule.tail_start_ == -5.0


@pytest.mark.parametrize(("risk", "level"), [(0.2, 0.9), (0.5, 0.5), (0.9, 0.98)])
def test__pot__risk_beyond_the_tail__refused(risk, level):
    with pytest.raises(ValueError, match=r"not below 1 - level"):
        POTThreshold(risk, level=level).fit(np.arange(100.0))


@given(scores=SCORES, level=st.sampled_from([0.2, 0.5, 0.9]))
@example(scores=[2.0 ** -(10 * i) for i in range(60)], level=0.2)
@example(scores=[-(10.0 ** (10 * i)) for i in range(30)], level=0.2)
@example(scores=[-(1.0 + 1e-15 * i) for i in range(30)], level=0.2)
@example(scores=[-1e308 / 30 * i for i in range(30)], level=0.2)
def test__pot__any_scores__below_the_start_of_the_tail(scores, level):
    rule = POTThreshold(1e-3, level=level).fit(scores)
    assert rule.threshold_ <= rule.tail_start_
    assert not np.isnan(rule.shape_)
    share_below = (np.array(scores) < rule.tail_start_).mean()
    assert share_below <= 1 - level + 1 / len(scores)


EXTREME = st.lists(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.builds(
            lambda sign, size: sign * 10.0**size,
            st.sampled_from([-1.0, 1.0]),
            st.integers(-320, 307),
        ),
    ),
    min_size=1,
    max_size=12,
)


@given(scores=EXTREME, level=st.sampled_from([0.07, 0.29, 0.5, 0.58, 0.9]))
@example(
    scores=[-6.270570637641398e203, -2.0194761783913324e-120, -1.0589530535479931e-159],
    level=0.5,
)
@example(scores=[-5e-324, -5e-324, 1.7e308], level=0.5)
def test__pot__scores_of_any_sizes__start_is_exact(scores, level):
    rule = POTThreshold(1e-3, level=level).fit(scores)
    exact = naive_rules.tail_start(scores, level)
    assert rule.tail_start_ == pytest.approx(float(exact), rel=1e-12, abs=1e-322)
    assert min(scores) <= rule.tail_start_ <= max(scores)
    assert rule.threshold_ <= rule.tail_start_
    assert rule.n_excesses_ == sum(score < rule.tail_start_ for score in scores)


@given(scores=EXTREME, k=st.sampled_from([0.5, 3.0]))
@example(scores=[-6e203, -2e-120, -1e-159, -1e-159, -1e-159], k=1.5)
def test__iqr__scores_of_any_sizes__as_exact(scores, k):
    exact = naive_rules.iqr_threshold(scores, k)
    got = IQRThreshold(k).fit(scores).threshold_
    if abs(exact) > np.finfo(float).max:
        assert got == -math.inf
    else:
        quartiles = [naive_rules.quantile(scores, q) for q in (0.25, 0.75)]
        size = float(max(map(abs, quartiles)))
        assert abs(got - float(exact)) <= 1e-12 * size + 1e-321


@given(scores=EXTREME, k=st.sampled_from([0.5, 3.0]))
@example(scores=[-6e203, -2e-120, -1e-159, -1e-159, -1e-159], k=1.5)
def test__mad_and_sigma__scores_of_any_sizes__not_above_the_centre(scores, k):
    median = float(naive_rules.quantile(scores, 0.5))
    assert MADThreshold(k).fit(scores).threshold_ <= median
    assert SigmaThreshold(k).fit(scores).threshold_ <= max(scores)


# Shares of a number

PERCENT = st.integers(1, 99).map(lambda p: p / 100)
PERMILLE = st.integers(1, 999).map(lambda p: p / 1000)


@given(share=st.one_of(PERCENT, PERMILLE), n=st.integers(2, 1100))
@example(share=0.07, n=101)
@example(share=0.29, n=101)
def test__shares__distinct_scores__counted_exactly(share, n):
    scores = np.arange(float(n))
    exact = {
        begun: naive_rules.n_in_share(share, m, begun=begun)
        for begun, m in ((True, n - 1), (False, n))
    }
    below = QuantileThreshold(share).fit(scores).threshold_
    assert (scores < below).sum() == exact[True]
    within = AlertBudgetThreshold(share, per=1).fit(scores).threshold_
    assert (scores < within).sum() == exact[False]
    n_below = naive_rules.n_in_share(share, n + 1, begun=False)
    conformal = ConformalThreshold(share).fit(scores).threshold_
    assert conformal == (min(n_below, n) - 1 if n_below else -math.inf)
    start = POTThreshold(1e-4, level=share).fit(scores).tail_start_
    assert start == pytest.approx(float(naive_rules.tail_start(scores, share)))
    n_tail = naive_rules.n_in_share(1 - Fraction(str(share)), n - 1, begun=True)
    assert (scores < start).sum() == n_tail


@pytest.mark.parametrize("number", [float, np.float64, np.float32])
@pytest.mark.parametrize("percent", [7, 14, 28, 29, 55, 56, 57, 58])
def test__shares__in_other_types__counted_exactly(number, percent):
    share, scores = number(percent / 100), np.arange(101.0)
    threshold = QuantileThreshold(share).fit(scores).threshold_
    assert (scores < threshold).sum() == percent
    detector = LinearAutoencoder(1, contamination=min(share, number(0.29)))
    X = np.random.default_rng(0).normal(size=(101, 4))
    assert (detector.fit(X).predict(X) == -1).sum() == min(percent, 29)


@pytest.mark.parametrize("parts", [3, 6, 7, 9, 49])
def test__shares__that_are_fractions__counted_whole(parts):
    scores = np.arange(parts + 1.0)
    for part in range(1, parts):
        threshold = QuantileThreshold(part / parts).fit(scores).threshold_
        assert (scores < threshold).sum() == part


@pytest.mark.parametrize("level", [0.98, 0.9, 0.7, 0.95, 0.99])
def test__pot__risk_of_the_whole_tail__refused(level):
    with pytest.raises(ValueError, match="not below 1 - level"):
        POTThreshold(round(1 - level, 9), level=level).fit(np.arange(100.0))


# ConformalThreshold

CALIBRATION = [-6.0, -4.0, -3.0, -2.5, -2.0, -1.5, -1.0]


@pytest.mark.parametrize(
    ("alpha", "threshold"),
    # floor(8 alpha)-th lowest of seven
    [
        (0.125, -6.0),
        (0.249, -6.0),
        (0.25, -4.0),
        (0.5, -2.5),
        (0.875, -1.0),
        (0.99, -1.0),
    ],
)
def test__conformal__known_answer(alpha, threshold):
    assert ConformalThreshold(alpha).fit(CALIBRATION).threshold_ == threshold


def test__conformal__p_values__known_answer():
    rule = ConformalThreshold(0.5).fit(CALIBRATION)
    p_values = rule.p_values([-7.0, -6.0, -5.0, -2.2, -1.0, 0.0])
    np.testing.assert_array_equal(p_values * 8, [1, 2, 2, 5, 8, 8])


@given(
    scores=SCORES,
    new=SCORES,
    alpha=st.one_of(
        st.sampled_from([0.07, 0.1, 0.29, 1 / 3, 0.5, 0.9]), st.floats(1e-3, 0.999)
    ),
)
def test__conformal__flagged__where_the_p_value_is_at_most_alpha(scores, new, alpha):
    rule = ConformalThreshold(alpha).fit(scores)
    new = np.concatenate([new, scores]).astype(float)
    expected = [float(p) for p in naive_rules.p_values(scores, new.tolist())]
    np.testing.assert_array_equal(rule.p_values(new), expected)
    np.testing.assert_array_equal(new < rule.threshold_, np.array(expected) <= alpha)


@pytest.mark.parametrize("alpha", [0.29, 0.07, 0.57, 0.01])
def test__conformal__product_that_falls_short_in_floats__counts_whole(alpha):
    rule = ConformalThreshold(alpha).fit(np.arange(1.0, 100))
    assert rule.threshold_ == round(100 * alpha)


@pytest.mark.parametrize(("alpha", "needed"), [(0.01, 99), (0.3, 3), (0.003, 333)])
def test__conformal__too_few_scores__nothing_flagged_and_a_warning(alpha, needed):
    rule = ConformalThreshold(alpha)
    with pytest.warns(UserWarning, match=f"{needed - 1} cal.* least {needed} are"):
        rule.fit(-np.arange(1.0, needed))
    assert rule.threshold_ == -np.inf
    assert rule.p_values([-1e300])[0] > alpha
    rule.fit(-np.arange(1.0, needed + 1))
    assert rule.threshold_ == -needed


@given(
    new=st.lists(st.sampled_from([-7.0, -5.0, -2.6, -2.2, -1.7, 0.0]), max_size=9),
    adjust=st.sampled_from(["bh", "by"]),
)
def test__conformal__adjusted__as_by_definition(new, adjust):
    rule = ConformalThreshold(0.5).fit(CALIBRATION)
    new = [-7.0, *new]
    expected = naive_rules.benjamini_hochberg(
        naive_rules.p_values(CALIBRATION, new), by=adjust == "by"
    )
    got = rule.p_values(new, adjust=adjust)
    np.testing.assert_allclose(got, [float(p) for p in expected], rtol=1e-12)


def test__conformal__p_values__refuse_what_fit_refuses():
    rule = ConformalThreshold(0.5).fit(CALIBRATION)
    with pytest.raises(ValueError, match="scores contains NaN"):
        rule.p_values([-1.0, np.nan])
    with pytest.raises(ValueError, match=r"adjust='fdr'; expected None, 'bh' or 'by'"):
        rule.p_values([-1.0], adjust="fdr")
    with pytest.raises(NotFittedError):
        ConformalThreshold().p_values([-1.0])
    np.testing.assert_array_equal(
        rule.p_values([[-5.0], [0.0]]), rule.p_values(pd.Series([-5.0, 0.0]))
    )


# A promise kept on average fails a test by chance one time in 10,000 at most.
RARE = 1e-4


@pytest.mark.parametrize("decimals", [9, 1], ids=["distinct", "ties"])
@pytest.mark.parametrize(("alpha", "n"), [(0.01, 99), (0.05, 150), (0.1, 30)])
def test__conformal__thousand_draws__no_more_false_alarms_than_alpha(
    alpha, n, decimals
):
    rng = np.random.default_rng(0)
    n_false = 0
    for _ in range(1000):
        scores = -rng.chisquare(3, size=n + 1).round(decimals)
        n_false += scores[-1] < ConformalThreshold(alpha).fit(scores[:-1]).threshold_
    assert n_false <= stats.binom.isf(RARE, 1000, alpha)
    if decimals == 9:  # nor is the threshold too low
        assert n_false >= stats.binom.ppf(RARE, 1000, alpha - 1 / (n + 1))


def test__conformal__independent_rows__p_values_uniform():
    rng = np.random.default_rng(1)
    rule = ConformalThreshold(0.1)
    p_values = []
    for _ in range(1000):
        scores = -rng.exponential(size=20)
        p_values += rule.fit(scores[:-1]).p_values(scores[-1:]).tolist()
    observed = np.bincount(np.round(np.multiply(p_values, 20)).astype(int))
    assert len(observed) == 21
    assert observed[0] == 0
    assert stats.chisquare(observed[1:]).pvalue > RARE


def test__conformal__independent_rows__rate_spreads_like_beta():
    rng = np.random.default_rng(2)
    # of uniform scores, the share below the threshold is the threshold
    rates = [
        ConformalThreshold(0.1).fit(rng.uniform(size=99)).threshold_
        for _ in range(1000)
    ]
    assert stats.kstest(rates, stats.beta(10, 90).cdf).pvalue > RARE


def test__conformal__adjusted__few_false_discoveries():
    rng = np.random.default_rng(3)
    shares, n_found = [], 0
    for _ in range(200):
        rule = ConformalThreshold(0.01).fit(rng.normal(size=500))
        new = rng.normal(size=100) - np.repeat([0, 4], [90, 10])
        found = rule.p_values(new, adjust="bh") <= 0.2
        shares.append(found[:90].sum() / max(1, found.sum()))
        n_found += found[90:].sum()
    tolerance = stats.norm.isf(RARE) * np.std(shares) / math.sqrt(len(shares))
    assert np.mean(shares) <= 0.2 + tolerance
    assert n_found > 0.8 * 10 * 200


WINDOW, N_WINDOWS, ALPHA = 50, 199, 0.05


def window_scores(noise):
    """Score each window of a series by its mean square."""
    total = np.cumsum(np.append(0.0, noise**2))
    return -(total[WINDOW:] - total[:-WINDOW]) / WINDOW


def false_alarm_rates(stride, n_draws=300):
    """Rates of false alarms, calibrated on windows some rows apart."""
    rng = np.random.default_rng(4)
    fresh = np.sort(window_scores(rng.normal(size=400_000)))
    rates = []
    for _ in range(n_draws):
        noise = rng.normal(size=WINDOW + (N_WINDOWS - 1) * stride)
        rule = ConformalThreshold(ALPHA).fit(window_scores(noise)[::stride])
        rates.append(np.searchsorted(fresh, rule.threshold_) / len(fresh))
    return np.array(rates)


def test__conformal__windows_apart__promise_kept():
    rates = false_alarm_rates(stride=WINDOW)
    promised = stats.beta(10, 190)
    assert rates.mean() == pytest.approx(ALPHA, abs=4 * promised.std() / 300**0.5)
    assert rates.std() == pytest.approx(promised.std(), rel=0.2)
    assert (rates > 2 * ALPHA).mean() < 0.03


def test__conformal__overlapping_windows__promise_broken():
    # what the docstring tells: as many windows, each one row further than the last
    rates = false_alarm_rates(stride=1)
    assert rates.mean() > 2 * ALPHA
    assert rates.std() > 5 * stats.beta(10, 190).std()
    assert (rates > 2 * ALPHA).mean() > 0.4
    assert (rates < ALPHA / 2).mean() > 0.1


# What every rule promises

rules = pytest.mark.parametrize("rule", RULES, ids=repr)
UNLABELLED = [rule for rule in RULES if not getattr(rule, "needs_labels", False)]
LABELLED_ONLY = [rule for rule in RULES if getattr(rule, "needs_labels", False)]
unlabelled_rules = pytest.mark.parametrize("rule", UNLABELLED, ids=repr)
labelled_rules = pytest.mark.parametrize("rule", LABELLED_ONLY, ids=repr)


def learnt(rule):
    """What a rule knows, to be compared."""
    return {name: np.asarray(value).tolist() for name, value in vars(rule).items()}


def fitted(rule, scores=None, y=None):
    scores = LABELLED[0] if scores is None else scores
    return clone(rule).fit(scores, LABELLED[1] if y is None else y)


@pytest.mark.parametrize("rule", LABELLED_ONLY, ids=repr)
def test__labelled_rule__no_labels__both_errors_of_old(rule):
    for error, labels in ((TypeError, ()), (ValueError, (None,))):
        with pytest.raises(error, match="needs labels, but y is None; pass y"):
            clone(rule).fit(LABELLED[0], *labels)


@rules
def test__rule__clone__same_parameters_unfitted(rule):
    copied = clone(fitted(rule))
    assert type(copied) is type(rule)
    assert copied.get_params() == rule.get_params()
    assert not hasattr(copied, "threshold_")


@rules
def test__rule__get_and_set_params__round_trip(rule):
    params = rule.get_params()
    assert params
    changed = dict.fromkeys(params, 0.25)  # not looked at before fit
    assert clone(rule).set_params(**changed).get_params() == changed


@rules
def test__rule__fit__parameters_and_scores_unchanged(rule):
    rule = clone(rule)
    params = rule.get_params()
    scores, y = map(np.array, LABELLED)
    scores.flags.writeable = y.flags.writeable = False
    assert rule.fit(scores, y) is rule
    assert rule.get_params() == params
    np.testing.assert_array_equal(scores, LABELLED[0])
    names = set(vars(rule)) - set(params)
    assert "threshold_" in names
    assert all(name.endswith("_") for name in names)
    assert type(rule.threshold_) is float


@rules
@pytest.mark.parametrize(
    "reshape",
    [
        lambda s: s[:, None],
        list,
        lambda s: pd.Series(s, index=range(9, 9 - len(s), -1)),
        lambda s: pd.DataFrame({"score": s}),
        lambda s: s.astype(object),
        lambda s: np.repeat(s, 2)[::2],
    ],
    ids=["column", "list", "series", "frame", "object", "strided"],
)
def test__rule__other_containers__same_threshold(rule, reshape):
    scores = np.array(LABELLED[0])
    assert fitted(rule, reshape(scores)).threshold_ == fitted(rule).threshold_


@rules
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.int8])
def test__rule__other_dtypes__same_threshold(rule, dtype):
    scores = [-9, -8, -3, -2, -1, 0]
    expected = fitted(rule, scores).threshold_
    assert fitted(rule, np.array(scores, dtype=dtype)).threshold_ == expected


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if not getattr(rule, "needs_order", False)],
    ids=repr,
)
def test__rule__order_of_rows__does_not_matter(rule):
    scores, y = map(np.array, LABELLED)
    order = np.random.default_rng(0).permutation(len(scores))
    assert fitted(rule, scores[order], y[order]).threshold_ == fitted(rule).threshold_


@rules
def test__rule__shifted_and_scaled__threshold_follows(rule):
    scores = np.array(LABELLED[0])
    expected = 4 * fitted(rule).threshold_ - 16
    got = fitted(rule, 4 * scores - 16).threshold_
    assert got == pytest.approx(expected, rel=1e-12)


@rules
def test__rule__direction__low_scores_are_flagged(rule):
    scores = np.concatenate([np.arange(0.0, 98.0), [-100.0, -101.0]])
    y = np.repeat([0, 1], [98, 2])
    flagged = scores < fitted(rule, scores, y).threshold_
    assert flagged[scores.argmin()]
    assert not flagged[scores.argmax()]
    assert scores[flagged].max() < scores[~flagged].min()


@rules
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test__rule__not_finite__refused_by_name(rule, bad):
    with pytest.raises(ValueError, match="scores contains"):
        fitted(rule, [-9.0, bad, -3.0, -2.0, -1.0, -0.5])


@rules
@pytest.mark.parametrize(
    "scores", [[], [[-1.0, -2.0], [-3.0, -4.0]], ["a", "b"], -1.0, None]
)
def test__rule__no_vector_of_numbers__refused(rule, scores):
    with pytest.raises((ValueError, TypeError)):
        clone(rule).fit(scores, [0, 1])


@rules
def test__rule__scores_at_the_end_of_the_floats__no_warning(rule):
    greatest = np.finfo(np.float64).max
    low = fitted(rule, [-greatest, greatest, 0.0], [1, 0, 0])
    assert -greatest <= low.threshold_ <= 0 or low.threshold_ == -np.inf
    for scores in itertools.permutations([greatest, greatest, -greatest, -greatest]):
        assert not np.isnan(fitted(rule, list(scores), [1, 0, 1, 0]).threshold_)


@rules
@settings(max_examples=25)
@given(scores=SCORES.filter(lambda s: len(s) >= 2), exponent=st.integers(-40, 40))
def test__rule__scaled_by_a_power_of_two__threshold_follows_exactly(
    rule, scores, exponent
):
    scores = np.array(scores, dtype=float)
    size = np.abs(scores[scores != 0])
    if len(size) and (size.min() < 1e-290 or size.max() > 1e290):
        return
    y = np.arange(len(scores)) % 2
    threshold = fitted(rule, scores, y).threshold_
    if abs(threshold) < 1e-290:  # next to a score of 0
        return
    scaled = fitted(rule, np.ldexp(scores, exponent), y).threshold_
    assert scaled == np.ldexp(threshold, exponent)


@unlabelled_rules
@settings(max_examples=25)
@given(scores=SCORES)
@example(scores=[0.1] * 3)
@example(scores=[-0.1] * 6)
def test__rule__without_labels__highest_score_never_flagged(rule, scores):
    assert clone(rule).fit(scores).threshold_ <= max(scores)


@unlabelled_rules
@pytest.mark.parametrize("n", [1, 2, 30])
@pytest.mark.parametrize("value", [0.1, -0.1, 0.0, -7, 1e300, -5e-324])
def test__rule__equal_scores__none_flagged(rule, value, n):
    assert clone(rule).fit([value] * n).threshold_ <= value


@unlabelled_rules
def test__rule__without_labels__y_is_ignored(rule):
    scores = LABELLED[0]
    expected = clone(rule).fit(scores).threshold_
    for y in (None, [5] * 6, list("abcdef"), [0, 1], LABELLED[1]):
        assert clone(rule).fit(scores, y).threshold_ == expected


@labelled_rules
@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 0, 0], "at least one anomaly"),
        ([-1, -1, -1], "at least one anomaly"),
        ([0, 1, 2], "y holds the labels"),
        ([0, 1], "inconsistent"),
        (None, "needs labels"),
    ],
)
def test__rule__bad_labels__refused(rule, y, message):
    with pytest.raises(ValueError, match=message):
        clone(rule).fit([-1.0, -2.0, -3.0], y)


@labelled_rules
def test__rule__other_coding__same_threshold(rule):
    scores, flags = LABELLED
    expected = clone(rule).fit(scores, flags).threshold_
    for y in (np.where(flags, -1, 1), np.array(flags, dtype=bool)):
        assert clone(rule).fit(scores, y).threshold_ == expected


@labelled_rules
def test__rule__labels_left_out__message_says_what_to_do(rule):
    with pytest.raises(ValueError, match=r"needs labels, .* QuantileThreshold"):
        clone(rule).fit([-1.0, -2.0, -3.0])


def test__rule__of_a_user__writes_one_method():
    class Lowest(ThresholdRule):
        _parameter_constraints: ClassVar = {}

        def _find(self, scores, is_anomaly):
            assert is_anomaly is None
            return scores.min()

    assert Lowest().fit([[-1.0], [-2.0]], [0, 1]).threshold_ == -2.0


def test__rule__of_a_user_with_labels__is_handed_them():
    class HighestAnomaly(ThresholdRule):
        _parameter_constraints: ClassVar = {}
        needs_labels = True

        def _find(self, scores, is_anomaly):
            return scores[is_anomaly].max()

    assert HighestAnomaly().fit([-1.0, -2.0, -3.0], [1, -1, -1]).threshold_ == -2.0


@rules
def test__rule__refit__forgets(rule):
    rule = fitted(rule)
    rule.fit([-90.0, -80.0, -30.0], [1, 1, 0])
    again = fitted(rule, [-90.0, -80.0, -30.0], [1, 1, 0])
    assert learnt(rule) == learnt(again)


@rules
def test__rule__pickle__same_threshold(rule):
    rule = fitted(rule)
    loaded = pickle.loads(pickle.dumps(rule))
    assert learnt(loaded) == learnt(rule)


@pytest.mark.parametrize(
    "rule",
    [
        FBetaThreshold(0),
        FBetaThreshold(-1.0),
        FBetaThreshold("1"),
        FBetaThreshold(None),
        QuantileThreshold(1),
        QuantileThreshold(-0.1),
        QuantileThreshold(np.nan),
        QuantileThreshold("auto"),
        PrecisionFloorThreshold(0),
        PrecisionFloorThreshold(1.1),
        CostThreshold(0),
        CostThreshold(miss_cost=-1.0),
        CostThreshold(miss_cost=np.inf),
        AlertBudgetThreshold(0),
        AlertBudgetThreshold(per=0),
        AlertBudgetThreshold(count="alerts"),
        SigmaThreshold(0),
        MADThreshold(-1),
        IQRThreshold(None),
        POTThreshold(0),
        POTThreshold(risk="low"),
        POTThreshold(level=1.0),
        ConformalThreshold(0),
        ConformalThreshold(1),
    ],
    ids=repr,
)
def test__rule__bad_parameter__refused_in_fit(rule):
    with pytest.raises(ValueError, match=f"of {type(rule).__name__} must be"):
        rule.fit(*LABELLED)


# Rules in a detector


class Counting(OutlierMixin, BaseEstimator):
    """Scores by the first column, and knows how often it was fitted."""

    n_fits: list

    def fit(self, X, y=None):
        self.n_fits.append(len(X))
        self.offset_ = -1.0
        return self

    def score_samples(self, X):
        return X[:, 0]


@pytest.fixture
def counting():
    """Fitted detector that has been fitted once."""

    class FreshCounting(Counting):
        n_fits = []  # noqa: RUF012

    return FreshCounting().fit(np.zeros((3, 1)))


ROWS = np.array([*np.random.default_rng(5).normal(size=40), -8.0, -9.0, -3.0])[:, None]
IS_ANOMALY = np.repeat([0, 1], [40, 3])


@rules
def test__rule__prefit__new_threshold_without_training(rule, counting):
    tuned = TunedThresholdDetector(counting, rule, cv="prefit").fit(ROWS, IS_ANOMALY)
    assert tuned.estimator_ is counting
    expected = fitted(rule, ROWS, IS_ANOMALY).threshold_
    assert tuned.offset_ == tuned.rule_.threshold_ == expected
    np.testing.assert_array_equal(tuned.predict(ROWS) == -1, ROWS[:, 0] < expected)
    assert counting.n_fits == [3]
    assert counting.offset_ == -1.0


@rules
def test__rule__frozen_detector__new_threshold_without_training(rule, counting):
    frozen = FrozenEstimator(counting)
    tuned = TunedThresholdDetector(frozen, rule)
    tuned.fit(ROWS[:5], X_val=ROWS, y_val=IS_ANOMALY)
    assert tuned.offset_ == fitted(rule, ROWS, IS_ANOMALY).threshold_
    fixed = FixedThresholdDetector(frozen, tuned.offset_).fit(ROWS[:5])
    np.testing.assert_array_equal(fixed.predict(ROWS), tuned.predict(ROWS))
    assert counting.n_fits == [3]


def test__rule__threshold_of_minus_infinity__is_taken_by_a_fixed_detector(counting):
    threshold = ConformalThreshold(0.01).fit(ROWS).threshold_
    fixed = FixedThresholdDetector(FrozenEstimator(counting), threshold).fit(ROWS)
    assert (fixed.predict(ROWS) == 1).all()


def test__rules__searched_without_training(counting):
    tuned = TunedThresholdDetector(FrozenEstimator(counting), cv="prefit")
    search = GridSearchCV(
        tuned,
        {"rule": RULES},
        scoring=make_outlier_scorer("f1"),
        cv=StratifiedKFold(3),
        error_score="raise",
    ).fit(ROWS, IS_ANOMALY)
    assert counting.n_fits == [3]
    assert search.best_score_ > 0.5
    assert search.cv_results_["mean_test_score"].min() < search.best_score_


SEARCHED = {
    "precision": (PrecisionFloorThreshold(), {"rule__min_precision": [0.2, 0.9]}),
    "cost": (CostThreshold(), {"rule__miss_cost": [0.1, 100.0]}),
    "budget": (AlertBudgetThreshold(per=10), {"rule__budget": [0.5, 5]}),
    "sigma": (SigmaThreshold(), {"rule__k": [0.5, 2]}),
    "mad": (MADThreshold(), {"rule__k": [0.5, 3]}),
    "iqr": (IQRThreshold(), {"rule__k": [0.1, 1.5]}),
    "pot": (POTThreshold(level=0.7), {"rule__risk": [1e-6, 0.25]}),
    "conformal": (ConformalThreshold(), {"rule__alpha": [0.1, 0.5]}),
}


@pytest.mark.parametrize(("rule", "grid"), SEARCHED.values(), ids=SEARCHED)
def test__rule__parameters_searched__reach_the_rule(rule, grid):
    X = np.random.default_rng(6).normal(size=(90, 4)) * [3, 2, 0.2, 0.2]
    y = np.repeat([0, 1], [75, 15])
    X[y == 1, 2:] += np.random.default_rng(7).normal(size=(15, 2))
    search = GridSearchCV(
        TunedThresholdDetector(LinearAutoencoder(2), rule, cv=0.5, random_state=0),
        grid,
        scoring=make_outlier_scorer("balanced_accuracy"),
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
        error_score="raise",
    ).fit(X, y)
    ((name, best),) = search.best_params_.items()
    learnt_rule = search.best_estimator_.rule_
    assert getattr(learnt_rule, name.removeprefix("rule__")) == best
    assert search.best_estimator_.offset_ == learnt_rule.threshold_
    assert len(set(search.cv_results_["mean_test_score"])) == 2


def test__tuned__p_values__those_of_the_rule_for_the_scores(counting):
    tuned = TunedThresholdDetector(counting, ConformalThreshold(0.1), cv="prefit")
    with pytest.raises(NotFittedError):
        tuned.p_values(ROWS)
    tuned.fit(ROWS)
    new = np.array([[-9.5], [-1.0], [3.0]])
    for adjust in (None, "bh", "by"):
        np.testing.assert_array_equal(
            tuned.p_values(new, adjust=adjust),
            tuned.rule_.p_values(new[:, 0], adjust=adjust),
        )
    np.testing.assert_array_equal(
        tuned.predict(new) == -1, tuned.p_values(new) <= tuned.rule_.alpha
    )


@pytest.mark.parametrize(
    "rule", [rule for rule in [*RULES, None] if not hasattr(rule, "p_values")], ids=repr
)
def test__tuned__rule_without_p_values__has_none(rule, counting):
    tuned = TunedThresholdDetector(counting, rule, cv="prefit")
    assert not hasattr(tuned, "p_values")
    assert not hasattr(tuned.fit(ROWS, IS_ANOMALY), "p_values")


def test__tuned__threshold_kept__no_p_values(counting):
    tuned = TunedThresholdDetector(counting, ConformalThreshold(0.1)).fit(ROWS)
    assert not hasattr(tuned, "rule_")
    assert not hasattr(tuned, "p_values")


EVENTS = AlertBudgetThreshold(2, per=10, count="events")


@pytest.mark.parametrize(
    ("cv", "y"),
    [
        (0.5, None),
        (KFold(3, shuffle=True, random_state=0), None),
        (StratifiedKFold(3), IS_ANOMALY),
        (3, IS_ANOMALY),
        ([(np.arange(1, 43, 2), np.arange(0, 43, 2))], None),
    ],
    ids=["share", "shuffled", "stratified", "stratified-int", "every-other"],
)
def test__tuned__rule_counts_events_but_order_is_lost__refused(cv, y, counting):
    tuned = TunedThresholdDetector(clone(counting), clone(EVENTS), cv=cv)
    with pytest.raises(ValueError, match=r"needs the scores of consecutive rows"):
        tuned.fit(ROWS, y)
    tuned.set_params(rule__count="rows").fit(ROWS, y)


@pytest.mark.parametrize("cv", [3, KFold(3)], ids=["int", "KFold"])
def test__tuned__rule_counts_events_in_order__scores_in_order(cv, counting):
    tuned = TunedThresholdDetector(clone(counting), EVENTS, cv=cv).fit(ROWS)
    assert tuned.offset_ == clone(EVENTS).fit(ROWS).threshold_
