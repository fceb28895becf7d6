"""Layer: building, tracking of variables, calls, masks, losses, configuration and messages."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers, ops
from dlcore.errors import NotTraceable
from dlcore.layers import InputSpec, Layer


class Scale(Layer):
    """y = x * kernel + offset."""

    def __init__(self, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.offset = offset

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="kernel")
        self.count = self.add_weight(initializer="zeros", trainable=False, name="count")

    def call(self, inputs):
        return inputs * self.kernel + self.offset


class Pair(Layer):
    """Two layers, one in a list."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Scale(name="first")
        self.rest = [Scale(name="second")]

    def call(self, inputs, training=False):
        x = self.first(inputs)
        return self.rest[0](x) if training else x


def test_build_and_weights():
    layer = Scale(name="scale")
    assert not layer.built and layer.weights == []
    y = layer(np.ones((2, 3)))
    assert layer.built and y.shape == (2, 3) and y.dtype == "float32"
    assert [v.path for v in layer.weights] == ["scale/kernel", "scale/count"]
    assert layer.count_params() == 4
    assert [v.name for v in layer.trainable_weights] == ["kernel"]
    assert layer.get_build_config() == {"input_shape": (2, 3)}


def test_a_build_that_the_user_calls():
    """Is in the layer's scope, is the only one, and is what files tell of, as one that a call asks for."""

    class Outer(keras.Model):
        def __init__(self):
            super().__init__(name="outer")
            self.inner = Scale(name="inner")

        def build(self, input_shape):
            self.inner.build(input_shape)

        def call(self, x):
            return self.inner(x)

    layer = Outer()
    layer.build((None, 3))
    assert layer.built and layer.inner.built and layer.get_build_config() == {"input_shape": (None, 3)}
    layer(np.ones((2, 3)))
    assert [v.path for v in layer.weights] == ["outer/inner/kernel", "outer/inner/count"]
    with pytest.raises(ValueError, match=r"is built already: it has the weights \['kernel', 'count'\]"):
        layer.inner.build((None, 4))
    assert len(keras.models.clone_model(layer).weights) == 2

    class Two(Scale):
        def build(self, left_shape, right_shape):
            super().build(left_shape)
            assert not self.built
            self.right = self.add_weight(shape=right_shape[-1:], name="right")

        def call(self, left, right):
            return left * self.kernel + right * self.right

    layer = Two()
    layer(np.ones((2, 3)), np.ones((2, 1)))
    assert layer.get_build_config() == {"shapes_dict": {"left_shape": (2, 3), "right_shape": (2, 1)}}
    copy = Two.from_config(layer.get_config())
    copy.build_from_config(layer.get_build_config())
    assert [v.shape for v in copy.weights] == [v.shape for v in layer.weights] == [(3,), (1,), ()]


@pytest.mark.parametrize("make", [lambda: layers.Conv1D(3, 2), lambda: layers.EinsumDense("abc,cd->abd", (None, 3))])
def test_a_layer_can_be_built_once_its_output_shape_was_asked_for(make):
    layer = make()
    shape = layer.compute_output_shape((None, 4, 5))
    layer.build((None, 4, 5))
    assert layer.built and shape == layer.compute_output_shape((None, 4, 5))
    assert layer(np.ones((1, 4, 5))).shape == (1, *shape[1:])


@pytest.mark.parametrize(
    "make", [layers.ReLU, layers.Masking, layers.MaxPooling2D, lambda: layers.SpatialDropout1D(0.5)]
)
def test_layers_without_weights_are_built_from_the_start(make):
    assert make().built and make().count_params() == 0

    class Scaled(type(make())):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale")

    layer = Scaled(0.5) if issubclass(Scaled, layers.Dropout) else Scaled()
    assert not layer.built
    layer.build((2, 4, 4, 3))
    assert len(layer.trainable_weights) == 1


def test_build_is_told_of_a_mask_if_it_asks():
    class Masked(Layer):
        def build(self, inputs_shape, attention_mask_shape=None):
            self.shapes = inputs_shape, attention_mask_shape

        def call(self, inputs, attention_mask=None):
            return inputs

    layer, other = Masked(), Masked()
    layer(np.ones((2, 3)), attention_mask=np.ones((2, 1)))
    other(np.ones((2, 3)))
    assert layer.shapes == ((2, 3), (2, 1)) and other.shapes == ((2, 3), None)

    class Misnamed(Layer):
        def build(self, first_shape, other_shape):
            pass

        def call(self, first, second):
            return first + second

    with pytest.raises(ValueError, match=r"build\(\) takes \['other_shape'\].*\['first_shape', 'second_shape'\]"):
        Misnamed()(np.ones(2), np.ones(2))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies(copied):
    layer = layers.LSTM(3, name="memory")
    y = layer(np.ones((2, 5, 4)))
    layer(layers.Input((5, 4)))
    other = copied(layer)
    assert other.get_config() == layer.get_config() and other.weights[0].path == "memory/lstm_cell/kernel"
    np.testing.assert_array_equal(other(np.ones((2, 5, 4))), y)
    assert len({id(v) for v in layer.weights + other.weights}) == (3 if copied is copy.copy else 6)
    decay = copied(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5))).learning_rate
    np.testing.assert_allclose(decay, 0.1, rtol=1e-6)
    assert copied(keras.metrics.MeanIoU(3)).num_classes == 3


