"""PerSeriesDetector: one detector for each series."""

import pickle
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from instances import FAST
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skad import (
    AnomalyScoreDisplay,
    CalibrationWarning,
    ContributionDisplay,
    DriftDisplay,
    DriftWarning,
    FBetaThreshold,
    FixedThresholdDetector,
    LinearAutoencoder,
    MLPAutoencoder,
    PerSeriesDetector,
    TableReader,
    TimeSeriesImputer,
    TrainingHistoryDisplay,
    TunedThresholdDetector,
    WindowedDetector,
    drift_report,
    evaluate,
    expected_values,
    explain,
    find_events,
    load,
    make_outlier_scorer,
    recalibrate,
    save,
)
from skad.series._of_series import warn_together

NAMES = ["pump", "fan", "mill"]
LENGTHS = [150, 130, 170]


def make_panel(names=NAMES, lengths=LENGTHS, seed=0):
    """Machines with levels and spreads of their own, rows sorted by time."""
    rng = np.random.default_rng(seed)
    tables = []
    for place, (name, length) in enumerate(zip(names, lengths, strict=True)):
        t = np.arange(length)[:, None] + [0, 3, 7]
        values = np.sin(t / 5) + 0.1 * rng.normal(size=t.shape)
        time = pd.date_range("2024-01-01", periods=length, freq="min")
        levels = name if isinstance(name, tuple) else (name,)
        index = pd.MultiIndex.from_arrays([*([one] * length for one in levels), time])
        values = 10.0**place * (values + 5 * place)
        tables.append(pd.DataFrame(values, index, columns=list("xyz")))
    table = pd.concat(tables)
    return table.iloc[np.argsort(table.index.get_level_values(-1), kind="stable")]


X = make_panel()
SERIES = X.index.get_level_values(0).to_numpy()
WINDOWED = WindowedDetector(LinearAutoencoder(2), 5)
PIPELINE = make_pipeline(TimeSeriesImputer(), StandardScaler(), WINDOWED).set_output(
    transform="pandas"
)
DETECTORS = {
    "windowed": WINDOWED,
    "pipeline": PIPELINE,
    "net": WindowedDetector(MLPAutoencoder((4,), 2, **FAST), 5),
    "rows": LinearAutoencoder(2, n_channels=3),
    "forest": IsolationForest(n_estimators=5, random_state=0),
    "neighbours": make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)),
}


class Density(OutlierMixin, BaseEstimator):
    """Scores above zero, and so a threshold above zero."""

    def fit(self, X, y=None):
        self.center_ = np.mean(X, axis=0)
        self.offset_ = np.quantile(self.score_samples(X), 0.1)
        return self

    def score_samples(self, X):
        return np.exp(-np.linalg.norm(np.asarray(X) - np.asarray(self.center_), axis=1))


def own_rows(name):
    return np.equal(SERIES, name)


# Each series by its own ---------------------------------------------------------------


@pytest.mark.parametrize("name", DETECTORS)
def test_each_series__by_a_detector_of_its_own(name):
    inner = DETECTORS[name]
    detector = PerSeriesDetector(inner).fit(X)
    assert list(detector.estimators_) == NAMES
    assert detector.pooled_ is None
    scores, labels = detector.score_samples(X), detector.predict(X)
    for series in NAMES:
        own = own_rows(series)
        alone = clone(inner).fit(X[own])
        of_alone = alone.score_samples(X[own])
        offset = getattr(alone, "steps", [("", alone)])[-1][1].offset_
        np.testing.assert_array_equal(
            detector.estimators_[series].score_samples(X[own]), of_alone
        )
        np.testing.assert_array_equal(scores[own], of_alone / -offset)
        np.testing.assert_array_equal(labels[own], alone.predict(X[own]))
    assert detector.offset_ == -1.0
    np.testing.assert_array_equal(detector.decision_function(X), scores + 1.0)
    np.testing.assert_array_equal(labels == -1, scores < -1.0)


