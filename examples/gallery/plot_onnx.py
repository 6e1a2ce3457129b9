"""
Scores without torch: ONNX
==========================

A pump's controller has no torch, and no scikit-learn. A pipeline becomes one ONNX file,
from scaler to label, that onnxruntime runs anywhere.
"""

# %%
# A net for heartbeats behind a scaler.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skad

X, _ = skad.make_heartbeats(800, 0, random_state=0)
X_new, y_new = skad.make_heartbeats(300, 60, random_state=1)
net = skad.MLPAutoencoder((64,), max_epochs=10, random_state=0)
pipeline = make_pipeline(StandardScaler(), net).fit(X)

# %%
# The file holds the whole decision, its threshold among the metadata.

path = skad.to_onnx(pipeline, Path(tempfile.mkdtemp()) / "beats.onnx")
session = onnxruntime.InferenceSession(path)
print(
    f"{path.stat().st_size / 1000:.0f} kB", session.get_modelmeta().custom_metadata_map
)

# %%
# Elsewhere, scores and labels come out of it. They are equal but for the rounding of
# another library.

score, label = session.run(["score", "label"], {"X": X_new})
expected = pipeline.score_samples(X_new)
print(f"scores differ by {np.max(np.abs(score / expected - 1)):.0e} of their value")
print("labels are equal:", np.array_equal(label, pipeline.predict(X_new)))

# %%
# Each beat in both worlds.

_, axis = plt.subplots(figsize=(5, 5), layout="constrained")
for kind, name in enumerate(["normal", "abnormal"]):
    rows = (y_new > 0) == kind
    axis.loglog(-expected[rows], -score[rows], ".", label=name)
axis.set(xlabel="error by skad", ylabel="error by onnxruntime")
_ = axis.legend()
