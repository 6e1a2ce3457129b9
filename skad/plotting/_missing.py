"""Where readings of a table are missing, by sensor and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skad._docs import add_parameters
from skad.plotting import _reading
from skad.plotting._heatmap import (
    draw_cells,
    gap_style,
    heat_colours,
    margins_of,
    n_cells,
    name_rows,
)
from skad.plotting._panels import Axes, TimeDisplay
from skad.plotting._shared_docs import MAKE, PLOT, TIME
from skad.plotting._style import inches, palette
from skad.plotting._texts import points
from skad.plotting._timeline import mean_of_cells
from skad.series._rows import index_of
from skad.series._tables import as_frame

# The panel of shares: its place beside the map, as shares of the width of that.
_SHARES = [1.02, 0.0, 0.18, 1.0]
# Colour of a cell with hardly any missing reading; with none it is 0.
_FAINTEST = 0.35


@add_parameters(TIME)
@dataclass(eq=False, repr=False, kw_only=True)
class MissingValuesDisplay(TimeDisplay):
    """Where readings are missing: a map of sensors by time, and the share of each.

    The rows of the map are the sensors, in the order of the table. A reading that is
    missing is dark. In long series a cell covers several rows: the more of them are
    missing, the darker; a single one is seen. The bars on the right are the shares of
    the rows shown that are missing. Stretches without any row are hatched, if they are
    longer than 5 median steps. Ranges labelled as anomalies are bars in a strip.

    Use :meth:`from_table` to make a display. All parameters are stored as attributes.

    Parameters
    ----------
    is_missing : ndarray of shape (n_timestamps, n_channels), dtype bool
        Whether a reading is missing.
    channel_names : list of str
        Names of the sensors.

    Attributes
    ----------
    axes_ : ndarray of shape (2,)
        Panel of the map, and panel of the shares.
    channels_ : ndarray of shape (n_shown_channels,)
        Positions of the sensors shown, from the top.
    mesh_ : matplotlib QuadMesh
        The map.
    share_bars_ : matplotlib BarContainer
        The shares, in per cent.

    See Also
    --------
    TimeSeriesImputer : Fills the gaps.
    clean_table : Makes numbers and missing values of texts and sentinels.

    Examples
    --------
    >>> from skad import MissingValuesDisplay, make_sensors
    >>> X, y = make_sensors(2000, random_state=0)
    >>> display = MissingValuesDisplay.from_table(X, y)
    >>> display.missing_shares.idxmax()
    'sensor_03'
    """

    is_missing: NDArray[np.bool_]
    index: pd.Index
    channel_names: list[str]
    is_anomaly: NDArray | None = None
    name: object = None

    @classmethod
    @add_parameters(MAKE)
    def from_table(
        cls,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        channel_names: Sequence[str] | None = None,
        series: object = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the missing values of a table.

        Parameters
        ----------
        X : table of shape (n_timestamps, n_channels)
            Of pandas, polars, pyarrow or xarray, or an array: NaN, None, NaT and NA are
            missing. The index of a pandas table gives the time; in a MultiIndex, the
            levels before the last give the series. Rows of other tables are numbered.
            What `TableReader` returns has an index; of a file as it is, texts are not
            missing, whatever they say.
        channel_names : list of str, default=None
            Names of the columns. If None, those of `X`, else they are counted.

        Raises
        ------
        ValueError
            If there are no rows or columns, no such series, labels are in neither
            coding, or time is out of order.
        """
        table = _as_table(X)
        if table.shape[1] == 0:
            raise ValueError("X has no columns; at least one is needed.")
        if channel_names is None:
            channel_names = list(table.columns)
        _reading.check_names(channel_names, table.shape[1])
        rows, shown = _reading.read_series(index_of(table), len(table), series, y)
        return cls(
            is_missing=table.isna().to_numpy()[rows],
            channel_names=_reading.name_channels(channel_names, table.shape[1]),
            **shown,
        ).plot(ax=ax, **kwargs)

    @property
    def missing_shares(self) -> pd.Series:
        """Share of all rows that are missing, by sensor."""
        return pd.Series(self.is_missing.mean(axis=0), index=self.channel_names)

    @add_parameters(PLOT)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        start: object = None,
        stop: object = None,
        max_channels: int = 60,
        channels: str | int | Sequence[str | int] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        max_channels : int, default=60
            Number of sensors to show. If there are more, those that miss the most of
            the rows shown, still in the order of the table.
        channels : str, int or list of these, default=None
            Show these sensors instead, by name or position, in this order.

        Raises
        ------
        ValueError
            If there are no such rows or channels.
        """
        any_missing = self.is_missing.any(axis=1)
        self._choose_rows(self.index, start, stop, "linear", "is_missing", any_missing)
        shares = self.is_missing[self.rows_].mean(axis=0)
        self.channels_ = self._choose(shares, max_channels, channels)
        names = [self.channel_names[channel] for channel in self.channels_]
        panels = self._open(ax, self.index, 0.19 * len(names) + 1.4)
        names, (left, _) = margins_of(panels.ax, names)
        beside = _SHARES[0] + _SHARES[2] - 1
        right = beside / (1 + beside) * (inches(panels.ax)[0] - left)
        heights = [max(2.0, 0.19 * len(names))]
        self._divide(panels, heights, margins=(left, right))
        (map_ax,) = self.axes_
        flags = self.is_missing[self.rows_][:, self.channels_]
        edges, grid = panels.time.cells(flags, n_cells(map_ax), mean_of_cells)
        shown = np.where(grid > 0, _FAINTEST + (1 - _FAINTEST) * grid, grid)
        colours = heat_colours(diverging=False)
        self.mesh_ = draw_cells(
            map_ax, edges, shown, (palette().text, 0.2), cmap=colours, vmin=0, vmax=1
        )
        name_rows(map_ax, names, panels.height(map_ax))
        share_ax = self._draw_shares(map_ax, 100 * shares[self.channels_])
        self.axes_ = np.array([map_ax, share_ax])
        return self._finish(panels, *self._handles(panels))

    def _choose(self, shares, max_channels, channels) -> NDArray:
        """Positions of the sensors to show."""
        most = np.argsort(-shares, kind="stable")
        chosen = _reading.choose_channels(
            self.channel_names, channels, max_channels, most
        )
        return np.sort(chosen) if channels is None else chosen

    def _draw_shares(self, map_ax, shares) -> Any:
        from matplotlib.ticker import MaxNLocator

        ax = map_ax.inset_axes(_SHARES, sharey=map_ax)
        places = np.arange(len(shares))
        self.share_bars_ = ax.barh(places, shares, 0.7, color=palette().anomaly)
        ax.set_xlim(0, shares.max() or 1.0)
        ax.xaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
        ax.tick_params(labelsize=points("small"), left=False, labelleft=False)
        ax.set_xlabel("missing (%)", fontsize=points("small"))
        ax.spines[["top", "right"]].set_visible(False)
        return ax

    def _handles(self, panels) -> list[list[Any]]:
        """List what the legend explains: missing readings and, if any, gaps."""
        from matplotlib.patches import Patch

        gaps = Patch(facecolor="none", label="no row", **gap_style())
        missing = Patch(color=self.mesh_.get_cmap()(1.0), label="missing")
        return [[missing], [gaps] if panels.time.is_break.any() else []]


def _as_table(X) -> pd.DataFrame:
    """Make a table of pandas of any other; channels of an array are counted."""
    if isinstance(X, pd.Series):
        return X.to_frame()
    is_array = isinstance(X, np.ndarray | list | tuple)
    return pd.DataFrame(np.asarray(X)) if is_array else as_frame(X)
