"""Threshold rules: against trying every threshold, and what all rules promise."""

import math
import pickle

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from instances import RULES
from sklearn.base import clone
from sklearn.metrics import fbeta_score

from skad import FBetaThreshold, QuantileThreshold

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
    with pytest.raises(ValueError, match="at least one of each"):
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
    with pytest.raises(ValueError, match="1d"):
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
    assert n_below == math.ceil(quantile * (len(scores) - 1))


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


# What every rule promises

rules = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)


def fitted(rule, scores=None, y=None):
    scores = LABELLED[0] if scores is None else scores
    return clone(rule).fit(scores, LABELLED[1] if y is None else y)


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
    changed = dict.fromkeys(params, 0.25)
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
    learnt = set(vars(rule)) - set(params)
    assert "threshold_" in learnt
    assert all(name.endswith("_") for name in learnt)
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


@rules
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
    low = fitted(rule, [-greatest, 0.0, greatest], [1, 0, 0])
    assert -greatest <= low.threshold_ <= 0 or low.threshold_ == -np.inf
    above_all = fitted(rule, [greatest, -greatest, -greatest], [1, 0, 0])
    assert not np.isnan(above_all.threshold_)


@rules
def test__rule__refit__forgets(rule):
    rule = fitted(rule)
    rule.fit([-90.0, -80.0, -30.0], [1, 1, 0])
    again = fitted(rule, [-90.0, -80.0, -30.0], [1, 1, 0])
    assert vars(rule) == vars(again)


@rules
def test__rule__pickle__same_threshold(rule):
    rule = fitted(rule)
    loaded = pickle.loads(pickle.dumps(rule))
    assert vars(loaded) == vars(rule)


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
    ],
    ids=repr,
)
def test__rule__bad_parameter__refused_in_fit(rule):
    with pytest.raises(ValueError, match=f"of {type(rule).__name__} must be"):
        rule.fit(*LABELLED)
