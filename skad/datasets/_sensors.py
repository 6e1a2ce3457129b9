"""Tables of sensors: a synthetic machine, and readers for files of real ones."""

from numbers import Real
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from skad._validation import InvalidParameterError, check_random_state
from skad.datasets._files import (
    NUMBER,
    NUMBER_OR_NOTHING,
    TIME,
    check_count,
    find_tables,
    read_table,
)

__all__ = ["load_keogh_discords", "load_pump_sensors", "load_skab", "make_sensors"]

_STATUS = np.array(["NORMAL", "BROKEN", "RECOVERING"])
_NORMAL, _BROKEN, _RECOVERING = range(3)

# ---------------------------------------------------------------------------
# Synthetic sensors: a pump with its motor and a tank
# ---------------------------------------------------------------------------

_DAY = 1440  # minutes
_FAULT_KINDS = (
    "level_shift",
    "stuck_sensor",
    "lost_correlation",
    "noise_burst",
    "failure",
)

# Rows of the smallest place for a fault. That of a failure is so many times as long.
_MIN_PLACE = 20
_FAILURE_PLACES = 4

# What the sensors measure, in the order of the columns. For each: mean and standard
# deviation in normal operation, and how much of the noise comes from the flow.
_QUANTITIES = np.array(
    [
        [0.67, 0.26, 0.7],  # flow
        [0.51, 0.31, 0.7],  # pressure
        [0.64, 0.26, 0.5],  # motor current
        [0.67, 0.25, 0.3],  # speed
        [0.30, 0.11, 0.8],  # vibration
        [0.48, 0.15, 0.0],  # bearing temperature
        [0.64, 0.17, 0.0],  # motor temperature
        [0.26, 0.27, 0.0],  # outlet temperature
        [0.67, 0.19, 0.2],  # tank level
        [0.00, 1.03, 0.0],  # valve position
        [-0.09, 0.045, 0.0],  # mains voltage
        [0.00, 0.75, 0.0],  # room temperature
    ]
)


class _Sensors(NamedTuple):
    """What the sensors are like; one row a sensor."""

    quantity: np.ndarray
    other: np.ndarray  # a second quantity, of which it feels a little
    share: np.ndarray  # how much of it
    delay: np.ndarray  # minutes
    noise: np.ndarray  # in standard deviations of the quantity, as is the drift
    drift: np.ndarray  # standard deviation after a week
    unit: np.ndarray
    zero: np.ndarray


class _Fault(NamedTuple):
    """First rows of the phases of a fault; `end` is the row behind the last."""

    kind: str
    start: int  # the log says NORMAL until somebody knows
    broken: int
    repaired: int
    end: int


def _make_sensor(number) -> dict:
    """Draw what a sensor is like; it is the same in every call."""
    rng = np.random.RandomState([0, number])
    quantity = number % len(_QUANTITIES)
    unit = np.exp(rng.uniform(np.log(0.3), np.log(60)))
    return {
        "quantity": quantity,
        "other": (quantity + rng.randint(1, len(_QUANTITIES))) % len(_QUANTITIES),
        "share": 0.15 * rng.standard_normal(),
        "delay": rng.uniform(0.2, 3),
        "noise": 0.05 * np.exp(0.4 * rng.standard_normal()),
        "drift": 0.08 * np.exp(0.4 * rng.standard_normal()),
        "unit": unit,
        "zero": unit * rng.uniform(3, 8),
    }


def _make_machine(n_sensors) -> _Sensors:
    sensors = [_make_sensor(number) for number in range(n_sensors)]
    fields = {
        name: np.array([sensor[name] for sensor in sensors])
        for name in _Sensors._fields
    }
    return _Sensors(**fields)


def _lag(x, tau):
    """Follow a series with a time constant of `tau` rows."""
    decay = np.exp(-1 / tau)
    return lfilter([1 - decay], [1, -decay], x, zi=decay * x[:1])[0]


def _wander(n, tau, rng):
    """Make a noise with standard deviation 1 that forgets after `tau` rows."""
    decay = np.exp(-1 / tau)
    x = rng.standard_normal(n + 1)
    x[1:] *= np.sqrt(1 - decay**2)
    return lfilter([1], [1, -decay], x)[1:]


