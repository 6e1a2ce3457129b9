"""Cost of `fit` against a hand-written torch loop that does the same work.

Both sides train the same net from the same start on the same batches with the same
optimizer and schedule for 20 epochs, with a validation pass and a copy of the best
weights an epoch and one scoring of the held-out windows at the end; that both end with
the same validation loss is checked. One thread, process CPU time, the two sides in
turn; printed are medians of paired ratios and their spread.

Run: python benchmarks/fit_overhead.py [--rounds N] [--epochs N]
"""

import argparse
import copy
import platform
import time

import numpy as np
import skorch
import torch
from torch.nn import functional as F

import skad
from skad import ConvAutoencoder, MLPAutoencoder, make_heartbeats
from skad.detectors._windows import all_windows, principal_components
from skad.training._random import draw_seed, make_generator, torch_generator

BATCH_SIZE = 64
N_HELD_OUT = 400


def hand_written_fit(module_class, params, X, n_epochs):
    """Train as a careful user of torch would write it down for this one net.

    Returns the scores of the held-out windows and the best validation loss. The draws
    are those of skad, so that both sides do the very same arithmetic.
    """
    generator = make_generator(0)
    split = make_generator(draw_seed(generator))
    order = torch.randperm(len(X), generator=split).numpy()
    train_rows, valid_rows = np.sort(order[N_HELD_OUT:]), np.sort(order[:N_HELD_OUT])
    pca = principal_components(all_windows(X[train_rows]), params["latent_dim"])
    with torch_generator(generator):
        module = module_class(window_length=X.shape[1], n_channels=1, **params)
    module.start_from(pca)
    windows = torch.from_numpy(X.astype(np.float32))[:, :, None]
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
    with torch.inference_mode():
        errors = [
            (module(batch)[0] - batch).double().square().mean((1, 2))
            for batch in valid.split(256)
        ]
    return torch.cat(errors).numpy(), best_loss / len(valid)


def cpu_seconds(function):
    """Process CPU time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def compare(name, detector, X, n_epochs, n_rounds):
    """Print the ratio of the two sides."""
    detector.fit(X)  # warm-up
    net = detector.net_
    params = {
        key.removeprefix("module__"): value
        for key, value in vars(net).items()
        if key.startswith("module__")
    }
    del params["window_length"], params["n_channels"]
    _, loss = hand_written_fit(net.module, params, X, n_epochs)
    kept = detector.history_["valid_loss"].min()
    assert abs(loss - kept) <= 1e-4 * kept, (loss, kept)
    ratios, seconds = [], []
    for _ in range(n_rounds):
        ours = cpu_seconds(lambda: detector.fit(X))
        theirs = cpu_seconds(lambda: hand_written_fit(net.module, params, X, n_epochs))
        ratios.append(ours / theirs)
        seconds.append(ours)
        assert detector.n_iter_ == n_epochs
    print(
        f"{name:16s} {np.median(ratios):6.3f}  [{min(ratios):.3f}, {max(ratios):.3f}]"
        f"  {np.median(seconds):7.2f}"
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"skad {skad.__version__}, torch {torch.__version__}, skorch "
        f"{skorch.__version__}, {platform.processor() or platform.machine()}; "
        f"4000 beats of 187 samples, {args.epochs} epochs, {args.rounds} rounds"
    )
    print(
        f"{'fit / hand loop':16s} {'median':>6s}  {'[least, most]':15s} {'skad s':>7s}"
    )
    X = make_heartbeats(4000, 0, random_state=0)[0]
    shared = {
        "max_epochs": args.epochs,
        "n_iter_no_change": args.epochs,
        "validation_fraction": N_HELD_OUT / len(X),
        "refit": False,
        "error_model": "mse",
        "random_state": 0,
    }
    compare("MLP", MLPAutoencoder(**shared), X, args.epochs, args.rounds)
    compare("Conv", ConvAutoencoder(**shared), X, args.epochs, args.rounds)


if __name__ == "__main__":
    main()
