"""Single layers beside Keras's: `python -m bench.layers [--peers PYTHON] [layer ...]`.

Milliseconds of `train_on_batch` of two layers: a Dense layer of as many units as there are channels, so that gradients
flow through what is behind it, and that; embeddings stand alone. A net for what falls behind: the shapes are small and
varied, and each row should be well above 1.
"""

from collections.abc import Callable

import numpy as np

from .keras_calls import Rows, main

# name: the layer, the shape of a sample, rows
LAYERS = {
    "average_pooling": (lambda L: L.AveragePooling2D(2), (32, 32, 32), 32),
    "average_pooling_of_6": (lambda L: L.AveragePooling2D(2), (28, 28, 6), 64),
    "average_pooling_overlapping": (lambda L: L.AveragePooling2D(3, 1, "same"), (32, 32, 32), 32),
    "max_pooling_of_6": (lambda L: L.MaxPooling2D(2), (28, 28, 6), 64),
    "max_pooling_overlapping": (lambda L: L.MaxPooling2D(3, 2, "same"), (64, 64, 32), 32),
    "max_pooling_1d": (lambda L: L.MaxPooling1D(4), (512, 32), 32),
    "max_pooling_3d": (lambda L: L.MaxPooling3D(2), (16, 16, 16, 16), 8),
    "global_average_pooling": (lambda L: L.GlobalAveragePooling2D(), (32, 32, 64), 32),
    "global_max_pooling_1d": (lambda L: L.GlobalMaxPooling1D(), (256, 128), 32),
    "batch_normalization": (lambda L: L.BatchNormalization(), (32, 32, 32), 32),
    "layer_normalization": (lambda L: L.LayerNormalization(), (128, 128), 32),
    "group_normalization": (lambda L: L.GroupNormalization(8), (32, 32, 32), 32),
    "instance_normalization": (lambda L: L.GroupNormalization(-1), (32, 32, 32), 32),
    "unit_normalization": (lambda L: L.UnitNormalization(), (128, 128), 32),
    "prelu": (lambda L: L.PReLU(), (32, 32, 32), 32),
    "elu": (lambda L: L.Activation("elu"), (32, 32, 32), 32),
    "mish": (lambda L: L.Activation("mish"), (32, 32, 32), 32),
    "silu": (lambda L: L.Activation("silu"), (32, 32, 32), 32),
    "softmax_over_rows": (lambda L: L.Softmax(axis=1), (128, 128), 32),
    "dropout": (lambda L: L.Dropout(0.5), (32, 32, 64), 32),
    "spatial_dropout": (lambda L: L.SpatialDropout2D(0.5), (32, 32, 64), 32),
    "gaussian_noise": (lambda L: L.GaussianNoise(0.5), (32, 32, 64), 32),
    "up_sampling": (lambda L: L.UpSampling2D(2), (16, 16, 32), 32),
    "up_sampling_bilinear": (lambda L: L.UpSampling2D(2, interpolation="bilinear"), (16, 16, 32), 32),
    "zero_padding": (lambda L: L.ZeroPadding2D(2), (32, 32, 32), 32),
    "permute": (lambda L: L.Permute((3, 1, 2)), (32, 32, 32), 32),
    "conv_1d": (lambda L: L.Conv1D(64, 3, padding="same", activation="relu"), (256, 64), 32),
    "conv_1d_of_sound": (lambda L: L.Conv1D(16, 64, strides=4, activation="relu"), (4000, 1), 32),
    "conv_2d_1_to_8": (lambda L: L.Conv2D(8, 3, activation="relu"), (28, 28, 1), 128),
    "conv_2d_16_to_4": (lambda L: L.Conv2D(4, 3, padding="same"), (32, 32, 16), 32),
    "conv_2d_strided": (lambda L: L.Conv2D(64, 3, 2, "same"), (32, 32, 32), 32),
    "conv_2d_dilated": (lambda L: L.Conv2D(32, 3, padding="same", dilation_rate=2), (32, 32, 32), 32),
    "conv_2d_groups": (lambda L: L.Conv2D(32, 3, padding="same", groups=4), (32, 32, 32), 32),
    "conv_2d_1x7": (lambda L: L.Conv2D(32, (1, 7), padding="same"), (32, 32, 32), 32),
    "conv_2d_5x5": (lambda L: L.Conv2D(32, 5, padding="same"), (32, 32, 32), 32),
    "conv_3d": (lambda L: L.Conv3D(16, 3, padding="same"), (16, 16, 16, 8), 8),
    "depthwise": (lambda L: L.DepthwiseConv2D(3, padding="same"), (32, 32, 64), 32),
    "depthwise_7x7": (lambda L: L.DepthwiseConv2D(7, padding="same"), (32, 32, 64), 32),
    "depthwise_strided": (lambda L: L.DepthwiseConv2D(3, 2, "same"), (32, 32, 64), 32),
    "depthwise_1d": (lambda L: L.DepthwiseConv1D(9, padding="same"), (256, 64), 32),
    "separable": (lambda L: L.SeparableConv2D(64, 3, padding="same"), (32, 32, 32), 32),
    "transposed": (lambda L: L.Conv2DTranspose(32, 4, 2, "same"), (16, 16, 64), 32),
    "transposed_to_1": (lambda L: L.Conv2DTranspose(1, 3, padding="same"), (32, 32, 32), 32),
    "conv_lstm": (lambda L: L.ConvLSTM2D(8, 3, padding="same"), (8, 16, 16, 8), 8),
    "lstm": (lambda L: L.LSTM(64), (50, 32), 32),
    "lstm_relu": (lambda L: L.LSTM(64, activation="relu"), (50, 32), 32),
    "lstm_dropout": (lambda L: L.LSTM(64, dropout=0.2, recurrent_dropout=0.2), (50, 32), 32),
    "lstm_one_row": (lambda L: L.LSTM(64), (50, 32), 1),
    "gru": (lambda L: L.GRU(64), (50, 32), 32),
    "gru_reset_before": (lambda L: L.GRU(64, reset_after=False), (50, 32), 32),
    "simple_rnn": (lambda L: L.SimpleRNN(64), (50, 32), 32),
    "stacked_cells": (lambda L: L.RNN([L.LSTMCell(32), L.LSTMCell(32)]), (50, 32), 32),
    "time_distributed": (lambda L: L.TimeDistributed(L.Conv2D(16, 3)), (8, 16, 16, 3), 16),
    "einsum_dense": (lambda L: L.EinsumDense("abc,cde->abde", (64, 4, 32)), (64, 128), 32),
    "dense_wide": (lambda L: L.Dense(2048), (2048,), 64),
    "dense_one_row": (lambda L: L.Dense(1024), (1024,), 1),
    "embedding": (lambda L: L.Embedding(20_000, 64), (100,), 64),
}


def step_of(make: Callable, shape: tuple[int, ...], rows: int) -> Callable:
    """keras -> a step of training."""

    def prepare(keras):
        layer = make(keras.layers)
        random = np.random.default_rng(0)
        if isinstance(layer, keras.layers.Embedding):
            x = random.integers(0, layer.input_dim, (rows, *shape)).astype("int32")
            model = keras.Sequential([keras.Input(shape, dtype="int32"), layer])
        else:
            x = random.standard_normal((rows, *shape)).astype("float32")
            model = keras.Sequential([keras.Input(shape), keras.layers.Dense(shape[-1]), layer])
        model.compile(keras.optimizers.SGD(1e-3), "mse")
        y = np.zeros(model.compute_output_shape(x.shape), "float32")
        return lambda: model.train_on_batch(x, y)

    return prepare


ROWS: Rows = {name: step_of(*layer) for name, layer in LAYERS.items()}


if __name__ == "__main__":
    main("bench.layers", __doc__, "Single layers, ms a step", ROWS)
