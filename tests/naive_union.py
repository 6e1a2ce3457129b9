"""Slow, obvious version of a union: fit on the other blocks, take units, add up."""

import numpy as np
from sklearn.base import clone


def left_out_errors(members, X, blocks):
    """Errors of rows by members that have not learnt them; nan in no block."""
    errors = np.full((len(X), len(members)), np.nan)
    for train, judged in blocks:
        for m, member in enumerate(members):
            fitted = clone(member).fit(X[train])
            errors[judged, m] = -fitted.score_samples(X[judged])
    return errors


def scores(members, X, X_new, blocks, weights, gates, units):
    """Minus the sum of errors in units of what is left out."""
    left_out = left_out_errors(members, X, blocks)
    fitted = [clone(member).fit(X) for member in members]
    totals = []
    for row in X_new:
        total = 0.0
        for m, member in enumerate(fitted):
            error = -member.score_samples(row[None])[0]
            known = left_out[:, m][~np.isnan(left_out[:, m])]
            if gates[m] > 0:
                error = max(0.0, error - gates[m] * np.quantile(known, 0.99))
            unit = known.std() if units[m] == "std" else np.mean(known**2) ** 0.5
            if units[m] == "gain":
                unit /= gain(X, known) ** 2
            total += weights[m] * error / unit
        totals.append(-total)
    return np.array(totals)


def gain(X, left_out):
    """How many times larger errors of the mean row are than left-out ones, minus 1."""
    of_mean = [np.mean((row - X.mean(axis=0)) ** 2) ** 0.5 for row in X]
    return np.median(of_mean) / np.median(left_out) - 1
