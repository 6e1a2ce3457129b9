"""The job of the ECG study: six nets, with its own loops of torch or with skad.

Its own loops: stock loader, stock Adam, LSTMs cell by cell. Either side trains the six
nets on the same beats, holds out a tenth of them to keep the weights that are best on
it, and prints the ROC-AUC of each net on the test beats as JSON. The third side,
"wish", is the net that the study closes with, convolutions and LSTMs together: trained
as the study trains, and with skad's defaults.

Run: python benchmarks/study.py {loops,skad,wish} BEATS.npz [--epochs N]
"""

import argparse
import copy
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = 64


class StudyMLP(nn.Module):
    """Dense net of the study: (B, 187, 1) -> the same, and the latent code (B, 32)."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(187, 500), nn.ReLU()),
            *(nn.Linear(500, 100), nn.Softmax(dim=1)),
            nn.Linear(100, 32),
        )
        self.decoder = nn.Sequential(
            nn.Softmax(dim=1),
            *(nn.Linear(32, 100), nn.ReLU()),
            *(nn.Linear(100, 500), nn.ReLU()),
            *(nn.Linear(500, 187), nn.Sigmoid()),
            nn.Unflatten(1, (187, 1)),
        )

    def forward(self, X):
        """Reconstruct."""
        latent = self.encoder(X)
        return self.decoder(latent), latent


class StudyLSTM(nn.Module):
    """LSTM of the study, cell by cell: (B, T, 1) -> the same, and the code (B, H).

    The decoder writes the window backwards. Its first input is zero, then it gets its
    own outputs, or with ``feedback="logit"`` what they are the sigmoid of.
    """

    def __init__(self, hidden_dim=20, feedback="output"):
        super().__init__()
        self.encoder = nn.LSTMCell(1, hidden_dim)
        self.decoder = nn.LSTMCell(1, hidden_dim)
        self.output_layer = nn.Linear(hidden_dim, 1)
        self.feedback = feedback

    def forward(self, X):
        """Reconstruct."""
        state, outputs = None, []
        for step in X.unbind(1):
            state = self.encoder(step, state)
        latent, fed_back = state[0], torch.zeros_like(X[:, 0])
        for _ in range(X.shape[1]):
            state = self.decoder(fed_back, state)
            logit = self.output_layer(state[0])
            outputs.append(torch.sigmoid(logit))
            fed_back = outputs[-1] if self.feedback == "output" else logit
        return torch.stack(outputs[::-1], dim=1), latent


class StudyConv(nn.Module):
    """Convolutions of the study: (B, 187, 1) -> the same, and the code (B, 32)."""

    def __init__(self, softmax_code=False):
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv1d(1, 2, 8), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(2, 4, 11), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(4, 8, 11), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(8, 16, 6), nn.ReLU(), nn.MaxPool1d(2)),
            nn.Conv1d(16, 32, 5),
        )
        self.decoder = nn.Sequential(
            nn.Softmax(dim=1) if softmax_code else nn.ReLU(),
            *(nn.ConvTranspose1d(32, 16, 15), nn.ReLU()),
            *(nn.ConvTranspose1d(16, 8, 12, stride=2), nn.ReLU()),
            *(nn.ConvTranspose1d(8, 4, 12, stride=2), nn.Sigmoid()),
            *(nn.ConvTranspose1d(4, 2, 12, stride=2, padding=5), nn.Sigmoid()),
            *(nn.ConvTranspose1d(2, 1, 8), nn.Sigmoid()),
        )

    def forward(self, X):
        """Reconstruct."""
        latent = self.encoder(X.transpose(1, 2))
        return self.decoder(latent).transpose(1, 2), latent.flatten(1)


NETS = {
    "MLP": StudyMLP,
    "LSTM": StudyLSTM,
    "Conv": StudyConv,
    "KL-MLP": StudyMLP,
    "KL-LSTM": StudyLSTM,
    "KL-Conv": partial(StudyConv, softmax_code=True),
}


def as_windows(X):
    """Windows of one channel as a tensor, (n_windows, window_length, 1) float32."""
    return torch.from_numpy(X.astype(np.float32))[:, :, None]


def copy_weights(source, target):
    """Give a net the weights of another whose layers come in the same order."""
    with torch.no_grad():
        for new, old in zip(source.parameters(), target.parameters(), strict=True):
            old.copy_(new)


def errors_of(module, X, batch_size=256):
    """Mean squared error of each window."""
    module.eval()
    with torch.inference_mode():
        errors = [
            (module(batch)[0] - batch).double().square().mean((1, 2))
            for batch in as_windows(X).split(batch_size)
        ]
    return torch.cat(errors).numpy()


# The two sides ------------------------------------------------------------------------


def fit_by_loops(module, X, n_epochs, *, kl):
    """Train a net as the study did."""
    windows = as_windows(X)[torch.randperm(len(X))]
    n_held_out = round(0.1 * len(X))
    train = DataLoader(TensorDataset(windows[n_held_out:]), BATCH_SIZE, shuffle=True)
    valid = DataLoader(TensorDataset(windows[:n_held_out]), BATCH_SIZE)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, weight_decay=1e-2)
    best_loss, best_weights = np.inf, None
    for _ in range(n_epochs):
        module.train()
        for (batch,) in train:
            optimizer.zero_grad()
            loss = _loss(module, batch, kl)
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 5.0)
            optimizer.step()
        module.eval()
        with torch.no_grad():
            valid_loss = sum(_loss(module, batch, kl).item() for (batch,) in valid)
        if valid_loss < best_loss:
            best_loss, best_weights = valid_loss, copy.deepcopy(module.state_dict())
    module.load_state_dict(best_weights)


def _loss(module, batch, kl):
    reconstruction, latent = module(batch)
    loss = F.mse_loss(reconstruction, batch, reduction="sum")
    if kl:
        log_p = F.log_softmax(latent, dim=1)
        noise = torch.rand_like(log_p)
        loss = loss + F.kl_div(log_p, noise, reduction="batchmean")
    return loss


def run_loops(X_train, X_test, n_epochs):
    """Yield each net's name and anomaly scores, by the study's loops."""
    torch.manual_seed(0)
    for name, make in NETS.items():
        module = make()
        fit_by_loops(module, X_train, n_epochs, kl=name.startswith("KL-"))
        yield name, errors_of(module, X_test, BATCH_SIZE)


def run_skad(X_train, X_test, n_epochs):
    """Yield the same by skad, with the detectors of the example."""
    for name, detector in detectors(n_epochs).items():
        yield name, -detector.fit(X_train).score_samples(X_test)


def run_wish(X_train, X_test, n_epochs):
    """Yield the same of the net that the study wished for."""
    own = _example().skads_own(n_epochs)
    wish = _example().study_wish(n_epochs) | {n: own[n] for n in own if "LSTM" in n}
    for name, detector in wish.items():
        yield name, -detector.fit(X_train).score_samples(X_test)


def detectors(n_epochs):
    """Make the detectors of examples/ecg_heartbeats.py, without calibration.

    No other side leaves windows out for its threshold.
    """
    nets = _example().study_nets(n_epochs)
    return {n: net.set_params(contamination=0.01) for n, net in nets.items()}


def _example():
    sys.path.append(str(Path(__file__).parents[1] / "examples"))
    import ecg_heartbeats

    return ecg_heartbeats


SIDES = {"loops": run_loops, "skad": run_skad, "wish": run_wish}


def run(side, X_train, X_test, is_anomaly, n_epochs):
    """Do the job; returns the ROC-AUC of each net."""
    results = SIDES[side](X_train, X_test, n_epochs)
    return {name: roc_auc_score(is_anomaly, scores) for name, scores in results}


def main():
    """Print the ROC-AUC of each net."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("beats", help="X_train, X_test (n, 187) and is_anomaly")
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(args.beats) as beats:
        arrays = [beats[name] for name in ("X_train", "X_test", "is_anomaly")]
    print(json.dumps(run(args.side, *arrays, args.epochs)))


if __name__ == "__main__":
    main()
