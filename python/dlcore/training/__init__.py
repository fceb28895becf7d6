"""What trains models: the trainer, its data sources, and gradient tapes."""

from dlcore.training.gradient_tape import GradientTape
from dlcore.training.trainer import Trainer

__all__ = ["GradientTape", "Trainer"]
