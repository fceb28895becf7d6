"""Data sets of image, sound and text files, with a folder per class."""

import io
import os
import wave
from pathlib import Path

import numpy as np

from dlcore import backend
from dlcore.utils.arrays import to_categorical
from dlcore.utils.batches import Texts, batches_of_rows
from dlcore.utils.console import print_message
from dlcore.utils.images import img_to_array, import_pillow, load_img

_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}


def image_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    color_mode="rgb",
    batch_size=32,
    image_size=(256, 256),
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    interpolation="bilinear",
    follow_links=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    data_format=None,
    format="tf",
    verbose=True,
):
    """Batches of the image files (bmp, gif, jpeg, png) below a folder, resized to one size.

    Args:
        directory: path; with `labels="inferred"` it holds a folder per class.
        labels: `"inferred"` (default), None for none, or a list of class numbers of the files in sorted order.
        label_mode: `"int"` (default): int32 (batch,); `"binary"`: float32 (batch, 1); `"categorical"`: one-hot float32
            (batch, classes); None: no labels.
        class_names: list of the folders to use, in the order of the class numbers, default all, sorted.
        color_mode: `"rgb"` (default), `"rgba"` or `"grayscale"`: 3, 4 or 1 channels.
        batch_size: int, default 32, or None for single images.
        image_size: (height, width), default (256, 256).
        shuffle: bool, default True: another order in each pass; else sorted by path.
        seed: int of the order. Needed to split shuffled files.
        validation_split: float in (0, 1) or None: the part of the files, at the end, for validation.
        subset: `"training"`, `"validation"` or `"both"` with `validation_split`, else None.
        interpolation: as for `ops.image.resize`, default `"bilinear"`.
        follow_links: bool, default False: also look into linked folders.
        crop_to_aspect_ratio: bool, default False: cut out the middle instead of distorting.
        pad_to_aspect_ratio: bool, default False: pad with zeros instead of distorting.
        data_format: `"channels_last"` or `"channels_first"`, default the package's.
        format: kept for Keras's signature.
        verbose: bool, default True: print the number of files.

    Returns:
        `Batches` (for `subset="both"` a list of two), with `class_names` and `file_paths`, of float32 images (batch,
        height, width, channels) with values 0 .. 255, and labels.

    Raises:
        ValueError: the folder has no images, the labels don't fit its files, or an argument is out of range.
    """
    from dlcore.ops import image

    if color_mode not in _CHANNELS:
        raise ValueError(f"color_mode must be one of {', '.join(_CHANNELS)}. Got color_mode={color_mode!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True.")
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2:
        raise ValueError(f"image_size must be (height, width). Got image_size={image_size!r}.")

    def read(path):
        array = img_to_array(_read_image(path, color_mode), data_format, "float32")
        resized = image.resize(
            array,
            size,
            interpolation,
            crop_to_aspect_ratio=crop_to_aspect_ratio,
            pad_to_aspect_ratio=pad_to_aspect_ratio,
            data_format=data_format,
        )
        return backend.convert_to_numpy(resized)

    files = _LabelledFiles(directory, _IMAGES, labels, label_mode, class_names, follow_links)
    return files.as_batches(read, _stack, batch_size, shuffle, seed, validation_split, subset, verbose)


def audio_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    batch_size=32,
    sampling_rate=None,
    output_sequence_length=None,
    ragged=False,
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    follow_links=False,
    verbose=True,
):
    """Batches of the .wav files (16 bit) below a folder.

    Args:
        sampling_rate: int: samples per second to convert to, default None: as they are.
        output_sequence_length: int: samples to cut or pad to, default None: the longest of the batch.
        ragged: must be False: tensors have one length.
        Others: as for `image_dataset_from_directory`.

    Returns:
        `Batches` of float32 (batch, samples, channels) with values in [-1, 1), and labels.
    """
    if ragged:
        raise ValueError("ragged=True needs ragged tensors, which dlcore does not have; shorter sounds are padded.")
    if sampling_rate is not None and (not isinstance(sampling_rate, int) or sampling_rate <= 0):
        raise ValueError(f"sampling_rate must be an int > 0. Got sampling_rate={sampling_rate!r}.")

    def read(path):
        samples, rate = _read_wav(path)
        if output_sequence_length is not None:
            samples = _fit_length(samples, output_sequence_length)
        return samples if sampling_rate in (None, rate) else _resample(samples, rate, sampling_rate)

    def collect(sounds):
        length = max(map(len, sounds))
        return _stack([_fit_length(sound, length) for sound in sounds])

    files = _LabelledFiles(directory, (".wav",), labels, label_mode, class_names, follow_links)
    return files.as_batches(read, collect, batch_size, shuffle, seed, validation_split, subset, verbose)


