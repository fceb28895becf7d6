"""Random tensors. The numbers are a pure function of the seed: the same on any number of threads."""

import math

import numpy as np

from dlcore import _core, backend, ops
from dlcore.ops._common import resolve_axis
from dlcore.ops.operation import operation
from dlcore.random.seed_generator import draw_seed


def _shape(shape):
    if isinstance(shape, int):
        return [shape]
    return [-1 if size is None else int(size) for size in shape]


def _draw(name, shape, seed, dtype, **attrs):
    dtype = backend.standardize_dtype(dtype)
    return _core.apply(name, [draw_seed(seed)], shape=_shape(shape), dtype=dtype, **attrs)


def _draw_scaled(name, shape, seed, dtype, place, scale):
    """place + scale * numbers of the standard distribution; a place and a scale per number if they are tensors."""
    numbers = _draw(name, shape, seed, dtype)
    place, scale = (backend.convert_to_tensor(x, numbers.dtype) for x in (place, scale))
    return ops.add(place, ops.multiply(scale, numbers))


def _are_numbers(*parameters):
    return all(isinstance(p, (int, float, np.number)) for p in parameters)


@operation
def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """From the normal distribution.

    Args:
        shape: tuple of ints.
        mean, stddev: floats, default 0.0 and 1.0, or tensors that broadcast to the shape.
        dtype: of the floats, default `floatx()`.
        seed: int, SeedGenerator or None.
    """
    if not _are_numbers(mean, stddev):
        return _draw_scaled("random_normal", shape, seed, dtype, mean, stddev)
    return _draw("random_normal", shape, seed, dtype, mean=float(mean), stddev=float(stddev))


@operation
def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """From the normal distribution; what lies beyond two standard deviations is drawn again.

    Args:
        shape: tuple of ints.
        mean, stddev: floats, default 0.0 and 1.0, or tensors that broadcast to the shape: of the distribution that is
            not cut.
        dtype: of the floats, default `floatx()`.
        seed: int, SeedGenerator or None.
    """
    if not _are_numbers(mean, stddev):
        return _draw_scaled("random_truncated_normal", shape, seed, dtype, mean, stddev)
    return _draw("random_truncated_normal", shape, seed, dtype, mean=float(mean), stddev=float(stddev))


@operation
def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Evenly from [minval, maxval).

    Args:
        shape: tuple of ints.
        minval, maxval: numbers, default 0.0 and 1.0, or tensors that broadcast to the shape.
        dtype: of the numbers, floats or integers, default `floatx()`.
        seed: int, SeedGenerator or None.
    """
    dtype = backend.standardize_dtype(dtype)
    if backend.is_int_dtype(dtype):
        return randint(shape, minval, maxval, dtype, seed)
    if not _are_numbers(minval, maxval):
        return _draw_scaled("random_uniform", shape, seed, dtype, minval, ops.subtract(maxval, minval))
    return _draw("random_uniform", shape, seed, dtype, low=float(minval), high=float(maxval))


@operation
def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Integers evenly from [minval, maxval).

    Args:
        shape: tuple of ints.
        minval, maxval: ints, or tensors of ints that broadcast to the shape.
        dtype: of the integers, default `"int32"`.
        seed: int, SeedGenerator or None.
    """
    if not _are_numbers(minval, maxval):
        width = ops.cast(ops.subtract(maxval, minval), "float64")
        above = ops.floor(ops.multiply(width, _draw("random_uniform", shape, seed, "float64")))
        return ops.add(ops.cast(minval, dtype), ops.cast(above, dtype))
    return _draw("random_int", shape, seed, dtype, low=int(minval), high=int(maxval))


@operation
def dropout(inputs, rate, noise_shape=None, seed=None):
    """Each element is zero with probability `rate`, the others are divided by 1 - rate.

    Args:
        inputs: floats of any shape.
        rate: float in [0, 1].
        noise_shape: None (default), or a shape of the rank of `inputs`: where it is 1, the decision is shared along the
            axis.
        seed: int, SeedGenerator or None.

    Reference: Srivastava et al. 2014.
    """
    x = backend.convert_to_tensor(inputs)
    if rate == 1:
        return ops.zeros_like(x)
    axes = [] if noise_shape is None else [a for a, size in enumerate(noise_shape) if size == 1 and x.shape[a] != 1]
    return _core.apply("dropout", [x, draw_seed(seed)], rate=float(rate), noise_axes=axes)


@operation
def shuffle(x, axis=0, seed=None):
    """The slices of x along the axis (default 0), whose size must be known, in random order.

    Args:
        x: tensor.
        axis: int.
        seed: int, SeedGenerator or None: the global stream.
    """
    x = backend.convert_to_tensor(x)
    axis = resolve_axis(axis, x.ndim)
    order = _core.apply("random_permutation", [draw_seed(seed)], n=x.shape[axis])
    return ops.take(x, order, axis)


