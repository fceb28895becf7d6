"""Initial values of weights. An initializer is called as `initializer(shape, dtype)` and returns a concrete tensor."""

import math

import numpy as np

from dlcore import backend, ops, random
from dlcore.backend.arguments import ChecksArguments, number
from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.ops import signal
from dlcore.random.seed_generator import make_default_seed
from dlcore.registry import Catalogue as _Catalogue


class Initializer(ChecksArguments):
    """Base of all initializers: implement `__call__(shape, dtype=None)` and, to be saved, `get_config()`."""

    def __call__(self, shape, dtype=None):
        raise NotImplementedError(f"{type(self).__name__} must implement __call__(shape, dtype=None).")

    def get_config(self):
        """The constructor's arguments as a JSON-serializable dict."""
        return {}

    @classmethod
    def from_config(cls, config):
        """An initializer from what get_config() returned."""
        return cls(**config)

    def clone(self):
        """A new initializer of the same configuration."""
        return type(self).from_config(self.get_config())


class Zeros(Initializer):
    """All values 0."""

    def __call__(self, shape, dtype=None):
        return ops.zeros(shape, dtype=dtype or backend.floatx())


class Ones(Initializer):
    """All values 1."""

    def __call__(self, shape, dtype=None):
        return ops.ones(shape, dtype=dtype or backend.floatx())


class Constant(Initializer):
    """All values `value`.

    Args:
        value: float, or an array that broadcasts to the weight's shape, default 0.0.
    """

    def __init__(self, value=0.0):
        self.value = value

    def __call__(self, shape, dtype=None):
        dtype = dtype or backend.floatx()
        return ops.cast(self.value, dtype) * ops.ones(shape, dtype=dtype)

    def get_config(self):
        return {"value": np.asarray(self.value).tolist()}


