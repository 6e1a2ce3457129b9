"""The order of fit: learn, learn again from all, and place the threshold."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from skad._base import is_calibrating, is_kept
from skad.calibration._blocks import LeftOut, disagreement
from skad.calibration._odd import find_odd, stretches_of
from skad.calibration._report import Calibration
from skad.calibration._threshold import PROMISED, promised_threshold, within_reach
from skad.calibration._usual import UsualReadings
from skad.calibration._warnings import (
    warn_of_drift,
    warn_of_few,
    warn_of_none_below,
    warn_of_odd,
)
from skad.thresholds._counting import QuantileThreshold

N_BLOCKS = 5
_N_ROUNDS = 3  # in which odd stretches are looked for


class CalibratedThreshold(ABC):
    """Mixin of detectors that learn from windows and find their threshold themselves.

    With ``contamination="auto"`` that comes from scores of windows that were left out
    in turn: those of learnt windows are too high. Odd stretches are found by these
    scores, and the detector is fitted anew without. A subclass writes `_learn`,
    `_scores_of`, `_left_out_scores`, `_reach_of`, `_without` and `_rows_of`;
    `_readings_of`, `_errors_of` and `_compared`, for `drift_report`; and `_refits` and
    `_learn_again`, if it holds windows out to stop its training. It also chooses what
    it passes as windows.
    """

    contamination: Any
    offset_: float
    calibration_: Calibration

    @abstractmethod
    def _learn(self, windows, held_out) -> Any:
        """Learn from windows; return those that were held out, None if none were.

        `held_out` are those that the caller holds out already, or None.
        """

    @abstractmethod
    def _scores_of(self, windows) -> np.ndarray:
        """Scores that place the threshold."""

    def _scores_of_each(self, *parts) -> list[np.ndarray]:
        """Scores of several parts of the windows of fit."""
        return [self._scores_of(part) for part in parts]

    @abstractmethod
    def _left_out_scores(self, windows, learnt) -> LeftOut:
        """Scores of windows by models like this one that have not learnt them.

        These learn `learnt`, windows or some of them.
        """

    def _reach_of(self, windows) -> int:
        """How many scores in a row tell the same, because their windows overlap."""
        return 1

    @abstractmethod
    def _readings_of(self, windows) -> Iterator[np.ndarray]:
        """Yield windows to judge: (n_windows, window_length, n_channels)."""

    def _errors_of(self, windows) -> np.ndarray | None:
        """Mean absolute residual of each sensor, of windows to judge.

        (n_windows, n_channels); None if the detector has no residuals.
        """
        return None

    @abstractmethod
    def _compared(self, X) -> Any:
        """Windows of X, to be compared with those of fit."""

    def _usual_readings(self, windows, errors) -> UsualReadings | None:
        """Learn what sensors usually read; None if that cannot be told."""
        return UsualReadings.learn(self._readings_of(windows), errors)

    def _read_now(self, X) -> UsualReadings:
        """Measure what sensors read in X, by the detector as it is."""
        windows, usual = self._compared(X), self.calibration_.usual
        level = None if usual is None else usual.level.mean
        errors = [self._errors_of(windows)]
        return UsualReadings.learn(self._readings_of(windows), errors, level)

    @property
    def _remembers_windows(self) -> bool:
        """Whether learnt windows are kept, so that those that overlap are no news."""
        return False

    def _refits(self) -> bool:
        """Whether to learn again from all windows after some were held out."""
        return False

    def _learns_anew(self) -> bool:
        """Whether `_learn` forgets what was learnt before."""
        return True

    def _learn_again(self, windows) -> None:
        """Learn anew from all windows, for as long as was best in `_learn`."""
        self._learn(windows, None)

    @abstractmethod
    def _without(self, windows, odd) -> Any:
        """Drop what has odd scores: those that are learnt, or may be."""

    @abstractmethod
    def _rows_of(self, windows) -> np.ndarray:
        """Rows of X that have the scores."""

    def _stretches_of(self, windows, odd) -> list[tuple[int, int]]:
        """First and last rows of X of the stretches of a mask of what has scores."""
        return stretches_of(odd, self._rows_of(windows))

    def _refitted(self) -> list[str]:
        """Names of what is fitted anew for each block."""
        return [type(self).__name__]

    def _fit_and_calibrate(self, windows, held_out=None) -> None:
        """Learn, and place the threshold; what the caller holds out stays unlearnt."""
        held_out = self._fit_windows(windows, held_out)
        if self.contamination == "auto" and is_calibrating():
            self._calibrate(windows, held_out)
        else:
            self._place_threshold(windows, held_out)

    def _fit_windows(self, windows, held_out=None) -> Any:
        """Learn, and learn again what was held out only to stop the training."""
        is_given = held_out is not None
        held_out = self._learn(windows, held_out)
        if held_out is not None and not is_given and self._refits():
            self._learn_again(windows)
            held_out = None
        return held_out

    def _place_threshold(self, windows, held_out) -> None:
        """Put the threshold where a share of all windows is, or of those held out.

        A fold has none.
        """
        if not is_kept():
            return
        is_auto = self.contamination == "auto"
        source, judged = "learnt windows", windows
        if is_auto and held_out is not None:
            source, judged = "held-out windows", held_out
        scores = self._finite(self._scores_of(judged))
        rule = QuantileThreshold(PROMISED if is_auto else self.contamination)
        self.offset_ = rule.fit(scores).threshold_
        self.calibration_ = Calibration(
            source, len(scores), self.offset_, reach=float(self._reach_of(windows))
        )

    def _calibrate(self, windows, held_out):
        """Put the threshold where it keeps its promise to windows not learnt."""
        source, learnt, odd = "held-out windows", windows, []
        if held_out is not None:
            of_learnt, scores = self._scores_of_each(windows, held_out)
            left_out = LeftOut.at_once(scores, self._errors_of(held_out))
        else:
            source = "left-out blocks"
            learnt, left_out, odd = self._leave_out(windows)
            (of_learnt,) = self._scores_of_each(learnt)
        scores, parts = left_out.scores, left_out.by_block()
        of_learnt = self._finite(of_learnt)
        if not len(scores):
            source, scores = "learnt windows", of_learnt
        reach = self._reach_of(windows)
        n_independent = len(self._finite(scores)) / reach
        self.offset_ = within_reach(
            promised_threshold(scores, PROMISED, n_independent), of_learnt, scores
        )
        self.calibration_ = Calibration(
            source,
            len(scores),
            self.offset_,
            promised=PROMISED,
            reach=float(reach),
            learnt_flagged=float((of_learnt < self.offset_).mean()),
            block_thresholds=[float(np.quantile(part, PROMISED)) for part in parts],
            disagreement=disagreement(parts, reach),
            odd_stretches=odd,
            refitted=self._refitted() if parts else [],
            usual=self._usual_readings(learnt, left_out.errors),
        )
        warn_of_odd(self.calibration_)
        warn_of_few(self.calibration_)
        if not self._remembers_windows:
            warn_of_none_below(self.calibration_)

    def _leave_out(self, windows):
        """Leave out blocks in turn, and from all learning the stretches that are odd.

        Returns what is learnt, what is left out of it, and the stretches.
        """
        left_out = self._left_out_scores(windows, windows)
        learnt, odd = windows, np.zeros(len(left_out.scores), dtype=bool)
        may_look = left_out.is_judged.all() and self._learns_anew()
        for _ in range(_N_ROUNDS if may_look else 0):
            scores = self._finite(left_out.scores)
            found = find_odd(scores, self._reach_of(windows), odd)
            if not (found & ~odd).any():
                break
            odd |= found
            learnt = self._without(windows, odd)
            self._fit_windows(learnt)
            left_out = self._left_out_scores(windows, learnt)
        stretches = self._stretches_of(windows, odd) if odd.any() else []
        return learnt, left_out.where(~odd & left_out.is_judged), stretches

    def _judge(self, labels) -> None:
        calibration = getattr(self, "calibration_", None)  # models of 0.1.0 have none
        if calibration is not None:
            warn_of_drift(calibration, int((labels < 0).sum()), len(labels))

    def _finite(self, scores):
        if not np.isfinite(scores).all():
            raise ValueError(
                f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} scores are "
                "not finite. Scale the data first, e.g. with StandardScaler; if a net "
                "was trained, it has diverged: use a smaller lr, or set max_grad_norm."
            )
        return scores
