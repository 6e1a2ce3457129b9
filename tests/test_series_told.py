"""Series that fit was told of and scoring is not: never bridged in silence."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    DetectorUnion,
    FixedThresholdDetector,
    LinearAutoencoder,
    SlidingWindow,
    TimeSeriesImputer,
    WindowedDetector,
    drift_report,
    expected_values,
    explain,
    load,
    save,
)

TIME = pd.date_range("2024-01-01", periods=60, freq="min")
INDEX = pd.MultiIndex.from_product([["a", "b"], TIME], names=["machine", "time"])
SERIES = np.repeat(["a", "b"], 60)
WINDOWED = WindowedDetector(LinearAutoencoder(2), 5)
NOT_GIVEN = "series was given to fit, but is not given with these rows"
NOT_NAMED = "fit named the series, but that of this table does not"
ONE_SERIES = "all rows are taken for those of one series"


def values(n_rows=120):
    t = np.arange(n_rows)[:, None] + [0, 3, 7]
    return np.sin(t / 5) + 0.1 * np.random.default_rng(0).normal(size=t.shape)


def panel(index=INDEX):
    return pd.DataFrame(values(len(index)), index, columns=list("xyz"))


def clone_of(detector, X, **params):
    return pickle.loads(pickle.dumps(detector)).fit(X, **params)


CALLS = {
    "score_samples": lambda d, X: d.score_samples(X),
    "decision_function": lambda d, X: d.decision_function(X),
    "predict": lambda d, X: d.predict(X),
    "method explain": lambda d, X: d.explain(X),
    "explain": explain,
    "expected_values": expected_values,
    "drift_report": drift_report,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("X", [values(), panel(TIME.append(TIME + pd.Timedelta("1D")))])
def test_array_of_series_in_fit_alone__is_refused(call, X):
    detector = clone_of(WINDOWED, X, series=SERIES)
    with pytest.raises(ValueError, match=NOT_GIVEN):
        call(detector, X)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("later", [values(), panel().reset_index(drop=True)])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_index_of_series_in_fit_alone__is_refused(call, later):
    detector = clone_of(WINDOWED, panel())
    with pytest.raises(ValueError, match=NOT_NAMED):
        call(detector, later)


def test_array_beside_an_index__is_needed_again():
    halves = np.tile(np.repeat([1, 2], 30), 2)
    detector = clone_of(WINDOWED, panel(), series=halves)
    with pytest.raises(ValueError, match=NOT_GIVEN):
        detector.score_samples(panel())
    with pytest.raises(ValueError, match=NOT_NAMED):
        detector.score_samples(panel().droplevel(0)[:60], series=halves[:60])
    assert detector.score_samples(panel(), series=halves).shape == (120,)


def test_series_told_in_the_other_way__are_equal():
    by_array = clone_of(WINDOWED, values(), series=SERIES)
    with pytest.raises(ValueError, match=NOT_GIVEN):
        by_array.score_samples(values())
    frame = panel(pd.MultiIndex.from_product([["a", "b"], np.arange(60)]))
    by_index = clone_of(WINDOWED, frame)
    expected = by_index.score_samples(frame)
    np.testing.assert_array_equal(
        by_index.score_samples(frame.droplevel(0).iloc[:60], series=SERIES[:60]),
        expected[:60],
    )


def test_series_told_of_at_scoring_alone__are_taken():
    detector = clone_of(WINDOWED, values())
    assert detector.score_samples(values(), series=SERIES).shape == (120,)


TABLES = {
    "windowed": WINDOWED,
    "sliding": make_pipeline(SlidingWindow(4), LinearAutoencoder(2)),
    "imputer": make_pipeline(TimeSeriesImputer(), LinearAutoencoder(2)),
    "pipeline": make_pipeline(
        TimeSeriesImputer(), StandardScaler(), WINDOWED
    ).set_output(transform="pandas"),
    "union": DetectorUnion(
        [("a", WINDOWED), ("b", WindowedDetector(LinearAutoencoder(1), 8))]
    ),
    "wrapper": FixedThresholdDetector(WINDOWED, threshold=-1.0),
}


@pytest.mark.parametrize("detector", TABLES.values(), ids=TABLES)
def test_rows_of_one_machine__are_taken_for_one_series_with_a_warning(detector):
    detector = clone_of(detector, panel())
    alone = panel().loc["b"]
    with pytest.warns(UserWarning, match=ONE_SERIES):
        scores = detector.score_samples(alone)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = detector.score_samples(panel().loc[["b"]])
    np.testing.assert_array_equal(scores, named)


@pytest.mark.parametrize("detector", TABLES.values(), ids=TABLES)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_arrays_after_an_index_of_series__are_refused(detector):
    detector = clone_of(detector, panel())
    with pytest.raises(ValueError, match=NOT_NAMED):
        detector.predict(values())


def test_what_fit_was_told__is_kept_in_files(tmp_path):
    detector = clone_of(WINDOWED, values(), series=SERIES)
    save(detector, tmp_path / "detector.skad")
    for copy in (
        load(tmp_path / "detector.skad"),
        pickle.loads(pickle.dumps(detector)),
    ):
        with pytest.raises(ValueError, match=NOT_GIVEN):
            copy.score_samples(values())


def test_refit_without_series__forgets_them():
    detector = clone_of(WINDOWED, values(), series=SERIES).fit(values())
    assert detector.score_samples(values()).shape == (120,)


@pytest.mark.parametrize("routing", [False, True])
def test_rows_that_a_union_leaves_out__are_no_series(routing):
    y = np.where(np.arange(120) // 10 == 4, 1, 0)
    members = [
        ("plain", WINDOWED),
        ("piped", make_pipeline(StandardScaler(), WINDOWED)),
    ]
    union = DetectorUnion(members, normal_label=0)
    with config_context(enable_metadata_routing=routing):
        union.fit(values(), y)
        assert union.score_samples(values()).shape == (120,)
