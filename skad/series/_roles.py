"""The six roles of rows in EncDec-AD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._fitting import with_standard_numbers
from skad._validation import check_consistent_length, check_outlier_labels, column_or_1d
from skad.series._events import find_ranges

_NORMAL_ROLES = ("s_N", "v_N1", "v_N2", "t_N")
_ANOMALOUS_ROLES = ("v_A", "t_A")


@with_standard_numbers
def split_roles(
    y: ArrayLike,
    *,
    series: ArrayLike | None = None,
    normal_shares: Sequence[float] = (0.5, 0.1, 0.2, 0.2),
    anomalous_shares: Sequence[float] = (0.5, 0.5),
) -> dict[str, NDArray[np.int64]]:
    """Divide the rows of a table among the six roles of EncDec-AD.

    Parameters
    ----------
    y : array-like of shape (n_timestamps,)
        Labels of the rows in the order of time, {-1 = anomaly, +1} or
        {0, 1 = anomaly}.
    series : array-like of shape (n_timestamps,), default=None
        Series that each row belongs to. If given, series stay whole, and one that holds
        an anomaly is anomalous as a whole. None divides contiguous blocks: each run of
        anomalies stays whole, runs of normal rows are cut where a role is full.
    normal_shares : tuple of 4 floats, default=(0.5, 0.1, 0.2, 0.2)
        Shares of the normal rows (or series) for s_N (training), v_N1 (stops the
        training, gives mu and Sigma), v_N2 (threshold) and t_N (test), in this order in
        time. They add up to 1; 0 leaves a role empty.
    anomalous_shares : tuple of 2 floats, default=(0.5, 0.5)
        Shares of the anomalous runs (or series) for v_A (threshold) and t_A (test).

    Returns
    -------
    roles : dict of str to ndarray of int
        Positions of the rows of "s_N", "v_N1", "v_N2", "v_A", "t_N" and "t_A",
        ascending; every row has one role.

    Raises
    ------
    ValueError
        If shares do not add up to 1, or there are too few normal rows, runs of
        anomalies or series for the roles that have a share.

    See Also
    --------
    EncDecAD : Fitted on s_N with ``X_val`` from v_N1.
    TunedThresholdDetector : Tuned on v_N2 and v_A together.

    Notes
    -----
    Take parts of a table with a time index, so that no window bridges a cut:
    ``table.iloc[np.sort(np.concatenate([roles["v_N2"], roles["v_A"]]))]``.

    References
    ----------
    P. Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection",
    2016, section 2, arXiv:1607.00148.

    Examples
    --------
    >>> from skad import split_roles
    >>> roles = split_roles([0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0])
    >>> for role, rows in roles.items():
    ...     print(role, rows.tolist())
    s_N [0, 1, 2, 3, 5]
    v_N1 [6]
    v_N2 [9, 10]
    v_A [4]
    t_N [11, 12]
    t_A [7, 8]
    """
    is_anomaly = check_outlier_labels(y)
    _check_shares("normal_shares", normal_shares, _NORMAL_ROLES)
    _check_shares("anomalous_shares", anomalous_shares, _ANOMALOUS_ROLES)
    if series is None:
        normal: Any = np.flatnonzero(~is_anomaly)[:, None]  # each row is a unit
        first, last = find_ranges(is_anomaly, np.zeros_like(is_anomaly))
        anomalous = [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
        kinds = ("normal rows", "runs of anomalies")
    else:
        series = column_or_1d(series)
        check_consistent_length(is_anomaly, series)
        # missing values make up a series of their own
        codes, names = pd.factorize(series, use_na_sentinel=False)
        units = [np.flatnonzero(codes == one) for one in range(len(names))]
        normal = [rows for rows in units if not is_anomaly[rows].any()]
        anomalous = [rows for rows in units if is_anomaly[rows].any()]
        kinds = ("series without anomalies", "series with anomalies")
    parts = _divide(normal, _NORMAL_ROLES, normal_shares, kinds[0])
    parts |= _divide(anomalous, _ANOMALOUS_ROLES, anomalous_shares, kinds[1])
    return {r: parts[r] for r in ("s_N", "v_N1", "v_N2", "v_A", "t_N", "t_A")}


def _check_shares(name, shares, roles):
    shares = np.asarray(shares, dtype=float)
    is_right = shares.shape == (len(roles),) and (shares >= 0).all()
    if not is_right or not abs(shares.sum() - 1) <= 1e-9:
        raise ValueError(
            f"{name}={shares.tolist()}; expected {len(roles)} numbers >= 0 that add up "
            f"to 1, for {', '.join(roles)}."
        )


def _divide(units, roles, shares, kind):
    """Give each role that has a share at least one unit, in order."""
    wanted = [role for role, share in zip(roles, shares, strict=True) if share > 0]
    if len(units) < len(wanted):
        raise ValueError(
            f"{len(units)} {kind} cannot be divided among {', '.join(wanted)}: at "
            f"least {len(wanted)} are needed. A share of 0 leaves a role empty."
        )
    ends = np.round(np.cumsum(shares) * len(units)).astype(int)
    # Rounding must not leave a role with a share empty: units up to it, beyond those.
    needed = np.cumsum(np.asarray(shares) > 0)
    spare = np.maximum.accumulate(ends - needed)
    ends = needed + np.clip(spare, 0, len(units) - len(wanted))
    return {
        role: np.sort(np.concatenate([*units[a:b], np.empty(0, dtype=int)]))
        for role, a, b in zip(roles, [0, *ends[:-1]], ends, strict=True)
    }
