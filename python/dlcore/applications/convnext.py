"""ConvNeXt: residual blocks of a 7 x 7 depthwise convolution and two Dense layers, after the model of transformers."""

from dlcore import initializers, layers
from dlcore.applications._application import (
    KERAS_APPLICATIONS,
    Design,
    Published,
    application,
    no_preprocessing,
    pooled,
)
from dlcore.applications.imagenet_utils import RGB_MEAN, RGB_STDDEV, decode_predictions
from dlcore.models import Sequential

_EPSILON = 1e-6


class LayerScale(layers.Layer):
    """Each channel times a learned factor.

    Args:
        init_values: float: the factors at first.
        projection_dim: int: how many channels.

    Reference: Touvron et al. 2021.
    """

    def __init__(self, init_values, projection_dim, **kwargs):
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = projection_dim

    def build(self, input_shape):
        self.gamma = self.add_weight((self.projection_dim,), initializers.Constant(self.init_values))
        self.built = True

    def call(self, x):
        return x * self.gamma

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "init_values": self.init_values, "projection_dim": self.projection_dim}


def _block(inputs, filters, name):
    x = layers.Conv2D(filters, 7, padding="same", groups=filters, name=f"{name}_depthwise_conv")(inputs)
    x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_layernorm")(x)
    x = layers.Dense(4 * filters, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(filters, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(1e-6, filters, name=f"{name}_layer_scale")(x)
    x = layers.Activation("linear", name=f"{name}_identity")(x)
    return inputs + x


def _downsampling(filters, stage, name):
    """What shrinks the images before a stage."""
    if stage == 0:
        conv = layers.Conv2D(filters, 4, strides=4, name=f"{name}_stem_conv")
        return Sequential(
            [conv, layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_stem_layernorm")], name=f"{name}_stem"
        )
    number = stage - 1
    norm = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_downsampling_layernorm_{number}")
    conv = layers.Conv2D(filters, 2, strides=2, name=f"{name}_downsampling_conv_{number}")
    return Sequential([norm, conv], name=f"{name}_downsampling_block_{number}")


def _normalize_pixels(x, name):
    """Pixels in [0, 255] to ImageNet's mean 0 and variance 1."""
    mean = [255 * m for m in RGB_MEAN]
    variance = [(255 * deviation) ** 2 for deviation in RGB_STDDEV]
    return layers.Normalization(mean=mean, variance=variance, name=f"{name}_prestem_normalization")(x)


def _headless(x, pooling):
    return layers.LayerNormalization(epsilon=_EPSILON)(pooled(x, pooling))


def _convnext(size, depths, filters, hashes):
    """The architecture with so many blocks in each of its four stages; `filters` in the first, then doubled."""
    label, published_name = f"ConvNeXt{size}", f"convnext_{size.lower()}"
    files = f"{published_name}.h5", f"{published_name}_notop.h5"
    published = Published(f"{KERAS_APPLICATIONS}/convnext", files, hashes)

    first_line = f"{label}: stages of {depths} blocks. It takes pixels in [0, 255]."
    more = """
        include_preprocessing: bool, default True: normalize the pixels in the model, if they have 3 channels."""

    @application(label, (first_line, "Liu et al. 2022"), 224, more=more, needs_channels_last=True)
    def build(
        include_top=True,
        include_preprocessing=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=published_name,
    ):
        def features(x):
            if include_preprocessing and x.shape[-1] == 3:
                x = _normalize_pixels(x, name)
            for stage, depth in enumerate(depths):
                x = _downsampling(filters * 2**stage, stage, name)(x)
                for i in range(depth):
                    x = _block(x, filters * 2**stage, f"{name}_stage_{stage}_block_{i}")
            return x

        def top(x, classes, activation):
            x = layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
            x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_head_layernorm")(x)
            return layers.Dense(classes, activation=activation, name=f"{name}_head_dense")(x)

        return Design(features, published, top=top, headless=_headless)

    return build


ConvNeXtTiny = _convnext(
    "Tiny",
    (3, 3, 9, 3),
    96,
    (
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
)
ConvNeXtSmall = _convnext(
    "Small",
    (3, 3, 27, 3),
    96,
    (
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
)
ConvNeXtBase = _convnext(
    "Base",
    (3, 3, 27, 3),
    128,
    (
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
)
ConvNeXtLarge = _convnext(
    "Large",
    (3, 3, 27, 3),
    192,
    (
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
)
ConvNeXtXLarge = _convnext(
    "XLarge",
    (3, 3, 27, 3),
    256,
    (
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
)
preprocess_input = no_preprocessing

__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "decode_predictions",
    "preprocess_input",
]
