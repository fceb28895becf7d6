"""The workloads' models in Keras and in dlcore: the same code, the module is an argument."""

import math

from .workloads import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    LayerNorm,
    MaxPool,
    Recurrent,
    Residual,
    SelfAttention,
    Skip,
    Upsample,
    Workload,
)

LOSSES = {"sparse": "sparse_categorical_crossentropy", "binary": "binary_crossentropy", "mse": "mse"}


def build(keras, w: Workload):
    """The model of a workload, not compiled."""
    inputs = keras.Input(w.input_shape, dtype="int32" if w.tokens else "float32")
    return keras.Model(inputs, _chain(keras.layers, w.layers, inputs))


def compiled(keras, w: Workload, **settings):
    """The model of a workload, ready to train; settings go to compile()."""
    model = build(keras, w)
    optimizer = keras.optimizers.Adam() if w.optimizer == "adam" else keras.optimizers.SGD(0.01)
    metrics = ["accuracy"] if w.loss != "mse" else []
    model.compile(optimizer=optimizer, loss=LOSSES[w.loss], metrics=metrics, **settings)
    return model


def parameters(model) -> int:
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def _chain(layers, chain: tuple, x):
    for description in chain:
        x = _layer(layers, description, x)
    return x


def _layer(layers, description, x):
    match description:
        case Dense(units, activation):
            return layers.Dense(units, activation=activation)(x)
        case Conv(filters, kernel, activation, padding, stride, bias):
            conv = layers.Conv2D if len(x.shape) == 4 else layers.Conv1D
            return conv(filters, kernel, stride, padding, activation=activation, use_bias=bias)(x)
        case DepthwiseConv(stride):
            return layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)
        case BatchNorm():
            return layers.BatchNormalization()(x)
        case LayerNorm():
            return layers.LayerNormalization()(x)
        case Activation(name):
            return layers.Activation(name)(x)
        case MaxPool(size):
            return layers.MaxPooling2D(size)(x)
        case GlobalAveragePool():
            return (layers.GlobalAveragePooling2D if len(x.shape) == 4 else layers.GlobalAveragePooling1D)()(x)
        case GlobalMaxPool():
            return (layers.GlobalMaxPooling2D if len(x.shape) == 4 else layers.GlobalMaxPooling1D)()(x)
        case Upsample(size):
            return layers.UpSampling2D(size)(x)
        case Flatten():
            return layers.Flatten()(x)
        case Embedding(vocabulary, width):
            return layers.Embedding(vocabulary, width)(x)
        case Recurrent(kind, units, sequences, bidirectional):
            layer = {"lstm": layers.LSTM, "gru": layers.GRU}[kind](units, return_sequences=sequences)
            return (layers.Bidirectional(layer) if bidirectional else layer)(x)
        case SelfAttention(heads):
            return layers.MultiHeadAttention(heads, x.shape[-1] // heads)(x, x)
        case Residual(main, shortcut):
            return layers.Add()([_chain(layers, main, x), _chain(layers, shortcut, x)])
        case Skip(inner):
            return layers.Concatenate()([x, _chain(layers, inner, x)])
    raise ValueError(f"no Keras layer for {description}")
