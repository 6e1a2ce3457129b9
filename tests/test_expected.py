"""Expected values in the user's units: against slow loops, behind steps, refused."""

import naive_reference
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from test_reference import machine

from skad import (
    DetectorClassifier,
    FixedThresholdDetector,
    LinearAutoencoder,
    MLPAutoencoder,
    SlidingWindow,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    expected_values,
    explain,
    load,
    make_heartbeats,
    save,
)

LENGTH = 8


def windowed(inner=None):
    inner = LinearAutoencoder() if inner is None else inner
    return WindowedDetector(inner, LENGTH)


def table(n_rows=600, n_channels=5):
    """Sensors of very different units, with one gap in time."""
    values = machine(0, n_rows, n_channels) * [1, 50, 0.01, 3, 7] + [0, 300, 2, 0, -9]
    minutes = np.arange(n_rows) + 60 * (np.arange(n_rows) > 450)
    index = pd.Timestamp("2018-04-01") + pd.to_timedelta(minutes, unit="min")
    return pd.DataFrame(values, index=index, columns=list("abcde"))


def slow(reference, segment):
    """Mean over the windows, a quarter of their length apart, that cover each row."""
    length = len(reference.mean)
    last = len(segment) - length
    starts = [*range(0, last, max(1, length // 4)), last]
    found = [[] for _ in segment]
    for start in starts:
        window = naive_reference.expected(reference, segment[start : start + length])
        for step, row in enumerate(window):
            found[start + step].append(row)
    return np.array([np.mean(rows, axis=0) for rows in found])


def test_rows__are_those_of_a_loop():
    X = table()
    pipeline = make_pipeline(StandardScaler(), windowed()).set_output(
        transform="pandas"
    )
    pipeline.fit(X[:400])
    found = expected_values(pipeline, X)
    scaled = pipeline[0].transform(X).to_numpy()
    reference = pipeline[-1].estimator_.reference_
    parts = [slow(reference, scaled[:451]), slow(reference, scaled[451:])]
    expected = pipeline[0].inverse_transform(np.concatenate(parts))
    assert found.index.equals(X.index)
    assert list(found) == list(X)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_segments_shorter_than_a_window__are_padded_in_front():
    X = table().to_numpy()
    detector = windowed().fit(X[:400])
    padded = np.concatenate([np.repeat(X[:1], LENGTH - 3, axis=0), X[:3]])
    expected = slow(detector.estimator_.reference_, padded)[-3:]
    np.testing.assert_allclose(expected_values(detector, X[:3]), expected, rtol=1e-6)


def test_units_of_the_user__and_faults_are_not_followed():
    X = table()
    broken = X.copy()
    broken.iloc[500:560, 1] += 150
    pipeline = make_pipeline(StandardScaler(), windowed())
    pipeline.set_output(transform="pandas").fit(X[:400])
    expected = expected_values(pipeline, broken)
    at = slice(510, 550)
    assert (expected - X).iloc[at, 1].abs().mean() < 0.3 * X.iloc[:, 1].std()
    parts, deviations = explain(pipeline, broken, return_deviations=True)
    assert list(deviations) == list(parts) == list(X)
    scaled = pipeline[0].transform(broken)
    behind = pipeline[0].transform(expected)
    np.testing.assert_allclose(deviations, scaled - behind, atol=1e-9)
    assert (deviations.iloc[at, 1] > 0).all()
    assert parts.iloc[at].sum().idxmax() == "b"


def cube(X):
    return X**3


STEPS = [
    [StandardScaler()],
    [MinMaxScaler(), RobustScaler()],
    [PowerTransformer()],
    ["passthrough", make_pipeline(StandardScaler(), MinMaxScaler())],
    [FunctionTransformer(), StandardScaler()],
    [FunctionTransformer(np.cbrt, inverse_func=cube)],
    [SimpleImputer(), StandardScaler()],
    [KNNImputer(), make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())],
    [TimeSeriesImputer(add_indicator=True), StandardScaler()],
    [PCA(5)],
]


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("pandas", [True, False])
def test_steps__are_taken_back(steps, pandas):
    """What is projected on all components is itself, in the units of the table."""
    X = table()[:400] / table()[:400].std()
    X = X if pandas else X.to_numpy()
    pipeline = make_pipeline(*steps, windowed()).fit(X)
    found = expected_values(pipeline, X)
    assert isinstance(found, type(X))
    assert found.shape == X.shape
    assert np.sqrt(np.mean((np.asarray(found) - np.asarray(X)) ** 2)) < 0.5


def test_columns_that_a_step_drops__are_missing():
    X = table()
    X["c"] = np.nan
    X.loc[X.index[::3], "e"] = np.nan
    imputer = TimeSeriesImputer(max_missing=0.5, add_indicator=True)
    found = expected_values(make_pipeline(imputer, windowed()).fit(X[:400]), X)
    assert found["c"].isna().all()
    assert found.drop(columns="c").notna().all(axis=None)
    full = table()
    full["c"] = 1.0
    chosen = make_pipeline(VarianceThreshold(), windowed()).fit(full[:400])
    found = expected_values(chosen, full)
    assert found.isna().all().tolist() == [False, False, True, False, False]
    own = expected_values(chosen[-1], full.drop(columns="c").to_numpy())
    assert (found.drop(columns="c").to_numpy() == own).all()


def wraps(pipeline):
    yield make_pipeline(pipeline)
    yield FixedThresholdDetector(pipeline, -0.1)
    yield TunedThresholdDetector(FrozenEstimator(pipeline), cv="prefit")
    yield DetectorClassifier(pipeline)
    yield GridSearchCV(pipeline, {}, scoring=lambda *args: 0.0, cv=2)
    yield make_pipeline(pipeline[0], FixedThresholdDetector(pipeline[-1], -0.1))
    yield make_pipeline(FunctionTransformer(), DetectorClassifier(pipeline))


@pytest.mark.parametrize("number", range(7))
def test_wrappers__hide_nothing(number):
    X = table()[:300]
    pipeline = make_pipeline(StandardScaler(), windowed()).fit(X)
    y = np.where(np.arange(len(X)) % 50 == 0, -1, 1)
    estimator = list(wraps(pipeline))[number].fit(X, y)
    pd.testing.assert_frame_equal(
        expected_values(estimator, X), expected_values(pipeline, X)
    )


def test_steps_inside_the_windows__are_taken_back_too():
    X = table().to_numpy()
    inner = make_pipeline(StandardScaler(), LinearAutoencoder(n_channels=5))
    found = expected_values(windowed(inner).fit(X[:400]), X)
    plain = expected_values(windowed().fit(X[:400]), X)
    error = (found - plain) / X.std(axis=0)
    assert np.sqrt(np.mean(error**2)) < 0.1


@given(
    n_rows=st.integers(1, 12),
    window_length=st.integers(1, 5),
    border=st.integers(0, 12),
)
def test_windows_that_end_at_rows__are_averaged_as_by_a_loop(
    n_rows, window_length, border
):
    from skad.series._cover import average_of_lags

    windows = np.random.default_rng(0).normal(size=(n_rows, window_length, 2))
    segments = [range(min(border, n_rows)), range(min(border, n_rows), n_rows)]
    segments = [segment for segment in segments if len(segment)]
    found = average_of_lags(windows, [(s.start, s.stop) for s in segments])
    for segment in segments:
        for row in segment:
            ends = [end for end in segment if row <= end < row + window_length]
            values = [windows[end, window_length - 1 - (end - row)] for end in ends]
            np.testing.assert_allclose(found[row], np.mean(values, axis=0))


def test_sliding_windows_in_a_pipeline__are_rows_of_the_table():
    X = table()
    inner = LinearAutoencoder(n_channels=5)
    pipeline = make_pipeline(StandardScaler(), SlidingWindow(LENGTH), inner)
    pipeline.set_output(transform="pandas").fit(X[:400])
    found = expected_values(pipeline, X)
    assert list(found) == list(X)
    again = make_pipeline(StandardScaler(), windowed()).set_output(transform="pandas")
    again = expected_values(again.fit(X[:400]), X)
    error = (found - again) / X.std()
    assert error.abs().mean(axis=None) < 0.1


def test_windows__keep_their_shape():
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    deep = LinearAutoencoder(3).fit(X)
    flat = LinearAutoencoder(3, n_channels=2).fit(X.reshape(40, 12))
    found = expected_values(deep, X)
    assert found.shape == X.shape
    assert (expected_values(flat, X.reshape(40, 12)) == found.reshape(40, 12)).all()
    framed = pd.DataFrame(X.reshape(40, 12)).add_prefix("v")
    named = LinearAutoencoder(3, n_channels=2).fit(framed)
    assert list(expected_values(named, framed)) == list(framed)
    parts, deviations = explain(deep, X, timesteps=True, return_deviations=True)
    np.testing.assert_array_equal(deviations, (X - found).reshape(40, 12))
    assert deviations.columns.equals(parts.columns)
    _, deviations = explain(deep, X, return_deviations=True)
    np.testing.assert_allclose(deviations, (X - found).mean(axis=1))


def test_windows_of_one_channel__are_expected_by_their_components():
    X, _ = make_heartbeats(100, 0, random_state=0)
    found = expected_values(LinearAutoencoder().fit(X), X)
    assert np.sqrt(np.mean((found - X) ** 2)) < 0.3 * X.std()


def test_net_and_file__expect_the_same(tmp_path):
    X = table()[:200]
    net = MLPAutoencoder((8,), 2, max_epochs=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), windowed(net)).fit(X)
    loaded = load(save(pipeline, tmp_path / "net.skad"))
    expected = expected_values(pipeline, X)
    pd.testing.assert_frame_equal(expected_values(loaded, X), expected)
    linear = make_pipeline(StandardScaler(), windowed()).fit(X)
    error = (expected_values(linear, X) - expected).abs().mean() / X.std()
    assert (error < 0.1).all()  # the same behind every detector


@pytest.mark.parametrize(
    "step",
    [
        Normalizer(),
        FunctionTransformer(np.cbrt),
        make_column_transformer((StandardScaler(), list("abcde"))),
    ],
)
def test_steps_that_cannot_be_taken_back__are_named(step):
    X = table()[:300]
    pipeline = make_pipeline(step, windowed()).fit(X)
    with pytest.raises(TypeError, match=f"back through {type(step).__name__}"):
        expected_values(pipeline, X)
    explain(pipeline, X, return_deviations=True)  # in the units behind the step


def test_what_knows_nothing__is_refused():
    X = table()[:300].to_numpy()
    forest = IsolationForest(n_estimators=2, random_state=0)
    for detector in (clone(forest), windowed(forest), make_pipeline(forest)):
        with pytest.raises(TypeError, match="knows no expected values"):
            expected_values(detector.fit(X), X)
    with pytest.raises(NotFittedError):
        expected_values(windowed(), X)
    old = windowed().fit(X)
    del old.estimator_.reference_
    with pytest.raises(ValueError, match=r"fitted by skad 0.1.0"):
        expected_values(old, X)
    scores = -old.score_samples(X)
    np.testing.assert_allclose(old.explain(X).sum(axis=1), scores)
