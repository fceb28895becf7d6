"""Every layer by one helper, and what single layers do beyond it."""

import json
import pathlib

import numpy as np
import pytest
from layer_cases import CALLS, CASES, CONFIGURED, inputs_of, random, weights_of

import dlcore as keras
from dlcore import layers, ops
from dlcore.training.explain import explain

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
ALL = CASES | CALLS
# Constant almost everywhere, with jumps, or with parts that count as constants: not for finite differences.
NOT_SMOOTH = (
    "batch_renormalization_",
    "relu",
    "conv1d",
    "conv2d",
    "dense_3d",
    "simple_rnn_relu",
    "max",
    "min",
    "masking",
    "embedding",
    "lstm_no_bias",
    "stft_spectrogram",
)


def check_layer(name, make, shapes, arguments, spread=False):
    """Builds symbolically, compares shapes, counts weights, copies by configuration, trains a step."""
    arrays = inputs_of(name, shapes)
    layer = make(layers)
    arguments = {key: value for key, value in arguments.items() if "mask" not in key}
    symbolic = [keras.Input(batch_shape=(None, *array.shape[1:]), dtype=str(array.dtype)) for array in arrays]
    outputs = call(layer, symbolic, arguments, spread)
    layer.set_weights(weights_of(name, [w.shape for w in layer.weights]))
    assert layer.built and layer.count_params() == sum(w.size for w in layer.get_weights())
    concrete = call(layer, [ops.convert_to_tensor(a) for a in arrays], arguments, spread)
    for made, expected in zip(flat(concrete), flat(outputs)):
        assert made.shape[1:] == expected.shape[1:] and expected.shape[0] is None and made.dtype == expected.dtype
    copy = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert type(copy) is type(layer) and copy.get_config() == layer.get_config()
    call(copy, symbolic, arguments, spread)
    assert [w.shape for w in copy.weights] == [w.shape for w in layer.weights]
    if layer.trainable_weights:
        check_training(symbolic, outputs, arrays)


def call(layer, inputs, arguments, spread):
    return layer(*inputs, **arguments) if spread else layer(inputs if len(inputs) > 1 else inputs[0], **arguments)


def flat(x):
    return list(x) if isinstance(x, (list, tuple)) else [x]


def check_training(symbolic, outputs, arrays):
    """One step of gradient descent changes the weights and leaves them finite."""
    model = keras.Model(symbolic, flat(outputs))
    model.compile("sgd", ["mse"] * len(flat(outputs)))
    targets = [np.full((len(arrays[0]), *y.shape[1:]), 2.0, "float32") for y in flat(outputs)]
    before = model.get_weights()
    assert np.isfinite(model.train_on_batch(arrays, targets)).all()
    assert all(np.isfinite(new).all() for new in model.get_weights())
    assert any((new != old).any() for old, new in zip(before, model.get_weights()))


@pytest.mark.parametrize("name", CASES)
def test_layer(name):
    check_layer(name, *CASES[name])


@pytest.mark.parametrize("name", CALLS)
def test_layer_of_several_arguments(name):
    check_layer(name, *CALLS[name], spread=True)


@pytest.mark.parametrize("name", CASES | CALLS | CONFIGURED)
def test_config_is_keras_own(name):
    """Same entries and values; Keras's entries that dlcore does not have are off."""
    expected = json.loads((GOLDEN / "keras_configs.json").read_text())[name]
    layer = (CASES | CALLS | CONFIGURED)[name][0](layers)
    compare_configs(json.loads(json.dumps(layers.serialize(layer)["config"])), expected)


# Entries without counterpart: Keras's for what dlcore does not have, and dlcore's that Keras takes but does not write.
KERAS_ALONE = ("build_config", "compile_config")
DLCORE_ALONE = ("seed", "build_config", "fill_value")


def compare_configs(config, expected):
    """Equal but for automatic names and entries that are off."""
    config, expected = dtype_name(config), dtype_name(expected)
    if isinstance(expected, list) and isinstance(config, list):
        assert len(config) == len(expected)
        for entry, other in zip(config, expected):
            compare_configs(entry, other)
        return
    if not isinstance(expected, dict):
        assert config == expected
        return
    for key in set(expected) - {"name"}:
        if key in config:
            compare_configs(config[key], expected[key])
        else:
            assert key in KERAS_ALONE or expected[key] in (None, False), key
    assert set(config) - set(expected) - {"name"} <= set(DLCORE_ALONE)


def dtype_name(config):
    """A dtype policy may be written out or named."""
    is_policy = isinstance(config, dict) and config.get("class_name") == "DTypePolicy"
    return config["config"]["name"] if is_policy else config


