"""MobileNet: depthwise convolutions for space, 1 x 1 convolutions for channels."""

import warnings

from dlcore import layers
from dlcore.applications._application import (
    KERAS_APPLICATIONS,
    Design,
    Published,
    application,
    channel_axis,
    image_shape,
    preprocessing,
)
from dlcore.applications.imagenet_utils import decode_predictions

# (filters, stride) of each depthwise separable block.
_BLOCKS = (
    (64, 1),
    (128, 2), (128, 1),
    (256, 2), (256, 1),
    (512, 2), *[(512, 1)] * 5,
    (1024, 2), (1024, 1),
)  # fmt: skip
_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}


def published_size(label, shape, sizes):
    """The image size, of those for which there are published weights, that fits a shape; 224 with a warning if none."""
    size, other = (shape[a] for a in ((0, 1) if channel_axis() == -1 else (1, 2)))
    if size == other and size in sizes:
        return size
    warnings.warn(
        f"{label}: there are published weights for images of {', '.join(map(str, sizes))}, not for input_shape={shape}."
        " Those for 224 are loaded.",
        stacklevel=4,
    )
    return 224


def square_size(shape, sizes):
    """The size of square images of one of these sizes, else 224: what is expected with a top and published weights."""
    if shape is None or len(shape) != 3:
        return 224
    size, other = (shape[a] for a in ((0, 1) if channel_axis() == -1 else (1, 2)))
    return size if size == other and size in sizes else 224


def _activate(x, name):
    x = layers.BatchNormalization(axis=channel_axis(), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _block(x, filters, depth_multiplier, stride, number):
    if stride > 1:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = layers.DepthwiseConv2D(
        3,
        padding="same" if stride == 1 else "valid",
        depth_multiplier=depth_multiplier,
        strides=stride,
        use_bias=False,
        name=f"conv_dw_{number}",
    )(x)
    x = _activate(x, f"conv_dw_{number}")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
    return _activate(x, f"conv_pw_{number}")


@application(
    "MobileNet",
    ("MobileNet: 13 depthwise separable convolutions.", "Howard et al. 2017"),
    224,
    checked=" (Keras gives no hash)",
    more="""
        alpha: float, default 1.0: factor of the number of filters; with published weights 0.25, 0.5, 0.75 or 1.
        depth_multiplier: int, default 1: outputs of a depthwise convolution for each channel.
        dropout: float, default 0.001: of the top.""",
)
def MobileNet(  # noqa: N802
    input_shape=None,
    alpha=1.0,
    depth_multiplier=1,
    dropout=0.001,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
):
    sizes = (128, 160, 192, 224)
    shape = image_shape("MobileNet", input_shape, square_size(input_shape, sizes), 32, include_top, weights)
    rows = shape[0 if channel_axis() == -1 else 1]
    published = None
    if weights == "imagenet":
        if depth_multiplier != 1 or alpha not in _ALPHAS:
            raise ValueError(
                f'MobileNet: the weights "imagenet" are for depth_multiplier=1 and alpha one of {list(_ALPHAS)}. '
                f"Got depth_multiplier={depth_multiplier}, alpha={alpha}."
            )
        rows = published_size("MobileNet", shape, sizes)
        file = f"mobilenet_{_ALPHAS[alpha]}_{rows}_tf"
        published = Published(f"{KERAS_APPLICATIONS}/mobilenet", (f"{file}.h5", f"{file}_no_top.h5"))

    def features(x):
        x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
        x = _activate(x, "conv1")
        for number, (filters, stride) in enumerate(_BLOCKS, start=1):
            x = _block(x, int(filters * alpha), depth_multiplier, stride, number)
        return x

    def top(x, classes, activation):
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Conv2D(classes, 1, padding="same", name="conv_preds")(x)
        x = layers.Reshape((classes,), name="reshape_2")(x)
        return layers.Activation(activation, name="predictions")(x)

    return Design(features, published, shape, name=name or f"mobilenet_{alpha:0.2f}_{rows}", top=top)


preprocess_input = preprocessing("tf")

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]
