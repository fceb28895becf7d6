"""Numbers in few bits: `model.quantize("int8")`, and what it is made of."""

from dlcore.quantizers.calibrated_configs import AWQConfig, GPTQConfig
from dlcore.quantizers.configs import (
    Float8QuantizationConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)
from dlcore.quantizers.float8 import compute_float8_amax_history, compute_float8_scale, quantize_and_dequantize
from dlcore.quantizers.quantizers import (
    AbsMaxQuantizer,
    Quantizer,
    abs_max_quantize,
    abs_max_quantize_grouped_with_zero_point,
    fake_quant_with_min_max_vars,
    pack_int4,
    unpack_int4,
)
from dlcore.registry import Catalogue as _Catalogue

_catalogue = _Catalogue(
    "quantizer",
    "keras.quantizers",
    [
        Quantizer,
        AbsMaxQuantizer,
        QuantizationConfig,
        Int8QuantizationConfig,
        Int4QuantizationConfig,
        Float8QuantizationConfig,
        GPTQConfig,
        AWQConfig,
    ],
)


def get(identifier, **kwargs):
    """The quantizer for a name, a configuration, a class or an instance; None stays None.

    Raises:
        ValueError: an unknown name; the nearest ones are listed.
    """
    if isinstance(identifier, str):
        return _catalogue.lookup(identifier)(**kwargs)
    return _catalogue.get(identifier)


def serialize(initializer):
    """The configuration dict of a quantizer; Keras calls the argument so."""
    return _catalogue.serialize(initializer)


def deserialize(config, custom_objects=None):
    """The quantizer from what `serialize` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    return _catalogue.deserialize(config, custom_objects)


__all__ = [
    "AWQConfig",
    "AbsMaxQuantizer",
    "Float8QuantizationConfig",
    "GPTQConfig",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "Quantizer",
    "abs_max_quantize",
    "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history",
    "compute_float8_scale",
    "deserialize",
    "fake_quant_with_min_max_vars",
    "get",
    "pack_int4",
    "quantize_and_dequantize",
    "serialize",
    "unpack_int4",
]
