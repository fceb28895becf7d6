"""Activations, losses, metrics, regularizers, constraints and initializers as functions: `K` is keras or dlcore.

make_keras_functions.py stores what Keras computes for them, with gradients; tests/python/test_functions_golden.py
compares.
"""

import numpy as np
import training_cases as data
from training_cases import BITS, LABELS, ONE_HOT, POSITIVE, PROBABILITIES, REAL, REAL_PRED, SCORES, TRUE_PROBABILITIES

# Both sides of every bend, but not the bends themselves.
X = (np.arange(-48, 48).reshape(8, 12) / 8 + 1 / 64).astype("float32")
W = data.START[0] * 2

# name: (function of K and the inputs, inputs)
CASES = {}


def add(space, inputs, options):
    """A case for each name, a function of the namespace or a class, with one or more sets of arguments."""
    for name, arguments in options.items():
        for i, given in enumerate(arguments if isinstance(arguments, list) else [arguments]):
            CASES[f"{space}/{name}" + (f"/{i}" if i else "")] = (
                lambda K, *x, n=name, a=given: getattr(getattr(K, space), n)(*x, **a),
                *inputs,
            )


def add_objects(space, x, options):
    """A case for each class and set of arguments: the object is called with x."""
    for name, arguments in options.items():
        for i, given in enumerate(arguments if isinstance(arguments, list) else [arguments]):
            CASES[f"{space}/{name}" + (f"/{i}" if i else "")] = (
                lambda K, x, n=name, a=given: getattr(getattr(K, space), n)(**a)(x),
                x,
            )


add(
    "activations",
    [X],
    {
        **dict.fromkeys(
            "exponential hard_sigmoid hard_silu hard_swish hard_tanh linear log_sigmoid mish relu6 selu sigmoid silu "
            "softplus softsign sparse_plus sparse_sigmoid squareplus swish tanh tanh_shrink".split(),
            {},
        ),
        "celu": [{}, {"alpha": 0.5}],
        "elu": [{}, {"alpha": 0.5}],
        "gelu": [{}, {"approximate": True}],
        "glu": [{}, {"axis": 0}],
        "hard_shrink": [{}, {"threshold": 1.2}],
        "leaky_relu": [{}, {"negative_slope": 0.4}],
        "log_softmax": [{}, {"axis": 0}],
        "relu": [{}, {"negative_slope": 0.1, "max_value": 2.0, "threshold": 0.5}],
        "soft_shrink": [{}, {"threshold": 1.2}],
        "softmax": [{}, {"axis": 0}],
        "threshold": {"threshold": 0.3, "default_value": -2.0},
    },
)
add(
    "losses",
    REAL,
    {"mean_squared_error": {}, "mean_absolute_error": {}, "log_cosh": {}, "huber": [{}, {"delta": 0.4}]}
    | {"cosine_similarity": [{}, {"axis": 0}]},
)
APART = POSITIVE[0], POSITIVE[1] + 1 / 128  # nowhere equal
add("losses", APART, dict.fromkeys(["mean_absolute_percentage_error", "mean_squared_logarithmic_error", "poisson"], {}))
add("losses", [BITS, REAL_PRED], {"hinge": {}, "squared_hinge": {}})
add("losses", [ONE_HOT, REAL_PRED], {"categorical_hinge": {}})
add("losses", [TRUE_PROBABILITIES, PROBABILITIES], {"kl_divergence": {}})
add(
    "losses",
    [BITS, SCORES],
    {
        "binary_crossentropy": [{}, {"label_smoothing": 0.2}, {"from_logits": True, "axis": 0}],
        "binary_focal_crossentropy": [{}, {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.0}],
        "dice": [{}, {"axis": (0,)}],
        "tversky": [{}, {"alpha": 0.2, "beta": 0.7, "axis": (0,)}],
    },
)
add(
    "losses",
    [ONE_HOT, PROBABILITIES],
    {
        "categorical_crossentropy": [{}, {"label_smoothing": 0.2}, {"from_logits": True}],
        "categorical_focal_crossentropy": [{}, {"alpha": 0.4, "gamma": 1.0, "label_smoothing": 0.1}],
    },
)
add(
    "losses",
    [LABELS, PROBABILITIES],
    {
        "sparse_categorical_crossentropy": [{}, {"from_logits": True}, {"ignore_class": 1}],
        "categorical_generalized_cross_entropy": {"q": 0.3},
    },
)
add(
    "losses", [data.PAIRS, data.UNIT], {"circle": [{}, {"ref_labels": data.PAIRS[:4], "ref_embeddings": data.UNIT[:4]}]}
)
add("losses", [data.SPELLED, data.STEPS_OF_LOGITS], {"ctc": {}})
add("metrics", [BITS, SCORES], {"binary_accuracy": [{}, {"threshold": 0.3}]})
add(
    "metrics",
    [ONE_HOT, PROBABILITIES],
    {"categorical_accuracy": {}, "top_k_categorical_accuracy": [{}, {"k": 2}]},
)
add(
    "metrics",
    [LABELS, PROBABILITIES],
    {"sparse_categorical_accuracy": {}, "sparse_top_k_categorical_accuracy": [{}, {"k": 2}]},
)
add("metrics", REAL, {"pearson_correlation": [{}, {"axis": 0}], "concordance_correlation": [{}, {"axis": 0}]})
add_objects(
    "regularizers",
    W,
    {
        "L1": [{}, {"l1": 0.3}],
        "L2": [{}, {"l2": 0.3}],
        "L1L2": [{}, {"l1": 0.3, "l2": 0.2}],
        "OrthogonalRegularizer": [{}, {"factor": 0.3, "mode": "columns"}],
    },
)
add_objects(
    "constraints",
    W,
    {
        "MaxNorm": [{}, {"max_value": 0.7, "axis": 1}],
        "MinMaxNorm": [{}, {"min_value": 0.6, "max_value": 0.9, "rate": 0.5, "axis": [0, 1]}],
        "NonNeg": {},
        "UnitNorm": [{}, {"axis": 1}],
    },
)
# Those that draw nothing.
for _name, _shape, _options in (
    ("Zeros", (2, 3), {}),
    ("Ones", (2, 3), {}),
    ("Constant", (2, 3), {"value": 0.3}),
    ("Identity", (3, 3), {"gain": 0.4}),
    ("STFT", (6, 1, 4), {"side": "real"}),
    ("STFT", (6, 1, 4), {"side": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True}),
    ("STFT", (6, 1, 7), {"side": "real", "window": None, "scaling": None}),
):
    CASES[f"initializers/{_name}/{len(CASES)}"] = (
        lambda K, n=_name, s=_shape, o=_options: getattr(K.initializers, n)(**o)(s),
    )


def _reduced(make, *updates):
    def run(K, *x):
        metric = make(K)
        for arguments in updates:
            metric.update_state(*x, **arguments)
        return metric.result()

    return run


_weighted = {}, {"sample_weight": data.WEIGHTS}
CASES["metrics/Mean"] = (_reduced(lambda K: K.metrics.Mean(), *_weighted), REAL_PRED)
CASES["metrics/Sum"] = (_reduced(lambda K: K.metrics.Sum(), *_weighted), REAL_PRED)
CASES["metrics/MeanMetricWrapper"] = (
    _reduced(lambda K: K.metrics.MeanMetricWrapper(lambda a, b, power: abs(a - b) ** power, power=3), *_weighted),
    *REAL,
)
# No gradients of these: whole numbers, places of equal numbers, or none at all.
NO_GRADIENT = tuple(name for name in CASES if name.startswith(("metrics", "initializers")))
