"""Evaluation: against the same by hand, and against all that could fool it."""

import pickle
import re
from functools import partial

import naive_evaluation
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    AlertBudgetThreshold,
    ConformalThreshold,
    CostThreshold,
    DetectorClassifier,
    FBetaThreshold,
    FixedThresholdDetector,
    IQRThreshold,
    LinearAutoencoder,
    MADThreshold,
    MLPAutoencoder,
    POTThreshold,
    PrecisionFloorThreshold,
    QuantileThreshold,
    SigmaThreshold,
    SlidingWindow,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    affiliation_scores,
    best_fbeta_score,
    detection_delay,
    detection_report,
    evaluate,
    event_fbeta_score,
    false_alarms_per_day,
    make_heartbeats,
    make_sensors,
    range_fbeta_score,
    sliding_windows,
    vus_pr_score,
)
from skad._nesting import core_of
from skad.evaluation._given_away import find_place
from skad.evaluation._parts import Part, check_parts, count_equal, hash_rows
from skad.evaluation._protocol import find_windows
from skad.evaluation._references import (
    REFERENCES,
    NeighborDetector,
    RandomDetector,
    replace_core,
)

QUICK = {"references": False, "seeds": 1}
BY_CLOCK = ["fit_seconds", "fit_seconds_std"]
CORES = {
    "PCA": LinearAutoencoder(),
    "5 neighbours": NeighborDetector(),
    "isolation forest": IsolationForest(random_state=0),
}


@pytest.fixture(scope="module")
def parts():
    """Training, validation and test beats, as arguments of `evaluate`."""
    X_train, _ = make_heartbeats(150, 0, random_state=0)
    X_val, y_val = make_heartbeats(60, 30, random_state=1)
    X_test, y_test = make_heartbeats(80, 40, random_state=2)
    return {
        "X_train": X_train,
        "X_val": X_val,
        "y_val": y_val > 0,
        "X_test": X_test,
        "y_test": y_test > 0,
    }


@pytest.fixture(scope="module")
def table():
    """A table of sensors and its labels, with times."""
    X, y = make_sensors(2400, 5, n_faults=8, dead_sensors=False, random_state=0)
    return X, y


@pytest.fixture(scope="module")
def series_parts(table):
    """Training, validation and test part of a table, in the order of time."""
    X, y = table
    return {
        "X_train": X[:1200],
        "X_val": X[1200:1800],
        "y_val": y[1200:1800],
        "X_test": X[1820:],
        "y_test": y[1820:],
    }


def net(**params):
    return MLPAutoencoder((8,), 2, max_epochs=2, **params)


def pipeline(core, **params):
    windowed = WindowedDetector(core, 10, **params)
    steps = TimeSeriesImputer(), StandardScaler(), windowed
    return make_pipeline(*steps).set_output(transform="pandas")


def by_hand(detector, parts, rule):
    """Fit, threshold and figures, step by step."""
    tuner = TunedThresholdDetector(detector, rule)
    tuner.fit(parts["X_train"], X_val=parts["X_val"], y_val=parts["y_val"])
    scores = tuner.score_samples(parts["X_test"])
    report = detection_report(parts["y_test"], tuner.predict(parts["X_test"]))
    return {
        "roc_auc": roc_auc_score(parts["y_test"], -scores),
        "average_precision": average_precision_score(parts["y_test"], -scores),
        "precision": report.precision,
        "recall": report.recall,
        "f1": report.fbeta,
        "threshold": tuner.offset_,
    }


# What it does -------------------------------------------------------------------------


def test_figures__are_those_by_hand_for_every_seed(parts):
    report = evaluate(net(), **parts, references=False, seeds=[3, 8])
    expected = pd.DataFrame(
        [by_hand(net(random_state=s), parts, FBetaThreshold()) for s in (3, 8)]
    )
    assert report.runs["seed"].tolist() == [3, 8]
    pd.testing.assert_frame_equal(report.runs[list(expected)], expected)
    (row,) = report.table.to_dict("records")
    for name in expected.drop(columns="threshold"):
        a, b = expected[name]
        assert row[name] == pytest.approx((a + b) / 2)
        assert row[f"{name}_std"] == pytest.approx(abs(a - b) / np.sqrt(2))
    assert row["n_runs"] == 2


@pytest.mark.parametrize("rule", [QuantileThreshold(0.1), FBetaThreshold(0.5)])
def test_references__are_those_by_hand(parts, rule):
    detector = make_pipeline(StandardScaler(), net())
    report = evaluate({"net": detector}, **parts, rule=rule, seeds=1)
    assert report.table.index.tolist() == ["net", *REFERENCES]
    for name, core in CORES.items():
        expected = by_hand(make_pipeline(StandardScaler(), core), parts, rule)
        run = report.runs.set_index("detector").loc[name]
        assert run[list(expected)].to_dict() == expected


def test_references__stand_behind_the_same_windows(series_parts):
    detector = pipeline(net(), level="timestep", aggregate="max")
    report = evaluate({"net": detector}, **series_parts, seeds=1)
    pca = pipeline(LinearAutoencoder(), level="timestep", aggregate="max")
    forest = pipeline(IsolationForest(random_state=0), aggregate="max")
    for name, reference in {"PCA": pca, "isolation forest": forest}.items():
        expected = by_hand(reference, series_parts, FBetaThreshold())
        assert report.table.loc[name, "roc_auc"] == expected["roc_auc"]
        assert report.table.loc[name, "f1"] == expected["f1"]
    assert "'net' by windows of 10 rows" in " ".join(report.protocol)


def test_own_threshold__is_kept_without_validation_rows(parts):
    rows = {name: parts[name] for name in ("X_train", "X_test", "y_test")}
    detector = make_pipeline(StandardScaler(), LinearAutoencoder(contamination=0.2))
    report = evaluate(detector, **rows, seeds=1)
    fitted = clone(detector).fit(parts["X_train"])
    expected = detection_report(parts["y_test"], fitted.predict(parts["X_test"]))
    row = report.table.loc["LinearAutoencoder"]
    assert (row["precision"], row["f1"]) == (expected.precision, expected.fbeta)
    assert "threshold: each detector's own" in "\n".join(report.protocol)


