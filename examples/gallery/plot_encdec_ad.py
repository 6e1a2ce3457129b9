"""
A pump, with EncDec-AD
======================

EncDec-AD (Malhotra et al. 2016, :arxiv:`1607.00148`) reads a window with one LSTM and
writes it backwards with another. Errors are judged by how normal errors are spread, and
rows have one of six roles, so that no figure comes from rows that have chosen anything.
"""

# %%
# Gaps are filled and sensors scaled by what the first, normal part teaches.

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skad

kinds = ["level_shift", "stuck_sensor", "noise_burst", "lost_correlation"]
X, y = skad.make_sensors(
    8000, 6, n_faults=8, fault_kinds=kinds, dead_sensors=False, random_state=1
)
prepare = make_pipeline(skad.TimeSeriesImputer(), StandardScaler())
X = prepare.set_output(transform="pandas").fit(X[:4000]).transform(X)

# %%
# Normal rows are learnt (s_N), stop the training (v_N1) and, with anomalies, tune the
# threshold (v_N2, v_A). Others judge (t_N, t_A):

roles = skad.split_roles(y)
learnt, tuning, judging = (
    np.sort(np.concatenate([roles[name] for name in names]))
    for names in (["s_N", "v_N1"], ["v_N2", "v_A"], ["t_N", "t_A"])
)
{name: len(rows) for name, rows in roles.items()}

# %%
# The net sees windows of 30 rows. The threshold of `fit` gives way to the one with the
# best F1 on the labelled rows. A warning counts learnt rows that make no whole window.

net = skad.EncDecAD(32, lr=5e-3, input_noise=0.2, max_epochs=20, random_state=0)
detector = skad.WindowedDetector(net, 30, contamination=0.01).fit(X.iloc[learnt])
tuned = skad.TunedThresholdDetector(detector, skad.FBetaThreshold(), cv="prefit")
tuned.fit(X.iloc[tuning], y.iloc[tuning])
skad.detection_report(y.iloc[judging], tuned.predict(X.iloc[judging]))

# %%
# Each threshold misses something or cries wolf. The line is the one that was tuned.

skad.ThresholdDisplay.from_estimator(tuned, X.iloc[judging], y.iloc[judging])

# %%
# Principal components of the same windows rank the rows of this machine no worse.

pca = skad.LinearAutoencoder(0.95, error_model="mahalanobis")
pca = skad.WindowedDetector(pca, 30, contamination=0.01).fit(X.iloc[learnt])
for name, fitted in {"EncDec-AD": detector, "PCA": pca}.items():
    errors = -fitted.score_samples(X.iloc[judging])
    print(f"{name:9s} ROC-AUC {roc_auc_score(y.iloc[judging], errors):.3f}")
