"""Files that were made to do harm: `load` and `audit` give them the same ValueError."""

import json
import os
import resource
import socket
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import hostile
import numpy as np
import pytest
import scipy.stats
from faults_tally import case, survived, tried
from instances import ESTIMATORS, Bottleneck
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skad import (
    LinearAutoencoder,
    MLPAutoencoder,
    TunedThresholdDetector,
    audit,
    load,
    make_outlier_scorer,
    save,
)
from skad.persistence import _files, _save_load
from skad.persistence._encode import Encoder

TRUSTED = [Bottleneck, "sklearn.tree._tree.Tree"]
NET = "skad.ReconstructionNet"


def refusal(path, **options):
    """What `load` and `audit` say against a file: the same."""
    said = []
    for function in (load, audit):
        with pytest.raises(ValueError, match=r"cannot be opened|.") as caught:
            function(path, **options)
        said.append(str(caught.value))
    assert said[0] == said[1]
    return said[0]


def forged(path, estimator, change=None):
    """Write an estimator that `save` may refuse, after a change of its header."""
    encoder = Encoder()
    encoded = json.loads(json.dumps(encoder.encode(estimator)))
    if change is not None:
        change(encoded)
    payload = b"".join(bytes(buffer) for buffer in encoder.buffers)
    arrays = json.dumps(encoder.arrays)
    header = hostile.header_of(json.dumps(encoded), arrays)
    path.write_bytes(hostile.framed(header, payload))
    return path


def attributes(encoded, name):
    """Pairs of the first object of a class in an encoded value."""
    if isinstance(encoded, dict):
        if encoded.get("object", [None])[0] == name:
            return encoded["object"][1]
        encoded = list(encoded.values())
    if isinstance(encoded, list):
        found = (attributes(item, name) for item in encoded)
        return next((pairs for pairs in found if pairs is not None), None)
    return None


def setting(name, key, value):
    """A change that sets an attribute of the first object of a class."""

    def change(encoded):
        pairs = attributes(encoded, name)
        pairs[:] = [pair for pair in pairs if pair[0] != key] + [[key, value]]

    return change


# What is set later --------------------------------------------------------------------

PIPELINE = Pipeline([("scale", StandardScaler()), ("detect", LinearAutoencoder())])
CACHED = Pipeline(PIPELINE.steps, memory="/tmp/cache")
HOLDER = BaggingClassifier()
HOLDER.estimators_ = ["/tmp/cache"]
LATER = {
    "grid": GridSearchCV(PIPELINE, {"memory": ["/tmp/cache"]}),
    "second grid": GridSearchCV(PIPELINE, [{}, {"memory": [None, "/tmp/cache"]}]),
    "nested": GridSearchCV(
        TunedThresholdDetector(PIPELINE), {"estimator__memory": ("/tmp/cache",)}
    ),
    "distribution": RandomizedSearchCV(PIPELINE, {"memory": ["/tmp/cache"]}),
    "array": GridSearchCV(PIPELINE, {"memory": np.array(["/tmp/cache"])}),
    "objects": GridSearchCV(
        PIPELINE, {"memory": np.array(["/tmp/cache", None], dtype=object)}
    ),
    "arguments": FunctionTransformer(kw_args={"memory": "/tmp/cache"}),
    "text of numpy": GridSearchCV(PIPELINE, {"memory": [np.str_("/tmp/cache")]}),
    "name of numpy": GridSearchCV(PIPELINE, {np.str_("memory"): ["/tmp/cache"]}),
    "ensemble": RandomizedSearchCV(PIPELINE, {"memory": HOLDER}),  # draws from it
    "scipy": RandomizedSearchCV(PIPELINE, {"memory": scipy.stats.norm()}),
}


@pytest.mark.parametrize("name", LATER)
def test_memory_that_a_search_would_set__is_refused(name, tmp_path):
    assert "pickles" in refusal(forged(tmp_path / "a.skad", LATER[name]))
    with pytest.raises(ValueError, match="pickles"):
        save(LATER[name], tmp_path / "b.skad")


