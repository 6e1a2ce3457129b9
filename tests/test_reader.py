"""TableReader: what it reads, learns, hands on and refuses."""

import datetime
import io
import pickle

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    AnomalyScoreDisplay,
    ContributionDisplay,
    DetectorComparisonDisplay,
    LinearAutoencoder,
    QuantileThreshold,
    SlidingWindow,
    TableReader,
    ThresholdDisplay,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    clean_table,
    drift_report,
    evaluate,
    expected_values,
    explain,
    find_events,
    load,
    make_sensors,
    save,
)

DAYS = pd.date_range("2024-01-12", periods=4, freq="D")
NAN = np.nan


def machines(n=4, start="2024-01-12"):
    """Two machines, one after the other, with days as texts."""
    days = pd.date_range(start, periods=n, freq="D").strftime("%d/%m/%Y")
    one = pd.DataFrame({"when": days, "pump": "A", "bar": np.arange(n) + 0.5})
    return pd.concat([one, one.assign(pump="B", bar=one["bar"] * 100)])


def read(table, *args, **kwargs):
    """What a reader makes of a table; the same as clean_table makes of it."""
    reader = TableReader(*args, **kwargs)
    made = reader.fit_transform(table)
    pd.testing.assert_frame_equal(reader.transform(table), made)
    return made


# ---------------------------------------------------------------------------
# Libraries
# ---------------------------------------------------------------------------

TYPED = pd.DataFrame(
    {
        "when": DAYS,
        "pump": ["A", "A", "B", "B"],
        "whole": [1, 2, 3, 4],
        "single": np.array([1, 2, 3, 4], dtype=np.float32),
        "gaps": [1.5, NAN, 3.0, NAN],
        "flag": [True, False, True, False],
        "text": ["1.5", None, "3", "4"],
    }
)
LIBRARIES = {
    "pandas": lambda t: t,
    "nullable": lambda t: t.convert_dtypes(),
    "arrow types": lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
    "objects": lambda t: t.astype(object),
    "categories": lambda t: t.astype({"pump": "category", "text": "category"}),
    "big-endian": lambda t: t.astype({"whole": ">i4", "gaps": ">f8"}),
    "polars": lambda t: pl.from_pandas(t),
    "polars categories": lambda t: pl.from_pandas(t).cast({"pump": pl.Categorical}),
    "polars decimals": lambda t: pl.from_pandas(t).cast({"gaps": pl.Decimal(9, 2)}),
    "pyarrow": lambda t: pa.Table.from_pandas(t, preserve_index=False),
    "pyarrow date": lambda t: pa.table(
        {**{n: t[n] for n in t}, "when": pa.array(t["when"].dt.date)}
    ),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_tables_of_any_library__are_read_alike(library):
    table = LIBRARIES[library](TYPED)
    made = read(table, "when", series="pump")
    index = pd.MultiIndex.from_arrays([TYPED["pump"], DAYS], names=["pump", "when"])
    expected = pd.DataFrame(
        {
            "whole": [1.0, 2, 3, 4],
            "single": [1.0, 2, 3, 4],
            "gaps": [1.5, NAN, 3, NAN],
            "flag": [1.0, 0, 1, 0],
            "text": [1.5, NAN, 3, 4],
        },
        index=index,
    )
    pd.testing.assert_frame_equal(
        made,
        expected,
        check_index_type=False,
        check_column_type=False,
        check_freq=False,
    )
    assert isinstance(made.index.get_level_values(-1), pd.DatetimeIndex)
    assert set(made.dtypes) == {np.dtype(float)}


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_clean_table__gives_back_the_library_it_was_given(library):
    table = LIBRARIES[library](TYPED)
    cleaned = clean_table(table, "when", series="pump")
    assert type(cleaned) is type(table)
    assert nw.from_native(cleaned).columns == [
        *("pump", "when", "whole", "single", "gaps", "flag", "text")
    ]
    assert nw.from_native(cleaned)["gaps"].null_count() == 2
    again = clean_table(cleaned, "when", series="pump")
    assert nw.from_native(again).rows() == nw.from_native(cleaned).rows()
    zoned = pl.DataFrame({"t": DAYS.tz_localize("Europe/Berlin"), "a": [1.0, 2, 3, 4]})
    back = clean_table(zoned, "t")
    assert back.schema["t"].time_zone == "Europe/Berlin"
    assert back["t"].to_list() == zoned["t"].to_list()


def test_xarray__keeps_its_time():
    values = np.arange(8.0).reshape(2, 4)
    coords = {"pump": ["A", "B"], "time": DAYS}
    dataset = xr.Dataset({"bar": (("pump", "time"), values)}, coords=coords)
    made = read(dataset)
    assert made.index.names == ["pump", "time"]
    assert made["bar"].tolist() == list(range(8))
    swapped = read(dataset.transpose("time", "pump"))
    pd.testing.assert_frame_equal(swapped, made)
    array = dataset["bar"].isel(pump=0)
    assert read(array).index.equals(DAYS)
    assert read(dataset["bar"].T).columns.tolist() == ["A", "B"]
    with pytest.raises(ValueError, match=r"dimensions .*'time'.*assign_coords"):
        read(dataset.drop_vars("time"))
    with pytest.raises(ValueError, match=r"DataArray of dimensions.*to_dataset"):
        read(xr.DataArray(np.zeros((2, 2, 2))))


def test_arrays__are_numbered_rows():
    made = read(np.array([[1, 2], [3, 4]]))
    assert made.columns.tolist() == ["x0", "x1"]
    assert isinstance(made.index, pd.RangeIndex)
    assert not hasattr(TableReader().fit([[1.0], [2.0]]), "feature_names_in_")
    texts = np.array([["2024-01-12", "1,5"], ["2024-01-13", "2,5"]])
    assert read(texts, "x0")["x1"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.Series([1.0]), r"pandas Series; .*X\.to_frame\(\)"),
        (pl.DataFrame({"a": [1.0]}).lazy(), r"LazyFrame, not read yet; .*collect\(\)"),
        ({"a": [1.0]}, "of type builtins dict; a table is needed"),
        (3.0, "of type builtins float; a table is needed"),
    ],
)
def test_what_is_no_table__is_refused(table, message):
    with pytest.raises(TypeError, match=message):
        TableReader().fit(table)


