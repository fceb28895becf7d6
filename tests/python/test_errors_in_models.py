"""Errors while models run: who is named, what is said of the data, and what stays as the user's own code raised it."""

import re

import numpy as np
import pytest
from small_models import compiled, fit, fit_labels, zeros

import dlcore as keras
from dlcore import layers, losses, ops


@pytest.mark.parametrize(
    "call, begin",
    [
        (lambda: ops.zeros((2, 3)) - ops.zeros(4), "subtract: shapes (2, 3) and (4,)"),
        (lambda: ops.arctan2(zeros(2, 3), zeros(4)), "arctan2: shapes (2, 3) and (4,)"),
        (lambda: ops.hstack([zeros(2, 2), zeros(3, 3)]), "concatenate: input 1 is float32(3, 3)"),
        (lambda: ops.sum(zeros(2), axis=1), "sum: axis 1 is out of range"),
        (lambda: ops.max_pool(keras.Input((2, 2, 1)), 3), "max_pool: the window does not fit"),
        (lambda: layers.Conv2D(1, 3)(zeros(1, 2, 2, 1)), 'Conv2D "conv2d": conv: the window does not fit'),
        (lambda: keras.random.normal((2, -1)), "normal: the shape (2, None)"),
    ],
)
def test_texts_say_the_function_that_was_called(call, begin):
    keras.backend.clear_session()
    with pytest.raises(ValueError, match="^" + re.escape(begin)):
        call()


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    "loss, targets, kind, text",
    [
        ("mse", [zeros(4, 3), zeros(4, 3)], ValueError, '"mse" of output "b": Targets of shape (4, 3)'),
        ("categorical_crossentropy", [zeros(4, 3)] * 2, ValueError, '"categorical_crossentropy" of output "b": target'),
        (
            "sparse_categorical_crossentropy",
            [np.zeros(4, int), np.full(4, 2)],
            IndexError,
            '"sparse_categorical_crossentropy" of output "b": label 2 at row 0 is not one of the 2 classes',
        ),
    ],
)
def test_losses_of_several_outputs_say_which(run_eagerly, loss, targets, kind, text):
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(3, name="a")(x), layers.Dense(2, name="b")(x)])
    model.compile("sgd", [loss, loss], run_eagerly=run_eagerly)
    with pytest.raises(kind, match="^Loss " + re.escape(text)):
        model.fit(zeros(4, 4), targets, verbose=0)


def test_one_image_without_the_axis_of_the_batch():
    model = keras.Sequential([keras.Input((5, 4, 3)), layers.Flatten()])
    for call in (model, model.predict):
        with pytest.raises(ValueError, match=r"found shape=\(5, 4, 3\)\. A batch of one example is x\[None\]\.$"):
            call(zeros(5, 4, 3))


def test_the_name_of_a_weight_in_front():
    with pytest.raises(ValueError, match=r"passed by keyword: add_weight\(shape=..., name='w'\)"):
        layers.Layer().add_weight("w", shape=(3,))


@pytest.mark.parametrize("make", [ops.zeros, lambda shape: keras.Variable(zeros(*shape)), keras.Input])
def test_elements_are_not_assigned(make):
    with pytest.raises(TypeError, match="can't be assigned to. Make a new tensor with ops.where"):
        make((3,))[0] = 1.0


def test_texts_of_functions_of_the_users_stay():
    def fails(x):
        raise ValueError("mine: no")

    with pytest.raises(ValueError, match="^mine: no$"):
        ops.map(fails, zeros(2))


BAD_ID = (
    "index 7 (element 1 of the indices) is out of range for axis 0 of size 5 of (5, 3); expected 0 <= index < 5. "
    "Check the ids, or enlarge the table."
)
BAD_LABEL = (
    'Loss "sparse_categorical_crossentropy": label 7 at row 1 is not one of the 3 classes; labels '
    "are numbers from 0 to 2. Give the last layer more units, or renumber the labels."
)
IDS, BAD_IDS, LABELS, BAD_LABELS = (np.array(x) for x in ([[2], [3]], [[2], [7]], [0, 1], [0, 7]))


def model_of_words(run_eagerly=False):
    """A table of five words -> one of three classes."""
    words = layers.Embedding(5, 3, name="words")
    model = keras.Sequential([keras.Input((1,)), words, layers.Flatten(), layers.Dense(3)], name="net")
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], run_eagerly=run_eagerly)
    return model


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    "call, text",
    [
        (lambda model: model.fit(BAD_IDS, LABELS, shuffle=False, verbose=0), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model.evaluate(BAD_IDS, LABELS, verbose=0), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model.predict(BAD_IDS, verbose=0), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model.train_on_batch(BAD_IDS, LABELS), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model(BAD_IDS), f'Embedding "net/words": {BAD_ID}'),
        (lambda model: model.fit(IDS, BAD_LABELS, shuffle=False, verbose=0), BAD_LABEL),
        (lambda model: model.evaluate(IDS, BAD_LABELS, verbose=0), BAD_LABEL),
    ],
)
def test_bad_numbers_in_the_data(call, text, run_eagerly):
    with pytest.raises(IndexError) as error:
        call(model_of_words(run_eagerly))
    assert str(error.value) == text


