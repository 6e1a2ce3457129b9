"""
Larger than memory: Parquet and Dask
====================================

Years of sensors lie in a folder of Parquet files. They are learnt from and scored range
by range, here or on the workers of a cluster, with the bits that one table would give.
"""

# %%
# Two pumps, a file each.

import tempfile
from pathlib import Path

import pandas as pd
from distributed import Client

import skad

folder = Path(tempfile.mkdtemp())
plant = folder / "plant"
plant.mkdir()
for number, name in enumerate(["north", "south"]):
    X, _ = skad.make_sensors(5000, 6, dead_sensors=False, random_state=number)
    X.assign(pump=name).reset_index().to_parquet(plant / f"{name}.parquet")

# %%
# `fit_parquet` learns from files as `fit` learns from a table.

pipeline = skad.sensor_pipeline(
    skad.LinearAutoencoder(), time="timestamp", series="pump", window=20
)
fitted = skad.fit_parquet(pipeline, plant)
print(fitted[-1].calibration_)

# %%
# `score_parquet` writes scores to files, each whole or not at all; a run that was
# killed goes on where it was. With ``engine="dask"`` the ranges go to the workers of
# the cluster that runs, each with one thread.

here = skad.score_parquet(fitted, plant, folder / "scores", labels=True)
scores = pd.read_parquet(here)
scores.groupby("pump")["label"].value_counts().unstack()

# %%

with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"):
    there = skad.score_parquet(
        fitted, plant, folder / "scores_by_dask", labels=True, engine="dask"
    )
print("equal bits:", scores.equals(pd.read_parquet(there)))

# %%
# Events are found in the scores, pump by pump, as in any table.

pump = scores[scores["pump"] == "south"].set_index("timestamp")
skad.AnomalyScoreDisplay.from_predictions(
    pump["score"], index=pump.index, threshold=fitted[-1].offset_
)