# ---------------------------------------------------------------------------
# Times
# ---------------------------------------------------------------------------


def times_of(times, **kwargs):
    table = pd.DataFrame({"t": times, "a": np.arange(len(times)) * 1.0})
    reader = TableReader("t", **kwargs).fit(table)
    as_index = TableReader(**kwargs).fit_transform(table.set_index("t"))
    made = reader.transform(table)
    pd.testing.assert_frame_equal(made, as_index)
    return made.index, reader


@pytest.mark.parametrize(
    ("texts", "dayfirst"),
    [
        (["12/01/2024", "13/01/2024"], True),
        (["01/12/2024", "01/13/2024"], False),
        (["12.01.24 00.00.00", "13.01.24 00.00.00"], True),
        (["12-01-2024 00:00", "13-01-2024 00:00"], True),
        (["1/12/24 12:00 AM", "1/13/24 0:00:00.0 AM"], False),
        (["2024-01-12", "2024-01-13T00:00:00"], None),
        (["2024.1.12 00.00", "2024.1.13 00.00"], None),
        (["12 Jan 2024", "13 Jan 2024"], None),
        (["Jan 12, 2024 12:00 AM", "Jan 13, 2024 12:00 AM"], None),
        ([datetime.date(2024, 1, 12), datetime.date(2024, 1, 13)], None),
        ([datetime.datetime(2024, 1, 12), datetime.datetime(2024, 1, 13)], None),
        (pd.period_range("2024-01-12", periods=2, freq="D"), None),
        (DAYS[:2].astype("timestamp[ns][pyarrow]"), None),
        (pd.Series(DAYS[:2]).astype("date32[pyarrow]").array, None),
        (pd.Categorical(["2024-01-12", "2024-01-13"]), None),
        (pd.array(["12/01/2024", "13/01/2024"], dtype="string[pyarrow]"), True),
        (DAYS[:2].astype("M8[s]").to_numpy().astype(">M8[s]"), None),
    ],
    ids=lambda value: None if isinstance(value, bool) else str(value)[:30],
)
def test_dates_written_in_any_usual_way__are_read(texts, dayfirst):
    index, reader = times_of(texts)
    assert list(index) == [pd.Timestamp("2024-01-12"), pd.Timestamp("2024-01-13")]
    assert reader.dayfirst_ is dayfirst


def test_order_of_dates__is_that_of_the_whole_column():
    hours = pd.date_range("2024-02-28", periods=100, freq="h")
    for dayfirst, style in [(True, "%d/%m/%Y %H:%M"), (False, "%m/%d/%Y %H:%M")]:
        index, reader = times_of(hours.strftime(style))
        assert list(index) == list(hours)
        assert reader.dayfirst_ is dayfirst


def test_ambiguous_dates__are_refused_with_both_readings():
    hours = pd.date_range("2024-03-04", periods=50, freq="h")
    texts = hours.strftime("%d/%m/%Y %H:%M")
    message = (
        r"'04/03/2024 00:00' in row 0 is 04 Mar 2024 with dayfirst=True and 03 Apr "
        r"2024 with dayfirst=False"
    )
    with pytest.raises(ValueError, match=message):
        times_of(texts)
    for dayfirst in (True, False):
        index, reader = times_of(texts, dayfirst=dayfirst)
        assert index[0].month == (3 if dayfirst else 4)
        assert reader.dayfirst_ is dayfirst
    index, _ = times_of(texts, format="%d/%m/%Y %H:%M")
    assert list(index) == list(hours)
    # only one order does not go back; and one date that is the same in both
    assert times_of(["12/01/2024", "01/02/2024"])[1].dayfirst_ is True
    assert times_of(["03/03/2024 00:00", "03/03/2024 01:00"])[1].dayfirst_ is None


