"""Texts of pictures can be read and told apart, whatever the names."""

import dataclasses
import functools
import io
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_plotting import plt  # noqa: F401, a fixture
from test_plotting_series import text_boxes

import skad
from skad.plotting import _event_labels, _texts
from skad.plotting._texts import fit_texts, points, shorten, text_width, wrap

mpl = pytest.importorskip("matplotlib")

LONG = [f"plant 4, unit 12, pump {i:02d}, flow in l/min" for i in range(52)]
VERY_LONG = [f"{'x' * 60}{i}{'y' * 60}" for i in range(52)]
KINDS = [
    LONG,
    VERY_LONG,
    [f"$a_{i}^{{$" for i in range(52)],  # no formula, nor one that can be read
    [("pump", i) for i in range(52)],
    list(range(52)),
    [pd.Timestamp("2018-04-01") + pd.Timedelta(i, "D") for i in range(52)],
    [i / 7 for i in range(52)],
    ["", "\N{GREEK SMALL LETTER ALPHA}", None, *range(49)],
]


@pytest.fixture(autouse=True)
def _clean(plt):  # noqa: F811
    """Figures are closed afterwards."""


def readings(n_rows, n_channels, names=LONG, zone=None):
    rng = np.random.default_rng(0)
    index = pd.date_range("2018-04-01 22:13", periods=n_rows, freq="min", tz=zone)
    X = pd.DataFrame(rng.exponential(size=(n_rows, n_channels)), index=index)
    X.iloc[n_rows // 2 :, 0] += 5.0
    X.columns = pd.Index(names[:n_channels], tupleize_cols=False)
    return X


def scores_of(X, ax=None):
    flags = np.where(X.iloc[:, 0] > 5, -1, 1)
    events = skad.find_events(flags, contributions=X)
    sensors, scores = X.iloc[:, :4], -X.sum(axis=1)
    return skad.AnomalyScoreDisplay.from_predictions(
        scores, threshold=-9.0, sensors=sensors, events=events, n_names=2, ax=ax
    )


def contributions_of(X, ax=None):
    return skad.ContributionDisplay.from_predictions(X, threshold=-9.0, ax=ax)


def detectors_of(X, ax=None):
    scores = {str(name): -X[name].to_numpy() for name in X.columns[:3]}
    return skad.DetectorComparisonDisplay.from_predictions(
        scores, index=X.index, thresholds={str(X.columns[0]): -3.0}, ax=ax
    )


def windows_of(X, ax=None):
    windows = X.to_numpy()[None]
    return skad.ReconstructionDisplay.from_predictions(
        windows, 0.5 * windows, channel_names=list(X), ax=ax
    )


def missing_of(X, ax=None):
    return skad.MissingValuesDisplay.from_table(X.mask(X > 2), ax=ax)


def drift_of(X, ax=None):
    report = drift_report_of(X.shape[1])
    sensors = report.sensors.set_axis(pd.Index(list(X), tupleize_cols=False))
    report = dataclasses.replace(report, sensors=sensors)
    return skad.DriftDisplay.from_report(report, ax=ax)


@functools.cache
def drift_report_of(n_channels):
    t = np.arange(400)
    rng = np.random.default_rng(0)
    X = np.sin(t[:, None] / 5 + np.arange(n_channels)) + rng.normal(
        0, 0.1, (400, n_channels)
    )
    detector = skad.WindowedDetector(skad.LinearAutoencoder(1), 4).fit(X)
    return skad.drift_report(detector, X + 0.5)


ALL = [scores_of, contributions_of, detectors_of, windows_of, missing_of, drift_of]


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize(
    ("names", "n_channels"), [(LONG, 52), *((names, 5) for names in KINDS)]
)
def test_texts__can_be_read_and_told_apart(draw, names, n_channels):
    display = draw(readings(300, n_channels, names))
    boxes = text_boxes(display.figure_)
    for text in boxes:
        assert text.get_fontsize() >= 7, text.get_text()
    ticks = [t.get_text() for t in display.axes_.flat[-1].get_yticklabels()]
    if draw in (contributions_of, missing_of, drift_of):
        ticks = [
            t.get_text() for ax in display.axes_.flat for t in ax.get_yticklabels()
        ]
        named = [tick for tick in ticks if tick and "\N{MINUS SIGN}" not in tick]
        assert len(named) > 3
    overlaps = [
        (one.get_text(), two.get_text())
        for (one, a), (two, b) in itertools.combinations(boxes.items(), 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) >= 1
        and min(a.y1, b.y1) - max(a.y0, b.y0) >= 3
    ]
    assert not overlaps
    assert all(display.figure_.bbox.x0 - 1 <= box.x0 for box in boxes.values())


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("size", [(3.0, 2.5), (2.5, 2.5)])
def test_texts__can_be_read_in_a_small_picture(draw, size, plt):  # noqa: F811
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    draw(readings(300, 12), ax)
    assert all(text.get_fontsize() >= 7 for text in text_boxes(figure))


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("shape", [(2, 1), (2, 52), (300, 1)])
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_few_rows_and_one_channel__are_drawn(draw, shape, style, plt):  # noqa: F811
    with plt.style.context(style):
        display = draw(readings(*shape, zone="Europe/Paris"))
        display.figure_.savefig(io.BytesIO())


def test_style_of_small_letters__is_heard(plt):  # noqa: F811
    with plt.style.context({"font.size": 5.0}):
        texts = text_boxes(contributions_of(readings(300, 5)).figure_)
        assert {text.get_fontsize() for text in texts} == {5.0}


# The functions behind -----------------------------------------------------------------


def test_width__is_that_of_what_is_drawn(plt):  # noqa: F811
    figure = plt.figure(dpi=72)
    for text in [*LONG[:2], "iiii", "WAVE", "5.2 %\nof all rows", "\N{BULLET}"]:
        for size in (7.0, 8.33, 20.0):
            drawn = figure.text(0, 0, text, fontsize=size).get_window_extent().width
            assert 0.9 * drawn - 2 < text_width(text, size) < 1.15 * drawn + 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=8),
    st.floats(0.0, 300.0),
)
def test_shortened_texts__fit_and_stay_apart(texts, width):
    short = shorten(texts, width, 7.0)
    assert len(short) == len(texts)
    assert len(set(short)) == len(set(texts))
    for text, cut in zip(texts, short, strict=True):
        if text_width(text, 7.0) <= width:
            assert cut == text or "\N{HORIZONTAL ELLIPSIS}" in cut
        else:
            assert "\N{HORIZONTAL ELLIPSIS}" in cut
            if width > 60:
                assert text_width(cut, 7.0) <= width + 10


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        ([f"pump {'x' * 40} {i}" for i in range(12)], "pump x"),
        ([f"{i} {'x' * 40} pump" for i in range(12)], "0 xxx"),
        ([f"{'x' * 20}{i:02d}{'y' * 20}" for i in range(12)], "xx"),
        (["short", "a" * 60, "b" * 60], "short"),
    ],
)
def test_names__lose_their_middles(texts, first):
    short = shorten(texts, 60.0, 7.0)
    assert short[0].startswith(first)
    assert len(set(short)) == len(texts)
    assert all(text_width(text, 7.0) < 66 for text in short)


