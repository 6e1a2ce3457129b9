"""Faults: interrupts, kills, threads, forks, and data in every strange shape."""

import copy
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import starmap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from faults_tally import case
from instances import ESTIMATORS
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

import skad
from skad import (
    LinearAutoencoder,
    MLPAutoencoder,
    SlidingWindow,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    clean_table,
    find_events,
    make_outlier_scorer,
    sliding_windows,
)
from skad.series._rows import read_rows
from skad.training import _private, _torch_state

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore::UserWarning")]

HOME = str(Path(skad.__file__).parent)
SETTINGS = sklearn.get_config()
SHORT = {"max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    """Rows that float16 and int16 hold exactly."""
    rng = np.random.default_rng(0)
    return rng.integers(-20, 21, size=(60, 4)).astype(float)


def outcome(estimator, X):
    """What an estimator says of rows."""
    name = "score_samples" if hasattr(estimator, "score_samples") else "transform"
    return np.asarray(getattr(estimator, name)(X))


# Ctrl-C -------------------------------------------------------------------------------

INTERRUPTED = {
    "linear": LinearAutoencoder(1, error_model="hybrid"),
    "mlp": MLPAutoencoder((4,), 1, max_grad_norm=1.0, **SHORT),
    "mlp-warm": MLPAutoencoder((4,), 1, warm_start=True, refit=False, **SHORT),
    "windowed": WindowedDetector(MLPAutoencoder((4,), 1, **SHORT), 3),
    "tuned": TunedThresholdDetector(LinearAutoencoder(1), cv=2),
    "sliding": SlidingWindow(2),
    "imputer": TimeSeriesImputer("time", add_indicator=True),
}


def is_reached(frame):
    """Whether a line is of skad, and such that a signal could come there.

    A tracer comes between `try` and what is tried too, where no signal is delivered;
    in `_torch_state` that would matter. Its own Ctrl-C comes by the alarm below.
    """
    name = frame.f_code.co_filename
    left_out = (_private.__file__, _torch_state.__file__)
    return name.startswith(HOME) and name not in left_out


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def lines_run(call):
    """Lines of skad that `call` runs, as code and number, in the order of first runs.

    When a `with` is left, its line is run once more, at a moment that a tracer can
    reach, but no signal can; so only the first run of each line counts.
    """
    lines = {}

    def trace(frame, event, arg):
        if not is_reached(frame):
            return None
        if event == "line":
            lines.setdefault((frame.f_code, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return list(lines)


def interrupted_at(line, call):
    """Press Ctrl-C before the first run of a line."""
    code, number = line

    def trace(frame, event, arg):
        if frame.f_code is not code:
            return None
        if event == "line" and frame.f_lineno == number:
            sys.settrace(None)
            press_ctrl_c()
        return trace

    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
    finally:
        sys.settrace(None)


def assert_as_before(estimator, before, threads):
    after = vars(estimator)
    assert after.keys() == before.keys()
    assert all(after[name] is value for name, value in before.items())
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert not _get_current_dispatch_mode_stack()
    assert not _torch_state._inside
    assert not _torch_state._lock.locked()
    assert sklearn.get_config() == SETTINGS


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("name", INTERRUPTED)
def test_ctrl_c_at_any_line_of_fit__leaves_the_estimator_as_it_was(name, X):
    y = np.repeat([1, -1, 1, -1], 15)
    fitted = clone(INTERRUPTED[name]).fit(X, y)
    expected, other = outcome(fitted, X), X[::-1]
    again = copy.deepcopy(fitted)
    lines = lines_run(lambda: again.fit(other, y))
    before, threads = dict(vars(fitted)), torch.get_num_threads()
    for line in lines:
        with case("faults"):
            interrupted_at(line, lambda: fitted.fit(other, y))
            assert_as_before(fitted, before, threads)
    np.testing.assert_array_equal(outcome(fitted, X), expected)
    unfitted = clone(fitted)
    with case("faults"):
        interrupted_at(lines[len(lines) // 2], lambda: unfitted.fit(X, y))
        assert set(vars(unfitted)) == set(unfitted.get_params(deep=False))


class Alarm:
    """Presses Ctrl-C after some seconds, wherever Python or C then is."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.handler = signal.signal(signal.SIGALRM, lambda *args: press_ctrl_c())
        # What Python cannot raise (in a destructor) it would print.
        self.hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *args):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.handler)
        sys.unraisablehook = self.hook


