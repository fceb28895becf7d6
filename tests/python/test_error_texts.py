"""Error texts of typical mistakes, word by word: what was received, what was expected, how to mend it."""

import inspect
import re

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers, losses, ops


def zeros(*shape):
    return np.zeros(shape, "float32")


def built(layer, *shape):
    """The layer, called once on zeros of a shape."""
    layer(zeros(*shape))
    return layer


def compiled(optimizer="sgd", loss="mse", metrics=None):
    """A model of four numbers -> three."""
    model = keras.Sequential([keras.Input((4,), name="numbers"), layers.Dense(3, name="head")], name="net")
    model.compile(optimizer, loss, metrics=metrics)
    return model


def fit(x, y, loss="mse", **options):
    compiled(loss=loss).fit(x, y, verbose=0, **options)


def model_of_two():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], layers.Dense(1)(layers.Add()([a, b])), name="two")
    model.compile("sgd", "mse")
    return model


def built_attention():
    layer = layers.MultiHeadAttention(2, 3, name="m")
    layer(zeros(2, 5, 4), zeros(2, 5, 4))
    return layer


SHAPES_INTO_LAYERS = [
    (
        lambda: layers.Dense(3, name="d")(zeros(4)),
        ValueError,
        'Layer "d": input is incompatible with the layer: expected min_ndim=2, found ndim=1. Full shape '
        "received: (4,). Add an axis: x[None] makes a batch of one example, x[..., None] one channel or "
        "feature.",
    ),
    (
        lambda: built(layers.Dense(3, name="d"), 2, 4)(zeros(2, 5)),
        ValueError,
        'Layer "d": input is incompatible with the layer: expected axis -1 of the input shape to have '
        "size 4, but received an input with shape (2, 5). Pass inputs of that size, or make a new layer "
        "for these.",
    ),
    (
        lambda: layers.Conv2D(8, 3, name="c")(zeros(2, 8, 8)),
        ValueError,
        'Layer "c": input is incompatible with the layer: expected min_ndim=4, found ndim=3. Full shape '
        "received: (2, 8, 8). Add an axis: x[None] makes a batch of one example, x[..., None] one channel"
        " or feature.",
    ),
    (
        lambda: built(layers.Conv2D(8, 3, name="c"), 2, 8, 8, 3)(zeros(2, 8, 8, 1)),
        ValueError,
        'Layer "c": input is incompatible with the layer: expected axis -1 of the input shape to have '
        "size 3, but received an input with shape (2, 8, 8, 1). Pass inputs of that size, or make a new "
        "layer for these.",
    ),
    (
        lambda: layers.Conv2D(8, 5, name="c")(zeros(2, 4, 4, 1)),
        ValueError,
        'Conv2D "c": conv: the window does not fit: along the height it reaches over 5 pixels but the padded image '
        "has 4 (window (5, 5), strides (1, 1), padding 'valid'). Use a larger image, a smaller window, or"
        " padding='same'.",
    ),
    (
        lambda: layers.MaxPooling2D(name="p")(zeros(2, 8, 8)),
        ValueError,
        'Layer "p": input is incompatible with the layer: expected ndim=4, found ndim=3. Full shape '
        "received: (2, 8, 8). Add an axis: x[None] makes a batch of one example, x[..., None] one channel"
        " or feature.",
    ),
    (
        lambda: layers.LSTM(3, name="l")(zeros(2, 4)),
        ValueError,
        'Layer "l": input is incompatible with the layer: expected ndim=3, found ndim=2. Full shape '
        "received: (2, 4). Add an axis: x[None] makes a batch of one example, x[..., None] one channel or"
        " feature.",
    ),
    (
        lambda: built(layers.LSTM(3, name="l"), 2, 5, 4)(zeros(2, 5, 6)),
        ValueError,
        'Layer "l": input is incompatible with the layer: expected axis -1 of the input shape to have '
        "size 4, but received an input with shape (2, 5, 6). Pass inputs of that size, or make a new "
        "layer for these.",
    ),
    (
        lambda: layers.Embedding(5, 2, name="e")(np.array([[7]])),
        IndexError,
        'Embedding "e": index 7 (element 0 of the indices) is out of range for axis 0 of size 5 of (5, 2); expected 0 '
        "<= index < 5. Check the ids, or enlarge the table.",
    ),
    (
        lambda: layers.Embedding(5, 2, name="e")(np.array([[0, -1]])),
        IndexError,
        'Embedding "e": index -1 (element 1 of the indices) is out of range for axis 0 of size 5 of (5, 2); expected '
        "0 <= index < 5. Check the ids, or enlarge the table.",
    ),
    (
        lambda: layers.MultiHeadAttention(2, 3, name="m")(zeros(2, 5, 4)),
        TypeError,
        "MultiHeadAttention \"m\" is called with the arguments ['query', 'value']. Got ['query']: pass ['value'].",
    ),
    (
        lambda: layers.MultiHeadAttention(2, 3, name="m")(zeros(2, 5, 4), zeros(3, 5, 4)),
        ValueError,
        "MultiHeadAttention \"m\": einsum: in 'aecd,abcd->acbe' the axis 'a' has the sizes 3 and 2, of operands of "
        "shapes [(3, 5, 2, 3), (2, 5, 2, 3)]. Axes of one letter must be equal, or 1.",
    ),
    (
        lambda: built_attention()(zeros(2, 5, 6), zeros(2, 5, 4)),
        ValueError,
        'Layer "m/query": input is incompatible with the layer: expected axis -1 of the input shape to have size 4, '
        "but received an input with shape (2, 5, 6). Pass inputs of that size, or make a new layer for these.",
    ),
    (
        lambda: layers.Concatenate(name="k")([zeros(2, 3), zeros(3, 3)]),
        ValueError,
        'Concatenate "k": all sizes but that of axis -1 must agree. Got shapes [(2, 3), (3, 3)].',
    ),
    (
        lambda: layers.Reshape((5,), name="r")(zeros(2, 4)),
        ValueError,
        'Reshape "r": samples of shape (4,) with 4 elements cannot take the shape (5,). The number of '
        "elements must stay the same.",
    ),
]

