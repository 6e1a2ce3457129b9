"""Heartbeats: made ones rank detectors as real ones do; read ones are what was read."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from skad import load_heartbeats, make_heartbeats

REAL_BEATS = Path(os.environ.get("SKAD_DATA", "no-such-folder")) / "ecg_heartbeat"

# -- make_heartbeats ----------------------------------------------------------


def test_make_heartbeats__defaults__shapes_types_and_counts():
    X, y = make_heartbeats(random_state=0)
    assert X.shape == (2200, 187)
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == [2000, 50, 50, 50, 50]


@pytest.mark.parametrize(
    ("n_anomalies", "expected"),
    [
        (0, [0, 0, 0, 0]),
        (1, [1, 0, 0, 0]),
        (11, [3, 3, 3, 2]),
        ([5, 0, 2, 1], [5, 0, 2, 1]),
        (np.array([0, 0, 0, 7]), [0, 0, 0, 7]),
        (np.int32(4), [1, 1, 1, 1]),
    ],
)
def test_make_heartbeats__n_anomalies__label_counts(n_anomalies, expected):
    X, y = make_heartbeats(3, n_anomalies, random_state=0)
    assert np.bincount(y, minlength=5).tolist() == [3, *expected]
    assert len(X) == len(y)


@settings(max_examples=25, deadline=None)
@given(
    n_normal=st.integers(0, 30),
    n_anomalies=st.lists(st.integers(0, 10), min_size=4, max_size=4),
    n_patients=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_make_heartbeats__any_arguments__layout(
    n_normal, n_anomalies, n_patients, seed
):
    n_normal += not sum(n_anomalies)
    X, y, patients = make_heartbeats(
        n_normal,
        n_anomalies,
        n_patients=n_patients,
        return_patients=True,
        random_state=seed,
    )
    assert X.shape == (n_normal + sum(n_anomalies), 187)
    assert np.bincount(y, minlength=5).tolist() == [n_normal, *n_anomalies]
    assert patients.shape == y.shape
    assert 0 <= patients.min() <= patients.max() < n_patients
    assert np.isfinite(X).all()
    # Scaled over the beat: both ends of the range are met, in every row.
    assert (X.min(axis=1) == 0).all()
    assert (X.max(axis=1) == 1).all()
    # Inside a beat only its lowest sample is zero, so what is more is padding, and
    # padding is at the end.
    n_zeros = (X == 0).sum(axis=1)
    n_padded = np.argmax(X[:, ::-1] > 0, axis=1)
    assert (n_zeros - n_padded <= 1).all()
    assert (n_padded < 187 - 40).all()


def test_make_heartbeats__window__starts_at_r_and_ends_after_next_r():
    X, _ = make_heartbeats(1000, 0, random_state=0)
    length = 187 - np.argmax(X[:, ::-1] > 0, axis=1)
    assert np.median(X[:, 0]) > 0.9
    # The window is 1.2 RR long: the next R peak lies at 1 / 1.2 of it.
    behind_the_start = np.where(np.arange(187) < 10, 0, X)
    next_peak = np.argmax(behind_the_start, axis=1)
    near = np.abs(next_peak - length / 1.2) <= 3
    assert near.mean() > 0.6
    assert 60 < np.quantile(length, 0.05) < np.quantile(length, 0.95) < 170


def test_make_heartbeats__rows__are_shuffled():
    _, y = make_heartbeats(200, 200, random_state=0)
    assert 0.35 < (y[:200] == 0).mean() < 0.65


def test_make_heartbeats__same_int__same_bits():
    X1, y1 = make_heartbeats(1500, 40, random_state=7)
    X2, y2 = make_heartbeats(1500, 40, random_state=7)
    np.testing.assert_array_equal(X1, X2)
    np.testing.assert_array_equal(y1, y2)


def test_make_heartbeats__other_int__other_beats():
    X1, _ = make_heartbeats(20, 0, random_state=7)
    X2, _ = make_heartbeats(20, 0, random_state=8)
    assert not np.array_equal(X1, X2)


def test_make_heartbeats__random_state_instance__is_advanced():
    rng = np.random.RandomState(7)
    X1, _ = make_heartbeats(20, 4, random_state=rng)
    X2, _ = make_heartbeats(20, 4, random_state=rng)
    np.testing.assert_array_equal(X1, make_heartbeats(20, 4, random_state=7)[0])
    assert not np.array_equal(X1, X2)


def test_make_heartbeats__no_random_state__fresh_and_global_generator_untouched():
    before = np.random.get_state()  # noqa: NPY002 - looked at, not drawn from
    X1, _ = make_heartbeats(20, 4)
    X2, _ = make_heartbeats(20, 4)
    after = np.random.get_state()  # noqa: NPY002
    assert not np.array_equal(X1, X2)
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


def test_make_heartbeats__two_calls__same_patients():
    """The mean beat of a patient is the same in both sets, and his own."""
    means = []
    for seed in (0, 1):
        X, _, patients = make_heartbeats(
            3000, 0, n_patients=6, return_patients=True, random_state=seed
        )
        means.append([X[patients == patient].mean(axis=0) for patient in range(6)])
    one, other = np.array(means)
    distance = np.linalg.norm(one[:, np.newaxis] - other[np.newaxis], axis=2)
    np.testing.assert_array_equal(distance.argmin(axis=1), np.arange(6))


def test_make_heartbeats__more_patients__first_ones_stay():
    from skad.datasets._ecg import make_patients

    few, many = make_patients(2), make_patients(5)
    for field_of_few, field_of_many in zip(few, many, strict=True):
        np.testing.assert_array_equal(field_of_few, field_of_many[:2])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_normal": -1}, r"n_normal=-1; expected an int >= 0"),
        ({"n_normal": 2.0}, r"n_normal=2\.0; expected an int >= 0"),
        ({"n_normal": True}, r"n_normal=True; expected an int >= 0"),
        ({"n_anomalies": -3}, r"n_anomalies=-3; expected an int >= 0"),
        ({"n_anomalies": "4"}, r"n_anomalies='4'; expected an int >= 0"),
        ({"n_anomalies": [1, 2, 3]}, r"shape \(3,\); expected an int, or 4 of them"),
        ({"n_anomalies": [1, 2, 3, -4]}, r"n_anomalies\[3\]=-4; expected an int >= 0"),
        ({"n_normal": 0, "n_anomalies": 0}, r"expected at least one beat"),
        ({"n_patients": 0}, r"n_patients=0; expected an int >= 1"),
        ({"random_state": -1}, "Seed must be between 0"),
        ({"random_state": np.random.default_rng(0)}, "cannot be used to seed"),
    ],
)
def test_make_heartbeats__bad_parameter__value_error(params, message):
    with pytest.raises(ValueError, match=message):
        make_heartbeats(**params)


@pytest.fixture(scope="module")
def roc_auc():
    """ROC-AUC of three simple detectors, in all and for each kind."""
    X_train, _ = make_heartbeats(2000, 0, random_state=0)
    X, y = make_heartbeats(400, [200, 300, 100, 100], random_state=1)
    pca = PCA(20, svd_solver="full").fit(X_train)
    neighbours = NearestNeighbors(n_neighbors=5).fit(X_train)
    errors = {
        "knn": neighbours.kneighbors(X)[0].mean(axis=1),
        "pca": ((X - pca.inverse_transform(pca.transform(X))) ** 2).mean(axis=1),
        "forest": -IsolationForest(random_state=0).fit(X_train).score_samples(X),
    }
    kinds = {"all": y >= 0} | {kind: np.isin(y, [0, kind]) for kind in range(1, 5)}
    return {
        name: {kind: roc_auc_score(y[of] > 0, e[of]) for kind, of in kinds.items()}
        for name, e in errors.items()
    }


def test_make_heartbeats__detectors__rank_as_on_real_beats(roc_auc):
    # Real beats: 0.92, 0.85, 0.78.
    in_all = {name: by_kind["all"] for name, by_kind in roc_auc.items()}
    assert in_all["knn"] > in_all["pca"] + 0.02
    assert in_all["pca"] > in_all["forest"] + 0.02
    assert in_all["forest"] > 0.65
    assert in_all["knn"] < 0.97


@pytest.mark.parametrize("name", ["knn", "pca", "forest"])
def test_make_heartbeats__kinds__differ_in_difficulty(roc_auc, name):
    by_kind = roc_auc[name]
    wide_qrs = min(by_kind[2], by_kind[4])
    assert min(by_kind.values()) > 0.55
    assert max(by_kind[1], by_kind[3]) < wide_qrs


# -- load_heartbeats ----------------------------------------------------------


def _lines(n_beats=4):
    """Lines of a sound file."""
    X, y = make_heartbeats(n_beats, 2, random_state=0)
    table = np.column_stack([X, y + 10])
    return [",".join(map(repr, row.tolist())) for row in table]


@pytest.fixture
def write(tmp_path):
    def write(lines, name="beats.csv"):
        path = tmp_path / name
        text = "\n".join(lines)
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text, encoding="utf-8")
        return path

    return write


def _with_field(line, column, field):
    """The line with another field in a column, counted from 1."""
    fields = line.split(",")
    fields[column - 1] = field
    return ",".join(fields)


@pytest.mark.parametrize("name", ["beats.csv", "beats.csv.gz"])
@pytest.mark.parametrize("as_type", [Path, str])
def test_load_heartbeats__sound_file__what_was_written(write, name, as_type):
    X, y = make_heartbeats(4, 2, random_state=0)
    X_read, y_read = load_heartbeats(as_type(write(_lines(), name)))
    # older pandas rounds the last digits of text in its own way
    np.testing.assert_allclose(X_read, X, rtol=1e-12)
    np.testing.assert_array_equal(y_read, y + 10)
    assert X_read.dtype == np.float64
    assert y_read.dtype == np.int64
    assert X_read.flags.c_contiguous


def test_load_heartbeats__one_beat_or_blank_lines__read(write):
    lines = _lines()
    assert load_heartbeats(write(lines[:1]))[0].shape == (1, 187)
    assert load_heartbeats(write([*lines, "", ""]))[0].shape == (6, 187)
    assert load_heartbeats(write([*lines[:2], "", *lines[2:]]))[0].shape == (6, 187)


@pytest.mark.parametrize("name", ["beats.csv", "beats.csv.gz"])
@pytest.mark.parametrize("number", [1, 3, 6])
@pytest.mark.parametrize(
    ("column", "field", "message"),
    [
        (12, "abc", r"column 12 \(sample 12\): found 'abc'; expected a finite number"),
        (1, "", r"column 1 \(sample 1\): found ''; expected a finite number"),
        (
            187,
            "nan",
            r"column 187 \(sample 187\): found 'nan'; expected a finite n",
        ),
        (5, "NA", r"column 5 \(sample 5\): found 'NA'; expected a finite number"),
        (5, "-inf", r"column 5 \(sample 5\): found '-inf'; expected a finite number"),
        (5, "1e999", r"column 5 \(sample 5\): found '1e999'; expected a finite number"),
        (188, "", r"column 188 \(label\): found ''; expected a whole number"),
        (188, "N", r"column 188 \(label\): found 'N'; expected a whole number"),
        (188, "0.5", r"column 188 \(label\): found '0\.5'; expected a whole number"),
        (188, "1e300", r"column 188 \(label\): found '1e300'; expected a whole number"),
        (188, "0.0,1", r"column 189 is one too many: found 189 columns; expected 188"),
        (187, "0.5,0.5", r"column 189 is one too many: found 189 columns"),
    ],
)
def test_load_heartbeats__bad_field__named(write, name, number, column, field, message):
    lines = _lines()
    lines[number - 1] = _with_field(lines[number - 1], column, field)
    with pytest.raises(ValueError, match=rf"{name}, line {number}, {message}"):
        load_heartbeats(write(lines, name))


@pytest.mark.parametrize("number", [1, 3, 6])
@pytest.mark.parametrize("n_columns", [1, 100, 187])
def test_load_heartbeats__short_line__named(write, number, n_columns):
    lines = _lines()
    lines[number - 1] = ",".join(lines[number - 1].split(",")[:n_columns])
    message = (
        rf"beats\.csv, line {number}, column {n_columns + 1} \(.*\) is missing: "
        rf"found {n_columns} columns; expected 188"
    )
    with pytest.raises(ValueError, match=message):
        load_heartbeats(write(lines))


@pytest.mark.parametrize("n_columns", [1, 187, 189, 200])
def test_load_heartbeats__all_lines_of_a_wrong_width__named(write, n_columns):
    with pytest.raises(ValueError, match=rf"line 1, .* found {n_columns} columns"):
        load_heartbeats(write([",".join(["0.5"] * n_columns)] * 3))


def test_load_heartbeats__fault_behind_blank_line__line_counts_it(write):
    lines = _lines()
    lines[1:1] = ["", _with_field(lines[0], 2, "?")]
    with pytest.raises(ValueError, match=r"line 3, column 2 \(sample 2\): found '\?'"):
        load_heartbeats(write(lines))


@pytest.mark.parametrize("name", ["beats.csv", "beats.csv.gz"])
@pytest.mark.parametrize("lines", [[], ["", "", ""]])
def test_load_heartbeats__empty_file__named(write, name, lines):
    with pytest.raises(ValueError, match=rf"{name}, line 1, .* found no rows"):
        load_heartbeats(write(lines, name))


def test_load_heartbeats__header__named(write, tmp_path):
    with pytest.raises(ValueError, match=r"line 1, column 1 \(sample 1\): found 't0'"):
        load_heartbeats(write([",".join(f"t{t}" for t in range(188)), *_lines()]))
    path = tmp_path / "frame.csv"
    pd.DataFrame(np.zeros((3, 188))).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"line 1, column 1: found a header"):
        load_heartbeats(path)


def test_load_heartbeats__python_but_no_csv_number__refused(write):
    lines = _lines()
    lines[2] = _with_field(lines[2], 9, "1_0")
    with pytest.raises(ValueError, match=r"beats\.csv, pandas cannot read it"):
        load_heartbeats(write(lines))


def test_load_heartbeats__no_text__named(tmp_path):
    path = tmp_path / "beats.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match=r"s\.csv, line 1, column 2 .* is missing: "):
        load_heartbeats(path)


@pytest.mark.parametrize("damage", ["cut", "plain text", "flipped"])
def test_load_heartbeats__damaged_gzip__named(write, damage):
    path = write(_lines(), "beats.csv.gz")
    packed = bytearray(path.read_bytes())
    middle = len(packed) // 2
    if damage == "cut":
        del packed[middle:]
    elif damage == "flipped":
        packed[middle : middle + 40] = b"\xff" * 40
    else:
        packed = bytearray(b"0.5,0.5\n")
    path.write_bytes(packed)
    with pytest.raises(ValueError, match=r"beats\.csv\.gz"):
        load_heartbeats(path)


def test_load_heartbeats__no_file__file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        load_heartbeats(tmp_path / "none.csv")


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_BEATS.is_dir(), reason="SKAD_DATA has no ecg_heartbeat")
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("normal_train.csv.gz", [4000]),
        ("dev_valid.csv.gz", [400, 200, 300, 100, 100]),
    ],
)
def test_load_heartbeats__real_beats__read(name, counts):
    X, y = load_heartbeats(REAL_BEATS / name)
    assert X.shape == (sum(counts), 187)
    assert np.bincount(y).tolist() == counts
    assert X.min() == 0
    assert X.max() == 1
