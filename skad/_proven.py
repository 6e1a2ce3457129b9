"""The fastest form of a computation that is proven exact on this machine.

How a library of linear algebra rounds depends on its version, on the processor and on
shapes. What holds on one machine is no promise for the next, so a form is tried where
it is used, when its shape first comes.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1024)
def first_proven(
    forms: tuple[Hashable, ...], is_exact: Callable[..., bool], *shape: Hashable
) -> Any:
    """Find the first form for which ``is_exact(form, *shape)``, in this process.

    `forms` go from the fastest to one that cannot fail, which is not tried. The answer
    must depend on nothing but the arguments: it is remembered.
    """
    *doubtful, last = forms
    return next((form for form in doubtful if is_exact(form, *shape)), last)
