"""The scripts that run TSB-AD's protocol: names, layout, split, figures, resuming."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

import skad

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def scripts():
    """Modules tsb_ad and tsb_ad_layout."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import tsb_ad
        import tsb_ad_layout

        yield tsb_ad, tsb_ad_layout
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def write(tmp_path):
    """Write a file of two channels in which rows 300 to 319 are odd."""

    def write(name="001_A_id_1_Sensor_tr_200_1st_300.csv", change=lambda table: table):
        rng = np.random.default_rng(0)
        time = np.arange(400)
        table = pd.DataFrame(
            {"b": np.sin(2 * np.pi * time / 20), "a": rng.normal(size=400)}
        )
        table["Label"] = ((time >= 300) & (time < 320)).astype(int)
        table.loc[table["Label"] == 1, "b"] += 3.0
        change(table).to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "dataset", "domain", "train"),
    [
        ("001_NAB_id_1_Facility_tr_1007_1st_2014.csv", "NAB", "Facility", "1007"),
        ("138_CATSv2_id_1_Sensor_tr_16568_1st_0.csv", "CATSv2", "Sensor", "16568"),
        ("9_a_2_id_7_b_id_12_Web_tr_5_1st_6.csv", "a_2_id_7_b", "Web", "5"),
        ("9_tr_5_1st_6_id_1_Web_tr_50_1st_60.csv", "tr_5_1st_6", "Web", "50"),
    ],
)
def test_read_name__finds_each_part(scripts, name, dataset, domain, train):
    found = scripts[0].read_name(Path("folder") / name)
    assert (found["dataset"], found["domain"], found["train"]) == (
        *(dataset, domain, train),
    )


@pytest.mark.parametrize(
    "name",
    [
        "107_SMAP_E-9_2075_5550.csv",
        "001_NAB_id_1_Facility_tr_1007.csv",
        "001_NAB_id_1_Facility_tr_x_1st_9.csv",
        "001_NAB_id_1_Facility_tr_1_1st_9.csv.gz",
    ],
)
def test_read_name__refuses_others(scripts, name):
    with pytest.raises(ValueError, match="is not named"):
        scripts[0].read_name(Path(name))


def test_read_task__learns_the_first_rows_and_judges_all(scripts, write):
    path = write()
    task = scripts[0].read_task(path, unsupervised=False)
    table = pd.read_csv(path)
    assert [*task.X_test] == ["x0", "x1"]
    assert np.array_equal(task.X_test, table[["b", "a"]])
    assert np.array_equal(task.X_train, table[["b", "a"]][:200])
    assert np.array_equal(task.y_test, table["Label"])
    assert task.window_length == skad.suggest_window_length(task.X_train)
    whole = scripts[0].read_task(path, unsupervised=True)
    assert np.array_equal(whole.X_train, whole.X_test)


def test_read_task__leaves_out_missing_rows_before_the_split(scripts, write):
    def lose(table):
        return table.mask((table.index == 3)[:, None] & (table.columns == "a"))

    task = scripts[0].read_task(write(change=lose), unsupervised=False)
    assert (len(task.X_train), len(task.X_test)) == (200, 399)


def test_find_files__names_what_it_leaves_out(scripts, write, tmp_path, capsys):
    short = write("001_A_id_1_B_tr_10_1st_300.csv", lambda t: t[250:])
    long = write("002_A_id_2_B_tr_10_1st_300.csv")
    find = scripts[0].find_files
    assert find(tmp_path) == find(tmp_path, max_rows=400) == [short, long]
    assert not capsys.readouterr().out
    assert find(tmp_path, max_rows=399) == [short]
    assert long.name in capsys.readouterr().out

    listed = tmp_path / "list.txt"
    listed.write_text(f"file_name\nnone.csv\n{long.name}\n")
    # what is missing is kept, so that it is reported
    assert find(tmp_path, listed, 399) == [tmp_path / "none.csv"]


@pytest.mark.parametrize(
    ("lags", "channel"),
    [
        (25, np.sin(2 * np.pi * np.arange(1000) / 25)),
        (7, np.tile([3.0, 1, 4, 1, 5, 9, 2], 60)),
        (125, np.sin(2 * np.pi * np.arange(5000) / 350)),  # longer than 303
        (125, np.arange(500.0)),  # no peak
        (125, np.full(500, 0.1)),
    ],
)
def test_period__is_the_highest_peak(scripts, lags, channel):
    assert scripts[0].period(channel) == lags


def test_period__is_that_of_a_loop(scripts):
    channel = np.random.default_rng(1).normal(size=300).cumsum()[::-1]
    values = channel - channel.mean()
    at = [values[lag:] @ values[: len(values) - lag] for lag in range(300)]
    peaks = [k for k in range(4, 299) if at[k - 1] < at[k] > at[k + 1]]
    assert scripts[0].period(channel) == max(peaks, key=lambda lag: at[lag])


