"""Figures of several detectors on one test part, with their protocol."""

from dataclasses import dataclass, field
from html import escape
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# figure: (heading, format)
FIGURES = {
    "roc_auc": ("ROC-AUC", ".3f"),
    "average_precision": ("AP", ".3f"),
    "precision": ("precision", ".3f"),
    "recall": ("recall", ".3f"),
    "f1": ("F1", ".3f"),
    "event_f1": ("event F1", ".3f"),
    "delay": ("delay", ".1f"),
    "false_alarms_per_day": ("alarms/day", ".2f"),
    "fit_seconds": ("fit s", ".2f"),
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EvaluationReport:
    """Figures of detectors on rows that none has seen, and how they were obtained.

    Made by :func:`evaluate`. It prints as an aligned table above the protocol.

    Attributes
    ----------
    table : DataFrame
        One row for each detector, then one for each reference, with the columns

        - "roc_auc", "average_precision": of the scores;
        - "precision", "recall", "f1": of the rows predicted to be anomalies;
        - "event_f1", "delay", "false_alarms_per_day": `event_fbeta_score`,
          `detection_delay` in rows, and `false_alarms_per_day`; only if the rows are
          points of a series (the last one if their index holds dates or durations);
        - those of `metrics`, under their names;
        - "fit_seconds": elapsed time of `fit`;
        - the same with the suffix "_std": standard deviation over seeds (with n - 1),
          nan for a single run;
        - "n_runs": number of runs, one for each seed if the detector is random;
        - "is_reference": whether it is there for comparison.

    runs : DataFrame
        The single runs, with the columns "detector", "seed" (missing for detectors that
        are not random), the figures, and "threshold".
    protocol : tuple of str
        How the figures were obtained, and reasons to doubt them.
    detectors : dict of str to estimator
        The detectors fitted with the first seed, with their thresholds.
    scores : dict of str to ndarray of shape (n_test, n_runs)
        The scores of the test rows by each detector and reference but "flag all",
        higher = more normal: a column for each of its runs, in the order of `runs`.

    See Also
    --------
    evaluate : Make a report.
    """

    table: pd.DataFrame
    runs: pd.DataFrame
    protocol: tuple[str, ...]
    detectors: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __repr__(self) -> str:
        lines = self._cells().to_string().splitlines()
        own = self.table[~self.table["is_reference"]]
        if len(own) < len(self.table):
            n_lines = len(own) + int((own["n_runs"] > 1).sum())
            lines.insert(1 + n_lines, "references")
        lines += ["", "Protocol"]
        lines += [fill(f"- {x}", 88, subsequent_indent="  ") for x in self.protocol]
        return "\n".join([self._title(), "", *lines])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(line)}</li>" for line in self.protocol)
        table = self._cells().to_html(border=0)
        return f"<p>{self._title()}</p>\n{table}\n<ul>{items}</ul>"

    def _title(self) -> str:
        n_references = int(self.table["is_reference"].sum())
        n_detectors = len(self.table) - n_references
        s = "" if n_detectors == 1 else "s"
        return f"Evaluation: {n_detectors} detector{s}, {n_references} references"

    def _cells(self) -> pd.DataFrame:
        """Return the table as text: means, and below them the spread over seeds."""
        figures = [name for name in self.table if f"{name}_std" in self.table]
        shown = {name: FIGURES.get(name, (name, ".3f")) for name in figures}
        names, cells = [], []
        for name, row in self.table.iterrows():
            names.append(name)
            cells.append([f"{row[f]:{shown[f][1]}}" for f in shown])
            if row["n_runs"] > 1:
                names.append("  ±")
                cells.append([f"{row[f + '_std']:{shown[f][1]}}" for f in shown])
        return pd.DataFrame(cells, names, [heading for heading, _ in shown.values()])
