"""What labels say: figures, threshold curves, and references on the same rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from skad.evaluation._compare import evaluate
from skad.metrics._event_scores import event_precision_score, event_recall_score
from skad.metrics._report import detection_report
from skad.plotting._curves import label_curves
from skad.reporting._tables import Absent, Table, cell, share_cell

# References table: columns of `evaluate`, and what they are called on the page.
_FIGURES = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "event_f1": "Event F1",
}
_NO_LABELS = "No labels were given, so nothing can be said of right and wrong"


@dataclass(frozen=True, eq=False)
class Judged:
    """What labels say of the scores; an Absent where they say nothing.

    `figures` is a Table, `curves` what `label_curves` finds, `references` a Table, and
    `protocol` says how that was made. `event_recall` is None without events.
    """

    figures: Any
    curves: Any
    references: Any
    protocol: tuple[str, ...] = ()
    event_recall: float | None = None


def judge_record(record, X_fit, y_fit) -> Judged:
    """Compare scores with labels, if there are any."""
    if record.is_anomaly is None:
        why = f"{_NO_LABELS}."
        ranked = f"{_NO_LABELS}, nor can the detector be ranked beside references."
        return Judged(Absent(why), Absent(why), Absent(ranked))
    curves: Any = label_curves(record.scores, record.is_anomaly, 1.0)
    if not curves:
        curves = Absent("All rows are of one class, so every threshold is as good.")
    figures, event_recall = _figures_of(record)
    references, protocol = _references_of(record, X_fit, y_fit)
    return Judged(figures, curves, references, protocol, event_recall)


def _figures_of(record) -> tuple[Table, float | None]:
    """Figures at the threshold in force."""
    truth, flags = record.is_anomaly, record.is_flagged
    report = detection_report(truth, flags)
    cells = {
        "Anomalies found": cell(report.n_detected),
        "Anomalies missed": cell(report.n_missed),
        "False alarms": cell(report.n_false_alarms),
        "Precision": share_cell(report.precision),
        "Recall": share_cell(report.recall),
        "F1": cell(report.fbeta),
    }
    recall = None
    if record.is_in_time and truth.any():
        recall = float(event_recall_score(truth, flags, index=record.rows))
        precision = event_precision_score(truth, flags, index=record.rows)
        cells["Event precision"] = share_cell(precision)
        cells["Event recall"] = share_cell(recall)
    caption = "Labels against flags, at the threshold in force."
    return Table(caption, [*cells], [[*cells.values()]]), recall


def _references_of(record, X_fit, y_fit) -> tuple[Any, tuple[str, ...]]:
    """Fit and score the references, which must have learnt from the same rows."""
    if not record.has_both_classes:
        why = "All rows are of one class, so that no detector can be ranked."
        return Absent(why), ()
    if X_fit is None:
        why = (
            "References are fair only if they have learnt from the same rows: pass "
            "these as X_fit."
        )
        return Absent(why), ()
    truth = np.where(record.is_anomaly, -1, 1)
    # what is frozen is scored as it is
    detectors = {"This detector": FrozenEstimator(record.estimator)}
    try:
        report = evaluate(
            detectors, X_fit, y_fit, X_test=record.X, y_test=truth, seeds=1
        )
    except Exception as error:
        error.add_note("Here X_train is X_fit, and X_test is X.")
        raise
    names = [name for name in _FIGURES if name in report.table]
    rows = [
        [cell(str(name)), *(cell(float(row[figure])) for figure in names)]
        for name, row in report.table.iterrows()
    ]
    caption = (
        "This detector beside references that learnt from the same rows with the same "
        "steps and windows; flagging all rows, and random scores, show what a figure "
        "is worth."
    )
    columns = ["Detector", *(_FIGURES[name] for name in names)]
    return Table(caption, columns, rows), report.protocol
