"""EfficientNet: one network of inverted residuals, scaled in width, depth and image size together."""

import math

from dlcore import layers
from dlcore.applications._application import (
    Design,
    Published,
    application,
    channel_axis,
    make_divisible,
    no_preprocessing,
    pooled_by_name,
    same_padding,
)
from dlcore.applications.imagenet_utils import RGB_STDDEV, decode_predictions

# (kernel, repeats, filters, expansion, stride) of each stage of B0.
_STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
CONV_INITIALIZER = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
DENSE_INITIALIZER = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0 / 3.0, "mode": "fan_out", "distribution": "uniform"},
}
_DROP_CONNECT = 0.2
_FOLDER = "https://storage.googleapis.com/keras-applications"


def conv(x, filters, size, name, **options):
    """A convolution without bias, by default with zeros around."""
    options = {"padding": "same", **options}
    return layers.Conv2D(filters, size, use_bias=False, kernel_initializer=CONV_INITIALIZER, name=name, **options)(x)


def normalize(x, prefix, activate=True, momentum=0.99):
    """Batch normalization, then swish; the names of the two layers begin with `prefix`."""
    x = layers.BatchNormalization(axis=channel_axis(positive=True), momentum=momentum, name=f"{prefix}bn")(x)
    return layers.Activation("swish", name=f"{prefix}activation")(x) if activate else x


def squeeze_and_excite(x, squeezed, name):
    """Each channel times a number in [0, 1] that depends on the means of all; `squeezed` channels in between."""
    filters = x.shape[channel_axis()]
    options = {"padding": "same", "kernel_initializer": CONV_INITIALIZER}
    y = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    y = layers.Reshape((1, 1, filters) if channel_axis() == -1 else (filters, 1, 1), name=f"{name}se_reshape")(y)
    y = layers.Conv2D(squeezed, 1, activation="swish", name=f"{name}se_reduce", **options)(y)
    y = layers.Conv2D(filters, 1, activation="sigmoid", name=f"{name}se_expand", **options)(y)
    return layers.Multiply(name=f"{name}se_excite")([x, y])


def add_shortcut(x, inputs, drop_rate, name):
    """x + inputs; in training x is left out for a part of the images (stochastic depth)."""
    if drop_rate > 0:
        x = layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.Add(name=f"{name}add")([x, inputs])


def _block(inputs, kernel, filters, expansion, stride, drop_rate, name):
    x, channels = inputs, inputs.shape[channel_axis()]
    if expansion != 1:
        x = normalize(conv(x, channels * expansion, 1, f"{name}expand_conv"), f"{name}expand_")
    if stride == 2:
        x = layers.ZeroPadding2D(same_padding(x, kernel), name=f"{name}dwconv_pad")(x)
    x = layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        depthwise_initializer=CONV_INITIALIZER,
        name=f"{name}dwconv",
    )(x)
    x = squeeze_and_excite(normalize(x, name), max(1, channels // 4), name)
    x = normalize(conv(x, filters, 1, f"{name}project_conv"), f"{name}project_", activate=False)
    return add_shortcut(x, inputs, drop_rate, name) if stride == 1 and channels == filters else x


def classifier(dropout_rate, **options):
    """The top: the mean over the image, dropout, a Dense layer."""

    def top(x, classes, activation):
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dropout(dropout_rate, name="top_dropout")(x)
        return layers.Dense(
            classes, activation=activation, kernel_initializer=DENSE_INITIALIZER, name="predictions", **options
        )(x)

    return top


def _efficientnet(variant, width, depth, size, dropout_rate, hashes):
    """The architecture with `width` times the filters and `depth` times the blocks of B0."""
    label, name = f"EfficientNet{variant}", f"efficientnet{variant.lower()}"
    published = Published(_FOLDER, (f"{name}.h5", f"{name}_notop.h5"), hashes)
    repeats = [math.ceil(depth * count) for _, count, *_ in _STAGES]

    def features(x, is_imagenet):
        x = layers.Rescaling(1.0 / 255.0)(x)
        x = layers.Normalization(axis=channel_axis(positive=True))(x)
        if is_imagenet:  # the published mean and variance are applied as if the variance were the deviation
            x = layers.Rescaling([1.0 / math.sqrt(deviation) for deviation in RGB_STDDEV])(x)
        x = layers.ZeroPadding2D(same_padding(x, 3), name="stem_conv_pad")(x)
        x = normalize(conv(x, make_divisible(32 * width), 3, "stem_conv", strides=2, padding="valid"), "stem_")
        done = 0
        for stage, (kernel, _, filters, expansion, stride) in enumerate(_STAGES):
            for i in range(repeats[stage]):
                drop_rate = _DROP_CONNECT * done / sum(repeats)
                block = f"block{stage + 1}{chr(ord('a') + i)}_"
                wide = make_divisible(filters * width)
                x = _block(x, kernel, wide, expansion, stride if i == 0 else 1, drop_rate, block)
                done += 1
        return normalize(conv(x, make_divisible(1280 * width), 1, "top_conv"), "top_")

    first_line = f"{label}: {sum(repeats)} inverted residual blocks. It takes pixels in [0, 255]."

    @application(label, (first_line, "Tan & Le 2019"), size)
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
        return Design(
            lambda x: features(x, weights == "imagenet"),
            published,
            top=classifier(dropout_rate),
            headless=pooled_by_name,
        )

    return build


EfficientNetB0 = _efficientnet(
    "B0", 1.0, 1.0, 224, 0.2, ("902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d")
)
EfficientNetB1 = _efficientnet(
    "B1", 1.0, 1.1, 240, 0.2, ("1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432")
)
EfficientNetB2 = _efficientnet(
    "B2", 1.1, 1.2, 260, 0.3, ("b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39")
)
EfficientNetB3 = _efficientnet(
    "B3", 1.2, 1.4, 300, 0.3, ("ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226")
)
EfficientNetB4 = _efficientnet(
    "B4", 1.4, 1.8, 380, 0.4, ("18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba")
)
EfficientNetB5 = _efficientnet(
    "B5", 1.6, 2.2, 456, 0.4, ("ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f")
)
EfficientNetB6 = _efficientnet(
    "B6", 1.8, 2.6, 528, 0.5, ("165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743")
)
EfficientNetB7 = _efficientnet(
    "B7", 2.0, 3.1, 600, 0.5, ("8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a")
)
preprocess_input = no_preprocessing

__all__ = [*(f"EfficientNetB{i}" for i in range(8)), "decode_predictions", "preprocess_input"]
