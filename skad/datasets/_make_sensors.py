"""A synthetic table of sensors, with gaps and faults."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from skad._fitting import with_standard_numbers
from skad._validation import (
    InvalidParameterError,
    ceil_of_share,
    check_random_state,
)
from skad.datasets import _faults
from skad.datasets._files import check_count
from skad.datasets._machine import make_machine, simulate


@with_standard_numbers
def make_sensors(
    n_timestamps: int = 20_000,
    n_sensors: int = 12,
    *,
    n_faults: int = 10,
    fault_kinds: str | Sequence[str] = "all",
    normal_fraction: float = 0.5,
    missing_fraction: float = 0.02,
    dead_sensors: bool = True,
    start: str | datetime = "2018-04-01",
    freq: str | timedelta | pd.offsets.BaseOffset = "min",
    return_status: bool = False,
    return_faults: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Any, ...]:
    """Make a labelled table of the sensors of a machine, with gaps and faults.

    A motor drives a pump that fills a tank, in cycles of load and idling and in the
    rhythm of the day. Sensors measure this, each in its own unit, with delay, noise and
    drift. The layout is that of the table that :func:`load_pump_sensors` reads.

    Parameters
    ----------
    n_timestamps : int, default=20_000
        Number of rows.
    n_sensors : int, default=12
        Number of columns. The sensors are the same in every call, whatever
        `random_state`; from the 13th on, they measure the same quantities again.
    n_faults : int, default=10
        Number of faults, distributed evenly over `fault_kinds`; the first kinds get the
        remainder. 0 gives a clean table to fit on.
    fault_kinds : str or list of str, default="all"
        One kind or several. Faults of sensors last 60 to 180 rows, fewer where there is
        little room, and affect a few sensors:

        - "level_shift": the readings jump by about one standard deviation;
        - "stuck_sensor": the readings do not change;
        - "lost_correlation": the readings are those of another time;
        - "noise_burst": the noise is several times stronger.

        In a "failure" of the machine, wear makes several sensors drift away for 200 to
        600 rows, ever faster; the machine breaks, stops, is repaired and starts again.
    normal_fraction : float, default=0.5
        Share of the rows at the beginning that have no faults, in [0, 1).
    missing_fraction : float, default=0.02
        Expected share of missing values, in [0, 1): single ones, stretches of up to 80
        rows of one sensor, and such stretches of all sensors.
    dead_sensors : bool, default=True
        Whether one sensor is empty and one missing 60 % of the time, at the relative
        positions of the worst of the pump table (sensor_15 and sensor_50 of 52).
    start : str or datetime-like, default="2018-04-01"
        Time of the first row.
    freq : str, Timedelta or offset, default="min"
        Step in time from row to row, at most an hour. It changes neither the pace of
        the machine nor the number of rows of a fault.
    return_status : bool, default=False
        Whether to also return the status of the machine, as in the pump table.
    return_faults : bool, default=False
        Whether to also return the list of the faults.
    random_state : int, RandomState instance or None, default=None
        Draws operation, noise, faults and gaps. An int gives the same table in every
        call; a RandomState instance is advanced; None takes a fresh seed from the
        operating system, never NumPy's global generator.

    Returns
    -------
    X : DataFrame of shape (n_timestamps, n_sensors), dtype float64
        The readings: columns sensor_00, sensor_01, ..., a DatetimeIndex named
        timestamp. Missing values are NaN.
    y : Series of shape (n_timestamps,), dtype int64
        1 in the rows of a fault, with the drift before a failure and the recovery after
        it, else 0. Index as in `X`.
    status : Series of shape (n_timestamps,), dtype str
        What the machine's log says: "BROKEN", "RECOVERING" or, where `y` is 0 and
        before a failure, "NORMAL". Only if `return_status` is True.
    faults : DataFrame of shape (n_faults, 5)
        The faults in the order of time, with the columns start and end (first and last
        timestamp), broken (first timestamp with status "BROKEN"; for faults of sensors
        the start), kind, and sensors, a tuple of the affected columns. Only if
        `return_faults` is True.

    Raises
    ------
    InvalidParameterError
        A ValueError: if a parameter is out of its range, or there is no room for the
        faults (20 rows each, 80 for a failure) after the normal part.

    See Also
    --------
    load_pump_sensors : Read a real table of the same layout.
    make_heartbeats : Make synthetic heartbeats.

    Notes
    -----
    The columns are flow, pressure, current, speed, vibration, the temperatures of
    bearing, motor and outlet, the level of the tank, valve position, mains voltage and
    room temperature. The load drives the speed, which drives flow (in proportion),
    pressure (with its square) and current, all within minutes; temperatures and level
    follow within half an hour to two hours. The valve shifts the balance of flow and
    pressure, and vibration has a resonance at one speed: neither a range for each
    sensor nor a linear model covers all of what is normal.

    No simple method finds all faults. A range for each sensor, or an isolation forest
    of rows, finds little but the standstill of a broken machine. Principal components
    of windows also find lost correlations, level shifts and some drifts; stuck sensors
    and noise bursts only with many components, and then standstills are missed.

    Operation, noise, faults and gaps have independent generators: with the same
    `random_state`, another `missing_fraction` changes no reading, and faults of sensors
    only those in their rows and sensors.

    Examples
    --------
    >>> from skad import make_sensors
    >>> X, y, faults = make_sensors(random_state=0, return_faults=True)
    >>> X.shape
    (20000, 12)
    >>> faults.kind.nunique(), len(faults)
    (5, 10)

    Fit on the first half, which is normal, and score the second:

    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.metrics import roc_auc_score
    >>> X = X.dropna(axis=1, thresh=10_000).ffill().bfill()
    >>> X.shape
    (20000, 10)
    >>> detector = IsolationForest(random_state=0).fit(X[:10_000])
    >>> roc_auc_score(y[10_000:] == 0, detector.score_samples(X[10_000:])) > 0.6
    True

    Several runs of one machine, as series of one table:

    >>> import pandas as pd
    >>> runs = {f"run {i}": make_sensors(2000, random_state=i)[0] for i in range(3)}
    >>> pd.concat(runs, names=["series"]).index.names
    FrozenList(['series', 'timestamp'])
    """
    check_count("n_timestamps", n_timestamps, 1)
    check_count("n_sensors", n_sensors, 3 if dead_sensors else 1)
    _check_shares(normal_fraction=normal_fraction, missing_fraction=missing_fraction)
    kinds = _faults.choose_kinds(n_faults, fault_kinds)
    first = ceil_of_share(normal_fraction, n_timestamps)
    _faults.check_room(n_timestamps - first, kinds)
    index, minutes, step = _make_time(start, freq, n_timestamps)

    # A generator for each purpose: other gaps leave everything else as it is.
    seeds = check_random_state(random_state).randint(2**31, size=5)
    generators = map(np.random.RandomState, seeds)
    for_plan, for_operation, for_noise, for_faults, for_gaps = generators
    faults = _faults.plan_faults(n_timestamps, first, kinds, for_plan)
    sensors = make_machine(n_sensors)
    readings = simulate(sensors, minutes, step, faults, for_operation, for_noise)
    # the empty and the mostly missing sensor, as in the pump table
    dead = [n_sensors * 15 // 52, n_sensors * 50 // 52] if dead_sensors else []
    live = np.setdiff1d(np.arange(n_sensors), dead)
    affected = _faults.spoil(readings, faults, live, sensors.noise, for_faults)

    values = _in_units(readings, sensors)
    _lose_values(values, missing_fraction, for_gaps)
    if dead_sensors:
        _lose_dead_sensors(values, dead, for_gaps)
    X = pd.DataFrame(values, index, [f"sensor_{i:02d}" for i in range(n_sensors)])
    y, status = _faults.label(index, faults)
    extra = [status] if return_status else []
    extra += [_faults.list_faults(X, faults, affected)] if return_faults else []
    return X, y, *extra


def _check_shares(**shares):
    for name, value in shares.items():
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not is_number or not 0 <= value < 1:
            message = f"{name}={value!r}; expected a number in [0, 1)."
            raise InvalidParameterError(message)


def _make_time(start, freq, n_timestamps):
    """Return the rows' time, as an index and in minutes since midnight, and step."""
    try:
        time = pd.date_range(start, periods=n_timestamps + 1, freq=freq)
        step = (time[1] - time[0]) / pd.Timedelta(minutes=1)
    except (ValueError, TypeError) as error:
        message = f"start={start!r}, freq={freq!r}: {error}"
        raise InvalidParameterError(message) from error
    if not 0 < step <= 60:
        raise InvalidParameterError(
            f"freq={freq!r}; expected a step of at most one hour, forward in time."
        )
    index = time[:-1].rename("timestamp")
    minutes = ((index - index[0].normalize()) / pd.Timedelta(minutes=1)).to_numpy()
    return index, minutes, step


