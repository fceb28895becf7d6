"""What trains models: the trainer, its data sources, and gradient tapes."""

from dlcore.training.gradient_tape import GradientTape

__all__ = ["GradientTape"]
