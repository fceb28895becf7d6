"""Models like those of Keras's examples, the same code on Keras and dlcore: `python -m bench.examples [model ...]`.

Milliseconds of `train_on_batch` with random data. Keras on TensorFlow is compiled by XLA or not, whichever is faster.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .keras_calls import Rows, main
from .players import fastest


class Example(NamedTuple):
    """A model, what its training minimizes, and a batch."""

    model: object
    loss: object
    optimizer: object
    x: object
    y: np.ndarray


def reals(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def integers(below: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(below).integers(0, below, shape).astype("int32")


def bits(*shape: int) -> np.ndarray:
    return (reals(*shape) > 0).astype("float32")


def classes(keras) -> object:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def training(make: Callable) -> Callable:
    """keras -> a step of the example that make(keras, its layers) describes."""

    def prepare(keras):
        def step(**settings):
            example = make(keras, keras.layers)
            example.model.compile(optimizer=example.optimizer, loss=example.loss, **settings)
            return lambda: example.model.train_on_batch(example.x, example.y)

        on_tensorflow = keras.__name__ == "keras" and os.environ.get("KERAS_BACKEND") == "tensorflow"
        return fastest([step(jit_compile=True), step(jit_compile=False)]) if on_tensorflow else step()

    return prepare


# ------------------------------------------------------------------------------------------------------ time and texts


def text_cnn(keras, layers) -> Example:
    """Kim 2014: filters of three widths."""
    words = keras.Input((200,), dtype="int32")
    vectors = layers.Dropout(0.2)(layers.Embedding(20_000, 128)(words))
    found = [layers.GlobalMaxPooling1D()(layers.Conv1D(128, width, activation="relu")(vectors)) for width in (3, 4, 5)]
    x = layers.Dense(128, activation="relu")(layers.Dropout(0.5)(layers.Concatenate()(found)))
    model = keras.Model(words, layers.Dense(1, activation="sigmoid")(x))
    return Example(model, "binary_crossentropy", "adam", integers(20_000, 64, 200), bits(64, 1))


def strided_text_cnn(keras, layers) -> Example:
    words = keras.Input((500,), dtype="int32")
    x = layers.Dropout(0.5)(layers.Embedding(20_000, 128)(words))
    for _ in range(2):
        x = layers.Conv1D(128, 7, strides=3, activation="relu")(x)
    x = layers.Dropout(0.5)(layers.Dense(128, activation="relu")(layers.GlobalMaxPooling1D()(x)))
    model = keras.Model(words, layers.Dense(1, activation="sigmoid")(x))
    return Example(model, "binary_crossentropy", "adam", integers(20_000, 32, 500), bits(32, 1))


def text_transformer(keras, layers) -> Example:
    words = keras.Input((200,), dtype="int32")
    x = layers.Embedding(20_000, 32)(words)
    attended = layers.Dropout(0.1)(layers.MultiHeadAttention(2, 32)(x, x))
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    inner = layers.Dropout(0.1)(layers.Dense(32)(layers.Dense(32, activation="relu")(x)))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(layers.Add()([x, inner])))
    x = layers.Dropout(0.1)(layers.Dense(20, activation="relu")(layers.Dropout(0.1)(x)))
    model = keras.Model(words, layers.Dense(2, activation="softmax")(x))
    return Example(model, "sparse_categorical_crossentropy", "adam", integers(20_000, 32, 200), integers(2, 32))


def translation(keras, layers) -> Example:
    """An LSTM reads a sentence, another one writes it."""
    source, target = (keras.Input((20,), dtype="int32") for _ in range(2))
    read, written = (layers.Embedding(5_000, 128, mask_zero=True)(words) for words in (source, target))
    _, *state = layers.LSTM(256, return_state=True)(read)
    x = layers.LSTM(256, return_sequences=True)(written, initial_state=state)
    model = keras.Model([source, target], layers.Dense(5_000, activation="softmax")(x))
    batch = [integers(5_000, 64, 20), integers(4_999, 64, 20)]
    return Example(model, "sparse_categorical_crossentropy", "rmsprop", batch, integers(4_998, 64, 20))


def masked_gru(keras, layers) -> Example:
    """Two bidirectional layers on texts of different lengths."""
    words = keras.Input((80,), dtype="int32")
    x = layers.Embedding(10_000, 64, mask_zero=True)(words)
    x = layers.Bidirectional(layers.GRU(64))(layers.Bidirectional(layers.GRU(64, return_sequences=True))(x))
    model = keras.Model(words, layers.Dense(46, activation="softmax")(x))
    texts = integers(9_999, 64, 80) + 1
    texts[np.arange(80) >= 20 + integers(61, 64, 1)] = 0
    return Example(model, "sparse_categorical_crossentropy", "adam", texts, integers(46, 64))


def time_series_resnet(keras, layers) -> Example:
    """Wang et al. 2017."""
    series = x = keras.Input((500, 1))
    for filters in (64, 128, 128):
        shortcut = layers.BatchNormalization()(layers.Conv1D(filters, 1)(x))
        for width in (8, 5, 3):
            x = layers.BatchNormalization()(layers.Conv1D(filters, width, padding="same")(x))
            x = layers.ReLU()(x if width > 3 else layers.Add()([x, shortcut]))
    model = keras.Model(series, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(x)))
    return Example(model, "sparse_categorical_crossentropy", "adam", reals(16, 500, 1), integers(2, 16))


def wavenet(keras, layers) -> Example:
    """van den Oord et al. 2016: gated, dilated, causal convolutions."""
    sound = keras.Input((1024, 1))
    x, skips = layers.Conv1D(32, 2, padding="causal")(sound), []
    for dilation in (1, 2, 4, 8, 16, 32, 64, 128):
        gates = [
            layers.Conv1D(32, 2, dilation_rate=dilation, padding="causal", activation=activation)(x)
            for activation in ("tanh", "sigmoid")
        ]
        skips.append(layers.Conv1D(32, 1)(layers.Multiply()(gates)))
        x = layers.Add()([x, skips[-1]])
    x = layers.Conv1D(64, 1, activation="relu")(layers.Activation("relu")(layers.Add()(skips)))
    return Example(keras.Model(sound, layers.Conv1D(1, 1)(x)), "mse", "adam", reals(16, 1024, 1), reals(16, 1024, 1))


# -------------------------------------------------------------------------------------------------------------- images


def vision_transformer(keras, layers) -> Example:
    image = keras.Input((32, 32, 3))
    x = layers.Reshape((64, 64))(layers.Conv2D(64, 4, 4)(image))
    for _ in range(4):
        normed = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 16, dropout=0.1)(normed, normed)])
        inner = layers.Dense(128, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(64)(layers.Dropout(0.1)(inner))])
    x = layers.Dropout(0.5)(layers.Flatten()(layers.LayerNormalization()(x)))
    model = keras.Model(image, layers.Dense(10)(layers.Dense(256, activation="gelu")(x)))
    return Example(model, classes(keras), keras.optimizers.AdamW(), reals(64, 32, 32, 3), integers(10, 64))


def mlp_mixer(keras, layers) -> Example:
    image = keras.Input((32, 32, 3))
    x = layers.Reshape((64, 128))(layers.Conv2D(128, 4, 4)(image))
    for _ in range(4):
        tokens = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        tokens = layers.Dense(64)(layers.Dense(128, activation="gelu")(tokens))
        x = layers.Add()([x, layers.Permute((2, 1))(tokens)])
        inner = layers.Dense(256, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(128)(inner)])
    model = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))
    return Example(model, classes(keras), keras.optimizers.AdamW(), reals(64, 32, 32, 3), integers(10, 64))


def densenet(keras, layers) -> Example:
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(24, 3, padding="same", use_bias=False)(image)

    def rectified(x):
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    for block in range(3):
        for _ in range(6):
            x = layers.Concatenate()([x, layers.Conv2D(12, 3, padding="same", use_bias=False)(rectified(x))])
        if block < 2:
            x = layers.AveragePooling2D(2)(layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False)(rectified(x)))
    model = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(rectified(x))))
    sgd = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
    return Example(model, classes(keras), sgd, reals(64, 32, 32, 3), integers(10, 64))


def inception(keras, layers) -> Example:
    image = keras.Input((32, 32, 3))

    def conv(filters, size, x):
        return layers.Conv2D(filters, size, padding="same", activation="relu")(x)

    x = conv(64, 3, image)
    for _ in range(3):
        pooled = layers.MaxPooling2D(3, 1, padding="same")(x)
        branches = [conv(32, 1, x), conv(48, 3, conv(32, 1, x)), conv(16, 5, conv(8, 1, x)), conv(16, 1, pooled)]
        x = layers.Concatenate()(branches)
    x = layers.GlobalMaxPooling2D()(layers.AveragePooling2D(3, 2, padding="same")(x))
    model = keras.Model(image, layers.Dense(10)(x))
    return Example(model, classes(keras), "adam", reals(32, 32, 32, 3), integers(10, 32))


def xception(keras, layers) -> Example:
    image = keras.Input((90, 90, 3))
    x = layers.Conv2D(64, 3, strides=2, padding="same")(layers.Rescaling(1 / 255)(image))
    x = block = layers.Activation("relu")(layers.BatchNormalization()(x))
    for filters in (128, 256):
        for _ in range(2):
            x = layers.SeparableConv2D(filters, 3, padding="same")(layers.Activation("relu")(x))
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = block = layers.Add()([x, layers.Conv2D(filters, 1, strides=2, padding="same")(block)])
    x = layers.Dropout(0.25)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, layers.Dense(1)(x))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return Example(model, loss, "adam", reals(16, 90, 90, 3), bits(16, 1))


def autoencoder(keras, layers) -> Example:
    image = x = keras.Input((28, 28, 1))
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    code = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    x = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, activation="relu")(code))
    for filters in (64, 32):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(image, layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")(x))
    return Example(model, "binary_crossentropy", "adam", reals(128, 28, 28, 1), bits(128, 28, 28, 1))


def discriminator(keras, layers) -> Example:
    image = x = keras.Input((64, 64, 3))
    for filters in (64, 128, 128):
        x = layers.LeakyReLU(0.2)(layers.Conv2D(filters, 4, strides=2, padding="same")(x))
    model = keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.2)(layers.Flatten()(x))))
    return Example(model, "binary_crossentropy", "adam", reals(32, 64, 64, 3), bits(32, 1))


def generator(keras, layers) -> Example:
    noise = keras.Input((128,))
    x = layers.Reshape((8, 8, 128))(layers.Dense(8 * 8 * 128)(noise))
    for filters in (128, 256, 128):
        x = layers.LeakyReLU(0.2)(layers.Conv2DTranspose(filters, 4, strides=2, padding="same")(x))
    model = keras.Model(noise, layers.Conv2D(3, 5, padding="same", activation="sigmoid")(x))
    return Example(model, "mse", "adam", reals(16, 128), reals(16, 64, 64, 3))


def super_resolution(keras, layers) -> Example:
    """Shi et al. 2016: the last convolution's channels become pixels."""
    image = x = keras.Input((100, 100, 1))
    for filters, size in ((64, 5), (64, 3), (32, 3)):
        x = layers.Conv2D(filters, size, padding="same", activation="relu")(x)
    x = layers.Reshape((100, 100, 3, 3))(layers.Conv2D(9, 3, padding="same")(x))
    model = keras.Model(image, layers.Reshape((300, 300, 1))(layers.Permute((1, 3, 2, 4))(x)))
    return Example(model, "mse", "adam", reals(8, 100, 100, 1), reals(8, 300, 300, 1))


