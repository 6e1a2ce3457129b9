"""Blocks of one window and some padding that give the bits of whole ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skad.detectors._checks import check_outputs
from skad.detectors._windows import all_windows

# Sizes of blocks to try. Few rows may be multiplied in another way than 64: up to 3 are
# by MKL, more by OpenBLAS where the matrix is small.
_SIZES = (1, 2, 4, 6, 8, 12, 16, 32)


def in_small_blocks(detector) -> Any:
    """Return a copy of a fitted detector with the smallest blocks that keep all bits.

    Judged by all that comes out of windows which vary as normal ones do: thousands of
    numbers, of which most differ where one layer rounds otherwise. The detector itself
    where only whole blocks do.
    """
    windows = all_windows(_some_windows(detector))
    expected = [*_outputs(detector, windows)]
    for size in _SIZES:
        few = detector._in_blocks_of(size)
        if all(map(_equal, _outputs(few, windows), expected)):
            return few
    return detector


def blocks_of_one(detector, windows) -> Iterator[tuple]:
    """Yield (slice, residuals, codes) of each window, at the front of a small block."""
    for row in range(len(windows)):
        at = slice(row, row + 1)
        block = padded(windows.gather(at), detector._block)
        block = block.reshape(-1, detector.window_length_, detector.n_channels_)
        reconstruction, codes = detector._reconstruct_block(block)
        residuals = np.subtract(block[:1], reconstruction[:1])
        own = None if codes is None else codes[:1]
        check_outputs(residuals, own, at)
        yield at, residuals.astype(np.float64, copy=False), own


def padded(block, n_windows) -> np.ndarray:
    """Put zeros behind windows that are fewer than so many; returns floats."""
    if block.dtype.kind != "f":
        block = block.astype(np.float64)
    if len(block) >= n_windows:
        return block
    padding = np.zeros((n_windows - len(block), block.shape[1]), block.dtype)
    return np.concatenate([block, padding])


def _some_windows(detector) -> np.ndarray:
    """Make a block of windows around the mean of those of fit, most of them odd."""
    shape = detector._block, detector.window_length_, detector.n_channels_
    noise = np.random.default_rng(0).normal(size=shape)
    noise *= np.geomspace(0.1, 10, len(noise))[:, None, None]
    reference = getattr(detector, "reference_", None)  # files of 0.1.0 lack it
    if reference is not None:
        noise = reference.mean + reference.units * noise
    return noise.reshape(len(noise), -1)


def _outputs(detector, windows) -> Iterator[list[np.ndarray]]:
    """Yield residuals, codes and errors of each window."""
    model = detector.error_model_
    for at, residuals, codes in detector._blocks(windows):
        outputs = [residuals, model.timestep_errors(residuals, codes)]
        outputs += [model.window_errors(residuals, codes)]
        outputs += [] if codes is None else [codes]
        for row in range(at.stop - at.start):
            yield [one[row] for one in outputs]


def _equal(some, others) -> bool:
    return all(map(np.array_equal, some, others))
