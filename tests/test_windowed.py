"""WindowedDetector: one score for each row."""

import copy
import pickle
import tracemalloc
from unittest import mock

import naive_windows
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from instances import FAST
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skad import (
    EncDecAD,
    FixedThresholdDetector,
    LinearAutoencoder,
    MahalanobisErrors,
    MLPAutoencoder,
    SigmaThreshold,
    TunedThresholdDetector,
    WindowedDetector,
    sliding_windows,
    split_roles,
)
from skad._nesting import find_layer
from skad.detectors._base import BaseAutoencoder
from skad.series import _aggregate
from skad.series._aggregate import aggregate_timesteps, aggregate_windows
from skad.series._rows import read_rows
from skad.series._table_windows import TableWindows

HOW = ["mean", "median", "max", "last"]


def cycle(n_rows, n_channels=3, seed=0):
    """A machine in its cycle, with a little noise."""
    t = np.arange(n_rows)[:, None] + 5 * np.arange(n_channels)
    noise = np.random.default_rng(seed).normal(size=t.shape)
    return np.sin(t / 6) + 0.05 * noise


# Aggregation --------------------------------------------------------------------------


def check_aggregation(errors, starts, window_length, n_rows, how, block):
    """Both levels equal the loop, and any other blocks give the very same."""
    shape = (starts, window_length, n_rows, how)
    for aggregate, own in [
        (aggregate_timesteps, errors),
        (aggregate_windows, errors[:, 0]),
    ]:
        found = aggregate(lambda i, j, own=own: own[i:j], *shape, block)
        expected = naive_windows.row_errors(own, *shape)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        at_once = aggregate(lambda i, j, own=own: own[i:j], *shape, len(starts))
        np.testing.assert_array_equal(found, at_once)


@given(
    n_rows=st.integers(1, 40),
    window_length=st.integers(1, 12),
    stride=st.integers(1, 12),
    block=st.integers(1, 9),
    how=st.sampled_from(HOW),
    kind=st.sampled_from(["normal", "heavy", "not finite"]),
    at_once=st.integers(1, 40),
)
@settings(max_examples=400)
def test_aggregation__equals_the_loop(
    n_rows, window_length, stride, block, how, kind, at_once
):
    assume(n_rows >= window_length >= stride)
    starts = np.array(naive_windows.starts_of(n_rows, window_length, stride))
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(len(starts), window_length))
    if kind == "heavy":
        errors = 10.0 ** (5 * errors)
    elif kind == "not finite":
        errors[errors > 1.5] = np.inf
        errors[errors < -1.5] = np.nan
    sizes = ["_ROWS_AT_ONCE", "_VALUES_AT_ONCE", "_SHIFTS_AT_ONCE"]
    with mock.patch.multiple(_aggregate, **dict.fromkeys(sizes, at_once)):
        check_aggregation(errors, starts, window_length, n_rows, how, block)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("stride", [1, 3, 150])
def test_aggregation__equals_the_loop_at_its_own_sizes(how, stride):
    starts = np.array(naive_windows.starts_of(700, 150, stride))
    errors = np.random.default_rng(0).lognormal(size=(len(starts), 150))
    check_aggregation(errors, starts, 150, 700, how, 200)


@pytest.mark.parametrize("aggregate", [aggregate_timesteps, aggregate_windows])
@pytest.mark.parametrize("how", HOW)
def test_aggregation__holds_little_but_one_number_a_row(aggregate, how):
    n_rows, width = 1_000_000, 4 if aggregate is aggregate_timesteps else 1
    errors = np.zeros((1024, width)) if width > 1 else np.zeros(1024)
    starts = np.arange(n_rows - 3)
    tracemalloc.start()
    aggregate(lambda i, j: errors[: j - i], starts, 4, n_rows, how, 1024)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * 8 * n_rows


