"""Readers of sensor tables: read ones are what was written, bad ones are named."""

import gzip
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from skad import load_keogh_discords, load_pump_sensors, load_skab, make_sensors
from skad.datasets._files import find_tables


def text_of(table, **params):
    return table.to_csv(lineterminator="\n", **params)


def pump_text(n_timestamps=400):
    """Text of a file in the layout of the pump table."""
    X, _, status = make_sensors(
        n_timestamps,
        52,
        n_faults=2,
        fault_kinds=["failure", "noise_burst"],
        return_status=True,
        random_state=0,
    )
    return text_of(X.reset_index().assign(machine_status=status.to_numpy()))


SKAB_SENSORS = [
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
]


def skab_table(seed=0, n_timestamps=500):
    X, y = make_sensors(
        n_timestamps,
        8,
        n_faults=1,
        fault_kinds="level_shift",
        normal_fraction=0.8,
        missing_fraction=0,
        dead_sensors=False,
        start="2020-03-09 10:14:33",
        freq="s",
        random_state=seed,
    )
    X = X.set_axis(SKAB_SENSORS, axis=1).rename_axis("datetime")
    return X.assign(anomaly=y.astype(float), changepoint=0.0)


def skab_text(seed=0, n_timestamps=500):
    return text_of(skab_table(seed, n_timestamps), sep=";")


def keogh_text(n_leads=1, label=None, n=100):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n, n_leads)).round(3)
    names = ["value"] if n_leads == 1 else ["lead1", "lead2"]
    table = pd.DataFrame(values, columns=names)
    table["label"] = np.repeat([0, 1, 0], [50, 10, n - 60]) if label is None else label
    return text_of(table, index=False)


@pytest.fixture
def write(tmp_path):
    def write(text, name="sensor.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    return write


# Each reader on one file: a sound text, how to read it, and what separates columns.
def read_in_folder(load):
    return lambda path: load(path.parent)


READERS = {
    "pump": (pump_text, load_pump_sensors, ","),
    "skab": (skab_text, read_in_folder(load_skab), ";"),
    "keogh": (lambda: keogh_text(2), read_in_folder(load_keogh_discords), ","),
}


@pytest.fixture(params=READERS)
def reader(request):
    make_text, load, delimiter = READERS[request.param]
    return make_text(), load, delimiter


def replaced(text, line, column, field, delimiter=","):
    """The text with another field in a line and column, both counted from 1."""
    lines = text.splitlines()
    fields = lines[line - 1].split(delimiter)
    fields[column - 1] = field
    lines[line - 1] = delimiter.join(fields)
    return "\n".join([*lines, ""])


# -- load_pump_sensors --------------------------------------------------------


@pytest.mark.parametrize("name", ["sensor.csv", "sensor.csv.gz"])
@pytest.mark.parametrize("as_type", [Path, str])
def test_load_pump_sensors__sound_file__what_was_written(write, name, as_type):
    expected, y_expected, status_expected = make_sensors(
        400,
        52,
        n_faults=2,
        fault_kinds=["failure", "noise_burst"],
        return_status=True,
        random_state=0,
    )
    path = as_type(write(pump_text(), name))
    X, y, status = load_pump_sensors(path, return_status=True)
    assert_frame_equal(X, expected, check_freq=False, check_index_type=False)
    assert_series_equal(
        status, status_expected, check_freq=False, check_index_type=False
    )
    assert X.index.name == "timestamp"
    assert isinstance(X.index, pd.DatetimeIndex)
    assert y.dtype == np.int64
    assert y.index.equals(X.index)
    np.testing.assert_array_equal(y, status_expected != "NORMAL")
    # What the log does not know is the drift before a failure.
    assert (y <= y_expected.to_numpy()).all()
    assert len(load_pump_sensors(path)) == 2


def test_load_pump_sensors__header_of_the_real_file(write):
    header = pump_text().splitlines()[0]
    assert header.startswith(",timestamp,sensor_00,sensor_01,")
    assert header.endswith(",sensor_50,sensor_51,machine_status")
    # The first data line of the real file, by its form: missing values are empty.
    row = ["0", "2018-04-01 00:00:00", "2.465394", *["47.09201"] * 14, ""]
    row += [*["1.5"] * 36, "NORMAL"]
    X, y = load_pump_sensors(write(f"{header}\n{','.join(row)}\n"))
    assert X.shape == (1, 52)
    assert X.columns[X.isna().any()].tolist() == ["sensor_15"]
    assert y.tolist() == [0]


def test_load_pump_sensors__index_column__may_be_absent_or_named(write):
    text = pump_text()
    X, y = load_pump_sensors(write(text))
    table = pd.read_csv(write(text))
    assert table.columns[0] == "Unnamed: 0"
    named = text_of(table, index=False)
    absent = text_of(table.drop(columns="Unnamed: 0"), index=False)
    for other in (named, absent):
        X_other, y_other = load_pump_sensors(write(other))
        assert_frame_equal(X_other, X)
        assert_series_equal(y_other, y)


@pytest.mark.parametrize("nothing", ["", "NaN", "nan", "NA"])
def test_load_pump_sensors__missing_values__are_nan(write, nothing):
    X, _ = load_pump_sensors(write(replaced(pump_text(), 4, 10, nothing)))
    assert np.isnan(X.iloc[2, 7])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n",
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\n\n", 3).replace("\n\n", "\n", 1),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("NORMAL", '"NORMAL"'),
        lambda text: text.replace("2018-04-01 ", "2018-04-01T"),
    ],
)
def test_load_pump_sensors__harmless_variants__read_alike(write, change):
    X, y = load_pump_sensors(write(pump_text()))
    X_other, y_other = load_pump_sensors(write(change(pump_text())))
    assert_frame_equal(X_other, X)
    assert_series_equal(y_other, y)


