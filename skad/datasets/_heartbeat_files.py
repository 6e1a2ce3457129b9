"""Reader for tables of real heartbeats."""

import math
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad.datasets._ecg import N_TIMEPOINTS
from skad.datasets._files import damage_named, find_fault, open_text

_NOTHING = "column 1: found an empty file; expected at least one beat."


def load_heartbeats(
    path: str | PathLike[str],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Load heartbeats from a file in the layout of the heartbeat study.

    A line holds one beat: 187 samples and the label, separated by commas, without a
    header line.

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
    ValueError
        If a line does not have 188 columns, a field is missing or not a finite number,
        a label is not a whole number, the file is empty, or its compressed data are
        damaged. The message names the file, the line and the column, both counted from
        1, and what was found there.
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
    path = Path(path).expanduser()
    with damage_named(path):
        table = _parse(path)
        if table is None:
            fault = find_fault(path, _find_fault_in_line, nothing=_NOTHING)
            raise ValueError(f"{path}, {fault}")
    # The parser's array is stored by columns, and detectors read rows.
    X = np.ascontiguousarray(table[:, :N_TIMEPOINTS])
    return X, table[:, N_TIMEPOINTS].astype(np.int64)


def _is_whole(values):
    # Beyond 2**53 a float holds no exact whole number.
    return (values == np.rint(values)) & (np.abs(values) < 2**53)


def _is_header(values):
    # What DataFrame.to_csv writes above the beats unless told otherwise.
    return np.array_equal(values, np.arange(N_TIMEPOINTS + 1))


def _parse(path) -> np.ndarray | None:
    """Read the table in one go; None if anything is wrong with it."""
    with open_text(path) as file:
        first = next((line for line in file if line.strip()), "")
    if first.count(",") > N_TIMEPOINTS:  # a column too many costs pandas a kilobyte
        return None
    compression = "gzip" if path.suffix == ".gz" else None
    try:
        table = pd.read_csv(path, header=None, dtype=float, compression=compression)
    except ValueError:
        # pandas' messages name neither the file nor, mostly, the line.
        return None
    values = table.to_numpy()
    if values.shape[1] != N_TIMEPOINTS + 1 or not np.isfinite(values).all():
        return None
    sound = _is_whole(values[:, -1]).all() and not _is_header(values[0])
    return values if sound else None


def _find_fault_in_line(line) -> str | None:
    """Say what is wrong with a line, beginning with the column; None if nothing."""
    fields = [field.strip().strip('"') for field in line.split(",")]
    n_columns = N_TIMEPOINTS + 1
    for column, field in enumerate(fields[:n_columns], start=1):
        try:
            value = float(field)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            return f"column {column}: found {field!r}; expected a finite number."
    if len(fields) != n_columns:
        column = min(len(fields), n_columns) + 1
        what = "missing" if len(fields) < n_columns else "one too many"
        return (
            f"column {column} is {what}: found {len(fields)} columns; expected "
            f"{n_columns}, that is {N_TIMEPOINTS} samples and a label."
        )
    if not _is_whole(value):
        return f"column {n_columns}: found {field!r}; expected a whole number as label."
    if _is_header(np.array(fields, dtype=float)):
        return "column 1: found a header, 0 to 187; expected a beat in each line."
    return None
