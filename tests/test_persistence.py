"""skad.save and skad.load: what goes in comes out, and what is hostile does not."""

import copy
import errno
import hashlib
import io
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import persistence_fixture
import pytest
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import ERROR_MODELS, ESTIMATORS, FAST, RULES, Bottleneck
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import skad
from skad import (
    EncDecAD,
    LinearAutoencoder,
    MLPAutoencoder,
    TimeSeriesImputer,
    WindowedDetector,
    load,
    make_outlier_scorer,
    save,
)
from skad._base import VersionedMixin, current_versions
from skad.persistence import _files, _names, _save_load
from skad.persistence._encode import Encoder
from skad.persistence._names import Names, name_of
from skad.training._net import ReconstructionNet

TREE = "sklearn.tree._tree.Tree"
TRUSTED = ["instances.Bottleneck", TREE]


@pytest.fixture(scope="module")
def rows():
    """Rows to fit on, and their labels."""
    X = np.random.default_rng(0).normal(size=(60, 4))
    return X, np.repeat([1, -1], [50, 10])


@pytest.fixture(scope="module")
def fitted(rows):
    """Every estimator of the table, fitted, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: clone(e).fit(*rows) for name, e in ESTIMATORS.items()}


@pytest.fixture
def small(rows, tmp_path):
    """A file of about a kilobyte: scaler and linear detector."""
    steps = [("scale", StandardScaler()), ("detect", LinearAutoencoder(1))]
    return save(Pipeline(steps).fit(rows[0]), tmp_path / "small.skad")


def outcome(estimator, X):
    """What an estimator says of rows."""
    name = "score_samples" if hasattr(estimator, "score_samples") else "transform"
    return getattr(estimator, name)(X)


def read(path):
    header, data = _files.read_file(Path(path))
    return json.loads(header), data


def crafted(path, estimator, arrays=(), payload=b"", versions=None):
    """Write what a stranger could: any content under a right checksum."""
    header = {
        "versions": versions or current_versions(),
        "arrays": list(arrays),
        "estimator": estimator,
    }
    parts = _files.pack(header, [memoryview(payload)])
    path.write_bytes(b"".join(bytes(part) for part in parts))
    return path


def forged(path, estimator):
    """Write an estimator that `save` would refuse."""
    encoder = Encoder()
    encoded = encoder.encode(estimator)
    payload = b"".join(bytes(buffer) for buffer in encoder.buffers)
    return crafted(path, encoded, encoder.arrays, payload)


# Round trips --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ESTIMATORS)
def test_round_trip__keeps_scores_and_bytes(name, fitted, rows, tmp_path):
    X, _ = rows
    first = save(fitted[name], tmp_path / "first.skad")
    loaded = load(first, trusted=TRUSTED)
    np.testing.assert_array_equal(outcome(loaded, X), outcome(fitted[name], X))
    assert repr(loaded) == repr(fitted[name])
    assert list(vars(loaded)) == list(vars(fitted[name]))
    second = save(loaded, tmp_path / "second.skad")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
@pytest.mark.filterwarnings("ignore:There is no X_val:UserWarning")
@pytest.mark.filterwarnings("ignore:Only .* windows would remain:UserWarning")
@pytest.mark.parametrize("name", ["mlp", "encdec-ad", "windowed-lstm", "tuned-cv"])
def test_loaded_estimator__can_be_fitted_again(name, fitted, rows, tmp_path):
    X, y = rows
    loaded = load(save(fitted[name], tmp_path / "a.skad"), trusted=TRUSTED)
    again = outcome(clone(loaded).fit(X, y), X)
    np.testing.assert_array_equal(again, outcome(fitted[name], X))
    np.testing.assert_array_equal(again, outcome(loaded.fit(X, y), X))


def test_warm_start__goes_on_from_a_file(rows, tmp_path):
    X, _ = rows
    detector = MLPAutoencoder((8,), 1, warm_start=True, optimizer="sgd", **FAST).fit(X)
    loaded = load(save(detector, tmp_path / "a.skad"))
    assert loaded.fit(X).n_iter_ == 2 * detector.n_iter_
    np.testing.assert_array_equal(
        loaded.score_samples(X),
        pickle.loads(pickle.dumps(detector))
        .fit(X)
        ._scores_of(loaded._fitted_windows(X)),
    )


def test_round_trip__in_a_fresh_process(fitted, rows, tmp_path):
    X, _ = rows
    outcomes = {name: outcome(e, X) for name, e in fitted.items()}
    np.savez(tmp_path / "outcomes.npz", X=X, **outcomes)
    save(fitted, tmp_path / "all.skad")
    code = f"""