def test_same_seeds__same_figures(parts):
    first, second = (evaluate(net(), **parts, seeds=2) for _ in range(2))
    pd.testing.assert_frame_equal(
        first.table.drop(columns=BY_CLOCK), second.table.drop(columns=BY_CLOCK)
    )
    assert first.protocol == second.protocol
    assert first.table.loc["random", "roc_auc_std"] > 0


def test_every_random_state_inside__is_set(parts):
    detector = TunedThresholdDetector(
        make_pipeline(StandardScaler(), net(random_state=1)),
        QuantileThreshold(),
        cv=0.3,
        random_state=1,
    )
    report = evaluate({"net": detector}, **parts, references=False, seeds=[5])
    fitted = report.detectors["net"].estimator_
    assert fitted.random_state == 5
    assert fitted.estimator[-1].random_state == 5
    assert detector.random_state == 1
    assert not hasattr(detector, "estimator_")


def test_fitted_detectors__are_those_of_the_first_seed(parts):
    report = evaluate({"net": net()}, **parts, references=False, seeds=[4, 1])
    fitted = report.detectors["net"]
    assert fitted.offset_ == report.runs["threshold"][0]
    labels = fitted.predict(parts["X_test"])
    assert f1_score(parts["y_test"], labels == -1) == report.runs["f1"][0]


def test_a_detector_without_seed__runs_once(parts):
    report = evaluate(LinearAutoencoder(), **parts, seeds=2)
    counts = report.table["n_runs"].to_dict()
    assert counts == {
        "LinearAutoencoder": 1,
        "PCA": 1,
        "5 neighbours": 1,
        "isolation forest": 2,
        "random": 2,
        "flag all": 1,
    }
    assert np.isnan(report.table.loc["PCA", "f1_std"])
    assert pd.isna(report.runs.loc[0, "seed"])


def test_a_frozen_detector__is_not_fitted_again(parts):
    frozen = FrozenEstimator(LinearAutoencoder(5).fit(parts["X_train"][:50]))
    report = evaluate({"frozen": frozen}, **parts, **QUICK)
    assert report.detectors["frozen"].estimator_.estimator is frozen.estimator


def test_windows_in_three_axes__give_the_same(parts):
    folded = {
        name: values[..., None] if name[0] == "X" else values
        for name, values in parts.items()
    }
    flat = evaluate(LinearAutoencoder(), **parts, seeds=1).table
    table = evaluate(LinearAutoencoder(), **folded, seeds=1).table
    pd.testing.assert_frame_equal(
        flat.drop(columns=BY_CLOCK), table.drop(columns=BY_CLOCK)
    )


def test_references__learn_from_the_rows_with_normal_label(parts):
    X, y = make_heartbeats(100, 100, random_state=5)
    mixed = {**parts, "X_train": X, "y_train": y}
    report = evaluate({"own": LinearAutoencoder(normal_label=0)}, **mixed, seeds=1)
    clean = {**parts, "X_train": X[y == 0]}
    for name, core in {"own": LinearAutoencoder(), **CORES}.items():
        expected = by_hand(core, clean, FBetaThreshold())
        assert report.table.loc[name, "roc_auc"] == expected["roc_auc"]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_flag_all__shows_what_a_share_of_anomalies_is_worth(share):
    X_train, _ = make_heartbeats(50, 0, random_state=0)
    n_anomalies = round(200 * share)
    X, y = make_heartbeats(200 - n_anomalies, n_anomalies, random_state=1)
    parts = {"X_train": X_train, "X_test": X, "y_test": y > 0}
    table = evaluate(LinearAutoencoder(5), **parts, seeds=1).table
    row = table.loc["flag all"]
    assert row["f1"] == pytest.approx(2 * share / (1 + share))
    assert (row["precision"], row["recall"], row["roc_auc"]) == (share, 1, 0.5)


def test_events__are_reported_for_points_of_a_series(series_parts):
    report = evaluate(
        {"PCA(3)": pipeline(LinearAutoencoder(3))}, **series_parts, seeds=1
    )
    y_test = series_parts["y_test"]
    labels = report.detectors["PCA(3)"].predict(series_parts["X_test"])
    row = report.table.loc["PCA(3)"]
    assert row["event_f1"] == event_fbeta_score(y_test, labels)
    assert row["delay"] == detection_delay(y_test, labels)
    assert row["false_alarms_per_day"] == false_alarms_per_day(y_test, labels)
    assert report.table.loc["flag all", "event_f1"] == 1
    assert "events; flagging all rows has F1" in report.protocol[2]


def test_events__of_a_table_without_times(series_parts):
    arrays = {name: np.asarray(part) for name, part in series_parts.items()}
    report = evaluate(pipeline(LinearAutoencoder(3)), **arrays, **QUICK)
    assert "event_f1" in report.table
    assert "false_alarms_per_day" not in report.table


def test_events__are_none_of_single_rows(parts):
    assert "event_f1" not in evaluate(LinearAutoencoder(), **parts, **QUICK).table


def test_events__of_single_rows_that_have_times(parts):
    times = pd.date_range("2020-01-01", periods=len(parts["y_test"]), freq="h")
    rows = {**parts, "y_test": pd.Series(parts["y_test"], times)}
    report = evaluate(LinearAutoencoder(), **rows, **QUICK)
    assert "false_alarms_per_day" in report.table
    rows["y_test"] = pd.Series(parts["y_test"], times[::-1])  # not in order
    assert "event_f1" not in evaluate(LinearAutoencoder(), **rows, **QUICK).table


# Metrics that are asked for -----------------------------------------------------------


