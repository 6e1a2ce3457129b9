"""The names in a model file, and the one table of what they may stand for.

A name is looked up in the table, exactly; nothing is imported because a file names it,
and no rule lets in more than what is written here. In files, public classes go by their
public names, and private ones by a name given here, so that they can move within their
packages.

What joins the table must be harmless with any attributes and, as a value, with any
arguments that are data.
"""

import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

from sklearn import metrics
from sklearn.utils.metadata_routing import MetadataRequest

# How a file uses a name: as the class of an object, as a value (a function that only
# computes, or the type of a number), or as one part of a net.
OBJECT = "the class of an object"
VALUE = "a function or type that may be a value"
MODULE, CRITERION = "a module of an autoencoder", "a criterion of a net"
ITERATOR, DATASET = "an iterator of a net", "a dataset of a net"
OPTIMIZER = "an optimizer"
SPLITTER, DISTRIBUTION = "a splitter to be repeated", "a distribution of scipy"

# The net of a detector: the one class that needs torch, and that is checked for itself.
NET = "skad.ReconstructionNet"
IMPUTER_TAIL = "skad.ImputerTail"
REFERENCE = "skad.RobustReference"


def _place(cls):
    return f"{cls.__module__}:{cls.__name__}"


# use -> module -> its public names
_PUBLIC: dict[str, dict[str, str]] = {
    OBJECT: {
        "skad": """
            AlertBudgetThreshold Autoencoder ConformalThreshold ConvAutoencoder
            ConvLSTMAutoencoder CostThreshold DetectorClassifier DetectorUnion EncDecAD
            FBetaThreshold FixedThresholdDetector HybridErrors IQRThreshold
            LSTMAutoencoder
            LinearAutoencoder LocallyLinearAutoencoder MADThreshold MLPAutoencoder
            MahalanobisErrors MaskedFeatureAutoencoder MeanAbsoluteErrors
            MeanSquaredErrors POTThreshold PerSeriesDetector PrecisionFloorThreshold
            QuantileThreshold
            RandomConvolutions RootMeanSquaredErrors SigmaThreshold SlidingWindow
            StandardizedErrors StreamScorer TableReader TimeSeriesImputer
            TunedThresholdDetector
            WindowNormalizer WindowSummary WindowedDetector""",
        "sklearn.compose": """
            ColumnTransformer TransformedTargetRegressor make_column_selector""",
        "sklearn.covariance": """
            EllipticEnvelope EmpiricalCovariance GraphicalLasso GraphicalLassoCV
            LedoitWolf MinCovDet OAS ShrunkCovariance""",
        "sklearn.decomposition": """
            DictionaryLearning FactorAnalysis FastICA IncrementalPCA KernelPCA
            LatentDirichletAllocation MiniBatchDictionaryLearning MiniBatchNMF
            MiniBatchSparsePCA NMF PCA SparseCoder SparsePCA TruncatedSVD""",
        "sklearn.ensemble": """
            AdaBoostClassifier AdaBoostRegressor BaggingClassifier BaggingRegressor
            ExtraTreesClassifier ExtraTreesRegressor GradientBoostingClassifier
            GradientBoostingRegressor HistGradientBoostingClassifier
            HistGradientBoostingRegressor IsolationForest RandomForestClassifier
            RandomForestRegressor RandomTreesEmbedding StackingClassifier
            StackingRegressor VotingClassifier VotingRegressor""",
        "sklearn.feature_selection": """
            GenericUnivariateSelect RFE RFECV SelectFdr SelectFpr SelectFromModel
            SelectFwe SelectKBest SelectPercentile SequentialFeatureSelector
            VarianceThreshold""",
        "sklearn.frozen": "FrozenEstimator",
        "sklearn.impute": "KNNImputer MissingIndicator SimpleImputer IterativeImputer",
        "sklearn.kernel_approximation": """
            AdditiveChi2Sampler Nystroem PolynomialCountSketch RBFSampler
            SkewedChi2Sampler""",
        "sklearn.linear_model": """
            ARDRegression BayesianRidge ElasticNet ElasticNetCV GammaRegressor
            HuberRegressor Lars LarsCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC
            LinearRegression LogisticRegression LogisticRegressionCV
            MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV
            OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV
            PassiveAggressiveClassifier PassiveAggressiveRegressor Perceptron
            PoissonRegressor QuantileRegressor RANSACRegressor Ridge RidgeCV
            RidgeClassifier RidgeClassifierCV SGDClassifier SGDOneClassSVM SGDRegressor
            TheilSenRegressor TweedieRegressor""",
        "sklearn.mixture": "BayesianGaussianMixture GaussianMixture",
        "sklearn.model_selection": """
            FixedThresholdClassifier GridSearchCV GroupKFold GroupShuffleSplit
            HalvingGridSearchCV HalvingRandomSearchCV KFold LeaveOneGroupOut
            LeaveOneOut LeavePGroupsOut LeavePOut PredefinedSplit RandomizedSearchCV
            RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold
            StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit
            TunedThresholdClassifierCV""",
        "sklearn.neighbors": """
            KNeighborsClassifier KNeighborsRegressor KNeighborsTransformer
            KernelDensity LocalOutlierFactor NearestCentroid NearestNeighbors
            NeighborhoodComponentsAnalysis RadiusNeighborsClassifier
            RadiusNeighborsRegressor RadiusNeighborsTransformer""",
        "sklearn.pipeline": "FeatureUnion Pipeline",
        "sklearn.preprocessing": """
            Binarizer FunctionTransformer KBinsDiscretizer KernelCenterer
            LabelBinarizer LabelEncoder MaxAbsScaler MinMaxScaler MultiLabelBinarizer
            Normalizer OneHotEncoder OrdinalEncoder PolynomialFeatures
            PowerTransformer QuantileTransformer RobustScaler SplineTransformer
            StandardScaler TargetEncoder""",
        "sklearn.random_projection": "GaussianRandomProjection SparseRandomProjection",
        "sklearn.svm": "LinearSVC LinearSVR NuSVC NuSVR OneClassSVM SVC SVR",
        "sklearn.tree": """
            DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier
            ExtraTreeRegressor""",
    },
    VALUE: {
        "skad": """
            affiliation_scores best_fbeta_score composite_fbeta_score detection_delay
            detection_report event_fbeta_score event_precision_score event_recall_score
            false_alarms_per_day nab_score point_adjusted_fbeta_score range_auc_pr_score
            range_auc_roc_score range_fbeta_score range_precision_score
            range_recall_score vus_pr_score vus_roc_score""",
        "sklearn.feature_selection": """
            chi2 f_classif f_regression mutual_info_classif mutual_info_regression
            r_regression""",
        "sklearn.metrics": """
            accuracy_score average_precision_score balanced_accuracy_score
            brier_score_loss class_likelihood_ratios cohen_kappa_score
            confusion_matrix d2_absolute_error_score d2_pinball_score
            d2_tweedie_score det_curve euclidean_distances explained_variance_score
            f1_score fbeta_score hamming_loss hinge_loss jaccard_score log_loss
            matthews_corrcoef max_error mean_absolute_error
            mean_absolute_percentage_error mean_gamma_deviance mean_pinball_loss
            mean_poisson_deviance mean_squared_error mean_squared_log_error
            mean_tweedie_deviance median_absolute_error nan_euclidean_distances
            precision_recall_curve precision_recall_fscore_support precision_score
            r2_score recall_score roc_auc_score roc_curve root_mean_squared_error
            root_mean_squared_log_error top_k_accuracy_score zero_one_loss""",
        "numpy": """
            absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt ceil
            conjugate copysign cos cosh deg2rad degrees divide equal exp exp2 expm1
            fabs float_power floor floor_divide fmax fmin fmod greater greater_equal
            heaviside hypot isfinite isinf isnan less less_equal log log10 log1p log2
            logaddexp logaddexp2 logical_and logical_not logical_or logical_xor maximum
            minimum multiply negative nextafter not_equal positive power rad2deg
            radians reciprocal remainder rint sign signbit sin sinh spacing sqrt square
            subtract tan tanh trunc
            bool bool_ bytes_ complex64 complex128 datetime64 float16 float32 float64
            int8 int16 int32 int64 longdouble object_ str_ timedelta64 uint8 uint16
            uint32 uint64
            floating integer number""",
        "builtins": "bool int float str object",
    },
    OPTIMIZER: {
        "torch.optim": """
            ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS NAdam RAdam RMSprop
            Rprop SGD SparseAdam""",
    },
    SPLITTER: {"sklearn.model_selection": "KFold StratifiedKFold"},
    DISTRIBUTION: {
        "scipy.stats": """
            beta expon gamma geom halfnorm loguniform lognorm norm poisson randint
            triang truncnorm uniform""",
    },
}

