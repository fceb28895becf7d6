"""Inception-ResNet V2: Inception blocks whose output, scaled down, is added to their input."""

from dlcore import layers
from dlcore.applications._application import (
    architecture,
    channel_axis,
    preprocessing,
    tf_kernels,
)
from dlcore.applications.imagenet_utils import decode_predictions
from dlcore.applications.inception_v3 import conv, convs, joined, mean_pool, stem


class CustomScaleLayer(layers.Layer):
    """x + scale * y for a list [x, y].

    Args:
        scale: float.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs):
        return inputs[0] + inputs[1] * self.scale

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


# (scale, branches) of each type of block.
_BLOCKS = {
    "block35": (0.17, [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]]),
    "block17": (0.1, [[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]]),
    "block8": (0.2, [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]]),
}


def _block(x, kind, number, is_last=False):
    """The last block is neither scaled down nor activated."""
    scale, branches = _BLOCKS[kind]
    name = f"{kind}_{number}"
    mixed = joined([convs(x, *steps) for steps in branches], f"{name}_mixed")
    y = layers.Conv2D(x.shape[channel_axis()], 1, padding="same", name=f"{name}_conv")(mixed)
    x = CustomScaleLayer(1.0 if is_last else scale)([x, y])
    return x if is_last else layers.Activation("relu", name=f"{name}_ac")(x)


def _features(x):
    x = stem(x)
    branches = [
        conv(x, 96, 1),
        convs(x, (48, 1), (64, 5)),
        convs(x, (64, 1), (96, 3), (96, 3)),
        conv(mean_pool(x), 64, 1),
    ]
    x = joined(branches, "mixed_5b")
    for i in range(1, 11):
        x = _block(x, "block35", i)
    branches = [convs(x, (384, 3, 2)), convs(x, (256, 1), (256, 3), (384, 3, 2)), layers.MaxPooling2D(3, strides=2)(x)]
    x = joined(branches, "mixed_6a")
    for i in range(1, 21):
        x = _block(x, "block17", i)
    branches = [
        convs(x, (256, 1), (384, 3, 2)),
        convs(x, (256, 1), (288, 3, 2)),
        convs(x, (256, 1), (288, 3), (320, 3, 2)),
        layers.MaxPooling2D(3, strides=2)(x),
    ]
    x = joined(branches, "mixed_7a")
    for i in range(1, 10):
        x = _block(x, "block8", i)
    x = _block(x, "block8", 10, is_last=True)
    return conv(x, 1536, 1, name=("conv_7b", "conv_7b_bn", "conv_7b_ac"))


_HASHES = ("e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4")
InceptionResNetV2 = architecture(
    "InceptionResNetV2",
    "inception_resnet_v2",
    _features,
    299,
    tf_kernels("inception_resnet_v2", "inception_resnet_v2", _HASHES),
    ("InceptionResNetV2: 40 residual blocks of parallel convolutions.", "Szegedy et al. 2017"),
    min_size=75,
)
preprocess_input = preprocessing("tf")

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]