def test_memory_of_a_pipeline_in_a_grid__is_refused(tmp_path):
    def bring_back(encoded):
        pairs = attributes(encoded, "sklearn.pipeline.Pipeline")
        next(pair for pair in pairs if pair[0] == "memory")[1] = "/tmp/cache"

    search = GridSearchCV(TunedThresholdDetector(PIPELINE), {"estimator": [CACHED]})
    for estimator in (CACHED, make_pipeline(CACHED), search):
        path = forged(tmp_path / "a.skad", estimator, bring_back)
        assert "pickles" in refusal(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_jobs", [10**6]),
        ("n_jobs", range(10**6)),
        ("n_jobs", scipy.stats.randint(1, 10**6)),
        ("tuned__estimator__n_jobs", [1, -(10**6)]),
        ("net_params", [{"iterator_train__num_workers": 4}]),
        ("net_params", [{"compile": True}]),
        ("net_params", [{"criterion": np.log1p}]),
        ("net_params", [{"iterator_valid": float}]),
        ("net_params", [{"dataset": np.float32}]),
    ],
)
def test_net_options_that_a_search_would_set__are_refused(key, value, tmp_path):
    search = GridSearchCV(MLPAutoencoder(), {key: value})
    assert refusal(forged(tmp_path / "a.skad", search))


# Types --------------------------------------------------------------------------------

SCALER = "sklearn.preprocessing.StandardScaler"
SHADOWS = ["transform", "fit", "_parameter_constraints", "__class__", "__dict__", "a b"]


@pytest.mark.parametrize("attribute", SHADOWS)
def test_attribute_that_hides_a_method__is_refused(attribute, tmp_path):
    value = {"name": "sklearn.metrics.f1_score"}
    change = setting(SCALER, attribute, value)
    assert refusal(forged(tmp_path / "a.skad", StandardScaler(), change))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latent_dim", "many"),
        ("latent_dim", -1),
        ("contamination", {"object": [SCALER, []]}),
        ("error_model", {"object": [SCALER, []]}),
        ("error_model", {"name": "numpy.log1p"}),
        ("normal_label", [[1]]),
    ],
)
def test_parameter_of_a_wrong_type__is_refused(key, value, tmp_path):
    change = setting("skad.LinearAutoencoder", key, value)
    path = forged(tmp_path / "a.skad", PIPELINE, change)
    if key == "normal_label":
        assert load(path) is not None  # any label may be the normal one
    else:
        assert key in refusal(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("module", {"name": "skad.ReconstructionLoss"}),
        ("module", {"name": "skad.ConvModule"}),
        ("criterion", {"name": "sklearn.metrics.f1_score"}),
        ("criterion", {"name": "skad.MLPModule"}),
        ("criterion__surprise", 1),
        ("iterator_train", {"name": "skad.MLPModule"}),
        ("iterator_train__num_workers", 2),
        ("iterator_valid__batch_size", {"name": "numpy.log1p"}),
        ("optimizer", {"name": "numpy.log1p"}),
        ("optimizer__lr", {"dict": [["memory", "/tmp"]]}),
        ("dataset", {"name": "skad.BatchIterator"}),
        ("compile", True),
        ("compile", 2),
        ("lr", None),
        ("input_noise", {"list": [0.1, 0.2]}),
        ("device", 7),
        ("train_split", 1),
        ("callbacks", [1]),
        ("torch_load_kwargs", {"dict": []}),
        ("module__hidden_dims", {"tuple": [10**9]}),
        ("module__hidden_dims", {"tuple": [1] * 10_000}),
        ("module__window_length", 2**60),
        ("module__window_length", "x" * 99),
    ],
)
def test_net_of_strange_parts__is_refused(key, value, fitted_net, tmp_path):
    def change(encoded):
        params = dict(map(tuple, attributes(encoded, NET)))["params"]["dict"]
        params[:] = [pair for pair in params if pair[0] != key] + [[key, value]]

    assert refusal(forged(tmp_path / "a.skad", fitted_net, change))


@pytest.mark.parametrize("key", ["params", "weights", "generator_state", "history"])
@pytest.mark.parametrize("value", [None, 1, "a", [], {"dict": []}, [1], {"array": 0}])
def test_net_without_a_part__is_refused(key, value, fitted_net, tmp_path):
    path = forged(tmp_path / "a.skad", fitted_net, setting(NET, key, value))
    if (key, value) == ("history", []):  # trained for no epoch
        assert load(path) is not None
    else:
        assert refusal(path)


