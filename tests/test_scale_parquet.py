"""Parquet files: the scores of the whole table, after a kill and on a cluster, too."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_chunks import later, pipeline_of, table

from skad import (
    LinearAutoencoder,
    PerSeriesDetector,
    TableReader,
    WindowedDetector,
    fit_parquet,
    score_parquet,
)
from skad.scale import _parquet, _ranges

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch):
    monkeypatch.setattr(_ranges, "_ROWS_IN_RANGE", 200)
    monkeypatch.setattr(_ranges, "_ROWS_IN_BATCH", 77)


def a_job(tmp_path, kind="turns", *, method="ffill", folders=False, n_rows=1200):
    """Return a fitted pipeline, its scores of a table, and files of that."""
    train = table(400, 1, kind)
    X = later(table(n_rows, 6, kind), train)
    X.index = X.index.set_names(["series"] * (kind != "one") + ["time"])
    detector = WindowedDetector(LinearAutoencoder(3), 12, contamination=0.1)
    estimator = pipeline_of(detector, method=method, carry_tail=True).fit(train)
    source = tmp_path / "source"
    if folders:
        X.reset_index().to_parquet(
            source, partition_cols=["series"], row_group_size=150
        )
    else:
        source.mkdir()
        half = len(X) // 2
        X[:half].to_parquet(source / "a.parquet", row_group_size=150)
        X[half:].to_parquet(source / "b.parquet", row_group_size=130)
    return estimator, pd.Series(estimator.score_samples(X), X.index), source


def read(target, like):
    """Read scores, in the order of others."""
    names = list(like.index.names)
    scores = pd.read_parquet(target).set_index(names)["score"]
    assert len(scores) == len(like)
    assert scores.index.is_unique
    return scores.reindex(like.index)


@pytest.mark.parametrize("method", ["ffill", "linear"])
@pytest.mark.parametrize(
    ("kind", "folders"),
    [("one", False), ("stacked", False), ("stacked", True), ("turns", False)],
)
def test_score_parquet__is_as_the_whole_table(tmp_path, kind, folders, method):
    estimator, whole, source = a_job(tmp_path, kind, method=method, folders=folders)
    named = {"time": "time", "series": "series"} if folders else {}
    target = score_parquet(estimator, source, tmp_path / "scores", **named)
    assert len(list(target.glob("part-*"))) > 4
    np.testing.assert_array_equal(read(target, whole), whole)
    if kind != "turns":
        first = pd.read_parquet(target).set_index(list(whole.index.names))
        np.testing.assert_array_equal(first["score"], whole)


def test_score_parquet__labels_of_raw_files_with_a_reader(tmp_path):
    _, _whole, source = a_job(tmp_path, "stacked")
    X = pd.read_parquet(source).reset_index()
    steps = TableReader("time", series="series"), *pipeline_of(None)[:-1]
    detector = WindowedDetector(LinearAutoencoder(3), 12, contamination=0.1)
    estimator = make_pipeline(*steps, detector).set_output(transform="pandas").fit(X)
    target = score_parquet(estimator, source, tmp_path / "scores", labels=True)
    found = pd.read_parquet(target)
    np.testing.assert_array_equal(found["score"], estimator.score_samples(X))
    np.testing.assert_array_equal(found["label"], estimator.predict(X))


def test_score_parquet__one_detector_a_series(tmp_path):
    _, whole, source = a_job(tmp_path, "turns")
    X = pd.read_parquet(source)
    inner = WindowedDetector(LinearAutoencoder(2), 12, contamination=0.1)
    estimator = PerSeriesDetector(pipeline_of(inner)).fit(X)
    target = score_parquet(estimator, source, tmp_path / "scores")
    np.testing.assert_array_equal(read(target, whole), estimator.score_samples(X))


def test_score_parquet__rows_without_time_are_numbered(tmp_path):
    X = table(900, 0, "one").fillna(0.0).reset_index(drop=True)
    X.to_parquet(tmp_path / "x.parquet", row_group_size=100)
    scaler = StandardScaler().set_output(transform="pandas")
    detector = WindowedDetector(LinearAutoencoder(3), 12, contamination=0.1)
    estimator = make_pipeline(scaler, detector).fit(X)
    target = score_parquet(estimator, tmp_path / "x.parquet", tmp_path / "scores")
    found = pd.read_parquet(target)
    np.testing.assert_array_equal(found["score"], estimator.score_samples(X))
    np.testing.assert_array_equal(found["row"], np.arange(900))


def test_score_parquet__index_without_a_name(tmp_path):
    X = table(900, 0, "stacked").fillna(0.0).rename_axis([None, None])
    X.to_parquet(tmp_path / "x.parquet", row_group_size=100)
    estimator = WindowedDetector(LinearAutoencoder(3), 12, contamination=0.1).fit(X)
    target = score_parquet(estimator, tmp_path / "x.parquet", tmp_path / "scores")
    found = pd.read_parquet(target)
    assert list(found.columns) == ["series_0", "row", "score"]
    np.testing.assert_array_equal(found["score"], estimator.score_samples(X))


def test_score_parquet__goes_on_where_it_was(tmp_path, monkeypatch):
    estimator, whole, source = a_job(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "_plan.json.tmp").write_text("{half of it")
    source = Path("source")
    target = score_parquet(estimator, source, tmp_path / "scores")
    (target / "part-00001.parquet").unlink()
    (target / "part-00004.parquet").unlink()
    (target / ".part-00004-99.tmp").write_text("half of it")
    kept = (target / "part-00002.parquet").stat().st_mtime_ns
    score_parquet(estimator, source, target)
    np.testing.assert_array_equal(read(target, whole), whole)
    assert (target / "part-00002.parquet").stat().st_mtime_ns == kept
    assert not list(target.glob(".part-*"))


_SCRIPT = """
import sys, joblib
from skad import score_parquet
from skad.scale import _ranges
_ranges._ROWS_IN_RANGE, _ranges._ROWS_IN_BATCH = 200, 77
print("begins", flush=True)
score_parquet(joblib.load(sys.argv[1]), sys.argv[2], sys.argv[3])
"""


def test_score_parquet__killed_and_resumed(tmp_path):
    import joblib

    estimator, whole, source = a_job(tmp_path, n_rows=4000)
    joblib.dump(estimator, tmp_path / "model")
    target = tmp_path / "scores"
    args = [sys.executable, "-c", _SCRIPT, tmp_path / "model", source, target]
    for n_parts in (1, 5):
        process = subprocess.Popen([*map(str, args)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"begins\n"
        while len(list(target.glob("part-*"))) < n_parts and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.communicate()
    score_parquet(joblib.load(tmp_path / "model"), source, target)
    np.testing.assert_array_equal(read(target, whole), whole)


def test_score_parquet__on_workers_of_which_one_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    estimator, _whole, source = a_job(tmp_path, n_rows=4000)
    here = score_parquet(estimator, source, tmp_path / "here")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        victim = next(iter(client.run(os.getpid).values()))
        target = tmp_path / "there"

        def kill():
            while not list(target.glob("part-*")):
                time.sleep(0.002)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        score_parquet(estimator, source, target, engine="dask", client=client)
        killer.join()
    for part in sorted(here.glob("part-*")):
        pd.testing.assert_frame_equal(
            pd.read_parquet(part), pd.read_parquet(target / part.name), check_exact=True
        )


# Refused ------------------------------------------------------------------------------


def test_score_parquet__another_call_into_the_same_folder(tmp_path):
    estimator, _, source = a_job(tmp_path)
    target = score_parquet(estimator, source, tmp_path / "scores")
    with pytest.raises(ValueError, match="another call, with other labels"):
        score_parquet(estimator, source, target, labels=True)
    (tmp_path / "other").mkdir()
    other, _, _ = a_job(tmp_path / "other", "stacked")
    with pytest.raises(ValueError, match=r"with other .*estimator"):
        score_parquet(other, source, target)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty"):
        score_parquet(estimator, source, tmp_path / "full")


def test_score_parquet__names_and_engines_that_are_not_there(tmp_path):
    estimator, _, source = a_job(tmp_path)
    target = tmp_path / "scores"
    with pytest.raises(ValueError, match="no columns \\['when'\\]"):
        score_parquet(estimator, source, target, time="when")
    with pytest.raises(ValueError, match="expected 'local' or 'dask'"):
        score_parquet(estimator, source, target, engine="spark")
    with pytest.raises(FileNotFoundError):
        score_parquet(estimator, tmp_path / "nowhere", target)
    assert not target.exists()


def test_score_parquet__a_source_without_rows(tmp_path):
    estimator, whole, _ = a_job(tmp_path)
    empty = whole[:0].to_frame().assign(a=1.0, b=1.0, c=1.0)[["a", "b", "c"]]
    empty.to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match="hold no rows"):
        score_parquet(estimator, tmp_path / "empty.parquet", tmp_path / "scores")
    assert not Path(tmp_path / "scores").exists()


# Files that are not alike, and folders that change ------------------------------------


def two_halves(kind):
    """Two halves of a table that one file each holds in its own way, and a detector."""
    X = table(800, 0, "one").fillna(0.0)
    X.index = X.index.rename("time")
    X[:400] = X[:400].round()
    first, second = X[:400], X[400:]
    first = {
        "integers": lambda: first.astype(int),
        "single": lambda: first.astype("float32"),
        "empty": lambda: first[:0].astype(object),
        "seconds": lambda: first.set_axis(first.index.as_unit("s")),
        "fewer": lambda: first.drop(columns=X.columns[-1]),
    }[kind]()
    detector = WindowedDetector(LinearAutoencoder(3), 12, contamination=0.1).fit(X)
    second = second.set_axis(second.index + pd.Timedelta("1us"))
    return detector, first, second


@pytest.mark.parametrize("kind", ["integers", "single", "empty", "seconds"])
def test_files_of_other_types__are_read_in_one_that_holds_both(tmp_path, kind):
    detector, *halves = two_halves(kind)
    (tmp_path / "source").mkdir()
    for name, half in zip("ab", halves, strict=True):
        half.to_parquet(tmp_path / f"source/{name}.parquet")
    whole = pd.concat([half for half in halves if len(half)])
    found = pd.read_parquet(
        score_parquet(detector, tmp_path / "source", tmp_path / "scores")
    )
    np.testing.assert_array_equal(found["score"], detector.score_samples(whole))
    assert (found["time"].to_numpy() == whole.index.to_numpy()).all()
    again = fit_parquet(detector, tmp_path / "source")
    assert again.offset_ == clone(detector).fit(whole).offset_


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_column_that_one_file_lacks__is_missing_there_not_left_out(tmp_path, order):
    detector, *halves = two_halves("fewer")
    for name, half in zip(order, halves, strict=True):
        half.reset_index(drop=True).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(ValueError, match="contains NaN in row"):
        fit_parquet(detector, tmp_path)


def test_a_file_that_arrives_in_the_meantime__changes_nothing(tmp_path, monkeypatch):
    estimator, whole, source = a_job(tmp_path)
    write_part = _parquet.write_part

    def write(job, number, scores):
        write_part(job, number, scores)
        if number == 0:
            pd.read_parquet(source / "b.parquet").to_parquet(source / "0.parquet")

    monkeypatch.setattr(_parquet, "write_part", write)
    target = score_parquet(estimator, source, tmp_path / "scores")
    np.testing.assert_array_equal(read(target, whole), whole)


def test_a_file_that_goes_in_the_meantime__is_named(tmp_path, monkeypatch):
    estimator, _, source = a_job(tmp_path)
    write_part = _parquet.write_part

    def write(job, number, scores):
        write_part(job, number, scores)
        (source / "b.parquet").unlink(missing_ok=True)

    monkeypatch.setattr(_parquet, "write_part", write)
    with pytest.raises(FileNotFoundError, match=r"b\.parquet"):
        score_parquet(estimator, source, tmp_path / "scores")


@pytest.mark.parametrize("place", ["scores", "of/today"])
def test_a_target_inside_the_source__is_refused(tmp_path, place):
    estimator, _, source = a_job(tmp_path)
    with pytest.raises(ValueError, match="lies inside of source"):
        score_parquet(estimator, source, source / place)
    assert sorted(one.name for one in source.iterdir()) == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize(
    ("names", "labels"),
    [(["score", "t"], False), (["s", "score"], False), (["label", "t"], True)],
)
def test_names_that_scores_have_too__are_refused_first(tmp_path, names, labels):
    estimator, _, source = a_job(tmp_path)
    X = pd.read_parquet(source).rename_axis(names)
    X.to_parquet(tmp_path / "x.parquet")
    estimator = clone(estimator).fit(X)
    with pytest.raises(ValueError, match="rename the former"):
        score_parquet(
            estimator, tmp_path / "x.parquet", tmp_path / "scores", labels=labels
        )
    assert not (tmp_path / "scores").exists()
