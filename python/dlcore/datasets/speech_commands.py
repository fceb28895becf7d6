"""Speech Commands v0.02: one-second recordings of ten words, of silence, and of other words."""

import hashlib

import numpy as np

from dlcore.datasets._audio import log_mel, read_clips
from dlcore.datasets._files import damaged, obtain

CLASS_NAMES = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "_silence_", "_unknown_")
SAMPLE_RATE = 16000

_URL = "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz"
_SHA256 = "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df"
_NAMES = (
    "speech_commands_test_set_v0.02.tar.gz",
    "speech_commands_test_set_v0.02",
    "speech_commands_v0.02.tar.gz",
    "speech_commands_v0.02",
    "speech_commands",
    "speech_commands.tar.gz",
    "speech_commands_subset.tar.gz",
    "speech_commands_subset",
)


def load_data(path=None):
    """Loads log-mel features of the recordings in twelve categories.

    A folder or archive is read that holds `<category>/<speaker>_nohash_<n>.wav`, 16 kHz mono; other words' folders are
    left out. About one speaker in five is kept for testing, chosen by the SHA-1 of the speaker's name, so that no voice
    is in both parts.

    Args:
        path: name of the folder or archive in the data folders, or a path of its own.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float32 features (N, 20, 80, 1), mel bands by 12.5 ms frames (see
        `features`), int64 labels: the index in `CLASS_NAMES`.

    Reference:
        Warden 2018, arXiv:1804.03209. CC BY 4.0.
    """
    path = obtain(*([path] if path else _NAMES), url=_URL, file_hash=_SHA256, saved_as=_NAMES[0])
    clips, names = read_clips(path, SAMPLE_RATE, lambda folder, file: folder in CLASS_NAMES)
    if not names:
        raise damaged(path, f"it has no wav files in folders named {', '.join(CLASS_NAMES)}")
    labels = np.array([CLASS_NAMES.index(folder) for folder, _ in names], np.int64)
    test = np.array([_is_test(file) for _, file in names])
    x = features(clips)
    return (x[~test], labels[~test]), (x[test], labels[test])


def features(clips):
    """Log-mel features of one-second clips, as `load_data` returns them.

    Args:
        clips: array (N, 16000) with values in [-1, 1].

    Returns:
        float32 (N, 20, 80, 1): ln of the energy in 20 mel bands, 80 frames of 25 ms, shifted by 11 and divided by 3.5.
    """
    clips = np.asarray(clips, np.float32)
    if clips.ndim != 2 or clips.shape[1] != SAMPLE_RATE:
        raise ValueError(f"features expects clips of shape (N, {SAMPLE_RATE}). Got {clips.shape}.")
    return log_mel(clips, SAMPLE_RATE)


def _is_test(file):
    speaker = file.split("_nohash_")[0].rpartition("_")[2]
    return hashlib.sha1(speaker.encode(), usedforsecurity=False).digest()[0] % 5 == 0
