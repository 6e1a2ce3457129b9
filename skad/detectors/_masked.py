"""Autoencoder whose target is not the window, but features of it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import gen_batches
from torch import nn
from torch.nn import functional as F

from skad._docs import add_parameters
from skad._fitting import after_fit
from skad._sampling import evenly_spaced
from skad._validation import Interval, StrOptions
from skad.detectors._base import WINDOWS, ErrorModel
from skad.detectors._modules import PaddedLinear
from skad.detectors._neural import LATENT_DIM, BaseNeuralAutoencoder
from skad.detectors._windows import Windows
from skad.error_models._features import FeatureErrors
from skad.error_models._models import ERROR_MODELS
from skad.features._convolutions import RandomConvolutions

# Share of the spread of a channel that is added to that of each of its timesteps.
_FLOOR = 0.1
# Windows from which sizes are learnt, evenly spaced.
_MOST_WINDOWS = 1500
_WINDOWS_AT_ONCE = 1024


class MaskedFeatureModule(nn.Module):
    """(B, T * C + D, 1) -> the same, and (B, D); D features of T timesteps, C channels.

    A row is a window and its features, which are never looked at. In training it is
    told from the window, of which a part of time may be masked. In evaluation each part
    of the window is told from the others, and the features from all of them.
    """

    def __init__(
        self,
        window_length,
        n_channels,
        latent_dim,
        hidden_dim,
        n_parts,
        mask_probability,
    ):
        super().__init__()
        n_values = window_length * n_channels
        part = torch.arange(n_values) // n_channels * n_parts // window_length
        masks = (part != torch.arange(n_parts)[:, None]).float()
        self.register_buffer("masks", masks)  # 0 where a part is masked
        self.mask_probability = mask_probability
        self.input_layer = PaddedLinear(2 * n_values, hidden_dim)
        self.residual_block = PaddedLinear(hidden_dim, hidden_dim)
        self.window_layer = PaddedLinear(hidden_dim, n_values)
        self.output_layer = PaddedLinear(hidden_dim, latent_dim)

    def forward(self, X):
        """Tell windows and features."""
        n_values = self.masks.shape[1]
        window = X.flatten(1)[:, :n_values]
        if self.training:
            hidden = self._read(window, self._draw_masks(len(window)))
            # Features alone shape what is read: with the window they are told worse.
            rebuilt = self.window_layer(hidden.detach())
        else:
            hidden = self._read(window, torch.ones_like(window))
            rebuilt = torch.zeros_like(window)
            for mask in self.masks:
                part = self.window_layer(self._read(window, mask.expand_as(window)))
                rebuilt += part * (1 - mask)
        features = self.output_layer(hidden)
        return torch.cat([rebuilt, features], dim=1).view_as(X), features

    def _draw_masks(self, n_windows):
        masks = self.masks[torch.randint(len(self.masks), (n_windows,))]
        is_masked = torch.rand(n_windows, 1) < self.mask_probability
        return torch.where(is_masked.to(masks.device), masks, 1.0)

    def _read(self, window, mask):
        hidden = self.input_layer(torch.cat([window * mask, mask], dim=1))
        hidden = hidden + self.residual_block(F.silu(hidden))
        return F.silu(hidden)


@dataclass(frozen=True)
class _WindowsWithFeatures:
    """Windows as the net sees them: scaled, with their features behind them."""

    windows: Windows
    features: NDArray[np.float32]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @property
    def shape(self):
        return self.windows.X.shape[1] + self.features.shape[1], 1

    def __len__(self):
        return len(self.windows)

    def gather(self, at) -> NDArray[np.float32]:
        scaled = (self.windows.gather(at) - self.mean) / self.scale
        return np.hstack([scaled.astype(np.float32), self.features[at]])


@dataclass(eq=False, repr=False)
class MaskedFeatureAutoencoder(BaseNeuralAutoencoder):
    """Net that tells the random convolutional features of a window it half sees.

    It learns to tell the features of normal windows, those of `RandomConvolutions`,
    from windows of which a part of time is masked. What it tells wrong is the score: a
    trained net that finds odd beats of new patients better than any net that rebuilds
    the samples of windows. For aligned windows, such as heartbeats.

    Parameters
    ----------
    n_kernels : int, default=250
        Random kernels of the features, see `RandomConvolutions`.
    hidden_dim : int, default=512
        Units of the net's hidden layer and of the residual block behind it.
    latent_dim : int or float, default=0.995
        Features to tell, which are principal components of unit variance; a float in
        (0, 1) takes as many as are needed to explain that share of variance, 256 at
        most.
    n_parts : int, default=6
        Equal parts of time of which one may be masked; as many as there are timesteps
        if these are fewer.
    mask_probability : float, default=0.75
        How often a window has a masked part in training.
    max_windows : int, default=20000
        Largest number of windows to learn from, evenly spaced; their features are kept
        in memory during fit.
    error_model : {"features", "mse", "rmse", "mae", "std", "mahalanobis", "hybrid"} \
            or object, default="features"
        "features": root of the mean squared error of the features, in units of their
        standard deviation. The others, as in other detectors, are errors of the
        samples, each part of which is told from the others.
    input_noise : float or (float, float), default=0.1
        Standard deviation of the normal noise on the input in training, in units of the
        usual spread at each timestep; what is to be told stays clean. A pair (low,
        high): drawn evenly from between them for each window at every step.

    Attributes
    ----------
    convolutions_ : RandomConvolutions
        The features that are told.
    mean_, scale_ : ndarray of shape (n_features_in_,)
        Mean window, and the unit of each of its values: their standard deviation, plus
        a tenth of that of the whole channel.

    See Also
    --------
    MLPAutoencoder : Behind `RandomConvolutions`, it takes noise off the features.
    LocallyLinearAutoencoder : Behind `RandomConvolutions`, without training.

    Notes
    -----
    With x the scaled window, m a mask of zeros and ones and n noise, the net computes
    (x', z') from [(x + n) m, m], as MLP with a residual block. It is trained on the
    mean squared error of the features z and, in its last layer alone, of the window x;
    the score is |z - z'| with nothing masked. To
    predict features of masked inputs is the idea of [1]_, for other features and
    another purpose; that a net fails to tell the features of what it has not learnt is
    that of [2]_.

    Features belong to no timestep. `reconstruct` shows what was told of each part of
    the window from the others, and `score_timesteps` and `explain` share out the error
    of the features by the squared residuals of that.

    References
    ----------
    .. [1] C. Wei et al., "Masked Feature Prediction for Self-Supervised Visual
       Pre-Training", CVPR 2022, arXiv:2112.09133.
    .. [2] P. Bergmann et al., "Uninformed Students: Student-Teacher Anomaly Detection
       with Discriminative Latent Embeddings", CVPR 2020, arXiv:1911.02357.

    Examples
    --------
    >>> from skad import MaskedFeatureAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = MaskedFeatureAutoencoder(50, 64, normal_label=0, max_steps=50,
    ...                                     random_state=0)
    >>> detector.fit(X, y).predict(X[:5]).shape
    (5,)
    """

    n_kernels: int = 250
    hidden_dim: int = 512
    _: KW_ONLY
    latent_dim: int | float = 0.995
    n_parts: int = 6
    mask_probability: float = 0.75
    max_windows: int = 20_000
    error_model: ErrorModel | Literal["features"] = "features"  # type: ignore[assignment]
    input_noise: float | tuple[float, float] = 0.1
    optimizer: str = "adamw"  # type: ignore[assignment]
    max_steps: int | None = 1200
    batch_size: int = 128
    early_stopping: bool = False

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "n_kernels": [Interval(Integral, 1, None, closed="left")],
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
        "latent_dim": LATENT_DIM,
        "n_parts": [Interval(Integral, 1, None, closed="left")],
        "mask_probability": [Interval(Real, 0, 1, closed="both")],
        "max_windows": [Interval(Integral, 2, None, closed="left")],
        "error_model": [
            StrOptions({*ERROR_MODELS, "features"}),
            *BaseNeuralAutoencoder._parameter_constraints["error_model"][1:],
        ],
    }
    _error_models: ClassVar[dict] = ERROR_MODELS | {"features": FeatureErrors}
    _random_module = True

    def _new_net(self, windows, generator, split_seed):
        positions = evenly_spaced(len(windows), _MOST_WINDOWS)
        sample = windows.gather(positions).astype(np.float64)
        self.mean_, self.scale_ = _mean_and_scale(sample, self.n_channels_)
        self.convolutions_ = RandomConvolutions(
            self.n_kernels,
            n_components=self.latent_dim,
            n_channels=self.n_channels_,
            random_state=split_seed,
        ).fit(sample)
        return super()._new_net(windows, generator, split_seed)

    def _architecture(self, windows):
        params = {
            "latent_dim": len(self.convolutions_.components_),
            "hidden_dim": int(self.hidden_dim),
            "n_parts": min(int(self.n_parts), self.window_length_),
            "mask_probability": float(self.mask_probability),
        }
        return MaskedFeatureModule, params, None

    def _warn_of_traps(self, windows):
        """Nothing is copied: the code is no copy of the input."""

    def _seen_by_net(self, windows):
        """Scale windows, and put their features behind them."""
        positions = evenly_spaced(len(windows), self.max_windows)
        windows = Windows(windows.X, windows.rows[positions])
        features = np.empty((len(windows), self.latent_dim_), np.float32)
        for at in gen_batches(len(windows), _WINDOWS_AT_ONCE):
            features[at] = self.convolutions_.transform(windows.gather(at))
        return _WindowsWithFeatures(windows, features, self.mean_, self.scale_)

    def _reconstruct_block(self, block):
        flat = block.reshape(len(block), -1)
        features = self.convolutions_.transform(flat)
        scaled = (flat - self.mean_) / self.scale_
        seen = np.hstack([scaled, features])[:, :, None]
        told, told_features = self.net_.reconstruct(seen)
        window = told[:, : flat.shape[1], 0] * self.scale_ + self.mean_
        return window.reshape(block.shape), features - told_features

    @after_fit
    @add_parameters(WINDOWS)
    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Tell features of windows, and take them off.

        Returns
        -------
        codes : ndarray of shape (n_windows, latent_dim_), dtype float64
            Features minus what the net tells of them, in units of their standard
            deviation.
        """
        return self._collect_codes(self._fitted_windows(X))


def _mean_and_scale(windows, n_channels):
    """Mean window, and the unit of each of its values."""
    mean = windows.mean(axis=0)
    spread = windows.std(axis=0).reshape(-1, n_channels)
    whole = np.sqrt(np.square(spread).mean(axis=0))
    level = np.abs(mean).reshape(-1, n_channels).max(axis=0)
    varies = whole > 1e-12 * level  # what is less is rounding
    scale = np.where(varies, spread + _FLOOR * whole, 1.0)
    return mean, scale.reshape(-1)
