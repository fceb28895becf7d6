"""Model: a layer with what it takes to train, run and save it."""

from dlcore.layers.layer import Layer, placeholders_of
from dlcore.training.trainer import Trainer


class Model(Trainer, Layer):
    """Layers that are trained, run and saved together. Three ways to make one:

    `Model(inputs, outputs)`: what lies between KerasTensors (see Functional).
    `Sequential([...])`: layers one after another.
    A subclass that makes its layers in `__init__` and uses them in `call`:

    >>> class Classifier(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = layers.Dense(32, activation="relu")
    ...         self.head = layers.Dense(5)
    ...     def call(self, inputs):
    ...         return self.head(self.hidden(inputs))
    """

    def __new__(cls, *args, **kwargs):
        if cls is Model and _is_functional(args, kwargs):
            from dlcore.models.functional import Functional

            return Functional.__new__(Functional, *args, **kwargs)
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, *args, **kwargs):
        Trainer.__init__(self)
        if _is_functional(args, kwargs):
            # A subclass calls super().__init__(inputs=..., outputs=...): its instances are Functional models.
            from dlcore.models.functional import Functional

            _put_into_bases(type(self), Functional)
            Functional.__init__(self, *args, **kwargs)
        else:
            Layer.__init__(self, *args, **kwargs)

    def _own_call(self, args, kwargs):
        return self.call(*args, **kwargs)  # a RematScope is for each of its layers by itself

    @property
    def layers(self):
        """The layers, without those inside them."""
        return list(self._flatten_layers(include_self=False, recursive=False))

    def get_layer(self, name=None, index=None):
        """The layer of a name or at an index."""
        if (name is None) == (index is None):
            raise ValueError(f"get_layer() takes either a name or an index. Received: name={name!r}, index={index!r}")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"{self._label()} has {len(layers)} layers; there is no layer at index {index}.")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        from dlcore.registry import nearest_names

        raise ValueError(f"No such layer: {name!r}. {nearest_names(name, [layer.name for layer in layers])}")

    def build(self, input_shape):
        """Builds the layers by tracing a call for a shape of the inputs."""
        if type(self).call is not Layer.call and self.layers and not all(layer.built for layer in self.layers):
            self._build_by_tracing(input_shape)
        self.built = True

    def _build_by_tracing(self, input_shape):
        if self._in_call:
            return  # the call that asked for it builds the layers
        self.built = True
        try:
            self.compute_output_spec(placeholders_of(input_shape, self.compute_dtype))
        except BaseException:
            self.built = False
            raise

    _in_call = False

    def _build_for(self, arguments):
        self._in_call = True
        try:
            super()._build_for(arguments)
        finally:
            self._in_call = False

    def summary(
        self,
        line_length=None,
        positions=None,
        print_fn=None,
        expand_nested=False,
        show_trainable=False,
        layer_range=None,
    ):
        """Prints a table of the layers with their output shapes and numbers of parameters.

        Args:
            line_length: int: characters of a line; default None: 88, or 108 with connections, or the terminal's width.
            positions: list of numbers, default None: where each column of the table ends, in parts of the width.
            print_fn: function of the text, default None: it goes to standard output.
            expand_nested: bool, default False: whether the layers of models within the model are listed.
            show_trainable: bool, default False: whether a column says which layers are trained.
            layer_range: two names of layers or patterns, default None: the first and the last one that are listed.
        """
        from dlcore.models.summary import summary_text
        from dlcore.utils.console import print_message

        text = summary_text(self, line_length, expand_nested, show_trainable, layer_range, positions)
        (print_fn or print_message)(text)

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Writes architecture, weights and optimizer state to a `.keras` or `.h5` file.

        Args:
            filepath, overwrite, zipped: and keyword arguments, as for `saving.save_model`.
        """
        from dlcore import saving

        return saving.save_model(self, filepath, overwrite, zipped, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None, **kwargs):
        """Writes the weights to a `.weights.h5` file, or to several.

        Args:
            filepath, overwrite, max_shard_size: and keyword arguments, as for `saving.save_weights`.
        """
        from dlcore import saving

        return saving.save_weights(self, filepath, overwrite, max_shard_size, **kwargs)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Reads the weights of a file that holds such a model's.

        Args:
            filepath, skip_mismatch: and keyword arguments, as for `saving.load_weights`.
        """
        from dlcore import saving

        return saving.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def export(self, filepath, format="dlcore", verbose=None, input_signature=None, target_signature=None):
        """Writes what predicts, for C++ apps: `dlcore::Model::load(filepath).predict(x)`, any batch size.

        With targets also what trains and evaluates: `model.run("train_step", {x, y})`, `"test_step"` and
        `"reset_metrics"`.

        Args:
            filepath: where to.
            format: `"dlcore"`.
            verbose: kept for Keras's signature: nothing is printed.
            input_signature: the inputs of a subclassed model, in its own structure: objects with shape (None for sizes
                that are free) and dtype, such as `Input(...)`. Sequential and functional models know theirs.
            target_signature: the same of the targets of a compiled model, such as `Input((), dtype="int64")`.

        Raises:
            ValueError: the inputs are not known, a signature is no spec, or there are targets and the model is not
                compiled.
            TypeError: the model takes strings.
        """
        from dlcore.saving.native import export_model

        return export_model(
            self, filepath, format=format, input_signature=input_signature, target_signature=target_signature
        )

    def quantize(self, mode=None, config=None, filters=None, type_check=True):
        """Turns the weights of the layers that can do so into integers, to predict with, or has them trained in float8.

        Compile the model anew to train or evaluate it.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"`, `"gptq"` or `"awq"`.
            config: a configuration such as `quantizers.Int8QuantizationConfig()`, default that of the mode; the last
                two have no default, but need data: `quantizers.GPTQConfig(dataset, tokenizer)`, or `AWQConfig`.
            filters: regular expression, list of them, or function layer -> bool: the names of the layers to turn;
                default all.
            type_check: kept for Keras's signature.

        Layers with a kernel that stays as it is are a warning. With `"gptq"` and `"awq"` only the layers in the model's
        blocks are quantized, see `get_quantization_layer_structure`.

        Raises:
            ValueError: mode and config are unknown or don't agree, a layer is quantized already, or the blocks are not
                known.
            TypeError: the configuration's data can't be iterated over.
        """
        import re
        import warnings

        from dlcore.quantizers.calibrated_configs import CalibratedConfig
        from dlcore.quantizers.calibration import calibrate
        from dlcore.quantizers.configs import resolve

        config = resolve(mode, config)
        if filters is not None and not callable(filters):
            patterns = [filters] if isinstance(filters, str) else list(filters)
            chosen = lambda layer: any(re.search(pattern, layer.name) for pattern in patterns)  # noqa: E731
        else:
            chosen = filters or (lambda layer: True)
        if isinstance(config, CalibratedConfig):
            calibrate(self, config, chosen)
        else:
            for layer in self._flatten_layers(include_self=False):
                if layer._layers or not chosen(layer):
                    continue
                try:
                    layer.quantize(config=config)
                except NotImplementedError as error:
                    if any(len(variable.shape) > 1 for variable in layer.weights):
                        warnings.warn(str(error), stacklevel=2)
        self._programs = {}

    def get_quantization_layer_structure(self, mode=None):
        """The blocks that `quantize` goes through in the modes that take data; None, unless a subclass says so.

        Args:
            mode: `"gptq"` or `"awq"`.

        Returns:
            dict: `"pre_block_layers"`, list of the layers that the data goes through first, such as an embedding, and
            `"sequential_blocks"`, list of the layers behind, one after another, in which dense layers are quantized.
        """
        return None

    def to_json(self, **kwargs):
        """The configuration as JSON text, for `models.model_from_json`."""
        import json

        from dlcore import saving

        return json.dumps(saving.serialize_keras_object(self), **kwargs)

    def __reduce__(self):
        """Pickles and deep copies are `.keras` files in memory; classes of the user's own go with them by name."""
        import io

        from dlcore.saving import keras_file

        content = io.BytesIO()
        keras_file.save_to(self, content)
        classes = {type(layer) for layer in self._flatten_layers() if not type(layer).__module__.startswith("dlcore.")}
        return _unpickle, (content.getvalue(), {cls.__name__: cls for cls in classes})

    @classmethod
    def from_config(cls, config, custom_objects=None):
        from dlcore.models import functional_config
        from dlcore.models.functional import Functional

        if functional_config.describes_graph(config) and functional_config.is_made_of_its_graph(cls):
            return functional_config.from_config(Functional if cls is Model else cls, config, custom_objects)
        return super().from_config(config)


def _unpickle(content, custom_objects):
    """The model of what `Model.__reduce__` returned."""
    import io

    from dlcore.saving import keras_file

    return keras_file.load(io.BytesIO(content), custom_objects)


def _is_functional(args, kwargs):
    """Whether the arguments are the inputs and outputs of a Functional model."""
    given = len(args) + ("inputs" in kwargs) + ("outputs" in kwargs)
    return given >= 2 and len(args) <= 3


def _put_into_bases(cls, functional):
    """Functional takes Model's place among the bases of a subclass."""
    if not issubclass(cls, functional):
        for base in cls.__bases__:
            if base is not Model and issubclass(base, Model):
                _put_into_bases(base, functional)
        if not issubclass(cls, functional):
            cls.__bases__ = tuple(functional if base is Model else base for base in cls.__bases__)
