"""LSTM autoencoder."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import ClassVar, Literal

import torch
from torch import nn

from skad._validation import Interval, StrOptions
from skad.detectors._base import ErrorModel
from skad.detectors._lstm_feedback import feed_back
from skad.detectors._modules import (
    ACTIVATIONS,
    CodeModule,
    LinearPath,
    PaddedLinear,
    keep_freed_memory,
)
from skad.detectors._neural import LATENT_DIM, BaseNeuralAutoencoder


class LSTMModule(nn.Module):
    """(B, T, C) -> (B, T, C), and the code (B, H); B windows, T timesteps, C channels.

    The encoder's last state starts the decoder, whose next inputs are its own outputs
    (or, with teacher forcing in training, the windows). Its first output comes from a
    step with the input zero or, with `starts_from_state`, from the encoder's state.
    Parameters are in data-flow order: encoder, decoder, output layer.
    """

    def __init__(
        self,
        window_length,
        n_channels,
        latent_dim,
        teacher_forcing=False,
        reverse=True,
        feedback="output",
        output_activation="identity",
        starts_from_state=False,
    ):
        super().__init__()
        self.encoder = nn.LSTM(n_channels, latent_dim, batch_first=True)
        self.decoder = nn.LSTM(n_channels, latent_dim, batch_first=True)
        self.output_layer = PaddedLinear(latent_dim, n_channels)
        self.output_activation = ACTIVATIONS[output_activation]()
        self.window_length = window_length
        self.teacher_forcing = teacher_forcing
        self.reverse = reverse
        self.starts_from_state = starts_from_state
        # What is fed back is linear in the decoder's state.
        self.linear_feedback = feedback == "logit" or output_activation == "identity"
        self.elementwise = output_activation != "softmax"
        keep_freed_memory()

    @property
    def micro_batch(self):
        """Maximum number of windows trained on at once, see `ReconstructionNet`.

        On the CPU so few that the memory of a step is kept for the next, see above:
        torch's LSTMs hold some 60 bytes for each window, timestep and unit, the units
        rounded up to a multiple of 16.
        """
        weight = self.encoder.weight_hh_l0
        n_units = -(-weight.shape[1] // 16) * 16
        n_windows = max(1, 2**19 // (self.window_length * n_units))
        return n_windows if weight.is_cpu else None

    def forward(self, X):
        """Reconstruct."""
        _, state = self.encoder(X)
        return self._decode_from(state, X), state[0][0]

    def _decode_from(self, state, X=None):
        """Decode from a state (h, c) of (1, B, H) each; X is for teacher forcing."""
        hidden = state[0].transpose(0, 1)  # (B, 1, H)
        if not self.starts_from_state:
            zeros = hidden.new_zeros(len(hidden), 1, self.decoder.input_size)
            hidden, state = self.decoder(zeros, state)
        outputs = self._output(hidden)
        if self.window_length > 1:
            rest = self._decode_rest(X, outputs, state)
            outputs = torch.cat([outputs, rest], dim=1)
        return self._in_time(outputs)

    def _in_time(self, X):
        """Turn between the order of the decoder and that of time."""
        return X.flip(1) if self.reverse else X

    def _output(self, hidden):
        """(B, T, H) -> (B, T, C)."""
        # An LSTM's states lie in memory time first: the other order would be a copy.
        outputs = self.output_layer(hidden.transpose(0, 1))
        return self.output_activation(outputs).transpose(0, 1)

    def _decode_rest(self, X, first, state):
        """Make the outputs after the first, (B, T - 1, C)."""
        if self.teacher_forcing and self.training:
            hidden, _ = self.decoder(self._in_time(X)[:, :-1], state)
            return self._output(hidden)
        if self.linear_feedback:
            return self._output(self._run_folded(state))
        if self.elementwise:
            layers = (self.decoder, self.output_layer, self.output_activation)
            return feed_back(*layers, first, state, self.window_length - 1)
        return self._decode_by_steps(first, state)

    def _run_folded(self, state):
        """Feed linear outputs back in one call of torch's LSTM."""
        folded = self.folded_weights()
        inputs = folded[0].new_zeros(state[0].shape[1], self.window_length - 1, 1)
        # What nn.LSTM calls, which cannot be given other weights: biases, one layer, no
        # dropout, training, one direction, batch first.
        options = (True, 1, 0.0, self.training, False, True)
        return torch.lstm(inputs, state, folded, *options)[0]

    def folded_weights(self):
        """Weights of a decoder that needs no input: linear feedback is folded in.

        gates = W_ih (W_o h + b_o) + W_hh h + b = (W_hh + W_ih W_o) h + (b + W_ih b_o),
        exactly. Torch requires an input: it is zero, and so is its weight.
        """
        decoder, output = self.decoder, self.output_layer
        weight = decoder.weight_ih_l0
        return [
            weight.new_zeros(len(weight), 1),
            torch.addmm(decoder.weight_hh_l0, weight, output.weight),
            torch.addmv(decoder.bias_ih_l0, weight, output.bias),
            decoder.bias_hh_l0,
        ]

    def _decode_by_steps(self, step, state):
        """Feed outputs back timestep by timestep, whatever their activation."""
        outputs = []
        for _ in range(self.window_length - 1):
            hidden, state = self.decoder(step, state)
            step = self._output(hidden)
            outputs.append(step)
        return torch.cat(outputs, dim=1)