def next_frames(keras, layers) -> Example:
    film = x = keras.Input((8, 32, 32, 1))
    for size in (5, 3):
        x = layers.ConvLSTM2D(32, size, padding="same", return_sequences=True, activation="relu")(x)
        x = layers.BatchNormalization()(x)
    model = keras.Model(film, layers.Conv3D(1, 3, padding="same", activation="sigmoid")(x))
    return Example(model, "binary_crossentropy", "adam", reals(4, 8, 32, 32, 1), bits(4, 8, 32, 32, 1))


def volumes(keras, layers) -> Example:
    scan = x = keras.Input((32, 32, 32, 1))
    for filters in (32, 32, 64):
        x = layers.BatchNormalization()(layers.MaxPooling3D(2)(layers.Conv3D(filters, 3, activation="relu")(x)))
    x = layers.Dense(128, activation="relu")(layers.GlobalAveragePooling3D()(x))
    model = keras.Model(scan, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.3)(x)))
    return Example(model, "binary_crossentropy", "adam", reals(4, 32, 32, 32, 1), bits(4, 1))


# ----------------------------------------------------------------------------------------------- tables and decisions


def wide_and_deep(keras, layers) -> Example:
    """Cheng et al. 2016, on 26 categories and 13 numbers."""
    kinds, numbers = [keras.Input((), dtype="int32") for _ in range(26)], keras.Input((13,))
    wide = layers.Concatenate()([*(layers.Embedding(10_000, 16)(kind) for kind in kinds), numbers])
    deep = layers.BatchNormalization()(layers.Dense(256, activation="relu")(wide))
    deep = layers.Dense(128, activation="relu")(deep)
    model = keras.Model([*kinds, numbers], layers.Dense(1, activation="sigmoid")(layers.Concatenate()([wide, deep])))
    batch = [*(integers(10_000 - i, 512) for i in range(26)), reals(512, 13)]
    return Example(model, "binary_crossentropy", "adam", batch, bits(512, 1))


