"""11. Film reviews (IMDB) with the functional API: Embedding, dropout, two bidirectional LSTMs, logits.

About 86 % after 2 epochs, in 52 s on two cores.
"""

import dlcore as keras
from dlcore import layers


def main(epochs=2, rows=None):
    (x_train, y_train), (x_test, y_test) = keras.datasets.imdb.load_data(num_words=20000)
    x_train, y_train = x_train[:rows], y_train[:rows]
    x_train = keras.utils.pad_sequences(x_train, maxlen=128)
    x_test, y_test = keras.utils.pad_sequences(x_test[:rows], maxlen=128), y_test[:rows]

    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(20000, 128)(inputs)
    x = layers.Dropout(0.3)(x)
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True, dropout=0.2))(x)
    x = layers.Bidirectional(layers.LSTM(64, dropout=0.2))(x)
    outputs = layers.Dense(1)(x)
    model = keras.Model(inputs, outputs)
    model.summary()
    model.compile(
        optimizer="adam",
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
    )
    model.fit(x_train, y_train, batch_size=64, epochs=epochs, validation_data=(x_test, y_test))
    return model.evaluate(x_test, y_test)[1]


if __name__ == "__main__":
    print(f"test accuracy {main():.4f}")
