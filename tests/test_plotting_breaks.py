"""Long gaps are cut out of the axis of time, and marked; rows keep their places."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_plotting import plt  # noqa: F401, a fixture
from test_plotting_series import spans, text_boxes

import skad
from skad.plotting._breaks import find_breaks
from skad.plotting._timeline import Timeline, mean_of_cells

mpl = pytest.importorskip("matplotlib")

DAYS = pd.DatetimeIndex(
    np.concatenate(
        [
            pd.date_range(
                f"{2018 + n // 8}-{1 + n % 8:02d}-03", periods=96, freq="15min"
            )
            for n in range(15)
        ]
    )
)


@pytest.fixture(autouse=True)
def _clean(plt):  # noqa: F811
    """Figures are closed afterwards."""


def draw(index, ax=None, **kwargs):
    scores = -np.abs(np.sin(np.arange(len(index))))
    draw = skad.AnomalyScoreDisplay.from_predictions
    return draw(scores, index=index, ax=ax, **kwargs)


def pixels(display, times):
    """Where times are on the axis, as shares of it."""
    ax = display.axes_[-1]
    points = ax.transData.transform(np.column_stack([times, np.zeros(len(times))]))
    return ax.transAxes.inverted().transform(points)[:, 0]


def marks(display):
    """Places of the marks in the panel of the scores."""
    lines = [
        line
        for line in display.axes_[-1].lines
        if line.get_marker() not in ("", None, "None")
    ]
    return np.unique(np.concatenate([line.get_xdata() for line in lines] or [[]]))


def test_fifteen_days_over_two_years__are_all_wide_enough():
    display = draw(DAYS)
    times = mpl.dates.date2num(DAYS).reshape(15, 96)
    widths = pixels(display, times[:, -1]) - pixels(display, times[:, 0])
    assert widths.min() > 0.7 / 15
    np.testing.assert_allclose(widths, widths[0], rtol=1e-6)
    gaps = pixels(display, times[1:, 0]) - pixels(display, times[:-1, -1])
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-6)
    assert len(marks(display)) == 14
    assert (marks(display) > times[:-1, -1]).all()
    assert (marks(display) < times[1:, 0]).all()


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2018-04-01", periods=500, freq="min"),
        DAYS[:96],
        DAYS[[0, 1]],
        pd.RangeIndex(10),
        # nights: most of the time, but nothing becomes a sliver
        pd.date_range("2018-04-01", periods=90 * 24, freq="h").difference(
            pd.date_range("2018-04-01", periods=90 * 24, freq="h")[
                np.arange(90 * 24) % 24 >= 8
            ]
        ),
    ],
    ids=["one stretch", "one day", "two rows", "numbers", "nights"],
)
def test_without_long_gaps__the_axis_is_linear(index):
    display = draw(index)
    assert display.axes_[-1].get_xscale() == "linear"
    assert len(marks(display)) == 0


def test_zoom_to_one_stretch__needs_no_cut():
    display = draw(DAYS, start="2018-03", stop="2018-03")
    assert display.axes_[-1].get_xscale() == "linear"
    assert len(marks(draw(DAYS, start="2018-03", stop="2018-05"))) == 2


@pytest.mark.parametrize("zone", [None, "Europe/Paris", "Asia/Kolkata"])
def test_ticks__are_where_rows_are(zone):
    index = DAYS.tz_localize("UTC").tz_convert(zone) if zone else DAYS
    ax = draw(index).axes_[-1]
    ticks = mpl.dates.num2date(ax.get_xticks(), tz=zone)
    days = {f"{day:%Y-%m-%d}" for day in index}
    assert {f"{tick:%Y-%m-%d}" for tick in ticks} <= days
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[0] == "Jan-03\n2018"
    assert len([label for label in labels if "2019" in label]) == 1
    few = draw(index[: 3 * 96]).axes_[-1].get_xticklabels()
    assert few[0].get_text() == f"{index[0]:%H:%M}\n{index[0]:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("index", "first", "label"),
    [
        (np.r_[0:50, 9000:9050, 70_000:70_100], "0", "time"),
        (np.r_[0:50, 9000:9050] / 4, "0", "time"),
        (pd.to_timedelta(np.r_[0:50, 9000:9050], unit="min"), "0", "time (d)"),
        (pd.to_timedelta(np.r_[0:50, 9000:9050], unit="ns"), "0", "time (µs)"),
    ],
)
def test_every_kind_of_time__is_cut(index, first, label):
    display = draw(pd.Index(index))
    ax = display.axes_[-1]
    assert len(marks(display)) == np.isnan(display.score_line_.get_ydata()).sum() > 0
    assert ax.get_xticklabels()[0].get_text() == first
    assert ax.get_xlabel() == label


def test_bars_and_lines__stay_at_their_times():
    index = np.r_[0:100, 10_000:10_100]
    flags = np.isin(index, [3, 10_050])
    display = draw(pd.Index(index), y_true=flags)
    assert spans(display.true_bars_) == [
        pytest.approx((2.5, 3.5)),
        pytest.approx((10_049.5, 10_050.5)),
    ]
    # a line of the user's own lies where its time is
    line = display.axes_[-1].axvline(10_050)
    assert pixels(display, line.get_xdata())[0] == pytest.approx(0.755, abs=0.01)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=40),
    st.lists(st.floats(6, 1e7), min_size=40, max_size=40),
    st.floats(-1e6, 1e6),
)
def test_places__keep_order_and_lead_back(lengths, gaps, start):
    steps = [[*np.ones(n - 1), gap] for n, gap in zip(lengths, gaps, strict=False)]
    x = start + np.cumsum([0.0, *itertools.chain(*steps)])[:-1]
    is_break = np.diff(x) > 5
    breaks = find_breaks(x, is_break, 1.0)
    places = breaks.places(x)
    assert (np.diff(places) > 0).all()
    np.testing.assert_allclose(breaks.times(places), x, rtol=1e-9, atol=1e-6)
    span = places[-1] - places[0] + 1
    assert span <= x[-1] - x[0] + 1 + 1e-6
    if breaks.n_gaps:
        # what is left: rows, cuts, and gaps that are short beside the rows
        assert len(x) / span > 0.05
        inside = ~is_break
        np.testing.assert_allclose(np.diff(places)[inside], 1.0, rtol=1e-6)
    far = np.array([x[0] - 1000.0, x[-1] + 1000.0, np.nan])
    np.testing.assert_allclose(breaks.times(breaks.places(far)), far, rtol=1e-9)


@pytest.mark.parametrize("n_pieces", [2, 7, 40, 150])
@pytest.mark.parametrize("size", [(6.4, 4.8), (3.5, 3.0)])
def test_labels__do_not_lie_over_each_other(n_pieces, size, plt):  # noqa: F811
    for freq, gap in (("min", "40D"), ("s", "3h"), ("D", "400D")):
        starts = pd.date_range("2001-01-01 07:31", periods=n_pieces, freq=gap)
        offsets = pd.timedelta_range(0, periods=60, freq=freq)
        index = pd.DatetimeIndex(np.add.outer(starts.values, offsets.values).ravel())
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        draw(index, ax)
        boxes = text_boxes(figure)
        for (one, a), (two, b) in itertools.combinations(boxes.items(), 2):
            width = min(a.x1, b.x1) - max(a.x0, b.x0)
            height = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert width < 1 or height < 3, (one.get_text(), two.get_text())
        plt.close(figure)


def test_cells_beside_gaps__are_wide_enough_to_be_seen():
    x = np.concatenate([n * 5000 + np.arange(397) for n in range(12)])
    time = Timeline(pd.Index(x), slice(0, len(x)))
    for summary in (mean_of_cells, None):
        kwargs = {} if summary is None else {"summary": summary}
        values = np.zeros((len(x), 1))
        values[::397] = 1.0
        edges, grid = time.cells(values, 300, **kwargs)
        places = time.breaks.places(edges)
        widths = np.diff(places) / (places[-1] - places[0])
        assert widths.min() > 0.5 / 300
        assert np.count_nonzero(grid[:, 0] > 0) == 12


def test_figure_with_cuts__can_be_pickled(plt):  # noqa: F811
    import pickle

    figure = pickle.loads(pickle.dumps(draw(DAYS).figure_))
    figure.canvas.draw()
