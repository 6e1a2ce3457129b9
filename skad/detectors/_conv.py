"""Convolutional autoencoder."""

from itertools import pairwise
from numbers import Integral, Real
from typing import ClassVar

import torch
from torch import nn

from skad._validation import Interval, StrOptions
from skad.detectors._modules import CodeModule, LinearPath, PaddedLinear
from skad.detectors._neural import BaseNeuralAutoencoder, check_dims

_STRIDE = 2


class ConvModule(CodeModule):
    """(B, T, C) -> (B, T, C) by way of (B, D); B windows, T timesteps, C channels.

    Each convolution halves the number of timesteps; a dense layer makes the code, so
    that it knows where in the window a pattern stands.

    Convolutions are of two dimensions, the first of size one: (B, T, C) is then how
    torch stores "channels last", which nothing has to turn about, and which it scores
    in half of the time.
    """

    def __init__(
        self, window_length, n_channels, hidden_channels, kernel_size, latent_dim
    ):
        super().__init__()
        widths = [n_channels, *hidden_channels]
        padding = kernel_size // 2
        lengths = [window_length]
        convolutions, transposed = [], []
        geometry = {"stride": (1, _STRIDE), "padding": (0, padding)}
        kernel = (1, kernel_size)
        for n_in, n_out in pairwise(widths):
            length = lengths[-1]
            lengths.append((length + 2 * padding - kernel_size) // _STRIDE + 1)
            shortest = (lengths[-1] - 1) * _STRIDE - 2 * padding + kernel_size
            missing = (0, length - shortest)
            convolutions += [nn.Conv2d(n_in, n_out, kernel, **geometry), nn.ReLU()]
            transposed.append(
                nn.ConvTranspose2d(
                    n_out, n_in, kernel, output_padding=missing, **geometry
                )
            )
        self.hidden_shape = (lengths[-1], widths[-1])
        n_values = widths[-1] * lengths[-1]
        self.encoder = nn.Sequential(*convolutions)
        self.code_layer = PaddedLinear(n_values, latent_dim)
        self.expand = PaddedLinear(latent_dim, n_values)
        *inner, last = transposed[::-1]
        self.decoder = nn.Sequential(
            nn.ReLU(), *(part for t in inner for part in (t, nn.ReLU()))
        )
        self.output_layer = last
        self.to(memory_format=torch.channels_last)

    def encode(self, X):
        """(B, T, C) -> (B, D)."""
        hidden = self.encoder(_channels_first(X))
        return self.code_layer(_channels_last(hidden).flatten(1))

    def decode(self, code):
        """(B, D) -> (B, T, C)."""
        hidden = self.expand(code).unflatten(1, self.hidden_shape)
        return _channels_last(self.output_layer(self.decoder(_channels_first(hidden))))


def _channels_first(X):
    """(B, T, C) -> (B, C, 1, T), a view."""
    return X[:, None].permute(0, 3, 1, 2)


def _channels_last(X):
    """(B, C, 1, T) -> (B, T, C), a view."""
    return X.permute(0, 2, 3, 1).squeeze(1)


def conv_with_linear_path(window_length, n_channels, latent_dim, **params):
    """`ConvModule` beside a linear path."""
    branch = ConvModule(window_length, n_channels, latent_dim=latent_dim, **params)
    return LinearPath(branch, window_length, n_channels, latent_dim)


class ConvAutoencoder(BaseNeuralAutoencoder):
    """Autoencoder of convolutions, by default beside a linear path that starts as PCA.

    For any window length and any number of channels.

    Parameters
    ----------
    hidden_channels : tuple of int, default=(16, 32, 32)
        Channels of the encoder's convolutions, each of which halves the number of
        timesteps; the decoder mirrors them.
    kernel_size : int, default=7
        Timesteps that a convolution sees.
    latent_dim : int or float, default=0.9
        Latent units; a float in (0, 1) takes as many as principal components are
        needed to explain that share of variance.
    linear_path : "pca" or None, default="pca"
        "pca" puts a linear encoder and decoder, which start as the PCA of the training
        windows, beside the convolutions, whose output starts at zero; all of it is
        trained. It keeps small data from falling far below PCA. None has the
        convolutions alone.
    n_channels : int, default=1
        Channels of a 2-D row, see `fit`.
    error_model : {"mse", "mae", "std", "mahalanobis", "hybrid"} or object, \
            default="hybrid"
        How residuals become errors: `MeanSquaredErrors`, `MeanAbsoluteErrors`,
        `StandardizedErrors`, `MahalanobisErrors`, `HybridErrors`, or an object with
        their methods. Fitted on the held-out windows; with `refit`, or if none are held
        out, on the training windows.
    loss_reduction : {"mean", "sum"}, default="mean"
        Whether the training loss averages the squared errors over all values of a
        batch, or adds them up as the ECG study does. `kl_weight`, `weight_decay` and
        `max_grad_norm` are relative to it: ``weight_decay=1e-2`` is mild with "sum" and
        lets the net collapse with "mean".
    kl_weight : float, default=0.0
        Weight of a penalty that draws the softmax of the latent code towards a prior.
        1.0 with ``loss_reduction="sum"`` is the ECG study's.
    kl_prior : {"uniform", "random"}, default="uniform"
        "uniform": the Kullback-Leibler divergence KL(u || p) between equal shares u and
        the softmax p. "random", the study's: fresh uniform noise in the place of u at
        every step; its expected gradient is latent_dim / 2 times that of "uniform".
        Neither is a divergence from a normal distribution.
    optimizer : {"adam", "adamw", "nadam", "rmsprop", "sgd"} or callable, default="adam"
        Optimizer, or a class of torch.optim.
    lr : float, default=1e-3
        Learning rate.
    lr_schedule : {"cosine"} or None, default="cosine"
        "cosine" lowers the learning rate to zero over `max_epochs`, batch by batch.
    weight_decay : float, default=0.0
        Weight decay of the optimizer; see `loss_reduction`.
    input_noise : float, default=0.0
        Standard deviation of the normal noise on the input in training, in units of the
        input; the target stays clean.
    max_grad_norm : float or None, default=None
        Longer gradients are cut to this norm; see `loss_reduction`.
    max_epochs : int, default=30
        Most passes over the training windows.
    batch_size : int, default=64
        Windows a training step.
    early_stopping : bool, default=True
        Whether to hold out windows, to stop when the loss on them has not improved for
        `n_iter_no_change` epochs, and to keep the weights that were best on them. Fewer
        than 10 windows hold none out.
    validation_fraction : float, default=0.1
        Share of the windows that is held out, in (0, 1), drawn at random; unused if
        ``early_stopping=False`` or `fit` is given `X_val`.
    n_iter_no_change : int, default=10
        Epochs without improvement after which training stops.
    refit : bool, default=True
        Whether to train anew on all windows, the held-out ones too, for as many epochs
        as were best on these; the threshold found on them stays. It doubles the time
        of fit, and counts where windows are few. Not done without early stopping, if
        `fit` is given `X_val` (which is never trained on), or with `warm_start`; the
        error model is fitted on the training windows even so.
    contamination : "auto" or float, default="auto"
        Where the threshold lies. "auto": 1 % of the scores of the held-out windows, one
        of them at least, are below (of all windows if none are held out). A float in
        (0, 0.5]: that share of the scores of all windows is.
    normal_label : object, default=None
        Label in `y` of the windows to learn from; None learns from all of them.
    callbacks : list of skorch callbacks, default=None
        Cloned for each fit. scikit-learn's own callbacks are set by `set_callbacks`.
    net_params : dict, default=None
        Arguments for the skorch net, such as ``{"optimizer__betas": (0.9, 0.99)}``.
    warm_start : bool, default=False
        Whether `fit` trains the net of the fit before further. Its held-out windows
        stay the same if `X` is; its architecture, optimizer and device cannot change.
    device : str, default="auto"
        Torch device; "auto" takes CUDA, then MPS, then the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of the held-out part, initial weights, order of batches, noise and dropout.
        None takes a fresh seed from the operating system, an int repeats bit for bit
        (on the CPU). Global random states are never touched.
    verbose : int, default=0
        Whether to print a line an epoch.

    Attributes
    ----------
    net_ : ReconstructionNet
        The trained skorch net; ``net_.module_`` is the torch module. Weights copied
        into it count at the next score; an error model that learns stays as it was.
    history_ : DataFrame
        Losses and duration (seconds) of every epoch; those of `refit` are not in it.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int or None
        Best epoch on the held-out windows; None without early stopping.
    latent_dim_, window_length_, n_channels_ : int
        Latent units, timesteps and channels.
    error_model_ : object
        The fitted error model.
    offset_ : float
        A score below it is an anomaly.
    n_features_in_ : int
        Values of a row, ``window_length_ * n_channels_``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where `X` has them.

    See Also
    --------
    MLPAutoencoder : Dense layers.
    Autoencoder : Brings a module of your own.

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

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "hidden_channels": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "latent_dim": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "linear_path": [StrOptions({"pca"}), None],
    }

    def __init__(
        self,
        hidden_channels=(16, 32, 32),
        kernel_size=7,
        latent_dim=0.9,
        *,
        linear_path="pca",
        n_channels=1,
        error_model="hybrid",
        loss_reduction="mean",
        kl_weight=0.0,
        kl_prior="uniform",
        optimizer="adam",
        lr=1e-3,
        lr_schedule="cosine",
        weight_decay=0.0,
        input_noise=0.0,
        max_grad_norm=None,
        max_epochs=30,
        batch_size=64,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=10,
        refit=True,
        contamination="auto",
        normal_label=None,
        callbacks=None,
        net_params=None,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            n_channels=n_channels,
            error_model=error_model,
            loss_reduction=loss_reduction,
            kl_weight=kl_weight,
            kl_prior=kl_prior,
            optimizer=optimizer,
            lr=lr,
            lr_schedule=lr_schedule,
            weight_decay=weight_decay,
            input_noise=input_noise,
            max_grad_norm=max_grad_norm,
            max_epochs=max_epochs,
            batch_size=batch_size,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            refit=refit,
            contamination=contamination,
            normal_label=normal_label,
            callbacks=callbacks,
            net_params=net_params,
            warm_start=warm_start,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        self.hidden_channels = hidden_channels
        self.kernel_size = kernel_size
        self.latent_dim = latent_dim
        self.linear_path = linear_path

    def _architecture(self, windows):
        pca, latent_dim = self._pca_and_latent_dim(windows)
        params = {
            "hidden_channels": check_dims(
                self.hidden_channels, "hidden_channels", at_least=1
            ),
            "kernel_size": int(self.kernel_size),
            "latent_dim": latent_dim,
        }
        return conv_with_linear_path if self.linear_path else ConvModule, params, pca
