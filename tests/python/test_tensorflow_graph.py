"""Layers and ops on the symbolic tensors that the function of tf.data.Dataset.map gets: with TensorFlow where it is
installed, and with a stand-in for what is used of it."""

import contextlib
import sys
import types

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers, ops

TEXTS = np.array(["The cat sat", "a dog ran far away", "a Cat and a dog"])
IMAGES = np.arange(2 * 6 * 5 * 3, dtype="float32").reshape(2, 6, 5, 3)
WORDS = ["cat", "dog"]


# ---- a stand-in for TensorFlow


class Shape:
    def __init__(self, sizes):
        self.rank = None if sizes is None else len(sizes)
        self.as_list = lambda: list(sizes)


class Symbolic:
    """A tensor of a graph: `value()` runs the nodes before it."""

    def __init__(self, dtype, sizes, value):
        self.dtype = types.SimpleNamespace(name=dtype)
        self.value = value
        self.set_shape(sizes)

    def set_shape(self, sizes):
        self.shape = Shape(sizes)

    def __array__(self, *args, **kwargs):  # as TensorFlow's do
        raise NotImplementedError("Cannot convert a symbolic tf.Tensor to a numpy array.")


def numpy_function(function, inputs, dtypes):
    def value(i, dtype):
        outputs = function(*(x.value() for x in inputs))
        assert len(outputs) == len(dtypes)
        assert outputs[i].dtype == (object if dtype == "string" else dtype)
        return np.array([str(s).encode() for s in outputs[i]], object) if dtype == "string" else outputs[i]

    return [Symbolic(dtype, None, lambda i=i, dtype=dtype: value(i, dtype)) for i, dtype in enumerate(dtypes)]


def custom_gradient(function):
    def call(*inputs):
        outputs, gradient = function(*inputs)
        for output in outputs:
            output.gradient = gradient
        return outputs

    return call


def stand_in():
    module = types.ModuleType("tensorflow")
    module.is_symbolic_tensor = lambda x: isinstance(x, Symbolic)
    module.as_dtype = lambda name: name
    module.cast = lambda x, dtype: Symbolic(dtype, x.shape.as_list(), lambda: x.value().astype(dtype))
    module.init_scope = contextlib.nullcontext
    module.numpy_function = numpy_function
    module.custom_gradient = custom_gradient
    module.shape = lambda x: [
        Symbolic("int32", (), lambda i=i: np.int32(x.value().shape[i])) for i in range(x.shape.rank)
    ]
    module.autograph = types.SimpleNamespace(experimental=types.SimpleNamespace(do_not_convert=lambda f: f))
    return module


class StandIn:
    """Graphs of the stand-in: `mapped` gives what the function makes of data whose first axis is not known, as (dtype,
    shape in the graph, values)."""

    def mapped(self, function, data, unknown_rank=False):
        def symbolic(array):
            dtype = "string" if array.dtype.kind == "U" else array.dtype.name
            return Symbolic(dtype, None if unknown_rank else (None, *array.shape[1:]), lambda: array)

        return keras.tree.map_structure(
            lambda y: (y.dtype.name, tuple(y.shape.as_list()), y.value()),
            function(keras.tree.map_structure(symbolic, data)),
        )


class Installed:
    """The same with TensorFlow's own graphs."""

    def __init__(self, module):
        self.module = module

    def mapped(self, function, data, unknown_rank=False):
        tf = self.module
        dataset = tf.data.Dataset.from_tensor_slices(data).batch(4)
        if unknown_rank:
            dataset = dataset.map(lambda x: tf.numpy_function(lambda a: a, [x], x.dtype))
        dataset = dataset.map(function)
        (made,) = dataset
        return tf.nest.map_structure(
            lambda spec, y: (spec.dtype.name, tuple(spec.shape.as_list()), y.numpy()), dataset.element_spec, made
        )


@pytest.fixture(params=[StandIn, Installed])
def graph(request, monkeypatch):
    if request.param is Installed:
        return Installed(pytest.importorskip("tensorflow"))
    monkeypatch.setitem(sys.modules, "tensorflow", stand_in())
    return StandIn()


# ---- layers


def adapted(layer, data):
    layer.adapt(data)
    return layer


def vectorization(**options):
    return adapted(layers.TextVectorization(max_tokens=8, **options), TEXTS)


