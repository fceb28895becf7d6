"""What fit, evaluate, predict and convert_to_tensor take besides NumPy arrays: other libraries' arrays and sources."""

import os
import re
import sys
import threading

import numpy as np
import pytest

import dlcore as keras
from dlcore import _core, layers, ops

X = np.arange(24, dtype="float32").reshape(8, 3) / 24
Y = X.sum(axis=1, keepdims=True)


def model(**options):
    keras.utils.set_random_seed(1)
    result = keras.Sequential([keras.Input((3,), **options), layers.Dense(1)])
    result.compile("sgd", "mse")
    return result


def losses(*data, **options):
    return model().fit(*data, epochs=2, shuffle=False, verbose=0, **options).history["loss"]


# ---- DLPack


class Shared:
    """An array of another library's: its elements are there through DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def aligned(shape, dtype="float32"):
    """Zeros whose first byte lies at a multiple of 64."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, "uint8")
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64"])
def test_dlpack_both_ways_without_a_copy(dtype):
    array = aligned((2, 3), dtype)
    array[0] = [1, 0, 1]
    tensor = ops.convert_to_tensor(Shared(array))
    assert (tensor.dtype, tensor.shape) == (dtype, (2, 3))
    back = np.from_dlpack(tensor)
    assert address(back) == address(array) and back.dtype == dtype
    np.testing.assert_array_equal(back, array)
    assert tensor.__dlpack_device__() == (1, 0)


class Traced:
    """A tensor that another framework traces: it has no elements to read."""

    def __repr__(self):
        return "<traced>"

    def __array__(self, *args, **kwargs):  # the type of TensorFlow's error
        raise NotImplementedError("Cannot convert a symbolic tensor.")


class TracedWithDLPack(Traced):
    def __dlpack__(self):
        raise TypeError("Abstract tracer value.")


@pytest.mark.parametrize("kind", [Traced, TracedWithDLPack])
def test_tensors_that_other_frameworks_trace(kind):
    reason = "(Cannot convert a symbolic tensor|Abstract tracer value)."
    message = f"Can't read {kind.__name__} <traced>: {reason} What .* take gradients with dlcore.GradientTape"
    with pytest.raises(TypeError, match=message) as caught:
        ops.square(kind())
    assert caught.value.__cause__ is not None


def test_tensors_of_torch_that_are_differentiated():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"Can't read Tensor tensor\(.*: .* use tensor.detach\(\)\. What "):
        ops.square(torch.ones(2, 3, requires_grad=True))
    with pytest.raises(TypeError, match="tensors with layout other than torch.strided. What"):
        ops.square(torch.eye(2).to_sparse())


def test_dlpack_copies_what_does_not_lie_as_tensors_do():
    array = aligned((4, 3))
    array[:] = X[:4]
    for view in (array.T, array[:, 1:], array[1:], array[:0]):
        tensor = ops.convert_to_tensor(Shared(view))
        np.testing.assert_array_equal(tensor, view)
        assert address(np.from_dlpack(tensor)) != address(view)
    assert ops.convert_to_tensor(Shared(array), "float64").dtype == "float64"
    copy = _core.from_dlpack(tensor.__dlpack__(copy=True))
    assert address(np.from_dlpack(copy)) != address(np.from_dlpack(tensor))


def test_variables_leave_shared_memory_alone():
    array = aligned((3,))
    variable = keras.Variable(ops.convert_to_tensor(Shared(array)))
    variable.assign_add(np.ones(3, "float32"))
    np.testing.assert_array_equal(array, 0)
    variable.assign(ops.convert_to_tensor(Shared(array)))
    array[:] = 5
    np.testing.assert_array_equal(variable, 0)
    variable.assign_add(np.ones(3, "float32"))
    before = np.from_dlpack(variable.value)
    variable.assign_add(np.ones(3, "float32"))
    np.testing.assert_array_equal(before, 1)
    np.testing.assert_array_equal(variable, 2)


