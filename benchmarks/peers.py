"""One side of a comparison with a peer, run by the Python that has it.

Prints JSON: CPU seconds of fit, and of scoring the training windows twice, the loss of
the last batch (LSTMs), and the anomaly scores of the test windows, higher = more
anomalous. A small fit before it pays for what torch loads late. Both sides of a pair
have the same net, loss, optimizer, learning rate, epochs, batch size and windows, and
train on all of them.

pyod            AutoEncoder without batch normalisation, dropout and scaling; its fit,
                like ours, scores the training windows
dtaianomaly     AutoEncoder without the first two, with its scaling of each window; the
                windows are laid end to end to a series, which it cuts again
unscaled        the same without scaling
merlion         the module of LSTMED in the loops of LSTMED, without its normaliser and
                calibrator; as there, gradients stay on in scoring
skad-...        skad's side of each

Run: python benchmarks/peers.py SIDE WINDOWS.npz [--epochs N]
"""

import argparse
import json
import time
import warnings

import numpy as np
import torch

BATCH_SIZE = 64
LR = 1e-3
HIDDEN, LATENT = [500, 100], 32
LSTM_UNITS = {1: 20, 10: 64}  # by the number of channels
N_SCORINGS = 2


# Each side is made of three functions: make(n_epochs, shape of a window),
# fit(detector, windows) and score(detector, windows).


def make_pyod(n_epochs, shape):
    """Make PyOD's AutoEncoder."""
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(
        hidden_neuron_list=[*HIDDEN, LATENT],
        batch_norm=False,
        dropout_rate=0.0,
        preprocessing=False,
        optimizer_params={"weight_decay": 0.0},
        lr=LR,
        epoch_num=n_epochs,
        batch_size=BATCH_SIZE,
        random_state=0,
        verbose=0,
    )


def fit_rows(detector, X):
    """Fit a detector of windows as rows."""
    detector.fit(X.reshape(len(X), -1))


def score_pyod(detector, X):
    """Score rows, higher = more anomalous."""
    return detector.decision_function(X.reshape(len(X), -1))


def make_dtaianomaly(n_epochs, shape, scaled=True):
    """Make dtaianomaly's AutoEncoder, which takes a series."""
    from dtaianomaly.anomaly_detection import AutoEncoder

    return AutoEncoder(
        window_size=shape[0],
        stride=shape[0],
        encoder_dimensions=HIDDEN,
        latent_space_dimension=LATENT,
        decoder_dimensions=HIDDEN[::-1],
        batch_normalization=False,
        dropout_rate=0.0,
        error_metric="mean-squared-error",
        standard_scaling=scaled,
        learning_rate=LR,
        n_epochs=n_epochs,
        batch_size=BATCH_SIZE,
        data_loader_kwargs={"shuffle": True},
        seed=0,
    )


def fit_series(detector, X):
    """Fit a detector of series on windows laid end to end."""
    detector.fit(X.reshape(-1, X.shape[2]))


def score_series(detector, X):
    """Score such windows: every row of one has its score."""
    return detector.decision_function(X.reshape(-1, X.shape[2]))[:: X.shape[1]]


def make_mlp(n_epochs, shape, **activations):
    """Make skad's dense net like that of a peer; it trains on all windows once."""
    from skad import MLPAutoencoder

    return MLPAutoencoder(
        HIDDEN,
        LATENT,
        linear_path=None,
        latent_activation="relu",
        n_channels=shape[1],
        error_model="mse",
        contamination=0.01,  # the others leave no windows out for their thresholds
        early_stopping=False,
        refit=False,
        lr=LR,
        lr_schedule=None,
        max_epochs=n_epochs,
        batch_size=BATCH_SIZE,
        random_state=0,
        **activations,
    )