AXES = [
    (
        lambda: layers.BatchNormalization(axis=7, name="b")(zeros(2, 3)),
        ValueError,
        'BatchNormalization "b": axis 7 is out of range for inputs of shape (2, 3); expected -2 <= axis < 2.',
    ),
    (
        lambda: layers.GroupNormalization(3, axis=-4, name="g")(zeros(2, 3)),
        ValueError,
        'GroupNormalization "g": axis -4 is out of range for inputs of shape (2, 3); expected -2 <= axis < 2.',
    ),
    (
        lambda: layers.PReLU(shared_axes=[3], name="p")(zeros(2, 3)),
        ValueError,
        'PReLU "p": axis 3 is out of range for inputs of shape (2, 3); expected -2 <= axis < 2.',
    ),
    (
        lambda: layers.Dot(axes=5, name="d")([zeros(2, 3), zeros(2, 3)]),
        ValueError,
        'Dot "d": axis 5 is out of range for inputs of shape (2, 3); expected -2 <= axis < 2.',
    ),
    (
        lambda: layers.Softmax(axis=2, name="s")(zeros(2, 3)),
        ValueError,
        'Softmax "s": softmax: axis 2 is out of range for 2 axes; expected -2 <= axis < 2.',
    ),
]

NAMES = [
    (
        lambda: compiled(optimizer="adm"),
        ValueError,
        'Unknown optimizer: "adm". Nearest names: "Adam", "Nadam", "adamw".',
    ),
    (
        lambda: compiled(loss="mean_square_error"),
        ValueError,
        'Unknown loss: "mean_square_error". Nearest names: "mean_squared_error", "MeanSquaredError", '
        '"mean_squared_logarithmic_error".',
    ),
    (
        lambda: compiled(metrics=["acuracy"]),
        ValueError,
        'Unknown metric: "acuracy". Nearest names: "Accuracy", "BinaryAccuracy", "binary_accuracy".',
    ),
    (
        lambda: layers.Dense(3, activation="rellu"),
        ValueError,
        'Unknown activation: "rellu". Nearest names: "relu", "relu6", "elu".',
    ),
    (
        lambda: layers.Dense(3, kernel_initializer="glorot_unifrom"),
        ValueError,
        'Unknown initializer: "glorot_unifrom". Nearest names: "glorot_uniform", "GlorotUniform", "glorot_normal".',
    ),
    (
        lambda: layers.Conv2D(8, 3, padding="sam"),
        ValueError,
        "Conv2D: unknown padding: 'sam'. Nearest names: \"same\".",
    ),
    (
        lambda: layers.Dense(3, unit=3),
        ValueError,
        "Unrecognized keyword arguments passed to Dense: 'unit'. Nearest names: \"units\".",
    ),
    (
        lambda: compiled().get_layer("haed"),
        ValueError,
        "No such layer: 'haed'. Nearest names: \"head\".",
    ),
]

