"""Log-mel features of short sound clips, and the wav files of a folder or archive.

The recipe, for a sample rate r (8000 or 16000 Hz):
    clip       one second, r samples in [-1, 1): longer clips lose both ends, shorter ones get silence at both ends
    frames     80, one each 12.5 ms, of 25 ms, Hann window; the clip has half a step of silence added at both ends
    spectrum   |FFT|^2 / sum(window^2), FFT length the next power of two (512 or 256)
    mel        20 triangular filters, equally spaced from 20 Hz to r/2 on the scale 2595 log10(1 + f/700); the weights
               of each sum to 1
    feature    (ln(mel + 1e-6) + 11) / 3.5, float32: roughly zero mean and unit spread for speech
"""

import io
import tarfile
import wave
import zipfile

import numpy as np

from dlcore.datasets._files import damaged, reading

FRAMES = 80
MELS = 20
_LOWEST_HZ = 20.0
_CLIPS_AT_ONCE = 64
_MAX_CLIP_BYTES = 16 << 20


def log_mel(clips, sample_rate):
    """Features (N, 20, 80, 1) of clips (N, sample_rate), float32 in [-1, 1)."""
    step = sample_rate // FRAMES
    window = np.hanning(2 * step + 1)[:-1].astype(np.float32)
    length = 1 << (2 * step - 1).bit_length()
    mel = mel_filters(length, sample_rate) / np.sum(window**2)
    features = np.empty((len(clips), MELS, FRAMES, 1), np.float32)
    for start in range(0, len(clips), _CLIPS_AT_ONCE):
        part = np.pad(clips[start : start + _CLIPS_AT_ONCE], ((0, 0), (step // 2, step // 2)))
        frames = np.lib.stride_tricks.sliding_window_view(part, 2 * step, axis=1)[:, ::step] * window
        spectrum = np.fft.rfft(frames, length)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        energy = np.log(power.astype(np.float32, copy=False) @ mel + np.float32(1e-6))
        features[start : start + len(part), :, :, 0] = ((energy + 11) / 3.5).transpose(0, 2, 1)
    return features


def mel_filters(length, sample_rate):
    """Triangular filters [length/2 + 1, 20] over the bins of an FFT, each summing to 1."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (_LOWEST_HZ, sample_rate / 2))
    corners = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    bins = np.arange(length // 2 + 1) * (sample_rate / length)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    filters = np.maximum(0, np.minimum(rising, falling))
    return (filters / filters.sum(axis=0)).astype(np.float32)


def read_clips(path, sample_rate, wanted):
    """The wav files below a folder or in a tar or zip archive, each made one second long.

    Args:
        path: the folder or archive.
        sample_rate: the rate every file must have, Hz.
        wanted: function from a file's (folder name, file name) to whether it is read.

    Returns:
        clips float32 (N, sample_rate) and the list of (folder name, file name), both in name order.
    """
    clips = {}
    with reading(path):
        for name, content in _wav_files(path, wanted):
            clips[_key(name)] = _decode(f"{path}:{name}", content, sample_rate)
    keys = sorted(clips)
    return np.array([clips[key] for key in keys], np.float32).reshape(-1, sample_rate), keys


def _key(name):
    parts = name.replace("\\", "/").rstrip("/").split("/")
    return (parts[-2] if len(parts) > 1 else "", parts[-1])


def _wav_files(path, wanted):
    """Yields (name, bytes) of the wanted wav files; archives are read without unpacking them."""
    if path.is_dir():
        for file in sorted(path.rglob("*.wav")):
            if wanted(*_key(file.as_posix())):
                _check_size(path, file.name, file.stat().st_size)
                yield str(file.relative_to(path)), file.read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".wav") and wanted(*_key(info.filename)):
                    _check_size(path, info.filename, info.file_size)
                    yield info.filename, archive.read(info)
    else:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(".wav") and wanted(*_key(member.name)):
                    _check_size(path, member.name, member.size)
                    yield member.name, archive.extractfile(member).read()


def _check_size(path, name, size):
    if size > _MAX_CLIP_BYTES:
        raise damaged(path, f"{name} declares {size} bytes")


def _decode(name, content, sample_rate):
    """16-bit mono PCM -> float32 [sample_rate], cut or padded evenly at both ends."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            layout = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2" if layout[1] == 2 else "u1")
    except (wave.Error, EOFError, ValueError) as error:
        raise damaged(name, f"it is not a readable wav file ({error})") from error
    if layout != (1, 2, sample_rate):
        raise damaged(name, f"it has channels, bytes, rate {layout}, expected (1, 2, {sample_rate})")
    clip = np.zeros(sample_rate, np.float32)
    gap = (len(samples) - sample_rate) // 2
    if gap >= 0:
        clip[:] = samples[gap : gap + sample_rate]
    else:
        clip[-gap : -gap + len(samples)] = samples
    return clip / 32768
