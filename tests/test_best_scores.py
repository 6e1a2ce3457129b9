"""Best and composite F-beta: against slow loops, scikit-learn, and bad input."""

import naive_metrics
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from test_events import signs, tables, undefined

from skad import best_fbeta_score, composite_fbeta_score

betas = st.sampled_from([0.5, 1, 2])


@given(table=tables(), beta=betas)
def test_composite_is_that_of_a_loop(table, beta):
    truth, judged, index, max_gap, segments = table
    where = {"index": index, "max_gap": max_gap}
    found = composite_fbeta_score(signs(truth), signs(judged), beta=beta, **where)
    expected = naive_metrics.composite_fbeta(truth, judged, segments, beta)
    assert found == pytest.approx(undefined(expected), nan_ok=True)


@given(
    table=tables(),
    beta=betas,
    recall=st.sampled_from(["rows", "events"]),
    data=st.data(),
)
def test_best_is_that_of_a_loop_over_thresholds(table, beta, recall, data):
    truth, _, index, max_gap, segments = table
    values = data.draw(st.sampled_from([st.floats(-1e300, 1e300), st.integers(0, 4)]))
    scores = data.draw(st.lists(values, min_size=len(truth), max_size=len(truth)))
    metric = {
        "rows": naive_metrics.row_fbeta,
        "events": naive_metrics.composite_fbeta,
    }[recall]
    expected = naive_metrics.best_fbeta(truth, scores, segments, beta, metric)
    options = {"beta": beta, "recall": recall, "index": index, "max_gap": max_gap}
    found = best_fbeta_score(signs(truth), scores, **options)
    assert found == pytest.approx(undefined(expected), nan_ok=True)


def test_best_is_never_below_that_of_flagging_all():
    rng = np.random.default_rng(0)
    y = rng.random(2000) < 0.2
    y[:2] = 0, 1
    flag_all = f1_score(y, np.ones(2000))
    for scores in (np.zeros(2000), -y.astype(float), rng.random(2000)):
        assert best_fbeta_score(y, scores) == pytest.approx(flag_all, abs=0.02)
        assert best_fbeta_score(y, scores) >= flag_all - 1e-12
        value = composite_fbeta_score(y, rng.random(2000) < 0.9)
        assert value == pytest.approx(flag_all, abs=0.04)
    assert best_fbeta_score(y, y) == 1


def test_nothing_true_or_predicted():
    assert np.isnan(composite_fbeta_score([0, 0], [0, 0]))
    assert composite_fbeta_score([0, 0], [0, 0], zero_division=1) == 1.0
    assert composite_fbeta_score([0, 0], [0, 1]) == 0.0
    assert composite_fbeta_score([0, 1], [0, 0]) == 0.0
    assert composite_fbeta_score([0, 1, 0], [0, 0, 1]) == 0.0
    assert np.isnan(best_fbeta_score([0, 0], [1, 2]))
    assert best_fbeta_score([0, 0], [1, 2], zero_division=0) == 0.0
    assert best_fbeta_score([-1, -1], [1, 2]) == 1.0


@pytest.mark.parametrize(
    ("metric", "args", "kwargs", "message"),
    [
        (best_fbeta_score, ([0, 1], [0, np.nan]), {}, "y_score contains NaN"),
        (best_fbeta_score, ([0, 1], [0, np.inf]), {}, "y_score contains infinity"),
        (best_fbeta_score, ([0, 1], [0, 1, 2]), {}, "inconsistent numbers of samples"),
        (best_fbeta_score, ([], []), {}, "no rows"),
        (best_fbeta_score, ([0, 1], [0, 1]), {"recall": "all"}, "recall='all'"),
        (best_fbeta_score, ([0, 1], [0, 1]), {"beta": -1}, "beta=-1"),
        (composite_fbeta_score, ([0, 1], [0, 1]), {"beta": "1"}, "beta='1'"),
        (composite_fbeta_score, ([0, 1], [0, 2]), {}, "y_pred holds the labels 0, 2"),
    ],
)
def test_best_scores_refuse(metric, args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        metric(*args, **kwargs)
