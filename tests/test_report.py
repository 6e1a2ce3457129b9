"""skad.report: what stands on the page, for every kind of detector."""

import base64
import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    DetectorUnion,
    FixedThresholdDetector,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    MLPAutoencoder,
    PerSeriesDetector,
    QuantileThreshold,
    SlidingWindow,
    TunedThresholdDetector,
    WindowedDetector,
    drift_report,
    expected_values,
    explain,
    find_events,
    make_heartbeats,
    make_sensors,
    report,
    sensor_pipeline,
)
from skad.reporting import _charts, _explained, _report
from skad.reporting._record import read_record, without_zone
from skad.reporting._tables import cell, percent

CLEAN = {"missing_fraction": 0, "dead_sensors": False, "random_state": 1}
X, Y = make_sensors(1500, n_faults=3, n_sensors=5, **CLEAN)
PLANT = pd.concat({"pump": X, "fan": 2 * X + 1}, names=["machine", "time"])
MIXED = PLANT.swaplevel().sort_index().swaplevel()
BEATS, KINDS = make_heartbeats(150, 40, random_state=0)
WINDOWED = WindowedDetector(LinearAutoencoder(3), 20)
FOREST = IsolationForest(n_estimators=10, random_state=0)
NET = MLPAutoencoder((8,), 2, max_epochs=3, random_state=0)


def raw(table):
    return table.reset_index(names=[*table.index.names[:-1], "time"])


CASES = {
    "table": (WINDOWED, X, Y),
    "array": (WINDOWED, X.to_numpy(), Y),
    "numbered": (WINDOWED, X.reset_index(drop=True), Y),
    "zone": (WINDOWED, X.tz_localize("Europe/Berlin"), None),
    "durations": (WINDOWED, X.set_axis(X.index - X.index[0]), -Y * 2 + 1),
    "pipeline": (sensor_pipeline(NET, time="time", window=20), raw(X), Y),
    "pipeline-of-series": (
        sensor_pipeline(LinearAutoencoder(2), time="time", series="machine", window=20),
        raw(PLANT),
        np.r_[Y, Y],
    ),
    "default": (sensor_pipeline(time="time", window=15), raw(X[:800]), Y[:800]),
    "series": (WINDOWED, PLANT, np.r_[Y, Y]),
    "interleaved": (WINDOWED, MIXED, None),
    "per-series": (PerSeriesDetector(WINDOWED), PLANT, np.r_[Y, Y]),
    "sliding": (make_pipeline(SlidingWindow(20), LinearAutoencoder(3)), X, Y),
    "forest": (WindowedDetector(FOREST, 20), X, Y),
    "local": (WindowedDetector(LocallyLinearAutoencoder(3), 20), X, None),
    "tuned": (TunedThresholdDetector(WINDOWED, QuantileThreshold(), cv=0.3), X, Y),
    "nothing-flagged": (FixedThresholdDetector(WINDOWED, -1e9), X, Y),
    "all-flagged": (FixedThresholdDetector(WINDOWED, 1e9), X, Y),
    "search": (
        GridSearchCV(
            WINDOWED,
            {"estimator__latent_dim": [2, 3]},
            scoring=lambda detector, X, y=None: 0.0,
            cv=2,
        ),
        X,
        None,
    ),
    "rows": (make_pipeline(StandardScaler(), LinearAutoencoder(3)), X, Y),
    "rows-of-forest": (FOREST, X.to_numpy(), Y),
    "beats": (LinearAutoencoder(8), BEATS, KINDS > 0),
    "beats-of-net": (NET, BEATS, KINDS > 0),
    "beats-3d": (LinearAutoencoder(8), np.stack([BEATS, BEATS[:, ::-1]], 2), None),
    "beats-of-union": (
        DetectorUnion([("a", LinearAutoencoder(3)), ("b", FOREST)]),
        BEATS,
        KINDS > 0,
    ),
}
ABSENT = {
    "Sensors": {"forest"},  # and where there are no events
    "Worst windows": CASES.keys() - {"rows", "beats", "beats-of-net", "beats-3d"},
    "Labels": {"zone", "interleaved", "local", "search", "beats-3d"},
    "Training": CASES.keys() - {"pipeline", "beats-of-net"},
    "References": CASES.keys(),
}
WITHOUT_TIME = {"rows-of-forest", "beats", "beats-of-net", "beats-3d", "beats-of-union"}


def make(estimator, X, y=None, *, path, **others):
    return report(estimator, X, y, path=path / "page.html", **others).read_text("utf-8")