def test_size__shrinks_before_texts_are_cut():
    text = LONG[0]
    wide = text_width(text, points("small")) / 72
    assert fit_texts([text], wide) == ([text], points("small"))
    texts, size = fit_texts([text], 0.9 * wide)
    assert texts == [text]
    assert 7 < size < points("small")
    texts, size = fit_texts([text], 0.5 * wide)
    assert size == 7
    assert len(texts[0]) < len(text)
    assert fit_texts([], 1.0) == ([], points("small"))


def test_sentences__get_more_lines():
    text = "90 % of rows flagged (80 % to 95 %), 1 % promised: labels can be trusted"
    assert wrap(text, 10.0) == (text, points("small"))
    lines, size = wrap(text, 2.0)
    assert lines.split() == text.split()
    assert 1 < lines.count("\n") < 4
    assert size >= 7


def test_many_events__measure_few_texts(monkeypatch):
    n_measured = []
    for module in (_texts, _event_labels):
        monkeypatch.setattr(
            module, "text_width", lambda *args: n_measured.append(args) or 20.0
        )
    X = readings(20_000, 5)
    flags = np.where(np.arange(20_000) % 10 == 5, -1, 1)
    events = skad.find_events(flags, contributions=X)
    assert len(events) == 2000
    skad.AnomalyScoreDisplay.from_predictions(-X.sum(axis=1), events=events)
    assert 0 < len(n_measured) < 250