@pytest.mark.parametrize("name", [n for n in ALL if not n.startswith(NOT_SMOOTH)])
def test_gradients_by_finite_differences(name):
    """In float64: the gradient along a random direction of all inputs and weights."""
    make, shapes, arguments = ALL[name]
    layer = make(keras.layers)
    set_float64(layer)
    arrays = [a.astype("float64") for a in inputs_of(name, shapes)]
    arguments = {key: tensors(value) for key, value in arguments.items()}
    spread = name in CALLS
    call(layer, [ops.convert_to_tensor(a) for a in arrays], arguments, spread)
    start = [w.numpy() for w in layer.trainable_weights]
    directions = [random(f"{name} direction {i}", a.shape).astype("float64") for i, a in enumerate(arrays + start)]

    def value(distance):
        moved = [a + distance * d for a, d in zip(arrays + start, directions)]
        for weight, new in zip(layer.trainable_weights, moved[len(arrays) :]):
            weight.assign(new)
        tensors = [ops.convert_to_tensor(a) for a in moved[: len(arrays)]]
        with keras.GradientTape() as tape:
            for tensor in tensors:
                tape.watch(tensor)
            outputs = flat(call(layer, tensors, arguments, spread))
            total = sum(ops.sum(y * random(f"{name} output {i}", y.shape)) for i, y in enumerate(outputs))
        return float(total), tape.gradient(total, tensors + layer.trainable_weights)

    _, gradients = value(0.0)
    along = sum(float((ops.convert_to_numpy(g) * d).sum()) for g, d in zip(gradients, directions) if g is not None)
    step = 1e-5
    numeric = (value(step)[0] - value(-step)[0]) / (2 * step)
    assert along == pytest.approx(numeric, rel=1e-6, abs=1e-6)


def tensors(value):
    if isinstance(value, list):
        return [ops.convert_to_tensor(v) for v in value]
    return ops.convert_to_tensor(value) if isinstance(value, np.ndarray) else value


def set_float64(layer):
    from dlcore.backend import dtype_policy

    for each in layer._flatten_layers():
        each.dtype_policy = dtype_policy.get_policy("float64")


# ---- single layers


def test_dropout_keeps_the_mean_and_drops_what_it_should():
    x = ops.ones((200, 30, 8))
    layer = layers.Dropout(0.25, seed=3)
    np.testing.assert_array_equal(layer(x).numpy(), x.numpy())
    y = layer(x, training=True).numpy()
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
    assert y.mean() == pytest.approx(1.0, abs=0.02)
    assert (layer(x, training=True).numpy() != y).any()
    shared = layers.Dropout(0.5, noise_shape=(None, 1, None))(x, training=True).numpy()
    assert (shared == shared[:, :1]).all() and 0.4 < (shared == 0).mean() < 0.6
    features = layers.SpatialDropout1D(0.5)(x, training=True).numpy()
    assert (features == features[:, :1]).all() and 0.4 < (features == 0).mean() < 0.6
    channels = layers.SpatialDropout2D(0.5)(ops.ones((20, 4, 5, 30)), training=True).numpy()
    assert (channels == channels[:, :1, :1]).all() and 0.3 < (channels == 0).mean() < 0.7


def test_gaussian_layers():
    x = ops.ones((300, 100))
    noisy = layers.GaussianNoise(0.5)(x, training=True).numpy()
    assert noisy.mean() == pytest.approx(1, abs=0.02) and noisy.std() == pytest.approx(0.5, rel=0.03)
    dropped = layers.GaussianDropout(0.2)(x, training=True).numpy()
    assert dropped.mean() == pytest.approx(1, abs=0.02) and dropped.std() == pytest.approx(0.5, rel=0.03)
    np.testing.assert_array_equal(layers.GaussianNoise(0.5)(x).numpy(), x.numpy())


def test_dropout_differs_from_step_to_step_in_training():
    model = keras.Sequential([keras.Input((50,)), layers.Dropout(0.5), layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = np.ones((8, 50), "float32"), np.zeros((8, 1), "float32")
    assert len({model.train_on_batch(x, y) for _ in range(4)}) == 4


def test_batch_normalization_in_training_and_frozen():
    x = np.random.RandomState(0).standard_normal((64, 3)).astype("float32") * 4 + 10
    layer = layers.BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, x, epochs=20, batch_size=64, verbose=0)
    np.testing.assert_allclose(layer.moving_mean.numpy(), x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance.numpy(), x.var(axis=0), rtol=1e-4)
    np.testing.assert_allclose(model.predict(x).mean(axis=0), 0, atol=1e-3)
    layer.trainable = False
    before = layer.moving_mean.numpy()
    layer(ops.ones((4, 3)), training=True)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), before)


