"""Windows of a table that a detector learns from, by the positions of their rows."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from skad._validation import column_or_1d
from skad._warnings import warn
from skad.series._events import in_ranges
from skad.series._rows import Rows
from skad.series._windows import count_in_window, windows_view


@dataclass(frozen=True, eq=False)
class TableWindows:
    """Windows of a table, by their first rows."""

    table: np.ndarray  # (n_timestamps, n_channels)
    rows: Rows
    window_length: int
    starts: np.ndarray  # first rows of the windows, ascending
    judged: np.ndarray  # which rows have scores that place a threshold

    @property
    def view(self) -> np.ndarray:
        """All windows of the table, one from every row on, without a copy."""
        return windows_view(self.table, self.window_length)

    def gather(self) -> np.ndarray:
        """Windows as rows of an array: a view if they are all windows of the table."""
        view = self.view
        return view if len(self.starts) == len(view) else view[self.starts]

    def without(self, rows) -> "TableWindows":
        """Leave out rows, and the windows that most of them are in.

        The score of a row is that of all windows that cover it: beside a stretch, too,
        rows look odd, in windows that hold hardly any of it.
        """
        is_odd = np.zeros(len(self.table), dtype=bool)
        is_odd[rows] = True
        n_odd = count_in_window(is_odd, self.starts, self.window_length)
        kept = self.starts[2 * n_odd < self.window_length]
        return replace(self, starts=kept, judged=self.judged & ~is_odd)

    def split_off_tails(self, fraction) -> "tuple[TableWindows, TableWindows | None]":
        """Split into windows to train on and the last ones of each series.

        No row is in both: windows between them are dropped. If that leaves too few to
        train on, none are split off, with a warning.
        """
        train, tails = [], []
        series = self.rows.series_codes[self.starts]
        for one in np.unique(series):
            own = self.starts[series == one]
            tails.append(own[-max(2, round(fraction * len(own))) :])
            train.append(own[own + self.window_length <= tails[-1][0]])
        n_train = sum(map(len, train))
        if 2 * n_train < len(self.starts) or n_train < 2:
            warn(
                f"Only {n_train} of {len(self.starts)} windows would remain to train "
                f"on, beside the tails to validate on and the {self.window_length - 1} "
                "windows before each that overlap them; training on all of them, "
                "without early stopping."
            )
            return self, None
        starts = np.sort(np.concatenate(tails))
        last = starts + self.window_length - 1
        judged = self.judged & in_ranges(starts, last, len(self.table))
        return (
            replace(self, starts=np.sort(np.concatenate(train))),
            replace(self, starts=starts, judged=judged),
        )


def refuse_too_few(starts, window_length, is_normal, y, normal_label):
    """Say why there are too few windows to learn from."""
    which, hint = "are there", "Use a shorter window."
    if normal_label is not None:
        which = f"hold nothing but rows with normal_label={normal_label!r}"
    if not is_normal.any():
        given = f"Of the {len(y)} rows given to fit (in a search: to train a split)"
        hint = f"{given}, y holds {pd.unique(column_or_1d(y))[:6].tolist()}."
    raise ValueError(
        f"Only {len(starts)} windows of {window_length} rows {which}; at least 2 are "
        f"needed. {hint}"
    )


def warn_of_short_segments(bounds, window_length, consequence) -> None:
    """Warn of segments shorter than a window, and say what becomes of them."""
    lengths = np.diff(bounds, axis=1).ravel()
    short = lengths[lengths < window_length]
    if len(short):
        warn(
            f"{len(short)} of {len(bounds)} segments, {short.sum()} of "
            f"{lengths.sum()} rows, are shorter than window_length="
            f"{window_length} and are {consequence}."
        )
