"""Functions on tensors: NumPy's, and those of neural networks. All take KerasTensors too."""

from dlcore.ops import ctc, math, nn, numpy  # noqa: F401
from dlcore.ops.core import *  # noqa: F403
from dlcore.ops.ctc import *  # noqa: F403
from dlcore.ops.math import *  # noqa: F403
from dlcore.ops.nn import *  # noqa: F403
from dlcore.ops.numpy import *  # noqa: F403
from dlcore.ops.operation import Node, Operation, operation  # noqa: F401
from dlcore.ops.operators import attach as _attach

_attach()

# Keras lists these under `ops.nn` too.
for _name in ("ctc_decode", "ctc_loss", "normalize"):
    setattr(nn, _name, globals()[_name])

__all__ = [name for name in dir() if not name.startswith("_")]
