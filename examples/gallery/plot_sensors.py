"""
Which sensors broke, and when?
==============================

A machine with eight sensors, one of them dead, values missing here and there, and four
faults of which nobody tells us. The first half of its rows is normal. Where are the
faults in the other?
"""

# %%
# Here the table is simulated. Yours may come straight from `pandas.read_csv`.

import skad

table, is_anomaly = skad.make_sensors(6000, n_sensors=8, n_faults=4, random_state=3)
normal, later = table[:3000], table[3000:]
table.iloc[:4, :6].round(2)

# %%
# One line learns what normal looks like, in windows of 20 rows. The threshold comes
# from rows that were left out of learning, and says itself what it rests on.

pipeline = skad.sensor_pipeline(window=20).fit(normal)
print(pipeline[-1].calibration_)

# %%
# Flagged rows become events, each with the sensors that have the largest share in it.

contributions, deviations = skad.explain(pipeline, later, return_deviations=True)
events = skad.find_events(
    pipeline.predict(later),
    contributions=contributions,
    deviations=deviations,
    merge_gap=30,
)
events[["start", "end", "sensor_1", "share_1", "deviation_1"]]

# %%
# The picture names them. The black strip marks the true faults, one of which was not
# found. Two of the sensors are drawn with what they should have read.

blamed = list(dict.fromkeys(events["sensor_1"]))[:2]
display = skad.AnomalyScoreDisplay.from_estimator(
    pipeline, later, is_anomaly[3000:], columns=blamed, expected=True, events=events
)
