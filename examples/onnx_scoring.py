"""Heartbeats, scored where neither torch nor skad is installed.

``export`` trains a detector on normal beats, with a scaler before it and a tuned
threshold around it, and writes two files: the whole decision as an ONNX model, and raw
beats with the scores and labels that skad gives them. ``score`` needs onnxruntime and
numpy alone: it scores the beats, compares, and prints how long a beat takes.

Run: python examples/onnx_scoring.py export [--out FOLDER] [--epochs N]
     python examples/onnx_scoring.py score [--out FOLDER]
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np


def export(folder, epochs):
    """Train, and write model and beats."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skad import MLPAutoencoder, TunedThresholdDetector, make_heartbeats, to_onnx

    X, y = make_heartbeats(600, 200, random_state=0)
    detector = MLPAutoencoder((64,), max_epochs=epochs, normal_label=0, random_state=0)
    pipeline = make_pipeline(StandardScaler(), detector)
    tuned = TunedThresholdDetector(pipeline, cv=0.3, random_state=0).fit(X, y > 0)
    beats, _ = make_heartbeats(200, 50, random_state=1)
    folder.mkdir(parents=True, exist_ok=True)
    path = to_onnx(tuned, folder / "beats.onnx")
    np.savez(
        folder / "beats.npz",
        beats=beats,
        score=tuned.score_samples(beats),
        label=tuned.predict(beats),
    )
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def score(folder):
    """Score the beats without torch, and compare."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "beats.onnx")
    saved = np.load(folder / "beats.npz")
    beats = saved["beats"].astype(np.float64)
    score, label = session.run(["score", "label"], {"X": beats})
    start = time.perf_counter()
    for beat in beats:
        session.run(None, {"X": beat[None]})
    seconds = (time.perf_counter() - start) / len(beats)
    assert not {"torch", "sklearn", "skad"} & set(sys.modules)

    metadata = session.get_modelmeta().custom_metadata_map
    difference = np.max(np.abs(score / saved["score"] - 1))
    print(f"made by skad {metadata['skad_version']}, threshold {metadata['threshold']}")
    print(
        f"{len(beats)} beats, {np.sum(label == -1)} anomalies, {1e6 * seconds:.0f} us"
    )
    print(f"largest relative difference to skad's scores: {difference:.1e}")
    assert difference < 1e-6
    assert (label == saved["label"]).all()


def main():
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["export", "score"])
    parser.add_argument("--out", type=Path, default=Path("onnx_scoring"))
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    if args.command == "export":
        export(args.out, args.epochs)
    else:
        score(args.out)


if __name__ == "__main__":
    main()