def test_machines_of_other_scales__have_comparable_scores():
    detector = PerSeriesDetector(WINDOWED).fit(X)
    raw = [detector.estimators_[n].score_samples(X[own_rows(n)]).mean() for n in NAMES]
    scores = detector.score_samples(X)
    means = [scores[own_rows(name)].mean() for name in NAMES]
    assert max(raw) / min(raw) < 1e-2
    assert max(means) / min(means) > 0.3


def test_threshold_above_zero__the_median_row_is_the_unit():
    inner = make_pipeline(StandardScaler(), Density())
    detector = PerSeriesDetector(inner).fit(X)
    scores, labels = detector.score_samples(X), detector.predict(X)
    for name in NAMES:
        own = own_rows(name)
        alone = clone(inner).fit(X[own])
        assert alone[-1].offset_ > 0
        decision = alone.score_samples(X[own]) - alone[-1].offset_
        np.testing.assert_array_equal(labels[own], np.where(decision < 0, -1, 1))
        np.testing.assert_allclose(
            scores[own], decision / np.median(np.abs(decision)) - 1
        )


@pytest.mark.parametrize("name", ["windowed", "pipeline", "net", "rows", "forest"])
def test_order_of_rows_and_array_of_series__do_not_matter(name):
    if name in ("windowed", "pipeline", "net"):
        shuffled = X.sort_index()
    else:
        shuffled = X.sample(frac=1.0, random_state=0).sort_index(level=0)
    detector = PerSeriesDetector(DETECTORS[name]).fit(X)
    place = X.index.get_indexer(shuffled.index)
    np.testing.assert_array_equal(
        detector.score_samples(shuffled), detector.score_samples(X)[place]
    )
    values = X.to_numpy()
    by_array = PerSeriesDetector(DETECTORS[name]).fit(values, series=SERIES)
    np.testing.assert_array_equal(
        by_array.score_samples(values, series=SERIES), detector.score_samples(X)
    )
    labels = by_array.fit_predict(values, series=SERIES)
    np.testing.assert_array_equal(labels, detector.predict(X))


@pytest.mark.parametrize("n_jobs", [2, -1])
@pytest.mark.parametrize("name", ["net", "pipeline", "forest"])
def test_jobs__change_no_bit(name, n_jobs):
    one = PerSeriesDetector(DETECTORS[name], new_series="pool").fit(X)
    many = PerSeriesDetector(DETECTORS[name], new_series="pool", n_jobs=n_jobs).fit(X)
    new = X.rename({"fan": "other"}, level=0)
    for table in (X, new):
        np.testing.assert_array_equal(
            one.score_samples(table), many.score_samples(table)
        )


def test_table_without_series__is_one():
    table = X[own_rows("pump")].droplevel(0)
    detector = PerSeriesDetector(WINDOWED).fit(table)
    assert list(detector.estimators_) == [None]
    alone = clone(WINDOWED).fit(table)
    np.testing.assert_array_equal(detector.predict(table), alone.predict(table))


def test_levels_and_array__name_together():
    names = [("a", 1), ("a", 2), ("b", 1)]
    table = make_panel(names)
    detector = PerSeriesDetector(WINDOWED).fit(table)
    assert sorted(detector.estimators_) == names
    plant = table.droplevel(1)
    part = table.index.get_level_values(1).to_numpy()
    both = PerSeriesDetector(WINDOWED).fit(plant.iloc[:, :], series=part)
    assert sorted(both.estimators_) == names
    np.testing.assert_array_equal(
        both.score_samples(plant, series=part), detector.score_samples(table)
    )


def test_labels__go_with_their_rows():
    y = np.where(np.arange(len(X)) % 40 == 7, "bad", "good")
    inner = WindowedDetector(LinearAutoencoder(2), 5, normal_label="good")
    detector = PerSeriesDetector(inner).fit(X, y)
    own = own_rows("fan")
    alone = clone(inner).fit(X[own], y[own])
    np.testing.assert_array_equal(
        detector.estimators_["fan"].score_samples(X[own]), alone.score_samples(X[own])
    )


