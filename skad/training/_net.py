"""The only skorch subclass: batches in, a trained module out."""

import copy
import dis
from contextlib import nullcontext, suppress

import numpy as np
import torch
from skorch import NeuralNet
from skorch.helper import predefined_split
from skorch.utils import to_tensor

from skad.training._batches import BatchIterator, WindowDataset
from skad.training._callbacks import StopTraining
from skad.training._losses import ReconstructionLoss, split_output
from skad.training._optimizers import has_fused_step, without_compiler
from skad.training._private import initialize
from skad.training._random import torch_generator
from skad.training._seconds import unwrap_seconds, wrap_seconds
from skad.training._torch_state import standard_torch


class ReconstructionNet(NeuralNet):
    """skorch net that learns to return its input.

    It differs from skorch in four ways: Ctrl-C leaves `fit`, no draw comes from torch's
    global generator, batches are gathered whole, and a pickle holds weights and
    architecture instead of optimizer state and per-batch history.

    Parameters
    ----------
    module : callable
        Called with the ``module__`` arguments; returns the torch module. If that has an
        attribute ``micro_batch``, at most so many windows go through it at once in
        training, and the gradients of the parts of a batch are added up. For modules
        that treat every window by itself (no batch normalisation).
    generator : torch.Generator
        Where initialisation, order of batches, noise and dropout are drawn from.
    input_noise : float or (float, float), default=0.0
        Standard deviation of the normal noise added to the input in training, or the
        least and the largest, between which it is drawn for each window.
    random_module : bool, default=False
        Whether the module draws random numbers in training (dropout, noise).
    made_with : dict or None, default=None
        What must not change between fits with warm start, the seed of the held-out
        part, and whether the net has learnt that part as well.
    **kwargs : dict
        Arguments of `skorch.NeuralNet`.
    """

    def __init__(
        self,
        module,
        *,
        generator,
        input_noise=0.0,
        random_module=False,
        made_with=None,
        **kwargs,
    ):
        options = {
            "criterion": ReconstructionLoss,
            "criterion__generator": generator,
            "iterator_train": BatchIterator,
            "iterator_train__shuffle": True,
            "iterator_train__generator": generator,
            "iterator_valid": BatchIterator,
            "iterator_valid__generator": generator,
            "train_split": None,
        }
        super().__init__(module, **(options | kwargs))
        self.generator = generator
        self.input_noise = input_noise
        self.random_module = random_module
        self.made_with = made_with

    def initialize_module(self):
        """Build the module, with its initial weights from our generator."""
        with torch_generator(self.generator):
            return super().initialize_module()

    def initialize_optimizer(self, triggered_directly=None):
        """Build the optimizer, a fused one if there is one."""
        if has_fused_step(self.optimizer) and "optimizer__fused" not in vars(self):
            self.optimizer__fused = True
        params = self.get_all_learnable_params()
        args, kwargs = self.get_params_for_optimizer("optimizer", params)
        optimizer = self.optimizer
        if kwargs.get("fused"):  # not one to be differentiated through
            optimizer = without_compiler(optimizer)
        self.optimizer_ = optimizer(*args, **kwargs)
        return self

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train on; unlike skorch's, Ctrl-C leaves this method."""
        if not self.initialized_:
            self.initialize()
        seeded = torch_generator(self.generator) if self.random_module else None
        with seeded or nullcontext():
            with suppress(StopTraining):
                self.notify("on_train_begin", X=X, y=y)
                self.fit_loop(X, y, **fit_params)
            with suppress(StopTraining):
                self.notify("on_train_end", X=X, y=y)
        return self

    def notify(self, method_name, **cb_kwargs):
        """Tell all callbacks, and end training if one of them wants to stop.

        Raising KeyboardInterrupt is how skorch's callbacks stop a training, unless a
        signal did. Those after it hear of the epoch all the same: one of them keeps the
        best weights.
        """
        getattr(self, method_name)(self, **cb_kwargs)
        stop = None
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except StopTraining as error:
                stop = error
            except KeyboardInterrupt as error:
                if not _raised_by_statement(error):
                    raise
                stop = StopTraining()
        if stop is not None:
            raise stop

    def _set_training(self, training=True):
        """Switch the mode only when it changes: skorch walks all modules every step."""
        if self.module_.training is not training:
            super()._set_training(training)

    def train_step_single(self, batch, **fit_params):
        """One gradient, with noise on the input if asked for."""
        X, target = self._on_device(batch)
        if self.input_noise:
            X = X + self._draw_noise(X.shape).to(self.device)
        n_parts = self._n_parts(len(X))
        if n_parts == 1:
            return self._train_at_once(X, target, **fit_params)
        parts = zip(X.chunk(n_parts), target.chunk(n_parts), strict=True)
        return self._train_in_parts(parts, len(X), **fit_params)

    def _draw_noise(self, shape):
        """Draw normal noise, of one size or of one drawn for each window."""
        noise = torch.randn(shape, generator=self.generator)
        if not isinstance(self.input_noise, tuple):
            return self.input_noise * noise
        low, high = self.input_noise
        shares = torch.rand(shape[0], 1, 1, generator=self.generator)
        return (low + (high - low) * shares) * noise

    def _train_at_once(self, X, target, **fit_params):
        try:
            return super().train_step_single((X, target), **fit_params)
        except ValueError as error:
            if len(X) > 1:
                raise
            raise ValueError(
                f"{type(self.module_).__name__} cannot be trained on a batch of one "
                f"window, which batch_size={self.batch_size} leaves: {error} Batch "
                "normalisation needs two at least. Choose another batch_size, or leave "
                "out the last batch of each epoch if it is smaller, with "
                "net_params={'iterator_train__drop_last': True}."
            ) from error

    def _n_parts(self, n_windows):
        """Count the parts of a batch; one where their losses would not add up."""
        criterion, at_once = self.criterion_, getattr(self.module_, "micro_batch", None)
        if at_once is None or (criterion.reduction == "sum" and criterion.kl_weight):
            return 1
        if at_once < 1:
            raise ValueError(
                f"micro_batch={at_once} of {type(self.module_).__name__} must be at "
                "least 1, or None for whole batches."
            )
        return -(-n_windows // at_once)

    def _train_in_parts(self, parts, n_windows, **fit_params):
        """Add up the gradients of parts: the batch's, but for rounding."""
        self._set_training(True)
        total, outputs = 0.0, []
        for X, target in parts:
            output = self.infer(X, **fit_params)
            loss = self.get_loss(output, target, X=X, training=True)
            if self.criterion_.reduction == "mean":
                loss = loss * (len(X) / n_windows)
            loss.backward()
            total += loss.detach()
            outputs.append(split_output(output))
        reconstruction, latent = zip(*outputs, strict=True)
        y_pred = torch.cat(reconstruction).detach()
        if latent[0] is not None:
            y_pred = (y_pred, torch.cat(latent).detach())
        return {"loss": total, "y_pred": y_pred}

    def validation_step(self, batch, **fit_params):
        """One loss without a gradient."""
        return super().validation_step(self._on_device(batch), **fit_params)

    def _on_device(self, batch):
        """Move a batch, whose input and target may be one tensor, once."""
        X, target = batch
        moved = to_tensor(X, device=self.device)
        return moved, moved if target is X else to_tensor(target, device=self.device)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Loss between what the module returned and the clean windows."""
        return self.criterion_(y_pred, y_true)

    def reconstruct(self, block):
        """Reconstruct (B, T, C); returns float32, and the codes in float64 or None."""
        self._set_training(False)
        with standard_torch(inference=True):
            X = torch.from_numpy(np.ascontiguousarray(block, dtype=np.float32))
            reconstruction, latent = split_output(self.module_(X.to(self.device)))
            codes = None if latent is None else latent.cpu().numpy().astype(np.float64)
            return reconstruction.cpu().numpy(), codes

    @property
    def window_shape(self):
        """Timesteps and channels of a window."""
        return self.module__window_length, self.module__n_channels

    def update_options(self, options):
        """Apply skorch arguments to a trained net, which keeps its optimizer's state.

        `set_params` would build criterion and optimizer anew.
        """
        vars(self).pop("callbacks__print_log", None)
        for name, value in options.items():
            setattr(self, name, value)
            prefix, _, attribute = name.rpartition("__")
            if prefix == "criterion":
                setattr(self.criterion_, attribute, value)
            elif prefix == "optimizer" or name == "lr":
                optimizer = getattr(self, "optimizer_", None)
                for group in optimizer.param_groups if optimizer else ():
                    group[attribute] = value

    def train_on(self, windows, held_out, callbacks, internal, *, keep_optimizer):
        """Train on `windows`, with a validation pass over `held_out` (may be None).

        `callbacks` are the user's, and stay in `callbacks_`; `internal` ones are
        dropped when training has ended, with everything else that only it needed.
        """
        if not hasattr(self, "optimizer_"):  # unpickled
            self._initialize_optimizer()
        # The user's callbacks run between the guard and those that may stop.
        self.callbacks = [*internal[:1], *callbacks, *internal[1:]]
        self.initialize_callbacks()
        if held_out:
            self.train_split = predefined_split(self._dataset(held_out))
        self.partial_fit(self._dataset(windows))
        self.callbacks = None
        users = [c[1] if isinstance(c, tuple) else c for c in callbacks]
        self.callbacks_ = [pair for pair in self.callbacks_ if pair[1] in users]
        self.train_split = None
        for row in self.history:
            row["batches"] = []
        if not keep_optimizer:
            del self.optimizer_
        self._set_training(False)

    def _dataset(self, windows):
        shape = getattr(windows, "shape", self.window_shape)
        return WindowDataset(windows, shape)

    def history_rows(self):
        """History without its batches: one dict of numbers an epoch."""
        skipped = ("batches", "train_batch_count", "valid_batch_count")
        return [
            {
                key: value
                for key, value in row.items()
                if key not in skipped and not key.endswith("_best")
            }
            for row in self.history
        ]

    def __deepcopy__(self, memo):
        """Copy everything, the optimizer too (a pickle leaves that out)."""
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        with standard_torch():
            vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied

    def __getstate__(self):
        """Keep constructor arguments, weights as numpy arrays, and epochs."""
        transient = ("train_split", "callbacks", "generator")
        params = {
            name: value
            for name, value in vars(self).items()
            if not name.endswith("_")
            and not name.startswith("_")
            and not isinstance(value, torch.Generator)
            and name not in transient
        }
        weights = self.module_.state_dict().items()
        params["settings"] = params.pop("made_with")  # its name in files
        return {
            "params": params | {"device": str(params["device"])},
            "weights": {name: tensor.cpu().numpy() for name, tensor in weights},
            "generator_state": self.generator.get_state().numpy(),
            "history": [wrap_seconds(row) for row in self.history],
        }

    def __setstate__(self, state):
        """Build the net anew from its architecture, on the CPU if need be."""
        params = dict(state["params"])
        params["device"] = _available(params["device"])
        params["made_with"] = params.pop("settings", None)
        self.__init__(params.pop("module"), generator=torch.Generator(), **params)
        with standard_torch():
            initialize(self)
            weights = state["weights"].items()
            self.module_.load_state_dict({n: torch.as_tensor(w) for n, w in weights})
        self.history.extend(map(unwrap_seconds, state["history"]))
        self.generator.set_state(torch.from_numpy(state["generator_state"].copy()))


def _available(device):
    """Choose the device of this machine for a net that was trained on `device`."""
    kind, _, number = device.partition(":")
    n_devices = torch.cuda.device_count() if kind == "cuda" else 1
    there = kind == resolve_device("auto") and int(number or 0) < n_devices
    return device if there else "cpu"


def resolve_device(device) -> str:
    """Turn "auto" into the best device of this machine: CUDA, then MPS, then CPU."""
    if device != "auto":
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f"device={str(device)!r} is not available ({error}); use 'auto', or "
                "a torch device of this machine such as 'cpu'."
            ) from error
        return str(device)
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _raised_by_statement(error) -> bool:
    """Tell ``raise KeyboardInterrupt`` in a callback from a signal during it.

    A signal is delivered between instructions or inside a call, so the innermost frame
    of a Ctrl-C is never at a ``raise``, except for that of a handler in Python, or of
    what it calls. Such a handler is given the frame that was interrupted: its caller.
    """
    caller, traceback = None, error.__traceback__
    while True:
        frame = traceback.tb_frame
        if caller is not None and _is_given(frame, caller):
            return False
        if traceback.tb_next is None:
            break
        caller, traceback = frame, traceback.tb_next
    if frame.f_code.co_code[traceback.tb_lasti] != dis.opmap["RAISE_VARARGS"]:
        return False
    earlier = error.__context__  # one that was caught, and raised anew
    return not isinstance(earlier, KeyboardInterrupt) or _raised_by_statement(earlier)


def _is_given(frame, caller) -> bool:
    """Whether a frame has its caller's frame among its variables."""
    values = list(frame.f_locals.values())
    values += [v for args in values if isinstance(args, tuple) for v in args]
    return any(value is caller for value in values)
