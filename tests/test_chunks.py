"""Tables in chunks: the scores of the whole table, bit for bit."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import FAST
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skad import (
    DetectorUnion,
    FixedThresholdDetector,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    MLPAutoencoder,
    PerSeriesDetector,
    SlidingWindow,
    TableReader,
    TimeSeriesImputer,
    WindowedDetector,
    score_chunks,
    sensor_pipeline,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FOREST = IsolationForest(n_estimators=5, random_state=0)
INNER = {
    "linear": LinearAutoencoder(3),
    "nearest": LocallyLinearAutoencoder(1),
    "net": MLPAutoencoder((6,), 2, **FAST),
    "forest": FOREST,
    "outlier factor": LocalOutlierFactor(5, novelty=True),
}


def one_series(n_rows, seed, *, missing=0.1):
    """Three sensors with gaps in time, silent stretches, and an end without values."""
    rng = np.random.default_rng(seed)
    steps = np.ones(n_rows)
    steps[rng.integers(1, n_rows, 2)] = 100
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum(steps), unit="min")
    t = np.arange(n_rows)
    noise = 0.1 * rng.normal(size=(2, n_rows))
    X = np.column_stack([np.sin(t / 7), np.cos(t / 5) + noise[0], noise[1]])
    X[rng.random(X.shape) < missing] = np.nan
    silent = rng.integers(0, n_rows - 60)
    X[silent : silent + 50, 1] = np.nan
    X[-25:, 2] = np.nan
    return pd.DataFrame(X, time, list("abc"))


def table(n_rows, seed, kind):
    """Make one series, or two that stand one after the other, or take turns."""
    if kind == "one":
        return one_series(n_rows, seed)
    parts = {name: one_series(n_rows // 2, seed + at) for at, name in enumerate("pq")}
    both = pd.concat(parts, names=["series", "time"])
    return both.sort_index(level="time", kind="stable") if kind == "turns" else both


def later(X, train):
    """Let the times of a table go on after those of another, with missing values."""
    times = X.index.get_level_values(-1)
    shift = train.index.get_level_values(-1).max() - times.min() + pd.Timedelta("1min")
    X = X.copy()
    levels = [X.index.get_level_values(k) for k in range(X.index.nlevels - 1)]
    moved = [*levels, times + shift]
    X.index = pd.MultiIndex.from_arrays(moved) if levels else moved[0]
    X.iloc[:6, 0] = np.nan
    return X


def cut(X, cuts):
    """Cut a table before some rows."""
    bounds = [0, *sorted({min(at, len(X)) for at in cuts}), len(X)]
    pairs = zip(bounds[:-1], bounds[1:], strict=True)
    return [X[first:stop] for first, stop in pairs if stop > first]


def assert_like_whole(estimator, X, chunks, **how):
    whole = pd.Series(estimator.score_samples(X), getattr(X, "index", None))
    scores = pd.concat(score_chunks(estimator, chunks, **how))
    assert len(scores) == len(whole)
    assert scores.index.is_unique
    np.testing.assert_array_equal(scores.reindex(whole.index), whole)
    return scores


def pipeline_of(detector, **imputer):
    steps = TimeSeriesImputer(**imputer), StandardScaler(), detector
    return make_pipeline(*steps).set_output(transform="pandas")


CASES = st.fixed_dictionaries(
    {
        "inner": st.sampled_from(sorted(INNER)),
        "length": st.integers(3, 30),
        "stride": st.integers(1, 3),
        "level": st.sampled_from(["window", "timestep"]),
        "aggregate": st.sampled_from(["mean", "median", "max", "last"]),
        "kind": st.sampled_from(["one", "stacked", "turns"]),
        "wrapper": st.sampled_from(["none", "union", "per series"]),
        "method": st.sampled_from(["ffill", "bfill", "linear", "time"]),
        "limit": st.sampled_from([None, 2, 9]),
        "carry_tail": st.booleans(),
        "seed": st.integers(0, 99),
    }
)


@settings(max_examples=30)
@given(case=CASES, cuts=st.lists(st.integers(0, 800), max_size=12))
def test_chunks__any_pipeline_and_cuts(case, cuts):
    inner = INNER[case["inner"]]
    level = case["level"] if hasattr(inner, "score_timesteps") else "window"
    how = {"stride": case["stride"], "contamination": 0.1}
    detector = WindowedDetector(
        inner, case["length"], level=level, aggregate=case["aggregate"], **how
    )
    if case["wrapper"] == "union":
        other = WindowedDetector(LinearAutoencoder(2), 2 * case["length"], **how)
        detector = DetectorUnion([("a", detector), ("b", other)], contamination=0.1)
    names = ("method", "limit", "carry_tail")
    estimator = pipeline_of(detector, **{name: case[name] for name in names})
    if case["wrapper"] == "per series":
        estimator = PerSeriesDetector(estimator)
    train = table(400, case["seed"], case["kind"])
    X = later(table(800, case["seed"] + 5, case["kind"]), train)
    assert_like_whole(estimator.fit(train), X, cut(X, cuts))


@pytest.mark.parametrize("method", ["ffill", "bfill", "linear", "time"])
def test_chunks__of_one_row(method):
    train = table(300, 0, "turns")
    X = later(table(400, 1, "turns"), train)
    detector = WindowedDetector(LinearAutoencoder(2), 8, contamination=0.1)
    estimator = pipeline_of(detector, method=method, carry_tail=True).fit(train)
    assert_like_whole(estimator, X, cut(X, range(len(X))))


@pytest.mark.parametrize("size", [1, 63, 64, 65, 1000, 5000])
def test_chunks__long_table_in_pieces_of_any_size(size):
    X = one_series(9000 if size > 1 else 1500, 0, missing=0)
    X = X.ffill().fillna(0.0)
    detector = WindowedDetector(LinearAutoencoder(3), 20, stride=3).fit(X[:800])
    chunks = cut(X, range(0, len(X), size))
    found = [*score_chunks(detector, chunks)]
    if 1 < size < 5000:
        assert len(found) > 3, "all rows were kept to the end"
    np.testing.assert_array_equal(pd.concat(found), detector.score_samples(X))


def test_chunks__arrays_are_numbered_on():
    X = one_series(700, 0).fillna(0.0).to_numpy()
    detector = WindowedDetector(LinearAutoencoder(3), 20).fit(X)
    scores = assert_like_whole(detector, X, cut(X, [10, 11, 500]))
    np.testing.assert_array_equal(scores.index, np.arange(700))


def test_chunks__frames_without_index_are_numbered_on():
    X = one_series(700, 0).fillna(0.0).reset_index(drop=True)
    detector = WindowedDetector(LinearAutoencoder(3), 20).fit(X)
    chunks = [part.reset_index(drop=True) for part in cut(X, [10, 11, 500])]
    assert_like_whole(detector, X, chunks)


@pytest.mark.parametrize("kind", ["one", "stacked", "turns"])
def test_chunks__columns_of_time_and_series(kind):
    X = table(600, 0, kind).fillna(0.0)
    detector = WindowedDetector(LinearAutoencoder(3), 20).fit(X)
    names = {"time": "time", "series": None if kind == "one" else "series"}
    columns = X.rename_axis([*["series"] * (kind != "one"), "time"]).reset_index()
    chunks = [pl.from_pandas(part) for part in cut(columns, [7, 300])]
    whole = pd.Series(detector.score_samples(X), X.index)
    scores = pd.concat(score_chunks(detector, chunks, **names))
    np.testing.assert_array_equal(scores.reindex(whole.index), whole)


def test_chunks__raw_tables_of_a_sensor_pipeline():
    X = table(800, 0, "stacked").rename_axis(["pump", "when"]).reset_index()
    X["when"] = X["when"].dt.strftime("%d/%m/%Y %H:%M")
    estimator = sensor_pipeline(time="when", series="pump", window=10, missing=[-99])
    estimator.fit(X)
    whole = estimator.score_samples(X)
    scores = pd.concat(score_chunks(estimator, cut(X, [1, 2, 350, 700]), labels=True))
    rows = estimator[0].transform(X).index
    np.testing.assert_array_equal(scores.loc[rows, "score"], whole)
    np.testing.assert_array_equal(scores.loc[rows, "label"], estimator.predict(X))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one, X: FixedThresholdDetector(one, -1.0).fit(X),
        lambda one, X: FrozenEstimator(one.fit(X)),
        lambda one, X: GridSearchCV(
            one,
            {"timeseriesimputer__limit": [None, 2]},
            scoring=lambda estimator, X, y=None: 0.0,
            cv=2,
        ).fit(X),
    ],
)
def test_chunks__wrappers_are_seen_through(wrap):
    X = one_series(500, 0)
    detector = WindowedDetector(LinearAutoencoder(3), 10, contamination=0.1)
    estimator = wrap(pipeline_of(detector), X)
    scores = pd.concat(score_chunks(estimator, cut(X, [100, 333]), labels=True))
    np.testing.assert_array_equal(scores["score"], estimator.score_samples(X))
    np.testing.assert_array_equal(scores["label"], estimator.predict(X))


def test_chunks__detector_of_rows():
    X = one_series(500, 0).fillna(0.0)
    forest = make_pipeline(StandardScaler(), FOREST).fit(X)
    assert_like_whole(forest, X, cut(X, [1, 100, 333]))


def test_chunks__of_new_series_go_to_the_pool():
    train, X = table(400, 0, "stacked"), table(400, 1, "stacked")
    X = X.rename(index={"q": "new"}, level=0)
    inner = WindowedDetector(LinearAutoencoder(2), 8, contamination=0.1)
    detector = PerSeriesDetector(pipeline_of(inner), new_series="pool").fit(train)
    assert_like_whole(detector, X, cut(X, [30, 250]))


def test_chunks__warnings_are_given_once():
    X = one_series(300, 0).fillna(0.0)
    detector = WindowedDetector(LinearAutoencoder(3), 10, contamination=0.1).fit(X)
    index = pd.date_range("2030", periods=300, freq="5D")  # each row a segment
    with pytest.warns(UserWarning, match="padded") as record:
        list(score_chunks(detector, cut(X.set_axis(index), [100, 200])))
    assert len(record) == 1


# Refused ------------------------------------------------------------------------------


def test_chunks__a_table_is_no_chunks():
    X = one_series(300, 0).fillna(0.0)
    detector = WindowedDetector(LinearAutoencoder(3), 10, contamination=0.1).fit(X)
    for wrong in (X, X.to_numpy(), pl.from_pandas(X)):
        with pytest.raises(TypeError, match="a single table"):
            score_chunks(detector, wrong)


def test_chunks__time_goes_back():
    X = one_series(300, 0)
    detector = WindowedDetector(LinearAutoencoder(3), 10, contamination=0.1)
    for estimator in (
        pipeline_of(detector).fit(X),
        pipeline_of(FOREST).fit(X),
    ):
        with pytest.raises(ValueError, match="must increase|goes back"):
            list(score_chunks(estimator, [X[100:], X[:100]]))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (
            make_pipeline(SlidingWindow(5), LinearAutoencoder(2)),
            "SlidingWindow makes a row from those around",
        ),
        (
            make_pipeline(TableReader(every="5min"), FOREST),
            "every='5min'",
        ),
        (
            make_pipeline(make_pipeline(TimeSeriesImputer(), StandardScaler()), FOREST),
            "TimeSeriesImputer makes a row",
        ),
        (
            DetectorUnion(
                [
                    (
                        "one",
                        make_pipeline(
                            TimeSeriesImputer(),
                            WindowedDetector(LinearAutoencoder(2), 5),
                        ),
                    )
                ]
            ),
            "put it before the union",
        ),
        (
            DetectorUnion(
                [
                    ("a", WindowedDetector(LinearAutoencoder(2), 5)),
                    ("b", WindowedDetector(LinearAutoencoder(2), 5, max_gap="1h")),
                ]
            ),
            "expected the same max_gap",
        ),
    ],
)
def test_chunks__steps_that_need_the_rows_around(estimator, message):
    X = one_series(300, 0).fillna(0.0)
    for part in [estimator, *estimator.get_params().values()]:
        if hasattr(part, "set_output"):
            part.set_output(transform="pandas")
    estimator.fit(X)
    with pytest.raises(ValueError, match=message):
        score_chunks(estimator, [X])


def test_chunks__a_column_is_lacking():
    X = one_series(300, 0).fillna(0.0)
    detector = WindowedDetector(LinearAutoencoder(3), 10, contamination=0.1).fit(X)
    with pytest.raises(ValueError, match="no columns \\['when'\\]"):
        list(score_chunks(detector, [X], time="when"))
    reads = make_pipeline(TableReader(), detector).fit(X)
    with pytest.raises(ValueError, match="TableReader, which has its own"):
        score_chunks(reads, [X], time="when")


def test_chunks__step_that_loses_the_index():
    X = table(600, 0, "stacked").fillna(0.0)
    to_array = FunctionTransformer(np.asarray)
    estimator = make_pipeline(to_array, WindowedDetector(LinearAutoencoder(2), 8))
    estimator.fit(X)  # as one series
    with pytest.raises(ValueError, match="has lost the index"):
        list(score_chunks(estimator, [X]))
    one = X.loc["p"]
    assert_like_whole(estimator.fit(one), one, cut(one, [50, 60]))
