"""From the parameters of a detector to a trained net, in skorch's terms.

`detector` is a trained autoencoder: its constructor parameters are read here, and its
scikit-learn callbacks hear of every epoch.
"""

import copy
import math
from inspect import signature
from numbers import Real
from typing import Any

import torch
from sklearn.base import clone
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler

from skad.training._callbacks import BestWeights, EpochTasks, FiniteLossGuard
from skad.training._net import ReconstructionNet, resolve_device

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}

# Options of skorch that a detector sets itself; net_params may hold all others.
_RESERVED = (
    *("callbacks", "criterion", "dataset", "generator", "made_with", "module"),
    *("random_module", "train_split", "warm_start"),
)


def build_net(detector, module, module_params, **own_params) -> ReconstructionNet:
    """Build an untrained net; `own_params` are those of `ReconstructionNet` itself."""
    net = ReconstructionNet(
        module,
        **own_params,
        **{f"module__{name}": value for name, value in module_params.items()},
        **_skorch_options(detector),
    )
    net.initialize()
    return net


def continue_net(detector) -> ReconstructionNet:
    """Copy the net of the previous fit, to train it further (`warm_start`)."""
    net = copy.deepcopy(detector.net_)
    options = _skorch_options(detector)
    del options["optimizer"], options["device"]
    net.update_options(options)
    return net


def _skorch_options(detector) -> dict[str, Any]:
    """Translate a detector's parameters."""
    options = {
        "criterion__reduction": detector.loss_reduction,
        "criterion__kl_weight": detector.kl_weight,
        "criterion__kl_prior": detector.kl_prior,
        "criterion__batch_size": detector.batch_size,
        "optimizer": OPTIMIZERS.get(detector.optimizer, detector.optimizer),
        "lr": detector.lr,
        "max_epochs": detector.max_epochs,
        "batch_size": detector.batch_size,
        "input_noise": _check_noise(detector.input_noise),
        "device": resolve_device(detector.device),
        "verbose": int(detector.verbose),
    }
    if not detector.verbose:
        options["callbacks__print_log"] = None
    if "weight_decay" in signature(options["optimizer"]).parameters:
        options["optimizer__weight_decay"] = detector.weight_decay
    elif detector.weight_decay:
        raise ValueError(
            f"weight_decay={detector.weight_decay} has no effect: optimizer="
            f"{detector.optimizer!r} has no such parameter."
        )
    expert = detector.net_params or {}
    if taken := [name for name in expert if name.split("__")[0] in _RESERVED]:
        raise ValueError(
            f"net_params holds {taken}, which {type(detector).__name__} sets itself; "
            f"leave out {list(_RESERVED)}."
        )
    return options | expert


def _check_noise(noise):
    """Take a standard deviation, or the least and the largest one."""
    if not isinstance(noise, tuple | list):
        return noise
    are_sizes = all(isinstance(size, Real) and 0 <= size < math.inf for size in noise)
    if len(noise) != 2 or not are_sizes or noise[0] > noise[1]:
        raise ValueError(
            f"input_noise={noise!r} must be a standard deviation, or a pair (low, "
            "high) of finite ones with 0 <= low <= high."
        )
    return tuple(map(float, noise))


def _count_batches(net, n_windows) -> int:
    n_batches, n_left = divmod(n_windows, net.batch_size)
    drops_last = getattr(net, "iterator_train__drop_last", False)
    return n_batches + (n_left > 0 and not drops_last)


def train(detector, net, windows, held_out, *, n_epochs=None) -> int | None:
    """Run the epochs; return the best one, None without early stopping."""
    windows = detector._seen_by_net(windows)
    held_out = None if held_out is None else detector._seen_by_net(held_out)
    if n_epochs is None and detector.max_steps is not None:
        n_epochs = -(-detector.max_steps // max(1, _count_batches(net, len(windows))))
    net.max_epochs = net.max_epochs if n_epochs is None else n_epochs
    stopping = BestWeights(detector.n_iter_no_change)
    stops = detector.early_stopping and held_out is not None
    context = detector._callback_fit_ctx  # None for what is trained to be compared
    internal = [FiniteLossGuard()]
    internal += [] if context is None else [EpochTasks(detector, context)]
    internal += [stopping] if stops else []
    internal += _optional_callbacks(detector, net, len(windows))
    callbacks = [_clone_callback(callback) for callback in detector.callbacks or ()]
    keep_optimizer = detector.warm_start
    net.train_on(windows, held_out, callbacks, internal, keep_optimizer=keep_optimizer)
    return stopping.best_epoch_ if stops else None


def _optional_callbacks(detector, net, n_windows) -> list[Callback]:
    """Make the callbacks that parameters ask for."""
    callbacks: list[Callback] = []
    if detector.max_grad_norm is not None:
        callbacks.append(GradientNormClipping(detector.max_grad_norm))
    if detector.lr_schedule == "cosine":
        schedule = {
            "T_max": net.max_epochs * _count_batches(net, n_windows),
            "step_every": "batch",
            "last_epoch": -1,  # a fit with warm_start starts its schedule again
        }
        callbacks.append(LRScheduler("CosineAnnealingLR", **schedule))
    return callbacks


def _clone_callback(callback) -> Any:
    """Clone a skorch callback: an instance, a class, or (name, one of these)."""
    if isinstance(callback, tuple):
        name, callback = callback
        return name, _clone_callback(callback)
    is_class = isinstance(callback, type) and issubclass(callback, Callback)
    if not is_class and not isinstance(callback, Callback):
        raise ValueError(
            f"callbacks holds {callback!r}; expected skorch callbacks: instances, "
            "classes, or (name, one of these)."
        )
    return callback() if isinstance(callback, type) else clone(callback, safe=False)