# New series ---------------------------------------------------------------------------


def test_new_series__is_named():
    detector = PerSeriesDetector(WINDOWED).fit(X)
    new = X.rename({"fan": "drum"}, level=0)
    with pytest.raises(
        ValueError, match=r"1 series .*: 'drum'; known are 'pump', 'fan'"
    ):
        detector.predict(new)


@pytest.mark.parametrize("later", [X.loc["pump"], X.to_numpy()], ids=["time", "array"])
@pytest.mark.parametrize("new_series", ["raise", "pool"])
def test_rows_that_name_no_series__are_for_no_detector(later, new_series):
    detector = PerSeriesDetector(WINDOWED, new_series=new_series).fit(X)
    with pytest.raises(ValueError, match="nothing tells which detector they are for"):
        detector.score_samples(later)


def test_series_after_a_fit_without_any__are_new():
    detector = PerSeriesDetector(LinearAutoencoder(2)).fit(X.to_numpy())
    with pytest.raises(ValueError, match=r"X names series, 'pump', .* named none"):
        detector.score_samples(X.to_numpy(), series=SERIES)


@pytest.mark.parametrize("name", ["windowed", "pipeline", "rows"])
def test_new_series__go_to_a_pooled_detector_if_asked_for(name):
    inner = DETECTORS[name]
    detector = PerSeriesDetector(inner, new_series="pool").fit(X)
    new = X.rename({"fan": "drum", "mill": "saw"}, level=0)
    known = own_rows("pump")
    pooled = clone(inner).fit(X)
    offset = getattr(pooled, "steps", [("", pooled)])[-1][1].offset_
    scores = detector.score_samples(new)
    np.testing.assert_array_equal(scores[known], detector.score_samples(X)[known])
    np.testing.assert_array_equal(
        scores[~known], pooled.score_samples(new[~known]) / -offset
    )


def test_pool__is_told_the_array_of_series():
    values = X.to_numpy()
    detector = PerSeriesDetector(WINDOWED, new_series="pool")
    detector.fit(values, series=SERIES)
    by_index = PerSeriesDetector(WINDOWED, new_series="pool").fit(X)
    new = np.where(SERIES == "fan", "drum", SERIES)
    np.testing.assert_array_equal(
        detector.score_samples(values, series=new),
        by_index.score_samples(X.rename({"fan": "drum"}, level=0)),
    )
    piped = PerSeriesDetector(PIPELINE, new_series="pool")
    with pytest.raises(TypeError, match=r"Pipeline.fit cannot be told of `series`"):
        piped.fit(values, series=SERIES)


# Errors and warnings ------------------------------------------------------------------


def test_series_too_short__is_named_and_nothing_is_kept():
    table = make_panel(lengths=[150, 3, 170])
    detector = PerSeriesDetector(WINDOWED)
    with pytest.raises(ValueError, match=r"Series 'fan': window_length=5 is longer"):
        detector.fit(table)
    assert vars(detector) == vars(PerSeriesDetector(WINDOWED))


def test_missing_name__is_refused():
    index = pd.MultiIndex.from_arrays(
        [np.where(np.arange(len(X)) == 7, None, SERIES), X.index.get_level_values(1)]
    )
    with pytest.raises(ValueError, match="name of the series is missing in row 7"):
        PerSeriesDetector(WINDOWED).fit(X.set_index(index))
    names = SERIES.astype(object)
    names[3] = None
    with pytest.raises(ValueError, match="missing in row 3, and in 1 rows"):
        PerSeriesDetector(WINDOWED).fit(X.to_numpy(), series=names)


def test_warnings__of_other_kinds_or_names_are_all_given():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_together(
            ["pump", "fan", "mill"],
            [
                [("3 of 9 rows", DriftWarning), ("no sensor 's1'", UserWarning)],
                [("4 of 9 rows", DriftWarning), ("no sensor 's2'", UserWarning)],
                [("short", UserWarning)],
            ],
        )
    assert [str(one.message) for one in caught] == [
        "Series 'pump': 3 of 9 rows (Likewise: 'fan'.)",
        "Series 'pump': no sensor 's1'",
        "Series 'fan': no sensor 's2'",
        "Series 'mill': short",
    ]


