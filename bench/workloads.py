"""The workloads: one description each, built by every contestant with its own means.

A model is a chain of the layers below, with Keras's meanings and defaults; Residual and Skip hold chains of their own.
"""

import os
import pickle
import zipfile
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np


class Dense(NamedTuple):
    units: int
    activation: str | None = None


class Conv(NamedTuple):
    """Over images, or over the steps of a sequence."""

    filters: int
    kernel: int
    activation: str | None = None
    padding: str = "valid"
    stride: int = 1
    bias: bool = True


class DepthwiseConv(NamedTuple):
    """3x3, same padding, no bias."""

    stride: int = 1


class BatchNorm(NamedTuple):
    pass


class LayerNorm(NamedTuple):
    pass


class Activation(NamedTuple):
    name: str


class MaxPool(NamedTuple):
    size: int


class GlobalAveragePool(NamedTuple):
    """Over all axes between batch and channels."""


class GlobalMaxPool(NamedTuple):
    """Over all axes between batch and channels."""


class Upsample(NamedTuple):
    """By repeating pixels."""

    size: int


class Flatten(NamedTuple):
    pass


class Embedding(NamedTuple):
    vocabulary: int
    width: int


class Recurrent(NamedTuple):
    kind: str  # "lstm" or "gru"
    units: int
    sequences: bool = False  # the outputs of all steps, not of the last alone
    bidirectional: bool = False


class SelfAttention(NamedTuple):
    heads: int


class Residual(NamedTuple):
    """The sum of two chains on the same input."""

    main: tuple
    shortcut: tuple = ()


class Skip(NamedTuple):
    """The channels of the input and of a chain on it, side by side."""

    inner: tuple


@dataclass(frozen=True)
class Workload:
    name: str
    input_shape: tuple[int, ...]
    layers: tuple
    loss: str  # "sparse" (integer labels, softmax at the end), "binary" (sigmoid at the end) or "mse"
    optimizer: str  # "adam" (learning rate 0.001) or "sgd" (0.01)
    batch: int
    steps: int = 64  # in an epoch
    target_shape: tuple[int, ...] = field(default=(1,))
    dataset: str = ""  # "mnist" or "imdb": trained on that file of the folder that DLCORE_DATASETS names

    @property
    def tokens(self) -> int:
        """Inputs are integers below this; 0 for real inputs."""
        return self.layers[0].vocabulary if isinstance(self.layers[0], Embedding) else 0

    @property
    def is_image(self) -> bool:
        return len(self.input_shape) == 3


def _cnn(*filters: int, dense: int, classes: int = 10, last_padding: str = "valid") -> tuple:
    layers: list = []
    for i, count in enumerate(filters):
        layers.append(Conv(count, 3, "relu", last_padding if i == 2 else "valid"))
        if i < 2 and len(filters) > 1:
            layers.append(MaxPool(2))
    return (*layers, Flatten(), Dense(dense, "relu"), Dense(classes, "softmax"))


def _conv_norm(filters: int, kernel: int = 3, stride: int = 1) -> tuple:
    return Conv(filters, kernel, padding="same", stride=stride, bias=False), BatchNorm()


def _resnet18(classes: int = 10) -> tuple:
    """He et al. 2015, with the stem for small images: four stages of two blocks of two convolutions."""
    relu = Activation("relu")
    layers = [*_conv_norm(64), relu]
    width = 64
    for filters, stride in [(f, s) for f in (64, 128, 256, 512) for s in (1 if f == 64 else 2, 1)]:
        main = (*_conv_norm(filters, stride=stride), relu, *_conv_norm(filters))
        changes = stride != 1 or filters != width
        layers += [Residual(main, _conv_norm(filters, 1, stride) if changes else ()), relu]
        width = filters
    return (*layers, GlobalAveragePool(), Dense(classes, "softmax"))


def _text_cnn() -> tuple:
    """Kim 2014, "Convolutional Neural Networks for Sentence Classification", with filters of one width."""
    words = (Embedding(20_000, 128), Conv(128, 5, "relu"), GlobalMaxPool())
    return *words, Dense(128, "relu"), Dense(1, "sigmoid")


def _fcn(classes: int = 2) -> tuple:
    """Wang et al. 2017, "Time Series Classification from Scratch": a fully convolutional network."""
    blocks = [_conv_norm(filters, kernel) for filters, kernel in ((128, 8), (256, 5), (128, 3))]
    return *blocks[0], *blocks[1], *blocks[2], GlobalAveragePool(), Dense(classes, "softmax")