# use -> name in files -> where it is
_PRIVATE: dict[str, dict[str, str]] = {
    OBJECT: {
        NET: "skad.training._net:ReconstructionNet",
        "skad.Calibration": "skad.calibration._report:Calibration",
        "skad.UsualReadings": "skad.calibration._usual:UsualReadings",
        "skad.WindowMeans": "skad.calibration._usual:WindowMeans",
        "skad.FeatureErrors": "skad.error_models._features:FeatureErrors",
        "skad.TableReport": "skad.series._table_report:TableReport",
        IMPUTER_TAIL: "skad.series._imputer:_Tail",
        "skad.NearestRows": "skad._neighbors:NearestRows",
        REFERENCE: "skad.detectors._reference:RobustReference",
        "skad.OutlierMetric": "skad.metrics._scorers:_OutlierMetric",
        "skad.OutlierScorer": "skad.metrics._scorers:_OutlierScorer",
        "sklearn.Scorer": _place(type(metrics.make_scorer(metrics.accuracy_score))),
        "sklearn.PassthroughScorer": "sklearn.metrics._scorer:_PassthroughScorer",
        "sklearn.CurveScorer": "sklearn.metrics._scorer:_CurveScorer",
        "sklearn.Splits": "sklearn.model_selection._split:_CVIterableWrapper",
        "sklearn.ImputerTriplet": "sklearn.impute._iterative:_ImputerTriplet",
        "sklearn.MetadataRequest": _place(MetadataRequest),
        "sklearn.MethodMetadataRequest": _place(type(MetadataRequest("").fit)),
    },
    VALUE: {"skad.AffiliationFigure": "skad.metrics._affiliation:affiliation_figure"},
    MODULE: {
        "skad.MLPModule": "skad.detectors._mlp:MLPModule",
        "skad.MLPWithLinearPath": "skad.detectors._mlp:mlp_with_linear_path",
        "skad.MaskedFeatureModule": "skad.detectors._masked:MaskedFeatureModule",
        "skad.ConvModule": "skad.detectors._conv:ConvModule",
        "skad.ConvWithLinearPath": "skad.detectors._conv:conv_with_linear_path",
        "skad.ConvLSTMModule": "skad.detectors._convlstm:ConvLSTMModule",
        "skad.ConvLSTMWithLinearPath": (
            "skad.detectors._convlstm:conv_lstm_with_linear_path"
        ),
        "skad.LSTMModule": "skad.detectors._lstm:LSTMModule",
        "skad.LSTMWithLinearPath": "skad.detectors._lstm:lstm_with_linear_path",
    },
    CRITERION: {"skad.ReconstructionLoss": "skad.training._losses:ReconstructionLoss"},
    ITERATOR: {"skad.BatchIterator": "skad.training._batches:BatchIterator"},
    DATASET: {"skad.Dataset": "skorch.dataset:Dataset"},
}