def test_dlpack_messages():
    with pytest.raises(TypeError, match="type code 5 with 64 bits and 1 lanes can't become a tensor; expected bool"):
        ops.convert_to_tensor(Shared(np.zeros(2, "complex64")))
    with pytest.raises(BufferError, match="shared on the host"):
        ops.convert_to_tensor([1.0]).__dlpack__(dl_device=(2, 0))
    with pytest.raises(TypeError, match="no elements to share"):
        keras.Sequential([layers.Lambda(lambda x: ops.convert_to_tensor(x.__dlpack__()))])(keras.Input((3,)))


# ---- other libraries, where they are installed


def test_torch():
    torch = pytest.importorskip("torch")
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    assert losses(x, y) == losses(X, Y)
    pairs = torch.utils.data.TensorDataset(x, y)
    assert losses(torch.utils.data.DataLoader(pairs, batch_size=4)) == losses(X, Y, batch_size=4)
    np.testing.assert_array_equal(model()(x), model()(X))
    np.testing.assert_array_equal(torch.from_dlpack(ops.convert_to_tensor(x.bfloat16())).float(), x.bfloat16().float())


def test_tf_data():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    assert losses(data) == losses(X, Y, batch_size=4)
    np.testing.assert_array_equal(model().predict(data.map(lambda x, y: x), verbose=0), model().predict(X, verbose=0))


def test_examples_without_a_batch_axis():
    with pytest.raises(ValueError, match=r"`y` is a single number; .* single examples becomes .* batch\(32\)"):
        losses(keras.utils.split_dataset((X, Y[:, 0]), left_size=0.5)[0])


def test_pandas():
    pandas = pytest.importorskip("pandas")
    table, series = pandas.DataFrame(X, columns=list("abc")), pandas.Series(Y[:, 0])
    assert losses(table, series) == losses(X, Y)
    columns = [keras.Input((1,), name=name) for name in "abc"]
    of_columns = keras.Model(columns, layers.Concatenate()(columns))
    np.testing.assert_array_equal(of_columns.predict(dict(table), verbose=0), X)


def test_pandas_of_mixed_dtypes():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 1.5], "c": [True, False, True]})
    expected = np.array([[1, 0.5, 1], [2, np.nan, 0], [3, 1.5, 1]], "float32")
    net = model()
    np.testing.assert_array_equal(net.predict(table, verbose=0), net.predict(expected, verbose=0))
    table["a"] = pandas.array([1, 2, 3], dtype="Int64")
    np.testing.assert_array_equal(net.predict(table, verbose=0), net.predict(expected, verbose=0))
    for column in (pandas.array([1, 2, None], dtype="Int64"), pandas.Series([1, 2, pandas.NA], dtype=object)):
        table["a"] = column
        with pytest.raises(ValueError, match=r"`x` has missing values in the columns 'a'\. Fill them in.*dropna"):
            net.predict(table, verbose=0)
        with pytest.raises(ValueError, match=r"`y` has missing values\. Fill them in"):
            net.fit(X[:3], table["a"], verbose=0)
    for column in (["x", "y", "z"], pandas.to_datetime(["2020-01-01"] * 3), pandas.Categorical(["x", "y", "x"])):
        table["a"] = column
        text = rf"`x` has columns that hold no numbers: 'a' \({table['a'].dtype}.*\)\. Leave them out, or encode them"
        with pytest.raises(ValueError, match=text.replace("[", r"\[")):
            net.predict(table, verbose=0)


# ---- what is no data