def test_metrics__are_those_of_their_functions(series_parts):
    metrics = {
        "range_f1": "range_f1",
        "affiliation_f1": "affiliation_f1",
        "VUS": partial(vus_pr_score, window=20),
        "best_f1": "best_f1",
        "share": lambda y_true, y_pred: np.mean(y_pred),
    }
    detectors = {"PCA(3)": pipeline(LinearAutoencoder(3))}
    report = evaluate(detectors, **series_parts, metrics=metrics, seeds=1)
    y_test = series_parts["y_test"]
    for name in ("PCA(3)", "random"):
        detector, row = report.detectors[name], report.table.loc[name]
        (scores,) = report.scores[name].T
        labels = np.where(scores < detector.offset_, -1, 1)
        assert row["range_f1"] == range_fbeta_score(y_test, labels)
        assert row["affiliation_f1"] == affiliation_scores(y_test, labels).fbeta
        assert row["VUS"] == vus_pr_score(y_test, -scores, window=20)
        assert row["best_f1"] == best_fbeta_score(y_test, -scores)
        assert row["share"] == np.mean(labels == -1)
    flag_all = report.table.loc["flag all"]
    assert flag_all["affiliation_f1"] > 0.6
    assert flag_all["share"] == 1
    assert flag_all["best_f1"] == pytest.approx(flag_all["f1"])
    heading = str(report).splitlines()[2]
    assert all(name in heading for name in metrics)
    said = next(line for line in report.protocol if line.startswith("metrics: "))
    assert "'VUS' by vus_pr_score(window=20) of scores" in said
    assert "'range_f1' of flagged rows" in said


def test_metrics__of_rows_by_themselves(parts):
    metrics = ["best_f1", "matthews_corrcoef"]
    table = evaluate(net(), **parts, metrics=metrics, seeds=2).table
    assert (table["best_f1"] >= table["f1"] - 1e-12).all()
    assert {"best_f1_std", "matthews_corrcoef_std"} <= set(table)


def test_metrics__are_undefined_where_there_is_one_class(parts):
    parts = {**parts, "y_test": np.zeros(len(parts["y_test"]))}
    report = evaluate(LinearAutoencoder(), **parts, metrics=["best_f1"], **QUICK)
    assert np.isnan(report.table["best_f1"]).all()
    assert "ROC-AUC, average precision and 'best_f1' are undefined" in " ".join(
        report.protocol
    )


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        (["range_f1"], ValueError, "'range_f1', which judges events, but the test"),
        (["best"], ValueError, "metric='best' is unknown"),
        (["f1"], ValueError, "'f1' cannot name a metric"),
        ({"seed": "best_f1"}, ValueError, "'seed' cannot name a metric"),
        ({"f2": 2}, TypeError, "expected a name or a callable"),
        ("best_f1", TypeError, "expected a list of names"),
        (best_fbeta_score, TypeError, "expected a list of names"),
    ],
)
def test_metrics__are_refused(parts, metrics, error, message):
    with pytest.raises(error, match=message):
        evaluate(LinearAutoencoder(), **parts, metrics=metrics, **QUICK)


def test_scores__are_those_of_every_run(parts):
    detectors = {"net": net(), "PCA(5)": LinearAutoencoder(5)}
    report = evaluate(detectors, **parts, seeds=2)
    assert {name: x.shape for name, x in report.scores.items()} == {
        "net": (120, 2),
        "PCA(5)": (120, 1),
        "PCA": (120, 1),
        "5 neighbours": (120, 1),
        "isolation forest": (120, 2),
        "random": (120, 2),
    }
    for name, scores in report.scores.items():
        areas = report.runs.loc[report.runs["detector"] == name, "roc_auc"]
        found = [roc_auc_score(parts["y_test"], -x) for x in scores.T]
        assert found == areas.tolist()


# What it says -------------------------------------------------------------------------


def test_report__prints_table_and_protocol(parts):
    report = evaluate({"a net": net()}, **parts, seeds=2)
    text = str(report)
    lines = text.splitlines()
    assert lines[0] == "Evaluation: 1 detector, 5 references"
    assert [line.split("  ")[0] for line in lines[3:12]] == [
        *("a net", "", "references", "PCA", "5 neighbours", "isolation forest", ""),
        *("random", ""),
    ]
    assert max(map(len, lines)) <= 88
    assert f"{report.table.loc['a net', 'roc_auc']:.3f}" in lines[3]
    assert f"{report.table.loc['a net', 'roc_auc_std']:.3f}" in lines[4]
    for line in report.protocol:
        assert line in re.sub(r"\n  ", " ", text)
    html = report._repr_html_()
    assert "<table" in html
    assert html.count("<li>") == len(report.protocol)


def test_report__without_references_says_so(parts):
    report = evaluate(LinearAutoencoder(), **parts, **QUICK)
    assert "references: none, as requested" in report.protocol
    assert not report.table["is_reference"].any()
    assert "\nreferences\n" not in str(report)
    assert "one run has no spread" in str(report)


def test_report__can_be_pickled(parts):
    report = evaluate(LinearAutoencoder(), **parts, seeds=1)
    assert str(pickle.loads(pickle.dumps(report))) == str(report)


def test_protocol__tells_sizes_and_shares(parts):
    y_train = np.zeros(150)
    report = evaluate(LinearAutoencoder(), y_train=y_train, **parts, **QUICK)
    flag_all = f1_score(parts["y_test"], np.ones(120))
    assert report.protocol[:4] == (
        "train: 150 rows, 0.0 % anomalies",
        "validation: 90 rows, 33.3 % anomalies",
        f"test: 120 rows, 33.3 % anomalies; flagging all rows has F1 {flag_all:.3f}",
        "threshold: found by FBetaThreshold() on scores and labels of the validation "
        "rows, for each run",
    )
    kinds = np.repeat(["N", "V"], 75)
    report = evaluate(LinearAutoencoder(), y_train=kinds, **parts, **QUICK)
    assert report.protocol[0] == "train: 150 rows, labels of other codings"


def test_rules_without_labels__are_told_of_anomalies(parts):
    rule = ConformalThreshold(0.05)
    text = str(evaluate(LinearAutoencoder(), **parts, rule=rule, **QUICK))
    assert "on scores of the validation rows" in text.replace("\n  ", " ")
    assert "took 30 anomalies among the validation rows for" in text
    parts = {**parts, "y_val": None}
    text = str(evaluate(LinearAutoencoder(), **parts, rule=rule, **QUICK))
    assert "no labels confirm it" in text
    is_normal = np.arange(90) < 60
    X_val = make_heartbeats(90, 0, random_state=7)[0]
    parts |= {"X_val": X_val, "y_val": np.zeros_like(is_normal)}
    text = str(evaluate(LinearAutoencoder(), **parts, rule=rule, **QUICK))
    assert "for normal" not in text


