# For editors and type checkers, which do not run __getattr__: the names that are loaded when they are first used.
from dlcore.backend import clear_session as clear_session
from dlcore.backend import is_keras_tensor as is_keras_tensor
from dlcore.backend import standardize_dtype as standardize_dtype
from dlcore.legacy import saving
from dlcore.ops.operation import get_source_inputs as get_source_inputs
from dlcore.saving import CustomObjectScope as CustomObjectScope
from dlcore.saving import custom_object_scope as custom_object_scope
from dlcore.saving import deserialize_keras_object as deserialize_keras_object
from dlcore.saving import get_custom_objects as get_custom_objects
from dlcore.saving import get_registered_name as get_registered_name
from dlcore.saving import get_registered_object as get_registered_object
from dlcore.saving import register_keras_serializable as register_keras_serializable
from dlcore.saving import serialize_keras_object as serialize_keras_object
from dlcore.training.data import pack_x_y_sample_weight as pack_x_y_sample_weight
from dlcore.training.data import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from dlcore.utils import batches as batches
from dlcore.utils import bounding_boxes as bounding_boxes
from dlcore.utils.arrays import normalize as normalize
from dlcore.utils.arrays import to_categorical as to_categorical
from dlcore.utils.batches import split_dataset as split_dataset
from dlcore.utils.config import Config as Config
from dlcore.utils.console import disable_interactive_logging as disable_interactive_logging
from dlcore.utils.console import enable_interactive_logging as enable_interactive_logging
from dlcore.utils.console import is_interactive_logging_enabled as is_interactive_logging_enabled
from dlcore.utils.feature_space import FeatureSpace as FeatureSpace
from dlcore.utils.files import get_file as get_file
from dlcore.utils.files_as_batches import audio_dataset_from_directory as audio_dataset_from_directory
from dlcore.utils.files_as_batches import image_dataset_from_directory as image_dataset_from_directory
from dlcore.utils.files_as_batches import text_dataset_from_directory as text_dataset_from_directory
from dlcore.utils.images import array_to_img as array_to_img
from dlcore.utils.images import img_to_array as img_to_array
from dlcore.utils.images import load_img as load_img
from dlcore.utils.images import save_img as save_img
from dlcore.utils.model_pictures import model_to_dot as model_to_dot
from dlcore.utils.model_pictures import plot_model as plot_model
from dlcore.utils.progbar import Progbar as Progbar
from dlcore.utils.py_dataset import PyDataset as PyDataset
from dlcore.utils.py_dataset import Sequence as Sequence
from dlcore.utils.seeds import set_random_seed as set_random_seed
from dlcore.utils.sequences import pad_sequences as pad_sequences
from dlcore.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

legacy = saving
