"""Rows held out to find a threshold: whether they can tell it, and in which order."""

import numpy as np

from skad._nesting import parts
from skad._series_names import names_in, number_series, order_of_series
from skad._validation import (
    MIXED_FOLDS,
    check_consistent_length,
    check_outlier_labels,
)
from skad.thresholds._rule import NO_LABELS, needs_labels

# what to do about rows of fit without anomalies, or without normal rows
EACH_ONCE = "Use an int for cv, which holds out every row once."
ELSE = (
    f"Give more labelled rows, X_val with y_val, or {NO_LABELS}. In a search or "
    "cross-validation, the rows given to fit are the training rows of one split: use "
    f"{MIXED_FOLDS}."
)


def read_labels(y, rule):
    """Read y as booleans (None if it cannot be); say what is wrong, and what to do."""
    name = type(rule).__name__
    if y is None:
        problem = f"y is None, but {name} needs the labels of the rows given to fit"
        return None, problem, f"Pass y, or use {NO_LABELS}."
    try:
        is_anomaly = check_outlier_labels(y)
    except ValueError as error:
        return None, str(error), ""
    if is_anomaly.any():
        return is_anomaly, "", ""
    problem = (
        f"0 of {len(is_anomaly)} rows given to fit are anomalies; {name} needs some"
    )
    return is_anomaly, problem, ELSE


def check_held_out(rule, is_anomaly, which, remedy):
    """Refuse rows of one class before anything is trained, if the rule needs both."""
    if not needs_labels(rule):
        return
    n = int(is_anomaly.sum())
    if not 0 < n < len(is_anomaly):
        raise ValueError(
            f"{n} of {len(is_anomaly)} rows {which} are anomalies; "
            f"{type(rule).__name__} needs anomalies and normal rows. {remedy}"
        )


def can_be_stratified(is_anomaly, rule, cv):
    """Whether each part of a split can hold rows of each class there is."""
    if is_anomaly is None:
        return False
    n_anomalies = int(is_anomaly.sum())
    alone = 1 in (n_anomalies, len(is_anomaly) - n_anomalies)
    if alone and needs_labels(rule):
        raise ValueError(
            f"{n_anomalies} of {len(is_anomaly)} rows given to fit are anomalies; "
            f"cv={cv!r} needs two anomalies and two normal rows at least, one of each "
            f"for either part. {EACH_ONCE} {ELSE}"
        )
    return not alone


def scores_in_order(estimator):
    """Whether a row is scored with its neighbours, somewhere inside."""
    return any(getattr(part, "needs_order", False) for part in parts(estimator))


def places_of(X, series):
    """Places of the rows of interleaved series, each in one stretch; None for others.

    (n_rows,)
    """
    names = names_in(getattr(X, "index", None))
    order = order_of_series(number_series(names, series, X))
    return None if order is None else np.argsort(order)


def check_order(estimator, rule, splits, cv, places):
    """Refuse splits that separate neighbouring rows, where these are needed."""
    if places is not None:
        splits = [[np.sort(places[rows]) for rows in part] for part in splits]
    # Of rows drawn at random, the smaller part is consecutive at most half of the time;
    # stretches of rows and whole series, even of three rows, are so more often.
    if scores_in_order(estimator) and any(
        (np.diff(rows) != 1).sum() > 0.4 * len(rows) for part in splits for rows in part
    ):
        raise ValueError(
            f"{type(estimator).__name__} scores rows with their neighbours, but cv="
            f"{cv!r} draws rows at random. Use X_val, a float, cv='prefit', KFold() or "
            "TimeSeriesSplit()."
        )
    if not getattr(rule, "needs_order", False):
        return
    rows = np.concatenate([test for _, test in splits])
    rows = rows if places is None else np.sort(rows)
    if (np.diff(rows) != 1).any():
        raise ValueError(
            f"{rule!r} needs the scores of consecutive rows, but the test folds of cv="
            f"{cv!r} do not follow each other. Use X_val, cv='prefit' or cv=KFold()."
        )


def check_validation_labels(rule, X_val, y_val):
    """Whether the validation rows are anomalies; None if there are no labels."""
    if y_val is None:
        if needs_labels(rule):
            raise ValueError(
                f"{type(rule).__name__} needs labels: pass y_val with X_val, or "
                f"{NO_LABELS}."
            )
        return None
    check_consistent_length(X_val, y_val)
    return check_outlier_labels(
        y_val,
        both_classes=needs_labels(rule),
        name="y_val",
        remedy=f"Pass other validation rows, or use {NO_LABELS}.",
    )