def test_one_day__is_read_as_the_file_was():
    reader = TableReader("when", series="pump").fit(machines())
    day = machines(1, "2024-02-03")
    made = reader.transform(day)
    assert set(made.index.get_level_values("when")) == {pd.Timestamp("2024-02-03")}
    for copy in (clone(reader).fit(machines()), pickle.loads(pickle.dumps(reader))):
        pd.testing.assert_frame_equal(copy.transform(day), made)
    wrong = day.assign(when="01/31/2024")
    with pytest.raises(ValueError, match=r"'01/31/2024'.*Others read day first"):
        reader.transform(wrong)


def test_numbers__are_times_in_their_unit_only_if_it_is_told():
    seconds = DAYS.astype("M8[s]").astype("int64")
    for unit, factor in [("s", 1), ("ms", 1000)]:
        given = seconds * factor
        for times in (given, given.astype(str), given.astype(float)):
            index, reader = times_of(times, format=unit)
            assert list(index) == list(DAYS)
            assert reader.format_ == unit
    index, _ = times_of(seconds)
    assert index.dtype == np.int64
    index, _ = times_of([20240112, 20240113], format="%Y%m%d")
    assert list(index) == list(DAYS[:2])


def test_offsets__are_kept_and_a_later_table_comes_in_that_of_fit():
    index, reader = times_of(["2024-01-12 01:00+02:00", "2024-01-13 01:00+02:00"])
    assert str(index[0]) == "2024-01-12 01:00:00+02:00"
    later = pd.DataFrame({"t": ["2024-06-01 01:00+03:00"], "a": [1.0]})
    assert str(reader.transform(later).index[0]) == "2024-06-01 00:00:00+02:00"
    with pytest.raises(ValueError, match="offsets from UTC, but had one"):
        reader.transform(later.assign(t="2024-06-01 01:00"))
    index, _ = times_of(["31/03/2024 01:00 +0100", "31/03/2024 03:00 +0200"])
    assert str(index[1]) == "2024-03-31 01:00:00+00:00"
    index, _ = times_of(DAYS.tz_localize("Europe/Berlin"))
    assert str(index.tz) == "Europe/Berlin"
    with pytest.raises(ValueError, match=r"Row 1 .*no offset from UTC"):
        times_of(["2024-01-12 01:00+02:00", "2024-01-13 01:00"])


def test_date_and_time_of_day__are_joined():
    days = ["12/01/2024", "13/01/2024"]
    clocks = [datetime.time(18), datetime.time(19)]
    expected = [pd.Timestamp("2024-01-12 18:00"), pd.Timestamp("2024-01-13 19:00")]
    for date in (days, pd.to_datetime(days, dayfirst=True)):
        for clock in (["18.00.00", "19:00"], clocks):
            table = pd.DataFrame({"d": date, "c": clock, "a": [1.0, 2.0]})
            made = read(table, ["d", "c"])
            assert list(made.index) == expected
            assert made.columns.tolist() == ["a"]
    parts = {"y": [2024, 2024], "m": [1, 1], "d": [12, 13], "h": [18, 19], "a": 1.0}
    made = read(pd.DataFrame(parts), [*"ymdh"], format="%Y %m %d %H")
    assert list(made.index) == expected
    with pytest.raises(ValueError, match=r"no date: join two columns with time=\["):
        read(pd.DataFrame({"c": ["18:00", "19:00"], "a": [1.0, 2.0]}), "c")


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2024-01-12", "2024-0"], r"Row 1 .*readable timestamp in 't': '2024-0'"),
        (["13/01/2024", "01/13/2024"], "Row . .*; give all of them one order"),
        (["12/01/2024", "2024-01-13"], r"Row 1 .*'2024-01-13'"),
        (["31/02/2024", "13/01/2024"], r"Row 0 .*'31/02/2024'"),
        (["2024-01-12 25:00", "2024-01-13 01:00"], r"Row 0 .*'2024-01-12 25:00'"),
        (["12/01/2024 25:00", "13/01/2024 01:00"], r"Row 0 .*'12/01/2024 25:00'"),
        ([DAYS[1], pd.NaT, DAYS[2]], r"Row 1 has no readable timestamp in 't'"),
        ([DAYS[1], DAYS[0]], r"Row 1 is out of order: .*-12.* after .*-13.* of row 0"),
        ([True, False], "Row 0 has no readable timestamp"),
    ],
    ids=str,
)
def test_bad_times__are_named(times, message):
    table = pd.DataFrame({"t": times, "a": 1.0})
    with pytest.raises(ValueError, match=message):
        TableReader("t").fit(table)


