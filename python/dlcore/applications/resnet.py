"""ResNet: residual blocks, in which a shortcut past three convolutions is added to what they compute."""

from dlcore import layers
from dlcore.applications._application import (
    architecture,
    channel_axis,
    pooled_by_name,
    preprocessing,
    tf_kernels,
)
from dlcore.applications.imagenet_utils import decode_predictions


def normalize(x, name):
    """Batch normalization called `name`_bn."""
    return layers.BatchNormalization(axis=channel_axis(positive=True), epsilon=1.001e-5, name=f"{name}_bn")(x)


def activate(x, name):
    """Batch normalization, then an activation layer called `name`_relu."""
    return layers.Activation("relu", name=f"{name}_relu")(normalize(x, name))


def stem(x, use_bias=True):
    """A 7 x 7 convolution of stride 2."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    return layers.Conv2D(64, 7, strides=2, use_bias=use_bias, name="conv1_conv")(x)


def stem_pool(x):
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def _block(x, filters, stride, name, project):
    """1 x 1 down to `filters`, 3 x 3, 1 x 1 up to 4 * filters; `project`: a 1 x 1 convolution in the shortcut."""
    shortcut = normalize(_conv(x, 4 * filters, f"{name}_0", strides=stride), f"{name}_0") if project else x
    x = activate(_conv(x, filters, f"{name}_1", strides=stride), f"{name}_1")
    x = activate(_conv(x, filters, f"{name}_2", size=3, padding="same"), f"{name}_2")
    x = normalize(_conv(x, 4 * filters, f"{name}_3"), f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _conv(x, filters, name, size=1, **options):
    return layers.Conv2D(filters, size, name=f"{name}_conv", **options)(x)


def _resnet(label, blocks, hashes):
    """The architecture with so many blocks in each of its four stages."""
    name = label.lower()

    def features(x):
        x = stem_pool(activate(stem(x), "conv1"))
        for stage, count in enumerate(blocks):
            for i in range(1, count + 1):
                stride = 2 if stage and i == 1 else 1
                x = _block(x, 64 * 2**stage, stride, f"conv{stage + 2}_block{i}", project=i == 1)
        return x

    about = f"{label}: {sum(blocks)} residual blocks of three convolutions.", "He et al. 2016, Deep residual learning"
    published = tf_kernels("resnet", name, hashes)
    return architecture(label, name, features, 224, published, about, headless=pooled_by_name)


ResNet50 = _resnet("ResNet50", (3, 4, 6, 3), ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"))
ResNet101 = _resnet(
    "ResNet101", (3, 4, 23, 3), ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21")
)
ResNet152 = _resnet(
    "ResNet152", (3, 8, 36, 3), ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c")
)
preprocess_input = preprocessing("caffe")

__all__ = ["ResNet101", "ResNet152", "ResNet50", "decode_predictions", "preprocess_input"]
