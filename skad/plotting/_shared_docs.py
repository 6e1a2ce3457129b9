"""Sections of docstrings that several displays share."""

_PARAMETERS = """
    estimator : estimator instance
        Fitted outlier detector with `score_samples` and `offset_`, or a pipeline,
        search or wrapper with such a detector inside.
    X : array-like of shape (n_timestamps, n_channels)
        Table, as the estimator takes it. The index of a pandas table gives the time;
        in a MultiIndex, the levels before the last give the series. Rows of other
        tables are numbered.
    scores : array-like of shape (n_samples,)
        Scores as `score_samples` or `decision_function` returns them, higher = more
        normal.
    y : array-like of shape (n_samples,), default=None
        Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
    y_true : array-like of shape (n_samples,), default=None
        Labels, either -1 (anomaly) and +1 (normal), or 0 (normal) and 1 (anomaly).
    beta : float, default=1.0
        Weight of recall against precision in F-beta.
    windows : int or array-like of int, default=None
        Positions of the windows to show. If None, the first four or, if there are
        labels of both classes, the first two of each.
    index : array-like of shape (n_timestamps,), default=None
        Times of the rows: dates, durations or numbers; the last level of a MultiIndex.
        If None, the index that comes with the first argument. Without an index, or if
        it holds anything else, rows are numbered.
    threshold : float, default=None
        Threshold in use, on the same scale: `offset_` for `score_samples`, 0 for
        `decision_function`. If None, nothing is shaded or drawn.
    events : DataFrame of shape (n_events, n_columns), default=None
        Events in the rows given, as `find_events` returns them, to shade instead of
        the rows below the threshold.
    channel_names : list of str, default=None
        Names of the channels. If None, they are counted.
    series : object, default=None
        The series to show, if the index names several; a tuple if several levels name
        it. Only its rows are scored.
    ax : matplotlib Axes, default=None
        Axes to replace with the panels. If None, a new figure is made, high enough for
        them.
    start, stop : label or int, default=None
        First and last row to show, both included: labels of the index, or parts of
        dates (``start="2018-04-07", stop="2018-04"``). An int is the position of a row,
        unless the index holds numbers. None is the end.
    yscale : {"auto", "linear", "log", "symlog"}, default="auto"
        Scale of the errors. "auto" is linear, unless the farthest is more than 10 times
        the median one. Then it is logarithmic or, if some errors are negative,
        logarithmic on both sides of a linear middle ("symlog").
    score_kwargs, threshold_kwargs : dict, default=None
        Keyword arguments of the lines.
    **kwargs : dict
        Keyword arguments of :meth:`plot`.
"""

# Of methods that make a display.
MAKE = f"""{_PARAMETERS}
    Returns
    -------
    display : instance of this class
        The display, plotted.
"""

PLOT = f"""{_PARAMETERS}
    Returns
    -------
    display : instance of this class
        The display itself.
"""

PLOT_TIME = f"""{PLOT.rstrip()}

    Raises
    ------
    ValueError
        If there is no row from `start` to `stop`, or scores are too large to draw.
"""

# Of displays with panels in the place of one axes.
PANELS = """
    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        The axes given to :meth:`plot`, or made by it, which frame the panels.
"""

TIME = f"""
    index : pandas Index of shape (n_timestamps,)
        Times of the rows, increasing: dates, durations or numbers.
    is_anomaly : ndarray of shape (n_timestamps,), dtype bool, default=None
        Whether a row is an anomaly. If None, there is no strip.
    threshold : float, default=None
        Threshold in use, on the scale of the scores. If None, nothing is shaded.
    name : object, default=None
        Name of the series, for the title.
{PANELS.rstrip()}
    rows_ : slice
        The rows shown.
    truth_ax_, true_bars_ : matplotlib Axes and PolyCollection, or None
        The strip of the true ranges, and the ranges, if any is shown.
"""