NUMBERS = [
    (
        lambda: keras.Input((-3,)),
        ValueError,
        "Sizes of a shape can't be negative; use None for any size. Received: shape=(-3,)",
    ),
    (
        lambda: keras.Input("8"),
        ValueError,
        "A shape should be a tuple, such as (8,). Received: shape='8'",
    ),
    (
        lambda: ops.arange(0, 5, 0),
        ValueError,
        "arange: step must not be 0. Received: start=0, stop=5, step=0",
    ),
    (
        lambda: layers.Dense(0),
        ValueError,
        "Dense: units must be an int > 0. Got units=0.",
    ),
    (
        lambda: layers.Dense(-3),
        ValueError,
        "Dense: units must be an int > 0. Got units=-3.",
    ),
    (
        lambda: layers.LSTM(2.5),
        ValueError,
        "LSTMCell: units must be an int > 0. Got units=2.5.",
    ),
    (
        lambda: layers.Conv2D(0, 3),
        ValueError,
        "Conv2D: filters must be an int > 0. Got filters=0.",
    ),
    (
        lambda: layers.Conv2D(8, (3, 0)),
        ValueError,
        "Conv2D: kernel_size must be an int or 2 ints, each >= 1. Got kernel_size=(3, 0).",
    ),
    (
        lambda: layers.MaxPooling2D(-2),
        ValueError,
        "MaxPooling2D: pool_size must be an int or 2 ints, each >= 1. Got pool_size=-2.",
    ),
    (
        lambda: layers.Dropout(1.5),
        ValueError,
        "Dropout: rate must be a number in [0, 1]. Got rate=1.5.",
    ),
    (
        lambda: layers.Embedding(0, 2),
        ValueError,
        "Embedding: input_dim must be an int > 0. Got input_dim=0.",
    ),
    (
        lambda: layers.MultiHeadAttention(0, 3),
        ValueError,
        "MultiHeadAttention: num_heads must be an int > 0. Got num_heads=0.",
    ),
    (
        lambda: layers.MultiHeadAttention(2, 3, attention_axes=2.5),
        ValueError,
        "MultiHeadAttention: attention_axes must be an int or a list of ints. Got attention_axes=2.5.",
    ),
    (
        lambda: layers.Dropout(0.5, noise_shape=3),
        ValueError,
        "Dropout: noise_shape must be a list of sizes. Got noise_shape=3.",
    ),
    (
        lambda: layers.GaussianNoise(1.5),
        ValueError,
        "GaussianNoise: stddev must be a number in [0, 1]. Got stddev=1.5.",
    ),
    (
        lambda: layers.GaussianDropout(None),
        ValueError,
        "GaussianDropout: rate must be a number in [0, 1]. Got rate=None.",
    ),
    (
        lambda: layers.GroupNormalization(0),
        ValueError,
        "GroupNormalization: groups must be an int > 0. Got groups=0.",
    ),
    (
        lambda: layers.BatchNormalization(momentum=None),
        ValueError,
        "BatchNormalization: momentum must be a number. Got momentum=None.",
    ),
    (
        lambda: layers.LayerNormalization(epsilon=[1e-3]),
        ValueError,
        "LayerNormalization: epsilon must be a number. Got epsilon=[0.001].",
    ),
    (
        lambda: layers.ReLU(max_value=-1),
        ValueError,
        "ReLU: max_value must be a number >= 0. Got max_value=-1.",
    ),
    (
        lambda: layers.Softmax(axis=1.5),
        ValueError,
        "Softmax: axis must be an int or a list of ints. Got axis=1.5.",
    ),
    (
        lambda: layers.Permute(2),
        ValueError,
        "Permute: dims must be a list of axes. Got dims=2.",
    ),
    (
        lambda: layers.LSTM(2, use_cudnn="yes"),
        ValueError,
        "LSTM: use_cudnn must be \"auto\", True or False. Got use_cudnn='yes'.",
    ),
    (
        lambda: layers.StackedRNNCells(layers.LSTMCell(2, name="cell")),
        ValueError,
        "StackedRNNCells: cells must be a list of cells. Got cells=<LSTMCell name=cell, built=False>.",
    ),
    (
        lambda: layers.SpectralNormalization(layers.Dense(2), power_iterations=None),
        ValueError,
        "SpectralNormalization: power_iterations must be an int > 0. Got power_iterations=None.",
    ),
    (
        lambda: layers.IntegerLookup(mask_token="none"),
        ValueError,
        "IntegerLookup: mask_token must be an int or None. Got mask_token='none'.",
    ),
    (
        lambda: layers.StringLookup(num_oov_indices=None),
        ValueError,
        "StringLookup: num_oov_indices must be an int >= 0. Got num_oov_indices=None.",
    ),
    (
        lambda: layers.RandomShear(-0.5),
        ValueError,
        "RandomShear: x_factor must be a number in [0, 1]. Got x_factor=-0.5.",
    ),
    (
        lambda: layers.Lambda(abs, arguments=3),
        ValueError,
        "Lambda: arguments must be a dict of keyword arguments. Got arguments=3.",
    ),
    (
        lambda: keras.Input((None,), ragged=True, name="rows"),
        ValueError,
        'InputLayer "rows": there are no ragged tensors. Got ragged=True; leave it False, and pad the rows to one '
        "length, such as with utils.pad_sequences.",
    ),
    (
        lambda: keras.optimizers.Adam(beta_1="0.9"),
        ValueError,
        "Adam: beta_1 must be a number. Got beta_1='0.9'.",
    ),
    (
        lambda: keras.optimizers.SGD(momentum=None),
        ValueError,
        "SGD: momentum must be a number in [0, 1]. Got momentum=None.",
    ),
    (
        lambda: keras.optimizers.Adam("fast"),
        ValueError,
        "Adam: learning_rate must be a float >= 0, a LearningRateSchedule or a function. Got learning_rate='fast'.",
    ),
    (
        lambda: keras.optimizers.LossScaleOptimizer("sgd"),
        ValueError,
        "LossScaleOptimizer: inner_optimizer must be an Optimizer. Got 'sgd'.",
    ),
    (
        lambda: keras.optimizers.schedules.ExponentialDecay(0.1, 0, 0.9),
        ValueError,
        "decay_steps must be a number > 0. Got decay_steps=0.",
    ),
    (
        lambda: keras.optimizers.schedules.ExponentialDecay(0.1, 10, None),
        ValueError,
        "ExponentialDecay: decay_rate must be a number. Got decay_rate=None.",
    ),
    (
        lambda: losses.CategoricalCrossentropy(label_smoothing=-0.1),
        ValueError,
        "CategoricalCrossentropy: label_smoothing must be a number in [0, 1]. Got label_smoothing=-0.1.",
    ),
    (
        lambda: keras.metrics.MeanIoU(2.5),
        ValueError,
        "MeanIoU: num_classes must be an int > 0. Got num_classes=2.5.",
    ),
    (
        lambda: keras.metrics.Precision(thresholds="half"),
        ValueError,
        "thresholds must be numbers in [0, 1]. Got ['half'].",
    ),
    (
        lambda: keras.metrics.Mean(name=3),
        ValueError,
        "Mean: name must be a string. Got name=3.",
    ),
    (
        lambda: keras.callbacks.EarlyStopping(patience=None),
        ValueError,
        "EarlyStopping: patience must be a number. Got patience=None.",
    ),
    (
        lambda: keras.callbacks.TensorBoard(update_freq="step"),
        ValueError,
        "TensorBoard: update_freq must be an int > 0. Got update_freq='step'.",
    ),
    (
        lambda: keras.initializers.VarianceScaling(scale=None),
        ValueError,
        "VarianceScaling: scale must be a number. Got scale=None.",
    ),
    (
        lambda: keras.constraints.NonNeg(2),
        TypeError,
        "NonNeg() takes no arguments. Got [2].",
    ),
]

