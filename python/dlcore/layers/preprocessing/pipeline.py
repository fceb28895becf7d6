from dlcore.backend.arguments import sequence
from dlcore.layers.call_spec import signature_of
from dlcore.layers.layer import Layer


class Pipeline(Layer):
    """Layers one after the other, as one layer, for preprocessing.

    Args:
        layers: list of layers.

    Without a `training` flag around it, a call is one in training.

    Example:

    >>> from dlcore.layers import RandomFlip, Rescaling
    >>> Pipeline([RandomFlip(), Rescaling(1 / 255)])(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(self, layers, name=None):
        super().__init__(name=name)
        self._pipeline_layers = sequence("Pipeline", "layers", layers, "layers")
        self.built = True

    @property
    def layers(self):
        """The layers, in their order."""
        return self._pipeline_layers

    def call(self, inputs, training=True, mask=None):
        for layer in self._pipeline_layers:
            masks = {"mask": mask} if mask is not None and signature_of(type(layer).call).has_mask else {}
            inputs, mask = layer(inputs, training=training, **masks), None
        return inputs

    def get_config(self):
        from dlcore.layers import serialize

        return {"name": self.name, "layers": [serialize(layer) for layer in self._pipeline_layers]}

    @classmethod
    def from_config(cls, config):
        from dlcore.layers import deserialize

        layers = sequence("Pipeline", "layers", config.get("layers"), "layers")
        return cls(**{**config, "layers": [deserialize(layer) for layer in layers]})
