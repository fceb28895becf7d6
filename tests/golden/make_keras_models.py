"""Makes the golden model files with real Keras: python tests/golden/make_keras_models.py

Each small model is trained for a few steps, so that weights, moving averages and optimizer state are not their initial
values, and saved as <name>.keras and <name>.h5 (whole model, legacy HDF5) or <name>.weights.h5. `keras_models.npz`
holds each model's inputs x and targets y, Keras's predictions for x, and its predictions after one more training step
on x and y: these come out right only if the optimizer's state was restored too.
"""

import os
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

FOLDER = Path(__file__).parent


def mlp():
    model = keras.Sequential(
        [
            keras.Input((6,), name="features"),
            layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3), name="hidden"),
            layers.Dropout(0.0, name="dropout"),
            layers.Dense(3, activation="softmax", kernel_initializer="he_normal", name="classes"),
        ],
        name="mlp",
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, [(6,)], "classes"


def cnn():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2), name="image"),
            layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(momentum=0.8, name="norm"),
            layers.Activation("relu", name="act"),
            layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="tanh", name="depthwise"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(3, name="logits"),
        ],
        name="cnn",
    )
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model, [(8, 8, 2)], "classes"


def bilstm():
    tokens = keras.Input((7,), dtype="int32", name="tokens")
    x = layers.Embedding(11, 5, mask_zero=True, name="embedding")(tokens)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True, name="lstm"), name="both_ways")(x)
    x = layers.GRU(3, name="gru")(x)
    outputs = layers.Dense(1, activation="sigmoid", name="positive")(x)
    model = keras.Model(tokens, outputs, name="bilstm")
    model.compile(keras.optimizers.SGD(0.1), keras.losses.BinaryCrossentropy(), metrics=["accuracy"])
    return model, [("tokens", 7, 11)], "binary"


def two_inputs():
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    shared = layers.Dense(5, activation="tanh", name="shared")
    a, b = shared(left), shared(right)
    joined = layers.Concatenate(name="join")([a, b, layers.Subtract(name="difference")([a, b])])
    joined = layers.LayerNormalization(name="norm")(joined)
    value = layers.Dense(1, name="value")(joined)
    side = layers.Dense(2, activation="softmax", name="side")(joined)
    model = keras.Model([left, right], [value, side], name="two_inputs")
    model.compile(
        keras.optimizers.AdamW(0.01, weight_decay=0.01, clipnorm=1.0), loss=["mse", "sparse_categorical_crossentropy"]
    )
    return model, [(4,), (4,)], "value_and_side"


def make_inputs(rng, shapes, count):
    return [
        rng.integers(0, shape[2], (count, shape[1])).astype("int32")
        if shape[0] == "tokens"
        else rng.normal(size=(count, *shape)).astype("float32")
        for shape in shapes
    ]


def make_targets(rng, kind, count):
    if kind == "value_and_side":
        return [rng.normal(size=(count, 1)).astype("float32"), rng.integers(0, 2, count)]
    return [rng.integers(0, 3 if kind == "classes" else 2, count)]


def only(items):
    return items[0] if len(items) == 1 else items


def main():
    arrays = {}
    for make in (mlp, cnn, bilstm, two_inputs):
        keras.utils.set_random_seed(7)
        rng = np.random.default_rng(7)
        model, shapes, kind = make()
        name = model.name
        for _ in range(3):
            model.train_on_batch(only(make_inputs(rng, shapes, 16)), only(make_targets(rng, kind, 16)))
        model.save(FOLDER / f"{name}.keras")
        if make is mlp:
            model.save_weights(FOLDER / f"{name}.weights.h5")
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.save(FOLDER / f"{name}.h5")
        x, y = make_inputs(rng, shapes, 5), make_targets(rng, kind, 5)
        for i, array in enumerate(x):
            arrays[f"{name}_x{i}"] = array
        for i, array in enumerate(y):
            arrays[f"{name}_y{i}"] = array
        save_predictions(arrays, f"{name}_predictions", model, x)
        model.train_on_batch(only(x), only(y))
        save_predictions(arrays, f"{name}_next_predictions", model, x)
    np.savez_compressed(FOLDER / "keras_models.npz", **arrays)


def save_predictions(arrays, key, model, x):
    predictions = model.predict(only(x), verbose=0)
    for i, array in enumerate(predictions if isinstance(predictions, list) else [predictions]):
        arrays[f"{key}{i}"] = array


if __name__ == "__main__":
    main()
