"""Slow, obvious references: plain loops, written from the documentation alone."""

import itertools
import math
from fractions import Fraction

import numpy as np

# Thresholds


def best_fbeta_cut(scores, is_anomaly, beta):
    """Try every threshold: between two distinct scores, and above them all.

    Returns the greatest score below the threshold, the smallest above it (inf if there
    is none) and F-beta, a Fraction. Of equally good thresholds it is the lowest.
    """
    weight = Fraction(str(beta)) ** 2
    levels = [*sorted(set(scores)), math.inf]
    best = None
    for below, above in itertools.pairwise(levels):
        flagged = [score <= below for score in scores]
        hits = sum(f and a for f, a in zip(flagged, is_anomaly, strict=True))
        fbeta = (1 + weight) * hits / (weight * sum(is_anomaly) + sum(flagged))
        if best is None or fbeta > best[2]:
            best = below, above, fbeta
    return best


def quantile_cut(scores, quantile):
    """Cut off the ``ceil(quantile * (n - 1))`` lowest scores, fewer if that parts ties.

    Returns the greatest score below the threshold (-inf if there is none) and the
    smallest above it.
    """
    ordered = sorted(scores)
    n_below = math.ceil(Fraction(str(quantile)) * (len(ordered) - 1))
    while n_below > 0 and ordered[n_below - 1] == ordered[n_below]:
        n_below -= 1
    return (ordered[n_below - 1] if n_below else -math.inf), ordered[n_below]


def midpoint(below, above):
    """Midpoint of two scores, rounded once; the upper one where it is the lower one."""
    middle = float((Fraction(below) + Fraction(above)) / 2)
    return middle if middle > below else above


# Error models: each returns the errors of the timesteps, (n_windows, window_length)


def window_errors(timestep_errors):
    """Mean over the timesteps of each window."""
    return np.array([math.fsum(row) / len(row) for row in timestep_errors])


def squared_errors(residuals):
    return _each_timestep(residuals, lambda n, t, c, r: r**2)


def root_squared_errors(residuals):
    """Every timestep has its share of the root of the window's mean square."""
    squares = squared_errors(residuals)
    errors = np.zeros(squares.shape)
    for n, window in enumerate(squares):
        root = np.sqrt(np.mean(window))
        for t, square in enumerate(window):
            errors[n, t] = square / root if root > 0 else 0.0
    return errors


def absolute_errors(residuals):
    return _each_timestep(residuals, lambda n, t, c, r: abs(r))


def standardized_errors(fitted_on, residuals, floor):
    n, window_length, n_channels = fitted_on.shape
    places = list(itertools.product(range(window_length), range(n_channels)))
    usual = {p: sum(fitted_on[i][p] ** 2 for i in range(n)) / n for p in places}
    overall = sum(usual.values()) / len(places)
    return _each_timestep(
        residuals, lambda n, t, c, r: r**2 / (usual[t, c] + floor * overall)
    )


def inverse(covariance):
    """Inverse by eigenvectors, eigenvalues raised to 1e-9 of the largest."""
    variances, directions = np.linalg.eigh(covariance)
    if variances.max() <= 0:
        return np.eye(len(covariance))
    largest = variances.max()
    return sum(
        np.outer(direction, direction) / max(variance, 1e-9 * largest)
        for variance, direction in zip(variances, directions.T, strict=True)
    )


def mahalanobis_errors(fitted_on, residuals, vector, shrinkage):
    n_channels = residuals.shape[2]
    vectors = [v for window in fitted_on for v in _error_vectors(window, vector)]
    mean = sum(vectors) / len(vectors)
    precision = inverse(shrunk_covariance(vectors, shrinkage))
    errors = []
    for window in residuals:
        row = []
        for error_vector in _error_vectors(window, vector):
            d = error_vector - mean
            shares = [
                sum(d[i] * precision[i, j] * d[j] for j in range(len(d)))
                for i in range(len(d))
            ]
            row += [
                sum(shares[i : i + n_channels]) for i in range(0, len(d), n_channels)
            ]
        errors.append(row)
    return np.array(errors)


