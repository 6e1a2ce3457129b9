"""The score of the Numenta Anomaly Benchmark: against a loop over rows."""

import naive_metrics
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_events import in_series, signs, tables, undefined

from skad import nab_score


@given(
    table=tables(60),
    profile=st.sampled_from(list(naive_metrics.PROFILES)),
    probation=st.sampled_from([0, 0.15, 0.5]),
)
def test_score_is_that_of_a_loop(table, profile, probation):
    truth, judged, index, max_gap, segments = table
    own = [0] * len(truth)
    if isinstance(index, pd.MultiIndex):
        own = index.get_level_values(0).tolist()
    series = [[s for s in segments if own[s[0]] == name] for name in sorted(set(own))]
    expected = naive_metrics.nab(truth, judged, series, profile, probation)
    options = {"profile": profile, "probation": probation, "max_gap": max_gap}
    found = nab_score(signs(truth), signs(judged), index=index, **options)
    assert found == pytest.approx(undefined(expected), nan_ok=True)
    assert np.isnan(found) or found <= 100 + 1e-9


def test_first_rows_pay_most():
    y = np.repeat([0, 1, 0], [50, 20, 50])
    row = np.arange(120)
    at = [nab_score(y, row == place) for place in range(50, 70)]
    assert at[0] == 100
    assert (np.diff(at) < 0).all()
    assert at[-1] > 50  # a missed window costs as much as a found one brings
    assert nab_score(y, np.zeros(120)) == 0
    after = [nab_score(y, row == place) for place in range(70, 120)]
    assert (np.diff(after) <= 0).all()
    assert after[0] == pytest.approx(100 / 2 * 0.11 * np.tanh(-5 / 19 / 2))
    assert after[-1] == pytest.approx(100 / 2 * 0.11 * -np.tanh(5 * 50 / 19 / 2))


def test_profiles_weigh_alarms_and_misses():
    y = np.repeat([0, 1, 0, 1, 0], [50, 20, 50, 20, 60])
    false = np.isin(np.arange(200), [30, 50])
    standard, low_fp, low_fn = (
        nab_score(y, false, profile=p) for p in naive_metrics.PROFILES
    )
    assert low_fp < standard
    assert low_fn == pytest.approx(100 * (1 - 0.11 - 2 + 4) / 6)
    assert standard == pytest.approx(100 * (1 - 0.11 - 1 + 2) / 4)


def test_probation_is_that_of_each_series():
    index = in_series(100, 100)
    y = np.isin(np.arange(200) % 100, range(40, 50)).astype(int)
    early = np.isin(np.arange(200), [3, 103])
    assert nab_score(y, early, index=index) == 0
    assert nab_score(y, early) < 0
    assert nab_score(y, early, index=index, probation=0) == pytest.approx(-11 / 2)
    long = np.zeros(20_000)
    long[10_000:10_010] = 1
    assert nab_score(long, np.arange(20_000) == 749) == 0
    assert nab_score(long, np.arange(20_000) == 750) == pytest.approx(-11 / 2)


def test_nothing_true_or_predicted():
    assert np.isnan(nab_score([0, 0], [0, 1]))
    assert nab_score([0, 0], [0, 1], zero_division=0) == 0
    y = np.arange(100) < 10  # ends within the probation
    assert np.isnan(nab_score(y, y))
    assert nab_score(y, y, probation=0) == 100
    assert nab_score([-1, -1], [-1, -1]) == 100


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"profile": "low"}, "profile='low'; expected one of 'standard'"),
        ({"profile": None}, "profile=None"),
        ({"probation": 1}, "probation=1; expected a share from 0 to below 1"),
        ({"probation": "0.15"}, "probation='0.15'"),
        ({"probation": np.nan}, "probation=nan"),
        ({"index": [1, 1, 2]}, "is there twice"),
    ],
)
def test_score_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        nab_score([0, 1, 1], [0, 0, 1], **kwargs)
