"""Faster forms of the nets for scoring that were tried, and are not in skad.

Each is timed beside the net as it is, in blocks as detectors score them, one thread,
process CPU time, the two sides in turn; printed are the median of the paired ratios and
how far the form moves the scores (mean squared errors) of windows, relative to them.

- bfloat16 weights, and torch's autocast to bfloat16;
- oneDNN's layers instead of MKL's (torch.utils.mkldnn);
- convolutions as dense layers.

Run: python benchmarks/forms.py [--rounds N]
"""

import argparse
import copy
import warnings

import numpy as np
import torch
from timing import alternate, machine, use_one_thread
from torch import nn
from torch.utils.mkldnn import to_mkldnn

from skad import ConvAutoencoder, MLPAutoencoder, make_heartbeats
from skad.detectors._base import BLOCK

N_BLOCKS = 50


def in_bfloat16(module):
    """Weights in bfloat16."""
    module = copy.deepcopy(module).bfloat16()
    return lambda block: module(block.bfloat16())[0]


def by_autocast(module):
    """Autocast to bfloat16."""

    def call(block):
        with torch.autocast("cpu", torch.bfloat16):
            return module(block)[0]

    return call


def by_onednn(module):
    """Layers of oneDNN."""
    module = to_mkldnn(copy.deepcopy(module))
    return lambda block: module(block)[0]


@torch.no_grad()
def as_dense_layers(module):
    """Convolutions as dense layers."""
    module = copy.deepcopy(module)
    branch, n_values = module.branch, module.mean.numel()
    shape = (1, module.branch.output_layer.out_channels, 1, n_values)
    branch.encoder, shape = _dense(branch.encoder, shape)
    branch.decoder, shape = _dense([*branch.decoder, branch.output_layer], shape)
    branch.encode = lambda X: branch.code_layer(branch.encoder(X.flatten(1)))
    branch.decode = lambda code: branch.decoder(branch.expand(code))[:, :, None]
    permute = _channels_last_to_first(branch.hidden_shape)
    branch.code_layer.weight.copy_(branch.code_layer.weight[:, permute])
    branch.expand.weight.copy_(branch.expand.weight[permute])
    branch.expand.bias.copy_(branch.expand.bias[permute])
    return lambda block: module(block)[0]


def _dense(layers, shape):
    """Turn convolutions into dense layers over (channels, timesteps), flat."""
    dense = []
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            dense.append(layer)
            continue
        n_values = int(np.prod(shape))
        offset = layer(torch.zeros(shape))
        basis = torch.eye(n_values).view(n_values, *shape[1:])
        matrix = (layer(basis) - offset).flatten(1)
        shape = offset.shape
        linear = nn.Linear(n_values, matrix.shape[1])
        linear.weight = nn.Parameter(matrix.T.contiguous())
        linear.bias = nn.Parameter(offset.flatten())
        dense.append(linear)
    return nn.Sequential(*dense), shape


def _channels_last_to_first(hidden_shape):
    """Where each value of (C, T), flat, stands in (T, C), flat."""
    return torch.arange(int(np.prod(hidden_shape))).view(hidden_shape).T.flatten()


def errors_of(X, form):
    """Mean squared error of each window."""
    reconstruction = torch.cat([form(block) for block in X.split(BLOCK)]).double()
    return (X.double() - reconstruction).square().mean(dim=(1, 2)).numpy()


def main():
    """Print a line a form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    use_one_thread()
    warnings.simplefilter("ignore")  # of old parts of torch that to_mkldnn uses
    print(machine("torch"))
    beats, _ = make_heartbeats(N_BLOCKS * BLOCK, 0, random_state=0)
    X = torch.from_numpy(beats.astype(np.float32))[:, :, None]
    shared = {"latent_dim": 20, "error_model": "mse", "max_epochs": 3}
    forms = {
        MLPAutoencoder: [in_bfloat16, by_autocast, by_onednn],
        ConvAutoencoder: [in_bfloat16, by_onednn, as_dense_layers],
    }
    print(f"{'':54}{'time':>6}{'scores move by (median, most)':>32}")
    for kind, tried in forms.items():
        module = kind(random_state=0, **shared).fit(beats).net_.module_
        for make in tried:
            name = f"{kind.__name__}: {make.__doc__[:-1]}"
            print(f"{name:54}{compare(make(module), module, X, args.rounds)}")


@torch.inference_mode()
def compare(form, module, X, n_rounds):
    """Time the form beside the module; returns the end of a line."""
    exact = errors_of(X, lambda block: module(block)[0])
    moved = np.abs(errors_of(X, form) - exact) / exact
    pairs = alternate(
        lambda: errors_of(X, form),
        lambda: errors_of(X, lambda block: module(block)[0]),
        n_rounds,
    )
    ratio = np.median([ours / theirs for ours, theirs in pairs])
    moves = f"{np.median(moved):.1e}, {moved.max():.1e}"
    return f"{ratio:6.2f}{moves:>32}"


if __name__ == "__main__":
    main()
