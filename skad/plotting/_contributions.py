"""Sensors by time: where the errors come from."""

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from skad._nesting import find_layer
from skad._validation import (
    check_array,
    check_outlier_labels,
    num_samples,
    safe_indexing,
)
from skad.plotting._style import (
    SMALLEST,
    add_legend,
    divide,
    fitting_size,
    get_axes,
    heat_colours,
    import_pyplot,
    inches,
    is_constrained,
    number,
    palette,
    points,
    symlog_ticks,
    text_width,
)
from skad.plotting._timeline import (
    YSCALES,
    Timeline,
    as_text,
    check_rows,
    check_scale,
    draw_errors,
    draw_flagged,
    draw_truth,
    figure_size,
    find_name,
    find_rows,
    has_any,
    read_index,
    read_labels,
    set_name,
)
from skad.series._explain import channel_names as channel_names_of
from skad.series._explain import find_explainer
from skad.series._rows import index_of

__all__ = ["ContributionDisplay"]

# Cells into which long series are thinned, for each sensor.
_N_CELLS = 1000

# Largest over median contribution at which linear colours would show peaks alone.
_HEAVY_TAIL = 10.0

_CSCALES = ("auto", "linear", "log")


class ContributionDisplay:
    """Heat map of what each sensor adds to the error at each time, below the error.

    The error, which is ``-score``, is the sum over sensors, exactly. Rows of the map
    are the sensors with the largest share of it, from the top; what the others add is
    summed in the last row. Above, the error with the threshold; rows below the
    threshold are shaded, and ranges that are labelled as anomalies are bars in a
    strip. Of long series, each cell is the contribution farthest from 0 of the rows
    that it stands for.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    contributions : ndarray of shape (n_timestamps, n_channels)
        Parts of the errors, higher = more anomalous.
    index : pandas Index of shape (n_timestamps,)
        Times of the rows, increasing: dates, durations or numbers.
    channel_names : list of str
        Names of the sensors.
    is_anomaly : ndarray of shape (n_timestamps,), dtype bool, default=None
        Whether a row is an anomaly. If None, there is no strip.
    threshold : float, default=None
        Threshold in use, on the scale of the scores. If None, nothing is shaded.
    name : object, default=None
        Name of the series or window, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes given to :meth:`plot`, or made by it; the frame of the panels.
    axes_ : ndarray of shape (2,)
        Panel of the error, and panel of the map.
    truth_ax_ : matplotlib Axes or None
        The strip of the true ranges, if any is shown.
    figure_ : matplotlib Figure
        Figure of the panels.
    rows_ : slice
        The rows shown.
    channels_ : ndarray of shape (n_shown_channels,)
        Positions of the sensors shown, from the top.
    mesh_ : matplotlib QuadMesh
        The map.
    colorbar_ : matplotlib Colorbar
        Its colours.
    score_line_, threshold_line_ : matplotlib Line2D or None
        Error and threshold.
    flagged_bars_, true_bars_ : matplotlib PolyCollection or None
        Predicted and true ranges, if any is shown.

    See Also
    --------
    explain : The contributions as a table.
    AnomalyScoreDisplay : Scores and readings over time.

    Notes
    -----
    Contributions of Mahalanobis errors may be negative. The map then has two colours,
    centred at 0, which differ for every kind of colour vision; in a print in grey only
    their sizes can be told.

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

    def __init__(
        self,
        *,
        contributions,
        index,
        channel_names,
        is_anomaly=None,
        threshold=None,
        name=None,
    ):
        self.contributions = contributions
        self.index = index
        self.channel_names = channel_names
        self.is_anomaly = is_anomaly
        self.threshold = threshold
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        channel_names=None,
        series=None,
        window=None,
        ax=None,
        **kwargs,
    ):
        """Plot the contributions to the scores of a fitted detector.

        Parameters
        ----------
        estimator : estimator instance
            Fitted detector with `explain` and `offset_`, or a pipeline, search or
            wrapper with such a detector inside.
        X : array-like of shape (n_timestamps, n_channels)
            Table, as the estimator takes it. Its index, if it is a pandas table, tells
            the time, and the levels of a MultiIndex before the last the series; other
            tables are numbered. For a detector of windows, the windows as it takes
            them, or a table that an earlier step cuts.
        y : array-like of shape (n_timestamps,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly);
            of the windows, for a detector of windows.
        channel_names : list of str, default=None
            Names of the channels that the detector sees. If None, those that it knows,
            or that the steps before it or the columns of `X` tell; else they are
            counted.
        series : object, default=None
            The series to show, where the index names several; a tuple if several
            levels name it. All are explained.
        window : int, default=None
            For a detector of windows, the position of the window to show. If None, the
            one with the lowest score.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`, such as `start` and `stop`.

        Returns
        -------
        display : ContributionDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If there is no detector with `explain`.
        ValueError
            If there are no rows, a series or window is not in `X`, or time is out of
            order.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        threshold = find_layer(estimator, "offset_").offset_
        detector, inner = find_explainer(estimator, X)
        tables = {"index": index_of(X), "y_true": y, "series": series}
        if num_samples(inner) == 0:
            raise ValueError("X holds no rows; at least one is needed.")
        if detector.explain(safe_indexing(inner, [0])).ndim == 3:
            if window is None:
                window = int(np.argmin(detector.score_samples(inner)))
            is_anomaly = _read_window(window, num_samples(inner), y, series)
            parts = detector.explain(safe_indexing(inner, [window]))
            shape, parts = parts.shape, parts[0]
            tables = {"name": _name_window(window, parts, threshold, is_anomaly)}
        else:
            _refuse_window(window)
            parts = detector.explain(inner)
            shape = parts.shape
        if channel_names is None:
            channel_names = channel_names_of(estimator, detector, X, inner, shape)
        return cls._of_table(
            parts,
            threshold=threshold,
            channel_names=channel_names,
            **tables,
        ).plot(ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        contributions,
        *,
        index=None,
        y_true=None,
        threshold=None,
        channel_names=None,
        series=None,
        window=None,
        ax=None,
        **kwargs,
    ):
        """Plot contributions that are there already.

        Parameters
        ----------
        contributions : array-like of shape (n_timestamps, n_channels) or \
                (n_windows, window_length, n_channels)
            Parts of the errors as `explain`, the function or a method, returns them,
            higher = more anomalous.
        index : array-like of shape (n_timestamps,), default=None
            Times of the rows: dates, durations or numbers; the last level of a
            MultiIndex. If None, the index of `contributions` if they have one, else
            rows are numbered, as they are where the index holds anything else.
        y_true : array-like of shape (n_timestamps,) or (n_windows,), default=None
            Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
        threshold : float, default=None
            Threshold in use, `offset_`. If None, nothing is shaded.
        channel_names : list of str, default=None
            Names of the channels. If None, the columns of `contributions` if they have
            any, else channels are counted.
        series : object, default=None
            The series to show, where the index names several.
        window : int, default=None
            Of windows, the position of the one to show. If None, the one with the
            lowest score.
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`, such as `start` and `stop`.

        Returns
        -------
        display : ContributionDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If contributions are not finite, labels are in neither coding, lengths
            differ, time is out of order, or the series or window is not there.
        """
        import_pyplot(f"{cls.__name__}.from_predictions")
        parts = check_array(
            contributions,
            dtype=np.float64,
            allow_nd=True,
            input_name="contributions",
        )
        if channel_names is None and hasattr(contributions, "columns"):
            channel_names = contributions.columns
        index = index_of(contributions) if index is None else index
        tables = {"index": index, "y_true": y_true, "series": series}
        if parts.ndim == 3:
            if window is None:
                window = int(np.argmax(parts.sum(axis=(1, 2))))
            is_anomaly = _read_window(window, len(parts), y_true, series)
            parts = parts[window]
            tables = {"name": _name_window(window, parts, threshold, is_anomaly)}
        else:
            _refuse_window(window)
        return cls._of_table(
            parts, threshold=threshold, channel_names=channel_names, **tables
        ).plot(ax=ax, **kwargs)

    @classmethod
    def _of_table(
        cls,
        parts,
        *,
        threshold,
        channel_names,
        index=None,
        y_true=None,
        series=None,
        name=None,
    ):
        """Make the display of one series, or of one window, which has a name."""
        n_rows, n_channels = parts.shape
        if channel_names is None:
            channel_names = range(n_channels)
        if name is None:
            is_anomaly = read_labels(y_true, parts)
            rows, index, name = read_index(index, n_rows, series)
        else:
            # the threshold is one for whole windows
            rows, is_anomaly, threshold = slice(None), None, None
            index = pd.RangeIndex(n_rows, name="timestep")
        return cls(
            contributions=parts[rows],
            index=index,
            channel_names=[as_text(name) for name in channel_names],
            is_anomaly=None if is_anomaly is None else is_anomaly[rows],
            threshold=None if threshold is None else float(threshold),
            name=name,
        )

    @property
    def scores(self):
        """Scores of the rows, higher = more normal: minus the sums over sensors."""
        return -self.contributions.sum(axis=1)

    def plot(
        self,
        ax=None,
        *,
        start=None,
        stop=None,
        max_channels=12,
        channels=None,
        yscale="auto",
        cscale="auto",
        score_kwargs=None,
        threshold_kwargs=None,
    ):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes whose place is taken. If None, a new figure is made.
        start, stop : label or int, default=None
            First and last row to show, both included. Labels of the index, a part of a
            date too (``start="2018-04-07", stop="2018-04"``); where the index is no
            number, an int is the position of a row. None is the end.
        max_channels : int, default=12
            Show so many sensors, those with the largest sums over the rows shown; the
            sum of the others, if there are any, is the last row.
        channels : str, int or list of these, default=None
            Show these sensors instead, by name or position, in this order.
        yscale : {"auto", "linear", "log", "symlog"}, default="auto"
            Scale of the errors. "auto" is linear, unless the farthest is more than 10
            times the median one: then logarithmic, on both sides of a linear middle
            ("symlog") where some errors are negative.
        cscale : {"auto", "linear", "log"}, default="auto"
            Scale of the colours. "auto" is linear, unless the largest contribution is
            more than 10 times the median one. "log" leaves what is below the median,
            or below a ten thousandth of the largest, in the colour of 0.
        score_kwargs, threshold_kwargs : dict, default=None
            Keyword arguments of the lines.

        Returns
        -------
        display : ContributionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no row from `start` to `stop`, no such channel, or
            contributions are too large to draw.
        """
        check_scale(yscale, YSCALES, "yscale")
        check_scale(cscale, _CSCALES, "cscale")
        check_rows(self.index, self.contributions, "contributions", self.is_anomaly)
        n_names, n_channels = len(self.channel_names), self.contributions.shape[1]
        if n_names != n_channels:
            raise ValueError(
                f"channel_names has {n_names} names; expected {n_channels}, one for "
                "each channel."
            )
        self.rows_ = find_rows(self.index, start, stop)
        names, values = self._choose_channels(channels, max_channels)
        caller = f"{type(self).__name__}.plot"
        size = figure_size(caller, 0.19 * len(names) + 2.2)
        self.ax_ = get_axes(ax, caller, size)
        self.figure_ = self.ax_.figure
        has_truth = has_any(self.is_anomaly, self.rows_)
        panels, legend_ax = divide(
            self.ax_,
            [0.12] * has_truth + [1.0, 2.2],
            headroom=0.45 if self.name is None else 0.65,
            margins=(self._room_for(names), 0.75),
        )
        self.truth_ax_ = panels[0, 0] if has_truth else None
        self.axes_ = panels[has_truth:, 0]
        time = Timeline(self.index, self.rows_)
        self._draw_scores(time, yscale, score_kwargs, threshold_kwargs)
        self._draw_map(time, names, values, cscale)
        set_name(panels[0, 0], self.name)
        time.set_axis(panels[:, 0])
        self._name_channels(names)
        handles = [self.threshold_line_, self.flagged_bars_, self.true_bars_]
        handles = [handle for handle in handles if handle is not None]
        self.legend_ = add_legend(legend_ax, handles)
        return self

    def _choose_channels(self, channels, max_channels) -> tuple[list, np.ndarray]:
        """Names and contributions of the rows of the map, from the top."""
        shown = self.contributions[self.rows_]
        if channels is not None:
            is_one = isinstance(channels, str | Integral)
            self.channels_ = np.array(
                [
                    find_name(channel, self.channel_names, "channels")
                    for channel in ([channels] if is_one else channels)
                ],
                dtype=int,
            )
            if len(self.channels_) == 0:
                raise ValueError("channels is empty; expected at least one.")
            return [self.channel_names[c] for c in self.channels_], shown[
                :, self.channels_
            ]
        if not isinstance(max_channels, Integral) or max_channels < 1:
            raise ValueError(f"max_channels={max_channels!r}; expected an int >= 1.")
        largest = np.argsort(-shown.sum(axis=0), kind="stable")
        self.channels_, others = largest[:max_channels], largest[max_channels:]
        names = [self.channel_names[channel] for channel in self.channels_]
        values = shown[:, self.channels_]
        if len(others):
            names.append(f"{len(others)} others")
            values = np.column_stack([values, shown[:, others].sum(axis=1)])
        return names, values

    @staticmethod
    def _room_for(names) -> float:
        """Inches that the names need beyond the usual margin of an axes."""
        size = points("small")
        widest = max(text_width(name, size) for name in names)
        return max(0.0, (widest + size) / 72 - 0.4)

    def _draw_scores(self, time, yscale, kwargs, threshold_kwargs) -> None:
        ax = self.axes_[0]
        scores = self.scores[self.rows_]
        self.score_line_, self.threshold_line_ = draw_errors(
            ax, time, -scores, self.threshold, yscale, kwargs, threshold_kwargs
        )
        ax.set_ylabel("error")
        share = 0.6 if is_constrained(self.figure_) else 1.0
        ax.yaxis.label.set_size(fitting_size(["error"], share * inches(ax)[1]))
        self.flagged_bars_ = self.true_bars_ = None
        if self.threshold is not None:
            self.flagged_bars_ = draw_flagged(ax, time, scores < self.threshold)
        if self.truth_ax_ is not None:
            flags = self.is_anomaly[self.rows_]
            self.true_bars_ = draw_truth(self.truth_ax_, time, flags)

    def _draw_map(self, time, names, values, cscale) -> None:
        ax = self.axes_[1]
        edges, grid = time.cells(values, _N_CELLS)
        norm, colours, ticks = _choose_colours(values, cscale)
        drawn = np.where(np.isnan(grid), np.nan, np.maximum(grid, norm.vmin))
        self.mesh_ = ax.pcolormesh(
            edges,
            np.arange(len(names) + 1) - 0.5,
            drawn.T,
            norm=norm,
            cmap=colours,
            rasterized=True,
        )
        ax.set_ylim(len(names) - 0.5, -0.5)
        for border in np.arange(1, len(names)) - 0.5:
            ax.axhline(border, color=ax.get_facecolor(), linewidth=1)
        # gaps are neither 0 nor anything else
        ax.patch.set(hatch="////", edgecolor=(palette().text, 0.3), linewidth=0)
        bar_ax = ax.inset_axes([1.015, 0, 0.022, 1])
        is_cut = drawn[~np.isnan(grid)].min() > values.min()
        self.colorbar_ = self.figure_.colorbar(
            self.mesh_, cax=bar_ax, extend="min" if is_cut else "neither"
        )
        self.colorbar_.set_ticks(ticks, labels=[number(tick) for tick in ticks])
        self.colorbar_.minorticks_off()
        self.colorbar_.outline.set_visible(False)
        bar_ax.tick_params(labelsize="x-small", length=2)
        bar_ax.set_ylabel("contribution to error", fontsize="x-small")

    def _name_channels(self, names) -> None:
        ax = self.axes_[1]
        share = 0.7 if is_constrained(self.figure_) else 1.0
        height = share * inches(ax)[1] * 72 / len(names)
        size = min(points("small"), 0.85 * height)
        ax.set_yticks(np.arange(len(names)), names, fontsize=size)
        ax.tick_params(axis="y", length=0)
        ax.spines[:].set_visible(False)