def _operate(minutes, step, faults, rng):
    """Make load, valve position, room temperature and wear, (n_timestamps,) each."""
    n = len(minutes)
    n_cycles = int(n * step / 68) + 4  # none is shorter than 68 minutes
    run, idle = rng.uniform(60, 240, n_cycles), rng.uniform(8, 40, n_cycles)
    level = rng.choice([0.6, 0.75, 0.9], n_cycles)
    level += 0.03 * rng.standard_normal(n_cycles)
    stroke = rng.uniform(20, 32, n_cycles)
    setpoint = rng.standard_normal(n_cycles)

    begin = np.cumsum(run + idle) - run - idle
    elapsed = np.arange(n) * step + rng.uniform(0, 100)
    cycle = np.searchsorted(begin, elapsed, side="right") - 1
    since = elapsed - begin[cycle]
    daily = np.sin(2 * np.pi * (minutes / _DAY - 9 / 24))
    wave = np.clip(1.5 * np.sin(2 * np.pi * since / stroke[cycle]), -1, 1)
    running = level[cycle] * (1 + 0.12 * daily) + 0.1 * wave
    running += 0.02 * _wander(n, 45 / step, rng)
    load = np.where(since < run[cycle], running, 0.15)
    valve = _lag(setpoint[cycle], 6 / step) + 0.3 * _wander(n, 180 / step, rng)
    room = 0.8 * np.sin(2 * np.pi * (minutes / _DAY - 10.5 / 24))
    room += 0.5 * _wander(n, _DAY / step, rng)

    wear = np.zeros(n)
    for kind, start, broken, repaired, end in faults:
        if kind == "failure":
            wear[start:broken] = np.linspace(0, 1, broken - start) ** 2
            restart = repaired + (end - repaired) // 2
            load[broken:restart] = 0
            valve[broken:restart] = -2
            load[restart:end] *= np.linspace(0.3, 1, end - restart)
    return load, valve, room, wear


def _measure(load, valve, room, wear, step) -> np.ndarray:
    """Compute what follows from the operation, standardised, (n_timestamps, 12)."""
    speed = _lag(load, 1.5 / step)
    flow = speed * (1 + 0.18 * np.tanh(valve) - 0.1 * wear)
    pressure = speed**2 * (1 - 0.25 * np.tanh(valve))
    current = 0.15 * (load > 0) + 0.75 * speed**2 + 0.15 * flow + 0.12 * wear
    resonance = np.exp(-0.5 * ((speed - 0.68) / 0.06) ** 2)
    vibration = 0.4 * speed + 0.12 * resonance + 0.15 * wear * speed
    bearing = _lag(0.7 * speed + 0.2 * wear, 35 / step) + 0.1 * room
    motor = _lag(current, 100 / step) + 0.08 * room
    outlet = _lag(pressure - 0.4 * flow, 15 / step) + 0.2 * room
    level = _lag(load - 0.15 * valve, 45 / step)
    voltage = -0.15 * current + 0.04 * room
    warm = [bearing, motor, outlet]
    quantities = np.column_stack(
        [flow, pressure, current, speed, vibration, *warm, level, valve, voltage, room]
    )
    return (quantities - _QUANTITIES[:, 0]) / _QUANTITIES[:, 1]


def _read(quantities, sensors, step, rng) -> np.ndarray:
    """Make the readings, with drift and noise, (n_timestamps, n_sensors)."""
    n = len(quantities)
    readings = np.empty((n, len(sensors.unit)))
    flow = 0.65 + 0.35 * quantities[:, 0].clip(-2, 2)
    for i in range(len(sensors.unit)):
        seen = quantities[:, sensors.quantity[i]]
        seen = seen + sensors.share[i] * quantities[:, sensors.other[i]]
        drift = rng.standard_normal(n).cumsum() * np.sqrt(step / (7 * _DAY))
        noise = 0.8 * rng.standard_normal(n) + 0.6 * _wander(n, 8 / step, rng)
        from_flow = _QUANTITIES[sensors.quantity[i], 2]
        noise *= 1 - from_flow + from_flow * flow
        readings[:, i] = _lag(seen, sensors.delay[i] / step)
        readings[:, i] += sensors.drift[i] * drift + sensors.noise[i] * noise
    return readings


