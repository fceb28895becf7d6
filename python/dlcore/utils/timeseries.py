"""Windows of a long series as batches."""

import numpy as np

from dlcore import backend
from dlcore.utils.batches import batches_of_rows


def timeseries_dataset_from_array(
    data,
    targets,
    sequence_length,
    sequence_stride=1,
    sampling_rate=1,
    batch_size=128,
    shuffle=False,
    seed=None,
    start_index=None,
    end_index=None,
    format="tf",
):
    """Batches of windows data[i], data[i + r], ..., of `sequence_length` steps, each with the target of its start.

    Args:
        data: array (steps, ...).
        targets: array; targets[i] belongs to the window that starts at step i. None for windows alone.
        sequence_length: int: steps of a window.
        sequence_stride: int, default 1: steps between the starts of windows.
        sampling_rate: int, default 1: steps between the steps of a window, r.
        batch_size: int, default 128, or None for single windows.
        shuffle: bool, default False: the windows in another order in each pass.
        seed: int of the order.
        start_index, end_index: the range of steps that is used, default all.
        format: kept for Keras's signature.

    Returns:
        `Batches` of windows (batch, sequence_length, ...), and targets (batch, ...).

    Raises:
        ValueError: an argument is out of the range of the data.
    """
    data = _array(data)
    steps = len(data)
    start, end = start_index or 0, steps if end_index is None else end_index
    if not 0 <= start < steps or not start < end <= steps:
        raise ValueError(
            f"timeseries_dataset_from_array: start_index and end_index must lie in the {steps} steps, in this order. "
            f"Got start_index={start_index}, end_index={end_index}."
        )
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < value < steps:
            raise ValueError(
                f"timeseries_dataset_from_array: {name} must be positive and below the {steps} steps. "
                f"Got {name}={value}."
            )
    windows = end - start - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = _array(targets)
        windows = min(windows, len(targets))
    if windows < 1:
        raise ValueError(
            f"timeseries_dataset_from_array: {end - start} steps hold no window of {sequence_length} steps with "
            f"sampling_rate={sampling_rate}."
        )
    starts = np.arange(start, start + windows, sequence_stride)
    if targets is not None:
        starts = starts[starts < len(targets)]
    offsets = np.arange(sequence_length) * sampling_rate

    def load(chosen):
        first = starts[chosen]
        x = backend.convert_to_tensor(data[first[:, np.newaxis] + offsets])
        return x if targets is None else (x, backend.convert_to_tensor(targets[first]))

    return batches_of_rows(load, len(starts), batch_size, shuffle, seed)


def _array(values):
    """An array of the values, of numbers in lists with the dtypes that they have as tensors."""
    values = backend.convert_to_tensor(values) if isinstance(values, (list, tuple)) else values
    return np.asarray(backend.convert_to_numpy(values))
