"""Image classifiers by their papers, with Keras's layer names, so that Keras's published weights fit.

>>> model = applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), classes=10)
"""

import importlib

from dlcore.backend.names import no_attribute

_FAMILIES = {
    "convnext": ("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"),
    "densenet": ("DenseNet121", "DenseNet169", "DenseNet201"),
    "efficientnet": tuple(f"EfficientNetB{i}" for i in range(8)),
    "efficientnet_v2": tuple(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    "inception_resnet_v2": ("InceptionResNetV2",),
    "inception_v3": ("InceptionV3",),
    "mobilenet": ("MobileNet",),
    "mobilenet_v2": ("MobileNetV2",),
    "mobilenet_v3": ("MobileNetV3Large", "MobileNetV3Small"),
    "nasnet": ("NASNetLarge", "NASNetMobile"),
    "resnet50": ("ResNet50",),
    "resnet": ("ResNet50", "ResNet101", "ResNet152"),
    "resnet_v2": ("ResNet50V2", "ResNet101V2", "ResNet152V2"),
    "vgg16": ("VGG16",),
    "vgg19": ("VGG19",),
    "xception": ("Xception",),
}
_OBJECTS = {name: module for module, names in _FAMILIES.items() for name in names}
_MODULES = ("imagenet_utils", *_FAMILIES)

__all__ = [*_OBJECTS, *_MODULES]


def __getattr__(name):
    if name in _OBJECTS:
        return getattr(importlib.import_module(f"{__name__}.{_OBJECTS[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise no_attribute(__name__, name, __all__)


def __dir__():
    return sorted(__all__)
