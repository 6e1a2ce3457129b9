"""
Explaining one event
====================

An alarm at night: when did it begin, which sensors are behind it, and what should they
have read?
"""

# %%
# A machine with eight sensors, and faults in its second half.

import pandas as pd

import skad

X, y, faults = skad.make_sensors(
    6000, 8, n_faults=3, dead_sensors=False, return_faults=True, random_state=5
)
pipeline = skad.sensor_pipeline(window=20).fit(X[:3000])
later = X[3000:]

# %%
# `explain` shares each row's error out to the sensors, `find_events` puts flagged rows
# together. With signed deviations it trims an event to the rows that deviate.

contributions, deviations = skad.explain(pipeline, later, return_deviations=True)
events = skad.find_events(
    pipeline.predict(later),
    contributions=contributions,
    deviations=deviations,
    window_length=int(pipeline[-1].calibration_.reach),
    merge_gap=30,
)
events[["start", "end", "sensor_1", "share_1", "deviation_1", "sensor_2", "share_2"]]

# %%
# What the simulation really broke:

faults

# %%
# The rows around the longest event: who deviates, and which way.

longest = (events["end"] - events["start"]).idxmax()
hour = pd.Timedelta("1h")
around = later.loc[events["start"][longest] - hour : events["end"][longest] + hour]
skad.ContributionDisplay.from_estimator(pipeline, around)

# %%
# And what the sensor to blame should have read.

blamed = events["sensor_1"][longest]
skad.AnomalyScoreDisplay.from_estimator(pipeline, around, columns=blamed, expected=True)
