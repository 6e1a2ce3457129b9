"""Reports and scorers: against slow counts, in both codings, inside searches."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, brier_score_loss, fbeta_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad.metrics._report import DetectionReport, detection_report
from skad.metrics._scorers import _METRICS, make_outlier_scorer

# detection_report


def to_codes(is_anomaly, coding):
    codes = {"signs": (1, -1), "bits": (0, 1), "bools": (False, True)}[coding]
    return [codes[int(flag)] for flag in is_anomaly]


def naive_report(truth, judged, beta):
    """Count by hand; True is an anomaly. A share of nothing is nan."""

    def share(flags):
        flags = list(flags)
        return sum(flags) / len(flags) if flags else float("nan")

    pairs = list(zip(truth, judged, strict=True))
    recall = share(j for t, j in pairs if t)
    precision = share(t for t, j in pairs if j)
    n_hits = sum(t and j for t, j in pairs)
    weight = beta**2 * sum(truth) + sum(judged)
    return {
        "n_samples": len(pairs),
        "n_normals": sum(not t for t in truth),
        "n_anomalies": sum(truth),
        "n_detected": n_hits,
        "n_missed": sum(t and not j for t, j in pairs),
        "n_false_alarms": sum(not t and j for t, j in pairs),
        "n_passed": sum(not t and not j for t, j in pairs),
        "accuracy_normals": share(not j for t, j in pairs if not t),
        "accuracy_anomalies": recall,
        "accuracy": share(t == j for t, j in pairs),
        "precision": precision,
        "recall": recall,
        "fbeta": (1 + beta**2) * n_hits / weight if weight else float("nan"),
        "beta": beta,
    }


@given(
    rows=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30),
    beta=st.sampled_from([0.1, 0.5, 1.0, 2.0]),
)
def test_report_is_a_count(rows, beta):
    truth, judged = map(list, zip(*rows, strict=True))
    # signs only: 1 alone is read as normal, so bits could not say "all anomalous"
    report = detection_report(to_codes(truth, "signs"), to_codes(judged, "signs"), beta)
    expected = naive_report(truth, judged, beta)
    for name, value in expected.items():
        assert getattr(report, name) == pytest.approx(value, nan_ok=True), name
    frame = report.to_frame()
    assert frame.shape == (1, len(expected))
    assert frame.iloc[0].to_dict() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("of_truth", ["signs", "bits", "bools"])
@pytest.mark.parametrize("of_judged", ["signs", "bits", "bools"])
def test_report_reads_all_codings(of_truth, of_judged):
    truth = [False, False, False, True, True]
    judged = [False, True, False, True, False]
    report = detection_report(to_codes(truth, of_truth), to_codes(judged, of_judged))
    assert (report.n_passed, report.n_false_alarms) == (2, 1)
    assert (report.n_missed, report.n_detected) == (1, 1)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, tuple])
def test_report_takes_array_likes(kind):
    report = detection_report(
        kind([0, 0, 1]), kind([1, -1, -1]), class_labels=kind(["a", "b", "c"])
    )
    assert report.n_detected == report.n_false_alarms == 1
    assert list(report.by_class.index) == ["a", "b", "c"]


def test_no_anomaly_in_y_true():
    report = detection_report([0, 0, 0], [1, 1, -1])
    assert np.isnan(report.recall)
    assert np.isnan(report.accuracy_anomalies)
    assert report.precision == report.fbeta == 0.0
    assert report.accuracy_normals == pytest.approx(2 / 3)


def test_nothing_judged_anomalous():
    report = detection_report([0, 0, 1], [1, 1, 1])
    assert np.isnan(report.precision)
    assert report.recall == report.fbeta == 0.0
    assert "undefined" in str(report)


def test_neither_anomalies_nor_alarms():
    report = detection_report([1, 1], [1, 1])
    assert report.accuracy == report.accuracy_normals == 1.0
    assert np.isnan([report.precision, report.recall, report.fbeta]).all()


def test_only_anomalies():
    report = detection_report([-1, -1], [-1, 1])
    assert np.isnan(report.accuracy_normals)
    assert report.recall == 0.5


def test_ones_alone_mean_normal():
    assert detection_report([1, 1], [-1, 1]).n_anomalies == 0
    assert detection_report([0, 1], [1, 1]).n_false_alarms == 0


@given(
    rows=st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sampled_from("NSVF")),
        min_size=1,
        max_size=30,
    )
)
def test_classes_are_counts(rows):
    truth, judged, classes = map(list, zip(*rows, strict=True))
    table = detection_report(
        to_codes(truth, "signs"), to_codes(judged, "signs"), class_labels=classes
    ).by_class
    assert sorted(table.index) == sorted(set(classes))
    for name, row in table.iterrows():
        inside = [(t, j) for t, j, c in rows if c == name]
        flags = {t for t, _ in inside}
        kind = "both" if len(flags) == 2 else "anomaly" if True in flags else "normal"
        assert row["kind"] == kind
        assert row["n"] == len(inside)
        assert row["accuracy"] == pytest.approx(
            sum(t == j for t, j in inside) / len(inside)
        )


def test_normal_classes_come_first():
    table = detection_report(
        [1, -1, 1, -1], [1, -1, 1, 1], class_labels=["z", "a", "y", "b"]
    ).by_class
    assert list(table.index) == ["y", "z", "a", "b"]
    assert list(table.columns) == ["kind", "n", "accuracy"]


def test_classes_of_any_type():
    table = detection_report(
        [1, 1, -1, -1], [1, 1, -1, 1], class_labels=["b", 2, None, "b"]
    ).by_class
    assert table["n"].sum() == 4
    assert table.loc["b", "kind"] == "both"
    assert table["accuracy"].tolist()[-1] == 1.0


def test_report_text():
    report = detection_report(
        [1] * 4 + [-1] * 3,
        [1, 1, 1, -1, -1, -1, 1],
        beta=0.5,
        class_labels=list("NNNNVVS"),
    )
    text = str(report)
    assert repr(report) == text
    assert text.splitlines()[0] == "Detection report: 7 rows"
    assert "F0.5" in text
    for table in text.split("\n\n")[1:]:
        # aligned on the right: all rows of a table are equally long
        assert len({len(line) for line in table.splitlines()}) == 1
    assert str(detection_report([0], [0])).startswith("Detection report: 1 row\n")


def test_report_html_escapes_class_names():
    html = detection_report([1, -1], [1, 1], class_labels=["<b>", "V"])._repr_html_()
    assert html.count("<table") == 3
    assert "<b>" not in html
    assert "undefined" in html


def test_report_is_frozen_and_pickles():
    report = detection_report([1, -1], [1, -1], class_labels=["a", "b"])
    with pytest.raises(AttributeError):
        report.recall = 1.0
    copy = pickle.loads(pickle.dumps(report))
    assert isinstance(copy, DetectionReport)
    assert str(copy) == str(report)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "kwargs", "message"),
    [
        ([0, 2], [0, 1], {}, "y_true holds the labels 0, 2"),
        ([0, 1], ["a", "b"], {}, "y_pred holds the labels"),
        ([0, 1], [0, np.nan], {}, "y_pred"),
        ([-1, 0, 1], [0, 1, 1], {}, "y_true"),
        ([0, 1], [0, 1, 1], {}, "inconsistent numbers of samples"),
        ([0, 1], [0, 1], {"class_labels": ["a"]}, "inconsistent numbers of samples"),
        ([], [], {}, "no rows"),
        ([0, 1], [0, 1], {"beta": -1}, "beta=-1"),
        ([0, 1], [0, 1], {"beta": "1"}, "beta='1'"),
        ([0, 1], [0, 1], {"beta": np.nan}, "beta=nan"),
    ],
)
def test_report_refuses(y_true, y_pred, kwargs, message):
    with pytest.raises(ValueError, match=message):
        detection_report(y_true, y_pred, **kwargs)


# make_outlier_scorer


@pytest.fixture
def blobs():
    """One hundred normal rows, fifteen anomalies that mostly stand apart."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(100, 3)), rng.normal(3, 1, size=(15, 3))])
    is_anomaly = np.arange(115) >= 100
    order = rng.permutation(115)
    return X[order], is_anomaly[order]


