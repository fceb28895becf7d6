"""Dtype policies: in which dtypes a layer computes and keeps its variables."""

import re
from collections.abc import MutableMapping

from dlcore.backend import config, dtypes
from dlcore.backend.global_state import get_global_attribute, set_global_attribute

QUANTIZATION_MODES = ("int8", "int4", "float8", "gptq", "awq")
_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class DTypePolicy:
    """A layer's dtypes: `compute_dtype` of inputs, outputs and what is between, `variable_dtype`, and their `name`.

    Args:
        name: `"mixed_bfloat16"` or `"mixed_float16"`: compute in 16 bits, variables in float32; or the name of a dtype
            for both. Default None: the global policy's.

    Raises:
        ValueError: the name is unknown.

    Reference: Micikevicius et al. 2018.

    Example:

    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')
    """

    quantization_mode = None

    def __init__(self, name=None):
        name = dtype_policy().name if name is None else name
        self._set(name, name)

    def _set(self, name, source_name):
        if not isinstance(source_name, str):
            raise TypeError(f"The name of a dtype policy must be a string. Got {source_name!r}.")
        self.name = name
        if source_name in _MIXED:
            self.compute_dtype, self.variable_dtype = _MIXED[source_name], "float32"
            return
        try:
            self.compute_dtype = self.variable_dtype = dtypes.standardize_dtype(source_name)
        except ValueError:
            known = [*_MIXED, *dtypes.FLOATS]
            raise ValueError(
                f"Unknown dtype policy: {source_name!r}. Expected one of {', '.join(known)}, or another dtype."
            ) from None

    def convert_input(self, x, autocast, dtype):
        """x as a tensor; with `autocast`, floats as `dtype`."""
        from dlcore import ops
        from dlcore.backend.keras_tensor import KerasTensor
        from dlcore.backend.tensors import Tensor, convert_to_tensor

        if not isinstance(x, (Tensor, KerasTensor)):
            if not hasattr(x, "__array__"):
                return x
            x = convert_to_tensor(x)
        if autocast and dtypes.is_float_dtype(x.dtype) and x.dtype != dtypes.standardize_dtype(dtype):
            return ops.cast(x, dtype)
        return x

    def get_config(self):
        """The constructor's arguments as plain values."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        """A policy from what get_config() returned."""
        return cls(**config)

    def __eq__(self, other):
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return f'<{type(self).__name__} "{self.name}">'


FloatDTypePolicy = DTypePolicy


class QuantizedDTypePolicy(DTypePolicy):
    """The dtypes of a layer whose weights are kept in few bits, or that computes in few.

    Args:
        mode: `"int8"`, `"int4"`, `"float8"`, `"gptq"` or `"awq"`.
        source_name: name of the policy for what is not quantized, default the global policy's.
    """

    def __init__(self, mode, source_name=None):
        source_name = dtype_policy().name if source_name is None else source_name
        self._set(f"{mode}_from_{source_name}", source_name)
        self.quantization_mode = self._check_mode(mode)
        self._source_name = source_name
        if self.quantization_mode == "int8" and self.compute_dtype == "float16":
            raise ValueError("int8 weights need a wider range than float16 computes in. Use bfloat16 or float32.")

    def _check_mode(self, mode):
        if mode not in QUANTIZATION_MODES:
            raise ValueError(f"Unknown quantization mode {mode!r}. Expected one of {', '.join(QUANTIZATION_MODES)}.")
        return mode

    def get_config(self):
        return {"mode": self.name.partition("_from_")[0], "source_name": self._source_name}

    @property
    def source(self):
        """The policy for what is not quantized."""
        return get_policy(self._source_name)

    def quantization_config(self):
        """The configuration that gives a weight this form, where the policy says more than the mode; else None."""
        return None


class Int4DTypePolicy(QuantizedDTypePolicy):
    """The dtypes of a layer with 4-bit weights and a scale per block of input channels.

    Args:
        mode: `"int4/<block size>"`, -1 for one scale per output channel.
        source_name: as for `QuantizedDTypePolicy`.
    """

    def _check_mode(self, mode):
        match = re.fullmatch(r"int4/(-1|[1-9]\d*)", mode)
        if match is None:
            raise ValueError(f'Expected the mode "int4/<block size>", a block size > 0 or -1. Got {mode!r}.')
        self.block_size = int(match[1])
        return "int4"

    def quantization_config(self):
        from dlcore.quantizers import Int4QuantizationConfig

        return Int4QuantizationConfig(block_size=self.block_size)


class _GroupsDTypePolicy(QuantizedDTypePolicy):
    """Base: bits and group size are part of the mode."""

    def _check_mode(self, mode):
        match = re.fullmatch(rf"{self._kind}/(\d+)/(-1|[1-9]\d*)", mode)
        if match is None or int(match[1]) not in self._bits:
            bits = " or ".join(map(str, self._bits))
            raise ValueError(
                f'Expected the mode "{self._kind}/<bits>/<group size>", bits {bits}, a group size > 0 or -1. '
                f"Got {mode!r}."
            )
        self.weight_bits, self.group_size = int(match[1]), int(match[2])
        return self._kind


class GPTQDTypePolicy(_GroupsDTypePolicy):
    """The dtypes of a layer with weights in groups of integers.

    Args:
        mode: `"gptq/<bits>/<group size>"`, 2, 3, 4 or 8 bits, a group size of -1 for one scale per output channel.
        source_name: as for `QuantizedDTypePolicy`.
    """

    _kind, _bits = "gptq", (2, 3, 4, 8)


class AWQDTypePolicy(_GroupsDTypePolicy):
    """The dtypes of a layer with weights in groups of 4-bit integers, and factors of the inputs.

    Args:
        mode: `"awq/4/<group size>"`, a group size of -1 for one scale per output channel.
        source_name: as for `QuantizedDTypePolicy`.
    """

    _kind, _bits = "awq", (4,)


class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """The dtypes of a layer that is trained in 8-bit floats, `"float8_from_float32"`.

    Args:
        mode: `"float8"`.
        source_name: as for `QuantizedDTypePolicy`.
        amax_history_length: int > 0, default 1024: the steps whose largest values make the scales.
    """

    default_amax_history_length = 1024

    def __init__(self, mode, source_name=None, amax_history_length=1024):
        super().__init__(mode, source_name)
        if not isinstance(amax_history_length, int):
            raise TypeError(f"amax_history_length must be an int > 0. Got {amax_history_length!r}.")
        if amax_history_length <= 0:
            raise ValueError(f"amax_history_length must be an int > 0. Got {amax_history_length}.")
        self.amax_history_length = amax_history_length

    def __eq__(self, other):
        return super().__eq__(other) and self.amax_history_length == getattr(other, "amax_history_length", None)

    __hash__ = QuantizedDTypePolicy.__hash__

    def get_config(self):
        return {**super().get_config(), "amax_history_length": self.amax_history_length}


class DTypePolicyMap(DTypePolicy, MutableMapping):
    """Policies by the paths of layers: a path, or a regular expression for it -> policy.

    Args:
        default_policy: policy or name for the other layers, default the global policy.
        policy_map: dict to begin with.

    Example:

    >>> policies = DTypePolicyMap()
    >>> policies["model/.*embedding"] = "mixed_bfloat16"
    >>> policies["model/token_embedding"].compute_dtype
    'bfloat16'
    """

    def __init__(self, default_policy=None, policy_map=None):
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("The default policy can't be a DTypePolicyMap.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(f"policy_map must be a dict. Got {policy_map!r}.")
        self._default = default_policy
        self._map = {path: get_policy(policy) for path, policy in (policy_map or {}).items()}

    @property
    def default_policy(self):
        return get_policy(self._default)

    @property
    def name(self):
        return f"map_{self.default_policy.name}"

    @property
    def compute_dtype(self):
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self):
        return self.default_policy.variable_dtype

    @property
    def quantization_mode(self):
        return self.default_policy.quantization_mode

    def __getitem__(self, key):
        if key in self._map:
            return self._map[key]
        found = [pattern for pattern in self._map if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise ValueError(f"The path {key!r} matches several policies: {found}. Make the patterns differ.")
        return self._map[found[0]] if found else self.default_policy

    def __setitem__(self, key, policy):
        if key in self._map:
            raise ValueError(f"{key!r} has the policy {self._map[key]} already. Delete it first.")
        self._map[key] = get_policy(policy)

    def __delitem__(self, key):
        del self._map[key]

    def __contains__(self, key):
        return key in self._map

    def __iter__(self):
        return iter(self._map)

    def __len__(self):
        return len(self._map)

    __hash__ = object.__hash__

    def __eq__(self, other):
        return isinstance(other, DTypePolicyMap) and (self._default, self._map) == (other._default, other._map)

    def get_config(self):
        default = self._default if self._default is None or isinstance(self._default, str) else self._default.name
        return {
            "default_policy": default,
            "policy_map": {path: serialize_policy(policy) for path, policy in self._map.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The policies from what get_config() returned; `custom_objects`: {name: class} of the user's own."""
        policies = {path: deserialize_policy(policy, custom_objects) for path, policy in config["policy_map"].items()}
        return cls(config["default_policy"], policies)