@pytest.mark.parametrize("label", [0, 1])
def test_one_class__is_undefined_not_an_error(parts, label):
    parts = {**parts, "y_test": np.full(len(parts["y_test"]), label, dtype=bool)}
    report = evaluate(LinearAutoencoder(), **parts, seeds=1)
    assert report.table[["roc_auc", "average_precision"]].isna().all(axis=None)
    assert report.table["recall"].isna().all() == (label == 0)
    kind = "anomalies" if label else "normal"
    assert f"The test rows are all {kind}: ROC-AUC" in str(report)


def test_flagging_nothing__is_undefined_and_said(parts):
    rows = {name: parts[name] for name in ("X_train", "X_test", "y_test")}
    silent = FixedThresholdDetector(net(), -np.inf)
    report = evaluate({"silent": silent}, **rows, references=False, seeds=2)
    assert np.isnan(report.table.loc["silent", "precision"])
    assert report.table.loc["silent", "f1"] == 0
    assert "'silent' flagged nothing in 2 of 2 runs" in str(report)


def test_many_anomalies__are_warned_of(parts):
    X_test, y_test = make_heartbeats(40, 60, random_state=9)
    parts = {**parts, "X_test": X_test, "y_test": y_test > 0}
    text = str(evaluate(LinearAutoencoder(), **parts, **QUICK))
    assert "More than half of the test rows are anomalies" in text


# What it refuses ----------------------------------------------------------------------


def frame(X, start=0):
    return pd.DataFrame(X, index=pd.RangeIndex(start, start + len(X)))


@pytest.mark.parametrize("name", ["X_val", "X_train"])
@pytest.mark.parametrize(
    "take",
    [
        lambda X: X,
        lambda X: X[:90],
        lambda X: X[::2],
        lambda X: X.copy(),
        lambda X: X[::-1].copy(),
        lambda X: X[[7, 3, 5, 50, 60, 80]],
        lambda X: X.astype(np.float32).astype(float),
        lambda X: frame(X, 5000)[:90],
        lambda X: np.concatenate([X[:5], X[:90] + 1]),
    ],
)
def test_rows_of_the_test_part__are_refused(parts, name, take):
    X_test = parts["X_test"].astype(np.float32).astype(float)
    X = take(X_test)
    labels = {"y_val": np.arange(len(X)) % 2} if name == "X_val" else {}
    parts = {**parts, "X_test": X_test, name: X, **labels}
    with pytest.raises(ValueError, match=rf"rows of X_test are in {name} too"):
        evaluate(LinearAutoencoder(), **parts, **QUICK)


def test_rows_in_training_and_validation__are_refused(parts):
    parts = {**parts, "X_val": parts["X_train"][:90]}
    with pytest.raises(ValueError, match="90 of 90 rows of X_val are in X_train too"):
        evaluate(LinearAutoencoder(), **parts, **QUICK)


def test_the_same_memory__is_refused_whatever_its_values():
    X = np.random.default_rng(0).integers(0, 2, size=(100, 1)).astype(float)
    parts = [Part("val", X[:60]), Part("test", X[50:])]
    with pytest.raises(ValueError, match=r"10 of 50 rows .* \(the same memory\)"):
        check_parts(parts, is_series=False)
    assert check_parts([parts[0], Part("test", X[60:])], is_series=False) == []


def test_the_same_labels__are_refused(parts):
    y = np.tile(parts["y_test"], 2)
    parts = {**parts, "y_val": y[:90], "y_test": y[30:150]}
    with pytest.raises(ValueError, match="y_val and y_test share memory"):
        evaluate(LinearAutoencoder(), **parts, **QUICK)


@pytest.mark.parametrize("has_series", [True, False])
def test_overlap_in_time__is_refused(table, has_series):
    X, y = table
    if has_series:
        X = pd.concat({"a": X[:1500], "b": X[1500:].set_axis(X.index[:900])})
        y = y.set_axis(X.index)
    # its values repeat, so that they tell nothing
    X = X.round(0).fillna(0)
    rows = {"X_val": X[1200:1900], "y_val": y[1200:1900]}
    rows |= {"X_test": X[1890:], "y_test": y[1890:]}
    with pytest.raises(ValueError, match=r"10 of 510 rows .* same index labels"):
        evaluate(pipeline(LinearAutoencoder()), X[:1200], **rows, **QUICK)


def test_rows_that_are_equal_by_nature__are_none_that_overlap():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 40, size=(600, 1)).astype(float)
    y = np.arange(200) % 10 == 0
    rows = {"X_val": X[200:400], "y_val": y, "X_test": X[400:], "y_test": y.copy()}
    evaluate(IsolationForest(n_estimators=5), X[:200], **rows, **QUICK)
    # the labels tell them apart, but for those that overlap
    rows |= {"X_val": frame(X[200:400], 200), "X_test": frame(X[400:], 400)}
    evaluate(IsolationForest(n_estimators=5), X[:200], **rows, **QUICK)
    rows |= {"X_val": frame(X[200:401], 200), "y_val": np.append(y, 0)}
    with pytest.raises(ValueError, match="1 of 200 rows"):
        evaluate(IsolationForest(n_estimators=5), X[:200], **rows, **QUICK)


def test_tables_numbered_alike__are_none_that_overlap(parts):
    numbered = {n: frame(v) if n[0] == "X" else v for n, v in parts.items()}
    evaluate(LinearAutoencoder(), **numbered, **QUICK)


def test_arrays_of_columns__share_no_windows(parts):
    X = np.asfortranarray(np.concatenate([parts["X_val"], parts["X_test"]]))
    parts = {**parts, "X_val": X[:90], "X_test": X[90:]}
    evaluate(LinearAutoencoder(), **parts, **QUICK)


