"""Displays: what they hold and draw, and that nothing they draw lies over another."""

import ast
import itertools
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import fbeta_score, precision_score, recall_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skad.plotting._style as style
from skad import find_events
from skad.plotting._history import TrainingHistoryDisplay
from skad.plotting._reconstruction import ReconstructionDisplay
from skad.plotting._threshold import ThresholdDisplay

mpl = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def plt():
    """pyplot without a screen; figures and settings are as before afterwards."""
    backend = mpl.get_backend()
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    settings = dict(mpl.rcParams)
    plt.close("all")
    yield plt
    plt.close("all")
    assert dict(mpl.rcParams) == settings
    mpl.use(backend)


class PCADetector(OutlierMixin, BaseEstimator):
    """A detector by its methods only, as the displays know it."""

    def __init__(self, n_components=3, n_channels=1):
        self.n_components = n_components
        self.n_channels = n_channels

    def fit(self, X, y=None):
        X = self._flat(X)
        self.pca_ = PCA(self.n_components).fit(X)
        self.n_channels_ = self.n_channels
        self.window_length_ = X.shape[1] // self.n_channels
        self.history_ = make_history(5)
        self.best_epoch_ = 4
        self.offset_ = np.quantile(self.score_samples(X), 0.05)
        return self

    def reconstruct(self, X):
        flat = self._flat(X)
        back = self.pca_.inverse_transform(self.pca_.transform(flat))
        return back.reshape(np.shape(X))

    def reconstruction_errors(self, X):
        errors = np.abs(self._flat(X) - self._flat(self.reconstruct(X)))
        return errors.reshape(len(errors), self.window_length_, self.n_channels_)

    def score_samples(self, X):
        return -(self.reconstruction_errors(X) ** 2).mean(axis=(1, 2))

    def decision_function(self, X):
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        return np.where(self.decision_function(X) < 0, -1, 1)

    @staticmethod
    def _flat(X):
        X = np.asarray(X, dtype=float)
        return X.reshape(len(X), -1)