def test_bad_numbers_in_a_layer_inside_of_layers():
    class Encoder(layers.Layer):
        def __init__(self):
            super().__init__(name="encoder")
            self.words = layers.Embedding(5, 3, name="words")

        def call(self, x):
            return ops.mean(self.words(x), axis=1)

    model = keras.Sequential([keras.Input((1,)), Encoder(), layers.Dense(1)], name="net")
    with pytest.raises(IndexError) as error:
        model.predict(BAD_IDS, verbose=0)
    assert str(error.value) == f'Embedding "net/encoder/words": {BAD_ID}'


def test_bad_numbers_in_a_metric_and_in_code_of_no_layer():
    def first_classes(y_true, y_pred):
        return ops.take(y_pred, ops.cast(y_true, "int32"), axis=1)

    model = model_of_words()
    model.compile("adam", lambda y_true, y_pred: ops.mean(y_pred, axis=-1), metrics=[first_classes])
    text = "index 7 (element 1 of the indices) is out of range for axis 1 of size 3 of (2, 3)"
    with pytest.raises(IndexError, match="^" + re.escape(f'Metric "first_classes": {text}')):
        model.evaluate(IDS, BAD_LABELS, verbose=0)
    with pytest.raises(IndexError, match="^" + re.escape(text)):
        first_classes(BAD_LABELS, zeros(2, 3))


def test_rows_of_different_lengths():
    text = (
        r"Can't make an array of list \[\[1.0, 2.0\], \[1.0\]\]: .* Rows must have one length: pad them, such as with"
    )
    with pytest.raises(ValueError, match=text):
        compiled().predict([[1.0, 2.0], [1.0]], verbose=0)
    with pytest.raises(ValueError, match=text):
        ops.convert_to_tensor([[1.0, 2.0], [1.0]])


def test_weights_of_another_model(tmp_path):
    path = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((5,)), layers.Dense(3)]).save_weights(path)
    with pytest.raises(ValueError) as error:
        compiled().load_weights(path)
    assert str(error.value) == (
        f"{path} does not fit the model; no weight was changed:\n"
        '  layer "head" (at layers/dense): "kernel" has shape (4, 3), in the file (5, 3)\n'
        "Build the model as it was saved, or pass skip_mismatch=True to load what fits."
    )


def test_weights_of_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        compiled().load_weights("none.weights.h5")
    assert str(error.value) == f"There is no file 'none.weights.h5'. The working directory is {str(tmp_path)!r}."


@pytest.mark.parametrize(
    "call",
    [
        lambda: layers.Embedding(5, 2)(np.array([[np.nan]])),
        lambda: fit_labels([np.nan], "sparse_categorical_crossentropy"),
    ],
)
def test_nan_is_no_index(call):
    with pytest.raises(IndexError, match="(index|label) NaN "):
        call()


def test_weights_that_are_not_there_yet(tmp_path):
    model = keras.Sequential([layers.Dense(3)], name="net")
    with pytest.raises(ValueError, match='Sequential "net" has no weights yet to save: it is built when first'):
        model.save_weights(tmp_path / "net.weights.h5")
    assert not list(tmp_path.iterdir())


def test_errors_of_the_users_own_code_stay_as_they_are():
    class Picky(layers.Layer):
        def call(self, x):
            raise ValueError("no")

    with pytest.raises(ValueError) as error:
        keras.Sequential([Picky()])(zeros(1, 2))
    assert str(error.value) == "no"


def test_the_innermost_layer_is_named():
    class Squared(layers.Layer):
        def call(self, x):
            return ops.matmul(x, x)

    model = keras.Sequential([layers.Dense(3), Squared(name="squared")], name="net")
    with pytest.raises(ValueError, match=r'^Squared "net/squared": matmul: a has 3 columns but b has 2 rows'):
        model(zeros(2, 4))


ROWS, CLASSES = np.zeros((6, 4), "float32"), np.zeros(6, "int32")


def test_a_list_of_rows_is_no_array():
    with pytest.raises(ValueError, match=r"Received: x: 4, y: 6\. x is a list of 6 arrays, one per input"):
        fit(list(ROWS), CLASSES)


def test_a_function_is_no_data():
    def batches():
        yield ROWS, CLASSES

    with pytest.raises(ValueError, match=r"Pass what it returns: batches\(\)\.$"):
        compiled().fit(batches)


def test_a_series_of_categories():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"^`y` holds no numbers \(category\)\. Encode them"):
        fit(ROWS, pandas.Series(list("abcabc")).astype("category"))


def test_a_loss_without_return():
    with pytest.raises(ValueError, match='^The loss "forgotten" returned None. Does it end with `return`'):

        def forgotten(y_true, y_pred):
            ops.mean(ops.square(y_true - y_pred))

        fit(ROWS, zeros(6, 3), loss=forgotten)


def test_a_metric_without_return():
    def forgotten(y_true, y_pred):
        ops.mean(y_pred)

    with pytest.raises(ValueError, match='^The metric "forgotten" returned None. Does it end with `return`'):
        compiled(metrics=[forgotten]).fit(ROWS, zeros(6, 3), verbose=0)