def test_equal_rows_under_other_labels__are_warned_of(parts):
    X_val = np.concatenate([parts["X_val"][:60], parts["X_test"][:30]])
    parts = {**parts, "X_val": frame(X_val), "X_test": frame(parts["X_test"], 500)}
    with pytest.warns(UserWarning, match="30 of 120 .*under other index labels") as w:
        report = evaluate(LinearAutoencoder(), **parts, **QUICK)
    assert w[0].filename == __file__
    assert str(w[0].message) in report.protocol


def test_a_few_equal_rows__are_only_said():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 3))
    X[700] = X[400]
    y = np.arange(300) % 10 == 0
    rows = {"X_val": X[300:600], "y_val": y, "X_test": X[600:], "y_test": y.copy()}
    report = evaluate(IsolationForest(n_estimators=5), X[:300], **rows, **QUICK)
    assert "1 of 300 rows of X_test are in X_val too (the same values)." in (
        report.protocol
    )


def test_tables_of_words__are_compared_too():
    words = pd.DataFrame({"a": list("abcdefgh"), "b": [1, 2, 3, 4, 5, 6, 7, 8]})
    one = Part("val", words[:5])
    with pytest.raises(ValueError, match="2 of 5 rows of X_test are in X_val too"):
        check_parts([one, Part("test", words[3:])], is_series=False)
    assert check_parts([one, Part("test", words[5:])], is_series=False) == []


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=60),
    st.lists(st.integers(0, 40), min_size=1, max_size=60),
    st.integers(0, 30),
)
def test_equal_rows__are_counted_as_by_loops(one, other, n_common):
    # stretches in common, of values that repeat
    other = other[:10] + one[:n_common] + other[10:]
    hashes = [hash_rows(np.array(rows, dtype=float)[:, None]) for rows in (one, other)]
    assert count_equal(*hashes) == naive_evaluation.equal_rows(one, other)


def test_blocks__do_not_change_hashes(monkeypatch):
    X = np.random.default_rng(0).normal(size=(50, 7, 2))
    whole = hash_rows(X)
    monkeypatch.setattr("skad.evaluation._parts._VALUES_AT_ONCE", 30)
    assert (hash_rows(X) == whole).all()
    assert (hash_rows(pd.DataFrame(X.reshape(50, -1))) == whole).all()
    assert len(set(whole)) == 50


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("is_folded", [True, False])
def test_windows_that_share_timesteps__are_warned_of(stride, is_folded):
    table = np.random.default_rng(0).normal(size=(300, 2))
    windows = sliding_windows(table, window_length=10)[::stride]
    if is_folded:
        windows = windows.reshape(-1, 10, 2)
        assert np.may_share_memory(windows, table)
    half = len(windows) // 2
    starts = np.arange(0, 291, stride)
    expected = naive_evaluation.overlapping(starts[:half], starts[half:], 10)
    test = Part("test", windows[half:])
    found = check_parts([Part("val", windows[:half]), test], is_series=False)
    assert [f.is_warning for f in found] == [True]
    assert f"{expected} of {len(test)} windows of X_test share" in found[0].text
    val = Part("val", windows[: half - 9])
    assert check_parts([val, test], is_series=False) == []


@pytest.mark.parametrize("first", [8, 14, 25])
def test_windows_between_others__may_share_timesteps_too(first):
    windows = sliding_windows(
        np.random.default_rng(0).normal(size=(99, 1)), window_length=10
    )
    starts = np.arange(90)
    parts = [Part("val", windows[::30]), Part("test", windows[first::30])]
    expected = naive_evaluation.overlapping(starts[::30], starts[first::30], 10)
    found = check_parts(parts, is_series=False)
    assert [f.text.split(" of ")[0] for f in found] == [str(expected)] * (expected > 0)


def test_groups_in_two_parts__are_warned_of(parts):
    groups = {
        "groups_train": np.repeat(["p1", "p2", "p3"], 50),
        "groups_val": np.repeat(["p4", "p5"], 45),
        "groups_test": np.repeat(["p6", "p2", "p4"], 40),
    }
    with pytest.warns(UserWarning, match="groups of X_test") as caught:
        report = evaluate(LinearAutoencoder(), **parts, **groups, **QUICK)
    texts = [str(w.message) for w in caught]
    assert [t.split(":")[0] for t in texts] == [
        "1 of 3 groups of X_test are in X_train, too",
        "1 of 3 groups of X_test are in X_val, too",
    ]
    assert set(texts) <= set(report.protocol)


def test_series_in_two_parts__are_said(table):
    X, y = table
    X = pd.concat({"a": X[:1800], "b": X[1800:]})
    y = y.set_axis(X.index)
    rows = {"X_val": X[1200:1700], "y_val": y[1200:1700]}
    rows |= {"X_test": X[1750:], "y_test": y[1750:]}
    report = evaluate(pipeline(LinearAutoencoder(2)), X[:1200], **rows, **QUICK)
    assert any("1 of 2 series of X_test are in X_val" in t for t in report.protocol)


@given(
    st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=4, max_size=30),
    st.sampled_from(["numbers", "dates"]),
)
def test_borders_in_time__are_counted_as_by_loops(steps, kind):
    times = np.cumsum([step for step, _ in steps])
    is_test = np.array([flag for _, flag in steps])
    is_test[:2] = [False, True]
    longest = 5 * np.median(np.diff(times))
    expected = naive_evaluation.seams(times[~is_test], times[is_test], longest)
    index = pd.Index(times)
    if kind == "dates":
        index = pd.Timestamp("2020-01-01") + pd.to_timedelta(times, unit="min")
    X = pd.DataFrame({"a": np.arange(len(times)) * 1.5}, index)
    train = Part("train", np.array([[-1.0], [-2.0]]))
    parts = [train, Part("val", X[~is_test]), Part("test", X[is_test])]
    assert check_parts(parts, is_series=False) == []
    (found,) = check_parts(parts, is_series=True)
    often = "once" if expected == 1 else f"{expected} times"
    assert f"border on each other in time {often}:" in found.text
    assert not found.is_warning


def test_a_border_in_time__is_said(series_parts, table):
    X, y = table
    rows = {**series_parts, "X_test": X[1800:], "y_test": y[1800:]}
    report = evaluate(pipeline(LinearAutoencoder(2)), **rows, **QUICK)
    assert any("border on each other in time once" in t for t in report.protocol)


