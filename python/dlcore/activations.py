"""Activation functions: y = f(x), elementwise but for the softmax family."""

from dlcore import ops
from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.registry import Catalogue as _Catalogue


def linear(x):
    """y = x."""
    return x


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """Rectified linear unit: y = max(x, 0), with an optional leak, ceiling and threshold.

    y = max_value for x >= max_value, x for threshold < x < max_value, negative_slope * (x - threshold) below.

    Args:
        x: tensor.
        negative_slope: float, default 0.0: slope below the threshold.
        max_value: float or None (default): where the function saturates.
        threshold: float, default 0.0: values below it are damped or set to zero.

    Example:

    >>> relu(ops.array([-2.0, 3.0]), max_value=2.5).numpy()
    array([0. , 2.5], dtype=float32)
    """
    if threshold == 0 and max_value is None:
        return ops.leaky_relu(x, negative_slope=negative_slope) if negative_slope != 0.0 else ops.relu(x)
    x = ops.convert_to_tensor(x)
    below = negative_slope * (x - threshold) if negative_slope else ops.zeros_like(x)
    above = x if max_value is None else ops.clip(x, 0.0, max_value)
    return ops.where(x > threshold, above, below)


def leaky_relu(x, negative_slope=0.2):
    """y = x for x > 0, negative_slope * x otherwise (Maas et al. 2013)."""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def relu6(x):
    """y = min(max(x, 0), 6)."""
    return ops.relu6(x)


def softmax(x, axis=-1):
    """y_i = exp(x_i) / sum_j exp(x_j) along `axis`.

    Args:
        x: tensor.
        axis: int or tuple of ints, default -1.

    Warns where the axis has one element, of which the softmax is 1 whatever x is.
    """
    return ops.softmax(x, axis=axis)


def log_softmax(x, axis=-1):
    """y_i = x_i - log(sum_j exp(x_j)) along `axis`.

    Args:
        x: tensor.
        axis: int, default -1.
    """
    return ops.log_softmax(x, axis=axis)


def elu(x, alpha=1.0):
    """y = x for x > 0, alpha * (exp(x) - 1) otherwise (Clevert et al. 2016)."""
    return ops.elu(x, alpha=alpha)


def selu(x):
    """y = scale * elu(x, alpha) with the constants that keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return ops.selu(x)


def softplus(x):
    """y = log(1 + exp(x))."""
    return ops.softplus(x)


def softsign(x):
    """y = x / (1 + |x|)."""
    return ops.softsign(x)


def silu(x):
    """y = x * sigmoid(x), also called swish (Ramachandran et al. 2017)."""
    return ops.silu(x)


def gelu(x, approximate=False):
    """y = x * P(X <= x) for a standard normal X; `approximate` takes the tanh form (Hendrycks & Gimpel 2016)."""
    return ops.gelu(x, approximate=approximate)


def tanh(x):
    """y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return ops.tanh(x)


def sigmoid(x):
    """y = 1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def exponential(x):
    """y = exp(x)."""
    return ops.exp(x)


def hard_sigmoid(x):
    """y = min(max(x / 6 + 1/2, 0), 1): sigmoid in three straight lines."""
    return ops.hard_sigmoid(x)


def hard_silu(x):
    """y = x * hard_sigmoid(x), also called hard swish (Howard et al. 2019)."""
    return ops.hard_silu(x)


def mish(x):
    """y = x * tanh(softplus(x)) (Misra 2019)."""
    x = ops.convert_to_tensor(x)
    return x * ops.tanh(ops.softplus(x))


def celu(x, alpha=1.0):
    """y = max(x, 0) + min(0, alpha * (exp(x / alpha) - 1)): an elu with a continuous slope (Barron 2017)."""
    return ops.celu(x, alpha=alpha)


def glu(x, axis=-1):
    """y = a * sigmoid(b), a and b the halves of x along `axis` (Dauphin et al. 2017)."""
    return ops.glu(x, axis=axis)


def hard_tanh(x):
    """y = min(max(x, -1), 1)."""
    return ops.hard_tanh(x)


def hard_shrink(x, threshold=0.5):
    """y = x for |x| > threshold, 0 otherwise."""
    return ops.hard_shrink(x, threshold=threshold)


def soft_shrink(x, threshold=0.5):
    """y = x moved towards zero by the threshold, 0 within it."""
    return ops.soft_shrink(x, threshold=threshold)


def tanh_shrink(x):
    """y = x - tanh(x)."""
    return ops.tanh_shrink(x)


def threshold(x, threshold, default_value):
    """y = x for x > threshold, default_value otherwise."""
    return ops.threshold(x, threshold, default_value)


def log_sigmoid(x):
    """y = log(sigmoid(x)), without underflow."""
    return ops.log_sigmoid(x)


def sparse_sigmoid(x):
    """y = 0 below -1, 1 above 1, (x + 1) / 2 between."""
    return ops.sparse_sigmoid(x)


def sparse_plus(x):
    """y = 0 below -1, x above 1, (x + 1)^2 / 4 between."""
    return ops.sparse_plus(x)


def sparsemax(x, axis=-1):
    """y = the point of the probability simplex nearest to x along `axis` (Martins & Astudillo 2016)."""
    return ops.sparsemax(x, axis=axis)


def squareplus(x, b=4):
    """y = (x + sqrt(x^2 + b)) / 2: softplus without exponentials (Barron 2021)."""
    return ops.squareplus(x, b=b)


_catalogue = _Catalogue(
    "activation",
    "keras.activations",
    [
        linear, relu, leaky_relu, relu6, softmax, log_softmax, elu, selu, softplus, softsign, silu, gelu, tanh, sigmoid,
        exponential, hard_sigmoid, hard_silu, mish, celu, glu, hard_tanh, hard_shrink, soft_shrink, tanh_shrink,
        threshold, log_sigmoid, sparse_sigmoid, sparse_plus, sparsemax, squareplus,
    ],
    aliases={"swish": silu, "hard_swish": hard_silu},
)  # fmt: skip

swish = silu
hard_swish = hard_silu


def get(identifier):
    """The activation function for a name, a configuration or a callable; None means `linear`.

    Raises:
        ValueError: an unknown name; the nearest ones are listed.
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return linear if identifier is None else _catalogue.get(identifier)


def serialize(activation):
    """The name of a built-in activation, or the configuration of a user's own."""
    if hasattr(activation, "get_config"):  # a layer, or a user's own object
        from dlcore.saving import serialize_keras_object

        return serialize_keras_object(activation)
    config = _catalogue.serialize(activation)
    is_built_in = config["class_name"] == "function" and config["config"] in _catalogue.objects
    return config["config"] if is_built_in else config


def deserialize(config, custom_objects=None):
    """The activation function from what `serialize` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    if isinstance(config, dict) and config.get("class_name", "function") != "function":
        from dlcore.saving import deserialize_keras_object

        return deserialize_keras_object(config, custom_objects)
    return _catalogue.deserialize(config, custom_objects)


__getattr__ = _unknown_attributes(__name__)
