"""The net in CONTRIBUTING.md is a whole detector, as it stands there."""

import inspect
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks


def _net_of_the_guide():
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = types.ModuleType("net_of_the_guide")
    sys.modules[module.__name__] = module  # pickles, and dataclasses, look there
    exec(block, vars(module))
    return module.GRUAutoencoder


GRUAutoencoder = _net_of_the_guide()


@pytest.mark.filterwarnings("ignore:latent_dim=:UserWarning")
@parametrize_with_checks([GRUAutoencoder(1, max_epochs=1, random_state=0)])
def test_sklearn_checks(estimator, check):
    state = np.random.get_state()  # noqa: NPY002, some checks of scikit-learn move it
    try:
        check(estimator)
    finally:
        np.random.set_state(state)  # noqa: NPY002


def test_docstring__has_the_shared_parameters_and_own_defaults():
    doc = inspect.getdoc(GRUAutoencoder)
    assert "random_state : int, RandomState instance or None, default=None" in doc
    assert re.search(r'error_model : .*, default="hybrid"', doc)
    assert "net_ : ReconstructionNet" in doc


def test_explain__adds_up(normal_beats):
    X = normal_beats[:40]
    detector = GRUAutoencoder(4, max_epochs=1, random_state=0).fit(X)
    parts = detector.explain(X).sum(axis=(1, 2))
    np.testing.assert_allclose(parts, -detector.score_samples(X))
