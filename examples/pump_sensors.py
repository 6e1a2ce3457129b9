"""Sensors of a pump: EncDec-AD with the six roles of its paper, beside references.

Gaps are filled, sensors scaled, windows cut, and an LSTM encoder-decoder learns from
normal rows (s_N; v_N1 stops it). Labelled rows (v_N2, v_A) tune the threshold for F1,
and have chosen the settings; all figures come from rows that nothing has seen (t_N,
t_A). Without arguments it runs on a synthetic machine, in about a minute. With
``--data FOLDER`` it runs on SKAB, a model for each file that learns from its first 400
rows, as the authors do; eight of fifteen files tune the threshold, the others judge.

Run: python examples/pump_sensors.py [--data FOLDER] [--epochs N] [--out FOLDER]
"""

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import (
    AnomalyScoreDisplay,
    ContributionDisplay,
    EncDecAD,
    FBetaThreshold,
    LinearAutoencoder,
    SigmaThreshold,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    detection_report,
    load_skab,
    make_sensors,
    split_roles,
)


class NearestNeighborDetector(OutlierMixin, BaseEstimator):
    """Reference: the mean distance to the five nearest training rows."""

    def fit(self, X, y=None):
        """Keep the training rows."""
        self.neighbors_ = NearestNeighbors(n_neighbors=5).fit(X)
        return self

    def score_samples(self, X):
        """Negative distance, higher = more normal."""
        return -self.neighbors_.kneighbors(X)[0].mean(axis=1)


class OnePerSeries(OutlierMixin, BaseEstimator):
    """A clone of a pipeline for each series, which scores that series alone."""

    def __init__(self, pipeline):
        self.pipeline = pipeline

    def fit(self, X, y=None):
        """Fit each clone to its series."""
        series = X.groupby(level="series")
        self.fitted_ = {name: clone(self.pipeline).fit(part) for name, part in series}
        return self

    def score_samples(self, X):
        """Score each series, higher = more normal."""
        return np.concatenate([p.score_samples(x) for p, x in self._parts(X)])

    def explain(self, X):
        """Share out the errors to the sensors."""
        parts = [p[-1].explain(p[:-1].transform(x)) for p, x in self._parts(X)]
        return np.concatenate(parts)

    def _parts(self, X):
        series = X.groupby(level="series", sort=False)
        return [(self.fitted_[name], part) for name, part in series]


def load(folder):
    """Return a table, labels, kinds of rows, the six roles and the rows to draw."""
    if folder is None:
        # The first seed with which v_A and t_A have faults of each kind.
        X, y, faults = make_sensors(
            30_000, n_faults=20, return_faults=True, random_state=2
        )
        kinds = pd.Series("normal", X.index)
        for fault in faults.itertuples():
            kinds[fault.start : fault.end] = fault.kind
        roles = split_roles(y)
        return X, y, kinds, roles, np.arange(roles["t_N"][0], len(X))
    X, y = load_skab(folder)
    series = X.index.get_level_values("series")
    place = X.groupby(level="series").cumcount().to_numpy()
    # The rest of a file, which holds its anomaly, goes to v_A or t_A as a whole.
    part = series + np.where(place < 400, " start", " rest")
    roles = split_roles(y, series=part, normal_shares=(1, 0, 0, 0))
    roles["s_N"] = np.flatnonzero(place < 333)
    roles["v_N1"] = np.flatnonzero((place >= 333) & (place < 400))
    kinds = pd.Series(series.str.split("__").str[0], X.index).where(y == 1, "normal")
    return X, y, kinds, roles, np.flatnonzero(series == series[-1])


def make_detectors(n_epochs, window_length=30):
    """Make EncDec-AD and what it must beat."""
    # It stops on the tail of what it is given: v_N1 is a sixth of s_N and v_N1.
    stopping = {"max_epochs": n_epochs, "validation_fraction": 1 / 6}
    encdec_ad = EncDecAD(32, lr=5e-3, input_noise=0.2, random_state=0, **stopping)
    pca = LinearAutoencoder(0.95, error_model="mahalanobis")
    return {
        "EncDec-AD": WindowedDetector(encdec_ad, window_length),
        "windowed PCA": WindowedDetector(pca, window_length),
        "5 neighbours, by row": NearestNeighborDetector(),
        "IsolationForest, by row": IsolationForest(random_state=0),
    }