def test_figures__are_those_of_skad(scripts, write):
    task = scripts[0].read_task(write(), unsupervised=False)
    truth, errors = task.y_test, task.X_test["x0"].to_numpy()
    found = scripts[0].figures(truth, errors, 20)
    assert tuple(found) == scripts[0].FIGURES
    assert found["VUS-PR"] == skad.vus_pr_score(truth, errors, window=20)
    assert found["VUS-ROC"] == skad.vus_roc_score(truth, errors, window=20)
    assert found["AUC-PR"] == average_precision_score(truth, errors)
    assert found["AUC-ROC"] == roc_auc_score(truth, errors)
    best = max(f1_score(truth, errors >= value) for value in errors)
    assert found["Standard-F1"] == pytest.approx(best)

    flagged = [
        (errors > threshold).astype(int)
        for threshold in np.linspace(errors.min(), errors.max(), 100)[:-1]
    ]
    for name, metric in {
        "PA-F1": skad.point_adjusted_fbeta_score,
        "Event-based-F1": skad.composite_fbeta_score,
        "R-based-F1": lambda *rows: skad.range_fbeta_score(*rows, alpha=0.2),
        "Affiliation-F": lambda *rows: skad.affiliation_scores(*rows).fbeta,
    }.items():
        assert found[name] == max(metric(truth, flags) for flags in flagged)


@pytest.mark.parametrize("unsupervised", [False, True])
def test_run__judges_every_detector_as_it_does_alone(
    scripts, write, tmp_path, unsupervised
):
    tsb_ad, paths = scripts[0], [write(), write("002_B_id_1_Web_tr_99_1st_300.csv")]
    names, results = ["random", "PCA", "neighbours"], tmp_path / "results.txt"
    found = tsb_ad.run(paths, names, unsupervised, results)
    assert len(found) == 6
    assert found["failure"].isna().all()
    task = tsb_ad.read_task(paths[0], unsupervised)
    errors = -tsb_ad.score(tsb_ad.build(task, "PCA", unsupervised), task, unsupervised)
    again = tsb_ad.figures(task.y_test, errors, tsb_ad.period(task.X_test["x0"]))
    row = found.loc[(paths[0].name, "PCA")]
    assert again == pytest.approx(row[[*again]].to_dict())
    assert row["VUS-PR"] > found.loc[(paths[0].name, "random"), "VUS-PR"]


def test_build__is_the_same_each_time_and_trims_without_labels(scripts, write):
    tsb_ad = scripts[0]
    for unsupervised in (False, True):
        task = tsb_ad.read_task(write(), unsupervised)
        parameters = tsb_ad.build(task, "texture", unsupervised).get_params()
        trims = [v for name, v in parameters.items() if name.endswith("__trim")]
        seeds = [v for name, v in parameters.items() if name.endswith("random_state")]
        assert trims == [0.1 if unsupervised else 0.0]
        assert seeds == [0]


def test_run__goes_on_from_what_is_there(scripts, write, tmp_path, monkeypatch):
    tsb_ad, path, results = scripts[0], write(), tmp_path / "results.txt"
    judged = []
    judge = tsb_ad.judge
    monkeypatch.setattr(
        tsb_ad, "judge", lambda *what: judged.append(what) or judge(*what)
    )
    first = tsb_ad.run([path], ["random"], False, results)
    both = tsb_ad.run([path], ["random", "PCA"], False, results)
    assert [name for _, name, _ in judged] == ["random", "PCA"]
    assert both.loc[[(path.name, "random")]].equals(first)
    tsb_ad.run([path], ["PCA"], True, results)  # the other track is missing
    assert judged[2:] == [(path, "PCA", True)]


@pytest.mark.parametrize("n_bytes", [0, 10, -200, -30, -1])
def test_run__goes_on_where_it_was_killed(scripts, write, tmp_path, n_bytes):
    tsb_ad, results = scripts[0], tmp_path / "results.txt"
    paths = [write(), write("002_A_id_2_Sensor_tr_200_1st_300.csv")]
    found = tsb_ad.run(paths, ["random"], False, results)
    written = results.read_bytes()
    results.write_bytes(written[:n_bytes])
    again = tsb_ad.run(paths, ["random"], False, results)
    pd.testing.assert_frame_equal(
        again.drop(columns="seconds"), found.drop(columns="seconds")
    )
    assert len(results.read_bytes().splitlines()) == 3


def test_run__refuses_results_of_other_columns(scripts, write, tmp_path):
    results = tmp_path / "results.txt"
    results.write_text("file,detector,VUS-PR\nan old one,random,0.5\n")
    with pytest.raises(ValueError, match="other columns than file, detector, track"):
        scripts[0].run([write()], ["random"], False, results)
    assert "an old one" in results.read_text()


BROKEN = {
    "no labels": ("001_A_id_1_B_tr_200_1st_300.csv", lambda t: t[["a", "b"]]),
    "no anomaly": ("001_A_id_1_B_tr_200_1st_300.csv", lambda t: t.assign(Label=0)),
    "texts": ("001_A_id_1_B_tr_200_1st_300.csv", lambda t: t.assign(a="x")),
    "short": ("001_A_id_1_B_tr_401_1st_300.csv", lambda t: t),
    "empty": ("001_A_id_1_B_tr_200_1st_300.csv", lambda t: t[:0]),
    "name": ("table.csv", lambda t: t),
}


