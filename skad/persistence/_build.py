"""Plans to objects: the second half of `load`, which finds everything checked."""

from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skad.persistence._plans import DevicePlan, DistributionPlan, GeneratorPlan, Plan
from skad.persistence._types import defaults_of, is_of_skad


class Builder:
    """Builds each object once, and copies each array once."""

    def __init__(self) -> None:
        # id -> object and its plan or view: kept alive, it keeps its id
        self._made: dict[int, tuple[Any, Any]] = {}

    def build(self, value: Any) -> Any:
        """Build a value with all that is in it."""
        if id(value) in self._made:
            return self._made[id(value)][0]
        if isinstance(value, np.ndarray):
            return self._keep(value, self._array(value))
        build = _BUILDERS.get(type(value))
        return value if build is None else build(self, value)

    def _keep(self, value, made):
        self._made[id(value)] = made, value
        return made

    def _array(self, value: NDArray) -> NDArray:
        if value.dtype != object:
            return value.copy(order="K")
        if isinstance(value, np.ma.MaskedArray):  # setting an item would unmask it
            return np.ma.MaskedArray(self._array(value.data), value.mask.copy())
        self._list(value.reshape(-1))  # a view of an array that was made by reading
        return value

    def _list(self, value):
        """Build in the list itself, which was made by reading, too."""
        for i, item in enumerate(value):
            value[i] = self.build(item)
        return value

    def _plan(self, plan):
        args = plan.args
        if args is not None:
            made = self._keep(plan, plan.cls(*[self.build(item) for item in args]))
        else:
            made = self._keep(plan, plan.cls.__new__(plan.cls))
        self._set_state(plan, made)
        return made

    def _set_state(self, plan, made):
        state = self._dict(plan.state)
        if is_of_skad(plan.name):
            # Parameters that the class has been given since the file was written.
            defaults = defaults_of(plan.cls)
            state = {k: v for k, v in defaults.items() if k not in state} | state
        if not hasattr(made, "__setstate__"):
            if state:
                vars(made).update(state)
            return
        if plan.cls.__module__.startswith("sklearn."):
            # `load` has compared the version in the header, once for all objects.
            state["_sklearn_version"] = sklearn.__version__
        made.__setstate__(state)

    def _generator(self, plan):
        made = np.random.RandomState(np.random.MT19937())
        made.set_state(plan.state)
        return self._keep(plan, made)

    def _device(self, plan):
        import torch

        return torch.device(plan.text)

    def _dict(self, value):
        return {key: self.build(item) for key, item in value.items()}


_BUILDERS = {
    list: Builder._list,
    tuple: lambda self, value: tuple([self.build(item) for item in value]),
    dict: Builder._dict,
    Bunch: lambda self, value: Bunch(**self._dict(value)),
    Plan: Builder._plan,
    GeneratorPlan: Builder._generator,
    DevicePlan: Builder._device,
    DistributionPlan: lambda self, plan: plan.made,
}