def test_pool_of_series_told_by_an_array__explains():
    detector = PerSeriesDetector(WINDOWED, new_series="pool")
    values, series = X.to_numpy(), np.asarray(SERIES)
    detector.fit(values, series=series)
    new = np.array([f"new {name}" for name in series])
    np.testing.assert_allclose(
        detector.explain(values, series=new).sum(axis=1),
        -detector.score_samples(values, series=new),
    )


def test_what_has_no_result_for_each_row__is_refused():
    with pytest.raises(ValueError, match="X holds no rows"):
        PerSeriesDetector(WINDOWED).fit(X).score_samples(X[:0])
    infinite = FixedThresholdDetector(WINDOWED, np.inf)
    with pytest.raises(ValueError, match="threshold offset_=inf"):
        PerSeriesDetector(infinite).fit(X)
    unnamed = PerSeriesDetector(LinearAutoencoder(1)).fit(X.to_numpy())
    with pytest.raises(ValueError, match="rows given to fit named none"):
        unnamed.score_samples(X)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_warnings__once_a_kind_with_the_series(n_jobs):
    detector = PerSeriesDetector(WINDOWED, n_jobs=n_jobs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        detector.fit(X)
        detector.predict(X + 1e6)
    told = {one.category: str(one.message) for one in caught}
    assert len(caught) == 2
    assert told[CalibrationWarning].startswith("Series 'pump': The threshold rests on")
    assert told[CalibrationWarning].endswith("(Likewise: 'fan', 'mill'.)")
    assert told[DriftWarning].startswith("Series 'pump': 150 of 150 rows")
    assert all(one.filename == __file__ for one in caught)


@pytest.mark.parametrize("params", [{"new_series": "drop"}, {"n_jobs": 1.5}])
def test_bad_parameters__are_named(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"The {name!r} parameter of"):
        PerSeriesDetector(WINDOWED, **params).fit(X)


# What is asked of it ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["windowed", "pipeline", "rows"])
def test_explanations_and_expected_values__of_each_series(name):
    detector = PerSeriesDetector(DETECTORS[name]).fit(X)
    contributions, deviations = explain(detector, X, return_deviations=True)
    assert contributions.index.equals(X.index)
    assert list(contributions.columns) == list("xyz")
    np.testing.assert_allclose(
        contributions.sum(axis=1), -detector.score_samples(X), rtol=1e-9
    )
    expected = expected_values(detector, X)
    np.testing.assert_allclose(deviations, X - expected, atol=1e-9)
    for series in NAMES:
        own = own_rows(series)
        alone = detector.estimators_[series]
        pd.testing.assert_frame_equal(expected[own], expected_values(alone, X[own]))


def test_columns_that_one_series_lacks__have_no_share_there():
    table = X.copy()
    table.loc[own_rows("fan"), "y"] = np.nan
    table.loc[own_rows("pump") & (np.arange(len(X)) % 9 == 0), "x"] = np.nan
    inner = make_pipeline(
        TimeSeriesImputer(max_missing=0.9, add_indicator=True),
        StandardScaler(),
        WINDOWED,
    ).set_output(transform="pandas")
    for given in (table, table.to_numpy()):
        told = {} if given is table else {"series": SERIES}
        detector = PerSeriesDetector(inner).fit(given, **told)
        parts = detector.explain(given, **told)
        np.testing.assert_allclose(
            parts.sum(axis=1), -detector.score_samples(given, **told)
        )
        assert (parts[own_rows("fan"), 1] == 0).all()
        assert (parts[own_rows("pump")] > 0).all()


def test_windows_with_their_series__are_explained():
    windows = np.random.default_rng(0).normal(size=(60, 8, 2))
    patients = np.repeat(["p", "q", "r"], 20)
    detector = PerSeriesDetector(LinearAutoencoder(2, n_channels=2))
    detector.fit(windows, series=patients)
    parts = detector.explain(windows, series=patients)
    assert parts.shape == windows.shape
    np.testing.assert_allclose(
        parts.sum(axis=(1, 2)), -detector.score_samples(windows, series=patients)
    )


def test_events_and_displays__of_one_series():
    table = X.copy()
    rows = np.flatnonzero(own_rows("mill"))[100:110]
    table.iloc[rows, 1] += 300.0
    detector = PerSeriesDetector(PIPELINE).fit(X)
    contributions = explain(detector, table)
    events = find_events(detector.predict(table), contributions=contributions)
    found = events[events["series"] == "mill"]
    event = found.loc[found["peak_score"].idxmin()]
    assert event["sensor_1"] == "y"
    assert rows[0] - 20 < event["start_row"] <= rows[0]
    assert rows[-1] <= event["end_row"] < rows[-1] + 20
    display = AnomalyScoreDisplay.from_estimator(detector, table, series="mill")
    assert display.threshold == -1.0
    shown = ContributionDisplay.from_estimator(detector, table, series="mill")
    np.testing.assert_array_equal(
        shown.contributions, contributions[own_rows("mill")].to_numpy()
    )
    plt.close("all")


def test_drift_report__tells_sensors_of_each_series():
    panel = make_panel(lengths=[900, 800, 850])
    detector = PerSeriesDetector(PIPELINE).fit(panel)
    moved = panel.copy()
    moved.loc[panel.index.get_level_values(0) == "fan", "z"] += 100.0
    report = drift_report(detector, moved)
    assert report.moved[0] == ("fan", "z")
    assert {series for series, _ in report.moved} == {"fan"}
    assert report.n_rows == len(panel)
    assert report.flagged == (detector.predict(moved) == -1).mean()
    assert "('fan', 'z')" in repr(report)
    DriftDisplay.from_estimator(detector, moved)
    alone = drift_report(detector, moved.loc[["pump"]])
    own = drift_report(detector.estimators_["pump"], moved.loc[["pump"]])
    assert alone.sensors.loc["pump"].equals(own.sensors)
    assert (alone.flagged, alone.allowed) == (own.flagged, own.allowed)
    one = report.sensors.index[0]
    display = DriftDisplay.from_estimator(detector, moved, channels=one)
    assert len(display.channels_) == 1
    plt.close("all")


def test_recalibrate__places_the_threshold_of_each_series_there():
    detector = PerSeriesDetector(WINDOWED).fit(X)
    before = detector.score_samples(X)
    later = X.loc[["pump", "fan"]] * 1.5
    changed = recalibrate(detector, later)
    assert (changed.predict(later) == -1).mean() < 0.03
    for name in ("pump", "fan"):
        own = recalibrate(detector.estimators_[name], later.loc[[name]])
        assert changed.estimators_[name].offset_ == own.offset_
    assert changed.estimators_["mill"].offset_ == detector.estimators_["mill"].offset_
    np.testing.assert_array_equal(detector.score_samples(X), before)


def test_one_of_several_detectors__is_not_taken_for_all():
    detector = PerSeriesDetector(DETECTORS["net"]).fit(X)
    with pytest.raises(TypeError, match="holds a detector for each series; take that"):
        TrainingHistoryDisplay.from_estimator(detector)
    plt.close("all")


def test_evaluate__with_references_for_each_series():
    y = np.where(np.arange(len(X)) % 60 < 4, 1, 0)
    table = X.copy()
    table[y == 1] *= 3.0
    early = X.index.get_level_values(-1) < X.index.get_level_values(-1)[
        0
    ] + pd.Timedelta("80min")
    report = evaluate(
        {"each": PerSeriesDetector(WINDOWED)},
        X[early],
        X_test=table[~early],
        y_test=y[~early],
        seeds=1,
    )
    assert report.table.loc["each", "roc_auc"] > 0.8
    assert isinstance(report.detectors["PCA"], PerSeriesDetector)


# An estimator -------------------------------------------------------------------------


def test_last_step_of_a_pipeline__sees_the_index():
    reader = FunctionTransformer(lambda table: table.set_index(["machine", "time"]))
    raw = X.rename_axis(["machine", "time"]).reset_index()
    pipeline = make_pipeline(reader, PerSeriesDetector(PIPELINE)).fit(raw)
    expected = PerSeriesDetector(PIPELINE).fit(X).predict(X)
    np.testing.assert_array_equal(pipeline.predict(raw), expected)


def test_search__sets_nested_parameters():
    y = np.where(np.arange(len(X)) % 50 < 3, 1, 0)
    table = X.copy()
    table[y == 1] *= 2.0
    search = GridSearchCV(
        PerSeriesDetector(PIPELINE),
        {"estimator__windoweddetector__window_length": [3, 6]},
        scoring=make_outlier_scorer("roc_auc"),
        cv=KFold(2),
        error_score="raise",
    ).fit(table, y)
    assert search.best_score_ > 0.7


@pytest.mark.parametrize("wrap", ["tuned", "fixed"])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_other_thresholds__are_in_units_of_each_series(wrap, n_jobs):
    inner = PerSeriesDetector(WINDOWED, n_jobs=n_jobs)
    y = np.where(np.arange(len(X)) % 50 < 3, 1, 0)
    outer = FixedThresholdDetector(inner, -2.0)
    if wrap == "tuned":
        outer = TunedThresholdDetector(inner, FBetaThreshold(), cv=2)
    values = X.to_numpy()
    outer.fit(values, y, series=SERIES)
    np.testing.assert_array_equal(
        outer.score_samples(values, series=SERIES),
        clone(inner).fit(X).score_samples(X),  # calibrated all the same
    )


@pytest.mark.parametrize("name", ["windowed", "pipeline", "net"])
@pytest.mark.parametrize("names", [NAMES, [("a", 1), ("a", 2), ("b", 1)], [3, 1, 2]])
def test_files_and_pickles__keep_all_detectors(name, names, tmp_path):
    panel = make_panel(names)
    detector = PerSeriesDetector(DETECTORS[name], new_series="pool").fit(panel)
    scores = detector.score_samples(panel)
    save(detector, tmp_path / "detector.skad")
    for copy in (
        load(tmp_path / "detector.skad"),
        pickle.loads(pickle.dumps(detector)),
    ):
        np.testing.assert_array_equal(copy.score_samples(panel), scores)
        assert list(copy.estimators_) == list(detector.estimators_)


def test_refit__forgets():
    detector = PerSeriesDetector(WINDOWED, new_series="pool").fit(X)
    detector.set_params(new_series="raise").fit(X.loc[["pump"]])
    assert list(detector.estimators_) == ["pump"]
    assert detector.pooled_ is None


def test_behind_a_reader__raw_tables_pass():
    raw = X.rename_axis(["machine", "time"]).reset_index().astype({"time": str})
    reader = TableReader("time", series="machine")
    pipeline = make_pipeline(reader, PerSeriesDetector(PIPELINE)).fit(raw)
    alone = PerSeriesDetector(PIPELINE).fit(X)
    assert list(pipeline[-1].estimators_) == list(alone.estimators_)
    scores = pd.Series(pipeline.score_samples(raw), pipeline[0].transform(raw).index)
    expected = pd.Series(alone.score_samples(X), X.index)
    np.testing.assert_allclose(scores.sort_index(), expected.sort_index(), rtol=1e-9)
    contributions = explain(pipeline, raw)
    np.testing.assert_allclose(contributions.sum(axis=1), -scores, rtol=1e-9)
    assert list(contributions.columns) == list("xyz")
    report = drift_report(pipeline, raw)
    assert {series for series, _ in report.sensors.index} == set(NAMES)
    new = raw.assign(machine=raw["machine"].replace("fan", "drum"))
    with pytest.raises(ValueError, match="not there in fit: 'drum'"):
        pipeline.predict(new)
