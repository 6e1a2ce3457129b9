"""Contributions of the user's sensors: sums, names, times; through all wrappers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skad import (
    DetectorClassifier,
    FixedThresholdDetector,
    LinearAutoencoder,
    MahalanobisErrors,
    MLPAutoencoder,
    SlidingWindow,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    explain,
    find_events,
    make_sensors,
)

MODELS = ["mse", "rmse", "mae", "std", MahalanobisErrors()]


@pytest.fixture(scope="module")
def table():
    """Sensors with missing values, one of them empty, and a gap in time."""
    X, _ = make_sensors(700, n_faults=0, random_state=0)
    return X.iloc[np.r_[0:400, 450:700]]


@pytest.fixture(scope="module")
def full(table):
    """The same without missing values, six sensors."""
    return table.iloc[:, :6].ffill().bfill().fillna(0.0)


def windowed(error_model="mse"):
    return WindowedDetector(LinearAutoencoder(4, error_model=error_model), 10)


def agree(found, estimator, X):
    """Rows and sums are those of the scores."""
    scores = estimator.score_samples(X)
    sums = found.to_numpy().sum(axis=1)
    assert sums == pytest.approx(-scores, rel=1e-10, abs=1e-13 * np.abs(scores).max())
    assert found.index.equals(getattr(X, "index", pd.RangeIndex(len(X))))


# Rows


@pytest.mark.parametrize("error_model", MODELS, ids=str)
@pytest.mark.parametrize("level", ["window", "timestep"])
@pytest.mark.parametrize("aggregate", ["mean", "max"])
def test_parts_of_a_table_add_up(full, error_model, level, aggregate):
    detector = windowed(error_model).set_params(level=level, aggregate=aggregate)
    detector.fit(full[:400])
    found = explain(detector, full)
    agree(found, detector, full)
    assert list(found) == list(full)
    assert (found.to_numpy() == detector.explain(full)).all()


@pytest.mark.parametrize("pandas", [True, False])
def test_dropped_columns_and_indicators(table, pandas):
    steps = [
        TimeSeriesImputer(max_missing=0.5, add_indicator=True),
        StandardScaler(),
        windowed(),
    ]
    pipeline = make_pipeline(*steps)
    if pandas:
        pipeline.set_output(transform="pandas")
    pipeline.fit(table)
    found = explain(pipeline, table)
    agree(found, pipeline, table)
    missing = table.isna().mean()
    kept = missing.index[missing <= 0.5]
    assert 0 < len(kept) < table.shape[1]
    indicators = [f"missingindicator_{name}" for name in kept if missing[name]]
    assert list(found) == [*kept, *indicators]


def test_imputer_of_scikit_learn(table):
    pipeline = make_pipeline(
        SimpleImputer(add_indicator=True), StandardScaler(), windowed()
    )
    empty = table.columns[table.isna().all()]
    assert len(empty)
    with pytest.warns(UserWarning, match="without any observed values"):
        pipeline.fit(table)
    with pytest.warns(UserWarning, match="without any observed values"):
        found = explain(pipeline, table)
    kept = [name for name in table if name not in empty]
    assert list(found)[: len(kept)] == kept
    assert all(
        name.startswith("missingindicator_") for name in list(found)[len(kept) :]
    )


def wraps(pipeline):
    yield pipeline
    yield make_pipeline(pipeline)
    yield FixedThresholdDetector(pipeline, -0.1)
    yield TunedThresholdDetector(FrozenEstimator(pipeline), cv="prefit")
    yield FrozenEstimator(TunedThresholdDetector(pipeline, cv="prefit"))
    yield DetectorClassifier(pipeline)
    yield GridSearchCV(pipeline, {}, scoring=lambda *args: 0.0, cv=2)
    nothing = FunctionTransformer(feature_names_out="one-to-one")
    yield make_pipeline(nothing, FixedThresholdDetector(pipeline, -0.1))
    inner = pipeline[-1]
    yield make_pipeline(pipeline[0], FixedThresholdDetector(inner, -0.1))
    yield make_pipeline(pipeline[0], DetectorClassifier(inner))


@pytest.mark.parametrize("number", range(10))
def test_wrappers_hide_nothing(table, number):
    imputer = TimeSeriesImputer(max_missing=0.5)
    pipeline = make_pipeline(imputer, windowed()).fit(table)
    estimator = list(wraps(pipeline))[number]
    is_frozen = isinstance(estimator, FrozenEstimator)
    y = np.where(table.index.minute == 3, -1, 1)
    (estimator.estimator if is_frozen else estimator).fit(table, y)
    found = explain(estimator, table)
    agree(found, estimator, table)
    assert list(found) == list(imputer.fit(table).get_feature_names_out())


def test_series_and_times_are_those_of_the_table(full):
    names = np.where(np.arange(len(full)) < 300, "valve", "pump")
    X = full.set_axis(pd.MultiIndex.from_arrays([names, full.index]))
    detector = windowed().fit(X)
    found = explain(detector, X)
    agree(found, detector, X)
    flags = np.isin(np.arange(len(X)), [10, 11, 290, 299, 300])
    events = find_events(flags, contributions=found)
    assert events["series"].tolist() == ["valve", "valve", "valve", "pump"]
    assert events["start"].tolist() == full.index[[10, 290, 299, 300]].tolist()
    sums = found.iloc[10:12].sum()
    assert events["sensor_1"][0] == sums.idxmax()
    assert events["share_1"][0] == pytest.approx(sums.max() / sums.sum())
    assert events["peak_score"][2] == pytest.approx(-found.iloc[299].sum())


@pytest.mark.parametrize(
    "columns",
    [
        range(6),
        [3, 1, 4, 5, 9, 2],
        [("oil", name) for name in "abcdef"],
        ["a b", "a[t]", "[t]", "", "é", "x0"],
    ],
)
@pytest.mark.parametrize("scaled", [True, False])
def test_names_are_as_the_user_has_them(full, columns, scaled):
    X = full.set_axis(pd.Index(columns), axis=1)
    detector = make_pipeline(StandardScaler(), windowed()) if scaled else windowed()
    if isinstance(columns[0], tuple):  # scikit-learn takes names that are texts only
        X.columns = X.columns.to_flat_index().map(str)
        columns = list(X.columns)
    found = explain(detector.fit(X), X)
    assert list(found.columns) == list(columns)


def test_steps_that_name_nothing(full):
    halve = FunctionTransformer(lambda X: np.asarray(X)[:, :3])
    pipeline = make_pipeline(halve, windowed()).fit(full)
    assert list(explain(pipeline, full)) == [0, 1, 2]
    numpy = windowed().fit(full.to_numpy())
    assert list(explain(numpy, full.to_numpy())) == list(range(6))
    log = make_pipeline(FunctionTransformer(np.cbrt), windowed()).fit(full)
    assert list(explain(log, full)) == list(full)  # numpy hands the table on
    pca = make_pipeline(PCA(3), windowed()).fit(full)
    assert list(explain(pca, full)) == ["pca0", "pca1", "pca2"]
    chosen = make_column_transformer(
        (StandardScaler(), list(full)[4:0:-1]), verbose_feature_names_out=False
    )
    pipeline = make_pipeline(chosen, windowed()).fit(full)
    assert list(explain(pipeline, full)) == list(full)[4:0:-1]


# Windows


@pytest.mark.parametrize("pandas", [True, False])
def test_windows_in_a_pipeline_are_rows_of_the_table(table, pandas):
    steps = [
        TimeSeriesImputer(max_missing=0.5),
        StandardScaler(),
        SlidingWindow(5),
        LinearAutoencoder(4, n_channels=10),
    ]
    pipeline = make_pipeline(*steps)
    if pandas:
        pipeline.set_output(transform="pandas")
    pipeline.fit(table)
    found = explain(pipeline, table)
    agree(found, pipeline, table)
    kept = list(pipeline[0].get_feature_names_out())
    assert list(found) == kept
    wide = explain(pipeline, table, timesteps=True)
    agree(wide, pipeline, table)
    assert wide.columns.names == ["timestep", "sensor"]
    assert list(wide.columns) == [(t, name) for t in range(5) for name in kept]
    inner = pipeline[:-1].transform(table)
    parts = pipeline[-1].explain(inner)
    assert (wide.to_numpy().reshape(-1, 5, 10) == parts).all()
    summed = wide.T.groupby(level="sensor", sort=False).sum().T
    assert summed.to_numpy() == pytest.approx(found.to_numpy(), abs=1e-15)


def test_windows_of_either_shape():
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    flat = X.reshape(40, 12)
    framed = pd.DataFrame(
        flat, columns=[f"{n}[t-{t}]" for t in range(5, -1, -1) for n in "ab"]
    )
    deep = LinearAutoencoder(3).fit(X)
    named = LinearAutoencoder(3, n_channels=2).fit(framed)
    found = explain(deep, X, timesteps=True)
    agree(found, deep, X)
    assert list(found.columns) == [(t, c) for t in range(6) for c in range(2)]
    again = explain(named, framed, timesteps=True)
    assert list(again.columns) == [(t, c) for t in range(6) for c in "ab"]
    assert (again.to_numpy() == found.to_numpy()).all()
    assert list(explain(named, framed)) == ["a", "b"]
    assert list(explain(deep, X)) == [0, 1]
    one = LinearAutoencoder(3).fit(flat)
    assert list(explain(one, flat)) == [0]
    assert explain(one, flat, timesteps=True).shape == (40, 12)


def test_a_net(full):
    net = MLPAutoencoder((8,), 2, max_epochs=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), WindowedDetector(net, 5)).fit(full)
    found = explain(pipeline, full)
    agree(found, pipeline, full)


def test_inner_detector_of_windows_may_be_a_tuner(full):
    tuner = FixedThresholdDetector(LinearAutoencoder(4, n_channels=6), -1.0)
    detector = WindowedDetector(tuner, 10).fit(full.to_numpy())
    found = explain(detector, full.to_numpy())
    agree(found, detector, full.to_numpy())


# Detectors around detectors


@pytest.mark.parametrize(
    "wrap",
    [
        lambda d: TunedThresholdDetector(d, cv=2),
        lambda d: FixedThresholdDetector(d, -1.0),
        lambda d: DetectorClassifier(d),
    ],
)
def test_meta_detectors_explain_where_the_inner_one_does(full, wrap):
    y = np.where(np.arange(len(full)) % 50 == 0, -1, 1)
    meta = wrap(windowed())
    assert hasattr(meta, "explain")
    with pytest.raises(NotFittedError):
        meta.explain(full)
    meta.fit(full, y)
    assert (meta.explain(full) == meta.estimator_.explain(full)).all()
    forest = IsolationForest(n_estimators=2, random_state=0)
    assert not hasattr(wrap(forest), "explain")
    assert not hasattr(wrap(forest).fit(full, y), "explain")


# What is refused


def test_explain_refuses(full):
    forest = IsolationForest(n_estimators=2, random_state=0)
    for detector in (forest, make_pipeline(forest), WindowedDetector(forest, 5)):
        with pytest.raises(TypeError, match="has no `explain`"):
            explain(detector.fit(full.to_numpy()), full.to_numpy())
    with pytest.raises(NotFittedError):
        explain(windowed(), full)
    with pytest.raises(ValueError, match="timesteps=True, but WindowedDetector"):
        explain(windowed().fit(full), full, timesteps=True)
    with pytest.raises(ValueError, match="contains NaN"):
        explain(windowed().fit(full), full.where(full > full.median()))