def _gumbel(like, seed):
    noise = _core.apply("random_uniform", [draw_seed(seed), like], low=1e-7, high=1.0, dtype=like.dtype)
    return ops.negative(ops.log(ops.negative(ops.log(noise))))


@operation
def categorical(logits, num_samples, dtype="int32", seed=None):
    """Indices (batch, num_samples) drawn by the logits (batch, classes) of each row (the Gumbel-max trick).

    Args:
        logits: floats: logarithms of probabilities, up to a constant per row.
        num_samples: int.
        dtype: of the indices, default `"int32"`.
        seed: int, SeedGenerator or None.
    """
    logits = backend.convert_to_tensor(logits)
    if logits.ndim != 2:
        raise ValueError(f"categorical: expected logits of shape (batch, classes). Received shape {logits.shape}.")
    logits = ops.repeat(ops.expand_dims(logits, 1), int(num_samples), axis=1)
    return ops.cast(ops.argmax(ops.add(logits, _gumbel(logits, seed)), axis=-1), dtype)


# ---- distributions that are sampled by rejection: of several candidates per element the first that fits is taken

# A candidate of the gamma distribution fits with a probability above 0.95, one of the binomial above 0.85.
_CANDIDATES = 12


def _seeds(seed, count):
    """Seed tensors for several draws of one call, far from those of others."""
    drawn = draw_seed(seed)
    return [_core.apply("add", [drawn, _core.tensor(np.array([k << 48, 0]))]) for k in range(count)]


def _parameter(name, value, shape, dtype):
    """A parameter of a distribution as floats of the shape of the numbers to be drawn."""
    value = backend.convert_to_tensor(value, "float64" if dtype == "float64" else "float32")
    sizes = _shape(shape)
    if -1 in sizes:
        raise ValueError(f"random.{name}: the shape must be known. Received: {shape}")
    return ops.broadcast_to(value, sizes)


def _float_dtype(name, dtype):
    dtype = backend.standardize_dtype(dtype)
    if not backend.is_float_dtype(dtype):
        raise ValueError(f"random.{name}: expected a float dtype. Received: {dtype}")
    return dtype


def _candidates(name, seed, like, **attrs):
    """Random numbers of the shape [*like, candidates]."""
    many = ops.repeat(ops.expand_dims(like, -1), _CANDIDATES, axis=-1)
    return _core.apply(name, [seed, many], dtype=like.dtype, **attrs)


def _first_that_fits(candidates, fits):
    place = ops.argmax(ops.cast(fits, "int32"), axis=-1, keepdims=True)
    return ops.squeeze(ops.take_along_axis(candidates, place, axis=-1), -1)


def log_gamma_numbers(alpha, seed):
    """Logarithms of numbers from gamma distributions, one per element of alpha (Marsaglia & Tsang 2000).

    Numbers for an alpha below 1 are those for alpha + 1 times u^(1 / alpha), which may be too small for a float.
    """
    normal_seed, uniform_seed, boost_seed = _seeds(seed, 3)
    small = ops.less(alpha, 1.0)
    d = ops.expand_dims(ops.where(small, alpha + 1.0, alpha) - 1.0 / 3.0, -1)
    x = _candidates("random_normal", normal_seed, alpha, mean=0.0, stddev=1.0)
    u = _candidates("random_uniform", uniform_seed, alpha, low=1e-7, high=1.0)
    root = 1.0 + x / ops.sqrt(9.0 * d)
    positive = ops.greater(root, 0.0)
    v = ops.power(ops.where(positive, root, 1.0), 3)
    fits = ops.logical_and(positive, ops.less(ops.log(u), 0.5 * x * x + d * (1.0 - v + ops.log(v))))
    numbers = _first_that_fits(ops.log(d * v), fits)
    boost = _core.apply("random_uniform", [boost_seed, alpha], low=1e-7, high=1.0, dtype=alpha.dtype)
    return ops.stop_gradient(numbers + ops.where(small, ops.log(boost) / ops.where(small, alpha, 1.0), 0.0))


def beta_numbers(alpha, beta, seed):
    """Numbers from beta distributions, one per element of alpha and beta: of two gamma numbers, the first's share."""
    both = log_gamma_numbers(ops.stack([alpha, beta]), seed)
    return ops.sigmoid(both[0] - both[1])


@operation
def gamma(shape, alpha, dtype=None, seed=None):
    """From the gamma distribution with the density x^(alpha - 1) exp(-x) / gamma(alpha).

    Args:
        shape: tuple of ints.
        alpha: float > 0, or a tensor that broadcasts to the shape.
        dtype: of the floats, default `floatx()`.
        seed: int, SeedGenerator or None.
    """
    dtype = _float_dtype("gamma", dtype)
    alpha = _parameter("gamma", alpha, shape, dtype)
    return ops.cast(ops.exp(log_gamma_numbers(alpha, seed)), dtype)