def test_sublayers_are_tracked():
    layer = Pair(name="pair")
    layer(np.ones((2, 3)), training=True)
    assert [v.path for v in layer.weights] == [
        "pair/first/kernel",
        "pair/first/count",
        "pair/second/kernel",
        "pair/second/count",
    ]
    layer.trainable = False
    assert layer.trainable_weights == [] and not layer.first.kernel.trainable
    layer.trainable = True
    assert len(layer.trainable_weights) == 2 and not layer.first.count.trainable


def test_weights_are_in_the_order_in_which_they_were_made():
    """Those made as trainable first, however they are held. Expected: Keras 3.15."""

    class Mixed(Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(2)
            self.count = self.add_weight(name="count", trainable=False)
            self.first = self.add_weight(shape=(2,), name="first")
            self.mean = keras.Variable(np.zeros(3), name="mean", trainable=False)
            self.second = keras.Variable(np.zeros(4), name="second")

        def build(self, input_shape):
            self.inner.build(input_shape)
            self.late = self.add_weight(shape=(5,), name="late")

        def call(self, x):
            return self.inner(x)

    layer = Mixed()
    layer(np.ones((1, 2)))
    expected = ["first", "second", "late", "count", "mean", "kernel", "bias"]
    assert [v.name for v in layer.weights] == expected
    layer.trainable = False
    for frozen in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer.inner))):
        assert [v.name for v in frozen.weights] == expected[-len(frozen.weights) :]
    stored = {}
    layer.save_own_variables(stored)
    assert [v.shape for v in stored.values()] == [(2,), (4,), (5,), (), (3,)]


