"""EncDec-AD (Malhotra et al. 2016)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import ClassVar

from skad._validation import Interval
from skad.detectors._base import ErrorModel
from skad.detectors._lstm import LSTMModule
from skad.detectors._neural import BaseNeuralAutoencoder


@dataclass(eq=False, repr=False)
class EncDecAD(BaseNeuralAutoencoder):
    """LSTM encoder-decoder for anomaly detection in multi-sensor series.

    Parameters
    ----------
    hidden_dim : int, default=64
        Units of both LSTMs, c in the paper.

    See Also
    --------
    WindowedDetector : Gives one score for each row of a table.
    split_roles : Splits the rows of a table into the six parts of the paper.
    TunedThresholdDetector : Finds the threshold on v_N2 and v_A.
    SigmaThreshold : Finds it without labelled anomalies.
    LSTMAutoencoder : Other decoders.

    Notes
    -----
    The decoder starts from the encoder's last state and reconstructs the window
    backwards. It is fed the true previous values in training (teacher forcing) and its
    own outputs in scoring. Its first output is linear in the encoder's last hidden
    state.

    With e = abs(x - x'), the error of a timestep is (e - mu)^T Sigma^-1 (e - mu), mu
    and Sigma from the windows that were held out to stop the training (v_N1 of the
    paper, `X_val` here, or a part of `X`). That of a window is the mean over its
    timesteps.

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

    hidden_dim: int = 64
    _: KW_ONLY
    error_model: ErrorModel = "mahalanobis"
    refit: bool = False

    _parameter_constraints: ClassVar[dict] = {
        **BaseNeuralAutoencoder._parameter_constraints,
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
    }

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
