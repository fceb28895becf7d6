"""1. MNIST with one hidden layer: 784-128-10, Adam. About 97.8 % after 10 epochs, in 3 s on two cores."""

import dlcore as keras
from dlcore import layers


def main(epochs=10):
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    x_train, x_test = x_train.reshape(-1, 784) / 255.0, x_test.reshape(-1, 784) / 255.0

    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=128, epochs=epochs)
    return model.evaluate(x_test, y_test)[1]


if __name__ == "__main__":
    print(f"test accuracy {main():.4f}")