@given(
    lengths=st.lists(st.integers(1, 25), min_size=1, max_size=4),
    window_length=st.integers(1, 6),
    stride=st.integers(1, 4),
    level=st.sampled_from(["timestep", "window"]),
    how=st.sampled_from(HOW),
    dtype=st.sampled_from(["f4", "f8"]),
)
@settings(max_examples=100)
@pytest.mark.filterwarnings("ignore:.*are shorter than window_length:UserWarning")
def test_scores__equal_the_loop_over_segments(
    lengths, window_length, stride, level, how, dtype
):
    stride = min(stride, window_length)
    detector = WindowedDetector(
        LinearAutoencoder(1, error_model="std"),
        window_length,
        stride=stride,
        level=level,
        aggregate=how,
    ).fit(cycle(60))
    parts = [cycle(n, seed=i).astype(dtype) for i, n in enumerate(lengths)]
    series = np.repeat(np.arange(len(lengths)), lengths)
    table = np.concatenate(parts)
    expected = [
        naive_windows.segment_scores(
            detector.estimator_, part, window_length, stride, level, how
        )
        for part in parts
    ]
    np.testing.assert_allclose(
        detector.score_samples(table, series=series),
        np.concatenate(expected),
        rtol=1e-9,
    )
    index = pd.MultiIndex.from_arrays([series, np.arange(len(table))])
    np.testing.assert_array_equal(
        detector.score_samples(
            pd.DataFrame(table, index=index).to_numpy(), series=series
        ),
        detector.score_samples(table, series=series),
    )


@pytest.mark.parametrize(
    "inner",
    [
        LinearAutoencoder(2),
        MLPAutoencoder((16,), 3, **FAST),
        EncDecAD(6, lr=1e-2, max_epochs=15, random_state=0),
        IsolationForest(random_state=0),
        make_pipeline(StandardScaler(), LinearAutoencoder(2)),
    ],
    ids=["linear", "mlp", "encdec-ad", "forest", "pipeline"],
)
def test_planted_anomaly__is_found(inner):
    table = cycle(900)
    table[700:715] = 0.0
    detector = WindowedDetector(inner, 20).fit(table[:500])
    scores = detector.score_samples(table[500:])
    assert scores.dtype == np.float64
    assert roc_auc_score(np.isin(np.arange(500, 900), range(700, 715)), -scores) > 0.9
    copied = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(copied.score_samples(table[500:]), scores)


