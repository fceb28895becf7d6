from dlcore.layers.layer import Layer


class Wrapper(Layer):
    """Base of the layers that wrap another layer, which is `self.layer`.

    Args:
        layer: the wrapped Layer.

    Input and output shapes: as the subclass says.
    """

    def __init__(self, layer, **kwargs):
        if isinstance(layer, dict):
            layer = _make_layer(layer)
        if not isinstance(layer, Layer):
            raise ValueError(
                f"{type(self).__name__}: the argument must be a Layer instance. Got {layer!r} of type "
                f"{type(layer).__name__}. Pass e.g. {type(self).__name__}(LSTM(10))."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape=None):
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self):
        from dlcore.layers import serialize

        return {**super().get_config(), "layer": serialize(self.layer)}


def _make_layer(config):
    from dlcore.layers import deserialize

    return deserialize(config)
