"""Columns of a table encoded for a model. Values are compared with Keras's in test_tools_golden.py."""

import numpy as np
import pytest
import tools_cases as cases

import dlcore as keras
from dlcore import layers
from dlcore.utils import FeatureSpace
from dlcore.utils.batches import batches_of_rows

TABLE = cases.TABLE


def batches(size):
    return batches_of_rows(lambda rows: {name: TABLE[name][rows] for name in TABLE}, 6, size)


def test_adapt_to_batches():
    whole, by_batches = cases.feature_space(keras), cases.feature_space(keras)
    whole.adapt(TABLE)
    by_batches.adapt(batches(2))
    np.testing.assert_allclose(by_batches(TABLE).numpy(), whole(TABLE).numpy(), rtol=1e-6)
    lists = {name: values.tolist() for name, values in TABLE.items()}
    np.testing.assert_allclose(whole(lists).numpy(), whole(TABLE).numpy(), rtol=1e-6)


def test_training():
    space = FeatureSpace(
        {"age": "float_normalized", "job": "string_categorical", "rooms": "float_discretized", "zip": "integer_hashed"},
        crosses=[("job", "zip")],
        num_discretization_bins=2,
    )
    space.adapt(TABLE)
    encoded = space.get_encoded_features()
    assert encoded.shape == (None, space(TABLE).shape[1]) and space.get_encoded_features() is encoded
    model = keras.Model(encoded, layers.Dense(1, activation="sigmoid")(encoded))
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    y = (TABLE["job"] == "nurse").astype("float32")
    data = batches(3).map(lambda row: (space(row), (row["job"] == "nurse").astype("float32")))
    model.fit(data, epochs=40, verbose=0)
    assert model.evaluate(space(TABLE), y, verbose=0)[1] == 1


def test_a_model_of_the_table_itself(tmp_path):
    space = cases.feature_space(keras, "concat")
    space.adapt(TABLE)
    encoded = space.get_encoded_features()
    outputs = layers.Dense(1)(encoded)
    inner, whole = keras.Model(encoded, outputs), keras.Model(space.get_inputs(), outputs)
    expected = inner.predict(space(TABLE), verbose=0)
    np.testing.assert_array_equal(whole.predict(TABLE, verbose=0), expected)
    whole.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(TABLE, verbose=0), expected)


def test_placeholders_where_unknown_strings_are_an_error():
    space = FeatureSpace({"job": FeatureSpace.string_categorical(num_oov_indices=0)})
    space.adapt({"job": ["nurse", "clerk"]})
    assert space.get_encoded_features().shape == (None, 2)


def test_placeholders_where_unknown_integers_are_an_error():
    space = FeatureSpace({"count": FeatureSpace.integer_categorical(num_oov_indices=0)})
    space.adapt({"count": np.array([4, 7, 7])})
    assert space.get_encoded_features().shape == (None, 2)
    np.testing.assert_array_equal(space({"count": np.array([4, 7])}), [[0, 1], [1, 0]])


def test_vectors_of_words_are_joined():
    words = layers.TextVectorization(vocabulary=["a", "b"], output_mode="multi_hot")
    space = FeatureSpace({"text": FeatureSpace.feature("string", words, "float"), "age": "float"})
    space.adapt({"text": np.array(["a b", "b"]), "age": np.array([1.0, 2.0])})
    np.testing.assert_array_equal(space({"text": np.array(["b c"]), "age": np.array([3.0])}), [[3, 1, 0, 1]])


def test_placeholders_of_dicts():
    space = cases.feature_space(keras, "dict")
    space.adapt(TABLE)
    encoded = space.get_encoded_features()
    assert {name: (x.shape, x.dtype) for name, x in encoded.items()} == {
        name: ((None, *x.shape[1:]), x.dtype) for name, x in space(TABLE).items()
    }
    assert {x.dtype for x in space.get_inputs().values()} == {"string", "float32", "int32"}
    inputs = FeatureSpace({"a": "float", "b": "integer_hashed"}).get_inputs()
    assert {name: (x.shape, x.dtype) for name, x in inputs.items()} == {
        "a": ((None, 1), "float32"), "b": ((None, 1), "int32"),
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["concat", "dict"])
def test_save(tmp_path, mode):
    space = cases.feature_space(keras, mode)
    space.adapt(TABLE)
    space.save(tmp_path / "space.keras")
    loaded = keras.models.load_model(tmp_path / "space.keras")
    expected, got = space(TABLE), loaded(TABLE)
    for a, b in zip(keras.tree.flatten(got), keras.tree.flatten(expected)):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_own_preprocessor():
    own = FeatureSpace.feature("float32", layers.Rescaling(2.0), "float")
    space = FeatureSpace({"a": own, "b": FeatureSpace.float_discretized(4, bin_boundaries=[0.0, 1.0])})
    assert space({"a": [1.0, 2.0], "b": [-1.0, 5.0]}).numpy().tolist() == [[2, 1, 0, 0], [4, 0, 0, 1]]


def test_bins_are_as_many_as_asked_for():
    space = FeatureSpace({"a": "float_discretized"}, num_discretization_bins=8)
    space.adapt({"a": np.array([0.0, 1.0, 2.0])})
    assert space({"a": [0.5, 1.5]}).shape == (2, 8)


def test_texts_with_a_given_vocabulary():
    words = layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=2)
    space = FeatureSpace({"text": FeatureSpace.feature("string", words, "one_hot")})
    assert space({"text": ["a b", "c"]}).numpy().tolist() == [[0, 0, 1, 1], [1, 1, 0, 0]]
    assert space.get_encoded_features().shape == (None, 4)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: FeatureSpace({}), "at least one column"),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), "output_mode"),
        (lambda: FeatureSpace({"a": "int"}), "feature 'a' is of unknown kind 'int'.*integer_hashed"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]), r"names \['b'\]"),
        (lambda: FeatureSpace.feature("float32", layers.Identity(), "two_hot"), "output_mode"),
        (lambda: FeatureSpace({"a": "float_normalized"})({"a": [1.0]}), "call adapt"),
        (lambda: FeatureSpace({"a": "float_normalized"}).adapt({"b": [1.0]}), "column 'a' is missing"),
        (lambda: FeatureSpace({"a": "float"})({"b": [1.0]}), r"columns \['a'\] are missing"),
        (lambda: FeatureSpace({"a": "float"})([1.0]), "takes a dict"),
        (lambda: FeatureSpace({"a": FeatureSpace.integer_hashed(3, "int")})({"a": [1]}), 'output_mode="dict"'),
        (
            lambda: FeatureSpace({"a": FeatureSpace.feature("float32", layers.Identity(), "one_hot")})({"a": [1.0]}),
            "can't be one-hot",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
