"""MobileNetV2: inverted residuals, shortcuts between narrow layers past a wide depthwise convolution."""

from dlcore import backend, layers
from dlcore.applications._application import (
    KERAS_APPLICATIONS,
    Design,
    Published,
    application,
    channel_axis,
    check_same_shape,
    dense_top_unnamed,
    image_shape,
    make_divisible,
    preprocessing,
    same_padding,
)
from dlcore.applications.imagenet_utils import decode_predictions
from dlcore.applications.mobilenet import published_size, square_size

# (filters, stride) of each block; all but the first expand their channels by 6.
_BLOCKS = (
    (16, 1),
    (24, 2), (24, 1),
    (32, 2), (32, 1), (32, 1),
    (64, 2), (64, 1), (64, 1), (64, 1),
    (96, 1), (96, 1), (96, 1),
    (160, 2), (160, 1), (160, 1),
    (320, 1),
)  # fmt: skip
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)


def normalize(x, name):
    """Batch normalization with slow moving averages."""
    return layers.BatchNormalization(axis=channel_axis(), epsilon=1e-3, momentum=0.999, name=name)(x)


def _block(inputs, filters, stride, number):
    """1 x 1 up, 3 x 3 depthwise, 1 x 1 down to `filters`; with a shortcut where the shapes agree."""
    name = f"block_{number}_" if number else "expanded_conv_"
    x, channels = inputs, inputs.shape[channel_axis()]
    if number:
        x = layers.Conv2D(6 * channels, 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        x = layers.ReLU(6.0, name=f"{name}expand_relu")(normalize(x, f"{name}expand_BN"))
    if stride == 2:
        x = layers.ZeroPadding2D(same_padding(x, 3), name=f"{name}pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(3, strides=stride, use_bias=False, padding=padding, name=f"{name}depthwise")(x)
    x = layers.ReLU(6.0, name=f"{name}depthwise_relu")(normalize(x, f"{name}depthwise_BN"))
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = normalize(x, f"{name}project_BN")
    return layers.Add(name=f"{name}add")([inputs, x]) if channels == filters and stride == 1 else x


@application(
    "MobileNetV2",
    ("MobileNetV2: 17 inverted residual blocks.", "Sandler et al. 2018"),
    224,
    checked=" (Keras gives no hash)",
    more=f"""
        alpha: float, default 1.0: factor of the number of filters; with published weights one of {_ALPHAS}.""",
)
def MobileNetV2(  # noqa: N802
    input_shape=None,
    alpha=1.0,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
):
    check_same_shape("MobileNetV2", input_shape, input_tensor)
    sizes = (96, 128, 160, 192, 224)
    given = input_tensor.shape[1:] if input_shape is None and backend.is_keras_tensor(input_tensor) else input_shape
    shape = image_shape("MobileNetV2", input_shape, square_size(given, sizes), 32, include_top, weights)
    rows = shape[0 if channel_axis() == -1 else 1]
    published = None
    if weights == "imagenet":
        if alpha not in _ALPHAS:
            raise ValueError(f'MobileNetV2: the weights "imagenet" are for alpha one of {_ALPHAS}. Got alpha={alpha}.')
        rows = published_size("MobileNetV2", shape, sizes)
        file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{rows}"
        published = Published(f"{KERAS_APPLICATIONS}/mobilenet_v2", (f"{file}.h5", f"{file}_no_top.h5"))

    def features(x):
        x = layers.Conv2D(make_divisible(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
        x = layers.ReLU(6.0, name="Conv1_relu")(normalize(x, "bn_Conv1"))
        for number, (filters, stride) in enumerate(_BLOCKS):
            x = _block(x, make_divisible(int(filters * alpha)), stride, number)
        filters = make_divisible(1280 * alpha) if alpha > 1.0 else 1280
        x = layers.Conv2D(filters, 1, use_bias=False, name="Conv_1")(x)
        return layers.ReLU(6.0, name="out_relu")(normalize(x, "Conv_1_bn"))

    return Design(features, published, shape, name=name or f"mobilenetv2_{alpha:0.2f}_{rows}", top=dense_top_unnamed)


preprocess_input = preprocessing("tf")

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
