"""Losses, metrics, optimizers and schedules with fixed data, made with Keras's names: `K` is keras or dlcore.

make_keras_training.py stores what Keras computes for them; tests compare.
"""

import numpy as np

_random = np.random.RandomState(7)


def _round(x):
    return (np.round(x * 64) / 64).astype("float32")


REAL_TRUE, REAL_PRED = _round(_random.standard_normal((6, 5))), _round(_random.standard_normal((6, 5)))
POSITIVE_TRUE, POSITIVE_PRED = np.abs(REAL_TRUE) + 0.5, np.abs(REAL_PRED) + 0.25
PROBABILITIES = (_random.dirichlet(np.ones(5), 6)).astype("float32")
TRUE_PROBABILITIES = (_random.dirichlet(np.ones(5), 6)).astype("float32")
LABELS = np.array([0, 3, 4, 1, 1, 2], "int32")
ONE_HOT = np.eye(5, dtype="float32")[LABELS]
BITS = (_random.rand(6, 5) > 0.5).astype("float32")
SCORES = _random.rand(6, 5).astype("float32")
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 1.5, 1.0], "float32")
REAL, POSITIVE, LOGITS = (REAL_TRUE, REAL_PRED), (POSITIVE_TRUE, POSITIVE_PRED), (BITS, REAL_PRED)
PAIRS = np.array([0, 0, 1, 1, 2, 2], "int32")
UNIT = REAL_PRED / np.linalg.norm(REAL_PRED, axis=-1, keepdims=True)
SPELLED = np.array([[1, 1, 2], [3, 1, 0], [2, 0, 0], [4, 4, 4], [1, 2, 3], [2, 3, 2]], "int32")
STEPS_OF_LOGITS = _round(np.random.RandomState(8).standard_normal((6, 7, 5)))
SEGMENTS_TRUE = np.array([[0, 1, 2, 1], [2, 2, 1, 0], [0, 0, 1, 1], [1, 2, 0, 5], [1, 1, 1, 0], [2, 0, 1, 1]], "int32")
SEGMENTS_PRED = np.array([[0, 1, 1, 1], [2, 0, 1, 0], [1, 0, 1, 2], [1, 2, 2, 0], [0, 1, 1, 0], [2, 0, 0, 1]], "int32")

# name: (constructor, y_true, y_pred)
LOSSES = {
    "mean_squared_error": (lambda K, **k: K.losses.MeanSquaredError(**k), *REAL),
    "mean_absolute_error": (lambda K, **k: K.losses.MeanAbsoluteError(**k), *REAL),
    "mean_absolute_percentage_error": (lambda K, **k: K.losses.MeanAbsolutePercentageError(**k), *POSITIVE),
    "mean_squared_logarithmic_error": (lambda K, **k: K.losses.MeanSquaredLogarithmicError(**k), *POSITIVE),
    "huber": (lambda K, **k: K.losses.Huber(delta=0.7, **k), *REAL),
    "log_cosh": (lambda K, **k: K.losses.LogCosh(**k), *REAL),
    "hinge": (lambda K, **k: K.losses.Hinge(**k), BITS, REAL_PRED),
    "hinge_signed": (lambda K, **k: K.losses.Hinge(**k), BITS * 2 - 1, REAL_PRED),
    "squared_hinge": (lambda K, **k: K.losses.SquaredHinge(**k), BITS, REAL_PRED),
    "categorical_hinge": (lambda K, **k: K.losses.CategoricalHinge(**k), ONE_HOT, REAL_PRED),
    "binary_crossentropy": (lambda K, **k: K.losses.BinaryCrossentropy(**k), BITS, SCORES),
    "binary_crossentropy_logits": (
        lambda K, **k: K.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2, **k),
        *LOGITS,
    ),
    "binary_focal_crossentropy": (
        lambda K, **k: K.losses.BinaryFocalCrossentropy(apply_class_balancing=True, gamma=1.5, **k),
        BITS,
        SCORES,
    ),
    "binary_focal_logits": (lambda K, **k: K.losses.BinaryFocalCrossentropy(from_logits=True, **k), *LOGITS),
    "categorical_crossentropy": (lambda K, **k: K.losses.CategoricalCrossentropy(**k), ONE_HOT, PROBABILITIES),
    "categorical_crossentropy_logits": (
        lambda K, **k: K.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, **k),
        ONE_HOT,
        REAL_PRED,
    ),
    "categorical_focal_crossentropy": (
        lambda K, **k: K.losses.CategoricalFocalCrossentropy(**k),
        ONE_HOT,
        PROBABILITIES,
    ),
    "sparse_categorical_crossentropy": (
        lambda K, **k: K.losses.SparseCategoricalCrossentropy(**k),
        LABELS,
        PROBABILITIES,
    ),
    "sparse_categorical_crossentropy_logits": (
        lambda K, **k: K.losses.SparseCategoricalCrossentropy(from_logits=True, **k),
        LABELS[:, None],
        REAL_PRED,
    ),
    "sparse_categorical_crossentropy_ignore": (
        lambda K, **k: K.losses.SparseCategoricalCrossentropy(ignore_class=1, **k),
        LABELS,
        PROBABILITIES,
    ),
    "kl_divergence": (lambda K, **k: K.losses.KLDivergence(**k), TRUE_PROBABILITIES, PROBABILITIES),
    "poisson": (lambda K, **k: K.losses.Poisson(**k), *POSITIVE),
    "cosine_similarity": (lambda K, **k: K.losses.CosineSimilarity(**k), *REAL),
    "dice": (lambda K, **k: K.losses.Dice(**k), BITS, SCORES),
    "tversky": (lambda K, **k: K.losses.Tversky(alpha=0.3, beta=0.7, **k), BITS, SCORES),
    "circle": (lambda K, **k: K.losses.Circle(gamma=8.0, **k), PAIRS, UNIT),
    "circle_with_itself": (
        lambda K, **k: K.losses.Circle(gamma=2.0, margin=0.2, remove_diagonal=False, **k),
        PAIRS,
        UNIT,
    ),
    "ctc": (lambda K, **k: K.losses.CTC(**k), SPELLED, STEPS_OF_LOGITS),
    "generalized_cross_entropy": (
        lambda K, **k: K.losses.CategoricalGeneralizedCrossEntropy(q=0.7, **k),
        LABELS,
        PROBABILITIES,
    ),
}
WHOLE_BATCH_LOSSES = ("dice", "tversky")  # one value for all samples: no weights per sample
REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight")

