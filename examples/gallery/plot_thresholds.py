"""
Thresholds without labels
=========================

Nobody has labelled anything. Where is the line? skad's own comes from windows that were
left out of learning. The usual rules of the field are there, too, and say something
else about the same scores.
"""

# %%
# A detector that has learnt from normal beats, and beats that it has never seen.

import pandas as pd
from sklearn.pipeline import make_pipeline

import skad

X, y = skad.make_heartbeats(3500, 300, random_state=0)
is_learnt = (y == 0).cumsum() <= 1500
X, X_new, y_new = X[is_learnt & (y == 0)], X[~is_learnt], y[~is_learnt]
texture = skad.RandomConvolutions(random_state=0)
detector = make_pipeline(texture, skad.LocallyLinearAutoencoder()).fit(X)
print(detector[-1].calibration_)

# %%
# Rules read scores of normal rows. Those of rows that were learnt are too good: a rule
# is put around a detector by `TunedThresholdDetector`, which leaves rows out for it.

rules = {
    "mean + 3 sd": skad.SigmaThreshold(),
    "median + MAD": skad.MADThreshold(),
    "quartiles": skad.IQRThreshold(),
    "extreme values": skad.POTThreshold(risk=0.01),
    "conformal, 1 %": skad.ConformalThreshold(),
}
fitted = {"left out, 1 %": detector}
for name, rule in rules.items():
    tuned = skad.TunedThresholdDetector(detector, rule, cv=0.3, random_state=0)
    fitted[name] = tuned.fit(X)

# %%
# What became of new beats. Of the normal ones, 1 % was promised by some; the others
# promise nothing, and flag what they happen to flag.

flags = {name: one.predict(X_new) == -1 for name, one in fitted.items()}
found = {
    name: {"of normal, %": 100 * flag[y_new == 0].mean(),
           "of abnormal, %": 100 * flag[y_new > 0].mean()}
    for name, flag in flags.items()
}  # fmt: skip
pd.DataFrame(found).T.round(1)

# %%
# Scores of new beats, with the line of the first.

skad.ThresholdDisplay.from_estimator(detector, X_new, y_new > 0)
