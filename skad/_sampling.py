"""Which of many rows are looked at, where some of them tell as much."""

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(n: int, n_most: int) -> NDArray[np.intp]:
    """Positions of at most `n_most` of n rows, evenly spaced, all of them different."""
    return np.linspace(0, n - 1, min(n, n_most)).round().astype(int)
