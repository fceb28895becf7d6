"""Layers that turn sound into pictures of its frequencies."""

import math
import warnings

import numpy as np

from dlcore import backend, initializers, ops
from dlcore.backend.arguments import one_of, positive_int
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.ops import signal


class STFTSpectrogram(Layer):
    """Short-time Fourier transforms of signals, as a convolution whose kernels can be trained.

    Args:
        mode: what is returned of the transform r + i s: `"log"` (default): log(sqrt(r^2 + s^2)); `"magnitude"`:
            sqrt(r^2 + s^2); `"psd"`: r^2 + s^2, twice that for frequencies that stand for their negative too; `"real"`:
            r; `"imag"`: s; `"angle"`: atan2(s, r); `"stft"`: r, then s.
        frame_length: int, default 256: samples of each frame.
        frame_step: int, default half of frame_length: samples between frames.
        fft_length: int >= frame_length, default the next power of two: there are fft_length / 2 + 1 frequencies.
        window, periodic, scaling: as `initializers.STFT`.
        padding: `"valid"` (default) or `"same"`.
        expand_dims: bool, default False: return images, with an axis for the frequencies.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, time, channels).
    Output shape: (batch, frames, channels * frequencies), or with expand_dims (batch, frames, frequencies, channels).

    Example:

    >>> STFTSpectrogram(frame_length=8, expand_dims=True)(np.ones((2, 32, 3))).shape
    (2, 7, 5, 3)
    """

    def __init__(
        self,
        mode="log",
        frame_length=256,
        frame_step=None,
        fft_length=None,
        window="hann",
        periodic=False,
        scaling="density",
        padding="valid",
        expand_dims=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        kind = "STFTSpectrogram"
        self.mode = one_of(kind, "mode", mode, ("log", "magnitude", "psd", "real", "imag", "angle", "stft"))
        self.frame_length = positive_int(kind, "frame_length", frame_length)
        self.frame_step = frame_step
        if frame_step is not None and not 1 <= positive_int(kind, "frame_step", frame_step) <= frame_length:
            raise ValueError(
                f"{kind}: frame_step must be from 1 to frame_length. Got frame_step={frame_step}, "
                f"frame_length={frame_length}."
            )
        self.fft_length = fft_length
        if fft_length is not None and positive_int(kind, "fft_length", fft_length) < frame_length:
            raise ValueError(
                f"{kind}: fft_length must not be less than frame_length. Got fft_length={fft_length}, "
                f"frame_length={frame_length}."
            )
        if fft_length is not None and fft_length & (fft_length - 1):
            warnings.warn(f"{kind}: fft_length should be a power of two. Got fft_length={fft_length}.", stacklevel=2)
        self.window = window
        self.periodic = periodic
        self.scaling = scaling
        self.padding = one_of(kind, "padding", padding, ("valid", "same"))
        self.expand_dims = expand_dims
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=3)
        self._kernel_initializer("real")  # checks window and scaling

    def _kernel_initializer(self, side):
        return initializers.STFT(side, self.window, self.scaling, self.periodic)

    def build(self, input_shape):
        bins = (self.fft_length or 2 ** math.ceil(math.log2(self.frame_length))) // 2 + 1
        for side in ("real", "imag"):
            if self.mode not in ("real", "imag") or self.mode == side:
                kernel = self.add_weight(
                    (self.frame_length, 1, bins), self._kernel_initializer(side), name=f"{side}_kernel"
                )
                setattr(self, f"{side}_kernel", kernel)

    def call(self, inputs):
        x = inputs if self.data_format == "channels_last" else ops.swapaxes(inputs, 1, 2)
        if self.mode in ("real", "imag"):
            return self._arranged(self._transform(x, getattr(self, f"{self.mode}_kernel")))
        real, imaginary = (self._transform(x, kernel) for kernel in (self.real_kernel, self.imag_kernel))
        if self.mode == "angle":
            return self._arranged(ops.arctan2(imaginary, real))
        if self.mode == "stft":
            return self._arranged(ops.concatenate([real, imaginary], axis=-1))
        power = ops.square(real) + ops.square(imaginary)
        if self.mode == "psd":
            return self._arranged(power + ops.pad(power[..., 1:-1], [(0, 0)] * 3 + [(1, 1)]))
        size = ops.sqrt(ops.maximum(power, backend.epsilon()))
        return self._arranged(size if self.mode == "magnitude" else ops.log(ops.maximum(size, backend.epsilon())))

    def _transform(self, x, kernel):
        """(batch, time, channels) to (batch, channels, frames, frequencies)."""
        steps, channels = x.shape[1:]
        rows = ops.reshape(ops.swapaxes(x, 1, 2), [-1, steps, 1])
        step = self.frame_step or self.frame_length // 2
        kernel = ops.cast(kernel, x.dtype)
        y = ops.conv(rows, kernel, strides=step, padding=self.padding, data_format="channels_last")
        return ops.reshape(y, [-1, channels, *y.shape[1:]])

    def _arranged(self, y):
        last = self.data_format == "channels_last"
        if self.expand_dims:
            return ops.transpose(y, [0, 2, 3, 1]) if last else y
        _, channels, frames, bins = y.shape
        y = ops.reshape(ops.transpose(y, [0, 2, 1, 3]), [-1, frames, channels * bins])
        return y if last else ops.swapaxes(y, 1, 2)

    def get_config(self):
        return {
            **super().get_config(),
            "mode": self.mode,
            "frame_length": self.frame_length,
            "frame_step": self.frame_step,
            "fft_length": self.fft_length,
            "window": self._kernel_initializer("real").get_config()["window"],
            "periodic": self.periodic,
            "scaling": self.scaling,
            "padding": self.padding,
            "data_format": self.data_format,
            "expand_dims": self.expand_dims,
        }


