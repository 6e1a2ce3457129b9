"""
One search over a whole pipeline
================================

How long a window, which net, how wide a code, which threshold? Where some faults are
labelled, one `GridSearchCV` answers all of it at once, from the imputer on.
"""

# %%
# The table has gaps and faults, whose times we know for now.

import pandas as pd
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skad

X, y = skad.make_sensors(
    4000, 6, n_faults=8, normal_fraction=0.4, dead_sensors=False, random_state=1
)

# %%
# A detector in a pipeline is one more step, with parameters of its own. It learns from
# normal rows alone: windows with a faulty row are dropped after they were cut.

detector = skad.WindowedDetector(
    skad.LinearAutoencoder(), 20, contamination=0.02, normal_label=0
)
pipeline = make_pipeline(
    skad.TimeSeriesImputer(),
    StandardScaler(),
    detector,
).set_output(transform="pandas")
grid = {
    "timeseriesimputer__method": ["ffill", "linear"],
    "windoweddetector__window_length": [10, 20, 40],
    "windoweddetector__estimator__error_model": ["mse", "hybrid"],
}
search = GridSearchCV(
    pipeline,
    grid,
    scoring=skad.make_outlier_scorer("vus_pr"),
    cv=TimeSeriesSplit(3),  # learns from what was, judged by what comes
).fit(X, y)

# %%
# Volume under the surface (VUS-PR) judges a ranking of rows by events. What each choice
# brings, over the others:

results = pd.DataFrame(search.cv_results_).filter(regex="^param_|^mean_test|^std_test")
results.columns = [name.split("__")[-1] for name in results.columns]
results.sort_values("mean_test_score", ascending=False).head(6)

# %%
# The winner is a pipeline like any other, fitted on all rows.

skad.AnomalyScoreDisplay.from_estimator(search.best_estimator_, X[2000:], y[2000:])
