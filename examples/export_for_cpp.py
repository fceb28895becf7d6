"""Trains a small CNN on the embedded digits and exports it for C++: `python export_for_cpp.py digits.dlcore`.

Run it there with the native app of cpp/examples/predict: `dlcore_predict digits.dlcore`.
"""

import sys

import numpy as np

import dlcore as keras
from dlcore import layers


def main(path="digits.dlcore", epochs=5):
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=epochs, verbose=2)
    model.export(path)
    print(f"{path}: what it says of an image of ones:", model.predict(np.ones((1, 8, 8, 1)), verbose=0)[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