@pytest.mark.parametrize(
    "metric, expected",
    [
        (lambda: keras.metrics.AUC(name="area"), r'^Metric "area": y_true of shape \(6,\) does not go with y_pred of '),
        (
            lambda: keras.metrics.Precision(name="precise"),
            r'^Metric "precise": y_true of shape \(6,\).* One-hot encode integer labels\.$',
        ),
        (
            lambda: keras.metrics.F1Score(name="f1"),
            r'^Metric "f1": F1Score takes y_true and y_pred of shape \(batch, classes\)',
        ),
        (lambda: keras.metrics.Accuracy(name="exact"), r'^Metric "exact": equal: shapes \(6,\) and \(6, 3\)'),
    ],
)
def test_metrics_name_themselves(metric, expected):
    model = compiled(loss="sparse_categorical_crossentropy", metrics=[metric()])
    with pytest.raises(ValueError, match=expected):
        model.fit(ROWS, CLASSES, verbose=0)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder. Name the .keras, .h5 or weights file"):
        keras.models.load_model(tmp_path)


def test_a_choice_by_a_symbolic_tensor():
    with pytest.raises(TypeError, match="Choose with ops.where or ops.cond"):
        bool(keras.Input((4,)))


@pytest.mark.parametrize("number", [float, int])
def test_a_number_of_a_symbolic_tensor(number):
    with pytest.raises(ValueError, match="has no value: .* Convert dtypes with ops.cast"):
        number(keras.Input(()))


def test_the_softmax_of_one_unit_is_always_1():
    with pytest.warns(UserWarning, match=r"shape \(None, 1\) is always 1. For one unit use sigmoid"):
        keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="softmax")])


class MadeAnew(keras.Model):
    """Makes its layer in call(): kept or not, and each time or once."""

    def __init__(self, kept, once=False):
        super().__init__(name="m")
        self.body, self.head = layers.Dense(2), None
        self.kept, self.once = kept, once

    def call(self, x):
        head = self.head if self.once and self.head is not None else layers.Dense(1)
        if self.kept:
            self.head = head
        return head(self.body(x))


@pytest.mark.parametrize("method", ["fit", "predict"])
def test_layers_made_in_call_and_not_kept(method):
    model = MadeAnew(kept=False)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"^MadeAnew \"m\": call\(\) made layers or weights that are not kept"):
        getattr(model, method)(*([ROWS, CLASSES] if method == "fit" else [ROWS]), verbose=0)


def test_weights_made_in_each_call():
    class Scale(layers.Layer):
        def call(self, x):
            self.factor = self.add_weight(shape=(), initializer="ones")
            return x * self.factor

    with pytest.raises(ValueError, match=r"^Scale \"s\": call\(\) makes a weight each time it runs.* __init__"):
        Scale(name="s")(ROWS)


def test_a_train_step_of_keras_on_jax():
    class Model(keras.Model):
        def train_step(self, state, data):
            return {}, state

    inputs = keras.Input((3,))
    model = Model(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"train_step\(\) takes the batch alone. Got .*'state', 'data'.*GradientTape"):
        model.fit(ROWS, CLASSES, verbose=0)


def test_a_test_step_of_keras_on_jax():
    class Stateless(keras.Sequential):
        def test_step(self, state, data):
            return {}, state

    model = Stateless([layers.Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"Define test_step\(self, data\), which assigns to variables.$"):
        model.evaluate(ROWS, CLASSES, verbose=0)


def test_layers_made_again_in_a_second_trace():
    with pytest.raises(ValueError, match="not kept from one call to the next"):
        MadeAnew(kept=True).predict(ROWS, batch_size=4, verbose=0)  # the last batch is smaller
    model = MadeAnew(kept=True, once=True)
    model.compile("sgd", "mse")
    model.fit(ROWS, CLASSES, batch_size=4, verbose=0)
    assert len(model.weights) == 4


def test_a_variable_is_not_read_by_numpy_while_traced():
    class Centred(layers.Dense):
        def call(self, x):
            return ops.matmul(x, self.kernel - np.mean(self.kernel))

    model = keras.Sequential([Centred(2)])
    model(ROWS)  # eagerly it has elements
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r'^Centred ".*no elements while .* traced. Use dlcore.ops instead of NumPy'):
        model.predict(ROWS, verbose=0)
    model.compile("sgd", "mse", run_eagerly=True)
    assert model.predict(ROWS, verbose=0).shape == (len(ROWS), 2)


def test_a_loss_needs_targets_also_where_layers_add_losses():
    """As in Keras; without a loss what the layers add is enough."""
    net = keras.Sequential([keras.Input((3,)), layers.Dense(2, use_bias=False, kernel_regularizer="l2")])
    net.compile(keras.optimizers.SGD(), "mse")
    with pytest.raises(ValueError, match="has a loss but got no targets: pass `y`"):
        net.fit(np.ones((4, 3), "float32"), verbose=0)
    net.compile(keras.optimizers.SGD())
    assert net.fit(np.ones((4, 3), "float32"), verbose=0).history["loss"][0] > 0
