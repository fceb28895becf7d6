"""Fourier transforms of any size against NumPy's, and their gradients."""

import numpy as np
import pytest
from checking import check_second_derivative

import dlcore as keras
from dlcore import ops

RNG = np.random.default_rng(3)


def complex_of(pair):
    return ops.convert_to_numpy(pair[0]).astype("float64") + 1j * ops.convert_to_numpy(pair[1])


def error_bound(n, dtype):
    """Of numbers of size 1: the precision times the stages times the norm (Higham 2002, theorem 24.2)."""
    return 8 * np.finfo(dtype).eps * (1 + np.log2(n)) * n


# Small factors, primes as factors, a prime by convolution, products of such, and sizes cut into parts.
SIZES = [1, 2, 3, 10, 16, 61, 67, 100, 127 * 2, 131 * 131, 1 << 16, 3 * (1 << 15)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", SIZES)
def test_sizes(n, dtype):
    x = RNG.uniform(-1, 1, (2, 2, n)).astype(dtype)
    z = x[0].astype("float64") + 1j * x[1]
    bound = (20 if n > 64 else 1) * error_bound(n, dtype)
    assert np.abs(complex_of(ops.fft((x[0], x[1]))) - np.fft.fft(z)).max() < bound
    real = ops.rfft(x[0])
    assert real[0].shape == (2, n // 2 + 1) and real[0].dtype == dtype
    assert np.abs(complex_of(real) - np.fft.rfft(x[0])).max() < bound
    assert np.abs(ops.convert_to_numpy(ops.irfft(real, n)) - x[0]).max() < bound


@pytest.mark.parametrize("shape", [(5, 7), (2, 16, 40), (1, 67, 3), (2, 3, 4, 33)])
def test_two_axes(shape):
    re, im = RNG.standard_normal((2, *shape))
    np.testing.assert_allclose(complex_of(ops.fft2((re, im))), np.fft.fft2(re + 1j * im), atol=1e-10)
    np.testing.assert_allclose(complex_of(ops.ifft2((re, im))), np.fft.ifft2(re + 1j * im), atol=1e-12)


def test_without_elements():
    x = np.ones((3, 0), "float32")
    assert [y.shape for y in ops.fft((x, x))] == [(3, 0), (3, 0)]
    assert [y.shape for y in ops.rfft(np.ones((0, 8), "float32"))] == [(0, 5), (0, 5)]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits(dtype):
    x = ops.cast(RNG.uniform(-1, 1, (3, 16)), dtype)
    re, im = ops.rfft(x)
    assert re.dtype == dtype and ops.irfft((re, im)).dtype == dtype
    expected = np.fft.rfft(ops.convert_to_numpy(ops.cast(x, "float64")))
    found = ops.convert_to_numpy(ops.cast(re, "float64")) + 1j * ops.convert_to_numpy(ops.cast(im, "float64"))
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert all(y.dtype == dtype for y in ops.stft(x, 8, 4, 8))


WEIGHTS = RNG.standard_normal(400)


def weighed(*parts):
    return sum(ops.sum(ops.reshape(p, [-1]) ** 3 * WEIGHTS[: int(np.prod(p.shape))]) for p in parts)


FUNCTIONS = {
    "fft": (lambda x: weighed(*ops.fft((x, ops.square(x)))), (3, 6)),
    "fft, imaginary part alone": (lambda x: weighed(ops.fft((x, x))[1]), (2, 5)),
    "fft by convolution": (lambda x: weighed(*ops.fft((x, x))), (2, 67)),
    "fft2": (lambda x: weighed(*ops.fft2((x, ops.square(x)))), (4, 6)),
    "rfft": (lambda x: weighed(*ops.rfft(x)), (3, 8)),
    "rfft odd": (lambda x: weighed(*ops.rfft(x)), (3, 7)),
    "irfft": (lambda x: weighed(ops.irfft((x, ops.square(x)))), (3, 5)),
    "irfft odd": (lambda x: weighed(ops.irfft((x, ops.square(x)), 7)), (3, 4)),
    "stft": (lambda x: weighed(*ops.stft(x, 6, 3, 8)), (2, 20)),
    "stft odd": (lambda x: weighed(ops.stft(x, 7, 2, 7, center=False)[0]), (2, 20)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_gradients(name):
    function, shape = FUNCTIONS[name]
    check_second_derivative(function, *np.random.default_rng(1).standard_normal((2, *shape)) * 0.5, 1e-6)


def test_signals_of_an_unknown_number():
    inputs = keras.Input((20,))
    outputs = [*ops.stft(inputs, 6, 3, 8), *ops.rfft(inputs), *ops.fft((inputs, inputs))]
    assert [y.shape for y in outputs[::2]] == [(None, 7, 5), (None, 11), (None, 20)]
    x = RNG.standard_normal((3, 20)).astype("float32")
    found = keras.Model(inputs, outputs)(x)
    np.testing.assert_allclose(complex_of(found[2:4]), np.fft.rfft(x), atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(found[0]), ops.convert_to_numpy(ops.stft(x, 6, 3, 8)[0]), atol=1e-5)


def test_istft_without_a_window_has_the_scale_of_keras():
    x = RNG.standard_normal(64)
    parts = ops.stft(x, 16, 4, 16, window=None)
    np.testing.assert_allclose(ops.istft(parts, 16, 4, 16, window=None), 4 * x, rtol=1e-5)
    np.testing.assert_allclose(ops.istft(parts, 16, 4, 16, window=np.ones(16)), x, rtol=1e-5)
