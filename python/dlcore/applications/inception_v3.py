"""Inception V3: blocks of parallel branches of convolutions of several sizes."""

from dlcore import layers
from dlcore.applications._application import (
    architecture,
    channel_axis,
    preprocessing,
    tf_kernels,
)
from dlcore.applications.imagenet_utils import decode_predictions


def conv(x, filters, size, padding="same", strides=1, name=(None, None, None)):
    """Convolution without bias, batch normalization without scale, activation."""
    x = layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False, name=name[0])(x)
    x = layers.BatchNormalization(axis=channel_axis(positive=True), scale=False, name=name[1])(x)
    return layers.Activation("relu", name=name[2])(x)


def convs(x, *steps):
    """Convolutions (filters, size) one after the other; a third entry of a step is a stride, then without padding."""
    for filters, size, *stride in steps:
        x = conv(x, filters, size, **({"strides": stride[0], "padding": "valid"} if stride else {}))
    return x


def joined(branches, name=None):
    return layers.Concatenate(axis=channel_axis(positive=True), name=name)(branches)


def mean_pool(x):
    return layers.AveragePooling2D(3, strides=1, padding="same")(x)


def stem(x):
    """From images to 192 channels at an eighth of the size."""
    x = convs(x, (32, 3, 2), (32, 3, 1), (64, 3))
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = convs(x, (80, 1, 1), (192, 3, 1))
    return layers.MaxPooling2D(3, strides=2)(x)


def _mixed_5x5(x, pool_filters, name):
    branches = [
        conv(x, 64, 1),
        convs(x, (48, 1), (64, 5)),
        convs(x, (64, 1), (96, 3), (96, 3)),
        conv(mean_pool(x), pool_filters, 1),
    ]
    return joined(branches, name)


def _mixed_7x7(x, filters, name):
    """7 x 7 as 1 x 7 and 7 x 1."""
    branches = [
        conv(x, 192, 1),
        convs(x, (filters, 1), (filters, (1, 7)), (192, (7, 1))),
        convs(x, (filters, 1), (filters, (7, 1)), (filters, (1, 7)), (filters, (7, 1)), (192, (1, 7))),
        conv(mean_pool(x), 192, 1),
    ]
    return joined(branches, name)


def _mixed_wide(x, number):
    """Branches that fork into 1 x 3 and 3 x 1."""
    single = conv(x, 320, 1)
    y = conv(x, 384, 1)
    forked = joined([conv(y, 384, (1, 3)), conv(y, 384, (3, 1))], f"mixed9_{number}")
    y = convs(x, (448, 1), (384, 3))
    double = joined([conv(y, 384, (1, 3)), conv(y, 384, (3, 1))])
    return joined([single, forked, double, conv(mean_pool(x), 192, 1)], f"mixed{9 + number}")


def _features(x):
    x = stem(x)
    for i, pool_filters in enumerate((32, 64, 64)):
        x = _mixed_5x5(x, pool_filters, f"mixed{i}")
    branches = [convs(x, (384, 3, 2)), convs(x, (64, 1), (96, 3), (96, 3, 2)), layers.MaxPooling2D(3, strides=2)(x)]
    x = joined(branches, "mixed3")
    for i, filters in enumerate((128, 160, 160, 192), start=4):
        x = _mixed_7x7(x, filters, f"mixed{i}")
    branches = [
        convs(x, (192, 1), (320, 3, 2)),
        convs(x, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)),
        layers.MaxPooling2D(3, strides=2)(x),
    ]
    x = joined(branches, "mixed8")
    for i in range(2):
        x = _mixed_wide(x, i)
    return x


InceptionV3 = architecture(
    "InceptionV3",
    "inception_v3",
    _features,
    299,
    tf_kernels(
        "inception_v3", "inception_v3", ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63")
    ),
    ("InceptionV3: 11 blocks of parallel convolutions.", "Szegedy et al. 2016"),
    min_size=75,
)
preprocess_input = preprocessing("tf")

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]
