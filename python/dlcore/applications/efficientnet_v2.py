"""EfficientNetV2: EfficientNet with plain 3 x 3 convolutions in the early stages, where they are faster."""

import functools
import math

from dlcore import initializers, layers
from dlcore.applications._application import (
    KERAS_APPLICATIONS,
    Design,
    Published,
    application,
    channel_axis,
    no_preprocessing,
    pooled_by_name,
)
from dlcore.applications.efficientnet import (
    CONV_INITIALIZER,
    add_shortcut,
    classifier,
    conv,
    normalize,
    squeeze_and_excite,
)
from dlcore.applications.imagenet_utils import RGB_MEAN, RGB_STDDEV, decode_predictions

# (repeats, filters, expansion, stride, fused) of each stage, all of 3 x 3.
_B = (
    (1, 16, 1, 1, True),
    (2, 32, 4, 2, True),
    (2, 48, 4, 2, True),
    (3, 96, 4, 2, False),
    (5, 112, 6, 1, False),
    (8, 192, 6, 2, False),
)
_S = (
    (2, 24, 1, 1, True),
    (4, 48, 4, 2, True),
    (4, 64, 4, 2, True),
    (6, 128, 4, 2, False),
    (9, 160, 6, 1, False),
    (15, 256, 6, 2, False),
)
_M = (
    (3, 24, 1, 1, True),
    (5, 48, 4, 2, True),
    (5, 80, 4, 2, True),
    (7, 160, 4, 2, False),
    (14, 176, 6, 1, False),
    (18, 304, 6, 2, False),
    (5, 512, 6, 1, False),
)
_L = (
    (4, 32, 1, 1, True),
    (7, 64, 4, 2, True),
    (7, 96, 4, 2, True),
    (10, 192, 4, 2, False),
    (19, 224, 6, 1, False),
    (25, 384, 6, 2, False),
    (7, 640, 6, 1, False),
)
_DROP_CONNECT = 0.2
_normalize = functools.partial(normalize, momentum=0.9)


def _block(inputs, filters, expansion, stride, drop_rate, name):
    """1 x 1 up, 3 x 3 depthwise, squeeze and excitation, 1 x 1 down."""
    channels = inputs.shape[channel_axis()]
    x = _normalize(conv(inputs, channels * expansion, 1, f"{name}expand_conv"), f"{name}expand_")
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=CONV_INITIALIZER,
        name=f"{name}dwconv2",
    )(x)
    x = squeeze_and_excite(_normalize(x, name), max(1, channels // 4), name)
    x = _normalize(conv(x, filters, 1, f"{name}project_conv"), f"{name}project_", activate=False)
    return add_shortcut(x, inputs, drop_rate, name) if stride == 1 and channels == filters else x


def _fused_block(inputs, filters, expansion, stride, drop_rate, name):
    """3 x 3 up, 1 x 1 down; without expansion one 3 x 3."""
    x, channels = inputs, inputs.shape[channel_axis()]
    if expansion != 1:
        x = _normalize(conv(x, channels * expansion, 3, f"{name}expand_conv", strides=stride), f"{name}expand_")
        x = _normalize(conv(x, filters, 1, f"{name}project_conv"), f"{name}project_", activate=False)
    else:
        x = _normalize(conv(x, filters, 3, f"{name}project_conv", strides=stride), f"{name}project_")
    return add_shortcut(x, inputs, drop_rate, name) if stride == 1 and channels == filters else x


def _preprocess(x, by_channel):
    """Pixels in [0, 255] to what the published weights were trained on."""
    if not by_channel:
        return layers.Rescaling(scale=1.0 / 128.0, offset=-1)(x)
    x = layers.Rescaling(scale=1.0 / 255)(x)
    variance = [deviation**2 for deviation in RGB_STDDEV]
    return layers.Normalization(mean=list(RGB_MEAN), variance=variance, axis=channel_axis(positive=True))(x)


def _efficientnet_v2(variant, stem_filters, stages, width, depth, size, hashes):
    """The architecture of a table with `width` times its filters and `depth` times its blocks."""
    label, is_b = f"EfficientNetV2{variant}", variant.startswith("B")
    name = f"efficientnetv2-{variant.lower()}"
    published = Published(f"{KERAS_APPLICATIONS}/efficientnet_v2", (f"{name}.h5", f"{name}_notop.h5"), hashes)
    repeats = [math.ceil(depth * count) for count, *_ in stages]

    def round_filters(filters):
        return max(8, int(filters * width + 4) // 8 * 8)

    def features(x, include_preprocessing):
        if include_preprocessing:
            x = _preprocess(x, by_channel=is_b and x.shape[channel_axis()] == 3)
        x = _normalize(conv(x, round_filters(stem_filters), 3, "stem_conv", strides=2), "stem_")
        done = 0
        for stage, (_, filters, expansion, stride, fused) in enumerate(stages):
            for i in range(repeats[stage]):
                # Of the blocks of the table, not of the deeper network: so Keras's published networks were trained.
                drop_rate = _DROP_CONNECT * done / sum(count for count, *_ in stages)
                block = f"block{stage + 1}{chr(ord('a') + i)}_"
                make = _fused_block if fused else _block
                x = make(x, round_filters(filters), expansion, stride if i == 0 else 1, drop_rate, block)
                done += 1
        return _normalize(conv(x, round_filters(1280), 1, "top_conv"), "top_")

    first_line = f"{label}: {sum(repeats)} inverted residual blocks. It takes pixels in [0, 255]."
    more = """
        include_preprocessing: bool, default True: scale the pixels in the model; without, it takes [-1, 1]."""

    @application(label, (first_line, "Tan & Le 2021"), size, more=more)
    def build(
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        include_preprocessing=True,
        name=name,
    ):
        return Design(
            lambda x: features(x, include_preprocessing),
            published,
            top=classifier(0.2, bias_initializer=initializers.Constant(0.0)),
            headless=pooled_by_name,
        )

    return build


EfficientNetV2B0 = _efficientnet_v2(
    "B0", 32, _B, 1.0, 1.0, 224, ("21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff")
)
EfficientNetV2B1 = _efficientnet_v2(
    "B1", 32, _B, 1.0, 1.1, 240, ("069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37")
)
EfficientNetV2B2 = _efficientnet_v2(
    "B2", 32, _B, 1.1, 1.2, 260, ("424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb")
)
EfficientNetV2B3 = _efficientnet_v2(
    "B3", 32, _B, 1.2, 1.4, 300, ("1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856")
)
EfficientNetV2S = _efficientnet_v2(
    "S", 24, _S, 1.0, 1.0, 384, ("e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070")
)
EfficientNetV2M = _efficientnet_v2(
    "M", 24, _M, 1.0, 1.0, 480, ("a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342")
)
EfficientNetV2L = _efficientnet_v2(
    "L", 32, _L, 1.0, 1.0, 480, ("27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615")
)
preprocess_input = no_preprocessing

__all__ = [
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    "decode_predictions",
    "preprocess_input",
]