def test_load_pump_sensors__order_and_doubled_times__as_they_stand(write):
    lines = pump_text().splitlines()
    lines[2:5] = [lines[4], lines[2], lines[2]]
    X, _ = load_pump_sensors(write("\n".join(lines)))
    assert X.index[1] > X.index[2] == X.index[3]


@pytest.mark.parametrize("name", ["sensor.csv", "sensor.csv.gz"])
@pytest.mark.parametrize("line", [2, 200, 401])
@pytest.mark.parametrize(
    ("column", "field", "message"),
    [
        (1, "a", r"column 1 \(\): found 'a'; expected a finite number\."),
        (2, "", r"column 2 \(timestamp\): found ''; expected a date and time such"),
        (2, "01.04.2018", r"column 2 \(timestamp\): found '01\.04\.2018'; expected"),
        (2, "2018-13-01", r"column 2 \(timestamp\): found '2018-13-01'; expected a"),
        (3, "abc", r"column 3 \(sensor_00\): found 'abc'; expected a finite number or"),
        (54, "1..2", r"column 54 \(sensor_51\): found '1\.\.2'; expected a finite"),
        (9, "inf", r"column 9 \(sensor_06\): found 'inf'; expected a finite number or"),
        (9, "1e999", r"column 9 \(sensor_06\): found '1e999'; expected a finite"),
        (55, "", r"machine_status\): found ''; expected NORMAL, BROKEN or RECOVERING"),
        (55, "IDLE", r"column 55 \(machine_status\): found 'IDLE'; expected NORMAL, "),
        (55, "normal", r"column 55 \(machine_status\): found 'normal'; expected NORM"),
        (55, "NORMAL,1", r"column 56 is one too many: found 56 columns; expected 55"),
        (5, "1,5", r"column 56 is one too many: found 56 columns; expected 55"),
    ],
)
def test_load_pump_sensors__bad_field__named(write, name, line, column, field, message):
    path = write(replaced(pump_text(), line, column, field), name)
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}, line {line}, "):
        load_pump_sensors(path)
    with pytest.raises(ValueError, match=message):
        load_pump_sensors(path)


def test_load_pump_sensors__220320_rows__takes_seconds(write):
    lines = pump_text().splitlines()
    text = "\n".join([lines[0], *(lines[1:] * 551)[:220_320]])
    start = time.process_time()
    X, y = load_pump_sensors(write(text))
    assert X.shape == (220_320, 52)
    assert y.shape == (220_320,)
    assert time.process_time() - start < 10