def test_advice_to_sort__is_a_line_that_works():
    table = pd.DataFrame({"t": DAYS, "m": "A", "a": 1.0}).iloc[[1, 0, 2]]
    line = r"X\.sort_values\(\['m', 't'\], kind=\"stable\"\)"
    with pytest.raises(ValueError, match=line):
        TableReader("t", series="m").fit(table)
    TableReader("t", series="m").fit(table.sort_values(["m", "t"], kind="stable"))
    with pytest.raises(ValueError, match=r"X\.sort_index\(kind=\"stable\"\)"):
        TableReader().fit(table.set_index("t")[["a"]])


def test_dates_in_a_column__ask_for_its_name():
    table = pd.DataFrame({"t": DAYS, "a": [1.0, 2, 3, 4]})
    for one in (table, table.astype({"t": str}), pl.from_pandas(table)):
        with pytest.raises(ValueError, match=r"Column 't' holds dates.*say time='t'"):
            TableReader().fit(one)
    with pytest.warns(UserWarning, match="Columns without any number were dropped: 'd"):
        made = TableReader("t").fit(table.assign(d=DAYS))
    assert made.dropped_ == ["d"]


# ---------------------------------------------------------------------------
# Series, rows and columns
# ---------------------------------------------------------------------------


def test_series__may_be_columns_levels_or_both():
    table = machines()
    expected = read(table, "when", series="pump")
    assert expected.index.names == ["pump", "when"]
    for one in (
        read(table.set_index("pump"), "when", series="pump"),
        read(table.set_index(["pump", "when"])),
        read(table.set_index("when"), series="pump"),
        read(table.set_index(["when", "pump"]), "when", series="pump"),
    ):
        pd.testing.assert_frame_equal(one, expected)
    two = read(table.assign(site="x"), "when", series=["site", "pump"])
    assert two.index.names == ["site", "pump", "when"]
    with pytest.raises(
        ValueError, match=r"reorder_levels\(\['pump', 'when'\]\).*time='"
    ):
        read(table.assign(when=DAYS.append(DAYS)).set_index(["when", "pump"]))
    with pytest.raises(ValueError, match=r"index 'pump' is neither.*series='pump'"):
        read(table.set_index("pump"), "when")
    numbered = table.drop(columns="pump")
    with pytest.raises(ValueError, match=r"Rows 0 and 4 have the same.*series="):
        read(numbered, "when")


def test_interleaved_series__stay_so():
    table = machines().iloc[[0, 4, 1, 5, 2, 6, 3, 7]]
    made = read(table, "when", series="pump")
    assert made["bar"].tolist() == table["bar"].tolist()
    assert made.index.get_level_values("pump").tolist() == [*"ABABABAB"]
    wrong = table.iloc[[0, 1, 4, 3, 2]]
    with pytest.raises(ValueError, match=r"Row 4 of series 'A' is out of order.*row 2"):
        read(wrong, "when", series="pump")


def test_doubled_rows__are_judged_within_a_series():
    table = machines()
    table["bar"] = 1.0
    assert len(read(table, "when", series="pump")) == 8
    doubled = table.iloc[[0, 0, 1, 2, 3, 4, 5, 5, 6, 7]]
    reader = TableReader("when", series="pump")
    with pytest.warns(UserWarning, match="^2 rows repeat an earlier row of their"):
        assert len(reader.fit_transform(doubled)) == 8
    assert reader.report_.n_doubled == 2
    with (
        pytest.warns(UserWarning, match="repeat"),
        pytest.raises(ValueError, match="X has 10 rows, of which 8 are handed on"),
    ):
        reader.fit(doubled, np.ones(10))
    other = doubled.assign(bar=np.arange(10.0))
    with pytest.raises(
        ValueError, match="Rows 0 and 1 of series 'A' have the same time"
    ):
        reader.fit(other)


def test_columns__are_those_of_fit():
    X = pd.DataFrame(
        {"t": DAYS, "a": [1.0, 2, 3, 4], "b": [1.0, 2, 3, 5], "s": ["x"] * 4}
    )
    with pytest.warns(UserWarning, match=r"'s': texts such as 'x'.*series="):
        reader = TableReader("t").fit(X)
    assert reader.sensors_ == ["a", "b"]
    assert reader.dropped_ == ["s"]
    assert reader.get_feature_names_out().tolist() == ["a", "b"]
    assert reader.feature_names_in_.tolist() == ["t", "a", "b", "s"]
    expected = reader.transform(X)
    for columns in (
        ["a", "b", "t"],
        ["s", "a", "t", "b"],
    ):  # only sensors have an order
        pd.testing.assert_frame_equal(reader.transform(X[columns]), expected)
    for table, message in {
        "new": (X.assign(new=1.0), "unseen at fit time:\n- new"),
        "gone": (X.drop(columns="b"), "now missing:\n- b"),
        "order": (X[["t", "b", "a"]], r"same order .*\n.*\['t', 'a', 'b'\]"),
        "time": (X.drop(columns="t"), "time='t' is not a column"),
    }.values():
        with pytest.raises(ValueError, match=message):
            reader.transform(table)
        with pytest.raises(ValueError, match=message):
            reader.transform(pl.from_pandas(table))
    with pytest.raises(ValueError, match=r"Column 'a' holds dates.*but held numbers"):
        reader.transform(X.assign(a=DAYS))
    with pytest.raises(ValueError, match="'t' holds numbers, but dates in the table"):
        reader.transform(X.assign(t=range(4)))


