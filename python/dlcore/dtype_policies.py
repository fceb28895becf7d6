"""Policies: in which dtypes layers compute and keep their variables."""

from dlcore.backend.dtype_policy import (
    AWQDTypePolicy,
    DTypePolicy,
    DTypePolicyMap,
    FloatDTypePolicy,
    GPTQDTypePolicy,
    Int4DTypePolicy,
    QuantizedDTypePolicy,
    QuantizedFloat8DTypePolicy,
)
from dlcore.backend.dtype_policy import deserialize_policy as deserialize
from dlcore.backend.dtype_policy import get_policy as get
from dlcore.backend.dtype_policy import serialize_policy as serialize

__all__ = [
    "AWQDTypePolicy",
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "GPTQDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
    "deserialize",
    "get",
    "serialize",
]