class Identity(Initializer):
    """`gain` times the identity matrix; only for matrices."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def __call__(self, shape, dtype=None):
        if len(shape) != 2:
            raise ValueError(
                f"Identity initializes matrices only. Got shape {tuple(shape)} of rank {len(shape)}, expected rank 2. "
                "Choose another initializer for this weight."
            )
        return ops.cast(self.gain, dtype or backend.floatx()) * ops.eye(*shape, dtype=dtype or backend.floatx())

    def get_config(self):
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """Base of the random initializers.

    Args:
        seed: int: the same values at every call. None (default): an int drawn at construction. A `SeedGenerator`: new
            values at every call.
    """

    def __init__(self, seed=None):
        is_config = isinstance(seed, dict) and "config" in seed
        if seed is not None and not is_config and not isinstance(seed, (int, np.integer, random.SeedGenerator)):
            raise ValueError(
                f"{type(self).__name__}: seed must be an int, a SeedGenerator or None. "
                f"Got {seed!r} of type {type(seed).__name__}."
            )
        if is_config:
            seed = random.SeedGenerator.from_config(seed["config"])
        self._init_seed = seed
        self.seed = make_default_seed() if seed is None else seed

    def get_config(self):
        return {"seed": self._seed_config()}

    def _seed_config(self):
        if not isinstance(self._init_seed, random.SeedGenerator):
            return self._init_seed
        return {
            "module": "keras.random",
            "class_name": "SeedGenerator",
            "config": self._init_seed.get_config(),
            "registered_name": None,
        }


class RandomNormal(RandomInitializer):
    """Normal values with the given `mean` (default 0.0) and `stddev` (default 0.05); seed as `VarianceScaling`."""

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean = number(type(self).__name__, "mean", mean)
        self.stddev = number(type(self).__name__, "stddev", stddev)
        super().__init__(seed=seed)

    def __call__(self, shape, dtype=None):
        return random.normal(shape, mean=self.mean, stddev=self.stddev, dtype=dtype, seed=self.seed)

    def get_config(self):
        return {"seed": self._seed_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomInitializer):
    """Normal values, redrawn where they lie more than two `stddev` from `mean`. Arguments as `RandomNormal`."""

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean = number(type(self).__name__, "mean", mean)
        self.stddev = number(type(self).__name__, "stddev", stddev)
        super().__init__(seed=seed)

    def __call__(self, shape, dtype=None):
        return random.truncated_normal(shape, mean=self.mean, stddev=self.stddev, dtype=dtype, seed=self.seed)

    def get_config(self):
        return {"seed": self._seed_config(), "mean": self.mean, "stddev": self.stddev}


class RandomUniform(RandomInitializer):
    """Uniform values in [minval, maxval), by default [-0.05, 0.05); seed as `VarianceScaling`."""

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        self.minval = number(type(self).__name__, "minval", minval)
        self.maxval = number(type(self).__name__, "maxval", maxval)
        super().__init__(seed=seed)

    def __call__(self, shape, dtype=None):
        return random.uniform(shape, minval=self.minval, maxval=self.maxval, dtype=dtype, seed=self.seed)

    def get_config(self):
        return {"seed": self._seed_config(), "minval": self.minval, "maxval": self.maxval}


def compute_fans(shape, input_axes=None, output_axes=None):
    """(fan_in, fan_out): how many inputs feed one output of a weight, and the other way round."""
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        return (shape or (1,)) * 2
    receptive_field = math.prod(shape[:-2])
    return shape[-2] * receptive_field, shape[-1] * receptive_field


class VarianceScaling(RandomInitializer):
    """Random values of variance scale / n, n counted from the weight's shape.

    Args:
        scale: float > 0, default 1.0.
        mode: `"fan_in"` (default), `"fan_out"` or `"fan_avg"`: what n is.
        distribution: `"truncated_normal"` (default), `"untruncated_normal"` or `"uniform"`.
        seed: int: the same values at every call. None (default): an int drawn at construction. A `SeedGenerator`: new
            values at every call.
        input_axes, output_axes: axes counted as inputs and outputs; default: Keras's rule for kernels, last two axes.

    Reference: Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998.
    """

    def __init__(
        self,
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        seed=None,
        input_axes=None,
        output_axes=None,
    ):
        if number("VarianceScaling", "scale", scale) <= 0:
            raise ValueError(f"{type(self).__name__}: scale must be a positive float. Got scale={scale}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(
                f'{type(self).__name__}: mode must be "fan_in", "fan_out" or "fan_avg". Got mode={mode!r}.'
            )
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                f'{type(self).__name__}: distribution must be "uniform", "truncated_normal" or "untruncated_normal". '
                f"Got distribution={distribution!r}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed=seed)

    def __call__(self, shape, dtype=None):
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random.uniform(shape, minval=-limit, maxval=limit, dtype=dtype, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, stddev=math.sqrt(variance), dtype=dtype, seed=self.seed)
        # Cutting at two standard deviations leaves this fraction of the standard deviation.
        stddev = math.sqrt(variance) / 0.87962566103423978
        return random.truncated_normal(shape, stddev=stddev, dtype=dtype, seed=self.seed)

    def get_config(self):
        return {
            "seed": self._seed_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _FixedVarianceScaling(VarianceScaling):
    """VarianceScaling whose scale, mode and distribution belong to the class."""

    _scale = _mode = _distribution = None

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        super().__init__(self._scale, self._mode, self._distribution, seed, input_axes, output_axes)

    def get_config(self):
        return {"seed": self._seed_config(), "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(_FixedVarianceScaling):
    """Uniform in [-limit, limit), limit = sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    Arguments as `VarianceScaling`.
    """

    _scale, _mode, _distribution = 1.0, "fan_avg", "uniform"


class GlorotNormal(_FixedVarianceScaling):
    """Truncated normal, stddev = sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    Arguments as `VarianceScaling`.
    """

    _scale, _mode, _distribution = 1.0, "fan_avg", "truncated_normal"


class LecunUniform(_FixedVarianceScaling):
    """Uniform in [-limit, limit), limit = sqrt(3 / fan_in) (LeCun et al. 1998).

    Arguments as `VarianceScaling`.
    """

    _scale, _mode, _distribution = 1.0, "fan_in", "uniform"


class LecunNormal(_FixedVarianceScaling):
    """Truncated normal, stddev = sqrt(1 / fan_in) (LeCun et al. 1998).

    Arguments as `VarianceScaling`.
    """

    _scale, _mode, _distribution = 1.0, "fan_in", "truncated_normal"


class HeUniform(_FixedVarianceScaling):
    """Uniform in [-limit, limit), limit = sqrt(6 / fan_in) (He et al. 2015).

    Arguments as `VarianceScaling`.
    """

    _scale, _mode, _distribution = 2.0, "fan_in", "uniform"


class HeNormal(_FixedVarianceScaling):
    """Truncated normal, stddev = sqrt(2 / fan_in) (He et al. 2015).

    Arguments as `VarianceScaling`.
    """

    _scale, _mode, _distribution = 2.0, "fan_in", "truncated_normal"


class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns, whichever are fewer, times `gain` (Saxe et al. 2014).

    Weights of higher rank are filled as the matrix (product of the leading sizes, last size).

    Args:
        gain: float, default 1.0.
        seed: as `VarianceScaling`.
    """

    def __init__(self, gain=1.0, seed=None):
        self.gain = gain
        super().__init__(seed=seed)

    def __call__(self, shape, dtype=None):
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal initializes weights of rank 2 or more. Got shape {tuple(shape)} of rank {len(shape)}. "
                "Choose another initializer for this weight."
            )
        rows, cols = math.prod(shape[:-1]), shape[-1]
        normal = random.normal((max(rows, cols), min(rows, cols)), dtype="float32", seed=self.seed)
        q, r = ops.qr(ops.cast(normal, "float64"))
        q *= self.gain * ops.sign(ops.diagonal(r))  # makes q uniformly distributed over the orthogonal matrices
        q = ops.transpose(q) if rows < cols else q
        return ops.cast(ops.reshape(q, shape), dtype or backend.floatx())

    def get_config(self):
        return {"seed": self._seed_config(), "gain": self.gain}


