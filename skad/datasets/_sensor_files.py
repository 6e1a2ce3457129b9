"""Readers for tables of real sensors."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_dtype

from skad._docs import add_entries
from skad._fitting import with_standard_numbers
from skad._validation import InvalidParameterError
from skad.datasets._files import (
    FAULTY_FILE,
    NUMBER,
    NUMBER_OR_NOTHING,
    TIME,
    Layout,
    find_tables,
    read_table,
)

_PUMP: Layout = {
    "timestamp": TIME,
    **{f"sensor_{number:02d}": NUMBER_OR_NOTHING for number in range(52)},
    "machine_status": ("NORMAL", "BROKEN", "RECOVERING"),
}
# The number of the row: as pandas writes an index, as a column, or not at all.
_PUMP_LAYOUTS = [{"": NUMBER, **_PUMP}, {"Unnamed: 0": NUMBER, **_PUMP}, _PUMP]

_SKAB_SENSORS = [
    *("Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure", "Temperature"),
    *("Thermocouple", "Voltage", "Volume Flow RateRMS"),
]
_SKAB_NORMAL: Layout = {"datetime": TIME, **dict.fromkeys(_SKAB_SENSORS, NUMBER)}
_SKAB_LABELLED: Layout = {**_SKAB_NORMAL, "anomaly": (0, 1), "changepoint": (0, 1)}

_KEOGH_LABEL: Layout = {"label": (-1, 0, 1)}
_KEOGH_LAYOUTS: list[Layout] = [
    {"value": NUMBER, **_KEOGH_LABEL},
    {"lead1": NUMBER, "lead2": NUMBER, **_KEOGH_LABEL},
    {"timestamp": TIME, "value": NUMBER, **_KEOGH_LABEL, "label_repo": (0, 1)},
]


def _keogh_layouts(header) -> Sequence[Layout]:
    """Layouts of the discords: those known, or one with the names of the header.

    The channels are what stands between the first column, if that is called timestamp,
    and the last one or two, whatever they are called.
    """
    start = int(header[:1] == ["timestamp"])
    n_labels = 2 if header[-1:] == ["label_repo"] else 1
    channels = header[start:-n_labels]
    is_half = channels in (["lead1"], ["lead2"])
    is_unique = len(set(header)) == len(header) and "" not in header
    if not channels or is_half or not is_unique or header[-n_labels] != "label":
        return _KEOGH_LAYOUTS
    kinds: list = (
        [TIME] * start + [NUMBER] * len(channels) + [(-1, 0, 1), (0, 1)][:n_labels]
    )
    return [dict(zip(header, kinds, strict=True))]


@with_standard_numbers
@add_entries(Raises=FAULTY_FILE)
def load_pump_sensors(
    path: str | PathLike[str], *, return_status: bool = False
) -> tuple[Any, ...]:
    """Load the pump table: 52 sensors, a row a minute, and the status of the pump.

    Below a header line, each line holds the number of the row (may be absent), the
    time, the readings of sensor_00 to sensor_51 and the status, separated by commas. It
    is the table known as "pump sensor data" (sensor.csv, 220,320 rows from April to
    August 2018), which has to be downloaded by hand.

    Parameters
    ----------
    path : str or path-like
        The file, as text or, if its name ends in ".gz", compressed with gzip.
    return_status : bool, default=False
        Whether to also return the status of the pump.

    Returns
    -------
    X : DataFrame of shape (n_timestamps, 52), dtype float64
        The readings, with a DatetimeIndex named timestamp. Empty fields (and "NaN",
        "nan", "NA") are NaN. Blank lines are skipped.
    y : Series of shape (n_timestamps,), dtype int64
        0 where the status is "NORMAL", else 1. Index as in `X`.
    status : Series of shape (n_timestamps,), dtype str
        "NORMAL", "BROKEN" or "RECOVERING". Only if `return_status` is True.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    See Also
    --------
    make_sensors : Make a synthetic table of the same layout.
    load_skab : Load the files of the SKAB testbed.

    Notes
    -----
    sensor_15 is empty, and sensor_50 lacks more than a third of its values: drop such
    columns first. The rows are neither sorted nor checked for duplicate times. There
    are seven failures; "BROKEN" is one row of each, and the status is "NORMAL" up to
    that row, however long before the failure shows.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad import load_pump_sensors, make_sensors
    >>> X, _, status = make_sensors(1000, 52, return_status=True, random_state=0)
    >>> table = X.reset_index().assign(machine_status=status.to_numpy())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "sensor.csv"
    ...     table.to_csv(path)
    ...     X, y = load_pump_sensors(path)
    >>> X.shape
    (1000, 52)

    Detectors use the labels +1 (normal) and -1 (anomaly):

    >>> y_outlier = 1 - 2 * y
    """
    table = read_table(path, _PUMP_LAYOUTS)
    table.index = pd.DatetimeIndex(table["timestamp"], name="timestamp")
    X = table.filter(regex="^sensor_")
    status = table["machine_status"]
    y = (status != "NORMAL").astype(np.int64).rename("anomaly")
    return (X, y, status) if return_status else (X, y)


@with_standard_numbers
@add_entries(Raises=FAULTY_FILE)
def load_skab(
    folder: str | PathLike[str],
    *,
    subset: Literal["labelled", "anomaly_free"] = "labelled",
) -> tuple[pd.DataFrame, pd.Series]:
    """Load the files of SKAB, the Skoltech anomaly benchmark, as series of one table.

    Each file is a run of a testbed for water circulation: 8 sensors, a row a second. In
    most of them, a fault is made after the first third, such as a closed valve.

    Parameters
    ----------
    folder : str or path-like
        Folder with the files .csv or .csv.gz, separated by ";", in it or in the folders
        in it, such as "data" of [1]_.
    subset : {"labelled", "anomaly_free"}, default="labelled"
        Which files to load: those with labels, or the long run without faults and
        labels (its path within the folder begins with "anomaly-free" or
        "anomaly_free").

    Returns
    -------
    X : DataFrame of shape (n_timestamps, 8), dtype float64
        The readings of all files. The index has two levels: series, the file's path
        within the folder without its ending, sorted, 9 before 10; and time.
    y : Series of shape (n_timestamps,), dtype int64
        1 in the rows that are marked as an anomaly, else 0. Index as in `X`.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder, or none of these files in it.

    See Also
    --------
    load_pump_sensors : Load a table of a real pump.
    load_keogh_discords : Load single series with one odd stretch each.

    Notes
    -----
    The authors scale and fit on the first 400 rows of each file, which are normal, and
    evaluate on the same file; see the example. Windows do not cross from one series to
    the next, as the index names the series.

    The column that marks change points is not returned. In a few files, time jumps by
    up to 76 seconds.

    References
    ----------
    .. [1] I. D. Katser and V. O. Kozitsin, "Skoltech Anomaly Benchmark (SKAB)", 2020.
       :doi:`10.34740/KAGGLE/DSV/1693952`, https://github.com/waico/SKAB

    Examples
    --------
    Two short files to load:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad import load_skab, make_sensors
    >>> sensors = "Accelerometer1RMS Accelerometer2RMS Current Pressure Temperature "
    >>> sensors = [*(sensors + "Thermocouple Voltage").split(), "Volume Flow RateRMS"]
    >>> params = dict(n_faults=1, fault_kinds="failure", dead_sensors=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for seed in range(2):
    ...         X, y = make_sensors(
    ...             800, 8, missing_fraction=0, random_state=seed, **params)
    ...         table = X.set_axis(sensors, axis=1).assign(anomaly=y, changepoint=0)
    ...         path = Path(folder) / f"valve1__{seed}.csv"
    ...         table.to_csv(path, sep=";", index_label="datetime")
    ...     X, y = load_skab(folder)
    >>> X.shape
    (1600, 8)

    Fit on the first 400 rows of each file and score the others:

    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.metrics import roc_auc_score
    >>> for name, table in X.groupby(level="series"):
    ...     train, test = table[:400], table[400:]
    ...     detector = IsolationForest(random_state=0).fit(train)
    ...     scores = detector.score_samples(test)
    ...     print(name, roc_auc_score(y[test.index] == 0, scores) > 0.5)
    valve1__0 True
    valve1__1 True

    The rows to train on, for a model of all files at once:

    >>> is_train = X.groupby(level="series").cumcount() < 400
    """
    if subset not in ("labelled", "anomaly_free"):
        raise InvalidParameterError(
            f"subset={subset!r}; expected 'labelled' or 'anomaly_free'."
        )
    labelled = subset == "labelled"
    files = {
        name: path
        for name, path in find_tables(folder).items()
        if name.startswith(("anomaly-free", "anomaly_free")) != labelled
    }
    if not files:
        example = "valve1__0.csv" if labelled else "anomaly_free__anomaly-free.csv"
        raise FileNotFoundError(
            f"{folder} holds no {subset} file of SKAB; expected one such as {example}."
        )
    layout = _SKAB_LABELLED if labelled else _SKAB_NORMAL
    tables = {
        name: read_table(path, [layout], delimiter=";").set_index("datetime")
        for name, path in files.items()
    }
    table = pd.concat(tables, names=["series", "time"])
    y = table["anomaly"] if labelled else pd.Series(0, table.index, name="anomaly")
    return table[_SKAB_SENSORS], y.astype(np.int64)


@with_standard_numbers
@add_entries(Raises=FAULTY_FILE)
def load_keogh_discords(
    folder: str | PathLike[str],
) -> dict[str, tuple[pd.DataFrame, pd.Series]]:
    """Load the labelled discord series that EncDec-AD was first evaluated on.

    They come from [1]_ and were used in [2]_: electrocardiograms, respiration, a valve
    of the space shuttle, and the power demand of a year, with one odd stretch, or a
    few, in each.

    Parameters
    ----------
    folder : str or path-like
        Folder with the files .csv or .csv.gz, in it or in the folders in it. Their
        columns are value, or lead1 and lead2, then label (1 anomaly, 0 normal, -1
        unknown); those of the power demand timestamp, value, label and label_repo.
        Instead of value, any number of channels with any names may stand.

    Returns
    -------
    series : dict of str to tuple (X, y)
        The series by name (the file's path within the folder without its ending),
        sorted. Those with unknown labels (-1) are left out.

        - X : DataFrame of shape (n_timestamps, n_channels), dtype float64. Its index is
          a DatetimeIndex named time for the power demand, else the number of the row;
        - y : Series of shape (n_timestamps,), dtype int64, with the same index; 1 is an
          anomaly.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder, or no such file in it.

    See Also
    --------
    load_skab : Load the files of a testbed with 8 sensors.

    Notes
    -----
    The series share neither sensors nor sampling rate, and each needs its own detector:
    hence a dict and not one table. No stretch is marked for training; the example takes
    the longest one without an anomaly.

    Some labels cover only the discord that the literature names, and other odd beats
    are labelled normal. In the power demand, the anomalies are the nine public holidays
    of 1997 that fall on working days (label; label_repo is not used).

    References
    ----------
    .. [1] E. Keogh, J. Lin and A. Fu, "HOT SAX: Efficiently Finding the Most Unusual
       Time Series Subsequence", IEEE International Conference on Data Mining (ICDM),
       2005. :doi:`10.1109/ICDM.2005.79`

    .. [2] P. Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly
       Detection", ICML Workshop on Anomaly Detection, 2016. :arxiv:`1607.00148`

    Examples
    --------
    A file to load, a wave with a flat stretch:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skad import load_keogh_discords
    >>> label = np.repeat([0, 1, 0], [300, 40, 660])
    >>> value = np.where(label == 1, 0.5, np.sin(np.arange(1000) / 5))
    >>> table = pd.DataFrame({"value": value, "label": label})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_csv(Path(folder) / "valve__wave.csv", index=False)
    ...     series = load_keogh_discords(folder)
    >>> X, y = series["valve__wave"]
    >>> X.shape
    (1000, 1)

    The longest normal stretch, to fit on:

    >>> stretch = y.cumsum()[y == 0]
    >>> X_train = X.loc[stretch.index[stretch == stretch.mode()[0]]]
    >>> int(X_train.index[0]), len(X_train)
    (340, 660)
    """
    series = {}
    for name, path in find_tables(folder).items():
        table = read_table(path, _keogh_layouts)
        has_repo = table.columns[-1] == "label_repo"
        has_time = is_datetime64_dtype(table.dtypes.iloc[0])
        y = table.iloc[:, -2 if has_repo else -1].astype(np.int64).rename("anomaly")
        if (y == -1).any():
            continue
        X = table.iloc[:, int(has_time) : -2 if has_repo else -1]
        if has_time:
            y.index = X.index = pd.DatetimeIndex(table.iloc[:, 0], name="time")
        series[name] = X, y
    if not series:
        raise FileNotFoundError(f"{folder} holds no labelled series.")
    return series
