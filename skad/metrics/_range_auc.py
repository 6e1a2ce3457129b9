"""Areas under range-based curves (R-AUC): one slice of the volumes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skad._docs import add_parameters
from skad._fitting import with_standard_numbers
from skad.metrics._volume import SHARED, mean_area_pr, mean_area_roc, read_levels
from skad.series._rows import MaxGap

_WINDOW = """
    window : int, default=100
        Buffer, in rows: slopes of `window // 2` rows on both sides of each event. A
        period of the series, or twice as many as labels may be off.
"""


@with_standard_numbers
@add_parameters(SHARED)
@add_parameters(_WINDOW)
def range_auc_pr_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    window: int = 100,
    n_thresholds: int | None = 250,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Area under the curve of range-based precision and recall (R-AUC-PR).

    It is `vus_pr_score` with the longest buffer alone, instead of the mean over all up
    to it, so that rows near events count in part.

    .. warning::
       250 thresholds are too coarse for few anomalies in a long table; see
       `vus_pr_score`. Use ``n_thresholds=None`` unless you compare with published
       figures.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What to return if no row is an anomaly.

    Returns
    -------
    area : float
        In [0, 1], higher = better. 1 if all rows are anomalies, whatever the scores.

    See Also
    --------
    vus_pr_score : The mean over buffers, with the definition.
    range_auc_roc_score : The same for true and false positive rates.

    Notes
    -----
    The curve is that of `vus_pr_score` for the buffer `window` [1]_. The authors' first
    code, with other positives, gets other figures where slopes are long beside events.

    *Random scores* get about the mean weight of the rows, as those of `vus_pr_score`
    do, but more, since all slopes are long: ``range_auc_pr_score(y_true, np.zeros(n))``
    is the value to beat.

    Reasons not to use it: those of `vus_pr_score`, and that it depends still more on
    the window.

    References
    ----------
    .. [1] J. Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation
       Measure for Time-Series Anomaly Detection", PVLDB 15(11), 2022,
       doi:10.14778/3551793.3551830.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import range_auc_pr_score
    >>> y_true = np.repeat([0, 1, 0], [60, 10, 50])
    >>> late = np.repeat([0.1, 0.9, 0.1], [65, 10, 45])
    >>> round(range_auc_pr_score(y_true, late, window=20), 3)
    0.799
    >>> round(range_auc_pr_score(y_true, np.zeros(120), window=20), 3)
    0.225
    """
    truth, level, rows = read_levels(
        y_true, y_score, window, n_thresholds, index, max_gap
    )
    if not truth.any():
        return float(zero_division)
    return mean_area_pr(truth, level, rows, [window])


@with_standard_numbers
@add_parameters(SHARED)
@add_parameters(_WINDOW)
def range_auc_roc_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    window: int = 100,
    n_thresholds: int | None = 250,
    index: ArrayLike | None = None,
    max_gap: MaxGap = None,
    zero_division: float = np.nan,
) -> float:
    """Area under the range-based ROC curve (R-AUC-ROC).

    It is `vus_roc_score` with the longest buffer alone, instead of the mean over all up
    to it, so that rows near events count in part.

    .. warning::
       Random scores do not get 0.5, but up to 1: see Notes. Report it next to those of
       random scores, or use `range_auc_pr_score`.

    Parameters
    ----------
    zero_division : float, default=np.nan
        What to return if no row is an anomaly, or all are.

    Returns
    -------
    area : float
        In [0, 1], higher = better.

    See Also
    --------
    vus_roc_score : The mean over buffers, with the definition.
    range_auc_pr_score : Precision and recall, which fit rare anomalies better.

    Notes
    -----
    The curve is that of `vus_roc_score` for the buffer `window` [1]_. *Random scores*
    get somewhat more than in `vus_roc_score`, since all slopes are long. Reasons not to
    use it: those of `vus_roc_score`; it depends still more on the window; and scores
    that put every anomaly behind all normal rows may still get 0.89, for finding the
    slopes.

    References
    ----------
    .. [1] J. Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation
       Measure for Time-Series Anomaly Detection", PVLDB 15(11), 2022,
       doi:10.14778/3551793.3551830.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import range_auc_roc_score
    >>> y_true = np.repeat([0, 1, 0], [60, 10, 50])
    >>> late = np.repeat([0.1, 0.9, 0.1], [65, 10, 45])
    >>> round(range_auc_roc_score(y_true, late, window=20), 3)
    0.898
    """
    truth, level, rows = read_levels(
        y_true, y_score, window, n_thresholds, index, max_gap
    )
    if truth.all() or not truth.any():
        return float(zero_division)
    return mean_area_roc(truth, level, rows, [window])
