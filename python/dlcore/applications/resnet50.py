"""ResNet50 under its own module name, as in Keras."""

from dlcore.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
