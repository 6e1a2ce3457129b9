"""What all trained autoencoders share: parameters, and the way to a trained net."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.callback import CallbackSupportMixin

from skad._validation import Interval, StrOptions
from skad._warnings import warn
from skad.detectors._base import BLOCK, BaseAutoencoder
from skad.detectors._checks import warn_if_not_narrower
from skad.detectors._components import principal_components
from skad.detectors._encoding import Encoder
from skad.detectors._modules import OUTPUT_RANGES
from skad.detectors._windows import Windows
from skad.training._at_once import windows_at_once
from skad.training._fit import OPTIMIZERS, build_net, continue_net, train
from skad.training._net import ReconstructionNet
from skad.training._random import draw_seed, make_generator
from skad.training._torch_state import training_state

if TYPE_CHECKING:
    import pandas as pd

# With fewer windows than this, none are held out.
_MIN_TO_HOLD_OUT = 10

# Values (512 KB as float32) that are reconstructed at once, in more than a block.
_VALUES_AT_ONCE = 2**17

LATENT_DIM = [
    Interval(Integral, 1, None, closed="left"),
    Interval(Real, 0, 1, closed="neither"),
]


@dataclass(eq=False, repr=False, kw_only=True)
class BaseNeuralAutoencoder(CallbackSupportMixin, Encoder, BaseAutoencoder):
    """Base of the autoencoders that are trained.

    A subclass names its module in `_architecture`.

    Parameters
    ----------
    loss_reduction : {"mean", "sum"}, default="mean"
        Whether the training loss averages the squared errors over all values of a
        batch, or adds them up as the ECG study does. `kl_weight`, `weight_decay` and
        `max_grad_norm` are relative to it: ``weight_decay=1e-2`` is mild with "sum" and
        lets the net collapse with "mean".
    kl_weight : float, default=0.0
        Weight of a penalty that draws the softmax of the latent code towards a prior.
        1.0 with ``loss_reduction="sum"`` is the ECG study's.
    kl_prior : {"uniform", "random"}, default="uniform"
        "uniform": the Kullback-Leibler divergence KL(u || p) between equal shares u and
        the softmax p. "random", the study's: fresh uniform noise in place of u at every
        step, whose expected gradient is latent_dim / 2 times that of "uniform".
        Neither is a divergence from a normal distribution.
    optimizer : {"adam", "adamw", "nadam", "rmsprop", "sgd"} or callable, default="adam"
        Name of an optimizer, or a class of torch.optim.
    lr : float, default=1e-3
        Learning rate.
    lr_schedule : {"cosine"} or None, default="cosine"
        "cosine" lowers the learning rate to zero over the training, batch by batch.
    weight_decay : float, default=0.0
        Weight decay of the optimizer; see `loss_reduction`.
    input_noise : float or (float, float), default=0.0
        Standard deviation of the normal noise on the input in training, in units of the
        input; the target stays clean. A pair (low, high): drawn evenly from between
        them for each window at every step.
    max_grad_norm : float or None, default=None
        Gradients are clipped to this norm; see `loss_reduction`.
    max_epochs : int, default=100
        Maximum number of passes over the training windows.
    max_steps : int, default=None
        Maximum number of training steps (batches), in place of `max_epochs`: as many
        passes as take so many steps, the last one to its end. A net then learns for as
        long from few windows as from many.
    batch_size : int, default=64
        Windows in a training step.
    early_stopping : bool, default=True
        Whether to hold out windows, to stop when the loss on them has not improved for
        `n_iter_no_change` epochs, and to keep the weights that were best on them. Of
        fewer than 10 windows none are held out.
    validation_fraction : float, default=0.1
        Share of the windows that is held out, in (0, 1), drawn at random; unused with
        ``early_stopping=False`` or if `X_val` is passed to `fit`.
    n_iter_no_change : int, default=10
        Epochs without improvement after which training stops.
    refit : bool, default=True
        Whether to train again from scratch on all windows, including the held-out ones,
        for as many epochs as were best on these; the threshold found on them is kept.
        It doubles the time of fit, and pays off if windows are few. Not done without
        early stopping, if `X_val` is passed to `fit` (which is never trained on), or
        with `warm_start`; the error model is fitted on the training windows even then.
    callbacks : list of skorch callbacks, default=None
        Cloned for each fit. One that raises KeyboardInterrupt, as skorch's
        ``EarlyStopping`` does, ends the training, and the fit is complete; a signal
        that raises it, such as Ctrl-C, leaves `fit`. For scikit-learn's own callbacks,
        see `set_callbacks`.
    net_params : dict, default=None
        Arguments for the skorch net, such as ``{"optimizer__betas": (0.9, 0.99)}``.
    warm_start : bool, default=False
        Whether `fit` continues to train the net of the previous fit. The same windows
        are held out if `X` is the same; architecture, optimizer and device cannot
        change.
    device : str, default="auto"
        Torch device; "auto" is CUDA if available, else MPS, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of the held-out part, initial weights, order of batches, noise and dropout.
        None takes a fresh seed from the operating system; an int gives the same bits
        every time (on the CPU). Global random states are never touched.
    verbose : int, default=0
        Whether to print a line for each epoch.

    Attributes
    ----------
    latent_dim_ : int
        Latent units.
    net_ : ReconstructionNet
        The trained skorch net; ``net_.module_`` is the torch module. Weights copied
        into it change the next scores; an error model that learns stays as it was.
    history_ : DataFrame
        Losses and duration (seconds) of every epoch of the first training, not of that
        of `refit`.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int or None
        Best epoch on the held-out windows; None without early stopping.
    """

    loss_reduction: Literal["mean", "sum"] = "mean"
    kl_weight: float = 0.0
    kl_prior: Literal["uniform", "random"] = "uniform"
    optimizer: (
        Literal["adam", "adamw", "nadam", "rmsprop", "sgd"]
        | Callable[..., torch.optim.Optimizer]
    ) = "adam"
    lr: float = 1e-3
    lr_schedule: Literal["cosine"] | None = "cosine"
    weight_decay: float = 0.0
    input_noise: float | tuple[float, float] = 0.0
    max_grad_norm: float | None = None
    max_epochs: int = 100
    max_steps: int | None = None
    batch_size: int = 64
    early_stopping: bool = True
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    refit: bool = True
    callbacks: Sequence[Any] | None = None
    net_params: dict[str, Any] | None = None
    warm_start: bool = False
    device: str | torch.device = "auto"
    random_state: int | np.random.RandomState | None = None
    verbose: int = 0

    _parameter_constraints: ClassVar[dict] = {
        **BaseAutoencoder._parameter_constraints,
        "loss_reduction": [StrOptions({"mean", "sum"})],
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "kl_prior": [StrOptions({"uniform", "random"})],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"cosine"}), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "input_noise": [Interval(Real, 0, None, closed="left"), tuple, list],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "max_steps": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "refit": ["boolean"],
        "callbacks": [list, tuple, None],
        "net_params": [dict, None],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # What a subclass writes -----------------------------------------------------------

    # Whether the module draws random numbers in training, see `ReconstructionNet`.
    _random_module: ClassVar[bool] = False

    # Windows that the module reconstructs fastest: BLOCK, doubled or not. More than
    # BLOCK only for modules of our own, whose arguments can be hashed.
    _most_at_once: ClassVar[int] = BLOCK

    @abstractmethod
    def _architecture(self, windows) -> tuple[Any, dict[str, Any], Any]:
        """Choose module class, its arguments, and a PCA to start from (or None).

        The class is called with window_length, n_channels and the arguments.
        """

    def _seen_by_net(self, windows) -> Any:
        """Choose what the net learns from: as many windows, or fewer."""
        return windows

    # fit ------------------------------------------------------------------------------

    @contextmanager
    def _learning(self) -> Iterator[None]:
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        with self._computing():
            yield
        context.call_on_fit_task_end(estimator=self)

    def _computing(self):
        return training_state()

    def _learn(self, windows, held_out) -> Windows | None:
        """Train, stopping on held-out windows; return those."""
        error_model = self._new_error_model()
        previous: ReconstructionNet | None = getattr(self, "net_", None)
        if self.warm_start and previous is not None:
            # The same windows are held out again: none that were trained on.
            generator, seed = previous.generator, previous.made_with["split_seed"]
        else:
            previous, generator = None, make_generator(self.random_state)
            seed = draw_seed(generator)
        if held_out is None:
            windows, held_out = self._hold_out(windows, make_generator(seed))
            if previous is not None and held_out is not None:
                _refuse_to_validate_on_learnt_windows(previous)
        if previous is not None:
            net = self._continued_net(previous)
        else:
            net = self._new_net(windows, generator, seed)
            self._warn_of_traps(windows)
        self.best_epoch_ = train(self, net, windows, held_out)
        self.net_ = net
        # With refit as it will be afterwards: the threshold has to be in its unit.
        self._fit_error_model(error_model, windows, None if self.refit else held_out)
        return held_out

    def _refits(self) -> bool:
        return self.refit and not self.warm_start

    def _learns_anew(self) -> bool:
        return not self.warm_start

    def _learn_again(self, windows) -> None:
        """Train again from scratch on all windows, for as many epochs as were best."""
        first = self.net_
        net = self._new_net(windows, first.generator, first.made_with["split_seed"])
        net.made_with["has_learnt_all"] = True
        train(self, net, windows, None, n_epochs=self.best_epoch_)
        net.history_ = first.history_
        self.net_ = net
        self._fit_error_model(self._new_error_model(), windows, None)

    _n_blocks: ClassVar[int] = 3

    def _learn_fold(self, windows):
        """Train as the net was trained: from the same weights, for as many epochs."""
        self.early_stopping = self.warm_start = False
        self.max_epochs = self.best_epoch_ or self.net_.max_epochs
        self.max_steps = None
        self.callbacks, self.verbose, self._callback_fit_ctx = None, 0, None
        # Batches of one size: none of a single window, which some layers refuse.
        n_batches = max(1, len(windows) // self.batch_size)
        self.batch_size = -(-len(windows) // n_batches)
        if self.latent_dim_ is not None:
            self.latent_dim = self.latent_dim_
        generator = torch.Generator()
        generator.set_state(self.net_.start_)
        net = self._new_net(windows, generator, self.net_.made_with["split_seed"])
        train(self, net, windows, None)
        self.net_ = net
        self._fit_error_model(self._new_error_model(), windows, None)

    def _hold_out(self, windows, generator) -> tuple[Windows, Windows | None]:
        """Split windows at random into those to train on and those to validate on."""
        if not self.early_stopping or len(windows) < _MIN_TO_HOLD_OUT:
            return windows, None
        n_held_out = round(self.validation_fraction * len(windows))
        n_held_out = min(max(1, n_held_out), len(windows) - 1)
        rows = windows.rows[torch.randperm(len(windows), generator=generator).numpy()]
        return (
            Windows(windows.X, np.sort(rows[n_held_out:])),
            Windows(windows.X, np.sort(rows[:n_held_out])),
        )

    def _new_net(self, windows, generator, split_seed) -> ReconstructionNet:
        """Build an untrained net."""
        start = generator.get_state()
        module, params, pca = self._architecture(windows)
        self.latent_dim_ = params.get("latent_dim")
        shape = {"window_length": self.window_length_, "n_channels": self.n_channels_}
        provenance = {"split_seed": split_seed, "has_learnt_all": False}
        net = build_net(
            self,
            module,
            shape | params,
            generator=generator,
            random_module=self._random_module,
            made_with=self._lasting_params() | provenance,
        )
        net.start_ = start  # a copy that is to be compared starts from it, too
        if pca is not None:
            net.module_.start_from(pca)
        return net

    def _continued_net(self, previous) -> ReconstructionNet:
        """Copy the net of the previous fit, if it can be trained further."""
        shape = (self.window_length_, self.n_channels_)
        trained = previous.window_shape
        if shape != trained:
            raise ValueError(
                f"X has windows of shape {shape} (timesteps, channels), but warm_start "
                f"continues a net for windows of shape {trained}; set "
                "warm_start=False to start from scratch."
            )
        # What a net of an earlier version does not tell had its default.
        defaults = {field.name: repr(field.default) for field in fields(self)}
        before = defaults | previous.made_with
        if changed := [n for n, v in self._lasting_params().items() if v != before[n]]:
            raise ValueError(
                f"{', '.join(changed)} changed since the fit that warm_start "
                "continues; set warm_start=False to start from scratch."
            )
        return continue_net(self)

    def _lasting_params(self) -> dict[str, str]:
        """Describe the parameters that cannot change once a net is trained."""
        shared = {field.name for field in fields(BaseNeuralAutoencoder)}
        shared -= {"optimizer", "device"}
        params = self.get_params(deep=False).items()
        return {name: repr(value) for name, value in params if name not in shared}

    def _reconstruct_block(self, block) -> tuple[np.ndarray, np.ndarray | None]:
        return self.net_.reconstruct(block)

    def _n_at_once(self, n_windows):
        most = self._most_at_once
        while most > BLOCK and most * self.n_features_in_ > _VALUES_AT_ONCE:
            most //= 2
        if most == BLOCK or n_windows < most:
            return BLOCK
        return windows_at_once(self.net_, most, BLOCK)

    # After fit ------------------------------------------------------------------------

    @property
    def history_(self) -> pd.DataFrame:
        """Losses and duration (seconds) of every epoch, a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.net_.history_rows())

    @property
    def n_iter_(self) -> int:
        """Number of epochs trained."""
        return len(self.net_.history)

    # Shared by subclasses -------------------------------------------------------------

    def _pca_and_latent_dim(self, windows):
        """PCA for the linear path (None without) and the number of latent units."""
        share = not isinstance(self.latent_dim, Integral)
        if not share and self.linear_path is None:
            return None, int(self.latent_dim)
        pca = principal_components(windows, self.latent_dim)
        latent_dim = int(pca.n_components_ if share else self.latent_dim)
        return pca if self.linear_path else None, latent_dim

    def _warn_of_traps(self, windows):
        """Warn of a code or an output that cannot work, although nothing crashes."""
        if self.latent_dim_ is not None and not self.input_noise:
            warn_if_not_narrower(self.latent_dim_, windows.X.shape[1])
        output_activation = getattr(self, "output_activation", "identity")
        if output_activation not in OUTPUT_RANGES:
            return
        low, high = OUTPUT_RANGES[output_activation]
        values = windows.sample().gather(slice(None))
        least, most = float(values.min()), float(values.max())
        rounding = 1e-6 * (most - least)
        if least < low - rounding or most > high + rounding:
            warn(
                f"output_activation={output_activation!r} gives values in "
                f"[{low:g}, {high:g}], but X ranges from {least:g} to {most:g}: the "
                "net cannot reconstruct it. Scale X to that range (MinMaxScaler), or "
                'use output_activation="identity".'
            )


def _refuse_to_validate_on_learnt_windows(net) -> None:
    if net.made_with.get("has_learnt_all"):  # not in nets of early versions of 0.1.0
        raise ValueError(
            "warm_start would continue a net that was trained again on all windows "
            "(refit=True), including those to validate on. Set warm_start=True or "
            "refit=False before the first fit, or pass X_val."
        )


def check_dims(dims, name, *, at_least=0):
    """Widths of layers as a tuple of positive ints."""
    dims = tuple(dims)
    valid = all(isinstance(dim, Integral) and dim >= 1 for dim in dims)
    if not valid or len(dims) < at_least:
        raise ValueError(
            f"{name}={dims!r} must hold {'at least one ' if at_least else ''}positive "
            "ints, one for each hidden layer of the encoder."
        )
    return tuple(int(dim) for dim in dims)