class Tags(HTMLParser):
    """Names of the tags of a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)


def section(page, name):
    found = re.search(rf'<section id="{name}">(.*?)</section>', page, re.S)
    return None if found is None else found[1]


def text_of(part):
    return html.unescape(" ".join(re.sub("<[^>]+>", " ", part).split()))


def rows_of(part):
    body = re.search("<tbody>(.*?)</tbody>", part, re.S)[1]
    rows = re.findall("<tr>(.*?)</tr>", body, re.S)
    return [[*map(text_of, re.findall("<td[^>]*>(.*?)</td>", r, re.S))] for r in rows]


def refuse(constant):
    raise ValueError(f"{constant} is no JSON: a browser would read nothing")


def figures_of(page):
    pattern = r'<script type="application/json" id="figures">(.*?)</script>'
    return json.loads(re.search(pattern, page, re.S)[1], parse_constant=refuse)


def numbers(array):
    if isinstance(array, dict):
        return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])
    return np.array(array)


@pytest.mark.parametrize("name", CASES)
def test_page__is_there_for_every_detector(name, tmp_path):
    estimator, rows, y = CASES[name]
    page = make(estimator.fit(rows), rows, y, path=tmp_path)
    told = text_of(section(page, "absent"))
    scores = estimator.score_samples(rows)
    no_events = name in WITHOUT_TIME or (estimator.predict(rows) == 1).all()
    assert ("Events" in told) == no_events
    for part, without in ABSENT.items():
        is_absent = name in without or (part == "Sensors" and no_events)
        assert (part in told) == is_absent, (part, told)
    assert len(page.encode()) < 6e6
    assert f"{len(scores):,}" in page
    figures = figures_of(page)
    lowest = [max(numbers(one["data"][0]["y"])) for one in figures["scores"]]
    assert max(lowest) == pytest.approx(-scores.min(), rel=1e-6)


def test_events__are_those_of_find_events(tmp_path):
    detector = WINDOWED.fit(X[:700])
    contributions, deviations = explain(detector, X, return_deviations=True)
    scores = detector.score_samples(X)
    events = find_events(
        scores < detector.offset_,
        scores=scores,
        contributions=contributions,
        deviations=deviations,
        window_length=20,
    )
    expected = expected_values(detector, X)
    page = make(detector, X, Y, path=tmp_path)
    rows = rows_of(section(page, "events"))
    assert len(rows) == len(events) > 1
    for row, (_, event) in zip(rows, events.iterrows(), strict=True):
        sensor, rows_of_event = event["sensor_1"], slice(event["start"], event["end"])
        assert row[2] == event["start"].strftime("%Y-%m-%d %H:%M")
        assert row[3] == event["end"].strftime("%Y-%m-%d %H:%M")
        assert row[6].startswith(sensor)
        assert percent(event["share_1"]) in row[6]
        for cell_, table in ((row[7], X), (row[8], expected)):
            mean = table.loc[rows_of_event, sensor].mean()
            assert float(cell_.replace("\N{MINUS SIGN}", "-")) == pytest.approx(
                mean, rel=0.01
            )


def test_drift_and_calibration__are_those_of_the_library(tmp_path):
    detector = WINDOWED.fit(X[:700])
    page = make(detector, X, path=tmp_path)
    drift = drift_report(detector, X)
    assert drift.reason in text_of(section(page, "drift"))
    assert [row[0] for row in rows_of(section(page, "drift"))] == [*drift.sensors.index]
    for line in repr(detector.calibration_).splitlines():
        assert line in text_of(section(page, "calibration"))


def test_references__learn_from_the_rows_of_fit(tmp_path):
    detector = WINDOWED.fit(X[:700])
    page = make(detector, X[700:], Y[700:], path=tmp_path, X_fit=X[:700])
    names = [row[0] for row in rows_of(section(page, "references"))]
    assert names[:2] == ["This detector", "PCA"]
    assert names[-2:] == ["random", "flag all"]
    with pytest.raises(ValueError, match="700 of 1500 rows") as caught:
        make(detector, X, Y, path=tmp_path, X_fit=X[:700])
    assert "X_fit" in caught.value.__notes__[0]


def test_names__are_never_html(tmp_path):
    bad = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    names = [f"{bad}{n}" for n in range(X.shape[1])]
    table = X.set_axis(names, axis=1).rename_axis(f"{bad} time")
    plant = pd.concat({f"{bad} a": table, f"{bad} b": table}, names=[bad, None])
    detector = WindowedDetector(LinearAutoencoder(3), 20, contamination=0.1).fit(plant)
    page = make(detector, plant, np.r_[Y, Y], path=tmp_path)
    assert bad not in page
    assert bad in text_of(section(page, "events"))
    tags = Tags()
    tags.feed(page)
    assert tags.found.count("script") == 3
    assert "img" not in tags.found


def test_page__asks_for_nothing(tmp_path):
    page = make(WINDOWED.fit(X), X, path=tmp_path)
    own = page.split("<script>")[0] + page.rpartition("<script>")[2]
    assert not re.findall(r"(?:src|href)=|url\(|@import|https?://", own)
    assert "default-src 'none'" in own


def test_scores_of_many_rows__stay_small_and_keep_peaks():
    rng = np.random.default_rng(0)
    n = 1_000_000
    index = pd.date_range("2020-01-01", periods=n, freq="s")
    detector = FixedThresholdDetector(FOREST, -10.0).fit(X)
    record = read_record(detector, X, None)
    scores = -rng.exponential(size=n)
    scores[123_456] = -40.0
    one = record.series[0].__class__("", index, scores, scores < -10.0, scores < -9.0)
    timeline = _charts.PageTimeline(index, _charts.columns_of_each(1))
    figure = _charts.draw_scores(record, one, timeline)
    assert len(json.dumps(figure)) < 900_000
    assert numbers(figure["data"][0]["y"]).max() == 40.0


def test_many_rows__are_explained_around_the_worst_events(monkeypatch, tmp_path):
    detector = WINDOWED.fit(X[:700])
    whole = _explained.explain_record(read_record(detector, X, None))
    monkeypatch.setattr(_explained, "MOST_EXPLAINED", 5 * 700)
    part = _explained.explain_record(read_record(detector, X, None))
    assert len(part.rows) < len(whole.rows) == len(X)
    assert part.n_events == whole.n_events
    known = part.events.dropna(subset="sensor_1")
    same = whole.events.set_index("flagged_start_row").loc[known["flagged_start_row"]]
    assert len(known) > 0
    assert (known["sensor_1"].to_numpy() == same["sensor_1"].to_numpy()).all()
    assert known["share_1"].to_numpy() == pytest.approx(same["share_1"].to_numpy())
    assert make(detector, X, Y, path=tmp_path)


def test_labels__are_read_in_both_codings(tmp_path):
    detector = WINDOWED.fit(X)
    pages = [make(detector, X, y, path=tmp_path) for y in (Y, -2 * Y + 1, Y > 0)]
    found = [section(page, "labels") for page in pages]
    assert found[0] == found[1] == found[2]
    assert "Anomalies found" in found[0]


def test_dates_of_a_zone__stand_by_its_clock_or_in_utc():
    steady = pd.date_range("2024-01-01", periods=3, freq="h", tz="Europe/Berlin")
    index, zone = without_zone(steady)
    assert (index[0], zone) == (pd.Timestamp("2024-01-01"), "Europe/Berlin")
    moved = pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Berlin")
    index, zone = without_zone(moved)
    assert (index[0], zone) == (pd.Timestamp("2024-03-29 23:00"), "UTC")


@pytest.mark.parametrize("size", [1e30, 1e-30, 0.0])
def test_numbers_of_any_size__have_a_page(size, tmp_path):
    detector = WindowedDetector(LinearAutoencoder(3), 20).fit(X)
    page = make(detector, X * size, Y, path=tmp_path)
    lowest = max(numbers(figures_of(page)["scores"][0]["data"][0]["y"]))
    assert lowest == pytest.approx(-detector.score_samples(X * size).min(), rel=1e-6)


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("1500-01-01", periods=300, freq="D", unit="s"),
        pytest.param(
            pd.date_range("3000-01-01", periods=300, freq="D", unit="ms", tz="UTC"),
            marks=pytest.mark.skipif(
                pd.__version__ < "3", reason="pandas 2 knows no far dates with a zone"
            ),
        ),
        pd.TimedeltaIndex((np.arange(300) * 10**10).astype("m8[s]")),
        pd.date_range("2024-01-01", periods=300, freq="ns"),
    ],
    ids=["long-ago", "far-off", "aeons", "nanoseconds"],
)
def test_times_of_any_size__have_a_page(index, tmp_path):
    table = X[:300].set_axis(index)
    detector = FixedThresholdDetector(WINDOWED, 1e9).fit(table)  # flags all
    page = make(detector, table, path=tmp_path)
    (figure,) = figures_of(page)["scores"]
    x = numbers(figure["data"][0]["x"])
    assert len(rows_of(section(page, "events"))) == 1
    assert (np.diff(x) > 0).all()
    if isinstance(index, pd.DatetimeIndex) and index.unit != "ns":
        first = index[0].tz_localize(None).to_numpy().astype("M8[ms]").astype(float)
        assert x[0] == first


@pytest.mark.parametrize(
    ("first", "second"), [(1041, 1042), (1e6 + 1, 1e6 + 2), (("a", 2019), ("a", 2020))]
)
def test_series_named_by_numbers__keep_their_names(first, second, tmp_path):
    plant = pd.concat({first: X[:300], second: X[:300]})
    detector = FixedThresholdDetector(WINDOWED, 1e9).fit(plant)
    page = make(detector, plant, path=tmp_path)
    told = [
        ", ".join(map(str, one)) if isinstance(one, tuple) else str(one)
        for one in (first, second)
    ]
    assert [row[0] for row in rows_of(section(page, "scores"))] == told
    assert [row[2] for row in rows_of(section(page, "events"))] == told
    assert sorted(re.findall("<option .*?>(.*?)</option>", page)) == told


def test_times_that_are_numbers__tell_events_apart(tmp_path):
    seconds = 1_704_067_200.5 + np.arange(300)
    detector = FixedThresholdDetector(WINDOWED, 1e9).fit(X[:300].set_axis(seconds))
    page = make(detector, X[:300].set_axis(seconds), path=tmp_path)
    (row,) = rows_of(section(page, "events"))
    assert row[2:4] == ["1704067200.5", "1704067499.5"]


@pytest.mark.parametrize("threshold", [-np.inf, np.inf, -1e300, -0.5])
@pytest.mark.parametrize("size", [1.0, 1e300, 1e-300])
def test_what_fits_on_no_axis__leaves_the_rest_of_the_page(size, threshold, tmp_path):
    class Sized(IsolationForest):
        def score_samples(self, X):
            return super().score_samples(X) * size

    forest = Sized(n_estimators=3, random_state=0).fit(X.to_numpy())
    forest.offset_ = threshold
    page = make(forest, X.to_numpy(), Y, path=tmp_path)
    figures = figures_of(page)
    ends = figures["curves"]["layout"]["xaxis"]["range"]
    assert np.isfinite(ends).all()
    assert len(numbers(figures["scores"][0]["data"][0]["y"])) == (
        0 if size > 1 else len(X)
    )


def test_one_row__has_a_page(tmp_path):
    detector = WindowedDetector(LinearAutoencoder(3), 1).fit(X)
    assert make(detector, X[:1], Y[:1], path=tmp_path)


def test_what_cannot_be_reported__is_an_error(tmp_path):
    path = tmp_path / "page.html"
    detector = WINDOWED.fit(X)
    with pytest.raises(NotFittedError):
        report(WindowedDetector(LinearAutoencoder(3), 20), X, path=path)
    with pytest.raises(ValueError, match="no rows"):
        report(detector, X[:0], path=path)
    with pytest.raises(ValueError, match="y"):
        report(detector, X, np.arange(len(X)), path=path)
    with pytest.raises(ValueError, match="inconsistent"):
        report(detector, X, Y[:-1], path=path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        report(detector, X, path=tmp_path / "nowhere" / "page.html")
    with pytest.raises(IsADirectoryError):
        report(detector, X, path=tmp_path)
    assert not path.exists()


def test_scores_that_are_missing__are_an_error(tmp_path):
    class Broken(LinearAutoencoder):
        def score_samples(self, X):
            return np.full(len(X), np.nan)

    with pytest.raises(ValueError, match="NaN"):
        report(Broken(3).fit(X), X, path=tmp_path / "page.html")


@pytest.mark.parametrize("package", ["plotly", "jinja2"])
def test_without_a_package__the_error_names_the_extra(package, monkeypatch, tmp_path):
    found = {"plotly": True, "jinja2": True} | {package: None}
    monkeypatch.setattr(_report, "find_spec", found.get)
    with pytest.raises(ImportError, match=rf'{package}.*"skad\[report\]"'):
        report(WINDOWED.fit(X), X, path=tmp_path / "page.html")


def test_an_error__leaves_the_page_that_was_there(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(ValueError, match="y"):
        report(WINDOWED.fit(X), X, np.arange(len(X)), path=path)
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        (np.nan, "\N{EN DASH}", "text"),
        (None, "\N{EN DASH}", "text"),
        (1234, "1,234", "number"),
        (-0.5, "\N{MINUS SIGN}0.5", "number"),
        (pd.Timestamp("2024-01-02 03:04"), "2024-01-02 03:04", "time"),
        (pd.Timestamp("2024-01-02 03:04:05"), "2024-01-02 03:04:05", "time"),
        (pd.Timedelta("90s"), "00:01:30", "time"),
        (("a", 1), "a, 1", "text"),
    ],
)
def test_cells__are_written_for_readers(value, text, kind):
    assert (cell(value).text, cell(value).kind) == (text, kind)
