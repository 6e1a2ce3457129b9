"""
Thresholds without labels
=========================

Nobody has labelled anything. Where is the line? skad's own comes from windows that were
left out of learning. The usual rules of the field are there, too, and say something
else about the same scores.
"""

# %%
# Beats to learn from, all normal, and others. A pipeline that ranks beats well.

import pandas as pd
from sklearn.pipeline import make_pipeline

import skad

X, y = skad.make_heartbeats(3500, 300, random_state=0)
is_learnt = (y == 0).cumsum() <= 1500
X, X_new, y_new = X[is_learnt & (y == 0)], X[~is_learnt], y[~is_learnt]
texture = skad.RandomConvolutions(random_state=0)
pipeline = make_pipeline(texture, skad.LocallyLinearAutoencoder())

# %%
# A threshold for new beats comes from beats that nothing has learnt, no step of the
# pipeline either. Inside `DetectorUnion`, even alone, all steps are fitted anew for
# each block of beats that is left out.

detector = skad.DetectorUnion([("texture", pipeline)]).fit(X)
print(detector.calibration_)

# %%
# Rules read scores of normal rows, and those of rows that were learnt are too good. So
# `TunedThresholdDetector` holds back 30 % of the rows for its rule.

rules = {
    "mean + 3 sd": skad.SigmaThreshold(),
    "median + MAD": skad.MADThreshold(),
    "quartiles": skad.IQRThreshold(),
    "extreme values, 1 %": skad.POTThreshold(risk=0.01, level=0.9),
    "conformal, 1 %": skad.ConformalThreshold(),
}
fitted = {"left-out blocks, 1 %": detector}
for name, rule in rules.items():
    tuned = skad.TunedThresholdDetector(pipeline, rule, cv=0.3, random_state=0)
    fitted[name] = tuned.fit(X)

# %%
# New beats: some rules promise to flag 1 % of the normal ones, others nothing. The
# first warns of drift, unless rows are full of anomalies, as these are.

flags = {name: one.predict(X_new) == -1 for name, one in fitted.items()}
kinds = {"of normal, %": y_new == 0, "of abnormal, %": y_new > 0}
shares = {kind: pd.DataFrame(flags)[rows].mean() for kind, rows in kinds.items()}
(100 * pd.DataFrame(shares)).round(1)

# %%
# Scores of new beats, with the line of the first.

skad.ThresholdDisplay.from_estimator(detector, X_new, y_new > 0)
