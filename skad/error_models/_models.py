"""Error models by name: from residuals to one error per timestep and one per window."""

from skad.error_models._base import BaseErrorModel
from skad.error_models._hybrid import HybridErrors
from skad.error_models._residuals import (
    MahalanobisErrors,
    MeanAbsoluteErrors,
    MeanSquaredErrors,
    RootMeanSquaredErrors,
    StandardizedErrors,
)

# Pickles of 0.1.0 look for the classes in this module, too.
ERROR_MODELS: dict[str, type[BaseErrorModel]] = {
    "mse": MeanSquaredErrors,
    "rmse": RootMeanSquaredErrors,
    "mae": MeanAbsoluteErrors,
    "std": StandardizedErrors,
    "mahalanobis": MahalanobisErrors,
    "hybrid": HybridErrors,
}