class Tuned(OutlierMixin, BaseEstimator):
    """A meta-estimator that keeps its detector in `estimator_`."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y=None):
        self.estimator_ = clone(self.estimator).fit(X)
        self.offset_ = -0.5
        return self

    def score_samples(self, X):
        return self.estimator_.score_samples(X)

    def predict(self, X):
        return np.where(self.score_samples(X) < self.offset_, -1, 1)


class Windowed(Tuned):
    """A meta-estimator that cuts windows itself."""

    def __init__(self, estimator, window_length=4):
        super().__init__(estimator)
        self.window_length = window_length


def make_history(n_epochs, start=1.0):
    epoch = np.arange(1, n_epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train_loss": start / epoch,
            "valid_loss": start / epoch + 0.01 * start * epoch,
            "dur": 0.1,
        }
    )


@pytest.fixture
def windows():
    """Forty sines of three channels, the last four with a bump; labels in {-1, 1}."""
    rng = np.random.default_rng(0)
    time = np.linspace(0, 6.28, 25)[None, :, None]
    phase = rng.uniform(0, 6.28, size=(40, 1, 1))
    X = np.sin(time * np.array([1, 2, 3]) + phase)
    X += rng.normal(0, 0.05, size=X.shape)
    X[36:, 8:14, 1] += 3
    return X.reshape(40, -1), np.repeat([1, -1], [36, 4])


@pytest.fixture
def detector(windows):
    return PCADetector(6, n_channels=3).fit(windows[0][:30])


# ReconstructionDisplay


def test_reconstruction_holds_what_the_detector_says(detector, windows):
    X, y = windows
    display = ReconstructionDisplay.from_estimator(detector, X, y, windows=[2, 38])
    chosen = X[[2, 38]]
    assert display.signal.shape == (2, 25, 3)
    assert (display.signal == chosen.reshape(2, 25, 3)).all()
    back = detector.reconstruct(chosen).reshape(2, 25, 3)
    assert (display.reconstruction == back).all()
    assert display.error == pytest.approx(np.abs(display.signal - back))
    assert display.scores == pytest.approx(detector.score_samples(chosen))
    assert display.is_flagged.tolist() == (detector.predict(chosen) == -1).tolist()
    assert display.window_names == ["window 2: normal", "window 38: anomaly"]


def test_reconstruction_draws_each_channel_and_the_error(detector, windows):
    display = ReconstructionDisplay.from_estimator(
        detector, windows[0], windows=[0, 1], channel_names=["a", "b", "c"]
    )
    assert display.axes_.shape == (4, 2)
    assert display.signal_lines_.shape == display.reconstruction_lines_.shape == (3, 2)
    line = display.signal_lines_[2, 1]
    assert line.axes is display.axes_[2, 1]
    assert line.get_ydata().tolist() == display.signal[1, :, 2].tolist()
    error = display.error_lines_[1].get_ydata()
    assert error == pytest.approx(display.error[1].mean(axis=1))
    names = [ax.get_ylabel() for ax in display.axes_[:, 0]]
    assert names == ["a", "b", "c", "error"]
    assert display.figure_ is display.ax_.figure


def test_both_shapes_of_windows_look_the_same(detector, windows):
    X = windows[0]
    flat = ReconstructionDisplay.from_estimator(detector, X)
    deep = ReconstructionDisplay.from_estimator(detector, X.reshape(40, 25, 3))
    framed = ReconstructionDisplay.from_estimator(detector, pd.DataFrame(X))
    for other in (deep, framed):
        assert (other.reconstruction == flat.reconstruction).all()
        assert (other.signal == flat.signal).all()


def test_default_windows(detector, windows):
    X, y = windows
    names = ReconstructionDisplay.from_estimator(detector, X).window_names
    assert names == [f"window {i}" for i in range(4)]
    names = ReconstructionDisplay.from_estimator(detector, X, y).window_names
    assert names == [
        "window 0: normal",
        "window 1: normal",
        "window 36: anomaly",
        "window 37: anomaly",
    ]
    names = ReconstructionDisplay.from_estimator(detector, X[:2], y[:2]).window_names
    assert names == ["window 0: normal", "window 1: normal"]
    bits = ReconstructionDisplay.from_estimator(detector, X, (y == -1).astype(int))
    assert bits.window_names[2] == "window 36: anomaly"


def test_default_channels_have_the_largest_errors():
    X = np.zeros((2, 5, 9))
    back = X + 0.01 * np.arange(9)
    display = ReconstructionDisplay.from_predictions(X, back)
    assert display.channels_.tolist() == [3, 4, 5, 6, 7, 8]
    display = ReconstructionDisplay.from_predictions(X, back, channels=[7, 0])
    assert display.channels_.tolist() == [7, 0]
    assert display.axes_[0, 0].get_ylabel() == "channel 7"


def test_reconstruction_from_predictions(windows):
    X, y = windows
    display = ReconstructionDisplay.from_predictions(
        X, X + 1, y, n_channels=3, scores=np.arange(40.0), windows=[5]
    )
    assert display.signal.shape == (1, 25, 3)
    assert display.error == pytest.approx(1.0)
    assert display.axes_[0, 0].get_title() == "window 5: normal\nscore 5"
    plain = ReconstructionDisplay.from_predictions(X, X, windows=3)
    assert plain.axes_[0, 0].get_title() == "window 3"
    assert plain.axes_[0, 0].get_ylabel() == "signal"


def test_reconstruction_behind_a_pipeline(windows):
    X, _ = windows
    frames = pd.DataFrame(X, columns=[f"x{i}" for i in range(75)])
    pipeline = make_pipeline(StandardScaler(), "passthrough", PCADetector(6, 3))
    pipeline.set_output(transform="pandas").fit(frames)
    display = ReconstructionDisplay.from_estimator(pipeline, frames, windows=[4])
    scaled = np.asarray(pipeline[:-1].transform(frames))
    assert display.signal.reshape(-1) == pytest.approx(scaled[4])
    assert display.scores == pytest.approx(pipeline.score_samples(frames)[4:5])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda detector: Tuned(detector),
        lambda detector: make_pipeline(detector),
        lambda detector: Tuned(make_pipeline(FunctionTransformer(), detector)),
        lambda detector: make_pipeline(StandardScaler(with_std=False), Tuned(detector)),
        lambda detector: GridSearchCV(
            make_pipeline(detector), {}, scoring=lambda *args: 0.0, cv=2
        ),
    ],
)
def test_displays_find_the_detector_inside(windows, wrap):
    X, y = windows
    estimator = wrap(PCADetector(6, 3)).fit(X)
    display = ReconstructionDisplay.from_estimator(estimator, X, windows=0)
    assert display.signal.shape == (1, 25, 3)
    assert display.scores == pytest.approx(estimator.score_samples(X)[:1])
    assert TrainingHistoryDisplay.from_estimator(estimator).best_epoch == 4
    shown = ThresholdDisplay.from_estimator(estimator, X, y)
    flagged = shown.scores < shown.threshold
    assert flagged.tolist() == (estimator.predict(X) == -1).tolist()


def test_windows_are_not_cut_for_the_display(windows):
    X, _ = windows
    windowed = Windowed(PCADetector(6, 3)).fit(X)
    with pytest.raises(TypeError, match="Windowed cuts windows itself"):
        ReconstructionDisplay.from_estimator(windowed, X)
    assert TrainingHistoryDisplay.from_estimator(windowed).best_epoch == 4


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"windows": [40]}, r"windows=\[40\].*0 to 39"),
        ({"windows": [-1]}, r"windows=\[-1\]"),
        ({"windows": []}, r"windows=\[\]"),
        ({"windows": [0.5]}, r"windows=\[0.5\]"),
        ({"windows": [True] * 40}, "positions"),
        ({"channels": 3}, r"channels=\[3\].*0 to 2"),
        ({"channel_names": ["a"]}, "channel_names has 1 names; expected 3"),
        ({"y": np.ones(3)}, "inconsistent numbers of samples"),
        ({"y": np.arange(40)}, "y holds the labels"),
    ],
)
def test_reconstruction_refuses(detector, windows, kwargs, message, plt):
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_estimator(detector, windows[0], **kwargs)
    assert plt.get_fignums() == []


def test_reconstruction_from_predictions_refuses():
    X = np.zeros((4, 6))
    draw = ReconstructionDisplay.from_predictions
    with pytest.raises(ValueError, match="expected the same"):
        draw(X, X[:3])
    with pytest.raises(ValueError, match=r"X has the shape \(4, 6\)"):
        draw(X, X, n_channels=5)
    with pytest.raises(ValueError, match=r"X has the shape \(6,\)"):
        draw(X[0], X[0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(X, X, scores=[0.0])
    with pytest.raises(ValueError, match="X holds no windows"):
        draw(X[:0], X[:0])


# TrainingHistoryDisplay


def test_history_of_a_detector(detector):
    display = TrainingHistoryDisplay.from_estimator(detector)
    history = detector.history_
    assert display.train_line_.get_xdata().tolist() == history["epoch"].tolist()
    assert display.train_line_.get_ydata().tolist() == history["train_loss"].tolist()
    assert display.valid_line_.get_ydata().tolist() == history["valid_loss"].tolist()
    assert display.best_point_.get_xdata() == [4]
    assert display.best_point_.get_ydata() == [history["valid_loss"][3]]
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert labels == ["training", "validation", "best epoch (4)"]


def test_history_without_best_epoch_takes_the_minimum(detector):
    del detector.best_epoch_
    display = TrainingHistoryDisplay.from_estimator(detector)
    valid_loss = detector.history_["valid_loss"]
    assert display.best_epoch == detector.history_["epoch"][valid_loss.argmin()]


@pytest.mark.parametrize("valid_loss", [None, np.nan])
def test_history_without_validation(valid_loss):
    history = make_history(4).drop(columns="valid_loss")
    if valid_loss is not None:
        history["valid_loss"] = valid_loss
    display = TrainingHistoryDisplay.from_history(history)
    assert display.valid_line_ is display.best_point_ is display.best_epoch is None
    marked = TrainingHistoryDisplay.from_history(history, best_epoch=2)
    assert marked.best_point_.get_ydata() == [history["train_loss"][1]]


def test_history_may_be_records_without_epochs():
    records = [{"train_loss": 2.0, "valid_loss": np.nan}, {"train_loss": 1.0}]
    records += [{"train_loss": 1.0, "valid_loss": 3.0}]
    display = TrainingHistoryDisplay.from_history(records)
    assert display.epochs.tolist() == [1, 2, 3]
    assert display.best_epoch == 3


def test_history_scale():
    draw = TrainingHistoryDisplay.from_history
    assert draw(make_history(5)).ax_.get_yscale() == "linear"
    assert draw(make_history(50)).ax_.get_yscale() == "log"
    assert draw(make_history(50), yscale="linear").ax_.get_yscale() == "linear"
    below_zero = make_history(50)
    below_zero["train_loss"] -= 0.5
    assert draw(below_zero).ax_.get_yscale() == "linear"


def test_history_of_one_epoch_shows():
    display = TrainingHistoryDisplay.from_history(make_history(1))
    assert display.train_line_.get_marker() == "o"


def test_history_takes_line_styles():
    display = TrainingHistoryDisplay.from_history(
        make_history(3), train_kwargs={"c": "red", "lw": 4}, valid_kwargs={"ls": ":"}
    )
    assert display.train_line_.get_color() == "red"
    assert display.train_line_.get_linewidth() == 4
    assert display.valid_line_.get_linestyle() == ":"


def test_history_refuses(plt):
    draw = TrainingHistoryDisplay.from_history
    with pytest.raises(ValueError, match="0 epochs"):
        draw([])
    with pytest.raises(ValueError, match="'train_loss'"):
        draw(make_history(3).drop(columns="train_loss"))
    with pytest.raises(ValueError, match=r"best_epoch=7.*from 1 to 3"):
        draw(make_history(3), best_epoch=7)
    with pytest.raises(ValueError, match="yscale='symlog'"):
        draw(make_history(3), yscale="symlog")
    with pytest.raises(TypeError, match="IsolationForest has no `history_`"):
        TrainingHistoryDisplay.from_estimator(
            IsolationForest(n_estimators=2, random_state=0).fit([[0.0], [1.0]])
        )
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(PCADetector())
    assert plt.get_fignums() == []


# ThresholdDisplay


@pytest.mark.parametrize("beta", [0.1, 1.0, 2.0])
def test_curve_is_fbeta_at_every_threshold(beta):
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 12, size=40).astype(float)
    is_anomaly = rng.random(40) < 0.4
    display = ThresholdDisplay.from_predictions(is_anomaly, scores, beta=beta)
    assert display.thresholds[:-1].tolist() == np.unique(scores).tolist()
    for threshold, value in zip(display.thresholds, display.fbeta, strict=True):
        judged = scores < threshold
        assert value == pytest.approx(
            fbeta_score(is_anomaly, judged, beta=beta, zero_division=0.0)
        )
    judged = scores < display.best_threshold
    best = fbeta_score(is_anomaly, judged, beta=beta)
    assert best == pytest.approx(display.best_fbeta) == display.fbeta.max()
    assert display.best_threshold not in scores
    assert display.best_point_.get_xdata() == [display.best_threshold]


def test_precision_and_recall_at_every_threshold():
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 12, size=40).astype(float)
    is_anomaly = rng.random(40) < 0.4
    display = ThresholdDisplay.from_predictions(is_anomaly, scores)
    assert np.isnan(display.precision[0])
    for k, threshold in enumerate(display.thresholds):
        judged = scores < threshold
        assert display.recall[k] == recall_score(is_anomaly, judged)
        if k:
            assert display.precision[k] == precision_score(is_anomaly, judged)
    assert display.precision_line_.get_xdata().tolist() == display.thresholds.tolist()
    assert display.recall_line_.get_ydata().tolist() == display.recall.tolist()


def day_of_rows(n, *, series=False):
    """Scores of rows of two hours with a gap, and perhaps of a second series."""
    scores = np.random.default_rng(3).integers(0, 6, size=n).astype(float)
    index = pd.date_range("2018-04-01", periods=n, freq="2h").to_series()
    index[n // 2 :] += pd.Timedelta("3D")
    index = pd.DatetimeIndex(index)
    if series:
        index = pd.MultiIndex.from_arrays([np.arange(n) // 20, index])
    return scores, index


@pytest.mark.parametrize("series", [True, False])
@pytest.mark.parametrize("threshold", [None, 2.5, 99.0, -1.0, 0.0])
def test_alerts_a_day_are_counted_events(series, threshold):
    scores, index = day_of_rows(60, series=series)
    display = ThresholdDisplay.from_predictions(
        None, scores, index=index, threshold=threshold
    )
    expected = [
        len(find_events(np.where(scores < value, -1, 1), index=index)) / 5
        for value in display.thresholds
    ]
    assert display.alerts_per_day == pytest.approx(expected)
    assert display.alerts_line_.axes is display.axes_[-1]
    assert display.fbeta_line_ is None
    assert len(display.axes_) == 2
    display.figure_.canvas.draw()
    shown = [text.get_text() for text in display.axes_[-1].texts]
    if threshold is not None:
        n_alerts = len(find_events(np.where(scores < threshold, -1, 1), index=index))
        assert shown == [f"{n_alerts / 5:.3g}"]


def test_alerts_need_dates_in_order():
    scores, index = day_of_rows(40)
    draw = ThresholdDisplay.from_predictions
    y = np.repeat([0, 1], 20)
    assert len(draw(y, scores, index=index).axes_) == 3
    assert len(draw(pd.Series(y, index), scores).axes_) == 3
    assert len(draw(y, pd.Series(scores, index)).axes_) == 3
    assert len(draw(y, scores, index=np.arange(40)).axes_) == 2
    assert len(draw(y, scores).axes_) == 2
    assert draw(None, [1.0], index=index[:1]).alerts_per_day is None
    with pytest.raises(ValueError, match="must increase"):
        draw(y, scores, index=index[::-1])
    with pytest.raises(ValueError, match="index has 3 entries; expected 40"):
        draw(y, scores, index=index[:3])
    X = pd.DataFrame({"a": scores, "b": -scores}, index)
    forest = IsolationForest(n_estimators=5, random_state=0).fit(X)
    assert len(ThresholdDisplay.from_estimator(forest, X, y).axes_) == 3


def test_equal_scores_make_one_alert():
    _, index = day_of_rows(12)
    display = ThresholdDisplay.from_predictions(None, np.zeros(12), index=index)
    assert display.alerts_per_day == pytest.approx([0, 2])  # a gap parts them
    display.figure_.canvas.draw()


def test_long_curves_are_thin_and_keep_their_peaks():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=200_000)
    index = pd.date_range("2018-04-01", periods=200_000, freq="min")
    y = scores + rng.normal(size=200_000) < -2
    display = ThresholdDisplay.from_predictions(y, scores, index=index)
    lines = [display.precision_line_, display.recall_line_, display.fbeta_line_]
    curves = [display.precision, display.recall, display.fbeta]
    lines.append(display.alerts_line_)
    curves.append(display.alerts_per_day)
    for line, curve in zip(lines, curves, strict=True):
        drawn = line.get_ydata()
        assert len(drawn) <= 4002
        assert drawn.max() == np.nanmax(curve)
        assert drawn.min() == np.nanmin(curve)


def test_best_threshold_between_neighbouring_floats():
    low, high = 1.0, np.nextafter(1.0, 2.0)
    display = ThresholdDisplay.from_predictions([-1, 1], [low, high])
    assert low < display.best_threshold <= high
    assert display.best_fbeta == 1.0


def test_heavy_tail_is_split_exactly():
    rng = np.random.default_rng(0)
    scores = np.r_[-rng.uniform(1, 2, 50), -np.exp(rng.uniform(1, 12, 50))]
    y = np.repeat([1, -1], 50)
    display = ThresholdDisplay.from_predictions(y, scores)
    assert display.best_fbeta == 1.0
    assert display.axes_[0].get_xscale() == "symlog"
    # the readable part: normal rows fill more than a single bin
    counts = display.normal_patch_.get_data().values
    assert (counts > 0).sum() > 1


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (-np.linspace(1, 3, 20), "linear"),
        (-np.logspace(0, 4, 20), "symlog"),
        (np.r_[-np.logspace(0, 4, 10), np.linspace(0.1, 0.3, 30)], "symlog"),
        (np.zeros(20), "linear"),
        (np.r_[-1.0, np.zeros(19)], "symlog"),
    ],
)
def test_scale_of_scores(scores, expected):
    display = ThresholdDisplay.from_predictions(None, scores)
    assert display.axes_[0].get_xscale() == expected
    drawn = ThresholdDisplay.from_predictions(None, scores, xscale="symlog")
    for shown in (display, drawn):
        assert shown.normal_patch_.get_data().values.sum() == pytest.approx(1.0)
        shown.figure_.canvas.draw()


def test_far_threshold_is_on_the_axis():
    display = ThresholdDisplay.from_predictions(
        None, -np.linspace(1, 2, 30), threshold=-1e6
    )
    assert display.axes_[0].get_xscale() == "symlog"
    low, high = display.axes_[0].get_xlim()
    assert low < -1e6 < high


def test_threshold_of_an_estimator():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.where(np.linalg.norm(X, axis=1) > 2, -1, 1)
    forest = IsolationForest(n_estimators=10, random_state=0).fit(X)
    display = ThresholdDisplay.from_estimator(forest, X, y, beta=0.5)
    assert display.threshold == forest.offset_
    assert (display.scores == forest.score_samples(X)).all()
    assert display.is_anomaly.tolist() == (y == -1).tolist()
    assert len(display.axes_) == len(display.threshold_lines_) == 2
    assert display.axes_[1].get_ylabel() == "precision,\nrecall, F0.5"
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert labels[0] == f"normal (n={(y == 1).sum()})"
    assert labels[2].startswith("threshold \N{MINUS SIGN}0.")
    assert labels[3:6] == ["precision", "recall", "F0.5"]
    shares = [display.normal_patch_, display.anomaly_patch_]
    for patch in shares:
        assert patch.get_data().values.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("y", [None, [1, 1, 1], [-1, -1, -1], [0, 0, 0]])
def test_no_curve_without_two_classes(y):
    display = ThresholdDisplay.from_predictions(y, [0.0, 1.0, 2.0], threshold=0.5)
    assert len(display.axes_) == len(display.threshold_lines_) == 1
    assert display.fbeta_line_ is display.best_point_ is None
    assert display.best_threshold is display.best_fbeta is None


@pytest.mark.parametrize("threshold", [None, -np.inf, np.inf])
def test_threshold_may_have_no_place(threshold):
    display = ThresholdDisplay.from_predictions([0, 1], [1.0, 0.0], threshold=threshold)
    assert display.threshold_lines_ == []
    display.figure_.canvas.draw()


def test_threshold_takes_styles():
    display = ThresholdDisplay.from_predictions(
        [0, 1, 1],
        [2.0, 1.0, 0.0],
        threshold=1.5,
        bins=3,
        threshold_kwargs={"color": "red", "label": "mine"},
        curve_kwargs={"lw": 3},
    )
    assert display.threshold_lines_[0].get_color() == "red"
    assert display.fbeta_line_.get_linewidth() == 3
    assert len(display.normal_patch_.get_data().values) == 3
    assert "mine" in [text.get_text() for text in display.legend_.get_texts()]


def test_threshold_refuses(plt):
    draw = ThresholdDisplay.from_predictions
    with pytest.raises(ValueError, match="Input scores contains NaN"):
        draw([0, 0, 1], [1.0, np.nan, 2.0])
    with pytest.raises(ValueError, match="0 sample"):
        draw(None, [])
    with pytest.raises(ValueError, match="y_true holds the labels"):
        draw([0, 3], [1.0, 2.0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw([0, 1, 1], [1.0, 2.0])
    with pytest.raises(ValueError, match="beta=-1"):
        draw([0, 1], [1.0, 2.0], beta=-1)
    with pytest.raises(ValueError, match="xscale='log'"):
        draw([0, 1], [1.0, 2.0], xscale="log")
    with pytest.raises(TypeError, match="PCA has no `offset_`"):
        ThresholdDisplay.from_estimator(PCA(1).fit(np.eye(3)), np.eye(3))
    assert plt.get_fignums() == []


# What all displays share


def draw_reconstruction(ax=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4, 30, 3)).cumsum(axis=1)
    return ReconstructionDisplay.from_predictions(
        X,
        X + rng.normal(size=X.shape),
        [1, 1, -1, -1],
        scores=-np.logspace(-4, 4, 4),
        channel_names=["flow", "temperature_01", "pressure"],
        ax=ax,
    )


def draw_history(ax=None):
    return TrainingHistoryDisplay.from_history(make_history(60, 0.01), ax=ax)


def draw_threshold(ax=None):
    scores = -np.r_[np.linspace(1, 3, 80), np.logspace(0, 4, 40)]
    y = np.repeat([1, -1], [80, 40])
    return ThresholdDisplay.from_predictions(
        y, scores, threshold=-2.87, beta=0.5, ax=ax
    )


def draw_alerts(ax=None):
    scores = -np.r_[np.linspace(1, 3, 80), np.logspace(0, 4, 40)]
    y = np.repeat([1, -1], [80, 40])
    index = pd.date_range("2018-04-01", periods=120, freq="h")
    return ThresholdDisplay.from_predictions(
        y, scores, threshold=-2.87, index=index, ax=ax
    )


DRAWINGS = [draw_reconstruction, draw_history, draw_threshold, draw_alerts]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_axes_given_are_used(draw, plt):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5))
    other = right.get_position().bounds
    display = draw(right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    inside = right.get_position()
    for ax in np.ravel(getattr(display, "axes_", display.ax_)):
        box = ax.get_position()
        assert inside.x0 - 1e-9 <= box.x0
        assert box.x1 <= inside.x1 + 1e-9
    assert right.get_position().bounds == other
    assert not left.has_data()


@pytest.mark.parametrize("draw", DRAWINGS)
def test_free_standing_axes_and_subfigures(draw, plt):
    figure = plt.figure()
    free = figure.add_axes([0.2, 0.3, 0.6, 0.5])
    assert draw(free).ax_ is free
    part = plt.figure().subfigures(1, 2)[1]
    assert draw(part.subplots()).figure_ is part


@pytest.mark.parametrize("draw", DRAWINGS)
def test_display_can_be_plotted_again(draw, plt):
    display = draw()
    first = display.ax_
    assert display.plot() is display
    assert display.ax_ is not first
    assert len(plt.get_fignums()) == 2


@pytest.mark.parametrize("draw", DRAWINGS)
def test_ax_must_be_axes(draw, plt):
    _, axes = plt.subplots(1, 2)
    with pytest.raises(TypeError, match="expected one matplotlib Axes"):
        draw(axes)


@pytest.mark.parametrize("draw", DRAWINGS)
def test_without_matplotlib(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "skad\[plot\]"'):
        draw()


def test_matplotlib_and_torch_are_not_imported_at_the_top():
    for path in pathlib.Path(style.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in getattr(node, "names", [])]
            names.append(getattr(node, "module", None) or "")
            roots = {name.split(".")[0] for name in names}
            assert not roots & {"matplotlib", "torch", "skorch"}, path


def tick_labels(ax):
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        for tick in axis.get_major_ticks():
            if limits[0] <= tick.get_loc() <= limits[1] and tick.label1.get_visible():
                yield tick.label1


def text_boxes(figure):
    """Boxes of all text that is drawn."""
    figure.draw_without_rendering()
    texts = []
    for ax in figure.axes:
        if ax.axison:
            texts += [ax.title, ax.xaxis.label, ax.yaxis.label, *tick_labels(ax)]
            texts += ax.texts
        if ax.get_legend() is not None:
            texts += ax.get_legend().get_texts()
    renderer = figure.canvas.get_renderer()
    return {t: t.get_window_extent(renderer) for t in texts if t.get_text()}


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize(
    ("size", "layout"),
    [
        *itertools.product([(8, 5), (3.5, 3.2), (6.4, 4.8)], ["constrained", None]),
        (None, None),  # the display's own
    ],
)
def test_no_text_lies_over_another_or_leaves_the_figure(draw, layout, size, plt):
    if size is None:
        figure = draw().figure_
    else:
        figure, ax = plt.subplots(figsize=size, layout=layout)
        draw(ax)
    boxes = text_boxes(figure)
    assert len(boxes) > 8
    for (one, a), (two, b) in itertools.combinations(boxes.items(), 2):
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width < 1 or height < 1, (one.get_text(), two.get_text())
    if layout == "constrained" or size is None:
        for text, box in boxes.items():
            assert figure.bbox.x0 - 1 <= box.x0, text.get_text()
            assert box.x1 <= figure.bbox.x1 + 1, text.get_text()
            assert box.y1 <= figure.bbox.y1 + 1, text.get_text()


def contrast(one, two):
    """Contrast ratio of two colours, as the web's accessibility guidelines have it."""
    from matplotlib.colors import to_rgb

    def light(colour):
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    high, low = sorted([light(one), light(two)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["default", "dark_background"])
def test_colours_go_with_the_style(name, plt):
    with plt.style.context(name):
        background = mpl.rcParams["axes.facecolor"]
        for colour in style.palette():
            assert contrast(colour, background) > 3
        display = draw_threshold()
        assert display.figure_.get_facecolor() == mpl.colors.to_rgba(background)
        assert display.fbeta_line_.get_color() == mpl.rcParams["text.color"]


def test_grid_search_refit_is_shown(windows):
    X, y = windows
    search = GridSearchCV(
        PCADetector(n_channels=3),
        {"n_components": [2, 6]},
        scoring=lambda estimator, X, y: estimator.n_components,
        cv=StratifiedKFold(2),
    ).fit(X, y)
    display = ReconstructionDisplay.from_estimator(search, X, windows=0)
    expected = search.best_estimator_.reconstruct(X[:1]).reshape(1, 25, 3)
    assert (display.reconstruction == expected).all()
