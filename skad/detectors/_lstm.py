"""LSTM autoencoder."""

from numbers import Integral, Real
from typing import ClassVar

import torch
from torch import nn

from skad._validation import Interval, StrOptions
from skad.detectors._lstm_feedback import feed_back
from skad.detectors._modules import ACTIVATIONS, CodeModule, LinearPath, PaddedLinear
from skad.detectors._neural import BaseNeuralAutoencoder


class LSTMModule(nn.Module):
    """(B, T, C) -> (B, T, C), and the code (B, H); B windows, T timesteps, C channels.

    The encoder's last state starts the decoder, whose next inputs are its own outputs
    (or, with teacher forcing in training, the windows). Its first output comes from a
    step with the input zero or, with `starts_from_state`, from the encoder's state.
    Parameters stand in data-flow order: encoder, decoder, output layer.
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
        # glibc gives freed memory back to the system, and the next training step faults
        # it in page by page (up to half of the time of `fit`), until it has seen a
        # block of this size freed; larger ones it never keeps. Nothing is written here.
        torch.empty(2**25 - 2**13, dtype=torch.uint8)

    @property
    def micro_batch(self):
        """Most windows that are trained on at once, see `ReconstructionNet`.

        On the CPU so many that the memory of a step is kept for the next, see above:
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
        return self._write(state, X), state[0][0]

    def _write(self, state, X=None):
        """Decode from a state (h, c) of (1, B, H) each; X is for teacher forcing."""
        hidden = state[0].transpose(0, 1)  # (B, 1, H)
        if not self.starts_from_state:
            zeros = hidden.new_zeros(len(hidden), 1, self.decoder.input_size)
            hidden, state = self.decoder(zeros, state)
        outputs = self._output(hidden)
        if self.window_length > 1:
            rest = self._write_on(X, outputs, state)
            outputs = torch.cat([outputs, rest], dim=1)
        return self._in_time(outputs)

    def _in_time(self, X):
        """Turn between the order of the decoder and that of time."""
        return X.flip(1) if self.reverse else X

    def _output(self, hidden):
        """(B, T, H) -> (B, T, C)."""
        # An LSTM's states lie in memory time first: the other way about is a copy.
        outputs = self.output_layer(hidden.transpose(0, 1))
        return self.output_activation(outputs).transpose(0, 1)

    def _write_on(self, X, first, state):
        """Make the outputs after the first, (B, T - 1, C)."""
        if self.teacher_forcing and self.training:
            hidden, _ = self.decoder(self._in_time(X)[:, :-1], state)
            return self._output(hidden)
        if self.linear_feedback:
            return self._output(self._run_folded(state))
        if self.elementwise:
            layers = (self.decoder, self.output_layer, self.output_activation)
            return feed_back(*layers, first, state, self.window_length - 1)
        return self._write_by_steps(first, state)

    def _run_folded(self, state):
        """Feed linear outputs back in one call of torch's LSTM."""
        folded = self.folded_weights()
        inputs = folded[0].new_zeros(state[0].shape[1], self.window_length - 1, 1)
        # What nn.LSTM calls, which cannot be lent weights: biases, one layer, no
        # dropout, training, one direction, batch first.
        options = (True, 1, 0.0, self.training, False, True)
        return torch.lstm(inputs, state, folded, *options)[0]

    def folded_weights(self):
        """Weights of a decoder without input that is fed back linearly all the same.

        gates = W_ih (W_o h + b_o) + W_hh h + b = (W_hh + W_ih W_o) h + (b + W_ih b_o),
        exactly. The one input, as torch wants some, is zero and has weight zero.
        """
        decoder, output = self.decoder, self.output_layer
        weight = decoder.weight_ih_l0
        return [
            weight.new_zeros(len(weight), 1),
            torch.addmm(decoder.weight_hh_l0, weight, output.weight),
            torch.addmv(decoder.bias_ih_l0, weight, output.bias),
            decoder.bias_hh_l0,
        ]

    def _write_by_steps(self, step, state):
        """Feed outputs back one timestep after the other, whatever their activation."""
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
        return self._write((hidden, torch.zeros_like(hidden)))