def _resnet50(classes: int = 1000) -> tuple:
    """He et al. 2015, with the stride in the 3x3 convolution of a stage's first block."""
    relu = Activation("relu")
    layers = [*_conv_norm(64, 7, 2), relu, MaxPool(2)]
    for filters, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            stride = 2 if block == 0 and filters > 64 else 1
            main = (*_conv_norm(filters, 1), relu, *_conv_norm(filters, 3, stride), relu, *_conv_norm(4 * filters, 1))
            layers += [Residual(main, _conv_norm(4 * filters, 1, stride) if block == 0 else ()), relu]
    return (*layers, GlobalAveragePool(), Dense(classes, "softmax"))


def _mobilenet(classes: int = 10) -> tuple:
    """Howard et al. 2017: a convolution, then thirteen pairs of depthwise and pointwise convolutions."""
    norm, relu = BatchNorm(), Activation("relu")
    layers = [*_conv_norm(32, stride=2), relu]
    pairs = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for filters, stride in pairs:
        layers += [DepthwiseConv(stride), norm, relu, *_conv_norm(filters, 1), relu]
    return (*layers, GlobalAveragePool(), Dense(classes, "softmax"))


def _transformer(blocks: int = 4, width: int = 256, heads: int = 4, classes: int = 10) -> tuple:
    """Encoder blocks with the normalisation first, the feed-forward part four times as wide."""
    attention = Residual((LayerNorm(), SelfAttention(heads)))
    feed_forward = Residual((LayerNorm(), Dense(4 * width, "gelu"), Dense(width)))
    return (*(attention, feed_forward) * blocks, LayerNorm(), GlobalAveragePool(), Dense(classes, "softmax"))


def _unet(*filters: int) -> tuple:
    """Ronneberger et al. 2015: each level has two convolutions before and two after the level below."""

    def level(count: int, *below: int) -> tuple:
        pair = (Conv(count, 3, "relu", "same"),) * 2
        if not below:
            return pair
        return (*pair, Skip((MaxPool(2), *level(*below), Upsample(2))), *pair)

    return (*level(*filters), Conv(1, 1, "sigmoid"))


# Those of the issue that all figures go back to.
NINE = (
    Workload("mlp", (784,), (Dense(128, "relu"), Dense(10, "softmax")), "sparse", "adam", 128),
    Workload("cnn", (28, 28, 1), _cnn(32, 64, dense=64), "sparse", "adam", 128),
    Workload("cnn3", (28, 28, 1), _cnn(32, 64, 64, dense=64), "sparse", "adam", 32),
    Workload("cifar", (32, 32, 3), _cnn(32, 64, 64, dense=64), "sparse", "adam", 32),
    Workload("conv1", (28, 28, 1), _cnn(32, dense=128), "sparse", "adam", 32),
    Workload(
        "mlp512",
        (784,),
        (Dense(512, "relu"), Dense(256, "relu"), Dense(10, "softmax")),
        "sparse",
        "sgd",
        128,
    ),
    Workload("lstm", (10, 1), (Recurrent("lstm", 50), Dense(1)), "mse", "adam", 32),
    Workload(
        "imdb",
        (100,),
        (Embedding(10_000, 128), Recurrent("lstm", 64), Dense(1, "sigmoid")),
        "binary",
        "adam",
        32,
    ),
    Workload(
        "speech",
        (20, 80, 1),
        _cnn(32, 64, 64, dense=128, classes=12, last_padding="same"),
        "sparse",
        "adam",
        32,
    ),
)

_TABULAR = (Dense(256, "relu"), Dense(256, "relu"), Dense(1))
_BILSTM2 = (
    Recurrent("lstm", 256, sequences=True, bidirectional=True),
    Recurrent("lstm", 256, bidirectional=True),
    Dense(10, "softmax"),
)

LARGER = (
    Workload("xor", (2,), (Dense(8, "tanh"), Dense(1, "sigmoid")), "binary", "adam", 4, steps=512),
    Workload("tabular32", (64,), _TABULAR, "mse", "adam", 32),
    Workload("tabular4096", (64,), _TABULAR, "mse", "adam", 4096, steps=16),
    Workload("gru", (50, 64), (Recurrent("gru", 128), Dense(1)), "mse", "adam", 32),
    Workload("bilstm2", (128, 128), _BILSTM2, "sparse", "adam", 64, steps=2),
    Workload("transformer", (128, 256), _transformer(), "sparse", "adam", 16, steps=4),
    Workload("mobilenet", (96, 96, 3), _mobilenet(), "sparse", "adam", 16, steps=4),
    Workload("unet", (64, 64, 3), _unet(32, 64, 128), "binary", "adam", 8, steps=4, target_shape=(64, 64, 1)),
    Workload("resnet18", (32, 32, 3), _resnet18(), "sparse", "adam", 64, steps=2),
    Workload("text_cnn", (200,), _text_cnn(), "binary", "adam", 64, steps=8),
    Workload("fcn", (500, 1), _fcn(), "sparse", "adam", 16, steps=4),
)