DATA = [
    (
        lambda: fit(zeros(4, 4), zeros(3, 3)),
        ValueError,
        "All arrays should have the same number of samples (rows). Received: x: 4, y: 3. Pass a row of "
        "each for every sample.",
    ),
    (
        lambda: fit(zeros(0, 4), zeros(0, 3)),
        ValueError,
        "Received empty data: there is not a single sample. Pass arrays of at least one row.",
    ),
    (
        lambda: compiled().predict([], verbose=0),
        ValueError,
        "Received empty data: there is not a single sample. Pass arrays of at least one row.",
    ),
    (
        lambda: fit(zeros(4, 4), None),
        ValueError,
        'Sequential "net" has a loss but got no targets: pass `y` (the data yields only x).',
    ),
    (
        lambda: fit(zeros(4, 5), zeros(4, 3)),
        ValueError,
        "Layer \"net\": input 0 with name 'numbers' is incompatible with the layer: expected shape=(None, 4), "
        "found shape=(4, 5). Reshape the data, or begin the model with Input((5,)).",
    ),
    (
        lambda: fit(zeros(4, 4), zeros(4, 2)),
        ValueError,
        'Loss "mean_squared_error": Targets of shape (4, 2) do not go with predictions of shape (4, 3): sizes must be '
        "equal, or 1. Pass other targets, or change the units of the last layer.",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy(np.array([0, 5]), zeros(2, 3)),
        IndexError,
        "label 5 at row 1 is not one of the 3 classes; labels are numbers from 0 to 2. Give "
        "the last layer more units, or renumber the labels.",
    ),
    (
        lambda: keras.utils.to_categorical([0, 3], 3),
        ValueError,
        "to_categorical: labels range over 0..3, expected 0..2. Pass a larger num_classes, or number the "
        "classes from 0.",
    ),
    (
        lambda: fit(zeros(4, 4), zeros(4, 3), batch_size=0),
        ValueError,
        "`batch_size` should be a positive integer. Received: batch_size=0",
    ),
    (
        lambda: fit(zeros(4, 4), zeros(4, 3), validation_split=1.5),
        ValueError,
        "`validation_split` should lie between 0 and 1. Received: validation_split=1.5",
    ),
    (
        lambda: fit(np.array([["a"] * 4] * 4), zeros(4, 3)),
        ValueError,
        "`x` holds text. Encode text as integers with TextVectorization or StringLookup, or begin the "
        'model with Input(dtype="string") and one of these layers.',
    ),
    (
        lambda: fit(zeros(4, 4), np.array(["yes", "no"] * 2)),
        ValueError,
        "`y` holds text. Number the classes: names, y = np.unique(y, return_inverse=True), or with the "
        "layer StringLookup.",
    ),
    (
        lambda: fit(zeros(4, 4), np.array(["yes", "no"] * 2, object)),
        ValueError,
        "`y` holds text. Number the classes: names, y = np.unique(y, return_inverse=True), or with the "
        "layer StringLookup.",
    ),
    (
        lambda: ops.convert_to_tensor(["text"]),
        TypeError,
        "Can't make a tensor of list ['text']: its elements are no numbers (NumPy dtype <U4). Nested "
        "lists must have rows of equal lengths; encode text as integers, such as with the layers "
        "StringLookup or TextVectorization, which take lists and arrays.",
    ),
    (
        lambda: keras.Sequential([layers.Dense(3)], name="net").fit(zeros(4, 4), zeros(4, 3)),
        ValueError,
        'Sequential "net": call compile() before fit(): it says what to train with.',
    ),
]

WEIGHTS_AND_INPUTS = [
    (
        lambda: compiled().set_weights([zeros(4, 3)]),
        ValueError,
        'Sequential "net": set_weights() was given 1 arrays, but the layer has 2 weights, of shapes [(4, '
        "3), (3,)]. Pass a list with an array for each.",
    ),
    (
        lambda: compiled().set_weights([zeros(4, 2), zeros(3)]),
        ValueError,
        "Sequential \"net\": the weight 'net/head/kernel' has shape (4, 3); received an array of shape (4, "
        "2). Pass arrays of the shapes of get_weights().",
    ),
    (
        lambda: model_of_two().fit({"a": zeros(4, 2), "c": zeros(4, 2)}, zeros(4, 1), verbose=0),
        ValueError,
        "Functional \"two\": missing data for input \"b\". Received a dict with keys ['a', 'c'], expected the"
        " keys ['a', 'b'].",
    ),
    (
        lambda: model_of_two().predict([zeros(4, 2)], verbose=0),
        ValueError,
        'Layer "two" expects 2 input(s), but it received 1 input tensors. Inputs received: [<Tensor '
        "shape=(4, 2), dtype=float32, traced>]. Pass a list with a tensor for each input, or a dict by "
        "their names.",
    ),
    (
        lambda: model_of_two().fit([zeros(4, 2)] * 2, [zeros(4, 1)] * 2, verbose=0),
        ValueError,
        "`y` has 2 entries, but the model has 1 outputs: ['output']. Pass a list with one entry per "
        "output, or a dict by their names.",
    ),
    (
        lambda: layers.Dense(3, name="d").set_weights([zeros(2, 3)]),
        ValueError,
        'Dense "d": set_weights() was given 1 arrays, but the layer has 0 weights, of shapes []. Build '
        "the layer first: call it, or build().",
    ),
]


def deep_pooling():
    x = keras.Input((4, 4, 1))
    for i in range(3):
        x = layers.MaxPooling2D(name=f"pool_{i}")(x)


class ReturnsNothing(keras.Model):
    def call(self, x):
        ops.sum(x)


def without_return():
    model = ReturnsNothing(name="net")
    model.compile("sgd", "mse")
    model.fit(zeros(4, 4), zeros(4, 1), verbose=0)


def fit_labels(y, loss, **options):
    fit(zeros(len(y), 4), np.array(y), loss=loss, **options)


MISSPELT = [
    (
        lambda: keras.layer,
        AttributeError,
        'module \'dlcore\' has no attribute \'layer\'. Nearest names: "Layer", "layers", "Regularizer".',
    ),
    (
        lambda: layers.Conv2d(8, 3),
        AttributeError,
        'module \'dlcore.layers\' has no attribute \'Conv2d\'. Nearest names: "Conv2D", "Conv3D", "Conv1D".',
    ),
    (
        lambda: keras.utils.to_categoricl([1]),
        AttributeError,
        "module 'dlcore.utils' has no attribute 'to_categoricl'. Nearest names: \"to_categorical\".",
    ),
    (
        lambda: ops.matmull,
        AttributeError,
        'module \'dlcore.ops\' has no attribute \'matmull\'. Nearest names: "matmul", "all", "maximum".',
    ),
]