LAYERS = {
    "words": (lambda: vectorization(output_sequence_length=6), TEXTS, (None, 6)),
    "words of any number": (lambda: vectorization(), TEXTS, (None, None)),
    "words as vectors": (lambda: vectorization(output_mode="tf_idf"), TEXTS, (None, 8)),
    "strings": (lambda: layers.StringLookup(vocabulary=WORDS), np.array([["cat"], ["x"], ["dog"]]), (None, 1)),
    "strings as vectors": (lambda: layers.StringLookup(vocabulary=WORDS, output_mode="one_hot"), TEXTS, (None, 3)),
    "integers": (lambda: adapted(layers.IntegerLookup(), np.array([3, 5, 3])), np.array([5, 3, 7]), (None,)),
    "hashes": (lambda: layers.Hashing(num_bins=5), TEXTS, (None,)),
    "bins": (lambda: layers.Discretization(bin_boundaries=[3.0, 6.0]), np.array([1.0, 5.0, 9.0], "float32"), (None,)),
    "categories": (lambda: layers.CategoryEncoding(num_tokens=3), np.array([[0, 2], [1, 1]]), (None, 3)),
    "normalized": (lambda: adapted(layers.Normalization(), IMAGES), IMAGES, (None, 6, 5, 3)),
    "rescaled": (lambda: layers.Rescaling(0.5), IMAGES.astype("uint8"), (None, 6, 5, 3)),
    "resized": (lambda: layers.Resizing(3, 4), IMAGES, (None, 3, 4, 3)),
    "flipped": (lambda: layers.RandomFlip("horizontal", seed=1), IMAGES, (None, 6, 5, 3)),
    "augmented": (
        lambda: keras.Sequential([layers.RandomFlip(seed=1), layers.RandomRotation(0.1, seed=2)]),
        IMAGES,
        (None, 6, 5, 3),
    ),
    "predicted": (lambda: keras.Sequential([layers.Flatten(), layers.Dense(2, "relu")]), IMAGES, (None, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(graph, name):
    make, data, shape = LAYERS[name]
    keras.utils.set_random_seed(1)
    expected = make()(data).numpy()
    keras.utils.set_random_seed(1)
    layer = make()
    dtype, sizes, values = graph.mapped(lambda x: layer(x), data)
    assert (dtype, sizes) == (values.dtype.name, shape)
    np.testing.assert_array_equal(values, expected)
    assert not layer._inbound_nodes


def test_arguments_pass(graph):
    layer = layers.RandomFlip("horizontal", seed=1)
    _, _, values = graph.mapped(lambda x: layer(x, training=False), IMAGES)
    np.testing.assert_array_equal(values, IMAGES)
    encode = layers.CategoryEncoding(num_tokens=3, output_mode="count")
    data = {"ids": np.array([[0, 2], [1, 1]]), "weights": np.array([[0.5, 2.0], [1.0, 3.0]], "float32")}
    _, _, values = graph.mapped(lambda row: encode(row["ids"], count_weights=row["weights"]), data)
    np.testing.assert_array_equal(values, [[0.5, 0, 2], [0, 4, 0]])


def test_dicts_in_and_out(graph):
    data = {"images": IMAGES, "labels": np.array([0, 1])}
    layer = layers.RandomFlip("vertical", seed=1)
    made = graph.mapped(lambda row: layer(row), data)
    assert {name: shape for name, (_, shape, _) in made.items()} == {"images": (None, 6, 5, 3), "labels": (None,)}
    np.testing.assert_array_equal(made["labels"][2], [0, 1])


def test_images_become_floats(graph):
    data = {"images": IMAGES.astype("uint8"), "labels": np.array([0, 1])}
    layer = layers.Resizing(3, 4)
    made = graph.mapped(lambda row: layer(row), data)
    np.testing.assert_array_equal(made["images"][2], layer(IMAGES))
    assert (made["images"][0], made["labels"][0]) == ("float32", "int64")
    dtype, _, values = graph.mapped(lambda x: layer(x), data["images"])
    assert dtype == values.dtype == "float32"


def test_strings_come_out(graph):
    names = layers.StringLookup(vocabulary=WORDS, invert=True)
    dtype, shape, values = graph.mapped(lambda i: names(i), np.array([2, 1, 0]))
    assert (dtype, shape, values.tolist()) == ("string", (None,), [b"dog", b"cat", b"[UNK]"])


def test_feature_space(graph):
    table = {"age": np.array([1.0, 3.0]), "job": np.array(["nurse", "clerk"])}
    space = keras.utils.FeatureSpace({"age": "float_normalized", "job": "string_categorical"})
    space.adapt(table)
    _, shape, values = graph.mapped(lambda row: space(row), table)
    assert shape == (None, 4)
    np.testing.assert_array_equal(values, space(table))


def test_ops(graph):
    dtype, shape, values = graph.mapped(lambda x: ops.one_hot(ops.cast(x, "int32"), 3), np.array([0.0, 2.0]))
    assert (dtype, shape) == ("float32", (None, 3))
    np.testing.assert_array_equal(values, [[1, 0, 0], [0, 0, 1]])


def test_sizes_that_come_with_the_data(graph):
    """As Keras's on TensorFlow: numbers where they are known, else tensors, which shapes may hold."""

    def flattened(x):
        batch, height, *rest = ops.shape(x)
        assert height == 6 and rest == [5, 3]
        first = ops.expand_dims(ops.take(x, 0, axis=0), 0)
        return ops.minimum(batch, 4), ops.reshape(x, (batch, -1)), ops.broadcast_to(first, (batch, 6, 5, 3))

    (_, shape, size), (_, flat_shape, flat), (_, _, wide) = graph.mapped(flattened, IMAGES)
    assert (shape, int(size)) == ((), 2)
    assert flat_shape == (None, None) and wide.shape == IMAGES.shape
    np.testing.assert_array_equal(flat, IMAGES.reshape(2, -1))


def test_gradients_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", stand_in())
    output = ops.square(Symbolic("float32", (None, 3), lambda: np.ones((2, 3), "float32")))
    with pytest.raises(TypeError, match="TensorFlow can't take gradients .* Take them with dlcore.GradientTape"):
        output.gradient(output)


def test_tapes_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    layer = layers.Dense(1)

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return tape.gradient(y, x)

    for function in (gradient, tf.function(gradient)):
        with pytest.raises((AttributeError, TypeError), match="dlcore.GradientTape"):
            function(tf.ones((1, 3)))


def test_unknown_number_of_axes(graph):
    with pytest.raises(ValueError, match=r"number of axes .* is not known.*set_shape\(\(None, 28, 28, 1\)\)"):
        graph.mapped(lambda x: layers.Rescaling(0.5)(x), IMAGES, unknown_rank=True)


def test_functions_of_tensorflow_standardize_and_split():
    tf = pytest.importorskip("tensorflow")
    layer = layers.TextVectorization(
        standardize=lambda texts: tf.strings.regex_replace(tf.strings.lower(texts), "[aeiou]", ""),
        split=lambda texts: tf.strings.split(texts),
        output_sequence_length=3,
    )
    data = tf.data.Dataset.from_tensor_slices(TEXTS)
    layer.adapt(data.batch(2))
    assert layer.get_vocabulary()[2:4] == ["dg", "ct"]
    for mapped in (data.map(layer), data.batch(2).map(layer).unbatch()):
        assert mapped.element_spec.shape == (3,)
        np.testing.assert_array_equal(list(mapped), layer(TEXTS))


def test_split_into_ragged_rows():
    """As tf.strings.split returns them."""

    class Ragged:
        def to_list(self):
            return [[b"foo", b"bar"], [b"baz"]]

        def __iter__(self):
            raise AssertionError("row by row is slow")

    layer = layers.TextVectorization(split=lambda texts: Ragged(), vocabulary=["foo", "bar", "baz"])
    np.testing.assert_array_equal(layer(["foo bar", "baz"]), [[2, 3], [4, 0]])


def test_split_into_arrays():
    layer = layers.TextVectorization(split=lambda texts: np.char.split(texts), vocabulary=["foo", "bar"])
    np.testing.assert_array_equal(layer(["foo bar", "bar"]), [[2, 3], [3, 0]])
    np.testing.assert_array_equal(layer("foo bar"), [2, 3])


def test_training_on_mapped_data():
    tf = pytest.importorskip("tensorflow")
    vectorize = vectorization(output_sequence_length=6)
    data = tf.data.Dataset.from_tensor_slices((TEXTS, np.array([0, 1, 0]))).batch(2)
    mapped = data.map(lambda x, y: (vectorize(x), y), num_parallel_calls=2).cache().prefetch(1)
    model = keras.Sequential([layers.Embedding(8, 4), layers.GlobalAveragePooling1D(), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(mapped, validation_data=mapped, epochs=2, verbose=0).history
    assert history["val_loss"][1] == model.evaluate(mapped, verbose=0)[0]
    np.testing.assert_allclose(model.predict(mapped, verbose=0), model.predict(vectorize(TEXTS), verbose=0), rtol=1e-6)
