"""Functions on tensors: NumPy's, and those of neural networks. All take KerasTensors too."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.ops import image, linalg, nn, numpy  # noqa: F401
from dlcore.ops.core import *  # noqa: F403
from dlcore.ops.einops import *  # noqa: F403
from dlcore.ops.gradients import *  # noqa: F403
from dlcore.ops.linalg import *  # noqa: F403
from dlcore.ops.math import *  # noqa: F403
from dlcore.ops.nn import *  # noqa: F403
from dlcore.ops.numpy import *  # noqa: F403
from dlcore.ops.operation import Node, Operation, operation  # noqa: F401
from dlcore.ops.operators import attach as _attach
from dlcore.ops.patches import *  # noqa: F403
from dlcore.ops.signal import *  # noqa: F403

_attach()

__getattr__ = _unknown_attributes(__name__)

__all__ = [name for name in dir() if not name.startswith("_")]
