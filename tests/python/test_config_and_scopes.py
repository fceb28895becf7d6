"""Switches of the package, scopes of variables, nested structures."""

import collections
import os
import traceback
import types

import numpy as np
import pytest

import dlcore as keras
from dlcore import config, layers, ops, tree

X, Y = np.random.RandomState(0).rand(40, 3).astype("float32"), np.ones((40, 1), "float32")


def make_model():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.fixture
def limits():
    yield
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)


def test_max_epochs(limits):
    assert config.max_epochs() is None
    config.set_max_epochs(2)
    assert make_model().fit(X, Y, epochs=5, verbose=0).epoch == [0, 1] and config.max_epochs() == 2
    assert make_model().fit(X, Y, epochs=1, verbose=0).epoch == [0]
    for wrong in (0, 1.5, True):
        with pytest.raises(ValueError, match="max_epochs must be an int > 0"):
            config.set_max_epochs(wrong)


def batches(count):
    for _ in range(count):
        yield X[:4], Y[:4]


def test_max_steps_per_epoch(limits):
    config.set_max_steps_per_epoch(3)
    assert config.max_steps_per_epoch() == 3
    seen = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model = make_model()
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=[watch], validation_data=(X, Y))
    model.fit(X, Y, batch_size=20, verbose=0, callbacks=[watch])
    model.fit(batches(9), verbose=0, callbacks=[watch])
    assert seen == [0, 1, 2, 0, 1, 0, 1, 2]
    assert model.predict(X, batch_size=8, verbose=0).shape == (24, 1)
    assert model.predict(X, batch_size=20, verbose=0).shape == (40, 1)
    config.set_max_steps_per_epoch(1)
    first = model.evaluate(X, Y, batch_size=8, verbose=0)
    config.set_max_steps_per_epoch(None)
    assert first == pytest.approx(model.evaluate(X[:8], Y[:8], verbose=0))


def frames_of(function):
    with pytest.raises(ValueError) as caught:
        function()
    package = os.path.dirname(keras.__file__) + os.sep
    names = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    return [name for name in names if name.startswith(package)]


def test_traceback_filtering():
    def wrong_layer(x):
        raise ValueError("mine")

    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    assert config.is_traceback_filtering_enabled()
    calls = [
        lambda: layers.Dense(2)(np.ones(3, "float32")),
        lambda: make_model().fit(X, Y[:3], verbose=0),
        lambda: keras.Sequential([layers.Lambda(wrong_layer)])(X),
        lambda: model.evaluate(X, Y),
    ]
    short = [len(frames_of(call)) for call in calls]
    config.disable_traceback_filtering()
    try:
        assert not config.is_traceback_filtering_enabled()
        long = [len(frames_of(call)) for call in calls]
    finally:
        config.enable_traceback_filtering()
    assert all(a < b for a, b in zip(short, long)) and max(short) <= 2
    with pytest.raises(ValueError, match="mine") as caught:
        calls[2]()
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "wrong_layer"


def test_other_switches():
    assert config.is_flash_attention_enabled()
    config.disable_flash_attention()
    assert not config.is_flash_attention_enabled()
    config.enable_flash_attention()
    assert not config.is_nnx_enabled()
    config.set_backend("dlcore")
    with pytest.raises(ValueError, match="own core"):
        config.set_backend("jax")
    assert keras.version() == keras.__version__


def test_stateless_scope():
    counter = keras.Variable(1.0, name="counter")
    with keras.StatelessScope([(counter, 5.0)]) as scope:
        assert float(ops.convert_to_tensor(counter)) == 5
        counter.assign_add(1.0)
        assert float(counter.value) == 6
        with keras.StatelessScope() as inner:
            counter.assign(9.0)
        assert float(counter.value) == 6 and float(inner.get_current_value(counter)) == 9
    assert float(scope.get_current_value(counter)) == 6 and float(counter.value) == 1
    assert scope.get_current_value(keras.Variable(0.0)) is None
    with pytest.raises(ValueError, match=r"has shape \(\); got a value of shape \(2,\)"):
        keras.StatelessScope([(counter, [1.0, 2.0])])
    with pytest.raises(ValueError, match="must be variables"):
        keras.StatelessScope([(1.0, 2.0)])


def test_stateless_scope_collects_losses_and_keeps_seeds():
    layer = layers.Dense(2, activity_regularizer="l2")
    layer(X)
    dropout = layers.Dropout(0.5, seed=3)
    with keras.StatelessScope(collect_losses=True) as scope:
        layer(X)
        first = dropout(X, training=True).numpy()
    assert len(scope.losses) == 1
    np.testing.assert_array_equal(dropout(X, training=True).numpy(), first)
    assert (dropout(X, training=True).numpy() != first).any()


