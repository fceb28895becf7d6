"""13. The MLP of the first example as a hand-written loop with GradientTape.

About 95.7 % on MNIST's test images after 2 epochs, in 2 s on two cores.
"""

import numpy as np

import dlcore as keras
from dlcore import layers


def main(epochs=2, batch=128, rows=None):
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    x_train = x_train[:rows].reshape(-1, 784).astype("float32") / 255
    x_test = x_test.reshape(-1, 784).astype("float32") / 255

    model = keras.Sequential([keras.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)])
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam()
    accuracy = keras.metrics.SparseCategoricalAccuracy()

    for epoch in range(epochs):
        order = np.random.permutation(len(x_train))
        for start in range(0, len(order), batch):
            rows_now = order[start : start + batch]
            x, y = x_train[rows_now], y_train[rows_now]
            with keras.GradientTape() as tape:
                logits = model(x, training=True)
                loss = loss_fn(y, logits)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        accuracy.reset_state()
        accuracy.update_state(y_test, model(x_test))
        print(f"epoch {epoch + 1}: loss {float(loss):.4f}, test accuracy {float(accuracy.result()):.4f}")
    return float(accuracy.result())


if __name__ == "__main__":
    main()
