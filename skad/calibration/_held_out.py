"""The order of fit: learn, find the threshold on what was held out, learn again."""

from typing import Any

import numpy as np

from skad.thresholds._counting import QuantileThreshold


class HeldOutThreshold:
    """Mixin of detectors that learn from windows and find their threshold themselves.

    A subclass writes `_learn`, `_scores_of` and, if it holds windows out, `_refits` and
    `_learn_again`. It also chooses what it passes as windows.
    """

    contamination: Any
    offset_: float

    def _learn(self, windows, held_out) -> Any:
        """Learn from windows; return those that were held out, None if none were.

        `held_out` are those that the caller holds out already, or None.
        """
        raise NotImplementedError(f"{type(self).__name__} lacks _learn.")

    def _scores_of(self, windows) -> np.ndarray:
        """Scores that place the threshold."""
        raise NotImplementedError(f"{type(self).__name__} lacks _scores_of.")

    def _refits(self) -> bool:
        """Whether to learn again from all windows after some were held out."""
        return False

    def _learn_again(self, windows) -> None:
        """Learn anew from all windows, for as long as was best in `_learn`."""
        raise NotImplementedError(f"{type(self).__name__} lacks _learn_again.")

    def _fit_and_find_threshold(self, windows, held_out=None) -> None:
        """Learn, and find the threshold; what the caller holds out stays unlearnt."""
        is_given = held_out is not None
        held_out = self._learn(windows, held_out)
        self._find_threshold(windows, held_out)
        if held_out is not None and not is_given and self._refits():
            self._fit_again(windows)

    def _fit_again(self, windows) -> None:
        """Learn from all windows, and keep the threshold found on held-out ones.

        Afterwards there are none left: windows that were learnt score too high.
        """
        self._learn_again(windows)
        if self.contamination != "auto":
            self._find_threshold(windows, None)

    def _find_threshold(self, windows, held_out) -> None:
        """Put the threshold where `contamination` says.

        A share is one of all windows; "auto" judges those that were held out, if any.
        """
        auto = self.contamination == "auto"
        scores = self._scores_of(held_out if auto and held_out is not None else windows)
        if not np.isfinite(scores).all():
            raise ValueError(
                f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} scores are "
                "not finite. Scale the data first, e.g. with StandardScaler; if a net "
                "was trained, it has diverged: use a smaller lr, or set max_grad_norm."
            )
        rule = QuantileThreshold() if auto else QuantileThreshold(self.contamination)
        self.offset_ = rule.fit(scores).threshold_
