"""Attention with more scores than are kept: pieces of the queries, computed again for the gradients."""

import math

import numpy as np
import pytest

import dlcore as keras
from dlcore import _core, layers, ops


def attend_at_once(q, k, v, mask):
    scores = ops.einsum("bthd,bshd->bhts", q, k) / math.sqrt(q.shape[-1])
    return ops.einsum("bhts,bshd->bthd", ops.softmax(ops.where(mask, scores, -1e30)), v)


def program(function, arrays):
    """Of the output and the gradients of a weighted sum of it."""
    with _core.Graph() as graph:
        inputs = [graph.input(a.shape, str(a.dtype), f"x{i}") for i, a in enumerate(arrays)]
        y = function(*inputs)
        loss = ops.sum(y * ops.sin(ops.reshape(ops.arange(y.size, dtype=y.dtype), y.shape)))
        program = graph.compile([y, *graph.gradient([loss], inputs)])
    return program, program.run([ops.convert_to_tensor(a) for a in arrays])


@pytest.mark.parametrize("sizes", [(3, 1100, 1100, 2), (1, 2300, 1000, 2), (70, 250, 250, 1)])
@pytest.mark.parametrize("is_causal", [False, True])
def test_agrees_with_all_at_once(sizes, is_causal):
    batch, queries, keys, heads = sizes
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(batch, t, heads, 3)) for t in (queries, keys, keys))
    mask = rng.random((batch, 1, 1, keys)) < 0.8
    mask[..., 0] = True
    seen = mask & (np.tri(queries, keys, dtype=bool) if is_causal else np.ones((queries, keys), bool))
    _, expected = program(lambda *x: attend_at_once(*x, seen), (q, k, v))
    _, got = program(lambda *x: ops.dot_product_attention(*x, mask=mask, is_causal=is_causal), (q, k, v))
    for a, b in zip(got, expected):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_memory_grows_with_the_length():
    bytes_of = {}
    for length in (1500, 3000, 6000):
        arrays = [np.ones((1, length, 2, 16), "float32")] * 3
        bytes_of[length] = program(ops.dot_product_attention, arrays)[0].arena_bytes
    assert bytes_of[6000] < 5 * bytes_of[1500]
    share = 5 if _core.current_device() == "cpu:0" else 1.5  # pieces that fill a GPU are larger
    assert bytes_of[6000] < 6000 * 6000 * 2 * 4 / share  # of one set of scores


@pytest.mark.parametrize("is_causal", [False, True])
def test_multi_head_attention(is_causal):
    layer = layers.MultiHeadAttention(2, 4)
    x = np.random.default_rng(0).normal(size=(2, 1200, 8)).astype("float32")
    mask = np.random.default_rng(1).random((2, 1200, 1200)) < 0.5
    mask[:, :, 0] = True
    arguments = {"attention_mask": mask, "use_causal_mask": is_causal}
    expected, scores = layer(x, x, return_attention_scores=True, **arguments)
    assert scores.shape == (2, 2, 1200, 1200)
    np.testing.assert_allclose(layer(x, x, **arguments), expected, rtol=1e-5, atol=1e-6)


def test_dropout_drops_in_each_piece():
    """Queries that are all alike differ by what is dropped for them, in every piece anew."""
    layer = layers.MultiHeadAttention(1, 4, dropout=0.5, seed=1)
    query, value = np.ones((1, 2400, 8)), np.random.default_rng(0).normal(size=(1, 2400, 8))
    assert np.ptp(layer(query, value), axis=1).max() < 1e-5
    assert len(np.unique(layer(query, value, training=True)[0], axis=0)) == 2400