def test_empty_columns_and_rows__are_left_out():
    text = "t;a;b;;\n12/01/2024;1,5;2;;\n13/01/2024;2,5;;;\n;;;;\n;;;;\n"
    table = pd.read_csv(io.StringIO(text), sep=";")
    reader = TableReader("t")
    made = reader.fit_transform(table)
    assert made["a"].tolist() == [1.5, 2.5]
    assert made.columns.tolist() == ["a", "b"]
    assert reader.report_.n_empty == 2
    assert list(reader.report_.dropped.values()) == ["empty", "empty"]
    # a whole row without readings, at a time of its own, stays
    made = read(pd.DataFrame({"t": DAYS, "a": [1.0, 2.0, NAN, NAN]}), "t")
    assert len(made) == 4


# ---------------------------------------------------------------------------
# Numbers
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["2,5", "3"], [2.5, 3.0]),
        (["1.234,5", "2.000"], [1234.5, 2000.0]),
        (["1,234.5", "2"], [1234.5, 2.0]),
        (["1,234,567", "1"], [1234567.0, 1.0]),
        (["0,123", "1,234"], [0.123, 1.234]),
        (["1,234", "2.5"], [1234.0, 2.5]),
        (["1\u00a0234,5", "2"], [1234.5, 2.0]),
        ([" -2,5e3 ", "+1"], [-2500.0, 1.0]),
        (["True", "False"], [1.0, 0.0]),
        ([True, None], [1.0, NAN]),
        (["1", "n/a"], [1.0, NAN]),
    ],
    ids=str,
)
def test_numbers_as_texts__are_read(texts, numbers):
    made = read(pd.DataFrame({"a": pd.Series(texts, dtype=object)}))
    np.testing.assert_array_equal(made["a"], numbers)


def test_comma_that_may_be_either__is_refused_unless_something_tells():
    table = pd.DataFrame({"a": ["1,234", "2,345"]})
    with pytest.raises(
        ValueError, match=r"'1,234' is 1\.234 with decimal .* and 1234 w"
    ):
        read(table)
    assert read(table.assign(b=["2,5", "1"]))["a"].tolist() == [1.234, 2.345]
    assert read(table.assign(b=[2.5, 1.0]))["a"].tolist() == [1234.0, 2345.0]
    # what fit has learnt holds for later tables
    reader = TableReader().fit(pd.DataFrame({"a": ["2,5", "1"]}))
    assert reader.transform(table)["a"].tolist() == [1.234, 2.345]


def test_texts_among_numbers__become_missing_and_are_named():
    table = pd.DataFrame({"t": DAYS, "a": ["1", "Bad", "Bad", "<0.5"], "b": 1.0})
    reader = TableReader("t")
    with pytest.warns(UserWarning, match=r"'a': 3 of 4, 'Bad' x 2, '<0.5' x 1") as w:
        made = reader.fit_transform(table)
    assert len(w) == 1
    assert w[0].filename == __file__
    np.testing.assert_array_equal(made["a"], [1, NAN, NAN, NAN])
    assert reader.report_.unreadable == {"a": {"Bad": 2, "<0.5": 1}}
    assert "a: 'Bad' x 2, '<0.5' x 1" in repr(reader.report_)
    told = read(table, "t", missing=["Bad", "<0.5", 7])
    np.testing.assert_array_equal(told["a"], [1, NAN, NAN, NAN])


@pytest.mark.parametrize("missing", [-200, [-200, 9999], np.array([-200.0, 9999])])
def test_missing__become_so(missing):
    table = pd.DataFrame({"a": [1, -200, 3], "b": ["-200", "2", "9999"]})
    reader = TableReader(missing=missing)
    made = reader.fit_transform(table)
    np.testing.assert_array_equal(made["a"], [1, NAN, 3])
    assert np.isnan(made["b"][0])
    assert np.isnan(made["b"][2]) == (np.ndim(missing) > 0)
    assert reader.report_.missing["a"] == 1
    assert isinstance(clone(reader), TableReader)


@pytest.mark.parametrize(
    "value", [-200.0, -999.0, 9999.0, -9999.0, 32767.0, 1e20, -77.0]
)
def test_values_that_seem_to_be_missing__are_named(value):
    rng = np.random.default_rng(0)
    values = rng.uniform(10, 30, size=200)
    quiet = values.copy()
    quiet[50:] += 400.0  # a step is none
    values[[3, 50, 51, 120]] = value
    table = pd.DataFrame(
        {"a": values, "b": quiet, "off": np.where(values > 20, 0, 5.0)}
    )
    reader = TableReader()
    with pytest.warns(UserWarning, match=r"'a': .* x 4\. They were kept.*missing=\["):
        made = reader.fit_transform(table)
    assert reader.report_.sentinels == {"a": {value: 4}}
    assert made["a"].tolist() == values.tolist()
    assert np.isnan(TableReader(missing=value).fit_transform(table)["a"]).sum() == 4