# -- all readers: bad files ---------------------------------------------------


def test_truncated_last_line__named(reader, write):
    text, load, delimiter = reader
    lines = text.splitlines()
    n_columns = len(lines[0].split(delimiter))
    for keep in range(1, n_columns):
        last = delimiter.join(lines[-1].split(delimiter)[:keep])
        path = write("\n".join([*lines[:-1], last]))
        message = (
            rf"sensor\.csv, line {len(lines)}, column {keep + 1} \(.*\) is missing: "
            rf"found {keep} columns; expected {n_columns}\."
        )
        with pytest.raises(ValueError, match=message):
            load(path)


def test_truncated_anywhere__never_read_as_whole(reader, write):
    """Cut at any character of the last line, the file is read right or refused."""
    text, load, _ = reader
    text = "".join(text.splitlines(keepends=True)[:5])
    whole = load(write(text))
    last = text.rstrip("\n").rindex("\n") + 1
    n_read = 0
    for end in range(last + 1, len(text)):
        try:
            found = load(write(text[:end]))
        except ValueError as error:
            assert f"line {text.count(chr(10))}, column" in str(error)  # noqa: PT017
            continue
        n_read += 1
        pd.testing.assert_index_equal(labels_of(found).index, labels_of(whole).index)
        assert labels_of(found).equals(labels_of(whole))
    assert n_read <= 3  # "0." and "0" are 0.0


def labels_of(loaded):
    return loaded["sensor"][1] if isinstance(loaded, dict) else loaded[1]


@pytest.mark.parametrize("wrong", [",", ";", "\t", "|"])
def test_wrong_delimiter__named(reader, write, wrong):
    text, load, delimiter = reader
    if wrong == delimiter:
        return
    n_columns = len(text.splitlines()[0].split(delimiter))
    message = (
        rf"sensor\.csv, line 1, column 1: found {n_columns} columns separated by "
        rf"'{re.escape(repr(wrong)[1:-1])}'; expected them to be separated by "
        rf"'{delimiter}'"
    )
    with pytest.raises(ValueError, match=message):
        load(write(text.replace(delimiter, wrong)))


def test_wrong_delimiter_in_one_line__named(reader, write):
    text, load, delimiter = reader
    lines = text.splitlines()
    lines[6] = lines[6].replace(delimiter, "|")
    with pytest.raises(ValueError, match=r"line 7, column 2 .* is missing: found 1 "):
        load(write("\n".join(lines)))


def test_column_missing__named(reader, write):
    text, load, delimiter = reader
    rows = [line.split(delimiter) for line in text.splitlines()]
    for column in range(len(rows[0])):
        if rows[0][column] == "":  # the number of the row
            continue
        fewer = [row[:column] + row[column + 1 :] for row in rows]
        path = write("\n".join(map(delimiter.join, fewer)))
        with pytest.raises(
            ValueError, match=r"sensor\.csv, line 1, column \d+"
        ) as info:
            load(path)
        assert f"{rows[0][column]!r}" in str(info.value)


def test_column_too_many__named(reader, write):
    text, load, delimiter = reader
    more = [line + delimiter + "7" for line in text.splitlines()]
    n_columns = text.splitlines()[0].count(delimiter) + 1
    message = rf"line 1, column {n_columns + 1} is one too many: found '7'"
    with pytest.raises(ValueError, match=message):
        load(write("\n".join(more)))


def test_header_absent__named(reader, write):
    text, load, _ = reader
    with pytest.raises(ValueError, match=r"line 1, column 1: found .* in the header"):
        load(write(text.split("\n", 1)[1]))


@pytest.mark.parametrize("name", ["sensor.csv", "sensor.csv.gz"])
def test_no_rows__named(reader, write, name):
    text, load, _ = reader
    header = text.splitlines()[0]
    with pytest.raises(ValueError, match=rf"{name}, line 1, column 1: found an empty"):
        load(write("", name))
    for rows in ("", "\n", "\n\n\n"):
        with pytest.raises(ValueError, match=rf"{name}, line 2, column 1: found no r"):
            load(write(header + rows, name))


