"""Rows scored as they come: the scores of the whole table, bit for bit."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import FAST
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from test_chunks import cut, later, one_series, pipeline_of, table

from skad import (
    ConvAutoencoder,
    DetectorUnion,
    FixedThresholdDetector,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    LSTMAutoencoder,
    MLPAutoencoder,
    PerSeriesDetector,
    SlidingWindow,
    StreamScorer,
    TableReader,
    TimeSeriesImputer,
    WindowedDetector,
    WindowNormalizer,
    drift_report,
    explain,
    load,
    save,
    sensor_pipeline,
)
from skad.scale._path import cutters, path_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FOREST = IsolationForest(n_estimators=5, random_state=0)
INNER = {
    "linear": LinearAutoencoder(3),
    "linear, hybrid": LinearAutoencoder(3, error_model="hybrid"),
    "linear, mahalanobis": LinearAutoencoder(3, error_model="mahalanobis"),
    "nearest": LocallyLinearAutoencoder(3),
    "net": MLPAutoencoder((7,), 3, **FAST),
    "plain net": MLPAutoencoder((9, 5), 2, linear_path=None, **FAST),
    "convolutions": ConvAutoencoder((3, 4), 3, 2, **FAST),
    "lstm": LSTMAutoencoder(3, latent_dim=2, **FAST),
    "pipeline": make_pipeline(WindowNormalizer(), LinearAutoencoder(3)),
    "forest": FOREST,
}


def as_last(estimator):
    """Return a copy of a fitted estimator that scores rows by their last windows."""
    copied = copy.deepcopy(estimator)
    found = [copied]
    while found:
        one = found.pop()
        if isinstance(one, WindowedDetector) and hasattr(one, "offset_"):
            vars(one).update(aggregate="last")
            vars(one).get("_fit_params_", {}).update(aggregate="last")
        inside = vars(one).values() if hasattr(one, "__dict__") else []
        for value in inside:
            values = value.values() if isinstance(value, dict) else [value]
            for item in values:
                many = item if isinstance(item, list | tuple) else [item]
                for part in many:
                    part = (
                        part[1] if isinstance(part, tuple) and len(part) > 1 else part
                    )
                    if hasattr(part, "get_params"):
                        found.append(part)
    return copied


def whole(estimator, X, length, *, max_gap=None):
    """Scores of a table by the slow way; NaN where they would look ahead."""
    scores = pd.Series(as_last(estimator).score_samples(X), index_of(X), name="score")
    names = index_of(X).droplevel(-1) if index_of(X).nlevels > 1 else [0] * len(X)
    times = index_of(X).get_level_values(-1)
    last, count = {}, {}
    for row, (name, time) in enumerate(zip(names, times, strict=True)):
        is_gap = name in last and max_gap is not None and time - last[name] > max_gap
        count[name] = 1 if is_gap else count.get(name, 0) + 1
        last[name] = time
        if count[name] < length:
            scores.iloc[row] = np.nan
    return scores


def index_of(X):
    return X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(X))


def assert_like_whole(estimator, X, parts, length, *, max_gap=None, **how):
    expected = whole(estimator, X, length, max_gap=max_gap)
    stream = StreamScorer(estimator, **how)
    found = pd.concat([stream.update(part) for part in parts])
    assert found.notna().any()
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())
    assert found.index.equals(expected.index)
    return stream


def windowed(inner=None, length=10, **params):
    inner = LinearAutoencoder(3) if inner is None else inner
    return WindowedDetector(
        clone(inner), length, **({"aggregate": "last", "contamination": 0.1} | params)
    )


CASES = st.fixed_dictionaries(
    {
        "inner": st.sampled_from(sorted(INNER)),
        "length": st.integers(5, 30),
        "level": st.sampled_from(["window", "timestep"]),
        "aggregate": st.sampled_from(["mean", "last"]),
        "kind": st.sampled_from(["one", "stacked", "turns"]),
        "wrapper": st.sampled_from(["none", "union", "per series"]),
        "limit": st.sampled_from([None, 2, 9]),
        "carry_tail": st.booleans(),
        "add_indicator": st.booleans(),
        "scaler": st.sampled_from([StandardScaler(), MinMaxScaler(), PCA(3)]),
        "seed": st.integers(0, 99),
    }
)


@settings(max_examples=40)
@given(case=CASES, cuts=st.lists(st.integers(0, 300), max_size=40))
def test_stream__any_pipeline_and_cuts(case, cuts):
    inner, length = INNER[case["inner"]], case["length"]
    level = case["level"] if hasattr(inner, "score_timesteps") else "window"
    detector = windowed(inner, length, level=level, aggregate=case["aggregate"])
    longest = length
    if case["wrapper"] == "union":
        longest = 2 * length
        other = windowed(LinearAutoencoder(2), longest)
        scaled = make_pipeline(StandardScaler(), windowed(LinearAutoencoder(2), 5))
        scaled.set_output(transform="pandas")
        members = [("a", detector), ("b", other), ("c", scaled)]
        detector = DetectorUnion(members, weights={"b": 2.0}, gates={"a": 0.5})
        detector.set_params(contamination=0.1)
    names = ("limit", "carry_tail", "add_indicator")
    imputer = TimeSeriesImputer(max_gap="5min", **{name: case[name] for name in names})
    steps = imputer, clone(case["scaler"]), detector
    estimator = make_pipeline(*steps).set_output(transform="pandas")
    if case["wrapper"] == "per series":
        estimator = PerSeriesDetector(estimator)
    train = table(400, case["seed"], case["kind"])
    X = later(table(300, case["seed"] + 5, case["kind"]), train)
    # a product of matrices of others rounds by its number of rows
    if isinstance(case["scaler"], PCA):
        cuts = []
    gap = pd.Timedelta("5min")
    assert_like_whole(estimator.fit(train), X, cut(X, cuts), longest, max_gap=gap)


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("shape", [(100, 10), (33, 3), (17, 1)])
def test_stream__single_rows_of_any_detector(name, shape):
    length, n_channels = shape
    rng = np.random.default_rng(0)
    t = np.arange(700)[:, None] / np.linspace(3, 20, n_channels)
    X = np.sin(t) + 0.2 * rng.normal(size=(700, n_channels))
    detector = windowed(INNER[name], length).fit(X[:500])
    stream = StreamScorer(detector)
    found = [stream.update(row) for row in X[400:]]
    assert all(type(score) is float for score in found)
    np.testing.assert_array_equal(found, whole(detector, X[400:], length))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_stream__any_dtype(dtype):
    X = (100 * one_series(400, 0, missing=0).fillna(0)).to_numpy().astype(dtype)
    detector = windowed(INNER["net"]).fit(X)
    assert_like_whole(detector, X, cut(X, range(400)), 10)
    assert_like_whole(detector, X, cut(X, [3, 9, 10, 200]), 10)


# What rows may be ---------------------------------------------------------------------


def test_update__all_kinds_of_one_row_are_the_same():
    X = one_series(300, 0)
    estimator = pipeline_of(windowed()).fit(X)
    rows = X[100:130]
    kinds = {
        "array": rows.to_numpy(),
        "list": rows.to_numpy().tolist(),
        "dict": rows.to_dict("records"),
        "dict, another order": rows[["c", "a", "b"]].to_dict("records"),
        "Series": [row for _, row in rows.iterrows()],
    }
    told = {}
    for kind, given_rows in kinds.items():
        stream = StreamScorer(estimator)
        told[kind] = [stream.update(row) for row in given_rows]
        assert all(type(score) is float for score in told[kind])
        stream.reset()
        one = [stream.score_one(row) for row in given_rows]
        np.testing.assert_array_equal(one, told[kind])
    for kind in kinds:
        np.testing.assert_array_equal(told[kind], told["array"])
    assert np.isfinite(told["array"][9:]).all()


def test_update__arrays_are_numbered_on():
    X = one_series(300, 0).fillna(0.0).to_numpy()
    stream = StreamScorer(windowed().fit(X))
    stream.update(X[0])
    assert stream.update(X[1:5]).index.tolist() == [1, 2, 3, 4]
    assert stream.update(X[5], contributions=True).index.tolist() == [5]
    assert stream.update(X[:0]).empty


@pytest.mark.parametrize("kind", ["one", "turns"])
def test_update__columns_of_time_and_series(kind):
    X = table(400, 0, kind).fillna(0.0)
    detector = windowed().fit(X)
    expected = whole(detector, X, 10, max_gap=pd.Timedelta("5min"))
    levels = [*["series"] * (kind != "one"), "time"]
    columns = X.rename_axis(levels).reset_index()
    names = {"time": "time", "series": None if kind == "one" else "series"}
    stream = StreamScorer(detector, **names)
    found = [stream.update(pl.from_pandas(part)) for part in cut(columns, [7, 200])]
    np.testing.assert_array_equal(pd.concat(found), expected)
    stream.reset()
    found = [stream.update(row) for row in columns[:50].to_dict("records")]
    np.testing.assert_array_equal(found, expected[:50])


def test_update__raw_rows_of_a_sensor_pipeline():
    X = table(800, 0, "stacked").rename_axis(["pump", "when"]).reset_index()
    X["when"] = X["when"].dt.strftime("%d/%m/%Y %H:%M")
    estimator = sensor_pipeline(time="when", series="pump", window=10, missing=[-99])
    estimator.fit(X)
    rows = estimator[0].transform(X)
    length = max(one.window_length_ for one in cutters(path_of(estimator).detector))
    expected = whole(estimator[1:], rows, length, max_gap=pd.Timedelta("5min"))
    stream = StreamScorer(estimator)
    found = pd.concat([stream.update(part) for part in cut(X, [1, 2, 350, 700])])
    np.testing.assert_array_equal(found.loc[rows.index], expected)
    stream.reset()
    one = [stream.update(row) for row in X[:30].to_dict("records")]
    np.testing.assert_array_equal(one, expected[:30])


def test_update__steps_that_are_not_known():
    X = one_series(400, 0).fillna(0.0)
    wide = FunctionTransformer(lambda X: X.assign(d=X["a"] * X["b"]))
    estimator = make_pipeline(wide, StandardScaler(), windowed())
    estimator.set_output(transform="pandas").fit(X)
    gap = pd.Timedelta("5min")
    assert_like_whole(estimator, X, cut(X, [1, 2, 100]), 10, max_gap=gap)
    stream = StreamScorer(estimator)
    assert stream.update(X[:20], contributions=True).columns[-1] == "d"


def test_update__a_step_loses_the_index():
    X = one_series(400, 0)
    estimator = make_pipeline(TimeSeriesImputer(), StandardScaler(), windowed()).fit(X)
    assert_like_whole(estimator, X, cut(X, [1, 2, 100]), 10)  # no gap is seen
    several = table(400, 0, "stacked")
    with pytest.raises(ValueError, match="has lost the index"):
        StreamScorer(estimator).update(several)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one, X: FixedThresholdDetector(one, -1.0).fit(X),
        lambda one, X: FrozenEstimator(one.fit(X)),
        lambda one, X: one.fit(X),
    ],
)
def test_update__labels(wrap):
    X = one_series(400, 0)
    estimator = wrap(pipeline_of(windowed()), X)
    table = StreamScorer(estimator).update(X, labels=True)
    known = table["score"].notna()
    labels = estimator.predict(X)
    np.testing.assert_array_equal(table["label"][known], labels[known])
    assert (table["label"][~known] == 1).all()
    assert {*labels[known]} == {-1, 1}


@pytest.mark.parametrize("level", ["window", "timestep"])
@pytest.mark.parametrize("kind", ["one", "per series", "union"])
def test_update__contributions(level, kind):
    X = table(500, 0, "stacked")
    if kind == "per series":
        X.loc["p", "b"] = np.nan  # dropped there
    X = X.fillna({"a": 0.0, "c": 0.0})
    detector = windowed(level=level)
    if kind == "union":
        members = [("a", detector), ("b", windowed(length=20))]
        detector = DetectorUnion(members, contamination=0.1)
    estimator = pipeline_of(detector, max_missing=0.9)
    if kind == "per series":
        estimator = PerSeriesDetector(estimator)
    estimator.fit(X)
    stream = StreamScorer(estimator)
    parts = [stream.update(p, contributions=True) for p in cut(X, [1, 100, 101, 450])]
    found = pd.concat(parts)
    known = found.pop("score").notna()
    expected = explain(estimator, X)
    if kind == "per series":
        found = found.fillna({"b": 0.0})
    pd.testing.assert_frame_equal(
        found[known][expected.columns], expected[known], check_names=False
    )


def test_update__of_new_series_go_to_the_pool():
    train, X = table(400, 0, "stacked"), table(400, 1, "turns")
    X = X.rename(index={"q": "new"}, level=0)
    detector = PerSeriesDetector(pipeline_of(windowed()), new_series="pool").fit(train)
    gap = pd.Timedelta("5min")
    assert_like_whole(detector, X, cut(X, [30, 250]), 10, max_gap=gap)
    with pytest.raises(ValueError, match="were not there in fit"):
        StreamScorer(clone(detector).set_params(new_series="raise").fit(train)).update(
            X
        )


def test_update__detector_of_rows():
    X = one_series(300, 0)
    for inner in (FOREST, LinearAutoencoder(2, contamination=0.1)):
        estimator = pipeline_of(clone(inner)).fit(X)
        assert_like_whole(estimator, X, cut(X, [1, 2, 100]), 1)


# Refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda X: X[:10], "must increase"),
        (lambda X: X[19:20], "must increase"),
        (lambda X: X[20:30].iloc[::-1], "must increase"),
        (lambda X: X[20:22].iloc[[0, 0]], "must increase"),
        (lambda X: X[20:30].assign(a=np.nan), "contains NaN|missing"),
        (lambda X: X[20:30].assign(a=np.inf), "infin"),
        (lambda X: X[20:30].drop(columns="a"), "[Ff]eature"),
        (lambda X: X[20:30].rename(columns={"a": "z"}), "[Ff]eature"),
        (lambda X: X[20:30][["b", "a", "c"]], "[Ff]eature"),
        (lambda X: X[20:30].to_numpy()[:, :2], "features"),
        (lambda X: X.to_numpy()[20, :2], "2 values, but 3"),
        (lambda X: np.full(3, np.nan), "contains NaN|missing"),
        (lambda X: {"a": 1.0, "b": 2.0}, r"lacks \['c'\]"),
        (lambda X: {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}, r"has \['d'\]"),
        (lambda X: X[20:30].reset_index(drop=True), "kind"),
        (lambda X: X[20:22].set_axis([pd.NaT, X.index[21]]), "missing"),
    ],
)
def test_update__what_is_refused_changes_nothing(rows, message):
    X = one_series(300, 0).fillna(0.0)
    detector = windowed().fit(X)
    stream, other = StreamScorer(detector), StreamScorer(detector)
    for one in (stream, other):
        one.update(X[:20])
    with pytest.raises(ValueError, match=message):
        stream.update(rows(X))
    np.testing.assert_array_equal(stream.update(X[20:60]), other.update(X[20:60]))


def test_update__one_series_is_refused_for_all():
    X = table(400, 0, "turns").fillna(0.0)
    stream = StreamScorer(windowed().fit(X))
    stream.update(X[:100])
    before = pickle.dumps(stream)
    late = pd.concat([X[100:140].loc[["p"]], X[:10].loc[["q"]]])
    with pytest.raises(ValueError, match="series 'q' must increase"):
        stream.update(late)
    assert pickle.dumps(stream) == before
    with pytest.raises(ValueError, match="named the series"):
        stream.update(X.to_numpy()[0])


def test_score_one__takes_one():
    X = one_series(300, 0).fillna(0.0)
    stream = StreamScorer(windowed().fit(X))
    with pytest.raises(TypeError, match="expected one row"):
        stream.score_one(X)
    assert len(stream.update(X)) == 300


def test_labels__need_a_threshold_for_last_windows():
    X = one_series(300, 0).fillna(0.0)
    stream = StreamScorer(windowed(aggregate="mean", contamination="auto").fit(X))
    for ask in (
        lambda: stream.update(X, labels=True),
        lambda: stream.drift_detected,
        stream.drift_report,
    ):
        with pytest.raises(ValueError, match='Fit it with aggregate="last"'):
            ask()
    assert len(stream.update(X)) == 300


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (windowed(stride=2), "stride=2"),
        (pipeline_of(windowed(), method="bfill"), "'bfill'"),
        (pipeline_of(windowed(), method="linear"), "'linear'"),
        (pipeline_of(windowed(), method="time"), "'time'"),
        (make_pipeline(TableReader(every="5min"), FOREST), "every='5min'"),
        (make_pipeline(SlidingWindow(5), LinearAutoencoder(2)), "SlidingWindow makes"),
        (DetectorUnion([("a", windowed(stride=3))]), "stride=3"),
        (DetectorUnion([("a", PerSeriesDetector(windowed()))]), "member of a union"),
    ],
)
def test_stream__what_looks_ahead_is_refused(estimator, message):
    X = one_series(300, 0).fillna(0.0)
    with pytest.raises(ValueError, match=message):
        StreamScorer(estimator.fit(X))


def test_stream__refuses_in_a_detector_of_a_series():
    X = table(400, 0, "stacked")
    ahead = PerSeriesDetector(pipeline_of(windowed(), method="bfill")).fit(X)
    with pytest.raises(ValueError, match="'bfill'"):
        StreamScorer(ahead).update(X)


def test_stream__needs_a_fitted_estimator():
    with pytest.raises(ValueError, match="not fitted"):
        StreamScorer(windowed())
    X = one_series(300, 0).fillna(0.0)
    reads = make_pipeline(TableReader(), windowed()).fit(X)
    with pytest.raises(ValueError, match="TableReader, which has its own"):
        StreamScorer(reads, time="when")


def test_update__dict_needs_names():
    X = one_series(300, 0).fillna(0.0)
    stream = StreamScorer(windowed().fit(X.to_numpy()))
    with pytest.raises(ValueError, match="no names of columns"):
        stream.update({"a": 1.0, "b": 2.0, "c": 3.0})


# Files and copies ---------------------------------------------------------------------


def by_file(stream, folder):
    return load(save(stream, folder / "stream.skad"), trusted=TRUSTED)


TRUSTED = ["sklearn.tree._tree.Tree"]


@pytest.mark.parametrize("kind", ["one", "turns"])
@pytest.mark.parametrize("wrapper", ["none", "union", "per series"])
def test_stream__goes_on_from_files_and_copies(kind, wrapper, tmp_path):
    X = table(600, 0, kind)
    how = {"contamination": "auto"}
    detector = windowed(**how)
    if wrapper == "union":
        detector = DetectorUnion([("a", detector), ("b", windowed(length=15, **how))])
    estimator = pipeline_of(detector, carry_tail=True)
    if wrapper == "per series":
        estimator = PerSeriesDetector(estimator)
    stream = StreamScorer(estimator.fit(X[:400]))
    Y = later(X, X)
    stream.update(Y[:205])
    copies = [
        pickle.loads(pickle.dumps(stream)),
        copy.deepcopy(stream),
        by_file(stream, tmp_path),
    ]
    expected = stream.update(Y[205:])
    for one in copies:
        np.testing.assert_array_equal(one.update(Y[205:]), expected)
        assert repr(one.drift_report()) == repr(stream.drift_report())
        assert repr(one) == repr(stream)


def test_file__of_equal_streams_is_equal(tmp_path):
    X = one_series(300, 0)
    stream = StreamScorer(pipeline_of(windowed()).fit(X))
    stream.update(X)
    first = save(stream, tmp_path / "a.skad").read_bytes()
    again = save(by_file(stream, tmp_path), tmp_path / "b.skad").read_bytes()
    assert first == again


def test_reset__forgets_all():
    X = one_series(300, 0)
    stream = StreamScorer(pipeline_of(windowed()).fit(X))
    first = stream.update(X)
    stream.reset()
    pd.testing.assert_series_equal(stream.update(X), first)


# Drift --------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapper", ["none", "union", "per series"])
def test_drift__is_that_of_the_table(wrapper):
    X = table(2400, 0, "one" if wrapper == "none" else "stacked")
    X = X.droplevel(0) if wrapper == "union" else X
    X = X[~X.index.duplicated()].sort_index() if wrapper == "union" else X
    X = X.fillna({"a": 0.0, "b": 0.0, "c": 0.0})
    detector = windowed(contamination="auto")
    if wrapper == "union":
        members = [("a", detector), ("b", windowed(length=15, contamination="auto"))]
        detector = DetectorUnion(members)
    estimator = pipeline_of(detector)
    if wrapper == "per series":
        estimator = PerSeriesDetector(estimator)
    estimator.fit(X)
    Y = later(X, X)
    Y["b"] += 3.0
    stream = StreamScorer(estimator)
    for part in cut(Y, [1, 2, 500]):
        stream.update(part)
    told, expected = stream.drift_report(), drift_report(estimator, Y)
    assert told.moved == expected.moved
    assert told.moved
    assert stream.drift_detected == (not told.labels_can_be_trusted)
    assert stream.drift_detected
    close = ["level", "spread", "error"]
    left = told.sensors[close].sort_index()
    right = expected.sensors[close].sort_index()
    pd.testing.assert_frame_equal(left, right, atol=0.03, rtol=0.03)
    assert abs(told.n_windows - expected.n_windows) < 0.02 * expected.n_windows
    assert abs(told.flagged - expected.flagged) < 0.02


def test_drift__of_no_rows():
    X = one_series(300, 0).fillna(0.0)
    stream = StreamScorer(windowed(contamination="auto").fit(X))
    assert not stream.drift_detected
    with pytest.raises(ValueError, match="no rows to report on"):
        stream.drift_report()
    stream.update(X)
    with pytest.raises(ValueError, match="confidence=2"):
        stream.drift_report(confidence=2)


def test_drift__needs_a_promise():
    X = one_series(300, 0).fillna(0.0)
    stream = StreamScorer(windowed(contamination=0.1).fit(X))
    stream.update(X)
    with pytest.raises(ValueError, match="promises nothing"):
        stream.drift_report()
    rows = StreamScorer(LinearAutoencoder(2).fit(X))
    rows.update(X)
    with pytest.raises(TypeError, match="WindowedDetector, or a DetectorUnion"):
        rows.drift_report()


@pytest.mark.parametrize("value", ["x", pd.NA, 10**400, 1j])
def test_a_dict_of_what_is_no_number__is_shown_and_counts_for_nothing(value):
    X = table(200, 0, "one").fillna(0.0).reset_index(drop=True)
    stream = StreamScorer(WindowedDetector(LinearAutoencoder(1), 5).fit(X))
    row = dict(X.iloc[0])
    with pytest.raises(ValueError, match="holds what is no number"):
        stream.update(row | {"a": value})
    assert np.isnan([stream.update(row) for _ in range(4)]).all()
    assert np.isfinite(stream.update(row))
