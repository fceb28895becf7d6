"""Functions on tensors: NumPy's, and those of neural networks. All take KerasTensors too."""

from dlcore.ops import arrangement, bits, ctc, elementary, image, linalg, math, nan_reductions, nn, numpy  # noqa: F401
from dlcore.ops.arrangement import *  # noqa: F403
from dlcore.ops.bits import *  # noqa: F403
from dlcore.ops.core import *  # noqa: F403
from dlcore.ops.ctc import *  # noqa: F403
from dlcore.ops.elementary import *  # noqa: F403
from dlcore.ops.gradients import *  # noqa: F403
from dlcore.ops.linalg import *  # noqa: F403
from dlcore.ops.math import *  # noqa: F403
from dlcore.ops.nan_reductions import *  # noqa: F403
from dlcore.ops.nn import *  # noqa: F403
from dlcore.ops.numpy import *  # noqa: F403
from dlcore.ops.operation import Node, Operation, operation  # noqa: F401
from dlcore.ops.operators import attach as _attach
from dlcore.ops.signal import *  # noqa: F403

_attach()


def _list_in(namespace, *modules, but=(), names=()):
    """Makes names known in one of Keras's namespaces whose code lies in files of their own."""
    for module in modules:
        for name in module.__all__ if not names else names:
            if name not in but:
                setattr(namespace, name, getattr(module, name))


_list_in(numpy, arrangement, but=("extract_sequences", "fold", "rearrange", "unfold"))
_list_in(numpy, bits, elementary, nan_reductions)
_list_in(numpy, linalg, names=("slogdet",))
_list_in(nn, ctc)
_list_in(nn, arrangement, names=("fold", "unfold"))
_list_in(nn, math, names=("normalize",))

__all__ = [name for name in dir() if not name.startswith("_")]
