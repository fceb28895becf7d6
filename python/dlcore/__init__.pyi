# For editors and type checkers, which do not run __getattr__: the names that are loaded when they are first used.
from dlcore import activations as activations
from dlcore import applications as applications
from dlcore import backend as backend
from dlcore import callbacks as callbacks
from dlcore import config as config
from dlcore import constraints as constraints
from dlcore import datasets as datasets
from dlcore import distillation as distillation
from dlcore import distribution as distribution
from dlcore import dtype_policies as dtype_policies
from dlcore import errors as errors
from dlcore import export as export
from dlcore import initializers as initializers
from dlcore import layers as layers
from dlcore import legacy as legacy
from dlcore import losses as losses
from dlcore import metrics as metrics
from dlcore import mixed_precision as mixed_precision
from dlcore import models as models
from dlcore import ops as ops
from dlcore import optimizers as optimizers
from dlcore import plotting as plotting
from dlcore import preprocessing as preprocessing
from dlcore import quantizers as quantizers
from dlcore import random as random
from dlcore import regularizers as regularizers
from dlcore import saving as saving
from dlcore import training as training
from dlcore import tree as tree
from dlcore import utils as utils
from dlcore import visualization as visualization
from dlcore import wrappers as wrappers
from dlcore._core import Tensor as Tensor
from dlcore.backend import KerasTensor as KerasTensor
from dlcore.backend import StatelessScope as StatelessScope
from dlcore.backend import SymbolicScope as SymbolicScope
from dlcore.backend import Variable as Variable
from dlcore.backend import name_scope as name_scope
from dlcore.distribution import device as device
from dlcore.dtype_policies import DTypePolicy as DTypePolicy
from dlcore.dtype_policies import FloatDTypePolicy as FloatDTypePolicy
from dlcore.initializers import Initializer as Initializer
from dlcore.layers import Input as Input
from dlcore.layers import InputSpec as InputSpec
from dlcore.layers import Layer as Layer
from dlcore.layers.remat import RematScope as RematScope
from dlcore.layers.remat import remat as remat
from dlcore.losses import Loss as Loss
from dlcore.metrics import Metric as Metric
from dlcore.models import Function as Function
from dlcore.models import Functional as Functional
from dlcore.models import Model as Model
from dlcore.models import Sequential as Sequential
from dlcore.ops import Operation as Operation
from dlcore.optimizers import Optimizer as Optimizer
from dlcore.quantizers import Quantizer as Quantizer
from dlcore.regularizers import Regularizer as Regularizer
from dlcore.training import GradientTape as GradientTape
from dlcore.training.explain import explain as explain

__version__: str

def num_threads() -> int: ...
def set_num_threads(threads: int) -> None: ...
def show_config() -> None: ...
def version() -> str: ...