def recommendations(keras, layers) -> Example:
    user, film = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    match = layers.Dot(axes=2)([layers.Embedding(600, 50)(user), layers.Embedding(9_700, 50)(film)])
    match = layers.Add()([match, layers.Embedding(600, 1)(user), layers.Embedding(9_700, 1)(film)])
    model = keras.Model([user, film], layers.Activation("sigmoid")(layers.Flatten()(match)))
    return Example(model, "binary_crossentropy", "adam", [integers(600, 64, 1), integers(9_700, 64, 1)], bits(64, 1))


def q_network(keras, layers) -> Example:
    """Mnih et al. 2015."""
    frames = x = keras.Input((84, 84, 4))
    for filters, size, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
        x = layers.Conv2D(filters, size, stride, activation="relu")(x)
    model = keras.Model(frames, layers.Dense(4)(layers.Dense(512, activation="relu")(layers.Flatten()(x))))
    adam = keras.optimizers.Adam(2.5e-4, clipnorm=1.0)
    return Example(model, "huber", adam, reals(32, 84, 84, 4), reals(32, 4))


EXAMPLES = (
    *(text_cnn, strided_text_cnn, text_transformer, translation, masked_gru, time_series_resnet, wavenet),
    *(vision_transformer, mlp_mixer, densenet, inception, xception, autoencoder, discriminator, generator),
    *(super_resolution, next_frames, volumes, wide_and_deep, recommendations, q_network),
)
ROWS: Rows = {example.__name__: training(example) for example in EXAMPLES}


if __name__ == "__main__":
    main("bench.examples", __doc__, "Models of examples, ms a step", ROWS)
