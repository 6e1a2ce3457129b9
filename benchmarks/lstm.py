"""Cost of a batch in an LSTM autoencoder, against the loops of the ECG study.

The reference calls an LSTMCell once for every timestep, in the encoder and again in the
decoder, which gets its own output back through a sigmoid. Ours feeds back a linear
output or a logit, both in one fused call, or the sigmoid as the study does: its outputs
are checked to be the reference's. "train" is one gradient, "whole" the same without
`micro_batch`, "score" one reconstruction, which detectors make in blocks.

One thread, process CPU time, the two sides in turn, several batches each as in an
epoch; printed are medians of paired ratios and their spread.

Run: python benchmarks/lstm.py [--rounds N]
"""

import argparse

import numpy as np
import torch
from study import StudyLSTM
from timing import alternate, machine, use_one_thread
from torch.nn import functional as F

from skad.detectors._base import BLOCK
from skad.detectors._lstm import LSTMModule
from skad.training._net import ReconstructionNet
from skad.training._random import make_generator

N_TIMESTEPS, N_UNITS = 187, 20
N_WINDOWS = 512  # in one measurement
FEEDBACK = {
    "linear": ("output", "identity"),
    "logit": ("logit", "sigmoid"),
    "sigmoid": ("output", "sigmoid"),
}


class WholeBatches(LSTMModule):
    """An LSTM autoencoder that is never trained in parts."""

    micro_batch = None


def make_net(module, feedback):
    """Build an untrained net."""
    feedback, activation = FEEDBACK[feedback]
    net = ReconstructionNet(
        module,
        generator=make_generator(0),
        module__window_length=N_TIMESTEPS,
        module__n_channels=1,
        module__latent_dim=N_UNITS,
        module__teacher_forcing=False,
        module__reverse=True,
        module__feedback=feedback,
        module__output_activation=activation,
    )
    return net.initialize()


def make_study(net):
    """Build the study's net with the weights of `net`."""
    study = StudyLSTM(N_UNITS)
    weights = net.module_.state_dict()
    study.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in weights.items()}
    )
    return study


def train(net, batches):
    """Make the gradient of each batch, as `fit` does."""
    for X in batches:
        net.module_.zero_grad()
        net.train_step_single((X, X))


def train_study(study, batches):
    """Make the gradient of each batch."""
    for X in batches:
        study.zero_grad()
        F.mse_loss(study(X)[0], X).backward()


@torch.inference_mode()
def score(module, batches):
    """Reconstruct the batches."""
    module.eval()
    return torch.cat([module(X)[0] for X in batches])


def compare(name, ours, theirs, n_rounds):
    """Print the ratio of two functions."""
    pairs = np.array(alternate(ours, theirs, n_rounds))
    ratios = pairs[:, 0] / pairs[:, 1]
    spread = f"[{ratios.min():.3f}, {ratios.max():.3f}]"
    rate = N_WINDOWS / np.median(pairs[:, 0])
    print(f"{name:22s} {np.median(ratios):6.3f}  {spread:15s} {rate:9.0f}")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    args = parser.parse_args()
    use_one_thread()
    print(
        f"{machine('skad', 'torch')}; windows of {N_TIMESTEPS} timesteps, {N_UNITS} "
        f"units, {args.rounds} rounds"
    )
    columns = f"{'median':>6s}  {'[least, most]':15s} {'windows/s':>9s}"
    print(f"{'skad / study loops':22s} {columns}")
    nets = {name: make_net(LSTMModule, name) for name in FEEDBACK}
    whole = {f"{name}, whole": make_net(WholeBatches, name) for name in FEEDBACK}
    study = make_study(nets["sigmoid"])
    X = torch.rand(N_WINDOWS, N_TIMESTEPS, 1, generator=make_generator(0))
    for size in (64, 512):
        batches = X.split(size)
        expected, got = score(study, batches), score(nets["sigmoid"].module_, batches)
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
        for name, net in (nets | (whole if size > 64 else {})).items():
            compare(
                f"train {size} {name}",
                lambda net=net, batches=batches: train(net, batches),
                lambda batches=batches: train_study(study, batches),
                args.rounds,
            )
        for name, net in nets.items():
            compare(
                f"score {size} {name}",
                lambda net=net: score(net.module_, X.split(BLOCK)),
                lambda batches=batches: score(study, batches),
                args.rounds,
            )


if __name__ == "__main__":
    main()
