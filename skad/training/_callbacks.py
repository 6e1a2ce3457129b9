"""Our skorch callbacks: stopping, guarding, and scikit-learn's task hooks."""

import math

import torch
from skorch.callbacks import Callback


class StopTraining(Exception):
    """End training early; the epochs so far count."""


class FiniteLossGuard(Callback):
    """Raise when a loss is no longer finite, instead of scoring with a broken net."""

    def on_epoch_end(self, net, **kwargs):
        """Check the losses of the epoch."""
        row = net.history[-1]
        for name in ("train_loss", "valid_loss"):
            if not math.isfinite(row.get(name, 0.0)):
                raise ValueError(
                    f"Training diverged: {name}={row[name]} in epoch {row['epoch']} "
                    f"(lr={net.lr}). Use a smaller lr, set max_grad_norm, or scale "
                    "the data first, e.g. with StandardScaler."
                )


class BestWeights(Callback):
    """Stop when the validation loss has not improved for `patience` epochs.

    The best weights are kept. They are copied: a state dict alone holds the live
    tensors, so that its "best" weights are always the last ones.
    """

    def __init__(self, patience):
        self.patience = patience

    def on_train_begin(self, net, **kwargs):
        """Forget earlier runs."""
        self.best_loss_ = math.inf
        self.best_epoch_ = None
        self.best_weights_ = None

    def on_epoch_end(self, net, **kwargs):
        """Copy the weights of a new best, or count a miss."""
        epoch, loss = net.history[-1, ("epoch", "valid_loss")]
        if loss < self.best_loss_:
            self.best_loss_, self.best_epoch_ = loss, epoch
            self._copy(net.module_.state_dict())
        elif epoch - self.best_epoch_ >= self.patience:
            raise StopTraining

    def on_train_end(self, net, **kwargs):
        """Put the best weights back."""
        if self.best_weights_ is not None:
            net.module_.load_state_dict(self.best_weights_)
            self.best_weights_ = None

    def _copy(self, weights):
        if self.best_weights_ is None:
            self.best_weights_ = {n: torch.empty_like(w) for n, w in weights.items()}
        for name, tensor in weights.items():
            self.best_weights_[name].copy_(tensor)


class EpochTasks(Callback):
    """Tell scikit-learn's callbacks (`set_callbacks`) of every epoch.

    `estimator` is the one being fitted, and `context` its root callback context.
    """

    def __init__(self, estimator, context):
        self.estimator = estimator
        self.context = context

    def on_epoch_begin(self, net, **kwargs):
        """Open the task of the epoch."""
        self.task_ = self.context.subcontext(task_name="epoch")
        self.task_.call_on_fit_task_begin(estimator=self.estimator)

    def on_epoch_end(self, net, **kwargs):
        """Close it; a callback may ask to stop here."""
        if self.task_.call_on_fit_task_end(estimator=self.estimator):
            raise StopTraining
