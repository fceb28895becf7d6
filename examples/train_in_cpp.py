"""Exports a CNN that a C++ program trains, and the digits for it: `python train_in_cpp.py digits.dlcore digits.csv`.

Train it there with the native app of cpp/examples/train: `dlcore_train digits.dlcore digits.csv`.
"""

import sys

import numpy as np

import dlcore as keras
from dlcore import layers


def main(model_path="digits.dlcore", rows_path="digits.csv"):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.BatchNormalization(momentum=0.9),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.export(model_path, target_signature=keras.Input((), dtype="int64"))

    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    np.savetxt(rows_path, np.column_stack([x.reshape(len(x), -1), y]), fmt="%d", delimiter=",")


if __name__ == "__main__":
    main(*sys.argv[1:])