import sys
import numpy as np, torch
torch.set_num_threads(1)
from skad import load
sys.path.append({str(Path(__file__).parent)!r})
outcomes = np.load("outcomes.npz")
for name, estimator in load("all.skad", trusted={TRUSTED}).items():
    method = "score_samples" if hasattr(estimator, "score_samples") else "transform"
    got = getattr(estimator, method)(outcomes["X"])
    np.testing.assert_array_equal(got, outcomes[name], name)
print("equal")
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.stdout == "equal\n", result.stderr


@pytest.mark.filterwarnings("ignore:No threshold reaches:UserWarning")
@pytest.mark.filterwarnings("ignore:.*an exponential tail is assumed:UserWarning")
@pytest.mark.parametrize("model", [*RULES, *ERROR_MODELS], ids=repr)
def test_rules_and_error_models__can_be_saved(model, tmp_path):
    rng = np.random.default_rng(0)
    fitted = clone(model)
    if model in RULES:
        fitted.fit(rng.normal(size=30), np.repeat([1, -1], 15))
    else:
        fitted.fit(rng.normal(size=(30, 4, 2)), rng.normal(size=(30, 3)))
    first = save(fitted, tmp_path / "a.skad")
    loaded = load(first)
    assert repr(loaded) == repr(fitted)
    assert save(loaded, tmp_path / "b.skad").read_bytes() == first.read_bytes()


def sensors():
    """Two series of three sensors over a change of clocks, with holes."""
    hours = pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin")
    index = pd.MultiIndex.from_product([["a", "b"], hours])
    values = np.random.default_rng(0).normal(size=(120, 3))
    table = pd.DataFrame(values, index=index, columns=["x", "y", "z"])
    table.iloc[[5, 30], [1, 2]] = np.nan
    table.iloc[-1, 0] = np.nan
    return table


@pytest.mark.filterwarnings("ignore:Only .* windows would remain:UserWarning")
def test_long_pipeline__with_routing_scorer_and_search(tmp_path):
    X = sensors()
    y = np.where(np.arange(len(X)) % 17, 1, -1)
    windowed = WindowedDetector(EncDecAD(1, **FAST), 4)
    steps = {
        "impute": TimeSeriesImputer(carry_tail=True, add_indicator=True),
        "columns": ColumnTransformer(
            [("scale", StandardScaler(), slice(0, 3))], remainder="passthrough"
        ),
        "detect": windowed,
    }
    with sklearn.config_context(enable_metadata_routing=True):
        windowed.set_fit_request(series=True)
        search = GridSearchCV(
            Pipeline(list(steps.items())),
            {"detect__window_length": [3, 4]},
            cv=TimeSeriesSplit(2),
            scoring=make_outlier_scorer("average_precision"),
            error_score="raise",
        ).fit(X, y)
        first = save(search, tmp_path / "a.skad")
        loaded = load(first)
        np.testing.assert_array_equal(loaded.score_samples(X), search.score_samples(X))
        assert loaded.score(X, y) == search.score(X, y)
        refitted = clone(loaded).fit(X, y)
    assert str(refitted.cv_results_["params"]) == str(search.cv_results_["params"])
    scores = [s.cv_results_["mean_test_score"] for s in (loaded, search, refitted)]
    np.testing.assert_array_equal(scores, scores[:1] * 3)
    assert repr(loaded.cv_results_["param_detect__window_length"]) == repr(
        search.cv_results_["param_detect__window_length"]
    )
    assert save(loaded, tmp_path / "b.skad").read_bytes() == first.read_bytes()
    best = load(save(search.best_estimator_, tmp_path / "c.skad"))
    np.testing.assert_array_equal(best.score_samples(X), search.score_samples(X))
    tails = best["impute"]._tails, search.best_estimator_["impute"]._tails
    assert tails[0][0] == tails[1][0]
    np.testing.assert_array_equal(tails[0][1].time, tails[1][1].time)


