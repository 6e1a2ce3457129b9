"""Slow, obvious features of windows, to compare with."""

import math

import numpy as np


def shape_of_window(window, floor):
    """Take mean and scale out of each channel of a window (timesteps, channels)."""
    result = np.empty(window.shape)
    for c in range(window.shape[1]):
        values = [float(v) for v in window[:, c]]
        mean = math.fsum(values) / len(values)
        variance = math.fsum((v - mean) ** 2 for v in values) / len(values)
        for t, value in enumerate(values):
            result[t, c] = (value - mean) / math.sqrt(variance + floor**2)
    return result


def response(window, kernel, dilation):
    """Response of a kernel (taps, channels) at each timestep; zeros around."""
    n_taps, n_channels = kernel.shape
    before = (n_taps - 1) * dilation // 2
    responses = []
    for t in range(len(window)):
        total = 0.0
        for tap in range(n_taps):
            at = t - before + tap * dilation
            if 0 <= at < len(window):
                for c in range(n_channels):
                    total += kernel[tap, c] * float(window[at, c])
        responses.append(total)
    return responses


def sizes(windows, kernels, dilations):
    """Root mean square of the responses of each kernel."""
    result = []
    for kernel, dilation in zip(kernels, dilations, strict=True):
        squares = [r**2 for w in windows for r in response(w, kernel, dilation)]
        result.append(math.sqrt(math.fsum(squares) / len(squares)) or 1.0)
    return result


def strengths(windows, kernels, dilations, sizes, n_segments):
    """Roots of mean absolute responses in parts, kernel by kernel."""
    rows = []
    for window in windows:
        row = []
        for kernel, dilation, size in zip(kernels, dilations, sizes, strict=True):
            responses = [abs(r) / size for r in response(window, kernel, dilation)]
            for segment in range(n_segments):
                first = segment * len(window) // n_segments
                stop = (segment + 1) * len(window) // n_segments
                mean = math.fsum(responses[first:stop]) / (stop - first)
                row.append(math.sqrt(mean / math.sqrt(n_segments)))
        rows.append(row)
    return np.array(rows)


def summary_of_window(window, floor):
    """Means of all channels of a window, then logarithms of their spreads."""
    window = np.asarray(window, dtype=float)
    channels = window.T
    means = [sum(channel) / len(channel) for channel in channels]
    spreads = [
        (sum((x - mean) ** 2 for x in channel) / len(channel)) ** 0.5
        for channel, mean in zip(channels, means, strict=True)
    ]
    return [*means, *(np.log(spread + floor) for spread in spreads)]