REFERENCE = "skad.RobustReference"
PARTS = [
    *("mean", "units", "components", "shrinkage", "codes"),
    *("usual_residuals", "usual_distances", "largest_distances"),
]


@pytest.mark.parametrize("part", [*PARTS, "shares"])
@pytest.mark.parametrize("value", [None, 1, "a", [], {"dict": []}, {"array": 0}])
def test_reference_of_strange_parts__is_refused(part, value, tmp_path):
    X = np.random.default_rng(0).normal(size=(6, 12))
    detector = LinearAutoencoder(2, n_channels=3).fit(X)
    path = forged(tmp_path / "a.skad", detector, setting(REFERENCE, part, value))
    assert "reference" in refusal(path)


@pytest.fixture(scope="module")
def fitted_net():
    X = np.random.default_rng(0).normal(size=(40, 4))
    return clone(ESTIMATORS["mlp"]).fit(X)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("skad.OutlierMetric", "__name__", "accuracy of everything"),
        ("skad.OutlierMetric", "response", "fit"),
        ("skad.OutlierMetric", "metric", {"object": [SCALER, []]}),
        ("skad.OutlierMetric", "surprise", 1),
        ("sklearn.Scorer", "_score_func", "f1"),
        ("skad.OutlierScorer", "_score_func", "f1"),
        ("sklearn.Scorer", "_sign", 3),
        ("skad.OutlierScorer", "_sign", 3),
        ("sklearn.Scorer", "_response_method", "fit"),
        ("skad.OutlierScorer", "_response_method", "fit"),
        ("sklearn.Scorer", "_kwargs", {"dict": [["a", {"name": "numpy.log1p"}]]}),
        ("skad.OutlierScorer", "_kwargs", {"dict": [["a", {"name": "numpy.log1p"}]]}),
        ("sklearn.Scorer", "__call__", {"name": "numpy.log1p"}),
        ("skad.OutlierScorer", "__call__", {"name": "numpy.log1p"}),
    ],
)
def test_scorer_under_a_false_name__is_refused(name, key, value, tmp_path):
    of_sklearn = name == "sklearn.Scorer"
    scorer = make_scorer(f1_score) if of_sklearn else make_outlier_scorer("f1")
    assert refusal(forged(tmp_path / "a.skad", scorer, setting(name, key, value)))


# Files --------------------------------------------------------------------------------


