"""2. MNIST with two hidden layers, plain SGD and one-hot labels: 784-512-256-10.

About 94 % after 10 epochs, in 6 s on two cores.
"""

import dlcore as keras
from dlcore import layers


def main(epochs=10):
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    x_train = x_train.reshape((-1, 28 * 28)).astype("float32") / 255
    x_test = x_test.reshape((-1, 28 * 28)).astype("float32") / 255
    y_train, y_test = keras.utils.to_categorical(y_train), keras.utils.to_categorical(y_test)

    model = keras.models.Sequential()
    model.add(layers.Dense(512, activation="relu", input_shape=(784,)))
    model.add(layers.Dense(256, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.01), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x_train, y_train, epochs=epochs, batch_size=128)
    return model.evaluate(x_test, y_test)[1]


if __name__ == "__main__":
    print(f"test accuracy {main():.4f}")
