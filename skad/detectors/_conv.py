"""Convolutional autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from skad._validation import Interval, StrOptions
from skad.detectors._base import ErrorModel
from skad.detectors._modules import CodeModule, LinearPath, PaddedLinear
from skad.detectors._neural import LATENT_DIM, BaseNeuralAutoencoder, check_dims

_STRIDE = 2


class ConvModule(CodeModule):
    """(B, T, C) -> (B, T, C) by way of (B, D); B windows, T timesteps, C channels.

    Each convolution halves the number of timesteps; a dense layer makes the code, so
    that it knows where in the window a pattern is.

    Convolutions have two dimensions, the first of size one: (B, T, C) is then torch's
    own "channels last" layout, which needs no transposition and is scored in half the
    time.
    """

    def __init__(
        self, window_length, n_channels, hidden_channels, kernel_size, latent_dim
    ):
        super().__init__()
        widths = [n_channels, *hidden_channels]
        self.encoder, *layers, length = mirrored_convolutions(
            window_length, widths, kernel_size
        )
        self.hidden_shape = (length, widths[-1])
        n_values = widths[-1] * length
        self.code_layer = PaddedLinear(n_values, latent_dim)
        self.expand = PaddedLinear(latent_dim, n_values)
        self.decoder, self.output_layer = layers
        self.to(memory_format=torch.channels_last)

    def encode(self, X):
        """(B, T, C) -> (B, D)."""
        hidden = self.encoder(channels_first(X))
        return self.code_layer(channels_last(hidden).flatten(1))

    def decode(self, code):
        """(B, D) -> (B, T, C)."""
        hidden = self.expand(code).unflatten(1, self.hidden_shape)
        return channels_last(self.output_layer(self.decoder(channels_first(hidden))))


def mirrored_convolutions(window_length, widths, kernel_size):
    """Make layers (B, C, 1, T) -> (B, K, 1, L), and back; widths are C to K channels.

    Returns the encoder, the decoder, its last layer, and L.
    """
    length, padding = window_length, kernel_size // 2
    convolutions, transposed = [], []
    geometry = {"stride": (1, _STRIDE), "padding": (0, padding)}
    kernel = (1, kernel_size)
    for n_in, n_out in pairwise(widths):
        n_strides, left_over = divmod(length + 2 * padding - kernel_size, _STRIDE)
        length = n_strides + 1
        convolutions += [nn.Conv2d(n_in, n_out, kernel, **geometry), nn.ReLU()]
        mirrored = geometry | {"output_padding": (0, left_over)}
        transposed.append(nn.ConvTranspose2d(n_out, n_in, kernel, **mirrored))
    *inner, last = transposed[::-1]
    decoder = nn.Sequential(
        nn.ReLU(), *(part for t in inner for part in (t, nn.ReLU()))
    )
    return nn.Sequential(*convolutions), decoder, last, length


def channels_first(X):
    """(B, T, C) -> (B, C, 1, T), a view."""
    return X[:, None].permute(0, 3, 1, 2)


def channels_last(X):
    """(B, C, 1, T) -> (B, T, C), a view."""
    return X.permute(0, 2, 3, 1).squeeze(1)


def conv_with_linear_path(window_length, n_channels, latent_dim, **params):
    """`ConvModule` beside a linear path."""
    branch = ConvModule(window_length, n_channels, latent_dim=latent_dim, **params)
    return LinearPath(branch, window_length, n_channels, latent_dim)


def conv_params(detector, latent_dim) -> dict[str, Any]:
    """Check what modules of convolutions are made with."""
    hidden_channels = check_dims(
        detector.hidden_channels, "hidden_channels", at_least=1
    )
    return {
        "hidden_channels": hidden_channels,
        "kernel_size": int(detector.kernel_size),
        "latent_dim": latent_dim,
    }


@dataclass(eq=False, repr=False)
class ConvAutoencoder(BaseNeuralAutoencoder):
    """Autoencoder of convolutions, by default beside a linear path that starts as PCA.

    For any window length and any number of channels.

    Parameters
    ----------
    hidden_channels : tuple of int, default=(16, 32, 32)
        Channels of the encoder's convolutions, each of which halves the number of
        timesteps; the decoder mirrors them.
    kernel_size : int, default=7
        Timesteps that a convolution covers.
    latent_dim : int or float, default=0.9
        Latent units; a float in (0, 1) takes as many as principal components are
        needed to explain that share of variance, but not all of them.
    linear_path : "pca" or None, default="pca"
        "pca" puts a linear encoder and decoder, which start as the PCA of the training
        windows, beside the convolutions, whose output starts at zero; all of it is
        trained. It keeps nets on small data from scoring far below PCA. None: only the
        convolutions.

    See Also
    --------
    MLPAutoencoder : Dense layers.
    ConvLSTMAutoencoder : With LSTMs between the convolutions.
    Autoencoder : For a module of your own.

    Notes
    -----
    Convolutions of stride 2 with ReLU, a dense code, and the mirror image of transposed
    convolutions; the linear path is that of `MLPAutoencoder`. A code that keeps a time
    axis instead of the dense one scores far worse on heartbeats.

    Examples
    --------
    >>> from skad import ConvAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = ConvAutoencoder((4, 8), normal_label=0, max_epochs=2, random_state=0)
    >>> detector.fit(X, y).predict(X[:5]).shape
    (5,)
    """

    hidden_channels: Sequence[int] = (16, 32, 32)
    kernel_size: int = 7
    latent_dim: int | float = 0.9
    _: KW_ONLY
    linear_path: Literal["pca"] | None = "pca"
    error_model: ErrorModel = "hybrid"
    max_epochs: int = 30

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "hidden_channels": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "latent_dim": LATENT_DIM,
        "linear_path": [StrOptions({"pca"}), None],
    }

    _most_at_once = 512

    def _architecture(self, windows):
        pca, latent_dim = self._pca_and_latent_dim(windows)
        params = conv_params(self, latent_dim)
        return conv_with_linear_path if self.linear_path else ConvModule, params, pca