@pytest.mark.parametrize("level", ["timestep", "window"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("error_model", ["mse", "mahalanobis", "hybrid"])
def test_contributions__add_up_to_the_score(level, how, stride, error_model):
    table = cycle(300)
    table[150:160, 2] = 3.0
    detector = WindowedDetector(
        LinearAutoencoder(2, error_model=error_model),
        10,
        level=level,
        aggregate=how,
        stride=stride,
    ).fit(table[:120])
    shares = detector.explain(table)
    assert shares.shape == (300, 3)
    np.testing.assert_allclose(
        shares.sum(axis=1), -detector.score_samples(table), rtol=1e-9, atol=1e-12
    )
    assert (shares[152:158].argmax(axis=1) == 2).mean() > 0.5
    short = detector.explain(table[:4])
    with pytest.warns(UserWarning, match="4 of 4 rows, are shorter .* and are padded"):
        scores = detector.score_samples(table[:4])
    np.testing.assert_allclose(short.sum(axis=1), -scores, rtol=1e-9, atol=1e-12)
    assert not hasattr(WindowedDetector(IsolationForest(), 10), "explain")


# What is learnt from ------------------------------------------------------------------


class Spy(IsolationForest):
    """Remembers the windows it is fitted on."""

    def fit(self, X, y=None, sample_weight=None):
        self.windows_ = np.array(X)
        return super().fit(X)


def ramp(n_rows):
    return np.arange(2.0 * n_rows).reshape(n_rows, 2)


def test_normal_label__windows_are_cut_then_dropped():
    y = np.zeros(30, dtype=int)
    y[[10, 20]] = 1
    detector = WindowedDetector(Spy(n_estimators=2, random_state=0), 4, normal_label=0)
    seen = detector.fit(ramp(30), y).estimator_.windows_[:, 0] / 2
    starts = [s for s in range(27) if not y[s : s + 4].any()]
    assert seen.tolist() == starts


def test_borders__no_window_crosses_one():
    series = np.repeat(["a", "b"], [12, 18])
    detector = WindowedDetector(Spy(n_estimators=2, random_state=0), 4, stride=3)
    seen = detector.fit(ramp(30), series=series).estimator_.windows_[:, 0] / 2
    assert seen.tolist() == [0, 3, 6, 8, 12, 15, 18, 21, 24, 26]
    index = pd.MultiIndex.from_arrays([series, np.arange(30)])
    again = detector.fit(pd.DataFrame(ramp(30), index=index, columns=["a", "b"]))
    assert (again.estimator_.windows_[:, 0] / 2).tolist() == seen.tolist()


def test_short_segments__are_left_out_with_a_warning_that_counts_them():
    series = np.repeat(["a", "b", "c"], [20, 3, 7])
    detector = WindowedDetector(Spy(n_estimators=2, random_state=0), 8)
    with pytest.warns(UserWarning, match="2 of 3 segments, 10 of 30 rows, are shorter"):
        detector.fit(ramp(30), series=series)
    assert len(detector.estimator_.windows_) == 13
    with pytest.warns(UserWarning, match="2 of 3 segments, .* their scores tell litt"):
        assert detector.score_samples(ramp(30), series=series).shape == (30,)


@pytest.mark.parametrize("level", ["window", "timestep"])
def test_series__predict_and_fit_predict_keep_them_apart(level):
    table, series = np.concatenate([cycle(100), 3 + cycle(100)]), np.repeat([0, 1], 100)
    detector = WindowedDetector(
        LinearAutoencoder(2), 20, level=level, contamination=0.1
    )
    labels = detector.fit_predict(table, series=series)
    scores = detector.score_samples(table, series=series)
    np.testing.assert_array_equal(labels, np.where(scores < detector.offset_, -1, 1))
    np.testing.assert_array_equal(labels, detector.predict(table, series=series))
    decision = detector.decision_function(table, series=series)
    np.testing.assert_array_equal(decision, scores - detector.offset_)
    as_one = detector.predict(table, series=np.zeros(200))
    assert (labels != as_one).any()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda detector: make_pipeline(StandardScaler(), detector),
        lambda detector: make_pipeline("passthrough", MinMaxScaler(), detector),
        FixedThresholdDetector,
        lambda detector: FixedThresholdDetector(
            make_pipeline(StandardScaler(), detector), -1.0
        ),
        lambda detector: GridSearchCV(
            detector, {"latent_dim": [2]}, scoring=lambda *_: 0.0
        ),
    ],
)
def test_inner_detector__in_wrappers__is_told_the_channels(wrap):
    if wrap is FixedThresholdDetector:
        wrapped = FixedThresholdDetector(LinearAutoencoder(2), -1.0)
    else:
        wrapped = wrap(LinearAutoencoder(2))
    fitted = WindowedDetector(wrapped, 10).fit(cycle(100)).estimator_
    inner = find_layer(fitted, "components_")
    assert (inner.window_length_, inner.n_channels_) == (10, 3)


def test_inner_detector__behind_other_columns_or_frozen__is_left_alone():
    reduced = make_pipeline(PCA(4), LinearAutoencoder(2))
    fitted = WindowedDetector(reduced, 10).fit(cycle(100)).estimator_
    assert (fitted[-1].window_length_, fitted[-1].n_channels_) == (4, 1)
    frozen = FrozenEstimator(
        LinearAutoencoder(2).fit(sliding_windows(cycle(50), window_length=10))
    )
    WindowedDetector(frozen, 10).fit(cycle(100))
    assert frozen.estimator.n_channels == 1