def was_interrupted(seconds, call, *args):
    """Whether Ctrl-C came before the end of a call, rather than just after it."""
    finished = []
    try:
        with Alarm(seconds):
            # No signal is handled between the end of the call and that of `extend`.
            finished.extend(starmap(call, [args]))
    except KeyboardInterrupt:
        return not finished
    return False


def seconds_of(call, *args):
    start = time.perf_counter()
    call(*args)
    return time.perf_counter() - start


needs_alarm = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no timer of signals here"
)


@pytest.mark.parametrize("name", INTERRUPTED)
def test_ctrl_c_as_settings_of_scikit_learn_change__they_are_as_before(
    name, X, monkeypatch
):
    """Between the change and the `try` that takes it back no line of ours is run."""
    before, change = sklearn.get_config(), sklearn._config.set_config
    y = np.repeat([1, -1, 1, -1], 15)
    fitted = clone(INTERRUPTED[name]).fit(X, y)

    def interrupted(**settings):
        change(**settings)
        if sklearn.get_config() != before:
            raise KeyboardInterrupt

    def checks_values(**settings):
        change(**settings)
        assert sklearn.get_config()["assume_finite"] == before["assume_finite"]

    monkeypatch.setattr(sklearn._config, "set_config", interrupted)
    with suppress(KeyboardInterrupt):
        fitted.fit(X, y)
    assert sklearn.get_config() == before
    # Functions of scikit-learn change settings of checks of parameters; nobody those of
    # checks of values, without which missing ones would be scored.
    monkeypatch.setattr(sklearn._config, "set_config", checks_values)
    clone(fitted).fit(X, y)
    outcome(fitted, X)


@pytest.mark.usefixtures("ctrl_c")
@needs_alarm
@pytest.mark.parametrize("name", ["mlp", "windowed"])
def test_ctrl_c_at_any_time_of_fit__leaves_the_estimator_as_it_was(name, X):
    fitted = clone(INTERRUPTED[name]).fit(X)
    expected, threads = outcome(fitted, X), torch.get_num_threads()
    duration = seconds_of(clone(fitted).fit, X)
    before = dict(vars(fitted))
    n_interrupted = 0
    for share in np.random.default_rng(0).uniform(0.001, 1, 40):
        with case("faults"):
            if was_interrupted(share * duration, fitted.fit, X[:50]):
                n_interrupted += 1
                assert_as_before(fitted, before, threads)
            else:  # the machine is less busy than when the fit was timed
                fitted = clone(INTERRUPTED[name])
                duration = min(duration, seconds_of(fitted.fit, X))
                before = dict(vars(fitted))
    assert n_interrupted > 5
    np.testing.assert_array_equal(outcome(fitted, X), expected)


def make_search(detector, **params):
    pipeline = Pipeline([("scale", StandardScaler()), ("detect", detector)])
    return GridSearchCV(
        pipeline,
        {"detect__latent_dim": [1, 2]},
        scoring=make_outlier_scorer("roc_auc"),
        cv=KFold(2),
        **params,
    )