def test_training_flag_goes_to_inner_layers():
    seen = []

    class Note(Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.note = Note()

        def call(self, x, training=False):
            return self.note(x)

    layer = Outer()
    layer(np.ones(2), training=True)
    layer(np.ones(2))
    layer.note(np.ones(2))
    assert seen == [True, False, None]


def test_automatic_names():
    keras.backend.clear_session()
    assert [Scale().name for _ in range(3)] == ["scale", "scale_1", "scale_2"]


def test_get_and_set_weights():
    layer = Scale()
    layer.build((None, 2))
    layer.set_weights([np.array([2.0, 3.0]), np.array(1.0)])
    np.testing.assert_array_equal(layer.get_weights()[0], [2.0, 3.0])
    with pytest.raises(ValueError, match=r"shape \(2,\); received an array of shape \(3,\)"):
        layer.set_weights([np.zeros(3), np.array(0.0)])
    with pytest.raises(ValueError, match="given 1 arrays, but the layer has 2"):
        layer.set_weights([np.zeros(2)])
    np.testing.assert_array_equal(layer.get_weights()[0], [2.0, 3.0])


def test_config_round_trip():
    layer = Scale(offset=2.0, name="s", trainable=False)
    config = layer.get_config()
    assert config["offset"] == 2.0 and config["name"] == "s"
    again = Scale.from_config(config)
    assert again.offset == 2.0 and again.name == "s" and not again.trainable


def test_regularizers_and_losses():
    class Penalised(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(2,), initializer="ones", regularizer=lambda w: 0.5 * ops.sum(w.value**2))

        def call(self, x):
            self.add_loss(ops.mean(x))
            return x * self.w

    layer = Penalised()
    for _ in range(2):
        layer(np.full((3, 2), 4.0))
        assert [float(loss) for loss in layer.losses] == [4.0, 1.0]
    with pytest.raises(ValueError, match="scalars"):
        layer.add_loss(np.ones(3))


def test_activity_regularizer():
    layer = Scale(activity_regularizer=lambda y: ops.sum(y))
    layer(np.ones((4, 2)))
    assert float(layer.losses[0]) == 2.0  # the sum 8 over the batch of 4


def test_losses_of_a_trace_are_gone():
    layer = layers.Dense(2, activity_regularizer="l1")
    model = keras.Sequential([layers.Input((3,)), layer])
    assert model.losses == layer.losses == []
    model(np.ones((1, 3)))
    assert len(model.losses) == 1


def test_masks_pass_through():
    class Masker(Layer):
        supports = True

        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def compute_mask(self, inputs, previous_mask):
            return inputs[..., 0] > 0

        def call(self, x):
            y = x + 0
            y._keras_mask = x[..., 0] > 0
            return y

    class Reader(Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x, mask=None):
            self.seen = mask
            return x * 2

    x = np.array([[[1.0], [0.0]]])
    reader = Reader()
    y = reader(Masker()(x))
    assert reader.seen.numpy().tolist() == [[True, False]]
    assert y._keras_mask.numpy().tolist() == [[True, False]]
    scale = Scale()
    with pytest.warns(UserWarning, match="does not support masking") as warned:
        assert not hasattr(scale(y), "_keras_mask")
    assert [warning.filename for warning in warned] == [__file__]
    scale(y)  # which it says once


def test_the_mask_argument_is_that_of_the_only_tensor():
    """As in Keras: among several tensors each mask goes to the argument of its own, `x_mask` of `x`."""
    seen = []

    class Pair(Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x, other=None, x_mask=None, mask=None):
            seen.append((x_mask is not None, mask is not None))
            return x + 0

    x = layers.Embedding(5, 4, mask_zero=True)(np.array([[1, 2, 0], [3, 0, 0]]))
    pair = Pair()
    for arguments in ((x,), (x, x), (x, ops.ones_like(x)), (ops.ones_like(x), x)):
        pair(*arguments)
    assert seen == [(False, True), (True, False), (True, False), (False, False)]


def test_recurrent_layers_that_are_given_states_see_no_mask_unless_it_is_given():
    """Expected: Keras 3.15."""
    embedding, lstm = layers.Embedding(5, 4, mask_zero=True), layers.LSTM(3)
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    embedding(ids)
    embedding.set_weights([np.arange(20, dtype="float32").reshape(5, 4) / 10])
    x = embedding(ids)
    lstm.build((None, 3, 4))
    for weights in lstm.trainable_weights:
        weights.assign(np.linspace(-1, 1, math.prod(weights.shape)).reshape(weights.shape))
    ones = [ops.ones((2, 3))] * 2
    without = [[0.1941, 0.3481, 0.5269], [0.2046, 0.3594, 0.5333]]
    np.testing.assert_allclose(lstm(x, initial_state=ones), without, atol=1e-4)
    masked = [[0.1722, 0.3332, 0.5243], [0.2275, 0.3753, 0.5381]]
    np.testing.assert_allclose(lstm(x, initial_state=ones, mask=x._keras_mask), masked, atol=1e-4)


def test_a_layer_with_a_compute_mask_supports_masking():
    class Half(Layer):
        def call(self, inputs):
            return ops.split(inputs, 2, axis=1)

        def compute_mask(self, inputs, mask=None):
            return None if mask is None else ops.split(mask, 2, axis=1)

    x = layers.Embedding(5, 2, mask_zero=True)(np.array([[1, 2, 3, 0]]))
    first, second = Half()(x)
    assert first._keras_mask.numpy().tolist() == [[True, True]]
    assert second._keras_mask.numpy().tolist() == [[True, False]]
    assert Half().supports_masking and not Scale().supports_masking


def test_input_spec_messages():
    layer = Scale(name="scale")
    layer.input_spec = InputSpec(ndim=2, axes={-1: 3})
    with pytest.raises(ValueError, match=r'"scale".*expected ndim=2, found ndim=3. Full shape received: \(1, 2, 3\)'):
        layer(np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match=r'"scale".*axis -1.*size 3.*shape \(1, 2\)'):
        layer(np.ones((1, 2)))
    assert not layer.built


def test_messages():
    with pytest.raises(ValueError, match="Unrecognized keyword arguments passed to Scale: 'units'"):
        Scale(units=3)
    with pytest.raises(ValueError, match="without '/'"):
        Scale(name="a/b")

    class Forgets(Layer):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match=r"super\(\).__init__\(\) was not called"):
        Forgets()(np.ones(2))
    with pytest.raises(ValueError, match="every size of its shape must be known"):
        Scale()(keras.Input((None,)))


def test_a_failed_build_leaves_no_weights():
    class Fails(Layer):
        def build(self, input_shape):
            self.add_weight(shape=(2,))
            raise ValueError("no")

    layer = Fails()
    with pytest.raises(ValueError, match="no"):
        layer(np.ones((1, 2)))
    assert layer.weights == [] and not layer.built


