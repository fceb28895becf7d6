"""Neural network functions: activations, convolution and pooling, normalisation, cross-entropies, attention."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.ops import numpy as knp
from dlcore.ops import volumes
from dlcore.ops._common import as_float, axes_of, float_unary, resolve_axis, tensor, unary
from dlcore.ops.operation import operation

# ---- activations


@operation
def relu(x):
    """max(x, 0)."""
    return unary("relu", x)


@operation
def relu6(x):
    """min(max(x, 0), 6)."""
    return knp.clip(x, 0, 6)


@operation
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return _remember_logits(as_float(x), "sigmoid")


def _remember_logits(x, name, **attrs):
    """The activation of x; a cross-entropy computed of it works on x itself, which is stable and quicker."""
    y = _core.apply(name, [x], **attrs)
    y._logits = (name, x)
    return y


@operation
def sparse_sigmoid(x):
    """0 below -1, 1 above 1, linear between."""
    return knp.clip(knp.multiply(knp.add(x, 1.0), 0.5), 0.0, 1.0)


@operation
def softplus(x):
    """log(1 + exp(x))."""
    return float_unary("softplus", x)


@operation
def softsign(x):
    """x / (1 + |x|)."""
    return knp.divide(x, knp.add(knp.absolute(x), 1))


@operation
def soft_shrink(x, threshold=0.5):
    """x moved towards zero by the threshold, 0 within it."""
    return knp.subtract(x, knp.clip(x, -threshold, threshold))


@operation
def hard_shrink(x, threshold=0.5):
    """x, but 0 where |x| is at most the threshold."""
    x = tensor(x)
    return knp.where(knp.greater(knp.absolute(x), threshold), x, 0)


@operation
def sparse_plus(x):
    """0 below -1, x above 1, (x + 1)^2 / 4 between."""
    x = as_float(x)
    middle = knp.multiply(knp.square(knp.add(x, 1)), 0.25)
    return knp.where(knp.less_equal(x, -1), 0.0, knp.where(knp.less(x, 1), middle, x))


@operation
def silu(x):
    """x * sigmoid(x)."""
    return float_unary("silu", x)


swish = silu


@operation
def squareplus(x, b=4):
    """(x + sqrt(x^2 + b)) / 2."""
    x = as_float(x)
    return knp.multiply(knp.add(x, knp.sqrt(knp.add(knp.square(x), b))), 0.5)


@operation
def log_sigmoid(x):
    """log(sigmoid(x)), without underflow."""
    return knp.negative(softplus(knp.negative(x)))


@operation
def leaky_relu(x, negative_slope=0.2):
    """x, and negative_slope * x below zero."""
    return unary("leaky_relu", x, negative_slope=float(negative_slope))


@operation
def hard_sigmoid(x):
    """0 below -3, 1 above 3, x / 6 + 1/2 between."""
    return knp.multiply(relu6(knp.add(as_float(x), 3.0)), 1.0 / 6.0)


@operation
def hard_silu(x):
    """x * hard_sigmoid(x)."""
    return knp.multiply(x, hard_sigmoid(x))


hard_swish = hard_silu


@operation
def elu(x, alpha=1.0):
    """x, and alpha * (exp(x) - 1) below zero."""
    return unary("elu", x, alpha=float(alpha))


@operation
def selu(x):
    """A scaled elu that keeps mean and variance (Klambauer et al. 2017)."""
    return knp.multiply(1.0507009873554805, elu(x, alpha=1.6732632423543772))


@operation
def gelu(x, approximate=True):
    """x times the normal distribution's mass below x (its tanh approximation by default)."""
    return float_unary("gelu", x, approximate=bool(approximate))


@operation
def celu(x, alpha=1.0):
    """max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))."""
    x = as_float(x)
    below = knp.multiply(knp.expm1(knp.divide(knp.minimum(x, 0.0), alpha)), alpha)
    return knp.add(relu(x), below)


@operation
def glu(x, axis=-1):
    """The first half along the axis times the sigmoid of the second."""
    first, second = knp.split(x, 2, axis)
    return knp.multiply(first, sigmoid(second))


