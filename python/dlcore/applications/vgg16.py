"""VGG of 16 layers: blocks of 3 x 3 convolutions, each block followed by a maximum over 2 x 2."""

from dlcore import layers
from dlcore.applications._application import architecture, preprocessing, tf_kernels
from dlcore.applications.imagenet_utils import decode_predictions


def vgg(label, convolutions, hashes):
    """The architecture with so many convolutions in each of its five blocks."""
    name = label.lower()

    def features(x):
        for block, (filters, count) in enumerate(zip((64, 128, 256, 512, 512), convolutions), start=1):
            for i in range(1, count + 1):
                x = layers.Conv2D(filters, 3, activation="relu", padding="same", name=f"block{block}_conv{i}")(x)
            x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
        return x

    def top(x, classes, activation):
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(4096, activation="relu", name="fc1")(x)
        x = layers.Dense(4096, activation="relu", name="fc2")(x)
        return layers.Dense(classes, activation=activation, name="predictions")(x)

    about = f"{label}: {sum(convolutions)} convolutions of 3 x 3 and three Dense layers.", "Simonyan & Zisserman 2015"
    return architecture(label, name, features, 224, tf_kernels(name, name, hashes), about, top=top)


VGG16 = vgg("VGG16", (2, 2, 3, 3, 3), ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"))
preprocess_input = preprocessing("caffe")

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
