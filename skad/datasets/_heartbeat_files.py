"""Reader for tables of real heartbeats."""

from __future__ import annotations

from os import PathLike

import numpy as np
from numpy.typing import NDArray

from skad._docs import add_entries
from skad._fitting import with_standard_numbers
from skad.datasets._ecg import N_TIMEPOINTS
from skad.datasets._files import FAULTY_FILE, NUMBER, WHOLE_NUMBER, Layout, read_table

_LAYOUT: Layout = {
    **{f"sample {number + 1}": NUMBER for number in range(N_TIMEPOINTS)},
    "label": WHOLE_NUMBER,
}


@with_standard_numbers
@add_entries(Raises=FAULTY_FILE)
def load_heartbeats(
    path: str | PathLike[str],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Load heartbeats from a file in the layout of the heartbeat study.

    A line holds one beat: 187 finite numbers and the label, a whole number, separated
    by commas. There is no header line.

    Parameters
    ----------
    path : str or path-like
        The file, as text or, if its name ends in ".gz", compressed with gzip.

    Returns
    -------
    X : ndarray of shape (n_samples, 187), dtype float64
        The beats as they are in the file. Blank lines are skipped.
    y : ndarray of shape (n_samples,), dtype int64
        The labels as they are in the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    See Also
    --------
    make_heartbeats : Make synthetic beats of the same layout.

    Notes
    -----
    A label has no fixed meaning. In the files of the heartbeat study, normal beats
    are labelled 10, and 0 to 5 are the diagnoses of patients. In files cut from the
    MIT-BIH database as in [1]_, 0 is normal, 1 supraventricular, 2 ventricular, 3
    fusion, 4 paced or unknown: the labels of :func:`make_heartbeats`.

    References
    ----------
    .. [1] M. Kachuee, S. Fazeli and M. Sarrafzadeh, "ECG Heartbeat Classification: A
       Deep Transferable Representation", IEEE International Conference on Healthcare
       Informatics (ICHI), 2018. :arxiv:`1805.00794`

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skad import load_heartbeats, make_heartbeats
    >>> beats = np.column_stack(make_heartbeats(4, 4, random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "beats.csv"
    ...     np.savetxt(path, beats, delimiter=",")
    ...     X, y = load_heartbeats(path)
    >>> X.shape
    (8, 187)

    Detectors use the labels +1 (normal) and -1 (anomaly):

    >>> y_outlier = np.where(y == 0, 1, -1)
    """
    table = read_table(path, [_LAYOUT], has_header=False)
    if np.array_equal(table.iloc[0], np.arange(len(_LAYOUT))):  # of DataFrame.to_csv
        raise ValueError(
            f"{path}, line 1, column 1: found a header, 0 to {N_TIMEPOINTS}; expected "
            "a beat in each line."
        )
    y = table.pop("label").to_numpy().astype(np.int64)
    # The parser's array is stored by columns, and detectors read rows.
    return np.ascontiguousarray(table), y