def lstm_with_linear_path(window_length, n_channels, latent_dim, **params):
    """`LSTMCodeModule` beside a linear path."""
    branch = LSTMCodeModule(window_length, n_channels, latent_dim=latent_dim, **params)
    return LinearPath(branch, window_length, n_channels, latent_dim)


class LSTMAutoencoder(BaseNeuralAutoencoder):
    """Autoencoder of two LSTMs, by default beside a linear path that starts as PCA.

    Parameters
    ----------
    hidden_dim : int, default=64
        Units of both LSTMs.
    latent_dim : int or float, default=0.9
        Latent units; a float in (0, 1) takes as many as principal components are
        needed to explain that share of variance. Unused with ``linear_path=None``.
    linear_path : "pca" or None, default="pca"
        "pca" puts a linear encoder and decoder, which start as the PCA of the training
        windows, beside the LSTMs, whose output starts at zero; all of it is trained.
        It keeps the detector from falling far below PCA, as LSTMs alone may.
        None has the LSTMs alone: the decoder starts from the encoder's last state,
        whose hidden part is the latent code.
    teacher_forcing : bool, default=False
        Whether the decoder is trained on the true values before, instead of its own
        outputs. In validation and scoring it always gets its own outputs. Needs
        ``linear_path=None``, or its outputs are no windows.
    reverse : bool, default=True
        Whether the decoder writes the window backwards, beginning with what the encoder
        saw last.
    feedback : {"output", "logit"}, default="output"
        What the decoder gets back: its outputs, or those before their activation. The
        same with ``output_activation="identity"``. With another activation "output" is
        the ECG study's, and takes about 1.5 times as long as "logit".
    output_activation : str, default="identity"
        Activation of the output, one of those of `MLPAutoencoder`; "identity" with a
        linear path. One whose range does not cover the data cannot reconstruct it,
        which a warning says.
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
    lr : float, default=3e-3
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
    MLPAutoencoder : Faster, and better where windows are aligned.

    Notes
    -----
    The decoder's first input is zero. The LSTM of the ECG study is
    ``LSTMAutoencoder(20, linear_path=None, output_activation="sigmoid",
    loss_reduction="sum", error_model="mse")``, and with ``kl_weight=1.0,
    kl_prior="random"`` its regularised form.

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

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
        "latent_dim": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "linear_path": [StrOptions({"pca"}), None],
        "teacher_forcing": ["boolean"],
        "reverse": ["boolean"],
        "feedback": [StrOptions({"output", "logit"})],
        "output_activation": [StrOptions(set(ACTIVATIONS))],
    }

    def __init__(
        self,
        hidden_dim=64,
        *,
        latent_dim=0.9,
        linear_path="pca",
        teacher_forcing=False,
        reverse=True,
        feedback="output",
        output_activation="identity",
        n_channels=1,
        error_model="hybrid",
        loss_reduction="mean",
        kl_weight=0.0,
        kl_prior="uniform",
        optimizer="adam",
        lr=3e-3,
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
        self.hidden_dim = hidden_dim
        self.latent_dim = latent_dim
        self.linear_path = linear_path
        self.teacher_forcing = teacher_forcing
        self.reverse = reverse
        self.feedback = feedback
        self.output_activation = output_activation

    def _architecture(self, windows):
        if self.linear_path:
            return self._architecture_with_linear_path(windows)
        params = {
            "latent_dim": int(self.hidden_dim),
            "teacher_forcing": self.teacher_forcing,
            "reverse": self.reverse,
            "feedback": self.feedback,
            "output_activation": self.output_activation,
        }
        return LSTMModule, params, None

    def _architecture_with_linear_path(self, windows):
        if self.teacher_forcing or self.output_activation != "identity":
            raise ValueError(
                f"teacher_forcing={self.teacher_forcing} and output_activation="
                f"{self.output_activation!r} cannot go beside PCA; they must be False "
                "and 'identity' with linear_path='pca', or set linear_path=None."
            )
        pca, latent_dim = self._pca_and_latent_dim(windows)
        params = {
            "latent_dim": latent_dim,
            "hidden_dim": int(self.hidden_dim),
            "reverse": self.reverse,
        }
        return lstm_with_linear_path, params, pca
