"""Displays over time: what they hold and draw, and that nothing lies over another."""

import itertools
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from test_plotting import contrast, tick_labels

from skad import (
    DetectorUnion,
    FixedThresholdDetector,
    LinearAutoencoder,
    MahalanobisErrors,
    SlidingWindow,
    TableReader,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    explain,
    find_events,
    make_sensors,
)
from skad.plotting._comparison import DetectorComparisonDisplay
from skad.plotting._contributions import ContributionDisplay
from skad.plotting._event_labels import EventLabels
from skad.plotting._heatmap import heat_colours
from skad.plotting._scores import AnomalyScoreDisplay
from skad.plotting._timeline import Timeline

mpl = pytest.importorskip("matplotlib")

draw_scores = AnomalyScoreDisplay.from_predictions
draw_parts = ContributionDisplay.from_predictions
draw_several = DetectorComparisonDisplay.from_predictions


@pytest.fixture(autouse=True)
def plt():
    """pyplot without a screen; figures and settings are as before afterwards."""
    backend = mpl.get_backend()
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    settings = dict(mpl.rcParams)
    plt.close("all")
    yield plt
    plt.close("all")
    assert dict(mpl.rcParams) == settings
    mpl.use(backend)


@pytest.fixture(scope="module")
def table():
    """Sensors with gaps in time; labels."""
    X, y = make_sensors(3000, n_faults=3, random_state=0)
    rows = np.r_[0:2000, 2300:3000]
    return X.iloc[rows], y.iloc[rows]


@pytest.fixture(scope="module")
def pipeline(table):
    """What goes into a pipeline on a table with missing values; fitted."""
    return make_pipeline(
        TimeSeriesImputer(max_missing=0.5),
        StandardScaler(),
        WindowedDetector(LinearAutoencoder(6), 20, contamination=0.01),
    ).fit(table[0][:1500])


# What is drawn of a line, its gaps and its ranges


def pieces(line):
    """The drawn points of a line, piece by piece."""
    x, y = line.get_data()
    parts = np.split(np.arange(len(x)), np.flatnonzero(np.isnan(x)))
    parts = [part[~np.isnan(x[part])] for part in parts]
    return [(x[part], y[part]) for part in parts]


def spans(bars):
    """Left and right ends of the bars of a collection."""
    boxes = [path.get_extents() for path in bars.get_paths()]
    return [(box.x0, box.x1) for box in boxes]


def test_line_has_every_row_and_no_bridge():
    index = [0, 1, 2, 3, 20, 21, 22, 50, 60, 61, 62]
    scores = -np.arange(11.0)
    (a, b, dash, c) = pieces(draw_scores(scores, index=index).score_line_)
    assert a[0].tolist() == [0, 1, 2, 3]
    assert b[1].tolist() == [4, 5, 6]
    # a row alone is as wide as a step
    assert dash[0].tolist() == [49.5, 50.5]
    assert dash[1].tolist() == [7, 7]
    assert c[0].tolist() == [60, 61, 62]


def test_steps_that_vary_are_no_gap():
    index = np.cumsum([1, 1, 1, 1, 5, 1, 4, 1, 1])
    assert len(pieces(draw_scores(np.zeros(9), index=index).score_line_)) == 1
    index = np.cumsum([1, 1, 1, 1, 6, 1, 4, 1, 1])
    assert len(pieces(draw_scores(np.zeros(9), index=index).score_line_)) == 2


def test_missing_readings_are_gaps():
    values = [1.0, 2, np.nan, 4, np.nan, 6, 7, np.inf, np.nan]
    display = draw_scores(np.zeros(9), sensors=np.c_[values, np.full(9, np.nan)])
    parts = pieces(display.sensor_lines_[0])
    assert [part[1].tolist() for part in parts] == [[1, 2], [4, 4], [6, 7]]
    assert len(display.sensor_lines_[1].get_xdata()) == 0
    assert [ax.get_ylabel() for ax in display.axes_[:2]] == ["channel 0", "channel 1"]


def test_ranges_are_runs_of_rows_apart_from_gaps():
    index = pd.Index([0, 1, 2, 3, 30, 31, 32, 33])
    scores = [1.0, 0, 0, 0, 0, 1, 0, 1]
    display = draw_scores(scores, index=index, threshold=0.5, y_true=[0, 1] * 4)
    assert display.flagged_ranges.to_numpy().tolist() == [[1, 3], [30, 30], [32, 32]]
    assert display.true_ranges["start"].tolist() == [1, 3, 31, 33]
    assert spans(display.flagged_bars_[0]) == [(0.5, 3.5), (29.5, 30.5), (31.5, 32.5)]
    assert spans(display.true_bars_)[0] == (0.5, 1.5)
    assert display.axes_[-1].get_xlim() == (-0.5, 33.5)


def test_single_rows_can_be_seen():
    scores = np.zeros(100_000)
    scores[[500, 501, 520, 70_000]] = -1
    display = draw_scores(scores, threshold=-0.5)
    bars = spans(display.flagged_bars_[0])
    assert len(bars) == 2
    assert bars[0][0] < 500 < 520 < bars[0][1]
    assert min(right - left for left, right in bars) > 100_000 / 700
    assert len(display.flagged_ranges) == 3


@pytest.mark.parametrize("n", [1, 2, 8000, 8001, 30_000])
def test_thin_lines_keep_every_peak(n):
    rng = np.random.default_rng(0)
    scores = -(rng.exponential(size=n) ** 3)
    x, y = draw_scores(scores, yscale="linear").score_line_.get_data()
    x, y = x[~np.isnan(x)], y[~np.isnan(x)]
    assert len(x) <= 8000
    if n > 1:  # points of the line are rows
        assert (y == -scores[x.astype(int)]).all()
    limits = np.linspace(-0.5, n - 0.5, 2001)
    drawn, rows = np.digitize(x, limits), np.digitize(np.arange(n), limits)
    for column in np.unique(rows) if n > 2 else []:
        own, shown = -scores[rows == column], y[drawn == column]
        assert (shown.min(), shown.max()) == (own.min(), own.max())