# What a beginner does, and which mistake the message has to show.
BEGINNERS = [
    (
        lambda: layers.Conv2D(8, kernelsize=3),
        TypeError,
        "Conv2D: the argument 'kernel_size' is missing. Got 'kernelsize', which is no argument. Nearest names: "
        '"kernel_size", "kernel_regularizer", "kernel_initializer".',
    ),
    (lambda: layers.Dense(), TypeError, "Dense: the argument 'units' is missing."),
    (
        lambda: layers.Dense(3, name="d").kernel,
        AttributeError,
        "'Dense' object has no attribute 'kernel'. Dense \"d\" is not built yet: its weights are made when it is first "
        "called, or by build(input_shape).",
    ),
    (
        lambda: layers.Dense(3, name="d").output,
        AttributeError,
        'Dense "d" has no output: it was never called on a KerasTensor. Call it on what Input() returns.',
    ),
    (
        deep_pooling,
        ValueError,
        'MaxPooling2D "pool_2": max_pool: the window does not fit: along the height it reaches over 2 pixels but the '
        "padded image has 1 (window (2, 2), strides (2, 2), padding 'valid'). Use a larger image, a smaller window, or "
        "padding='same'.",
    ),
    (
        without_return,
        ValueError,
        'ReturnsNothing "net": call() returned None. Does it end with `return` and the outputs?',
    ),
    (
        lambda: fit_labels([0, 1], "binary_crossentropy"),
        ValueError,
        "binary_crossentropy: target and output must have the same shape. Received: target.shape=(2,), "
        "output.shape=(2, 3). Give the last layer one unit instead of 3, or use the loss "
        "'sparse_categorical_crossentropy' with softmax.",
    ),
    (
        lambda: fit_labels([0, 1], "categorical_crossentropy"),
        ValueError,
        "categorical_crossentropy: target and output must have the same shape. Received: target.shape=(2,), "
        "output.shape=(2, 3). For integer labels use the loss 'sparse_categorical_crossentropy'.",
    ),
    (
        lambda: fit_labels(np.eye(3), "sparse_categorical_crossentropy"),
        ValueError,
        "sparse_categorical_crossentropy: the labels' shape must be the output's without the axis of classes. "
        "Received: target.shape=(3, 3), output.shape=(3, 3). For one-hot labels use the loss "
        "'categorical_crossentropy'.",
    ),
    (
        lambda: fit_labels([0, 1], "sparse_categorical_crossentropy", class_weight=[1.0, 2.0]),
        ValueError,
        "`class_weight` must be a dict {class: weight}. Got class_weight=[1.0, 2.0]; of a list of weights pass "
        "dict(enumerate(weights)).",
    ),
    (
        lambda: fit(zeros(4, 4), zeros(4, 3), validation_data=zeros(4, 4)),
        ValueError,
        "`validation_data` should be a tuple (x, y) or (x, y, sample_weight), or yield such batches. Got ndarray of "
        "shape (4, 4).",
    ),
    (
        lambda: compiled(metrics="accuracy"),
        ValueError,
        "`metrics` should be a list or a dict. Got metrics='accuracy'; pass metrics=['accuracy'].",
    ),
    (
        lambda: keras.utils.pad_sequences([["a"], ["b", "c"]]),
        ValueError,
        "pad_sequences: sequence 0 holds text, which does not fit dtype int32. Encode text as integers, such as with "
        "TextVectorization, or pass dtype=object and a string as the value.",
    ),
    (
        lambda: layers.TextVectorization(name="t")(["some text"]),
        RuntimeError,
        'TextVectorization "t" has no vocabulary yet. Call adapt(data), or pass a vocabulary.',
    ),
    (
        lambda: layers.IntegerLookup(name="i")([1]),
        RuntimeError,
        'IntegerLookup "i" has no vocabulary yet. Call adapt(data), or pass a vocabulary.',
    ),
    (
        lambda: keras.optimizers.Adam(-0.1),
        ValueError,
        "Adam: learning_rate must be a float >= 0, a LearningRateSchedule or a function. Got learning_rate=-0.1.",
    ),
    (
        lambda: keras.optimizers.Adam("0.001"),
        ValueError,
        "Adam: learning_rate must be a float >= 0, a LearningRateSchedule or a function. Got learning_rate='0.001'.",
    ),
]


@pytest.mark.parametrize(
    "call, kind, text",
    [*SHAPES_INTO_LAYERS, *AXES, *NAMES, *NUMBERS, *DATA, *WEIGHTS_AND_INPUTS, *MISSPELT, *BEGINNERS],
)
def test_text(call, kind, text):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == text


NAMESPACES = (
    layers,
    losses,
    keras.metrics,
    keras.optimizers,
    keras.optimizers.schedules,
    keras.initializers,
    keras.regularizers,
    keras.constraints,
    keras.callbacks,
)
# What constructors cannot do without, where another argument is to be wrong.
NEEDED = {
    "PiecewiseConstantDecay": {"boundaries": [1], "values": [0.1, 0.2]},
    "LossScaleOptimizer": {"inner_optimizer": keras.optimizers.SGD()},
    "Bidirectional": {"layer": layers.LSTM(2)},
    "RNN": {"cell": layers.LSTMCell(2)},
    "CSVLogger": {"filename": "log.csv"},
    "BackupAndRestore": {"backup_dir": "backup"},
    "ModelCheckpoint": {"filepath": "model.keras"},
    "LearningRateScheduler": {"schedule": abs},
}


def checked_arguments():
    """(class, argument) for each argument of a public constructor that is a number or bool by default, or a name."""
    classes = {cls for names in NAMESPACES for cls in vars(names).values() if inspect.isclass(cls)}
    for cls in sorted(classes, key=lambda cls: cls.__module__ + cls.__name__):
        for name, parameter in inspect.signature(cls.__init__).parameters.items():
            is_checked = isinstance(parameter.default, (int, float)) or name == "name"
            if is_checked and (cls.__name__, name) != ("TensorBoard", "profile_batch"):
                yield cls, name


