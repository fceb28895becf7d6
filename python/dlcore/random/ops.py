"""Random tensors. The numbers are a pure function of the seed: the same on any number of threads."""

from dlcore import _core, backend, ops
from dlcore.ops.operation import operation
from dlcore.random.seed_generator import draw_seed


def _shape(shape):
    return [-1 if size is None else int(size) for size in shape]


def _draw(name, shape, seed, dtype, **attrs):
    dtype = backend.standardize_dtype(dtype)
    return _core.apply(name, [draw_seed(seed)], shape=_shape(shape), dtype=dtype, **attrs)


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """From the normal distribution."""
    return _draw("random_normal", shape, seed, dtype, mean=float(mean), stddev=float(stddev))


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """From the normal distribution; what lies beyond two standard deviations is drawn again."""
    return _draw("random_truncated_normal", shape, seed, dtype, mean=float(mean), stddev=float(stddev))


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Evenly from [minval, maxval)."""
    dtype = backend.standardize_dtype(dtype)
    if backend.is_int_dtype(dtype):
        return randint(shape, minval, maxval, dtype, seed)
    return _draw("random_uniform", shape, seed, dtype, low=float(minval), high=float(maxval))


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Integers evenly from [minval, maxval)."""
    return _draw("random_int", shape, seed, dtype, low=int(minval), high=int(maxval))


@operation
def dropout(inputs, rate, noise_shape=None, seed=None):
    """Each element is zero with probability `rate`, the others are divided by 1 - rate.

    Where noise_shape is 1, the decision is shared along the axis.
    """
    x = backend.convert_to_tensor(inputs)
    axes = [] if noise_shape is None else [a for a, size in enumerate(noise_shape) if size == 1 and x.shape[a] != 1]
    return _core.apply("dropout", [x, draw_seed(seed)], rate=float(rate), noise_axes=axes)


@operation
def shuffle(x, axis=0, seed=None):
    """The slices along the axis in random order."""
    x = backend.convert_to_tensor(x)
    order = _core.apply("random_permutation", [draw_seed(seed)], n=x.shape[axis])
    return ops.take(x, order, axis)


def _gumbel(like, seed):
    noise = _core.apply("random_uniform", [draw_seed(seed), like], low=1e-7, high=1.0, dtype=like.dtype)
    return ops.negative(ops.log(ops.negative(ops.log(noise))))


@operation
def categorical(logits, num_samples, dtype="int32", seed=None):
    """Indices [batch, num_samples] drawn by the logits of each row (the Gumbel-max trick)."""
    logits = ops.repeat(ops.expand_dims(backend.convert_to_tensor(logits), 1), int(num_samples), axis=1)
    return ops.cast(ops.argmax(ops.add(logits, _gumbel(logits, seed)), axis=-1), dtype)
