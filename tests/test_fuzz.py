"""Fuzzing: a documented error, or a finite result of the right shape.

Set SKAD_FUZZ_EXAMPLES to run that many cases a test, with fresh random numbers.
"""

import gzip
import json
import tracemalloc
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from faults_tally import case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from instances import ERROR_MODELS, ESTIMATORS, RULES
from sklearn.base import clone
from test_series_files import keogh_text, pump_text, skab_text

from skad import (
    LinearAutoencoder,
    MLPAutoencoder,
    SlidingWindow,
    WindowedDetector,
    affiliation_scores,
    best_fbeta_score,
    clean_table,
    composite_fbeta_score,
    detection_delay,
    detection_report,
    evaluate,
    event_fbeta_score,
    event_precision_score,
    event_recall_score,
    expected_values,
    explain,
    false_alarms_per_day,
    find_events,
    load,
    load_heartbeats,
    load_keogh_discords,
    load_pump_sensors,
    load_skab,
    make_heartbeats,
    make_outlier_scorer,
    make_sensors,
    merge_events,
    nab_score,
    point_adjusted_fbeta_score,
    range_auc_pr_score,
    range_auc_roc_score,
    range_fbeta_score,
    range_precision_score,
    range_recall_score,
    save,
    sliding_windows,
    split_roles,
    suggest_window_length,
    vus_pr_score,
    vus_roc_score,
)
from skad.persistence import _files

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    # numpy, while scikit-learn looks for what is not finite and then refuses it
    pytest.mark.filterwarnings("ignore:invalid value encountered in reduce"),
    pytest.mark.filterwarnings("ignore:overflow encountered in cast"),
]


def fuzz(n_examples, **strategies):
    """Run a test with many drawn arguments, as many as the profile in conftest says."""
    profile = settings.default

    def decorate(test):
        return settings(
            max_examples=n_examples if profile.derandomize else profile.max_examples,
            suppress_health_check=list(HealthCheck),
        )(given(**strategies)(test))

    return decorate


def outcome_of(call, *args, **kwargs):
    """Outcome of a call, or None where it raised a documented error with a message."""
    try:
        return call(*args, **kwargs)
    except (ValueError, TypeError) as error:
        if not str(error):
            raise
        return None


# What is drawn ------------------------------------------------------------------------

FLOAT32_MAX = float(np.finfo(np.float32).max)
VALUES = {
    "noise": lambda rng, shape: rng.normal(size=shape),
    "constant": lambda rng, shape: np.full(shape, 3.7),
    "negative zero": lambda rng, shape: np.full(shape, -0.0),
    "whole": lambda rng, shape: rng.integers(-3, 4, shape).astype(float),
    "huge": lambda rng, shape: rng.choice([-1, 1], shape) * FLOAT32_MAX,
    "large": lambda rng, shape: rng.normal(size=shape) * 1e30,
    "denormal": lambda rng, shape: rng.integers(-9, 9, shape) * 5e-324,
    "tiny": lambda rng, shape: rng.normal(size=shape) * 1e-30,
    "far away": lambda rng, shape: 1e12 + rng.normal(size=shape),
    "mixed": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-30, 30),
}
ODD_ONES = [np.nan, np.inf, -np.inf, -0.0, 1e308, FLOAT32_MAX, 5e-324]
DTYPES = ["f8", "f8", "f8", "f4", "f2", ">f8", ">f4", "i8", "u1", ">i2", "?", "O", "U9"]
N_ROWS = [0, 1, 2, 3, 5, 9, 10, 11, 40, 70]


def laid_out(X, layout):
    """The same values with other strides."""
    if layout == "strided":
        return np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    if layout == "reversed":
        return np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
    if layout == "fortran":
        return np.asfortranarray(X)
    X = X.copy()
    X.flags.writeable = layout != "read-only"
    return X


