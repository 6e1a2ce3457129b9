"""
Two detectors are one
=====================

One detector knows how sensors hang together, another what shapes they draw. Faults
that break neither are rare: `DetectorUnion` adds up the errors of both, in units of
rows that neither has learnt.
"""

# %%
# Sensors with faults of every kind.

import matplotlib.pyplot as plt

import skad

X, y = skad.make_sensors(8000, 6, n_faults=12, dead_sensors=False, random_state=9)
X = skad.TimeSeriesImputer().set_output(transform="pandas").fit(X[:4000]).transform(X)
train, test, truth = X[:4000], X[4000:], y[4000:]

# %%
# Members see the same table. Each has its own windows, and may be a pipeline.

couplings = skad.WindowedDetector(skad.LinearAutoencoder(0.9), 5)
shapes = skad.WindowedDetector(skad.LocallyLinearAutoencoder(), 40)
union = skad.DetectorUnion([("couplings", couplings), ("shapes", shapes)])
detectors = {"couplings": couplings, "shapes": shapes, "union": union}
fitted = {name: detector.fit(train) for name, detector in detectors.items()}

# %%
# On this machine their sum ranks rows better than either.

for name, detector in fitted.items():
    scores = detector.score_samples(test)
    print(f"{name:9s} VUS-PR {skad.vus_pr_score(truth, -scores):.3f}")

# %%
# The strips: true faults, and what each flags by its own threshold.

skad.DetectorComparisonDisplay.from_predictions(
    {name: detector.score_samples(test) for name, detector in fitted.items()},
    index=test.index,
    y_true=truth,
    thresholds={name: detector.offset_ for name, detector in fitted.items()},
)
plt.gcf().set_size_inches(8, 5)

# %%
# An explanation is that of the members, added up in the same units.

skad.ContributionDisplay.from_estimator(fitted["union"], test[:2000], truth[:2000])
