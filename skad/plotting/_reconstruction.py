"""Windows beside their reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._nesting import find_layer, input_of
from skad._validation import check_consistent_length, num_samples, safe_indexing
from skad.plotting import _style, _windows
from skad.plotting._explained import expected_windows, table_as_window, takes_table
from skad.plotting._panels import Axes, Panels
from skad.plotting._reading import check_names, name_channels
from skad.plotting._scales import LARGEST, label_axis
from skad.plotting._shared_docs import MAKE, PANELS, PLOT
from skad.plotting._texts import points

# Channels that are shown if none are chosen.
_N_CHANNELS = 6


@add_parameters(PANELS)
@dataclass(eq=False, repr=False, kw_only=True)
class ReconstructionDisplay:
    """Signal, reconstruction and error of some windows.

    Windows are side by side, with a panel for each channel and, at the bottom, one for
    the absolute error, the mean over all channels. In the panels of the channels, the
    area between signal and reconstruction is shaded. Missing and infinite values are
    left out. Labels are written in the titles.

    What several channels should have read (`expected_values`) is drawn too; for a
    `WindowedDetector` it alone is, for all rows of a table, in the units of the table.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    signal : ndarray of shape (n_windows, window_length, n_channels)
        The windows, in the units in which the detector got them.
    reconstruction : ndarray of shape (n_windows, window_length, n_channels)
        Their reconstructions.
    error : ndarray of shape (n_windows, window_length, n_channels)
        Absolute errors, in the units of the signal.
    expected : ndarray of shape (n_windows, window_length, n_channels), default=None
        Expected readings, in the units of the signal. If None, none are drawn.
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
    axes_ : ndarray of shape (n_shown_channels + 1, n_windows)
        The panels; those of the errors are in the last row.
    channels_ : ndarray of shape (n_shown_channels,)
        Positions of the channels shown.
    signal_lines_, reconstruction_lines_ : ndarray of shape (n_shown_channels, \
            n_windows)
        Lines of the panels.
    expected_lines_ : ndarray of the same shape, or None
        Lines of the expected readings.
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

    signal: NDArray
    reconstruction: NDArray
    error: NDArray
    expected: NDArray | None = None
    scores: NDArray | None = None
    is_flagged: NDArray | None = None
    window_names: list[str] | None = None
    channel_names: Sequence[str] | None = None

    @classmethod
    @add_parameters(MAKE)
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        windows: ArrayLike | None = None,
        channel_names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot how a fitted detector reconstructs some windows.

        Parameters
        ----------
        estimator : estimator instance
            Fitted detector with `reconstruct`, or a pipeline, search or wrapper with
            such a detector inside. After the other steps of a pipeline, signal and
            reconstruction are shown as the detector sees them (scaled, for example).
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows, as the estimator takes them; a table for a `WindowedDetector`, of
            which all rows are shown.

        Raises
        ------
        TypeError
            If there is no detector with `reconstruct`, or no expected values are known
            for a table.
        ValueError
            If a position in `windows` is not one of `X`, or `X` is a table.
        """
        _style.import_pyplot(f"{cls.__name__}.from_estimator")
        if takes_table(estimator):
            shown = table_as_window(estimator, X, windows, channel_names)
            kwargs = {"reconstruction_kwargs": {"label": "expected"}} | kwargs
            return cls(**shown).plot(ax=ax, **kwargs)
        positions, names = _windows.choose_windows(windows, num_samples(X), y)
        X = safe_indexing(X if hasattr(X, "iloc") else np.asarray(X), positions)
        detector = find_layer(estimator, "reconstruct")
        seen = input_of(detector, estimator, X)
        shape = (len(positions), detector.window_length_, detector.n_channels_)
        return cls(
            signal=np.asarray(seen, float).reshape(shape),
            reconstruction=np.asarray(detector.reconstruct(seen), float).reshape(shape),
            error=detector.reconstruction_errors(seen),
            expected=expected_windows(detector, seen, shape),
            scores=estimator.score_samples(X),
            is_flagged=estimator.predict(X) == -1,
            window_names=names,
            channel_names=channel_names,
        ).plot(ax=ax, **kwargs)

    @classmethod
    @add_parameters(MAKE)
    def from_predictions(
        cls,
        X: ArrayLike,
        reconstruction: ArrayLike,
        y: ArrayLike | None = None,
        *,
        n_channels: int = 1,
        scores: ArrayLike | None = None,
        windows: ArrayLike | None = None,
        channel_names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot given reconstructions.

        Parameters
        ----------
        X : array-like of shape (n_windows, window_length * n_channels) or \
                (n_windows, window_length, n_channels)
            Windows.
        reconstruction : array-like of the same shape as `X`
            Their reconstructions.
        n_channels : int, default=1
            Number of channels in a row of a 2-D `X`, time major. A 3-D `X` brings its
            own.
        scores : array-like of shape (n_windows,), default=None
            Scores of the windows, higher = more normal, for the titles.

        Raises
        ------
        ValueError
            If shapes differ or do not fold into channels, or a position in `windows`
            is not one of `X`.
        """
        _style.import_pyplot(f"{cls.__name__}.from_predictions")
        signal = _windows.fold(X, n_channels, "X")
        back = _windows.fold(reconstruction, n_channels, "reconstruction")
        if signal.shape != back.shape:
            raise ValueError(
                f"X has the shape {signal.shape} and reconstruction {back.shape}; "
                "expected the same."
            )
        positions, names = _windows.choose_windows(windows, len(signal), y)
        check_consistent_length(signal, scores)
        signal, back = signal[positions], back[positions]
        with np.errstate(over="ignore", invalid="ignore"):  # such values are gaps
            error = np.abs(signal - back)
        return cls(
            signal=signal,
            reconstruction=back,
            error=error,
            scores=None if scores is None else np.asarray(scores)[positions],
            window_names=names,
            channel_names=channel_names,
        ).plot(ax=ax, **kwargs)

    @add_parameters(PLOT)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        channels: ArrayLike | None = None,
        signal_kwargs: dict[str, Any] | None = None,
        reconstruction_kwargs: dict[str, Any] | None = None,
        error_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        channels : int or array-like of int, default=None
            Positions of the channels to show. If None, all, or the six with the
            largest mean error if there are more.
        signal_kwargs, reconstruction_kwargs, error_kwargs : dict, default=None
            Keyword arguments of the lines.

        Raises
        ------
        ValueError
            If shapes differ, or a position in `channels` is not one of a channel.
        """
        self._check_shapes()
        self.channels_ = self._choose_channels(channels)
        n_rows, n_windows = len(self.channels_) + 1, len(self.signal)
        panels = Panels(self, ax, 1.1 * n_rows + 1.0, 2.0 * n_windows)
        self.ax_, self.figure_ = panels.ax, panels.figure
        named = self.window_names, self.scores, self.is_flagged
        titles = [_windows.title_of(window, *named) for window in range(n_windows)]
        titles, size = _windows.fit_titles(titles, _style.inches(self.ax_)[0])
        above = max(title.count("\n") + 1 for title in titles) * 1.25 * size / 72
        heights = [2.5 if n_rows == 2 else 1.5] * (n_rows - 1) + [1.0]
        self.axes_: Any = panels.divide(heights, n_windows, above=above)
        solid = {"color": _style.palette().anomaly, "linewidth": 1.2}
        style = _style.with_defaults(error_kwargs, label="absolute error", **solid)
        area = {"color": style["color"], "alpha": 0.4, "linewidth": 0}
        values = np.array([self.signal, self.reconstruction])[..., self.channels_]
        self.signal_lines_, self.reconstruction_lines_ = _windows.draw_signals(
            self.axes_[:-1], values, signal_kwargs, reconstruction_kwargs, area
        )
        self.expected_lines_ = None
        if self.expected is not None:
            expected = self.expected[..., self.channels_]
            self.expected_lines_ = _windows.draw_expected(self.axes_[:-1], expected)
        self.error_lines_ = _windows.draw_mean_errors(
            self.axes_[-1], self.error, style, area
        )
        for ax, title in zip(self.axes_[0], titles, strict=True):
            ax.set_title(title, fontsize=size)
        self._name_axes(panels)
        tables = self.signal_lines_, self.reconstruction_lines_, self.expected_lines_
        lines = [table[0, 0] for table in tables if table is not None]
        self.legend_ = panels.add_legend([*lines, self.error_lines_[0]])
        return self

    def _check_shapes(self) -> None:
        values = [self.signal, self.reconstruction, self.error, self.expected]
        shapes = [a.shape for a in values if a is not None]
        if len(set(shapes)) > 1 or 0 in shapes[0]:
            raise ValueError(
                f"signal, reconstruction, error, expected have the shapes {shapes}; "
                "expected the same, of one window at least."
            )
        others = (self.scores, self.is_flagged, self.window_names)
        check_consistent_length(self.signal, *others)
        check_names(self.channel_names, self.signal.shape[2])

    def _choose_channels(self, channels) -> np.ndarray:
        if channels is not None:
            return _windows.check_positions(channels, self.signal.shape[2], "channels")
        errors = np.minimum(self.error, LARGEST).mean(axis=(0, 1))
        return np.sort(np.argsort(-errors, kind="stable")[:_N_CHANNELS])

    def _name_axes(self, panels) -> None:
        for ax in self.axes_.flat:
            _style.tidy(ax)
            label_axis(ax.yaxis, panels.height(ax))
        for ax in self.axes_[-1]:
            ax.set_xlabel("timestep", fontsize=points("small"))
        names, n_channels = self.channel_names, self.signal.shape[2]
        if names is None and n_channels == 1:
            names = ["signal"]
        names = name_channels(names, n_channels)
        shown = [names[channel] for channel in self.channels_]
        panels.label(self.axes_[:, 0], [*shown, "error"])
