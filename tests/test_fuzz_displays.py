"""Fuzzing of displays: a documented error, or a picture that can be drawn.

SKAD_FUZZ_EXAMPLES does what it does in test_fuzz.py.
"""

import warnings
from traceback import walk_tb

import numpy as np
import pandas as pd
import pytest
from faults_tally import case
from hypothesis import strategies as st
from instances import ESTIMATORS
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_fuzz import SETTINGS, VALUES, columns, fuzz, labels, tables

from skad import (
    AnomalyScoreDisplay,
    ContributionDisplay,
    DetectorComparisonDisplay,
    LinearAutoencoder,
    ReconstructionDisplay,
    ThresholdDisplay,
    TimeSeriesImputer,
    TrainingHistoryDisplay,
    find_events,
)

mpl = pytest.importorskip("matplotlib")

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.filterwarnings("ignore:invalid value encountered in reduce"),
    pytest.mark.filterwarnings("ignore:overflow encountered in cast"),
    pytest.mark.filterwarnings("ignore:.*are shorter than window_length:UserWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def plt():
    """pyplot without a screen."""
    backend = mpl.get_backend()
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")
    mpl.use(backend)


def content_of(value):
    """All that is in an argument, to be compared."""
    if isinstance(value, dict):
        return [(name, content_of(part)) for name, part in value.items()]
    if isinstance(value, list | tuple):
        return [content_of(part) for part in value]
    if isinstance(value, pd.DataFrame):
        columns = [value.iloc[:, i] for i in range(value.shape[1])]
        return content_of([value.columns, value.index, columns])
    if isinstance(value, pd.Series):
        return content_of([value.array, value.index, value.name])
    if isinstance(value, np.ndarray | pd.Index | pd.api.extensions.ExtensionArray):
        return repr(value.tolist()), repr(value.dtype)
    return repr(value)


def check(plt, call, *args, ax=None, **kwargs):
    """Draw, and look at the axes; what went in is as it was."""
    before = content_of([args, kwargs])
    if ax == "axes":
        ax = plt.figure(figsize=(4, 3), dpi=50).add_subplot()
    try:
        display = outcome_of(call, *args, ax=ax, **kwargs)
        if display is not None:
            display.figure_.canvas.draw()
            for panel in display.figure_.axes:
                assert np.isfinite([*panel.get_xlim(), *panel.get_ylim()]).all()
    except ValueError as error:
        raise AssertionError("matplotlib, not skad, refuses it") from error
    finally:
        plt.close("all")
    assert content_of([args, kwargs]) == before


def outcome_of(call, *args, **kwargs):
    """Outcome of a call, or None where skad, not matplotlib, says what is wrong."""
    try:
        return call(*args, **kwargs)
    except (ValueError, TypeError) as error:
        places = [frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__)]
        if "matplotlib" in places[-1] or not str(error):
            raise
        return None


# What is drawn ------------------------------------------------------------------------


def mostly(usual, odd):
    """Draw what is usual four times of five."""
    return st.integers(0, 4).flatmap(lambda number: odd if number == 4 else usual)


ONES = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def scores_of(draw, shape):
    """Finite numbers of any size."""
    return draw(st.sampled_from(list(VALUES.values())))(draw(ONES), shape)


@st.composite
def odd_scores_of(draw, shape):
    """Numbers that are missing, infinite or too large."""
    scores = draw(scores_of(shape))
    for _ in range(draw(st.integers(1, 3)) if scores.size else 0):
        scores.flat[draw(st.integers(0, scores.size - 1))] = draw(
            st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e301, 1e299])
        )
    return scores


@st.composite
def flags_of(draw, n_rows):
    """Labels in one of the codings."""
    rng, coding = draw(ONES), draw(st.sampled_from([[1, -1], [0, 1], [1, 1], [-1, -1]]))
    return np.array(coding)[(rng.random(n_rows) < 0.2).astype(int)]


