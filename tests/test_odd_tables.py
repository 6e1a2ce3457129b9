"""Tables in which a reader may go wrong without a word."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad import TableReader, clean_table
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