def _misread(old, rows, kind, noise, rng) -> np.ndarray:
    """Make what a faulty sensor shows in `rows` instead of its readings `old`."""
    n = len(rows)
    if kind == "level_shift":
        return old[rows] + rng.choice([-1, 1]) * rng.uniform(0.7, 1.5)
    if kind == "stuck_sensor":
        return np.full(n, old[max(rows[0] - 1, 0)])
    if kind == "lost_correlation":
        # The readings of another time: each of them is usual, but not now.
        return old[(rows + rng.randint(n, len(old) - n + 1)) % len(old)]
    return old[rows] + rng.uniform(4, 8) * noise * rng.standard_normal(n)


def _spoil(readings, faults, live, noise, rng) -> list[np.ndarray]:
    """Let the faults change readings; return the columns that each of them hits."""
    hit = []
    for fault in faults:
        columns = live
        if fault.kind != "failure":  # a failure is in the operation already
            n_hit = rng.randint(1, max(1, len(live) // 5) + 1)
            columns = np.sort(rng.choice(live, n_hit, replace=False))
            rows = np.arange(fault.start, fault.end)
            for column in columns:
                new = _misread(
                    readings[:, column], rows, fault.kind, noise[column], rng
                )
                readings[rows, column] = new
        hit.append(columns)
    return hit


def _plan_faults(n_timestamps, first, kinds, rng) -> list[_Fault]:
    """Give each fault a place of its own in the rows from `first` on."""
    kinds = rng.permutation(kinds)
    shares = _count_places(kinds)
    borders = np.append(0, shares.cumsum()) / max(shares.sum(), 1)
    borders = (first + (n_timestamps - first) * borders).astype(int)
    faults = []
    for kind, begin, n in zip(kinds, borders, np.diff(borders), strict=False):
        longest = [0, min(180, n // 2), 0]
        if kind == "failure":
            longest = [min(600, n // 3), min(20, n // 16), min(420, n // 3)]
        phases = np.array(
            [rng.randint(max(x // 3, 1), x + 1) if x else 0 for x in longest]
        )
        margin = n // 10  # so that faults do not touch
        start = begin + rng.randint(margin, n - phases.sum() - margin + 1)
        ends = start + phases.cumsum()
        faults.append(_Fault(str(kind), int(start), *map(int, ends)))
    return faults


def _count_places(kinds) -> np.ndarray:
    return np.where(np.array(kinds, dtype=str) == "failure", _FAILURE_PLACES, 1)


def _blind(values, fraction, rng):
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


def _find_dead(n_sensors) -> list[int]:
    """Find the empty and the mostly missing sensor, as in the pump table."""
    return [n_sensors * 15 // 52, n_sensors * 50 // 52]


def _kill(values, rng):
    """Empty one sensor, and blind another for 60 % of the time."""
    n, n_sensors = values.shape
    empty, sparse = _find_dead(n_sensors)
    values[:, empty] = np.nan
    period = max(10, min(n // 10, 1000))
    phase = (np.arange(n) + rng.randint(period)) % period
    values[phase < 0.6 * period, sparse] = np.nan


def _check_share(name, value):
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value < 1:
        raise InvalidParameterError(f"{name}={value!r}; expected a number in [0, 1).")


def _share_out(n_faults, fault_kinds) -> list[str]:
    """Name the kind of each fault: all kinds in turn."""
    check_count("n_faults", n_faults, 0)
    if isinstance(fault_kinds, str):
        fault_kinds = _FAULT_KINDS if fault_kinds == "all" else [fault_kinds]
    kinds = list(fault_kinds)
    unknown = [kind for kind in kinds if kind not in _FAULT_KINDS]
    if unknown or (n_faults and not kinds):
        raise InvalidParameterError(
            f"fault_kinds={fault_kinds!r}; expected 'all' or some of "
            f"{', '.join(map(repr, _FAULT_KINDS))}."
        )
    return [kinds[i % len(kinds)] for i in range(n_faults)]


def _check_room(n_rows, kinds):
    """Raise unless `n_rows` rows have a place for each fault."""
    n_needed = _MIN_PLACE * int(_count_places(kinds).sum())
    if n_rows < n_needed:
        raise InvalidParameterError(
            f"n_faults={len(kinds)} need {n_needed} rows behind the normal part; found "
            f"{n_rows}. Raise n_timestamps, or lower n_faults or normal_fraction."
        )


def _make_time(start, freq, n_timestamps) -> tuple[pd.DatetimeIndex, float]:
    """Return the time of the rows, and the minutes from row to row."""
    try:
        time = pd.date_range(start, periods=n_timestamps + 1, freq=freq)
        step = (time[1] - time[0]) / pd.Timedelta(minutes=1)
    except (ValueError, TypeError) as error:
        raise InvalidParameterError(
            f"start={start!r}, freq={freq!r}: {error}"
        ) from error
    if not 0 < step <= 60:
        raise InvalidParameterError(
            f"freq={freq!r}; expected a step of at most one hour, and forward."
        )
    return time[:-1].rename("timestamp"), step


def _label(index, faults) -> tuple[pd.Series, pd.Series]:
    """Return labels and status of the rows."""
    is_anomaly = np.zeros(len(index), dtype=np.int64)
    status = np.full(len(index), _NORMAL)
    for fault in faults:
        is_anomaly[fault.start : fault.end] = 1
        status[fault.broken : fault.repaired] = _BROKEN
        status[fault.repaired : fault.end] = _RECOVERING
    y = pd.Series(is_anomaly, index, name="anomaly")
    return y, pd.Series(_STATUS[status], index, name="machine_status", dtype=str)


def _list_faults(X, faults, hit) -> pd.DataFrame:
    """Make a table with one row for each fault."""
    rows = {name: [getattr(f, name) for f in faults] for name in ("start", "broken")}
    rows["end"] = [fault.end - 1 for fault in faults]
    table = {name: X.index[np.array(at, dtype=int)] for name, at in rows.items()}
    table["kind"] = pd.Series([fault.kind for fault in faults], dtype=str)
    table["sensors"] = pd.Series([tuple(X.columns[c]) for c in hit], dtype=object)
    return pd.DataFrame(table)


def make_sensors(
    n_timestamps=20_000,
    n_sensors=12,
    *,
    n_faults=10,
    fault_kinds="all",
    normal_fraction=0.5,
    missing_fraction=0.02,
    dead_sensors=True,
    start="2018-04-01",
    freq="min",
    return_status=False,
    return_faults=False,
    random_state=None,
):
    """Make a labelled table of the sensors of a machine, with gaps and faults.

    A motor drives a pump that fills a tank, in cycles of load and idleness and in the
    rhythm of the day. Its sensors follow it each in its own unit, with delay, noise and
    drift. The table has the layout of the pump table that :func:`load_pump_sensors`
    reads: missing values included.

    Parameters
    ----------
    n_timestamps : int, default=20_000
        Number of rows.

    n_sensors : int, default=12
        Number of columns. They are the same sensors in every call, whatever
        `random_state`: tables made by two calls come from the same machine. From the
        13th on, another sensor for the same quantities.

    n_faults : int, default=10
        Number of faults, shared out evenly among `fault_kinds`; the first kinds get the
        rest. 0 is allowed, for a clean table to fit on.

    fault_kinds : str or list of str, default="all"
        Which kinds of faults there are, one name or several. Those of sensors last 60
        to 180 rows, less where there is little room, and hit a few sensors:

        - "level_shift": the readings jump by about one standard deviation;
        - "stuck_sensor": the readings stand still;
        - "lost_correlation": the readings are those of another time;
        - "noise_burst": the noise is several times stronger.

        "failure" is a fault of the machine: wear makes several sensors drift away for
        200 to 600 rows, first slowly, then faster; the machine breaks, stands still, is
        repaired and starts again.

    normal_fraction : float, default=0.5
        Share of the rows, at the beginning, without faults, in [0, 1).

    missing_fraction : float, default=0.02
        Expected share of missing values, in [0, 1): single ones, stretches of up to 80
        rows of one sensor, and such stretches of all.

    dead_sensors : bool, default=True
        Whether two of the sensors are as bad as the worst of the pump table: one empty,
        one missing 60 % of the time (there sensor_15 and sensor_50 of 52, here at the
        same place in proportion).

    start : str or datetime-like, default="2018-04-01"
        Time of the first row.

    freq : str, Timedelta or offset, default="min"
        Step in time from row to row, at most an hour. The machine keeps its pace, and
        is only looked at more or less often; faults keep their number of rows.

    return_status : bool, default=False
        Whether to return the status of the machine too, as in the pump table.

    return_faults : bool, default=False
        Whether to return the list of the faults too.

    random_state : int, RandomState instance or None, default=None
        Draws the operation, the noise, the faults and the gaps. An int gives the same
        table in every call; a RandomState instance is advanced; None takes a fresh seed
        from the operating system, never NumPy's global generator.

    Returns
    -------
    X : DataFrame of shape (n_timestamps, n_sensors), dtype float64
        The readings: columns sensor_00, sensor_01, ..., a DatetimeIndex named
        timestamp. Missing values are NaN.

    y : Series of shape (n_timestamps,), dtype int64
        1 in the rows of a fault, from its first sign on (in a failure, the drift before
        it and the recovery behind it), else 0. Index as in `X`.

    status : Series of shape (n_timestamps,), dtype str
        What the machine's log says, "NORMAL", "BROKEN" or "RECOVERING". It says
        "NORMAL" while a failure draws near, as in the pump table; in all other rows,
        `y` is 1 where it does not. Only if `return_status` is True.

    faults : DataFrame of shape (n_faults, 5)
        The faults in the order of time, with the columns start (first timestamp),
        broken (first timestamp whose status is "BROKEN"; later than the start only in
        a failure), end (last timestamp: ``X.loc[start:end]`` is the fault), kind, and
        sensors, a tuple of the columns that are hit. Only if `return_faults` is
        True.

    Raises
    ------
    InvalidParameterError
        A ValueError: if a parameter is out of its range, or the rows behind the normal
        part have no room for so many faults (20 rows each, 80 for a failure).

    See Also
    --------
    load_pump_sensors : Read a real table of the same layout.
    make_heartbeats : Make synthetic heartbeats.

    Notes
    -----
    The columns are flow, pressure, current, speed, vibration, the temperatures of
    bearing, motor and outlet, the level of the tank, valve position, mains voltage and
    room temperature. The load drives the speed, and the speed flow (in proportion),
    pressure (its square) and current, all within minutes; temperatures and the level
    follow within half an hour to two hours. The valve shifts the balance of flow and
    pressure, and vibration has a resonance at one speed: neither a range for each
    sensor nor a linear model knows all of what is normal.

    No simple method finds all faults. A range for each sensor, or an isolation forest
    of rows, finds the standstill of a broken machine and little else. Principal
    components of windows find lost correlations and level shifts too, and some of the
    drifts; stuck sensors and noise bursts only show where many components are kept, and
    then standstills get lost.

    The generators for operation, noise, faults and gaps are independent: with another
    `missing_fraction`, the same `random_state` gives the same readings; without faults
    of sensors, the same readings but for the rows and sensors that they hit.

    Examples
    --------
    >>> from skad import make_sensors
    >>> X, y, faults = make_sensors(random_state=0, return_faults=True)
    >>> X.shape
    (20000, 12)
    >>> faults.kind.nunique(), len(faults)
    (5, 10)

    Fit on the first half, which is normal, and judge the second:

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
    _check_share("normal_fraction", normal_fraction)
    _check_share("missing_fraction", missing_fraction)
    kinds = _share_out(n_faults, fault_kinds)
    first = int(np.ceil(normal_fraction * n_timestamps))
    _check_room(n_timestamps - first, kinds)
    index, step = _make_time(start, freq, n_timestamps)

    # A generator for each purpose: other gaps leave everything else as it is.
    seeds = check_random_state(random_state).randint(2**31, size=5)
    for_plan, for_operation, for_noise, for_faults, for_gaps = map(
        np.random.RandomState, seeds
    )
    faults = _plan_faults(n_timestamps, first, kinds, for_plan)
    sensors = _make_machine(n_sensors)
    minutes = ((index - index[0].normalize()) / pd.Timedelta(minutes=1)).to_numpy()
    operation = _operate(minutes, step, faults, for_operation)
    readings = _read(_measure(*operation, step), sensors, step, for_noise)
    dead = _find_dead(n_sensors) if dead_sensors else []
    live = np.setdiff1d(np.arange(n_sensors), dead)
    hit = _spoil(readings, faults, live, sensors.noise, for_faults)

    per_unit = 10.0 ** (2 - np.floor(np.log10(sensors.unit)))  # so it shows as decimal
    values = np.rint((sensors.zero + sensors.unit * readings) * per_unit) / per_unit
    _blind(values, missing_fraction, for_gaps)
    if dead_sensors:
        _kill(values, for_gaps)
    columns = [f"sensor_{number:02d}" for number in range(n_sensors)]
    X = pd.DataFrame(values, index, columns)
    y, status = _label(index, faults)
    returned = [X, y]
    if return_status:
        returned.append(status)
    if return_faults:
        returned.append(_list_faults(X, faults, hit))
    return tuple(returned)


# ---------------------------------------------------------------------------
# Tables of real sensors
# ---------------------------------------------------------------------------

_PUMP_ROW = {
    "timestamp": TIME,
    **{f"sensor_{number:02d}": NUMBER_OR_NOTHING for number in range(52)},
    "machine_status": tuple(_STATUS.tolist()),
}
# As pandas writes the number of the row: as an index, as a column, not at all.
_PUMP_LAYOUTS = [
    {"": NUMBER} | _PUMP_ROW,
    {"Unnamed: 0": NUMBER} | _PUMP_ROW,
    _PUMP_ROW,
]

_SKAB_SENSORS = [
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
]
_SKAB_NORMAL = {"datetime": TIME, **dict.fromkeys(_SKAB_SENSORS, NUMBER)}
_SKAB_LABELLED = {**_SKAB_NORMAL, "anomaly": (0, 1), "changepoint": (0, 1)}

_KEOGH_LABEL = {"label": (-1, 0, 1)}
_KEOGH_LAYOUTS = [
    {"value": NUMBER, **_KEOGH_LABEL},
    {"lead1": NUMBER, "lead2": NUMBER, **_KEOGH_LABEL},
    {"timestamp": TIME, "value": NUMBER, **_KEOGH_LABEL, "label_repo": (0, 1)},
]


def load_pump_sensors(path, *, return_status=False):
    """Load the pump table: 52 sensors, a row a minute, and the status of the pump.

    A line holds the number of the row, the time, the readings of sensor_00 to sensor_51
    and the status, separated by commas, below a header line. It is the table known as
    "pump sensor data" (sensor.csv, 220,320 rows from April to August 2018), which has
    to be downloaded by hand.

    Parameters
    ----------
    path : str or path-like
        The file, as text or, if its name ends in ".gz", packed with gzip.

    return_status : bool, default=False
        Whether to return the status of the pump too.

    Returns
    -------
    X : DataFrame of shape (n_timestamps, 52), dtype float64
        The readings as they stand in the file, with a DatetimeIndex named timestamp.
        Empty fields (and "NaN", "nan", "NA") are NaN. Blank lines are skipped.

    y : Series of shape (n_timestamps,), dtype int64
        1 where the status is "BROKEN" or "RECOVERING", 0 where it is "NORMAL". Index
        as in `X`.

    status : Series of shape (n_timestamps,), dtype str
        The status as it stands in the file. Only if `return_status` is True.

    Raises
    ------
    ValueError
        If the header is not that of the pump table (the column of row numbers may be
        absent), a line has more or fewer columns, a time, number or status cannot be
        read, there are no rows, or the packed data are damaged. The message names the
        file, the line and the column, both counted from 1, what was found there and
        what was expected.

    FileNotFoundError
        If there is no such file.

    See Also
    --------
    make_sensors : Make a synthetic table of the same layout.
    load_skab : Load the files of the SKAB testbed.

    Notes
    -----
    One sensor (sensor_15) is empty, another (sensor_50) misses more than a third: drop
    such columns before anything else. The rows are neither sorted nor checked for
    doubled times. There are seven failures; "BROKEN" is one row of each, and the
    status is "NORMAL" up to that row, however long the failure can be seen coming.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad import load_pump_sensors, make_sensors
    >>> X, _, status = make_sensors(1000, 52, return_status=True, random_state=0)
    >>> table = X.reset_index().assign(machine_status=status.to_numpy())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "sensor.csv"
    ...     table.to_csv(path)
    ...     X, y = load_pump_sensors(path)
    >>> X.shape
    (1000, 52)

    Detectors use the labels +1 (normal) and -1 (anomaly):

    >>> y_outlier = 1 - 2 * y
    """
    table = read_table(path, _PUMP_LAYOUTS)
    table.index = pd.DatetimeIndex(table["timestamp"], name="timestamp")
    X = table.filter(regex="^sensor_")
    status = table["machine_status"]
    y = (status != _STATUS[_NORMAL]).astype(np.int64).rename("anomaly")
    return (X, y, status) if return_status else (X, y)


def load_skab(folder, *, subset="labelled"):
    """Load the files of SKAB, the Skoltech anomaly benchmark, as series of one table.

    Each file is a run of a testbed for water circulation: 8 sensors, a row a second. In
    most of them a valve is closed or another fault is made after the first third.

    Parameters
    ----------
    folder : str or path-like
        Folder with the files .csv or .csv.gz, separated by ";", in it or in the folders
        in it: the folder "data" of [1]_, for example.

    subset : {"labelled", "anomaly_free"}, default="labelled"
        Which files to load: those that have labels, or the long run without faults
        (those whose path within the folder begins with "anomaly-free" or
        "anomaly_free"), which has none.

    Returns
    -------
    X : DataFrame of shape (n_timestamps, 8), dtype float64
        The readings of all files, one behind the other. The index has two levels:
        series, the file's path within the folder without its ending, and time. Series
        are sorted by name, 9 before 10.

    y : Series of shape (n_timestamps,), dtype int64
        1 in the rows that are marked as an anomaly, else 0. Index as in `X`.

    Raises
    ------
    ValueError
        If a file has another header or separator, a line has more or fewer columns, a
        time, number or label cannot be read, there are no rows, or the packed data are
        damaged. The message names the file, the line and the column, both counted from
        1, what was found there and what was expected.

    FileNotFoundError, NotADirectoryError
        If there is no such folder, or none of these files in it.

    See Also
    --------
    load_pump_sensors : Load a table of a real pump.
    load_keogh_discords : Load single series with one odd stretch each.

    Notes
    -----
    The authors' protocol is to scale and fit on the first 400 rows of each file, which
    are normal, and to judge on the same file; see the example. Windows do not cross
    from one series to the next where the index tells them apart, as it does here.

    The files mark change points in a column of their own, which is not returned. Time
    jumps by up to 76 seconds in a few of them.

    References
    ----------
    .. [1] I. D. Katser and V. O. Kozitsin, "Skoltech Anomaly Benchmark (SKAB)", 2020.
       :doi:`10.34740/KAGGLE/DSV/1693952`, https://github.com/waico/SKAB

    Examples
    --------
    Two short files to load:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad import load_skab, make_sensors
    >>> sensors = "Accelerometer1RMS Accelerometer2RMS Current Pressure Temperature "
    >>> sensors = [*(sensors + "Thermocouple Voltage").split(), "Volume Flow RateRMS"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for seed in range(2):
    ...         X, y = make_sensors(
    ...             800, 8, n_faults=1, fault_kinds="failure", missing_fraction=0,
    ...             dead_sensors=False, random_state=seed,
    ...         )
    ...         table = X.set_axis(sensors, axis=1).assign(anomaly=y, changepoint=0)
    ...         path = Path(folder) / f"valve1__{seed}.csv"
    ...         table.to_csv(path, sep=";", index_label="datetime")
    ...     X, y = load_skab(folder)
    >>> X.shape
    (1600, 8)

    Fit on the first 400 rows of each file and judge the others:

    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.metrics import roc_auc_score
    >>> for name, table in X.groupby(level="series"):
    ...     train, test = table[:400], table[400:]
    ...     detector = IsolationForest(random_state=0).fit(train)
    ...     scores = detector.score_samples(test)
    ...     print(name, roc_auc_score(y[test.index] == 0, scores) > 0.5)
    valve1__0 True
    valve1__1 True

    The rows to train on, for what is to be fitted on all files at once:

    >>> is_train = X.groupby(level="series").cumcount() < 400
    """
    if subset not in ("labelled", "anomaly_free"):
        raise InvalidParameterError(
            f"subset={subset!r}; expected 'labelled' or 'anomaly_free'."
        )
    labelled = subset == "labelled"
    files = {
        name: path
        for name, path in find_tables(folder).items()
        if name.startswith(("anomaly-free", "anomaly_free")) != labelled
    }
    if not files:
        example = "valve1__0.csv" if labelled else "anomaly_free__anomaly-free.csv"
        raise FileNotFoundError(
            f"{folder} holds no {subset} file of SKAB; expected one such as {example}."
        )
    layout = _SKAB_LABELLED if labelled else _SKAB_NORMAL
    tables = {
        name: read_table(path, [layout], delimiter=";").set_index("datetime")
        for name, path in files.items()
    }
    table = pd.concat(tables, names=["series", "time"])
    y = table["anomaly"] if labelled else pd.Series(0, table.index, name="anomaly")
    return table[_SKAB_SENSORS], y.astype(np.int64)


def load_keogh_discords(folder):
    """Load the labelled discord series that EncDec-AD was first judged with.

    They come from [1]_ and were used in [2]_: electrocardiograms, respiration, a valve
    of the space shuttle, and the power demand of a year, with one odd stretch, or a
    few, in each.

    Parameters
    ----------
    folder : str or path-like
        Folder with the files .csv or .csv.gz, in it or in the folders in it. Their
        columns are value, or lead1 and lead2, then label (1 anomaly, 0 normal, -1
        unknown); in the power demand, a column timestamp before them and a column
        label_repo behind them.

    Returns
    -------
    series : dict of str to tuple (X, y)
        The series by name, that is the file's path within the folder without its
        ending, sorted by name, each with

        - X : DataFrame of shape (n_timestamps, n_channels), dtype float64. Its index is
          a DatetimeIndex named time for the power demand, else the number of the row;
        - y : Series of shape (n_timestamps,), dtype int64, with the same index; 1 is an
          anomaly.

        Series whose label is unknown (-1) are left out.

    Raises
    ------
    ValueError
        If a file has another header or separator, a line has more or fewer columns, a
        time, number or label cannot be read, there are no rows, or the packed data are
        damaged. The message names the file, the line and the column, both counted from
        1, what was found there and what was expected.

    FileNotFoundError, NotADirectoryError
        If there is no such folder, or no such file in it.

    See Also
    --------
    load_skab : Load the files of a testbed with 8 sensors.

    Notes
    -----
    The series have nothing in common, neither sensors nor sampling rate, and each
    needs its own detector: hence a dict and not one table. No stretch is marked for
    training; the example takes the longest one without an anomaly.

    Some labels cover only the discord that the literature names, and other odd beats
    are labelled normal. In the power demand, the anomalies are the nine public
    holidays of 1997 that fall on working days (label; label_repo is not used).

    References
    ----------
    .. [1] E. Keogh, J. Lin and A. Fu, "HOT SAX: Efficiently Finding the Most Unusual
       Time Series Subsequence", IEEE International Conference on Data Mining (ICDM),
       2005. :doi:`10.1109/ICDM.2005.79`

    .. [2] P. Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly
       Detection", ICML Workshop on Anomaly Detection, 2016. :arxiv:`1607.00148`

    Examples
    --------
    A file to load, a wave with a flat stretch:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skad import load_keogh_discords
    >>> label = np.repeat([0, 1, 0], [300, 40, 660])
    >>> value = np.where(label == 1, 0.5, np.sin(np.arange(1000) / 5))
    >>> table = pd.DataFrame({"value": value, "label": label})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_csv(Path(folder) / "valve__wave.csv", index=False)
    ...     series = load_keogh_discords(folder)
    >>> X, y = series["valve__wave"]
    >>> X.shape
    (1000, 1)

    The longest normal stretch, to fit on:

    >>> stretch = y.cumsum()[y == 0]
    >>> X_train = X.loc[stretch.index[stretch == stretch.mode()[0]]]
    >>> int(X_train.index[0]), len(X_train)
    (340, 660)
    """
    series = {}
    for name, path in find_tables(folder).items():
        table = read_table(path, _KEOGH_LAYOUTS)
        y = table["label"].astype(np.int64).rename("anomaly")
        if (y == -1).any():
            continue
        X = table.filter(regex="^(value|lead)")
        if "timestamp" in table:
            y.index = X.index = pd.DatetimeIndex(table["timestamp"], name="time")
        series[name] = X, y
    if not series:
        raise FileNotFoundError(f"{folder} holds no labelled series.")
    return series