@st.composite
def times(draw, n_rows):
    """Index of rows: of any kind, with gaps, in order."""
    steps = draw(st.sampled_from([[1], [1, 1, 1, 1, 50]]))
    count = np.cumsum(draw(ONES).choice(steps, n_rows))
    start = draw(st.sampled_from(["2024-10-26 20:00", "1678-01-01", "2261-10-01"]))
    unit = draw(st.sampled_from(["D", "h", "s", "ms", "ns"]))
    dates = pd.Timestamp(start) + pd.to_timedelta(count, unit)
    unit_of_floats = draw(st.sampled_from([0.1, 1e-300, 1e300]))
    kinds = {
        "dates": lambda: dates,
        "zone": lambda: dates.tz_localize("UTC").tz_convert("Europe/Amsterdam"),
        "seconds": lambda: dates.as_unit("s"),
        "durations": lambda: pd.to_timedelta(count, unit),
        "numbers": lambda: pd.Index(count * draw(st.sampled_from([1, 10**15]))),
        "floats": lambda: count * unit_of_floats,
        "periods": lambda: pd.PeriodIndex(dates, freq="us"),
        "series": lambda: pd.MultiIndex.from_arrays([count > 9, dates]),
        "text": lambda: pd.Index([f"r{number}" for number in count]),
        "list": lambda: count.tolist(),
        "none": lambda: None,
    }
    return kinds[draw(st.sampled_from(list(kinds)))]()


@st.composite
def odd_times(draw, n_rows):
    """Index of rows that is none: doubled, backwards, missing, of another length."""
    count = draw(ONES).integers(-3, 9, n_rows + draw(st.sampled_from([0, 0, -1, 1])))
    kinds = {
        "numbers": lambda: pd.Index(count),
        "dates": lambda: pd.Timestamp("2024-03-31") + pd.to_timedelta(count, "h"),
        "missing": lambda: pd.to_datetime(np.where(count > 0, "2024-03-31", None)),
        "floats": lambda: count / np.maximum(count - 3, 0),
        "booleans": lambda: count > 3,
        "mixed": lambda: pd.Index([None, "x", 1.5, object][:n_rows], dtype=object),
        "table": lambda: count[:, None],
        "scalar": lambda: 3,
    }
    with np.errstate(all="ignore"):
        return kinds[draw(st.sampled_from(list(kinds)))]()


PLACES = [None, 0, 0, 1, 3]
ODD_PLACES = [-1, 10**12, np.nan, np.inf, -np.inf, True, "x", "", pd.NaT, b"x", [0]]
ODD_PLACES += [
    "2024-10-27",
    "2024-10-27",
    "2024",
    "1678",
    "1D",
    1.5,
    pd.Timedelta("3h"),
]
ODD_PLACES += [pd.Timestamp("2024-10-27", tz="UTC"), pd.Timestamp("2024-10-27"), object]
ODD_PLACES += [np.int64(2), 10**30, pd.Period("2024-10-27")]
LEVELS = [None, -0.5, 0.0, 3, np.float32(-1), np.array(-0.5)]
ODD_LEVELS = [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, "x", pd.NA, [1.0], b"1"]

places = mostly(st.sampled_from(PLACES), st.sampled_from(ODD_PLACES))
levels = mostly(st.sampled_from(LEVELS), st.sampled_from(ODD_LEVELS))
n_rows_drawn = st.sampled_from([1, 2, 3, 9, 40, 70])
axes = mostly(st.sampled_from(["axes", "axes", None]), st.sampled_from([3, "x"]))
scales = mostly(
    st.sampled_from(["auto", "linear", "log", "symlog"]),
    st.sampled_from(["x", 1, None]),
)


@st.composite
def some_of(draw, **strategies):
    """Keyword arguments, most of them left out."""
    return {
        name: draw(values)
        for name, values in strategies.items()
        if name == "ax" or draw(st.integers(0, 2)) == 0
    }


def rows_of(n_rows):
    """Arguments that all displays of rows take, of a table of so many rows."""
    return {
        "ax": axes,
        "index": mostly(times(n_rows), odd_times(n_rows)),
        "y_true": mostly(flags_of(n_rows), labels(n_rows)),
        "threshold": levels,
        "series": st.sampled_from([None, None, None, None, True, False, "a"]),
        "start": places,
        "stop": places,
        "yscale": scales,
    }


