"""What all trained autoencoders share: from parameters to a trained skorch net."""

import copy
from inspect import signature
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler

from skad._validation import Interval, StrOptions, warn
from skad.detectors._base import BaseAutoencoder, warn_if_not_narrower
from skad.detectors._modules import OUTPUT_RANGES
from skad.detectors._windows import Windows, principal_components
from skad.training._callbacks import BestWeights, EpochTasks, FiniteLossGuard
from skad.training._net import ReconstructionNet, resolve_device
from skad.training._random import draw_seed, make_generator
from skad.training._settings import training_settings

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}

# What fit decides itself; everything else of skorch's is open to net_params.
_RESERVED = (
    *("callbacks", "criterion", "dataset", "generator", "module", "random_module"),
    *("settings", "train_split", "warm_start"),
)

# Fewer windows than this and none is held out.
_MIN_TO_HOLD_OUT = 10


class BaseNeuralAutoencoder(CallbackSupportMixin, BaseAutoencoder):
    """Base of the detectors that are trained.

    A subclass names its module in `_architecture`. Each documents the parameters that
    all of them share once more, as scikit-learn does.
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseAutoencoder._parameter_constraints,
        "loss_reduction": [StrOptions({"mean", "sum"})],
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "kl_prior": [StrOptions({"uniform", "random"})],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"cosine"}), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
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

    def __init__(
        self,
        *,
        n_channels,
        error_model,
        loss_reduction,
        kl_weight,
        kl_prior,
        optimizer,
        lr,
        lr_schedule,
        weight_decay,
        input_noise,
        max_grad_norm,
        max_epochs,
        batch_size,
        early_stopping,
        validation_fraction,
        n_iter_no_change,
        refit,
        contamination,
        normal_label,
        callbacks,
        net_params,
        warm_start,
        device,
        random_state,
        verbose,
    ):
        super().__init__(
            n_channels=n_channels,
            error_model=error_model,
            contamination=contamination,
            normal_label=normal_label,
        )
        self.loss_reduction = loss_reduction
        self.kl_weight = kl_weight
        self.kl_prior = kl_prior
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.input_noise = input_noise
        self.max_grad_norm = max_grad_norm
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.refit = refit
        self.callbacks = callbacks
        self.net_params = net_params
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # What a subclass writes -----------------------------------------------------------

    # Whether the module draws random numbers in training, see `ReconstructionNet`.
    _random_module = False

    def _architecture(self, windows):
        """Choose module class, its arguments, and a PCA to start from (or None).

        The class is called with window_length, n_channels and the arguments.
        """
        raise NotImplementedError(f"{type(self).__name__} lacks _architecture.")

    # fit ------------------------------------------------------------------------------

    def _learn(self, windows, held_out):
        error_model = self._new_error_model()
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        with training_settings():
            refits = self.refit and held_out is None and not self.warm_start
            trained_on, held_out = self._train_first(windows, held_out, context)
            # With refit, as it will be done then: the threshold has to fit its units.
            by = None if self.refit else held_out
            self._fit_error_model(error_model, trained_on, by)
            self._fit_offset(windows, held_out)
            if refits and held_out:
                self._refit(windows, context)
        context.call_on_fit_task_end(estimator=self)

    def _train_first(self, windows, held_out, context):
        """Train, stopping on held-out windows; return both kinds of windows."""
        go_on = self.warm_start and hasattr(self, "net_")
        generator = None if go_on else make_generator(self.random_state)
        # A fit that goes on holds out the same windows: none that were trained on.
        seed = self.net_.settings["split_seed"] if go_on else draw_seed(generator)
        if held_out is None:
            windows, held_out = self._hold_out(windows, make_generator(seed))
            if go_on and held_out and self.net_.settings.get("has_learnt_all"):
                raise ValueError(
                    "warm_start would go on from a net that was trained anew on all "
                    "windows (refit=True), and has learnt those to validate on. Set "
                    "warm_start=True or refit=False before the first fit, or give "
                    "X_val."
                )
        net = self._known_net() if go_on else self._new_net(windows, generator, seed)
        if not go_on:
            self._warn_of_traps(windows)
        self.best_epoch_ = self._train(net, windows, held_out, context)
        self.net_ = net
        return windows, held_out

    def _refit(self, windows, context):
        """Train anew on all windows, for as many epochs as were best.

        The threshold of the held-out windows stays: the new net has learnt them too.
        """
        first = self.net_
        net = self._new_net(windows, first.generator, first.settings["split_seed"])
        net.max_epochs = self.best_epoch_
        net.settings["has_learnt_all"] = True
        self._train(net, windows, None, context)
        net.history_ = first.history_
        self.net_ = net
        self._fit_error_model(self._new_error_model(), windows, None)
        if self.contamination != "auto":
            self._fit_offset(windows, None)

    def _hold_out(self, windows, generator):
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

    def _new_net(self, windows, generator, split_seed):
        """Build an untrained net."""
        module, params, pca = self._architecture(windows)
        self.latent_dim_ = params.get("latent_dim")
        net = ReconstructionNet(
            module,
            generator=generator,
            random_module=self._random_module,
            settings=self._lasting_params()
            | {"split_seed": split_seed, "has_learnt_all": False},
            module__window_length=self.window_length_,
            module__n_channels=self.n_channels_,
            **{f"module__{name}": value for name, value in params.items()},
            **self._net_options(),
        )
        net.initialize()
        if pca is not None:
            net.module_.start_from(pca)
        return net

    def _net_options(self):
        """Translate the parameters into skorch's words."""
        options = {
            "criterion__reduction": self.loss_reduction,
            "criterion__kl_weight": self.kl_weight,
            "criterion__kl_prior": self.kl_prior,
            "criterion__batch_size": self.batch_size,
            "optimizer": OPTIMIZERS.get(self.optimizer, self.optimizer),
            "lr": self.lr,
            "max_epochs": self.max_epochs,
            "batch_size": self.batch_size,
            "input_noise": self.input_noise,
            "device": resolve_device(self.device),
            "verbose": int(self.verbose),
        }
        if not self.verbose:
            options["callbacks__print_log"] = None
        if "weight_decay" in signature(options["optimizer"]).parameters:
            options["optimizer__weight_decay"] = self.weight_decay
        elif self.weight_decay:
            raise ValueError(
                f"weight_decay={self.weight_decay} has no effect: optimizer="
                f"{self.optimizer!r} takes none."
            )
        expert = self.net_params or {}
        if taken := [name for name in expert if name.split("__")[0] in _RESERVED]:
            raise ValueError(
                f"net_params holds {taken}, which {type(self).__name__} sets itself; "
                f"leave out {list(_RESERVED)}."
            )
        return options | expert

    def _known_net(self):
        """Copy the net of the fit before, to train it further (`warm_start`)."""
        shape = (self.window_length_, self.n_channels_)
        trained = self.net_.window_shape
        if shape != trained:
            raise ValueError(
                f"X has windows of shape {shape} (timesteps, channels), but warm_start "
                f"continues a net for windows of shape {trained}; set "
                "warm_start=False to begin anew."
            )
        before = self.net_.settings
        if changed := [n for n, v in self._lasting_params().items() if v != before[n]]:
            raise ValueError(
                f"{', '.join(changed)} changed since the fit that warm_start goes on "
                "from; set warm_start=False to begin anew."
            )
        net = copy.deepcopy(self.net_)
        options = self._net_options()
        for name in ("optimizer", "device"):
            del options[name]
        net.change(options)
        return net

    def _lasting_params(self):
        """Write down the parameters that a trained net cannot change."""
        shared = set(signature(BaseNeuralAutoencoder.__init__).parameters)
        shared -= {"optimizer", "device"}
        params = self.get_params(deep=False).items()
        return {name: repr(value) for name, value in params if name not in shared}

    def _train(self, net, windows, held_out, context):
        """Run the epochs; return the best one, None without early stopping."""
        callbacks = [_fresh(callback) for callback in self.callbacks or ()]
        ours = [FiniteLossGuard(), EpochTasks(self, context)]
        if self.early_stopping and held_out:
            ours.append(BestWeights(self.n_iter_no_change))
        if self.max_grad_norm is not None:
            ours.append(GradientNormClipping(self.max_grad_norm))
        if self.lr_schedule == "cosine":
            n_steps = net.max_epochs * -(-len(windows) // net.batch_size)
            ours.append(
                LRScheduler(
                    "CosineAnnealingLR",
                    T_max=n_steps,
                    step_every="batch",
                    last_epoch=-1,  # a fit with warm_start begins its schedule anew
                )
            )
        net.train_on(windows, held_out, callbacks, ours, keep_optimizer=self.warm_start)
        stopping = next((c for c in ours if isinstance(c, BestWeights)), None)
        return stopping.best_epoch_ if stopping else None

    def _reconstruct_block(self, block):
        return self.net_.reconstruct(block)

    # After fit ------------------------------------------------------------------------

    @property
    def history_(self):
        """Losses and duration (seconds) of every epoch, a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.net_.history_rows())

    @property
    def n_iter_(self):
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
        """Warn of a code or an output that cannot work, where nothing would crash."""
        if self.latent_dim_ is not None:
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
                f"[{low:g}, {high:g}], but X reaches from {least:g} to {most:g}: the "
                "net cannot reconstruct it. Scale X to that range (MinMaxScaler), or "
                'use output_activation="identity".'
            )


def _fresh(callback):
    """Clone a skorch callback: an instance, a class, or (name, one of these)."""
    if isinstance(callback, tuple):
        name, callback = callback
        return name, _fresh(callback)
    is_class = isinstance(callback, type) and issubclass(callback, Callback)
    if not is_class and not isinstance(callback, Callback):
        raise ValueError(
            f"callbacks holds {callback!r}; expected skorch callbacks: instances, "
            "classes, or (name, one of these)."
        )
    return callback() if isinstance(callback, type) else clone(callback, safe=False)


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
