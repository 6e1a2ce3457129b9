"""DriftDisplay: sensors and how far they moved."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_calibration import noise
from test_plotting_series import plt  # noqa: F401, a fixture

from skad import DriftDisplay, LinearAutoencoder, WindowedDetector, drift_report

pytestmark = [
    pytest.mark.usefixtures("plt"),
    pytest.mark.filterwarnings("ignore::skad.CalibrationWarning"),
]

NAMES = [*"abcde", 7]


@pytest.fixture(scope="module")
def table():
    return pd.DataFrame(noise(1600, 6), columns=list(map(str, NAMES)))


@pytest.fixture(scope="module")
def pipeline(table):
    detector = WindowedDetector(LinearAutoencoder(), 10)
    return make_pipeline(StandardScaler(), detector).fit(table[:800])


@pytest.fixture(scope="module")
def report(table, pipeline):
    return drift_report(pipeline, table[800:].assign(c=table["c"] + 9))


def colours(ax):
    return {
        tuple(np.round(line.get_color()[0], 3))
        for line in ax.collections
        if len(line.get_segments())
    }


def test_display__draws_all_sensors_those_that_moved_first(table, pipeline, report):
    later = table[800:].assign(c=table["c"] + 9)
    display = DriftDisplay.from_estimator(pipeline, later)
    assert display.channels_ == list(report.sensors.index)
    assert display.channels_[0] == "c"
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert labels == display.channels_
    assert [ax.get_xlabel() for ax in display.axes_] == [
        "level (sd of fit)",
        "spread (ratio)",
        "error (ratio)",
    ]
    np.testing.assert_allclose(
        display.point_lines_[0].get_xdata(), report.sensors["level"]
    )
    assert display.axes_[0].get_ylim()[0] > display.axes_[0].get_ylim()[1]
    assert len(colours(display.axes_[0])) == 2
    title = display.legend_.get_title().get_text()
    assert "promised: labels can" in title
    display.figure_.canvas.draw()


def test_sensors__are_chosen(report):
    display = DriftDisplay.from_report(report, max_channels=2)
    assert display.channels_ == list(report.sensors.index[:2])
    assert display.plot(channels=["e", "a"]).channels_ == ["e", "a"]
    assert display.plot(channels=0).channels_ == ["c"]
    for channels, message in ((["x"], "x"), ([], "empty"), ([99], "99")):
        with pytest.raises(ValueError, match=message):
            display.plot(channels=channels)
    for max_channels in (0, 1.5, None):
        with pytest.raises(ValueError, match="max_channels"):
            display.plot(max_channels=max_channels)


def test_axes_that_are_given__are_replaced(plt, report):  # noqa: F811
    figure, axes = plt.subplots(1, 2)
    display = DriftDisplay.from_report(report, ax=axes[1])
    assert display.figure_ is figure
    assert display.ax_ is axes[1]
    figure.canvas.draw()


def test_without_errors__there_are_two_panels(table):
    forest = IsolationForest(n_estimators=10, random_state=0)
    detector = WindowedDetector(forest, 10).fit(table[:800])
    assert len(DriftDisplay.from_estimator(detector, table[800:]).axes_) == 2


@pytest.mark.parametrize("by", [30, 1e9, -1e9])
def test_far_moves__are_drawn(by, table, pipeline):
    display = DriftDisplay.from_estimator(pipeline, table[800:].assign(a=by, b=by))
    low, high = display.axes_[0].get_xlim()
    assert low < display.report.sensors["level"].min()
    assert high > display.report.sensors["level"].max()
    display.figure_.canvas.draw()


def test_anything_else__is_refused(table):
    with pytest.raises(TypeError, match="drift_report returns"):
        DriftDisplay.from_report(table)