def in_container(X, container, draw):
    n_rows, n_columns = X.shape
    if container == "list":
        return X.tolist()
    if container == "three" and n_columns % 2 == 0:
        return X.reshape(n_rows, n_columns // 2, 2)
    if container == "one":
        return X.ravel()
    if container != "frame":
        return X
    table = pd.DataFrame(X).set_axis(draw(indexes(n_rows)), axis=0)
    names = draw(st.sampled_from(["numbers", "text", "doubled", "mixed"]))
    if names == "text":
        table.columns = [f"c{i}" for i in range(n_columns)]
    elif names == "doubled":
        table.columns = ["c"] * n_columns
    elif names == "mixed":
        table.columns = ["c", *range(1, n_columns)]
    if X.dtype.kind in "fiu" and X.dtype.isnative and draw(st.booleans()):
        return table.convert_dtypes()
    return table


@st.composite
def indexes(draw, n_rows):
    """Index of a table: rows, times, series; in order or not."""
    kind = draw(st.sampled_from(["rows", "time", "zone", "text", "series", "odd"]))
    if kind == "text":
        return pd.Index([f"r{i}" for i in range(n_rows)])
    if kind == "odd":
        return pd.Index(np.random.default_rng(n_rows).integers(0, 9, n_rows))
    if kind == "rows":
        return pd.RangeIndex(n_rows)
    zone = "Europe/Amsterdam" if kind == "zone" else None
    times = pd.date_range("2024-10-26 20:00", periods=n_rows, freq="h", tz=zone)
    if kind == "series":
        half = n_rows // 2
        return pd.MultiIndex.from_arrays(
            [["a"] * half + ["b"] * (n_rows - half), times]
        )
    if draw(st.integers(0, 5)) == 0 and n_rows > 1:
        times = times.tz_localize(None).to_numpy(copy=True)
        times[draw(st.integers(0, n_rows - 1))] = draw(
            st.sampled_from([np.datetime64("NaT"), np.datetime64("1700-01-01")])
        )
        return pd.DatetimeIndex(times)
    return times


@st.composite
def tables(draw, n_columns=None):
    """Any table that someone may hand to an estimator."""
    n_rows = draw(st.sampled_from(N_ROWS))
    if n_columns is None:
        n_columns = draw(st.sampled_from([1, 2, 3, 4, 6, 8, 17]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = VALUES[draw(st.sampled_from(list(VALUES)))](rng, (n_rows, n_columns))
    n_odd = draw(st.sampled_from([0, 0, 0, 1, 2, 9])) if X.size else 0
    for _ in range(n_odd):
        X.flat[draw(st.integers(0, X.size - 1))] = draw(st.sampled_from(ODD_ONES))
    with np.errstate(all="ignore"):
        X = X.astype(draw(st.sampled_from(DTYPES)))
    layout = draw(
        st.sampled_from(["plain", "strided", "reversed", "fortran", "read-only"])
    )
    containers = ["array", "array", "frame", "frame", "list", "three", "one"]
    return in_container(laid_out(X, layout), draw(st.sampled_from(containers)), draw)


CODINGS = [[-1, 1], [-1, 1], [0, 1], [0, 1], [1], [-1], [0], [0, 1, 2], [True, False]]
CODINGS += [["a", "b"], [np.nan, 1.0], [0.5, 1.5], [-1.0, 1.0], [None, 1]]


@st.composite
def labels(draw, n_rows):
    """Labels in a coding, in none, of the wrong length, or not there."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coding = draw(st.sampled_from(CODINGS))
    n_rows += draw(st.sampled_from([0, 0, 0, 0, 0, 1, -1]))
    y = [coding[i] for i in rng.integers(0, len(coding), max(n_rows, 0))]
    container = draw(st.sampled_from(["list", "array", "series", "column"]))
    if container == "list":
        return y
    array = np.array(y)
    if container == "array":
        return array
    return (
        pd.Series(y, dtype=object if None in y else None)
        if container == "series"
        else array[:, None]
    )


SETTINGS = [None, 0, 1, 2, 3, -1, 0.0, 0.3, 0.5, 1.0, -0.5, 1e-300, 1e30, np.nan]
SETTINGS += [np.inf, "x", "", True, False, [], (), (0,), (2, 2), {}, np.int64(2), b"x"]
SETTINGS += [np.float32(0.5), 2 + 0j, np.array([1, 2]), pd.NA, "mean", "auto", object]


@st.composite
def settings_of(draw, estimator):
    """None, one or two parameters with a value that may not fit."""
    names = sorted(estimator.get_params(deep=False))
    n_changed = draw(st.sampled_from([0, 0, 1, 1, 2])) if names else 0
    return {
        draw(st.sampled_from(names)): draw(st.sampled_from(SETTINGS))
        for _ in range(n_changed)
    }


# Estimators ---------------------------------------------------------------------------


def n_columns_of(X):
    return X.shape[1] if getattr(X, "ndim", 0) == 2 else None


def assert_sound(estimator, method, X):
    """Refused with a message, or finite and one entry a row."""
    result = outcome_of(getattr(estimator, method), X)
    if result is None:
        return
    if method == "transform":
        assert np.ndim(result) == 2
    else:
        assert np.shape(result) == (len(X),)
    assert len(result) == len(X)
    if method == "predict":
        assert set(np.unique(result)) <= set(getattr(estimator, "classes_", [-1, 1]))
    elif method == "decision_function" and np.isinf(getattr(estimator, "offset_", 0)):
        assert not np.isnan(result).any()  # FixedThresholdDetector(threshold=np.inf)
    elif not may_be_missing(estimator):
        assert np.isfinite(np.asarray(result, dtype=float)).all()


def may_be_missing(estimator):
    """Whether missing values may stay: as in windows, and if an imputer may."""
    return type(estimator).__name__ == "SlidingWindow" or (
        hasattr(estimator, "fallback") and estimator.fallback is None
    )


METHODS = ("score_samples", "decision_function", "predict", "transform")


@pytest.mark.parametrize("name", ESTIMATORS)
@fuzz(20, data=st.data())
def test_estimators(name, data):
    estimator = clone(ESTIMATORS[name])
    changed = data.draw(settings_of(estimator))
    X = data.draw(tables())
    y = data.draw(st.none() | labels(len(X)))
    new = data.draw(tables(n_columns_of(X)))
    with case("fuzz"):
        before = estimator.set_params(**changed).get_params(deep=False)
        if outcome_of(estimator.fit, X, y) is None:
            assert set(vars(estimator)) == set(before)
            return
        for method in METHODS:
            if hasattr(estimator, method):
                assert_sound(estimator, method, X)
                assert_sound(estimator, method, new)


# Rules and error models ---------------------------------------------------------------


@st.composite
def columns(draw, n_rows=None):
    """Scores, mostly good ones, in any container."""
    n_rows = draw(st.sampled_from(N_ROWS)) if n_rows is None else n_rows
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = VALUES[draw(st.sampled_from(list(VALUES)))](rng, n_rows)
    if n_rows and draw(st.integers(0, 4)) == 0:
        values[draw(st.integers(0, n_rows - 1))] = draw(st.sampled_from(ODD_ONES))
    with np.errstate(all="ignore"):
        values = values.astype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.sampled_from(["flat", "flat", "flat", "column", "list", "series"]))
    if shape == "series":
        native = values.astype(values.dtype.newbyteorder("="))
        return pd.Series(native, draw(indexes(n_rows)))
    return {"column": values[:, None], "list": values.tolist()}.get(shape, values)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@fuzz(12, data=st.data())
def test_rules(rule, data):
    rule = clone(rule)
    changed = data.draw(settings_of(rule))
    scores = data.draw(columns())
    y = data.draw(st.none() | labels(len(scores)))
    new = data.draw(columns())
    with case("fuzz"):
        if outcome_of(rule.set_params(**changed).fit, scores, y) is None:
            return
        assert np.ndim(rule.threshold_) == 0
        assert not np.isnan(rule.threshold_)
        if hasattr(rule, "p_values"):
            p_values = outcome_of(rule.p_values, new)
            assert p_values is None or (
                p_values.shape == (len(new),)
                and np.all((p_values > 0) & (p_values <= 1))
            )


@pytest.mark.parametrize("model", ERROR_MODELS, ids=repr)
@fuzz(12, data=st.data())
def test_error_models(model, data):
    model = clone(model)
    changed = data.draw(settings_of(model))
    shape = [
        data.draw(st.sampled_from([1, 2, 9, 40])),
        3,
        data.draw(st.sampled_from([1, 2])),
    ]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    kind = data.draw(st.sampled_from(list(VALUES)))
    residuals = VALUES[kind](rng, shape)
    codes = VALUES[data.draw(st.sampled_from(list(VALUES)))](rng, (shape[0], 2))
    with case("fuzz"):
        fitted = outcome_of(model.set_params(**changed).fit, residuals, codes)
        if fitted is None:
            return
        errors = outcome_of(fitted.window_errors, residuals, codes)
        if errors is not None:
            assert errors.shape == (shape[0],)
            assert np.isfinite(errors).all()
            parts = fitted.contributions(residuals, codes)
            assert parts.shape == tuple(shape)
            assert np.isfinite(parts).all()


# Functions ----------------------------------------------------------------------------

TIMES = [
    "2024-03-31 01:00",
    "2024-03-31T03:00",
    "31/03/2024",
    "03/31/2024 1:00 PM",
    "2024-03-31 01:00+02:00",
    "",
    "x",
    None,
    0,
    1.5,
    pd.Timestamp("2024-03-31"),
    pd.NaT,
    float("nan"),
    "1e400",
    "99999-01-01",
]
ENTRIES = [1, 2.5, "3", "x", None, np.nan, np.inf, "1e999", "-0", True, b"1", 10**30]
ENTRIES += [pd.NA, pd.Timestamp("2024-01-01"), [1], 2 + 1j, "\x00", "\uff11"]


@fuzz(150, data=st.data())
def test_clean_table(data):
    n_rows = data.draw(st.integers(0, 6))
    rows = st.lists(st.sampled_from(ENTRIES), min_size=n_rows, max_size=n_rows)
    times = st.lists(st.sampled_from(TIMES), min_size=n_rows, max_size=n_rows)
    table = pd.DataFrame({"a": data.draw(rows), "b": data.draw(rows)})
    where = data.draw(st.sampled_from(["column", "index", "none", "missing"]))
    if where == "column":
        table["time"] = data.draw(times)
    elif where == "index":
        table.index = pd.Index(data.draw(times), dtype=object)
    if data.draw(st.integers(0, 9)) == 0:
        table.columns = ["a"] * table.shape[1]
    timestamp = {"column": "time", "missing": "other"}.get(where)
    with case("fuzz"):
        before = table.copy()
        cleaned = outcome_of(clean_table, table, time=timestamp)
        pd.testing.assert_frame_equal(table, before)
        if cleaned is not None:
            assert len(cleaned) <= n_rows
            assert all(pd.api.types.is_numeric_dtype(kind) for kind in cleaned.dtypes)
            assert cleaned.index.is_unique
            assert cleaned.index.is_monotonic_increasing


@fuzz(150, data=st.data())
def test_sliding_windows(data):
    X = data.draw(tables())
    y = data.draw(st.none() | labels(len(X)))
    numbers = st.sampled_from([1, 2, 3, 10, 0, -1, 2.0, np.int64(2), 10**12, None, "x"])
    length, stride = data.draw(numbers), data.draw(numbers)
    gaps = [
        None,
        None,
        1,
        1.5,
        "1h",
        -1,
        "x",
        np.nan,
        pd.NaT,
        pd.Timedelta("1D"),
        np.inf,
    ]
    max_gap = data.draw(st.sampled_from(gaps))
    series = data.draw(st.none() | labels(len(X)))
    with case("fuzz"):
        cut = outcome_of(
            sliding_windows,
            X,
            y,
            window_length=length,
            stride=stride,
            series=series,
            max_gap=max_gap,
        )
        if cut is not None:
            windows = cut if y is None else cut[0]
            assert 1 <= len(windows) <= len(X)
            assert windows.shape[1] % length == 0
            if y is not None:
                assert cut[1].shape == (len(windows),)
                assert set(cut[1]) <= {-1, 1}


@fuzz(150, data=st.data())
def test_suggest_window_length(data):
    X = data.draw(tables())
    series = data.draw(st.none() | labels(len(X)))
    max_gap = data.draw(st.sampled_from([None, None, 1, "1h", "x", np.nan]))
    told = data.draw(st.sampled_from(["auto", "2h", "90min", "-1h", "x", "", "1s"]))
    cuts = [SlidingWindow(told), WindowedDetector(LinearAutoencoder(1), told)]
    estimator = data.draw(st.sampled_from(cuts))
    with case("fuzz"):
        length = outcome_of(suggest_window_length, X, series=series, max_gap=max_gap)
        assert length is None or 1 <= length <= max(1, len(X) // 5)
        if outcome_of(estimator.fit, X) is None:
            assert not hasattr(estimator, "window_length_")
        else:
            assert 1 <= estimator.window_length_ <= len(X)


@fuzz(150, data=st.data())
def test_split_roles(data):
    n_rows = data.draw(st.sampled_from([0, 1, 5, 20, 60]))
    shares = st.lists(
        st.sampled_from([0, 0.1, 0.25, 0.5, 1, -1, np.nan, np.inf, 1e300]),
        min_size=2,
        max_size=5,
    )
    defaults = {"normal_shares": (0.5, 0.1, 0.2, 0.2), "anomalous_shares": (0.5, 0.5)}
    chosen = {
        name: data.draw(st.just(value) | shares) for name, value in defaults.items()
    }
    y = data.draw(labels(n_rows))
    series = data.draw(st.none() | labels(n_rows))
    with case("fuzz"):
        roles = outcome_of(split_roles, y, series=series, **chosen)
        if roles is not None:
            rows = np.concatenate(list(roles.values()))
            np.testing.assert_array_equal(np.sort(rows), np.arange(len(y)))


EVENT_SCORES = [
    event_precision_score,
    event_recall_score,
    event_fbeta_score,
    detection_delay,
    false_alarms_per_day,
    point_adjusted_fbeta_score,
    range_precision_score,
    range_recall_score,
    range_fbeta_score,
    composite_fbeta_score,
    nab_score,
]


@pytest.mark.parametrize("score", EVENT_SCORES, ids=lambda score: score.__name__)
@fuzz(40, data=st.data())
def test_event_scores(score, data):
    n_rows = data.draw(st.sampled_from([0, 1, 2, 9, 40]))
    y_true, y_pred = data.draw(labels(n_rows)), data.draw(labels(n_rows))
    options = {"index": data.draw(st.none() | indexes(n_rows))}
    options["max_gap"] = data.draw(st.sampled_from([None, None, 1, "1h", np.nan, "x"]))
    own = {
        event_fbeta_score: "beta",
        point_adjusted_fbeta_score: "k",
        detection_delay: "unit",
        false_alarms_per_day: "rows_per_day",
        range_precision_score: "bias",
        range_recall_score: "alpha",
        range_fbeta_score: "cardinality",
        composite_fbeta_score: "beta",
        nab_score: "probation",
    }
    if score in own and data.draw(st.booleans()):
        options[own[score]] = data.draw(st.sampled_from([*SETTINGS, "h", "min"]))
    with case("fuzz"):
        value = outcome_of(score, y_true, y_pred, **options)
        assert value is None or (np.ndim(value) == 0 and not np.isinf(value))


@fuzz(60, data=st.data())
def test_affiliation(data):
    n_rows = data.draw(st.sampled_from([0, 1, 2, 9, 40]))
    y_true, y_pred = data.draw(labels(n_rows)), data.draw(labels(n_rows))
    options = {"index": data.draw(st.none() | indexes(n_rows))}
    options["beta"] = data.draw(st.just(1.0) | st.sampled_from(SETTINGS))
    with case("fuzz"):
        found = outcome_of(affiliation_scores, y_true, y_pred, **options)
        for value in found or ():
            assert np.isnan(value) or -1e-12 <= value <= 1 + 1e-12


@fuzz(60, data=st.data())
def test_best_fbeta(data):
    n_rows = data.draw(st.sampled_from([0, 1, 2, 9, 40]))
    y_true, y_score = data.draw(labels(n_rows)), data.draw(columns(n_rows))
    options = {
        "beta": data.draw(st.just(1.0) | st.sampled_from(SETTINGS)),
        "recall": data.draw(st.sampled_from(["rows", "events", None])),
        "index": data.draw(st.none() | indexes(n_rows)),
    }
    with case("fuzz"):
        value = outcome_of(best_fbeta_score, y_true, y_score, **options)
        assert value is None or np.isnan(value) or 0 <= value <= 1


VOLUMES = [vus_pr_score, vus_roc_score, range_auc_pr_score, range_auc_roc_score]


@pytest.mark.parametrize("score", VOLUMES)
@fuzz(40, data=st.data())
def test_volumes(score, data):
    n_rows = data.draw(st.sampled_from([0, 1, 2, 9, 40]))
    y_true, y_score = data.draw(labels(n_rows)), data.draw(columns(n_rows))
    counts = st.sampled_from([0, 1, 2, 5, -1, 1.0, None, "x", 100])
    options = {
        "window": data.draw(counts),
        "n_thresholds": data.draw(counts),
        "index": data.draw(st.none() | indexes(n_rows)),
        "max_gap": data.draw(st.sampled_from([None, None, 1, "1h", np.nan, "x"])),
    }
    with case("fuzz"):
        value = outcome_of(score, y_true, y_score, **options)
        assert value is None or np.isnan(value) or 0 <= value <= 1


@fuzz(150, data=st.data())
def test_find_and_merge_events(data):
    n_rows = data.draw(st.sampled_from([0, 1, 2, 9, 40]))
    y = data.draw(labels(n_rows))
    counts = st.sampled_from([0, 1, 2, 5, -1, 1.0, None, "x", 10**12])
    shared = {
        "index": data.draw(st.none() | indexes(n_rows)),
        "merge_gap": data.draw(counts),
        "min_length": data.draw(counts),
    }
    scores = data.draw(st.none() | columns(n_rows))
    parts = data.draw(st.none() | tables(3))
    apart = {
        "deviations": data.draw(st.none() | tables(3)),
        "window_length": data.draw(st.none() | counts),
    }
    with case("fuzz"):
        events = outcome_of(
            find_events, y, scores=scores, contributions=parts, **apart, **shared
        )
        merged = outcome_of(merge_events, y, **shared)
        if events is not None:
            assert len(events) <= len(y)
            assert (events["n_rows"] >= 1).all()
        if merged is not None:
            assert np.shape(merged) == (len(y),)


@fuzz(100, data=st.data())
def test_detection_report(data):
    n_rows = data.draw(st.sampled_from([0, 1, 2, 9, 40]))
    y_true, y_pred = data.draw(labels(n_rows)), data.draw(labels(n_rows))
    classes = data.draw(st.none() | labels(n_rows))
    beta = data.draw(st.just(1.0) | st.sampled_from(SETTINGS))
    with case("fuzz"):
        report = outcome_of(
            detection_report, y_true, y_pred, beta, class_labels=classes
        )
        if report is not None:
            assert report.n_samples == len(y_true)
            assert 0 <= report.accuracy <= 1
            assert repr(report)
            assert report.to_frame().shape[0] >= 1


METRICS = [
    "roc_auc",
    "average_precision",
    "f1",
    "fbeta",
    "event_f1",
    "precision",
    "x",
    1,
]


@fuzz(100, data=st.data())
def test_scorers(data):
    X = np.random.default_rng(0).normal(size=(20, 3))
    detector = LinearAutoencoder(1).fit(X)
    y = data.draw(labels(20))
    metric = data.draw(st.sampled_from(METRICS))
    params = data.draw(st.sampled_from([{}, {"beta": 2}, {"beta": "x"}, {"other": 1}]))
    with case("fuzz"):
        scorer = outcome_of(make_outlier_scorer, metric, **params)
        if scorer is not None:
            value = outcome_of(scorer, detector, X, y)
            assert value is None or np.ndim(value) == 0


@fuzz(60, data=st.data())
def test_explain(data):
    inside = data.draw(st.sampled_from(["linear", "windowed-one", "windowed", "tuned"]))
    fitted = clone(ESTIMATORS[inside]).fit(
        np.random.default_rng(0).normal(size=(30, 4))
    )
    X = data.draw(tables(4))
    timesteps = data.draw(st.sampled_from([False, True, 2, "x"]))
    with case("fuzz"):
        told = outcome_of(
            explain, fitted, X, timesteps=timesteps, return_deviations=True
        )
        expected = outcome_of(expected_values, fitted, X)
        for table in (*(told or ()), *([] if expected is None else [expected])):
            assert len(table) == len(X)
            assert np.isfinite(np.asarray(table, dtype=float)).all()


@fuzz(25, data=st.data())
def test_evaluate(data):
    X_train, X_test = data.draw(tables(3)), data.draw(tables(3))
    y_test = data.draw(labels(len(X_test)))
    X_val = data.draw(st.none() | tables(3))
    y_val = None if X_val is None else data.draw(st.none() | labels(len(X_val)))
    seeds = data.draw(st.sampled_from([1, 1, [3], 0, [], "x", None, [-1]]))
    detectors = data.draw(
        st.sampled_from([LinearAutoencoder(1), {"a": LinearAutoencoder(1)}, {}, 3])
    )
    with case("fuzz"):
        report = outcome_of(
            evaluate,
            detectors,
            X_train,
            X_test=X_test,
            y_test=y_test,
            X_val=X_val,
            y_val=y_val,
            seeds=seeds,
            references=data.draw(st.booleans()),
        )
        if report is not None:
            assert repr(report)


COUNTS = [0, 1, 2, 7, -1, 1.0, None, "x", True, np.int64(3), [1, 0, 0, 1], [1]]


@fuzz(60, data=st.data())
def test_makers_of_data(data):
    count = st.sampled_from(COUNTS)
    share = st.sampled_from([0, 0.1, 0.9, 1, -1, np.nan, "x", None])
    beats = {
        name: data.draw(count) for name in ("n_normal", "n_anomalies", "n_patients")
    }
    sensors = {
        "n_timestamps": data.draw(st.sampled_from([0, 5, 100, 300, "x", None])),
        "n_sensors": data.draw(count),
        "n_faults": data.draw(count),
        "missing_fraction": data.draw(share),
        "normal_fraction": data.draw(share),
        "freq": data.draw(st.sampled_from(["min", "h", "x", 1, None, "-1h", "MS"])),
        "start": data.draw(st.sampled_from(["2018-04-01", "x", None, "1677-09-22"])),
    }
    with case("fuzz"):
        made = outcome_of(make_heartbeats, **beats, random_state=0)
        if made is not None:
            assert made[0].shape == (len(made[1]), 187)
            assert np.isfinite(made[0]).all()
        made = outcome_of(make_sensors, **sensors, random_state=0)
        if made is not None:
            assert len(made[0]) == len(made[1]) == sensors["n_timestamps"]
            assert not np.isinf(made[0].to_numpy()).any()


# Files --------------------------------------------------------------------------------


PIECES = [b"", b"\n", b",", b";", b'"', b"\x00", b"nan", b"inf", b"1e999", b"-", b"\r"]
PIECES += [b"9" * 400, b"\xff\xfe", b"\xef\xbb\xbf", b" ", b"0x1p3", b"1_0", b"\xc3"]
PIECES += ["\uff11".encode()]


@st.composite
def damages(draw):
    """A few cuts, flips, swaps and insertions, as one function of bytes."""
    places = st.integers(0, 2**16)
    kinds = ["flip", "cut", "swap", "insert", "repeat", "remove"]
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from(kinds), places, places, st.sampled_from(PIECES)),
            min_size=1,
            max_size=4,
        )
    )

    def damage(data):
        for kind, at, to, text in steps:
            at, to = sorted((at % (len(data) + 1), to % (len(data) + 1)))
            data = {
                "flip": data[:at] + bytes(b ^ 1 << to % 8 for b in data[at : at + 1]),
                "cut": data[:at],
                "swap": data[to:] + data[at:to] + data[:at],
                "insert": data[:at] + text,
                "repeat": data[:to] + data[at:to],
                "remove": data[:at],
            }[kind] + {
                "flip": data[at + 1 :],
                "insert": data[at:],
                "repeat": data[to:],
                "remove": data[to:],
            }.get(kind, b"")
        return data

    return damage


def heartbeats_text():
    X, y = make_heartbeats(4, 2, random_state=0)
    return pd.DataFrame(np.column_stack([X.round(4), y])).to_csv(
        index=False, header=False
    )


def read_heartbeats(path):
    X, y = load_heartbeats(path)
    assert X.shape == (len(y), 187)
    assert np.isfinite(X).all()


def read_pump_sensors(path):
    X, y, status = load_pump_sensors(path, return_status=True)
    assert X.shape == (len(y), 52)
    assert len(status) == len(y)
    assert not np.isinf(X.to_numpy()).any()


def read_skab(path):
    X, y = load_skab(path.parent)
    assert X.shape == (len(y), 8)
    assert np.isfinite(X.to_numpy()).all()


def read_keogh_discords(path):
    try:
        series = load_keogh_discords(path.parent)
    except FileNotFoundError:  # the damage has made a label -1, unknown
        return
    X, y = series["sensor"]
    assert X.shape == (len(y), 2)
    assert np.isfinite(X.to_numpy()).all()


READERS = {
    "heartbeats": (heartbeats_text, read_heartbeats),
    "pump": (lambda: pump_text(400), read_pump_sensors),
    "skab": (lambda: skab_text(n_timestamps=300), read_skab),
    "keogh": (lambda: keogh_text(2), read_keogh_discords),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a sound file for each reader."""
    folder = tmp_path_factory.mktemp("files")
    for name, (text, _) in READERS.items():
        (folder / name).write_bytes(text().encode())
    return folder


@pytest.mark.parametrize("packed", [False, True], ids=["text", "gzip"])
@pytest.mark.parametrize("name", READERS)
@fuzz(25, damage=damages())
def test_readers(name, packed, damage, files, tmp_path):
    path = tmp_path / ("sensor.csv.gz" if packed else "sensor.csv")
    sound = (files / name).read_bytes()
    # damage to what is packed, and to the package
    path.write_bytes(damage(gzip.compress(sound, mtime=0) if packed else sound))
    with case("fuzz"):
        outcome_of(READERS[name][1], path)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with model files."""
    folder = tmp_path_factory.mktemp("models")
    X = np.random.default_rng(0).normal(size=(40, 4))
    for name in ("linear-hybrid", "mlp", "windowed", "tail"):
        save(clone(ESTIMATORS[name]).fit(X), folder / name)
    return folder


@pytest.mark.parametrize("name", ["linear-hybrid", "mlp", "windowed", "tail"])
@fuzz(60, damage=damages())
def test_load_of_damaged_files(name, damage, models):
    path, sound = models / "damaged.skad", (models / name).read_bytes()
    damaged = damage(sound)
    path.write_bytes(damaged)
    with case("fuzz"):
        assert outcome_of(load, path) is None or damaged == sound


@pytest.mark.parametrize("name", ["linear-hybrid", "mlp", "windowed", "tail"])
@fuzz(60, damage=damages())
def test_load_of_damaged_arrays_under_a_right_checksum(name, damage, models):
    """What a forged model says is not promised, only that Python lives on."""
    path = models / "damaged.skad"
    header, view = _files.read_file(models / name)
    header = json.loads(header)
    damaged = (damage(bytes(view)) + bytes(len(view)))[: len(view)]
    path.write_bytes(b"".join(map(bytes, _files.pack(header, [memoryview(damaged)]))))
    X = np.random.default_rng(0).normal(size=(5, 4))
    with case("fuzz"), np.errstate(all="ignore"):
        loaded = outcome_of(load, path)
        with suppress(Exception):
            (loaded.transform if name == "tail" else loaded.score_samples)(X)


# Memory -------------------------------------------------------------------------------

# Peak over the size of the file: text turns into numbers of 8 bytes, and lines are
# looked through once more where something is wrong.
READER_FACTOR = 30


def peak_of(call, *args):
    """Most memory that Python and numpy hold in a call."""
    outcome_of(call, *args)  # what is imported or cached on the way does not count
    tracemalloc.start()
    try:
        outcome_of(call, *args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


LARGE_FILES = {
    "one endless line": lambda sound: b"1," * 500_000,
    "one endless field": lambda sound: b"9" * 1_000_000,
    "one open quote": lambda sound: sound + b'"' + b"x," * 500_000,
    "only line ends": lambda sound: b"\n" * 300_000,
    "only zero bytes": lambda sound: b"\x00" * 1_000_000,
    "sound until the end": lambda sound: sound + sound.split(b"\n", 1)[1] * 20 + b"x",
}


@pytest.mark.parametrize("damage", LARGE_FILES)
@pytest.mark.parametrize("name", READERS)
def test_memory_of_readers__stays_below_a_factor_of_the_file(
    name, damage, files, tmp_path
):
    path = tmp_path / "sensor.csv"
    path.write_bytes(LARGE_FILES[damage]((files / name).read_bytes()))
    with case("fuzz"):
        with pytest.raises(ValueError, match=r"sensor\.csv, line \d+, "):
            READERS[name][1](path)
        assert peak_of(READERS[name][1], path) < (
            READER_FACTOR * path.stat().st_size + 2**20
        )


# What fuzzing has found ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["mlp", "conv", "lstm", "custom"])
def test_found__float32_overflows_in_a_net__is_refused_not_scored_as_nan(name):
    X = np.random.default_rng(0).normal(size=(30, 4))
    detector = clone(ESTIMATORS[name]).fit(X)
    X[7] = [FLOAT32_MAX, -FLOAT32_MAX, FLOAT32_MAX, -FLOAT32_MAX]
    for method in ("score_samples", "predict", "reconstruct", "explain"):
        result = outcome_of(getattr(detector, method), X)
        assert result is None or np.isfinite(result).all()


def test_found__float32_overflow__names_the_window():
    X = np.random.default_rng(0).normal(size=(30, 1))
    detector = clone(ESTIMATORS["tuned-net"]).fit(X)
    X[7] = FLOAT32_MAX
    with pytest.raises(ValueError, match=r"of 1 windows is not finite.*window 7: "):
        detector.score_samples(X)


def test_found__code_that_overflows_behind_tanh__is_refused():
    X = np.random.default_rng(0).normal(size=(40, 12))
    options = {"linear_path": None, "latent_activation": "tanh", "max_epochs": 1}
    detector = MLPAutoencoder((), 1, random_state=0, **options).fit(X)
    weights = detector.net_.module_.code_layer.weight.detach().numpy()
    X[:1] = FLOAT32_MAX * np.sign(weights)
    with pytest.raises(ValueError, match=r"of 1 windows is not finite.*window 0: "):
        detector.score_samples(X)


@pytest.mark.parametrize("name", ["mlp", "conv", "tuned-net"])
@pytest.mark.parametrize("size", [FLOAT32_MAX, 1e-42])
def test_found__spread_beyond_float32__diverges_or_is_learnt(name, size):
    X = size * np.tile([-1.0, 1.0], (4, 20)).T
    detector = outcome_of(clone(ESTIMATORS[name]).fit, X)
    assert detector is None or np.isfinite(detector.score_samples(X)).all()


@pytest.mark.parametrize("max_gap", ["", "NaT", pd.NaT, np.timedelta64("NaT"), np.nan])
def test_found__max_gap_that_is_no_time__is_refused(max_gap):
    times = pd.date_range("2024-01-01", periods=9, freq="h")
    table = pd.DataFrame(np.arange(9.0), index=times)
    with pytest.raises(ValueError, match="max_gap="):
        sliding_windows(table, window_length=2, max_gap=max_gap)
    with pytest.raises(ValueError, match="max_gap="):
        clone(ESTIMATORS["windowed-one"]).set_params(max_gap=max_gap).fit(table)


def test_found__failed_fit_of_sliding_window__leaves_nothing():
    window = clone(ESTIMATORS["sliding"])
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        window.fit(pd.DataFrame({"a": []}))
    assert set(vars(window)) == set(window.get_params())


def test_found__complex_numbers__are_refused_by_clean_table():
    for values in (["3", 2 + 1j], np.array([3, 2 + 1j])):
        with pytest.raises(ValueError, match="'b' holds complex numbers"):
            clean_table(pd.DataFrame({"a": [1, 2], "b": values}))


@pytest.mark.filterwarnings("error")
def test_found__numbers_among_texts__are_no_seconds_since_1970():
    table = pd.DataFrame(
        {"a": [1.0, 2.0]}, index=pd.Index(["2024-01-01", 5], dtype=object)
    )
    with pytest.raises(
        ValueError, match="Row 1 has no readable timestamp in the index: 5"
    ):
        clean_table(table)


def test_found__cv_without_splits__is_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    tuned = clone(ESTIMATORS["tuned-share"]).set_params(cv=[])
    with pytest.raises(ValueError, match=r"cv=\[\] makes no splits"):
        tuned.fit(X)