# name: (constructor, y_true, y_pred); every metric is updated with two batches, then with weights
METRICS = {
    "accuracy": (lambda M: M.Accuracy(), LABELS, np.array([0, 3, 1, 1, 2, 2])),
    "binary_accuracy": (lambda M: M.BinaryAccuracy(threshold=0.4), BITS, SCORES),
    "categorical_accuracy": (lambda M: M.CategoricalAccuracy(), ONE_HOT, PROBABILITIES),
    "sparse_categorical_accuracy": (lambda M: M.SparseCategoricalAccuracy(), LABELS, PROBABILITIES),
    "sparse_categorical_accuracy_column": (lambda M: M.SparseCategoricalAccuracy(), LABELS[:, None], PROBABILITIES),
    "top_k": (lambda M: M.TopKCategoricalAccuracy(k=2), ONE_HOT, PROBABILITIES),
    "sparse_top_k": (lambda M: M.SparseTopKCategoricalAccuracy(k=3), LABELS, PROBABILITIES),
    "precision": (lambda M: M.Precision(), BITS, SCORES),
    "precision_thresholds": (lambda M: M.Precision(thresholds=[0.2, 0.5, 0.8]), BITS, SCORES),
    "precision_top_k": (lambda M: M.Precision(top_k=2), BITS, SCORES),
    "precision_class": (lambda M: M.Precision(class_id=1), BITS, SCORES),
    "recall": (lambda M: M.Recall(), BITS, SCORES),
    "recall_top_k_class": (lambda M: M.Recall(top_k=3, class_id=2), BITS, SCORES),
    "true_positives": (lambda M: M.TruePositives(), BITS, SCORES),
    "true_negatives": (lambda M: M.TrueNegatives(thresholds=0.3), BITS, SCORES),
    "false_positives": (lambda M: M.FalsePositives(thresholds=[0.0, 0.5, 1.0]), BITS, SCORES),
    "false_negatives": (lambda M: M.FalseNegatives(), BITS, SCORES),
    "auc": (lambda M: M.AUC(), BITS, SCORES),
    "auc_pr": (lambda M: M.AUC(curve="PR", num_thresholds=20), BITS, SCORES),
    "auc_pr_minoring": (lambda M: M.AUC(curve="PR", summation_method="minoring"), BITS, SCORES),
    "auc_pr_gain": (lambda M: M.AUC(curve="PRGAIN", num_thresholds=20), BITS, SCORES),
    "auc_pr_gain_minoring": (lambda M: M.AUC(curve="PRGAIN", summation_method="minoring"), BITS, SCORES),
    "auc_majoring": (lambda M: M.AUC(summation_method="majoring", num_thresholds=7), BITS, SCORES),
    "auc_thresholds": (lambda M: M.AUC(thresholds=[0.1, 0.3, 0.9]), BITS, SCORES),
    "auc_multi_label": (lambda M: M.AUC(multi_label=True, label_weights=[1.0, 2.0, 1.0, 0.5, 1.0]), BITS, SCORES),
    "auc_logits": (lambda M: M.AUC(from_logits=True), BITS, REAL_PRED),
    "sensitivity_at_specificity": (lambda M: M.SensitivityAtSpecificity(0.5), BITS, SCORES),
    "specificity_at_sensitivity": (lambda M: M.SpecificityAtSensitivity(0.4, num_thresholds=11), BITS, SCORES),
    "precision_at_recall": (lambda M: M.PrecisionAtRecall(0.6), BITS, SCORES),
    "recall_at_precision": (lambda M: M.RecallAtPrecision(0.55), BITS, SCORES),
    "f1": (lambda M: M.F1Score(threshold=0.4), BITS, SCORES),
    "f1_macro": (lambda M: M.F1Score(average="macro"), ONE_HOT, PROBABILITIES),
    "fbeta_micro": (lambda M: M.FBetaScore(beta=2.0, average="micro", threshold=0.5), BITS, SCORES),
    "fbeta_weighted": (lambda M: M.FBetaScore(beta=0.5, average="weighted", threshold=0.5), BITS, SCORES),
    "iou": (lambda M: M.IoU(3, [0, 2], dtype="float32"), SEGMENTS_TRUE[:, 0], SEGMENTS_PRED[:, 0]),
    "iou_ignored": (
        lambda M: M.IoU(3, [0, 1], ignore_class=2, dtype="float32"),
        SEGMENTS_TRUE[:, 1],
        SEGMENTS_PRED[:, 1],
    ),
    "iou_scores": (
        lambda M: M.IoU(5, [1, 3], sparse_y_true=True, sparse_y_pred=False, dtype="float32"),
        LABELS,
        PROBABILITIES,
    ),
    "mean_iou": (lambda M: M.MeanIoU(3, dtype="float32"), SEGMENTS_TRUE[:, 3], SEGMENTS_PRED[:, 3]),
    "binary_iou": (lambda M: M.BinaryIoU((1,), threshold=0.4, dtype="float32"), BITS[:, 0], SCORES[:, 0]),
    "one_hot_iou": (lambda M: M.OneHotIoU(5, [0, 4, 2], dtype="float32"), ONE_HOT, PROBABILITIES),
    "one_hot_mean_iou": (lambda M: M.OneHotMeanIoU(5, dtype="float32"), ONE_HOT, PROBABILITIES),
    "pearson": (lambda M: M.PearsonCorrelation(), *REAL),
    "concordance": (lambda M: M.ConcordanceCorrelation(), *REAL),
    "mse": (lambda M: M.MeanSquaredError(), *REAL),
    "rmse": (lambda M: M.RootMeanSquaredError(), *REAL),
    "mae": (lambda M: M.MeanAbsoluteError(), *REAL),
    "mape": (lambda M: M.MeanAbsolutePercentageError(), *POSITIVE),
    "msle": (lambda M: M.MeanSquaredLogarithmicError(), *POSITIVE),
    "cosine_similarity": (lambda M: M.CosineSimilarity(), *REAL),
    "log_cosh": (lambda M: M.LogCoshError(), *REAL),
    "r2": (lambda M: M.R2Score(), *REAL),
    "r2_adjusted": (lambda M: M.R2Score(class_aggregation="variance_weighted_average", num_regressors=2), *REAL),
    "hinge": (lambda M: M.Hinge(), BITS, REAL_PRED),
    "squared_hinge": (lambda M: M.SquaredHinge(), BITS, REAL_PRED),
    "categorical_hinge": (lambda M: M.CategoricalHinge(), ONE_HOT, REAL_PRED),
    "kl_divergence": (lambda M: M.KLDivergence(), TRUE_PROBABILITIES, PROBABILITIES),
    "poisson": (lambda M: M.Poisson(), *POSITIVE),
    "binary_crossentropy": (lambda M: M.BinaryCrossentropy(label_smoothing=0.1), BITS, SCORES),
    "categorical_crossentropy": (lambda M: M.CategoricalCrossentropy(from_logits=True), ONE_HOT, REAL_PRED),
    "sparse_categorical_crossentropy": (lambda M: M.SparseCategoricalCrossentropy(), LABELS, PROBABILITIES),
}

