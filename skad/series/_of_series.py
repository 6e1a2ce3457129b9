"""What detectors of several series share: their units, words, and contributions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skad._nesting import find_layer, layers
from skad._validation import list_some
from skad._warnings import warn
from skad.series._explain import channel_names, find_explainer

_INDICATOR = "missingindicator_"  # as imputers name their columns
_LEAST_UNIT = 1e-200  # scores in a smaller one would be infinite


# Units --------------------------------------------------------------------------------


def _offset_of(detector) -> float:
    return float(np.squeeze(find_layer(detector, "offset_").offset_))


def spread_of(detector, X, params) -> float:
    """Distance from the threshold of the median row of fit, where that is the unit.

    0.0 where the threshold itself is.
    """
    offset = _offset_of(detector)
    if not np.isfinite(offset):
        raise ValueError(
            f"The detector has the threshold offset_={offset}, in whose unit no score "
            "can be told; expected a finite one."
        )
    if offset < 0:
        return 0.0
    scores = detector.score_samples(X, **params)
    return float(np.median(np.abs(scores - offset))) or 1.0


def scale_of(detector, spread) -> tuple[float, float]:
    """Shift and unit of the scores of a detector, which put its threshold at -1."""
    offset = _offset_of(detector)
    if offset < 0:
        return 0.0, max(-offset, _LEAST_UNIT)
    return offset + spread, spread


# Words --------------------------------------------------------------------------------


def say_of(name, call: Callable, *args: Any) -> Any:
    """Call, and say of what series an error is."""
    try:
        return call(*args)
    except Exception as error:
        if type(error) is ValueError:
            raise ValueError(f"Series {name!r}: {error}") from error
        error.add_note(f"(Series {name!r})")
        raise


def warn_together(names, heard) -> None:
    """Give each kind of warning once, with the names of the series it is of.

    Warnings are of one kind if they differ in numbers alone; one of them is shown.
    """
    kinds: dict[Any, list] = {}
    for name, told in zip(names, heard, strict=True):
        for message, category in told:
            # digits within names count
            kind = category, re.sub(r"\b\d[\d.,]*", "0", message)
            kinds.setdefault(kind, []).append((name, message))
    for (category, kind), told in kinds.items():
        concerned = list(dict.fromkeys(name for name, _ in told))
        others = concerned[1:]
        also = f" (Likewise: {list_some(others)}.)"
        text = f"Series {told[0][0]!r}: {told[0][1]}{also if others else ''}"
        warn(text, category, about=kind)


def judge(detector, labels) -> None:
    """Let a detector say where its labels may not be trusted."""
    for layer in layers(detector):
        if hasattr(layer, "_judge"):
            layer._judge(labels)
            return


# Contributions ------------------------------------------------------------------------


def explains_rows(detector) -> bool:
    """Whether a detector explains what it is given, behind any steps."""
    return any(hasattr(layer, "explain") for layer in layers(detector))


def shares_by_column(detector, X, n_columns, params) -> NDArray[np.float64]:
    """Explain rows by the columns of X; those that no step hands on have no share."""
    layer, inner = find_explainer(detector, X)
    shares = layer.explain(inner, **params)
    names = channel_names(detector, layer, X, inner, shares.shape)
    columns = list(getattr(X, "columns", [f"x{i}" for i in range(n_columns)]))
    if shares.ndim == 3 or names is None or list(names) == columns:
        return shares
    places = {str(name): place for place, name in enumerate(columns)}
    wide = np.zeros((len(shares), n_columns))
    for name, share in zip(map(str, names), shares.T, strict=True):
        place = places.get(name, places.get(name.removeprefix(_INDICATOR)))
        if place is None:
            raise ValueError(
                f"The detector explains {name!r}, which is no column of X; only steps "
                "that keep or drop columns can stand before it."
            )
        wide[:, place] += share
    return wide