VALUES = [
    None,
    True,
    -(10**30),
    0.1,
    float("inf"),
    -0.0,
    "text \ud800 é",
    [1, [2.0]],
    (1, (2,)),
    {"a": 1, 2: "b", None: 3, (1, "x"): 4.5},
    {"a"},
    slice(1, None, np.int64(2)),
    np.float32(0.1),
    np.str_("x"),
    np.bool_(True),
    np.datetime64("2024-01-01T00:00:01", "ms"),
    np.dtype("<f4"),
    np.arange(6.0).reshape(2, 3),
    np.arange(6.0).reshape(2, 3).T,
    np.arange(6, dtype=">i2")[::2],
    np.array(["a", "bcd"]),
    np.array(["a", None, 1.5], dtype=object),
    np.zeros((0, 3)),
    np.array(2.0),
    np.float16([1, 2]),
    np.array([1 + 2j]),
    np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]),
    np.ma.MaskedArray([1.0, 2.0], [True, False]),
    np.log1p,
    np.float64,
    float,
    torch.optim.SGD,
    torch.device("cuda", 3),
    pd.Timestamp("2024-03-31 01:59:59.123456789"),
    pd.Timestamp("2024-10-27 01:30", tz="UTC").tz_convert("Europe/Berlin"),
    pd.Timestamp("2024-01-01", tz="UTC"),
    pd.Timestamp("2024-01-01T00:00+05:30"),
    pd.Timedelta("1min"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values__come_back_as_they_were(value, tmp_path):
    held = FunctionTransformer(kw_args={"it": value})
    loaded = load(save(held, tmp_path / "a.skad")).kw_args["it"]
    assert type(loaded) is type(value)
    assert repr(loaded) == repr(value)
    if isinstance(value, np.ndarray):
        assert loaded.dtype == value.dtype
        assert loaded.flags.writeable
        # the layout decides how a matrix product rounds
        assert loaded.flags.f_contiguous == value.flags.f_contiguous or value.ndim == 1


@pytest.mark.parametrize("metric", ["roc_auc", "f1", "event_f1"])
def test_scorers__come_back(metric, rows, tmp_path):
    X, y = rows
    scorer = make_outlier_scorer(metric)
    detector = LinearAutoencoder(1).fit(X)
    loaded = load(save(scorer, tmp_path / "a.skad"))
    assert loaded(detector, X, y) == scorer(detector, X, y)


def test_nan__comes_back(tmp_path):
    assert np.isnan(load(save([float("nan")], tmp_path / "a.skad"))[0])


def test_random_state__goes_on_where_it_was(tmp_path):
    state = np.random.RandomState(3)
    state.normal(size=3)
    both = load(save([state, state], tmp_path / "a.skad"))
    assert both[0] is both[1]
    np.testing.assert_array_equal(both[0].normal(size=700), state.normal(size=700))


def test_objects__stay_one_object(rows, tmp_path):
    detector = LinearAutoencoder(1).fit(rows[0])
    first, second = load(save([detector, detector], tmp_path / "two.skad"))
    assert first is second
    one = save([detector], tmp_path / "one.skad").stat().st_size
    assert (tmp_path / "two.skad").stat().st_size < one + 30


def test_equal_estimators__give_equal_files(rows, tmp_path):
    def write(name):
        forest = IsolationForest(n_estimators=5, random_state=0)
        detector = MLPAutoencoder((8,), 1, **FAST)
        both = [forest.fit(rows[0]), detector.fit(rows[0]), {"x", "y", "z"}]
        for row in both[1].net_.history:
            row["dur"] = 0.0
        return save(both, tmp_path / name).read_bytes()

    assert write("a.skad") == write("b.skad")


def test_device__is_no_hindrance(rows, tmp_path):
    X, _ = rows
    detector = MLPAutoencoder((8,), 1, device="cpu", **FAST).fit(X)
    scores = detector.score_samples(X)
    detector.set_params(device="cuda:7")
    detector.net_.device = "cuda:7"
    loaded = load(save(detector, tmp_path / "a.skad"))
    assert loaded.net_.device == "cpu"
    assert loaded.device == "cuda:7"
    np.testing.assert_array_equal(loaded.score_samples(X), scores)


def test_unfitted_estimator__stays_unfitted(tmp_path):
    loaded = load(save(WindowedDetector(EncDecAD(3), 8), tmp_path / "a.skad"))
    assert vars(loaded).keys() == vars(WindowedDetector(EncDecAD(3), 8)).keys()
    assert loaded.estimator.hidden_dim == 3


def test_memory_and_callbacks__are_left_out(tmp_path):
    from sklearn.callback import ProgressBar

    pipeline = Pipeline([("detect", LinearAutoencoder())], memory=str(tmp_path))
    assert load(save(pipeline, tmp_path / "a.skad")).memory is None
    detector = MLPAutoencoder().set_callbacks(ProgressBar())
    loaded = load(save(detector, tmp_path / "b.skad"))
    assert not hasattr(loaded, "_skl_callbacks")
    assert pipeline.memory == str(tmp_path)
    assert hasattr(detector, "_skl_callbacks")


def test_new_parameters__take_their_defaults(tmp_path):
    detector = LinearAutoencoder()
    del detector.contamination  # as if the file were older than this parameter
    loaded = load(save(detector, tmp_path / "a.skad"))
    assert loaded.get_params() == LinearAutoencoder().get_params()


def test_load__needs_no_torch_without_a_net(small):
    code = f"""
import sys
from skad import load, save
save(load({str(small)!r}), {str(small)!r})
assert not {{"torch", "skorch", "matplotlib"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# A user's own types -------------------------------------------------------------------


class Doubling(BaseEstimator):
    """A user's transformer, with a private attribute."""

    def fit(self, X, y=None):
        self._factor = 2.0
        return self

    def transform(self, X):
        return self._factor * X


class Slotted:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 1


def test_own_module__needs_trust(fitted, rows, tmp_path):
    X, _ = rows
    path = save(fitted["custom"], tmp_path / "a.skad")
    with pytest.raises(ValueError, match=r"instances\.Bottleneck.*trusted=\["):
        load(path)
    for trusted in ([Bottleneck], ("instances.Bottleneck",)):
        loaded = load(path, trusted=trusted)
        assert loaded.module is Bottleneck
        np.testing.assert_array_equal(
            loaded.score_samples(X), fitted["custom"].score_samples(X)
        )
    with pytest.raises(ValueError, match=r"instances\.Bottleneck"):
        load(path, trusted=[Doubling, "instances.Bottle", "instances"])


def test_own_transformer__needs_trust(rows, tmp_path):
    X, _ = rows
    pipeline = Pipeline([("a", Doubling()), ("b", LinearAutoencoder(1))]).fit(X)
    path = save(pipeline, tmp_path / "a.skad")
    with pytest.raises(ValueError, match=r"test_persistence\.Doubling"):
        load(path)
    loaded = load(path, trusted=[Doubling])
    np.testing.assert_array_equal(loaded.score_samples(X), pipeline.score_samples(X))


@pytest.mark.parametrize("trusted", ["instances.Bottleneck", Bottleneck, True])
def test_trusted__must_be_a_list(trusted, small):
    with pytest.raises(TypeError, match="must be a list"):
        load(small, trusted=trusted)


def test_what_sklearn_reads_unchecked__needs_trust(rows, tmp_path):
    path = save(
        IsolationForest(n_estimators=3, random_state=0).fit(rows[0]),
        tmp_path / "a.skad",
    )
    with pytest.raises(ValueError, match=r"Tree.*crash Python"):
        load(path)
    path = save(SVC(random_state=0).fit(*rows), tmp_path / "b.skad")
    with pytest.raises(ValueError, match=r"sklearn\.svm\.SVC.*crash Python"):
        load(path)
    assert isinstance(load(path, trusted=[SVC]), SVC)
    assert isinstance(load(path, trusted=["sklearn.svm.SVC"]), SVC)


class ListOfOwn(list):
    """A list with a name."""


def holds_itself():
    items = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda X: X, "top level of a module"),
        (type("Local", (), {}), "top level of a module"),
        (np.random.default_rng(0), "cannot be saved"),
        (threading.Lock(), "cannot be saved"),
        (ListOfOwn([1]), "cannot be saved"),
        (Slotted(), "cannot be saved"),
        (iter([1]), "cannot be saved"),
        (np.random.RandomState(np.random.PCG64()), "PCG64"),
        (np.array(["a"], dtype=np.dtypes.StringDType()), "dtype"),
        (np.zeros(2, dtype=[("a", "<f4", (2,))]), "dtype"),
        (datetime(2024, 1, 1), "cannot be"),
        (holds_itself(), "holds itself"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_saved__leaves_no_file(value, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save(FunctionTransformer(value), tmp_path / "a.skad")
    assert list(tmp_path.iterdir()) == []


def test_search_tree_of_neighbours__cannot_be_saved(rows, tmp_path):
    with pytest.raises(ValueError, match="KDTree cannot be saved"):
        save(LocalOutlierFactor(novelty=True).fit(rows[0]), tmp_path / "a.skad")


# Damage -------------------------------------------------------------------------------


def read_file(data, path):
    path.write_bytes(data)
    return _files.read_file(path)


@pytest.mark.faults
def test_cut_file__is_refused_at_every_length(small):
    data = small.read_bytes()
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"cut short|is not a model file"):
            read_file(data[:length], small)
    small.write_bytes(data[:-1])
    with pytest.raises(ValueError, match="cut short: it holds"):
        load(small)


@pytest.mark.faults
def test_altered_file__is_refused_at_every_byte(small):
    data = bytearray(small.read_bytes())
    for position in range(len(data)):
        data[position] ^= 1 << position % 8
        with pytest.raises(ValueError, match=r"altered|not a model|newer|cut short"):
            read_file(data, small)
        data[position] ^= 1 << position % 8
    data[-1] ^= 1
    small.write_bytes(data)
    with pytest.raises(ValueError, match="altered"):
        load(small)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a model file"),
        (pickle.dumps(LinearAutoencoder()), "not a model file"),
        (b"PK\x03\x04" + bytes(100), "not a model file"),
        (_files.MAGIC, "cut short"),
        (_files.MAGIC.replace(b"\r\n", b"\n"), "not a model file"),
    ],
)
def test_other_files__are_refused(data, message, tmp_path):
    path = tmp_path / "a.skad"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_more_behind_the_end__is_refused(small):
    small.write_bytes(small.read_bytes() + b"more")
    with pytest.raises(ValueError, match="altered"):
        load(small)