class MelSpectrogram(Layer):
    """The power of signals at frequencies that lie as far apart as the ear tells them, over time.

    Args:
        fft_length: int, default 2048: of the short-time Fourier transforms.
        sequence_stride: int, default 512: samples between frames.
        sequence_length: int, default fft_length: samples of each frame.
        window: `"hann"` (default), another name, an array, or None.
        sampling_rate: int, default 16000: samples per second.
        num_mel_bins: int, default 128.
        min_freq, max_freq: floats, default 20.0 and half of the sampling rate: the range of the frequencies, in Hz.
        power_to_db: bool, default True: in decibels, 10 log10(power / ref_power).
        top_db: float, default 80.0: decibels below the maximum (of all signals) that are kept.
        mag_exp: float, default 2.0: the exponent of the magnitudes; 2 gives powers.
        min_power: float, default 1e-10: smaller powers count as this.
        ref_power: float, default 1.0.

    Input shape: (batch, samples) or (samples,).
    Output shape: (batch, num_mel_bins, frames) or (num_mel_bins, frames).

    Reference: Stevens, Volkmann & Newman 1937.

    Example:

    >>> MelSpectrogram(num_mel_bins=64, sampling_rate=8000, sequence_stride=256)(np.ones((2, 16000))).shape
    (2, 64, 63)
    """

    def __init__(
        self,
        fft_length=2048,
        sequence_stride=512,
        sequence_length=None,
        window="hann",
        sampling_rate=16000,
        num_mel_bins=128,
        min_freq=20.0,
        max_freq=None,
        power_to_db=True,
        top_db=80.0,
        mag_exp=2.0,
        min_power=1e-10,
        ref_power=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.fft_length = positive_int("MelSpectrogram", "fft_length", fft_length)
        self.sequence_stride = positive_int("MelSpectrogram", "sequence_stride", sequence_stride)
        self.sequence_length = positive_int("MelSpectrogram", "sequence_length", sequence_length or fft_length)
        if self.sequence_length > fft_length:
            raise ValueError(
                f"MelSpectrogram: fft_length must not be less than sequence_length. Got fft_length={fft_length}, "
                f"sequence_length={sequence_length}."
            )
        if isinstance(window, str):
            signal.window_values("MelSpectrogram", window, 1)  # checks the name
        self.window = window
        self.sampling_rate = positive_int("MelSpectrogram", "sampling_rate", sampling_rate)
        self.num_mel_bins = positive_int("MelSpectrogram", "num_mel_bins", num_mel_bins)
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power
        self.built = True

    def call(self, inputs):
        x = ops.cast(inputs, self.compute_dtype if self.compute_dtype == "float64" else "float32")
        real, imaginary = ops.stft(x, self.sequence_length, self.sequence_stride, self.fft_length, self.window)
        size = ops.power(ops.sqrt(ops.square(real) + ops.square(imaginary)), self.mag_exp)
        bins = self.fft_length // 2 + 1
        y = ops.matmul(
            size,
            self.linear_to_mel_weight_matrix(
                self.num_mel_bins, bins, self.sampling_rate, self.min_freq, self.max_freq, x.dtype
            ),
        )
        if self.power_to_db:
            reference = 10.0 * math.log10(max(abs(self.ref_power), self.min_power))
            y = 10.0 * ops.log10(ops.maximum(y, self.min_power)) - reference
            y = ops.maximum(y, ops.max(y) - self.top_db)
        return ops.cast(ops.swapaxes(y, -1, -2), self.compute_dtype)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins=20,
        num_spectrogram_bins=129,
        sampling_rate=8000,
        lower_edge_hertz=125.0,
        upper_edge_hertz=3800.0,
        dtype="float32",
    ):
        """What spectrograms (..., num_spectrogram_bins) are multiplied by to have frequencies even on the mel scale.

        Returns:
            tensor (num_spectrogram_bins, num_mel_bins): a triangle of height 1 in each column.
        """
        frequencies = _mel(np.linspace(0.0, sampling_rate / 2, num_spectrogram_bins))[:, None]
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        triangles = np.minimum((frequencies - low) / (middle - low), (high - frequencies) / (high - middle))
        triangles[0] = 0.0  # the mean is no frequency
        return ops.convert_to_tensor(np.maximum(triangles, 0.0), dtype)

    def get_config(self):
        window = self.window
        names = (
            "fft_length", "sequence_stride", "sequence_length", "sampling_rate", "num_mel_bins", "min_freq", "max_freq",
            "power_to_db", "top_db", "mag_exp", "min_power", "ref_power",
        )  # fmt: skip
        is_plain = window is None or isinstance(window, str)
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "window": window if is_plain else np.asarray(backend.convert_to_numpy(window)).tolist(),
        }


def _mel(hertz):
    return 1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0)
