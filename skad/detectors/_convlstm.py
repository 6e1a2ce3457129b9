"""Convolutional LSTM autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import ClassVar, Literal

import torch
from torch import nn

from skad._validation import Interval
from skad.detectors._base import ErrorModel
from skad.detectors._conv import (
    ConvAutoencoder,
    channels_first,
    channels_last,
    conv_params,
    mirrored_convolutions,
)
from skad.detectors._modules import (
    CodeModule,
    LinearPath,
    PaddedLinear,
    keep_freed_memory,
)
from skad.detectors._neural import BaseNeuralAutoencoder


class ConvLSTMModule(CodeModule):
    """(B, T, C) -> (B, T, C) by way of (B, D); B windows, T timesteps, C channels.

    Convolutions shorten the window to L steps of K channels, each step an input of the
    LSTM that reads them; a dense layer makes the code of all its states. Another one
    turns the code into L inputs for the LSTM that writes; transposed convolutions
    lengthen what it wrote. Either LSTM is one call.
    """

    def __init__(
        self,
        window_length,
        n_channels,
        hidden_channels,
        kernel_size,
        hidden_dim,
        latent_dim,
    ):
        super().__init__()
        widths = [n_channels, *hidden_channels]
        self.encoder, *layers, length = mirrored_convolutions(
            window_length, widths, kernel_size
        )
        self.hidden_shape = (length, widths[-1])
        self.reader = nn.LSTM(widths[-1], hidden_dim, batch_first=True)
        self.code_layer = PaddedLinear(length * hidden_dim, latent_dim)
        self.expand = PaddedLinear(latent_dim, length * widths[-1])
        self.writer = nn.LSTM(widths[-1], hidden_dim, batch_first=True)
        self.narrow = PaddedLinear(hidden_dim, widths[-1])
        self.decoder, self.output_layer = layers
        self.to(memory_format=torch.channels_last)
        keep_freed_memory()

    def encode(self, X):
        """(B, T, C) -> (B, D)."""
        steps = channels_last(self.encoder(channels_first(X)))  # (B, L, K)
        states, _ = self.reader(steps)  # (B, L, H)
        return self.code_layer(states.flatten(1))

    def decode(self, code):
        """(B, D) -> (B, T, C)."""
        steps = self.expand(code).unflatten(1, self.hidden_shape)
        states, _ = self.writer(steps)
        hidden = self.decoder(channels_first(self.narrow(states)))
        return channels_last(self.output_layer(hidden))


def conv_lstm_with_linear_path(window_length, n_channels, latent_dim, **params):
    """`ConvLSTMModule` beside a linear path."""
    branch = ConvLSTMModule(window_length, n_channels, latent_dim=latent_dim, **params)
    return LinearPath(branch, window_length, n_channels, latent_dim)


@dataclass(eq=False, repr=False)
class ConvLSTMAutoencoder(BaseNeuralAutoencoder):
    """Autoencoder of convolutions and LSTMs, by default beside a linear path.

    Convolutions find local patterns and shorten the window, LSTMs follow their order:
    the wish that the ECG study closes with, features of space and of time in one net.
    For any window length and any number of channels.

    Parameters
    ----------
    hidden_channels : tuple of int, default=(16, 32, 32)
        Channels of the encoder's convolutions, each of which halves the number of
        timesteps; the decoder mirrors them.
    kernel_size : int, default=7
        Timesteps that a convolution covers.
    hidden_dim : int, default=64
        Units of both LSTMs.
    latent_dim : int or float, default=0.9
        Latent units; a float in (0, 1) takes as many as principal components are
        needed to explain that share of variance, but not all of them.
    linear_path : "pca" or None, default="pca"
        "pca" puts a linear encoder and decoder, which start as the PCA of the training
        windows, beside the net, whose output starts at zero; all of it is trained. It
        keeps nets on small data from scoring far below PCA. None: only convolutions and
        LSTMs.

    See Also
    --------
    ConvAutoencoder : Without LSTMs, which is faster.
    LSTMAutoencoder : Without convolutions.

    Notes
    -----
    Convolutions and linear path are those of `ConvAutoencoder`. One LSTM reads the
    shortened window, and a dense layer makes the code of all its states. Another dense
    layer makes, of the code, an input for each step of the LSTM that writes. One that
    is given the code itself at every step, or starts from it, as that of
    `LSTMAutoencoder` does, ranks the series of the UCR archive far worse.

    The wish is that of the course behind Chandra and Kala 2019, which trains dense,
    convolutional and recurrent nets one by one; no paper fixes the details.

    References
    ----------
    B. S. Chandra and S. Kala, "Anomaly detection in ECG signals using regularised
    autoencoders", 2019, doi:10.1109/CICT48419.2019.9066261.

    Examples
    --------
    >>> from skad import ConvLSTMAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = ConvLSTMAutoencoder((4, 8), hidden_dim=8, normal_label=0,
    ...                                max_epochs=2, random_state=0)
    >>> detector.fit(X, y).predict(X[:5]).shape
    (5,)
    """

    hidden_channels: Sequence[int] = (16, 32, 32)
    kernel_size: int = 7
    hidden_dim: int = 64
    latent_dim: int | float = 0.9
    _: KW_ONLY
    linear_path: Literal["pca"] | None = "pca"
    error_model: ErrorModel = "hybrid"
    lr: float = 3e-3
    max_epochs: int = 30

    _parameter_constraints: ClassVar[dict] = {
        **ConvAutoencoder._parameter_constraints,
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
    }

    def _architecture(self, windows):
        pca, latent_dim = self._pca_and_latent_dim(windows)
        params = conv_params(self, latent_dim) | {"hidden_dim": int(self.hidden_dim)}
        module = conv_lstm_with_linear_path if self.linear_path else ConvLSTMModule
        return module, params, pca