@st.composite
def events_of(draw, n_rows):
    """Events as `find_events` lists them."""
    flags = draw(flags_of(n_rows))
    scores, parts = draw(scores_of(n_rows)), draw(scores_of((n_rows, 3)))
    chosen = {"scores": scores, "contributions": parts}
    names = draw(st.sets(st.sampled_from(list(chosen))))
    with np.errstate(all="ignore"):
        return find_events(flags, **{name: chosen[name] for name in names})


@st.composite
def odd_events_of(draw, n_rows):
    """Tables that are none of events in so many rows."""
    count = st.sampled_from([0, 0, 1, n_rows - 1, n_rows, -1, 1.5, np.nan, "x", None])
    ends = st.lists(st.tuples(count, count), max_size=3)
    names = draw(st.sampled_from([["start_row", "end_row"], ["start_row", "x"]]))
    events = pd.DataFrame(draw(ends), columns=names)
    if draw(st.booleans()):
        events["sensor_1"] = "a"
        events["share_1"] = draw(st.sampled_from([0.5, np.nan, np.inf, "x", None]))
    return events


@fuzz(20, data=st.data())
def test_anomaly_score_display(data, plt):
    n_rows = data.draw(n_rows_drawn)
    scores = data.draw(mostly(scores_of(n_rows), odd_scores_of(n_rows) | columns()))
    readings = mostly(scores_of((n_rows, 2)), odd_scores_of((n_rows, 2)) | tables(2))
    kwargs = data.draw(
        some_of(
            **rows_of(n_rows),
            sensors=readings,
            events=mostly(events_of(n_rows), odd_events_of(n_rows)),
            n_names=mostly(st.sampled_from([0, 1, 3]), st.sampled_from([-1, "x"])),
        )
    )
    with case("fuzz"):
        check(plt, AnomalyScoreDisplay.from_predictions, scores, **kwargs)


@fuzz(20, data=st.data())
def test_detector_comparison_display(data, plt):
    n_rows = data.draw(n_rows_drawn)
    own = mostly(scores_of(n_rows), odd_scores_of(n_rows) | columns(n_rows))
    names = st.sampled_from(["a", "b", "", "$x", "long " * 20, 3, None, ("a", "b")])
    tables = mostly(
        st.dictionaries(names, own, min_size=1, max_size=4),
        st.one_of(st.just({}), own, scores_of((n_rows, 2)).map(pd.DataFrame)),
    )
    scores = data.draw(tables)
    kwargs = data.draw(some_of(**rows_of(n_rows)))
    kwargs.pop("threshold", None)
    if data.draw(st.booleans()):
        known = list(scores) if isinstance(scores, dict) else ["a"]
        named = mostly(st.sampled_from([*known, "a"]), st.sampled_from(["z", 3]))
        kwargs["thresholds"] = data.draw(st.dictionaries(named, levels, max_size=3))
    with case("fuzz"):
        check(plt, DetectorComparisonDisplay.from_predictions, scores, **kwargs)


@fuzz(20, data=st.data())
def test_contribution_display(data, plt):
    n_rows, n_channels = data.draw(n_rows_drawn), data.draw(st.sampled_from([1, 2, 14]))
    shape = n_rows, n_channels
    parts = data.draw(mostly(scores_of(shape), odd_scores_of(shape) | tables()))
    names = [f"c{i}" for i in range(n_channels)]
    odd_names = st.sampled_from([["$"] * n_channels, [*names, "a"], 3, [], "c" * 14])
    odd_channels = st.sampled_from([[], "z", -1, "c0", ["c0", 1], None, 1.0])
    kwargs = data.draw(
        some_of(
            **rows_of(n_rows),
            channel_names=mostly(st.just(names), odd_names),
            window=mostly(st.none(), st.sampled_from([0, -1, 99, "x", 1.0])),
            max_channels=mostly(st.sampled_from([1, 2, 99]), st.sampled_from([0, "x"])),
            channels=mostly(st.sampled_from([0, [0], np.int64(0)]), odd_channels),
            cscale=mostly(st.sampled_from(["auto", "linear", "log"]), st.just("x")),
        )
    )
    with case("fuzz"):
        check(plt, ContributionDisplay.from_predictions, parts, **kwargs)