@pytest.mark.parametrize("wrap", [lambda d: d, FrozenEstimator])
def test_a_threshold_found_on_the_test_part__is_refused(parts, wrap):
    rows = {name: parts[name] for name in ("X_train", "X_test", "y_test")}
    fitted = LinearAutoencoder(5).fit(parts["X_train"])
    scores = fitted.score_samples(parts["X_test"])
    found = FBetaThreshold().fit(scores, parts["y_test"]).threshold_
    detector = FixedThresholdDetector(FrozenEstimator(fitted), found)
    detector = wrap(detector.fit(parts["X_train"]))
    with pytest.raises(ValueError, match="found on them") as caught:
        evaluate({"fooled": detector}, **rows, **QUICK)
    assert "'fooled'" in caught.value.__notes__[0]
    # another rule finds another one
    evaluate({"fair": detector}, **parts, **QUICK)
    # one from elsewhere is welcome
    scores = fitted.score_samples(parts["X_val"])
    found = FBetaThreshold().fit(scores, parts["y_val"]).threshold_
    detector = FixedThresholdDetector(FrozenEstimator(fitted), found)
    evaluate({"fair": detector}, **rows, **QUICK)


# Leaks in disguise: what was done to judged rows, or to a threshold found on them.
DISGUISES = {
    "none": lambda x: x,
    "next float up": lambda x: np.nextafter(x, np.inf),
    "next float down": lambda x: np.nextafter(x, -np.inf),
    "9 digits": lambda x: np.round(x, 9),
    "6 digits": lambda x: np.round(x, 6),
    "3 digits": lambda x: np.round(x, 3),
    "float32": lambda x: np.float32(x),
    "float16": lambda x: np.float16(x),
    "+ 1e-12": lambda x: x + 1e-12,
    "* (1 + 1e-9)": lambda x: x * (1 + 1e-9),
    "* (1 - 1e-7)": lambda x: x * (1 - 1e-7),
}
ORDERS = {
    "all": lambda rng, X, fresh: X,
    "shuffled": lambda rng, X, fresh: rng.permutation(X),
    "a few": lambda rng, X, fresh: rng.permutation(X)[:8],
    "half": lambda rng, X, fresh: rng.permutation(X)[: len(X) // 2],
    "among others": lambda rng, X, fresh: rng.permutation(np.vstack([fresh, X[:20]])),
}


def judged_rows(kind):
    """Rows to judge, and others like them."""
    rng = np.random.default_rng(0)
    if kind == "beats":
        return tuple(make_heartbeats(120, 30, random_state=s)[0] for s in (1, 2))
    if kind == "sensors":
        X = make_sensors(1400, 6, dead_sensors=False, random_state=0)[0].to_numpy()
        return X[:300], X[600:900]  # with missing values
    X, fresh = rng.normal(size=(2, 150, 2 if kind == "few columns" else 9))
    scale = np.geomspace(1e-6, 1e6, 9) if kind == "units" else 1.0
    return X * scale, fresh * scale


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("kind", ["beats", "sensors", "units", "few columns"])
def test_judged_rows_in_disguise__are_seen(kind, disguise, order):
    X, fresh = judged_rows(kind)
    if kind == "units" and disguise in ("float16", "3 digits", "6 digits", "9 digits"):
        return  # that wipes out, or overflows, columns of such units
    if kind == "sensors" and disguise == "float16" and order == "among others":
        return  # so few are lost in the noise
    copies = ORDERS[order](np.random.default_rng(1), DISGUISES[disguise](X), fresh)
    for one, other in ((copies, X), (X, copies)):
        parts = [Part("train", one), Part("test", other)]
        with pytest.raises(ValueError, match="rows of X_test are in X_train too"):
            check_parts(parts, is_series=False)


@pytest.mark.parametrize("disguise", DISGUISES)
def test_disguised_rows_under_other_labels__are_warned_of(disguise):
    X, _ = judged_rows("beats")
    copies = frame(DISGUISES[disguise](X).astype(float), 500)
    parts = [Part("train", copies), Part("test", frame(X))]
    (found,) = check_parts(parts, is_series=False)
    assert found.is_warning
    assert "under other index labels" in found.text


def test_disguised_rows_with_their_labels__are_refused(table):
    X = table[0].fillna(0)
    rows = frame(X.to_numpy())
    part = rows[1190:1800].astype(np.float32)
    parts = [Part("train", rows[:1200]), Part("test", part)]
    with pytest.raises(ValueError, match=r"10 of 610 rows .* same index labels"):
        check_parts(parts, is_series=False)


def honest_tables():
    """Tables whose two halves are different rows, however alike."""
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(3000) / 7)[:, None]
    levels = rng.integers(0, 8, size=(1000, 4)) / 10
    sensors = make_sensors(3000, 8, random_state=0)[0].to_numpy()
    return {
        "normal": rng.normal(size=(600, 5)),
        "one column": rng.normal(size=(600, 1)),
        "heavy tails": rng.standard_cauchy(size=(600, 3)),
        "beats": make_heartbeats(400, 100, random_state=0)[0],
        "sensors": sensors,
        "sensors of one digit": np.round(sensors, 1),
        "a wave": wave,
        "a wave of two digits": np.round(wave, 2),
        "levels": levels,
        "levels in two types": levels.astype(np.float32).astype(float) * 1.0,
        "flags": rng.integers(0, 2, size=(400, 6)),
        "constant": np.ones((400, 3)),
        "constant columns": np.hstack([rng.normal(size=(400, 2)), np.ones((400, 3))]),
        "rows three times": np.repeat(rng.normal(size=(300, 4)), 3, axis=0),
        "steps": np.repeat(rng.integers(0, 99, (40, 2)), 25, axis=0).astype(float),
        "a random walk": rng.normal(size=(2000, 2)).cumsum(axis=0),
        "counts": rng.poisson(3, size=(800, 3)),
        "huge": rng.normal(size=(300, 3)) * 1e300,
        "windows": sliding_windows(
            rng.normal(size=(900, 2)).cumsum(0), window_length=9
        ),
    }


