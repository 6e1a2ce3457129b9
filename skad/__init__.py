"""skad: autoencoders as scikit-learn outlier detectors."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# The one table of public names: where each of them lives. They are imported when they
# are first touched, so that metrics and data load no torch.
_HOMES = {
    "skad.datasets._heartbeats": ["load_heartbeats", "make_heartbeats"],
    "skad.datasets._sensors": [
        "load_keogh_discords",
        "load_pump_sensors",
        "load_skab",
        "make_sensors",
    ],
    "skad.detectors._conv": ["ConvAutoencoder"],
    "skad.detectors._custom": ["Autoencoder"],
    "skad.detectors._encdec_ad": ["EncDecAD"],
    "skad.detectors._linear": ["LinearAutoencoder"],
    "skad.detectors._lstm": ["LSTMAutoencoder"],
    "skad.detectors._mlp": ["MLPAutoencoder"],
    "skad.error_models._models": [
        "BaseErrorModel",
        "HybridErrors",
        "MahalanobisErrors",
        "MeanAbsoluteErrors",
        "MeanSquaredErrors",
        "StandardizedErrors",
    ],
    "skad.evaluation._compare": ["evaluate"],
    "skad.metrics._event_scores": [
        "detection_delay",
        "event_fbeta_score",
        "event_precision_score",
        "event_recall_score",
        "false_alarms_per_day",
        "point_adjusted_fbeta_score",
    ],
    "skad.metrics._events": ["find_events", "merge_events"],
    "skad.metrics._explain": ["explain"],
    "skad.metrics._report": ["DetectionReport", "detection_report"],
    "skad.metrics._scorers": ["make_outlier_scorer"],
    "skad.persistence._onnx": ["to_onnx"],
    "skad.persistence._save_load": ["load", "save"],
    "skad.plotting._comparison": ["DetectorComparisonDisplay"],
    "skad.plotting._contributions": ["ContributionDisplay"],
    "skad.plotting._history": ["TrainingHistoryDisplay"],
    "skad.plotting._reconstruction": ["ReconstructionDisplay"],
    "skad.plotting._scores": ["AnomalyScoreDisplay"],
    "skad.plotting._threshold": ["ThresholdDisplay"],
    "skad.series._clean": ["clean_table"],
    "skad.series._imputer": ["TimeSeriesImputer"],
    "skad.series._roles": ["split_roles"],
    "skad.series._windowed": ["WindowedDetector"],
    "skad.series._windows": ["SlidingWindow", "sliding_windows"],
    "skad.thresholds._conformal": ["ConformalThreshold"],
    "skad.thresholds._detectors": [
        "DetectorClassifier",
        "FixedThresholdDetector",
        "TunedThresholdDetector",
    ],
    "skad.thresholds._labelled": [
        "CostThreshold",
        "FBetaThreshold",
        "PrecisionFloorThreshold",
    ],
    "skad.thresholds._tail": ["POTThreshold"],
    "skad.thresholds._unlabelled": [
        "AlertBudgetThreshold",
        "IQRThreshold",
        "MADThreshold",
        "QuantileThreshold",
        "SigmaThreshold",
    ],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


if TYPE_CHECKING:  # the same table once more, for editors and mypy
    from skad.datasets._heartbeats import load_heartbeats, make_heartbeats
    from skad.datasets._sensors import (
        load_keogh_discords,
        load_pump_sensors,
        load_skab,
        make_sensors,
    )
    from skad.detectors._conv import ConvAutoencoder
    from skad.detectors._custom import Autoencoder
    from skad.detectors._encdec_ad import EncDecAD
    from skad.detectors._linear import LinearAutoencoder
    from skad.detectors._lstm import LSTMAutoencoder
    from skad.detectors._mlp import MLPAutoencoder
    from skad.error_models._models import (
        BaseErrorModel,
        HybridErrors,
        MahalanobisErrors,
        MeanAbsoluteErrors,
        MeanSquaredErrors,
        StandardizedErrors,
    )
    from skad.evaluation._compare import evaluate
    from skad.metrics._event_scores import (
        detection_delay,
        event_fbeta_score,
        event_precision_score,
        event_recall_score,
        false_alarms_per_day,
        point_adjusted_fbeta_score,
    )
    from skad.metrics._events import find_events, merge_events
    from skad.metrics._explain import explain
    from skad.metrics._report import DetectionReport, detection_report
    from skad.metrics._scorers import make_outlier_scorer
    from skad.persistence._onnx import to_onnx
    from skad.persistence._save_load import load, save
    from skad.plotting._comparison import DetectorComparisonDisplay
    from skad.plotting._contributions import ContributionDisplay
    from skad.plotting._history import TrainingHistoryDisplay
    from skad.plotting._reconstruction import ReconstructionDisplay
    from skad.plotting._scores import AnomalyScoreDisplay
    from skad.plotting._threshold import ThresholdDisplay
    from skad.series._clean import clean_table
    from skad.series._imputer import TimeSeriesImputer
    from skad.series._roles import split_roles
    from skad.series._windowed import WindowedDetector
    from skad.series._windows import SlidingWindow, sliding_windows
    from skad.thresholds._conformal import ConformalThreshold
    from skad.thresholds._detectors import (
        DetectorClassifier,
        FixedThresholdDetector,
        TunedThresholdDetector,
    )
    from skad.thresholds._labelled import (
        CostThreshold,
        FBetaThreshold,
        PrecisionFloorThreshold,
    )
    from skad.thresholds._tail import POTThreshold
    from skad.thresholds._unlabelled import (
        AlertBudgetThreshold,
        IQRThreshold,
        MADThreshold,
        QuantileThreshold,
        SigmaThreshold,
    )


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return [*__all__, "__version__"]