@pytest.mark.parametrize(
    "x, text",
    [
        (np.array([[1, 2, None]], dtype=object), "`x` holds None. Fill in what is missing, or leave those rows out."),
        (X.astype("complex64"), "`x` is of dtype complex64. Make it numbers, such as with astype('float32')."),
        (
            np.array([["2020-01-01"] * 3], "datetime64[D]"),
            "`x` is of dtype datetime64[D]. Make it numbers, such as with",
        ),
        (None, "Unrecognized data: None (of type NoneType). Expected arrays, a PyDataset, a generator or another"),
        (3, "Unrecognized data: 3 (of type int). Expected arrays, a PyDataset, a generator or another iterable of"),
        (iter([None]), "A batch should be x, (x, y) or (x, y, sample_weight). Received None."),
        (iter([(X,) * 4]), "A batch should be x, (x, y) or (x, y, sample_weight). Received 4 parts."),
        (iter([]), "there is not a single batch"),
    ],
)
def test_what_is_no_data(x, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        model().predict(x, verbose=0)


def test_order_of_rows_is_a_flag_or_batch():
    with pytest.raises(ValueError, match="`shuffle` should be True, False or \"batch\". Received: shuffle='rows'"):
        model().fit(X, Y, shuffle="rows", verbose=0)


def test_an_error_of_a_generator_is_the_users_own():
    def batches():
        yield X, Y
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        model().fit(batches(), verbose=0)


def test_a_batch_of_another_shape_in_the_middle_of_an_epoch():
    with pytest.raises(ValueError, match=r"expected shape=\(None, 3\), found shape=\(8, 2\)"):
        model().fit(iter([(X, Y), (X[:, :2], Y)]), verbose=0)


class Numbered(keras.utils.PyDataset):
    """20 batches; one of them fails."""

    def __init__(self, bad=None, **options):
        super().__init__(**options)
        self.bad, self.made = bad, []

    def __len__(self):
        return 20

    def __getitem__(self, i):
        self.made.append(i)
        if i == self.bad:
            raise KeyError("a row is missing")
        return X, Y


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_a_batch_is_the_users_own(workers):
    with pytest.raises(KeyError, match="a row is missing"):
        model().fit(Numbered(bad=5, workers=workers), verbose=0)


def test_workers_stop_with_the_training():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    data = Numbered(workers=2, max_queue_size=4)
    model().fit(data, verbose=0, callbacks=[Stop()])
    assert len(data.made) <= 5


# ---- sparse matrices


class Rows:
    """What dlcore asks of SciPy's sparse matrices: rows that can be taken and made dense."""

    def __init__(self, array):
        self._array = array
        self.shape = array.shape

    def tocsr(self):
        return self

    def toarray(self):
        return self._array

    def __getitem__(self, rows):
        return Rows(self._array[rows])

    def __len__(self):
        raise TypeError("sparse array length is ambiguous")


def sparse_kinds():
    try:
        import scipy.sparse
    except ImportError:
        return [Rows]
    return [Rows, scipy.sparse.csr_matrix, scipy.sparse.coo_matrix, scipy.sparse.csc_array]


@pytest.mark.parametrize("kind", sparse_kinds())
@pytest.mark.parametrize("sparse", [True, False])
def test_sparse_matrices(kind, sparse):
    x = kind(X)
    sparse_model, dense_model = model(sparse=sparse), model()
    options = dict(epochs=2, batch_size=3, shuffle=False, verbose=0, validation_split=0.25)
    assert sparse_model.fit(x, Y, **options).history == dense_model.fit(X, Y, **options).history
    np.testing.assert_array_equal(sparse_model.predict(x, verbose=0), dense_model.predict(X, verbose=0))
    assert sparse_model.evaluate(x, Y, verbose=0) == dense_model.evaluate(X, Y, verbose=0)
    assert sparse_model.train_on_batch(x, Y) == dense_model.train_on_batch(X, Y)
    batches = ((kind(X[i : i + 2]), Y[i : i + 2]) for i in range(0, 8, 2))
    dense_batches = ((X[i : i + 2], Y[i : i + 2]) for i in range(0, 8, 2))
    assert sparse_model.fit(batches, verbose=0).history == dense_model.fit(dense_batches, verbose=0).history
    shuffled = sparse_model.fit(x, Y, batch_size=4, verbose=0).history["loss"]
    assert np.isfinite(shuffled).all()
    np.testing.assert_array_equal(ops.convert_to_tensor(x), X)


def test_input_that_is_sparse():
    inputs = keras.Input((3,), sparse=True)
    assert inputs.sparse and not layers.Dense(1)(inputs).sparse
    layer = model(sparse=True)._sequence[0]
    assert layer.get_config()["sparse"] and type(layer).from_config(layer.get_config()).sparse
    with pytest.raises(ValueError, match='InputLayer "rows": there are no ragged tensors. Got ragged=True'):
        keras.Input((None,), ragged=True, name="rows")


# ---- epochs of fewer steps than there are batches


class OneAtATime(keras.utils.PyDataset):
    """Batch i of ten: the number i."""

    def __len__(self):
        return 10

    def __getitem__(self, i):
        return np.full((4, 1), i, "float32"), np.full((4, 1), i, "float32")


class OfUnknownLength:
    """The same batches, like a tf.data.Dataset that can't tell how many they are."""

    def __iter__(self):
        return (OneAtATime()[i] for i in range(10))

    def __len__(self):
        raise TypeError("The dataset length is unknown.")


def ten_batches(kind, workers=1):
    if kind == "arrays":
        return [np.repeat(np.arange(10, dtype="float32"), 4)[:, None]] * 2
    return [OfUnknownLength() if kind == "unknown length" else OneAtATime(workers=workers)]


def mean_targets(kind, eagerly=False, workers=1, **options):
    """The mean target of each epoch, as the loss."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", lambda y, prediction: ops.mean(y + 0 * prediction), run_eagerly=eagerly)
    batch_size = {"batch_size": 4} if kind == "arrays" else {}
    options = {"shuffle": False, "verbose": 0, **batch_size, **options}
    return model.fit(*ten_batches(kind, workers), **options).history["loss"]


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("kind", ["arrays", "dataset", "unknown length"])
def test_short_epochs_go_on_where_the_one_before_stopped(kind, eagerly):
    assert mean_targets(kind, eagerly, steps_per_epoch=5, epochs=4) == [2.0, 7.0, 2.0, 7.0]
    assert mean_targets(kind, eagerly, epochs=2) == [4.5, 4.5]
    with pytest.warns(UserWarning, match="ran out after 1 of 3 batches"):
        assert mean_targets(kind, eagerly, steps_per_epoch=3, epochs=5) == [1.0, 4.0, 7.0, 9.0, 1.0]
    with pytest.warns(UserWarning, match="ran out after 10 of 13 batches"):
        assert mean_targets(kind, eagerly, steps_per_epoch=13) == [4.5]


def test_short_epochs_of_batches_made_ahead():
    before = threading.active_count()
    assert mean_targets("dataset", workers=3, steps_per_epoch=4, epochs=2) == [1.5, 5.5]
    assert threading.active_count() == before


def test_short_epochs_take_all_shuffled_rows():
    means = mean_targets("arrays", shuffle=True, steps_per_epoch=2, epochs=10)
    for whole in (means[:5], means[5:]):
        np.testing.assert_allclose(np.mean(whole), 4.5, rtol=1e-6)


@pytest.mark.parametrize("kind", ["arrays", "dataset", "unknown length"])
def test_validation_takes_the_same_steps_each_time(kind):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", lambda y, prediction: ops.mean(y + 0 * prediction))
    validation = tuple(ten_batches(kind)) if kind == "arrays" else ten_batches(kind)[0]
    options = dict(validation_steps=3, validation_batch_size=4, epochs=2, verbose=0)
    history = model.fit(np.ones((4, 1)), np.ones((4, 1)), validation_data=validation, **options)
    assert history.history["val_loss"] == [1.0, 1.0]


class FaultyLength(OneAtATime):
    def __len__(self):
        return 10 / 2


def test_a_faulty_length_is_no_unknown_one():
    with pytest.raises(TypeError, match="float"):
        model().fit(FaultyLength(), verbose=0)


# ---- processes that make batches


class OfProcesses(keras.utils.PyDataset):
    """Batch i holds i and the number of the process that made it."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return np.full((2, 3), [i, os.getpid(), 0]), np.zeros((2, 1))


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_batches_made_by_processes():
    first_two = keras.Sequential([keras.Input((3,), dtype="int64"), layers.Lambda(lambda x: x[:, :2])])
    made = first_two.predict(OfProcesses(workers=2, use_multiprocessing=True), verbose=0)
    np.testing.assert_array_equal(made[::2, 0], np.arange(6))
    assert os.getpid() not in made[:, 1]
    here = first_two.predict(OfProcesses(workers=2), verbose=0)
    assert set(here[:, 1]) == {os.getpid()}


class Noting(keras.utils.PyDataset):
    """Notes which batches are asked for, and the hooks."""

    def __init__(self, count=8, **options):
        super().__init__(**options)
        self.count, self.seen = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        self.seen.append(i)
        return np.full((2, 1), i, "float32"), np.full((2, 1), i, "float32")

    def on_epoch_begin(self):
        self.seen.append("begin")

    def on_epoch_end(self):
        self.seen.append("end")


def of_one_weight():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("workers", [1, 3])
def test_the_batches_of_a_py_dataset_are_shuffled(workers):
    keras.utils.set_random_seed(0)
    data = Noting(workers=workers)
    of_one_weight().fit(data, epochs=2, verbose=0)
    first, second = data.seen[1:9], data.seen[11:19]
    assert sorted(first) == sorted(second) == list(range(8))
    if workers == 1:  # threads may ask in another order
        assert first != second and first != list(range(8)) != second


def test_batches_keep_their_order_where_it_is_asked_for():
    data = Noting()
    model = of_one_weight()
    model.fit(data, shuffle=False, validation_data=data, verbose=0)
    model.evaluate(data, verbose=0)
    model.predict(data, verbose=0)
    assert data.seen == ["begin", *range(8), "end"] * 4


@pytest.mark.parametrize("workers", [1, 2])
def test_a_py_dataset_that_grows_and_shrinks(workers):
    class Changing(Noting):
        def on_epoch_end(self):
            self.count += 2 if self.count == 2 else -3

    batches = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    of_one_weight().fit(Changing(2, workers=workers), epochs=3, verbose=0, callbacks=[note])
    assert batches == [0, 1, 0, 1, 2, 3, 0]


def test_the_parts_of_a_batch_may_have_different_numbers_of_rows():
    """As the nodes and the labels of a batch of graphs."""

    class SumOfGraphs(layers.Layer):
        def call(self, nodes, graphs):
            return ops.segment_sum(nodes, graphs, num_segments=2)

    nodes, graphs = keras.Input((3,)), keras.Input((), dtype="int32")
    model = keras.Model([nodes, graphs], layers.Dense(1, kernel_initializer="ones")(SumOfGraphs()(nodes, graphs)))
    model.compile("sgd", "mae")

    def batches():
        for graphs in ([0, 0, 1], [0, 1, 1, 1, 1]):
            yield (np.ones((len(graphs), 3)), np.array(graphs)), np.zeros((2, 1))

    # The loss is the mean over the nodes of both batches.
    assert model.evaluate(batches(), verbose=0) == pytest.approx((3 * 4.5 + 5 * 7.5) / 8)
    model.fit(batches(), verbose=0)
    assert model.predict(batches(), verbose=0).shape == (4, 1)
    x, y = next(batches())
    model.train_on_batch(x, y)
    with pytest.raises(ValueError, match="same number of samples"):
        model.fit(x, y, verbose=0)
