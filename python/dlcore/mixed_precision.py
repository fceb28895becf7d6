"""Computing in 16 bits with variables in float32: `mixed_precision.set_global_policy("mixed_bfloat16")`."""

from dlcore.backend.dtype_policy import DTypePolicy, dtype_policy, set_dtype_policy
from dlcore.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]
