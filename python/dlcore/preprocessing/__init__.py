"""Preparing data: images, sequences, text, and data sets of files. The names are those of `dlcore.utils` too."""

from dlcore.preprocessing import image, sequence, text
from dlcore.utils.files_as_batches import image_dataset_from_directory, text_dataset_from_directory
from dlcore.utils.timeseries import timeseries_dataset_from_array

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