def test_batch_renormalization_trains_and_comes_back(tmp_path):
    x = np.random.RandomState(0).standard_normal((64, 3)).astype("float32") * 4 + 10
    layer = layers.BatchNormalization(momentum=0.5, renorm=True, renorm_clipping={"rmax": 3, "dmax": 5})
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, x, epochs=20, batch_size=64, verbose=0)
    np.testing.assert_allclose(layer.moving_mean.numpy(), x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance.numpy(), x.var(axis=0), rtol=1e-4)
    model.save(tmp_path / "model.keras")
    back = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(back.predict(x, verbose=0), model.predict(x, verbose=0))
    assert back.layers[0].renorm_clipping == {"rmax": 3, "dmax": 5} and len(back.weights) == 7


@pytest.mark.parametrize("training", [False, True])
def test_batch_normalization_of_integers(training):
    x, layer = np.arange(6, dtype="int32").reshape(3, 2), layers.BatchNormalization()
    y, expected = (layer(z, training=training) for z in (x, x.astype("float32")))
    assert y.dtype == "float32"
    if training:
        expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_masked_positions_do_not_reach_the_moments():
    x = np.random.RandomState(0).standard_normal((2, 4, 3)).astype("float32")
    mask = np.array([[True, True, False, True], [True, False, False, True]])
    clean, dirty = layers.BatchNormalization(), layers.BatchNormalization()
    clean(x, training=True, mask=mask)
    dirty(np.where(mask[..., None], x, np.nan).astype("float32"), training=True, mask=mask)
    np.testing.assert_array_equal(dirty.moving_variance.numpy(), clean.moving_variance.numpy())


def test_embedding():
    layer = layers.Embedding(5, 3, mask_zero=True, weights=[np.arange(15.0).reshape(5, 3)])
    y = layer(np.array([[1, 0], [4, 4]]))
    np.testing.assert_array_equal(y.numpy()[1, 0], [12, 13, 14])
    np.testing.assert_array_equal(y._keras_mask.numpy(), [[True, False], [True, True]])
    with pytest.raises(IndexError, match="5"):
        layer(np.array([[5]])).numpy()
    model = keras.Sequential([layers.Embedding(10, 4, input_length=7), layers.Flatten(), layers.Dense(1)])
    assert model.output_shape == (None, 1) and model.layers[2].kernel.shape == (28, 1)


def test_embeddings_given_are_there_at_once():
    values = np.arange(6.0).reshape(3, 2)
    for weights in (values, [values]):
        np.testing.assert_array_equal(layers.Embedding(3, 2, weights=weights).embeddings.numpy(), values)


def test_the_source_of_a_model_may_be_given():
    x = keras.KerasTensor((None, 3))
    assert layers.Input(tensor=x) is x
    model = keras.Model(x, layers.ReLU()(x))
    assert model(-np.ones((2, 3))).numpy().max() == 0
    y = layers.ReLU()(x)
    assert layers.Input(tensor=y) is not y and keras.Model(x, y).count_params() == 0


@pytest.mark.parametrize("shape, target, result", [((None, 4), (-1, 2), (6, 2)), ((None, None), (3, 4), (3, 4))])
def test_reshape_of_unknown_sizes(shape, target, result):
    x = layers.Input(shape)
    model = keras.Model(x, layers.Reshape(target)(x))
    assert model.output_shape == (None, *(None if size == -1 else size for size in target))
    assert model.predict(np.ones((2, 3, 4)), verbose=0).shape == (2, *result)
    assert layers.Reshape(target)(layers.Input(batch_shape=(2, *shape))).shape[0] == 2


def test_layer_normalization_without_mean():
    x = np.array([[1.0, 3.0], [2.0, 8.0]], "float32")
    with pytest.warns(UserWarning, match="Use RMSNormalization instead"):
        layer = layers.LayerNormalization(rms_scaling=True)
        copy = layers.LayerNormalization.from_config(layer.get_config())
    np.testing.assert_allclose(layer(x), x / np.sqrt(x.var(1, keepdims=True) + 1e-3), rtol=1e-6)
    copy.build((2, 2))
    assert [v.name for v in copy.weights] == ["gamma"]


def test_masks_travel():
    """The last output of an LSTM is that of the last step that counts."""
    tokens = np.array([[3, 1, 2, 0, 0], [1, 2, 3, 4, 1]])
    embedding = layers.Embedding(5, 3, mask_zero=True)
    lstm = layers.LSTM(4)
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Dropout(0.1)(embedding(inputs))
    model = keras.Model(inputs, lstm(x))
    short = lstm(embedding(tokens[:1, :3]))
    np.testing.assert_allclose(model.predict(tokens)[0], short.numpy()[0], rtol=1e-5)


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 2e-2)])
def test_words_that_repeat_train_as_others(policy, tolerance):
    """In a program, recurrent layers multiply a word once for all its places in a batch."""
    x, y = np.arange(64 * 12).reshape(64, 12) ** 2 % 40, np.linspace(-1, 1, 64)

    def trained(run_eagerly):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((12,), dtype="int32"),
                layers.Embedding(40, 24, mask_zero=True, dtype=policy),
                layers.Bidirectional(layers.GRU(9, dtype=policy), dtype=policy),
                layers.Dense(1, dtype=policy),
            ]
        )
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=run_eagerly)
        losses = model.fit(x, y, batch_size=16, epochs=3, verbose=0, shuffle=False).history["loss"]
        if not run_eagerly:
            assert "unique_indices" in str(explain(model, x[:16], y[:16]))
        return losses, model.layers[0].get_weights()[0], model.predict(x, verbose=0)

    for program, eager in zip(trained(False), trained(True), strict=True):
        np.testing.assert_allclose(program, eager, rtol=tolerance, atol=tolerance)


