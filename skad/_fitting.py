"""Decorators of every `fit` and of what is called after it, and what they keep.

`fit_method` keeps the parameters of `fit`, and `after_fit` computes with them: what is
changed later counts at the next `fit`. In both, numpy's settings are those of a new
process.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar, cast

import numpy as np
from sklearn import get_config, set_config

from skad._validation import fit_context

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E")

_PARAMS = "_fit_params_"
# numpy's error handling as it is at the start of Python
_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_TINY = 5e-324  # equals zero while the processor flushes subnormal numbers
_CONSTANTS = (bool, int, float, str, bytes, type(None))


def standard_numbers() -> AbstractContextManager:
    """Compute as in a new process, whatever the thread has set.

    That is numpy's error handling, and subnormal numbers, which
    ``torch.set_flush_denormal`` may have turned off.
    """
    if _TINY == 0.0 and "torch" in sys.modules:
        return _with_subnormals(sys.modules["torch"].set_flush_denormal)
    return np.errstate(**_ERRORS)  # type: ignore[arg-type]


@contextmanager
def _with_subnormals(set_flush_denormal):
    set_flush_denormal(False)
    try:
        with standard_numbers():
            yield
    finally:
        set_flush_denormal(True)


def with_standard_numbers(function: F) -> F:
    """Decorate a public function: numpy's settings are those of a new process."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        with standard_numbers():
            return function(*args, **kwargs)

    return cast(F, wrapped)


def fit_method(fit: F) -> F:
    """Decorate `fit`: parameters are checked and kept, and it is all or nothing.

    If it raises, the estimator is as it was before. Ctrl-C counts, so that a fitted
    detector never ends up half of one fit and half of another. Whatever `fit` keeps
    from an earlier fit it must replace, not change. scikit-learn's settings, which its
    own `fit` changes for a while, are put back, too.
    """
    checked = fit_context(fit)

    @functools.wraps(fit)
    def wrapped(self, *args, **kwargs):
        before, settings = vars(self).copy(), get_config()
        try:
            vars(self).pop(_PARAMS, None)
            params = self.get_params(deep=False)
            with standard_numbers():
                result = checked(self, *args, **kwargs)
            setattr(self, _PARAMS, params)
            return result
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            set_config(**settings)
            raise

    return cast(F, wrapped)


def after_fit(method: F) -> F:
    """Decorate what is called after `fit`: it sees the parameters of that."""

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with standard_numbers():
            return method(as_fitted(self), *args, **kwargs)

    return cast(F, wrapped)


def as_fitted(estimator: E) -> E:
    """Return an estimator with the parameters that `fit` was told.

    It is the estimator itself, or a shallow copy if they were changed since; so too if
    nothing is known of them, before `fit` and in estimators of other libraries.
    """
    state = vars(estimator)
    params = state.get(_PARAMS)
    if params is None or all(state.get(n) is value for n, value in params.items()):
        return estimator
    copied = object.__new__(type(estimator))
    vars(copied).update(state | params)
    del vars(copied)[_PARAMS]
    return copied


def detached(estimator: E) -> E:
    """Return a shallow copy of a fitted estimator; anything in it may be replaced."""
    copied = object.__new__(type(estimator))
    vars(copied).update(vars(as_fitted(estimator)))
    vars(copied).pop(_PARAMS, None)
    return copied


class KeepsParams:
    """Mixin for estimators: pickles hold parameters of fit that were changed since."""

    def __getstate__(self):
        state = dict(super().__getstate__())  # type: ignore[misc]
        if _PARAMS in state:
            params = state[_PARAMS].items()
            state[_PARAMS] = {n: v for n, v in params if not _same(v, state.get(n))}
        return state

    def __setstate__(self, state):
        state = dict(state)
        # skad 0.1.0 kept no parameters: they count as unchanged
        is_fitted = any(name.endswith("_") for name in state)
        changed = state.pop(_PARAMS, {})
        super().__setstate__(state)  # type: ignore[misc]
        if is_fitted:
            params = self.get_params(deep=False)  # type: ignore[attr-defined]
            setattr(self, _PARAMS, params | changed)


def _same(one, other) -> bool:
    """Whether values are one object, or equal constants, which have no identity."""
    if one is other:
        return True
    return type(one) is type(other) and isinstance(one, _CONSTANTS) and one == other