def shrunk_covariance(vectors, shrinkage):
    """Covariance drawn to a multiple of the identity; Ledoit and Wolf 2004, eq. 14."""
    n, p = len(vectors), len(vectors[0])
    mean = sum(vectors) / n
    products = [np.outer(v - mean, v - mean) for v in vectors]
    covariance = sum(products) / n
    target = np.trace(covariance) / p * np.eye(p)
    if shrinkage == "ledoit-wolf":
        spread = np.sum((covariance - target) ** 2) / p
        noise = sum(np.sum((q - covariance) ** 2) for q in products) / p / n**2
        shrinkage = min(noise, spread) / spread if spread > 0 else 0.0
    return (1 - shrinkage) * covariance + shrinkage * target


def hybrid_errors(fitted_on, codes, train_codes, residuals, new_codes, k, floor):
    """Errors plus distances; `train_codes` None: `codes`; `floor` None: squares.

    One code of the bank at no distance is the row's own, and does not count.
    """

    def part(new):
        if floor is None:
            return squared_errors(new)
        return standardized_errors(fitted_on, new, floor)

    bank = codes if train_codes is None else train_codes
    scales = [spread_or_one(column) for column in bank.T]
    k = min(k, len(bank) - 1)

    def distance(code):
        distances = sorted(
            math.sqrt(
                sum(((a - b) / s) ** 2 for a, b, s in zip(code, o, scales, strict=True))
            )
            for o in bank
        )
        nearest = distances[1:] if distances[0] < 1e-5 else distances
        return sum(nearest[:k]) / k

    usual_distances = [distance(code) for code in codes]
    distance_unit = spread_or_one(usual_distances)
    errors = part(residuals) / spread_or_one(window_errors(part(fitted_on)))
    for row, code in zip(errors, new_codes, strict=True):
        row += distance(code) / distance_unit
    return errors


def shared_distance(shares, distance):
    """Shares (T, C) of the residuals, with a distance that is shared out like them."""
    total = sum(sum(row) for row in shares)
    n_channels = len(shares[0])
    weights = [
        sum(row[c] for row in shares) / total if total > 0 else 1 / n_channels
        for c in range(n_channels)
    ]
    return [
        [row[c] + distance * weights[c] for c in range(n_channels)] for row in shares
    ]


def spread_or_one(values):
    """Standard deviation; 1 where the values differ by rounding alone."""
    if max(values) - min(values) <= 1e-9 * max(map(abs, values)):
        return 1.0
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))


def _each_timestep(residuals, error):
    """Mean over the channels of ``error(n, t, c, residual)``."""
    return np.array(
        [
            [
                sum(error(n, t, c, float(r)) for c, r in enumerate(step)) / len(step)
                for t, step in enumerate(window)
            ]
            for n, window in enumerate(residuals)
        ]
    )


def _error_vectors(window, vector):
    """The vectors of absolute errors of one window."""
    return list(np.abs(window)) if vector == "timestep" else [np.abs(window).ravel()]


# Losses


def squared_loss(reconstruction, target, reduction):
    squares = [
        (a - b) ** 2
        for a, b in zip(reconstruction.ravel(), target.ravel(), strict=True)
    ]
    return sum(squares) / (len(squares) if reduction == "mean" else 1)


def kl_from_uniform(latent):
    """Mean over rows of KL(u || softmax), u = 1 / D."""
    return _mean_divergence([[1 / len(row)] * len(row) for row in latent], latent)


def kl_from_noise(latent, noise):
    """Mean over rows of sum_d U_d log(U_d / softmax_d); U does not sum to one."""
    return _mean_divergence(noise, latent)


def _mean_divergence(prior, latent):
    total = 0.0
    for u_row, row in zip(prior, latent, strict=True):
        exponentials = [math.exp(z - max(row)) for z in row]
        for u, e in zip(u_row, exponentials, strict=True):
            if u > 0:
                total += u * (math.log(u) - math.log(e / sum(exponentials)))
    return total / len(latent)
