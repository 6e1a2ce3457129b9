"""Displays: what sensors should have read, and who reads too high or too low."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_plotting_series import plt  # noqa: F401, a fixture
from test_reference import machine

from skad import (
    AnomalyScoreDisplay,
    ContributionDisplay,
    FixedThresholdDetector,
    LinearAutoencoder,
    ReconstructionDisplay,
    WindowedDetector,
    expected_values,
    explain,
    find_events,
)

pytestmark = pytest.mark.usefixtures("plt")

HIGH, LOW = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"


@pytest.fixture(scope="module")
def table():
    """Eight sensors by minutes; "b" reads too high for a while, "e" too low."""
    X = machine(0, 1000)
    X[700:780, 1] += 4
    X[850:930, 4] -= 4
    index = pd.date_range("2018-04-01", periods=1000, freq="min")
    return pd.DataFrame(50 * X + 300, index=index, columns=list("abcdefgh"))


@pytest.fixture(scope="module")
def pipeline(table):
    detector = WindowedDetector(LinearAutoencoder(), 20)
    return make_pipeline(StandardScaler(), detector).fit(table[:600])


def test_readings_and_expected_values__are_drawn_together(table, pipeline):
    display = AnomalyScoreDisplay.from_estimator(
        pipeline, table, columns=["e", "b"], expected=True
    )
    expected = expected_values(pipeline, table)[["e", "b"]]
    assert len(display.expected_lines_) == len(display.sensor_lines_) == 2
    pd.testing.assert_frame_equal(display.expected, expected)
    drawn = display.expected_lines_[0].get_ydata()
    assert np.nanmax(drawn) == pytest.approx(expected["e"].max())
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert "expected" in labels
    again = display.plot(start=700)
    assert len(again.expected_lines_) == 2
    without = AnomalyScoreDisplay.from_estimator(pipeline, table, columns=["e"])
    assert without.expected is None
    assert without.expected_lines_ == []


def test_expected_values__of_one_series(table, pipeline):
    X = table.set_axis(pd.MultiIndex.from_product([["x"], table.index]))
    X = pd.concat([X, X.rename(index={"x": "y"})])
    told = 1.0 * X[["a"]]
    display = AnomalyScoreDisplay.from_predictions(
        pd.Series(np.zeros(len(X)), X.index),
        sensors=X[["a"]],
        expected=told,
        series="y",
    )
    assert display.expected.equals(told.loc[["y"]])


def test_expected_values_that_do_not_fit__are_refused(table, pipeline):
    scores = pipeline.score_samples(table)
    draw = AnomalyScoreDisplay.from_predictions
    with pytest.raises(ValueError, match="expected has 2 columns; it needs 1"):
        draw(scores, sensors=table[["a"]], expected=table[["a", "b"]])
    with pytest.raises(ValueError, match="expected has 1 columns; it needs 0"):
        draw(scores, expected=table[["a"]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(scores, sensors=table[["a"]], expected=table[["a"]][1:])
    forest = IsolationForest(n_estimators=2, random_state=0)
    forest.fit(table.to_numpy())
    with pytest.raises(TypeError, match="knows no expected values"):
        AnomalyScoreDisplay.from_estimator(
            forest, table.to_numpy(), columns=[0], expected=True
        )


def test_events__say_whether_their_sensors_read_too_high(table, pipeline):
    parts, deviations = explain(pipeline, table, return_deviations=True)
    labels = np.isin(np.arange(1000), [*range(700, 780), *range(850, 930)])
    events = find_events(labels, contributions=parts, deviations=deviations)
    display = AnomalyScoreDisplay.from_estimator(pipeline, table, events=events)
    texts = [label.get_text() for label in display.event_labels_]
    assert sorted(text[:3] for text in texts) == [f"b {HIGH}", f"e {LOW}"]
    plain = find_events(labels, contributions=parts)
    display = AnomalyScoreDisplay.from_estimator(pipeline, table, events=plain)
    assert not any(HIGH in label.get_text() for label in display.event_labels_)


def row_names(display):
    return [text.get_text() for text in display.axes_[1].get_yticklabels()]


def test_rows_of_the_map__say_it_too(table, pipeline):
    display = ContributionDisplay.from_estimator(pipeline, table, max_channels=2)
    assert sorted(row_names(display)) == ["6 others", f"b {HIGH}", f"e {LOW}"]
    later = display.plot(start=840, channels=["e"])
    assert row_names(later) == [f"e {LOW}"]
    parts, deviations = explain(pipeline, table, return_deviations=True)
    np.testing.assert_array_equal(display.deviations, deviations)
    again = ContributionDisplay.from_predictions(
        parts, deviations=deviations, max_channels=2
    )
    assert row_names(again) == row_names(
        ContributionDisplay.from_estimator(pipeline, table, max_channels=2)
    )
    plain = ContributionDisplay.from_predictions(parts, max_channels=2)
    assert sorted(row_names(plain)) == ["6 others", "b", "e"]
    with pytest.raises(ValueError, match=r"deviations have the shape \(999, 8\)"):
        ContributionDisplay.from_predictions(parts, deviations=deviations[1:])
    display.deviations = display.deviations[:, 1:]
    with pytest.raises(ValueError, match=r"deviations have the shape \(1000, 7\)"):
        display.plot()


def windows_of(table):
    X = np.lib.stride_tricks.sliding_window_view(table.to_numpy(), 20, axis=0)
    return X.transpose(0, 2, 1)


def test_map_of_a_window__says_it_too(table):
    X = windows_of(table)
    detector = LinearAutoencoder().fit(X[:580])
    display = ContributionDisplay.from_estimator(
        detector, X, window=720, channel_names=list(table), max_channels=1
    )
    assert row_names(display) == [f"b {HIGH}", "7 others"]
    _, deviations = explain(detector, X, timesteps=True, return_deviations=True)
    parts = detector.explain(X)
    again = ContributionDisplay.from_predictions(
        parts, deviations=deviations.to_numpy().reshape(parts.shape), window=720
    )
    np.testing.assert_allclose(again.deviations, display.deviations, atol=1e-9)


def test_detector_without_a_reference__is_drawn_as_before(table):
    detector = WindowedDetector(LinearAutoencoder(), 20).fit(table[:600])
    del detector.estimator_.reference_
    display = ContributionDisplay.from_estimator(detector, table, max_channels=2)
    assert display.deviations is None
    assert all(name[-1] not in (HIGH, LOW) for name in row_names(display))
    X = windows_of(table)
    detector = LinearAutoencoder().fit(X[:580])
    del detector.reference_
    shown = ReconstructionDisplay.from_estimator(detector, X, windows=[0])
    assert shown.expected is None


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: FixedThresholdDetector(p, -1)])
def test_table__is_drawn_beside_what_it_should_have_read(table, pipeline, wrap):
    estimator = wrap(pipeline).fit(table[:600])
    shown = table[690:790].copy()
    shown.iloc[3, 2] = 300.0
    display = ReconstructionDisplay.from_estimator(estimator, shown, channels=[1, 2])
    assert display.signal.shape == (1, 100, 8)
    np.testing.assert_array_equal(display.signal[0], shown)
    expected = expected_values(estimator, shown)
    np.testing.assert_array_equal(display.reconstruction[0], expected)
    np.testing.assert_array_equal(
        display.error, np.abs(shown - expected).to_numpy()[None]
    )
    assert list(display.channel_names) == list(table)
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert labels == ["signal", "expected", "absolute error"]
    with pytest.raises(ValueError, match=r"windows=\[0\], but X is a table"):
        ReconstructionDisplay.from_estimator(estimator, shown, windows=[0])


def test_windows__are_drawn_with_both(table):
    X = windows_of(table)
    detector = LinearAutoencoder().fit(X[:580])
    display = ReconstructionDisplay.from_estimator(detector, X, windows=[3, 710])
    expected = expected_values(detector, X[[3, 710]])
    np.testing.assert_array_equal(display.expected, expected)
    assert display.expected_lines_.shape == display.signal_lines_.shape
    line = display.expected_lines_[0, 1].get_ydata()
    np.testing.assert_array_equal(line, display.expected[1, :, display.channels_[0]])
    one = LinearAutoencoder(2).fit(X[:580, :, 0])
    alone = ReconstructionDisplay.from_estimator(one, X[:, :, 0], windows=[3])
    assert alone.expected is None
    assert alone.expected_lines_ is None
