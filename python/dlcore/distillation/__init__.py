"""Training a small model, the student, to do as a large one, the teacher, does."""

from dlcore.distillation.distiller import Distiller
from dlcore.distillation.losses import DistillationLoss, FeatureDistillation, LogitsDistillation

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]