@pytest.mark.parametrize(
    "wrong", ["many", {"number": 1}, Ellipsis, float("nan")], ids=["string", "dict", "object", "nan"]
)
@pytest.mark.parametrize("cls, name", list(checked_arguments()))
def test_arguments_of_another_kind(cls, name, wrong):
    if (isinstance(wrong, str) and name == "name") or (isinstance(wrong, dict) and name == "learning_rate"):
        return  # a name, or the configuration of a schedule, which has a message of its own
    if wrong != wrong and name in ("fill_value", "mask_value", "value"):
        return  # NaN is a value
    required = [
        p.name
        for p in list(inspect.signature(cls.__init__).parameters.values())[1:]
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    arguments = {key: NEEDED.get(cls.__name__, {}).get(key, 2) for key in required}
    with pytest.raises(ValueError, match=rf"{name} must be .*[Gg]ot .*{re.escape(repr(wrong))}"):
        cls(**{**arguments, name: wrong})


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: layers.Dense(2, use_bias=7.5), "Dense: use_bias must be True or False. Got use_bias=7.5."),
        (lambda: layers.PReLU(shared_axes="x"), "PReLU: shared_axes must be an int or a list of ints. Got"),
        (
            lambda: layers.Attention(seed="x"),
            "Attention: seed must be an int >= 0, a SeedGenerator or None. Got seed='x'.",
        ),
        (lambda: layers.MultiHeadAttention(2, 2, seed=-1), "MultiHeadAttention: seed must be an int >= 0, a SeedGen"),
        (lambda: losses.Dice(axis="x"), "Dice: axis must be an int or a list of ints. Got axis='x'."),
        (
            lambda: layers.Lambda(abs, mask=3),
            "Lambda: mask must be an array, a function (inputs, mask) -> mask or None.",
        ),
        (lambda: layers.Lambda(abs, output_shape="x"), "Lambda: output_shape must be a list of sizes. Got"),
        (lambda: layers.STFTSpectrogram(window=3), "STFTSpectrogram: window must be the name of a window, an array of"),
        (lambda: layers.MelSpectrogram(window="x"), "MelSpectrogram: unknown window 'x'. Known names: "),
        (lambda: layers.Rescaling("x"), "Rescaling: scale must be a number or a list of numbers. Got scale='x'."),
        (lambda: layers.Resizing(2, 2, "linear"), "Resizing: unknown interpolation: 'linear'. "),
        (lambda: layers.Dropout(0.5, ["x"]), "Dropout: noise_shape must hold ints, or None for any size. Got"),
        (lambda: keras.InputSpec(shape=("x",)), "InputSpec: shape must hold ints, or None for any size. Got"),
        (lambda: keras.InputSpec(ndim="two"), "InputSpec: ndim must be an int. Got ndim='two'."),
        (lambda: keras.metrics.Precision(class_id="x"), "Precision: class_id must be an int. Got class_id='x'."),
        (lambda: keras.optimizers.SGD(clipnorm=-1.0), "SGD: clipnorm must be a number >= 0. Got clipnorm=-1.0."),
        (lambda: keras.optimizers.SGD(weight_decay="x"), "SGD: weight_decay must be a number >= 0. Got"),
        (lambda: keras.optimizers.SGD(ema_momentum=2.0), "ema_momentum must lie in [0, 1]. Got ema_momentum=2.0."),
        (lambda: keras.optimizers.SGD(gradient_accumulation_steps=1.5), "gradient_accumulation_steps must be an int"),
        (lambda: keras.callbacks.LearningRateScheduler(0.1), "LearningRateScheduler: schedule must be a function. Got"),
        (lambda: keras.callbacks.EarlyStopping(monitor=1), "EarlyStopping: monitor must be a string. Got monitor=1."),
        (
            lambda: keras.initializers.HeNormal(seed={}),
            "HeNormal: seed must be an int >= 0, a SeedGenerator or None. Got",
        ),
    ],
)
def test_arguments_that_are_none_by_default(make, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        make()


@pytest.mark.parametrize(
    "call, begin",
    [
        (lambda: ops.zeros((2, 3)) - ops.zeros(4), "subtract: shapes (2, 3) and (4,)"),
        (lambda: ops.arctan2(zeros(2, 3), zeros(4)), "arctan2: shapes (2, 3) and (4,)"),
        (lambda: ops.hstack([zeros(2, 2), zeros(3, 3)]), "concatenate: input 1 is float32(3, 3)"),
        (lambda: ops.sum(zeros(2), axis=1), "sum: axis 1 is out of range"),
        (lambda: ops.max_pool(keras.Input((2, 2, 1)), 3), "max_pool: the window does not fit"),
        (lambda: layers.Conv2D(1, 3)(zeros(1, 2, 2, 1)), 'Conv2D "conv2d": conv: the window does not fit'),
        (lambda: keras.random.normal((2, -1)), "normal: the shape (2, None)"),
    ],
)
def test_texts_say_the_function_that_was_called(call, begin):
    keras.backend.clear_session()
    with pytest.raises(ValueError, match="^" + re.escape(begin)):
        call()


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    "loss, targets, kind, text",
    [
        ("mse", [zeros(4, 3), zeros(4, 3)], ValueError, '"mean_squared_error" of output "b": Targets of shape (4, 3)'),
        ("categorical_crossentropy", [zeros(4, 3)] * 2, ValueError, '"categorical_crossentropy" of output "b": target'),
        (
            "sparse_categorical_crossentropy",
            [np.zeros(4, int), np.full(4, 2)],
            IndexError,
            '"sparse_categorical_crossentropy" of output "b": label 2 at row 0 is not one of the 2 classes',
        ),
    ],
)
def test_losses_of_several_outputs_say_which(run_eagerly, loss, targets, kind, text):
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(3, name="a")(x), layers.Dense(2, name="b")(x)])
    model.compile("sgd", [loss, loss], run_eagerly=run_eagerly)
    with pytest.raises(kind, match="^Loss " + re.escape(text)):
        model.fit(zeros(4, 4), targets, verbose=0)


