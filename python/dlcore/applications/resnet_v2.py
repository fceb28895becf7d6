"""ResNet V2: residual blocks, activated before they convolve, so that nothing lies in the way of the shortcuts."""

from dlcore import layers
from dlcore.applications._application import (
    architecture,
    pooled_by_name,
    preprocessing,
    tf_kernels,
)
from dlcore.applications.imagenet_utils import decode_predictions
from dlcore.applications.resnet import activate, stem, stem_pool


def _block(x, filters, stride, name, project):
    """As in ResNet, on x normalized and activated; the stride is in the 3 x 3 convolution."""
    active = activate(x, f"{name}_preact")
    if project:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(active)
    else:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(active)
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(activate(x, f"{name}_1"))
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(activate(x, f"{name}_2"))
    return layers.Add(name=f"{name}_out")([shortcut, x])


def _resnet_v2(label, blocks, hashes):
    """The architecture with so many blocks in each of its four stages; all stages but the last end with a stride."""
    name = label.lower()

    def features(x):
        x = stem_pool(stem(x))
        for stage, count in enumerate(blocks):
            for i in range(1, count + 1):
                stride = 2 if stage < 3 and i == count else 1
                x = _block(x, 64 * 2**stage, stride, f"conv{stage + 2}_block{i}", project=i == 1)
        return activate(x, "post")

    first_line = f"{label}: {sum(blocks)} residual blocks, activated before they convolve."
    published = tf_kernels("resnet", name, hashes)
    return architecture(
        label,
        name,
        features,
        224,
        published,
        (first_line, "He et al. 2016, Identity mappings"),
        headless=pooled_by_name,
    )


ResNet50V2 = _resnet_v2(
    "ResNet50V2", (3, 4, 6, 3), ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917")
)
ResNet101V2 = _resnet_v2(
    "ResNet101V2", (3, 4, 23, 3), ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5")
)
ResNet152V2 = _resnet_v2(
    "ResNet152V2", (3, 8, 36, 3), ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33")
)
preprocess_input = preprocessing("tf")

__all__ = ["ResNet101V2", "ResNet152V2", "ResNet50V2", "decode_predictions", "preprocess_input"]