def test_level_timestep__needs_a_detector_with_score_timesteps():
    detector = WindowedDetector(IsolationForest(), 10, level="timestep")
    with pytest.raises(ValueError, match="which IsolationForest lacks"):
        detector.fit(cycle(100))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (None, "Only 1 windows of 10 rows are there; at least 2"),
        ("ok", r"Only 0 windows .* normal_label='ok'; .* y holds \['fine', 'bad'\]"),
        ("bad", "Only 0 windows .* Use a shorter window"),
    ],
)
def test_too_few_windows__says_why(label, message):
    y = np.where(np.arange(10) % 5 == 3, "bad", "fine")
    detector = WindowedDetector(LinearAutoencoder(1), 10, normal_label=label)
    with pytest.raises(ValueError, match=message):
        detector.fit(cycle(10), y)


def test_view_and_copy__teach_the_same():
    """Windows picked by label from a view, or as an array: the same windows."""
    table = cycle(200)
    y = np.zeros(200, dtype=int)
    y[50:60] = 1
    detector = WindowedDetector(
        MLPAutoencoder((8,), 2, early_stopping=False, **FAST), 10, normal_label=0
    ).fit(table, y)
    rows = [s for s in range(191) if not y[s : s + 10].any()]
    windows = naive_windows.windows_of(table, 10)[rows]
    alone = clone(detector.estimator).set_params(n_channels=3).fit(windows)
    np.testing.assert_array_equal(
        detector.estimator_.score_samples(windows), alone.score_samples(windows)
    )


def test_validation__is_the_tail_of_each_series_and_shares_no_row():
    series = np.repeat([0, 1], [150, 250])
    starts = np.concatenate([np.arange(141), np.arange(150, 391)])
    rows = read_rows(cycle(400), series)
    windows = TableWindows(cycle(400), rows, 10, starts, np.ones(400, dtype=bool))
    train, tails = windows.split_off_tails(0.1)
    assert np.flatnonzero(tails.judged).tolist() == [*range(127, 150), *range(367, 400)]
    train, held_out = train.starts, tails.starts
    assert [np.sum(series[held_out] == s) for s in (0, 1)] == [14, 24]
    for one in (0, 1):
        tail = held_out[series[held_out] == one]
        own = train[series[train] == one]
        assert tail.max() == starts[series[starts] == one].max()
        assert own.max() + 10 <= tail.min()
    net = MLPAutoencoder((8,), 2, refit=False, **FAST)
    detector = WindowedDetector(net, 10).fit(cycle(400), series=series)
    assert detector.estimator_.best_epoch_ is not None


@pytest.mark.filterwarnings("ignore:Only .* would remain:UserWarning")
@pytest.mark.parametrize("window_length", [1, 2, 5])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("n_series", [1, 2])
def test_tails__of_every_length__as_by_loops(window_length, fraction, n_series):
    """Also where exactly half, two or just too few windows are left."""
    kept = []
    for length in range(window_length + 1, 45):
        lengths = [length] * n_series
        series = np.repeat(np.arange(n_series), length)
        table = cycle(len(series))
        starts = np.flatnonzero(
            np.tile(np.arange(length), n_series) + window_length <= length
        )
        rows = read_rows(table, series)
        judged = np.ones(len(table), dtype=bool)
        windows = TableWindows(table, rows, window_length, starts, judged)
        train, tails = windows.split_off_tails(fraction)
        expected = naive_windows.tails_by_loops(lengths, window_length, fraction)
        assert (tails is None) == (expected is None)
        kept.append(tails is not None)
        if expected is not None:
            assert train.starts.tolist() == expected[0]
            assert tails.starts.tolist() == expected[1]
    assert True in kept
    assert False in kept


