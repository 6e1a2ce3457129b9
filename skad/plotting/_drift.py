"""How far the sensors have moved since a detector was fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skad._docs import add_parameters
from skad.plotting import _style
from skad.plotting._drift_panels import LABELS, draw_moves
from skad.plotting._heatmap import margins_of, name_rows
from skad.plotting._panels import Axes, Panels
from skad.plotting._reading import choose_channels
from skad.plotting._shared_docs import MAKE, PANELS, PLOT
from skad.plotting._texts import wrap
from skad.series._drift import DriftReport, drift_report

# Inches for each line of the title.
_TITLE = 0.25


@add_parameters(PANELS)
@dataclass(eq=False, repr=False, kw_only=True)
class DriftDisplay:
    """How far level, spread and error of every sensor moved since fit.

    Sensors are below each other, those that moved farthest at the top. A point is how
    far one moved and a line the interval of that, in colour where it lies beyond 0 (or
    a ratio of 1), so that chance does not explain it. The title says how many rows are
    flagged, and whether labels can be trusted.

    Use :meth:`from_estimator` or :meth:`from_report` to make a display.

    Parameters
    ----------
    report : DriftReport
        What is drawn.

    Attributes
    ----------
    axes_ : ndarray of shape (n_quantities,)
        Panels of level, spread and, if the detector has errors, error.
    channels_ : list
        Names of the sensors shown, from the top.
    point_lines_ : list of matplotlib Line2D
        The points of each panel.
    legend_ : matplotlib Legend
        What the colours mean.

    See Also
    --------
    drift_report : Makes the report, and says how all is measured.
    AnomalyScoreDisplay : Readings over time.

    Examples
    --------
    >>> from skad import DriftDisplay, LinearAutoencoder, WindowedDetector
    >>> from skad import make_sensors
    >>> X, y = make_sensors(4000, n_faults=0, missing_fraction=0, dead_sensors=False,
    ...                     random_state=0)
    >>> detector = WindowedDetector(LinearAutoencoder(6), 30).fit(X[:2000])
    >>> later = X[2000:].copy()
    >>> later["sensor_01"] += 3 * X["sensor_01"].std()
    >>> display = DriftDisplay.from_estimator(detector, later, max_channels=5)
    >>> display.channels_[0]
    'sensor_01'
    """

    report: DriftReport

    @classmethod
    @add_parameters(MAKE)
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        confidence: float = 0.99,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot how far later rows have moved from those that a detector was fitted on.

        Parameters
        ----------
        estimator : estimator instance
            Fitted detector of skad with ``contamination="auto"``, or a pipeline, search
            or wrapper around one.
        X : array-like of shape (n_timestamps, n_channels)
            Later rows, as the estimator takes them.
        confidence : float, default=0.99
            Probability with which all intervals hold together.

        Raises
        ------
        TypeError, ValueError
            As `drift_report` does.
        """
        _style.import_pyplot(f"{cls.__name__}.from_estimator")
        report = drift_report(estimator, X, confidence=confidence)
        return cls.from_report(report, ax=ax, **kwargs)

    @classmethod
    @add_parameters(MAKE)
    def from_report(
        cls, report: DriftReport, *, ax: Axes | None = None, **kwargs: Any
    ) -> Self:
        """Plot a report.

        Parameters
        ----------
        report : DriftReport
            What `drift_report` returned.

        Raises
        ------
        TypeError
            If it is anything else.
        """
        return cls(report=report).plot(ax=ax, **kwargs)

    @add_parameters(PLOT)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        max_channels: int = 40,
        channels: str | int | Sequence[str | int] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        max_channels : int, default=40
            Number of sensors to show, those that moved farthest.
        channels : str, int or list of these, default=None
            Show these sensors instead, by name or position in the report, in this
            order.

        Raises
        ------
        TypeError
            If the report is none.
        ValueError
            If there are no such sensors.
        """
        if not isinstance(self.report, DriftReport):
            raise TypeError(
                f"report={self.report!r}; expected what drift_report returns."
            )
        names = list(self.report.sensors.index)
        order = np.arange(len(names))
        chosen = choose_channels(names, channels, max_channels, order)
        table = self.report.sensors.iloc[chosen]
        self.channels_ = list(table.index)
        panels = Panels(self, ax, 0.2 * len(table) + 1.5)
        names = [_style.as_text(name) for name in table.index]
        names, (left, _) = margins_of(panels.ax, names)
        self.ax_, self.figure_ = panels.ax, panels.figure
        title, size = wrap(self.report.verdict, 0.95 * _style.inches(panels.ax)[0])
        quantities = [one for one in LABELS if table[one].notna().any()]
        self.axes_ = panels.divide(
            [1.0],
            len(quantities),
            above=_TITLE * (title.count("\n") + 1),
            margins=(left, 0.0),
            share_x=False,
        )[0]
        drawn = [
            draw_moves(ax, one, table, self.report.is_certain(one)[chosen])
            for ax, one in zip(self.axes_, quantities, strict=True)
        ]
        self.point_lines_ = [points for points, *_ in drawn]
        first = self.axes_[0]
        name_rows(first, names, panels.height(first))
        first.set_ylim(len(names) - 0.5, -0.5)
        kinds = zip(*(lines for _, *lines in drawn), strict=True)
        firsts = [next((line for line in kind if line), None) for kind in kinds]
        self.legend_ = panels.add_legend(firsts)
        self.legend_.set_title(title, {"size": size})
        return self