def test_max_bytes__refuses_before_reading(tmp_path):
    path = save([np.zeros(1000)], tmp_path / "a.skad")
    size = path.stat().st_size
    assert f"{size} bytes, over max_bytes={size - 1}" in refusal(
        path, max_bytes=size - 1
    )
    assert len(load(path, max_bytes=size)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_regular_file__is_neither_read_nor_replaced(tmp_path):
    pipe, place = tmp_path / "pipe", tmp_path / "socket"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        for path in (pipe, place, Path("/dev/zero"), Path("/dev/null")):
            assert "not a regular file" in refusal(path)
            with pytest.raises(ValueError, match="not a regular file"):
                save(LinearAutoencoder(), path)
    assert pipe.is_fifo()
    for function in (load, audit, lambda path: save(LinearAutoencoder(), path)):
        with pytest.raises(IsADirectoryError):
            function(tmp_path)


def test_huge_file_of_nothing__is_refused_by_its_first_bytes(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**40)
    assert "not a model file" in refusal(path)


def test_length_of_the_header_beyond_the_file__is_refused(tmp_path):
    data = bytearray(hostile.framed(hostile.header_of("0")))
    data[20:28] = (2**63).to_bytes(8, "little")
    path = tmp_path / "a.skad"
    path.write_bytes(data)
    assert "altered" in refusal(path)


@pytest.mark.parametrize("length", [200, 255])
def test_long_names_of_files__can_be_saved(length, tmp_path):
    path = save(LinearAutoencoder(), tmp_path / ("a" * length))
    assert load(path) is not None
    assert [p.name for p in tmp_path.iterdir()] == ["a" * length]


@pytest.mark.faults
def test_folder_that_cannot_be_synced__is_no_error(tmp_path, monkeypatch):
    synced = []

    def fsync(descriptor):
        synced.append(descriptor)
        if len(synced) > 1:
            raise OSError("Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    assert load(save(LinearAutoencoder(), tmp_path / "a.skad")) is not None
    assert len(synced) == 2


@pytest.mark.faults
def test_ctrl_c_at_any_line_of_save__leaves_no_descriptor_and_a_whole_file(tmp_path):
    path = save(LinearAutoencoder(1), tmp_path / "a.skad")
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("descriptors cannot be counted here")
    before = len(list(folder.iterdir()))
    n_lines = count_lines(path)
    for stop in range(n_lines):
        with suppress(KeyboardInterrupt):
            interrupted_save(path, stop)
        with case("faults"):
            assert len(list(folder.iterdir())) == before
            assert load(path) is not None
            assert [p.name for p in tmp_path.iterdir()] == ["a.skad"]


def interrupted_save(path, stop):
    """Save, with a Ctrl-C before a line of skad's; returns the number of lines."""
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        code = frame.f_code
        is_files = f"{os.sep}persistence{os.sep}_files" in code.co_filename
        if not is_files or code.co_name == "__del__":  # from where nothing is raised
            return None
        if event == "line":
            seen += 1
            if seen == stop + 1:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        save(LinearAutoencoder(2), path)
    finally:
        sys.settrace(before)
    return seen


def count_lines(path):
    return interrupted_save(path, -2)


# Sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_costly_content__is_opened_or_refused(kind, tmp_path):
    path = tmp_path / "a.skad"
    path.write_bytes(hostile.KINDS[kind](20_000))
    try:
        load(path)
    except ValueError:
        refusal(path)


def test_numbers_as_keys__are_limited_and_texts_are_not(tmp_path):
    numbers = dict.fromkeys(range(10_001), 0)
    with pytest.raises(ValueError, match=r"10001 keys that are no text.*ids of series"):
        save(FunctionTransformer(kw_args=numbers), tmp_path / "a.skad")
    texts = {f"{i}": i for i in numbers}
    again = load(save(FunctionTransformer(kw_args=texts), tmp_path / "a.skad"))
    assert again.kw_args == texts


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="no limits here")
@pytest.mark.parametrize("seed", [0, 1])
def test_headers_changed_field_by_field__under_limits(seed, models):
    """Files with right checksums, in a process of limited memory and time."""
    n_cases = 50 * int(os.environ.get("SKAD_FUZZ_EXAMPLES", 10))
    script = Path(__file__).parent / "fuzz_files.py"
    run = subprocess.run(
        [sys.executable, str(script), str(models), str(n_cases), str(seed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    counts = json.loads(run.stdout.splitlines()[-1])
    assert sum(counts.values()) == n_cases
    assert min(counts.values()) > n_cases / 50
    tried["fuzz"] += n_cases
    survived["fuzz"] += n_cases


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with model files of each kind."""
    folder = tmp_path_factory.mktemp("models")
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = np.where(np.arange(60) % 7, 1, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # four channels need three values of code
        for name in ("linear-hybrid", "mlp", "conv", "lstm", "tail", "windowed-one"):
            save(clone(ESTIMATORS[name]).fit(X), folder / f"{name}.skad")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LinearAutoencoder()),
        {
            "linearautoencoder__latent_dim": range(1, 3),
            "standardscaler": ["passthrough"],
        },
        cv=2,
        scoring=make_outlier_scorer("f1"),
    )
    save(search.fit(X, y), folder / "search.skad")
    return folder


# Audit --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mlp", "tuned-cv", "custom", "windowed-one", "tail"])
def test_audit__lists_every_object_and_builds_none(name, tmp_path, monkeypatch):
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = np.where(np.arange(60) % 7, 1, -1)
    path = save(clone(ESTIMATORS[name]).fit(X, y), tmp_path / "a.skad")
    header = json.loads(_files.read_file(path)[0])
    n_objects = json.dumps(header).count('{"object": ')
    n_objects += json.dumps(header).count('{"namedtuple": ')
    monkeypatch.setattr(_save_load, "Builder", no_builder)
    contents = audit(path, trusted=TRUSTED)
    assert list(contents.columns) == ["place", "type", "parameters"]
    assert len(contents) == n_objects
    assert contents["place"][0] == ""
    told = contents["parameters"][0]
    assert told.keys() == ESTIMATORS[name].get_params(deep=False).keys()


def no_builder():
    raise AssertionError("something is being built")
