"""The public function: what is found goes onto one page."""

from __future__ import annotations

import errno
import os
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from skad._fitting import with_standard_numbers
from skad.persistence._files import check_target, write_atomically
from skad.reporting._facts import find_facts
from skad.reporting._page import write_page


@with_standard_numbers
def report(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    path: str | PathLike[str],
    X_fit: ArrayLike | None = None,
    y_fit: ArrayLike | None = None,
) -> Path:
    """Write one self-contained HTML page of what a fitted detector makes of some rows.

    It opens in any browser, without a network, in dark and light, on a phone, and
    prints. What cannot be shown, because a detector does not know it, is named with the
    reason. Needs ``pip install "skad[report]"``.

    Parameters
    ----------
    estimator : estimator instance
        Fitted outlier detector with ``score_samples`` and ``offset_``, or a pipeline,
        search or wrapper around one.
    X : array-like
        Rows to score, as the estimator takes them: a table of shape (n_timestamps,
        n_channels), or windows of shape (n_windows, window_length * n_channels).
    y : array-like of shape (n_rows,), default=None
        Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
    path : str or Path
        File to write, usually with the extension ".html". An existing file is replaced
        only when the new one is complete.
    X_fit : array-like, default=None
        Rows that the estimator was fitted on. With `y`, references are fitted on them
        and judged on `X`, as by `evaluate`; None: none are.
    y_fit : array-like of shape (n_rows_of_fit,), default=None
        What ``fit`` got as `y`, for detectors with a `normal_label`.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator has no threshold, `offset_`.
    ValueError
        If `X` holds no rows, or does not fit the estimator; scores are not finite,
        labels are in neither coding, lengths differ, time is out of order, or `X_fit`
        shares rows with `X`.
    ImportError
        If plotly or jinja2 is not installed.
    OSError
        If the file cannot be written. An existing file stays as it was.

    See Also
    --------
    find_events : The events as a table.
    explain : The sensors behind scores.
    drift_report : Whether normal has moved on.
    AnomalyScoreDisplay : Draws scores as a picture.

    Notes
    -----
    The page says first how many rows were flagged, beside what calibration promised,
    how many events they make, and whether sensors drifted. Then come the scores over
    time, which can be zoomed; the events, with sensors, readings and expected values;
    windows with the lowest scores, for detectors of windows; shares of sensors,
    calibration, drift, threshold curves, references and training; and how all of it was
    made. Tables can be sorted.

    Of long series, the lowest and the highest score of each column of the chart is
    drawn, several columns for each pixel; so the page stays below 6 MB, of which 5 are
    the library that draws. All sensors of up to 1,000,000 readings are explained;
    beyond, those around the 50 worst events.

    Names that come with the data are shown as they are: none is read as HTML, and the
    page runs no scripts but its own.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad import LinearAutoencoder, WindowedDetector, make_sensors, report
    >>> X, y = make_sensors(2000, n_faults=2, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detector = WindowedDetector(LinearAutoencoder(8), 30).fit(X[:1000])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = report(detector, X[1000:], y[1000:], path=Path(folder) / "a.html")
    ...     print(page.name, page.stat().st_size < 6e6)
    a.html True
    """
    for package in ("plotly", "jinja2"):
        if find_spec(package) is None:
            raise ImportError(
                f'report needs {package}; install it with pip install "skad[report]".'
            )
    path = Path(path)
    if not path.parent.is_dir():
        folder = os.strerror(errno.ENOENT)
        raise FileNotFoundError(errno.ENOENT, folder, str(path.parent))
    check_target(path)
    page = write_page(find_facts(estimator, X, y, X_fit, y_fit))
    write_atomically(path, [page.encode()])
    return path
