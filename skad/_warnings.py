"""Warnings: once for each call of the user, at the line of that call."""

import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from types import FrameType
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

# Their lines are not the user's: they call what the user has handed to them.
_LIBRARIES = (
    *("skad", "sklearn", "joblib", "imblearn", "mlflow", "dask", "pandas", "numpy"),
    *("contextlib", "functools", "threading", "concurrent", "multiprocessing"),
)
# Where it is kept what has been said.
_TOLD = "__skad_told__"


class _Call(NamedTuple):
    """A call of the user that is running: where it stands, and what it has said."""

    frame: FrameType
    told: set[str]


_speaks: ContextVar[bool] = ContextVar("speaks", default=True)
_heard: ContextVar[list | None] = ContextVar("heard", default=None)
_call: ContextVar[_Call | None] = ContextVar("call", default=None)


def warn(
    message: str, category: type[Warning] = UserWarning, *, about: str = ""
) -> None:
    """Warn at the user's line that led here, once while the call there runs.

    That is the innermost line outside of libraries, whatever pipelines, searches,
    decorators and threads lie between. What one place in skad has to say, of each fold
    of a search or member of a union, is given once, unless it is `about` something
    else.
    """
    if not _speaks.get():
        return
    if (heard := _heard.get()) is not None:
        heard.append((message, category))
        return
    call, place = _running_call(), sys._getframe(1)
    what = f"{place.f_code.co_filename}, {place.f_lineno}: {about}"
    if what in call.told:
        return
    call.told.add(what)
    names = call.frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        call.frame.f_code.co_filename,
        call.frame.f_lineno,
        names.get("__name__", "<unknown>"),
        names.setdefault("__warningregistry__", {}),
    )


def silently(call: Callable[..., T], *args: Any) -> T:
    """Call what repeats, on parts of the rows, a call that has warned already.

    In a context of its own, which no Ctrl-C can leave behind.
    """
    context = copy_context()
    context.run(_speaks.set, False)
    return context.run(call, *args)


def overhear(call: Callable[..., T], *args: Any) -> tuple[T, list]:
    """Call, and keep what skad would warn of: messages with their categories.

    In a context of its own, so that threads do not hear each other.
    """
    context = copy_context()
    heard: list[tuple[str, type[Warning]]] = []
    context.run(_heard.set, heard)
    return context.run(call, *args), heard


def in_threads(call: Callable[..., T]) -> Callable[..., T]:
    """Have a call behave in other threads as in this one, its warnings included."""
    context = copy_context()
    context.run(_call.set, _running_call())

    def run(*args: Any) -> T:
        return context.copy().run(call, *args)

    return run


def _running_call() -> _Call:
    """Find the call of the user that is running.

    What it has said is kept among the variables of the function that the user has
    called, and so is gone with it. Where no line is the user's, as in the threads and
    processes of others, it is the outermost.
    """
    called = frame = sys._getframe(1)
    while _is_of_library(frame):
        if frame.f_back is None:
            given = _call.get()
            return _Call(frame, set()) if given is None else given
        called, frame = frame, frame.f_back
    return _Call(frame, called.f_locals.setdefault(_TOLD, set()))


def _is_of_library(frame) -> bool:
    """Whether a line is of skad, or of what calls it for the user."""
    name = frame.f_globals.get("__name__") or ""
    return name.partition(".")[0] in _LIBRARIES