# Starting weights and the gradients of a few steps.
START = [_round(_random.standard_normal(shape)) for shape in ((3, 4), (4,))]
GRADIENTS = [[_round(_random.standard_normal(w.shape)) for w in START] for _ in range(10)]


def without_decay(optimizer, name):
    optimizer.exclude_from_weight_decay(var_names=[name])
    return optimizer


OPTIMIZERS = {
    "sgd": lambda O: O.SGD(0.1),
    "sgd_momentum": lambda O: O.SGD(0.1, momentum=0.9),
    "sgd_nesterov": lambda O: O.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "rmsprop": lambda O: O.RMSprop(0.1),
    "rmsprop_centered": lambda O: O.RMSprop(0.1, momentum=0.5, centered=True),
    "adam": lambda O: O.Adam(0.1),
    "adam_amsgrad": lambda O: O.Adam(0.1, amsgrad=True, epsilon=1e-3),
    "adam_weight_decay": lambda O: O.Adam(0.1, weight_decay=0.05),
    "adamw": lambda O: O.AdamW(0.1, weight_decay=0.1),
    "adagrad": lambda O: O.Adagrad(0.1),
    "adadelta": lambda O: O.Adadelta(1.0),
    "adamax": lambda O: O.Adamax(0.1),
    "nadam": lambda O: O.Nadam(0.1),
    "lion": lambda O: O.Lion(0.01),
    "adafactor": lambda O: O.Adafactor(0.5),
    "adafactor_absolute": lambda O: O.Adafactor(0.05, relative_step=False, clip_threshold=0.5, beta_2_decay=-0.6),
    "ftrl": lambda O: O.Ftrl(0.1),
    "ftrl_regularized": lambda O: O.Ftrl(
        0.1,
        learning_rate_power=-0.7,
        l1_regularization_strength=0.05,
        l2_regularization_strength=0.1,
        l2_shrinkage_regularization_strength=0.2,
        beta=0.3,
    ),
    "lamb": lambda O: O.Lamb(0.1),
    "muon": lambda O: O.Muon(0.1),
    "muon_plain": lambda O: O.Muon(0.1, nesterov=False, rms_rate=None, weight_decay=None, momentum=0.8, ns_steps=3),
    "muon_excluded": lambda O: O.Muon(0.1, exclude_layers=["w"], adam_lr_ratio=0.5, adam_weight_decay=0.1),
    "schedule_free_adamw": lambda O: O.ScheduleFreeAdamW(0.1),
    "schedule_free_adamw_warmup": lambda O: O.ScheduleFreeAdamW(0.1, warmup_steps=4, weight_decay=0.05, beta_1=0.8),
    "loss_scale_optimizer": lambda O: O.LossScaleOptimizer(
        O.SGD(0.1, momentum=0.9), initial_scale=4.0, dynamic_growth_steps=3
    ),
    "multi_optimizer": lambda O: O.MultiOptimizer(O.OptimizerMap(O.Adam(0.1), {"w1": O.SGD(0.2)})),
    "clipnorm": lambda O: O.SGD(0.1, clipnorm=0.5),
    "clipvalue": lambda O: O.SGD(0.1, clipvalue=0.3),
    "global_clipnorm": lambda O: O.Adam(0.1, global_clipnorm=0.5),
    "ema": lambda O: O.SGD(0.1, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3),
    "accumulation": lambda O: O.Adam(0.1, gradient_accumulation_steps=2),
    "accumulation_momentum": lambda O: O.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2, clipnorm=1.0),
    "loss_scale": lambda O: O.SGD(0.1, loss_scale_factor=8.0),
    "schedule": lambda O: O.SGD(O.schedules.ExponentialDecay(0.1, 2, 0.5)),
    "schedule_accumulation": lambda O: O.Adam(O.schedules.InverseTimeDecay(0.1, 2, 0.5), gradient_accumulation_steps=3),
    "excluded_from_decay": lambda O: without_decay(O.AdamW(0.1, weight_decay=0.1), "w1"),
    "excluded_from_decay_ema": lambda O: without_decay(
        O.Lion(0.01, weight_decay=0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4, global_clipnorm=1.0),
        "w0",
    ),
}

