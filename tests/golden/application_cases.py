"""The architectures that are compared with Keras's, and what is compared; shared with make_keras_applications.py.

All functions take `applications` (the namespace) or a model of either library.
"""

import hashlib
import json
import math

import numpy as np

# One small instance of each kind of block, with the arguments for which outputs are compared.
NUMERIC = {
    "ConvNeXtTiny": {"input_shape": (32, 32, 3)},
    "DenseNet121": {"input_shape": (32, 32, 3)},
    "EfficientNetB0": {"input_shape": (32, 32, 3)},
    "EfficientNetV2B0": {"input_shape": (32, 32, 3)},
    "InceptionResNetV2": {"input_shape": (75, 75, 3)},
    "InceptionV3": {"input_shape": (75, 75, 3)},
    "MobileNet": {"input_shape": (33, 32, 3), "alpha": 0.25, "depth_multiplier": 2},
    "MobileNetV2": {"input_shape": (33, 35, 3), "alpha": 0.35},
    "MobileNetV3Large": {"input_shape": (32, 32, 3), "alpha": 0.75},
    "MobileNetV3Small": {"input_shape": (32, 32, 3), "minimalistic": True, "include_preprocessing": False},
    "NASNetMobile": {"input_shape": (32, 32, 3)},
    "ResNet50": {"input_shape": (32, 32, 3)},
    "ResNet50V2": {"input_shape": (32, 32, 3)},
    "VGG16": {"input_shape": (32, 32, 3)},
    "Xception": {"input_shape": (71, 71, 3)},
}
# These differ from one of those in their tables only.
SCALED = [
    *(f"ConvNeXt{size}" for size in ("Small", "Base", "Large", "XLarge")),
    "DenseNet169", "DenseNet201",
    *(f"EfficientNetB{i}" for i in range(1, 8)),
    *(f"EfficientNetV2{size}" for size in ("B1", "B2", "B3", "S", "M", "L")),
    "NASNetLarge",
    "ResNet101", "ResNet152", "ResNet101V2", "ResNet152V2",
    "VGG19",
]  # fmt: skip
ARCHITECTURES = sorted([*NUMERIC, *SCALED])
# Further arguments that change the architecture: {case: (name, arguments)}.
VARIANTS = {
    "not imagenet": ("EfficientNetB1", {"input_shape": (65, 64, 3)}),
    "average": ("ResNet50", {"include_top": False, "pooling": "avg"}),
    "maximum": ("Xception", {"include_top": False, "pooling": "max", "input_shape": (80, 90, 3)}),
    "convnext average": ("ConvNeXtTiny", {"include_top": False, "pooling": "avg", "include_preprocessing": False}),
    "logits": ("DenseNet121", {"classes": 10, "classifier_activation": None, "input_shape": (64, 64, 1)}),
    "gray": ("EfficientNetV2B0", {"include_top": False, "input_shape": (40, 40, 1)}),
    "no preprocessing": ("EfficientNetV2S", {"include_top": False, "include_preprocessing": False}),
    "wide": ("MobileNetV2", {"alpha": 1.4, "input_shape": (96, 96, 3)}),
    "wide v3": ("MobileNetV3Large", {"alpha": 1.25, "input_shape": (64, 64, 3), "dropout_rate": 0}),
    "minimalistic": ("MobileNetV3Large", {"minimalistic": True, "pooling": "max", "include_top": False}),
    "mobile": ("MobileNet", {"alpha": 0.5, "input_shape": (160, 160, 3), "dropout": 0.1, "classes": 5}),
    "nasnet": ("NASNetMobile", {"include_top": False, "input_shape": (64, 48, 3), "pooling": "avg", "name": "cells"}),
}

_SKIPPED = ("dtype", "build_config", "module", "registered_name", "renorm_momentum")


def lines(model):
    """One line for each layer or operation: class, name, shape of the output, configuration, what it is called on."""
    entries = model.get_config()["layers"]
    operations = {operation.name: operation for operation in model.operations}
    result = []
    for entry in entries:
        name = entry["config"]["name"]
        sources = _sources(entry["inbound_nodes"])
        outputs = [tuple(y.shape) for y in operations[name]._inbound_nodes[0].outputs]
        config = json.dumps(_plain(entry["config"]), sort_keys=True)
        result.append(f"{entry['class_name']} {name} {outputs} {sources} {config}")
    return result


def _sources(nodes):
    """Names of the layers whose outputs a configuration of nodes mentions."""
    if isinstance(nodes, dict):
        if "keras_history" in nodes:
            return [nodes["keras_history"][0]]
        return _sources(list(nodes.values()))
    if isinstance(nodes, (list, tuple)):
        return [name for node in nodes for name in _sources(node)]
    return []


def _plain(config):
    """The configuration without what is off, dtypes (which are written in two ways) and where classes are defined."""
    if isinstance(config, dict):
        return {k: _plain(v) for k, v in config.items() if not (v is None or v is False or k in _SKIPPED)}
    if isinstance(config, (list, tuple)):
        return [_plain(value) for value in config]
    if isinstance(config, float):
        return float(f"{config:.9g}")
    return config


def digest(text, size=16):
    return hashlib.sha256(text.encode()).hexdigest()[:size]


def shapes(model):
    return [tuple(weight.shape) for weight in model.weights]


def summary(model):
    """What golden files hold of a model: four digits for each layer, and the weights' shapes in their order."""
    return {
        "name": model.name,
        "layers": "".join(digest(line, 4) for line in lines(model)),
        "weights": digest(str(shapes(model))),
        "parameters": sum(math.prod(shape) for shape in shapes(model)),
    }


def fill(model):
    """Sets all weights to numbers made from their place and kind, such that activations keep their size."""
    values = []
    for i, weight in enumerate(model.weights):
        shape = tuple(weight.shape)
        rng = np.random.default_rng(i)
        if weight.name in ("variance", "moving_variance", "gamma"):
            value = rng.uniform(0.6, 1.4, shape)
        elif len(shape) < 2:
            value = rng.uniform(-0.2, 0.2, shape)
        else:  # He: the variance of ReLU's outputs stays
            fan_in = shape[0] * shape[1] if "depthwise" in weight.name else math.prod(shape[:-1])
            value = rng.uniform(-1, 1, shape) * math.sqrt(6 / fan_in)
        values.append(value.astype("int32" if str(weight.dtype).startswith("int") else "float32"))
    model.set_weights(values)


def images(shape, scale=1.0):
    return np.random.default_rng(1).uniform(-1, 1, (2, *shape)).astype("float32") * scale
