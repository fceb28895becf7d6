"""NumPy's functions on tensors, with Keras's names and promotion rules: the namespace of what other files define."""

from dlcore.ops.arithmetic import *  # noqa: F403
from dlcore.ops.arrangement import *  # noqa: F403
from dlcore.ops.bits import *  # noqa: F403
from dlcore.ops.core import result_type, vectorize  # noqa: F401
from dlcore.ops.creation import *  # noqa: F403
from dlcore.ops.elementary import *  # noqa: F403
from dlcore.ops.indexing import *  # noqa: F403
from dlcore.ops.linalg import slogdet  # noqa: F401
from dlcore.ops.logic import *  # noqa: F403
from dlcore.ops.matrices import *  # noqa: F403
from dlcore.ops.reductions import *  # noqa: F403
from dlcore.ops.shapes import *  # noqa: F403
from dlcore.ops.sorting import *  # noqa: F403
from dlcore.ops.statistics import *  # noqa: F403

newaxis = None

__all__ = [name for name in dir() if not name.startswith("_")]