@fuzz(20, data=st.data())
def test_threshold_display(data, plt):
    n_rows = data.draw(n_rows_drawn)
    y = data.draw(mostly(flags_of(n_rows), st.none() | labels(n_rows)))
    own = mostly(scores_of(n_rows), odd_scores_of(n_rows) | columns(n_rows))
    scores = data.draw(own)
    kwargs = data.draw(
        some_of(
            ax=axes,
            threshold=levels,
            beta=mostly(st.sampled_from([0, 0.5, 2, 1e30]), st.sampled_from(SETTINGS)),
            index=mostly(times(n_rows), odd_times(n_rows)),
            bins=mostly(st.sampled_from([1, 7]), st.sampled_from([0, -1, "x", 2.0])),
            xscale=mostly(st.sampled_from(["auto", "linear", "symlog"]), scales),
        )
    )
    with case("fuzz"):
        check(plt, ThresholdDisplay.from_predictions, y, scores, **kwargs)


@fuzz(20, data=st.data())
def test_reconstruction_display(data, plt):
    shape = data.draw(st.sampled_from([1, 2, 5])), data.draw(st.sampled_from([1, 2, 8]))
    if data.draw(st.booleans()):
        shape += (data.draw(st.sampled_from([1, 2, 7])),)
    X = data.draw(mostly(scores_of(shape), odd_scores_of(shape) | tables()))
    shape = np.shape(X)
    back = data.draw(mostly(scores_of(shape), odd_scores_of(shape) | tables()))
    positions = st.sampled_from([0, [0], [0, 0], [0, 4], [], -1, "x", 1.0, [[0]], 99])
    kwargs = data.draw(
        some_of(
            ax=axes,
            y=mostly(flags_of(shape[0]), labels(shape[0])),
            n_channels=mostly(st.sampled_from([1, 2]), st.sampled_from([0, -1, "x"])),
            scores=mostly(scores_of(shape[0]), columns()),
            windows=positions,
            channels=positions,
            channel_names=st.sampled_from([["a"], ["a", "b"], ["$"] * 7, [1], 3]),
        )
    )
    with case("fuzz"):
        check(plt, ReconstructionDisplay.from_predictions, X, back, **kwargs)


@fuzz(20, data=st.data())
def test_training_history_display(data, plt):
    n_epochs = data.draw(st.sampled_from([0, 1, 2, 9]))
    losses = mostly(scores_of(n_epochs), columns(n_epochs))
    if n_epochs:
        losses |= odd_scores_of(n_epochs)
    epochs = st.sampled_from([range(1, n_epochs + 1), [1] * n_epochs, ["x"] * n_epochs])
    history = data.draw(
        some_of(epoch=epochs, ax=losses, valid_loss=losses).map(
            lambda parts: {
                {"ax": "train_loss"}.get(name, name): list(np.ravel(values))
                for name, values in parts.items()
            }
        )
    )
    if data.draw(st.booleans()):
        history = pd.DataFrame(history).to_dict("records")
    kwargs = data.draw(
        some_of(
            ax=axes,
            yscale=scales,
            best_epoch=mostly(
                st.sampled_from(["auto", 1, 2, None]), st.sampled_from(SETTINGS)
            ),
        )
    )
    with case("fuzz"):
        check(plt, TrainingHistoryDisplay.from_history, history, **kwargs)


# From estimators ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    """Detectors of a table of four columns, without and within others."""
    X = np.random.default_rng(0).normal(size=(40, 4))
    names = ["linear", "mlp", "tuned", "fixed", "windowed", "windowed-timestep"]
    with warnings.catch_warnings(action="ignore"):
        detectors = {name: clone(ESTIMATORS[name]).fit(X) for name in names}
        behind = make_pipeline(TimeSeriesImputer(), clone(ESTIMATORS["windowed"]))
        channels = clone(ESTIMATORS["linear"]).set_params(n_channels=2)
        return detectors | {
            "pipeline": behind.fit(X),
            "channels": channels.fit(X),
            "scaler": StandardScaler().fit(X),
        }


