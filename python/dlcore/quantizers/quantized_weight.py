"""QuantizedWeight: what layers have in common that can keep their weight in few bits, or compute in few."""

from dlcore import ops
from dlcore.backend.dtype_policy import get_policy
from dlcore.quantizers.configs import resolve
from dlcore.quantizers.float8 import Float8
from dlcore.quantizers.groups import Groups, ScaledGroups
from dlcore.quantizers.integers import Integers

FORMS = {"int8": Integers, "int4": Integers, "float8": Float8, "gptq": Groups, "awq": ScaledGroups}


class UnpackedWeight:
    """Attribute of a `QuantizedWeight`: its variable; where that holds 4-bit integers, two in a byte, the integers."""

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, layer, owner):
        if layer is None or self.name not in vars(layer):
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self.name!r}")
        return layer._form.unpacked() if layer.quantization_mode == "int4" else vars(layer)[self.name]

    def __set__(self, layer, value):
        vars(layer)[self.name] = value

    def __delete__(self, layer):
        del vars(layer)[self.name]


class QuantizedWeight:
    """Mixed into a layer: `quantize` gives its weight one of the forms.

    The layer says which attribute the weight is, which modes it has, which other weights, and along which axes numbers
    of the weight share a scale.
    """

    quantized_weight = "kernel"
    quantization_modes = tuple(FORMS)
    other_weights = ("bias",)
    quantization_config = None

    def scale_axes(self):
        """The axes of the weight along which numbers share a scale."""
        return (0,)

    def scale_as_stored(self, scale):
        """The scale as the layer keeps it. `scale` has the axes of the weight but those of `scale_axes()`."""
        return scale

    def scale_from_stored(self, scale):
        """The inverse of `scale_as_stored`."""
        return scale

    @property
    def variable_serialization_spec(self):
        """Dict: mode, None for floats -> list of the variables' names in the order of files. Some layers lack some."""
        weight, others = self.quantized_weight, self.other_weights
        modes = {mode: FORMS[mode].order(mode, weight, others) for mode in self.quantization_modes}
        return {None: [weight, *others], **modes}

    @property
    def _form(self):
        return FORMS[self.quantization_mode](self)

    def _forms(self):
        """Those of all weights that are quantized."""
        return [self._form]

    def build_weight(self, shape):
        """Makes the weight, or what stands for it, and returns it."""
        return self.add_float_weight(shape) if self.quantization_mode is None else self._form.build(shape)

    def add_float_weight(self, shape):
        """A new weight of floats with the options the layer was given."""
        from dlcore.layers.weight_options import add_weight_with_options

        return add_weight_with_options(self, self.quantized_weight, shape, initializer=self.weight_initializer())

    def weight_initializer(self):
        """What a weight of floats begins with."""
        return getattr(self, f"{self.quantized_weight}_initializer")

    def quantized_product(self, multiply, inputs, axis, training):
        """multiply(inputs, weight) as the mode computes it, summed over the inputs' `axis`, and the bias to add."""
        form = self._form
        bias = None if self.bias is None else form.bias(self.bias)
        product = form.product(multiply, inputs, axis, training)
        return self.with_adapters(product, multiply, inputs), bias

    def quantize(self, mode=None, type_check=True, config=None):
        """Gives the weight the form of a mode.

        Integers can't be trained further, but pass gradients on to the inputs; `enable_lora`, before or after, gives
        them adapters. The other forms take in adapters that there are.
        In float8 the weight stays what it is.
        GPTQ and AWQ of a single layer have no data: all inputs count alike. `Model.quantize` takes data.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"`, `"gptq"` or `"awq"`, default that of the config.
            type_check: kept for Keras's signature.
            config: `QuantizationConfig`, default that of the mode.

        Raises:
            ValueError: the layer is not built, is quantized already, or mode and config don't agree.
            NotImplementedError: the layer has no such form.
        """
        self.take_form(resolve(mode, config))

    def take_form(self, config, *statistics):
        """`quantize` by a configuration and, of those that take data, what is known of the inputs."""
        if config.mode not in self.quantization_modes:
            known = ", ".join(self.quantization_modes)
            raise NotImplementedError(f"{self._label()} can't be quantized to {config.mode}, only to {known}.")
        if not self.built:
            raise ValueError(f"{self._label()} must be built before it is quantized. Call it on data first.")
        if self.quantization_mode is not None:
            raise ValueError(f"{self._label()} is quantized to {self.quantization_mode} already.")
        if self.lora_enabled:
            self.uncover_weight() if FORMS[config.mode] is Integers else self.merge_adapters()
        policy = get_policy(f"{config.dtype_policy_string()}_from_{self.dtype_policy.name}")
        self.put_dtype_policy(policy)
        self.quantization_config = config.kept()
        for form in self._forms():
            form.take(form.variable, config, *statistics)

    def statistics_for(self, config):
        """What a configuration that takes data wants to know of the inputs."""
        return FORMS[config.mode](self).statistics(config)

    def inputs_in_rows(self, inputs):
        """The inputs as a matrix whose columns are what the product sums over, in the order of the weight's axes."""
        return ops.reshape(inputs, (-1, inputs.shape[-1]))

    @property
    def inputs_quantizer(self):
        """The `Quantizer` of the inputs, where the weight is integers; None: inputs stay floats."""
        return getattr(self._form, "inputs_quantizer", None)

    def quantization_entries(self):
        """What the layer's configuration says of it; nothing where the weight is floats."""
        from dlcore import quantizers

        config = self.quantization_config
        return {} if config is None else {"quantization_config": quantizers.serialize(config)}

    def take_quantization_config(self, config):
        """Keeps the constructor's argument of that name."""
        from dlcore import quantizers

        self.quantization_config = quantizers.get(config)

    def _in_file_order(self, variables):
        """In the order of Keras's files, then what a subclass adds."""
        variables = super()._in_file_order(variables)
        if not self.built or self.quantization_mode is None:
            return variables
        named = [self.__dict__.get(name) for name in self.variable_serialization_spec[self.quantization_mode]]
        named = [variable for variable in named if variable is not None]
        return named + [v for v in variables if all(v is not other for other in named)]
