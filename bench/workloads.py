"""The workloads: one description each, built by every contestant with its own means.

A layer is a tuple: ("dense", units, activation), ("conv", filters, kernel, activation, padding), ("pool", size),
("flatten",), ("lstm", units), ("embedding", vocabulary, width). Losses: "sparse" (integer labels, softmax
probabilities), "mse", "binary" (probability of one class).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Workload:
    name: str
    input_shape: tuple[int, ...]
    layers: tuple[tuple, ...]
    loss: str
    optimizer: str  # "adam" or "sgd" (learning rate 0.01)
    batch: int
    tokens: int = 0  # inputs are integers below this

    @property
    def classes(self) -> int:
        return self.layers[-1][1]


def _cnn(*filters: int, dense: int, classes: int = 10, padding: tuple[str, ...] = ()) -> tuple[tuple, ...]:
    layers: list[tuple] = []
    for i, count in enumerate(filters):
        layers.append(("conv", count, 3, "relu", padding[i] if padding else "valid"))
        if i < 2 and len(filters) > 1:
            layers.append(("pool", 2))
    return (*layers, ("flatten",), ("dense", dense, "relu"), ("dense", classes, "softmax"))


WORKLOADS = (
    Workload("mlp", (784,), (("dense", 128, "relu"), ("dense", 10, "softmax")), "sparse", "adam", 128),
    Workload("cnn", (28, 28, 1), _cnn(32, 64, dense=64), "sparse", "adam", 128),
    Workload("cnn3", (28, 28, 1), _cnn(32, 64, 64, dense=64), "sparse", "adam", 32),
    Workload("cifar", (32, 32, 3), _cnn(32, 64, 64, dense=64), "sparse", "adam", 32),
    Workload("conv1", (28, 28, 1), _cnn(32, dense=128), "sparse", "adam", 32),
    Workload(
        "mlp512",
        (784,),
        (("dense", 512, "relu"), ("dense", 256, "relu"), ("dense", 10, "softmax")),
        "sparse",
        "sgd",
        128,
    ),
    Workload("lstm", (10, 1), (("lstm", 50), ("dense", 1, None)), "mse", "adam", 32),
    Workload(
        "imdb",
        (100,),
        (("embedding", 10000, 128), ("lstm", 64), ("dense", 1, "sigmoid")),
        "binary",
        "adam",
        32,
        tokens=10000,
    ),
    Workload(
        "speech",
        (20, 80, 1),
        _cnn(32, 64, 64, dense=128, classes=12, padding=("valid", "valid", "same")),
        "sparse",
        "adam",
        32,
    ),
)


def workload(name: str) -> Workload:
    return next(w for w in WORKLOADS if w.name == name)


def data(w: Workload, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and targets; the same for every contestant."""
    rng = np.random.default_rng(0)
    if w.tokens:
        x = rng.integers(0, w.tokens, (rows, *w.input_shape)).astype("int32")
    else:
        x = rng.random((rows, *w.input_shape), dtype="float32")
    if w.loss == "sparse":
        y = rng.integers(0, w.classes, rows).astype("int32")
    elif w.loss == "binary":
        y = rng.integers(0, 2, (rows, 1)).astype("float32")
    else:
        y = rng.random((rows, 1), dtype="float32")
    return x, y
