"""clean_table: what it reads, counts, drops and refuses."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad import clean_table

TIMES = ["2018-04-01 00:00:00", "2018-04-01 00:01:00", "2018-04-01 00:02:00"]


def raw(times=TIMES, **columns):
    columns = columns or {"a": range(len(times))}
    return pd.DataFrame({"time": times, **columns})


# ---------------------------------------------------------------------------
# Numbers
# ---------------------------------------------------------------------------


def test_texts__become_numbers():
    table = raw(
        text=["1.5", " 2 ", "-3e2"],
        objects=[1, 2.5, None],
        string=pd.array(["1", None, "3"], dtype="string"),
        category=pd.Categorical(["7", "8", "7"]),
        whole=[1, 2, 3],
        single=np.array([1, 2, 3], dtype=np.float32),
        nullable=pd.array([1, None, 3], dtype="Int64"),
        flag=[True, False, True],
    )
    cleaned = clean_table(table, time="time")
    nan = np.nan
    expected = pd.DataFrame(
        {
            "text": [1.5, 2.0, -300.0],
            "objects": [1.0, 2.5, nan],
            "string": [1.0, nan, 3.0],
            "category": [7.0, 8.0, 7.0],
            **table[["whole", "single", "nullable", "flag"]].astype(float),
        },
    ).set_index(pd.DatetimeIndex(TIMES, name="time"))
    pd.testing.assert_frame_equal(cleaned, expected, check_index_type=False)
    assert cleaned.attrs == {"n_unreadable": {}, "n_doubled": 0}


def test_what_cannot_be_read__is_missing_and_counted():
    table = raw(
        good=["1", "2", "3"],
        bad=["1", "off", "3,5"],
        status=["NORMAL", "NORMAL", "BROKEN"],
        when=pd.to_datetime(TIMES),
        gone=[None, "", "4"],
        empty=None,
    )
    with pytest.warns(UserWarning, match="became missing") as caught:
        cleaned, report = clean_table(table, time="time", return_report=True)
    (warning,) = caught
    said = str(warning.message)
    assert "'bad': 1 of 3, 'off' x 1" in said
    assert "'status': texts such as 'NORMAL'; 'when': dates such as" in said
    assert "'good'" not in said
    assert "'empty'" not in said
    assert warning.filename == __file__
    assert cleaned.attrs["n_unreadable"] == {"bad": 1}
    assert report.unreadable == {"bad": {"off": 1}}
    assert list(report.dropped) == ["status", "when", "empty"]
    assert cleaned.isna().sum().to_dict() == {"good": 0, "bad": 1, "gone": 2}
    assert set(cleaned.dtypes) == {np.dtype(float)}
    assert cleaned["bad"].iloc[2] == 3.5


def test_callers_table__is_untouched():
    table = raw(a=["1", "off", "3"]).loc[[0, 1, 1, 2]]
    table.attrs["source"] = "pump"
    before = table.copy()
    with pytest.warns(UserWarning, match="became missing|repeat") as caught:
        cleaned = clean_table(table, time="time")
    assert len(caught) == 2
    pd.testing.assert_frame_equal(table, before)
    assert table.attrs == {"source": "pump"}
    assert cleaned.attrs["source"] == "pump"
    texts = table.iloc[[0, 3]].set_index("time")
    before = texts.copy()
    clean_table(texts)
    pd.testing.assert_frame_equal(texts, before)
    numbers = pd.DataFrame({"a": [1.0, 2.0]})
    cleaned = clean_table(numbers)
    cleaned.iloc[:, :] = 0.0
    assert numbers["a"].tolist() == [1.0, 2.0]


def test_clean_table__has_nothing_to_do_twice():
    once = clean_table(raw(a=["1", "2", "3"]), time="time")
    twice = clean_table(once)
    pd.testing.assert_frame_equal(once, twice)


# ---------------------------------------------------------------------------
# Timestamps
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "last"),
    [
        (["2018-04-01", "2018-04-02 00:00", "2018-04-02T00:00:00.5"], 0.5),
        (["2018-04-01 00:00Z", "2018-04-01 12:00Z", "2018-04-02 00:00:01Z"], 1),
        (["03/31/2018 0:00", "04/01/2018 9:00", "04/02/2018 0:00"], 0),
        (["1 Apr 2018", "2 Apr 2018"], 0),
        (pd.array(["2018-04-01", "2018-04-02"], dtype="string"), 0),
        (pd.Categorical(["2018-04-01", "2018-04-02"]), 0),
    ],
    ids=["mixed ISO", "zoned", "month first", "words", "string", "category"],
)
@pytest.mark.parametrize("as_index", [False, True])
def test_texts__become_timestamps(texts, last, as_index):
    table = pd.DataFrame({"time": texts, "a": 1.0})
    if as_index:
        cleaned = clean_table(table.set_index("time"))
    else:
        cleaned = clean_table(table, time="time")
    assert isinstance(cleaned.index, pd.DatetimeIndex)
    assert cleaned.index.name == "time"
    assert list(cleaned.columns) == ["a"]
    end = cleaned.index[-1].tz_localize(None)
    assert end == pd.Timestamp("2018-04-02") + pd.Timedelta(last, "s")


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(3),
        pd.Index([0.5, 1.0, 7.0]),
        pd.DatetimeIndex(TIMES),
        pd.DatetimeIndex(TIMES, tz="Europe/Berlin"),
        pd.to_timedelta([0, 1, 2], unit="min"),
    ],
    ids=lambda index: type(index).__name__,
)
def test_other_times__stay(index):
    table = pd.DataFrame({"a": [1.0, 1.0, 1.0]}, index=index)
    pd.testing.assert_frame_equal(clean_table(table), table)
    as_column = table.rename_axis("time").reset_index()
    cleaned = clean_table(as_column, time="time")
    assert (cleaned.index == index).all()


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            [*TIMES[:2], "2018-0"],
            r"Row 2 .*no readable .*'2018-0' \(1 such rows\)",
        ),
        ([*TIMES[:2], None], r"Row 2 .*no readable .*\(1 such"),
        (["NORMAL", "1.5", "x"], r"Row 0 .*no readable .*'NORMAL' \(3 such"),
        (
            ["04/01/2018", "04/13/2018", "2018-05-01"],
            r"Row \d has no readable time",
        ),
        ([0.0, np.nan, 2.0], r"Row 1 .*no readable .*\(1 such"),
        (
            pd.to_datetime([TIMES[0], None, TIMES[1]]),
            r"Row 1 has no readable timestamp",
        ),
    ],
    ids=["cut off", "missing", "no times", "two formats", "NaN", "NaT"],
)
def test_unreadable_timestamps__are_refused(times, message):
    with pytest.raises(ValueError, match=message):
        clean_table(raw(times), time="time")
    with pytest.raises(ValueError, match=message):
        clean_table(raw(times).set_index("time"))


# ---------------------------------------------------------------------------
# Doubled rows, and order
# ---------------------------------------------------------------------------


def test_doubled_rows__are_dropped_and_equal_values_stay():
    rows = [0, 0, 1, 1, 1, 2]
    table = raw(a=["5", "5", "5"], b=[np.nan, 1.0, 1.0]).iloc[rows]
    table.loc[table.index == 1, "a"] = ["5", "5.0", " 5"]  # equal as numbers
    with pytest.warns(UserWarning, match="^3 rows repeat an earlier row"):
        cleaned = clean_table(table, time="time")
    assert cleaned["a"].tolist() == [5.0] * 3
    assert list(cleaned.index) == list(pd.to_datetime(TIMES))
    assert cleaned.attrs["n_doubled"] == 3


def test_file_that_was_appended_twice__is_read_once():
    table = pd.concat([raw(), raw()], ignore_index=True)
    with pytest.warns(UserWarning, match="^3 rows repeat an earlier row"):
        cleaned = clean_table(table, time="time")
    assert cleaned["a"].tolist() == [0, 1, 2]


def test_numbered_rows__are_no_timestamps_unless_they_increase():
    table = pd.concat([raw(a=[1, 2, 3]), raw(a=[4, 5, 6])])[["a"]]
    assert len(clean_table(table.reset_index(drop=True))) == 6
    message = r"Rows 0 and 3 have the same timestamp, 0, .*name it with time="
    with pytest.raises(ValueError, match=message):
        clean_table(table)
    with pytest.raises(ValueError, match=r"Row 1 is out of order.*name it with time="):
        clean_table(table.iloc[[2, 4]])


def test_one_timestamp_with_two_values__is_refused():
    table = raw([TIMES[0], *TIMES, TIMES[1]], a=[1, 1, 2, 3, 4])
    message = r"Rows 2 and 4 have the same timestamp, 2018-04-01 00:01:00, .*\(1 such"
    with (
        pytest.warns(UserWarning, match="repeat"),
        pytest.raises(ValueError, match=message),
    ):
        clean_table(table, time="time")


def test_rows_out_of_order__are_refused():
    table = raw([TIMES[0], TIMES[0], TIMES[2], TIMES[1]], a=[1, 1, 2, 3])
    message = r"Row 3 is out of order: .*01:00 comes after .*02:00 of row 2 \(1 such"
    with (
        pytest.warns(UserWarning, match="repeat"),
        pytest.raises(ValueError, match=message),
    ):
        clean_table(table, time="time")


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["1", "2", None, "off"])),
        min_size=1,
        max_size=8,
    )
)
def test_rows__equal_loops(rows):
    times = [f"2018-04-01 00:0{minute}" for minute, _ in rows]
    table = raw(times, a=pd.array([text for _, text in rows], dtype=object))
    expected = []
    for minute, text in rows:
        value = float(text) if text in ("1", "2") else None
        if (minute, value) not in expected:
            expected.append((minute, value))
    minutes = [minute for minute, _ in expected]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if all(value is None for _, value in expected):
            with pytest.raises(ValueError, match="No column of the table holds num"):
                clean_table(table, time="time")
            return
        if minutes != sorted(set(minutes)):
            with pytest.raises(ValueError, match=r"same timestamp|out of order"):
                clean_table(table, time="time")
            return
        cleaned = clean_table(table, time="time")
    values = [None if np.isnan(value) else value for value in cleaned["a"]]
    assert list(zip(cleaned.index.minute, values, strict=True)) == expected
    assert cleaned.attrs["n_doubled"] == len(rows) - len(expected)
    n_off = sum(text == "off" for _, text in rows)
    assert cleaned.attrs["n_unreadable"] == ({"a": n_off} if n_off else {})


# ---------------------------------------------------------------------------
# No table
# ---------------------------------------------------------------------------


def test_empty_tables__are_refused():
    with pytest.raises(ValueError, match="The table is empty: 0 rows, 1 columns"):
        clean_table(raw([]), time="time")
    with pytest.raises(ValueError, match="The table is empty: 3 rows, 0 columns"):
        clean_table(raw()[["time"]], time="time")
    with pytest.raises(ValueError, match="The table is empty"):
        clean_table(pd.DataFrame())


def test_one_row__is_a_table():
    assert clean_table(raw(TIMES[:1]), time="time").shape == (1, 1)


def test_other_things__are_refused():
    with pytest.raises(TypeError, match="of type builtins dict; a table is needed"):
        clean_table({"a": [1.0]})
    with pytest.raises(ValueError, match=r"'when' is not a column .*\['time', 'a'\]"):
        clean_table(raw(), time="when")
    with pytest.raises(ValueError, match=r"same name: \['a'\]"):
        clean_table(pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"]))