def _in_units(readings, sensors):
    """Turn readings into the units of the sensors, rounded to a few decimals."""
    per_unit = 10.0 ** (2 - np.floor(np.log10(sensors.unit)))
    return np.rint((sensors.zero + sensors.unit * readings) * per_unit) / per_unit


def _lose_values(values, fraction, rng):
    """Lose single readings, and stretches of one sensor or of all."""
    n, n_sensors = values.shape
    # Half of the loss is single readings, a tenth goes through all sensors.
    loss = -np.log1p(-fraction)
    values[rng.uniform(size=values.shape) < -np.expm1(-0.5 * loss)] = np.nan
    longest = max(1, min(80, n // 10))
    per_row = loss / ((longest + 1) / 2)
    for column in [*range(n_sensors), slice(None)]:
        share = 0.1 if isinstance(column, slice) else 0.4
        n_stretches = rng.poisson(share * per_row * (n + longest))
        for start in rng.randint(1 - longest, n, size=n_stretches):
            stop = max(start + rng.randint(1, longest + 1), 0)
            values[max(start, 0) : stop, column] = np.nan


def _lose_dead_sensors(values, dead, rng):
    """Lose all readings of one sensor, and those of another for 60 % of the time."""
    n, (empty, sparse) = len(values), dead
    values[:, empty] = np.nan
    period = max(10, min(n // 10, 1000))
    phase = (np.arange(n) + rng.randint(period)) % period
    values[phase < 0.6 * period, sparse] = np.nan
