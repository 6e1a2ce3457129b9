"""Numbers in another byte order, as those of memory-mapped files, are like all others.

Every public entry is called with each kind of container, in the order of the machine
and in the other one: the results are equal.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from instances import ERROR_MODELS, ESTIMATORS, RULES
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import skad
from skad import (
    AnomalyScoreDisplay,
    ContributionDisplay,
    DetectorClassifier,
    DetectorComparisonDisplay,
    FixedThresholdDetector,
    LinearAutoencoder,
    QuantileThreshold,
    ReconstructionDisplay,
    SlidingWindow,
    ThresholdDisplay,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    clean_table,
    detection_report,
    evaluate,
    explain,
    find_events,
    make_outlier_scorer,
    merge_events,
    sliding_windows,
    split_roles,
)
from skad._validation import native

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def _no_figure_stays():
    yield
    plt.close("all")


N = 60
rng = np.random.default_rng(0)
VALUES = rng.normal(size=(N, 3)).round(2)
HOLES = np.where(rng.random((N, 3)) < 0.1, np.nan, VALUES)
LABELS = np.tile([0, 0, 0, 0, 1, 0], N // 6)
SERIES = np.repeat([3, 7], N // 2)
DETECTOR = LinearAutoencoder(1)
WINDOWED = WindowedDetector(DETECTOR, 4)


def swapped(values):
    """The same numbers in the other byte order."""
    values = np.asarray(values)
    return values.astype(values.dtype.newbyteorder("S"))


def locked(values):
    values = np.array(values)
    values.flags.writeable = False
    return values


def frame(values, index=None):
    values = np.asarray(values)
    columns = values[:, None] if values.ndim == 1 else values
    table = pd.DataFrame(dict(zip("abcdefghijkl", columns.T, strict=False)), index)
    return table["a"] if values.ndim == 1 else table


# How numbers are given, from an array.
CONTAINERS = {
    "array": np.asarray,
    "read-only": locked,
    "frame": frame,
    "mixed frame": lambda x: (
        frame(x).assign(b=native(np.asarray(x)[:, 1])) if x.ndim > 1 else frame(x)
    ),
    "index": lambda x: frame(x, pd.Index(order_of(x)(np.arange(len(x))))),
    "float index": lambda x: frame(x, pd.Index(order_of(x)(np.arange(len(x)) / 2))),
    "integers": lambda x: order_of(x)(np.asarray(x * 100 + 100).astype("i4")),
    "float32": lambda x: order_of(x)(np.asarray(x).astype("f4")),
}


def order_of(values):
    return np.asarray if values.dtype.isnative else swapped


def windows(values):
    return order_of(values)(sliding_windows(VALUES, window_length=4))


# What is called with a table, labels, series and one score for each row, in `box`.
TABLES = {
    "imputer": lambda X, box: TimeSeriesImputer().fit(X).transform(X),
    "imputer in time": lambda X, box: (
        TimeSeriesImputer("linear", carry_tail=True, add_indicator=True)
        .set_output(transform="pandas")
        .fit(X)
        .transform(X)
    ),
    "sliding": lambda X, box: SlidingWindow(3).fit(X).transform(X),
    "windows": lambda X, box: sliding_windows(
        X, box(LABELS), window_length=3, series=box(SERIES)
    )[0],
    "windowed": lambda X, box: WINDOWED.fit(X, series=box(SERIES)).score_samples(
        X, series=box(SERIES)
    ),
    "tuned": lambda X, box: (
        TunedThresholdDetector(DETECTOR, cv=2, refit=True)
        .fit(X, box(LABELS), groups=None)
        .predict(X)
    ),
    "tuned on rows": lambda X, box: (
        TunedThresholdDetector(DETECTOR)
        .fit(X, X_val=X, y_val=box(LABELS))
        .decision_function(X)
    ),
    "fixed": lambda X, box: (
        FixedThresholdDetector(DETECTOR, -0.5).fit(X, box(LABELS)).predict(X)
    ),
    "classifier": lambda X, box: (
        DetectorClassifier(DETECTOR).fit(X, box(LABELS)).predict(X)
    ),
    "normal label": lambda X, box: (
        LinearAutoencoder(1, normal_label=0).fit(X, box(LABELS)).score_samples(X)
    ),
    "scorer": lambda X, box: make_outlier_scorer("f1")(
        clone(DETECTOR).fit(X), X, box(LABELS)
    ),
    "explain": lambda X, box: explain(clone(WINDOWED).fit(X), X),
    "clean": lambda X, box: clean_table(pd.DataFrame(X)),
    "clean by column": lambda X, box: clean_table(
        pd.DataFrame(X).assign(t=box(np.arange(N)).to_numpy())
        if hasattr(box(LABELS), "to_numpy")
        else pd.DataFrame(X).assign(t=box(np.arange(N))),
        time="t",
    ),
    "scores drawn": lambda X, box: (
        AnomalyScoreDisplay.from_estimator(
            clone(WINDOWED).fit(X), X, box(LABELS), columns=None
        ).scores
    ),
    "contributions drawn": lambda X, box: (
        ContributionDisplay.from_estimator(
            clone(DETECTOR).fit(X), X, box(LABELS), window=None
        ).contributions
    ),
    "threshold drawn": lambda X, box: (
        ThresholdDisplay.from_estimator(clone(DETECTOR).fit(X), X, box(LABELS)).scores
    ),
    "comparison drawn": lambda X, box: (
        DetectorComparisonDisplay.from_estimators(
            {"one": clone(WINDOWED).fit(X)}, X, box(LABELS)
        ).scores
    ),
    "reconstruction drawn": lambda X, box: (
        ReconstructionDisplay.from_estimator(
            clone(DETECTOR).fit(X), X, box(LABELS)
        ).signal
    ),
}

WITH_HOLES = ("imputer", "imputer in time", "clean", "clean by column", "sliding")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", TABLES)
def test_tables__of_either_byte_order__give_the_same(name, container):
    values = HOLES if name in WITH_HOLES and container != "integers" else VALUES
    results = []
    for order in (np.asarray, swapped):
        table = CONTAINERS[container](order(values))
        before = pd.DataFrame(table).dtypes.tolist()

        def box(x, order=order, table=table):
            return (
                pd.Series(order(x), table.index) if hasattr(table, "iloc") else order(x)
            )

        results.append(np.asarray(TABLES[name](table, box)).astype(float))
        assert pd.DataFrame(table).dtypes.tolist() == before
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6)


LISTS = ("array", "series", "column of a frame", "index")


def boxes(kind, order):
    """How labels and scores are given."""
    return {
        "array": order,
        "read-only": lambda x: locked(order(x)),
        "series": lambda x: pd.Series(order(x)),
        "index": lambda x: pd.Series(order(x), pd.Index(order(np.arange(len(x))))),
    }[kind]


EVENTS = [name for name in skad.__all__ if name.endswith("_score")]
SCORES = VALUES[:, 0]
PREDICTED = np.roll(LABELS, 1)
ROWS = {
    **{
        name: lambda box, name=name: getattr(skad, name)(box(LABELS), box(PREDICTED))
        for name in EVENTS
    },
    "detection_delay": lambda box: skad.detection_delay(
        box(LABELS), box(PREDICTED), index=np.asarray(box(np.arange(N)))
    ),
    "false_alarms": lambda box: skad.false_alarms_per_day(
        box(LABELS), box(PREDICTED), rows_per_day=10
    ),
    "report": lambda box: detection_report(
        box(LABELS), box(PREDICTED), class_labels=box(SERIES)
    ).by_class[["n", "accuracy"]],
    "find_events": lambda box: find_events(box(LABELS), scores=box(SCORES), max_gap=2)[
        ["start", "end", "peak", "peak_score", "mean_score"]
    ],
    "merge_events": lambda box: merge_events(box(LABELS), merge_gap=3),
    "split_roles": lambda box: np.concatenate(
        list(split_roles(box(LABELS), normal_shares=(0.4, 0.2, 0.2, 0.2)).values())
    ),
    "split_roles of series": lambda box: split_roles(
        box(np.where(SERIES == 3, 0, LABELS)),
        series=box(SERIES),
        normal_shares=(1, 0, 0, 0),
        anomalous_shares=(1, 0),
    )["s_N"],
    "p_values": lambda box: (
        skad.ConformalThreshold(0.1).fit(box(SCORES)).p_values(box(SCORES))
    ),
    "scores drawn": lambda box: (
        AnomalyScoreDisplay.from_predictions(box(SCORES), y_true=box(LABELS)).scores
    ),
    "threshold drawn": lambda box: (
        ThresholdDisplay.from_predictions(box(LABELS), box(SCORES)).scores
    ),
    "comparison drawn": lambda box: (
        DetectorComparisonDisplay.from_predictions({"a": box(SCORES)}).scores
    ),
}


@pytest.mark.parametrize("kind", ["array", "read-only", "series", "index"])
@pytest.mark.parametrize("name", ROWS)
def test_rows__of_either_byte_order__give_the_same(name, kind):
    one, other = (
        np.asarray(ROWS[name](boxes(kind, order))) for order in (np.asarray, swapped)
    )
    np.testing.assert_array_equal(one.astype(float), other.astype(float))


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("kind", ["array", "read-only", "series", "index"])
def test_rules__of_either_byte_order__give_the_same(rule, kind):
    one, other = (
        clone(rule).fit(box(SCORES), box(LABELS)).threshold_
        for box in (boxes(kind, np.asarray), boxes(kind, swapped))
    )
    assert one == other


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators__of_either_byte_order__give_the_same(name):
    y = np.where(LABELS, -1, 1)
    results = []
    for order in (np.asarray, swapped):
        X = frame(order(VALUES))
        fitted = clone(ESTIMATORS[name]).fit(X, pd.Series(order(y)))
        say = getattr(fitted, "score_samples", None) or fitted.transform
        results.append(np.asarray(say(X)).astype(float))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6)


@pytest.mark.parametrize("container", ["array", "frame", "index", "float index"])
@pytest.mark.parametrize("detector", [DETECTOR, WINDOWED], ids=["alone", "windowed"])
def test_evaluate__of_either_byte_order__gives_the_same(detector, container):
    parts = np.random.default_rng(1).normal(size=(3, N, 3))
    tables = []
    for order in (np.asarray, swapped):
        X = [CONTAINERS[container](order(part)) for part in parts]
        y = [order(LABELS), order(LABELS.copy())]
        report = evaluate(
            {"it": detector},
            X[0],
            X_val=X[1],
            y_val=y[0],
            X_test=X[2],
            y_test=y[1],
            groups_train=order(np.arange(N)),
            groups_test=order(np.arange(N) + N),
            seeds=1,
        )
        columns = report.table.columns.str.contains("seconds")
        tables.append(report.table.loc[:, ~columns])
        frozen = FrozenEstimator(clone(detector).fit(X[0]))
        evaluate(frozen, X[0], X_test=X[2], y_test=y[1], references=False)
        with pytest.raises(ValueError, match="are in X_train too"):
            evaluate(detector, X[0], X_test=X[0], y_test=y[1])
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("model", ERROR_MODELS, ids=repr)
def test_error_models__of_either_byte_order__give_the_same(model):
    residuals, codes = rng.normal(size=(30, 4, 2)), rng.normal(size=(30, 2))
    one, other = (
        clone(model)
        .fit(order(residuals), order(codes), order(codes))
        .window_errors(order(residuals), order(codes))
        for order in (np.asarray, swapped)
    )
    np.testing.assert_allclose(one, other)


def test_native__copies_only_what_it_must():
    for data in (VALUES, frame(VALUES), frame(SCORES), pd.RangeIndex(3), [1], None):
        assert native(data) is data
    table = frame(VALUES).assign(b=swapped(SCORES))
    table.attrs["a"] = 1
    before = [dtype.byteorder for dtype in table.dtypes]
    changed = native(table)
    pd.testing.assert_frame_equal(changed, frame(VALUES).assign(b=SCORES))
    assert changed.attrs == table.attrs
    assert np.shares_memory(changed["a"].to_numpy(), table["a"].to_numpy())
    assert [dtype.byteorder for dtype in table.dtypes] == before
    doubled = table.set_axis(["b", "b", "b"], axis=1)
    np.testing.assert_array_equal(native(doubled).iloc[:, 1], SCORES)
    assert QuantileThreshold().fit(swapped(SCORES)).threshold_ < 0