@operation
def tanh_shrink(x):
    """x - tanh(x)."""
    return knp.subtract(x, knp.tanh(x))


@operation
def hard_tanh(x):
    """x between -1 and 1."""
    return knp.clip(x, -1.0, 1.0)


@operation
def threshold(x, threshold, default_value):
    """x above the threshold, else the default value."""
    x = tensor(x)
    return knp.where(knp.greater(x, threshold), x, default_value)


def _over_axes(function, x, axis):
    """function along one axis; several axes are laid out as one."""
    if axis is None:
        return knp.reshape(function(knp.ravel(x), -1), x.shape)
    if isinstance(axis, int):
        return function(x, axis)
    axes = [resolve_axis(a, x.ndim) for a in axis]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    moved = knp.transpose(x, order)
    flat = knp.reshape(moved, [*moved.shape[: x.ndim - len(axes)], -1])
    return knp.transpose(knp.reshape(function(flat, -1), moved.shape), np.argsort(order).tolist())


@operation
def softmax(x, axis=-1):
    """exp(x_i) / sum_j exp(x_j) along the axis."""
    x = as_float(x)
    if axis == -1 or axis == x.ndim - 1:
        return _remember_logits(x, "softmax", axis=-1)
    return _over_axes(lambda t, a: _core.apply("softmax", [t], axis=a), x, axis)


@operation
def log_softmax(x, axis=-1):
    """x_i - log(sum_j exp(x_j)) along the axis."""
    return _over_axes(lambda t, a: _core.apply("log_softmax", [t], axis=a), as_float(x), axis)


@operation
def sparsemax(x, axis=-1):
    """The nearest point of the probability simplex (Martins & Astudillo 2016)."""
    x = as_float(x)
    z = knp.flip(knp.sort(x, axis), axis)
    rank = _core.apply("iota_like", [z], axis=resolve_axis(axis, z.ndim), dtype=z.dtype)
    rank = knp.add(rank, 1.0)
    sums = knp.cumsum(z, axis)
    support = knp.greater(knp.add(1.0, knp.multiply(rank, z)), sums)
    count = knp.sum(backend.convert_to_tensor(support, z.dtype), axis, keepdims=True)
    total = knp.sum(knp.where(support, z, 0.0), axis, keepdims=True)
    return knp.maximum(knp.subtract(x, knp.divide(knp.subtract(total, 1.0), count)), 0.0)


# ---- convolution and pooling


def _pair(value, rank, name):
    """An int or a sequence of `rank` ints as a list."""
    values = [value] * rank if isinstance(value, int) else [int(v) for v in value]
    if len(values) == 1:
        values = values * rank
    if len(values) != rank:
        raise ValueError(f"{name} should be an int or {rank} ints. Received: {name}={value}")
    return values


class _Images:
    """Brings inputs of either data format to NHWC (NDHWC for three spatial axes), and the result back."""

    def __init__(self, x, data_format, function):
        self.rank = x.ndim - 2
        if self.rank not in (1, 2, 3):
            raise ValueError(f"{function}: expected inputs with 1, 2 or 3 spatial axes. Received shape {x.shape}")
        self.first = backend.standardize_data_format(data_format) == "channels_first"

    def enter(self, x):
        if self.first:
            x = knp.moveaxis(x, 1, -1)
        return knp.expand_dims(x, 1) if self.rank == 1 else x

    def leave(self, y):
        if self.rank == 1:
            y = knp.squeeze(y, 1)
        return knp.moveaxis(y, -1, 1) if self.first else y

    def sizes(self, value, name):
        values = _pair(value, self.rank, name)
        return [1, *values] if self.rank == 1 else values

    def kernel(self, kernel):
        return knp.expand_dims(kernel, 0) if self.rank == 1 else kernel


def _padding(padding):
    name = str(padding).lower()
    if name not in ("valid", "same"):
        raise ValueError(f'Unknown padding: {padding!r}. Expected "valid" or "same".')
    return name


