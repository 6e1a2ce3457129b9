"""The picture of missing values: what it shows of which table."""

import numpy as np
import pandas as pd
import pytest
from test_plotting import (
    contrast,
    plt,  # noqa: F401, a fixture
)
from test_plotting_series import spans

import skad
from skad import MissingValuesDisplay

mpl = pytest.importorskip("matplotlib")

draw = MissingValuesDisplay.from_table


@pytest.fixture(autouse=True)
def _clean(plt):  # noqa: F811
    """Figures are closed afterwards."""


def table(n_rows=60, n_channels=4, missing=((5, 10, 1), (7, 8, 3))):
    X = pd.DataFrame(
        np.arange(n_rows * n_channels, dtype=float).reshape(n_rows, n_channels),
        index=pd.date_range("2018-04-01", periods=n_rows, freq="min"),
        columns=[f"s{channel}" for channel in range(n_channels)],
    )
    for start, stop, channel in missing:
        X.iloc[start:stop, channel] = np.nan
    return X


def cells(display):
    """Colours of the map, from 0 to 1; (n_channels, n_cells)."""
    return np.ma.filled(display.mesh_.get_array(), np.nan)


def test_map_and_bars__show_what_is_missing():
    X = table()
    display = draw(X, y=np.arange(60) >= 50)
    assert (display.is_missing == X.isna().to_numpy()).all()
    assert ((cells(display) == 1) == X.isna().to_numpy().T).all()
    assert ((cells(display) == 0) == X.notna().to_numpy().T).all()
    widths = [bar.get_width() for bar in display.share_bars_]
    np.testing.assert_allclose(widths, [0, 100 * 5 / 60, 0, 100 / 60])
    assert display.missing_shares.to_dict() == dict(X.isna().mean())
    names = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert names == ["s0", "s1", "s2", "s3"]
    assert len(spans(display.true_bars_)) == len(display.true_ranges) == 1
    legend = [text.get_text() for text in display.legend_.get_texts()]
    assert legend == ["missing", "labelled"]


def test_long_table__shows_shares_and_single_rows():
    X = table(100_000, 3, [(20_000, 40_000, 0), (70_000, 70_001, 1)])
    X.iloc[::2, 2] = np.nan
    display = draw(X)
    shown = cells(display)
    assert shown.shape[1] < 600
    whole, single, half = shown
    assert (whole == 1).mean() == pytest.approx(0.2, abs=0.01)
    assert np.count_nonzero(single) == 1
    assert single.max() > 0.3
    assert half.min() == pytest.approx(half.max(), abs=0.02)
    colours = [display.mesh_.get_cmap()(value) for value in (0.0, single.max())]
    assert contrast(*colours) > 1.5


def test_rows_are_chosen__by_start_and_stop():
    display = draw(table(), start="2018-04-01 00:06", stop="2018-04-01 00:15")
    assert cells(display).shape == (4, 10)
    assert display.share_bars_[1].get_width() == pytest.approx(40)
    assert display.missing_shares["s1"] == pytest.approx(5 / 60)


def test_channels_are_chosen():
    X = table(60, 70, [(0, 3 + n, n) for n in range(0, 40, 2)])
    display = draw(X)
    assert len(display.channels_) == 60
    assert (np.diff(display.channels_) > 0).all()
    assert set(range(0, 40, 2)) <= set(display.channels_)
    assert draw(X, max_channels=3).channels_.tolist() == [34, 36, 38]
    assert draw(X, channels=["s8", 2]).channels_.tolist() == [8, 2]


@pytest.mark.parametrize(
    ("X", "n_missing", "names"),
    [
        ([[1.0, np.nan], [2.0, 3.0]], [0, 1], ["channel 0", "channel 1"]),
        (np.array([[1, None], ["a", "b"]], dtype=object), [0, 1], None),
        (np.zeros((5, 1)), [0], ["channel 0"]),
        (np.zeros(5), [0], ["channel 0"]),
        (pd.DataFrame({7: [1.0, None], 9: [1, 2]}), [1, 0], ["channel 7", "channel 9"]),
        (
            pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": ["x", pd.NA]}),
            [1, 1],
            ["a", "b"],
        ),
        (
            pd.DataFrame({"t": pd.to_datetime(["2018-01-01", None]), "u": [np.inf, 1]}),
            [1, 0],
            ["t", "u"],
        ),
        (pd.Series([1.0, np.nan], name="flow"), [1], ["flow"]),
    ],
)
def test_every_kind_of_table(X, n_missing, names):
    display = draw(X)
    assert display.is_missing.sum(axis=0).tolist() == n_missing
    assert names is None or display.channel_names == names


def test_one_series_of_several(plt):  # noqa: F811
    X = pd.concat({"a": table(), "b": table(missing=[])}, names=["machine"])
    display = draw(X, series="a", y=np.arange(120) < 3)
    assert display.is_missing.shape == (60, 4)
    assert display.name == "a"
    assert display.is_anomaly.sum() == 3
    assert not draw(X, series="b").is_missing.any()
    with pytest.raises(ValueError, match="choose one of the 2 series"):
        draw(X)


def test_gaps_in_time__are_hatched_not_missing():
    X = table().drop(table().index[20:40])
    display = draw(X)
    assert np.isnan(cells(display)).any(axis=0).sum() == 1
    legend = [text.get_text() for text in display.legend_.get_texts()]
    assert legend == ["missing", "no row"]
    assert display.missing_shares["s1"] == pytest.approx(5 / 40)


@pytest.mark.parametrize(
    ("X", "kwargs", "message"),
    [
        (np.zeros((0, 3)), {}, "There are no rows"),
        (np.zeros((3, 0)), {}, "X has no columns"),
        (table(), {"channel_names": ["a"]}, "channel_names has 1 names; expected 4"),
        (table(), {"max_channels": 0}, "max_channels=0; expected an int >= 1"),
        (table(), {"channels": []}, "channels is empty"),
        (table(), {"channels": "z"}, "channels holds 'z'"),
        (table(), {"start": "2020"}, "leave no row"),
        (table(), {"y": np.arange(60)}, "labels"),
        (table(), {"y": [0, 1]}, "inconsistent"),
        (table(), {"series": "a"}, "the index names no series"),
        (table()[::-1], {}, "must increase"),
    ],
)
def test_what_cannot_be_drawn__is_refused(X, kwargs, message, plt):  # noqa: F811
    with pytest.raises(ValueError, match=message):
        draw(X, **kwargs)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("style", ["default", "dark_background", "ggplot"])
@pytest.mark.parametrize("layout", ["constrained", None])
def test_axes_given__are_used(style, layout, plt):  # noqa: F811
    with plt.style.context(style):
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout=layout)
        display = draw(table(60, 8), y=np.arange(60) < 4, ax=right)
        figure.canvas.draw()
        assert display.ax_ is right
        box = right.get_position()
        for ax in display.axes_:
            assert box.x0 - 1e-9 <= ax.get_position().x0
            assert ax.get_position().x1 <= box.x1 + 1e-9
        assert not left.has_data()
        assert display.plot() is display


def test_made_sensors__as_in_the_example():
    X, y = skad.make_sensors(3000, random_state=0)
    display = draw(X, y)
    np.testing.assert_allclose(display.missing_shares, X.isna().mean())