@pytest.fixture
def forest(blobs):
    X, is_anomaly = blobs
    return IsolationForest(n_estimators=20, random_state=0).fit(X[~is_anomaly])


def test_builtin_scorer_is_inverted_and_ours_is_not(blobs):
    X, is_anomaly = blobs
    forest = IsolationForest(n_estimators=20, random_state=0)
    cv = StratifiedKFold(3)
    bits = is_anomaly.astype(int)
    builtin = cross_val_score(forest, X, bits, cv=cv, scoring="roc_auc")
    assert builtin.max() < 0.2
    scorer = make_outlier_scorer("roc_auc")
    ours = cross_val_score(forest, X, bits, cv=cv, scoring=scorer)
    assert ours == pytest.approx(1 - builtin)
    signs = np.where(is_anomaly, -1, 1)
    same = cross_val_score(forest, X, signs, cv=cv, scoring=scorer)
    assert same.tolist() == ours.tolist()


@pytest.mark.parametrize("name", sorted(_METRICS))
def test_named_metrics(name, forest, blobs):
    X, is_anomaly = blobs
    truth = is_anomaly.astype(int)
    function, response, params = _METRICS[name]
    given = (
        -forest.score_samples(X)
        if response == "score"
        else (forest.predict(X) == -1).astype(int)
    )
    expected = function(truth, given, **params)
    scorer = make_outlier_scorer(name)
    assert scorer(forest, X, truth) == expected
    assert scorer(forest, X, np.where(is_anomaly, -1, 1)) == expected
    assert scorer(forest, X, pd.Series(is_anomaly)) == expected
    assert expected > 0.3


