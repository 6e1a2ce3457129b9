"""Sensors by time: where the errors come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad._nesting import find_layer
from skad._validation import check_array
from skad.plotting import _reading
from skad.plotting._explained import add_directions, check_deviations, explain_shown
from skad.plotting._heatmap import CSCALES, choose_rows, draw_map, margins_of, name_rows
from skad.plotting._panels import Axes, TimeDisplay
from skad.plotting._shared_docs import MAKE, PLOT, TIME
from skad.plotting._style import import_pyplot
from skad.plotting._windows import name_window, read_window
from skad.series._rows import index_of


@add_parameters(TIME)
@dataclass(eq=False, repr=False, kw_only=True)
class ContributionDisplay(TimeDisplay):
    """Heat map of what each sensor adds to the error at each time, below the error.

    The error, which is ``-score``, is exactly the sum over sensors. The rows of the map
    are the sensors with the largest shares of it, from the top; the last row is the sum
    of the others. Above the map is the error with the threshold; rows below the
    threshold are shaded, and ranges labelled as anomalies are bars in a strip. In long
    series, a cell covers several rows and shows their contribution farthest from 0.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    contributions : ndarray of shape (n_timestamps, n_channels)
        Parts of the errors, higher = more anomalous.
    channel_names : list of str
        Names of the sensors.
    deviations : ndarray of shape (n_timestamps, n_channels), default=None
        Readings minus expected readings. With them, an arrow beside the name of a
        sensor says whether it reads too high or too low where it counts most.

    Attributes
    ----------
    axes_ : ndarray of shape (2,)
        Panel of the error, and panel of the map.
    channels_ : ndarray of shape (n_shown_channels,)
        Positions of the sensors shown, from the top.
    mesh_, colorbar_ : matplotlib QuadMesh and Colorbar
        The map, and its colours.
    score_line_, threshold_line_ : matplotlib Line2D or None
        Error and threshold.
    flagged_bars_ : matplotlib PolyCollection or None
        The predicted ranges, if any is shown.

    See Also
    --------
    explain : The contributions as a table.
    AnomalyScoreDisplay : Scores and readings over time.

    Notes
    -----
    Contributions of your own may be negative. The map then has two colours, centred at
    0, which differ for every kind of colour vision; a print in grey only shows sizes.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import ContributionDisplay, LinearAutoencoder, WindowedDetector
    >>> from skad import make_sensors
    >>> X, y = make_sensors(2000, n_faults=2, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detector = WindowedDetector(LinearAutoencoder(8), 30).fit(X[:1000])
    >>> display = ContributionDisplay.from_estimator(detector, X, y, start=900)
    >>> display.contributions.shape
    (2000, 12)
    >>> np.allclose(display.scores, detector.score_samples(X))
    True
    """

    contributions: NDArray
    index: pd.Index
    channel_names: list[str]
    deviations: NDArray | None = None
    is_anomaly: NDArray | None = None
    threshold: float | None = None
    name: object = None

    @classmethod
    @add_parameters(MAKE)
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        channel_names: Sequence[str] | None = None,
        series: object = None,
        window: int | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the contributions to the scores of a fitted detector.

        Parameters
        ----------
        estimator : estimator instance
            Fitted detector with `explain` and `offset_`, or a pipeline, search or
            wrapper with such a detector inside.
        X : array-like of shape (n_timestamps, n_channels)
            Table, as the estimator takes it. The index of a pandas table gives the
            time; in a MultiIndex, the levels before the last give the series. Rows of
            other tables are numbered. For a detector of windows, the windows as it
            takes them, or a table that an earlier step cuts.
        channel_names : list of str, default=None
            Names of the channels that the detector sees. If None, they are taken from
            the detector, the steps before it or the columns of `X`, else counted.
        window : int, default=None
            For a detector of windows, the position of the window to show. If None, the
            one with the lowest score.

        Raises
        ------
        TypeError
            If there is no detector with `explain`.
        ValueError
            If there are no rows, no such series or window, or time is out of order.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        threshold = find_layer(estimator, "offset_").offset_
        rows, table = _reading.rows_of_series(estimator, X, series)
        X, y, table = _reading.take_rows(rows, X, y, table)
        told = explain_shown(estimator, X, y, series, window)
        parts = told.contributions
        names = told.channel_names if channel_names is None else channel_names
        if parts.ndim == 3:
            title = name_window(told.window, told.is_anomaly, -parts.sum(), threshold)
            one = cls._of_window(parts, told.deviations, 0, names, title)
            return one.plot(ax=ax, **kwargs)
        return cls.from_predictions(
            parts,
            deviations=told.deviations,
            index=index_of(table),
            y_true=y,
            threshold=threshold,
            channel_names=names,
            series=series,
            window=window,
            ax=ax,
            **kwargs,
        )

    @classmethod
    @add_parameters(MAKE)
    def from_predictions(
        cls,
        contributions: ArrayLike,
        *,
        deviations: ArrayLike | None = None,
        index: ArrayLike | None = None,
        y_true: ArrayLike | None = None,
        threshold: float | None = None,
        channel_names: Sequence[str] | None = None,
        series: object = None,
        window: int | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot given contributions.

        Parameters
        ----------
        contributions : array-like of shape (n_timestamps, n_channels) or \
                (n_windows, window_length, n_channels)
            Parts of the errors as `explain`, the function or a method, returns them,
            higher = more anomalous.
        deviations : array-like of the shape of `contributions`, default=None
            Readings minus expected readings, as `explain` returns them.
        channel_names : list of str, default=None
            Names of the channels. If None, the columns of `contributions`, else they
            are counted.
        window : int, default=None
            Position of the window to show, if `contributions` are those of windows. If
            None, the one with the lowest score.

        Raises
        ------
        ValueError
            If contributions are not finite, labels are in neither coding, lengths
            differ, time is out of order, or the series or window is not there.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        parts = check_array(
            contributions, dtype=np.float64, allow_nd=True, input_name="contributions"
        )
        if channel_names is None and hasattr(contributions, "columns"):
            channel_names = contributions.columns
        apart = check_deviations(deviations, parts.shape)
        if parts.ndim == 3:
            if window is None:
                window = int(np.argmax(parts.sum(axis=(1, 2))))
            is_anomaly = read_window(window, len(parts), y_true, series)
            title = name_window(window, is_anomaly, -parts[window].sum(), threshold)
            display = cls._of_window(parts, apart, window, channel_names, title)
            return display.plot(ax=ax, **kwargs)
        if window is not None:
            raise ValueError(
                f"window={window!r}, but the contributions are those of the rows of a "
                "table; use start and stop."
            )
        index = index_of(contributions) if index is None else index
        rows, shown = _reading.read_series(index, len(parts), series, y_true)
        return cls(
            contributions=parts[rows],
            deviations=None if apart is None else apart[rows],
            channel_names=_reading.name_channels(channel_names, parts.shape[1]),
            threshold=None if threshold is None else float(threshold),
            **shown,
        ).plot(ax=ax, **kwargs)

    @classmethod
    def _of_window(cls, parts, deviations, window, channel_names, title) -> Self:
        """Display of one window; the threshold, that of its sum, is in the title."""
        return cls(
            contributions=parts[window],
            deviations=None if deviations is None else deviations[window],
            index=pd.RangeIndex(parts.shape[1], name="timestep"),
            channel_names=_reading.name_channels(channel_names, parts.shape[2]),
            name=title,
        )

    @property
    def scores(self) -> NDArray:
        """Scores of the rows, higher = more normal: minus the sums over sensors."""
        return -self.contributions.sum(axis=1)

    @add_parameters(PLOT)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        start: object = None,
        stop: object = None,
        max_channels: int = 12,
        channels: str | int | Sequence[str | int] | None = None,
        yscale: str = "auto",
        cscale: str = "auto",
        score_kwargs: dict[str, Any] | None = None,
        threshold_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        max_channels : int, default=12
            Number of sensors to show, those with the largest sums over the rows shown.
            If there are others, their sum is the last row.
        channels : str, int or list of these, default=None
            Show these sensors instead, by name or position, in this order.
        cscale : {"auto", "linear", "log"}, default="auto"
            Scale of the colours. "auto" is linear, unless the largest contribution is
            more than 10 times the median one. "log" shows what is below the median,
            or below a ten thousandth of the largest, in the colour of 0.

        Raises
        ------
        ValueError
            If there are no such rows or channels, or numbers are too large to draw.
        """
        _reading.check_choice("cscale", cscale, CSCALES)
        parts = self.contributions
        self._choose_rows(self.index, start, stop, yscale, "contributions", parts)
        _reading.check_names(self.channel_names, parts.shape[1])
        deviations = check_deviations(self.deviations, parts.shape)
        parts, names = parts[self.rows_], self.channel_names
        chosen = choose_rows(parts, names, channels, max_channels)
        self.channels_, names, values = chosen
        names = add_directions(names, self.channels_, deviations, self.rows_, parts)
        panels = self._open(ax, self.index, 0.19 * len(names) + 2.2)
        names, margins = margins_of(panels.ax, names)
        self._divide(panels, [1.0, max(2.2, 0.16 * len(names))], margins=margins)
        error_ax, map_ax = self.axes_
        scores = self.scores[self.rows_]
        self.score_line_, self.threshold_line_ = panels.draw_errors(
            error_ax, scores, self.threshold, yscale, score_kwargs, threshold_kwargs
        )
        panels.label([error_ax], ["error"])
        self.flagged_bars_ = panels.shade_below(error_ax, scores, self.threshold)
        self.mesh_, self.colorbar_ = draw_map(map_ax, panels.time, values, cscale)
        name_rows(map_ax, names, panels.height(map_ax))
        return self._finish(panels, [self.threshold_line_], [self.flagged_bars_])