@pytest.mark.parametrize("error_model", ["mse", "hybrid"])
def test_refit__learns_all_windows_and_keeps_the_threshold(error_model):
    table = cycle(300)
    net = MLPAutoencoder((8,), 2, error_model=error_model, **FAST)
    detector = WindowedDetector(net, 10).fit(table)
    # by hand: in-sample units in both fits, as refit=True asks for
    windows = sliding_windows(table, window_length=10)
    first = clone(net).set_params(n_channels=table.shape[1])
    first.fit(windows[:-38], X_val=windows[-29:])
    whole = copy.deepcopy(first)
    whole._refit_positions(windows, np.arange(len(windows)))
    np.testing.assert_allclose(
        detector.estimator_.score_samples(windows), whole.score_samples(windows)
    )
    # as of a net that refits by itself: of the first training
    assert detector.estimator_.best_epoch_ == first.best_epoch_
    losses = ["train_loss", "valid_loss"]
    pd.testing.assert_frame_equal(
        detector.estimator_.history_[losses], first.history_[losses]
    )


def test_validation__too_little_left_trains_on_all_without_stopping():
    detector = WindowedDetector(MLPAutoencoder((8,), 2, **FAST), 20)
    with pytest.warns(UserWarning, match=r"Only \d+ of 31 windows would remain"):
        detector.fit(cycle(50))
    assert detector.estimator_.best_epoch_ is None


def test_channels__are_told_to_the_clone_that_is_fitted():
    inner = MLPAutoencoder((8,), 2, **FAST)
    detector = WindowedDetector(inner, 10).fit(cycle(120, 4))
    assert detector.estimator_.n_channels_ == 4
    assert detector.estimator_.window_length_ == 10
    assert inner.n_channels == detector.estimator.n_channels == 1


@pytest.mark.parametrize("contamination", [0.05, 0.2])
def test_contamination__is_a_share_of_rows(contamination):
    table = cycle(300)
    detector = WindowedDetector(LinearAutoencoder(2), 10, contamination=contamination)
    assert np.mean(detector.fit_predict(table) == -1) == pytest.approx(
        contamination, abs=1 / 300
    )


def test_last__looks_at_no_later_row():
    table = cycle(200)
    detector = WindowedDetector(
        LinearAutoencoder(2), 10, aggregate="last", level="timestep"
    ).fit(table)
    np.testing.assert_allclose(
        detector.score_samples(table)[:120], detector.score_samples(table[:120])
    )


# Bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((5, 2)), r"window_length=8 is longer than every segment .* 5 rows"),
        (np.empty((0, 2)), "0 sample"),
        (np.zeros((1, 2)), "minimum of 2 is required"),
        (pd.DataFrame({"flow": [1.0] * 9 + [np.nan]}), "row 9, column 'flow'"),
        (pd.DataFrame({"flow": [1.0] * 9 + [np.inf]}), "infinity in row 9"),
        (
            pd.DataFrame({"flow": np.zeros(10)}, index=[*range(9), 3]),
            "3 in row 9 is out of order",
        ),
    ],
)
def test_bad_table__is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        WindowedDetector(LinearAutoencoder(1), 8).fit(table)


@pytest.mark.parametrize(
    "inner", [LinearAutoencoder(1), MLPAutoencoder((4,), 1, **FAST)]
)
@pytest.mark.filterwarnings("ignore:Only .* windows would remain:UserWarning")
def test_constant_sensors__do_no_harm(inner):
    table = cycle(80)
    table[:, 1] = 7.0
    detector = WindowedDetector(inner, 8).fit(table)
    assert np.isfinite(detector.score_samples(table)).all()
    flat = WindowedDetector(inner, 8).fit(np.full((80, 2), 3.0))
    assert np.isfinite(flat.score_samples(table[:, :2])).all()


