"""Sequential: a model of layers one after another."""

from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.strings import Strings, is_text
from dlcore.layers.core.input_layer import Input, InputLayer
from dlcore.layers.holder import note_structure_change
from dlcore.layers.input_spec import assert_input_compatibility
from dlcore.layers.layer import Layer
from dlcore.models.direct_call import DirectCall
from dlcore.models.front import array_of_values
from dlcore.models.functional import Functional
from dlcore.models.model import Model
from dlcore.ops.operation import without_stand_ins


class Sequential(DirectCall, Model):
    """Layers one after another, each on the output of the one before.

    Args:
        layers: list of layers, the first may be an Input.
        trainable: whether the weights are updated in training.
        name: default "sequential", made unique.

    Example:

    >>> model = Sequential([Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)])
    """

    _untracked = Layer._untracked | {"_functional"}

    def __new__(cls, *args, **kwargs):
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, layers=None, trainable=True, name=None):
        super().__init__(name=name)
        self._sequence = []
        self._functional = None
        for layer in layers or []:
            self._append(layer)
        self._rebuild()
        if not trainable:
            self.trainable = False

    def add(self, layer, rebuild=True):
        """Adds a layer at the end.

        Args:
            layer: the layer.
            rebuild: bool, default True: whether a model that is built is built anew at once.
        """
        made = self._functional
        self._append(layer)
        if rebuild and made is not None:
            self._unbuild()
            self._connect(made.input, made.output, [layer])
        else:
            self._rebuild() if rebuild else self._unbuild()

    def _append(self, layer):
        if isinstance(layer, KerasTensor) and isinstance(layer.history[0], InputLayer):
            layer = layer.history[0]
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Only layers can be added to {self._label()}. Received: {layer!r} (of type {type(layer).__name__})"
            )
        if any(layer.name == other.name for other in self._sequence):
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. '{layer.name}' is already the name "
                "of a layer in this model. Update the `name` argument to pass a unique name."
            )
        if isinstance(layer, InputLayer) and self._sequence:
            raise ValueError(f"{self._label()} has an input already: an Input can only be its first layer.")
        if not self._sequence and layer._batch_input_shape is not None and not isinstance(layer, InputLayer):
            self._sequence.append(InputLayer(batch_shape=layer._batch_input_shape, dtype=_input_dtype(layer)))
        self._sequence.append(layer)

    def pop(self, rebuild=True):
        """Takes the last layer away and returns it."""
        if not self.layers:
            raise ValueError(f"{self._label()} has no layers to take away.")
        layer = self._sequence.pop()
        self._rebuild() if rebuild else self._unbuild()
        return layer

    def _unbuild(self):
        """Forgets what was made of the layers so far: the graph and programs, those of outer models too."""
        self._functional = None
        self._programs = {}
        self._plain_revision = None
        self.built = False
        if self._called:
            note_structure_change()

    def _rebuild(self):
        """Builds when the shape of the inputs is known."""
        self._unbuild()
        if self._sequence and isinstance(self._sequence[0], InputLayer):
            self.build(self._sequence[0].batch_shape)
        elif self._sequence and getattr(self._sequence[0], "_functional", None) is not None:
            self.build(self._sequence[0].input_shape)

    def build(self, input_shape=None):
        """Builds all layers for a shape of the inputs; an InputLayer is put first where there is none."""
        if self._functional is not None and input_shape is not None:
            known = self._sequence[0].batch_shape
            if len(known) != len(input_shape) or any(a != b for a, b in zip(known, input_shape) if None not in (a, b)):
                raise ValueError(f"{self._label()} is built for inputs of shape {known}. Received: {input_shape}.")
        if self._functional is not None:
            return
        if not self._sequence:
            raise ValueError(f"{self._label()} has no layers to build. Add layers first: model.add(layer).")
        if input_shape is None:
            raise ValueError(f"{self._label()}: the shape of its inputs is not known yet. Pass it to build().")
        if not isinstance(self._sequence[0], InputLayer):
            if not all(size is None or isinstance(size, int) for size in input_shape):
                return  # several inputs: layers are built as they are called
            dtype = _input_dtype(self._sequence[0])
            self._sequence.insert(0, InputLayer(batch_shape=tuple(input_shape), dtype=dtype))
        inputs = self._sequence[0]._inbound_nodes[0].outputs[0]
        self._connect(inputs, inputs, self._sequence[1:])

    def _connect(self, inputs, x, layers):
        """Makes the graph from the inputs on: through what makes x of them, then the layers. There is none where a
        layer's compute_output_spec() is not implemented."""
        try:
            with self._scope():
                for layer in layers:
                    x = layer(x)
        except NotImplementedError:
            return
        self._functional = Functional(inputs, x, name=self.name)
        self.built = True

    def _prepared(self, x):
        self._begin_with_values(x)
        return super()._prepared(x) if self._functional is None else self._functional._prepared(x)

    def _takes_strings(self):
        return super()._takes_strings() if self._functional is None else self._functional._takes_strings()

    def _begin_with_values(self, x):
        """Puts an Input for values like x first where they are strings, or the first layer looks at them."""
        if self._functional is not None or not self._sequence:
            return
        if isinstance(x, Strings) or is_text(x) or self._sequence[0].looks_at_values:
            values = x if isinstance(x, (Strings, KerasTensor)) else array_of_values(x)
            dtype = "string" if values.dtype == object else values.dtype
            self._sequence.insert(0, InputLayer(batch_shape=(None, *values.shape[1:]), dtype=dtype))
            self._rebuild()

    def _build_for(self, arguments):
        x = arguments["inputs"]
        self._begin_with_values(x)
        if hasattr(x, "shape"):
            self._build_shapes = {"input_shape": tuple(x.shape)}
            # The model serves every batch size.
            self.build((None, *without_stand_ins(x.shape)[1:]))
        self.built = True

    def call(self, inputs, training=None, mask=None):
        if self._functional is not None:
            return self._call_graph(inputs, training, mask)
        if not self._sequence:
            raise ValueError(f"{self._label()} cannot be called: it has no layers. Add some with add().")
        x = inputs
        for layer in self.layers:
            x = layer(x)
        return x

    def _call_graph(self, inputs, training, mask):
        """Inputs may have other sizes than those the model was built for, if the layers take them."""
        try:
            return self._functional.call(inputs, training=training, mask=mask)
        except Exception:
            expected = self._functional.input_spec
            if expected is not None:
                try:
                    assert_input_compatibility(expected, inputs, self.name)
                except ValueError as mismatch:  # says more than what some layer inside could not do
                    raise mismatch from None
            raise

    def _convert_argument(self, x):
        return x if self._functional is not None else super()._convert_argument(x)

    @property
    def layers(self):
        layers = self._sequence
        return list(layers[1:] if layers and isinstance(layers[0], InputLayer) else layers)

    @property
    def inputs(self):
        """List of the KerasTensors that the model is called with, once it is built."""
        return self._made().inputs

    @property
    def outputs(self):
        """List of the KerasTensors that it returns, once it is built."""
        return self._made().outputs

    @property
    def input(self):
        return self._made().input

    @property
    def output(self):
        return self._made().output

    @property
    def input_shape(self):
        return self._made().input_shape

    @property
    def output_shape(self):
        return self._made().output_shape

    @property
    def input_names(self):
        return self._made().input_names

    @property
    def output_names(self):
        return self._made().output_names

    def _made(self):
        if self._functional is None:
            raise AttributeError(
                f"{self._label()} has no inputs and outputs yet: the shape of its inputs is not known. "
                "Begin with an Input, or call build(input_shape)."
            )
        return self._functional

    def get_config(self):
        from dlcore.backend.dtype_policy import serialize_policy
        from dlcore.saving import serialize_keras_object

        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize_policy(self.dtype_policy),
            "layers": [serialize_keras_object(layer) for layer in self._sequence],
        }
        if self._functional is not None:
            config["build_input_shape"] = self._sequence[0].batch_shape
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        from dlcore.saving import custom_object_scope, deserialize_keras_object

        model = cls(name=config.get("name"))
        with custom_object_scope(custom_objects or {}):
            for entry in config["layers"]:
                model.add(deserialize_keras_object(entry), rebuild=False)
        shape = config.get("build_input_shape")
        if shape and model._sequence and not model._functional:
            model.build(tuple(shape))
        else:
            model._rebuild()
        if not config.get("trainable", True):
            model.trainable = False
        return model

    def get_build_config(self):
        return None if self._functional is None else {"input_shape": self._sequence[0].batch_shape}

    def build_from_config(self, config):
        if config and config.get("input_shape") and not self.built:
            self.build(tuple(config["input_shape"]))


def _input_dtype(layer):
    """The dtype of the model's inputs: what the first layer wants, but no 16-bit float, which holds few of the ids and
    counts that inputs may be. Layers cast what they compute with themselves.
    """
    if isinstance(layer, Sequential) and layer._sequence:
        return _input_dtype(layer._functional or layer._sequence[0])
    if isinstance(layer, Functional):
        return layer.inputs[0].dtype
    return "float32" if layer.input_dtype in ("float16", "bfloat16") else layer.input_dtype


__all__ = ["Input", "Sequential"]
