"""A readable report from labels and predictions of an outlier detector."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn import metrics

from skad._fitting import with_standard_numbers
from skad._validation import check_consistent_length, check_outlier_labels, column_or_1d

_FORMAT: dict[str, Any] = {"float_format": "{:.3f}".format, "na_rep": "undefined"}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DetectionReport:
    """What an outlier detector got right and wrong, as plain attributes.

    Made by :func:`detection_report`. It prints as text, in a notebook as tables.

    Attributes
    ----------
    n_samples : int
        Number of rows.
    n_normals, n_anomalies : int
        Number of normal rows, and of anomalies.
    n_detected, n_missed : int
        Anomalies predicted to be anomalies (true positives), or normal (false
        negatives).
    n_false_alarms, n_passed : int
        Normal rows predicted to be anomalies (false positives), or normal (true
        negatives).
    accuracy_normals : float
        Share of the normal rows predicted to be normal; nan without normal rows.
    accuracy_anomalies, recall : float
        Share of the anomalies predicted to be anomalies; nan without anomalies.
    accuracy : float
        Share of all rows with a correct prediction.
    precision : float
        Share of anomalies among rows predicted to be anomalies; nan if there are none.
    fbeta : float
        F-beta of the anomalies; nan if there are none and none was predicted.
    beta : float
        Weight of recall against precision in `fbeta`.
    by_class : DataFrame or None
        One row for each class in `class_labels`, normal classes first, with the columns
        "kind" ("normal", "anomaly" or "both"), "n" (rows) and "accuracy" (share of them
        with a correct prediction). None if no class labels were given.

    See Also
    --------
    detection_report : Make a report from labels and predictions.
    """

    n_samples: int
    n_normals: int
    n_anomalies: int
    n_detected: int
    n_missed: int
    n_false_alarms: int
    n_passed: int
    accuracy_normals: float
    accuracy_anomalies: float
    accuracy: float
    precision: float
    recall: float
    fbeta: float
    beta: float
    by_class: pd.DataFrame | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return all figures but `by_class` as a table of one row.

        Returns
        -------
        frame : DataFrame of shape (1, 14)
            One column for each attribute. ``pd.concat({name: report.to_frame(), ...})``
            makes one table of several detectors.
        """
        return pd.DataFrame([vars(self)]).drop(columns="by_class")

    def __repr__(self) -> str:
        tables = [t.to_string(index=i, **_FORMAT) for t, i in self._tables()]
        return "\n\n".join([self._title(), *tables])

    def _repr_html_(self) -> str:
        tables = [t.to_html(index=i, border=0, **_FORMAT) for t, i in self._tables()]
        return "\n".join([f"<p>{self._title()}</p>", *tables])

    def _title(self) -> str:
        rows = "row" if self.n_samples == 1 else "rows"
        return f"Detection report: {self.n_samples} {rows}"

    def _tables(self) -> list[tuple[pd.DataFrame, bool]]:
        """List the tables to show, each with whether to show its index."""
        counts = pd.DataFrame(
            {
                "judged normal": [self.n_passed, self.n_missed],
                "judged anomalous": [self.n_false_alarms, self.n_detected],
            },
            index=["normal", "anomaly"],
        )
        counts = pd.concat([counts, counts.sum().to_frame("all").T])
        counts.insert(0, "n", counts.sum(axis=1))
        shares = self.accuracy_normals, self.accuracy_anomalies, self.accuracy
        counts["accuracy"] = shares
        figures = self.to_frame()[["precision", "recall", "fbeta"]]
        figures = figures.rename(columns={"fbeta": f"F{self.beta:g}"})
        tables = [(counts, True), (figures, False)]
        if self.by_class is not None:
            tables.append((self.by_class.reset_index(), False))
        return tables