@st.composite
def frames(draw, n_columns=4):
    """Tables with a sound index."""
    n_rows = draw(n_rows_drawn)
    X = pd.DataFrame(draw(scores_of((n_rows, n_columns))))
    index = draw(times(n_rows))
    return X if index is None else X.set_axis(index, axis=0)


FROM_ESTIMATOR = {
    AnomalyScoreDisplay: {"columns": st.sampled_from([0, [0, 1], "x", [], 9, -1])},
    ContributionDisplay: {"window": st.sampled_from([0, 1, -1, "x", 99])},
    ThresholdDisplay: {"beta": st.sampled_from([2, -1])},
    ReconstructionDisplay: {"windows": st.sampled_from([0, [0, 1], -1, "x"])},
}


@pytest.mark.parametrize("display", FROM_ESTIMATOR, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore:.* feature names:UserWarning")
@fuzz(8, data=st.data())
def test_from_estimator(display, data, plt, fitted):
    estimator = fitted[data.draw(st.sampled_from(list(fitted)))]
    X = data.draw(mostly(frames(), tables(4)))
    kwargs = data.draw(some_of(ax=axes, **FROM_ESTIMATOR[display]))
    y = data.draw(st.none() | mostly(flags_of(len(X)), labels(len(X))))
    with case("fuzz"):
        check(plt, display.from_estimator, estimator, X, y, **kwargs)


@pytest.mark.filterwarnings("ignore:.* feature names:UserWarning")
@fuzz(8, data=st.data())
def test_from_estimators(data, plt, fitted):
    chosen = st.lists(st.sampled_from(list(fitted)), max_size=3)
    estimators = {name: fitted[name] for name in data.draw(chosen)}
    X = data.draw(mostly(frames(), tables(4)))
    y = data.draw(st.none() | mostly(flags_of(len(X)), labels(len(X))))
    with case("fuzz"):
        check(plt, DetectorComparisonDisplay.from_estimators, estimators, X, y)


@pytest.mark.parametrize("name", ["linear", "mlp", "windowed-timestep", "scaler"])
def test_history_of_estimator(name, plt, fitted):
    with case("fuzz"):
        check(plt, TrainingHistoryDisplay.from_estimator, fitted[name])


# From what they hold ------------------------------------------------------------------


@st.composite
def held(draw):
    """What the displays hold, mostly of one length and finite."""
    n_rows = draw(n_rows_drawn)

    def of(strategy, odd=None):
        others = st.sampled_from([0, n_rows - 1, n_rows + 1]).flatmap(strategy)
        return draw(mostly(strategy(n_rows), others if odd is None else odd | others))

    def numbers(*shape):
        return of(lambda n: scores_of((n, *shape)), odd_scores_of((n_rows, *shape)))

    index = of(times, odd_times(n_rows).filter(lambda index: np.ndim(index) == 1))
    rows = pd.RangeIndex(n_rows)
    return {
        "index": rows if index is None else pd.Index(index),
        "scores": numbers(),
        "others": numbers(),
        "parts": numbers(2),
        "windows": numbers(3, 2)[:4],
        "back": numbers(3, 2)[:4],
        "flags": draw(st.none()) if draw(st.booleans()) else of(flags_of) == 1,
        "threshold": draw(st.sampled_from([None, -0.5, np.inf, np.nan])),
        "names": draw(mostly(st.just(["a", "b"]), st.sampled_from([["a"], []]))),
    }


def rows_held(part):
    """Attributes that the displays of rows share."""
    return {
        "index": part["index"],
        "is_anomaly": part["flags"],
        "threshold": part["threshold"],
        "name": "a",
    }


def table_of(part):
    index = part["index"] if len(part["index"]) == len(part["parts"]) else None
    return pd.DataFrame(part["parts"], index=index)


HELD = {
    AnomalyScoreDisplay: lambda part: {
        **rows_held(part),
        "scores": part["scores"],
        "sensors": pd.DataFrame(part["parts"]),
    },
    ContributionDisplay: lambda part: {
        **rows_held(part),
        "contributions": part["parts"],
        "channel_names": part["names"],
    },
    DetectorComparisonDisplay: lambda part: {
        "scores": table_of(part),
        "is_anomaly": part["flags"],
        "thresholds": {0: part["threshold"]} if part["threshold"] else None,
    },
    ThresholdDisplay: lambda part: {
        "scores": part["scores"],
        "is_anomaly": part["flags"],
        "threshold": part["threshold"],
        "thresholds": np.sort(part["others"]),
        "alerts_per_day": np.abs(part["scores"]),
    },
    ReconstructionDisplay: lambda part: {
        "signal": part["windows"],
        "reconstruction": part["back"],
        "error": np.abs(part["windows"]),
        "scores": part["scores"],
        "channel_names": part["names"],
    },
    TrainingHistoryDisplay: lambda part: {
        "epochs": np.arange(len(part["scores"])),
        "train_loss": part["scores"],
        "valid_loss": part["others"],
        "best_epoch": len(part["others"]) - 1,
    },
}


@pytest.mark.parametrize("display", HELD, ids=lambda kind: kind.__name__)
@fuzz(8, data=st.data())
def test_display_of_attributes(display, data, plt):
    attributes = HELD[display](data.draw(held()))
    ax = data.draw(axes)
    with case("fuzz"):
        check(plt, lambda ax, **parts: display(**parts).plot(ax), ax=ax, **attributes)


# What fuzzing has found ---------------------------------------------------------------

draw_scores = AnomalyScoreDisplay.from_predictions
SCORES = -np.arange(5.0)


@pytest.mark.parametrize("step", ["1ns", "1us", "300us", "10ms"])
def test_found__dates_too_close_for_days__are_drawn_as_durations(step):
    index = pd.date_range("2024-01-01", periods=5, freq=step)
    display = draw_scores(SCORES, index=index)
    display.figure_.canvas.draw()
    x = display.score_line_.get_xdata()
    assert (np.diff(x) > 0).all()
    low, high = display.axes_[-1].get_xlim()
    assert low < x[0] < x[-1] < high
    assert display.axes_[-1].get_xlabel().startswith("after 2024-01-01 00:00:00 (")


def test_found__one_date__is_a_date():
    index = pd.date_range("2024-01-01", periods=5, freq="h")
    for display in (
        draw_scores(SCORES, index=index, start=2, stop=2),
        draw_scores(SCORES[:1], index=index[:1]),
    ):
        assert display.axes_[-1].get_xlabel() == ""


@pytest.mark.parametrize(
    ("last", "message"),
    [(np.inf, "index of X is inf in row 4"), (1e300, "numbers beyond 1e.200")],
)
def test_found__infinite_index__is_refused(last, message):
    with pytest.raises(ValueError, match=message):
        draw_scores(SCORES, index=[0.0, 1, 2, 3, last])


@pytest.mark.parametrize("start", [0.0, 1e16, 1e199])
def test_found__index_without_width__gets_one(start):
    index = start + np.spacing(start) * np.arange(5)
    low, high = draw_scores(SCORES, index=index).axes_[-1].get_xlim()
    assert low < high


@pytest.mark.parametrize("value", [1e308, -1e201])
def test_found__numbers_too_large_for_an_axis__are_refused_or_gaps(value, plt):
    large = np.append(SCORES, value)
    for draw in (
        lambda: draw_scores(large),
        lambda: ThresholdDisplay.from_predictions(None, large),
        lambda: ContributionDisplay.from_predictions(large[:, None]),
        lambda: DetectorComparisonDisplay.from_predictions({"a": large}),
    ):
        with pytest.raises(ValueError, match=r"numbers beyond 1e\+200"):
            draw()
    display = draw_scores(np.zeros(6), sensors=large, threshold=value)
    display.figure_.canvas.draw()
    assert len(display.sensor_lines_[0].get_xdata()) == 5
    assert display.threshold_line_ is None
    history = [{"train_loss": loss} for loss in np.abs(large)]
    TrainingHistoryDisplay.from_history(history).figure_.canvas.draw()
    windows = large.reshape(2, 3)
    display = ReconstructionDisplay.from_predictions(windows, -windows)
    display.figure_.canvas.draw()
    plt.close("all")


def test_found__errors_next_to_0__are_drawn(plt):
    tiny = np.array([[-3e-323, 2e-323], [2e-323, 0.0]])
    draw = ContributionDisplay.from_predictions
    for display in (
        draw(tiny, yscale="symlog", cscale="log"),
        ThresholdDisplay.from_predictions([0, 1, 0, 0], tiny.ravel(), xscale="symlog"),
    ):
        display.figure_.canvas.draw()
    plt.close("all")


def test_found__losses_next_to_0__are_drawn(plt):
    history = pd.DataFrame({"epoch": [1], "train_loss": [3e-323]})
    TrainingHistoryDisplay.from_history(history)
    plt.gcf().canvas.draw()


def test_found__log_without_positive_values__is_refused():
    with pytest.raises(ValueError, match="yscale='log' needs errors above 0"):
        draw_scores(np.zeros(3), threshold=-1.0, yscale="log")
    with pytest.raises(ValueError, match="yscale='log' needs losses above 0"):
        TrainingHistoryDisplay.from_history([{"train_loss": -1.0}], yscale="log")
    with pytest.raises(ValueError, match="No loss is finite"):
        TrainingHistoryDisplay.from_history([{"train_loss": np.nan}])


@pytest.mark.parametrize("scores", [SCORES, pd.Series(SCORES), [SCORES]])
def test_found__scores_without_names__are_refused(scores):
    with pytest.raises(TypeError, match=r"scores is a \w+; expected a dict"):
        DetectorComparisonDisplay.from_predictions(scores)


def test_found__bare_errors__say_what_is_wrong():
    X = np.ones((4, 6))
    draw = ReconstructionDisplay.from_predictions
    with pytest.raises(ValueError, match="n_channels=0; expected an int >= 1"):
        draw(X, X, n_channels=0)
    with pytest.raises(ValueError, match="bins=-1; expected an int >= 1"):
        ThresholdDisplay.from_predictions(None, SCORES, bins=-1)
    with pytest.raises(ValueError, match=r"best_epoch=\(2\+0j\); expected an epoch"):
        TrainingHistoryDisplay.from_history(
            [{"train_loss": 1.0}] * 2, best_epoch=2 + 0j
        )
    detector = LinearAutoencoder(1).fit(np.eye(3))
    with pytest.raises(ValueError, match="X holds no rows"):
        ContributionDisplay.from_estimator(detector, np.empty((0, 3)))


def test_found__channel_names_that_are_numbers__are_written():
    X = np.ones((4, 6))
    display = ReconstructionDisplay.from_predictions(X, X, channel_names=[7])
    assert display.axes_[0, 0].get_ylabel() == "channel 7"


def test_found__events__of_no_rows_or_no_share():
    events = pd.DataFrame({"start_row": [], "end_row": []}, dtype=object)
    assert draw_scores(SCORES, events=events).event_ax_ is None
    for places in ([2.5, 3], [3, 2]):
        wrong = pd.DataFrame([places], columns=["start_row", "end_row"])
        with pytest.raises(ValueError, match="not positions of a first and a last row"):
            draw_scores(SCORES, events=wrong)
    row = {"start_row": 1, "end_row": 2, "sensor_1": "a", "share_1": np.inf}
    display = draw_scores(SCORES, events=pd.DataFrame([row]))
    assert [label.get_text() for label in display.event_labels_] == ["a"]


@pytest.mark.parametrize("display", HELD, ids=lambda kind: kind.__name__)
def test_found__attributes_of_other_lengths__are_refused(display):
    part = {
        "index": pd.RangeIndex(5),
        "scores": SCORES,
        "others": SCORES[:4],
        "parts": np.ones((5, 2)),
        "windows": np.ones((4, 3, 2)),
        "back": np.ones((3, 3, 2)),
        "flags": np.zeros(4, dtype=bool),
        "threshold": None,
        "names": ["a", "b"],
    }
    with pytest.raises(ValueError, match=r"inconsistent numbers|expected the same"):
        display(**HELD[display](part)).plot()