class STFT(Initializer):
    """Kernels (frame_length, 1, fft_length / 2 + 1) of a convolution that makes short-time Fourier transforms.

    kernel[t, 0, k] = window[t] * cos(2 pi t k / fft_length), or - sin(...) for the imaginary part.

    Args:
        side: `"real"` (default) or `"imag"`.
        window: name of a window, default `"hann"`; an array of frame_length numbers; None: ones.
        scaling: `"density"` (default): divided by the window's Euclidean norm; `"spectrum"`: by its sum; None.
        periodic: bool, default False: whether the window is one period of a repeated one.
    """

    def __init__(self, side="real", window="hann", scaling="density", periodic=False):
        if side not in ("real", "imag"):
            raise ValueError(f'STFT: side must be "real" or "imag". Got side={side!r}.')
        if scaling not in ("density", "spectrum", None):
            raise ValueError(f'STFT: scaling must be "density", "spectrum" or None. Got scaling={scaling!r}.')
        if isinstance(window, str):
            signal.window_values("STFT", window, 1)
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape, dtype=None):
        frame_length, _, bins = shape
        times, frequencies = np.arange(frame_length)[:, None, None], np.arange(bins)
        angle = 2.0 * np.pi * times * frequencies / (2 * (bins - 1))
        kernel = np.cos(angle) if self.side == "real" else -np.sin(angle)
        if self.window is not None:
            window = signal.window_values("STFT", self.window, frame_length, self.periodic)
            norms = {"density": np.sqrt(np.sum(window**2)), "spectrum": np.sum(np.abs(window)), None: 1.0}
            kernel = kernel * window[:, None, None] / norms[self.scaling]
        return ops.convert_to_tensor(np.broadcast_to(kernel, shape), dtype=dtype or backend.floatx())

    def get_config(self):
        window = self.window
        if window is not None and not isinstance(window, str):
            window = np.asarray(backend.convert_to_numpy(window)).tolist()
        return {"side": self.side, "window": window, "periodic": self.periodic, "scaling": self.scaling}


_catalogue = _Catalogue(
    "initializer",
    "keras.initializers",
    [
        Zeros, Ones, Constant, Identity, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling, GlorotUniform,
        GlorotNormal, LecunUniform, LecunNormal, HeUniform, HeNormal, Orthogonal, STFT,
    ],
    aliases={
        "zero": Zeros, "one": Ones, "normal": RandomNormal, "uniform": RandomUniform, "IdentityInitializer": Identity,
        "OrthogonalInitializer": Orthogonal, "STFTInitializer": STFT,
    },
)  # fmt: skip

zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, truncated_normal, random_uniform = RandomNormal, TruncatedNormal, RandomUniform
variance_scaling, glorot_uniform, glorot_normal = VarianceScaling, GlorotUniform, GlorotNormal
lecun_uniform, lecun_normal, he_uniform, he_normal = LecunUniform, LecunNormal, HeUniform, HeNormal
# Keras's second names.
stft, STFTInitializer, IdentityInitializer, OrthogonalInitializer = STFT, STFT, Identity, Orthogonal


def get(identifier):
    """The initializer for a name, a configuration, a class, a callable or an array with the values themselves.

    Raises:
        ValueError: an unknown name; the nearest ones are listed.
    """
    if isinstance(identifier, np.ndarray) or ops.is_tensor(identifier):
        return _FromValues(identifier)
    return _catalogue.get(identifier)


def serialize(initializer):
    """The configuration dict of an initializer."""
    return _catalogue.serialize(initializer)


def deserialize(config, custom_objects=None):
    """The initializer from what `serialize` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    return _catalogue.deserialize(config, custom_objects)


class _FromValues(Initializer):
    """The given array itself."""

    def __init__(self, values):
        self.values = values

    def __call__(self, shape, dtype=None):
        if tuple(shape) != tuple(self.values.shape):
            raise ValueError(
                f"The array given as initializer has shape {tuple(self.values.shape)} but the weight has shape "
                f"{tuple(shape)}. Pass an array of the weight's shape."
            )
        return ops.cast(self.values, dtype or backend.floatx())

    def get_config(self):
        raise NotImplementedError("A layer initialized with an array cannot be saved. Use set_weights() instead.")


__getattr__ = _unknown_attributes(__name__)
