"""Layers."""

from dlcore.layers.core.input_layer import Input, InputLayer
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer

__all__ = ["Input", "InputLayer", "InputSpec", "Layer"]
