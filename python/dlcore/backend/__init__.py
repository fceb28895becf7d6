"""What the rest of the package stands on: tensors, variables, dtypes, names and package-wide settings."""

import sys

from dlcore.backend.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    standardize_data_format,
)
from dlcore.backend.dtypes import is_float_dtype, is_int_dtype, result_type, standardize_dtype
from dlcore.backend.global_state import clear_session, get_global_attribute, set_global_attribute
from dlcore.backend.keras_tensor import KerasTensor, is_keras_tensor
from dlcore.backend.masking import get_keras_mask, set_keras_mask
from dlcore.backend.names import auto_name, get_uid, name_scope, nearest_hint, no_attribute, to_snake_case
from dlcore.backend.scopes import StatelessScope, SymbolicScope
from dlcore.backend.strings import Strings, is_text
from dlcore.backend.tensors import Tensor, convert_to_numpy, convert_to_tensor, is_tensor, promote
from dlcore.backend.variables import Variable, is_variable

__all__ = [
    "KerasTensor",
    "StatelessScope",
    "Strings",
    "SymbolicScope",
    "Tensor",
    "Variable",
    "auto_name",
    "backend",
    "clear_session",
    "convert_to_numpy",
    "convert_to_tensor",
    "epsilon",
    "floatx",
    "get_global_attribute",
    "get_keras_mask",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "is_tensor",
    "is_text",
    "is_variable",
    "name_scope",
    "nearest_hint",
    "promote",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_global_attribute",
    "set_image_data_format",
    "set_keras_mask",
    "standardize_data_format",
    "standardize_dtype",
    "to_snake_case",
]


def __getattr__(name):
    if hasattr(sys.modules.get("dlcore.ops"), name):  # until Keras 2 they were here
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}. Use dlcore.ops.{name}.")
    raise no_attribute(__name__, name, __all__)
