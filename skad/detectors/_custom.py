"""Bring your own torch module."""

import copy
from typing import ClassVar

import torch
from sklearn.utils.metaestimators import available_if
from torch import nn

from skad.detectors._base import BaseAutoencoder
from skad.detectors._neural import BaseNeuralAutoencoder
from skad.training._losses import split_output
from skad.training._random import torch_generator


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
        More arguments for `module`, by name.
    n_channels : int, default=1
        Channels of a 2-D row, see `fit`.
    error_model : {"mse", "mae", "std", "mahalanobis", "hybrid"} or object, \
            default="mse"
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
    max_epochs : int, default=100
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
    ConvAutoencoder : A convolutional net for any window length.

    Notes
    -----
    Initialisation, dropout and noise of the module draw from `random_state`, not from
    torch's global generator. The score of a row is independent of the rows beside it up
    to the rounding of float32; the nets of skad make it so bit for bit.

    `transform`, ``kl_weight > 0`` and ``error_model="hybrid"`` need a module that
    returns its latent code.

    The last batch of an epoch holds what is left, one window perhaps, of which batch
    normalisation makes an error: choose another `batch_size` then, or layer
    normalisation.

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

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "module": [callable],
        "module_params": [dict, None],
    }

    def __init__(
        self,
        module,
        *,
        module_params=None,
        n_channels=1,
        error_model="mse",
        loss_reduction="mean",
        kl_weight=0.0,
        kl_prior="uniform",
        optimizer="adam",
        lr=1e-3,
        lr_schedule="cosine",
        weight_decay=0.0,
        input_noise=0.0,
        max_grad_norm=None,
        max_epochs=100,
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
        self.module = module
        self.module_params = module_params

    def _architecture(self, windows):
        params = dict(self.module_params or {})
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


# After the class: scikit-learn's TransformerMixin wraps what stands in its body, and a
# wrapped method is always available.
Autoencoder.transform = available_if(_returns_latent)(  # type: ignore[method-assign]
    BaseAutoencoder.transform
)
