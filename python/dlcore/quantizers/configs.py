"""How `quantize` turns a layer's weights into integers."""

from dlcore.backend.arguments import ChecksArguments, positive_int
from dlcore.quantizers.quantizers import AbsMaxQuantizer, Quantizer


class QuantizationConfig(ChecksArguments):
    """Base of the configurations.

    Args:
        weight_quantizer: `Quantizer` of the weights, None: the layer's own.
        activation_quantizer: `Quantizer` of the inputs, None: inputs stay floats.
    """

    mode = None

    def __init__(self, weight_quantizer=None, activation_quantizer=None):
        for name, value in (("weight_quantizer", weight_quantizer), ("activation_quantizer", activation_quantizer)):
            if value is not None and not isinstance(value, Quantizer):
                raise ValueError(f"{type(self).__name__}: {name} must be a Quantizer or None. Got {name}={value!r}.")
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer
        if weight_quantizer is not None and weight_quantizer.output_dtype != "int8":
            raise ValueError(
                f"{type(self).__name__}: weights are kept as int8. Got a weight_quantizer with output_dtype="
                f"{weight_quantizer.output_dtype!r}."
            )

    def dtype_policy_string(self):
        """What the names of the dtype policies of layers quantized so begin with, such as `"int8"` or `"int4/128"`."""
        return self.mode

    def kept(self):
        """What a layer keeps of it."""
        return self

    @staticmethod
    def weight_quantizer_or_default(config, default):
        given = None if config is None else config.weight_quantizer
        return default if given is None else given

    @staticmethod
    def activation_quantizer_or_default(config, default):
        return default if config is None else config.activation_quantizer

    def get_config(self):
        from dlcore import quantizers

        return {
            "weight_quantizer": quantizers.serialize(self.weight_quantizer),
            "activation_quantizer": quantizers.serialize(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config):
        from dlcore import quantizers

        known = {k: quantizers.get(v) if k.endswith("quantizer") else v for k, v in config.items()}
        return cls(**known)


class Int8QuantizationConfig(QuantizationConfig):
    """Weights as int8 with a scale per output channel.

    Args:
        weight_quantizer: default None: `AbsMaxQuantizer` over the input channels.
        activation_quantizer: default `AbsMaxQuantizer()`, a scale per row; None keeps the inputs as floats.
    """

    mode = "int8"

    def __init__(self, weight_quantizer=None, activation_quantizer="default"):
        default = isinstance(activation_quantizer, str) and activation_quantizer == "default"
        super().__init__(weight_quantizer, AbsMaxQuantizer() if default else activation_quantizer)


class Int4QuantizationConfig(QuantizationConfig):
    """Weights as 4-bit integers, two in a byte.

    Args:
        weight_quantizer: `Quantizer` with values -8 .. 7, only for a scale per channel; default None.
        activation_quantizer: default None: inputs stay floats.
        block_size: input channels that share a scale and a zero point, default 128; None or -1: a scale per output
            channel.
    """

    mode = "int4"

    def __init__(self, weight_quantizer=None, activation_quantizer="default", block_size=128):
        default = isinstance(activation_quantizer, str) and activation_quantizer == "default"
        super().__init__(weight_quantizer, None if default else activation_quantizer)
        if block_size is not None and block_size != -1:
            positive_int("Int4QuantizationConfig", "block_size", block_size)
        self.block_size = block_size
        own = self.weight_quantizer is not None or self.activation_quantizer is not None
        if own and block_size not in (None, -1):
            raise ValueError(f"Int4QuantizationConfig: quantizers go with block_size=None only. Got {block_size}.")
        if weight_quantizer is not None and tuple(weight_quantizer.value_range) != (-8, 7):
            raise ValueError(
                f"Int4QuantizationConfig: weights have values -8 .. 7. Got value_range={weight_quantizer.value_range}."
            )

    def dtype_policy_string(self):
        return f"int4/{self.block_size or -1}"

    def get_config(self):
        return {**super().get_config(), "block_size": self.block_size}


class Float8QuantizationConfig(QuantizationConfig):
    """Training in 8-bit floats: inputs, weights and gradients of products are rounded to them."""

    mode = "float8"

    def __init__(self):
        super().__init__()

    def get_config(self):
        return {}


_CONFIGS = {"int8": Int8QuantizationConfig, "int4": Int4QuantizationConfig, "float8": Float8QuantizationConfig}


def resolve(mode, config):
    """The configuration for a mode, a configuration, or both where they agree."""
    if config is None and not isinstance(mode, str):
        mode, config = None, mode
    if isinstance(config, str):
        mode, config = config, None
    if config is None:
        if mode in ("gptq", "awq"):
            raise ValueError(f'quantize: "{mode}" needs data. Pass config={mode.upper()}Config(dataset, tokenizer).')
        if mode not in _CONFIGS:
            raise ValueError(f"quantize: mode must be one of {', '.join(_CONFIGS)}, gptq, awq. Got mode={mode!r}.")
        return _CONFIGS[mode]()
    if not isinstance(config, QuantizationConfig) or config.mode is None:
        raise ValueError(
            f"quantize: config must be a configuration of quantizers, such as Int8QuantizationConfig(). Got {config!r}."
        )
    if mode is not None and mode != config.mode:
        raise ValueError(f"quantize: mode={mode!r} contradicts the config for {config.mode!r}.")
    return config