def test_find_files__counts_rows_of_files_that_are_no_texts(scripts, tmp_path):
    path = tmp_path / "001_A_id_1_B_tr_200_1st_300.csv"
    path.write_bytes(b"\xff\xfe\x80\n" * 20)
    assert scripts[0].find_files(tmp_path, max_rows=100) == [path]
    assert scripts[0].find_files(tmp_path, max_rows=10) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_run__reports_broken_files_and_tries_them_again(scripts, write, tmp_path, kind):
    tsb_ad, results = scripts[0], tmp_path / "results.txt"
    whole = write("002_A_id_2_Sensor_tr_200_1st_300.csv")
    broken = write(*BROKEN[kind])
    found = tsb_ad.run([broken, whole], ["PCA"], False, results)
    assert found["failure"].isna().tolist() == [False, True]
    assert "ValueError: " in found.loc[(broken.name, "PCA"), "failure"]
    means = tsb_ad.summarise(found)
    assert means.loc["PCA", ["files", "failed"]].tolist() == [2, 1]
    own = found.loc[(whole.name, "PCA"), "VUS-PR"]
    assert means.loc["PCA", "VUS-PR"] == pytest.approx(own / 2)

    mended = write(broken.name)
    if kind not in ("name", "short"):
        found = tsb_ad.run([mended, whole], ["PCA"], False, results)
        assert found["failure"].isna().all()


def test_summarise_groups__is_the_mean_of_each_dataset(scripts, write, tmp_path):
    tsb_ad = scripts[0]
    names = ["1_A_1_id_1_X_tr_200_1st_300.csv", "2_A_1_id_2_X_tr_300_1st_300.csv"]
    paths = [write(name) for name in [*names, "3_B_id_1_X_tr_200_1st_300.csv"]]
    found = tsb_ad.run(paths, ["random", "PCA"], False, tmp_path / "results.txt")
    groups = tsb_ad.summarise_groups(found)
    assert groups["files"].to_dict() == {"A_1": 2, "B": 1}
    expected = found.loc[[(name, "PCA") for name in names], "VUS-PR"].mean()
    assert groups.loc["A_1", "PCA"] == pytest.approx(expected)


def test_main__prints_tables_and_fails_where_a_file_did(
    scripts, write, tmp_path, monkeypatch, capsys
):
    good, bad = write(), write("002_A_id_2_Sensor_tr_900_1st_300.csv")
    files = tmp_path / "list.txt"
    command = ["tsb_ad.py", tmp_path, "--results", tmp_path / "r.csv"]
    command += ["--detectors", "random", "--files", files]
    monkeypatch.setattr(sys, "argv", [*map(str, command)])
    for paths, status in [([good], 0), ([good, bad], 1)]:
        files.write_text("\n".join(["file_name", *(path.name for path in paths)]))
        with pytest.raises(SystemExit) as ended:
            scripts[0].main()
        assert ended.value.code == status
    printed = capsys.readouterr().out
    assert f"failed: {bad.name}, random: ValueError: tr_900" in printed
    assert printed.index("VUS-PR") < printed.index("VUS-ROC")
    monkeypatch.setattr(sys, "argv", [*map(str, command[:-2])])  # the whole folder
    with pytest.raises(SystemExit):
        scripts[0].main()
    assert "r.csv" not in capsys.readouterr().out


# The converter ------------------------------------------------------------------------


def test_write__made_files_have_the_layout_of_both_tracks(scripts, tmp_path):
    tsb_ad, layout = scripts
    many, one = layout.write(tmp_path / "new", None, ["made"])
    for path, n_channels in ((many, 6), (one, 1)):
        name, task = tsb_ad.read_name(path), tsb_ad.read_task(path, False)
        assert task.X_test.shape == (4000, n_channels)
        assert len(task.X_train) == int(name["train"])
        assert np.argmax(task.y_test) == int(name["anomaly"])
        assert not task.y_test[: len(task.X_train)].any()


@pytest.mark.parametrize(
    ("n_rows", "first", "n_train"),
    [  # as in names that TSB-AD publishes
        (4031, 2014, 1007),
        (16_220, 15_538, 4055),
        (5000, 630, 530),
        (2161, 438, 500),
        (230_400, 106_634, 50_000),
        (300, 200, 300),
    ],
)
def test_train_rows__are_those_of_published_names(scripts, n_rows, first, n_train):
    labels = (np.arange(n_rows) == first).astype(int)
    assert scripts[1].train_rows(labels) == n_train


@pytest.mark.real_data
def test_write__keeps_what_the_sets_hold(scripts, data_folder, tmp_path):
    tsb_ad, layout = scripts
    paths = layout.write(tmp_path, data_folder, ["UCR", "Keogh"])
    assert len(paths) == 3 + 8
    assert paths[0].name == "001_UCR_id_1_Medical_tr_35000_1st_52000.csv"
    for path in paths:
        task = tsb_ad.read_task(path, unsupervised=False)
        assert np.argmax(task.y_test) == int(tsb_ad.read_name(path)["anomaly"])
