# For editors and type checkers, which do not run __getattr__: the names that are loaded when they are first used.
from dlcore.callbacks.backup_and_restore import BackupAndRestore as BackupAndRestore
from dlcore.callbacks.callback import Callback as Callback
from dlcore.callbacks.callback import CallbackList as CallbackList
from dlcore.callbacks.csv_logger import CSVLogger as CSVLogger
from dlcore.callbacks.early_stopping import EarlyStopping as EarlyStopping
from dlcore.callbacks.history import History as History
from dlcore.callbacks.lambda_callback import LambdaCallback as LambdaCallback
from dlcore.callbacks.learning_rate_scheduler import LearningRateScheduler as LearningRateScheduler
from dlcore.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from dlcore.callbacks.progbar_logger import ProgbarLogger as ProgbarLogger
from dlcore.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau as ReduceLROnPlateau
from dlcore.callbacks.remote_monitor import RemoteMonitor as RemoteMonitor
from dlcore.callbacks.swap_ema_weights import SwapEMAWeights as SwapEMAWeights
from dlcore.callbacks.tensorboard import TensorBoard as TensorBoard
from dlcore.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN
