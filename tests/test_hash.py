"""Equal fits are equal for ``joblib.hash``, which caches go by."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from sklearn.base import clone
from test_fitted import ALL, fit, say

pytestmark = pytest.mark.filterwarnings("ignore")


def hashes():
    """Hash of a fit of each estimator."""
    return {name: joblib.hash(fit(clone(model))) for name, model in ALL.items()}


@pytest.mark.parametrize("name", ALL)
def test_equal_fits__have_one_hash(name):
    one, other = fit(clone(ALL[name])), fit(clone(ALL[name]))
    expected = joblib.hash(one)
    assert joblib.hash(other) == expected
    say(other)
    assert joblib.hash(other) == expected
    assert joblib.hash(fit(other)) == expected
    again = pickle.loads(pickle.dumps(one))
    assert joblib.hash(again) == expected


@pytest.mark.slow
def test_equal_fits__have_one_hash_in_other_processes():
    program = "import test_hash; print(test_hash.hashes())"
    found = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            cwd=Path(__file__).parent,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {f"{hashes()}\n"}
