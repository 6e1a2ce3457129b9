"""A synthetic electrocardiogram: patients, the rhythm of their beats, windows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

N_TIMEPOINTS = 187
_SAMPLES_PER_MS = 0.12  # 120 Hz
_WINDOW_IN_RR = 1.2

_SINUS, _ATRIAL, _VENTRICULAR, _PACED = range(4)
_ST, _T = 4, 5  # rows of a form

# A heartbeat is a sum of six bell curves: P, Q, R, S, ST, T. For each: height (mV),
# peak (ms after R), width of its rising and of its falling side (ms, one standard
# deviation). In the paced form, Q is the spike of the pacemaker.
_FORMS = np.array(
    [
        # sinus
        [0.12, -160, 25, 25],
        [-0.08, -27, 8, 8],
        [1.0, 0, 11, 11],
        [-0.22, 28, 10, 12],
        [0.0, 130, 70, 70],
        [0.25, 283, 67, 42],
        # atrial: P upside down and close, QRS a little wider, T lower
        [-0.07, -110, 25, 25],
        [-0.08, -27, 8, 8],
        [0.95, 0, 13, 13],
        [-0.26, 30, 12, 15],
        [0.0, 130, 70, 70],
        [0.17, 275, 67, 42],
        # ventricular: no P, wide QRS, T against the QRS
        [0.0, -160, 25, 25],
        [-0.1, -65, 22, 22],
        [1.1, 0, 30, 30],
        [-0.45, 110, 40, 55],
        [0.0, 130, 70, 70],
        [-0.3, 290, 80, 65],
        # paced: no P, a spike before the wide QRS
        [0.0, -160, 25, 25],
        [0.7, -75, 5, 5],
        [0.9, -8, 28, 34],
        [-0.5, 85, 33, 42],
        [0.0, 130, 70, 70],
        [0.35, 310, 85, 70],
    ]
).reshape(4, 6, 4)

# How far the heights differ from patient to patient (standard deviation of their
# logarithm). The atrial form has no row: it varies with the patient's sinus form.
_SINUS_SPREAD = np.array([0.5, 0.7, 0.4, 0.8, 0.0, 0.5])
_VENTRICULAR_SPREAD = np.array([0.0, 0.8, 0.35, 0.6, 0.0, 0.6])
_PACED_SPREAD = np.array([0.0, 0.5, 0.5, 0.6, 0.0, 0.4])

# Of the seeds 0 to 11, the one with ROC-AUCs closest to those of real beats.
_PATIENTS_SEED = 1


class Patients(NamedTuple):
    """One row for each patient or, after `pick`, for each beat."""

    forms: NDArray  # (n, 4 forms, 6 waves, 4), in mV and samples
    rr: NDArray  # typical distance between two R peaks, samples
    rr_spread: NDArray  # standard deviation of log RR
    ectopy: NDArray  # share of normal beats followed by a ventricular beat
    shift: NDArray  # how far the mark of the R peak is off, samples
    breath: NDArray  # spread of the height of a whole beat
    wander: NDArray  # mV
    noise: NDArray  # mV


class Rhythm(NamedTuple):
    """When the next beat comes, and the weights of the forms in both."""

    rr: NDArray  # (n,), samples
    this: NDArray  # (n, 4 forms)
    following: NDArray  # (n, 4 forms)


def pick(fields, rows):
    """Pick `rows` of every array in a named tuple."""
    return type(fields)(*(field[rows] for field in fields))


def make_patients(n_patients) -> Patients:
    """Make patients, who are the same in every call."""
    patients = map(_make_patient, range(n_patients))
    return Patients(*map(np.array, zip(*patients, strict=True)))


def _make_patient(number):
    rng = np.random.RandomState([_PATIENTS_SEED, number])
    z = rng.standard_normal((3, 6))
    heights = np.exp([_SINUS_SPREAD, _VENTRICULAR_SPREAD, _PACED_SPREAD] * z)
    peaks = 1 + 0.08 * rng.standard_normal((3, 6))
    widths = np.exp(0.2 * rng.standard_normal((3, 6)))
    spread = np.stack([heights, peaks, widths, widths], axis=-1)
    forms = _FORMS * spread[[0, 0, 1, 2]]
    forms[:2, _ST, 0] = 0.08 * rng.standard_normal()
    if rng.uniform() < 0.15:
        forms[:2, _T, 0] *= -0.6
    if rng.uniform() < 0.25:
        forms[_VENTRICULAR, :, 0] *= -1
    forms[..., 1:] *= _SAMPLES_PER_MS
    return Patients(
        forms=forms,
        rr=np.exp(rng.uniform(np.log(64), np.log(118))),
        rr_spread=rng.choice([0.04, 0.1, 0.22], p=[0.55, 0.25, 0.2]),
        ectopy=rng.choice([0.0, 0.05, 0.25], p=[0.5, 0.3, 0.2]),
        shift=rng.uniform(-0.4, 0.6),
        breath=0.06 * np.exp(0.4 * rng.standard_normal()),
        wander=0.08 * np.exp(0.6 * rng.standard_normal()),
        noise=0.01 * np.exp(0.5 * rng.standard_normal()),
    )


def _mixed(n, form, other=_SINUS, share=0.0) -> NDArray:
    """Weights (n, 4) of one form, and of another one with a share."""
    weights = np.zeros((n, len(_FORMS)))
    weights[:, form] = 1.0 - share
    weights[:, other] += share
    return weights


def _sinus_rr(patients, rng):
    z = rng.standard_normal(len(patients.rr))
    return patients.rr * np.exp(patients.rr_spread * z)


def _normal(patients, rng) -> Rhythm:
    """Sinus beats; some are followed by an early ventricular beat."""
    n = len(patients.rr)
    early = rng.uniform(size=n) < patients.ectopy
    rr = _sinus_rr(patients, rng) * np.where(early, rng.uniform(0.62, 0.82, n), 1.0)
    return Rhythm(rr, _mixed(n, _SINUS), _mixed(n, _SINUS, _VENTRICULAR, early))


def _supraventricular(patients, rng) -> Rhythm:
    """Atrial beats: in a fast run, or single with a pause; some with a wide QRS."""
    n = len(patients.rr)
    in_run = rng.uniform(size=n) < 0.5
    pace = np.where(in_run, rng.uniform(0.5, 0.7, n), rng.uniform(1.0, 1.5, n))
    aberrant = rng.uniform(0.0, 0.4, n) * (rng.uniform(size=n) < 0.5)
    return Rhythm(
        _sinus_rr(patients, rng) * pace,
        _mixed(n, _ATRIAL, _VENTRICULAR, aberrant),
        _mixed(n, _SINUS, _ATRIAL, in_run),
    )


def _ventricular(patients, rng) -> Rhythm:
    """Ventricular beats: single with a pause, between two beats, or in couplets."""
    n = len(patients.rr)
    single = rng.uniform(size=n) < 0.6
    pace = np.where(single, rng.uniform(1.1, 1.6, n), rng.uniform(0.6, 1.1, n))
    couplet = ~single & (rng.uniform(size=n) < 0.4)
    return Rhythm(
        _sinus_rr(patients, rng) * pace,
        _mixed(n, _VENTRICULAR, _SINUS, rng.uniform(0.0, 0.35, n)),
        _mixed(n, _SINUS, _VENTRICULAR, couplet),
    )


def _fusion(patients, rng) -> Rhythm:
    """Beats half sinus, half ventricular."""
    n = len(patients.rr)
    pace = rng.uniform(0.8, 1.1, n)
    in_run = rng.uniform(size=n) < 0.3
    return Rhythm(
        _sinus_rr(patients, rng) * pace,
        _mixed(n, _SINUS, _VENTRICULAR, rng.uniform(0.25, 0.65, n)),
        _mixed(n, _SINUS, _VENTRICULAR, in_run),
    )


def _paced(patients, rng) -> Rhythm:
    """Beats set off by a pacemaker at its own steady rate; some fuse with sinus."""
    n = len(patients.rr)
    fused = rng.uniform(0.3, 0.8, n) * (rng.uniform(size=n) < 0.35)
    sinus_next = rng.uniform(size=n) < 0.2
    return Rhythm(
        98 * np.exp(0.04 * rng.standard_normal(n)),
        _mixed(n, _PACED, _SINUS, fused),
        _mixed(n, _PACED, _SINUS, sinus_next),
    )


KINDS = (_normal, _supraventricular, _ventricular, _fusion, _paced)


def make_rhythm(y, patients, rng) -> Rhythm:
    """Make the rhythm of all beats, kind by kind; `y` is sorted."""
    parts = [kind(pick(patients, y == label), rng) for label, kind in enumerate(KINDS)]
    rhythm = Rhythm(*map(np.concatenate, zip(*parts, strict=True)))
    return rhythm._replace(rr=rhythm.rr.clip(40, 300))


def _add_beat(signal, at, weights, stretch, patients, rng):
    """Add to each row of `signal` a beat with its R peak at sample `at`."""
    n, n_timepoints = signal.shape
    breath = np.exp(patients.breath * rng.standard_normal(n))
    height_jitter = np.exp(0.1 * rng.standard_normal((n, _FORMS.shape[1])))
    peak_jitter = 1 + 0.02 * rng.standard_normal((n, _FORMS.shape[1]))
    time = np.arange(n_timepoints)
    for form in range(len(_FORMS)):
        rows = np.flatnonzero(weights[:, form])
        for wave in range(_FORMS.shape[1]):
            height, peak, rise, fall = patients.forms[rows, form, wave].T
            height = height * height_jitter[rows, wave] * breath[rows]
            peak = peak * peak_jitter[rows, wave]
            if wave == _T:
                # T comes later at a slow pulse.
                peak, rise = peak * stretch[rows], rise * stretch[rows]
            x = time - (at[rows] + peak)[:, np.newaxis]
            width = np.where(x < 0, rise[:, np.newaxis], fall[:, np.newaxis])
            bell = np.exp(-0.5 * np.square(x / width))  # of height 1
            signal[rows] += (weights[rows, form] * height)[:, np.newaxis] * bell


def _add_background(signal, patients, rng):
    """Add the slow wander of the baseline, and noise."""
    n, n_timepoints = signal.shape
    height = patients.wander * np.abs(rng.standard_normal(n))
    period, phase = rng.uniform(150, 500, n), rng.uniform(0, 2 * np.pi, n)
    angle = np.arange(n_timepoints) * (2 * np.pi / period)[:, np.newaxis]
    signal += height[:, np.newaxis] * np.sin(angle + phase[:, np.newaxis])
    noise = rng.standard_normal((n, n_timepoints + 1))
    noise = 0.8 * noise[:, 1:] + 0.6 * noise[:, :-1]
    size = patients.noise * np.exp(0.4 * rng.standard_normal(n))
    signal += size[:, np.newaxis] * noise


def _scale_and_pad(signal, length) -> NDArray:
    """Scale the first `length` samples of each row to [0, 1], and zero the rest."""
    inside = np.arange(signal.shape[1]) < length[:, np.newaxis]
    low = np.min(signal, axis=1, initial=np.inf, where=inside, keepdims=True)
    high = np.max(signal, axis=1, initial=-np.inf, where=inside, keepdims=True)
    return np.where(inside, (signal - low) / (high - low), 0.0)


def record(patients, rhythm, rng) -> NDArray:
    """Record windows (n, 187): each beat from its R peak to shortly after the next."""
    n = len(rhythm.rr)
    signal = np.zeros((n, N_TIMEPOINTS))
    shift = patients.shift + 0.3 * rng.standard_normal(n)
    # Bazett: the QT interval grows with the root of RR; it follows the typical
    # pulse, and a single early or late beat only a little.
    stretch = np.sqrt(patients.rr / 100) * (rhythm.rr / patients.rr) ** 0.15
    stretch *= np.exp(0.03 * rng.standard_normal(n))
    _add_beat(signal, -shift, rhythm.this, stretch, patients, rng)
    _add_beat(signal, rhythm.rr - shift, rhythm.following, stretch, patients, rng)
    _add_background(signal, patients, rng)
    length = np.rint(_WINDOW_IN_RR * rhythm.rr).clip(max=N_TIMEPOINTS)
    return _scale_and_pad(signal, length)