def test_one_image_without_the_axis_of_the_batch():
    model = keras.Sequential([keras.Input((5, 4, 3)), layers.Flatten()])
    for call in (model, model.predict):
        with pytest.raises(ValueError, match=r"found shape=\(5, 4, 3\)\. A batch of one example is x\[None\]\.$"):
            call(zeros(5, 4, 3))


def test_the_name_of_a_weight_in_front():
    with pytest.raises(ValueError, match=r"passed by keyword: add_weight\(shape=..., name='w'\)"):
        layers.Layer().add_weight("w", shape=(3,))


@pytest.mark.parametrize("make", [ops.zeros, lambda shape: keras.Variable(zeros(*shape)), keras.Input])
def test_elements_are_not_assigned(make):
    with pytest.raises(TypeError, match="can't be assigned to. Make a new tensor with ops.where"):
        make((3,))[0] = 1.0


def test_texts_of_functions_of_the_users_stay():
    def fails(x):
        raise ValueError("mine: no")

    with pytest.raises(ValueError, match="^mine: no$"):
        ops.map(fails, zeros(2))


BAD_ID = (
    "index 7 (element 1 of the indices) is out of range for axis 0 of size 5 of (5, 3); expected 0 <= index < 5. "
    "Check the ids, or enlarge the table."
)
BAD_LABEL = (
    'Loss "sparse_categorical_crossentropy": label 7 at row 1 is not one of the 3 classes; labels '
    "are numbers from 0 to 2. Give the last layer more units, or renumber the labels."
)
IDS, BAD_IDS, LABELS, BAD_LABELS = (np.array(x) for x in ([[2], [3]], [[2], [7]], [0, 1], [0, 7]))


def model_of_words(run_eagerly=False):
    """A table of five words -> one of three classes."""
    words = layers.Embedding(5, 3, name="words")
    model = keras.Sequential([keras.Input((1,)), words, layers.Flatten(), layers.Dense(3)], name="net")
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], run_eagerly=run_eagerly)
    return model


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    "call, text",
    [
        (lambda model: model.fit(BAD_IDS, LABELS, shuffle=False, verbose=0), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model.evaluate(BAD_IDS, LABELS, verbose=0), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model.predict(BAD_IDS, verbose=0), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model.train_on_batch(BAD_IDS, LABELS), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model(BAD_IDS), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model.fit(IDS, BAD_LABELS, shuffle=False, verbose=0), BAD_LABEL),
        (lambda model: model.evaluate(IDS, BAD_LABELS, verbose=0), BAD_LABEL),
    ],
)
def test_bad_numbers_in_the_data(call, text, run_eagerly):
    with pytest.raises(IndexError) as error:
        call(model_of_words(run_eagerly))
    assert str(error.value) == text


def test_bad_numbers_in_a_layer_inside_of_layers():
    class Encoder(layers.Layer):
        def __init__(self):
            super().__init__(name="encoder")
            self.words = layers.Embedding(5, 3, name="words")

        def call(self, x):
            return ops.mean(self.words(x), axis=1)

    model = keras.Sequential([keras.Input((1,)), Encoder(), layers.Dense(1)], name="net")
    with pytest.raises(IndexError) as error:
        model.predict(BAD_IDS, verbose=0)
    assert str(error.value) == f'Embedding "net/encoder/words": {BAD_ID}'


def test_bad_numbers_in_a_metric_and_in_code_of_no_layer():
    def first_classes(y_true, y_pred):
        return ops.take(y_pred, ops.cast(y_true, "int32"), axis=1)

    model = model_of_words()
    model.compile("adam", lambda y_true, y_pred: ops.mean(y_pred, axis=-1), metrics=[first_classes])
    text = "index 7 (element 1 of the indices) is out of range for axis 1 of size 3 of (2, 3)"
    with pytest.raises(IndexError, match="^" + re.escape(f'Metric "first_classes": {text}')):
        model.evaluate(IDS, BAD_LABELS, verbose=0)
    with pytest.raises(IndexError, match="^" + re.escape(text)):
        first_classes(BAD_LABELS, zeros(2, 3))


def test_rows_of_different_lengths():
    text = (
        r"Can't make an array of list \[\[1.0, 2.0\], \[1.0\]\]: .* Rows must have one length: pad them, such as with"
    )
    with pytest.raises(ValueError, match=text):
        compiled().predict([[1.0, 2.0], [1.0]], verbose=0)
    with pytest.raises(ValueError, match=text):
        ops.convert_to_tensor([[1.0, 2.0], [1.0]])


def test_weights_of_another_model(tmp_path):
    path = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((5,)), layers.Dense(3)]).save_weights(path)
    with pytest.raises(ValueError) as error:
        compiled().load_weights(path)
    assert str(error.value) == (
        f"{path} does not fit the model; no weight was changed:\n"
        '  layer "head" (at layers/dense): "kernel" has shape (4, 3), in the file (5, 3)\n'
        "Build the model as it was saved, or pass skip_mismatch=True to load what fits."
    )


def test_weights_of_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        compiled().load_weights("none.weights.h5")
    assert str(error.value) == f"There is no file 'none.weights.h5'. The working directory is {str(tmp_path)!r}."


@pytest.mark.parametrize(
    "call",
    [
        lambda: layers.Embedding(5, 2)(np.array([[np.nan]])),
        lambda: fit_labels([np.nan], "sparse_categorical_crossentropy"),
    ],
)
def test_nan_is_no_index(call):
    with pytest.raises(IndexError, match="-9223372036854775808"):
        call()


def test_weights_that_are_not_there_yet(tmp_path):
    model = keras.Sequential([layers.Dense(3)], name="net")
    with pytest.raises(ValueError, match='Sequential "net" has no weights yet to save: it is built when first'):
        model.save_weights(tmp_path / "net.weights.h5")
    assert not list(tmp_path.iterdir())


