"""Windows beside what a detector makes of them."""

from numbers import Integral
from typing import Any

import numpy as np

from skad._nesting import find_layer, input_of
from skad._validation import (
    check_consistent_length,
    check_outlier_labels,
)
from skad.plotting._style import (
    LARGEST,
    add_legend,
    divide,
    drawable,
    fitting_size,
    get_axes,
    import_pyplot,
    inches,
    is_constrained,
    number,
    palette,
    points,
    tidy,
    with_defaults,
)
from skad.plotting._timeline import as_text

__all__ = ["ReconstructionDisplay"]

_N_WINDOWS = 4
_N_CHANNELS = 6


class ReconstructionDisplay:
    """Signal, reconstruction and error of some windows.

    Windows stand side by side, with a panel for each channel and, at the bottom, one
    for the absolute error, the mean over all channels. In the panels of the channels
    the gap between signal and reconstruction is shaded. Values that are missing or
    infinite are left out.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    signal : ndarray of shape (n_windows, window_length, n_channels)
        The windows, in the units in which the detector got them.
    reconstruction : ndarray of shape (n_windows, window_length, n_channels)
        What the detector makes of them.
    error : ndarray of shape (n_windows, window_length, n_channels)
        Absolute errors, in the units of the signal.
    scores : ndarray of shape (n_windows,), default=None
        Score of each window, higher = more normal. If None, none is shown.
    is_flagged : ndarray of shape (n_windows,), dtype bool, default=None
        Whether a window was judged anomalous; "flagged" or "passed" in the title.
    window_names : list of str, default=None
        Titles of the windows. If None, they are counted.
    channel_names : list of str, default=None
        Names of the channels. If None, they are counted; a single one is "signal".

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes given to :meth:`plot`, or made by it; the frame of the panels.
    axes_ : ndarray of shape (n_shown_channels + 1, n_windows)
        The panels; those of the errors are in the last row.
    figure_ : matplotlib Figure
        Figure of the panels.
    channels_ : ndarray of shape (n_shown_channels,)
        Positions of the channels shown.
    signal_lines_, reconstruction_lines_ : ndarray of shape (n_shown_channels, \
            n_windows)
        Lines of the panels.
    error_lines_ : ndarray of shape (n_windows,)
        Lines of the errors.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import LinearAutoencoder, ReconstructionDisplay
    >>> rng = np.random.default_rng(0)
    >>> phase = rng.uniform(0, 6.28, size=(50, 1))
    >>> X = np.sin(np.linspace(0, 12.6, 40) + phase)
    >>> X += rng.normal(0, 0.1, size=X.shape)
    >>> detector = LinearAutoencoder(latent_dim=2).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(detector, X, windows=[0, 7])
    >>> display.signal.shape
    (2, 40, 1)
    """

    def __init__(
        self,
        *,
        signal,
        reconstruction,
        error,
        scores=None,
        is_flagged=None,
        window_names=None,
        channel_names=None,
    ):
        self.signal = signal
        self.reconstruction = reconstruction
        self.error = error
        self.scores = scores
        self.is_flagged = is_flagged
        self.window_names = window_names
        self.channel_names = channel_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        windows=None,
        channel_names=None,
        ax=None,
        **kwargs,
    ):
        """Plot what a fitted detector makes of some windows.

        Parameters
        ----------
        estimator : estimator instance
            Fitted detector with `reconstruct`, or a pipeline, search or wrapper with
            such a detector inside. Behind a pipeline's other steps, signal and
            reconstruction are shown as the detector sees them (scaled, say).
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows, as the estimator takes them.
        y : array-like of shape (n_windows,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly),
            for the titles.
        windows : int or array-like of int, default=None
            Positions of the windows to show. If None, the first four, or where `y`
            holds both classes the first two of each.
        channel_names : list of str, default=None
            Names of the channels. If None, they are counted.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ReconstructionDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If there is no detector with `reconstruct`, or it is inside an estimator
            that cuts windows itself.
        ValueError
            If a position in `windows` is not one of `X`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        X = X if hasattr(X, "iloc") else np.asarray(X)
        is_anomaly = _read_labels(y, X)
        windows = _choose_windows(windows, X, is_anomaly)
        X = X.iloc[windows] if hasattr(X, "iloc") else X[windows]
        detector = find_layer(estimator, "reconstruct")
        seen = input_of(detector, estimator, X)
        shape = (len(windows), detector.window_length_, detector.n_channels_)
        display = cls(
            signal=_as_float(seen).reshape(shape),
            reconstruction=_as_float(detector.reconstruct(seen)).reshape(shape),
            error=detector.reconstruction_errors(seen),
            scores=estimator.score_samples(X),
            is_flagged=estimator.predict(X) == -1,
            window_names=_window_names(windows, is_anomaly),
            channel_names=channel_names,
        )
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        X,
        reconstruction,
        y=None,
        *,
        n_channels=1,
        scores=None,
        windows=None,
        channel_names=None,
        ax=None,
        **kwargs,
    ):
        """Plot reconstructions that are there already.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows.
        reconstruction : array-like of the same shape as `X`
            Their reconstructions.
        y : array-like of shape (n_windows,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly),
            for the titles.
        n_channels : int, default=1
            Number of channels in a row of a 2-D `X`, time major. A 3-D `X` brings its
            own.
        scores : array-like of shape (n_windows,), default=None
            Scores of the windows, higher = more normal, for the titles.
        windows : int or array-like of int, default=None
            Positions of the windows to show. If None, the first four, or where `y`
            holds both classes the first two of each.
        channel_names : list of str, default=None
            Names of the channels. If None, they are counted.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ReconstructionDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If shapes differ or do not fold into channels, or a position in `windows`
            is not one of `X`.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        signal = _fold(_as_float(X), n_channels, "X")
        reconstruction = _fold(_as_float(reconstruction), n_channels, "reconstruction")
        if signal.shape != reconstruction.shape:
            raise ValueError(
                f"X has the shape {signal.shape} and reconstruction "
                f"{reconstruction.shape}; expected the same."
            )
        is_anomaly = _read_labels(y, signal)
        if scores is not None:
            check_consistent_length(signal, scores)
        windows = _choose_windows(windows, signal, is_anomaly)
        display = cls(
            signal=signal[windows],
            reconstruction=reconstruction[windows],
            error=_absolute_difference(signal[windows], reconstruction[windows]),
            scores=None if scores is None else np.asarray(scores)[windows],
            window_names=_window_names(windows, is_anomaly),
            channel_names=channel_names,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(
        self,
        ax=None,
        *,
        channels=None,
        signal_kwargs=None,
        reconstruction_kwargs=None,
        error_kwargs=None,
    ):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made, high and wide
            enough for the panels.
        channels : int or array-like of int, default=None
            Positions of the channels to show. If None, all, or the six with the
            largest mean error if there are more.
        signal_kwargs, reconstruction_kwargs, error_kwargs : dict, default=None
            Keyword arguments of the lines.

        Returns
        -------
        display : ReconstructionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If shapes differ, or a position in `channels` is none of a channel.
        """
        self._check_shapes()
        self.channels_ = self._choose_channels(channels)
        n_rows, n_windows = len(self.channels_) + 1, len(self.signal)
        caller = f"{type(self).__name__}.plot"
        self.ax_ = get_axes(ax, caller, self._figure_size(caller, n_rows, n_windows))
        self.figure_ = self.ax_.figure
        ratios = [2.5 if n_rows == 2 else 1.5] * (n_rows - 1) + [1]
        titles, size = self._titles()
        n_lines = max(title.count("\n") + 1 for title in titles)
        self.axes_, legend_ax = divide(
            self.ax_, ratios, n_windows, headroom=0.48 + n_lines * 1.25 * size / 72
        )
        colours = palette()
        styles = [
            with_defaults(
                signal_kwargs, color=colours.text, linewidth=1.2, label="signal"
            ),
            with_defaults(
                reconstruction_kwargs,
                color=colours.normal,
                linewidth=1.6,
                linestyle=(0, (4, 1.2)),
                label="reconstruction",
            ),
        ]
        drawn = (self.signal, self.reconstruction)
        lines = [self._draw_lines(*pair) for pair in zip(drawn, styles, strict=True)]
        self.signal_lines_, self.reconstruction_lines_ = lines
        self.error_lines_ = self._draw_errors(
            with_defaults(
                error_kwargs,
                color=colours.anomaly,
                linewidth=1.2,
                label="absolute error",
            )
        )
        self._name_axes()
        for ax, title in zip(self.axes_[0], titles, strict=True):
            ax.set_title(title, fontsize=size)
        handles = [*(line[0, 0] for line in lines), self.error_lines_[0]]
        self.legend_ = add_legend(legend_ax, handles)
        return self

    def _check_shapes(self) -> None:
        shapes = [a.shape for a in (self.signal, self.reconstruction, self.error)]
        if len(set(shapes)) > 1 or 0 in shapes[0]:
            raise ValueError(
                f"signal, reconstruction and error have the shapes {shapes}; expected "
                "the same, of one window at least."
            )
        others = (self.scores, self.is_flagged, self.window_names)
        check_consistent_length(self.signal, *others)
        names, n_channels = self.channel_names, self.signal.shape[2]
        if names is not None and len(names) != n_channels:
            raise ValueError(
                f"channel_names has {len(names)} names; expected {n_channels}, one for "
                "each channel."
            )

    def _choose_channels(self, channels) -> np.ndarray:
        n_channels = self.signal.shape[2]
        if channels is None:
            errors = np.minimum(self.error, LARGEST).mean(axis=(0, 1))
            largest = np.argsort(-errors, kind="stable")
            return np.sort(largest[:_N_CHANNELS])
        return _check_positions(channels, n_channels, "channels")

    def _figure_size(self, caller, n_rows, n_windows) -> tuple[float, float]:
        width, height = import_pyplot(caller).rcParams["figure.figsize"]
        return max(width, 2.0 * n_windows), max(height, 1.1 * n_rows + 1.0)

    def _draw_lines(self, values, style) -> np.ndarray:
        lines = np.empty((len(self.channels_), len(values)), dtype=object)
        for row, window in np.ndindex(lines.shape):
            y = drawable(values[window, :, self.channels_[row]])
            (lines[row, window],) = self.axes_[row, window].plot(y, **style)
        return lines

    def _draw_errors(self, style) -> np.ndarray:
        """Shade the gaps, and draw the mean errors below."""
        time, color = np.arange(self.signal.shape[1]), style["color"]
        gap = {"color": color, "alpha": 0.4, "linewidth": 0}
        for row, window in np.ndindex(len(self.channels_), len(self.signal)):
            at = window, slice(None), self.channels_[row]
            between = drawable(self.signal[at]), drawable(self.reconstruction[at])
            self.axes_[row, window].fill_between(time, *between, **gap)
        lines = np.empty(len(self.signal), dtype=object)
        for window, ax in enumerate(self.axes_[-1]):
            error = drawable(self.error[window]).mean(axis=1)
            ax.fill_between(time, 0, error, **gap)
            (lines[window],) = ax.plot(time, error, **style)
        self.axes_[-1, 0].set_ylim(bottom=0)
        return lines

    def _titles(self) -> tuple[list[str], float]:
        """Titles, in more lines where the windows are narrow, and their font size."""
        titles = [self._title(window) for window in range(len(self.signal))]
        space = 0.95 * inches(self.ax_)[0] / len(titles)
        if fitting_size(titles, space) < 0.8 * points("small"):
            breaks = str.maketrans({":": "\n", ",": "\n"})
            titles = [title.translate(breaks).replace("\n ", "\n") for title in titles]
        return titles, fitting_size(titles, space)

    def _name_axes(self) -> None:
        # a constrained layout takes from the height what titles and legend need
        share = 0.75 if is_constrained(self.figure_) else 1.0
        for ax in self.axes_.flat:
            tidy(ax)
            height = share * inches(ax)[1]
            ax.tick_params(labelsize="small" if height > 0.6 else "x-small")
            if height < 0.6:
                ax.locator_params(axis="y", nbins=2)
            ax.label_outer()
            if height < 0.25:
                # two numbers would lie over each other
                ax.tick_params(labelleft=False)
        for ax in self.axes_[-1]:
            ax.set_xlabel("timestep", fontsize="small")
        self._set_channel_names(share)

    def _title(self, window) -> str:
        names = self.window_names
        title = f"window {window}" if names is None else names[window]
        if self.scores is None:
            return title
        title += f"\nscore {number(self.scores[window])}"
        if self.is_flagged is not None:
            title += ", flagged" if self.is_flagged[window] else ", passed"
        return title

    def _set_channel_names(self, share) -> None:
        names = self.channel_names
        if names is None:
            n_channels = self.signal.shape[2]
            counted = [f"channel {channel}" for channel in range(n_channels)]
            names = ["signal"] if n_channels == 1 else counted
        labels = [as_text(names[channel]) for channel in self.channels_] + ["error"]
        lowest = min(inches(ax)[1] for ax in self.axes_[:, 0])
        size = fitting_size(labels, 1.15 * share * lowest)
        for ax, label in zip(self.axes_[:, 0], labels, strict=True):
            ax.set_ylabel(label, fontsize=size)
        self.figure_.align_ylabels(list(self.axes_[:, 0]))


def _as_float(X) -> np.ndarray:
    return np.asarray(X, dtype=float)


def _absolute_difference(X, other) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # such values are gaps
        return np.abs(X - other)


def _fold(X, n_channels, name) -> np.ndarray:
    if not isinstance(n_channels, Integral) or n_channels < 1:
        raise ValueError(f"n_channels={n_channels!r}; expected an int >= 1.")
    if X.ndim == 3:
        return X
    if X.ndim != 2 or X.shape[1] % n_channels:
        raise ValueError(
            f"{name} has the shape {X.shape}; expected (n_windows, window_length * "
            f"{n_channels}) or (n_windows, window_length, n_channels)."
        )
    return X.reshape(len(X), X.shape[1] // n_channels, n_channels)


def _read_labels(y, X) -> np.ndarray | None:
    if y is None:
        return None
    is_anomaly = check_outlier_labels(y)
    check_consistent_length(X, is_anomaly)
    return is_anomaly


def _choose_windows(windows, X, is_anomaly) -> np.ndarray:
    """Positions of the windows to show."""
    if len(X) == 0:
        raise ValueError("X holds no windows; at least one is needed.")
    if windows is not None:
        return _check_positions(windows, len(X), "windows")
    if is_anomaly is None or is_anomaly.all() or not is_anomaly.any():
        return np.arange(min(len(X), _N_WINDOWS))
    first = [np.flatnonzero(is_anomaly == kind)[: _N_WINDOWS // 2] for kind in (0, 1)]
    return np.concatenate(first)


def _check_positions(positions, n, name) -> np.ndarray:
    positions = np.atleast_1d(positions)
    is_right = positions.ndim == 1 and positions.dtype.kind in "iu" and positions.size
    if not is_right or positions.min() < 0 or positions.max() >= n:
        raise ValueError(
            f"{name}={positions.tolist()!r}; expected one or more positions from 0 to "
            f"{n - 1}."
        )
    return positions


def _window_names(windows, is_anomaly) -> list[Any]:
    names = [f"window {window}" for window in windows]
    if is_anomaly is None:
        return names
    kinds = ["anomaly" if is_anomaly[window] else "normal" for window in windows]
    return [f"{name}: {kind}" for name, kind in zip(names, kinds, strict=True)]
