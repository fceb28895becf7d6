"""Random losses, metrics and optimizers."""

from cases import Case, Pick

BOOLS = (True, False)


def targets(pick: Pick, kind: str, shape: tuple[int, ...]):
    """Targets and predictions: `labels` (classes), `one_hot`, `binary` or `values`."""
    if kind in ("labels", "one_hot"):
        predictions = pick.array(shape, low=1, high=5)
        predictions /= predictions.sum(-1, keepdims=True)
        labels = pick.array(shape[:-1], "int32", 0, shape[-1] - 1)
        if kind == "labels":
            return labels, predictions
        return (labels[..., None] == list(range(shape[-1]))).astype("float32"), predictions
    if kind == "binary":
        return pick.array(shape, "bool").astype("float32"), (pick.array(shape, low=1, high=15) / 16).astype("float32")
    return pick.array(shape), pick.array(shape)


LOSSES = {
    "values": "MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError LogCosh Huber"
    " CosineSimilarity Hinge SquaredHinge CategoricalHinge Poisson Tversky Dice",
    "binary": "BinaryCrossentropy BinaryFocalCrossentropy KLDivergence Poisson Dice Tversky Hinge",
    "one_hot": "CategoricalCrossentropy CategoricalFocalCrossentropy KLDivergence CategoricalHinge Dice",
    "labels": "SparseCategoricalCrossentropy",
}


def loss(pick: Pick) -> Case:
    kind = pick.choice(tuple(LOSSES))
    name = pick.choice(LOSSES[kind].split())
    shape = (pick.randint(1, 5), *pick.choice(((4,), (3, 4), (2, 3, 5))))
    a, b = targets(pick, kind, shape)
    options = pick.some(reduction=("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight"))
    if "ntropy" in name:
        options += pick.some(from_logits=(..., True))
        if name != "SparseCategoricalCrossentropy":
            options += pick.some(label_smoothing=(..., 0.2))
        else:
            options += pick.some(ignore_class=(..., 0, 1))
    arrays = {"a": a, "b": b}
    weight = pick.choice(("", "", "batch", "all"))
    if weight:
        sizes = shape[:-1] if weight == "all" else (shape[0], *[1] * (len(shape) - 2))
        arrays["c"] = pick.array(sizes, low=0, high=3)
    return Case(
        "function",
        f"K.losses.{name}({options.removeprefix(', ')})(a, b{', sample_weight=c' if weight else ''})",
        arrays,
    )


METRICS = {
    "values": "MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError RootMeanSquaredError LogCoshError Hinge"
    " CosineSimilarity SquaredHinge CategoricalHinge Poisson R2Score PearsonCorrelation ConcordanceCorrelation",
    "binary": "BinaryAccuracy BinaryCrossentropy AUC Precision Recall TruePositives FalsePositives TrueNegatives"
    " FalseNegatives F1Score FBetaScore PrecisionAtRecall(0.5) RecallAtPrecision(0.5) SensitivityAtSpecificity(0.5)"
    " SpecificityAtSensitivity(0.5) KLDivergence BinaryIoU",
    "one_hot": "CategoricalAccuracy CategoricalCrossentropy TopKCategoricalAccuracy(2) F1Score AUC Accuracy"
    " OneHotMeanIoU(4) OneHotIoU(4,[1,2])",
    "labels": "SparseCategoricalAccuracy SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy(2)",
}


def metric(pick: Pick) -> Case:
    kind = pick.choice(tuple(METRICS))
    name = pick.choice(METRICS[kind].split())
    arrays, weighted = {}, pick.random() < 0.4
    for i in range(pick.randint(1, 3)):
        shape = (pick.randint(2, 6), 4)
        arrays[f"a{i}"], arrays[f"b{i}"] = targets(pick, kind, shape)
        if weighted:
            arrays[f"w{i}"] = pick.array(shape[:1], low=0, high=3)
    return Case("metric", f"K.metrics.{name}{'' if '(' in name else '()'}", arrays)


OPTIMIZERS = {
    "SGD": lambda pick: pick.some(momentum=(..., 0.9), nesterov=(..., True)),
    "Adam": lambda pick: pick.some(amsgrad=(..., True), beta_1=(..., 0.5), epsilon=(..., 1e-2)),
    "AdamW": lambda pick: pick.some(amsgrad=(..., True), weight_decay=(..., 0.1)),
    "RMSprop": lambda pick: pick.some(momentum=(..., 0.5), centered=(..., True), rho=(..., 0.7)),
    "Adagrad": lambda pick: pick.some(initial_accumulator_value=(..., 0.5)),
    "Adadelta": lambda pick: pick.some(rho=(..., 0.8)),
    "Adamax": lambda pick: pick.some(beta_2=(..., 0.9)),
    "Nadam": lambda pick: pick.some(beta_1=(..., 0.8)),
    "Ftrl": lambda pick: pick.some(l1_regularization_strength=(..., 0.1), l2_regularization_strength=(..., 0.1)),
    "Lion": lambda pick: pick.some(beta_1=(..., 0.8)),
    "Adafactor": lambda pick: pick.some(relative_step=(..., False)),
    "Lamb": lambda pick: pick.some(beta_1=(..., 0.8)),
    "Muon": lambda pick: pick.some(momentum=(..., 0.8), nesterov=(..., False)),
}


def optimizer(pick: Pick) -> Case:
    name = pick.choice(tuple(OPTIMIZERS))
    rate = pick.choice(
        (
            "0.05",
            "K.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)",
            "K.optimizers.schedules.CosineDecay(0.1, 4, warmup_target=0.2, warmup_steps=2)",
        )
    )
    options = OPTIMIZERS[name](pick) + pick.choice(
        (
            *("", "", ", clipnorm=0.5", ", global_clipnorm=0.5", ", clipvalue=0.3"),
            *(", use_ema=True, ema_momentum=0.8", ", gradient_accumulation_steps=2"),
        )
    )
    shapes = [pick.sizes(1, 4, pick.randint(0, 3)) for _ in range(pick.randint(1, 4))]
    arrays = {f"v{i}": pick.array(shape) for i, shape in enumerate(shapes)}
    for step in range(5):
        arrays |= {f"g{step * len(shapes) + i}": pick.array(shape) for i, shape in enumerate(shapes)}
    return Case("optimizer", f"K.optimizers.{name}({rate}{options})", arrays)