def make_scaled_mlp(n_epochs, shape):
    """Make the same behind the scaling of every window."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, scale

    return make_pipeline(
        FunctionTransformer(scale, kw_args={"axis": 1}),
        make_mlp(n_epochs, shape, output_activation="relu"),
    )


def score_rows(detector, X):
    """Score rows with skad, turned so that higher = more anomalous."""
    return -detector.score_samples(X.reshape(len(X), -1))


class LSTMSide:
    """A module and the loop around it, the same for both sides.

    Only the optimizer's step and whether gradients stay on in scoring are each side's.
    """

    def __init__(self, module, n_epochs, *, fused, gradients):
        self.module = module
        self.n_epochs = n_epochs
        self.fused = fused
        self.gradients = gradients

    def fit(self, X):
        """Train as LSTMED does, the windows in the order given."""
        batches = _as_tensor(X).split(BATCH_SIZE)
        optimizer = torch.optim.Adam(self.module.parameters(), lr=LR, fused=self.fused)
        self.module.train()
        for _ in range(self.n_epochs):
            for batch in batches:
                loss = (self._outputs(batch) - batch).square().sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self.loss = loss.item()

    def score(self, X):
        """Mean absolute error of each window, as in LSTMED."""
        self.module.eval()
        with torch.inference_mode(not self.gradients):
            errors = [
                (self._outputs(batch) - batch).abs().mean((1, 2)).detach()
                for batch in _as_tensor(X).split(BATCH_SIZE)
            ]
        return torch.cat(errors).numpy()

    def _outputs(self, batch):
        outputs = self.module(batch)
        return outputs[0] if isinstance(outputs, tuple) else outputs


def _as_tensor(X):
    return torch.from_numpy(X.astype(np.float32))


def make_merlion(n_epochs, shape):
    """Merlion's module as it is used there."""
    from merlion.models.anomaly.lstm_ed import LSTMEDModule

    torch.manual_seed(0)
    module = LSTMEDModule(shape[1], LSTM_UNITS[shape[1]], (1, 1), (0, 0), "cpu")
    return LSTMSide(module, n_epochs, fused=None, gradients=True)


def make_encdec(n_epochs, shape):
    """Make the module of EncDecAD; the seed gives it the same weights."""
    from skad import EncDecAD

    torch.manual_seed(0)
    detector = EncDecAD(LSTM_UNITS[shape[1]])
    module_class, params, _ = detector._architecture(None)  # asks for no windows
    return LSTMSide(
        module_class(*shape, **params), n_epochs, fused=True, gradients=False
    )


SIDES = {
    "pyod": (make_pyod, fit_rows, score_pyod),
    "skad-pyod": (make_mlp, fit_rows, score_rows),
    "dtaianomaly": (make_dtaianomaly, fit_series, score_series),
    "skad-dtaianomaly": (make_scaled_mlp, fit_rows, score_rows),
    "unscaled": (
        lambda *args: make_dtaianomaly(*args, scaled=False),
        fit_series,
        score_series,
    ),
    "skad-unscaled": (
        lambda *args: make_mlp(*args, output_activation="relu"),
        fit_rows,
        score_rows,
    ),
    "merlion": (make_merlion, LSTMSide.fit, LSTMSide.score),
    "skad-merlion": (make_encdec, LSTMSide.fit, LSTMSide.score),
}


def measure(side, X_train, X_test, n_epochs):
    """Fit and score; the figures to print."""
    make, fit, score = SIDES[side]
    shape = X_train.shape[1:]
    warm = make(1, shape)
    fit(warm, X_train[: 2 * BATCH_SIZE])
    score(warm, X_train[: 2 * BATCH_SIZE])
    detector, many = make(n_epochs, shape), np.concatenate([X_train] * N_SCORINGS)
    start = time.process_time()
    fit(detector, X_train)
    fitted = time.process_time()
    score(detector, many)
    scored = time.process_time()
    return {
        "fit": fitted - start,
        "score": scored - fitted,
        "loss": getattr(detector, "loss", None),
        "scores": score(detector, X_test).tolist(),
    }


def main():
    """Print the figures of one side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=SIDES)
    parser.add_argument(
        "windows", help="X_train and X_test, (n, timesteps[, channels])"
    )
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    # Of outputs that cannot be negative: such is the net of dtaianomaly.
    warnings.filterwarnings("ignore", "output_activation", UserWarning)
    with np.load(args.windows) as arrays:
        windows = [np.atleast_3d(arrays[name]) for name in ("X_train", "X_test")]
    print(json.dumps(measure(args.side, *windows, args.epochs)))


if __name__ == "__main__":
    main()
