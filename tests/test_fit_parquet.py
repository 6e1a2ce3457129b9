"""Fits on Parquet files: equal to those in memory, and refused where they cannot be."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from test_chunks import table

from skad import (
    DetectorUnion,
    FixedThresholdDetector,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    MLPAutoencoder,
    PerSeriesDetector,
    TableReader,
    TimeSeriesImputer,
    WindowedDetector,
    fit_parquet,
    load,
    save,
    score_parquet,
    sensor_pipeline,
)
from skad import _on_disk as on_disk
from skad.scale import _ranges
from skad.scale._stored import StoredTable
from skad.series import _imputer

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

LINEAR = WindowedDetector(LinearAutoencoder(3), 12)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(_ranges, "_ROWS_IN_RANGE", 200)
    monkeypatch.setattr(_ranges, "_ROWS_IN_BATCH", 77)
    monkeypatch.setattr(on_disk, "_VALUES", 300)
    monkeypatch.setattr(_imputer, "_VALUES", 3000)


def files_of(tmp_path, kind, n_rows=1200):
    X = table(n_rows, 1, kind)
    X.index = X.index.set_names(["series"] * (kind != "one") + ["time"])
    X.to_parquet(tmp_path / "x.parquet", row_group_size=150)
    return X, tmp_path / "x.parquet"


def as_frames(*steps):
    return make_pipeline(*steps).set_output(transform="pandas")


DETECTORS = {
    "linear": LINEAR,
    "stride": WindowedDetector(LinearAutoencoder(3, error_model="std"), 12, stride=3),
    "auto length": WindowedDetector(LinearAutoencoder(3)),
    "net": WindowedDetector(MLPAutoencoder((8,), 3, max_epochs=2, random_state=0), 12),
    "stops early": WindowedDetector(
        MLPAutoencoder((8,), 3, max_epochs=2, random_state=0, early_stopping=True), 12
    ),
    "nearest": WindowedDetector(LocallyLinearAutoencoder(3), 12),
    "forest": WindowedDetector(IsolationForest(n_estimators=10, random_state=0), 12),
    "rows": LinearAutoencoder(1),
    "union": DetectorUnion(
        [("a", LINEAR), ("b", WindowedDetector(LocallyLinearAutoencoder(1), 6))],
        units={"b": "gain"},
    ),
    "per series": PerSeriesDetector(LINEAR),
    "pool": PerSeriesDetector(LINEAR, new_series="pool"),
}


@pytest.mark.parametrize("kind", ["one", "stacked", "turns"])
@pytest.mark.parametrize("name", DETECTORS)
def test_fit_parquet__is_fit_of_the_whole_table(tmp_path, kind, name):
    X, source = files_of(tmp_path, kind)
    estimator = as_frames(TimeSeriesImputer(), RobustScaler(), clone(DETECTORS[name]))
    fitted = fit_parquet(estimator, source)
    whole = estimator.fit(X)
    np.testing.assert_array_equal(fitted.score_samples(X), whole.score_samples(X))
    assert fitted[-1].offset_ == whole[-1].offset_
    assert [*vars(fitted[-1])] == [*vars(whole[-1])]
    calibration = getattr(fitted[-1], "calibration_", None)
    assert repr(calibration) == repr(getattr(whole[-1], "calibration_", None))


@pytest.mark.parametrize("kind", ["one", "stacked", "turns"])
@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
def test_fit_parquet__scalers_that_learn_in_parts(tmp_path, kind, scaler):
    X, source = files_of(tmp_path, kind)
    estimator = as_frames(TimeSeriesImputer(), scaler, LINEAR)
    fitted = fit_parquet(estimator, source)
    whole = estimator.fit(X)
    scores = whole.score_samples(X)
    np.testing.assert_allclose(fitted.score_samples(X), scores, rtol=1e-9)
    assert [*vars(fitted[1])] == [*vars(whole[1])]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    method=st.sampled_from(["ffill", "bfill", "linear", "time"]),
    limit=st.sampled_from([None, 1, 4]),
    fallback=st.sampled_from(["median", "mean", 0.5, None]),
    carry_tail=st.booleans(),
    add_indicator=st.booleans(),
    kind=st.sampled_from(["one", "stacked", "turns"]),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_fit_parquet__imputers(tmp_path_factory, kind, dtype, **params):
    X, source = files_of(tmp_path_factory.mktemp("files"), kind, 500)
    X.astype(dtype).to_parquet(source, row_group_size=150)
    steps = TimeSeriesImputer(**params), FunctionTransformer(zero_filled)
    fitted = fit_parquet(as_frames(*steps, LinearAutoencoder(1)), source)
    whole = as_frames(*steps, LinearAutoencoder(1)).fit(X.astype(dtype))
    assert fitted[-1].offset_ == whole[-1].offset_
    np.testing.assert_equal(fitted[0]._tails, whole[0]._tails)
    for name in ("statistics_", "series_statistics_", "series_", "_indicated"):
        np.testing.assert_array_equal(
            getattr(fitted[0], name), getattr(whole[0], name), strict=True
        )


def zero_filled(X):
    return X.fillna(0.0)


def test_fit_parquet__sensor_pipeline_then_score_and_save(tmp_path):
    X, source = files_of(tmp_path, "stacked")
    raw = X.reset_index()
    raw.to_parquet(source, row_group_size=150)
    estimator = sensor_pipeline(time="time", series="series", window=12)
    fitted = fit_parquet(estimator, source)
    assert not hasattr(estimator[-1], "offset_")
    whole = estimator.fit(raw)
    scores = whole.score_samples(raw)
    np.testing.assert_allclose(fitted.score_samples(raw), scores, rtol=1e-9)
    target = score_parquet(fitted, source, tmp_path / "scores")
    found = pd.read_parquet(target)["score"]
    np.testing.assert_array_equal(found, fitted.score_samples(raw))
    save(fitted, tmp_path / "model.skad")
    again = load(tmp_path / "model.skad").score_samples(raw)
    np.testing.assert_array_equal(again, fitted.score_samples(raw))


def test_fit_parquet__a_pipeline_in_a_pipeline_and_named_columns(tmp_path):
    X, source = files_of(tmp_path, "stacked")
    raw = X.reset_index().assign(note="text")
    raw.to_parquet(source, row_group_size=150)
    inner = as_frames(RobustScaler(), LINEAR)
    estimator = as_frames(TimeSeriesImputer(), "passthrough", inner)
    columns = list(X.columns[:2])
    named = {"time": "time", "series": "series"}
    fitted = fit_parquet(estimator, source, columns=columns, **named)
    whole = estimator.fit(X[columns])
    np.testing.assert_array_equal(
        fitted.score_samples(X[columns]), whole.score_samples(X[columns])
    )
    with pytest.raises(ValueError, match=r"\['note'\] hold no numbers"):
        fit_parquet(estimator, source, **named)


def test_fit_parquet__one_detector_a_series_with_its_own_steps(tmp_path):
    X, source = files_of(tmp_path, "turns")
    inner = as_frames(TimeSeriesImputer(), StandardScaler(), LINEAR)
    fitted = fit_parquet(PerSeriesDetector(inner), source)
    whole = PerSeriesDetector(inner).fit(X)
    assert [*fitted.estimators_] == [*whole.estimators_]
    np.testing.assert_array_equal(fitted.score_samples(X), whole.score_samples(X))


def test_fit_parquet__integers_of_which_some_are_missing(tmp_path):
    X = pd.DataFrame({"a": np.arange(400) % 7, "b": np.arange(400) % 2 == 0})
    X = X.astype({"a": "Int64"})
    X.loc[300, "a"] = pd.NA
    X.to_parquet(tmp_path / "x.parquet", row_group_size=100)
    estimator = as_frames(TimeSeriesImputer(), LinearAutoencoder(1))
    fitted = fit_parquet(estimator, tmp_path / "x.parquet")
    whole = estimator.fit(X)
    np.testing.assert_array_equal(fitted.score_samples(X), whole.score_samples(X))
    assert fitted[0].max_gap_ == whole[0].max_gap_


REFUSED = {
    "PCA learns from all rows": as_frames(PCA(2), LINEAR),
    "FixedThresholdDetector is not": FixedThresholdDetector(LINEAR, -1.0),
    "GridSearchCV is not fitted": GridSearchCV(LINEAR, {"window_length": [5, 6]}),
    "A member of DetectorUnion is": DetectorUnion([("a", as_frames(LINEAR))]),
    "normal_label=0, but": WindowedDetector(LinearAutoencoder(3), 9, normal_label=0),
    "would fit a pipeline on all rows": PerSeriesDetector(
        as_frames(LINEAR), new_series="pool"
    ),
    "has lost the index": make_pipeline(TimeSeriesImputer(), LINEAR),
    "makes a row from several": as_frames(TableReader(every="1h"), LINEAR),
}


@pytest.mark.parametrize("message", REFUSED)
def test_fit_parquet__refuses_what_it_cannot_fit(tmp_path, message):
    _, source = files_of(tmp_path, "stacked", 300)
    with pytest.raises(ValueError, match=message):
        fit_parquet(REFUSED[message], source)


def test_fit_parquet__refuses_sensors_that_the_reader_has_not_seen(tmp_path):
    X = table(900, 0, "one").fillna(0.0)
    X.iloc[:600, 1] = np.nan
    X.to_parquet(tmp_path / "x.parquet", row_group_size=150)
    estimator = sensor_pipeline(LINEAR)
    with pytest.raises(ValueError, match="hold numbers, but none in the first rows"):
        fit_parquet(estimator, tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="leave them out here"):
        fit_parquet(estimator, tmp_path / "x.parquet", time="time")
    X.iloc[:0].to_parquet(tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="hold no rows"):
        fit_parquet(LINEAR, tmp_path / "none.parquet")


def test_frozen_steps__are_taken_as_they_are(tmp_path):
    X, source = files_of(tmp_path, "one")
    pca = PCA(2).set_output(transform="pandas").fit(X.fillna(0.0)[:300])
    steps = [("a", TimeSeriesImputer()), ("b", FrozenEstimator(pca)), ("c", LINEAR)]
    estimator = Pipeline(steps).set_output(transform="pandas")
    fitted = fit_parquet(estimator, source)
    np.testing.assert_allclose(
        fitted.score_samples(X), estimator.fit(X).score_samples(X), rtol=1e-9
    )


# Tables on disk -----------------------------------------------------------------------


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(st.integers(0, 99), min_size=1, max_size=150),
    is_run=st.booleans(),
    is_frame=st.booleans(),
)
def test_take_on_disk__as_in_memory(rows, is_run, is_frame):
    rows = np.arange(min(rows), max(rows) + 1) if is_run else np.array(rows)
    values = on_disk.empty_on_disk((100, 4), np.float32)
    values[:] = np.arange(400).reshape(100, 4)
    assert on_disk.is_on_disk(values[3:, :2])
    assert not on_disk.is_on_disk(values + 1)
    X = pd.DataFrame(values, copy=False, index=np.arange(100) * 2)
    assert on_disk.is_on_disk(X)
    assert not on_disk.is_on_disk(X + 1)
    if not is_frame:
        taken = on_disk.take_on_disk(values, rows)
        np.testing.assert_array_equal(taken, np.array(values)[rows], strict=True)
        return
    taken = on_disk.take_on_disk(X, rows)
    pd.testing.assert_frame_equal(taken, (X + 0).iloc[rows])


def test_stored_table__has_the_index_of_the_whole(tmp_path):
    for kind in ("one", "stacked", "turns"):
        X = table(500, 0, kind)
        stored = StoredTable(len(X))
        for first in range(0, len(X), 90):
            stored.append(X[first : first + 90])
        found = stored.finish()
        assert on_disk.is_on_disk(found)
        pd.testing.assert_frame_equal(
            found.reset_index(), X.reset_index(), check_freq=False
        )
