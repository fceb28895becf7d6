"""What the architectures have in common: arguments checked, images in, the top, published weights."""

import dataclasses
import functools
import inspect
import os
import types
import warnings
from collections.abc import Callable

from dlcore import activations, backend, layers
from dlcore.applications.imagenet_utils import preprocess_input
from dlcore.models import Functional

KERAS_APPLICATIONS = "https://storage.googleapis.com/tensorflow/keras-applications"

_ARGUMENTS = """

    Args:
        include_top: bool, default True: with the classifier on top; then the size of the images must be known.
        weights: `"imagenet"` (default): those published by Keras, downloaded into `~/.dlcore/models`{checked};
            None: random; or the path of a `.weights.h5`, `.h5` or `.keras` file of dlcore or Keras.
        input_tensor: KerasTensor to build on, or None (default): a new input.
        input_shape: shape of one image, None for any size; default {shape}. At least {min_size} x {min_size}.
        pooling: without the top: None (default): features of rank 4; `"avg"` or `"max"`: their mean or maximum over
            the image.
        classes: int, default 1000.
        classifier_activation: of the top, default `"softmax"`; None gives logits.
        name: of the model.{more}

    Returns:
        a Functional model.

    Raises:
        ValueError: the arguments do not go together.
"""


@dataclasses.dataclass
class Design:
    """What is particular about one network.

    Args:
        features: function from the images to the features (KerasTensors).
        published: `Published` weights; None if those were not asked for.
        shape: of one image, checked; None: what `image_shape` makes of the arguments.
        name: of the model; None: the argument of that name.
        top: function of features, classes and activation: the classifier.
        headless: function of features and pooling: what follows the features without a top.
    """

    features: Callable
    published: "Published | None"
    shape: tuple | None = None
    name: str | None = None
    top: Callable | None = None
    headless: Callable | None = None


def application(label, about, size, min_size=32, more="", checked=" and checked", needs_channels_last=False):
    """Decorator: a function from the arguments of an architecture to its `Design` becomes one that returns the model.

    Args:
        label: its name in code.
        about: (first line of the docstring, reference).
        size, min_size: height and width of the images by default and at least.
        more: the docstring of arguments of its own.
        checked: whether the weights downloaded are checked, for the docstring.
        needs_channels_last: images with their channels first are refused.
    """

    def decorate(design):
        signature = inspect.signature(design)

        def build(*args, **kwargs):
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{label}() {error}") from None
            bound.apply_defaults()
            given = types.SimpleNamespace(**bound.arguments)
            if needs_channels_last:
                check_channels_last(label)
            check_pooling(label, given.pooling)
            check_weights(label, given.weights, given.include_top, given.classes, given.classifier_activation)
            return _assemble(label, design(**bound.arguments), given, size, min_size)

        first_line, reference = about
        arguments = _ARGUMENTS.format(shape=f"({size}, {size}, 3)", min_size=min_size, more=more, checked=checked)
        build.__doc__ = f"{first_line}{arguments}\n    Reference: {reference}.\n    "
        build.__name__ = build.__qualname__ = label
        build.__module__ = design.__module__
        build.__signature__ = signature
        return build

    return decorate


def architecture(label, name, features, size, published, about, min_size=32, top=None, headless=None):
    """The public function of an architecture with Keras's usual arguments: see `application` and `Design`.

    `name` is the default name of the model.
    """

    @application(label, about, size, min_size)
    def build(
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=name,
    ):
        return Design(features, published, top=top, headless=headless)

    build.__module__ = features.__module__
    return build


def _assemble(label, design, given, size, min_size):
    """The model of a design for the arguments given; with its weights."""
    shape = design.shape or image_shape(label, given.input_shape, size, min_size, given.include_top, given.weights)
    path = design.published.obtain(given.include_top) if given.weights == "imagenet" else given.weights
    images = image_input(given.input_tensor, shape)
    x = design.features(images)
    if given.include_top:
        x = (design.top or dense_top)(x, given.classes, given.classifier_activation)
    else:
        x = (design.headless or pooled)(x, given.pooling)
    inputs = images if given.input_tensor is None else sources(given.input_tensor)
    model = Functional(inputs, x, name=design.name or given.name)
    if path is not None:
        model.load_weights(path)
    return model