class LSTMCodeModule(CodeModule, LSTMModule):
    """`LSTMModule` with dense layers between the encoder's last state and the decoder.

    Nothing but the code (B, D) goes from one to the other: a branch for `LinearPath`.
    """

    def __init__(self, window_length, n_channels, hidden_dim, latent_dim, reverse):
        super().__init__(window_length, n_channels, hidden_dim, reverse=reverse)
        self.code_layer = PaddedLinear(hidden_dim, latent_dim)
        self.expand = PaddedLinear(latent_dim, hidden_dim)

    def encode(self, X):
        """(B, T, C) -> (B, D)."""
        _, (hidden, _) = self.encoder(X)
        return self.code_layer(hidden[0])

    def decode(self, code):
        """(B, D) -> (B, T, C)."""
        hidden = self.expand(code)[None]
        return self._decode_from((hidden, torch.zeros_like(hidden)))


def lstm_with_linear_path(window_length, n_channels, latent_dim, **params):
    """`LSTMCodeModule` beside a linear path."""
    branch = LSTMCodeModule(window_length, n_channels, latent_dim=latent_dim, **params)
    return LinearPath(branch, window_length, n_channels, latent_dim)


@dataclass(eq=False, repr=False)
class LSTMAutoencoder(BaseNeuralAutoencoder):
    """Autoencoder of two LSTMs, by default beside a linear path that starts as PCA.

    Parameters
    ----------
    hidden_dim : int, default=64
        Units of both LSTMs.
    latent_dim : int or float, default=0.9
        Latent units; a float in (0, 1) takes as many as principal components are
        needed to explain that share of variance, but not all of them. Unused with
        ``linear_path=None``.
    linear_path : "pca" or None, default="pca"
        "pca" puts a linear encoder and decoder, which start as the PCA of the training
        windows, beside the LSTMs, whose output starts at zero; all of it is trained.
        It keeps the detector from scoring far below PCA, as LSTMs alone may. None: only
        the LSTMs; the decoder starts from the encoder's last state, whose hidden part
        is the latent code.
    teacher_forcing : bool, default=False
        Whether the decoder is fed the true previous values in training, instead of its
        own outputs. In validation and scoring it is always fed its own outputs. Needs
        ``linear_path=None``: beside a linear path its outputs are not windows.
    reverse : bool, default=True
        Whether the decoder reconstructs the window backwards, beginning with what the
        encoder saw last.
    feedback : {"output", "logit"}, default="output"
        What is fed back to the decoder: its outputs after or before their activation;
        the same with ``output_activation="identity"``. Otherwise "output" is that of
        the ECG study, and takes about 1.5 times as long as "logit".
    output_activation : str, default="identity"
        Activation of the output, one of those of `MLPAutoencoder`; "identity" with a
        linear path. If its range does not cover the data, the net cannot reconstruct
        it, and a warning says so.

    See Also
    --------
    MLPAutoencoder : Faster, and better on aligned windows.
    ConvLSTMAutoencoder : LSTMs over windows that convolutions have shortened.

    Notes
    -----
    The decoder's first input is zero. The LSTM of the ECG study is
    ``LSTMAutoencoder(20, linear_path=None, output_activation="sigmoid",
    loss_reduction="sum", error_model="mse")``, and its regularised form has
    ``kl_weight=1.0, kl_prior="random"`` too.

    References
    ----------
    N. Srivastava, E. Mansimov and R. Salakhutdinov, "Unsupervised Learning of Video
    Representations using LSTMs", 2015, section 2.2, arXiv:1502.04681.

    Examples
    --------
    >>> from skad import LSTMAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = LSTMAutoencoder(8, normal_label=0, max_epochs=1, random_state=0)
    >>> detector.fit(X, y).predict(X[:5]).shape
    (5,)
    """

    hidden_dim: int = 64
    _: KW_ONLY
    latent_dim: int | float = 0.9
    linear_path: Literal["pca"] | None = "pca"
    teacher_forcing: bool = False
    reverse: bool = True
    feedback: Literal["output", "logit"] = "output"
    output_activation: str = "identity"
    error_model: ErrorModel = "hybrid"
    lr: float = 3e-3
    max_epochs: int = 30

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
        "latent_dim": LATENT_DIM,
        "linear_path": [StrOptions({"pca"}), None],
        "teacher_forcing": ["boolean"],
        "reverse": ["boolean"],
        "feedback": [StrOptions({"output", "logit"})],
        "output_activation": [StrOptions(set(ACTIVATIONS))],
    }

    def _architecture(self, windows):
        if not self.linear_path:
            params = {
                "latent_dim": int(self.hidden_dim),
                "teacher_forcing": self.teacher_forcing,
                "reverse": self.reverse,
                "feedback": self.feedback,
                "output_activation": self.output_activation,
            }
            return LSTMModule, params, None
        if self.teacher_forcing or self.output_activation != "identity":
            raise ValueError(
                f"teacher_forcing={self.teacher_forcing} and output_activation="
                f"{self.output_activation!r} do not work with linear_path='pca'; use "
                "False and 'identity', or set linear_path=None."
            )
        pca, latent_dim = self._pca_and_latent_dim(windows)
        params = {
            "latent_dim": latent_dim,
            "hidden_dim": int(self.hidden_dim),
            "reverse": self.reverse,
        }
        return lstm_with_linear_path, params, pca
