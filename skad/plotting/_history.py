"""Training and validation loss over the epochs."""

from numbers import Integral

import numpy as np
import pandas as pd

from skad._nesting import find_layer
from skad._validation import check_consistent_length
from skad.plotting._style import (
    drawable,
    get_axes,
    import_pyplot,
    palette,
    tidy,
    with_defaults,
)

__all__ = ["TrainingHistoryDisplay"]

# Highest over lowest loss at which a linear axis would show a drop and a flat line.
_STEEP = 20.0


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
        Number of the epoch whose weights were kept. If None, none is marked.

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

    def __init__(self, *, epochs, train_loss, valid_loss=None, best_epoch=None):
        self.epochs = epochs
        self.train_loss = train_loss
        self.valid_loss = valid_loss
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Plot the history of a fitted detector.

        Parameters
        ----------
        estimator : estimator instance
            Fitted detector with `history_`, or a pipeline, search or wrapper with such
            a detector inside.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display, plotted. Marked is the detector's `best_epoch_`, whose weights
            it kept; none if it did not stop early. A detector without that attribute
            gets "auto" of :meth:`from_history`.

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
    def from_history(cls, history, *, best_epoch="auto", ax=None, **kwargs):
        """Plot a history.

        Parameters
        ----------
        history : DataFrame or list of dict
            One row for each epoch, with "train_loss" and, where anything was held out,
            "valid_loss". Epochs are counted from 1 if there is no "epoch".
        best_epoch : int, "auto" or None, default="auto"
            Number of the epoch to mark. "auto": that of the lowest validation loss, if
            there is one. None marks none.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display, plotted.

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
        display = cls(
            epochs=epochs,
            train_loss=history["train_loss"].to_numpy(dtype=float),
            valid_loss=valid_loss,
            best_epoch=best_epoch,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, yscale="auto", train_kwargs=None, valid_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        yscale : {"auto", "linear", "log"}, default="auto"
            Scale of the losses. "auto" is logarithmic where the highest is more than
            20 times the lowest, and all are positive.
        train_kwargs, valid_kwargs : dict, default=None
            Keyword arguments of the two lines.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display itself.

        Raises
        ------
        ValueError
            If no loss is finite, `yscale` is "log" and some are not above 0, or
            `best_epoch` is none of the epochs.
        """
        if yscale not in ("auto", "linear", "log"):
            raise ValueError(f"yscale={yscale!r}; expected 'auto', 'linear' or 'log'.")
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
        # a single epoch is a point, which a line alone would not show
        marker = "o" if len(self.epochs) == 1 else None
        style = with_defaults(
            train_kwargs,
            color=palette().normal,
            linewidth=1.6,
            marker=marker,
            label="training",
        )
        losses = drawable(self.train_loss)
        (self.train_line_,) = self.ax_.plot(self.epochs, losses, **style)
        self.valid_line_ = None
        if self.valid_loss is not None:
            style = with_defaults(
                valid_kwargs,
                color=palette().anomaly,
                linewidth=1.6,
                linestyle="--",
                marker=marker,
                label="validation",
            )
            losses = drawable(self.valid_loss)
            (self.valid_line_,) = self.ax_.plot(self.epochs, losses, **style)
        self._mark_best()
        self._finish(yscale)
        return self

    def _mark_best(self) -> None:
        self.best_line_ = self.best_point_ = None
        if self.best_epoch is None:
            return
        losses = self.train_loss if self.valid_loss is None else self.valid_loss
        self.best_line_ = self.ax_.axvline(
            self.best_epoch,
            color=palette().best,
            linestyle=":",
            linewidth=1.2,
            zorder=1.5,
        )
        (self.best_point_,) = self.ax_.plot(
            self.best_epoch,
            drawable(losses)[np.flatnonzero(self.epochs == self.best_epoch)[0]],
            linestyle="none",
            marker="o",
            markersize=7,
            color=palette().best,
            label=f"best epoch ({self.best_epoch})",
        )

    def _finish(self, yscale) -> None:
        from matplotlib.ticker import MaxNLocator

        self.ax_.set(xlabel="epoch", ylabel="loss", yscale=yscale)
        if yscale == "log":
            self._label_log_axis()
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        tidy(self.ax_)
        self.legend_ = self.ax_.legend(
            fontsize="small", framealpha=0.85, edgecolor="none"
        )

    def _label_log_axis(self) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        lowest, highest = self.ax_.get_ylim()
        # plain numbers, and enough of them where the axis holds few powers of ten
        steps = (1, 2, 5) if highest < 500 * lowest else (1,)
        axis = self.ax_.yaxis
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))
        axis.set_minor_formatter(NullFormatter())

    def _choose_scale(self, yscale) -> str:
        losses = np.concatenate(
            [part for part in (self.train_loss, self.valid_loss) if part is not None]
        )
        losses = losses[np.isfinite(drawable(losses))]
        if len(losses) == 0:
            raise ValueError("No loss is finite; at least one is needed.")
        if yscale == "log" and losses.min() <= 0:
            raise ValueError("yscale='log' needs losses above 0; use 'linear'.")
        if yscale != "auto":
            return yscale
        is_steep = losses.max() > _STEEP * losses.min() > 0
        return "log" if is_steep else "linear"
