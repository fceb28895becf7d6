"""14. Film reviews with a transformer block: own layers around MultiHeadAttention, token and position embeddings.

79 to 87 % of IMDB's test reviews after 2 epochs, by the random start, in 29 s on one core.
"""

import dlcore as keras
from dlcore import layers, ops

VOCABULARY, LENGTH = 20000, 200


class TokenAndPositionEmbedding(layers.Layer):
    """Word numbers (N, T) to vectors (N, T, width): the word's embedding plus its place's."""

    def __init__(self, length, vocabulary, width, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.Embedding(vocabulary, width, mask_zero=True)
        self.positions = layers.Embedding(length, width)

    def call(self, x):
        return self.tokens(x) + self.positions(ops.arange(ops.shape(x)[-1]))

    def compute_mask(self, x, mask=None):
        return self.tokens.compute_mask(x)


class TransformerBlock(layers.Layer):
    """Self-attention and a small MLP, each with dropout, a residual path and a layer normalization."""

    def __init__(self, width, heads, hidden, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.mlp = keras.Sequential([layers.Dense(hidden, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self.dropouts = [layers.Dropout(rate) for _ in range(2)]
        self.supports_masking = True

    def call(self, x, training=None):
        x = self.norms[0](x + self.dropouts[0](self.attention(x, x), training=training))
        return self.norms[1](x + self.dropouts[1](self.mlp(x), training=training))


def main(epochs=2, rows=None, width=32, heads=2):
    (x_train, y_train), (x_test, y_test) = keras.datasets.imdb.load_data(num_words=VOCABULARY)
    x_train, y_train, x_test, y_test = x_train[:rows], y_train[:rows], x_test[:rows], y_test[:rows]
    x_train = keras.utils.pad_sequences(x_train, maxlen=LENGTH, padding="post")
    x_test = keras.utils.pad_sequences(x_test, maxlen=LENGTH, padding="post")

    inputs = keras.Input((LENGTH,), dtype="int32")
    x = TokenAndPositionEmbedding(LENGTH, VOCABULARY, width)(inputs)
    x = TransformerBlock(width, heads, hidden=32)(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(0.1)(x)
    x = layers.Dense(20, activation="relu")(x)
    x = layers.Dropout(0.1)(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    model = keras.Model(inputs, outputs)
    model.summary()
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=epochs, validation_data=(x_test, y_test))
    return model.evaluate(x_test, y_test)[1]


if __name__ == "__main__":
    print(f"test accuracy {main():.4f}")