# use -> name -> "module:attribute". All that a file may name.
_TABLE: dict[str, dict[str, str]] = {use: {} for use in (*_PRIVATE, *_PUBLIC)}
for _use, _modules in _PUBLIC.items():
    for _module, _names in _modules.items():
        _TABLE[_use] |= {f"{_module}.{n}": f"{_module}:{n}" for n in _names.split()}
for _use, _places in _PRIVATE.items():
    _TABLE[_use] |= _places

_PRIVATE_NAMES = {
    place: name for names in _PRIVATE.values() for name, place in names.items()
}
PRIVATE_OBJECTS = frozenset(_PRIVATE[OBJECT])

# What is built only if it is trusted: compiled code of scikit-learn reads the arrays of
# these fitted models without checks, and beyond their ends if a file is crafted. Trees
# and forests are held back by the class of their nodes.
UNCHECKED = {
    "sklearn.decomposition.DictionaryLearning",
    "sklearn.decomposition.LatentDirichletAllocation",
    "sklearn.decomposition.MiniBatchDictionaryLearning",
    "sklearn.decomposition.MiniBatchNMF",
    "sklearn.decomposition.NMF",
    "sklearn.decomposition.SparseCoder",
    "sklearn.neighbors.KNeighborsClassifier",
    "sklearn.neighbors.RadiusNeighborsClassifier",
    "sklearn.svm.NuSVC",
    "sklearn.svm.NuSVR",
    "sklearn.svm.OneClassSVM",
    "sklearn.svm.SVC",
    "sklearn.svm.SVR",
    "sklearn.tree._tree.Tree",
}