def test_fault_behind_blank_lines__line_counts_them(reader, write):
    text, load, delimiter = reader
    bad = replaced(text, 5, 3, "?", delimiter).replace("\n", "\n\n\n", 1)
    with pytest.raises(ValueError, match=r"line 7, column 3 \(.*\): found '\?'"):
        load(write(bad))


@pytest.mark.parametrize("damage", ["cut", "plain text", "flipped"])
def test_damaged_gzip__named(reader, write, damage):
    text, load, _ = reader
    path = write(text, "sensor.csv.gz")
    packed = bytearray(path.read_bytes())
    middle = len(packed) // 2
    if damage == "cut":
        del packed[middle:]
    elif damage == "flipped":
        packed[middle : middle + 40] = b"\xff" * 40
    else:
        packed = bytearray(text.encode())
    path.write_bytes(packed)
    with pytest.raises(ValueError, match=r"sensor\.csv\.gz"):
        load(path)


def test_no_text__named(reader, tmp_path):
    _, load, _ = reader
    for data in (bytes(range(256)) * 9, b"\x00" * 1000, b'"' * 999, b"\xff\n" * 99):
        path = tmp_path / "sensor.csv"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"sensor\.csv, line 1, column "):
            load(path)


def test_open_quote__refused(reader, write):
    text, load, delimiter = reader
    field = '"' + text.splitlines()[5].split(delimiter)[2]
    with pytest.raises(ValueError, match=r"sensor\.csv, "):
        load(write(replaced(text, 6, 3, field, delimiter)))


def test_python_but_no_csv_number__refused(reader, write):
    text, load, delimiter = reader
    column = 1 if text.startswith("lead1") else 4
    with pytest.raises(ValueError, match=r"sensor\.csv, pandas cannot read it"):
        load(write(replaced(text, 6, column, "1_0", delimiter)))


def test_no_file__file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        load_pump_sensors(tmp_path / "none.csv")


# -- folders ------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_skab, load_keogh_discords])
def test_no_folder__named(load, tmp_path, write):
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*none"):
        load(tmp_path / "none")
    with pytest.raises(
        NotADirectoryError, match=r"x\.csv is a file; expected a folder"
    ):
        load(write("", "x.csv"))
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "readme.md").write_text("")
    (folder / "files.csv").write_text("file,rows")
    (folder / ".hidden.csv").write_text("")
    with pytest.raises(FileNotFoundError, match=r"empty holds no file \*\.csv or"):
        load(folder)


def test_find_tables__names_and_order(write, tmp_path):
    for name in ("b__10.csv", "b__9.csv.gz", "a/2.csv", "a.b.csv", "files.csv"):
        write("", name)
    write("", "a/x.csv.txt")
    assert list(find_tables(tmp_path)) == ["a.b", "a/2", "b__9", "b__10"]
    write("", "a/2.csv.gz")
    with pytest.raises(ValueError, match=r"holds both 2\.csv.* and 2\.csv"):
        find_tables(str(tmp_path))


# -- load_skab ----------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["other__2.csv.gz", "other__11.csv.gz", "valve1__0.csv.gz"],
        ["other/2.csv", "other/11.csv", "valve1/0.csv"],
    ],
)
def test_load_skab__files__series_of_one_table(write, tmp_path, names):
    for seed in (1, 0, 2):
        write(skab_text(seed, 300 + seed), names[seed])
    normal = skab_table(3).drop(columns=["anomaly", "changepoint"])
    for name in ("anomaly_free__anomaly-free.csv", "files.csv"):
        write(text_of(normal, sep=";"), name)
    X, y = load_skab(tmp_path)
    assert X.index.names == ["series", "time"]
    series = [name.partition(".")[0] for name in names]
    assert X.index.unique("series").tolist() == series
    assert list(X) == SKAB_SENSORS
    assert (X.dtypes == np.float64).all()
    assert y.dtype == np.int64
    assert y.index.equals(X.index)
    for seed, name in enumerate(series):
        expected = skab_table(seed, 300 + seed)
        assert_frame_equal(
            X.loc[name],
            expected[SKAB_SENSORS].rename_axis("time"),
            check_freq=False,
            check_index_type=False,
        )
        np.testing.assert_array_equal(y.loc[name], expected["anomaly"])


