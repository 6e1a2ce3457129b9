"""Torch building blocks of the detectors' nets."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

ACTIVATIONS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=-1),
}

# Values that an output activation can take, where it cannot take all.
OUTPUT_RANGES = {
    "relu": (0.0, np.inf),
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
}


def keep_freed_memory():
    """Make glibc keep the memory that a training step frees for the next one.

    It returns freed memory to the system, and the next step faults it in page by page
    (up to half the time of `fit` of an LSTM), until a block of this size has been freed
    once; it never keeps larger ones. Nothing is written here.
    """
    torch.empty(2**25 - 2**13, dtype=torch.uint8)


class PaddedLinear(nn.Linear):
    """Linear layer that rounds a row the same way anywhere in a block.

    MKL rounds a row by its position if in_features is not a multiple of 4. Zeros that
    make it one change no product, and scores no longer depend on the position.
    """

    def forward(self, X):
        """Apply the layer; padded in evaluation only, where scores are made."""
        n_missing = -self.in_features % 4
        if self.training or not n_missing:
            return super().forward(X)
        padding = (0, n_missing)
        return F.linear(F.pad(X, padding), F.pad(self.weight, padding), self.bias)


class CodeModule(nn.Module):
    """Autoencoder made of `encode` and `decode`, which a subclass writes.

    encode: (B, T, C) -> (B, D), before the activation of the code.
    decode: (B, D) -> (B, T, C). forward returns the reconstruction and the code.
    """

    def forward(self, X):
        """Reconstruct."""
        latent = self.encode(X)
        return self.decode(latent), latent


class LinearPath(CodeModule):
    """A linear autoencoder that starts as PCA, beside a branch that starts at zero.

    ``code = A x + E(x)`` and ``x' = B code + b + G(code)`` in units of the training
    windows (mean window 0, global rms 1); A, B, b and the branch E, G are all trained.
    The branch is a `CodeModule` with the last layers ``code_layer`` and
    ``output_layer``.
    """

    def __init__(self, branch, window_length, n_channels, latent_dim):
        super().__init__()
        n_values = window_length * n_channels
        self.register_buffer("mean", torch.zeros(n_values))
        self.register_buffer("scale", torch.ones(()))
        self.encoder = PaddedLinear(n_values, latent_dim, bias=False)
        self.branch = branch
        self.decoder = PaddedLinear(latent_dim, n_values)
        for layer in (branch.code_layer, branch.output_layer, self.decoder):
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(branch.code_layer.weight)
        nn.init.zeros_(branch.output_layer.weight)

    @property
    def micro_batch(self):
        """Maximum number of windows trained on at once, if the branch has one."""
        return getattr(self.branch, "micro_batch", None)

    def encode(self, X):
        """(B, T, C) -> (B, D)."""
        flat = (X.flatten(1) - self.mean) / self.scale
        return self.encoder(flat) + self.branch.encode(flat.view_as(X))

    def decode(self, code):
        """(B, D) -> (B, T, C)."""
        branch = self.branch.decode(code)
        flat = self.decoder(code) + branch.flatten(1)
        return (flat * self.scale + self.mean).view_as(branch)

    @torch.no_grad()
    def start_from(self, pca):
        """Set mean, scale and linear layers to those of a fitted PCA.

        Codes are scaled to unit variance. If there are fewer components than latent
        units (few or narrow windows), the rest starts at zero.
        """
        total = pca.explained_variance_.sum() / pca.explained_variance_ratio_.sum()
        scale = np.sqrt(total / len(pca.mean_))
        # beyond the limits of float32 the division would give NaN
        limits = torch.finfo(self.scale.dtype)
        scale = np.clip(scale, limits.tiny, limits.max) if scale > 0 else 1.0
        spread = np.sqrt(pca.explained_variance_) / scale
        spread = np.where(spread > 1e-4 * spread[0], spread, 1.0)[:, None]
        k = len(spread)
        self.mean.copy_(torch.as_tensor(pca.mean_))
        self.scale.fill_(float(scale))
        self.encoder.weight.zero_()[:k] = torch.as_tensor(pca.components_ / spread)
        self.decoder.weight.zero_()[:, :k] = torch.as_tensor(
            (pca.components_ * spread).T
        )