def test_mask_is_that_of_the_first_outputs():
    """A layer with several outputs may give a mask for the first only, while another output carries its own."""
    tokens = np.array([[3, 1, 2, 0, 0], [1, 2, 3, 4, 1]])
    x = layers.Embedding(5, 4, mask_zero=True)(tokens)
    for layer in (layers.MultiHeadAttention(2, 3), layers.GroupQueryAttention(3, 4, 2)):
        outputs, scores = layer(x, x, return_attention_scores=True)
        np.testing.assert_array_equal(outputs._keras_mask, tokens != 0)
    outputs, scores = layers.Attention()([x, x], return_attention_scores=True)
    np.testing.assert_array_equal(outputs._keras_mask, tokens != 0)


def test_masked_steps_do_not_count_in_the_loss():
    tokens = np.array([[3, 1, 0, 0], [1, 2, 3, 4]])
    y = np.random.RandomState(0).rand(2, 4, 1).astype("float32")
    embedding = layers.Embedding(5, 3, mask_zero=True)
    dense = layers.Dense(1)
    model = keras.Sequential([keras.Input((4,), dtype="int32"), embedding, dense])
    model.compile("sgd", "mse")
    errors = (model.predict(tokens) - y)[..., 0] ** 2
    assert model.evaluate(tokens, y, verbose=0) == pytest.approx(errors[tokens > 0].mean(), rel=1e-5)


@pytest.mark.parametrize("make", (layers.LSTM, layers.GRU, layers.SimpleRNN))
def test_stepping_a_cell_equals_the_primitive(make):
    x = ops.convert_to_tensor(random("steps", (3, 6, 4)))
    mask = ops.convert_to_tensor(np.random.RandomState(0).rand(3, 6) > 0.3)
    fused = make(5, return_sequences=True, return_state=True)
    fused(x)
    stepped = layers.RNN(fused.cell, return_sequences=True, return_state=True)
    for go_backwards in (False, True):
        fused.go_backwards = stepped.go_backwards = go_backwards
        for a, b in zip(fused(x, mask=mask), stepped(x, mask=mask)):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_recurrent_dropout():
    x = ops.convert_to_tensor(random("dropout", (3, 6, 4)))
    layer = layers.LSTM(50, dropout=0.2, recurrent_dropout=0.3)
    calm = layer(x).numpy()
    np.testing.assert_array_equal(layer(x).numpy(), calm)
    assert (layer(x, training=True).numpy() != layer(x, training=True).numpy()).any()
    np.testing.assert_allclose(layer(x, training=True).numpy().mean(), calm.mean(), atol=0.2)


@pytest.mark.parametrize(
    "cell",
    [layers.LSTMCell(40, dropout=0.5, recurrent_dropout=0.5), layers.GRUCell(40, dropout=0.5, recurrent_dropout=0.5)],
)
def test_cells_drop_the_same_at_all_steps_of_a_sequence(cell):
    x, state = ops.ones((2, 30)), ops.ones((2, 40))
    assert (cell.get_dropout_mask(x).numpy() != cell.get_dropout_mask(x).numpy()).any()
    with cell.one_sequence():
        for get, reset, like in (
            (cell.get_dropout_mask, cell.reset_dropout_mask, x),
            (cell.get_recurrent_dropout_mask, cell.reset_recurrent_dropout_mask, state),
        ):
            mask = get(like).numpy()
            assert set(mask.flatten()) == {0.0, 2.0} and mask.shape == like.shape
            np.testing.assert_array_equal(get(like).numpy(), mask)
            reset()
            assert (get(like).numpy() != mask).any()
    assert layers.LSTMCell(4).get_dropout_mask(x) is None


