"""Rows of the table of speed.py: what is measured, and how a line is written."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score


@dataclass
class Beats:
    """Windows to learn from, windows to judge, and which of these are anomalies."""

    X_train: np.ndarray
    X_test: np.ndarray
    is_anomaly: np.ndarray

    def area(self, anomaly_scores):
        """ROC-AUC of scores of the judged windows."""
        return roc_auc_score(self.is_anomaly, anomaly_scores)


@dataclass
class Settings:
    """How much is measured, and where things are."""

    beats: Beats
    short: bool
    n_rounds: int
    n_epochs: int
    peers: Path | None
    folder: Path  # for files passed to other processes


@dataclass
class Row:
    """A line of the table: figures, of which the median counts, and their goal."""

    name: str
    figures: list[float]
    goal: float | None
    seconds: tuple = ()
    note: str = ""
    at_least: bool = False

    @classmethod
    def of_pairs(cls, name, pairs, goal, note=""):
        """Make the row of pairs of seconds, ours and theirs."""
        ratios = [ours / theirs for ours, theirs in pairs]
        return cls(name, ratios, goal, tuple(np.median(pairs, axis=0)), note)

    def misses(self):
        """Whether the median misses the goal."""
        if self.goal is None:
            return False
        median = np.median(self.figures)
        return median < self.goal if self.at_least else median > self.goal

    def __str__(self):
        figures = self.figures
        spread = f"[{min(figures):.3g}, {max(figures):.3g}]"
        goal = "" if self.goal is None else f"{'>=' if self.at_least else '<='} "
        goal += "" if self.goal is None else f"{self.goal:g}"
        seconds = " / ".join(f"{s:.2f}" for s in self.seconds)
        return (
            f"{self.name:38s} {np.median(figures):7.3g}  {spread:16s} {goal:8s} "
            f"{'misses' if self.misses() else '':7s} {seconds:14s} {self.note}"
        ).rstrip()


HEADER = (
    f"{'':38s} {'median':>7s}  {'[least, most]':16s} {'goal':8s} {'':7s} "
    f"{'CPU s':14s} quality, ours / theirs"
)


def areas(ours, theirs):
    """Write down how good both sides are."""
    return f"ROC-AUC {ours:.3f} / {theirs:.3f}"


class Kept:
    """A call that keeps what it returned last."""

    def __init__(self, function, *arguments):
        self.function = partial(function, *arguments)

    def __call__(self):
        """Call it."""
        self.result = self.function()
