"""NASNet-A: cells found by a search on small images, stacked for large ones."""

from dlcore import layers
from dlcore.applications._application import (
    KERAS_APPLICATIONS,
    Design,
    Published,
    application,
    channel_axis,
    dense_top_unnamed,
    image_shape,
    preprocessing,
    same_padding,
)
from dlcore.applications.imagenet_utils import decode_predictions


def _normalize(x, name):
    return layers.BatchNormalization(axis=channel_axis(), momentum=0.9997, epsilon=1e-3, name=name)(x)


def _conv(x, filters, name, size=1, **options):
    options = {"padding": "same", **options}
    return layers.Conv2D(filters, size, use_bias=False, kernel_initializer="he_normal", name=name, **options)(x)


def _relu(x, name=None):
    return layers.Activation("relu", name=name)(x)


def _separable(x, filters, size, name, stride=1):
    """Two separable convolutions, the first with the stride."""
    for i in (1, 2):
        x, options = _relu(x), {"padding": "same"}
        if i == 1 and stride == 2:
            x = layers.ZeroPadding2D(same_padding(x, size), name=f"separable_conv_1_pad_{name}")(x)
            options = {"padding": "valid", "strides": 2}
        x = layers.SeparableConv2D(filters, size, use_bias=False, name=f"separable_conv_{i}_{name}", **options)(x)
        x = _normalize(x, f"separable_conv_{i}_bn_{name}")
    return x


def _fit(previous, x, filters, name):
    """The output of the cell before the last, in the size of the last one's and with so many filters."""
    if previous is None:
        return x
    if previous.shape[2] != x.shape[2]:
        return _halve(previous, filters, name)
    if previous.shape[channel_axis()] == filters:
        return previous
    return _normalize(_conv(_relu(previous), filters, f"adjust_conv_projection_{name}"), f"adjust_bn_{name}")


def _halve(x, filters, name):
    """Every second pixel, beginning at the first and, in the other half of the channels, at the second."""
    x = _relu(x, f"adjust_relu_1_{name}")
    shifted = layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    halves = []
    for i, y in enumerate((x, shifted), start=1):
        y = layers.AveragePooling2D(1, strides=2, padding="valid", name=f"adjust_avg_pool_{i}_{name}")(y)
        halves.append(_conv(y, filters // 2, f"adjust_conv_{i}_{name}"))
    return _normalize(layers.Concatenate(axis=channel_axis())(halves), f"adjust_bn_{name}")


def _normal_cell(x, previous, filters, name):
    """Keeps the size of the image."""
    p = _fit(previous, x, filters, name)
    h = _normalize(_conv(_relu(x), filters, f"normal_conv_1_{name}"), f"normal_bn_1_{name}")

    def mean(y, place):
        return layers.AveragePooling2D(3, strides=1, padding="same", name=f"normal_{place}_{name}")(y)

    def add(a, b, number):
        return layers.Add(name=f"normal_add_{number}_{name}")([a, b])

    outputs = [
        p,
        add(_separable(h, filters, 5, f"normal_left1_{name}"), _separable(p, filters, 3, f"normal_right1_{name}"), 1),
        add(_separable(p, filters, 5, f"normal_left2_{name}"), _separable(p, filters, 3, f"normal_right2_{name}"), 2),
        add(mean(h, "left3"), p, 3),
        add(mean(p, "left4"), mean(p, "right4"), 4),
        add(_separable(h, filters, 3, f"normal_left5_{name}"), h, 5),
    ]
    return layers.Concatenate(axis=channel_axis(), name=f"normal_concat_{name}")(outputs)


def _reduction_cell(x, previous, filters, name):
    """Halves the size of the image."""
    p = _fit(previous, x, filters, name)
    h = _normalize(_conv(_relu(x), filters, f"reduction_conv_1_{name}"), f"reduction_bn_1_{name}")
    padded = layers.ZeroPadding2D(same_padding(h, 3), name=f"reduction_pad_1_{name}")(h)

    def shrink(y, size, place):
        return _separable(y, filters, size, f"reduction_{place}_{name}", stride=2)

    def pool(kind, place):
        return kind(3, strides=2, padding="valid", name=f"reduction_{place}_{name}")(padded)

    def add(a, b, number):
        return layers.Add(name=f"reduction_{number}_{name}")([a, b])

    x1 = add(shrink(h, 5, "left1"), shrink(p, 7, "right1"), "add_1")
    x2 = add(pool(layers.MaxPooling2D, "left2"), shrink(p, 7, "right2"), "add_2")
    x3 = add(pool(layers.AveragePooling2D, "left3"), shrink(p, 5, "right3"), "add3")
    mean = layers.AveragePooling2D(3, strides=1, padding="same", name=f"reduction_left4_{name}")(x1)
    x4 = layers.Add()([x2, mean])
    x5 = _separable(x1, filters, 3, f"reduction_left4_{name}")
    x5 = add(x5, pool(layers.MaxPooling2D, "right5"), "add4")
    return layers.Concatenate(axis=channel_axis(), name=f"reduction_concat_{name}")([x2, x3, x4, x5])


def _features(x, stem_filters, filters, repeats, skip_reduction):
    """Two reductions, then three groups of normal cells with a reduction between them.

    A cell sees the outputs of the two before it; with `skip_reduction` a reduction counts as one of them only for the
    cell right after it.
    """
    x = _conv(x, stem_filters, "stem_conv1", 3, strides=2, padding="valid")
    x, previous = _normalize(x, "stem_bn1"), None
    for i, fewer in enumerate((4, 2), start=1):
        x, previous = _reduction_cell(x, previous, filters // fewer, f"stem_{i}"), x
    for group in range(3):
        if group:
            reduced = _reduction_cell(x, previous, filters * 2**group, f"reduce_{group * repeats}")
            x, previous = reduced, previous if skip_reduction else x
        for i in range(repeats):
            number = group * repeats + i + (1 if group else 0)
            x, previous = _normal_cell(x, previous, filters * 2**group, f"{number}"), x
    return layers.Activation("relu")(x)


def _nasnet(kind, size, repeats, filters, stem_filters, skip_reduction, hashes):
    """The architecture with so many normal cells in each of three groups, `filters` in each branch of the first."""
    label, name = f"NASNet{kind}", f"nasnet_{kind.lower()}"
    files = f"NASNet-{kind.lower()}.h5", f"NASNet-{kind.lower()}-no-top.h5"
    published = Published(f"{KERAS_APPLICATIONS}/nasnet", files, hashes)

    first_line = f"{label}: three groups of {repeats} cells found by a search."

    @application(label, (first_line, "Zoph et al. 2018"), size, needs_channels_last=True)
    def build(
        input_shape=None,
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=name,
    ):
        if kind == "Mobile" and not include_top and input_shape is None:
            input_shape = (size, size, 3)
        if weights == "imagenet" and input_shape is not None and None in input_shape:
            raise ValueError(
                f'{label}: with the weights "imagenet" the sizes of the images must be known. Got input_shape='
                f"{input_shape}."
            )
        return Design(
            lambda x: _features(x, stem_filters, filters, repeats, skip_reduction),
            published,
            shape=image_shape(label, input_shape, size, 32, include_top, weights),
            top=dense_top_unnamed,
        )

    return build


NASNetMobile = _nasnet(
    "Mobile", 224, 4, 44, 32, False, ("020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63")
)
NASNetLarge = _nasnet(
    "Large", 331, 6, 168, 96, True, ("11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5")
)
preprocess_input = preprocessing("tf")

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]
