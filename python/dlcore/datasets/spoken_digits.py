"""Free Spoken Digit Dataset: 3,000 recordings of the digits by six speakers."""

import re

import numpy as np

from dlcore.datasets._audio import log_mel, read_clips
from dlcore.datasets._files import damaged, obtain

SAMPLE_RATE = 8000

_URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.9.tar.gz"
_SHA256 = "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0"
_NAMES = ("free-spoken-digit-dataset.tar.gz", "free-spoken-digit-dataset", "spoken_digit.tar.gz")
_FILE_NAME = re.compile(r"(\d)_([^_]+)_(\d+)\.wav")


def load_data(path=None):
    """Loads log-mel features of the recordings, split as the data set's authors do: recordings 0-4 of each are tests.

    Args:
        path: name of the folder or archive in the data folders, or a path of its own. It holds wav files named
            `<digit>_<speaker>_<index>.wav`, 8 kHz mono.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float32 features (2700, 20, 80, 1) and (300, 20, 80, 1), mel bands by
        12.5 ms frames (see `features`), int64 labels 0-9.

    Reference:
        Jackson 2016, github.com/Jakobovski/free-spoken-digit-dataset. CC BY-SA 4.0.
    """
    path = obtain(*([path] if path else _NAMES), url=_URL, file_hash=_SHA256, saved_as=_NAMES[0])
    clips, names = read_clips(path, SAMPLE_RATE, lambda folder, file: _FILE_NAME.fullmatch(file))
    if not names:
        raise damaged(path, "it has no wav files named <digit>_<speaker>_<index>.wav")
    numbers = [_FILE_NAME.fullmatch(file).groups() for _, file in names]
    labels = np.array([int(digit) for digit, _, _ in numbers], np.int64)
    test = np.array([int(index) < 5 for _, _, index in numbers])
    x = features(clips)
    return (x[~test], labels[~test]), (x[test], labels[test])


def features(clips):
    """Log-mel features of one-second clips, as `load_data` returns them.

    Args:
        clips: array (N, 8000) with values in [-1, 1].

    Returns:
        float32 (N, 20, 80, 1): ln of the energy in 20 mel bands, 80 frames of 25 ms, shifted by 11 and divided by 3.5.
    """
    clips = np.asarray(clips, np.float32)
    if clips.ndim != 2 or clips.shape[1] != SAMPLE_RATE:
        raise ValueError(f"features expects clips of shape (N, {SAMPLE_RATE}). Got {clips.shape}.")
    return log_mel(clips, SAMPLE_RATE)
