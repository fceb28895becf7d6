"""Xception: residual blocks of depthwise separable convolutions."""

from dlcore import layers
from dlcore.applications._application import (
    architecture,
    channel_axis,
    preprocessing,
    tf_kernels,
)
from dlcore.applications.imagenet_utils import decode_predictions


def _normalize(x, name=None):
    return layers.BatchNormalization(axis=channel_axis(), name=name)(x)


def _conv(x, filters, name, **options):
    x = _normalize(layers.Conv2D(filters, 3, use_bias=False, name=name, **options)(x), f"{name}_bn")
    return layers.Activation("relu", name=f"{name}_act")(x)


def _separable_conv(x, filters, name):
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _normalize(x, f"{name}_bn")


def _projection(x, filters):
    """1 x 1 of stride 2, for the shortcut past a block that shrinks the image."""
    return _normalize(layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(x))


def _block(x, filters, number, shrink=True, activate_first=True):
    """Separable convolutions with these filters; with a shortcut."""
    name = f"block{number}"
    shortcut = _projection(x, filters[-1]) if shrink else x
    for i, count in enumerate(filters, start=1):
        if i > 1 or activate_first:
            x = layers.Activation("relu", name=f"{name}_sepconv{i}_act")(x)
        x = _separable_conv(x, count, f"{name}_sepconv{i}")
    if shrink:
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.Add()([x, shortcut])


def _features(x):
    x = _conv(x, 32, "block1_conv1", strides=2)
    x = _conv(x, 64, "block1_conv2")
    x = _block(x, (128, 128), 2, activate_first=False)
    x = _block(x, (256, 256), 3)
    x = _block(x, (728, 728), 4)
    for number in range(5, 13):
        x = _block(x, (728, 728, 728), number, shrink=False)
    x = _block(x, (728, 1024), 13)
    for i, filters in enumerate((1536, 2048), start=1):
        x = _separable_conv(x, filters, f"block14_sepconv{i}")
        x = layers.Activation("relu", name=f"block14_sepconv{i}_act")(x)
    return x


Xception = architecture(
    "Xception",
    "xception",
    _features,
    299,
    tf_kernels("xception", "xception", ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97")),
    ("Xception: 36 convolutions, most of them depthwise separable.", "Chollet 2017"),
    min_size=71,
)
preprocess_input = preprocessing("tf")

__all__ = ["Xception", "decode_predictions", "preprocess_input"]