# ---- arguments


def check_pooling(label, pooling):
    """A ValueError unless it is known."""
    if pooling not in (None, "avg", "max"):
        raise ValueError(f'{label}: pooling must be None, "avg" or "max". Got pooling={pooling!r}.')


def check_weights(label, weights, include_top, classes, classifier_activation):
    """A ValueError unless these arguments of an architecture go together."""
    if weights not in ("imagenet", None) and not os.path.exists(weights):
        raise ValueError(
            f'{label}: weights must be None (random), "imagenet", or the path of a file. There is no {weights!r}.'
        )
    if weights == "imagenet" and include_top and classes != 1000:
        raise ValueError(
            f'{label}: the weights "imagenet" with include_top=True are for 1000 classes. Got classes={classes}. '
            "Pass include_top=False and add a classifier of your own, or weights=None."
        )
    if weights is not None and include_top:
        if activations.get(classifier_activation) not in (activations.softmax, activations.get(None)):
            raise ValueError(
                f'{label}: with given weights and include_top=True, classifier_activation must be "softmax" or None. '
                f"Got {classifier_activation!r}."
            )


def image_shape(label, input_shape, size, min_size, include_top, weights):
    """The shape of one image: `input_shape`, checked, or the default, of any height and width where there is no top."""
    channels_last = backend.image_data_format() == "channels_last"
    channel_axis = 2 if channels_last else 0

    def shape_of(size, channels):
        return (size, size, channels) if channels_last else (channels, size, size)

    if not input_shape:
        return shape_of(size if include_top else None, 3)
    input_shape = tuple(input_shape)
    if len(input_shape) != 3:
        raise ValueError(f"{label}: input_shape must have 3 sizes, of one image without the batch. Got {input_shape}.")
    channels = input_shape[channel_axis]
    if weights == "imagenet":
        if include_top and input_shape != shape_of(size, 3):
            raise ValueError(
                f'{label}: the weights "imagenet" with include_top=True are for input_shape={shape_of(size, 3)}. '
                f"Got {input_shape}. Pass include_top=False for images of other sizes."
            )
        if channels != 3:
            raise ValueError(
                f'{label}: the weights "imagenet" are for images of 3 channels. Got input_shape={input_shape}.'
            )
    elif channels not in (1, 3):
        warnings.warn(
            f"{label}: images usually have 1 or 3 channels. Got input_shape={input_shape} with {channels}.",
            stacklevel=4,
        )
    sizes = [s for axis, s in enumerate(input_shape) if axis != channel_axis]
    if any(s is not None and s < min_size for s in sizes):
        raise ValueError(f"{label}: images must be at least {min_size} x {min_size}. Got input_shape={input_shape}.")
    if include_top and None in input_shape:
        raise ValueError(
            f"{label}: with include_top=True the size of the images must be known. Got input_shape={input_shape}."
        )
    return input_shape


def check_same_shape(label, input_shape, input_tensor):
    """A ValueError if both are given and contradict each other."""
    if input_shape is None or not backend.is_keras_tensor(input_tensor):
        return
    if tuple(input_tensor.shape[1:]) != tuple(input_shape):
        raise ValueError(
            f"{label}: input_shape must be that of input_tensor. Got input_shape={tuple(input_shape)} and a tensor of "
            f"shape {tuple(input_tensor.shape)} with the batch. Leave input_shape out."
        )


def check_channels_last(label):
    """A ValueError if images have their channels first."""
    if backend.image_data_format() == "channels_first":
        raise ValueError(
            f'{label} is for images with the channels last. Call backend.set_image_data_format("channels_last").'
        )


