"""EncDec-AD (Malhotra et al. 2016)."""

from numbers import Integral
from typing import ClassVar

from skad._validation import Interval
from skad.detectors._lstm import LSTMModule
from skad.detectors._neural import BaseNeuralAutoencoder


class EncDecAD(BaseNeuralAutoencoder):
    """LSTM encoder-decoder for anomaly detection in multi-sensor series.

    Parameters
    ----------
    hidden_dim : int, default=64
        Units of both LSTMs, c in the paper.
    n_channels : int, default=1
        Channels of a 2-D row, see `fit`.
    error_model : {"mse", "mae", "std", "mahalanobis", "hybrid"} or object, \
            default="mahalanobis"
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
    refit : bool, default=False
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
    WindowedDetector : Gives one score for each row of a table.
    split_roles : Shares out the rows of a table to the six roles of the paper.
    TunedThresholdDetector : Finds the threshold on v_N2 and v_A.
    SigmaThreshold : Finds it where there are no labelled anomalies.
    LSTMAutoencoder : Other decoders.

    Notes
    -----
    The decoder starts from the encoder's last state, writes the window backwards, and
    gets the true values before in training (teacher forcing), its own outputs in
    scoring. Its first output is linear in the encoder's last hidden state.

    Errors are e = abs(x - x') a timestep, and the error of a timestep is
    (e - mu)^T Sigma^-1 (e - mu), mu and Sigma from the windows that were held out to
    stop the training (v_N1 of the paper, `X_val` here, or a part of `X`). The error of
    a window is the mean over its timesteps.

    We depart from the paper in Sigma, which is shrunk (Ledoit-Wolf) instead of maximum
    likelihood: ``error_model=MahalanobisErrors(shrinkage=0)`` is the paper's. The paper
    leaves optimizer, learning rate and batch size open.

    References
    ----------
    P. Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection",
    2016, section 2, arXiv:1607.00148.

    Examples
    --------
    >>> import numpy as np
    >>> from skad import EncDecAD, WindowedDetector
    >>> t = np.arange(300)
    >>> X = np.column_stack([np.sin(t / 5), np.cos(t / 5)])
    >>> detector = WindowedDetector(EncDecAD(8, max_epochs=2, random_state=0), 20)
    >>> detector.fit(X).score_samples(X).shape
    (300,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        hidden_dim=64,
        *,
        n_channels=1,
        error_model="mahalanobis",
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
        refit=False,
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
        self.hidden_dim = hidden_dim

    def _architecture(self, windows):
        params = {
            "latent_dim": int(self.hidden_dim),
            "teacher_forcing": True,
            "reverse": True,
            "feedback": "output",
            "output_activation": "identity",
            "starts_from_state": True,
        }
        return LSTMModule, params, None
