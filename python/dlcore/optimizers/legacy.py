"""Names of Keras 2's optimizers: the optimizers of today."""

from dlcore.optimizers.adagrad import Adagrad
from dlcore.optimizers.adam import Adam
from dlcore.optimizers.ftrl import Ftrl
from dlcore.optimizers.optimizer import Optimizer
from dlcore.optimizers.rmsprop import RMSprop
from dlcore.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]
