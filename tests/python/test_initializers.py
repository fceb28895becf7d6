"""Initializers: statistics, seeds, configurations."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import initializers, layers
from dlcore.random import SeedGenerator

SHAPE = (3, 5, 40, 60)
FAN_IN, FAN_OUT = 3 * 5 * 40, 3 * 5 * 60


@pytest.mark.parametrize(
    "name, variance, limit",
    [
        ("glorot_uniform", 2 / (FAN_IN + FAN_OUT), np.sqrt(6 / (FAN_IN + FAN_OUT))),
        ("glorot_normal", 2 / (FAN_IN + FAN_OUT), None),
        ("he_uniform", 2 / FAN_IN, np.sqrt(6 / FAN_IN)),
        ("he_normal", 2 / FAN_IN, None),
        ("lecun_uniform", 1 / FAN_IN, np.sqrt(3 / FAN_IN)),
        ("lecun_normal", 1 / FAN_IN, None),
        ("random_normal", 0.05**2, None),
        ("random_uniform", 0.1**2 / 12, 0.05),
    ],
)
def test_statistics(name, variance, limit):
    values = initializers.get(name)(SHAPE).numpy()
    assert values.shape == SHAPE and values.dtype == np.float32
    assert abs(values.mean()) < 5 * np.sqrt(variance / values.size)
    np.testing.assert_allclose(values.var(), variance, rtol=0.03)
    if limit is not None:
        assert np.abs(values).max() <= limit * 1.0001


def test_an_einsum_counts_the_axes_it_sums_over_as_inputs():
    heads, output = layers.EinsumDense("abc,cde->abde", (None, 8, 16)), layers.EinsumDense("abde,dec->abc", (None, 32))
    for layer, shape, fan_in in ((heads, (2, 3, 32), 32), (output, (2, 3, 8, 16), 128)):
        layer.kernel_initializer = initializers.LecunNormal(seed=1)
        layer.build(shape)
        np.testing.assert_allclose(layer.kernel.numpy().var(), 1 / fan_in, rtol=0.05)
        assert layer.kernel_initializer.input_axes is None
    given = initializers.LecunNormal(seed=1, input_axes=[0, 1], output_axes=[2])
    layer = layers.EinsumDense("abc,cde->abde", (None, 8, 16), kernel_initializer=given)
    layer.build((2, 3, 32))
    np.testing.assert_allclose(layer.kernel.numpy().var(), 1 / (32 * 8), rtol=0.05)


def test_truncated_normal_stays_within_two_deviations():
    values = initializers.TruncatedNormal(mean=1.0, stddev=0.5, seed=3)((20000,)).numpy()
    assert values.min() >= 0.0 and values.max() <= 2.0
    np.testing.assert_allclose(values.std(), 0.5 * 0.8796, rtol=0.02)


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (2, 3, 4)])
def test_orthogonal(shape):
    q = initializers.Orthogonal(gain=2.0, seed=1)(shape).numpy().reshape(-1, shape[-1]) / 2.0
    product = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-6)


def test_constants():
    np.testing.assert_array_equal(initializers.Constant(2.5)((2, 3)).numpy(), np.full((2, 3), 2.5))
    np.testing.assert_array_equal(initializers.Identity(3.0)((3, 3)).numpy(), 3 * np.eye(3))
    np.testing.assert_array_equal(initializers.get("ones")((2,), dtype="int32").numpy(), [1, 1])
    np.testing.assert_array_equal(initializers.get(np.array([1.0, 2.0]))((2,)).numpy(), [1, 2])


def test_seeds():
    fixed = initializers.GlorotUniform(seed=5)
    np.testing.assert_array_equal(fixed((4, 4)).numpy(), fixed((4, 4)).numpy())
    np.testing.assert_array_equal(fixed((4, 4)).numpy(), initializers.GlorotUniform(seed=5)((4, 4)).numpy())
    assert (initializers.GlorotUniform()((4, 4)).numpy() != initializers.GlorotUniform()((4, 4)).numpy()).any()
    stream = initializers.GlorotUniform(seed=SeedGenerator(5))
    assert (stream((4, 4)).numpy() != stream((4, 4)).numpy()).any()


@pytest.mark.parametrize("name", sorted(set(initializers._catalogue.objects) - {"zero", "one"}))
def test_configs(name):
    initializer = initializers.get(name)
    copy = initializers.deserialize(initializers.serialize(initializer))
    assert type(copy) is type(initializer) and copy.get_config() == initializer.get_config()


def test_errors():
    with pytest.raises(ValueError, match='Unknown initializer: "glorot_unifrom".*glorot_uniform'):
        initializers.get("glorot_unifrom")
    with pytest.raises(ValueError, match="rank 3"):
        initializers.Identity()((2, 2, 2))
    with pytest.raises(ValueError, match="rank 2 or more.*rank 1"):
        initializers.Orthogonal()((4,))
    with pytest.raises(ValueError, match="VarianceScaling: scale must be a positive float. Got scale=-1"):
        initializers.VarianceScaling(scale=-1)
    with pytest.raises(ValueError, match="mode='fan_out_in'"):
        initializers.VarianceScaling(mode="fan_out_in")
    with pytest.raises(ValueError, match=r"shape \(2,\) but the weight has shape \(3,\)"):
        initializers.get(np.array([1.0, 2.0]))((3,))


def test_the_global_seed_repeats_models():
    def weights():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
        return model.get_weights()[0], model(np.ones((2, 4), "float32"), training=True).numpy()

    for first, second in zip(weights(), weights()):
        np.testing.assert_array_equal(first, second)