def _choose_colours(values, cscale) -> tuple[Any, Any, list[float]]:
    """Norm, colours and ticks: from 0, or on both sides of it."""
    from matplotlib.colors import LogNorm, Normalize, SymLogNorm
    from matplotlib.scale import SymmetricalLogTransform
    from matplotlib.ticker import MaxNLocator

    sizes = np.abs(values)
    is_heavy = sizes.max() > _HEAVY_TAIL * np.median(sizes)
    farthest = float(sizes.max())
    farthest = farthest if farthest > SMALLEST else 1.0
    # rounding makes no second colour
    diverging = bool(values.min() < -1e-9 * farthest)
    colours = heat_colours(diverging=diverging)
    smallest = max(float(np.median(sizes)), farthest * (1e-3 if diverging else 1e-4))
    if cscale == "auto":
        cscale = "log" if is_heavy else "linear"
    if cscale == "linear" or smallest >= farthest:
        lowest = -farthest if diverging else 0.0
        ticks = MaxNLocator(4).tick_values(lowest, farthest)
        ticks = [float(tick) for tick in ticks if lowest <= tick <= farthest]
        return Normalize(lowest, farthest), colours, ticks
    if not diverging:
        ticks = _decades(smallest, farthest)
        return LogNorm(smallest, farthest), colours, ticks
    transform = SymmetricalLogTransform(10, smallest, 0.5)
    norm = SymLogNorm(smallest, linscale=0.5, vmin=-farthest, vmax=farthest)
    return norm, colours, symlog_ticks(transform, -farthest, farthest, 8)


