"""One table: every public estimator that takes a table, with fast settings."""

from sklearn.ensemble import IsolationForest
from torch import nn

from skad import (
    AlertBudgetThreshold,
    Autoencoder,
    ConformalThreshold,
    ConvAutoencoder,
    ConvLSTMAutoencoder,
    CostThreshold,
    DetectorClassifier,
    DetectorUnion,
    EncDecAD,
    FBetaThreshold,
    FixedThresholdDetector,
    HybridErrors,
    IQRThreshold,
    LinearAutoencoder,
    LocallyLinearAutoencoder,
    LSTMAutoencoder,
    MADThreshold,
    MahalanobisErrors,
    MaskedFeatureAutoencoder,
    MeanAbsoluteErrors,
    MeanSquaredErrors,
    MLPAutoencoder,
    PerSeriesDetector,
    POTThreshold,
    PrecisionFloorThreshold,
    QuantileThreshold,
    RandomConvolutions,
    RootMeanSquaredErrors,
    SigmaThreshold,
    SlidingWindow,
    StandardizedErrors,
    TableReader,
    TimeSeriesImputer,
    TunedThresholdDetector,
    WindowedDetector,
    WindowNormalizer,
    WindowSummary,
)


class Bottleneck(nn.Module):
    """A user's module: dense, with dropout; optionally without its code."""

    def __init__(self, window_length, n_channels, width=2, returns_latent=True):
        super().__init__()
        self.encoder = nn.Linear(window_length * n_channels, width)
        self.dropout = nn.Dropout(0.1)
        self.decoder = nn.Linear(width, window_length * n_channels)
        self.returns_latent = returns_latent

    def forward(self, X):
        latent = self.encoder(X.flatten(1))
        reconstruction = self.decoder(self.dropout(latent)).view_as(X)
        return (reconstruction, latent) if self.returns_latent else reconstruction


FAST = {"max_epochs": 3, "random_state": 0}
# Where any net will do.
ONE_EPOCH = {"max_epochs": 1, "early_stopping": False, "random_state": 0}

# Autoencoders, by a name for the test's id. Every error model and every variant of a
# net that changes what is computed stands here once.
AUTOENCODERS = {
    "linear": LinearAutoencoder(),
    "linear-int": LinearAutoencoder(1, contamination=0.1),
    "linear-mahalanobis": LinearAutoencoder(
        error_model=MahalanobisErrors(vector="window"), contamination=0.1
    ),
    "linear-hybrid": LinearAutoencoder(error_model="hybrid"),
    "local": LocallyLinearAutoencoder(),
    "local-one": LocallyLinearAutoencoder(1, error_model="mae"),
    "local-std": LocallyLinearAutoencoder(3, max_windows=20, error_model="std"),
    "mlp": MLPAutoencoder((8,), 1, **FAST),
    "mlp-plain": MLPAutoencoder((6, 3), 1, linear_path=None, error_model="mae", **FAST),
    "mlp-share": MLPAutoencoder((8,), 0.5, error_model="std", **FAST),
    "mlp-hybrid": MLPAutoencoder((8,), 1, error_model="hybrid", **FAST),
    "mlp-no-validation": MLPAutoencoder(
        (8,), 1, early_stopping=False, contamination=0.1, **FAST
    ),
    "mlp-noise": MLPAutoencoder(
        (), 1, input_noise=0.1, kl_weight=0.1, kl_prior="random", **FAST
    ),
    "mlp-residual": MLPAutoencoder(
        (),
        4,
        linear_path=None,
        latent_activation="silu",
        residual_block=True,
        input_noise=(0.2, 1.5),
        max_steps=3,
        early_stopping=False,
        error_model="rmse",
        random_state=0,
    ),
    "masked-features": MaskedFeatureAutoencoder(
        10, 8, max_windows=50, max_steps=5, random_state=0
    ),
    "masked-features-samples": MaskedFeatureAutoencoder(
        10,
        8,
        latent_dim=2,
        n_parts=2,
        mask_probability=1.0,
        error_model="hybrid",
        early_stopping=True,
        max_steps=5,
        random_state=0,
    ),
    "mlp-schedule": MLPAutoencoder(
        (8,),
        1,
        optimizer="adamw",
        lr_schedule="cosine",
        max_grad_norm=1.0,
        weight_decay=1e-4,
        **FAST,
    ),
    "conv": ConvAutoencoder((4, 4), 3, 1, **FAST),
    "conv-plain": ConvAutoencoder(
        (4,), 4, 1, linear_path=None, error_model="mahalanobis", **FAST
    ),
    "conv-lstm": ConvLSTMAutoencoder((4, 4), 3, 2, 1, **FAST),
    "conv-lstm-plain": ConvLSTMAutoencoder(
        (3,), 4, 3, 1, linear_path=None, error_model="mse", **FAST
    ),
    "lstm": LSTMAutoencoder(2, latent_dim=1, **FAST),
    "lstm-plain": LSTMAutoencoder(1, linear_path=None, error_model="mse", **FAST),
    "lstm-steps": LSTMAutoencoder(
        2, linear_path=None, output_activation="leaky_relu", **FAST
    ),
    "lstm-teacher": LSTMAutoencoder(
        2, linear_path=None, teacher_forcing=True, reverse=False, **FAST
    ),
    "encdec-ad": EncDecAD(2, **FAST),
    "custom": Autoencoder(Bottleneck, **FAST),
}

