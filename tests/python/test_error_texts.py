"""Error texts of typical mistakes, word by word: what was received, what was expected, how to mend it."""

import numpy as np
import pytest
from small_models import compiled, fit, fit_labels, zeros

import dlcore as keras
from dlcore import layers, losses, ops


def built(layer, *shape):
    """The layer, called once on zeros of a shape."""
    layer(zeros(*shape))
    return layer


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
        'Dense: activation: Unknown activation: "rellu". Nearest names: "relu", "relu6", "elu".',
    ),
    (
        lambda: layers.Dense(3, kernel_initializer="glorot_unifrom"),
        ValueError,
        'Dense: kernel_initializer: Unknown initializer: "glorot_unifrom". Nearest names: "glorot_uniform", '
        '"GlorotUniform", "glorot_normal".',
    ),
    (
        lambda: layers.Conv2D(8, 3, padding="sam"),
        ValueError,
        'Conv2D: unknown padding: \'sam\'. Known names: "same", "valid".',
    ),
    (
        lambda: layers.Resizing(2, 2, interpolation="area"),
        ValueError,
        'Resizing: unknown interpolation: \'area\'. Known names: "nearest", "bicubic", "bilinear", "lanczos3", '
        '"lanczos5".',
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
        lambda: ops.zeros(3.0),
        TypeError,
        "A shape is an int or a tuple of ints (n // 2, not n / 2). Received: 3.0",
    ),
    (
        lambda: ops.reshape(zeros(4), (4 / 2, 2)),
        TypeError,
        "A shape is an int or a tuple of ints (n // 2, not n / 2). Received: (2.0, 2)",
    ),
    (
        lambda: ops.stack([zeros(2), zeros(3)]),
        ValueError,
        "stack: expected tensors of one shape. Received shapes: (2,), (3,)",
    ),
    (
        lambda: ops.stack([]),
        ValueError,
        "stack: expected tensors of one shape. Received shapes: none",
    ),
    (
        lambda: layers.Add(name="a")([keras.Input((4,)), None]),
        ValueError,
        'Add "a": input 1 of 2 is None. Expected tensors.',
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
        "BatchNormalization: momentum must be a number in [0, 1]. Got momentum=None.",
    ),
    (
        lambda: layers.LayerNormalization(epsilon=[1e-3]),
        ValueError,
        "LayerNormalization: epsilon must be a number >= 0. Got epsilon=[0.001].",
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
        "Adam: beta_1 must be a number in [0, 1]. Got beta_1='0.9'.",
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
        "EarlyStopping: patience must be an int >= 0. Got patience=None.",
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
        'Loss "mse": Targets of shape (4, 2) do not go with predictions of shape (4, 3): sizes must be '
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
        'Layer "two" expects 2 input(s), but it received 1 input tensors. Inputs received: [float32(4, 2)]. '
        "Pass a list with a tensor for each input, or a dict by their names.",
    ),
    (
        lambda: model_of_two().fit([zeros(4, 2)] * 2, [zeros(4, 1)] * 2, verbose=0),
        ValueError,
        "`y` has 2 entries, but the model has 1 output: ['output']. Pass a list with one entry per "
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


class ReturnsOf(layers.Layer):
    """Returns what a function makes of its input."""

    def __init__(self, make):
        super().__init__(name="made")
        self.make = make

    def call(self, x):
        return self.make(x)


def unfrozen_after_training():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="body"), layers.Dense(1)], name="net")
    model.layers[0].trainable = False
    model.compile(keras.optimizers.SGD(name="sgd"), "mse")
    model.fit(zeros(4, 4), zeros(4, 1), verbose=0)
    model.layers[0].trainable = True
    model.fit(zeros(4, 4), zeros(4, 1), verbose=0)


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
    (
        lambda: keras.backend.shape(zeros(2)),
        AttributeError,
        "module 'dlcore.backend' has no attribute 'shape'. Use dlcore.ops.shape.",
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
        lambda: ReturnsOf(lambda x: None)(keras.Input((4,))),
        ValueError,
        'ReturnsOf "made": call() returned None. Does it end with `return` and the outputs?',
    ),
    (
        lambda: ReturnsOf(lambda x: (x, 3))(keras.Input((4,))),
        ValueError,
        'ReturnsOf "made": call() returned 3 (of type int) as output 1 of 2. The outputs of a layer or an op in a '
        "model must be tensors.",
    ),
    (
        lambda: keras.Sequential([keras.Input((8, 8, 3), name="in"), layers.Flatten()], name="net")(zeros(9, 9, 3)),
        ValueError,
        "Layer \"net\": input 0 with name 'in' is incompatible with the layer: expected shape=(None, 8, 8, 3), found "
        "shape=(9, 9, 3). Add an axis (x[None] makes a batch of one example, x[..., None] one channel or feature), or "
        "begin the model with Input((9, 3)).",
    ),
    (
        lambda: layers.Dense(3, name="d")([[1.0] * 5] * 2),
        ValueError,
        'Layer "d" expects 1 input(s), but it received 10 input tensors. Inputs received: [1.0, 1.0, 1.0, 1.0, 1.0, '
        "1.0, 1.0, 1.0, ...]. A list is not a tensor: make it an array, such as np.array(x).",
    ),
    (
        lambda: layers.Dense(3, name="d")(layers.GRU(4, return_state=True)(zeros(2, 3, 4))),
        ValueError,
        'Layer "d" expects 1 input(s), but it received 2 input tensors. Inputs received: [float32(2, 4), '
        "float32(2, 4)]. Pass one of them, such as the first of several outputs, or join them, such as with "
        "Concatenate.",
    ),
    (
        unfrozen_after_training,
        ValueError,
        'Optimizer "sgd" was not built for the weight net/body/kernel of shape (4, 2). After a change of `trainable` '
        "or of the layers, call the model's compile() again, with a new optimizer; or build the optimizer with all "
        "weights first.",
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