def test_thin_lines__keep_gaps_and_draw_few_points():
    rng = np.random.default_rng(0)
    n = 1_000_000
    index = np.arange(n)
    index[n // 2 :] += n // 10
    scores = -rng.exponential(size=n)
    scores[654_321] = -1e6
    display = draw_scores(
        scores,
        index=index,
        threshold=-5,
        sensors=np.where(rng.random(n) < 0.5, np.nan, scores),
    )
    display.figure_.canvas.draw()
    assert len(pieces(display.score_line_)) == 2
    assert np.nanmax(display.score_line_.get_ydata()) == 1e6
    assert len(display.sensor_lines_[0].get_xdata()) < 20_000
    assert len(spans(display.flagged_bars_[0])) < 1000


def test_cells_keep_what_is_farthest_from_0():
    rng = np.random.default_rng(0)
    index = pd.RangeIndex(5000)
    values = rng.normal(size=(5000, 2))
    edges, grid = Timeline(index, slice(1000, 4000)).cells(values[1000:4000], 100)
    assert edges == pytest.approx(np.linspace(999.5, 3999.5, 101))
    for cell, rows in zip(grid, values[1000:4000].reshape(100, 30, 2), strict=True):
        far = np.abs(rows).argmax(axis=0)
        assert cell.tolist() == rows[far, [0, 1]].tolist()


def test_cells_leave_gaps_empty():
    index = pd.Index([0, 1, 2, 20, 21])
    values = np.arange(5.0)[:, None]
    edges, grid = Timeline(index, slice(0, 5)).cells(values, 100)
    assert edges.tolist() == [-0.5, 0.5, 1.5, 2.5, 19.5, 20.5, 21.5]
    assert grid[:, 0] == pytest.approx([0, 1, 2, np.nan, 3, 4], nan_ok=True)


# Time, series and zoom


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (None, None, (0, 240)),
        ("2018-04-02", None, (24, 240)),
        ("2018-04-02", "2018-04-02", (24, 48)),
        (pd.Timestamp("2018-04-02 12:30"), "2018-04-03 12:00", (37, 61)),
        (np.datetime64("2018-04-02"), 30, (24, 31)),
        (5, 5, (5, 6)),
        (0, 10_000, (0, 240)),
        ("2017", "2020", (0, 240)),
    ],
)
def test_zoom_by_dates(start, stop, expected):
    index = pd.date_range("2018-04-01", periods=240, freq="h")
    display = draw_scores(-np.arange(240.0), index=index, start=start, stop=stop)
    assert (display.rows_.start, display.rows_.stop) == expected
    errors = display.score_line_.get_ydata()
    if expected[1] - expected[0] > 1:
        assert errors.tolist() == list(range(*expected))
    parts = draw_parts(np.ones((240, 2)), index=index, start=start, stop=stop)
    assert parts.rows_ == display.rows_
    assert display.plot().rows_ == slice(0, 240)


def test_zoom_by_numbers_takes_labels():
    index = pd.Index([10, 11, 13, 14, 15])
    display = draw_scores(np.zeros(5), index=index, start=11, stop=14)
    assert display.rows_ == slice(1, 4)
    assert draw_scores(np.zeros(5), start=1, stop=3).rows_ == slice(1, 4)
    text = draw_scores(np.zeros(5), index=list("aexyz"), start=1, stop=3)
    assert text.rows_ == slice(1, 4)


@pytest.mark.parametrize(
    ("index", "kwargs", "message"),
    [
        ("dates", {"start": "2019"}, "leave no row; the index goes from 2018-04-01"),
        ("dates", {"start": 5, "stop": 4}, "leave no row"),
        ("dates", {"stop": -1}, "stop=-1; expected a position from 0"),
        ("dates", {"start": "noon?"}, "start='noon.' is no label"),
        ("dates", {"stop": 3.5}, "stop=3.5 is no label"),
        ("numbers", {"start": "noon"}, "start='noon'; expected a number"),
        ("numbers", {"start": 99}, "leave no row; the index goes from 0 to 9"),
    ],
)
@pytest.mark.parametrize("draw", [draw_scores, draw_parts])
def test_zoom_refuses(draw, index, kwargs, message, plt):
    indices = {
        "dates": pd.date_range("2018-04-01", periods=10),
        "numbers": pd.RangeIndex(10),
    }
    values = np.ones((10, 1))
    with pytest.raises(ValueError, match=message):
        draw(values, index=indices[index], **kwargs)
    assert plt.get_fignums() == []


def test_dates_in_their_time_zone():
    utc = pd.date_range("2018-03-26", periods=5, freq="h", tz="UTC")
    near = draw_scores(np.zeros(5), index=utc)
    there = draw_scores(np.zeros(5), index=utc.tz_convert("Europe/Berlin"))
    x = near.score_line_.get_xdata()
    assert there.score_line_.get_xdata().tolist() == x.tolist()
    assert x == pytest.approx(mpl.dates.date2num(utc.tz_convert(None)))
    labels = [ax.axes_[-1].get_xticklabels() for ax in (near, there)]
    near, there = ([text.get_text() for text in texts] for texts in labels)
    assert near[1:4] == ["01:00", "02:00", "03:00"]
    assert there[1:4] == ["03:00", "04:00", "05:00"]


@pytest.mark.parametrize(
    ("index", "label", "last"),
    [
        (pd.timedelta_range(0, periods=9, freq="h"), "time (h)", 8),
        (pd.timedelta_range(0, periods=9, freq="s", name="t"), "t (s)", 8),
        (pd.period_range("2018", periods=9, freq="D"), "", None),
        (pd.RangeIndex(9), "row", 8),
        (pd.Index(np.arange(9.0) / 2, name="seconds"), "seconds", 4),
        (pd.Index([1, 2, 3, 4, 5, 6, 7, 8, 10]), "time", 10),
        (pd.Index(list("anomalies")), "row", 8),
    ],
)
def test_kinds_of_index(index, label, last):
    display = draw_scores(np.arange(9.0), index=index)
    assert display.axes_[-1].get_xlabel() == label
    if last is not None:
        assert display.score_line_.get_xdata()[-1] == last
    display.figure_.canvas.draw()


def test_index_comes_with_pandas(table):
    X, _ = table
    scores = pd.Series(np.zeros(len(X)), index=X.index)
    assert draw_scores(scores).index.equals(X.index)
    assert draw_parts(X.fillna(0)).index.equals(X.index)
    assert draw_parts(X.fillna(0)).channel_names == list(X.columns)