@operation
def beta(shape, alpha, beta, dtype=None, seed=None):
    """From the beta distribution with the density proportional to x^(alpha - 1) (1 - x)^(beta - 1).

    Args:
        shape: tuple of ints.
        alpha, beta: floats > 0, or tensors that broadcast to the shape.
        dtype: of the floats, default `floatx()`.
        seed: int, SeedGenerator or None.
    """
    dtype = _float_dtype("beta", dtype)
    alpha, beta = (_parameter("beta", value, shape, dtype) for value in (alpha, beta))
    return ops.cast(beta_numbers(alpha, beta, seed), dtype)


@operation
def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """How many of `counts` trials succeed, each with the given probability.

    Args:
        shape: tuple of ints.
        counts: number >= 0, or a tensor that broadcasts to the shape.
        probabilities: float in [0, 1], or a tensor that broadcasts to the shape.
        dtype: of the floats, default `floatx()`.
        seed: int, SeedGenerator or None.
    """
    dtype = _float_dtype("binomial", dtype)
    n, p = (_parameter("binomial", value, shape, dtype) for value in (counts, probabilities))
    seeds = _seeds(seed, 3)
    # Failures are counted where successes are the rule.
    swapped = ops.greater(p, 0.5)
    q = ops.where(swapped, 1.0 - p, p)
    many = ops.greater_equal(n * q, 10.0)
    drawn = ops.where(many, _many_successes(n, q, many, seeds[:2]), _few_successes(n, q, seeds[2]))
    return ops.cast(ops.stop_gradient(ops.where(swapped, n - drawn, drawn)), dtype)


def _few_successes(n, p, seed):
    """By inversion, for n p < 10: the number of k whose sum of probabilities up to k lies below a random u."""
    u = _core.apply("random_uniform", [seed, n], low=0.0, high=1.0, dtype=n.dtype)
    odds = p / (1.0 - p)
    weight = ops.exp(n * ops.log1p(-p))
    total, drawn = weight, ops.zeros_like(n)
    for k in range(1, 46):
        drawn = drawn + ops.cast(ops.less_equal(total, u), n.dtype)
        weight = weight * odds * ops.maximum(n - (k - 1.0), 0.0) / k
        total = total + weight
    return ops.minimum(drawn, n)


def _many_successes(n, p, many, seeds):
    """By transformed rejection, for n p >= 10 and p <= 1/2 (Hoermann 1993, algorithm BTRS)."""
    n, p = ops.where(many, n, 40.0), ops.where(many, p, 0.5)
    n, p = ops.expand_dims(n, -1), ops.expand_dims(p, -1)
    like = n[..., 0]
    u = _candidates("random_uniform", seeds[0], like, low=-0.5, high=0.5)
    v = _candidates("random_uniform", seeds[1], like, low=1e-7, high=1.0)
    spread = ops.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    us = 0.5 - ops.absolute(u)
    k = ops.floor((2.0 * a / ops.maximum(us, 1e-7) + b) * u + centre)
    inside = ops.logical_and(ops.greater_equal(k, 0.0), ops.less_equal(k, n))
    k = ops.clip(k, 0.0, n)
    at_once = ops.logical_and(ops.greater_equal(us, 0.07), ops.less_equal(v, 0.92 - 4.2 / b))
    height = (2.83 + 5.1 / b) * spread
    mode = ops.floor((n + 1.0) * p)
    log_v = ops.log(v * height / (a / ops.square(ops.maximum(us, 1e-7)) + b))
    bound = (
        (mode + 0.5) * ops.log((mode + 1.0) * (1.0 - p) / (p * (n - mode + 1.0)))
        + _stirling_rest(mode)
        + _stirling_rest(n - mode)
        + (n + 1.0) * ops.log((n - mode + 1.0) / (n - k + 1.0))
        + (k + 0.5) * ops.log(p * (n - k + 1.0) / ((k + 1.0) * (1.0 - p)))
        - _stirling_rest(k)
        - _stirling_rest(n - k)
    )
    fits = ops.logical_and(inside, ops.logical_or(at_once, ops.less_equal(log_v, bound)))
    return _first_that_fits(k, fits)


def _stirling_rest(k):
    """log(k!) less Stirling's formula log(sqrt(2 pi)) + (k + 1/2) log(k + 1) - (k + 1)."""
    exact = [
        math.lgamma(i + 1) - (0.5 * math.log(2 * math.pi) + (i + 0.5) * math.log(i + 1) - (i + 1)) for i in range(10)
    ]
    few = ops.take(ops.convert_to_tensor(exact, k.dtype), ops.cast(ops.minimum(k, 9.0), "int32"))
    square = ops.square(k + 1.0)
    series = (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1.0)
    return ops.where(ops.less(k, 10.0), few, series)