def test_output_shape_by_tracing():
    class Halve(Layer):
        def call(self, x):
            n, t, c = x.shape
            return ops.reshape(x, (n, t // 2, 2 * c))

    assert Halve().compute_output_shape((None, 8, 3)) == (None, 4, 6)
    assert Halve().compute_output_shape((None, None, 3)) == (None, None, 6)
    x = keras.Input((8, 3))
    layer = Halve()
    assert layer(x).shape == (None, 4, 6)
    assert layer.output_shape == (None, 4, 6) and layer.input_shape == (None, 8, 3)
    with pytest.raises(AttributeError, match="never called"):
        Halve().output  # noqa: B018


class InNumPy(Layer):
    def call(self, a, b):
        return np.cumsum(a, axis=-1), np.sum(np.asarray(b), axis=-1)

    def compute_output_shape(self, a_shape, b_shape):
        return a_shape, list(b_shape[:-1])


def test_a_call_that_cannot_be_traced_needs_an_output_shape():
    x = keras.Input((3,))
    sums, total = InNumPy()(x, b=x)
    assert (sums.shape, total.shape) == ((None, 3), (None,))
    last = layers.Lambda(lambda s: np.asarray(s)[:, -1:], output_shape=(1,))(sums)
    model = keras.Model(x, [last, total])
    data = np.arange(6.0, dtype="float32").reshape(2, 3)
    expected = [data.sum(-1, keepdims=True), data.sum(-1)]
    for output, value in zip(model(data), expected):
        np.testing.assert_array_equal(output, value)
    with pytest.raises(TypeError, match="run_eagerly=True"):
        model.predict(data, verbose=0)
    model.compile(run_eagerly=True)
    for output, value in zip(model.predict(data, verbose=0), expected):
        np.testing.assert_array_equal(output, value)

    class NoShape(InNumPy):
        compute_output_shape = Layer.compute_output_shape

    with pytest.raises(TypeError, match="has no elements while a function is traced"):
        NoShape()(x, x)


def test_an_error_of_the_users_shows_though_the_output_shape_is_declared():
    class Broken(InNumPy):
        def call(self, a, b):
            return len(5)

    x = keras.Input((3,))
    with pytest.raises(TypeError, match=r"type 'int' has no len\(\)"):
        Broken()(x, x)
    with pytest.raises(TypeError, match="unsupported operand"):
        layers.Lambda(lambda s: s + "a", output_shape=(3,))(x)


@pytest.mark.parametrize(
    "call",
    [
        np.tanh,
        lambda x: x * float(ops.sum(x)),
        lambda x: x if x[0, 0] > 0 else -x,
        lambda x: x * ops.sum(x).item(),
        lambda x: x[x > 0],
        ops.unique,
    ],
)
def test_a_call_that_looks_at_values_is_not_traceable(call):
    class Looks(Layer):
        def call(self, x):
            return call(x)

    x = keras.Input((3,))
    with pytest.raises(NotTraceable):
        Looks()(x)
    Looks.compute_output_shape = lambda self, shape: shape
    assert Looks()(x).shape == (None, 3)


def test_output_specs_of_the_users_own():
    class Count(Layer):
        def call(self, x):
            return np.asarray(np.asarray(x) > 0).sum(-1)

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape[:-1], "int32")

    x = keras.Input((3,))
    model = keras.Model(x, Count()(x))
    assert model.output.shape == (None,) and model.output.dtype == "int32"
    np.testing.assert_array_equal(model(np.array([[1, -1, 2]], "float32")), [2])


def test_float64_layer():
    layer = Scale(dtype="float64")
    assert layer(np.ones((1, 2), "float32")).dtype == "float64"
    assert layer.get_config()["dtype"]["config"] == {"name": "float64"}


def test_signature_is_that_of_init():
    assert list(inspect.signature(layers.Dense).parameters)[:3] == ["units", "activation", "use_bias"]
    assert list(inspect.signature(layers.Dense(2)).parameters) == ["args", "kwargs"]


def test_the_configuration_of_its_own_holds_defaults():
    class Power(layers.Layer):
        def __init__(self, exponent, scale=1.0, *, name=None, initial=layers.Dense, **kwargs):
            super().__init__(name=name, **kwargs)

    config = Power(2, name="power").get_config()
    assert {key: config[key] for key in config if key != "dtype"} == {
        "name": "power",
        "exponent": 2,
        "scale": 1.0,
        "trainable": True,
    }
    assert Power.from_config(config).get_config() == config


def test_the_shapes_that_a_layer_declares_are_those_of_its_outputs():
    class Kept(layers.Layer):
        def call(self, x, rows):
            return ops.cast(x[: rows.shape[0]], "int32")

        def compute_output_shape(self, x_shape, rows_shape):
            return (4, x_shape[1])

    output = Kept()(keras.Input((3,)), keras.Input((3,)))
    assert output.shape == (4, 3) and output.dtype == "int32"

    class Inherited(layers.Layer):
        def call(self, x):
            return x[:, :2]

        def compute_output_shape(self, input_shape):
            return super().compute_output_shape(input_shape)

    assert Inherited()(keras.Input((3,))).shape == (None, 2)
