"""
Rows as they come
=================

A machine sends a row a minute. `StreamScorer` takes each as it comes, remembers the
window behind it, and gives the score that the whole table would have given, in every
bit.
"""

# %%
# A row is judged by the window that ends with it, so the detector is fitted that way.

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skad

X, y = skad.make_sensors(5000, 6, n_faults=4, dead_sensors=False, random_state=6)
window = skad.WindowedDetector(skad.LinearAutoencoder(), 30, aggregate="last")
pipeline = make_pipeline(skad.TimeSeriesImputer(), StandardScaler(), window)
pipeline = pipeline.set_output(transform="pandas").fit(X[:2500])

# %%
# Rows come one by one, some of their values missing.

stream = skad.StreamScorer(pipeline)
alarms = []
for row in range(2500, 5000):
    found = stream.update(X[row : row + 1], labels=True)
    if found["label"].iloc[0] == -1:
        alarms.append(found.index[0])
print(f"{len(alarms)} alarms, the first at {alarms[0]}")

# %%
# The scores are those of the table, from the first whole window on.

again = skad.StreamScorer(pipeline).update(X[2500:])
whole = pipeline.score_samples(X[2500:])
print("equal bits:", np.array_equal(again[29:], whole[29:]))

# %%
# The stream can be saved with its last rows, to go on elsewhere; and it tells whether
# what comes is still what was learnt.

stream.drift_report()

# %%
# All rows so far, with the true faults.

skad.AnomalyScoreDisplay.from_estimator(pipeline, X[2500:], y[2500:])
