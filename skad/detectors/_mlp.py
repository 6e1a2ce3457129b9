"""Dense autoencoder."""

from itertools import pairwise
from numbers import Integral, Real
from typing import ClassVar

from torch import nn

from skad._validation import Interval, StrOptions
from skad.detectors._modules import ACTIVATIONS, CodeModule, LinearPath, PaddedLinear
from skad.detectors._neural import BaseNeuralAutoencoder, check_dims


class MLPModule(CodeModule):
    """(B, T, C) -> (B, T, C) by way of (B, D); B windows, T timesteps, C channels.

    Parameters stand in data-flow order: encoder, then decoder.
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
    ):
        super().__init__()
        n_values = window_length * n_channels
        widths = [n_values, *hidden_dims]
        n_hidden = len(hidden_dims)
        self.encoder = _stack(widths, activations[:n_hidden])
        self.code_layer = PaddedLinear(widths[-1], latent_dim)
        self.latent_activation = ACTIVATIONS[latent_activation]()
        self.decoder = _stack([latent_dim, *widths[:0:-1]], activations[n_hidden:])
        first = widths[1] if hidden_dims else latent_dim
        self.output_layer = PaddedLinear(first, n_values)
        self.output_activation = ACTIVATIONS[output_activation]()
        self.window_shape = (window_length, n_channels)

    def encode(self, X):
        """(B, T, C) -> (B, D), before the activation of the code."""
        return self.code_layer(self.encoder(X.flatten(1)))

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


class MLPAutoencoder(BaseNeuralAutoencoder):
    """Autoencoder of dense layers, by default beside a linear path that starts as PCA.

    The general choice for aligned windows such as heartbeats, and for tables.

    Parameters
    ----------
    hidden_dims : tuple of int, default=(500, 100)
        Widths of the encoder's hidden layers; the decoder mirrors them. May be empty.
    latent_dim : int or float, default=0.9
        Latent units; a float in (0, 1) takes as many as principal components are
        needed to explain that share of variance.
    linear_path : "pca" or None, default="pca"
        "pca" puts a linear encoder and decoder, which start as the PCA of the training
        windows, beside the dense layers, whose output starts at zero; all of it is
        trained. It keeps small data from falling far below PCA. None has the dense
        layers alone.
    activation : str or tuple of str, default="relu"
        Activation of the hidden layers, one for all or one for each in data-flow order,
        encoder then decoder: "relu", "leaky_relu", "elu", "gelu", "silu", "tanh",
        "sigmoid", "softmax" or "identity".
    latent_activation : str, default="identity"
        Activation of the code before it is decoded; "identity" with a linear path.
    output_activation : str, default="identity"
        Activation of the output; "identity" with a linear path. One whose range does
        not cover the data cannot reconstruct it, which a warning says.
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
    LinearAutoencoder : The closed form, to compare with.
    ConvAutoencoder : For patterns that may stand anywhere in a window.

    Notes
    -----
    With a linear path, x in units of the training windows (mean window 0, global rms
    1): code = A x + E(x), x' = B code + b + G(code); A and B start as principal
    components (codes of unit variance), the last layers of E and G at zero.

    The dense net of the ECG study is ``MLPAutoencoder((500, 100), 32, linear_path=None,
    activation=("relu", "softmax", "relu", "relu"), latent_activation="softmax",
    output_activation="sigmoid", loss_reduction="sum")``, and with ``kl_weight=1.0,
    kl_prior="random"`` its regularised form.

    References
    ----------
    B. S. Chandra and S. Kala, "Anomaly detection in ECG signals using regularised
    autoencoders", 2019, doi:10.1109/CICT48419.2019.9066261.

    Examples
    --------
    >>> from skad import MLPAutoencoder, make_heartbeats
    >>> X, y = make_heartbeats(random_state=0)
    >>> detector = MLPAutoencoder((32,), 8, normal_label=0, max_epochs=3,
    ...                           random_state=0)
    >>> detector.fit(X, y).predict(X[:5]).shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "hidden_dims": ["array-like"],
        "latent_dim": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "linear_path": [StrOptions({"pca"}), None],
        "activation": [StrOptions(set(ACTIVATIONS)), tuple, list],
        "latent_activation": [StrOptions(set(ACTIVATIONS))],
        "output_activation": [StrOptions(set(ACTIVATIONS))],
    }

    def __init__(
        self,
        hidden_dims=(500, 100),
        latent_dim=0.9,
        *,
        linear_path="pca",
        activation="relu",
        latent_activation="identity",
        output_activation="identity",
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
        self.hidden_dims = hidden_dims
        self.latent_dim = latent_dim
        self.linear_path = linear_path
        self.activation = activation
        self.latent_activation = latent_activation
        self.output_activation = output_activation

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
        params = {
            "hidden_dims": check_dims(self.hidden_dims, "hidden_dims"),
            "latent_dim": latent_dim,
            "activations": self._activations(),
            "latent_activation": self.latent_activation,
            "output_activation": self.output_activation,
        }
        return mlp_with_linear_path if self.linear_path else MLPModule, params, pca

    def _activations(self):
        """One activation for each hidden layer, encoder then decoder."""
        n_layers = 2 * len(self.hidden_dims)
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