@pytest.mark.parametrize("draw", [draw_scores, draw_parts])
@pytest.mark.parametrize(
    ("index", "message"),
    [
        (range(3), "index has 3 entries; expected 4"),
        ([0, 2, 1, 3], "must increase: 1 in row 2 is out of order"),
        ([0, 1, 1, 3], "must increase: 1 in row 2 is there twice"),
        ([0, 1, np.nan, 3], "index of X is nan in row 2"),
        (pd.DatetimeIndex(["2018", "2019", None, "2020"]), r"missing \(NaT\) in row 2"),
    ],
)
def test_index_refuses(draw, index, message, plt):
    with pytest.raises(ValueError, match=message):
        draw(np.ones((4, 1)), index=index)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("draw", [draw_scores, draw_parts])
def test_one_series_of_several(draw):
    values = np.arange(6.0)[:, None]
    names = [["a", "a", "b", "b", "b", "c"], [0, 1, 0, 1, 2, 0]]
    index = pd.MultiIndex.from_arrays(names, names=["pump", "minute"])
    display = draw(values, index=index, series="b", y_true=[1, 0, 0, 1, 0, 0])
    assert display.is_anomaly.tolist() == [False, True, False]
    held = display.scores if draw == draw_scores else -display.scores
    assert held.tolist() == [2, 3, 4]
    assert display.index.tolist() == [0, 1, 2]
    top = display.truth_ax_
    assert top.get_title() == "b"
    deep = pd.MultiIndex.from_arrays([list("xxxyyy"), *names])
    display = draw(values, index=deep, series=("y", "b"))
    assert display.axes_[0].get_title() == "y, b"
    assert len(display.index) == 2
    assert draw(values[:2], index=index[:2]).name == "a"
    with pytest.raises(ValueError, match=r"series=None; .* 3 series .*: 'a', 'b', 'c'"):
        draw(values, index=index)
    with pytest.raises(ValueError, match="series='d'"):
        draw(values, index=index, series="d")
    with pytest.raises(ValueError, match="the index names no series"):
        draw(values, series="a")


# AnomalyScoreDisplay


def wraps(pipeline):
    """Detectors with a pipeline inside."""
    yield pipeline
    yield FixedThresholdDetector(pipeline, -0.1)
    yield TunedThresholdDetector(pipeline, cv="prefit")
    yield GridSearchCV(pipeline, {}, scoring=lambda *args: 0.0, cv=2)


@pytest.mark.parametrize("number", range(4))
def test_scores_of_an_estimator(table, pipeline, number):
    X, y = table
    estimator = list(wraps(pipeline))[number]
    if number:
        estimator = estimator.fit(X[:1700], y[:1700] * 0 + (X.index[:1700].hour == 3))
    display = AnomalyScoreDisplay.from_estimator(
        estimator, X, y, columns=["sensor_04", 0]
    )
    assert (display.scores == estimator.score_samples(X)).all()
    assert display.index.equals(X.index)
    assert display.is_anomaly.tolist() == y.astype(bool).tolist()
    flagged = (estimator.predict(X) == -1).tolist()
    assert display.is_flagged.tolist() == flagged
    assert display.sensors.equals(X[["sensor_04", "sensor_00"]])
    names = [ax.get_ylabel() for ax in display.axes_]
    assert names == ["sensor_04", "sensor_00", "error (\N{MINUS SIGN}score)"]
    assert len(pieces(display.score_line_)) == 2
    assert display.threshold_line_.get_ydata()[0] == -display.threshold
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert labels == [display.threshold_line_.get_label(), "flagged", "labelled"]


def test_scores_of_a_foreign_detector():
    X = np.random.default_rng(0).normal(size=(60, 3))
    forest = IsolationForest(n_estimators=10, random_state=0).fit(X)
    display = AnomalyScoreDisplay.from_estimator(forest, X, columns=2)
    assert (display.scores == forest.score_samples(X)).all()
    assert display.is_flagged.tolist() == (forest.predict(X) == -1).tolist()
    assert (display.sensor_lines_[0].get_ydata() == X[:, 2]).all()
    assert display.truth_ax_ is display.true_bars_ is None


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (np.linspace(1, 3, 20), "linear"),
        (np.logspace(0, 4, 20), "log"),
        (np.r_[0.0, 1e-30, np.logspace(0, 4, 20)], "log"),
        (np.r_[-1, np.logspace(0, 4, 20)], "symlog"),
        (np.r_[-3.0, 2, 3, -2], "linear"),
        (np.zeros(20), "linear"),
        (np.ones(1), "linear"),
        (np.r_[1.0, np.zeros(19)], "log"),
    ],
)
def test_scale_of_errors(errors, expected):
    display = draw_scores(-errors)
    ax = display.axes_[-1]
    assert ax.get_yscale() == expected
    low, high = ax.get_ylim()
    assert errors.max() < high
    # no error is lost below but for those of next to nothing
    assert low < errors[errors > 1e-6 * errors.max()].min(initial=np.inf)
    for yscale in ("linear", "symlog"):
        assert display.plot(yscale=yscale).axes_[-1].get_yscale() == yscale
        display.figure_.canvas.draw()


def test_far_threshold_is_on_the_axis():
    display = draw_scores(-np.linspace(1, 2, 9), threshold=-1e4)
    assert display.axes_[-1].get_yscale() == "log"
    assert display.axes_[-1].get_ylim()[1] > 1e4
    assert display.flagged_bars_ == []


@pytest.mark.parametrize(("threshold", "n"), [(None, 0), (-np.inf, 0), (np.inf, 1)])
def test_threshold_may_have_no_place(threshold, n):
    display = draw_scores([0.0, 1.0], threshold=threshold)
    assert display.threshold_line_ is None
    assert len(display.flagged_bars_) == n
    display.figure_.canvas.draw()


def test_strip_is_there_for_labels_shown():
    display = draw_scores(np.zeros(9), y_true=[0, 0, 1] + [0] * 6)
    assert display.truth_ax_ is not None
    assert display.plot(start=4).truth_ax_ is None
    assert display.true_bars_ is None


def test_score_takes_styles():
    display = draw_scores(
        [1.0, 0.0],
        threshold=0.5,
        score_kwargs={"c": "red", "lw": 4},
        threshold_kwargs={"ls": ":", "label": "mine"},
    )
    assert display.score_line_.get_color() == "red"
    assert display.score_line_.get_linewidth() == 4
    assert display.threshold_line_.get_linestyle() == ":"
    assert display.legend_.get_texts()[0].get_text() == "mine"