def test_two_sentinels__and_none():
    rng = np.random.default_rng(0)
    values = rng.normal(20, 3, size=300)
    values[::50], values[1::50] = -999, 9999
    with pytest.warns(UserWarning, match=r"missing=\[-999\.0, 9999\.0\]"):
        TableReader().fit(pd.DataFrame({"a": values}))
    # clipped, stopped or switched signals, and lone spikes, are none
    clipped = np.clip(rng.normal(50, 40, size=300), 0, 100)
    stopped = np.where(np.arange(300) < 200, rng.normal(500, 5, size=300), 0.0)
    spike = rng.normal(size=300)
    spike[7] = 1e6
    TableReader().fit(pd.DataFrame({"a": clipped, "b": stopped, "c": spike}))


def test_units_under_the_header__are_kept_and_compared():
    text = "t,temp,p\n,degC,bar\n2024-01-12,1.5,2\n2024-01-13,2.5,3\n"
    table = pd.read_csv(io.StringIO(text))
    reader = TableReader("t")
    made = reader.fit_transform(table)
    assert made["temp"].tolist() == [1.5, 2.5]
    assert reader.units_ == {"temp": "degC", "p": "bar"}
    assert "units: temp: degC, p: bar" in repr(reader.report_)
    later = table.iloc[1:]  # a day without the row
    pd.testing.assert_frame_equal(reader.transform(later), made)
    other = table.replace("degC", "degF")
    with pytest.raises(ValueError, match="'temp' is in 'degF', but was in 'degC'"):
        reader.transform(other)
    with pytest.raises(ValueError, match="X has 3 rows, of which 2 are handed on"):
        reader.fit(table, [0, 0, 0])


def test_tables_without_numbers__are_refused():
    table = pd.DataFrame({"t": DAYS, "a": ["x", "y", "x", "y"]})
    with pytest.raises(ValueError, match=r"No column .* numbers.*'a': \"texts such as"):
        TableReader("t").fit(table)
    with pytest.raises(ValueError, match="The table is empty: 0 rows, 1 columns"):
        TableReader("t").fit(table.iloc[:0])


# ---------------------------------------------------------------------------
# Long tables, and rates
# ---------------------------------------------------------------------------


def long_of(wide, names=("t", "sensor", "value")):
    long = wide.reset_index().melt(id_vars=wide.index.names)
    return long.dropna().set_axis([*wide.index.names[:-1], *names], axis=1)


def test_long_tables__become_wide():
    wide = read(machines(), "when", series="pump").assign(flow=[1.0, NAN] * 4)
    long = long_of(wide)
    reader = TableReader(long=("t", "sensor", "value"), series="pump")
    made = reader.fit_transform(long)
    pd.testing.assert_frame_equal(made, wide, check_names=False)
    assert made.index.names == ["pump", "t"]
    shuffled = long.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(reader.transform(shuffled).sort_index(), made)
    assert reader.get_feature_names_out().tolist() == ["bar", "flow"]
    with pytest.raises(ValueError, match=r"\['heat'\] are new"):
        reader.transform(long.replace("flow", "heat"))
    with pytest.raises(ValueError, match=r"\['flow'\] are missing"):
        reader.transform(long[long["sensor"] != "flow"])
    with pytest.raises(ValueError, match=r"Row 1 .*another value of sensor 'bar' at"):
        reader.fit(long.iloc[[0, 0]].assign(value=[1.0, 2.0]))
    with pytest.raises(ValueError, match="of which 8 are handed on"):
        reader.fit(long, np.zeros(len(long)))


def naive_bins(table, minutes):
    """Means of bins, by loops; a gap after more than four empty ones."""
    rows = {}
    for pump, group in table.groupby("pump", sort=False):
        bins = {}
        for time, value in zip(group["t"], group["a"], strict=True):
            bins.setdefault(time.floor(f"{minutes}min"), []).append(value)
        last = None
        for start in sorted(bins):
            step = pd.Timedelta(minutes, "min")
            if last is not None and (start - last) // step <= 5:
                while last + step < start:
                    last += step
                    rows[pump, last] = NAN
            rows[pump, start], last = np.mean(bins[start]), start
    return rows


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from("AB")), min_size=1),
    st.sampled_from([1, 3, 10]),
)
def test_every__equals_loops(rows, minutes):
    rows = sorted(set(rows), key=lambda row: (row[1], row[0]))
    start = pd.Timestamp("2024-01-12")
    table = pd.DataFrame(
        {
            "t": [start + pd.Timedelta(minute, "min") for minute, _ in rows],
            "pump": [pump for _, pump in rows],
            "a": np.arange(len(rows)) * 1.0,
        }
    )
    made = TableReader("t", series="pump", every=f"{minutes}min").fit_transform(table)
    expected = naive_bins(table, minutes)
    assert list(made.index) == list(expected)
    np.testing.assert_allclose(made["a"], list(expected.values()))


