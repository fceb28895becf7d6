"""The functions of neural networks: the namespace of what other files define."""

from dlcore.ops.activations import *  # noqa: F403
from dlcore.ops.attention import *  # noqa: F403
from dlcore.ops.convolution import *  # noqa: F403
from dlcore.ops.crossentropy import *  # noqa: F403
from dlcore.ops.ctc import *  # noqa: F403
from dlcore.ops.linalg import normalize  # noqa: F401
from dlcore.ops.math import polar, psnr  # noqa: F401
from dlcore.ops.normalization import *  # noqa: F403
from dlcore.ops.patches import depth_to_space, fold, space_to_depth, unfold  # noqa: F401

__all__ = [name for name in dir() if not name.startswith("_")]