def test_scores_refuse(plt, table, pipeline):
    with pytest.raises(ValueError, match="Input scores contains NaN"):
        draw_scores([0.0, np.nan])
    with pytest.raises(ValueError, match="0 sample"):
        draw_scores([])
    with pytest.raises(ValueError, match="y_true holds the labels"):
        draw_scores([0.0, 1.0], y_true=[0, 3])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw_scores([0.0, 1.0], y_true=[0, 1, 1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw_scores([0.0, 1.0], sensors=np.ones((3, 1)))
    with pytest.raises(ValueError, match="yscale='cubic'; expected one of auto"):
        draw_scores([0.0, 1.0], yscale="cubic")
    with pytest.raises(TypeError, match="PCA has no `offset_`"):
        AnomalyScoreDisplay.from_estimator(PCA(1).fit(np.eye(3)), np.eye(3))
    X, _ = table
    for columns in ("sensor_99", [12], [-1], 0.5, [None]):
        with pytest.raises((ValueError, TypeError)):
            AnomalyScoreDisplay.from_estimator(pipeline, X, columns=columns)
    with pytest.raises(ValueError, match=r"columns holds 12; .*'sensor_00'.* 0 to 11"):
        AnomalyScoreDisplay.from_estimator(pipeline, X, columns=12)
    assert plt.get_fignums() == []


def test_log_axis_needs_positive_errors():
    with pytest.raises(ValueError, match="yscale='log' needs errors above 0"):
        draw_scores([1.0, -1.0], yscale="log")


# ContributionDisplay


@pytest.mark.parametrize("error_model", ["mse", MahalanobisErrors()])
@pytest.mark.parametrize("pandas", [True, False])
def test_contributions_add_up_to_the_scores(table, error_model, pandas):
    X, y = table
    steps = [
        TimeSeriesImputer(max_missing=0.5),
        StandardScaler(),
        WindowedDetector(LinearAutoencoder(6, error_model=error_model), 20),
    ]
    pipeline = make_pipeline(*steps)
    if pandas:
        pipeline.set_output(transform="pandas")
    detector = FixedThresholdDetector(pipeline.fit(X[:1500]), -1.0).fit(X[:1500])
    display = ContributionDisplay.from_estimator(detector, X, y)
    scores = detector.score_samples(X)
    assert display.scores == pytest.approx(scores, rel=1e-9, abs=1e-12)
    inner = detector.estimator_[:-1].transform(X)
    assert (display.contributions == detector.estimator_[-1].explain(inner)).all()
    kept = [name for name in X.columns if X[:1500][name].isna().mean() <= 0.5]
    assert display.channel_names == kept
    assert display.threshold == -1.0
    assert len(pieces(display.score_line_)) == 2
    is_signed = (display.contributions < -1e-9).any()
    assert (display.mesh_.norm.vmin < 0) == is_signed


def test_names_of_channels(table):
    X, _ = table
    X = X.fillna(0.0)
    windowed = WindowedDetector(LinearAutoencoder(3), 20)
    bare = clone_fit(windowed, X)
    assert ContributionDisplay.from_estimator(bare, X).channel_names == list(X)
    plain = clone_fit(windowed, X.to_numpy())
    names = ContributionDisplay.from_estimator(plain, X.to_numpy()).channel_names
    assert names == [f"channel {i}" for i in range(12)]
    given = ContributionDisplay.from_estimator(
        plain, X.to_numpy(), channel_names=list("abcdefghijkl")
    )
    assert given.channel_names == list("abcdefghijkl")
    halves = make_pipeline(FunctionTransformer(lambda X: X[:, :6]), windowed)
    silent = clone_fit(halves, X.to_numpy())
    names = ContributionDisplay.from_estimator(silent, X.to_numpy()).channel_names
    assert names == [f"channel {i}" for i in range(6)]
    nested = clone_fit(make_pipeline(StandardScaler(), make_pipeline(windowed)), X)
    assert ContributionDisplay.from_estimator(nested, X).channel_names == list(X)


def clone_fit(estimator, X):
    return clone(estimator).fit(X)


def rows_of_map(display):
    return [text.get_text() for text in display.axes_[1].get_yticklabels()]


def test_largest_share_on_top():
    parts = np.tile([3.0, 5, 1, 4, 2], (10, 1))
    parts[:2, 2] = 100
    display = draw_parts(
        parts, channel_names=list("abcde"), max_channels=3, cscale="linear"
    )
    assert display.channels_.tolist() == [2, 1, 3]
    assert rows_of_map(display) == ["c", "b", "d", "2 others"]
    grid = display.mesh_.get_array().data.reshape(4, 10)
    assert grid[:, 5].tolist() == [1, 5, 4, 5]
    assert display.plot(start=2, max_channels=1).channels_.tolist() == [1]
    assert rows_of_map(display) == ["b", "4 others"]
    given = display.plot(channels=["e", 0])
    assert rows_of_map(given) == ["e", "a"]
    assert rows_of_map(display.plot(max_channels=5)) == list("cbdae")
    low, high = display.axes_[1].get_ylim()
    assert low > high  # the first row is at the top


def test_map_and_error_share_their_axis():
    display = draw_parts(np.ones((20, 2)), index=np.r_[0:10, 30:40])
    top, bottom = display.axes_
    assert top.get_xlim() == bottom.get_xlim() == (-0.5, 39.5)
    display.figure_.canvas.draw()
    assert top.get_position().x0 == pytest.approx(bottom.get_position().x0)
    assert top.get_position().x1 == pytest.approx(bottom.get_position().x1)
    grid = display.mesh_.get_array()
    assert np.ma.getmaskarray(grid).reshape(2, 21)[0].nonzero()[0].tolist() == [10]
    assert display.score_line_.get_ydata()[:3].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("values", "cscale", "limits"),
    [
        ([1, 2, 3, 4], "LinearNorm", (0, 4)),
        ([1, 1, 1, 100], "LogNorm", (1, 100)),
        ([0, 0, 0, 1], "LogNorm", (1e-4, 1)),
        ([-1, 2, 3, 4], "LinearNorm", (-4, 4)),
        ([-1, 1, 1, 100], "SymLogNorm", (-100, 100)),
        ([0, 0, 0, 0], "LinearNorm", (0, 1)),
        ([-1e-17, 1, 1, 1], "LinearNorm", (0, 1)),
        ([-1, -1, -1, -2], "LinearNorm", (-2, 2)),
    ],
)
def test_scale_of_colours(values, cscale, limits):
    display = draw_parts(np.array(values, dtype=float)[:, None])
    norm = display.mesh_.norm
    assert type(norm).__name__.replace("Normalize", "LinearNorm") == cscale
    assert (norm.vmin, norm.vmax) == pytest.approx(limits)
    for other in ("linear", "log"):
        display.plot(cscale=other).figure_.canvas.draw()


def test_cells_below_the_scale_have_the_colour_of_0(plt):
    for name in ("default", "dark_background"):
        with plt.style.context(name):
            display = draw_parts(np.array([[0.0], [1e-9], [1], [1], [1000]]))
            display.figure_.canvas.draw()
            colours = display.mesh_.get_facecolors()
            background = mpl.colors.to_rgba(mpl.rcParams["axes.facecolor"])
            assert colours[0] == pytest.approx(background, abs=0.01)
            assert colours[1] == pytest.approx(background, abs=0.01)
            assert display.colorbar_.extend == "min"


@pytest.mark.parametrize("name", ["default", "dark_background"])
def test_colours_are_monotone_in_grey(name, plt):
    with plt.style.context(name):
        background = mpl.rcParams["axes.facecolor"]
        scale = heat_colours(diverging=False)(np.linspace(0, 1, 50))
        steps = [contrast(colour[:3], background) for colour in scale]
        assert (np.diff(steps) > 0).all()
        assert steps[0] == pytest.approx(1)
        assert steps[-1] > 7
        both = heat_colours(diverging=True)(np.linspace(0, 1, 101))
        steps = np.array([contrast(colour[:3], background) for colour in both])
        assert (np.diff(steps[:50]) < 0).all()
        assert (np.diff(steps[51:]) > 0).all()
        assert steps[0] > 7 < steps[-1]
        # blue on one side and orange on the other
        assert both[20, 2] > both[20, 0]
        assert both[80, 2] < both[80, 0]


def test_contributions_of_one_window(table):
    X, y = table
    pipeline = make_pipeline(
        TimeSeriesImputer(max_missing=0.5),
        StandardScaler(),
        SlidingWindow(20),
        LinearAutoencoder(6, n_channels=10),
    ).fit(X[:1500])
    scores = pipeline.score_samples(X)
    display = ContributionDisplay.from_estimator(pipeline, X, y, window=7)
    assert display.contributions.shape == (20, 10)
    assert -display.contributions.sum() == pytest.approx(scores[7])
    assert display.name.startswith("window 7, normal: score \N{MINUS SIGN}")
    assert ", threshold \N{MINUS SIGN}" in display.name
    assert display.threshold_line_ is display.flagged_bars_ is display.legend_ is None
    assert display.channel_names == [*X.columns[[0, 1, 2, 4, 5, 6, 7, 8, 9, 10]]]
    assert display.axes_[1].get_xlabel() == "timestep"
    lowest = ContributionDisplay.from_estimator(pipeline, X)
    assert lowest.name.startswith(f"window {scores.argmin()}: score")
    parts = np.ones((3, 5, 2))
    parts[1] *= 2
    display = draw_parts(parts)
    assert display.contributions.tolist() == parts[1].tolist()
    assert display.name == "window 1: score \N{MINUS SIGN}20"
    assert draw_parts(parts, y_true=[1, -1, 1]).name.startswith("window 1, anomaly:")
    assert draw_parts(parts, window=0, start=1, stop=2).rows_ == slice(1, 3)


def test_contributions_of_a_union__warn_of_no_single_row(table):
    X = TimeSeriesImputer(max_missing=0.5).set_output(transform="pandas")
    X = X.fit(table[0][:1500]).transform(table[0])
    detector = WindowedDetector(LinearAutoencoder(6), 20)
    union = DetectorUnion([("one", detector)]).fit(X[:1500])
    display = ContributionDisplay.from_estimator(union, X)  # warnings are errors
    assert display.contributions.shape == X.shape


def test_contributions_refuse(plt, table, pipeline):
    parts = np.ones((4, 2))
    with pytest.raises(ValueError, match="Input contributions contains NaN"):
        draw_parts([[np.nan]])
    with pytest.raises(ValueError, match="Expected 2D array"):
        draw_parts([1.0, 2.0])
    with pytest.raises(ValueError, match="channel_names has 1 names; expected 2"):
        draw_parts(parts, channel_names=["a"])
    with pytest.raises(ValueError, match=r"channels holds 'x'; .*'channel 0'"):
        draw_parts(parts, channels="x")
    with pytest.raises(ValueError, match="channels is empty"):
        draw_parts(parts, channels=[])
    with pytest.raises(ValueError, match="max_channels=0"):
        draw_parts(parts, max_channels=0)
    with pytest.raises(ValueError, match="cscale='symlog'"):
        draw_parts(parts, cscale="symlog")
    with pytest.raises(ValueError, match="yscale=1"):
        draw_parts(parts, yscale=1)
    with pytest.raises(ValueError, match=r"window=0, but .* rows of a table"):
        draw_parts(parts, window=0)
    with pytest.raises(ValueError, match="window=3; expected a position from 0 to 2"):
        draw_parts(np.ones((3, 4, 2)), window=3)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw_parts(np.ones((3, 4, 2)), y_true=[0, 1])
    with pytest.raises(ValueError, match="windows belong to no series"):
        draw_parts(np.ones((3, 4, 2)), series="a")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw_parts(parts, y_true=[0, 1])
    with pytest.raises(ValueError, match="window=2, but"):
        ContributionDisplay.from_estimator(pipeline, table[0], window=2)
    X = table[0].fillna(0.0)[:200]
    forest = IsolationForest(n_estimators=2, random_state=0)
    for detector in (forest, WindowedDetector(forest, 5)):
        with pytest.raises(TypeError, match="has no `explain`"):
            ContributionDisplay.from_estimator(detector.fit(X.to_numpy()), X)
    assert plt.get_fignums() == []


def test_contributions_of_explain_bear_the_same_names(table, pipeline):
    X, y = table
    told = ContributionDisplay.from_estimator(pipeline, X, y)
    shown = draw_parts(explain(pipeline, X), y_true=y)
    assert shown.channel_names == told.channel_names
    assert (shown.contributions == told.contributions).all()
    assert shown.index.equals(told.index)
    unnamed = draw_parts(pd.DataFrame(np.ones((3, 2))))
    assert unnamed.channel_names == ["channel 0", "channel 1"]


# Events above the scores


def events_of(scores, threshold, parts=None, index=None, **kwargs):
    flags = np.asarray(scores) < threshold
    parts = np.c_[-scores, -scores] if parts is None else parts
    return find_events(flags, contributions=parts, index=index, **kwargs)


def texts_of(display):
    return [label.get_text() for label in display.event_labels_]


def test_events_are_shaded_and_named(table, pipeline):
    X, y = table
    parts = explain(pipeline, X)
    flags = pipeline.predict(X)
    events = find_events(flags, contributions=parts, merge_gap=30)
    assert 1 < len(events) < len(find_events(flags, index=X.index))
    display = AnomalyScoreDisplay.from_estimator(pipeline, X, y, events=events)
    inside = np.zeros(len(X), dtype=bool)
    for event in events.itertuples():
        inside[event.start_row : event.end_row + 1] = True
    time = Timeline(X.index, slice(0, len(X)))
    assert spans(display.flagged_bars_[0]) == [
        pytest.approx(tuple(bar)) for bar in time.bars(inside)
    ]
    (strip,) = display.event_ax_.collections
    assert spans(strip) == spans(display.flagged_bars_[0])
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert labels[1:] == ["event", "labelled"]
    worst = events.loc[events["peak_score"].idxmin()]
    assert f"{worst.sensor_1} {100 * worst.share_1:.0f} %" in texts_of(display)
    assert display.flagged_ranges["start"].tolist() != events["start"].tolist()
    two = display.plot(n_names=2)
    assert any(worst.sensor_2 in text.split("\n")[1] for text in texts_of(two))
    assert texts_of(display.plot(n_names=0)) == []


def test_names_without_room_are_left_out_the_best_first():
    scores = np.zeros(1000)
    scores[100:900:20] = -1.0
    scores[[300, 700]] = -9.0
    events = events_of(scores, -0.5)
    display = draw_scores(scores, threshold=-0.5, events=events)
    assert 2 < len(display.event_labels_) < len(events) == 40
    poles = [label.xy[0] * 1000 for label in display.event_labels_]
    assert {300, 700} <= {round(pole) for pole in poles}
    alone = draw_scores(scores, threshold=-0.5, events=events, start=690, stop=710)
    assert len(alone.event_labels_) == 1
    assert alone.event_ax_ is not None
    none = draw_scores(scores, threshold=-0.5, events=events, start=901)
    assert none.event_ax_ is None
    assert none.event_labels_ == none.flagged_bars_ == []


def test_names_and_poles_do_not_cross():
    rng = np.random.default_rng(0)
    for _ in range(4):
        labels = EventLabels(width=400, height=300, n_names=1)
        n = 30
        events = pd.DataFrame(
            {"sensor_1": rng.choice(["a", "sensor", "a long name"], n), "share_1": 0.5}
        )
        labels.fill(events, rng.random(n))
        assert len(labels.labels) > 5
        for a, b in itertools.permutations(labels.labels, 2):
            if a.level == b.level:
                assert a.right <= b.left or b.right <= a.left
            if a.level < b.level:  # the pole of b passes the level of a
                assert not a.left < b.pole < a.right
            assert 0 <= a.left <= a.pole <= 400
            assert a.right <= 400 + 1e-9


def test_events_of_one_series_of_several():
    index = pd.MultiIndex.from_product([["a", "b"], range(10)])
    scores = np.zeros(20)
    scores[[2, 3, 15]] = -1
    events = events_of(scores, -0.5, index=index)
    display = draw_scores(scores, index=index, events=events, series="b")
    assert display.events["start_row"].tolist() == [5]
    assert spans(display.flagged_bars_[0]) == [(4.5, 5.5)]
    empty = draw_scores(scores, index=index, events=events.iloc[:0], series="a")
    assert empty.flagged_bars_ == []


def test_events_without_sensors_or_shares():
    scores = np.array([0.0, -1, 0, 0])
    bare = find_events(scores < 0)
    assert texts_of(draw_scores(scores, events=bare)) == []
    zero = find_events(scores < 0, contributions=np.zeros((4, 1)))
    assert texts_of(draw_scores(scores, events=zero)) == ["channel 0"]


def test_events_refuse(plt):
    scores = np.zeros(4)
    with pytest.raises(ValueError, match="events has no column 'start_row'"):
        draw_scores(scores, events=pd.DataFrame({"start": [1]}))
    events = find_events([-1] * 9)
    with pytest.raises(ValueError, match="rows 0 to 8, but there are 4 rows"):
        draw_scores(scores, events=events)
    with pytest.raises(ValueError, match="n_names=-1; expected an int"):
        draw_scores(scores, n_names=-1)
    plt.close("all")


# DetectorComparisonDisplay


def test_comparison_holds_what_the_detectors_say(table, pipeline):
    X, y = table
    tuner = FixedThresholdDetector(pipeline, -0.1).fit(X[:1500])
    detectors = {"PCA": pipeline, "fixed": tuner}
    display = DetectorComparisonDisplay.from_estimators(detectors, X, y)
    assert display.scores.index.equals(X.index)
    assert list(display.scores) == ["PCA", "fixed"]
    for ax, name in zip(display.axes_, detectors, strict=True):
        estimator = detectors[name]
        assert (display.scores[name] == estimator.score_samples(X)).all()
        flagged = estimator.predict(X) == -1
        assert display.is_flagged[name].tolist() == flagged.tolist()
        assert [text.get_text() for text in ax.texts] == [name]
    assert display.thresholds["fixed"] == -0.1
    assert display.is_anomaly.tolist() == y.astype(bool).tolist()
    assert len(pieces(display.score_lines_[1])) == 2
    lines = [line.get_ydata()[0] for line in display.threshold_lines_]
    assert lines == [-display.thresholds["PCA"], 0.1]
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert labels == ["threshold", "flagged", "labelled"]
    alone = AnomalyScoreDisplay.from_estimator(pipeline, X, y)
    assert spans(display.flagged_bars_[0]) == spans(alone.flagged_bars_[0])
    assert display.true_ranges.equals(alone.true_ranges)


def test_comparison_from_predictions():
    scores = {"a": [0.0, -1, 0], "b": [0.0, -2, -3]}
    display = draw_several(scores, thresholds={"b": -1.5})
    assert display.threshold_lines_[0] is display.flagged_bars_[0] is None
    assert display.is_flagged.to_numpy().tolist() == [[False], [True], [True]]
    assert spans(display.flagged_bars_[1]) == [(0.5, 2.5)]
    table = pd.DataFrame(scores, index=pd.date_range("2018", periods=3))
    shown = draw_several(table, start=1)
    assert shown.scores.equals(table)
    assert shown.rows_ == slice(1, 3)
    assert shown.is_flagged is shown.legend_ is None
    series = {name: pd.Series(values, table.index) for name, values in scores.items()}
    assert draw_several(series).scores.equals(table)
    index = pd.MultiIndex.from_product([["p", "q"], [0, 1, 2]])
    one = draw_several({"a": np.arange(6.0)}, index=index, series="q")
    assert one.scores["a"].tolist() == [3, 4, 5]
    assert one.axes_[0].get_title() == "q"


def test_name_of_a_detector_lies_above_its_line():
    errors = np.abs(np.random.default_rng(0).normal(size=(500, 3))) + 1
    names = ["a", "a rather long name of a detector", "c"]
    display = draw_several(pd.DataFrame(-errors, columns=names), thresholds={"a": -9.0})
    display.figure_.canvas.draw()
    lines = zip(display.axes_, display.score_lines_, strict=True)
    for ax, line in lines:
        (name,) = ax.texts
        top = ax.transData.transform((0, line.get_ydata().max()))[1]
        assert name.get_window_extent().y0 > top


def test_comparison_refuses(plt, table, pipeline):
    with pytest.raises(ValueError, match="scores is empty"):
        draw_several({})
    with pytest.raises(ValueError, match="thresholds names 'c'; expected one of 'a'"):
        draw_several({"a": [0.0]}, thresholds={"c": 1.0})
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw_several({"a": [0.0], "b": [0.0, 1.0]})
    with pytest.raises(ValueError, match="scores contains NaN"):
        draw_several({"a": [np.nan, 0.0]})
    with pytest.raises(ValueError, match="y_true holds the labels"):
        draw_several({"a": [1.0, 0.0]}, y_true=[3, 4])
    with pytest.raises(ValueError, match="yscale='cubic'"):
        draw_several({"a": [1.0, 0.0]}, yscale="cubic")
    with pytest.raises(TypeError, match="PCA has no `offset_`"):
        DetectorComparisonDisplay.from_estimators(
            {"a": PCA(1).fit(np.eye(3))}, np.eye(3)
        )
    assert plt.get_fignums() == []


# What all share


def example(n_rows=3000, n_channels=14):
    rng = np.random.default_rng(0)
    parts = rng.exponential(size=(n_rows, n_channels)) ** 2
    parts[200:230, 3] *= 500
    index = pd.date_range("2018-04-01 22:13", periods=n_rows, freq="min")
    return parts, index, np.isin(np.arange(n_rows), range(190, 235))


def example_scores(ax=None, **kwargs):
    parts, index, y = example()
    sensors = pd.DataFrame(parts[:, :2], columns=["flow", "temperature_01"])
    return draw_scores(
        -parts.sum(axis=1),
        index=index,
        y_true=y,
        threshold=-123.4,
        sensors=sensors,
        ax=ax,
        **kwargs,
    )


def example_zoomed(ax=None):
    return example_scores(ax, start=180, stop=260)


def example_series(ax=None):
    parts, _, y = example()
    index = pd.MultiIndex.from_product([["valve 1"], range(3000)])
    return draw_scores(-parts.sum(axis=1), index=index, y_true=y, ax=ax)


def example_parts(ax=None):
    parts, index, y = example()
    names = [f"sensor_{channel:02d}" for channel in range(14)]
    return draw_parts(
        parts, index=index, y_true=y, threshold=-123.4, channel_names=names, ax=ax
    )


def example_signed(ax=None):
    parts, index, _ = example()
    parts[:, ::2] *= -0.5
    return draw_parts(parts, index=index, threshold=-200, stop=400, ax=ax)


def example_window(ax=None):
    return draw_parts(example()[0][None, 190:240, :5], threshold=-123.4, ax=ax)


def example_events(ax=None):
    parts, index, y = example()
    scores = -parts.sum(axis=1)
    names = [f"sensor_{channel:02d}" for channel in range(14)]
    events = events_of(scores, -90, parts, index, channel_names=names, merge_gap=5)
    return draw_scores(
        scores,
        index=index,
        y_true=y,
        threshold=-90,
        sensors=pd.DataFrame({"flow": parts[:, 0]}),
        events=events,
        ax=ax,
    )


def example_several(ax=None):
    parts, index, y = example()
    scores = {"PCA of windows": -parts.sum(axis=1), "forest": -parts[:, 3]}
    thresholds = {"PCA of windows": -123.4, "forest": -20.0}
    return draw_several(scores, index=index, y_true=y, thresholds=thresholds, ax=ax)


DRAWINGS = [
    example_scores,
    example_zoomed,
    example_series,
    example_events,
    example_several,
    example_parts,
    example_signed,
    example_window,
]


def text_boxes(figure):
    """Boxes of all text that is drawn."""
    figure.draw_without_rendering()
    texts = []
    inset = [child for ax in figure.axes for child in ax.child_axes]
    for ax in [*figure.axes, *inset]:
        if ax.axison:
            texts += [ax.title, ax.xaxis.label, ax.yaxis.label]
            offsets = [ax.xaxis.offsetText, ax.yaxis.offsetText]
            texts += [text for text in offsets if text.get_visible()]
            texts += [*tick_labels(Upright(ax)), *ax.texts]
        if ax.get_legend() is not None:
            texts += ax.get_legend().get_texts()
    renderer = figure.canvas.get_renderer()
    boxes = {t: t.get_window_extent(renderer) for t in texts if t.get_text()}
    return {t: box for t, box in boxes.items() if box.width > 0}


class Upright:
    """An axes whose limits go from low to high, as tick_labels has it."""

    def __init__(self, ax):
        self.xaxis, self.yaxis = ax.xaxis, self._right_hand(ax)
        self.get_xlim = lambda: sorted(ax.get_xlim())
        self.get_ylim = lambda: sorted(ax.get_ylim())

    @staticmethod
    def _right_hand(ax):
        # the labels of a colorbar are on its right
        for tick in ax.yaxis.get_major_ticks():
            if tick.label2.get_visible():
                tick.label1 = tick.label2
        return ax.yaxis


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize(
    ("size", "layout"),
    [
        *itertools.product(
            [(8, 5), (3.5, 3.2), (3.5, 2.5), (6.4, 4.8)], ["constrained", None]
        ),
        (None, None),  # the display's own
    ],
)
def test_no_text_lies_over_another_or_leaves_the_figure(draw, layout, size, plt):
    if size is None:
        figure = draw().figure_
    else:
        figure, ax = plt.subplots(figsize=size, layout=layout)
        draw(ax)
    boxes = text_boxes(figure)
    assert len(boxes) > 8
    for (one, a), (two, b) in itertools.combinations(boxes.items(), 2):
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        # boxes are taller than letters: 2.2 pixels of them overlap in matplotlib 3.9
        assert width < 1 or height < 3, (one.get_text(), two.get_text())
    if layout == "constrained" or size is None:
        for text, box in boxes.items():
            assert figure.bbox.x0 - 1 <= box.x0, text.get_text()
            assert box.x1 <= figure.bbox.x1 + 1, text.get_text()
            assert figure.bbox.y0 - 1 <= box.y0, text.get_text()
            assert box.y1 <= figure.bbox.y1 + 1, text.get_text()


@pytest.mark.parametrize("periods", [3, 50, 2000, 100_000])
@pytest.mark.parametrize("freq", ["10ms", "s", "7min", "h", "D"])
def test_dates_do_not_lie_over_each_other(freq, periods, plt):
    index = pd.date_range("2018-12-30 22:13", periods=periods, freq=freq, unit="us")
    for size in ((3.5, 2.5), (8, 3)):
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        draw_scores(np.zeros(periods), index=index, ax=ax)
        boxes = list(text_boxes(figure).values())
        assert len(boxes) > 4
        for a, b in itertools.combinations(boxes, 2):
            width = min(a.x1, b.x1) - max(a.x0, b.x0)
            assert width < 1 or min(a.y1, b.y1) - max(a.y0, b.y0) < 1
        plt.close(figure)


@pytest.mark.parametrize("draw", DRAWINGS)
def test_axes_given_are_used(draw, plt):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5))
    display = draw(right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    inside = right.get_position()
    for ax in display.axes_:
        box = ax.get_position()
        assert inside.x0 - 1e-9 <= box.x0
        assert box.x1 <= inside.x1 + 1e-9
    assert not left.has_data()


@pytest.mark.parametrize("draw", DRAWINGS)
def test_free_standing_axes_and_subfigures(draw, plt):
    figure = plt.figure()
    free = figure.add_axes([0.2, 0.3, 0.6, 0.5])
    assert draw(free).ax_ is free
    part = plt.figure().subfigures(1, 2)[1]
    assert draw(part.subplots()).figure_ is part


@pytest.mark.parametrize("draw", DRAWINGS)
def test_display_can_be_plotted_again(draw, plt):
    display = draw()
    first = display.ax_
    assert display.plot() is display
    assert display.ax_ is not first
    assert len(plt.get_fignums()) == 2


@pytest.mark.parametrize("draw", DRAWINGS)
def test_without_matplotlib(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "skad\[plot\]"'):
        draw()


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("name", ["default", "dark_background", "ggplot"])
def test_style_in_force_is_heard(draw, name, plt):
    with plt.style.context(name):
        display = draw()
        display.figure_.canvas.draw()
        if display.truth_ax_ is not None:
            colour = mpl.colors.to_rgba(mpl.rcParams["text.color"])
            assert display.true_bars_.get_facecolor()[0].tolist() == list(colour)


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_vector_graphics(draw, kind, tmp_path):
    path = tmp_path / f"display.{kind}"
    draw().figure_.savefig(path)
    assert path.stat().st_size < 2_000_000


# One series of many


class CountsRows(IsolationForest):
    """A detector that counts the rows that it has scored."""

    n_scored = 0

    def score_samples(self, X):
        self.n_scored += len(X)
        return super().score_samples(X)

    def explain(self, X):
        self.n_scored += len(X)
        return np.abs(np.asarray(X))


@pytest.mark.parametrize("display", [AnomalyScoreDisplay, ContributionDisplay])
def test_one_series_of_several__is_all_that_is_scored(display):
    index = pd.MultiIndex.from_product([["a", "b", "c"], range(30)])
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(90, 3)), index=index).add_prefix("s")
    y = np.arange(90) % 30 == 7
    detector = CountsRows(n_estimators=5, contamination=0.1, random_state=0).fit(X)
    detector.n_scored = 0
    drawn = display.from_estimator(detector, X, y, series="b")
    assert detector.n_scored <= 30 + (display is ContributionDisplay)
    assert drawn.name == "b"
    assert drawn.is_anomaly.tolist() == y[30:60].tolist()
    if display is AnomalyScoreDisplay:
        np.testing.assert_allclose(drawn.scores, detector.score_samples(X[30:60]))