# Real images: four pixels of five are zero. Real texts: of the words of a batch, one of three is new.
ON_REAL_DATA = (
    *(replace(w, name=f"{w.name}_mnist", dataset="mnist") for w in NINE if w.name in ("mlp", "mlp512", "conv1", "cnn")),
    *(replace(w, name=f"{w.name}_reviews", dataset="imdb") for w in NINE if w.name == "imdb"),
)

# For GPUs alone: seconds a step on a processor.
ACCELERATED = (
    Workload("resnet50", (224, 224, 3), _resnet50(), "sparse", "sgd", 128, steps=4),
    Workload("lstm512", (128, 512), (Recurrent("lstm", 512), Dense(10, "softmax")), "sparse", "adam", 64),
    Workload("transformer12", (512, 768), _transformer(12, 768, 12), "sparse", "adam", 16, steps=8),
)

WORKLOADS = NINE + LARGER + ON_REAL_DATA + ACCELERATED


def workload(name: str) -> Workload:
    return next(w for w in WORKLOADS if w.name == name)


def _images(path: str, w: Workload, rows: int) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as file:
        x, y = file["x_train"][:rows], file["y_train"][:rows]
    return (x / np.float32(255)).reshape(len(x), *w.input_shape), y.astype("int32")


class _Lists(pickle.Unpickler):
    """Reads arrays of lists and nothing else."""

    def find_class(self, module, name):
        if name in ("_reconstruct", "ndarray", "dtype") and module.split(".")[0] == "numpy":
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an array of lists.")


def _reviews(path: str, w: Workload, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The ends of reviews, as keras.datasets.imdb numbers their words: 0 is padding, 1 the start, 2 any other word."""
    with np.load(path) as file:
        y = file["y_train"]
    with zipfile.ZipFile(path) as file, file.open("x_train.npy") as lists:
        np.lib.format.read_magic(lists)
        np.lib.format.read_array_header_1_0(lists)
        reviews = _Lists(lists).load()
    x = np.zeros((rows, *w.input_shape), "int32")
    of_both_kinds = np.random.default_rng(0).permutation(len(y))[:rows]
    for row, review in zip(x, reviews[of_both_kinds], strict=True):
        words = [1, *(3 + word if 3 + word < w.tokens else 2 for word in review)][-len(row) :]
        row[-len(words) :] = words
    return x, y[of_both_kinds, None].astype("float32")


def data(w: Workload, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of half noise, and targets that follow from them; the same for every contestant.

    There is something to learn, so that activations and gradients stay as they are in training: a model that learns
    noise by heart lets most of its relus die, and zeros take less time.
    """
    if w.dataset:
        folder = os.environ.get("DLCORE_DATASETS")
        if folder is None:
            raise ValueError(f"{w.name} trains on {w.dataset}.npz: name its folder in the variable DLCORE_DATASETS.")
        read = _images if w.dataset == "mnist" else _reviews
        return read(os.path.join(folder, w.dataset + ".npz"), w, rows)
    rng = np.random.default_rng(0)
    if w.tokens:
        x = rng.integers(0, w.tokens, (rows, *w.input_shape)).astype("int32")
        return x, (x.mean(axis=1, keepdims=True) > w.tokens / 2).astype("float32")
    x = rng.random((rows, *w.input_shape), dtype="float32")
    if w.loss == "sparse":
        classes = w.layers[-1].units
        y = rng.integers(0, classes, rows).astype("int32")
        prototypes = rng.random((classes, *w.input_shape), dtype="float32")
        for of_class in (np.flatnonzero(y == k) for k in range(classes)):
            x[of_class] = (x[of_class] + prototypes[y[of_class[:1]]]) / 2
    elif w.is_image:
        y = (x.mean(axis=-1, keepdims=True) > 0.5).astype("float32")
    elif w.loss == "binary":
        y = ((x > 0.5).sum(axis=1, keepdims=True) % 2).astype("float32")
    else:
        y = x.reshape(rows, -1).mean(axis=1, keepdims=True)
    return x, y
