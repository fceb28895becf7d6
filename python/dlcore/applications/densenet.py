"""DenseNet: every convolution sees what all those before it in its block computed."""

from dlcore import layers
from dlcore.applications._application import (
    architecture,
    channel_axis,
    pooled_by_name,
    preprocessing,
    tf_kernels,
)
from dlcore.applications.imagenet_utils import decode_predictions
from dlcore.applications.resnet import activate

_GROWTH = 32


def _dense_layer(x, name):
    """Adds `_GROWTH` channels to x: 1 x 1 down to 4 * growth, then 3 x 3."""
    y = activate(x, f"{name}_0")
    y = layers.Conv2D(4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(y)
    y = activate(y, f"{name}_1")
    y = layers.Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(y)
    return layers.Concatenate(axis=channel_axis(positive=True), name=f"{name}_concat")([x, y])


def _transition(x, name):
    """Halves channels, height and width."""
    x = activate(x, name)
    x = layers.Conv2D(x.shape[channel_axis()] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _densenet(label, blocks, hashes):
    """The architecture with so many layers in each of its four dense blocks."""
    name = label.lower()

    def features(x):
        x = layers.ZeroPadding2D(3)(x)
        x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
        x = layers.ZeroPadding2D(1)(activate(x, "conv1"))
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
        for stage, count in enumerate(blocks, start=2):
            for i in range(1, count + 1):
                x = _dense_layer(x, f"conv{stage}_block{i}")
            if stage < 5:
                x = _transition(x, f"pool{stage}")
        x = layers.BatchNormalization(axis=channel_axis(positive=True), epsilon=1.001e-5, name="bn")(x)
        return layers.Activation("relu", name="relu")(x)

    about = f"{label}: dense blocks of {blocks} layers.", "Huang et al. 2017"
    published = tf_kernels("densenet", name, hashes)
    return architecture(label, name, features, 224, published, about, headless=pooled_by_name)


DenseNet121 = _densenet(
    "DenseNet121", (6, 12, 24, 16), ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738")
)
DenseNet169 = _densenet(
    "DenseNet169", (6, 12, 32, 32), ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b")
)
DenseNet201 = _densenet(
    "DenseNet201", (6, 12, 48, 32), ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1")
)
preprocess_input = preprocessing("torch")

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
