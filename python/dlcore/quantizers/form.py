"""Form: how a layer keeps its weight in one mode of quantization, and computes with it."""

import abc


class Form(abc.ABC):
    """Base of the forms.

    Args:
        layer: the `QuantizedWeight` that the variables are attributes of.
        name: of the weight, default the layer's `quantized_weight`.
    """

    def __init__(self, layer, name=None):
        self.layer = layer
        self.name = layer.quantized_weight if name is None else name

    @property
    def variable(self):
        """The weight, or what stands for it."""
        return vars(self.layer)[self.name]

    @staticmethod
    @abc.abstractmethod
    def order(mode, weight, others):
        """The names of the layer's variables in the order of files; `others` are those that are no part of the form."""

    @abc.abstractmethod
    def build(self, shape):
        """Makes the variables for a weight of this shape, and returns the one that takes its place."""

    def replace(self, weight):
        """Makes the variables that stand for the layer's variable `weight`, without their values."""
        self.forget(weight)
        setattr(self.layer, self.name, self.build(weight.shape))

    @abc.abstractmethod
    def take(self, weight, config):
        """Turns the layer's variable `weight` into this form."""

    @abc.abstractmethod
    def weight(self):
        """The weight as floats of the compute dtype."""

    def product(self, multiply, inputs, axis, training):
        """multiply(inputs, weight) in this form; `axis` is what the product sums over in the inputs."""
        return multiply(inputs, self.weight())

    def bias(self, bias):
        """The bias as it is added to the product."""
        return bias

    def forget(self, weight):
        """Takes the variable away from the layer."""
        from dlcore.layers.holder import note_structure_change

        layer = self.layer
        layer._weights = [variable for variable in layer._weights if variable is not weight]
        delattr(layer, self.name)
        note_structure_change()
