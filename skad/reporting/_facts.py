"""All that the page tells, as plain data."""

from dataclasses import dataclass
from typing import Any

from skad.reporting._detector import Detector, describe_detector, read_drift
from skad.reporting._explained import Explained, explain_record
from skad.reporting._judged import Judged, judge_record
from skad.reporting._record import Record, read_record


@dataclass(frozen=True, eq=False)
class Facts:
    """Scores, the detector that gave them, and what follows; `drift` may be Absent."""

    record: Record
    detector: Detector
    explained: Explained
    drift: Any
    judged: Judged


def find_facts(estimator, X, y, X_fit, y_fit) -> Facts:
    """Score the rows, and find what there is to tell."""
    record = read_record(estimator, X, y)
    return Facts(
        record=record,
        detector=describe_detector(estimator),
        explained=explain_record(record),
        drift=read_drift(estimator, X),
        judged=judge_record(record, X_fit, y_fit),
    )