_CLASSES = {
    cls.__name__: cls
    for cls in (
        DTypePolicy,
        QuantizedDTypePolicy,
        Int4DTypePolicy,
        QuantizedFloat8DTypePolicy,
        GPTQDTypePolicy,
        AWQDTypePolicy,
        DTypePolicyMap,
    )
}
_CLASSES["FloatDTypePolicy"] = DTypePolicy
# Modes that have a class of their own.
_QUANTIZED = {
    "int4": Int4DTypePolicy,
    "float8": QuantizedFloat8DTypePolicy,
    "gptq": GPTQDTypePolicy,
    "awq": AWQDTypePolicy,
}


def dtype_policy():
    """The global policy, which layers take when they are given none: that of `floatx()` unless set."""
    return get_global_attribute("dtype_policy") or DTypePolicy(config.floatx())


def set_dtype_policy(policy):
    """Sets the policy of layers made from now on.

    Args:
        policy: `DTypePolicy`, or its name as `"mixed_bfloat16"`.
    """
    if not isinstance(policy, (str, DTypePolicy)):
        raise ValueError(f"Expected the name of a dtype policy, or a DTypePolicy. Got {policy!r}.")
    set_global_attribute("dtype_policy", get_policy(policy))


def get_policy(identifier):
    """A policy from its name, a dtype, a configuration, the policy itself, or None: the global one."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize_policy(identifier)
    if isinstance(identifier, str) and "_from_" in identifier:
        mode, _, source_name = identifier.partition("_from_")
        cls = QuantizedDTypePolicy if mode == "int4" else _QUANTIZED.get(mode.partition("/")[0], QuantizedDTypePolicy)
        return cls(mode, source_name)
    return DTypePolicy(identifier if isinstance(identifier, str) else dtypes.standardize_dtype(identifier))


def serialize_policy(dtype_policy):
    """The configuration dict of a policy."""
    name = type(dtype_policy).__name__
    module = "keras" if name == "DTypePolicy" else "keras.dtype_policies"
    return {"module": module, "class_name": name, "config": dtype_policy.get_config(), "registered_name": None}


def deserialize_policy(config, custom_objects=None):
    """The policy of what `serialize_policy` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    name = config.get("class_name")
    cls = (custom_objects or {}).get(name) or _CLASSES.get(name)
    if cls is None:
        raise ValueError(f"Unknown dtype policy class: {name!r}. Expected one of {', '.join(_CLASSES)}.")
    return cls.from_config(config["config"])
