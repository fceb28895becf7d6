"""10. XOR with sigmoid units: right after 10,000 full-batch epochs, in 0.1 s."""

import time

import numpy as np

import dlcore as keras
from dlcore import layers


def main(epochs=10000):
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([[0], [1], [1], [0]], "float32")

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, activation="sigmoid"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.5, momentum=0.9), loss="mse")
    start = time.perf_counter()
    model.fit(x, y, batch_size=4, epochs=epochs, verbose=0)
    print(f"{epochs} epochs in {time.perf_counter() - start:.2f} s")
    prediction = model.predict(x, verbose=0)
    print(prediction.round(2).ravel())
    return float(((prediction > 0.5) == (y > 0.5)).mean())


if __name__ == "__main__":
    print(f"accuracy {main():.2f}")
