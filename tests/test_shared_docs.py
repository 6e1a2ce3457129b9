"""Docstrings are completed when a class is made, and never keep one from being made."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

import skad
from skad._docs import add_parameters

DOCS = {
    "none": None,
    "a sentence": "Mine.",
    "own parameter": """Mine.

    Parameters
    ----------
    alpha : float, default=np.nan
        My own.
    lr : float, default=0.5
        My own words.
    """,
    "odd sections": """Mine.

    Parameters
    ----------

    Attributes
    ----------
    other_ : {1, 2}, default=...

    Weird
    -----
    Nothing : at all
    """,
}
BASES = [skad.LinearAutoencoder, skad.MLPAutoencoder, skad.Autoencoder]


@pytest.mark.parametrize("base", BASES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("doc", DOCS)
def test_subclass_of_the_users__can_be_made_and_keeps_its_words(base, doc):
    text = DOCS[doc]
    mine = type("Mine", (base,), {"__doc__": text})
    below = type("Below", (mine,), {"__doc__": "Below."})
    assert (mine.__doc__ is None) == (text is None)
    assert "normal_label : object, default=None" in below.__doc__
    if doc == "own parameter":
        assert "alpha : float, default=np.nan\n    My own." in mine.__doc__
        assert mine.__doc__.count("lr : float") == 1
        assert "My own words." in below.__doc__


def test_inherited_default__is_that_of_the_class():
    @dataclass(eq=False, repr=False)
    class Mine(skad.MLPAutoencoder):
        """Mine."""

        max_epochs: int = 7
        device: str = "cpu"

    assert "max_epochs : int, default=7" in Mine.__doc__
    assert 'device : str, default="cpu"' in Mine.__doc__
    assert "batch_size : int, default=64" in Mine.__doc__


def test_rule_of_the_users__needs_no_docstring():
    class Lowest(skad.QuantileThreshold.__base__):
        def _find(self, scores, is_anomaly):
            return scores.min()

    assert Lowest().fit(np.arange(3.0)).threshold_ == 0


def test_function__keeps_its_own_entry_and_gets_the_others():
    @add_parameters("x : int\n    Shared.\ny : int\n    Shared, too.\nz : int\n    No.")
    def add(x, y):
        """Add.

        Parameters
        ----------
        x : float
            Own.
        """
        return x + y

    assert "x : float\n    Own.\ny : int\n    Shared, too." in add.__doc__
    assert "z : int" not in add.__doc__


def test_without_docstrings__what_needs_no_torch_is_there():
    """Skorch itself cannot be imported so."""
    names = "LinearAutoencoder, QuantileThreshold, WindowedDetector, find_events"
    code = f"from skad import {names}; LinearAutoencoder(2)"
    subprocess.run([sys.executable, "-OO", "-c", code], check=True)