def test_report_and_scorers_agree(forest, blobs):
    X, is_anomaly = blobs
    report = detection_report(is_anomaly, forest.predict(X), beta=0.5)
    assert report.fbeta == make_outlier_scorer("fbeta", beta=0.5)(forest, X, is_anomaly)
    for name in ("precision", "recall", "accuracy"):
        assert getattr(report, name) == make_outlier_scorer(name)(forest, X, is_anomaly)


def test_metric_params_reach_the_metric(forest, blobs):
    X, is_anomaly = blobs
    partial = make_outlier_scorer("roc_auc", max_fpr=0.1)
    assert partial(forest, X, is_anomaly) != make_outlier_scorer("roc_auc")(
        forest, X, is_anomaly
    )


def top_hits(y_true, y_score, n=5):
    return y_true[np.argsort(y_score)[-n:]].mean()


def hit_rate(y_true, y_pred):
    assert set(y_true) == {0, 1}
    assert set(y_pred) <= {0, 1}
    return y_pred[y_true == 1].mean()


def test_callables_get_what_they_ask_for(forest, blobs):
    X, is_anomaly = blobs
    assert make_outlier_scorer(top_hits)(forest, X, is_anomaly) == 1.0
    recall = make_outlier_scorer("recall")(forest, X, is_anomaly)
    assert make_outlier_scorer(hit_rate)(forest, X, is_anomaly) == recall
    ap = make_outlier_scorer("average_precision")(forest, X, is_anomaly)
    given = make_outlier_scorer(average_precision_score)(forest, X, is_anomaly)
    assert given == ap
    f2 = make_outlier_scorer(fbeta_score, beta=2)(forest, X, is_anomaly)
    assert f2 == make_outlier_scorer("fbeta", beta=2)(forest, X, is_anomaly)


def test_response_overrides_the_argument_name(forest, blobs):
    X, is_anomaly = blobs

    def spread(y_true, y_pred):
        return len(set(y_pred))

    assert make_outlier_scorer(spread)(forest, X, is_anomaly) == 2
    by_score = make_outlier_scorer(spread, response="score")
    assert by_score(forest, X, is_anomaly) > 50
    # a callable without a signature to read is given scores
    assert "score_samples" in repr(make_outlier_scorer(max))


def test_losses_are_negated(forest, blobs):
    X, is_anomaly = blobs
    loss = make_outlier_scorer(
        brier_score_loss, response="predict", greater_is_better=False
    )
    accuracy = make_outlier_scorer("accuracy")(forest, X, is_anomaly)
    assert loss(forest, X, is_anomaly) == pytest.approx(accuracy - 1)