def text_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    batch_size=32,
    max_length=None,
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    follow_links=False,
    format="tf",
    verbose=True,
):
    """Batches of the .txt files (UTF-8) below a folder.

    Args:
        max_length: int: characters to cut longer texts to, default None: whole texts.
        Others: as for `image_dataset_from_directory`.

    Returns:
        `Batches` of texts, NumPy arrays (batch,) of str objects, and labels. `.map(lambda x, y: (vectorize(x), y))`
        turns them into numbers.
    """

    def read(path):
        return Path(path).read_text(encoding="utf-8", errors="replace")[:max_length]

    def collect(texts):
        return np.array(texts, dtype=object).view(Texts)

    files = _LabelledFiles(directory, (".txt",), labels, label_mode, class_names, follow_links)
    return files.as_batches(read, collect, batch_size, shuffle, seed, validation_split, subset, verbose)


class _LabelledFiles:
    """The files below a folder with their class numbers."""

    def __init__(self, directory, endings, labels, label_mode, class_names, follow_links):
        self.directory = os.fspath(directory)
        if not os.path.isdir(self.directory):
            raise FileNotFoundError(f"There is no folder {self.directory!r}. The working directory is {os.getcwd()!r}.")
        self.endings = endings
        if label_mode not in ("int", "binary", "categorical", None):
            raise ValueError(
                f'label_mode must be "int", "binary", "categorical" or None. Got label_mode={label_mode!r}.'
            )
        labels = None if label_mode is None else labels  # all files below the folder then, also those of no class
        given = not isinstance(labels, str) and labels is not None
        if given and not isinstance(labels, (list, tuple)) or (isinstance(labels, str) and labels != "inferred"):
            raise ValueError(f'labels must be "inferred", None or a list of ints. Got labels={labels!r}.')
        if class_names and labels != "inferred":
            raise ValueError('class_names names the folders of labels="inferred"; leave it out.')
        self.label_mode = None if labels is None else label_mode
        folders = self._class_folders(class_names) if labels == "inferred" else [""]
        found = [(path, number) for number, folder in enumerate(folders) for path in self._below(folder, follow_links)]
        self.paths = [path for path, _ in found]
        if not self.paths:
            raise ValueError(f"There is no file that ends in {', '.join(endings)} in {self.directory}.")
        if given and len(labels) != len(found):
            raise ValueError(f"Got {len(labels)} labels for the {len(found)} files in {self.directory}.")
        self.labels = np.array(labels if given else [number for _, number in found], "int32")
        self.class_names = [str(label) for label in sorted(set(labels))] if given else folders
        if self.label_mode is None:
            self.class_names = None
        elif self.label_mode == "binary" and len(self.class_names) != 2:
            raise ValueError(f'label_mode="binary" is for two classes. Found the classes {self.class_names}.')

    def _class_folders(self, class_names):
        with os.scandir(self.directory) as entries:
            folders = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        if class_names is not None and not set(class_names) <= set(folders):
            raise ValueError(f"class_names must name folders among {folders}. Got class_names={class_names}.")
        return folders if class_names is None else list(class_names)

    def _below(self, folder, follow_links):
        top = os.path.join(self.directory, folder)
        for root, _, names in sorted(os.walk(top, followlinks=follow_links), key=lambda entry: entry[0]):
            yield from (os.path.join(root, name) for name in sorted(names) if name.lower().endswith(self.endings))

    def as_batches(self, read, collect, batch_size, shuffle, seed, validation_split, subset, verbose):
        """Batches of what `read` returns for each path and `collect` puts together, for one or both subsets."""
        _check_split(validation_split, subset, shuffle, seed)
        if verbose:
            classes = "" if self.class_names is None else f" belonging to {len(self.class_names)} classes"
            print_message(f"Found {len(self.paths)} files{classes}.")
        seed = np.random.randint(1_000_000) if seed is None else seed
        order = np.arange(len(self.paths))
        if shuffle:
            np.random.RandomState(seed).shuffle(order)
        parts = {None: order}
        if validation_split:
            held_back = int(validation_split * len(order))
            parts = {"training": order[: len(order) - held_back], "validation": order[len(order) - held_back :]}
        made = []
        for name in ("training", "validation") if subset == "both" else (subset,):
            rows = parts[name]
            if name and verbose:
                print_message(f"Using {len(rows)} files for {name}.")
            if not len(rows):
                raise ValueError(f"validation_split={validation_split} leaves no file for {name}.")
            mixes = shuffle and (name != "validation" or subset != "both")
            made.append(self._batches(rows, read, collect, batch_size, mixes, seed))
        return made if subset == "both" else made[0]

    def _batches(self, rows, read, collect, batch_size, shuffle, seed):
        def load(chosen):
            chosen = rows[chosen]
            x = collect([read(self.paths[i]) for i in chosen])
            return x if self.label_mode is None else (x, self._targets(self.labels[chosen]))

        paths = [self.paths[i] for i in rows]
        return batches_of_rows(
            load, len(rows), batch_size, shuffle, seed, class_names=self.class_names, file_paths=paths
        )

    def _targets(self, labels):
        if self.label_mode == "binary":
            labels = labels.astype("float32")[:, np.newaxis]
        elif self.label_mode == "categorical":
            labels = to_categorical(labels, len(self.class_names)).astype("float32")
        return backend.convert_to_tensor(labels)


