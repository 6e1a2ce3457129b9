"""
Has normal moved on?
====================

A sensor is recalibrated, a season changes, a bearing wears: after a while a detector
flags more than it has promised, and nothing is broken. `predict` warns, `drift_report`
names what moved, and `recalibrate` puts the threshold where it belongs.
"""

# %%
# Nothing breaks in this table. From its third quarter on one sensor reads higher.

import warnings

import matplotlib.pyplot as plt

import skad

X, _ = skad.make_sensors(8000, 6, n_faults=0, dead_sensors=False, random_state=4)
learnt, new = X[:4000], X[4000:].copy()
new.iloc[2000:, 1] += 2.0 * X.iloc[:, 1].std()
pipeline = skad.sensor_pipeline(skad.LinearAutoencoder(), window=30).fit(learnt)

# %%
# About 1 % of new normal rows is promised to lie beyond the threshold, and no more does
# in the first half of the new rows; in the second the detector itself says that this
# does not hold any more.

for part in (new[:2000], new[2000:]):
    with warnings.catch_warnings(record=True, action="always") as caught:
        share = (pipeline.predict(part) == -1).mean()
    told = [str(one.message) for one in caught if one.category is skad.DriftWarning]
    print(f"{share:.1%} flagged.", *told)

# %%
# Which sensors are behind it, in units of what was usual in the rows of fit:

report = skad.drift_report(pipeline, new[2000:])
skad.DriftDisplay.from_report(report)
report

# %%
# If the new state is the new normal, the threshold moves to it, without a new fit. All
# new rows, before and after:

moved = skad.recalibrate(pipeline, new[2000:3500])
_, axes = plt.subplots(2, sharex=True, layout="constrained")
skad.AnomalyScoreDisplay.from_estimator(pipeline, new, ax=axes[0])
skad.AnomalyScoreDisplay.from_estimator(moved, new, ax=axes[1])
