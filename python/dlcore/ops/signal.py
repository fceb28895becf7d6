"""Fourier transforms. A complex tensor is a pair (real part, imaginary part).

The transform of n numbers is a product with an n x n matrix of sines and cosines; where n has factors, it is the
transforms of its parts and a multiplication by twiddle factors between them (Cooley & Tukey 1965), all as GEMMs. Where
both factors are at most 64 it is two of them, the twiddle factors being part of the second's matrices.
"""

import functools
import math

import numpy as np

from dlcore import _core, backend
from dlcore.backend.arguments import int_from
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, tensor
from dlcore.ops.operation import operation
from dlcore.ops.patches import extract_sequences

# Up to this size one product is as quick as its parts.
_DIRECT = 64


def _check_rank(name, x, least):
    if x.ndim < least:
        raise ValueError(f"{name}: expected a tensor of at least {least} axes. Received shape {x.shape}.")
    return x


def _pair(name, x, least=1):
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"{name}: expected a pair (real, imaginary part) of tensors. Received: {type(x).__name__}")
    real, imaginary = (as_float(part) for part in backend.promote(*x))
    if real.shape != imaginary.shape:
        raise ValueError(f"{name}: both parts must have one shape. Received: {real.shape} and {imaginary.shape}")
    return _check_rank(name, real, least), imaginary


@functools.lru_cache(maxsize=64)
def _turns(rows, columns, n):
    """cos and sin of 2 pi j k / n for j < rows, k < columns."""
    angles = 2.0 * np.pi * (np.outer(np.arange(rows), np.arange(columns)) % max(n, 1)) / max(n, 1)
    return np.cos(angles), np.sin(angles)


def _times(real, imaginary, cos, sin, product):
    """(real + i imaginary) (cos - i sin)."""
    cos, sin = (backend.convert_to_tensor(v, real.dtype) for v in (cos, sin))
    return (
        knp.add(product(real, cos), product(imaginary, sin)),
        knp.subtract(product(imaginary, cos), product(real, sin)),
    )


def _factor(n):
    """The factor of n nearest below its root; 1 for primes."""
    return next(f for f in range(math.isqrt(n), 0, -1) if n % f == 0)