def test_initial_and_final_states():
    x = ops.convert_to_tensor(random("states", (2, 6, 3)))
    layer = layers.LSTM(4, return_state=True)
    whole, h, c = layer(x)
    _, *middle = layer(x[:, :3])
    for states in (layer(x[:, 3:], initial_state=middle), layer([x[:, 3:], *middle])):
        for a, b in zip(states, (whole, h, c)):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    inputs, start_h, start_c = keras.Input((3, 3)), keras.Input((4,)), keras.Input((4,))
    model = keras.Model([inputs, start_h, start_c], layer(inputs, initial_state=[start_h, start_c])[0])
    got = model.predict([x[:, 3:].numpy(), *(s.numpy() for s in middle)])
    np.testing.assert_allclose(got, whole.numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"has 2 states of sizes \[4, 4\]. Got 1 initial states"):
        layer(x, initial_state=[middle[0]])


def test_states_of_stacked_cells_are_those_of_each():
    layer = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], return_state=True)
    y, first, second = layer(np.ones((2, 5, 3)))
    assert [s.shape for s in (y, *first, *second)] == [(2, 3), (2, 4), (2, 4), (2, 3)]
    assert layer.compute_output_shape((2, 5, 3)) == ((2, 3), [(2, 4), (2, 4)], [(2, 3)])
    assert layer.cell.state_size == [[4, 4], 3]
    again = layer(np.ones((2, 5, 3)), initial_state=[first, second])
    assert np.abs(again[0] - y).max() > 0
    np.testing.assert_allclose(layer(np.ones((2, 10, 3)))[0], again[0], rtol=1e-5)
    start = layer.cell.get_initial_state(batch_size=2)
    np.testing.assert_array_equal(layer(np.ones((2, 5, 3)), initial_state=start)[0], y)


def test_recurrent_layers_take_integers():
    layer = layers.Bidirectional(layers.LSTM(2))
    x = np.arange(12).reshape(2, 2, 3)
    np.testing.assert_array_equal(layer(x), layer(x.astype("float32")))


def test_time_distributed():
    """Takes any number of steps, and gives the layer the mask of each."""

    class Masked(layers.ReLU):
        def call(self, x, mask=None):
            return x if mask is None else x * ops.expand_dims(ops.cast(mask, x.dtype), -1)

    layer, mask = layers.TimeDistributed(Masked()), np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(layer(np.ones((2, 2, 3)), mask=mask)[..., 0], mask)
    for wrong in (np.ones((2, 3)), np.ones((3, 2)), np.ones(2)):
        with pytest.raises(ValueError, match=r"mask must be of shape \(batch, time\), \(2, 2\)"):
            layer(np.ones((2, 2, 3)), mask=wrong)
    x = layers.Input((None, 4, 4, 1))
    model = keras.Model(x, layers.TimeDistributed(layers.Conv2D(2, 3))(x))
    assert model.output_shape == (None, None, 2, 2, 2)
    assert model.predict(np.ones((3, 5, 4, 4, 1)), verbose=0).shape == (3, 5, 2, 2, 2)


def test_stateful():
    x = random("stateful", (2, 6, 3))
    layer = layers.GRU(4, stateful=True)
    layer.build((2, 3, 3))
    layer(x[:, :3])
    continued = layer(x[:, 3:]).numpy()
    layer.reset_state()
    np.testing.assert_allclose(layer(x).numpy(), continued, rtol=1e-5)
    # What it remembers is no weight, as in Keras.
    assert len(layer.get_weights()) == 3 and not layer.non_trainable_weights
    with pytest.raises(ValueError, match="stateful, so the batch size must be known"):
        layers.LSTM(4, stateful=True)(keras.Input((3, 3)))
    model = keras.Sequential([keras.Input(batch_shape=(2, 3, 3)), layers.LSTM(4, stateful=True), layers.Dense(1)])
    model.compile("sgd", "mse")
    first = model.predict(x[:, :3], batch_size=2)
    assert (model.predict(x[:, :3], batch_size=2) != first).any()
    model.layers[0].reset_states()
    np.testing.assert_allclose(model.predict(x[:, :3], batch_size=2), first, rtol=1e-6)


def test_a_stateful_layer_needs_its_batch_size():
    layer = layers.LSTM(2, stateful=True)
    layer(np.ones((4, 3, 2)))
    with pytest.raises(ValueError, match="batch size of the states, 4. Got 1"):
        layer(np.ones((1, 3, 2)))


def test_bidirectional_states():
    x = ops.convert_to_tensor(random("both", (2, 6, 3)))
    layer = layers.Bidirectional(layers.LSTM(4, return_state=True, return_sequences=True))
    y, *states = layer(x)
    assert y.shape == (2, 6, 8) and [s.shape for s in states] == [(2, 4)] * 4
    again = layer(x, initial_state=states)[0]
    assert (again.numpy() != y.numpy()).any()
    np.testing.assert_allclose(y.numpy()[:, -1, :4], states[0].numpy(), rtol=1e-6)
    np.testing.assert_allclose(y.numpy()[:, 0, 4:], states[2].numpy(), rtol=1e-6)