@pytest.mark.parametrize("name", honest_tables())
def test_different_rows__are_none_in_disguise(name):
    X = honest_tables()[name]
    half = len(X) // 2
    gap = 9 if name == "windows" else 0
    small = [X[: half // 6].copy(), X[half:].copy()]
    for one, other in ([X[: half - gap].copy(), X[half:].copy()], small, small[::-1]):
        parts = [Part("train", one), Part("test", other)]
        assert not any(f.is_warning for f in check_parts(parts, is_series=False))


RULES = {
    "quantile": QuantileThreshold(0.03),
    "conformal": ConformalThreshold(0.04),
    "sigma": SigmaThreshold(),
    "sigma 2.7": SigmaThreshold(2.7),
    "MAD": MADThreshold(2.2),
    "IQR": IQRThreshold(),
    "POT": POTThreshold(0.01, level=0.9),
    "POT 0.9": POTThreshold(0.005, level=0.9),
    "rows": AlertBudgetThreshold(20),
    "events": AlertBudgetThreshold(20, count="events"),
    "F": FBetaThreshold(),
    "F 0.7": FBetaThreshold(0.7),
    "precision": PrecisionFloorThreshold(0.5),
    "cost": CostThreshold(),
}


class Scores(OutlierMixin, BaseEstimator):
    """Rows are their own scores; the threshold is remembered."""

    def __init__(self, offset=None, rule=None):
        self.offset = offset
        self.rule = rule

    def fit(self, X, y=None):
        scores = self.score_samples(X)
        self.offset_ = self.rule.fit(scores).threshold_ if self.rule else self.offset
        return self

    def score_samples(self, X):
        return np.asarray(X, dtype=float)[:, 0]


class Remembers(BaseEstimator):
    """A rule that does not look at the scores it is given."""

    def __init__(self, threshold):
        self.threshold = threshold

    def fit(self, scores, y=None):
        self.threshold_ = self.threshold
        return self


def by_hand_offset(threshold, X):
    detector = LinearAutoencoder().fit(X)
    detector.offset_ = threshold
    return FrozenEstimator(detector)


def bring(threshold):
    """Detectors and rules that bring a threshold, as arguments of `evaluate`."""
    fixed = FixedThresholdDetector(Scores(), threshold)
    remembering = TunedThresholdDetector(Scores(), Remembers(threshold), cv=0.5)
    frozen = FrozenEstimator(Scores(threshold).fit([[0.0]]))
    return {
        "fixed": {"detectors": fixed},
        "frozen": {"detectors": frozen},
        "own": {"detectors": Scores(threshold)},
        "tuned": {"detectors": remembering},
        "classifier": {"detectors": DetectorClassifier(fixed)},
        "pipeline": {"detectors": make_pipeline(StandardScaler(), fixed)},
        "rule": {"detectors": Scores(), "rule": Remembers(threshold)},
    }


def scored_parts(seed, with_val):
    """Parts of one column, which is the score."""
    rng = np.random.default_rng(seed)
    y = {n: np.arange(200) % 10 == 0 for n in ("val", "test")}
    X = {n: -rng.lognormal(0, 0.5, size=(200, 1)) for n in ("train", "val", "test")}
    for name, labels in y.items():
        X[name][labels] -= 1.5
    parts = {"X_train": X["train"], "X_test": X["test"], "y_test": y["test"]}
    parts["y_train"] = np.arange(200) % 2
    return parts | ({"X_val": X["val"], "y_val": y["val"]} if with_val else {})


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("name", RULES)
def test_a_threshold_of_the_judged_scores_in_disguise__is_seen(name, disguise):
    parts = scored_parts(0, with_val=False)
    X, y = parts["X_test"], parts["y_test"]
    threshold = clone(RULES[name]).fit(X, y).threshold_
    is_common = RULES[name] in (RULES["sigma"], RULES["IQR"], RULES["F"], RULES["cost"])
    if disguise in ("3 digits", "float16") and not is_common:
        return  # lost among the scores
    hidden = float(DISGUISES[disguise](threshold))
    assert find_place(hidden, X[:, 0], y, parts["X_train"][:, 0])


@pytest.mark.parametrize("way", bring(0.0))
@pytest.mark.parametrize("disguise", ["none", "next float up", "6 digits", "float32"])
def test_a_threshold_of_the_judged_scores__is_refused_however_brought(way, disguise):
    parts = scored_parts(0, with_val=way == "rule")
    if way == "pipeline":  # whose scores are others
        scaler = StandardScaler().fit(parts["X_train"])
        scores = scaler.transform(parts["X_test"])
    else:
        scores = parts["X_test"]
    found = FBetaThreshold().fit(scores, parts["y_test"]).threshold_
    given = bring(float(DISGUISES[disguise](found)))[way]
    with pytest.raises(ValueError, match="found on them"):
        evaluate(**given, **parts, **QUICK)


def test_an_offset_written_by_hand__is_refused(parts):
    parts = {name: parts[name] for name in ("X_train", "X_test", "y_test")}
    scores = LinearAutoencoder().fit(parts["X_train"]).score_samples(parts["X_test"])
    detector = by_hand_offset(SigmaThreshold().fit(scores).threshold_, parts["X_train"])
    with pytest.raises(ValueError, match=r"where SigmaThreshold\(\) puts it"):
        evaluate(detector, **parts, **QUICK)


@pytest.mark.parametrize("name", RULES)
def test_a_threshold_of_other_scores__is_welcome(name):
    for seed in range(4):
        parts = scored_parts(seed, with_val=True)
        X_val, y_val = parts.pop("X_val"), parts.pop("y_val")
        rule = clone(RULES[name])
        for threshold in (
            rule.fit(X_val, y_val).threshold_,
            rule.fit(parts["X_train"], parts["y_train"]).threshold_,
        ):
            evaluate(Scores(float(threshold)), **parts, **QUICK)
        given = bring(float(threshold))["rule"]
        evaluate(**given, **parts, X_val=X_val, y_val=y_val, **QUICK)


@pytest.mark.parametrize("threshold", [-np.inf, 0.0, -0.5, -1.0, -1.5, -100.0])
def test_a_round_threshold__is_welcome(threshold):
    for seed in range(4):
        parts = scored_parts(seed, with_val=False)
        evaluate(Scores(threshold), **parts, **QUICK)


@pytest.mark.parametrize("digits", [0, 1])
def test_scores_that_tie__give_nothing_away(digits):
    for seed in range(4):
        parts = scored_parts(seed, with_val=True)
        parts |= {n: np.round(parts[n], digits) for n in ("X_train", "X_val", "X_test")}
        X_val, y_val = parts.pop("X_val"), parts.pop("y_val")
        for rule in (
            FBetaThreshold(),
            QuantileThreshold(0.05),
            ConformalThreshold(0.05),
        ):
            threshold = rule.fit(X_val, y_val).threshold_
            evaluate(Scores(threshold), **parts, **QUICK)


def test_own_thresholds_of_detectors__are_welcome(parts):
    rows = {name: parts[name] for name in ("X_train", "X_test", "y_test")}
    detectors = {
        "auto": LinearAutoencoder(5),
        "share": LinearAutoencoder(5, contamination=0.05),
        "folds": TunedThresholdDetector(
            LinearAutoencoder(5), QuantileThreshold(0.05), cv=3
        ),
        "forest": FrozenEstimator(
            IsolationForest(n_estimators=10, random_state=0).fit(parts["X_train"])
        ),
        "own": Scores(rule=SigmaThreshold()),
        "forest of a share": IsolationForest(n_estimators=10, contamination=0.05),
    }
    evaluate(detectors, **rows, seeds=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X_val": None}, "y_val was given without X_val"),
        ({"X_val": None, "y_val": None, "rule": FBetaThreshold()}, "needs rows"),
        ({"y_val": None}, "without y_val and without a rule"),
        ({"y_val": None, "rule": FBetaThreshold()}, "needs labels"),
        ({"y_val": np.zeros(90, dtype=bool)}, "at least one anomaly"),
        ({"y_val": np.full(90, 7), "rule": QuantileThreshold()}, "holds the labels 7"),
        ({"y_test": np.full(120, 7)}, "y_test holds the labels 7"),
        ({"y_test": np.zeros(5)}, "inconsistent numbers"),
        ({"groups_test": np.zeros(5)}, "inconsistent numbers"),
        ({"X_test": np.zeros((0, 187)), "y_test": []}, "X_test holds no rows"),
        ({"seeds": 0}, "seeds=0; expected"),
        ({"seeds": []}, "seeds=.*; expected"),
        ({"seeds": [1.5]}, "seeds=.*; expected"),
        ({"seeds": [1, 1]}, "holds a seed twice"),
        ({"detectors": {}}, "detectors is empty"),
        (
            {"detectors": {"PCA": LinearAutoencoder()}, "references": True},
            "'PCA' of detectors is the name of a reference",
        ),
    ],
)
def test_bad_input__is_refused(parts, changes, message):
    given = {"detectors": LinearAutoencoder(), **parts, **QUICK, **changes}
    with pytest.raises(ValueError, match=message):
        evaluate(**given)


@pytest.mark.parametrize("detector", ["forest", StandardScaler(), IsolationForest])
def test_what_is_no_detector__is_refused(parts, detector):
    with pytest.raises(TypeError, match="expected an outlier detector"):
        evaluate({"it": detector}, **parts, **QUICK)


def test_seeds__may_be_an_array(parts):
    report = evaluate(net(), **parts, references=False, seeds=np.arange(1, 3))
    assert report.runs["seed"].tolist() == [1, 2]


# References ---------------------------------------------------------------------------


def test_neighbours__are_those_by_loops():
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(30, 3)), rng.normal(size=(8, 3))
    detector = NeighborDetector().fit(X)
    expected = [-naive_evaluation.mean_distance(row, X, 5) for row in new]
    np.testing.assert_allclose(detector.score_samples(new), expected)
    others = [np.delete(X, i, axis=0) for i in range(30)]
    own = [-naive_evaluation.mean_distance(*p, 5) for p in zip(X, others, strict=True)]
    assert (np.array(own) < detector.offset_).sum() == 1
    few = NeighborDetector(max_rows=10).fit(X)
    kept = X[[0, 3, 6, 9, 12, 16, 19, 22, 25, 29]]
    expected = [-naive_evaluation.mean_distance(row, kept, 5) for row in new]
    np.testing.assert_allclose(few.score_samples(new), expected)
    assert NeighborDetector().fit(X[:3]).score_samples(new).shape == (8,)


