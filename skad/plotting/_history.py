"""Training and validation loss over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skad._docs import add_parameters
from skad._nesting import find_layer
from skad._validation import check_consistent_length
from skad.plotting._panels import Axes, get_axes
from skad.plotting._reading import check_choice
from skad.plotting._scales import drawable, label_axis
from skad.plotting._shared_docs import MAKE, PLOT
from skad.plotting._style import import_pyplot, inches, palette, tidy, with_defaults
from skad.plotting._texts import points

# Highest over lowest loss from which a linear axis would show a drop and a flat line.
_STEEP = 20.0


@dataclass(eq=False, repr=False, kw_only=True)
class TrainingHistoryDisplay:
    """Training and validation loss over the epochs, with the best epoch marked.

    Use :meth:`from_estimator` or :meth:`from_history` to make a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    epochs : ndarray of shape (n_epochs,)
        Numbers of the epochs.
    train_loss : ndarray of shape (n_epochs,)
        Mean training loss of each epoch.
    valid_loss : ndarray of shape (n_epochs,), default=None
        Validation loss after each epoch. If None, only the training loss is drawn.
    best_epoch : int, default=None
        Number of the epoch that the kept weights are from. If None, none is marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the curves.
    figure_ : matplotlib Figure
        Figure of the axes.
    train_line_ : matplotlib Line2D
        Training loss.
    valid_line_ : matplotlib Line2D or None
        Validation loss.
    best_line_, best_point_ : matplotlib Line2D or None
        Vertical line at the best epoch, and its loss.

    Examples
    --------
    >>> import pandas as pd
    >>> from skad import TrainingHistoryDisplay
    >>> history = pd.DataFrame(
    ...     {
    ...         "epoch": [1, 2, 3, 4],
    ...         "train_loss": [0.9, 0.5, 0.3, 0.2],
    ...         "valid_loss": [0.9, 0.6, 0.5, 0.7],
    ...     }
    ... )
    >>> display = TrainingHistoryDisplay.from_history(history)
    >>> display.best_epoch
    3
    """

    epochs: NDArray
    train_loss: NDArray
    valid_loss: NDArray | None = None
    best_epoch: int | None = None

    @classmethod
    @add_parameters(MAKE)
    def from_estimator(
        cls, estimator: Any, *, ax: Axes | None = None, **kwargs: Any
    ) -> Self:
        """Plot the history of a fitted detector.

        The display marks the detector's `best_epoch_`, the epoch that its weights are
        from; none if training did not stop early. A detector without that attribute
        gets "auto" of :meth:`from_history`.

        Parameters
        ----------
        estimator : estimator instance
            Fitted detector with `history_`, or a pipeline, search or wrapper with such
            a detector inside.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Raises
        ------
        TypeError
            If there is no detector with `history_`; those fitted in closed form have
            none.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        detector = find_layer(estimator, "history_")
        return cls.from_history(
            detector.history_,
            best_epoch=getattr(detector, "best_epoch_", "auto"),
            ax=ax,
            **kwargs,
        )

    @classmethod
    @add_parameters(MAKE)
    def from_history(
        cls,
        history: pd.DataFrame | Sequence[dict],
        *,
        best_epoch: int | Literal["auto"] | None = "auto",
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Plot a history.

        Parameters
        ----------
        history : DataFrame or list of dict
            One row for each epoch, with "train_loss" and, if anything was held out,
            "valid_loss". Epochs are counted from 1 if there is no "epoch".
        best_epoch : int, "auto" or None, default="auto"
            Number of the epoch to mark. "auto": that of the lowest validation loss, if
            there is one. None marks none.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Raises
        ------
        ValueError
            If the history has no epochs or no finite loss, or `best_epoch` is none of
            its epochs.
        """
        import_pyplot(f"{cls.__name__}.from_history")
        history = pd.DataFrame(history)
        if len(history) == 0 or "train_loss" not in history:
            raise ValueError(
                f"history has {len(history)} epochs and the columns "
                f"{list(history.columns)}; expected epochs and 'train_loss'."
            )
        epochs = np.arange(1, len(history) + 1)
        if "epoch" in history:
            epochs = history["epoch"].to_numpy(dtype=int)
        valid_loss = None
        if "valid_loss" in history and history["valid_loss"].notna().any():
            valid_loss = history["valid_loss"].to_numpy(dtype=float)
        if isinstance(best_epoch, str) and best_epoch == "auto":
            best_epoch = None
            if valid_loss is not None:
                best_epoch = int(epochs[np.nanargmin(valid_loss)])
        return cls(
            epochs=epochs,
            train_loss=history["train_loss"].to_numpy(dtype=float),
            valid_loss=valid_loss,
            best_epoch=best_epoch,
        ).plot(ax=ax, **kwargs)

    @add_parameters(PLOT)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        yscale: str = "auto",
        train_kwargs: dict[str, Any] | None = None,
        valid_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        yscale : {"auto", "linear", "log"}, default="auto"
            Scale of the losses. "auto" is logarithmic if the highest is more than 20
            times the lowest, and all are positive.
        train_kwargs, valid_kwargs : dict, default=None
            Keyword arguments of the two lines.

        Raises
        ------
        ValueError
            If no loss is finite, `yscale` is "log" and some are not above 0, or
            `best_epoch` is none of the epochs.
        """
        check_choice("yscale", yscale, ("auto", "linear", "log"))
        check_consistent_length(self.epochs, self.train_loss, self.valid_loss)
        yscale = self._choose_scale(yscale)
        best, epochs = self.best_epoch, self.epochs
        if best is not None and not (isinstance(best, Integral) and best in epochs):
            raise ValueError(
                f"best_epoch={best!r}; expected an epoch of the history, which goes "
                f"from {epochs[0]} to {epochs[-1]}."
            )
        self.ax_ = get_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = self.ax_.figure
        colours = palette()
        solid = {"color": colours.normal, "label": "training"}
        self.train_line_ = self._draw_line(self.train_loss, train_kwargs, **solid)
        dashed = {"color": colours.anomaly, "linestyle": "--", "label": "validation"}
        self.valid_line_ = self._draw_line(self.valid_loss, valid_kwargs, **dashed)
        self._mark_best(colours.best)
        self._finish(yscale)
        return self

    def _choose_scale(self, yscale) -> str:
        losses = np.append(
            self.train_loss, [] if self.valid_loss is None else self.valid_loss
        )
        losses = drawable(losses)
        losses = losses[np.isfinite(losses)]
        if len(losses) == 0:
            raise ValueError("No loss is finite; at least one is needed.")
        if yscale == "log" and losses.min() <= 0:
            raise ValueError("yscale='log' needs losses above 0; use 'linear'.")
        if yscale == "auto":
            yscale = "log" if losses.max() > _STEEP * losses.min() > 0 else "linear"
        return yscale

    def _draw_line(self, losses, kwargs, **style) -> Any:
        if losses is None:
            return None
        # a single epoch is a point, which a line alone would not show
        style["marker"] = "o" if len(self.epochs) == 1 else None
        style = with_defaults(kwargs, linewidth=1.6, **style)
        return self.ax_.plot(self.epochs, drawable(losses), **style)[0]

    def _mark_best(self, colour) -> None:
        self.best_line_ = self.best_point_ = None
        if self.best_epoch is None:
            return
        losses = self.train_loss if self.valid_loss is None else self.valid_loss
        best = self.best_epoch
        loss = drawable(losses)[np.flatnonzero(self.epochs == best)[0]]
        dots = {"color": colour, "linestyle": ":", "linewidth": 1.2, "zorder": 1.5}
        self.best_line_ = self.ax_.axvline(best, **dots)
        point = {"color": colour, "linestyle": "none", "marker": "o", "markersize": 7}
        (self.best_point_,) = self.ax_.plot(
            best, loss, label=f"best epoch ({best})", **point
        )

    def _finish(self, yscale) -> None:
        from matplotlib.ticker import MaxNLocator

        self.ax_.set(xlabel="epoch", ylabel="loss", yscale=yscale)
        if yscale == "log":
            label_axis(self.ax_.yaxis, inches(self.ax_)[1])
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        tidy(self.ax_)
        self.legend_ = self.ax_.legend(
            fontsize=points("small"), framealpha=0.85, edgecolor="none"
        )