def test_unknown_time():
    model = keras.Sequential([keras.Input((None, 3)), layers.LSTM(4, return_sequences=True), layers.Dense(2)])
    assert model.output_shape == (None, None, 2)
    for steps in (4, 7):
        assert model.predict(random("time", (2, steps, 3))).shape == (2, steps, 2)


def test_normalization_of_other_features():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).random((5, 2)))
    with pytest.raises(ValueError, match=r"inputs have 3 features along axis -1; expected 2, .*shape \(4, 3\)"):
        layer(np.ones((4, 3)))
    assert layer(np.ones((4, 5, 2))).shape == (4, 5, 2)
    with pytest.raises(ValueError, match=r"mean and variance have the shape \(2,\), but the inputs the sizes \(3,\)"):
        layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])(np.ones((4, 3)))


def test_normalization_adapts():
    data = random("adapt", (100, 4)) * [1, 2, 3, 4] + 5
    layer = layers.Normalization()
    layer.adapt(data)
    y = layer(data).numpy()
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-4)
    batches = layers.Normalization()
    batches.adapt([data[:30], data[30:]])
    np.testing.assert_allclose(batches(data).numpy(), y, atol=1e-5)
    invert = layers.Normalization(mean=layer.adapt_mean.numpy(), variance=layer.adapt_variance.numpy(), invert=True)
    np.testing.assert_allclose(invert(y).numpy(), data, rtol=1e-4, atol=1e-5)


def test_lambda():
    layer = layers.Lambda(lambda x, factor: x * factor, arguments={"factor": 3.0})
    np.testing.assert_array_equal(layer(ops.ones((2, 2))).numpy(), np.full((2, 2), 3.0))
    assert layer(keras.Input((5,))).shape == (None, 5)
    with pytest.raises(ValueError, match="wraps a Python lambda, which cannot be saved"):
        layer.get_config()


