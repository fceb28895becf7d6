"""MobileNetV3: inverted residuals with squeeze and excitation and hard swish, found by a search."""

import warnings

from dlcore import backend, layers
from dlcore.applications._application import (
    KERAS_APPLICATIONS,
    Design,
    Published,
    application,
    channel_axis,
    check_same_shape,
    image_shape,
    make_divisible,
    no_preprocessing,
    pooled_by_name,
    same_padding,
)
from dlcore.applications.imagenet_utils import decode_predictions
from dlcore.applications.mobilenet_v2 import normalize

# (expansion, filters, kernel, stride, squeeze and excitation, hard swish) of each block.
_SMALL = (
    (1, 16, 3, 2, True, False),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True), (6, 40, 5, 1, True, True), (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True), (3, 48, 5, 1, True, True),
    (6, 96, 5, 2, True, True), (6, 96, 5, 1, True, True), (6, 96, 5, 1, True, True),
)  # fmt: skip
_LARGE = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False), (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False), (3, 40, 5, 1, True, False), (3, 40, 5, 1, True, False),
    (6, 80, 3, 2, False, True), (2.5, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True), (2.3, 80, 3, 1, False, True),
    (6, 112, 3, 1, True, True), (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True), (6, 160, 5, 1, True, True), (6, 160, 5, 1, True, True),
)  # fmt: skip
_HASHES = {
    "large_224_0.75_float": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0_float": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0_float": ("675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"),
    "small_224_0.75_float": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0_float": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0_float": ("99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"),
}


def _activate(x, hard_swish):
    return layers.Activation("hard_swish")(x) if hard_swish else layers.ReLU()(x)


def _squeeze_and_excite(inputs, filters, name):
    """Each channel times a number in [0, 1] that depends on the means of all."""
    x = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}squeeze_excite_avg_pool")(inputs)
    x = layers.Conv2D(make_divisible(filters / 4), 1, padding="same", name=f"{name}squeeze_excite_conv")(x)
    x = layers.ReLU(name=f"{name}squeeze_excite_relu")(x)
    x = layers.Conv2D(filters, 1, padding="same", name=f"{name}squeeze_excite_conv_1")(x)
    x = layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{name}squeeze_excite_mul")([inputs, x])


def _block(inputs, expansion, filters, kernel, stride, squeeze, hard_swish, number):
    name = f"expanded_conv_{number}_" if number else "expanded_conv_"
    x, channels = inputs, inputs.shape[channel_axis()]
    wide = make_divisible(channels * expansion)
    if number:
        x = layers.Conv2D(wide, 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        x = _activate(normalize(x, f"{name}expand_bn"), hard_swish)
    if stride == 2:
        x = layers.ZeroPadding2D(same_padding(x, kernel), name=f"{name}depthwise_pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(kernel, strides=stride, padding=padding, use_bias=False, name=f"{name}depthwise")(x)
    x = _activate(normalize(x, f"{name}depthwise_bn"), hard_swish)
    if squeeze:
        x = _squeeze_and_excite(x, wide, name)
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = normalize(x, f"{name}project_bn")
    return layers.Add(name=f"{name}add")([inputs, x]) if stride == 1 and channels == filters else x


def _published(label, kind, alpha, minimalistic, shape):
    """The published weights for the arguments."""
    model = f"{kind}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}_float"
    if model not in _HASHES:
        raise ValueError(
            f'{label}: the weights "imagenet" are for alpha 0.75 and 1, with minimalistic=True only for 1. '
            f"Got alpha={alpha}, minimalistic={minimalistic}."
        )
    if shape not in ((224, 224, 3), (3, 224, 224)):
        warnings.warn(f"{label}: the published weights are for images of 224 x 224, not {shape}.", stacklevel=4)
    files = f"weights_mobilenet_v3_{model}.h5", f"weights_mobilenet_v3_{model}_no_top_v2.h5"
    return Published(f"{KERAS_APPLICATIONS}/mobilenet_v3", files, _HASHES[model])


_MORE = """
        alpha: float, default 1.0: factor of the number of filters; with published weights 0.75 or 1.
        minimalistic: bool, default False: without squeeze and excitation, hard swish and 5 x 5 convolutions.
        dropout_rate: float, default 0.2: of the top.
        include_preprocessing: bool, default True: scale pixels in [0, 255] to [-1, 1] in the model."""


def _mobilenet_v3(label, kind, blocks, point_filters):
    first_line = f"{label}: {len(blocks)} inverted residual blocks. It takes pixels in [0, 255]."

    @application(label, (first_line, "Howard et al. 2019"), 224, more=_MORE)
    def build(
        input_shape=None,
        alpha=1.0,
        minimalistic=False,
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        classes=1000,
        pooling=None,
        dropout_rate=0.2,
        classifier_activation="softmax",
        include_preprocessing=True,
        name=label,
    ):
        check_same_shape(label, input_shape, input_tensor)
        if input_shape is None and backend.is_keras_tensor(input_tensor):
            input_shape = input_tensor.shape[1:]
        # Images of any size, also with the top: it is made of convolutions.
        shape = image_shape(label, input_shape, None, 32, include_top=False, weights=weights)
        published = _published(label, kind, alpha, minimalistic, shape) if weights == "imagenet" else None

        def features(x):
            if include_preprocessing:
                x = layers.Rescaling(scale=1.0 / 127.5, offset=-1.0)(x)
            x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
            x = _activate(normalize(x, "conv_bn"), not minimalistic)
            for number, (expansion, filters, kernel, stride, squeeze, hard_swish) in enumerate(blocks):
                if minimalistic:
                    kernel, squeeze, hard_swish = 3, False, False
                filters = make_divisible(filters * alpha)
                x = _block(x, expansion, filters, kernel, stride, squeeze, hard_swish, number)
            filters = make_divisible(x.shape[channel_axis()] * 6)
            x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name="conv_1")(x)
            return _activate(normalize(x, "conv_1_bn"), not minimalistic)

        def top(x, classes, activation):
            filters = make_divisible(point_filters * alpha) if alpha > 1.0 else point_filters
            x = layers.GlobalAveragePooling2D(keepdims=True)(x)
            x = layers.Conv2D(filters, 1, padding="same", name="conv_2")(x)
            x = _activate(x, not minimalistic)
            if dropout_rate > 0:
                x = layers.Dropout(dropout_rate)(x)
            x = layers.Conv2D(classes, 1, padding="same", name="logits")(x)
            x = layers.Flatten()(x)
            return layers.Activation(activation, name="predictions")(x)

        return Design(features, published, shape, top=top, headless=pooled_by_name)

    return build


MobileNetV3Small = _mobilenet_v3("MobileNetV3Small", "small", _SMALL, 1024)
MobileNetV3Large = _mobilenet_v3("MobileNetV3Large", "large", _LARGE, 1280)
preprocess_input = no_preprocessing

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]
