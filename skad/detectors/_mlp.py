"""Dense autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import ClassVar, Literal

from torch import nn

from skad._validation import StrOptions
from skad.detectors._base import ErrorModel
from skad.detectors._modules import ACTIVATIONS, CodeModule, LinearPath, PaddedLinear
from skad.detectors._neural import LATENT_DIM, BaseNeuralAutoencoder, check_dims

# Units of the hidden layers with hidden_dims="auto": so many times the values of a
# window, and so many at most. benchmarks/widths.py shows what that costs and saves.
_RATIOS, _MOST = (5, 1), (500, 100)


class MLPModule(CodeModule):
    """(B, T, C) -> (B, T, C) by way of (B, D); B windows, T timesteps, C channels.

    Parameters are in data-flow order: encoder, then decoder.
    """

    def __init__(
        self,
        window_length,
        n_channels,
        hidden_dims,
        latent_dim,
        activations,
        latent_activation,
        output_activation,
        residual_block=False,  # not in files of 0.1.0
    ):
        super().__init__()
        n_values = window_length * n_channels
        widths = [n_values, *hidden_dims]
        n_hidden = len(hidden_dims)
        self.encoder = _stack(widths, activations[:n_hidden])
        self.code_layer = PaddedLinear(widths[-1], latent_dim)
        self.latent_activation = ACTIVATIONS[latent_activation]()
        block = PaddedLinear(latent_dim, latent_dim) if residual_block else None
        self.residual_block = block
        self.decoder = _stack([latent_dim, *widths[:0:-1]], activations[n_hidden:])
        first = widths[1] if hidden_dims else latent_dim
        self.output_layer = PaddedLinear(first, n_values)
        self.output_activation = ACTIVATIONS[output_activation]()
        self.window_shape = (window_length, n_channels)

    def encode(self, X):
        """(B, T, C) -> (B, D), before the activation of the code."""
        code = self.code_layer(self.encoder(X.flatten(1)))
        if self.residual_block is None:
            return code
        return code + self.residual_block(self.latent_activation(code))

    def decode(self, code):
        """(B, D) -> (B, T, C)."""
        hidden = self.decoder(self.latent_activation(code))
        flat = self.output_activation(self.output_layer(hidden))
        return flat.view(-1, *self.window_shape)


def _stack(widths, activations):
    layers = []
    for (n_in, n_out), activation in zip(pairwise(widths), activations, strict=True):
        layers += [PaddedLinear(n_in, n_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)


def mlp_with_linear_path(window_length, n_channels, latent_dim, **params):
    """`MLPModule` beside a linear path."""
    branch = MLPModule(window_length, n_channels, latent_dim=latent_dim, **params)
    return LinearPath(branch, window_length, n_channels, latent_dim)


@dataclass(eq=False, repr=False)
class MLPAutoencoder(BaseNeuralAutoencoder):
    """Autoencoder of dense layers, by default beside a linear path that starts as PCA.

    The general choice for aligned windows such as heartbeats, and for tables.

    Parameters
    ----------
    hidden_dims : "auto" or tuple of int, default="auto"
        Widths of the encoder's hidden layers; the decoder mirrors them. May be empty.
        "auto" is two layers by the number n of values in a window, timesteps times
        channels: min(5 n, 500) and min(n, 100) units.
    latent_dim : int or float, default=0.9
        Latent units; a float in (0, 1) takes as many as principal components are
        needed to explain that share of variance, but not all of them.
    linear_path : "pca" or None, default="pca"
        "pca" puts a linear encoder and decoder, which start as the PCA of the training
        windows, beside the dense layers, whose output starts at zero; all of it is
        trained. It keeps nets on small data from scoring far below PCA. None: only the
        dense layers.
    activation : str or tuple of str, default="relu"
        Activation of the hidden layers, one for all or one for each, those of the
        encoder first: "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid",
        "softmax" or "identity".
    latent_activation : str, default="identity"
        Activation of the code before it is decoded; "identity" with a linear path.
    residual_block : bool, default=False
        Whether a layer W adds to the code: ``code + W f(code) + b``, f the
        `latent_activation`, which "identity" cannot be. Only without a linear path.
    output_activation : str, default="identity"
        Activation of the output; "identity" with a linear path. If its range does
        not cover the data, the net cannot reconstruct it, and a warning says so.

    Attributes
    ----------
    hidden_dims_ : tuple of int
        Widths of the encoder's hidden layers.

    See Also
    --------
    LinearAutoencoder : The closed form, to compare with.
    ConvAutoencoder : For patterns that may occur anywhere in a window.

    Notes
    -----
    With a linear path, x in units of the training windows (mean window 0, global rms
    1): code = A x + E(x), x' = B code + b + G(code); A and B start as principal
    components (codes of unit variance), the last layers of E and G at zero.

    The dense net of the ECG study is ``MLPAutoencoder((500, 100), 32, linear_path=None,
    activation=("relu", "softmax", "relu", "relu"), latent_activation="softmax",
    output_activation="sigmoid", loss_reduction="sum")``, and its regularised form has
    ``kl_weight=1.0, kl_prior="random"`` too.

    A denoising autoencoder of `RandomConvolutions`, which has scored best of all nets
    on heartbeats, is ``MLPAutoencoder((), 512, linear_path=None,
    latent_activation="silu", residual_block=True, input_noise=(0.2, 1.5),
    optimizer="adamw", batch_size=128, max_steps=1200, early_stopping=False,
    error_model="rmse")`` behind it in a pipeline. Noise (of the size of the features)
    takes the place of a narrow code: what is not normal cannot be told from noise.

    References
    ----------
    B. S. Chandra and S. Kala, "Anomaly detection in ECG signals using regularised
    autoencoders", 2019, doi:10.1109/CICT48419.2019.9066261.

    P. Vincent et al., "Stacked Denoising Autoencoders", Journal of Machine Learning
    Research 11, 2010. There the noise has one size.

    Examples
    --------
    >>> from skad import MLPAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = MLPAutoencoder((32,), 8, normal_label=0, max_epochs=3,
    ...                           random_state=0)
    >>> detector.fit(X, y).predict(X[:5]).shape
    (5,)
    """

    hidden_dims: Sequence[int] | Literal["auto"] = "auto"
    latent_dim: int | float = 0.9
    _: KW_ONLY
    linear_path: Literal["pca"] | None = "pca"
    activation: str | Sequence[str] = "relu"
    latent_activation: str = "identity"
    residual_block: bool = False
    output_activation: str = "identity"
    error_model: ErrorModel = "hybrid"
    max_epochs: int = 30

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "hidden_dims": [StrOptions({"auto"}), "array-like"],
        "latent_dim": LATENT_DIM,
        "linear_path": [StrOptions({"pca"}), None],
        "activation": [StrOptions(set(ACTIVATIONS)), tuple, list],
        "latent_activation": [StrOptions(set(ACTIVATIONS))],
        "residual_block": ["boolean"],
        "output_activation": [StrOptions(set(ACTIVATIONS))],
    }

    _most_at_once = 512

    def _architecture(self, windows):
        pca, latent_dim = self._pca_and_latent_dim(windows)
        if self.linear_path and {self.latent_activation, self.output_activation} != {
            "identity"
        }:
            raise ValueError(
                f"latent_activation={self.latent_activation!r} and output_activation="
                f"{self.output_activation!r} cannot start as PCA; both must be "
                "'identity' with linear_path='pca', or set linear_path=None."
            )
        if self.residual_block and self.latent_activation == "identity":
            raise ValueError(
                "residual_block=True needs a latent_activation, such as 'silu', and "
                f"linear_path=None; got latent_activation='identity' and linear_path="
                f"{self.linear_path!r}."
            )
        hidden_dims = self._widths()
        params = {
            "hidden_dims": hidden_dims,
            "latent_dim": latent_dim,
            "activations": self._activations(2 * len(hidden_dims)),
            "latent_activation": self.latent_activation,
            "residual_block": bool(self.residual_block),
            "output_activation": self.output_activation,
        }
        return mlp_with_linear_path if self.linear_path else MLPModule, params, pca

    def _widths(self):
        """Widths of the encoder's hidden layers; "auto" by the values of a window."""
        if not isinstance(self.hidden_dims, str):
            return check_dims(self.hidden_dims, "hidden_dims")
        n_values = self.window_length_ * self.n_channels_
        ratios = zip(_RATIOS, _MOST, strict=True)
        return tuple(min(ratio * n_values, most) for ratio, most in ratios)

    @property
    def hidden_dims_(self) -> tuple[int, ...]:
        """Widths of the encoder's hidden layers."""
        return self.net_.module__hidden_dims

    def _activations(self, n_layers):
        """One activation for each hidden layer, encoder then decoder."""
        if isinstance(self.activation, str):
            return (self.activation,) * n_layers
        activations = tuple(self.activation)
        if len(activations) != n_layers or not set(activations) <= set(ACTIVATIONS):
            raise ValueError(
                f"activation={activations!r} must be one name, or {n_layers}, one for "
                "each hidden layer of encoder and decoder, out of "
                f"{sorted(ACTIVATIONS)}."
            )
        return activations