def test_missing_file__is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.skad")
    with pytest.raises(FileNotFoundError):
        save(LinearAutoencoder(), tmp_path / "none" / "a.skad")


def test_newer_format__is_refused(small, monkeypatch):
    monkeypatch.setattr(_files, "FORMAT", 2)
    path = save(LinearAutoencoder(), small)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"format 2.*reads format 1.*newer skad"):
        load(path)


@given(st.data())
@settings(max_examples=300)
@pytest.mark.filterwarnings("ignore")
def test_any_content_under_a_right_checksum__opens_or_is_a_value_error(data):
    header = FUZZED[0]
    positions = st.integers(0, len(header) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        at, to = data.draw(positions), data.draw(positions)
        piece = data.draw(
            st.sampled_from([b"", b"0", b"-1", b"[", b"]", b'"', b"null", b"1e9"])
            | st.just(header[to : to + data.draw(st.integers(0, 40))])
        )
        header = header[:at] + piece + header[at + data.draw(st.integers(0, 9)) :]
        if not header:
            return
        positions = st.integers(0, len(header) - 1)
    path = FUZZED[2]
    path.write_bytes(framed(header, FUZZED[1]))
    with suppress(ValueError):
        load(path)


FUZZED = []


@pytest.fixture(autouse=True, scope="module")
def _fuzzed(tmp_path_factory, rows):
    """Header and arrays that are to be fuzzed, and where."""
    path = tmp_path_factory.mktemp("fuzz") / "a.skad"
    X = pd.DataFrame(rows[0], columns=list("abcd"))
    detector = MLPAutoencoder((2,), 1, random_state=np.random.RandomState(0))
    pipeline = Pipeline([("scale", StandardScaler()), ("detect", detector)])
    save(pipeline.set_params(detect__max_epochs=1).fit(X), path)
    header, view = read(path)
    FUZZED[:] = json.dumps(header).encode(), bytes(view), path


def framed(header, payload):
    """A file of a header in JSON, as bytes, and arrays, with its checksum."""
    length = _files._START + len(header) + len(payload)
    frame = _files._FRAME.pack(_files.MAGIC, _files.FORMAT, length, len(header))
    return frame + hashlib.sha256(frame + header + payload).digest() + header + payload


# Hostile content ----------------------------------------------------------------------

STRANGE_NAMES = [
    "os.system",
    "posix.system",
    "builtins.eval",
    "builtins.exec",
    "builtins.__import__",
    "functools.partial",
    "subprocess.Popen",
    "operator.methodcaller",
    "stranger.Module",
    "skad.detectors._mlp.MLPAutoencoder",
    "skad.detectors._mlp.MLPModule",
    "skad.load",
    "skad.load_heartbeats",
    "skad.import_module",
    "skad.BaseErrorModel.__subclasses__",
    "sklearn.svm.SVC",
    "sklearn.cluster.KMeans",
    "sklearn.decomposition.NMF",
    "sklearn.tree._tree.Tree",
    "sklearn.datasets.fetch_openml",
    "sklearn.pipeline.make_pipeline",
    "sklearn.pipeline.np",
    "sklearn.metrics.np.load",
    "sklearn.feature_selection.os",
    "numpy.load",
    "numpy.f2py",
    "torch.load",
    "torch.optim.functools",
    "torch.optim.lr_scheduler.LambdaLR",
    "joblib.load",
    "__main__.anything",
    "",
    ".",
    "os",
]


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A module that could be imported, and says so if it is."""
    (tmp_path / "stranger.py").write_text("class Module: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    assert "stranger" not in sys.modules


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("name", STRANGE_NAMES)
@pytest.mark.parametrize("tag", ["name", "object", "args", "namedtuple"])
def test_strange_names__are_refused_before_anything_is_built(
    name, tag, tmp_path, monkeypatch
):
    def no_builder(*args):
        raise AssertionError("something is being built")

    monkeypatch.setattr(_save_load, "Builder", no_builder)
    encoded = {
        "name": {"name": name},
        "object": {"object": [name, []]},
        "args": {"object": [name, [], ["touch me"]]},
        "namedtuple": {"namedtuple": [name, ["touch me"]]},
    }[tag]
    state = [["kw_args", {"dict": [["deep", [{"tuple": [encoded]}]]]}]]
    holder = {"object": ["sklearn.preprocessing.FunctionTransformer", state]}
    path = crafted(tmp_path / "a.skad", holder)
    before = set(sys.modules)
    with pytest.raises(ValueError, match="not known to be harmless"):
        load(path)
    # packages of the fixed list may be imported, nothing else that a file names
    assert all(n.startswith(("skad.", "sklearn.")) for n in set(sys.modules) - before)


@pytest.mark.usefixtures("stranger")
def test_module_of_a_stranger__is_named_and_not_imported(fitted, tmp_path):
    header, _ = read(save(fitted["custom"], tmp_path / "a.skad"))
    text = json.dumps(header).replace("instances.Bottleneck", "stranger.Module")
    path = crafted(tmp_path / "b.skad", json.loads(text)["estimator"], header["arrays"])
    with pytest.raises(ValueError, match=r"stranger\.Module.*trusted="):
        load(path)
    with pytest.raises(ValueError, match=r"stranger\.Module"):
        load(path, trusted=[Bottleneck, "instances.Bottleneck"])


LINEAR = "skad.LinearAutoencoder"
F8 = ["<f8", [1], "C"]
BOMBS = {
    "unknown tag": ({"pickle": "gASV"}, ()),
    "two tags": ({"tuple": [], "set": []}, ()),
    "no tag": ({}, ()),
    "arguments": ({"object": [LINEAR, [], [0.9]]}, ()),
    "constructor": ({"namedtuple": [LINEAR, [0.9]]}, ()),
    "tuple as object": ({"object": ["skad.ImputerTail", []]}, ()),
    "name is a list": ({"object": [["skad"], []]}, ()),
    "no state": ({"object": [LINEAR]}, ()),
    "state is text": ({"object": [LINEAR, "ab"]}, ()),
    "itself": ({"namedtuple": ["skad.ImputerTail", [{"same": 0}, 1, 2]]}, ()),
    "same as nothing": ({"same": 3}, ()),
    "unhashable key": ({"dict": [[[1], 2]]}, ()),
    "bytes lack": ({"array": 0}, [F8]),
    "huge array": ({"array": 0}, [["<f8", [10**12], "C"]]),
    "huge empty array": ({"array": 0}, [["<f8", [0, 10**30], "C"]]),
    "negative array": ({"array": 0}, [["<f8", [-1, -1], "C"], ["|u1", [-1], "C"]]),
    "objects of nothing": ({"objects": [[10**12], []]}, ()),
    "object dtype": ({"array": 0}, [["|O", [0], "C"]]),
    "empty dtype": ({"array": 0}, [["<U0", [10**12], "C"]]),
    "large dtype": ({"array": 0}, [["(9,9)<f8", [0], "C"]]),
    "nested dtype": ({"array": 0}, [[[["a", [["b", "|O"]]]], [0], "C"]]),
    "dtype by name": ({"dtype": "object"}, ()),
    "array not there": ({"array": 1}, ()),
    "strange order": ({"array": 0}, [["<f8", [0], "K?"]]),
    "path as time zone": ({"timestamp": [0, "s", "../../etc/passwd"]}, ()),
    "dateutil's time zone": ({"timestamp": [0, "s", "dateutil//etc/localtime"]}, ()),
    "device": ({"device": "/etc/passwd"}, ()),
    "folder of pickles": (
        {"object": ["sklearn.pipeline.Pipeline", [["memory", "/tmp/cache"]]]},
        (),
    ),
    "random state outside": (
        {
            "random_state": [
                ["bit_generator", "MT19937"],
                ["state", {"dict": [["key", [0] * 624], ["pos", 10**6]]}],
                ["has_gauss", 0],
                ["gauss", 0.0],
            ]
        },
        (),
    ),
    "net of nothing": ({"object": ["skad.ReconstructionNet", []]}, ()),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs__are_refused(name, tmp_path):
    encoded, arrays = BOMBS[name]
    with pytest.raises(ValueError, match=r"cannot be opened|cannot be read"):
        load(crafted(tmp_path / "a.skad", encoded, arrays))


@pytest.mark.parametrize("header", [[], 1, {}, {"versions": 3}, {"versions": {}}])
def test_header_without_its_parts__is_refused(header, tmp_path):
    path = tmp_path / "a.skad"
    path.write_bytes(framed(json.dumps(header).encode(), b""))
    with pytest.raises(ValueError, match="cannot be opened"):
        load(path)


@pytest.mark.parametrize("depth", [100, 700, 1_500, 200_000])
def test_nested_deeply__opens_or_is_refused(depth, tmp_path):
    path = tmp_path / "a.skad"
    encoded = b"[" * depth + b"]" * depth
    header = b'{"versions":{},"arrays":[],"estimator":%b}' % encoded
    path.write_bytes(framed(header, b""))
    if depth == 100:
        assert str(load(path)) == encoded.decode()
        return
    with pytest.raises(ValueError, match=r"cannot be (read|opened)"):
        load(path)


def test_doubled_references__take_no_time(tmp_path):
    """60 objects of which each holds the one before twice: 2^60 if walked along."""
    name = "sklearn.preprocessing.FunctionTransformer"
    encoded = {"object": [name, []]}
    for depth in range(60):
        # objects are numbered from the outside in
        again = {"same": 60 - depth}
        encoded = {"object": [name, [["func", encoded], ["inverse_func", again]]]}
    loaded = load(crafted(tmp_path / "a.skad", encoded))
    assert loaded.func is loaded.inverse_func


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {
                "module__hidden_dims": (30_000, 30_000),
                "module__activations": ("relu",) * 4,
            },
            "do not fit",
        ),
        ({"module__latent_dim": 2}, "do not fit"),
        ({"module__window_length": 10**9}, "do not fit"),
        ({"module__hidden_dims": (1,) * 10**4}, "10000 layers"),
        ({"module": torch.optim.Adam}, r"torch\.optim\.Adam is not a module"),
        ({"module": np.log1p}, r"numpy\.log1p is not a module"),
        ({"module__surprise": 1}, "surprise"),
    ],
)
def test_net_that_does_not_fit_its_weights__is_not_built(
    change, message, fitted, tmp_path, monkeypatch
):
    detector = copy.deepcopy(fitted["mlp"])
    vars(detector.net_).update(change)
    path = forged(tmp_path / "a.skad", detector)
    with pytest.raises(ValueError, match=message):
        save(detector, tmp_path / "b.skad")

    def no_net(*args):
        raise AssertionError("the net is being built")

    monkeypatch.setattr(ReconstructionNet, "__setstate__", no_net)
    with pytest.raises(ValueError, match=message):
        load(path)


@pytest.mark.parametrize("use", _names._PRIVATE)
def test_private_names__lead_somewhere_and_back(use):
    for name in _names._PRIVATE[use]:
        assert name_of(Names().look_up(name, use)) == name


def test_table__holds_every_public_estimator():
    public = {n for n in dir(skad) if is_estimator(getattr(skad, n))}
    named = _names._PUBLIC[_names.OBJECT]["skad"].split()
    assert public - {"BaseErrorModel"} | {"StreamScorer"} == set(named)


def is_estimator(thing):
    return isinstance(thing, type) and issubclass(thing, BaseEstimator)


# Versions -----------------------------------------------------------------------------


def test_other_versions__warn_and_say_both(tmp_path, fitted):
    header, view = read(save(fitted["mlp"], tmp_path / "a.skad"))
    versions = {"skad": "0.0.1", "scikit-learn": "1.5.0", "torch": "2.0.0"}
    path = tmp_path / "b.skad"
    crafted(path, header["estimator"], header["arrays"], bytes(view), versions)
    now = current_versions()
    with pytest.warns(UserWarning, match="was made with") as caught:
        load(path)
    (warning,) = caught
    assert warning.filename == __file__
    for name, then in versions.items():
        assert f"{name} {then} (now {now[name]})" in str(warning.message)


def test_version_of_torch__counts_for_nets_only(tmp_path):
    encoded = {"object": [LINEAR, []]}
    versions = {**current_versions(), "torch": "2.0.0", "python": "2.7"}
    assert load(crafted(tmp_path / "a.skad", encoded, versions=versions))


class Stamped(VersionedMixin, Doubling):
    """An estimator whose pickles carry versions."""


def test_pickles__warn_of_other_versions(rows, monkeypatch, tmp_path):
    X, _ = rows
    stamped = Stamped().fit(X)
    joblib.dump(stamped, tmp_path / "a.joblib")
    with monkeypatch.context() as patch:
        then = current_versions() | {"scikit-learn": "1.5.0"}
        patch.setattr("skad._base.current_versions", lambda: then)
        old = pickle.dumps(stamped)
    loaded = joblib.load(tmp_path / "a.joblib")
    np.testing.assert_array_equal(loaded.transform(X), stamped.transform(X))
    assert vars(loaded).keys() == vars(stamped).keys()
    assert vars(copy.deepcopy(stamped)).keys() == vars(stamped).keys()
    now = current_versions()["scikit-learn"]
    with pytest.warns(UserWarning, match=rf"Stamped.*scikit-learn 1\.5\.0 \(now {now}"):
        pickle.loads(old)
    path = save(stamped, tmp_path / "a.skad")
    assert b"_skad_versions" not in path.read_bytes()
    again = load(path, trusted=[Stamped])
    np.testing.assert_array_equal(again.transform(X), stamped.transform(X))


@pytest.mark.filterwarnings("ignore:.* was made with:UserWarning")
def test_file_of_format_1__still_opens():
    loaded = load(persistence_fixture.DATA / "format_1.skad")
    then = np.load(persistence_fixture.DATA / "format_1_decisions.npz")
    now = persistence_fixture.decisions(loaded)
    assert set(now) == set(then)
    for name, decisions in now.items():
        # another machine may round the last digits of a net otherwise
        np.testing.assert_allclose(decisions, then[name], rtol=1e-5, atol=1e-6)
    for estimator in loaded.values():
        clone(estimator)


# Writing ------------------------------------------------------------------------------


@pytest.fixture(params=["unnamed", "named"])
def _way(request, monkeypatch):
    """Temporary files without a name, where Linux has them, and with one."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


@pytest.fixture
def old(tmp_path):
    """A file that is to survive."""
    return save(LinearAutoencoder(3), tmp_path / "old.skad")


def assert_whole(path):
    assert load(path).latent_dim == 3
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.faults
@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("function", ["replace", "fsync"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_failure__leaves_the_old_file(function, error, old, monkeypatch):
    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(error):
            save(LinearAutoencoder(5), old)
    assert_whole(old)


class FullDisk(io.RawIOBase):
    """A file on a disk that is full after 100 bytes."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.room = 100

    def write(self, data):
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)
        return os.write(self.descriptor, data)


@pytest.mark.faults
@pytest.mark.usefixtures("_way")
def test_full_disk__leaves_the_old_file(old, monkeypatch):
    def on_full_disk(descriptor, mode, closefd):
        return FullDisk(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(_files, "open", on_full_disk, raising=False)
        with pytest.raises(OSError, match="No space left") as caught:
            save(LinearAutoencoder(5), old)
    assert caught.value.errno == errno.ENOSPC
    assert_whole(old)


@pytest.mark.usefixtures("_way")
def test_save__replaces_keeps_permissions_and_follows_links(old, tmp_path):
    old.chmod(0o640)
    link = tmp_path / "link.skad"
    link.symlink_to(old)
    save(LinearAutoencoder(5), link)
    assert link.is_symlink()
    assert load(old).latent_dim == 5
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.skad", "old.skad"]


def test_new_file__has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "other").touch()
    path = save(LinearAutoencoder(), str(tmp_path / "a.skad"))
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.faults
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_killed_save__leaves_the_old_file(moment, old):
    code = f"""
import os, sys, time
from skad import LinearAutoencoder, save
def wait(*args):
    print("writing", flush=True)
    time.sleep(60)
os.{moment} = wait
save(LinearAutoencoder(5), {str(old)!r})
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert load(old).latent_dim == 3
    if moment == "fsync" and has_unnamed_files(old.parent):
        assert_whole(old)


def has_unnamed_files(folder):
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY))
    except (OSError, AttributeError):
        return False
    return True


@pytest.mark.faults
def test_threads__may_save_to_one_path(old):
    detectors = [LinearAutoencoder(n) for n in range(1, 9)]
    threads = [threading.Thread(target=save, args=(d, old)) for d in detectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load(old).latent_dim in range(1, 9)
    assert list(old.parent.iterdir()) == [old]
