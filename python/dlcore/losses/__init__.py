"""Losses: what training makes small. Classes reduce to one number; functions return one value per sample."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.losses.crossentropy import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from dlcore.losses.ctc import CTC, ctc
from dlcore.losses.hinge import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from dlcore.losses.loss import FunctionLoss, Loss
from dlcore.losses.metric_learning import Circle, circle
from dlcore.losses.overlap import Dice, Tversky, dice, tversky
from dlcore.losses.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)
from dlcore.registry import Catalogue as _Catalogue

bce = BCE = binary_crossentropy
kld = KLD = kl_divergence
mae = MAE = mean_absolute_error
mse = MSE = mean_squared_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error

_catalogue = _Catalogue(
    "loss",
    "keras.losses",
    [
        BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
        SparseCategoricalCrossentropy, CategoricalHinge, Hinge, SquaredHinge, Dice, Tversky, CosineSimilarity, Huber,
        KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
        MeanSquaredLogarithmicError, Poisson, CTC, Circle, CategoricalGeneralizedCrossEntropy,
        binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_focal_crossentropy,
        sparse_categorical_crossentropy, categorical_hinge, hinge, squared_hinge, dice, tversky, cosine_similarity,
        huber, kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
        mean_squared_logarithmic_error, poisson, ctc, circle,
        categorical_generalized_cross_entropy,
    ],
    aliases={
        "bce": bce, "BCE": bce, "kld": kld, "KLD": kld, "mae": mae, "MAE": mae, "mse": mse, "MSE": mse, "mape": mape,
        "MAPE": mape, "msle": msle, "MSLE": msle, "logcosh": log_cosh, "huber_loss": huber,
    },
)  # fmt: skip


def get(identifier):
    """The loss function or object for a name, a configuration, a class or a callable; None stays None.

    Raises:
        ValueError: an unknown name; the nearest ones are listed.
    """
    return _catalogue.get(identifier)


def serialize(loss):
    """The configuration dict of a loss."""
    return _catalogue.serialize(loss)


def deserialize(name, custom_objects=None):
    """The loss from what `serialize` returned, or of a name.

    Args:
        name: dict, or a name.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    return _catalogue.deserialize(name, custom_objects)


__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "BCE", "CTC", "KLD", "MAE", "MAPE", "MSE", "MSLE", "BinaryCrossentropy", "BinaryFocalCrossentropy",
    "CategoricalCrossentropy", "CategoricalFocalCrossentropy", "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge", "Circle", "CosineSimilarity", "Dice",
    "FunctionLoss", "Hinge", "Huber", "KLDivergence", "LogCosh", "Loss", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky", "bce", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "categorical_hinge", "circle",
    "cosine_similarity", "ctc", "deserialize", "dice", "get", "hinge", "huber", "kl_divergence", "kld", "log_cosh",
    "mae", "mape", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "mse", "msle", "poisson", "serialize", "sparse_categorical_crossentropy",
    "squared_hinge", "tversky",
]  # fmt: skip
