"""What `fit` is compared with, besides peers: a loop written by hand, naive skorch.

The loops of the ECG study are in study.py.
"""

import copy

import numpy as np
import torch
from skorch import NeuralNet
from study import BATCH_SIZE, as_windows, errors_of
from torch import nn
from torch.nn import functional as F

from skad.detectors._components import principal_components
from skad.detectors._windows import all_windows
from skad.training._random import draw_seed, make_generator, torch_generator

__all__ = ["hand_written_fit", "naive_skorch_fit"]

# The hand-written loop ----------------------------------------------------------------


def hand_written_fit(module_class, params, X, n_epochs, n_held_out):
    """Train as a careful user of torch would write it down for this one net.

    Returns the net and its best validation loss. The draws are those of skad, so that
    both sides do the very same arithmetic.
    """
    generator = make_generator(0)
    split = make_generator(draw_seed(generator))
    order = torch.randperm(len(X), generator=split).numpy()
    train_rows, valid_rows = np.sort(order[n_held_out:]), np.sort(order[:n_held_out])
    with torch_generator(generator):
        module = module_class(window_length=X.shape[1], n_channels=1, **params)
    if hasattr(module, "start_from"):
        train_windows = all_windows(X[train_rows])
        module.start_from(principal_components(train_windows, params["latent_dim"]))
    windows = as_windows(X)
    train, valid = windows[train_rows], windows[valid_rows]
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)
    n_steps = n_epochs * -(-len(train) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    best_loss, best_weights = np.inf, None
    for _ in range(n_epochs):
        module.train()
        epoch = torch.randperm(len(train), generator=generator)
        for rows in epoch.split(BATCH_SIZE):
            batch = train.index_select(0, rows)
            optimizer.zero_grad()
            loss = F.mse_loss(module(batch)[0], batch)
            loss.backward()
            optimizer.step()
            schedule.step()
        module.eval()
        valid_loss = 0.0
        with torch.inference_mode():
            for batch in valid.split(BATCH_SIZE):
                valid_loss += F.mse_loss(module(batch)[0], batch).item() * len(batch)
        if valid_loss < best_loss:
            best_loss, best_weights = valid_loss, copy.deepcopy(module.state_dict())
    module.load_state_dict(best_weights)
    errors_of(module, X[valid_rows])
    return module, best_loss / len(valid)


# skorch as it comes -------------------------------------------------------------------


class NaiveNet(NeuralNet):
    """skorch as it comes; the nets of the study return codes too, which it drops."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        """Loss of the reconstruction."""
        return super().get_loss(y_pred[0], y_true, *args, **kwargs)


def naive_skorch_fit(module_class, X, n_epochs):
    """Train in skorch with its default loader and torch's default Adam, and score."""
    windows = as_windows(X).numpy()
    net = NaiveNet(
        module_class,
        criterion=nn.MSELoss,
        criterion__reduction="sum",
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=1e-2,
        lr=1e-3,
        max_epochs=n_epochs,
        batch_size=BATCH_SIZE,
        train_split=None,
        verbose=0,
    ).fit(windows, windows)
    np.square(net.predict(windows) - windows).mean(axis=(1, 2))
    return net