def test_stateless_call():
    layer = layers.BatchNormalization()
    layer.build((None, 3))
    before = layer.get_weights()
    trainable = [ops.ones(3) * 2, ops.ones(3)]
    y, state = layer.stateless_call(trainable, layer.non_trainable_variables, X, training=True)
    for value, expected in zip(layer.get_weights(), before):
        np.testing.assert_array_equal(value, expected)
    np.testing.assert_allclose(state[0].numpy(), 0.01 * X.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(y.numpy().mean(axis=0), 1, atol=1e-4)
    with pytest.raises(ValueError, match="got 0 trainable_variables"):
        layer.stateless_call([], layer.non_trainable_variables, X)


def test_symbolic_scope():
    from dlcore.backend.scopes import in_symbolic_scope

    with keras.SymbolicScope():
        assert in_symbolic_scope()
    assert not in_symbolic_scope()


def test_tree():
    structure = {"b": [1, (2, 3)], "a": None}
    assert tree.flatten_with_path(structure) == [(("a",), None), (("b", 0), 1), (("b", 1, 0), 2), (("b", 1, 1), 3)]
    assert tree.lists_to_tuples(structure) == {"b": (1, (2, 3)), "a": None}
    tree.assert_same_paths([1, (2, 3)], (4, [5, 6]))
    with pytest.raises(ValueError, match="different paths"):
        tree.assert_same_paths([1, 2], [1, [2]])
    tree.assert_same_structure([1, {"a": (2,)}], [3, collections.OrderedDict(a=(4,))])
    point = collections.namedtuple("Point", "x y")(1, 2)
    for first, second in ((([1, 2], (1, 2))), ([[1]], [(1,)]), (point, (1, 2)), ([], ()), ([1], 1)):
        with pytest.raises(ValueError, match="structures differ"):
            tree.assert_same_structure(first, second)
    assert tree.map_shape_structure(len, {"x": [(None, 2), [3, 4, 5]]}) == {"x": [2, 3]}
    with pytest.raises(ValueError, match="expected shapes"):
        tree.map_shape_structure(len, "shape")
    point = types.SimpleNamespace(x=1)
    assert tree.flatten_with_path([point]) == [((0,), point)]


def test_map_structure_up_to():
    joined = tree.map_structure_up_to([0, {"a": 0}], lambda x, y: [x, y], [1, {"a": [2, 3]}], [4, {"a": 5}])
    assert joined == [[1, 4], {"a": [[2, 3], 5]}]
    for shallow, deep in (([0, 0], [1]), ({"a": 0}, {"a": 1, "b": 2}), ([0, [0]], [1, 2]), ([0, 0], (1, 2))):
        with pytest.raises(ValueError, match="structures"):
            tree.map_structure_up_to(shallow, lambda x: x, deep)


def test_dtypes_by_their_kind():
    """Expected: Keras 3.15."""
    backend = keras.backend
    kinds = {"float32": (True, False), "bfloat16": (True, False), "uint8": (False, True), "bool": (False, False)}
    assert {name: (backend.is_float_dtype(name), backend.is_int_dtype(name)) for name in kinds} == kinds
    given = [None, float, bool, "int8", np.float64, np.dtype("int32")]
    names = ["float32", "float32", "bool", "int8", "float64", "int32"]
    assert [backend.standardize_dtype(dtype) for dtype in given] == names
    assert [keras.utils.standardize_dtype(dtype) for dtype in given] == names


def test_names_and_numbers_of_the_backend():
    assert [keras.backend.get_uid(name) for name in ("moon", "moon", "sun")] == [1, 2, 1]
    before = keras.backend.epsilon()
    keras.backend.set_epsilon(1e-3)
    assert keras.config.epsilon() == 1e-3
    keras.config.set_epsilon(before)
    assert keras.backend.epsilon() == before == 1e-7
    assert keras.backend.image_data_format() == keras.config.image_data_format() == "channels_last"


def test_kinds_of_containers():
    last = collections.deque([2, 3], maxlen=2)
    counts = collections.defaultdict(int, a=1)
    structure = [last, collections.OrderedDict(b=counts, a=4)]
    assert tree.is_nested(last) and tree.flatten(structure) == [2, 3, 1, 4]
    assert [path for path, _ in tree.flatten_with_path(structure)] == [(0, 0), (0, 1), (1, "b", "a"), (1, "a")]
    for made in (
        tree.map_structure(lambda x: 10 * x, structure),
        tree.pack_sequence_as(structure, [20, 30, 10, 40]),
        tree.traverse(lambda x: None if tree.is_nested(x) else 10 * x, structure),
    ):
        assert made == [collections.deque([20, 30]), {"b": {"a": 10}, "a": 40}] and made[0].maxlen == 2
        assert [type(x) for x in (made[1], made[1]["b"])] == [collections.OrderedDict, collections.defaultdict]
        assert made[1]["b"]["new"] == 0


def test_tree_traverse():
    structure = [1, {"a": 2, "b": (3, None)}]
    assert tree.traverse(lambda x: x * 10 if isinstance(x, int) else None, structure) == [
        10,
        {"a": 20, "b": (30, None)},
    ]
    cut = tree.traverse(lambda x: "cut" if isinstance(x, tuple) else None, structure)
    assert cut == [1, {"a": 2, "b": "cut"}]
    removed = tree.traverse(lambda x: tree.MAP_TO_NONE if x == 2 else None, structure)
    assert removed == [1, {"a": None, "b": (3, None)}]
    order = []
    tree.traverse(order.append, structure, top_down=False)
    assert order == [1, 2, 3, None, (3, None), {"a": 2, "b": (3, None)}, structure]


def test_stateless_metric():
    metric = keras.metrics.Mean()
    metric.update_state([5.0])
    state = metric.stateless_reset_state()
    state = metric.stateless_update_state(state, [1.0, 3.0])
    state = metric.stateless_update_state(state, [8.0])
    assert (float(metric.stateless_result(state)), float(metric.result())) == (4.0, 5.0)
    with pytest.raises(ValueError, match='Mean "mean": got 1 metric_variables, but there are 2'):
        metric.stateless_result(state[:1])


@pytest.mark.parametrize("make", [keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.Lion])
def test_stateless_optimizer(make):
    values, gradients = np.array([1.0, 2.0], "float32"), [np.array([0.5, -1.0], "float32") * (i + 1) for i in range(3)]
    optimizer, weight = make(0.1, clipvalue=0.8), keras.Variable(values)
    optimizer.build([weight])
    weights, state = [weight.value], [v.value for v in optimizer.variables]
    for gradient in gradients:
        weights, state = optimizer.stateless_apply(state, [ops.convert_to_tensor(gradient)], weights)
    np.testing.assert_array_equal(weight, values)
    assert int(optimizer.iterations) == 0 and int(state[0]) == 3
    for gradient in gradients:
        optimizer.apply([ops.convert_to_tensor(gradient)], [weight])
    np.testing.assert_array_equal(weights[0], weight)
    with pytest.raises(ValueError, match=r"build\(variables\) must come before stateless_apply"):
        make(0.1).stateless_apply([], [], [])


def test_state_tree_and_stateless_loss():
    inputs = keras.Input((3,), name="in")
    outputs = layers.Dense(2, name="head")(layers.BatchNormalization(name="norm")(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1, name="sgd"), "mse")
    model.fit(X[:, :3], X[:, :2], verbose=0)
    state = model.get_state_tree(value_format="numpy_array")
    assert set(state["trainable_variables"]["head"]) == {"kernel", "bias"}
    assert set(state["non_trainable_variables"]["norm"]) == {"moving_mean", "moving_variance"}
    assert set(state["optimizer_variables"]["sgd"]) == {"iteration", "learning_rate"}
    assert set(state["metrics_variables"]["loss"]) == {"total", "count"}
    expected = model.predict(X[:, :3], verbose=0)
    model.layers[-1].kernel.assign(np.zeros((3, 2)))
    model.set_state_tree(state)
    np.testing.assert_array_equal(model.predict(X[:, :3], verbose=0), expected)
    with pytest.raises(ValueError, match="no variable of the trainable_variables has the path 'tail/bias'"):
        model.set_state_tree({"trainable_variables": {"tail": {"bias": np.zeros(2)}}})
    variables = (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
    trainable, others, metrics = ([v.value for v in kind] for kind in variables)
    y, others = model.stateless_call(trainable, others, X[:, :3], training=True)
    loss, written = model.stateless_compute_loss(trainable, others, metrics, y=X[:, :2], y_pred=y)
    np.testing.assert_allclose(loss, np.mean((y.numpy() - X[:, :2]) ** 2), rtol=1e-5)
    assert [len(kind) for kind in written] == [4, 2, 2]


def test_state_tree_needs_different_paths():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="a")])
    twin = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="a")], name=model.name)
    both = keras.Model(model.inputs, keras.layers.Concatenate()([model.output, model.output]))
    both.twin = twin
    with pytest.raises(ValueError, match="several trainable_variables have the path"):
        both.get_state_tree()