def test_merging_functions_and_masks():
    a, b = ops.ones((2, 3)), ops.ones((2, 3)) * 2
    expected = {"add": 3, "subtract": -1, "multiply": 2, "average": 1.5, "maximum": 2, "minimum": 1}
    for name, value in expected.items():
        assert (getattr(layers, name)([a, b]).numpy() == value).all()
    assert layers.concatenate([a, b], axis=0).shape == (4, 3) and layers.dot([a, b], axes=1).shape == (2, 1)
    embedding = layers.Embedding(4, 3, mask_zero=True)
    x, y = embedding(np.array([[1, 0, 0]])), embedding(np.array([[1, 2, 0]]))
    for layer in (layers.Add(), layers.Concatenate(), layers.Maximum(), layers.Multiply()):
        np.testing.assert_array_equal(layer([x, y])._keras_mask.numpy(), [[True, True, False]])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.Dense(0), "Dense: units must be an int > 0. Got units=0"),
        (lambda: layers.Dense(3, activation="relo"), 'Unknown activation: "relo".*relu'),
        (lambda: layers.Dense(3, kernel_initializer="ons"), 'Unknown initializer: "ons".*Ones'),
        (lambda: layers.Conv2D(-1, 3), "Conv2D: filters must be an int > 0. Got filters=-1"),
        (
            lambda: layers.Conv2D(8, (3, 0)),
            r"kernel_size must be an int or 2 ints, each >= 1. Got kernel_size=\(3, 0\)",
        ),
        (lambda: layers.Conv2D(8, 3, padding="causal"), "unknown padding: 'causal'"),
        (lambda: layers.Conv2D(8, 3, strides=2, dilation_rate=2), "strides > 1 and dilation_rate > 1"),
        (lambda: layers.Conv2D(8, 3, groups=3), "filters must be a multiple of groups. Got filters=8, groups=3"),
        (lambda: layers.Conv2DTranspose(8, 3, output_padding=1), "output_padding must be smaller than strides"),
        (lambda: layers.MaxPooling2D((2, 2, 2)), "MaxPooling2D: pool_size must be an int or 2 ints"),
        (lambda: layers.Dropout(1.5), r"rate must be a number in \[0, 1\]. Got rate=1.5"),
        (lambda: layers.LSTM(4, dropout=-1), "dropout must be a number"),
        (lambda: layers.GRU("4"), "units must be an int > 0. Got units='4'"),
        (lambda: layers.Embedding(0, 4), "input_dim must be an int > 0"),
        (lambda: layers.Bidirectional(layers.Dense(3)), "wraps a recurrent layer such as LSTM"),
        (lambda: layers.Bidirectional(layers.LSTM(3), merge_mode="cat"), "merge_mode='cat'"),
        (lambda: layers.Permute((1, 3)), r"a permutation of 1, ..., 2"),
        (lambda: layers.Reshape((-1, -1)), "of which one may be -1"),
        (lambda: layers.ReLU(max_value=-1), "max_value must be a number >= 0"),
        (lambda: layers.UpSampling2D(interpolation="linear"), "unknown interpolation: 'linear'.*bilinear"),
        (lambda: layers.MultiHeadAttention(0, 4), "num_heads must be an int > 0"),
        (lambda: layers.Normalization(mean=1.0), "give both mean and variance"),
        (lambda: layers.EinsumDense("ab-bc", 3), "expected an equation such as"),
        (lambda: layers.Dropout(0.5, (None, 0)), "noise_shape must hold ints >= 1, or None for any size"),
        (lambda: layers.Wrapper("lstm"), "must be a Layer instance. Got 'lstm'"),
        (lambda: layers.InputLayer((2,), batch_shape=(4, 2)), r"Got batch_shape=\(4, 2\) with shape=\(2,\)"),
        (lambda: layers.InputLayer(input_tensor=np.ones((4, 2))), "input_tensor must be a KerasTensor"),
        (lambda: layers.InputLayer((3,), input_tensor=layers.Input((2,))), r"shape=\(3,\) differs from .*\(2,\)"),
        (lambda: layers.InputLayer(dtype="int32", input_tensor=layers.Input((2,))), "dtype=int32 differs from"),
    ],
)
def test_argument_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make, shape, message",
    [
        (lambda: layers.Dense(3), (4,), "min_ndim=2, found ndim=1"),
        (lambda: layers.Conv2D(8, 3), (2, 8, 8), "min_ndim=4, found ndim=3"),
        (lambda: layers.Conv2D(8, 3, groups=2), (2, 8, 8, 3), "Got 3 channels and groups=2"),
        (lambda: layers.MaxPooling2D(), (2, 8, 8), "expected ndim=4, found ndim=3"),
        (lambda: layers.LSTM(3), (2, 8), "expected ndim=3, found ndim=2"),
        (lambda: layers.Reshape((4, 4)), (2, 15), "15 elements cannot take the shape"),
        (lambda: layers.Cropping1D(3), (2, 6, 3), "leaves nothing of axis 1 with size 6"),
        (lambda: layers.TimeDistributed(layers.Dense(2)), (2, 3), "at least 3 axes"),
    ],
)
def test_shape_errors(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(ops.ones(shape))


def test_shape_errors_of_merging():
    with pytest.raises(ValueError, match="do not fit together"):
        layers.Add()([ops.ones((2, 3)), ops.ones((2, 4))])
    with pytest.raises(ValueError, match="all sizes but that of axis -1 must agree"):
        layers.Concatenate()([ops.ones((2, 3, 4)), ops.ones((2, 4, 4))])
    with pytest.raises(ValueError, match="sizes along the axes must agree: 3 .axis 1. and 4"):
        layers.Dot(axes=1)([ops.ones((2, 3)), ops.ones((2, 4))])
    with pytest.raises(ValueError, match="takes a list of 2 inputs"):
        layers.Subtract()([ops.ones((2, 3))] * 3)
    with pytest.raises(ValueError, match="takes a list .query, value."):
        layers.Attention()([ops.ones((2, 3, 4))])
    with pytest.raises(ValueError, match="takes a list .query, value."):
        layers.AdditiveAttention()(ops.ones((2, 3, 4)))


@pytest.mark.parametrize("mask", [np.ones((2, 3)), np.ones((1, 1, 3))])
def test_a_mask_of_a_softmax_must_fit(mask):
    with pytest.raises(ValueError, match="mask must have the shape of the inputs, or one that is broadcast to it"):
        layers.Softmax()(ops.ones((1, 3)), mask=mask)


def test_masks_of_several_inputs_are_lists():
    x = ops.ones((2, 3, 4))
    for layer in (layers.Add(), layers.Concatenate()):
        for inputs, mask in (([x, x], x[..., 0]), (x, [None, None]), ([x, x], [None])):
            with pytest.raises(ValueError, match="takes a list of inputs and a list with a mask for each"):
                layer.compute_mask(inputs, mask)
    for mask in (x[..., 0], [x[..., 0]]):
        with pytest.raises(ValueError, match="takes its mask as a list .query_mask, value_mask."):
            layers.Attention()([x, x], mask=mask)


def test_the_kernel_was_built_for_other_channels():
    layer = layers.Conv2D(16, 3, name="conv_1")
    layer(ops.ones((2, 8, 8, 3)))
    with pytest.raises(ValueError, match='Layer "conv_1".*axis -1 of the input shape to have size 3.*(32, 28, 28, 1)'):
        layer(ops.ones((32, 28, 28, 1)))


@pytest.mark.parametrize(
    "make",
    [
        lambda **k: layers.Conv2D(4, 3, strides=2, padding="same", **k),
        lambda **k: layers.DepthwiseConv2D(3, depth_multiplier=2, **k),
        lambda **k: layers.SeparableConv2D(4, 3, **k),
        lambda **k: layers.Conv2DTranspose(4, 3, strides=2, **k),
        lambda **k: layers.MaxPooling2D(**k),
        lambda **k: layers.AveragePooling2D(3, strides=2, padding="same", **k),
        lambda **k: layers.ZeroPadding2D(((1, 2), (0, 3)), **k),
        lambda **k: layers.Cropping2D((1, 2), **k),
        lambda **k: layers.UpSampling2D((2, 3), interpolation="bilinear", **k),
        lambda **k: layers.GlobalMaxPooling2D(keepdims=True, **k),
        lambda **k: layers.GlobalAveragePooling2D(keepdims=True, **k),
    ],
)
def test_channels_first(make):
    """The same numbers as with channels last, the axes in the other order."""
    x = random("channels first", (2, 6, 7, 4))
    last, first = make(data_format="channels_last"), make(data_format="channels_first")
    expected = last(x).numpy()
    moved = ops.convert_to_tensor(np.moveaxis(x, -1, 1))
    first(moved)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(first(moved).numpy(), 1, -1), expected, rtol=1e-5, atol=1e-6)