def test_every__brings_mixed_rates_to_one():
    fast = pd.DataFrame(
        {"t": pd.date_range("2024", periods=600, freq="s"), "s": "fast"}
    )
    slow = pd.DataFrame(
        {"t": pd.date_range("2024", periods=5, freq="2min"), "s": "slow"}
    )
    long = pd.concat([fast.assign(v=1.0), slow.assign(v=2.0)])
    made = TableReader(long=("t", "s", "v"), every="1min").fit_transform(long)
    assert len(made) == 10
    assert made["slow"].isna().tolist() == [False, True] * 5
    numbers = pd.DataFrame({"a": [1.0, 3.0, 5.0]}, index=[0.1, 0.2, 1.7])
    made = TableReader(every=0.5).fit_transform(numbers)
    np.testing.assert_array_equal(made["a"], [2, NAN, NAN, 5])
    assert made.index.tolist() == [0.0, 0.5, 1.0, 1.5]
    for every, message in [("x", "no duration"), (5, "duration above 0")]:
        with pytest.raises(ValueError, match=message):
            TableReader("t", every=every).fit(fast.assign(v=1.0)[["t", "v"]])
    with pytest.raises(ValueError, match="a number above 0 in their unit"):
        TableReader(every="1min").fit(numbers)


# ---------------------------------------------------------------------------
# Behind it
# ---------------------------------------------------------------------------

AIR = """\
Date;Time;CO(GT);PT08.S1(CO);T;;
{rows}
;;;;;;
;;;;;;
"""


def test_air_quality__as_uci_ships_it(tmp_path):
    hours = pd.date_range("2004-03-10 18:00", periods=200, freq="h")
    rng = np.random.default_rng(0)
    rows = [
        f"{t:%d/%m/%Y};{t:%H.%M.%S};{co};{s1};{degrees};;"
        for t, co, s1, degrees in zip(
            hours,
            np.where(np.arange(200) % 20 == 7, "-200", "2,6"),
            rng.integers(700, 2000, size=200),
            [f"{x:.1f}".replace(".", ",") for x in rng.normal(15, 5, size=200)],
            strict=True,
        )
    ]
    path = tmp_path / "air.csv"
    path.write_text(AIR.format(rows="\n".join(rows)))
    table = pd.read_csv(path, sep=";")
    reader = TableReader(["Date", "Time"], missing=-200)
    made = reader.fit_transform(table)
    assert list(made.index) == list(hours)
    assert made.columns.tolist() == ["CO(GT)", "PT08.S1(CO)", "T"]
    assert reader.dayfirst_ is True
    assert reader.report_.n_empty == 2
    assert reader.report_.missing == {"CO(GT)": 10}
    assert reader.report_.decimal_commas == ["CO(GT)", "T"]


@pytest.fixture(scope="module")
def raw():
    X, y = make_sensors(3000, n_faults=12, dead_sensors=False, random_state=0)
    table = X.rename_axis("time").reset_index()
    table["time"] = table["time"].dt.strftime("%d/%m/%Y %H:%M")
    table.insert(1, "pump", np.where(np.arange(3000) < 1500, "A", "B"))
    return table, np.asarray(y), X


def pipeline_of(**kwargs):
    steps = (
        TableReader("time", series="pump", dayfirst=True),
        TimeSeriesImputer(),
        StandardScaler(),
        WindowedDetector(LinearAutoencoder(6), 20, **kwargs),
    )
    return make_pipeline(*steps).set_output(transform="pandas")


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_raw_tables__pass_through_a_pipeline(raw, library, tmp_path):
    table, _, X = raw
    plain = X.set_axis(
        pd.MultiIndex.from_arrays([table["pump"], X.index], names=["pump", "time"])
    )
    given = LIBRARIES[library](table)
    pipeline = pipeline_of().fit(given)
    rest = make_pipeline(*(step for _, step in pipeline_of().steps[1:]))
    rest.set_output(transform="pandas").fit(plain)
    np.testing.assert_array_equal(
        pipeline.score_samples(given), rest.score_samples(plain)
    )
    told = explain(pipeline, given, return_deviations=True)
    for mine, other in zip(
        told, explain(rest, plain, return_deviations=True), strict=True
    ):
        pd.testing.assert_frame_equal(
            mine, other, check_index_type=False, check_freq=False
        )
    events = find_events(
        pipeline.predict(given),
        contributions=told[0],
        deviations=told[1],
        window_length=20,
    )
    assert set(events["series"]) <= {"A", "B"}
    assert isinstance(events["start"].iloc[0], pd.Timestamp)
    assert expected_values(pipeline, given).index.equals(told[0].index)
    path = save(pipeline, tmp_path / "model.skad")
    loaded = load(path)
    day = given[:50]
    assert loaded[0].report_ == pipeline[0].report_
    pd.testing.assert_frame_equal(loaded[0].transform(day), pipeline[0].transform(day))
    assert set(drift_report(pipeline, given).sensors.index) == set(X.columns)