def test_random_scores__repeat_with_the_seed_and_never_else():
    X = np.zeros((500, 2))
    scores = RandomDetector(3).fit(X).score_samples(X)
    detector = RandomDetector(3).fit(X)
    assert (detector.score_samples(X) == scores).all()
    assert (detector.score_samples(X) != scores).all()
    assert 0 < (detector.predict(X) == -1).sum() < 20


def test_the_core__is_replaced_and_the_rest_stays():
    core = LinearAutoencoder()
    own = pipeline(net(random_state=0), level="timestep", stride=2)
    other = replace_core(own, core)
    assert other[-1].estimator is core
    assert (other[-1].level, other[-1].stride) == ("timestep", 2)
    assert own[-1].estimator.random_state == 0
    assert replace_core(own, NeighborDetector())[-1].level == "auto"
    tuned = TunedThresholdDetector(own, cv=0.3)
    assert replace_core(tuned, core).estimator[-1].estimator is core
    assert core_of(tuned) is own[-1].estimator
    for wrapped in (
        TunedThresholdDetector(own),
        FixedThresholdDetector(own, -1.0),
        FrozenEstimator(own),
        GridSearchCV(own, {"windoweddetector__estimator__lr": [1e-3]}),
    ):
        assert replace_core(wrapped, core)[-1].estimator is core
        assert find_windows(wrapped) == 10
    assert replace_core(net(), core) is core
    assert find_windows(make_pipeline(SlidingWindow(7), IsolationForest())) == 7
    assert find_windows(IsolationForest()) is None
