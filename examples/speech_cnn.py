"""9. Spoken words from log-mel features: `python speech_cnn.py [speech_commands | spoken_digits]`.

After 30 epochs 78 to 80 % with 1,800 recordings of Google's Speech Commands, in 4 s on two cores, and 97 % with the
Free Spoken Digit Dataset, in 11 s.
"""

import sys

import dlcore as keras
from dlcore import layers


def main(name="speech_commands", epochs=30):
    (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    classes = int(y_train.max()) + 1
    y_train, y_test = keras.utils.to_categorical(y_train, classes), keras.utils.to_categorical(y_test, classes)

    model = keras.Sequential(
        [
            keras.Input((20, 80, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu", padding="same"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=epochs, validation_data=(x_test, y_test))
    return model.evaluate(x_test, y_test)[1]


if __name__ == "__main__":
    print(f"test accuracy {main(*sys.argv[1:]):.4f}")