def test_labels__that_select_nothing_are_refused():
    detector = WindowedDetector(LinearAutoencoder(1), 8, normal_label=0)
    with pytest.raises(ValueError, match="y is None"):
        detector.fit(cycle(30))
    with pytest.raises(ValueError, match="Only 0 windows of 8 rows"):
        detector.fit(cycle(30), np.ones(30))
    with pytest.raises(ValueError, match="Set normal_label on WindowedDetector"):
        WindowedDetector(LinearAutoencoder(1, normal_label=0), 8).fit(cycle(30))


def test_stride__that_leaves_rows_uncovered_is_refused():
    with pytest.raises(ValueError, match=r"stride=9 leaves rows .* window_length=8"):
        WindowedDetector(LinearAutoencoder(1), 8, stride=9).fit(cycle(60))


def test_failing_fit__leaves_the_detector_as_it_was():
    detector = WindowedDetector(LinearAutoencoder(1), 8).fit(cycle(60))
    before = vars(detector).copy()
    with pytest.raises(ValueError, match="longer than every segment"):
        detector.fit(cycle(5))
    assert vars(detector) == before


# EncDec-AD ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*are shorter than window_length:UserWarning")
def test_encdec_ad__roles_of_the_paper():
    table = cycle(1200)
    y = np.zeros(1200, dtype=int)
    for start in (700, 800, 950, 1100):
        table[start : start + 12, 1] = 0.0
        y[start : start + 12] = 1
    frame = pd.DataFrame(table, columns=["flow", "heat", "speed"])
    roles = split_roles(y)
    train = frame.iloc[np.sort(np.concatenate([roles["s_N"], roles["v_N1"]]))]
    tune = np.sort(np.concatenate([roles["v_N2"], roles["v_A"]]))
    test = np.sort(np.concatenate([roles["t_N"], roles["t_A"]]))
    detector = TunedThresholdDetector(
        WindowedDetector(
            EncDecAD(8, lr=1e-2, max_epochs=20, random_state=0), 20, level="timestep"
        )
    ).fit(train, X_val=frame.iloc[tune], y_val=y[tune])
    area = roc_auc_score(y[test], -detector.score_samples(frame.iloc[test]))
    assert area > 0.9
    model = detector.estimator_.estimator_.error_model_
    assert isinstance(model, MahalanobisErrors)
    assert model.location_.shape == (3,)
    unlabelled = TunedThresholdDetector(detector.estimator, SigmaThreshold(3.0))
    unlabelled.fit(train, X_val=frame.iloc[roles["v_N2"]])
    assert 0 < np.mean(unlabelled.predict(frame.iloc[test]) == -1) < 0.5


# split_roles --------------------------------------------------------------------------


@given(
    labels=st.lists(st.booleans(), min_size=12, max_size=60),
    shares=st.sampled_from([(0.5, 0.1, 0.2, 0.2), (0.7, 0.1, 0.1, 0.1), (1, 0, 0, 0)]),
)
def test_roles__share_out_every_row_once(labels, shares):
    y = np.array([0] * 4 + [1, 0, 1] + [int(flag) for flag in labels])
    roles = split_roles(y, normal_shares=shares)
    rows = np.concatenate(list(roles.values()))
    assert sorted(rows) == list(range(len(y)))
    assert not y[
        np.concatenate([roles[r] for r in ("s_N", "v_N1", "v_N2", "t_N")])
    ].any()
    assert y[roles["v_A"]].all()
    assert y[roles["t_A"]].all()
    filled = [
        roles[r]
        for r, s in zip(("s_N", "v_N1", "v_N2", "t_N"), shares, strict=True)
        if s
    ]
    assert all(len(part) for part in [*filled, roles["v_A"], roles["t_A"]])
    assert roles["v_A"].max() < roles["t_A"].min()


