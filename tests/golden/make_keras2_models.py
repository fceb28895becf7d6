"""Makes the golden files of Keras 2, whose .h5 configurations differ: python tests/golden/make_keras2_models.py

Needs `pip install tf_keras`. `keras2_models.npz` holds each model's inputs and Keras 2's predictions for them.
"""

import os
import warnings
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tf_keras as keras
from tf_keras import layers

FOLDER = Path(__file__).parent


def sequential():
    model = keras.Sequential(
        [
            layers.Conv2D(2, 3, input_shape=(6, 6, 1), activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(name="flatten"),
            layers.Dense(3, activation="softmax", name="classes"),
        ],
        name="keras2_sequential",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, lambda rng: [rng.normal(size=(4, 6, 6, 1)).astype("float32")], lambda rng: rng.integers(0, 3, 4)


def functional():
    numbers, tokens = keras.Input((4,), name="numbers"), keras.Input((5,), dtype="int32", name="tokens")
    embedded = layers.Embedding(7, 3, mask_zero=True, name="embedding")(tokens)
    text = layers.Bidirectional(layers.LSTM(2, name="lstm"), name="both_ways")(embedded)
    joined = layers.Concatenate(name="join")([numbers, text])
    model = keras.Model([numbers, tokens], layers.Dense(1, name="value")(joined), name="keras2_functional")
    model.compile(keras.optimizers.RMSprop(1e-2), keras.losses.MeanSquaredError())
    return (
        model,
        lambda rng: [rng.normal(size=(4, 4)).astype("float32"), rng.integers(0, 7, (4, 5)).astype("int32")],
        lambda rng: rng.normal(size=(4, 1)).astype("float32"),
    )


def main():
    warnings.simplefilter("ignore")
    arrays = {}
    for make in (sequential, functional):
        keras.utils.set_random_seed(3)
        rng = np.random.default_rng(3)
        model, make_x, make_y = make()
        for _ in range(2):
            model.train_on_batch(make_x(rng), make_y(rng))
        model.save(FOLDER / f"{model.name}.h5")
        x = make_x(rng)
        for i, array in enumerate(x):
            arrays[f"{model.name}_x{i}"] = array
        arrays[f"{model.name}_predictions"] = model.predict(x, verbose=0)
    np.savez_compressed(FOLDER / "keras2_models.npz", **arrays)


if __name__ == "__main__":
    main()
