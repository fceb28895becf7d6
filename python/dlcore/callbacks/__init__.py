"""Callbacks: what happens between the batches and epochs of training."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.callbacks.backup_and_restore import BackupAndRestore
from dlcore.callbacks.callback import Callback, CallbackList
from dlcore.callbacks.csv_logger import CSVLogger
from dlcore.callbacks.early_stopping import EarlyStopping
from dlcore.callbacks.history import History
from dlcore.callbacks.lambda_callback import LambdaCallback
from dlcore.callbacks.learning_rate_scheduler import LearningRateScheduler
from dlcore.callbacks.model_checkpoint import ModelCheckpoint
from dlcore.callbacks.progbar_logger import ProgbarLogger
from dlcore.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from dlcore.callbacks.remote_monitor import RemoteMonitor
from dlcore.callbacks.swap_ema_weights import SwapEMAWeights
from dlcore.callbacks.tensorboard import TensorBoard
from dlcore.callbacks.terminate_on_nan import TerminateOnNaN

__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