def test_displays__take_raw_tables(raw):
    table, y, _ = raw
    pipeline = pipeline_of().fit(table)
    display = AnomalyScoreDisplay.from_estimator(
        pipeline, table, y, series="B", columns=["sensor_01"], expected=True
    )
    assert display.index[0].year == 2018
    assert len(display.index) == 1500
    display = ContributionDisplay.from_estimator(pipeline, table, y, series="A")
    assert "sensor_01" in list(display.channel_names)
    display = DetectorComparisonDisplay.from_estimators(
        {"one": pipeline}, table, y, series="A"
    )
    assert len(display.scores) == 1500
    ThresholdDisplay.from_estimator(pipeline, table, y)


def test_evaluate__takes_raw_tables(raw):
    table, y, _ = raw
    parts = [slice(0, 1000), slice(1000, 2000), slice(2000, 3000)]
    train, val, test = (table.iloc[part] for part in parts)
    report = evaluate(
        {"mine": pipeline_of()},
        train,
        X_val=val,
        y_val=y[parts[1]],
        X_test=test,
        y_test=y[parts[2]],
        seeds=1,
    )
    assert "event_f1" in report.table
    assert report.table.loc["mine", "roc_auc"] > 0.5
    with pytest.raises(ValueError, match="rows of X_test are in X_train too"):
        evaluate(pipeline_of(), table, X_test=test, y_test=y[parts[2]], seeds=1)


def test_searches_and_thresholds__take_raw_tables(raw):
    table, y, _ = raw
    search = GridSearchCV(
        pipeline_of(),
        {"windoweddetector__window_length": [10, 20]},
        scoring="roc_auc",
        cv=[(np.arange(1500), np.arange(1500, 3000))],
    )
    search.fit(table, np.where(y == 1, -1, 1))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    tuned = TunedThresholdDetector(pipeline_of(), QuantileThreshold(), cv=0.3)
    assert len(tuned.fit(table).predict(table)) == 3000


def test_reader__takes_no_part_in_what_others_do():
    table = machines(40).assign(flow=np.arange(80.0))
    forest = make_pipeline(
        TableReader("when", series="pump"), IsolationForest(random_state=0)
    )
    assert len(forest.fit(table).predict(table)) == 80


@pytest.mark.parametrize(
    "estimator",
    [
        LinearAutoencoder(),
        TimeSeriesImputer(),
        WindowedDetector(LinearAutoencoder(1), 3),
        SlidingWindow(3),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_dates_and_texts_without_a_reader__are_named(estimator):
    X = pd.DataFrame({"t": pd.date_range("2024", periods=9), "a": 1.0, "s": "x"})
    for columns in (["t", "a"], ["a", "t"], ["t"]):
        for table in (X[columns], X[columns].astype({"t": "timestamp[ns][pyarrow]"})):
            with pytest.raises(
                ValueError, match=r"Column 't' holds dates.*TableReader"
            ):
                clone(estimator).fit(table)
    for columns in (["s", "a"], ["s"]):
        for kind in ("str", "object", "category", "string[pyarrow]"):
            with pytest.raises(ValueError, match="Column 's' holds 'x', which is no"):
                clone(estimator).fit(X[columns].astype({"s": kind}))
    dates = X[["a"]].assign(d=datetime.date(2024, 1, 1))
    with pytest.raises(ValueError, match=r"Column 'd' holds datetime\.date"):
        clone(estimator).fit(dates)


def test_expected_values__have_the_columns_that_were_dropped(raw):
    table, _, X = raw
    table = table.assign(gone=np.nan, sensor_20=X["sensor_01"].to_numpy())
    pipeline = pipeline_of().fit(table)
    expected = expected_values(pipeline, table)
    assert expected.columns.tolist() == [*X.columns, "gone", "sensor_20"]
    assert expected["gone"].isna().all()
    assert expected["sensor_20"].notna().all()
    # displays show what was read, by place too
    place = X.shape[1]  # of sensor_20, where "gone" is not
    display = AnomalyScoreDisplay.from_estimator(
        pipeline, table, series="A", columns=[place], expected=True
    )
    assert list(display.expected.columns) == ["sensor_20"]


def test_renamed_time__is_named_as_missing():
    table = pd.DataFrame({"when": range(20), "a": np.arange(20.0)})
    reader = TableReader("when").fit(table)
    with pytest.raises(ValueError, match=r"now missing:\n- when\nPass .*'when', 'a'"):
        reader.transform(table.rename(columns={"when": "time"}))
