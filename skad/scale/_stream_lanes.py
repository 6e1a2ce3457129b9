"""The ways of rows of each series through a fitted estimator, for streams."""

from __future__ import annotations

from typing import Any

from skad._fitting import as_fitted
from skad._nesting import members
from skad.calibration._fit import CalibratedThreshold
from skad.scale._flows import SeriesWay
from skad.scale._path import cutters, open_path, path_of
from skad.scale._stream_drift import Watch
from skad.scale._stream_scores import Found, Lane, end_of
from skad.scale._stream_steps import input_names
from skad.series._imputer import TimeSeriesImputer


class Lanes:
    """Lanes of series, by their names.

    Attributes
    ----------
    reader : TableReader or None
        The first step.
    first : estimator
        What rows come to behind it.
    names : list or None
        Names of the columns that this was fitted on.
    n_columns : int or None
        Number of these columns.
    max_gap : number, timedelta64 or None
        Longest step in time that is no border, to the first one that knows such.
    named_in_fit : str
        What has told the series in fit.
    """

    def __init__(self, estimator: Any):
        self._estimator = estimator
        self._path = path = path_of(estimator)
        self.reader = path.reader
        self._splits = hasattr(path.detector, "splits_series")
        _check_streams(path)
        firsts = [*path.steps[:1], path.detector]
        self.first = firsts[0]
        self.names = input_names(self.first)
        self.n_columns = getattr(self.first, "n_features_in_", None)
        found = [*filter(_fills, path.steps), *cutters(path.detector)]
        gaps = [one.max_gap_ for one in found if one.max_gap_ is not None]
        self.max_gap = gaps[0] if gaps else None
        told = [getattr(one, "_named_by", "") for one in found]
        self.named_in_fit = max(told, key=len, default="")
        self._lanes: dict[Any, ScaledLane] = {}
        self._ends: dict[int, Any] = {}  # by the ids of their detectors

    def of(self, name: Any) -> ScaledLane:
        """Lane of a series, which is made when its first row comes."""
        if name not in self._lanes:
            way = SeriesWay(self._path, name if self._splits else None)
            if self._splits:
                _check_inside(way)
            if id(way.detector) not in self._ends:
                self._ends[id(way.detector)] = end_of(way.detector, way.steps)
            end = self._ends[id(way.detector)]
            lane = Lane(way.steps, end, name, self._watch(end))
            self._lanes[name] = ScaledLane(lane, *way.scale)
        return self._lanes[name]

    @property
    def splits_series(self) -> bool:
        """Whether each series has a detector of its own."""
        return self._splits

    def detector_of(self, name: Any) -> Any:
        """Estimator that scores a series."""
        if not self._splits:
            return self._estimator
        return self._path.detector._detector_of(name)[0]

    def others_than_last(self) -> list[str]:
        """List the ways in which rows get scores other than by their last window."""
        detectors = [self._path.detector]
        if self._splits:
            detectors = [path_of(one).detector for one in self._one_of_each()]
        found = [as_fitted(one).aggregate for d in detectors for one in cutters(d)]
        return sorted({one for one in found if one != "last"})

    def _one_of_each(self) -> list[Any]:
        holder = self._path.detector
        pooled = [] if holder.pooled_ is None else [holder.pooled_]
        return [*holder.estimators_.values(), *pooled]

    def _watch(self, end) -> Watch | None:
        """Make what watches for drift, if the detector can tell it."""
        layer = end.detector
        if not (isinstance(layer, CalibratedThreshold) and cutters(layer)):
            return None
        calibration: Any = getattr(layer, "calibration_", None)  # 0.1.0 had none
        if calibration is None or calibration.promised is None:
            return None
        usual = calibration.usual
        if usual is None or self.others_than_last():
            return None
        return Watch(layer, end.reach, end.few) if len(usual.level.variances) else None


class ScaledLane:
    """A lane, and the unit of its scores."""

    def __init__(self, lane: Lane, shift: float, unit: float):
        self.lane, self._shift, self._unit = lane, shift, unit

    @property
    def names(self) -> list[Any]:
        """Names of the sensors that are told of."""
        return self.lane.end.names

    def push(self, state: Any, part: Any, explain: bool) -> tuple[Any, Found]:
        """Score rows in the unit of the estimator."""
        state, (scores, shares) = self.lane.push(state, part, explain)
        scores = (scores - self._shift) / self._unit
        if shares is not None:
            shares = (shares + self._shift / shares.shape[1]) / self._unit
        return state, Found(scores, shares)


# Checks -------------------------------------------------------------------------------


def _fills(step) -> bool:
    return isinstance(step, TimeSeriesImputer)


def _check_streams(path) -> None:
    """Refuse what needs rows that have not come yet, or none of those that have."""
    for step in filter(_fills, path.steps):
        method = as_fitted(step).method
        if method != "ffill":
            raise ValueError(
                f"TimeSeriesImputer(method={method!r}) fills a row from later ones, "
                "which have not come when it is scored; expected 'ffill'."
            )
    for cutter in cutters(path.detector):
        stride = as_fitted(cutter).stride
        if stride != 1:
            raise ValueError(
                f"WindowedDetector(stride={stride}) has no window that ends at each "
                "row; expected stride=1."
            )
    for member in members(path.detector):
        _check_member(member)


def _check_member(member) -> None:
    end = open_path(member)[1]
    if hasattr(end, "splits_series"):
        raise ValueError(
            f"{type(end).__name__} is a member of a union; put the union into it "
            "instead."
        )
    for inner in members(end):
        _check_member(inner)


def _check_inside(way) -> None:
    """Refuse what the detector of a series must not begin with or consist of."""
    if any(getattr(step, "reads_tables", False) for step in way.steps):
        raise ValueError(
            "The detector of a series begins with TableReader; put that before "
            "PerSeriesDetector."
        )
    _check_streams(way)
