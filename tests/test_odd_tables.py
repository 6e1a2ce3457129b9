"""Tables in which a reader may go wrong without a word."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad import LinearAutoencoder, TableReader, clean_table
from skad._series_names import number_series

NAN = np.nan
V = [1.0, 2.0, 3.5]


def clean(columns, *args, **kwargs):
    """The cleaned table, with any warning an error."""
    table = pd.DataFrame(columns) if isinstance(columns, dict) else columns
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return clean_table(table, *args, **kwargs)


# ---------------------------------------------------------------------------
# Columns of other libraries
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        pa.array([None, "10", "7"]).dictionary_encode(),
        pa.array([None, 10, 7]).dictionary_encode(),
        pa.array([None, 10.0, 7.0]).dictionary_encode(),
        pa.chunked_array(
            [
                pa.array([None, "10"]).dictionary_encode(),
                pa.array(["7"]).dictionary_encode(),
            ]
        ),
        pl.Series([None, "10", "7"], dtype=pl.Categorical),
        pl.Series([None, "10", "7"], dtype=pl.Enum(["7", "10"])),
    ],
    ids=["texts", "whole", "floats", "chunks", "polars", "polars enum"],
)
def test_nulls_in_dictionaries__stay_missing(values):
    of = pl.DataFrame if isinstance(values, pl.Series) else pa.table
    made = TableReader().fit_transform(of({"e": values, "b": V}))
    np.testing.assert_array_equal(made["e"], [NAN, 10, 7])


def test_dictionaries_of_numbers__name_series_by_numbers():
    table = pa.table({"e": pa.array([3, 3, 4]).dictionary_encode(), "b": V})
    made = TableReader(series="e").fit_transform(table)
    assert made.index.get_level_values("e").tolist() == [3, 3, 4]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([[1, 2], [3, 4], [5, 6]], dtype=pl.Array(pl.Int64, 2)),
        pl.Series([{"x": 1, "y": 2}, None, {"x": 3, "y": 2}]),
        pl.Series([[1, 2], [3], None]),
    ],
    ids=["array", "struct", "list"],
)
def test_nested_columns__are_dropped_by_name(values):
    with pytest.warns(UserWarning, match="'e': texts such as"):
        made = clean_table(pl.DataFrame({"e": values, "b": V}))
    assert made["b"].to_list() == V


def test_texts_as_bytes__are_read():
    made = clean(np.array([[b"1.5", b"2"], [b"3", b""]]))
    np.testing.assert_array_equal(made, [[1.5, 2], [3, NAN]])


# ---------------------------------------------------------------------------
# Numbers of series
# ---------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["b", "a", None]),
            st.sampled_from([2, 1]),
            st.sampled_from([1.5, 0.5]),
        ),
        min_size=1,
    )
)
def test_numbers_of_series__are_those_of_sorted_names(keys):
    levels = [list(level) for level in zip(*keys, strict=True)]
    codes = np.column_stack([pd.factorize(pd.Index(x), sort=True)[0] for x in levels])
    expected = np.unique(codes, axis=0, return_inverse=True)[1].ravel()
    names = pd.MultiIndex.from_arrays(levels[:2])
    made = number_series(names, levels[2], np.zeros((len(keys), 1)))
    np.testing.assert_array_equal(made, expected)


# ---------------------------------------------------------------------------
# Orders of dates
# ---------------------------------------------------------------------------


def dates(times, **kwargs):
    return TableReader("t", **kwargs).fit(rows_at(times))


def rows_at(times):
    return pd.DataFrame({"t": times, "a": np.arange(len(times)) * 1.0})


@pytest.mark.parametrize(
    ("in_fit", "later", "day"),
    [
        (["99-12-30", "99-12-31"], "13-05-12", "2013-05-12"),
        (["13/01/2024", "14/01/2024"], "2024-05-13", "2024-05-13"),
        (["13/01/2024", "14/01/2024"], "04/05/2024", "2024-05-04"),
        (["01/13/2024", "01/14/2024"], "04/05/2024", "2024-04-05"),
        (["2024-01-12", "2024-01-13"], "05/05/2024", "2024-05-05"),
    ],
)
def test_order_of_dates__is_that_of_fit(in_fit, later, day):
    made = dates(in_fit).transform(rows_at([later]))
    assert made.index[0] == pd.Timestamp(day)


@pytest.mark.parametrize(
    ("in_fit", "later"),
    [
        (["2024-01-12", "2024-01-13"], "13/05/2024"),
        (["2024-01-12", "2024-01-13"], "05/13/2024"),
        (["03/03/2024 00:00", "03/03/2024 01:00"], "13/05/2024"),
        (pd.to_datetime(["2024-01-12", "2024-01-13"]), "05-05-12"),
    ],
)
def test_order_that_fit_did_not_tell__is_refused(in_fit, later):
    with pytest.raises(ValueError, match=f"Row 0 of 't' holds '{later}'.*dayfirst="):
        dates(in_fit).transform(rows_at([later]))
    if not isinstance(in_fit, pd.DatetimeIndex):
        told = dates(in_fit, dayfirst=later.startswith("13"))
        assert told.transform(rows_at([later])).index[0].day == 13


def test_years_of_two_digits__are_told_where_they_may_come_first():
    report = repr(dates(["24-01-30", "24-01-31"]).report_)
    assert "years last (if they come first, say format='%y-%m-%d')" in report
    with pytest.raises(ValueError, match=r"out of order.*years last.*%y-%m-%d %H:%M'"):
        dates(["24-01-30 00:00", "24-01-31 00:00", "24-02-01 00:00"])
    assert "years" not in repr(dates(["12.01.24", "13.01.24"]).report_)


def test_order_of_dates__is_none_where_years_come_first():
    reader = dates(["2024-01-12", "2024-01-13"], dayfirst=True)
    assert reader.dayfirst_ is None
    assert "first" not in repr(reader.report_)


def test_format_and_dayfirst__contradict():
    with pytest.raises(ValueError, match="dayfirst=False is given with format='%Y'"):
        dates(["2024"], format="%Y", dayfirst=False)
    for format in ("sec", "DD/MM/YYYY"):
        with pytest.raises(ValueError, match=f"format='{format}'; expected .*%d/%m/%Y"):
            dates(["12/01/2024"], format=format)


def test_some_offsets_from_utc__are_refused_however_given():
    zoned = pd.Timestamp("2024-01-13 10:00", tz="UTC").to_pydatetime()
    objects = pd.Series([zoned, pd.Timestamp("2024-01-14").to_pydatetime()], dtype="O")
    with pytest.raises(ValueError, match="'t' holds dates with an offset from UTC"):
        dates(objects)
    for texts in (
        ["2024-01-13 10:00Z", "2024-01-14"],
        ["2024-01-13T10Z", "2024-01-14T10"],
        ["13.01.2024 10:00 +0100", "14.01.2024"],
        ["13.01.2024 10.00 +0100", "14.01.2024 10.00"],
    ):
        with pytest.raises(ValueError, match="Row 1 of 't' has no offset from UTC"):
            dates(texts)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["31.02.2024", "13.01.2024"], "'31.02.2024'.*give all of them one order"),
        ([True, False], r"'t': True \(2 such rows\)\. True and False are no times"),
        (np.array([2**63 + 5] * 2, dtype=np.uint64), r"below 2\*\*63"),
        (pd.array([2**63 + 5] * 2, dtype="UInt64"), r"'t' is 9223372036854775813 in"),
    ],
    ids=["31 February", "truth", "uint64", "UInt64"],
)
def test_times_that_are_none__are_said_plainly(times, message):
    with pytest.raises(ValueError, match=message):
        dates(times)


def test_dates_as_numbers__are_named_in_the_report():
    for times, format in {
        (20240112, 20240113): "%Y%m%d",
        (1704067200, 1704067201): "s",
        ("1704067200000", "1704067200001"): "ms",
    }.items():
        assert f"say format={format!r}" in repr(dates(list(times)).report_)
    for times in ([5, 20240113], [20241312, 20241313], [0.5, 20240113.5]):
        assert "format" not in repr(dates(times).report_)


def test_rows_in_messages__count_the_row_of_units():
    table = pd.DataFrame({"t": ["", "2024-01-12", "2024-01-13"], "a": ["K", "1", "2"]})
    for wrong, message in {
        ("2024-01-13", "x"): "Row 2 has no readable",
        ("2024-01-12", "2024-01-14"): "Row 2 is out of order",
        ("2024-01-12", "2024-01-13"): "Rows 1 and 2 have the same",
        ("2", "inf"): "infinity in row 2",
    }.items():
        with pytest.raises(ValueError, match=message):
            TableReader("t").fit(table.replace(*wrong))
    ambiguous = table.assign(t=["", "05/06/2024", "06/06/2024"])
    with pytest.raises(ValueError, match="'05/06/2024' in row 1 is 05 Jun"):
        TableReader("t").fit(ambiguous)


# ---------------------------------------------------------------------------
# Rows
# ---------------------------------------------------------------------------


def test_missing_series_in_the_last_rows__is_named():
    table = pd.DataFrame({"t": [1, 2, 3], "m": ["a", "a", None], "a": V})
    with pytest.raises(ValueError, match=r"series 'm' is missing in row 2 \(1 such"):
        TableReader("t", series="m").fit(table)
    empty = pd.DataFrame({"t": [None, " "], "m": None, "a": [NAN, ""]}, dtype=object)
    made = clean(pd.concat([table[:2].astype(object), empty]), "t", series="m")
    assert len(made) == 2


def test_units__are_not_what_says_missing():
    reader = TableReader(missing=["Bad"]).fit(pd.DataFrame({"a": ["1", "2", "3"]}))
    later = pd.DataFrame({"a": ["Bad", "1.5", "2.5"]})
    assert len(reader.transform(later)) == 3
    assert len(clean(later, missing="Bad")) == 3
    assert clean_table(pl.DataFrame({"a": ["n/a", "1.5", "2"]})).shape == (3, 2)
    # without units in fit, there are none later
    reader = TableReader().fit(pd.DataFrame({"a": ["1", "2", "3"]}))
    with pytest.warns(UserWarning, match="'Bad' x 1"):
        assert len(reader.transform(later)) == 3
    units = pd.DataFrame(
        {"t": ["", "2024-01-12"], "a": ["K", "1"], "b": ["n/a", "2"]}, dtype=object
    )
    assert TableReader("t").fit(units).units_ == {"a": "K"}


# ---------------------------------------------------------------------------
# Numbers
# ---------------------------------------------------------------------------

COMMAS, POINTS = ["1,5", "2,5", "3,5"], ["1.234", "12.500", "2.345"]


def test_points_beside_decimal_commas__stand_between_thousands():
    made = clean({"a": COMMAS, "b": POINTS})
    assert made["b"].tolist() == [1234, 12500, 2345]
    assert clean({"b": ["1.234.567", "2"]})["b"].tolist() == [1234567, 2]
    for other in ({}, {"c": ["0.5", "1", "2"]}, {"c": V}):
        assert clean({"b": POINTS} | other)["b"].tolist() == [1.234, 12.5, 2.345]
    # mixed on purpose, and undecidable
    mixed = {"a": COMMAS, "c": ["0.5", "1", "2"]}
    assert clean(mixed)["c"].tolist() == [0.5, 1, 2]
    with pytest.raises(ValueError, match=r"'b' can be read in two ways.*points"):
        clean(mixed | {"b": POINTS})


def test_points__stay_what_they_were_in_fit():
    table = pd.DataFrame({"a": ["1", "2", "3"], "b": POINTS})
    reader = TableReader().fit(table)
    made = reader.transform(table.assign(a=COMMAS))
    assert made["b"].tolist() == [1.234, 12.5, 2.345]
    reader = TableReader().fit(table.assign(a=COMMAS))
    assert reader.transform(table)["b"].tolist() == [1234, 12500, 2345]


@pytest.mark.parametrize(
    "missing",
    [
        {-200, "Bad"},
        ["-200", "Bad"],
        np.array([-200, "Bad"]),
        pd.Series([-200, "Bad", None]),
        (np.int64(-200), "Bad"),
    ],
    ids=lambda missing: type(missing).__name__,
)
def test_missing__may_be_any_collection(missing):
    made = clean({"a": [1, -200.0, 3], "b": ["-200.0", "2", "Bad"]}, missing=missing)
    np.testing.assert_array_equal(made, [[1, NAN], [NAN, 2], [3, NAN]])


@pytest.mark.parametrize("missing", [{"a": -200}, [[-200]], True, [pd.Timestamp(0)]])
def test_missing_that_is_none__is_refused(missing):
    with pytest.raises(ValueError, match=r"(?i)missing.*(instance of|expected numb)"):
        clean({"a": V}, missing=missing)


# ---------------------------------------------------------------------------
# Long tables, and bins
# ---------------------------------------------------------------------------

LONG = pd.DataFrame(
    {
        "t": [1, 1, 1, 2, 2, 2],
        "s": ["p", "state", "dead"] * 2,
        "v": ["1", "on", None, "2.5", "off", None],
    }
)
SENSORS = ("t", "s", "v")


def test_sensors_without_numbers__may_be_there_later():
    reader = TableReader(long=SENSORS)
    with pytest.warns(UserWarning, match="'state': texts such as 'on'"):
        made = reader.fit_transform(LONG)
    assert reader.dropped_ == ["state", "dead"]
    for later in (LONG, LONG[LONG["s"] == "p"]):
        pd.testing.assert_frame_equal(reader.transform(later), made)
    with pytest.raises(ValueError, match=r"\['heat'\] are new"):
        reader.transform(LONG.replace("dead", "heat"))


@pytest.mark.parametrize(
    ("long", "series", "message"),
    [
        (("t", "x", "v"), None, "'x' is not a column of the table; its columns are"),
        (("t", "s", "y"), None, "'y' is not a column"),
        (("z", "s", "v"), None, "'z' is not a column"),
        (("t", "t", "v"), None, "'t' is named twice"),
        (("t", "s", "v"), "s", "'s' is named twice"),
        ((["t"], "s", "v"), None, "expected the names of three columns"),
    ],
)
def test_wrong_names_of_a_long_table__are_named(long, series, message):
    with pytest.raises(ValueError, match=message):
        TableReader(long=long, series=series).fit(LONG)


def test_doubled_values_of_a_long_table__are_counted_or_averaged():
    long = LONG[LONG["s"] == "p"]
    reader = TableReader(long=SENSORS)
    with pytest.warns(UserWarning, match="^1 rows repeat an earlier row of their"):
        made = reader.fit_transform(pd.concat([long, long[:1]]))
    assert reader.report_.n_doubled == 1
    assert made["p"].tolist() == [1, 2.5]
    other = pd.concat([long, long[:1].assign(v="4")])
    with pytest.raises(ValueError, match=r"another value of sensor 'p' at 1 .*every="):
        reader.fit(other)
    assert clean(other, long=SENSORS, every=1)["p"].tolist() == [2.5, 2.5]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.integers(0, 3))))
def test_bins_of_long_tables__equal_loops(rows):
    rows = [*rows, (0, "a", 1), (0, "b", 1)]
    long = pd.DataFrame(rows, columns=["t", "s", "v"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        made = clean_table(long, long=SENSORS, every=2)
    for start, sensor in {(time - time % 2, sensor) for time, sensor, _ in rows}:
        found = {row for row in rows if row[1] == sensor and row[0] // 2 * 2 == start}
        expected = np.mean([value for *_, value in found])
        assert made.loc[start, sensor] == pytest.approx(expected)


def test_bins_of_floats__begin_where_they_should():
    times = np.arange(50) * 0.1
    made = clean(pd.DataFrame({"a": times}, index=times), every=0.1)
    np.testing.assert_allclose(made["a"], times)
    whole = pd.DataFrame({"a": V}, index=[2**62, 2**62 + 1, 2**62 + 3])
    made = clean(whole, every=2)
    assert made.index.tolist() == [2**62, 2**62 + 2]
    with pytest.raises(ValueError, match="too short for times from"):
        clean(pd.DataFrame({"a": V}, index=[0.0, 1e300, 2e300]), every=0.1)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Berlin", "America/St_Johns"])
def test_bins__begin_at_midnight_of_their_zone(zone):
    times = pd.date_range("2024-07-01", periods=96, freq="30min", tz=zone)
    table = pd.DataFrame({"a": np.arange(96.0)}, index=times)
    for every, n_rows in (("1D", 2), ("1h", 48)):
        made = clean(table, every=every)
        assert made.index.equals(
            pd.date_range("2024-07-01", periods=n_rows, freq=every, tz=zone)
        )


def test_bins_that_are_none__are_refused():
    table = pd.DataFrame({"a": V}, index=pd.date_range("2024", periods=3))
    for every in ("5", "5e3", True):
        with pytest.raises(ValueError, match=f"every={every!r} is no duration"):
            clean(table, every=every)
    old = pd.DataFrame({"t": ["1500-01-01", "1500-01-02"], "a": [1.0, 2.0]})
    with pytest.raises(ValueError, match="from 1677 to 2262 only"):
        clean(old, "t", every="1D")


def test_arrays_with_dates__are_an_error_that_says_what_to_pass():
    table = pd.DataFrame({"time": pd.date_range("2024", periods=9), "x": range(9)})
    for estimator in (TableReader("time"), LinearAutoencoder(1)):
        with pytest.raises(TypeError, match=r"number.* holds Timestamp\(.*DataFrame"):
            estimator.fit(table.to_numpy())
    written = table.astype({"time": str}).astype(object).to_numpy()
    with pytest.raises(ValueError, match=r"float.* holds '2024-01-01'.*DataFrame"):
        LinearAutoencoder(1).fit(written)
