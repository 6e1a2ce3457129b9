"""What is to be built: plans of objects, among plain values."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from reprlib import repr as shown
from typing import Any

import numpy as np


@dataclass(eq=False, repr=False, slots=True)
class Plan:
    """An object to be built: its class and what is in it.

    `args` are those of the constructor of a trusted class, or the values of a named
    tuple; None for an object that is made without its constructor.
    """

    name: str
    cls: type
    state: dict[str, Any] = field(default_factory=dict)
    args: list | None = None

    def __repr__(self):
        return f"<{self.name}>"


@dataclass(eq=False, repr=False, slots=True)
class GeneratorPlan:
    """A `numpy.random.RandomState` to be built."""

    state: dict[str, Any]

    def __repr__(self):
        return "<RandomState>"


@dataclass(eq=False, repr=False, slots=True)
class DevicePlan:
    """A `torch.device` to be built."""

    text: str

    def __repr__(self):
        return f"<device {self.text}>"


@dataclass(eq=False, repr=False, slots=True)
class DistributionPlan:
    """A frozen distribution of scipy, whose own representation differs each time."""

    name: str
    made: Any

    def __repr__(self):
        return f"<{self.name}>"


def class_of(value: Any) -> type | None:
    """Class of what is to be built, None for a value that is there."""
    if isinstance(value, Plan):
        return value.cls
    if isinstance(value, DevicePlan):
        import torch

        return torch.device
    return np.random.RandomState if isinstance(value, GeneratorPlan) else None


def plans_in(value: Any, place: str = "") -> Iterator[tuple[str, Plan]]:
    """Yield each plan once, with the way to it, as ``steps[0][1].scale_``."""
    seen: set[int] = set()
    open_: list[Iterator[tuple[str, Any]]] = [
        iter([(place, value)])
    ]  # what is being walked through
    while open_:
        found = next(open_[-1], None)
        if found is None:
            open_.pop()
            continue
        place, value = found
        if id(value) not in seen and isinstance(value, _CONTAINERS):
            if isinstance(value, Plan):
                seen.add(id(value))
                yield place, value
            open_.append(_inside(place, value))


# A place is made for every item: a name of a megabyte would be copied for each.
_MAX_NAME = 100
_CONTAINERS = (Plan, dict, list, tuple, np.ndarray)


def _inside(place, value):
    """Yield what a container holds, with the way to it."""
    if isinstance(value, Plan):
        for name, item in value.state.items():
            yield f"{place}.{name[:_MAX_NAME]}".lstrip("."), item
        value = value.args or ()
    if isinstance(value, dict):
        yield from ((f"{place}[{shown(key)}]", item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"{place}[{i}]", item) for i, item in enumerate(value))
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from ((f"{place}[{i}]", item) for i, item in enumerate(value.flat))