def test_one_series_of_several__of_many_detectors_and_with_events():
    index = pd.MultiIndex.from_product([["a", "b", "c"], range(30)])
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 3)), index=index)
    X = X.add_prefix("s")
    detector = CountsRows(n_estimators=5, contamination=0.1, random_state=0).fit(X)
    events = find_events(detector.predict(X), index=index)
    detector.n_scored = 0
    DetectorComparisonDisplay.from_estimators({"a": detector}, X, series="c")
    assert detector.n_scored == 30
    display = AnomalyScoreDisplay.from_estimator(
        detector, X, series="c", events=events, columns="s1"
    )
    assert detector.n_scored == 60
    own = events[events["series"] == "c"]
    assert display.events["start_row"].tolist() == (own["start_row"] - 60).tolist()
    assert (display.sensors["s1"] == X["s1"][60:]).all()


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("display", [AnomalyScoreDisplay, ContributionDisplay])
def test_one_series_of_a_table_as_it_is__is_all_that_is_scored(
    display, interleaved, monkeypatch
):
    X, _ = make_sensors(900, n_faults=0, missing_fraction=0, dead_sensors=False)
    machines = np.resize(["b", "a", "c"], 900)
    raw = X.iloc[:, :3].reset_index(names="t").assign(machine=machines)
    if not interleaved:
        raw = raw.sort_values(["machine", "t"], kind="stable")
    pipeline = make_pipeline(
        TableReader("t", series="machine"),
        WindowedDetector(LinearAutoencoder(2), 10, contamination=0.05),
    ).fit(raw)
    n_scored = []
    method = "explain" if display is ContributionDisplay else "score_samples"
    plain = getattr(WindowedDetector, method)

    def counting(self, X, **kwargs):
        n_scored.append(len(X))
        return plain(self, X, **kwargs)

    monkeypatch.setattr(WindowedDetector, method, counting)
    shown = display.from_estimator(pipeline, raw, series="a")
    assert sum(n_scored) <= 300 + (display is ContributionDisplay)
    monkeypatch.undo()
    own = machines[raw.index] == "a"
    whole = pipeline.score_samples(raw)[own]
    np.testing.assert_allclose(shown.scores, whole)
    assert list(shown.index) == list(raw["t"][own])