@pytest.mark.usefixtures("ctrl_c")
@needs_alarm
def test_ctrl_c_in_a_grid_search__leaves_it_and_it_can_be_fitted_again(X):
    y = np.tile([1, -1], 30)
    search = make_search(MLPAutoencoder((4,), **SHORT))
    given = search.estimator["detect"]
    before, threads = dict(vars(given)), torch.get_num_threads()
    fitted = clone(search)
    duration = seconds_of(fitted.fit, X, y)
    n_interrupted = 0
    for share in np.random.default_rng(0).uniform(0.001, 1, 15):
        with case("faults"):
            if was_interrupted(share * duration, search.fit, X, y):
                n_interrupted += 1
            else:  # the machine is less busy than when the search was timed
                duration = min(duration, seconds_of(search.fit, X, y))
            assert_as_before(given, before, threads)
    assert n_interrupted > 3
    np.testing.assert_array_equal(
        search.fit(X, y).cv_results_["mean_test_score"],
        fitted.cv_results_["mean_test_score"],
    )


# Kills --------------------------------------------------------------------------------

KILLED = """
import sys, time
import numpy as np
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from skad import MLPAutoencoder, make_outlier_scorer

class Wait(Callback):
    def on_batch_end(self, net, **kwargs):
        print("training", flush=True)
        time.sleep(60)

detector = MLPAutoencoder((4,), 1, callbacks=[Wait()])
X = np.random.default_rng(0).normal(size=(60, 4))
if sys.argv[1] == "search":
    scoring = make_outlier_scorer("roc_auc")
    search = GridSearchCV(detector, {"latent_dim": [1, 2]}, scoring=scoring, cv=2)
    search.fit(X, np.tile([1, -1], 30))
else:
    detector.fit(X)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("what", ["fit", "search"])
def test_killed_training__leaves_no_file(what, tmp_path):
    folders = [tmp_path / name for name in ("here", "temporary", "home")]
    for folder in folders:
        folder.mkdir()
    names = ("TMPDIR", "HOME", "XDG_CACHE_HOME")
    places = dict(zip(names, map(str, [*folders[1:], folders[2]]), strict=True))
    with (
        subprocess.Popen(
            [sys.executable, "-c", KILLED, what],
            stdout=subprocess.PIPE,
            cwd=folders[0],
            env=os.environ | places,
        ) as process,
        case("faults"),
    ):
        assert process.stdout.readline() == b"training\n"
        process.kill()
        process.wait()
        left = [path.name for folder in folders for path in folder.rglob("*")]
        # torch makes a folder for its compiler in every process that trains
        assert [name for name in left if not name.startswith("torchinductor")] == []


class KillWorker(Callback):
    """Kill the process unless it is the one that made this callback."""

    def __init__(self, survivor):
        self.survivor = survivor

    def on_train_begin(self, net, **kwargs):
        if os.getpid() != self.survivor:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.filterwarnings("ignore")
def test_worker_dies__a_clear_error_and_the_next_search_works(X):
    y = np.tile([1, -1], 30)
    detector = MLPAutoencoder((4,), **SHORT)
    search = make_search(detector, n_jobs=2)
    deadly = clone(search).set_params(
        estimator__detect__callbacks=[KillWorker(os.getpid())]
    )
    with case("faults"):
        with pytest.raises(RuntimeError, match=r"worker process .* terminated"):
            deadly.fit(X, y)
        np.testing.assert_array_equal(
            search.fit(X, y).cv_results_["mean_test_score"],
            make_search(detector).fit(X, y).cv_results_["mean_test_score"],
        )


# Threads and processes ----------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["mlp", "lstm", "linear-hybrid", "windowed", "tuned-net"]
)
def test_twenty_threads__score_one_detector(name, X):
    detector = clone(ESTIMATORS[name]).fit(X)
    expected = detector.score_samples(X)
    barrier, scores = threading.Barrier(20), {}

    def score(i):
        barrier.wait()
        scores[i] = [detector.score_samples(X) for _ in range(3)]

    threads = [threading.Thread(target=score, args=(i,)) for i in range(20)]
    with case("faults"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(scores) == 20
        for got in scores.values():
            np.testing.assert_array_equal(got, [expected] * 3)


PROCESSES = """
import multiprocessing, sys
import numpy as np
import torch
from sklearn.base import clone
from skad import MLPAutoencoder