def _decades(smallest, farthest) -> list[float]:
    """At most four round numbers in between."""
    low, high = np.log10([smallest, farthest])
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    if len(powers) < 2:
        powers = np.log10(
            [10.0**p * s for p in (np.floor(low), np.floor(high)) for s in (1, 2, 5)]
        )
        powers = np.unique(powers[(powers >= low) & (powers <= high)])
    return [float(10.0**p) for p in powers[:: -(-len(powers) // 4) or 1]]


def _refuse_window(window) -> None:
    if window is not None:
        raise ValueError(
            f"window={window!r}, but the contributions are those of the rows of a "
            "table; use start and stop."
        )


def _read_window(window, n_windows, y, series) -> bool | None:
    """Check a position; whether the window is labelled as an anomaly."""
    if series is not None:
        raise ValueError(f"series={series!r}, but windows are of no series.")
    if not isinstance(window, Integral) or int(window) not in range(n_windows):
        raise ValueError(
            f"window={window!r}; expected a position from 0 to {n_windows - 1}."
        )
    if y is None:
        return None
    labels = check_outlier_labels(y, name="y_true")
    if len(labels) != n_windows:
        raise ValueError(f"y_true has {len(labels)} labels for {n_windows} windows.")
    return bool(labels[window])


def _name_window(window, parts, threshold, is_anomaly) -> str:
    kind = "" if is_anomaly is None else ", anomaly" if is_anomaly else ", normal"
    limit = "" if threshold is None else f", threshold {number(threshold)}"
    return f"window {window}{kind}: score {number(-parts.sum())}{limit}"
