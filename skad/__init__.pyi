"""Every public name, and where it lives; read at import, and by type checkers."""

from .calibration._drift import DriftReport as DriftReport
from .calibration._recalibrate import recalibrate as recalibrate
from .calibration._warnings import CalibrationWarning as CalibrationWarning
from .calibration._warnings import DriftWarning as DriftWarning
from .datasets._heartbeat_files import load_heartbeats as load_heartbeats
from .datasets._make_heartbeats import make_heartbeats as make_heartbeats
from .datasets._make_sensors import make_sensors as make_sensors
from .datasets._sensor_files import load_keogh_discords as load_keogh_discords
from .datasets._sensor_files import load_pump_sensors as load_pump_sensors
from .datasets._sensor_files import load_skab as load_skab
from .detectors._conv import ConvAutoencoder as ConvAutoencoder
from .detectors._convlstm import ConvLSTMAutoencoder as ConvLSTMAutoencoder
from .detectors._custom import Autoencoder as Autoencoder
from .detectors._encdec_ad import EncDecAD as EncDecAD
from .detectors._linear import LinearAutoencoder as LinearAutoencoder
from .detectors._locally_linear import (
    LocallyLinearAutoencoder as LocallyLinearAutoencoder,
)
from .detectors._lstm import LSTMAutoencoder as LSTMAutoencoder
from .detectors._masked import MaskedFeatureAutoencoder as MaskedFeatureAutoencoder
from .detectors._mlp import MLPAutoencoder as MLPAutoencoder
from .error_models._base import BaseErrorModel as BaseErrorModel
from .error_models._hybrid import HybridErrors as HybridErrors
from .error_models._residuals import MahalanobisErrors as MahalanobisErrors
from .error_models._residuals import MeanAbsoluteErrors as MeanAbsoluteErrors
from .error_models._residuals import MeanSquaredErrors as MeanSquaredErrors
from .error_models._residuals import RootMeanSquaredErrors as RootMeanSquaredErrors
from .error_models._residuals import StandardizedErrors as StandardizedErrors
from .evaluation._compare import evaluate as evaluate
from .features._convolutions import RandomConvolutions as RandomConvolutions
from .features._normalizer import WindowNormalizer as WindowNormalizer
from .features._summary import WindowSummary as WindowSummary
from .metrics._affiliation import affiliation_scores as affiliation_scores
from .metrics._best_scores import best_fbeta_score as best_fbeta_score
from .metrics._best_scores import composite_fbeta_score as composite_fbeta_score
from .metrics._event_scores import detection_delay as detection_delay
from .metrics._event_scores import event_fbeta_score as event_fbeta_score
from .metrics._event_scores import event_precision_score as event_precision_score
from .metrics._event_scores import event_recall_score as event_recall_score
from .metrics._event_scores import false_alarms_per_day as false_alarms_per_day
from .metrics._event_scores import (
    point_adjusted_fbeta_score as point_adjusted_fbeta_score,
)
from .metrics._nab import nab_score as nab_score
from .metrics._range_auc import range_auc_pr_score as range_auc_pr_score
from .metrics._range_auc import range_auc_roc_score as range_auc_roc_score
from .metrics._range_scores import range_fbeta_score as range_fbeta_score
from .metrics._range_scores import range_precision_score as range_precision_score
from .metrics._range_scores import range_recall_score as range_recall_score
from .metrics._report import DetectionReport as DetectionReport
from .metrics._report import detection_report as detection_report
from .metrics._scorers import make_outlier_scorer as make_outlier_scorer
from .metrics._volume import vus_pr_score as vus_pr_score
from .metrics._volume import vus_roc_score as vus_roc_score
from .persistence._onnx import to_onnx as to_onnx
from .persistence._save_load import audit as audit
from .persistence._save_load import load as load
from .persistence._save_load import save as save
from .pipelines._sensors import sensor_pipeline as sensor_pipeline
from .plotting._comparison import DetectorComparisonDisplay as DetectorComparisonDisplay
from .plotting._contributions import ContributionDisplay as ContributionDisplay
from .plotting._drift import DriftDisplay as DriftDisplay
from .plotting._history import TrainingHistoryDisplay as TrainingHistoryDisplay
from .plotting._missing import MissingValuesDisplay as MissingValuesDisplay
from .plotting._reconstruction import ReconstructionDisplay as ReconstructionDisplay
from .plotting._scores import AnomalyScoreDisplay as AnomalyScoreDisplay
from .plotting._threshold import ThresholdDisplay as ThresholdDisplay
from .reporting._report import report as report
from .scale._chunks import score_chunks as score_chunks
from .scale._fit_parquet import fit_parquet as fit_parquet
from .scale._parquet import score_parquet as score_parquet
from .scale._stream import StreamScorer as StreamScorer
from .series._clean import clean_table as clean_table
from .series._drift import drift_report as drift_report
from .series._events import find_events as find_events
from .series._events import merge_events as merge_events
from .series._expected import expected_values as expected_values
from .series._explain import explain as explain
from .series._imputer import TimeSeriesImputer as TimeSeriesImputer
from .series._length import suggest_window_length as suggest_window_length
from .series._per_series import PerSeriesDetector as PerSeriesDetector
from .series._reader import TableReader as TableReader
from .series._roles import split_roles as split_roles
from .series._table_report import TableReport as TableReport
from .series._union import DetectorUnion as DetectorUnion
from .series._windowed import WindowedDetector as WindowedDetector
from .series._windows import SlidingWindow as SlidingWindow
from .series._windows import sliding_windows as sliding_windows
from .thresholds._classifier import DetectorClassifier as DetectorClassifier
from .thresholds._conformal import ConformalThreshold as ConformalThreshold
from .thresholds._counting import AlertBudgetThreshold as AlertBudgetThreshold
from .thresholds._counting import QuantileThreshold as QuantileThreshold
from .thresholds._fixed import FixedThresholdDetector as FixedThresholdDetector
from .thresholds._labelled import CostThreshold as CostThreshold
from .thresholds._labelled import FBetaThreshold as FBetaThreshold
from .thresholds._labelled import PrecisionFloorThreshold as PrecisionFloorThreshold
from .thresholds._spread import IQRThreshold as IQRThreshold
from .thresholds._spread import MADThreshold as MADThreshold
from .thresholds._spread import SigmaThreshold as SigmaThreshold
from .thresholds._tail import POTThreshold as POTThreshold
from .thresholds._tuned import TunedThresholdDetector as TunedThresholdDetector

__version__: str