def score_and_fit(detector, X):
    return detector.score_samples(X), clone(detector).fit(X).score_samples(X)

if __name__ == "__main__":
    torch.set_num_threads(2)
    X = np.random.default_rng(0).normal(size=(300, 40))
    torch.ones(500, 500) @ torch.ones(500, 500)  # torch's threads run
    detector = MLPAutoencoder((8,), 2, max_epochs=2, random_state=0).fit(X)
    expected = detector.score_samples(X)
    for way in sys.argv[1:]:
        with multiprocessing.get_context(way).Pool(1) as pool:
            job = pool.apply_async(score_and_fit, (detector, X))
            for got in job.get(timeout=600):
                np.testing.assert_array_equal(got, expected)
        print(way)
"""


def test_child_process__scores_and_fits_as_its_parent(tmp_path):
    ways = multiprocessing.get_all_start_methods()
    script = tmp_path / "script.py"
    script.write_text(PROCESSES)
    result = subprocess.run(
        [sys.executable, script, *ways], capture_output=True, text=True, check=False
    )
    for way in ways:
        with case("faults"):
            assert way in result.stdout.split(), result.stderr


# Arrays -------------------------------------------------------------------------------


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


LAYOUTS = {
    "read-only": read_only,
    "fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "big-endian": lambda X: X.astype(">f8"),
    "big-endian float32": lambda X: X.astype(">f4"),
    "big-endian int16": lambda X: X.astype(">i2"),
    "float16": lambda X: X.astype(np.float16),
    "int8": lambda X: X.astype(np.int8),
    "int64": lambda X: X.astype(np.int64),
    "objects": lambda X: X.astype(object),
    "list": lambda X: X.tolist(),
    "frame": pd.DataFrame,
    "nullable Int64": lambda X: pd.DataFrame(X).astype("Int64"),
    "nullable Float64": lambda X: pd.DataFrame(X).astype("Float64"),
    "nullable Float32": lambda X: pd.DataFrame(X).astype("Float32"),
    "columns of several kinds": lambda X: pd.DataFrame(X).astype(
        {0: "Int16", 1: "float32", 2: "Float64", 3: "int64"}
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_any_layout__is_transformed_and_scored_as_float64(name, X):
    fitted = clone(ESTIMATORS[name]).fit(X, np.tile([1, -1], 30))
    expected = outcome(fitted, X)
    for layout, lay_out in LAYOUTS.items():
        with case("faults"):
            got = outcome(fitted, lay_out(X))
            np.testing.assert_allclose(got, expected, rtol=1e-5, err_msg=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["linear", "mlp", "windowed", "ffill", "tuned-cv"])
def test_any_layout__is_learnt_from_as_float64(name, layout, X):
    y = np.tile([1, -1], 30)
    expected = outcome(clone(ESTIMATORS[name]).fit(X, y), X)
    with case("faults"):
        got = outcome(clone(ESTIMATORS[name]).fit(LAYOUTS[layout](X), y), X)
        np.testing.assert_allclose(got, expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["linear", "mlp", "windowed", "ffill", "sliding"])
def test_booleans__are_numbers(name, X):
    flags = X > 0
    with case("faults"):
        expected = outcome(
            clone(ESTIMATORS[name]).fit(flags.astype(float)), flags * 1.0
        )
        for table in (
            flags,
            pd.DataFrame(flags),
            pd.DataFrame(flags).astype("boolean"),
        ):
            got = outcome(clone(ESTIMATORS[name]).fit(table), table)
            np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["Int64", "Float64", "boolean"])
def test_missing_in_nullable_columns__is_named_or_filled(kind, X):
    table = pd.DataFrame(X, columns=list("abcd"))
    values = (table > 0) if kind == "boolean" else table
    holed = values.astype(kind)
    holed.loc[7, "b"] = pd.NA
    plain = values.astype(float)
    plain.loc[7, "b"] = np.nan
    with case("faults"):
        for name in ("linear", "mlp", "windowed"):
            with pytest.raises(ValueError, match="contains NaN in row 7, column 'b'"):
                clone(ESTIMATORS[name]).fit(holed)
        for name in ("ffill", "linear-time"):
            got = clone(ESTIMATORS[name]).fit_transform(holed)
            np.testing.assert_array_equal(
                got, clone(ESTIMATORS[name]).fit_transform(plain)
            )


@pytest.mark.parametrize(
    "name", ["linear", "mlp", "windowed", "tuned", "ffill", "sliding"]
)
def test_doubled_column_names__are_refused(name, X):
    table = pd.DataFrame(X, columns=["a", "a", "b", "a"])
    fitted = clone(ESTIMATORS[name]).fit(X)
    with case("faults"):
        for estimator in (clone(fitted), fitted):
            before = dict(vars(estimator))
            with pytest.raises(
                ValueError, match=r"unique column names.*\n.*'a' 3 times"
            ):
                estimator.fit(table)
            assert vars(estimator) == before
    with case("faults"), pytest.raises(ValueError, match=r"same name: \['a'\]"):
        clean_table(table)


@pytest.mark.parametrize("mode", ["r", "c"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_memory_mapped_file__is_read_as_an_array(name, mode, X, tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, X)
    bytes_before = path.read_bytes()
    mapped = np.load(path, mmap_mode=mode)
    y = np.tile([1, -1], 30)
    with case("faults"):
        got = outcome(clone(ESTIMATORS[name]).fit(mapped, y), mapped)
        expected = outcome(clone(ESTIMATORS[name]).fit(X, y), X)
        np.testing.assert_array_equal(got, expected)
        assert path.read_bytes() == bytes_before


TEN_MILLION = """
import resource, sys
import numpy as np
from skad import LinearAutoencoder, MLPAutoencoder, WindowedDetector

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

