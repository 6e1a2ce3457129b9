# pyright: strict, reportMissingTypeStubs=false
"""What a user's type checker sees of skad; mypy and pyright read it, and it runs."""

from typing import assert_type

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad import (
    FBetaThreshold,
    MLPAutoencoder,
    TunedThresholdDetector,
    WindowedDetector,
    detection_report,
    event_fbeta_score,
    explain,
    find_events,
    make_heartbeats,
    suggest_window_length,
)


def fit_and_judge_windows() -> None:
    X, y = make_heartbeats(60, 20, random_state=0)
    detector = MLPAutoencoder((8,), 2, normal_label=0, max_epochs=1, random_state=0)
    assert_type(detector.fit(X, y), MLPAutoencoder)
    scores: NDArray[np.float64] = detector.score_samples(X)
    margins: NDArray[np.float64] = detector.decision_function(X)
    labels: NDArray[np.signedinteger] = detector.predict(X)
    errors: NDArray[np.float64] = detector.reconstruct(X)
    assert scores.shape == margins.shape == labels.shape
    assert errors.shape == X.shape
    report = detection_report(y > 0, labels)
    accuracy: float = report.accuracy
    frame: pd.DataFrame = report.to_frame()
    assert accuracy <= 1
    assert len(frame)


def find_and_explain_events_of_a_series() -> None:
    X = np.random.default_rng(0).normal(size=(80, 2))
    y = np.repeat([1, -1, 1, -1], 20)
    length: int = suggest_window_length(X)
    assert length <= 16
    assert_type(WindowedDetector(MLPAutoencoder((4,), 1)), WindowedDetector)
    windowed = WindowedDetector(MLPAutoencoder((4,), 1, max_epochs=1), 4)
    tuned = TunedThresholdDetector(windowed, FBetaThreshold(), cv=2)
    assert_type(windowed.fit(X), WindowedDetector)
    assert_type(tuned.fit(X, y), TunedThresholdDetector)
    labels: NDArray[np.signedinteger] = tuned.predict(X)
    parts = explain(tuned, X)
    events: pd.DataFrame = find_events(labels, contributions=parts)
    score: float = event_fbeta_score(y, labels)
    assert len(events) <= len(X)
    assert 0 <= score <= 1 or np.isnan(score)


if __name__ == "__main__":
    fit_and_judge_windows()
    find_and_explain_events_of_a_series()