def _complex_product(angles):
    """[..., 2 j, 2 k] for angles [..., j, k]: the product of the parts of x_j with this has the parts of the sums of
    x_j exp(-i angle)."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([np.concatenate([cos, -sin], -1), np.concatenate([sin, cos], -1)], -2)


@functools.lru_cache(maxsize=16)
def _two_products(first, second, kept):
    """The matrices of a transform of first * second numbers j = j1 * second + j2 to k = k1 + first * k2, k2 < kept.

    Returns:
        [(k1, part), (part, j1)] over j1, and for each k1 [(part, j2), (part, k2)] over j2.
    """
    k1 = np.arange(first)
    over_first = _complex_product(2 * np.pi / first * (np.outer(k1, k1) % first))  # [(part, j1), (part, k1)]
    over_first = over_first.reshape(2 * first, 2, first).transpose(2, 1, 0).reshape(2 * first, 2 * first)
    n, k = first * second, k1[:, None] + first * np.arange(kept)
    return over_first, _complex_product(2 * np.pi / n * (np.arange(second)[:, None] * k[:, None] % n))


def _in_two_products(x, first, second, kept):
    """The first `kept * first` numbers of the transforms of x, [..., parts, first * second]: (real, imaginary)."""
    lead = [-1 if size is None else size for size in x.shape[:-2]]
    parts = x.shape[-2]
    over_first, over_second = _two_products(first, second, kept)
    over_first, over_second = (
        backend.convert_to_tensor(m, x.dtype) for m in (over_first[:, : parts * first], over_second)
    )
    y = knp.matmul(over_first, knp.reshape(x, [-1, parts * first, second]))
    y = knp.transpose(knp.reshape(y, [-1, first, 2 * second]), [1, 0, 2])
    y = knp.reshape(knp.matmul(y, over_second), [first, -1, 2, kept])
    y = knp.reshape(knp.transpose(y, [2, 1, 3, 0]), [2, *lead, first * kept])
    return y[0], y[1]


def _transform(real, imaginary):
    """sum_j x_j exp(-2 pi i j k / n) along the last axis."""
    n = real.shape[-1]
    if n <= _DIRECT or (first := _factor(n)) == 1:
        return _times(real, imaginary, *_turns(n, n, n), knp.matmul)
    second = n // first
    if second <= _DIRECT:
        return _in_two_products(knp.stack([real, imaginary], axis=-2), first, second, second)
    lead = [-1 if size is None else size for size in real.shape[:-1]]
    # j = j1 * second + j2: over j1, the twiddle factors, over j2; then k = k1 + first * k2.
    parts = [knp.swapaxes(knp.reshape(part, [*lead, first, second]), -1, -2) for part in (real, imaginary)]
    parts = _times(*_transform(*parts), *_turns(second, first, n), knp.multiply)
    parts = _transform(*(knp.swapaxes(part, -1, -2) for part in parts))
    return tuple(knp.reshape(knp.swapaxes(part, -1, -2), [*lead, n]) for part in parts)


def _inverse(real, imaginary):
    """The inverse transform: that with the parts exchanged, twice, over n."""
    n = real.shape[-1]
    imaginary, real = _transform(imaginary, real)
    return knp.multiply(real, 1.0 / n), knp.multiply(imaginary, 1.0 / n)


def _columns(transform, real, imaginary):
    """The transform along the last axis but one."""
    parts = transform(*(knp.swapaxes(part, -1, -2) for part in (real, imaginary)))
    return tuple(knp.swapaxes(part, -1, -2) for part in parts)


@operation
def fft(x):
    """The Fourier transform along the last axis: sum over j of x_j exp(-2 pi i j k / n).

    Args:
        x: pair of float tensors (real, imaginary) of one shape, (..., n).

    Returns:
        A pair of the same shape.

    Raises:
        ValueError: x is no such pair.
    """
    return _transform(*_pair("fft", x))


@operation
def fft2(x):
    """The Fourier transform over the last two axes.

    Args:
        x: pair of float tensors (real, imaginary) of one shape, (..., m, n).

    Returns:
        A pair of the same shape.

    Raises:
        ValueError: x is no such pair.
    """
    return _columns(_transform, *_transform(*_pair("fft2", x, 2)))


@operation
def ifft2(x):
    """The inverse Fourier transform over the last two axes.

    Args:
        x: pair of float tensors (real, imaginary) of one shape, (..., m, n).

    Returns:
        A pair of the same shape.

    Raises:
        ValueError: x is no such pair.
    """
    return _columns(_inverse, *_inverse(*_pair("ifft2", x, 2)))


@operation
def rfft(x, fft_length=None):
    """The first half (fft_length // 2 + 1 numbers) of the Fourier transform of real x along the last axis.

    Args:
        x: real tensor.
        fft_length: int: x is cut or filled with zeros to that length; default: its own.
    """
    x = _check_rank("rfft", as_float(x), 1)
    x = x if fft_length is None else _resized(x, int(fft_length))
    n = x.shape[-1]
    half = n // 2 + 1
    first = _factor(n) if n > 0 else 1
    if n <= _DIRECT:
        cos, sin = (backend.convert_to_tensor(v, x.dtype) for v in _turns(n, half, n))
        return knp.matmul(x, cos), knp.negative(knp.matmul(x, sin))
    if n // first <= _DIRECT:
        real, imaginary = _in_two_products(knp.expand_dims(x, -2), first, n // first, (half - 1) // first + 1)
    else:
        real, imaginary = _transform(x, knp.zeros_like(x))
    return real[..., :half], imaginary[..., :half]


def _resized(x, length):
    """The last axis cut or filled with zeros."""
    size = x.shape[-1]
    if size >= length:
        return x[..., :length]
    return knp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, length - size)])


@operation
def irfft(x, fft_length=None):
    """The real numbers whose `rfft` is x.

    Args:
        x: pair (real, imaginary) of the first half of a transform.
        fft_length: int: how many numbers; default 2 * (size - 1).
    """
    real, imaginary = _pair("irfft", x)
    length = 2 * (real.shape[-1] - 1) if fft_length is None else int(fft_length)
    half = length // 2 + 1
    real, imaginary = _resized(real, half), _resized(imaginary, half)
    # The other half mirrors the first: conjugates in the opposite order.
    mirrored = slice(1, length - half + 1)
    real = knp.concatenate([real, knp.flip(real[..., mirrored], -1)], -1)
    imaginary = knp.concatenate([imaginary, knp.negative(knp.flip(imaginary[..., mirrored], -1))], -1)
    return _inverse(real, imaginary)[0]


# Windows that are sums of cosines of 0, 1, 2, ... turns, with alternating signs (Harris 1978; flattop: D'Antona &
# Ferrero 2006).
_COSINE_SUMS = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}
# Windows by the distance from their middle, from 0 to 1 at the ends.
_BY_DISTANCE = {
    "bartlett": lambda x: 1 - x,
    "tukey": lambda x: 0.5 * (1 + np.cos(np.pi * np.maximum(2 * x - 1, 0))),
    "bohman": lambda x: (1 - x) * np.cos(np.pi * x) + np.sin(np.pi * x) / np.pi,
    "barthann": lambda x: 0.62 - 0.24 * x + 0.38 * np.cos(np.pi * x),
    "lanczos": np.sinc,
}


def window_values(name, window, length, periodic=True):
    """The numbers of a window given by its name or as an array, as a NumPy array.

    Args:
        name: the function, for messages.
        window: `"hann"`, `"hamming"`, `"blackman"`, `"nuttall"`, `"blackmanharris"`, `"flattop"`, `"bartlett"`,
            `"tukey"`, `"bohman"`, `"barthann"`, `"lanczos"`, `"cosine"`, `"boxcar"`, or an array of that length.
        length: int.
        periodic: bool: one period of the window repeated, instead of one with two equal ends.
    """
    if not isinstance(window, str):
        values = np.asarray(backend.convert_to_numpy(window), "float64")
        if values.shape != (length,):
            raise ValueError(f"{name}: the window must have {length} numbers. Received shape {values.shape}.")
        return values
    known = [*_COSINE_SUMS, *_BY_DISTANCE, "cosine"]
    if window not in known:
        raise ValueError(f"{name}: unknown window {window!r}. {backend.nearest_hint(window, known)}")
    if length == 1:
        return np.ones(1)
    points = length + 1 if periodic else length
    if window in _BY_DISTANCE:
        values = _BY_DISTANCE[window](np.abs(np.linspace(-1.0, 1.0, points)))
    elif window == "cosine":
        values = np.sin(np.pi * (np.arange(points) + 0.5) / points)
    else:
        turn = 2.0 * np.pi * np.arange(points) / (points - 1)
        values = sum(c * (-1) ** k * np.cos(k * turn) for k, c in enumerate(_COSINE_SUMS[window]))
    return values[:length]


def _framing_window(name, window, sequence_length, fft_length):
    """The window in the middle of fft_length numbers; ones for None."""
    if fft_length < sequence_length:
        raise ValueError(
            f"{name}: fft_length must not be less than sequence_length. Received: fft_length={fft_length}, "
            f"sequence_length={sequence_length}"
        )
    if window is None:
        return np.ones(fft_length)
    before = (fft_length - sequence_length) // 2
    values = window_values(name, window, sequence_length)
    return np.pad(values, (before, fft_length - sequence_length - before))


@operation
def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """Short-time Fourier transforms: `rfft` of windows along the last axis, as a pair (real, imaginary).

    Args:
        x: real tensor (..., length).
        sequence_length, sequence_stride: ints: the window's length, and how far apart windows are.
        fft_length: int: each window is filled with zeros to that length.
        window: `"hann"`, `"hamming"`, an array of sequence_length numbers, or None for ones.
        center: bool: windows are centred at multiples of the stride; x is mirrored at its ends.

    Returns:
        Two tensors (..., windows, fft_length // 2 + 1).
    """
    x = _check_rank("stft", as_float(x), 1)
    sequence_stride = int_from("stft", "sequence_stride", sequence_stride, 1)
    weights = _framing_window("stft", window, sequence_length, fft_length)
    if center:
        x = knp.pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2, fft_length // 2)], mode="reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    return rfft(knp.multiply(frames, backend.convert_to_tensor(weights, x.dtype)))


@operation
def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """The signal (..., length) whose `stft` is x: windows are added where they overlap.

    Args:
        x: pair (real, imaginary) of tensors (..., windows, fft_length // 2 + 1).
        sequence_length, sequence_stride, fft_length, window, center: as given to `stft`.
        length: int: of the result; default: all that windows cover.
    """
    real, imaginary = _pair("istft", x, 2)
    sequence_stride = int_from("istft", "sequence_stride", sequence_stride, 1)
    weights = _framing_window("istft", window, sequence_length, fft_length)
    frames = irfft((real, imaginary), fft_length)
    count = frames.shape[-2]
    total = fft_length + sequence_stride * (count - 1)
    # Each sample is the mean of the frames that hold it, weighted by the window: sum w * frame / sum w^2.
    places = (np.arange(count)[:, None] * sequence_stride + np.arange(fft_length)).ravel()
    share = np.zeros(total)
    np.add.at(share, places, np.tile(weights**2, count))
    frames = knp.multiply(frames, backend.convert_to_tensor(weights, frames.dtype))
    flat = knp.reshape(frames, [-1, count * fft_length])
    rows = knp.transpose(flat)
    zeros = knp.zeros([total, rows.shape[1]], rows.dtype)
    sums = _core.apply("scatter_add", [zeros, tensor(places.astype("int32")), rows], axis=0)
    signal = knp.transpose(sums) / backend.convert_to_tensor(np.where(share > 1e-10, share, 1.0), frames.dtype)
    signal = knp.reshape(signal, [*(-1 if n is None else n for n in frames.shape[:-2]), total])
    start = fft_length // 2 if center else 0
    stop = start + length if length is not None else total - start
    return signal[..., start:stop]


__all__ = ["fft", "fft2", "ifft2", "irfft", "istft", "rfft", "stft"]