series = np.load("series.npy", mmap_mode="r")
net = MLPAutoencoder((8,), 2, max_epochs=1)
detector = {"linear": LinearAutoencoder(2), "mlp": net}[sys.argv[1]]
windowed = WindowedDetector(detector, 16, stride=16).fit(series[:20_000])
windowed.score_samples(series[:100_000])
before = peak()
scores = windowed.score_samples(series)
assert scores.shape == (len(series),) and np.isfinite(scores).all()
assert np.allclose(scores[:99_000], windowed.score_samples(series[:100_000])[:99_000])
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_ten_million_rows__are_scored_in_bounded_memory(name, tmp_path):
    """Beside the scores (8 bytes a row) and the pages of the file, as much again."""
    pytest.importorskip("resource")
    n_rows = 10_000_000
    series = np.lib.format.open_memmap(
        tmp_path / "series.npy", "w+", dtype=np.float32, shape=(n_rows, 2)
    )
    tile = np.random.default_rng(0).normal(size=(10_000, 2)).astype(np.float32)
    for start in range(0, n_rows, len(tile)):
        series[start : start + len(tile)] = tile
    size = series.nbytes
    del series
    with case("faults"):
        result = subprocess.run(
            [sys.executable, "-c", TEN_MILLION, name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.stdout, result.stderr
        assert int(result.stdout) < size + 2 * 8 * n_rows


# Clocks -------------------------------------------------------------------------------

# Nights in which clocks go forward and back: 31 March and 27 October 2024.
NIGHTS = {"spring": "2024-03-30 12:00", "autumn": "2024-10-26 12:00"}


def night(name, freq="h", n_rows=48):
    """Hours around a change of clocks, as Amsterdam tells them."""
    index = pd.date_range(
        NIGHTS[name], periods=n_rows, freq=freq, tz="Europe/Amsterdam"
    )
    values = np.random.default_rng(0).normal(size=(n_rows, 2))
    return pd.DataFrame(values, index=index, columns=["a", "b"])


@pytest.mark.parametrize("freq", ["h", "10min"])
@pytest.mark.parametrize("name", NIGHTS)
def test_change_of_clocks__is_no_border(name, freq):
    table = night(name, freq, 200)
    assert table.index.tz_localize(None).has_duplicates == (name == "autumn")
    in_utc = table.tz_convert("UTC")
    with case("faults"):
        for X in (table, in_utc):
            np.testing.assert_array_equal(read_rows(X).bounds, [[0, 200]])
            assert len(sliding_windows(X, window_length=5)) == 196
        for estimator in (
            WindowedDetector(LinearAutoencoder(2), 5),
            SlidingWindow(5),
            TimeSeriesImputer("time"),
        ):
            got = outcome(clone(estimator).fit(table), table)
            np.testing.assert_array_equal(got, outcome(estimator.fit(in_utc), in_utc))
            # fitted in one zone, asked in another
            np.testing.assert_array_equal(got, outcome(estimator, table))


@pytest.mark.parametrize("name", NIGHTS)
def test_change_of_clocks__time_is_interpolated_as_it_passed(name):
    table = night(name)
    table["a"] = np.arange(48.0)
    expected = table.copy()
    table.loc[table.index[8:20], "a"] = np.nan
    with case("faults"):
        filled = TimeSeriesImputer("time").fit_transform(table)
        np.testing.assert_allclose(filled, expected)


@pytest.mark.parametrize("name", NIGHTS)
def test_change_of_clocks__event_lasts_as_long_as_it_took(name):
    table = night(name)
    y = np.where((np.arange(48) >= 10) & (np.arange(48) < 20), -1, 1)
    with case("faults"):
        events = find_events(y, index=table.index)
        assert len(events) == 1
        assert events.loc[0, "duration"] == pd.Timedelta("9h")
        assert events.loc[0, "start"] == table.index[10]


@pytest.mark.parametrize("name", NIGHTS)
def test_change_of_clocks__clean_table_keeps_every_hour(name):
    table = night(name)
    with case("faults"):
        pd.testing.assert_frame_equal(clean_table(table), table, check_freq=False)
        texts = table.set_axis(table.index.map(str), axis=0)
        assert clean_table(texts).index.equals(table.index.tz_convert("UTC"))
        half = texts.set_axis(
            [*texts.index[:40], *table.index[40:].tz_localize(None).map(str)]
        )
        with pytest.raises(
            ValueError, match="Row 40 of the index has no offset from UTC"
        ):
            clean_table(half)


def test_autumn_without_a_zone__is_refused_and_spring_is_bridged():
    with case("faults"):
        autumn = night("autumn").tz_localize(None)
        for call in (clean_table, WindowedDetector(LinearAutoencoder(1), 5).fit):
            with pytest.raises(ValueError, match="2024-10-27 02:00:00"):
                call(autumn)
        spring = night("spring").tz_localize(None)
        np.testing.assert_array_equal(read_rows(spring).bounds, [[0, 48]])


# What a program that uses skad may rely on --------------------------------------------

OFFLINE = """
import sys

def refuse(event, args):
    if event.startswith("socket.") and event != "socket.__new__":
        raise AssertionError(f"{event} {args}")

sys.addaudithook(refuse)
import numpy as np
import skad
for name in skad.__all__:
    getattr(skad, name)
X = np.random.default_rng(0).normal(size=(60, 4))
detector = skad.WindowedDetector(skad.MLPAutoencoder((4,), 1, max_epochs=1), 3).fit(X)
loaded = skad.load(skad.save(detector, "a.skad"))
assert (loaded.score_samples(X) == detector.score_samples(X)).all()
print("offline")
"""


def test_import_fit_and_load__open_no_connection(tmp_path):
    with case("faults"):
        result = subprocess.run(
            [sys.executable, "-c", OFFLINE],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.stdout == "offline\n", result.stderr