@pytest.mark.parametrize("name", ["anomaly_free__1.csv", "anomaly-free/1.csv"])
def test_load_skab__anomaly_free__has_no_anomalies(write, tmp_path, name):
    normal = skab_table().drop(columns=["anomaly", "changepoint"])
    write(text_of(normal, sep=";"), name)
    X, y = load_skab(tmp_path, subset="anomaly_free")
    assert X.shape == (500, 8)
    assert y.dtype == np.int64
    assert not y.any()
    with pytest.raises(
        FileNotFoundError, match=r"no labelled file of SKAB; expected o"
    ):
        load_skab(tmp_path)


def test_load_skab__labels_missing__named(write, tmp_path):
    write(text_of(skab_table().drop(columns=["anomaly", "changepoint"]), sep=";"))
    message = r"line 1, column 10 is missing: found 9 columns; expected 'anomaly' here"
    with pytest.raises(ValueError, match=message):
        load_skab(tmp_path)
    with pytest.raises(FileNotFoundError, match="no anomaly_free file of SKAB"):
        load_skab(tmp_path, subset="anomaly_free")
    with pytest.raises(ValueError, match=r"subset='all'; expected 'labelled' or"):
        load_skab(tmp_path, subset="all")


@pytest.mark.parametrize(
    ("column", "field", "message"),
    [
        (1, "soon", r"column 1 \(datetime\): found 'soon'; expected a date and time"),
        (4, "", r"column 4 \(Current\): found ''; expected a finite number\."),
        (9, "NaN", r"column 9 \(Volume Flow RateRMS\): found 'NaN'; expected a finite"),
        (10, "2.0", r"column 10 \(anomaly\): found '2\.0'; expected 0 or 1\."),
        (11, "", r"column 11 \(changepoint\): found ''; expected 0 or 1\."),
    ],
)
def test_load_skab__bad_field_in_one_file__named(write, column, field, message):
    write(skab_text(0), "valve1__0.csv")
    path = write(replaced(skab_text(1), 17, column, field, ";"), "valve1__1.csv.gz")
    with pytest.raises(ValueError, match=r"valve1__1\.csv\.gz, line 17, " + message):
        load_skab(path.parent)


# -- load_keogh_discords ------------------------------------------------------


def test_load_keogh_discords__files__by_name(write, tmp_path):
    write(keogh_text(2), "ecg__b.csv.gz")
    write(keogh_text(1), "respiration__a.csv")
    write(keogh_text(1, label=-1), "ecg__unknown.csv")
    write("file,rate", "verify.csv")
    time = pd.date_range("1997-01-01", periods=100, freq="15min", name="timestamp")
    power = pd.read_csv(write(keogh_text(1), "power.csv"))
    power = power.set_index(time.strftime("%Y-%m-%d %H:%M")).assign(label_repo=1)
    write(text_of(power, index_label="timestamp"), "power.csv")
    series = load_keogh_discords(tmp_path)
    assert list(series) == ["ecg__b", "power", "respiration__a"]
    assert [list(X) for X, _ in series.values()] == [
        ["lead1", "lead2"],
        ["value"],
        ["value"],
    ]
    for X, y in series.values():
        assert (X.dtypes == np.float64).all()
        assert y.dtype == np.int64
        assert np.flatnonzero(y).tolist() == list(range(50, 60))
        assert X.index.equals(y.index)
    assert (series["power"][0].index == time).all()
    assert series["power"][0].index.name == "time"
    assert series["respiration__a"][0].index.equals(pd.RangeIndex(100))


NAMES = [
    *(["x"], ["x", "y", "z"], ["y", "anomaly"], ["label_repo"], ["series", "time"]),
    *(["value", "x"], ["lead1", "lead2", "lead3"], ["a timestamp", "datetime"]),
    *(["index"], ["0", "1"], ["value_", "my label"], ["sensor_00", "machine_status"]),
    *(["name", "dtype"], ["Unnamed: 0", "T"], ["columns", "iloc", "loc", "values"]),
]