def judge(name, scores, threshold, y):
    """Return a row of the table."""
    flagged = scores < threshold
    is_false = (flagged & (y == 0)).astype(int)
    n_false_alarms = (np.diff(is_false, prepend=0) == 1).sum()  # runs of rows
    step = y.index.get_level_values(-1).to_series().diff().median()
    report = detection_report(y, flagged.astype(int))
    return {
        "": name,
        "ROC-AUC": roc_auc_score(y, -scores),
        "AP": average_precision_score(y, -scores),
        "F1": report.fbeta,
        "found %": 100 * report.accuracy_anomalies,
        "false %": 100 - 100 * report.accuracy_normals,
        "false alarms a day": n_false_alarms / (len(y) * step / pd.Timedelta("1D")),
    }


def draw(detector, X, y, out):
    """Write the pictures: the sensors around the highest error, scores over time."""
    out.mkdir(parents=True, exist_ok=True)
    top = int(np.argmin(detector.score_samples(X)))
    around = {"start": max(0, top - 500), "stop": min(len(X) - 1, top + 500)}
    display = ContributionDisplay.from_estimator(detector, X, y, **around)
    display.figure_.savefig(out / "contributions.png", dpi=150)
    sensors = [display.channel_names[channel] for channel in display.channels_[:2]]
    display = AnomalyScoreDisplay.from_estimator(detector, X, y, columns=sensors)
    display.figure_.savefig(out / "scores.png", dpi=150)


def main():
    """Print the tables and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of SKAB")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args()
    mpl.use("Agg")
    X, y, kinds, roles, shown = load(args.data)
    learn = np.union1d(roles["s_N"], roles["v_N1"])
    tune = np.union1d(roles["v_N2"], roles["v_A"])
    test = np.union1d(roles["t_N"], roles["t_A"])
    print(f"{len(learn)} rows to learn from, {len(tune)} to tune, {len(test)} to judge")
    fitted, table = {}, []
    for name, detector in make_detectors(args.epochs).items():
        # pandas from step to step: the index tells the detector where series end
        pipeline = make_pipeline(
            TimeSeriesImputer("time", max_missing=0.4), StandardScaler(), detector
        ).set_output(transform="pandas")
        estimator = pipeline if args.data is None else OnePerSeries(pipeline)
        tuner = TunedThresholdDetector(estimator, FBetaThreshold(beta=1.0))
        start = time.process_time()
        tuner.fit(X.iloc[learn], X_val=X.iloc[tune], y_val=y.iloc[tune])
        seconds = time.process_time() - start
        scores = tuner.score_samples(X.iloc[test])
        row = judge(name, scores, tuner.offset_, y.iloc[test])
        fitted[name] = tuner
        table.append({**row, "CPU seconds": seconds})
    # Without labelled anomalies: the same scores, and a threshold from those of v_N1.
    best = fitted["EncDec-AD"]
    unlabelled = TunedThresholdDetector(best.estimator_, SigmaThreshold(3), cv="prefit")
    unlabelled.fit(X.iloc[roles["v_N1"]])
    scores = best.score_samples(X.iloc[test])
    table.insert(1, judge("  mean + 3 std", scores, unlabelled.offset_, y.iloc[test]))
    scores = np.random.default_rng(0).random(len(X))
    rule = FBetaThreshold().fit(scores[tune], y.iloc[tune])
    table.append(judge("random", scores[test], rule.threshold_, y.iloc[test]))
    table = pd.DataFrame(table).set_index("")
    formats = dict.fromkeys(table, "{:.1f}".format)
    formats |= dict.fromkeys(["ROC-AUC", "AP", "F1"], "{:.3f}".format)
    print(f"\n{table.to_string(formatters=formats, na_rep='')}\n\nEncDec-AD by kind:")
    labels, kinds = best.predict(X.iloc[test]), kinds.iloc[test]
    print(detection_report(y.iloc[test], labels, class_labels=kinds))
    draw(best, X.iloc[shown], y.iloc[shown], args.out)
    print(f"\nPictures are in {args.out}/")


if __name__ == "__main__":
    main()
