"""The GPU against the processor, in seconds: `python -m bench.cuda.checks [--short]`. Fails at the first difference.

Small models of every kind are trained a few steps on both, from the same weights with the same dropout; the losses must
agree within what float32 sums in another order explain, and a second run on the GPU must give the first one's bits.
"""

import sys

import numpy as np

import dlcore as keras
from dlcore import layers

# Relative, of losses after a few steps; rounding errors of 1e-7 grow with each.
TOLERANCE = 1e-4


def _digits():
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(32, activation="gelu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    return model, (12, 12, 3), 10


def _tokens():
    inputs = keras.Input((20,), dtype="int32")
    x = layers.Embedding(100, 16, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x)
    x = layers.GRU(12, return_sequences=True)(x)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 6)(x, x))
    outputs = layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, outputs), (20,), 5


def losses(build, device, optimizer="adam", steps=8):
    with keras.device(device):
        keras.utils.set_random_seed(1)
        model, shape, classes = build()
        rng = np.random.default_rng(0)
        rows = 32 * steps
        x = rng.integers(0, 100, (rows, *shape)) if len(shape) == 1 else rng.random((rows, *shape), "float32")
        y = rng.integers(0, classes, rows)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, epochs=2, verbose=0).history
        return history["loss"], np.concatenate([w.ravel() for w in model.get_weights()])


def check(build, optimizer):
    (here, _), (there, weights), (again, same) = (losses(build, d, optimizer) for d in ("cpu", "gpu", "gpu"))
    np.testing.assert_allclose(there, here, rtol=TOLERANCE, err_msg=f"{build.__name__} with {optimizer}: cpu, gpu")
    np.testing.assert_array_equal(weights, same, err_msg=f"{build.__name__} with {optimizer}: two runs")
    assert there == again


def check_random():
    drawn = []
    for device in ("cpu", "gpu"):
        with keras.device(device):
            mask = keras.ops.convert_to_numpy(keras.random.dropout(keras.ops.ones((1000,)), 0.4, seed=3))
            drawn.append((mask, keras.ops.convert_to_numpy(keras.random.uniform((1000,), seed=4))))
    for here, there in zip(*drawn):
        np.testing.assert_array_equal(here, there)


def check_out_of_memory():
    with keras.device("gpu"):
        x = keras.ops.ones((1 << 16, 1 << 10))
        try:
            for _ in range(20):
                x = keras.ops.concatenate([x, x])
        except keras.errors.OutOfMemory as error:
            print(error)
        else:
            raise AssertionError("2**46 numbers found room")
        del x
        assert float(keras.ops.sum(keras.ops.ones(10))) == 10


def main():
    if len(keras.distribution.list_devices("gpu")) == 0:
        sys.exit(f"There is no GPU. {keras._core.no_device_reason()}")
    short = "--short" in sys.argv
    check_random()
    for build in (_digits, _tokens):
        for optimizer in ("adam",) if short else ("adam", "sgd", "rmsprop", "adamw", "adagrad"):
            check(build, optimizer)
    if not short:
        check_out_of_memory()
    print("the GPU agrees with the processor and with itself")


if __name__ == "__main__":
    main()