STEPS = [0, 1, 2, 5, 9, 10, 11, 25, 60, 100]
SCHEDULES = {
    "exponential": lambda S: S.ExponentialDecay(0.1, 10, 0.9),
    "exponential_staircase": lambda S: S.ExponentialDecay(0.1, 10, 0.9, staircase=True),
    "inverse_time": lambda S: S.InverseTimeDecay(0.1, 10, 0.5),
    "inverse_time_staircase": lambda S: S.InverseTimeDecay(0.1, 10, 0.5, staircase=True),
    "polynomial": lambda S: S.PolynomialDecay(0.1, 10, 0.01, power=0.5),
    "polynomial_cycle": lambda S: S.PolynomialDecay(0.1, 10, 0.01, power=2.0, cycle=True),
    "piecewise": lambda S: S.PiecewiseConstantDecay([2, 10, 25], [1.0, 0.5, 0.25, 0.1]),
    "cosine": lambda S: S.CosineDecay(0.1, 50, alpha=0.1),
    "cosine_warmup": lambda S: S.CosineDecay(0.01, 50, warmup_target=0.1, warmup_steps=10),
    "cosine_restarts": lambda S: S.CosineDecayRestarts(0.1, 10, t_mul=2.0, m_mul=0.8, alpha=0.05),
    "cosine_restarts_even": lambda S: S.CosineDecayRestarts(0.1, 10, t_mul=1.0),
}
