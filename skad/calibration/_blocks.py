"""Which windows are left out in turn."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from skad._warnings import in_threads


class LeftOut(NamedTuple):
    """What models say of windows that they have not learnt."""

    scores: np.ndarray
    # The block that each score belongs to: -1 where no model gives one, because there
    # are too few windows to leave it out.
    blocks: np.ndarray
    # Blocks of mean absolute residuals, (n_windows, n_channels); None among them says
    # that there are no residuals.
    errors: list[Any]

    @classmethod
    def at_once(cls, scores, errors) -> "LeftOut":
        """Scores of one model, in no block."""
        return cls(scores, np.full(len(scores), -1), [errors])

    @property
    def is_judged(self) -> np.ndarray:
        """Which of them are in a block."""
        return self.blocks >= 0

    def where(self, flags) -> "LeftOut":
        """Drop other scores."""
        return self._replace(scores=self.scores[flags], blocks=self.blocks[flags])

    def by_block(self) -> list[np.ndarray]:
        """Scores of each block."""
        numbers = np.unique(self.blocks[self.is_judged])
        return [self.scores[self.blocks == number] for number in numbers]


def consecutive_blocks(
    starts, reach, n_blocks
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split windows by their first rows (ascending) into blocks that follow each other.

    Yields positions of (windows to learn from, windows left out) for each block. A
    window that starts less than `reach` rows from one that is left out overlaps it, and
    is in neither. Blocks that would leave fewer than two windows to learn from are
    dropped.
    """
    for out in np.array_split(np.arange(len(starts)), min(n_blocks, len(starts))):
        first, last = starts[out[0]], starts[out[-1]]
        train = np.flatnonzero((starts <= first - reach) | (starts >= last + reach))
        if len(train) >= 2:
            yield train, out


def random_blocks(n_windows, n_blocks) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split windows that do not overlap at random, the same way at every call."""
    order = np.random.default_rng(0).permutation(n_windows)
    blocks = []
    for out in np.array_split(order, min(n_blocks, n_windows)):
        train = np.setdiff1d(np.arange(n_windows), out)
        if len(train) >= 2:
            blocks.append((train, np.sort(out)))
    return blocks


def blocks_of(rows, is_learnt, reach, n_blocks) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split windows, of which some are learnt, by the rows (ascending) they come from.

    Returns positions of (windows to learn from, windows to judge) for each block; those
    that are never learnt are judged with the learnt ones before them.
    """
    learnt = np.flatnonzero(is_learnt)
    if reach == 1:
        blocks = [
            (learnt[t], learnt[o]) for t, o in random_blocks(len(learnt), n_blocks)
        ]
        if blocks:
            judged = np.union1d(blocks[0][1], np.flatnonzero(~is_learnt))
            blocks[0] = blocks[0][0], judged
        return blocks
    blocks = [*consecutive_blocks(rows[learnt], reach, n_blocks)]
    firsts = [learnt[out[0]] for _, out in blocks[1:]]
    parts = np.split(np.arange(len(rows)), firsts)
    return [(learnt[t], part) for (t, _), part in zip(blocks, parts, strict=False)]


def run_blocks(call, blocks: Iterable[tuple]) -> list[Any]:
    """Call a function with the arguments of each block, at once if joblib is told so.

    In threads, whatever joblib is told, which share the windows: a strided view would
    be copied as a whole, and a net that is being fitted cannot be sent to a process.
    Blocks may be an iterator, of which no more are made at once than are needed.
    """
    call = in_threads(call)
    return Parallel(require="sharedmem")(delayed(call)(*block) for block in blocks)


def disagreement(parts, reach) -> float | None:
    """How far apart the medians of scores of blocks lie, in standard errors of a mean.

    None for fewer than two blocks, or if nothing varies within them.
    """
    if len(parts) < 2:
        return None
    spread = np.sqrt(np.mean([part.var() for part in parts]))
    medians = [np.median(part) for part in parts]
    n_independent = np.mean([len(part) for part in parts]) / reach
    return float(np.ptp(medians) / spread * n_independent**0.5) if spread else None


def overlap_of_rows(X, n_channels) -> int:
    """How many windows on, at least, a row of `X` shares nothing with this one.

    1 for rows that do not overlap. Windows that were cut from a table row by row, or in
    steps, repeat the end of the one before as their beginning; of k interleaved series,
    that of the one k rows before.
    """
    n_values = X.shape[1]
    some = np.asarray(X[:64])
    if len(some) <= 2:
        return 1
    for apart in range(1, max(2, len(some) // 2)):
        # where the first value of a later window stands in the first one
        begins = some[0, n_channels::n_channels] == some[apart, 0]
        for step in n_channels * (1 + np.flatnonzero(begins)):
            if np.array_equal(some[apart:, :-step], some[:-apart, step:]):
                return int(apart * -(-n_values // step))
    return 1
