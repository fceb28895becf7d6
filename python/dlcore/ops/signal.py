"""Fourier transforms. A complex tensor is a pair (real part, imaginary part).

Sizes with small factors are primitives. Great ones are transforms of their parts with a multiplication by twiddle
factors between them (Cooley & Tukey 1965); ones with great prime factors are convolutions (Bluestein 1970).
"""

import numpy as np

from dlcore import _core, backend
from dlcore.backend.arguments import int_from
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, as_floats, tensor
from dlcore.ops.gradients import with_gradient
from dlcore.ops.operation import operation
from dlcore.ops.patches import extract_sequences

# Sizes of the primitives: greater ones are cut while their lines would not fit the caches; prime factors up to this.
_LARGEST, _LARGEST_PRIME = 1 << 15, 64


def _check_rank(name, x, least):
    if x.ndim < least:
        raise ValueError(f"{name}: expected a tensor of at least {least} axes. Received shape {x.shape}.")
    return x


def _pair(name, x, least=1):
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"{name}: expected a pair (real, imaginary part) of tensors. Received: {type(x).__name__}")
    real, imaginary = as_floats(*x)
    if real.shape != imaginary.shape:
        raise ValueError(f"{name}: both parts must have one shape. Received: {real.shape} and {imaginary.shape}")
    return _check_rank(name, real, least), imaginary


def _wide(x):
    """16-bit floats as float32, which the primitives know."""
    return x if x.dtype in ("float32", "float64") else backend.convert_to_tensor(x, "float32")


def _times(real, imaginary, factors):
    """The pair times complex numbers, a NumPy array."""
    re, im = (backend.convert_to_tensor(part, real.dtype) for part in (factors.real, factors.imag))
    return real * re - imaginary * im, real * im + imaginary * re


def _factors(n):
    """The prime factors of n, ascending."""
    found, factor = [], 2
    while factor * factor <= n:
        while n % factor == 0:
            found.append(factor)
            n //= factor
        factor += 1
    return found + [n] * (n > 1)


def _is_primitive(n):
    return 0 < n <= _LARGEST and _factors(n)[-1:] <= [_LARGEST_PRIME]


def _along(axis, real, imaginary):
    """sum_j x_j exp(-2 pi i j k / n) along an axis, of floats that the primitives know."""
    n = real.shape[axis]
    if n == 0:
        return real, imaginary
    factors = _factors(n)
    if _is_primitive(n):
        return tuple(_core.apply("fft", [real, imaginary], axis=axis))
    real, imaginary = (knp.moveaxis(part, axis, -1) for part in (real, imaginary))
    parts = _convolved(real, imaginary) if len(factors) == 1 else _in_parts(real, imaginary, factors)
    return tuple(knp.moveaxis(part, -1, axis) for part in parts)


def _in_parts(real, imaginary, factors):
    """Over j1, the twiddle factors, over j2 with j = j1 * second + j2; then k = k1 + first * k2."""
    n, first = real.shape[-1], 1
    while first * first * factors[-1] <= n or first == 1:
        first *= factors.pop()
    second = n // first
    lead = [-1 if size is None else size for size in real.shape[:-1]]
    parts = _along(-2, *(knp.reshape(part, [*lead, first, second]) for part in (real, imaginary)))
    turns = np.outer(np.arange(first), np.arange(second)) % n
    parts = _times(*parts, np.exp(-2j * np.pi / n * turns))
    parts = _along(-2, *(knp.swapaxes(part, -1, -2) for part in parts))
    return tuple(knp.reshape(part, [*lead, n]) for part in parts)


def _convolved(real, imaginary):
    """With j k = (j^2 + k^2 - (k - j)^2) / 2, the transform is a convolution with exp(i pi j^2 / n)."""
    n = real.shape[-1]
    size = 1 << (2 * n - 2).bit_length()
    chirp = np.exp(1j * np.pi / n * (np.arange(n) ** 2 % (2 * n)))
    mirrored = np.concatenate([chirp, np.zeros(size - 2 * n + 1), chirp[:0:-1]])
    parts = _times(real, imaginary, chirp.conj())
    parts = _along(-1, *(_resized(part, size) for part in parts))
    parts = _inverse(-1, *_times(*parts, np.fft.fft(mirrored)))
    return _times(*(part[..., :n] for part in parts), chirp.conj())


def _inverse(axis, real, imaginary):
    """The inverse transform: that with the parts exchanged, twice, over n."""
    imaginary, real = _along(axis, imaginary, real)
    return real * (1.0 / real.shape[axis]), imaginary * (1.0 / real.shape[axis])


