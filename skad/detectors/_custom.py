"""Bring your own torch module."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from skad._validation import available_if
from skad.detectors._encoding import Encoder
from skad.detectors._neural import BaseNeuralAutoencoder
from skad.training._losses import split_output
from skad.training._random import torch_generator


@dataclass(eq=False, repr=False)
class Autoencoder(BaseNeuralAutoencoder):
    """Autoencoder around a torch module of your own.

    Parameters
    ----------
    module : callable
        A torch module class or a factory, called as ``module(window_length=...,
        n_channels=..., **module_params)``. forward takes windows (B, T, C) float32 and
        returns the reconstruction in the same shape, or ``(reconstruction, latent)``
        with the latent code (B, D) before its activation. It must not be random in
        evaluation mode. Pickling needs a callable that can be imported.
    module_params : dict, default=None
        Further arguments of `module`, by name.

    See Also
    --------
    ConvAutoencoder : A convolutional net for any window length.

    Notes
    -----
    Initialisation, dropout and noise of the module draw from `random_state`, not from
    torch's global generator. The score of a row is independent of the rows beside it up
    to the rounding of float32; the nets of skad make it so bit for bit.

    `transform`, ``kl_weight > 0`` and ``error_model="hybrid"`` need a module that
    returns its latent code.

    The last batch of an epoch holds the remaining windows, perhaps a single one, which
    batch normalisation refuses: choose another `batch_size` then, layer normalisation,
    or ``net_params={"iterator_train__drop_last": True}``, which leaves out a last batch
    that is smaller than the others.

    Examples
    --------
    >>> from torch import nn
    >>> from skad import Autoencoder, make_heartbeats
    >>> class Bottleneck(nn.Module):
    ...     def __init__(self, window_length, n_channels, width):
    ...         super().__init__()
    ...         n_values = window_length * n_channels
    ...         self.encoder = nn.Linear(n_values, width)
    ...         self.decoder = nn.Linear(width, n_values)
    ...
    ...     def forward(self, X):
    ...         latent = self.encoder(X.flatten(1))
    ...         return self.decoder(latent.relu()).view_as(X), latent
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = Autoencoder(Bottleneck, module_params={"width": 8}, normal_label=0,
    ...                        max_epochs=2, random_state=0)
    >>> detector.fit(X, y).transform(X[:5]).shape
    (5, 8)
    """

    module: Callable[..., nn.Module]
    _: KW_ONLY
    module_params: dict[str, Any] | None = None

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "module": [callable],
        "module_params": [dict, None],
    }

    def _architecture(self, windows):
        params = copy.deepcopy(dict(self.module_params or {}))
        if isinstance(self.module, nn.Module):
            raise ValueError(
                f"module is an instance of {type(self.module).__name__}; pass its "
                "class, or a function that builds it, and its arguments as "
                "module_params. fit builds the module anew each time."
            )
        if taken := sorted({"window_length", "n_channels"} & set(params)):
            raise ValueError(
                f"module_params holds {taken}, which fit takes from the windows; leave "
                "them out."
            )
        return self.module, params, None

    def _new_net(self, windows, generator, split_seed):
        net = super()._new_net(windows, generator, split_seed)
        self.latent_dim_, net.random_module = self._inspect(net)
        return net

    def _inspect(self, net):
        """Latent units (None without), and whether training is random.

        A copy of the module is tried on two windows of zeros.
        """
        X = torch.zeros(2, *net.window_shape, device=net.device)
        random = []
        for training in (False, True):
            module = copy.deepcopy(net.module_).train(training)
            with torch.no_grad(), torch_generator(torch.Generator()) as mode:
                output = module(X)
            random.append(mode.used)
        if isinstance(output, tuple) and len(output) != 2:
            raise ValueError(
                f"{net.module!r} returned {len(output)} values; forward must return "
                "the reconstruction, or (reconstruction, latent)."
            )
        reconstruction, latent = split_output(output)
        if random[0]:
            raise ValueError(
                f"{net.module!r} draws random numbers in evaluation mode, so that the "
                "same window would get another score each time; return the mean, or "
                "draw only if self.training."
            )
        if getattr(reconstruction, "shape", None) != X.shape:
            got = getattr(reconstruction, "shape", type(reconstruction))
            raise ValueError(
                f"{net.module!r} returned {got} for windows of shape {tuple(X.shape)}; "
                "forward must return the reconstruction in the shape of its input, or "
                "(reconstruction, latent)."
            )
        needs_codes = getattr(self._new_error_model(), "uses_codes", False)
        if latent is None and (self.kl_weight > 0 or needs_codes):
            raise ValueError(
                f"kl_weight={self.kl_weight} with error_model={self.error_model!r} "
                "needs the latent code; the module must return "
                "(reconstruction, latent)."
            )
        if latent is not None and latent.ndim != 2:
            raise ValueError(
                f"{net.module!r} returned a latent code of shape {tuple(latent.shape)} "
                "for 2 windows; it must be (n_windows, latent_dim)."
            )
        return None if latent is None else latent.shape[1], random[1]


def _returns_latent(detector):
    return getattr(detector, "latent_dim_", 0) is not None


# After the class: scikit-learn's TransformerMixin wraps a `transform` in its body, and
# a wrapped method is always available.
Autoencoder.transform = available_if(_returns_latent)(  # type: ignore[method-assign]
    Encoder.transform
)
