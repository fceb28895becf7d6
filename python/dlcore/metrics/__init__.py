"""Metrics: what is measured while training and evaluating."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from dlcore.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from dlcore.metrics.confusion import (
    AUC,
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from dlcore.metrics.correlation import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    concordance_correlation,
    pearson_correlation,
)
from dlcore.metrics.f_score import F1Score, FBetaScore
from dlcore.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from dlcore.metrics.metric import Metric
from dlcore.metrics.reduction import Mean, MeanMetricWrapper, Sum
from dlcore.metrics.reduction import metric_functions as _metric_functions
from dlcore.metrics.regression import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    R2Score,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    cosine_similarity,
)
from dlcore.registry import Catalogue as _Catalogue

_catalogue = _Catalogue(
    "metric",
    "keras.metrics",
    [
        Mean, MeanMetricWrapper, Sum, Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy,
        SparseTopKCategoricalAccuracy, TopKCategoricalAccuracy, AUC, FalseNegatives, FalsePositives, Precision,
        PrecisionAtRecall, Recall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity, TrueNegatives,
        TruePositives, F1Score, FBetaScore, BinaryCrossentropy, CategoricalCrossentropy, CategoricalHinge,
        CosineSimilarity, Hinge, KLDivergence, LogCoshError, MeanAbsoluteError, MeanAbsolutePercentageError,
        MeanSquaredError, MeanSquaredLogarithmicError, Poisson, R2Score, RootMeanSquaredError,
        SparseCategoricalCrossentropy, SquaredHinge, ConcordanceCorrelation, PearsonCorrelation, BinaryIoU, IoU,
        MeanIoU, OneHotIoU, OneHotMeanIoU,
    ],
    aliases={
        "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy, "mse": MeanSquaredError, "MSE": MeanSquaredError,
        "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError, "mape": MeanAbsolutePercentageError,
        "MAPE": MeanAbsolutePercentageError, "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError,
        "rmse": RootMeanSquaredError, "RMSE": RootMeanSquaredError, "acc": Accuracy, "auc": AUC, "kld": KLDivergence,
    },
)  # fmt: skip

# The functions a saved MeanMetricWrapper may name.
_metric_functions.objects.update(
    {
        function.__name__: function
        for function in (
            accuracy, binary_accuracy, categorical_accuracy, sparse_categorical_accuracy, top_k_categorical_accuracy,
            sparse_top_k_categorical_accuracy, binary_crossentropy, binary_focal_crossentropy,
            categorical_crossentropy, sparse_categorical_crossentropy, categorical_hinge, hinge, squared_hinge, huber,
            kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
            mean_squared_logarithmic_error, poisson, cosine_similarity, categorical_focal_crossentropy,
            concordance_correlation, pearson_correlation,
        )
    }
)  # fmt: skip


def get(identifier):
    """The metric object or function for a name, a configuration, a class or a callable; None stays None.

    Raises:
        ValueError: an unknown name; the nearest ones are listed.
    """
    return _catalogue.get(identifier)


def serialize(metric):
    """The configuration dict of a metric."""
    return _catalogue.serialize(metric)


def deserialize(config, custom_objects=None):
    """The metric from what `serialize` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    return _catalogue.deserialize(config, custom_objects)


__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "CategoricalAccuracy",
    "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation", "CosineSimilarity", "F1Score",
    "FBetaScore", "FalseNegatives", "FalsePositives", "Hinge", "IoU", "KLDivergence", "LogCoshError", "Mean",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanIoU", "MeanMetricWrapper", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Metric", "OneHotIoU", "OneHotMeanIoU", "PearsonCorrelation", "Poisson", "Precision",
    "PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision", "RootMeanSquaredError", "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity", "SquaredHinge", "Sum", "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives",
    "accuracy", "binary_accuracy", "binary_crossentropy", "binary_focal_crossentropy", "categorical_accuracy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "concordance_correlation",
    "cosine_similarity", "deserialize", "get", "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "pearson_correlation",
    "poisson", "serialize", "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy",
]  # fmt: skip
