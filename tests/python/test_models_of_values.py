"""Functional and Sequential models that take strings, or look at values otherwise: their front runs in Python."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers, ops

TEXTS = np.array([["a b"], ["c d e f"], ["b"]])
Y = np.array([[1.0], [0.0], [1.0]])


def vectorizer():
    return layers.TextVectorization(vocabulary=["a", "b", "c", "d"])


def numeric_part():
    return [
        layers.Embedding(6, 3, mask_zero=True, embeddings_initializer=keras.initializers.RandomNormal(seed=1)),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, kernel_initializer="ones"),
    ]


def text_model():
    inputs = keras.Input((1,), dtype="string")
    words = vectorizer()(inputs)
    assert words.shape == (None, None) and words.dtype == "int64"
    model = keras.Model(inputs, keras.Sequential(numeric_part())(words))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def test_training_is_that_on_the_indices():
    model, inner = text_model(), keras.Sequential(numeric_part())
    inner.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    indices = vectorizer()(TEXTS).numpy()
    np.testing.assert_array_equal(model.predict(TEXTS, verbose=0), inner.predict(indices, verbose=0))
    np.testing.assert_allclose(model(TEXTS), inner(indices), rtol=1e-6)
    options = dict(epochs=3, verbose=0, shuffle=False, batch_size=3)
    expected = inner.fit(indices, Y, validation_data=(indices, Y), **options).history
    assert model.fit(TEXTS, Y, validation_data=(TEXTS, Y), **options).history == expected
    assert model.evaluate(TEXTS, Y, verbose=0) == inner.evaluate(indices, Y, verbose=0)
    assert model.train_on_batch(TEXTS, Y) == inner.train_on_batch(indices, Y)
    np.testing.assert_array_equal(model.predict_on_batch(TEXTS), inner.predict_on_batch(indices))


def test_batches_lists_and_texts_without_an_axis():
    model = text_model()
    expected = model.predict(TEXTS, verbose=0)
    np.testing.assert_array_equal(model.predict(TEXTS[:, 0], verbose=0), expected)
    np.testing.assert_array_equal(model.predict([text for (text,) in TEXTS], verbose=0), expected)
    np.testing.assert_allclose(model.predict(iter([TEXTS[:2], TEXTS[2:]]), verbose=0), expected, rtol=1e-6)
    history = model.fit(((TEXTS, Y) for _ in range(2)), validation_data=(TEXTS, Y), verbose=0).history
    assert set(history) == {"loss", "mae", "val_loss", "val_mae"}
    model.run_eagerly = True
    np.testing.assert_allclose(model.predict(TEXTS, verbose=0), model(TEXTS), rtol=1e-6)


@pytest.mark.parametrize("begins_with_input", [False, True])
def test_sequential(begins_with_input, tmp_path):
    first = [keras.Input((1,), dtype="string")] if begins_with_input else []
    model = keras.Sequential([*first, vectorizer(), *numeric_part()])
    model.compile("sgd", "mse")
    assert len(model.fit(TEXTS, Y, validation_split=0.4, verbose=0).history["val_loss"]) == 1
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0))


def test_sequential_without_an_input_inside_of_a_model():
    words = keras.Input((), dtype="string", name="words")
    encoder = keras.Sequential([layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0), layers.Embedding(2, 3)])
    model = keras.Model(words, encoder(words))
    assert model.output_shape == (None, 3)
    np.testing.assert_array_equal(model.predict(np.array(["b", "a"]), verbose=0), encoder.layers[1].embeddings[::-1])


def test_columns_of_a_table(tmp_path):
    job, age = keras.Input((1,), dtype="string", name="job"), keras.Input((1,), name="age")
    zip_code = keras.Input((1,), dtype="int64", name="zip")
    vocabulary = ["clerk", "nurse"]
    coded = layers.StringLookup(vocabulary=vocabulary, num_oov_indices=0, output_mode="one_hot")(job)
    hashed = layers.Hashing(5)(zip_code)
    crossed = layers.HashedCrossing(4, output_mode="one_hot")([job, zip_code])
    assert (coded.shape, hashed.shape, crossed.shape) == ((None, 2), (None, 1), (None, 4))
    outputs = layers.Concatenate()([coded, age, ops.cast(hashed, "float32"), crossed])
    model = keras.Model({"job": job, "age": age, "zip": zip_code}, outputs)
    table = {
        "job": np.array(["nurse", "clerk"]),
        "age": np.array([30.0, 40.0], "float32"),
        "zip": np.array([12345, 54321]),
    }
    expected = np.concatenate(
        [
            [[0, 1], [1, 0]],
            table["age"][:, None],
            layers.Hashing(5)(table["zip"][:, None]).numpy(),
            layers.HashedCrossing(4, output_mode="one_hot")([table["job"], table["zip"]]).numpy(),
        ],
        axis=1,
    )
    np.testing.assert_array_equal(model.predict(table, verbose=0), expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(table, verbose=0), expected)


def test_messages(tmp_path):
    inputs = keras.Input((1,), dtype="string")
    with pytest.raises(
        TypeError, match="The strings of .* are outputs of the model, or inputs of layers that take num"
    ):
        keras.Model(inputs, [vectorizer()(inputs), inputs])
    numbers = keras.Input((2,))
    with pytest.raises(ValueError, match='Dense "before" has weights to train, .* Put the latter first'):
        keras.Model(numbers, layers.Hashing(3)(ops.cast(layers.Dense(1, name="before")(numbers), "int64")))
    with pytest.raises(TypeError, match="takes strings .* Export the part of the model behind them"):
        text_model().export(tmp_path / "model")


# ---- models whose own call looks strings up


class TextClassifier(keras.Model):
    """Takes strings; its layers are those of `text_model`."""

    def __init__(self, **options):
        super().__init__()
        self.words = layers.TextVectorization(vocabulary=["a", "b", "c", "d"], **options)
        self.numbers = keras.Sequential([keras.Input((None,), dtype="int64"), *numeric_part()])

    def call(self, texts):
        return self.numbers(self.words(texts))


def classifier(**options):
    model = TextClassifier(**options)
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("texts", [TEXTS, TEXTS.astype(object), TEXTS.ravel().tolist(), np.char.encode(TEXTS)])
def test_subclassed_model_trains_as_on_the_indices(texts):
    model, inner = classifier(), keras.Sequential(numeric_part())
    inner.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    indices = vectorizer()(TEXTS).numpy()
    options = dict(epochs=3, verbose=0, shuffle=False, batch_size=3)
    expected = inner.fit(indices, Y, validation_data=(indices, Y), **options).history
    assert model.fit(texts, Y, validation_data=(texts, Y), **options).history == expected
    np.testing.assert_array_equal(model.predict(texts, verbose=0), inner.predict(indices, verbose=0))
    assert model.evaluate(texts, Y, verbose=0) == inner.evaluate(indices, Y, verbose=0)
    assert model.train_on_batch(texts, Y) == inner.train_on_batch(indices, Y)


def test_batches_of_strings_of_several_lengths():
    model = classifier()
    assert set(model.fit(((TEXTS[i : i + 1], Y[i : i + 1]) for i in range(3)), verbose=0).history) == {"loss", "mae"}
    each = [model.predict(TEXTS[i : i + 1], verbose=0) for i in range(3)]
    np.testing.assert_allclose(model.predict(TEXTS, verbose=0), np.concatenate(each), rtol=1e-6)
    np.testing.assert_allclose(model(TEXTS), np.concatenate(each), rtol=1e-6)
    model.words.set_vocabulary(["d", "c", "b", "a"])
    np.testing.assert_allclose(model.predict(TEXTS, verbose=0), model(TEXTS), rtol=1e-6)
    model.run_eagerly = True
    assert len(model.fit(TEXTS, Y, validation_split=0.4, verbose=0).history["val_loss"]) == 1


def test_strings_in_a_dict_and_in_train_step():
    class OfTable(keras.Model):
        def __init__(self):
            super().__init__()
            self.job = layers.StringLookup(vocabulary=["clerk", "nurse"], output_mode="one_hot")
            self.head = layers.Dense(1, kernel_initializer="ones", use_bias=False)

        def train_step(self, data):
            x, y = data
            return super().train_step(({"code": ops.cast(self.job(x["job"]), "float32"), "age": x["age"]}, y))

        def call(self, x):
            code = x["code"] if "code" in x else ops.cast(self.job(x["job"]), "float32")
            return self.head(ops.concatenate([code, x["age"]], axis=1))

    model = OfTable()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = {"job": np.array(["nurse", "cook", "clerk", "nurse"]), "age": np.arange(4, dtype="float32")[:, None]}
    np.testing.assert_array_equal(model.predict(x, batch_size=2, verbose=0), [[1], [2], [3], [4]])
    assert model.fit(x, np.zeros((4, 1)), batch_size=4, verbose=0).history["loss"] == [7.5]


def test_layer_with_a_lookup_inside():
    class Words(layers.Layer):
        def __init__(self):
            super().__init__()
            self.lookup = layers.StringLookup(vocabulary=["a", "b"])
            self.table = layers.Embedding(3, 2, embeddings_initializer="ones")

        def call(self, texts):
            return self.table(self.lookup(texts))

    inputs = keras.Input((1,), dtype="string")
    outputs = Words()(inputs)
    assert outputs.shape == (None, 1, 2)
    functional, sequential = keras.Model(inputs, outputs), keras.Sequential([Words()])
    texts = np.array(["a", "b", "z"])
    np.testing.assert_array_equal(functional.predict(texts, verbose=0), np.ones((3, 1, 2)))
    np.testing.assert_array_equal(sequential.predict(texts[:, None], verbose=0), np.ones((3, 1, 2)))
    outer_inputs = keras.Input((1,), dtype="string")
    outer = keras.Model(outer_inputs, layers.Dense(1)(text_model()(outer_inputs)))
    outer.compile("sgd", "mse")
    assert np.isfinite(outer.fit(TEXTS, Y, verbose=0).history["loss"][0])


def test_a_step_of_strings_after_one_that_failed():
    class Words(keras.Model):
        fails = True

        def __init__(self):
            super().__init__()
            self.lookup, self.table = layers.StringLookup(vocabulary=["a", "b"]), layers.Embedding(3, 2)

        def call(self, x):
            if self.fails:
                raise RuntimeError("not yet")
            return self.table(self.lookup(x))

    model, x = Words(), np.array([["a"], ["b"], ["c"]])
    with pytest.raises(RuntimeError, match="not yet"):
        model.predict(x, verbose=0)
    model.fails = False
    assert model.predict(x, verbose=0).shape == (3, 1, 2)


def test_strings_where_numbers_belong():
    class Wrong(TextClassifier):
        def call(self, texts):
            return self.numbers(texts)

    with pytest.raises(TypeError, match=r"<Strings shape=\(3, 1\)> stands for strings, which only StringLookup"):
        Wrong().predict(TEXTS, verbose=0)
    with pytest.raises(TypeError, match="returns strings, of which there are no tensors.* what the model predicts"):
        layers.StringLookup(vocabulary=["a"], invert=True)(keras.Input((1,), dtype="int64"))