@with_standard_numbers
def detection_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    beta: float = 1.0,
    *,
    class_labels: ArrayLike | None = None,
) -> DetectionReport:
    """Report how well the predictions of an outlier detector match the labels.

    Anomalies are the positive class throughout.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1
        (anomaly). Ones alone are read as normal.
    y_pred : array-like of shape (n_samples,)
        Predictions in either of the two codings, which need not be that of `y_true`.
        Ones alone are read as normal, as `predict` of an outlier detector means them.
    beta : float, default=1.0
        Weight of recall against precision in F-beta: below 1 precision counts more,
        above 1 recall does. Not negative.
    class_labels : array-like of shape (n_samples,), default=None
        Original classes of the rows, of any type, such as kinds of heartbeats. If
        given, the report has a table of classes, `by_class`.

    Returns
    -------
    report : DetectionReport
        The figures as attributes. It prints as aligned text.

    Raises
    ------
    ValueError
        If labels or predictions are in neither coding, there are no rows, lengths
        differ, or `beta` is negative or not a number.

    See Also
    --------
    make_outlier_scorer : A single figure, for cross-validation and search.

    Notes
    -----
    A figure that has nothing to count is nan, shown as "undefined", without a warning:
    precision if no row is predicted to be an anomaly, recall without anomalies, F-beta
    only in both cases. F-beta is 0 if there are anomalies but none was detected.

    Examples
    --------
    >>> from skad import detection_report
    >>> y_true = [0, 0, 0, 0, 1, 1, 1]
    >>> y_pred = [1, 1, 1, -1, -1, -1, 1]
    >>> kinds = ["N", "N", "N", "N", "V", "V", "S"]
    >>> report = detection_report(y_true, y_pred, class_labels=kinds)
    >>> report
    Detection report: 7 rows
    <BLANKLINE>
             n  judged normal  judged anomalous  accuracy
    normal   4              3                 1     0.750
    anomaly  3              1                 2     0.667
    all      7              4                 3     0.714
    <BLANKLINE>
     precision  recall    F1
         0.667   0.667 0.667
    <BLANKLINE>
    class    kind  n  accuracy
        N  normal  4     0.750
        S anomaly  1     0.000
        V anomaly  2     1.000
    >>> report.n_false_alarms
    1
    """
    is_anomaly = check_outlier_labels(y_true, name="y_true")
    is_flagged = check_outlier_labels(y_pred, name="y_pred")
    check_consistent_length(is_anomaly, is_flagged)
    if len(is_anomaly) == 0:
        raise ValueError("y_true holds no rows; at least one is needed.")
    if not isinstance(beta, Real) or not beta >= 0:
        raise ValueError(f"beta={beta!r}; expected a number >= 0.")

    truth, judged = is_anomaly.astype(int), is_flagged.astype(int)
    counts = metrics.confusion_matrix(truth, judged, labels=[0, 1]).ravel()
    n_passed, n_false_alarms, n_missed, n_detected = map(int, counts)
    nan = np.nan  # where there is nothing to count
    recall = metrics.recall_score(truth, judged, zero_division=nan)
    return DetectionReport(
        n_samples=len(truth),
        n_normals=n_passed + n_false_alarms,
        n_anomalies=n_missed + n_detected,
        n_detected=n_detected,
        n_missed=n_missed,
        n_false_alarms=n_false_alarms,
        n_passed=n_passed,
        # recall with the classes swapped, so that the positive label is always there
        accuracy_normals=float(
            metrics.recall_score(1 - truth, 1 - judged, zero_division=nan)
        ),
        accuracy_anomalies=float(recall),
        accuracy=float(metrics.accuracy_score(truth, judged)),
        precision=float(metrics.precision_score(truth, judged, zero_division=nan)),
        recall=float(recall),
        fbeta=float(metrics.fbeta_score(truth, judged, beta=beta, zero_division=nan)),
        beta=float(beta),
        by_class=_by_class(class_labels, is_anomaly, is_flagged),
    )


def _by_class(class_labels, is_anomaly, is_flagged) -> pd.DataFrame | None:
    """Count the rows of each class, and the share with a correct prediction."""
    if class_labels is None:
        return None
    classes = column_or_1d(np.asarray(class_labels))
    check_consistent_length(is_anomaly, classes)
    is_right = is_anomaly == is_flagged
    rows = pd.DataFrame({"is_anomaly": is_anomaly, "is_right": is_right})
    groups = rows.groupby(pd.Series(classes, name="class"), sort=True, dropna=False)
    share = groups["is_anomaly"].mean()
    kind = np.select([share == 0, share == 1], ["normal", "anomaly"], "both")
    table = pd.DataFrame(
        {"kind": kind, "n": groups.size(), "accuracy": groups["is_right"].mean()},
        index=share.index,
    )
    return table.iloc[np.argsort(share > 0, kind="stable")]
