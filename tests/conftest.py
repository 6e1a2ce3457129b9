"""Small data, and the promise that no test moves a global random state.

torch and the like are imported where they are needed: the process that hands out the
tests to others reads this file too.
"""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # or scikit-learn skips a check
# Each process of tests has one core. Processes that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import signal
from pathlib import Path

import faults_tally
import hypothesis
import numpy as np
import pytest

# The same cases in every run, or as many new ones a test as the user asks for.
n_cases = os.environ.get("SKAD_FUZZ_EXAMPLES")
hypothesis.settings.register_profile("fixed", deadline=None, derandomize=True)
hypothesis.settings.register_profile(
    "thorough", deadline=None, derandomize=False, max_examples=int(n_cases or 1000)
)
hypothesis.settings.load_profile("thorough" if n_cases else "fixed")


@pytest.fixture(autouse=True)
def _global_random_states_stay():
    """Fail every test after which numpy's or torch's global generator has moved."""
    import torch

    numpy_before = np.random.get_state()  # noqa: NPY002, it is what we guard
    torch_before = torch.get_rng_state()
    yield
    numpy_after = np.random.get_state()  # noqa: NPY002
    moved = [
        name
        for name, same in {
            "numpy": all(map(np.array_equal, numpy_before, numpy_after)),
            "torch": torch.equal(torch_before, torch.get_rng_state()),
        }.items()
        if not same
    ]
    assert not moved, f"global random state moved: {moved}"


@pytest.fixture
def ctrl_c():
    """Let Ctrl-C raise KeyboardInterrupt, also in a shell job that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def beats():
    """400 normal and 100 abnormal beats: X (500, 187) and y (0 is normal)."""
    from skad import make_heartbeats

    return make_heartbeats(400, 100, random_state=0)


@pytest.fixture(scope="session")
def normal_beats(beats):
    """400 normal beats."""
    X, y = beats
    return X[y == 0]


@pytest.fixture(scope="session")
def data_folder():
    """Folder of the real data; tests that need it are skipped where it is not."""
    folder = Path(os.environ.get("SKAD_DATA", ""))
    if not (folder / "ecg_heartbeat").is_dir():
        pytest.skip("SKAD_DATA does not name the folder of the real data")
    return folder


@pytest.fixture(scope="session")
def real_beats(data_folder):
    """Normal beats to train on, and labelled ones (0 is normal) to judge."""
    from skad import load_heartbeats

    folder = data_folder / "ecg_heartbeat"
    X_train, _ = load_heartbeats(folder / "normal_train.csv.gz")
    X_test, y_test = load_heartbeats(folder / "dev_valid.csv.gz")
    return X_train, X_test, y_test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Count a marked test that does not count its cases itself as one."""
    before = faults_tally.tried.copy()
    result = yield
    for group in faults_tally.GROUPS:
        if (
            item.get_closest_marker(group)
            and faults_tally.tried[group] == before[group]
        ):
            faults_tally.tried[group] += 1
            faults_tally.survived[group] += 1
    return result


def pytest_sessionfinish(session):
    """Hand the counts of a worker of pytest-xdist to its controller."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["faults_tally"] = faults_tally.as_dicts()


@pytest.hookimpl(optionalhook=True)  # there is none without pytest-xdist
def pytest_testnodedown(node):
    """Add the counts of a worker; one that crashed hands over none."""
    if counts := getattr(node, "workeroutput", {}).get("faults_tally"):
        faults_tally.add(counts)


def pytest_terminal_summary(terminalreporter):
    """Print how many faults and fuzz cases there were, and how many went well."""
    for group, words in faults_tally.GROUPS.items():
        if n_tried := faults_tally.tried[group]:
            n_survived = faults_tally.survived[group]
            terminalreporter.write_line(f"{n_tried} {words}, {n_survived} survived")