def _over(axes, transform, real, imaginary):
    """A transform along several axes, in the dtype of the pair."""
    dtype, parts = real.dtype, (_wide(real), _wide(imaginary))
    for axis in axes:
        parts = transform(axis, *parts)
    return tuple(backend.convert_to_tensor(part, dtype) for part in parts)


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
    return _over([-1], _along, *_pair("fft", x))


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
    return _over([-1, -2], _along, *_pair("fft2", x, 2))


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
    return _over([-1, -2], _inverse, *_pair("ifft2", x, 2))


@operation
def rfft(x, fft_length=None):
    """The first half (fft_length // 2 + 1 numbers) of the Fourier transform of real x along the last axis.

    Args:
        x: real tensor.
        fft_length: int: x is cut or filled with zeros to that length; default: its own.
    """
    x = _check_rank("rfft", as_float(x), 1)
    x = x if fft_length is None else _resized(x, int(fft_length))
    n, dtype = x.shape[-1], x.dtype
    if _is_primitive(n):
        parts = _core.apply("rfft", [_wide(x)])
    else:
        parts = _along(-1, _wide(x), knp.zeros_like(_wide(x)))
    return tuple(backend.convert_to_tensor(part[..., : n // 2 + 1], dtype) for part in parts)


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
    if _is_primitive(length):
        found = _core.apply("irfft", [_wide(real), _wide(imaginary)], length=length)
        return backend.convert_to_tensor(found, real.dtype)
    # The other half mirrors the first: conjugates in the opposite order.
    mirrored = slice(1, length - half + 1)
    real = knp.concatenate([real, knp.flip(real[..., mirrored], -1)], -1)
    imaginary = knp.concatenate([imaginary, knp.negative(knp.flip(imaginary[..., mirrored], -1))], -1)
    return _over([-1], _inverse, real, imaginary)[0]


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
    weights = backend.convert_to_tensor(weights, _wide(x).dtype)
    if not _is_primitive(fft_length) or x.shape[-1] < fft_length:
        frames = extract_sequences(x, fft_length, sequence_stride)
        return rfft(knp.multiply(frames, backend.convert_to_tensor(weights, x.dtype)))

    def gradient(inputs, outputs, gradients):
        """Of the frames, as of rfft, and of what they overlap."""
        parts = [knp.zeros_like(y) if d is None else d for y, d in zip(outputs, gradients)]
        share = np.full(fft_length // 2 + 1, fft_length / 2)
        share[[0, -1] if fft_length % 2 == 0 else 0] = fft_length
        frames = irfft([part * backend.convert_to_tensor(share, part.dtype) for part in parts], fft_length)
        return [_resized(_overlapped(frames * weights, sequence_stride), inputs[0].shape[-1])]

    wide = _wide(x)
    parts = _core.apply("stft", [wide, weights], step=sequence_stride)
    return tuple(backend.convert_to_tensor(part, x.dtype) for part in with_gradient(parts, [wide], gradient))


def _overlapped(frames, stride):
    """The sums (..., stride * (frames - 1) + size) of frames (..., frames, size) so far apart."""
    count, size = frames.shape[-2:]
    places = (np.arange(count)[:, None] * stride + np.arange(size)).ravel()
    rows = knp.transpose(knp.reshape(frames, [-1, count * size]))
    zeros = knp.zeros([stride * (count - 1) + size, rows.shape[1]], rows.dtype)
    sums = _core.apply("scatter_add", [zeros, tensor(places.astype("int32")), rows], axis=0)
    return knp.reshape(knp.transpose(sums), [*(-1 if n is None else n for n in frames.shape[:-2]), zeros.shape[0]])


@operation
def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """The signal (..., length) whose `stft` is x: windows are added where they overlap.

    Args:
        x: pair (real, imaginary) of tensors (..., windows, fft_length // 2 + 1).
        sequence_length, sequence_stride, fft_length, window, center: as given to `stft`. With `window=None` the result
            is fft_length / sequence_stride times the signal, as in Keras on JAX, with a window of ones the signal.
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
    share = share * sequence_stride / fft_length if window is None else share
    frames = knp.multiply(frames, backend.convert_to_tensor(weights, frames.dtype))
    signal = _overlapped(frames, sequence_stride)
    signal = signal / backend.convert_to_tensor(np.where(share > 1e-10, share, 1.0), frames.dtype)
    start = fft_length // 2 if center else 0
    stop = start + length if length is not None else total - start
    return signal[..., start:stop]


__all__ = ["fft", "fft2", "ifft2", "irfft", "istft", "rfft", "stft"]