@pytest.mark.parametrize("names", NAMES, ids=" ".join)
@pytest.mark.parametrize("has_time", [False, True])
@pytest.mark.parametrize("has_repo", [False, True])
def test_load_keogh_discords__any_names__kept(names, has_time, has_repo, write):
    if has_repo and "label_repo" in names:
        return  # a name that is there twice says nothing
    values = np.random.default_rng(0).normal(size=(30, len(names))).round(6)
    table = pd.DataFrame(values, columns=names).assign(label=np.arange(30) % 2)
    time = pd.date_range("2000", periods=30, freq="h", name="timestamp")
    if has_time:
        table.insert(0, "timestamp", time)
    if has_repo:
        table["label_repo"] = 0
    path = write(text_of(table, index=False), f"{names[0][:1]}.csv")
    ((name, (X, y)),) = load_keogh_discords(path.parent).items()
    assert (name, list(X)) == (names[0][:1], names)
    np.testing.assert_array_equal(X, values)
    np.testing.assert_array_equal(y, np.arange(30) % 2)
    assert X.index.equals(time if has_time else pd.RangeIndex(30))


@pytest.mark.parametrize("header", ["x,x,label", ",x,label", "label,label", "x,y"])
def test_load_keogh_discords__unclear_names__refused(header, write):
    n_columns = header.count(",") + 1
    path = write(f"{header}\n" + ",".join(["0"] * n_columns))
    with pytest.raises(ValueError, match="line 1, column"):
        load_keogh_discords(path.parent)


def test_load_keogh_discords__labels(write, tmp_path):
    path = write(replaced(keogh_text(2), 5, 3, "2"), "ecg__b.csv")
    message = r"b\.csv, line 5, column 3 \(label\): found '2'; expected -1, 0 or 1\."
    with pytest.raises(ValueError, match=message):
        load_keogh_discords(tmp_path)
    path.write_text(keogh_text(2, label=-1))
    with pytest.raises(FileNotFoundError, match="holds no labelled series"):
        load_keogh_discords(tmp_path)


# -- real data ----------------------------------------------------------------


@pytest.mark.real_data
def test_load_skab__real_files(data_folder):
    X, y = load_skab(data_folder / "skab")
    sizes = X.groupby(level="series").size()
    assert len(sizes) == 15
    assert sizes.between(745, 1327).all()
    names = X.index.unique("series").tolist()
    assert names[:4] == ["other__1", "other__3", "other__5", "other__7"]
    assert X.notna().all(axis=None)
    row = X.groupby(level="series").cumcount()
    assert not y[row < 400].any()
    assert y.groupby(level="series").mean().between(0.25, 0.49).all()
    normal, y_normal = load_skab(data_folder / "skab", subset="anomaly_free")
    assert normal.shape == (9405, 8)
    assert not y_normal.any()


@pytest.mark.real_data
def test_load_keogh_discords__real_files(data_folder):
    series = load_keogh_discords(data_folder / "keogh_discords")
    assert {name: (*X.shape, int(y.sum())) for name, (X, y) in series.items()} == {
        "ecg__chfdb_chf01_275": (3751, 2, 269),
        "ecg__chfdbchf15": (15000, 2, 149),
        "ecg__ltstdb_20221_43": (3750, 2, 129),
        "ecg__mitdb__100_180": (5401, 2, 189),
        "ecg__xmitdb_x108_0": (5400, 2, 379),
        "power_demand__power_data": (35040, 1, 9 * 96),
        "respiration__nprs44": (24125, 1, 453),
        "space_shuttle__TEK14": (5000, 1, 598),
    }
    X, y = series["power_demand__power_data"]
    holidays = y[y == 1].index.normalize().unique().strftime("%m-%d")
    assert holidays.tolist() == [
        *["01-01", "03-28", "03-31", "04-30", "05-05", "05-08", "05-19"],
        *["12-25", "12-26"],
    ]
    # The nine are less than a usual working day.
    by_day = X["value"].groupby(X.index.normalize()).median()
    assert by_day[y.groupby(y.index.normalize()).max() == 1].max() < 1100