def test_flatten_of_channels_first_is_that_of_channels_last():
    x = random("flatten", (2, 3, 4, 5))
    first = layers.Flatten(data_format="channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(first.numpy(), layers.Flatten()(x).numpy())


def test_attention_leaves_masked_steps_out():
    embedding = layers.Embedding(5, 4, mask_zero=True)
    attention = layers.MultiHeadAttention(2, 3)
    short, padded = np.array([[3, 1, 2]]), np.array([[3, 1, 2, 0, 0]])
    x, y = embedding(short), embedding(padded)
    z = attention(y, y)
    np.testing.assert_allclose(z.numpy()[:, :3], attention(x, x).numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(z._keras_mask.numpy(), [[True, True, True, False, False]])
    plain = layers.Attention()
    np.testing.assert_allclose(plain([y, y]).numpy()[:, :3], plain([x, x]).numpy(), rtol=1e-5, atol=1e-6)


def test_a_convolution_with_another_kernel():
    class Centred(layers.Conv1D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel - ops.mean(kernel, axis=(0, 1), keepdims=True))

    layer = Centred(2, 2, padding="causal", activation="relu")
    x = np.random.RandomState(0).rand(2, 5, 3).astype("float32")
    y = layer(x)
    plain = layers.Conv1D(2, 2, padding="causal", activation="relu")
    plain.build(x.shape)
    kernel = layer.kernel.numpy()
    plain.set_weights([kernel - kernel.mean(axis=(0, 1), keepdims=True), layer.bias.numpy()])
    np.testing.assert_allclose(y, plain(x), atol=1e-6)


@pytest.mark.parametrize("layer", [layers.Dense(3), layers.Conv1D(3, 1), layers.EinsumDense("abc,cd->abd", (2, 3))])
def test_the_activation_may_be_taken_away(layer):
    x = np.random.RandomState(0).rand(2, 2, 4).astype("float32")
    expected = layer(x).numpy()
    layer.activation = None
    np.testing.assert_array_equal(layer(x), expected)


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_recurrent_layers_tell_the_options_of_their_weights(kind):
    layer = kind(3, recurrent_initializer="zeros", kernel_constraint="non_neg", bias_regularizer="l2")
    assert isinstance(layer.recurrent_initializer, keras.initializers.Zeros)
    assert isinstance(layer.kernel_constraint, keras.constraints.NonNeg)
    assert isinstance(layer.bias_regularizer, keras.regularizers.L2)
    assert layer.kernel_regularizer is None


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU])
def test_recurrent_layers_keep_use_cudnn(kind):
    assert kind(3).use_cudnn == "auto" and kind(3, use_cudnn=False).use_cudnn is False


def test_masks_of_states_are_as_many_as_in_keras():
    sequences, mask = np.ones((2, 3, 1), "float32"), np.ones((2, 3), bool)
    cells = [layers.LSTMCell(3), layers.GRUCell(4)]
    options = {"return_sequences": True, "return_state": True}
    assert layers.RNN(cells, return_state=True).compute_mask(sequences, mask) == [None, None, None]
    assert layers.GRU(3, return_state=True).compute_mask(sequences, mask) == [None, None]
    assert layers.LSTM(3, **options).compute_mask(sequences, mask)[1:] == [None, None]
    assert layers.Bidirectional(layers.LSTM(3, **options)).compute_mask(sequences, mask) is mask
    masks = layers.Bidirectional(layers.LSTM(3, **options), merge_mode=None).compute_mask(sequences, mask)
    assert masks[0] is mask and masks[1] is mask and len(masks) == 2