def _find(name, use) -> Any:
    """Find what the table has under a name, None for nothing.

    A version of a library may lack what another one has.
    """
    place = _TABLE[use].get(name)
    if place is None:
        return None
    try:
        return pkgutil.resolve_name(place)
    except (ImportError, AttributeError):
        return None


def name_of(thing: Any) -> str:
    """Name a class or function as files do, if it can be found again by its name."""
    attribute = getattr(thing, "__name__", "")
    module = getattr(thing, "__module__", None) or ""
    place = f"{module}:{attribute}"
    if place in _PRIVATE_NAMES:
        return _PRIVATE_NAMES[place]
    name = f"{_public_module(module)}.{attribute}"
    if any(_find(name, use) is thing for use in _PUBLIC):
        return name
    return _importable_name(thing)


def name_of_distribution(frozen: Any) -> str | None:
    """Name of a frozen distribution of scipy, None for anything else."""
    name = f"scipy.stats.{getattr(getattr(frozen, 'dist', None), 'name', '')}"
    found = _find(name, DISTRIBUTION)
    is_one = type(frozen).__module__.startswith("scipy.stats")
    return name if is_one and type(found) is type(frozen.dist) else None


def _public_module(module) -> str:
    """Guess the module in `_PUBLIC` that exports what is defined in another one."""
    package, *inside = module.split(".")
    if package == "sklearn":
        return ".".join([package, *inside[:1]])
    homes = {"skad": "skad", "torch": "torch.optim", "builtins": "builtins"}
    return homes.get(package, "numpy")  # not every ufunc has a module


def _importable_name(thing) -> str:
    name = f"{thing.__module__}.{getattr(thing, '__qualname__', thing.__name__)}"
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if found is not thing and thing.__module__ in ("builtins", "numpy"):
        raise ValueError(
            f"Objects of type {thing.__name__} cannot be saved: no name leads to them "
            "again. Use a function or a class that is defined at the top level of a "
            "module."
        )
    if found is not thing:
        raise ValueError(
            f"{thing!r} cannot be saved: importing {name} does not give it back. "
            "Define it at the top level of a module."
        )
    return name


class Names:
    """The names that a file may use: those of the table, and the trusted ones.

    `trusted` holds names, or the classes and functions themselves.
    """

    def __init__(self, trusted: Iterable[str | Callable[..., Any]] = ()):
        if isinstance(trusted, str | type | bool):
            raise TypeError(
                "trusted must be a list of classes, functions or their names; got "
                f"{trusted!r}."
            )
        self._trusted = {
            item if isinstance(item, str) else name_of(item): item for item in trusted
        }

    def is_trusted(self, name: str) -> bool:
        """Whether the reader of the file trusts this name."""
        return name in self._trusted

    def knows(self, name: str) -> bool:
        """Whether a name may be used at all."""
        return self.is_trusted(name) or any(
            self.look_up(name, use) is not None for use in _TABLE
        )

    def look_up(self, name: str, use: str) -> Any:
        """Find what a name stands for in this use, None if it may not be used so."""
        found = None if name in UNCHECKED else _find(name, use)
        if found is not None or not self.is_trusted(name):
            return found
        item = self._trusted.get(name, name)
        if not isinstance(item, str):
            return item
        # Names of the table are no places; what they stand for is imported as it.
        place = next((t[name] for t in _TABLE.values() if name in t), name)
        return pkgutil.resolve_name(place)


class OwnNames(Names):
    """The names of a file that is being made here: what it holds is at hand."""

    def is_trusted(self, name: str) -> bool:
        """All are that the table lacks."""
        return name in UNCHECKED or not any(name in t for t in _TABLE.values())