def image_input(input_tensor, shape):
    """`input_tensor`, or a new input of images of that shape."""
    if input_tensor is None:
        return layers.Input(shape=shape)
    if not backend.is_keras_tensor(input_tensor):
        raise ValueError(
            f"input_tensor must be a KerasTensor, e.g. what Input() returns. Got {type(input_tensor).__name__}. "
            "Build the model without it, and call it on your data."
        )
    return input_tensor


def sources(tensor):
    """The inputs that a KerasTensor is computed from, each once."""
    found, seen, stack = {}, set(), [tensor]
    while stack:
        x = stack.pop()
        operation, index, _ = x.history
        node = operation._inbound_nodes[index]
        if node in seen:
            continue
        seen.add(node)
        if node.inputs:
            stack.extend(reversed(node.inputs))
        else:
            found[id(x)] = x
    return list(found.values())


# ---- layers


def channel_axis(positive=False):
    """The axis of the channels in batches of images; the last as -1 or, with `positive`, as 3."""
    if backend.image_data_format() == "channels_first":
        return 1
    return 3 if positive else -1


def same_padding(x, kernel_size):
    """The zeros that "same" puts around images for a convolution of stride 2; an unknown size counts as even."""
    half = kernel_size // 2
    sizes = x.shape[1:3] if channel_axis() == -1 else x.shape[2:4]
    return tuple((half - 1 + (size % 2 if size else 0), half) for size in sizes)


def make_divisible(value, divisor=8):
    """The multiple of `divisor` nearest to value, at least one, and not below 90 % of value."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def dense_top(x, classes, activation, pool_name="avg_pool"):
    """The mean over the image, and a Dense layer."""
    x = layers.GlobalAveragePooling2D(name=pool_name)(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


dense_top_unnamed = functools.partial(dense_top, pool_name=None)


def pooled(x, pooling, named=False):
    """The features without a top: as they are, or pooled over the image."""
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name="avg_pool" if named else None)(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name="max_pool" if named else None)(x)
    return x


pooled_by_name = functools.partial(pooled, named=True)


# ---- weights and inputs of the networks published


class Published:
    """Weights in two files on Keras's server, with the top and without it.

    Args:
        folder: URL.
        files: their two names.
        hashes: their MD5 or SHA-256; None where Keras published none: then only the transport is secured.
    """

    def __init__(self, folder, files, hashes=(None, None)):
        self.folder = folder
        self.files = files
        self.hashes = hashes

    def obtain(self, include_top):
        """The path of the file, downloaded unless it is there."""
        from dlcore.utils import get_file

        which = 0 if include_top else 1
        file = self.files[which]
        return get_file(file, f"{self.folder}/{file}", cache_subdir="models", file_hash=self.hashes[which])


def tf_kernels(folder, model, hashes):
    """`Published` under the file names that most of Keras's early networks have."""
    stem = f"{model}_weights_tf_dim_ordering_tf_kernels"
    return Published(f"{KERAS_APPLICATIONS}/{folder}", (f"{stem}.h5", f"{stem}_notop.h5"), hashes)


def preprocessing(mode):
    """The public `preprocess_input` of a family of networks."""

    def preprocess(x, data_format=None):
        return preprocess_input(x, data_format=data_format, mode=mode)

    how = {
        "tf": "scaled to [-1, 1]",
        "torch": "scaled to [0, 1], then to ImageNet's mean 0 and deviation 1 in each channel",
        "caffe": "in the order BGR, with ImageNet's mean 0 in each channel",
    }
    preprocess.__name__ = preprocess.__qualname__ = "preprocess_input"
    preprocess.__doc__ = (
        f"Pixels {how[mode]}.\n\n"
        "Args:\n"
        "    x: array or tensor of RGB pixels in [0, 255], one image (3 axes) or a batch of them (4 axes).\n"
        '    data_format: `"channels_last"`, `"channels_first"`, or None (default): the package\'s.'
    )
    return preprocess


def no_preprocessing(x, data_format=None):
    """Returns x: these networks scale their pixels, in [0, 255], themselves.

    Args:
        x: array or tensor of RGB pixels.
        data_format: kept for the signature that all families have.
    """
    return x