def _pool(name, inputs, pool_size, strides, padding, data_format):
    x = as_float(inputs)
    images = _Images(x, data_format, name)
    window = images.sizes(pool_size, "pool_size")
    steps = window if strides is None else images.sizes(strides, "strides")
    return images, images.enter(x), {"window": window, "strides": steps, "padding": _padding(padding)}


@operation
def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The greatest element of each window."""
    images, x, attrs = _pool("max_pool", inputs, pool_size, strides, padding, data_format)
    if images.rank == 3:
        return images.leave(volumes.pool3d("max_pool2d", x, **attrs))
    return images.leave(_core.apply("max_pool2d", [x], **attrs)[0])


@operation
def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The mean of each window; padding is not counted."""
    images, x, attrs = _pool("average_pool", inputs, pool_size, strides, padding, data_format)
    if images.rank == 3:
        return images.leave(volumes.pool3d("avg_pool2d", x, **attrs))
    return images.leave(_core.apply("avg_pool2d", [x], **attrs))


def _adaptive_pool(name, inputs, output_size, data_format, pool_axis):
    """Pools each spatial axis of size n: window i of `out` reaches from floor(i n / out) to ceil((i + 1) n / out)."""
    x = as_float(inputs)
    rank = x.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(f"{name}: expected inputs with 1, 2 or 3 spatial axes. Received shape {x.shape}")
    first = 2 if backend.standardize_data_format(data_format) == "channels_first" else 1
    for axis, out in enumerate(_pair(output_size, rank, "output_size"), first):
        size = x.shape[axis]
        if size is None:
            raise ValueError(f"{name}: the size of axis {axis} must be known. Received shape {x.shape}")
        starts = np.arange(out) * size // out
        x = pool_axis(x, axis, starts, -(-(np.arange(out) + 1) * size // out))
    return x


def _mean_of_windows(x, axis, starts, stops):
    places = np.arange(x.shape[axis])[:, None]
    weights = ((places >= starts) & (places < stops)) / (stops - starts)
    product = _core.apply("matmul", [knp.moveaxis(x, axis, -1), backend.convert_to_tensor(weights, x.dtype)])
    return knp.moveaxis(product, -1, axis)


def _max_of_windows(x, axis, starts, stops):
    places = np.minimum(starts[:, None] + np.arange((stops - starts).max()), stops[:, None] - 1)
    return knp.max(knp.take(x, places, axis), axis=axis + 1)


@operation
def adaptive_average_pool(inputs, output_size, data_format=None):
    """Means over as many windows per spatial axis as output_size says."""
    return _adaptive_pool("adaptive_average_pool", inputs, output_size, data_format, _mean_of_windows)


@operation
def adaptive_max_pool(inputs, output_size, data_format=None):
    """Maxima over as many windows per spatial axis as output_size says."""
    return _adaptive_pool("adaptive_max_pool", inputs, output_size, data_format, _max_of_windows)


@operation
def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution over one to three axes; as many groups as the kernel's input channels go into the inputs' channels.

    Args:
        inputs: (N, [D, H,] W, Cin).
        kernel: ([KD, KH,] KW, Cin / groups, Cout).
    """
    x, kernel = backend.promote(inputs, kernel)
    images = _Images(x, data_format, "conv")
    x, kernel = images.enter(x), images.kernel(kernel)
    channels, per_group = x.shape[-1], kernel.shape[-2]
    if channels is not None and (per_group == 0 or channels % per_group):
        raise ValueError(
            f"conv: the input has {channels} channels, no multiple of the kernel's {per_group} input channels. "
            f"Received: inputs.shape={inputs.shape}, kernel.shape={kernel.shape}"
        )
    attrs = {
        "strides": images.sizes(strides, "strides"),
        "dilation": images.sizes(dilation_rate, "dilation_rate"),
        "padding": _padding(padding),
        "groups": channels // per_group,
    }
    if images.rank == 3:
        return images.leave(volumes.conv3d(x, kernel, **attrs))
    return images.leave(_core.apply("conv2d", [x, kernel], **attrs))


@operation
def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Each channel convolved on its own with `multiplier` filters.

    Args:
        inputs: (N, [H,] W, C).
        kernel: ([KH,] KW, C, multiplier).
    """
    kernel = tensor(kernel)
    *window, channels, multiplier = kernel.shape
    return conv(
        inputs, knp.reshape(kernel, [*window, 1, channels * multiplier]), strides, padding, data_format, dilation_rate
    )


@operation
def separable_conv(
    inputs, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None, dilation_rate=1
):
    """A depthwise convolution, then a 1x1 one."""
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, 1, "valid", data_format)


@operation
def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    """The transpose of a convolution: upsampling by the strides.

    Args:
        inputs: (N, [D, H,] W, Cin).
        kernel: ([KD, KH,] KW, Cout, Cin).
    """
    x, kernel = backend.promote(inputs, kernel)
    images = _Images(x, data_format, "conv_transpose")
    if images.rank == 3:
        added = None if output_padding is None else _pair(output_padding, 3, "output_padding")
        sizes = images.sizes(strides, "strides"), images.sizes(dilation_rate, "dilation_rate")
        return images.leave(volumes.conv3d_transpose(images.enter(x), kernel, *sizes, _padding(padding), added))
    attrs = {}
    if output_padding is not None:
        added = _pair(output_padding, images.rank, "output_padding")
        attrs["output_padding"] = [0, *added] if images.rank == 1 else added
    return images.leave(
        _core.apply(
            "conv2d_transpose",
            [images.enter(x), images.kernel(kernel)],
            strides=images.sizes(strides, "strides"),
            dilation=images.sizes(dilation_rate, "dilation_rate"),
            padding=_padding(padding),
            **attrs,
        )
    )


# ---- encodings


@operation
def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """1 at the index and 0 elsewhere, along a new axis."""
    x = tensor(x)
    if x.dtype not in ("int32", "int64"):
        x = backend.convert_to_tensor(x, "int32")
    hot = _core.apply("one_hot", [x], depth=int(num_classes), dtype=backend.standardize_dtype(dtype))
    return hot if axis in (-1, x.ndim) else knp.moveaxis(hot, -1, axis)


@operation
def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """1 at all the indices of a row."""
    num_classes = kwargs.get("num_tokens", num_classes)
    if num_classes is None:
        raise ValueError("multi_hot: `num_classes` must be specified.")
    inputs = tensor(inputs)
    summed = 1 if inputs.ndim > 1 else 0
    return knp.max(one_hot(inputs, num_classes, axis, dtype), axis=summed)


@operation
def polar(abs_, angle):
    """The complex numbers with these absolute values and angles, as a pair (real part, imaginary part)."""
    abs_, angle = (as_float(x) for x in backend.promote(abs_, angle))
    return knp.multiply(abs_, knp.cos(angle)), knp.multiply(abs_, knp.sin(angle))


# ---- cross-entropies


def _logits_of(output, name, from_logits):
    """The logits and True when they are known, else the output and False."""
    known = getattr(output, "_logits", None)
    if from_logits or known is None or known[0] != name:
        return output, from_logits
    return known[1], True


@operation
def binary_crossentropy(target, output, from_logits=False):
    """-(t log o + (1 - t) log(1 - o)), element by element."""
    output, from_logits = _logits_of(output, "sigmoid", from_logits)
    target, output = backend.promote(target, as_float(output))
    _check_same_shape("binary_crossentropy", target, output)
    if from_logits:
        return _core.apply("sigmoid_xent", [output, target])
    epsilon = backend.epsilon()
    output = knp.clip(output, epsilon, 1.0 - epsilon)
    positive = knp.multiply(target, knp.log(output))
    negative = knp.multiply(knp.subtract(1.0, target), knp.log(knp.subtract(1.0, output)))
    return knp.negative(knp.add(positive, negative))


@operation
def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-sum_i t_i log(o_i) along the axis."""
    output, from_logits = _logits_of(output, "softmax", from_logits)
    target, output = backend.promote(target, as_float(output))
    if target.ndim < 1:
        raise ValueError(f"categorical_crossentropy: at least one axis is needed. Received: {target.shape}")
    _check_same_shape("categorical_crossentropy", target, output)
    if from_logits:
        target, output = _channels_last(target, axis), _channels_last(output, axis)
        return _core.apply("softmax_xent", [output, target])
    epsilon = backend.epsilon()
    output = knp.divide(output, knp.sum(output, axis, keepdims=True))
    return knp.negative(knp.sum(knp.multiply(target, knp.log(knp.clip(output, epsilon, 1.0 - epsilon))), axis))


@operation
def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-log(o[t]) along the axis, for integer classes t."""
    output, from_logits = _logits_of(output, "softmax", from_logits)
    output, target = as_float(output), tensor(target)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = knp.squeeze(target, -1)
    if output.ndim < 1:
        raise ValueError(f"sparse_categorical_crossentropy: the output has no axis of classes: {output.shape}")
    output = _channels_last(output, axis)
    if not _agree(target.shape, output.shape[:-1]):
        raise ValueError(
            "sparse_categorical_crossentropy: the labels' shape must be the output's without the axis of classes. "
            f"Received: target.shape={target.shape}, output.shape={output.shape}. For one-hot labels use the loss "
            "'categorical_crossentropy'."
        )
    if target.dtype not in ("int32", "int64"):
        target = backend.convert_to_tensor(target, "int32")
    if from_logits:
        return _core.apply("sparse_softmax_xent", [output, target])
    return _core.apply("sparse_xent", [output, target], epsilon=backend.epsilon())


def _channels_last(x, axis):
    return x if axis in (-1, x.ndim - 1) else knp.moveaxis(x, axis, -1)


def _agree(shape, other):
    return len(shape) == len(other) and all(a is None or b is None or a == b for a, b in zip(shape, other))


def _check_same_shape(name, target, output):
    if not _agree(target.shape, output.shape):
        raise ValueError(
            f"{name}: target and output must have the same shape. "
            f"Received: target.shape={target.shape}, output.shape={output.shape}"
        )


# ---- normalisation


@operation
def moments(x, axes, keepdims=False, synchronized=False):
    """Mean and variance over the axes."""
    return knp.mean(x, axes, keepdims), knp.var(x, axes, keepdims)


@operation
def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, with statistics along the axis."""
    x = as_float(x)
    shape = [1] * x.ndim
    shape[axis] = -1
    mean, variance = (knp.reshape(backend.convert_to_tensor(v, x.dtype), shape) for v in (mean, variance))
    factor = float_unary("rsqrt", knp.add(variance, epsilon))
    if scale is not None:
        factor = knp.multiply(factor, knp.reshape(backend.convert_to_tensor(scale, x.dtype), shape))
    shift = knp.negative(knp.multiply(mean, factor))
    if offset is not None:
        shift = knp.add(shift, knp.reshape(backend.convert_to_tensor(offset, x.dtype), shape))
    return knp.add(knp.multiply(x, factor), shift)


@operation
def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with mean and variance of each example over the axes."""
    x = as_float(x)
    epsilon = backend.epsilon() if epsilon is None else epsilon
    axes = sorted(resolve_axis(a, x.ndim) for a in axes_of(axis))
    shape = [x.shape[a] for a in axes]
    if axes == list(range(axes[0], x.ndim)) and not rms_scaling and None not in shape:
        gamma = knp.ones(shape, x.dtype) if gamma is None else backend.convert_to_tensor(gamma, x.dtype)
        beta = knp.zeros(shape, x.dtype) if beta is None else backend.convert_to_tensor(beta, x.dtype)
        return _core.apply("layer_norm", [x, gamma, beta], epsilon=float(epsilon), axis=axes[0])[0]
    spread = [x.shape[a] if a in axes else 1 for a in range(x.ndim)]
    mean, variance = moments(x, axes, keepdims=True)
    y = knp.multiply(x if rms_scaling else knp.subtract(x, mean), float_unary("rsqrt", knp.add(variance, epsilon)))
    if gamma is not None:
        y = knp.multiply(y, knp.reshape(backend.convert_to_tensor(gamma, x.dtype), spread))
    return (
        y if beta is None or rms_scaling else knp.add(y, knp.reshape(backend.convert_to_tensor(beta, x.dtype), spread))
    )


@operation
def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    """x / sqrt(mean(x^2) + epsilon) * scale (Zhang & Sennrich 2019)."""
    x = as_float(x)
    squares = knp.mean(knp.square(x), axis, keepdims=True)
    epsilon = backend.epsilon() if epsilon is None else epsilon
    y = knp.multiply(x, float_unary("rsqrt", knp.add(squares, epsilon)))
    return y if scale is None else knp.multiply(y, scale)


@operation
def psnr(x1, x2, max_val):
    """Peak signal-to-noise ratio in decibel."""
    error = knp.mean(knp.square(knp.subtract(x1, x2)))
    return knp.multiply(10.0, knp.subtract(2 * math.log10(max_val), knp.log10(error)))


# ---- attention


@operation
def dot_product_attention(
    query,
    key,
    value,
    bias=None,
    mask=None,
    scale=None,
    is_causal=False,
    flash_attention=None,
    attn_logits_soft_cap=None,
):
    """softmax(q k^T * scale + bias) v per head.

    Args:
        query: (B, T, heads, D).
        key: (B, S, heads, D).
        value: (B, S, heads, D).
        bias: broadcast to (B, heads, T, S).
        mask: bool, broadcast to (B, heads, T, S); False leaves a position out.
    """
    query, key, value = (as_float(t) for t in backend.promote(query, key, value))
    if query.ndim != 4:
        raise ValueError(
            "dot_product_attention: expected query, key and value of shape (batch, time, heads, size). "
            f"Received: {query.shape}, {key.shape}, {value.shape}"
        )
    heads, shared = query.shape[2], key.shape[2]
    if shared != heads:
        key, value = knp.repeat(key, heads // shared, 2), knp.repeat(value, heads // shared, 2)
    scale = 1.0 / math.sqrt(key.shape[-1]) if scale is None else scale
    q, k, v = (knp.transpose(t, [0, 2, 1, 3]) for t in (query, key, value))
    scores = knp.multiply(_core.apply("matmul", [q, k], transpose_b=True), scale)
    if attn_logits_soft_cap is not None:
        scores = knp.multiply(knp.tanh(knp.divide(scores, attn_logits_soft_cap)), attn_logits_soft_cap)
    if bias is not None:
        scores = knp.add(scores, bias)
    if is_causal:
        rows = _core.apply("iota_like", [scores], axis=2, dtype="int32")
        columns = _core.apply("iota_like", [scores], axis=3, dtype="int32")
        seen = knp.less_equal(columns, rows)
        mask = seen if mask is None else knp.logical_and(mask, seen)
    if mask is not None:
        scores = knp.where(mask, scores, -6e4 if scores.dtype == "float16" else -1e30)
    return knp.transpose(_core.apply("matmul", [_core.apply("softmax", [scores], axis=-1), v]), [0, 2, 1, 3])


def _blocks(x, data_format):
    """(N, H, W, C) of either data format."""
    return knp.moveaxis(x, 1, -1) if backend.standardize_data_format(data_format) == "channels_first" else tensor(x)


@operation
def depth_to_space(x, block_size, data_format="channels_last"):
    """Channels laid out as blocks of pixels."""
    y = _blocks(x, data_format)
    n, h, w, c = y.shape
    b = block_size
    y = knp.transpose(knp.reshape(y, [n, h, w, b, b, c // b**2]), [0, 1, 3, 2, 4, 5])
    y = knp.reshape(y, [n, h * b, w * b, c // b**2])
    return knp.moveaxis(y, -1, 1) if data_format == "channels_first" else y


@operation
def space_to_depth(x, block_size, data_format="channels_last"):
    """Blocks of pixels laid out as channels."""
    y = _blocks(x, data_format)
    n, h, w, c = y.shape
    b = block_size
    y = knp.transpose(knp.reshape(y, [n, h // b, b, w // b, b, c]), [0, 1, 3, 2, 4, 5])
    y = knp.reshape(y, [n, h // b, w // b, c * b**2])
    return knp.moveaxis(y, -1, 1) if data_format == "channels_first" else y


__all__ = [
    name
    for name, value in list(globals().items())
    if not name.startswith("_") and getattr(value, "__module__", None) == __name__
]