def _check_split(validation_split, subset, shuffle, seed):
    if validation_split is not None and not 0 < validation_split < 1:
        raise ValueError(f"validation_split must lie between 0 and 1. Got validation_split={validation_split}.")
    if subset not in ("training", "validation", "both", None):
        raise ValueError(f'subset must be "training", "validation", "both" or None. Got subset={subset!r}.')
    if (validation_split is None) != (subset is None):
        raise ValueError(
            f"validation_split and subset go together. Got validation_split={validation_split}, subset={subset!r}."
        )
    if validation_split and shuffle and seed is None:
        raise ValueError("Give a seed to split shuffled files, so that training and validation do not overlap.")


def _stack(arrays):
    return backend.convert_to_tensor(np.stack(arrays))


def _read_image(path, color_mode):
    """The image in a file with 8 bits a channel; `load_img` keeps 16 bits, or cuts them off above 255."""
    with import_pillow().open(path) as image:
        if not image.mode.startswith("I"):
            return load_img(path, color_mode)
        high = (np.asarray(image) // 256).astype("uint8")
    return import_pillow().fromarray(high).convert({"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}[color_mode])


def _read_wav(path):
    """float32 samples (length, channels) in [-1, 1), and their number per second."""
    try:
        with wave.open(io.BytesIO(Path(path).read_bytes())) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            content = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is not a readable wav file ({error}).") from error
    if width != 2:
        raise ValueError(f"{path} has {8 * width} bits per sample; expected a wav file of 16 bits.")
    samples = np.frombuffer(content[: len(content) // (2 * channels) * (2 * channels)], "<i2")
    return samples.reshape(-1, channels).astype("float32") / 32768, rate


def _fit_length(samples, length):
    """Cut, or padded with zeros at the end."""
    return np.pad(samples[:length], ((0, max(length - len(samples), 0)), (0, 0)))


def _resample(samples, rate, new_rate):
    """Samples at a new rate by a windowed sinc, which cuts frequencies that the lower of the rates can't hold."""
    ratio = new_rate / rate
    cutoff, reach = min(ratio, 1.0), 16
    places = np.arange(int(np.ceil(len(samples) * ratio))) / ratio
    width = int(np.ceil(reach / cutoff))
    taps = np.floor(places).astype(int)[:, np.newaxis] + np.arange(-width + 1, width + 1)
    distance = (taps - places[:, np.newaxis]) * cutoff
    window = np.where(np.abs(distance) < reach, 0.5 + 0.5 * np.cos(np.pi * distance / reach), 0.0)
    inside = (taps >= 0) & (taps < len(samples))
    weights = cutoff * np.sinc(distance) * window * inside
    return np.einsum("nt,ntc->nc", weights, samples[np.clip(taps, 0, len(samples) - 1)]).astype("float32")
