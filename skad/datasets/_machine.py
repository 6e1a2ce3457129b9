"""A synthetic machine with sensors: a motor drives a pump that fills a tank."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

DAY = 1440  # minutes

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


class Sensors(NamedTuple):
    """What the sensors are like; each field holds one value per sensor."""

    quantity: NDArray
    other: NDArray  # a second quantity that it picks up a little
    share: NDArray  # how much of it
    delay: NDArray  # minutes
    noise: NDArray  # in standard deviations of the quantity, as is the drift
    drift: NDArray  # standard deviation after a week
    unit: NDArray
    zero: NDArray


def make_machine(n_sensors) -> Sensors:
    """Make the sensors of the machine; they are the same in every call."""
    sensors = map(_make_sensor, range(n_sensors))
    return Sensors(*map(np.array, zip(*sensors, strict=True)))


def _make_sensor(number):
    rng = np.random.RandomState([0, number])
    quantity = number % len(_QUANTITIES)
    unit = np.exp(rng.uniform(np.log(0.3), np.log(60)))
    return Sensors(
        quantity=quantity,
        other=(quantity + rng.randint(1, len(_QUANTITIES))) % len(_QUANTITIES),
        share=0.15 * rng.standard_normal(),
        delay=rng.uniform(0.2, 3),
        noise=0.05 * np.exp(0.4 * rng.standard_normal()),
        drift=0.08 * np.exp(0.4 * rng.standard_normal()),
        unit=unit,
        zero=unit * rng.uniform(3, 8),
    )


def simulate(sensors, minutes, step, faults, for_operation, for_noise) -> NDArray:
    """Run the machine with its failures, and read its sensors.

    `minutes` (n_timestamps,) count from midnight of the first day, and `step` from row
    to row. The readings (n_timestamps, n_sensors) are in standard deviations of what
    the sensors measure.
    """
    load, valve, room = _operate(minutes, step, for_operation)
    wear = _fail(load, valve, faults)
    quantities = _measure(load, valve, room, wear, step)
    return _read(quantities, sensors, step, for_noise)


def _operate(minutes, step, rng):
    """Make load, valve position and room temperature, (n_timestamps,) each."""
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
    daily = np.sin(2 * np.pi * (minutes / DAY - 9 / 24))
    wave = np.clip(1.5 * np.sin(2 * np.pi * since / stroke[cycle]), -1, 1)
    running = level[cycle] * (1 + 0.12 * daily) + 0.1 * wave
    running += 0.02 * _wander(n, 45 / step, rng)
    load = np.where(since < run[cycle], running, 0.15)
    valve = _lag(setpoint[cycle], 6 / step) + 0.3 * _wander(n, 180 / step, rng)
    room = 0.8 * np.sin(2 * np.pi * (minutes / DAY - 10.5 / 24))
    room += 0.5 * _wander(n, DAY / step, rng)
    return load, valve, room


def _fail(load, valve, faults):
    """Stop the machine where it is broken; return its wear, (n_timestamps,)."""
    wear = np.zeros(len(load))
    for kind, start, broken, repaired, end in faults:
        if kind == "failure":
            wear[start:broken] = np.linspace(0, 1, broken - start) ** 2
            restart = repaired + (end - repaired) // 2
            load[broken:restart] = 0
            valve[broken:restart] = -2
            load[restart:end] *= np.linspace(0.3, 1, end - restart)
    return wear


def _measure(load, valve, room, wear, step) -> NDArray:
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


def _read(quantities, sensors, step, rng) -> NDArray:
    """Make the readings, with drift and noise, (n_timestamps, n_sensors)."""
    n = len(quantities)
    readings = np.empty((n, len(sensors.unit)))
    flow = 0.65 + 0.35 * quantities[:, 0].clip(-2, 2)
    for i in range(len(sensors.unit)):
        seen = quantities[:, sensors.quantity[i]]
        seen = seen + sensors.share[i] * quantities[:, sensors.other[i]]
        drift = rng.standard_normal(n).cumsum() * np.sqrt(step / (7 * DAY))
        noise = 0.8 * rng.standard_normal(n) + 0.6 * _wander(n, 8 / step, rng)
        from_flow = _QUANTITIES[sensors.quantity[i], 2]
        noise *= 1 - from_flow + from_flow * flow
        readings[:, i] = _lag(seen, sensors.delay[i] / step)
        readings[:, i] += sensors.drift[i] * drift + sensors.noise[i] * noise
    return readings


def _lag(x, tau):
    """Follow a series with a time constant of `tau` rows."""
    decay = np.exp(-1 / tau)
    return lfilter([1 - decay], [1, -decay], x, zi=decay * x[:1])[0]


def _wander(n, tau, rng):
    """Make noise with standard deviation 1 and a memory of `tau` rows."""
    decay = np.exp(-1 / tau)
    x = rng.standard_normal(n + 1)
    x[1:] *= np.sqrt(1 - decay**2)
    return lfilter([1], [1, -decay], x)[1:]