def test_roles__whole_series():
    series = np.repeat(list("abcdef"), 5)
    y = np.isin(series, ["b", "e"]) & (np.arange(30) % 5 == 2)
    roles = split_roles(y, series=series, normal_shares=(0.25,) * 4)
    assert {role: "".join(np.unique(series[rows])) for role, rows in roles.items()} == {
        **{"s_N": "a", "v_N1": "c", "v_N2": "d", "v_A": "b", "t_N": "f", "t_A": "e"}
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"y": [0] * 9}, "0 runs of anomalies cannot be divided among v_A, t_A"),
        ({"y": [0] * 9 + [1]}, "1 runs of anomalies"),
        ({"y": [0, 1, 0, 1, 0]}, "3 normal rows cannot be divided among s_N, v_N1"),
        ({"y": [0, 1] * 9, "normal_shares": (1, 1, 0, 0)}, "add up to 1"),
        ({"y": [0, 1] * 9, "anomalous_shares": (1.5, -0.5)}, "numbers >= 0"),
        ({"y": [0, 1] * 9, "series": [1] * 18}, "0 series without anomalies"),
        ({"y": [0, 2]}, "expected {-1 = anomaly"),
    ],
)
def test_roles__impossible_requests_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        split_roles(**params)


def test_fit__changes_no_parameter_of_the_inner_detector():
    net = MLPAutoencoder((8,), 2, **FAST)
    fitted = WindowedDetector(net, 10).fit(cycle(300)).estimator_
    assert fitted.early_stopping
    assert fitted.max_epochs == net.max_epochs
    assert fitted.normal_label is None


@pytest.mark.parametrize("refit", [False, True])
def test_frozen_net__is_not_trained(refit):
    net = MLPAutoencoder((8,), 2, n_channels=3, refit=refit, **FAST)
    windows = sliding_windows(cycle(200), window_length=10)
    net.fit(windows)
    before = net.score_samples(windows)
    detector = WindowedDetector(FrozenEstimator(net), 10).fit(cycle(150) + 1)
    np.testing.assert_array_equal(net.score_samples(windows), before)
    assert detector.estimator_.estimator is net


def scorings(detector, X, monkeypatch):
    """How often fit scores a window: by what has learnt it, and by what has not."""
    counts = {True: 0, False: 0}
    blocks = BaseAutoencoder._blocks

    def counted(self, windows):
        counts[self is detector.estimator_] += len(windows)
        return blocks(self, windows)

    monkeypatch.setattr(BaseAutoencoder, "_blocks", counted)
    detector.fit(X)
    n_windows = len(X) - detector.window_length_ + 1
    return counts[True] / n_windows, counts[False] / n_windows


@pytest.mark.parametrize("level", ["window", "timestep"])
def test_fit__scores_each_window_once_by_each_side(level, monkeypatch):
    X = np.random.default_rng(0).normal(size=(600, 2))
    detector = WindowedDetector(LinearAutoencoder(3), 30, level=level)
    learnt, left_out = scorings(detector, X, monkeypatch)
    assert learnt == 1.0  # for the report, and a threshold within reach
    # a twentieth of the windows again, for the errors of sensors
    assert 1.0 <= left_out < 1.1


def test_fit__of_windows_held_out_to_stop_scores_the_table_once(monkeypatch):
    X = np.random.default_rng(0).normal(size=(600, 2))
    net = MLPAutoencoder((8,), 3, refit=False, error_model="mse", **FAST)
    learnt, left_out = scorings(WindowedDetector(net, 30), X, monkeypatch)
    assert left_out == 0
    assert 1.0 <= learnt < 1.1


def test_detector_inside__has_no_threshold_and_says_whose_to_use():
    X = np.random.default_rng(0).normal(size=(100, 2))
    inner = WindowedDetector(LinearAutoencoder(3), 10).fit(X).estimator_
    windows = sliding_windows(X, window_length=10)
    assert inner.score_samples(windows).shape == (91,)
    for ask in (inner.decision_function, inner.predict):
        with pytest.raises(AttributeError, match="no threshold of its own"):
            ask(windows)