def test_sliding_window_and_gate():
    x = np.random.default_rng(0).random((2, 7, 6), dtype="float32")
    plain, near = layers.MultiHeadAttention(2, 4), layers.MultiHeadAttention(2, 4, sliding_window=3)
    plain(x, x), near(x, x)
    near.set_weights(plain.get_weights())
    places = np.arange(7)
    band = np.abs(places[:, None] - places) < 3
    for causal in (False, True):
        expected = plain(x, x, attention_mask=np.broadcast_to(band, (2, 7, 7)), use_causal_mask=causal)
        np.testing.assert_allclose(near(x, x, use_causal_mask=causal), expected, rtol=1e-4, atol=1e-6)
    gated = layers.MultiHeadAttention(2, 4, use_gate=True)
    gated(x, x)
    assert [v.path.split("/")[-2] for v in gated.weights[::2]] == ["query", "key", "gate", "value", "attention_output"]
    weights = plain.get_weights()
    # sigmoid(0) = 1/2 of what each head gets
    gated.set_weights([*weights[:4], np.zeros((6, 2, 4)), np.zeros((2, 4)), *weights[4:6], 2 * weights[6], weights[7]])
    np.testing.assert_allclose(gated(x, x), plain(x, x), rtol=1e-4, atol=1e-6)
    copy = layers.MultiHeadAttention.from_config(gated.get_config())
    assert copy.use_gate and layers.MultiHeadAttention.from_config(near.get_config()).sliding_window == 3
    with pytest.raises(ValueError, match="sliding_window must be an int > 0. Got sliding_window=0"):
        layers.MultiHeadAttention(2, 4, sliding_window=0)


def test_any_number_of_positions():
    x = keras.Input((None, 8))
    y, scores = layers.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)
    assert (y.shape, scores.shape) == ((None, None, 8), (None, 2, None, None))
    model = keras.Model(x, layers.Conv1D(4, 3)(y))
    assert model.predict(np.ones((2, 5, 8)), verbose=0).shape == (2, 3, 4)


@pytest.mark.parametrize(
    "base, arguments",
    [(layers.MultiHeadAttention, (2, 4)), (layers.GroupQueryAttention, (4, 2, 1))],
    ids=["multi_head", "group_query"],
)
def test_a_subclass_may_replace_the_attention(base, arguments):
    """It is given heads and a mask that says all; what it passes on gives what the base does."""
    seen = []

    class Noting(base):
        def _compute_attention(self, query, key, value, attention_mask=None, training=None, *rest):
            seen.append(attention_mask)
            return super()._compute_attention(query, key, value, attention_mask, training, *rest)

    x = keras.random.normal((2, 6, 8), seed=1)
    for window in (None, 2):
        for options in ({}, {"use_causal_mask": True}, {"value_mask": np.tri(2, 6, 3) > 0}):
            layer, own = Noting(*arguments, sliding_window=window), base(*arguments, sliding_window=window)
            y = layer(x, x, **options)
            own.build((2, 6, 8), (2, 6, 8))
            own.set_weights(layer.get_weights())
            np.testing.assert_allclose(y, own(x, x, **options), atol=1e-6)
            mask = seen.pop()
            assert (mask is None) == (not options and window is None)
            if "use_causal_mask" in options:
                causal = np.tri(6, dtype=bool)
                expected = causal if window is None else causal & ~np.tri(6, k=-window, dtype=bool)
                np.testing.assert_array_equal(mask[0], expected)


def test_key_and_value_of_other_lengths():
    for layer in (layers.MultiHeadAttention(2, 4), layers.GroupQueryAttention(4, 2, 1)):
        with pytest.raises(ValueError, match="same sizes but the last"):
            layer.compute_output_shape((2, 4, 8), (2, 3, 8), (2, 2, 8))


def test_masks_end_at_an_einsum_dense_of_the_users_own(recwarn):
    x = layers.Embedding(4, 3, mask_zero=True)(np.array([[1, 0]]))
    y = layers.MultiHeadAttention(2, 4)(x, x)
    assert not recwarn and y._keras_mask is not None
    with pytest.warns(UserWarning, match="does not support masking"):
        assert not hasattr(layers.EinsumDense("abc,cd->abd", (None, 2))(x), "_keras_mask")


def test_the_two_names_of_grouped_query_attention():
    """Files and names have those that Keras gives them: of its class, but where a file names what is public."""
    layer = layers.GroupQueryAttention(4, 2, 1)
    assert layer.name.startswith("grouped_query_attention")
    assert layers.serialize(layer)["class_name"] == "GroupQueryAttention"
    for class_name in ("GroupQueryAttention", "GroupedQueryAttention"):  # in .keras files and in .h5 files
        again = layers.deserialize({"class_name": class_name, "config": layer.get_config()})
        assert type(again) is type(layer) is layers.GroupQueryAttention