def test_decision_function_stands_in(blobs):
    X, is_anomaly = blobs

    class Distance(OutlierMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def decision_function(self, X):
            return -np.linalg.norm(X, axis=1)

    score = make_outlier_scorer("roc_auc")(Distance(), X, is_anomaly)
    assert score > 0.9


def test_nothing_flagged_scores_zero_without_warning(blobs):
    X, is_anomaly = blobs

    class Blind(IsolationForest):
        def predict(self, X):
            return np.ones(len(X), dtype=int)

    blind = Blind(n_estimators=2, random_state=0).fit(X)
    for name in ("precision", "recall", "f1", "fbeta"):
        assert make_outlier_scorer(name)(blind, X, is_anomaly) == 0.0
    kept = make_outlier_scorer("precision", zero_division=1.0)
    assert kept(blind, X, is_anomaly) == 1.0


@pytest.mark.parametrize("of_labels", ["bits", "signs"])
def test_grid_search_in_a_pipeline(blobs, of_labels):
    X, is_anomaly = blobs
    y = to_codes(is_anomaly, of_labels)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), IsolationForest(random_state=0)),
        {"isolationforest__n_estimators": [5, 20]},
        scoring={
            "ap": make_outlier_scorer("average_precision"),
            "f1": make_outlier_scorer("f1"),
        },
        refit="ap",
        cv=StratifiedKFold(3),
    ).fit(X, y)
    assert search.best_score_ > 0.5
    assert (search.cv_results_["mean_test_f1"] > 0.2).all()
    assert search.score(X, y) > 0.5


def test_scorer_pickles_and_runs_in_processes(blobs):
    X, is_anomaly = blobs
    scorer = make_outlier_scorer("fbeta", beta=0.5)
    copy = pickle.loads(pickle.dumps(scorer))
    assert repr(copy) == repr(scorer)
    assert "outlier_fbeta_score" in repr(scorer)
    assert "beta=0.5" in repr(scorer)
    forest = IsolationForest(n_estimators=5, random_state=0)
    cv = StratifiedKFold(2)
    serial = cross_val_score(forest, X, is_anomaly, cv=cv, scoring=scorer)
    again = cross_val_score(forest, X, is_anomaly, cv=cv, scoring=copy, n_jobs=2)
    assert serial.tolist() == again.tolist()


def test_sample_weight_is_routed(forest, blobs):
    X, is_anomaly = blobs
    # only the two highest normal scores and the anomalies count
    weights = is_anomaly.astype(float)
    weights[np.flatnonzero(~is_anomaly)[:2]] = 1.0
    scorer = make_outlier_scorer("roc_auc")
    kept = weights > 0
    expected = scorer(forest, X[kept], is_anomaly[kept])
    assert scorer(forest, X, is_anomaly, sample_weight=weights) == expected


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "f1"])
@pytest.mark.parametrize("y", [[1, 1, 1], [0, 0, 0], [-1, -1, -1]])
def test_one_class_is_an_error(forest, blobs, name, y):
    with pytest.raises(ValueError, match="at least one anomaly"):
        make_outlier_scorer(name)(forest, blobs[0][:3], y)


def test_one_class_in_a_fold_is_nan_with_a_warning(blobs):
    X, is_anomaly = blobs
    order = np.argsort(is_anomaly, kind="stable")
    with pytest.warns(UserWarning, match="at least one anomaly"):
        scores = cross_validate(
            IsolationForest(n_estimators=2, random_state=0),
            X[order],
            is_anomaly[order],
            cv=5,
            scoring=make_outlier_scorer("roc_auc"),
        )
    assert np.isnan(scores["test_score"]).any()


def test_labels_in_no_coding(forest, blobs):
    with pytest.raises(ValueError, match="y_true holds the labels 0, 5"):
        make_outlier_scorer("f1")(forest, blobs[0][:2], [0, 5])


def test_scorer_refuses():
    with pytest.raises(ValueError, match="'rocauc' is unknown; expected one of 'acc"):
        make_outlier_scorer("rocauc")
    with pytest.raises(ValueError, match="response='scores'; expected 'auto'"):
        make_outlier_scorer("f1", response="scores")
    with pytest.raises(TypeError, match="metric=3"):
        make_outlier_scorer(3)
    with pytest.raises(TypeError, match="roc_auc_score has no parameter 'beta'"):
        make_outlier_scorer("roc_auc", beta=2)