META_ESTIMATORS = {
    "union": DetectorUnion(
        [("plane", LinearAutoencoder(1)), ("near", LocallyLinearAutoencoder(3))],
        weights={"near": 2.0},
        gates={"plane": 1.5},
    ),
    "union-others": DetectorUnion(
        [
            ("net", MLPAutoencoder((8,), 1, **FAST)),
            ("forest", IsolationForest(n_estimators=10, random_state=0)),
        ],
        contamination=0.1,
    ),
    "per-series": PerSeriesDetector(LinearAutoencoder(1)),
    "per-series-pool": PerSeriesDetector(
        IsolationForest(n_estimators=5, random_state=0), new_series="pool"
    ),
    "tuned": TunedThresholdDetector(LinearAutoencoder(1)),
    "tuned-net": TunedThresholdDetector(MLPAutoencoder((8,), 1, **FAST)),
    "tuned-cv": TunedThresholdDetector(
        IsolationForest(n_estimators=20, random_state=0), FBetaThreshold(), cv=2
    ),
    "tuned-share": TunedThresholdDetector(
        LinearAutoencoder(), QuantileThreshold(), cv=0.3, refit=False, random_state=0
    ),
    "fixed": FixedThresholdDetector(LinearAutoencoder(1), threshold=-0.5),
    "classifier": DetectorClassifier(LinearAutoencoder(1)),
}

# Windows of one row: like any estimator.
SERIES = {
    "sliding-one": SlidingWindow(1),
    "windowed-one": WindowedDetector(LinearAutoencoder(1), 1),
    "windowed-one-net": WindowedDetector(MLPAutoencoder((8,), 1, **FAST), 1),
}

FEATURES = {
    "convolutions": RandomConvolutions(20, random_state=0),
    "convolutions-plain": RandomConvolutions(
        7, kernel_length=2, n_segments=1, n_components=None, random_state=0
    ),
    "normalizer": WindowNormalizer(),
    "summary": WindowSummary(),
}

IMPUTERS = {
    "ffill": TimeSeriesImputer(),
    "bfill": TimeSeriesImputer("bfill", fallback="mean"),
    "linear-time": TimeSeriesImputer("linear", limit=2, add_indicator=True),
    "time": TimeSeriesImputer("time", fallback=0.0),
    "tail": TimeSeriesImputer(carry_tail=True, limit=3, max_missing=0.5),
    "no-fallback": TimeSeriesImputer("linear", fallback=None, max_missing=0.5),
}

READERS = {
    "reader": TableReader(),
    "reader-missing": TableReader(missing=[-200, "Bad"]),
}

# A row is scored with its neighbours: their order counts, and what stands beside them.
WITH_NEIGHBOURS = {
    "sliding": SlidingWindow(4, pad="zero"),
    "sliding-auto": SlidingWindow("auto"),
    "windowed": WindowedDetector(LinearAutoencoder(), 4, contamination=0.1),
    "windowed-auto": WindowedDetector(LinearAutoencoder(1), contamination=0.1),
    "windowed-timestep": WindowedDetector(
        MLPAutoencoder((8,), 2, **FAST), 4, level="timestep", aggregate="median"
    ),
    "windowed-forest": WindowedDetector(
        IsolationForest(n_estimators=10, random_state=0),
        4,
        stride=3,
        aggregate="max",
        contamination=0.1,
    ),
    "windowed-lstm": WindowedDetector(EncDecAD(2, **FAST), 4, aggregate="last"),
}

ESTIMATORS = AUTOENCODERS | META_ESTIMATORS | SERIES | FEATURES | IMPUTERS | READERS
ESTIMATORS |= WITH_NEIGHBOURS

# Those that take scores or residuals, not tables: checked by tests of their own.
RULES = [
    FBetaThreshold(),
    PrecisionFloorThreshold(),
    CostThreshold(),
    QuantileThreshold(),
    AlertBudgetThreshold(4.0, per=10),
    AlertBudgetThreshold(4.0, per=10, count="events"),
    SigmaThreshold(),
    MADThreshold(),
    IQRThreshold(),
    POTThreshold(risk=0.05, level=0.8),
    ConformalThreshold(alpha=0.25),
]
ERROR_MODELS = [
    MeanSquaredErrors(),
    RootMeanSquaredErrors(),
    MeanAbsoluteErrors(),
    StandardizedErrors(),
    MahalanobisErrors(),
    MahalanobisErrors(vector="window", shrinkage=0.1),
    HybridErrors(),
]