def test_errors_of_the_users_own_code_stay_as_they_are():
    class Picky(layers.Layer):
        def call(self, x):
            raise ValueError("no")

    with pytest.raises(ValueError) as error:
        keras.Sequential([Picky()])(zeros(1, 2))
    assert str(error.value) == "no"


def test_the_innermost_layer_is_named():
    class Squared(layers.Layer):
        def call(self, x):
            return ops.matmul(x, x)

    model = keras.Sequential([layers.Dense(3), Squared(name="squared")], name="net")
    with pytest.raises(ValueError, match=r'^Squared "net/squared": matmul: a has 3 columns but b has 2 rows'):
        model(zeros(2, 4))


@pytest.mark.parametrize("names", [*NAMESPACES, ops, keras.activations, keras.models, keras.saving, keras.random])
def test_unknown_names_of_a_namespace(names):
    assert not hasattr(names, "__no_such_name__")
    known = [name for name in dir(names) if name[0].isalpha()][0]
    with pytest.raises(
        AttributeError, match=rf"(?i)module '{names.__name__}' has no attribute '{known}x'. .*\"{known}\""
    ):
        getattr(names, f"{known}x")


ROWS, CLASSES = np.zeros((6, 4), "float32"), np.zeros(6, "int32")


def test_a_list_of_rows_is_no_array():
    with pytest.raises(ValueError, match=r"Received: x: 4, y: 6\. x is a list of 6 arrays, one per input"):
        fit(list(ROWS), CLASSES)


def test_a_function_is_no_data():
    def batches():
        yield ROWS, CLASSES

    with pytest.raises(ValueError, match=r"Pass what it returns: batches\(\)\.$"):
        compiled().fit(batches)


def test_a_series_of_categories():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"^`y` holds no numbers \(category\)\. Encode them"):
        fit(ROWS, pandas.Series(list("abcabc")).astype("category"))


def test_a_loss_without_return():
    with pytest.raises(ValueError, match='^The loss "forgotten" returned None. Does it end with `return`'):

        def forgotten(y_true, y_pred):
            ops.mean(ops.square(y_true - y_pred))

        fit(ROWS, zeros(6, 3), loss=forgotten)


def test_a_metric_without_return():
    def forgotten(y_true, y_pred):
        ops.mean(y_pred)

    with pytest.raises(ValueError, match='^The metric "forgotten" returned None. Does it end with `return`'):
        compiled(metrics=[forgotten]).fit(ROWS, zeros(6, 3), verbose=0)


@pytest.mark.parametrize(
    "metric, expected",
    [
        (lambda: keras.metrics.AUC(name="area"), r'^Metric "area": y_true of shape \(6,\) does not go with y_pred of '),
        (
            lambda: keras.metrics.Precision(name="precise"),
            r'^Metric "precise": y_true of shape \(6,\).* One-hot encode integer labels\.$',
        ),
        (
            lambda: keras.metrics.F1Score(name="f1"),
            r'^Metric "f1": F1Score takes y_true and y_pred of shape \(batch, classes\)',
        ),
        (lambda: keras.metrics.Accuracy(name="exact"), r'^Metric "exact": equal: shapes \(6,\) and \(6, 3\)'),
    ],
)
def test_metrics_name_themselves(metric, expected):
    model = compiled(loss="sparse_categorical_crossentropy", metrics=[metric()])
    with pytest.raises(ValueError, match=expected):
        model.fit(ROWS, CLASSES, verbose=0)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder. Name the .keras, .h5 or weights file"):
        keras.models.load_model(tmp_path)


def test_a_choice_by_a_symbolic_tensor():
    with pytest.raises(TypeError, match="Choose with ops.where or ops.cond"):
        bool(keras.Input((4,)))


def test_the_softmax_of_one_unit_is_always_1():
    with pytest.warns(UserWarning, match=r"shape \(None, 1\) is always 1. For one unit use sigmoid"):
        keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="softmax")])


def test_known_names_are_told_once():
    with pytest.raises(ValueError) as error:
        keras.optimizers.get("mse")
    assert '"AdamW"' in str(error.value) and "adamw" not in str(error.value)


class MadeAnew(keras.Model):
    """Makes its layer in call(): kept or not, and each time or once."""

    def __init__(self, kept, once=False):
        super().__init__(name="m")
        self.body, self.head = layers.Dense(2), None
        self.kept, self.once = kept, once

    def call(self, x):
        head = self.head if self.once and self.head is not None else layers.Dense(1)
        if self.kept:
            self.head = head
        return head(self.body(x))


@pytest.mark.parametrize("method", ["fit", "predict"])
def test_layers_made_in_call_and_not_kept(method):
    model = MadeAnew(kept=False)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"^MadeAnew \"m\": call\(\) made layers or weights that are not kept"):
        getattr(model, method)(*([ROWS, CLASSES] if method == "fit" else [ROWS]), verbose=0)


def test_weights_made_in_each_call():
    class Scale(layers.Layer):
        def call(self, x):
            self.factor = self.add_weight(shape=(), initializer="ones")
            return x * self.factor

    scale = Scale(name="s")
    scale(ROWS)
    with pytest.raises(ValueError, match=r"^Scale \"s\": call\(\) makes a weight each time it runs.* __init__"):
        scale(ROWS)


def test_a_train_step_of_keras_on_jax():
    class Model(keras.Model):
        def train_step(self, state, data):
            return {}, state

    inputs = keras.Input((3,))
    model = Model(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"train_step\(\) takes the batch alone. Got .*'state', 'data'.*GradientTape"):
        model.fit(ROWS, CLASSES, verbose=0)


def test_layers_made_again_in_a_second_trace():
    with pytest.raises(ValueError, match="not kept from one call to the next"):
        MadeAnew(kept=True).predict(ROWS, batch_size=4, verbose=0)  # the last batch is smaller
    model = MadeAnew(kept=True, once=True)
    model.compile("sgd", "mse")
    model.fit(ROWS, CLASSES, batch_size=4, verbose=0)
    assert len(model.weights) == 4
